"""Sweeps of small pairwise models, and their transition matrices."""

from __future__ import annotations

import numpy as np

from ebm._random import Key, Reserved
from ebm.samplers import gibbs
from tests.models.pairwise import spelled
from tests.oracles import draws, pairwise

KEY = Key(21, 22)


def stepper(oracle, n_sweeps=1, *, visit="cyclic", beta=1.0, given=None, dtype=np.float64, key=KEY):
    model, params = spelled(oracle, dtype)

    def step(s):
        known = None if given is None else np.broadcast_to(given, s.shape).astype(dtype)
        settings = {"beta": beta, "given": known, "visit": visit}
        return gibbs(model, params, s.astype(dtype), key, n_sweeps, **settings)

    return step


def order_of(visit, units, key):
    """One sweep's order, by the oracle's numbers."""
    u = draws.fine_uniforms(key, len(units))
    if visit == "cyclic":
        return list(units)
    if visit == "random":
        return [i for _, i in sorted(zip(u, units, strict=True))]
    return [units[int(x * len(units))] for x in u]


def transition(oracle, visit, key=KEY, beta=1.0, given=None):
    """The matrix of one sweep, whose order the key has drawn."""
    free = range(oracle.n) if given is None else np.flatnonzero(np.isnan(given))
    order = order_of(visit, list(free), draws.fold(key, Reserved.VISIT_ORDER.number))
    return pairwise.heat_bath(oracle, order, beta, given)
