"""Fitted attributes: errors if one is missing or does not agree with the others."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from ebm._arrays import Array, as_numbers, check_finite, is_sparse, screened
from ebm._checks import check_option, integer_of, real_of, shown
from ebm.networks.column_losses import ColumnLosses
from ebm.networks.losses import LOSSES
from ebm.networks.network import Network
from ebm.sklearn_compat._shared._labels import are_sorted, is_missing, of_one_type
from ebm.storage.patterns import CONVENTIONS


def _numbers(x: Any, name: str) -> Array:
    """An array of real numbers; one of NumPy stays the object that it is."""
    plain = type(x) is np.ndarray and x.dtype.kind in "biuf"
    array: Array = x if plain else as_numbers(x, name)
    if not array.ndim:
        raise ValueError(f"{name} must be an array of numbers. Got {shown(x)}. {AGAIN}")
    return array


def _vector(x: Any, name: str) -> Array:
    array = _numbers(x, name)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension. Got the shape {array.shape}. {AGAIN}")
    return array


def _offset(x: Any, name: str) -> Any:
    """Offsets of units, or the threshold of scores, which is one number."""
    number = real_of(x)
    return number if number is not None and isfinite(number) else _vector(x, name)


def _couplings(x: Any, name: str) -> Any:
    """The same of an array or a sparse matrix, which stays what it is."""
    if not is_sparse(x):
        return _numbers(x, name)
    screened(x, name)
    return x


def _states(x: Any, name: str) -> str:
    return check_option(x, name, CONVENTIONS)


def _output(x: Any, name: str) -> str:
    known = {loss.out_activation for loss in LOSSES.values()} | {ColumnLosses.out_activation}
    return check_option(x, name, sorted(known))


def _classes(x: Any, name: str) -> Array:
    """An array of labels."""
    try:
        classes = np.asarray(x)
    except ValueError:  # rows of several lengths
        classes = np.empty((0, 0))
    wrong = classes.ndim != 1 or not classes.size or classes.dtype.kind not in "biufUSOMm"
    infinite = classes.dtype.kind == "f" and np.isinf(classes).any()
    if wrong or infinite or is_missing(classes).any() or not are_sorted(classes):
        raise ValueError(
            f"{name} must be an array of the classes, sorted and without repetitions, all of them numbers or all "
            f"words. Got {shown(x)}. {AGAIN}"
        )
    return of_one_type(classes, name)


def _range(x: Any, name: str) -> tuple[float, float]:
    """Two numbers, the smaller one first."""
    ends = as_numbers(x, name)
    if ends.shape != (2,) or not ends[0] < ends[1]:
        raise ValueError(f"{name} must be two numbers, the smaller first. Got {shown(x)}. {AGAIN}")
    return float(ends[0]), float(ends[1])


def _network(x: Any, name: str) -> Network:
    if not isinstance(x, Network):
        raise ValueError(f"{name} must be a network. Got {shown(x)}. {AGAIN}")
    return x


def _count(x: Any, name: str) -> int:
    number = integer_of(x)
    if number is None:
        raise ValueError(f"{name} must be an integer. Got {shown(x)}. {AGAIN}")
    return number


def fitted_list(x: Any, name: str, length: int | None = None) -> list[Any]:
    """The fitted attribute `name`; ValueError unless it is a list of that length, or of any but zero."""
    fits = isinstance(x, list | tuple) and (len(x) > 0 if length is None else len(x) == length)
    if not fits:
        some = (
            "an entry per layer"
            if length is None
            else f"{length} entries, as the other fitted attributes say"
        )
        raise ValueError(
            f"{name} must be a list with {some}. Got {shown(x)}. Set one that fits, or fit again."
        )
    return list(x)


def _machines(x: Any, name: str) -> list[Any]:
    machines = fitted_list(x, name)
    if not all(hasattr(part, "get_params") for part in machines):
        raise ValueError(f"{name} must be a list of machines. Got {shown(x)}. {AGAIN}")
    return machines


def _machine(x: Any, name: str) -> Any:
    if not hasattr(x, "get_params") or isinstance(x, type):
        raise ValueError(f"{name} must be an estimator. Got {shown(x)}. {AGAIN}")
    return x


def _by_column(x: Any, name: str) -> dict[Any, Any]:
    """The kinds of columns, or their levels."""
    held = str if name == "kinds_" else np.ndarray
    if not isinstance(x, dict) or not all(isinstance(value, held) for value in x.values()):
        raise ValueError(
            f"{name} must be a dict of {held.__name__} by columns. Got {shown(x)}. {AGAIN}"
        )
    return x


AGAIN = "Set it to that, or fit again."
# Attributes that are checked when they are set; shapes that go together are when they are read.
KINDS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("h_samples_", "chains_", "components_", "patterns_"), _numbers),
    **dict.fromkeys(("offset_visible_", "offset_hidden_", "offset_even_", "offset_odd_"), _vector),
    "offset_": _offset,
    **dict.fromkeys(("intercept_", "intercept_visible_", "intercept_hidden_"), _vector),
    **dict.fromkeys(("log_variance_visible_", "log_variance_hidden_"), _vector),
    "couplings_": _couplings,
    **dict.fromkeys(("coefs_", "intercepts_", "layer_params_"), fitted_list),
    "rbms_": _machines,
    **dict.fromkeys(("machine_", "estimator_"), _machine),
    **dict.fromkeys(("kinds_", "categories_"), _by_column),
    **dict.fromkeys(("t_", "n_outputs_", "n_layers_"), _count),
    "out_activation_": _output,
    "classes_": _classes,
    "range_": _range,
    "states_": _states,
    "network_": _network,
}


def fitted_array(x: Any, name: str, shape: tuple[int | None, ...]) -> Array:
    """The fitted attribute `name` as finite numbers of the `shape`, in which None is any length; else ValueError."""
    array = as_numbers(x, name)
    fits = array.ndim == len(shape) and all(
        n in (None, m) for n, m in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(
            f"{name} must have the shape ({wanted}{',' if len(shape) == 1 else ''}), as the other fitted attributes "
            f"say. Got {array.shape}. Set an array that fits, or fit again."
        )
    check_finite(array, name)
    return array
