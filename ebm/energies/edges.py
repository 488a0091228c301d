"""Edges between layers: which units of two layers are connected, and how often each end counts them.

An edge with weights W adds -s(x_l)' W s(x_m) to the energy, for its lower layer l and its upper layer m. The coupling
says which entries of W there are, and how states pass through them:

========  ===============================================
coupling  weights
========  ===============================================
Dense     between all pairs of units
Masked    between the pairs that a mask names
========  ===============================================

With the *multiplicity* (a, b) the lower layer receives a W s(x_m) and the upper one b W's(x_l). Machines of a deep
Boltzmann machine are trained with unequal ones (Salakhutdinov & Hinton 2009), where a layer stands for two. The two
conditional distributions then belong to no energy, and so there is no likelihood; with a = b the energy has the weights
a W.
"""

import abc
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebm._checks import Array, Settings, check_real, shown


class Coupling(Settings, abc.ABC):
    """Which weights an edge has (abstract)."""

    @abc.abstractmethod
    def shape(self, n_lower: int, n_upper: int) -> tuple[int, ...]:
        """Shape of the weights between so many units; ValueError where the coupling is none between them."""

    @abc.abstractmethod
    def up(self, W: Array, s: Array) -> Array:
        """W's: statistics (rows, n_lower) -> inputs of the upper units (rows, n_upper)."""

    @abc.abstractmethod
    def down(self, W: Array, s: Array) -> Array:
        """W s: statistics (rows, n_upper) -> inputs of the lower units (rows, n_lower)."""

    @abc.abstractmethod
    def products(self, lower: Array, upper: Array, out: Array) -> None:
        """Write the derivatives of sum_r lower_r' W upper_r by the weights, (rows, n_lower) and (rows, n_upper)."""

    @abc.abstractmethod
    def between(self, W: Array, lower: Array, upper: Array) -> "tuple[Coupling, Array]":
        """The coupling between some units of the two layers, masks (n_lower,) and (n_upper,), and its weights."""


@dataclass(frozen=True, repr=False)
class Dense(Coupling):
    """Weights between all pairs of units of two layers."""

    def shape(self, n_lower: int, n_upper: int) -> tuple[int, int]:
        """(n_lower, n_upper)."""
        return n_lower, n_upper

    def up(self, W: Array, s: Array) -> Array:
        """One matrix product."""
        return s @ W

    def down(self, W: Array, s: Array) -> Array:
        """One matrix product."""
        return s @ W.T

    def products(self, lower: Array, upper: Array, out: Array) -> None:
        """One matrix product."""
        np.dot(lower.T, upper, out=out)

    def between(self, W: Array, lower: Array, upper: Array) -> tuple[Coupling, Array]:
        """All of them are connected."""
        return self, np.ascontiguousarray(W[np.ix_(lower, upper)])


@dataclass(frozen=True, repr=False)
class Masked(Coupling):
    """Weights between some pairs of units: the others are absent, whatever their entries of W hold.

    Parameters
    ----------
    mask : array-like of bool of shape (n_lower, n_upper)
        True where two units are connected.
    """

    mask: Any

    def __post_init__(self) -> None:
        mask = np.array(self.mask)
        if mask.dtype != bool or mask.ndim != 2:
            raise ValueError(
                "mask must be an array of booleans with a row for each unit of the lower layer and a column for each "
                f"of the upper one. Got {shown(self.mask)} of type {mask.dtype} and shape {mask.shape}."
            )
        object.__setattr__(self, "mask", mask)

    def shape(self, n_lower: int, n_upper: int) -> tuple[int, int]:
        """(n_lower, n_upper), which is the shape of the mask."""
        if self.mask.shape != (n_lower, n_upper):
            raise ValueError(
                f"mask has the shape {self.mask.shape}, but the edge joins {n_lower} units below and {n_upper} above. "
                f"It must have the shape {(n_lower, n_upper)}."
            )
        return n_lower, n_upper

    def up(self, W: Array, s: Array) -> Array:
        """A product with the weights that there are."""
        inputs: Array = s @ np.where(self.mask, W, 0)
        return inputs

    def down(self, W: Array, s: Array) -> Array:
        """A product with the weights that there are."""
        inputs: Array = s @ np.where(self.mask, W, 0).T
        return inputs

    def products(self, lower: Array, upper: Array, out: Array) -> None:
        """Zero where there is no weight."""
        np.dot(lower.T, upper, out=out)
        out[~self.mask] = 0

    def between(self, W: Array, lower: Array, upper: Array) -> tuple[Coupling, Array]:
        """Those that are connected here."""
        some = np.ix_(lower, upper)
        return Masked(self.mask[some]), np.ascontiguousarray(W[some])


@dataclass(frozen=True, repr=False)
class Edge(Settings):
    """Weights between two layers.

    Parameters
    ----------
    lower, upper : str
        Names of the layers, of which the weights have the rows and the columns.
    coupling : Coupling, default=Dense()
        Which weights there are.
    multiplicity : tuple of two floats, default=(1, 1)
        How often the lower and the upper layer count what they receive; positive.
    """

    lower: str
    upper: str
    coupling: Coupling = Dense()
    multiplicity: tuple[float, float] = (1, 1)

    def __post_init__(self) -> None:
        if not isinstance(self.multiplicity, tuple) or len(self.multiplicity) != 2:
            raise ValueError(
                "multiplicity must be two numbers, those of the lower and of the upper layer, for example (2, 1). "
                f"Got {shown(self.multiplicity)}."
            )
        for factor in self.multiplicity:
            check_real(factor, "multiplicity", open_low=True)
