"""The gate: what comes in is put into one canonical form, or refused with the argument's name, value and remedy.

Also home of :class:`Record`, the small frozen settings that choose an algorithm.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

import numpy as np

Array = np.ndarray[Any, Any]
R = TypeVar("R", bound="Record")


def extent(x: Array) -> tuple[float, float]:
    """Smallest and largest entry of `x`, NaN apart; (0, 0) of nothing. Allocates nothing."""
    if not x.size:
        return 0.0, 0.0
    low, high = x.min(), x.max()
    if np.isnan(low):  # slower, and rarely needed
        low, high = np.fmin.reduce(x, axis=None), np.fmax.reduce(x, axis=None)
    return float(low), float(high)


def varies(mean: Array, variance: Array, dtype: Any) -> Array:
    """Which features (units,) of the given moments are not constant: booleans.

    What rounding in numbers of the `dtype` leaves of the variance of a constant feature is no scale to learn by.
    """
    rounding = (10 * np.finfo(dtype).eps * np.abs(mean)) ** 2
    known: Array = variance > np.maximum(rounding, np.finfo(dtype).tiny)
    return known


class Record:
    """A choice of algorithm with its own settings (abstract; subclasses are frozen dataclasses).

    ``get_params`` and ``set_params`` follow scikit-learn's protocol, so that ``clone`` and nested parameter names
    (``gradient__n_steps``) work; ``set_params`` is for cloned, not yet used records only.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Settings by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def set_params(self: R, **params: Any) -> R:
        """Change settings by name, with the checks of the constructor."""
        known = self.get_params()
        for name in params:
            if name not in known:
                raise ValueError(
                    f"Invalid parameter {name!r} for {type(self).__name__}. "
                    f"Valid parameters are: {sorted(known)}."
                )
        fresh = type(self)(**{**known, **params})
        for name in params:
            object.__setattr__(self, name, getattr(fresh, name))
        return self

    def __repr__(self) -> str:
        changed = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)  # type: ignore[arg-type]
            if field.default is MISSING or not _same(getattr(self, field.name), field.default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"


def _same(a: Any, b: Any) -> bool:
    return a is b or bool(np.array_equal(a, b))


def resolve(value: Any, known: Mapping[str, Callable[[], R]], base: type[R], argument: str) -> R:
    """The record that `value`, a name in `known` or a record of type `base`, stands for."""
    if isinstance(value, base):
        return value
    if isinstance(value, str) and value in known:
        return known[value]()
    raise ValueError(
        f"The {argument!r} parameter must be one of {sorted(known)} or an instance of "
        f"{base.__name__}. Got {value!r} instead."
    )


def check_integer(value: Any, argument: str, low: int = 1) -> None:
    """Refuse anything but an integer of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise ValueError(f"{argument} must be an integer of at least {low}. Got {value!r} instead.")


def check_real(
    value: Any,
    argument: str,
    low: float = 0.0,
    high: float = np.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> None:
    """Refuse anything but a finite number between `low` and `high`."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if (
        not real
        or not np.isfinite(value)
        or not low <= value <= high
        or (open_low and value == low)
        or (open_high and value == high)
    ):
        right = ")" if open_high or high == np.inf else "]"
        bounds = f"{'(' if open_low else '['}{low}, {high}{right}"
        raise ValueError(f"{argument} must be a number in {bounds}. Got {value!r} instead.")


def as_rows(x: Any, n_units: int, argument: str) -> Array:
    """A C-contiguous float32 or float64 matrix (rows, n_units); one-dimensional input is one row."""
    x = np.atleast_2d(np.asarray(x))
    dtype = x.dtype if x.dtype in (np.float32, np.float64) else np.float64
    if x.ndim != 2 or x.shape[1] != n_units:
        raise ValueError(f"{argument} must have {n_units} columns. Got the shape {x.shape}.")
    return np.ascontiguousarray(x, dtype)
