"""Which way a pairwise model's states are summed: all of those that have to be, or one unit after the other.

Enumeration (:mod:`ebm.energies.groups`) suits couplings between all pairs, elimination
(:mod:`ebm.energies.elimination`) sparse ones: lattices, strips, trees. Of what the limits allow the cheaper one is
taken.
"""

import abc
from typing import NamedTuple

import numpy as np

from ebm._checks import Array
from ebm.energies.couplings import dense_couplings
from ebm.energies.elimination import (
    Elimination,
    eliminated_log_sums,
    eliminated_means,
    elimination,
)
from ebm.energies.groups import Group, group, independent_units, log_sums, moments
from ebm.units import TwoState

# Elimination makes less of a number than enumeration does of a state: it must save as much.
MARGIN = 4


class Limits(NamedTuple):
    """Up to where a sum is exact.

    Attributes
    ----------
    enumerated : int
        Units of which all states are visited.
    width : int
        Units in the largest table of elimination.
    """

    enumerated: int
    width: int


# Log Z where nobody asked for it to be exact, a few seconds at most; and where it was asked for.
UNASKED = Limits(20, 20)
ON_REQUEST = Limits(25, 24)
# Sums for every row of data, and sums with means, for which all tables are held.
A_ROW = Limits(20, 16)


class Summation(abc.ABC):
    """Sums over all states of units in given fields (abstract), as :mod:`ebm.energies.groups` defines them.

    Attributes
    ----------
    work : float
        About how many numbers are evaluated for a row of fields.
    """

    work: float

    @abc.abstractmethod
    def log_sums(self, fields: Array, n_jobs: int | None = None) -> Array:
        """A(f) of each row f of `fields` (rows, units): -> (rows,); it does not depend on the count of threads."""

    @abc.abstractmethod
    def both(self, fields: Array) -> tuple[Array, Array]:
        """A(f) and <s>_f of each row: (rows, units) -> (rows,), (rows, units)."""

    def means(self, fields: Array) -> Array:
        """<s>_f of each row: (rows, units) -> (rows, units)."""
        return self.both(fields)[1]


class Enumeration(Summation):
    """By :mod:`ebm.energies.groups`."""

    def __init__(self, prepared: Group) -> None:
        self._group = prepared
        n_rest = len(prepared.order) - prepared.parts[2].start
        self.work = float(len(prepared.prefixes) * len(prepared.suffixes) * (1 + n_rest))

    def log_sums(self, fields: Array, n_jobs: int | None = None) -> Array:
        """A(f) of each row."""
        return log_sums(self._group, fields, n_jobs)

    def both(self, fields: Array) -> tuple[Array, Array]:
        """A(f) and <s>_f of each row."""
        means = moments(self._group, fields, np.zeros(len(fields)))[0]
        return log_sums(self._group, fields), means


class OneByOne(Summation):
    """By :mod:`ebm.energies.elimination`."""

    def __init__(self, plan: Elimination, unit: TwoState, J: Array, beta: float) -> None:
        self._settings = plan, unit, np.asarray(J, np.float64), beta
        self.work = float(plan.work)

    def log_sums(self, fields: Array, n_jobs: int | None = None) -> Array:
        """A(f) of each row."""
        return eliminated_log_sums(*self._settings, fields)

    def both(self, fields: Array) -> tuple[Array, Array]:
        """A(f) and <s>_f of each row."""
        return eliminated_means(*self._settings, fields)


def summation(unit: TwoState, J: Array, beta: float, limits: Limits, name: str) -> Summation:
    """The cheaper way of sums over units, called `name`, with the couplings `J`; ValueError beyond the `limits`."""
    J = dense_couplings(J)
    plan, n_listed = _ways(J, limits)
    if plan is not None:
        return OneByOne(plan, unit, J, beta)
    if n_listed > limits.enumerated:
        raise ValueError(
            f"Exact sums over {len(J)} {name} need the enumeration of all states of {n_listed} of them, but at most "
            f"{limits.enumerated} can be enumerated. Elimination unit by unit needs tables of more than {limits.width} "
            "units. Use fewer units, or fewer couplings between them."
        )
    return Enumeration(group(unit, J, beta, limits.enumerated, name))


def can_sum(J: Array, limits: Limits) -> bool:
    """Whether :func:`summation` is within the `limits`."""
    plan, n_listed = _ways(dense_couplings(J), limits)
    return plan is not None or n_listed <= limits.enumerated


def elimination_work(J: Array, limits: Limits) -> float | None:
    """About how many numbers elimination evaluates for a row of fields; None beyond the `limits`."""
    plan = elimination(dense_couplings(J), limits.width)
    return None if plan is None else float(plan.work)


def _ways(J: Array, limits: Limits) -> tuple[Elimination | None, int]:
    """The order of elimination if that is the way to go, and how many units would have to be enumerated."""
    n_listed = int(np.count_nonzero(~independent_units(J)))
    states = 2 ** min(n_listed, 60) * (1 + len(J) - n_listed)
    if states <= MARGIN * max(len(J), 1):
        return None, n_listed
    plan = elimination(J, limits.width)
    if plan is None or (n_listed <= limits.enumerated and MARGIN * plan.work > states):
        return None, n_listed
    return plan, n_listed
