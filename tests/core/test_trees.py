"""ebm.energies.trees: pathways that share their topmost layer, their parts, and their pre-training."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from ebm import training
from ebm._random import Key
from ebm.energies.base import DataSummary
from ebm.energies.columns import ColumnModel
from ebm.energies.deep import DeepModel
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layer_sums import LayerSum, layered_log_z
from ebm.energies.trees import Pathway, TreeModel
from ebm.gradients import PersistentContrastiveDivergence
from ebm.likelihood.deep import mean_field_bounds, sums_or_bounds
from ebm.optimizers import SGD, Constant
from ebm.pretraining import (
    Branch,
    Machine,
    Propagation,
    composed,
    greedy,
    part,
    pathways,
    pretrain_tree,
)
from ebm.samplers.layered_gibbs import layered_gibbs
from ebm.training import Plan
from ebm.units import Bernoulli, Categorical, Gaussian, Spin
from tests.checks.layers import KEY, N_CHAINS, counts_of
from tests.models.deep import BITS, random_params
from tests.models.layers import colors_of
from tests.oracles import layers as oracles
from tests.oracles.layers import OracleLayer, OracleLayers
from tests.statistics import assert_same_distribution

TREES = {
    "equal": TreeModel(
        [Pathway([(BITS, 3)], [(BITS, 2)]), Pathway([(BITS, 2)], [(BITS, 2)])], (BITS, 2)
    ),
    "unequal": TreeModel(
        [Pathway([(BITS, 3)], [(BITS, 2), (BITS, 2)]), Pathway([(BITS, 2)], [(BITS, 2)])],
        (BITS, 2),
    ),
    "label": TreeModel(
        [Pathway([(BITS, 3)], [(BITS, 2)]), Pathway([(Categorical((3,)), 3)], [])], (BITS, 2)
    ),
    "three": TreeModel(
        [
            Pathway([(BITS, 2)], [(BITS, 2)]),
            Pathway([(Spin(), 2)], [(BITS, 1), (BITS, 2)]),
            Pathway([(Categorical((2,)), 2)], []),
        ],
        (BITS, 2),
    ),
}
every_tree = pytest.mark.parametrize("name", TREES)


def oracle_of(model, params):
    kinds = {Bernoulli: "bernoulli", Spin: "spin", Categorical: "one_hot", Gaussian: "gaussian"}
    layers = [
        OracleLayer(
            kinds[type(layer.unit)],
            own.bias,
            getattr(own, "log_variance", None),
            visible=layer.visible,
        )
        for layer, own in zip(model.layers, params.layers, strict=True)
    ]
    edges = zip(model.ends, params.weights, strict=True)
    return OracleLayers(layers, [(low, high, W, 1.0) for (low, high), W in edges])


def rows_of(model, n_rows=5):
    rng, parts = np.random.default_rng(0), []
    for unit, n in model.groups:
        states = np.array(unit.states or (0.0, 1.0))
        groups = isinstance(unit, Categorical)
        parts.append(
            np.eye(n)[rng.integers(n, size=n_rows)] if groups else rng.choice(states, (n_rows, n))
        )
    return np.hstack(parts)


# --- the model ------------------------------------------------------------------------------------------


@every_tree
def test_log_z_is_the_sum_over_all_states_by_each_color(name):
    model = TREES[name]
    params = random_params(model)
    expected = oracles.log_sum(oracle_of(model, params))
    for color in (EVEN, ODD):
        found = LayerSum(model, params, {}, color).log_sums()[0]
        assert found == pytest.approx(expected, rel=0, abs=1e-9)


@every_tree
def test_likelihoods_are_those_of_enumeration_and_bounds_stay_below(name):
    model = TREES[name]
    params, v = random_params(model, seed=1), rows_of(model)
    oracle = oracle_of(model, params)
    expected = [oracles.log_sum(oracle, oracles.visible_states(oracle, row)) for row in v]
    np.testing.assert_allclose(sums_or_bounds(model, params, v)[0], expected, rtol=0, atol=1e-9)
    bounds, converged = mean_field_bounds(model, params, v)
    assert converged.all() and (bounds <= np.array(expected) + 1e-12).all()
    assert (bounds > np.array(expected) - 2).all()


def test_pathways_without_a_connection_add_their_log_z():
    """Of weights to the top that are zero: three machines side by side."""
    model = TREES["unequal"]
    params = random_params(model)
    weights = [
        np.zeros_like(W) if high == len(model.layers) - 1 else W
        for W, (_, high) in zip(params.weights, model.ends, strict=True)
    ]
    apart = params._replace(weights=tuple(weights))
    chains = [
        DeepModel([(BITS, 3)], [(BITS, 2), (BITS, 2)]),
        DeepModel([(BITS, 2)], [(BITS, 2)]),
    ]
    arrays = model.arrays(apart)
    total = np.logaddexp(0, params.layers[-1].bias).sum()
    for some, levels in zip(chains, ([0, 1, 2], [3, 4]), strict=True):
        alone = some.of_arrays(
            arrays._replace(
                weights=[arrays.weights[i] for i in levels[:-1]],
                biases=[arrays.biases[i] for i in levels],
                others=[{} for _ in levels],
            )
        )
        total += layered_log_z(some, alone)
    assert layered_log_z(model, apart) == pytest.approx(total, rel=0, abs=1e-10)


@pytest.mark.needs_jit
@every_tree
def test_block_gibbs_leaves_the_joint_law(name):
    model = TREES[name]
    params = random_params(model)
    joint, p = oracles.joint_law(oracle_of(model, params))
    even, _ = colors_of(model, joint[np.random.default_rng(0).choice(len(p), N_CHAINS, p=p)])
    found = layered_gibbs(model, params, even, KEY, 1)
    assert_same_distribution(counts_of(model, joint, found.even, found.odd), p)


@every_tree
def test_arrays_are_those_of_the_parameters(name):
    model = TREES[name]
    params = random_params(model)
    arrays = model.arrays(params)
    sizes = model.level_sizes
    assert [len(b) for b in arrays.biases] == sizes
    assert [W.shape for W in arrays.weights] == [
        (n, sizes[p]) for n, p in zip(sizes, model.parents, strict=True) if p is not None
    ]
    back = model.of_arrays(arrays)
    for a, b in zip(model.pack(params), model.pack(back), strict=True):
        assert a == b


def test_one_pathway_is_a_chain():
    tree = TreeModel([Pathway([(BITS, 2), (Gaussian(), 1)], [(BITS, 3)])], (Spin(), 2))
    chain = DeepModel([(BITS, 2), (Gaussian(), 1)], [(BITS, 3), (Spin(), 2)])
    assert (tree.layers, tree.edges) == (chain.layers, chain.edges)


# --- pre-training ---------------------------------------------------------------------------------------


def test_parts_count_twice_where_layers_have_another_neighbor_later():
    model = TREES["three"]
    counts = [
        [edge.multiplicity for edge in machine.edges] if hasattr(machine, "edges") else None
        for machine in (part(model, k) for k in range(4))
    ]
    # image v-h: (1, 2); spins v-h1: (1, 2); h1-h2: an ordinary machine of twice the weights; all on the top.
    assert counts == [[(1, 2)], [(1, 2)], None, [(2, 1), (2, 1), (1, 1)]]
    assert [layer.size for layer in part(model, 3).layers] == [2, 2, 2, 2]


def test_a_label_counts_once_beside_features_that_count_twice():
    model = TREES["label"]
    top = part(model, 1)
    params = random_params(top)
    W, U = params.weights
    h = np.array([[1.0, 0.0], [0.0, 1.0]])
    b, d, _ = (x.bias for x in params.layers)
    means = top.visible_mean(params, h)
    np.testing.assert_allclose(means[:, :2], expit(b + 2 * h @ W.T), rtol=0, atol=1e-12)
    logits = d + h @ U.T
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(means[:, 2:], softmax, rtol=0, atol=1e-12)


def test_a_start_at_rows_gives_units_the_same_input_whatever_they_count():
    """Hidden units with thresholds at rows: their inputs do not depend on how often columns count theirs."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2, (6, 5)).astype(float)
    found = []
    for counts in ([(1, 1), (1, 1)], [(2, 1), (1, 1)]):
        model = ColumnModel([(BITS, 3), (BITS, 2)], BITS, 4, counts)
        params = random_params(model, scale=0.1)
        found.append(model.hidden_input(model.with_examples(params, rows), rows))
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-12)


def random_step(machine, n_visible, n_hidden, seed):
    """A machine of two layers with random parameters."""
    data = DataSummary(np.full(n_visible, 0.5), np.full(n_visible, 0.25), 10)
    theta = machine.pack(machine.initial(data, n_hidden, Key(0, 0)))
    theta = np.random.default_rng(seed).normal(size=len(theta))
    return machine, machine.unpack(theta, n_visible, n_hidden)


def test_the_composed_machine_has_the_weights_of_all_parts_and_averages_of_biases():
    model = TREES["unequal"]
    sizes = [(3, 2), (2, 2), (2, 2), (4, 2)]
    steps = [random_step(part(model, k), *size, k) for k, size in enumerate(sizes)]
    params = composed(model, steps)
    arrays = [machine.arrays(own) for machine, own in steps]
    found = model.arrays(params)
    image, inner, words, top = (x["weights"] for x in arrays)
    expected = [image, inner / 2, top[:2], words, top[2:]]
    for a, b in zip(found.weights, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    h1 = (arrays[0]["intercept_hidden"] + arrays[1]["intercept_visible"]) / 2
    h2 = (arrays[1]["intercept_hidden"] + arrays[3]["intercept_visible"][:2]) / 2
    w1 = (arrays[2]["intercept_hidden"] + arrays[3]["intercept_visible"][2:]) / 2
    biases = [
        arrays[0]["intercept_visible"], h1, h2, arrays[2]["intercept_visible"], w1,
        arrays[3]["intercept_hidden"],
    ]  # fmt: skip
    for a, b in zip(found.biases, biases, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


PLAN = Plan(PersistentContrastiveDivergence(), SGD(), Constant(), 0.05, 0.0, 10, 0)


def machines(model, n_epochs=3):
    return [
        Machine(f"layer{k}", part(model, k), PLAN, n, n_epochs)
        for k, (_, n) in enumerate(model.hidden)
    ]


def grown(model, X, n_epochs=3, **settings):
    made = machines(model, n_epochs)
    branches = [Branch(slice(0, 3), made[:2]), Branch(slice(3, 5), made[2:3])]
    return pretrain_tree(branches, made[3], X, None, Propagation(True, 0), **settings)


def test_pathways_learn_from_their_own_columns_and_the_top_from_all():
    model = TREES["unequal"]
    X = np.random.default_rng(0).integers(0, 2, (40, 5)).astype(float)
    layers, interrupted = grown(model, X)
    assert not interrupted and len(layers) == 4
    other = X.copy()
    other[:, 3:] = 1 - other[:, 3:]
    again, _ = grown(model, other)
    same = [
        np.array_equal(a.state.theta, b.state.theta) for a, b in zip(layers, again, strict=True)
    ]
    assert same == [True, True, False, False]
    assert layers[3].state.history["epoch"] == [1, 2, 3]


def test_a_pathway_that_rows_lack_learns_from_the_others_and_the_top_from_gaps(monkeypatch):
    seen, learned = [], pathways.learned

    def spy(machine, rows, X):
        seen.append((rows.has_gaps, np.isnan(X)))
        return learned(machine, rows, X)

    monkeypatch.setattr(pathways, "learned", spy)
    model = TREES["unequal"]
    X = np.random.default_rng(0).integers(0, 2, (40, 5)).astype(float)
    torn = X.copy()
    torn[:10, 3:] = np.nan
    torn[10:20, :3] = np.nan
    layers, _ = grown(model, torn)
    words = machines(model)[2]
    alone, _ = pretrain_tree(
        [Branch(slice(0, 2), [])], words, X[np.r_[:0, 10:40], 3:], None, Propagation(True, 0)
    )
    np.testing.assert_allclose(layers[2].state.theta, alone[0].state.theta, rtol=1e-9)
    assert layers[3].n_rows == 40
    (has_gaps, missing), *_ = seen
    assert has_gaps
    assert missing[:10, 2:].all() and missing[10:20, :2].all() and missing.sum() == 40
    assert all(np.isfinite(layer.state.theta).all() for layer in layers)


def test_an_interrupt_leaves_the_layers_after_it_at_their_start(monkeypatch):
    model = TREES["unequal"]
    X = np.random.default_rng(0).integers(0, 2, (40, 5)).astype(float)
    calls = []

    def train(*args):
        calls.append(args)
        return training.INTERRUPTED if len(calls) == 1 else training.train(*args)

    monkeypatch.setattr(greedy, "train", train)
    layers, interrupted = grown(model, X)
    assert interrupted and len(layers) == 4
    assert [layer.state.n_steps for layer in layers] == [0, 0, 0, 0]


def test_levels_and_colors_of_pathways_of_unequal_depth():
    model = TREES["unequal"]
    assert [model.places[k].color for k in model.shown] == [EVEN, ODD]
    assert model.above_visible == [2, 4]
    v, h = rows_of(model, 3), np.random.default_rng(1).integers(0, 2, (3, 8)).astype(float)
    params = random_params(model)
    even, odd = model.colors(params, v, h)
    oracle = oracle_of(model, params)
    for row, top, a, b in zip(v, h, even, odd, strict=True):
        states = [row[:3], row[3:], top[:2], top[2:4], top[4:6], top[6:]]
        expected = -oracles.log_integral(oracle, [tuple(x) for x in states], 1.0)
        found = model.energy(params, a[np.newaxis], b[np.newaxis])[0]
        assert found == pytest.approx(expected, rel=0, abs=1e-10)
