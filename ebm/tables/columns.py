"""Columns of a table: the unit that stands for each, and the way from cells to states of units and back.

States that were drawn stand for cells (:meth:`Column.drawn`). Averages are those of *numbers*
(:meth:`Column.numbers`): indicators of the levels, and values of real columns in their own unit of measurement. Average
numbers become cells at the end (:meth:`Column.decided`): the mean of a real column, and the most probable level of
others.
"""

import abc
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array, of_python
from ebm.tables.scores import Scale, edges_between
from ebm.units import Bernoulli, Binomial, Categorical, Gaussian, Poisson, Unit

# Nodes and weights of Gauss and Hermite for the mean of a function of a standard normal variable.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


class Cells(NamedTuple):
    """The cells of one column.

    Attributes
    ----------
    values : ndarray of shape (rows,)
        Numbers, booleans or objects; whatever stands where a cell is missing is not looked at.
    missing : ndarray of bool, shape (rows,)
    """

    values: Array
    missing: Array


class Block(NamedTuple):
    """States of the units of one column.

    Attributes
    ----------
    states : ndarray of shape (rows, width)
        NaN in all units where a cell is unknown.
    unseen : list
        Values that the column did not have when it was described; their cells count as unknown.
    """

    states: Array
    unseen: list[Any]


class Column(abc.ABC):
    """One column of a table (abstract).

    Attributes
    ----------
    kind : str
        Its kind in one word.
    width : int
        How many units stand for it.
    """

    kind: ClassVar[str]
    width: int = 1

    @property
    def known(self) -> bool:
        """Whether a cell without units has a value."""
        return True

    @property
    @abc.abstractmethod
    def unit(self) -> Unit:
        """The unit, or the group of units, that stands for the column."""

    @abc.abstractmethod
    def encoded(self, cells: Cells) -> Block:
        """Cells -> states."""

    @abc.abstractmethod
    def drawn(self, states: Array) -> Array:
        """States (rows, width) that were drawn -> values of cells (rows,)."""

    def numbers(self, means: Array, variance: Array | None) -> Array:
        """E[numbers] of units with the given means (rows, width) and `variance` (width,), if they have one."""
        return means

    def decided(self, numbers: Array) -> Array:
        """Expected numbers (rows, width) -> values of cells (rows,)."""
        return self.drawn(numbers)

    def probabilities(self, means: Array) -> Array:
        """Means (rows, width) of bits and categories -> probabilities of the levels (rows, n_levels)."""
        raise TypeError(f"The units of {self.kind} columns do not stand for levels.")


@dataclass(frozen=True, eq=False)
class Constant(Column):
    """A column without units: all its known cells are one `value`, which may be None, or it is left out."""

    kind: ClassVar[str] = "constant"
    width = 0
    value: Any = None
    ignored: bool = False

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    @property
    def unit(self) -> Unit:
        """Any, of which there are none."""
        return Bernoulli()

    def encoded(self, cells: Cells) -> Block:
        """No states."""
        known = cells.values[~cells.missing]
        others = [] if self.ignored else [x for x in known.tolist() if x != self.value]
        return Block(np.empty((len(cells.values), 0)), unique(others))

    def drawn(self, states: Array) -> Array:
        """The value."""
        return np.full(len(states), self.value, dtype=None if self.value is not None else object)


@dataclass(frozen=True, eq=False)
class Levels(Column):
    """A column of a few different values (abstract).

    Attributes
    ----------
    levels : ndarray of shape (n_levels,)
    """

    levels: Array

    def codes(self, cells: Cells) -> tuple[Array, list[Any]]:
        """Numbers of the levels, NaN where unknown, and values that are none of them."""
        known = {level: float(k) for k, level in enumerate(self.levels.tolist())}
        codes, unseen = np.full(len(cells.values), np.nan), []
        for row in np.flatnonzero(~cells.missing):
            value = of_python(cells.values[row])
            if value in known:
                codes[row] = known[value]
            else:
                unseen.append(value)
        return codes, unique(unseen)


class Binary(Levels):
    """Two levels: one bit."""

    kind: ClassVar[str] = "binary"

    @property
    def unit(self) -> Unit:
        """A bit."""
        return Bernoulli()

    def encoded(self, cells: Cells) -> Block:
        """0 and 1."""
        codes, unseen = self.codes(cells)
        return Block(codes[:, np.newaxis], unseen)

    def probabilities(self, means: Array) -> Array:
        """Means (rows, 1) -> probabilities of both levels (rows, 2)."""
        return np.hstack([1 - means, means])

    def drawn(self, states: Array) -> Array:
        """The level of the bit, or of the more probable state."""
        chosen: Array = self.levels[(states[:, 0] > 0.5).astype(int)]
        return chosen


class Categories(Levels):
    """Several levels without an order: one group of units."""

    kind: ClassVar[str] = "categorical"

    @property
    def width(self) -> int:  # type: ignore[override]
        """One unit for each level."""
        return len(self.levels)

    @property
    def unit(self) -> Unit:
        """One group."""
        return Categorical((len(self.levels),))

    def encoded(self, cells: Cells) -> Block:
        """Indicators of the levels."""
        codes, unseen = self.codes(cells)
        states = (codes[:, np.newaxis] == np.arange(len(self.levels))).astype(np.float64)
        states[np.isnan(codes)] = np.nan
        return Block(states, unseen)

    def probabilities(self, means: Array) -> Array:
        """Means (rows, n_levels) -> probabilities of the levels."""
        shares: Array = means / means.sum(axis=1, keepdims=True)
        return shares

    def drawn(self, states: Array) -> Array:
        """The level of the unit that is on, or most probable."""
        chosen: Array = self.levels[np.argmax(states, axis=1)]
        return chosen


@dataclass(frozen=True, eq=False)
class Real(Column):
    """Numbers, transformed: one Gaussian unit.

    Attributes
    ----------
    values : ndarray of shape (n_values,)
        Different values seen, in order.
    scale : Scale
        The transformation.
    whole : bool
        Whether cells are whole numbers, so that a mean is rounded to the nearest value seen.
    """

    kind: ClassVar[str] = "real"
    values: Array
    scale: Scale
    whole: bool = False

    @property
    def unit(self) -> Unit:
        """A Gaussian unit with a variance of its own."""
        return Gaussian()

    @property
    def range(self) -> Array:
        """Images of the smallest and of the largest value seen."""
        ends: Array = self.scale.transform(self.values[[0, -1], np.newaxis])[:, 0]
        return ends

    def encoded(self, cells: Cells) -> Block:
        """Images of the values."""
        states = np.full((len(cells.values), 1), np.nan)
        known = ~cells.missing
        if known.any():
            states[known] = self.scale.transform(cells.values[known, np.newaxis].astype(np.float64))
        return Block(states, [])

    def drawn(self, states: Array) -> Array:
        """The values seen that are nearest: draws are in the range of the data and on their grid."""
        chosen: Array = self.values[
            np.searchsorted(edges_between(self.scale, self.values), states[:, 0])
        ]
        return chosen

    def numbers(self, means: Array, variance: Array | None) -> Array:
        """E[value] of a normal image, by quadrature; the inverse is taken within the range of the data."""
        low, high = self.range
        scale = 0.0 if variance is None else np.sqrt(variance[0])
        images = np.clip(means + scale * NODES, low, high)
        values = self.scale.inverse_transform(images.reshape(-1, 1)).reshape(images.shape)
        expected: Array = values @ WEIGHTS
        return expected[:, np.newaxis]

    def decided(self, numbers: Array) -> Array:
        """The mean, of whole numbers the value seen that is nearest."""
        return nearest(numbers[:, 0], self.values) if self.whole else numbers[:, 0]


@dataclass(frozen=True, eq=False)
class Ordered(Levels):
    """Levels with an order: one Gaussian unit, for the transformed number of the level.

    Attributes
    ----------
    number : Real
        The column of the numbers.
    """

    kind: ClassVar[str] = "ordinal"
    number: Real

    @property
    def unit(self) -> Unit:
        """The unit of the number."""
        return self.number.unit

    def encoded(self, cells: Cells) -> Block:
        """Images of the numbers of the levels."""
        codes, unseen = self.codes(cells)
        return Block(self.number.encoded(Cells(codes, np.isnan(codes))).states, unseen)

    def drawn(self, states: Array) -> Array:
        """The nearest level."""
        chosen: Array = self.levels[self.number.drawn(states).astype(int)]
        return chosen

    def numbers(self, means: Array, variance: Array | None) -> Array:
        """Expected number of the level."""
        return self.number.numbers(means, variance)

    def decided(self, numbers: Array) -> Array:
        """The level that is nearest to the mean."""
        chosen: Array = self.levels[self.number.decided(numbers).astype(int)]
        return chosen


@dataclass(frozen=True, eq=False)
class Count(Column):
    """Counts 0, 1, 2, ... as they are: one unit of counts.

    Attributes
    ----------
    counts : Poisson or Binomial
        Its type.
    values : ndarray of shape (n_values,)
        Different values seen, in order.
    whole : bool
        Whether a mean is rounded to a whole number.
    """

    kind: ClassVar[str] = "count"
    counts: Poisson | Binomial
    values: Array
    whole: bool = False

    @property
    def unit(self) -> Unit:
        """The unit of counts."""
        return self.counts

    def encoded(self, cells: Cells) -> Block:
        """The counts; ValueError for values that are none."""
        states = np.full((len(cells.values), 1), np.nan)
        known = ~cells.missing
        states[known, 0] = cells.values[known].astype(np.float64)
        reason = self.counts.impossible(states)
        if reason:
            raise ValueError(f"it holds {reason}. Describe it as 'real'")
        return Block(states, [])

    def drawn(self, states: Array) -> Array:
        """The counts, between the smallest and the largest one seen."""
        return np.clip(states[:, 0], self.values[0], self.values[-1])

    def decided(self, numbers: Array) -> Array:
        """The mean, of whole numbers the nearest."""
        mean = self.drawn(numbers)
        return np.rint(mean) if self.whole else mean


def unique(values: list[Any]) -> list[Any]:
    """Different values, in the order in which they come first."""
    return list(dict.fromkeys(values))


def nearest(x: Array, values: Array) -> Array:
    """For each of `x` the nearest of the `values`, which are in order."""
    chosen: Array = values[np.searchsorted((values[1:] + values[:-1]) / 2, x)]
    return chosen
