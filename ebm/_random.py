"""Random streams without state: a key per purpose, a counter per draw.

A *seed* opens a set of named streams, each a 64-bit key; :func:`fold` derives the key of one step, chain or epoch.
Every number drawn is a pure function of (seed, stream, step, row, column), whatever thread, chunk or model draws it
(:mod:`ebm._kernels.counter`).
"""

import enum
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from ebm._kernels import counter
from ebm._memory import ask

BLOCK = 1 << 14  # numbers made at a time
# Arrays that there are, sooner or later, of what starts at random: the weights, their gradient, memory and old values.
COPIES = 4
STREAMS = ("init", "shuffle", "positive", "negative", "tempering", "evaluation")


@enum.unique
class Reserved(enum.Enum):
    """Numbers of keys that serve one purpose, far beyond the numbers that count layers, steps, rows or calls.

    Each is (family of keys, number): the family is a stream, or the keys that are derived for one update, one walk or
    one annealing. Two purposes never have the same number in one family. Purposes that need several keys count up from
    their number.
    """

    NEW_UNITS = "init", 1 << 32
    LAYER_SEEDS = "init", 1 << 42
    FIRST_ENTRIES = "init", 1 << 43
    PATHWAY_SEEDS = "init", 1 << 44
    FINE_TUNING = "layer seeds", 1 << 20
    HELD_OUT = "shuffle", 1 << 32
    DRAWN_ROWS = "epoch", 1 << 32
    PROPAGATION = "positive", 1 << 42
    MISSING_ENTRIES = "positive", 1 << 43
    FIRST_HIDDEN = "update", 1 << 20
    REPLICA_HIDDEN = "update", 1 << 32
    DROPOUT = "update", 1 << 48
    LAYER_DRAWS = "draw of a color", 1 << 40
    VISIT_ORDER = "sweeps", 1 << 40
    TIES = "recall", 1 << 40
    IMPUTATION = "evaluation", 1 << 40
    ANNEALING = "evaluation", 1 << 41
    BOUND = "evaluation", 1 << 43
    MODES = "evaluation", 1 << 44
    PLACEMENT = "evaluation", 1 << 45
    REVERSE_FROM_ROWS = "annealing", 1 << 32
    CLAMPED_ROWS = "annealing", 1 << 42
    BASE_TRIALS = "annealing", 1 << 43
    INCOMPLETE_ROWS = "annealing", 1 << 44

    @property
    def number(self) -> int:
        """The number, or the first of several."""
        number: int = self.value[1]
        return number


class Key(NamedTuple):
    """A 64-bit key as two words, each in [0, 2**32)."""

    word0: int
    word1: int


def stream(seed: int, name: str) -> Key:
    """Key of the stream `name` (one of :data:`STREAMS`) that the integer `seed` opens."""
    sequence = np.random.SeedSequence(seed, spawn_key=(STREAMS.index(name),))
    word0, word1 = sequence.generate_state(2, np.uint32)
    return Key(int(word0), int(word1))


def fold(key: Key, number: int) -> Key:
    """Key number `number` (0 <= number < 2**64) of the family that `key` opens."""
    return Key(*counter.fold(key[0], key[1], number & 0xFFFFFFFF, number >> 32))


def family(key: Key, first: int, count: int) -> np.ndarray:
    """The keys number `first`, `first` + 1, ... of the family that `key` opens: (count, 2), int64."""
    out = np.empty((count, 2), np.int64)
    counter.family(key[0], key[1], first, out)
    return out


def normal(key: Key, shape: tuple[int, int], dtype: Any = np.float64) -> np.ndarray:
    """Independent standard normal deviates of the given `shape` (rows, columns)."""
    out = np.empty(_with_room(shape[0] * shape[1], dtype), dtype)
    for start in range(0, out.size, BLOCK):
        counters = np.arange(start, min(start + BLOCK, out.size), dtype=np.uint64)
        uniform = ((words(key, counters) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        out[start : start + BLOCK] = ndtri(uniform)
    return out.reshape(shape)


def uniform(key: Key, count: int) -> np.ndarray:
    """Independent deviates (count,), uniform in (0, 1), in double precision."""
    bits = words(key, np.arange(_with_room(count), dtype=np.uint64)) >> np.uint64(11)
    return (bits.astype(np.float64) + 0.5) * 2.0**-53


def _with_room(count: int, dtype: Any = np.float64) -> int:
    """Return the `count` of numbers; MemoryError if there is no memory for all the arrays that go with so many."""
    if count > BLOCK:
        ask(COPIES * count * np.dtype(dtype).itemsize)
    return count


def permutation(key: Key, count: int) -> np.ndarray[Any, Any]:
    """The numbers below `count` (count,), int64, all orders being equally likely."""
    return np.argsort(uniform(key, count), kind="stable")


def choices(key: Key, count: int) -> np.ndarray[Any, Any]:
    """As many independent numbers (count,), int64, each equally likely to be any below `count`."""
    return (uniform(key, count) * count).astype(np.int64)


def words(key: Key, counters: np.ndarray) -> np.ndarray:
    """One 64-bit random word for each 64-bit counter: uint64 in, uint64 out, of the same shape."""
    out = np.empty_like(counters)
    counter.words(key[0], key[1], counters.ravel(), out.ravel())
    return out
