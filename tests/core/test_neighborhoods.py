"""ebm.networks.neighborhoods: the loss against its definition, finite differences and scikit-learn's objective."""

import numpy as np
import pytest
from sklearn.neighbors import NeighborhoodComponentsAnalysis

from ebm._batches import Rows
from ebm._random import Key, fold
from ebm.gradients.back_propagation import BackPropagation, MeanCost
from ebm.gradients.base import Batch, no_chains
from ebm.networks import neighborhoods
from ebm.networks.autoencoder import Coder, autoencoder, columns_of, start
from ebm.networks.column_losses import KnownEntries
from ebm.networks.dense import Dense
from ebm.networks.feed_forward import Architecture, perceptron
from ebm.networks.losses import BinaryCrossEntropy, SquaredError
from ebm.networks.neighborhoods import (
    NeighborhoodComponents,
    NeighborhoodCost,
    Scaled,
    constant_loss,
    copies,
    length_of_embedding,
    mean_score,
)
from ebm.networks.network import Network
from tests.checks.back_propagation import (
    assert_neighborhood_cost,
    assert_network_slopes,
    slopes,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 4))
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 5])
TARGETS = np.tile(LABELS[:, None], 2).astype(float)
LOSS = NeighborhoodComponents()


def by_definition(z, labels, weights=None):
    w = np.ones(len(z)) if weights is None else weights
    found = []
    for i in range(len(z)):
        near = [w[j] * np.exp(-np.sum((z[i] - z[j]) ** 2)) if j != i else 0 for j in range(len(z))]
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
    expected = weights @ by_definition(z, LABELS, weights)
    np.testing.assert_allclose(value, expected, rtol=1e-12)


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


# Weights --------------------------------------------------------------------------------------


def test_rows_without_weight_are_nobodys_neighbors():
    weights = np.where(np.arange(12) < 4, 0.0, 1 / 8)
    value, delta = LOSS.evaluate(X[:, :2].copy(), TARGETS, weights)
    expected, rest = LOSS.evaluate(X[4:, :2].copy(), TARGETS[4:], weights[4:])
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(delta, np.vstack([np.zeros((4, 2)), rest]), atol=1e-15)
    alone = np.where(np.arange(12) == 3, 1.0, 0.0)
    assert LOSS.evaluate(X[:, :2].copy(), TARGETS, alone)[0] == 1  # no neighbor of the class


def test_a_row_of_weight_three_is_three_rows():
    weights = np.array([3.0, 0.0, 1.5])
    index, each = copies(weights)
    assert index.tolist() == [0, 0, 0, 2, 2]
    assert each.tolist() == [1, 1, 1, 1, 0.5]
    z, w = X[:, :2], RNG.integers(0, 3, 12).astype(float)
    repeated = np.repeat(np.arange(12), w.astype(int))
    found = mean_score(z, TARGETS, w)
    expected = 1 - by_definition_of_classes(z[repeated], LABELS[repeated]).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(constant_loss(LABELS, w), constant_loss(LABELS[repeated]))
    fractions = w + 0.25
    losses = LOSS.of_rows(np.zeros((len(copies(fractions)[0]), 2)), TARGETS[copies(fractions)[0]])
    assert 0 < constant_loss(LABELS, fractions) < losses.max()


def by_definition_of_classes(z, labels):
    return np.where(np.isin(labels, [5]) & (np.sum(labels == 5) == 1), 1.0, _losses(z, labels))


def _losses(z, labels):
    near = np.exp(-np.square(z[:, None] - z).sum(axis=2))
    np.fill_diagonal(near, 0)
    return 1 - (near * (labels[:, None] == labels)).sum(axis=1) / near.sum(axis=1)


# Mixed with reconstructions -------------------------------------------------------------------

NO_LABEL = TARGETS.copy()
NO_LABEL[[1, 5, 6, 11]] = np.nan
SHARES = np.arange(1.0, 13) / 78


def mixed(share, loss=None, activation="tanh"):
    coder = Coder(
        (3, 2), (3,), (activation, "identity"), (activation,), neighborhoods=NeighborhoodCost(share)
    )
    return autoencoder(4, coder, Scaled(KnownEntries(loss or SquaredError()), 1 - share))


def theta_of(network):
    theta = network.pack(start(network, Key(3, 4), np.float64, columns_of(X)))
    return theta + 0.3 * np.random.default_rng(1).uniform(-1, 1, len(theta))


def objective(network, n_code, theta, share, weights):
    """By the definitions: labelled rows among themselves, and the squared error of all."""
    params = network.unpack(theta)
    z = Network(4, network.layers[:n_code], SquaredError()).linear(params[:n_code], X)
    known = ~np.isnan(NO_LABEL[:, 0])
    near = weights[known] * np.exp(-np.square(z[known][:, None] - z[known]).sum(axis=2))
    np.fill_diagonal(near, 0)
    same = LABELS[known][:, None] == LABELS[known]
    apart = weights[known] @ (1 - (near * same).sum(axis=1) / near.sum(axis=1))
    errors = np.square(network.linear(params, X) - X).sum(axis=1) / 2
    return share * apart + (1 - share) * weights @ errors


@pytest.mark.parametrize("block", [1, 30, 1000])
def test_the_cost_of_labelled_rows_is_the_definition(monkeypatch, block):
    monkeypatch.setattr(neighborhoods, "BLOCK_NUMBERS", block)
    assert_neighborhood_cost(NeighborhoodCost(0.3).labelled_cost)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_the_mixed_objective_is_the_definition(share):
    network, n_code = mixed(share)
    assert n_code == length_of_embedding(network)
    assert network.n_labels == 2
    theta = theta_of(network)
    step = network.back_propagate(
        network.unpack(theta),
        X,
        X,
        network.unpack(np.empty_like(theta)),
        weights=SHARES,
        labels=NO_LABEL,
    )
    expected = objective(network, n_code, theta, share, SHARES)
    np.testing.assert_allclose(step.loss + step.cost, expected, rtol=1e-12)


@pytest.mark.parametrize("loss", [SquaredError(), BinaryCrossEntropy()])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_slopes_of_the_mixed_objective(share, loss):
    network, _ = mixed(share, loss)
    theta, rows = theta_of(network), (X > 0).astype(float)
    cost = MeanCost(network, rows, NO_LABEL, 12 * SHARES, alpha=0.2)
    _, found = cost(theta)
    expected = slopes(lambda vector: cost(vector)[0], theta)
    for own in network.unpack(expected):
        for fixed in set(own._fields) & {"fill", "factor"}:
            getattr(own, fixed)[:] = 0
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)


def test_a_batch_has_the_gradient_of_all_rows():
    network, _ = mixed(0.4)
    theta = theta_of(network)
    gradient = network.unpack(np.empty_like(theta))
    bound = BackPropagation(0.2).bind(network, gradient, 12, 0)
    out = bound.rows(12)
    Rows(X, None, NO_LABEL, False).take(np.arange(12), 0, out)
    _, _, info = bound(network.unpack(theta), Batch(out), no_chains(np.float64), fold(Key(1, 2), 0))
    value, found = MeanCost(network, X, NO_LABEL, alpha=0.2)(theta)
    np.testing.assert_allclose(info.measured["loss"], value, rtol=1e-12)
    penalty = 0.2 / 12 * np.where(np.arange(len(theta)) < network.n_weights(gradient), theta, 0)
    np.testing.assert_allclose(network.pack(gradient), penalty - found, atol=1e-14)


def test_neighborhoods_alone_are_those_without_a_decoder_to_the_bit():
    network, n_code = mixed(1.0)
    theta = theta_of(network)
    params, gradient = network.unpack(theta), network.unpack(np.empty_like(theta))
    step = network.back_propagate(params, X, X, gradient, weights=SHARES, labels=TARGETS)
    plain = Network(4, network.layers[: n_code - 1], LOSS)
    alone = plain.unpack(np.empty(plain.n_parameters))
    same = plain.back_propagate(params[: n_code - 1], X, TARGETS, alone, weights=SHARES)
    assert step.cost == same.loss
    for found, expected in zip(gradient[: n_code - 1], alone, strict=True):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)
    assert all(not x.any() for own in gradient[n_code:] for x in own)


def test_rows_without_labels_reconstruct_only():
    network, _ = mixed(0.4)
    theta = theta_of(network)
    nothing = np.full_like(TARGETS, np.nan)
    one = nothing.copy()
    one[3] = 1
    found = [MeanCost(network, X, labels)(theta) for labels in (nothing, one)]
    np.testing.assert_array_equal(found[0][1], found[1][1])  # a row alone has no neighbors
    np.testing.assert_allclose(found[1][0] - found[0][0], 0.4 / 12, rtol=1e-12)
    with pytest.raises(ValueError, match="labels"):
        network.back_propagate(
            network.unpack(theta), X, X, network.unpack(np.empty_like(theta)), weights=SHARES
        )


def test_a_scaled_loss_is_a_multiple():
    z, t = X[:, :2], (X[:, 2:] > 0).astype(float)
    for loss in (SquaredError(), BinaryCrossEntropy()):
        multiple = Scaled(loss, 0.25)
        value, delta = multiple.evaluate(z.copy(), t)
        whole, by_z = loss.evaluate(z.copy(), t)
        np.testing.assert_allclose([value], [whole / 4])
        np.testing.assert_allclose(delta, by_z / 4)
        np.testing.assert_allclose(multiple.of_rows(z, t), loss.of_rows(z, t) / 4)
        np.testing.assert_allclose(multiple.second(z.copy(), t), loss.second(z.copy(), t) / 4)
        np.testing.assert_allclose(multiple.output(z.copy()), loss.output(z.copy()))
        np.testing.assert_allclose(multiple.least(t), loss.least(t) / 4)
        assert multiple.out_activation == loss.out_activation
