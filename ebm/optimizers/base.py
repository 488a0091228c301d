"""What all optimisers share: they move a flat vector uphill, in place, and keep their memory in arrays of its shape."""

import abc

from ebm._checks import Array, Record


class Optimizer(Record, abc.ABC):
    """A choice of optimiser (abstract)."""

    @property
    def as_momentum(self) -> tuple[float, bool] | None:
        """(momentum, look_ahead) for those that are SGD with momentum, zero included; None for the others.

        Compiled training loops know these.
        """
        return None

    @abc.abstractmethod
    def start(self, theta: Array) -> tuple[Array, ...]:
        """The optimiser's memory before the first step: arrays like `theta`."""

    @abc.abstractmethod
    def step(
        self,
        theta: Array,
        gradient: Array,
        memory: tuple[Array, ...],
        rate: float,
        decay: float,
        n_decayed: int,
    ) -> bool:
        """Move `theta` (parameters,) along `gradient`, and `memory` with it, in place.

        `rate` is the learning rate of this step; `decay` the coefficient of the penalty decay theta^2 / 2 on the first
        `n_decayed` entries, which are the weights. Entries that would become infinite stay; False if there are any.
        """
