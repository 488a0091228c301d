"""Layers of units joined two by two, by the definition: all states of the discrete units, real ones integrated out.

Nothing here knows of colors. For given discrete states the energy is a quadratic form of the real units,

    E = g'P g / 2 - r'g + c,    so that    log int exp(-beta E) dg = (n/2) log(2 pi / beta) - log det(P) / 2
                                                                     + beta (r'P^-1 r / 2 - c).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

MOST_COUNTS = 40  # of a Poisson unit that are visited


@dataclass
class OracleLayer:
    """Units of one kind: "bernoulli", "spin", "one_hot" (one group), "gaussian", "poisson" or "binomial"."""

    kind: str
    bias: np.ndarray
    z: np.ndarray | None = None
    visible: bool = False
    trials: int = 1


@dataclass
class OracleLayers:
    """Layers, and edges (lower, upper, W, a): a weight that is absent is zero, and all count a times."""

    layers: list[OracleLayer]
    edges: list[tuple[int, int, np.ndarray, float]]


def unit_states(layer):
    """All states of a layer of discrete units, as tuples."""
    n = len(layer.bias)
    if layer.kind == "one_hot":
        return [tuple(float(i == k) for i in range(n)) for k in range(n)]
    values = {
        "bernoulli": (0.0, 1.0),
        "spin": (-1.0, 1.0),
        "poisson": tuple(map(float, range(MOST_COUNTS))),
        "binomial": tuple(map(float, range(layer.trials + 1))),
    }[layer.kind]
    return list(itertools.product(values, repeat=n))


def own_energy(layer, x):
    """U(x) of a layer of discrete units."""
    energy = 0.0
    for b, value in zip(layer.bias, x, strict=True):
        energy -= b * value
        if layer.kind == "poisson":
            energy += math.lgamma(value + 1)
        if layer.kind == "binomial":
            energy -= math.log(math.comb(layer.trials, int(value)))
    return energy


def log_integral(model, states, beta):
    """Log of the sum of exp(-beta E) over the layers whose `states` are None, which must be real: else one term."""
    free = [
        (k, i) for k, x in enumerate(states) if x is None for i in range(len(model.layers[k].bias))
    ]
    number = {unit: position for position, unit in enumerate(free)}
    P, r, c = np.zeros((len(free), len(free))), np.zeros(len(free)), 0.0
    for k, layer in enumerate(model.layers):
        if layer.kind != "gaussian":
            c += own_energy(layer, states[k])
            continue
        for i, b in enumerate(layer.bias):
            precision = math.exp(-layer.z[i])
            if (k, i) in number:
                P[number[k, i], number[k, i]] += precision
                r[number[k, i]] += precision * b
                c += precision * b * b / 2
            else:
                c += precision * (states[k][i] - b) ** 2 / 2
    for low, high, W, a in model.edges:
        for i, j in itertools.product(range(W.shape[0]), range(W.shape[1])):
            scale = 1.0
            for k, u in ((low, i), (high, j)):
                if model.layers[k].kind == "gaussian":
                    scale *= math.exp(-model.layers[k].z[u])
            w = a * W[i, j] * scale
            at, to = number.get((low, i)), number.get((high, j))
            if at is not None and to is not None:
                P[at, to] -= w
                P[to, at] -= w
            elif at is not None:
                r[at] += w * states[high][j]
            elif to is not None:
                r[to] += w * states[low][i]
            else:
                c -= w * states[low][i] * states[high][j]
    value = -beta * c
    if free:
        assert np.linalg.eigvalsh(P)[0] > 0, "no law"
        value += len(free) / 2 * math.log(2 * math.pi / beta) - np.linalg.slogdet(P)[1] / 2
        value += beta * r @ np.linalg.solve(P, r) / 2
    return value


def log_sum(model, known=None, beta=1.0):
    """Log of the sum of exp(-beta E) over all layers but the `known` ones, {number: states}."""
    known = known or {}
    choices = []
    for k, layer in enumerate(model.layers):
        if k in known:
            choices.append([tuple(known[k])])
        else:
            choices.append([None] if layer.kind == "gaussian" else unit_states(layer))
    terms = [log_integral(model, states, beta) for states in itertools.product(*choices)]
    return np.logaddexp.reduce(terms)


def visible_states(model, row):
    """The states of the visible layers in a row of data, {number: states}."""
    at, known = 0, {}
    for k, layer in enumerate(model.layers):
        if layer.visible:
            known[k] = tuple(float(x) for x in row[at : at + len(layer.bias)])
            at += len(layer.bias)
    return known


def log_likelihood(model, row):
    """Log p(v) of a row of data."""
    return log_sum(model, visible_states(model, row)) - log_sum(model)


def joint_law(model):
    """All states of a model of discrete units, in rows (states, units), and their probabilities."""
    choices = [unit_states(layer) for layer in model.layers]
    joint = list(itertools.product(*choices))
    logs = np.array([log_integral(model, states, 1.0) for states in joint])
    return np.array([np.concatenate(states) for states in joint]), np.exp(logs - log_sum(model))
