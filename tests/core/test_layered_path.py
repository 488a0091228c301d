"""ebm.energies.layered_path: annealing and tempering of layered models, against exact sums."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key
from ebm.energies.layer_graph import EVEN
from ebm.energies.layer_sums import layered_log_z
from ebm.energies.layers import LayeredParameters
from ebm.energies.path import base_of, path_to
from ebm.samplers.annealing import anneal, anneal_back
from ebm.samplers.tempering import replicas, temper
from tests.models.layers import DISCRETE, GRAPHS, both, rows_of
from tests.oracles import layers as oracles
from tests.statistics import assert_same_distribution, assert_same_mean

KEY = Key(5, 6)


@pytest.fixture(params=GRAPHS)
def case(request):
    oracle, model, params = both(request.param)
    v = rows_of(oracle, 20)
    # Real units that are wider than in the model: weights of a narrow base would have no variance.
    return model, params, base_of(model, params, v.mean(axis=0), 4 + v.var(axis=0), 20)


def test_log_z_at_the_start_is_that_of_the_base(case):
    model, params, base = case
    alone = LayeredParameters(tuple(0 * W for W in params.weights), base)
    expected = layered_log_z(model, alone)
    assert path_to(model, params, base).log_z == pytest.approx(expected, rel=0, abs=1e-9)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_the_gain_is_the_fall_of_the_free_energy(case, t):
    model, params, base = case
    path = path_to(model, params, base)
    x = path.start(8, KEY)
    inputs, first, last = path.inputs(x), path.stage(t), path.stage(1.0)

    def energy(own):
        return model.color_free_energy(own, EVEN, x)

    none = LayeredParameters(tuple(0 * W for W in params.weights), base)
    if t in (0.0, 1.0):  # both ends are models of their own
        start = energy(none if t == 0 else params)
        expected = start - energy(params)
        np.testing.assert_allclose(path.gain(x, inputs, first, last), expected, atol=1e-9)
    there = path.gain(x, inputs, path.stage(0.0), first) + path.gain(x, inputs, first, last)
    whole = path.gain(x, inputs, path.stage(0.0), last)
    np.testing.assert_allclose(there, whole, rtol=0, atol=1e-9)
    np.testing.assert_allclose(path.energy(x, inputs), energy(params), rtol=0, atol=1e-9)


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 4])
def test_weights_of_annealing_are_unbiased(case, n_steps):
    model, params, base = case
    path = path_to(model, params, base)
    t = np.linspace(0, 1, n_steps + 1)
    log_w = anneal(path, t, 20_000, KEY).log_weights + path.log_z - layered_log_z(model, params)
    assert_same_mean(np.exp(log_w), 1.0)
    assert np.exp(log_w).std() < 10  # so that the mean says something


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", DISCRETE)
def test_weights_of_annealing_back_are_unbiased(name):
    oracle, model, params = both(name)
    joint, p = oracles.joint_law(oracle)
    ends = np.cumsum([0, *(layer.size for layer in model.layers)])
    even = np.concatenate([np.arange(ends[k], ends[k + 1]) for k in model.members[EVEN]])
    x = joint[np.random.default_rng(0).choice(len(p), 20_000, p=p)][:, even]
    path = path_to(model, params)
    log_w = anneal_back(path, np.linspace(0, 1, 4), x, KEY).log_weights
    assert_same_mean(np.exp(layered_log_z(model, params) - path.log_z - log_w), 1.0)


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", DISCRETE)
def test_replicas_follow_the_model_at_one(name):
    oracle, model, params = both(name)
    joint, p = oracles.joint_law(oracle)
    path = path_to(model, params)
    ends = np.cumsum([0, *(layer.size for layer in model.layers)])
    even = np.concatenate([np.arange(ends[k], ends[k + 1]) for k in model.members[EVEN]])
    states, number = np.unique(joint[:, even], axis=0, return_inverse=True)
    law = np.bincount(number.ravel(), weights=p)
    state = replicas(path, 3, 10_000, KEY)
    state.x[:10_000] = states[np.random.default_rng(0).choice(len(law), 10_000, p=law)]
    x = temper(path, state, KEY, 2).x[:10_000]
    found, counts = np.unique(np.vstack([states, x]), axis=0, return_counts=True)
    np.testing.assert_array_equal(found, states)
    assert_same_distribution(counts - 1, law)


def test_shares_of_rows_move_at_their_stages(case):
    model, params, base = case
    path = path_to(model, params, base)
    x = path.start(8, KEY)
    stages = [path.stage(0.2), path.stage(0.9)]
    both_stages = path.move(x, path.inputs(x), stages, KEY)
    for k, stage in enumerate(stages):
        rows = slice(4 * k, 4 * k + 4)
        alone = path.move(x[rows], path.inputs(x[rows]), [stage], KEY, first_row=4 * k)
        np.testing.assert_allclose(alone, both_stages[rows], rtol=0, atol=1e-12)
