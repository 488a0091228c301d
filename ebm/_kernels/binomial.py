"""Binomial units, counts 0, ..., n: p(x | f) ~ exp(beta [(b + f) x + log (n choose x)]), with f the input.

At beta = 1 this is the binomial distribution of n trials of the probability sigmoid(b + f).
Every function overwrites the inputs `x` (rows, units). A unit has one random number of 53 bits per draw.
"""

from typing import NamedTuple

import numpy as np

from ebm._jit import jit
from ebm._kernels import counts
from ebm._kernels.bernoulli import couple, to_statistic

__all__ = ["couple", "to_statistic"]


class BinomialParameters(NamedTuple):
    """A layer's own parameters: the biases (units,), log-odds."""

    bias: np.ndarray


class BinomialLayer(NamedTuple):
    """The parameters, and the constant of the layer: the number of trials of each unit."""

    bias: np.ndarray
    n: float


# Whether the statistic has a parameter.
COUPLES = False


@jit
def mean(params, x, beta):
    """Inputs -> conditional means."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            x[r, c] = counts.mean(np.float64(x[r, c]) + params.bias[c], np.float64(beta), params.n)


@jit
def sample(params, x, beta, key0, key1, first_row):
    """Inputs -> conditional samples."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            u = counts.uniform(key0, key1, (first_row + r) * x.shape[1] + c)
            x[r, c] = counts.draw(
                np.float64(x[r, c]) + params.bias[c], np.float64(beta), params.n, u
            )


@jit
def mean_and_sample(params, x, out, beta, key0, key1, first_row):
    """Inputs -> conditional means in `x`, samples in `out`."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            out[r, c] = x[r, c]
    sample(params, out, beta, key0, key1, first_row)
    mean(params, x, beta)


@jit
def log_normaliser(params, x, beta, out):
    """Add sum_i log sum_k exp(beta [(b_i + x_ri) k + log (n_i choose k)]) to out[r]."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            out[r] += counts.log_normaliser(
                np.float64(x[r, c]) + params.bias[c], np.float64(beta), params.n
            )


@jit
def parameter_gradient(params, s, weights, gradient):
    """Nothing to learn but the bias."""


@jit
def expected_parameter_gradient(params, x, weights, gradient, fresh):
    """Nothing to learn but the bias."""


@jit
def with_bias(params, bias):
    """A layer of the same type with these biases."""
    return BinomialLayer(bias, params.n)
