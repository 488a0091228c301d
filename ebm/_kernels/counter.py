"""Counter-based random words: Threefry-2x32 (Salmon, Moraes, Dror & Shaw 2011).

A block cipher turns a 64-bit key and a 64-bit counter into 64 random bits. There is no state: word number c of key k is
a pure function of (k, c). Draws do not depend on their order, nor on the thread that makes them. Here the counter gives
the row of an array and the pair of columns that is filled. Rows of n columns take (n + 1) // 2 counters each. Row r of
a matrix therefore gets the same numbers whatever other rows are filled. The key says what the draw is for
(:mod:`ebm._random`). Thirteen rounds pass the BigCrush battery (the paper's table 2); this is the published
twenty-round variant, with the paper's safety margin.
"""

import numpy as np

from ebm._jit import jit

PARITY = np.uint32(0x1BD11BDA)
FROM_WORD = 2.0**-32
# Words drawn ahead at a time: they and the numbers they decide on stay in the innermost cache.
BLOCK_WORDS = 4096
# The integers are signed where they count and unsigned where they are mixed: unsigned 32-bit words are what the
# cipher is defined on, and what vectorises to the widest registers.


@jit(inline=True)
def _round(x0, x1, left, right):
    x0 = np.uint32(x0 + x1)
    x1 = np.uint32(np.uint32(x1 << left) | np.uint32(x1 >> right))
    return x0, np.uint32(x1 ^ x0)


@jit(inline=True)
def _even_rounds(x0, x1):
    x0, x1 = _round(x0, x1, np.uint32(13), np.uint32(19))
    x0, x1 = _round(x0, x1, np.uint32(15), np.uint32(17))
    x0, x1 = _round(x0, x1, np.uint32(26), np.uint32(6))
    return _round(x0, x1, np.uint32(6), np.uint32(26))


@jit(inline=True)
def _odd_rounds(x0, x1):
    x0, x1 = _round(x0, x1, np.uint32(17), np.uint32(15))
    x0, x1 = _round(x0, x1, np.uint32(29), np.uint32(3))
    x0, x1 = _round(x0, x1, np.uint32(16), np.uint32(16))
    return _round(x0, x1, np.uint32(24), np.uint32(8))


@jit(inline=True)
def _inject(x0, x1, key0, key1, number):
    return np.uint32(x0 + key0), np.uint32(x1 + np.uint32(key1 + number))


@jit(inline=True)
def threefry(key0, key1, counter0, counter1):
    """Two random 32-bit words for a 64-bit key and a 64-bit counter, each given as two words."""
    key0, key1 = np.uint32(key0), np.uint32(key1)
    key2 = np.uint32(np.uint32(PARITY ^ key0) ^ key1)
    x0, x1 = np.uint32(counter0 + key0), np.uint32(counter1 + key1)
    x0, x1 = _even_rounds(x0, x1)
    x0, x1 = _inject(x0, x1, key1, key2, np.uint32(1))
    x0, x1 = _odd_rounds(x0, x1)
    x0, x1 = _inject(x0, x1, key2, key0, np.uint32(2))
    x0, x1 = _even_rounds(x0, x1)
    x0, x1 = _inject(x0, x1, key0, key1, np.uint32(3))
    x0, x1 = _odd_rounds(x0, x1)
    x0, x1 = _inject(x0, x1, key1, key2, np.uint32(4))
    x0, x1 = _even_rounds(x0, x1)
    return _inject(x0, x1, key2, key0, np.uint32(5))


@jit
def block_rows(n_columns):
    """Rows of a matrix to draw at a time."""
    return max(1, BLOCK_WORDS // max(1, n_columns))


@jit
def fill_words(out, key0, key1, first):
    """Fill `out`, of even length, with the words of the counters first, first + 1, ...: two words each."""
    key0, key1 = np.uint32(key0), np.uint32(key1)
    for i in range(out.size // 2):
        low, high = np.uint32((first + i) & 0xFFFFFFFF), np.uint32((first + i) >> 32)
        word0, word1 = threefry(key0, key1, low, high)
        out[2 * i] = word0
        out[2 * i + 1] = word1


@jit
def fold(key0, key1, low, high):
    """The cipher on plain integers: the words of a new key."""
    x0, x1 = threefry(key0, key1, np.uint32(low), np.uint32(high))
    return np.int64(x0), np.int64(x1)


@jit
def words(key0, key1, counters, out):
    """out[i] = the 64 bits that the 64-bit counters[i] (uint64) selects."""
    mask = np.uint64(0xFFFFFFFF)
    for i in range(counters.size):
        low, high = np.uint32(counters[i] & mask), np.uint32(counters[i] >> np.uint64(32))
        x0, x1 = threefry(key0, key1, low, high)
        out[i] = (np.uint64(x1) << np.uint64(32)) | np.uint64(x0)


@jit
def family(key0, key1, first, out):
    """out[i] = the key number first + i of the family that the key opens: int64, (count, 2)."""
    for i in range(out.shape[0]):
        number = first + i
        out[i, 0], out[i, 1] = fold(key0, key1, number & 0xFFFFFFFF, number >> 32)
