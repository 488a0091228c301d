"""Hidden layers that grow: nothing is forgotten, what is new can learn, what does not help is undone."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from ebm import training
from ebm._batches import Rows
from ebm._random import Key, fold
from ebm.gradients.back_propagation import BackPropagation
from ebm.gradients.base import no_chains
from ebm.monitors import Plateau
from ebm.networks.activations import Logistic, PReLU, ReLU, Tanh
from ebm.networks.batch_norm import BatchNorm
from ebm.networks.dense import Dense
from ebm.networks.dropout import Dropout
from ebm.networks.growth import (
    Growth,
    Outcome,
    grow_while_it_helps,
    grown,
    growth_record,
    hidden_sizes,
    padded,
)
from ebm.networks.losses import BinaryCrossEntropy, SquaredError
from ebm.networks.maxout import Maxout
from ebm.networks.network import Network
from ebm.networks.pruning import masks, pruned
from ebm.optimizers import Adam, Constant
from ebm.training import Plan

KEY = Key(3, 4)
NETWORKS = [
    (Dense(4), Tanh(), Dense(3), Logistic(), Dense(2)),
    (Dropout(0.2), Dense(4), BatchNorm(), PReLU(), Dropout(0.5), Dense(3), ReLU(), Dense(2)),
    (Dense(8), BatchNorm(), Maxout(2), Dense(9), Maxout(3), Dropout(0.3), Dense(2)),
]
MORE = [(2, 3), (2, 0), (0, 3)]
networks = pytest.mark.parametrize("layers", NETWORKS, ids=lambda layers: type(layers[1]).__name__)
additions = pytest.mark.parametrize("more", MORE, ids=str)


def data(n_rows=20, n_in=5):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n_rows, n_in)), rng.normal(size=(n_rows, 2))


def some(layers, dtype=np.float64):
    """A network, and parameters of which none is where training begins."""
    network = Network(5, layers, SquaredError())
    rng = np.random.default_rng(1)
    theta = network.pack(network.drawn(KEY, np.float64)) + rng.uniform(
        0.1, 0.2, network.n_parameters
    )
    return network, network.unpack(theta.astype(dtype))


@networks
@additions
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_network_computes_what_it_did(layers, more, dtype):
    network, params = some(layers, dtype)
    X, t = data()
    X, t = X.astype(dtype), t.astype(dtype)
    wider, own = grown(network, params, more, KEY)
    assert hidden_sizes(wider) == tuple(np.add(hidden_sizes(network), more))
    assert wider.pack(own).dtype == dtype
    precision = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(
        wider.linear(own, X), network.linear(params, X), rtol=precision, atol=precision
    )


@networks
@additions
def test_old_parameters_keep_their_bits_and_share_no_memory(layers, more):
    network, params = some(layers)
    before = network.pack(params)
    _, own = grown(network, params, more, KEY)
    for new, old in zip(own, params, strict=True):
        for a, b in zip(new, old, strict=True):
            corner = a[tuple(map(slice, b.shape))]
            np.testing.assert_array_equal(corner, b)
            assert not np.shares_memory(a, b)
    np.testing.assert_array_equal(network.pack(params), before)


@networks
def test_new_units_start_as_their_layers_do(layers):
    network, params = some(layers)
    wider, own = grown(network, params, (2, 3), KEY)
    fresh = wider.drawn(KEY, np.float64)
    dense = [k for k, layer in enumerate(layers) if isinstance(layer, Dense)]
    for k, (new, old) in enumerate(zip(own, params, strict=True)):
        for name, a, b in zip(new._fields, new, old, strict=True):
            if a.ndim == 1:
                np.testing.assert_array_equal(a[len(b) :], getattr(fresh[k], name)[len(b) :])
    first, second, last = (own[k].W for k in dense)
    (n_in, n_out), (n_second, _) = params[dense[1]].W.shape, params[dense[2]].W.shape
    assert (first[:, params[dense[0]].W.shape[1] :] != 0).all()
    assert (second[:, n_out:] != 0).all()
    assert not second[n_in:, :n_out].any()
    assert not last[n_second:].any()


def gradient_of(network, params, key=None):
    X, t = data()
    flat = np.zeros(network.n_parameters)
    assert network.back_propagate(params, X, t, network.unpack(flat), key=key).where == ""
    return network.unpack(flat)


@networks
def test_the_derivatives_by_old_parameters_are_what_they_were(layers):
    network, params = some(layers)
    wider, own = grown(network, params, (2, 3), KEY)
    pairs = zip(gradient_of(wider, own), gradient_of(network, params), strict=True)
    for new, old in pairs:
        for a, b in zip(new, old, strict=True):
            corner = a[tuple(map(slice, b.shape))]
            np.testing.assert_allclose(corner, b, rtol=1e-11, atol=1e-13)


@networks
def test_new_units_learn(layers):
    # The first step moves the weights out of them; the second, those into them.
    network, params = some(
        tuple(replace(x, rate=0.0) if isinstance(x, Dropout) else x for x in layers)
    )
    wider, own = grown(network, params, (2, 3), KEY)
    dense = [k for k, layer in enumerate(layers) if isinstance(layer, Dense)]
    old = [params[k].W.shape for k in dense]
    first = gradient_of(wider, own)
    assert np.abs(first[dense[2]].W[old[2][0] :]).sum(axis=1).all()
    assert np.abs(first[dense[1]].W[old[1][0] :, : old[1][1]]).sum(axis=1).all()
    assert not first[dense[0]].W[:, old[0][1] :].any()
    for layer, theta, g in zip(wider.layers, own, first, strict=True):
        for name, x, slope in zip(theta._fields, theta, g, strict=True):
            if name in layer.weights or x.ndim == 1:
                x += 0.05 * slope
    second = gradient_of(wider, own)
    assert np.abs(second[dense[0]].W[:, old[0][1] :]).sum() > 0
    assert np.abs(second[dense[1]].W[:, old[1][1] :]).sum() > 0


@networks
def test_what_an_optimiser_remembers_is_padded(layers):
    network, params = some(layers)
    wider, _ = grown(network, params, (2, 3), KEY)
    rng = np.random.default_rng(2)
    vector = rng.normal(size=network.n_parameters)
    found = wider.unpack(padded(network, wider, vector))
    for new, old in zip(found, network.unpack(vector), strict=True):
        for a, b in zip(new, old, strict=True):
            corner = tuple(map(slice, b.shape))
            np.testing.assert_array_equal(a[corner], b)
            a[corner] = 0
            assert not a.any()
    clock = np.array([7.0, 0.5])
    copied = padded(network, wider, clock)
    np.testing.assert_array_equal(copied, clock)
    assert not np.shares_memory(copied, clock)


def test_masks_grow_too():
    network, params = some(NETWORKS[0])
    rng = np.random.default_rng(5)
    saliency = [rng.uniform(size=w.shape) for w in network.weights(params)]
    network, params = pruned(network, params, saliency, 0.5)
    wider, own = grown(network, params, (2, 3), KEY)
    X, _ = data()
    np.testing.assert_allclose(wider.linear(own, X), network.linear(params, X), rtol=1e-13)
    for a, b in zip(masks(wider, own), masks(network, params), strict=True):
        corner = tuple(map(slice, b.shape))
        np.testing.assert_array_equal(a[corner], b)
        a = a.copy()
        a[corner] = True
        assert a.all()


def test_keys_make_units_differ():
    network, params = some(NETWORKS[0])
    one, same, other = (grown(network, params, (2, 3), fold(KEY, k))[1][0].W for k in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one[:, 4:] != other[:, 4:]).all()


# How many ------------------------------------------------------------------------------------------------


def test_additions_stay_within_bounds():
    network, _ = some(NETWORKS[0])
    assert Growth(5).additions(network) == (5, 5)
    assert Growth(5, max_units=6).additions(network) == (2, 3)
    assert Growth(5, max_units=3).additions(network) == (0, 0)
    assert Growth(5, layer=-1).additions(network) == (0, 5)
    assert Growth(5, layer=0).additions(network) == (5, 0)
    maxout, _ = some(NETWORKS[2])
    assert hidden_sizes(maxout) == (4, 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_new": 0}, "n_new must be an integer"),
        ({"max_units": 1.5}, "max_units must be an integer"),
        ({"layer": "last"}, "layer must be an integer"),
        ({"tol": -1}, "tol must be a number"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        Growth(**settings)


def test_only_hidden_layers_grow():
    network, _ = some(NETWORKS[0])
    for layer in (2, -3):
        with pytest.raises(ValueError, match="of which there are 2"):
            Growth(layer=layer).additions(network)
    with pytest.raises(ValueError, match="of which there are 0"):
        Growth().additions(Network(2, (Dense(1),), SquaredError()))


def test_records_of_growth():
    assert growth_record(None) == Growth()
    assert growth_record(Growth(3)) == Growth(3)
    with pytest.raises(ValueError, match="growth must be a Growth"):
        growth_record("fast")


# Stages --------------------------------------------------------------------------------------------------


def stages(values, stalled=True, messages=None):
    """Stages are lists of what was done to them; the k-th training comes to the k-th value."""
    results, seen = iter(values), []

    def learn(stage):
        stage.append("learned")
        k = len(seen)
        seen.append(stage)
        return Outcome(next(results), stalled, (messages or {}).get(k, ""))

    def widen(stage):
        return [*stage, "wider"] if len(seen) < 6 else None

    return learn, widen, seen


def test_growth_goes_on_while_it_helps_and_undoes_the_rest():
    learn, widen, seen = stages([3.0, 2.0, 1.0, 0.95])
    kept, message = grow_while_it_helps([], widen, learn, 0.1)
    assert kept is seen[2] and message == ""
    assert kept == ["learned", "wider", "learned", "wider", "learned"]


@pytest.mark.parametrize("bad", [2.5, np.nan, np.inf])
def test_what_grew_worse_is_undone(bad):
    learn, widen, seen = stages([2.0, bad])
    kept, _ = grow_while_it_helps([], widen, learn, 0.0)
    assert kept is seen[0] and kept == ["learned"]


def test_nothing_grows_that_has_not_stalled():
    learn, widen, seen = stages([3.0, 2.0], stalled=False)
    assert grow_while_it_helps([], widen, learn, 0.0) == (["learned"], "")
    assert len(seen) == 1


def test_growth_ends_at_the_largest_size():
    learn, widen, seen = stages([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    kept, _ = grow_while_it_helps([], widen, learn, 0.0)
    assert kept is seen[5]


def test_messages_end_it():
    learn, widen, seen = stages([3.0, 2.0, 1.0], messages={1: "interrupted"})
    kept, message = grow_while_it_helps([], widen, learn, 0.0)
    assert kept is seen[1] and message == "interrupted"
    learn, widen, seen = stages([3.0, 4.0, 1.0], messages={1: "diverged"})
    kept, message = grow_while_it_helps([], widen, learn, 0.0)
    assert kept is seen[0] and message == "the last growth was undone, after this: diverged"


# With the training loop -----------------------------------------------------------------------------------


def rings(n_rows=300):
    """Two rings, one within the other: a circle around the inner one takes three lines at least."""
    rng = np.random.default_rng(3)
    angle, inner = rng.uniform(0, 2 * np.pi, n_rows), np.arange(n_rows) % 2
    radius = np.where(inner, 1.0, 2.0) + 0.1 * rng.normal(size=n_rows)
    X = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return X, inner[:, None].astype(float)


@pytest.mark.needs_jit
def test_a_network_of_two_units_grows_to_what_the_task_takes():
    X, t = rings()
    network = Network(2, (Dense(2), Tanh(), Dense(1)), BinaryCrossEntropy())
    plan = Plan(BackPropagation(), Adam(), Constant(), 0.02, 0.0, 50, 0)
    rows, growth = Rows(X, None, t), Growth(n_new=2, max_units=8, tol=0.02)
    plateau = Plateau("loss", tol=1e-3, patience=8)

    def learn(state):
        message = training.train(state, rows, plan, 400, [plateau])
        return Outcome(plateau.best(state.saved), plateau.stuck(state.saved), message)

    def widen(state):
        more = growth.additions(state.model)
        if not any(more):
            return None
        wider, params = grown(state.model, state.params, more, fold(KEY, state.n_steps))
        memory = tuple(padded(state.model, wider, x) for x in state.memory)
        return training.continued(state, wider, params, memory)

    begun = training.begin(network, network.drawn(KEY, np.float64), plan, no_chains(X.dtype))
    small = copy.deepcopy(begun)
    assert learn(small).stalled
    state, message = grow_while_it_helps(begun, widen, learn, growth.tol)
    assert message == ""
    accuracies = [
        ((s.model.predict(s.params, X) > 0.5) == (t > 0.5)).mean() for s in (small, state)
    ]
    assert accuracies[0] < 0.9
    assert accuracies[1] > 0.98
    assert 4 <= hidden_sizes(state.model)[0] <= 8
    assert len(state.history["loss"]) > len(small.history["loss"])
    assert state.history["loss"][: len(small.history["loss"])] == small.history["loss"]


def test_a_state_goes_on_in_a_wider_network_and_stays_itself():
    X, t = data()
    network, params = some(NETWORKS[1])
    plan = Plan(BackPropagation(), Adam(), Constant(), 0.01, 0.0, 5, 0)
    rows = Rows(X, None, t)
    state = training.begin(network, params, plan, no_chains(X.dtype))
    assert training.train(state, rows, plan, 2) == ""
    before = copy.deepcopy(state)
    wider, own = grown(network, state.params, (1, 1), KEY)
    memory = tuple(padded(network, wider, x) for x in state.memory)
    larger = training.continued(state, wider, own, memory)
    assert (larger.n_steps, larger.saved) == (state.n_steps, {})
    assert training.train(larger, rows, plan, 2) == ""
    assert len(larger.history["loss"]) == 4 and larger.n_steps == 2 * state.n_steps
    np.testing.assert_array_equal(state.theta, before.theta)
    assert state.history == before.history and state.n_steps == before.n_steps
    for a, b in zip(state.memory, before.memory, strict=True):
        np.testing.assert_array_equal(a, b)
