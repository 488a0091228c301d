"""ebm.samplers.layered_gibbs: the chain of two layers, the transition row, the stationary joint law, clamping."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key
from ebm.energies.base import DataSummary
from ebm.energies.layer_graph import Layer
from ebm.energies.layers import LayeredModel
from ebm.samplers import block_gibbs, conditional_mean
from ebm.samplers.base import half_means, run_chain
from ebm.samplers.layered_gibbs import layered_gibbs
from ebm.units import Bernoulli
from tests.checks.layers import (
    N_CHAINS,
    assert_leaves_the_joint_law,
    assert_transition_row,
    counts_of,
)
from tests.models.layers import (
    DISCRETE,
    GRAPHS,
    PAIRS,
    both,
    colors_of,
    rows_of,
    two_layers,
)
from tests.oracles import layers as oracles
from tests.statistics import assert_same_distribution, assert_same_mean

KEY = Key(3, 4)


def one_step(model, params, even, key):
    return layered_gibbs(model, params, even, key, 1)


def two_steps(model, params, even, key):
    return layered_gibbs(model, params, even, key, 2)


@pytest.mark.parametrize("beta", [0.5, 1.0])
@pytest.mark.parametrize("pair", PAIRS, ids=repr)
def test_two_layers_walk_as_the_fused_model_does(pair, beta):
    fused, params, layered, same = two_layers(*pair)
    start = fused.visible.sample(params.visible, np.zeros((6, 4)), KEY)
    given = np.tile([start[0, 0], np.nan, np.nan, np.nan], (6, 1))
    for held in (None, given):
        expected = block_gibbs(fused, params, start, KEY, 3, beta=beta, given=held)
        clamped = None if held is None else {0: held}
        found = layered_gibbs(layered, same, start, KEY, 3, beta=beta, given=clamped)
        np.testing.assert_allclose(found.even, expected.v, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.odd, expected.h, rtol=0, atol=1e-12)
        means = [
            half_means(m, p, start, KEY, 4, given, beta=beta)
            for m, p in ((fused, params), (layered, same))
        ]
        np.testing.assert_allclose(means[1], means[0], rtol=0, atol=1e-12)


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", DISCRETE)
def test_a_step_has_the_enumerated_transition_row(name):
    assert_transition_row(one_step, name)


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", DISCRETE)
def test_a_step_leaves_the_joint_law(name):
    assert_leaves_the_joint_law(two_steps, name)


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", ["chain", "labels"])
def test_clamped_units_and_layers_leave_the_conditional_law_of_the_others(name):
    oracle, model, params = both(name)
    joint, p = oracles.joint_law(oracle)
    values = joint[np.argmax(p)]
    held = np.full(len(values), np.nan)
    held[[0, -1]] = values[[0, -1]]  # a unit of the first and of the last layer
    kept = ((joint == values) | np.isnan(held)).all(axis=1)
    p = np.where(kept, p, 0) / p[kept].sum()
    ends = np.cumsum([0, *(layer.size for layer in model.layers)])
    given = {
        k: np.tile(held[ends[k] : ends[k + 1]], (N_CHAINS, 1)) for k in range(len(model.layers))
    }
    rng = np.random.default_rng(0)
    even, _ = colors_of(model, joint[rng.choice(len(p), N_CHAINS, p=p)])
    found = layered_gibbs(model, params, even, KEY, 2, given=given)
    assert_same_distribution(counts_of(model, joint, *found), p)


@pytest.mark.parametrize("name", GRAPHS)
def test_walks_of_chain_states_hold_rows_of_data_and_hidden_even_layers(name):
    oracle, model, params = both(name)
    v = rows_of(oracle, 6)
    x = np.hstack([v, np.zeros((6, sum(model.chain.sizes) - v.shape[1]))])
    found = run_chain(model, params, x, KEY, 3)
    assert found.shape == x.shape
    assert not model.chain.impossible(found)
    given = np.full(x.shape, np.nan)
    given[:, : v.shape[1]] = v
    trace = np.empty((6, 3))
    clamped = run_chain(model, params, x, KEY, 3, given=given, trace=trace)
    np.testing.assert_array_equal(clamped[:, : v.shape[1]], v)
    assert np.isfinite(trace).all()


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", ["chain", "labels", "spins"])
def test_averaged_means_are_those_given_what_is_known(name):
    oracle, model, params = both(name)
    joint, p = oracles.joint_law(oracle)
    ends = np.cumsum([0, *(layer.size for layer in model.layers)])
    order = np.concatenate([np.arange(ends[k], ends[k + 1]) for k in model.walked])
    states = joint[:, order]
    given = np.full((4000, states.shape[1]), np.nan)
    given[:, 0] = states[np.argmax(p), 0]
    kept = states[:, 0] == given[0, 0]
    p = p[kept] / p[kept].sum()
    start = states[kept][np.random.default_rng(0).choice(len(p), 4000, p=p)]
    found = conditional_mean(model, params, start, KEY, 2, given)
    assert_same_mean(found, p @ states[kept])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layers_of_one_color_draw_numbers_of_their_own(dtype):
    layers = [Layer("a", Bernoulli(), 5, visible=True), Layer("b", Bernoulli(), 5, visible=True)]
    model = LayeredModel(layers, [])
    params = model.initial(DataSummary(np.full(10, 0.5, dtype), np.ones(10, dtype), 10), 1, KEY)
    even = layered_gibbs(model, params, np.zeros((200, 10), dtype), KEY, 1).even
    assert even.dtype == dtype
    assert_same_mean(even[:, :5] == even[:, 5:], 0.5, 0.25)
