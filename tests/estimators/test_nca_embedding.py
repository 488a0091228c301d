"""NCAEmbedding: rows of one class come together; labels, pre-training, early stopping, and its place in a pipeline."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, make_moons
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis
from sklearn.pipeline import make_pipeline

from ebm import DBN, Autoencoder, BernoulliRBM, Checkpoint, NCAEmbedding

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


# Mixed with reconstructions -------------------------------------------------------------------

GREY = (MOONS - MOONS.min(axis=0)) / np.ptp(MOONS, axis=0)
FEW = np.where(np.arange(200) < 20, SIDES + 1, -1)


def test_rows_without_labels_teach_the_embedding_by_their_reconstruction():
    model = NCAEmbedding((8,), 2, supervision=0.5, **{**QUICK, "max_iter": 30}).fit(GREY, FEW)
    moved = GREY.copy()
    moved[100:] = moved[100:, ::-1]
    other = clone(model).fit(moved, FEW)
    assert abs(other.transform(GREY) - model.transform(GREY)).max() > 1e-3
    alone = NCAEmbedding((8,), 2, **QUICK).fit(GREY[:20], FEW[:20])
    assert [W.shape for W in model.coefs_] == [(2, 8), (8, 2), (2, 8), (8, 2)]
    assert [W.shape for W in alone.coefs_] == [(2, 8), (8, 2)]
    assert model.transform(GREY).shape == alone.transform(GREY).shape
    assert model.history_["loss"][-1] < model.history_["loss"][0]


def test_few_labels_and_many_rows_are_better_than_few_labels():
    X, y = load_digits(return_X_y=True)
    X = X[:1200] / 16
    labels = np.where(np.arange(1200) < 60, y[:1200], -1)
    settings = {"max_iter": 60, "n_iter_no_change": np.inf, "random_state": 0}
    scores = []
    for supervision, n_rows in ((1.0, 60), (0.99, 1200)):
        model = NCAEmbedding((50,), supervision=supervision, **settings)
        model.fit(X[:n_rows], labels[:n_rows])
        near = KNeighborsClassifier(3).fit(model.transform(X[:60]), y[:60])
        scores.append(near.score(model.transform(X[60:]), y[60:1200]))
    assert scores[1] > scores[0] + 0.02


@NOT_DONE
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("supervision", [1.0, 0.7])
def test_a_row_of_weight_two_is_two_rows(supervision, solver):
    w = RNG.integers(0, 3, 200)
    settings = {**QUICK, "supervision": supervision, "solver": solver, "tol": 0.0}
    unlabelled = (np.arange(200) % 3 == 0) & (supervision < 1)
    labels = np.where(unlabelled, -1, SIDES + 1)
    weighted = NCAEmbedding(5, 2, **settings).fit(NOISY, labels, sample_weight=w)
    repeated = NCAEmbedding(5, 2, **settings).fit(np.repeat(NOISY, w, 0), np.repeat(labels, w))
    np.testing.assert_allclose(weighted.transform(NOISY), repeated.transform(NOISY), atol=1e-9)
    scores = (
        weighted.score(NOISY, labels, sample_weight=w),
        weighted.score(np.repeat(NOISY, w, 0), np.repeat(labels, w)),
    )
    np.testing.assert_allclose(*scores, rtol=1e-10)


def test_unlabelled_rows_without_weight_are_left_out():
    w = (FEW >= 0).astype(float)
    settings = {**QUICK, "supervision": 0.5, "loss": "squared_error"}
    a = NCAEmbedding(5, 2, **settings).fit(GREY, FEW, sample_weight=w)
    b = NCAEmbedding(5, 2, **settings).fit(GREY[:20], FEW[:20])
    np.testing.assert_allclose(a.transform(GREY), b.transform(GREY), atol=1e-9)
    with pytest.warns(UserWarning, match="sample_weight is zero in all rows of the classes"):
        NCAEmbedding(5, 2, **settings).fit(GREY, FEW, sample_weight=1 - w)


def test_fractions_of_rows_count():
    w = np.where(np.arange(200) % 2, 0.5, 1.0)
    a, b = (
        NCAEmbedding(5, 2, **QUICK).fit(NOISY, SIDES, sample_weight=x).transform(NOISY)
        for x in (w, np.ones(200))
    )
    assert abs(a - b).max() > 1e-6


@pytest.mark.parametrize(
    "stack",
    [
        DBN([BernoulliRBM(6, n_iter=2), BernoulliRBM(3, n_iter=2)]),
        Autoencoder((6, 3), "tanh", dropout=0.1, **QUICK),
    ],
)
def test_a_pretraining_is_unrolled_around_the_embedding(stack):
    machine = clone(stack).set_params(random_state=0)
    model = NCAEmbedding(
        n_components=2, supervision=0.5, pretraining=machine, max_iter=0, random_state=0
    ).fit(GREY, FEW)
    alone = clone(machine).fit(GREY)
    assert [W.shape for W in model.coefs_] == [(2, 6), (6, 3), (3, 2), (2, 3), (3, 6), (6, 2)]
    hidden = list(model.network_.outputs(model._params(), GREY))[4]
    np.testing.assert_allclose(hidden, alone.transform(GREY), atol=1e-12)
    plain = NCAEmbedding(n_components=2, pretraining=machine, max_iter=0, random_state=0)
    np.testing.assert_array_equal(plain.fit(GREY, FEW).coefs_[0], model.coefs_[0])
    assert model.set_params(max_iter=2, n_iter_no_change=np.inf).fit(GREY, FEW).n_iter_ == 2


def test_sparse_rows_stay_sparse_and_give_the_same():
    thin = np.where(RNG.random((60, 30)) < 0.1, 1.0, 0.0)
    y = np.where(np.arange(60) < 40, np.arange(60) % 3, -1)
    a, b = (
        NCAEmbedding(5, 2, supervision=0.5, **QUICK).fit(rows, y)
        for rows in (thin, sparse.csr_array(thin))
    )
    np.testing.assert_allclose(a.transform(thin), b.transform(sparse.csr_array(thin)), atol=1e-10)


def test_mixed_training_stops_early_and_goes_on(tmp_path):
    settings = {**QUICK, "max_iter": 6, "supervision": 0.5}
    model = NCAEmbedding(5, 2, early_stopping=True, **settings).fit(GREY, FEW)
    assert model.best_validation_score_ == max(model.validation_scores_)
    path = tmp_path / "file"
    whole = NCAEmbedding(5, 2, **settings).fit(GREY, FEW)
    NCAEmbedding(5, 2, callbacks=[Checkpoint(path, every=3)], **settings).fit(GREY, FEW)
    resumed = clone(whole).resume(path, GREY, FEW)
    np.testing.assert_array_equal(resumed.transform(GREY), whole.transform(GREY))
    more = NCAEmbedding(5, 2, supervision=0.5, random_state=0)
    for _ in range(2):
        more.partial_fit(GREY, FEW)
    assert more.t_ == 400


def test_columns_that_cannot_be_reconstructed_are_refused():
    model = NCAEmbedding(5, 2, supervision=0.5, loss="binary_cross_entropy", **QUICK)
    with pytest.raises(ValueError, match="binary_cross_entropy"):
        model.fit(NOISY, SIDES)
    model.fit(GREY, SIDES).set_params(warm_start=True)
    with pytest.raises(ValueError, match="supervision"):
        model.set_params(supervision=0.25).fit(GREY, SIDES)
    with pytest.raises(ValueError, match="supervision"):
        NCAEmbedding.from_parameters([[[1.0], [2.0]]], supervision=0.5)


@pytest.mark.parametrize(
    ("settings", "y", "message"),
    [
        ({"n_components": 0}, SIDES, "n_components"),
        ({"supervision": 0.0}, SIDES, "supervision"),
        ({"loss": "hinge", "supervision": 0.5}, SIDES, "loss"),
        ({}, None, "y"),
        ({}, SIDES[:5], "same number of rows"),
        ({}, RNG.normal(size=200), "y|label"),
        ({}, np.stack([SIDES, SIDES], axis=1), "one label per row"),
    ],
)
def test_what_cannot_be_is_named(settings, y, message):
    with pytest.raises(ValueError, match=message):
        NCAEmbedding(5, **settings, **QUICK).fit(NOISY, y)
