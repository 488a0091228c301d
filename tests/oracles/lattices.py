"""Ising models on L x M tori, by transfer matrices.

Spins of -1 and +1 on a square lattice with periodic boundaries, E(s) = -J sum_<ij> s_i s_j over bonds. Every site has
a bond to its right and one to its lower neighbour. Along a side of length 2 these bonds meet the same neighbour
twice, from both sides, and both count.
"""

from __future__ import annotations

import itertools

import numpy as np


def torus_bonds(n_rows, n_columns):
    """Pairs of sites, one for each of the 2 n_rows n_columns bonds; row r and column c meet in r n_columns + c."""
    bonds = []
    for r in range(n_rows):
        for c in range(n_columns):
            here = r * n_columns + c
            bonds.append((here, r * n_columns + (c + 1) % n_columns))
            bonds.append((here, (r + 1) % n_rows * n_columns + c))
    return bonds


def torus_couplings(n_rows, n_columns, coupling=1.0):
    """J (sites, sites) of the torus: each bond adds to its pair, so that double bonds are twice as strong."""
    J = np.zeros((n_rows * n_columns, n_rows * n_columns))
    for i, j in torus_bonds(n_rows, n_columns):
        J[i, j] += coupling
        J[j, i] += coupling
    return J


def _transfer(n_rows, coupling):
    """The energy that column s and its bonds to the next column s' add, for all pairs: (2**n_rows, 2**n_rows)."""
    columns = list(itertools.product((-1, 1), repeat=n_rows))
    total = np.zeros((len(columns), len(columns)))
    for x, s in enumerate(columns):
        inside = sum(s[r] * s[(r + 1) % n_rows] for r in range(n_rows))
        for y, t in enumerate(columns):
            total[x, y] = -coupling * (inside + sum(a * b for a, b in zip(s, t, strict=True)))
    return total


def torus_log_partition(n_rows, n_columns, beta, coupling=1.0):
    """log Z = log tr T^M with T(s, s') = exp(-beta E(s, s')) of one column and the bonds to the next."""
    return torus(n_rows, n_columns, beta, coupling)[0]


def torus_mean_energy(n_rows, n_columns, beta, coupling=1.0):
    """<E> = -d log Z / d beta, of the whole torus."""
    return torus(n_rows, n_columns, beta, coupling)[1]


def torus(n_rows, n_columns, beta, coupling=1.0):
    """log Z and <E> = M tr((E T) T^(M-1)) / tr T^M."""
    if min(n_rows, n_columns) < 2 or n_rows > 8:
        raise ValueError(
            "Tori have at least 2 rows and columns; the transfer matrix holds up to 8 rows."
        )
    E = _transfer(n_rows, coupling)
    shift = (-beta * E).max()
    T = np.exp(-beta * E - shift)
    # All entries are at most one, so powers up to the 16th stay far from overflow.
    before = np.linalg.matrix_power(T, n_columns - 1)
    trace = np.trace(before @ T)
    log_z = n_columns * shift + np.log(trace)
    return log_z, n_columns * np.trace(before @ (E * T)) / trace


def uneven_torus_log_partition(n_rows, n_columns, beta, below, right):
    """log tr T^n_rows of one row and the bonds to the next, whose couplings differ from those within a row."""
    spins = np.array(list(itertools.product([-1.0, 1.0], repeat=n_columns)))
    within = right * (spins * np.roll(spins, -1, axis=1)).sum(axis=1)
    T = np.exp(beta * (within[:, np.newaxis] + below * spins @ spins.T))
    scale = np.abs(T).max()
    return np.log(np.trace(np.linalg.matrix_power(T / scale, n_rows))) + n_rows * np.log(scale)


def strip_log_partition(J, b, n_columns, states, beta):
    """log Z of rows of `n_columns` units, joined to the same row and the next one by any couplings J, with biases b."""
    rows = np.array(list(itertools.product(states, repeat=n_columns)))
    weights, n = np.zeros(len(rows)), n_columns
    for start in range(0, len(b), n):
        here = slice(start, start + n)
        own = rows @ b[here] + 0.5 * np.einsum("ri,ij,rj->r", rows, J[here, here], rows)
        if start:
            between = rows @ J[here, start - n : start] @ rows.T
            logs = beta * between + weights
            top = logs.max(axis=1)
            weights = top + np.log(np.exp(logs - top[:, np.newaxis]).sum(axis=1))
        weights = weights + beta * own
    return weights.max() + np.log(np.exp(weights - weights.max()).sum())
