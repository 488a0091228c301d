"""Optimal brain damage: second derivatives against plain loops and finite differences; masks that last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import sparse

from ebm import training
from ebm._batches import Rows
from ebm._random import Key
from ebm.gradients.back_propagation import BackPropagation, MeanCost
from ebm.gradients.base import no_chains
from ebm.networks import pruning
from ebm.networks.activations import ELU, Identity, LeakyReLU, Logistic, PReLU, ReLU, Softplus, Tanh
from ebm.networks.batch_norm import BatchNorm
from ebm.networks.dense import Dense
from ebm.networks.dropout import Dropout
from ebm.networks.layer import Layer
from ebm.networks.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    Poisson,
    SquaredError,
)
from ebm.networks.maxout import Maxout
from ebm.networks.network import Network
from ebm.networks.pruning import (
    input_shares,
    masks,
    prune_while_harmless,
    pruned,
    saliencies,
    second_derivatives,
)
from ebm.optimizers import SGD, Adam, Constant, Momentum, NormalizedMomentum, Regularization
from ebm.optimizers.lbfgs import lbfgs
from ebm.training import Plan
from tests.oracles import brain_damage

ROWS = 7
LOSSES = [SquaredError(), Huber(0.6), BinaryCrossEntropy(), CrossEntropy(), Poisson()]
exactly = pytest.mark.parametrize("levenberg_marquardt", [False, True])


def data(n_in, n_out, loss=None, seed=0):
    """Rows, targets of the kind that the loss is for, and weights that sum to one."""
    rng = np.random.default_rng(seed)
    X, t = rng.normal(size=(ROWS, n_in)), rng.uniform(size=(ROWS, n_out))
    if isinstance(loss, CrossEntropy):
        t = np.eye(n_out)[rng.integers(n_out, size=ROWS)]
    w = rng.uniform(0.5, 2, ROWS)
    return X, t, w / w.sum()


def some(network, seed=1, scale=1.0):
    """Parameters of which none is where training begins."""
    params = network.drawn(Key(seed, 2), np.float64)
    rng = np.random.default_rng(seed)
    theta = network.pack(params)
    theta += scale * 0.3 * rng.normal(size=theta.shape)
    params = network.unpack(theta)
    for layer, own in zip(network.layers, params, strict=True):
        if isinstance(layer, BatchNorm):
            own.variance[:] = rng.uniform(0.5, 2, own.variance.shape)
    return params


def true_diagonal(network, params, X, t, w, step=1e-5):
    """The diagonal of the Hessian of the mean loss: central differences of the exact gradient."""
    theta = network.pack(params)
    gradient = np.zeros_like(theta)
    views = network.unpack(gradient)
    diagonal = np.zeros_like(theta)
    for k in range(len(theta)):
        slopes = []
        for side in (-step, step):
            moved = theta.copy()
            moved[k] += side
            network.back_propagate(network.unpack(moved), X, t, views, weights=w)
            slopes.append(-gradient[k])
        diagonal[k] = (slopes[1] - slopes[0]) / (2 * step)
    return diagonal


# Against the true Hessian -------------------------------------------------------------------------------


@exactly
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_without_a_hidden_layer_the_diagonal_is_that_of_the_hessian(loss, levenberg_marquardt):
    network = Network(4, (Dense(3),), loss)
    params = some(network)
    X, t, w = data(4, 3, loss)
    found = second_derivatives(network, params, X, t, w, levenberg_marquardt=levenberg_marquardt)
    np.testing.assert_allclose(
        network.pack(found), true_diagonal(network, params, X, t, w), rtol=1e-6, atol=1e-8
    )


SMOOTH = [Logistic(), Tanh(), Softplus(), ELU(0.7), Identity(), PReLU(), LeakyReLU(0.2)]


@pytest.mark.parametrize("loss", [SquaredError(), BinaryCrossEntropy(), Poisson()], ids=repr)
@pytest.mark.parametrize("activation", SMOOTH, ids=repr)
def test_with_one_unit_in_each_hidden_layer_it_is_too(activation, loss):
    layers = (Dense(1), BatchNorm(), activation, Dropout(0.5), Dense(1), activation, Dense(2))
    network = Network(3, layers, loss)
    params = some(network)
    X, t, w = data(3, 2, loss)
    found = second_derivatives(network, params, X, t, w, levenberg_marquardt=False)
    truth = network.unpack(true_diagonal(network, params, X, t, w))
    norm, (mean, variance) = truth[1], found[1][2:]
    norm.mean[:], norm.variance[:] = 0, 0  # not learned by their derivatives
    assert not mean.any() and not variance.any()
    np.testing.assert_allclose(network.pack(found), network.pack(truth), rtol=1e-6, atol=1e-7)


def test_with_one_maxout_unit_it_is_too():
    network = Network(3, (Dense(3), Maxout(3), Dense(2)), SquaredError())
    params = some(network)
    X, t, w = data(3, 2)
    found = second_derivatives(network, params, X, t, w, levenberg_marquardt=False)
    truth = true_diagonal(network, params, X, t, w)
    np.testing.assert_allclose(network.pack(found), truth, rtol=1e-6, atol=1e-8)


# Against plain loops -------------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logistic(x):
    return sigmoid(x) * (1 - sigmoid(x))


FUNCTIONS = {
    Logistic: (sigmoid, logistic, lambda x: logistic(x) * (1 - 2 * sigmoid(x))),
    Tanh: (
        np.tanh,
        lambda x: 1 / np.cosh(x) ** 2,
        lambda x: -2 * np.tanh(x) / np.cosh(x) ** 2,
    ),
    Softplus: (lambda x: np.log1p(np.exp(x)), sigmoid, logistic),
    ReLU: (lambda x: max(x, 0.0), lambda x: float(x > 0), lambda x: 0.0),
}


def described(network, params):
    """The network as the oracle knows it."""
    found = []
    for layer, own in zip(network.layers, params, strict=True):
        if isinstance(layer, Dense):
            found.append(("dense", own.W.tolist(), own.bias.tolist()))
        elif isinstance(layer, BatchNorm):
            std = np.sqrt(own.variance + layer.epsilon)
            found.append(("batch_norm", own.gamma, own.beta, own.mean, std))
        elif isinstance(layer, Maxout):
            found.append(("maxout", layer.n_pieces))
        elif isinstance(layer, PReLU):
            found.append(("slopes", own.slope))
        elif not isinstance(layer, Dropout):
            found.append(("function", *FUNCTIONS[type(layer)]))
    return found


def slopes_of(loss):
    """First and second derivatives of a row's loss by its outputs."""
    if isinstance(loss, SquaredError):
        return (lambda z, t: np.array(z) - t), (lambda z, t: np.ones(len(z)))

    def p(z):
        e = np.exp(np.array(z) - max(z))
        return e / e.sum()

    return (lambda z, t: p(z) - t), (lambda z, t: p(z) * (1 - p(z)))


DEEP = [
    (Dense(5), Tanh(), Dense(4), Logistic(), Dense(3)),
    (Dropout(0.2), Dense(4), BatchNorm(), Softplus(), Dropout(0.5), Dense(4), PReLU(), Dense(3)),
    (Dense(6), Maxout(2), Dense(4), ReLU(), Dense(3)),
]


@exactly
@pytest.mark.parametrize("loss", [SquaredError(), CrossEntropy()], ids=repr)
@pytest.mark.parametrize("layers", DEEP, ids=lambda layers: type(layers[1]).__name__)
def test_deep_networks_follow_the_published_recursion(layers, loss, levenberg_marquardt):
    network = Network(4, layers, loss)
    params = some(network)
    X, t, w = data(4, 3, loss)
    found = second_derivatives(network, params, X, t, w, levenberg_marquardt=levenberg_marquardt)
    truth = brain_damage.second_derivatives(
        described(network, params),
        X,
        t,
        w,
        *slopes_of(loss),
        levenberg_marquardt=levenberg_marquardt,
    )
    given = iter(truth)
    for layer, own in zip(layers, found, strict=True):
        expected = () if isinstance(layer, Dropout) else next(given)
        for a, b in zip(own, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_blocks_sparse_rows_and_weights_make_no_difference(monkeypatch):
    network = Network(4, DEEP[0], CrossEntropy())
    params = some(network)
    X, t, _ = data(4, 3, CrossEntropy())
    X[X < 0] = 0
    repeats = np.array([1, 2, 0, 1, 3, 1, 1])
    plain = network.pack(
        second_derivatives(network, params, np.repeat(X, repeats, 0), np.repeat(t, repeats, 0))
    )
    monkeypatch.setattr(pruning, "BLOCK_NUMBERS", 8)
    for rows in (X, sparse.csr_array(X)):
        found = second_derivatives(network, params, rows, t, repeats.astype(float))
        np.testing.assert_allclose(network.pack(found), plain, rtol=1e-12)


def test_levenberg_and_marquardt_have_no_negative_ones():
    network = Network(4, DEEP[0], SquaredError())
    params, (X, t, w) = some(network), data(4, 3)
    t = t + 20  # far from the outputs: the terms left out are large
    full = network.pack(second_derivatives(network, params, X, t, w, levenberg_marquardt=False))
    assert full.min() < 0
    assert network.pack(second_derivatives(network, params, X, t, w)).min() >= 0


def test_single_precision_stays_single():
    network = Network(4, DEEP[0], CrossEntropy())
    params, (X, t, w) = some(network), data(4, 3, CrossEntropy())
    exact = {"levenberg_marquardt": False}
    wide = network.pack(second_derivatives(network, params, X, t, w, **exact))
    single = network.unpack(network.pack(params).astype(np.float32))
    X, t = X.astype(np.float32), t.astype(np.float32)
    found = network.pack(second_derivatives(network, single, X, t, w, **exact))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wide, rtol=2e-4, atol=1e-6)


@dataclass(frozen=True, repr=False)
class Wall(Layer):
    """A layer without second derivatives."""

    def forward(self, own, x, context):
        return x, None

    def backward(self, own, saved, delta, gradient, below):
        return delta


def test_a_layer_without_a_way_back_is_named():
    network = Network(2, (Wall(), Dense(1)), SquaredError())
    X, t, w = data(2, 1)
    with pytest.raises(ValueError, match=r"Wall\(\) has no way back"):
        second_derivatives(network, some(network), X, t, w)


# Saliencies, masks ---------------------------------------------------------------------------------------


def test_the_saliency_is_the_rise_of_a_quadratic_loss():
    # Linear network, squared loss, whitened inputs, at the minimum: the Hessian is diagonal, and the expansion exact.
    rng = np.random.default_rng(0)
    X = np.linalg.qr(rng.normal(size=(30, 3)))[0] * np.array([3.0, 4.0, 5.0])
    network = Network(3, (Dense(1),), SquaredError())
    params = some(network)
    params[0].bias[:] = 0
    t = X @ params[0].W  # fitted exactly
    found = saliencies(network, params, second_derivatives(network, params, X, t))
    for i in range(3):
        without = params[0].W.copy()
        without[i] = 0
        rise = network.mean_loss((params[0]._replace(W=without),), X, t)
        assert found[0][i, 0] == pytest.approx(rise, rel=1e-12)


def test_what_is_not_finite_is_told():
    network = Network(3, (Dense(1),), Poisson())
    params = some(network)
    params[0].bias[:] = 1e4
    X, t, w = data(3, 1)
    with pytest.raises(ValueError, match="not finite"):
        saliencies(network, params, second_derivatives(network, params, X, t, w))


def test_shares_of_inputs():
    saliency = [np.array([[1.0, 2.0], [0.0, 0.0], [-1.0, -2.0], [4.0, 1.0]]), np.ones((2, 9))]
    np.testing.assert_allclose(input_shares(saliency), [3 / 8, 0, 0, 5 / 8])
    np.testing.assert_array_equal(input_shares([np.zeros((2, 3))]), [0, 0])


def two_layers():
    network = Network(3, (Dense(4), Tanh(), Dense(2)), SquaredError())
    saliency = [np.arange(12.0).reshape(3, 4), 6.5 + np.arange(8.0).reshape(4, 2)]
    return network, some(network), saliency


def test_the_least_salient_weights_go():
    network, params, saliency = two_layers()
    fewer, own = pruned(network, params, saliency, 0.5)
    first, last = masks(fewer, own)
    np.testing.assert_array_equal(first, saliency[0] > 7)
    np.testing.assert_array_equal(last, saliency[1] > 8)
    np.testing.assert_array_equal(own[0].W, np.where(first, params[0].W, 0))
    np.testing.assert_array_equal(own[2].W, np.where(last, params[2].W, 0))
    np.testing.assert_array_equal(own[0].bias, params[0].bias)
    assert (params[0].W != 0).all(), "the parameters given were modified"
    assert network.layers[0].mask is None


def test_in_each_layer_by_itself():
    network, params, saliency = two_layers()
    fewer, own = pruned(network, params, saliency, 0.5, per_layer=True)
    first, last = masks(fewer, own)
    np.testing.assert_array_equal(first, saliency[0] > 5)
    np.testing.assert_array_equal(last, saliency[1] > 10)


def test_the_share_is_of_what_is_left_and_rounded_down():
    network, params, saliency = two_layers()
    fewer, own = pruned(network, params, saliency, 0.5)
    less, _ = pruned(fewer, own, saliency, 0.25)
    again, _ = pruned(less, own, saliency, 0.1)
    counts = [sum(m.sum() for m in masks(x, params)) for x in (network, fewer, less, again)]
    assert counts == [20, 10, 8, 8]
    assert (masks(less, own)[0] <= masks(fewer, own)[0]).all()
    assert not any(m.any() for m in masks(*pruned(network, params, saliency, 1.0)))


@pytest.mark.parametrize("fraction", [-0.1, 1.1, np.nan, "half"])
def test_the_share_is_a_share(fraction):
    with pytest.raises(ValueError, match="fraction must be a number in"):
        pruned(*two_layers(), fraction)


def test_masks_are_checked_and_named():
    mask = np.array([[True, False], [True, True]])
    assert repr(Dense(2)) == "Dense(n_out=2)"
    assert repr(Dense(2, mask=mask)).startswith("Dense(n_out=2) with mask 0x")
    assert repr(Dense(2, mask=mask)) != repr(Dense(2, mask=~mask))
    for wrong in (mask.astype(float), mask[:, :1]):
        with pytest.raises(ValueError, match="mask must hold truth values for 2 outputs"):
            Dense(2, mask=wrong)
    with pytest.raises(ValueError, match="cannot do without some of its weights"):
        Tanh().masked(mask)


def test_initial_weights_keep_to_the_mask():
    mask = np.array([[True, False], [False, True], [True, True]])
    own = Dense(2, mask=mask).initial(3, Key(1, 2), np.float64)
    np.testing.assert_array_equal(own.W != 0, mask)


# Training afterwards -------------------------------------------------------------------------------------

HELD = Regularization(l1=0.01, clip_norm=1.0, max_norm=2.0)
OPTIMIZERS = [SGD(), Momentum(0.9), Adam(), NormalizedMomentum()]


def learned(network, params, optimizer=None, epochs=3, state=None, **settings):
    """Training by batches; with a state, from what its optimiser remembers."""
    loss = network.loss
    X, t, _ = data(network.n_in, network.widths[-1], loss)
    plan = Plan(
        BackPropagation(0.1), optimizer or Momentum(0.9), Constant(), 0.1, 0.0, 3, 0, **settings
    )
    memory = None if state is None else state.memory
    state = training.begin(network, params, plan, no_chains(np.float64))
    if memory is not None:
        state.memory = memory
    assert training.train(state, Rows(X, None, t), plan, epochs) == ""
    return state


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_what_was_pruned_stays_at_zero_whatever_is_remembered_of_it(optimizer):
    network, params, _ = two_layers()
    state = learned(network, params, optimizer)
    X, t, w = data(3, 2)
    saliency = saliencies(network, state.params, second_derivatives(network, state.params, X, t, w))
    fewer, own = pruned(network, state.params, saliency, 0.5)
    remembered = learned(fewer, own, optimizer, state=state, regularization=HELD)
    for mask, before, after in zip(
        masks(fewer, own), fewer.weights(own), fewer.weights(remembered.params), strict=True
    ):
        assert not after[~mask].any()
        assert (after[mask] != before[mask]).all(), "nothing was learned"


def test_a_masked_gradient_is_the_gradient_of_the_masked_network():
    network, params, saliency = two_layers()
    fewer, own = pruned(network, params, saliency, 0.5)
    X, t, w = data(3, 2)
    gradients = []
    for one in (network, fewer):
        flat = np.zeros(one.n_parameters)
        one.back_propagate(own, X, t, one.unpack(flat), weights=w)
        gradients.append(one.unpack(flat))
    for mask, plain, found in zip(
        masks(fewer, own), *(network.weights(g) for g in gradients), strict=True
    ):
        np.testing.assert_array_equal(found, np.where(mask, plain, 0))
        assert plain[~mask].any()


def test_lbfgs_leaves_them_at_zero():
    network, params, saliency = two_layers()
    fewer, own = pruned(network, params, saliency, 0.5)
    X, t, _ = data(3, 2)
    found = lbfgs(MeanCost(fewer, X, t, alpha=0.1), fewer.pack(own), max_iter=20)
    for mask, w in zip(masks(fewer, own), fewer.weights(fewer.unpack(found.theta)), strict=True):
        assert not w[~mask].any() and w[mask].all()


# Rounds ---------------------------------------------------------------------------------------------------


def least(weights):
    return tuple(sorted(weights)[1:]) or None


def test_rounds_go_on_until_they_hurt():
    seen = []

    def learn(weights):
        seen.append(weights)
        return weights

    start = (1, 2, 4, 8)
    kept = prune_while_harmless(start, least, learn, lambda w: 15 - sum(w), tol=3, max_rounds=9)
    assert kept == (4, 8) and seen == [(2, 4, 8), (4, 8), (8,)]
    assert kept is seen[1]


def test_rounds_end_where_nothing_is_left_or_enough_was_done():
    def free(stage):
        return 0.0

    assert prune_while_harmless((1, 2), least, tuple, free, tol=0, max_rounds=9) == (2,)
    assert prune_while_harmless((1, 2, 3), least, tuple, free, tol=0, max_rounds=1) == (2, 3)
    assert prune_while_harmless((1, 2), least, tuple, lambda w: np.nan, tol=0, max_rounds=9) == (
        1,
        2,
    )


@pytest.mark.needs_jit
def test_half_of_an_oversized_network_is_not_missed():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 6))
    t = np.tanh(X[:, :1] - X[:, 1:2])  # four inputs say nothing
    network = Network(6, (Dense(20), Tanh(), Dense(1)), SquaredError())

    def learn(stage):
        one, own = stage
        found = lbfgs(MeanCost(one, X, t, alpha=1e-3), one.pack(own), max_iter=200)
        return one, one.unpack(found.theta)

    def remove(stage):
        saliency = saliencies(*stage, second_derivatives(*stage, X, t))
        return pruned(*stage, saliency, 0.3)

    def error(stage):
        return stage[0].mean_loss(stage[1], X, t)

    begun = learn((network, some(network, scale=0.1)))
    kept = prune_while_harmless(begun, remove, learn, error, tol=1e-4, max_rounds=6)
    assert error(kept) <= error(begun) + 1e-4
    assert sum(m.sum() for m in masks(*kept)) < 0.2 * 140
    shares = input_shares(saliencies(*kept, second_derivatives(*kept, X, t)))
    assert shares[:2].sum() > 0.999 and shares[:2].min() > 0.3
