"""How far the mean field is from the averages that it stands for: hidden units that are connected, beside short
chains.
"""

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold, stream
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.inference.hidden_means import has_exact_means, hidden_means
from ebm.samplers.expectation import coins, sampled_expectation

# Rows that are looked at, and the steps of their chains.
MOST_ROWS, N_STEPS = 8, 100
# Of the gap between the two states, and in standard errors of the chains: beyond it the mean field is off.
FAR, SIGMAS = 0.1, 4.0
KEY = stream(0, "evaluation")
CURE = (
    "BoltzmannMachine.from_parameters(couplings_, intercept_, unit=...).impute(X, return_std=True), with columns of "
    "NaN for the hidden units, averages exactly or over chains"
)


def hidden_mean_gap(
    model: Pairwise, params: PairwiseParameters, v: Array, key: Key = KEY
) -> tuple[Array, Array]:
    """By how much the means of hidden units are off given rows `v` (rows, n_visible), and where chains agree.

    Returns
    -------
    gaps : ndarray of shape (rows,)
        The largest difference of a mean from that of chains, less what chance explains, in gaps between the states.
    agreed : ndarray of bool, shape (rows,)
        False where chains from different starts stay apart: there are several modes, and mean field is in one.
    """
    n, (low, high) = v.shape[1], model.unit.states or ()
    unknown = (len(v), model.n_hidden)
    start = np.hstack([v, coins(model.unit, unknown, fold(key, 0)).astype(v.dtype)])
    given = np.hstack([v, np.full(unknown, np.nan, v.dtype)])
    chains = sampled_expectation(model, params, given, start, fold(key, 1), N_STEPS)
    off = np.abs(hidden_means(model, params, v) - chains.mean[:, n:])
    gaps = (off - SIGMAS * chains.standard_error[:, n:]).max(axis=1) / (high - low)
    return gaps, chains.agreed


def mean_field_message(
    model: Pairwise, params: PairwiseParameters, v: Array, beta: float = 1.0
) -> str:
    """A sentence that the mean field is off for some first rows of `v`, without a full stop; '' where it is not."""
    rows = v[:MOST_ROWS]
    if not model.n_hidden or has_exact_means(model, params) or not len(rows):
        return ""
    gaps, agreed = hidden_mean_gap(model, model.tempered(params, beta), rows)
    far = (gaps > FAR) | ~agreed
    if not far.any():
        return ""
    return (
        f"the hidden units are connected to each other, and their mean field is inaccurate or one of several modes: "
        f"it differs from short chains in {far.sum()} of the {len(rows)} rows that were compared. {CURE}"
    )
