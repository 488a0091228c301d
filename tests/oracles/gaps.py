"""The log-likelihood of the known entries of rows, of a machine with binary hidden units, and its gradient.

A machine is a list of visible parts, a matrix W (n_visible, n_hidden), biases b and c, and log-variances z of the real
columns. A part is (kind, number of columns): "bits" {0, 1}, "spins" {-1, +1}, "group" (exactly one of its columns is
one), or "real" with the energy (x - b)^2 / (2 exp z) and weights that multiply x / exp z. Missing entries are NaN.

Hidden states are enumerated. Given them the parts are independent: their states are enumerated, too, and real
columns are integrated by the trapezoid rule. The gradient is that of central differences of every parameter.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

STATES = {"bits": (0.0, 1.0), "spins": (-1.0, 1.0)}
GRID = np.linspace(-12, 12, 4001)


class Parameters(NamedTuple):
    W: np.ndarray
    b: np.ndarray
    c: np.ndarray
    z: np.ndarray


def random_parameters(parts, n_hidden, seed=0, size=0.8):
    rng = np.random.default_rng(seed)
    n = sum(count for _, count in parts)
    n_real = sum(count for kind, count in parts if kind == "real")
    return Parameters(
        size * rng.normal(size=(n, n_hidden)),
        0.5 * rng.normal(size=n),
        0.5 * rng.normal(size=n_hidden),
        0.3 * rng.normal(size=n_real),
    )


def terms(parts, params, row, h):
    """For each part: the log of its factor given h, summed over what is missing."""
    pull = params.b + params.W @ h
    at = real = 0
    for kind, count in parts:
        for group in (
            [range(at, at + count)] if kind == "group" else [[i] for i in range(at, at + count)]
        ):
            x, f = row[list(group)], pull[list(group)]
            if kind == "group":
                yield np.logaddexp.reduce(f) if np.isnan(x).all() else x @ f
            elif kind == "real":
                variance, mean = np.exp(params.z[real]), params.b[group[0]]
                grid = mean + np.sqrt(variance) * GRID if np.isnan(x[0]) else x
                log = (
                    -((grid - mean) ** 2) / (2 * variance)
                    + grid * (params.W[group[0]] @ h) / variance
                )
                step = np.log(np.sqrt(variance) * (GRID[1] - GRID[0]))
                yield np.logaddexp.reduce(log) + step if np.isnan(x[0]) else log[0]
                real += 1
            else:
                states = STATES[kind] if np.isnan(x[0]) else x
                yield np.logaddexp.reduce([s * f[0] for s in states])
        at += count


def log_weight(parts, params, row):
    """Log of the sum of exp(-E) over the hidden states and all that is missing in the row."""
    logs = [
        params.c @ h + sum(terms(parts, params, row, np.array(h)))
        for h in map(np.array, itertools.product((0.0, 1.0), repeat=len(params.c)))
    ]
    return np.logaddexp.reduce(logs)


def log_likelihood(parts, params, rows):
    """Log p of the known entries of each row."""
    log_z = log_weight(parts, params, np.full(rows.shape[1], np.nan))
    return np.array([log_weight(parts, params, row) for row in rows]) - log_z


def gradient(function, params, step=1e-5):
    """Central differences of ``function(params)``, which may be an array, by every parameter."""
    found = []
    for field, x in enumerate(params):
        slopes = []
        for place in np.ndindex(x.shape):
            ends = []
            for sign in (1, -1):
                moved = x.copy()
                moved[place] += sign * step
                ends.append(function(params._replace(**{params._fields[field]: moved})))
            slopes.append((np.asarray(ends[0]) - ends[1]) / (2 * step))
        found.append(np.array(slopes).reshape(*x.shape, *np.shape(slopes[0]) if slopes else ()))
    return Parameters(*found)
