"""Multi-layer perceptrons, put together from layers: and from those of machines that were trained before.

For every hidden layer: Dense, BatchNorm if wanted, the activation, Dropout if wanted; then a last Dense to the outputs.

The hidden units of a restricted Boltzmann machine have the mean f(W's(v) + c) given v, which is a dense layer and an
activation. The activation is logistic for binary units, tanh for spins, none for Gaussian ones
(:meth:`ebm.energies.bipartite.Bipartite.recognition`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebm._checks import Array, resolve
from ebm._random import Key, fold
from ebm.networks.activations import ACTIVATIONS, Activation
from ebm.networks.batch_norm import BatchNorm
from ebm.networks.dense import Dense, DenseParameters
from ebm.networks.dropout import Dropout
from ebm.networks.initializations import Glorot, initialization_record
from ebm.networks.layer import Layer
from ebm.networks.losses import Loss
from ebm.networks.maxout import Maxout
from ebm.networks.network import Network, Parameters
from ebm.units import UNITS, Unit

# Functions of a hidden layer by their names.
FUNCTIONS: dict[str, type[Layer]] = {**ACTIVATIONS, "maxout": Maxout}


@dataclass(frozen=True)
class Architecture:
    """Hidden layers of a perceptron.

    Attributes
    ----------
    sizes : tuple of int
        Units of each hidden layer.
    activations : tuple of str or Layer
        Of each hidden layer.
    dropout : tuple of float
        Shares of the inputs, and of each hidden layer's units, that are dropped in training.
    batch_norm : bool
        Whether the inputs of the activations are normalised over the batch.
    init : str or Initialization
        Law of the first weights.
    """

    sizes: tuple[int, ...]
    activations: tuple[Any, ...]
    dropout: tuple[float, ...]
    batch_norm: bool = False
    init: Any = "glorot"


def perceptron(n_in: int, hidden: Architecture, n_out: int, loss: Loss) -> Network:
    """The network; `n_out` linear outputs, of which the loss makes predictions."""
    layers: list[Layer] = [Dropout(hidden.dropout[0])] if hidden.dropout[0] else []
    gain = 1.0
    for size, name, drop in zip(hidden.sizes, hidden.activations, hidden.dropout[1:], strict=True):
        function = function_record(name)
        pieces = function.n_pieces if isinstance(function, Maxout) else 1
        gain = _gain(function, hidden.init)
        layers.append(Dense(size * pieces, hidden.init, gain))
        layers += [BatchNorm()] if hidden.batch_norm else []
        layers.append(function)
        layers += [Dropout(drop)] if drop else []
    return Network(n_in, (*layers, Dense(n_out, hidden.init, gain)), loss)


def _gain(function: Layer, init: Any) -> float:
    """Factor on the first weights: an activation's own is for Glorot's distribution, and scikit-learn's outputs have
    it, too.
    """
    law = initialization_record(init)
    return function.gain if isinstance(function, Activation) and isinstance(law, Glorot) else 1.0


def function_record(value: object) -> Layer:
    """The function of a hidden layer that a name or a record stands for."""
    return resolve(value, FUNCTIONS, Layer, "activation")  # type: ignore[type-abstract]


def activation_of(unit: Unit) -> str:
    """Name of the activation that is the conditional mean of a unit.

    Raises
    ------
    ValueError
        If there is none.
    """
    if unit.activation is None:
        known = [kind.__name__ for kind in UNITS.values() if kind.activation]
        raise ValueError(f"The mean of {unit!r} is no activation; those of {known} units are.")
    return unit.activation


def with_layers(
    network: Network, params: Parameters, known: Sequence[tuple[Array, Array]]
) -> Parameters:
    """`params` with the first dense layers' weights and biases replaced by copies of the `known` ones."""
    given = iter(known)
    replaced = []
    for layer, layer_params in zip(network.layers, params, strict=True):
        pair = next(given, None) if isinstance(layer, Dense) else None
        replaced.append(layer_params if pair is None else _like(layer_params, pair))
    return network.tied(tuple(replaced))


def _like(layer_params: DenseParameters, pair: tuple[Array, Array]) -> DenseParameters:
    W, bias = (np.array(x, old.dtype, order="C") for x, old in zip(pair, layer_params, strict=True))
    if W.shape != layer_params.W.shape or bias.shape != layer_params.bias.shape:
        raise ValueError(
            f"A layer of the shape {layer_params.W.shape} cannot start from weights of the shape {W.shape}."
        )
    return DenseParameters(W, bias)


def start(
    network: Network, key: Key, dtype: Any, known: Sequence[tuple[Array, Array]] = ()
) -> Parameters:
    """Parameters with which training begins: those of `known` layers, then random ones."""
    return with_layers(network, network.drawn(fold(key, 0), dtype), known)
