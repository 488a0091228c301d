"""The integral over one Gaussian visible unit, two-state hidden units being summed out and all others known.

In units of its standard deviation, and measured from its bias, the unit's density given the others is

    p(u) = exp(-u^2 / 2 + t (u - y)) prod_j (off_j + on_j exp(w_j (u - y))) / I,

with y the value of the unit, and on_j and off_j the probabilities of the hidden states there. The step from the lower
state of hidden unit j to the higher one is w_j, and t the sum over all lower states. It is a mixture of normals of
variance one, with means between the sums of the negative and of the positive w_j, beside t. So a sum over points u = y
+ k h is the integral to 2 exp(-2 pi^2 / h^2) of its value (Poisson's summation formula), 5e-11 here.

Most rows need only the points around the largest term. The logarithm g of the product is convex, and its slopes lie
between the lowest and the highest mean. So beyond the last point e the logarithm of p is at most
-u^2 / 2 + g(e) + high (u - e), which tells whether anything is left there. If so, the row is summed over all means.
"""

import math

import numpy as np

from ebm._jit import jit
from ebm._kernels.elementary import exp, log
from ebm._kernels.products import products

SPACING = 0.9
# The standard normal holds 1e-12 beyond REACH; less than exp(-DEPTH) of the largest term is nothing.
REACH, DEPTH = 7.0, 24.0
# Where most of the density lies is guessed with a variance of the means of at most this share of the whole.
WIDEST_SHARE = 0.75
# Points that a guess, whose middle is one of the means, may need beyond what the means and REACH need.
MARGIN = math.ceil(math.sqrt(2.0 * (DEPTH + 2.0) / (1.0 - WIDEST_SHARE)) / SPACING) + 8
# Products are taken into a logarithm before they can leave exp(+-SAFE).
SAFE = 600.0
# Rows at a time, whose points stay in the cache.
ROWS = 32
# Limits of a table of exponentials: their exponents, and their number.
LARGEST_EXPONENT, LARGEST_TABLE = 600.0, 1 << 20


def within_tables(y, w, tilt):
    """Which of the rows with the unit at `y` are for :func:`log_integrals`; the others are far away, or w is large."""
    low = tilt + np.minimum(w, 0).sum() - REACH
    high = tilt + np.maximum(w, 0).sum() + REACH
    width = np.maximum(np.abs(low - y), np.abs(high - y)) + MARGIN * SPACING
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
    low, high, largest = tilt, tilt, 0.0
    for j in range(w.size):
        low += min(w[j], 0.0)
        high += max(w[j], 0.0)
        largest = max(largest, abs(w[j]))
    first = math.floor((low - REACH - np.max(y)) / SPACING) - MARGIN
    last = math.ceil((high + REACH - np.min(y)) / SPACING) + MARGIN
    growth = np.empty((last - first + 1, w.size))
    for k in range(growth.shape[0]):
        shift = (first + k) * SPACING
        for j in range(w.size):
            growth[k, j] = exp(shift * w[j])
    table = (growth, first, high - low, largest, tilt)
    starts = np.empty(y.size, np.int64)
    n_points = _middles(y, on, off, w, (low, high, tilt), starts)
    room = np.empty((2, ROWS, n_points))
    for r in range(0, y.size, ROWS):
        some = slice(r, r + ROWS)
        _some_integrals(
            y[some], on[some], off[some], table, (low, high), starts[some], room, out[some]
        )


@jit
def _some_integrals(y, on, off, table, means, starts, room, out):
    """Of at most `ROWS` rows."""
    low, high = means
    logs, factors = room[0][: y.size], room[1][: y.size]
    _log_densities(y, on, off, table, starts, logs, factors)
    _log_sums(logs, out)
    for r in range(y.size):
        if not _holds_all(logs[r], y[r] + starts[r] * SPACING, low, high):
            starts[r] = math.floor((low - REACH - y[r]) / SPACING)
            last = math.ceil((high + REACH - y[r]) / SPACING)
            whole, one = np.empty((2, 1, (last - starts[r] + 4) // 4 * 4)), slice(r, r + 1)
            _log_densities(y[one], on[one], off[one], table, starts[one], whole[0], whole[1])
            _log_sums(whole[0], out[one])


@jit(reorder=True)
def _middles(y, on, off, w, means, starts):
    """Where the points of each row should start: -> how many of them, a multiple of four."""
    low, high, tilt = means
    widest = 0.0
    for r in range(y.size):
        slope, bend = tilt, 0.0
        for j in range(w.size):
            pull = on[r, j] * w[j]
            slope += pull
            bend += pull * off[r, j] * w[j]
        bend = min(bend, WIDEST_SHARE)
        widest = max(widest, bend)
        # A step of Newton's method from y.
        middle = min(max(y[r] + (slope - y[r]) / (1.0 - bend), low), high)
        starts[r] = math.floor((middle - y[r]) / SPACING + 0.5)
    half = 2 * math.ceil(math.sqrt(2.0 * (DEPTH + 2.0) / (1.0 - widest)) / SPACING / 2.0)
    starts -= half
    return 2 * half


@jit
def _log_densities(y, on, off, table, starts, logs, factors):
    """logs[r, k] = log p(y_r + (starts_r + k) h) + log I; `factors` is overwritten."""
    growth, first, size, largest, tilt = table
    distance = 0.0
    for r in range(y.size):
        distance = max(distance, SPACING * max(starts[r] + logs.shape[1], -starts[r]))
    run = on.shape[1]  # factors, each within exp(+-distance |w_j|), as many as may be multiplied
    if distance * size > SAFE:
        run = int(max(SAFE / (distance * largest), 1.0))
    for r in range(y.size):
        for k in range(logs.shape[1]):
            shift = (starts[r] + k) * SPACING
            logs[r, k] = tilt * shift - 0.5 * (y[r] + shift) ** 2
    for j in range(0, on.shape[1], run):
        for r in range(y.size):
            p, q = off[r, j : j + run], on[r, j : j + run]
            products(p, q, growth, starts[r] - first, j, factors[r])
        _add_logs(factors.reshape(-1), logs.reshape(-1))


@jit
def _add_logs(x, out):
    """Out += log x."""
    for k in range(x.size):
        out[k] += log(x[k])


@jit(reorder=True)
def _log_sums(logs, out):
    """out[r] = log h + log sum_k exp(logs[r, k]); of `logs` the largest of each row is taken off."""
    for r in range(out.size):
        best = -np.inf
        for k in range(logs.shape[1]):
            best = max(best, logs[r, k])
        total = 0.0
        for k in range(logs.shape[1]):
            logs[r, k] -= best
            total += exp(max(logs[r, k], -700.0))
        out[r] = math.log(SPACING * total) + best


@jit
def _holds_all(logs, u, low, high):
    """Whether nothing is left beside these points, of which the first is `u`; the largest of `logs` is zero."""
    right = u + (logs.size - 1) * SPACING
    beyond = logs[logs.size - 1] + 0.5 * max(high - right, 0.0) ** 2
    before = logs[0] + 0.5 * max(u - low, 0.0) ** 2
    return max(before, beyond) < -DEPTH
