"""The deep belief network by enumeration of every hidden state.

Layers x_0 (the data), x_1, ..., x_L. The two topmost are a restricted Boltzmann machine, each
layer below is drawn unit by unit given the one above it,

    p(x_0 .. x_L) = p(x_0 | x_1) ... p(x_{L-2} | x_{L-1}) exp(-E(x_{L-1}, x_L)) / Z,

and a second, recognition, law goes the other way: Q = q(x_1 | x_0) ... q(x_{L-1} | x_{L-2}). In both
a unit with bias a has the field a + sum of weights times neighbouring states:

    binary {0, 1} or spin {-1, +1}:   p(x) = exp(field x) / sum over its states
    gaussian:                         normal with mean field and variance exp(z)

The machine on top may have labels behind those of layer L - 1, which no lower layer sees.
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
    n_labels: int = 0


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
    """E(x, y) of the top: x are layer L - 1 and the labels."""
    coupled = shown(model.visible, x) @ model.W @ shown(model.hidden, y)
    return own_energy(model.visible, x) + own_energy(model.hidden, y) - coupled


def log_top(model, x, beta=1.0):
    """log sum_y exp(-beta E(x, y)), every state of the topmost layer visited."""
    return log_sum_exp(-beta * energy(model, x, y) for y in layer_states(model.hidden))


def log_partition(model):
    """log Z, every state of both layers of the top visited."""
    return log_sum_exp(log_top(model, x) for x in layer_states(model.visible))


def label_states(model):
    """Every state of the labels."""
    return [
        np.array(x) for x in itertools.product(STATES[model.visible.kind], repeat=model.n_labels)
    ]


# The stack ----------------------------------------------------------------------------------------


def explanations(model):
    """Every state (x_1, ..., x_{L-1}) of the hidden layers below the topmost one."""
    return list(itertools.product(*(layer_states(arrow.layer) for arrow in model.up)))


def log_joint(model, states, labels=(), beta=1.0):
    """log p(x_0, ..., x_{L-1}, labels) + log Z, the top at the inverse temperature beta."""
    total = log_top(model, np.concatenate([states[-1], labels]), beta)
    for k in range(len(model.down)):
        total += log_down(model, k, states[k], states[k + 1])
    return total


def log_recognition(model, states):
    """log Q(x_1, ..., x_{L-1} | x_0)."""
    return sum(log_up(model, k, states[k], states[k + 1]) for k in range(len(model.up)))


def log_likelihood(model, v, labels=None):
    """log p(v, labels), or log p(v), every state of every hidden layer visited."""
    all_labels = label_states(model) if labels is None else [labels]
    logs = [log_joint(model, [v, *h], e) for h in explanations(model) for e in all_labels]
    return log_sum_exp(logs) - log_partition(model)


def bound(model, v, labels=None):
    """E_Q[log p(v, h) - log Q(h | v)], or with the labels beside v."""
    all_labels = label_states(model) if labels is None else [labels]
    total = 0.0
    for h in explanations(model):
        log_q = log_recognition(model, [v, *h])
        log_p = log_sum_exp(log_joint(model, [v, *h], e) for e in all_labels)
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


def agrees(known, x):
    """Whether x has the entries of ``known`` that are not NaN."""
    return all(math.isnan(a) or a == b for a, b in zip(known, x, strict=True))


def posterior(model, known, beta=1.0):
    """The law of (x_0, ..., x_{L-1}, labels) given the known entries of (x_0, labels), not NaN.

    A table over `complete_states`, for data with two states.
    """
    logs = []
    for states, labels in complete_states(model):
        fits = agrees(known, np.concatenate([states[0], labels]))
        logs.append(log_joint(model, states, labels, beta) if fits else -math.inf)
    log_all = log_sum_exp(logs)
    return np.array([math.exp(x - log_all) for x in logs])


def complete_states(model):
    """Every ((x_0, ..., x_{L-1}), labels), x_0 the slowest to change and labels the fastest."""
    data = layer_states(model.down[0].layer)
    return [
        ((v, *h), labels)
        for v in data
        for h in explanations(model)
        for labels in label_states(model)
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


# Clamped sampling -----------------------------------------------------------------------------------


def renewed(model, states, labels, k, blocks, beta=1.0):
    """The law of x_k, state -> probability, after each of the ``blocks`` of its units was proposed.

    Metropolis-Hastings with the target p(all layers, labels) as a function of x_k, and proposals of a
    block from q(x_k | x_{k-1}), the other units staying.
    """
    layer, arrow = model.up[k - 1].layer, model.up[k - 1]
    inputs = states[k - 1] @ arrow.W

    def target(x):
        return math.exp(log_joint(model, [*states[:k], x, *states[k + 1 :]], labels, beta))

    def proposal(x, block):
        total = 0.0
        for i in block:
            total += log_unit(layer.kind, layer.bias[i] + inputs[i], None, x[i])
        return math.exp(total)

    law = {tuple(states[k]): 1.0}
    for block in blocks:
        after = {}
        for state, p in law.items():
            x = np.array(state)
            for new_states in itertools.product(STATES[layer.kind], repeat=len(block)):
                new = x.copy()
                new[block] = new_states
                q = proposal(new, block)
                ratio = target(new) * proposal(x, block) / (target(x) * q)
                accepted = min(1.0, ratio)
                after[tuple(new)] = after.get(tuple(new), 0.0) + p * q * accepted
                after[state] = after.get(state, 0.0) + p * q * (1 - accepted)
        law = after
    return law


def label_row(model, x, labels, known, beta=1.0):
    """The law of the labels, state -> probability, by way of the topmost layer and clamped."""
    beside, law = np.concatenate([x, labels]), {}
    log_all = log_top(model, beside, beta)
    for y in layer_states(model.hidden):
        p_y = math.exp(-beta * energy(model, beside, y) - log_all)
        logs = {
            tuple(e): -beta * energy(model, np.concatenate([x, e]), y) for e in label_states(model)
        }
        log_sum = log_sum_exp(logs.values())
        for e, log_p in logs.items():
            kept = tuple(
                a if math.isnan(b) else b
                for a, b in zip(e, known[len(known) - len(e) :], strict=True)
            )
            law[kept] = law.get(kept, 0.0) + p_y * math.exp(log_p - log_sum)
    return law


def data_row(model, above, known):
    """The law of x_0, state -> probability, given x_1, the known entries clamped."""
    layer, law = model.down[0].layer, {}
    for v in layer_states(layer):
        kept = tuple(a if math.isnan(b) else b for a, b in zip(v, known, strict=False))
        p = math.exp(log_layer(layer, model.down[0].W @ above, v))
        law[kept] = law.get(kept, 0.0) + p
    return law


def clamped_row(model, states, labels, known, blocks, beta=1.0):
    """One row of the transition matrix of clamped sampling, over `complete_states`.

    Layers 1, ..., L - 1 in turn, with ``blocks[k - 1]`` the blocks of layer k; then the labels;
    then the data.
    """
    law = {(tuple(map(tuple, states)), tuple(labels)): 1.0}
    for k in range(1, len(states)):
        after = {}
        for (layers, e), p in law.items():
            rows = [np.array(x) for x in layers]
            for x, q in renewed(model, rows, np.array(e), k, blocks[k - 1], beta).items():
                key = (*layers[:k], x, *layers[k + 1 :]), e
                after[key] = after.get(key, 0.0) + p * q
        law = after
    final = {}
    for (layers, e), p in law.items():
        all_labels = label_row(model, np.array(layers[-1]), np.array(e), known, beta)
        data = data_row(model, np.array(layers[1]), known)
        for (new_e, q), (v, r) in itertools.product(all_labels.items(), data.items()):
            key = (v, *layers[1:]), new_e
            final[key] = final.get(key, 0.0) + p * q * r
    return np.array(
        [
            final.get((tuple(map(tuple, layers)), tuple(e)), 0.0)
            for layers, e in complete_states(model)
        ]
    )
