"""Data of two states on their way in: recognised, refused or read with a warning, and turned into spins."""

from typing import Any

import numpy as np

from ebm._arrays import Array, as_numbers
from ebm._checks import check_option
from ebm.sklearn_compat._shared._validation import check_finite, warn_user
from ebm.storage.patterns import convention_of, holds, n_merged, nearest_convention, to_spins

NAMES = {"binary": "0 and 1", "spin": "-1 and +1"}
# How rows of the other convention become rows of this one.
CURES = {
    "binary": "(X + 1) / 2 makes 0 and 1 of -1 and +1.",
    "spin": "2 * X - 1 makes -1 and +1 of 0 and 1.",
}


def check_two_states(estimator: Any, X: Any, *, reset: bool, complete: bool = False) -> Array:
    """`X` as float32 or float64, without infinities, and NaN only where it need not be `complete`."""
    X = check_finite(estimator, X, reset=reset, allow_nan=not complete)
    if np.isnan(X).all(axis=1).any():
        raise ValueError("X holds a row of nothing but NaN: at least one bit must be known.")
    return X


def check_complete(X: Array) -> None:
    """ValueError for patterns of two states of which some bits are unknown."""
    if np.isnan(X).any():
        raise ValueError(
            "X holds NaN: patterns must be complete. Leave such rows out. Only probes may have unknown "
            "bits, in predict, transform and recall."
        )


def recognise(X: Array, states: str) -> tuple[str, bool]:
    """Convention of data to learn from, and whether they keep to it: other values draw a warning under "auto"."""
    if states != "auto":
        if not holds(X, states):
            raise ValueError(f"X holds values other than {NAMES[states]} (states={states!r}).")
        return states, True
    found = convention_of(X)
    if found is None:
        _refuse_two_values(X)
        convention = nearest_convention(X)
        warn_other(convention, _merged_message(X, convention))
        return convention, False
    return found, True


def _refuse_two_values(X: Array) -> None:
    """ValueError for patterns of two values that reading by a fixed threshold would take for one."""
    values = np.unique(X[~np.isnan(X)])
    if len(values) == 2 and len(np.unique(to_spins(values, nearest_convention(X)))) == 1:
        low, high = values
        raise ValueError(
            f"X holds the two values {low:g} and {high:g}, but patterns consist of 0 and 1, or -1 and +1. "
            f"(X > {(low + high) / 2:g}).astype(float) makes bits of them, of probes too."
        )


def _merged_message(X: Array, convention: str) -> str:
    """How many patterns are lost because their reading is that of another, and the cure."""
    n_lost = n_merged(X, convention)
    if not n_lost:
        return ""
    middle = (np.nanmin(X) + np.nanmax(X)) / 2
    by_middle = np.where(np.isnan(X), X, middle < X).astype(X.dtype)
    cure = f"Binarizer(threshold={middle:g}) reads them by the middle of their range."
    better = n_merged(by_middle, "binary") < n_lost
    return f" So {n_lost} patterns become equal to others. {cure if better else ''}".rstrip()


def wanted_states(y: Any, X: Any) -> Array | None:
    """The patterns `y` that the rows of `X` should lead to; None where `y` is None or labels, of one dimension."""
    try:
        if y is None or np.ndim(y) < 2:
            return None
    except ValueError:  # rows of several lengths, which the next line names
        pass
    wanted = as_numbers(y, "y").astype(np.float64, copy=False)
    if wanted.shape != np.shape(X):
        raise ValueError(
            f"y must hold a wanted pattern for each row of X, the shape {np.shape(X)}. Got {wanted.shape}."
        )
    return wanted


def read(X: Array, convention: str, *, strict: bool, clean: bool, quiet: bool) -> Array:
    """Spins from rows that should have the states of the `convention`.

    Others are refused where the choice is `strict`, or where they are clearly those of the other convention and the
    patterns were `clean`; else they are rounded, with a warning unless `quiet`.
    """
    check_option(convention, "states_", NAMES)
    if not holds(X, convention):
        other = convention_of(X)
        if strict or (clean and other is not None):
            values = f"{NAMES[other]}" if other else f"values other than {NAMES[convention]}"
            cure = CURES[convention] if other else "Round them, or set states='auto'."
            raise ValueError(
                f"X holds {values}, but the patterns consist of {NAMES[convention]}. {cure}"
            )
        if not quiet:
            warn_other(convention)
    return to_spins(X, convention)


def read_for(self: Any, X: Array, quiet: bool = False) -> Array:
    """The same for a fitted memory (a method); `quiet` where other values have drawn their warning already."""
    strict = check_option(self.states, "states", ("auto", *NAMES)) != "auto"
    return read(X, self.states_, strict=strict, clean=self._clean, quiet=quiet)


def warn_other(convention: str, more: str = "") -> None:
    """The one warning of rows that are rounded, and what `more` there is to say of them."""
    middle = "1/2" if convention == "binary" else "0"
    warn_user(
        f"X holds values other than two states. They are read as {NAMES[convention]}, by whether they reach {middle} "
        "(NaN in patterns: by the majority of the feature); "
        f"sklearn.preprocessing.Binarizer(threshold=...) does the same where you choose.{more}",
        UserWarning,
    )


def refuse_empty(X: Array, convention: str) -> None:
    """ValueError for a pattern of bits that are all zero."""
    if convention == "binary":
        empty = (X == 0).all(axis=1)
        if empty.any():
            raise ValueError(
                f"Row {int(empty.argmax())} of X is all zeros, which is no pattern. Leave it out; "
                "if it is meant, give the patterns as -1 and +1."
            )
