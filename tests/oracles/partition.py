"""Log Z of models with several modes, each by a sum that knows nothing of annealing.

Spins of -1 and +1 with E(s) = -s'Js/2 - b's; machines of two layers with E(v, h) = -v'Wh - b'v - c'h, Gaussian units
adding (v - b)^2 / 2 sigma^2 with W / sigma^2 in the place of W.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.special import gammaln, logsumexp


def states_of(n, low=-1.0):
    """All states of n units that are `low` or 1: (2^n, n)."""
    return np.array(list(itertools.product((low, 1.0), repeat=n)))


def enumerated(J, b, low=-1.0):
    """By all states: up to 16 units or so."""
    s = states_of(len(b), low)
    return float(logsumexp(0.5 * np.einsum("ij,ij->i", s @ J, s) + s @ b))


def by_layers(J, b, width):
    """By a transfer matrix around a ring of layers of `width` spins, each of which is joined to its two neighbours."""
    n_layers, s = len(b) // width, states_of(width)
    total, shift = np.eye(len(s)), 0.0
    for layer in range(n_layers):
        here = np.arange(layer * width, (layer + 1) * width)
        there = (here + width) % len(b)
        inside = 0.5 * np.einsum("ij,ij->i", s @ J[np.ix_(here, here)], s) + s @ b[here]
        both = J[np.ix_(here, there)] / (2 if n_layers == 2 else 1)
        logs = inside[:, None] + s @ both @ s.T
        total = total @ np.exp(logs - logs.max())
        shift += logs.max() + np.log(total.max())
        total /= total.max()
    return float(shift + np.log(np.trace(total)))


def by_blocks(sizes, strength, fields):
    """Of blocks of equal spins: J = strength[a, b] between any two different spins of the blocks a and b, fields[a].

    A state counts by how many spins of each block are up.
    """
    ups = np.array(list(itertools.product(*(range(n + 1) for n in sizes))))
    n, m = np.array(sizes), 2 * ups - np.array(sizes)
    count = (gammaln(n + 1) - gammaln(ups + 1) - gammaln(n - ups + 1)).sum(axis=1)
    energy = -0.5 * np.einsum("ia,ab,ib->i", m, strength, m) + 0.5 * n @ np.diag(strength)
    return float(logsumexp(count - energy + m @ fields))


def block_couplings(sizes, strength, fields):
    """J and b of :func:`by_blocks`."""
    block = np.repeat(np.arange(len(sizes)), sizes)
    J = np.asarray(strength, float)[np.ix_(block, block)]
    np.fill_diagonal(J, 0)
    return J, np.asarray(fields, float)[block]


def two_layers(W, b, c, low=0.0, hidden_low=0.0, groups=()):
    """By all states of the hidden layer; visible units have two states, the last are one-hot `groups`."""
    h = states_of(W.shape[1], hidden_low)
    f = h @ W.T + b
    n = len(b) - sum(groups)
    total = h @ c + np.logaddexp(low * f[:, :n], f[:, :n]).sum(axis=1)
    for size in groups:
        total += logsumexp(f[:, n : n + size], axis=1)
        n += size
    return float(logsumexp(total))


def gaussian_visible(W, b, c, variance, hidden_low=0.0):
    """By all states of the hidden layer, each with the integral of a normal density of the mean b + W h."""
    h = states_of(W.shape[1], hidden_low)
    mean = b + h @ W.T
    quadratic = 0.5 * ((mean**2 - b**2) / variance).sum(axis=1)
    return float(logsumexp(h @ c + quadratic)) + 0.5 * float(np.log(2 * np.pi * variance).sum())


def kaufman(n_rows, n_columns, K):
    """Of the Ising torus with couplings K (Kaufman 1949)."""
    m, n = n_rows, n_columns
    gamma = np.empty(2 * n)
    for k in range(2 * n):
        cosh = np.cosh(2 * K) / np.tanh(2 * K) - np.cos(np.pi * k / n)
        gamma[k] = np.arccosh(cosh)
    gamma[0] = 2 * K + np.log(np.tanh(K))
    odd, even = gamma[1::2] * m / 2, gamma[0::2] * m / 2
    log_cosh = [np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - np.log(2) for x in (odd, even)]
    log_sinh = [np.abs(x) + np.log(-np.expm1(-2 * np.abs(x))) - np.log(2) for x in (odd, even)]
    logs = [n * np.log(2) + x.sum() for x in (log_cosh[0], log_sinh[0], log_cosh[1], log_sinh[1])]
    signs = [1.0, 1.0, 1.0, np.prod(np.sign(even))]
    common = 0.5 * m * n * np.log(2 * np.sinh(2 * K)) - np.log(2)
    return float(common + logsumexp(logs, b=signs))
