"""Networks whose layers share arrays or cost something beside the loss, and that have their own rows as targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import pytest
from scipy import sparse

from ebm import training
from ebm._batches import Rows
from ebm._random import Key
from ebm.gradients import back_propagation as module
from ebm.gradients.back_propagation import BackPropagation, MeanCost
from ebm.gradients.base import no_chains
from ebm.networks.activations import ACTIVATIONS, Logistic
from ebm.networks.dense import Dense
from ebm.networks.dropout import Dropout
from ebm.networks.growth import grown
from ebm.networks.layer import Cost, Layer
from ebm.networks.losses import LOSSES, BinaryCrossEntropy, SquaredError
from ebm.networks.network import Network, Tie
from ebm.networks.pruning import second_derivatives
from ebm.networks.sparse_activity import SparseActivity
from ebm.optimizers import SGD, Adam, Constant
from ebm.optimizers.lbfgs import lbfgs
from ebm.training import Plan
from tests.checks.back_propagation import assert_network_slopes, slopes
from tests.oracles import networks as oracle

KEY = Key(3, 4)
N, M = 5, 3
RNG = np.random.default_rng(0)
X = (RNG.random((12, N)) < 0.4).astype(float)
WEIGHTS = np.array([1.0, 2, 0, 1, 3, 1, 2, 1, 1, 0.5, 1, 2])
TIED = (Tie(layer=3, of=0, transposed=True),)


class Scale(NamedTuple):
    scale: np.ndarray


@dataclass(frozen=True, repr=False)
class Contraction(Layer):
    """Logistic units whose slopes cost something: sum of (y (1 - y))^2 scale^2, with a scale that is learned."""

    parameters: ClassVar[type] = Scale
    has_cost: ClassVar[bool] = True
    keeps_output: ClassVar[bool] = True

    def shapes(self, n_in):
        return ((n_in,),)

    def initial(self, n_in, key, dtype):
        return Scale(np.ones(n_in, dtype))

    def forward(self, own, x, context):
        y = 1 / (1 + np.exp(-x))
        return y, y

    def backward(self, own, saved, delta, gradient, below):
        gradient.scale[:] = 0
        return delta * saved * (1 - saved)

    def cost(self, own, y, weights, mean):
        bend = y * (1 - y)
        shares = weights[:, np.newaxis]
        value = (shares * bend**2 * own.scale**2).sum()
        delta = -shares * 2 * bend * (1 - 2 * y) * own.scale**2
        return Cost(value, delta, Scale(-2 * own.scale * (shares * bend**2).sum(axis=0)))


def coder(loss=None, tied=True, cost=True, activation=None, n=N, m=M, **settings):
    """x -> f(xW + b) W' + c, with the cost of f's activity."""
    layers = (
        Dense(m),
        Logistic() if activation is None else activation,
        SparseActivity(**{"target": 0.2, "strength": 0.7, **settings}) if cost else Dropout(0.0),
        Dense(n),
    )
    return Network(n, layers, loss or BinaryCrossEntropy(), TIED if tied else ())


def theta_of(network, dtype=np.float64):
    theta = network.pack(network.drawn(KEY, dtype))
    theta += 0.4 * np.random.default_rng(1).uniform(-1, 1, len(theta)).astype(dtype)
    return theta


def state_of(network, theta, plan):
    return training.begin(network, network.unpack(theta), plan, no_chains(theta.dtype))


def plan(alpha=0.0, optimizer=None, rate=0.1, batch=12):
    gradient = BackPropagation(alpha, reconstructs=True)
    return Plan(gradient, optimizer or SGD(), Constant(), rate, 0.0, batch, 0)


# The flat vector ----------------------------------------------------------------------------------


def test_a_shared_array_is_there_once():
    tied, apart = coder(), coder(tied=False)
    assert apart.n_parameters - tied.n_parameters == N * M
    theta = theta_of(tied)
    params = tied.unpack(theta)
    assert np.shares_memory(params[0].W, params[3].W)
    np.testing.assert_array_equal(params[3].W, params[0].W.T)
    np.testing.assert_array_equal(tied.pack(params), theta)
    assert tied.n_weights(params) == N * M
    assert len(tied.weights(params)) == len(tied.max_norm_matrices(params)) == 1


def test_first_weights_are_shared_too():
    params = coder().drawn(KEY, np.float64)
    np.testing.assert_array_equal(params[3].W, params[0].W.T)


def test_arrays_are_shared_as_they_are():
    layers = (Dense(4), Logistic(), Dense(4), Logistic(), Dense(4), Logistic(), Dense(2))
    network = Network(4, layers, SquaredError(), (Tie(2, 0), Tie(4, 0), Tie(4, 2, name="bias")))
    theta, rng = theta_of(network), np.random.default_rng(2)
    params = network.unpack(theta)
    np.testing.assert_array_equal(params[4].W, params[0].W)
    assert len(theta) == 16 + 8 + 4 + 4 + 2
    assert_network_slopes(network, theta, rng.normal(size=(6, 4)), rng.normal(size=(6, 2)))


@pytest.mark.parametrize(
    "ties",
    [
        (Tie(3, 0),),  # not transposed
        (Tie(3, 1, name="W"),),  # no such parameter
        (Tie(9, 0),),
        (Tie(3, 0, True), Tie(3, 0, True)),
        (Tie(3, 0, True), Tie(0, 3, True)),
    ],
)
def test_ties_that_do_not_fit_are_refused(ties):
    with pytest.raises(ValueError, match="ties"):
        Network(N, coder().layers, SquaredError(), ties)


def test_shared_weights_are_neither_pruned_nor_grown():
    network = coder(cost=False)
    params = network.unpack(theta_of(network))
    with pytest.raises(ValueError, match=r"Pruning.*ties"):
        second_derivatives(network, params, X, X)
    with pytest.raises(ValueError, match=r"Growth.*ties"):
        grown(network, params, [1], KEY)


# Derivatives --------------------------------------------------------------------------------------


def sparse_for(name):
    """The cost where outputs are between 0 and 1; else that of logistic units on top of them."""
    return {"logistic": (SparseActivity(0.2, 0.7),)}.get(
        name, (Logistic(), SparseActivity(0.2, 0.7))
    )


@pytest.mark.needs_jit
@pytest.mark.parametrize("cost", [False, True])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_slopes(loss, activation, tied, cost):
    more = sparse_for(activation) if cost else ()
    layers = (Dense(M), ACTIVATIONS[activation](), *more, Dense(N))
    ties = (Tie(len(layers) - 1, 0, transposed=True),) if tied else ()
    network = Network(N, layers, LOSSES[loss](), ties)
    share = WEIGHTS / WEIGHTS.sum()
    assert_network_slopes(network, theta_of(network), X + 0.1, X, weights=share, key=KEY)


@pytest.mark.parametrize("tied", [False, True])
def test_slopes_of_a_cost_that_depends_on_parameters(tied):
    layers = (Dense(M), Contraction(), SparseActivity(0.3, 0.5), Dense(N))
    network = Network(N, layers, SquaredError(), TIED if tied else ())
    assert_network_slopes(network, theta_of(network), X, X, weights=WEIGHTS / WEIGHTS.sum())


def test_slopes_of_corrupted_inputs():
    layers = (Dropout(0.4), Dense(M), Logistic(), SparseActivity(), Dense(N))
    network = Network(N, layers, BinaryCrossEntropy(), (Tie(4, 1, transposed=True),))
    assert_network_slopes(network, theta_of(network), X, X, key=KEY)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["binary_cross_entropy", "squared_error"])
def test_the_objective_is_the_oracles(name, weighted):
    network = coder(LOSSES[name]())
    theta = theta_of(network)
    params = network.unpack(theta)
    share = WEIGHTS / WEIGHTS.sum() if weighted else None
    arrays = params[0].W, params[0].bias, params[3].bias
    loss, settings = getattr(oracle, name), (0.2, 0.7)
    wanted = oracle.autoencoder(X, X, *arrays, loss, share, settings)
    gradient = np.empty_like(theta)
    step = network.back_propagate(params, X, X, network.unpack(gradient), weights=share)
    np.testing.assert_allclose(step.loss + step.cost, wanted, rtol=1e-12)
    np.testing.assert_allclose(
        step.cost, wanted - oracle.autoencoder(X, X, *arrays, loss, share), rtol=1e-9
    )
    cost = MeanCost(network, X, None, WEIGHTS if weighted else None)
    value, by_all = cost(theta)
    np.testing.assert_allclose(value, wanted, rtol=1e-12)
    np.testing.assert_allclose(by_all, -gradient, rtol=0, atol=1e-13)

    def objective(vector):
        own = network.unpack(vector)
        return oracle.autoencoder(X, X, own[0].W, own[0].bias, own[3].bias, loss, share, settings)

    np.testing.assert_allclose(by_all, slopes(objective, theta), rtol=0, atol=1e-8)


def test_single_precision_stays_and_is_right():
    network, found = coder(), {}
    for dtype in (np.float32, np.float64):
        theta = theta_of(network, np.float32).astype(dtype)
        rows, found[dtype] = X.astype(dtype), np.empty_like(theta)
        network.back_propagate(network.unpack(theta), rows, rows, network.unpack(found[dtype]))
    np.testing.assert_allclose(found[np.float32], found[np.float64], rtol=0, atol=1e-5)


def test_a_cost_beyond_all_bounds_is_named():
    network = coder(activation=ACTIVATIONS["identity"]())
    theta = theta_of(network)
    step = network.back_propagate(network.unpack(theta), X, X, network.unpack(np.empty_like(theta)))
    assert step.where == "the cost of layer 1 (SparseActivity 3-3)"


# All rows and batches -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("n_block", [1, 5, 100])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_cost_of_all_rows_does_not_depend_on_the_blocks(monkeypatch, form, n_block, weighted):
    weights = WEIGHTS if weighted else None
    network = coder()
    theta = theta_of(network)
    wanted, by_all = MeanCost(network, X, None, weights, alpha=0.3)(theta)
    monkeypatch.setattr(module, "BLOCK_NUMBERS", N * n_block)
    value, found = MeanCost(network, form(X), None, weights, alpha=0.3)(theta)
    np.testing.assert_allclose(value, wanted, rtol=1e-13)
    np.testing.assert_allclose(found, by_all, rtol=0, atol=1e-13)


@pytest.mark.needs_jit
def test_lbfgs_and_updates_by_all_rows_end_at_the_same_minimum():
    network = coder()
    theta, cost = theta_of(network), MeanCost(network, X, None, alpha=0.5)
    found = lbfgs(cost, theta, tol=1e-9, max_iter=2000)
    assert found.message == ""
    assert found.progress.cost < cost(theta)[0] - 0.1
    p = plan(alpha=0.5, rate=0.3)
    state = state_of(network, found.theta.copy(), p)
    assert training.train(state, Rows(X), p, 50) == ""
    np.testing.assert_allclose(state.theta, found.theta, rtol=0, atol=1e-7)
    np.testing.assert_allclose(state.history["loss"][-1], found.progress.cost, rtol=1e-12)
    apart = state_of(network, theta, p)
    training.train(apart, Rows(X), p, 3)
    losses = apart.history["loss"]
    assert losses[0] == pytest.approx(cost(theta)[0], rel=1e-12)
    assert losses[2] < losses[1] < losses[0]


def test_the_cost_brings_the_activity_to_its_target():
    means = []
    for strength in (0.0, 3.0):
        network = coder(strength=strength)
        found = lbfgs(MeanCost(network, X, None, alpha=0.1), theta_of(network), max_iter=300)
        *_, hidden, _ = network.outputs(network.unpack(found.theta), X)
        means.append(hidden.mean(axis=0))
    assert np.abs(means[1] - 0.2).max() < 0.1 < np.abs(means[0] - 0.2).max()


@pytest.mark.parametrize("optimizer", [SGD(), Adam()], ids=lambda x: type(x).__name__)
def test_rows_are_their_own_targets(optimizer):
    network = coder()
    theta, own = theta_of(network), plan(optimizer=optimizer, batch=5)
    beside = own._replace(gradient=BackPropagation())
    found = []
    for p, rows in ((own, Rows(X, shuffle=False)), (beside, Rows(X, None, X, shuffle=False))):
        state = state_of(network, theta, p)
        assert training.train(state, rows, p, 3) == ""
        found.append((state.theta, state.history["loss"]))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_sparse_rows_stay_sparse_through_the_first_layer():
    seen = []

    class Seen(Dense):
        def forward(self, own, x, context):
            seen.append(type(x))
            return super().forward(own, x, context)

    thin = (np.random.default_rng(3).random((40, 30)) < 0.05).astype(float)
    layers = (Seen(M), Logistic(), SparseActivity(0.2), Dense(30))
    network = Network(30, layers, BinaryCrossEntropy(), (Tie(3, 0, transposed=True),))
    theta, p, found = theta_of(network), plan(batch=10), []
    for rows in (thin, sparse.csr_array(thin)):
        state = state_of(network, theta, p)
        assert training.train(state, Rows(rows), p, 2) == ""
        found.append(state.theta)
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-12)
    assert {np.ndarray, sparse.csr_array} == set(seen)


def test_a_network_of_other_outputs_than_inputs_does_not_reconstruct():
    network = Network(N, (Dense(M),), SquaredError())
    p = plan()
    with pytest.raises(ValueError, match="5 inputs and 3 outputs"):
        training.train(state_of(network, theta_of(network), p), Rows(X), p, 1)
