"""Units of the states -1 and +1."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ebm._checks import Array
from ebm._kernels.spin import SpinParameters
from ebm._values import SPINS, States, consists_of
from ebm.units.base import TwoState


@dataclass(frozen=True, repr=False)
class Spin(TwoState):
    """Units with the states -1 and +1: E[x | f] = tanh(beta (b + f))."""

    parameters: ClassVar[Any] = SpinParameters
    states: ClassVar[States | None] = SPINS
    pace: ClassVar[float] = 0.25
    activation: ClassVar[str | None] = "tanh"
    allowed: ClassVar[str] = "-1, +1, or means"

    def initial(self, mean: Array, variance: Array, count: float) -> SpinParameters:
        """Half the log-odds of the mean."""
        return SpinParameters(self.log_odds(mean, count) / 2)

    def impossible(self, x: Array) -> str:
        """Anything but -1 and +1: a mean of zero cannot be told from the bit 0."""
        reason = self.invalid(x)
        if reason or consists_of(x, SPINS):
            return reason
        return "values other than -1 and +1, the states of a Spin unit"
