"""BoltzmannMachine.anneal: temperatures that follow the couplings, starts, quality."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from ebm import BoltzmannMachine, lattice
from ebm.samplers.simulated_annealing import temperature_range

KINDS = ["glass", "magnet", "field", "qubo", "one strong pair"]


def problem(kind):
    """Couplings, biases and unit."""
    rng, J = np.random.default_rng(0), lattice((4, 4, 4))
    b = np.zeros(64)
    if kind == "glass":
        J = np.triu(J * rng.choice([-1.0, 1.0], J.shape))
        J = J + J.T
    if kind == "field":
        b = rng.normal(size=64)
    if kind == "one strong pair":
        J[0, 1] = J[1, 0] = 30.0
    if kind == "qubo":
        J = np.triu(rng.normal(size=(64, 64)), 1)
        return J + J.T, 3 * rng.normal(size=64), "bernoulli"
    return J, b, "spin"


def machine(J, b, unit):
    found = BoltzmannMachine.from_couplings(J, b, unit=unit)
    return found.set_params(random_state=0)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 10.0, 1e9])
@pytest.mark.parametrize("kind", KINDS)
def test_the_unit_of_energy_does_not_matter(kind, scale):
    J, b, unit = problem(kind)
    found = machine(J, b, unit).anneal(20, n_steps=50).energies
    scaled = machine(scale * J, scale * b, unit).anneal(20, n_steps=50).energies / scale
    assert abs(scaled.mean() - found.mean()) < 0.02 * abs(found.mean())


def test_the_range_of_a_glass_by_hand():
    """Six neighbours of +-1: a flip costs at most 12, and a typical one 2 sqrt(6)."""
    for scale in (1.0, 7.0, 1e-150, 1e300):
        J, b, _ = problem("glass")
        m = machine(scale * J, b, "spin")
        hot, cold = temperature_range(m._model(), m._params())
        assert hot == pytest.approx(np.log(2) / (12 * scale))
        assert cold == pytest.approx(np.log(100) / (0.25 * 2 * np.sqrt(6) * scale))


@pytest.mark.parametrize("form", [np.array, sp.csr_array])
def test_bits_freeze_where_the_spins_that_they_stand_for_do(form):
    J, b, _ = problem("field")
    spins = machine(form(J), b, "spin")
    bits = machine(form(4 * J), 2 * b - 2 * J.sum(axis=1), "bernoulli")
    for a, c in zip(
        *(temperature_range(m._model(), m._params()) for m in (spins, bits)), strict=True
    ):
        assert a == pytest.approx(c)


def test_without_couplings_nothing_freezes_and_nothing_fails():
    m = machine(np.zeros((5, 5)), np.zeros(5), "spin")
    assert (m.anneal(3, n_steps=5).energies == 0).all()


def test_a_start_that_is_kept_cold_is_only_improved():
    J, b, unit = problem("glass")
    m = machine(J, b, unit)
    start = m.sample(6, n_steps=3)
    found = m.anneal(6, n_steps=5, betas=(20.0, 100.0), start=start)
    assert (found.energies <= m.energy(start).max()).all()
    assert np.abs(found.s[:, np.newaxis] - start).sum(axis=2).min(axis=1).max() < 64
    best = m.anneal(20, n_steps=200).s[0]
    again = m.anneal(3, n_steps=5, betas=(50.0, 100.0), start=best)
    assert m.energy(best[np.newaxis])[0] == pytest.approx(again.energies[0])


@pytest.mark.parametrize("start", [np.ones(63), np.full(64, np.nan), np.ones((3, 64))])
def test_impossible_starts_are_refused(start):
    with pytest.raises(ValueError, match="start"):
        machine(*problem("glass")).anneal(2, start=start)


def test_hidden_units_follow_a_start():
    J = np.array([[0, 0, 5.0], [0, 0, 5.0], [5.0, 5.0, 0]])
    m = BoltzmannMachine.from_couplings(J, n_hidden=1).set_params(random_state=0)
    found = m.anneal(4, n_steps=3, betas=(5.0, 9.0), start=[-1.0, -1.0]).s
    np.testing.assert_array_equal(found, -np.ones((4, 3)))


def test_the_walls_of_a_ring_meet():
    """Flips in the order of the units would push them along: -0.67 a spin, whatever the number of sweeps."""
    ring = machine(lattice(2000), np.zeros(2000), "spin")
    assert ring.anneal(10, n_steps=20).energies.mean() / 2000 < -0.86


def test_the_mean_energy_of_a_sparse_glass():
    """12 x 12 x 12, 100 sweeps: dwave-samplers reaches -1.736 a spin, with a standard error of 0.002."""
    rng = np.random.default_rng(0)
    J = np.triu(lattice((12, 12, 12)) * rng.choice([-1.0, 1], (1728, 1728)))
    m = machine(sp.csr_array(J + J.T), np.zeros(1728), "spin")
    assert m.anneal(20, n_steps=100).energies.mean() / 1728 < -1.732
