"""The gate: what comes in is put into one canonical form, or refused with the argument's name, value and remedy.

Also home of :class:`Record`, the small frozen settings that choose an algorithm.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import singledispatch
from hashlib import blake2b
from numbers import Real
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
    (``gradient__n_steps``) work; ``set_params`` is for cloned, not yet used records only. Records of one type are equal
    where all settings are, by value (:func:`by_value`).
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Keep dataclasses from comparing arrays as truth values: a method that a class has is not replaced."""
        super().__init_subclass__(**kwargs)
        if "__eq__" not in vars(cls):
            cls.__eq__, cls.__hash__ = Record.__eq__, Record.__hash__  # type: ignore[method-assign]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and by_value(self) == by_value(other)

    def __hash__(self) -> int:
        return hash(by_value(self))

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
            if field.default is MISSING
            or by_value(getattr(self, field.name)) != by_value(field.default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"


@singledispatch
def by_value(value: Any) -> Hashable:
    """Something hashable that is the same for settings of the same value, and stands for all of it.

    1, 1.0 and ``numpy.int64(1)`` are the same, and so are a list, a tuple and an array of the same numbers. Objects of
    other types than those of settings are the same only as themselves.
    """
    if is_dataclass(value) and not isinstance(value, type):
        settings = tuple(
            (field.name, by_value(getattr(value, field.name))) for field in fields(value)
        )
        return (_name_of(type(value)), settings)
    return value if isinstance(value, Hashable) else (_name_of(type(value)), id(value))


def _name_of(named: Any) -> str:
    return f"{named.__module__}.{named.__qualname__}"


@by_value.register(np.bool_)
@by_value.register(Real)
def _(value: Any) -> Hashable:
    if value != value:
        return "not a number"
    return int(value) if np.isfinite(value) and value == int(value) else float(value)


@by_value.register(list)
@by_value.register(tuple)
@by_value.register(np.ndarray)
def _(value: Any) -> Hashable:
    try:
        numbers = np.asarray(value)
    except ValueError:  # parts of several shapes
        return tuple(by_value(part) for part in value)
    if not numbers.ndim:
        return by_value(numbers.item())
    if numbers.dtype.kind not in "biuf":
        return tuple(by_value(part) for part in value)
    content = np.ascontiguousarray(numbers, np.float64) + 0.0  # no negative zeros
    return ("numbers", numbers.shape, blake2b(content.tobytes(), digest_size=16).hexdigest())


@by_value.register(dict)
def _(value: dict[Any, Any]) -> Hashable:
    return tuple(sorted((str(name), by_value(part)) for name, part in value.items()))


def fingerprint(value: Any) -> str:
    """A digest of :func:`by_value`, the same in another process."""
    return blake2b(str(by_value(value)).encode(), digest_size=16).hexdigest()


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
