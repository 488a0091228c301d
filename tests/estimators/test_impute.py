"""impute of every machine: exact, or with an error, or with a warning."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from ebm import BernoulliRBM, BoltzmannMachine, lattice
from tests.estimators.gaps import BITS, MACHINES, holes

every_machine = pytest.mark.parametrize("name", MACHINES)


@every_machine
def test_small_machines_are_exact(name):
    """Without an error, whatever the seed and the number of steps; alone as among others; known entries bit for bit."""
    machine, X = MACHINES[name]
    machine.fit(X)
    gaps = holes(X)
    filled, error = machine.impute(gaps, return_std=True)
    assert not error.any() and np.isfinite(filled).all() and filled.dtype == X.dtype
    known = ~np.isnan(gaps)
    assert filled[known].tobytes() == gaps[known].tobytes()
    np.testing.assert_array_equal(machine.impute(gaps, n_steps=1), filled)
    np.testing.assert_allclose(machine.impute(gaps[3:4])[0], filled[3], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "name", ["bits", "spins", "spins and bits", "bits and real units", "pairs with hidden units"]
)
def test_values_are_averages_over_completions(name):
    machine, X = MACHINES[name]
    machine.fit(X)
    gaps = holes(X)[:6]
    for row, filled in zip(gaps, machine.impute(gaps), strict=True):
        unknown = np.isnan(row)
        choices = itertools.product(np.unique(X), repeat=int(unknown.sum()))
        whole = np.repeat(row[np.newaxis], 2 ** int(unknown.sum()), axis=0)
        whole[:, unknown] = list(choices)
        p = np.exp(machine.log_likelihood(whole))
        np.testing.assert_allclose(filled, p @ whole / p.sum(), rtol=0, atol=1e-10)


def test_two_strong_and_one_weak_coupling():
    J = np.array([[0, 3, 0.3], [3, 0, 0.3], [0.3, 0.3, 0]])
    for seed in range(4):
        machine = BoltzmannMachine.from_couplings(J).set_params(random_state=seed)
        filled = machine.impute([[np.nan, np.nan, 1.0]])
        up = np.exp(3 + 0.6), np.exp(3 - 0.6), 2 * np.exp(-3)
        expected = (up[0] - up[1]) / sum(up)
        np.testing.assert_allclose(filled[0], [expected, expected, 1], rtol=0, atol=1e-12)


def test_large_machines_have_errors():
    machine = BernoulliRBM(30, n_iter=1, random_state=0).fit(np.repeat(BITS, 5, axis=1))
    gaps = holes(np.repeat(BITS, 5, axis=1), 0.95)[:5]
    filled, error = machine.impute(gaps, n_steps=50, return_std=True)
    known = ~np.isnan(gaps)
    assert not error[known].any() and (error[~known] > 0).all() and error.max() < 0.2
    np.testing.assert_array_equal(machine.impute(gaps, n_steps=50), filled)


def test_a_magnet_of_two_minds_is_named_and_can_be_cured():
    """Above the limit of the sums: the rows are counted; what the warning advises helps where anything does."""
    frozen = BoltzmannMachine.from_couplings(np.full((40, 40), 0.1) - 0.1 * np.eye(40))
    row = np.full((3, 40), np.nan)
    row[2] = 1.0
    with pytest.warns(
        ConvergenceWarning, match=r"In 2 of 3 rows.*do not agree.*after 160 steps.*n_steps=1600"
    ) as seen:
        filled, error = frozen.impute(row, n_steps=40, return_std=True)
    assert len(seen) == 1
    assert (error[:2] > 0.2).all() and not error[2].any()
    cool = BoltzmannMachine.from_couplings(np.full((40, 40), 0.026) - 0.026 * np.eye(40))
    cool.set_params(random_state=0)
    with pytest.warns(ConvergenceWarning, match="n_steps=160"):
        cool.impute(row, n_steps=4)
    filled, error = cool.impute(row, n_steps=160, return_std=True)
    assert (np.abs(filled[:2]) < 5 * error[:2] + 0.02).all()


def test_sparse_couplings_are_exact_at_any_size():
    magnet = BoltzmannMachine.from_couplings(lattice((12, 12), periodic=False))
    row = np.full((1, 144), np.nan)
    row[0, :12] = 1.0
    filled, error = magnet.impute(row, return_std=True)
    assert not error.any()
    assert (filled > 0.9).all() and (np.diff(filled[0, 5::12]) <= 1e-12).all()
