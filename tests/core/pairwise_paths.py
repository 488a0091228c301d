"""Paths of annealing of small pairwise models."""

from __future__ import annotations

import numpy as np

from ebm.energies.pairwise_path import PairwisePath
from tests.models.pairwise import spelled
from tests.oracles.pairwise import SPIN, random_pairwise


def model_and_base(states, n_units=4, n_hidden=0):
    """A model that is far from its base."""
    scale = 2.0 if states == SPIN else 4.0
    oracle = random_pairwise(n_units, states, n_hidden, seed=2, scale=scale)
    return oracle, np.random.default_rng(1).normal(size=n_units)


def library_path(oracle, base, dtype=np.float64):
    return PairwisePath(*spelled(oracle, dtype), base.astype(dtype))


def uneven(n_steps):
    """0 = t_0 < ... < t_K = 1, not equally spaced."""
    return np.linspace(0, 1, n_steps + 1) ** 1.5
