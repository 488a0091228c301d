"""Asynchronous dynamics of dense associative memories, one unit at a time.

A unit i compares its two states by the *field*

    f_i = sum_mu [F(y_mu + xi_mu,i) - F(y_mu - xi_mu,i)],     y_mu = sum_{j != i} xi_mu,j s_j,

with memories xi of the entries -1, 0 (unknown) and +1. The overlaps x_mu = xi_mu's are kept and change with each flip,
so that a look at a unit costs one term a memory. They are whole numbers, and F(y + 1) - F(y - 1) is looked up. The
values of F span more than floating-point numbers do: each row of the table is scaled by another power of two, and a
look uses the row in which the largest term is neither huge nor tiny. Terms that vanish there are below the rounding
error of the sum.
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
        The row to use, by the largest y (`signed`) or |y| among the terms.
    signed : bool
    slack : float
        What rounding may have done to a field is at most this times the sum of its terms' absolute values.
    base : float
    """

    table: Any
    levels: Any
    signed: bool
    slack: float
    base: float


@jit(reorder=True)
def _largest(overlaps, column, state, signed):
    """The largest y, or |y|, of the memories that know the unit."""
    none = np.int32(-LARGEST)
    top = none
    for m in range(overlaps.size):
        y = np.int32(overlaps[m] - np.int32(state * np.int32(column[m])))
        size = y if signed else np.int32(abs(y))
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
def _level(overlaps, column, state, steps):
    """Row of the table in which the largest of the terms that count is of size one."""
    if len(steps.table) == 1:
        return np.int64(0)
    middle = steps.levels.size // 2
    top = _largest(overlaps, column, state, steps.signed)
    return steps.levels[max(top + middle, 0)]


@jit
def _follow(overlaps, column, change):
    for m in range(overlaps.size):
        overlaps[m] += np.int32(change * np.int32(column[m]))


@jit(reorder=True)
def fields(S, overlaps, memories, steps, out, levels):
    """out[r, i] 2^(base + width levels[r, i]) = field of unit i in the state S[r]; zero where rounding hides the sign.

    `S` (rows, n_units) and `memories` (n_units, n_memories) are int8, `overlaps` (rows, n_memories) int32.
    """
    for r in range(len(S)):
        x = overlaps[r]
        for i in range(len(memories)):
            state = np.int32(S[r, i])
            level = _level(x, memories[i], state, steps)
            total, size = _sum(x, memories[i], state, steps.table[level])
            out[r, i] = total if abs(total) > steps.slack * size else 0.0
            levels[r, i] = level


@jit(reorder=True)
def sweep(rows, order, S, overlaps, memories, steps, free, lots, flips):
    """Let the units `order` of the rows `rows` of `S` take the state of lower energy, one after the other, in place.

    The arrays are those of :func:`fields`; `overlaps` follow. Where both states have one energy a unit keeps its state,
    and a unit without one (0) takes that of `lots` (n_units,). Units that are not `free` (rows, n_units) stay.
    flips[r] counts the changes in row r.
    """
    for r in rows:
        x = overlaps[r]
        for i in order:
            if not free[r, i]:
                continue
            column, state = memories[i], np.int32(S[r, i])
            level = _level(x, column, state, steps)
            total, size = _sum(x, column, state, steps.table[level])
            if abs(total) > steps.slack * size:
                new = np.int32(1 if total > 0 else -1)
            else:
                new = np.int32(lots[i]) if state == 0 else state
            if new == state:
                continue
            S[r, i] = new
            flips[r] += 1
            _follow(x, column, np.int32(new - state))
