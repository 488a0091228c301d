"""Hebb's rule (Hebb 1949; Hopfield 1982): units that are in the same state in a pattern are connected more strongly.

    J_ij = (1 / N) sum_mu w_mu xi_i^mu xi_j^mu,    J_ii = 0,    b = 0.

In patterns that are random, independent bits, the others act on a unit like noise of the variance alpha = K / N. After
one step the share erfc(1 / sqrt(2 alpha)) / 2 of the units is wrong. Up to the critical load alpha = 0.138 recall ends
in a state within a few per cent of the pattern (Amit, Gutfreund & Sompolinsky 1985). Above it recall fails. All
patterns are *exact* fixed points only up to about N / (4 log N) of them (McEliece, Posner, Rodemich & Venkatesh 1987).
Along with a pattern its complement is stored, and odd mixtures of patterns, at small loads.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ebm._checks import Array
from ebm.storage.base import Memory, StorageRule

CRITICAL_LOAD = 0.138


@dataclass(frozen=True, repr=False)
class Hebb(StorageRule):
    """Hebb's rule: each pattern adds xi xi' / N to the couplings.

    Parameters
    ----------
    normalize : bool, default=True
        Whether the sum over the patterns is divided by N, so that fields are of order one. Recall at temperature zero
        does not depend on it; energies and temperatures do.

    Notes
    -----
    A pattern of weight w is stored w times. It can be forgotten at the cost of storing it.

    References
    ----------
    .. [1] Hopfield, J. J. "Neural networks and physical systems with emergent collective computational abilities."
       PNAS 79, 2554-2558 (1982).
    .. [2] Amit, D. J., Gutfreund, H. & Sompolinsky, H. "Storing infinite numbers of patterns in a spin-glass model of
       neural networks." Physical Review Letters 55, 1530-1533 (1985).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import Hebb
    >>> rule = Hebb(normalize=False)
    >>> memory = rule.store(rule.empty(3), np.array([[1, -1, 1], [1, 1, 1]]))
    >>> rule.parameters(memory).J
    array([[0., 0., 2.],
           [0., 0., 0.],
           [2., 0., 0.]])
    """

    normalize: bool = True

    additive: ClassVar[bool] = True
    law: ClassVar[str] = "0.138 N"

    def capacity(self, memory: Memory) -> float:
        """0.138 N: recall ends near the patterns."""
        return CRITICAL_LOAD * memory.n_inputs

    def strength(self, memory: Memory) -> float:
        """1 / N, or 1."""
        return 1 / memory.n_units if self.normalize else 1.0

    def start(self, memory: Memory) -> tuple[Array, ...]:
        """The sum of xi xi'."""
        return (np.zeros((memory.n_units, memory.n_units)),)

    def add(self, memory: Memory, patterns: Array, weights: Array) -> tuple[Array, ...]:
        """The sum with these patterns."""
        return (memory.rule_state[0] + second_moment(patterns, weights),)

    def couplings(self, memory: Memory) -> tuple[Array, Array]:
        """The sum, over N or not."""
        scale = memory.n_units if self.normalize else 1
        return memory.rule_state[0] / scale, np.zeros(memory.n_units)


def second_moment(patterns: Array, weights: Array) -> Array:
    """sum_mu w_mu xi^mu xi^mu', symmetric to the last bit."""
    moment: Array = (patterns.T * weights) @ patterns
    return (moment + moment.T) / 2
