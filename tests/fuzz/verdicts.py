"""Whether a call was handled, by rule.

Handled: the result is right or finite, a warning said what is wrong, or an error of the library or of scikit-learn
named the argument. All else is not.
"""

import linecache
import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import sklearn
from sklearn.exceptions import NotFittedError

import ebm

HANDLED = ("right", "finite", "warned", "refused", "minus infinity", "long", "theirs")
# Expressions that have no value for this argument are no calls.
SKIPPED = "skipped"
MISHANDLED = (
    "internal",
    "unnamed",
    "silent",
    "not finite",
    "leaked warning",
    "wrote to the caller's data",
    "stream moved",
    "estimator changed",
    "closed a file",
    "slow",
    "hang",
    "crash",
)
HOMES = {"ebm": Path(ebm.__file__).parent, "sklearn": Path(sklearn.__file__).parent}
TOLD = (
    ValueError,
    TypeError,
    AttributeError,
    NotFittedError,
    NotImplementedError,
    OSError,  # as documented of files that cannot be read
)
# Other words for an argument, which say as much to a caller.
SYNONYMS = {
    "X": ("rows",),
    "v": ("X", "rows"),
    "y": ("labels", "targets"),
    "sample_weight": ("weights",),
    "path": ("checkpoint",),
    "layers": (
        "layer1",
        "layer2",
        "layer3",
    ),  # parameters of these names are the entries of the list
    "couplings": ("J",),  # the errors are those of from_couplings, as the documentation says
}
# Documented to be NaN: these diagnoses, all together where they are undetermined, or without R-hat after few steps.
DIAGNOSES = ("rhat", "autocorrelation_time", "bulk_ess", "tail_ess")
# Where Python finds that an argument is missing, if not at the call itself: in what stands around our methods.
AROUND = ("checked", "learned", "unharming", "unharmed")
# Attributes of training that say how long it took, or that are no numbers of the model.
NOT_COMPARED = ("time",)


# State --------------------------------------------------------------------------------------------


def content(x: Any, seen: tuple[int, ...] = ()) -> Any:
    """Something comparable that stands for all that an object holds."""
    if id(x) in seen:
        return "cycle"
    seen = (*seen, id(x))
    if isinstance(x, np.ndarray):
        held = repr(x.tolist()) if x.dtype.hasobject else np.ascontiguousarray(x).tobytes()
        return (type(x).__name__, str(x.dtype), x.shape, held)
    if isinstance(x, dict):
        return tuple((str(k), content(v, seen)) for k, v in x.items())
    if isinstance(x, list | tuple):
        return (type(x).__name__, *(content(v, seen) for v in x))
    if isinstance(x, np.random.RandomState):
        return content(x.get_state(legacy=False), seen)
    if isinstance(x, np.random.Generator):
        return content(x.bit_generator.state, seen)
    if isinstance(x, str | bytes | int | float | complex | type | None | np.generic):
        return (type(x).__name__, repr(x))
    if sp.issparse(x):
        parts = {k: v for k, v in vars(x).items() if isinstance(v, np.ndarray)}  # no cached flags
        return (type(x).__name__, x.shape, content(parts, seen))
    if type(x).__module__.startswith("pandas"):
        return (type(x).__name__, repr(x))
    if hasattr(x, "__dict__") and type(x).__module__.split(".")[0] in ("ebm", "sklearn"):
        return (type(x).__name__, content(dict(sorted(vars(x).items())), seen))
    return (type(x).__name__, id(x))


# Errors -------------------------------------------------------------------------------------------


def home(frame: traceback.FrameSummary) -> str:
    """The package of ours or of scikit-learn in which a frame stands, or nothing."""
    real = Path(frame.filename).resolve()
    for name, folder in HOMES.items():
        if real.is_relative_to(folder.resolve()) or (
            name == "ebm" and "sklearn_compat" in real.parts
        ):
            return name
    return ""


def of_error(error: BaseException, argument: str, kind: str) -> str:
    """The verdict on an error."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    if type(error).__name__ == "NotFittedError":
        return "refused"
    if "this object cannot be read" in str(error):
        return "refused"  # the caller's own object raised
    if isinstance(error, AttributeError) and kind == "attribute" and argument in str(error):
        return "refused"  # Python's own word on an attribute that was taken away
    missing = f"required positional argument: '{argument}'" in str(error)
    if isinstance(error, TypeError) and missing and (not home(last) or last.name in AROUND):
        return "refused"  # and on an argument that is missing, of the method that was called
    ours = [i for i, frame in enumerate(frames) if home(frame)]
    if not ours:
        return (
            "refused" if kind == "attribute" else "internal"
        )  # Python refused the statement of the caller
    boundary = frames[ours[-1]]
    raised = (
        linecache.getline(frames[-1].filename, frames[-1].lineno or 0).lstrip().startswith("raise")
    )
    by = home(frames[-1])
    if not isinstance(error, TOLD) or (
        isinstance(error, UnicodeError) and by == "ebm" and not raised
    ):
        return "internal"
    if home(boundary) == "sklearn":
        return "refused" if by and raised and names(str(error), argument, kind) else "theirs"
    if names(str(error), argument, kind) and by and raised:
        return "refused"
    return "unnamed" if by and raised else "internal"


def names(message: str, argument: str, kind: str) -> bool:
    """Whether a message names the argument, or of an attribute set by hand the fit that mends it."""
    plain = re.sub(r"[_'`]", " ", message).lower()
    words = [argument.strip("_"), *SYNONYMS.get(argument, ())]
    if kind == "attribute":
        words += ["fit", "fitted"]
    return any(
        re.search(rf"(?<![a-z0-9]){re.escape(word.replace('_', ' ').lower())}s?(?![a-z0-9])", plain)
        for word in words
    )


# Results ------------------------------------------------------------------------------------------


def numbers(x: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of floating-point numbers that a result holds, with where they stand."""
    if depth > 6:
        return
    if hasattr(x, "columns") and hasattr(x, "to_numpy"):  # a data frame
        with suppress(TypeError, ValueError):
            x = x.to_numpy(float)
    if isinstance(x, Fraction):  # an attribute that was set by hand
        x = float(x)
    if isinstance(x, np.ndarray | np.number | float):
        array = np.asarray(x)
        if array.dtype.kind in "fc":
            yield path, array
        elif array.dtype.kind in "biu":
            yield path, array.astype(float)
        return
    if sp.issparse(x):
        yield path, x.toarray()
    elif isinstance(x, dict):
        for key, part in x.items():
            if key not in NOT_COMPARED:
                yield from numbers(part, f"{path}.{key}", depth + 1)
    elif isinstance(x, list | tuple):
        for i, part in enumerate(x):
            name = getattr(x, "_fields", range(len(x)))[i]
            yield from numbers(part, f"{path}.{name}", depth + 1)
    elif hasattr(x, "__dict__") and type(x).__module__.startswith("ebm"):
        for key, part in vars(x).items():
            if depth or (key.endswith("_") and not key.startswith("_")):
                yield from numbers(part, f"{path}.{key}", depth + 1)


def bad_numbers(x: Any) -> set[str]:
    """Where a result is not finite."""
    with np.errstate(all="ignore"):
        known = dict(numbers(x))
        return {
            path
            for path, array in known.items()
            if not np.isfinite(array).all() and not _may_be_nan(path, known)
        }


def _may_be_nan(path: str, known: dict[str, np.ndarray]) -> bool:
    """Whether NaN is documented at the `path` among the `known` numbers of a result.

    So it is of diagnoses, of units that are unknown before the end of a walk, and in histories of what is not recorded
    in every epoch, but for the last.
    """
    folder, _, name = path.rpartition(".")
    if np.isinf(known[path]).any():
        return False
    if name in DIAGNOSES:
        undetermined = all(np.isnan(known[f"{folder}.{x}"]).all() for x in DIAGNOSES)
        return undetermined or bool(np.isfinite(known[f"{folder}.rhat"]).all())
    ends = name == "trajectory" or (folder.endswith(".history_") and known[path].ndim == 1)
    return ends and bool(np.isfinite(known[path][-1:]).all())


def only_minus_infinity(x: Any) -> bool:
    """Whether all that is not finite is minus infinity: documented of scores that overflow."""
    return all(np.isneginf(array[~np.isfinite(array)]).all() for _, array in numbers(x))


def same(one: Any, other: Any) -> bool:
    """Whether two results hold the same numbers."""
    ours, theirs = dict(numbers(one)), dict(numbers(other))
    if set(ours) != set(theirs):
        return False
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return all(
            x.shape == theirs[path].shape
            and np.allclose(x, theirs[path], rtol=1e-6, atol=1e-9, equal_nan=True)
            for path, x in ours.items()
        )


def impossible(method: str, result: Any, discrete: bool) -> bool:
    """Whether numbers are finite, and still none that the method can have."""
    if (
        method in ("log_likelihood", "lower_bound", "score_samples", "predict_log_proba")
        and discrete
    ):
        return any((x > 1e-6).any() for path, x in numbers(result) if path in ("", ".0"))
    if method in ("predict_proba", "attention"):
        return any((x < -1e-9).any() or (x > 1 + 1e-6).any() for _, x in numbers(result))
    return False


def leaked(caught: list[warnings.WarningMessage]) -> list[str]:
    """Warnings of NumPy and its kind about arithmetic, which say nothing to a caller."""
    return [
        f"{w.category.__name__}: {w.message}"
        for w in caught
        if issubclass(
            w.category, RuntimeWarning | DeprecationWarning | np.exceptions.ComplexWarning
        )
        and "NUMBA_CACHE_DIR" not in str(w.message)
    ]
