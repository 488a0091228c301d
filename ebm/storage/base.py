"""Storage rules turn patterns into couplings, one pattern at a time or all at once.

A pattern xi is a state of N spins {-1, +1}. It is *stored* where it is a fixed point of the dynamics at temperature
zero: where its aligned fields (Gardner's stabilities, up to the norm of the couplings)

    xi_i h_i,    h_i = sum_j J_ij xi_j + b_i,

are positive for all units i, or zero, for sign(0) keeps the state. J_ij is what unit j does to unit i. A rule
computes J and b from the patterns; all rules leave the diagonal of J at zero, and the couplings that a *mask* forbids
as well.

The stored patterns are a :class:`Memory`, which is never modified: :meth:`StorageRule.store` and
:meth:`StorageRule.forget` return a new one. Storing one pattern after the other gives the same as storing all of them
at once. Everything here is in double precision until :meth:`StorageRule.parameters` hands out couplings.
"""

import abc
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._arrays import check_squares, finite_numbers
from ebm._checked import once
from ebm._checks import Array, Settings
from ebm._kernels.symmetry import is_symmetric
from ebm.energies.couplings import dense_couplings
from ebm.energies.pairwise import PairwiseParameters, check_couplings, check_mask, field_rounding
from ebm.storage.patterns import as_patterns, collapse, find


class Memory(NamedTuple):
    """The patterns that a rule has stored, and the state of the rule.

    Attributes
    ----------
    patterns : ndarray of shape (n_patterns, n_units)
        Different patterns of spins, in the order in which they came.
    weights : ndarray of shape (n_patterns,)
        How often each has been stored.
    mask : ndarray of bool, shape (n_units, n_units), or None
        Pairs of units that are connected; all where None.
    rule_state : tuple of ndarray
        Arrays of the rule, so that the next pattern costs no more than the first.
    unlearned : ndarray of shape (n_units, n_units) or None
        Total that unlearning has subtracted from the couplings (:func:`ebm.storage.unlearn`).
    """

    patterns: Array
    weights: Array
    mask: Array | None
    rule_state: tuple[Array, ...]
    unlearned: Array | None = None

    @property
    def n_units(self) -> int:
        """N."""
        return int(self.patterns.shape[1])

    @property
    def n_inputs(self) -> float:
        """Mean count of units that a unit is connected to, and itself: N without a mask."""
        return self.n_units if self.mask is None else float(self.mask.sum() / self.n_units + 1)

    @property
    def is_symmetric(self) -> bool:
        """Whether what was taken off the couplings leaves them symmetric."""
        return self.unlearned is None or bool(is_symmetric(self.unlearned))

    def joined(self, J: Array) -> Array:
        """`J` without its diagonal and without the pairs that are not connected, in place."""
        np.fill_diagonal(J, 0)
        if self.mask is not None:
            J *= self.mask
        return J


class StorageRule(Settings, abc.ABC):
    """A way from patterns to couplings (abstract).

    Attributes
    ----------
    additive : bool
        Whether what a pattern adds does not depend on the others, so that it can be taken away again.
    is_exact : bool
        Whether the rule sets out to make every pattern a fixed point, and is at fault where one is not.
    is_ordered : bool
        Whether couplings depend on the order of the patterns.
    law : str
        How :meth:`capacity` grows, in words.
    """

    additive: ClassVar[bool] = False
    is_exact: ClassVar[bool] = False
    is_ordered: ClassVar[bool] = False
    law: ClassVar[str]

    @property
    def is_symmetric(self) -> bool:
        """Whether J is symmetric, so that the energy falls until recall stops."""
        return True

    @abc.abstractmethod
    def capacity(self, memory: Memory) -> float:
        """Count of random patterns up to which they are fixed points, or within a few per cent of one."""

    @abc.abstractmethod
    def couplings(self, memory: Memory) -> tuple[Array, Array]:
        """J (n_units, n_units), mask and diagonal aside, and b (n_units,), in new arrays."""

    def strength(self, memory: Memory) -> float:
        """The change of a coupling by one pattern under Hebb's rule: 1 / N."""
        return 1 / memory.n_units

    def start(self, memory: Memory) -> tuple[Array, ...]:
        """`layer_params` of a memory without patterns."""
        return ()

    def add(self, memory: Memory, patterns: Array, weights: Array) -> tuple[Array, ...]:
        """`layer_params` after different `patterns` (rows, n_units), of which `memory` has those that it had before."""
        return ()

    def empty(self, n_units: int, mask: Any = None) -> Memory:
        """The memory of `n_units` without patterns.

        Parameters
        ----------
        n_units : int
        mask : array-like of bool, shape (n_units, n_units), optional
            Pairs of units that are connected, symmetric; the diagonal does not count.

        Raises
        ------
        ValueError
            If the mask is of another shape, or not symmetric.
        """
        patterns, weights = np.empty((0, n_units)), np.empty(0)
        memory = Memory(patterns, weights, check_mask(mask, n_units), ())
        return memory._replace(rule_state=self.start(memory))

    def store(self, memory: Memory, patterns: Array, weights: Array | None = None) -> Memory:
        """Store `patterns` in addition to the stored ones.

        Parameters
        ----------
        memory : Memory
            Is not modified.
        patterns : ndarray of shape (rows, n_units)
            Spins. One that is there already, or comes twice, is stored so many times more.
        weights : ndarray of shape (rows,), optional
            How often each is stored; zero leaves it out.

        Returns
        -------
        Memory

        Raises
        ------
        ValueError
            If the patterns do not consist of -1 and +1, or are of another width, or weights are negative.
        """
        patterns = as_patterns(patterns, memory.n_units)
        weights = np.ones(len(patterns)) if weights is None else np.asarray(weights, np.float64)
        if weights.shape != (len(patterns),) or not (weights >= 0).all():
            raise ValueError(
                f"weights must be {len(patterns)} numbers of at least 0, one for each pattern."
            )
        rows, counts = collapse(patterns[weights > 0], weights[weights > 0])
        places = find(rows, memory.patterns)
        new = places < 0
        totals = np.concatenate([memory.weights, counts[new]])
        totals[places[~new]] += counts[~new]
        return memory._replace(
            patterns=np.concatenate([memory.patterns, rows[new]]),
            weights=totals,
            rule_state=self.add(memory, rows, counts),
        )

    def forget(self, memory: Memory, patterns: Array) -> Memory:
        """Take `patterns` out again, as if they had never been stored.

        Raises
        ------
        ValueError
            If one of them is not there.
        """
        places = find(as_patterns(patterns, memory.n_units), memory.patterns)
        if (places < 0).any():
            row = int(np.argmax(places < 0))
            raise ValueError(f"Row {row} of the patterns to forget is not stored.")
        gone = np.zeros(len(memory.patterns), bool)
        gone[places] = True
        rest = memory._replace(patterns=memory.patterns[~gone], weights=memory.weights[~gone])
        if self.additive:
            return rest._replace(
                rule_state=self.add(memory, memory.patterns[gone], -memory.weights[gone])
            )
        blank = self.empty(memory.n_units, memory.mask)
        return self.store(blank, *rest[:2])._replace(unlearned=memory.unlearned)

    def parameters(self, memory: Memory, dtype: Any = np.float64) -> PairwiseParameters:
        """Couplings and biases of the stored patterns: J with zero diagonal and within the mask."""
        J, bias = self.couplings(memory)
        if memory.unlearned is not None:
            J -= memory.unlearned
        return PairwiseParameters(memory.joined(J).astype(dtype, copy=False), bias.astype(dtype))


def aligned_fields(params: PairwiseParameters, s: Array) -> Array:
    """s_i (J s + b)_i for each row of spins: (rows, n_units) -> (rows, n_units)."""
    fields: Array = s * (s @ params.J.T + params.bias)
    return fields


def stored_badly(params: PairwiseParameters, patterns: Array, *, strict: bool = False) -> int:
    """How many of the patterns of spins are not held: with a negative aligned field, or without a positive one.

    A `strict` count lets no field be zero.
    """
    s = patterns.astype(params.J.dtype)
    fields, zero = aligned_fields(params, s), field_rounding(params)
    if strict:
        return int((fields <= zero).any(axis=1).sum())
    return int(((fields < -zero).any(axis=1) | (fields <= zero).all(axis=1)).sum())


def share_of_unstable_bits(params: PairwiseParameters, patterns: Array) -> float:
    """Of the bits of all patterns of spins, the share that their fields point away from."""
    fields = aligned_fields(params, patterns.astype(params.J.dtype))
    return float((fields < -field_rounding(params)).mean())


def given_couplings(J: Any) -> tuple[Any, bool]:
    """A checked copy of the couplings `J`, symmetric or not, and whether they are but for rounding."""
    couplings = check_couplings(J, "J", symmetric=False)
    scale = abs(couplings).max() if couplings.shape[0] else 0
    symmetric = bool(abs(couplings - couplings.T).max() <= 1e-6 * scale) if scale else True
    return (check_couplings(couplings, "J") if symmetric else couplings), symmetric


def holding(memory: Memory, J: Any) -> Memory:
    """`memory` with the couplings `J` besides those of its patterns: nothing was unlearned but their negative."""
    return memory._replace(unlearned=-dense_couplings(J).astype(np.float64))


def check_parameters(J: Any, bias: Any, n_units: int, *, symmetric: bool) -> PairwiseParameters:
    """Couplings and biases of one dtype; ValueError if they are not what they should be.

    Couplings are looked at once, and not copied where that is not needed (:func:`ebm._checked.once`).
    """
    couplings = once(check_couplings, J, "couplings_", n_units, symmetric)
    biases = np.array(finite_numbers(bias, "intercept_"), couplings.dtype)
    if biases.shape != (n_units,):
        raise ValueError(
            f"intercept_ must be {n_units} finite numbers. Got the shape {biases.shape}."
        )
    check_squares(biases, "intercept_")
    return PairwiseParameters(couplings, biases)
