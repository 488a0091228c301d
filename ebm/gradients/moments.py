"""The phases of a gradient as numbers: averages of -dE/dtheta, and their centred difference.

Shared by the estimators that know their negative phase as averages rather than as samples.
"""

from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.gradients.base import Batch, ChainState
from ebm.units import Unit


class Moments(NamedTuple):
    """Averages of -dE/dtheta: s(v)s(h)', s(v), s(h), and of the layers' own parameters by field name."""

    vh: Array
    v: Array
    h: Array
    params_v: dict[str, Array]
    params_h: dict[str, Array]


def batch_weights(batch: Batch, dtype: Any) -> Array:
    """The weights of the rows, which sum to one: equal ones where none are given."""
    if batch.weights is None:
        return np.full(len(batch.v), 1.0 / len(batch.v), dtype)
    return batch.weights.astype(dtype, copy=False)


def data_moments(
    model: Bipartite, params: BipartiteParameters, v: Array, weights: Array
) -> Moments:
    """Sums over the rows of `v` with `weights`, averages where these sum to one; h is averaged given v."""
    inputs = model.hidden_input(params, v)
    s = model.visible.statistic(params.visible, v)
    h = model.hidden.statistic(params.hidden, model.hidden.mean(params.hidden, inputs))
    vh = (s.T * weights) @ h
    of_v = model.visible.parameter_derivatives(params.visible, v)
    of_h = model.hidden.mean_derivatives(params.hidden, inputs)
    coupling = params.W * vh
    return Moments(
        vh,
        weights @ s,
        weights @ h,
        parameter_moments(model.visible, params.visible, of_v, weights, coupling.sum(axis=1)),
        parameter_moments(model.hidden, params.hidden, of_h, weights, coupling.sum(axis=0)),
    )


def parameter_moments(
    unit: Unit, layer_params: Any, derivatives: dict[str, Array], weights: Array, coupling: Array
) -> dict[str, Array]:
    """Averages of -dE/dtheta for a layer's own parameters but the bias.

    `derivatives` are those of -U for each row. `coupling` (units,) is the average of s_i (W s)_i, which the parameters
    of a statistic change in proportion to it (:meth:`ebm.units.Unit.statistic_slopes`).
    """
    slopes = unit.statistic_slopes(layer_params)
    return {k: weights @ d + slopes.get(k, 0) * coupling for k, d in derivatives.items()}


def mix(a: Any, p: float, b: Any, q: float) -> Any:
    """P a + q b, field by field."""
    if isinstance(a, dict):
        return {k: p * a[k] + q * b[k] for k in a}
    if isinstance(a, Moments):
        return Moments(*(mix(x, p, y, q) for x, y in zip(a, b, strict=True)))
    return p * a + q * b


def slide_offsets(chains: ChainState, data: Moments, rate: float) -> None:
    """Move the offsets, in place, by `rate` of the way towards the means of the data phase."""
    chains.visible_offset[:] += rate * (data.v - chains.visible_offset)
    chains.hidden_offset[:] += rate * (data.h - chains.hidden_offset)


def write_difference(
    data: Moments,
    model: Moments,
    params: BipartiteParameters,
    chains: ChainState,
    gradient: BipartiteParameters,
) -> bool:
    """Write the centred difference of the phases to `gradient`; whether it is finite."""
    vh, dv, dh = data.vh - model.vh, data.v - model.v, data.h - model.h
    dW = vh - np.outer(chains.visible_offset, dh) - np.outer(dv, chains.hidden_offset)
    gradient.W[:] = dW
    gradient.visible.bias[:] = dv - dW @ chains.hidden_offset
    gradient.hidden.bias[:] = dh - chains.visible_offset @ dW
    for field, value in data.params_v.items():
        getattr(gradient.visible, field)[:] = value - model.params_v[field]
    for field, value in data.params_h.items():
        getattr(gradient.hidden, field)[:] = value - model.params_h[field]
    arrays = (gradient.W, *gradient.visible, *gradient.hidden)
    return all(bool(np.isfinite(x).all()) for x in arrays)
