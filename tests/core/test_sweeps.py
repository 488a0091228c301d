"""ebm._kernels.sweeps: every rule against a plain loop, around the edges of the blocks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ebm._kernels.sweeps import HEAT_BATH, MEAN, THRESHOLD, sweep
from tests.checks.sweeps import assert_equals_the_plain_loop
from tests.models.pairwise import STATES, rows_of
from tests.oracles import draws, pairwise, pairwise_sweeps
from tests.oracles.pairwise import BINARY, SPIN, OraclePairwise, random_pairwise

KEY = (11, 12)
# Blocks hold 64 visits.
SIZES = [1, 5, 63, 64, 65, 130]
BOTH = [np.float64, np.float32]
ORDERS = ["in order", "shuffled", "repeated"]
every_size = pytest.mark.parametrize("n_units", SIZES)
every_state = pytest.mark.parametrize("states", STATES, ids=["binary", "spin"])


def order_of(kind, n_units):
    rng = np.random.default_rng(n_units)
    if kind == "in order":
        return np.arange(n_units)
    if kind == "shuffled":
        return rng.permutation(n_units)
    return rng.integers(n_units, size=n_units + 7)


def swept(oracle, rule, s, order, *, beta=1.0, free=None, first=0, dtype=np.float64, zero=None):
    """One call of the kernel: new states (chains, units), and how far each chain moved."""
    states = np.array(s.T, dtype, order="C")
    law = np.array([beta], dtype), beta * oracle.b.astype(dtype)[np.newaxis], *oracle.states
    if zero is not None:
        law = law[0], np.vstack([law[1], np.full(oracle.n, zero, dtype)]), *oracle.states
    held = np.zeros((0, 0), bool) if free is None else np.ascontiguousarray(free.T)
    moved = np.zeros(len(s), dtype)
    sweep(oracle.J.astype(dtype), law, rule, states, order, held, (*KEY, first), moved)
    return states.T, moved


def uniforms(n_chains, n_visits, first=0):
    return (draws.words(KEY, n_chains, n_visits, first) + 0.5) / 2**32


# Heat bath -----------------------------------------------------------------------------------


@every_state
@pytest.mark.parametrize("kind", ORDERS)
@every_size
def test_heat_bath_equals_the_plain_loop_on_the_same_numbers(n_units, kind, states):
    oracle = random_pairwise(n_units, states, seed=n_units)
    order = order_of(kind, n_units)
    dtype = BOTH[n_units % 2]
    for n_chains in (1, 3):
        assert_equals_the_plain_loop(
            lambda s, visits, T=dtype: swept(oracle, HEAT_BATH, s, visits, dtype=T)[0],
            oracle,
            rows_of(oracle, n_chains),
            order,
            uniforms(n_chains, len(order)),
        )


@every_state
@pytest.mark.parametrize("beta", [0.3, 2.5])
def test_heat_bath_at_another_temperature(beta, states):
    oracle = random_pairwise(70, states)
    assert_equals_the_plain_loop(
        lambda s, order: swept(oracle, HEAT_BATH, s, order, beta=beta)[0],
        oracle,
        rows_of(oracle, 2),
        order_of("repeated", 70),
        uniforms(2, 77),
        beta=beta,
    )


@pytest.mark.parametrize("kind", ORDERS)
def test_couplings_need_not_be_symmetric(kind):
    """Row i of J is what acts on unit i."""
    rng = np.random.default_rng(3)
    J = rng.normal(size=(66, 66)) / 8
    np.fill_diagonal(J, 0)
    oracle = OraclePairwise(J, rng.normal(size=66), SPIN)
    order = order_of(kind, 66)
    assert_equals_the_plain_loop(
        lambda s, visits: swept(oracle, HEAT_BATH, s, visits)[0],
        oracle,
        rows_of(oracle, 2),
        order,
        uniforms(2, len(order)),
    )


@every_state
@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize("n_units", [5, 66])
def test_what_is_not_free_stays_bit_for_bit_and_the_rest_feels_it(n_units, kind, states):
    """Other units are held in every chain, at values that no unit draws; one chain is held altogether."""
    oracle = random_pairwise(n_units, states, seed=1)
    order, s = order_of(kind, n_units), rows_of(oracle, 4)
    free = np.random.default_rng(2).random(s.shape) < [[0.2], [0.8], [1.0], [0.0]]
    s[~free] += 0.3
    new = swept(oracle, HEAT_BATH, s, order, free=free)[0]
    assert new[~free].tobytes() == s[~free].tobytes()
    u, given = uniforms(4, len(order)), np.where(free, np.nan, s)
    for row in range(4):
        expected = pairwise_sweeps.heat_bath_sweep(oracle, s[row], order, u[row], given=given[row])
        np.testing.assert_array_equal(new[row], expected)


@every_state
@pytest.mark.parametrize("dtype", BOTH)
def test_groups_of_chains_have_their_own_gains_and_biases(states, dtype):
    """As replicas in tempering have; chain c draws the numbers of its place among all."""
    oracle = random_pairwise(66, states, seed=4)
    gains, other = [1.0, 0.4, 0.0], np.random.default_rng(5).normal(size=(3, 66))
    s, order = rows_of(oracle, 6), order_of("shuffled", 66)
    states_, moved = np.array(s.T, dtype, order="C"), np.zeros(6, dtype)
    law = np.array(gains, dtype), other.astype(dtype), *oracle.states
    nothing = np.zeros((0, 0), bool)
    sweep(oracle.J.astype(dtype), law, HEAT_BATH, states_, order, nothing, (*KEY, 0), moved)
    for g, gain in enumerate(gains):
        rows = slice(2 * g, 2 * g + 2)
        alone = replace(oracle, J=gain * oracle.J, b=other[g])
        assert_equals_the_plain_loop(
            lambda s, order, rows=rows: states_.T[rows],
            alone,
            s[rows],
            order,
            uniforms(2, 66, 2 * g),
        )
        again = swept(alone, HEAT_BATH, s[rows], order, first=2 * g, dtype=dtype)[0]
        np.testing.assert_array_equal(again, states_.T[rows])


@pytest.mark.parametrize("first", [0, 3, 2**31 + 5, 2**40])
def test_the_numbers_belong_to_the_chain_and_not_to_its_place_in_the_call(first):
    oracle, s = random_pairwise(65, BINARY), rows_of(random_pairwise(65, BINARY), 5)
    order = order_of("in order", 65)
    whole = swept(oracle, HEAT_BATH, s, order, first=first)[0]
    parts = [swept(oracle, HEAT_BATH, s[i : i + 1], order, first=first + i)[0] for i in range(5)]
    np.testing.assert_array_equal(whole, np.vstack(parts))
    u = uniforms(5, 65, first)
    expected = pairwise_sweeps.heat_bath_sweep(oracle, s[4], order, u[4])
    np.testing.assert_array_equal(whole[4], expected)


def test_moves_are_counted_chain_by_chain():
    """The changes of all visits in absolute value: a unit that flips twice counts twice."""
    oracle, s = random_pairwise(9, SPIN), rows_of(random_pairwise(9, SPIN), 3)
    order = order_of("repeated", 9)
    _, moved = swept(oracle, HEAT_BATH, s, order)
    u = uniforms(3, len(order))
    for row in range(3):
        now, total = s[row], 0.0
        for visit, i in enumerate(order):
            new = pairwise_sweeps.heat_bath_sweep(oracle, now, [i], u[row, visit : visit + 1])
            total += np.abs(new - now).sum()
            now = new
        assert moved[row] == total


@pytest.mark.parametrize("rule", [HEAT_BATH, THRESHOLD, MEAN])
def test_no_visits_change_nothing(rule):
    oracle = random_pairwise(4, SPIN)
    s = rows_of(oracle, 3)
    new, moved = swept(oracle, rule, s, np.arange(0))
    np.testing.assert_array_equal(new, s)
    assert not moved.any()
    new, _ = swept(oracle, rule, s[:0], np.arange(4))
    assert new.shape == (0, 4)


# Zero temperature ----------------------------------------------------------------------------


@every_state
@pytest.mark.parametrize("kind", ORDERS)
@every_size
def test_threshold_equals_the_plain_loop(n_units, kind, states):
    oracle = random_pairwise(n_units, states, seed=n_units)
    s, order = rows_of(oracle, 3), order_of(kind, n_units)
    new, _ = swept(oracle, THRESHOLD, s, order, dtype=BOTH[n_units % 2])
    np.testing.assert_array_equal(new, [pairwise.threshold(oracle, row, order) for row in s])


@every_state
def test_a_field_of_zero_keeps_the_state(states):
    """Whatever it is: either of the two, or something in between."""
    oracle = OraclePairwise(np.zeros((3, 3)), np.zeros(3), states)
    s = np.array([[states[0], states[1], 0.25]])
    new, moved = swept(oracle, THRESHOLD, s, np.arange(3))
    assert new.tobytes() == s.tobytes() and not moved.any()


@pytest.mark.parametrize(("bias", "expected"), [(0.1, 1), (-0.1, 1), (0.3, 1), (-0.3, -1)])
def test_a_field_within_rounding_of_zero_keeps_the_state(bias, expected):
    oracle = OraclePairwise(np.zeros((1, 1)), np.array([bias]), SPIN)
    new, _ = swept(oracle, THRESHOLD, np.ones((1, 1)), np.arange(1), zero=0.2)
    assert new == expected


@every_state
@pytest.mark.parametrize("kind", ORDERS)
def test_energies_never_rise_at_zero_temperature(kind, states):
    """Visit by visit, also where fields vanish: the couplings are -1, 0 and 1."""
    rng = np.random.default_rng(6)
    for seed in range(20):
        oracle = random_pairwise(9, states, seed=seed)
        whole = replace(oracle, J=np.sign(oracle.J) * (np.abs(oracle.J) > 0.2), b=0 * oracle.b)
        model = (oracle, whole)[seed % 2]
        s, order = rng.choice(states, size=(2, 9)), order_of(kind, 9)
        before = [pairwise.energy(model, row) for row in s]
        for visit in order:
            s, _ = swept(model, THRESHOLD, s, np.array([visit]))
            after = [pairwise.energy(model, row) for row in s]
            assert np.all(np.subtract(after, before) <= 1e-12)
            before = after


# Means ---------------------------------------------------------------------------------------


@every_state
@pytest.mark.parametrize("kind", ORDERS)
@every_size
def test_means_equal_the_plain_loop(n_units, kind, states):
    oracle = random_pairwise(n_units, states, seed=n_units)
    m = np.random.default_rng(7).uniform(*states, size=(2, n_units))
    order, dtype = order_of(kind, n_units), BOTH[n_units % 2]
    new, _ = swept(oracle, MEAN, m, order, beta=0.7, dtype=dtype)
    expected = [pairwise_sweeps.mean_field_sweep(oracle, row, order, 0.7) for row in m]
    np.testing.assert_allclose(new, expected, rtol=0, atol=200 * np.finfo(dtype).eps)


@every_state
@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_the_variational_free_energy_never_rises_visit_by_visit(beta, states):
    oracle = random_pairwise(7, states, seed=8, scale=3.0)
    m = np.random.default_rng(9).uniform(*states, size=(1, 7))
    before = pairwise_sweeps.variational_free_energy(oracle, m[0], beta)
    falls = []
    for visit in np.tile(np.arange(7), 5):
        m, _ = swept(oracle, MEAN, m, np.array([visit]), beta=beta)
        after = pairwise_sweeps.variational_free_energy(oracle, m[0], beta)
        falls.append(before - after)
        before = after
    assert min(falls) >= -1e-12 and max(falls) > 0.01
