"""Divergence is told as soon as parameters leave the data's scale, and what is kept is from before they grew."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits, load_wine, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import MinMaxScaler

from ebm import (
    DBN,
    RBM,
    BernoulliRBM,
    BoltzmannMachine,
    EarlyStopping,
    FineTuning,
    GaussianRBM,
    MLPClassifier,
    MLPRegressor,
)

WINE = load_wine().data
BITS = (np.random.default_rng(0).random((200, 6)) < 0.3).astype(float)
UNITS = WINE.std(axis=0)


def size_of(machine):
    """Of the weights, in standard deviations of the data."""
    return np.abs(machine.components_ / UNITS).max()


GAUSSIAN = {
    "one machine": lambda rate: GaussianRBM(8, n_iter=50, learning_rate=rate, random_state=0),
    "any units": lambda rate: RBM(
        8, visible="gaussian", n_iter=50, learning_rate=rate, random_state=0
    ),
    "gaussian hidden units": lambda rate: RBM(
        3, visible="gaussian", hidden="gaussian", n_iter=50, learning_rate=rate, random_state=0
    ),
    "contrastive divergence": lambda rate: GaussianRBM(
        8, n_iter=50, gradient="cd", learning_rate=rate, random_state=0
    ),
    "momentum": lambda rate: GaussianRBM(
        8, n_iter=50, optimizer="momentum", learning_rate=rate, random_state=0
    ),
}


@pytest.mark.parametrize("rate", [3.0, 1e4])
@pytest.mark.parametrize("make", GAUSSIAN.values(), ids=GAUSSIAN)
def test_real_machines_keep_the_scale_of_the_data_or_tell(make, rate):
    X = WINE.astype(np.float32 if rate > 10 else np.float64)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        machine = make(rate).fit(X)
    told = [str(w.message) for w in caught]
    assert size_of(machine) < 1e3
    if told:
        assert len(told) == 1 and "diverged in epoch" in told[0] and "are kept" in told[0]
        assert caught[0].category is ConvergenceWarning
        assert size_of(machine) < 100


def test_a_diverged_candidate_never_wins():
    grid = {"learning_rate": [0.01, 0.1, 3.0, 1e3]}
    with pytest.warns(ConvergenceWarning, match="diverged"):
        search = GridSearchCV(GaussianRBM(8, n_iter=50, random_state=0), grid, cv=3).fit(WINE)
    assert search.best_params_["learning_rate"] <= 0.1
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_what_is_kept_is_from_before_the_growth_began():
    """The same epochs with the same rate, as many as are kept, end at the same parameters."""
    settings = {"n_components": 3, "learning_rate": 2.0, "schedule": "constant", "batch_size": 100}
    with pytest.warns(ConvergenceWarning, match=r"before epoch (\d+), where") as caught:
        grown = GaussianRBM(**settings, n_iter=50, random_state=0).fit(WINE)
    first = int(str(caught[0].message).split("before epoch ")[1].split(",")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        short = GaussianRBM(**settings, n_iter=first - 1, random_state=0).fit(WINE)
    np.testing.assert_array_equal(grown.components_, short.components_)
    np.testing.assert_array_equal(grown.h_samples_, short.h_samples_)


def test_growth_over_many_single_updates_is_refused():
    machine = GaussianRBM(8, learning_rate=3.0, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(60):
            machine.partial_fit(WINE)
    assert any("diverged in this update" in str(w.message) for w in caught)
    assert size_of(machine) < 1.1e3


@pytest.mark.parametrize(
    "settings", [{"learning_rate": 1e4}, {"weight_decay": 100.0, "learning_rate": 0.1}], ids=repr
)
@pytest.mark.parametrize("kind", [BernoulliRBM, BoltzmannMachine])
def test_log_odds_in_thousands_are_divergence(kind, settings):
    with pytest.warns(ConvergenceWarning, match="diverged in epoch"):
        machine = kind(**settings, n_iter=100, random_state=0).fit(BITS)
    assert np.isfinite(machine.score(BITS))


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    ("kind", "data"),
    [(MLPRegressor, load_diabetes), (MLPClassifier, load_wine)],
    ids=["regressor", "classifier"],
)
def test_networks_keep_what_was_before_the_loss_grew(kind, data, early_stopping):
    X, y = data(return_X_y=True)
    X = 100 * X
    network = kind(
        solver="sgd",
        learning_rate_init=10.0,
        early_stopping=early_stopping,
        max_iter=30,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning, match=r"diverged in epoch \d+ at learning rate"):
        network.fit(X, y)
    assert np.abs(network.coefs_[0]).max() < 10
    assert np.isfinite(network.predict(X)).all()


def test_early_stopping_of_machines_survives_growth():
    stop = EarlyStopping(WINE[150:], patience=50)
    machine = GaussianRBM(8, n_iter=50, learning_rate=3.0, callbacks=stop, random_state=0)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        machine.fit(WINE[:150])
    assert size_of(machine) < 100


def test_a_stack_names_the_layer_that_diverged():
    with pytest.warns(ConvergenceWarning, match="layer1, GaussianRBM: training diverged"):
        DBN([GaussianRBM(8, n_iter=50, learning_rate=3.0), 4], random_state=0).fit(WINE)


ORDINARY = {
    "wine in its units": (GaussianRBM(n_iter=30), WINE),
    "far clusters": (GaussianRBM(20, n_iter=30), make_blobs(500, 5, random_state=0)[0] * 100),
    "one outlier": (
        GaussianRBM(4, n_iter=3),
        np.r_[np.random.default_rng(0).normal(size=(3000, 3)), [[1e6] * 3]],
    ),
    "digits": (BernoulliRBM(64, n_iter=5), load_digits().data / 16),
    "wine as bits": (BernoulliRBM(16, n_iter=30), np.round(MinMaxScaler().fit_transform(WINE))),
}


@pytest.mark.parametrize(("machine", "X"), ORDINARY.values(), ids=ORDINARY)
def test_ordinary_learning_raises_no_alarm(machine, X):
    """Warnings are errors here."""
    machine.set_params(random_state=0).fit(X)


def test_weights_that_keep_two_patterns_apart_are_no_growth():
    """The chains stay at the patterns, so that one of them has nearly all of the mass, which is told."""
    X = np.repeat([[0.0] * 8, [1.0] * 8], 100, axis=0)
    machine = BernoulliRBM(30, n_iter=100, learning_rate=1.0, random_state=0)
    with pytest.warns(ConvergenceWarning, match="not where the data are") as told:
        machine.fit(X)
    assert len(told) == 1 and "diverged" not in str(told[0].message)
    assert not told_by(BernoulliRBM(2, n_iter=100, gradient="exact", random_state=0), X)


def told_by(machine, X):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        machine.fit(X)
    return caught


@pytest.mark.parametrize(
    "settings",
    [{"learning_rate": 1e9}, {"weight_decay": 1e9}, {"learning_rate": 1e9, "optimizer": "adam"}],
    ids=repr,
)
@pytest.mark.parametrize("lowest", [BernoulliRBM, GaussianRBM])
def test_fine_tuning_keeps_the_scale_of_the_data(lowest, settings):
    """The layers keep what they had learned before the whole stack was trained."""
    layers = [lowest(3, n_iter=1), 2]
    before = DBN(layers, random_state=0).fit(BITS)
    tuned = DBN(layers, random_state=0, fine_tuning=FineTuning(n_iter=3, **settings))
    with pytest.warns(ConvergenceWarning, match=r"fine_tuning: training diverged in epoch \d"):
        tuned.fit(BITS)
    assert max(abs(W).max() for W in tuned.generative_components_) < 30
    np.testing.assert_allclose(tuned.transform(BITS), before.transform(BITS), atol=1e-6)


def test_fine_tuning_of_data_in_any_unit_does_not_diverge():
    X = np.random.default_rng(0).normal(size=(200, 4)) * [1, 1e4, 1e-4, 10] + [0, 1e5, 0, 5]
    layers = [GaussianRBM(6, n_iter=5), 3]
    tuned = DBN(layers, random_state=0, fine_tuning=FineTuning(n_iter=5)).fit(X)
    assert np.isfinite(tuned.transform(X)).all()
