"""Loops of the storage rules: one pattern after the other, and one unit after the other."""

import math

import numpy as np

from ebm._jit import jit


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
def min_over(products, own, targets, kappa, tol, max_iter, strengths):
    """Add up the least stable examples y = target * inputs of one perceptron, from one of each.

    Parameters
    ----------
    products : ndarray of shape (n_patterns, n_patterns)
        Scalar products of the patterns' inputs, of which `own` is to be subtracted: what the unit itself adds.
    targets : ndarray of shape (n_patterns,)
        Signs.
    kappa : float
        The stability that is enough; negative for the largest one.
    tol : float
        Relative gap between the stability and its upper bound at which to stop.
    max_iter : int
        Examples to add at most.
    strengths : ndarray of shape (n_patterns,)
        Is filled: how often each example is in the sum.
    """
    n = targets.size
    aligned = np.zeros(n)  # of the sum of examples with each of them
    for mu in range(n):
        strengths[mu] = 1.0
        _add_example(products[mu], own, targets[mu], targets, aligned)
    total = float(n)
    square = 0.0
    for mu in range(n):
        square += aligned[mu]
    for _ in range(max_iter):
        worst = _smallest(aligned)
        length = math.sqrt(square)
        # The largest stability lies between aligned[worst] / length and length / total.
        if kappa >= 0.0 and aligned[worst] > 0.0 and aligned[worst] >= kappa * length:
            break
        if aligned[worst] * total >= (1.0 - tol) * square and aligned[worst] > 0.0:
            break
        square += 2.0 * aligned[worst] + products[worst, worst] - own
        total += 1.0
        strengths[worst] += 1.0
        _add_example(products[worst], own, targets[worst], targets, aligned)


@jit
def _add_example(products, own, target, targets, aligned):
    for nu in range(targets.size):
        aligned[nu] += target * targets[nu] * (products[nu] - own)


@jit
def _smallest(x):
    best = 0
    for k in range(1, x.size):
        if x[k] < x[best]:
            best = k
    return best
