"""The pseudo-likelihood of units whose states can be listed: each is compared with all of them, one after the other.

    log p(v_i | v without v_i) = log w(v_i) - log sum_x w(x),
    w(x) = exp(-U_i(x) + A_h(W's(v) + [s(x) - s(v_i)] W_i)).

Of infinitely many states these are the ones that count, or the nodes of a quadrature, for every input that the hidden
units can send (:meth:`ebm.units.Unit.nodes`).
"""

import numpy as np

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite, BipartiteParameters

# The states of a unit and the logarithms of their weights.
Nodes = tuple[Array, Array]


def nodes_of(model: Bipartite, params: BipartiteParameters) -> list[Nodes] | None:
    """Those of each visible unit, or None where they cannot be listed."""
    model.check_finite(params)
    return model.visible.nodes(params.visible, *_input_range(model, params))


def listed_conditionals(
    model: Bipartite,
    params: BipartiteParameters,
    nodes: list[Nodes],
    v: Array,
    inputs: Array | None = None,
) -> Array:
    """Sum of log p(v_i | the others) of each row of `v` (rows, n_visible), in double precision.

    The `inputs` of the hidden units are given where they receive something from other layers, too.
    """
    unit = model.visible
    inputs = model.hidden_input(params, v) if inputs is None else inputs
    at_v, out = model.hidden.log_normaliser(params.hidden, inputs), np.zeros(len(v))
    slopes = unit.statistic(params.visible, np.ones((1, v.shape[1])))[0]
    for i, (states, logs) in enumerate(nodes):
        layer_params = type(params.visible)(*(x[i : i + 1] for x in params.visible))
        energies = unit.energy(layer_params, states[:, np.newaxis]) - logs
        total = np.full(len(v), -np.inf)
        for x, energy in zip(states, energies, strict=True):
            moved = inputs + slopes[i] * (x - v[:, i, np.newaxis]) * params.W[i]
            log_weights = model.hidden.log_normaliser(params.hidden, moved) - energy
            total = np.logaddexp(total, log_weights)
        out += at_v - unit.energy(layer_params, v[:, i : i + 1]) - total
    return out


def _input_range(model: Bipartite, params: BipartiteParameters) -> tuple[Array, Array]:
    """The smallest and the largest input of each visible unit; infinite where hidden units have no bounds."""
    unit, W = model.hidden, params.W
    if unit.bounded:
        states = np.stack([np.broadcast_to(x, W.shape[1]) for x in unit.span(params.hidden)])
        low, high = unit.statistic(params.hidden, states.astype(W.dtype))
    else:
        low, high = np.float64(0 if unit.one_sided else -np.inf), np.float64(np.inf)
    ends = [np.multiply(end, W, where=W != 0, out=np.zeros(W.shape)) for end in (low, high)]
    return np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)
