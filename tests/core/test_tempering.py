"""ebm.samplers.tempering: swaps by number, the product law, modes far apart, the ladder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from ebm._random import Key, fold
from ebm.energies.path import BipartitePath
from ebm.samplers import SAMPLERS, Gibbs, Replicas, Target, Tempering, sampler_record
from ebm.samplers.tempering import replicas, respaced, swap_rates, temper
from tests.checks import assert_sweeps_have_the_row, assert_sweeps_leave_the_product_law
from tests.models import (
    PAIRS,
    library_model,
    library_params,
    library_path,
    oracle_model,
    path_of,
    rows_for,
)
from tests.oracles import annealing, draws, rbm, tempering
from tests.oracles.data import sample_states
from tests.statistics import assert_same_distribution, state_counts

KEY = Key(41, 42)
LEVEL = 1e-6
LADDER = np.array([1.0, 0.7, 0.25, 0.0])
every_pair = pytest.mark.parametrize("pair", PAIRS, ids="-".join)


def strong(shape=(2, 2), pair=PAIRS[0], factor=3.0):
    """Weights so strong that some exchanges are refused."""
    path = path_of(pair, shape)
    factor = 1.5 if pair == PAIRS[3] else factor
    return replace(path, model=replace(path.model, W=factor * path.model.W))


def started(x, ladder=LADDER, n_sweeps=0):
    """Replicas at the states x (replicas, chains, units)."""
    pairs = len(ladder) - 1
    flat = np.ascontiguousarray(x.reshape(-1, x.shape[-1]))
    return Replicas(flat, np.asarray(ladder), np.zeros(pairs), np.zeros(pairs), n_sweeps)


def sweeper(path, ladder, n_sweeps=1, *, n_moves=1, first=0, dtype=np.float64):
    """Sweeps of the library, from states (replicas, chains, units) to states."""
    ours = library_path(path, dtype)

    def sweep(x):
        state = started(x.astype(dtype), ladder, first)
        return temper(ours, state, KEY, n_sweeps, n_moves=n_moves).x.reshape(x.shape)

    return sweep


# On the same random numbers ------------------------------------------------------------------


def moved(path, x, ladder, key, given=None):
    """Each replica's rows draw the numbers of their places among all rows."""
    n = x.shape[1]
    hidden, visible = draws.fold(key, 0), draws.fold(key, 1)
    new = np.zeros_like(x)
    for r, t in enumerate(ladder):
        model, _ = annealing.at(path, t)
        tall = np.tile(x[r], (len(ladder), 1))  # so that the rows have the right numbers
        v = draws.visible(model, draws.hidden(model, tall, hidden), visible)
        new[r] = v[r * n : (r + 1) * n]
    return new if given is None else np.where(np.isnan(given), new, given)


def exchanged(path, x, ladder, parity, key):
    """New states, and the probabilities of exchange (pairs, chains)."""
    x, n = x.copy(), x.shape[1]
    u = draws.fine_uniforms(key, n * len(ladder)).reshape(len(ladder), n)
    probability = np.zeros((len(ladder) - 1, n))
    for r in range(parity, len(ladder) - 1, 2):
        for c in range(n):
            t, s, v, w = ladder[r], ladder[r + 1], x[r, c].copy(), x[r + 1, c].copy()
            F = annealing.free_energy
            ratio = np.exp(F(path, v, t) + F(path, w, s) - F(path, w, t) - F(path, v, s))
            probability[r, c] = min(1.0, ratio)
            if u[r, c] < ratio:
                x[r, c], x[r + 1, c] = w, v
    return x, probability


def twin(path, x, ladder, key, n_sweeps, n_moves, first=0, given=None):
    total = np.zeros(len(ladder) - 1)
    trace = np.zeros((x.shape[1], n_sweeps))
    for sweep in range(n_sweeps):
        own = draws.fold(key, first + sweep)
        for move in range(n_moves):
            x = moved(path, x, ladder, draws.fold(own, move), given)
        parity = (first + sweep) % 2 if len(ladder) > 2 else 0
        x, probability = exchanged(path, x, ladder, parity, draws.fold(own, n_moves))
        total += probability.mean(axis=1)
        trace[:, sweep] = [rbm.free_energy(path.model, v) for v in x[0]]
    return x, total, trace


@pytest.mark.parametrize("ladder", [LADDER, LADDER[[0, 3]]], ids=["four", "two"])
@pytest.mark.parametrize(("n_moves", "first"), [(1, 0), (2, 1)])
@every_pair
def test_sweeps_equal_their_twin_on_the_same_random_numbers(pair, n_moves, first, ladder):
    path = strong((4, 3), pair)
    x = np.array([rows_for(path.model, 3, seed=r) for r in range(len(ladder))])
    state = started(x, ladder, first)
    before, trace = state.x.copy(), np.zeros((3, 3))
    after = temper(library_path(path), state, KEY, 3, n_moves=n_moves, trace=trace)
    expected, total, free_energies = twin(path, x, ladder, KEY, 3, n_moves, first)
    np.testing.assert_allclose(after.x.reshape(x.shape), expected, rtol=0, atol=1e-8)
    np.testing.assert_allclose(after.acceptance, total, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(trace, free_energies, rtol=1e-8)
    assert after.n_sweeps == first + 3
    counts = [3.0] if len(ladder) == 2 else [1.0, 2.0, 1.0] if first else [2.0, 1.0, 2.0]
    np.testing.assert_array_equal(after.proposals, counts)
    np.testing.assert_array_equal(state.x, before)
    assert not state.acceptance.any() and not state.proposals.any()


@every_pair
def test_clamped_sweeps_equal_their_twin(pair):
    path = strong((4, 3), pair)
    x = np.array([rows_for(path.model, 3, seed=r) for r in range(4)])
    given = np.full((3, 4), np.nan)
    given[:, 1], given[0, 2] = [1.0, 0.0, 1.0], 0.0
    after = temper(library_path(path), started(x), KEY, 3, given=given)
    start = np.where(np.isnan(given), x, given)
    expected, total, _ = twin(path, start, LADDER, KEY, 3, 1, given=given)
    np.testing.assert_allclose(after.x.reshape(x.shape), expected, rtol=0, atol=1e-8)
    np.testing.assert_allclose(after.acceptance, total, rtol=1e-8, atol=1e-12)


def test_sweeps_in_parts_are_sweeps_in_one_go():
    path = strong((4, 3))
    ours = library_path(path)
    state = replicas(ours, 5, 7, KEY)
    assert state.ladder.tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]
    whole = temper(ours, state, KEY, 7)
    parts = temper(ours, temper(ours, state, KEY, 4), KEY, 3)
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_replicas_begin_as_draws_from_the_base():
    path = path_of()
    x = replicas(library_path(path), 3, 8, KEY).x
    expected = draws.visible(path.base, np.zeros((24, 3)), KEY)
    np.testing.assert_array_equal(x, expected)


# Laws ----------------------------------------------------------------------------------------


LADDERS = [(1.0, 0.4), (1.0, 0.6, 0.0)]


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_sweeps", [1, 4])
@pytest.mark.parametrize("ladder", LADDERS)
def test_the_product_law_of_all_replicas_is_stationary(ladder, n_sweeps, dtype):
    path = strong()
    sweep = sweeper(path, ladder, n_sweeps, dtype=dtype)
    assert_sweeps_leave_the_product_law(sweep, annealing.tabulate(path), ladder)


@pytest.mark.needs_jit
@pytest.mark.parametrize("firsts", [(0,), (1,), (0, 1), (1, 0, 1)])
@pytest.mark.parametrize("n_moves", [1, 2])
def test_sweeps_have_the_enumerated_row(n_moves, firsts):
    path, ladder = strong(), LADDERS[1]
    sweep = sweeper(path, ladder, len(firsts), n_moves=n_moves, first=firsts[0])
    table = annealing.tabulate(path)
    assert_sweeps_have_the_row(sweep, table, ladder, (2, 0, 3), n_moves, firsts)


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_temperatures", [2, 5])
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_draws_of_the_sampler_have_the_models_law(n_temperatures, beta):
    model, n = oracle_model(scale=1.5), 20_000
    target = Target(library_model(model), library_params(model), beta)
    found = Tempering(n_temperatures).draw(target, np.zeros((n, 4)), KEY, 60)
    law = rbm.visible_probabilities(model, beta)
    assert_same_distribution(state_counts(found.v.astype(int)), law)
    expected = law @ [beta * rbm.free_energy(model, v, beta) for v in rbm.all_states(4)]
    assert found.trace[:, -1].mean() == pytest.approx(expected, abs=0.1)
    assert found.swap_rates.shape == (n_temperatures - 1,)
    assert found.temperatures[0] == 1 and found.temperatures[-1] == 0


@pytest.mark.needs_jit
def test_draws_given_some_units_have_the_conditional_law():
    model, n = oracle_model(scale=1.5), 20_000
    given = np.tile([np.nan, 1.0, np.nan, 0.0], (n, 1))
    target = Target(library_model(model), library_params(model), 1.0, given)
    found = Tempering(4).draw(target, np.zeros((n, 4)), KEY, 40)
    states, law = rbm.all_states(4), rbm.visible_probabilities(model)
    law = np.where((states[:, 1] == 1) & (states[:, 3] == 0), law, 0)
    assert_same_distribution(state_counts(found.v.astype(int)), law / law.sum())


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sampler", [Tempering(3), Gibbs()], ids=repr)
def test_clamped_units_keep_their_values_bit_for_bit(sampler, dtype):
    model = oracle_model("gaussian", "bernoulli")
    given = np.full((6, 4), np.nan, dtype)
    given[:, 1], given[::2, 3] = np.pi, -0.0
    known = ~np.isnan(given)
    target = Target(library_model(model), library_params(model, dtype), 1.0, given)
    start = rows_for(model, 6).astype(dtype)
    before = start.copy()
    v = sampler.draw(target, start, KEY, 9).v
    assert v.dtype == dtype and v[known].tobytes() == given[known].tobytes()
    assert not np.isnan(v).any()
    np.testing.assert_array_equal(start, before)


# Modes ---------------------------------------------------------------------------------------


MODES = tempering.two_modes()


def share_of_more(sampler, n_steps, n=1000):
    """Of chains that all start with no unit on: how many end with more than half of them on."""
    target = Target(library_model(MODES.model), library_params(MODES.model))
    found = sampler.draw(target, np.zeros((n, 10)), KEY, n_steps)
    return int((found.v.sum(axis=1) > 5).sum()), found


@pytest.mark.needs_jit
def test_replicas_cross_between_modes_where_gibbs_sampling_does_not():
    n = 1000
    stuck, _ = share_of_more(Gibbs(), 300)
    assert stuck <= stats.binom(n, 300 * 1e-5).isf(LEVEL)
    crossed, _ = share_of_more(Tempering(8), 300)
    assert stats.binomtest(crossed, n, MODES.more).pvalue > LEVEL
    assert stats.binomtest(stuck, n, MODES.more).pvalue < LEVEL


# The ladder ----------------------------------------------------------------------------------


def exact_spread(table, ladder):
    rates = tempering.swap_rates(table, ladder)
    return rates.max() - rates.min()


@pytest.mark.needs_jit
def test_recorded_rates_are_the_exact_ones():
    """Means of n independent numbers in [0, 1]: Hoeffding's inequality."""
    path, ladder, n = strong((4, 3)), (1.0, 0.5, 0.2), 40_000
    table, rng = annealing.tabulate(path), np.random.default_rng(5)
    x = np.array([sample_states(annealing.visible_law(table, t), n, rng) for t in ladder])
    after = temper(library_path(path), started(x, ladder), KEY, 2)
    expected = tempering.swap_rates(table, ladder)
    assert expected.min() < 0.9 and np.ptp(expected) > 0.05
    error = np.abs(swap_rates(after) - expected)
    assert error.max() < np.sqrt(np.log(4 / LEVEL) / (2 * n))


@pytest.mark.needs_jit
def test_a_respaced_ladder_exchanges_equally_often():
    path = strong((4, 3))
    ours, table = library_path(path), annealing.tabulate(path)
    state = replicas(ours, 5, 500, KEY)
    before = exact_spread(table, state.ladder)
    for _ in range(4):
        state = respaced(temper(ours, state, KEY, 50))
        assert np.all(np.diff(state.ladder) < 0)
        assert state.ladder[0] == 1 and state.ladder[-1] == 0
        assert not state.acceptance.any() and not state.proposals.any()
    assert before > 0.1 > 3 * exact_spread(table, state.ladder)


def test_ladders_by_hand():
    """Rejections 0.5 and 0.3 and a hundredth each: equal steps of their sum 0.82."""
    state = Replicas(
        np.zeros((3, 1)), np.array([1.0, 0.4, 0.0]), np.array([1.0, 1.4]), np.full(2, 2)
    )
    np.testing.assert_allclose(swap_rates(state), [0.5, 0.7])
    middle = 1 - 0.6 * 0.41 / 0.51
    np.testing.assert_allclose(respaced(state).ladder, [1.0, middle, 0.0], rtol=1e-14)
    unseen = state._replace(proposals=np.array([2.0, 0.0]))
    assert np.isnan(swap_rates(unseen)[1]) and respaced(unseen) is unseen
    perfect = state._replace(acceptance=np.array([2.0, 2.0]))
    np.testing.assert_allclose(respaced(perfect).ladder, state.ladder, atol=1e-15)


@pytest.mark.needs_jit
@pytest.mark.parametrize("adapt", [False, True])
@pytest.mark.parametrize("n_steps", [1, 2, 3, 10, 100])
def test_the_trace_is_that_of_the_second_half(n_steps, adapt):
    model = oracle_model()
    target = Target(library_model(model), library_params(model))
    found = Tempering(3, adapt).draw(target, np.zeros((4, 4)), KEY, n_steps)
    assert found.trace.shape == (4, n_steps - n_steps // 2) and np.isfinite(found.trace).all()
    last = [rbm.free_energy(model, v) for v in found.v]
    np.testing.assert_allclose(found.trace[:, -1], last, rtol=1e-12)
    if not adapt:
        assert found.temperatures.tolist() == [1.0, 0.5, 0.0]


def test_the_base_that_is_given_is_that_of_the_path():
    path = path_of()
    own = library_params(path.base)
    library, params = library_model(path.model), library_params(path.model)
    base = (own.visible, own.hidden)
    target = Target(library, params, 1.0, None, base)
    found = Tempering(3, adapt=False).draw(target, np.zeros((5, 4)), KEY, 2)
    state = replicas(BipartitePath(library, params, base), 3, 5, fold(KEY, 0))
    state.x[:5] = 0
    expected = temper(BipartitePath(library, params, base), state, fold(KEY, 1), 2)
    np.testing.assert_array_equal(found.v, expected.x[:5])


# Choices -------------------------------------------------------------------------------------


def test_names_stand_for_records():
    for name, cls in SAMPLERS.items():
        assert isinstance(sampler_record(name), cls)
    record = Tempering(7)
    assert sampler_record(record) is record
    with pytest.raises(ValueError, match=r"'sampler'.*'gibbs', 'tempering'.*Got 'walk'"):
        sampler_record("walk")


@pytest.mark.parametrize("n", [0, 1, -2, 2.0, True, "2"])
def test_a_ladder_has_two_rungs_at_least(n):
    with pytest.raises(ValueError, match="n_temperatures must be an integer of at least 2"):
        Tempering(n)
