"""The checks of deep belief networks have teeth: each rejects the known-wrong implementations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ebm._random import Key, fold
from ebm.gradients import UpDown
from ebm.gradients.base import Batch
from ebm.gradients.wake_sleep import BoundUpDown, delta_rule
from ebm.samplers import ancestral
from ebm.samplers.ancestral import Explanation, explain
from tests.checks.belief import (
    KNOWN,
    assert_bound_rises,
    assert_expects_up_down,
    assert_leaves_the_posterior_unchanged,
    assert_samples_the_clamped_row,
    expected_up_down,
)
from tests.models.belief import data_for, random_stack, spelled

pytestmark = pytest.mark.needs_jit
KEY = Key(21, 22)

# Learning -----------------------------------------------------------------------------------------


class Downhill(BoundUpDown):
    """The recognition weights move against their delta rule."""

    def _sleep(self, params, x, key):
        super()._sleep(params, x, key)
        for layer in self._gradient.up:
            for values in (layer.W, *layer.params):
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


N = 1000  # calls: a third of what a right estimator is asked for


def test_the_checks_accept_a_right_one():
    assert_expects_up_down(estimates_of(BoundUpDown), EXPECTED, N)
    assert_bound_rises(Wrong(), seeds=[0])


@pytest.mark.parametrize(
    "mutant",
    [Downhill, DreamsOfWake, SleepsAwake, StaleStates, ByTheStates],
    ids=lambda c: c.__name__,
)
def test_the_mean_of_the_estimate_rejects(mutant):
    with pytest.raises(AssertionError):
        assert_expects_up_down(estimates_of(mutant), EXPECTED, N)


@pytest.mark.parametrize("mutant", [Downhill, StaleStates, ByTheStates], ids=lambda c: c.__name__)
def test_the_rise_of_the_bound_rejects(mutant):
    with pytest.raises(AssertionError):
        assert_bound_rises(Wrong(mutant=mutant), seeds=[0])


# Clamped sampling ---------------------------------------------------------------------------------

STACK, GIVEN = KNOWN["both"]
MODEL, PARAMS = spelled(STACK)


def rows_given(now):
    return np.tile(GIVEN, (len(now.states[0]), 1))


def right_step(now):
    return explain(MODEL, PARAMS, now, rows_given(now), KEY, n_blocks=1)


def always_accepted(now):
    """Recognition taken for the law of the hidden layers given the data."""
    x = now.states[0]
    hidden = Explanation((x, *MODEL.sample_up(PARAMS, x, KEY)), now.labels)
    data = right_step(hidden).states[0]
    return Explanation((data, *hidden.states[1:]), now.labels)


def without_the_proposal(now):
    """The ratio of the joint law alone, as if proposals were symmetric."""
    own = ancestral.log_conditional

    def flat(unit, own_parameters, inputs, x):
        if any(own_parameters is layer.params for layer in PARAMS.up):
            return np.zeros(len(x))
        return own(unit, own_parameters, inputs, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ancestral, "log_conditional", flat)
        return right_step(now)


def stale_layer(now):
    """Data renewed from the layer above as it was before it was renewed itself."""
    return Explanation(
        (right_step(now).states[0], *right_step(right_step(now)).states[1:]), now.labels
    )


def never_moves(now):
    return now


BLOCKS = [[np.arange(2)], [np.arange(2)]]


@pytest.mark.parametrize(
    "mutant",
    [always_accepted, without_the_proposal, stale_layer, never_moves],
    ids=lambda f: f.__name__,
)
def test_the_clamped_row_rejects(mutant):
    assert_samples_the_clamped_row(right_step, STACK, GIVEN, BLOCKS)
    with pytest.raises(AssertionError):
        assert_samples_the_clamped_row(mutant, STACK, GIVEN, BLOCKS)


@pytest.mark.parametrize(
    "mutant", [always_accepted, without_the_proposal, stale_layer], ids=lambda f: f.__name__
)
def test_the_posterior_rejects(mutant):
    assert_leaves_the_posterior_unchanged(right_step, STACK, GIVEN)
    with pytest.raises(AssertionError):
        assert_leaves_the_posterior_unchanged(mutant, STACK, GIVEN)
