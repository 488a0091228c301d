"""A machine beyond all bounds has the score -inf, never +inf or NaN, and so never wins a search."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from ebm import DBN, RBM, BernoulliRBM, BoltzmannMachine, GaussianRBM

REAL = np.random.default_rng(0).normal(size=(40, 3))
BITS = (REAL > 0).astype(float)
SIGNS = np.array([1.0, -1.0, 1.0])
MACHINES = {
    "gaussian": (GaussianRBM(3, n_iter=1, random_state=0), REAL),
    "two gaussian layers": (
        RBM(3, visible="gaussian", hidden="gaussian", n_iter=1, random_state=0),
        REAL,
    ),
    "bits": (BernoulliRBM(3, n_iter=1, random_state=0), BITS),
    "spins": (RBM(3, visible="spin", hidden="spin", n_iter=1, random_state=0), 2 * BITS - 1),
    "couplings": (BoltzmannMachine(n_iter=1, random_state=0), BITS),
    "stack": (DBN([3, 3], random_state=0), BITS),
    "real stack": (DBN([GaussianRBM(3), 3], random_state=0), REAL),
}


def with_weights(machine, value):
    machine = copy.deepcopy(machine)
    if hasattr(machine, "couplings_"):
        J = np.full((3, 3), value)
        np.fill_diagonal(J, 0)
        machine.couplings_ = J
    else:
        (machine.rbms_[0] if hasattr(machine, "rbms_") else machine).components_ = (
            np.full((3, 3), value) * SIGNS
        )
    return machine


@pytest.fixture(scope="module", params=MACHINES.values(), ids=MACHINES)
def fitted(request):
    machine, X = request.param
    return copy.deepcopy(machine).fit(X), X


def scores_of(machine, X):
    """By every method that scores rows."""
    yield np.array([machine.score(X)])
    yield machine.score_samples(X)
    # Of two Gaussian layers with large weights there is no Z, and that is an error.
    if hasattr(machine, "log_likelihood") and getattr(machine, "hidden", "") != "gaussian":
        yield machine.log_likelihood(X)


@pytest.mark.parametrize("value", [1e3, 1e20, 1e150, 1e200, 1e306])
def test_no_score_is_nan_or_plus_infinity(fitted, value):
    """Warnings are errors here: numbers overflow in silence, for -inf says it."""
    machine, X = fitted
    at_fit = machine.score(X)
    for values in scores_of(with_weights(machine, value), X):
        assert (values < np.inf).all() and not np.isnan(values).any()
        assert values.mean() < at_fit


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_parameters_that_are_not_finite_are_refused(fitted, value):
    machine, X = fitted
    broken = with_weights(machine, value)
    names = [name for name in ("score", "score_samples", "log_likelihood") if hasattr(broken, name)]
    for name in names:
        with pytest.raises(ValueError, match="NaN or infinite"):
            getattr(broken, name)(X)


def test_the_error_names_the_attribute():
    machine = GaussianRBM(3, n_iter=1, random_state=0).fit(REAL)
    machine.intercept_visible_ = np.array([0.0, np.inf, 0.0])
    with pytest.raises(ValueError, match="intercept_visible_ holds NaN or infinite values"):
        machine.score(REAL)


class Overflowing(GaussianRBM):
    """Learns as ever; with a larger rate its weights become what a search must not choose."""

    def fit(self, X, y=None):
        super().fit(X, y)
        if self.learning_rate > 0.01:
            self.components_ = np.full_like(self.components_, 1e200)
        return self


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite:UserWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_a_search_never_chooses_a_machine_whose_numbers_overflow():
    grid = {"learning_rate": [0.03, 0.01, 0.02]}
    search = GridSearchCV(Overflowing(3, random_state=0), grid, cv=2).fit(REAL)
    assert search.best_params_ == {"learning_rate": 0.01}
    np.testing.assert_array_equal(search.cv_results_["rank_test_score"], [2, 1, 2])
