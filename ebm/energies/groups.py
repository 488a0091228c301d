"""Sums over all states of a group of two-state units, exactly.

Of units with couplings J, on which fields f act from outside (their biases included),

    A(f) = log sum_s exp(beta [s'Js / 2 + f's]),        <s>_f,        <ss'>_f.

Units that are not connected to each other are independent given the others, and are summed out in closed form. Only the
others are enumerated. These are all units where every pair is connected, every second one of a square lattice, the
smaller one of two layers, and none where no two units are connected. These fall into a *suffix* of at most ten units,
whose states are a table, and a *prefix*, which acts on the suffix like a field:

    log p(prefix, suffix) = own(prefix) + own(suffix) + beta (f + J' prefix)' suffix + A_rest(f + J' prefix + J' suffix)

So a block of states is one matrix product and one pass of exponentials, at a few nanoseconds a state. Rounding errors
do not accumulate, since no result is carried from state to state. All in double precision.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed

from ebm._checks import Array
from ebm.energies.couplings import dense_couplings
from ebm.units import TwoState

# Units of the suffix: a row of 1024 states.
SUFFIX = 10
# # So many units have to be summed out to be worth it: logarithms make a state five times as slow, each unit halves the
# number of states.
WORTHWHILE = 3
# Numbers in a block: half a megabyte, which stays in the cache.
BLOCK_NUMBERS = 1 << 16
# Sums that are held at a time, one for each row of fields and state of the prefix.
HELD = 1 << 18


class Group(NamedTuple):
    """A group of units, prepared for sums at inverse temperature `beta`.

    Attributes
    ----------
    order : ndarray of int
        Numbers of the units: prefix, suffix, rest. Everything else here has this order.
    J : ndarray of shape (units, units)
    prefixes, suffixes : ndarray of shape (2 ** units, units)
        All states.
    own_prefix, own_suffix : ndarray of shape (2 ** units,)
        beta s'Js / 2 of the states.
    """

    unit: TwoState
    beta: float
    order: Array
    J: Array
    prefixes: Array
    suffixes: Array
    own_prefix: Array
    own_suffix: Array

    @property
    def parts(self) -> tuple[slice, slice, slice]:
        """Where in `order` the prefix, the suffix and the rest stand."""
        p: int = self.prefixes.shape[1]
        k: int = p + self.suffixes.shape[1]
        return slice(0, p), slice(p, k), slice(k, len(self.order))

    @property
    def step(self) -> int:
        """Pairs of a row and a prefix in a block."""
        n_rest: int = len(self.order) - self.parts[2].start
        return max(1, BLOCK_NUMBERS // (len(self.suffixes) * max(1, n_rest)))

    def starts(self, n_rows: int) -> range:
        """First pairs of the blocks that make up `n_rows` rows."""
        return range(0, n_rows * len(self.prefixes), self.step)

    def shares(self, n_rows: int) -> Iterator[slice]:
        """Consecutive rows, as many as are held at a time."""
        step = max(1, HELD // len(self.prefixes))
        return (slice(start, start + step) for start in range(0, n_rows, step))


def independent_units(J: Array) -> Array:
    """Mask of units no two of which are connected: the least connected one, the least connected of those left, and so
    on.
    """
    joined = dense_couplings(J) != 0
    chosen, left = np.zeros(len(joined), bool), np.ones(len(joined), bool)
    degree = joined.sum(axis=1)
    while left.any():
        i = int(np.argmin(np.where(left, degree, len(joined))))
        chosen[i] = True
        gone = left & joined[i]
        gone[i] = True
        left &= ~gone
        degree -= joined[:, gone].sum(axis=1)
    return chosen


def all_states(unit: TwoState, n_units: int) -> Array:
    """All states of some units: (2 ** n_units, n_units)."""
    low, high = unit.states or ()
    codes = np.arange(2**n_units)[:, np.newaxis]
    return np.where((codes >> np.arange(n_units)) & 1, high, low)


def group(unit: TwoState, J: Array, beta: float, limit: int, name: str) -> Group:
    """Prepare units of the couplings `J`, called `name`; ValueError if more than `limit` have to be enumerated."""
    J = dense_couplings(J)
    rest = independent_units(J)
    if len(J) <= limit and np.count_nonzero(rest) < WORTHWHILE:
        rest[:] = False
    listed = np.flatnonzero(~rest)
    if len(listed) > limit:
        raise ValueError(
            f"Exact sums over {len(J)} {name} need the enumeration of all states of {len(listed)} of them, but "
            f"at most {limit} can be enumerated. Use fewer units, or fewer couplings between them."
        )
    n_prefix = max(0, len(listed) - SUFFIX)
    order = np.concatenate([listed, np.flatnonzero(rest)])
    J = np.ascontiguousarray(J[np.ix_(order, order)], np.float64)
    p, c = slice(0, n_prefix), slice(n_prefix, len(listed))
    prefixes, suffixes = all_states(unit, n_prefix), all_states(unit, len(listed) - n_prefix)
    own_prefix = 0.5 * beta * np.einsum("ij,ij->i", prefixes @ J[p, p], prefixes)
    own_suffix = 0.5 * beta * np.einsum("ij,ij->i", suffixes @ J[c, c], suffixes)
    return Group(unit, beta, order, J, prefixes, suffixes, own_prefix, own_suffix)


class Block(NamedTuple):
    """Some pairs of a row of fields and a prefix, each with all suffixes.

    Attributes
    ----------
    rows, prefixes : ndarray of shape (pairs,)
        Numbers of the rows, ascending, and of the prefixes' states.
    log_weights : ndarray of shape (pairs, suffixes)
    inputs : ndarray of shape (pairs * suffixes, rest)
        Of the units that are summed out in closed form.
    """

    rows: Array
    prefixes: Array
    log_weights: Array
    inputs: Array


def block(group: Group, fields: Array, start: int) -> Block:
    """The block that begins with pair number `start`; `fields` (rows, units) in the group's order."""
    p, c, r = group.parts
    n_prefixes = len(group.prefixes)
    pairs = np.arange(start, min(start + group.step, len(fields) * n_prefixes))
    rows, numbers = pairs // n_prefixes, pairs % n_prefixes
    prefixes, f = group.prefixes[numbers], fields[rows]
    own = group.beta * np.einsum("ij,ij->i", prefixes, f[:, p]) + group.own_prefix[numbers]
    log_weights = (group.beta * (f[:, c] + prefixes @ group.J[p, c])) @ group.suffixes.T
    log_weights += group.own_suffix
    log_weights += own[:, np.newaxis]
    outer = f[:, r] + prefixes @ group.J[p, r]
    inputs = outer[:, np.newaxis] + group.suffixes @ group.J[c, r]
    inputs = inputs.reshape(log_weights.size, outer.shape[1])
    if inputs.size:
        summed_out = group.unit.log_normaliser(_without_bias(group, inputs), inputs, group.beta)
        log_weights += summed_out.reshape(log_weights.shape)
    return Block(rows, numbers, log_weights, inputs)


def _without_bias(group: Group, inputs: Array) -> tuple[Array, ...]:
    own: tuple[Array, ...] = group.unit.parameters(np.zeros(inputs.shape[1]))
    return own


def log_sums(group: Group, fields: Array, n_jobs: int | None = None) -> Array:
    """A(f) of each row f of `fields` (rows, units): -> (rows,). It does not depend on the count of threads."""
    return _log_sums(group, fields[:, group.order], n_jobs)


def _log_sums(group: Group, fields: Array, n_jobs: int | None) -> Array:
    out = np.empty(len(fields))
    for rows in group.shares(len(fields)):
        some = fields[rows]
        parts = Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(_log_sums_of_block)(group, some, start) for start in group.starts(len(some))
        )
        out[rows] = np.logaddexp.reduce(np.concatenate(parts).reshape(len(some), -1), axis=1)
    return out


def _log_sums_of_block(group: Group, fields: Array, start: int) -> Array:
    logs = block(group, fields, start).log_weights
    top = logs.max(axis=1)
    logs -= top[:, np.newaxis]
    np.exp(logs, out=logs)
    total: Array = top + np.log(logs.sum(axis=1))
    return total


def moments(group: Group, fields: Array, weights: Array) -> tuple[Array, Array]:
    """<s>_f of each row f of `fields` (rows, units); the sum over rows of weight <ss'>_f, (units, units)."""
    fields = fields[:, group.order]
    tally = Tally(group, len(fields))
    for rows in group.shares(len(fields)):
        some = fields[rows]
        log_z = _log_sums(group, some, None)
        for start in group.starts(len(some)):
            tally.add(block(group, some, start), log_z, weights[rows], rows.start)
    back = np.argsort(group.order)
    return tally.mean[:, back], tally.second(weights)[np.ix_(back, back)]


class Tally:
    """Running sums of moments, in the group's order."""

    def __init__(self, group: Group, n_rows: int) -> None:
        n, self._group = len(group.order), group
        self.mean = np.zeros((n_rows, n))
        self._second = np.zeros((n, n))
        self._of_prefix = np.zeros(len(group.prefixes))
        self._of_suffix = np.zeros(len(group.suffixes))

    def add(self, block: Block, log_z: Array, weights: Array, first_row: int) -> None:
        """Add the states of `block`, whose rows are counted from `first_row` and have these `log_z` and `weights`."""
        g = self._group
        p, c, r = g.parts
        P = np.exp(block.log_weights - log_z[block.rows, np.newaxis])
        m = g.unit.mean(_without_bias(g, block.inputs), block.inputs, g.beta)
        joint = (P.reshape(-1, 1) * m).reshape(*P.shape, m.shape[1])
        share, prefixes = weights[block.rows], g.prefixes[block.prefixes]
        of_prefix, suffix, rest = P.sum(axis=1), P @ g.suffixes, joint.sum(axis=1)
        self._of_prefix += np.bincount(block.prefixes, share * of_prefix, len(g.prefixes))
        self._of_suffix += share @ P
        mean = np.hstack([of_prefix[:, np.newaxis] * prefixes, suffix, rest])
        first = np.flatnonzero(np.diff(block.rows, prepend=-1))
        self.mean[first_row + block.rows[first]] += np.add.reduceat(mean, first, axis=0)
        weighted = share[:, np.newaxis] * prefixes
        self._second[p, c] += weighted.T @ suffix
        self._second[p, r] += weighted.T @ rest
        joint *= share[:, np.newaxis, np.newaxis]
        self._second[c, r] += g.suffixes.T @ joint.sum(axis=0)
        self._second[r, r] += joint.reshape(m.shape).T @ m

    def second(self, weights: Array) -> Array:
        """Sum over rows of weight <ss'>."""
        g, second = self._group, self._second.copy()
        p, c, r = g.parts
        second[p, p] = (g.prefixes.T * self._of_prefix) @ g.prefixes
        second[c, c] = (g.suffixes.T * self._of_suffix) @ g.suffixes
        for x, y in ((p, c), (p, r), (c, r)):
            second[y, x] = second[x, y].T
        # The squares: (s - low) (s - high) = 0.
        low, high = g.unit.states or ()
        np.fill_diagonal(second, (low + high) * (weights @ self.mean) - low * high * weights.sum())
        return second
