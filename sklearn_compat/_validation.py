"""What every estimator checks on the way in, rows, weights and seeds, and what it does when something is amiss."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from ebm._checks import Array
from ebm._sparse import canonical
from ebm.units import Unit

FLOATS = (np.float64, np.float32)
MISSING_REMEDY = (
    " Fit on rows that are complete and finite; impute(X) of the fitted model then fills in entries of other rows "
    "that are unknown (NaN)."
)
# Weights stand for repetitions; a mean above this is taken for a mistake of scale, not for a wish.
MOST_REPETITIONS = 1000
# Packages whose frames a warning passes over on its way to the caller.
OWN = ("ebm", "sklearn")


@contextmanager
def unharmed(estimator: Any) -> Iterator[None]:
    """Put all attributes back if something is raised: what was learned before is not lost."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def warn_user(message: str, category: type[Warning]) -> None:
    """A warning that points to the caller's line, through however many frames of ours and of scikit-learn."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in OWN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def check_rows(
    estimator: Any, X: Any, *, reset: bool, allow_nan: bool = False, order: str | None = None
) -> Any:
    """`X` as float32 or float64, dense or CSR, finite; NaN and infinity are refused with the remedy.

    Entries of CSR rows that are stored twice are added up, in a copy.
    """
    try:
        return canonical(
            validate_data(
                estimator,
                X,
                accept_sparse="csr",
                dtype=FLOATS,
                reset=reset,
                order=order,
                ensure_all_finite="allow-nan" if allow_nan else True,
            )
        )
    except ValueError as error:
        if ("NaN" in str(error) or "infinity" in str(error)) and not allow_nan:
            raise ValueError(f"{error}{MISSING_REMEDY}") from None
        raise


def warn_outside(unit: Unit, X: Any) -> None:
    """One warning when `X` holds values that the visible units cannot have."""
    values = X.data if hasattr(X, "indptr") else X
    reason = unit.invalid(values)
    if reason:
        warn_user(
            f"X holds {reason}. Scale it first, for example with sklearn.preprocessing.MinMaxScaler or Binarizer; "
            "for real-valued data use GaussianRBM.",
            UserWarning,
        )


def check_weights(sample_weight: Any, X: Any) -> Array | None:
    """Non-negative weights (n_samples,), not all zero, or None."""
    if sample_weight is None:
        return None
    weights: Array = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    if not weights.any():
        raise ValueError("sample_weight is zero for every sample: at least one must be positive.")
    return weights


def check_repetitions(weights: Array | None) -> None:
    """Refuse weights that would make an epoch absurdly long."""
    if weights is not None and weights.mean() > MOST_REPETITIONS:
        raise ValueError(
            f"sample_weight has the mean {weights.mean():g}. A weight counts repetitions of its row, so an epoch would "
            f"take that many times longer; divide the weights by their mean."
        )


def check_callbacks(callbacks: Any) -> list[Any]:
    """One callable, several or none (None), as a list."""
    given = [] if callbacks is None else [callbacks] if callable(callbacks) else list(callbacks)
    for callback in given:
        if not callable(callback):
            raise ValueError(f"callbacks must hold callables. Got {callback!r} instead.")
    return given


def draw_seed(random_state: Any) -> int:
    """The integer itself, or one drawn from a generator (from NumPy's global one for None)."""
    if isinstance(random_state, int | np.integer):
        check_random_state(random_state)
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
