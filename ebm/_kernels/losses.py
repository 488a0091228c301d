"""Losses of linear outputs `z` (rows, outputs): value and derivative in one pass.

Every function takes the `targets` (rows, outputs) and the rows' `weights` (rows,), returns the weighted sum of the
rows' losses, accumulated in double precision, and overwrites z with minus its derivative. The formulas stand in
:mod:`ebm.networks.losses`. NaN stays NaN.
"""

import numpy as np

from ebm._jit import jit
from ebm._kernels.elementary import SATURATION, exp, log

# Products of this many factors between 1 and 2 do not overflow in double precision.
RUN = 512
# Beyond it exp overflows; the limit is that of elementary.exp.
LIMIT_SINGLE, LIMIT_DOUBLE = 87.0, 700.0


@jit(inline=True)
def _limited(x, limit):
    x = limit if x > limit else x
    return -limit if x < -limit else x


@jit(reorder=True)
def _shifted_exp(row):
    """A row's numbers -> exp(number - largest), in place; the largest, and the sum in double precision."""
    T = type(row[0])
    largest, total = row[0], 0.0
    for c in range(row.size):
        largest = row[c] if row[c] > largest else largest
    for c in range(row.size):
        x = row[c] - largest
        row[c] = exp(T(-SATURATION) if x < T(-SATURATION) else x)
    for c in range(row.size):
        total += np.float64(row[c])
    return largest, total


@jit(reorder=True)
def cross_entropy(z, targets, weights):
    """Sum over rows of w [t log sum exp(z) - sum t z], with t = sum of the row's targets."""
    T = z.dtype.type
    value = 0.0
    for r in range(z.shape[0]):
        row, t, w = z[r], targets[r], weights[r]
        mass, hit = 0.0, 0.0
        for c in range(row.size):
            mass += np.float64(t[c])
            hit += np.float64(t[c]) * np.float64(row[c])
        largest, total = _shifted_exp(row)
        value += np.float64(w) * (mass * (log(total) + np.float64(largest)) - hit)
        scale = T(mass / total)
        for c in range(row.size):
            row[c] = w * (t[c] - scale * row[c])
    return value


@jit(reorder=True)
def binary_cross_entropy(z, targets, weights):
    """Sum of w [log(1 + exp(z)) - t z]: logarithms are taken of products."""
    T = z.dtype.type
    value = 0.0
    for r in range(z.shape[0]):
        w, loss = weights[r], 0.0
        for start in range(0, z.shape[1], RUN):
            row, t = z[r, start : start + RUN], targets[r, start : start + RUN]
            product, rest = 1.0, 0.0
            for c in range(row.size):  # counted from zero: else this loop does not vectorise
                x = row[c]
                a = abs(x)
                e = exp(-(T(SATURATION) if a > T(SATURATION) else a))
                product *= 1.0 + np.float64(e)
                rest += np.float64(T(0.5) * (x + a) - t[c] * x)
                row[c] = w * (t[c] - (e if x < T(0.0) else T(1.0)) / (T(1.0) + e))
            loss += log(product) + rest
        value += np.float64(w) * loss
    return value


@jit(reorder=True)
def squared_error(z, targets, weights):
    """Sum of w (z - t)^2 / 2."""
    value = 0.0
    for r in range(z.shape[0]):
        row, t, w = z[r], targets[r], weights[r]
        loss = 0.0
        for c in range(row.size):
            d = t[c] - row[c]
            loss += np.float64(d) * np.float64(d)
            row[c] = w * d
        value += 0.5 * np.float64(w) * loss
    return value


@jit(reorder=True)
def huber(z, targets, weights, delta):
    """Sum of w c (d - c / 2), with d = t - z and c = d clipped to +-delta."""
    delta = z.dtype.type(delta)
    value = 0.0
    for r in range(z.shape[0]):
        row, t, w = z[r], targets[r], weights[r]
        loss = 0.0
        for c in range(row.size):
            d = t[c] - row[c]
            clipped = _limited(d, delta)
            loss += np.float64(clipped) * (np.float64(d) - 0.5 * np.float64(clipped))
            row[c] = w * clipped
        value += np.float64(w) * loss
    return value


@jit(reorder=True)
def poisson(z, targets, weights, limit):
    """Sum of w [exp(z) - t - t z + t log t], infinite where z is beyond the `limit` of exp."""
    T = z.dtype.type
    limit = T(limit)
    value = 0.0
    for r in range(z.shape[0]):
        row, t, w = z[r], targets[r], weights[r]
        loss = 0.0
        for c in range(row.size):
            x, count = row[c], t[c]
            rate = T(np.inf) if x > limit else exp(_limited(x, limit))
            entropy = count * log(T(1.0) if count <= T(0.0) else count)
            loss += np.float64(entropy - count * x) + np.float64(rate - count)
            row[c] = w * (count - rate)
        value += np.float64(w) * loss
    return value
