"""Simulated annealing (Kirkpatrick, Gelatt & Vecchi 1983): states of low energy, by cooling.

    for beta in a rising schedule:  one Gibbs sweep at the inverse temperature beta
    at the end:                     sweeps at zero temperature until nothing moves

Where cooling is slow enough a chain ends in a state of lowest energy with a probability that tends to one (Geman &
Geman 1984). With any affordable schedule it ends in a local minimum, from which no single flip leads down: take the
best of several chains.
"""

from typing import NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._kernels.sweeps import THRESHOLD
from ebm._random import Key, fold
from ebm.energies.couplings import fastest, visit
from ebm.energies.pairwise import Pairwise, PairwiseParameters, field_rounding
from ebm.samplers.base import clamp
from ebm.samplers.gibbs import ORDER, sweep_at, visited


class Cooled(NamedTuple):
    """Local minima of the energy: states `s` (chains, n_units), and their `energies` (chains,).

    In ascending order of the energies, unless the chains were given different values.
    """

    s: Array
    energies: Array


def cool(
    model: Pairwise,
    params: PairwiseParameters,
    s: Array,
    key: Key,
    betas: Array,
    given: Array | None = None,
) -> Cooled:
    """Cool the chains `s` (chains, n_units), which are not modified, through the inverse temperatures `betas`.

    Parameters
    ----------
    model, params : Pairwise, PairwiseParameters
    s : ndarray of shape (chains, n_units)
    key : Key
        The sweep at ``betas[t]`` draws from ``fold(key, t)``.
    betas : ndarray of shape (n_sweeps,)
    given : ndarray of shape (chains, n_units), optional
        NaN where a unit is free; other entries are clamped.

    Returns
    -------
    Cooled
    """
    betas = np.asarray(betas, np.float64)
    keys = [fold(key, t) for t in range(len(betas))]
    draws, orders = (np.array([fold(k, n) for k in keys]).reshape(-1, 2) for n in (0, ORDER))
    s = sweep_at(model, params, s, betas, (draws, orders), given, "random")
    s = _quench(model, params, clamp(s, given), given)
    energies = model.energy(params, s)
    if given is not None and not np.array_equal(given[1:], given[:-1], equal_nan=True):
        return Cooled(s, energies)
    order = np.argsort(energies, kind="stable")
    return Cooled(s[order], energies[order])


def _quench(model: Pairwise, params: PairwiseParameters, s: Array, given: Array | None) -> Array:
    """Turn units downhill until none is left that lowers the energy."""
    states, dtype = np.array(s.T, params.J.dtype, order="C"), params.J.dtype
    free = np.zeros((0, 0), bool) if given is None else np.ascontiguousarray(np.isnan(given).T)
    low, high = model.unit.states or ()
    law = np.ones(1, dtype), np.stack([params.bias, field_rounding(params)]), low, high
    units, moved = visited(params, given), np.ones(len(s), dtype)
    J = fastest(params.J)
    while moved.any():  # every move lowers the energy: there are finitely many
        moved[:] = 0
        visit(J, law, THRESHOLD, states, units, free, (0, 0, 0), moved)
    return clamp(np.ascontiguousarray(states.T), given)
