"""Asynchronous dynamics of dense associative memories, one unit at a time.

A unit i compares its two states by the *field*

    f_i = sum_mu [F(y_mu + xi_mu,i) - F(y_mu - xi_mu,i)],     y_mu = sum_{j != i} xi_mu,j s_j,

with memories xi of the entries -1, 0 (unknown) and +1. The overlaps x_mu = xi_mu's are kept and change with each flip,
so that a look at a unit costs one term a memory. They are whole numbers, and F(y + 1) - F(y - 1) is looked up. The
values of F span more than floating-point numbers do. Each row of the table is therefore scaled by another power of two,
and a look-up uses the row in which the largest term is neither huge nor tiny. Terms that vanish there are below the
rounding error of the sum. Where the sum could be mere rounding, terms are first counted by their y, so that opposite
terms cancel exactly. The largest term that is left decides on the row.
"""

from typing import Any, NamedTuple

import numpy as np

from ebm._jit import jit

LARGEST = 1 << 30  # beyond every overlap


class Steps(NamedTuple):
    """F(y + 1) - F(y - 1) by whole numbers y from -(n_units - 1) to n_units - 1.

    Attributes
    ----------
    table : ndarray of shape (n_levels, 2 n_units - 1)
        Row l holds the steps divided by 2^(base + width l), zero where that is too large for the row's level.
    levels : ndarray of int64 of shape (2 n_units - 1,)
        The row to use, by the largest y among the terms, or by the largest |y| where there is a `mirror`.
    mirror : int
        +1 or -1 if the step at -y is that many times the one at y, else 0.
    slack : float
        The rounding error of a field is at most this times the sum of its terms' absolute values.
    base : float
    """

    table: Any
    levels: Any
    mirror: int
    slack: float
    base: float


@jit(reorder=True)
def _largest(overlaps, column, state, mirror):
    """The largest y, or |y|, of the memories that know the unit."""
    none = np.int32(-LARGEST)
    top = none
    for m in range(overlaps.size):
        y = np.int32(overlaps[m] - np.int32(state * np.int32(column[m])))
        size = y if mirror == 0 else np.int32(abs(y))
        top = max(top, size if column[m] != 0 else none)
    return top


@jit(reorder=True)
def _sum(overlaps, column, state, row):
    """The field of a unit, by one row of the table, and the sum of its terms' absolute values."""
    middle = np.int32(row.size // 2)
    total, size = 0.0, 0.0
    for m in range(overlaps.size):
        # An index that cannot be negative needs no wrapping around, and then the loop vectorises.
        place = np.uint32(overlaps[m] - np.int32(state * np.int32(column[m])) + middle)
        term = np.float64(column[m]) * row[place]
        total += term
        size += abs(term)
    return total, size


@jit
def _sum_by_counts(overlaps, column, state, steps, counts):
    """The same as :func:`_sum`, and the row of the table that it used, from how often each y comes up."""
    middle = counts.size // 2
    counts[:] = 0
    for m in range(overlaps.size):
        y, sign = overlaps[m] - state * column[m], np.int64(column[m])
        if y < 0 and steps.mirror != 0:
            y, sign = -y, sign * steps.mirror
        counts[y + middle] += sign
    top = counts.size - 1
    while top > 0 and counts[top] == 0:
        top -= 1
    level = steps.levels[top]
    row = steps.table[level]
    total, size = 0.0, 0.0
    for k in range(top + 1):
        term = counts[k] * row[k]
        total += term
        size += abs(term)
    return total, size, level


@jit
def _field(overlaps, column, state, steps, counts):
    """The field of a unit over the scale of a row of the table, zero where its sign cannot be told; and that row."""
    level = np.int64(0)
    if len(steps.table) > 1:
        top = _largest(overlaps, column, state, steps.mirror)
        level = steps.levels[max(top + steps.levels.size // 2, 0)]
    total, size = _sum(overlaps, column, state, steps.table[level])
    if abs(total) <= steps.slack * size:
        total, size, level = _sum_by_counts(overlaps, column, state, steps, counts)
        if abs(total) <= steps.slack * size:
            total = 0.0
    return total, level


@jit
def _follow(overlaps, column, change):
    for m in range(overlaps.size):
        overlaps[m] += np.int32(change * np.int32(column[m]))


@jit
def fields(S, overlaps, memories, steps, out, levels):
    """out[r, i] 2^(base + width levels[r, i]) = field of unit i in the state S[r]; zero where rounding hides the sign.

    `S` (rows, n_units) and `memories` (n_units, n_memories) are int8, `overlaps` (rows, n_memories) int32.
    """
    counts = np.empty(steps.levels.size, np.int64)
    for r in range(len(S)):
        for i in range(len(memories)):
            state = np.int32(S[r, i])
            out[r, i], levels[r, i] = _field(overlaps[r], memories[i], state, steps, counts)


@jit
def sweep(rows, order, S, overlaps, memories, steps, free, lots, flips):
    """Let the units `order` of the rows `rows` of `S` take the state of lower energy, one after the other, in place.

    The arrays are those of :func:`fields`; `overlaps` follow. Where both states have one energy a unit keeps its state,
    and a unit without one (0) takes that of `lots` (n_units,). Units that are not `free` (rows, n_units) stay.
    flips[r] counts the changes in row r.
    """
    counts = np.empty(steps.levels.size, np.int64)
    for r in rows:
        x = overlaps[r]
        for i in order:
            if not free[r, i]:
                continue
            column, state = memories[i], np.int32(S[r, i])
            field, _ = _field(x, column, state, steps, counts)
            if field != 0:
                new = np.int32(1 if field > 0 else -1)
            else:
                new = np.int32(lots[i]) if state == 0 else state
            if new == state:
                continue
            S[r, i] = new
            flips[r] += 1
            _follow(x, column, np.int32(new - state))
