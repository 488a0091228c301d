"""Boltzmann machines of given couplings, and rows for them."""

from __future__ import annotations

import numpy as np

from ebm import (
    BoltzmannMachine,
)
from tests.models.pairwise import NAMES
from tests.oracles.pairwise import SPIN, random_pairwise


def machine(states=SPIN, n_hidden=0, **settings):
    """Unfitted."""
    settings = {"n_iter": 3, "random_state": 0, "batch_size": 10, **settings}
    return BoltzmannMachine(n_hidden, unit=NAMES[states], **settings)


def rows(states=SPIN, n_rows=40, n_features=4, dtype=np.float64):
    """Data with a little structure in it."""
    rng = np.random.default_rng(0)
    high = rng.random((n_rows, n_features)) < rng.choice([0.2, 0.8], (n_rows, 1))
    return np.where(high, states[1], states[0]).astype(dtype)


def fitted(oracle, dtype=np.float64, **settings):
    """With the parameters of an oracle, as a user would give them: by its attributes."""
    X = rows(oracle.states, 6, oracle.n_visible, dtype)
    found = machine(oracle.states, oracle.n_hidden, **{"n_iter": 0, **settings}).fit(X)
    found.couplings_, found.intercept_ = oracle.J.astype(dtype), oracle.b.astype(dtype)
    return found


def strong(states, n_units=4, n_hidden=0):
    scale = 2.0 if states == SPIN else 4.0
    return random_pairwise(n_units, states, n_hidden, seed=2, scale=scale)
