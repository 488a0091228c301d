"""Rows with unknown entries, state by state: log of the sum over all that is unknown, and expectations.

A layer is a list of units, each a tuple: ("states", (low, high), bias) with the energy -bias x, or ("real", mean,
variance) with the energy (x - mean)^2 / (2 variance); weights multiply x, or x / variance. Given one layer, each unit
of the other contributes a factor of its own.
"""

from __future__ import annotations

import itertools

import numpy as np


def factor(unit, value, field, beta):
    """Log weight and mean of one unit in a field; NaN is summed or integrated over."""
    kind, first, second = unit
    if kind == "real":
        if np.isnan(value):
            peak = first + field
            log = 0.5 * np.log(2 * np.pi * second / beta) + beta * (peak**2 - first**2) / (
                2 * second
            )
            return log, peak
        return -beta * ((value - first) ** 2 / 2 - value * field) / second, value
    if np.isnan(value):
        logs = np.array([beta * x * (second + field) for x in first])
        top = logs.max()
        weights = np.exp(logs - top)
        return top + np.log(weights.sum()), weights @ first / weights.sum()
    return beta * value * (second + field), value


def statistic(layer, states):
    return np.array([x / u[2] if u[0] == "real" else x for u, x in zip(layer, states, strict=True)])


def by_hidden_states(W, visible, hidden, row, beta=1.0):
    """Log of the sum over unknown visible and hidden units, and means of the visible ones; hidden of two states."""
    logs, means = [], []
    for h in itertools.product(*(u[1] for u in hidden)):
        fields = W @ np.array(h)
        found = [factor(u, x, f, beta) for u, x, f in zip(visible, row, fields, strict=True)]
        own = sum(beta * x * u[2] for u, x in zip(hidden, h, strict=True))
        logs.append(own + sum(x[0] for x in found))
        means.append([x[1] for x in found])
    return averaged(logs, means)


def by_visible_states(W, visible, hidden, row, beta=1.0):
    """The same with visible units of two states and any hidden ones."""
    logs, means = [], []
    choices = [u[1] if np.isnan(x) else (x,) for u, x in zip(visible, row, strict=True)]
    for v in itertools.product(*choices):
        fields = W.T @ np.array(v)
        own = sum(beta * x * u[2] for u, x in zip(visible, v, strict=True))
        found = [factor(u, np.nan, f, beta) for u, f in zip(hidden, fields, strict=True)]
        logs.append(own + sum(x[0] for x in found))
        means.append(v)
    return averaged(logs, means)


def two_real_layers(W, visible, hidden, row, beta=1.0):
    """Both layers real: marginals and conditionals of one normal law, from its covariance."""
    layers = [*visible, *hidden]
    n = len(visible)
    P = np.diag([1 / u[2] for u in layers])
    for i, j in itertools.product(range(n), range(len(hidden))):
        P[i, n + j] = P[n + j, i] = -W[i, j] / (visible[i][2] * hidden[j][2])
    pull = np.array([u[1] / u[2] for u in layers])
    mean, cov = np.linalg.solve(P, pull), np.linalg.inv(P) / beta
    constant = -0.5 * beta * sum(u[1] ** 2 / u[2] for u in layers) + 0.5 * beta * pull @ mean
    constant += 0.5 * np.linalg.slogdet(2 * np.pi * cov)[1]
    known = np.flatnonzero(~np.isnan(row))
    K = cov[np.ix_(known, known)]
    off = row[known] - mean[known]
    weight = constant - 0.5 * (off @ np.linalg.solve(K, off) + np.linalg.slogdet(2 * np.pi * K)[1])
    means = mean[:n] + cov[:n][:, known] @ np.linalg.solve(K, off)
    return weight, np.where(np.isnan(row), means, row)


def averaged(logs, means):
    logs = np.array(logs)
    weights = np.exp(logs - logs.max())
    return logs.max() + np.log(weights.sum()), weights @ np.array(means) / weights.sum()
