"""ebm.energies.belief_network: parameters, passes and log-probabilities against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._flat import in_double, leaves
from ebm._random import Key, fold
from ebm.energies.belief_network import BeliefNetwork, from_rbms
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.energies.labels import label_states
from ebm.units import Bernoulli, Gaussian, Spin
from tests.models import library_model, library_params, oracle_model, rows_for
from tests.models.belief import STACKS, data_for, oracle_of, random_stack, spelled
from tests.oracles import belief
from tests.statistics import assert_same_distribution

KEY = Key(7, 8)
ROWS = 5


def states_of(oracle, n_rows=ROWS, seed=0):
    """Random states of layers 0, ..., L - 1, and of the labels."""
    rng = np.random.default_rng(seed)
    rows = data_for(oracle, n_rows, seed)
    n = rows.shape[1] - oracle.n_labels
    hidden = []
    for arrow in oracle.up:
        low, high = belief.STATES[arrow.layer.kind]
        bits = rng.integers(0, 2, size=(n_rows, len(arrow.layer.bias)))
        hidden.append(low + (high - low) * bits)
    return [rows[:, :n], *hidden], rows[:, n:]


@pytest.fixture(params=[*STACKS, "labels"])
def stack(request):
    """A stack in the oracle's spelling."""
    if request.param == "labels":
        return random_stack(*STACKS["binary"], n_labels=2, seed=4)
    return random_stack(*STACKS[request.param], seed=3)


# Parameters --------------------------------------------------------------------------------------


def test_packing_and_unpacking_are_inverses(stack):
    model, params = spelled(stack)
    theta = model.pack(params)
    assert len(np.unique(theta)) == len(theta)  # no two entries could be exchanged unseen
    again = model.unpack(theta, *model.shape(params))
    for a, b in zip(leaves(again), leaves(params), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.shares_memory(a, theta)
        assert a.flags.c_contiguous


def test_weights_come_first_in_the_vector(stack):
    model, params = spelled(stack)
    n = model.n_weights(params)
    theta = model.pack(params)
    top = model.top_model.max_norm_matrices(params.top)
    weights = [*top, *(x.W for x in (*params.down, *params.up))]
    assert n == sum(W.size for W in weights)
    assert set(theta[:n]) == {x for W in weights for x in W.ravel()}


def test_columns_are_the_weights_into_a_unit(stack):
    model, params = spelled(stack)
    top = model.top_model.max_norm_matrices(params.top)
    predicted = [*(len(x.params.bias) for x in params.down), *(len(stack.hidden.bias) for _ in top)]
    predicted += [len(x.params.bias) for x in params.up]
    columns = model.max_norm_matrices(params)
    assert [W.shape[1] for W in columns] == predicted
    assert all(np.shares_memory(W, top[0].base) for W in columns)


def test_shape_counts_units_without_the_labels():
    model, params = spelled(random_stack(*STACKS["binary"], n_labels=2))
    assert model.shape(params) == (3, 2, 2, 2)
    assert model.n_labels == 2 and model.top_model.shape(params.top) == (4, 2)
    assert model.chain_width(params) == 2


@pytest.mark.parametrize(
    ("units", "groups"),
    [
        ((), [(Bernoulli(), 2)]),
        ((Spin(),), [(Bernoulli(), 2)]),
        ((Bernoulli(),), [(Bernoulli(), 2), (Bernoulli(), 1), (Bernoulli(), 1)]),
    ],
)
def test_a_top_that_does_not_see_the_layer_below_is_refused(units, groups):
    with pytest.raises(ValueError, match="top_model must have visible units of the last type"):
        BeliefNetwork(units, ColumnModel(groups, Bernoulli(), 3))


def test_bounds_hold_learned_variances_of_both_directions():
    model, params = spelled(random_stack(("gaussian", "gaussian", "binary"), (2, 3, 2)))
    bounds = model.bounds(params)
    assert {name for name, named in bounds.items() if named} == {"down0", "up0", "visible"}
    params.down[0].params.log_variance[:] -= 100
    assert model.project(params, bounds)
    np.testing.assert_array_equal(
        params.down[0].params.log_variance, bounds["down0"]["log_variance"][0]
    )
    params.up[0].params.log_variance[1] += 100
    assert not model.project(params, bounds)


def test_translation_shifts_the_law_of_the_data():
    oracle = random_stack(*STACKS["gaussian"])
    model, params = spelled(oracle)
    shift = np.array([0.7, -1.3])
    moved = oracle_of(model, model.translated(params, shift))
    v = data_for(oracle, 1)[0]
    expected = belief.log_likelihood(oracle, v)
    assert belief.log_likelihood(moved, v + shift) == pytest.approx(expected, abs=1e-12)
    assert belief.bound(moved, v + shift) == pytest.approx(belief.bound(oracle, v), abs=1e-12)


def test_translation_of_a_single_machine_leaves_labels():
    machine = ColumnModel([(Gaussian(), 2), (Gaussian(), 1)], Bernoulli(), 2)
    model, params = from_rbms([(machine, machine.unpack(np.arange(14.0) / 10))])
    moved = model.translated(params, np.array([1.0, 2.0]))
    expected = machine.translated(params.top, np.array([1.0, 2.0, 0.0]))
    for a, b in zip(leaves(moved), leaves(params._replace(top=expected)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_in_double_keeps_the_values(stack):
    model, params = spelled(stack, np.float32)
    wide = in_double(params)
    assert all(x.dtype == np.float64 for x in leaves(wide))
    np.testing.assert_array_equal(model.pack(wide), model.pack(params))


# Log-probabilities -------------------------------------------------------------------------------


def test_log_probabilities_of_all_layers_equal_their_definition(stack):
    model, params = spelled(stack)
    states, labels = states_of(stack)
    joint = model.log_joint(params, states, labels if stack.n_labels else None)
    recognition = model.log_recognition(params, states)
    for r in range(ROWS):
        row = [x[r] for x in states]
        assert joint[r] == pytest.approx(belief.log_joint(stack, row, labels[r]), abs=1e-10)
        assert recognition[r] == pytest.approx(belief.log_recognition(stack, row), abs=1e-10)


def test_labels_are_summed_out():
    stack = random_stack(*STACKS["binary"], n_labels=2, seed=4)
    model, params = spelled(stack)
    states, _ = states_of(stack)
    x = states[-1]
    table = model.label_table(params, x)
    weights, listed = table.log_weights, table.states
    assert sorted(map(tuple, listed)) == sorted(map(tuple, belief.label_states(stack)))
    for r in range(ROWS):
        logs = [belief.log_top(stack, np.concatenate([x[r], e])) for e in listed]
        np.testing.assert_allclose(weights[r], logs, rtol=0, atol=1e-10)
    total = model.log_top(params, x)
    np.testing.assert_allclose(total, np.logaddexp.reduce(weights, axis=1), rtol=0, atol=1e-12)
    means = [(np.exp(weights - total[:, np.newaxis]) @ listed), table.mean()]
    np.testing.assert_allclose(*means, rtol=0, atol=1e-12)


@pytest.mark.needs_jit
def test_labels_are_drawn_from_their_law():
    stack = random_stack(*STACKS["binary"], n_labels=2, seed=4)
    model, params = spelled(stack)
    x = np.tile([1.0, 0.0], (40_000, 1))
    table = model.label_table(params, x)
    drawn, listed = table.sample(KEY), table.states
    logs = np.array([belief.log_top(stack, np.concatenate([x[0], e])) for e in listed])
    p = np.exp(logs - belief.log_sum_exp(logs))
    counts = [(drawn == e).all(axis=1).sum() for e in listed]
    assert_same_distribution(counts, p)


@pytest.mark.parametrize("unit", [Gaussian(), Bernoulli()])
def test_labels_without_a_table_are_refused(unit):
    top = ColumnModel([(Bernoulli(), 2), (unit, 30)], Bernoulli(), 3)
    with pytest.raises(ValueError, match="cannot be summed out"):
        label_states(top)


# Passes ------------------------------------------------------------------------------------------


def mean_of(layer, inputs):
    """The mean of each unit of a layer, from its law."""
    if layer.kind == "gaussian":
        return layer.bias + inputs
    states = belief.STATES[layer.kind]
    return np.array(
        [
            sum(x * np.exp(belief.log_unit(layer.kind, b + f, None, x)) for x in states)
            for b, f in zip(layer.bias, inputs, strict=True)
        ]
    )


def test_means_up_and_down_equal_their_definition(stack):
    model, params = spelled(stack)
    rows = data_for(stack, 3)
    x, _ = model.split(rows)
    means = [*model.means_up(params, x)]
    data = [model.mean_down(params, m, k + 1) for k, m in enumerate(means)]
    for r in range(3):
        x_r = x[r]
        for k, arrow in enumerate(stack.up):
            x_r = mean_of(arrow.layer, x_r @ arrow.W)
            np.testing.assert_allclose(means[k][r], x_r, rtol=0, atol=1e-12)
        beside = [np.concatenate([x_r, y]) for y in belief.label_states(stack)]
        shares = np.exp([belief.log_top(stack, y) for y in beside])
        given = [mean_of(stack.hidden, belief.shown(stack.visible, y) @ stack.W) for y in beside]
        top = shares @ np.array(given) / shares.sum()
        np.testing.assert_allclose(means[-1][r], top, rtol=0, atol=1e-12)
        for layer, mean in enumerate(data, start=1):
            back, lower = means[layer - 1][r], layer
            if layer == len(means):
                back = mean_of(stack.visible, stack.W @ belief.shown(stack.hidden, back))
                back, lower = back[: len(back) - stack.n_labels], layer - 1
            for k in reversed(range(lower)):
                back = mean_of(stack.down[k].layer, stack.down[k].W @ back)
            np.testing.assert_allclose(mean[r], back, rtol=0, atol=1e-12)


def test_steps_up_are_recognition(stack):
    model, params = spelled(stack)
    x = data_for(stack, 3, with_labels=False)
    steps = model.steps(params)
    assert len(steps) == model.n_directed + 1
    for k, ((machine, own), mean) in enumerate(zip(steps, model.means_up(params, x), strict=False)):
        if k < model.n_directed:
            np.testing.assert_allclose(machine.hidden_mean(own, x), mean, rtol=1e-14)
            W, c = machine.recognition(own)
            np.testing.assert_array_equal(W, params.up[k].W)
            np.testing.assert_array_equal(c, params.up[k].params.bias)
        x = mean
    assert steps[-1] == (model.top_model, params.top)


@pytest.mark.needs_jit
def test_recognition_draws_from_its_law():
    stack = random_stack(*STACKS["binary"], seed=3)
    model, params = spelled(stack)
    v = np.array([1.0, 0.0, 1.0])
    h = np.hstack(model.sample_up(params, np.tile(v, (40_000, 1)), KEY))
    explanations = belief.explanations(stack)
    p = [np.exp(belief.log_recognition(stack, [v, *x])) for x in explanations]
    counts = [(h == np.concatenate(x)).all(axis=1).sum() for x in explanations]
    assert_same_distribution(counts, p)


@pytest.mark.needs_jit
@pytest.mark.parametrize("from_the_top", [False, True])
def test_the_way_down_draws_from_its_law(from_the_top):
    stack = random_stack(*STACKS["binary"], n_labels=1, seed=3)
    model, params = spelled(stack)
    start, layer = np.array([1.0, 0.0]), 3 if from_the_top else 2
    states = model.sample_down(params, np.tile(start, (40_000, 1)), KEY, layer=layer)
    drawn = np.hstack(states)
    cells, p = [], []
    for (v, *h), labels in belief.complete_states(stack):
        row = [v, *h]
        log_p = sum(belief.log_down(stack, k, row[k], row[k + 1]) for k in range(2))
        if from_the_top:
            x = np.concatenate([h[-1], labels])
            log_p += belief.log_layer(stack.visible, stack.W @ start, x)
            cells.append(np.concatenate(row))
            p.append(np.exp(log_p))
        elif (h[-1] == start).all() and not labels.any():
            cells.append(np.concatenate(row[:-1]))
            p.append(np.exp(log_p))
    cells, which = np.unique(cells, axis=0, return_inverse=True)  # labels are not seen
    p = np.bincount(which.ravel(), p)
    counts = [(drawn == cell).all(axis=1).sum() for cell in cells]
    assert_same_distribution(counts, p)


def test_the_way_down_can_end_in_means(stack):
    model, params = spelled(stack)
    last = states_of(stack)[0][-1]
    draws = model.sample_down(params, last, KEY)
    means = model.sample_down(params, last, KEY, mean=True)
    if not stack.down:
        assert not draws and not means
        return
    above = [*draws, last][1]
    np.testing.assert_array_equal(means[0], model.down_mean(params, 0, above))
    for a, b in zip(means[1:], draws[1:], strict=True):
        np.testing.assert_array_equal(a, b)


def test_draws_of_a_row_do_not_depend_on_its_chunk(stack):
    model, params = spelled(stack)
    states, _ = states_of(stack, 8)
    for draw in (model.sample_up, model.sample_down):
        x = states[0] if draw == model.sample_up else states[-1]
        whole, part = draw(params, x, KEY), draw(params, x[5:], KEY, first_row=5)
        for a, b in zip(whole, part, strict=True):
            np.testing.assert_array_equal(a[5:], b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_goes_through(stack, dtype):
    model, params = spelled(stack, dtype)
    states, labels = states_of(stack)
    states, labels = [x.astype(dtype) for x in states], labels.astype(dtype)
    x = [*model.means_up(params, states[0])]
    x += model.sample_up(params, states[0], KEY) + model.sample_down(params, states[-1], KEY)
    x += [model.mean_down(params, x[0], 1), model.visible_at_rest(params)]
    assert all(a.dtype == dtype for a in x)
    assert model.log_joint(params, states, labels if stack.n_labels else None).dtype == np.float64


# From machines -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", [("gaussian", "bernoulli"), ("gaussian", "gaussian")])
def test_tied_laws_are_those_of_the_machine(pair):
    """With Gaussian layers too, whose weights multiply x / sigma^2 in one spelling and x in the other."""
    lower = oracle_model(*pair, (3, 2), seed=5)
    machine, own = library_model(lower), library_params(lower)
    upper = Bipartite(machine.hidden, Spin())
    top = upper.unpack(np.arange(1.0, 20)[: 6 + 3 + 2 * len(machine.hidden.fields)] / 9, 2, 3)
    model, params = from_rbms([(machine, own), (upper, top)])
    v = rows_for(lower, 4)
    np.testing.assert_allclose(model.up_mean(params, 0, v), machine.hidden_mean(own, v))
    h = machine.sample_hidden(own, v, KEY)
    np.testing.assert_allclose(model.down_mean(params, 0, h), machine.visible_mean(own, h))
    drawn = model.sample_down(params, h, KEY)[0]
    np.testing.assert_allclose(drawn, machine.sample_visible(own, h, fold(KEY, 0)))
    for a, b in zip(leaves(params), leaves(params._replace(top=top)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(x.flags.c_contiguous for x in leaves(params))


def test_machines_that_do_not_fit_are_refused():
    machine = Bipartite(Bernoulli(), Bernoulli())
    lower, upper = machine.unpack(np.zeros(11), 3, 2), machine.unpack(np.zeros(11), 3, 2)
    with pytest.raises(ValueError, match=r"2 hidden units .* 3 visible units"):
        from_rbms([(machine, lower), (machine, upper)])
    joint = ColumnModel([(Bernoulli(), 2), (Bernoulli(), 1)], Bernoulli(), 2)
    model, params = from_rbms([(machine, lower), (joint, joint.unpack(np.zeros(11)))])
    assert model.shape(params) == (3, 2, 2)
    spins = Bipartite(Spin(), Bernoulli())
    with pytest.raises(ValueError, match="Spin"):
        from_rbms([(machine, lower), (spins, spins.unpack(np.zeros(8), 2, 2))])
    with pytest.raises(ValueError, match="at least one"):
        from_rbms([])
