"""RBM(visible=[...]): columns of several types, with all that other machines do."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone

from ebm import DBN, RBM, Bernoulli, Categorical, Gaussian
from ebm.gradients import GRADIENTS

GROUPS = [("bernoulli", 2), (Categorical((3,)), 3), ("gaussian", 2)]


def table(n_rows=150, seed=0):
    """Two bits, one of three kinds and two numbers, which depend on a hidden coin."""
    rng = np.random.default_rng(seed)
    coin = rng.integers(0, 2, (n_rows, 1))
    bits = rng.random((n_rows, 2)) < 0.1 + 0.8 * coin
    kind = np.eye(3)[(2 * coin[:, 0] + (rng.random(n_rows) < 0.2)) % 3]
    return np.hstack([bits, kind, rng.normal(size=(n_rows, 2)) + coin * [3, 100]])


def machine(**settings):
    settings = {"n_iter": 30, "learning_rate": 0.02, "random_state": 0} | settings
    return RBM(3, visible=GROUPS, **settings)


@pytest.fixture(scope="module")
def fitted():
    return machine().fit(table())


def test_it_learns_what_the_columns_have_in_common(fitted):
    X = table(200, seed=1)
    untrained = machine(n_iter=0).fit(table())
    assert fitted.log_likelihood(X).mean() > untrained.log_likelihood(X).mean() + 0.3
    assert fitted.score(X) > untrained.score(X) + 0.3
    assert fitted.components_.shape == (3, 7)
    assert fitted.intercept_visible_.shape == (7,)
    assert fitted.log_variance_visible_.shape == (2,)
    assert fitted.h_samples_.shape == (10, 3)


def test_features_and_reconstructions(fitted):
    X = table(20)
    H = fitted.transform(X)
    assert H.shape == (20, 3)
    assert ((H >= 0) & (H <= 1)).all()
    V = fitted.inverse_transform(H)
    np.testing.assert_allclose(V, fitted.reconstruct(X))
    np.testing.assert_allclose(V[:, 2:5].sum(axis=1), 1)
    assert fitted.gibbs(X).shape == X.shape
    assert fitted.energy(X, np.zeros((20, 3))).shape == (20,)
    np.testing.assert_allclose(fitted.transform(csr_matrix(X)), H, rtol=0, atol=1e-12)


def test_likelihoods_fit_together(fitted):
    X = table(20)
    z = fitted.log_partition()
    assert z.method == "exact"
    np.testing.assert_allclose(fitted.log_likelihood(X), -fitted.free_energy(X) - z.value)
    estimate = fitted.log_partition("ais")
    assert abs(estimate.value - z.value) < 6 * estimate.standard_error + 0.05
    assert np.isfinite(fitted.score_samples(X)).all()


def test_samples_and_given_values(fitted):
    V = fitted.sample(300, n_steps=200, random_state=1)
    assert set(np.unique(V[:, :2])) <= {0, 1}
    np.testing.assert_array_equal(V[:, 2:5].sum(axis=1), 1)
    X = table()
    np.testing.assert_allclose(V.mean(axis=0), X.mean(axis=0), atol=5 * X.std(axis=0).max() / 15)
    given = np.array([1, np.nan, np.nan, np.nan, np.nan, np.nan, 120])
    V = fitted.sample(5, n_steps=20, given=given)
    np.testing.assert_array_equal(V[:, [0, 6]], np.tile([1, 120], (5, 1)))


def test_unknown_entries_are_expected_values(fitted):
    X = table(10)
    gaps = X.copy()
    gaps[:, 6], gaps[0, :2] = np.nan, np.nan
    gaps[1, 2:5] = np.nan
    filled, error = fitted.impute(gaps, return_std=True)
    known = ~np.isnan(gaps)
    np.testing.assert_array_equal(filled[known], X[known])
    assert not error.any()  # three hidden units are enumerated
    np.testing.assert_allclose(filled[1, 2:5].sum(), 1)
    assert np.isfinite(fitted.log_likelihood(gaps)).all()


def test_fits_that_go_on_are_one_fit():
    X = table()
    whole = machine(n_iter=4).fit(X)
    parts = machine(n_iter=2, warm_start=True).fit(X).fit(X)
    assert parts.components_.shape == whole.components_.shape
    again = pickle.loads(pickle.dumps(whole))
    np.testing.assert_array_equal(again.transform(X), whole.transform(X))
    np.testing.assert_array_equal(clone(whole).fit(X).components_, whole.components_)
    updated = machine().partial_fit(X).partial_fit(X)
    assert np.isfinite(updated.log_likelihood(X)).all()


def test_given_parameters_make_the_machine(fitted):
    made = RBM.from_parameters(
        fitted.components_,
        fitted.intercept_hidden_,
        fitted.intercept_visible_,
        log_variance_visible=fitted.log_variance_visible_,
        visible=GROUPS,
    )
    X = table(10)
    np.testing.assert_allclose(made.log_likelihood(X), fitted.log_likelihood(X))


def test_single_precision_and_names_are_kept():
    X = table().astype(np.float32)
    frame = pd.DataFrame(X, columns=list("abcdefg"))
    rbm = machine(n_iter=2).fit(frame)
    assert rbm.components_.dtype == np.float32
    assert rbm.transform(frame).dtype == np.float32
    assert list(rbm.feature_names_in_) == list("abcdefg")


@pytest.mark.parametrize("gradient", ["pcd", "cd", "tempering", "exact"])
def test_gradients_that_know_columns(gradient):
    rbm = machine(n_iter=2, gradient=gradient, verbose=1).fit(table())
    assert np.isfinite(rbm.components_).all()


@pytest.mark.parametrize("gradient", sorted(set(GRADIENTS) - {"pcd", "cd", "tempering", "exact"}))
def test_gradients_that_do_not_say_so(gradient):
    with pytest.raises(ValueError, match="is for"):
        machine(gradient=gradient).fit(table())


@pytest.mark.parametrize(
    ("visible", "reason"),
    [
        ([], "a list of pairs"),
        (["bernoulli"], "a list of pairs"),
        ([("bernoulli", 0)], "visible must be an integer"),
        ([("poison", 7)], "visible"),
        ([("bernoulli", 3), ("gaussian", 2)], r"names 5 columns .* X has 7"),
    ],
)
def test_groups_that_are_none_are_refused(visible, reason):
    with pytest.raises(ValueError, match=reason):
        RBM(2, visible=visible).fit(table())


def test_values_that_columns_cannot_have_are_told_by_column(fitted):
    X = table()
    X[3, 1] = 2
    with pytest.warns(UserWarning, match=r"columns 0 to 1, of Bernoulli\(\) units"):
        machine(n_iter=1).fit(X)
    with pytest.raises(ValueError, match="columns 2 to 4"):
        fitted.sample(2, given=[np.nan, np.nan, 1, 1, 0, np.nan, np.nan])


def test_types_may_be_records():
    groups = [(Bernoulli(), 2), (Categorical((3,)), 3), (Gaussian(variance="unit"), 2)]
    rbm = RBM(2, visible=groups, n_iter=2, random_state=0, learning_rate=1e-4).fit(table())
    np.testing.assert_array_equal(rbm.log_variance_visible_, 0)


def test_stacks_take_machines_of_one_type():
    with pytest.raises(ValueError, match="columns of several types"):
        DBN([machine(), 3]).fit(table())
