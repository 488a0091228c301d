"""Objectives and gradients that compare a row with its flips, from the table of p(v) or in loops.

With q_i = p(flip_i v) / (p(v) + p(flip_i v)) the pseudo-likelihood is sum_i log(1 - q_i), and ratio
matching maximises -sum_i q_i^2 (Hyvarinen 2007). For entries between 0 and 1, which have no place
in the table, exp(-F(v)) stands for p(v): the sum over h by enumeration.
"""

from __future__ import annotations

import numpy as np

from tests.oracles import rbm, rbm_gradients


def flip(v, i):
    flipped = v.copy()
    flipped[i] = 1 - v[i]
    return flipped


def log_probabilities(model, v, i):
    """log(1 - q_i) and log q_i."""
    here, there = rbm.log_weight_visible(model, v), rbm.log_weight_visible(model, flip(v, i))
    return here - np.logaddexp(here, there), there - np.logaddexp(here, there)


def pseudo_log_likelihood(model, X, weights):
    """The weighted mean of sum_i log(1 - q_i)."""
    return sum(
        w * log_probabilities(model, v, i)[0]
        for w, v in zip(weights, X, strict=True)
        for i in range(len(v))
    )


def ratio_matching(model, X, weights):
    """The weighted mean of -sum_i q_i^2."""
    return -sum(
        w * np.exp(2 * log_probabilities(model, v, i)[1])
        for w, v in zip(weights, X, strict=True)
        for i in range(len(v))
    )


def gradient(model, X, weights, ratio):
    """Sum over rows and flips of share [E[-dE/dtheta | v] - E[-dE/dtheta | flip_i v]]."""
    factors, terms = [], []
    for w, v in zip(weights, X, strict=True):
        for i in range(len(v)):
            stay, q = np.exp(log_probabilities(model, v, i))
            share = 2 * q**2 * stay if ratio else q
            factors += [w * share, -w * share]
            terms += [
                rbm_gradients.statistics_given_visible(model, v),
                rbm_gradients.statistics_given_visible(model, flip(v, i)),
            ]
    return rbm_gradients.weighted_sum(factors, terms)
