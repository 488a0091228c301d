"""Labels of every kind, in every classifier and every method: read alike, or refused by name."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from ebm import (
    BernoulliRBM,
    Checkpoint,
    DBMClassifier,
    DBNClassifier,
    DenseAssociativeClassifier,
    MLPClassifier,
)

N = 30
X = (np.random.default_rng(0).random((N, 4)) > 0.5).astype(float)
CODES = np.arange(N) % 3
ODD = np.arange(N) % 2 == 1
WORDS = np.array(["no", "perhaps", "yes"])
ONCE = {"max_iter": 1, "n_iter_no_change": np.inf, "random_state": 0}


def stack():
    return BernoulliRBM(3, n_iter=1, random_state=0)


CLASSIFIERS = {
    "network": lambda: MLPClassifier(3, **ONCE),
    "pre-trained network": lambda: MLPClassifier(pretraining=stack(), **ONCE),
    "belief network": lambda: DBNClassifier([stack()], random_state=0),
    "tuned belief network": lambda: DBNClassifier([stack()], fine_tuning="up_down", random_state=0),
    "deep machine": lambda: DBMClassifier([stack()], n_iter=1, random_state=0),
    "memory": lambda: DenseAssociativeClassifier(3, n_iter=1, random_state=0),
}
# Those that learn from rows without a label.
USEFUL = {"pre-trained network", "belief network", "tuned belief network", "deep machine"}
every_classifier = pytest.mark.parametrize("name", CLASSIFIERS)
useful = pytest.mark.parametrize("name", sorted(USEFUL))
useless = pytest.mark.parametrize("name", sorted(set(CLASSIFIERS) - USEFUL))


def marked(labels, mark):
    """An array of objects with the labels in odd rows, and the mark in the others."""
    y = np.full(N, mark, object)
    y[ODD] = labels[ODD]
    return y


# Labels of every type --------------------------------------------------------------------------

TYPES = {
    "small integers": CODES.astype(np.uint8),
    "whole floats": CODES.astype(np.float32),
    "truth values": CODES > 0,
    "words": WORDS[CODES],
    "objects": WORDS[CODES].astype(object),
    "names of two classes": np.where(CODES > 0, 1, -1),
    "numbers as words": np.array(["-1", "0", "1"])[CODES],
}


@pytest.mark.parametrize("kind", TYPES)
@every_classifier
def test_classes_and_predictions_have_the_type_of_the_labels(name, kind):
    y = TYPES[kind]
    model = CLASSIFIERS[name]().fit(X, y)
    np.testing.assert_array_equal(model.classes_, np.unique(y))
    assert model.classes_.dtype == model.predict(X).dtype == y.dtype
    assert model.score(X, y) == accuracy_score(y, model.predict(X))
    assert model.predict_proba(X).shape == (N, len(model.classes_))


@pytest.mark.parametrize("dtype", ["category", "string", "Int64", "boolean"])
@every_classifier
def test_types_of_pandas_are_read_by_their_values(name, dtype):
    pandas = pytest.importorskip("pandas")
    values = {"Int64": CODES, "boolean": CODES > 0}.get(dtype, WORDS[CODES])
    model = CLASSIFIERS[name]().fit(X, pandas.Series(values, dtype=dtype))
    assert model.classes_.tolist() == np.unique(values).tolist()
    assert type(model.predict(X)[:1].tolist()[0]) is type(values[:1].tolist()[0])
    if name in USEFUL:
        missing = pandas.Series(marked(values, None), dtype=dtype)
        again = CLASSIFIERS[name]().fit(X, missing)
        assert again.classes_.tolist() == model.classes_.tolist()


# Rows without a label ----------------------------------------------------------------------------

MARKS = {
    "-1 beside numbers": (np.where(ODD, CODES + 5, -1), [5, 6, 7]),
    "-1 beside words": (marked(WORDS[CODES], -1), WORDS.tolist()),
    "-1 in a list": (marked(WORDS[CODES], -1).tolist(), WORDS.tolist()),
    "the word of it": (np.where(ODD, WORDS[CODES], "-1"), WORDS.tolist()),
    "NaN beside numbers": (np.where(ODD, CODES, np.nan), [0, 1, 2]),
    "NaN beside words": (marked(WORDS[CODES], np.nan), WORDS.tolist()),
    "None": (marked(WORDS[CODES], None), WORDS.tolist()),
    "None beside numbers": (marked(CODES, None), [0, 1, 2]),
    "NaN, and -1 a class": (np.where(ODD, CODES - 1.0, np.nan), [-1, 0, 1]),
}


def fitted_bits(model):
    """All learned arrays in a row."""
    if hasattr(model, "rbms_"):
        arrays = [x for m in model.rbms_ for x in (m.components_, m.intercept_hidden_)]
    else:
        arrays = model.coefs_ if hasattr(model, "coefs_") else [model.components_]
    return np.concatenate([x.ravel() for x in arrays])


@pytest.mark.parametrize("mark", MARKS)
@useful
def test_every_mark_of_unlabelled_rows_is_the_same(name, mark):
    y, classes = MARKS[mark]
    model = CLASSIFIERS[name]().fit(X, y)
    assert model.classes_.tolist() == classes
    plain = CLASSIFIERS[name]().fit(X, np.where(ODD, CODES, -3 * ODD - 1) + 5 * ODD)
    np.testing.assert_array_equal(fitted_bits(model), fitted_bits(plain))
    assert set(model.predict(X).tolist()) <= set(classes)


@pytest.mark.parametrize("mark", MARKS)
@useless
def test_rows_of_no_use_are_left_out_with_a_warning_or_refused(name, mark):
    y, classes = MARKS[mark]
    model = CLASSIFIERS[name]()
    if "-1" in mark.split(",")[0] or "word of" in mark:
        with pytest.warns(UserWarning, match="15 rows have y = -1, .* are left out.*another name"):
            model.fit(X, y)
        assert model.classes_.tolist() == classes
        alone = CLASSIFIERS[name]().fit(X[ODD], np.asarray(y, object)[ODD])
        np.testing.assert_array_equal(fitted_bits(model), fitted_bits(alone))
    else:
        with pytest.raises(ValueError, match=r"NaN or None in 15 rows\. Leave these rows out"):
            model.fit(X, y)


@every_classifier
def test_unlabelled_rows_do_not_count_in_the_score(name):
    model = CLASSIFIERS[name]().fit(X, WORDS[CODES])
    expected = model.score(X[ODD], WORDS[CODES][ODD])
    weights = np.random.default_rng(1).random(N)
    weighted = model.score(X[ODD], WORDS[CODES][ODD], weights[ODD])
    for mark in ("-1 beside words", "the word of it", "NaN beside words", "None", "-1 in a list"):
        y, _ = MARKS[mark]
        assert model.score(X, y) == expected, mark
        assert model.score(X, y, weights) == pytest.approx(weighted, rel=1e-12)
    with pytest.raises(ValueError, match="no row is labelled"):
        model.score(X, np.full(N, None))
    assert model.score(X, np.full(N, "never seen")) == 0
    with pytest.raises(ValueError, match="y has numbers, such as 0, but the classes are strings"):
        model.score(X, CODES)


@pytest.mark.parametrize("signed", [[-1, 0, 1], [-2, -1, 1], [-2, -1, 3]], ids=str)
@every_classifier
def test_a_class_that_is_dropped_for_being_minus_one_is_named(name, signed):
    y = np.array(signed)[CODES]
    model = CLASSIFIERS[name]()
    with pytest.warns(UserWarning, match="10 rows have y = -1, .*another name") as told:
        model.fit(X, y)
    assert len(told) == 1
    assert model.classes_.tolist() == [c for c in signed if c != -1]
    renamed = CLASSIFIERS[name]().fit(X, y + 10)  # the cure
    assert renamed.classes_.tolist() == [c + 10 for c in signed]
    as_floats = np.where(np.arange(N) < 9, np.nan, y)
    if name in USEFUL:  # the other cure
        assert CLASSIFIERS[name]().fit(X, as_floats).classes_.tolist() == signed
    announced = CLASSIFIERS[name]().partial_fit(X, y, classes=signed)
    assert announced.classes_.tolist() == signed


@useful
def test_minus_one_beside_one_other_class_is_a_class(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CLASSIFIERS[name]().fit(X, np.where(CODES > 0, 1, -1))
    with pytest.warns(UserWarning, match=r"y = -1 is taken for a class, beside \[7\]"):
        CLASSIFIERS[name]().fit(X, np.where(CODES > 0, 7, -1))


# Labels that cannot be -----------------------------------------------------------------------------

IMPOSSIBLE = {
    "no labels": (None, "requires y"),
    "too few": (CODES[:-1], "same number of rows"),
    "none labelled": (np.full(N, -1), "no row is labelled"),
    "none known": (np.full(N, None), "no row is labelled|NaN or None in 30 rows"),
    "words and numbers": (np.array(["a", 1, 2], object)[CODES], "mixes strings .* 'a' and 1"),
    "the same as a list": ([["a", 1, 2][k] for k in CODES], "mixes strings .* 'a' and 1"),
    "no classes": (np.linspace(0, 1, N), "continuous"),
    "infinite": (np.where(ODD, np.inf, 1.0), "infinity"),
    "several in a row": (np.column_stack([CODES, CODES]), "one label per row|0 or 1 each"),
    "complex": (CODES + 0j, "Complex data"),
}


@pytest.mark.parametrize("kind", IMPOSSIBLE)
@every_classifier
def test_labels_that_cannot_be_are_refused_in_every_method(name, kind, tmp_path):
    y, words = IMPOSSIBLE[kind]
    model = CLASSIFIERS[name]()
    with pytest.raises(ValueError, match=words):
        model.fit(X, y)
    assert not hasattr(model, "classes_")
    with pytest.raises(ValueError, match=words):
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert not hasattr(model, "classes_")
    model.fit(X, CODES)
    before = fitted_bits(model).copy()
    with pytest.raises(ValueError, match=words):
        model.set_params(warm_start=True).fit(X, y)
    if kind != "no labels":
        with pytest.raises(ValueError, match=f"{words}|but the classes are|[Cc]lassif.* metrics"):
            model.score(X, y)
    np.testing.assert_array_equal(fitted_bits(model), before)
    if hasattr(model, "resume"):
        file = tmp_path / "training"
        model.set_params(warm_start=False, callbacks=[Checkpoint(file)]).fit(X, CODES)
        with pytest.raises(ValueError, match=words):
            model.resume(file, X, y)
        np.testing.assert_array_equal(fitted_bits(model), before)


# The argument `classes` ------------------------------------------------------------------------------


@every_classifier
def test_labels_outside_the_classes_are_named(name):
    y = np.array(["no", "no", "perhaps", "yes"])
    for classes in (["no", "perhaps"], np.array(["perhaps", "no"], object)):
        with pytest.raises(ValueError, match=r"the classes \['yes'\], which are not among \['no'"):
            CLASSIFIERS[name]().partial_fit(X[:4], y, classes=classes)
    model = CLASSIFIERS[name]().partial_fit(X[:4], y, classes=[*WORDS, "never"])
    assert model.classes_.tolist() == ["never", *WORDS]
    before = fitted_bits(model).copy()
    with pytest.raises(ValueError, match=r"the classes \['soon'\], which are not among"):
        model.partial_fit(X[:2], ["no", "soon"])
    with pytest.raises(ValueError, match=r"the classes \['soon'\], which are not among"):
        model.partial_fit(X[:2], ["no", "soon"], classes=[*WORDS, "never"])
    with pytest.raises(ValueError, match="y has numbers, such as 1, but the classes are strings"):
        model.partial_fit(X[:2], [1, 2])
    np.testing.assert_array_equal(fitted_bits(model), before)
    assert model.partial_fit(X[:2], ["no", "no"]) is model  # a part need not have all


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (None, "classes must be passed to the first call"),
        (["no", None, "yes"], "without NaN or None"),
        ([0.0, np.nan], "without NaN or None"),
        ([[0, 1, 2]], "must be a list of classes"),
        (["a", 1], "classes mixes strings"),
    ],
    ids=str,
)
@every_classifier
def test_classes_that_cannot_be_are_refused(name, classes, words):
    model = CLASSIFIERS[name]()
    with pytest.raises(ValueError, match=words):
        model.partial_fit(X, CODES, classes=classes)
    model.partial_fit(X, CODES, classes=[2, 0, 1])
    with pytest.raises(ValueError, match=r"classes must be those of the first call, \[0, 1, 2\]"):
        model.partial_fit(X, CODES, classes=[0, 1])


@every_classifier
def test_a_fit_goes_on_with_the_same_classes_only(name):
    model = CLASSIFIERS[name]().set_params(warm_start=True).fit(X, WORDS[CODES])
    before = fitted_bits(model).copy()
    some = CODES > 0
    for rows, y in ((X[some], WORDS[CODES][some]), (X, np.where(CODES > 1, "new", WORDS[CODES]))):
        with pytest.raises(
            ValueError, match=r"the same classes .* previous call to fit. .*`y` has"
        ):
            model.fit(rows, y)
    np.testing.assert_array_equal(fitted_bits(model), before)
    model.partial_fit(X[some], WORDS[CODES][some])  # the cures
    assert model.set_params(warm_start=False).fit(X[some], CODES[some]).classes_.tolist() == [1, 2]


@useful
def test_batches_without_a_label_only_train_what_needs_none(name):
    model = CLASSIFIERS[name]()
    with pytest.raises(ValueError, match="no row is labelled"):
        model.partial_fit(X, np.full(N, -1), classes=[0, 1, 2])
    model.partial_fit(X, CODES, classes=[0, 1, 2])
    if name == "pre-trained network":  # is fitted, and nothing else would learn
        with pytest.raises(ValueError, match="no row is labelled"):
            model.partial_fit(X, np.full(N, -1))
    else:
        assert np.isfinite(fitted_bits(model.partial_fit(X, np.full(N, -1)))).all()


# Weights -------------------------------------------------------------------------------------------


@every_classifier
def test_a_class_without_weight_is_named(name):
    weights = (CODES != 1).astype(float)
    model = CLASSIFIERS[name]()
    with pytest.warns(UserWarning, match=r"sample_weight is zero in all rows of the classes \['pe"):
        model.fit(X, WORDS[CODES], sample_weight=weights)
    assert model.classes_.tolist() == WORDS.tolist()
    assert np.isfinite(model.predict_proba(X)).all()
    kept = weights > 0  # the cure
    alone = CLASSIFIERS[name]().fit(X[kept], WORDS[CODES][kept], sample_weight=weights[kept])
    assert alone.classes_.tolist() == ["no", "yes"]
    CLASSIFIERS[name]().partial_fit(X, WORDS[CODES], classes=WORDS, sample_weight=weights)


# One class -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["network", "pre-trained network", "memory"])
def test_of_one_class_are_all_rows(name):
    model = CLASSIFIERS[name]().fit(X, np.full(N, "only"))
    assert set(model.predict(X)) == {"only"} and model.score(X, np.full(N, "only")) == 1
    np.testing.assert_array_equal(model.predict_proba(X), np.ones((N, 1)))
    if name != "memory":
        np.testing.assert_array_equal(model.predict_log_proba(X), np.zeros((N, 1)))


@pytest.mark.parametrize("name", ["belief network", "tuned belief network"])
def test_a_joint_density_needs_two_classes(name):
    with pytest.raises(ValueError, match=r"one class \[0\], but a classifier needs"):
        CLASSIFIERS[name]().fit(X, np.zeros(N, int))


# Several labels at once ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["network", "pre-trained network"])
def test_rows_keep_as_many_labels_as_before(name):
    several = np.column_stack([CODES > 0, CODES > 1, ODD]).astype(int)
    model = CLASSIFIERS[name]().fit(X, several)
    y = several.astype(float)
    y[~ODD] = -1
    assert model.score(X, y) == model.score(X[ODD], several[ODD])
    for other in (CODES % 2, several[:, :2]):
        with pytest.raises(ValueError, match="indicators of all labels"):
            model.partial_fit(X, other)
    with pytest.raises(ValueError, match=r"one of the labels \[0, 1, 2\]"):
        CLASSIFIERS[name]().fit(X, CODES).partial_fit(X, several)
    with pytest.raises(ValueError, match="the numbers of the columns of y"):
        CLASSIFIERS[name]().partial_fit(X, several, classes=["a", "b", "c"])
    model.partial_fit(X, several, classes=[0, 1, 2])
