"""Dropout, maxout and batch normalisation: the element-wise passes of layers that are no activation of one unit."""

import numpy as np

from ebm._jit import jit
from ebm._kernels.counter import block_rows, fill_words


@jit
def drop(x, threshold, scale, key0, key1, first_row):
    """Multiply each entry of `x` (rows, units) by `scale` or by zero, in place; zero is not to be.

    An entry stays if its random word is below `threshold`, and row r has the words of row ``first_row + r``: the same
    entries stay, whenever it is called. A product, not a choice, so that NaN stays NaN.
    """
    T = x.dtype.type
    threshold, scale = np.uint32(threshold), T(scale)
    n = x.shape[1]
    even = n + n % 2
    step = block_rows(n)
    words = np.empty(step * even, np.uint32)
    for first in range(0, x.shape[0], step):
        count = min(step, x.shape[0] - first)
        fill_words(words[: count * even], key0, key1, (first_row + first) * (even // 2))
        for r in range(count):
            row = words[r * even : (r + 1) * even]
            for c in range(n):
                x[first + r, c] *= scale if row[c] < threshold else T(0)


@jit
def largest(x, out, winners):
    """Write the largest of each unit's pieces, consecutive columns of `x`, to `out`, and its number to `winners`.

    Of equal ones the first wins, and NaN wins over everything.
    """
    n_pieces = x.shape[1] // out.shape[1]
    for r in range(out.shape[0]):
        if n_pieces == 2:  # the same with a stride that the compiler knows is twelve times faster
            _larger(x[r], out[r], winners[r])
        else:
            _largest(x[r], out[r], winners[r], n_pieces)


@jit
def _larger(x, out, winners):
    for c in range(out.size):
        first, second = x[2 * c], x[2 * c + 1]
        wins = second > first or second != second
        out[c] = second if wins else first
        winners[c] = wins


@jit
def _largest(x, out, winners, n_pieces):
    for c in range(out.size):
        best, winner = x[c * n_pieces], 0
        for k in range(1, n_pieces):
            one = x[c * n_pieces + k]
            wins = one > best or one != one
            best = one if wins else best
            winner = k if wins else winner
        out[c] = best
        winners[c] = winner


@jit
def to_winners(delta, winners, out):
    """Write the derivatives `delta` by each unit's output to its winning piece's column of `out`, zeros elsewhere."""
    T = delta.dtype.type
    n_pieces = out.shape[1] // delta.shape[1]
    for r in range(delta.shape[0]):
        for c in range(out.shape[1]):
            out[r, c] = T(0)
        for c in range(delta.shape[1]):
            out[r, c * n_pieces + np.int64(winners[r, c])] = delta[r, c]


@jit
def moments(x, mean, variance):
    """Write the mean and the (biased) variance of the columns of `x` to vectors in double precision.

    Two passes: the second corrects for the rounding of the mean (Chan, Golub & LeVeque 1983, equation 1.7).
    """
    rows, n = x.shape
    slip = np.zeros(n)
    mean[:] = 0
    variance[:] = 0
    for r in range(rows):
        for c in range(n):
            mean[c] += np.float64(x[r, c])
    for c in range(n):
        mean[c] /= rows
    for r in range(rows):
        for c in range(n):
            d = np.float64(x[r, c]) - mean[c]
            slip[c] += d
            variance[c] += d * d
    for c in range(n):
        variance[c] = (variance[c] - slip[c] * slip[c] / rows) / rows


@jit
def follow(running, batch, fresh):
    """Move running moments by the share `fresh` towards those of a batch, unless these are not finite."""
    T = type(running[0])
    for c in range(running.size):
        if np.isfinite(batch[c]):
            running[c] += T(fresh) * (T(batch[c]) - running[c])


@jit
def normalise(x, mean, scale, params, out):
    """Write gamma (x - mean) scale + beta to `out`, for `mean` and `scale` (units,) in double precision."""
    T = x.dtype.type
    gamma, beta = params.gamma, params.beta
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            out[r, c] = gamma[c] * T((np.float64(x[r, c]) - mean[c]) * scale[c]) + beta[c]


@jit
def normalise_back(x, mean, scale, params, delta, gradient, of_batch):
    """Derivatives `delta` by the outputs of :func:`normalise` -> those by `x`, in place; those by gamma and beta.

    `of_batch` tells whether mean and scale are of the batch itself, and so functions of x.
    """
    rows, n = x.shape
    T = x.dtype.type
    plain, against = np.zeros(n), np.zeros(n)
    for r in range(rows):
        for c in range(n):
            d = np.float64(delta[r, c])
            plain[c] += d
            against[c] += d * ((np.float64(x[r, c]) - mean[c]) * scale[c])
    for c in range(n):
        gradient.beta[c], gradient.gamma[c] = T(plain[c]), T(against[c])
    share = 1.0 / rows if of_batch else 0.0
    for r in range(rows):
        for c in range(n):
            z = (np.float64(x[r, c]) - mean[c]) * scale[c]
            own_share = np.float64(delta[r, c]) - share * (plain[c] + z * against[c])
            delta[r, c] = T(np.float64(params.gamma[c]) * scale[c] * own_share)
