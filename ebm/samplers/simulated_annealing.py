"""Simulated annealing (Kirkpatrick, Gelatt & Vecchi 1983): states of low energy, by cooling.

    for beta in a rising schedule:  one sweep at the inverse temperature beta
    at the end:                     sweeps at zero temperature until nothing moves

Where cooling is slow enough a chain ends in a state of lowest energy with a probability that tends to one (Geman &
Geman 1984). With a practical schedule it ends in a local minimum, whose energy no single flip lowers: take the best of
several chains.

A sweep visits the units in an order that is drawn once, and each flips with the probability min(1, exp(-beta dE))
(Metropolis et al. 1953). On glasses that finds lower energies in as many sweeps than a heat bath, which refuses every
second flip that costs nothing, or than a new order for every sweep. In the order of their numbers, flips that cost
nothing would push the walls between domains of a chain ahead of them, and these would never meet.
"""

from typing import NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._kernels.sweeps import METROPOLIS, THRESHOLD
from ebm._random import Key, Reserved, fold
from ebm.energies.couplings import fastest, visit
from ebm.energies.pairwise import Pairwise, PairwiseParameters, field_rounding
from ebm.samplers.base import clamp
from ebm.samplers.gibbs import sweep_at, visited, visits

# At the hottest, exp(-beta dE) of the flip that costs most is one half; at the coldest, that of a small flip is 1/100.
HOT, COLD = np.log(2), np.log(100)
# Of the spread of a unit's field over random states, the part that counts as a small field.
SMALL_FIELD = 0.25


class Annealed(NamedTuple):
    """Local minima of the energy: states `s` (chains, n_units), and their `energies` (chains,).

    In ascending order of the energies, unless the chains were given different values.
    """

    s: Array
    energies: Array


def simulated_annealing(
    model: Pairwise,
    params: PairwiseParameters,
    s: Array,
    key: Key,
    betas: Array,
    given: Array | None = None,
) -> Annealed:
    """Cool the chains `s` (chains, n_units), which are not modified, through the inverse temperatures `betas`.

    Parameters
    ----------
    model, params : Pairwise, PairwiseParameters
    s : ndarray of shape (chains, n_units)
        Values between the two states are taken for the nearer one.
    key : Key
        The sweep at ``betas[t]`` draws from ``fold(key, t)``, the order of all sweeps from that of
        :attr:`ebm._random.Reserved.VISIT_ORDER`.
    betas : ndarray of shape (n_sweeps,)
    given : ndarray of shape (chains, n_units), optional
        NaN where a unit is free; other entries are clamped.

    Returns
    -------
    Annealed
    """
    params = params._replace(J=fastest(params.J))
    betas = np.asarray(betas, np.float64)
    low, high = model.unit.states or ()
    s = clamp(np.where(s > (low + high) / 2, high, low).astype(s.dtype), given)
    order = visits(visited(params, given), "random", fold(key, Reserved.VISIT_ORDER.number))
    s = sweep_at(model, params, s, betas, key, given, order, rule=METROPOLIS)
    s = _quench(model, params, clamp(s, given), given)
    energies = model.energy(params, s)
    if given is not None and not np.array_equal(given[1:], given[:-1], equal_nan=True):
        return Annealed(s, energies)
    order = np.argsort(energies, kind="stable")
    return Annealed(s[order], energies[order])


def temperature_range(model: Pairwise, params: PairwiseParameters) -> tuple[float, float]:
    """The inverse temperatures (hot, cold) between which the units of a model freeze.

    In a random state the flip of unit i changes the energy by c_i + x_i, where, for states m - g/2 and m + g/2,

        c_i = g (m sum_j J_ij + b_i),     |x_i| <= g^2/2 sum_j |J_ij|,     <x_i^2> = g^4/4 sum_j J_ij^2.

    Hot is log(2) over the largest of |c_i| + max |x_i|, cold log(100) over a quarter of the smallest of
    sqrt(c_i^2 + <x_i^2>) that is not zero: energies of another unit change nothing. (0.1, 10) where no flip changes the
    energy.
    """
    low, high = model.unit.states or ()
    gap, middle = high - low, (low + high) / 2
    signed, bias = fastest(params.J).astype(np.float64), params.bias.astype(np.float64)
    size = _magnitude(max(abs(signed).max(), abs(bias).max()))
    signed, bias = signed / size, bias / size
    J = abs(signed)
    center = gap * (middle * np.asarray(signed.sum(axis=1)) + bias)
    largest = np.abs(center) + gap**2 / 2 * np.asarray(J.sum(axis=1))
    spread = np.sqrt(center**2 + gap**4 / 4 * np.asarray((J * J).sum(axis=1)))
    felt = spread > 1e-9 * spread.max(initial=0)
    if not felt.any():
        return 0.1, 10.0
    hot, cold = HOT / largest.max(), COLD / (SMALL_FIELD * spread[felt].min())
    return float(hot / size), float(cold / size)


def _magnitude(largest: float) -> float:
    """The power of two below `largest`, or 1: squares of numbers that are divided by it do not overflow."""
    return float(np.ldexp(1.0, np.frexp(largest)[1] - 1)) if largest > 0 else 1.0


def _quench(model: Pairwise, params: PairwiseParameters, s: Array, given: Array | None) -> Array:
    """Flip units until no flip lowers the energy."""
    states, dtype = np.array(s.T, params.J.dtype, order="C"), params.J.dtype
    free = np.zeros((0, 0), bool) if given is None else np.ascontiguousarray(np.isnan(given).T)
    low, high = model.unit.states or ()
    law = np.ones(1, dtype), np.stack([params.bias, field_rounding(params)]), low, high
    units, moved = visited(params, given), np.ones(len(s), dtype)
    while moved.any():  # every move lowers the energy: there are finitely many
        moved[:] = 0
        visit(params.J, law, THRESHOLD, states, units, free, (0, 0, 0), moved)
    return clamp(np.ascontiguousarray(states.T), given)
