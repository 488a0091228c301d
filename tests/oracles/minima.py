"""Minima, basins and passes of a small pairwise model, by looking at every state and every path."""

from __future__ import annotations

import numpy as np

from tests.oracles.pairwise import all_states, energy, state_index


def neighbours(model, s):
    for i in range(model.n):
        other = s.copy()
        other[i] = sum(model.states) - s[i]
        yield other


def descend(model, s):
    """Flip the unit that lowers the energy most, the first of several, until none does."""
    while True:
        falls = [energy(model, s) - energy(model, other) for other in neighbours(model, s)]
        if max(falls) < 1e-9:
            return s
        best = next(i for i, fall in enumerate(falls) if fall > max(falls) - 1e-9)
        s = list(neighbours(model, s))[best]


def basins(model):
    """How many states end in each, by the number of the state."""
    counts = {}
    for s in all_states(model):
        end = int(state_index(model, descend(model, s.copy())))
        counts[end] = counts.get(end, 0) + 1
    return counts


def passes(model):
    """The lowest height of a path between each two states (Floyd and Warshall, with the largest for the sum)."""
    states = all_states(model)
    energies = np.array([energy(model, s) for s in states])
    heights = np.full((len(states), len(states)), np.inf)
    for x, s in enumerate(states):
        heights[x, x] = energies[x]
        for other in neighbours(model, s):
            y = state_index(model, other)
            heights[x, y] = max(energies[x], energies[y])
    for k in range(len(states)):
        heights = np.minimum(heights, np.maximum(heights[:, k : k + 1], heights[k]))
    return heights
