"""The checks of back-propagation and of its epochs reject the known-wrong, and accept a right one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ebm import MLPClassifier
from ebm._random import Key, fold
from ebm.networks.activations import Logistic, Tanh
from ebm.networks.dense import Dense
from ebm.networks.dropout import Dropout
from ebm.networks.layer import Context, Cost
from ebm.networks.losses import CrossEntropy, SquaredError
from ebm.networks.neighborhoods import NeighborhoodComponents
from ebm.networks.network import Network, Step, Tie
from ebm.networks.sparse_activity import SparseActivity
from tests.checks.back_propagation import (
    assert_epochs_of_momentum,
    assert_neighborhood_cost,
    assert_network_slopes,
    small_problem,
)
from tests.oracles import perceptron

KEY = Key(5, 6)
LAYERS = (Dense(3), Tanh(), Dropout(0.3), Dense(2), Logistic(), Dense(3))


def rejects(check, *args, **kwargs):
    with pytest.raises(AssertionError):
        check(*args, **kwargs)


# Slopes of whole networks ---------------------------------------------------------------------


@dataclass(frozen=True)
class PlainNetwork(Network):
    """Back-propagation once more; `slip` says what goes wrong."""

    slip: str = ""

    def back_propagate(self, params, x, targets, gradient, *, weights=None, key=None):
        values, saved = [x], []
        for k, (layer, own) in enumerate(zip(self.layers, params, strict=True)):
            y, kept = layer.forward(own, values[-1], Context(True, fold(key, k)))
            values.append(y)
            saved.append(kept)
        value, delta = self.loss.evaluate(values[-1].copy(), targets, weights)
        if self.slip == "weights left out on the way back":
            _, delta = self.loss.evaluate(values[-1].copy(), targets)
        if self.slip == "downhill":
            delta = -delta
        if self.slip == "a sum for a mean":
            delta = delta * len(x)
        for k in range(len(self.layers) - 1, -1, -1):
            kept = self._kept(saved, k, key)
            delta = self.layers[k].backward(params[k], kept, delta, gradient[k], k > 0)
            if self.slip == "bias gradient dropped" and isinstance(self.layers[k], Dense):
                gradient[k].bias[:] = 0
        if self.slip == "first layer left out":
            gradient[0].W[:] = 0
        return Step(value, "")

    def _kept(self, saved, k, key):
        if self.slip == "slope of another layer's values" and isinstance(self.layers[k], Tanh):
            return np.flip(saved[k], axis=0).copy()  # as wide, and not its own
        if self.slip == "another mask on the way back" and isinstance(self.layers[k], Dropout):
            return fold(key, 99), 0
        return saved[k]


SLIPS = [
    "bias gradient dropped",
    "slope of another layer's values",
    "another mask on the way back",
    "weights left out on the way back",
    "downhill",
    "a sum for a mean",
    "first layer left out",
]


@pytest.mark.parametrize("slip", SLIPS)
def test_differences_of_the_whole_gradient(slip):
    X, T, *_ = small_problem()
    weights = np.arange(1.0, 8) / 28
    right, wrong = (
        PlainNetwork(4, LAYERS, CrossEntropy()),
        PlainNetwork(4, LAYERS, CrossEntropy(), slip=slip),
    )
    theta = right.pack(right.drawn(KEY, np.float64))
    theta += 0.3 * np.random.default_rng(1).uniform(-1, 1, len(theta))
    assert_network_slopes(right, theta, X, T, weights=weights, key=KEY)
    rejects(assert_network_slopes, wrong, theta, X, T, weights=weights, key=KEY)


class Unjoined(Network):
    """Of a shared array only the owner's derivatives are followed."""

    def _join(self, apart, gradient):
        pass


@dataclass(frozen=True, repr=False)
class Unfelt(SparseActivity):
    """A cost that is shown, and not followed."""

    def cost(self, own, y, weights, mean):
        return super().cost(own, y, weights, mean)._replace(delta=None)


@pytest.mark.parametrize(
    ("kind", "cost"),
    [(Unjoined, SparseActivity()), (Network, Unfelt())],
)
def test_differences_of_networks_that_share_and_cost(kind, cost):
    X, *_ = small_problem()
    ties = (Tie(3, 0, transposed=True),)
    right, wrong = (
        make(4, (Dense(3), Logistic(), own, Dense(4)), SquaredError(), ties)
        for make, own in ((Network, SparseActivity()), (kind, cost))
    )
    theta = right.pack(right.drawn(KEY, np.float64))
    theta += 0.3 * np.random.default_rng(1).uniform(-1, 1, len(theta))
    assert_network_slopes(right, theta, X, X)
    rejects(assert_network_slopes, wrong, theta, X, X)


# Neighborhoods ------------------------------------------------------------------------------


def mistaken(slip):
    def labelled_cost(y, labels, weights):
        if slip == "unlabelled rows are a class":
            labels = np.nan_to_num(labels, nan=-1.0)
        known = ~np.isnan(labels[:, 0])
        w = weights[known]
        if slip == "weights of labelled rows sum to one":
            w = w / w.sum()
        if slip == "all neighbors weigh the same":
            equal = NeighborhoodComponents().of_rows(y[known], labels[known])
            return Cost(float(0.3 * w @ equal), None)
        value, delta = NeighborhoodComponents().evaluate(y[known].copy(), labels[known], w)
        whole = np.zeros_like(y)
        whole[known] = (1.0 if slip == "the share is left out on the way back" else 0.3) * delta
        return Cost(0.3 * value, -whole if slip == "uphill" else whole)

    return labelled_cost


@pytest.mark.parametrize(
    "slip",
    [
        "unlabelled rows are a class",
        "weights of labelled rows sum to one",
        "all neighbors weigh the same",
        "the share is left out on the way back",
        "uphill",
    ],
)
def test_the_cost_of_neighborhoods(slip):
    assert_neighborhood_cost(mistaken(""))
    rejects(assert_neighborhood_cost, mistaken(slip))


# Epochs --------------------------------------------------------------------------------------


def epochs_by_textbook(slip="", nesterov=False):
    descent = perceptron.Descent(3, 0.3, 0.9, nesterov, slip)

    def epoch(coefs, intercepts, X, T):
        settings = {"activation": "logistic", "loss": "cross_entropy", "alpha": 0.2}
        return descent.epoch(coefs, intercepts, X, T, **settings)

    return epoch


@pytest.mark.parametrize(
    "slip",
    [
        "no slopes by the biases",
        "slope at the inputs",
        "loss averaged over outputs too",
        "ragged batch divided by the batch size",
        "rate times the velocity",
        "mean over batches",
        "penalty on the biases",
        "penalty of all batches in each",
    ],
)
@pytest.mark.parametrize("nesterov", [False, True])
def test_epochs_by_hand(slip, nesterov):
    if slip == "rate times the velocity" and nesterov:
        slip = "momentum without looking ahead"
        wrong = epochs_by_textbook()
    else:
        wrong = epochs_by_textbook(slip, nesterov)
    assert_epochs_of_momentum(epochs_by_textbook(nesterov=nesterov), nesterov)
    rejects(assert_epochs_of_momentum, wrong, nesterov)


def epoch_of(mlp):
    """The epochs of an estimator, from given weights on."""

    def epoch(coefs, intercepts, X, T):
        if not hasattr(mlp, "coefs_"):
            mlp.set_params(max_iter=0).fit(X, T.argmax(axis=1))
            mlp.coefs_, mlp.intercepts_ = coefs, intercepts
        mlp.partial_fit(X, T.argmax(axis=1))
        return mlp.coefs_, mlp.intercepts_, mlp.loss_

    return epoch


RIGHT = {
    "hidden_layer_sizes": (3, 2),
    "activation": "logistic",
    "solver": "sgd",
    "nesterovs_momentum": False,
    "learning_rate_init": 0.3,
    "alpha": 0.2,
    "batch_size": 3,
    "shuffle": False,
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"shuffle": True, "random_state": 0},
        {"alpha": 0.1},
        {"batch_size": 4},
        {"nesterovs_momentum": True},
        {"momentum": 0.0},
        {"learning_rate": "invscaling"},
        {"activation": "tanh"},
        {"dropout": 0.1, "random_state": 0},
        {"batch_norm": True},
        {"solver": "adam"},
    ],
    ids=str,
)
def test_epochs_of_an_estimator_by_hand(wrong):
    assert_epochs_of_momentum(epoch_of(MLPClassifier(**RIGHT)))
    rejects(assert_epochs_of_momentum, epoch_of(MLPClassifier(**{**RIGHT, **wrong})))
