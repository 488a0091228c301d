"""Hamming distances between codes whose bits are packed into words of 64."""

import numpy as np

from ebm._jit import jit

# Masks that add up neighboring fields of 1, 2 and 4 bits, and the sum of all bytes of a word in its highest byte.
PAIRS = np.uint64(0x5555555555555555)
FOURS = np.uint64(0x3333333333333333)
BYTES = np.uint64(0x0F0F0F0F0F0F0F0F)
ONES = np.uint64(0x0101010101010101)


@jit(inline=True)
def _count(x):
    """How many bits of a word are one."""
    x = np.uint64(x - ((x >> np.uint64(1)) & PAIRS))
    x = np.uint64((x & FOURS) + ((x >> np.uint64(2)) & FOURS))
    x = np.uint64((x + (x >> np.uint64(4))) & BYTES)
    return np.uint64(np.uint64(x * ONES) >> np.uint64(56))


@jit
def distances(codes, query, out):
    """out[r] = bits in which row r of `codes` (rows, words), uint64, and `query` (words,) differ; `out` is int32."""
    for r in range(codes.shape[0]):
        total = np.uint64(0)
        for w in range(codes.shape[1]):
            total = np.uint64(total + _count(np.uint64(codes[r, w] ^ query[w])))
        out[r] = total


@jit
def nearest(codes, queries, apart, places, index, distance):
    """The nearest rows of `codes` for each of the `queries`, nearest first, and of equally near ones the first row.

    They are as many as `index` and `distance` (queries, n) have columns. `apart` (rows,) and `places` (bits + 2,), both
    int32, are for numbers in between: the distances, and where those of each size go.
    """
    n = index.shape[1]
    for q in range(queries.shape[0]):
        distances(codes, queries[q], apart)
        places[:] = 0
        for r in range(apart.size):
            places[apart[r] + 1] += 1
        for d in range(1, places.size):
            places[d] += places[d - 1]
        for r in range(apart.size):
            k = places[apart[r]]
            places[apart[r]] += 1
            if k < n:
                index[q, k] = r
                distance[q, k] = apart[r]
