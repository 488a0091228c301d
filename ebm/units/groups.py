"""Units in groups of which exactly one each is on, as labels and Potts variables: what layers of such have in common.

    p(x_k = 1 | f) = exp(beta (b_k + f_k)) / sum_l exp(beta (b_l + f_l))    over the units l of k's group.

The sizes of the groups belong to the type of unit. The parameters are the biases alone.
"""

import abc
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from ebm._checks import Array, check_integer
from ebm._kernels.categorical import CategoricalLayer, CategoricalParameters
from ebm._values import ROUNDING, invalid_groups
from ebm.units.base import Linear
from ebm.units.bernoulli import Bernoulli

KNOWN_IN_PART = (
    "Rows hold NaN in some of the columns {} to {}, a group that is known as a whole or not at all. Make one of them 1 "
    "and the others 0, or all of them NaN where a group is unknown."
)
TOTAL_TOLERANCE = 1e-3  # how far the probabilities of a group may be from summing to one


@lru_cache(maxsize=256)
def _edges(first: int, sizes: tuple[int, ...]) -> Array:
    """Where the groups begin, the first of them in column `first`, and the end of the last one: read-only."""
    edges: Array = first + np.cumsum([0, *sizes], dtype=np.int64)
    edges.flags.writeable = False
    return edges


@dataclass(frozen=True, repr=False)
class Groups(Linear):
    """Groups of {0, 1} units of which exactly one each is on, at the end of a layer (abstract).

    Parameters
    ----------
    sizes : tuple of int, default=(2,)
        Units of each group, at least 2.
    """

    parameters: ClassVar[Any] = CategoricalParameters
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

    @abc.abstractmethod
    def first_column(self, n_units: int) -> int:
        """The column in which the groups of a layer of `n_units` begin; ValueError where a layer has no such size."""

    def groups(self, n_units: int) -> list[slice]:
        """Where in a layer of `n_units` the units of each group are."""
        return [slice(a, b) for a, b in pairwise(self._edges(n_units).tolist())]

    def _edges(self, n_units: int) -> Array:
        return _edges(self.first_column(n_units), self.sizes)

    def compiled(self, params: CategoricalParameters) -> CategoricalLayer:
        """The biases, and where the groups are."""
        return CategoricalLayer(params.bias, self._edges(len(params.bias)))

    def neutral(self, n_units: int, dtype: Any) -> CategoricalParameters:
        """Zero biases."""
        self.first_column(n_units)
        return CategoricalParameters(np.zeros(n_units, dtype))

    def initial(self, mean: Array, variance: Array, count: float) -> CategoricalParameters:
        """Logarithms of frequencies, with half an observation of each added; of other units, log-odds of the mean."""
        params = self.neutral(len(mean), mean.dtype)
        params.bias[:] = Bernoulli().log_odds(mean, count)
        for group in self.groups(len(mean)):
            counts = np.clip(mean[group], 0, 1) * count + 0.5
            params.bias[group] = np.log(counts / counts.sum())
        return params

    def span(self, params: CategoricalParameters) -> tuple[float, float]:
        """Off and on."""
        return 0.0, 1.0

    def least_variance(self, params: CategoricalParameters, mean: Array) -> Array:
        """The variance of each unit by itself, which is one of two states."""
        variance: Array = mean * (1 - mean)
        return variance

    def check_whole(self, x: Array) -> None:
        """ValueError where rows `x` (rows, units) have NaN in a part of a group."""
        for group in self.groups(x.shape[1]):
            unknown = np.isnan(x[:, group])
            if (unknown.any(axis=1) != unknown.all(axis=1)).any():
                raise ValueError(KNOWN_IN_PART.format(group.start, group.stop - 1))

    def _sizes_of(self, units: Array) -> tuple[int, ...]:
        """Sizes of the groups that some `units` are; ValueError where a group is there in part."""
        counts = [(int(units[group].sum()), group) for group in self.groups(len(units))]
        for count, group in counts:
            if count not in (0, group.stop - group.start):
                raise ValueError(KNOWN_IN_PART.format(group.start, group.stop - 1))
        return tuple(count for count, _ in counts if count)

    def invalid(self, x: Array, slack: float = ROUNDING) -> str:
        """Values outside [0, 1], groups that do not sum to one, or are known in part; between are probabilities."""
        reason = Bernoulli().invalid(x, slack)
        if reason or x.ndim < 2:  # entries of a sparse matrix, of which no sums are known
            return reason
        return invalid_groups(x, self.groups(x.shape[1]), TOTAL_TOLERANCE)
