"""The last units of a bipartite model's visible layer, summed out or drawn beside the others: labels, of few states.

With the visible states (x, e), the law of e beside x is a table over the states of e,

    p(e | x) = exp(-beta F(x, e)) / sum_e' exp(-beta F(x, e')),

of which every entry is exact (Larochelle & Bengio 2008 for labels).
"""

import numpy as np

from ebm._checks import Array
from ebm._random import Key, uniform
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.states import state_blocks
from ebm.units import Unit

# Two-state units of which all states are listed: more are no table any more.
MAX_LISTED = 12


def extra_states(unit: Unit, n_extra: int) -> Array:
    """All states (states, n_extra) of the last `n_extra` units of a layer of the type `unit`.

    A type may know them, with a method ``extra_states(n_extra)``; else they are all combinations of two states a unit.
    ValueError where these are too many, or not two.
    """
    known = getattr(unit, "extra_states", None)
    if known is not None:
        return np.asarray(known(n_extra), np.float64)
    if unit.states is None or len(unit.states) != 2 or n_extra > MAX_LISTED:
        raise ValueError(
            f"{n_extra} extra units of the type {unit!r} cannot be summed out: that takes at most {MAX_LISTED} of two "
            "states, or a type that knows its states."
        )
    return np.vstack([*state_blocks(unit.states, n_extra)])


def extra_log_weights(
    model: Bipartite, params: BipartiteParameters, x: Array, states: Array, beta: float = 1.0
) -> Array:
    """-beta F(x, e) for each row of `x` (rows, n) and each e of `states` (states, n_extra): (rows, states)."""
    n, n_extra = x.shape[1], states.shape[1]
    rows = np.hstack([x, np.zeros((len(x), n_extra), x.dtype)])
    alone = np.hstack([np.zeros((len(states), n), x.dtype), states.astype(x.dtype)])
    shared, added = (model.hidden_input(params, part) for part in (rows, alone))
    weights = np.empty((len(x), len(states)))
    for column, state in enumerate(states):
        rows[:, n:] = state
        summed = model.hidden.log_normaliser(params.hidden, shared + added[column], beta)
        weights[:, column] = summed - beta * model.visible.energy(params.visible, rows)
    return weights


def sample_extra(states: Array, log_weights: Array, key: Key) -> Array:
    """One of the `states` (states, n_extra) per row of their `log_weights` (rows, states): (rows, n_extra)."""
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    cumulative = np.cumsum(weights, axis=1)
    places = uniform(key, len(weights)) * cumulative[:, -1]
    # Rounded up, the largest place is the whole.
    passed = np.minimum((cumulative <= places[:, np.newaxis]).sum(axis=1), len(states) - 1)
    chosen: Array = states[passed]
    return chosen
