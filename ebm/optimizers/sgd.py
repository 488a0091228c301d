"""Stochastic gradient ascent, plain and with momentum.

With the gradient g (penalties included) and the learning rate r::

    SGD        theta <- theta + r g
    Momentum   u <- m u + r g,    theta <- theta + u                (Polyak 1964)
    Nesterov   u <- m u + r g,    theta <- theta + m u + r g        (Nesterov 1983; in the form whose parameters are
                                                                     those at which the gradient is taken)

The learning rate enters once, when the gradient enters the velocity u; a change of rate does not rescale u.
"""

from dataclasses import dataclass

from ebm._checks import check_real
from ebm._kernels.rules import MomentumSettings, PlainSettings
from ebm.optimizers.base import Optimizer


@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    """Plain stochastic gradient ascent; no settings of its own."""

    @property
    def settings(self) -> PlainSettings:
        """None."""
        return PlainSettings()


@dataclass(frozen=True, repr=False)
class Momentum(Optimizer):
    """Classical momentum (Polyak 1964).

    Parameters
    ----------
    momentum : float in [0, 1), default=0.9
        Fraction of the velocity that is kept at each step.
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        check_real(self.momentum, "momentum", 0.0, 1.0, open_high=True)

    @property
    def settings(self) -> MomentumSettings:
        """Momentum without looking ahead."""
        return MomentumSettings(float(self.momentum), False)


@dataclass(frozen=True, repr=False)
class Nesterov(Optimizer):
    """Nesterov's momentum.

    Parameters
    ----------
    momentum : float in [0, 1), default=0.9
        Fraction of the velocity that is kept at each step.
    """

    momentum: float = 0.9

    def __post_init__(self) -> None:
        check_real(self.momentum, "momentum", 0.0, 1.0, open_high=True)

    @property
    def settings(self) -> MomentumSettings:
        """Momentum that looks ahead."""
        return MomentumSettings(float(self.momentum), True)
