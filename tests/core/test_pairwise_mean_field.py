"""ebm.inference of pairwise models: the nearest product law, and where hidden means are exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ebm.energies.pairwise import Pairwise
from ebm.inference import hidden_means as module
from ebm.inference.hidden_means import completed, conditional_means, hidden_means
from ebm.inference.pairwise_mean_field import (
    mean_field_log_sums,
    pairwise_mean_field,
    variational_free_energy,
)
from tests.models.pairwise import STATES, rows_of, spelled
from tests.oracles import pairwise, pairwise_sweeps
from tests.oracles.pairwise import random_pairwise

every_state = pytest.mark.parametrize("states", STATES, ids=["binary", "spin"])
every_beta = pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])


def solved(oracle, m, units, beta=1.0, dtype=np.float64, **settings):
    model, params = spelled(oracle, dtype)
    settings = {"n_sweeps": 10_000, "tol": 1e-12, **settings}
    return pairwise_mean_field(model, params, m.astype(dtype), units, beta=beta, **settings)


def undecided(oracle, n_rows=1):
    return np.full((n_rows, oracle.n), sum(oracle.states) / 2)


@every_state
@every_beta
def test_the_bound_is_above_the_free_energy_and_nowhere_lower_nearby(beta, states):
    oracle = random_pairwise(6, states, seed=1, scale=2.0)
    model, params = spelled(oracle)
    found = solved(oracle, undecided(oracle), np.arange(6), beta)
    gamma = variational_free_energy(model, params, found.m, beta)
    assert gamma == pytest.approx(pairwise_sweeps.variational_free_energy(oracle, found.m[0], beta))
    assert gamma > -pairwise.log_partition(oracle, beta) / beta + 1e-3
    rng = np.random.default_rng(2)
    near = np.clip(found.m + 1e-3 * rng.normal(size=(200, 6)), *states)
    assert (variational_free_energy(model, params, near, beta) >= gamma).all()
    assert found.converged.all()


@every_state
@every_beta
def test_independent_units_have_their_exact_means_and_free_energy(beta, states):
    oracle = random_pairwise(5, states)
    oracle = replace(oracle, J=0 * oracle.J)
    model, params = spelled(oracle)
    found = solved(oracle, undecided(oracle), np.arange(5), beta)
    np.testing.assert_allclose(found.m[0], pairwise.means(oracle, beta), rtol=0, atol=1e-14)
    gamma = variational_free_energy(model, params, found.m, beta)
    assert gamma == pytest.approx(-pairwise.log_partition(oracle, beta) / beta, rel=1e-13)


@every_state
def test_the_entropy_of_decided_units_is_zero(states):
    oracle = random_pairwise(5, states)
    s = rows_of(oracle, 4)
    expected = [pairwise.energy(oracle, row) for row in s]
    np.testing.assert_allclose(variational_free_energy(*spelled(oracle), s), expected, rtol=1e-12)


@every_state
@every_beta
def test_units_that_are_not_named_keep_their_values(beta, states):
    oracle = random_pairwise(7, states, 3, seed=3, scale=2.0)
    start = np.hstack([rows_of(oracle, 4, 4), undecided(oracle, 4)[:, 4:]])
    found = solved(oracle, start, np.array([4, 5, 6]), beta)
    np.testing.assert_array_equal(found.m[:, :4], start[:, :4])
    again = [pairwise_sweeps.mean_field_sweep(oracle, row, (4, 5, 6), beta) for row in found.m]
    np.testing.assert_allclose(found.m, again, rtol=0, atol=1e-10)


@every_state
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_do_not_depend_on_those_beside_them(dtype, states):
    """They converge after different numbers of sweeps."""
    oracle = random_pairwise(14, states, 12, seed=4, scale=4.0)
    model, params = spelled(oracle, dtype)
    v = rows_of(oracle, 9, 2).astype(dtype)
    start = np.hstack([v, undecided(oracle, 9)[:, 2:].astype(dtype)])
    units = np.arange(2, 14)
    single = [pairwise_mean_field(model, params, row, units) for row in start[:, np.newaxis]]
    together = pairwise_mean_field(model, params, start, units)
    assert len({x.n_sweeps for x in single}) > 1
    assert together.n_sweeps == max(x.n_sweeps for x in single)
    assert together.m.dtype == dtype and together.converged.all()
    rounding = 50 * np.finfo(dtype).eps
    expected = np.vstack([x.m for x in single])
    np.testing.assert_allclose(together.m, expected, rtol=0, atol=rounding)
    both = hidden_means(model, params, v), hidden_means(model, params, v[3:5])
    np.testing.assert_allclose(both[0][3:5], both[1], rtol=0, atol=rounding)


def test_what_has_not_converged_says_so():
    oracle = random_pairwise(6, STATES[1], scale=4.0)
    start = undecided(oracle, 2)
    found = solved(oracle, start, np.arange(6), n_sweeps=2)
    assert found.n_sweeps == 2 and not found.converged.any()
    assert solved(oracle, start, np.arange(6), n_sweeps=0).n_sweeps == 0
    nothing = solved(oracle, start[:0], np.arange(6))
    assert nothing.m.shape == (0, 6) and nothing.n_sweeps == 0


@every_state
def test_the_start_is_not_modified(states):
    oracle = random_pairwise(5, states)
    start = undecided(oracle, 3)
    start.flags.writeable = False
    solved(oracle, start, np.arange(5))


@every_state
@every_beta
def test_lower_bounds_of_log_sums(beta, states):
    """Of units in fields of their own, row by row; exact without couplings."""
    oracle = random_pairwise(5, states, seed=6)
    fields = np.random.default_rng(3).normal(size=(3, 5))
    exact = [pairwise.log_partition(replace(oracle, b=b), beta) for b in fields]
    model = Pairwise(spelled(oracle)[0].unit)
    found = mean_field_log_sums(model, oracle.J, beta, fields)
    assert (found < exact).all() and (found > np.subtract(exact, 0.5)).all()
    apart = [pairwise.log_partition(replace(oracle, J=0 * oracle.J, b=b), beta) for b in fields]
    found = mean_field_log_sums(model, 0 * oracle.J, beta, fields)
    np.testing.assert_allclose(found, apart, rtol=1e-13)


# Hidden means --------------------------------------------------------------------------------


@every_state
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_beta
def test_few_hidden_units_have_exact_means(beta, dtype, states):
    oracle = random_pairwise(6, states, 3, seed=5)
    model, params = spelled(oracle, dtype)
    v = rows_of(oracle, 4, 3)
    found = hidden_means(model, params, v.astype(dtype), beta)
    assert found.dtype == dtype
    expected = [pairwise.hidden_means(oracle, row, beta) for row in v]
    np.testing.assert_allclose(found, expected, rtol=0, atol=20 * np.finfo(dtype).eps)


@every_state
def test_many_hidden_units_have_those_of_mean_field(monkeypatch, states):
    oracle = random_pairwise(6, states, 3, seed=5, scale=4.0)
    model, params = spelled(oracle)
    v = rows_of(oracle, 4, 3)
    exact = hidden_means(model, params, v)
    monkeypatch.setattr(module, "MAX_ENUMERATED_HIDDEN", 1)
    found = hidden_means(model, params, v)
    expected = [pairwise_sweeps.mean_field(oracle, row) for row in v]
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-4)
    assert np.abs(found - exact).max() > 1e-3
    np.testing.assert_array_equal(completed(model, params, v), np.hstack([v, found]))


@every_state
@every_beta
def test_conditional_means_are_those_given_all_others(beta, states):
    oracle = random_pairwise(4, states)
    rows, (low, high) = rows_of(oracle, 5), states
    found = conditional_means(*spelled(oracle), rows, beta)
    p = [[pairwise.conditional(oracle, s, i, beta) for i in range(4)] for s in rows]
    np.testing.assert_allclose(found, low + (high - low) * np.array(p), rtol=0, atol=1e-14)
