"""Associative memories: energies, flips, recall, retrieval, and the completion of labels, against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from ebm._random import fold, stream, uniform, words
from ebm.energies.memory import (
    INTERACTIONS,
    VARIANTS,
    DenseMemory,
    DenseParameters,
    ModernMemory,
    ModernParameters,
    check_memories,
    cosine,
    sparse_softmax,
)
from ebm.inference.retrieval import settle_spins, settle_vectors
from tests.checks.memories import (
    assert_flip_differences,
    assert_modern_energy,
    assert_modern_update,
    assert_recall,
    dense_problem,
    modern_problem,
)
from tests.oracles import memories as oracle

KEY = stream(0, "evaluation")
# Degree 400 takes several levels of the table of steps with 11 units.
CHOICES = [
    ("polynomial", 2),
    ("polynomial", 3),
    ("polynomial", 4),
    ("polynomial", 400),
    ("polynomial", 401),
    ("rectified", 2),
    ("rectified", 5),
    ("rectified", 400),
    ("exponential", 2),
]
every_choice = pytest.mark.parametrize(("interaction", "degree"), CHOICES)
every_variant = pytest.mark.parametrize("variant", sorted(VARIANTS))


def dense(interaction, degree, memories):
    return DenseMemory(interaction, degree), DenseParameters(check_memories(memories))


def random_patterns(n_memories, n_units, seed=0):
    return np.random.default_rng(seed).choice(np.array([-1, 1], np.int8), (n_memories, n_units))


def disturbed(patterns, share, seed=1):
    flipped = np.random.default_rng(seed).random(patterns.shape) < share
    return np.where(flipped, -patterns, patterns)


# Dense memories: energies ---------------------------------------------------------------------


@every_choice
def test_energies_of_rows(interaction, degree):
    memories, s = dense_problem(0, n_rows=8)
    s[:3, :4] = 0  # unknown
    model, params = dense(interaction, degree, memories)
    expected = [oracle.energy(interaction, degree, memories, row) for row in s]
    for dtype in (np.int8, np.float32, np.float64):
        np.testing.assert_allclose(model.energy(params, s.astype(dtype)), expected, rtol=1e-12)


@every_choice
def test_flip_differences(interaction, degree):
    def differences(memories, s):
        model, params = dense(interaction, degree, memories)
        return model.flip_differences(params, s)

    assert_flip_differences(differences, interaction, degree)


@pytest.mark.parametrize("interaction", INTERACTIONS)
def test_a_pattern_stored_alone_has_the_energy_of_its_size(interaction):
    pattern = random_patterns(1, 50)
    for degree in (2, 3, 10, 1000):
        model, params = dense(interaction, degree, pattern)
        np.testing.assert_allclose(model.energy(params, pattern), -50, rtol=1e-15)


def test_degree_two_is_the_hopfield_network():
    memories, s = dense_problem(3, n_memories=5, n_units=9, n_rows=20, unknown=0)
    model, params = dense("polynomial", 2, memories)
    J = memories.T @ memories / 9
    np.fill_diagonal(J, 0)
    hebb = -np.einsum("ri,ij,rj->r", s, J, s) / 2
    np.testing.assert_allclose(model.energy(params, s), 2 * hebb - 5, rtol=0, atol=1e-13)


def test_exponential_storage_is_the_limit_of_high_degrees():
    """(1 + x / M)^M: M units more, which are alike in all memories and in the state, at degree M."""
    memories, s = dense_problem(5, n_units=8, unknown=0)
    model, params = dense("exponential", 2, memories)
    limit = model.energy(params, s)
    errors = []
    for m in (1000, 2000):
        wider, wide_params = dense(
            "polynomial", m, np.pad(memories, ((0, 0), (0, m)), constant_values=1)
        )
        energy = wider.energy(wide_params, np.pad(s, ((0, 0), (0, m)), constant_values=1))
        # N ((x + M) / N)^M = N (M / N)^M (1 + x / M)^M
        constant = math.log(m + 8) + m * math.log(m / (m + 8))
        errors.append(np.abs(-np.log(-energy) + constant - limit).max())
    assert errors[0] < 8**2 / (2 * 1000)
    assert 0.45 < errors[1] / errors[0] < 0.55


@pytest.mark.parametrize(("interaction", "degree"), [c for c in CHOICES if c[1] < 10])
def test_gradient_by_the_states(interaction, degree):
    memories, s = dense_problem(2)
    model, params = dense(interaction, degree, memories)
    s = s + np.random.default_rng(0).normal(size=s.shape)
    found, step = model.gradient(params, s), 1e-5
    for i in range(s.shape[1]):
        nudge = step * np.eye(s.shape[1])[i]
        slope = (model.energy(params, s + nudge) - model.energy(params, s - nudge)) / (2 * step)
        np.testing.assert_allclose(found[:, i], slope, rtol=1e-6, atol=1e-6)


def test_capacities():
    for degree, n_units, n_memories in ((2, 1000, 100), (3, 300, 5000), (4, 50, 700)):
        found = DenseMemory("polynomial", degree).one_step_error(n_units, n_memories)
        assert found == pytest.approx(oracle.one_step_error(n_units, n_memories, degree), rel=1e-12)
        at_capacity = DenseMemory("polynomial", degree).capacity(n_units)
        assert oracle.one_step_error(n_units, at_capacity, degree) == pytest.approx(0.005, rel=1e-9)
        halved = DenseMemory("rectified", degree).capacity(n_units)
        assert halved == pytest.approx(2 * at_capacity, rel=1e-9)
    assert DenseMemory("exponential").capacity(20) == pytest.approx(2**10)
    assert DenseMemory("polynomial", 500).capacity(20) <= 2**10 * (1 + 1e-12)
    assert np.isfinite(DenseMemory("exponential").capacity(10**6))


@pytest.mark.parametrize("interaction", ["polynomial", "rectified"])
@pytest.mark.parametrize("n_units", [2, 7, 40, 1000])
def test_a_higher_degree_never_holds_fewer_patterns(interaction, n_units):
    degrees = [*range(2, 60), 151, 200, 1000, 5000]
    held = [DenseMemory(interaction, degree).capacity(n_units) for degree in degrees]
    assert np.diff(held).min() >= 0 and held[-1] <= 2 ** (n_units / 2) * (1 + 1e-12)
    assert held[-1] > 0.1


# Dense memories: recall -----------------------------------------------------------------------


@every_choice
@pytest.mark.parametrize("unknown", [0.0, 0.2])
def test_recall_is_that_of_the_plain_loop(interaction, degree, unknown):
    def recall(memories, s, n_sweeps, free):
        model, params = dense(interaction, degree, memories)
        found = settle_spins(model, params, s, KEY, update="cyclic", max_sweeps=n_sweeps, free=free)
        return found.states, np.where(uniform(fold(KEY, 0), s.shape[1]) < 0.5, -1, 1)

    assert_recall(recall, interaction, degree, unknown=unknown)


def test_random_visits_are_permutations_of_the_units_in_one_order_for_all_rows():
    memories, s = dense_problem(4, n_units=9, n_rows=6)
    model, params = dense("polynomial", 3, memories)
    lots = np.where(uniform(fold(KEY, 0), 9) < 0.5, -1, 1)
    found = settle_spins(model, params, s, KEY, max_sweeps=2, trace=True)
    for r, row in enumerate(s):
        for sweep in range(1, len(found.trajectory)):
            order = np.argsort(words(fold(KEY, sweep), np.arange(9, dtype=np.uint64)))
            row = oracle.sweep("polynomial", 3, memories, row, order, lots)
            np.testing.assert_array_equal(found.trajectory[sweep, r], row)


@pytest.mark.parametrize("interaction", INTERACTIONS)
def test_energy_never_increases_and_states_come_to_rest(interaction):
    rng = np.random.default_rng(7)
    for seed in range(100):
        degree = int(rng.choice([2, 3, 4, 10, 30]))
        memories, s = dense_problem(seed, int(rng.integers(1, 30)), int(rng.integers(2, 25)), 5, 0)
        model, params = dense(interaction, degree, memories)
        found = settle_spins(model, params, s, fold(KEY, seed), trace=True)
        scale = np.abs(found.trajectory_energies).max() + 1e-300
        assert np.diff(found.trajectory_energies, axis=0).max(initial=0) <= 1e-12 * scale
        assert found.converged.all()
        assert model.flip_differences(params, found.states).min() >= 0
        np.testing.assert_allclose(model.energy(params, found.states), found.energies, rtol=1e-12)


def test_a_tie_keeps_the_state():
    # Unit 0 is +1 in one memory and -1 in the other, and both have the same overlap elsewhere.
    memories = np.array([[1, 1, 1, -1, -1], [-1, 1, 1, -1, -1]])
    for interaction, degree in CHOICES:
        model, params = dense(interaction, degree, memories)
        for first in (-1, 1):
            s = np.array([[first, 1, 1, -1, -1]])
            found = settle_spins(model, params, s, KEY)
            np.testing.assert_array_equal(found.states, s)
            assert model.flip_differences(params, s)[0, 0] == 0


def test_a_tie_that_rounding_would_break_keeps_the_state():
    """Powers that double precision does not know exactly, in sums of another order on either side."""
    rng = np.random.default_rng(0)
    half = rng.choice([-1, 1], (40, 60))
    memories = np.concatenate([np.insert(half, 0, 1, axis=1), np.insert(half, 0, -1, axis=1)[::-1]])
    s = rng.choice([-1, 1], (20, 61))
    for interaction, degree in (("polynomial", 13), ("rectified", 41), ("exponential", 2)):
        model, params = dense(interaction, degree, memories)
        assert (model.flip_differences(params, s)[:, 0] == 0).all()
        found = settle_spins(model, params, s, KEY)
        np.testing.assert_array_equal(found.states[:, 0], s[:, 0])


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    ("interaction", "degree"), [("exponential", 2), ("polynomial", 30), ("rectified", 1000)]
)
def test_a_thousand_units_are_numerically_safe(interaction, degree):
    patterns = random_patterns(300, 1000)
    model, params = dense(interaction, degree, patterns)
    probes = np.concatenate([disturbed(patterns[:3], 0.3), random_patterns(1, 1000, seed=9)])
    found = settle_spins(model, params, probes, KEY, max_sweeps=20, trace=True)
    assert np.isfinite(found.trajectory_energies).all()
    assert np.diff(found.trajectory_energies, axis=0).max() <= 0
    np.testing.assert_array_equal(found.states[:3], patterns[:3])
    # However far a state is from all of them, some pattern is nearest.
    assert found.converged.all()
    assert np.abs(patterns.astype(int) @ found.states[3]).max() == 1000
    differences = model.flip_differences(params, found.states)
    assert np.isfinite(differences).all() and differences.min() > 0


@pytest.mark.parametrize("interaction", ["polynomial", "rectified", "exponential"])
def test_far_from_all_memories_every_unit_still_finds_the_lower_energy(interaction):
    """All terms of the sums would underflow beside F(n_units)."""
    patterns = random_patterns(3, 200)
    s = patterns[0].copy()
    s[:100] *= -1  # overlaps of a few dozen at most
    model, params = dense(interaction, 1001, patterns)
    found = settle_spins(model, params, s[np.newaxis], KEY, update="cyclic", max_sweeps=1)
    expected = oracle.sweep(interaction, 1001, patterns, s, range(200), np.ones(200))
    np.testing.assert_array_equal(found.states[0], expected)
    assert (found.states[0] != s).any()


def test_what_becomes_of_a_row_does_not_depend_on_others():
    memories, s = dense_problem(8, n_memories=20, n_units=15, n_rows=12)
    model, params = dense("polynomial", 3, memories)
    together = settle_spins(model, params, s, KEY)
    for r in range(12):
        alone = settle_spins(model, params, s[r : r + 1], KEY)
        np.testing.assert_array_equal(alone.states[0], together.states[r])
        assert alone.n_sweeps[0] == together.n_sweeps[r]


def test_the_record_of_a_recall():
    patterns = random_patterns(5, 40)
    model, params = dense("polynomial", 3, patterns)
    probes = disturbed(patterns, 0.2)
    found = settle_spins(model, params, probes, KEY, trace=True)
    n_sweeps = found.n_sweeps.max()
    assert found.trajectory.shape == (n_sweeps + 1, 5, 40)
    np.testing.assert_array_equal(found.trajectory[0], probes)
    np.testing.assert_array_equal(found.trajectory[-1], found.states)
    for energies, states in zip(found.trajectory_energies, found.trajectory, strict=True):
        np.testing.assert_allclose(energies, model.energy(params, states), rtol=1e-14)
    for r, last in enumerate(found.n_sweeps):  # the last sweep that changed the row
        assert (found.trajectory[last - 1, r] != found.states[r]).any()
        np.testing.assert_array_equal(found.trajectory[last, r], found.states[r])
    cut = settle_spins(model, params, probes, KEY, max_sweeps=1)
    assert not cut.converged.any() and (cut.n_sweeps == 1).all()
    at_rest = settle_spins(model, params, patterns, KEY)
    assert at_rest.converged.all() and (at_rest.n_sweeps == 0).all() and not at_rest.cycling.any()
    assert at_rest.trajectory is None and at_rest.trajectory_energies is None


def test_known_units_can_be_held_while_the_others_settle():
    patterns = random_patterns(10, 60)
    model, params = dense("exponential", 2, patterns)
    probes = patterns.copy()
    probes[:, 20:] = 0
    probes[:, :3] *= -1  # known, and wrong
    held = settle_spins(model, params, probes, KEY, free=probes == 0)
    np.testing.assert_array_equal(held.states[:, :20], probes[:, :20])
    np.testing.assert_array_equal(held.states[:, 20:], patterns[:, 20:])
    loose = settle_spins(model, params, probes, KEY)
    np.testing.assert_array_equal(loose.states, patterns)


# Modern Hopfield networks ---------------------------------------------------------------------


def modern(variant, patterns, weights, beta):
    return ModernMemory(beta, variant), ModernParameters(patterns, weights)


@every_variant
def test_modern_updates(variant):
    def update(patterns, weights, beta, q):
        model, params = modern(variant, patterns, weights, beta)
        return model.update(params, q)

    assert_modern_update(update, variant)


@every_variant
def test_modern_energies(variant):
    def energy(patterns, weights, beta, q):
        model, params = modern(variant, patterns, weights, beta)
        return model.energy(params, q)

    assert_modern_energy(energy, variant)


def test_the_formula_of_the_log_sum_exp():
    patterns, _, q = modern_problem(0)
    model, params = modern("softmax", patterns, np.ones(6), 0.7)
    lse = logsumexp(0.7 * q @ patterns.T, axis=1) / 0.7
    size = (patterns**2).sum(axis=1).max()
    expected = -lse + (q**2).sum(axis=1) / 2 + np.log(6) / 0.7 + size / 2
    np.testing.assert_allclose(model.energy(params, q), expected, rtol=1e-14)


def test_one_update_is_softmax_attention():
    rng = np.random.default_rng(0)
    keys, queries = rng.normal(size=(200, 64)), rng.normal(size=(30, 64))
    for beta in (0.01, 1 / 8, 1.0, 30.0):
        model, params = modern("softmax", keys, np.ones(200), beta)
        attention = softmax(beta * queries @ keys.T, axis=1) @ keys
        np.testing.assert_allclose(model.update(params, queries), attention, rtol=0, atol=1e-12)


@every_variant
@pytest.mark.parametrize("some_known", [False, True])
def test_modern_energy_never_increases(variant, some_known):
    rng = np.random.default_rng(11)
    for seed in range(150):
        shape = (int(rng.integers(1, 15)), int(rng.integers(1, 8)))
        patterns, weights, q = modern_problem(seed, *shape)
        known = rng.random(q.shape) < 0.4 if some_known else None
        model, params = modern(variant, patterns, weights, float(10 ** rng.uniform(-2, 2)))
        found = settle_vectors(model, params, q, known=known, max_steps=50, trace=True)
        scale = np.abs(found.trajectory_energies).max()
        assert np.diff(found.trajectory_energies, axis=0).max() <= 1e-13 * scale
        assert found.trajectory_energies.min() >= -1e-13 * scale
        if some_known:
            np.testing.assert_array_equal(found.states[known], q[known])


@every_variant
def test_modern_energy_is_bounded(variant):
    """0 <= E, and E <= 2 M^2 for states no longer than the longest pattern."""
    for seed in range(20):
        patterns, weights, q = modern_problem(seed)
        size = (patterns**2).sum(axis=1).max()
        q *= np.sqrt(size / (q**2).sum(axis=1, keepdims=True))
        model, params = modern(variant, patterns, weights, 0.5)
        energy = model.energy(params, q)
        assert energy.min() >= 0 and energy.max() <= 2 * size


@every_variant
def test_modern_gradient(variant):
    patterns, weights, q = modern_problem(1)
    model, params = modern(variant, patterns, weights, 0.4)
    found, step = model.gradient(params, q), 1e-6
    for i in range(q.shape[1]):
        nudge = step * np.eye(q.shape[1])[i]
        slope = (model.energy(params, q + nudge) - model.energy(params, q - nudge)) / (2 * step)
        np.testing.assert_allclose(found[:, i], slope, rtol=0, atol=1e-7)


@every_variant
def test_a_weight_is_a_number_of_equal_patterns(variant):
    patterns, weights, q = modern_problem(2)
    repeated = np.repeat(patterns, weights.astype(int), axis=0)
    one, params = modern(variant, patterns, weights, 1.3)
    other, many = modern(variant, repeated, np.ones(len(repeated)), 1.3)
    np.testing.assert_allclose(one.update(params, q), other.update(many, q), rtol=0, atol=1e-13)
    np.testing.assert_allclose(one.energy(params, q), other.energy(many, q), rtol=1e-12)


def test_sparse_variants_leave_distant_patterns_out_and_retrieve_exactly():
    patterns = 4.0 * random_patterns(20, 30)
    for variant in ("entmax", "sparsemax"):
        model, params = modern(variant, patterns, np.ones(20), 0.1)
        shares = model.attention(params, patterns + 0.5)
        np.testing.assert_array_equal(shares, np.eye(20))
    assert (ModernMemory(0.1).attention(params, patterns) > 0).all()


def test_sparse_softmax_of_known_vectors():
    one = np.ones(3)
    found = sparse_softmax(np.array([[1.0, 0.5, -1.0], [0.1, 0.0, 0.1]]), one, 2.0)
    np.testing.assert_allclose(found, [[0.75, 0.25, 0], [11 / 30, 8 / 30, 11 / 30]], atol=1e-15)
    # z / 2 = (1, 0): (1 - t)^2 + t^2 = 1 at t = 0; and (z1 - z2) / 2 > 1 leaves one.
    found = sparse_softmax(np.array([[2.0, 0.0], [5.0, 0.0]]), np.ones(2), 1.5)
    np.testing.assert_allclose(found, [[1, 0], [1, 0]], atol=1e-15)


def test_single_precision_stays():
    patterns, weights, q = modern_problem(3)
    for variant in VARIANTS:
        model, params = modern(variant, patterns.astype(np.float32), weights, 0.8)
        found = settle_vectors(model, params, q.astype(np.float32), tol=1e-4)
        assert found.states.dtype == np.float32 and found.energies.dtype == np.float64
        wide = settle_vectors(*modern(variant, patterns, weights, 0.8), q, tol=1e-9)
        np.testing.assert_allclose(found.states, wide.states, atol=5e-3)


def test_large_scores_do_not_overflow():
    patterns = 1e3 * random_patterns(4, 10).astype(float)
    for variant in VARIANTS:
        model, params = modern(variant, patterns, np.ones(4), 100.0)
        found = settle_vectors(model, params, patterns + 1.0)
        np.testing.assert_array_equal(found.states, patterns)
        assert np.isfinite(found.energies).all()


def test_the_record_of_a_retrieval():
    patterns, weights, q = modern_problem(4)
    model, params = modern("softmax", patterns, weights, 2.0)
    found = settle_vectors(model, params, q, tol=1e-8, trace=True)
    assert found.converged.all() and found.n_steps.max() == len(found.trajectory) - 2
    np.testing.assert_array_equal(found.trajectory[0], q)
    np.testing.assert_allclose(found.trajectory[1], model.update(params, q), rtol=1e-12)
    np.testing.assert_array_equal(found.trajectory[-1], found.states)
    np.testing.assert_allclose(found.states, model.update(params, found.states), atol=1e-7)
    for energies, states in zip(found.trajectory_energies, found.trajectory, strict=True):
        np.testing.assert_allclose(energies, model.energy(params, states), rtol=1e-12)
    np.testing.assert_array_equal(found.energies, found.trajectory_energies[-1])
    once = settle_vectors(model, params, q, max_steps=1)
    assert (once.n_steps == 1).all() and not once.converged.any()
    at_rest = settle_vectors(model, params, found.states, tol=1e-6)
    assert at_rest.converged.all() and (at_rest.n_steps == 0).all()


def test_cosines():
    q, patterns = np.array([[3.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [-2.0, 0.0]])
    np.testing.assert_allclose(cosine(q, patterns), [[np.sqrt(0.5), -1], [0, 0]], atol=1e-15)


# What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memories", "words"),
    [
        (np.ones(3), r"n_memories, n_units"),
        (np.ones((0, 3)), r"n_memories, n_units"),
        ([[1, 2]], "entries -1 and"),
        ([[1, np.nan]], "entries -1 and"),
    ],
)
def test_memories_of_other_values_are_refused(memories, words):
    with pytest.raises(ValueError, match=words):
        check_memories(memories)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DenseMemory("cubic"), "interaction must be one of"),
        (lambda: DenseMemory(degree=1), "degree must be an integer of at least 2"),
        (lambda: DenseMemory(degree=2.5), "degree must be an integer"),
        (lambda: ModernMemory(0.0), "beta must be a number in"),
        (lambda: ModernMemory(variant="hardmax"), "variant must be one of"),
        (lambda: DenseMemory("exponential").one_step_error(10, 3), "known for polynomial"),
    ],
)
def test_choices_that_do_not_exist_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"update": "parallel"}, "update must be one of"), ({"max_sweeps": 0}, "max_sweeps must be")],
)
def test_settings_of_recall_are_checked(settings, words):
    model, params = dense("polynomial", 3, random_patterns(2, 5))
    with pytest.raises(ValueError, match=words):
        settle_spins(model, params, np.ones((1, 5)), KEY, **settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"tol": -1.0}, "tol must be a number in"), ({"max_steps": 0}, "max_steps must be")],
)
def test_settings_of_retrieval_are_checked(settings, words):
    model, params = modern("softmax", np.ones((2, 3)), np.ones(2), 1.0)
    with pytest.raises(ValueError, match=words):
        settle_vectors(model, params, np.ones((1, 3)), **settings)


@pytest.mark.parametrize("variant", ["softmax", "entmax", "sparsemax"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beta", [1e-300, 1e-30, 1e-12, 1e30, 1e300, 1.7e308])
def test_modern_memories_at_the_ends_of_the_scale_of_beta(beta, dtype, variant):
    """Hot: all have equal shares, and the energy is that of their mean. Cold: the nearest one has it all."""
    patterns = np.random.default_rng(0).normal(size=(5, 7)).astype(dtype)
    q = patterns + dtype(0.1)
    params = ModernParameters(patterns, np.ones(5))
    model, products = ModernMemory(beta, variant), q @ patterns.T
    size = 0.5 * ((q**2).sum(axis=1) + (patterns**2).sum(axis=1).max())
    hot = beta < 1
    wanted = np.full((5, 5), 0.2) if hot else products == products.max(axis=1, keepdims=True)
    tol = 1e-5 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(model.attention(params, q), wanted, atol=tol)
    expected = size - (products.mean(axis=1) if hot else products.max(axis=1))
    np.testing.assert_allclose(model.energy(params, q), expected, rtol=tol, atol=tol)
