"""ebm.samplers.gibbs: the same numbers, the transition row, the stationary law; and cooling."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ebm._random import Reserved, fold
from ebm.energies.pairwise import PairwiseParameters
from ebm.samplers import Gibbs, Target, conditional_mean, gibbs, run_chain
from ebm.samplers.gibbs import VISITS, visits
from ebm.samplers.simulated_annealing import simulated_annealing
from tests.checks.sweeps import assert_has_the_row, assert_leaves_the_law
from tests.core.sweeps import KEY, order_of, stepper, transition
from tests.models.pairwise import STATES, counts_of, draws_from, rows_of, spelled
from tests.oracles import draws, pairwise, pairwise_sweeps
from tests.oracles.pairwise import SPIN, OraclePairwise, random_pairwise
from tests.statistics import assert_same_distribution, assert_same_mean

BETAS = [0.4, 1.0, 2.0]
every_state = pytest.mark.parametrize("states", STATES, ids=["binary", "spin"])
every_visit = pytest.mark.parametrize("visit", VISITS)
every_beta = pytest.mark.parametrize("beta", BETAS)


def four_units(states):
    """Couplings under which the old and the new states of neighbours matter."""
    return random_pairwise(4, states, seed=3, scale=3.0 if states == SPIN else 6.0)


def given_for(oracle):
    """One unit is high, one is low, two are free."""
    low, high = oracle.states
    return np.array([np.nan, high, np.nan, low])


def twin(oracle, s, key, n_sweeps, visit, beta=1.0, given=None):
    """Plain loops; ``given`` (chains, units)."""
    given = np.full(s.shape, np.nan) if given is None else given
    s = np.where(np.isnan(given), s, given)
    units = list(np.flatnonzero(np.isnan(given).any(axis=0)))
    for t in range(n_sweeps):
        order = order_of(visit, units, draws.fold(key, Reserved.VISIT_ORDER.number + t))
        u = draws.uniforms(draws.fold(key, t), len(s), len(order))
        for row in range(len(s)):
            args = (oracle, s[row], order, u[row], beta, given[row])
            s[row] = pairwise_sweeps.heat_bath_sweep(*args)
    return s


# The same numbers ----------------------------------------------------------------------------


@every_state
@pytest.mark.parametrize("beta", [0.4, 2.0])
@every_visit
@pytest.mark.parametrize("n_units", [1, 7, 66])
def test_sweeps_equal_their_twin_on_the_same_random_numbers(n_units, visit, beta, states):
    oracle = random_pairwise(n_units, states, seed=n_units)
    start = rows_of(oracle, 3)
    for dtype in (np.float64, np.float32):
        s = stepper(oracle, 2, visit=visit, beta=beta, dtype=dtype)(start)
        assert s.dtype == dtype and s.flags.c_contiguous
        np.testing.assert_array_equal(s, twin(oracle, start, KEY, 2, visit, beta))


@every_state
@every_visit
def test_clamped_sweeps_equal_their_twin(visit, states):
    """Unit 2 is held in all chains and not visited, others in some chains."""
    oracle = random_pairwise(7, states, seed=1)
    start, given = rows_of(oracle, 5), np.full((5, 7), np.nan)
    given[:, 2], given[1, :4], given[3, 5:] = states[1], states[0], states[1]
    s = stepper(oracle, 3, visit=visit, given=given)(start)
    np.testing.assert_array_equal(s, twin(oracle, start, KEY, 3, visit, given=given))


@every_state
def test_the_trace_holds_beta_times_the_energy_after_every_sweep(states):
    oracle = four_units(states)
    model, params = spelled(oracle)
    start, trace = rows_of(oracle, 3), np.zeros((3, 4))
    gibbs(model, params, start, KEY, 4, beta=0.7, trace=trace)
    for t in range(4):
        s = gibbs(model, params, start, KEY, t + 1, beta=0.7)
        expected = [0.7 * pairwise.energy(oracle, row) for row in s]
        np.testing.assert_allclose(trace[:, t], expected, rtol=1e-12, atol=1e-12)


def test_chains_do_not_depend_on_those_after_them():
    oracle = random_pairwise(9, SPIN)
    s = rows_of(oracle, 8)
    np.testing.assert_array_equal(stepper(oracle, 3)(s)[:5], stepper(oracle, 3)(s[:5]))


def test_the_start_is_not_modified():
    oracle, start = four_units(SPIN), rows_of(four_units(SPIN), 5)
    given = np.tile(given_for(oracle), (5, 1))
    before = start.copy()
    start.flags.writeable = given.flags.writeable = False
    stepper(oracle, 2)(start)
    stepper(oracle, 2, given=given)(start)
    stepper(oracle, 0)(start)[:] = 7
    np.testing.assert_array_equal(start, before)


def test_unknown_visits_are_named():
    with pytest.raises(ValueError, match=r"visit must be one of .*'cyclic'.* Got 'sync'"):
        stepper(four_units(SPIN), visit="sync")(np.ones((1, 4)))


# Orders --------------------------------------------------------------------------------------


@pytest.mark.needs_jit
def test_random_orders_are_all_permutations_equally_often():
    n, units = 24_000, np.array([2, 3, 5, 7])
    seen = {order: 0 for order in itertools.permutations(units)}
    for i in range(n):
        seen[tuple(visits(units, "random", fold(KEY, i)))] += 1
    assert_same_distribution(list(seen.values()), np.full(24, 1 / 24))


@pytest.mark.needs_jit
def test_sites_of_glauber_are_independent_and_equally_likely():
    n, units = 20_000, np.array([2, 3, 5])
    rows = np.array([visits(units, "glauber", fold(KEY, i)) for i in range(n)])
    codes = np.searchsorted(units, rows) @ [9, 3, 1]
    assert_same_distribution(np.bincount(codes, minlength=27), np.full(27, 1 / 27))


@pytest.mark.needs_jit
@pytest.mark.parametrize("visit", ["random", "glauber"])
def test_one_chain_over_many_keys_has_the_row_of_an_order_unknown(visit):
    oracle = random_pairwise(3, SPIN, seed=3, scale=3.0)
    T = pairwise.random_order(oracle) if visit == "random" else pairwise.glauber(oracle, 3)
    start, n = np.array([1.0, -1.0, 1.0]), 20_000
    rows = [stepper(oracle, visit=visit, key=fold(KEY, i))(start[np.newaxis])[0] for i in range(n)]
    law = T[pairwise.state_index(oracle, start)]
    assert_same_distribution(counts_of(oracle, np.array(rows)), law)


# The law -------------------------------------------------------------------------------------


@pytest.mark.needs_jit
@every_state
@every_beta
@every_visit
def test_one_sweep_has_the_transition_row(visit, beta, states):
    oracle = four_units(states)
    T, start = transition(oracle, visit, beta=beta), np.array(states)[[1, 0, 1, 1]]
    dtype = np.float32 if beta == 1 else np.float64
    step = stepper(oracle, visit=visit, beta=beta, dtype=dtype)
    assert_has_the_row(step, oracle, start, T)


@pytest.mark.needs_jit
@every_state
@every_visit
def test_one_clamped_sweep_has_the_clamped_transition_row(visit, states):
    oracle = four_units(states)
    given, start = given_for(oracle), np.array(states)[[1, 1, 0, 0]]
    T = transition(oracle, visit, given=given)
    assert_has_the_row(stepper(oracle, visit=visit, given=given), oracle, start, T)


@pytest.mark.needs_jit
@every_state
@every_beta
@every_visit
def test_the_joint_law_is_stationary(visit, beta, states):
    oracle = four_units(states)
    law = pairwise.probabilities(oracle, beta)
    assert_leaves_the_law(stepper(oracle, 3, visit=visit, beta=beta), oracle, law)


@pytest.mark.needs_jit
@every_state
@every_visit
def test_the_conditional_laws_are_stationary_under_a_clamp_of_its_own_for_each_chain(visit, states):
    oracle, n = four_units(states), 40_000
    low, high = states
    clamps = np.array([[np.nan, high, np.nan, np.nan], [low, np.nan, np.nan, high]])
    laws = [pairwise.given_law(oracle, given) for given in clamps]
    start = np.vstack([draws_from(oracle, law, n, seed=i) for i, law in enumerate(laws)])
    s = stepper(oracle, 2, visit=visit, given=np.repeat(clamps, n, axis=0))(start)
    for law, rows in zip(laws, (s[:n], s[n:]), strict=True):
        assert_same_distribution(counts_of(oracle, rows), law)


@pytest.mark.needs_jit
@every_state
@every_visit
def test_the_walk_forgets_its_start(visit, states):
    oracle = random_pairwise(4, states, seed=5)
    s = stepper(oracle, 40, visit=visit)(np.full((50_000, 4), states[1]))
    assert_same_distribution(counts_of(oracle, s), pairwise.probabilities(oracle))


# Clamping ------------------------------------------------------------------------------------


@every_state
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_visit
def test_clamped_units_keep_their_values_bit_for_bit(visit, dtype, states):
    oracle = four_units(states)
    given = np.full((6, 4), np.nan, dtype)
    given[:, 1], given[::2, 3], given[5] = 0.1, -0.0, 0.3
    s = stepper(oracle, 3, visit=visit, given=given, dtype=dtype)(rows_of(oracle, 6))
    known = ~np.isnan(given)
    assert s[known].tobytes() == given[known].tobytes()
    assert np.isin(s[~known], states).all()


@every_visit
def test_clamping_everything_returns_what_was_given(visit):
    oracle = four_units(SPIN)
    given = rows_of(oracle, 5)
    s = stepper(oracle, 2, visit=visit, given=given)(-given)
    np.testing.assert_array_equal(s, given)
    model, params = spelled(oracle)
    np.testing.assert_array_equal(conditional_mean(model, params, -given, KEY, 3, given), given)
    np.testing.assert_array_equal(
        simulated_annealing(model, params, -given[:1], KEY, [1.0], given[:1]).s, given[:1]
    )


def test_clamping_nothing_is_no_clamping():
    oracle, start = four_units(SPIN), rows_of(four_units(SPIN), 5)
    free = stepper(oracle, 2, given=np.full((5, 4), np.nan))(start)
    np.testing.assert_array_equal(free, stepper(oracle, 2)(start))


# What samplers see of it -----------------------------------------------------------------------


def test_the_walk_of_a_pairwise_model_is_made_of_cyclic_sweeps():
    oracle = random_pairwise(5, SPIN)
    (model, params), s = spelled(oracle), rows_of(oracle, 3)
    expected = gibbs(model, params, s, KEY, 3, beta=0.6)
    np.testing.assert_array_equal(run_chain(model, params, s, KEY, 3, beta=0.6), expected)


def test_independent_chains_are_a_walk_with_the_trace_of_its_second_half():
    oracle = random_pairwise(5, SPIN)
    (model, params), s = spelled(oracle), rows_of(oracle, 3)
    drawn = Gibbs().draw(Target(model, params, 0.5), s, KEY, 7)
    half = gibbs(model, params, s, fold(KEY, 0), 3, beta=0.5)
    trace = np.zeros((3, 4))
    expected = gibbs(model, params, half, fold(KEY, 1), 4, beta=0.5, trace=trace)
    np.testing.assert_array_equal(drawn.v, expected)
    np.testing.assert_array_equal(drawn.trace, trace)


@every_state
def test_conditional_mean_of_one_step_is_the_mean_given_all_others(states):
    oracle = four_units(states)
    (model, params), start = spelled(oracle), rows_of(oracle, 3)
    given = np.tile(given_for(oracle), (3, 1))
    found = conditional_mean(model, params, start, KEY, 1, given, beta=0.7)
    s = twin(oracle, start, draws.fold(draws.fold(KEY, 1), 0), 1, "cyclic", 0.7, given)
    low, high = states
    for row in range(3):
        for i in (0, 2):
            p = pairwise.conditional(oracle, s[row], i, 0.7)
            assert found[row, i] == pytest.approx(low + (high - low) * p, abs=1e-14)
    np.testing.assert_array_equal(found[:, [1, 3]], given[:, [1, 3]])


@pytest.mark.needs_jit
@every_state
@pytest.mark.parametrize("n_steps", [1, 2, 7])
def test_conditional_mean_is_unbiased_from_conditional_draws(n_steps, states):
    oracle = four_units(states)
    given = given_for(oracle)
    law = pairwise.given_law(oracle, given)
    start = draws_from(oracle, law, 20_000)
    rows = np.broadcast_to(given, start.shape)
    found = conditional_mean(*spelled(oracle), start, KEY, n_steps, rows)
    assert_same_mean(found, law @ pairwise.all_states(oracle))


# Cooling ---------------------------------------------------------------------------------------


@every_state
def test_cooling_ends_where_no_flip_leads_down_lowest_first(states):
    oracle = random_pairwise(9, states, seed=4)
    (model, params), start = spelled(oracle), rows_of(oracle, 6)
    found = simulated_annealing(model, params, start, KEY, np.geomspace(0.1, 5, 6))
    assert all(pairwise.is_aligned(oracle, s) for s in found.s)
    expected = [pairwise.energy(oracle, s) for s in found.s]
    np.testing.assert_allclose(found.energies, expected, rtol=1e-12)
    assert (np.diff(found.energies) >= 0).all()


@every_state
def test_states_in_between_are_cooled_from_the_nearer_one(states):
    oracle = random_pairwise(6, states, seed=4)
    (model, params), start = spelled(oracle), rows_of(oracle, 4)
    near = start + np.where(start > start.min(), -0.2, 0.2)
    for rows in (start, near):
        found = simulated_annealing(model, params, rows, KEY, [0.5, 1.5]).s
        np.testing.assert_array_equal(
            found, simulated_annealing(model, params, start, KEY, [0.5, 1.5]).s
        )


@every_state
def test_cooling_is_sweeps_of_flips_and_then_downhill(states):
    oracle = random_pairwise(6, states, seed=4)
    (model, params), s = spelled(oracle), rows_of(oracle, 1)
    found = simulated_annealing(model, params, s, KEY, [0.5, 1.5]).s
    order = order_of("random", list(range(6)), draws.fold(KEY, Reserved.VISIT_ORDER.number))
    for t, beta in enumerate((0.5, 1.5)):
        u = draws.uniforms(draws.fold(KEY, t), 1, 6)
        s = [pairwise_sweeps.metropolis_sweep(oracle, s[0], order, u[0], beta)]
    for _ in range(20):
        s = [pairwise.threshold(oracle, s[0], range(6))]
    np.testing.assert_array_equal(found, s)


def test_clamped_units_are_not_cooled():
    oracle = random_pairwise(6, SPIN, seed=4)
    (model, params), start = spelled(oracle), rows_of(oracle, 4)
    given = np.full((4, 6), np.nan)
    given[:, 2], given[1, 4] = [1, -1, 1, -1], 1
    found = simulated_annealing(model, params, start, KEY, [0.5, 1.5], given)
    values = {(s[2], s[4]) for s in found.s}
    assert {pair[0] for pair in values} == {1.0, -1.0}
    for s in found.s:
        free = OraclePairwise(oracle.J, oracle.b.copy(), SPIN)
        free.b[2] += 100 * s[2]  # holds it where it is
        assert pairwise.is_aligned(free, s) or s[4] == 1


def test_cooling_without_an_end_of_its_own_comes_to_one():
    """Fields that are zero but for rounding: 0.1 + 0.2 - 0.3 is not 0."""
    J = np.zeros((4, 4))
    J[3, :3] = J[:3, 3] = 0.1, 0.2, -0.3
    oracle = OraclePairwise(J, np.zeros(4), SPIN)
    model, params = spelled(oracle)
    found = simulated_annealing(model, params, np.ones((3, 4)), KEY, np.full(3, 1e-9))
    assert np.isfinite(found.energies).all()
    zero = PairwiseParameters(0 * J, np.zeros(4))
    start = rows_of(oracle, 5)
    assert not simulated_annealing(model, zero, start, KEY, [1.0]).energies.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beta", [1e30, 1e300, 1.7e308])
def test_the_coldest_chains_go_downhill(dtype, beta):
    """And their inputs do not overflow into numbers that are none."""
    oracle = four_units(SPIN)
    _, params = spelled(oracle, dtype)
    s = stepper(oracle, 5, beta=beta, dtype=dtype)(rows_of(oracle, 20))
    fields = s @ params.J + params.bias
    assert (s * fields > 0).all()
