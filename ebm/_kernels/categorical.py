"""Groups of {0, 1} units of which exactly one each is on (softmax, or Potts units), after Bernoulli units or alone:

    p(x_k = 1 | f) = exp(f_k) / sum_l exp(f_l)    over the units l of k's group,    f = beta (input + bias).

Every function overwrites the inputs `x` (rows, units). The Bernoulli loops pass over all columns, since a loop over a
part of a row would not be vectorised. The values that they write into the groups are then overwritten. A group is drawn
by one random word, of those of its own columns.
"""

import math
from typing import NamedTuple

import numpy as np

from ebm._jit import jit
from ebm._kernels import bernoulli
from ebm._kernels.bernoulli import BernoulliParameters
from ebm._kernels.counter import threefry
from ebm._kernels.elementary import SATURATION, exp


class CategoricalParameters(NamedTuple):
    """A layer's own parameters: the biases (units,)."""

    bias: np.ndarray


class CategoricalLayer(NamedTuple):
    """The parameters, and the constants of the layer.

    `edges` (groups + 1,) holds the column in which each group begins, and the number of all columns. Columns in front
    of the first group are those of Bernoulli units.
    """

    bias: np.ndarray
    edges: np.ndarray


# Whether the statistic has a parameter.
COUPLES = False


@jit
def _weights(params, x, beta):
    """exp(f - the group's largest f), of the units in groups."""
    T, edges = type(params.bias[0]), params.edges
    first = edges[0]
    e = np.empty((x.shape[0], x.shape[1] - first), x.dtype)
    for r in range(x.shape[0]):
        for k in range(edges.size - 1):
            start, end = edges[k], edges[k + 1]
            largest = beta * (x[r, start] + params.bias[start])
            for c in range(start, end):
                f = beta * (x[r, c] + params.bias[c])
                e[r, c - first] = f
                largest = f if f > largest else largest
            for c in range(start, end):
                below = e[r, c - first] - largest
                e[r, c - first] = exp(T(-SATURATION) if below < T(-SATURATION) else below)
    return e


@jit
def _probabilities(edges, e, x):
    """Weights `e` -> conditional means of the groups, in their columns of `x`."""
    first = edges[0]
    for r in range(x.shape[0]):
        for k in range(edges.size - 1):
            start, end = edges[k], edges[k + 1]
            total = type(e[0, 0])(0.0)
            for c in range(start, end):
                total += e[r, c - first]
            for c in range(start, end):
                x[r, c] = e[r, c - first] / total


@jit
def _draw(edges, e, out, key, first_row):
    """Weights `e` -> states of the groups, in their columns of `out`."""
    per_row, first = (out.shape[1] + 1) // 2, edges[0]
    for r in range(out.shape[0]):
        for k in range(edges.size - 1):
            start, end = edges[k], edges[k + 1]
            # A counter whose two words belong to columns of this group alone, or to this one and the row's padding.
            counter = (first_row + r) * per_row + (start + 1) // 2
            low, high = np.uint32(counter & 0xFFFFFFFF), np.uint32(counter >> 32)
            word, _ = threefry(np.uint32(key[0]), np.uint32(key[1]), low, high)
            total = 0.0
            for c in range(start, end):
                total += np.float64(e[r, c - first])
            # Below the total, to which the same sum comes again: some unit is on, and never one of weight zero.
            left = (np.float64(word) + 0.5) * 2.0**-32 * total
            reached, on = 0.0, False
            for c in range(start, end):
                reached += np.float64(e[r, c - first])
                is_it = not on and left < reached
                out[r, c] = is_it
                on = on or is_it


@jit
def mean(params, x, beta):
    """Inputs -> conditional means."""
    e = _weights(params, x, beta)
    if params.edges[0] > 0:
        bernoulli.mean(BernoulliParameters(params.bias), x, beta)
    _probabilities(params.edges, e, x)


@jit
def mean_and_sample(params, x, out, beta, key0, key1, first_row):
    """Inputs -> conditional means in `x`, samples in `out`."""
    e = _weights(params, x, beta)
    if params.edges[0] > 0:
        plain = BernoulliParameters(params.bias)
        bernoulli.mean_and_sample(plain, x, out, beta, key0, key1, first_row)
    _probabilities(params.edges, e, x)
    _draw(params.edges, e, out, (key0, key1), first_row)


@jit
def sample(params, x, beta, key0, key1, first_row):
    """Inputs -> conditional samples."""
    e = _weights(params, x, beta)
    if params.edges[0] > 0:
        bernoulli.sample(BernoulliParameters(params.bias), x, beta, key0, key1, first_row)
    _draw(params.edges, e, x, (key0, key1), first_row)


@jit
def log_normaliser(params, x, beta, out):
    """Add sum_i log(1 + exp f_ri) over the Bernoulli units, and log sum_k exp f_rk of each group, to out[r]."""
    edges = params.edges
    first = edges[0]
    if first > 0:  # contiguous, without which the loop does not vectorise
        plain = BernoulliParameters(params.bias[:first])
        bernoulli.log_normaliser(plain, np.ascontiguousarray(x[:, :first]), beta, out)
    e = _weights(params, x, beta)
    for r in range(x.shape[0]):
        for k in range(edges.size - 1):
            start, end = edges[k], edges[k + 1]
            largest, total = beta * (x[r, start] + params.bias[start]), type(e[0, 0])(0.0)
            for c in range(start, end):
                f = beta * (x[r, c] + params.bias[c])
                largest = f if f > largest else largest
                total += e[r, c - first]
            out[r] += np.float64(largest) + math.log(total)


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
    return CategoricalLayer(bias, params.edges)
