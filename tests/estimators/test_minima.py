"""minima() of Boltzmann machines and Hopfield networks, beside a look at every state and path."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from ebm import BoltzmannMachine, HopfieldNetwork, Perceptron, lattice
from tests.models.pairwise import NAMES, STATES
from tests.oracles import minima as oracle_minima
from tests.oracles import pairwise
from tests.oracles.pairwise import BINARY, SPIN, OraclePairwise, random_pairwise

MODELS = ["random", "glass", "magnet", "independent"]


def oracle_of(kind, states, n=7):
    model, rng = random_pairwise(n, states, seed=3, scale=3.0), np.random.default_rng(1)
    if kind == "glass":
        J = np.triu(rng.choice([-1.0, 0.0, 1.0], (n, n)), 1)
        return OraclePairwise(J + J.T, np.zeros(n), states)
    if kind == "magnet":
        return OraclePairwise(lattice(n), np.full(n, -1.0 if states == BINARY else 0.0), states)
    if kind == "independent":
        return OraclePairwise(np.zeros((n, n)), model.b, states)
    return model


def machine(oracle, form=np.array):
    unit = NAMES[oracle.states]
    found = BoltzmannMachine.from_couplings(form(oracle.J), oracle.b, unit=unit)
    return found.set_params(random_state=0)


@pytest.mark.parametrize("states", STATES, ids=["binary", "spin"])
@pytest.mark.parametrize("kind", MODELS)
def test_all_minima_basins_and_barriers_are_those_of_every_state_and_path(kind, states):
    oracle = oracle_of(kind, states)
    found = machine(oracle).minima()
    codes = pairwise.state_index(oracle, found.states).tolist()
    assert found.is_complete and not found.basin_errors.any()
    assert dict(zip(codes, found.counts.tolist(), strict=True)) == oracle_minima.basins(oracle)
    np.testing.assert_array_equal(found.basins, found.counts / 2**7)
    energies = np.array([pairwise.energy(oracle, s) for s in found.states])
    np.testing.assert_allclose(found.energies, energies, atol=1e-12)
    assert (np.diff(found.energies) >= 0).all()
    passes = oracle_minima.passes(oracle)[np.ix_(codes, codes)]
    np.testing.assert_allclose(found.barriers, passes - energies[:, np.newaxis], atol=1e-12)


def test_the_two_states_of_a_ring_and_the_walls_between():
    """Eight spins: all alike have -8, and to get from one to the other two walls of 2 each have to be made."""
    found = machine(OraclePairwise(lattice(8), np.zeros(8), SPIN)).minima()
    np.testing.assert_array_equal(found.energies[:2], [-8, -8])
    assert abs(found.states[:2].sum(axis=1)).tolist() == [8, 8] and found.barriers[0, 1] == 4


@pytest.mark.parametrize("form", [np.array, sp.csr_array])
def test_random_starts_find_the_same_minima_and_basins_within_their_errors(form):
    oracle = oracle_of("random", SPIN, 12)
    whole, some = machine(oracle).minima(), machine(oracle, form).minima(4000, random_state=1)
    assert some.counts.sum() == 4000 and some.barriers is None and not some.is_complete
    places = {tuple(s): k for k, s in enumerate(whole.states)}
    here = [places[tuple(s)] for s in some.states]
    share = whole.basins[here]
    error = np.sqrt(share * (1 - share) / 4000)
    assert (np.abs(some.basins - share) < 5 * error).all()
    np.testing.assert_allclose(
        some.basin_errors, np.sqrt(some.basins * (1 - some.basins) / 4000), rtol=1e-12
    )
    assert set(np.flatnonzero(whole.basins > 0.01)) <= set(here)


def test_lists_and_rows_descend_alike_and_large_models_are_sampled():
    J = lattice((10, 10)) / 2
    found, again = (
        machine(OraclePairwise(J, np.zeros(100), SPIN), f).minima()
        for f in (np.array, sp.csr_array)
    )
    for a, b in zip(found[:4], again[:4], strict=True):
        np.testing.assert_array_equal(a, b)
    assert found.counts.sum() == 1000
    fields = found.states @ J
    assert (found.states * fields >= 0).all()


def test_hidden_units_belong_to_the_states():
    J = np.array([[0, 0, 1.0], [0, 0, 1.0], [1.0, 1.0, 0]])
    found = BoltzmannMachine.from_couplings(J, n_hidden=1).minima()
    assert found.states.shape[1] == 3 and found.energies[0] == -2


@pytest.mark.parametrize("convention", [0, -1])
def test_a_network_has_its_patterns_as_minima(convention):
    P = np.where(np.random.default_rng(0).random((2, 14)) < 0.5, convention, 1)
    network = HopfieldNetwork("pseudo_inverse", random_state=0).fit(P)
    found = network.minima()
    assert found.is_complete and set(np.unique(found.states)) == {convention, 1}
    kept = {tuple(s) for s in found.states}
    assert all(tuple(p) in kept for p in P)
    np.testing.assert_allclose(network.energy(found.states), found.energies)
    np.testing.assert_array_equal(network.predict(found.states), found.states)


def test_the_same_call_gives_the_same_minima():
    P = np.random.default_rng(0).choice([-1, 1], (3, 40))
    network = HopfieldNetwork(random_state=0).fit(P)
    a, b = network.minima(50), network.minima(50)
    np.testing.assert_array_equal(a.states, b.states)
    assert len(network.minima(50, random_state=1).counts) and a.counts.sum() == 50


def test_without_symmetry_there_are_no_minima_and_the_cure_works():
    P = np.random.default_rng(0).choice([-1, 1], (3, 14))
    with pytest.raises(ValueError, match=r"Perceptron\(symmetric=True\)"):
        HopfieldNetwork("perceptron").fit(P).minima()
    assert HopfieldNetwork(Perceptron(symmetric=True)).fit(P).minima().is_complete


@pytest.mark.parametrize("n_starts", [0, -1, 1.5, "many"])
def test_impossible_counts_of_starts_are_refused(n_starts):
    with pytest.raises(ValueError, match="n_starts"):
        machine(oracle_of("glass", SPIN)).minima(n_starts)
