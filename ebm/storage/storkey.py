"""Storkey's rule (Storkey 1997): Hebb's, less what the couplings do already. Local and incremental.

    J_ij <- J_ij + (1 / N) (xi_i xi_j - xi_i h_ji - h_ij xi_j),     h_ij = sum_{k != i, j} J_ik xi_k,

one pattern after the other, from J = 0. With the fields H = J xi and J_ii = 0, h_ij = H_i - J_ij xi_j, so that one
pattern costs one product with J and one pass over it,

    J <- J + (1 / N) (xi xi' - xi H' - H xi' + 2 J).

No h_ij reads the diagonal, so that leaving it at zero changes nothing else. With a mask, the fields are those of the
couplings that there are. The order of the patterns matters, at order 1 / N^2. Random patterns can be stored without
errors up to about N / sqrt(2 log N) of them, against N / (2 log N) under Hebb's rule.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ebm._checks import Array
from ebm._kernels.storage import storkey
from ebm.storage.base import Memory, StorageRule

# Each time is a pass over the couplings: more are taken for a mistake of scale.
MOST_TIMES = 10_000


@dataclass(frozen=True, repr=False)
class Storkey(StorageRule):
    """Storkey's rule: Hebb's, corrected for what is stored already; no settings.

    Notes
    -----
    A pattern costs O(N^2). One of weight w, a whole number, is stored w times in a row. To forget patterns, the rest is
    stored anew.

    References
    ----------
    .. [1] Storkey, A. "Increasing the capacity of a Hopfield network without sacrificing functionality." Artificial
       Neural Networks -- ICANN '97, 451-456 (1997).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import Storkey
    >>> rule = Storkey()
    >>> memory = rule.store(rule.empty(4), np.array([[1, -1, 1, 1], [1, 1, 1, -1]]))
    >>> rule.parameters(memory).J[0]
    array([0.  , 0.  , 0.75, 0.  ])
    """

    is_ordered: ClassVar[bool] = True
    law: ClassVar[str] = "N / sqrt(2 log N)"

    def capacity(self, memory: Memory) -> float:
        """N / sqrt(2 log N): random patterns are fixed points."""
        n = memory.n_inputs
        return float(n / np.sqrt(2 * np.log(max(n, 2))))

    def start(self, memory: Memory) -> tuple[Array, ...]:
        """No couplings."""
        return (np.zeros((memory.n_units, memory.n_units)),)

    def add(self, memory: Memory, patterns: Array, weights: Array) -> tuple[Array, ...]:
        """The couplings after these patterns, one by one."""
        if (weights != np.rint(weights)).any() or weights.max(initial=0) > MOST_TIMES:
            raise ValueError(
                f"Storkey's rule stores a pattern a whole number of times: sample_weight must be whole numbers up to "
                f"{MOST_TIMES}. Hebb's and the covariance rule take any weight."
            )
        J = memory.rule_state[0].copy()
        for xi in np.repeat(patterns, weights.astype(np.int64), axis=0):
            storkey(J, xi, J @ xi)
            memory.joined(J)
        return (J,)

    def couplings(self, memory: Memory) -> tuple[Array, Array]:
        """The couplings, and thresholds of zero."""
        return memory.rule_state[0].copy(), np.zeros(memory.n_units)
