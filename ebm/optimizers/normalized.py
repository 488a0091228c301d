"""Steps of one size for every group of parameters, along a momentum.

With the gradient g (penalties included), the learning rate r, and groups of consecutive parameters::

    u <- m u + g,    theta <- theta + r u / max |u|    (the maximum over the group; Krotov & Hopfield 2016, app. A)

A group whose gradients are orders of magnitude smaller than those of others, as those of the memories of a high-degree
interaction are, learns as fast as they do. The learning rate is the largest change of a parameter in a step.
"""

from dataclasses import dataclass

import numpy as np

from ebm._checks import Array, check_integer, check_real
from ebm.optimizers.base import Optimizer, UpdateLimits


@dataclass(frozen=True, repr=False)
class NormalizedMomentum(Optimizer):
    """Momentum whose steps are as long as the learning rate in every group of parameters.

    Parameters
    ----------
    momentum : float in [0, 1), default=0.6
        Fraction of the velocity that is kept at each step.
    group_size : int or None, default=None
        Consecutive parameters that are normalised together. None: all of them; :class:`ebm.DenseAssociativeClassifier`
        takes each memory by itself.

    Notes
    -----
    Steps do not shrink as the gradient does: the learning rate has to, by a schedule.

    References
    ----------
    .. [1] Krotov, D. and Hopfield, J. J. (2016). Dense associative memory for pattern recognition. Advances in Neural
       Information Processing Systems 29, appendix A.

    Examples
    --------
    >>> from ebm import NormalizedMomentum
    >>> NormalizedMomentum(momentum=0.9)
    NormalizedMomentum(momentum=0.9)
    """

    momentum: float = 0.6
    group_size: int | None = None

    def __post_init__(self) -> None:
        check_real(self.momentum, "momentum", 0.0, 1.0, open_high=True)
        if self.group_size is not None:
            check_integer(self.group_size, "group_size")

    @property
    def settings(self) -> None:
        """None: the rule looks at many parameters at once."""
        return

    def start(self, theta: Array) -> tuple[Array, ...]:
        """The velocity, zero; ValueError where the parameters make no whole number of groups."""
        if theta.size % (self.group_size or theta.size):
            raise ValueError(
                f"group_size must divide the number of parameters, {theta.size}. Got {self.group_size}; None takes all "
                "of them together."
            )
        return (np.zeros_like(theta),)

    def step(
        self,
        theta: Array,
        gradient: Array,
        memory: tuple[Array, ...],
        rate: float,
        limits: UpdateLimits,
    ) -> bool:
        """Move `theta`; nothing moves, and False, when the velocity would not be finite."""
        factor, limit, l1, l2, n_weights = limits
        g = gradient
        if factor != 1 or limit < np.inf:  # usually there is nothing to limit
            g = np.clip(factor * g, -limit, limit)
        if l1 or l2:
            g = g.copy()
            g[:n_weights] -= l1 * np.sign(theta[:n_weights]) + l2 * theta[:n_weights]
        velocity = memory[0]
        new = velocity * velocity.dtype.type(self.momentum)
        new += g
        groups = new.reshape(-1, self.group_size or new.size)
        largest = np.maximum(groups.max(axis=1), -groups.min(axis=1))
        if not np.isfinite(largest).all():
            return False
        velocity[:] = new
        groups /= np.maximum(largest, np.finfo(new.dtype).tiny)[:, np.newaxis]  # zero stays zero
        new *= new.dtype.type(rate)
        theta += new
        return True
