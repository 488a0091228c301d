"""The checks of deep belief networks have teeth: each rejects the known-wrong implementations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ebm._random import Key, fold
from ebm.gradients import UpDown
from ebm.gradients.base import Batch
from ebm.gradients.wake_sleep import BoundUpDown, delta_rule
from tests.belief_checks import assert_bound_rises, assert_expects_up_down, expected_up_down
from tests.belief_models import data_for, random_stack, spelled

pytestmark = pytest.mark.needs_jit
KEY = Key(21, 22)


class Downhill(BoundUpDown):
    """The recognition weights move against their delta rule."""

    def _sleep(self, params, x, key):
        super()._sleep(params, x, key)
        for layer in self._gradient.up:
            for values in (layer.W, *layer.own):
                values *= -1


class DreamsOfWake(BoundUpDown):
    """The way down begins at the states that came up, not where the top's negative phase ended."""

    def _dreams(self, params, n_rows):
        return self._states[-1][:n_rows]


class SleepsAwake(BoundUpDown):
    """Recognition learns to predict its own draws, which says nothing, instead of what was dreamt."""

    def _sleep(self, params, x, key):
        states = [buffer[: len(x)] for buffer in self._states]
        states[-1][:] = x
        super()._sleep(params, x, key)
        up = self._model.sample_up(params, states[0].copy(), fold(key, 77))
        weights, below = np.full(len(x), 1 / len(x)), states[0]
        for k, (layer, above) in enumerate(zip(params.up, up, strict=True)):
            gradient, unit = self._gradient.up[k], self._model.units[k + 1]
            misses = delta_rule(unit, layer, below @ layer.W, above, weights, gradient)
            gradient.W[:] = below.T @ misses
            below = above


class StaleStates(BoundUpDown):
    """The generative weights learn from the hidden states of another row."""

    def _wake(self, params, v, weights, key):
        states = super()._wake(params, v, weights, key)
        for k, layer in enumerate(params.down):
            gradient, above = self._gradient.down[k], np.roll(states[k + 1], 1, axis=0)
            unit, x = self._model.units[k], states[k]
            misses = delta_rule(unit, layer, above @ layer.W.T, x, weights, gradient)
            gradient.W[:] = misses.T @ above
        return states


class ByTheStates(BoundUpDown):
    """The generative weights learn like half of a contrastive step: nothing is subtracted."""

    def _wake(self, params, v, weights, key):
        states = super()._wake(params, v, weights, key)
        for k, gradient in enumerate(self._gradient.down):
            gradient.W[:] = (states[k].T * weights) @ states[k + 1]
        return states


@dataclass(frozen=True, repr=False)
class Wrong(UpDown):
    """An up-down record for one of them."""

    mutant: type[BoundUpDown] = BoundUpDown

    def bind(self, model, gradient, batch_size, n_chains):
        return self.mutant(self, model, gradient, batch_size, n_chains)


ORACLE, ROWS = random_stack(), data_for(random_stack(), 3)
EXPECTED = expected_up_down(ORACLE, ROWS)


def estimates_of(mutant):
    model, params = spelled(ORACLE)
    gradient = model.unpack(model.pack(params), *model.shape(params))
    choice = Wrong(centered=False, mutant=mutant)
    estimate = choice.bind(model, gradient, len(ROWS), 0)
    chains = choice.start(model, params, ROWS.mean(axis=0), len(ROWS), KEY)
    return lambda i: model.pack(estimate(params, Batch(ROWS), chains, fold(KEY, i))[0])


@pytest.mark.parametrize(
    "mutant",
    [Downhill, DreamsOfWake, SleepsAwake, StaleStates, ByTheStates],
    ids=lambda c: c.__name__,
)
def test_the_mean_of_the_estimate_rejects(mutant):
    assert_expects_up_down(estimates_of(BoundUpDown), EXPECTED)
    with pytest.raises(AssertionError):
        assert_expects_up_down(estimates_of(mutant), EXPECTED)


@pytest.mark.parametrize("mutant", [Downhill, StaleStates, ByTheStates], ids=lambda c: c.__name__)
def test_the_rise_of_the_bound_rejects(mutant):
    assert_bound_rises(Wrong(), seeds=[0])
    with pytest.raises(AssertionError):
        assert_bound_rises(Wrong(mutant=mutant), seeds=[0])
