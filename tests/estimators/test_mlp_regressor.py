"""MLPRegressor where it is not like MLPClassifier: its losses, several outputs, targets that are missing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.linear_model import PoissonRegressor, Ridge

from ebm import GaussianRBM, MLPRegressor
from ebm.networks.losses import Huber

RNG = np.random.default_rng(0)
N = 30
X = RNG.normal(size=(N, 4))
W = RNG.normal(size=(4, 2))
Y = X @ W + 0.1 * RNG.normal(size=(N, 2))
ENDLESS = {"n_iter_no_change": np.inf}
LINEAR = {"hidden_layer_sizes": (), "solver": "lbfgs", "tol": 1e-9, "max_iter": 2000}


def test_without_hidden_layers_the_minimum_is_that_of_ridge_regression():
    alpha = 0.7
    mlp = MLPRegressor(**LINEAR, alpha=alpha).fit(X, Y)
    ridge = Ridge(alpha=alpha).fit(X, Y)
    np.testing.assert_allclose(mlp.coefs_[0], ridge.coef_.T, atol=1e-6)
    np.testing.assert_allclose(mlp.intercepts_[0], ridge.intercept_, atol=1e-6)
    np.testing.assert_allclose(mlp.predict(X), ridge.predict(X), atol=1e-6)


def test_without_hidden_layers_counts_are_those_of_poisson_regression():
    counts = np.random.default_rng(1).poisson(np.exp(0.5 * X @ W[:, 0])).astype(float)
    alpha = 3.0
    mlp = MLPRegressor("poisson", **LINEAR, alpha=alpha).fit(X, counts)
    theirs = PoissonRegressor(alpha=alpha / N, tol=1e-12, max_iter=2000).fit(X, counts)
    np.testing.assert_allclose(mlp.coefs_[0][:, 0], theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(mlp.predict(X), theirs.predict(X), rtol=1e-6)
    assert mlp.out_activation_ == "exp"


def test_outliers_pull_with_a_bounded_force():
    spoiled = Y[:, 0].copy()
    spoiled[:3] += 1000
    slopes = {}
    for name, loss in (("huber", Huber(0.5)), ("squared", "squared_error")):
        mlp = MLPRegressor(loss, **LINEAR, alpha=0.0).fit(X[3:], Y[3:, 0])
        right = mlp.coefs_[0].copy()
        slopes[name] = np.abs(mlp.fit(X, spoiled).coefs_[0] - right).max()
    assert slopes["huber"] < 0.2 < 20 < slopes["squared"]


def test_a_wide_huber_loss_is_the_squared_error():
    settings = {"hidden_layer_sizes": 5, "max_iter": 4, "random_state": 0, **ENDLESS}
    huber = MLPRegressor(Huber(1e6), **settings).fit(X, Y)
    squared = MLPRegressor(**settings).fit(X, Y)
    for mine, other in zip(huber.coefs_, squared.coefs_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12)
    np.testing.assert_allclose(huber.loss_curve_, squared.loss_curve_, rtol=1e-12)


def test_one_column_is_one_number():
    settings = {"hidden_layer_sizes": 3, "max_iter": 2, "random_state": 0, **ENDLESS}
    flat = MLPRegressor(**settings).fit(X, Y[:, 0])
    assert flat.predict(X).shape == (N,)
    assert MLPRegressor(**settings).fit(X, Y).predict(X).shape == (N, 2)
    whole = MLPRegressor(**settings).fit(X, np.round(Y[:, 0]).astype(int))
    assert whole.predict(X).dtype == np.float64


def test_settings_of_the_loss_are_reached_by_name():
    mlp = MLPRegressor("huber", hidden_layer_sizes=2, max_iter=1, **ENDLESS)
    mlp.set_params(loss__delta=0.3).fit(X, Y)
    assert mlp.loss == Huber(0.3) == mlp.network_.loss
    theirs = neural_network.MLPRegressor()
    assert MLPRegressor().loss == theirs.loss == "squared_error"


def test_the_score_of_early_stopping_is_the_coefficient_of_determination():
    mlp = MLPRegressor(
        hidden_layer_sizes=20,
        early_stopping=True,
        validation_fraction=0.3,
        learning_rate_init=0.05,
        random_state=0,
    )
    mlp.fit(X, Y)
    assert mlp.n_iter_ < 200
    assert 0.5 < mlp.best_validation_score_ == max(mlp.validation_scores_) <= 1
    assert mlp.best_loss_ is None


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_rows_without_targets_only_train_the_pre_training(n_outputs):
    y = Y[:, :n_outputs].copy() if n_outputs > 1 else Y[:, 0].copy()
    y[10:] = np.nan
    rbm = GaussianRBM(3, n_iter=2, random_state=0)
    settings = {"max_iter": 3, "random_state": 0, **ENDLESS}
    mlp = MLPRegressor(pretraining=rbm, **settings).fit(X, y)
    np.testing.assert_array_equal(mlp.pretraining_.components_, rbm.fit(X).components_)
    assert mlp.t_ == 3 * 10
    # What is learned after it is learned from the others.
    start = MLPRegressor(pretraining=rbm, **{**settings, "max_iter": 0}, warm_start=True)
    start.fit(X, y).set_params(max_iter=3).fit(X[:10], y[:10])
    for mine, other in zip(mlp.coefs_, start.coefs_, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (None, "requires y"),
        (np.full(N, np.nan), "y has no target: all entries are NaN"),
        (np.where(np.eye(N, 2) > 0, np.nan, Y), "only some targets are NaN"),
        (np.where(Y > 1, np.inf, Y), "infinity"),
        (Y[:-1], "same number of rows"),
        (np.array(["a"] * N), "could not convert|dtype"),
        (Y[:, :, np.newaxis], "dim 3"),
    ],
)
def test_targets_that_cannot_be_are_named(y, words):
    mlp = MLPRegressor(pretraining=GaussianRBM(2, n_iter=1))
    with pytest.raises(ValueError, match=words):
        mlp.fit(X, y)
    assert not hasattr(mlp, "coefs_")


def test_without_pre_training_every_row_has_its_target():
    y = Y.copy()
    y[3] = np.nan
    with pytest.raises(ValueError, match="Input y contains NaN"):
        MLPRegressor().fit(X, y)


def test_losses_that_cannot_be_are_named():
    with pytest.raises(ValueError, match=r"loss='poisson' is for y, .* of at least 0. Got -"):
        MLPRegressor("poisson").fit(X, Y)
    with pytest.raises(ValueError, match="'loss' parameter"):
        MLPRegressor("cross_entropy").fit(X, Y)
    mlp = MLPRegressor(max_iter=1, warm_start=True, **ENDLESS).fit(X, Y)
    with pytest.raises(ValueError, match=r"loss is 'huber', but .* 'squared_error'"):
        mlp.set_params(loss="huber").fit(X, Y)
    with pytest.raises(ValueError, match=r"y has 1 columns, but the network has 2 outputs"):
        mlp.set_params(loss="squared_error").fit(X, Y[:, 0])
