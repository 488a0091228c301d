"""Targets on the way in: classes and numbers, and the rows that have none."""

from typing import Any

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_consistent_length

from ebm._checks import Array
from ebm.sklearn_compat._validation import warn_user

# What marks an unlabelled row, in scikit-learn's convention.
UNLABELLED = -1


def check_labels(estimator: Any, X: Any, y: Any) -> Array:
    """`y` as an array (rows,), or (rows, labels) of several labels at once."""
    _check_given(estimator, y)
    y = check_array(y, input_name="y", dtype=None, ensure_2d=False, accept_sparse="csr")
    y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
    check_consistent_length(X, y)
    return column_or_1d(y, warn=True) if y.ndim == 1 or y.shape[1] == 1 else y


def check_numbers(estimator: Any, X: Any, y: Any, missing: bool) -> Array:
    """`y` as floats (rows,) or (rows, outputs); NaN only where targets may be `missing`."""
    _check_given(estimator, y)
    y = check_array(
        y,
        input_name="y",
        dtype=(np.float64, np.float32),
        ensure_2d=False,
        ensure_all_finite="allow-nan" if missing else True,
    )
    check_consistent_length(X, y)
    return column_or_1d(y, warn=True) if y.ndim == 1 or y.shape[1] == 1 else y


def _check_given(estimator: Any, y: Any) -> None:
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None."
        )


def check_several(classes: Array, kind: str) -> None:
    """Refuse a single class, unless of several labels at once."""
    if len(classes) < 2 and not kind.startswith("multilabel"):
        raise ValueError(
            f"y has the one class {classes.tolist()}: there must be two at least to tell apart."
        )


def check_known(given: Array, classes: Array) -> None:
    """Refuse classes that were not there before."""
    unknown = np.setdiff1d(given, classes)
    if len(unknown):
        raise ValueError(
            f"y has the classes {unknown.tolist()}, which are not among those of before, {classes.tolist()}. Fit anew "
            "(warm_start=False) to change them."
        )


def labelled_rows(y: Array, pretraining: bool, classes: Array | None = None) -> Array:
    """Which rows have a label (rows,).

    -1 marks the others if it is none of the `classes`; where these are not known, if there are at least two other
    classes: with fewer, it is a class itself, as in the labels -1 and 1 of two classes. Of several labels at once, an
    unlabelled row is -1 throughout.

    Raises
    ------
    ValueError
        If none has, or if a row has some of several labels and others not.
    """
    if classes is not None and y.ndim == 1 and np.any(np.asarray(classes) == UNLABELLED):
        return np.ones(len(y), bool)
    unlabelled: Array = np.all(np.reshape(y == UNLABELLED, (len(y), -1)), axis=1, keepdims=True)[
        :, 0
    ]
    _check_indicators(y[~unlabelled])
    if not unlabelled.any():
        return ~unlabelled
    others = np.unique(y[~unlabelled]) if y.ndim == 1 else np.arange(2)
    if unlabelled.all():
        raise ValueError(
            "y is -1 throughout: no row is labelled. Label some rows of at least two classes."
        )
    if len(others) < 2 and classes is None:
        if pretraining:
            warn_user(
                f"y = -1 is taken for a class, beside {others.tolist()}: where it is to mark unlabelled rows there "
                "must be two other classes at least.",
                UserWarning,
            )
        return np.ones(len(y), bool)
    if not pretraining:
        warn_user(
            f"{unlabelled.sum()} rows have y = -1, which marks unlabelled ones: they are left out. If it is meant as a "
            "class, give that another name.",
            UserWarning,
        )
    return ~unlabelled


def _check_indicators(y: Array) -> None:
    """Refuse anything but 0 and 1 of several labels at once."""
    if y.ndim > 1 and not np.isin(y, (0, 1)).all():
        raise ValueError(
            f"Several labels at once are 0 or 1 each, or all {UNLABELLED} in an unlabelled row. Got "
            f"{np.unique(y).tolist()}."
        )


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
