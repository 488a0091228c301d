"""The covariance rule for patterns of low or high activity (Tsodyks & Feigelman 1988), with thresholds.

For bits n in {0, 1} of mean activity a,

    J_ij = 1 / (N a (1 - a)) sum_mu w_mu (n_i^mu - a) (n_j^mu - a),    n_i = 1 where sum_j J_ij (n_j - a) > theta.

In a pattern of activity a, the left side is 1 - a for the active units and -a for the others, up to noise, and theta =
1/2 - a lies half-way. The states enter it as n_j - a, too. Otherwise the sum of J_ij over all other units, which is
pure noise, would enter: a threshold that differs from unit to unit. In spins s = 2 n - 1 of mean mu = 2 a - 1 the same
reads

    J_ij = 1 / (N (1 - mu^2)) sum_mu w_mu (xi_i - mu) (xi_j - mu),    b_i = -mu sum_j J_ij - 2 theta,

which at a = 1/2 is Hebb's rule.

Capacity: near a pattern, the fields are m (n_i - a) plus Gaussian noise and a reaction of the unit on itself. With
chi = a (1 - a), the rates P_1 and P_0 at which active and other units are active, and Maxwell's rule for the reaction
at temperature zero (Shiino & Fukai 1992),

    m = P_1 - P_0,   P_n = Phi(x_n),   x_n = ((n - a) m - theta + Gamma (1/2 - a)) / sigma,
    sigma^2 = alpha Q / (1 - U)^2,   Gamma = alpha U / (1 - U),
    Q = (1 - 2 a) (a P_1 + (1 - a) P_0) + a^2,   U = (a phi(x_1) + (1 - a) phi(x_0)) / sigma,

and the critical load is the largest alpha = K / N with a solution of m near 1: 0.138 at a = 1/2, 0.34 at 0.1, 2.1 at
0.01, and for theta = 1/2 - a it grows like 1 / (8 a log(1/a)). The best threshold allows up to four times that.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ebm._checks import Array, check_real
from ebm.storage.base import Memory, StorageRule
from ebm.storage.hebb import second_moment

# The critical load at theta = 1/2 - a, from the equations of the module docstring.
ACTIVITIES = np.array([0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5])
CRITICAL_LOADS = np.array([14.99, 2.101, 1.187, 0.570, 0.335, 0.206, 0.162, 0.143, 0.138])

# Fields are of the order one: beyond it no unit ever changes, and in either precision it is a number.
LARGEST_THRESHOLD = 1e12
# Couplings are divided by a (1 - a).
LEAST_ACTIVITY = 1e-100


@dataclass(frozen=True, repr=False)
class Covariance(StorageRule):
    """The covariance rule, for patterns in which few units are active, or few are not.

    Parameters
    ----------
    activity : float or None, default=None
        a, the share of active units in the patterns, in [1e-100, 1); None takes that of all stored patterns.
    threshold : float or None, default=None
        theta, above which a unit becomes active, for the fields of bits: 1 - a is what active units of a pattern
        receive and -a what the others do. None stands for 1/2 - a, half-way between them; near capacity a threshold
        closer to the active ones' can be better for sparse patterns.

    Notes
    -----
    A pattern of weight w is stored w times. It can be forgotten at the cost of storing it.

    References
    ----------
    .. [1] Tsodyks, M. V. & Feigel'man, M. V. "The enhanced storage capacity in neural networks with low activity
       level." Europhysics Letters 6, 101-105 (1988).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import Covariance
    >>> rule = Covariance(activity=0.5)
    >>> memory = rule.store(rule.empty(3), np.array([[1, -1, 1], [1, 1, 1]]))
    >>> 3 * rule.parameters(memory).J
    array([[0., 0., 2.],
           [0., 0., 0.],
           [2., 0., 0.]])
    """

    activity: float | None = None
    threshold: float | None = None

    additive: ClassVar[bool] = True
    law: ClassVar[str] = "0.138 N at the activity 1/2, and more where few units are active"

    def __post_init__(self) -> None:
        if self.activity is not None:
            check_real(self.activity, "activity", LEAST_ACTIVITY, 1.0, open_high=True)
        if self.threshold is not None:
            check_real(self.threshold, "threshold", -LARGEST_THRESHOLD, LARGEST_THRESHOLD)

    def capacity(self, memory: Memory) -> float:
        """The critical load at the threshold 1/2 - a, times N."""
        a = self.activity_of(memory)
        return critical_load(min(a, 1 - a)) * memory.n_inputs

    def activity_of(self, memory: Memory) -> float:
        """The activity a that the rule works with; 1/2 where nothing is known."""
        if self.activity is not None:
            return self.activity
        _, first, total = memory.rule_state
        if not total[0]:
            return 0.5
        return float((1 + first.sum() / (total[0] * memory.n_units)) / 2)

    def start(self, memory: Memory) -> tuple[Array, ...]:
        """The sums of xi xi', of xi, and of 1, from which any activity's couplings follow."""
        n = memory.n_units
        return np.zeros((n, n)), np.zeros(n), np.zeros(1)

    def add(self, memory: Memory, patterns: Array, weights: Array) -> tuple[Array, ...]:
        """The sums with these patterns."""
        second, first, total = memory.rule_state
        second = second + second_moment(patterns, weights)
        return second, first + weights @ patterns, total + weights.sum()

    def couplings(self, memory: Memory) -> tuple[Array, Array]:
        """Couplings and thresholds in spins."""
        second, first, total = memory.rule_state
        a = self.activity_of(memory)
        mu = 2 * a - 1
        mixed = first[:, np.newaxis] + first
        J = second - mu * mixed + mu**2 * total
        # Where all units are always in one state, there is no covariance, and the thresholds alone say which state.
        J /= memory.n_units * (1 - mu**2) if 0 < a < 1 else 1
        memory.joined(J)
        theta = 0.5 - a if self.threshold is None else self.threshold
        return J, -mu * J.sum(axis=1) - 2 * theta


def critical_load(activity: float) -> float:
    """Interpolated in the table, and beyond it as 1 / (8 a log(1/a)) grows."""
    growth = ACTIVITIES * np.abs(np.log(ACTIVITIES))
    a = max(activity, 1e-12)
    factor = np.interp(np.log(a), np.log(ACTIVITIES), CRITICAL_LOADS * growth)
    return float(factor / (a * abs(np.log(a))))
