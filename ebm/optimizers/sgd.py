"""Stochastic gradient ascent, plain and with momentum.

With the gradient g (weight decay included) and the learning rate r,

    SGD        theta <- theta + r g
    Momentum   u <- m u + r g,    theta <- theta + u                (Polyak 1964)
    Nesterov   u <- m u + r g,    theta <- theta + m u + r g        (Nesterov 1983; in the form whose parameters are
                                                                     those at which the gradient is taken)

The learning rate enters once, when the gradient enters the velocity u; a change of rate does not rescale u.
"""

from dataclasses import dataclass

import numpy as np

from ebm._checks import Array, check_real
from ebm._kernels.ascent import ascend, ascend_with_momentum
from ebm.optimizers.base import Optimizer


@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    """Plain stochastic gradient ascent; no settings of its own."""

    @property
    def as_momentum(self) -> tuple[float, bool] | None:
        """Momentum, and whether to look ahead."""
        return (0.0, False)

    def start(self, theta: Array) -> tuple[Array, ...]:
        """No memory."""
        return ()

    def step(
        self,
        theta: Array,
        gradient: Array,
        memory: tuple[Array, ...],
        rate: float,
        decay: float,
        n_decayed: int,
    ) -> bool:
        """Theta <- theta + r g, in place."""
        number = theta.dtype.type
        return bool(ascend(theta, gradient, number(rate), number(decay), n_decayed))


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
        _check_momentum(self.momentum)

    @property
    def as_momentum(self) -> tuple[float, bool] | None:
        """Momentum, and whether to look ahead."""
        return (self.momentum, False)

    def start(self, theta: Array) -> tuple[Array, ...]:
        """Velocity zero."""
        return (np.zeros_like(theta),)

    def step(
        self,
        theta: Array,
        gradient: Array,
        memory: tuple[Array, ...],
        rate: float,
        decay: float,
        n_decayed: int,
    ) -> bool:
        """U <- m u + r g, theta <- theta + u, in place."""
        return _move(theta, gradient, memory[0], (rate, decay, self.momentum), n_decayed, False)


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
        _check_momentum(self.momentum)

    @property
    def as_momentum(self) -> tuple[float, bool] | None:
        """Momentum, and whether to look ahead."""
        return (self.momentum, True)

    def start(self, theta: Array) -> tuple[Array, ...]:
        """Velocity zero."""
        return (np.zeros_like(theta),)

    def step(
        self,
        theta: Array,
        gradient: Array,
        memory: tuple[Array, ...],
        rate: float,
        decay: float,
        n_decayed: int,
    ) -> bool:
        """U <- m u + r g, theta <- theta + m u + r g, in place."""
        return _move(theta, gradient, memory[0], (rate, decay, self.momentum), n_decayed, True)


def _check_momentum(momentum: float) -> None:
    check_real(momentum, "momentum", 0.0, 1.0)
    if momentum == 1:
        raise ValueError("momentum must be below 1: at 1 the velocity never decays. Got 1 instead.")


def _move(
    theta: Array,
    gradient: Array,
    velocity: Array,
    numbers: tuple[float, float, float],
    n_decayed: int,
    look_ahead: bool,
) -> bool:
    rate, decay, momentum = (theta.dtype.type(x) for x in numbers)
    return bool(
        ascend_with_momentum(
            theta, gradient, velocity, rate, decay, n_decayed, momentum, look_ahead
        )
    )
