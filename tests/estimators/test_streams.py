"""Learning call by call for a long time: what is recorded grows, the work of a call does not."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from ebm import MLPClassifier, MLPRegressor

X = np.random.default_rng(0).random((4, 3))
Y = np.array([0, 1, 0, 1])


def streamed(kind, n_calls, network=None):
    network = kind(hidden_layer_sizes=2, random_state=0) if network is None else network
    choice = {"classes": [0, 1]} if kind is MLPClassifier else {}
    for _ in range(n_calls):
        network.partial_fit(X, Y, **choice)
    return network


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_the_history_is_not_copied_at_every_call(kind):
    network = streamed(kind, 1)
    rooms = []
    for _ in range(60):
        streamed(kind, 1, network)
        rooms.append(network.history_["loss"].base)
    assert len({id(room) for room in rooms}) <= 4
    assert len(network.loss_curve_) == len(network.history_["loss"]) == 61
    assert network.best_loss_ == min(network.loss_curve_)
    assert network.loss_ == network.loss_curve_[-1]


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_copies_do_not_write_into_each_others_history(kind, copied):
    network = streamed(kind, 20)
    other = copied(network)
    before = network.history_["loss"].copy()
    streamed(kind, 5, other)
    streamed(kind, 2, network)
    streamed(kind, 1, other)
    assert len(other.loss_curve_) == 26 and len(network.loss_curve_) == 22
    assert other.loss_curve_[:22] == network.loss_curve_
    assert network.loss_curve_[:20] == before.tolist()
    assert not hasattr(clone(network), "loss_curve_")


def test_a_refused_call_leaves_the_history():
    network = streamed(MLPRegressor, 20)
    with pytest.raises(ValueError, match="y"):
        network.partial_fit(X, [np.nan] * 4)
    streamed(MLPRegressor, 1, network)
    assert network.loss_curve_ == streamed(MLPRegressor, 21).loss_curve_


def test_a_history_that_somebody_has_set_goes_on():
    network = streamed(MLPRegressor, 3)
    network.history_ = {name: x[:2] for name, x in network.history_.items()}
    streamed(MLPRegressor, 1, network)
    assert len(network.loss_curve_) == 3
