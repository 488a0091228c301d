"""A 64-bit fingerprint of each row's content, by which training shuffles rows whatever order they come in."""

import numpy as np

from ebm._jit import jit

# Odd multipliers: the golden ratio and the square root of two, in 64-bit fixed point. Any odd numbers without
# pattern would do.
COLUMN = np.uint64(0x9E3779B97F4A7C15)
MINUS_ZERO = np.uint64(0x80000000)
MIX = np.uint64(0x6A09E667F3BCC909)


@jit(inline=True)
def _word(c, bits):
    """A mix of the column and the bits of its value; zero for zeros."""
    shift = np.uint64(29)
    bits = np.uint64(bits)
    if bits == MINUS_ZERO:
        bits = np.uint64(0)
    word = np.uint64(bits * np.uint64(np.uint64(2 * c + 1) * COLUMN))
    word = np.uint64((word ^ np.uint64(word >> shift)) * MIX)
    return np.uint64(word ^ np.uint64(word >> shift))


@jit
def fingerprints(x, out):
    """out[r] = sum over columns of a mix of (column, value); zeros add nothing, whatever their sign.

    `x` (rows, columns) holds the bits of float32 values, as uint32.
    """
    for r in range(x.shape[0]):
        total = np.uint64(0)
        for c in range(x.shape[1]):
            total = np.uint64(total + _word(c, x[r, c]))
        out[r] = total


@jit
def sparse_fingerprints(indptr, indices, x, out):
    """The same of CSR rows, `x` being the bits of their entries, at most one for each column."""
    for r in range(out.size):
        total = np.uint64(0)
        for k in range(indptr[r], indptr[r + 1]):
            total = np.uint64(total + _word(indices[k], x[k]))
        out[r] = total


@jit
def content(words, tail, lanes):
    """A 64-bit fingerprint of a whole array, at the speed of reading it; `lanes` (n, width), uint64, is overwritten.

    `words` (uint64) and `tail` (uint8) are its bytes. The words are read as n streams side by side, which takes a third
    of the time of one. Every step of a lane can be inverted (a product with an odd number, a shifted copy). So one
    changed word always changes the result, and several changed words do so except with a probability of about 2**-64.
    The shift carries the sign bits down: products alone would leave them on top, where two of them cancel. (A call for
    every row of lanes instead of its body takes more than twice the time.)
    """
    n_streams, width = lanes.shape
    part, total = words.size // n_streams, np.uint64(0)
    whole = part - part % width
    lanes[:] = np.uint64(0)
    for start in range(0, whole, width):
        for stream in range(n_streams):
            first = stream * part + start
            _stir_lanes(lanes[stream], words[first : first + width])
    for stream in range(n_streams):
        for lane in range(width):
            total = _stir(total, lanes[stream, lane])
        for i in range(stream * part + whole, (stream + 1) * part):
            total = _stir(total, words[i])
    for i in range(n_streams * part, words.size):
        total = _stir(total, words[i])
    for i in range(tail.size):
        total = _stir(total, np.uint64(tail[i]))
    return total


@jit(inline=True)
def _stir_lanes(totals, words):
    shift = np.uint64(32)
    for lane in range(totals.size):
        word = np.uint64((totals[lane] ^ words[lane]) * COLUMN)
        totals[lane] = np.uint64(word ^ np.uint64(word >> shift))


@jit
def _stir(total, word):
    total = np.uint64((total ^ word) * MIX)
    return np.uint64(total ^ np.uint64(total >> np.uint64(32)))
