"""Unlearning by dreaming (Hopfield, Feinstein & Palmer 1983).

A dream: from a random state, recall at temperature zero ends in some fixed point s. With many patterns that is mostly a
mixture of several, for those have the wider basins. Unlearning weakens what was dreamt of,

    J <- J - (epsilon / N) (s s' - 1),

and with it the mixtures more than the patterns: spurious states become rarer, the basins of the patterns more even, and
Hebb's rule stores more. Too many dreams unlearn the patterns too.
"""

from typing import NamedTuple

import numpy as np

from ebm._checks import Array, check_integer, check_real
from ebm._random import Key, fold, uniform
from ebm.energies.couplings import dense_couplings
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.inference.recall import recall
from ebm.storage.base import Memory
from ebm.units import Spin


class Dreams(NamedTuple):
    """The fixed points `states` (n_dreams, n_units) that were reached, and the parameters after unlearning them."""

    states: Array
    params: PairwiseParameters


def dream(
    model: Pairwise,
    params: PairwiseParameters,
    key: Key,
    *,
    n_dreams: int,
    rate: float,
    max_sweeps: int = 300,
) -> Dreams:
    """Dream and unlearn, `n_dreams` times.

    Parameters
    ----------
    model : Pairwise
        Of spins; its mask is kept.
    params : PairwiseParameters
        Is not modified.
    key : Key
        Dream d starts and settles with ``fold(key, d)``.
    n_dreams : int
        Count.
    rate : float
        epsilon / N: what a dream takes away from each coupling, in absolute value.
    max_sweeps : int
        Sweeps after which a dream ends in any case.

    Returns
    -------
    Dreams

    Raises
    ------
    ValueError
        If the units are no spins, a count is not a positive integer, or the rate not a positive number.
    """
    if not isinstance(model.unit, Spin):
        raise ValueError(f"Unlearning is for Spin units. Got {model.unit!r}.")
    n_dreams = check_integer(n_dreams, "n_dreams")
    rate = check_real(rate, "rate", open_low=True)
    J, n = dense_couplings(params.J).copy(), len(params.bias)
    states = np.empty((n_dreams, n), J.dtype)
    for d in range(n_dreams):
        layer_params = fold(key, d)
        start = np.where(uniform(fold(layer_params, 0), n) < 0.5, -1, 1).astype(J.dtype)
        end = recall(
            model,
            params._replace(J=J),
            start[np.newaxis],
            fold(layer_params, 1),
            max_sweeps=max_sweeps,
        )
        states[d] = end.states[0]
        J -= J.dtype.type(rate) * np.outer(states[d], states[d])
        model.joined(J)
    return Dreams(states, params._replace(J=J))


def unlearn(memory: Memory, states: Array, rate: float) -> Memory:
    """`memory` without rate s s' for each of the `states` (rows, n_units) of spins; it is not modified."""
    s = np.asarray(states, np.float64)
    gone = rate * (s.T @ s)
    before = memory.unlearned
    return memory._replace(unlearned=gone if before is None else before + gone)
