"""Averages over short chains of the unknown units of rows, given the known ones.

Chains of a row start independently. After `burn_in` sweeps, a function of the states is averaged over some more sweeps
and over the chains. Many short chains beat one long chain: they differ in their starts, and all of them count.
"""

from collections.abc import Callable

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold
from ebm.energies.columns import ColumnModel
from ebm.energies.layers import LayeredParameters
from ebm.samplers import run_chain
from ebm.samplers.base import clamp, first_states

# Numbers in the states of chains that are advanced together.
STATES = 1 << 21

# States of the visible units, and the inputs from which the next states are drawn -> numbers of each chain.
OfStates = Callable[[Array, Array], Array]


def along_chains(
    model: ColumnModel,
    params: LayeredParameters,
    given: Array,
    key: Key,
    function: OfStates,
    n_chains: int = 12,
    burn_in: int = 20,
    n_sweeps: int = 5,
) -> Array:
    """The average of a function along chains with the `given` entries (rows, n_visible) clamped, NaN being unknown.

    Parameters
    ----------
    model, params : ColumnModel, LayeredParameters
    given : ndarray of shape (rows, n_visible)
    key : Key
    function : callable
        Visible states (chains, n_visible) and their conditional means given the hidden units (chains, n_visible) ->
        numbers (chains, n_numbers). The states are draws from the distribution with these means, with the given entries
        in their places.
    n_chains, burn_in, n_sweeps : int
        Chains of each row, sweeps before the average, and sweeps of it.

    Returns
    -------
    average : ndarray of shape (rows, n_numbers)
    """
    step = max(1, STATES // (n_chains * sum(model.shape(params))))
    blocks = []
    for number, first in enumerate(range(0, len(given), step)):
        rows = np.repeat(given[first : first + step], n_chains, axis=0)
        total = _summed(model, params, rows, fold(key, number), function, burn_in, n_sweeps)
        blocks.append(total.reshape(-1, n_chains, total.shape[1]).mean(axis=1) / n_sweeps)
    return np.concatenate(blocks)


def _summed(
    model: ColumnModel,
    params: LayeredParameters,
    given: Array,
    key: Key,
    function: OfStates,
    burn_in: int,
    n_sweeps: int,
) -> Array:
    """The sum of the function over the sweeps after `burn_in`, for each of the chains."""
    v = clamp(first_states(model, params, None, len(given), fold(key, 0)), given)
    if burn_in:
        v = run_chain(model, params, v, fold(key, 1), burn_in, given=given)
    layer_params, total = model.visible_parameters(params), np.zeros(1)
    for sweep in range(n_sweeps):
        h = model.sample_hidden(params, v, fold(key, 2 + 2 * sweep))
        inputs = model.visible_input(params, h)
        v = clamp(model.visible.sample(layer_params, inputs, fold(key, 3 + 2 * sweep)), given)
        total = total + function(v, model.visible.mean(layer_params, inputs))
    return total
