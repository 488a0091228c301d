"""The integral over one Gaussian visible unit of what two-state hidden units make of it, all others being known.

In units of its standard deviation, and measured from its bias, the unit's density given the others is

    p(u) = exp(-u^2 / 2 + t (u - y)) prod_j (off_j + on_j exp(w_j (u - y))) / I,

with y the value of the unit, and on_j and off_j the probabilities of the hidden states there. The step from the lower
state of hidden unit j to the higher one is w_j, and t the sum over all lower states. It is a mixture of normals of
variance one, with means between the sums of the negative and of the positive w_j, beside t. So a sum over points u = y
+ k h is the integral to 2 exp(-2 pi^2 / h^2) of its value (Poisson's summation formula), 5e-11 here.

The logarithm of the product is convex in u: between two points it lies below the chord. So a coarse grid tells where
nothing is, and a range of means that a row does not reach costs little.
"""

import math

import numpy as np

from ebm._jit import jit
from ebm._kernels.elementary import exp

SPACING = 0.9
# Points of the coarse grid are so many apart; a normal holds 1e-12 beyond REACH; less than exp(-DEPTH) is nothing.
STRIDE, REACH, DEPTH = 4, 7.0, 26.0
# Products are taken into a logarithm outside of exp(+-SAFE).
SAFE = 300.0
LARGE, SMALL = math.exp(SAFE), math.exp(-SAFE)
# What a table of exponentials may hold: their exponents, and their count.
LARGEST_EXPONENT, LARGEST_TABLE = 600.0, 1 << 20


def within_tables(y, w, tilt):
    """Which of the rows with the unit at `y` are for :func:`log_integrals`; the others are far away, or w is large."""
    low = tilt + np.minimum(w, 0).sum() - REACH
    high = tilt + np.maximum(w, 0).sum() + REACH
    width = np.maximum(np.abs(low - y), np.abs(high - y)) + 2 * STRIDE * SPACING
    largest = np.abs(w).max()
    near = width * largest < LARGEST_EXPONENT
    return near & (2 * width / SPACING * w.size < LARGEST_TABLE)


@jit
def log_integrals(y, on, off, w, tilt, out):
    """out[r] = log h + log sum_k p(y_r + k h) I, in double precision.

    Parameters
    ----------
    y : ndarray of shape (rows,)
    on, off : ndarray of shape (rows, hidden)
    w : ndarray of shape (hidden,)
    tilt : float
        t.
    """
    low, high = tilt - REACH, tilt + REACH
    largest = 0.0
    for j in range(w.size):
        low += min(w[j], 0.0)
        high += max(w[j], 0.0)
        largest = max(largest, abs(w[j]))
    first = math.floor((low - np.max(y)) / SPACING)
    last = math.ceil((high - np.min(y)) / SPACING) + STRIDE
    growth = np.empty((last - first + 1, w.size))
    for k in range(last - first + 1):
        shift = (first + k) * SPACING
        for j in range(w.size):
            growth[k, j] = exp(shift * w[j])
    logs = np.empty(last - first + 1)
    for r in range(y.size):
        begin = math.floor((low - y[r]) / SPACING)
        n_cells = -((begin - math.ceil((high - y[r]) / SPACING)) // STRIDE)
        out[r] = math.log(SPACING) + _log_sum(
            y[r], on[r], off[r], (growth, first, largest, tilt), (begin, n_cells), logs
        )


@jit
def _log_sum(y, on, off, table, cells, logs):
    """Log of the sum over the points of `cells` (first point, count), of which empty ones are passed over."""
    begin, n_cells = cells
    best = -np.inf
    for c in range(n_cells + 1):
        k = begin + c * STRIDE
        u = y + k * SPACING
        logs[c] = _log_product(k, on, off, table)
        best = max(best, logs[c] - 0.5 * u * u)
    total = 0.0
    for c in range(n_cells + 1):
        k = begin + c * STRIDE
        u = y + k * SPACING
        total += _weight(logs[c] - 0.5 * u * u - best)
        if c == n_cells:
            break
        slope = (logs[c + 1] - logs[c]) / (STRIDE * SPACING)
        for inner in range(1, STRIDE):
            u = y + (k + inner) * SPACING
            if logs[c] + slope * inner * SPACING - 0.5 * u * u > best - DEPTH:
                value = _log_product(k + inner, on, off, table)
                total += _weight(value - 0.5 * u * u - best)
    return best + math.log(total)


@jit(inline=True)
def _weight(x):
    return exp(max(x, -700.0))


@jit
def _log_product(k, on, off, table):
    """The logarithm of the product, and t (u - y), at the point u = y + k h: of products as long as these are small."""
    growth, first, largest, tilt = table
    factors, m = growth[k - first], on.size
    run = int(min(max(SAFE / max(abs(k) * SPACING * largest, 1e-9), 1.0), float(m)))
    total, product = k * SPACING * tilt, 1.0
    for start in range(0, m, run):
        end = min(start + run, m)
        product *= _product(off[start:end], on[start:end], factors[start:end])
        if product > LARGE or product < SMALL:
            total += math.log(product)
            product = 1.0
    return total + math.log(product)


@jit(reorder=True, fuse=True)
def _product(p, q, g):
    product = 1.0
    for j in range(p.size):
        product *= p[j] + q[j] * g[j]
    return product
