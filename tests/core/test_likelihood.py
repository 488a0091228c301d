"""ebm.likelihood: log Z, and the pseudo-likelihood of every pair of unit types."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate

from ebm.energies.bipartite import Bipartite
from ebm.likelihood import (
    Evaluation,
    exact,
    log_partition,
    pseudo_likelihood,
    pseudo_log_likelihood,
    reconstruction_error,
)
from ebm.units import Bernoulli, Gaussian
from tests.models import PAIRS, library_model, library_params, oracle_model, rows_for, zero_params
from tests.oracles import known_answers, rbm

BETAS = [0.3, 1.0, 2.5]


def log_z(model, beta=1.0, dtype=np.float64, **kwargs):
    params = library_params(model, dtype)
    return log_partition(library_model(model), params, beta=beta, **kwargs).value


def rounded(model):
    """The same model with parameters that single precision holds exactly."""
    parts = (model.W, model.b, model.c, model.z, model.zh)
    return rbm.OracleRBM(
        *(None if x is None else x.astype(np.float32).astype(np.float64) for x in parts)
    )


# The partition function -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (1, 5), (5, 1), (4, 4)])
@pytest.mark.parametrize("beta", BETAS)
def test_log_partition_three_ways(shape, beta):
    model = oracle_model(shape=shape)
    value = log_z(model, beta)
    for way in (
        rbm.log_partition_enumerate,
        rbm.log_partition_sum_out_hidden,
        rbm.log_partition_sum_out_visible,
    ):
        assert value == pytest.approx(way(model, beta), rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4, 3), (3, 4)])
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("pair", PAIRS)
def test_log_partition_is_the_oracles(pair, beta, shape, dtype):
    model = rounded(oracle_model(*pair, shape))
    assert log_z(model, beta, dtype) == pytest.approx(
        rbm.log_partition(model, beta), rel=1e-12, abs=1e-12
    )


@pytest.mark.parametrize("beta", BETAS)
def test_log_partition_is_the_integral(beta):
    model = oracle_model("gaussian", "bernoulli", (2, 3))
    expected = rbm.log_partition_quadrature(model, beta)
    assert log_z(model, beta) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("beta", BETAS)
def test_log_partition_of_two_gaussian_layers_is_the_determinants(beta):
    model = oracle_model("gaussian", "gaussian", (3, 2))
    expected = rbm.log_partition_gaussian(model, beta)
    assert log_z(model, beta) == pytest.approx(expected, rel=1e-13)


def test_log_partition_of_two_gaussian_layers_of_strong_weights_does_not_exist():
    model = oracle_model("gaussian", "gaussian", (3, 3))
    with pytest.raises(ValueError, match="Z does not exist"):
        log_z(replace(model, W=20 * model.W))


def test_two_negative_directions_do_not_pass_for_a_positive_determinant():
    one = np.ones(2)
    model = rbm.OracleRBM(3 * np.eye(2), 0 * one, 0 * one, 0 * one, 0 * one)
    with pytest.raises(ValueError, match="Z does not exist"):
        log_z(model)


def test_known_log_partitions():
    value = log_z(known_answers.RBM_4_4)
    assert value == pytest.approx(known_answers.RBM_4_4_LOG_PARTITION, rel=1e-14)
    value = log_z(known_answers.GAUSSIAN_RBM_2_2)
    assert value == pytest.approx(known_answers.GAUSSIAN_RBM_2_2_LOG_PARTITION, abs=1e-10)


def test_known_mean_log_likelihood():
    model = known_answers.RBM_4_4
    F = library_model(model).free_energy(library_params(model), known_answers.RBM_4_4_DATA)
    mean = np.mean(-F - log_z(model))
    assert mean == pytest.approx(known_answers.RBM_4_4_MEAN_LOG_LIKELIHOOD, abs=1e-10)


@pytest.mark.parametrize("scale", [50.0, 1000.0])
def test_log_partition_does_not_overflow(scale):
    model = oracle_model(scale=scale)
    assert log_z(model) == pytest.approx(rbm.log_partition_enumerate(model), rel=1e-13)


@pytest.mark.needs_jit
@pytest.mark.parametrize("pair", [("bernoulli", "bernoulli"), ("gaussian", "bernoulli")])
def test_log_partition_of_a_wide_model_is_the_plain_sum(pair):
    """784 x 12: the hidden layer is enumerated, by matrix products here."""
    model = oracle_model(*pair, (784, 12), scale=0.1)
    states = rbm.all_states(12)
    fields = states @ model.W.T
    if model.z is None:
        layer = np.logaddexp(0, fields + model.b).sum(axis=1)
    else:
        variance = np.exp(model.z)
        layer = np.sum(np.log(2 * np.pi * variance) / 2, axis=0)
        layer = layer + ((model.b * fields + fields**2 / 2) / variance).sum(axis=1)
    expected = rbm.log_sum_exp(states @ model.c + layer)
    assert log_z(model) == pytest.approx(expected, rel=1e-13)


@pytest.mark.needs_jit
def test_log_partition_does_not_depend_on_the_threads():
    """16 units: four tasks of 2^14 states."""
    model = oracle_model(shape=(20, 16))
    one, two = (log_z(model, evaluation=Evaluation(n_jobs=n)) for n in (1, 2))
    assert one == two


@pytest.mark.needs_jit
def test_log_partition_of_independent_units_over_several_tasks():
    model = oracle_model(shape=(16, 17))
    model = replace(model, W=0 * model.W)
    expected = np.logaddexp(0, model.b).sum() + np.logaddexp(0, model.c).sum()
    assert log_z(model) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("task", [1, 3, 4, 16])
@pytest.mark.parametrize("pair", PAIRS[:3])
def test_log_partition_does_not_depend_on_the_size_of_the_tasks(pair, task, monkeypatch):
    model = oracle_model(*pair, (3, 3))
    monkeypatch.setattr(exact, "TASK", task)
    assert log_z(model) == pytest.approx(rbm.log_partition(model), rel=1e-13)


def test_log_partition_of_an_exact_value_has_no_error():
    model = oracle_model()
    answer = log_partition(library_model(model), library_params(model))
    assert answer.standard_error == 0.0
    assert answer.interval == (answer.value, answer.value)
    assert answer.method == "exact"
    assert type(answer.value) is float


@pytest.mark.parametrize("types", [(Bernoulli(), Bernoulli()), (Gaussian(), Bernoulli())])
def test_log_partition_refuses_more_than_25_units(types):
    model = Bipartite(*types)
    with pytest.raises(ValueError, match="at most 25 two-state units; the smallest has 26"):
        log_partition(model, zero_params(model, 26, 26), "exact")


def test_parameters_are_left_alone():
    model = oracle_model("gaussian", "bernoulli")
    params = library_params(model)
    before = library_model(model).pack(params)
    log_partition(library_model(model), params)
    pseudo_log_likelihood(library_model(model), params, rows_for(model, 3))
    np.testing.assert_array_equal(library_model(model).pack(params), before)


# The pseudo-likelihood -------------------------------------------------------------------------


def scores(model, X, dtype=np.float64):
    X = np.asarray(X, dtype)
    return pseudo_log_likelihood(library_model(model), library_params(model, dtype), X)


def conditional_by_quadrature(model, v, i):
    """log p(v_i | v_-i) of a Gaussian unit: the density along one axis, normalised numerically."""

    def log_density(x):
        moved = v.copy()
        moved[i] = x
        return rbm.log_weight_visible(model, moved)

    if model.zh is None:
        means = [rbm.visible_moments(model, h)[0][i] for h in rbm.all_states(len(model.c))]
    else:  # a parabola: its top, from three points
        left, mid, right = (log_density(x) for x in (-1.0, 0.0, 1.0))
        means = [(right - left) / (2 * (2 * mid - left - right))]
    sd = np.exp(model.z[i] / 2)
    top = max(log_density(x) for x in [v[i], *means])
    integral, _ = integrate.quad(
        lambda x: np.exp(log_density(x) - top),
        min(means) - 15 * sd,
        max(means) + 15 * sd,
        points=np.unique(means)[:40],
        limit=400,
        epsabs=0,
        epsrel=1e-11,
    )
    return log_density(v[i]) - top - np.log(integral)


class Counts(Bernoulli):
    """Stands for a unit that is still to come: 0, 1, 2 ..., without end."""

    states = None


class Thirds(Bernoulli):
    """Stands for a unit of three states."""

    states = (0.0, 0.5, 1.0)


@pytest.mark.parametrize(
    ("layer", "unit"), [("visible", Counts()), ("hidden", Counts()), ("hidden", Thirds())]
)
def test_pseudo_likelihood_of_other_units_is_refused(layer, unit):
    # (Hidden units of any type will do under visible units whose states can be listed.)
    pair = ("bernoulli", "gaussian") if layer == "visible" else ("gaussian", "bernoulli")
    model = oracle_model(*pair)
    changed = replace(library_model(model), **{layer: unit})
    with pytest.raises(TypeError, match=type(unit).__name__):
        pseudo_log_likelihood(changed, library_params(model), rows_for(model, 3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
def test_pseudo_likelihood_of_binary_rows_is_the_definition(hidden, scale, dtype):
    model = rounded(oracle_model("bernoulli", hidden, scale=scale))
    X = rbm.all_states(4)
    expected = rbm.pseudo_log_likelihood(model, X)
    np.testing.assert_allclose(scores(model, X, dtype), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("scale", [1.0, 5.0])
@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
def test_pseudo_likelihood_of_grey_rows_is_the_flip_score(hidden, scale):
    model = oracle_model("bernoulli", hidden, scale=scale)
    X = np.random.default_rng(4).uniform(size=(6, 4))
    X[0] = [0.0, 1.0, 0.5, 0.25]
    np.testing.assert_allclose(scores(model, X), rbm.flip_score(model, X), rtol=1e-11)


@pytest.mark.parametrize("scale", [1.0, 50.0])
@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
def test_pseudo_likelihood_of_rows_out_of_range_is_the_flip_score(hidden, scale):
    """The estimators only warn of such rows, so they have to be scored by the same formula."""
    model = oracle_model("bernoulli", hidden, (3, 10), scale=scale)
    X = 16 * np.random.default_rng(4).normal(size=(6, 3))
    np.testing.assert_allclose(scores(model, X), rbm.flip_score(model, X), rtol=1e-11)


@pytest.mark.parametrize("scale", [50.0, 300.0, 1000.0])
def test_pseudo_likelihood_does_not_overflow(scale):
    model = oracle_model(shape=(4, 6), scale=scale)
    X = np.vstack([rbm.all_states(4), [0.3, 0.0, 1.0, 0.8]])
    np.testing.assert_allclose(scores(model, X), rbm.flip_score(model, X), rtol=1e-11, atol=1e-13)


def test_pseudo_likelihood_of_many_hidden_units_does_not_overflow():
    """Products of 600 factors of up to exp(5)."""
    model = oracle_model(shape=(3, 600), scale=5.0)
    X = rbm.all_states(3)
    fields = X @ model.W + model.c
    F = -X @ model.b - np.logaddexp(0, fields).sum(axis=1)
    expected = np.zeros(8)
    for i in range(3):
        partner = [rbm.state_index(np.abs(x - np.eye(3)[i])) for x in X]
        expected -= np.logaddexp(0, F - F[partner])
    np.testing.assert_allclose(scores(model, X), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
def test_pseudo_likelihood_of_gaussian_units_is_the_conditional_density(hidden):
    model = oracle_model("gaussian", hidden, (3, 3))
    X = rows_for(model, 4)
    expected = [sum(conditional_by_quadrature(model, v, i) for i in range(3)) for v in X]
    np.testing.assert_allclose(scores(model, X), expected, rtol=1e-9)


@pytest.mark.parametrize("scale", [10.0, 50.0])
def test_pseudo_likelihood_of_gaussian_units_with_strong_weights(scale):
    """The conditional density of v_i is a mixture with far modes: sum it over the hidden states."""
    model = oracle_model("gaussian", "bernoulli", (3, 3), scale=scale)
    X = np.vstack([rows_for(model, 3), model.b + rbm.all_states(3)[3:6] @ model.W.T])
    expected = [sum(mixture_log_density(model, v, i) for i in range(3)) for v in X]
    np.testing.assert_allclose(scores(model, X), expected, rtol=1e-10)


def mixture_log_density(model, v, i):
    """log p(v_i | v_-i), by p(h | v_-i) over all h: weights exp(c'h + ... ) of the rest."""
    rest = np.delete(np.arange(len(v)), i)
    variance = np.exp(model.z)
    logs, terms = [], []
    for h in rbm.all_states(len(model.c)):
        pull = model.W @ h
        log_weight = model.c @ h + np.sum(v[rest] * pull[rest] / variance[rest])
        log_weight += (model.b[i] * pull[i] + pull[i] ** 2 / 2) / variance[i]
        deviation = v[i] - model.b[i] - pull[i]
        logs.append(log_weight)
        terms.append(
            log_weight - deviation**2 / (2 * variance[i]) - np.log(2 * np.pi * variance[i]) / 2
        )
    return rbm.log_sum_exp(terms) - rbm.log_sum_exp(logs)


def test_pseudo_likelihood_without_weights_is_the_likelihood():
    for pair in PAIRS:
        model = oracle_model(*pair)
        model = replace(model, W=0 * model.W)
        X = rows_for(model, 5)
        np.testing.assert_allclose(scores(model, X), rbm.log_likelihood(model, X), rtol=1e-10)


def test_pseudo_likelihood_of_one_visible_unit_is_the_likelihood():
    for pair in PAIRS:
        model = oracle_model(*pair, (1, 3))
        X = rows_for(model, 5)
        np.testing.assert_allclose(scores(model, X), rbm.log_likelihood(model, X), rtol=1e-10)


@pytest.mark.parametrize("pair", PAIRS)
def test_pseudo_likelihood_leaves_its_rows_alone_and_scores_each_on_its_own(pair):
    model = oracle_model(*pair)
    X = rows_for(model, 6)
    before = X.copy()
    X.flags.writeable = False
    together = scores(model, X)
    np.testing.assert_array_equal(X, before)
    single = np.concatenate([scores(model, row[np.newaxis]) for row in X])
    np.testing.assert_allclose(together, single, rtol=1e-13)
    assert together.dtype == np.float64


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_peaks_of_a_wide_density_are_all_that_its_grid_has_to_hold(scale, monkeypatch):
    """With weights far above sigma the grid would be endless; near the peaks the sum is the same."""
    rng = np.random.default_rng(5)
    model = rbm.OracleRBM(
        scale * rng.normal(size=(3, 6)),
        rng.normal(size=3),
        scale * rng.normal(size=6),
        z=rng.normal(size=3),
    )
    X = rng.normal(size=(5, 3)) * scale
    whole = scores(model, X)
    monkeypatch.setattr(pseudo_likelihood, "WIDEST", 0.0)
    np.testing.assert_allclose(scores(model, X), whole, rtol=1e-11)


def test_reconstruction_error_is_the_mean_square_of_one_pass_up_and_down():
    oracle = oracle_model("gaussian", "bernoulli", (3, 4))
    model, params = library_model(oracle), library_params(oracle)
    X = np.random.default_rng(6).normal(size=(7, 3))
    up = model.hidden_mean(params, X)
    expected = np.mean((model.visible_mean(params, up) - X) ** 2)
    assert reconstruction_error(model, params, X) == pytest.approx(expected, rel=1e-12)
