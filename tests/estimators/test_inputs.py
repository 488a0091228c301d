"""Arrays that are no numbers, too large, or damaged: every public estimator, every method and argument that takes some.

Whatever comes in is read as the same numbers in a plain array would be, or refused by name with a cure.
"""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import ebm
from tests.estimators.calls import (
    NAMES,
    X,
    asks_for_y,
    call,
    every_call,
    fit,
    fresh,
    is_memory,
    quietly,
    readers,
    refusal,
)
from tests.estimators.every import EVERY


def with_entry(value, dtype=np.float64):
    spoilt = X.astype(dtype)
    spoilt[1, 1] = value
    return spoilt


WORDS = np.where(X > 0, "yes", "no")
REFUSED = {
    "complex": (X * (1 + 0j), "X.real"),
    "complex lists": ((X * 1j).tolist(), "X.real"),
    "dates": (X.astype("M8[s]"), "numpy.timedelta64"),
    "durations": (X.astype("m8[s]"), "numpy.timedelta64"),
    "data frame of dates": (pd.DataFrame(X.astype("M8[s]")), "numpy.timedelta64"),
    "words": (WORDS, "OneHotEncoder"),
    "words among objects": (WORDS.astype(object), "OneHotEncoder"),
    "categories": (pd.DataFrame(WORDS).astype("category"), "OneHotEncoder"),
    "rows of several lengths": ([[1.0, 0.0]] * (len(X) - 1) + [[1.0]], "one length"),
    "integers beyond all floats": ([[10**400] * X.shape[1]] * len(X), "numbers"),
    "objects": ([[object()] * X.shape[1]] * len(X), "Leave out what"),
    "large": (with_entry(1e150), "StandardScaler"),
    "largest": (with_entry(-1.7e308), "StandardScaler"),
    "large, single precision": (with_entry(1e19, np.float32), "StandardScaler"),
    "large integers": (np.full(X.shape, 10**200, object), "StandardScaler"),
}


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_are_no_numbers_are_refused_in_every_method(name):
    for method, function in every_call(name):
        for kind, (bad, cure) in REFUSED.items():
            said = refusal(function, bad)
            assert {"X", "patterns"} & {*said.replace(".", " ").split()}, (method, kind, said)
            assert cure in said.replace("patterns.", "X."), (method, kind, said)


SAME = {
    "lists": X.tolist(),
    "objects": X.astype(object),
    "integers": X.astype(np.int8),
    "booleans": X > 0,
    "data frame": pd.DataFrame(X),
    "nullable data frame": pd.DataFrame(X).astype("Int64"),
    "masked, of which nothing is": np.ma.masked_array(X),
    "columns first": np.asfortranarray(X),
    "other byte order": X.astype(">f8"),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_numbers_have_the_same_answer_in_any_container(name):
    estimator = fresh(name)
    method = next(m for m in ("transform", "predict") if hasattr(estimator, m))
    expected = quietly(call, fresh(name), method, X)
    for kind, same in SAME.items():
        np.testing.assert_array_equal(quietly(call, fresh(name), method, same), expected, kind)


def weights_of(machine):
    if hasattr(machine, "rbms_"):
        return [rbm.components_ for rbm in machine.rbms_]
    return machine.components_ if hasattr(machine, "components_") else machine.coefs_


@pytest.mark.parametrize("name", NAMES)
def test_masked_entries_are_unknown(name):
    masked = np.ma.masked_array(X, mask=np.arange(X.size).reshape(X.shape) == 5)
    if EVERY[name]().__sklearn_tags__().input_tags.allow_nan and not is_memory(EVERY[name]()):
        one, other = (quietly(fit, EVERY[name](), rows) for rows in (masked, masked.filled(np.nan)))
        for a, b in zip(weights_of(one), weights_of(other), strict=True):
            np.testing.assert_array_equal(a, b)
    else:
        assert "NaN" in refusal(fit, EVERY[name](), masked) or is_memory(EVERY[name]())
    estimator = fresh(name)
    if hasattr(estimator, "impute"):
        filled = quietly(estimator.impute, masked)
        np.testing.assert_array_equal(filled, quietly(estimator.impute, masked.filled(np.nan)))


def test_rows_too_large_for_a_machine_of_single_precision_are_refused():
    for name in ("BernoulliRBM", "GaussianRBM", "DBN", "MLPRegressor"):
        estimator = EVERY[name]()
        quietly(
            fit, estimator, X[:2].astype(np.float32) if is_memory(estimator) else X.astype("f4")
        )
        for method in readers(estimator):
            if estimator.__sklearn_tags__().input_tags.sparse:
                assert "float32" in refusal(
                    call, copy.deepcopy(estimator), method, with_entry(1e60)
                ), (
                    name,
                    method,
                )


# Sparse matrices whose indices lead out of them ------------------------------------------------------


def damaged(kind, make=sp.csr_matrix):
    matrix = make(X)
    if kind == "index too large":
        matrix.indices[2] = 10**6
    elif kind == "negative index":
        matrix.indices[2] = -7
    elif kind == "falling rows":
        matrix.indptr[2] = matrix.indptr[-1] + 10**6
    elif kind == "rows that begin late":
        matrix.indptr[0] = 3
    elif kind == "rows missing":
        matrix.indptr = matrix.indptr[:-2]
    elif kind == "values missing":
        matrix.data = matrix.data[:-1]
    elif kind == "indices missing":
        matrix.indices = matrix.indices[:-3]
    return matrix


DAMAGES = [
    *("index too large", "negative index", "falling rows", "rows that begin late"),
    *("rows missing", "values missing", "indices missing"),
]


@pytest.mark.parametrize("name", NAMES)
def test_damaged_sparse_rows_are_refused_in_every_method(name):
    for method, function in every_call(name):
        for damage in DAMAGES:
            said = refusal(function, damaged(damage))
            assert re.match("(X|patterns) is no valid sparse matrix", said), (method, damage, said)


@pytest.mark.parametrize("name", NAMES)
def test_other_damaged_formats_are_refused(name):
    for damage, make in itertools.product(DAMAGES, (sp.csr_array, sp.csc_matrix, sp.bsr_matrix)):
        said = refusal(fit, EVERY[name](), damaged(damage, make))
        assert "X is no valid sparse matrix" in said, damage
    coordinates, lists = sp.coo_matrix(X), sp.lil_matrix(X)
    coordinates.row[0] = 10**6
    lists.rows[1] = [10**6 for _ in lists.rows[1]]
    for matrix in (coordinates, lists):
        assert "X is no valid sparse matrix" in refusal(fit, EVERY[name](), matrix)


# Weights ---------------------------------------------------------------------------------------------


def one(value, n):
    weights = np.ones(n)
    weights[1] = value
    return weights


WEIGHTS = {
    "not a number": (lambda n: np.nan, "NaN"),
    "infinite": (lambda n: np.inf, "infinity"),
    "negative": (lambda n: -1.0, "-1"),
    "zero": (lambda n: 0.0, "zero"),
    "one is not a number": (lambda n: one(np.nan, n), "row 1"),
    "one is infinite": (lambda n: one(np.inf, n), "row 1"),
    "one is negative": (lambda n: one(-0.5, n), "row 1"),
    "one is huge": (lambda n: one(1e300, n), "Divide the weights by their mean"),
    "all huge": (lambda n: np.full(n, 1e308), "Divide the weights by their mean"),
    "all zero": (np.zeros, "zero"),
    "masked": (lambda n: np.ma.masked_array(np.ones(n), np.arange(n) == 1), "row 1"),
    "missing": (lambda n: [1.0, None] + [1.0] * (n - 2), "row 1"),
    "too short": (lambda n: np.ones(n - 1), "rows of X"),
    "none": (lambda n: [], "rows of X"),
    "a column": (lambda n: np.ones((n, 1)), "rows of X"),
    "sparse": (lambda n: sp.csr_matrix(np.ones((1, n))), "rows of X"),
    "words": (lambda n: ["one"] * n, "OneHotEncoder"),
    "complex": (lambda n: np.ones(n, complex), "sample_weight.real"),
    "dates": (lambda n: np.ones(n, "M8[s]"), "numpy.timedelta64"),
    "rows of several lengths": (lambda n: [[1.0, 1.0], [1.0]] + [1.0] * (n - 2), "one length"),
}


def weighted(name):
    """The methods that take weights: functions of a count of rows for the weights."""
    for method in ("fit", "partial_fit", "score", "moments"):
        estimator = EVERY[name]() if method == "fit" else fresh(name)
        function = getattr(estimator, method, None)
        if function is None or "sample_weight" not in inspect.signature(function).parameters:
            continue
        if method in ("fit", "partial_fit"):
            yield method, functools.partial(fit, estimator, X, method)
        else:
            named = {"y": np.arange(len(X)) % 2} if asks_for_y(estimator) else {}
            yield method, functools.partial(function, X, **named)


@pytest.mark.parametrize("name", NAMES)
def test_weights_that_weigh_nothing_are_refused_by_name(name):
    for method, function in weighted(name):
        for kind, (make, said) in WEIGHTS.items():
            message = refusal(function, sample_weight=make(len(X)))
            assert "sample_weight" in message and said in message, (method, kind, message)


@pytest.mark.parametrize("name", NAMES)
def test_one_weight_for_all_rows_is_that_many_equal_weights(name):
    for method, function in weighted(name):
        if method not in ("fit", "partial_fit"):
            each = quietly(function, sample_weight=np.full(len(X), 2.0))
            np.testing.assert_equal(quietly(function, sample_weight=2), each)


@pytest.mark.parametrize("name", NAMES)
def test_weights_near_zero_bring_no_warning_of_numpy(name):
    for method, function in weighted(name):
        if method == "partial_fit" and is_memory(EVERY[name]()):
            continue  # the patterns are stored already
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", RuntimeWarning)
            if method == "fit" and name == "ModernHopfieldNetwork":  # it divides by them
                said = refusal(function, sample_weight=np.full(len(X), 1e-310))
                assert "sample_weight holds 1e-310" in said
                continue
            function(sample_weight=np.full(len(X), 1e-310))


def test_every_public_estimator_is_here():
    public = {name for name in ebm.__all__ if hasattr(getattr(ebm, name), "fit")}
    # These two take frames with cells of any kind: test_table_rbm.py, test_outliers.py.
    assert {name.split(",")[0] for name in EVERY} == public - {
        "TableRBM",
        "FreeEnergyOutlierDetector",
    }


# Targets ---------------------------------------------------------------------------------------------


def damaged_indicators():
    matrix = sp.csr_matrix(np.c_[np.arange(len(X)) % 2, np.ones(len(X))])
    matrix.indices[0] = 10**6
    return matrix


TARGETS = {
    "none": None,
    "one too few": [0, 1] * (len(X) // 2 - 1) + [0],
    "no rows": [],
    "three dimensions": np.zeros((len(X), 1, 1)),
    "damaged": damaged_indicators(),
    "rows of several lengths": [[0], [0, 1]] * (len(X) // 2),
    "infinite": [0, np.inf] * (len(X) // 2),
    "words and numbers": ["no", 1] * (len(X) // 2),
    "missing throughout": [None] * len(X),
    "complex": np.arange(len(X)) * 1j,
    "dates": np.arange(len(X)).astype("M8[s]"),
    "bytes": [b"no", b"yes"] * (len(X) // 2),
    "objects": [{}] * len(X),
    "large numbers": np.arange(len(X)) * 1e300,
    "a number": 1,
    "a word": "yes",
    "a generator": (k for k in range(len(X))),
}
CLASSES = {
    "sparse": sp.csr_matrix([[0, 1]]),
    "rows of several lengths": [[0], [0, 1]],
    "empty": [],
    "two dimensions": [[0, 1]],
    "missing": [0, None],
    "not a number": [0, np.nan],
    "infinite": [0, np.inf],
    "words and numbers": [0, "yes"],
    "complex": [0, 1j],
    "objects": [object(), object()],
    "a set": {0, 1},
    "a word": "ab",
    "a number": 1,
}
SUPERVISED = [name for name in NAMES if asks_for_y(EVERY[name]())]


@pytest.mark.parametrize("name", SUPERVISED)
def test_targets_that_are_none_are_refused_by_name(name):
    for kind, y in TARGETS.items():
        for method in ("fit", "partial_fit", "score"):
            estimator = EVERY[name]() if method == "fit" else fresh(name)
            unlabelled = (
                kind == "missing throughout" and method == "partial_fit"
            )  # learned from, by some
            if hasattr(estimator, method) and not unlabelled:
                said = refusal(getattr(estimator, method), X, y)
                assert re.search(r"\by\b", said), (kind, method, said)


@pytest.mark.parametrize("name", SUPERVISED)
def test_classes_that_are_none_are_refused_by_name(name):
    estimator = EVERY[name]()
    if "classes" in inspect.signature(estimator.partial_fit).parameters:
        for kind, classes in CLASSES.items():
            said = refusal(estimator.partial_fit, X, np.arange(len(X)) % 2, classes=classes)
            assert "classes" in said, (kind, said)
        y = np.arange(len(X)) % 2
        quietly(estimator.partial_fit, X, y, classes=[1, 0, 1])
        assert estimator.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("name", SUPERVISED)
def test_predictions_of_another_shape_than_y_are_an_error_of_score(name):
    y = np.c_[np.arange(len(X)) % 2, 1 - np.arange(len(X)) % 2]
    shape = "y has the shape" if hasattr(EVERY[name](), "predict") else "Got the shape"
    assert shape in refusal(fresh(name).score, X, y)


# States ----------------------------------------------------------------------------------------------


def states_of(estimator):
    """Functions of states of the visible units."""
    for method, argument in itertools.product(("sample", "anneal"), ("given", "start")):
        function = getattr(estimator, method, None)
        if function is not None and argument in inspect.signature(function).parameters:
            yield argument, lambda x, f=function, a=argument: f(len(X), n_steps=2, **{a: x})


@pytest.mark.parametrize("name", NAMES)
def test_states_that_are_no_numbers_are_refused_by_name(name):
    for argument, function in states_of(fresh(name)):
        for kind, (bad, cure) in REFUSED.items():
            said = refusal(function, bad)
            assert re.search(rf"\b{argument}\b", said), (kind, said)
            assert cure.replace("X", argument) in said or "largest" in kind or "large" in kind, said
        for bad in (damaged("index too large"), X[:, :2], X[:3], X[:, :, np.newaxis], 1.0, []):
            assert re.search(rf"\b{argument}\b", refusal(function, bad))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_states_have_the_same_samples_in_any_container(name):
    for n, (argument, _) in enumerate(states_of(fresh(name))):
        function = list(states_of(fresh(name)))[n][1]
        expected = np.asarray(quietly(function, X)[0])
        for kind, same in {
            **SAME,
            "sparse": sp.csr_matrix(X),
            "lists of rows": sp.lil_matrix(X),
        }.items():
            function = list(states_of(fresh(name)))[n][1]
            found = np.asarray(quietly(function, same)[0])
            np.testing.assert_array_equal(found, expected, f"{argument} {kind}")
