"""ebm.optimizers: against the papers' boxes, steps by hand, and scikit-learn's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from ebm._kernels.ascent import clip_factor, limit_columns
from ebm._kernels.rules import CLOCK_SIZE, RULES
from ebm.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    Constant,
    Exponential,
    Inverse,
    Linear,
    Momentum,
    Nadam,
    Nesterov,
    Regularization,
    RMSProp,
    optimizer_record,
    schedule_record,
)
from tests.checks import (
    HELD,
    UNLIMITED,
    assert_clips_what_the_data_say,
    assert_first_step_is_one_rate_long,
    assert_follows_its_box,
    assert_momentum,
)

ROOT = Path(__file__).parents[2]
DTYPES = [np.float32, np.float64]
each = pytest.mark.parametrize("name", sorted(OPTIMIZERS))


def stepper(record, size=5, dtype=np.float64):
    """The record with the memory of one vector."""
    memory = record.start(np.zeros(size, dtype))

    def step(theta, gradient, rate, limits=UNLIMITED):
        assert record.step(theta, gradient, memory, rate, limits)
        return theta

    return step


# Rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [UNLIMITED, HELD], ids=["free", "held"])
@pytest.mark.parametrize("dtype", DTYPES)
@each
def test_paths_are_the_papers(name, dtype, limits):
    assert_follows_its_box(stepper(OPTIMIZERS[name](), 101, dtype), name, limits, dtype)


@pytest.mark.parametrize(
    "record",
    [
        Momentum(0.5),
        Nesterov(0.5),
        AdaGrad(0.1),
        RMSProp(0.5, 0.1),
        AdaDelta(0.5, 0.1),
        Adam(0.5, 0.7, 0.1),
        Adam(0.0, 0.0),
        Adam(0.5, 0.7, 0.1, epsilon_hat=True),
        Nadam(0.5, 0.7, 0.1),
    ],
    ids=repr,
)
def test_settings_are_those_of_the_papers(record):
    name = type(record).__name__.lower()
    assert_follows_its_box(stepper(record, 101), name, **record.get_params())


def test_every_rule_has_a_record():
    assert {type(cls().settings) for cls in OPTIMIZERS.values()} == set(RULES)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("cls", [Momentum, Nesterov])
def test_momentum_moves_as_by_hand(cls, momentum):
    assert_momentum(stepper(cls(momentum)), momentum, nesterov=cls is Nesterov)


def test_sgd_moves_as_by_hand():
    assert_momentum(stepper(SGD()), 0.0, nesterov=False)


def test_the_first_step_of_adam_by_hand():
    assert_first_step_is_one_rate_long(stepper(Adam(), 4))


@pytest.mark.parametrize(
    ("record", "peer"),
    [
        (SGD(), lambda theta: SGDOptimizer(theta, 0.07, momentum=0.0, nesterov=False)),
        (Momentum(0.8), lambda theta: SGDOptimizer(theta, 0.07, momentum=0.8, nesterov=False)),
        (Nesterov(0.8), lambda theta: SGDOptimizer(theta, 0.07, momentum=0.8, nesterov=True)),
        # It adds epsilon to the root before the correction: they agree where epsilon is nothing.
        (Adam(0.8, 0.95, 1e-300), lambda theta: AdamOptimizer(theta, 0.07, 0.8, 0.95, 1e-300)),
    ],
    ids=["sgd", "momentum", "nesterov", "adam"],
)
def test_steps_are_scikit_learns(record, peer):
    """Its gradients point downhill; it has no other optimisers."""
    rng = np.random.default_rng(0)
    theta = rng.normal(size=6)
    theirs = [theta.copy()]
    peer, step = peer(theirs), stepper(record, 6)
    for _ in range(20):
        gradient = rng.normal(size=6)
        step(theta, gradient.copy(), 0.07)
        peer.update_params(theirs, [-gradient])
        np.testing.assert_allclose(theta, theirs[0], rtol=0, atol=2e-14)


@pytest.mark.parametrize(
    ("record", "rate"), [(Momentum(0.9), 0.1), (Nesterov(0.9), 0.1), (AdaGrad(), 1.0)], ids=repr
)
def test_optimisers_settle_at_the_maximum(record, rate):
    """Of -x^2 / 2, whose gradient is -x. (Running means of squares forget, and those steps never settle.)"""
    theta, step = np.full(5, 3.0), stepper(record)
    for _ in range(1000):
        step(theta, -theta, rate)
    np.testing.assert_allclose(theta, 0, atol=1e-12)


# Memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@each
def test_steps_are_in_place_and_keep_precision(name, dtype):
    record = OPTIMIZERS[name]()
    theta, gradient = np.ones(5, dtype), np.arange(-2, 3, dtype=dtype) + dtype(0.5)
    memory = record.start(theta)
    shapes = [(CLOCK_SIZE,)] + [(5,)] * (len(memory) - 1)
    assert [m.shape for m in memory] == shapes
    assert all(m.dtype == dtype and not m.any() for m in memory)
    before = gradient.copy()
    assert record.step(theta, gradient, memory, 0.1, (1.0, np.inf, 0.0, 0.01, 2)) is True
    assert theta.dtype == dtype and (theta != 1).sum() == 5
    assert all(m.all() for m in memory[1:])
    np.testing.assert_array_equal(gradient, before)
    again = record.start(theta)
    assert not any(np.shares_memory(a, b) for a in again for b in memory)


@pytest.mark.parametrize("name", ["adam", "nadam"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_clock_counts_updates(name, dtype):
    record, theta = OPTIMIZERS[name](), np.ones(3, dtype)
    memory = record.start(theta)
    for _ in range(7):
        record.step(theta, np.ones(3, dtype), memory, 0.1, UNLIMITED)
    assert memory[0][0] == 7
    mu = 0.9 * (1 - 0.5 * 0.96 ** (np.arange(1, 8) / 250))
    if name == "nadam":
        np.testing.assert_allclose(memory[0][1], 1 - mu.prod(), rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, "overflow"])
@pytest.mark.parametrize("dtype", DTYPES)
@each
def test_entries_that_would_become_infinite_stay_and_are_reported(name, dtype, bad):
    record = OPTIMIZERS[name]()
    theta = np.ones(40, dtype)
    memory = record.start(theta)
    gradient = np.ones(40, dtype)
    # The sum, for plain ascent, or else the square is beyond the largest number.
    gradient[[3, 33]] = np.finfo(dtype).max if bad == "overflow" else bad
    with np.errstate(all="ignore"):
        finite = record.step(theta, gradient, memory, 2.0, (1.0, np.inf, 0.0, 0.0, 20))
    assert finite is False
    moved = np.ones(40, bool)
    moved[[3, 33]] = False
    np.testing.assert_array_equal(theta != 1, moved)
    for values in memory[1:]:
        np.testing.assert_array_equal(values != 0, moved)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("record", [Momentum(0.5), RMSProp(0.5), AdaDelta(0.5), Adam(0.5, 0.5)])
def test_what_is_long_past_is_forgotten_and_not_kept_subnormal(record, dtype):
    theta = np.zeros(20, dtype)
    memory = record.start(theta)
    record.step(theta, np.ones(20, dtype), memory, 0.1, UNLIMITED)
    assert all(m.all() for m in memory[1:])
    for _ in range(120):
        record.step(theta, np.zeros(20, dtype), memory, 0.1, UNLIMITED)
    assert not any(m.any() for m in memory[1:])


# What holds the ascent back --------------------------------------------------------------------


def test_factor_limit_and_penalties_by_hand():
    assert_clips_what_the_data_say(stepper(SGD(), 4))


@pytest.mark.parametrize(
    ("limits", "moves"),
    [
        ((0.5, np.inf, 0.0, 0.0, 3), [0.5, -0.25, 0.1, 2.0]),
        ((1.0, 0.3, 0.0, 0.0, 3), [0.3, -0.3, 0.2, 0.3]),
        ((1.0, np.inf, 0.1, 0.0, 3), [0.9, -0.4, 0.2, 4.0]),
        ((1.0, np.inf, 0.0, 0.5, 3), [0.0, 0.5, 0.2, 4.0]),
    ],
    ids=["factor", "limit", "l1", "l2"],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_each_limit_by_hand(limits, moves, dtype):
    theta = np.array([2.0, -2.0, 0.0, 7.0], dtype)
    step = stepper(SGD(), 4, dtype)
    moved = step(theta.copy(), np.array([1.0, -0.5, 0.2, 4.0], dtype), 1.0, limits)
    np.testing.assert_allclose(moved - theta, moves, rtol=0, atol=8 * np.finfo(dtype).eps)


@each
def test_decay_pulls_the_weights_alone(name):
    theta = np.ones(5)
    stepper(OPTIMIZERS[name]())(theta, np.zeros(5), 0.1, (1.0, np.inf, 0.0, 0.5, 3))
    assert (theta[:3] < 1).all() and (theta[3:] == 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_norm_of_a_clipped_gradient_is_the_limit(dtype):
    gradient = np.array([3.0, -4.0, 12.0], dtype)
    assert clip_factor(gradient, 6.5) == 0.5
    assert clip_factor(gradient, 13.0) == clip_factor(gradient, 20.0) == 1.0
    assert clip_factor(np.zeros(3, dtype), 1.0) == 1.0
    # Not where the squares are beyond single precision either.
    assert clip_factor(np.full(4, 2.0**100, dtype), 2.0**100) == 0.5


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_are_limited_by_hand(dtype):
    W = np.array([[3.0, 0.3, 0.0], [4.0, -0.4, 0.0]], dtype)
    untouched = W[:, 1:].copy()
    limit_columns(W, 2.5)
    np.testing.assert_array_equal(W[:, 0], [1.5, 2.0])
    np.testing.assert_array_equal(W[:, 1:], untouched)


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_are_limited_on_many_units(dtype):
    W = np.random.default_rng(0).normal(size=(50, 37)).astype(dtype)
    norms = np.linalg.norm(W.astype(float), axis=0)
    expected = W * np.minimum(1, 7.0 / norms)
    assert 5 < (norms > 7).sum() < 32
    limit_columns(W, 7.0)
    np.testing.assert_allclose(W, expected, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(W[:, norms <= 7], expected[:, norms <= 7])


def test_a_regularization_tells_what_holds_the_ascent_back():
    gradient = np.array([3.0, -4.0])
    assert Regularization().update_limits(gradient, 0, 1) == (1.0, np.inf, 0.0, 0.0, 1)
    all_of_it = Regularization(l1=0.1, clip_norm=2.5, clip_value=1)
    assert all_of_it.update_limits(gradient, 0.01, 2) == (0.5, 1.0, 0.1, 0.01, 2)
    theta = np.array([1.0, -1.0])
    stepper(SGD(), 2)(theta, gradient, 1.0, all_of_it.update_limits(gradient, 0.0, 2))
    np.testing.assert_allclose(theta, [1 + 1 - 0.1, -1 - 1 + 0.1])


# With and without the compiler -----------------------------------------------------------------


def final_parameters():
    """Where every optimiser ends after 20 held steps, in both precisions, in units of the last place of 1."""
    ends = []
    for dtype in DTYPES:
        for name in sorted(OPTIMIZERS):
            rng = np.random.default_rng(1)
            theta, step = rng.normal(size=33).astype(dtype), stepper(OPTIMIZERS[name](), 33, dtype)
            for _ in range(20):
                step(theta, rng.normal(size=33).astype(dtype), 0.01, (*HELD[:4], 20))
            ends.append(theta.astype(float) / np.finfo(dtype).eps)
    return np.array(ends)


@pytest.mark.needs_jit  # it runs the other way round as well
def test_the_compiler_changes_roundings_alone():
    """Compiled code fuses products and sums."""
    flipped = "0" if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0") else "1"
    script = (
        "from tests.core.test_optimizers import final_parameters as f; print(f().tobytes().hex())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "NUMBA_DISABLE_JIT": flipped, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    other = np.frombuffer(bytes.fromhex(answer.stdout.strip())).reshape(-1, 33)
    assert np.abs(final_parameters() - other).max() <= 20


# Names and settings ----------------------------------------------------------------------------


def test_names_stand_for_records():
    assert {name: type(optimizer_record(name)) for name in OPTIMIZERS} == OPTIMIZERS
    assert {name: type(schedule_record(name)) for name in SCHEDULES} == SCHEDULES
    record = Momentum(0.5)
    assert optimizer_record(record) is record
    for resolve in (optimizer_record, schedule_record):
        with pytest.raises(ValueError, match="must be one of"):
            resolve("no such thing")


@pytest.mark.parametrize("value", [-0.1, 1.0, 2, "high", np.nan, True])
@pytest.mark.parametrize(
    ("cls", "setting"),
    [
        (Momentum, "momentum"),
        (Nesterov, "momentum"),
        (RMSProp, "decay"),
        (AdaDelta, "decay"),
        (Adam, "beta1"),
        (Adam, "beta2"),
        (Nadam, "beta1"),
        (Nadam, "beta2"),
        (Regularization, "dropout"),
    ],
)
def test_fractions_that_are_kept_lie_in_0_to_1(cls, setting, value):
    with pytest.raises(ValueError, match=rf"{setting} must be a number in \[0.0, 1.0\). Got"):
        cls(**{setting: value})
    cls(**{setting: 0})


@pytest.mark.parametrize("value", [0.0, -1e-8, np.inf, np.nan, "small", False])
@pytest.mark.parametrize(
    ("cls", "setting"),
    [(cls, "epsilon") for cls in (AdaGrad, RMSProp, AdaDelta, Adam, Nadam)]
    + [(Regularization, name) for name in ("max_norm", "clip_norm", "clip_value")],
)
def test_divisors_and_limits_are_positive(cls, setting, value):
    with pytest.raises(ValueError, match=rf"{setting} must be a number in \(0.0, inf\). Got"):
        cls(**{setting: value})


@pytest.mark.parametrize(
    ("setting", "value"),
    [("l1", -0.1), ("l1", None), ("sparsity_cost", -1.0), ("sparsity_cost", np.inf)]
    + [("sparsity_target", x) for x in (0, 1, 0.0, 1.0, -0.5, np.nan, "low")],
)
def test_penalties_that_are_none_are_refused(setting, value):
    with pytest.raises(ValueError, match=f"{setting} must be a number in"):
        Regularization(**{setting: value})


def test_a_regularization_without_settings_is_none():
    record = Regularization()
    assert record.get_params() == {
        "l1": 0.0,
        "max_norm": None,
        "clip_norm": None,
        "clip_value": None,
        "sparsity_target": None,
        "sparsity_cost": 0.1,
        "dropout": 0.0,
    }
    assert repr(record.set_params(dropout=0.5)) == "Regularization(dropout=0.5)"


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
