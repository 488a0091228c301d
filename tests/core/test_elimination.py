"""ebm.energies.elimination, kaufman and summation: exact sums of sparse models against other ways of summing."""

from __future__ import annotations

import numpy as np
import pytest

from ebm import BoltzmannMachine, lattice
from ebm.energies.elimination import eliminated_log_sums, eliminated_means, elimination
from ebm.energies.kaufman import as_torus, zero_field_log_partition
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import (
    is_summed_at_once,
    pairwise_free_energy,
    pairwise_log_partition,
)
from ebm.energies.summation import Enumeration, Limits, OneByOne, can_sum, summation
from ebm.units import Bernoulli, Spin
from tests.oracles import lattices, pairwise
from tests.oracles.pairwise import BINARY, SPIN, OraclePairwise, random_pairwise

UNITS = {BINARY: Bernoulli(), SPIN: Spin()}
every_state = pytest.mark.parametrize("states", [BINARY, SPIN])
every_beta = pytest.mark.parametrize("beta", [0.3, 1.0, 30.0])


def graphs():
    """Which pairs are joined, by name."""
    rng = np.random.default_rng(0)
    tree, shuffled = np.zeros((9, 9)), rng.permutation(9)
    for i in range(1, 9):
        tree[i, rng.integers(i)] = 1
    scattered = lattice((3, 3), periodic=False)[np.ix_(shuffled, shuffled)]
    apart = np.zeros((8, 8))
    apart[:4, :4] = apart[5:, 5:] = 1
    return {
        "tree": tree + tree.T,
        "ring": lattice(8),
        "square": lattice((3, 3), periodic=False),
        "scattered square": scattered,
        "torus": lattice((3, 3)),
        "two parts and a single unit": apart - np.diag(apart.diagonal()),
        "independent": np.zeros((5, 5)),
        "full": 1 - np.eye(6),
        "one unit": np.zeros((1, 1)),
    }


def machine(graph, states, seed=0):
    rng = np.random.default_rng(seed)
    joined = graphs()[graph]
    J = np.triu(joined * rng.normal(size=joined.shape), 1)
    return OraclePairwise(J + J.T, rng.normal(size=len(J)), states)


# Against enumeration of everything ------------------------------------------------------------


@every_beta
@every_state
@pytest.mark.parametrize("graph", graphs())
def test_log_sums_and_means_are_those_of_all_states(graph, states, beta):
    oracle = machine(graph, states)
    plan = elimination(oracle.J, 20)
    shifted = OraclePairwise(oracle.J, oracle.b + 0.5, states)
    fields = np.array([oracle.b, shifted.b])
    settings = plan, UNITS[states], oracle.J, beta, fields
    log_z = [pairwise.log_partition(x, beta) for x in (oracle, shifted)]
    np.testing.assert_allclose(eliminated_log_sums(*settings), log_z, rtol=1e-12, atol=1e-12)
    sums, means = eliminated_means(*settings)
    np.testing.assert_allclose(sums, log_z, rtol=1e-12, atol=1e-12)
    expected = [pairwise.means(x, beta) for x in (oracle, shifted)]
    np.testing.assert_allclose(means, expected, rtol=0, atol=1e-10)


@every_state
def test_rows_are_summed_in_shares(states, monkeypatch):
    monkeypatch.setattr("ebm.energies.elimination.HELD", 1 << 4)
    monkeypatch.setattr("ebm.energies.elimination.BLOCK_NUMBERS", 3)
    oracle = machine("torus", states)
    fields = oracle.b + np.random.default_rng(1).normal(size=(7, oracle.n))
    means = eliminated_means(elimination(oracle.J, 20), UNITS[states], oracle.J, 1.0, fields)[1]
    expected = [pairwise.means(OraclePairwise(oracle.J, f, states)) for f in fields]
    np.testing.assert_allclose(means, expected, rtol=0, atol=1e-12)


@every_state
def test_free_energies_of_chains_of_hidden_units(states):
    """More hidden units than are enumerated, each coupled to the next: and their means are slopes of F."""
    rng = np.random.default_rng(3)
    n = 60
    J = np.zeros((2 + n, 2 + n))
    J[:2, 2:] = rng.normal(size=(2, n))
    J[np.arange(2, 1 + n), np.arange(3, 2 + n)] = rng.normal(size=n - 1)
    J += J.T
    params = PairwiseParameters(J, rng.normal(size=2 + n))
    model, v = Pairwise(UNITS[states], n), np.array([[states[0], states[1]]])
    fields = params.bias[2:] + v @ J[:2, 2:]
    expected = lattices.strip_log_partition(J[2:, 2:], fields[0], 1, states, 1.0)
    own = pairwise_free_energy(
        Pairwise(UNITS[states]), PairwiseParameters(J[:2, :2], params.bias[:2]), v
    )
    assert pairwise_free_energy(model, params, v)[0] == pytest.approx(own[0] - expected, rel=1e-12)


# Larger than enumeration ------------------------------------------------------------------------


@every_beta
@every_state
def test_a_glass_on_a_strip_is_that_of_the_transfer_matrix(states, beta):
    rng = np.random.default_rng(1)
    bonds = lattice((24, 5), periodic=False)
    J = np.triu(bonds * rng.normal(size=bonds.shape), 1)
    J, b = J + J.T, rng.normal(size=120)
    expected = lattices.strip_log_partition(J, b, 5, states, beta)
    params = PairwiseParameters(J, b)
    found = pairwise_log_partition(Pairwise(UNITS[states]), params, beta=beta)
    assert found == pytest.approx(expected, rel=1e-12)
    shuffled = rng.permutation(120)
    params = PairwiseParameters(J[np.ix_(shuffled, shuffled)], b[shuffled])
    again = pairwise_log_partition(Pairwise(UNITS[states]), params, beta=beta)
    assert again == pytest.approx(expected, rel=1e-12)


def test_each_of_the_three_orders_is_the_best_for_some_couplings():
    """A square by its rows; the same, shuffled, from one corner; a star and its rays from the tips."""
    square = lattice((9, 9), periodic=False)
    assert elimination(square, 24).width <= 9
    shuffled = np.random.default_rng(0).permutation(81)
    assert elimination(square[np.ix_(shuffled, shuffled)], 24).width <= 10
    star = np.zeros((60, 60))
    star[0, 1:] = star[1:, 0] = 1
    assert elimination(star, 24).width == 1


def test_widths_are_limited():
    square = lattice((9, 9), periodic=False)
    assert elimination(square, 6) is None
    assert elimination(np.ones((50, 50)) - np.eye(50), 24) is None
    assert not can_sum(square, Limits(20, 6)) and can_sum(square, Limits(20, 9))
    with pytest.raises(
        ValueError, match=r"81 units .* 40 of them, .* at most 20 .* tables of more than 6 units"
    ):
        summation(Spin(), square, 1.0, Limits(20, 6), "units")


def test_the_cheaper_way_is_taken():
    full, chain = 1 - np.eye(14), lattice(40)
    limits = Limits(20, 20)
    assert isinstance(summation(Spin(), full, 1.0, limits, "units"), Enumeration)
    assert isinstance(summation(Spin(), chain, 1.0, limits, "units"), OneByOne)


# Tori without fields ----------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.05, 0.2, 0.44068679350977147, 0.45, 0.8, 3.0])
@pytest.mark.parametrize("couplings", [(1.0, 1.0), (1.0, 0.6), (0.4, 1.3)])
@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (7, 2), (4, 6), (9, 7), (2, 2)])
def test_tori_in_closed_form(shape, couplings, beta):
    J = torus(*shape, *couplings)
    expected = lattices.uneven_torus_log_partition(*shape, beta, *couplings)
    found = zero_field_log_partition(Spin(), J, np.zeros(len(J)), beta)
    assert found == pytest.approx(expected, rel=1e-12)
    bits = zero_field_log_partition(Bernoulli(), 4 * J, -2 * J.sum(axis=1), beta)
    assert bits == pytest.approx(expected - beta * J.sum() / 2, rel=1e-11)


def torus(n_rows, n_columns, below, right):
    J = np.zeros((n_rows * n_columns, n_rows * n_columns))
    for bond, (i, j) in enumerate(lattices.torus_bonds(n_rows, n_columns)):
        J[i, j] += below if bond % 2 else right
    return J + J.T


@pytest.mark.parametrize("signs", [(-1, -1), (-1, 1), (1, -1)])
def test_negative_couplings_around_even_sides(signs):
    J = torus(4, 6, *signs)
    expected = lattices.uneven_torus_log_partition(4, 6, 0.7, *signs)
    assert zero_field_log_partition(Spin(), J, np.zeros(24), 0.7) == pytest.approx(
        expected, rel=1e-12
    )


def test_other_models_are_no_tori():
    zero = np.zeros(16)
    even = lattice((4, 4))
    one_less = even.copy()
    one_less[0, 1] = one_less[1, 0] = 0
    uneven = even.copy()
    uneven[2, 3] = uneven[3, 2] = 1.1
    for J in (
        one_less,
        uneven,
        lattice((4, 4), periodic=False),
        lattice(16),
        lattice((4, 2, 2)),
        even * 0,
    ):
        assert as_torus(J) is None
    assert as_torus(torus(3, 4, -1.0, 1.0)) is None
    assert as_torus(even) == (1.0, 1.0, 4, 4)
    assert zero_field_log_partition(Spin(), even, zero + 0.01, 1.0) is None
    assert zero_field_log_partition(Bernoulli(), even, zero, 1.0) is None


@pytest.mark.parametrize("beta", [0.2, 0.44, 0.8])
def test_the_closed_form_is_what_elimination_gives(beta):
    J = lattice((8, 8))
    expected = eliminated_log_sums(elimination(J, 20), Spin(), J, beta, np.zeros((1, 64)))[0]
    assert zero_field_log_partition(Spin(), J, np.zeros(64), beta) == pytest.approx(
        expected, rel=1e-12
    )


def test_exact_is_what_machines_give_unasked():
    """Both magnetizations of a cold magnet count, whatever the chains find; glasses and magnets in a field, too."""
    cold = BoltzmannMachine.from_couplings(lattice((8, 8))).log_partition(beta=0.8)
    assert (cold.method, cold.standard_error) == ("exact", 0.0)
    assert cold.value == pytest.approx(103.209, abs=1e-3)
    large = BoltzmannMachine.from_couplings(lattice((30, 30))).log_partition(beta=1.0)
    assert large.value == pytest.approx(np.log(2) + 1800, abs=1)
    rng = np.random.default_rng(0)
    J = lattice((12, 12), periodic=False) * rng.choice([-1.0, 1.0], size=144)
    model, params = (
        Pairwise(Spin()),
        PairwiseParameters(np.triu(J, 1) + np.triu(J, 1).T, np.zeros(144)),
    )
    assert is_summed_at_once(model, params)
    assert not is_summed_at_once(
        model, PairwiseParameters(random_pairwise(40, SPIN).J, np.zeros(40))
    )
