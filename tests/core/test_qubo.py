"""A QUBO and the energy of a pairwise model are the same function, state by state."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from ebm import BoltzmannMachine, lattice
from ebm.energies.qubo import from_qubo, to_qubo
from ebm.units import Bernoulli

STATES = np.array(list(itertools.product([0.0, 1.0], repeat=5)))
FULL = np.random.default_rng(0).normal(size=(5, 5))
FORMS = {
    "any square matrix": FULL,
    "upper triangle": np.triu(FULL),
    "lower triangle": np.tril(FULL),
    "symmetric": FULL + FULL.T,
    "integers": np.arange(25).reshape(5, 5) - 12,
    "float32": FULL.astype(np.float32),
    "lists": FULL.tolist(),
}


def value(Q, x):
    """x'Qx, by its definition."""
    return sum(Q[i][j] * x[i] * x[j] for i in range(len(x)) for j in range(len(x)))


@pytest.mark.parametrize("name", FORMS)
def test_energy_of_bits_is_the_quadratic_form(name):
    Q = FORMS[name]
    machine = BoltzmannMachine.from_qubo(Q)
    expected = [value(Q, x) for x in STATES]
    assert_allclose(machine.energy(STATES), expected, rtol=0, atol=1e-5)
    back, offset = machine.to_qubo()
    assert offset == 0
    assert_array_equal(np.tril(back, -1), 0)
    assert_allclose([value(back, x) for x in STATES], expected, rtol=0, atol=1e-5)


def test_containers_hold_the_same_problem():
    Q = np.triu(FULL) * (np.abs(FULL) > 0.5)
    entries = {(int(i), int(j)): Q[i, j] for i, j in np.argwhere(Q)} | {(4, 4): Q[4, 4]}
    J, bias = from_qubo(Q)
    for other in (sparse.csr_array(Q), sparse.coo_matrix(Q), entries):
        machine = BoltzmannMachine.from_qubo(other)
        assert_array_equal(machine.couplings_, J)
        assert_array_equal(machine.intercept_, bias)


def test_couplings_of_a_large_sparse_problem_stay_sparse():
    Q = sparse.triu(sparse.csr_array(lattice((10, 10)))) + sparse.eye_array(100)
    machine = BoltzmannMachine.from_qubo(Q)
    assert sparse.issparse(machine.couplings_)
    back, offset = machine.to_qubo()
    assert sparse.issparse(back) and offset == 0
    assert_array_equal(back.toarray(), Q.toarray())


@pytest.mark.parametrize("n_hidden", [0, 2])
def test_energy_of_spins_is_that_of_bits_and_an_offset(n_hidden):
    r = np.random.default_rng(1)
    J = np.triu(r.normal(size=(5, 5)), 1)
    b = r.normal(size=5)
    machine = BoltzmannMachine.from_couplings(J + J.T, b, unit="spin", n_hidden=n_hidden)
    Q, offset = machine.to_qubo()
    spins = 2 * STATES - 1
    expected = [-value(J, s) - b @ s for s in spins]
    assert_allclose([value(Q, x) + offset for x in STATES], expected, rtol=0, atol=1e-12)


def test_signs_of_annealers_as_the_guide_says():
    r = np.random.default_rng(2)
    J, h = np.triu(r.normal(size=(5, 5)), 1), r.normal(size=5)
    machine = BoltzmannMachine.from_couplings(-(J + J.T), -h, unit="spin")
    spins = 2 * STATES - 1
    assert_allclose(machine.energy(spins), [h @ s + value(J, s) for s in spins], rtol=0, atol=1e-12)


def test_annealing_finds_the_minimum():
    machine = BoltzmannMachine.from_qubo(FULL).set_params(random_state=0)
    assert_allclose(machine.anneal(5).energies.min(), min(value(FULL, x) for x in STATES))


@pytest.mark.parametrize(
    ("Q", "message"),
    [
        (np.zeros((2, 3)), r"shape \(n_units, n_units\)"),
        (np.zeros(3), r"shape \(n_units, n_units\)"),
        ({}, r"shape \(n_units, n_units\)"),
        ([[np.nan]], "NaN"),
        ([["a"]], "array of numbers"),
        ({("a", "b"): 1.0}, "pairs of unit numbers"),
        ({(0, -1): 1.0}, "pairs of unit numbers"),
        ({0: 1.0}, "pairs of unit numbers"),
    ],
)
def test_no_problem(Q, message):
    with pytest.raises(ValueError, match=message):
        BoltzmannMachine.from_qubo(Q)


def test_input_is_not_modified():
    Q = FULL.copy()
    to_qubo(Bernoulli(), from_qubo(Q))
    assert_array_equal(Q, FULL)
