"""What a network starts from: the layers of a restricted Boltzmann machine or of a stack of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array
from ebm.networks.feed_forward import activation_of, function_record
from ebm.sklearn_compat._shared._validation import draw_seed
from ebm.sklearn_compat.rbm._layer import name_columns, recognition_of
from ebm.units import Unit


class Start(NamedTuple):
    """Layers to start from.

    Attributes
    ----------
    fitted : estimator or None
        What was trained.
    layers : list of tuple
        Weights (n_in, n_out) and biases (n_out,) of each.
    units : list of Unit
        Whose means the layers' activations are.
    """

    fitted: Any
    layers: list[tuple[Array, Array]]
    units: list[Unit]


NOWHERE = Start(None, [], [])


def pretrained(
    pretraining: Any, X: Any, sample_weight: Any, seed: int, columns: Array | None = None
) -> Start:
    """Fit a clone of `pretraining` on the rows `X`, whose `columns` have names, or take it as it is if it is frozen."""
    if pretraining is None:
        return NOWHERE
    if isinstance(pretraining, FrozenEstimator):
        fitted = pretraining.estimator
        _check_stack(fitted)
        check_is_fitted(fitted)
    else:
        _check_stack(pretraining)
        fitted = clone(pretraining)
        if getattr(fitted, "random_state", 0) is None:
            fitted.set_params(random_state=draw_seed(seed))
        name_columns(fitted, columns)
        fitted.fit(X, sample_weight=sample_weight)
    if fitted.n_features_in_ != X.shape[1]:
        raise ValueError(
            f"pretraining was fitted on {fitted.n_features_in_} features, but X has {X.shape[1]}. Give both the same "
            "features, or an unfitted estimator."
        )
    units, layers = zip(*recognition_of(fitted), strict=True)
    return Start(fitted, list(layers), list(units))


def _check_stack(pretraining: Any) -> None:
    if not hasattr(pretraining, "_recognition"):
        raise ValueError(
            "pretraining must be a restricted Boltzmann machine or a DBN, not yet fitted or in a FrozenEstimator, or "
            f"None. Got {pretraining!r} instead."
        )


def sizes_after(start: Start, sizes: Any) -> tuple[int, ...]:
    """Units of the hidden layers: "auto" are those of the start, or (100,); more may follow them."""
    own = tuple(len(bias) for _, bias in start.layers)
    if isinstance(sizes, str):
        return own or (100,)
    sizes = tuple(sizes) if hasattr(sizes, "__iter__") else (sizes,)
    if any(isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1 for n in sizes):
        raise ValueError(f"hidden_layer_sizes must be positive integers. Got {list(sizes)}.")
    sizes = tuple(int(n) for n in sizes)
    if sizes[: len(own)] != own:
        raise ValueError(
            f"hidden_layer_sizes={sizes} must begin with the layers of the pretraining, {own}. Leave it at 'auto', or "
            "add layers after them."
        )
    return sizes


def activations_after(start: Start, activation: Any, n_layers: int) -> tuple[Any, ...]:
    """One activation for each hidden layer, "auto" being that of the units started from, or "relu"."""
    known = [activation_of(unit) for unit in start.units]
    given: Sequence[Any]
    given = activation if isinstance(activation, list | tuple) else [activation] * n_layers
    if len(given) != n_layers:
        raise ValueError(
            f"activation has {len(given)} entries for {n_layers} hidden layers. Give one for each, or one for all."
        )
    rest = known[-1] if known else "relu"
    chosen = []
    for k, name in enumerate(given):
        own = known[k] if k < len(known) else rest
        if k < len(known) and name != "auto" and function_record(name) != function_record(own):
            raise ValueError(
                f"activation={name!r} does not agree with the pretraining: layer {k + 1} was trained with "
                f"{type(start.units[k]).__name__} units, whose mean is the activation {own!r}. Use activation='auto', "
                "or another machine."
            )
        chosen.append(own if name == "auto" else name)
    return tuple(chosen)
