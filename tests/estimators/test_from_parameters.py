"""from_parameters: the arrays of a fitted machine make the same machine, bit for bit."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone

from ebm import RBM, BernoulliRBM, BoltzmannMachine, GaussianRBM, HopfieldNetwork

BITS = np.random.default_rng(0).integers(0, 2, (30, 6)).astype(float)
REALS = np.random.default_rng(1).normal(size=(30, 6))
MACHINES = {
    "BernoulliRBM": (BernoulliRBM(4, n_iter=2, random_state=0), BITS),
    "GaussianRBM": (GaussianRBM(4, n_iter=2, random_state=0), REALS),
    "spins": (RBM(4, visible="spin", hidden="spin", n_iter=2, random_state=0), 2 * BITS - 1),
    "Gaussian hidden": (RBM(4, hidden="gaussian", n_iter=2, random_state=0), BITS),
    "single precision": (
        BernoulliRBM(4, n_iter=2, random_state=0),
        BITS.astype(np.float32),
    ),
}
every_machine = pytest.mark.parametrize("name", MACHINES)
OWN = ("log_variance_visible", "log_variance_hidden")


def rebuilt(name):
    estimator, X = MACHINES[name]
    fitted = clone(estimator).fit(X)
    own = {key: getattr(fitted, f"{key}_") for key in OWN if hasattr(fitted, f"{key}_")}
    settings = {key: x for key, x in fitted.get_params(deep=False).items() if key != "n_components"}
    arrays = fitted.components_, fitted.intercept_hidden_, fitted.intercept_visible_
    return fitted, type(fitted).from_parameters(*arrays, **own, **settings), X


@every_machine
def test_the_same_arrays_give_the_same_results(name):
    fitted, given, X = rebuilt(name)
    for call in (
        lambda m: m.transform(X),
        lambda m: m.free_energy(X),
        lambda m: m.reconstruct(X),
        lambda m: m.energy(X, m.transform(X)),
        lambda m: m.sample(5, n_steps=4, start=X[:5], random_state=1),
        lambda m: m.log_partition("exact").value,
        lambda m: pickle.loads(pickle.dumps(m)).transform(X),
    ):
        np.testing.assert_array_equal(call(given), call(fitted))
    assert given.components_.dtype == fitted.components_.dtype
    assert given.get_params(deep=False).keys() == fitted.get_params(deep=False).keys()
    assert list(given.get_feature_names_out()) == list(fitted.get_feature_names_out())


@every_machine
def test_learning_goes_on_from_the_arrays(name):
    _, given, X = rebuilt(name)
    before = given.components_.copy()
    given.partial_fit(X)
    assert 0 < np.abs(given.components_ - before).max() < 1
    given.set_params(warm_start=True, n_iter=1).fit(X)
    assert not hasattr(clone(given), "components_")


@pytest.mark.parametrize("unit", ["bernoulli", "spin"])
@pytest.mark.parametrize("n_hidden", [0, 2])
def test_the_same_couplings_give_the_same_boltzmann_machine(unit, n_hidden):
    X = BITS if unit == "bernoulli" else 2 * BITS - 1
    fitted = BoltzmannMachine(n_hidden, unit=unit, n_iter=1, random_state=0).fit(X)
    given = BoltzmannMachine.from_parameters(
        fitted.couplings_, fitted.intercept_, **fitted.get_params(deep=False)
    )
    for call in (
        lambda m: m.transform(X),
        lambda m: m.free_energy(X),
        lambda m: m.log_likelihood(X),
        lambda m: m.minima().basins,
        lambda m: m.partial_fit(X).couplings_.shape,
    ):
        np.testing.assert_array_equal(call(given), call(fitted))


@pytest.mark.parametrize("rule", ["hebb", "perceptron"])
@pytest.mark.parametrize("form", [np.array, csr_array])
@pytest.mark.parametrize("convention", ["spin", "binary"])
def test_the_same_couplings_give_the_same_network(rule, form, convention):
    P = BITS[:3] if convention == "binary" else 2 * BITS[:3] - 1
    fitted = HopfieldNetwork(rule, thresholds=0.1, random_state=0).fit(P)
    if rule == "perceptron":
        fitted.couplings_[0, 1] += 0.5  # no longer symmetric
    arrays = form(fitted.couplings_), fitted.intercept_
    given = HopfieldNetwork.from_couplings(*arrays, states=convention, random_state=0)
    X = BITS if convention == "binary" else 2 * BITS - 1
    for call in (
        lambda m: m.predict(X),
        lambda m: m.recall(X).energies,
        lambda m: m.energy(X),
        lambda m: pickle.loads(pickle.dumps(m)).transform(X),
        lambda m: m.intercept_,
    ):
        np.testing.assert_array_equal(call(given), call(fitted))
    if rule == "hebb":
        np.testing.assert_array_equal(given.minima().states, fitted.minima().states)
        added = given.partial_fit(P).couplings_ - fitted.couplings_
        np.testing.assert_allclose(added, HopfieldNetwork(rule).fit(P).couplings_, atol=1e-12)
    else:
        with pytest.raises(ValueError, match="symmetric"):
            given.minima()
        given.partial_fit(P).predict(X)


def test_the_arrays_are_copied_and_variances_may_stand_for_their_logarithms():
    W, variances = np.ones((2, 3)), np.array([0.5, 1.0, 2.0])
    rbm = GaussianRBM.from_parameters(W, variances=variances)
    W[:], variances[:] = 7, 7
    assert (rbm.components_ == 1).all() and not rbm.intercept_hidden_.any()
    np.testing.assert_allclose(rbm.variances_, [0.5, 1.0, 2.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"components": [1.0, 2.0]}, "components must have the shape"),
        ({"intercept_hidden": [0.0]}, r"intercept_hidden must have the shape \(2,\)"),
        ({"intercept_visible": [0.0]}, r"intercept_visible must have the shape \(3,\)"),
        ({"intercept_visible": [0.0, np.nan, 0.0]}, "intercept_visible holds NaN"),
        ({"components": np.full((2, 3), np.inf)}, "components holds NaN"),
        ({"log_variance_hidden": [0.0, 0.0]}, "have no .*log_variance_hidden"),
        ({"learning_rates": 3}, "have no .*learning_rates"),
    ],
)
def test_arrays_that_do_not_fit_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        BernoulliRBM.from_parameters(**({"components": np.ones((2, 3))} | arguments))


def test_variances_must_be_positive():
    with pytest.raises(ValueError, match="variances must be positive"):
        GaussianRBM.from_parameters(np.ones((2, 3)), variances=[1.0, 0.0, 1.0])
