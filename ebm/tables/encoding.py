"""The columns of a table in the order of their units, and all their cells as one array of states."""

from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm.tables.columns import Cells, Column
from ebm.units import Bernoulli, Categorical, Gaussian, Poisson, Unit

# Types of units in the order in which they stand in a row: bits and categories first, which compiled code knows.
ORDER = (Bernoulli, Categorical, Gaussian, Poisson)


class Encoding:
    """The way of a whole table to rows of units and back.

    Parameters
    ----------
    columns : sequence of Column
        In the order of the table.

    Attributes
    ----------
    groups : list of (Unit, int)
        The visible units of a machine of this table: type and number of each group, in order.
    places : list of slice
        Where in a row the units of each column stand.
    width : int
        How many units there are.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = list(columns)
        with_units = [k for k, column in enumerate(self.columns) if column.width]
        order = sorted(with_units, key=lambda k: _rank(self.columns[k].unit))
        ends = [0, *accumulate(self.columns[k].width for k in order)]
        self.places = [slice(0, 0) for _ in self.columns]
        for number, k in enumerate(order):
            self.places[k] = slice(ends[number], ends[number + 1])
        self.width = ends[-1]
        units = [self.columns[k].unit for k in order]
        self.groups = [_group(list(some)) for _, some in groupby(units, key=_rank)]

    def encoded(self, table: Sequence[Cells]) -> tuple[Array, dict[int, list[Any]]]:
        """Rows of states (rows, width), and for columns, by their numbers, the values not seen before."""
        rows = np.full((len(table[0].values), self.width), np.nan)
        unseen = {}
        for k, (column, cells) in enumerate(zip(self.columns, table, strict=True)):
            block = column.encoded(cells)
            rows[:, self.places[k]] = block.states
            if block.unseen:
                unseen[k] = block.unseen
        return rows, unseen

    def known(self, rows: Array) -> list[Array]:
        """Which cells of each column have states in `rows` (rows, width): none of a column without units."""
        return [
            np.full(len(rows), place.stop > place.start) & ~np.isnan(rows[:, place]).any(axis=1)
            for place in self.places
        ]

    def drawn(self, states: Array) -> list[Array]:
        """Values of the cells of each column that drawn `states` (rows, width) mean."""
        return [
            column.drawn(states[:, place])
            for column, place in zip(self.columns, self.places, strict=True)
        ]

    def numbers(self, means: Array, variance: Array | None) -> Array:
        """Expected numbers (rows, width) of units with these means, and `variance` (width,) where they have one."""
        found = np.empty(means.shape)
        for column, place in zip(self.columns, self.places, strict=True):
            params = None if variance is None else variance[place]
            found[:, place] = column.numbers(means[:, place], params)
        return found

    def decided(self, numbers: Array) -> list[Array]:
        """Values of the cells of each column, of expected numbers (rows, width)."""
        return [
            column.decided(numbers[:, place])
            for column, place in zip(self.columns, self.places, strict=True)
        ]


def _rank(unit: Unit) -> tuple[int, int]:
    """The place of a unit in a row: units of equal rank make one group."""
    place = ORDER.index(type(unit)) if type(unit) in ORDER else len(ORDER)
    return place, getattr(unit, "n", 0)


def _group(units: list[Unit]) -> tuple[Unit, int]:
    """Units of one rank as one layer."""
    if isinstance(units[0], Categorical):
        sizes = tuple(
            size for unit in units if isinstance(unit, Categorical) for size in unit.sizes
        )
        return Categorical(sizes), sum(sizes)
    return units[0], len(units)
