"""Units of the states 0 and 1."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ebm._checks import Array
from ebm._kernels.bernoulli import BernoulliParameters
from ebm._values import BITS, States
from ebm.units.base import TwoState


@dataclass(frozen=True, repr=False)
class Bernoulli(TwoState):
    """Binary units with the states 0 and 1: p(x = 1 | f) = sigmoid(beta (b + f))."""

    parameters: ClassVar[Any] = BernoulliParameters
    states: ClassVar[States | None] = BITS
    activation: ClassVar[str | None] = "logistic"
    allowed: ClassVar[str] = "0, 1, or probabilities"

    def losses(self, n_units: int) -> list[tuple[str, int]]:
        """One for all units."""
        return [("binary_cross_entropy", n_units)]

    def initial(self, mean: Array, variance: Array, count: float) -> BernoulliParameters:
        """Log-odds of the mean."""
        return BernoulliParameters(self.log_odds(mean, count))
