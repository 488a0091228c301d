"""The settings of estimators: what numbers may be, when they are checked, and which are too large for the memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import wraps
from inspect import signature
from numbers import Integral
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from sklearn import get_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import HasMethods, Interval

from ebm._checks import LARGEST_INTEGER, check_flag, integer_of, real_of
from ebm.sklearn_compat._shared._validation import unharmed, warn_user

M = TypeVar("M", bound=Callable[..., Any])
S = TypeVar("S")
P = ParamSpec("P")
# What a parameter must be that holds a record of settings.
RECORD = HasMethods(["get_params", "set_params"])
# How NumPy says that no machine holds so large an array.
TOO_LARGE = ("array is too big", "Maximum allowed dimension exceeded", "Maximum allowed size")
# From here on a count may be what takes the memory.
LARGE = 10**6
# Integers that are no counts.
NO_COUNTS = ("random_state",)


class Number(Interval):
    """An interval of numbers of any type that compiled code can take: bools are none, nor are larger ones."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether `val` is one of the numbers."""
        known = integer_of(val) if self.type is Integral else real_of(val)
        if known is None or (self.type is Integral and known > LARGEST_INTEGER):
            return False
        return bool(super().is_satisfied_by(known))

    def __str__(self) -> str:
        unbounded = self.type is Integral and self.right is None
        return super().__str__().replace("inf)", "2**63)") if unbounded else super().__str__()


class ListWith(HasMethods):
    """A list or tuple of objects, one at least, that have these methods."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether all entries have the methods."""
        given = isinstance(val, list | tuple) and len(val)
        return bool(given) and all(super(ListWith, self).is_satisfied_by(x) for x in val)

    def __str__(self) -> str:
        return (
            f"a list of objects, one at least, each {super().__str__().removeprefix('an object ')}"
        )


class NamedList(NamedTuple):
    """A setting that is a list, whose entries have names: the `stem` and a number from 1.

    `made` makes of an entry the record or estimator that it stands for, where a name reaches into it.
    """

    stem: str
    made: Callable[[Any], Any]

    def named(self, given: Any) -> dict[str, Any]:
        """The entries by their names; none where `given` is no list."""
        entries = given if isinstance(given, list | tuple) else ()
        return {f"{self.stem}{k}": entry for k, entry in enumerate(entries, 1)}

    def rebuilt(self, given: Any, entries: dict[str, Any]) -> Any:
        """The setting with other entries, in the order of their names."""
        return type(given)(entries.values())


def stores_arguments(init: Callable[P, None]) -> Callable[P, None]:
    """A constructor without a body of its own, which stores each argument unchanged under its name."""
    parameters = signature(init)

    @wraps(init)
    def store(*args: P.args, **kwargs: P.kwargs) -> None:
        init(*args, **kwargs)  # Python names a wrong argument, and the class
        given = parameters.bind(*args, **kwargs)
        given.apply_defaults()
        estimator, *settings = given.arguments.items()
        for name, value in settings:
            setattr(estimator[1], name, value)

    return store


def flags_of(method: Callable[..., Any]) -> set[str]:
    """The names of the arguments that are True or False, by their annotations."""
    return {name for name, x in signature(method).parameters.items() if x.annotation is bool}


def settings_checked(method: M) -> M:
    """A method before which all settings of its estimator are checked, whoever has changed them since the last call.

    scikit-learn does not check them before `partial_fit` of a fitted estimator. Keyword arguments that its annotations
    call ``bool`` are checked to be True or False.
    """
    # scikit-learn would switch the checks of estimators within off, in a configuration of the thread's: an interrupt
    # at the wrong moment would leave them off for good.
    flags = flags_of(method)

    @wraps(method)
    def checked(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs |= {name: check_flag(kwargs[name], name) for name in flags & kwargs.keys()}
        if not get_config()["skip_parameter_validation"]:
            estimator._validate_params()
        with memory_named(estimator, method, args, kwargs):
            # In a copy of the context: NumPy's error state, which an interrupt may leave changed, ends with the copy.
            return copy_context().run(method, estimator, *args, **kwargs)

    return checked  # type: ignore[return-value]


def all_or_nothing(method: M) -> M:
    """A method that draws random numbers: where it is refused, or interrupted, it is as if nobody had called it.

    All settings are checked first, for somebody may have changed them since the fit. Keyword arguments that its
    annotations call ``bool`` are checked to be True or False.
    """

    @wraps(method)
    def unharming(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        return unharmed(method, [], estimator, *args, **kwargs)

    return settings_checked(unharming)  # type: ignore[return-value]


def learns(method: Callable[Concatenate[S, P], str | None]) -> Callable[Concatenate[S, P], S]:
    """A method that learns, and may return what stopped it; decorated, it tells that and returns the estimator.

    All settings are checked first. Where the method is refused, it is as if nobody had called it.
    """

    @wraps(method)
    def learned(estimator: S, /, *args: P.args, **kwargs: P.kwargs) -> S:
        done: list[str | None] = []
        while True:
            try:
                if not done:
                    unharmed(method, done, estimator, *args, **kwargs)
                if done[0]:
                    warn_user(f"{type(estimator).__name__}: {done[0]}.", ConvergenceWarning)
                break
            except KeyboardInterrupt:
                if not (done and done[0]):
                    raise
                # The second one: parameters that were kept are told all the same.
        return estimator

    learned.__signature__ = signature(method).replace(return_annotation=Any)  # type: ignore[attr-defined]
    return settings_checked(learned)


# Counts for which there is no memory


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
