"""A perceptron and its training in plain NumPy, as in the textbook: nothing is in place or reused.

`coefs` and `intercepts` are lists with an entry for each layer. The loss of a batch is the mean of its rows' losses
plus alpha / (2 rows) times the sum of all squared weights; what is shown for an epoch is the mean over its rows.
`slip` names a mistake to make (tests/mutants/test_back_propagation.py); without it there is none.
"""

from __future__ import annotations

import numpy as np

HIDDEN = {
    "identity": (lambda x: x, lambda y: np.ones_like(y)),
    "logistic": (lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y)),
    "tanh": (np.tanh, lambda y: 1 - y**2),
    "relu": (lambda x: np.maximum(x, 0), lambda y: (y > 0).astype(float)),
}


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def xlogy(t, a):
    return np.where(t == 0, 0.0, t * np.log(np.where(t == 0, 1.0, a)))


# Prediction, and loss of each row given it.
LOSSES = {
    "cross_entropy": (softmax, lambda a, t: -xlogy(t, a).sum(axis=1)),
    "binary_cross_entropy": (
        lambda z: 1 / (1 + np.exp(-z)),
        lambda a, t: -(xlogy(t, a) + xlogy(1 - t, 1 - a)).sum(axis=1),
    ),
    "squared_error": (lambda z: z, lambda a, t: ((a - t) ** 2).sum(axis=1) / 2),
    "poisson": (np.exp, lambda a, t: (a - t + xlogy(t, t / a)).sum(axis=1)),
}


def layers_of(coefs, intercepts, x, activation):
    """Inputs, hidden values of each layer, linear outputs."""
    values = [x]
    for k, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
        z = values[-1] @ W + b
        values.append(z if k == len(coefs) - 1 else HIDDEN[activation][0](z))
    return values


def loss_and_slopes(coefs, intercepts, x, t, *, activation, loss, alpha=0.0, slip=""):
    """Loss of a batch, and its slopes by the weights and the biases."""
    predict, of_rows = LOSSES[loss]
    values = layers_of(coefs, intercepts, x, activation)
    prediction, n = predict(values[-1]), len(x)
    value = of_rows(prediction, t).mean() + alpha / (2 * n) * sum((W**2).sum() for W in coefs)
    delta = (prediction - t) / n
    if slip == "loss averaged over outputs too":
        delta = delta / t.shape[1]
    by_weights, by_biases = [], []
    for k in range(len(coefs) - 1, -1, -1):
        by_weights.insert(0, values[k].T @ delta + alpha / n * coefs[k])
        by_biases.insert(0, delta.sum(axis=0))
        slope_of = values[k] if slip != "slope at the inputs" else np.maximum(values[k], 0.5)
        delta = delta @ coefs[k].T * HIDDEN[activation][1](slope_of)
    if slip == "no slopes by the biases":
        by_biases = [0 * b for b in by_biases]
    if slip == "penalty on the biases":
        by_biases = [g + alpha / n * b for g, b in zip(by_biases, intercepts, strict=True)]
    if slip == "penalty of all batches in each":
        by_weights = [g - alpha / n * W + alpha * W for g, W in zip(by_weights, coefs, strict=True)]
    return value, by_weights, by_biases


class Descent:
    """Gradient descent with momentum on batches of consecutive rows."""

    def __init__(self, batch_size, rate, momentum=0.0, nesterov=False, slip=""):
        self.batch_size, self.rate, self.slip = batch_size, rate, slip
        self.momentum, self.nesterov = momentum, nesterov
        self.velocities = None

    def move(self, parameters, slopes):
        if self.velocities is None:
            self.velocities = [0 * g for g in slopes]
        self.velocities = [
            self.momentum * u - self.rate * g for u, g in zip(self.velocities, slopes, strict=True)
        ]
        moves = self.velocities
        if self.slip == "rate times the velocity":
            moves = [self.rate * u for u in moves]
        elif self.nesterov:
            moves = [self.momentum * u - self.rate * g for u, g in zip(moves, slopes, strict=True)]
        return [p + u for p, u in zip(parameters, moves, strict=True)]

    def epoch(self, coefs, intercepts, X, T, **settings):
        """New weights and biases, and the loss that is shown."""
        total, n_layers = 0.0, len(coefs)
        for first in range(0, len(X), self.batch_size):
            x, t = X[first : first + self.batch_size], T[first : first + self.batch_size]
            value, *slopes = loss_and_slopes(coefs, intercepts, x, t, slip=self.slip, **settings)
            if self.slip == "ragged batch divided by the batch size":
                slopes = [[g * len(x) / self.batch_size for g in part] for part in slopes]
            moved = self.move([*coefs, *intercepts], [*slopes[0], *slopes[1]])
            coefs, intercepts = moved[:n_layers], moved[n_layers:]
            total += value * (1 if self.slip == "mean over batches" else len(x))
        n_batches = -(-len(X) // self.batch_size)
        return (
            coefs,
            intercepts,
            total / (n_batches if self.slip == "mean over batches" else len(X)),
        )
