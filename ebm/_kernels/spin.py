"""Spin units {-1, +1}: p(x = +1 | f) = sigmoid(2 f) with f = beta (input + bias).

Every function overwrites the inputs `x` (rows, units). A spin is twice a Bernoulli unit less one, with twice its field:
the loops that differ are here.
"""

from typing import NamedTuple

import numpy as np

from ebm._jit import jit
from ebm._kernels.bernoulli import RUN, draw_states
from ebm._kernels.counter import block_rows
from ebm._kernels.elementary import SATURATION, exp, log, sigmoid


class SpinParameters(NamedTuple):
    """A layer's own parameters: the biases (units,)."""

    bias: np.ndarray


# Whether the statistic has a parameter.
COUPLES = False


@jit
def _probabilities(bias, block, beta):
    twice = beta + beta
    for r in range(block.shape[0]):
        for c in range(block.shape[1]):
            block[r, c] = twice * (block[r, c] + bias[c])
    flat = block.reshape(-1)
    for i in range(flat.size):
        flat[i] = sigmoid(flat[i])


@jit
def _spins(block):
    """Numbers p in [0, 1] -> 2 p - 1: probabilities become means, bits become spins."""
    flat = block.reshape(-1)
    for i in range(flat.size):
        flat[i] = (flat[i] + flat[i]) - type(flat[i])(1.0)


@jit
def mean(params, x, beta):
    """Inputs -> conditional means."""
    step = block_rows(x.shape[1])
    for first in range(0, x.shape[0], step):
        block = x[first : first + step]
        _probabilities(params.bias, block, beta)
        _spins(block)


@jit
def mean_and_sample(params, x, out, beta, key0, key1, first_row):
    """Inputs -> conditional means in `x`, samples in `out`."""
    step = block_rows(x.shape[1])
    words = np.empty(step * (x.shape[1] + x.shape[1] % 2), np.uint32)
    for first in range(0, x.shape[0], step):
        block, drawn = x[first : first + step], out[first : first + step]
        _probabilities(params.bias, block, beta)
        draw_states(block, drawn, words, key0, key1, first_row + first)
        _spins(block)
        _spins(drawn)


@jit
def sample(params, x, beta, key0, key1, first_row):
    """Inputs -> conditional samples."""
    step = block_rows(x.shape[1])
    words = np.empty(step * (x.shape[1] + x.shape[1] % 2), np.uint32)
    for first in range(0, x.shape[0], step):
        block = x[first : first + step]
        _probabilities(params.bias, block, beta)
        draw_states(block, block, words, key0, key1, first_row + first)
        _spins(block)


@jit(reorder=True)
def log_normaliser(params, x, beta, out):
    """Add sum_i log(2 cosh(beta (x_ri + b_i))) to out[r]: the absolute values plus the logarithms of products."""
    T = type(params.bias[0])
    for r in range(x.shape[0]):
        for start in range(0, x.shape[1], RUN):
            inputs, bias = x[r, start : start + RUN], params.bias[start : start + RUN]
            product, size = T(1.0), T(0.0)
            for c in range(inputs.size):  # counted from zero: else this loop does not vectorise
                a = abs(beta * (inputs[c] + bias[c]))
                twice = a + a
                product *= T(1.0) + exp(-(T(SATURATION) if twice > T(SATURATION) else twice))
                size += a
            out[r] += np.float64(log(product)) + np.float64(size)


@jit
def to_statistic(params, x):
    """The weights multiply the states themselves."""


@jit
def parameter_gradient(params, s, weights, gradient):
    """Nothing to learn but the bias."""


@jit
def expected_parameter_gradient(params, x, weights, gradient, fresh):
    """Nothing to learn but the bias."""


@jit
def couple(params, coupling, gradient):
    """The statistic has no parameter."""


@jit
def with_bias(params, bias):
    """A layer of the same type with these biases."""
    return SpinParameters(bias)
