"""The gate: arguments are put into one canonical form, or refused with the argument's name, value and cure.

Also home of :class:`Settings`, the small frozen settings that choose an algorithm.
"""

import importlib
import math
import warnings
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import singledispatch, wraps
from hashlib import blake2b
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np

from ebm._arrays import Array as Array
from ebm._arrays import as_numbers, check_magnitude
from ebm._arrays import extent as extent

R = TypeVar("R", bound="Settings")
# Beyond it there is no count that compiled code can take.
LARGEST_INTEGER = 2**63 - 1
# Temperatures of one schedule, which is an array: memory and the time to fill it are then no matter.
LARGEST_SCHEDULE = 10**8
# The types of true and false; they are not numbers, though Python counts its own among the integers.
FLAGS = (bool, np.bool_)
# The smallest and the largest inverse temperature: energies times or over them are finite in either precision.
SMALLEST_BETA, LARGEST_BETA = 1e-30, 1e30
# More threads than any machine has cores.
MOST_JOBS = 10_000
# Letters of a refused value that a message shows.
SHOWN_LETTERS = 100
# Columns that are named one by one.
MOST_LISTED = 10


def varies(mean: Array, variance: Array, dtype: Any) -> Array:
    """Which features (units,) of the given moments are not constant: booleans.

    Rounding in numbers of the `dtype` leaves a small variance to a constant feature. This variance does not count.
    """
    rounding = (10 * np.finfo(dtype).eps * np.abs(mean)) ** 2
    known: Array = variance > np.maximum(rounding, np.finfo(dtype).tiny)
    return known


def listed(places: Array, names: Array | None = None) -> str:
    """The first of some columns, by their names where there are any, else by their numbers."""
    shown = [str(k) if names is None else repr(str(names[k])) for k in places[:MOST_LISTED]]
    return ", ".join([*shown, "..."] if len(places) > MOST_LISTED else shown)


def unknown_columns_message(columns: Array, names: Array | None = None) -> str:
    """The error of `columns` (numbers) of which no entry is known."""
    which, them = ("column has", "it") if len(columns) == 1 else ("columns have", "them")
    return (
        f"{len(columns)} {which} no known entry, but NaN in all rows that count ({listed(columns, names)}). Nothing "
        f"can be learned of {them}: leave such columns out."
    )


def constant_columns_message(columns: Array, names: Array | None = None) -> str:
    """A sentence that real-valued `columns` (numbers) are constant, without a full stop; '' if there are none."""
    if not len(columns):
        return ""
    which, them = ("column is", "it") if len(columns) == 1 else ("columns are", "them")
    return (
        f"{len(columns)} {which} constant ({listed(columns, names)}), and no variance can be learned from {them}. "
        "Leave such columns out"
    )


class Settled:
    """Frozen dataclasses whose numbers and flags become those of Python once they are made (abstract).

    The annotation of a field says what it takes: ``int``, ``float`` and ``bool``, or these and None. NumPy's numbers
    are converted, so that none gets into arithmetic in which it would overflow. Ranges are for ``__post_init__`` to
    check; what it leaves, and is no such number, is refused.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Put the conversion in front of the checks that a class has of its own."""
        super().__init_subclass__(**kwargs)
        own = vars(cls).get("__post_init__")
        if own is not None:
            cls.__post_init__ = _settled_first(own)  # type: ignore[method-assign,assignment]

    def __post_init__(self) -> None:
        settle(self)
        refuse_unsettled(self)


def _settled_first(checks: Callable[[Any], None]) -> Callable[[Any], None]:
    @wraps(checks)
    def convert_and_check(self: Any) -> None:
        settle(self)
        checks(self)
        refuse_unsettled(self)

    return convert_and_check


class Settings(Settled):
    """The choice of an algorithm with its settings (abstract; subclasses are frozen dataclasses).

    ``get_params`` and ``set_params`` follow scikit-learn's protocol, so that ``clone`` and nested parameter names
    (``gradient__n_steps``) work; ``set_params`` is only for clones that are not yet used. Objects of one type are equal
    if all their settings are equal by value (:func:`by_value`).
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Keep dataclasses from comparing arrays as truth values: a method that a class has is not replaced."""
        super().__init_subclass__(**kwargs)
        if "__eq__" not in vars(cls):
            cls.__eq__, cls.__hash__ = Settings.__eq__, Settings.__hash__  # type: ignore[method-assign]

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
    whole = isinstance(value, Integral) or (math.isfinite(value) and value == int(value))
    return int(value) if whole else float(value)


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


def shown(value: Any) -> str:
    """`value` as the end of a message: abbreviated, and without the errors of its own ``repr``."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # integers of very many digits, or whatever a foreign object does
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}..."


def is_among(value: Any, known: Any) -> bool:
    """Whether `value` is one of the `known` ones; an object without a hash is none of them."""
    try:
        return value in dict.fromkeys(known)
    except TypeError:
        return False


def integer_of(value: Any) -> int | None:
    """`value` as an integer of Python, or None if it is none (of any type of integers; bools are not numbers)."""
    return None if isinstance(value, FLAGS) or not isinstance(value, Integral) else int(value)


def real_of(value: Any) -> float | None:
    """`value` as a float of Python, or None if it is no real number (of any type) or too large to be one."""
    if isinstance(value, FLAGS) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def flag_of(value: Any) -> bool | None:
    """`value` as a bool of Python, or None if it is none: numbers, words and arrays are not."""
    return bool(value) if isinstance(value, FLAGS) else None


def check_integer(value: Any, argument: str, low: int = 1, high: int = LARGEST_INTEGER) -> int:
    """`value` as an integer of Python between `low` and `high`, of whichever type it is; else ValueError."""
    number = integer_of(value)
    if number is None or number < low:
        raise ValueError(
            f"{argument} must be an integer of at least {low}. Got {shown(value)} instead."
        )
    if number > high:
        raise ValueError(f"{argument} must be at most {high}. Got {shown(value)} instead.")
    return number


def check_real(
    value: Any,
    argument: str,
    low: float = 0.0,
    high: float = np.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """`value` as a float of Python, finite and between `low` and `high`; else ValueError."""
    number = real_of(value)
    if (
        number is None
        or not math.isfinite(number)
        or not low <= number <= high
        or (open_low and number == low)
        or (open_high and number == high)
    ):
        right = ")" if open_high or high == np.inf else "]"
        bounds = f"{'(' if open_low or low == -np.inf else '['}{low}, {high}{right}"
        raise ValueError(f"{argument} must be a number in {bounds}. Got {shown(value)} instead.")
    return number


def check_beta(value: Any, argument: str = "beta") -> float:
    """`value` as an inverse temperature between the smallest and the largest; else ValueError."""
    return check_real(value, argument, SMALLEST_BETA, LARGEST_BETA)


def check_flag(value: Any, argument: str) -> bool:
    """`value` as a bool of Python; ValueError for anything but True and False."""
    flag = flag_of(value)
    if flag is None:
        raise ValueError(f"{argument} must be True or False. Got {shown(value)} instead.")
    return flag


def check_jobs(n_jobs: Any) -> int | None:
    """`n_jobs` in the sense of joblib: None, or a count of threads; negative ones count from all cores downwards."""
    if n_jobs is None:
        return None
    number = integer_of(n_jobs)
    if not number or abs(number) > MOST_JOBS:
        raise ValueError(
            f"n_jobs must be None or an integer other than zero, {MOST_JOBS} at most; -1 takes all cores. "
            f"Got {shown(n_jobs)} instead."
        )
    return number


def sequence(value: Any, argument: str, content: str) -> list[Any]:
    """`value` as a list; ValueError for anything that is no list, tuple or array."""
    if not isinstance(value, list | tuple | np.ndarray) or getattr(value, "ndim", 1) == 0:
        raise ValueError(f"{argument} must be a list of {content}. Got {shown(value)} instead.")
    return list(value)


def check_option(value: Any, argument: str, options: Collection[str]) -> str:
    """`value` if it is one of the strings `options`; else ValueError, which lists them."""
    if not isinstance(value, str) or value not in options:
        names = ", ".join(repr(option) for option in sorted(options))
        raise ValueError(f"{argument} must be one of {names}. Got {shown(value)} instead.")
    return str(value)


# By the annotation of a setting: how a value is converted to this type, and the type in words.
KINDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "int": (integer_of, "an integer"),
    "float": (real_of, "a number"),
    "bool": (flag_of, "True or False"),
}


def _kind(annotation: Any) -> tuple[str, bool]:
    """Name of the type that the annotation of a field names, and whether None will do, too."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    text = text if text in KINDS else str(annotation)
    return text.removesuffix(" | None"), text.endswith(" | None")


def of_python(value: Any) -> Any:
    """A scalar of NumPy, or a tuple that holds some, in the terms of Python; anything else as it is."""
    if isinstance(value, tuple) and any(isinstance(part, np.generic) for part in value):
        return tuple(of_python(part) for part in value)
    return value.item() if isinstance(value, np.generic) else value


def settle(record: Any) -> None:
    """Convert NumPy's scalars among the settings of a frozen dataclass, and every number to its declared type."""
    for field in fields(record):
        value = of_python(getattr(record, field.name))
        kind, optional = _kind(field.type)
        if kind == "bool" and not (optional and value is None):
            value = check_flag(value, field.name)
        elif kind in KINDS:
            number = KINDS[kind][0](value)
            value = value if number is None else number
        if value is not getattr(record, field.name):
            object.__setattr__(record, field.name, value)


def refuse_unsettled(record: Any) -> None:
    """ValueError for a setting that is not of its declared type after all."""
    for field in fields(record):
        (kind, optional), value = _kind(field.type), getattr(record, field.name)
        if kind not in KINDS or (optional and value is None) or type(value).__name__ == kind:
            continue
        raise ValueError(f"{field.name} must be {KINDS[kind][1]}. Got {shown(value)} instead.")


def as_rows(x: Any, n_units: int, argument: str) -> Array:
    """A C-contiguous float32 or float64 matrix (rows, n_units); one-dimensional input is one row."""
    rows = np.atleast_2d(as_numbers(x, argument))
    if rows.ndim != 2 or rows.shape[1] != n_units:
        raise ValueError(f"{argument} must have {n_units} columns. Got the shape {rows.shape}.")
    check_magnitude(rows, argument)
    return np.ascontiguousarray(rows)


def renamed(old: str, new: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of the module `old`: its `names` are those of the module `new`, with a FutureWarning."""

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        message = (
            f"{old}.{name} is now {new}.{names[name]}. The old name works for one more release."
        )
        warnings.warn(message, FutureWarning, stacklevel=2)
        return getattr(importlib.import_module(new), names[name])

    return find
