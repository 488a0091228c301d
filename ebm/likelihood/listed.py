"""The pseudo-likelihood of units that count: each is compared with all its other states, one after the other.

    log p(v_i | v without v_i) = log w(v_i) - log sum_x w(x),    w(x) = exp(-U_i(x) + A_h(W's(v) + (x - v_i) W_i)).

Counts without an upper limit are listed until the rest is negligible for every input from hidden units with bounds.
With the largest input f_i of unit i, w(x) is at most a multiple of the Poisson weights of the rate exp(b_i + f_i).
"""

import numpy as np

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.units import Counts

MOST_STATES = 10_000
# Beyond the largest rate by so many standard deviations and events lies less than 1e-18 of a Poisson distribution.
DEVIATIONS, EVENTS = 12.0, 40.0


def listed_conditionals(
    model: Bipartite, params: BipartiteParameters, v: Array, inputs: Array | None = None
) -> Array:
    """Sum of log p(v_i | the others) of each row of `v` (rows, n_visible), in double precision.

    The `inputs` of the hidden units are given where they receive something from other layers, too.
    """
    unit = model.visible
    inputs = model.hidden_input(params, v) if inputs is None else inputs
    at_v, out = model.hidden.log_normaliser(params.hidden, inputs), np.zeros(len(v))
    for i, states in enumerate(_states(model, params)):
        layer_params = type(params.visible)(*(x[i : i + 1] for x in params.visible))
        total = np.full(len(v), -np.inf)
        for x, energy in zip(states, unit.energy(layer_params, states[:, np.newaxis]), strict=True):
            moved = inputs + (x - v[:, i, np.newaxis]) * params.W[i]
            log_weights = model.hidden.log_normaliser(params.hidden, moved) - energy
            total = np.logaddexp(total, log_weights)
        out += at_v - unit.energy(layer_params, v[:, i : i + 1]) - total
    return out


def _states(model: Bipartite, params: BipartiteParameters) -> list[Array]:
    """The states of each visible unit, all those that matter."""
    n, unit = len(params.W), model.visible
    assert isinstance(unit, Counts)
    if unit.states is not None:
        return [np.array(unit.states)] * n
    model.check_finite(params)
    most = np.zeros(n)
    if model.hidden.bounded:
        low, high = model.hidden.span(params.hidden)
        most = np.maximum(low * params.W, high * params.W).sum(axis=1)
    rates = np.exp(params.visible.bias + most)
    tops = rates + DEVIATIONS * np.sqrt(rates) + EVENTS
    if not tops.max() <= MOST_STATES:
        raise ValueError(
            f"The pseudo-likelihood sums over all counts that are possible: up to {tops.max():.3g}, and "
            f"at most {MOST_STATES} are summed. Use log_likelihood instead."
        )
    return [np.arange(np.floor(top) + 1) for top in tops]
