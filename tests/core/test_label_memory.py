"""Label units on learned memories: gains, the error and its slope, the loop, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from ebm import training
from ebm._batches import Rows
from ebm.energies.bipartite import Bipartite
from ebm.energies.label_memory import LabelMemory, with_labels
from ebm.energies.memory import DenseParameters
from ebm.gradients.label_memory import LabelCompletion, completion_error, completion_gradient
from ebm.monitors import EarlyStopping
from ebm.optimizers import SGD, Adam, Constant, NormalizedMomentum, Regularization
from ebm.optimizers.base import UNLIMITED
from ebm.training import Plan
from ebm.units import Bernoulli
from tests.checks.memories import assert_completion_gradient, completion_problem
from tests.oracles import memories as oracle

CHOICES = [(2, True, 1), (3, True, 2), (7, True, 3), (2, False, 1), (3, False, 1), (6, False, 2)]
every_choice = pytest.mark.parametrize(("degree", "rectified", "power"), CHOICES)


@every_choice
def test_gains_are_differences_of_energies(degree, rectified, power):
    memories, v, _, _ = completion_problem()
    model = LabelMemory(3, degree, rectified, 1.5)
    expected = [oracle.gains(memories, row, 3, degree, rectified, 1.5) for row in v]
    found = model.gains(DenseParameters(memories), v)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(
        model.shares(DenseParameters(memories), v), softmax(2 * np.array(expected), axis=1)
    )


@every_choice
def test_the_error_is_that_of_the_plain_loop(degree, rectified, power):
    memories, v, t, weights = completion_problem()
    model = LabelMemory(3, degree, rectified, 1.5)
    found = completion_error(model, DenseParameters(memories), v, t, power=power, weights=weights)
    expected = oracle.completion_error(memories, v, t, weights, power, degree, rectified, 1.5)
    assert found == pytest.approx(expected, rel=1e-12)
    equal = np.full(len(v), 1 / len(v))
    found = completion_error(model, DenseParameters(memories), v, t, power=power)
    expected = oracle.completion_error(memories, v, t, equal, power, degree, rectified, 1.5)
    assert found == pytest.approx(expected, rel=1e-12)


@every_choice
def test_the_gradient_is_the_slope_of_the_error(degree, rectified, power):
    model = LabelMemory(3, degree, rectified, 1.5)

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
    model = LabelMemory(3, 6, True, 1.5)
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
        LabelMemory(*settings)


# The optimiser --------------------------------------------------------------------------------


def test_normalized_momentum_by_hand():
    rule = NormalizedMomentum(0.5, group_size=2)
    theta = np.array([1.0, 2.0, 3.0, 4.0])
    memory = rule.start(theta)
    assert rule.step(theta, np.array([3.0, -4.0, 0.0, 0.0]), memory, 0.1, UNLIMITED)
    np.testing.assert_allclose(
        theta, [1.075, 1.9, 3, 4]
    )  # (3, -4) / 4; without a gradient, nothing
    assert rule.step(theta, np.array([1.5, 0.0, 1e-9, -5e-10]), memory, 0.2, UNLIMITED)
    # 0.5 (3, -4) + (1.5, 0) = (3, -2), over 3; however small a gradient is, its step is as long.
    np.testing.assert_allclose(theta, [1.275, 1.9 - 0.4 / 3, 3.2, 3.9])
    before, velocity = theta.copy(), memory[0].copy()
    assert not rule.step(theta, np.array([np.inf, 0, 0, 0]), memory, 0.1, UNLIMITED)
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


def plan(rule=None, power=2, **settings):
    choice = {"learning_rate": 0.05, "weight_decay": 0.0, "batch_size": 10, "seed": 0, **settings}
    rule = NormalizedMomentum(0.6, 9) if rule is None else rule
    return Plan(LabelCompletion(power), rule, Constant(), **choice)


def two_blobs(n_rows=60, dtype=np.float64):
    """Seven features, of which the first tells the classes apart, and two labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=n_rows)
    v = 0.5 * rng.uniform(-1, 1, (n_rows, 7)).astype(dtype)
    v[:, 0] = 0.8 * (2 * labels - 1)
    return with_labels(v, labels, 2)


def started(s, n_memories=8, choice=None, degree=4, temperature=1.5):
    """The state before the first update, at a temperature in units of what the memories ask for."""
    choice = choice or plan()
    rough = LabelMemory(2, degree, True, 1.0)
    state = training.start(rough, Rows(s), n_memories, choice)
    unit = rough.unit_scale(state.params, rough.parts(s)[0])
    state.model = LabelMemory(2, degree, True, temperature * unit)
    return state


def trained(rule=None, n_epochs=20, dtype=np.float64, callbacks=(), **settings):
    s, choice = two_blobs(dtype=dtype), plan(rule, **settings)
    state = started(s, choice=choice)
    return state, training.train(state, Rows(s), choice, n_epochs, callbacks)


def test_states_of_all_units():
    v = np.array([[0.5, -0.5], [0.25, 1.0]], np.float32)
    s = with_labels(v, np.array([1, 0]), 3)
    assert s.dtype == np.float32
    np.testing.assert_array_equal(s, [[0.5, -0.5, -1, 1, -1], [0.25, 1, 1, -1, -1]])
    visible, labels = LabelMemory(3, 2, True, 1.0).parts(s)
    np.testing.assert_array_equal(visible, v)
    np.testing.assert_array_equal(labels, s[:, 2:])


def test_parameters_in_one_vector():
    model, memories = LabelMemory(2, 3, True, 1.0), np.arange(12.0).reshape(3, 4)
    vector = model.pack(DenseParameters(memories))
    params = model.unpack(vector, *model.shape(DenseParameters(memories)))
    np.testing.assert_array_equal(params.memories, memories)
    assert np.shares_memory(params.memories, vector) and not np.shares_memory(vector, memories)


def test_memories_start_at_rows_with_their_labels():
    s = two_blobs(300)
    memories = training.start(LabelMemory(2, 4, True, 1.0), Rows(s), 300, plan()).params.memories
    assert np.abs(memories).max() <= 1
    residue = np.abs(memories[:, np.newaxis] - 0.3 * s).max(axis=2).min(axis=1)
    # Nine normal deviates of 0.3 exceed 1.5 once in 200 000.
    assert residue.max() < 1.5
    by_label = memories[:, 7] - memories[:, 8]
    assert np.corrcoef(by_label, memories[:, 0])[0, 1] < -0.3


@pytest.mark.parametrize(("degree", "rectified"), [(5, True), (4, False), (300, True)])
def test_at_the_unit_scale_the_largest_gain_is_one_on_average(degree, rectified):
    s = two_blobs()
    params = started(s).params
    model = LabelMemory(2, degree, rectified, 3.7)
    v = model.parts(s)[0]
    unit = LabelMemory(2, degree, rectified, model.unit_scale(params, v))
    found = np.abs(unit.gains(params, v)).max(axis=1).mean()
    assert found == pytest.approx(1, rel=1e-12 * degree)
    # Of memories that receive nothing there is none.
    assert model.unit_scale(DenseParameters(np.zeros((3, 9))), v) == 1


@pytest.mark.parametrize("rule", [NormalizedMomentum(0.6, 9), Adam()], ids=["normalized", "adam"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_lowers_the_error(rule, dtype):
    state, stopped = trained(rule, dtype=dtype)
    error, params = state.history["error"], state.params
    assert stopped == "" and state.model.accuracy(params, two_blobs()) == 1
    assert error[-1] < 0.2 * error[0]
    assert params.memories.dtype == dtype and np.abs(params.memories).max() <= 1
    assert state.history["epoch"] == list(range(1, 21)) and state.n_steps == 20 * 6


def test_memories_are_kept_within_their_range():
    state, stopped = trained(SGD(), n_epochs=3, learning_rate=50.0)
    assert stopped == "" and state.n_steps == 18  # no divergence
    assert np.abs(state.params.memories).max() == 1


def test_the_error_of_an_epoch_is_the_mean_of_its_batches():
    s = two_blobs(20)
    choice = plan(learning_rate=1e-300)  # memories stay where they are
    state = started(s, choice=choice)
    training.train(state, Rows(s), choice, 2)
    v, targets = state.model.parts(s)
    expected = completion_error(state.model, state.params, v, targets, power=2)
    assert state.history["error"] == pytest.approx([expected, expected])


def test_accuracy_is_the_share_of_rows_whose_label_gains_most():
    s = two_blobs()
    state = started(s)
    v, targets = state.model.parts(s)
    best = state.model.gains(state.params, v).argmax(axis=1)
    found = state.model.accuracy(state.params, s)
    assert found == np.mean(best == targets.argmax(axis=1))
    turned = np.hstack([v, -targets])
    assert found + state.model.accuracy(state.params, turned) == pytest.approx(1)


def test_one_seed_one_result():
    first, again, other = (trained(seed=seed)[0].theta for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_what_is_not_finite_is_not_taken():
    s, choice = two_blobs(dtype=np.float32), plan()
    state = started(s)
    before = state.theta.copy()
    state.model = LabelMemory(2, 60, True, 1e-3)  # overflows
    assert "diverged in this update" in training.single_update(state, s, None, choice)
    stopped = training.train(state, Rows(s), choice, 3)
    assert "diverged in epoch 1" in stopped and "temperature" in stopped
    np.testing.assert_array_equal(state.theta, before)
    assert state.n_steps == 0 and not state.history


def test_an_interrupt_keeps_the_memories():
    def interrupt(report):
        raise KeyboardInterrupt

    state, stopped = trained(n_epochs=3, callbacks=[interrupt])
    assert "interrupted" in stopped and state.n_steps == 6


def test_weights_count_as_repetitions():
    counts = np.random.default_rng(1).integers(0, 3, 20)
    s, choice = two_blobs(20), plan(batch_size=7)
    found = []
    for rows in (Rows(s, counts.astype(float)), Rows(np.repeat(s, counts, axis=0))):
        state = training.start(LabelMemory(2, 3, True, 1.0), rows, 5, choice)
        training.train(state, rows, choice, 3)
        found.append(state.theta)
    np.testing.assert_allclose(*found, rtol=0, atol=1e-12)


def test_a_batch_is_averaged_by_its_weights():
    memories, v, t, weights = completion_problem()
    model, choice = LabelMemory(3, 3, True, 1.5), plan(SGD(), learning_rate=0.1, power=1)
    state = training.resume(model, DenseParameters(memories), choice)
    assert training.single_update(state, np.hstack([v, t]), 5 * weights, choice) == ""
    gradient, _ = completion_gradient(model, DenseParameters(memories), v, t, weights=weights)
    moved = np.clip(memories + 0.1 * gradient.memories, -1, 1)
    np.testing.assert_allclose(state.params.memories, moved, rtol=0, atol=1e-14)


def test_a_callable_ends_training_and_the_best_memories_come_back():
    seen = []

    def rising(model, params, held_out):
        seen.append((params.memories.copy(), model.accuracy(params, held_out)))
        return [0.1, 0.3, 0.2, 0.3, 0.1][len(seen) - 1]

    stop = EarlyStopping(two_blobs(12), monitor=rising, patience=3)
    state, stopped = trained(callbacks=[stop])
    assert stopped == "" and state.history["rising"] == [0.1, 0.3, 0.2, 0.3, 0.1]
    np.testing.assert_array_equal(state.params.memories, seen[1][0])


@pytest.mark.parametrize("monitor", ["pseudo_likelihood", "free_energy_gap"])
def test_measures_of_likelihood_are_refused(monitor):
    s = two_blobs(12)
    stop = EarlyStopping(s, monitor=monitor, train=s)
    with pytest.raises(ValueError, match=rf"{monitor}.*LabelMemory.*no likelihood.*callable"):
        trained(callbacks=[stop])


def test_a_checkpoint_goes_on_to_the_same_bits(tmp_path):
    def keep(report):
        if report.epoch == 3:
            report.checkpoints.append(tmp_path / "training")

    whole, _ = trained(n_epochs=6, callbacks=[keep])
    s, choice = two_blobs(), plan()
    state = training.load(tmp_path / "training", started(s), choice, Rows(s), n_epochs=6)
    assert state.n_steps == 18 and (state.theta != whole.theta).any()
    assert training.train(state, Rows(s), choice, 6) == ""
    np.testing.assert_array_equal(state.theta, whole.theta)
    np.testing.assert_array_equal(state.memory[0], whole.memory[0])
    assert state.history["error"] == whole.history["error"]
    warmer = started(s)
    warmer.model = LabelMemory(2, 4, True, 2 * whole.model.scale)
    with pytest.raises(ValueError, match="written with model=LabelMemory"):
        training.load(tmp_path / "training", warmer, choice, Rows(s), n_epochs=6)


def test_settings_that_do_not_belong_together_are_refused():
    memories, _, _, _ = completion_problem()
    params = DenseParameters(memories)
    with pytest.raises(ValueError, match="power must be"):
        LabelCompletion(0)
    machine = Bipartite(Bernoulli(), Bernoulli())
    with pytest.raises(ValueError, match=r"label units\. Got Bipartite"):
        LabelCompletion().bind(machine, params, 3, 0)
    for settings, words in (({"max_norm": 1.0}, "max_norm"), ({"dropout": 0.5}, "dropout")):
        choice = plan(regularization=Regularization(**settings))
        with pytest.raises(ValueError, match=rf"{words}[\s\S]*Got LabelMemory"):
            training.resume(LabelMemory(3, 3, True, 1.5), params, choice)
