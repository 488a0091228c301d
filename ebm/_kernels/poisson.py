"""Poisson units, counts 0, 1, 2, ...: p(x | f) ~ exp(beta [(b + f) x - log x!]), with f the input.

At beta = 1 this is the Poisson distribution of the rate exp(b + f), elsewhere that of Conway and Maxwell (1962).
Every function overwrites the inputs `x` (rows, units). A unit has one random number of 53 bits per draw.
"""

from typing import NamedTuple

import numpy as np

from ebm._jit import jit
from ebm._kernels import counts
from ebm._kernels.bernoulli import (
    couple,
    expected_parameter_gradient,
    parameter_gradient,
    to_statistic,
)

__all__ = ["couple", "expected_parameter_gradient", "parameter_gradient", "to_statistic"]


class PoissonParameters(NamedTuple):
    """A layer's own parameters: the biases (units,), logarithms of rates."""

    bias: np.ndarray


# Whether the statistic has a parameter.
COUPLES = False


@jit
def mean(params, x, beta):
    """Inputs -> conditional means."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            x[r, c] = counts.mean(np.float64(x[r, c]) + params.bias[c], np.float64(beta), -1)


@jit
def sample(params, x, beta, key0, key1, first_row):
    """Inputs -> conditional samples."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            u = counts.uniform(key0, key1, (first_row + r) * x.shape[1] + c)
            x[r, c] = counts.draw(np.float64(x[r, c]) + params.bias[c], np.float64(beta), -1, u)


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
    """Add sum_i log sum_k exp(beta [(b_i + x_ri) k - log k!]) to out[r]."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            out[r] += counts.log_normaliser(
                np.float64(x[r, c]) + params.bias[c], np.float64(beta), -1
            )


@jit
def with_bias(params, bias):
    """A layer of the same type with these biases."""
    return PoissonParameters(bias)
