"""Validation that all estimators share: rows, weights, seeds, errors and warnings."""

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import singledispatch
from typing import Any, TypeVar

import numpy as np
from sklearn import get_config, set_config
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples, validate_data

from ebm._arrays import Array, as_numbers, check_magnitude, not_numbers, screened
from ebm._sparse import canonical, dense, is_sparse
from ebm._values import BITS, NAMES, ROUNDING, TRANSLATIONS, invalid_groups, other_alphabet
from ebm.energies.side_by_side import SideBySide
from ebm.units import TOTAL_TOLERANCE, Bernoulli, Counts, Groups, Unit

T = TypeVar("T")
FLOATS = (np.float64, np.float32)
# Advice about rows with NaN: before a model is fitted, after that, and for models that cannot impute.
OUT_OR_FILL = (
    "Leave such rows out or fill them in first, for example with sklearn.impute.SimpleImputer"
)
FILL_LATER = (
    OUT_OR_FILL + "; {} of the fitted model then fills in what is unknown (NaN) in other rows."
)
FILL_NOW = "{} of this model fills in what is unknown (NaN)."
FILL_ELSEWHERE = OUT_OR_FILL + " or impute(X) of a fitted RBM."
NO_INFINITY = (
    "Infinity is not allowed: leave such rows out, or write NaN where an entry is unknown. "
)
STACKED = "One row is one sample: {0}.reshape(len({0}), -1) makes rows of a stack of images."
# Weights are repetitions of rows. A mean above this limit is more likely a wrong scale than intended.
MOST_REPETITIONS = 1000
# Scaled new rows may exceed the range of the training rows by this share of the distance of two states. Rows beyond it
# were not scaled.
EXTRAPOLATION = 0.5
# Phrases in the errors of NumPy about values that are no numbers.
NO_NUMBERS = ("Complex data", "could not convert", "float() argument", "sequence", "Cannot cast")
# Weights beside which a weight of one would be lost to rounding.
LARGEST_WEIGHT = 1e15
# Log-probabilities above this limit raise a warning about rounding.
LARGEST_ROUNDING = 1e-3
# Packages whose frames a warning skips, so that it points to the caller.
OWN = ("ebm", "sklearn")


# Generators from which the present call has drawn seeds, with their states before and after.
_DRAWN: ContextVar[list[tuple[Any, Any, Any]] | None] = ContextVar("_DRAWN", default=None)


def unharmed(
    method: Callable[..., T], done: list[T], estimator: Any, /, *args: Any, **kwargs: Any
) -> T:
    """Call the `method`, and roll back all attributes and random generators if an error is raised.

    `done` is empty, and gets the result. After an interrupt it says whether all was rolled back or nothing.

    The configuration of scikit-learn is restored too, because its own estimators change the configuration in `fit`.

    This is no context manager, because an interrupt could come between the end of a block and the first line of an
    ``__exit__`` in Python. Python would then roll back only when it deletes the traceback, much later. Callers run this
    function in a context of its own (:func:`ebm.sklearn_compat._shared._settings.settings_checked`), which ends
    `_DRAWN`.
    """
    before, outer, drawn = dict(vars(estimator)), _DRAWN.get(), []  # type: ignore[var-annotated]
    config = get_config()
    _DRAWN.set(drawn)
    try:
        result = method(estimator, *args, **kwargs)
        done.append(result)
    except BaseException:
        while True:
            try:
                done.clear()
                _put_back(vars(estimator), before, drawn)
                set_config(**config)
                break
            except KeyboardInterrupt:  # a second interrupt: start the rollback again
                continue
        raise
    if outer is not None:
        outer += drawn
    return result


def _put_back(now: dict[str, Any], before: dict[str, Any], drawn: list[Any]) -> None:
    """Roll back attributes and generators. An interrupted rollback may start again."""
    for name in now.keys() - before.keys():
        del now[name]
    now.update(before)
    for generator, state, left in reversed(drawn):
        if _same_state(generator.get_state(), left):  # nobody else has drawn from it since
            generator.set_state(state)


def _same_state(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def warn_user(message: str, category: type[Warning]) -> None:
    """Issue a warning at the line of the caller outside of ebm and scikit-learn."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in OWN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def column_names(estimator: Any) -> Array | None:
    """Names of the columns of X: from the fit of the estimator, or given by another estimator; None without names."""
    names: Array | None = getattr(
        estimator, "feature_names_in_", getattr(estimator, "_columns", None)
    )
    return names


def check_rows(
    estimator: Any,
    X: Any,
    *,
    reset: bool,
    allow_nan: bool = False,
    order: str | None = None,
    unit: Unit | None = None,
) -> Any:
    """`X` as float32 or float64, dense or CSR, and finite; errors about NaN and infinity come with advice.

    Duplicate entries of CSR rows are added, in a copy. Values that the `unit` of a fitted machine cannot have raise a
    warning.
    """
    X = canonical(
        check_finite(
            estimator, X, reset=reset, allow_nan=allow_nan, accept_sparse="csr", order=order
        )
    )
    if unit is not None:
        warn_outside(unit, X, slack=EXTRAPOLATION)
    return X


def check_finite(
    estimator: Any, X: Any, *, reset: bool, allow_nan: bool = False, **choice: Any
) -> Any:
    """`X` as float32 or float64 after the checks of scikit-learn; errors about NaN and infinity come with advice."""
    finite = "allow-nan" if allow_nan else True
    X = screened(X, "X")
    try:
        rows = validate_data(
            estimator, X, dtype=FLOATS, reset=reset, ensure_all_finite=finite, **choice
        )
    except (TypeError, ValueError, OverflowError) as error:
        found = str(error).split("\n")[0]  # further lines are advice for estimators of scikit-learn
        if "NaN" not in found and "infinity" not in found:
            raise _renamed(error, "X", X) from None
        cure = "" if allow_nan else _fill(estimator, reset)
        hint = NO_INFINITY if "infinity" in found else ""
        raise ValueError(f"{found} {hint}{cure}".rstrip()) from None
    check_magnitude(rows, "X")
    return rows


@contextmanager
def named(argument: str, x: Any) -> Iterator[None]:
    """Add the name of the argument to errors of NumPy and scikit-learn about `x`."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        raise _renamed(error, argument, x) from None


@contextmanager
def calls_it(**names: str) -> Iterator[None]:
    """Rename arguments in errors of a method, for callers that know them by other names."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if len(error.args) != 1:  # an error with more arguments than a message cannot be made again
            raise
        message = re.sub(
            rf"(?<!\w)(?<!\w\()({'|'.join(names)})\b", lambda found: names[found[1]], str(error)
        )
        raise type(error)(message) from None


def _renamed(error: Exception, argument: str, x: Any) -> Exception:
    message = str(error)
    if type(error) is OverflowError or any(words in message for words in NO_NUMBERS):
        return not_numbers(argument, x, error)
    if "with dim" in message and np.ndim(x) > 2:
        message = f"{message.rstrip('.')}. {STACKED.format(argument)}"
    known = re.search(rf"\b{argument}\b", message)
    return type(error)(message if known else f"{argument}: {message}")


def _fill(estimator: Any, reset: bool) -> str:
    way = getattr(estimator, "_fills_in", "impute(X)" if hasattr(estimator, "impute") else "")
    if not way:
        return FILL_ELSEWHERE
    return (FILL_LATER if reset else FILL_NOW).format(way)


def warn_outside(unit: Unit, X: Any, argument: str = "X", slack: float = ROUNDING) -> None:
    """One warning with advice if `X` holds values that the units cannot have."""
    # Units of several types need the column of each value.
    values = dense(X) if isinstance(unit, SideBySide) else _values(X)
    reason = unit.invalid(values, slack) or _invalid_sparse_groups(unit, X)
    if reason:
        warn_user(f"{argument} holds {reason}. {_advice(unit, values, argument)}", UserWarning)


def check_whole_groups(unit: Unit, X: Any) -> None:
    """ValueError where rows have NaN in a part of a group of columns."""
    for part, states in unit.columns(dense(X)):
        if isinstance(part, Groups):
            part.check_whole(states)


def _invalid_sparse_groups(unit: Unit, X: Any) -> str:
    """The fault in the grouped columns of CSR rows, or ''; only these columns become dense."""
    if not isinstance(unit, Groups) or not is_sparse(X):
        return ""
    first = unit.first_column(X.shape[1])
    return invalid_groups(X[:, first:].toarray(), unit.groups(X.shape[1]), TOTAL_TOLERANCE, first)


def warn_improbable(unit: Unit, X: Any, log_p: Array) -> None:
    """One warning if log-probabilities exceed zero, because rows are no states or because of rounding.

    Of states, those that rounding alone has lifted a little above zero become zero, in place.
    """
    if unit.is_real or not (log_p > ROUNDING).any():
        return
    values = _values(X)
    if unit.invalid(values) or _invalid_sparse_groups(unit, X):
        if not unit.invalid(values, EXTRAPOLATION):
            warn_outside(unit, X)
    elif log_p.max() > LARGEST_ROUNDING:
        warn_user(
            f"log-probabilities of up to {log_p.max():.3g} nats are above zero, which is impossible. Either energies "
            "times beta are so large that rounding errors exceed their differences: use a smaller beta, or smaller "
            "parameters. Or the estimate of log Z is too low: see log_partition().",
            UserWarning,
        )
    else:
        np.minimum(log_p, 0, out=log_p)


def _values(X: Any) -> Any:
    """The entries of `X`; for CSR rows the stored entries, and a zero if some entries are not stored."""
    if not hasattr(X, "indptr"):
        return X
    filled = len(X.data) == X.shape[0] * X.shape[1]
    return X.data if filled else np.append(X.data, X.dtype.type(0))


@singledispatch
def _advice(unit: Unit, values: Array, argument: str) -> str:
    low, high = states = unit.states or BITS
    found = other_alphabet(values, states)
    if found:
        return f"{TRANSLATIONS[found].format(argument)} makes {NAMES[states]} of them."
    return (
        f"Scale it first, for example with sklearn.preprocessing.MinMaxScaler(({low:g}, {high:g}), clip=True), or "
        "make it two states with Binarizer; for real-valued data use GaussianRBM, which is also a first layer of "
        "stacks (layers=[GaussianRBM(), 64])."
    )


@_advice.register
def _(unit: SideBySide, values: Array, argument: str) -> str:
    """As for the first type of which columns hold such values."""
    part, states = next(x for x in unit.columns(values) if x[0].invalid(x[1]))
    return _advice(part, states, argument)


@_advice.register
def _(unit: Counts, values: Array, argument: str) -> str:
    return "Pass counts as they are, not scaled; for real-valued data use GaussianRBM."


@_advice.register
def _(unit: Groups, values: Array, argument: str) -> str:
    if Bernoulli().invalid(values):
        return _advice(Bernoulli(), values, argument)
    return (
        "Set one column of each group to 1 and the others to 0, as sklearn.preprocessing.OneHotEncoder does, or all "
        "of them to NaN if the group is unknown."
    )


def check_weights(sample_weight: Any, X: Any) -> Array | None:
    """Weights (n_samples,) of the rows of `X`, not all zero, or None; a number is the weight of every row."""
    if sample_weight is None:
        return None
    n_rows = _num_samples(X)
    weights = as_numbers(sample_weight, "sample_weight").astype(np.float64, copy=False)
    if weights.shape not in ((), (n_rows,)):
        raise ValueError(
            f"sample_weight must be 1D, with one number for each of the {n_rows} rows of X. Got the shape "
            f"{weights.shape}."
        )
    weights = np.broadcast_to(weights, n_rows).copy()
    wrong = np.flatnonzero(~((weights >= 0) & (weights <= LARGEST_WEIGHT)))
    if len(wrong):
        raise ValueError(
            f"sample_weight holds {_kind_of(float(weights[wrong[0]]))} in row {wrong[0]}. Weights must be between 0 "
            f"and {LARGEST_WEIGHT:g}. Zero leaves a row out. Divide the weights by their mean if they are larger."
        )
    if not weights.any():
        raise ValueError("sample_weight is zero for every sample: at least one must be positive.")
    return weights


def _kind_of(weight: float) -> str:
    if not np.isfinite(weight):
        return "NaN" if np.isnan(weight) else "infinity"
    return f"the negative number {weight:g}" if weight < 0 else f"{weight:g}"


def check_as_many(X: Any, y: Any) -> None:
    """ValueError if `X` and `y` have different numbers of rows."""
    n_rows, n_targets = _num_samples(X), _num_samples(y)
    if n_rows != n_targets:
        raise ValueError(
            f"X and y must have the same number of rows. Got {n_rows} and {n_targets}."
        )


def check_repetitions(weights: Array | None) -> None:
    """ValueError for weights that would make an epoch far too long."""
    if weights is not None and weights.mean() > MOST_REPETITIONS:
        raise ValueError(
            f"sample_weight has the mean {weights.mean():g}. A weight counts repetitions of its row, so an epoch would "
            "take that many times longer. Divide the weights by their mean."
        )


def check_callbacks(callbacks: Any) -> list[Any]:
    """The callbacks as a list; None is an empty list."""
    given = [] if callbacks is None else [callbacks] if callable(callbacks) else list(callbacks)
    for callback in given:
        if not callable(callback):
            raise ValueError(f"callbacks must hold callables. Got {callback!r} instead.")
    return given


def draw_seed(random_state: Any) -> int:
    """An integer as it is, or one drawn from the given generator; None means the global generator of NumPy."""
    if isinstance(random_state, int | np.integer):
        check_random_state(random_state)
        return int(random_state)
    generator, drawn = check_random_state(random_state), _DRAWN.get()
    state = generator.get_state()
    seed = int(generator.randint(np.iinfo(np.int32).max))
    if drawn is not None:
        drawn.append((generator, state, generator.get_state()))
    return seed
