"""Divergence is growth, long before numbers overflow: what is measured, and what training goes back to.

The *size* of parameters is the largest of them in units of the data. Weights and biases of two-state units count as
they are, for they are log-odds: a thousand of them is no probability. Where units have a scale, a weight W_ij is
measured in s_i t_j, and a visible bias, from the data's mean, in s_i. Here s_i is the standard deviation of the data
and t_j the scale of a hidden unit: these say how far a hidden unit moves the means. The weights of a network have the
units of its targets. For networks the loss is measured instead, in units of the loss of the first batch, or of one if
that is smaller.

A size beyond :data:`LIMIT` is divergence. The restored parameters are the last ones with a size below :data:`CALM`:
growth by a factor per update is noticed late, and the epochs between are part of it.
"""

import numpy as np

from ebm._checks import Array
from ebm._state import State
from ebm.energies.base import ChainState

# Sizes of parameters. An outlier among 20 000 rows lies 140 standard deviations off, and one unit may be for it alone.
LIMIT = 1e3
CALM = 30.0


def size(state: State) -> float:
    """Largest parameter in units of the data, see the module docstring; zero of models without a measure."""
    variance = state.marginals[1] if state.marginals else None
    return state.model.size(state.local, variance)


class Growth:
    """Watches the parameters of one course of training from epoch to epoch.

    Attributes
    ----------
    epoch : int
        The last epoch that began with parameters of moderate size.
    """

    def __init__(self, state: State) -> None:
        self._allowed = max(1.0, size(state) / CALM)
        self._first_loss: float | None = None
        self._size = 0.0
        self.epoch = state.epoch
        self._kept = self._next = copied(state)

    def begin(self, state: State) -> None:
        """An epoch begins: remember its parameters and chains if they are to be gone back to."""
        self._next = copied(state)
        if self._first_loss is None and self._size <= CALM:
            self.epoch, self._kept = state.epoch, self._next

    def where(self, state: State, losses: list[float]) -> str:
        """The name of the quantity that has diverged in the epoch that ends, or ''; `losses` are those of its
        batches.
        """
        if not losses:
            self._size = size(state) / self._allowed
            return "the parameters" if self._size > LIMIT else ""
        if self._first_loss is None:
            self._first_loss = max(1.0, losses[0])
        # The first is that of the parameters with which the epoch began.
        if losses[0] <= CALM * self._first_loss:
            self.epoch, self._kept = state.epoch, self._next
        return "the loss" if np.median(losses) > LIMIT * self._first_loss else ""

    def go_back(self, state: State) -> None:
        """Take the parameters and chains of the epoch :attr:`epoch` again, and what monitors kept until then."""
        state.theta[:], state.chains, state.saved = self._kept


def copied(state: State) -> tuple[Array, ChainState, dict[str, Array]]:
    """Copies of the parameters, the chains with their offsets, and of what monitors keep."""
    h, below, above, gradient_state = state.chains
    chains = ChainState(
        h.copy(), below.copy(), above.copy(), tuple(x.copy() for x in gradient_state)
    )
    return state.theta.copy(), chains, {name: x.copy() for name, x in state.saved.items()}


def outgrown(state: State, before: float) -> bool:
    """Whether an update led from parameters of the size `before` to some beyond all bounds."""
    return size(state) > max(LIMIT, 1.01 * before)
