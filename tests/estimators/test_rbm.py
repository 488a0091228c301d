"""What a fitted restricted Boltzmann machine does, held against enumeration."""

from __future__ import annotations

import copy
import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import skops.io
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from ebm import RBM, BernoulliRBM, GaussianRBM
from ebm.gradients import ContrastiveDivergence, PersistentContrastiveDivergence
from ebm.optimizers import Momentum, Nesterov
from ebm.units import Gaussian
from tests.estimators.machines import (
    N_COMPONENTS,
    N_FEATURES,
    NAMES,
    machine,
    oracle,
    rows,
    same_state,
    with_parameters,
)
from tests.oracles import known_answers as known
from tests.oracles import rbm as slow
from tests.statistics import assert_same_distribution, assert_same_mean, state_counts

every_machine = pytest.mark.parametrize("name", NAMES)
both_precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def random_model(n_visible=4, n_hidden=3, seed=0, gaussian=False):
    rng = np.random.default_rng(seed)
    return slow.OracleRBM(
        W=rng.normal(size=(n_visible, n_hidden)),
        b=0.5 * rng.normal(size=n_visible),
        c=0.5 * rng.normal(size=n_hidden),
        z=0.5 * rng.normal(size=n_visible) if gaussian else None,
    )


# Shapes and precision ----------------------------------------------------------------------------


@every_machine
@both_precisions
@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix])
def test_everything_has_the_documented_shape_and_the_precision_of_the_data(name, dtype, container):
    X = container(rows(name, dtype=dtype))
    n = X.shape[0]
    rbm = machine(name).fit(X).partial_fit(X[:7])
    H = rbm.transform(X)
    visible = [
        rbm.inverse_transform(H),
        rbm.reconstruct(X),
        rbm.gibbs(X),
        rbm.impute(X, n_steps=2),
        rbm.sample(n, n_steps=2),
    ]
    for values, shape in [(H, (n, N_COMPONENTS)), *((v, (n, N_FEATURES)) for v in visible)]:
        assert values.shape == shape
        assert values.dtype == dtype
        assert np.isfinite(values).all()
    for values in (rbm.energy(X, H), rbm.free_energy(X), rbm.score_samples(X)):
        assert values.shape == (n,)
        assert np.isfinite(values).all()
    assert rbm.log_likelihood(X).shape == (n,)
    assert rbm.score(X) == rbm.score_samples(X).mean()
    assert rbm.components_.shape == (N_COMPONENTS, N_FEATURES)
    assert rbm.offset_visible_.shape == rbm.intercept_visible_.shape == (N_FEATURES,)
    assert rbm.offset_hidden_.shape == rbm.intercept_hidden_.shape == (N_COMPONENTS,)
    for attribute, values in vars(rbm).items():
        if attribute.endswith("_") and isinstance(values, np.ndarray):
            assert values.dtype == dtype, attribute


@every_machine
def test_csr_rows_give_what_dense_rows_give(name):
    X = rows(name)
    X[::3] = 0
    dense, sparse = machine(name).fit(X), machine(name).fit(sp.csr_matrix(X))
    assert same_state(dense, sparse)
    dense.partial_fit(X[:9])
    sparse.partial_fit(sp.csr_matrix(X[:9]))
    assert same_state(dense, sparse)


@every_machine
def test_fit_of_no_epochs_is_a_usable_start(name):
    X = rows(name)
    rbm = machine(name, n_iter=0).fit(X)
    assert np.isfinite(rbm.score(X))
    assert len(rbm.history_.get("epoch", [])) == 0


def test_history_has_a_row_per_epoch():
    settings = {"n_iter": 4, "learning_rate": 0.1, "schedule": "constant"}
    rbm = machine("bernoulli", callbacks=lambda report: {"twice": 2 * report.epoch}, **settings)
    table = pd.DataFrame(rbm.fit(rows("bernoulli")).history_)
    assert table["epoch"].tolist() == [1, 2, 3, 4]
    assert table["twice"].tolist() == [2, 4, 6, 8]
    assert table["learning_rate"].tolist() == [0.1] * 4
    assert (np.diff(table["time"]) > 0).all()


# Against enumeration -----------------------------------------------------------------------------


@pytest.mark.parametrize("gaussian", [False, True])
def test_energies_means_and_partition_function_are_those_of_the_oracle(gaussian):
    model = random_model(gaussian=gaussian)
    rbm = with_parameters(model)
    X = rows("gaussian" if gaussian else "bernoulli", 12, 4)
    H = rows("bernoulli", 12, 3, seed=1)
    energy = [slow.energy(model, v, h) for v, h in zip(X, H, strict=True)]
    np.testing.assert_allclose(rbm.energy(X, H), energy, rtol=1e-10)
    free_energy = [-slow.log_weight_visible(model, v) for v in X]
    np.testing.assert_allclose(rbm.free_energy(X), free_energy, rtol=1e-10)
    for beta in (1.0, 0.3):
        value = slow.log_partition(model, beta)
        np.testing.assert_allclose(rbm.log_partition(beta=beta).value, value, rtol=1e-10)
    np.testing.assert_allclose(rbm.log_likelihood(X), slow.log_likelihood(model, X), rtol=1e-9)


def test_pseudo_likelihood_is_that_of_the_table():
    model = random_model()
    X = slow.all_states(4)
    np.testing.assert_allclose(
        with_parameters(model).score_samples(X), slow.pseudo_log_likelihood(model, X), rtol=1e-9
    )


@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
def test_likelihood_sums_to_one_over_all_states(hidden):
    rbm = machine(f"bernoulli-{hidden}", n_iter=20).fit(rows("bernoulli"))
    total = np.exp(rbm.log_likelihood(slow.all_states(N_FEATURES))).sum()
    np.testing.assert_allclose(total, 1, rtol=1e-10)


def test_gaussian_likelihood_integrates_to_one():
    X = rows("gaussian", n_features=1)
    rbm = machine("gaussian", n_iter=20).fit(X)
    grid = np.linspace(-15, 15, 3001)
    density = np.exp(rbm.log_likelihood(grid[:, np.newaxis]))
    np.testing.assert_allclose(np.trapezoid(density, grid), 1, rtol=1e-8)


def test_known_answers_of_the_bernoulli_machine():
    rbm = with_parameters(known.RBM_4_4)
    partition = rbm.log_partition()
    np.testing.assert_allclose(partition.value, known.RBM_4_4_LOG_PARTITION, rtol=1e-12)
    np.testing.assert_allclose(partition.value, known.RBM_4_4_LOG_PARTITION_PUBLISHED, rtol=1e-9)
    assert partition.standard_error == 0
    assert partition.interval == (partition.value, partition.value)
    assert partition.method == "exact"
    mean = rbm.log_likelihood(known.RBM_4_4_DATA).mean()
    np.testing.assert_allclose(mean, known.RBM_4_4_MEAN_LOG_LIKELIHOOD, rtol=1e-9)


def test_known_answers_of_the_gaussian_machine():
    rbm = with_parameters(known.GAUSSIAN_RBM_2_2)
    value = rbm.log_partition("exact").value
    np.testing.assert_allclose(value, known.GAUSSIAN_RBM_2_2_LOG_PARTITION, rtol=1e-12)
    for v, h, energy in known.GAUSSIAN_RBM_2_2_ENERGIES:
        np.testing.assert_allclose(rbm.energy([v], [h]), energy, rtol=1e-9)
    np.testing.assert_array_equal(rbm.variances_, [1, 1])


def test_inverse_transform_is_the_mean_of_the_visible_units():
    model = random_model()
    H = slow.all_states(3)
    mean = 1 / (1 + np.exp(-(model.b + H @ model.W.T)))
    np.testing.assert_allclose(with_parameters(model).inverse_transform(H), mean, rtol=1e-6)
    model = random_model(gaussian=True)
    mean = model.b + H @ model.W.T
    np.testing.assert_allclose(with_parameters(model).inverse_transform(H), mean, rtol=1e-12)


# Samples -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [1.0, 0.4])
@both_precisions
def test_samples_have_the_joint_law_of_the_visible_units(beta, dtype):
    model = random_model()
    V = with_parameters(model, dtype).sample(20_000, n_steps=60, beta=beta, random_state=1)
    assert_same_distribution(state_counts(V), slow.visible_probabilities(model, beta))


def test_samples_of_a_fitted_machine_have_its_law():
    rbm = machine("bernoulli", n_iter=30, learning_rate=0.3).fit(rows("bernoulli"))
    V = rbm.sample(20_000, n_steps=60)
    assert_same_distribution(state_counts(V), slow.visible_probabilities(oracle(rbm)))


def test_samples_given_some_features_have_the_conditional_law():
    model = random_model()
    given = np.array([np.nan, 1.0, np.nan, 0.0])
    V = with_parameters(model).sample(20_000, n_steps=60, given=given, random_state=2)
    states = slow.all_states(4)
    fits = (states[:, 1] == 1) & (states[:, 3] == 0)
    p = np.where(fits, slow.visible_probabilities(model), 0)
    assert_same_distribution(state_counts(V), p / p.sum())


def test_samples_of_gaussian_units_have_the_moments_of_the_mixture():
    model = random_model(gaussian=True)
    V = with_parameters(model).sample(20_000, n_steps=100, random_state=3)
    p = slow.hidden_probabilities(model)
    means = model.b + slow.all_states(3) @ model.W.T
    assert_same_mean(V, p @ means)
    second = np.einsum("h,hi,hj->ij", p, means, means) + np.diag(np.exp(model.z))
    assert_same_mean(np.einsum("ri,rj->rij", V, V), second)


@every_machine
def test_given_features_stay_bit_for_bit(name):
    X = rows(name)
    rbm = machine(name).fit(X)
    known_entries = np.random.default_rng(5).random(X.shape) < 0.5
    given = np.where(known_entries, X / 3, np.nan)
    V = rbm.sample(len(X), n_steps=3, given=given)
    np.testing.assert_array_equal(V[known_entries], given[known_entries])
    assert np.isfinite(V).all()
    one_row = rbm.sample(4, n_steps=3, given=given[0])
    np.testing.assert_array_equal(
        one_row[:, known_entries[0]], np.tile(given[0, known_entries[0]], (4, 1))
    )


@every_machine
def test_samples_follow_the_random_state_and_otherwise_go_on(name):
    X = rows(name)
    rbm, twin = machine(name).fit(X), machine(name).fit(X)
    first, second = rbm.sample(6, n_steps=3), rbm.sample(6, n_steps=3)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, twin.sample(6, n_steps=3))
    np.testing.assert_array_equal(
        rbm.sample(6, n_steps=3, random_state=4), twin.sample(6, n_steps=3, random_state=4)
    )
    np.testing.assert_array_equal(twin.sample(6, n_steps=3), second)


def test_refitting_starts_the_draws_anew():
    X = rows("bernoulli")
    rbm = machine("bernoulli")
    first = rbm.fit(X).sample(10, n_steps=3)
    np.testing.assert_array_equal(first, rbm.fit(X).sample(10, n_steps=3))


# Imputation --------------------------------------------------------------------------------------


def test_imputed_values_are_the_expectations_given_the_known_ones():
    model = random_model()
    given = np.array([np.nan, 1.0, np.nan, 0.0])
    states = slow.all_states(4)
    fits = (states[:, 1] == 1) & (states[:, 3] == 0)
    p = slow.visible_probabilities(model)[fits]
    exact = p @ states[fits] / p.sum()
    filled = with_parameters(model).impute(np.tile(given, (2000, 1)), n_steps=60)
    assert_same_mean(filled, exact)


@every_machine
@both_precisions
def test_imputation_keeps_the_known_and_fills_the_rest(name, dtype):
    X = rows(name, dtype=dtype)
    rbm = machine(name).fit(X)
    known_entries = np.random.default_rng(5).random(X.shape) < 0.5
    holes = np.where(known_entries, X, np.nan).astype(dtype)
    before = holes.copy()
    filled = rbm.impute(holes, n_steps=4)
    np.testing.assert_array_equal(filled[known_entries], X[known_entries])
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled, rbm.impute(holes, n_steps=4))
    np.testing.assert_array_equal(holes, before)
    np.testing.assert_array_equal(rbm.impute(X, n_steps=4), X)
    assert np.isfinite(rbm.impute(np.full_like(X, np.nan), n_steps=1)).all()


# Weights -----------------------------------------------------------------------------------------


@every_machine
def test_weighted_rows_are_repeated_rows(name):
    X = rows(name)
    weights = np.random.default_rng(3).integers(0, 4, len(X))
    weighted = machine(name).fit(X, sample_weight=weights)
    repeated = machine(name).fit(np.repeat(X, weights, axis=0))
    for attribute in ("components_", "intercept_visible_", "intercept_hidden_"):
        np.testing.assert_allclose(
            getattr(weighted, attribute), getattr(repeated, attribute), rtol=1e-6, atol=1e-9
        )


def test_equal_weights_are_no_weights():
    X = rows("bernoulli")
    plain = machine("bernoulli").fit(X)
    assert same_state(plain, machine("bernoulli").fit(X, sample_weight=np.ones(len(X))))
    weighted = machine("bernoulli").partial_fit(X, sample_weight=np.full(len(X), 0.25))
    unweighted = machine("bernoulli").partial_fit(X)
    np.testing.assert_allclose(weighted.components_, unweighted.components_, rtol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 10])
@pytest.mark.parametrize("scale", [10.0, 1.0, 1e-3, 1e-200])
def test_fractional_weights_count_whatever_the_batch_size_and_their_scale(batch_size, scale):
    rbm = BernoulliRBM(n_components=1, batch_size=batch_size, learning_rate=0.01, random_state=0)
    rbm.set_params(n_iter=1500, schedule="constant")
    rbm.fit([[0.0], [1.0]], sample_weight=scale * np.array([0.1, 0.9]))
    np.testing.assert_allclose(np.exp(rbm.log_likelihood([[1.0]])), 0.9, atol=0.05)


def test_order_of_the_rows_does_not_matter():
    X = rows("bernoulli")
    order = np.random.default_rng(0).permutation(len(X))
    one, other = machine("bernoulli").fit(X), machine("bernoulli").fit(X[order])
    np.testing.assert_allclose(one.components_, other.components_, rtol=1e-9)


# Going on ----------------------------------------------------------------------------------------


def test_another_optimiser_does_not_take_over_what_the_last_one_remembers():
    """A velocity may be negative, a sum of squares may not: its root would not be a number."""
    X = rows("bernoulli")
    rbm = machine("bernoulli", warm_start=True, optimizer="momentum", n_iter=3).fit(X)
    velocity = rbm._course.memory[1]
    assert (velocity < 0).any()
    rbm.set_params(optimizer="adagrad", n_iter=1).fit(X)
    assert (rbm._course.memory[1] >= 0).all() and np.isfinite(rbm.components_).all()


@every_machine
@pytest.mark.parametrize("optimizer", ["sgd", "nesterov"])
def test_warm_start_goes_on_from_the_last_solution(name, optimizer):
    X = rows(name)
    rbm = machine(name, warm_start=True, optimizer=optimizer, n_iter=2).fit(X)
    before = rbm.components_.copy()
    rbm.set_params(n_iter=0).fit(X)
    np.testing.assert_allclose(rbm.components_, before, rtol=1e-12)
    rbm.set_params(n_iter=3).fit(X)
    assert list(rbm.history_["epoch"]) == [1, 2, 3, 4, 5]
    assert not np.array_equal(rbm.components_, before)


def test_fit_without_warm_start_forgets():
    X = rows("bernoulli")
    fresh = machine("bernoulli", optimizer="momentum").fit(X)
    used = machine("bernoulli", optimizer="momentum").fit(X).partial_fit(X).fit(X)
    assert same_state(fresh, used)
    assert list(used.history_["epoch"]) == [1, 2, 3]


@pytest.mark.parametrize(("first", "second"), [("f4", "f8"), ("f8", "f4")])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix])
def test_model_keeps_its_precision_when_later_rows_have_another(first, second, container):
    X = rows("bernoulli")
    for method in ("fit", "partial_fit"):
        rbm = machine("bernoulli", warm_start=True).fit(container(X.astype(first)))
        getattr(rbm, method)(container(X.astype(second)))
        assert rbm.components_.dtype == rbm.transform(X.astype(second)).dtype == first


CHANGES = [
    {"batch_size": 1},
    {"batch_size": 64},
    {"gradient": "cd"},
    {"gradient": "exact"},
    {"gradient": PersistentContrastiveDivergence(n_chains=1, n_steps=2)},
    {"gradient": PersistentContrastiveDivergence(n_chains=100, centered=False)},
    {"optimizer": "nesterov"},
    {"optimizer": "sgd", "schedule": "linear"},
    {"gradient": "pcd", "weight_decay": 0.01},
]


@pytest.mark.parametrize("name", ["bernoulli", "gaussian", "bernoulli-gaussian"])
def test_settings_may_change_between_updates(name):
    rbm = machine(name, warm_start=True)
    for step, change in enumerate(CHANGES + CHANGES[::-1]):
        rbm.set_params(**change)
        for n_rows in (1, 23, 5):
            rbm.partial_fit(rows(name, n_rows, seed=step))
        rbm.fit(rows(name, 11, seed=step))
        assert np.isfinite(rbm.components_).all()
        assert np.isfinite(rbm.score(rows(name)))


def test_uncentred_gradient_after_a_centred_one_is_uncentred():
    X = rows("bernoulli")
    rbm = machine("bernoulli").fit(X)
    rbm.set_params(gradient=PersistentContrastiveDivergence(centered=False)).partial_fit(X)
    np.testing.assert_array_equal(rbm.offset_visible_, np.zeros(N_FEATURES))


def test_warm_start_does_not_ignore_a_new_number_of_components():
    X = rows("bernoulli")
    rbm = machine("bernoulli", warm_start=True).fit(X).set_params(n_components=N_COMPONENTS + 1)
    with pytest.raises(ValueError, match="n_components"):
        rbm.fit(X)
    with pytest.raises(ValueError, match="n_components"):
        rbm.partial_fit(X)


# Records, strings, search --------------------------------------------------------------------------


def test_nested_names_reach_into_records_and_strings():
    rbm = BernoulliRBM().set_params(gradient__n_steps=3, optimizer="momentum")
    rbm.set_params(optimizer__momentum=0.5, schedule="inverse")
    assert rbm.gradient == PersistentContrastiveDivergence(n_steps=3)
    assert rbm.optimizer == Momentum(momentum=0.5)
    rbm.set_params(gradient="cd", gradient__n_steps=4)
    assert rbm.gradient == ContrastiveDivergence(n_steps=4)
    machine_of_units = RBM().set_params(visible="gaussian", visible__variance="unit")
    assert machine_of_units.visible.variance == "unit"


def test_unknown_nested_names_and_values_are_refused():
    with pytest.raises(ValueError, match=r"Invalid parameter 'n_step' .*n_steps"):
        BernoulliRBM().set_params(gradient__n_step=3)
    with pytest.raises(ValueError, match="n_steps must be an integer"):
        BernoulliRBM().set_params(gradient__n_steps=0)
    with pytest.raises(ValueError, match="Invalid parameter"):
        BernoulliRBM().set_params(unknown=1)


def test_setting_a_clone_leaves_the_record_of_the_original_alone():
    record = ContrastiveDivergence(n_steps=2)
    rbm = BernoulliRBM(gradient=record)
    clone(rbm).set_params(gradient__n_steps=9)
    assert record.n_steps == 2


GRIDS = [
    {"gradient__n_steps": [1, 3]},
    {"gradient": ["cd", "pcd"], "gradient__n_steps": [1, 2]},
    {"optimizer": [Nesterov()], "optimizer__momentum": [0.0, 0.5]},
    {"optimizer": ["sgd", "momentum"], "schedule": ["constant", "linear"], "n_components": [2]},
]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("gradient", ["pcd", PersistentContrastiveDivergence(n_chains=4)])
def test_grid_search_over_nested_settings(grid, gradient):
    X = rows("bernoulli")
    search = GridSearchCV(machine("bernoulli", gradient=gradient), grid, cv=2, error_score="raise")
    search.fit(X)
    assert set(search.best_params_) == set(grid)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_grid_search_in_two_processes_is_that_in_one():
    X = rows("bernoulli")
    grid = {"n_components": [2, 3], "gradient__n_steps": [1, 2]}
    scores = [
        GridSearchCV(machine("bernoulli"), grid, cv=2, n_jobs=n_jobs)
        .fit(X)
        .cv_results_["mean_test_score"]
        for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)


def test_pipeline_with_nested_settings_learns_and_predicts():
    X = rows("bernoulli", 200)
    y = X.mean(axis=1) > 0.5
    pipeline = make_pipeline(machine("bernoulli"), LogisticRegression())
    pipeline.set_params(bernoullirbm__gradient__n_steps=2, bernoullirbm__n_iter=30)
    assert pipeline.fit(X, y).score(X, y) > 0.8
    assert pipeline["bernoullirbm"].gradient.n_steps == 2


def test_weights_are_routed_through_a_pipeline():
    X = rows("bernoulli")
    weights = np.arange(len(X)) % 3
    with config_context(enable_metadata_routing=True):
        rbm = machine("bernoulli").set_fit_request(sample_weight=True)
        pipeline = make_pipeline(rbm, LogisticRegression().set_fit_request(sample_weight=False))
        pipeline.fit(X, X[:, 0], sample_weight=weights)
    assert same_state(pipeline[0], machine("bernoulli").fit(X, sample_weight=weights))


# Frames --------------------------------------------------------------------------------------------


def test_frames_in_and_out():
    X = rows("bernoulli")
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(len(X)) + 100)
    rbm = machine("bernoulli").set_output(transform="pandas").fit(frame)
    features = rbm.transform(frame)
    assert isinstance(features, pd.DataFrame)
    assert features.columns.tolist() == rbm.get_feature_names_out().tolist()
    assert features.index.equals(frame.index)
    assert rbm.feature_names_in_.tolist() == list("abcde")
    assert same_state(rbm, machine("bernoulli").fit(X))
    np.testing.assert_array_equal(rbm.inverse_transform(features), rbm.reconstruct(frame))
    assert rbm.impute(frame.mask(frame == 1), n_steps=2).shape == frame.shape
    with pytest.raises(ValueError, match="feature names"):
        rbm.transform(frame[list("edcba")])
    with config_context(transform_output="pandas"):
        assert isinstance(machine("bernoulli").fit_transform(X), pd.DataFrame)


def test_frames_between_the_steps_of_a_pipeline():
    X = rows("bernoulli")
    pipeline = make_pipeline(machine("bernoulli"), LogisticRegression())
    pipeline.set_output(transform="pandas").fit(X, X[:, 0])
    assert pipeline.predict(X).shape == (len(X),)


@every_machine
def test_html_representation_shows_the_settings(name):
    rbm = machine(name, gradient=PersistentContrastiveDivergence(n_steps=77))
    for state in (rbm, rbm.fit(rows(name))):
        page = state._repr_html_()
        assert type(rbm).__name__ in page
        assert "77" in page
    assert "n_steps=77" in repr(rbm)


# Round trips ---------------------------------------------------------------------------------------


def through_pickle(rbm):
    return pickle.loads(pickle.dumps(rbm))


def through_joblib(rbm):
    file = io.BytesIO()
    joblib.dump(rbm, file)
    file.seek(0)
    return joblib.load(file)


def through_skops(rbm):
    data = skops.io.dumps(rbm)
    types = skops.io.get_untrusted_types(data=data)
    assert all(name.startswith("ebm.") for name in types)
    return skops.io.loads(data, trusted=types)


@every_machine
@pytest.mark.parametrize("trip", [through_pickle, through_joblib, through_skops, copy.deepcopy])
@pytest.mark.parametrize("optimizer", ["sgd", Nesterov(momentum=0.5)])
def test_a_stored_machine_goes_on_like_the_original(name, trip, optimizer):
    X = rows(name)
    rbm = machine(name, optimizer=optimizer, warm_start=True)
    assert trip(rbm).get_params()["optimizer"] == optimizer
    rbm.fit(X).sample(2, n_steps=1)
    stored = trip(rbm)
    for twin in (rbm, stored):
        twin.partial_fit(X[:7]).fit(X)
    assert same_state(rbm, stored)
    np.testing.assert_array_equal(rbm.sample(5, n_steps=2), stored.sample(5, n_steps=2))
    np.testing.assert_array_equal(rbm.transform(X), stored.transform(X))
    np.testing.assert_array_equal(stored.history_["epoch"], rbm.history_["epoch"])


def test_a_memory_mapped_machine_can_be_used_and_goes_on(tmp_path):
    X = rows("bernoulli")
    rbm = machine("bernoulli").fit(X)
    joblib.dump(rbm, tmp_path / "rbm.joblib")
    mapped = joblib.load(tmp_path / "rbm.joblib", mmap_mode="r")
    np.testing.assert_array_equal(rbm.transform(X), mapped.transform(X))
    np.testing.assert_array_equal(rbm.impute(X, n_steps=2), mapped.impute(X, n_steps=2))
    assert same_state(rbm.partial_fit(X), mapped.partial_fit(X))


def test_gaussian_variances_given_as_a_list_survive_the_round_trips():
    X = rows("gaussian")
    variance = [1.0, 2.0, 3.0, 4.0, 5.0]
    for rbm in (
        GaussianRBM(n_components=2, variance=variance, random_state=0),
        GaussianRBM(n_components=2, variance=np.array(variance), random_state=0),
        RBM(n_components=2, visible=Gaussian(variance=variance), random_state=0),
    ):
        fitted = clone(rbm).fit(X)
        for stored in (through_pickle(fitted), through_skops(fitted)):
            np.testing.assert_allclose(np.exp(stored.log_variance_visible_), variance)


# Variances -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variance", "kept"), [("unit", 1), (2.5, 2.5), (2, 2), ([1, 2, 3, 4, 5.0], [1, 2, 3, 4, 5])]
)
def test_given_variances_are_kept(variance, kept):
    rbm = machine("gaussian", variance=variance, n_iter=5).fit(rows("gaussian"))
    np.testing.assert_allclose(rbm.variances_, np.broadcast_to(kept, N_FEATURES), rtol=1e-12)
    rbm.partial_fit(rows("gaussian"))
    np.testing.assert_allclose(rbm.variances_, np.broadcast_to(kept, N_FEATURES), rtol=1e-12)


def test_learned_variances_are_those_of_the_data_where_nothing_else_is_to_be_learned():
    X = np.random.default_rng(0).normal(size=(2000, 3)) * [0.5, 1, 4]
    rbm = GaussianRBM(n_components=1, random_state=0).fit(X)
    np.testing.assert_allclose(rbm.variances_, X.var(axis=0), rtol=0.2)


@both_precisions
def test_all_hidden_units_learn_from_rows_of_many_features(dtype):
    images = load_digits().images
    X = np.kron(images, np.ones((2, 2))).reshape(len(images), -1) / 16
    X += np.random.default_rng(0).normal(scale=0.3, size=X.shape)
    rbm = GaussianRBM(50, random_state=0).fit(X.astype(dtype))
    assert rbm.transform(X).std(axis=0).min() > 0.1


@pytest.mark.parametrize("power", [-40, -20, 20, 40])
def test_learning_does_as_well_in_any_unit_of_measurement(power):
    # The order of the rows changes with their content, and with it what is found: by about 0.5 nats.
    X = rows("gaussian", 300)
    X[:100] += 4
    scale = 2.0**power
    settings = {"n_components": 2, "batch_size": 100, "n_iter": 100, "random_state": 0}
    plain, scaled = (GaussianRBM(**settings).fit(factor * X) for factor in (1.0, scale))
    likelihood = scaled.log_likelihood(scale * X) + N_FEATURES * np.log(scale)
    np.testing.assert_allclose(likelihood.mean(), plain.log_likelihood(X).mean(), atol=1.0)


# Threads -------------------------------------------------------------------------------------------


def test_concurrent_fits_are_those_one_after_the_other():
    X = rows("bernoulli")

    def fit(seed):
        return machine("bernoulli", random_state=seed).fit(X)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fit, range(8)))
    for seed, rbm in enumerate(together):
        assert same_state(rbm, fit(seed))
    fits = joblib.Parallel(n_jobs=2, backend="threading")(joblib.delayed(fit)(s) for s in (0, 1))
    assert same_state(fits[1], together[1])
