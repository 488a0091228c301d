"""from_parameters: the arrays of a fitted machine make the same machine, bit for bit."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone

import ebm
from ebm import (
    DBM,
    DBN,
    RBM,
    Autoencoder,
    BernoulliRBM,
    BoltzmannMachine,
    DBMClassifier,
    DBNClassifier,
    DenseAssociativeClassifier,
    DenseAssociativeMemory,
    GaussianRBM,
    HopfieldNetwork,
    Maxout,
    MLPClassifier,
    MLPRegressor,
    ModernHopfieldNetwork,
    MultimodalDBM,
    NCAEmbedding,
)

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


# Over all estimators: the deterministic results of a fitted machine and of one with its parameters

LABELS = np.array(["a", "b", "c"])[(BITS[:, 0] + BITS[:, 1]).astype(int)]
NETWORK = {"max_iter": 3, "n_iter_no_change": np.inf, "random_state": 0}
STACK = [BernoulliRBM(4, n_iter=2), 3]
FITTED = {
    "RBM": (RBM(4, hidden="spin", n_iter=2, random_state=0), BITS, None),
    "BernoulliRBM": (BernoulliRBM(4, n_iter=2, random_state=0), BITS, None),
    "GaussianRBM": (GaussianRBM(4, n_iter=2, random_state=0), REALS, None),
    "BoltzmannMachine": (BoltzmannMachine(n_iter=2, random_state=0), BITS, None),
    "HopfieldNetwork": (HopfieldNetwork(states="binary", random_state=0), BITS[[0, 1]], None),
    "DenseAssociativeMemory": (DenseAssociativeMemory(4, random_state=0), BITS[[0, 1]], None),
    "ModernHopfieldNetwork": (ModernHopfieldNetwork(2.0, max_steps=1), REALS, None),
    "ModernHopfieldNetwork, single": (
        ModernHopfieldNetwork(2.0, max_steps=1),
        REALS.astype("f"),
        None,
    ),
    "DenseAssociativeClassifier": (
        DenseAssociativeClassifier(8, n_iter=3, random_state=0),
        np.clip(REALS, -1, 1),
        LABELS,
    ),
    "DBM": (DBM([4, 3], n_iter=3, random_state=0), BITS, None),
    "DBMClassifier": (DBMClassifier([4, 3], n_iter=3, random_state=0), BITS, LABELS),
    "MultimodalDBM": (
        MultimodalDBM(
            [("a", [3], [0, 2]), ("b", [3, 2], [1, 3, 4, 5])], 2, n_iter=3, random_state=0
        ),
        BITS[:, :6],
        None,
    ),
    "DBN": (DBN(STACK, random_state=0), BITS, None),
    "DBNClassifier": (DBNClassifier(STACK, random_state=0), BITS, LABELS),
    "DBNClassifier, one layer": (DBNClassifier([4], random_state=0), BITS, LABELS),
    "MLPClassifier": (MLPClassifier((7,), "tanh", **NETWORK), REALS, LABELS),
    "MLPClassifier, prelu": (
        MLPClassifier((7, 4), "prelu", batch_norm=True, **NETWORK),
        REALS.astype("f"),
        LABELS,
    ),
    "MLPClassifier, two": (MLPClassifier((5,), Maxout(3), **NETWORK), REALS, LABELS == "a"),
    "MLPClassifier, several": (MLPClassifier((5,), **NETWORK), REALS, BITS[:, :3].astype(int)),
    "MLPRegressor": (MLPRegressor("huber", (4,), **NETWORK), REALS, REALS[:, :2]),
    "NCAEmbedding": (NCAEmbedding((5,), 2, "tanh", **NETWORK), REALS, LABELS),
    "Autoencoder": (Autoencoder((5, 2), **NETWORK), REALS, None),
    "Autoencoder, tied": (
        Autoencoder((5, 2), "tanh", tied=True, contraction=0.1, loss="poisson", **NETWORK),
        np.round(abs(REALS) * 5).astype("f"),
        None,
    ),
}
# Names of arguments, each the fitted attribute of that name and an underscore.
ARGUMENTS = {
    "HopfieldNetwork": ("couplings", "intercept"),
    "BoltzmannMachine": ("couplings", "intercept"),
    "DenseAssociativeMemory": ("patterns",),
    "ModernHopfieldNetwork": ("patterns", "weights"),
    "DenseAssociativeClassifier": ("components", "classes", "range", "scale"),
    "DBM": ("coefs", "intercepts", "layer_params"),
    "DBMClassifier": ("coefs", "intercepts", "layer_params", "classes"),
    "MultimodalDBM": ("coefs", "intercepts", "layer_params"),
    "DBN": ("rbms",),
    "DBNClassifier": ("rbms", "classes"),
    "MLPClassifier": ("coefs", "intercepts", "classes", "layer_params"),
    "MLPRegressor": ("coefs", "intercepts", "layer_params"),
    "Autoencoder": ("coefs", "intercepts", "layer_params"),
    "NCAEmbedding": ("coefs", "intercepts", "layer_params"),
}
# Settings that the arrays decide.
DECIDED = ("n_components", "layers", "hidden_layer_sizes")
METHODS = (
    "transform",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "energy",
    "free_energy",
    "reconstruct",
    "impute",
    "attention",
    "layer_means",
)


@functools.cache
def fitted_and_given(name):
    estimator, X, y = FITTED[name]
    fitted = clone(estimator).fit(X) if y is None else clone(estimator).fit(X, y)
    kind = type(fitted)
    arguments = ARGUMENTS.get(
        kind.__name__, ("components", "intercept_hidden", "intercept_visible")
    )
    values = {key: getattr(fitted, f"{key}_") for key in arguments}
    values |= {key: getattr(fitted, f"{key}_") for key in OWN if hasattr(fitted, f"{key}_")}
    settings = fitted.get_params(deep=False)
    values |= {key: x for key, x in settings.items() if key not in DECIDED}
    if y is not None and y.ndim == 2 and kind is MLPClassifier:
        values["multilabel"] = True
    return fitted, kind.from_parameters(**values), X, y


def results(machine, X, y):
    """All that the machine says of rows, without random numbers that go on."""
    found = {}
    for method in METHODS:
        takes = getattr(machine, method, None)
        if takes is not None and not (
            method == "energy" and (hasattr(machine, "components_") or hasattr(machine, "coefs_"))
        ):
            found[method] = takes(X)
    wanted = X if isinstance(machine, HopfieldNetwork) else y  # given couplings have no patterns
    found["score"] = machine.score(X, wanted)
    return found


def assert_same_results(one, other, X, y):
    expected, got = results(one, X, y), results(other, X, y)
    assert expected.keys() == got.keys()
    for method, value in expected.items():
        np.testing.assert_equal(got[method], value, err_msg=method)


def test_every_estimator_is_here():
    public = {
        name
        for name in ebm.sklearn_compat.__all__
        if hasattr(getattr(ebm, name), "fit")  # FineTuning is a setting
    }
    # These two own a machine, which has parameters.
    assert {name.split(",")[0] for name in FITTED} == public - {
        "TableRBM",
        "FreeEnergyOutlierDetector",
    }


@pytest.mark.parametrize("name", FITTED)
def test_parameters_make_the_machine(name):
    fitted, given, X, y = fitted_and_given(name)
    assert_same_results(fitted, given, X, y)
    assert_same_results(fitted, pickle.loads(pickle.dumps(given)), X, y)
    assert repr(clone(given))


@pytest.mark.parametrize("name", FITTED)
def test_a_given_machine_goes_on_learning(name):
    _, given, X, y = fitted_and_given(name)
    rows = (X,) if y is None else (X, y)
    machine = pickle.loads(pickle.dumps(given))
    if "Memory" not in name:  # which refuses a pattern that it has
        machine.partial_fit(*rows)
        results(machine, X, y)
    if "warm_start" in machine.get_params():
        machine.set_params(warm_start=True)
        machine.fit(*rows)
        results(machine, X, y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLPRegressor.from_parameters([]), "one layer at least"),
        (lambda: MLPRegressor.from_parameters([[1.0]]), r"coefs\[0\] must have the shape"),
        (
            lambda: MLPRegressor.from_parameters([np.ones((2, 3)), np.ones((4, 1))]),
            r"coefs and intercepts must have the shapes \[\(2, 4\), \(4,\)\] in layer 1",
        ),
        (
            lambda: MLPRegressor.from_parameters([np.ones((2, 3))], [np.ones(2)]),
            r"intercepts\[0\] must have the shape \(3,\)",
        ),
        (lambda: MLPRegressor.from_parameters([[[np.nan]]]), r"coefs\[0\] holds NaN"),
        (
            lambda: MLPRegressor.from_parameters([[[1.0]], [[1.0]]], activation="prelu"),
            "layer_params must have the shapes",
        ),
        (
            lambda: MLPRegressor.from_parameters([[[1.0]]], pretraining=BernoulliRBM()),
            "take the place of pretraining",
        ),
        (lambda: MLPClassifier.from_parameters([[[1.0]]], classes=[0, 1, 2]), "need 3 outputs"),
        (
            lambda: MLPClassifier.from_parameters([[[1.0]]], classes=[1, 0]),
            "classes must be sorted",
        ),
        (
            lambda: DenseAssociativeClassifier.from_parameters(np.ones((2, 2)), [0, 1]),
            "a column for each class",
        ),
        (
            lambda: DenseAssociativeClassifier.from_parameters(np.ones((2, 3)), [0, 1], scale=0),
            "scale",
        ),
        (
            lambda: DenseAssociativeClassifier.from_parameters(
                np.ones((2, 3)), [0, 1], range=(1, 1)
            ),
            "range must be two",
        ),
        (lambda: ModernHopfieldNetwork.from_parameters([[1.0]], [1.0, 2.0]), "^weights must be 1D"),
        (lambda: DBN.from_parameters([3]), "rbms must hold fitted RBM"),
        (lambda: DBN.from_parameters([BernoulliRBM()]), "not fitted"),
        (
            lambda: DBN.from_parameters(
                [BernoulliRBM.from_parameters(np.ones((2, 3)))] * 2,
            ),
            "layer2 has 3 visible units, but the layer below and the classes make 2",
        ),
        (
            lambda: DBNClassifier.from_parameters(
                [BernoulliRBM.from_parameters(np.ones((2, 3)))], [0, 1]
            ),
            r"must have visible=\[\('bernoulli', n\), \(Categorical\(\(2,\)\), 2\)\]",
        ),
    ],
)
def test_networks_and_stacks_that_do_not_fit_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
