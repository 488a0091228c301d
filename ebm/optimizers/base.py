"""Base of all optimisers: they move a flat vector uphill, in place, by a rule for its entries."""

import abc
from typing import Any, ClassVar

import numpy as np

from ebm._checks import Array, Settings
from ebm._kernels import ascent, rules

# (factor, limit, l1, l2, n_weights): see :func:`ebm._kernels.ascent.step`.
UpdateLimits = tuple[float, float, float, float, int]
UNLIMITED: UpdateLimits = (1.0, np.inf, 0.0, 0.0, 0)


class Optimizer(Settings, abc.ABC):
    """A choice of optimiser (abstract).

    Attributes
    ----------
    n_squares : int
        How many of the arrays in its memory, the last ones, are sums or means of squares.
    """

    n_squares: ClassVar[int] = 0

    @property
    @abc.abstractmethod
    def settings(self) -> tuple[Any, ...] | None:
        """The NamedTuple that selects the rule (:data:`ebm._kernels.rules.RULES`).

        None for an optimiser with a `start` and a `step` of its own, which compiled loops then do without.
        """

    def start(self, theta: Array) -> tuple[Array, ...]:
        """The memory before the first step, all zero: the clock, then the rule's arrays like `theta`."""
        n_remembered = rules.RULES[type(self.settings)].n_remembered
        clock = np.zeros(rules.CLOCK_SIZE, theta.dtype)
        return (clock, *(np.zeros_like(theta) for _ in range(n_remembered)))

    def invalid(self, memory: tuple[Array, ...]) -> str:
        """Say why `memory`, of the right shapes and finite, is none that steps come to, or ''."""
        clock = memory[:1] if self.settings is not None else ()
        squares = memory[len(memory) - self.n_squares :]
        if any(x.size and x.min() < 0 for x in (*clock, *squares)):
            return "negative counts or squares in the memory of the optimiser"
        return ""

    def step(
        self,
        theta: Array,
        gradient: Array,
        memory: tuple[Array, ...],
        rate: float,
        limits: UpdateLimits,
    ) -> bool:
        """Move `theta` (parameters,) along `gradient`, and `memory` with it, in place.

        `rate` is the learning rate of this step. `limits` is (factor, limit, l1, l2, n_weights): first the gradient is
        multiplied by the factor and clipped to +- limit. Then the slopes of the penalties ``l1 |theta|`` and ``l2
        theta^2 / 2`` are subtracted in the first `n_weights` entries. Entries that would become infinite stay; False if
        there are any.
        """
        number = theta.dtype.type
        return bool(ascent.step(self.settings, theta, gradient, memory, number(rate), limits))
