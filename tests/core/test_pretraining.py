"""Greedy pre-training: every machine learns what the layers below make of the data; one pass goes up."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from scipy import sparse

from ebm import training
from ebm._batches import Redrawn, Rows
from ebm._random import Key
from ebm.energies.belief_network import from_rbms
from ebm.energies.bipartite import Bipartite
from ebm.gradients import PersistentContrastiveDivergence
from ebm.optimizers import SGD
from ebm.optimizers.schedules import Constant
from ebm.pretraining import Labels, Machine, Propagation, layers_above, pretrain, update_each
from ebm.pretraining.upward import draws, draws_by_content, top_draws
from ebm.training import INTERRUPTED, Plan
from ebm.units import Bernoulli, OneHot, Spin

BITS = Bipartite(Bernoulli(), Bernoulli())
X = (np.random.default_rng(0).random((30, 5)) < 0.4).astype(float)
SIZES = (4, 3, 2)


def plan(k, gradient=None):
    gradient = gradient or PersistentContrastiveDivergence()
    return Plan(gradient, SGD(), Constant(), 0.1, 0.0, 10, seed=k)


def machine(k, n_hidden, model=BITS, **others):
    return Machine(f"layer{k + 1}", model, plan(k), n_hidden, 2, **others)


def machines(sizes=SIZES, **others):
    return [machine(k, n, **others) for k, n in enumerate(sizes)]


def vectors(layers):
    return [layer.state.theta for layer in layers]


def assert_same(one, other):
    assert len(one) == len(other)
    for a, b in zip(vectors(one), vectors(other), strict=True):
        np.testing.assert_array_equal(a, b)


def learned(k, n_hidden, rows, change=None):
    """One machine trained by itself."""
    state = training.start(BITS, rows, n_hidden, plan(k), change)
    training.train(state, rows, plan(k), 2)
    return state


# --- layer by layer -----------------------------------------------------------------------------------


def test_every_machine_learns_the_means_of_those_below():
    found = pretrain(machines(), X, None, Propagation(draws=False, seed=0))
    rows = X
    for k, (layer, n_hidden) in enumerate(zip(found.layers, SIZES, strict=True)):
        alone = learned(k, n_hidden, Rows(rows))
        np.testing.assert_array_equal(layer.state.theta, alone.theta)
        rows = BITS.hidden_mean(alone.params, rows)
    assert not found.interrupted


def test_states_go_up_and_are_drawn_anew_for_every_epoch():
    found = pretrain(machines(), X, None, Propagation(draws=True, seed=7))
    rows, steps = X, []
    for k, (layer, n_hidden) in enumerate(zip(found.layers, SIZES, strict=True)):
        draw = partial(top_draws, tuple(steps))
        drawn = Redrawn(rows, None, X, draw) if k else Rows(rows)
        alone = learned(k, n_hidden, drawn)
        np.testing.assert_array_equal(layer.state.theta, alone.theta)
        steps.append((BITS, alone.params))
        rows = Propagation(draws=True, seed=7).above(steps[-1], k, rows)
        assert set(np.unique(rows)) == {0.0, 1.0}


def test_machines_on_top_of_layers_that_have_learned():
    way = Propagation(draws=True, seed=0)
    whole = pretrain(machines(), X, None, way).layers
    above = pretrain(machines()[1:], X, None, way, below=[whole[0].step]).layers
    assert_same(above, whole[1:])


def test_a_machine_that_begins_at_the_layer_below_turned_over():
    first, second = pretrain(
        [machine(0, 4), Machine("layer2", BITS, plan(1), 6, 0)],
        X,
        None,
        Propagation(draws=True, seed=0),
        transposed=True,
    ).layers
    np.testing.assert_array_equal(second.state.params.W[:, :5], first.state.params.W.T)
    np.testing.assert_array_equal(
        second.state.params.hidden.bias[:5], first.state.params.visible.bias
    )


def test_the_last_machine_sees_labels_beside_the_features_of_their_rows():
    columns = np.eye(2)[np.arange(len(X)) % 2]
    columns[::5] = np.nan
    weights = np.arange(len(X)) % 3.0
    joint = Bipartite(OneHot((2,)), Bernoulli())
    stack = [machine(0, 4), machine(1, 3, joint)]
    below, top = pretrain(
        stack, X, weights, Propagation(draws=False, seed=0), labels=Labels(columns)
    ).layers
    np.testing.assert_array_equal(below.state.theta, learned(0, 4, Rows(X, weights)).theta)
    known = ~np.isnan(columns[:, 0])
    seen = np.hstack([BITS.hidden_mean(below.state.params, X), columns])[known]
    rows = Rows(seen, weights[known])
    alone = training.start(joint, rows, 3, plan(1))
    training.train(alone, rows, plan(1), 2)
    np.testing.assert_array_equal(top.state.theta, alone.theta)


@pytest.mark.parametrize("draws", [False, True])
def test_sparse_rows_teach_what_dense_ones_do(draws):
    way = Propagation(draws, seed=0)
    assert_same(
        pretrain(machines(), sparse.csr_array(X), None, way).layers,
        pretrain(machines(), X, None, way).layers,
    )


def test_the_rows_stay_as_they_are():
    rows = X.copy()
    pretrain(machines(), rows, None, Propagation(draws=True, seed=0))
    np.testing.assert_array_equal(rows, X)


def test_each_machine_goes_on_from_its_state():
    way = Propagation(draws=False, seed=0)
    before = pretrain(machines(), X, None, way).layers
    thetas = [x.copy() for x in vectors(before)]
    going_on = [machine(k, n, state=before[k].state) for k, n in enumerate(SIZES)]
    for theta, layer in zip(thetas, pretrain(going_on, X, None, way).layers, strict=True):
        assert layer.state.n_steps == 12
        assert not np.array_equal(theta, layer.state.theta)


# --- what comes in between ----------------------------------------------------------------------------


def interrupting(when):
    """A context that interrupts on its way in, or in the first epoch."""

    @contextmanager
    def watched(X, model):
        if when == "before":
            raise KeyboardInterrupt

        def callback(report):
            raise KeyboardInterrupt

        yield [callback]

    return watched


def test_an_interrupt_in_training_ends_with_that_layer():
    stack = [machine(0, 4), machine(1, 3, watched=interrupting("within")), machine(2, 2)]
    found = pretrain(stack, X, None, Propagation(draws=True, seed=0))
    assert [layer.message for layer in found.layers] == ["", INTERRUPTED]
    assert not found.interrupted


def test_an_interrupt_between_two_layers_ends_with_the_lower_one():
    stack = [machine(0, 4), machine(1, 3, watched=interrupting("before"))]
    way = Propagation(draws=True, seed=0)
    found = pretrain(stack, X, None, way)
    assert len(found.layers) == 1
    assert found.interrupted
    with pytest.raises(KeyboardInterrupt):  # nothing to keep
        pretrain(stack[1:], X, None, way)


def test_errors_have_the_name_of_the_machine():
    joint = machine(1, 3, Bipartite(OneHot((9,)), Bernoulli()))
    with pytest.raises(ValueError, match=r"^layer2: "):
        pretrain([machine(0, 4), joint], X, None, Propagation(draws=False, seed=0))


# --- one update of each -------------------------------------------------------------------------------


def test_one_update_of_each_sees_the_updated_layer_below():
    weights = 1.0 + np.arange(len(X)) % 3
    way = Propagation(draws=False, seed=0)
    rows = X
    for k, layer in enumerate(update_each(machines(), X, weights, way)):
        shares = weights / weights.max()
        alone = training.start(BITS, Rows(rows, shares), SIZES[k], plan(k))
        training.single_update(alone, rows, shares, plan(k))
        np.testing.assert_array_equal(layer.state.theta, alone.theta)
        rows = BITS.hidden_mean(alone.params, rows)


def test_a_batch_without_labels_leaves_a_joint_machine_alone():
    joint = Bipartite(OneHot((2,)), Bernoulli())
    way, known = Propagation(draws=False, seed=0), Labels(np.eye(2)[np.arange(len(X)) % 2])
    layers = update_each([machine(0, 4), machine(1, 3, joint)], X, None, way, known)
    stack = [
        machine(0, 4, state=layers[0].state),
        machine(1, 3, joint, state=layers[1].state),
    ]
    unknown = Labels(np.full((len(X), 2), np.nan))
    assert len(update_each(stack, X, None, way, unknown)) == 1


# --- the pass up --------------------------------------------------------------------------------------


def stack_of_three(visible):
    rng = np.random.default_rng(3)
    sizes, units = (5, 4, 3, 2), (visible, Bernoulli(), Spin(), Spin())
    steps = []
    for k in range(3):
        model = Bipartite(units[k], units[k + 1])
        shape = sizes[k], sizes[k + 1]
        steps.append(
            (model, model.unpack(rng.normal(size=shape[0] * shape[1] + sum(shape)), *shape))
        )
    return steps


@pytest.mark.parametrize("visible", [Bernoulli(), Spin()])
def test_the_pass_up_is_recognition_of_the_belief_network(visible):
    steps, key = stack_of_three(visible), Key(3, 4)
    model, params = from_rbms(steps)
    v = np.random.default_rng(1).choice(visible.states, (50, 5))
    for found, wanted in zip(layers_above(steps, v), model.means_up(params, v), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
    drawn = layers_above(steps[:-1], v, draws(key, first_row=9))
    for found, wanted in zip(drawn, model.sample_up(params, v, key, first_row=9), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_draws_by_content_are_those_of_the_same_row_anywhere():
    (step, *_), key = stack_of_three(Bernoulli()), Key(1, 2)
    rule = draws_by_content(key)
    whole = rule(0, step, X)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_array_equal(rule(0, step, X[order]), whole[order])
    np.testing.assert_array_equal(rule(0, step, sparse.csr_array(X)), rule(5, step, X))


def test_keys_of_the_states_that_go_up_differ_by_layer_and_turn():
    step, found = stack_of_three(Bernoulli())[0], set()
    many = np.random.default_rng(0).random((200, 5))
    for k in range(2):
        for turn in range(2):
            found.add(Propagation(True, 0, turn).above(step, k, many).tobytes())
    assert len(found) == 4
