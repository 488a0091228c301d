"""Deep Boltzmann machines: parts that count twice, their composition, means, bounds and the one-layer case."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit

from ebm import training
from ebm._batches import Rows
from ebm._flat import leaves
from ebm._random import Key
from ebm.energies.base import DataSummary
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.energies.deep import DeepModel
from ebm.energies.layer_sums import layer_sum, layered_log_z
from ebm.energies.trees import TreeArrays
from ebm.gradients import ContrastiveDivergence, PersistentContrastiveDivergence
from ebm.inference.deep_means import deep_means, visible_means
from ebm.inference.layered_mean_field import layered_bound, layered_mean_field
from ebm.likelihood.deep import mean_field_bounds, sums_or_bounds
from ebm.optimizers import SGD, Constant
from ebm.pretraining import Machine, Propagation, composed, halved, part, pretrain
from ebm.pretraining.doubled import multiplicities
from ebm.samplers.layered_gibbs import chains_at
from ebm.units import Binomial, Gaussian, OneHot, Poisson, Spin
from tests.checks.deep import (
    assert_averages_of_two_parts,
    assert_one_pass,
    assert_parts_of_the_paper,
)
from tests.models.deep import BITS, bits, chain, random_params
from tests.oracles import layers as oracles
from tests.oracles.layers import OracleLayer, OracleLayers

KEY = Key(5, 6)


def oracle_of(model, params, kind="bernoulli"):
    """The machine of units of one kind in the oracle's spelling."""
    layers = [OracleLayer(kind, own.bias, visible=k == 0) for k, own in enumerate(params.layers)]
    edges = [(k, k + 1, W, 1.0) for k, W in enumerate(params.weights)]
    return OracleLayers(layers, edges)


# --- parts that count twice -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_parts", [1, 2, 3, 4])
def test_layers_count_twice_where_they_will_have_two_neighbors(n_parts):
    model = DeepModel([(BITS, 3)], [(BITS, 2)] * n_parts)
    counts = [multiplicities(model, k)[0] for k in range(n_parts)]
    received = {0: [], n_parts: []}
    for k, (lower, upper) in enumerate(counts):
        received.setdefault(k, []).append(lower)
        received.setdefault(k + 1, []).append(upper)
    assert received[0] == received[n_parts] == [1]
    assert all(received[k] == [2, 2] for k in range(1, n_parts))


def test_parts_have_the_conditional_distributions_of_the_paper():
    assert_parts_of_the_paper(part)


def test_a_part_between_two_others_is_one_that_counts_twice_at_half_the_weights():
    ordinary = Bipartite(BITS, BITS)
    twice = ColumnModel([(BITS, 4)], BITS, 3, (2, 2))
    rng = np.random.default_rng(0)
    W, b, c = rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=3)
    one, half = (
        m.of_arrays(w, lambda name, _: {"intercept_visible": b, "intercept_hidden": c}[name])
        for m, w in ((ordinary, W), (twice, W / 2))
    )
    np.testing.assert_allclose(
        twice.free_energy(half, bits(4)), ordinary.free_energy(one, bits(4)), atol=1e-12
    )


def test_the_composed_machine_has_the_average_of_what_two_parts_say_of_a_layer():
    assert_averages_of_two_parts(composed)


def test_halved_machines_give_hidden_layers_the_average_of_both_neighbors():
    model = chain(4, 3, 2)
    machines = [Bipartite(BITS, BITS)] * 2
    steps = []
    for k, (machine, n) in enumerate(zip(machines, (4, 3), strict=True)):
        data = DataSummary(np.full(n, 0.5), np.ones(n), 10)
        steps.append((machine, machine.initial(data, (3, 2)[k], Key(k, 1))))
    params = halved(model, steps)
    (_, one), (_, two) = steps
    np.testing.assert_array_equal(params.weights[0], one.W / 2)
    np.testing.assert_array_equal(params.weights[1], two.W / 2)
    np.testing.assert_allclose(params.layers[1].bias, (one.hidden.bias + two.visible.bias) / 2)


def test_a_start_at_rows_gives_every_layer_the_input_of_an_ordinary_machine():
    X = bits(6, 200)
    data = DataSummary(X.mean(axis=0), X.var(axis=0), 200)
    plain = ColumnModel([(BITS, 6)], BITS, 5)
    params = plain.with_examples(plain.initial(data, 5, KEY), X)
    for counts in ((1, 2), (2, 1), (2, 2)):
        model = ColumnModel([(BITS, 6)], BITS, 5, counts)
        other = model.with_examples(model.initial(data, 5, KEY), X)
        np.testing.assert_allclose(model.hidden_mean(other, X), plain.hidden_mean(params, X))
        # The mean input of the visible units and their biases make up the data's means.
        h = model.hidden_mean(other, X).mean(axis=0)
        received = counts[0] * other.weights[0] @ h + other.layers[0].bias
        rest = plain.initial(data, 5, KEY).layers[0].bias
        np.testing.assert_allclose(received, rest, atol=1e-12)


def plan(gradient=None, seed=0):
    gradient = gradient or ContrastiveDivergence()
    return training.Plan(gradient, SGD(), Constant(), 0.05, 0.0, 10, seed)


def test_parts_learn_from_what_the_parts_below_make_of_the_data():
    model, X = chain(5, 4, 3), bits(5, 40)
    machines = [
        Machine(f"layer{k}", part(model, k), plan(seed=k), n, 2) for k, n in ((0, 4), (1, 3))
    ]
    found = pretrain(machines, X, None, Propagation(draws=False, seed=0)).layers
    lowest = part(model, 0)
    alone = training.start(lowest, Rows(X), 4, plan())
    training.train(alone, Rows(X), plan(), 2)
    np.testing.assert_array_equal(found[0].state.theta, alone.theta)
    means = expit(2 * X @ alone.params.weights[0] + alone.params.layers[1].bias)
    top = training.start(part(model, 1), Rows(means), 3, plan(seed=1))
    training.train(top, Rows(means), plan(seed=1), 2)
    np.testing.assert_allclose(found[1].state.theta, top.theta, atol=1e-12)


def test_several_layers_learn_faster_from_states():
    deep, flat = chain(4, 3, 2), chain(4, 3)
    assert deep.rate_factor(1.0) == 3 * flat.rate_factor(1.0)
    assert deep.rate_factor(0.3) == flat.rate_factor(0.3) == Bipartite(BITS, BITS).rate_factor(0.3)
    assert deep.rate_factor(1.2) == deep.rate_factor(np.inf) == 1.0  # values beyond both states
    reals = DeepModel([(Gaussian(), 4)], [(BITS, 3), (BITS, 2)])
    assert reals.rate_factor(1.0) == 1.0


def test_one_pass_up_and_down_doubles_between_two_layers():
    assert_one_pass(DeepModel)


# --- distributions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(3, 2), (3, 3, 2), (3, 2, 2, 2)])
def test_likelihoods_and_bounds_are_those_of_enumeration(sizes):
    model = chain(*sizes)
    params = random_params(model, scale=1.5)
    oracle, v = oracle_of(model, params), bits(sizes[0])
    log_z = layered_log_z(model, params)
    exact = [oracles.log_likelihood(oracle, row) for row in v]
    sums, _ = sums_or_bounds(model, params, v)
    np.testing.assert_allclose(sums - log_z, exact, atol=1e-9)
    bounds, converged = mean_field_bounds(model, params, v)
    assert converged.all()
    assert (bounds - log_z <= exact + np.float64(1e-9)).all()
    if len(sizes) == 2:
        np.testing.assert_allclose(bounds - log_z, exact, atol=1e-9)


def test_the_bound_is_exact_where_the_posterior_factorizes():
    """Without weights above the first hidden layer the hidden layers are independent given the data."""
    model = chain(4, 3, 3)
    params = random_params(model, scale=2.0)
    params.weights[1][:] = 0
    v = bits(4)
    exact = sums_or_bounds(model, params, v)[0]
    np.testing.assert_allclose(mean_field_bounds(model, params, v)[0], exact, atol=1e-9)


UNITS = {
    "bits": (BITS, BITS, BITS),
    "spins": (Spin(), BITS, Spin()),
    "reals": (Gaussian(), BITS, Gaussian()),
    "counts": (Poisson(), BITS, Binomial(2)),
    "groups": (OneHot((2, 2)), Spin(), OneHot((4,))),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", UNITS)
def test_no_sweep_lowers_the_bound(name, seed):
    visible, first, second = UNITS[name]
    model = DeepModel([(visible, 4)], [(first, 3), (second, 4)])
    params = random_params(model, seed, scale=0.8)
    nothing = np.zeros((5, 4))
    v = visible.sample(params.layers[0], nothing, Key(seed, 1))
    known = model.split(v)
    exact = layer_sum(model, params, known).log_sums()
    bounds = [
        layered_bound(
            model, params, known, layered_mean_field(model, params, known, n_sweeps=n, tol=0)
        )
        for n in range(1, 9)
    ]
    assert (np.diff(bounds, axis=0) >= -1e-11).all()
    assert (bounds[-1] <= exact + 1e-9).all()


def test_machines_side_by_side_add_their_log_z():
    one, two = chain(3, 2, 2), chain(2, 3, 2)
    a, b = random_params(one, 1), random_params(two, 2)
    both = chain(5, 5, 4)
    params = random_params(both)
    for W, x, y in zip(params.weights, a.weights, b.weights, strict=True):
        W[:] = 0
        W[: len(x), : x.shape[1]] = x
        W[len(x) :, x.shape[1] :] = y
    for own, x, y in zip(params.layers, a.layers, b.layers, strict=True):
        own.bias[:] = np.concatenate([x.bias, y.bias])
    total = layered_log_z(one, a) + layered_log_z(two, b)
    assert layered_log_z(both, params) == pytest.approx(total, abs=1e-9)
    v = bits(5)
    bounds = mean_field_bounds(one, a, v[:, :3])[0] + mean_field_bounds(two, b, v[:, 3:])[0]
    np.testing.assert_allclose(mean_field_bounds(both, params, v)[0], bounds, atol=1e-6)


def test_one_hidden_layer_is_the_restricted_machine_to_the_bit():
    X = bits(5, 40)
    deep, fused = chain(5, 3), Bipartite(BITS, BITS)
    assert deep.fused == fused
    choices = plan(PersistentContrastiveDivergence())
    states = [
        training.start(model, Rows(X), 3, choices, lambda _, params: params)
        for model in (fused, deep)
    ]
    for state in states:
        training.train(state, Rows(X), choices, 3)
    np.testing.assert_array_equal(states[1].theta, states[0].theta)
    np.testing.assert_array_equal(states[1].chains.h, states[0].chains.h)


# --- means, states and arrays ---------------------------------------------------------------------------


def test_means_of_hidden_layers_are_a_fixed_point_and_do_not_depend_on_other_rows():
    model = chain(5, 4, 3, 2)
    params = random_params(model)
    v = bits(5)
    found = deep_means(model, params, v, tol=1e-12)
    h1, h2, h3 = found.layers
    W1, W2, W3 = params.weights
    _, c1, c2, c3 = (own.bias for own in params.layers)
    assert found.converged.all()
    np.testing.assert_allclose(h1, expit(v @ W1 + h2 @ W2.T + c1), atol=1e-9)
    np.testing.assert_allclose(h2, expit(h1 @ W2 + h3 @ W3.T + c2), atol=1e-9)
    np.testing.assert_allclose(h3, expit(h2 @ W3 + c3), atol=1e-9)
    alone = deep_means(model, params, v[2:3], tol=1e-12)
    for a, b in zip(alone.layers, found.layers, strict=True):
        np.testing.assert_allclose(a[0], b[2], atol=1e-9)
    assert not deep_means(model, params, v, n_sweeps=1).converged.any()


def test_visible_means_given_the_lowest_layer_are_exact():
    model = chain(5, 4, 3)
    params = random_params(model)
    h = bits(4)
    expected = expit(h @ params.weights[0].T + params.layers[0].bias)
    np.testing.assert_allclose(visible_means(model, params, {1: h}), expected, atol=1e-12)


def test_chains_at_rows_hold_these_rows():
    model = chain(5, 4, 3)
    v = bits(5)
    x = chains_at(model, random_params(model), v, KEY)
    np.testing.assert_array_equal(x[:, :5], v)
    assert x.shape == (6, 8)
    assert model.n_hidden_walked == 3


def test_arrays_are_those_of_the_parameters():
    model = DeepModel([(BITS, 2), (Gaussian(), 3)], [(BITS, 4), (Gaussian(), 2)])
    params = random_params(model)
    arrays = model.arrays(params)
    assert [W.shape for W in arrays.weights] == [(5, 4), (4, 2)]
    assert [sorted(x) for x in arrays.others] == [["log_variance"], [], ["log_variance"]]
    for a, b in zip(leaves(model.of_arrays(arrays)), leaves(params), strict=True):
        np.testing.assert_array_equal(a, b)
    without = model.of_arrays(TreeArrays(arrays.weights, arrays.biases, [{}, {}, {}]))
    assert not without.layers[1].log_variance.any()
    with pytest.raises(ValueError, match="shapes"):
        model.of_arrays(arrays._replace(weights=arrays.weights[:1]))
    with pytest.raises(ValueError, match="have no"):
        model.of_arrays(arrays._replace(others=[{}, {"log_variance": np.zeros(4)}, {}]))


@pytest.mark.parametrize(
    ("seed", "sizes", "unit", "kind", "log_z", "states"),
    [
        (7, (4, 3, 2), BITS, "bernoulli", 4.6684174792, {0.0: -2.0382562662, 1.0: -4.0404085531}),
        (8, (5, 4, 3, 2), BITS, "bernoulli", 13.0943739704, {0.0: -5.3637869121}),
        (9, (4, 3, 3), Spin(), "spin", 16.8446623912, {-1.0: -8.7868938392, 1.0: -5.8954752921}),
    ],
)
def test_known_answers(seed, sizes, unit, kind, log_z, states):
    model, rng = chain(*sizes, unit=unit), np.random.default_rng(seed)
    weights = [rng.normal(size=shape) for shape in pairwise(sizes)]
    biases = [0.5 * rng.normal(size=n) for n in sizes]
    params = model.of_arrays(TreeArrays(weights, biases, [{}] * len(sizes)))
    assert layered_log_z(model, params) == pytest.approx(log_z, abs=1e-9)
    for state, log_p in states.items():
        found = sums_or_bounds(model, params, np.full((1, sizes[0]), state))[0] - log_z
        assert found == pytest.approx(log_p, abs=1e-9)
    assert oracles.log_sum(oracle_of(model, params, kind)) == pytest.approx(log_z, abs=1e-9)
