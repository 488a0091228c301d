"""Perceptron learning: for each unit the couplings of the largest stability (Krauth & Mezard 1987).

Unit i is a perceptron with the inputs xi_j, j != i, and the target xi_i. The rule looks for couplings of the largest
*stability*, the smallest aligned field at couplings of norm one,

    kappa_i = max over norm(J_i) = 1 of  min over mu of  xi_i^mu sum_j J_ij xi_j^mu,

the perceptron of optimal stability, also known as the support vector machine without errors. Its couplings are sums
of examples y = xi_i^mu xi^mu with strengths x_mu >= 0, J_i = sum_mu x_mu y^mu, and with M = sum_mu x_mu, for the
optimal J*,

    M kappa_i <= J* . J_i <= norm(J_i),

so that norm(J_i) / M is an upper bound of kappa_i beside the lower one that J_i itself gives. Learning stops when the
two agree to within `tol`: the result carries its own certificate. There are two ways to it:

- the *minimal-overlap* rule of Krauth & Mezard: again and again, add the example that is the least stable, x_mu <-
  x_mu + 1; its error falls like one over the number of steps;
- the *AdaTron* of Anlauf & Biehl (1989): x_mu <- max(0, x_mu + gamma (1 - y^mu . J_i) / (y^mu . y^mu)) for one
  example after the other. Its error falls exponentially: for 600 patterns in 400 units it comes within 1 % in two
  seconds, where the other is not there after twenty.

Random patterns have a solution up to K = 2 N (Cover 1965; Gardner 1988), correlated ones beyond.

J_ij and J_ji are learned apart, so that J is **not symmetric**: patterns are fixed points all the same, but there is no
energy that falls, and recall from elsewhere may go round in circles. The symmetric variant (Gardner 1988) adds to both
at once, J_ij += sum_mu (e_i + e_j) xi_i xi_j / N with e_i = 1 where unit i is not yet stable in pattern mu, until all
are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ebm._checks import Array, check_integer, check_option, check_real
from ebm._kernels.storage import adatron, min_over
from ebm.storage.base import Memory, StorageRule

# An aligned field that falls short of its goal by less has reached it.
ROUNDING = 1e-9
# Additions of one compiled call; between two of them the user can interrupt.
CALL_WORK = 1 << 29
ALGORITHMS: dict[str, Callable[..., bool]] = {"adatron": adatron, "min_over": min_over}


@dataclass(frozen=True, repr=False)
class Perceptron(StorageRule):
    """Perceptron learning: couplings of the largest stability, for up to 2 N patterns.

    Parameters
    ----------
    kappa : float or None, default=None
        Stability at which a unit's couplings are good enough; None looks for the largest one. In the symmetric variant,
        None stands for aligned fields of at least one, the strength of one update.
    symmetric : bool, default=False
        Whether J is symmetric, so that the energy falls until recall stops. Fewer patterns have a solution.
    tol : float, default=0.01
        Share of the largest stability that may be missing.
    max_iter : int, default=1000
        Passes over the patterns at most; for "min_over", updates per unit and pattern.
    algorithm : {"adatron", "min_over"}, default="adatron"
        The way to the largest stability, a fast one or that of Krauth and Mezard. The symmetric variant has its own.

    Notes
    -----
    The couplings of each unit come out with norm one, so that aligned fields are stabilities; those of the symmetric
    variant do not. They are learned anew from all patterns whenever something is stored or forgotten, O(K^2) per unit
    and pass. Storing a pattern again changes nothing, so that weights only say which patterns to leave out. With a
    mask, the rule learns with the couplings that there are.

    References
    ----------
    .. [1] Krauth, W. & Mezard, M. "Learning algorithms with optimal stability in neural networks." Journal of Physics
       A 20, L745-L752 (1987).
    .. [2] Anlauf, J. K. & Biehl, M. "The AdaTron: an adaptive perceptron algorithm." Europhysics Letters 10, 687-692
       (1989).
    .. [3] Gardner, E. "The space of interactions in neural network models." Journal of Physics A 21, 257-270 (1988).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import Perceptron
    >>> rule = Perceptron()
    >>> X = np.array([[1.0, -1, 1, 1], [1, 1, 1, -1], [-1, 1, 1, -1]])
    >>> J, _ = rule.parameters(rule.store(rule.empty(4), X))
    >>> bool((X * (X @ J.T) > 0)[:, [1, 3]].all())
    True
    """

    kappa: float | None = None
    symmetric: bool = False
    tol: float = 0.01
    max_iter: int = 1000
    algorithm: str = "adatron"

    is_exact: ClassVar[bool] = True
    law: ClassVar[str] = "2 N; 1.5 N if symmetric"

    def __post_init__(self) -> None:
        if self.kappa is not None:
            check_real(self.kappa, "kappa")
        check_real(self.tol, "tol", 0.0, 1.0, open_low=True, open_high=True)
        check_integer(self.max_iter, "max_iter")
        check_option(self.algorithm, "algorithm", ALGORITHMS)

    @property
    def is_symmetric(self) -> bool:
        """As chosen."""
        return bool(self.symmetric)

    def capacity(self, memory: Memory) -> float:
        """2 N: random patterns have a solution; the symmetric variant finds one up to about 1.5 N (N = 100 and 200)."""
        return (1.5 if self.symmetric else 2.0) * memory.n_inputs

    def couplings(self, memory: Memory) -> tuple[Array, Array]:
        """The couplings, learned from the start."""
        n = memory.n_units
        if not len(memory.patterns):
            return np.zeros((n, n)), np.zeros(n)
        J = self._symmetric(memory) if self.symmetric else self._separate(memory)
        return J, np.zeros(n)

    def _separate(self, memory: Memory) -> Array:
        """Each unit's couplings by themselves, in terms of the patterns: J_i = sum_mu x_mu xi_i^mu xi^mu."""
        xi = memory.patterns
        strengths = np.zeros(xi.T.shape)
        products = xi @ xi.T
        goal = (-1.0 if self.kappa is None else float(self.kappa), float(self.tol))
        for i, targets in enumerate(xi.T):
            if memory.mask is None:
                inputs, own = products, 1.0
            else:
                joined = xi[:, memory.mask[i]]
                inputs, own = joined @ joined.T, 0.0
            self._learn(inputs, own, np.ascontiguousarray(targets), goal, strengths[i])
        J = memory.joined((strengths * xi.T) @ xi)
        norms = np.linalg.norm(J, axis=1, keepdims=True)
        unit: Array = J / np.where(norms > 0, norms, 1)
        return unit

    def _learn(
        self, products: Array, own: float, targets: Array, goal: tuple[float, float], out: Array
    ) -> None:
        """The strengths of the patterns in the sum of one unit, written to `out`; in calls of about a second."""
        learn, aligned = ALGORITHMS[self.algorithm], np.zeros(len(targets))
        some = max(1, CALL_WORK // len(targets) ** 2)
        for first in range(0, self.max_iter, some):
            if learn(products, own, targets, goal, min(some, self.max_iter - first), out, aligned):
                return

    def _symmetric(self, memory: Memory) -> Array:
        """Passes over the patterns until all aligned fields are large enough."""
        n, patterns = memory.n_units, memory.patterns
        J = np.zeros((n, n))
        for _ in range(self.max_iter):
            goal = 1.0 if self.kappa is None else self.kappa * np.linalg.norm(J, axis=1)
            weak = np.where(patterns * (patterns @ J) <= goal - ROUNDING, patterns, 0)
            if not weak.any():
                break
            update = weak.T @ patterns / n
            J += update + update.T
            memory.joined(J)
        return J
