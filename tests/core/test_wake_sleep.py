"""ebm.gradients.wake_sleep: each part of the estimate against its oracle, and what learning by it does."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ebm._batches import Rows
from ebm._random import Key, fold
from ebm.energies.bipartite import Bipartite
from ebm.gradients import ContrastiveDivergence, UpDown
from ebm.gradients.base import Batch
from ebm.gradients.contrastive import bind_contrastive
from ebm.gradients.wake_sleep import DOWN, LABELS, TOP, UP
from ebm.monitors import Checkpoint
from ebm.optimizers import SGD, Adam, Constant, Momentum
from ebm.optimizers.regularization import Regularization
from ebm.training import Plan, load, resume, single_update, train
from ebm.units import Bernoulli
from tests.checks.belief import assert_bound_rises, assert_expects_up_down, expected_up_down
from tests.models.belief import STACKS, data_for, finite_differences, random_stack, spelled
from tests.oracles import belief

KEY = Key(11, 12)
WEIGHTS = np.array([0.1, 0.4, 0.2, 0.3])
CHOICES = [UpDown(), UpDown(n_steps=2), UpDown(persistent=True, n_chains=3)]

# With Gaussian layers between others, too: directed layers may be of any type.
DEEP = {**STACKS, "all gaussian below": (("gaussian", "gaussian", "binary"), (2, 2, 2))}


def bound_to(oracle, choice, batch_size=4, dtype=np.float64):
    """The estimator, parameters, and chains, for a stack in the oracle's spelling."""
    model, params = spelled(oracle, dtype)
    gradient = model.unpack(np.full_like(model.pack(params), np.nan), *model.shape(params))
    n_chains = choice.n_chains_for(batch_size)
    estimate = choice.bind(model, gradient, batch_size, n_chains)
    mean = np.full(model.shape(params)[0], 0.3, dtype)
    return model, params, estimate, choice.start(model, params, mean, batch_size, fold(KEY, 99))


def parts(model, params, rows, choice, chains, key, weights=WEIGHTS):
    """States of both phases, drawn by the library's own passes with the estimator's keys."""
    x, labels = model.split(rows)
    wake = [x, *model.sample_up(params, x, fold(key, UP))]
    if labels is not None and np.isnan(labels).any():
        drawn = model.label_table(params, wake[-1]).sample(fold(key, LABELS))
        labels = np.where(np.isnan(labels), drawn, labels)
    kept = len(chains.h) if choice.persistent else None
    machine, own = model.fused_top(params)
    gradient = machine.unpack(machine.pack(own), *machine.shape(own))
    top = bind_contrastive(machine, gradient, len(rows), kept, choice.n_steps, choice.slide)
    chains = chains._replace(
        h=chains.h.copy(),
        visible_offset=chains.visible_offset.copy(),
        hidden_offset=chains.hidden_offset.copy(),
    )
    top(own, Batch(model.beside(wake[-1], labels), weights), chains, fold(key, TOP))
    last = top.fantasies(len(rows))
    scale = machine.visible.scale(own.visible)
    last = last if scale is None else last * scale
    last = np.ascontiguousarray(last[:, : wake[-1].shape[1]])
    sleep = [*model.sample_down(params, last, fold(key, DOWN)), last]
    return wake, sleep, machine.pack(gradient)


def assert_close(a, b, atol=1e-7):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x.W, y.W, rtol=0, atol=atol)
        for p, q in zip(x.params, y.params, strict=True):
            np.testing.assert_allclose(p, q, rtol=0, atol=atol)


@pytest.mark.parametrize("choice", CHOICES, ids=repr)
@pytest.mark.parametrize("name", [*DEEP, "labels"])
def test_each_part_is_the_slope_of_what_its_phase_ascends(name, choice):
    """Given the states: the generative part by finite differences of log p, the recognition part of log Q."""
    oracle = random_stack(*DEEP.get(name, STACKS["binary"]), n_labels=2 * (name == "labels"))
    if name == "all gaussian below":  # a proper top
        oracle = random_stack(*DEEP[name], scale=0.3)
    model, params, estimate, chains = bound_to(oracle, choice)
    rows = data_for(oracle, 4)
    wake, sleep, top = parts(model, params, rows, choice, chains, KEY)
    gradient, _, info = estimate(params, Batch(rows.copy(), WEIGHTS), chains, KEY)
    assert info.finite and info.where == ""

    def log_p(nudged):
        terms = [
            [
                belief.log_down(nudged, k, wake[k][r], wake[k + 1][r])
                for k in range(len(params.down))
            ]
            for r in range(4)
        ]
        return WEIGHTS @ np.sum(terms, axis=1)

    def log_q(nudged):
        n = len(sleep[0])
        return sum(belief.log_recognition(nudged, [x[r] for x in sleep]) for r in range(n)) / n

    assert_close(gradient.down, finite_differences(log_p, model, params).down)
    assert_close(gradient.up, finite_differences(log_q, model, params).up)
    np.testing.assert_array_equal(model.top_model.pack(gradient.top), top)


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 2])
@pytest.mark.parametrize("persistent", [False, True])
def test_the_estimate_has_the_expected_mean(persistent, n_steps):
    oracle, rows = random_stack(), data_for(random_stack(), 3)
    h = data_for(random_stack(("binary",) * 2, (2, 2)), 5, seed=1)
    choice = UpDown(n_steps, persistent, len(h) if persistent else None, centered=False)
    model, params, estimate, chains = bound_to(oracle, choice, 3)

    def one(i):
        fresh = chains._replace(h=h.copy() if persistent else chains.h)
        return model.pack(estimate(params, Batch(rows), fresh, fold(KEY, i))[0])

    expected = expected_up_down(oracle, rows, n_steps, h if persistent else None)
    assert_expects_up_down(one, expected)


def test_unlabelled_rows_have_their_labels_drawn():
    oracle = random_stack(*STACKS["binary"], n_labels=2, seed=5)
    model, params, estimate, chains = bound_to(oracle, UpDown())
    rows = data_for(oracle, 4)
    rows[1:3, -2:] = np.nan
    _, _, top = parts(model, params, rows, UpDown(), chains, KEY)
    gradient, _, info = estimate(params, Batch(rows.copy(), WEIGHTS), chains, KEY)
    assert info.finite
    np.testing.assert_array_equal(model.top_model.pack(gradient.top), top)


def test_persistent_chains_go_on():
    oracle, choice = random_stack(), UpDown(persistent=True, n_chains=64)
    _, params, estimate, chains = bound_to(oracle, choice)
    rows, seen = data_for(oracle, 4), [chains.h.copy()]
    for step in range(3):
        _, chains, _ = estimate(params, Batch(rows.copy()), chains, fold(KEY, step))
        seen.append(chains.h.copy())
    assert all((a != b).any() for a, b in pairwise(seen))
    assert seen[0].shape == (64, 2)


def test_short_batches_are_divided_by_their_own_count():
    oracle = random_stack()
    model, params, estimate, chains = bound_to(oracle, UpDown(), 7)
    rows = data_for(oracle, 4)
    long = model.pack(estimate(params, Batch(rows), chains, KEY)[0]).copy()
    _, _, exact, chains = bound_to(oracle, UpDown(), 4)
    np.testing.assert_array_equal(long, model.pack(exact(params, Batch(rows), chains, KEY)[0]))


def test_a_single_machine_learns_by_contrastive_divergence():
    oracle = random_stack(*STACKS["single"])
    model, params, estimate, chains = bound_to(oracle, UpDown())
    rows, choice = data_for(oracle, 4), ContrastiveDivergence()
    gradient = estimate(params, Batch(rows), chains, KEY)[0].top
    machine, own = model.top_model, params.top
    into = machine.unpack(np.empty_like(machine.pack(own)), *machine.shape(own))
    other = choice.start(machine, own, np.full(3, 0.3), 4, KEY)
    choice.bind(machine, into, 4, 0)(own, Batch(rows), other, fold(KEY, TOP))
    np.testing.assert_array_equal(gradient.W, into.W)


# Training ------------------------------------------------------------------------------------------


def plan_for(choice, optimizer=None, rate=0.1, **settings):
    return Plan(choice, optimizer or SGD(), Constant(), rate, 0.0, 4, 0, **settings)


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    "choice", [UpDown(), UpDown(n_steps=3), UpDown(persistent=True, n_chains=100)], ids=repr
)
def test_the_bound_of_tied_stacks_rises(choice):
    assert_bound_rises(choice)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["binary", "gaussian", "single"])
def test_training_moves_every_parameter_and_keeps_the_precision(name, dtype):
    oracle = random_stack(*STACKS[name])
    model, params = spelled(oracle, dtype)
    before = model.pack(params)
    rows = data_for(oracle, 20).astype(dtype)
    plan = plan_for(UpDown(), Adam(), 0.01)
    state = resume(model, params, plan, mean=rows.mean(axis=0, dtype=dtype))
    assert train(state, Rows(rows), plan, 2) == ""
    after = model.pack(state.params)
    assert after.dtype == dtype and np.isfinite(after).all()
    assert (after != before).all()
    assert state.n_steps == 10


def test_training_does_not_depend_on_the_units_of_gaussian_data():
    """In float64, up to rounding: data and parameters in other units, the same learning."""
    oracle = random_stack(*STACKS["gaussian"])
    rows, factor, shift = data_for(oracle, 12), np.array([10.0, 0.1]), np.array([3.0, -40.0])
    results = []
    for scale, moved in ((1.0, 0.0), (factor, shift)):
        model, params = spelled(oracle)
        if moved is shift:
            params = in_other_units(model, params, factor, shift)
        plan, X = plan_for(UpDown(), rate=0.05), rows * scale + moved
        state = resume(model, params, plan, mean=X.mean(axis=0))
        for _ in range(3):  # in the order of the rows, which an epoch takes from what they hold
            assert single_update(state, X, None, plan) == ""
        results.append(state.params)
    expected = in_other_units(model, results[0], factor, shift)
    np.testing.assert_allclose(model.pack(results[1]), model.pack(expected), rtol=1e-9)


def in_other_units(model, params, factor, shift):
    """The law of factor x_0 + shift."""
    down, up = params.down[0], params.up[0]
    own = type(down.params)(
        down.params.bias * factor, down.params.log_variance + 2 * np.log(factor)
    )
    down = down._replace(W=down.W * factor[:, np.newaxis], params=own)
    up = up._replace(W=up.W / factor[:, np.newaxis])
    params = params._replace(down=(down, *params.down[1:]), up=(up, *params.up[1:]))
    params = model.unpack(model.pack(params), *model.shape(params))
    return model.translated(params, shift)


def test_given_variances_are_kept():
    oracle = random_stack(*STACKS["gaussian"])
    model, params = spelled(oracle)
    data = type(model.visible)(variance="unit")
    model = replace(model, units=(data, *model.units[1:]))
    plan = plan_for(UpDown())
    state = resume(model, params, plan)
    assert single_update(state, data_for(oracle, 6), None, plan) == ""
    z = state.params.down[0].params.log_variance
    np.testing.assert_array_equal(z, params.down[0].params.log_variance)
    assert (state.params.down[0].W != params.down[0].W).all()


def test_rows_with_labels_are_learned_jointly():
    oracle = random_stack(("gaussian", "binary", "binary"), (2, 2, 2), n_labels=1)
    model, params = spelled(oracle)
    rows = data_for(oracle, 12)
    plan = plan_for(UpDown())
    state = resume(model, params, plan, mean=rows[:, :2].mean(axis=0))
    assert train(state, Rows(rows[:, :2], targets=rows[:, 2:]), plan, 2) == ""
    before, after = (model.top_model.pack(x.top) for x in (params, state.params))
    assert (before != after).all()


def test_penalties_are_for_the_weights_of_both_directions():
    oracle = random_stack()
    model, params = spelled(oracle)
    shrunk = []
    for decay in (0.0, 2.0):
        plan = plan_for(UpDown())._replace(weight_decay=decay)
        state = resume(model, params, plan)
        assert single_update(state, data_for(oracle, 4), None, plan) == ""
        shrunk.append(state.theta)
    n, theta = model.n_weights(params), model.pack(params)
    np.testing.assert_allclose(shrunk[0] - shrunk[1], 0.1 * 2 * theta * (np.arange(len(theta)) < n))


def test_max_norm_limits_the_weights_into_every_unit():
    oracle = random_stack(scale=3.0)
    model, params = spelled(oracle)
    plan = plan_for(UpDown(), regularization=Regularization(max_norm=0.5))
    state = resume(model, params, plan)
    assert single_update(state, data_for(oracle, 4), None, plan) == ""
    for W in model.max_norm_matrices(state.params):
        np.testing.assert_allclose(np.linalg.norm(W, axis=0), 0.5)


def test_training_goes_on_from_a_checkpoint_to_the_same_bits(tmp_path):
    oracle = random_stack(*STACKS["gaussian"], n_labels=1)
    model, params = spelled(oracle)
    X = data_for(oracle, 12)
    rows, plan = (
        Rows(X[:, :2], targets=X[:, 2:]),
        plan_for(UpDown(persistent=True), Momentum(), 0.01),
    )
    file = tmp_path / "training"

    def crash(report):
        if report.epoch == 3:
            raise OSError("the power went out")

    whole, broken = (resume(model, params, plan, mean=X[:, :2].mean(axis=0)) for _ in range(2))
    assert train(whole, rows, plan, 4) == ""
    with pytest.raises(OSError, match="power"):
        train(broken, rows, plan, 4, [Checkpoint(file, every=2), crash])
    loaded = load(file, resume(model, params, plan, mean=X[:, :2].mean(axis=0)), plan, rows, 4)
    assert loaded.epoch == 2
    assert loaded.bounds.keys() == {name for name, named in whole.bounds.items() if named}
    assert train(loaded, rows, plan, 4) == ""
    np.testing.assert_array_equal(loaded.theta, whole.theta)


def test_divergence_names_the_layers():
    model, params = spelled(random_stack())
    params.down[1].W[0, 0] = np.nan
    plan = plan_for(UpDown())
    state = resume(model, params, plan)
    told = single_update(state, data_for(random_stack(), 4), None, plan)
    assert "the generative weights between layers 1 and 2" in told


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="n_steps"):
        UpDown(n_steps=0)
    with pytest.raises(ValueError, match="persistent=True"):
        UpDown(n_chains=3)
    machine = Bipartite(Bernoulli(), Bernoulli())
    params = machine.unpack(np.zeros(11), 3, 2)
    with pytest.raises(ValueError, match="deep belief networks"):
        UpDown().bind(machine, params, 4, 0)
