"""What a right associative memory does, as functions of the implementation (as in tests/checks.py)."""

from __future__ import annotations

import numpy as np

from tests.oracles import memories as oracle

VARIANTS = {"softmax": 1.0, "entmax": 1.5, "sparsemax": 2.0}


def dense_problem(seed, n_memories=7, n_units=11, n_rows=4, unknown=0.1):
    """Memories with unknown entries, and states without."""
    rng = np.random.default_rng(seed)
    memories = rng.choice([-1, 1], (n_memories, n_units))
    memories[rng.random(memories.shape) < unknown] = 0
    return memories, rng.choice([-1, 1], (n_rows, n_units))


def assert_flip_differences(differences, interaction, degree, *, n_problems=10, rtol=1e-11):
    """E(s with s_i turned) - E(s); ``differences(memories, s)`` are those of rows."""
    for seed in range(n_problems):
        memories, s = dense_problem(seed)
        settings = (interaction, degree, memories)
        for row, found in zip(s, differences(memories, s), strict=True):
            here = oracle.energy(*settings, row)
            for i, x in enumerate(row):
                there = oracle.with_unit(row, i, -x)
                if interaction == "exponential":
                    expected = oracle.energy(*settings, there) - here
                    atol = 1e-13
                else:  # no cancellation
                    expected = float(
                        oracle.exact_energy(*settings, there) - oracle.exact_energy(*settings, row)
                    )
                    atol = 1e-300
                np.testing.assert_allclose(found[i], expected, rtol=rtol, atol=atol)


def assert_recall(recall, interaction, degree, *, n_problems=24, n_sweeps=2, unknown=0.0):
    """Cyclic sweeps from states of which some units are unknown.

    ``recall(memories, s, n_sweeps, free)`` returns the states, and the lots that it drew.
    """
    for seed in range(n_problems):
        rng = np.random.default_rng(1000 + seed)
        # Few units and few memories: equal energies come up.
        memories, s = dense_problem(seed, n_memories=3 + seed % 3, n_units=6, unknown=unknown)
        s[rng.random(s.shape) < 0.2] = 0
        free = None if seed % 2 else (s == 0) | (rng.random(s.shape) < 0.5)
        found, lots = recall(memories, s, n_sweeps, free)
        for r, row in enumerate(s):
            for _ in range(n_sweeps):
                row = oracle.sweep(
                    interaction,
                    degree,
                    memories,
                    row,
                    range(len(row)),
                    lots,
                    None if free is None else free[r],
                )
            np.testing.assert_array_equal(found[r], row)


def modern_problem(seed, n_patterns=6, n_units=4, n_rows=5):
    """Patterns, their weights, states."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 4, n_patterns).astype(float)
    return rng.normal(size=(n_patterns, n_units)), weights, 2 * rng.normal(size=(n_rows, n_units))


def assert_modern_update(update, variant, *, n_problems=10):
    """X p; ``update(patterns, weights, beta, q)`` of rows."""
    for seed in range(n_problems):
        patterns, weights, q = modern_problem(seed)
        beta = 0.3 * 2.0 ** (seed % 6)
        expected = [
            oracle.modern_update(patterns, weights, beta, VARIANTS[variant], row) for row in q
        ]
        np.testing.assert_allclose(update(patterns, weights, beta, q), expected, atol=1e-12)


def assert_modern_energy(energy, variant, *, n_problems=10):
    """E; ``energy(patterns, weights, beta, q)`` of rows."""
    for seed in range(n_problems):
        patterns, weights, q = modern_problem(seed)
        beta = 0.3 * 2.0 ** (seed % 6)
        expected = [
            oracle.modern_energy(patterns, weights, beta, VARIANTS[variant], row) for row in q
        ]
        np.testing.assert_allclose(energy(patterns, weights, beta, q), expected, atol=1e-11)


def completion_problem(seed=0, n_memories=4, n_visible=5, n_labels=3, n_rows=6):
    """Memories, rows, targets, and weights that sum to one."""
    rng = np.random.default_rng(seed)
    memories = rng.uniform(-1, 1, (n_memories, n_visible + n_labels))
    v = rng.uniform(-1, 1, (n_rows, n_visible))
    targets = np.where(np.arange(n_labels) == rng.integers(n_labels, size=(n_rows, 1)), 1.0, -1.0)
    weights = rng.random(n_rows)
    return memories, v, targets, weights / weights.sum()


def assert_completion_gradient(gradient, *, degree, rectified, power, scale=1.5, atol=1e-6):
    """The slope of the oracle's error, downhill; ``gradient(memories, v, targets, weights)``."""
    memories, v, targets, weights = completion_problem()
    slope, step = np.empty_like(memories), 1e-5
    for index in np.ndindex(memories.shape):
        nudge = np.zeros_like(memories)
        nudge[index] = step
        above, below = (
            oracle.completion_error(
                memories + side * nudge, v, targets, weights, power, degree, rectified, scale
            )
            for side in (1, -1)
        )
        slope[index] = (above - below) / (2 * step)
    assert np.abs(slope).max() > 0.1, "nothing to compare"
    np.testing.assert_allclose(gradient(memories, v, targets, weights), -slope, rtol=0, atol=atol)
