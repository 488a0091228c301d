"""Training of networks as a whole: by batches or at once, in stages or in one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from ebm import training
from ebm._batches import Rows
from ebm._random import Key
from ebm.descent import Limits, Stages, fit_network, minimize_network
from ebm.gradients.back_propagation import BackPropagation, MeanCost
from ebm.gradients.base import no_chains
from ebm.monitors import Plateau
from ebm.networks.activations import Logistic
from ebm.networks.dense import Dense
from ebm.networks.growth import Growth, hidden_sizes
from ebm.networks.losses import BinaryCrossEntropy, SquaredError
from ebm.networks.network import Network, Tie
from ebm.networks.sparse_activity import SparseActivity
from ebm.optimizers import SGD, Adam, Constant
from ebm.optimizers.lbfgs import lbfgs
from ebm.training import Plan

KEY = Key(3, 4)
RNG = np.random.default_rng(0)
X = (RNG.random((40, 5)) < 0.4).astype(float)
T = X[:, :2] * X[:, 2:4]
CODER = Network(
    5,
    (Dense(3), Logistic(), SparseActivity(0.2), Dense(5)),
    BinaryCrossEntropy(),
    (Tie(3, 0, transposed=True),),
)
PLAIN = Network(5, (Dense(2), Logistic(), Dense(2)), SquaredError())


def plan(reconstructs=False, optimizer=None):
    gradient = BackPropagation(0.01, reconstructs)
    return Plan(gradient, optimizer or Adam(), Constant(), 0.05, 0.0, 8, 0)


def state_of(network, p):
    return training.begin(network, network.drawn(KEY, np.float64), p, no_chains(np.float64))


def test_without_growth_it_is_the_training_loop():
    p = plan()
    one, other = state_of(PLAIN, p), state_of(PLAIN, p)
    found, message = fit_network(one, Rows(X, targets=T), p, 5)
    assert found is one
    assert message == training.train(other, Rows(X, targets=T), p, 5)
    np.testing.assert_array_equal(one.theta, other.theta)


def test_an_autoencoder_is_trained_from_its_rows_alone():
    p, losses = plan(reconstructs=True), []
    state = state_of(CODER, p)
    state, message = fit_network(state, Rows(X), p, 60, [lambda r: losses.append(r.epoch)])
    assert message == "" and losses == [*range(1, 61)]
    loss = state.history["loss"]
    assert loss[-1] < loss[0] - 0.2
    params = state.params
    np.testing.assert_array_equal(params[3].W, params[0].W.T)


@pytest.mark.parametrize("max_epochs", [400, 30])
def test_stages_grow_the_network_and_share_the_epochs(max_epochs):
    p = plan(optimizer=SGD())
    plateau = Plateau("loss", tol=1e-3, patience=2)
    stages = Stages(Growth(n_new=1, max_units=5, tol=1e-4), plateau, seed=0)
    state, _ = fit_network(state_of(PLAIN, p), Rows(X, targets=T), p, max_epochs, [plateau], stages)
    assert len(state.history["loss"]) <= max_epochs
    (size,) = hidden_sizes(state.model)
    assert 2 <= size <= 5
    assert len(state.theta) == state.model.n_parameters


def test_a_search_is_lbfgs_on_all_rows():
    params = PLAIN.drawn(KEY, np.float64)
    limits = Limits(alpha=0.3, max_iter=30, tol=1e-5)
    search, message = minimize_network(PLAIN, params, (X, T, None), limits)
    cost = MeanCost(PLAIN, X, T, None, 0.3)
    found = lbfgs(cost, PLAIN.pack(params), max_iter=30, tol=1e-5, kinks=True)
    np.testing.assert_array_equal(PLAIN.pack(search.params), found.theta)
    assert (search.n_iter, search.cost) == (found.progress.n_iter, found.progress.cost)
    assert message == found.message


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_a_search_minimises_costs_and_shared_weights_too(form):
    params, told = CODER.drawn(KEY, np.float64), []
    limits = Limits(alpha=0.5, max_iter=800, tol=1e-7)
    search, message = minimize_network(
        CODER, params, (form(X), None, None), limits, tell=lambda at: told.append(at.cost)
    )
    assert message == ""
    assert len(told) == search.n_iter and told[-1] < told[0]
    value, slopes = MeanCost(CODER, X, None, None, 0.5)(CODER.pack(search.params))
    assert value == pytest.approx(search.cost, rel=1e-12)
    assert np.abs(slopes).max() < 1e-6


def test_iterations_are_those_of_all_stages():
    limits = Limits(max_iter=25, tol=1e-12)
    growth = Growth(n_new=1, max_units=6, tol=0.0)
    search, message = minimize_network(
        PLAIN, PLAIN.drawn(KEY, np.float64), (X, T, None), limits, growth=growth
    )
    assert search.n_iter <= 25
    assert "max_iter=25" in message or hidden_sizes(search.network) != (2,)


def test_shared_weights_do_not_grow():
    with pytest.raises(ValueError, match=r"Growth.*ties"):
        minimize_network(
            CODER, CODER.drawn(KEY, np.float64), (X, None, None), Limits(), growth=Growth()
        )
