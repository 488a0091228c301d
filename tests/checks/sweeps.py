"""What a right implementation of pairwise models does, as functions of the implementation.

The tests of the core hand them the library, tests/mutants/test_pairwise.py hands them implementations that are known to
be wrong and expects an AssertionError.
"""

from __future__ import annotations

import numpy as np

from tests.models.pairwise import counts_of, draws_from
from tests.oracles import pairwise, pairwise_sweeps
from tests.statistics import assert_same_distribution, assert_same_mean

# Sweeps --------------------------------------------------------------------------------------
# A step takes the states of independent chains (chains, units) to new ones.


def assert_has_the_row(step, model, start, T, n=100_000):
    """From one fixed state, the joint law of all units is the row of the transition matrix."""
    s = step(np.tile(start, (n, 1)))
    law = T[pairwise.state_index(model, start)]
    assert_same_distribution(counts_of(model, s), law)


def assert_leaves_the_law(step, model, law, n=100_000):
    """From exact draws of the law, all units jointly follow it after the step."""
    s = step(draws_from(model, law, n, seed=12345))
    assert_same_distribution(counts_of(model, s), law)


def assert_equals_the_plain_loop(swept, model, s, order, u, **settings):
    """``swept(s, order)`` decides its visits by the uniform deviates ``u`` (chains, visits)."""
    expected = [
        pairwise_sweeps.heat_bath_sweep(model, row, order, numbers, **settings)
        for row, numbers in zip(s, u, strict=True)
    ]
    np.testing.assert_array_equal(swept(s, order), expected)


# Energies ------------------------------------------------------------------------------------


def assert_energy(energy, model, rows, rtol=1e-12):
    """E(s) of every row, pair by pair."""
    expected = [pairwise.energy(model, s) for s in rows]
    np.testing.assert_allclose(energy(rows), expected, rtol=rtol, atol=rtol)


# Annealing -----------------------------------------------------------------------------------


def assert_weights_are_unbiased(log_weights, model, base, ts, n=200_000):
    """E[w] = Z_1 / Z_0, where ``log_weights(n)`` are those of n independent particles from p_0.

    A z-test with the variance of w over all trajectories.
    """
    ratio = pairwise_sweeps.ratio(model, base)
    second = pairwise_sweeps.annealed(model, base, ts, 2).sum() / ratio**2
    assert_same_mean(np.exp(log_weights(n)) / ratio, 1.0, variance=second - 1)


def assert_inverse_weights_are_unbiased(log_weights, model, base, ts, n=200_000):
    """E[1 / w] = Z_0 / Z_1, where ``log_weights(s)`` are those of particles back from exact draws of the model."""
    ratio = pairwise_sweeps.ratio(model, base)
    second = pairwise_sweeps.annealed_back(model, base, ts, 2).sum() * ratio**2
    start = draws_from(model, pairwise.probabilities(model), n, seed=54321)
    assert_same_mean(np.exp(-log_weights(start)) * ratio, 1.0, variance=second - 1)


# Gradients -----------------------------------------------------------------------------------


def pair_vector(gradient):
    """The numbers of a gradient (dJ, db): every pair once, then the biases."""
    dJ, db = gradient
    return np.concatenate([np.asarray(dJ)[np.tril_indices(len(dJ), -1)], db])


def centred(gradient, mu, mask=None):
    """The centred gradient A A' g that belongs to a plain one g, of pairs that are joined and of biases.

    With offsets the energy is -(s - mu)'J(s - mu) / 2 - c's. A is the matrix by which the plain parameters (J, b), of
    b = c - J mu, depend on (J, c): the slope by these is A' g, and A takes a step along it back.
    """
    dJ, db = gradient
    n = len(db)
    pairs = [(i, j) for i in range(n) for j in range(i) if mask is None or mask[i, j]]
    A = np.eye(len(pairs) + n)
    for column, (i, j) in enumerate(pairs):
        A[len(pairs) + i, column] -= mu[j]
        A[len(pairs) + j, column] -= mu[i]
    g = A @ A.T @ np.array([*(dJ[pair] for pair in pairs), *db])
    moved = np.zeros((n, n))
    for value, (i, j) in zip(g, pairs, strict=False):
        moved[i, j] = moved[j, i] = value
    return moved, g[len(pairs) :]


def assert_is_the_slope(gradient, model, X, weights=None, atol=1e-7):
    """Central differences of the mean log-likelihood; J_ij and J_ji are moved together."""
    weights = np.full(len(X), 1 / len(X)) if weights is None else weights
    step, n = 1e-5, model.n

    def slope(move):
        up, down = (weights @ pairwise.log_likelihood(move(sign * step), X) for sign in (1.0, -1.0))
        return (up - down) / (2 * step)

    def moved(dJ, db):
        return pairwise.OraclePairwise(model.J + dJ, model.b + db, model.states, model.n_hidden)

    for i in range(n):
        db = np.eye(n)[i]
        assert abs(slope(lambda d, e=db: moved(0, d * e)) - gradient[1][i]) < atol, i
        for j in range(i):
            pair = np.zeros((n, n))
            pair[i, j] = pair[j, i] = 1
            difference = slope(lambda d, e=pair: moved(d * e, 0)) - gradient[0][i, j]
            assert abs(difference) < atol, (i, j)


def assert_expects(estimate, expected, n=3000):
    """Independent estimates, ``estimate(i)`` for i < n, have this expectation."""
    samples = np.array([pair_vector(estimate(i)) for i in range(n)])
    assert_same_mean(samples, pair_vector(expected))
