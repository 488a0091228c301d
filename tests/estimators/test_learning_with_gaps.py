"""Restricted Boltzmann machines learn from rows with missing entries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from ebm import RBM, BernoulliRBM, Categorical, Checkpoint, EarlyStopping, GaussianRBM
from ebm.gradients import GRADIENTS
from tests.estimators.gaps import BITS, CATEGORIES, MACHINES, REAL, holes

NAMES = [
    name
    for name, (machine, _) in MACHINES.items()
    if isinstance(machine, RBM | BernoulliRBM | GaussianRBM)
]
MIXED = RBM(
    4,
    visible=[("bernoulli", 2), ("gaussian", 2), ("poisson", 1), (Categorical((3,)), 3)],
    n_iter=5,
    random_state=0,
)
TABLE = np.hstack(
    [
        BITS[:40, :2],
        REAL[:40, :2],
        BITS[:40, :3].sum(axis=1, keepdims=True),
        np.eye(3)[np.arange(40) % 3],
    ]
)
CASES = {name: MACHINES[name] for name in NAMES} | {"columns": (MIXED, TABLE)}
every_case = pytest.mark.parametrize("name", CASES)


def case(name, **settings):
    machine, X = CASES[name]
    return clone(machine).set_params(n_iter=4, **settings), holes(X)


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("components_", "intercept_visible_", "intercept_hidden_", "h_samples_")
    )


@every_case
def test_every_machine_learns_from_gaps_and_leaves_the_rows_alone(name):
    machine, X = case(name)
    before = X.copy()
    machine.fit(X)
    np.testing.assert_array_equal(X, before)
    assert np.isfinite(machine.components_).all()
    assert np.isfinite(machine.transform(X)).all()
    assert not same(clone(machine).set_params(random_state=1).fit(X), machine)
    assert same(clone(machine).fit(X), machine)


@every_case
def test_forms_of_the_same_rows_give_the_same_machine(name):
    machine, X = case(name)
    machine.fit(X)
    objects = X.astype(object)
    objects[np.isnan(X)] = None
    for form in (objects, pd.DataFrame(X), sp.csr_array(X), sp.csc_array(X), np.asfortranarray(X)):
        assert same(clone(machine).fit(form), machine)


@pytest.mark.parametrize("name", ["bits", "bits/single", "real", "columns"])
def test_further_fits_and_updates_go_on(name):
    machine, X = case(name.split("/")[0], warm_start=True)
    dtype = np.float32 if "single" in name else np.float64
    X = X.astype(dtype)
    machine.fit(X)
    once = machine.components_.copy()
    machine.fit(X[:20])
    twice = machine.components_.copy()
    machine.partial_fit(X[:7])
    assert machine.components_.dtype == dtype
    assert not np.array_equal(once, twice) and not np.array_equal(twice, machine.components_)
    assert np.isfinite(machine.components_).all()


def test_updates_take_rows_of_which_a_column_is_unknown_once_the_machine_has_begun():
    machine = BernoulliRBM(3, random_state=0)
    with pytest.raises(ValueError, match="no known entry"):
        machine.partial_fit([[1, np.nan], [0, np.nan]])
    machine.partial_fit([[1, 0], [0, np.nan]])
    machine.partial_fit([[1, np.nan], [0, np.nan], [np.nan, np.nan]])
    with pytest.raises(ValueError, match="no known entry, but NaN alone"):
        machine.partial_fit([[np.nan, np.nan]])


def test_a_row_without_known_entries_changes_no_update():
    rows = np.array([[1, 0, np.nan], [0, np.nan, 1]])
    more = np.vstack([rows, np.full(3, np.nan)])
    for weights in (None, [1.0, 2.0, 2.0]):
        one = BernoulliRBM(3, random_state=0).partial_fit(rows, None, weights and weights[:2])
        other = BernoulliRBM(3, random_state=0).partial_fit(more, None, weights)
        np.testing.assert_allclose(one.components_, other.components_, rtol=1e-12)


@every_case
def test_weights_of_zero_leave_rows_out(name):
    machine, X = case(name)
    weights = np.r_[np.ones(len(X) - 5), np.zeros(5)]
    one, other = clone(machine).fit(X[:-5]), clone(machine).fit(X, sample_weight=weights)
    np.testing.assert_allclose(one.components_, other.components_, rtol=1e-9)


@every_case
def test_an_interrupted_fit_is_resumed_to_the_same_bits(name, tmp_path):
    machine, X = case(name)
    whole = clone(machine).fit(X)

    def crash(report):
        if report.epoch == 3:
            raise OSError("the power went out")

    file = tmp_path / "training"
    with pytest.raises(OSError, match="power"):
        clone(machine).set_params(callbacks=[Checkpoint(file), crash]).fit(X)
    assert same(clone(machine).resume(file, X), whole)
    with pytest.raises(ValueError, match="rows"):
        clone(machine).resume(file, X[1:])


@pytest.mark.parametrize("name", ["bits", "real", "columns"])
def test_a_verbose_fit_shows_numbers(name, capsys):
    machine, X = case(name, verbose=1)
    machine.fit(X)
    assert "nan" not in capsys.readouterr().out


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_every_gradient_learns_from_gaps(gradient):
    machine, X = case("bits", gradient=gradient, learning_rate=0.01)
    assert np.isfinite(machine.fit(X).components_).all()


def test_errors_name_the_columns():
    X = pd.DataFrame(BITS, columns=[*"abcde"][: BITS.shape[1]])
    X["b"] = np.nan
    with pytest.raises(ValueError, match=r"1 column has no known entry.*\('b'\)"):
        BernoulliRBM(2).fit(X)


def test_a_group_that_is_known_in_part_is_refused():
    X = CATEGORIES.copy()
    X[4, -1] = np.nan
    for rows in (X, sp.csr_array(X)):
        with pytest.raises(ValueError, match="known as a whole or not at all"):
            clone(MACHINES["groups"][0]).fit(rows)


def test_held_out_rows_are_complete():
    with pytest.raises(ValueError, match=r"held_out holds NaN.*impute"):
        EarlyStopping(holes(BITS))


def test_features_of_rows_with_gaps_are_those_of_the_imputed_rows():
    machine, X = case("bits")
    machine.fit(X)
    np.testing.assert_array_equal(machine.transform(X), machine.transform(machine.impute(X)))
    y = np.arange(len(X)) % 2
    make_pipeline(machine, LogisticRegression()).fit(X, y).predict(X)
