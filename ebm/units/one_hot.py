"""Bernoulli units followed by groups of which exactly one each is on, as one layer."""

from dataclasses import dataclass

from ebm._checks import Array
from ebm.units.base import Unit
from ebm.units.bernoulli import Bernoulli
from ebm.units.groups import Groups


@dataclass(frozen=True, repr=False)
class OneHot(Groups):
    """Bernoulli units, followed by groups of {0, 1} units of which exactly one each is on. Deprecated.

    Use :class:`ebm.Categorical` for the groups, and a list for both:
    ``visible=[("bernoulli", n), (Categorical(sizes), sum(sizes))]``.

    Parameters
    ----------
    sizes : tuple of int, default=(2,)
        Units of each group, at least 2; the last ``sum(sizes)`` units of a layer are those of the groups, in order.
    """

    def first_column(self, n_units: int) -> int:
        """The number of Bernoulli units."""
        if n_units < self.n_grouped:
            raise ValueError(
                f"sizes={self.sizes} are {self.n_grouped} units, more than the {n_units} of the layer. X must have a "
                "column for each of them."
            )
        return n_units - self.n_grouped

    def restricted(self, units: Array) -> Unit:
        """Of whole groups; ValueError where a group is there in part."""
        sizes = self._sizes_of(units)
        return OneHot(sizes) if sizes else Bernoulli()
