"""Loops of the storage rules: one pattern after the other, and one unit after the other."""

import math

from ebm._jit import jit

# Between 0 and 2 the AdaTron converges. Sweeps that it took, for 300 and 600 patterns in 200 and 400 units, 1.0 / 1.5 /
# 1.8: 196 / 101 / 135 and 224 / 107 / 141.
OVER_RELAXATION = 1.5
# Where no couplings are known to have a larger stability, there is none to be looked for.
NO_STABILITY = 1e-3


@jit
def storkey(J, xi, field):
    """J += (xi xi' - xi field' - field xi' + 2 J) / N, in place, with the fields ``J xi`` from before."""
    n = xi.size
    for i in range(n):
        row, x, f = J[i], xi[i], field[i]
        for j in range(n):
            # Symmetric to the last bit: the two products are exact, and their sum does not depend on the order.
            row[j] += (x * xi[j] - (x * field[j] + f * xi[j]) + 2.0 * row[j]) / n


@jit
def min_over(products, own, targets, goal, n_sweeps, strengths, aligned):
    """Add up the least stable examples y = target * inputs of one perceptron, from one of each; whether that is done.

    Parameters
    ----------
    products : ndarray of shape (n_patterns, n_patterns)
        Scalar products of the patterns. `own` is to be subtracted from those of the examples: what the unit itself
        adds.
    targets : ndarray of shape (n_patterns,)
        Signs.
    goal : tuple (kappa, tol)
        The stability that is enough, negative for the largest one; relative gap to its upper bound at which to stop.
    n_sweeps : int
        Examples to add at most, per pattern.
    strengths, aligned : ndarray of shape (n_patterns,)
        How often each example is in the sum, and products of the sum with each of them; zero at first. Where that is
        not done, another call goes on from them.
    """
    n = targets.size
    if strengths[0] == 0.0:
        for mu in range(n):
            strengths[mu] = 1.0
            _add_example(products[mu], own, targets[mu], targets, aligned)
    total, square = 0.0, 0.0  # whole numbers, and so the same in any order of the sums
    for mu in range(n):
        total += strengths[mu]
        square += strengths[mu] * aligned[mu]
    for _ in range(n_sweeps * n):
        worst = _smallest(aligned)
        if _is_done(aligned[worst], square, total, goal):
            return True
        square += 2.0 * aligned[worst] + products[worst, worst] - own
        total += 1.0
        strengths[worst] += 1.0
        _add_example(products[worst], own, targets[worst], targets, aligned)
    return False


@jit
def adatron(products, own, targets, goal, n_sweeps, strengths, aligned):
    """Move the strength of one example after the other towards an aligned field of one, and never below zero.

    Takes and returns what :func:`min_over` does. One sweep costs as much as n_patterns steps of that.
    """
    n = targets.size
    for _ in range(n_sweeps):
        for mu in range(n):
            square = products[mu, mu] - own
            if square <= 0.0:  # a unit without inputs
                return True
            step = max(OVER_RELAXATION * (1.0 - aligned[mu]) / square, -strengths[mu])
            if step != 0.0:
                strengths[mu] += step
                share = step * targets[mu]
                for nu in range(n):
                    aligned[nu] += share * targets[nu] * products[mu, nu] - step * own
        total, square = 0.0, 0.0
        for mu in range(n):
            total += strengths[mu]
            square += strengths[mu] * aligned[mu]
        if _is_done(aligned[_smallest(aligned)], square, total, goal):
            return True
    return False


@jit
def _is_done(smallest, square, total, goal):
    """The largest stability lies between smallest / sqrt(square) and sqrt(square) / total."""
    kappa, tol = goal
    if square <= 0.0:
        return False
    length = math.sqrt(square)
    if length < NO_STABILITY * total:
        return True
    if smallest <= 0.0:
        return False
    return (kappa >= 0.0 and smallest >= kappa * length) or smallest * total >= (1.0 - tol) * square


@jit
def _add_example(products, own, target, targets, aligned):
    for nu in range(targets.size):
        aligned[nu] += target * targets[nu] * products[nu] - own


@jit
def _smallest(x):
    best = 0
    for k in range(1, x.size):
        if x[k] < x[best]:
            best = k
    return best
