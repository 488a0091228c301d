"""Samples of a deep belief network: unconditional ones from the top down, and unknown values given the known ones.

**Freely** (Hinton, Osindero & Teh 2006, section 5): Gibbs sampling in the top, the only part that needs a chain. Then
one pass down, every layer from its distribution given the one above. Labels may be clamped, for example
a label: the pass down stays exact.

**Given some of the data**, the hidden layers depend on each other, and no layer's distribution given its neighbours
factorises. The chain of (x_0, ..., x_{L-1}) is a Metropolis-Hastings one. Each step visits every hidden layer k and, in
it, a few random blocks of units. The block is drawn anew from the recognition distribution q(x_k | x_{k-1}), and the
new state x'_k is accepted with the probability

    min(1, w(x'_k) / w(x_k)),        w(x_k) = p(x_{k-1} | x_k) p(x_k | x_{k+1}) / q(x_k | x_{k-1}),

where exp(-F(x_k, labels)) of the top stands for p(x_k | x_{k+1}) at k = L - 1. Then unknown labels are renewed by
way of the topmost layer, and unknown data from p(x_0 | x_1). Each of these moves leaves the distribution of all layers
given what is known unchanged, however bad the recognition is: it decides how fast the chain moves, not where to. Small
blocks are accepted more often, and cost more products with the weights.

An inverse temperature beta is that of the top; the rest are distributions without an energy.
"""

import abc
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold, permutation, uniform
from ebm.energies.belief_network import BeliefNetwork, BeliefParameters, log_conditional
from ebm.samplers.base import averaged_halves, clamp, half_means, run_chain
from ebm.samplers.block_gibbs import Chains, block_gibbs

# Blocks of a layer's units that are proposed one after the other.
N_BLOCKS = 10
# Numbers of the keys of one call: of the start, the chain, the end; of one step; and of one layer's moves.
START, WALK, END = range(3)
DATA, LABELS, HIDDEN = range(3)
ORDER, PROPOSAL, CHOICE = range(3)


class Explanation(NamedTuple):
    """States of layers 0, ..., L - 1, and of the labels or None."""

    states: tuple[Array, ...]
    labels: Array | None


def sample_rows(
    model: BeliefNetwork,
    params: BeliefParameters,
    rows: Array,
    key: Key,
    n_steps: int,
    *,
    beta: float = 1.0,
    given: Array | None = None,
    mean: bool = False,
    trace: Array | None = None,
) -> Array:
    """Rows (x_0, labels) after `n_steps` of independent chains.

    Parameters
    ----------
    model, params : BeliefNetwork, BeliefParameters
    rows : ndarray of shape (chains, n_0 + n_labels)
        Where the chains start, by recognition; not modified.
    key : Key
    n_steps : int
        Steps: of Gibbs sampling in the top for chains of which no data are given, of :func:`explain` for the others.
    beta : float
        Inverse temperature of the top.
    given : ndarray of shape (chains, n_0 + n_labels), optional
        NaN where a unit is free; other entries are clamped, bit for bit.
    mean : bool
        Whether unknown data are their mean given layer 1 instead of a draw.
    trace : ndarray of shape (chains, n_steps), optional
        Is filled after each step: with beta F of the top, or, where data are given, with -log p of all layers but the
        topmost, up to a constant.

    Returns
    -------
    ndarray of shape (chains, n_0 + n_labels)
        The states of a chain do not depend on the given values of other chains.
    """
    if not params.down and not mean:
        top = model.fused_top(params)
        return run_chain(*top, rows, key, n_steps, beta=beta, given=given, trace=trace)
    out = clamp(np.array(rows), given)
    for way, mine in _ways(model, params, beta, given, len(rows)):
        state = way.start(out, fold(key, START))
        for step in range(n_steps):
            state = way.step(state, fold(fold(key, WALK), step))
            if trace is not None:
                trace[mine, step] = way.energy(state)[mine]
        out[mine] = way.rows(state, fold(key, END), mean)[mine]
    return clamp(out, given)


@run_chain.register
def _(
    model: BeliefNetwork,
    params: BeliefParameters,
    x: Array,
    key: Key,
    n_steps: int,
    *,
    beta: float = 1.0,
    given: Array | None = None,
    trace: Array | None = None,
) -> Array:
    """:func:`sample_rows`."""
    return sample_rows(model, params, x, key, n_steps, beta=beta, given=given, trace=trace)


@half_means.register
def _(
    model: BeliefNetwork,
    params: BeliefParameters,
    v: Array,
    key: Key,
    n_steps: int,
    given: Array,
    *,
    beta: float = 1.0,
) -> tuple[Array, Array]:
    """E[x_0 | x_1] is averaged, and the labels' mean given the topmost layer."""
    if not params.down:
        return half_means(*model.fused_top(params), v, key, n_steps, given, beta=beta)
    rows, burn_in = clamp(np.array(v), given), n_steps // 2
    halves = rows.copy(), rows.copy()
    for way, mine in _ways(model, params, beta, given, len(v)):
        state = way.start(rows, fold(key, START))

        def once(half: int, step: int, way: _Way = way) -> Array:
            nonlocal state
            keys = fold(fold(key, WALK), half * burn_in + step)
            state = way.step(state, fold(keys, 0))
            return way.means(state, fold(keys, 1))

        for out, found in zip(halves, averaged_halves(n_steps, once, given, v.dtype), strict=True):
            out[mine] = found[mine]
    return halves


class _Way(abc.ABC):
    """The steps of a chain (abstract); `start` gives the state for rows."""

    def __init__(
        self, model: BeliefNetwork, params: BeliefParameters, beta: float, given: Array | None
    ) -> None:
        self._model, self._params, self._beta, self._given = model, params, beta, given
        self._top = model.fused_top(params)

    @abc.abstractmethod
    def start(self, rows: Array, key: Key) -> Any:
        """The state in which recognition of the `rows` ends."""

    @abc.abstractmethod
    def step(self, state: Any, key: Key) -> Any:
        """The next state."""

    @abc.abstractmethod
    def energy(self, state: Any) -> Array:
        """The energies of the trace (chains,)."""

    @abc.abstractmethod
    def rows(self, state: Any, key: Key, mean: bool) -> Array:
        """Rows (x_0, labels) in the state."""

    @abc.abstractmethod
    def means(self, state: Any, key: Key) -> Array:
        """Their means given the layers above."""


class _Freely(_Way):
    """By Gibbs sampling in the top and one pass down."""

    def start(self, rows: Array, key: Key) -> Chains:
        x, labels = self._model.split(rows)
        *_, last = x, *self._model.sample_up(self._params, x, key)
        return Chains(self._model.beside(last, labels), rows[:0])

    def step(self, state: Chains, key: Key) -> Chains:
        given = None
        if self._given is not None:
            given = np.full(state.v.shape, np.nan, state.v.dtype)
            n = self._model.n_labels
            given[:, len(given.T) - n :] = self._given[:, len(self._given.T) - n :]
        return block_gibbs(*self._top, state.v, key, 1, beta=self._beta, given=given)

    def energy(self, state: Chains) -> Array:
        x, labels = self._model.split(state.v)
        return -self._model.log_top(self._params, x, labels, self._beta)

    def rows(self, state: Chains, key: Key, mean: bool) -> Array:
        x, labels = self._model.split(state.v)
        states = self._model.sample_down(self._params, x, key, mean=mean)
        return self._model.beside([*states, x][0], labels)

    def means(self, state: Chains, key: Key) -> Array:
        data = self._model.split(self.rows(state, key, mean=True))[0]
        top, params = self._top
        means = top.visible_mean(params, state.h, self._beta)
        return self._model.beside(data, self._model.split(means)[1])


class _Given(_Way):
    """By renewing one layer after the other, given its neighbours and what is known."""

    def start(self, rows: Array, key: Key) -> Explanation:
        x, labels = self._model.split(rows)
        return Explanation((x, *self._model.sample_up(self._params, x, key)), labels)

    def step(self, state: Explanation, key: Key) -> Explanation:
        return explain(self._model, self._params, state, self._given, key, beta=self._beta)

    def energy(self, state: Explanation) -> Array:
        return -self._model.log_joint(self._params, *state, beta=self._beta)

    def rows(self, state: Explanation, key: Key, mean: bool) -> Array:
        x, labels = state.states[0], state.labels
        data = self._model.down_mean(self._params, 0, state.states[1]) if mean else x
        return self._model.beside(data, labels)

    def means(self, state: Explanation, key: Key) -> Array:
        model, (top, params), labels = self._model, self._top, state.labels
        if labels is not None:
            x = model.beside(state.states[-1], labels)
            h = top.sample_hidden(params, x, key, self._beta)
            labels = model.split(top.visible_mean(params, h, self._beta))[1]
        return model.beside(model.down_mean(self._params, 0, state.states[1]), labels)


def _ways(
    model: BeliefNetwork,
    params: BeliefParameters,
    beta: float,
    given: Array | None,
    n_rows: int,
) -> Iterator[tuple[_Way, Array]]:
    """The kinds of chains, each with the rows that need it."""
    known: Array = np.zeros(n_rows, bool)
    if given is not None:
        known = np.logical_not(np.isnan(model.split(given)[0]).all(axis=1))
    if not known.all():
        yield _Freely(model, params, beta, given), ~known
    if known.any():
        yield _Given(model, params, beta, given), known


def explain(
    model: BeliefNetwork,
    params: BeliefParameters,
    now: Explanation,
    given: Array | None,
    key: Key,
    *,
    beta: float = 1.0,
    n_blocks: int = N_BLOCKS,
) -> Explanation:
    """One step of the chain that leaves the distribution of all layers given what is known unchanged (see the module).

    Parameters
    ----------
    model, params : BeliefNetwork, BeliefParameters
        Of two hidden layers or more.
    now : Explanation
        Not modified; what is known stands in it already.
    given : ndarray of shape (chains, n_0 + n_labels), optional
        NaN where unknown.
    key : Key
    beta : float
        Inverse temperature of the top.
    n_blocks : int
        Random blocks of every hidden layer's units that are proposed one after the other.

    Returns
    -------
    Explanation
    """
    states, labels = [*now.states], now.labels
    known, known_labels = (None, None) if given is None else model.split(given)
    for k in range(1, len(states)):
        current, once = Explanation(tuple(states), labels), fold(key, HIDDEN + k)
        states[k] = _renewed(model, params, current, k, once, beta, n_blocks)
    if labels is not None:
        x = model.beside(states[-1], labels)
        renewed = block_gibbs(*model.fused_top(params), x, fold(key, LABELS), 1, beta=beta).v
        labels = clamp(renewed[:, -model.n_labels :], known_labels)
    inputs = states[1] @ params.down[0].W.T
    drawn = model.visible.sample(params.down[0].params, inputs, fold(key, DATA))
    return Explanation((clamp(drawn, known), *states[1:]), labels)


def _renewed(
    model: BeliefNetwork,
    params: BeliefParameters,
    now: Explanation,
    k: int,
    key: Key,
    beta: float,
    n_blocks: int,
) -> Array:
    """States of layer k after all its blocks were proposed."""
    (states, labels), unit, layer_params = now, model.units[k], params.up[k - 1].params
    below, x = states[k - 1], states[k]
    inputs = below @ params.up[k - 1].W
    is_last = k == len(states) - 1
    from_above = inputs if is_last else states[k + 1] @ params.down[k].W.T

    def log_weight(x: Array) -> Array:
        value = model.log_down(params, k - 1, below, x) - log_conditional(
            unit, layer_params, inputs, x
        )
        if is_last:
            return value + model.log_top(params, x, labels, beta)
        return value + log_conditional(unit, params.down[k].params, from_above, x)

    order, weight = permutation(fold(key, ORDER), x.shape[1]), log_weight(x)
    drawn = unit.sample(layer_params, inputs, fold(key, PROPOSAL))
    for number, block in enumerate(np.array_split(order, min(n_blocks, len(order)))):
        proposed = x.copy()
        proposed[:, block] = drawn[:, block]
        new_weight = log_weight(proposed)
        u = uniform(fold(fold(key, CHOICE), number), len(x))
        accepted = np.log(u) < new_weight - weight
        x = np.where(accepted[:, np.newaxis], proposed, x)
        weight = np.where(accepted, new_weight, weight)
    return x
