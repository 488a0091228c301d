"""What right sums, gradients and inversions of pairwise models do, as functions of the implementation.

As :mod:`tests.checks`: the tests of the core hand them the library, tests/mutants/test_pairwise.py what is known to be
wrong.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.oracles import pairwise
from tests.oracles.pairwise import OraclePairwise, random_pairwise

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def finite_differences(objective, model, step=1e-5):
    """Slopes of ``objective(model)`` by each pair's coupling, J_ij and J_ji together, and by each bias."""
    dJ, db = np.zeros_like(model.J), np.zeros_like(model.b)

    def at(J, b):
        return objective(replace(model, J=J, b=b))

    for i in range(model.n):
        nudge = step * np.eye(model.n)[i]
        db[i] = (at(model.J, model.b + nudge) - at(model.J, model.b - nudge)) / (2 * step)
        for j in range(i):
            pair = np.zeros_like(model.J)
            pair[i, j] = pair[j, i] = step
            slope = (at(model.J + pair, model.b) - at(model.J - pair, model.b)) / (2 * step)
            dJ[i, j] = dJ[j, i] = slope
    return dJ, db


def assert_exact_sums(sums, model, beta=1.0):
    """``sums(model, beta)`` are log Z, <s> and <ss'>."""
    log_z, mean, correlations = sums(model, beta)
    np.testing.assert_allclose(log_z, pairwise.log_partition(model, beta), rtol=1e-13)
    np.testing.assert_allclose(mean, pairwise.means(model, beta), **CLOSE)
    np.testing.assert_allclose(correlations, pairwise.correlations(model, beta), **CLOSE)


def assert_pairwise_free_energy(free_energy, model, beta=1.0):
    """``free_energy(model, V, beta)`` of all visible states."""
    V = pairwise.all_states(model, model.n_visible)
    expected = [pairwise.free_energy(model, v, beta) for v in V]
    np.testing.assert_allclose(free_energy(model, V, beta), expected, **CLOSE)


def assert_pseudo_likelihood(score, model, X, weights):
    """``score(model, X, weights)`` is the weighted mean pseudo-log-likelihood of spins, with its slopes (dJ, db)."""
    value, dJ, db = score(model, X, weights)
    shares = weights / weights.sum()
    expected = pairwise.mean_pseudo_log_likelihood(model, X, shares)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    slopes = finite_differences(lambda m: pairwise.mean_pseudo_log_likelihood(m, X, shares), model)
    np.testing.assert_allclose(dJ, slopes[0], rtol=0, atol=1e-7)
    np.testing.assert_allclose(db, slopes[1], rtol=0, atol=1e-7)


def weakly_coupled(scale, states=pairwise.SPIN):
    """Eight units with couplings of size `scale` between spins, and fields of size one."""
    model = random_pairwise(8, pairwise.SPIN, seed=3, scale=scale)
    model = replace(model, b=2 * model.b)
    return model if states == pairwise.SPIN else pairwise.in_other_states(model)


def assert_inversion_errors(invert, power, states=pairwise.SPIN):
    """Errors of the couplings and biases that ``invert(X, weights)`` finds are of this power of the couplings' size.

    Their exact powers are whole numbers, so half of one is the tolerance that tells them apart.
    """
    errors = []
    for scale in (0.02, 0.04):
        model = weakly_coupled(scale, states)
        J, bias = invert(pairwise.all_states(model), pairwise.probabilities(model))
        errors.append([np.abs(J - model.J).max(), np.abs(bias - model.b).max()])
    found = np.log2(np.divide(*errors[::-1]))
    np.testing.assert_allclose(found, power, rtol=0, atol=0.5)


def assert_moments_are_matched(solve, model):
    """``solve(mean, correlations)`` finds the couplings and biases of the model's own moments."""
    J, bias = solve(pairwise.means(model), pairwise.correlations(model))
    found = OraclePairwise(J, bias, model.states)
    np.testing.assert_allclose(found.J, model.J, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.b, model.b, rtol=0, atol=1e-6)
