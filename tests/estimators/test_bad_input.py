"""Bad input and bad luck: what is refused, with which words, and what is left when training ends early."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from ebm import (
    AIS,
    RAISE,
    RBM,
    BernoulliRBM,
    EarlyStopping,
    GaussianRBM,
    ParallelTempering,
    PersistentContrastiveDivergence,
    Regularization,
    Tempering,
)
from ebm.gradients import ContrastiveDivergence
from ebm.optimizers import Nesterov
from tests.estimators.machines import N_FEATURES, NAMES, machine, rows

every_machine = pytest.mark.parametrize("name", NAMES)
every_fit = pytest.mark.parametrize("fit", ["fit", "partial_fit"])
READERS = [
    "transform",
    "reconstruct",
    "gibbs",
    "free_energy",
    "score_samples",
    "score",
    "log_likelihood",
]
TAKE_GAPS = {"free_energy", "log_likelihood", "transform", "reconstruct"}


# Rows ----------------------------------------------------------------------------------------------


@every_machine
@every_fit
@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix])
def test_infinity_is_refused_with_the_remedy(name, fit, value, container):
    X = rows(name)
    X[3, 1] = value
    with pytest.raises(ValueError, match=r"infinity.*leave such rows out, or write NaN"):
        getattr(machine(name), fit)(container(X))


@every_machine
def test_nan_is_refused_by_whatever_reads_complete_rows(name):
    X = rows(name)
    rbm = machine(name).fit(X)
    X[3, 1] = np.nan
    for method in set(READERS) - TAKE_GAPS:
        with pytest.raises(ValueError, match=r"NaN[\s\S]*impute"):
            getattr(rbm, method)(X)


@every_fit
@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix, pd.DataFrame])
def test_values_outside_0_and_1_draw_one_warning_with_the_fix(fit, container):
    X = container(rows("gaussian"))
    with pytest.warns(UserWarning, match=r"MinMaxScaler[\s\S]*GaussianRBM") as caught:
        getattr(machine("bernoulli"), fit)(X)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@every_fit
def test_probabilities_draw_no_warning(fit):
    X = np.random.default_rng(0).random((20, N_FEATURES))
    assert np.isfinite(getattr(machine("bernoulli"), fit)(X).components_).all()


@every_machine
@every_fit
@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.ones((0, 3)), "0 sample"),
        (np.ones((3, 0)), "0 feature"),
        (np.ones(3), "2D array"),
        (np.ones((2, 2, 2)), r"dim 3.*reshape\(len\(X\), -1\)"),
        (np.ones((2, 2), complex), "Complex"),
        ([["a", "b"]], "could not convert string"),
        ("abc", "could not convert string|2D array"),
        (None, "2D array"),
        (5, "2D array"),
        ([[1, 2], [3]], "inhomogeneous"),
        (sp.csr_matrix((0, 3)), "0 sample"),
    ],
)
def test_what_is_not_a_table_of_numbers_is_refused(name, fit, X, words):
    rbm = machine(name)
    with pytest.raises(ValueError, match=words):
        getattr(rbm, fit)(X)
    assert not hasattr(rbm, "components_")


@every_machine
def test_wrong_number_of_features_is_named(name):
    X = rows(name)
    rbm = machine(name).fit(X)
    for method in ["partial_fit", "impute", *READERS]:
        with pytest.raises(ValueError, match=rf"4 features, but .* expecting {N_FEATURES}"):
            getattr(rbm, method)(X[:, :4])
    with pytest.raises(ValueError, match=rf"4 features, but .* expecting {N_FEATURES}"):
        rbm.set_params(warm_start=True).fit(X[:, :4])


@every_machine
def test_unfitted_machine_says_so(name):
    rbm = machine(name)
    X = rows(name)
    for method in [*READERS, "impute", "inverse_transform"]:
        with pytest.raises(NotFittedError):
            getattr(rbm, method)(X)
    for method in ("sample", "log_partition", "get_feature_names_out"):
        with pytest.raises(NotFittedError):
            getattr(rbm, method)()


@every_machine
def test_hidden_states_of_the_wrong_kind_are_refused(name):
    X = rows(name)
    rbm = machine(name).fit(X)
    H = rbm.transform(X)
    with pytest.raises(ValueError, match="H must have 3 columns"):
        rbm.energy(X, H[:, :2])
    with pytest.raises(ValueError, match="same number of rows"):
        rbm.energy(X, H[:5])
    with pytest.raises(ValueError, match="must have 3 columns"):
        rbm.inverse_transform(H[:, :2])
    with pytest.raises(ValueError, match="must have 3 columns"):
        rbm.inverse_transform(np.ones((2, 2, 3)))


# Layouts -------------------------------------------------------------------------------------------


def layouts(X, folder):
    np.save(folder / "X.npy", X)
    read_only = X.copy()
    read_only.flags.writeable = False
    sparse = sp.csr_matrix(X)
    sparse.data.flags.writeable = False
    return {
        "read-only": read_only,
        "memory-mapped": np.load(folder / "X.npy", mmap_mode="r"),
        "Fortran": np.asfortranarray(X),
        "strided": np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
        "reversed": X[::-1, ::-1].copy()[::-1, ::-1],
        "big-endian": X.astype(">f8"),
        "list": X.tolist(),
        "frame": pd.DataFrame(X),
        "object": X.astype(object),
        "CSR": sparse,
        "CSC": sp.csc_matrix(X),
        "CSR array of 64-bit indices": sp.csr_array(
            (sparse.data, sparse.indices.astype("i8"), sparse.indptr.astype("i8")), X.shape
        ),
    }


@every_machine
def test_every_layout_gives_the_same_and_is_not_written_to(name, tmp_path):
    X = rows(name)
    expected = machine(name).fit(X).partial_fit(X)
    for layout, given in layouts(X, tmp_path).items():
        rbm = machine(name).fit(given).partial_fit(given)
        for attribute in ("components_", "intercept_visible_", "intercept_hidden_"):
            ours, theirs = getattr(rbm, attribute), getattr(expected, attribute)
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9, err_msg=layout)
        for method in set(READERS) - {"gibbs"}:  # which draws anew at each call
            ours = getattr(rbm, method)(given)
            theirs = getattr(expected, method)(X)
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9, err_msg=layout)
        now = given.toarray() if sp.issparse(given) else np.asarray(given, float)
        np.testing.assert_array_equal(now, X, err_msg=layout)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.float16])
def test_counts_and_truth_values_are_numbers(dtype):
    X = rows("bernoulli")
    rbm = machine("bernoulli").fit(X.astype(dtype))
    np.testing.assert_allclose(rbm.components_, machine("bernoulli").fit(X).components_, rtol=1e-2)


def test_empty_sparse_rows_and_columns():
    for X in (sp.csr_matrix((7, 3)), sp.csr_matrix(np.eye(3)[[0, 0, 0, 0]])):
        rbm = machine("bernoulli").fit(X).partial_fit(X)
        assert np.isfinite(rbm.score(X))


# Settings ------------------------------------------------------------------------------------------


@every_fit
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_components": 0}, "n_components.*int in the range"),
        ({"n_components": -3}, "n_components.*int in the range"),
        ({"n_components": 2.0}, "n_components.*int in the range"),
        ({"n_components": "two"}, "n_components.*int in the range"),
        ({"batch_size": 0}, "batch_size.*int in the range"),
        ({"batch_size": -1}, "batch_size.*int in the range"),
        ({"n_iter": -1}, "n_iter.*int in the range"),
        ({"learning_rate": 0}, "learning_rate.*float in the range"),
        ({"learning_rate": -1.0}, "learning_rate.*float in the range"),
        ({"learning_rate": np.nan}, "learning_rate.*float in the range"),
        ({"learning_rate": np.inf}, "learning_rate.*float in the range"),
        ({"weight_decay": -1}, "weight_decay.*float in the range"),
        ({"weight_decay": np.inf}, "weight_decay.*float in the range"),
        ({"warm_start": "yes"}, "warm_start.*bool"),
        ({"verbose": "a"}, "verbose.*int in the range"),
        ({"random_state": "a"}, "random_state.*int in the range"),
        ({"random_state": -1}, "random_state.*int in the range"),
        ({"callbacks": 3}, "callbacks.*callable"),
        ({"gradient": "pdc"}, "(?s)gradient.*(?=.*'cd')(?=.*'pcd')(?=.*'exact').*Got 'pdc'"),
        ({"gradient": None}, "(?s)gradient.*(?=.*'cd')(?=.*'pcd')(?=.*'exact').*Got None"),
        ({"gradient": Nesterov()}, r"gradient.*'cd', 'exact'.*'pcd'.*Got Nesterov\(\)"),
        ({"gradient": ContrastiveDivergence}, "gradient.*'cd', 'exact'.*'pcd'.*Got <class"),
        ({"optimizer": "adamm"}, "optimizer.*(?=.*'sgd')(?=.*'momentum')(?=.*'nesterov')"),
        ({"schedule": "cosine"}, "schedule.*(?=.*'constant')(?=.*'linear')(?=.*'inverse')"),
    ],
)
def test_settings_out_of_range_are_named_with_what_is_allowed(fit, settings, words):
    with pytest.raises(ValueError, match=words):
        getattr(machine("bernoulli", **settings), fit)(rows("bernoulli"))


@every_fit
def test_unknown_units_are_named_with_what_is_allowed(fit):
    for setting in ("visible", "hidden"):
        for value in ("potts", 3, Nesterov()):
            rbm = RBM(n_components=2, **{setting: value})
            with pytest.raises(ValueError, match=f"{setting}.*(?=.*'bernoulli')(?=.*'gaussian')"):
                getattr(rbm, fit)(rows("bernoulli"))


@every_fit
@pytest.mark.parametrize(
    ("variance", "words"),
    [
        ("full", "(?=.*'learned')(?=.*'unit')"),
        (-1.0, "'learned'.*array-like"),
        (0, "'learned'.*array-like"),
        (np.nan, "'learned'.*array-like"),
        (None, "'learned'.*array-like"),
        ([1.0, 2.0], "variance has 2 entries, but the layer has 5 units"),
        ([1.0], "variance has 1 entries, but the layer has 5 units"),
        ([1, 2, 3, 4, -5.0], "positive numbers"),
        ([1, 2, 3, 4, np.inf], "positive numbers"),
        (np.ones((1, 5)), "positive numbers"),
    ],
)
def test_impossible_variances_are_refused(fit, variance, words):
    with pytest.raises(ValueError, match=words):
        getattr(machine("gaussian", variance=variance), fit)(rows("gaussian"))


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (-np.ones(60), "[Nn]egative"),
        (np.zeros(60), "zero"),
        (np.ones(3), "shape"),
        (np.ones((60, 1)), "1D"),
        (np.full(60, np.nan), "NaN"),
        (np.full(60, np.inf), "infinity"),
    ],
)
@every_fit
def test_impossible_weights_are_refused(fit, weights, words):
    with pytest.raises(ValueError, match=words):
        getattr(machine("bernoulli"), fit)(rows("bernoulli"), sample_weight=weights)


@every_machine
def test_exact_enumeration_of_too_large_a_layer_is_refused(name):
    X = rows(name, 5, 30)
    rbm = machine(name, n_components=30, n_iter=1).fit(X)
    if name == "gaussian-gaussian":
        words = "there is none"
    else:
        words = "at most 25"
        for ask in (rbm.log_partition, lambda method: rbm.log_likelihood(X, method)):
            with pytest.raises(ValueError, match=words):
                ask("exact")
    with pytest.raises(ValueError, match=words):
        rbm.set_params(gradient="exact").fit(X)


@pytest.mark.parametrize(
    "question",
    [
        {"n_samples": 0},
        {"n_samples": -1},
        {"n_samples": 2.0},
        {"n_samples": True},
        {"n_steps": 0},
        {"n_steps": "many"},
        {"beta": 0},
        {"beta": -1.0},
        {"beta": np.nan},
        {"beta": np.inf},
        {"beta": "cold"},
        {"random_state": "a"},
        {"random_state": -1},
    ],
)
def test_impossible_samples_are_refused(question):
    rbm = machine("bernoulli").fit(rows("bernoulli"))
    with pytest.raises(ValueError, match=r"must be|cannot be used to seed"):
        rbm.sample(**question)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.ones(4), "given must have 5 columns"),
        (np.ones((2, 5)), r"given must have the shape \(5,\) or \(3, 5\)"),
        (np.ones((4, 5)), r"given must have the shape \(5,\) or \(3, 5\)"),
        (np.ones((3, 5, 1)), "given must have 5 columns"),
        ([2, 0, 0, 0, 0], "given holds values between 0 and 2"),
        ([-1, 0, 0, np.nan, 0], "given holds values between -1 and 0"),
        ([np.inf, 0, 0, 0, 0], "given holds"),
        (["a"] * 5, "could not convert"),
    ],
)
def test_impossible_conditions_are_refused(given, words):
    rbm = machine("bernoulli").fit(rows("bernoulli"))
    with pytest.raises(ValueError, match=words):
        rbm.sample(3, given=given)


def test_imputation_refuses_what_it_cannot_keep():
    rbm = machine("bernoulli").fit(rows("bernoulli"))
    with pytest.raises(ValueError, match="infinity"):
        rbm.impute(np.full((2, 5), np.inf))
    with pytest.raises(ValueError, match="n_steps must be an integer"):
        rbm.impute(np.full((2, 5), np.nan), n_steps=0)


def test_unknown_methods_of_the_partition_function_are_named():
    rbm = machine("bernoulli").fit(rows("bernoulli"))
    for ask in (rbm.log_partition, lambda method: rbm.log_likelihood(rows("bernoulli"), method)):
        with pytest.raises(ValueError, match=r"'auto'.*'exact'.*Got 'guess'"):
            ask("guess")
    with pytest.raises(ValueError, match="beta must be a number"):
        rbm.log_partition(beta=-1)


# Estimates and samplers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        ("walk", r"'sampler' parameter must be one of \['gibbs', 'tempering'\].*Got 'walk'"),
        (None, "'sampler' parameter.*Got None"),
        (Tempering, "'sampler' parameter.*Got <class"),
        (AIS(), r"'sampler' parameter.*Got AIS\(\)"),
    ],
)
def test_unknown_samplers_are_named_with_what_is_allowed(sampler, words):
    rbm = machine("bernoulli").fit(rows("bernoulli"))
    with pytest.raises(ValueError, match=words):
        rbm.sample(2, sampler=sampler)


@pytest.mark.parametrize("method", [None, 3, AIS, "rais", RAISE()])
def test_methods_of_log_z_that_there_are_not_are_named(method):
    rbm = machine("bernoulli").fit(rows("bernoulli"))
    with pytest.raises(ValueError, match=r"'method' parameter.*'ais', 'auto', 'exact'.*Got"):
        rbm.log_partition(method)


@every_fit
@pytest.mark.parametrize("cls", [PersistentContrastiveDivergence, ParallelTempering])
def test_more_chains_than_there_is_memory_for_are_refused_by_name(fit, cls):
    rbm = machine("bernoulli", gradient=cls(n_chains=10**12))
    with pytest.raises(ValueError, match=r"n_chains=10{12} chains.*GB"):
        getattr(rbm, fit)(rows("bernoulli"))
    rbm = machine("bernoulli", gradient=cls(), batch_size=10**12)
    with pytest.raises(ValueError, match=r"n_chains=10{12}.*batch size"):
        getattr(rbm, fit)(rows("bernoulli"))


@every_fit
@pytest.mark.parametrize("setting", [{"sparsity_target": 0.1}, {"dropout": 0.5}])
def test_regularization_of_binary_units_is_refused_for_others(fit, setting):
    rbm = machine("bernoulli-gaussian", regularization=Regularization(**setting))
    with pytest.raises(ValueError, match="act on binary hidden units"):
        getattr(rbm, fit)(rows("bernoulli"))


@every_machine
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_held_out_rows_that_are_not_finite_are_refused(name, value):
    X = rows(name)
    X[3, 1] = value
    with pytest.raises(ValueError, match="held_out holds NaN or infinite"):
        EarlyStopping(X)


def test_held_out_rows_of_another_width_are_refused_when_training_begins():
    X = rows("bernoulli")
    rbm = machine("bernoulli", callbacks=EarlyStopping(X[:, :3]))
    with pytest.raises(ValueError, match="held_out has 3 columns, but the model has 5"):
        rbm.fit(X)


# Small and odd data ----------------------------------------------------------------------------------


def told_of_constants(name, columns):
    """Constant columns are named where visible units are real."""
    if not name.startswith("gaussian"):
        return nullcontext()
    return pytest.warns(UserWarning, match=rf"constant \({columns}\)")


@every_machine
@pytest.mark.parametrize("gradient", ["cd", "pcd"])
def test_one_row_one_feature_one_component(name, gradient):
    for value in (0.0, 1.0, 0.3):
        X = np.array([[value]])
        with told_of_constants(name, "0"):
            rbm = machine(name, n_components=1, gradient=gradient).fit(X).partial_fit(X)
        answers = [rbm.transform(X), rbm.sample(2, n_steps=2), rbm.impute([[np.nan]], n_steps=2)]
        answers += [rbm.score(X), rbm.log_likelihood(X), rbm.log_partition().value]
        assert all(np.isfinite(answer).all() for answer in answers)


@every_machine
@pytest.mark.parametrize(("n_rows", "batch_size"), [(3, 100), (10, 10), (11, 10), (7, 1)])
def test_any_batch_size_does_for_any_number_of_rows(name, n_rows, batch_size):
    X = rows(name, n_rows)
    rbm = machine(name, batch_size=batch_size).fit(X)
    assert rbm.h_samples_.shape == (batch_size, 3)
    assert np.isfinite(rbm.score(X))


@every_machine
def test_constant_features(name):
    X = rows(name)
    X[:, 0], X[:, 1] = 0.0, 1.0
    with told_of_constants(name, "0, 1"):
        rbm = machine(name, n_iter=20).fit(X)
    assert np.isfinite(rbm.components_).all()
    assert np.isfinite(rbm.score(X))


def assert_sound(rbm, X):
    """Parameters, variances and answers are finite."""
    assert np.isfinite(rbm.components_).all()
    assert np.isfinite(rbm.intercept_visible_).all()
    assert np.isfinite(rbm.intercept_hidden_).all()
    assert np.isfinite(rbm.variances_).all()
    assert (rbm.variances_ > 0).all()
    assert np.isfinite(rbm.score(X))
    assert np.isfinite(rbm.sample(5, n_steps=5)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gaussian_machine_at_its_defaults_learns_features_of_any_scale(dtype):
    X = np.random.default_rng(0).normal(size=(200, 6)) * [1e-8, 1e-4, 1, 1e4, 1e8, 0]
    X = (X + np.array([0, 1e-4, 10, 0, 1e8, 5])).astype(dtype)
    with pytest.warns(UserWarning, match=r"constant \(5\)"):
        rbm = GaussianRBM(n_components=8, random_state=0).fit(X)
    assert_sound(rbm, X)
    np.testing.assert_allclose(rbm.variances_[:5] / X.astype(float).var(axis=0)[:5], 1, rtol=0.5)


# Beside an outlier all other rows are alike.
@pytest.mark.filterwarnings("ignore:GaussianRBM. the features hardly vary")
@pytest.mark.parametrize("n_rows", [50, 1000, 20_000])
@pytest.mark.parametrize("kind", ["one outlier", "heavy tails", "rare feature"])
def test_gaussian_machine_at_its_defaults_survives_outliers(n_rows, kind):
    rng = np.random.default_rng(0)
    if kind == "heavy tails":
        X = rng.standard_cauchy(size=(n_rows, 3))
    else:
        X = rng.normal(size=(n_rows, 3))
        X[0] = 1e6 if kind == "one outlier" else X[0]
    if kind == "rare feature":
        X[:, 1] = np.arange(n_rows) == 7
    rbm = GaussianRBM(n_components=4, n_iter=2, random_state=0).fit(X)
    assert_sound(rbm, X[:100])


@pytest.mark.parametrize("outlier", [1e3, 1e6])
def test_gaussian_machine_recovers_from_an_outlying_batch(outlier):
    X = rows("gaussian", 200)
    far = X.copy()
    far[0] = outlier
    rbm = GaussianRBM(n_components=4, learning_rate=0.05, random_state=0)
    for batch in (X, X, far, X, X):
        rbm.partial_fit(batch)
        assert_sound(rbm, X)


def test_gaussian_machine_refuses_a_batch_that_leads_out_of_all_bounds():
    X = rows("gaussian", 200)
    far = X.copy()
    far[0] = 1e12
    rbm = GaussianRBM(n_components=4, random_state=0).partial_fit(X)
    before = rbm.components_.copy()
    with pytest.warns(ConvergenceWarning, match="parameters from before it are kept"):
        rbm.partial_fit(far)
    np.testing.assert_array_equal(rbm.components_, before)
    assert_sound(rbm.partial_fit(X), X)


@pytest.mark.parametrize("weight", [1.0, 0.37, 1e-9])
def test_variance_of_a_single_row_is_not_its_rounding_error(weight):
    for dtype in (np.float32, np.float64):
        X = np.array([[0.1, 0.3, 12345.678, 1e-5]], dtype)
        rbm = GaussianRBM(n_components=3, random_state=0).partial_fit(X, sample_weight=[weight])
        np.testing.assert_allclose(rbm.variances_, 1, rtol=0.1)


# Training that ends early --------------------------------------------------------------------------


DIVERGING = {
    "gaussian at a rate of 10": ("gaussian", {"learning_rate": 10.0}),
    "gaussian at a rate of a million": ("gaussian", {"learning_rate": 1e6}),
    "two gaussian layers": ("gaussian-gaussian", {"learning_rate": 10.0}),
    "decay beyond reason": ("bernoulli", {"learning_rate": 1.0, "weight_decay": 10.0}),
    "rate near the largest number": ("bernoulli", {"learning_rate": 1e308}),
}


@pytest.mark.filterwarnings("ignore:overflow|invalid value:RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", DIVERGING)
def test_divergence_is_told_and_leaves_finite_parameters(case, dtype):
    name, settings = DIVERGING[case]
    X = rows(name, dtype=dtype)
    rbm = machine(name, n_iter=200, schedule="constant", **settings)
    with pytest.warns(ConvergenceWarning, match=r"diverged in epoch \d+ at learning rate") as found:
        rbm.fit(X)
    assert f"{settings['learning_rate']:g}" in str(found[-1].message)
    for attribute, values in vars(rbm).items():
        if isinstance(values, np.ndarray):
            assert np.isfinite(values).all(), attribute
    assert np.isfinite(rbm.transform(X)).all()
    assert np.isfinite(rbm.sample(5, n_steps=2)).all() or name != "bernoulli"


@pytest.mark.parametrize("weight", [1e4, 1e300])
def test_weights_that_would_make_an_epoch_endless_are_refused(weight):
    with pytest.raises(ValueError, match="Divide the weights by their mean"):
        machine("bernoulli").fit(rows("bernoulli"), sample_weight=np.full(60, weight))


def test_divergence_in_partial_fit_is_told_with_the_rate():
    X = rows("gaussian")
    rbm = machine("gaussian", learning_rate=1e6)

    def updates():
        for _ in range(100):
            rbm.partial_fit(X)

    with pytest.warns(ConvergenceWarning, match=r"diverged.*at learning rate 1e\+06"):
        updates()
    assert np.isfinite(rbm.components_).all()
    assert np.isfinite(rbm.variances_).all()


def test_interrupt_leaves_a_usable_machine_and_a_warning():
    def interrupt(report):
        if report.epoch == 3:
            raise KeyboardInterrupt

    X = rows("bernoulli")
    rbm = machine("bernoulli", n_iter=100, schedule="constant", callbacks=interrupt)
    with pytest.warns(ConvergenceWarning, match="interrupt"):
        rbm.fit(X)
    assert np.isfinite(rbm.score(X))
    plain = machine("bernoulli", n_iter=3, schedule="constant").fit(X)
    np.testing.assert_array_equal(rbm.components_, plain.components_)


INTERRUPTED = """
import signal
import warnings
from contextlib import nullcontext
import numpy as np
from ebm import BernoulliRBM

# Who was started in the background of a shell ignores what it is to be interrupted by.
signal.signal(signal.SIGINT, signal.default_int_handler)

def tell(report):
    if report.epoch == 2:
        print("training", flush=True)

X = (np.random.default_rng(0).random((500, 30)) < 0.5).astype(float)
rbm = BernoulliRBM(n_components=20, n_iter=10**7, random_state=0, callbacks=tell)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    rbm.fit(X)
assert len(caught) == 1 and "interrupted" in str(caught[0].message), caught
rbm.partial_fit(X)
print("usable", np.isfinite(rbm.score(X)), rbm.history_["epoch"][-1] >= 1, flush=True)
"""


def test_control_c_during_fit_leaves_a_usable_machine():
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "training\n"
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert out == "usable True True\n", error
    assert process.returncode == 0


@pytest.mark.parametrize("answer", [True, np.True_])
def test_a_callback_ends_training_without_a_complaint(answer):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rbm = machine(
            "bernoulli", n_iter=9, callbacks=[lambda report: report.epoch == 2 and answer]
        )
        rbm.fit(rows("bernoulli"))
    assert list(rbm.history_["epoch"]) == [1, 2]


def test_failing_callback_is_not_swallowed_and_leaves_the_last_fit():
    X = rows("bernoulli")
    rbm = machine("bernoulli", callbacks=lambda report: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rbm.fit(X)
    with pytest.raises(NotFittedError):
        rbm.transform(X)
    rbm.set_params(callbacks=None).fit(X)
    before = rbm.components_.copy()
    rbm.set_params(callbacks=lambda report: 1 / 0, warm_start=True)
    with pytest.raises(ZeroDivisionError):
        rbm.fit(X)
    np.testing.assert_array_equal(rbm.components_, before)
    rbm.set_params(callbacks=None).fit(X)


# Parameters set by hand ------------------------------------------------------------------------------


def test_parameters_of_the_wrong_shape_set_by_hand_are_refused():
    X = rows("bernoulli")
    for attribute in ("intercept_hidden_", "intercept_visible_"):
        rbm = machine("bernoulli").fit(X)
        for wrong in (np.zeros((1, 3)), 0.0):
            with pytest.raises(ValueError, match=attribute):
                setattr(rbm, attribute, wrong)
        setattr(rbm, attribute, np.zeros(2))
        for ask in (rbm.transform, rbm.score, rbm.gibbs, rbm.partial_fit):
            with pytest.raises(ValueError, match=attribute):
                ask(X)


def test_chains_of_the_wrong_shape_set_by_hand_are_started_anew():
    X = rows("bernoulli")
    rbm = machine("bernoulli").fit(X)
    rbm.h_samples_ = np.zeros((2, 7))
    assert rbm.partial_fit(X).h_samples_.shape == (10, 3)
    del rbm.h_samples_
    assert rbm.partial_fit(X).h_samples_.shape == (10, 3)


def test_names_of_the_constructors_are_those_of_their_parameters():
    for estimator in (BernoulliRBM(), GaussianRBM(), RBM()):
        with pytest.raises(TypeError, match="unexpected keyword"):
            type(estimator)(n_hidden=3)
