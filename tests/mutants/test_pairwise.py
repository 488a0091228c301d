"""The checks of pairwise models have teeth: each rejects the known-wrong implementations, and accepts a right one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import root

from tests.checks.pairwise import (
    assert_exact_sums,
    assert_inversion_errors,
    assert_moments_are_matched,
    assert_pairwise_free_energy,
    assert_pseudo_likelihood,
)
from tests.oracles import pairwise
from tests.oracles.pairwise import BINARY, SPIN, OraclePairwise, random_pairwise


def rejects(check, *args, **kwargs):
    with pytest.raises(AssertionError):
        check(*args, **kwargs)


# Sums over all states -------------------------------------------------------------------------


def sums(
    model, beta, *, half=0.5, bias=1.0, of_bias=None, states=None, connected=False, squares=True
):
    """By one table of all states."""
    renamed = OraclePairwise(model.J, model.b, model.states if states is None else states)
    S = pairwise.all_states(renamed)
    coupled = half * beta * np.einsum("ij,ij->i", S @ model.J, S)
    logs = coupled + bias * (beta if of_bias is None else of_bias) * (S @ model.b)
    log_z = np.logaddexp.reduce(logs)
    p = np.exp(logs - log_z)
    mean, second = p @ S, (S.T * p) @ S
    if connected:
        second -= np.outer(mean, mean)
    if not squares:
        np.fill_diagonal(second, 0)
    return log_z, mean, second


SUMS = [
    pytest.param({"half": 1.0}, id="every pair twice"),
    pytest.param({"half": -0.5}, id="couplings with the wrong sign"),
    pytest.param({"bias": 0.0}, id="without biases"),
    pytest.param({"of_bias": 1.0}, id="beta on the couplings only"),
    pytest.param({"connected": True}, id="product of the means taken off"),
    pytest.param({"squares": False}, id="without the diagonal"),
]


@pytest.mark.parametrize("states", [BINARY, SPIN])
@pytest.mark.parametrize("mutant", [*SUMS, pytest.param("states", id="the other states")])
def test_exact_sums_reject(mutant, states):
    model = random_pairwise(4, states)
    if mutant == "states":
        mutant = {"states": BINARY if states == SPIN else SPIN}
    assert_exact_sums(sums, model, 0.7)
    rejects(assert_exact_sums, lambda m, beta: sums(m, beta, **mutant), model, 0.7)


# Free energies --------------------------------------------------------------------------------


def free_energy(model, V, beta, *, of_spin=True, outer=1.0, inner=None, hidden_bias=1.0, own=1.0):
    """The hidden units, which are not joined, in closed form."""
    n = model.n_visible
    J, b = model.J, model.b
    f = (beta if inner is None else inner) * (V @ J[:n, n:] + hidden_bias * b[n:])
    summed = np.logaddexp(-f, f) if (model.states == SPIN) == of_spin else np.logaddexp(0, f)
    energy = -own * 0.5 * np.einsum("ij,ij->i", V @ J[:n, :n], V) - V @ b[:n]
    return energy - outer * summed.sum(axis=1) / beta


@pytest.mark.parametrize("states", [BINARY, SPIN])
@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param({"of_spin": False}, id="softplus for spins, log cosh for bits"),
        pytest.param({"outer": 0.7}, id="without dividing by beta"),
        pytest.param({"inner": 1.0}, id="fields at temperature one"),
        pytest.param({"hidden_bias": 0.0}, id="hidden bias dropped"),
        pytest.param({"own": 0.0}, id="visible couplings dropped"),
        pytest.param({"own": 2.0}, id="visible pairs twice"),
    ],
)
def test_free_energies_of_pairs_reject(mutant, states):
    model = random_pairwise(5, states, n_hidden=2)
    J = model.J.copy()
    J[3, 4] = J[4, 3] = 0
    model = OraclePairwise(J, model.b, states, 2)
    assert_pairwise_free_energy(free_energy, model, 0.7)
    wrong = lambda m, V, beta: free_energy(m, V, beta, **mutant)  # noqa: E731
    rejects(assert_pairwise_free_energy, wrong, model, 0.7)


# Pseudo-likelihood ----------------------------------------------------------------------------


def score(model, X, weights, *, symmetric=True, gain=2.0, shared=True, diagonal=False, stale=0.0):
    """All conditionals of spins at once."""
    w = weights / weights.sum() if shared else weights
    f = X @ (model.J + stale * np.eye(model.n)) + model.b
    value = -w @ np.logaddexp(0, -gain * X * f).sum(axis=1)
    g = gain * X * np.exp(-np.logaddexp(0, gain * X * f)) * w[:, np.newaxis]
    dJ = X.T @ g
    dJ = dJ + dJ.T if symmetric else dJ
    if not diagonal:
        np.fill_diagonal(dJ, 0)
    return value, dJ, g.sum(axis=0)


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param({"symmetric": False}, id="J_ij and J_ji learned apart"),
        pytest.param({"gain": 1.0}, id="the law of bits for spins"),
        pytest.param({"shared": False}, id="weights that do not add up to one"),
        pytest.param({"diagonal": True}, id="units that are joined to themselves"),
        pytest.param({"stale": 0.3}, id="units that predict themselves"),
    ],
)
def test_slopes_of_the_pseudo_likelihood_reject(mutant):
    model = random_pairwise(4, SPIN)
    rng = np.random.default_rng(0)
    X, weights = rng.choice(SPIN, size=(8, 4)), rng.uniform(1, 2, size=8)
    assert_pseudo_likelihood(score, model, X, weights)
    wrong = lambda m, X, w: score(m, X, w, **mutant)  # noqa: E731
    rejects(assert_pseudo_likelihood, wrong, model, X, weights)


# Inversions -----------------------------------------------------------------------------------


def invert(X, weights, *, order=2, sign=1.0, other_root=False, onsager=1.0, connected=True):
    """The TAP equations of spins, read backwards."""
    m = weights @ X
    inverse = np.linalg.inv((X.T * weights) @ X - (np.outer(m, m) if connected else 0))
    J = -inverse
    if order == 2:
        a = 2 * sign * np.outer(m, m)
        with np.errstate(invalid="ignore", divide="ignore"):
            J = (-1 + (-1 if other_root else 1) * np.sqrt(1 - 4 * a * inverse)) / (2 * a)
    np.fill_diagonal(J, 0)
    bias = np.arctanh(m) - J @ m
    return J, bias + onsager * (order - 1) * m * (J**2 @ (1 - m**2))


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param({"order": 1}, id="naive mean field"),
        pytest.param({"sign": -1.0}, id="the square with the wrong sign"),
        pytest.param({"sign": 0.5}, id="the square without its two"),
        pytest.param({"other_root": True}, id="the other root"),
        pytest.param({"onsager": -1.0}, id="Onsager's term with the wrong sign"),
        pytest.param({"onsager": 0.0}, id="biases of naive mean field"),
        pytest.param({"connected": False}, id="correlations for covariances"),
    ],
)
def test_powers_of_inversion_errors_reject(mutant):
    assert_inversion_errors(invert, 3)
    rejects(assert_inversion_errors, lambda X, w: invert(X, w, **mutant), 3)


def test_powers_tell_the_first_order_from_the_second():
    def naive(X, weights):
        return invert(X, weights, order=1)

    assert_inversion_errors(naive, 2)
    rejects(assert_inversion_errors, invert, 2)


# Moments --------------------------------------------------------------------------------------


def match(mean, correlations, *, connected=False, tol=1e-10, diagonal=True):
    """By a general root finder on the table of all states."""
    n = len(mean)
    pairs = np.triu_indices(n, 1)
    wanted = correlations - (np.outer(mean, mean) if connected else 0)

    def law(theta):
        J = np.zeros((n, n))
        J[pairs] = theta[:-n]
        return OraclePairwise(J + J.T, theta[-n:], SPIN)

    def gap(theta):
        _, m, second = sums(law(theta), 1.0)
        return np.append(second[pairs] - wanted[pairs], m - mean)

    found = law(root(gap, np.zeros(len(pairs[0]) + n), tol=tol).x)
    return found.J * (1.0 if diagonal else 2.0), found.b


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param({"connected": True}, id="covariances for correlations"),
        pytest.param({"tol": 1e-2}, id="a search that ends early"),
        pytest.param({"diagonal": False}, id="every pair twice"),
    ],
)
def test_matched_moments_reject(mutant):
    model = random_pairwise(4, SPIN)
    assert_moments_are_matched(match, model)
    wrong = lambda mean, corr: match(mean, corr, **mutant)  # noqa: E731
    rejects(assert_moments_are_matched, wrong, model)
