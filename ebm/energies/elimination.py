"""Exact sums over pairwise models whose couplings are sparse, by eliminating one unit after the other.

With the units in some order, the sum over the states of the first one concerns its neighbors only, and leaves a table
of their states,

    m(s_N) = log sum_{s_i} exp(beta s_i (f_i + sum_{j in N} J_ij s_j) + all tables with s_i in them),

which joins the neighbors to each other. The number that is left at the end is A(f) = log sum_s exp(beta [s'Js / 2 +
f's]). The work is two to the power of the number of units in the largest table. It depends on the order: a strip is
summed along its longer side, a tree from its leaves. Three orders are compared: the natural one, reverse Cuthill-McKee
(George & Liu 1981), and minimum degree. This is the sum-product form of variable elimination (Dechter 1999); logarithms
instead of products, so that nothing overflows at any temperature.

Means are derivatives of A. Going back through the tables, the distribution of the units in a table follows from that of
the table that came of it, since p(s_i | s_N) is known from the sum.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import reverse_cuthill_mckee
from scipy.special import expit

from ebm._checks import Array
from ebm.units import TwoState

# Numbers in the tables of several rows of fields that are summed at a time.
HELD = 1 << 20
# Numbers of a table that are handled at a time, so that they stay in the cache.
BLOCK_NUMBERS = 1 << 14
# Fixed cost of a table, in numbers.
OVERHEAD = 1 << 11
# Orders are not compared where the first one takes a moment.
QUICK = 1 << 20


class Elimination(NamedTuple):
    """An order of elimination.

    Attributes
    ----------
    order : tuple of int
        Numbers of the units, the first to be summed out first.
    scopes : tuple of tuple of int
        The units in the table that each of them leaves, the last to be summed out first.
    """

    order: tuple[int, ...]
    scopes: tuple[tuple[int, ...], ...]

    @property
    def width(self) -> int:
        """Units in the largest table, the one that is summed out not included."""
        return max(map(len, self.scopes), default=0)

    @property
    def work(self) -> int:
        """Numbers in all tables before their sums, and what handling them costs."""
        return sum(2 ** (len(scope) + 1) + OVERHEAD for scope in self.scopes)


def elimination(J: Array, limit: int) -> Elimination | None:
    """The cheapest of three orders for the couplings `J` (units, units); None if all pass the `limit` on the width."""
    joined = J != 0
    if np.count_nonzero(joined) > 2 * limit * len(J):  # a unit leaves at most `limit` couplings
        return None
    neighbors = [set(np.flatnonzero(row).tolist()) for row in joined]
    best = None
    for order in _orders(joined):
        found = _eliminated(neighbors, order, limit)
        if found is not None and (best is None or found.work < best.work):
            best = found
        if best is not None and best.work <= QUICK:
            break
    return best


def _orders(joined: Array) -> Iterator[list[int] | None]:
    """The natural order, reverse Cuthill-McKee, and None: minimum degree."""
    yield list(range(len(joined)))
    yield [int(i) for i in reverse_cuthill_mckee(csr_matrix(joined), symmetric_mode=True)]
    yield None


def _eliminated(
    neighbors: list[set[int]], order: list[int] | None, limit: int
) -> Elimination | None:
    """The tables of an `order`, or of always taking a unit with the fewest neighbors; None over the `limit`."""
    left = [set(x) for x in neighbors]
    degrees = [(len(x), i) for i, x in enumerate(left)]
    heapify(degrees)
    scopes: dict[int, set[int]] = {}
    while len(scopes) < len(left):
        i = _least_joined(degrees, left, scopes) if order is None else order[len(scopes)]
        scopes[i] = scope = left[i]
        if len(scope) > limit:
            return None
        for j in scope:
            left[j] |= scope
            left[j] -= {i, j}
            if order is None:
                heappush(degrees, (len(left[j]), j))
    place = {i: k for k, i in enumerate(scopes)}
    ordered = (sorted(scope, key=place.__getitem__, reverse=True) for scope in scopes.values())
    return Elimination(tuple(scopes), tuple(map(tuple, ordered)))


def _least_joined(
    degrees: list[tuple[int, int]], left: list[set[int]], done: dict[int, set[int]]
) -> int:
    """The unit of fewest neighbors in a heap that also holds degrees which units had before."""
    while True:
        degree, i = heappop(degrees)
        if i not in done and degree == len(left[i]):
            return i


class _Tables:
    """The tables of some rows of fields (rows, units), made by :meth:`forward`."""

    def __init__(
        self, plan: Elimination, unit: TwoState, J: Array, beta: float, fields: Array
    ) -> None:
        self._plan, self._J, self._beta, self._fields = plan, J, beta, fields
        self._states = unit.states or ()
        # Of every unit in the order: the tables that its sum takes in, the one it leaves, and log-odds of the higher
        # state given the units in that.
        place = {i: k for k, i in enumerate(plan.order)}
        self._sources: list[list[int]] = [[] for _ in plan.order]
        for k, scope in enumerate(plan.scopes):
            if scope:
                self._sources[place[scope[-1]]].append(k)
        self._tables: list[Array] = []
        self._odds: list[Array] = []

    def forward(self, keep: bool) -> Array:
        """A(f) of each row (rows,); with `keep` remember what :meth:`means` goes back through."""
        total = np.zeros(len(self._fields))
        for k, scope in enumerate(self._plan.scopes):
            low, high = (self._summand(k, bit) for bit in (0, 1))
            _log_add(low, high, keep)
            self._tables.append(low)
            for used in self._sources[k]:
                self._tables[used] = low[:0]
            if keep:
                self._odds.append(high)
            if not scope:
                total += low
        return total

    def _summand(self, k: int, bit: int) -> Array:
        """Logarithm of what is summed in the state `bit` of unit `k` of the order: (rows, 2, ..., 2)."""
        i, scope = self._plan.order[k], self._plan.scopes[k]
        gain = self._beta * self._states[bit]
        out = np.empty((len(self._fields), *(2 for _ in scope)))
        out[...] = _spread(gain * self._fields[:, i], (), scope)
        for source in self._sources[k]:
            out += _spread(self._tables[source][..., bit], self._plan.scopes[source][:-1], scope)
        for axis, j in enumerate(scope):
            if self._J[i, j]:
                parts = np.moveaxis(out, axis + 1, 0)
                for state, part in zip(self._states, parts, strict=True):
                    part += gain * self._J[i, j] * state
        return out

    def means(self) -> Array:
        """<s> of each row (rows, units)."""
        low, high = self._states
        out = np.empty(self._fields.shape)
        laws: dict[int, Array] = {}
        for k in reversed(range(len(self._plan.order))):
            i, scope = self._plan.order[k], self._plan.scopes[k]
            law = laws.pop(k) if scope else np.ones(len(out))
            risen = law * expit(self._odds[k])
            joint = np.stack([law - risen, risen], axis=-1)
            out[:, i] = low + (high - low) * risen.reshape(len(out), -1).sum(axis=1)
            for source in self._sources[k]:
                own = self._plan.scopes[source][:-1]
                others = tuple(axis + 1 for axis, j in enumerate(scope) if j not in own)
                laws[source] = joint.sum(axis=others)
        return out


def _spread(table: Array, own: tuple[int, ...], scope: tuple[int, ...]) -> Array:
    """A table of the units `own`, all of them in `scope`, with an axis of length one for each of the others."""
    return table[(slice(None), *(slice(None) if j in own else None for j in scope))]


def _log_add(low: Array, high: Array, odds: bool) -> None:
    """Put log(exp(low) + exp(high)) in the place of `low`, and high - low in that of `high` where `odds` are wanted."""
    flat_low, flat_high = low.reshape(-1), high.reshape(-1)
    for start in range(0, flat_low.size, BLOCK_NUMBERS):
        a, b = (x[start : start + BLOCK_NUMBERS] for x in (flat_low, flat_high))
        gap = b - a
        np.maximum(a, b, out=a)
        if odds:
            b[:] = gap
        np.abs(gap, out=gap)
        np.negative(gap, out=gap)
        np.exp(gap, out=gap)
        gap += 1
        np.log(gap, out=gap)
        a += gap


def eliminated_log_sums(
    plan: Elimination, unit: TwoState, J: Array, beta: float, fields: Array
) -> Array:
    """A(f) of each row f of `fields` (rows, units), in double precision: -> (rows,)."""
    out = np.empty(len(fields))
    for rows in _shares(2**plan.width, len(fields)):
        out[rows] = _Tables(plan, unit, J, beta, fields[rows]).forward(keep=False)
    return out


def eliminated_means(
    plan: Elimination, unit: TwoState, J: Array, beta: float, fields: Array
) -> tuple[Array, Array]:
    """A(f) and <s>_f of each row f of `fields` (rows, units): (rows,) and (rows, units). Holds all tables of a row."""
    totals, means = np.empty(len(fields)), np.empty(fields.shape)
    for rows in _shares(plan.work // 2, len(fields)):
        tables = _Tables(plan, unit, J, beta, fields[rows])
        totals[rows] = tables.forward(keep=True)
        means[rows] = tables.means()
    return totals, means


def _shares(numbers: int, n_rows: int) -> Iterator[slice]:
    """Consecutive rows, of which each takes some `numbers`, as many as are held at a time."""
    step = max(1, HELD // numbers)
    return (slice(start, start + step) for start in range(0, n_rows, step))
