"""Hidden layers that grow while training: units are added where the loss stalls, and what was learned is kept.

A new unit has random weights into it and zero weights out of it. So the outputs of the network do not change, to the
last rounding. But the derivatives by the weights out of the unit are not zero, and after one step neither are those by
the weights into it. All parameters of the old units, and all that an optimiser remembers of them, stay what they were;
of the new ones it remembers nothing. (Two units of equal weights, into which an old one is split, would stay equal.)

    train until the loss stalls;  add units;  train until it stalls;  and so on, until an addition brings too little:
    that one is undone                                                  (as in Vorontsov's lectures, machinelearning.ru)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np

from ebm._checks import Array, Settings, check_integer, check_real
from ebm._random import Key
from ebm.networks.network import Network, Parameters

T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Growth(Settings):
    """Units added to hidden layers when the loss stalls, as long as that helps.

    A multi-layer perceptron with this choice begins with the hidden layers it is given, and trains until it would stop:
    when the loss (with `early_stopping` the validation score) no longer improves. Then it adds units and goes on. If at
    the next stop the best loss is not below that of the stage before by more than `tol`, the addition of units is
    undone, and training ends.

    Parameters
    ----------
    n_new : int, default=10
        Units that are added at a time, to each layer that grows.
    max_units : int, default=1000
        No layer grows beyond it.
    layer : int or None, default=None
        The hidden layer that grows, 0 being the first and -1 the last. None: all of them.
    tol : float >= 0, default=1e-3
        Least decrease of the loss by an addition.

    References
    ----------
    .. [1] Vorontsov, K. V. "Machine learning" (lectures, in Russian): artificial neural networks. machinelearning.ru.

    Examples
    --------
    >>> from ebm import Growth
    >>> Growth(n_new=5, layer=-1)
    Growth(n_new=5, layer=-1)
    """

    n_new: int = 10
    max_units: int = 1000
    layer: int | None = None
    tol: float = 1e-3

    def __post_init__(self) -> None:
        check_integer(self.n_new, "n_new")
        check_integer(self.max_units, "max_units")
        if self.layer is not None:
            check_integer(self.layer, "layer", -(1 << 31))
        check_real(self.tol, "tol")

    def additions(self, network: Network) -> tuple[int, ...]:
        """How many units each hidden layer is to be given next; all zero where none may grow.

        Raises
        ------
        ValueError
            If there is no such layer, or no hidden layer at all, or layers share arrays.
        """
        network.check_untied("Growth")
        sizes = hidden_sizes(network)
        chosen = range(len(sizes)) if self.layer is None else [self.layer]
        if not sizes or not all(-len(sizes) <= k < len(sizes) for k in chosen):
            raise ValueError(
                f"growth is of hidden layers, of which there are {len(sizes)}. Got layer={self.layer}."
            )
        grows = {k % len(sizes) for k in chosen}
        room = [max(0, self.max_units - size) if k in grows else 0 for k, size in enumerate(sizes)]
        return tuple(min(self.n_new, free) for free in room)


def growth_record(value: object) -> Growth:
    """The growth that a record stands for; None stands for the default one, where a setting of it is wanted."""
    if isinstance(value, Growth):
        return value
    if value is None:
        return Growth()
    raise ValueError(f"growth must be a Growth(...) or None. Got {value!r} instead.")


def _weighted(network: Network) -> list[int]:
    """Numbers of the layers with weights."""
    return [k for k, layer in enumerate(network.layers) if layer.weights]


def hidden_sizes(network: Network) -> tuple[int, ...]:
    """Units of each hidden layer: what the next layer with weights takes in."""
    return tuple(network.widths[k] for k in _weighted(network)[1:])


def grown(
    network: Network, params: Parameters, more: Sequence[int], key: Key
) -> tuple[Network, Parameters]:
    """The network with `more` units in its hidden layers, which computes the same.

    Parameters
    ----------
    network : Network
        Between a layer's weights and the next layer's each unit is by itself: activations, normalisation, dropout.
    params : tuple of NamedTuple
    more : sequence of int
        Units for each hidden layer, the first one first.
    key : Key
        Of the weights into the new units, which follow the layer's own distribution.

    Returns
    -------
    network : Network
        The new units are the last of their layers; its masks are wider.
    params : tuple of NamedTuple
        New arrays. Where a new unit meets an old one, the weight from the new one is zero.
    """
    network.check_untied("Growth")
    wider = _wider(network, more)
    dtype = network.weights(params)[0].dtype
    fresh = wider.drawn(key, dtype)
    for layer, layer_params, old in zip(wider.layers, fresh, params, strict=True):
        for name, new, x in zip(layer_params._fields, layer_params, old, strict=True):
            if name in layer.weights:
                new[x.shape[0] :, : x.shape[1]] = 0
            new[_corner(x)] = x
    return wider, wider.unpack(wider.pack(fresh))


def _wider(network: Network, more: Sequence[int]) -> Network:
    weighted, layers = _weighted(network), list(network.layers)
    more_in = 0
    for k, units in zip(weighted, (*more, 0), strict=True):
        ahead = next((j for j in weighted if j > k), len(layers))
        pieces = (
            network.widths[k + 1] // network.widths[ahead]
        )  # inputs of the activation for each unit of it
        layers[k] = layers[k].widened(more_in, units * pieces)
        more_in = units
    return replace(network, layers=tuple(layers))


def _corner(x: Array) -> tuple[slice, ...]:
    """Where an array lies in a larger one that holds it."""
    return tuple(map(slice, x.shape))


def padded(network: Network, wider: Network, vector: Array) -> Array:
    """A flat vector with an entry for each parameter of a network, for a wider network: zeros for new parameters.

    Arrays that are no such vector, as an optimiser's clock, are copied.
    """
    out = np.zeros(wider.n_parameters, vector.dtype)
    if vector.shape != (network.n_parameters,):
        return vector.copy()
    for layer_params, old in zip(wider.unpack(out), network.unpack(vector), strict=True):
        for new, x in zip(layer_params, old, strict=True):
            new[_corner(x)] = x
    return out


class Outcome(NamedTuple):
    """The result of training.

    Attributes
    ----------
    value : float
        The best it reached of what is to fall: the loss, or minus a score.
    stalled : bool
        Whether it came to a halt by itself.
    message : str
        Text of a warning, or ''.
    """

    value: float
    stalled: bool
    message: str = ""


def grow_while_it_helps(
    stage: T,
    widen: Callable[[T], T | None],
    learn: Callable[[T], Outcome],
    tol: float,
) -> tuple[T, str]:
    """Train, add, train again, as long as it helps; what does not is undone.

    Parameters
    ----------
    stage : object
        Where training begins.
    widen : callable
        From a stage to a new one with more units, or None where none are to be added. It leaves the old one alone.
    learn : callable
        Trains a stage, in place.
    tol : float
        By how much the value must fall from stage to stage.

    Returns
    -------
    stage : object
        The last one that was worth it, with every bit as training left it.
    message : str
        Text of a warning about the last training, of the stage that is kept or of one that was undone.
    """
    best = learn(stage)
    message = best.message
    while best.stalled and not message:
        wider = widen(stage)
        if wider is None:
            break
        outcome = learn(wider)
        if not outcome.value < best.value - tol:
            ended = outcome.message
            return stage, f"the last growth was undone, after this: {ended}" if ended else ""
        stage, best, message = wider, outcome, outcome.message
    return stage, message
