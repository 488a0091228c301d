"""Validation of targets: classes and numbers, and unlabelled rows.

All classifiers read labels with these functions. A row is unlabelled if its label is missing (NaN, or None among
strings), or if its label is -1 (the convention of scikit-learn) and -1 is no class. -1 is a class

- if the classes are given or known, and -1 is one of them;
- if the classes are not known, and there are fewer than two other classes, as for the labels -1 and 1;
- if the classes are not known, and NaN or None marks unlabelled rows.

The string "-1" among other strings has the same meaning, because NumPy converts -1 to it. With several labels per row,
all labels of an unlabelled row are -1, or all are NaN.
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

# The label of an unlabelled row, in scikit-learn's convention.
UNLABELLED = -1


class Labels(NamedTuple):
    """Labels of the labelled rows, (labelled rows,) or (labelled rows, labels), and the mask of these rows (rows,)."""

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
        The classes, if users gave them or an earlier fit found them.
    useful : bool
        Whether the estimator learns from unlabelled rows.
    several : bool
        Whether a row may have several labels at once.
    some : bool
        Whether at least one row must be labelled.

    Raises
    ------
    ValueError
        If there is no label; if `y` has the wrong shape, mixes strings and numbers, or has no classes. If labels are
        missing but unlabelled rows are not `useful`; or if only some labels of a row are missing.

    Warns
    -----
    UserWarning
        If the meaning of -1 is ambiguous.
    """
    y = _label_array(estimator, X, y)
    if y.ndim > 1 and not several:
        raise ValueError(f"y must have one label per row. Got the shape {y.shape}.")
    labelled = _labelled_rows(y, known, useful)
    if some and not labelled.any():
        raise ValueError(
            f"y is {UNLABELLED}, NaN or None everywhere: no row is labelled. Label some rows of at least two classes."
        )
    labels = of_one_type(y[labelled])
    if len(labels):
        assert_all_finite(labels, input_name="y")
        with named("y", y), np.errstate(invalid="ignore"):
            check_classification_targets(labels)
    return Labels(labels, labelled)


def announced(estimator: Any, classes: Any, first: bool) -> Array:
    """The argument `classes` of `partial_fit`, sorted: required in the first call, and the same in all later calls."""
    if classes is None:
        if first:
            raise ValueError(
                f"classes must be passed to the first call of partial_fit of {type(estimator).__name__}: all classes "
                "that later calls may contain, for example np.unique(y_all)."
            )
        return np.asarray(estimator.classes_)
    with named("classes", classes):
        given = _read(classes, "classes")
        if given.ndim != 1 or not np.isfinite(_numbers_of(given)).all():
            raise ValueError(
                f"classes must be a list of classes without NaN or None. Got {shown(classes)}."
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
            f"y has the one class {classes.tolist()}, but a classifier needs at least two classes."
        )


def check_known(y: Array, classes: Array) -> None:
    """ValueError for labels that are not among the `classes`."""
    _check_same_kind(y, classes)
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(
            f"y has the classes {unknown.tolist()}, which are not among {classes.tolist()}. Name all classes in the "
            "first call of partial_fit, or fit anew (warm_start=False) to change them."
        )


def one_hot(y: Array, classes: Array) -> Array:
    """Labels (rows,) as indicators (rows, classes); ValueError for labels that are not among the `classes`."""
    check_known(y, classes)
    chosen: Array = np.eye(len(classes))[np.searchsorted(classes, y)]
    return chosen


def check_same(y: Array, classes: Array) -> None:
    """ValueError if the classes of a warm start are not those of the previous fit."""
    present = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
    if not np.array_equal(present, classes):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously got "
            f"{classes}, `y` has {present}. Use partial_fit for some of the classes, or fit anew (warm_start=False)."
        )


def warn_weightless(y: Array, weights: Array | None, labelled: Array | None = None) -> None:
    """One warning that lists the classes, of `labelled` rows, in which all rows have the weight zero."""
    if weights is None or y.ndim > 1:
        return
    without = np.setdiff1d(y if labelled is None else y[labelled], y[weights > 0])
    if len(without) and weights.any():
        warn_user(
            f"sample_weight is zero in all rows of the classes {without.tolist()}, so nothing is learned about them. "
            "To remove these classes, leave out their rows.",
            UserWarning,
        )


# The method `score` of classifiers


def score(self: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
    """Accuracy: the share of the labelled rows for which the class (or all of several labels) is predicted.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Classes, or indicators of several labels. Unlabelled rows do not count: NaN, None among strings, or -1 if it
        is no class.
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
    """The map from labels to indicators of the `classes`, or of the classes of `y` if `classes` is None."""
    binarizer = LabelBinarizer().fit(y if classes is None or y.ndim == 2 else classes)
    if classes is not None and not np.array_equal(binarizer.classes_, classes):
        raise ValueError(
            f"classes must be {binarizer.classes_.tolist()}, the numbers of the columns of y. Got {classes.tolist()}."
        )
    if y.ndim == 1:  # in the type of the labels, which LabelBinarizer may convert
        binarizer.classes_ = np.unique(y) if classes is None else classes
    return binarizer


def indicators(binarizer: LabelBinarizer, y: Array) -> Array:
    """The labels `y` as indicators (rows, outputs); ValueError for unknown classes or another number of labels."""
    several = binarizer.y_type_.startswith("multilabel")
    if several != (y.ndim > 1) or (several and y.shape[1] != len(binarizer.classes_)):
        raise ValueError(
            f"y has the shape {y.shape}, but each row must have {'indicators of all' if several else 'one of the'} "
            f"labels {binarizer.classes_.tolist()}. Fit anew (warm_start=False) to change that."
        )
    if not several:
        check_known(y, binarizer.classes_)
    return np.asarray(binarizer.transform(y))


# Arrays of labels


def _read(labels: Any, argument: str, **choice: Any) -> Any:
    """Labels of any type and any number of dimensions, after the checks of scikit-learn."""
    found = check_array(
        _unmixed(screened(labels, argument)),
        input_name=argument,
        dtype=None,
        ensure_2d=False,
        ensure_all_finite=False,
        **choice,
    )
    if found.dtype.kind == "V":
        raise TypeError(
            f"{argument} is a structured array ({found.dtype}). Pass one of its fields."
        )
    return found


def _label_array(estimator: Any, X: Any, y: Any) -> Array:
    """`y` as an array (rows,) or (rows, labels)."""
    _check_given(estimator, y)
    with named("y", y):
        y = _read(y, "y", accept_sparse="csr")
    y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
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
    """Whether there are both strings and other labels."""
    words = [_is_word(x) for x in labels]
    return any(words) and not all(words)


def _unmixed(labels: Any) -> Any:
    """An array of objects for lists of strings and numbers, which NumPy would convert to strings, and for pandas."""
    dtype = getattr(labels, "dtype", None)
    mixed = isinstance(labels, list | tuple) and _mixes(labels)
    of_pandas = hasattr(labels, "array") and dtype is not None and not isinstance(dtype, np.dtype)
    return np.array(labels, dtype=object) if mixed or of_pandas else labels


def _are_words(labels: Array) -> bool:
    return labels.dtype.kind in "UT" or (
        labels.dtype == object and any(_is_word(x) for x in labels.flat)
    )


def of_one_type(labels: Array, name: str = "y") -> Array:
    """Labels without missing ones; numbers in an array of objects become an array of numbers."""
    if labels.dtype != object:
        return labels
    if all(_is_number(x) for x in labels.flat):
        return np.array(labels.tolist())
    if _mixes(labels.flat):
        word = next(x for x in labels.flat if _is_word(x))
        other = next(x for x in labels.flat if not _is_word(x))
        raise ValueError(
            f"{name} mixes strings and other labels, such as {word!r} and {other!r}. Convert all labels to strings, "
            "and leave None in unlabelled rows."
        )
    return labels


def are_sorted(classes: Array) -> bool:
    """Whether labels (classes,) are all strings or all real numbers, in increasing order."""
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
        kinds = ("strings", "numbers") if _are_words(y) else ("numbers", "strings")
        raise ValueError(
            f"y has {kinds[0]}, such as {y.tolist()[0]!r}, but the classes are {kinds[1]}, {classes.tolist()}. Use "
            "the same type for both."
        )


# Rows without a label


def is_missing(y: Array) -> Array:
    """Mask of the labels that are NaN, None or pandas.NA."""
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
    """Mask of the labels -1; the string "-1" counts if the strings in `beside` are not all numbers."""
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
    """Mask of the labelled rows (rows,)."""
    missing: Array = np.all(is_missing(y).reshape(len(y), -1), axis=1)
    marked: Array = np.all(_marks(y, y if known is None else known).reshape(len(y), -1), axis=1)
    if missing.any() and not useful:
        raise ValueError(
            f"y contains NaN or None in {missing.sum()} rows. Leave these rows out: this estimator does not learn from "
            "unlabelled rows."
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
    """ValueError if several labels per row are not 0 and 1."""
    if y.ndim > 1 and not np.isin(y, (0, 1)).all():
        raise ValueError(
            f"y: several labels per row must be 0 or 1 each, or all {UNLABELLED} in an unlabelled row. Got "
            f"{np.unique(y).tolist()}."
        )


def _warn_of_a_class(others: Array, useful: bool) -> None:
    """Warn that -1 is a class, except for the usual labels -1 and 1."""
    if useful and not np.array_equal(others, [1]):
        warn_user(
            f"y = -1 is taken for a class, beside {others.tolist()}, because -1 marks unlabelled rows only if there "
            "are at least two other classes. Use NaN (None among strings) to mark unlabelled rows.",
            UserWarning,
        )


def _warn_of_marks(marked: Array, others: Array, useful: bool) -> None:
    """Warn if unlabelled rows are left out, or if -1 could be a class because classes are negative or 0 and 1."""
    text = f"{marked.sum()} rows have y = -1, which marks unlabelled rows"
    cure = "If -1 is a class, give that class another name"
    if not useful:
        warn_user(f"{text}: they are left out. {cure}.", UserWarning)
    elif others.dtype.kind in "iuf" and (others.min() < 0 or np.array_equal(others, [0, 1])):
        warn_user(
            f"{text}, beside the classes {others.tolist()}. {cure}. Otherwise use NaN to silence this.",
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
    """Mask of the rows that have targets (rows,).

    Raises
    ------
    ValueError
        If no row has targets, or if only some targets of a row are NaN.
    """
    missing = np.isnan(y.reshape(len(y), -1))
    known: Array = ~missing[:, 0]
    if missing.all():
        raise ValueError("y has no target: all entries are NaN.")
    if (missing != missing[:, :1]).any():
        raise ValueError(
            "y has rows in which only some targets are NaN. Set all targets of such a row to NaN, or none."
        )
    return known


def sorted_classes(estimator: Any, classes: Any) -> Array:
    """The given classes, checked to be sorted and unique; outputs are in their order."""
    known = announced(estimator, classes, True)
    if not np.array_equal(known, np.asarray(classes)):
        raise ValueError(
            f"classes must be sorted and unique: {known.tolist()}. Got {list(classes)}. Reorder the outputs to match."
        )
    return known
