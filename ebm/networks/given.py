"""Weights that somebody gives, of a network published elsewhere, as the parameters of a perceptron."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ebm._arrays import Array, as_numbers, finite_numbers
from ebm._checks import sequence
from ebm.networks.dense import Dense, DenseParameters
from ebm.networks.network import Network, Parameters


def given_layers(coefs: Any, intercepts: Any) -> list[DenseParameters]:
    """Copies of the weights and biases of all dense layers, in the dtype of the first weights.

    Parameters
    ----------
    coefs : list of array-like of shape (n_in, n_out)
    intercepts : list of array-like of shape (n_out,), or None
        Zero where None.

    Returns
    -------
    list of DenseParameters

    Raises
    ------
    ValueError
        If there is no layer, an array has the wrong shape, or holds NaN or infinite entries.
    """
    weights = sequence(coefs, "coefs", "weights")
    if not weights:
        raise ValueError("coefs must hold the weights of one layer at least. Got none.")
    dtype = as_numbers(weights[0], "coefs[0]").dtype
    Ws = [_finite(W, f"coefs[{k}]", dtype) for k, W in enumerate(weights)]
    for k, W in enumerate(Ws):
        if W.ndim != 2 or not W.size:
            raise ValueError(f"coefs[{k}] must have the shape (n_in, n_out). Got {W.shape}.")
    biases = (
        [np.zeros(W.shape[1]) for W in Ws]
        if intercepts is None
        else sequence(intercepts, "intercepts", "biases")
    )
    if len(biases) != len(Ws):
        raise ValueError(
            f"intercepts must hold {len(Ws)} arrays, as coefs does. Got {len(biases)}."
        )
    layers = [
        DenseParameters(W, _finite(b, f"intercepts[{k}]", dtype))
        for k, (W, b) in enumerate(zip(Ws, biases, strict=True))
    ]
    for k, (W, bias) in enumerate(layers):
        if bias.shape != (W.shape[1],):
            raise ValueError(
                f"intercepts[{k}] must have the shape ({W.shape[1]},), as coefs[{k}] says. Got {bias.shape}."
            )
    return layers


def _finite(x: Any, name: str, dtype: Any) -> Array:
    return np.array(finite_numbers(x, name), dtype, order="C")


def sizes_of(layers: Sequence[DenseParameters]) -> tuple[int, ...]:
    """Units of each hidden layer: the inputs of all layers but the first."""
    return tuple(len(layer_params.W) for layer_params in layers[1:])


def with_given(
    network: Network, layers: Sequence[DenseParameters], others: Any = None
) -> Parameters:
    """Parameters of the network: the dense `layers`, and of all other layers those of `others`.

    Parameters
    ----------
    network : Network
    layers : list of DenseParameters
    others : list of tuple, optional
        Parameters of all layers of the network; of dense ones they count for nothing.

    Returns
    -------
    tuple

    Raises
    ------
    ValueError
        If shapes are not those of the network, or `others` is missing where layers have further parameters.
    """
    given, dtype = iter(layers), layers[0].W.dtype
    rest = (
        [()] * len(network.layers) if others is None else sequence(others, "layer_params", "tuples")
    )
    if len(rest) != len(network.layers):
        raise ValueError(
            f"layer_params must hold an entry for each of {len(network.layers)} layers. Got {len(rest)}."
        )
    params = []
    for k, layer in enumerate(network.layers):
        is_dense = isinstance(layer, Dense)
        source = "coefs and intercepts" if is_dense else "layer_params"
        layer_params = next(given) if is_dense else rest[k]
        fields = [_finite(x, source, dtype) for x in layer_params]
        got, shapes = [x.shape for x in fields], list(layer.shapes(network.widths[k]))
        if got != shapes:
            raise ValueError(
                f"{source} must have the shapes {shapes} in {network.name_of(k)}. Got {got}."
            )
        params.append(layer.parameters(*fields))
    return network.tied(tuple(params))
