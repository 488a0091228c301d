"""Label units on learned memories: gains, the error and its slope, the loop, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from ebm._batches import Rows
from ebm.completion_training import (
    CompletionPlan,
    CompletionState,
    Labelled,
    start_completion,
    targets,
    train_completion,
    typical_input,
    unit_scale,
    update_completion,
)
from ebm.energies.completion import Completion
from ebm.energies.memory import DenseParameters
from ebm.gradients.completion import completion_error, completion_gradient
from ebm.optimizers import SGD, Adam, Constant, NormalizedMomentum
from ebm.optimizers.base import UNHELD
from tests.checks_memories import assert_completion_gradient, completion_problem
from tests.oracles import memories as oracle

CHOICES = [(2, True, 1), (3, True, 2), (7, True, 3), (2, False, 1), (3, False, 1), (6, False, 2)]
every_choice = pytest.mark.parametrize(("degree", "rectified", "power"), CHOICES)


@every_choice
def test_gains_are_differences_of_energies(degree, rectified, power):
    memories, v, _, _ = completion_problem()
    model = Completion(3, degree, rectified, 1.5)
    expected = [oracle.gains(memories, row, 3, degree, rectified, 1.5) for row in v]
    found = model.gains(DenseParameters(memories), v)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(
        model.shares(DenseParameters(memories), v), softmax(2 * np.array(expected), axis=1)
    )


@every_choice
def test_the_error_is_that_of_the_plain_loop(degree, rectified, power):
    memories, v, t, weights = completion_problem()
    model = Completion(3, degree, rectified, 1.5)
    found = completion_error(model, DenseParameters(memories), v, t, power=power, weights=weights)
    expected = oracle.completion_error(memories, v, t, weights, power, degree, rectified, 1.5)
    assert found == pytest.approx(expected, rel=1e-12)
    equal = np.full(len(v), 1 / len(v))
    found = completion_error(model, DenseParameters(memories), v, t, power=power)
    expected = oracle.completion_error(memories, v, t, equal, power, degree, rectified, 1.5)
    assert found == pytest.approx(expected, rel=1e-12)


@every_choice
def test_the_gradient_is_the_slope_of_the_error(degree, rectified, power):
    model = Completion(3, degree, rectified, 1.5)

    def gradient(memories, v, t, weights):
        found, error = completion_gradient(
            model, DenseParameters(memories), v, t, power=power, weights=weights
        )
        assert error == pytest.approx(
            completion_error(model, DenseParameters(memories), v, t, power=power, weights=weights)
        )
        return found.memories

    assert_completion_gradient(gradient, degree=degree, rectified=rectified, power=power)


def test_single_precision_stays():
    memories, v, t, _ = completion_problem()
    model = Completion(3, 6, True, 1.5)
    wide, _ = completion_gradient(model, DenseParameters(memories), v, t)
    narrow, _ = completion_gradient(
        model, DenseParameters(memories.astype(np.float32)), v.astype(np.float32), t
    )
    assert narrow.memories.dtype == np.float32
    np.testing.assert_allclose(narrow.memories, wide.memories, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ((0, 3, True, 1.0), "n_labels must be"),
        ((3, 1, True, 1.0), "degree must be an integer of at least 2"),
        ((3, 3, True, 0.0), "scale must be a number in"),
    ],
)
def test_choices_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        Completion(*settings)


# The optimiser --------------------------------------------------------------------------------


def test_normalized_momentum_by_hand():
    rule = NormalizedMomentum(0.5, group_size=2)
    theta = np.array([1.0, 2.0, 3.0, 4.0])
    memory = rule.start(theta)
    assert rule.step(theta, np.array([3.0, -4.0, 0.0, 0.0]), memory, 0.1, UNHELD)
    np.testing.assert_allclose(
        theta, [1.075, 1.9, 3, 4]
    )  # (3, -4) / 4; without a gradient, nothing
    assert rule.step(theta, np.array([1.5, 0.0, 1e-9, -5e-10]), memory, 0.2, UNHELD)
    # 0.5 (3, -4) + (1.5, 0) = (3, -2), over 3; however small a gradient is, its step is as long.
    np.testing.assert_allclose(theta, [1.275, 1.9 - 0.4 / 3, 3.2, 3.9])
    before, velocity = theta.copy(), memory[0].copy()
    assert not rule.step(theta, np.array([np.inf, 0, 0, 0]), memory, 0.1, UNHELD)
    np.testing.assert_array_equal(theta, before)
    np.testing.assert_array_equal(memory[0], velocity)


def test_normalized_momentum_holds_back():
    theta = np.array([1.0, -1.0])
    rule = NormalizedMomentum(0.0)
    # factor 0.5, limit 1, l1 0.1, l2 0.2 on the first entry: (clip(4) - 0.3, -0.5) over 0.7.
    assert rule.step(theta, np.array([8.0, -1.0]), rule.start(theta), 0.7, (0.5, 1.0, 0.1, 0.2, 1))
    np.testing.assert_allclose(theta, [1.7, -1.5])


@pytest.mark.parametrize("settings", [{"momentum": 1.0}, {"momentum": -0.1}, {"group_size": 0}])
def test_normalized_momentum_checks_its_settings(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        NormalizedMomentum(**settings)


# The loop -------------------------------------------------------------------------------------


def plan(rule=None, **settings):
    choice = {"learning_rate": 0.05, "batch_size": 10, "power": 2, "seed": 0, **settings}
    rule = NormalizedMomentum(0.6, 9) if rule is None else rule
    return CompletionPlan(rule, Constant(), **choice)


def two_blobs(n_rows=60, dtype=np.float64):
    """Seven features, of which the first tells the classes apart."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=n_rows)
    v = 0.5 * rng.uniform(-1, 1, (n_rows, 7)).astype(dtype)
    v[:, 0] = 0.8 * (2 * labels - 1)
    return Labelled(Rows(v), labels), v


def trained(rule=None, n_epochs=20, dtype=np.float64, **settings):
    data, v = two_blobs(dtype=dtype)
    choice = plan(rule, **settings)
    state = start_completion(2, data, 8, choice)
    rough = Completion(2, 4, True, typical_input(data.rows))
    model = Completion(2, 4, True, 1.5 * unit_scale(state, data, rough))
    stopped = train_completion(state, model, data, choice, n_epochs, lambda state, epoch: None)
    gains = model.gains(DenseParameters(state.memories), v)
    return state, np.mean(gains.argmax(axis=1) == data.labels), stopped


def test_targets():
    np.testing.assert_array_equal(targets(np.array([1, 0]), 2, np.float32), [[-1, 1], [1, -1]])


def test_memories_start_at_rows_with_their_labels():
    data, v = two_blobs(300)
    state = start_completion(2, data, 300, plan())
    both = np.concatenate([v, targets(data.labels, 2, v.dtype)], axis=1)
    residue = np.abs(state.memories[:, np.newaxis] - 0.3 * both).max(axis=2).min(axis=1)
    assert np.abs(state.memories).max() <= 1
    # Nine normal deviates of 0.3 exceed 1.5 once in 200 000.
    assert residue.max() < 1.5
    by_label = state.memories[:, 7] - state.memories[:, 8]
    assert np.corrcoef(by_label, state.memories[:, 0])[0, 1] < -0.3


def test_at_the_unit_scale_the_largest_gain_is_one_on_average():
    data, v = two_blobs()
    state = start_completion(2, data, 8, plan())
    scale = unit_scale(state, data, Completion(2, 5, True, 3.7))
    gains = Completion(2, 5, True, scale).gains(DenseParameters(state.memories), v)
    assert np.abs(gains).max(axis=1).mean() == pytest.approx(1, rel=1e-12)
    assert typical_input(data.rows) == pytest.approx((v**2).sum(axis=1).mean())


@pytest.mark.parametrize("rule", [NormalizedMomentum(0.6, 9), Adam()], ids=["normalized", "adam"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_lowers_the_error(rule, dtype):
    state, accuracy, stopped = trained(rule, dtype=dtype)
    error = state.history["error"]
    assert stopped == "" and accuracy == 1
    assert error[-1] < 0.2 * error[0]
    assert state.memories.dtype == dtype and np.abs(state.memories).max() <= 1
    assert state.history["epoch"] == list(range(1, 21)) and state.n_steps == 20 * 6


def test_one_seed_one_result():
    first, again, other = trained()[0], trained()[0], trained(seed=1)[0]
    np.testing.assert_array_equal(first.memories, again.memories)
    assert (first.memories != other.memories).any()


def test_what_is_not_finite_is_not_taken():
    data, v = two_blobs(dtype=np.float32)
    choice = plan()
    state = start_completion(2, data, 8, choice)
    before = state.memories.copy()
    overflowing = Completion(2, 60, True, 1e-3)
    assert update_completion(state, overflowing, (v, data.labels), choice, 0.05) is None
    stopped = train_completion(state, overflowing, data, choice, 3, lambda state, epoch: None)
    assert "diverged in epoch 1" in stopped and "temperature" in stopped
    np.testing.assert_array_equal(state.memories, before)
    assert state.n_steps == 0 and not state.history


def test_an_interrupt_keeps_the_memories():
    def interrupt(state, epoch):
        raise KeyboardInterrupt

    data, _ = two_blobs()
    state = start_completion(2, data, 8, plan())
    stopped = train_completion(state, Completion(2, 3, True, 1.0), data, plan(), 3, interrupt)
    assert "interrupted" in stopped and state.n_steps == 6


def test_weights_count_as_repetitions():
    rng = np.random.default_rng(1)
    data, v = two_blobs(20)
    counts = rng.integers(0, 3, 20)
    repeated = np.repeat(np.arange(20), counts)
    model, choice = Completion(2, 3, True, 1.0), plan(batch_size=7)
    found = []
    for rows, labels in (
        (Rows(v, counts.astype(float)), data.labels),
        (Rows(v[repeated]), data.labels[repeated]),
    ):
        state = start_completion(2, Labelled(rows, labels), 5, choice)
        train_completion(state, model, Labelled(rows, labels), choice, 3, lambda state, epoch: None)
        found.append(state.memories)
    np.testing.assert_allclose(*found, rtol=0, atol=1e-12)


def test_a_batch_is_averaged_by_its_weights():
    memories, v, t, weights = completion_problem()
    model, choice = Completion(3, 3, True, 1.5), plan(SGD(), learning_rate=0.1, power=1)
    state = CompletionState(memories.copy(), SGD().start(memories.ravel()))
    labels = t.argmax(axis=1)
    error = update_completion(state, model, (v, labels), choice, 0.1, 5 * weights)
    gradient, expected = completion_gradient(
        model, DenseParameters(memories), v, t, weights=weights
    )
    moved = np.clip(memories + 0.1 * gradient.memories, -1, 1)
    np.testing.assert_allclose(state.memories, moved, rtol=0, atol=1e-14)
    assert error == pytest.approx(expected)
