"""Bits given to machines of spins and spins given to machines of bits: every estimator, every method that takes rows.

An error or one warning names the argument, both alphabets and the cure; the cure is tried.
"""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

import ebm
from ebm import (
    RBM,
    BernoulliRBM,
)
from tests.estimators.small import MACHINES, ROWS, STEPS, N, call, rows

# Their features have no alphabet.
REAL = {"GaussianRBM", "ModernHopfieldNetwork", "MLPClassifier", "MLPRegressor"}
REAL |= {"TableRBM", "FreeEnergyOutlierDetector", "Autoencoder", "NCAEmbedding"}
BITS_ONLY = {"BernoulliRBM", "RBM, labels"}
# Which alphabet it is, the first rows that are learned from say.
RECOGNISE = {"HopfieldNetwork", "DenseAssociativeMemory", "DenseAssociativeClassifier"}
CASES = [
    pytest.param(name, unit, id=f"{name}, {unit}")
    for name in MACHINES
    for unit in ("bernoulli", "spin")
    if unit == "bernoulli" or name not in BITS_ONLY
]


def other(unit):
    return "spin" if unit == "bernoulli" else "bernoulli"


def fitted(name, unit):
    machine, X = MACHINES[name](unit), rows(unit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if hasattr(machine, "predict_proba"):
            return machine.fit(X, np.arange(len(X)) % 2)
        return machine.fit(X[:2] if name in RECOGNISE else X)


def said_of(function, *arguments):
    """What is said of the values of the rows: messages of warnings, or that of an error without any."""
    told = []
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            function(*arguments)
        except ValueError as error:
            told = [str(error)]
    return [text for text in (str(w.message) for w in seen) if " holds " in text] or told


def assert_names_both_and_the_cure(said, unit, argument="X"):
    assert len(said) == 1
    for word in (f"{argument} holds", "0 and 1", "-1 and +1"):
        assert word in said[0]
    cure = "({} + 1) / 2" if unit == "bernoulli" else "2 * {} - 1"
    assert cure.format(argument) in said[0]


def test_every_estimator_has_its_place():
    public = {name for name in ebm.__all__ if hasattr(getattr(ebm, name), "fit")}
    assert public == {name.split(",")[0] for name in MACHINES} | REAL


@pytest.mark.parametrize(("name", "unit"), CASES)
def test_rows_of_the_other_alphabet_are_told_in_every_method(name, unit):
    machine = fitted(name, unit)
    methods = [method for method in ROWS if hasattr(machine, method)]
    assert len(methods) > 2
    for method in methods:
        X = rows(other(unit))[:2]
        if name in RECOGNISE and method == "forget":
            X = rows(other(unit))[:1]
        names = inspect.signature(getattr(machine, method)).parameters
        argument = "patterns" if "patterns" in names else "X"
        assert_names_both_and_the_cure(said_of(call, machine, method, X), unit, argument)
        cured = (X + 1) / 2 if unit == "bernoulli" else 2 * X - 1
        assert said_of(call, fitted(name, unit), method, cured) == []


@pytest.mark.parametrize(("name", "unit"), [c for c in CASES if c.values[0] not in RECOGNISE])
def test_rows_to_learn_from_are_told(name, unit):
    machine, X = MACHINES[name](unit), rows(other(unit))
    classes = [np.arange(len(X)) % 2] if hasattr(machine, "predict_proba") else []
    assert_names_both_and_the_cure(said_of(machine.fit, X, *classes), unit)


@pytest.mark.parametrize(
    "name", ["RBM", "BoltzmannMachine, pcd", "BoltzmannMachine, mean_field", "DBN"]
)
def test_zeros_that_are_not_stored_are_zeros(name):
    machine = fitted(name, "spin")
    X = sp.csr_matrix(rows("bernoulli"))
    assert_names_both_and_the_cure(said_of(machine.transform, X), "spin")


@pytest.mark.parametrize(("name", "unit"), [c for c in CASES if c.values[0] not in RECOGNISE])
def test_means_of_states_are_no_other_alphabet(name, unit):
    """Grey values of bits, means of spins: zero among them, other values between, and all ones."""
    machine = fitted(name, unit)
    grey = np.full((2, N), 0.5)
    spins = np.array([[0.0, 0.25, -0.5, 0.5], [0.0, 1.0, 0.5, -0.5]])
    for X in (grey, spins) if unit == "spin" else (grey,):
        assert said_of(machine.transform, X) == []
    assert said_of(fitted("RBM", unit).transform, np.ones((2, N))) == []


@pytest.mark.parametrize("unit", ["bernoulli", "spin"])
@pytest.mark.parametrize("name", ["RBM", "DBN", "BoltzmannMachine, hidden"])
def test_hidden_states_of_the_other_alphabet_are_told(name, unit):
    machine, X = fitted(name, unit), rows(unit)
    width = {"RBM": 3, "DBN": 2}.get(name, 2)
    hidden = unit if name != "DBN" else "bernoulli"
    H = np.zeros((len(X), width)) if hidden == "spin" else -np.ones((len(X), width))
    if name != "DBN":
        assert_names_both_and_the_cure(said_of(machine.energy, X, H), hidden, "H")
    if name != "BoltzmannMachine, hidden":
        assert_names_both_and_the_cure(said_of(machine.inverse_transform, H), hidden)


SAMPLERS = [c for c in CASES if hasattr(MACHINES[c.values[0]]("spin"), "sample")]


@pytest.mark.parametrize(("name", "unit"), [c for c in SAMPLERS if "Classifier" not in c.values[0]])
@pytest.mark.parametrize("argument", ["given", "start"])
def test_states_that_no_unit_can_take_are_refused(name, unit, argument):
    machine = fitted(name, unit)
    full = rows(unit)[0]
    wrong = [-1, 2, 0.5] if unit == "spin" else [-1, 2]
    for value in [x for x in wrong if (unit, x) != ("spin", -1)] + [0] * (unit == "spin"):
        states = full.copy()
        states[0] = value
        methods = ["sample"] + ["anneal"] * (argument == "given" and hasattr(machine, "anneal"))
        for method in methods:
            with pytest.raises(ValueError, match=f"{argument} holds"):
                getattr(machine, method)(2, n_steps=2, **{argument: states})
    machine.sample(2, n_steps=2, **{argument: full})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", ["bernoulli", "spin"])
def test_the_rounding_of_a_scaler_is_no_reason_to_warn(unit, dtype):
    X = rows(unit).astype(dtype)
    X[0, 0] = np.nextafter(dtype(1), dtype(2))
    X[1, 1] = 1 + np.finfo(np.float32).eps
    machine = RBM(3, visible=unit, **STEPS)
    assert said_of(machine.fit, X) == []
    assert said_of(machine.transform, X) == []
    X[0, 0] = 1.01
    assert len(said_of(machine.fit, X)) == 1
    assert said_of(machine.transform, X) == []  # new rows a little beyond those of the scaler
    X[0, 0] = 2.5
    assert len(said_of(machine.transform, X)) == 1


def test_scaling_as_the_warning_says_is_the_cure():
    from sklearn.preprocessing import Binarizer, MinMaxScaler

    X = np.random.default_rng(0).normal(size=(20, N))
    for unit, low in (("bernoulli", 0), ("spin", -1)):
        machine = RBM(3, visible=unit, **STEPS)
        said = said_of(machine.fit, X)
        assert f"MinMaxScaler(({low}, 1), clip=True)" in said[0] and "GaussianRBM" in said[0]
        assert said_of(machine.fit, MinMaxScaler((low, 1), clip=True).fit_transform(X)) == []
    assert said_of(BernoulliRBM(3, **STEPS).fit, Binarizer().fit_transform(X)) == []
    assert said_of(ebm.GaussianRBM(3, **STEPS).fit, X) == []


LAWS = [case for case in CASES if hasattr(MACHINES[case.values[0]]("bernoulli"), "score_samples")]


@pytest.mark.parametrize(("name", "unit"), LAWS)
@pytest.mark.parametrize("factor", [1.01, 1.2, 1.45])
def test_no_probability_above_one_is_returned_without_a_word(name, unit, factor):
    """Also of rows that go beyond the states by as little as new rows of scaled data may."""
    machine = fitted(name, unit)
    for own in [x for x in vars(machine) if x.startswith("intercept_")]:
        setattr(machine, own, np.full_like(getattr(machine, own), 9.0))
    if hasattr(machine, "rbms_"):
        machine.rbms_[0].intercept_visible_ = np.full(N, 9.0)
    X = np.full((2, N), factor)
    for method in ("log_likelihood", "score_samples", "score", "lower_bound"):
        accuracy = method == "score" and hasattr(machine, "predict_proba")
        if hasattr(machine, method) and not accuracy:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                values = call(machine, method, X)
            said = said_of(call, machine, method, X)
            assert len(said) <= 1
            if np.max(values) > 1e-6:
                assert said and "X holds" in said[0]


def test_groups_of_sparse_rows_are_looked_at_as_those_of_dense_ones():
    machine = fitted("RBM, labels", "bernoulli")
    X = rows("bernoulli")
    broken = X.copy()
    broken[1, -2:] = 1
    for method in ("transform", "energy", "free_energy", "score", "log_likelihood"):
        assert said_of(call, machine, method, sp.csr_array(X)) == []
        expected = said_of(call, machine, method, broken)
        assert len(expected) == 1 and "columns 2 to 3 do not sum to one" in expected[0]
        assert said_of(call, machine, method, sp.csr_array(broken)) == expected
