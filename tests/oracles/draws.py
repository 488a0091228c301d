"""What the library's counter-based generator draws, number by number, for small arrays.

A row of n columns takes m counters, m being n / 2 rounded up: row r those from m r on. Each
counter gives two words, and they go to two neighbouring columns. A Bernoulli unit is on where
its word, in steps of 2^-32 and centred by half a step, falls below its probability. The two
words of one counter make two normal deviates (Box & Muller 1958).
"""

from __future__ import annotations

import numpy as np

from tests.oracles import rbm
from tests.oracles.threefry import threefry2x32


def fold(key, number):
    """Key number ``number`` of the family that ``key`` opens."""
    return threefry2x32((number % 2**32, number // 2**32), key)


def words(key, n_rows, n_columns, first_row=0):
    """The 32-bit words of an array, as whole numbers in a float array (they fit exactly)."""
    pairs = (n_columns + 1) // 2
    table = np.zeros((n_rows, 2 * pairs))
    for r in range(n_rows):
        for pair in range(pairs):
            number = (first_row + r) * pairs + pair
            table[r, 2 * pair : 2 * pair + 2] = fold(key, number)
    return table[:, :n_columns]


def uniforms(key, n_rows, n_columns):
    """Uniform deviates in (0, 1)."""
    return (words(key, n_rows, n_columns) + 0.5) / 2**32


def fine_uniforms(key, count):
    """Uniform deviates in (0, 1) of 53 bits, one from each counter: the second word leads."""
    pairs = [fold(key, number) for number in range(count)]
    return np.array([((high * 2**32 + low) // 2**11 + 0.5) / 2**53 for low, high in pairs])


def normals(key, n_rows, n_columns):
    """Standard normal deviates."""
    table = words(key, n_rows, n_columns + n_columns % 2)
    radius = np.sqrt(-2 * np.log((table[:, ::2] + 0.5) / 2**32))
    angle = 2 * np.pi * (table[:, 1::2] / 2**32 - 0.5)
    deviates = np.zeros(table.shape)
    deviates[:, ::2] = radius * np.cos(angle)
    deviates[:, 1::2] = radius * np.sin(angle)
    return deviates[:, :n_columns]


def hidden(model, v, key, beta=1.0):
    """One h ~ p(h | v) for each row v."""
    moments = [rbm.hidden_moments(model, row, beta) for row in v]
    mean, variance = (np.array(x) for x in zip(*moments, strict=True))
    if model.zh is None:
        return (uniforms(key, *mean.shape) < mean).astype(float)
    return mean + np.sqrt(variance) * normals(key, *mean.shape)


def visible(model, h, key, beta=1.0):
    """One v ~ p(v | h) for each row h."""
    return hidden(rbm.swapped(model), h, key, beta)
