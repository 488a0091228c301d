"""The associative memories as estimators: storing, recalling, completing, and what they refuse."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from ebm import (
    Checkpoint,
    DenseAssociativeClassifier,
    DenseAssociativeMemory,
    EarlyStopping,
    ModernHopfieldNetwork,
    NormalizedMomentum,
)
from ebm.energies.label_memory import LabelMemory, with_labels

MEMORIES = [
    DenseAssociativeMemory(random_state=0),
    DenseAssociativeMemory(interaction="exponential", random_state=0),
    ModernHopfieldNetwork(beta=4.0),
    ModernHopfieldNetwork(beta=4.0, variant="sparsemax"),
]
each = pytest.mark.parametrize("memory", MEMORIES, ids=lambda m: repr(m))
kinds = pytest.mark.parametrize(("kind", "low"), [("binary", 0.0), ("spin", -1.0)])


def patterns(low=-1.0, n_patterns=8, n_units=60, dtype=np.float64, seed=0):
    bits = np.random.default_rng(seed).random((n_patterns, n_units)) < 0.5
    return np.where(bits, 1, low).astype(dtype)


def disturbed(X, share=0.15, seed=1):
    flipped = np.random.default_rng(seed).random(X.shape) < share
    return np.where(flipped, X.max() + X.min() - X, X)


# Two-valued states ----------------------------------------------------------------------------


def test_warnings_name_the_users_line():
    X = np.random.default_rng(0).normal(size=(3, 30))
    for method in ("fit", "partial_fit"):
        with pytest.warns(UserWarning, match=r"other than two states[\s\S]*Binarizer") as caught:
            getattr(DenseAssociativeMemory(), method)(X)
        assert [w.filename for w in caught] == [__file__]
    memory = DenseAssociativeMemory().fit(np.sign(X))
    for method in ("predict", "transform", "impute", "recall", "energy", "score"):
        with pytest.warns(UserWarning, match="other than two states") as caught:
            getattr(memory, method)(X)
        assert [w.filename for w in caught] == [__file__]


@kinds
def test_explicit_states_refuse_other_values(kind, low):
    other = -1.0 if kind == "binary" else 0.0
    X = patterns(low)
    memory = DenseAssociativeMemory(states=kind).fit(X)
    stored = memory.patterns_.copy()
    X[2, 3] = other
    for method in ("fit", "partial_fit", "predict", "transform", "recall", "energy"):
        with pytest.raises(ValueError, match=r"X holds (values other than|-1 and)"):
            getattr(memory, method)(X)
    np.testing.assert_array_equal(memory.patterns_, stored)


# Dense memory ---------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_patterns_are_recalled_in_the_states_they_have(kind, low, dtype):
    X = patterns(low, dtype=dtype)
    memory = DenseAssociativeMemory(random_state=0).fit(X)
    assert memory.states_ == kind
    np.testing.assert_array_equal(memory.patterns_, X)
    found = memory.predict(disturbed(X))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, X)
    np.testing.assert_array_equal(memory.transform(disturbed(X)), X)
    assert memory.score(disturbed(X)) == 1


def test_binary_and_spin_memories_are_the_same():
    binary, spin = (DenseAssociativeMemory(random_state=0).fit(patterns(low)) for low in (0, -1))
    probes = patterns(0, 20, seed=5)
    np.testing.assert_array_equal(binary.predict(probes), (spin.predict(2 * probes - 1) + 1) / 2)
    np.testing.assert_array_equal(binary.energy(probes), spin.energy(2 * probes - 1))


@kinds
def test_unknown_bits_of_probes_are_recalled(kind, low):
    X = patterns(low)
    memory = DenseAssociativeMemory(random_state=0).fit(X)
    probes = X.copy()
    probes[:, 15:] = np.nan
    np.testing.assert_array_equal(memory.predict(probes), X)
    probes[:, 0] = 1 + low - probes[:, 0]  # wrong
    completed = memory.impute(probes)
    np.testing.assert_array_equal(completed[:, :15], probes[:, :15])
    np.testing.assert_array_equal(completed[:, 15:], X[:, 15:])
    np.testing.assert_array_equal(memory.predict(probes), X)
    found = memory.recall(probes)
    np.testing.assert_array_equal(np.isnan(found.trajectory[0]), np.isnan(probes))
    assert not np.isnan(found.states).any()
    with pytest.raises(ValueError, match="at least one bit must be known"):
        memory.predict(np.full((2, 60), np.nan))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda X: X[:, :5], "features"),
        (lambda X: [["a"] * 60], "convert"),
        (lambda X: np.full((1, 60), np.inf), "infinity"),
        (lambda X: X[:2], "row 0 is stored already"),
        (lambda X: 1 - X[[2, 2]], "row 1 equals row 0"),
        (lambda X: np.zeros((1, 60)), "all zeros"),
        (lambda X: np.where(X == 1, np.nan, 0.0), "patterns must be complete"),
        (lambda X: 2 * X - 1, "X holds -1 and"),
    ],
)
def test_a_failed_partial_fit_loses_nothing(spoil, words):
    X = patterns(0)
    memory = DenseAssociativeMemory().fit(X)
    before = dict(vars(memory))
    with pytest.raises(ValueError, match=words):
        memory.partial_fit(spoil(X))
    assert vars(memory) == before
    np.testing.assert_array_equal(memory.predict(X), X)


def test_rows_of_other_values_are_read_and_equal_ones_stored_once():
    X = np.array([[0.1, 0.9, 0.6], [0.2, 0.7, 0.9], [0.9, 0.1, np.nan]])
    with pytest.warns(UserWarning, match="other than two states"):
        memory = DenseAssociativeMemory(interaction="exponential").fit(X)
    np.testing.assert_array_equal(memory.patterns_, [[0, 1, 1], [1, 0, 1]])
    assert memory.states_ == "binary"


def test_storing_one_by_one_is_storing_at_once():
    X = patterns(0)
    at_once = DenseAssociativeMemory(random_state=0).fit(X)
    one_by_one = DenseAssociativeMemory(random_state=0)
    for pattern in X:
        assert one_by_one.partial_fit([pattern]) is one_by_one
    np.testing.assert_array_equal(one_by_one.patterns_, at_once.patterns_)
    probes = disturbed(X, 0.4)
    np.testing.assert_array_equal(one_by_one.predict(probes), at_once.predict(probes))


def test_a_failed_modern_partial_fit_loses_nothing():
    X = patterns(0)
    network = ModernHopfieldNetwork().fit(X)
    for wrong in (X[:, :5], [["a"] * 60], np.full((1, 60), np.inf)):
        with pytest.raises(ValueError, match=r"features|convert|infinity"):
            network.partial_fit(wrong)
    np.testing.assert_array_equal(network.patterns_, X)
    assert len(network.weights_) == 8


def test_more_patterns_than_can_be_held_draw_a_warning_that_names_the_capacity():
    X = patterns(-1, 20, 60)
    with pytest.warns(
        UserWarning, match="20 patterns are more than the capacity of 60 units.*about 9.04"
    ):
        memory = DenseAssociativeMemory(degree=2).fit(X)
    assert memory.capacity_ == pytest.approx(60 / 6.6349, rel=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DenseAssociativeMemory(degree=3).fit(X)
        DenseAssociativeMemory(degree=300).fit(X)
        DenseAssociativeMemory(degree=3).fit([[1.0, -1.0]])  # one pattern is always held


def test_the_record_of_a_recall():
    X = patterns(0)
    memory = DenseAssociativeMemory(degree=4, interaction="rectified", random_state=0).fit(X)
    found = memory.recall(disturbed(X))
    np.testing.assert_array_equal(found.trajectory[0], disturbed(X))
    np.testing.assert_array_equal(found.states, memory.predict(disturbed(X)))
    assert found.converged.all() and np.diff(found.trajectory_energies, axis=0).max() <= 0
    np.testing.assert_allclose(found.trajectory_energies[0], memory.energy(disturbed(X)))
    np.testing.assert_allclose(found.energies, memory.energy(found.states))
    assert memory.recall(X, trajectory=False).trajectory is None


def test_rows_that_are_not_at_rest_draw_a_warning():
    X = patterns(0)
    memory = DenseAssociativeMemory(max_sweeps=1, random_state=0).fit(X)
    with pytest.warns(
        ConvergenceWarning, match="8 of 8 rows reached no fixed point in max_sweeps=1"
    ):
        memory.predict(disturbed(X))
    assert not memory.recall(disturbed(X)).converged.any()
    assert (memory.predict(X) == X).all()


def test_one_seed_one_result_and_the_order_of_visits_matters():
    X, probes = patterns(-1, 30, 40), patterns(-1, 200, 40, seed=3)
    with pytest.warns(UserWarning, match="more than"):
        first, again, other = (
            DenseAssociativeMemory(degree=2, random_state=seed).fit(X) for seed in (0, 0, 1)
        )
    np.testing.assert_array_equal(first.predict(probes), again.predict(probes))
    np.testing.assert_array_equal(first.predict(probes), first.predict(probes))
    assert (first.predict(probes) != other.predict(probes)).any()
    cyclic = [clone(m).set_params(update="cyclic") for m in (first, other)]
    with pytest.warns(UserWarning, match="more than"):
        a, b = (m.fit(X).predict(probes) for m in cyclic)
    np.testing.assert_array_equal(a, b)


# Modern Hopfield network ----------------------------------------------------------------------


def test_one_step_is_attention():
    rng = np.random.default_rng(0)
    X, Q = rng.normal(size=(50, 8)), rng.normal(size=(20, 8))
    network = ModernHopfieldNetwork(0.7, max_steps=1).fit(X)
    np.testing.assert_allclose(
        network.transform(Q), softmax(0.7 * Q @ X.T, axis=1) @ X, rtol=0, atol=1e-12
    )
    shares = network.attention(Q)
    np.testing.assert_allclose(shares, softmax(0.7 * Q @ X.T, axis=1), rtol=0, atol=1e-14)
    weighted = ModernHopfieldNetwork(0.7, max_steps=1).fit(X, sample_weight=np.arange(50))
    expected = softmax(0.7 * Q @ X[1:].T + np.log(np.arange(1, 50)), axis=1)
    np.testing.assert_allclose(weighted.attention(Q), expected, rtol=0, atol=1e-14)
    assert len(weighted.patterns_) == 49


@pytest.mark.parametrize("variant", ["softmax", "entmax", "sparsemax"])
def test_real_patterns_are_retrieved(variant):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 50))
    network = ModernHopfieldNetwork(0.5, variant=variant).fit(X)
    found = network.recall(X + 0.3 * rng.normal(size=X.shape))
    np.testing.assert_allclose(found.states, X, atol=1e-2)
    assert found.converged.all() and np.diff(found.trajectory_energies, axis=0).max() <= 1e-9
    assert network.score(X) > 0.999
    assert network.energy(X).min() >= 0


def test_halves_are_completed():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 50))
    network = ModernHopfieldNetwork(1.0).fit(X)
    probes = X.copy()
    probes[:, 25:] = np.nan
    completed = network.impute(probes)
    np.testing.assert_array_equal(completed[:, :25], X[:, :25])
    np.testing.assert_allclose(completed[:, 25:], X[:, 25:], atol=1e-2)
    with pytest.raises(ValueError, match=r"NaN[\s\S]*impute"):
        network.transform(probes)


def test_modern_partial_fit_adds_patterns_and_weights():
    X, w = np.random.default_rng(0).normal(size=(10, 40)), np.arange(1.0, 11)
    whole = ModernHopfieldNetwork().fit(X, sample_weight=w)
    parts = ModernHopfieldNetwork().partial_fit(X[:3], sample_weight=w[:3])
    assert parts.partial_fit(X[3:], sample_weight=w[3:]) is parts
    np.testing.assert_array_equal(parts.patterns_, whole.patterns_)
    np.testing.assert_array_equal(parts.weights_, whole.weights_)


def test_modern_rows_that_are_not_at_rest_draw_a_warning():
    X = np.random.default_rng(0).normal(size=(10, 4))
    with pytest.warns(UserWarning, match="10 of 10 patterns are not held"):
        network = ModernHopfieldNetwork(0.4, max_steps=2, tol=1e-9).fit(X)
    with pytest.warns(ConvergenceWarning, match="rows have not converged in max_steps=2"):
        network.predict(X)


def test_stored_patterns_are_not_the_users_array():
    for network in (ModernHopfieldNetwork(), DenseAssociativeMemory()):
        X = patterns(-1)
        network.fit(X)
        X[:] = 1
        np.testing.assert_array_equal(network.patterns_, patterns(-1))


# All memories ---------------------------------------------------------------------------------


@each
def test_a_memory_denoises_in_a_pipeline(memory):
    X = patterns(-1, 6, 40)
    y = np.array([0, 1, 2, 0, 1, 2])
    model = make_pipeline(clone(memory), LogisticRegression()).fit(X, y)
    probes = np.repeat(X, 20, axis=0)
    assert model.score(disturbed(probes), np.repeat(y, 20)) == 1


@each
def test_names_and_frames_pass_through(memory):
    X = pd.DataFrame(patterns(-1, 3, 8), columns=list("abcdefgh"))
    found = clone(memory).set_output(transform="pandas").fit(X).transform(X)
    assert list(found.columns) == list("abcdefgh")


@each
@pytest.mark.parametrize("method", ["predict", "transform", "recall", "impute", "energy", "score"])
def test_unfitted_memories_and_wrong_widths_are_told(memory, method):
    memory = clone(memory)
    X = patterns(-1)
    with pytest.raises(NotFittedError):
        getattr(memory, method)(X)
    memory.fit(X)
    with pytest.raises(ValueError, match=r"59 features, but .* expecting 60"):
        getattr(memory, method)(X[:, 1:])


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        (DenseAssociativeMemory(degree=1), "degree"),
        (DenseAssociativeMemory(interaction="cubic"), "interaction"),
        (DenseAssociativeMemory(states="ternary"), "states"),
        (DenseAssociativeMemory(update="sync"), "update"),
        (DenseAssociativeMemory(max_sweeps=0), "max_sweeps"),
        (ModernHopfieldNetwork(beta=-1.0), "beta"),
        (ModernHopfieldNetwork(variant="hardmax"), "variant"),
        (ModernHopfieldNetwork(max_steps=0), "max_steps"),
        (ModernHopfieldNetwork(tol=-1.0), "tol"),
        (DenseAssociativeClassifier(degree=1), "degree"),
        (DenseAssociativeClassifier(error_power=0), "error_power"),
        (DenseAssociativeClassifier(temperature=0.0), "temperature"),
        (DenseAssociativeClassifier(optimizer="newton"), "optimizer"),
        (DenseAssociativeClassifier(schedule="cosine"), "schedule"),
    ],
)
def test_settings_are_checked(memory, words):
    with pytest.raises(ValueError, match=f"{words!r} parameter"):
        memory.fit(patterns(-1), np.arange(8) % 2)


# Classifier -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, np.array([f"digit {d}" for d in y])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_digits_are_told_apart(digits, dtype):
    X, y = digits
    X = X.astype(dtype)
    memory = DenseAssociativeClassifier(n_iter=20, random_state=0).fit(X[:1200], y[:1200])
    assert memory.score(X[1200:], y[1200:]) > 0.93
    assert memory.components_.shape == (100, 74) and memory.components_.dtype == dtype
    assert memory.range_ == (0, 1) and len(memory.history_["error"]) == 20
    shares = memory.predict_proba(X[1200:])
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(memory.classes_[shares.argmax(axis=1)], memory.predict(X[1200:]))


def test_updates_one_by_one_learn_too(digits):
    X, y = digits
    memory = DenseAssociativeClassifier(30, degree=5, learning_rate=0.02, random_state=0)
    with pytest.raises(ValueError, match="classes must be passed to the first call"):
        memory.partial_fit(X[:50], y[:50])
    classes = np.unique(y)
    for epoch in range(6):
        for first in range(0, 1200, 50):
            part = slice(first, first + 50)
            memory.partial_fit(X[part], y[part], classes=classes if epoch == first == 0 else None)
    assert memory.score(X[1200:], y[1200:]) > 0.85
    before = memory.components_.copy()
    with pytest.raises(ValueError, match="not among"):
        memory.partial_fit(X[:2], ["digit 1", "a letter"])
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        memory.partial_fit(X[:2], y[:2], classes=["digit 1"])
    np.testing.assert_array_equal(memory.components_, before)


def test_data_of_another_range_are_scaled_as_a_whole(digits):
    X, y = digits
    inside = DenseAssociativeClassifier(20, n_iter=2, random_state=0).fit(X, y)
    with pytest.warns(UserWarning, match="between 0 and 16, which are mapped") as caught:
        outside = DenseAssociativeClassifier(20, n_iter=2, random_state=0).fit(16 * X, y)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert outside.range_ == (0, 16)
    np.testing.assert_array_equal(outside.predict(16 * X), inside.predict(X))
    signed = DenseAssociativeClassifier(20, n_iter=2, random_state=0).fit(2 * X - 1, y)
    assert signed.range_ == (-1, 1)
    np.testing.assert_allclose(signed.components_, inside.components_, atol=1e-6)


def test_records_of_the_classifier_are_searched(digits):
    X, y = digits
    memory = DenseAssociativeClassifier(10, n_iter=3, random_state=0)
    grid = {"optimizer__momentum": [0.0, 0.6], "degree": [3]}
    search = GridSearchCV(memory, grid, cv=2).fit(X[:200], y[:200])
    assert isinstance(search.best_estimator_.optimizer, NormalizedMomentum)
    assert clone(memory).set_params(schedule__rate=0.5, schedule="exponential").schedule.rate == 0.5


def test_divergence_is_told_and_leaves_a_usable_classifier(digits):
    X, y = (a[:100] for a in digits)
    memory = DenseAssociativeClassifier(5, degree=200, temperature=1e-3, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"diverged in epoch 1[\s\S]*temperature") as caught:
        memory.fit(X.astype(np.float32), y)
    assert caught[0].filename == __file__
    assert np.isfinite(memory.components_).all()
    with pytest.warns(ConvergenceWarning, match="diverged in this update"):
        memory.partial_fit(X.astype(np.float32), y)


def test_verbose_shows_the_error(digits, capsys):
    X, y = digits
    DenseAssociativeClassifier(5, n_iter=2, verbose=1, random_state=0).fit(X[:100], y[:100])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith(
        "[DenseAssociativeClassifier] Iteration 2, error"
    )


SMALL = {"n_components": 10, "degree": 4, "n_iter": 6, "random_state": 0}


def everything(memory):
    """All that learning leaves, but for the time that it took."""
    names = ("components_", "classes_", "range_", "scale_")
    history = {name: x for name, x in memory.history_.items() if name != "time"}
    course = memory._course
    remembered = [course.seed, course.n_steps, course.memory]
    return [getattr(memory, name) for name in names] + [history, *remembered]


@pytest.mark.parametrize("optimizer", ["normalized", "adam"])
def test_a_fit_that_broke_off_is_resumed_to_the_same_bits(digits, tmp_path, optimizer):
    X, y = (a[:200] for a in digits)
    weights = np.random.default_rng(0).uniform(0.5, 2.5, 200)
    settings = {**SMALL, "optimizer": optimizer, "learning_rate": 0.02}
    whole = DenseAssociativeClassifier(**settings).fit(X, y, weights)
    file = tmp_path / "training"

    def crash(report):
        if report.epoch == 4:
            raise OSError("the power went out")

    broken = DenseAssociativeClassifier(**settings, callbacks=[Checkpoint(file), crash])
    with pytest.raises(OSError, match="power"):
        broken.fit(X, y, weights)
    assert not hasattr(broken, "components_") and not hasattr(broken, "scale_")
    memory = DenseAssociativeClassifier(**settings).resume(file, X, y, weights)
    np.testing.assert_equal(everything(memory), everything(whole))
    for change, words in (({"degree": 5}, "model"), ({"error_power": 3}, "gradient")):
        other = DenseAssociativeClassifier(**{**settings, **change})
        with pytest.raises(ValueError, match=f"written with {words}="):
            other.resume(file, X, y, weights)
    with pytest.raises(ValueError, match="written with rows="):
        memory.resume(file, X, np.roll(y, 1), weights)
    np.testing.assert_equal(everything(memory), everything(whole))  # kept


def test_a_warm_start_goes_on(digits, tmp_path):
    X, y = (a[:200] for a in digits)
    memory = DenseAssociativeClassifier(**SMALL, schedule="constant", warm_start=True).fit(X, y)
    first, scale = memory.components_.copy(), memory.scale_
    file = tmp_path / "training"
    memory.set_params(n_iter=0).fit(X, y)
    np.testing.assert_array_equal(memory.components_, first)
    memory.set_params(n_iter=4, callbacks=Checkpoint(file, every=2)).fit(X[:100], y[:100])
    assert memory._course.n_steps == 6 * 4 + 4 * 2 and memory.scale_ == scale
    assert memory.history_["epoch"].tolist() == list(range(1, 11))
    assert memory.history_["error"][6:].mean() < memory.history_["error"][:4].mean()
    kept = memory.components_.copy()
    with pytest.raises(ValueError, match="the same classes as in the previous call to fit"):
        memory.fit(X, np.where(y == y[0], "a letter", y))
    with pytest.raises(ValueError, match="n_components is 11"):
        memory.set_params(n_components=11).fit(X, y)
    np.testing.assert_array_equal(memory.components_, kept)
    again = memory.set_params(n_components=10, warm_start=False, n_iter=6).fit(X, y)
    np.testing.assert_array_equal(again.components_, first)


def test_a_warm_start_that_broke_off_is_resumed(digits, tmp_path):
    X, y = (a[:200] for a in digits)
    file, calls = tmp_path / "training", []

    def crash(report):
        calls.append(report.epoch)
        if len(calls) == 3:
            raise OSError

    settings = {**SMALL, "warm_start": True}
    whole = DenseAssociativeClassifier(**settings).fit(X[:100], y[:100])
    broken = clone(whole).fit(X[:100], y[:100]).set_params(callbacks=[Checkpoint(file), crash])
    whole.fit(X, y)
    with pytest.raises(OSError):
        broken.fit(X, y)
    assert broken._course.n_steps == 12  # it is where it was before
    broken.set_params(callbacks=None).resume(file, X, y)
    np.testing.assert_equal(everything(broken), everything(whole))


def test_callbacks_see_memories_and_add_to_the_history(digits):
    X, y = (a[:200] for a in digits)
    seen = []

    def watch(report):
        seen.append((report.epoch, report.monitored["error"], report.params.memories.copy()))
        return {"largest": np.abs(report.params.memories).max()}

    memory = DenseAssociativeClassifier(**SMALL, callbacks=watch).fit(X, y)
    epochs, errors, memories = zip(*seen, strict=True)
    assert epochs == (1, 2, 3, 4, 5, 6)
    np.testing.assert_array_equal(errors, memory.history_["error"])
    np.testing.assert_array_equal(memories[-1], memory.components_)
    np.testing.assert_array_equal(memory.history_["largest"], [np.abs(x).max() for x in memories])
    stopped = DenseAssociativeClassifier(**SMALL, callbacks=[lambda report: report.epoch == 2])
    np.testing.assert_array_equal(stopped.fit(X, y).components_, memories[1])
    with pytest.raises(ValueError, match="callbacks must hold callables"):
        DenseAssociativeClassifier(callbacks=["loud"]).fit(X, y)


def test_early_stopping_by_the_accuracy_on_held_out_rows(digits):
    X, y = digits
    labels = np.unique(y, return_inverse=True)[1]
    held_out = with_labels(2 * X[400:700] - 1, labels[400:700], 10)
    stop = EarlyStopping(held_out, monitor=LabelMemory.accuracy, patience=4)
    memory = DenseAssociativeClassifier(
        20, n_iter=200, schedule="constant", callbacks=stop, random_state=0
    )
    course = memory.fit(X[:400], y[:400]).history_["accuracy"]
    assert len(course) < 200 and course.argmax() == len(course) - 5
    assert memory.score(X[400:700], y[400:700]) == course.max()
    memory.set_params(callbacks=EarlyStopping(held_out))
    with pytest.raises(ValueError, match=r"pseudo_likelihood[\s\S]*callable"):
        memory.fit(X[:400], y[:400])
    assert memory.score(X[400:700], y[400:700]) == course.max()  # what was learned is kept


def test_a_warning_that_is_an_error_loses_nothing(digits):
    X, y = (a[:100] for a in digits)
    memory = DenseAssociativeClassifier(5, degree=200, temperature=1e-3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning):
            memory.fit(X.astype(np.float32), y)
    assert np.isfinite(memory.components_).all()
