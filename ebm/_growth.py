"""Divergence is growth, long before numbers overflow: what is measured, and what training goes back to.

The *size* of parameters is the largest of them in units of the data. Weights and biases of two-state units count as
they are, for they are log-odds: a thousand of them is no probability. Where units have a scale, a weight W_ij is
measured in s_i t_j, and a visible bias, from the data's mean, in s_i, with the standard deviation s_i of the data and
the scale t_j of a hidden unit: these say how far a hidden unit moves the means. The weights of a network have the units
of its targets, so there the loss is measured, in units of that of the first batch, or in ones where that is smaller.

A size beyond :data:`LIMIT` is divergence. The parameters to go back to are the last of which the size was below
:data:`CALM`: growth by a factor per update is noticed late, and the epochs between are part of it.
"""

from functools import singledispatch
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._state import State
from ebm.energies.belief_network import BeliefNetwork
from ebm.energies.bipartite import Bipartite
from ebm.energies.pairwise import Pairwise
from ebm.gradients.base import ChainState
from ebm.units import Unit

# Sizes of parameters. An outlier among 20 000 rows lies 140 standard deviations off, and one unit may be for it alone.
LIMIT = 1e3
CALM = 30.0


def size(state: State) -> float:
    """Largest parameter in units of the data, see the module docstring; zero of models without a measure."""
    return _size_of(state.model, state)


@singledispatch
def _size_of(model: Any, state: State) -> float:
    return 0.0


@_size_of.register
def _(model: Pairwise, state: State) -> float:
    return _largest(state.theta)


@_size_of.register
def _(model: BeliefNetwork, state: State) -> float:
    """Of the weights, and of the biases of units without a scale, on either way."""
    layers = model.layers(state.local)
    biases = [own.bias for unit, own in layers.values() if not unit.has_scale]
    top = state.local.top
    weights = [_scaled(top.W, layers["visible"], layers["hidden"])]
    for k, (down, up) in enumerate(zip(state.local.down, state.local.up, strict=True)):
        lower, upper = layers[f"down{k}"], layers[f"up{k}"]
        weights += [_scaled(down.W, lower, upper), _scaled(up.W, lower, upper)]
    return max(_largest(x) for x in (*biases, *weights))


def _scaled(W: Array, lower: tuple[Unit, Any], upper: tuple[Unit, Any]) -> Array:
    """Weights in the scales of the units that they join, where these have one."""
    a, c = (unit.scale(own) for unit, own in (lower, upper))
    if a is not None:
        W = W / np.sqrt(a)[:, np.newaxis]
    return W if c is None else W / np.sqrt(c)


@_size_of.register
def _(model: Bipartite, state: State) -> float:
    params = state.local
    a, c = model.visible.scale(params.visible), model.hidden.scale(params.hidden)
    if a is None and c is None:
        return _largest(state.theta)
    W, b = params.W, params.visible.bias
    if a is not None:
        if not state.marginals:  # the data are unknown
            return 0.0
        unit = np.sqrt(np.maximum(state.marginals[1], a)).astype(W.dtype)
        W, b = W / unit[:, np.newaxis], b / unit
    if c is not None:
        W = W / np.sqrt(c)
    return max(_largest(W), _largest(b))


def _largest(x: Array) -> float:
    return max(float(x.max()), -float(x.min())) if x.size else 0.0


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
        """What has grown beyond all bounds in the epoch that ends, or ''; `losses` are those of its batches."""
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
        state.theta[:], state.chains, state.kept = self._kept


def copied(state: State) -> tuple[Array, ChainState, dict[str, Array]]:
    """Copies of the parameters, the chains with their offsets, and of what monitors keep."""
    h, mu, lam, own = state.chains
    chains = ChainState(h.copy(), mu.copy(), lam.copy(), tuple(x.copy() for x in own))
    return state.theta.copy(), chains, {name: x.copy() for name, x in state.kept.items()}


def outgrown(state: State, before: float) -> bool:
    """Whether an update led from parameters of the size `before` to some beyond all bounds."""
    return size(state) > max(LIMIT, 1.01 * before)
