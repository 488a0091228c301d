"""NaN and infinity: every public estimator, every method that takes rows, and the cure that is named."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.impute import SimpleImputer

from ebm import (
    DBN,
    Autoencoder,
    BoltzmannMachine,
    HopfieldNetwork,
)
from ebm.sklearn_compat.deep._base_dbm import BaseDBM
from ebm.sklearn_compat.rbm._base import BaseRBM
from tests.estimators.calls import asks_for_y
from tests.estimators.every import EVERY
from tests.estimators.small import ROWS, call, rows

VALUES = [np.nan, np.inf, -np.inf]


def learned(name, X):
    machine = EVERY[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if asks_for_y(machine):
            return machine.fit(X, np.arange(len(X)) % 2)
        return machine.fit(X[:2] if "Memory" in name or "Hopfield" in name else X)


def spoilt(X, value):
    X = X.copy()
    X[1, 1] = value
    return X


def complaint(function, *arguments):
    """The message of the refusal of such rows, or None where they are taken."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function(*arguments)
        except ValueError as error:
            return str(error)
    return None


def assert_ours(said, value):
    assert "NaN" in said
    assert np.isnan(value) or "infinity" in said
    assert "HistGradientBoosting" not in said and "\n" not in said
    assert any(way in said for way in ("eave such rows out", "impute(X)", "recall(X"))


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("name", EVERY)
def test_rows_to_learn_from_are_refused_with_the_cure(name, value):
    X = rows("bernoulli")
    if np.isnan(value) and isinstance(EVERY[name](), BaseRBM | BaseDBM | DBN | Autoencoder):
        assert complaint(learned, name, spoilt(X, value)) is None
        return
    said = complaint(learned, name, spoilt(X, value))
    assert_ours(said, value)
    assert "eave such rows out" in said
    learned(name, X[np.isfinite(spoilt(X, value)).all(axis=1)])
    if "SimpleImputer" in said:
        unknown = np.where(np.isfinite(spoilt(X, value)), X, np.nan)
        learned(name, SimpleImputer(strategy="most_frequent").fit_transform(unknown))


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("name", EVERY)
def test_other_rows_are_taken_or_refused_with_the_cure(name, value):
    X = rows("bernoulli")
    machine = learned(name, X)
    X = spoilt(X[:2], value)
    for method in [method for method in ROWS if hasattr(machine, method)]:
        if method in ("partial_fit", "score") and asks_for_y(machine):
            said = complaint(getattr(machine, method), X, [0, 1])
        else:
            said = complaint(call, machine, method, X)
        if said is None:
            assert np.isnan(value), method
            continue
        assert_ours(said, value)
        if "impute(X) of this model" in said:
            known = np.where(np.isfinite(X), X, np.nan)
            assert complaint(call, machine, method, machine.impute(known)) is None
        if "recall(X, clamp=True)" in said:
            known = np.where(np.isfinite(X), X, np.nan)
            filled = machine.recall(known, clamp=True).states
            assert method == "forget" or complaint(call, machine, method, filled) is None


def test_the_cure_is_that_of_the_model():
    X, hole = rows("bernoulli"), spoilt(rows("bernoulli"), np.nan)
    with pytest.raises(ValueError, match=r"NaN. impute\(X\) of this model fills in"):
        BoltzmannMachine(n_iter=1, random_state=0).fit(X).transform(hole)
    with pytest.raises(ValueError, match=r"NaN. recall\(X, clamp=True\).states of this model"):
        HopfieldNetwork(rule="pseudo_inverse", random_state=0).fit(X[:2]).energy(hole[:2])
    with pytest.raises(ValueError, match=r"SimpleImputer or impute\(X\) of a fitted RBM"):
        learned("MLPClassifier", X).predict(hole)
