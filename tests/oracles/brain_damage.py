"""Optimal brain damage in plain loops: second derivatives, unit by unit (LeCun, Denker & Solla 1990, section 2.2).

A network is a list of layers, and a layer is one of

    ("dense", W, b)                          y_j = sum_i x_i W_ij + b_j
    ("function", f, f', f'')                 y_j = f(x_j), all three of x
    ("slopes", a)                            y_j = x_j, times a_j where it is negative
    ("batch_norm", gamma, beta, mean, std)   y_j = gamma_j (x_j - mean_j) / std_j + beta_j
    ("maxout", k)                            y_j = the largest of x_{jk} ... x_{jk+k-1}

For each row the loss gives its slope g and its second derivative h by each output; both go back through the layers,
h as if no product of two different units had any.
"""

from __future__ import annotations

import numpy as np


def forward(layer, x):
    kind, *own = layer
    if kind == "dense":
        W, b = own
        return [sum(x[i] * W[i][j] for i in range(len(x))) + b[j] for j in range(len(b))]
    if kind == "function":
        return [own[0](one) for one in x]
    if kind == "slopes":
        return [one * (a if one < 0 else 1.0) for one, a in zip(x, own[0], strict=True)]
    if kind == "batch_norm":
        gamma, beta, mean, std = own
        return [gamma[j] * (x[j] - mean[j]) / std[j] + beta[j] for j in range(len(x))]
    n = own[0]
    return [max(x[j * n : (j + 1) * n]) for j in range(len(x) // n)]


def factors(layer, x):
    """dy/dx and d^2y/dx^2 of a layer whose units are each by themselves."""
    kind, *own = layer
    if kind == "function":
        return [own[1](one) for one in x], [own[2](one) for one in x]
    if kind == "slopes":
        return [a if one < 0 else 1.0 for one, a in zip(x, own[0], strict=True)], [0.0] * len(x)
    gamma, _, _, std = own
    return [gamma[j] / std[j] for j in range(len(x))], [0.0] * len(x)


def back(layer, x, g, h):
    """(g, h) by the inputs, and by the parameters the h, of one row."""
    kind, *own = layer
    if kind == "dense":
        W, b = own
        below = range(len(x))
        g_x = [sum(W[i][j] * g[j] for j in range(len(b))) for i in below]
        h_x = [sum(W[i][j] ** 2 * h[j] for j in range(len(b))) for i in below]
        return g_x, h_x, ([[x[i] ** 2 * h[j] for j in range(len(b))] for i in below], h)
    if kind == "maxout":
        n = own[0]
        g_x, h_x = [0.0] * len(x), [0.0] * len(x)
        for j in range(len(g)):
            winner = j * n + int(np.argmax(x[j * n : (j + 1) * n]))
            g_x[winner], h_x[winner] = g[j], h[j]
        return g_x, h_x, ()
    slope, bend = factors(layer, x)
    units = range(len(x))
    g_x = [slope[j] * g[j] for j in units]
    h_x = [slope[j] ** 2 * h[j] + bend[j] * g[j] for j in units]
    parameters = ()
    if kind == "slopes":
        parameters = ([h[j] * min(x[j], 0.0) ** 2 for j in units],)
    if kind == "batch_norm":
        z = [(x[j] - own[2][j]) / own[3][j] for j in units]
        parameters = ([h[j] * z[j] ** 2 for j in units], h, [0.0] * len(x), [0.0] * len(x))
    return g_x, h_x, parameters


def second_derivatives(layers, X, targets, weights, slope, bend, *, levenberg_marquardt):
    """By the parameters of each layer, of the weighted sum of the rows' losses.

    ``slope(z, t)`` and ``bend(z, t)`` are the first and second derivatives of a row's loss by its outputs, as lists.
    """
    totals = None
    for row, t, weight in zip(X, targets, weights, strict=True):
        x = [float(one) for one in row]
        inputs = []
        for layer in layers:
            inputs.append(x)
            x = forward(layer, x)
        g = [0.0 if levenberg_marquardt else weight * one for one in slope(x, t)]
        h = [weight * one for one in bend(x, t)]
        found = []
        for layer, params_x in zip(reversed(layers), reversed(inputs), strict=True):
            g, h, parameters = back(layer, params_x, g, h)
            found.insert(0, [np.array(one, float) for one in parameters])
        if totals is None:
            totals = found
        else:
            for total, own in zip(totals, found, strict=True):
                for a, b in zip(total, own, strict=True):
                    a += b
    return totals
