"""Counts for which there is no memory: errors that name them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

from ebm._checks import integer_of

# How NumPy says that no machine holds so large an array.
TOO_LARGE = ("array is too big", "Maximum allowed dimension exceeded", "Maximum allowed size")
# From here on a count may be what takes the memory.
LARGE = 10**6
# Integers that are no counts.
NO_COUNTS = ("random_state",)


@contextmanager
def memory_named(
    estimator: Any, method: Callable[..., Any], args: Any, kwargs: Any
) -> Iterator[None]:
    """Say which settings or arguments are so large where there is not enough memory for a call of the `method`."""
    try:
        yield
    except (MemoryError, ValueError) as error:
        if not (isinstance(error, MemoryError) or any(words in str(error) for words in TOO_LARGE)):
            raise
        named = signature(method).bind(estimator, *args, **kwargs).arguments
        counts = _large_counts({**estimator.get_params(), **_with_settings(named)})
        if not counts:
            raise
        raise ValueError(
            f"{' or '.join(counts)} takes more memory than there is. Use a smaller number. ({error})"
        ) from None


def _with_settings(named: dict[str, Any]) -> dict[str, Any]:
    """Arguments, and the settings of those that are records."""
    nested = {
        f"{name}__{key}": x
        for name, value in named.items()
        if name != "self" and hasattr(value, "get_params") and not isinstance(value, type)
        for key, x in value.get_params().items()
    }
    return named | nested


def _large_counts(named: dict[str, Any]) -> list[str]:
    """The large integers, and lists that hold some, as text."""
    return [
        f"{name}={value!r}"
        for name, value in named.items()
        if not name.endswith(NO_COUNTS)
        and any(
            (integer_of(x) or 0) >= LARGE
            for x in (value if isinstance(value, list | tuple) else [value])
        )
    ]
