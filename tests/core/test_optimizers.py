"""ebm.optimizers: steps by hand, and against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

from ebm.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Constant,
    Exponential,
    Inverse,
    Linear,
    Momentum,
    Nesterov,
    optimizer_record,
    schedule_record,
)
from tests.checks import assert_momentum


def stepper(record, memory_of=5, dtype=np.float64):
    memory = record.start(np.zeros(memory_of, dtype))

    def step(theta, gradient, rate, decay=0.0, n_decayed=0):
        record.step(theta, gradient, memory, rate, decay, n_decayed)
        return theta

    return step


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("cls", [Momentum, Nesterov])
def test_momentum_moves_as_by_hand(cls, momentum):
    assert_momentum(stepper(cls(momentum)), momentum, nesterov=cls is Nesterov)


def test_sgd_moves_as_by_hand():
    assert_momentum(stepper(SGD()), 0.0, nesterov=False)


@pytest.mark.parametrize("record", [SGD(), Momentum(0.8), Nesterov(0.8)], ids=repr)
def test_steps_are_scikit_learns(record):
    """Its gradients point downhill."""
    rng = np.random.default_rng(0)
    theta = rng.normal(size=6)
    theirs = [theta.copy()]
    momentum = getattr(record, "momentum", 0.0)
    peer = SGDOptimizer(
        theirs, learning_rate_init=0.07, momentum=momentum, nesterov=isinstance(record, Nesterov)
    )
    step = stepper(record, 6)
    for _ in range(10):
        gradient = rng.normal(size=6)
        step(theta, gradient.copy(), 0.07)
        peer.update_params(theirs, [-gradient])
        np.testing.assert_allclose(theta, theirs[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("record", [SGD(), Momentum(0.8), Nesterov(0.8)], ids=repr)
def test_decay_pulls_the_weights_alone(record):
    theta = np.ones(5)
    stepper(record)(theta, np.zeros(5), 0.1, 0.5, 3)
    assert (theta[:3] < 1).all() and (theta[3:] == 1).all()


@pytest.mark.parametrize("record", [SGD(), Momentum(0.8), Nesterov(0.8)], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_are_in_place_and_keep_precision(record, dtype):
    theta, gradient = np.ones(5, dtype), np.arange(5, dtype=dtype)
    memory = record.start(theta)
    assert all(m.dtype == dtype and m.shape == theta.shape and not m.any() for m in memory)
    before = gradient.copy()
    record.step(theta, gradient, memory, 0.1, 0.01, 2)
    assert theta.dtype == dtype and (theta != 1).sum() == 5
    np.testing.assert_array_equal(gradient, before)
    assert record.start(theta) == () or not np.shares_memory(record.start(theta)[0], memory[0])


def test_momentum_settles_at_the_maximum():
    """Of -x^2 / 2, whose gradient is -x."""
    for record in (Momentum(0.9), Nesterov(0.9)):
        theta, step = np.full(5, 3.0), stepper(record)
        for _ in range(1000):
            step(theta, -theta, 0.1)
        np.testing.assert_allclose(theta, 0, atol=1e-12)


def test_compiled_loops_are_told_the_momentum():
    assert SGD().as_momentum == (0.0, False)
    assert Momentum(0.7).as_momentum == (0.7, False)
    assert Nesterov(0.7).as_momentum == (0.7, True)


def test_names_stand_for_records():
    assert {name: type(optimizer_record(name)) for name in OPTIMIZERS} == OPTIMIZERS
    assert {name: type(schedule_record(name)) for name in SCHEDULES} == SCHEDULES
    record = Momentum(0.5)
    assert optimizer_record(record) is record
    for resolve in (optimizer_record, schedule_record):
        with pytest.raises(ValueError, match="must be one of"):
            resolve("no such thing")


@pytest.mark.parametrize("momentum", [-0.1, 1.0, 2, "high", np.nan, True])
def test_momentum_lies_in_0_to_1(momentum):
    for cls in (Momentum, Nesterov):
        with pytest.raises(ValueError, match="momentum must be"):
            cls(momentum)


# Schedules -----------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [0.0, 0.25, 3.0, 7.5, 10.0])
def test_schedules_follow_their_formulas(t):
    assert Constant().factor(t, 10) == 1
    assert Linear(0.2).factor(t, 10) == pytest.approx(1 - 0.8 * t / 10)
    assert Exponential(0.9).factor(t, 10) == pytest.approx(0.9**t)
    assert Inverse(2.0).factor(t, 10) == pytest.approx(1 / (1 + 2 * t))


@pytest.mark.parametrize("schedule", [cls() for cls in SCHEDULES.values()], ids=repr)
def test_schedules_start_at_one_and_never_rise(schedule):
    factors = [schedule.factor(t, 20) for t in np.linspace(0, 20, 81)]
    assert factors[0] == 1
    assert np.diff(factors).max() <= 0 and factors[-1] >= 0


@pytest.mark.parametrize(
    ("cls", "setting"),
    [
        (Linear, {"final": -0.1}),
        (Linear, {"final": 1.1}),
        (Exponential, {"rate": 0.0}),
        (Exponential, {"rate": 1.5}),
        (Inverse, {"rate": -1.0}),
        (Inverse, {"rate": np.inf}),
    ],
)
def test_schedules_that_grow_or_turn_negative_are_refused(cls, setting):
    with pytest.raises(ValueError, match="must be a number in"):
        cls(**setting)
