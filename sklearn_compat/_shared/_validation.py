"""What every estimator checks on the way in, rows, weights and seeds, and what it does when something is amiss."""

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import singledispatch
from typing import Any, TypeVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples, validate_data

from ebm._arrays import Array, as_numbers, check_magnitude, not_numbers, screened
from ebm._sparse import canonical, dense, is_sparse
from ebm._values import BITS, NAMES, ROUNDING, TRANSLATIONS, invalid_groups, other_alphabet
from ebm.energies.side_by_side import SideBySide
from ebm.units import TOTAL_TOLERANCE, Bernoulli, Counts, Groups, Unit

T = TypeVar("T")
FLOATS = (np.float64, np.float32)
# The cures of rows with NaN: while there is no model yet that fills in, where there is one, and where there never is.
OUT_OR_FILL = (
    "Leave such rows out or fill them in first, for example with sklearn.impute.SimpleImputer"
)
FILL_LATER = (
    OUT_OR_FILL + "; {} of the fitted model then fills in what is unknown (NaN) in other rows."
)
FILL_NOW = "{} of this model fills in what is unknown (NaN)."
FILL_ELSEWHERE = OUT_OR_FILL + " or impute(X) of a fitted RBM."
NO_INFINITY = "Infinity is no value: leave such rows out, or write NaN where an entry is unknown. "
# Weights stand for repetitions; a mean above this is taken for a mistake of scale, not for a wish.
MOST_REPETITIONS = 1000
# New rows may go a little beyond those that the scaling was made with. Beyond this share of the distance of two states
# they were not scaled.
EXTRAPOLATION = 0.5
# What NumPy says of what is no number.
NO_NUMBERS = ("Complex data", "could not convert", "float() argument", "sequence", "Cannot cast")
# Weights beside which a weight of one would be lost to rounding.
LARGEST_WEIGHT = 1e15
# By how much log-probabilities may exceed zero before it is told that they are rounding.
LARGEST_ROUNDING = 1e-3
# Packages whose frames a warning passes over on its way to the caller.
OWN = ("ebm", "sklearn")


# Generators from which seeds were drawn in the call that is going on, with their states before and after.
_DRAWN: ContextVar[list[tuple[Any, Any, Any]] | None] = ContextVar("_DRAWN", default=None)


def unharmed(method: Callable[..., T], estimator: Any, /, *args: Any, **kwargs: Any) -> T:
    """Call the `method`. If it raises, put all attributes and random streams back: it is as if nobody had called.

    This is no context manager. An interrupt could come between the end of a block and the first line of an ``__exit__``
    in Python. The attributes would then be put back when the traceback is forgotten, much later. Callers run it in a
    context of its own (:func:`ebm.sklearn_compat._shared._settings.settings_checked`), with which `_DRAWN` ends.
    """
    before, outer, drawn = dict(vars(estimator)), _DRAWN.get(), []  # type: ignore[var-annotated]
    _DRAWN.set(drawn)
    try:
        result = method(estimator, *args, **kwargs)
    except BaseException:
        while True:
            try:
                _put_back(vars(estimator), before, drawn)
                break
            except KeyboardInterrupt:  # a second one: once more from the start
                continue
        raise
    if outer is not None:
        outer += drawn
    return result


def _put_back(now: dict[str, Any], before: dict[str, Any], drawn: list[Any]) -> None:
    """Attributes as `before`, and generators in the states before they were drawn from; twice is as good as once."""
    for name in now.keys() - before.keys():
        del now[name]
    now.update(before)
    for generator, state, left in reversed(drawn):
        if _same_state(generator.get_state(), left):  # nobody else has drawn from it since
            generator.set_state(state)


def _same_state(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def warn_user(message: str, category: type[Warning]) -> None:
    """A warning that points to the caller's line, through however many frames of ours and of scikit-learn."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in OWN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def column_names(estimator: Any) -> Array | None:
    """Names of the columns of X: the estimator's own, or those that another has given it; None if there are none."""
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
    """`X` as float32 or float64, dense or CSR, finite; NaN and infinity are refused with the remedy.

    Entries of CSR rows that are stored twice are added up, in a copy. Values that the `unit` of a fitted machine cannot
    have draw a warning.
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
    """`X` by scikit-learn's checks, as float32 or float64; NaN and infinity are refused with the cure that there is."""
    finite = "allow-nan" if allow_nan else True
    X = screened(X, "X")
    try:
        rows = validate_data(
            estimator, X, dtype=FLOATS, reset=reset, ensure_all_finite=finite, **choice
        )
    except (TypeError, ValueError, OverflowError) as error:
        found = str(error).split("\n")[0]  # the rest is advice for estimators of scikit-learn
        if "NaN" not in found and "infinity" not in found:
            raise _renamed(error, "X", X) from None
        cure = "" if allow_nan else _fill(estimator, reset)
        hint = NO_INFINITY if "infinity" in found else ""
        raise ValueError(f"{found} {hint}{cure}".rstrip()) from None
    check_magnitude(rows, "X")
    return rows


@contextmanager
def named(argument: str, x: Any) -> Iterator[None]:
    """Errors of NumPy and scikit-learn about `x` come with the argument's name."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        raise _renamed(error, argument, x) from None


@contextmanager
def calls_it(**names: str) -> Iterator[None]:
    """Errors about the arguments of a method come with the names that they have for the caller of another one."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if len(error.args) != 1:  # it is made of more than words
            raise
        said = re.sub(
            rf"(?<!\w)(?<!\w\()({'|'.join(names)})\b", lambda found: names[found[1]], str(error)
        )
        raise type(error)(said) from None


def _renamed(error: Exception, argument: str, x: Any) -> Exception:
    said = str(error)
    if type(error) is OverflowError or any(words in said for words in NO_NUMBERS):
        return not_numbers(argument, x, error)
    known = re.search(rf"\b{argument}\b", said)
    return error if known else type(error)(f"{argument}: {said}")


def _fill(estimator: Any, reset: bool) -> str:
    way = getattr(estimator, "_fills_in", "impute(X)" if hasattr(estimator, "impute") else "")
    if not way:
        return FILL_ELSEWHERE
    return (FILL_LATER if reset else FILL_NOW).format(way)


def warn_outside(unit: Unit, X: Any, argument: str = "X", slack: float = ROUNDING) -> None:
    """One warning when `X` holds values that the units cannot have, with the remedy."""
    # Of units of several types it matters in which column a value is.
    values = dense(X) if isinstance(unit, SideBySide) else _values(X)
    reason = unit.invalid(values, slack) or _invalid_sparse_groups(unit, X)
    if reason:
        warn_user(f"{argument} holds {reason}. {_remedy(unit, values, argument)}", UserWarning)


def _invalid_sparse_groups(unit: Unit, X: Any) -> str:
    """The fault in the groups of units of CSR rows, whose other columns stay as they are."""
    if not isinstance(unit, Groups) or not is_sparse(X):
        return ""
    first = unit.first_column(X.shape[1])
    return invalid_groups(X[:, first:].toarray(), unit.groups(X.shape[1]), TOTAL_TOLERANCE, first)


def warn_improbable(unit: Unit, X: Any, log_p: Array) -> None:
    """One warning of log-probabilities above zero: rows are no states, though within the extrapolation, or rounding."""
    if unit.has_scale or not (log_p > ROUNDING).any():
        return
    values = _values(X)
    if unit.invalid(values) or _invalid_sparse_groups(unit, X):
        if not unit.invalid(values, EXTRAPOLATION):
            warn_outside(unit, X)
    elif log_p.max() > LARGEST_ROUNDING:
        warn_user(
            f"log-probabilities of up to {log_p.max():.3g} nats are above zero, which no probability can be. Energies "
            "times beta are so large that their differences are lost in rounding: use a smaller beta, or smaller "
            "parameters. Or log Z is estimated too low: look at log_partition().",
            UserWarning,
        )


def _values(X: Any) -> Any:
    """The entries of `X`; of CSR rows those that are stored, and a zero if there is one that is not."""
    if not hasattr(X, "indptr"):
        return X
    filled = len(X.data) == X.shape[0] * X.shape[1]
    return X.data if filled else np.append(X.data, X.dtype.type(0))


@singledispatch
def _remedy(unit: Unit, values: Array, argument: str) -> str:
    low, high = states = unit.states or BITS
    found = other_alphabet(values, states)
    if found:
        return f"{TRANSLATIONS[found].format(argument)} makes {NAMES[states]} of them."
    return (
        f"Scale it first, for example with sklearn.preprocessing.MinMaxScaler(({low:g}, {high:g}), clip=True), or "
        "make it two states with Binarizer; for real-valued data use GaussianRBM."
    )


@_remedy.register
def _(unit: Counts, values: Array, argument: str) -> str:
    return "Pass counts as they are, not scaled; for real-valued data use GaussianRBM."


@_remedy.register
def _(unit: Groups, values: Array, argument: str) -> str:
    if Bernoulli().invalid(values):
        return _remedy(Bernoulli(), values, argument)
    return (
        "Make one column of each group 1 and the others 0, as sklearn.preprocessing.OneHotEncoder does, or all of them "
        "NaN where a group is unknown."
    )


def check_weights(sample_weight: Any, X: Any) -> Array | None:
    """Weights (n_samples,) of the rows of `X`, not all zero, or None; a single number is the weight of every row."""
    if sample_weight is None:
        return None
    n_rows = _num_samples(X)
    weights = as_numbers(sample_weight, "sample_weight").astype(np.float64, copy=False)
    if weights.shape not in ((), (n_rows,)):
        raise ValueError(
            f"sample_weight must be 1D, with a number for each of the {n_rows} rows of X. Got the shape "
            f"{weights.shape}."
        )
    weights = np.broadcast_to(weights, n_rows).copy()
    wrong = np.flatnonzero(~((weights >= 0) & (weights <= LARGEST_WEIGHT)))
    if len(wrong):
        raise ValueError(
            f"sample_weight holds {_kind_of(float(weights[wrong[0]]))} in row {wrong[0]}. A weight of zero leaves a "
            f"row out. Beyond {LARGEST_WEIGHT:g}, divide the weights by their mean."
        )
    if not weights.any():
        raise ValueError("sample_weight is zero for every sample: at least one must be positive.")
    return weights


def _kind_of(weight: float) -> str:
    if not np.isfinite(weight):
        return "NaN" if np.isnan(weight) else "infinity"
    return f"the negative number {weight:g}" if weight < 0 else f"{weight:g}"


def check_as_many(X: Any, y: Any) -> None:
    """Refuse targets `y` for another number of rows than `X` has."""
    n_rows, n_targets = _num_samples(X), _num_samples(y)
    if n_rows != n_targets:
        raise ValueError(f"X and y must have as many rows. Got {n_rows} and {n_targets}.")


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
    generator, drawn = check_random_state(random_state), _DRAWN.get()
    state = generator.get_state()
    seed = int(generator.randint(np.iinfo(np.int32).max))
    if drawn is not None:
        drawn.append((generator, state, generator.get_state()))
    return seed
