"""The oracles of annealing and tempering: their identities hold, and break where they should."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import pairwise, permutations, product

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tests.models import PAIRS, flat, hidden_rows_for, oracle_model, path_of, rows_for, uneven
from tests.oracles import annealing, rbm, rbm_gibbs, rbm_gradients, tempering
from tests.oracles.annealing import Path
from tests.statistics import total_variation

pytestmark = pytest.mark.once  # nothing of the library runs here

PATHS = {pair: path_of(pair) for pair in PAIRS}
TABLES = {pair: annealing.tabulate(path) for pair, path in PATHS.items()}
LOG_RATIOS = {
    pair: rbm.log_partition(path.model) - rbm.log_partition(path.base)
    for pair, path in PATHS.items()
}
BITS = PAIRS[0]
every_pair = pytest.mark.parametrize("pair", PAIRS, ids="-".join)
every_length = pytest.mark.parametrize("n_steps", [1, 3, 10])


# The path ------------------------------------------------------------------------------------


@every_pair
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_energies_on_the_path_are_those_of_an_rbm(pair, t):
    path = path_of(pair, (3, 2))
    model, rest = annealing.at(path, t)
    for v, h in zip(rows_for(path.model, 5), hidden_rows_for(path.model, 5), strict=True):
        expected = annealing.energy(path, v, h, t)
        assert rbm.energy(model, v, h) + rest == pytest.approx(expected, rel=1e-13, abs=1e-13)


@every_pair
def test_the_path_ends_at_the_model_and_starts_at_the_base(pair):
    path = PATHS[pair]
    for t, end in ((0.0, path.base), (1.0, path.model)):
        model, rest = annealing.at(path, t)
        np.testing.assert_allclose(flat(model), flat(end), rtol=1e-14, atol=1e-14)
        assert abs(rest) < 1e-13


@every_pair
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_sums_over_cells_are_the_closed_forms(pair, t):
    """Log Z_t and F_t by the RBM on the path; by sums over all states, or over a grid."""
    J = annealing.joint(TABLES[pair], t)
    expected = annealing.log_partition(PATHS[pair], t)
    assert np.log(J.sum()) == pytest.approx(expected, abs=1e-12)
    V = TABLES[pair].V
    volume = (V[1, 0] - V[0, 0]) if PATHS[pair].model.z is not None else 1.0
    F = -np.log(J.sum(axis=1) / volume)
    rows = slice(None, None, 1 + len(V) // 20)
    expected = [annealing.free_energy(PATHS[pair], v, t) for v in V[rows]]
    # Where v is far out, so is the grid of h that p(h | v) needs; such v do not occur.
    likely = J.sum(axis=1)[rows] > 1e-12 * J.sum()
    assert likely.sum() >= 5
    np.testing.assert_allclose(F[rows][likely], np.array(expected)[likely], rtol=1e-11, atol=1e-11)


@every_pair
def test_block_gibbs_on_the_path_is_reversible(pair):
    for t in (0.0, 0.3, 1.0):
        p, T = annealing.visible_law(TABLES[pair], t), annealing.transition(TABLES[pair], t)
        np.testing.assert_allclose(T.sum(axis=1), 1, rtol=1e-12)
        flow = p[:, np.newaxis] * T
        np.testing.assert_allclose(flow, flow.T, rtol=0, atol=1e-16)


def test_transitions_of_bits_are_those_of_block_gibbs():
    for t in (0.0, 0.3, 1.0):
        model, _ = annealing.at(PATHS[BITS], t)
        T = annealing.transition(TABLES[BITS], t)
        np.testing.assert_allclose(T, rbm_gibbs.visible_transition(model), rtol=1e-12)


def test_a_grid_has_one_gaussian_unit():
    with pytest.raises(ValueError, match="one Gaussian unit"):
        annealing.tabulate(path_of(("gaussian", "bernoulli"), (2, 2)))


# Importance sampling -------------------------------------------------------------------------


@every_pair
@every_length
def test_forward_weights_are_unbiased(pair, n_steps):
    mean = annealing.forward_moment(TABLES[pair], uneven(n_steps))
    assert np.log(mean) == pytest.approx(LOG_RATIOS[pair], abs=1e-10)


@every_pair
@every_length
def test_reverse_weights_are_unbiased(pair, n_steps):
    mean = annealing.reverse_moment(TABLES[pair], uneven(n_steps))
    assert np.log(mean) == pytest.approx(-LOG_RATIOS[pair], abs=1e-10)


@every_pair
@every_length
def test_raise_expects_the_annealed_law(pair, n_steps):
    table, ts = TABLES[pair], uneven(n_steps)
    law = annealing.annealed_law(table, ts)
    assert law.sum() == pytest.approx(1, abs=1e-12)
    seen = law > 1e-12
    np.testing.assert_allclose(annealing.raise_moment(table, ts)[seen], law[seen], rtol=1e-10)


def every_trajectory(length, last=None):
    """Sequences of state numbers of two bits, those that end in ``last`` if that is given."""
    free = product(range(4), repeat=length - (last is not None))
    return (states if last is None else (*states, last) for states in free)


def walk(law, transitions, states):
    """The probability of a sequence of states; transitions[k] is from states[k]."""
    p = law[states[0]]
    for T, (here, there) in zip(transitions, pairwise(states), strict=True):
        p *= T[here, there]
    return p


def test_moments_are_the_sums_over_all_trajectories():
    """Two visible units, one hidden, K = 3: every trajectory and its weight by definition."""
    path, ts = path_of(shape=(2, 1)), uneven(3)
    table = annealing.tabulate(path)
    V, Ts = table.V, [annealing.transition(table, t) for t in ts]
    p_0, p_1 = (annealing.visible_law(table, t) for t in (0.0, 1.0))
    forward, reverse, logs = np.zeros(2), np.zeros(2), np.zeros(2)
    for states in every_trajectory(3):
        log_w = annealing.log_weight(path, ts, V[list(states)])
        down = walk(p_1, [Ts[2], Ts[1]], states[::-1])
        up = walk(p_0, [Ts[1], Ts[2]], states)
        forward += up * np.exp([log_w, 2 * log_w])
        reverse += down * np.exp([-log_w, -2 * log_w])
        logs += [up * log_w, down * log_w]
    for power in (1, 2):
        assert annealing.forward_moment(table, ts, power) == pytest.approx(
            forward[power - 1], rel=1e-12
        )
        assert annealing.reverse_moment(table, ts, power) == pytest.approx(
            reverse[power - 1], rel=1e-12
        )
    assert annealing.forward_mean_log(table, ts) == pytest.approx(logs[0], rel=1e-12)
    assert annealing.reverse_mean_log(table, ts) == pytest.approx(logs[1], rel=1e-12)


def test_raise_is_the_sum_over_all_trajectories_down():
    path, ts = path_of(shape=(2, 1)), uneven(3)
    table = annealing.tabulate(path)
    V, Ts = table.V, [annealing.transition(table, t) for t in ts]
    for last in range(4):
        moments, here = np.zeros(2), np.eye(4)[last]
        for states in every_trajectory(4, last):
            log_r = annealing.raise_log_estimate(path, ts, V[list(states)])
            moments += walk(here, Ts[:0:-1], states[::-1]) * np.exp([log_r, 2 * log_r])
        for power in (1, 2):
            expected = annealing.raise_moment(table, ts, power)[last]
            assert moments[power - 1] == pytest.approx(expected, rel=1e-12)


@every_pair
def test_longer_annealing_knows_more(pair):
    """Mean log-weights sandwich log Z_1 / Z_0 and close in; the relative variance falls."""
    table, exact = TABLES[pair], LOG_RATIOS[pair]
    gaps, variances = [], []
    for n_steps in (1, 3, 10, 30):
        ts = uneven(n_steps)
        low, high = annealing.forward_mean_log(table, ts), annealing.reverse_mean_log(table, ts)
        assert low < exact < high
        gaps.append(high - low)
        variances.append(annealing.forward_moment(table, ts, 2) * np.exp(-2 * exact) - 1)
    assert np.all(np.diff(gaps) < 0)
    assert np.all(np.diff(variances) < 0)
    assert variances[-1] > 0


def moved_before_weighed(table, ts):
    law = annealing.visible_law(table, ts[0])
    for before, after in pairwise(ts):
        law = law @ annealing.transition(table, after)
        law = law * annealing.ratio(table, before, after)
    return law.sum()


def moved_at_the_step_before(table, ts):
    """T of t_{k-1} where that of t_k belongs: it does not leave alone what has been weighed."""
    law = annealing.visible_law(table, ts[0])
    for before, after in pairwise(ts):
        law = law * annealing.ratio(table, before, after)
        law = law @ annealing.transition(table, before)
    return law.sum()


def one_weight_short(table, ts):
    return annealing.forward_moment(table, ts[:-1])


@pytest.mark.parametrize(
    "mutant",
    [moved_before_weighed, moved_at_the_step_before, one_weight_short],
    ids=lambda f: f.__name__,
)
def test_wrong_orders_are_biased(mutant):
    for n_steps in (3, 10):
        error = np.log(mutant(TABLES[BITS], uneven(n_steps))) - LOG_RATIOS[BITS]
        assert abs(error) > 0.01


def test_weights_after_the_move_are_biased_at_one_step():
    error = np.log(moved_before_weighed(TABLES[BITS], uneven(1))) - LOG_RATIOS[BITS]
    assert abs(error) > 0.1


def test_reverse_weights_not_started_from_the_model_are_biased():
    table, ts = TABLES[BITS], uneven(3)
    law = annealing.visible_law(table, 0.0)
    for after, before in pairwise(ts[::-1]):
        law = law * annealing.ratio(table, after, before)
        law = law @ annealing.transition(table, before)
    assert abs(np.log(law.sum()) + LOG_RATIOS[BITS]) > 0.1


def test_raise_without_the_first_move_down_is_another_law():
    """The row itself, instead of what T_1 makes of it, weighed at t_{K-1}."""
    table, ts = TABLES[BITS], uneven(3)
    to_come = np.ones(len(table.V))
    for before, after in pairwise(ts):
        move = annealing.transition(table, after) if after < 1 else np.eye(len(table.V))
        to_come = move @ (annealing.ratio(table, after, before) * to_come)
    J_0, J_1 = (annealing.joint(table, t) for t in (0.0, 1.0))
    wrong = J_1.sum(axis=1) / J_0.sum() * to_come
    assert np.abs(wrong - annealing.annealed_law(table, ts)).max() > 0.01


# Tempering -----------------------------------------------------------------------------------

LADDERS = [
    pytest.param((2, 1), (1.0, 0.4), 0, id="2-1, two replicas"),
    pytest.param((2, 1), (1.0, 0.6, 0.0), 0, id="2-1, three replicas, even"),
    pytest.param((2, 1), (1.0, 0.6, 0.0), 1, id="2-1, three replicas, odd"),
    pytest.param((2, 2), (1.0, 0.4), 0, id="2-2, two replicas"),
]


def strong(shape):
    """Weights so strong that some exchanges are refused."""
    path = path_of(shape=shape)
    return Path(path.base, replace(path.model, W=3 * path.model.W))


@pytest.mark.parametrize(("shape", "ladder", "first"), LADDERS)
def test_swaps_leave_the_product_law_alone(shape, ladder, first):
    table = annealing.tabulate(strong(shape))
    T, law = (
        tempering.swap_sweep(table, ladder, first),
        tempering.product_visible_law(table, ladder),
    )
    np.testing.assert_allclose(T.sum(axis=1), 1, rtol=0, atol=1e-14)
    flow = law[:, np.newaxis] * T
    np.testing.assert_allclose(flow, flow.T, rtol=0, atol=1e-12)
    assert np.diag(T).min() < 0.9  # it moves
    G = tempering.gibbs_sweep(table, ladder)
    np.testing.assert_allclose(law @ G, law, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("shape", "ladder", "first"), LADDERS)
def test_swaps_and_new_hidden_states_leave_the_joint_law_alone(shape, ladder, first):
    table = annealing.tabulate(strong(shape))
    law = tempering.product_joint_law(table, ladder)
    T = tempering.swap_and_refresh(table, ladder, first)
    assert law.sum() == pytest.approx(1, abs=1e-13)
    np.testing.assert_allclose(T.sum(axis=1), 1, rtol=0, atol=1e-13)
    np.testing.assert_allclose(law @ T, law, rtol=0, atol=1e-12)


def test_hidden_states_that_stay_behind_are_stale():
    """The exchanged v with the h of before: another joint law."""
    table, ladder = annealing.tabulate(strong((2, 2))), (1.0, 0.4)
    swap = tempering.swap_sweep(table, ladder)
    law = tempering.product_joint_law(table, ladder).reshape(len(swap), -1)
    assert total_variation(swap.T @ law, law) > 0.01


def test_the_inverted_acceptance_is_noticed(monkeypatch):
    table, ladder = annealing.tabulate(strong((2, 1))), (1.0, 0.4)
    law = tempering.product_visible_law(table, ladder)
    right = tempering.swap_probability
    monkeypatch.setattr(
        tempering, "swap_probability", lambda table, t, s, v, u: right(table, s, t, v, u)
    )
    assert total_variation(law @ tempering.swap_sweep(table, ladder), law) > 0.01


def test_exchanges_by_hand():
    """Two bits, E_1 = -v_1 h with h free: F_1 = -log(1 + e^v_1), F_0 = -log 2."""
    one = rbm.OracleRBM(np.array([[1.0], [0.0]]), np.zeros(2), np.zeros(1))
    table = annealing.tabulate(Path(annealing.product_law(np.zeros(2), np.zeros(1)), one))
    on, off = 2, 0  # v = (1, 0) and v = (0, 0)
    downhill = 2 / (1 + np.e)
    assert tempering.swap_probability(table, 1.0, 0.0, on, off) == pytest.approx(downhill)
    assert tempering.swap_probability(table, 1.0, 0.0, off, on) == 1
    assert tempering.swap_probability(table, 0.5, 0.5, off, on) == 1
    p_on = (1 + np.e) / (3 + np.e)
    expected = 1 - p_on / 2 * (1 - downhill)
    np.testing.assert_allclose(tempering.swap_rates(table, (1.0, 0.0)), [expected], rtol=1e-12)


@pytest.mark.parametrize("n_steps", [1, 2])
@pytest.mark.parametrize(("ladder", "sweeps"), [((1.0, 0.4), (0,)), ((1.0, 0.6, 0.0), (0, 1))])
def test_rounds_from_equilibrium_stay_in_equilibrium(ladder, sweeps, n_steps):
    """Over all hidden states of all replicas, with their probabilities."""
    path = strong((2, 1))
    table = annealing.tabulate(path)
    laws_h = [annealing.joint(table, t).sum(axis=0) for t in ladder]
    laws_h = reduce(np.kron, [law / law.sum() for law in laws_h])
    mean = 0.0
    for p, h in zip(laws_h, product(table.H, repeat=len(ladder)), strict=True):
        mean += p * tempering.law_after_round(table, ladder, h, n_steps, sweeps)
    expected = tempering.product_visible_law(table, ladder)
    np.testing.assert_allclose(mean, expected, rtol=0, atol=1e-12)
    for r, t in enumerate(ladder):
        own = tempering.replica_law(mean, len(ladder), r)
        np.testing.assert_allclose(own, annealing.visible_law(table, t), rtol=0, atol=1e-12)


# Gradients -----------------------------------------------------------------------------------


def test_a_ladder_of_one_rung_is_a_persistent_chain():
    path = path_of()
    X, h = rows_for(path.model, 6), hidden_rows_for(path.model, 4)
    none = replace(path.model, W=0 * path.model.W, b=0 * path.model.b, c=0 * path.model.c)
    for n_steps in (1, 3):
        tempered = rbm_gradients.tempering_gradient(
            path, (1.0,), X, h[:, np.newaxis], n_steps, sweeps=()
        )
        persistent = rbm_gradients.fast_weights_gradient(path.model, none, X, h, n_steps)
        np.testing.assert_allclose(flat(tempered), flat(persistent), rtol=0, atol=1e-13)


def test_tempered_gradients_by_loops():
    """Two replicas, one round: both v from their h, exchanged or not, h averaged given v."""
    path, ladder = strong((2, 2)), (1.0, 0.4)
    table = annealing.tabulate(path)
    X = rows_for(path.model, 3)
    h = np.array([[[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]]])
    hot, _ = annealing.at(path, 0.4)
    W, b, c = 0.0, 0.0, 0.0
    for cold_h, hot_h in h:
        p, q = (
            rbm.visible_given_hidden(model, row)
            for model, row in ((path.model, cold_h), (hot, hot_h))
        )
        for i, j in product(range(4), repeat=2):
            accept = tempering.swap_probability(table, *ladder, i, j)
            for weight, v in ((1 - accept, table.V[i]), (accept, table.V[j])):
                mean_h = 1 / (1 + np.exp(-(path.model.c + v @ path.model.W)))
                share = p[i] * q[j] * weight / 2
                W, b, c = W + share * np.outer(v, mean_h), b + share * v, c + share * mean_h
    positive = rbm_gradients.data_statistics(path.model, X)
    gradient = rbm_gradients.tempering_gradient(path, ladder, X, h)
    np.testing.assert_allclose(gradient.W, positive.W - W, rtol=0, atol=1e-13)
    np.testing.assert_allclose(gradient.b, positive.b - b, rtol=0, atol=1e-13)
    np.testing.assert_allclose(gradient.c, positive.c - c, rtol=0, atol=1e-13)


@pytest.mark.parametrize("n_steps", [1, 2])
def test_without_fast_weights_chains_are_those_of_contrastive_divergence(n_steps):
    """From all h that the rows can have, with their probabilities."""
    model = oracle_model()
    X, starts = rows_for(model, 6), rows_for(model, 1, seed=1)
    none = replace(model, W=0 * model.W, b=0 * model.b, c=0 * model.c)
    terms = [
        rbm_gradients.fast_weights_gradient(model, none, X, h[np.newaxis], n_steps)
        for h in rbm.all_states(3)
    ]
    mean = rbm_gradients.weighted_sum(rbm.hidden_given_visible(model, starts[0]), terms)
    expected = rbm_gradients.contrastive_divergence_gradient(model, X, n_steps, starts)
    np.testing.assert_allclose(flat(mean), flat(expected), rtol=0, atol=1e-13)


def test_fast_weights_by_loops():
    """Two steps: h -> v -> h -> v under the sum of both, its own E[h | v]; data under the slow."""
    slow, fast = oracle_model(shape=(2, 2)), oracle_model(shape=(2, 2), seed=8)
    both = rbm.OracleRBM(slow.W + fast.W, slow.b + fast.b, slow.c + fast.c)
    X, starts = rows_for(slow, 5), np.array([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    states = rbm.all_states(2)

    def mean_h(model, v):
        return 1 / (1 + np.exp(-(model.c + v @ model.W)))

    W = sum(np.outer(v, mean_h(slow, v)) for v in X) / len(X)
    slow_negative = W.copy()
    for h in starts:
        first = rbm.visible_given_hidden(both, h)
        for i, j, k in product(range(4), repeat=3):
            up = rbm.hidden_given_visible(both, states[i])[j]
            p = first[i] * up * rbm.visible_given_hidden(both, states[j])[k] / len(starts)
            W -= p * np.outer(states[k], mean_h(both, states[k]))
            slow_negative -= p * np.outer(states[k], mean_h(slow, states[k]))
    gradient = rbm_gradients.fast_weights_gradient(slow, fast, X, starts, 2)
    np.testing.assert_allclose(gradient.W, W, rtol=0, atol=1e-13)
    assert np.abs(W - slow_negative).max() > 0.01


# Two modes -----------------------------------------------------------------------------------


def test_the_lowest_pass_by_all_paths():
    """On the cube: every simple path from 000 to 111 and its largest height."""
    states = rbm.all_states(3)
    for seed in range(20):
        heights = np.random.default_rng(seed).normal(size=8)
        tops = []
        for length in range(7):
            for between in permutations(range(1, 7), length):
                route = (0, *between, 7)
                if all(np.abs(states[a] - states[b]).sum() == 1 for a, b in pairwise(route)):
                    tops.append(heights[list(route)].max())
        assert tempering.lowest_pass(heights, states, 0, 7) == min(tops)


def test_two_modes_are_far_apart():
    """Ten nats and more between modes of about the same probability.

    The states up to the barrier connect the modes by single flips, those below it do not. Block
    Gibbs sampling takes 1e5 steps to forget in which mode it was, and a few for all the rest.
    """
    found = tempering.two_modes()
    states = rbm.all_states(10)
    F = np.array([rbm.free_energy(found.model, v) for v in states])
    assert found.barrier > 16
    assert set(np.argsort(F)[:2]) == {0, 1023}
    edges = [(k, k ^ (1 << i)) for k in range(1024) for i in range(10)]
    for slack, connected in ((1e-9, True), (-1e-9, False)):
        low = max(F[0], F[-1]) + found.barrier + slack >= F
        inside = np.array([(a, b) for a, b in edges if low[a] and low[b]])
        graph = coo_array((np.ones(len(inside)), inside.T), shape=(1024, 1024))
        _, label = connected_components(graph)
        assert (label[0] == label[-1]) == connected
    assert 0.35 < found.zeros < found.ones < 0.5
    assert found.ones / found.zeros == pytest.approx(np.exp(0.2), rel=0.02)
    p = rbm.visible_probabilities(found.model)
    half = p[states.sum(axis=1) == 5].sum()
    assert found.fewer + half + found.more == pytest.approx(1, abs=1e-12)
    eigenvalues = np.linalg.eigvals(rbm_gibbs.hidden_transition(found.model)).real
    third, second = np.sort(eigenvalues)[-3:-1]
    assert 1 - second < 1e-5
    assert third < 0.2
