"""Free energies and log-likelihoods of rows with unknown entries: sums over all completions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import sparse

from ebm import RBM, BernoulliRBM, BoltzmannMachine, GaussianRBM
from tests.estimators.gaps import MACHINES, holes
from tests.estimators.machines import rows

COUNTED = [
    "bits",
    "spins",
    "spins and bits",
    "bits and real units",
    "pairs",
    "pairs with hidden units",
]


def completions(X, row):
    unknown = np.isnan(row)
    n = int(unknown.sum())
    whole = np.repeat(row[np.newaxis], 2**n, axis=0)
    whole[:, unknown] = list(itertools.product(np.unique(X), repeat=n))
    return whole


@pytest.mark.parametrize("beta", [1.0, 0.5])
@pytest.mark.parametrize("name", COUNTED)
def test_what_is_known_has_the_probability_of_all_completions(name, beta):
    machine, X = MACHINES[name]
    machine.fit(X)
    gaps = holes(X)[:5]
    values, errors = machine.log_likelihood(gaps, beta=beta, return_std=True)
    whole = [completions(X, row) for row in gaps]
    expected = [np.logaddexp.reduce(machine.log_likelihood(v, beta=beta)) for v in whole]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-10)
    assert not errors.any()
    free = [-np.logaddexp.reduce(-beta * machine.free_energy(v, beta)) / beta for v in whole]
    np.testing.assert_allclose(machine.free_energy(gaps, beta), free, rtol=0, atol=1e-10)
    nothing = np.full((1, X.shape[1]), np.nan)
    assert machine.log_likelihood(nothing)[0] == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("name", ["real", "two real layers"])
def test_real_units_are_integrated_out(name):
    machine, X = MACHINES[name]
    machine.fit(X[:, :2])
    row = np.array([[0.3, np.nan]])
    x = np.linspace(-15, 15, 1501)  # sums are as good as integrals for smooth densities
    total = (
        np.exp(machine.log_likelihood(np.stack([np.full(x.shape, 0.3), x], axis=1))).sum() * 0.02
    )
    assert machine.log_likelihood(row)[0] == pytest.approx(np.log(total), abs=1e-6)
    assert machine.log_likelihood([[np.nan, np.nan]])[0] == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("name", COUNTED)
def test_complete_rows_beside_incomplete_ones_keep_their_values(name):
    machine, X = MACHINES[name]
    machine.fit(X)
    both = np.vstack([holes(X)[:2], X[:3]])
    np.testing.assert_allclose(
        machine.log_likelihood(both)[2:], machine.log_likelihood(X[:3]), atol=1e-11
    )
    np.testing.assert_allclose(
        machine.free_energy(both)[2:], machine.free_energy(X[:3]), atol=1e-11
    )


def test_sparse_rows_may_have_gaps():
    machine, X = MACHINES["bits"]
    machine.fit(X)
    gaps = holes(X)[:4]
    found = machine.log_likelihood(sparse.csr_matrix(gaps))
    np.testing.assert_allclose(found, machine.log_likelihood(gaps), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["bits", "real", "pairs"])
def test_too_many_unknown_units_are_estimated_with_an_error(kind, monkeypatch):
    """The limit is lowered, so that the sums are known."""
    X = rows("gaussian" if kind == "real" else "bernoulli")
    machine = {
        "bits": BernoulliRBM(4, random_state=0, learning_rate=0.5),
        "real": GaussianRBM(3, random_state=0),
        "pairs": BoltzmannMachine(2, random_state=0),
    }[kind].fit(X)
    gaps = holes(X)[5:8]
    exact = machine.log_likelihood(gaps)
    monkeypatch.setattr("ebm.likelihood.incomplete.MAX_WORK", -1.0)
    values, errors = machine.log_likelihood(gaps, "ais", return_std=True)
    assert (errors > 0).all() and errors.max() < 0.3
    assert (np.abs(values - exact) < 5 * errors).all()
    np.testing.assert_allclose(machine.log_likelihood(gaps), exact, rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match=r"3 rows .* log_likelihood\(X, return_std=True\)"):
        machine.free_energy(gaps)


def test_other_methods_take_complete_rows():
    machine, X = MACHINES["bits"]
    machine.fit(X)
    for method in ("pseudo", "raise"):
        with pytest.raises(ValueError, match=r"complete rows.*method='auto'"):
            machine.log_likelihood(holes(X), method)
    with pytest.raises(ValueError, match="NaN"):
        machine.score_samples(holes(X))


def test_categories_are_summed_as_groups():
    machine, X = MACHINES["groups"]
    machine.fit(X)
    row = X[:1].copy()
    row[0, -3:] = np.nan
    whole = np.repeat(row, 3, axis=0)
    whole[:, -3:] = np.eye(3)
    expected = np.logaddexp.reduce(machine.free_energy(whole) * -1)
    assert -machine.free_energy(row)[0] == pytest.approx(expected, abs=1e-10)
    assert isinstance(machine, RBM)
