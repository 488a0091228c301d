"""Bernoulli units, followed by groups of {0, 1} units of which exactly one each is on (a softmax, or Potts unit):

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


class OneHotParameters(NamedTuple):
    """A layer's own parameters: the biases (units,), and the number of each unit's group (units,).

    The numbers are 0 for the Bernoulli units, which come first, then 1, 2, ...; they are never learned.
    """

    bias: np.ndarray
    group: np.ndarray


# Whether the statistic has a parameter.
COUPLES = False


@jit
def _first_column(group):
    """Where the groups begin."""
    first = 0
    while first < group.size and group[first] == 0:
        first += 1
    return first


@jit
def _end_of_group(group, start):
    end = start + 1
    while end < group.size and group[end] == group[start]:
        end += 1
    return end


@jit
def _weights(own, x, beta, first):
    """exp(f - the group's largest f), of the units from column `first` on."""
    T = type(own.bias[0])
    e = np.empty((x.shape[0], x.shape[1] - first), x.dtype)
    for r in range(x.shape[0]):
        start = first
        while start < x.shape[1]:
            end = _end_of_group(own.group, start)
            largest = beta * (x[r, start] + own.bias[start])
            for c in range(start, end):
                f = beta * (x[r, c] + own.bias[c])
                e[r, c - first] = f
                largest = f if f > largest else largest
            for c in range(start, end):
                below = e[r, c - first] - largest
                e[r, c - first] = exp(T(-SATURATION) if below < T(-SATURATION) else below)
            start = end
    return e


@jit
def _probabilities(group, e, first, x):
    """Weights `e` -> conditional means of the groups, in the columns from `first` on."""
    for r in range(x.shape[0]):
        start = first
        while start < x.shape[1]:
            end = _end_of_group(group, start)
            total = type(e[0, 0])(0.0)
            for c in range(start, end):
                total += e[r, c - first]
            for c in range(start, end):
                x[r, c] = e[r, c - first] / total
            start = end


@jit
def _draw(group, e, first, out, key, first_row):
    """Weights `e` -> states of the groups, in the columns from `first` on."""
    per_row = (out.shape[1] + 1) // 2
    for r in range(out.shape[0]):
        start = first
        while start < out.shape[1]:
            end = _end_of_group(group, start)
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
            start = end


@jit
def mean(own, x, beta):
    """Inputs -> conditional means."""
    first = _first_column(own.group)
    e = _weights(own, x, beta, first)
    bernoulli.mean(BernoulliParameters(own.bias), x, beta)
    _probabilities(own.group, e, first, x)


@jit
def mean_and_sample(own, x, out, beta, key0, key1, first_row):
    """Inputs -> conditional means in `x`, samples in `out`."""
    first = _first_column(own.group)
    e = _weights(own, x, beta, first)
    plain = BernoulliParameters(own.bias)
    bernoulli.mean_and_sample(plain, x, out, beta, key0, key1, first_row)
    _probabilities(own.group, e, first, x)
    _draw(own.group, e, first, out, (key0, key1), first_row)


@jit
def sample(own, x, beta, key0, key1, first_row):
    """Inputs -> conditional samples."""
    first = _first_column(own.group)
    e = _weights(own, x, beta, first)
    bernoulli.sample(BernoulliParameters(own.bias), x, beta, key0, key1, first_row)
    _draw(own.group, e, first, x, (key0, key1), first_row)


@jit
def log_normaliser(own, x, beta, out):
    """Add sum_i log(1 + exp f_ri) over the Bernoulli units, and log sum_k exp f_rk of each group, to out[r]."""
    first = _first_column(own.group)
    if first > 0:  # contiguous, without which the loop does not vectorise
        plain = BernoulliParameters(own.bias[:first])
        bernoulli.log_normaliser(plain, np.ascontiguousarray(x[:, :first]), beta, out)
    e = _weights(own, x, beta, first)
    for r in range(x.shape[0]):
        start = first
        while start < x.shape[1]:
            end = _end_of_group(own.group, start)
            largest, total = beta * (x[r, start] + own.bias[start]), type(e[0, 0])(0.0)
            for c in range(start, end):
                f = beta * (x[r, c] + own.bias[c])
                largest = f if f > largest else largest
                total += e[r, c - first]
            out[r] += np.float64(largest) + math.log(total)
            start = end


@jit
def to_statistic(own, x):
    """The weights multiply the states themselves."""


@jit
def own_gradient(own, s, weights, gradient):
    """Nothing to learn but the bias: the groups stay as they are."""
    for c in range(gradient.group.size):
        gradient.group[c] = 0


@jit
def expected_own_gradient(own, x, weights, gradient, fresh):
    """Nothing to learn but the bias."""
    own_gradient(own, x, weights, gradient)


@jit
def couple(own, coupling, gradient):
    """The statistic has no parameter."""
