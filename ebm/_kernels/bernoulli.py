"""Bernoulli units {0, 1}: p(x = 1 | f) = sigmoid(f) with f = beta (input + bias).

Every function overwrites the inputs `x` (rows, units).
"""

from typing import NamedTuple

import numpy as np

from ebm._jit import jit
from ebm._kernels.counter import block_rows, fill_words
from ebm._kernels.elementary import SATURATION, exp, log, sigmoid


class BernoulliParameters(NamedTuple):
    """A layer's own parameters: the biases (units,)."""

    bias: np.ndarray


# Whether the statistic has a parameter.
COUPLES = False
TWO_32 = 2.0**32
# exp(-|f|) <= 1, so a product of this many factors 1 + exp(-|f|) is at most 2**64: no overflow in float32.
RUN = 64


@jit(inline=True)
def happens(word, probability):
    """Whether a 32-bit random word stands for an event of that probability: 0 or 1."""
    # The word counts in steps of 2**-32; the half step centres it, so that the bias is below 2**-33 in double
    # precision. Single precision rounds the word to 24 bits: small probabilities keep theirs, one half and more are
    # off by 2**-25.
    T = type(probability)
    return T(T(word) + T(0.5) < probability * T(TWO_32))


@jit
def _means(bias, block, beta):
    # Flat over rows: what is left over at the end of a vectorised loop is left over once, not once per row.
    for r in range(block.shape[0]):
        for c in range(block.shape[1]):
            block[r, c] = beta * (block[r, c] + bias[c])
    flat = block.reshape(-1)
    for i in range(flat.size):
        flat[i] = sigmoid(flat[i])


@jit
def draw_states(block, out, words, key0, key1, first_row):
    """Probabilities in `block` -> bits in `out`, which may be the same; `words` is scratch."""
    even = block.shape[1] + block.shape[1] % 2
    fill_words(words[: block.shape[0] * even], key0, key1, first_row * (even // 2))
    for r in range(block.shape[0]):
        row = words[r * even : (r + 1) * even]
        for c in range(block.shape[1]):
            out[r, c] = happens(row[c], block[r, c])


@jit
def mean(params, x, beta):
    """Inputs -> conditional means."""
    step = block_rows(x.shape[1])
    for first in range(0, x.shape[0], step):
        _means(params.bias, x[first : first + step], beta)


@jit
def mean_and_sample(params, x, out, beta, key0, key1, first_row):
    """Inputs -> conditional means in `x`, samples in `out`."""
    step = block_rows(x.shape[1])
    words = np.empty(step * (x.shape[1] + x.shape[1] % 2), np.uint32)
    for first in range(0, x.shape[0], step):
        block = x[first : first + step]
        _means(params.bias, block, beta)
        draw_states(block, out[first : first + step], words, key0, key1, first_row + first)


@jit
def sample(params, x, beta, key0, key1, first_row):
    """Inputs -> conditional samples."""
    step = block_rows(x.shape[1])
    words = np.empty(step * (x.shape[1] + x.shape[1] % 2), np.uint32)
    for first in range(0, x.shape[0], step):
        block = x[first : first + step]
        _means(params.bias, block, beta)
        draw_states(block, block, words, key0, key1, first_row + first)


@jit(reorder=True)
def log_normaliser(params, x, beta, out):
    """Add sum_i log(1 + exp(beta (x_ri + b_i))) to out[r]: the positive parts plus the logarithms of products."""
    T = type(params.bias[0])
    for r in range(x.shape[0]):
        for start in range(0, x.shape[1], RUN):
            inputs, bias = x[r, start : start + RUN], params.bias[start : start + RUN]
            product, positive = T(1.0), T(0.0)
            for c in range(inputs.size):  # counted from zero: else this loop does not vectorise
                f = beta * (inputs[c] + bias[c])
                a = abs(f)
                product *= T(1.0) + exp(-(T(SATURATION) if a > T(SATURATION) else a))
                positive += T(0.5) * (f + a)
            out[r] += np.float64(log(product)) + np.float64(positive)


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
    return BernoulliParameters(bias)
