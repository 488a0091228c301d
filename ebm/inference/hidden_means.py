"""Means of some units of a pairwise model given others: exact where that is cheap, in mean field elsewhere."""

import numpy as np

from ebm._checks import Array
from ebm.energies.groups import independent_units
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import pairwise_hidden_mean
from ebm.inference.pairwise_mean_field import pairwise_mean_field

# Up to this many hidden units are enumerated for every row.
MAX_ENUMERATED_HIDDEN = 10


def hidden_means(model: Pairwise, params: PairwiseParameters, v: Array, beta: float = 1.0) -> Array:
    """E[h | v]: (rows, n_visible) -> (rows, n_hidden).

    Exact where at most ten hidden units have to be enumerated, those aside that are summed out in closed form; beyond
    that the means of the product distribution nearest to p(h | v) (:mod:`ebm.inference.pairwise_mean_field`). Their
    error is measured by :func:`ebm.likelihood.mean_field_gap.hidden_mean_gap`.
    """
    n, dtype = v.shape[1], params.J.dtype
    if has_exact_means(model, params):
        return pairwise_hidden_mean(model, params, v, beta=beta).astype(dtype)
    return pairwise_mean_field(
        model, params, started(model, params, v, beta), hidden(model, v), beta=beta
    ).m[:, n:]


def has_exact_means(model: Pairwise, params: PairwiseParameters) -> bool:
    """Whether :func:`hidden_means` are exact."""
    n = model.shape(params)[0]
    n_joined = int(np.count_nonzero(~independent_units(params.J[n:, n:])))
    return n_joined <= MAX_ENUMERATED_HIDDEN


def conditional_means(
    model: Pairwise, params: PairwiseParameters, s: Array, beta: float = 1.0
) -> Array:
    """E[s_i | all other units] for every unit: (rows, n_units) -> (rows, n_units)."""
    return model.unit.mean(model.layer_params(params.bias), model.inputs(params, s), beta)


def completed(model: Pairwise, params: PairwiseParameters, v: Array) -> Array:
    """The visible rows `v` with the mean-field means of the hidden units: (rows, n_units).

    Exact where no two hidden units are connected.
    """
    if not model.n_hidden:
        return v
    s = started(model, params, v, 1.0)
    if model.hidden_are_independent(params):
        return s
    return pairwise_mean_field(model, params, s, hidden(model, v)).m


def hidden(model: Pairwise, v: Array) -> Array:
    """Numbers of the hidden units."""
    units: Array = v.shape[1] + np.arange(model.n_hidden)
    return units


def started(model: Pairwise, params: PairwiseParameters, v: Array, beta: float) -> Array:
    """The rows with the means that the hidden units would have without couplings among themselves."""
    n = v.shape[1]
    layer_params = model.layer_params(params.bias[n:])
    return np.hstack([v, model.unit.mean(layer_params, v @ params.J[:n, n:], beta)])
