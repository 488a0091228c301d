"""ebm.energies.labels: labels beside other columns, of a machine alone and on top of a belief network."""

from __future__ import annotations

import numpy as np
import pytest

from ebm import training
from ebm._batches import Rows
from ebm._random import Key, fold
from ebm.energies.belief_network import from_rbms
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.energies.labels import LabelTable, label_states
from ebm.gradients import Batch, ChainState, ContrastiveDivergence, Exact
from ebm.gradients.wake_sleep import UpDown
from ebm.likelihood import log_partition
from ebm.likelihood.bounds import exact_log_likelihood
from ebm.optimizers import Constant, optimizer_record
from ebm.units import Bernoulli, Categorical
from tests import models
from tests.models import oracle_model
from tests.oracles import one_hot, rbm, rbm_gradients
from tests.statistics import assert_same_distribution

KEY = Key(21, 22)
MODEL = oracle_model(shape=(6, 3))
SIZES = [(3,), (3, 2)]


def joint(sizes, oracle=MODEL, dtype=np.float64):
    """The oracle's machine: bits, and labels of these sizes, on hidden bits."""
    n_bits, n_hidden = len(oracle.b) - sum(sizes), len(oracle.c)
    groups = [(Bernoulli(), n_bits), (Categorical(sizes), sum(sizes))]
    model = ColumnModel(groups, Bernoulli(), n_hidden)
    theta = np.concatenate([oracle.W.ravel(), oracle.b, oracle.c]).astype(dtype)
    return model, model.unpack(theta, *oracle.W.shape)


def posterior(sizes, oracle=MODEL):
    """The table p(v, h), and of it p(h, y | x): (states x, states y, states h)."""
    x, y = rbm.all_states(len(oracle.b) - sum(sizes)), label_states(joint(sizes)[0])
    table = one_hot.joint_probabilities(oracle, sizes)
    states = [[np.r_[bits, label] for label in y] for bits in x]
    return np.array([[table[rbm.state_index(v)] for v in some] for some in states])


@pytest.mark.parametrize("sizes", SIZES)
def test_states_are_those_of_the_groups(sizes):
    states = label_states(joint(sizes)[0])
    expected = one_hot.possible_states(sum(sizes), sizes)
    assert {tuple(x) for x in states} == {tuple(x) for x in expected}
    assert len(states) == len(expected) == np.prod(sizes)


def test_a_label_is_the_indicator_of_its_class():
    np.testing.assert_array_equal(label_states(joint((3,))[0]), np.eye(3))


@pytest.mark.parametrize("sizes", SIZES)
def test_probabilities_are_the_enumerated_posterior(sizes):
    table = posterior(sizes).sum(axis=2)
    found = LabelTable(*joint(sizes), rbm.all_states(6 - sum(sizes)))
    expected = table / table.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(found.log_p), expected, rtol=1e-12)
    np.testing.assert_allclose(found.mean(), expected @ found.states, rtol=1e-12)
    log_z = one_hot.log_partition(MODEL, sizes)
    np.testing.assert_allclose(found.log_weights - log_z, np.log(table), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.log_sums - log_z, np.log(table.sum(axis=1)), atol=1e-12)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hidden_means_are_averaged_over_the_labels(sizes, dtype):
    table = posterior(sizes).sum(axis=1)
    expected = (table / table.sum(axis=1, keepdims=True)) @ rbm.all_states(3)
    x = rbm.all_states(6 - sum(sizes)).astype(dtype)
    found = LabelTable(*joint(sizes, dtype=dtype), x).hidden_mean()
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-12 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize("beta", [0.3, 2.5])
def test_temperatures_divide_all_energies(beta):
    sizes = SIZES[1]
    x = rbm.all_states(1)
    found = LabelTable(*joint(sizes), x, beta)
    for row, logs in zip(x, found.log_weights, strict=True):
        expected = [rbm.log_weight_visible(MODEL, np.r_[row, y], beta) for y in found.states]
        np.testing.assert_allclose(logs, expected, rtol=0, atol=1e-12)


@pytest.mark.needs_jit
@pytest.mark.parametrize("sizes", SIZES)
def test_draws_have_the_law_of_the_table(sizes):
    x = np.tile(rbm.all_states(6 - sum(sizes))[1:2], (40_000, 1))
    table = LabelTable(*joint(sizes), x)
    drawn = table.sample(KEY)
    counts = [(drawn == y).all(axis=1).sum() for y in table.states]
    assert_same_distribution(counts, np.exp(table.log_p[0]))


# Learning ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", SIZES)
def test_the_gradient_is_the_slope_of_the_joint_log_likelihood(sizes):
    X = one_hot.possible_states(6, sizes)[::3]
    slope = rbm_gradients.finite_differences(
        lambda nudged: one_hot.mean_log_likelihood(nudged, sizes, X), MODEL
    )
    expected = np.concatenate([slope.W.ravel(), slope.b, slope.c])
    model, params = joint(sizes)
    for spelled in (model, model.fused):
        own = model.respelled(params, spelled)
        gradient = spelled.unpack(0 * model.pack(params), 6, 3)
        chains = ChainState(np.zeros((0, 3)), np.zeros(6), np.zeros(3))
        bound = Exact(centered=False).bind(spelled, gradient, len(X), 0)
        found, _, info = bound(own, Batch(X.copy(), None), chains, KEY)
        assert info.finite
        np.testing.assert_allclose(spelled.pack(found), expected, rtol=0, atol=1e-9)


@pytest.mark.needs_jit
def test_exact_learning_finds_a_law_of_labels():
    """The label is the exclusive or of two bits: pairs of units are independent, triples are not."""
    bits = np.array([[a, b, a == b, a != b] for a in (0, 1) for b in (0, 1)], float)
    model = ColumnModel([(Bernoulli(), 2), (Categorical((2,)), 2)], Bernoulli(), 4)
    choices = {"learning_rate": 0.1, "weight_decay": 0.0, "batch_size": 8, "seed": 3}
    way = training.Plan(Exact(), optimizer_record("nesterov"), Constant(), **choices)
    state = training.start(model, Rows(bits), 4, way)
    training.train(state, Rows(bits), way, 3000)
    log_z = log_partition(model, state.params).value
    log_p = -model.free_energy(state.params, bits) - log_z
    assert log_p.mean() > -np.log(4) - 0.02
    logs = LabelTable(model, state.params, bits[:, :2]).log_weights
    assert (logs.argmax(axis=1) == bits[:, 3]).all()


# On top of a deep belief network --------------------------------------------------------------


def network(seed=8):
    """Four bits, three bits beside a label of three classes, three hidden units."""
    lower = oracle_model(shape=(4, 3), seed=seed)
    below = Bipartite(Bernoulli(), Bernoulli())
    return lower, *from_rbms([(below, models.library_params(lower)), joint((3,))])


def test_labels_are_summed_out_of_a_deep_belief_network():
    lower, model, params = network()
    v, log_z = rbm.all_states(4), one_hot.log_partition(MODEL, (3,))
    table = one_hot.visible_probabilities(MODEL, (3,)).reshape(8, 8)
    down = np.array([rbm.visible_given_hidden(lower, x) for x in rbm.all_states(3)])
    found = exact_log_likelihood(model, params, v, log_z)
    np.testing.assert_allclose(found, np.log(table.sum(axis=1) @ down), rtol=1e-10)
    label = np.array([0.0, 1.0, 0.0])
    rows = np.hstack([v, np.tile(label, (16, 1))])
    beside = table[:, rbm.state_index(label)]
    found = exact_log_likelihood(model, params, rows, log_z)
    np.testing.assert_allclose(found, np.log(beside @ down), rtol=1e-10)


@pytest.mark.parametrize("choice", [UpDown(centered=False), UpDown(n_steps=2, centered=False)])
def test_up_down_of_a_joint_machine_alone_is_contrastive_divergence(choice):
    machine, own = joint((3,))
    model, alone = from_rbms([(machine, own)])
    X = one_hot.possible_states(6, (3,))[::4]
    chains = ChainState(np.zeros((0, 3)), np.zeros(6), np.zeros(3))
    gradient = model.unpack(0 * model.pack(alone), *model.shape(alone))
    found, _, info = choice.bind(model, gradient, len(X), 0)(alone, Batch(X), chains, KEY)
    fused = machine.fused
    other = fused.unpack(0 * machine.pack(own), 6, 3)
    contrast = ContrastiveDivergence(choice.n_steps, centered=False).bind(fused, other, len(X), 0)
    contrast(machine.respelled(own, fused), Batch(X), chains, fold(KEY, 0))
    assert info.finite and np.abs(fused.pack(other)).min() > 0
    np.testing.assert_array_equal(model.pack(found), fused.pack(other))
