"""Block Gibbs sampling of layered models: all odd layers given the even ones, then all even layers given the odd ones.

    x_odd ~ p(x_odd | x_even),   x'_even ~ p(x_even | x_odd)

Each half leaves p(x) at its inverse temperature unchanged. Layers and single units may be held at given values
(*clamped*): the chain then samples the others' distribution given those values. Rows are independent chains. With two
layers the states are those of :mod:`ebm.samplers.block_gibbs`, number for number.
"""

from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.energies.side_by_side import layer_key
from ebm.samplers.base import (
    averaged_halves,
    clamp,
    first_states,
    half_means,
    inputs_at,
    run_chain,
)


class Colors(NamedTuple):
    """States of independent chains, (chains, units) of each color: the odd ones, and the even ones drawn from them."""

    even: Array
    odd: Array


def layered_gibbs(
    model: LayeredModel,
    params: LayeredParameters,
    even: Array,
    key: Key,
    n_steps: int,
    *,
    beta: float = 1.0,
    given: dict[int, Array] | None = None,
    trace: Array | None = None,
) -> Colors:
    """Walk `n_steps` from the states `even` (chains, units), which are not modified.

    Parameters
    ----------
    model, params : LayeredModel, LayeredParameters
        The distribution to sample from.
    even : ndarray of shape (chains, units)
        States of the even layers, side by side, where the chains start.
    key : Key
        Step t draws from ``fold(key, 2 t)`` and ``fold(key, 2 t + 1)``.
    n_steps : int
        Full steps, each renewing the odd and then the even layers; at least 1.
    beta : float
        Inverse temperature.
    given : dict of int to ndarray of shape (chains, units), optional
        States of layers, by their numbers: NaN where a unit is free; other entries are clamped, bit for bit.
    trace : ndarray of shape (chains, n_steps), optional
        Is filled with beta F(x_even) after each step.

    Returns
    -------
    Colors
        The last odd states, and the even ones drawn from them.
    """
    held = _held(model, params, given or {}, len(even))
    even = clamp(even, held[EVEN])
    odd = model.nothing(params, ODD, len(even))
    for step in range(n_steps):
        drawn = model.sample(params, ODD, even, fold(key, 2 * step), beta)
        odd = clamp(drawn, held[ODD])
        drawn = model.sample(params, EVEN, odd, fold(key, 2 * step + 1), beta)
        even = clamp(drawn, held[EVEN])
        if trace is not None:
            trace[:, step] = beta * model.color_free_energy(params, EVEN, even, beta)
    return Colors(even, odd)


def independent_chains(
    model: LayeredModel, params: LayeredParameters, n_rows: int, key: Key
) -> Array:
    """States of chains to start from (n_rows, units): the even layers drawn given the odd ones at rest."""
    nothing = model.nothing(params, ODD, n_rows)
    odd = model.sides[ODD].mean(model.layer_params(params, ODD), nothing)
    return model.chain_states(model.sample(params, EVEN, odd, key), odd)


@first_states.register
def _(
    model: LayeredModel, params: LayeredParameters, activity: Any, n_rows: int, key: Key
) -> Array:
    """The even layers, driven by the mean activity of the odd ones; visible layers that are odd given these."""
    rest = model.sides[ODD].mean(model.layer_params(params, ODD), model.nothing(params, ODD))[0]

    def inputs(odd: Array) -> Array:
        return model.inputs_from(params, EVEN, odd)

    received = np.tile(inputs_at(activity, rest, inputs), (n_rows, 1))
    even = model.sides[EVEN].sample(model.layer_params(params, EVEN), received, key)
    if all(model.places[k].color == EVEN for k in model.shown):
        return model.chain_states(even, np.tile(rest, (n_rows, 1)))
    return model.chain_states(
        even, model.sample(params, ODD, even, layer_key(key, len(model.layers)))
    )


def chains_at(
    model: LayeredModel, params: LayeredParameters, v: Array, key: Key, beta: float = 1.0
) -> Array:
    """States of chains at rows of data `v` (rows, n_visible): one step of all hidden layers, which start at rest."""
    x = independent_chains(model, params, len(v), fold(key, 0))
    beside = np.full((len(v), model.n_hidden_walked), np.nan, v.dtype)
    return run_chain(model, params, x, fold(key, 1), 1, beta=beta, given=np.hstack([v, beside]))


def _held(
    model: LayeredModel, params: LayeredParameters, given: dict[int, Array], n_rows: int
) -> list[Array | None]:
    """Values of each color that are clamped, NaN where units are free; None where all of them are."""
    held: list[Array | None] = []
    for color in (EVEN, ODD):
        free = np.full_like(model.nothing(params, color, n_rows), np.nan)
        some = any(model.places[k].color == color for k in given)
        held.append(model.colored(color, given, free) if some else None)
    return held


@run_chain.register
def _(
    model: LayeredModel,
    params: LayeredParameters,
    x: Array,
    key: Key,
    n_steps: int,
    *,
    beta: float = 1.0,
    given: Array | None = None,
    trace: Array | None = None,
) -> Array:
    """Of states of chains: rows of data, and the even hidden layers beside them."""
    even = model.colored(EVEN, model.split(x), model.nothing(params, EVEN, len(x)))
    clamped = None if given is None else model.split(given)
    found = layered_gibbs(model, params, even, key, n_steps, beta=beta, given=clamped, trace=trace)
    return model.chain_states(*found)


@half_means.register
def _(
    model: LayeredModel,
    params: LayeredParameters,
    x: Array,
    key: Key,
    n_steps: int,
    given: Array,
    *,
    beta: float = 1.0,
) -> tuple[Array, Array]:
    """The means of each color given the other one are averaged."""
    held = _held(model, params, model.split(given), len(x))
    even = model.colored(EVEN, model.split(x), model.nothing(params, EVEN, len(x)))
    even = clamp(even, held[EVEN])
    shows_odd = any(model.places[k].color == ODD for k in model.shown)

    def once(half: int, step: int) -> Array:
        nonlocal even
        keys = fold(key, half)
        odd = clamp(model.sample(params, ODD, even, fold(keys, 2 * step), beta), held[ODD])
        inputs = model.inputs_from(params, EVEN, odd)
        layer_params, side = model.layer_params(params, EVEN), model.sides[EVEN]
        drawn = side.sample(layer_params, inputs, fold(keys, 2 * step + 1), beta)
        means = model.mean(params, ODD, even, beta) if shows_odd else odd
        even = clamp(drawn, held[EVEN])
        return model.chain_states(side.mean(layer_params, inputs, beta), means)

    return averaged_halves(n_steps, once, given, x.dtype)
