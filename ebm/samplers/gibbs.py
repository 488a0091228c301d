"""Gibbs sampling of pairwise models: one unit after the other, given all others as they are.

    s_i ~ p(s_i | all others),    log-odds of the higher state:  beta (high - low) (f_i + b_i),  f = J s

Each visit leaves p(s) unchanged, whatever the order of the visits, as long as it does not depend on the states:

- ``"cyclic"``: all units in their order, over and over;
- ``"random"``: all units in a fresh random order each sweep;
- ``"glauber"``: units drawn independently, n of them making a sweep: the dynamics of Glauber (1963), in which a flip
  has the probability 1 / (1 + exp(beta dE)).

Rows are independent chains that visit the units in one common order. Units held at given values (*clamped*) are passed
over, so that the others are sampled from their law given those values.
"""

import numpy as np

from ebm._checks import Array
from ebm._random import Key, choices, fold, permutation
from ebm.energies.pairwise import Pairwise, PairwiseParameters, finite_beta
from ebm.energies.pairwise_path import swept
from ebm.samplers.base import clamp, conditional_mean, walk

VISITS = ("cyclic", "random", "glauber")
# Numbers of the draws that say in which order: beyond those of the states.
ORDER = 1 << 40


def gibbs(
    model: Pairwise,
    params: PairwiseParameters,
    s: Array,
    key: Key,
    n_sweeps: int,
    *,
    beta: float = 1.0,
    given: Array | None = None,
    visit: str = "cyclic",
    trace: Array | None = None,
) -> Array:
    """Sweep `n_sweeps` times from the states `s` (chains, n_units), which are not modified.

    Parameters
    ----------
    model, params : Pairwise, PairwiseParameters
        The law to sample from.
    s : ndarray of shape (chains, n_units)
        Where the chains start.
    key : Key
        Sweep t draws from ``fold(key, t)``.
    n_sweeps : int
        Sweeps; each visits as many units as there are, or as are free in some chain.
    beta : float
        Inverse temperature.
    given : ndarray of shape (chains, n_units), optional
        NaN where a unit is free; other entries are clamped, bit for bit.
    visit : {"cyclic", "random", "glauber"}
        In which order.
    trace : ndarray of shape (chains, n_sweeps), optional
        Is filled with beta E(s) after each sweep.

    Returns
    -------
    ndarray of shape (chains, n_units)
    """
    units = visited(params, given)
    dtype = params.J.dtype
    gain = dtype.type(finite_beta(params, beta))
    law = np.array([gain]), (gain * params.bias)[np.newaxis]
    s = clamp(s, given)
    for t in range(n_sweeps):
        order = visits(units, visit, fold(key, ORDER + t))
        s = swept(model, params.J, law, s, order, fold(key, t), given=given)
        if trace is not None:
            trace[:, t] = beta * model.energy(params, s)
    return s


@walk.register
def _(
    model: Pairwise,
    params: PairwiseParameters,
    x: Array,
    key: Key,
    n_steps: int,
    *,
    beta: float = 1.0,
    given: Array | None = None,
    trace: Array | None = None,
) -> Array:
    """Cyclic sweeps."""
    return gibbs(model, params, x, key, n_steps, beta=beta, given=given, trace=trace)


@conditional_mean.register
def _(
    model: Pairwise,
    params: PairwiseParameters,
    s: Array,
    key: Key,
    n_steps: int,
    given: Array,
    *,
    beta: float = 1.0,
) -> Array:
    """The mean of each unit given all others is averaged."""
    burn_in = n_steps // 2
    if burn_in:
        s = gibbs(model, params, s, fold(key, 0), burn_in, beta=beta, given=given)
    s, total, own = clamp(s, given), np.zeros(s.shape), model.own(params.bias)
    for step in range(n_steps - burn_in):
        s = gibbs(model, params, s, fold(fold(key, 1), step), 1, beta=beta, given=given)
        total += model.unit.mean(own, model.inputs(params, s), beta)
    return clamp((total / (n_steps - burn_in)).astype(s.dtype), given)


def visited(params: PairwiseParameters, given: Array | None) -> Array:
    """Numbers of the units that are free in some chain."""
    if given is None:
        return np.arange(len(params.bias))
    return np.flatnonzero(np.isnan(given).any(axis=0))


def visits(units: Array, visit: str, key: Key) -> Array:
    """One sweep's order of the `units`."""
    if visit == "cyclic":
        return units
    draw = {"random": permutation, "glauber": choices}.get(visit)
    if draw is None:
        raise ValueError(f"visit must be one of {VISITS}. Got {visit!r} instead.")
    order: Array = units[draw(key, len(units))]
    return order
