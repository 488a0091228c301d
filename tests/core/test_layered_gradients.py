"""ebm.gradients.layered: the fused gradients of two layers, and finite differences of exact likelihoods and bounds."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from ebm._random import Key, fold, stream
from ebm.energies.base import DataSummary
from ebm.energies.edges import Edge
from ebm.energies.fixed_point import FixedPoint
from ebm.energies.layer_graph import EVEN, ODD, Layer
from ebm.energies.layers import LayeredModel
from ebm.gradients import ContrastiveDivergence, Exact, PersistentContrastiveDivergence
from ebm.gradients.base import Batch
from ebm.gradients.layered import (
    BoundLayeredChains,
    BoundLayeredExact,
    PhaseSum,
    positive_phase,
)
from ebm.inference.layered_mean_field import layered_bound, layered_mean_field
from ebm.units import Bernoulli
from tests.checks.layers import (
    STEP,
    along,
    arrays,
    assert_exact_gradient,
    free_arrays,
    offsets_of,
    slopes,
    zeros_like,
)
from tests.models.layers import GRAPHS, PAIRS, both, colors_of, rows_of, two_layers
from tests.oracles import layers as oracles
from tests.statistics import assert_same_mean

KEY = Key(7, 8)
SLIDE = 0.1


@pytest.mark.parametrize(
    ("record", "n_chains"),
    [
        (ContrastiveDivergence(n_steps=2), None),
        (PersistentContrastiveDivergence(n_steps=2, n_chains=5), 5),
        (Exact(), 0),
    ],
    ids=repr,
)
@pytest.mark.parametrize("pair", PAIRS[:3], ids=repr)
def test_two_layers_have_the_gradients_of_the_fused_model(pair, record, n_chains):
    fused, params, model, same = two_layers(*pair)
    rng = np.random.default_rng(1)
    v = fused.visible.sample(params.visible, np.zeros((7, 4)), KEY)
    weights = rng.random(7)
    weights /= weights.sum()
    expected, found = copy.deepcopy(params), copy.deepcopy(same)
    chains = record.start(fused, params, v.mean(axis=0), 7, KEY)
    others = copy.deepcopy(chains)
    bound = record.bind(fused, expected, 7, len(chains.h))
    if n_chains == 0:
        layered = BoundLayeredExact(model, found, 7, record.slide)
    else:
        layered = BoundLayeredChains(model, found, 7, n_chains, 2, record.slide)
    for step in range(2):
        key = Key(step, 3)
        _, chains, _ = bound(params, Batch(v.copy(), weights), chains, key)
        _, others, info = layered(same, Batch(v.copy(), weights), others, key)
        assert info.finite
        pairs = [
            (expected.W, found.weights[0]),
            *zip((*expected.visible, *expected.hidden), arrays(found)[1:], strict=True),
            *zip(chains[:3], others[:3], strict=True),
        ]
        for a, b in pairs:
            np.testing.assert_allclose(b, a, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", GRAPHS)
def test_exact_gradients_are_the_slopes_of_the_log_likelihood(name):
    assert_exact_gradient(lambda model, out: BoundLayeredExact(model, out, 3, 0.0), name)


def test_exact_gradients_are_the_slopes_of_the_oracle():
    oracle, model, params = both("mixed")
    v = rows_of(oracle, 2)
    gradient = zeros_like(params)
    weights = np.array([0.25, 0.75])
    bound = BoundLayeredExact(model, gradient, 2, 0.0)
    bound(params, Batch(v, weights), offsets_of(model, params), KEY)
    for low, place in (
        (oracle.edges[0][2], gradient.weights[0]),
        (oracle.layers[2].z, gradient.layers[2][1]),
    ):
        values = []
        for sign in (1, -1):
            low.flat[1] += sign * STEP
            values.append(weights @ [oracles.log_likelihood(oracle, row) for row in v])
            low.flat[1] -= sign * STEP
        assert place.flat[1] == pytest.approx((values[0] - values[1]) / (2 * STEP), abs=1e-7)


@pytest.mark.parametrize("name", GRAPHS)
def test_centering_changes_coordinates_layer_by_layer(name):
    oracle, model, params = both(name)
    v = rows_of(oracle, 3)
    plain, centered = zeros_like(params), zeros_like(params)
    chains = offsets_of(model, params, seed=4)
    BoundLayeredExact(model, plain, 3, 0.0)(params, Batch(v), offsets_of(model, params), KEY)
    BoundLayeredExact(model, centered, 3, 0.0)(params, Batch(v), chains, KEY)
    offset = [(chains[1], chains[2])[color][columns] for color, columns in model.places]
    biases = [own.bias.copy() for own in plain.layers]
    for number, (edge, (low, high)) in enumerate(zip(model.edges, model.ends, strict=True)):
        a, mask = edge.multiplicity[0], getattr(edge.coupling, "mask", True)
        dW = plain.weights[number] - a * mask * (
            np.outer(offset[low], plain.layers[high].bias)
            + np.outer(plain.layers[low].bias, offset[high])
        )
        np.testing.assert_allclose(centered.weights[number], dW, rtol=0, atol=1e-9)
        biases[low] -= a * dW @ offset[high]
        biases[high] -= a * dW.T @ offset[low]
    for bias, own, other in zip(biases, centered.layers, plain.layers, strict=True):
        np.testing.assert_allclose(own.bias, bias, rtol=0, atol=1e-9)
        for x, y in zip(own[1:], other[1:], strict=True):
            np.testing.assert_allclose(x, y, rtol=0, atol=1e-9)


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", GRAPHS)
def test_positive_phases_are_the_slopes_of_the_bound(name):
    oracle, model, params = both(name, scale=0.5)
    model.fixed_point = FixedPoint(2000, tol=0.0)
    rows = rows_of(oracle, 3), rows_of(oracle, 2, seed=1)

    def difference(theta):  # in which what does not depend on the states cancels
        bounds = []
        for v in rows:
            known = model.split(v)
            means = layered_mean_field(model, theta, known, n_sweeps=2000, tol=0)
            bounds.append(layered_bound(model, theta, known, means).mean())
        return bounds[0] - bounds[1]

    gradient = zeros_like(params)
    total = PhaseSum(model, gradient)
    for v, sign in zip(rows, (1, -1), strict=True):
        total.add(params, positive_phase(model, params, v), np.full(len(v), sign / len(v)))
    nothing = offsets_of(model, params)
    assert total.finish(params, nothing[1:3])
    expected = slopes(difference, model, params)
    np.testing.assert_allclose(along(gradient, model, params), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", ["two", "labels"])  # of which the positive phase is exact
def test_chains_of_the_model_estimate_the_exact_gradient(name):
    oracle, model, params = both(name)
    joint, p = oracles.joint_law(oracle)
    v, rng, n_chains = rows_of(oracle, 3), np.random.default_rng(0), 200
    exact, estimate = zeros_like(params), zeros_like(params)
    nothing = offsets_of(model, params)
    BoundLayeredExact(model, exact, 3, 0.0)(params, Batch(v), nothing, KEY)
    bound = BoundLayeredChains(model, estimate, 3, n_chains, 1, 0.0)
    found = []
    for k in range(100):
        _, odd = colors_of(model, joint[rng.choice(len(p), n_chains, p=p)])
        _, chains, _ = bound(params, Batch(v), nothing._replace(h=odd), Key(k, 0))
        assert chains.h.shape == odd.shape
        found.append(np.concatenate([x.ravel() for x in free_arrays(model, estimate)]))
    assert_same_mean(found, np.concatenate([x.ravel() for x in free_arrays(model, exact)]))


def test_unequal_multiplicities_learn_from_chains():
    layers = [Layer("v", Bernoulli(), 4, visible=True), Layer("h", Bernoulli(), 3)]
    model = LayeredModel(layers, [Edge("v", "h", multiplicity=(1, 2))])
    params = model.initial(DataSummary(np.full(4, 0.5), np.ones(4), 10), 1, stream(0, "init"))
    v = np.eye(4)
    gradient = zeros_like(params)
    bound = BoundLayeredChains(model, gradient, 4, None, 1, 0.0)
    _, _, info = bound(params, Batch(v), offsets_of(model, params), KEY)
    assert info.finite
    h = 1 / (1 + np.exp(-2 * v @ params.weights[0]))
    data = v.T @ h / 4
    odd = model.sample(params, ODD, v, fold(KEY, 0))
    even = model.sample(params, EVEN, odd, fold(KEY, 1))
    means = 1 / (1 + np.exp(-2 * even @ params.weights[0]))
    np.testing.assert_allclose(gradient.weights[0], data - even.T @ means / 4, atol=1e-12)
    with pytest.raises(ValueError, match="no energy"):
        BoundLayeredExact(model, gradient, 4, 0.0)
