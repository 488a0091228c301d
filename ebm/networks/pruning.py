"""Optimal brain damage: weights whose loss the loss would hardly feel are taken away (LeCun, Denker & Solla 1990).

At a minimum of the mean loss E a change of one weight w_k to zero costs about its *saliency*

    s_k = h_kk w_k^2 / 2,        h_kk = d^2 E / dw_k^2.

The second derivatives are propagated back as the first ones are, and like them they take one pass over the rows. At
every layer the matrix of second derivatives by its outputs is taken to be diagonal, h. Then for

    a dense layer  y = x W + b     h_W = (x^2)' h,    h_x = h (W^2)'
    a function     y = f(x)        h_x = h f'^2 - delta f'',    delta = -dE/dy

and so on, layer by layer (:meth:`~ebm.networks.layer.Layer.curvature`). The diagonal is that of the true Hessian for
the weights of the last layer. For all others this holds if units act on the loss one by one, for example with one unit
in each hidden layer. Without the last term (Levenberg and Marquardt) no second derivative is negative, if the loss has
none by the outputs.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from ebm._checks import Array, check_integer, check_real
from ebm.networks.layer import Context
from ebm.networks.network import Network, Parameters

# Numbers of the inputs that are passed through the network at a time.
BLOCK_NUMBERS = 1 << 20

T = TypeVar("T")


def second_derivatives(
    network: Network,
    params: Parameters,
    X: Any,
    targets: Array,
    weights: Array | None = None,
    *,
    levenberg_marquardt: bool = True,
) -> Parameters:
    """Second derivatives of the mean loss by each parameter, as the diagonal recursion has them.

    Parameters
    ----------
    network : Network
        In the state after training: nothing is dropped, batch normalisation has its running moments.
    params : tuple of NamedTuple
    X : {ndarray, sparse matrix} of shape (rows, n_in)
        Passed through the network block by block.
    targets : ndarray of shape (rows, outputs)
    weights : ndarray of shape (rows,), optional
        The loss is then the weighted mean.
    levenberg_marquardt : bool, default=True
        Whether second derivatives of the activations count as zero.

    Returns
    -------
    second : tuple of NamedTuple
        Of the type of the parameters, in new arrays; zero for weights that the network does without.

    Raises
    ------
    ValueError
        If a layer has no way back for second derivatives, or layers share arrays.

    References
    ----------
    .. [1] LeCun, Y., Denker, J. S. and Solla, S. A. "Optimal brain damage." Advances in Neural Information Processing
       Systems 2 (1990), section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.networks.dense import Dense, DenseParameters
    >>> from ebm.networks.losses import SquaredError
    >>> from ebm.networks.network import Network
    >>> network = Network(2, (Dense(1),), SquaredError())
    >>> params = (DenseParameters(np.ones((2, 1)), np.zeros(1)),)
    >>> X = np.array([[1.0, 2.0], [1.0, 4.0]])
    >>> second_derivatives(network, params, X, np.zeros((2, 1)))[
    ...     0
    ... ].W.ravel()  # means of the squared inputs
    array([ 1., 10.])
    """
    network.check_untied("Pruning")
    w = np.ones(X.shape[0]) if weights is None else np.asarray(weights, np.float64)
    w = (w / w.sum()).astype(X.dtype)
    part = network.pack(params)
    total, second = np.zeros(len(part)), network.unpack(part)
    step = max(1, BLOCK_NUMBERS // max(1, network.n_in))
    for first in range(0, len(w), step):
        rows = slice(first, first + step)
        x = X[rows].toarray() if hasattr(X, "toarray") else X[rows]
        _propagate(network, params, (x, targets[rows], w[rows]), second, levenberg_marquardt)
        total += part
    diagonal: Parameters = network.unpack(total.astype(part.dtype))
    return diagonal


def _propagate(
    network: Network,
    params: Parameters,
    batch: tuple[Array, Array, Array],
    second: Parameters,
    levenberg_marquardt: bool,
) -> None:
    """Write the second derivatives of the rows' weighted sum to `second`."""
    saved: list[Any] = []
    free, last = False, batch[0]
    for layer, layer_params in zip(network.layers, params, strict=True):
        last, kept = layer.forward(layer_params, last, Context(free=free))
        saved.append(kept)
        free = not layer.keeps_output
    last, delta, gradient = np.ascontiguousarray(last), None, None
    if not levenberg_marquardt:
        _, delta = network.loss.evaluate(last.copy(), *batch[1:])
        gradient = network.unpack(network.pack(params))  # of no further use
    h = network.loss.second(last.copy(), *batch[1:])
    for k in range(len(network.layers) - 1, -1, -1):
        layer, layer_params, kept = network.layers[k], params[k], saved.pop()
        h = layer.curvature(layer_params, kept, h, delta, second[k])
        if gradient is not None and delta is not None:
            delta = layer.backward(layer_params, kept, delta, gradient[k], k > 0)


def saliencies(network: Network, params: Parameters, second: Parameters) -> list[Array]:
    """The saliencies h w^2 / 2 of all weights: an array for each layer that has some, in the order of the layers.

    Raises
    ------
    ValueError
        If there are no finite ones.
    """
    pairs = zip(network.weights(second), network.weights(params), strict=True)
    found = [0.5 * h * w * w for h, w in pairs]
    if not all(np.isfinite(s).all() for s in found):
        raise ValueError(
            "The saliencies of the weights are not finite: the network's outputs on these rows are too large."
        )
    return found


def input_shares(saliency: list[Array]) -> Array:
    """Saliencies of the inputs: the sums over the weights that leave them, as shares (n_in,) of all.

    An input all of whose weights are without saliency, or for which it is negative, has none.
    """
    sums: Array = np.maximum(saliency[0].sum(axis=1, dtype=np.float64), 0.0)
    sums /= sums.sum() or 1.0
    return sums


def masks(network: Network, params: Parameters) -> list[Array]:
    """Which weights the network has, an array for each layer with weights."""
    layers = [layer for layer in network.layers if layer.weights]
    return [
        np.ones(w.shape, bool) if layer.mask is None else layer.mask
        for layer, w in zip(layers, network.weights(params), strict=True)
    ]


def count_weights(network: Network, params: Parameters) -> int:
    """How many weights the network has."""
    return sum(int(mask.sum()) for mask in masks(network, params))


def pruned(
    network: Network,
    params: Parameters,
    saliency: list[Array],
    fraction: float,
    *,
    per_layer: bool = False,
) -> tuple[Network, Parameters]:
    """The network without the given share of its weights, those of least saliency.

    Parameters
    ----------
    network : Network
    params : tuple of NamedTuple
    saliency : list of ndarray
        Of each layer's weights: see :func:`saliencies`.
    fraction : float in [0, 1]
        Share of the weights that there still are; their number is rounded down.
    per_layer : bool, default=False
        Whether the share is of each layer's weights, not of all weights.

    Returns
    -------
    network : Network
        Its layers have masks: in training these weights stay at zero.
    params : tuple of NamedTuple
        New arrays.
    """
    network.check_untied("Pruning")
    fraction = check_real(fraction, "fraction", 0.0, 1.0)
    kept = [mask.copy() for mask in masks(network, params)]
    for group in [[k] for k in range(len(kept))] if per_layer else [range(len(kept))]:
        _drop_least([kept[k] for k in group], [saliency[k] for k in group], fraction)
    return _with_masks(network, params, kept)


def _drop_least(kept: list[Array], saliency: list[Array], fraction: float) -> None:
    """Take the share of least saliency out of the masks `kept`, in place. Of equal ones the first goes first."""
    there = np.concatenate([mask.ravel() for mask in kept])
    values = np.concatenate([s.ravel() for s in saliency])
    candidates = np.flatnonzero(there)
    order = np.argsort(values[candidates], kind="stable")
    there[candidates[order[: int(fraction * len(candidates))]]] = False
    first = 0
    for mask in kept:
        mask[:] = there[first : first + mask.size].reshape(mask.shape)
        first += mask.size


def _with_masks(
    network: Network, params: Parameters, kept: list[Array]
) -> tuple[Network, Parameters]:
    given = iter(kept)
    layers = [layer.masked(next(given)) if layer.weights else layer for layer in network.layers]
    fewer = replace(network, layers=tuple(layers))
    kept_params = fewer.unpack(network.pack(params))
    fewer.project(kept_params, {})
    return fewer, kept_params


def prune_while_harmless(
    stage: T,
    remove: Callable[[T], T | None],
    learn: Callable[[T], T],
    error: Callable[[T], float],
    *,
    tol: float,
    max_rounds: int,
) -> T:
    """Remove, learn again, undo what hurts: rounds of pruning, as in Vorontsov's lectures [1]_.

    Parameters
    ----------
    stage : object
        The learned model, for example a network and its parameters. It is not modified.
    remove : callable
        From a stage to a new one with fewer weights, or None where there is nothing left to remove.
    learn : callable
        From a stage to a new one: training, until it comes to a halt.
    error : callable
        Of a stage, on held-out rows if possible.
    tol : float
        The error must not exceed that of `stage` by more than this. A round after which it does is undone, and is the
        last.
    max_rounds : int
        Largest number of rounds.

    Returns
    -------
    stage : object
        The last that was good enough, as it was.

    References
    ----------
    .. [1] Vorontsov, K. V. "Machine learning" (lectures, in Russian): artificial neural networks. machinelearning.ru.

    Examples
    --------
    >>> halve = lambda weights: [w for w in weights if abs(w) > min(map(abs, weights))] or None
    >>> miss = lambda weights: abs(10 - sum(weights))
    >>> prune_while_harmless([6, 3, 0.5, 0.5], halve, list, miss, tol=1, max_rounds=5)
    [6, 3]
    """
    tol = check_real(tol, "tol")
    max_rounds = check_integer(max_rounds, "max_rounds")
    allowed = error(stage) + tol
    for _ in range(max_rounds):
        fewer = remove(stage)
        if fewer is None:
            return stage
        fewer = learn(fewer)
        if not error(fewer) <= allowed:
            return stage
        stage = fewer
    return stage
