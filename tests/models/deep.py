"""Deep Boltzmann machines with random parameters."""

from __future__ import annotations

import numpy as np

from ebm._random import Key
from ebm.energies.base import DataSummary
from ebm.energies.deep import DeepModel
from ebm.units import Bernoulli

BITS = Bernoulli()


def random_params(model, seed=0, scale=1.0):
    """W ~ scale N(0, 1), biases ~ N(0, 1) / 2, log-variances ~ N(0, 1) / 4."""
    rng = np.random.default_rng(seed)
    data = DataSummary(*(np.full(sum(model.visible.sizes), x) for x in (0.5, 0.25)), 10)
    params = model.initial(data, 1, Key(5, 6))
    for W in params.weights:
        W[:] = scale * rng.normal(size=W.shape)
    for own in params.layers:
        own.bias[:] = rng.normal(size=len(own.bias)) / 2
        for x in own[1:]:
            x[:] = rng.normal(size=len(x)) / 4
    return params


def chain(*sizes, unit=BITS):
    return DeepModel([(unit, sizes[0])], [(unit, n) for n in sizes[1:]])


def bits(n, n_rows=6, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n_rows, n)).astype(float)
