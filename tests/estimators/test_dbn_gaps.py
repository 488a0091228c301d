"""Deep belief networks learn from rows with missing entries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.impute import SimpleImputer

from ebm import DBN, BernoulliRBM, GaussianRBM
from tests.estimators.gaps import BITS, REAL, holes

STACKS = {
    "bits": (DBN([BernoulliRBM(4, n_iter=5), BernoulliRBM(3, n_iter=5)], random_state=0), BITS),
    "means": (DBN([BernoulliRBM(4, n_iter=5), 2], propagate="mean", random_state=0), BITS),
    "reals": (DBN([GaussianRBM(4, n_iter=5), 2], random_state=0), REAL),
    "tuned": (DBN([BernoulliRBM(4, n_iter=5), 3], fine_tuning="up_down", random_state=0), BITS),
}
every_stack = pytest.mark.parametrize("name", STACKS)


def same(one, other):
    pairs = zip(one.rbms_, other.rbms_, strict=True)
    return all(np.array_equal(a.components_, b.components_) for a, b in pairs)


@every_stack
def test_stacks_learn_from_gaps_in_any_form_and_leave_the_rows_alone(name):
    stack, X = STACKS[name][0], holes(STACKS[name][1])
    before = X.copy()
    fitted = clone(stack).fit(X)
    np.testing.assert_array_equal(X, before)
    assert np.isfinite(fitted.transform(X)).all()
    objects = X.astype(object)
    objects[np.isnan(X)] = None
    for form in (objects, pd.DataFrame(X), sp.csr_array(X)):
        assert same(clone(stack).fit(form), fitted)


@every_stack
def test_rows_without_known_entries_change_nothing(name):
    stack, X = STACKS[name][0], holes(STACKS[name][1])
    more = np.vstack([X, np.full((2, X.shape[1]), np.nan)])
    for one, other in zip(clone(stack).fit(X).rbms_, clone(stack).fit(more).rbms_, strict=True):
        np.testing.assert_allclose(one.components_, other.components_, rtol=1e-9, atol=1e-12)


@every_stack
def test_further_layers_and_updates_go_on(name):
    stack, X = clone(STACKS[name][0]), holes(STACKS[name][1])
    stack.set_params(warm_start=True).fit(X)
    lowest = stack.recognition_components_[0].copy()
    stack.set_params(layers=[*stack.layers, 2]).fit(X)
    assert len(stack.rbms_) == 3
    if name != "tuned":
        np.testing.assert_array_equal(stack.recognition_components_[0], lowest)
    stack.partial_fit(X[:9])
    assert not np.array_equal(stack.recognition_components_[0], lowest)
    assert all(np.isfinite(rbm.components_).all() for rbm in stack.rbms_)


def test_gaps_teach_more_than_rows_that_are_filled_with_the_most_frequent():
    """Two clusters of rows, half of the entries missing."""
    rng = np.random.default_rng(0)
    clusters = np.repeat([[0.95], [0.05]], 300, axis=0) * np.ones(8)
    rows = (rng.random(clusters.shape) < clusters).astype(float)
    gaps = np.where(rng.random(rows.shape) < 0.5, np.nan, rows)
    stack = DBN([BernoulliRBM(4, n_iter=200), BernoulliRBM(3, n_iter=50)], random_state=0)
    filled = SimpleImputer(strategy="most_frequent").fit_transform(gaps)
    scores = [clone(stack).fit(some).score(rows) for some in (rows, gaps, filled)]
    assert scores[0] - 0.3 < scores[1] and scores[2] < scores[1] - 1
