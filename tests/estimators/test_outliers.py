"""FreeEnergyOutlierDetector: outliers of tables and of machines, fitted or not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ebm import (
    Autoencoder,
    BoltzmannMachine,
    FreeEnergyOutlierDetector,
    GaussianRBM,
    TableRBM,
)
from ebm.likelihood.outliers import outlier_threshold

QUICK = {"n_components": 4, "n_iter": 5, "random_state": 0}


def table(n=300, seed=0):
    """Two columns that depend on each other, and rows whose combinations are unlikely."""
    rng = np.random.default_rng(seed)
    word = rng.choice(["low", "high"], n)
    level = np.where(word == "high", 3.0, -3.0)
    data = pd.DataFrame({"word": word, "x": level + rng.normal(size=n), "y": rng.normal(size=n)})
    odd = np.arange(n) < 20
    data.loc[odd, "x"] *= -1
    return data, odd


def test_scores_are_minus_free_energies():
    data, _ = table()
    detector = FreeEnergyOutlierDetector(TableRBM(**QUICK)).fit(data)
    energies = TableRBM(**QUICK).fit(data).free_energy(data)
    np.testing.assert_array_equal(detector.score_samples(data), -energies)
    apart = detector.decision_function(data)
    np.testing.assert_array_equal(apart, -energies - detector.offset_)
    np.testing.assert_array_equal(detector.predict(data), np.where(apart < 0, -1, 1))
    np.testing.assert_array_equal(clone(detector).fit_predict(data), detector.predict(data))


def test_rows_that_break_a_dependence_are_found():
    data, odd = table()
    detector = FreeEnergyOutlierDetector(
        TableRBM(10, transformer="yeo-johnson", random_state=0), contamination=20 / 300
    ).fit(data[~odd])
    assert roc_auc_score(~odd, detector.score_samples(data)) > 0.95
    assert (detector.predict(data)[odd] == -1).mean() > 0.8


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_contamination_is_the_share_of_outliers(share):
    data, _ = table()
    labels = FreeEnergyOutlierDetector(TableRBM(**QUICK), contamination=share).fit_predict(data)
    assert abs((labels == -1).mean() - share) <= 1 / len(data)


def test_the_automatic_threshold_is_the_lower_fence():
    scores = np.random.default_rng(0).normal(size=200_000)
    # Phi^-1(1/4) - 1.5 (Phi^-1(3/4) - Phi^-1(1/4)) = -2.698
    assert abs(outlier_threshold(scores, None) + 2.698) < 0.02
    assert outlier_threshold(np.arange(101.0), 0.1) == 10
    data, _ = table()
    detector = FreeEnergyOutlierDetector(TableRBM(**QUICK)).fit(data)
    assert detector.offset_ == outlier_threshold(detector.score_samples(data), None)


def test_a_machine_that_is_fitted_already_stays_as_it_is():
    X = np.random.default_rng(0).normal(size=(60, 3))
    machine = GaussianRBM(**QUICK).fit(X)
    before = machine.components_.copy()
    detector = FreeEnergyOutlierDetector(FrozenEstimator(machine), contamination=0.1).fit(X[:40])
    np.testing.assert_array_equal(machine.components_, before)
    np.testing.assert_array_equal(detector.score_samples(X), -machine.free_energy(X))
    assert detector.n_features_in_ == 3


def test_cells_that_are_missing_are_filled_first():
    data, _ = table()
    holes = data.copy()
    holes.loc[::3, "x"] = np.nan
    detector = FreeEnergyOutlierDetector(TableRBM(**QUICK)).fit(data)
    filled = detector.estimator_.impute(holes)
    np.testing.assert_array_equal(detector.score_samples(holes), detector.score_samples(filled))
    with pytest.raises(ValueError, match="NaN"):
        FreeEnergyOutlierDetector(BoltzmannMachine(n_hidden=1)).fit([[0, np.nan], [1, 0]])


def test_a_machine_without_probabilities_is_refused():
    with pytest.raises(
        ValueError, match=r"estimator must have free_energy, log_likelihood or score.*KMeans"
    ):
        FreeEnergyOutlierDetector(KMeans(2)).fit(np.eye(3))


def test_log_likelihoods_stand_in_for_free_energies():
    class Normal(GaussianRBM):
        free_energy = property()

    X = np.random.default_rng(0).normal(size=(40, 2))
    machine = Normal(**QUICK)
    found = FreeEnergyOutlierDetector(machine).fit(X)
    np.testing.assert_array_equal(found.score_samples(X), clone(machine).fit(X).log_likelihood(X))


@pytest.mark.parametrize("kind", [PCA, Autoencoder])
def test_rows_off_the_surface_of_the_others_are_found(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6)) + 0.05 * rng.normal(size=(200, 6))
    odd = np.arange(200) < 10
    X[odd] = X[rng.permutation(200)[:10]] + 0.6 * rng.normal(size=(10, 6))
    machine = PCA(2) if kind is PCA else Autoencoder((10, 2), max_iter=30, n_iter_no_change=5)
    detector = FreeEnergyOutlierDetector(machine, contamination=0.05, random_state=0).fit(X)
    scores = detector.score_samples(X)
    np.testing.assert_array_equal(scores, detector.estimator_.score_samples(X))
    assert roc_auc_score(~odd, scores) > 0.97
    assert (detector.predict(X)[odd] == -1).mean() >= 0.8
    assert detector.n_features_in_ == 6


def test_gaps_have_no_loss_of_a_reconstruction():
    X = np.random.default_rng(0).normal(size=(60, 4))
    X[::3, 1] = np.nan
    detector = FreeEnergyOutlierDetector(Autoencoder((5, 2), max_iter=0)).fit(X)
    filled = detector.estimator_.impute(X)
    np.testing.assert_array_equal(detector.score_samples(X), detector.score_samples(filled))


def test_the_seed_is_for_machines_without_one():
    X = np.random.default_rng(0).normal(size=(40, 2))
    machine = GaussianRBM(3, n_iter=2)
    a, b = (FreeEnergyOutlierDetector(machine, random_state=1).fit(X) for _ in range(2))
    np.testing.assert_array_equal(a.score_samples(X), b.score_samples(X))
    assert machine.random_state is None
    seeded = FreeEnergyOutlierDetector(machine.set_params(random_state=5), random_state=1).fit(X)
    assert seeded.estimator_.random_state == 5


def test_it_works_in_a_pipeline_and_in_a_search():
    X = np.random.default_rng(0).normal(size=(60, 3)) * 50
    detector = FreeEnergyOutlierDetector(GaussianRBM(**QUICK))
    labels = make_pipeline(StandardScaler(), detector).fit(X).predict(X)
    assert set(labels) <= {-1, 1}
    search = GridSearchCV(detector, {"estimator__n_components": [2, 3]}, scoring="accuracy", cv=2)
    search.fit(X / 50, np.ones(60))
    assert search.best_params_["estimator__n_components"] in (2, 3)


@pytest.mark.parametrize("value", [0, 0.6, "some", True])
def test_contamination_is_auto_or_a_share(value):
    with pytest.raises(ValueError, match="contamination"):
        FreeEnergyOutlierDetector(contamination=value).fit(np.eye(3))


def test_before_fit():
    with pytest.raises(NotFittedError):
        FreeEnergyOutlierDetector().predict(np.eye(3))
