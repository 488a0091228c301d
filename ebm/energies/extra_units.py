"""The last units of a bipartite model's visible layer, summed out or drawn beside the others: labels, of few states.

With the visible states (x, e), the distribution of e beside x is a table over the states of e,

    p(e | x) = exp(-beta F(x, e)) / sum_e' exp(-beta F(x, e')),

of which every entry is exact (Larochelle & Bengio 2008 for labels).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._random import Key, uniform
from ebm._sparse import is_sparse, widened
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
    if is_sparse(x):
        return _sparse_log_weights(model, params, x, states, beta)
    rows = np.hstack([x, np.zeros((len(x), n_extra), x.dtype)])
    return log_weights_of(model, params, rows, slice(n, n + n_extra), states, beta)


def _sparse_log_weights(
    model: Bipartite, params: BipartiteParameters, x: Any, states: Array, beta: float
) -> Array:
    """The same of CSR rows: energies are sums over the units, and so those of rows and extra states add up."""
    shared, added = _sparse_inputs(model, params, x, states)
    alone = np.zeros((len(states) + 1, len(params.W)), x.dtype)
    alone[:-1, x.shape[1] :] = states
    *own, nothing = model.visible.energy(params.visible, alone)
    energies = model.visible.energy(params.visible, widened(x, states.shape[1])) - nothing
    columns = [
        model.hidden.log_normaliser(params.hidden, shared + input_, beta) - beta * (energies + u)
        for input_, u in zip(added, own, strict=True)
    ]
    return np.stack(columns, axis=1)


def _sparse_inputs(
    model: Bipartite, params: BipartiteParameters, x: Any, states: Array
) -> tuple[Array, Array]:
    """:func:`_hidden_inputs` of CSR rows without the extra units."""
    alone = np.zeros((len(states), len(params.W)), x.dtype)
    alone[:, x.shape[1] :] = states
    shared = model.hidden_input(params, widened(x, states.shape[1]))
    return shared, model.hidden_input(params, alone)


def log_weights_of(
    model: Bipartite,
    params: BipartiteParameters,
    v: Array,
    units: slice,
    states: Array,
    beta: float = 1.0,
) -> Array:
    """-beta F of each row of `v` (rows, n_visible) with each of `states` in the place of `units`: (rows, states)."""
    rows, weights = v.copy(), np.empty((len(v), len(states)))
    shared, added = _hidden_inputs(model, params, v, units, states)
    for column, state in enumerate(states):
        rows[:, units] = state
        summed = model.hidden.log_normaliser(params.hidden, shared + added[column], beta)
        weights[:, column] = summed - beta * model.visible.energy(params.visible, rows)
    return weights


def _hidden_inputs(
    model: Bipartite, params: BipartiteParameters, v: Array, units: slice, states: Array
) -> tuple[Array, Array]:
    """Inputs of the hidden units from the rows of `v` without the `units`, and from each state of these alone."""
    rows, alone = v.copy(), np.zeros((len(states), v.shape[1]), v.dtype)
    rows[:, units], alone[:, units] = 0, states
    return model.hidden_input(params, rows), model.hidden_input(params, alone)


def extra_probabilities(
    model: Bipartite, params: BipartiteParameters, x: Array, states: Array
) -> tuple[Array, Array]:
    """p(e | x) and its logarithm for each row of `x` (rows, n) and each e of `states`: both (rows, states)."""
    logs = extra_log_weights(model, params, x, states)
    logs -= np.logaddexp.reduce(logs, axis=1, keepdims=True)
    return np.exp(logs), logs


@dataclass(frozen=True)
class Beside:
    """A bipartite model as it is seen by those who know its visible units but the last: these are averaged over.

    Parameters
    ----------
    model : Bipartite
        The model of all units.
    n_extra : int
        How many of the visible ones are not known.
    """

    model: Bipartite
    n_extra: int

    @property
    def visible(self) -> Unit:
        """The type of the visible units."""
        return self.model.visible

    @property
    def hidden(self) -> Unit:
        """The type of the hidden units."""
        return self.model.hidden

    def hidden_mean(self, params: BipartiteParameters, x: Array) -> Array:
        """E[h | x] = sum_e p(e | x) E[h | x, e]: (rows, n) -> (rows, n_hidden)."""
        n, states = x.shape[1], extra_states(self.visible, self.n_extra)
        p = extra_probabilities(self.model, params, x, states)[0].astype(x.dtype)
        if is_sparse(x):
            shared, added = _sparse_inputs(self.model, params, x, states)
        else:
            v = np.hstack([x, np.zeros((len(x), self.n_extra), x.dtype)])
            extra = slice(n, n + self.n_extra)
            shared, added = _hidden_inputs(self.model, params, v, extra, states)
        total = np.zeros_like(shared)
        for share, input_ in zip(p.T, added, strict=True):
            total += share[:, np.newaxis] * self.hidden.mean(params.hidden, shared + input_)
        return total


def sample_extra(states: Array, log_weights: Array, key: Key) -> Array:
    """One of the `states` (states, n_extra) per row of their `log_weights` (rows, states): (rows, n_extra)."""
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    cumulative = np.cumsum(weights, axis=1)
    places = uniform(key, len(weights)) * cumulative[:, -1]
    # Rounded up, the largest place is the whole.
    passed = np.minimum((cumulative <= places[:, np.newaxis]).sum(axis=1), len(states) - 1)
    chosen: Array = states[passed]
    return chosen
