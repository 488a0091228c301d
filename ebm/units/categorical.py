"""Groups of units of which exactly one each is on: labels, Potts variables."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from ebm._checks import Array, check_integer
from ebm._kernels.one_hot import OneHotParameters
from ebm._values import ROUNDING, invalid_groups
from ebm.units.base import Linear, Unit
from ebm.units.bernoulli import Bernoulli

TOTAL_TOLERANCE = 1e-3  # how far the probabilities of a group may be from summing to one


@dataclass(frozen=True, repr=False)
class OneHot(Linear):
    """Bernoulli units, followed by groups of {0, 1} units of which exactly one each is on: labels, Potts variables.

        p(x_k = 1 | f) = exp(beta (b_k + f_k)) / sum_l exp(beta (b_l + f_l))    over the units l of k's group.

    Which unit belongs to which group is a parameter that is not learned: to all else the units of a layer are alike.

    Parameters
    ----------
    sizes : tuple of int, default=(2,)
        Units of each group, at least 2; the last ``sum(sizes)`` units of a layer are those of the groups, in order.
    """

    parameters: ClassVar[Any] = OneHotParameters
    sizes: tuple[int, ...] = (2,)

    def __post_init__(self) -> None:
        if not isinstance(self.sizes, tuple) or not self.sizes:
            raise ValueError(f"sizes must be a tuple of integers. Got {self.sizes!r} instead.")
        for size in self.sizes:
            check_integer(size, "sizes", 2)

    @property
    def n_grouped(self) -> int:
        """How many units are in groups."""
        return sum(self.sizes)

    def groups(self, n_units: int) -> list[slice]:
        """Where in a layer of `n_units` the units of each group are."""
        ends = n_units - self.n_grouped + np.cumsum([0, *self.sizes])
        return [slice(int(a), int(b)) for a, b in pairwise(ends)]

    def is_free(self, field: str) -> bool:
        """The biases are learned."""
        return field == "bias"

    def extra_states(self, n_extra: int) -> Array:
        """All states (states, n_extra) of the last `n_extra` units, which must be those of the groups."""
        if n_extra != self.n_grouped:
            raise ValueError(f"sizes={self.sizes} are {self.n_grouped} units. Got {n_extra}.")
        chosen = np.indices(self.sizes).reshape(len(self.sizes), -1)
        return np.hstack([np.eye(n)[k] for n, k in zip(self.sizes, chosen, strict=True)])

    def initial(self, mean: Array, variance: Array, count: float) -> OneHotParameters:
        """Log-odds of the mean; in the groups, logarithms of frequencies, with half an observation of each added."""
        own = self.neutral(len(mean), mean.dtype)
        own.bias[:] = Bernoulli().log_odds(mean, count)
        for group in self.groups(len(mean)):
            counts = np.clip(mean[group], 0, 1) * count + 0.5
            own.bias[group] = np.log(counts / counts.sum())
        return own

    def neutral(self, n_units: int, dtype: Any) -> OneHotParameters:
        """Zero biases, and the groups' numbers."""
        if n_units < self.n_grouped:
            raise ValueError(
                f"sizes={self.sizes} are {self.n_grouped} units, more than the {n_units} of the layer. X must have a "
                "column for each of them."
            )
        number = np.zeros(n_units, dtype)
        for k, group in enumerate(self.groups(n_units)):
            number[group] = k + 1
        return OneHotParameters(np.zeros(n_units, dtype), number)

    def restricted(self, units: Array) -> Unit:
        """Of whole groups; ValueError where a group is there in part."""
        counts = [(int(units[group].sum()), group) for group in self.groups(len(units))]
        for count, group in counts:
            if count not in (0, group.stop - group.start):
                raise ValueError(
                    f"units must hold a group as a whole. Got {count} units of {group}."
                )
        sizes = tuple(count for count, _ in counts if count)
        return OneHot(sizes) if sizes else Bernoulli()

    def invalid(self, x: Array, slack: float = ROUNDING) -> str:
        """Values outside [0, 1], groups that do not sum to one, or are known in part; between are probabilities."""
        reason = Bernoulli().invalid(x, slack)
        if reason or x.ndim < 2:  # entries of a sparse matrix, of which no sums are known
            return reason
        return invalid_groups(x, self.groups(x.shape[1]), TOTAL_TOLERANCE)
