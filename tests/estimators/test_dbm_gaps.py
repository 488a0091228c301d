"""Deep Boltzmann machines: rows with missing entries, to learn from and to infer from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.impute import SimpleImputer

from ebm import DBM, RBM, BernoulliRBM, Categorical, Checkpoint, GaussianRBM
from tests.estimators.gaps import BITS, REAL, holes
from tests.oracles import layers as oracles
from tests.oracles.layers import OracleLayer, OracleLayers

FEW = {"n_iter": 4, "random_state": 0}
COLUMNS = [("bernoulli", 2), (Categorical((3,)), 3)]
TABLE = np.hstack([BITS[:40, :2], np.eye(3)[np.arange(40) % 3]])
CASES = {
    "bits": (DBM([4, 3], **FEW), BITS),
    "three layers": (DBM([4, 3, 2], **FEW), BITS),
    "greedy": (DBM([4, 3], pretraining="greedy", **FEW), BITS),
    "means": (DBM([4, 3], pretraining="greedy", propagate="mean", **FEW), BITS),
    "reals": (DBM([GaussianRBM(4, n_iter=4), 2], pretraining="greedy", **FEW), REAL),
    "columns": (DBM([RBM(4, visible=COLUMNS), 2], **FEW), TABLE),
}
every_case = pytest.mark.parametrize("name", CASES)


def case(name, **settings):
    machine, X = CASES[name]
    return clone(machine).set_params(**settings), holes(X)


def same(one, other):
    pairs = zip([*one.coefs_, *one.intercepts_], [*other.coefs_, *other.intercepts_], strict=True)
    return all(np.array_equal(a, b) for a, b in pairs) and np.array_equal(
        one.h_samples_, other.h_samples_
    )


@every_case
def test_machines_learn_from_gaps_in_any_form_and_leave_the_rows_alone(name):
    machine, X = case(name)
    before = X.copy()
    machine.fit(X)
    np.testing.assert_array_equal(X, before)
    assert np.isfinite(machine.transform(X)).all() and np.isfinite(machine.reconstruct(X)).all()
    assert not same(clone(machine).set_params(random_state=1).fit(X), machine)
    objects = X.astype(object)
    objects[np.isnan(X)] = None
    for form in (X, objects, pd.DataFrame(X), sp.csr_array(X), np.asfortranarray(X)):
        assert same(clone(machine).fit(form), machine)


def test_one_layer_is_a_restricted_machine_to_the_bit():
    X = holes(BITS)
    rbm = BernoulliRBM(3, **FEW)
    dbm = DBM([rbm], **FEW).fit(X)
    rbm = clone(rbm).fit(X)
    np.testing.assert_array_equal(dbm.coefs_[0], rbm.components_.T)
    np.testing.assert_array_equal(dbm.intercepts_[0], rbm.intercept_visible_)
    np.testing.assert_allclose(dbm.log_likelihood(X), rbm.log_likelihood(X), atol=1e-9)
    np.testing.assert_allclose(dbm.free_energy(X), rbm.free_energy(X), atol=1e-9)


@every_case
def test_rows_without_known_entries_and_weights_of_zero_change_nothing(name):
    machine, X = case(name)
    machine.fit(X)
    more = np.vstack([X, np.full((2, X.shape[1]), np.nan), X[:3]])
    weights = np.r_[np.ones(len(X) + 2), np.zeros(3)]
    other = clone(machine).fit(more, sample_weight=weights)
    for a, b in zip(machine.coefs_, other.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_case
def test_further_fits_and_updates_go_on(name, dtype):
    machine, X = case(name, warm_start=True)
    X = X.astype(dtype)
    once = machine.fit(X).coefs_[0].copy()
    twice = machine.fit(X[:20]).coefs_[0].copy()
    machine.partial_fit(X[:7])
    assert machine.coefs_[0].dtype == machine.transform(X).dtype == dtype
    assert not np.array_equal(once, twice) and not np.array_equal(twice, machine.coefs_[0])
    first = clone(machine).partial_fit(X)
    assert np.isfinite(first.coefs_[0]).all() and first.history_ == {}


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


@pytest.mark.parametrize("gradient", ["pcd", "cd", "tempering", "exact"])
def test_every_gradient_of_the_machine_learns_from_gaps(gradient):
    machine, X = case("bits", gradient=gradient, learning_rate=0.01)
    assert np.isfinite(machine.fit(X).coefs_[0]).all()


@every_case
def test_a_verbose_fit_shows_numbers(name, capsys):
    machine, X = case(name, verbose=1)
    machine.fit(X)
    shown = capsys.readouterr().out
    assert "reconstruction-error" in shown and "nan" not in shown


def test_groups_that_are_known_in_part_and_columns_without_entries_are_refused():
    machine, X = case("columns")
    X[4, -1] = np.nan
    X[4, -2] = 0
    with pytest.raises(ValueError, match="known as a whole or not at all"):
        machine.fit(X)
    frame = pd.DataFrame(BITS, columns=[*"abcdefgh"][: BITS.shape[1]])
    frame["b"] = np.nan
    with pytest.raises(ValueError, match=r"1 column has no known entry.*\('b'\)"):
        case("bits")[0].fit(frame)


def test_gaps_teach_more_than_rows_that_are_filled_with_the_most_frequent():
    """Two clusters of rows, half of the entries missing; likelihoods of the complete rows are exact."""
    rng = np.random.default_rng(0)
    clusters = np.repeat([[0.95], [0.05]], 300, axis=0) * np.ones(8)
    rows = (rng.random(clusters.shape) < clusters).astype(float)
    gaps = np.where(rng.random(rows.shape) < 0.5, np.nan, rows)
    filled = SimpleImputer(strategy="most_frequent").fit_transform(gaps)
    machine = DBM([4, 3], n_iter=60, random_state=0)
    scores = [clone(machine).fit(some).log_likelihood(rows).mean() for some in (rows, gaps, filled)]
    assert scores[0] - 0.3 < scores[1] and scores[2] < scores[1] - 1


# --- inference ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    return DBM([4, 3], n_iter=60, random_state=0).fit(BITS)


def oracle_of(dbm):
    layers = [OracleLayer("bernoulli", b, visible=k == 0) for k, b in enumerate(dbm.intercepts_)]
    return OracleLayers(layers, [(k, k + 1, W, 1.0) for k, W in enumerate(dbm.coefs_)])


def test_likelihoods_of_what_is_known_are_those_of_enumeration(fitted):
    X, oracle = holes(BITS)[:6], oracle_of(fitted)
    X[0], X[1] = np.nan, BITS[1]
    log_z = oracles.log_sum(oracle)
    expected = []
    for row in X:
        choices = np.array(np.meshgrid(*[(0, 1) if np.isnan(x) else (x,) for x in row]))
        states = choices.reshape(len(row), -1).T
        logs = [oracles.log_sum(oracle, {0: tuple(x)}) for x in states]
        expected.append(np.logaddexp.reduce(logs) - log_z)
    np.testing.assert_allclose(fitted.log_likelihood(X), expected, atol=1e-9)
    np.testing.assert_allclose(-fitted.free_energy(X) - log_z, expected, atol=1e-9)
    bound = fitted.lower_bound(X)
    assert (bound <= np.array(expected) + 1e-9).all() and (bound > np.array(expected) - 1.5).all()
    np.testing.assert_allclose(bound[1:2], fitted.lower_bound(BITS[1:2]), atol=1e-9)
    assert fitted.score(X) == pytest.approx(bound.mean())


def test_features_are_means_of_all_that_is_unknown(fitted):
    X = holes(BITS)[:8]
    found = fitted.mean_field(X, tol=1e-10, n_sweeps=5000)
    h1, h2 = found.layers
    W, V = fitted.coefs_
    a, b, c = fitted.intercepts_

    def expit(x):
        return 1 / (1 + np.exp(-x))

    v = np.where(np.isnan(X), expit(a + h1 @ W.T), X)
    np.testing.assert_allclose(h1, expit(v @ W + h2 @ V.T + b), atol=1e-7)
    np.testing.assert_allclose(h2, expit(h1 @ V + c), atol=1e-7)
    means = np.hstack(fitted.mean_field(X).layers)
    np.testing.assert_array_equal(fitted.transform(X), means)
    alone = np.vstack([fitted.transform(row[np.newaxis]) for row in X])
    np.testing.assert_allclose(alone, means, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fitted.reconstruct(X), expit(a + means[:, :4] @ W.T), atol=1e-12)


def test_long_rows_have_bounds_where_sums_take_too_long():
    dbm = DBM([30, 20], n_iter=1, random_state=0).fit(np.tile(BITS, 4)[:, :24])
    X = holes(np.tile(BITS, 4)[:5, :24])
    with np.errstate(all="raise"):
        np.testing.assert_allclose(
            dbm.log_likelihood(X, method="ais"), dbm.lower_bound(X, method="ais"), atol=1e-9
        )
