"""Block Gibbs sampling: all hidden units given the visible ones, then all visible units given the hidden ones.

    h ~ p(h | v),   v' ~ p(v' | h)

Each half leaves p(v, h) at its inverse temperature unchanged, and so does the whole step. With some visible units held
at given values (*clamped*), the chain samples the others' distribution given those values. Rows are independent chains.
"""

from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.columns import ColumnModel
from ebm.samplers.base import (
    averaged_halves,
    clamp,
    first_states,
    half_means,
    inputs_at,
    run_chain,
)


@first_states.register
def _(model: Bipartite, params: BipartiteParameters, activity: Any, n_rows: int, key: Key) -> Array:
    """The visible states."""
    rest = model.hidden_at_rest(params)

    def inputs(h: Array) -> Array:
        return model.visible_input(params, h)

    received = inputs_at(activity, rest, inputs)
    return model.visible.sample(params.visible, np.tile(received, (n_rows, 1)), key)


class Chains(NamedTuple):
    """States of independent chains: `v` (chains, n_visible) and the `h` (chains, n_hidden) it was drawn from."""

    v: Array
    h: Array


def block_gibbs(
    model: Bipartite | ColumnModel,
    params: Any,
    v: Array,
    key: Key,
    n_steps: int,
    *,
    beta: float = 1.0,
    given: Array | None = None,
    trace: Array | None = None,
) -> Chains:
    """Walk `n_steps` from the visible states `v` (chains, n_visible), which are not modified.

    Parameters
    ----------
    model, params : Bipartite or ColumnModel, and its parameters
        The distribution to sample from.
    v : ndarray of shape (chains, n_visible)
        Where the chains start.
    key : Key
        Step t draws from ``fold(key, 2 t)`` and ``fold(key, 2 t + 1)``.
    n_steps : int
        Full steps, each renewing h and then v; at least 1.
    beta : float
        Inverse temperature.
    given : ndarray of shape (chains, n_visible), optional
        NaN where a visible unit is free; other entries are clamped, bit for bit.
    trace : ndarray of shape (chains, n_steps), optional
        Is filled with beta F(v) after each step.

    Returns
    -------
    Chains
        The last h, and the v drawn from it.
    """
    v = clamp(v, given)
    h = np.empty((len(v), model.shape(params)[1]), v.dtype)
    for step in range(n_steps):
        h = model.sample_hidden(params, v, fold(key, 2 * step), beta)
        v = clamp(model.sample_visible(params, h, fold(key, 2 * step + 1), beta), given)
        if trace is not None:
            trace[:, step] = beta * model.free_energy(params, v, beta)
    return Chains(v, h)


@run_chain.register
def _(
    model: Bipartite,
    params: BipartiteParameters,
    x: Array,
    key: Key,
    n_steps: int,
    *,
    beta: float = 1.0,
    given: Array | None = None,
    trace: Array | None = None,
) -> Array:
    """The visible states at the end of :func:`block_gibbs`."""
    return block_gibbs(model, params, x, key, n_steps, beta=beta, given=given, trace=trace).v


@half_means.register
def _(
    model: Bipartite,
    params: BipartiteParameters,
    v: Array,
    key: Key,
    n_steps: int,
    given: Array,
    *,
    beta: float = 1.0,
) -> tuple[Array, Array]:
    """E[v | h] is averaged."""
    state = clamp(v, given)

    def once(half: int, step: int) -> Array:
        nonlocal state
        keys = fold(key, half)
        h = model.sample_hidden(params, state, fold(keys, 2 * step), beta)
        inputs = model.visible_input(params, h)
        drawn = model.visible.sample(params.visible, inputs, fold(keys, 2 * step + 1), beta)
        state = clamp(drawn, given)
        return model.visible.mean(params.visible, inputs, beta)

    return averaged_halves(n_steps, once, given, v.dtype)
