"""Storage rules and recall as their papers write them: plain loops over units and patterns.

Patterns are lists of spins, J[i, j] is what unit j does to unit i, and

    E(s) = -1/2 sum_ij J_ij s_i s_j - sum_i b_i s_i.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize
from scipy.stats import norm


def energy(J, b, s):
    total = 0.0
    for i in range(len(s)):
        total -= b[i] * s[i]
        for j in range(len(s)):
            total -= J[i, j] * s[i] * s[j] / 2
    return total


def field(J, b, s, i):
    return sum(J[i, j] * s[j] for j in range(len(s))) + b[i]


# Storage -------------------------------------------------------------------------------------


def hebb(patterns, weights=None, normalize=True):
    n = len(patterns[0])
    J = np.zeros((n, n))
    for mu, xi in enumerate(patterns):
        w = 1 if weights is None else weights[mu]
        for i in range(n):
            for j in range(n):
                if i != j:
                    J[i, j] += w * xi[i] * xi[j] / (n if normalize else 1)
    return J


def storkey(patterns, mask=None):
    """Storkey (1997): every h_ij by its own sum."""
    n = len(patterns[0])
    J = np.zeros((n, n))
    for xi in patterns:
        old = J.copy()
        for i in range(n):
            for j in range(n):
                if i == j or (mask is not None and not mask[i][j]):
                    continue
                h_ij = sum(old[i, k] * xi[k] for k in range(n) if k not in (i, j))
                h_ji = sum(old[j, k] * xi[k] for k in range(n) if k not in (i, j))
                J[i, j] += (xi[i] * xi[j] - xi[i] * h_ji - h_ij * xi[j]) / n
    return J


def pseudo_inverse(patterns):
    """sum_mu,nu xi_i^mu (C^-1)_mu,nu xi_j^nu / N with the overlaps C, zero diagonal."""
    X = np.asarray(patterns, float)
    n = X.shape[1]
    J = X.T @ np.linalg.inv(X @ X.T / n) @ X / n
    for i in range(n):
        J[i, i] = 0
    return J


def covariance(bits, activity, threshold=None):
    """Couplings of bits and their thresholds, then the same in spins by putting n = (1 + s) / 2 into the energy."""
    n = len(bits[0])
    a, theta = activity, 0.5 - activity if threshold is None else threshold
    K = np.zeros((n, n))
    for x in bits:
        for i in range(n):
            for j in range(n):
                if i != j:
                    K[i, j] += (x[i] - a) * (x[j] - a) / (n * a * (1 - a))
    thresholds = [theta + a * sum(K[i]) for i in range(n)]
    # E = -1/2 sum K n n + sum theta n; fields of spins are twice those of bits, for the same temperature zero.
    J, b = K.copy(), np.zeros(n)
    for i in range(n):
        b[i] = sum(K[i]) - 2 * thresholds[i]
    return J, b


def largest_stability(patterns, i):
    """max over |w| = 1, w_i = 0, of the smallest xi_i w . xi: 1 / |w| for the smallest w with all products >= 1."""
    X = np.asarray(patterns, float)
    examples = np.delete(X * X[:, i : i + 1], i, axis=1)
    # Least distance programming (Lawson & Hanson 1974, chapter 23): the residual of a non-negative least-squares
    # problem.
    stacked = np.vstack([examples.T, np.ones(len(X))])
    target = np.append(np.zeros(examples.shape[1]), 1.0)
    u, _ = optimize.nnls(stacked, target, maxiter=10_000)
    residual = stacked @ u - target
    assert residual @ residual > 1e-12, "no couplings make all patterns stable"
    w = -residual[:-1] / residual[-1]
    assert (examples @ w > 1 - 1e-9).all()
    return 1 / np.linalg.norm(w)


def covariance_critical_load(a, theta):
    """The largest load with a solution near the pattern: Shiino & Fukai's equations for the covariance rule."""

    def retrieves(load):
        P, Q, U = 1.0, 0.0, 0.0
        for _ in range(20_000):
            m, square = P - Q, (a * P + (1 - a) * Q) * (1 - 2 * a) + a * a
            if m < 0.2 or U > 0.999:
                return False
            sigma = np.sqrt(load * square) / (1 - U)
            reaction = load * U / (1 - U) * (0.5 - a)
            x = ((1 - a) * m - theta + reaction) / sigma
            y = (-a * m - theta + reaction) / sigma
            new = norm.cdf(x), norm.cdf(y), (a * norm.pdf(x) + (1 - a) * norm.pdf(y)) / sigma
            change = abs(new[0] - P) + abs(new[1] - Q) + abs(new[2] - U)
            P, Q, U = (P + new[0]) / 2, (Q + new[1]) / 2, (U + new[2]) / 2
            if change < 1e-8:
                return True
        return True

    low, high = 0.01, 40.0
    while high / low > 1.003:
        middle = np.sqrt(low * high)
        low, high = (middle, high) if retrieves(middle) else (low, middle)
    return low


# Recall --------------------------------------------------------------------------------------


def update(J, b, s, i, states=(-1, 1)):
    """Unit i goes where its field points, in place; a field of zero, but for rounding, leaves it."""
    f = field(J, b, s, i)
    if f > 1e-12:
        s[i] = states[1]
    elif f < -1e-12:
        s[i] = states[0]


def asynchronous(J, b, s, order, free=None):
    """One sweep: one unit after the other."""
    s = list(s)
    for i in order:
        if free is None or free[i]:
            update(J, b, s, i)
    return s


def synchronous(J, b, s):
    """One sweep: all units from the old states."""
    new = list(s)
    for i in range(len(s)):
        one = list(s)
        update(J, b, one, i)
        new[i] = one[i]
    return new


def completed(J, b, probe, coin):
    """The probe with each unknown bit where the field of the known ones points, or as the coin fell."""
    known = [0.0 if np.isnan(x) else x for x in probe]
    s = list(probe)
    for i, x in enumerate(probe):
        if np.isnan(x):
            f = field(J, b, known, i)
            s[i] = 1.0 if f > 1e-12 else (-1.0 if f < -1e-12 else coin[i])
    return s


def recalled(J, b, s, orders, free=None):
    """Asynchronous sweeps until one changes nothing: all states on the way."""
    path = [list(s)]
    for order in orders:
        new = asynchronous(J, b, path[-1], order, free)
        if new == path[-1]:
            break
        path.append(new)
    return path


def heat_bath_transition(J, b, s, order, beta):
    """Law of the state after single-unit heat-bath updates in `order`, from s: {state: probability}."""
    law = {tuple(s): 1.0}
    for i in order:
        new = {}
        for state, p in law.items():
            up = 1 / (1 + np.exp(-2 * beta * field(J, b, state, i)))
            for value, q in ((1.0, up), (-1.0, 1 - up)):
                moved = (*state[:i], value, *state[i + 1 :])
                new[moved] = new.get(moved, 0.0) + p * q
        law = new
    return law


def parallel_transition(J, b, s, beta):
    """Law of the state after one synchronous update: a product."""
    law = {(): 1.0}
    for i in range(len(s)):
        up = 1 / (1 + np.exp(-2 * beta * field(J, b, s, i)))
        law = {(*k, v): p * q for k, p in law.items() for v, q in ((1.0, up), (-1.0, 1 - up))}
    return law
