"""Targets on the way in: classes and numbers, and the rows that have none.

Every classifier reads labels here. A row is unlabelled if its label is missing (NaN, or None beside words), or if it is
-1, in scikit-learn's convention, unless that is a class:

- where the classes are given or known, if it is among them;
- where they are not, if there are fewer than two others, as in the labels -1 and 1 of two classes, or if NaN or None
  mark the unlabelled rows.

The word "-1", which NumPy makes of the number beside other words, is the same mark. Of several labels at once, an
unlabelled row is -1, or NaN, throughout.
"""

from collections.abc import Iterable
from numbers import Number, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import _safe_indexing, assert_all_finite, check_array, column_or_1d
from sklearn.utils._missing import is_pandas_na, is_scalar_nan
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ebm._arrays import Array, as_numbers, check_magnitude, screened
from ebm._checks import shown
from ebm.sklearn_compat._shared._validation import check_as_many, check_weights, named, warn_user

# What marks an unlabelled row, in scikit-learn's convention.
UNLABELLED = -1


class Labels(NamedTuple):
    """Labels of the labelled rows, (labelled rows,) or (labelled rows, labels), and which rows these are (rows,)."""

    y: Array
    labelled: Array


def read_labels(
    estimator: Any,
    X: Any,
    y: Any,
    known: Array | None = None,
    *,
    useful: bool,
    several: bool,
    some: bool = True,
) -> Labels:
    """The labels of the rows of `X`.

    Parameters
    ----------
    known : ndarray of shape (n_classes,), optional
        The classes, if they are given or known.
    useful : bool
        Whether the estimator learns from unlabelled rows.
    several : bool
        Whether a row may have several labels at once.
    some : bool
        Whether at least one row has to be labelled.

    Raises
    ------
    ValueError
        If there is no label; if the shape of `y` does not fit; if it mixes words and numbers or is not of classes; if
        labels are missing that are not `useful`; or if a row has some of several labels and others not.

    Warns
    -----
    UserWarning
        If -1 may have been meant otherwise than it is taken.
    """
    y = _label_array(estimator, X, y)
    if y.ndim > 1 and not several:
        raise ValueError(f"y must have one label per row. Got the shape {y.shape}.")
    labelled = _labelled_rows(y, known, useful)
    if some and not labelled.any():
        raise ValueError(
            f"y is {UNLABELLED}, NaN or None throughout: no row is labelled. Label some rows of at least two classes."
        )
    labels = of_one_type(y[labelled])
    if len(labels):
        assert_all_finite(labels, input_name="y")
        with named("y", y), np.errstate(invalid="ignore"):
            check_classification_targets(labels)
    return Labels(labels, labelled)


def announced(estimator: Any, classes: Any, first: bool) -> Array:
    """The argument `classes` of `partial_fit`, sorted: needed in the first call, and the same in all others."""
    if classes is None:
        if first:
            raise ValueError(
                f"classes must be passed to the first call of partial_fit of {type(estimator).__name__}: all classes "
                "that will come up, for example np.unique(y_all)."
            )
        return np.asarray(estimator.classes_)
    with named("classes", classes):
        given = _read(classes, "classes")
        if given.ndim != 1 or not np.isfinite(_numbers_of(given)).all():
            raise ValueError(
                f"classes must be a list of classes, none of them missing. Got {shown(classes)}."
            )
        given = np.unique(of_one_type(given, "classes"))
    if not first and not np.array_equal(given, estimator.classes_):
        raise ValueError(
            f"classes must be those of the first call, {estimator.classes_.tolist()}. Got {given.tolist()}."
        )
    return given


def check_several(classes: Array) -> None:
    """Refuse a single class."""
    if len(classes) < 2:
        raise ValueError(
            f"y has the one class {classes.tolist()}: there must be two at least to tell apart."
        )


def check_known(y: Array, classes: Array) -> None:
    """Refuse labels that are none of the `classes`."""
    _check_same_kind(y, classes)
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(
            f"y has the classes {unknown.tolist()}, which are not among {classes.tolist()}. Name all classes in the "
            "first call of partial_fit, or fit anew (warm_start=False) to change them."
        )


def check_same(y: Array, classes: Array) -> None:
    """Refuse labels to go on with that are others, or fewer, than those of before."""
    present = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
    if not np.array_equal(present, classes):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously got "
            f"{classes}, `y` has {present}. Use partial_fit for some of the classes, or fit anew (warm_start=False)."
        )


def warn_weightless(y: Array, weights: Array | None) -> None:
    """One warning that names the classes of which no row has a weight."""
    if weights is None or y.ndim > 1:
        return
    without = np.setdiff1d(y, y[weights > 0])
    if len(without) and weights.any():
        warn_user(
            f"sample_weight is zero in all rows of the classes {without.tolist()}: nothing is learned of them. Leave "
            "these rows out if they are to be no classes.",
            UserWarning,
        )


# The method `score` of classifiers


def score(self: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
    """Share of the labelled rows whose class, or all of whose labels, are found.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their classes, or indicators of several labels. Rows without a label do not count: NaN, None beside words,
        or -1 where that is none of the classes.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    score : float
        The accuracy, between 0 and 1.

    Raises
    ------
    ValueError
        If no row has a label.
    """
    check_is_fitted(self)
    sample_weight = check_weights(sample_weight, y)
    labels = read_labels(self, X, y, self.classes_, useful=True, several=True)
    if labels.y.ndim == 1:
        _check_same_kind(labels.y, self.classes_)
    if not labels.labelled.all():
        rows = np.flatnonzero(labels.labelled)
        X = _safe_indexing(X, rows)
        sample_weight = None if sample_weight is None else sample_weight[rows]
    found = self.predict(X)
    if found.shape != labels.y.shape:
        raise ValueError(f"y has the shape {labels.y.shape}, but predictions have {found.shape}.")
    return float(accuracy_score(labels.y, found, sample_weight=sample_weight))


# Indicators of classes


def new_binarizer(y: Array, classes: Array | None) -> LabelBinarizer:
    """The map from labels to indicators, of the `classes`, or else of those of the labels `y`."""
    binarizer = LabelBinarizer().fit(y if classes is None or y.ndim == 2 else classes)
    if classes is not None and not np.array_equal(binarizer.classes_, classes):
        raise ValueError(
            f"classes must be {binarizer.classes_.tolist()}, the numbers of the columns of y. Got {classes.tolist()}."
        )
    if y.ndim == 1:  # in the labels' own type: of words in an array of objects it makes others
        binarizer.classes_ = np.unique(y) if classes is None else classes
    return binarizer


def indicators(binarizer: LabelBinarizer, y: Array) -> Array:
    """The labels `y`, as many in a row as before and of known classes, as indicators (rows, outputs)."""
    several = binarizer.y_type_.startswith("multilabel")
    if several != (y.ndim > 1) or (several and y.shape[1] != len(binarizer.classes_)):
        raise ValueError(
            f"y has the shape {y.shape}, but a row has {len(binarizer.classes_) if several else 'one'} of the labels "
            f"{binarizer.classes_.tolist()}. Fit anew (warm_start=False) to change that."
        )
    if not several:
        check_known(y, binarizer.classes_)
    return np.asarray(binarizer.transform(y))


# Arrays of labels


def _read(labels: Any, argument: str, **choice: Any) -> Any:
    """Labels of any type, in as many dimensions as they have, by scikit-learn's checks."""
    return check_array(
        _unmixed(screened(labels, argument)),
        input_name=argument,
        dtype=None,
        ensure_2d=False,
        ensure_all_finite=False,
        **choice,
    )


def _label_array(estimator: Any, X: Any, y: Any) -> Array:
    """`y` as an array (rows,) or (rows, labels)."""
    _check_given(estimator, y)
    with named("y", y):
        y = _read(y, "y", accept_sparse="csr")
    y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
    if y.dtype.kind == "V":
        raise TypeError(
            f"y holds records ({y.dtype}), which are no labels. Pass one of their fields."
        )
    check_as_many(X, y)
    return column_or_1d(y, warn=True) if y.ndim == 1 or y.shape[1] == 1 else y


def _check_given(estimator: Any, y: Any) -> None:
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None."
        )


def _is_word(label: Any) -> bool:
    return isinstance(label, str)


def _is_number(label: Any) -> bool:
    return isinstance(label, Number | np.bool_)


def _mixes(labels: Iterable[Any]) -> bool:
    """Whether there are words, and what is none."""
    words = [_is_word(x) for x in labels]
    return any(words) and not all(words)


def _unmixed(labels: Any) -> Any:
    """Objects where a list has words and numbers, of which NumPy would make words, and for types of pandas' own."""
    dtype = getattr(labels, "dtype", None)
    mixed = isinstance(labels, list | tuple) and _mixes(labels)
    own = hasattr(labels, "array") and dtype is not None and not isinstance(dtype, np.dtype)
    return np.array(labels, dtype=object) if mixed or own else labels


def _are_words(labels: Array) -> bool:
    return labels.dtype.kind in "UT" or (
        labels.dtype == object and any(_is_word(x) for x in labels.flat)
    )


def of_one_type(labels: Array, name: str = "y") -> Array:
    """Labels of which none is missing; numbers in an array of objects become an array of numbers."""
    if labels.dtype != object:
        return labels
    if all(_is_number(x) for x in labels.flat):
        return np.array(labels.tolist())
    if _mixes(labels.flat):
        word = next(x for x in labels.flat if _is_word(x))
        other = next(x for x in labels.flat if not _is_word(x))
        raise ValueError(
            f"{name} mixes words and other labels, such as {word!r} and {other!r}. Make words of all of them, and "
            "leave None in the rows without a label."
        )
    return labels


def are_sorted(classes: Array) -> bool:
    """Whether labels (classes,) are all words or all real numbers, and rise from one to the next."""
    if classes.dtype == object:
        words = [_is_word(x) for x in classes.flat]
        known = all(words) or (
            not any(words) and all(isinstance(x, Real | np.bool_) for x in classes.flat)
        )
        if not known:
            return False
    return bool((classes[:-1] < classes[1:]).all())


def _check_same_kind(y: Array, classes: Array) -> None:
    if len(y) and _are_words(y) != _are_words(classes):
        kinds = ("words", "numbers") if _are_words(y) else ("numbers", "words")
        raise ValueError(
            f"y has {kinds[0]}, such as {y.tolist()[0]!r}, but the classes are {kinds[1]}, {classes.tolist()}. Give "
            "both the same type."
        )


# Rows without a label


def is_missing(y: Array) -> Array:
    """Which labels are NaN, None or pandas.NA."""
    if y.dtype.kind == "f":
        return np.isnan(y)
    if y.dtype == object:
        gone = [x is None or is_pandas_na(x) or is_scalar_nan(x) for x in y.flat]
        return np.array(gone, bool).reshape(y.shape)
    return np.zeros(y.shape, bool)


def _numbers_of(y: Array) -> Array:
    """NaN for labels that are missing, infinities as they are, and zero for all others."""
    lost = np.where(is_missing(y), np.nan, 0.0)
    return lost + np.where(np.isinf(y), y, 0.0) if y.dtype.kind == "f" else lost


def _marks(y: Array, beside: Array) -> Array:
    """Which labels are the number -1, or the word, beside words that are no numbers."""
    if y.dtype == object:
        found = np.array([_is_number(x) and x == UNLABELLED for x in y.flat], bool).reshape(y.shape)
    else:
        found = y == UNLABELLED if y.dtype.kind in "biuf" else np.zeros(y.shape, bool)
    if _are_words(y) and not all(_reads_as_number(x) for x in beside.flat):
        found |= np.array([_is_word(x) and x == str(UNLABELLED) for x in y.flat]).reshape(y.shape)
    return found


def _reads_as_number(label: Any) -> bool:
    try:
        float(label)
    except (TypeError, ValueError):
        return False
    return True


def _labelled_rows(y: Array, known: Array | None, useful: bool) -> Array:
    """Which rows have a label (rows,)."""
    missing: Array = np.all(is_missing(y).reshape(len(y), -1), axis=1)
    marked: Array = np.all(_marks(y, y if known is None else known).reshape(len(y), -1), axis=1)
    if missing.any() and not useful:
        raise ValueError(
            f"y contains NaN or None in {missing.sum()} rows. Leave them out: nothing is learned from rows without a "
            "label here."
        )
    if known is not None and _marks(known, known).any():
        return ~missing
    _check_indicators(y[~(missing | marked)])
    if known is None and y.ndim == 1 and marked.any() and not marked.all():
        others = np.unique(of_one_type(y[~(missing | marked)]))
        if missing.any() or len(others) < 2:
            if len(others) and not missing.any():
                _warn_of_a_class(others, useful)
            return ~missing
        _warn_of_marks(marked, others, useful)
    elif marked.any() and not marked.all() and not useful:
        _warn_of_marks(marked, np.empty(0), useful)
    return ~(missing | marked)


def _check_indicators(y: Array) -> None:
    """Refuse anything but 0 and 1 of several labels at once."""
    if y.ndim > 1 and not np.isin(y, (0, 1)).all():
        raise ValueError(
            f"y: several labels at once are 0 or 1 each, or all {UNLABELLED} in an unlabelled row. Got "
            f"{np.unique(y).tolist()}."
        )


def _warn_of_a_class(others: Array, useful: bool) -> None:
    """The usual names of two classes need no remark."""
    if useful and not np.array_equal(others, [1]):
        warn_user(
            f"y = -1 is taken for a class, beside {others.tolist()}: where it is to mark unlabelled rows there must be "
            "two other classes at least. NaN (None beside words) marks them in any case.",
            UserWarning,
        )


def _warn_of_marks(marked: Array, others: Array, useful: bool) -> None:
    """Where unlabelled rows are left out, or -1 stands among numbers on either side of zero."""
    text = f"{marked.sum()} rows have y = -1, which marks unlabelled ones"
    cure = "If it is meant as a class, give that another name"
    if not useful:
        warn_user(f"{text}: they are left out. {cure}.", UserWarning)
    elif others.dtype.kind in "iuf" and (others.min() < 0 or np.array_equal(others, [0, 1])):
        warn_user(
            f"{text}, beside the classes {others.tolist()}. {cure}; else mark them by NaN to silence this.",
            UserWarning,
        )


# Numbers


def check_numbers(estimator: Any, X: Any, y: Any, missing: bool) -> Array:
    """`y` as floats (rows,) or (rows, outputs); NaN only where targets may be `missing`."""
    _check_given(estimator, y)
    with named("y", y):
        y = check_array(
            as_numbers(y, "y"),
            input_name="y",
            dtype=(np.float64, np.float32),
            ensure_2d=False,
            ensure_all_finite="allow-nan" if missing else True,
        )
    check_magnitude(y, "y")
    check_as_many(X, y)
    return column_or_1d(y, warn=True) if y.ndim == 1 or y.shape[1] == 1 else y


def known_rows(y: Array) -> Array:
    """Which rows have targets (rows,): not NaN throughout.

    Raises
    ------
    ValueError
        If none has, or if a row has some of its targets and others not.
    """
    missing = np.isnan(y.reshape(len(y), -1))
    known: Array = ~missing[:, 0]
    if missing.all():
        raise ValueError("y is NaN throughout: no row has a target.")
    if (missing != missing[:, :1]).any():
        raise ValueError(
            "y has rows of which some targets are NaN and others not. Leave out all or none."
        )
    return known


def sorted_classes(estimator: Any, classes: Any) -> Array:
    """Given classes, in whose order outputs stand: as a fit would find them."""
    known = announced(estimator, classes, True)
    if not np.array_equal(known, np.asarray(classes)):
        raise ValueError(
            f"classes must be sorted, without repetitions: {known.tolist()}. Got {list(classes)}. Reorder the outputs "
            "as well."
        )
    return known
