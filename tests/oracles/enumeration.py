"""Any two layers of units by enumeration: a table of states, an energy and a statistic each, all else derived.

    E(v, h) = U(v) + U(h) - s(v)' W s(h),        p(v, h) = exp(-beta E(v, h)) / Z(beta).

A layer is made of *blocks*: single units, or groups of units whose states depend on each other. A block has a list of
states with a weight each. Real units have quadrature nodes (the trapezoidal rule on a wide grid, which is exact to
rounding for analytic densities); counts are cut off where all that is left out is below 1e-15 of the sum.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from math import comb, lgamma

import numpy as np


@dataclass(frozen=True)
class Block:
    """Units `columns` of a layer: their joint states (states, columns), and the weight of each state in a sum."""

    columns: slice
    states: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Table:
    """A type of unit: blocks of a layer of n units, and energy and statistic of single units, vectorised over states.

    `energy(x, **own)` is U of the units of one block, summed; `statistic(x, **own)` is s.
    """

    blocks: object  # n -> list of Block
    energy: object
    statistic: object


def singles(states, weights, n):
    """Each unit is a block of its own."""
    column = np.asarray(states, float)[:, np.newaxis]
    return [Block(slice(i, i + 1), column, np.asarray(weights, float)) for i in range(n)]


def finite(states):
    return partial(singles, states, np.ones(len(states)))


def grouped(sizes, n):
    """Bits, and groups at the end of which one unit each is on."""
    first = n - sum(sizes)
    blocks, start = finite([0, 1])(first), first
    for size in sizes:
        blocks.append(Block(slice(start, start + size), np.eye(size), np.ones(size)))
        start += size
    return blocks


def linear(x, bias):
    return -x @ bias


def plain(x, bias):
    return x


GRID = np.arange(-14.0, 14.0, 0.3)
COUNTS = np.arange(70.0)


def log_factorial(x):
    return np.array([lgamma(k + 1) for k in np.ravel(x)]).reshape(np.shape(x)).sum(axis=-1)


def log_choices(x, n):
    return (
        np.array([np.log(comb(n, int(k))) for k in np.ravel(x)]).reshape(np.shape(x)).sum(axis=-1)
    )


def bernoulli(unit):
    return Table(finite([0, 1]), linear, plain)


def spin(unit):
    return Table(finite([-1, 1]), linear, plain)


def categorical(unit):
    return Table(partial(grouped, unit.sizes), linear, plain)


def gaussian(unit):
    def energy(x, bias, log_variance):
        return ((x - bias) ** 2 / (2 * np.exp(log_variance))).sum(axis=-1)

    def statistic(x, bias, log_variance):
        return x / np.exp(log_variance)

    return Table(partial(singles, GRID, np.full(len(GRID), 0.3)), energy, statistic)


def poisson(unit):
    def energy(x, bias):
        return log_factorial(x) - x @ bias

    return Table(finite(COUNTS), energy, plain)


def binomial(unit):
    def energy(x, bias):
        return -log_choices(x, unit.n) - x @ bias

    return Table(finite(range(unit.n + 1)), energy, plain)


# By the name of the unit's class. A new unit needs its table here: it is all that the conformance tests know of it.
TABLES = {
    "Bernoulli": bernoulli,
    "Spin": spin,
    "Categorical": categorical,
    "OneHot": categorical,
    "Gaussian": gaussian,
    "Poisson": poisson,
    "Binomial": binomial,
}


@dataclass(frozen=True)
class Layer:
    """A layer: its table, and the arrays of its own parameters by name."""

    table: Table
    own: dict

    @property
    def size(self):
        return len(self.own["bias"])

    def blocks(self):
        return self.table.blocks(self.size)

    def part(self, columns):
        return {name: x[columns] for name, x in self.own.items()}

    def energy(self, x):
        """U(x) of each row."""
        return sum(
            self.table.energy(x[:, b.columns], **self.part(b.columns)) for b in self.blocks()
        )

    def statistic(self, x):
        return self.table.statistic(x, **self.own)

    def log_terms(self, block, f, beta):
        """log weight - beta (U - s'f) of every state of one block, for one field f (units,)."""
        own = self.part(block.columns)
        pull = self.table.statistic(block.states, **own) @ f[block.columns]
        return np.log(block.weights) - beta * (self.table.energy(block.states, **own) - pull)

    def log_normaliser(self, f, beta=1.0):
        """A(f) of the layer for one field f (units,)."""
        return sum(np.logaddexp.reduce(self.log_terms(b, f, beta)) for b in self.blocks())

    def law(self, block, f, beta=1.0):
        logs = self.log_terms(block, f, beta)
        return np.exp(logs - np.logaddexp.reduce(logs))

    def expectation(self, function, f, beta=1.0):
        """E[function(x)] of each unit, for a function of single units (states, columns) -> (states, columns)."""
        out = [
            self.law(b, f, beta) @ function(b.states, self.part(b.columns)) for b in self.blocks()
        ]
        return np.concatenate(out)

    def mean(self, f, beta=1.0):
        return self.expectation(lambda x, own: x, f, beta)

    def joint_states(self):
        """All states of the layer (states, units), and the logarithms of their weights."""
        blocks = self.blocks()
        picks = itertools.product(*(range(len(b.states)) for b in blocks))
        picks = np.array(list(picks), dtype=int).reshape(-1, len(blocks))
        states = [b.states[picks[:, k]] for k, b in enumerate(blocks)]
        logs = [np.log(b.weights[picks[:, k]]) for k, b in enumerate(blocks)]
        return np.hstack(states), np.sum(logs, axis=0)


@dataclass(frozen=True)
class Machine:
    """Two layers and the weights between them."""

    visible: Layer
    hidden: Layer
    W: np.ndarray

    @property
    def swapped(self):
        return Machine(self.hidden, self.visible, self.W.T)

    def log_weights(self, v, beta=1.0):
        """log sum_h exp(-beta E(v, h)) of each row: the hidden blocks are independent given v."""
        fields = self.visible.statistic(v) @ self.W
        out = -beta * self.visible.energy(v)
        for b in self.hidden.blocks():
            own = self.hidden.part(b.columns)
            s = self.hidden.table.statistic(b.states, **own)
            u = np.log(b.weights) - beta * self.hidden.table.energy(b.states, **own)
            out = out + np.logaddexp.reduce(beta * fields[:, b.columns] @ s.T + u, axis=1)
        return out

    def log_z(self, beta=1.0):
        """By all states of the visible layer, or of the hidden one where these are fewer."""
        sizes = [np.prod([len(b.states) for b in x.blocks()]) for x in (self.visible, self.hidden)]
        machine = self if sizes[0] <= sizes[1] else self.swapped
        states, weights = machine.visible.joint_states()
        return np.logaddexp.reduce(machine.log_weights(states, beta) + weights)

    def log_likelihood(self, v, beta=1.0):
        return self.log_weights(v, beta) - self.log_z(beta)

    def free_energy(self, v, beta=1.0):
        return -self.log_weights(v, beta) / beta

    def conditional_log_probabilities(self, v):
        """sum over visible blocks of log p(block | the others) of each row."""
        here, out = self.log_weights(v), np.zeros(len(v))
        for b in self.visible.blocks():
            others = []
            for state, weight in zip(b.states, b.weights, strict=True):
                moved = v.copy()
                moved[:, b.columns] = state
                others.append(self.log_weights(moved) + np.log(weight))
            out += here - np.logaddexp.reduce(others, axis=0)
        return out
