"""Passes over square matrices of couplings."""

import numpy as np

from ebm._jit import jit

# Rows and columns at a time: two such tiles stay in the innermost cache.
TILE = 32


@jit
def symmetrise(A):
    """A <- (A + A') / 2 in place, with a diagonal of zeros."""
    n = A.shape[0]
    half = type(A[0, 0])(0.5)
    for top in range(0, n, TILE):
        for left in range(0, top + TILE, TILE):
            for i in range(top, min(top + TILE, n)):
                for j in range(left, min(left + TILE, i)):
                    mean = half * (A[i, j] + A[j, i])
                    A[i, j] = mean
                    A[j, i] = mean
    for i in range(n):
        A[i, i] = half - half


@jit
def is_symmetric(A):
    """Whether A = A', bit for bit."""
    n = A.shape[0]
    for top in range(0, n, TILE):
        differences = 0
        for left in range(0, top + TILE, TILE):
            for i in range(top, min(top + TILE, n)):
                for j in range(left, min(left + TILE, i)):
                    differences += A[i, j] != A[j, i]
        if differences:
            return False
    return True


@jit(reorder=True)
def absolute_sums(A):
    """Sum of the absolute values of each row."""
    out = np.empty(A.shape[0], A.dtype)
    for i in range(A.shape[0]):
        row, total = A[i], type(A[0, 0])(0.0)
        for j in range(row.size):
            total += abs(row[j])
        out[i] = total
    return out
