"""ebm.networks.neighborhoods: the loss against its definition, finite differences and scikit-learn's objective."""

import numpy as np
import pytest
from sklearn.neighbors import NeighborhoodComponentsAnalysis

from ebm.gradients.back_propagation import MeanCost
from ebm.networks import neighborhoods
from ebm.networks.dense import Dense
from ebm.networks.feed_forward import Architecture, perceptron
from ebm.networks.neighborhoods import NeighborhoodComponents, constant_loss
from ebm.networks.network import Network
from tests.checks.back_propagation import assert_network_slopes

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 4))
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 5])
TARGETS = np.tile(LABELS[:, None], 2).astype(float)
LOSS = NeighborhoodComponents()


def by_definition(z, labels):
    found = []
    for i in range(len(z)):
        near = [np.exp(-np.sum((z[i] - z[j]) ** 2)) if j != i else 0.0 for j in range(len(z))]
        found.append(
            1 - sum(x for x, k in zip(near, labels, strict=True) if k == labels[i]) / sum(near)
        )
    found[-1] = 1.0  # a class of its own
    return np.array(found)


@pytest.mark.parametrize("block", [1, 30, 1000])
def test_the_loss_is_the_definition(monkeypatch, block):
    monkeypatch.setattr(neighborhoods, "BLOCK_NUMBERS", block)
    z = X[:, :2]
    expected = by_definition(z, LABELS)
    np.testing.assert_allclose(LOSS.of_rows(z, TARGETS), expected, rtol=1e-12)
    weights = RNG.random(12)
    weights /= weights.sum()
    value, _ = LOSS.evaluate(z.copy(), TARGETS, weights)
    np.testing.assert_allclose(value, weights @ expected, rtol=1e-12)


@pytest.mark.parametrize("block", [1, 30, 1000])
def test_slopes(monkeypatch, block):
    monkeypatch.setattr(neighborhoods, "BLOCK_NUMBERS", block)
    hidden = Architecture((3,), ("tanh",), (0.0, 0.0))
    network = perceptron(4, hidden, 2, LOSS)
    theta = RNG.normal(size=network.n_parameters)
    weights = RNG.random(12)
    assert_network_slopes(network, theta, X, TARGETS, weights=weights / weights.sum())


def test_a_linear_layer_has_the_objective_and_gradient_of_scikit_learn():
    rows, labels = RNG.normal(size=(40, 5)), RNG.integers(0, 3, 40)
    W = RNG.normal(size=(5, 2))
    network = Network(5, (Dense(2),), LOSS)
    cost = MeanCost(network, rows, np.tile(labels[:, None], 2).astype(float))
    value, slopes = cost(np.append(W.ravel(), [0.3, -0.7]))
    theirs = NeighborhoodComponentsAnalysis(n_components=2)
    theirs.n_iter_ = 0
    same = labels[:, None] == labels
    objective, gradient = theirs._loss_grad_lbfgs(W.T.ravel(), rows, same, 1.0)
    np.testing.assert_allclose(40 * (1 - value), objective, rtol=1e-10)
    found = -40 * slopes[:10].reshape(5, 2).T
    np.testing.assert_allclose(found, gradient.reshape(2, 5), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(slopes[10:], 0, atol=1e-12)  # moving all rows changes nothing


def test_all_rows_are_one_batch(monkeypatch):
    monkeypatch.setattr("ebm.gradients.back_propagation.BLOCK_NUMBERS", 8)
    network = Network(4, (Dense(2),), LOSS)
    theta = RNG.normal(size=10)
    value, _ = MeanCost(network, X, TARGETS)(theta)
    expected = LOSS.of_rows(network.linear(network.unpack(theta), X), TARGETS).mean()
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_equal_outputs_have_the_loss_of_a_constant():
    found = LOSS.of_rows(np.ones((12, 2)), TARGETS).mean()
    np.testing.assert_allclose(constant_loss(LABELS), found, rtol=1e-12)


def test_far_rows_and_few_rows_have_finite_losses():
    far = np.array([[0.0], [1e5], [2e5]])
    for z in (far, far[:1], far.astype(np.float32)):
        targets = np.array([[0.0], [0.0], [1.0]])[: len(z)].astype(z.dtype)
        value, delta = LOSS.evaluate(z.copy(), targets)
        assert np.isfinite(value)
        assert np.isfinite(delta).all()
    assert len(LOSS.of_rows(far[:0], far[:0])) == 0
    with pytest.raises(ValueError, match="second derivatives"):
        LOSS.second(far.copy(), far)
