"""Machines at their defaults on tables: features for a linear model, and densities."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ebm import BernoulliRBM, DBNClassifier, GaussianRBM

TABLES = {"iris": load_iris, "wine": load_wine}


def accuracy(*steps, table):
    X, y = TABLES[table](return_X_y=True)
    return cross_val_score(make_pipeline(*steps), X, y, cv=5).mean()


@pytest.fixture(scope="module")
def alone():
    """Accuracies of a linear model on the scaled columns."""
    return {name: accuracy(StandardScaler(), LogisticRegression(), table=name) for name in TABLES}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "steps",
    [
        (StandardScaler(), GaussianRBM(random_state=0)),
        (MinMaxScaler(), BernoulliRBM(random_state=0)),
    ],
    ids=["gaussian", "bernoulli"],
)
def test_features_serve_a_linear_model_as_well_as_the_columns(steps, table, alone):
    found = accuracy(*steps, LogisticRegression(max_iter=1000), table=table)
    assert found > alone[table] - 0.03


@pytest.mark.parametrize("table", TABLES)
def test_a_classifier_of_the_joint_density_knows_the_classes(table, alone):
    """On average: the accuracies of single seeds differ by 0.014."""
    found = [
        accuracy(MinMaxScaler(), DBNClassifier(random_state=seed), table=table) for seed in range(3)
    ]
    assert np.mean(found) > alone[table] - 0.06


def independent(seen, new):
    """Mean log-likelihood of the rows `new` by independent normals with the moments of `seen`."""
    z = (new - seen.mean(axis=0)) / seen.std(axis=0)
    normal = -0.5 * z**2 - np.log(seen.std(axis=0)) - 0.5 * np.log(2 * np.pi)
    return normal.sum(axis=1).mean()


def isotropic(rng, n, d):
    return rng.normal(size=(n, d))


def collinear(rng, n, d):
    return rng.normal(size=(n, 1)) + 0.2 * rng.normal(size=(n, d))


def clusters(rng, n, d):
    """Three clouds, in columns of different units and means."""
    place = 3 * rng.normal(size=(3, d))[rng.integers(0, 3, n)]
    return (place + rng.normal(size=(n, d))) * np.geomspace(0.01, 50, d) + 7


@pytest.mark.parametrize("n_components", [12, 64])
@pytest.mark.parametrize("kind", [isotropic, collinear, clusters])
def test_the_density_is_no_worse_than_that_of_independent_normals(kind, n_components):
    X = kind(np.random.default_rng(0), 600, 5)
    seen, new = X[:400], X[400:]
    found = GaussianRBM(n_components, random_state=0).fit(seen).log_likelihood(new).mean()
    slack = 0.2 if kind is isotropic else -0.5  # elsewhere there is something to learn
    assert found > independent(seen, new) - slack


@pytest.mark.parametrize("n_components", [2, 64])
def test_features_that_are_rarely_far_from_their_mean_keep_their_variance(n_components):
    """As the indicators of rare categories are, once standardised: few batches hold a row that is far."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 5))
    X[:, 0] = np.where(np.arange(3000) % 1000 == 17, 30.0, 0.01 * X[:, 0])
    found = GaussianRBM(n_components, random_state=0).fit(X).log_likelihood(X).mean()
    assert found > independent(X, X) - 0.2


def test_skewed_columns_keep_features_of_use():
    """Scaled to [0, 1], they lie near zero: a machine of two-state units hardly sees that they differ."""
    rng = np.random.default_rng(0)
    reals = rng.lognormal(sigma=2.0, size=(1000, 6))
    y = np.log(reals[:, 0]) + np.log(reals[:, 1]) > 0
    X = MinMaxScaler().fit_transform(reals)
    features = BernoulliRBM(random_state=0).fit_transform(X[:700])
    assert np.median(features.std(axis=0)) > 0.07
    model = make_pipeline(BernoulliRBM(random_state=0), LogisticRegression(max_iter=5000))
    raw = LogisticRegression().fit(X[:700], y[:700]).score(X[700:], y[700:])
    assert model.fit(X[:700], y[:700]).score(X[700:], y[700:]) > raw - 0.03


def test_features_that_hardly_vary_are_told():
    X = MinMaxScaler().fit_transform(load_iris(return_X_y=True)[0])
    machine = BernoulliRBM(16, n_iter=300, learning_rate=0.5, random_state=0)
    with pytest.warns(ConvergenceWarning, match="features hardly vary.*StandardScaler between"):
        F = machine.fit_transform(X / 10)
    assert np.median(F.std(axis=0)) < 0.02
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GaussianRBM(16, random_state=0).fit(StandardScaler().fit_transform(X))
