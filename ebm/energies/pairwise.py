"""One layer of two-state units, every pair of them connected: Boltzmann machines, Hopfield networks, Ising models.

    E(s) = -1/2 s'Js - b's,        p(s) = exp(-beta E(s)) / Z(beta),

with J symmetric and zero on its diagonal. Given all others, a unit feels the field f_i = sum_j J_ij s_j and follows the
distribution of its unit type with the input f_i (:mod:`ebm.units`). The first units are visible, s = (v, h); the last
`n_hidden` of them are not observed. Where no two hidden units are connected they can be summed out exactly; elsewhere
that takes enumeration, or an approximation.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple
from zlib import crc32

import numpy as np

from ebm._arrays import Array, check_finite, check_squares, finite_numbers, float_type, is_sparse
from ebm._flat import Extent
from ebm._kernels.symmetry import is_symmetric
from ebm._random import Key, normal
from ebm.energies.base import ChainState, DataSummary, Model, check_memory, largest
from ebm.energies.couplings import (
    count_units,
    dense_couplings,
    largest_sums,
    pays_sparse,
    unwrapped,
)
from ebm.units import TwoState, Unit


class PairwiseParameters(NamedTuple):
    """Parameters of a pairwise model, and, being of the same shape, gradients by them.

    Attributes
    ----------
    J : ndarray or CSR array of shape (n_units, n_units)
        Couplings: symmetric, zero on the diagonal. Every pair stands there twice, and so does its gradient, which is
        always dense.
    bias : ndarray of shape (n_units,)
        b.
    """

    J: Array
    bias: Array


@dataclass(frozen=True, eq=False, repr=False)
class Pairwise(Model):
    """The choice of unit type, of how many units are hidden, and of which pairs are connected.

    Attributes
    ----------
    unit : TwoState
    n_hidden : int
        The last units of every state.
    mask : ndarray of bool, shape (n_units, n_units), or None
        Pairs that are connected, symmetric; all of them where None. Learning leaves the others at zero.
    """

    kind: ClassVar[str] = "Boltzmann machines"
    unit: TwoState
    n_hidden: int = 0
    mask: Array | None = None

    def __repr__(self) -> str:
        # Names the mask by a checksum: what was saved with one model is not gone on with in another.
        mask = None if self.mask is None else hex(crc32(np.packbits(self.mask).tobytes()))
        return f"Pairwise({self.unit!r}, n_hidden={self.n_hidden}, mask={mask})"

    def layout(self, *shape: int) -> PairwiseParameters:
        """The couplings and the biases of n_visible + n_hidden units."""
        n = sum(shape)
        return PairwiseParameters(Extent((n, n), weight=True), Extent((n,)))  # type: ignore[arg-type]

    def pack(self, params: PairwiseParameters) -> Array:
        """A new flat vector with the values of `params`, whose couplings may be sparse."""
        return super().pack(in_dense(params))

    @property
    def visible(self) -> TwoState:
        """The type of the visible units."""
        return self.unit

    @property
    def hidden(self) -> TwoState:
        """The type of the hidden units: the same."""
        return self.unit

    def shape(self, params: PairwiseParameters) -> tuple[int, int]:
        """(n_visible, n_hidden)."""
        return len(params.bias) - self.n_hidden, self.n_hidden

    def chain_width(self, params: PairwiseParameters) -> int:
        """Numbers that a persistent chain of the model is remembered by: the states of all units."""
        return len(params.bias)

    def offset_widths(self, params: PairwiseParameters) -> tuple[int, int]:
        """Lengths of the offsets of the centered gradient: those of all units, and none besides."""
        return len(params.bias), 0

    @property
    def chain_unit(self) -> TwoState:
        """The type of the units by whose states a persistent chain is remembered."""
        return self.unit

    def unit_layers(self, params: PairwiseParameters) -> dict[str, tuple[Unit, Any]]:
        """The visible and the hidden units, each with their biases."""
        n = self.shape(params)[0]
        return {
            "visible": (self.unit, self.layer_params(params.bias[:n])),
            "hidden": (self.unit, self.layer_params(params.bias[n:])),
        }

    def walk_layers(self, params: PairwiseParameters) -> list[tuple[Unit, Any]]:
        """All units, visible and hidden."""
        return [(self.unit, self.layer_params(params.bias))]

    @property
    def n_hidden_walked(self) -> int:
        """All hidden ones."""
        return self.n_hidden

    def initial(self, data: DataSummary, n_hidden: int, key: Key) -> PairwiseParameters:
        """Independent visible units that have the means of the data, the hidden ones neutral.

        Without hidden units the likelihood is concave and J = 0 as good a start as any. Weights of hidden units are
        small and random, as those of a restricted machine, for at zero they are all alike.
        """
        n_visible, dtype = len(data.mean), data.mean.dtype
        n = n_visible + n_hidden
        J = np.zeros((n, n), dtype)
        bias = np.zeros(n, dtype)
        bias[:n_visible] = self.unit.initial(*data).bias
        if n_hidden:
            rows = normal(key, (n, n_hidden), dtype) * dtype.type(np.sqrt(2 / n) / 3)
            J[:, n_visible:] = rows
            J = np.tril(J.T, -1) + np.tril(J.T, -1).T
        return PairwiseParameters(self.joined(J), bias)

    def start_chains(
        self, params: PairwiseParameters, mean: Array, n_chains: int, centered: bool, key: Key
    ) -> ChainState:
        """Chains of all units that begin as independent draws."""
        n_units, dtype = len(params.bias), params.J.dtype
        check_memory(n_chains, 2, (n_units,), dtype)
        layer_params = self.layer_params(params.bias)
        s = self.unit.sample(layer_params, np.zeros((n_chains, n_units), dtype), key)
        offset = self.unit.mean(layer_params, np.zeros((1, n_units), dtype))[0]
        offset[: len(mean)] = mean
        return ChainState(s, offset if centered else 0 * offset, np.zeros(0, dtype))

    def size(self, params: PairwiseParameters, variance: Array | None) -> float:
        """Of all couplings and biases: they are log-odds."""
        return max(largest(params.J), largest(params.bias))

    def joined(self, J: Array) -> Array:
        """`J` without the pairs that are not connected, in place."""
        np.fill_diagonal(J, 0)
        if self.mask is not None:
            J *= self.mask
        return J

    def layer_params(self, bias: Array) -> Any:
        """The biases as the parameters of a layer of the unit type."""
        return self.unit.parameters(bias)

    def inputs(self, params: PairwiseParameters, s: Array) -> Array:
        """The fields J s: (rows, n_units) -> (rows, n_units)."""
        fields: Array = s @ params.J
        return fields

    def energy(self, params: PairwiseParameters, s: Array) -> Array:
        """E(s) per row: (rows, n_units) -> (rows,) in double precision."""
        coupled = np.einsum("ij,ij->i", s, self.inputs(params, s), dtype=np.float64)
        energy: Array = self.unit.energy(self.layer_params(params.bias), s) - 0.5 * coupled
        return energy

    def tempered(self, params: PairwiseParameters, beta: float) -> PairwiseParameters:
        """Parameters of the energy beta E."""
        factor = params.J.dtype.type(beta)
        return PairwiseParameters(factor * params.J, factor * params.bias)

    def given_visible(self, params: PairwiseParameters, v: Array) -> Array:
        """Inputs of the hidden units from `v` (rows, n_visible), the bias included: (rows, n_hidden)."""
        n = v.shape[1]
        field: Array = v @ params.J[:n, n:] + params.bias[n:]
        return field

    def hidden_are_independent(self, params: PairwiseParameters) -> bool:
        """Whether no two hidden units are connected, so that they are independent given the visible ones."""
        n = len(params.bias) - self.n_hidden
        return not np.any(dense_couplings(params.J[n:, n:]))


def in_dense(params: PairwiseParameters) -> PairwiseParameters:
    """The same parameters with couplings that are no sparse matrix."""
    return PairwiseParameters(dense_couplings(params.J), params.bias)


# Fields are sums of N products and errors grow like sqrt(N) units of the last place of their size; this leaves a
# margin.
ROUNDING = 8.0


def field_rounding(params: PairwiseParameters) -> Array:
    """Fields (n_units,), bias included, below which rounding may have decided the sign."""
    scale = largest_sums(params.J) + np.abs(params.bias)
    small: Array = (ROUNDING * np.finfo(params.J.dtype).eps * scale).astype(params.J.dtype)
    return small


# Up to this inverse temperature no couplings are looked at: those that overflow below it overflow by themselves.
COLD = 1e3


def finite_beta(params: PairwiseParameters, beta: float) -> float:
    """`beta`, or the largest inverse temperature at which no unit's input overflows, where all are saturated."""
    if beta <= COLD:
        return float(beta)
    scale = float((largest_sums(params.J) + np.abs(params.bias)).max(initial=0))
    return min(float(beta), float(np.finfo(params.J.dtype).max) / (8 * max(1.0, scale)))


def check_couplings(
    J: Any, argument: str, n_units: int | None = None, symmetric: bool = True
) -> Any:
    """A C-contiguous float copy of `J`, symmetric to the last bit; a CSR array where `J` is one and that is faster.

    Parameters
    ----------
    J : array-like, data frame, sparse matrix or networkx graph
        A graph's nodes are the units, in its own order, and its edges' weights the couplings.
    argument : str
        The name of `J` in messages.
    n_units : int, optional
        How many units there have to be.
    symmetric : bool
        Whether opposite entries have to be equal, but for rounding.

    Returns
    -------
    ndarray or csr_array of shape (n_units, n_units)

    Raises
    ------
    ValueError
        Unless `J` is square, finite, symmetric if that is asked for, and zero on its diagonal.
    """
    given: Any = unwrapped(J, argument)
    dtype = float_type(given)
    couplings: Any = given.astype(dtype) if is_sparse(given) else np.array(given, dtype, order="C")
    n = count_units(couplings) if n_units is None else n_units
    if couplings.shape != (n, n) or not n:
        wanted = f"({n}, {n})" if n else "(n_units, n_units), with one unit at least"
        raise ValueError(f"{argument} must have the shape {wanted}. Got {couplings.shape}.")
    if is_sparse(couplings):
        couplings.sum_duplicates()
        couplings.eliminate_zeros()
        if not pays_sparse(n, couplings.nnz):
            couplings = dense_couplings(couplings)
    check_finite(couplings, argument)
    if symmetric:
        couplings = _symmetric(couplings, argument)
    if couplings.diagonal().any():
        raise ValueError(
            f"{argument} must be zero on the diagonal: no unit is connected to itself. "
            f"numpy.fill_diagonal({argument}, 0) makes it so. Of bits, for which x * x = x, add "
            f"{argument}.diagonal() / 2 to the biases first; of spins the diagonal is a constant."
        )
    return couplings


def _once(J: Any) -> bool:
    """Whether of two opposite entries one is zero: couplings of pairs i < j, for example."""
    product = J.multiply(J.T) if is_sparse(J) else J * J.T
    n_both = product.count_nonzero() if is_sparse(J) else np.count_nonzero(product)
    return bool(n_both == np.count_nonzero(product.diagonal()))


def _symmetric(J: Any, argument: str) -> Any:
    """`J` if it is symmetric but for rounding, without that; ValueError if it is not."""
    if not is_sparse(J) and is_symmetric(J):
        return J
    worst = abs(J - J.T).max() if J.shape[0] else 0
    if worst > 1e-6 * abs(J).max():
        cure = (
            f"Each pair is written once; {argument} + {argument}.T couples it both ways, with the same strength."
            if _once(J)
            else f"({argument} + {argument}.T) / 2 is symmetric."
        )
        raise ValueError(
            f"{argument} must be symmetric; two opposite entries differ by {worst:g}. {cure}"
        )
    if worst:  # else no energy is sure to fall at zero temperature, and descent need not end
        return type(J)((J + J.T) / 2) if is_sparse(J) else (J + J.T) / 2
    return J


def check_biases(bias: Any, argument: str, J: Array) -> Array:
    """`bias` for the units that the couplings `J` join, in their dtype; ValueError for anything else."""
    biases: Array = np.ascontiguousarray(finite_numbers(bias, argument), J.dtype)
    if biases.shape != (J.shape[0],):
        raise ValueError(
            f"{argument} must have the shape ({J.shape[0]},), as the couplings say. Got {np.shape(bias)}."
        )
    check_squares(biases, argument)
    return biases


def check_mask(mask: Any, n_units: int) -> Array | None:
    """A symmetric boolean matrix (n_units, n_units) of false diagonal, or None; ValueError for anything else."""
    if mask is None:
        return None
    given = unwrapped(mask, "mask", weight=None)
    values = dense_couplings(given) if is_sparse(given) else given
    if values.shape != (n_units, n_units) or not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"mask must hold true and false for every pair of {n_units} units, visible and hidden: the shape "
            f"({n_units}, {n_units}). Got {values.shape}, {values.dtype}."
        )
    joined: Array = values.astype(bool)
    if (joined != joined.T).any():
        raise ValueError("mask must be symmetric: units are connected both ways. mask | mask.T is.")
    joined &= ~np.eye(n_units, dtype=bool)
    return joined
