"""Layers and losses of feed-forward networks, number by number in plain Python, and slopes by differences.

Functions take and return lists of rows or arrays of them; nothing is computed in place, no derivative by a formula.
"""

from __future__ import annotations

import math

import numpy as np

from tests.oracles import draws

# Activations of one number -------------------------------------------------------------------


def identity(x):
    return x


def logistic(x):
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def tanh(x):
    return math.tanh(x)


def relu(x):
    return max(x, 0.0)


def leaky_relu(x, slope=0.01):
    return x if x > 0 else slope * x


def softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def elu(x, alpha=1.0):
    return x if x > 0 else alpha * math.expm1(x)


def prelu(X, slopes):
    return np.array([[leaky_relu(x, a) for x, a in zip(row, slopes, strict=True)] for row in X])


# Layers --------------------------------------------------------------------------------------


def maxout(X, n_pieces):
    return np.array(
        [[max(row[i : i + n_pieces]) for i in range(0, len(row), n_pieces)] for row in X]
    )


def dropout_mask(rate, key, n_rows, n_columns, first_row=0):
    """Whether each unit stays: its 32-bit word, as a fraction, is below 1 - rate."""
    return draws.words(key, n_rows, n_columns, first_row) / 2**32 < 1 - rate


def dropout(X, rate, key, first_row=0):
    stays = dropout_mask(rate, key, len(X), len(X[0]), first_row)
    return np.array(
        [
            [x / (1 - rate) if s else 0.0 for x, s in zip(*pair, strict=True)]
            for pair in zip(X, stays, strict=True)
        ]
    )


def column_moments(X):
    """Mean and variance (divided by the rows) of every column, by exact sums."""
    n = len(X)
    means = [math.fsum(column) / n for column in zip(*X, strict=True)]
    variances = [
        math.fsum((x - m) ** 2 for x in column) / n
        for column, m in zip(zip(*X, strict=True), means, strict=True)
    ]
    return np.array(means), np.array(variances)


def normalised(X, mean, variance, gamma, beta, epsilon):
    return np.array(
        [
            [
                g * (x - m) / math.sqrt(v + epsilon) + b
                for x, m, v, g, b in zip(row, mean, variance, gamma, beta, strict=True)
            ]
            for row in X
        ]
    )


# Losses of one row ---------------------------------------------------------------------------


def softmax(z):
    largest = max(z)
    terms = [math.exp(x - largest) for x in z]
    return [term / math.fsum(terms) for term in terms]


def cross_entropy(z, t):
    largest = max(z)
    log_sum = largest + math.log(math.fsum(math.exp(x - largest) for x in z))
    return math.fsum(tc * (log_sum - x) for x, tc in zip(z, t, strict=True))


def binary_cross_entropy(z, t):
    return math.fsum(tc * softplus(-x) + (1 - tc) * softplus(x) for x, tc in zip(z, t, strict=True))


def squared_error(z, t):
    return math.fsum((x - tc) ** 2 / 2 for x, tc in zip(z, t, strict=True))


def huber(z, t, delta=1.0):
    total = 0.0
    for x, tc in zip(z, t, strict=True):
        d = abs(x - tc)
        total += d * d / 2 if d <= delta else delta * (d - delta / 2)
    return total


def poisson(z, t):
    total = 0.0
    for x, tc in zip(z, t, strict=True):
        total += math.exp(x) - tc - tc * x + (tc * math.log(tc) if tc > 0 else 0.0)
    return total


def mean_loss(loss, Z, T, weights=None):
    """Weighted mean of the rows' losses; the weights sum to one."""
    weights = [1 / len(Z)] * len(Z) if weights is None else weights
    return math.fsum(w * loss(z, t) for z, t, w in zip(Z, T, weights, strict=True))


# Costs of layers, and networks that share weights ----------------------------------------------


def divergence(p, q):
    """KL of one bit that is on with probability p from one that is so with q."""
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def sparse_activity(Y, target, strength, weights=None):
    """Divergences of the target from the mean activity of every unit; the weights sum to one."""
    weights = [1 / len(Y)] * len(Y) if weights is None else weights
    means = [
        math.fsum(w * y for w, y in zip(weights, c, strict=True)) for c in zip(*Y, strict=True)
    ]
    return strength * math.fsum(divergence(target, mean) for mean in means)


def weighted_sums(X, W, bias):
    return [
        [b + math.fsum(x * w for x, w in zip(row, column, strict=True)) for column, b in pairs]
        for row in X
        for pairs in [[*zip(zip(*W, strict=True), bias, strict=True)]]
    ]


def autoencoder(X, targets, W, bias, back, loss, weights=None, sparsity=None):
    """Objective of z = f(xW + bias) W' + back with logistic f: the loss of z, and the (target, strength) of f."""
    Y = [[logistic(x) for x in row] for row in weighted_sums(X, W, bias)]
    Z = weighted_sums(Y, [*zip(*W, strict=True)], back)
    total = mean_loss(loss, Z, targets, weights)
    return total if sparsity is None else total + sparse_activity(Y, *sparsity, weights)


# Autoencoders of any depth ---------------------------------------------------------------------


def masked(X, rate, key):
    """Entries whose word, as a fraction, is below the rate become zero."""
    hit = draws.words(key, len(X), len(X[0])) / 2**32 < rate
    return np.array(
        [[0.0 if h else x for x, h in zip(*pair, strict=True)] for pair in zip(X, hit, strict=True)]
    )


def noisy(X, scale, key):
    """Normal deviates, times the scale, on top of all entries."""
    return np.array(X) + scale * draws.normals(key, len(X), len(X[0]))


def peppered(X, rate, key, low, high):
    """Entries are low or high: a word of the key says which are, one of its key number 1 says which of both."""
    hit = draws.words(key, len(X), len(X[0])) / 2**32 < rate
    coin = draws.words(draws.fold(key, 1), len(X), len(X[0])) / 2**32 < 0.5
    return np.where(hit, np.where(coin, low, high), X)


def contraction(X, W, bias, function, weights=None, step=1e-4):
    """Mean squared Frobenius norm of the derivatives of y = f(xW + b) by x, each a difference of a row's outputs."""
    weights = [1 / len(X)] * len(X) if weights is None else weights
    total = 0.0
    for row, w in zip(X, weights, strict=True):
        for k in range(len(row)):
            ends = []
            for sign in (1, -1):
                nudged = [x + sign * step * (i == k) for i, x in enumerate(row)]
                ends.append([function(x) for x in weighted_sums([nudged], W, bias)[0]])
            total += w * math.fsum(((a - b) / (2 * step)) ** 2 for a, b in zip(*ends, strict=True))
    return total


def deep_autoencoder(X, layers, functions):
    """Linear outputs of x -> f_1(x W_1 + b_1) -> ... -> f_n(.) W + b; the last layer has no function."""
    for k, (W, bias) in enumerate(layers):
        X = weighted_sums(X, W, bias)
        if k < len(functions):
            X = [[functions[k](x) for x in row] for row in X]
    return X


def loss_of_known(loss, Z, T, weights=None):
    """Weighted mean loss of rows of which the entries with a target of NaN are left out."""
    weights = [1 / len(Z)] * len(Z) if weights is None else weights
    total = 0.0
    for z, t, w in zip(Z, T, weights, strict=True):
        there = [k for k in range(len(t)) if not math.isnan(t[k])]
        total += w * loss([z[k] for k in there], [t[k] for k in there])
    return total


# Slopes --------------------------------------------------------------------------------------


def slopes(function, x, step=1e-5):
    """Derivatives of a function of one array by all its entries: central differences, one entry at a time."""
    x = np.array(x, float)
    out = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        ends = []
        for sign in (1, -1):
            nudged = x.copy()
            nudged[place] += sign * step
            ends.append(function(nudged))
        out[place] = (ends[0] - ends[1]) / (2 * step)
    return out
