"""Two-valued units as the user writes them, {0, 1} or {-1, +1}: recognised, read as spins, given back as they came."""

import sys
import warnings

import numpy as np

from ebm._checks import Array

# What `states_` names, and the two values behind the name.
VALUES = {"binary": (0.0, 1.0), "spin": (-1.0, 1.0)}
CHOICES = ("auto", *VALUES)


def read_spins(
    X: Array, states: str = "auto", *, known: str | None = None, stacklevel: int | None = None
) -> tuple[Array, str]:
    """`X` as spins -1 and +1 in a new array of its dtype, NaN where it is NaN, and the name of the user's states.

    Parameters
    ----------
    X : ndarray of float
        Rows of two-valued entries; NaN marks the unknown.
    states : {"auto", "binary", "spin"}
        The estimator's parameter. "auto" goes by the values, and reads data with other values as well: by rounding if
        all lie within [0, 1], by their sign if not, with one warning.
    known : {"binary", "spin"} or None
        What was recognised when the estimator was fitted, by which "auto" goes from then on.
    stacklevel : int or None
        Frames from this function to the line that the warning is to name; None finds the first outside the library.

    Returns
    -------
    S : ndarray of float, of the shape of X
    kind : {"binary", "spin"}

    Raises
    ------
    ValueError
        If `X` has other values and `states` says which it must have.
    """
    kind = states if states in VALUES else known or _recognised(X)
    low, high = VALUES[kind]
    other = X[~(np.isin(X, VALUES[kind]) | np.isnan(X))]
    if other.size and states in VALUES:
        raise ValueError(
            f"X must hold {low:g} and {high:g} only, and NaN where unknown, for states={states!r}. "
            f"Got {other[0]:g}: threshold X first, for example with sklearn.preprocessing.Binarizer."
        )
    middle = (low + high) / 2
    if other.size:
        warnings.warn(
            f"X holds values other than {low:g} and {high:g}, {other[0]:g} for example, and is read as two states: "
            f"{high:g} above {middle:g}, {low:g} elsewhere. Threshold it first, for example with "
            "sklearn.preprocessing.Binarizer.",
            UserWarning,
            stacklevel=stacklevel or users_line(),
        )
    S = np.where(np.greater(X, middle), 1, -1).astype(X.dtype)
    S[np.isnan(X)] = np.nan
    return S, kind


def users_line() -> int:
    """The `stacklevel` by which a warning of the calling function names the line of the user's that led to it."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in ("ebm", "sklearn"):
        level, frame = level + 1, frame.f_back
    return level


def write_spins(S: Array, kind: str) -> Array:
    """Spins, or their means, in the user's states `kind`; NaN stays NaN."""
    return S.copy() if kind == "spin" else (S + 1) / 2


def _recognised(X: Array) -> str:
    """The states that all entries have, or the ones nearer to them; ones alone count as binary."""
    seen = X[~np.isnan(X)]
    within = bool(((seen >= 0) & (seen <= 1)).all())
    return "binary" if within else "spin"
