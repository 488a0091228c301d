"""The oracles against each other, against quadrature and against the known answers."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy import integrate
from sklearn.neural_network import BernoulliRBM

from tests.oracles import data, known_answers, rbm, rbm_gibbs, rbm_gradients, threefry
from tests.oracles.rbm import OracleRBM
from tests.statistics import assert_same_distribution, state_counts, total_variation

pytestmark = pytest.mark.once  # nothing of the library runs here

BETAS = [0.3, 1.0, 2.5]
EXACT = {"rtol": 1e-10, "atol": 1e-10}


def random_rbm(n_visible, n_hidden, gaussian_visible=False, gaussian_hidden=False, scale=1.0):
    """An RBM with W ~ scale N(0, 1), biases ~ N(0, 1) / 2 and log-variances ~ N(0, 1) / 2."""
    rng = np.random.default_rng(100 * n_visible + n_hidden)
    z, zh = rng.normal(size=n_visible) / 2, rng.normal(size=n_hidden) / 2
    return OracleRBM(
        W=scale * rng.normal(size=(n_visible, n_hidden)),
        b=rng.normal(size=n_visible) / 2,
        c=rng.normal(size=n_hidden) / 2,
        z=z if gaussian_visible else None,
        zh=zh if gaussian_hidden else None,
    )


def binary_rows(n_rows, n_units, seed=0):
    return np.random.default_rng(seed).integers(0, 2, size=(n_rows, n_units)).astype(float)


def real_rows(n_rows, n_units, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_units))


def assert_same_gradient(actual, expected, atol):
    for field in fields(OracleRBM):
        left, right = getattr(actual, field.name), getattr(expected, field.name)
        assert (left is None) == (right is None), field.name
        if left is not None:
            np.testing.assert_allclose(left, right, rtol=0, atol=atol, err_msg=field.name)


# Known answers -------------------------------------------------------------------------------

LOG_PARTITIONS = [
    rbm.log_partition_enumerate,
    rbm.log_partition_sum_out_hidden,
    rbm.log_partition_sum_out_visible,
]


@pytest.mark.parametrize("log_partition", LOG_PARTITIONS)
def test_known_log_partition_of_rbm_4_4(log_partition):
    value = log_partition(known_answers.RBM_4_4)
    assert value == pytest.approx(known_answers.RBM_4_4_LOG_PARTITION, rel=1e-14)
    # The published value belongs to the parameters before they were rounded to 8 decimals.
    assert value == pytest.approx(known_answers.RBM_4_4_LOG_PARTITION_PUBLISHED, abs=1e-8)


def test_known_mean_log_likelihood_of_rbm_4_4():
    value = rbm.mean_log_likelihood(known_answers.RBM_4_4, known_answers.RBM_4_4_DATA)
    assert value == pytest.approx(known_answers.RBM_4_4_MEAN_LOG_LIKELIHOOD, abs=1e-10)


@pytest.mark.parametrize(
    "log_partition", [rbm.log_partition_sum_out_visible, rbm.log_partition_quadrature]
)
def test_known_log_partition_of_gaussian_rbm(log_partition):
    value = log_partition(known_answers.GAUSSIAN_RBM_2_2)
    assert value == pytest.approx(known_answers.GAUSSIAN_RBM_2_2_LOG_PARTITION, abs=1e-10)


@pytest.mark.parametrize(("v", "h", "expected"), known_answers.GAUSSIAN_RBM_2_2_ENERGIES)
def test_known_energies_of_gaussian_rbm(v, h, expected):
    value = rbm.energy(known_answers.GAUSSIAN_RBM_2_2, v, h)
    assert value == pytest.approx(expected, abs=1e-8)


def test_known_energies_of_hopfield_network():
    def energy(bits):
        x, s = 2 * known_answers.HOPFIELD_PATTERN - 1, 2 * bits - 1
        total = 0
        for i in range(len(s)):
            for j in range(len(s)):
                if i != j:
                    total -= s[i] * x[i] * x[j] * s[j] / 2
        return total

    pattern = known_answers.HOPFIELD_PATTERN
    assert energy(pattern) == known_answers.HOPFIELD_ENERGY_PATTERN
    assert energy(1 - pattern) == known_answers.HOPFIELD_ENERGY_COMPLEMENT
    assert energy(0 * pattern) == known_answers.HOPFIELD_ENERGY_ZEROS


# States --------------------------------------------------------------------------------------


def test_all_states_counts_in_binary():
    assert rbm.all_states(2).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert rbm.all_states(0).shape == (1, 0)
    assert rbm.state_index(rbm.all_states(4)).tolist() == list(range(16))
    assert rbm.state_index([1, 0, 1]) == 5


def test_log_sum_exp_does_not_overflow():
    assert rbm.log_sum_exp([1000.0, 1000.0]) == pytest.approx(1000 + np.log(2), rel=1e-15)
    assert rbm.log_sum_exp(np.log([1.0, 2.0, 3.0])) == pytest.approx(np.log(6), rel=1e-15)


# Energy --------------------------------------------------------------------------------------


@pytest.mark.parametrize("gaussian_visible", [False, True])
@pytest.mark.parametrize("gaussian_hidden", [False, True])
def test_energy_is_the_sum_over_units_and_pairs(gaussian_visible, gaussian_hidden):
    model = random_rbm(3, 2, gaussian_visible, gaussian_hidden)
    v, h = real_rows(1, 3)[0], real_rows(1, 2, seed=1)[0]
    expected = 0.0
    for i in range(3):
        if gaussian_visible:
            expected += (v[i] - model.b[i]) ** 2 / (2 * np.exp(model.z[i]))
        else:
            expected -= model.b[i] * v[i]
    for j in range(2):
        if gaussian_hidden:
            expected += (h[j] - model.c[j]) ** 2 / (2 * np.exp(model.zh[j]))
        else:
            expected -= model.c[j] * h[j]
    for i in range(3):
        for j in range(2):
            term = v[i] * model.W[i, j] * h[j]
            if gaussian_visible:
                term /= np.exp(model.z[i])
            if gaussian_hidden:
                term /= np.exp(model.zh[j])
            expected -= term
    np.testing.assert_allclose(rbm.energy(model, v, h), expected, **EXACT)


def test_swapping_the_layers_keeps_the_energy():
    model = random_rbm(3, 2, gaussian_visible=True)
    v, h = real_rows(1, 3)[0], np.array([0.0, 1.0])
    np.testing.assert_allclose(
        rbm.energy(model, v, h), rbm.energy(rbm.swapped(model), h, v), **EXACT
    )


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("gaussian_visible", [False, True])
def test_free_energy_by_enumeration_is_the_product_over_hidden_units(gaussian_visible, beta):
    model = random_rbm(3, 4, gaussian_visible)
    for v in real_rows(5, 3):
        field = rbm.interaction(v, model.z) @ model.W
        softplus = np.log(1 + np.exp(beta * (model.c + field))) / beta
        expected = rbm.own_energy(v, model.b, model.z) - softplus.sum()
        np.testing.assert_allclose(rbm.free_energy(model, v, beta), expected, **EXACT)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("gaussian_visible", [False, True])
def test_free_energy_with_a_gaussian_hidden_unit_is_an_integral(gaussian_visible, beta):
    model = random_rbm(3, 1, gaussian_visible, gaussian_hidden=True)
    for v in real_rows(3, 3):
        integral, _ = integrate.quad(
            lambda h, v=v: np.exp(-beta * rbm.energy(model, v, np.array([h]))),
            -np.inf,
            np.inf,
            epsabs=0,
            epsrel=1e-11,
        )
        np.testing.assert_allclose(
            rbm.free_energy(model, v, beta), -np.log(integral) / beta, **EXACT
        )


@pytest.mark.parametrize("beta", BETAS)
def test_free_energy_of_the_hidden_layer_gives_its_probabilities(beta):
    model = random_rbm(3, 2)
    free = np.array([rbm.free_energy_hidden(model, h, beta) for h in rbm.all_states(2)])
    expected = np.exp(-beta * free) / np.exp(-beta * free).sum()
    np.testing.assert_allclose(rbm.joint_probabilities(model, beta).sum(axis=0), expected, **EXACT)


# Conditionals --------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.0, *BETAS])
def test_conditional_means_of_bernoulli_units_are_logistic(beta):
    model = random_rbm(3, 4)
    for v in real_rows(4, 3):
        mean, variance = rbm.hidden_moments(model, v, beta)
        expected = 1 / (1 + np.exp(-beta * (v @ model.W + model.c)))
        np.testing.assert_allclose(mean, expected, **EXACT)
        np.testing.assert_allclose(variance, expected * (1 - expected), **EXACT)
    for h in real_rows(4, 4):
        expected = 1 / (1 + np.exp(-beta * (model.W @ h + model.b)))
        np.testing.assert_allclose(rbm.visible_moments(model, h, beta)[0], expected, **EXACT)


@pytest.mark.parametrize("beta", BETAS)
def test_conditionals_are_the_joint_over_the_marginal(beta):
    model = random_rbm(3, 2)
    joint = rbm.joint_probabilities(model, beta)
    for k, v in enumerate(rbm.all_states(3)):
        expected = joint[k] / joint[k].sum()
        np.testing.assert_allclose(rbm.hidden_given_visible(model, v, beta), expected, **EXACT)
    for k, h in enumerate(rbm.all_states(2)):
        expected = joint[:, k] / joint[:, k].sum()
        np.testing.assert_allclose(rbm.visible_given_hidden(model, h, beta), expected, **EXACT)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("gaussian_hidden", [False, True])
def test_conditional_moments_of_a_gaussian_unit_are_integrals(gaussian_hidden, beta):
    model = random_rbm(1, 3, gaussian_visible=True, gaussian_hidden=gaussian_hidden)
    h = np.array([1.0, 0.0, 1.0])

    def integral(power):
        def integrand(v):
            return v**power * np.exp(-beta * rbm.energy(model, np.array([v]), h))

        return integrate.quad(integrand, -np.inf, np.inf, epsabs=0, epsrel=1e-11)[0]

    mean, variance = rbm.visible_moments(model, h, beta)
    np.testing.assert_allclose(mean, integral(1) / integral(0), rtol=1e-9)
    np.testing.assert_allclose(variance + mean**2, integral(2) / integral(0), rtol=1e-9)


def test_clamped_units_have_their_value_and_the_rest_its_conditional():
    model = random_rbm(3, 2)
    h, given = np.array([1.0, 0.0]), np.array([np.nan, 1.0, np.nan])
    free, clamped = rbm.visible_given_hidden(model, h), rbm.visible_given_hidden(model, h, 1, given)
    agrees = rbm.all_states(3)[:, 1] == 1
    np.testing.assert_array_equal(clamped[~agrees], 0)
    np.testing.assert_allclose(clamped[agrees], free[agrees] / free[agrees].sum(), **EXACT)


def test_gaussian_units_have_no_table():
    model = random_rbm(2, 2, gaussian_visible=True, gaussian_hidden=True)
    with pytest.raises(ValueError, match="no table"):
        rbm.hidden_given_visible(model, np.zeros(2))
    with pytest.raises(ValueError, match="no table"):
        rbm.visible_given_hidden(model, np.zeros(2))


# Partition function and probabilities --------------------------------------------------------


@pytest.mark.parametrize("beta", [0.0, *BETAS])
@pytest.mark.parametrize("shape", [(1, 1), (4, 3), (2, 5)])
def test_log_partition_three_ways(shape, beta):
    values = [log_partition(random_rbm(*shape), beta) for log_partition in LOG_PARTITIONS]
    np.testing.assert_allclose(values, rbm.log_partition(random_rbm(*shape), beta), **EXACT)
    if beta == 0:
        np.testing.assert_allclose(values, sum(shape) * np.log(2), **EXACT)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("n_gaussian", [1, 2])
def test_log_partition_of_gaussian_units_by_quadrature(n_gaussian, beta):
    model = random_rbm(n_gaussian, 3, gaussian_visible=True)
    quadrature = rbm.log_partition_quadrature(model, beta)
    np.testing.assert_allclose(rbm.log_partition(model, beta), quadrature, **EXACT)
    np.testing.assert_allclose(rbm.log_partition(rbm.swapped(model), beta), quadrature, **EXACT)


@pytest.mark.parametrize("beta", BETAS)
def test_log_partition_of_two_gaussian_layers_by_quadrature(beta):
    model = random_rbm(1, 1, True, True, scale=0.3)
    integral, _ = integrate.dblquad(
        lambda h, v: np.exp(-beta * rbm.energy(model, np.array([v]), np.array([h]))),
        *(-15, 15, -15, 15),
        epsrel=1e-11,
    )
    np.testing.assert_allclose(rbm.log_partition(model, beta), np.log(integral), rtol=1e-9)


@pytest.mark.parametrize("beta", BETAS)
def test_log_partition_of_two_gaussian_layers_one_after_the_other(beta):
    """p(v) = exp(-beta F(v)) / Z is itself normal; its height at the mean gives Z."""
    model = random_rbm(3, 2, True, True, scale=0.15)
    precision_h = np.exp(-model.zh)
    A = model.W / np.exp(model.z)[:, None]
    precision = np.diag(np.exp(-model.z)) - A * precision_h @ A.T
    mean = np.linalg.solve(precision, model.b / np.exp(model.z) + A @ (precision_h * model.c))
    height = rbm.log_weight_visible(model, mean, beta)
    log_det = np.linalg.slogdet(beta * precision / (2 * np.pi))[1]
    np.testing.assert_allclose(rbm.log_partition(model, beta), height - log_det / 2, **EXACT)


def test_log_partition_names_what_it_cannot_do():
    gaussian = random_rbm(3, 2, gaussian_visible=True)
    with pytest.raises(ValueError, match="enumerated"):
        rbm.log_partition_enumerate(gaussian)
    with pytest.raises(ValueError, match="Bernoulli"):
        rbm.log_partition_sum_out_hidden(gaussian)
    with pytest.raises(ValueError, match="one or two"):
        rbm.log_partition_quadrature(gaussian)
    with pytest.raises(ValueError, match="infinite"):
        rbm.log_partition_gaussian(random_rbm(3, 2, True, True, scale=10.0))


@pytest.mark.parametrize("beta", [0.0, *BETAS])
def test_joint_table_has_the_marginals(beta):
    model = random_rbm(3, 2)
    joint = rbm.joint_probabilities(model, beta)
    assert joint.shape == (8, 4)
    assert joint.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(joint.sum(axis=1), rbm.visible_probabilities(model, beta), **EXACT)
    np.testing.assert_allclose(joint.sum(axis=0), rbm.hidden_probabilities(model, beta), **EXACT)


def test_probabilities_beside_a_gaussian_layer_sum_to_one():
    assert rbm.hidden_probabilities(random_rbm(3, 2, gaussian_visible=True)).sum() == (
        pytest.approx(1, abs=1e-12)
    )
    assert rbm.visible_probabilities(random_rbm(3, 2, gaussian_hidden=True)).sum() == (
        pytest.approx(1, abs=1e-12)
    )


def test_log_likelihood_is_the_log_of_the_table():
    model, X = random_rbm(4, 3), binary_rows(6, 4)
    expected = np.log(rbm.joint_probabilities(model).sum(axis=1))[rbm.state_index(X)]
    np.testing.assert_allclose(rbm.log_likelihood(model, X), expected, **EXACT)
    assert rbm.mean_log_likelihood(model, X) == pytest.approx(expected.mean(), abs=1e-12)


def test_density_of_a_gaussian_visible_unit_integrates_to_one():
    for gaussian_hidden in (False, True):
        model = random_rbm(1, 2, True, gaussian_hidden, scale=0.3)
        integral, _ = integrate.quad(
            lambda v, model=model: np.exp(rbm.mean_log_likelihood(model, np.array([[v]]))), -20, 20
        )
        assert integral == pytest.approx(1, abs=1e-8)


# Pseudo-likelihood ---------------------------------------------------------------------------


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("gaussian_hidden", [False, True])
def test_pseudo_log_likelihood_is_the_flip_score_of_binary_rows(gaussian_hidden, beta):
    model, X = random_rbm(4, 3, gaussian_hidden=gaussian_hidden), binary_rows(6, 4)
    by_definition = rbm.pseudo_log_likelihood(model, X, beta)
    np.testing.assert_allclose(by_definition, rbm.flip_score(model, X, beta), **EXACT)


def test_pseudo_log_likelihood_without_weights_is_the_log_likelihood():
    model = replace(random_rbm(4, 3), W=np.zeros((4, 3)))
    X = binary_rows(6, 4)
    expected = rbm.log_likelihood(model, X)
    np.testing.assert_allclose(rbm.pseudo_log_likelihood(model, X), expected, **EXACT)


def test_flip_score_is_the_mean_of_the_random_score_of_scikit_learn():
    model = random_rbm(3, 2)
    peer = BernoulliRBM(n_components=2, n_iter=1, random_state=0).fit(binary_rows(5, 3))
    peer.components_ = model.W.T
    peer.intercept_visible_, peer.intercept_hidden_ = model.b, model.c
    for v in np.random.default_rng(1).uniform(size=(4, 3)):
        draws = peer.score_samples(np.tile(v, (200, 1)))
        one_per_unit = np.unique(draws.round(9))
        assert len(one_per_unit) == 3
        expected = rbm.flip_score(model, v[None])[0]
        assert one_per_unit.mean() == pytest.approx(expected, abs=1e-8)


# Gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gaussian_visible", "gaussian_hidden"), [(False, False), (True, False), (False, True)]
)
def test_gradient_by_enumeration_and_by_finite_differences(gaussian_visible, gaussian_hidden):
    model = random_rbm(4, 3, gaussian_visible, gaussian_hidden)
    X = real_rows(6, 4) if gaussian_visible else binary_rows(6, 4)
    exact = rbm_gradients.log_likelihood_gradient(model, X)
    by_differences = rbm_gradients.finite_difference_gradient(model, X)
    assert_same_gradient(exact, by_differences, atol=1e-8)


def test_finite_differences_of_known_functions():
    model = random_rbm(2, 2, True, True, scale=0.3)
    square = rbm_gradients.finite_differences(
        lambda m: np.sum(m.W**2) + np.sum(m.b**2) + np.sum(m.c + m.z + 3 * m.zh), model
    )
    expected = OracleRBM(2 * model.W, 2 * model.b, np.ones(2), np.ones(2), np.full(2, 3.0))
    assert_same_gradient(square, expected, atol=1e-8)


@pytest.mark.parametrize("gaussian_visible", [False, True])
@pytest.mark.parametrize("gaussian_hidden", [False, True])
def test_energy_statistics_are_minus_the_slope_of_the_energy(gaussian_visible, gaussian_hidden):
    model = random_rbm(3, 2, gaussian_visible, gaussian_hidden)
    v, h = real_rows(1, 3)[0], real_rows(1, 2, seed=1)[0]
    by_differences = rbm_gradients.finite_differences(lambda m: -rbm.energy(m, v, h), model)
    assert_same_gradient(rbm_gradients.energy_statistics(model, v, h), by_differences, atol=1e-8)


def test_model_statistics_are_the_sum_over_the_joint_table():
    model = random_rbm(3, 2)
    W, b, c = np.zeros((3, 2)), np.zeros(3), np.zeros(2)
    joint = rbm.joint_probabilities(model)
    for k, v in enumerate(rbm.all_states(3)):
        for m, h in enumerate(rbm.all_states(2)):
            W += joint[k, m] * np.outer(v, h)
            b += joint[k, m] * v
            c += joint[k, m] * h
    assert_same_gradient(rbm_gradients.model_statistics(model), OracleRBM(W, b, c), atol=1e-12)


def test_model_statistics_need_one_bernoulli_layer():
    with pytest.raises(ValueError, match="Bernoulli"):
        rbm_gradients.model_statistics(random_rbm(2, 2, True, True, scale=0.3))


def test_gradient_is_zero_where_the_data_are_the_model():
    """Without weights the best biases are the logits of the data means."""
    X = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    logits = np.log([3.0, 1.0 / 3.0])
    model = OracleRBM(W=np.zeros((2, 1)), b=logits, c=np.array([0.3]))
    gradient = rbm_gradients.log_likelihood_gradient(model, X)
    np.testing.assert_allclose(gradient.b, 0, atol=1e-12)
    np.testing.assert_allclose(gradient.c, 0, atol=1e-12)


def test_centred_gradient_without_offsets_is_the_gradient():
    model, X = random_rbm(3, 2), binary_rows(5, 3)
    centred = rbm_gradients.centred_gradient(model, X, np.zeros(3), np.zeros(2))
    assert_same_gradient(centred, rbm_gradients.log_likelihood_gradient(model, X), atol=1e-12)


def test_centred_gradient_is_the_gradient_by_centred_parameters():
    """-(v - mu)' W (h - lam) - b~'v - c~'h is an RBM with b = b~ - W lam and c = c~ - W' mu."""
    model, X = random_rbm(3, 2), binary_rows(5, 3)
    mu, lam = np.array([0.2, 0.5, 0.9]), np.array([0.7, 0.1])

    def uncentred(m):
        return replace(m, b=m.b - m.W @ lam, c=m.c - m.W.T @ mu)

    centred = replace(model, b=model.b + model.W @ lam, c=model.c + model.W.T @ mu)
    slope = rbm_gradients.finite_differences(
        lambda m: rbm.mean_log_likelihood(uncentred(m), X), centred
    )
    actual = rbm_gradients.centred_gradient(model, X, mu, lam)
    assert_same_gradient(actual, uncentred(slope), atol=1e-8)


def test_centred_gradient_does_not_care_which_value_is_called_one():
    """Relabelling v_0 as 1 - v_0, offset included, relabels the step and nothing else."""
    model, X = random_rbm(3, 2), binary_rows(5, 3)
    mu, lam = np.array([0.2, 0.5, 0.9]), np.array([0.7, 0.1])

    def relabelled(m):
        W, b = m.W.copy(), m.b.copy()
        W[0], b[0] = -m.W[0], -m.b[0]
        return OracleRBM(W=W, b=b, c=m.c + m.W[0])

    def flipped(rows):
        rows = np.array(rows)
        rows[..., 0] = 1 - rows[..., 0]
        return rows

    step = rbm_gradients.centred_gradient(model, X, mu, lam)
    step_there = rbm_gradients.centred_gradient(relabelled(model), flipped(X), flipped(mu), lam)
    assert_same_gradient(step_there, relabelled(step), atol=1e-12)


def test_contrastive_divergence_with_one_step_over_every_path():
    """The path v0 -> h0 -> v1 -> h1, each with its probability."""
    model, X = random_rbm(3, 2), binary_rows(4, 3)
    v_states, h_states = rbm.all_states(3), rbm.all_states(2)
    W, b, c = np.zeros((3, 2)), np.zeros(3), np.zeros(2)
    for v0 in X:
        for p0, h0 in zip(rbm.hidden_given_visible(model, v0), h_states, strict=True):
            weight = p0 / len(X)
            W, b, c = W + weight * np.outer(v0, h0), b + weight * v0, c + weight * h0
            for p1, v1 in zip(rbm.visible_given_hidden(model, h0), v_states, strict=True):
                for p2, h1 in zip(rbm.hidden_given_visible(model, v1), h_states, strict=True):
                    weight = p0 * p1 * p2 / len(X)
                    W, b, c = W - weight * np.outer(v1, h1), b - weight * v1, c - weight * h1
    actual = rbm_gradients.contrastive_divergence_gradient(model, X, n_steps=1)
    assert_same_gradient(actual, OracleRBM(W, b, c), atol=1e-12)


def test_contrastive_divergence_tends_to_the_gradient():
    model, X = random_rbm(3, 2), binary_rows(4, 3)
    exact = rbm_gradients.log_likelihood_gradient(model, X)
    many = rbm_gradients.contrastive_divergence_gradient(model, X, n_steps=300)
    few = rbm_gradients.contrastive_divergence_gradient(model, X, n_steps=1)
    assert_same_gradient(many, exact, atol=1e-10)
    assert np.abs(few.W - exact.W).max() > 0.01


def test_contrastive_divergence_from_chains_divides_each_phase_by_its_own_count():
    model, X = random_rbm(3, 2), binary_rows(4, 3)
    chains = binary_rows(3, 3, seed=1)
    once = rbm_gradients.contrastive_divergence_gradient(model, X, 2, chains)
    twice = rbm_gradients.contrastive_divergence_gradient(model, X, 2, np.tile(chains, (2, 1)))
    assert_same_gradient(once, twice, atol=1e-12)
    from_data = rbm_gradients.contrastive_divergence_gradient(model, X, 2, X)
    default = rbm_gradients.contrastive_divergence_gradient(model, X, 2)
    assert_same_gradient(from_data, default, atol=0)


# Gibbs sampling ------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.0, *BETAS])
def test_transitions_leave_the_model_alone_and_their_rows_sum_to_one(beta):
    model = random_rbm(3, 2)
    joint = rbm.joint_probabilities(model, beta)
    for T, law in [
        (rbm_gibbs.visible_transition(model, beta), joint.sum(axis=1)),
        (rbm_gibbs.hidden_transition(model, beta), joint.sum(axis=0)),
        (rbm_gibbs.joint_transition(model, beta), joint.ravel()),
    ]:
        np.testing.assert_allclose(T.sum(axis=1), 1, **EXACT)
        np.testing.assert_allclose(law @ T, law, **EXACT)


def test_transitions_of_one_layer_are_reversible():
    model = random_rbm(3, 2)
    for T, law in [
        (rbm_gibbs.visible_transition(model), rbm.visible_probabilities(model)),
        (rbm_gibbs.hidden_transition(model), rbm.hidden_probabilities(model)),
    ]:
        flow = law[:, None] * T
        np.testing.assert_allclose(flow, flow.T, **EXACT)


def test_joint_transition_contains_both_others():
    model, beta = random_rbm(3, 2), 0.7
    T = rbm_gibbs.joint_transition(model, beta).reshape(8, 4, 8, 4)
    given_visible = np.array([rbm.hidden_given_visible(model, v, beta) for v in rbm.all_states(3)])
    hidden = rbm_gibbs.hidden_transition(model, beta)
    visible = rbm_gibbs.visible_transition(model, beta)
    for v in range(8):
        np.testing.assert_allclose(T[v].sum(axis=1), hidden, **EXACT)
        from_v = given_visible[v] @ T[v].sum(axis=2)
        np.testing.assert_allclose(from_v, visible[v], **EXACT)


def test_clamped_transitions_settle_in_the_conditional():
    model, given = random_rbm(3, 2), np.array([np.nan, 1.0, 0.0])
    states = rbm.all_states(3)
    agrees = (states[:, 1] == 1) & (states[:, 2] == 0)
    joint = rbm.joint_probabilities(model) * agrees[:, None]
    joint = joint / joint.sum()
    visible = rbm_gibbs.visible_transition(model, given=given)
    np.testing.assert_array_equal(visible[:, ~agrees], 0)
    for T, law in [
        (visible, joint.sum(axis=1)),
        (rbm_gibbs.hidden_transition(model, given=given), joint.sum(axis=0)),
        (rbm_gibbs.joint_transition(model, given=given), joint.ravel()),
    ]:
        np.testing.assert_allclose(T.sum(axis=1), 1, **EXACT)
        np.testing.assert_allclose(law @ T, law, **EXACT)
        np.testing.assert_allclose(np.linalg.matrix_power(T, 200)[0], law, **EXACT)


def test_law_after_some_steps_is_the_power_of_the_transition():
    model, X = random_rbm(3, 2), binary_rows(5, 3)
    start = state_counts(X) / len(X)
    for n_steps in (1, 2, 3):
        expected = start @ np.linalg.matrix_power(rbm_gibbs.visible_transition(model), n_steps)
        actual = rbm_gibbs.visible_law_after(model, X, n_steps)
        np.testing.assert_allclose(actual, expected, **EXACT)
    with pytest.raises(ValueError, match="one step"):
        rbm_gibbs.visible_law_after(model, X, 0)


# Threefry ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rounds", "counter", "key", "expected"), threefry.KNOWN_ANSWERS)
def test_threefry_known_answers(rounds, counter, key, expected):
    assert threefry.threefry2x32(counter, key, rounds) == expected


def test_threefry_rotation_brings_the_bits_back():
    assert threefry.rotate_left(0x80000001, 1) == 3
    assert threefry.rotate_left(0x12345678, 8) == 0x34567812


# Data ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 4])
def test_bars_and_stripes_and_their_best_log_likelihood(n):
    X = data.bars_and_stripes(n)
    assert X.shape == (2 ** (n + 1), n * n)
    assert (X.sum(axis=1) == 0).sum() == (X.sum(axis=1) == n * n).sum() == 2
    assert len(np.unique(X, axis=0)) == 2 ** (n + 1) - 2
    for image in X.reshape(-1, n, n):
        assert (image == image[:1]).all() or (image == image[:, :1]).all()
    N = len(X)
    by_hand = 4 * np.log(2 / N) + (N - 4) * np.log(1 / N)
    assert data.best_log_likelihood(X) == pytest.approx(by_hand, rel=1e-14)
    assert by_hand == pytest.approx(known_answers.BARS_AND_STRIPES_BEST[n], abs=1e-6)


def test_bars_and_stripes_are_the_data_of_rbm_4_4():
    ours = data.bars_and_stripes(2)
    assert sorted(ours.tolist()) == sorted(known_answers.RBM_4_4_DATA.tolist())
    best = data.best_log_likelihood(ours) / len(ours)
    assert 0 < best - rbm.mean_log_likelihood(known_answers.RBM_4_4, ours) < 1e-5


def test_known_energy_of_the_ising_chain():
    energy, _ = data.transverse_field_ising(10)
    assert energy == pytest.approx(known_answers.ISING_CHAIN_10_ENERGY, abs=1e-11)


@pytest.mark.parametrize("n_sites", [2, 3, 6])
def test_energy_of_the_critical_ising_chain_is_that_of_free_fermions(n_sites):
    """E = 1 - 1 / sin(pi / (2 (2 n + 1))) for the open chain with J = h (Pfeuty 1970)."""
    energy, probabilities = data.transverse_field_ising(n_sites)
    assert energy == pytest.approx(1 - 1 / np.sin(np.pi / (2 * (2 * n_sites + 1))), abs=1e-12)
    assert probabilities.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(probabilities, probabilities[::-1], **EXACT)  # all spins turned


def test_ising_chain_of_two_sites_by_hand():
    """On |++> + |--> and |+-> + |-+>, H = [[-J, -2h], [-2h, J]] and E = -sqrt(J^2 + 4 h^2)."""
    J, h = 0.7, 1.3
    energy, probabilities = data.transverse_field_ising(2, coupling=J, field=h)
    assert energy == pytest.approx(-np.sqrt(J**2 + 4 * h**2), abs=1e-12)
    aligned = (1 - J / energy) / 2
    expected = np.array([aligned, 1 - aligned, 1 - aligned, aligned]) / 2
    np.testing.assert_allclose(probabilities, expected, **EXACT)


def test_samples_of_a_table_have_its_law():
    _, probabilities = data.transverse_field_ising(4)
    X = data.sample_states(probabilities, 20_000, np.random.default_rng(0))
    assert X.shape == (20_000, 4)
    assert_same_distribution(state_counts(X), probabilities)
    assert total_variation(state_counts(X) / 20_000, probabilities) < 0.05
