"""Naive mean field of pairwise models: the best distribution of independent units, with some units held at given
values.

Among the product distributions q the one nearest to p(s | given) minimises the variational free energy

    Gamma(m) = <E>_q - S(q) / beta = -1/2 m'Jm - b'm - S(m) / beta  >=  F(given),

where m are the means and S is the entropy of independent units. Its stationary points are m_i = E[s_i | f = J m]. Units
are visited one after the other, and each visit minimises Gamma over that unit's mean. Gamma never rises, so that the
iteration converges without damping, to a local minimum that depends on the start.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from ebm._checks import Array
from ebm._kernels.sweeps import MEAN
from ebm.energies.couplings import fastest, visit
from ebm.energies.pairwise import Pairwise, PairwiseParameters


class Means(NamedTuple):
    """Means `m` (rows, n_units), which rows `converged`, and how many sweeps were made."""

    m: Array
    converged: Array
    n_sweeps: int


def pairwise_mean_field(
    model: Pairwise,
    params: PairwiseParameters,
    m: Array,
    units: Array,
    *,
    beta: float = 1.0,
    n_sweeps: int = 100,
    tol: float = 1e-4,
) -> Means:
    """Iterate the means of `units` (numbers) from `m` (rows, n_units), not modified; the others are given.

    A row has converged when a sweep moves its means by at most `tol` times the gap between the states, on average. From
    then on it stays, so that its means do not depend on what other rows there are.
    """
    means = np.array(m.T, params.J.dtype, order="C")
    dtype, (low, high) = params.J.dtype, model.unit.states or ()
    law = np.array([beta], dtype), (dtype.type(beta) * params.bias)[np.newaxis], low, high
    enough = tol * (high - low) * max(len(units), 1)
    free, left, sweeps = np.zeros((0, 0), bool), np.arange(len(m)), 0
    J = fastest(params.J)
    while sweeps < n_sweeps and left.size:
        rows, moved = np.ascontiguousarray(means[:, left]), np.zeros(left.size, dtype)
        visit(J, law, MEAN, rows, units, free, (0, 0, 0), moved)
        means[:, left] = rows
        left = left[moved > enough]
        sweeps += 1
    converged = np.ones(len(m), bool)
    converged[left] = False
    return Means(np.ascontiguousarray(means.T), converged, sweeps)


def variational_free_energy(
    model: Pairwise, params: PairwiseParameters, m: Array, beta: float = 1.0
) -> Array:
    """Gamma(m) per row of means (rows, n_units), an upper bound of F: (rows,) in double precision."""
    low, high = model.unit.states or ()
    p = (m.astype(np.float64) - low) / (high - low)
    entropy = -(xlogy(p, p) + xlogy(1 - p, 1 - p)).sum(axis=1)
    gamma: Array = model.energy(params, m) - entropy / beta
    return gamma


def mean_field_log_sums(model: Pairwise, J: Array, beta: float, fields: Array) -> Array:
    """-beta Gamma of all units of `model` in each row of `fields` (rows, n_units): a lower bound of log Z, (rows,).

    The units have the couplings `J`, and the iteration starts at the means that they have without.
    """
    law, out = model.layer_params(np.zeros(len(J), J.dtype)), np.empty(len(fields))
    everyone, m = np.arange(len(J)), model.unit.mean(law, fields, beta)
    for row, field in enumerate(fields):
        params = PairwiseParameters(J, field)
        means = pairwise_mean_field(model, params, m[row : row + 1], everyone, beta=beta).m
        out[row] = -beta * variational_free_energy(model, params, means, beta)[0]
    return out
