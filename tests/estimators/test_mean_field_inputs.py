"""Networks that take in the mean-field state of the second hidden layer of a deep Boltzmann machine."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from ebm import DBM, DBN, RBM, BernoulliRBM, Checkpoint, GaussianRBM, MLPClassifier, MLPRegressor
from ebm.gradients.back_propagation import MeanCost
from tests.estimators.stacks import Interrupt

RNG = np.random.default_rng(0)
X = (RNG.random((40, 6)) < RNG.choice([0.2, 0.8], (40, 1))).astype(float)
Y = (X.sum(axis=1) > 3).astype(int)
FEW = {"n_iter": 5, "random_state": 0}
ENDLESS = {"n_iter_no_change": np.inf, "random_state": 0}


def network(layers=(5, 4), max_iter=0, kind=MLPClassifier, **settings):
    machine = DBM(layers, learning_rate=0.1, **FEW)
    return kind(
        pretraining=machine, mean_field_inputs=True, max_iter=max_iter, **{**ENDLESS, **settings}
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layers", [(5, 4), (5, 4, 3)])
def test_the_first_hidden_layer_begins_as_the_mean_field(layers, dtype):
    mlp = network(layers).fit(X.astype(dtype), Y)
    machine = mlp.pretraining_
    W, V, *_ = machine.coefs_
    assert mlp.coefs_[0].dtype == dtype
    np.testing.assert_array_equal(mlp.coefs_[0], np.vstack([W, V.T]))
    np.testing.assert_array_equal(mlp.intercepts_[0], machine.intercepts_[1])
    means = machine.mean_field(X.astype(dtype), n_sweeps=1000)
    assert means.converged.all()
    inputs = np.hstack([X, means.layers[1]]).astype(dtype)
    first = list(mlp.network_.outputs(mlp.layer_params_, inputs))[1]
    np.testing.assert_allclose(first, means.layers[0], rtol=0, atol=1e-3)
    # Without these inputs it is one pass with doubled weights, which is another state.
    plain = clone(mlp).set_params(mean_field_inputs=False).fit(X.astype(dtype), Y)
    other = list(plain.network_.outputs(plain.layer_params_, X.astype(dtype)))[1]
    assert abs(other - means.layers[0]).max() > 0.01
    assert mlp.n_features_in_ == 6 and len(mlp.coefs_[0]) == 10


def test_units_of_other_types_are_read_as_the_machine_reads_them():
    reals = RNG.normal(size=(40, 3)) * 3
    dbm = DBM(
        [GaussianRBM(4, n_iter=3), RBM(3, visible="bernoulli", hidden="spin", n_iter=3)], **FEW
    )
    mlp = MLPRegressor(pretraining=dbm, mean_field_inputs=True, max_iter=0, **ENDLESS).fit(
        reals, X[:, 0]
    )
    machine = mlp.pretraining_
    means = machine.mean_field(reals, n_sweeps=2000, tol=1e-9)
    variance = np.exp(machine.layer_params_[0]["log_variance"])
    (W, V), (_, c, _) = machine.coefs_, machine.intercepts_
    h = expit(reals / variance @ W + means.layers[1] @ V.T + c)
    np.testing.assert_allclose(h, means.layers[0], atol=1e-6)
    inputs = np.hstack([reals, means.layers[1]])
    found = list(mlp.network_.outputs(mlp.layer_params_, inputs))[1]
    np.testing.assert_allclose(found, means.layers[0], atol=1e-6)


def test_outputs_are_those_of_the_network_on_rows_with_the_means():
    mlp = network(max_iter=5).fit(X, Y)
    means = mlp.pretraining_.mean_field(X).layers[1]
    inputs = np.hstack([X, means])
    assert len(mlp.coefs_) == 3
    first = expit(inputs @ mlp.coefs_[0] + mlp.intercepts_[0])
    second = expit(first @ mlp.coefs_[1] + mlp.intercepts_[1])
    p = expit(second @ mlp.coefs_[2] + mlp.intercepts_[2])
    np.testing.assert_allclose(mlp.predict_proba(X)[:, 1:], p, atol=1e-9)


def test_gradients_are_those_of_finite_differences():
    mlp = network(alpha=0.01).fit(X, Y)
    inputs = np.hstack([X, mlp.pretraining_.mean_field(X).layers[1]])
    cost = MeanCost(mlp.network_, inputs, Y[:, None].astype(float), None, 0.01)
    theta = mlp.network_.pack(tuple(mlp.layer_params_))
    theta = theta + 0.1 * np.random.default_rng(1).normal(size=len(theta))
    slopes = cost(theta)[1].copy()
    for k in range(0, len(theta), 7):
        values = []
        for step in (1e-5, -1e-5):
            moved = theta.copy()
            moved[k] += step
            values.append(cost(moved)[0])
        assert slopes[k] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-7)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_training_learns_and_keeps_the_machine(solver):
    start = network().fit(X, Y)
    mlp = network(max_iter=60, solver=solver, learning_rate_init=0.05, tol=1e-3).fit(X, Y)
    assert mlp.score(X, Y) > max(0.9, start.score(X, Y))
    for a, b in zip(mlp.pretraining_.coefs_, start.pretraining_.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_rows_of_all_kinds():
    mlp = network(max_iter=3).fit(X, Y)
    thin = network(max_iter=3).fit(sp.csr_array(X), Y)
    np.testing.assert_allclose(mlp.predict_proba(X), thin.predict_proba(sp.csr_array(X)), atol=1e-9)
    few = mlp.predict_proba(X[7:9])
    np.testing.assert_allclose(few, mlp.predict_proba(X)[7:9], atol=1e-9)
    again = pickle.loads(pickle.dumps(mlp))
    np.testing.assert_array_equal(again.predict_proba(X), mlp.predict_proba(X))
    unlabelled = network(max_iter=3).fit(X, np.where(np.arange(40) < 10, np.nan, Y))
    assert len(unlabelled.classes_) == 2
    frozen = network(max_iter=3).set_params(pretraining=FrozenEstimator(mlp.pretraining_)).fit(X, Y)
    np.testing.assert_array_equal(frozen.predict_proba(X), mlp.predict_proba(X))
    shares = mlp.prune(0.1, X, Y).feature_importances_
    assert shares.shape == (10,) and shares.sum() == pytest.approx(1)


def test_partial_fit_and_warm_start_go_on():
    mlp = network().partial_fit(X, Y, classes=[0, 1])
    before = mlp.coefs_[0].copy()
    assert before.shape == (10, 5)
    assert not np.array_equal(mlp.partial_fit(X, Y).coefs_[0], before)
    warm = network(max_iter=2, warm_start=True).fit(X, Y)
    assert warm.fit(X, Y).n_iter_ == 2
    with pytest.raises(ValueError, match="mean_field_inputs is False, but the network"):
        warm.set_params(mean_field_inputs=False).fit(X, Y)


def test_a_checkpoint_goes_on_to_the_same_bits(tmp_path):
    whole = network(max_iter=6, batch_size=10)
    path = tmp_path / "six.npz"
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        clone(whole).set_params(callbacks=[Checkpoint(path), Interrupt(4)]).fit(X, Y)
    resumed = clone(whole).resume(path, X, Y)
    whole.fit(X, Y)
    for a, b in zip(whole.coefs_, resumed.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "machine", [None, BernoulliRBM(3, **FEW), DBN([3, 2], random_state=0), DBM([3], **FEW)]
)
def test_other_machines_are_refused(machine):
    mlp = MLPClassifier(pretraining=machine, mean_field_inputs=True, max_iter=1)
    with pytest.raises(ValueError, match=r"takes pretraining=DBM\(\.\.\.\) with two hidden layers"):
        mlp.fit(X, Y)


def test_given_weights_have_no_machine():
    with pytest.raises(ValueError, match="mean_field_inputs=False"):
        MLPClassifier.from_parameters([[[1.0]], [[2.0]]], mean_field_inputs=True)


CHECKED = [
    kind(
        pretraining=DBM([4, 3], n_iter=1, random_state=0),
        mean_field_inputs=True,
        max_iter=100,
        learning_rate_init=0.05,
        random_state=0,
    )
    for kind in (MLPClassifier, MLPRegressor)
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(CHECKED)
def test_sklearn_checks(estimator, check):
    check(estimator)
