"""ebm.gradients.back_propagation in the training loop: whole updates against differences and the textbook."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import sparse

from ebm import training
from ebm._batches import Rows
from ebm._random import Key, fold, stream
from ebm.energies.bipartite import Bipartite
from ebm.gradients import ContrastiveDivergence
from ebm.gradients import back_propagation as module
from ebm.gradients.back_propagation import BackPropagation, MeanCost
from ebm.gradients.base import no_chains
from ebm.networks import activations
from ebm.networks.batch_norm import BatchNorm
from ebm.networks.dense import Dense, DenseParameters
from ebm.networks.dropout import Dropout
from ebm.networks.feed_forward import Architecture, perceptron
from ebm.networks.losses import CrossEntropy, Huber, SquaredError
from ebm.networks.network import Network
from ebm.optimizers import SGD, Adam, Constant, InverseScaling, Momentum, Nesterov, Regularization
from ebm.optimizers.lbfgs import lbfgs
from ebm.training import Plan
from ebm.units import Bernoulli
from tests.checks.back_propagation import (
    assert_epochs_of_momentum,
    slopes,
    small_problem,
)
from tests.oracles import perceptron as oracle

KEY = Key(5, 6)
RICH = (
    Dropout(0.2),
    Dense(4),
    BatchNorm(),
    activations.PReLU(),
    Dropout(0.4),
    Dense(3),
    activations.ELU(),
    Dense(3),
)


def plan(alpha=0.0, optimizer=None, rate=0.1, batch=3, seed=0, schedule=None, **held):
    return Plan(
        BackPropagation(alpha),
        optimizer or SGD(),
        schedule or Constant(),
        rate,
        0.0,
        batch,
        seed,
        Regularization(**held),
    )


def state_of(network, params, p):
    return training.begin(network, params, p, no_chains(params[-1].bias.dtype))


def rich_problem(dtype=np.float64):
    network = Network(4, RICH, CrossEntropy())
    theta = network.pack(network.drawn(KEY, np.float64))
    theta += 0.3 * np.random.default_rng(1).uniform(-1, 1, len(theta))
    X, T, *_ = small_problem()
    return network, theta.astype(dtype), X.astype(dtype), T.astype(dtype)


# One update ----------------------------------------------------------------------------------

HELD = {
    "nothing": {},
    "alpha": {"alpha": 0.7},
    "l1": {"l1": 0.05},
    "clip_value": {"clip_value": 0.02},
    "clip_norm": {"clip_norm": 0.1},
    "max_norm": {"max_norm": 0.9},
    "all": {"alpha": 0.7, "l1": 0.05, "clip_value": 0.02, "clip_norm": 0.1, "max_norm": 0.9},
}


WEIGHTS = np.array([1.0, 2, 0, 1, 3, 1, 2])


def norm_of_columns(W):
    return np.sqrt((W**2).sum(axis=0))


def held_back(g, theta, n_weights, n_rows, alpha=0.0, l1=0.0, clip_value=np.inf, clip_norm=np.inf):
    """What is followed uphill, by the definitions."""
    g = g * min(1.0, clip_norm / np.sqrt((g**2).sum()))
    g = np.clip(g, -clip_value, clip_value)
    penalised = np.arange(len(g)) < n_weights
    return g - penalised * (alpha / n_rows * theta + l1 * np.sign(theta))


@cache
def uphill(weighted):
    """Slopes of minus the loss in the first update, and by how much the running moments follow its rows."""
    network, theta, X, T = rich_problem()
    share = WEIGHTS / WEIGHTS.sum() if weighted else None
    key = fold(stream(0, "negative"), 0)

    def looked(vector):
        vector = vector.copy()
        unused = network.unpack(np.empty_like(vector))
        step = network.back_propagate(network.unpack(vector), X, T, unused, weights=share, key=key)
        return -step.loss, vector

    g = slopes(lambda vector: looked(vector)[0], theta)
    for own in network.unpack(g):  # running moments go their own way
        for moment in set(own._fields) & {"mean", "variance"}:
            getattr(own, moment)[:] = 0
    return g, looked(theta)[1] - theta


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("held", HELD)
def test_an_update_follows_the_slopes_and_what_holds_them_back(held, weighted):
    network, theta, X, T = rich_problem()
    settings, rate = dict(HELD[held]), 0.5
    p = plan(rate=rate, **settings)
    weights = WEIGHTS if weighted else None
    state = state_of(network, network.unpack(theta), p)
    n_weights = network.n_weights(state.params)
    g, followed = uphill(weighted)
    limit = settings.pop("max_norm", np.inf)
    expected = theta + rate * held_back(g, theta, n_weights, len(X), **settings) + followed
    for W in network.max_norm_matrices(network.unpack(expected)):
        W *= np.minimum(1, limit / norm_of_columns(W))
    assert training.single_update(state, np.hstack([X, T]), weights, p) == ""
    np.testing.assert_allclose(state.theta, expected, atol=1e-6)
    if held == "nothing":
        return
    without = theta + rate * g + followed
    assert np.abs(without - expected).max() > 1e-2, "the case must not be one in which it is idle"


def test_all_weights_of_a_unit_are_within_max_norm_after_every_update():
    network, theta, X, T = rich_problem()
    p = plan(rate=2.0, max_norm=0.5)
    state = state_of(network, network.unpack(theta), p)
    training.train(state, Rows(X, targets=T), p, 3)
    norms = np.concatenate([norm_of_columns(W) for W in network.max_norm_matrices(state.params)])
    assert norms.max() <= 0.5 * (1 + 1e-12)
    assert norms.max() > 0.49


# Epochs --------------------------------------------------------------------------------------


def textbook_network(activation, loss, n_outputs=3):
    return perceptron(4, Architecture((3, 2), (activation,) * 2, (0.0,) * 3), n_outputs, loss)


def params_of(network, coefs, intercepts):
    pairs = zip(coefs, intercepts, strict=True)
    return tuple(
        DenseParameters(*next(pairs)) if isinstance(layer, Dense) else layer.parameters()
        for layer in network.layers
    )


def epochs(network, coefs, intercepts, X, T, p, n_epochs=1):
    """Weights, biases and losses after epochs in stored order."""
    state = state_of(network, params_of(network, coefs, intercepts), p)
    assert training.train(state, Rows(X, targets=T, shuffle=False), p, n_epochs) == ""
    dense = [own for own in state.params if own]
    return [own.W for own in dense], [own.bias for own in dense], state.history["loss"]


@pytest.mark.parametrize("activation", sorted(oracle.HIDDEN))
@pytest.mark.parametrize("loss", [CrossEntropy(), SquaredError()], ids=lambda x: type(x).__name__)
def test_epochs_are_those_of_the_textbook(activation, loss):
    X, T, coefs, intercepts = small_problem()
    network = textbook_network(activation, loss)
    rate = 0.05
    p = plan(alpha=0.2, rate=rate)
    *ours, losses = epochs(network, coefs, intercepts, X, T, p, n_epochs=3)
    descent, shown = oracle.Descent(3, rate), []
    name = "cross_entropy" if isinstance(loss, CrossEntropy) else "squared_error"
    theirs = coefs, intercepts
    for _ in range(3):
        *theirs, value = descent.epoch(*theirs, X, T, activation=activation, loss=name, alpha=0.2)
        shown.append(value)
    for mine, right in zip([*ours[0], *ours[1]], [*theirs[0], *theirs[1]], strict=True):
        np.testing.assert_allclose(mine, right, atol=1e-12, rtol=0)
    if isinstance(loss, CrossEntropy):
        np.testing.assert_allclose(losses, shown, rtol=1e-13)


@pytest.mark.parametrize(
    "optimizer", [Momentum(0.9), Nesterov(0.9)], ids=lambda x: type(x).__name__
)
def test_momentum_goes_on_from_epoch_to_epoch(optimizer):
    network = textbook_network("logistic", CrossEntropy())
    p = plan(alpha=0.2, rate=0.3, optimizer=optimizer)
    _, _, coefs, intercepts = small_problem()
    state = state_of(network, params_of(network, coefs, intercepts), p)

    def epoch(coefs, intercepts, X, T):
        training.train(state, Rows(X, targets=T, shuffle=False), p, 1)
        dense = [own for own in state.params if own]
        return [x.W for x in dense], [x.bias for x in dense], state.history["loss"][-1]

    assert_epochs_of_momentum(epoch, isinstance(optimizer, Nesterov))


def test_the_loss_that_is_shown_of_several_outputs_is_a_mean_and_its_slopes_are_those_of_the_sum():
    X, T, coefs, intercepts = small_problem()
    alpha, n = 0.6, len(X)
    p = plan(alpha=alpha, batch=n)
    for loss, divided in ((SquaredError(), 3), (Huber(100.0), 3), (CrossEntropy(), 1)):
        network = textbook_network("tanh", loss)
        *_, losses = epochs(network, coefs, intercepts, X, T, p)
        params = params_of(network, coefs, intercepts)
        squares = sum((W**2).sum() for W in coefs)
        expected = network.mean_loss(params, X, T) / divided + alpha / (2 * n) * squares
        np.testing.assert_allclose(losses, [expected], rtol=1e-13)


@pytest.mark.parametrize("optimizer", [SGD(), Adam()], ids=lambda x: type(x).__name__)
def test_whole_weights_are_repetitions(optimizer):
    X, T, coefs, intercepts = small_problem()
    weights = np.array([1, 2, 0, 1, 3, 1, 2])
    index = np.repeat(np.arange(7), weights)
    network = textbook_network("tanh", CrossEntropy())
    p = plan(alpha=0.3, optimizer=optimizer, batch=4)
    thetas, losses = [], []
    cases = [
        Rows(X, weights, T),
        Rows(X[index], None, T[index]),
        Rows(X[index[::-1]], None, T[index[::-1]]),
    ]
    for rows in cases:
        state = state_of(network, params_of(network, coefs, intercepts), p)
        training.train(state, rows, p, 3)
        thetas.append(state.theta)
        losses.append(state.history["loss"])
    for theta, loss in zip(thetas[1:], losses[1:], strict=True):
        np.testing.assert_array_equal(theta, thetas[0])
        assert loss == losses[0]


def test_equal_inputs_with_other_targets_are_other_rows():
    """The order of an epoch is that of features and targets together."""
    X = np.ones((6, 2))
    T = np.arange(6.0)[:, np.newaxis]
    order = np.array([3, 5, 0, 1, 4, 2])
    key = Key(1, 2)
    first, second = Rows(X, targets=T), Rows(X[order], targets=T[order])
    index, _ = first.epoch(key)
    np.testing.assert_array_equal(T[index], T[order][second.epoch(key)[0]])
    assert first.fingerprint == second.fingerprint
    assert first.fingerprint != Rows(X, targets=T + 1).fingerprint
    assert first.fingerprint != Rows(X).fingerprint
    assert Rows(T, targets=X).fingerprint != Rows(X, targets=T).fingerprint


def test_stored_order_is_part_of_what_the_rows_are():
    X, T, *_ = small_problem()
    kept = Rows(X, targets=T, shuffle=False)
    np.testing.assert_array_equal(kept.epoch(Key(1, 2))[0], np.arange(7))
    np.testing.assert_array_equal(kept.epoch(Key(9, 2))[0], np.arange(7))
    weighted = Rows(X, [1, 2, 0, 1, 1, 1.5, 1], T, shuffle=False)
    index, w = weighted.epoch(Key(1, 2))
    np.testing.assert_array_equal(index, [0, 1, 1, 3, 4, 5, 5, 6])
    np.testing.assert_array_equal(np.bincount(index, w), [1, 2, 0, 1, 1, 1.5, 1])
    turned = Rows(X[::-1], targets=T[::-1], shuffle=False)
    assert turned.fingerprint != kept.fingerprint
    assert Rows(X[::-1], targets=T[::-1]).fingerprint == Rows(X, targets=T).fingerprint


@pytest.mark.parametrize(
    "form", [np.asarray, sparse.csr_matrix, sparse.csr_array, np.asfortranarray]
)
@pytest.mark.parametrize("contiguous", [True, False])
def test_rows_are_followed_by_their_targets(form, contiguous):
    X, T, *_ = small_problem()
    rows = Rows(form(X), targets=T)
    assert rows.n_columns == 7 and len(rows) == 7
    out = np.empty((3, 7)) if contiguous else np.empty((7, 3)).T
    rows.gather(np.array([5, 0, 5]), out)
    np.testing.assert_array_equal(out, np.hstack([X, T])[[5, 0, 5]])
    some = rows.some(7, Key(1, 2))
    np.testing.assert_array_equal(np.sort(some, axis=0), np.sort(np.hstack([X, T]), axis=0))


def test_the_rate_of_inverse_scaling_falls_after_each_epoch():
    schedule = InverseScaling(7, 0.5)
    factors = [schedule.factor(t, 5) for t in (0, 0.4, 0.99, 1, 1.5, 2)]
    np.testing.assert_allclose(factors, [1, 1, 1, 8**-0.5, 8**-0.5, 15**-0.5], rtol=1e-15)
    later = InverseScaling(7, 0.5, seen=21)
    np.testing.assert_allclose([later.factor(t, 5) for t in (0, 1)], [22**-0.5, 29**-0.5])


# All rows at once ----------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("n_block", [1, 3, 100])
def test_the_cost_of_all_rows_and_its_slopes(monkeypatch, form, weighted, n_block):
    monkeypatch.setattr(module, "BLOCK_NUMBERS", 4 * n_block)
    X, T, coefs, intercepts = small_problem()
    network = textbook_network("tanh", CrossEntropy())
    params = params_of(network, coefs, intercepts)
    weights = np.array([1.0, 2.5, 0, 1, 0, 0, 2]) if weighted else None
    total = 7 if weights is None else weights.sum()
    cost = MeanCost(network, form(X), T, weights, alpha=0.4)
    theta = network.pack(params)
    value, gradient = cost(theta)
    squares = sum((W**2).sum() for W in coefs)
    share = None if weights is None else weights / total
    expected = network.mean_loss(params, X, T, share) + 0.4 / (2 * total) * squares
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(gradient, slopes(lambda t: cost(t)[0], theta), atol=1e-8)
    np.testing.assert_array_equal(theta, network.pack(params))


def test_the_minimum_of_a_linear_network_is_that_of_the_normal_equations():
    """No hidden layers, squared error: X'(Xw + b - y) + alpha w = 0, sum (Xw + b - y) = 0."""
    X, T, *_ = small_problem()
    network, alpha = Network(4, (Dense(3),), SquaredError()), 0.8
    found = lbfgs(MeanCost(network, X, T, None, alpha), np.zeros(15), tol=1e-10, max_iter=1000)
    centred = X - X.mean(axis=0)
    W = np.linalg.solve(centred.T @ centred + alpha * np.eye(4), centred.T @ T)
    own = network.unpack(found.theta)[0]
    np.testing.assert_allclose(own.W, W, atol=1e-8)
    np.testing.assert_allclose(own.bias, (T - X @ W).mean(axis=0), atol=1e-8)


# What goes wrong -----------------------------------------------------------------------------


def test_weights_go_back_to_before_the_epoch_in_which_the_loss_ceased_to_be_finite():
    X, T, coefs, intercepts = small_problem()
    network = textbook_network("identity", SquaredError())
    p = plan(rate=0.005, batch=1, optimizer=Momentum(0.5))
    state = state_of(network, params_of(network, coefs, intercepts), p)
    rows = Rows(X, targets=T)
    training.train(state, rows, p, 2)
    before, steps = state.theta.copy(), state.n_steps
    reason = training.train(state, rows, p._replace(learning_rate=1e30), 3)
    np.testing.assert_array_equal(state.theta, before)
    assert steps == 14 and all(not part.any() for part in state.memory)
    assert "training diverged in epoch 1 at learning rate 1e+30" in reason
    assert "layer" in reason and "(Dense" in reason and "clip_norm" in reason
    assert len(state.history["loss"]) == 2
    assert training.train(state, rows, p, 1) == ""  # and it can go on


def test_a_diverged_epoch_takes_running_moments_back_too():
    network, theta, X, T = rich_problem()
    p = plan(rate=1e200)
    state = state_of(network, network.unpack(theta), p)
    assert "diverged" in training.train(state, Rows(X, targets=T), p, 2)
    np.testing.assert_array_equal(state.theta, theta)


def test_the_epoch_that_led_to_parameters_of_no_use_is_undone():
    """One batch is an epoch: the first update is finite, and what it leads to is not."""
    X, T, coefs, intercepts = small_problem()
    network = textbook_network("identity", SquaredError())
    p = plan(rate=1e150, batch=7)
    state = state_of(network, params_of(network, coefs, intercepts), p)
    before = state.theta.copy()
    reason = training.train(state, Rows(X, targets=T), p, 5)
    assert "diverged in epoch 2" in reason
    assert "The parameters from before epoch 1, which led there, are kept" in reason
    np.testing.assert_array_equal(state.theta, before)


def test_an_update_that_only_matrices_of_derivatives_make_infinite_is_named():
    """Where tanh brings back what is infinite, its slope is zero and its input is not finite: zero times infinity."""
    layers = (Dense(1), activations.ReLU(), Dense(1), activations.Tanh(), Dense(1))
    network = Network(1, layers, SquaredError())
    theta = network.pack(network.drawn(KEY, np.float64))
    params = network.unpack(theta)
    params[0].W[:] = 1e200
    params[2].W[:] = 1.0
    p = plan(batch=1)
    state = state_of(network, params, p)
    reason = training.train(state, Rows(np.full((1, 1), 1e200), targets=np.ones((1, 1))), p, 1)
    assert "derivatives by the parameters of layer 2 (Dense 1-1) grew beyond all" in reason
    np.testing.assert_array_equal(state.theta, theta)


def test_what_is_not_finite_is_no_cost():
    network = Network(1, (Dense(1),), SquaredError())
    cost = MeanCost(network, np.full((2, 1), 1e200), np.ones((2, 1)))
    value, gradient = cost(np.array([1e200, 0.0]))
    assert np.isnan(value) and np.isnan(gradient).all()
    assert cost.where == "the outputs of layer 1 (Dense 1-1)"
    assert np.isfinite(cost(np.array([1e-200, 0.0]))[0]) and cost.where == ""
    found = lbfgs(cost, np.array([1e200, 0.0]))
    np.testing.assert_array_equal(found.theta, [1e200, 0.0])
    assert np.isnan(found.progress.cost) and found.message


def test_penalties_have_to_be_finite_and_not_negative():
    for alpha in (-1.0, np.nan, np.inf, "1"):
        with pytest.raises(ValueError, match="alpha must be a number"):
            BackPropagation(alpha)


def test_gradients_and_models_that_do_not_belong_together():
    with pytest.raises(ValueError, match="BackPropagation is for networks"):
        BackPropagation().bind(Bipartite(Bernoulli(), Bernoulli()), None, 1, 0)
    network, theta, X, T = rich_problem()
    p = plan()._replace(gradient=ContrastiveDivergence())
    with pytest.raises((ValueError, TypeError, AttributeError)):
        training.train(state_of(network, network.unpack(theta), p), Rows(X, targets=T), p, 1)
