"""Likelihoods of pairwise models that need no sampling: exact ones, and the pseudo-likelihood.

The pseudo-log-likelihood (Besag 1975) of a row of visible units, the hidden ones summed out,

    sum_i log p(v_i | v without v_i) = -sum_i log(1 + exp(beta [F(v) - F(flip_i v)])).

Without hidden units the free energy is the energy, and a flip from v_i to low + high - v_i = v_i + d_i changes it by
-d_i (b_i + sum_j J_ij v_j): all flips of all rows are one matrix product. Values between the two states are flipped,
too, as in :mod:`ebm.likelihood.pseudo_likelihood`.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from ebm._arrays import is_sparse
from ebm._checks import Array
from ebm._flat import in_double
from ebm._random import Key
from ebm.energies.couplings import dense_couplings
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import (
    hidden_summation,
    is_summed_at_once,
    pairwise_free_energy,
    pairwise_log_partition,
)
from ebm.energies.summation import A_ROW, can_sum
from ebm.inference.pairwise_mean_field import mean_field_log_sums
from ebm.likelihood.base import LogPartition
from ebm.likelihood.clamped import annealed_free_energy
from ebm.likelihood.exact import exact_log_partition
from ebm.likelihood.free_energy import estimated_free_energy, free_energy
from ebm.likelihood.partition import can_be_exact
from ebm.likelihood.pseudo_likelihood import pseudo_log_likelihood

# Units of a sparse matrix up to which it is found out whether few of them have to be enumerated.
MOST_EXAMINED = 5000
# Numbers in a block of rows: 2 MB.
BLOCK_NUMBERS = 1 << 18


def exact_pairwise_log_partition(
    model: Pairwise, params: PairwiseParameters, *, beta: float = 1.0, n_jobs: int | None = None
) -> LogPartition:
    """:func:`~ebm.energies.pairwise_sums.pairwise_log_partition`, with its error: none."""
    value = pairwise_log_partition(model, params, beta=beta, n_jobs=n_jobs)
    return LogPartition(value, 0.0, (value, value), "exact")


def exact_pairwise_log_likelihood(
    model: Pairwise, params: PairwiseParameters, v: Array, *, beta: float = 1.0
) -> Array:
    """Log p(v) = -beta F(v) - log Z of each row of `v` (rows, n_visible): -> (rows,) in double precision."""
    log_z = pairwise_log_partition(model, params, beta=beta)
    return -beta * pairwise_free_energy(model, params, v, beta=beta) - log_z


def pairwise_pseudo_log_likelihood(
    model: Pairwise, params: PairwiseParameters, v: Array, *, beta: float = 1.0
) -> Array:
    """Pseudo-log-likelihood of each row, in nats, deterministic.

    Parameters
    ----------
    model, params : Pairwise, PairwiseParameters
    v : ndarray of shape (rows, n_visible)
    beta : float
        Inverse temperature.

    Returns
    -------
    ndarray of shape (rows,)
        In double precision.

    Notes
    -----
    One matrix product without hidden units. With them, one sum over their states for every row and visible unit. Where
    more than 20 hidden units would have to be enumerated, it is that of the variational free energy of naive mean field
    (:mod:`ebm.inference.pairwise_mean_field`): deterministic still, no longer exact.
    """
    params, out = in_double(params), np.empty(len(v))
    step = max(1, BLOCK_NUMBERS // max(1, len(params.bias)))
    for start in range(0, len(v), step):
        rows = v[start : start + step].astype(np.float64)
        out[start : start + step] = _scores(model, params, rows, float(beta))
    return out


def _hidden_sums(
    model: Pairwise, params: PairwiseParameters, beta: float
) -> Callable[[Array], Array]:
    """The function from fields (rows, n_hidden) to log sum_h exp(-beta E(h)): exact, or the bound of mean field."""
    if can_sum_out(model, params):
        return hidden_summation(model, params, beta).log_sums
    n = len(params.bias) - model.n_hidden
    J, hidden = np.ascontiguousarray(dense_couplings(params.J[n:, n:])), Pairwise(model.unit)
    return partial(mean_field_log_sums, hidden, J, beta)


def can_sum_out(model: Pairwise, params: PairwiseParameters) -> bool:
    """Whether free energies are exact: few enough hidden units have to be enumerated, or their couplings are sparse."""
    n = len(params.bias) - model.n_hidden
    return can_sum(params.J[n:, n:], A_ROW)


def _scores(model: Pairwise, params: PairwiseParameters, v: Array, beta: float) -> Array:
    low, high = model.unit.states or ()
    n = v.shape[1]
    step = low + high - 2 * v
    # beta (F(v) - F(flip_i v)), first of the visible units on their own.
    gain = beta * step * (v @ params.J[:n, :n] + params.bias[:n])
    if model.n_hidden:
        sums, fields = _hidden_sums(model, params, beta), model.given_visible(params, v)
        before, across = sums(fields), dense_couplings(params.J[:n, n:])
        for i in range(n):
            gain[:, i] += sums(fields + step[:, i, np.newaxis] * across[i]) - before
    scores: Array = -np.logaddexp(0, gain).sum(axis=1)
    return scores


@free_energy.register
def _(model: Pairwise, params: PairwiseParameters, v: Array, beta: float = 1.0) -> Array:
    return pairwise_free_energy(model, params, v, beta=beta)


@estimated_free_energy.register
def _(
    model: Pairwise, params: PairwiseParameters, v: Array, key: Key, n_jobs: int | None = None
) -> tuple[Array, Array]:
    if can_sum_out(model, params):
        return pairwise_free_energy(model, params, v, n_jobs=n_jobs), np.zeros(len(v))
    return annealed_free_energy(model, params, v, key, n_jobs)


@pseudo_log_likelihood.register
def _(model: Pairwise, params: PairwiseParameters, v: Array) -> Array:
    return pairwise_pseudo_log_likelihood(model, params, v)


@exact_log_partition.register
def _(
    model: Pairwise, params: PairwiseParameters, *, beta: float = 1.0, n_jobs: int | None = None
) -> LogPartition:
    return exact_pairwise_log_partition(model, params, beta=beta, n_jobs=n_jobs)


@can_be_exact.register
def _(model: Pairwise, params: PairwiseParameters) -> bool:
    if is_sparse(params.J) and len(params.bias) > MOST_EXAMINED:
        return False
    return is_summed_at_once(model, params)
