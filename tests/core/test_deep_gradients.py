"""ebm.gradients.deep: the compiled gradients of chains of layers are those of layered models."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from ebm import training
from ebm._batches import Rows
from ebm._kernels.units import with_bias
from ebm._random import Key
from ebm.energies.columns import ColumnModel
from ebm.energies.deep import DeepModel
from ebm.energies.edges import Edge, Masked
from ebm.energies.fixed_point import FixedPoint
from ebm.energies.layer_graph import Layer
from ebm.energies.layers import LayeredModel
from ebm.gradients import PersistentContrastiveDivergence
from ebm.gradients.base import Batch
from ebm.gradients.contrastive import bind_contrastive
from ebm.gradients.deep import BoundChain, is_chain
from ebm.gradients.layered import BoundLayeredChains
from ebm.optimizers import SGD, Constant, Regularization
from ebm.pretraining import part
from ebm.units import Bernoulli, Binomial, Gaussian, OneHot, Poisson, Spin
from tests.checks.deep import assert_same_steps, prepared
from tests.models.deep import BITS, bits, chain

WAY = FixedPoint(5, tol=1e-2, damping=0.2)
MODELS = {
    "two hidden layers": DeepModel([(BITS, 6)], [(BITS, 5), (BITS, 4)], WAY),
    "three": DeepModel([(BITS, 6)], [(BITS, 5), (BITS, 4), (BITS, 3)], FixedPoint(4, 1e-3)),
    "reals": DeepModel([(Gaussian(), 4)], [(BITS, 5), (BITS, 3)], WAY),
    "lowest part": part(chain(6, 5, 4), 0),
    "topmost part": part(chain(6, 5, 4), 1),
    "part of reals": ColumnModel([(Gaussian(), 4)], BITS, 3, (2, 1)),
}


@pytest.mark.parametrize("name", MODELS)
def test_persistent_chains_have_the_gradients_of_layered_models(name):
    model = MODELS[name]
    assert isinstance(bind_contrastive(model, prepared(model)[0], 9, 4, 2, 0.1), BoundChain)
    assert_same_steps(model, 9, 4, 2, 9)
    assert_same_steps(model, 5, 4, 1, 9)  # a short batch


@pytest.mark.parametrize("name", ["two hidden layers", "three", "lowest part"])
def test_chains_from_the_data_have_the_gradients_of_layered_models(name):
    # With several rows, those that converge change places, and with that their random numbers.
    n_rows = 9 if name == "lowest part" else 1
    assert_same_steps(MODELS[name], n_rows, None, 2, 9)


@pytest.mark.parametrize(
    "unit", [Bernoulli(), Spin(), Poisson(), Binomial(3), OneHot((2, 2))], ids=repr
)
def test_layers_take_other_biases_with_the_constants_of_their_type(unit):
    layer = unit.compiled(unit.neutral(4, np.float64))
    other = with_bias(layer, np.arange(4.0))
    assert type(other) is type(layer)
    np.testing.assert_array_equal(other.bias, np.arange(4.0))
    for a, b in zip(other[1:], layer[1:], strict=True):
        np.testing.assert_array_equal(a, b)


def test_rows_that_have_converged_leave_the_others_alone():
    """Some rows stop early, others do not: the test above would not see a mistake if all did the same."""
    model = MODELS["two hidden layers"]
    params, v, weights = prepared(model)
    chains = PersistentContrastiveDivergence().start(model, params, v.mean(axis=0), 4, Key(2, 2))
    bound = BoundChain(model, copy.deepcopy(params), 9, 4, 1, 0.0)
    measured = bound(params, Batch(v, weights), chains, Key(0, 3))[2].measured
    assert 0 < measured["mean_field_converged"] < 1


def test_other_models_are_no_chains():
    some, mask = (BITS, 3), np.eye(4, 3) > 0
    layers = [Layer("v", BITS, 4, visible=True), Layer("h", BITS, 3)]
    assert is_chain(LayeredModel(layers, [Edge("v", "h")]))
    for model in (
        LayeredModel(layers, [Edge("v", "h", Masked(mask))]),
        DeepModel([some, (Spin(), 2)], [some, some]),
        DeepModel([some], [some, (Spin(), 2)]),
        DeepModel([some], [(Gaussian(), 3)]),
        LayeredModel([layers[0], layers[1], Layer("g", BITS, 2)], [Edge("v", "h"), Edge("v", "g")]),
    ):
        assert not is_chain(model)
        bound = bind_contrastive(model, prepared(model)[0], 3, 2, 1, 0.1)
        assert isinstance(bound, BoundLayeredChains)


def plan(**limits):
    record = PersistentContrastiveDivergence(n_chains=6)
    return training.Plan(record, SGD(), Constant(), 0.05, 0.01, 10, 0, Regularization(**limits))


@pytest.mark.parametrize("weighted", [False, True])
def test_many_updates_in_one_call_are_those_made_one_by_one(weighted):
    model, X = chain(5, 4, 3), bits(5, 25)
    weights = np.random.default_rng(0).random(25) if weighted else None
    states = []
    for limits in (
        {},
        {"clip_norm": 1e6},
    ):  # clipping by the norm is no part of the compiled update
        choices, rows = plan(**limits), Rows(X, weights)
        states.append(training.start(model, rows, 7, choices))
        training.train(states[-1], rows, choices, 3)
    one, other = states
    np.testing.assert_allclose(one.theta, other.theta, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(one.chains.h, other.chains.h)
    for name in ("mean_field_sweeps", "mean_field_converged"):
        np.testing.assert_allclose(one.history[name], other.history[name], atol=1e-12)


def test_numbers_that_are_not_finite_are_told():
    model = chain(5, 4, 3)
    params, v, weights = prepared(model)
    chains = PersistentContrastiveDivergence().start(model, params, v.mean(axis=0), 4, Key(2, 2))
    bound = BoundChain(model, copy.deepcopy(params), 9, 4, 1, 0.0)
    params.weights[1][0, 0] = np.nan
    assert not bound(params, Batch(v, weights), chains, Key(0, 3))[2].finite


def test_batches_that_do_not_fit_the_buffers_are_refused():
    model = chain(5, 4, 3)
    params, v, _ = prepared(model)
    chains = PersistentContrastiveDivergence().start(model, params, v.mean(axis=0), 4, Key(2, 2))
    bound = BoundChain(model, copy.deepcopy(params), 8, 4, 1, 0.0)
    with pytest.raises(ValueError, match="bound for 1 to 8 rows and 4 chains"):
        bound(params, Batch(v), chains, Key(0, 3))


@pytest.mark.parametrize(
    ("name", "value"), [("n_sweeps", 0), ("tol", -1.0), ("damping", 1.0), ("damping", -0.1)]
)
def test_settings_of_the_mean_field_are_checked(name, value):
    with pytest.raises(ValueError, match=name):
        FixedPoint(**{name: value})
