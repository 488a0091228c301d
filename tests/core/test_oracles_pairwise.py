"""The oracles of pairwise models against each other, against closed forms and against the known answers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.checks.pairwise import finite_differences
from tests.oracles import known_answers, lattices, pairwise
from tests.oracles.pairwise import BINARY, SPIN, OraclePairwise, random_pairwise

pytestmark = pytest.mark.once  # nothing of the library runs here

BETAS = [0.3, 1.0, 2.5]
STATES = [BINARY, SPIN]


def rows_of(model, n_rows, seed=0):
    rng = np.random.default_rng(seed)
    return rng.choice(model.states, size=(n_rows, model.n_visible))


# Energy and law -------------------------------------------------------------------------------


@pytest.mark.parametrize("states", STATES)
def test_energy_is_the_quadratic_form(states):
    model = random_pairwise(5, states)
    for s in pairwise.all_states(model):
        expected = -0.5 * s @ model.J @ s - model.b @ s
        assert pairwise.energy(model, s) == pytest.approx(expected, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("states", STATES)
def test_states_are_found_where_they_stand(states):
    model = random_pairwise(3, states)
    table = pairwise.all_states(model)
    assert table[1].tolist() == [states[0], states[0], states[1]]
    assert pairwise.state_index(model, table).tolist() == list(range(8))
    with pytest.raises(ValueError, match="index"):
        pairwise.state_index(model, [0.5, *states])


def test_energies_of_the_hopfield_network():
    x = 2.0 * known_answers.HOPFIELD_PATTERN - 1
    model = OraclePairwise(np.outer(x, x) - np.eye(7), np.zeros(7), SPIN)
    assert pairwise.energy(model, x) == known_answers.HOPFIELD_ENERGY_PATTERN
    assert pairwise.energy(model, -x) == known_answers.HOPFIELD_ENERGY_COMPLEMENT
    assert pairwise.energy(model, -np.ones(7)) == known_answers.HOPFIELD_ENERGY_ZEROS
    assert pairwise.is_aligned(model, x) and pairwise.is_aligned(model, -x)
    assert not pairwise.is_aligned(model, np.r_[-x[0], x[1:]])


@pytest.mark.parametrize("beta", BETAS)
def test_free_spins_and_bits(beta):
    b = np.array([0.3, -1.2, 0.0])
    spins = OraclePairwise(np.zeros((3, 3)), b, SPIN)
    assert pairwise.log_partition(spins, beta) == pytest.approx(
        np.log(2 * np.cosh(beta * b)).sum(), rel=1e-14
    )
    np.testing.assert_allclose(pairwise.means(spins, beta), np.tanh(beta * b), atol=1e-14)
    bits = OraclePairwise(np.zeros((3, 3)), b, BINARY)
    np.testing.assert_allclose(pairwise.means(bits, beta), 1 / (1 + np.exp(-beta * b)), rtol=1e-13)


def test_two_spins_by_hand():
    model = OraclePairwise(np.array([[0, 0.7], [0.7, 0]]), np.zeros(2), SPIN)
    assert pairwise.log_partition(model) == pytest.approx(np.log(4 * np.cosh(0.7)), rel=1e-14)
    assert pairwise.correlations(model)[0, 1] == pytest.approx(np.tanh(0.7), rel=1e-14)
    assert pairwise.mean_energy(model) == pytest.approx(-0.7 * np.tanh(0.7), rel=1e-14)


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("beta", BETAS)
def test_moments_are_the_slopes_of_log_z(states, beta):
    model = random_pairwise(4, states)
    dJ, db = finite_differences(lambda m: pairwise.log_partition(m, beta), model)
    np.testing.assert_allclose(beta * pairwise.means(model, beta), db, atol=1e-8)
    corr = pairwise.correlations(model, beta)
    np.fill_diagonal(corr, 0)
    np.testing.assert_allclose(beta * corr, dJ, atol=1e-8)
    slope = pairwise.log_partition(model, beta + 1e-5) - pairwise.log_partition(model, beta - 1e-5)
    assert pairwise.mean_energy(model, beta) == pytest.approx(-slope / 2e-5, abs=1e-7)


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("beta", BETAS)
def test_renamed_states_have_the_same_law(states, beta):
    model = random_pairwise(4, states, n_hidden=1)
    other = pairwise.in_other_states(model)
    assert other.states != model.states
    expected = pairwise.probabilities(model, beta)
    np.testing.assert_allclose(pairwise.probabilities(other, beta), expected, rtol=1e-12)
    back = pairwise.in_other_states(other)
    np.testing.assert_allclose(back.J, model.J, atol=1e-14)
    np.testing.assert_allclose(back.b, model.b, atol=1e-14)


@pytest.mark.parametrize("states", STATES)
def test_conditionals_are_those_of_the_table(states):
    model = random_pairwise(4, states)
    table = pairwise.probabilities(model, 1.3).reshape(2, 2, 2, 2)
    s = np.array([states[0], states[1], states[1], states[0]])
    on_axis = table[0, 1, :, 0]
    assert pairwise.conditional(model, s, 2, 1.3) == pytest.approx(on_axis[1] / on_axis.sum())
    gap = states[1] - states[0]
    by_field = 1 / (1 + np.exp(-1.3 * gap * pairwise.field(model, s, 2)))
    assert pairwise.conditional(model, s, 2, 1.3) == pytest.approx(by_field, rel=1e-12)


# Hidden units ---------------------------------------------------------------------------------


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("beta", BETAS)
def test_hidden_units_are_summed_out(states, beta):
    model = random_pairwise(5, states, n_hidden=2)
    law = pairwise.visible_probabilities(model, beta)
    X = pairwise.all_states(model, 3)
    np.testing.assert_allclose(np.exp(pairwise.log_likelihood(model, X, beta)), law, rtol=1e-12)
    F = np.array([pairwise.free_energy(model, v, beta) for v in X])
    np.testing.assert_allclose(
        np.exp(-beta * F - pairwise.log_partition(model, beta)), law, rtol=1e-12
    )
    joint = pairwise.probabilities(model, beta).reshape(8, 4)
    for v, row in zip(X, joint, strict=True):
        table = pairwise.hidden_given_visible(model, v, beta)
        np.testing.assert_allclose(table, row / row.sum(), rtol=1e-12)
    mean = sum(p * pairwise.hidden_means(model, v, beta) for p, v in zip(law, X, strict=True))
    np.testing.assert_allclose(mean, pairwise.means(model, beta)[3:], atol=1e-13)


def test_a_machine_may_have_no_or_only_hidden_units():
    model = random_pairwise(3)
    np.testing.assert_allclose(
        pairwise.visible_probabilities(model), pairwise.probabilities(model), rtol=1e-15
    )
    alone = random_pairwise(3, n_hidden=3)
    assert pairwise.free_energy(alone, []) == pytest.approx(-pairwise.log_partition(alone))


# Gradients ------------------------------------------------------------------------------------


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("n_hidden", [0, 2])
def test_log_likelihood_gradient_is_the_slope(states, n_hidden):
    model = random_pairwise(4, states, n_hidden)
    X, weights = rows_of(model, 6), np.array([0.1, 0.3, 0.2, 0.05, 0.15, 0.2])
    exact = pairwise.log_likelihood_gradient(model, X, weights)
    slope = finite_differences(lambda m: weights @ pairwise.log_likelihood(m, X), model)
    for a, b in zip(exact, slope, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)


@pytest.mark.parametrize("states", STATES)
def test_contrastive_divergence_becomes_the_likelihood_gradient(states):
    model = random_pairwise(4, states)
    X = rows_of(model, 6)
    exact = pairwise.log_likelihood_gradient(model, X)
    gaps = []
    for k in (1, 3, 60):
        estimate = pairwise.contrastive_divergence_gradient(model, X, k)
        gaps.append(max(np.abs(a - b).max() for a, b in zip(estimate, exact, strict=True)))
    assert gaps[0] > gaps[1] > 1e-6
    assert gaps[2] < 1e-11


def test_contrastive_divergence_stays_where_the_law_is():
    model = random_pairwise(3, SPIN)
    X, weights = pairwise.all_states(model), pairwise.probabilities(model)
    for part in pairwise.contrastive_divergence_gradient(model, X, 1, weights):
        np.testing.assert_allclose(part, 0, atol=1e-14)


# Pseudo-likelihood ----------------------------------------------------------------------------


@pytest.mark.parametrize("states", STATES)
def test_pseudo_likelihood_by_the_table_and_by_conditionals(states):
    model = random_pairwise(4, states)
    X, weights = rows_of(model, 5), np.array([0.1, 0.3, 0.2, 0.15, 0.25])
    by_table = weights @ pairwise.pseudo_log_likelihood(model, X)
    by_units = pairwise.mean_pseudo_log_likelihood(model, X, weights)
    assert by_table == pytest.approx(by_units, rel=1e-12)
    dJ, db = pairwise.pseudo_log_likelihood_gradient(model, X, weights)
    slope = finite_differences(lambda m: pairwise.mean_pseudo_log_likelihood(m, X, weights), model)
    np.testing.assert_allclose(dJ, slope[0], atol=1e-8)
    np.testing.assert_allclose(db, slope[1], atol=1e-8)


def test_pseudo_likelihood_of_independent_units_is_the_likelihood():
    model = OraclePairwise(np.zeros((3, 3)), np.array([0.2, -0.7, 1.0]), SPIN)
    X = pairwise.all_states(model)
    expected = pairwise.log_likelihood(model, X)
    np.testing.assert_allclose(pairwise.pseudo_log_likelihood(model, X), expected, rtol=1e-12)


def test_the_pseudo_likelihood_is_stationary_at_the_true_law():
    model = random_pairwise(4, SPIN)
    X, weights = pairwise.all_states(model), pairwise.probabilities(model)
    for part in pairwise.pseudo_log_likelihood_gradient(model, X, weights):
        np.testing.assert_allclose(part, 0, atol=1e-14)


# Transition matrices --------------------------------------------------------------------------


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("beta", BETAS)
def test_one_unit_is_in_detailed_balance(states, beta):
    model = random_pairwise(4, states)
    table = pairwise.probabilities(model, beta)
    for i in range(4):
        flow = table[:, np.newaxis] * pairwise.heat_bath_site(model, i, beta)
        np.testing.assert_allclose(flow, flow.T, atol=1e-15)


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("given", [None, [np.nan, 1.0, np.nan, np.nan]])
def test_sweeps_leave_the_law_alone(states, beta, given):
    model = random_pairwise(4, states)
    table = pairwise.probabilities(model, beta)
    if given is not None:
        table = pairwise.given_law(model, given, beta)
    kernels = [
        pairwise.heat_bath(model, [0, 1, 2, 3], beta, given),
        pairwise.heat_bath(model, [2, 0, 2, 3], beta, given),
        pairwise.random_order(model, beta, given),
        pairwise.glauber(model, 4, beta, given),
    ]
    for T in kernels:
        np.testing.assert_allclose(T.sum(axis=1), 1, rtol=1e-13)
        np.testing.assert_allclose(table @ T, table, atol=1e-14)
    for a, b in itertools.combinations(kernels, 2):
        assert np.abs(a - b).max() > 1e-3


def test_glauber_dynamics_are_reversible_and_ordered_sweeps_are_not():
    model = random_pairwise(4, SPIN)
    table = pairwise.probabilities(model)[:, np.newaxis]
    flow = table * pairwise.glauber(model, 4)
    np.testing.assert_allclose(flow, flow.T, atol=1e-15)
    flow = table * pairwise.heat_bath(model, range(4))
    assert np.abs(flow - flow.T).max() > 1e-4
    back = table * pairwise.heat_bath(model, [3, 2, 1, 0])
    np.testing.assert_allclose(flow, back.T, atol=1e-15)


def test_an_ordered_sweep_by_hand():
    """Each unit sees the new states before it and the old states after it."""
    model = random_pairwise(3, SPIN)
    x, y = np.array([1.0, -1.0, 1.0]), np.array([-1.0, -1.0, -1.0])
    expected = 1 - pairwise.conditional(model, x, 0)
    expected *= 1 - pairwise.conditional(model, np.array([-1.0, -1.0, 1.0]), 1)
    expected *= 1 - pairwise.conditional(model, np.array([-1.0, -1.0, 1.0]), 2)
    T = pairwise.heat_bath(model, range(3))
    start, end = pairwise.state_index(model, [x, y])
    assert T[start, end] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("beta", BETAS)
def test_synchronous_updates_have_another_law(beta):
    """Peretto (1984): it is the square root of two copies, exp(beta b's) prod_i 2 cosh(beta h_i(s))."""
    model = random_pairwise(4, SPIN)
    T = pairwise.synchronous(model, beta)
    np.testing.assert_allclose(T.sum(axis=1), 1, rtol=1e-13)
    S = pairwise.all_states(model)
    weights = np.exp(beta * S @ model.b) * np.cosh(beta * (S @ model.J + model.b)).prod(axis=1)
    law = weights / weights.sum()
    np.testing.assert_allclose(law @ T, law, atol=1e-14)
    assert np.abs(law - pairwise.probabilities(model, beta)).max() > 1e-3


@pytest.mark.parametrize("states", STATES)
def test_zero_temperature_is_the_limit_and_keeps_ties(states):
    model = random_pairwise(4, states)
    T = pairwise.heat_bath(model, range(4), beta=2000.0)
    for x, s in enumerate(pairwise.all_states(model)):
        after = pairwise.threshold(model, s, range(4))
        assert T[x, pairwise.state_index(model, after)] == pytest.approx(1, abs=1e-6)
        assert pairwise.energy(model, after) <= pairwise.energy(model, s)
        assert pairwise.is_aligned(model, s) == (after == s).all()
    idle = OraclePairwise(np.zeros((2, 2)), np.zeros(2), states)
    for s in pairwise.all_states(idle):
        assert (pairwise.threshold(idle, s, [0, 1]) == s).all()


# Lattices -------------------------------------------------------------------------------------


def kaufman(n_rows, n_columns, beta):
    """log Z of the torus with J = 1 (Kaufman 1949, equation 68): an independent closed form."""
    K = beta
    n, m = n_rows, n_columns
    gammas = [2 * K + np.log(np.tanh(K))]
    for k in range(1, 2 * n):
        gammas.append(np.arccosh(np.cosh(2 * K) / np.tanh(2 * K) - np.cos(k * np.pi / n)))
    gammas = np.array(gammas) * m / 2
    total = 0.0
    for first in (0, 1):
        total += np.prod(2 * np.cosh(gammas[first::2])) + np.prod(2 * np.sinh(gammas[first::2]))
    return -np.log(2) + m * n / 2 * np.log(2 * np.sinh(2 * K)) + np.log(total)


@pytest.mark.parametrize(("side", "beta", "log_z", "energy"), known_answers.ISING_TORI)
def test_known_answers_of_the_tori(side, beta, log_z, energy):
    assert lattices.torus_log_partition(side, side, beta) == pytest.approx(log_z, abs=5e-9)
    if energy is not None:
        per_spin = lattices.torus_mean_energy(side, side, beta) / side**2
        assert per_spin == pytest.approx(energy, abs=5e-7)


@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 2), (4, 5), (5, 4), (7, 3), (8, 8)])
@pytest.mark.parametrize("beta", [0.2, 0.4406867935, 0.8])
def test_transfer_matrices_and_kaufmans_formula(shape, beta):
    expected = kaufman(*shape, beta)
    assert lattices.torus_log_partition(*shape, beta) == pytest.approx(expected, rel=1e-13)
    slope = (kaufman(*shape, beta + 1e-5) - kaufman(*shape, beta - 1e-5)) / 2e-5
    assert lattices.torus_mean_energy(*shape, beta) == pytest.approx(-slope, rel=1e-8)


@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 2), (3, 3)])
def test_transfer_matrices_and_enumeration(shape):
    """With double bonds where a side has length two; antiferromagnets, too."""
    for coupling in (1.0, -0.7):
        J = lattices.torus_couplings(*shape, coupling)
        model = OraclePairwise(J, np.zeros(len(J)), SPIN)
        log_z, energy = lattices.torus(*shape, 0.6, coupling)
        assert log_z == pytest.approx(pairwise.log_partition(model, 0.6), rel=1e-13)
        assert energy == pytest.approx(pairwise.mean_energy(model, 0.6), rel=1e-12)


def test_bonds_of_a_torus():
    assert len(lattices.torus_bonds(3, 4)) == 24
    J = lattices.torus_couplings(3, 3)
    assert J.sum() == 36 and (J.sum(axis=1) == 4).all() and (J == J.T).all()
    assert lattices.torus_couplings(2, 3)[0, 3] == 2
    with pytest.raises(ValueError, match="at least 2"):
        lattices.torus_log_partition(1, 4, 1.0)
