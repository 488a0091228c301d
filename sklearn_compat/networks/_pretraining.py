"""Initial layers of a network from a restricted Boltzmann machine, or from a stack of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array, shown
from ebm.networks.feed_forward import activation_of, function_record
from ebm.sklearn_compat._shared._validation import draw_seed
from ebm.sklearn_compat.rbm._layer import name_columns, recognition_of
from ebm.units import Unit


class Start(NamedTuple):
    """Pre-trained layers.

    Attributes
    ----------
    fitted : estimator or None
        The fitted pre-training.
    layers : list of tuple
        Weights (n_in, n_out) and biases (n_out,) of each layer.
    units : list of Unit
        Hidden units of each layer; the activation of the layer is their mean.
    """

    fitted: Any
    layers: list[tuple[Array, Array]]
    units: list[Unit]


NOWHERE = Start(None, [], [])


def pretrained(
    pretraining: Any, X: Any, sample_weight: Any, seed: int, columns: Array | None = None
) -> Start:
    """Layers of a clone of `pretraining` that is fitted on `X` with these `columns`, or of `pretraining` if frozen."""
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
            f"pretraining was fitted on {fitted.n_features_in_} features, but X has {X.shape[1]}. Use the same "
            "features, or an unfitted estimator."
        )
    units, layers = zip(*recognition_of(fitted), strict=True)
    return Start(fitted, list(layers), list(units))


def _check_stack(pretraining: Any) -> None:
    if not hasattr(pretraining, "_recognition"):
        raise ValueError(
            "pretraining must be None, or a restricted Boltzmann machine or a DBN that is unfitted or in a "
            f"FrozenEstimator. Got {pretraining!r} instead."
        )


def sizes_after(start: Start, sizes: Any) -> tuple[int, ...]:
    """Units of the hidden layers: "auto" is the sizes of the pre-trained layers, or (100,) without pre-training."""
    trained = tuple(len(bias) for _, bias in start.layers)
    if isinstance(sizes, str):
        return trained or (100,)
    sizes = tuple(np.atleast_1d(sizes)) if isinstance(sizes, np.ndarray) else sizes
    sizes = tuple(sizes) if hasattr(sizes, "__iter__") else (sizes,)
    if any(isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1 for n in sizes):
        raise ValueError(f"hidden_layer_sizes must be positive integers. Got {shown(list(sizes))}.")
    sizes = tuple(int(n) for n in sizes)
    if sizes[: len(trained)] != trained:
        raise ValueError(
            f"hidden_layer_sizes={sizes} must begin with the layers of the pretraining, {trained}. Use 'auto', or "
            "append layers to these."
        )
    return sizes


def activations_after(start: Start, activation: Any, n_layers: int) -> tuple[Any, ...]:
    """One activation for each hidden layer: "auto" is the mean of the pre-trained units, or "relu" without any."""
    known = [activation_of(unit) for unit in start.units]
    given: Sequence[Any]
    given = activation if isinstance(activation, list | tuple) else [activation] * n_layers
    if len(given) != n_layers:
        raise ValueError(
            f"activation has {len(given)} entries for {n_layers} hidden layers. Give one entry for each layer, or a "
            "single activation."
        )
    rest = known[-1] if known else "relu"
    chosen = []
    for k, name in enumerate(given):
        trained = known[k] if k < len(known) else rest
        if k < len(known) and name != "auto" and function_record(name) != function_record(trained):
            raise ValueError(
                f"activation={name!r} does not agree with the pretraining: layer {k + 1} was trained with "
                f"{type(start.units[k]).__name__} units, whose mean is the activation {trained!r}. Use "
                "activation='auto', or other hidden units in the pretraining."
            )
        chosen.append(trained if name == "auto" else name)
    return tuple(chosen)
