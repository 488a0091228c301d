"""What units in groups of which exactly one is on do, as functions of the implementation."""

from __future__ import annotations

import numpy as np

from tests.models import oracle_model
from tests.oracles import one_hot, rbm
from tests.statistics import assert_same_distribution, state_counts

SIZES = (3, 2)
MODEL = oracle_model(shape=(6, 3))


def assert_group_means(mean):
    """``mean(fields)`` of fields (rows, units), biases included, of which the last are of groups."""
    fields = np.random.default_rng(0).normal(size=(4, 6)) * 3
    nothing = rbm.OracleRBM(np.zeros((6, 1)), np.zeros(6), np.zeros(1))
    for f, found in zip(fields, mean(fields), strict=True):
        model = rbm.OracleRBM(nothing.W, f, nothing.c)
        expected = one_hot.visible_mean(model, SIZES, np.zeros(1))
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def assert_group_samples(sample, n=40_000):
    """``sample(fields)`` has the joint law of the layer."""
    f = np.random.default_rng(1).normal(size=6)
    states = one_hot.possible_states(6, SIZES)
    weights = np.exp(states @ f)
    p = np.zeros(2**6)
    p[rbm.state_index(states)] = weights / weights.sum()
    assert_same_distribution(state_counts(sample(np.tile(f, (n, 1)))), p)
