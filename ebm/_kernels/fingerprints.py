"""A 64-bit fingerprint of each row's content, by which training shuffles rows whatever order they come in."""

import numpy as np

from ebm._jit import jit

# Odd multipliers: the golden ratio and the square root of two, in 64-bit fixed point. Any odd numbers without
# pattern would do.
COLUMN = np.uint64(0x9E3779B97F4A7C15)
MINUS_ZERO = np.uint64(0x80000000)
MIX = np.uint64(0x6A09E667F3BCC909)


@jit
def fingerprints(x, out):
    """out[r] = sum over columns of a mix of (column, value); zeros add nothing, whatever their sign.

    `x` (rows, columns) holds the bits of float32 values, as uint32.
    """
    shift = np.uint64(29)
    for r in range(x.shape[0]):
        total = np.uint64(0)
        for c in range(x.shape[1]):
            bits = np.uint64(x[r, c])
            if bits == MINUS_ZERO:
                bits = np.uint64(0)
            word = np.uint64(bits * np.uint64(np.uint64(2 * c + 1) * COLUMN))
            word = np.uint64((word ^ np.uint64(word >> shift)) * MIX)
            total = np.uint64(total + np.uint64(word ^ np.uint64(word >> shift)))
        out[r] = total
