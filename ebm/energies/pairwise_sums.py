"""Exact sums over the states of a pairwise model: log Z, free energies, moments.

With the visible units v clamped, the hidden ones are a group of units (:mod:`ebm.energies.groups`) with the couplings
J_hh and the fields f = J_hv v + b_h, and

    F(v) = -1/2 v'J_vv v - b_v'v - A(f) / beta,        p(v) = exp(-beta F(v)) / Z(beta).

Without clamped units, log Z = A(b) of all of them. The limits are on units that have to be enumerated, after as many
unconnected units as possible have been summed out in closed form. For sparse couplings they are on the tables that are
left when one unit is summed out after the other (:mod:`ebm.energies.summation`).
"""

from typing import NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._flat import in_double
from ebm.energies.couplings import dense_couplings
from ebm.energies.groups import Group, group, independent_units, moments
from ebm.energies.kaufman import zero_field_log_partition
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.states import MAX_ENUMERATED
from ebm.energies.summation import (
    A_ROW,
    ON_REQUEST,
    UNASKED,
    Summation,
    can_sum,
    elimination_work,
    summation,
)

# Numbers that moments may evaluate unasked, by elimination; and the log-odds by which a unit is held in one state.
QUICK_MOMENTS, PINNED = 2.0**27, 700.0


class PairwiseMoments(NamedTuple):
    """Averages of the states of all units.

    Attributes
    ----------
    mean : ndarray of shape (n_units,)
        <s>.
    correlations : ndarray of shape (n_units, n_units)
        <ss'>, from which the product of the means is not taken off.
    """

    mean: Array
    correlations: Array

    @property
    def covariance(self) -> Array:
        """<ss'> - <s><s>', the connected correlations."""
        connected: Array = self.correlations - np.outer(self.mean, self.mean)
        return connected


def pairwise_log_partition(
    model: Pairwise, params: PairwiseParameters, *, beta: float = 1.0, n_jobs: int | None = None
) -> float:
    """Log Z(beta): of at most 25 units that have to be enumerated, or by tables of at most 24 units, or in closed form.

    Parameters
    ----------
    model, params : Pairwise, PairwiseParameters
    beta : float
        Inverse temperature.
    n_jobs : int, optional
        Threads, in joblib's sense; the value does not depend on it.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        When that takes more units.

    Notes
    -----
    Units that are connected all to all are enumerated (:mod:`ebm.energies.groups`), others are eliminated one after the
    other (:mod:`ebm.energies.elimination`): an open square of 16 x 16 takes 0.1 s, of 18 x 18 half a second. Uniform
    tori without fields have a closed form (:mod:`ebm.energies.kaufman`).
    """
    J, bias = in_double(params)
    J = dense_couplings(J)
    closed = zero_field_log_partition(model.unit, J, bias, float(beta))
    if closed is not None:
        return closed
    everything = summation(model.unit, J, float(beta), ON_REQUEST, "units")
    return float(everything.log_sums(bias[np.newaxis], n_jobs)[0])


def is_summed_at_once(model: Pairwise, params: PairwiseParameters) -> bool:
    """Whether log Z takes seconds at most: with 20 units instead of the 25 or 24 of :func:`pairwise_log_partition`."""
    J, bias = in_double(params)
    J = dense_couplings(J)
    closed = zero_field_log_partition(model.unit, J, bias, 1.0)
    return closed is not None or can_sum(J, UNASKED)


def hidden_group(model: Pairwise, params: PairwiseParameters, beta: float) -> Group:
    """The hidden units; ValueError if more than 20 of them would have to be enumerated."""
    n = len(params.bias) - model.n_hidden
    return group(model.unit, params.J[n:, n:], float(beta), A_ROW.enumerated, "hidden units")


def hidden_summation(model: Pairwise, params: PairwiseParameters, beta: float) -> Summation:
    """Sums over the hidden units; ValueError if 20 would have to be enumerated, or be in a table of more than 16."""
    n = len(params.bias) - model.n_hidden
    return summation(model.unit, params.J[n:, n:], float(beta), A_ROW, "hidden units")


def pairwise_free_energy(
    model: Pairwise,
    params: PairwiseParameters,
    v: Array,
    *,
    beta: float = 1.0,
    n_jobs: int | None = None,
) -> Array:
    """F(v) of each row of `v` (rows, n_visible): -> (rows,) in double precision.

    In closed form where no two hidden units are connected, else with at most 20 of them enumerated, or eliminated by
    tables of at most 16; the energy itself without hidden units. Parameters and errors as those of
    :func:`pairwise_log_partition`.
    """
    params, v = in_double(params), v.astype(np.float64)
    energy = visible_energy(params, v)
    if not model.n_hidden:
        return energy
    hidden = hidden_summation(model, params, beta)
    return energy - hidden.log_sums(model.given_visible(params, v), n_jobs) / beta


def visible_energy(params: PairwiseParameters, v: Array) -> Array:
    """-1/2 v'J_vv v - b_v'v: what the visible units make of the energy on their own."""
    n = v.shape[1]
    J, bias = params
    energy: Array = -np.einsum("ij,ij->i", 0.5 * (v @ J[:n, :n]) + bias[:n], v)
    return energy


def pairwise_moments(
    model: Pairwise,
    params: PairwiseParameters,
    *,
    beta: float = 1.0,
    v: Array | None = None,
    weights: Array | None = None,
) -> PairwiseMoments:
    """Averages over all states of the model, or over those in which the visible units have the states of data.

    Parameters
    ----------
    model, params : Pairwise, PairwiseParameters
    beta : float
        Inverse temperature.
    v : ndarray of shape (rows, n_visible), optional
        Where given, the visible units are clamped to one row after the other, and the averages that belong to them are
        averaged over the rows: the positive phase of learning.
    weights : ndarray of shape (rows,), optional
        Of the rows; equal by default. They are divided by their sum.

    Returns
    -------
    PairwiseMoments

    Raises
    ------
    ValueError
        When more than 25 units of the model, or more than 20 hidden ones, would have to be enumerated, and elimination
        unit by unit needs tables of more than 16 units.

    Notes
    -----
    Costs a few passes over the states of the enumerated units: 10 ms for 20 units of which all pairs are connected. By
    elimination, the moments of n units cost the means in 2 n + 1 different fields.
    """
    params = in_double(params)
    if v is None:
        n_listed = np.count_nonzero(~independent_units(params.J))
        if n_listed > MAX_ENUMERATED and can_sum(params.J, A_ROW):
            return _pinned_moments(model, params, float(beta))
        everything = group(model.unit, params.J, float(beta), MAX_ENUMERATED, "units")
        mean, second = moments(everything, params.bias[np.newaxis], np.ones(1))
        return PairwiseMoments(mean[0], second)
    shares = np.full(len(v), 1 / len(v)) if weights is None else weights / np.sum(weights)
    return _clamped_moments(model, params, float(beta), v.astype(np.float64), shares)


def has_quick_moments(params: PairwiseParameters) -> bool:
    """Whether :func:`pairwise_moments` of the model take seconds at most."""
    if np.count_nonzero(~independent_units(params.J)) <= UNASKED.enumerated:
        return True
    work = elimination_work(params.J, A_ROW)
    return work is not None and 2 * len(params.bias) * work <= QUICK_MOMENTS


def _pinned_moments(model: Pairwise, params: PairwiseParameters, beta: float) -> PairwiseMoments:
    """From the means with each unit in either state, which a strong field holds it in.

    With p the probability that unit i is in its higher state, cov(s_i, s_j) = p (1 - p) (high - low) (E[s_j | high] -
    E[s_j | low]).
    """
    J, (low, high) = dense_couplings(params.J), model.unit.states or ()
    sums = summation(model.unit, J, beta, A_ROW, "units")
    others = np.abs(params.bias) + max(abs(low), abs(high)) * np.abs(J).sum(axis=1)
    pins = np.diag(others + PINNED / (beta * (high - low)))
    mean = sums.means(params.bias[np.newaxis])[0]
    on, off = sums.means(params.bias + pins), sums.means(params.bias - pins)
    p = (mean - low) / (high - low)
    covariance = (p * (1 - p) * (high - low))[:, np.newaxis] * (on - off)
    covariance = (covariance + covariance.T) / 2
    return PairwiseMoments(mean, covariance + np.outer(mean, mean))


def _clamped_moments(
    model: Pairwise, params: PairwiseParameters, beta: float, v: Array, weights: Array
) -> PairwiseMoments:
    n = v.shape[1]
    s = np.empty((len(v), len(params.bias)))
    s[:, :n] = v
    second = np.zeros(params.J.shape)
    if model.n_hidden:
        hidden = hidden_group(model, params, beta)
        s[:, n:], second[n:, n:] = moments(hidden, model.given_visible(params, v), weights)
    second[:n] = (weights[:, np.newaxis] * v).T @ s
    second[n:, :n] = second[:n, n:].T
    return PairwiseMoments(weights @ s, second)


def pairwise_hidden_mean(
    model: Pairwise, params: PairwiseParameters, v: Array, *, beta: float = 1.0
) -> Array:
    """E[h | v] of each row of `v` (rows, n_visible): -> (rows, n_hidden) in double precision.

    In closed form where no two hidden units are connected, else with at most 20 of them enumerated, or eliminated by
    tables of at most 16.
    """
    params = in_double(params)
    fields = model.given_visible(params, v.astype(np.float64))
    if model.hidden_are_independent(params):
        means: Array = model.unit.mean(model.layer_params(np.zeros(model.n_hidden)), fields, beta)
        return means
    return hidden_summation(model, params, beta).means(fields)
