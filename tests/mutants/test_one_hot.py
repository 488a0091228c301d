"""The checks of units in groups have teeth: they reject known-wrong implementations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from tests.checks.one_hot import SIZES, assert_group_means, assert_group_samples
from tests.oracles import one_hot

GROUPS = [slice(c[0], c[-1] + 1) for c in one_hot.groups(6, SIZES)]


def rejects(check, *args):
    with pytest.raises(AssertionError):
        check(*args)


def means(fields, wrong=""):
    """The right law, or one of the wrong ones."""
    p = expit(fields)
    for group in [slice(1, 6)] if wrong == "one group of all" else GROUPS:
        e = p[:, group] if wrong == "shares of sigmoids" else np.exp(fields[:, group])
        p[:, group] = e / e.sum(axis=1, keepdims=True)
    return expit(fields) if wrong == "independent units" else p


@pytest.mark.parametrize("wrong", ["one group of all", "shares of sigmoids", "independent units"])
def test_group_means_reject(wrong):
    assert_group_means(means)
    rejects(assert_group_means, lambda fields: means(fields, wrong))


def samples(fields, wrong=""):
    """By one uniform deviate for each unit that is alone, and for each group."""
    rng = np.random.default_rng(2)
    p, x = means(fields), np.zeros(fields.shape)
    x[:, 0] = rng.random(len(x)) < p[:, 0]
    shared = rng.random(len(x))
    for group in GROUPS:
        u = shared if wrong == "the same number for all groups" else rng.random(len(x))
        below = np.cumsum(p[:, group], axis=1)
        if wrong == "renormalised sigmoids":
            s = expit(fields[:, group])
            below = np.cumsum(s, axis=1) / s.sum(axis=1, keepdims=True)
        k = (below[:, :-1] <= u[:, np.newaxis]).sum(axis=1)
        x[np.arange(len(x)), group.start + k] = 1
    return x


@pytest.mark.needs_jit
@pytest.mark.parametrize("wrong", ["the same number for all groups", "renormalised sigmoids"])
def test_group_samples_reject(wrong):
    assert_group_samples(samples)
    rejects(assert_group_samples, lambda fields: samples(fields, wrong))
