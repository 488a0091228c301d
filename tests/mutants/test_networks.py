"""The checks of layers and losses reject the known-wrong, and accept a right one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from ebm.networks.batch_norm import BatchNormParameters
from ebm.networks.layer import Layer, Nothing
from ebm.networks.losses import loss_record
from tests.checks.networks import TRAINING, assert_layer_slopes, assert_loss
from tests.oracles import networks

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 4))
UNITS = BatchNormParameters(*RNG.uniform(0.5, 2, (4, 4)))
FIXED = ("mean", "variance")


def rejects(check, *args, **kwargs):
    with pytest.raises(AssertionError):
        check(*args, **kwargs)


# Layers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlainTanh(Layer):
    """The arguments say what goes wrong."""

    by: str = "output"
    power: int = 2

    def forward(self, own, x, context):
        y = np.tanh(x)
        return y, y if self.by == "output" else x

    def backward(self, own, saved, delta, gradient, below):
        return delta * (1 - saved**self.power)


@dataclass(frozen=True)
class PlainDropout(Layer):
    mask: str = "the same"
    scaled: tuple[bool, bool] = (True, True)

    def forward(self, own, x, context):
        return self._drop(x, context.key[0], self.scaled[0]), context.key

    def backward(self, own, saved, delta, gradient, below):
        seed = saved[0] + (self.mask == "another")
        return self._drop(delta, seed, self.scaled[1])

    def _drop(self, x, seed, scaled):
        stays = np.random.default_rng(seed).random(x.shape) < 0.6
        return x * stays / (0.6 if scaled else 1)


@dataclass(frozen=True)
class PlainMaxout(Layer):
    to: str = "the winner"

    def forward(self, own, x, context):
        return x.reshape(len(x), -1, 2).max(axis=2), x

    def backward(self, own, saved, delta, gradient, below):
        pieces = saved.reshape(len(saved), -1, 2)
        won = pieces == pieces.max(axis=2, keepdims=True)
        if self.to == "all pieces":
            won[:] = True
        if self.to == "the loser":
            won = ~won
        return (won * delta[:, :, None]).reshape(saved.shape)


@dataclass(frozen=True)
class PlainBatchNorm(Layer):
    parameters: ClassVar[Any] = BatchNormParameters
    mean_follows: bool = True
    variance_follows: bool = True
    gamma: bool = True
    adds: bool = False
    running: bool = True

    def forward(self, own, x, context):
        scale = 1 / np.sqrt(x.var(axis=0) + 1e-3)
        z = (x - x.mean(axis=0)) * scale
        return own.gamma * z + own.beta, (z, scale)

    def backward(self, own, saved, delta, gradient, below):
        z, scale = saved
        gradient.gamma[:] = (delta * z).sum(axis=0) + self.adds * gradient.gamma
        gradient.beta[:] = delta.sum(axis=0)
        if self.running:
            gradient.mean[:] = gradient.variance[:] = 0
        own_share = delta - self.mean_follows * delta.mean(axis=0)
        own_share -= self.variance_follows * z * (delta * z).mean(axis=0)
        return (own.gamma if self.gamma else 1) * scale * own_share


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (PlainTanh(by="input"), PlainTanh()),
        (PlainTanh(power=1), PlainTanh()),
        (PlainDropout(mask="another"), PlainDropout()),
        (PlainDropout(scaled=(True, False)), PlainDropout()),
        (PlainDropout(scaled=(False, True)), PlainDropout()),
        (PlainMaxout(to="all pieces"), PlainMaxout()),
        (PlainMaxout(to="the loser"), PlainMaxout()),
    ],
)
def test_slopes_by_the_inputs(wrong, right):
    assert_layer_slopes(right, Nothing(), X, TRAINING)
    rejects(assert_layer_slopes, wrong, Nothing(), X, TRAINING)


@pytest.mark.parametrize("slip", ["mean_follows", "variance_follows", "gamma", "running"])
def test_slopes_through_the_moments_of_a_batch(slip):
    assert_layer_slopes(PlainBatchNorm(), UNITS, X, TRAINING, FIXED)
    rejects(assert_layer_slopes, PlainBatchNorm(**{slip: False}), UNITS, X, TRAINING, FIXED)


def test_slopes_by_parameters_are_written_not_added():
    rejects(assert_layer_slopes, PlainBatchNorm(adds=True), UNITS, X, TRAINING, FIXED)


# Losses --------------------------------------------------------------------------------------

T = np.eye(4)[[0, 1, 2, 3, 0]]
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.4, 0.0])


def changed(name, change):
    """The loss with its value and derivative changed."""

    def evaluate(z, targets, weights):
        value, delta = loss_record(name).evaluate(z, targets, weights)
        return change(value, delta)

    return evaluate


WRONG_LOSSES = {
    "downhill": lambda value, delta: (value, -delta),
    "a mean over outputs in the value only": lambda value, delta: (value / 4, delta),
    "a mean over outputs in the derivative only": lambda value, delta: (value, delta / 4),
    "the sum over rows": lambda value, delta: (5 * value, 5 * delta),
    "weights forgotten on the way back": lambda value, delta: (
        value,
        delta / np.where(WEIGHTS > 0, WEIGHTS, 1)[:, None] / 5,
    ),
}


@pytest.mark.parametrize("change", WRONG_LOSSES.values(), ids=WRONG_LOSSES)
@pytest.mark.parametrize("name", ["cross_entropy", "squared_error"])
def test_wrong_losses(name, change):
    oracle = getattr(networks, name)
    assert_loss(loss_record(name).evaluate, oracle, X, T, WEIGHTS)
    rejects(assert_loss, changed(name, change), oracle, X, T, WEIGHTS)


def test_the_weights_of_rows_reach_the_value():
    evaluate = lambda z, t, w: loss_record("cross_entropy").evaluate(z, t)  # noqa: E731
    rejects(assert_loss, evaluate, networks.cross_entropy, X, T, WEIGHTS)
