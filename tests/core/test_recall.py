"""ebm.inference.recall: against plain loops, along the energy, into cycles, and by the heat bath's law."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._kernels.sweeps import THRESHOLD, sweep
from ebm._random import Key, fold, uniform
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.inference import recall
from ebm.inference.recall import UPDATES, visits
from ebm.storage import Hebb, PseudoInverse
from ebm.units import Bernoulli, Spin
from tests.oracles import hopfield
from tests.statistics import assert_same_distribution

KEY = Key(11, 12)
SPINS = Pairwise(Spin())


def network(n=9, seed=0, symmetric=True, dtype=np.float64):
    rng = np.random.default_rng(seed)
    J = rng.normal(size=(n, n))
    J = (J + J.T) / 2 if symmetric else J
    np.fill_diagonal(J, 0)
    return PairwiseParameters(J.astype(dtype), (rng.normal(size=n) / 2).astype(dtype))


def probes(n_rows, n, seed=1):
    return np.random.default_rng(seed).choice([-1.0, 1.0], (n_rows, n))


def orders(update, n, n_sweeps=100, key=KEY):
    return [visits(update, n, fold(fold(key, t), 0)) for t in range(n_sweeps)]


# Temperature zero ------------------------------------------------------------------------------


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("update", ["async", "cyclic"])
def test_recall_in_turn_is_the_plain_loop(update, symmetric):
    params, s = network(symmetric=symmetric), probes(12, 9)
    ends = recall(SPINS, params, s, KEY, update=update, max_sweeps=20, trace=True)
    for row in range(12):
        path = hopfield.recalled(*params, s[row], orders(update, 9, 20))
        steps = len(path) - 1
        assert ends.n_sweeps[row] == steps
        np.testing.assert_array_equal(ends.trajectory[: steps + 1, row], path)
        assert (ends.trajectory[steps:, row] == path[-1]).all()
        np.testing.assert_array_equal(ends.states[row], path[-1])
        expected = [hopfield.energy(*params, state) for state in path]
        np.testing.assert_allclose(ends.trajectory_energies[: steps + 1, row], expected)
        assert ends.energies[row] == pytest.approx(ends.trajectory_energies[-1, row], rel=1e-13)
        fixed = hopfield.synchronous(*params, path[-1]) == path[-1]
        assert ends.converged[row] == fixed
    assert len(ends.trajectory) == ends.n_sweeps.max() + 1
    if symmetric:
        assert ends.converged.all()
    assert not ends.cycling.any()


def test_recall_in_turn_over_more_units_than_a_block():
    for symmetric in (True, False):
        params, s = network(150, symmetric=symmetric), probes(3, 150)
        one = recall(SPINS, params, s, KEY, max_sweeps=1)
        (order,) = orders("async", 150, 1)
        for row in range(3):
            expected = hopfield.asynchronous(*params, s[row], order)
            np.testing.assert_array_equal(one.states[row], expected)


def test_glauber_goes_on_until_nothing_would_change():
    params, s = network(), probes(40, 9)
    ends = recall(SPINS, params, s, KEY, update="glauber", trace=True)
    assert ends.converged.all()
    for state in ends.states:
        assert hopfield.synchronous(*params, state) == list(state)
    assert (np.diff(ends.trajectory_energies, axis=0) <= 1e-12).all()
    order = visits("glauber", 9, fold(fold(KEY, 0), 0))
    assert len(order) == 9 and len(set(order)) < 9
    np.testing.assert_array_equal(
        ends.trajectory[1, 0], hopfield.asynchronous(*params, s[0], order)
    )


def test_recall_together_is_the_plain_loop():
    params, s = network(7, seed=5), probes(30, 7)
    ends = recall(SPINS, params, s, KEY, update="sync", trace=True)
    for row in range(30):
        path = [list(s[row])]
        while len(path) < 3 or (path[-1] != path[-2] and path[-1] != path[-3]):
            path.append(hopfield.synchronous(*params, path[-1]))
            if path[-1] == path[-2]:
                break
        cycles = path[-1] != path[-2]
        assert ends.cycling[row] == cycles and ends.converged[row] == (not cycles)
        np.testing.assert_array_equal(ends.states[row], path[-1])
    assert ends.cycling.any() and ends.converged.any()


def test_two_units_swap_together_and_settle_in_turn():
    params = PairwiseParameters(np.array([[0, 1.0], [1, 0]]), np.zeros(2))
    s = np.array([[1.0, -1], [1, 1]])
    ends = recall(SPINS, params, s, KEY, update="sync", trace=True)
    np.testing.assert_array_equal(ends.cycling, [True, False])
    np.testing.assert_array_equal(ends.converged, [False, True])
    np.testing.assert_array_equal(ends.n_sweeps, [2, 0])
    np.testing.assert_array_equal(ends.trajectory[:, 0], [[1, -1], [-1, 1], [1, -1]])
    assert recall(SPINS, params, s, KEY, update="async").converged.all()


@pytest.mark.needs_jit
def test_no_update_raises_the_energy_of_10_000_networks():
    rng = np.random.default_rng(0)
    n, chains, n_networks = 6, 4, 10_000
    no = np.empty((0, 0), bool)
    worst, moves = -np.inf, 0
    for _ in range(n_networks):
        J = rng.normal(size=(n, n))
        J += J.T
        np.fill_diagonal(J, 0)
        b = rng.normal(size=n)
        law = (np.ones(1), b[np.newaxis], -1.0, 1.0)
        S = rng.choice([-1.0, 1.0], (n, chains))
        path = [S.copy()]
        for i in rng.permutation(n):
            sweep(J, law, THRESHOLD, S, np.array([i]), no, (0, 0, 0), np.zeros(chains))
            path.append(S.copy())
        P = np.array(path)
        energies = -np.einsum("tic,ij,tjc->tc", P, J, P) / 2 - np.einsum("tic,i->tc", P, b)
        worst = max(worst, np.diff(energies, axis=0).max())
        moves += (np.diff(energies, axis=0) < -1e-9).sum()
    assert worst <= 1e-12
    assert moves > n_networks * chains


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("update", UPDATES)
def test_a_field_of_zero_keeps_the_state(update, dtype):
    # Two patterns over N = 7: fields are sevenths, many of them zero but for rounding.
    rng = np.random.default_rng(0)
    for _ in range(20):
        X = rng.choice([-1.0, 1.0], (2, 7))
        exact = Hebb(normalize=False)
        J = exact.parameters(exact.store(exact.empty(7), X)).J
        params = PairwiseParameters((J / 7).astype(dtype), np.zeros(7, dtype))
        s = rng.choice([-1.0, 1.0], (8, 7)).astype(dtype)
        whole = PairwiseParameters(J.astype(dtype), np.zeros(7, dtype))
        one, other = (recall(SPINS, p, s, KEY, update=update) for p in (params, whole))
        np.testing.assert_array_equal(one.states, other.states)
    silent = PairwiseParameters(np.zeros((7, 7), dtype), np.zeros(7, dtype))
    ends = recall(SPINS, silent, s, KEY, update=update)
    np.testing.assert_array_equal(ends.states, s)
    assert ends.converged.all() and not ends.n_sweeps.any()


def test_running_out_of_sweeps_is_said():
    params, s = network(30, seed=2), probes(40, 30)
    full = recall(SPINS, params, s, KEY)
    assert full.n_sweeps.max() >= 3
    short = recall(SPINS, params, s, KEY, max_sweeps=1)
    # A probe that gets there in the only sweep has converged, though no sweep has confirmed it.
    np.testing.assert_array_equal(short.converged, full.n_sweeps <= 1)
    assert (short.n_sweeps == 1).any()


def test_asymmetric_couplings_may_go_round_in_circles():
    J = np.array([[0, 1.0], [-1, 0]])  # unit 1 does what unit 0 does not
    ends = recall(SPINS, PairwiseParameters(J, np.zeros(2)), probes(4, 2), KEY, max_sweeps=30)
    assert not ends.converged.any() and not ends.cycling.any()
    assert (ends.n_sweeps == 30).all()


@pytest.mark.parametrize("update", UPDATES)
def test_a_probe_does_not_depend_on_the_others(update):
    params, s = network(70, seed=3), probes(10, 70)
    s[2, :30] = np.nan
    together = recall(SPINS, params, s, KEY, update=update)
    for row in range(10):
        alone = recall(SPINS, params, s[row : row + 1], KEY, update=update)
        np.testing.assert_array_equal(alone.states[0], together.states[row])
        assert alone.n_sweeps[0] == together.n_sweeps[row]


def test_bits_and_spins_recall_the_same():
    # E(s) with s = 2 x - 1: couplings 4 J, biases 2 b - 2 J 1.
    params, s = network(12, seed=4), probes(20, 12)
    bits = PairwiseParameters(4 * params.J, 2 * params.bias - 2 * params.J.sum(axis=1))
    for update in UPDATES:
        one = recall(SPINS, params, s, KEY, update=update)
        other = recall(Pairwise(Bernoulli()), bits, (s + 1) / 2, KEY, update=update)
        np.testing.assert_array_equal((one.states + 1) / 2, other.states)


def test_probes_are_not_modified():
    params, s = network(), probes(1, 9)
    for update in UPDATES:
        before = s.copy()
        recall(SPINS, params, s, KEY, update=update, trace=True)
        np.testing.assert_array_equal(s, before)


# Unknown and held bits -------------------------------------------------------------------------


def test_unknown_bits_start_where_the_known_ones_point():
    params, s = network(), probes(30, 9)
    s[np.random.default_rng(2).random(s.shape) < 0.4] = np.nan
    ends = recall(SPINS, params, s, KEY, update="cyclic", trace=True)
    coin = np.where(uniform(fold(KEY, 1 << 40), 9) < 0.5, -1.0, 1.0)
    for row in range(30):
        start = hopfield.completed(*params, s[row], coin)
        np.testing.assert_array_equal(ends.trajectory[0, row], start)
        path = hopfield.recalled(*params, start, orders("cyclic", 9))
        np.testing.assert_array_equal(ends.states[row], path[-1])


def test_a_coin_decides_where_nothing_points():
    params = PairwiseParameters(np.zeros((50, 50)), np.zeros(50))
    s = np.full((2, 50), np.nan)
    s[:, 0] = 1
    start = recall(SPINS, params, s, KEY).states
    np.testing.assert_array_equal(start[0], start[1])
    assert 10 < (start[0] > 0).sum() < 40
    assert (recall(SPINS, params, s, Key(1, 1)).states != start).any()


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("update", UPDATES)
def test_known_bits_are_held(update, temperature):
    params, s = network(20, seed=6), probes(10, 20)
    s[:, 12:] = np.nan
    settings = {"update": update, "temperature": temperature, "max_sweeps": 20}
    ends = recall(SPINS, params, s, KEY, clamp=True, **settings)
    np.testing.assert_array_equal(ends.states[:, :12], s[:, :12])
    free = recall(SPINS, params, s, KEY, **settings)
    assert (free.states[:, :12] != s[:, :12]).any()
    if temperature == 0 and update in ("async", "cyclic"):
        assert ends.converged.all()
        mask = np.isnan(s[0])
        for state in ends.states:  # fixed as far as they are free
            assert (np.array(hopfield.synchronous(*params, state)) == state)[mask].all()


def test_half_a_pattern_is_completed():
    X = probes(5, 80, seed=8)
    rule = PseudoInverse()
    params = rule.parameters(rule.store(rule.empty(80), X))
    halves = X.copy()
    halves[:, 40:] = np.nan
    np.testing.assert_array_equal(recall(SPINS, params, halves, KEY).states, X)


# Above zero ------------------------------------------------------------------------------------


def counts_of(states, law):
    place = {state: k for k, state in enumerate(law)}
    counts = np.zeros(len(law))
    for state in states:
        counts[place[tuple(state)]] += 1
    return counts, np.array(list(law.values()))


@pytest.mark.needs_jit
@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("symmetric", [True, False])
def test_one_sweep_has_the_law_of_the_heat_bath(update, symmetric):
    params, s = network(4, seed=7, symmetric=symmetric), np.array([1.0, -1, -1, 1])
    many = np.tile(s, (20_000, 1))
    ends = recall(SPINS, params, many, KEY, update=update, temperature=1.3, max_sweeps=1)
    if update == "sync":
        law = hopfield.parallel_transition(*params, s, 1 / 1.3)
    else:
        (order,) = orders(update, 4, 1)
        law = hopfield.heat_bath_transition(*params, s, order, 1 / 1.3)
    assert_same_distribution(*counts_of(ends.states, law))
    assert not ends.converged.any() and (ends.n_sweeps == 1).all()


@pytest.mark.needs_jit
def test_two_sweeps_draw_anew():
    params, s = network(3, seed=7), np.ones(3)
    many = np.tile(s, (20_000, 1))
    ends = recall(SPINS, params, many, KEY, temperature=1.3, max_sweeps=2)
    order = np.concatenate(orders("async", 3, 2))
    law = hopfield.heat_bath_transition(*params, s, order, 1 / 1.3)
    assert_same_distribution(*counts_of(ends.states, law))


@pytest.mark.needs_jit
@pytest.mark.parametrize("update", ["async", "cyclic", "glauber"])
def test_the_boltzmann_law_is_left_unchanged(update):
    params, beta = network(4, seed=9), 0.8
    states = np.array(np.meshgrid(*[[-1.0, 1.0]] * 4, indexing="ij")).reshape(4, -1).T
    p = np.exp([-beta * hopfield.energy(*params, s) for s in states])
    p /= p.sum()
    start = states[np.random.default_rng(0).choice(16, 20_000, p=p)]
    ends = recall(SPINS, params, start, KEY, update=update, temperature=1 / beta, max_sweeps=3)
    law = {tuple(s): q for s, q in zip(states, p, strict=True)}
    assert_same_distribution(*counts_of(ends.states, law))
    assert (ends.states != start).any(axis=1).mean() > 0.3


# What is let in --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"update": "parallel"}, "update must be one of"),
        ({"temperature": -1.0}, "temperature must be a number"),
        ({"max_sweeps": 0}, "max_sweeps must be an integer"),
        ({"probes": np.ones((2, 8))}, "must have 9 columns"),
        ({"probes": np.ones(9)}, "must have 9 columns"),
        ({"probes": np.zeros((2, 9))}, "must consist of the states"),
    ],
)
def test_bad_input_is_refused(change, message):
    given = {"probes": probes(2, 9), **change}
    with pytest.raises(ValueError, match=message):
        recall(SPINS, network(), given.pop("probes"), KEY, **given)


@pytest.mark.needs_jit
def test_single_precision_goes_through():
    params = network(dtype=np.float32)
    for update in UPDATES:
        for temperature in (0.0, 0.5):
            ends = recall(SPINS, params, probes(2, 9), KEY, update=update, temperature=temperature)
            assert ends.states.dtype == np.float32 and ends.energies.dtype == np.float64


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("temperature", [1e-30, 1e-300, 1e-320])
def test_temperatures_whose_inverse_overflows_are_next_to_zero(update, dtype, temperature):
    params = network(dtype=dtype)
    start = probes(20, 9).astype(dtype)
    for max_sweeps in (1,) if update == "sync" else (1, 5):  # cycles end at zero alone
        warm, cold = (
            recall(SPINS, params, start, KEY, update=update, temperature=t, max_sweeps=max_sweeps)
            for t in (temperature, 0.0)
        )
        assert np.isfinite(warm.energies).all()
        np.testing.assert_array_equal(warm.states, cold.states)


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("update", ["async", "glauber"])
def test_fields_that_follow_many_flips_end_where_their_sums_do(update, dtype):
    """A chain of units each of which turns the next, over and over its length in flips."""
    n = 300
    J = np.zeros((n, n))
    J[np.arange(1, n), np.arange(n - 1)] = 1  # unit i does what unit i - 1 does
    J[np.arange(2, n), np.arange(n - 2)] = 0.25
    b = np.zeros(n)
    b[0] = 1
    params = PairwiseParameters(J.astype(dtype), b.astype(dtype))
    s = np.tile([1.0, -1.0], n // 2)[np.newaxis]
    ends = recall(SPINS, params, s, KEY, update=update, max_sweeps=3000, trace=True)
    assert np.sum(np.diff(ends.trajectory[:, 0], axis=0) != 0) > n, "flips enough"
    assert ends.converged.all()
    np.testing.assert_array_equal(ends.states, np.ones((1, n)))
    fields = params.J.astype(float) @ ends.states[0] + b
    energy = -0.5 * ends.states[0] @ (fields + b)
    assert ends.energies[0] == pytest.approx(energy, rel=1e-5)
