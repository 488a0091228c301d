"""The deep belief network by enumeration of every hidden state.

Layers x_0 (the data), x_1, ..., x_L. The two topmost are a restricted Boltzmann machine, each
layer below is drawn unit by unit given the one above it,

    p(x_0 .. x_L) = p(x_0 | x_1) ... p(x_{L-2} | x_{L-1}) exp(-E(x_{L-1}, x_L)) / Z,

and a second, recognition, law goes the other way: Q = q(x_1 | x_0) ... q(x_{L-1} | x_{L-2}). In both
a unit with bias a has the field a + sum of weights times neighbouring states:

    binary {0, 1} or spin {-1, +1}:   p(x) = exp(field x) / sum over its states
    gaussian:                         normal with mean field and variance exp(z)

The machine on top may have extra units behind those of layer L - 1, which no lower layer sees.
Its energy is E = U(x) + U(y) - s(x)' W s(y) with U = -a x, s(x) = x, or for Gaussian units
U = (x - a)^2 / (2 exp(z)), s(x) = x / exp(z). Everything is in nats, by plain loops.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

STATES = {"binary": (0.0, 1.0), "spin": (-1.0, 1.0)}


@dataclass(frozen=True)
class Layer:
    """What a layer's units are, and their own parameters; z is None unless they are Gaussian."""

    kind: str
    bias: np.ndarray
    z: np.ndarray | None = None


@dataclass(frozen=True)
class Arrow:
    """The law of ``layer`` given a neighbour; W has one row per unit of the lower of the two."""

    W: np.ndarray
    layer: Layer


@dataclass(frozen=True)
class OracleBelief:
    """``down[k]`` predicts layer k, ``up[k]`` layer k + 1; W, visible and hidden are the top's."""

    W: np.ndarray
    visible: Layer
    hidden: Layer
    down: tuple[Arrow, ...]
    up: tuple[Arrow, ...]
    n_extra: int = 0


def log_sum_exp(values):
    """log sum_k exp(x_k), with the largest term taken out."""
    values = list(values)
    largest = max(values)
    return largest + math.log(sum(math.exp(x - largest) for x in values))


def layer_states(layer):
    """Every state of a layer of units with two states."""
    return [np.array(x) for x in itertools.product(STATES[layer.kind], repeat=len(layer.bias))]


# One layer given another ------------------------------------------------------------------------


def log_unit(kind, field, z, x):
    """log p(x) of one unit with this field, by the definition of its law."""
    if kind == "gaussian":
        variance = math.exp(z)
        return -((x - field) ** 2) / (2 * variance) - math.log(2 * math.pi * variance) / 2
    return field * x - log_sum_exp(field * state for state in STATES[kind])


def log_layer(layer, inputs, x):
    """log p(x | inputs), summed over the units of the layer."""
    total = 0.0
    for i in range(len(layer.bias)):
        z = None if layer.z is None else layer.z[i]
        total += log_unit(layer.kind, layer.bias[i] + inputs[i], z, x[i])
    return total


def log_down(model, k, x, above):
    """log p(x_k | x_{k+1})."""
    return log_layer(model.down[k].layer, model.down[k].W @ above, x)


def log_up(model, k, below, x):
    """log q(x_{k+1} | x_k)."""
    return log_layer(model.up[k].layer, below @ model.up[k].W, x)


# The top ------------------------------------------------------------------------------------------


def own_energy(layer, x):
    """U(x)."""
    if layer.kind == "gaussian":
        return sum((x - layer.bias) ** 2 / (2 * np.exp(layer.z)))
    return -sum(layer.bias * x)


def shown(layer, x):
    """s(x)."""
    return x / np.exp(layer.z) if layer.kind == "gaussian" else x


def energy(model, x, y):
    """E(x, y) of the top: x are layer L - 1 and the extra units."""
    coupled = shown(model.visible, x) @ model.W @ shown(model.hidden, y)
    return own_energy(model.visible, x) + own_energy(model.hidden, y) - coupled


def log_top(model, x):
    """log sum_y exp(-E(x, y)), every state of the topmost layer visited."""
    return log_sum_exp(-energy(model, x, y) for y in layer_states(model.hidden))


def log_partition(model):
    """log Z, every state of both layers of the top visited."""
    return log_sum_exp(log_top(model, x) for x in layer_states(model.visible))


def extra_states(model):
    """Every state of the extra units."""
    return [
        np.array(x) for x in itertools.product(STATES[model.visible.kind], repeat=model.n_extra)
    ]


# The stack ----------------------------------------------------------------------------------------


def explanations(model):
    """Every state (x_1, ..., x_{L-1}) of the hidden layers below the topmost one."""
    return list(itertools.product(*(layer_states(arrow.layer) for arrow in model.up)))


def log_joint(model, states, extra=()):
    """log p(x_0, ..., x_{L-1}, extra) + log Z."""
    total = log_top(model, np.concatenate([states[-1], extra]))
    for k in range(len(model.down)):
        total += log_down(model, k, states[k], states[k + 1])
    return total


def log_recognition(model, states):
    """log Q(x_1, ..., x_{L-1} | x_0)."""
    return sum(log_up(model, k, states[k], states[k + 1]) for k in range(len(model.up)))


def log_likelihood(model, v, extra=None):
    """log p(v, extra), or log p(v), every state of every hidden layer visited."""
    extras = extra_states(model) if extra is None else [extra]
    logs = [log_joint(model, [v, *h], e) for h in explanations(model) for e in extras]
    return log_sum_exp(logs) - log_partition(model)


def bound(model, v, extra=None):
    """E_Q[log p(v, h) - log Q(h | v)], or with the extra units beside v."""
    extras = extra_states(model) if extra is None else [extra]
    total = 0.0
    for h in explanations(model):
        log_q = log_recognition(model, [v, *h])
        log_p = log_sum_exp(log_joint(model, [v, *h], e) for e in extras)
        total += math.exp(log_q) * (log_p - log_q)
    return total - log_partition(model)


def log_weight_moments(model, v):
    """Mean and variance of log w = log p(v, h) - log Q(h | v) under Q, and the mean of w."""
    terms = []
    for h in explanations(model):
        log_q = log_recognition(model, [v, *h])
        terms.append((math.exp(log_q), log_joint(model, [v, *h]) - log_q))
    log_z = log_partition(model)
    mean = sum(q * x for q, x in terms) - log_z
    variance = sum(q * (x - log_z - mean) ** 2 for q, x in terms)
    return mean, variance, sum(q * math.exp(x - log_z) for q, x in terms)


def posterior(model, known):
    """The law of (x_0, ..., x_{L-1}, extra) given the known entries of (x_0, extra), not NaN.

    A table over `complete_states`, for data with two states.
    """
    logs = []
    for states, extra in complete_states(model):
        row = np.concatenate([states[0], extra])
        agrees = all(math.isnan(a) or a == b for a, b in zip(known, row, strict=True))
        logs.append(log_joint(model, states, extra) if agrees else -math.inf)
    log_all = log_sum_exp(logs)
    return np.array([math.exp(x - log_all) for x in logs])


def complete_states(model):
    """Every ((x_0, ..., x_{L-1}), extra), x_0 the slowest to change and extra the fastest."""
    data = layer_states(model.down[0].layer)
    return [
        ((v, *h), extra) for v in data for h in explanations(model) for extra in extra_states(model)
    ]


# The phases of learning -----------------------------------------------------------------------------


def wake_objective(model, rows, recognition):
    """Mean over the rows of E_Q[sum_k log p(x_k | x_{k+1})], with Q that of ``recognition``."""
    total = 0.0
    for v in rows:
        for h in explanations(model):
            states = [v, *h]
            q = math.exp(log_recognition(recognition, states))
            total += q * sum(
                log_down(model, k, states[k], states[k + 1]) for k in range(len(model.down))
            )
    return total / len(rows)


def sleep_objective(model, dreamer, law):
    """E[log Q(x_1 .. x_{L-1} | x_0)], x_{L-1} from the ``law`` (a table), the rest from ``dreamer``.

    For data with two states.
    """
    data = layer_states(model.down[0].layer)
    last = layer_states(model.up[-1].layer)
    place = {tuple(x): k for k, x in enumerate(last)}
    total = 0.0
    for v in data:
        for h in explanations(model):
            states = [v, *h]
            p = law[place[tuple(h[-1])]]
            for k in range(len(model.down)):
                p *= math.exp(log_down(dreamer, k, states[k], states[k + 1]))
            total += p * log_recognition(model, states)
    return total


def recognised(model, rows):
    """The law of x_{L-1} under Q, averaged over the rows: a table over its states."""
    last = layer_states(model.up[-1].layer)
    place = {tuple(x): k for k, x in enumerate(last)}
    law = np.zeros(len(last))
    for v in rows:
        for h in explanations(model):
            law[place[tuple(h[-1])]] += math.exp(log_recognition(model, [v, *h])) / len(rows)
    return law
