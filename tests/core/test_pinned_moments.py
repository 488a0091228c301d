"""Moments of sparse pairwise models: by elimination, with each unit held in either state."""

from __future__ import annotations

import numpy as np
import pytest

from ebm import BoltzmannMachine, lattice
from ebm.energies.conversions import as_binary
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import pairwise_moments
from ebm.units import UNITS


def glass(unit, scale, shape=(3, 5), seed=0):
    rng = np.random.default_rng(seed)
    bonds = np.asarray(lattice(shape, periodic=False), float)
    J = np.triu(scale * bonds * rng.normal(size=bonds.shape), 1)
    params = PairwiseParameters(J + J.T, rng.normal(size=len(J)))
    return params if unit == "spin" else as_binary(params)


@pytest.mark.needs_jit
@pytest.mark.parametrize("unit", ["spin", "bernoulli"])
@pytest.mark.parametrize("scale", [0.0, 0.5, 5.0])
@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_moments_by_elimination_are_those_of_all_states(unit, scale, beta, monkeypatch):
    model, params = Pairwise(UNITS[unit]()), glass(unit, scale)
    expected = pairwise_moments(model, params, beta=beta)
    monkeypatch.setattr("ebm.energies.pairwise_sums.MAX_ENUMERATED", 0)
    found = pairwise_moments(model, params, beta=beta)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found.correlations, found.correlations.T)


def test_correlations_along_a_chain():
    """tanh(J) to the power of the distance, without fields."""
    J, n = 0.6, 80
    machine = BoltzmannMachine.from_couplings(J * lattice((n,), periodic=False))
    found = machine.moments(n_samples=10)
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    np.testing.assert_allclose(found.covariance, np.tanh(J) ** apart, rtol=0, atol=1e-12)
    assert not any(error.any() for error in found.standard_error)


def test_dense_couplings_of_many_units_take_chains():
    J = 0.02 * (np.ones((40, 40)) - np.eye(40))
    machine = BoltzmannMachine.from_couplings(J).set_params(random_state=0)
    assert machine.moments(n_samples=50, n_steps=2).standard_error[0].all()
