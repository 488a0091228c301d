"""Gaussian units: x | f ~ N(b + f, exp(z) / beta), with f the input from the connected layers.

Every function overwrites the inputs `x` (rows, units).
Normal deviates come in pairs from the two words of one counter (Box & Muller 1958).
"""

import math
from typing import NamedTuple

import numpy as np

from ebm._jit import jit
from ebm._kernels.counter import FROM_WORD, block_rows, fill_words
from ebm._kernels.elementary import cos_sin, log


class GaussianParameters(NamedTuple):
    """A layer's own parameters: the biases (units,), which are means, and z = log sigma^2 (units,)."""

    bias: np.ndarray
    log_variance: np.ndarray


# Whether the statistic has a parameter.
COUPLES = True


@jit
def _fill_normals(out, words, key0, key1, first):
    T = type(out[0])
    fill_words(words[: out.size], key0, key1, first)
    for i in range(out.size // 2):
        radius = np.sqrt(T(-2.0) * log((T(words[2 * i]) + T(0.5)) * T(FROM_WORD)))
        x, y = cos_sin(T(math.pi) * (T(words[2 * i + 1]) * T(FROM_WORD) - T(0.5)))
        out[2 * i] = radius * x
        out[2 * i + 1] = radius * y


@jit
def mean(params, x, beta):
    """Inputs -> conditional means, which do not depend on beta."""
    bias = params.bias
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            x[r, c] += bias[c]


@jit
def sample(params, x, beta, key0, key1, first_row):
    """Inputs -> conditional samples."""
    rows, n = x.shape
    even = n + n % 2
    scale = np.exp(params.log_variance / 2) / np.sqrt(beta)
    step = block_rows(n)
    words, normals = np.empty(step * even, np.uint32), np.empty(step * even, x.dtype)
    for first in range(0, rows, step):
        count = min(step, rows - first)
        drawn = normals[: count * even]
        _fill_normals(drawn, words, key0, key1, (first_row + first) * (even // 2))
        for r in range(count):
            g = drawn[r * even : (r + 1) * even]
            for c in range(n):
                x[first + r, c] += params.bias[c] + scale[c] * g[c]


@jit
def mean_and_sample(params, x, out, beta, key0, key1, first_row):
    """Inputs -> conditional means in `x`, samples in `out`."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            out[r, c] = x[r, c]
    sample(params, out, beta, key0, key1, first_row)
    mean(params, x, beta)


@jit(reorder=True)
def log_normaliser(params, x, beta, out):
    """Add sum_i log int exp(-beta [(v - b)^2 / 2 - v f] / sigma^2) dv to out[r], f = x_ri."""
    bias = params.bias
    rows, n = x.shape
    beta = np.float64(beta)
    precision = np.exp(-params.log_variance.astype(np.float64))
    constant = 0.5 * np.sum(params.log_variance) + 0.5 * n * np.log(2 * math.pi / beta)
    for r in range(rows):
        total = 0.0
        for c in range(n):
            f = np.float64(x[r, c])
            total += precision[c] * f * (np.float64(bias[c]) + 0.5 * f)
        out[r] += constant + beta * total


@jit
def to_statistic(params, x):
    """States -> what the weights multiply, x / sigma^2."""
    precision = np.exp(-params.log_variance)
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            x[r, c] *= precision[c]


@jit
def parameter_gradient(params, s, weights, gradient):
    """Write sum_r weights[r] (x_r - b)^2 / (2 sigma^2), the derivative of minus the own energy by z = log sigma^2.

    The states come as statistics s = x / sigma^2.
    """
    variance = np.exp(params.log_variance)
    out = gradient.log_variance
    out[:] = 0
    for r in range(s.shape[0]):
        for c in range(s.shape[1]):
            deviation = s[r, c] * variance[c] - params.bias[c]
            out[c] += weights[r] * deviation * deviation / (2 * variance[c])


@jit
def expected_parameter_gradient(params, x, weights, gradient, fresh):
    """Add sum_r weights[r] (f^2 + sigma^2) / (2 sigma^2), the expectations of the same given the inputs f = x_r."""
    variance = np.exp(params.log_variance)
    out = gradient.log_variance
    if fresh:
        out[:] = 0
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            out[c] += weights[r] * (x[r, c] * x[r, c] + variance[c]) / (2 * variance[c])


@jit
def couple(params, coupling, gradient):
    """Add what the weights contribute: s = x exp(-z), so d(s'W s)/dz = -s'W s, summed over the rows in `coupling`."""
    for c in range(coupling.size):
        gradient.log_variance[c] -= coupling[c]
