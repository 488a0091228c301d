"""The skeletons of CONTRIBUTING.md are complete: they run, and they do what their room asks of them."""

import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from ebm import BernoulliRBM
from ebm.gradients import Gradient
from ebm.optimizers import Optimizer
from ebm.samplers import Sampler

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
X = np.repeat(np.array(list(product([0.0, 1.0], repeat=2))), 2, axis=1)[[0, 0, 0, 1, 3]]
SETTINGS = {"n_components": 3, "batch_size": 5, "n_iter": 300, "random_state": 0}


def skeleton(role):
    """The record of that role that one of the blocks defines."""
    found = []
    for block in BLOCKS:
        names = {"__name__": "contributing"}
        exec(compile(block, "CONTRIBUTING.md", "exec"), names)
        found += [
            thing
            for thing in names.values()
            if isinstance(thing, type)
            and thing.__module__ == "contributing"
            and issubclass(thing, role)
        ]
    (record,) = found
    return record()


def gain(**choice):
    """By how much learning raises the exact mean log-likelihood, in nats."""
    before, after = (BernoulliRBM(**{**SETTINGS, "n_iter": n}, **choice) for n in (0, 300))
    return after.fit(X).log_likelihood(X).mean() - before.fit(X).log_likelihood(X).mean()


@pytest.mark.parametrize("role", [Gradient, Sampler, Optimizer])
def test_the_skeleton_is_a_record(role):
    record = skeleton(role)
    assert repr(clone(record)) == repr(record) == f"{type(record).__name__}()"


def test_the_gradient_learns():
    assert gain(gradient=skeleton(Gradient)) > 0.5


def test_the_optimizer_climbs_and_is_held_back():
    sign = skeleton(Optimizer)
    assert gain(gradient="exact", optimizer=sign, learning_rate=0.01) > 0.5
    held, free = (
        BernoulliRBM(optimizer=sign, learning_rate=0.01, weight_decay=decay, **SETTINGS).fit(X)
        for decay in (1.0, 0.0)
    )
    assert abs(held.components_).max() < abs(free.components_).max() / 2


def test_the_sampler_follows_the_law():
    rbm = BernoulliRBM(gradient="exact", **SETTINGS).fit(X)
    states = np.array(list(product([0.0, 1.0], repeat=4)))
    mean = np.exp(rbm.log_likelihood(states)) @ states
    n = 4000
    draws = rbm.sample(n, n_steps=200, sampler=skeleton(Sampler), random_state=0)
    assert (abs(draws.mean(axis=0) - mean) < 5 * np.sqrt(mean * (1 - mean) / n)).all()
    given = rbm.sample(n, n_steps=20, sampler=skeleton(Sampler), given=[1, np.nan, 0, np.nan])
    assert (given[:, 0] == 1).all() and (given[:, 2] == 0).all()
