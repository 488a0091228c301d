"""What all samplers share: they take chains from given visible states to draws from a model's law."""

import abc
from typing import Any, NamedTuple

from ebm._checks import Array, Record
from ebm._random import Key
from ebm.energies.bipartite import Bipartite, BipartiteParameters


class Target(NamedTuple):
    """The law to draw from.

    Attributes
    ----------
    model, params : Bipartite, BipartiteParameters
    beta : float
        Inverse temperature.
    given : ndarray of shape (chains, n_visible) or None
        NaN where a visible unit is free; other entries are clamped, bit for bit.
    base : tuple or None
        The layers' own parameters of an easy law, for samplers that go through one (:mod:`ebm.energies.path`).
    """

    model: Bipartite
    params: BipartiteParameters
    beta: float = 1.0
    given: Array | None = None
    base: tuple[Any, Any] | None = None


class Draws(NamedTuple):
    """Samples, and how the chains came to them.

    Attributes
    ----------
    v : ndarray of shape (chains, n_visible)
    trace : ndarray of shape (chains, steps)
        Free energies along the chains, after burn-in.
    swap_rates : ndarray of shape (n_temperatures - 1,) or None
        Mean probability of exchange of neighbouring replicas.
    temperatures : ndarray of shape (n_temperatures,) or None
        Their ladder: the fractions t of the way from the easy law to the model.
    """

    v: Array
    trace: Array
    swap_rates: Array | None = None
    temperatures: Array | None = None


class Sampler(Record, abc.ABC):
    """A choice of sampler (abstract)."""

    @abc.abstractmethod
    def draw(self, target: Target, v: Array, key: Key, n_steps: int) -> Draws:
        """Walk `n_steps` from the visible states `v` (chains, n_visible), which are not modified."""
