"""Base of all samplers: they take chains from given states to draws from a model's distribution.

The states are those of the units that a chain updates: the visible ones of a bipartite model, all of a pairwise one.
"""

import abc
from collections.abc import Callable
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array, Settings
from ebm._random import Key
from ebm.energies.base import Model


class Target(NamedTuple):
    """The distribution to draw from.

    Attributes
    ----------
    model, params : Bipartite or Pairwise, and its parameters
    beta : float
        Inverse temperature.
    given : ndarray of shape (chains, units) or None
        NaN where a unit is free; other entries are clamped, bit for bit.
    base : tuple or ndarray or None
        The own parameters of an easy distribution, for samplers that go through one (:mod:`ebm.energies.path`).
    """

    model: Model
    params: Any
    beta: float = 1.0
    given: Array | None = None
    base: Any = None


class Draws(NamedTuple):
    """Samples, and diagnostics of their chains.

    Attributes
    ----------
    v : ndarray of shape (chains, units)
    trace : ndarray of shape (chains, steps)
        Free energies along the chains, after burn-in.
    swap_rates : ndarray of shape (n_temperatures - 1,) or None
        Mean probability of exchange of neighbouring replicas.
    temperatures : ndarray of shape (n_temperatures,) or None
        Their ladder: the fractions t of the way from the easy distribution to the model.
    """

    v: Array
    trace: Array
    swap_rates: Array | None = None
    temperatures: Array | None = None


class Sampler(Settings, abc.ABC):
    """A choice of sampler (abstract)."""

    @abc.abstractmethod
    def draw(self, target: Target, v: Array, key: Key, n_steps: int) -> Draws:
        """Walk `n_steps` from the states `v` (chains, units), which are not modified."""


@singledispatch
def run_chain(
    model: Model,
    params: Any,
    x: Array,
    key: Key,
    n_steps: int,
    *,
    beta: float = 1.0,
    given: Array | None = None,
    trace: Array | None = None,
) -> Array:
    """The states of independent Gibbs chains from `x` (chains, units), not modified, after `n_steps`.

    `trace` (chains, n_steps), if there is one, is filled with the free energies, times beta, after each step.
    """
    raise TypeError(
        f"There is no run_chain for {model!r}: an energy registers its own with run_chain."
    )


@singledispatch
def half_means(
    model: Model,
    params: Any,
    x: Array,
    key: Key,
    n_steps: int,
    given: Array,
    *,
    beta: float = 1.0,
) -> tuple[Array, Array]:
    """E[x | given], estimated along the first and the second half of the chains from `x` (chains, units).

    Conditional means are averaged rather than states: they have the same expectation and less variance. A chain of one
    step has one half. Clamped entries come back bit for bit.
    """
    raise TypeError(
        f"There is no run_chain for {model!r}: an energy registers its own with run_chain."
    )


def conditional_mean(
    model: Model,
    params: Any,
    x: Array,
    key: Key,
    n_steps: int,
    given: Array,
    *,
    beta: float = 1.0,
) -> Array:
    """E[x | given] along the second half of the chains from `x` (chains, units); see :func:`half_means`."""
    return half_means(model, params, x, key, n_steps, given, beta=beta)[1]


def averaged_halves(
    n_steps: int, once: Callable[[int, int], Array], given: Array, dtype: Any
) -> tuple[Array, Array]:
    """Averages of ``once(half, step)`` over both halves of some steps, the given entries in their places."""
    counts = n_steps // 2, n_steps - n_steps // 2
    means = []
    for half, count in enumerate(counts):
        total = np.zeros(given.shape)
        for step in range(count):
            total += once(half, step)
        means.append(clamp((total / max(count, 1)).astype(dtype), given))
    return (means[0] if counts[0] else means[1]), means[1]


@singledispatch
def first_states(model: Model, params: Any, activity: Any, n_rows: int, key: Key) -> Array:
    """Independent states for chains to start from (n_rows, units), driven by the mean `activity` of hidden units.

    Of layered models these are the units of the odd layers. Where `activity` is None, has another shape, or is so large
    that squares of inputs overflow, it is the mean of these units without input.
    """
    raise TypeError(f"There are no first states of chains for {model!r}.")


def inputs_at(activity: Any, rest: Array, inputs: Callable[[Array], Array]) -> Array:
    """The `inputs` at the mean `activity` of units, or at that at `rest` (units,) where the activity is of no use."""
    if getattr(activity, "shape", None) != rest.shape:
        activity = rest
    with np.errstate(all="ignore"):
        received = inputs(np.asarray(activity, rest.dtype)[np.newaxis])
        if not np.isfinite(received**2).all():
            received = inputs(rest[np.newaxis])
    return received


def clamp(v: Array, given: Array | None) -> Array:
    """`v` with the known (not NaN) entries of `given` in their places."""
    return v if given is None else np.where(np.isnan(given), v, given)
