"""Means and correlations of a pairwise model beside those of data: what learning makes equal.

The likelihood of a fully visible machine is largest where both agree. The model's moments are exact sums where these
take a moment; else they are averages over independent chains, with standard errors.
"""

from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array, check_beta, check_integer
from ebm._random import Key
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import has_quick_moments, pairwise_moments
from ebm.samplers.gibbs import gibbs


class Comparison(NamedTuple):
    """Moments of the visible units.

    Attributes
    ----------
    mean : ndarray of shape (n_visible,)
        Of the model.
    covariance : ndarray of shape (n_visible, n_visible)
        Of the model: connected correlations, and the variances on the diagonal.
    standard_error : tuple of ndarray
        Of both; zero where they are exact.
    data_mean, data_covariance : ndarray or None
        Of the data.
    """

    mean: Array
    covariance: Array
    standard_error: tuple[Array, Array]
    data_mean: Array | None = None
    data_covariance: Array | None = None


def compare_moments(
    model: Pairwise,
    params: PairwiseParameters,
    start: Array,
    key: Key,
    n_sweeps: int,
    *,
    beta: float = 1.0,
    v: Array | None = None,
    weights: Any = None,
) -> Comparison:
    """Moments of the model, and of the rows `v` (rows, n_visible) with `weights` (rows,).

    Where they are not exact they are those of the last states of chains from the states `start` (chains, n_units).
    """
    beta = check_beta(beta)
    n_sweeps = check_integer(n_sweeps, "n_steps")
    n = model.shape(params)[0]
    if has_quick_moments(params):
        exact = pairwise_moments(model, params, beta=beta)
        mean, covariance = exact.mean[:n], exact.covariance[:n, :n]
        errors = np.zeros(n), np.zeros((n, n))
    else:
        s = gibbs(model, params, start, key, n_sweeps, beta=beta)[:, :n].astype(np.float64)
        mean, covariance, errors = _estimated(s)
    if v is None:
        return Comparison(mean, covariance, errors)
    w = np.ones(len(v)) if weights is None else np.asarray(weights, np.float64)
    return Comparison(mean, covariance, errors, *_weighted(v.astype(np.float64), w / w.sum()))


def _weighted(x: Array, weights: Array) -> tuple[Array, Array]:
    mean = weights @ x
    centred = x - mean
    return mean, (centred * weights[:, np.newaxis]).T @ centred


def _estimated(s: Array) -> tuple[Array, Array, tuple[Array, Array]]:
    """Moments of independent rows, with the standard errors of averages."""
    mean, covariance = _weighted(s, np.full(len(s), 1 / len(s)))
    squares = (s - mean) ** 2
    spread = np.maximum(squares.T @ squares / len(s) - covariance**2, 0)
    return mean, covariance, (np.sqrt(covariance.diagonal() / len(s)), np.sqrt(spread / len(s)))
