"""NCAEmbedding: rows of one class come together; labels, pre-training, early stopping, and its place in a pipeline."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline

from ebm import Autoencoder, BernoulliRBM, Checkpoint, NCAEmbedding

RNG = np.random.default_rng(0)
MOONS, SIDES = make_moons(200, noise=0.1, random_state=0)
NOISY = np.hstack([MOONS, 2 * RNG.normal(size=(200, 2))])
QUICK = {"max_iter": 3, "n_iter_no_change": np.inf, "random_state": 0}
LONG = {"max_iter": 150, "n_iter_no_change": np.inf, "random_state": 0, "learning_rate_init": 0.01}
NOT_DONE = pytest.mark.filterwarnings(
    "ignore:.*Not converged:sklearn.exceptions.ConvergenceWarning"
)


def test_rows_of_one_class_come_together():
    X, y = make_moons(600, noise=0.1, random_state=0)
    X = np.hstack([X, 2 * RNG.normal(size=(600, 2))])
    model = NCAEmbedding((30,), 2, **LONG).fit(X[:400], y[:400])
    start = clone(model).set_params(max_iter=0).fit(X[:400], y[:400])
    assert model.score(X[400:], y[400:]) > start.score(X[400:], y[400:]) + 0.1

    def accuracy(of_rows):
        neighbors = KNeighborsClassifier(5).fit(of_rows(X[:400]), y[:400])
        return neighbors.score(of_rows(X[400:]), y[400:])

    assert accuracy(model.transform) > accuracy(np.asarray) + 0.03


@NOT_DONE
def test_without_hidden_layers_it_ends_where_the_linear_one_does():
    begin = RNG.normal(size=(2, 4)) / 2
    theirs = NeighborhoodComponentsAnalysis(2, init=begin, tol=1e-9, max_iter=300).fit(NOISY, SIDES)
    ours = NCAEmbedding([], 2, solver="lbfgs", tol=1e-7, max_iter=300, alpha=0.0, warm_start=True)
    ours.set_params(max_iter=0).fit(NOISY, SIDES)
    ours.coefs_ = [begin.T]
    ours.set_params(max_iter=300).fit(NOISY, SIDES)
    z = theirs.transform(NOISY)
    linear = NCAEmbedding.from_parameters([theirs.components_.T])
    np.testing.assert_allclose(linear.transform(NOISY), z, rtol=1e-12)
    assert ours.score(NOISY, SIDES) > linear.score(NOISY, SIDES) - 0.01
    assert ours.loss_ == pytest.approx(1 - ours.score(NOISY, SIDES), abs=1e-9)


def test_names_of_classes_do_not_matter():
    words = np.array(["left", "right"])[SIDES]
    a, b = (NCAEmbedding(5, 2, **QUICK).fit(NOISY, y) for y in (SIDES, words))
    np.testing.assert_array_equal(a.transform(NOISY), b.transform(NOISY))
    assert list(a.get_feature_names_out()) == ["ncaembedding0", "ncaembedding1"]


def test_columns_say_how_many_outputs_there_are():
    for n, width in ((4, 4), (12, 10)):
        X = RNG.normal(size=(20, n))
        assert NCAEmbedding(5, **QUICK).fit(X, np.arange(20) % 2).transform(X).shape == (20, width)


def test_unlabelled_rows_are_for_the_pretraining():
    X = (MOONS - MOONS.min(axis=0)) / np.ptp(MOONS, axis=0)
    y = np.where(np.arange(200) < 20, SIDES + 1, -1)
    for stack in (BernoulliRBM(6, n_iter=2), Autoencoder((6, 2), "tanh", **QUICK)):
        machine = clone(stack).set_params(random_state=0)
        fitted = NCAEmbedding(pretraining=machine, max_iter=0, random_state=0).fit(X, y)
        alone = clone(machine).fit(X)
        hidden = list(fitted.network_.outputs(fitted._params(), X))[-2]
        np.testing.assert_allclose(hidden, alone.transform(X), atol=1e-12)
        frozen = NCAEmbedding(pretraining=FrozenEstimator(alone), max_iter=0, random_state=0)
        np.testing.assert_allclose(frozen.fit(X, y).transform(X), fitted.transform(X), atol=1e-12)
    with pytest.raises(ValueError, match="no row is labelled"):
        NCAEmbedding(5, pretraining=machine).fit(X, np.full(200, -1))


def test_early_stopping_restores_the_best():
    model = NCAEmbedding(20, 2, early_stopping=True, validation_fraction=0.3, random_state=0)
    model.set_params(learning_rate_init=0.05, max_iter=60, n_iter_no_change=np.inf)
    model.fit(NOISY, SIDES)
    assert len(model.validation_scores_) == 60
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_validation_score_ > model.validation_scores_[0]


def test_epochs_by_hand_and_sparse_rows():
    thin = np.where(RNG.random((40, 30)) < 0.1, 1.0, 0.0)
    y = np.arange(40) % 3
    a, b = (NCAEmbedding(5, 2, **QUICK).fit(rows, y) for rows in (thin, sparse.csr_array(thin)))
    np.testing.assert_allclose(a.transform(thin), b.transform(thin), atol=1e-10)
    model = NCAEmbedding(20, 2, random_state=0, learning_rate_init=0.01)
    scores = [model.partial_fit(NOISY, SIDES).score(NOISY, SIDES) for _ in range(40)]
    assert scores[-1] > scores[0] + 0.05


def test_a_fit_goes_on_from_its_checkpoint(tmp_path):
    path, settings = tmp_path / "file", {**QUICK, "max_iter": 6}
    whole = NCAEmbedding(5, 2, **settings).fit(NOISY, SIDES)
    NCAEmbedding(5, 2, callbacks=[Checkpoint(path, every=3)], **settings).fit(NOISY, SIDES)
    resumed = clone(whole).resume(path, NOISY, SIDES)
    np.testing.assert_array_equal(resumed.transform(NOISY), whole.transform(NOISY))


def test_it_works_in_a_pipeline_and_in_a_search():
    model = make_pipeline(NCAEmbedding(10, **QUICK), KNeighborsClassifier())
    search = GridSearchCV(model, {"ncaembedding__n_components": [1, 2]}, cv=2).fit(NOISY, SIDES)
    assert search.best_score_ > 0.5
    found = NCAEmbedding(5, 2, **QUICK).fit(NOISY.astype(np.float32), SIDES)
    assert found.transform(NOISY).dtype == np.float32


@pytest.mark.parametrize(
    ("settings", "y", "message"),
    [
        ({"n_components": 0}, SIDES, "n_components"),
        ({}, None, "y"),
        ({}, SIDES[:5], "same number of rows"),
        ({}, RNG.normal(size=200), "y|label"),
        ({}, np.stack([SIDES, SIDES], axis=1), "one label per row"),
    ],
)
def test_what_cannot_be_is_named(settings, y, message):
    with pytest.raises(ValueError, match=message):
        NCAEmbedding(5, **settings, **QUICK).fit(NOISY, y)
