"""ebm.pretraining.conditional: label weights of the largest conditional likelihood; all other arrays stay."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from ebm._flat import in_double, leaves
from ebm._random import stream
from ebm.energies.base import DataSummary
from ebm.energies.columns import ColumnModel
from ebm.energies.labels import LabelTable
from ebm.pretraining import conditional_labels
from ebm.pretraining.conditional import PENALTY, Conditional
from ebm.units import Bernoulli, Categorical, Gaussian, Spin

RNG = np.random.default_rng(0)
CLASSES = RNG.integers(0, 3, 60)
LABELS = np.eye(3)[CLASSES]


def table(below, hidden):
    """A model of four features and a label of three classes, its parameters, and rows of features."""
    model = ColumnModel([(below, 4), (Categorical((3,)), 3)], hidden, 5)
    data = DataSummary(np.full(7, 0.4), np.ones(7), 60.0)
    params = in_double(model.initial(data, 5, stream(1, "init")))
    for x in leaves(params):
        x += 0.5 * RNG.normal(size=x.shape)
    x = RNG.normal(size=(60, 4)) + CLASSES[:, np.newaxis]
    return model, params, x if below == Gaussian() else np.where(x > 1, 1.0, below_low(below))


def below_low(unit):
    return unit.states[0]


KINDS = pytest.mark.parametrize(
    ("below", "hidden"),
    [(Bernoulli(), Bernoulli()), (Spin(), Spin()), (Gaussian(), Bernoulli())],
    ids=repr,
)


def log_p(model, params, x):
    """log p(y | x) of the rows' own classes, from the table over all classes."""
    return LabelTable(model, params, x).log_p[np.arange(60), CLASSES]


@KINDS
def test_the_cost_is_that_of_the_table_and_its_slopes_are_its_differences(below, hidden):
    model, params, x = table(below, hidden)
    (part, own), (_, label) = model.pairs(params)
    weights = RNG.integers(0, 4, 60).astype(float)
    cost = Conditional(hidden, params.layers[-1], part.hidden_input(own, x), LABELS, weights)
    theta = np.concatenate([label.W.ravel(), label.visible.bias])
    expected = -weights @ log_p(model, params, x) + PENALTY / 2 * np.sum(label.W**2)
    value, slopes = cost(theta)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    differences = approx_fprime(theta, lambda t: cost(t)[0], 1e-6)
    np.testing.assert_allclose(slopes, differences, atol=1e-4)


@KINDS
def test_labels_are_predicted_better_and_nothing_else_moves(below, hidden):
    model, params, x = table(below, hidden)
    before = [x.copy() for x in leaves(params)]
    better = conditional_labels(model, params, x, LABELS)
    assert log_p(model, better, x).mean() > log_p(model, params, x).mean() + 0.1
    for a, b in zip(leaves(params), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert better.weights[0] is params.weights[0]
    assert better.layers[0] is params.layers[0] and better.layers[2] is params.layers[2]
    again = conditional_labels(model, better, x, LABELS)
    np.testing.assert_allclose(again.weights[1], better.weights[1], atol=0.02)


def test_a_row_of_weight_two_counts_twice():
    model, params, x = table(Bernoulli(), Bernoulli())
    weights = RNG.integers(0, 3, 60)
    index = np.repeat(np.arange(60), weights)
    one = conditional_labels(model, params, x, LABELS, weights.astype(float))
    other = conditional_labels(model, params, x[index], LABELS[index])
    np.testing.assert_allclose(one.weights[1], other.weights[1], atol=1e-3)


def test_the_dtype_stays():
    model, params, x = table(Bernoulli(), Bernoulli())
    single = model.unpack(model.pack(params).astype(np.float32), *model.shape(params))
    made = conditional_labels(model, single, x.astype(np.float32), LABELS)
    assert {a.dtype for a in leaves(made)} == {np.dtype(np.float32)}
    double = conditional_labels(model, params, x, LABELS)
    np.testing.assert_allclose(made.weights[1], double.weights[1], atol=0.05)
