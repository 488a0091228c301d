"""Associative memories from their definitions, one number at a time.

Memories and states are sequences of -1, +1 and 0 (unknown). The polynomial energies are exact: whole numbers over
powers of the number of units.
"""

from __future__ import annotations

import math
from fractions import Fraction

# Dense memories ------------------------------------------------------------------------------


def overlap(memory, s):
    return sum(int(a) * int(b) for a, b in zip(memory, s, strict=True))


def exact_energy(interaction, degree, memories, s):
    """-sum_mu N (x / N)^n as a fraction; negative x count nothing if rectified."""
    n = len(s)
    total = Fraction(0)
    for memory in memories:
        x = overlap(memory, s)
        if interaction == "rectified":
            x = max(x, 0)
        total += n * Fraction(x, n) ** degree
    return -total


def log_sum_exp(values):
    largest = max(values)
    return largest + math.log(math.fsum(math.exp(v - largest) for v in values))


def energy(interaction, degree, memories, s):
    if interaction == "exponential":
        return -log_sum_exp([overlap(memory, s) for memory in memories])
    return float(exact_energy(interaction, degree, memories, s))


def with_unit(s, i, value):
    return [value if j == i else int(x) for j, x in enumerate(s)]


def is_lower(interaction, degree, memories, s, t):
    """Whether E(s) < E(t), without rounding."""
    if interaction != "exponential":
        first, second = (exact_energy(interaction, degree, memories, x) for x in (s, t))
        return first < second
    first, second = (sorted(overlap(memory, x) for memory in memories) for x in (s, t))
    return first != second and log_sum_exp(first) > log_sum_exp(second)


def sweep(interaction, degree, memories, s, order, lots, free=None):
    """One visit to each unit of `order`; the new state."""
    s = [int(x) for x in s]
    for i in order:
        if free is not None and not free[i]:
            continue
        up, down = with_unit(s, i, 1), with_unit(s, i, -1)
        if is_lower(interaction, degree, memories, up, down):
            s = up
        elif is_lower(interaction, degree, memories, down, up):
            s = down
        elif s[i] == 0:
            s = with_unit(s, i, int(lots[i]))
    return s


def one_step_error(n_units, n_memories, degree):
    double_factorial = 1
    for k in range(2 * degree - 3, 0, -2):
        double_factorial *= k
    return 0.5 * math.erfc(math.sqrt(n_units ** (degree - 1) / (2 * double_factorial * n_memories)))


# Modern Hopfield networks ---------------------------------------------------------------------


def dot(a, b):
    return math.fsum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def entmax(z, weights, alpha):
    """w_i max((alpha - 1) z_i - t, 0)^(1 / (alpha - 1)) with t by bisection; softmax for alpha = 1."""
    if alpha == 1:
        largest = max(z)
        raw = [w * math.exp(x - largest) for x, w in zip(z, weights, strict=True)]
        return [p / math.fsum(raw) for p in raw]

    def shares(t):
        return [
            w * max((alpha - 1) * x - t, 0.0) ** (1 / (alpha - 1))
            for x, w in zip(z, weights, strict=True)
        ]

    low, high = (alpha - 1) * max(z) - 1e3, (alpha - 1) * max(z)
    for _ in range(200):
        middle = (low + high) / 2
        if math.fsum(shares(middle)) > 1:
            low = middle
        else:
            high = middle
    return shares(high)


def entropy(p, weights, alpha):
    if alpha == 1:
        return -math.fsum(x * math.log(x / w) for x, w in zip(p, weights, strict=True) if x > 0)
    return math.fsum(w * (x / w - (x / w) ** alpha) for x, w in zip(p, weights, strict=True)) / (
        alpha * (alpha - 1)
    )


def modern_update(patterns, weights, beta, alpha, q):
    p = entmax([beta * dot(x, q) for x in patterns], weights, alpha)
    return [dot(p, column) for column in zip(*patterns, strict=True)]


def modern_energy(patterns, weights, beta, alpha, q):
    """The largest over p of p'z + H(p) / beta, with its sign turned, plus the quadratic and the constants."""
    z = [dot(x, q) for x in patterns]
    p = entmax([beta * x for x in z], weights, alpha)
    total = math.fsum(weights)
    uniform = [w / total for w in weights]
    largest = dot(p, z) + entropy(p, weights, alpha) / beta
    size = max(dot(x, x) for x in patterns)
    return -largest + dot(q, q) / 2 + entropy(uniform, weights, alpha) / beta + size / 2


# Completed labels -----------------------------------------------------------------------------


def label_energy(memories, v, t, degree, rectified, scale):
    """-sum_k F(xi_k'(v, t) / T)."""
    total = 0.0
    for memory in memories:
        x = dot(memory, [*v, *t]) / scale
        total += (max(x, 0.0) if rectified else x) ** degree
    return -total


def gains(memories, v, n_labels, degree, rectified, scale):
    """What each label gains by turning on, all others off."""
    off = [-1.0] * n_labels
    settings = (degree, rectified, scale)
    return [
        label_energy(memories, v, off, *settings)
        - label_energy(memories, v, with_unit(off, b, 1), *settings)
        for b in range(n_labels)
    ]


def completion_error(memories, rows, targets, weights, power, degree, rectified, scale):
    total = 0.0
    for v, wanted, weight in zip(rows, targets, weights, strict=True):
        found = gains(memories, v, len(wanted), degree, rectified, scale)
        for gain, t in zip(found, wanted, strict=True):
            total += weight * (math.tanh(gain) - t) ** (2 * power)
    return total
