"""MLPClassifier: number by number beside scikit-learn's, and what it has in common with the other estimators."""

from __future__ import annotations

import inspect
import pickle
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn import neural_network
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from ebm import Adam, Checkpoint, MLPClassifier, MLPRegressor, Momentum, Regularization
from ebm.networks.activations import PReLU
from ebm.networks.maxout import Maxout

RNG = np.random.default_rng(0)
N = 23  # in batches of five, three rows are left over
X = RNG.normal(size=(N, 5))
TARGETS = {
    "two classes": (RNG.integers(0, 2, N), {}),
    "three classes": (np.array(["a", "b", "c"])[RNG.integers(0, 3, N)], {}),
    "three labels": (RNG.integers(0, 2, (N, 3)), {}),
    "a number": (RNG.normal(size=N), {}),
    "two numbers": (RNG.normal(size=(N, 2)), {}),
    "counts": (RNG.poisson(2.0, N).astype(float), {"loss": "poisson"}),
}
Y = TARGETS["three classes"][0]
SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd"},
    "adam": {"solver": "adam"},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
}
ENDLESS = {"n_iter_no_change": np.inf}
BOTH = [MLPClassifier, MLPRegressor]
quick = partial(MLPClassifier, hidden_layer_sizes=4, max_iter=3, random_state=0, **ENDLESS)
every_kind = pytest.mark.parametrize("kind", BOTH, ids=lambda kind: kind.__name__)


def targets_for(kind):
    return Y if kind is MLPClassifier else TARGETS["a number"][0]


def same(ours, theirs, atol=1e-12):
    for mine, other in zip(
        [*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True
    ):
        np.testing.assert_allclose(mine, other, atol=atol, rtol=0)


def equal(ours, theirs):
    same(ours, theirs, atol=0)


# Beside scikit-learn -------------------------------------------------------------------------


def both_started(y, settings, X=X, **extra):
    """Ours and scikit-learn's, with the same weights and biases, to be fitted as they are."""
    continuous = np.asarray(y).dtype.kind == "f"
    ours = (MLPRegressor if continuous else MLPClassifier)(
        **settings, **extra, shuffle=False, warm_start=True, random_state=0
    )
    name = "MLPRegressor" if continuous else "MLPClassifier"
    theirs = getattr(neural_network, name)(
        **settings, shuffle=False, warm_start=True, random_state=0
    )
    ours.set_params(max_iter=0).fit(X, y)
    ours.set_params(max_iter=settings["max_iter"])
    rng = np.random.default_rng(1)
    ours.intercepts_ = [0.3 * rng.normal(size=b.shape) for b in ours.intercepts_]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.set_params(max_iter=1, learning_rate_init=1e-9).fit(X, y)
    theirs.set_params(max_iter=1, learning_rate_init=0.001).set_params(**settings)
    theirs.coefs_ = [W.copy() for W in ours.coefs_]
    theirs.intercepts_ = [b.copy() for b in ours.intercepts_]
    theirs.loss_curve_, theirs.t_ = [], 0
    theirs._no_improvement_count = 0
    if settings.get("early_stopping"):
        theirs.validation_scores_, theirs.best_validation_score_ = [], -np.inf
    else:
        theirs.best_loss_ = np.inf
    return ours, theirs


def both_fitted(y, settings, X=X, **extra):
    ours, theirs = both_started(y, settings, X, **extra)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return ours.fit(X, y), theirs.fit(X, y)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("target", TARGETS)
def test_an_epoch_is_that_of_scikit_learn(target, solver, activation):
    y, extra = TARGETS[target]
    settings = {
        "hidden_layer_sizes": (4, 3),
        "activation": activation,
        "batch_size": 5,
        "alpha": 0.3,
        "learning_rate_init": 0.01,
        "max_iter": 1,
        **SOLVERS[solver],
        **extra,
    }
    ours, theirs = both_fitted(y, settings)
    same(ours, theirs)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-12)
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-12)
    np.testing.assert_allclose(ours.best_loss_, theirs.best_loss_, rtol=1e-12)
    if is_classifier(ours):
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    else:
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-11)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, sp.csr_array, np.asfortranarray])
def test_epochs_of_sparse_rows_are_those_of_scikit_learn(form):
    thin = X * (np.random.default_rng(3).random(X.shape) < 0.4)
    settings = {"hidden_layer_sizes": 4, "batch_size": 5, "max_iter": 3, "alpha": 0.1, **ENDLESS}
    ours, theirs = both_fitted(Y, settings, form(thin))
    same(ours, theirs)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-12)
    np.testing.assert_allclose(
        ours.predict_proba(form(thin)), theirs.predict_proba(thin), rtol=1e-11
    )


@pytest.mark.parametrize("sizes", [(), [], (1,), 3, np.array([2, 2, 2])])
@pytest.mark.parametrize("target", TARGETS)
def test_networks_of_any_depth_are_those_of_scikit_learn(target, sizes):
    y, extra = TARGETS[target]
    settings = {"hidden_layer_sizes": sizes, "max_iter": 2, "batch_size": 7, **ENDLESS, **extra}
    ours, theirs = both_fitted(y, settings)
    same(ours, theirs)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-12)
    if hasattr(theirs, "predict_proba"):
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-11)
        np.testing.assert_allclose(
            ours.predict_log_proba(X), theirs.predict_log_proba(X), rtol=1e-11
        )
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)


@pytest.mark.parametrize(
    "settings",
    [
        {"tol": 1e-3, "n_iter_no_change": 1},
        {"tol": 1e-2, "n_iter_no_change": 3},
        {"tol": 0.0, "n_iter_no_change": 2, "batch_size": 2, "learning_rate_init": 0.05},
        {"tol": 1e-2, "n_iter_no_change": 1, "learning_rate": "adaptive"},
        {"tol": 1e-3, "n_iter_no_change": 2, "early_stopping": True},
        {"tol": 1e-2, "n_iter_no_change": 1, "early_stopping": True, "learning_rate": "adaptive"},
    ],
    ids=str,
)
@pytest.mark.parametrize("target", ["two classes", "three labels", "two numbers"])
def test_training_ends_when_that_of_scikit_learn_does(target, settings):
    y, extra = TARGETS[target]
    settings = {
        "solver": "sgd",
        "hidden_layer_sizes": 3,
        "batch_size": 4,
        "learning_rate_init": 0.2,
        "validation_fraction": 0.3,
        "max_iter": 120,
        **settings,
        **extra,
    }
    ours, theirs = both_fitted(y, settings)
    assert ours.n_iter_ == theirs.n_iter_ < 120
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-8)
    same(ours, theirs, atol=1e-8)  # after early stopping these are the best
    if settings.get("early_stopping"):
        assert ours.best_loss_ is None
        np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, atol=1e-8)
        np.testing.assert_allclose(ours.best_validation_score_, theirs.best_validation_score_)
    else:
        assert ours.validation_scores_ is None and ours.best_validation_score_ is None
        np.testing.assert_allclose(ours.best_loss_, theirs.best_loss_, rtol=1e-8)


@pytest.mark.parametrize("solver", SOLVERS)
def test_further_epochs_go_on_as_those_of_scikit_learn(solver):
    """`partial_fit` after `fit`: moments, momentum and rows seen are those of before."""
    settings = {
        "hidden_layer_sizes": 3,
        "batch_size": 5,
        "learning_rate_init": 0.05,
        "max_iter": 2,
        **ENDLESS,
        **SOLVERS[solver],
    }
    ours, theirs = both_fitted(Y, settings)
    for _ in range(3):
        ours.partial_fit(X, Y)
        theirs.partial_fit(X, Y)
        same(ours, theirs)
        assert ours.t_ == theirs.t_
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-12)


def test_a_step_worked_out_by_hand():
    """The numbers of scikit-learn's own test of a single step, which are rounded to three digits."""
    x, y = np.array([[0.6, 0.8, 0.7]]), np.array([0])
    mlp = MLPClassifier(
        2, "logistic", solver="sgd", learning_rate_init=0.1, alpha=0.1, momentum=0, random_state=1
    )
    other = mlp.set_params(max_iter=0, warm_start=True).fit(np.vstack([x, x]), [0, 1])
    assert other.out_activation_ == "logistic"
    mlp.coefs_ = [np.array([[0.1, 0.2], [0.3, 0.1], [0.5, 0]]), np.array([[0.1], [0.2]])]
    mlp.intercepts_ = [np.array([0.1, 0.1]), np.array([1.0])]
    # h = (0.679, 0.574), p = 0.765; slopes by the inputs 0.765, (0.0167, 0.0374)
    assert mlp.predict_proba(x)[0, 1] == pytest.approx(0.7654329236196236, abs=5e-5)
    mlp.partial_fit(x, y, classes=[0, 1])
    expected = [[0.098, 0.195756], [0.2956664, 0.096008], [0.4939998, -0.002244]]
    np.testing.assert_allclose(mlp.coefs_[0], expected, atol=5e-4)
    np.testing.assert_allclose(mlp.coefs_[1], [[0.04706], [0.154089]], atol=5e-4)
    np.testing.assert_allclose(mlp.intercepts_[0], [0.098333, 0.09626], atol=5e-4)
    np.testing.assert_allclose(mlp.intercepts_[1], [0.9235], atol=5e-4)
    assert mlp.predict_proba(x)[0, 1] == pytest.approx(0.739, abs=5e-4)


@pytest.mark.parametrize("target", ["two classes", "three classes"])
def test_without_hidden_layers_the_minimum_is_that_of_logistic_regression(target):
    y, _ = TARGETS[target]
    alpha = 0.5
    mlp = MLPClassifier((), solver="lbfgs", alpha=alpha, tol=1e-9, max_iter=2000).fit(X, y)
    theirs = LogisticRegression(C=1 / alpha, solver="newton-cg", tol=1e-12, max_iter=1000)
    theirs.fit(X, y)
    W, b = mlp.coefs_[0], mlp.intercepts_[0]
    if len(mlp.classes_) > 2:
        b, expected = b - b.mean(), theirs.intercept_ - theirs.intercept_.mean()
    else:
        expected = theirs.intercept_
    np.testing.assert_allclose(W, theirs.coef_.T, atol=1e-6)
    np.testing.assert_allclose(b, expected, atol=1e-6)
    np.testing.assert_allclose(mlp.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    # Theirs stops by the decrease of the loss already, so that it is not lower.
    other = neural_network.MLPClassifier((), solver="lbfgs", alpha=alpha, tol=1e-9, max_iter=2000)
    assert mlp.loss_ == pytest.approx(other.fit(X, y).loss_, abs=1e-6)
    assert mlp.n_iter_ > 3 and mlp.loss_curve_ == [mlp.loss_] and mlp.best_loss_ == mlp.loss_


@every_kind
def test_all_parameters_of_scikit_learn_are_here_with_their_defaults(kind):
    theirs = inspect.signature(getattr(neural_network, kind.__name__)).parameters
    ours = inspect.signature(kind).parameters
    meant = {"hidden_layer_sizes": "auto", "activation": "auto"}  # which are (100,) and "relu"
    for name, parameter in theirs.items():
        default = meant.get(name, parameter.default)
        assert ours[name].default == default or name == "verbose", name
        assert ours[name].kind == parameter.kind, name
    assert not kind().verbose
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    order = [[n for n, p in s.items() if p.kind == positional] for s in (ours, theirs)]
    assert order[0] == order[1]
    mlp = kind(max_iter=0).fit(X, targets_for(kind))
    assert [W.shape[1] for W in mlp.coefs_[:-1]] == [100]
    assert [type(layer).__name__ for layer in mlp.network_.layers] == ["Dense", "ReLU", "Dense"]


@every_kind
def test_all_attributes_of_scikit_learn_are_here(kind):
    y = targets_for(kind)
    for settings in ({}, {"early_stopping": True}):
        theirs = getattr(neural_network, kind.__name__)(max_iter=2, **settings)
        with pytest.warns(ConvergenceWarning):
            theirs.fit(X, y)
        ours = kind(max_iter=2, **settings, **ENDLESS).fit(X, y)
        public = {name for name in vars(theirs) if name.endswith("_") and name[0] != "_"}
        assert [name for name in public if not hasattr(ours, name)] == [], settings


# Learning ------------------------------------------------------------------------------------


@every_kind
def test_the_order_of_rows_does_not_matter(kind):
    y, order = targets_for(kind), np.random.default_rng(5).permutation(N)
    settings = {
        "hidden_layer_sizes": (4, 3),
        "activation": ["prelu", "maxout"],
        "dropout": 0.2,
        "batch_norm": True,
        "max_iter": 3,
        "batch_size": 5,
        "random_state": 0,
        **ENDLESS,
    }
    equal(kind(**settings).fit(X, y), kind(**settings).fit(X[order], y[order]))


@every_kind
def test_whole_weights_are_repetitions(kind):
    y, w = targets_for(kind), np.random.default_rng(5).integers(0, 4, N)
    settings = {"hidden_layer_sizes": 4, "max_iter": 3, "batch_size": 6, "random_state": 0}
    weighted = kind(**settings, **ENDLESS).fit(X, y, sample_weight=w)
    index = np.repeat(np.arange(N), w)
    repeated = kind(**settings, **ENDLESS).fit(X[index], y[index])
    equal(weighted, repeated)
    assert weighted.loss_curve_ == repeated.loss_curve_
    assert weighted.t_ == 3 * w.sum()
    by_all = [
        kind(hidden_layer_sizes=2, solver="lbfgs", alpha=1.0, random_state=0, max_iter=500)
        for _ in range(2)
    ]
    by_all[0].fit(X, y, sample_weight=w)
    by_all[1].fit(X[index], y[index])
    assert by_all[0].loss_ == pytest.approx(by_all[1].loss_, abs=1e-6)


def test_one_seed_one_result():
    first, again = (quick(dropout=0.3).fit(X, Y) for _ in range(2))
    equal(first, again)
    other = quick(dropout=0.3).set_params(random_state=1).fit(X, Y)
    assert (other.coefs_[0] != first.coefs_[0]).all()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    quick().fit(X, Y)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_fits_in_threads_are_those_alone():
    settings = [{"random_state": seed, "hidden_layer_sizes": 30, "max_iter": 20} for seed in (0, 1)]
    alone = [quick(**{**s, "dropout": 0.1}).fit(X, Y) for s in map(dict, settings)]
    with ThreadPoolExecutor(2) as pool:
        together = list(
            pool.map(lambda s: MLPClassifier(dropout=0.1, **ENDLESS, **s).fit(X, Y), settings)
        )
    for one, other in zip(alone, together, strict=True):
        equal(one, other)


@every_kind
def test_single_precision_stays(kind):
    y = targets_for(kind)
    settings = {"activation": "prelu", "batch_norm": True, "hidden_layer_sizes": 4, "max_iter": 3}
    settings |= {"random_state": 0, **ENDLESS}
    single = kind(**settings).fit(X.astype(np.float32), y)
    arrays = [part for own in single.layer_params_ for part in own]
    assert {part.dtype for part in arrays} == {np.dtype(np.float32)}
    output = single.predict_proba(X) if kind is MLPClassifier else single.predict(X)
    assert output.dtype == np.float32
    double = kind(**settings).fit(X.astype(np.float32).astype(float), y)
    same(single, double, atol=1e-4)
    single.partial_fit(X, y)
    assert single.coefs_[0].dtype == np.float32
    whole = kind(hidden_layer_sizes=2, solver="lbfgs", max_iter=5, random_state=0)
    with pytest.warns(ConvergenceWarning):
        assert whole.fit(X.astype(np.float32), y).coefs_[0].dtype == np.float32


def test_rows_keep_their_layout_and_values(tmp_path):
    expected = quick().fit(X, Y)
    np.save(tmp_path / "X.npy", X)
    read_only = X.copy()
    read_only.flags.writeable = False
    forms = [
        read_only,
        np.load(tmp_path / "X.npy", mmap_mode="r"),
        np.asfortranarray(X),
        np.repeat(X, 2, axis=1)[:, ::2],
        X.tolist(),
        X.astype(object),
        pd.DataFrame(X),
        sp.coo_matrix(X),
    ]
    for form in forms:
        equal(quick().fit(form, Y), expected)
        np.testing.assert_array_equal(
            form.toarray() if sp.issparse(form) else np.asarray(form, float), X
        )
    frame = pd.DataFrame(X, columns=list("abcde"))
    assert quick().fit(frame, Y).feature_names_in_.tolist() == list("abcde")


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", "b", "c"]),
        np.array(["a", "b", "c"], object),
        np.array([0.0, 2.5e0 * 2, 7.0]),
        np.array([3, 5, 250], np.uint8),
        np.array([True, False, True]),
        np.array([-2, 4, 9]),
    ],
    ids=str,
)
def test_classes_of_every_kind(labels):
    y = labels[RNG.integers(0, 3, N)]
    for given in (y, y.tolist(), pd.Series(y), pd.Series(y, dtype="category"), pd.Categorical(y)):
        mlp = quick().fit(X, given)
        np.testing.assert_array_equal(mlp.classes_, np.unique(labels))
        assert set(mlp.predict(X)) <= set(labels)
        assert mlp.predict_proba(X).shape == (N, len(np.unique(labels)))
        np.testing.assert_allclose(mlp.predict_proba(X).sum(axis=1), 1, rtol=1e-12)


def test_several_labels_may_be_sparse():
    y = TARGETS["three labels"][0]
    mlp = quick().fit(X, sp.csr_matrix(y))
    equal(mlp, quick().fit(X, y))
    assert mlp.predict(X).shape == (N, 3)
    assert ((mlp.predict_proba(X) > 0.5) == mlp.predict(X)).all()


# Going on ------------------------------------------------------------------------------------


@every_kind
def test_one_call_after_the_other_is_one_fit(kind):
    """`partial_fit` is an epoch: in stored order, the third call is the third epoch."""
    y = targets_for(kind)
    settings = {
        "hidden_layer_sizes": 4,
        "batch_size": 6,
        "shuffle": False,
        "random_state": 0,
        "activation": "prelu",
        "batch_norm": True,
    }
    whole = kind(**settings, max_iter=3, **ENDLESS).fit(X, y)
    parts = kind(**settings)
    more = {"classes": np.unique(y)} if kind is MLPClassifier else {}
    for _ in range(3):
        assert parts.partial_fit(X, y, **more) is parts
        assert parts.n_iter_ == 1
    equal(parts, whole)
    assert parts.loss_curve_ == whole.loss_curve_ and parts.t_ == whole.t_
    np.testing.assert_array_equal(parts.predict(X), whole.predict(X))


def test_what_goes_through_a_file_goes_on_the_same():
    first = quick(activation="prelu", batch_norm=True, dropout=0.2).partial_fit(
        X, Y, classes=np.unique(Y)
    )
    copy = pickle.loads(pickle.dumps(first))
    equal(copy.partial_fit(X, Y), first.partial_fit(X, Y))
    np.testing.assert_array_equal(copy.predict_proba(X), first.predict_proba(X))


def test_warm_starts_go_on_from_the_weights_with_a_new_optimiser():
    mlp = quick(warm_start=True, shuffle=False).fit(X, Y)
    before = [W.copy() for W in mlp.coefs_]
    mlp.set_params(max_iter=0).fit(X, Y)
    for W, old in zip(mlp.coefs_, before, strict=True):
        np.testing.assert_array_equal(W, old)
    mlp.set_params(max_iter=2).fit(X, Y)
    other = quick(warm_start=True, shuffle=False, max_iter=0).fit(X, Y)
    other.coefs_, other.intercepts_ = (
        before,
        [b.copy() for b in quick(shuffle=False).fit(X, Y).intercepts_],
    )
    equal(other.set_params(max_iter=2).fit(X, Y), mlp)
    assert len(mlp.loss_curve_) == 5 and mlp.n_iter_ == 2 and mlp.t_ == 5 * N
    np.testing.assert_array_equal(mlp.history_["epoch"], np.arange(1, 6))
    cold = quick(shuffle=False).fit(X, Y)
    cold.fit(X, Y)
    assert len(cold.loss_curve_) == 3


def test_scores_of_fits_that_held_no_rows_out_are_none():
    mlp = quick(warm_start=True).fit(X, Y).set_params(early_stopping=True).fit(X, Y)
    assert len(mlp.validation_scores_) == 3 and len(mlp.loss_curve_) == 6
    assert mlp.best_validation_score_ == max(mlp.validation_scores_)


@pytest.mark.parametrize(
    "setting",
    [
        {"hidden_layer_sizes": 5},
        {"activation": "tanh"},
        {"activation": PReLU()},
        {"dropout": 0.1},
        {"batch_norm": True},
    ],
    ids=str,
)
def test_a_network_of_other_settings_is_not_gone_on_with(setting):
    mlp = quick(warm_start=True).fit(X, Y).set_params(**setting)
    words = f"{next(iter(setting))} is .* made with .*warm_start=False"
    with pytest.raises(ValueError, match=words):
        mlp.fit(X, Y)
    with pytest.raises(ValueError, match=words):
        mlp.partial_fit(X, Y)
    mlp.set_params(warm_start=False).fit(X, Y)


def test_weights_may_be_set_and_have_to_fit():
    mlp = quick(warm_start=True).fit(X, Y)
    expected = mlp.predict_proba(X)
    mlp.coefs_ = [W.tolist() for W in mlp.coefs_]
    np.testing.assert_allclose(mlp.predict_proba(X), expected, rtol=1e-14)
    mlp.coefs_ = [np.ones(np.shape(W), int) for W in mlp.coefs_]
    assert np.isfinite(mlp.fit(X, Y).loss_)
    mlp.coefs_[1] = mlp.coefs_[1].T
    for use in (mlp.predict, lambda X: mlp.fit(X, Y)):
        with pytest.raises(
            ValueError, match=r"coefs_\[1\] must have the shape \(4, 3\).* \(3, 4\)"
        ):
            use(X)


def test_the_best_weights_are_restored_also_after_an_interrupt():
    seen = []

    def interrupt(report):
        seen.append((report.monitored["validation_score"], report.theta.copy()))
        if report.epoch == 9:
            raise KeyboardInterrupt

    mlp = MLPClassifier(
        4,
        early_stopping=True,
        validation_fraction=0.4,
        learning_rate_init=0.3,
        random_state=1,
        callbacks=interrupt,
    )
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        mlp.fit(X, Y)
    scores = [score for score, _ in seen]
    best = int(np.argmax(scores))
    assert best < 8, "the last is the best: nothing would be restored"
    np.testing.assert_array_equal(mlp.network_.pack(mlp.layer_params_), seen[best][1])
    assert mlp.n_iter_ == 8  # what the interrupted epoch has to tell was not recorded
    assert mlp.validation_scores_ == scores[:8]


def test_a_callback_that_raises_leaves_everything_as_it_was():
    mlp = quick(warm_start=True).fit(X, Y)
    before = dict(vars(mlp))
    values = [W.copy() for W in mlp.coefs_]
    mlp.callbacks = lambda report: 1 / 0
    with pytest.raises(ZeroDivisionError):
        mlp.fit(X, Y)
    assert vars(mlp).keys() == before.keys()
    for W, old in zip(mlp.coefs_, values, strict=True):
        np.testing.assert_array_equal(W, old)


def test_callbacks_record_and_end():
    def note(report):
        assert report.model.widths[0] == 5
        return {"first_weight": float(report.params[0].W[0, 0]), "met": report.monitored["loss"]}

    mlp = quick(max_iter=9, callbacks=[note, lambda report: report.epoch == 4]).fit(X, Y)
    assert mlp.n_iter_ == 4
    assert set(mlp.history_) == {"epoch", "learning_rate", "time", "loss", "first_weight", "met"}
    np.testing.assert_array_equal(mlp.history_["loss"], mlp.loss_curve_)
    np.testing.assert_array_equal(mlp.history_["met"], mlp.loss_curve_)
    assert mlp.history_["first_weight"][-1] == mlp.coefs_[0][0, 0]
    np.testing.assert_array_equal(mlp.history_["learning_rate"], 0.001)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_progress_is_shown_if_asked_for(solver, capsys):
    mlp = MLPClassifier(3, solver=solver, max_iter=3, verbose=1, random_state=0)
    with pytest.warns(ConvergenceWarning):
        mlp.fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for k, line in enumerate(lines):
        assert line.startswith(f"[MLPClassifier] Iteration {k + 1}, loss = ")


# Checkpoints ---------------------------------------------------------------------------------

RESUMED = {
    "adam": {},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.3, "tol": 0.1},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 1},
    "rich": {"activation": "prelu", "batch_norm": True, "dropout": [0.1, 0.3]},
    "schedule": {"learning_rate": "linear", "solver": Momentum(0.5)},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "shuffle": False},
}


@pytest.mark.parametrize("case", RESUMED)
@pytest.mark.parametrize("seed", [0, None])
@pytest.mark.parametrize("stop", [1, 4])
def test_what_was_interrupted_ends_as_if_it_had_not_been(case, seed, stop, tmp_path):
    settings = {"hidden_layer_sizes": 4, "batch_size": 5, "max_iter": 6, "n_iter_no_change": 9}
    settings |= RESUMED[case]
    file = tmp_path / "training"
    whole = []

    def crash(report):
        if report.epoch == stop + 1:
            raise OSError("the power went out")

    def fitted(**callbacks):
        mlp = MLPClassifier(**settings, random_state=seed, **callbacks)
        np.random.seed(7)  # noqa: NPY002
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return mlp.fit(X, Y)

    whole = fitted()
    with pytest.raises(OSError, match="power"):
        fitted(callbacks=[Checkpoint(file), crash])
    resumed = MLPClassifier(**settings, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        resumed.resume(file, X, Y)
    equal(resumed, whole)
    for name in ("n_iter_", "t_", "loss_curve_", "best_loss_", "validation_scores_"):
        assert getattr(resumed, name) == getattr(whole, name), name
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    np.testing.assert_array_equal(
        resumed.history_["learning_rate"], whole.history_["learning_rate"]
    )


def test_other_settings_or_rows_are_not_resumed(tmp_path):
    file = tmp_path / "training"
    quick(callbacks=Checkpoint(file)).fit(X, Y)
    changed = Y.copy()
    changed[0] = "c" if Y[0] != "c" else "a"
    cases = [
        (quick(alpha=1.0), X, Y, "gradient"),
        (quick(dropout=0.1), X, Y, "model"),
        (quick(max_iter=7), X, Y, "n_iter"),
        (quick(), X + 1, Y, "rows"),
        (quick(), X, changed, "rows"),
        (quick(shuffle=False), X, Y, "rows"),
    ]
    for mlp, rows, y, words in cases:
        with pytest.raises(ValueError, match=f"checkpoint 'training' was written with {words}"):
            mlp.resume(file, rows, y)
        assert not hasattr(mlp, "coefs_")
    with pytest.raises(AttributeError, match="resume"):
        quick(solver="lbfgs").resume(file, X, Y)


# Settings ------------------------------------------------------------------------------------


def test_settings_are_reached_by_name():
    mlp = quick(activation=Maxout(3), solver=Adam(), regularization=Regularization())
    mlp.set_params(solver__beta1=0.5, regularization__l1=0.1, activation__n_pieces=2)
    assert mlp.solver == Adam(beta1=0.5)
    assert repr(clone(mlp)) == repr(mlp)
    assert mlp.fit(X, Y).coefs_[0].shape == (5, 8)
    named = quick(solver="momentum").set_params(solver__momentum=0.3)
    assert named.solver == Momentum(0.3)
    assert quick().set_params(regularization__l1=0.2).regularization == Regularization(l1=0.2)
    grid = {
        "solver__momentum": [0.1, 0.9],
        "activation": ["relu", ["tanh"]],
        "dropout": [0, [0, 0.5]],
    }
    search = GridSearchCV(quick(solver=Momentum()), grid, cv=2).fit(X, TARGETS["two classes"][0])
    assert len(search.cv_results_["params"]) == 8
    assert make_pipeline(StandardScaler(), quick()).fit(X, Y).score(X, Y) > 0


def test_named_solvers_are_their_records():
    by_name = quick(solver="adam", beta_1=0.8, epsilon=1e-3).fit(X, Y)
    by_record = quick(solver=Adam(0.8, 0.999, 1e-3, epsilon_hat=True)).fit(X, Y)
    equal(by_name, by_record)
    equal(
        quick(solver="sgd", nesterovs_momentum=False, momentum=0.4).fit(X, Y),
        quick(solver=Momentum(0.4)).fit(X, Y),
    )


@pytest.mark.parametrize(
    "settings",
    [
        *[{"solver": name} for name in ("adagrad", "rmsprop", "adadelta", "nadam", "nesterov")],
        *[{"learning_rate": name} for name in ("linear", "exponential", "inverse")],
        *[{"init": name} for name in ("he", "lecun_normal", "orthogonal")],
        *[{"activation": name} for name in ("leaky_relu", "softplus", "elu", "maxout", "prelu")],
        {"regularization": Regularization(l1=1e-3, max_norm=2.0, clip_norm=1.0)},
        {"dropout": [0.1, 0.2, 0.3], "hidden_layer_sizes": (5, 4), "batch_norm": True},
    ],
    ids=str,
)
def test_whatever_is_offered_learns(settings):
    defaults = {"hidden_layer_sizes": 8, "max_iter": 60, "learning_rate_init": 0.05}
    if settings.get("solver") == "adadelta":
        defaults["learning_rate_init"] = 30.0
    mlp = MLPClassifier(**{**defaults, **settings}, random_state=0, **ENDLESS).fit(X, Y)
    assert mlp.loss_ < 0.75 * mlp.loss_curve_[0]


# What cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"hidden_layer_sizes": 0}, "hidden_layer_sizes.*int in the range"),
        ({"hidden_layer_sizes": [4, 0]}, r"must be positive integers. Got \[4, 0\]"),
        ({"hidden_layer_sizes": [4, -1]}, r"must be positive integers. Got \[4, -1\]"),
        ({"hidden_layer_sizes": [2.5]}, "must be positive integers"),
        ({"hidden_layer_sizes": [np.nan]}, "must be positive integers"),
        ({"hidden_layer_sizes": [[3]]}, "must be positive integers"),
        ({"hidden_layer_sizes": [True]}, "must be positive integers"),
        ({"hidden_layer_sizes": "many"}, "str among {'auto'}"),
        ({"activation": "sine"}, "activation"),
        ({"activation": ["relu", "tanh"]}, "activation has 2 entries for 1 hidden layers"),
        ({"activation": ["sine"]}, "'activation' parameter must be one of"),
        ({"activation": Adam()}, "instance of Layer"),
        ({"solver": "adamm"}, "solver.*(?=.*'adam')(?=.*'lbfgs')"),
        ({"solver": PReLU()}, "'solver' parameter must be one of"),
        ({"learning_rate": Adam()}, "'learning_rate' parameter must be one of"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": [0.1]}, "dropout has 1 entries: give one number, or 2"),
        ({"dropout": ["a", "b"]}, "dropout must be a number"),
        ({"dropout": [[0.1], [0.1]]}, "dropout must be a number"),
        ({"dropout": [0.1, 1.5]}, "dropout must be a number"),
        ({"regularization": Regularization(dropout=0.5)}, "are for Boltzmann machines"),
        ({"regularization": Regularization(sparsity_target=0.5)}, "are for Boltzmann machines"),
        ({"regularization": "l1"}, "regularization"),
        ({"solver": "lbfgs", "dropout": 0.1}, "lbfgs.*dropout"),
        ({"solver": "lbfgs", "batch_norm": True}, "lbfgs.*batch_norm"),
        ({"solver": "lbfgs", "regularization": Regularization(max_norm=1.0)}, "takes l1 only"),
        ({"learning_rate_init": 0}, "learning_rate_init"),
        ({"max_iter": -1}, "max_iter"),
        ({"callbacks": [3]}, "callbacks must hold callables"),
        ({"pretraining": Adam()}, "pretraining"),
        ({"early_stopping": True, "validation_fraction": 0.05}, "leaves|should be greater"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, words):
    mlp = MLPClassifier(**{"hidden_layer_sizes": 3, "max_iter": 1, **settings})
    with pytest.raises(ValueError, match=words):
        mlp.fit(X, Y)
    assert not hasattr(mlp, "coefs_")


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (None, "requires y"),
        (-np.ones(N), "no row is labelled"),
        (-np.ones((N, 3), int), "no row is labelled"),
        (X[:, 0], "continuous"),
        (np.where(X[:, 0] > 0, np.nan, 1.0), "NaN"),
        (Y[:-1], "same number of rows"),
        (np.column_stack([Y, Y]), "0 or 1 each"),
        (np.tile([-1, 1], (N, 1)), "0 or 1 each"),
        (np.tile([0, 2], (N, 1)), "0 or 1 each"),
        (np.vstack([[[-1, 0, 1]], TARGETS["three labels"][0][1:]]), "or all -1 in an unlabelled"),
    ],
)
def test_labels_that_cannot_be_are_named(y, words):
    mlp = quick()
    with pytest.raises(ValueError, match=words):
        mlp.fit(X, y)
    assert not hasattr(mlp, "coefs_")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_refused(bad):
    broken = X.copy()
    broken[3, 1] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        quick().fit(broken, Y)
    mlp = quick().fit(X, Y)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        mlp.predict(broken)


def test_classes_are_known_from_the_first_part():
    with pytest.raises(ValueError, match="classes must be passed to the first"):
        quick().partial_fit(X, Y)
    mlp = quick().partial_fit(X[:3], ["b", "b", "a"], classes=["a", "b", "c"])
    assert mlp.classes_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match=r"classes \['z'\], which are not among"):
        mlp.partial_fit(X[:2], ["a", "z"])
    with pytest.raises(ValueError, match="same classes as in the previous call to fit"):
        mlp.set_params(warm_start=True).fit(X[:2], ["a", "z"])
    assert not hasattr(quick(solver="lbfgs"), "partial_fit")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_rows_of_weight_zero_are_no_rows(solver):
    y = np.where(np.arange(N) < 9, -1, np.arange(N) % 3)
    weights = (y == -1).astype(float)
    with (
        pytest.warns(UserWarning, match="9 rows have y = -1"),
        pytest.raises(
            ValueError, match="sample_weight is zero for all rows that are to be trained"
        ),
    ):
        quick(solver=solver).fit(X, y, sample_weight=weights)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_no_epochs_at_all_leave_the_start(solver):
    mlp = quick(max_iter=0, solver=solver).fit(X, Y)
    assert mlp.n_iter_ == mlp.t_ == 0 and mlp.loss_ == np.inf
    equal(mlp, quick(max_iter=0, alpha=3.0).fit(X, Y))
    assert mlp.predict(X).shape == (N,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("settings", [{}, {"solver": "sgd"}, {"solver": "lbfgs"}], ids=str)
def test_numbers_beyond_all_bounds_are_refused_and_nothing_is_lost(settings, dtype):
    huge = X.astype(dtype) * dtype(np.finfo(dtype).max ** 0.75)
    mlp = MLPRegressor(hidden_layer_sizes=4, max_iter=5, random_state=0, **settings)
    words = r"X holds .*e\+.*magnitudes may be .*MaxAbsScaler"
    with pytest.raises(ValueError, match=words):
        mlp.fit(huge, X[:, 0])
    assert not hasattr(mlp, "coefs_")
    mlp.set_params(n_iter_no_change=np.inf, tol=10.0).fit(
        MaxAbsScaler().fit_transform(huge), X[:, 0]
    )
    assert np.isfinite(mlp.loss_)
    before = [W.copy() for W in mlp.coefs_]
    with pytest.raises(ValueError, match=words):
        mlp.set_params(warm_start=True).fit(huge, X[:, 0])
    for kept, W in zip(mlp.coefs_, before, strict=True):
        np.testing.assert_array_equal(kept, W)


def test_a_rate_that_is_far_too_large_loses_nothing():
    mlp = quick(warm_start=True).fit(X, Y)
    expected = mlp.predict_proba(X)
    for settings in ({"learning_rate_init": 1e300}, {"alpha": 1e300, "learning_rate_init": 0.001}):
        mlp.set_params(**settings)
        with pytest.warns(ConvergenceWarning, match="beyond all bounds"):
            mlp.fit(X, Y)
        assert np.isfinite(mlp.predict_proba(X)).all()
    assert mlp.predict_proba(X).shape == expected.shape


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_the_smallest_data(n_rows):
    y = np.arange(n_rows)
    settings = {"hidden_layer_sizes": 3, "max_iter": 2, "batch_norm": True, "dropout": 0.5}
    mlp = MLPRegressor(**settings, batch_size=1, random_state=0, **ENDLESS).fit(X[:n_rows], y)
    assert np.isfinite(mlp.predict(X)).all()
    if n_rows > 1:
        fitted = MLPClassifier(**settings, random_state=0, **ENDLESS).fit(X[:n_rows], y)
        assert np.isfinite(fitted.predict_proba(X)).all()
    constant = np.ones((n_rows, 2))
    assert np.isfinite(MLPRegressor(**settings, **ENDLESS).fit(constant, y).predict(constant)).all()


def test_batches_larger_than_the_data_are_told():
    with pytest.warns(UserWarning, match="batch_size=1000 is larger than the number of rows, 23"):
        mlp = quick(batch_size=1000).fit(X, Y)
    equal(mlp, quick(batch_size=N).fit(X, Y))


def test_an_end_by_itself_in_the_last_epoch_is_no_failure():
    settings = {"hidden_layer_sizes": 3, "tol": 10.0, "n_iter_no_change": 2, "random_state": 0}
    mlp = MLPClassifier(**settings).fit(X, Y)
    assert mlp.n_iter_ == 4
    MLPClassifier(**settings, max_iter=4).fit(X, Y)
    with pytest.warns(ConvergenceWarning, match="Not converged after max_iter=3 epochs"):
        MLPClassifier(**settings, max_iter=3).fit(X, Y)


def test_shared_settings_and_attributes_are_documented_in_the_same_words():
    """The texts stand in both classes, for scikit-learn's introspection, and must not part."""

    def entries(estimator):
        text = inspect.cleandoc(estimator.__doc__).split("See Also")[0]
        parts = re.split(r"\n(?=\w[\w, ]* : )", text)
        return {part.split(" : ")[0]: part.strip() for part in parts[1:]}

    one, other = entries(MLPClassifier), entries(MLPRegressor)
    assert set(one) - set(other) == {"classes_"}
    assert set(other) - set(one) == {"loss"}
    assert len(one) > 40
    for name in set(one) & set(other):
        assert one[name].split("\n\nAttributes")[0] == other[name].split("\n\nAttributes")[0], name
