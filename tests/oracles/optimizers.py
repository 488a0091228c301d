"""Optimisers as the papers' boxes print them, for one number after the other, in plain Python.

A rule is ``rule(g, rate, t, memory, ...)`` -> what the entry moves by at its step t = 1, 2, ...; `memory` is a
dictionary of its own for every entry, empty at first. The papers descend, these ascend.
"""

from __future__ import annotations

import math


def sgd(g, rate, t, memory):
    return rate * g


def momentum(g, rate, t, memory, momentum=0.9):
    memory["u"] = momentum * memory.get("u", 0.0) + rate * g
    return memory["u"]


def nesterov(g, rate, t, memory, momentum=0.9):
    memory["u"] = momentum * memory.get("u", 0.0) + rate * g
    return momentum * memory["u"] + rate * g


def adagrad(g, rate, t, memory, epsilon=1e-8):
    """All squares are kept and summed anew."""
    memory.setdefault("g", []).append(g)
    return rate * g / (epsilon + math.sqrt(math.fsum(x * x for x in memory["g"])))


def rmsprop(g, rate, t, memory, decay=0.9, epsilon=1e-8):
    mean_square = decay * memory.get("mean_square", 0.0) + (1 - decay) * g**2
    memory["mean_square"] = mean_square
    return rate * g / (math.sqrt(mean_square) + epsilon)


def adadelta(g, rate, t, memory, decay=0.95, epsilon=1e-6):
    memory["g2"] = decay * memory.get("g2", 0.0) + (1 - decay) * g**2
    rms_of_moves = math.sqrt(memory.get("x2", 0.0) + epsilon)
    move = rms_of_moves / math.sqrt(memory["g2"] + epsilon) * g
    memory["x2"] = decay * memory.get("x2", 0.0) + (1 - decay) * move**2
    return rate * move


def adam(g, rate, t, memory, beta1=0.9, beta2=0.999, epsilon=1e-8, epsilon_hat=False):
    """The running means as the weighted sums over all gradients that they are."""
    past = memory.setdefault("g", [])
    past.append(g)
    m = (1 - beta1) * math.fsum(beta1 ** (t - 1 - i) * x for i, x in enumerate(past))
    v = (1 - beta2) * math.fsum(beta2 ** (t - 1 - i) * x * x for i, x in enumerate(past))
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    if epsilon_hat:  # the form at the end of section 2
        return rate * math.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (math.sqrt(v) + epsilon)
    return rate * m_hat / (math.sqrt(v_hat) + epsilon)


def nadam(g, rate, t, memory, beta1=0.9, beta2=0.999, epsilon=1e-8):
    mu = [beta1 * (1 - 0.5 * 0.96 ** (i / 250)) for i in range(1, t + 2)]
    memory["m"] = mu[t - 1] * memory.get("m", 0.0) + (1 - mu[t - 1]) * g
    memory["n"] = beta2 * memory.get("n", 0.0) + (1 - beta2) * g**2
    g_hat = g / (1 - math.prod(mu[:t]))
    m_hat = memory["m"] / (1 - math.prod(mu))
    n_hat = memory["n"] / (1 - beta2**t)
    return rate * (mu[t] * m_hat + (1 - mu[t - 1]) * g_hat) / (math.sqrt(n_hat) + epsilon)


RULES = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adadelta": adadelta,
    "adam": adam,
    "nadam": nadam,
}


def limited(g, theta, is_weight, limits):
    """What is left of the gradient of one entry: scaled, clipped, and then without the slopes of the penalties."""
    factor, limit, l1, l2, _ = limits
    g = max(-limit, min(limit, factor * g))
    if is_weight:
        sign = 0.0 if theta == 0 else math.copysign(1.0, theta)
        g = g - l1 * sign - l2 * theta
    return g


def run(rule, theta, gradients, rates, limits, **settings):
    """The parameters after each step, from `theta`, along the given gradients."""
    memories = [{} for _ in theta]
    path = []
    for t, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        moved = []
        for i, (x, g) in enumerate(zip(theta, gradient, strict=True)):
            g = limited(g, x, i < limits[4], limits)
            moved.append(x + rule(g, rate, t, memories[i], **settings))
        theta = moved
        path.append(moved)
    return path
