"""Means of the layers of a deep Boltzmann machine given others, in mean field.

See :mod:`ebm.inference.layered_mean_field` for the iteration.
"""

from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._sparse import as_dtype, blocks
from ebm.energies.layers import LayeredParameters
from ebm.energies.trees import TreeModel
from ebm.inference.layered_mean_field import incomplete_mean_field, layered_mean_field

# Rows that have converged stay, so that a large number of sweeps costs little.
SWEEPS, TOLERANCE = 300, 1e-4


class DeepMeans(NamedTuple):
    """Means of the hidden layers for each row of data.

    Attributes
    ----------
    layers : list of ndarray of shape (n_samples, n_units)
        The means of each hidden layer, from the data up.
    converged : ndarray of bool of shape (n_samples,)
        Whether the last sweep moved no mean by more than the tolerance.
    n_sweeps : int
        The largest number of sweeps that were made: updates of all layers.
    """

    layers: list[Array]
    converged: Array
    n_sweeps: int


def deep_means(
    model: TreeModel,
    params: LayeredParameters,
    X: Any,
    n_sweeps: int = SWEEPS,
    tol: float = TOLERANCE,
) -> DeepMeans:
    """The means of the hidden layers given rows of data.

    Parameters
    ----------
    model, params : TreeModel, LayeredParameters
    X : {ndarray, CSR array} of shape (rows, n_visible)
        NaN where an entry is unknown: it is one more unit of the mean field.
    n_sweeps : int
        Sweeps at most.
    tol : float
        A row has converged when a sweep moves no mean by more than this.

    Returns
    -------
    DeepMeans
        The means of a row do not depend on the other rows.
    """
    layers: list[list[Array]] = [[] for _ in model.hidden_layers]
    converged, made = [], 0
    for _, block in blocks(X):
        known = model.split(as_dtype(block, model.dtype(params)))
        found = incomplete_mean_field(model, params, known, n_sweeps=n_sweeps, tol=tol)
        for parts, k in zip(layers, model.hidden_layers, strict=True):
            parts.append(_mean(model, params, k, found.inputs))
        converged.append(found.converged)
        made = max(made, found.n_sweeps)
    means = [np.concatenate(parts) for parts in layers]
    return DeepMeans(means, np.concatenate(converged), made)


def visible_means(
    model: TreeModel, params: LayeredParameters, known: dict[int, Array], tol: float = TOLERANCE
) -> Array:
    """The means of the visible units given states or means of some hidden layers, by their numbers: (rows, n_visible).

    All other layers follow from them in mean field. If the lowest hidden layer is known this is exact.
    """
    found = layered_mean_field(model, params, known, n_sweeps=SWEEPS, tol=tol)
    return np.hstack([_mean(model, params, k, found.inputs) for k in model.shown])


def _mean(
    model: TreeModel, params: LayeredParameters, k: int, inputs: tuple[Array, Array]
) -> Array:
    """Of the units of layer `k` that receive these inputs."""
    color, columns = model.places[k]
    received = np.ascontiguousarray(inputs[color][:, columns])
    return model.layers[k].unit.mean(params.layers[k], received)
