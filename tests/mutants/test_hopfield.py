"""The checks of storage and recall have teeth: known-wrong rules and dynamics are rejected, right ones accepted."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key, fold
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.inference import recall
from ebm.inference.recall import visits
from ebm.storage import Hebb, Perceptron, PseudoInverse, Storkey, aligned_fields
from ebm.storage.base import Memory, StorageRule
from ebm.units import Spin
from tests.oracles import hopfield
from tests.statistics import assert_same_distribution

KEY = Key(21, 22)
SPINS = Pairwise(Spin())


def rejects(check, *args):
    with pytest.raises(AssertionError):
        check(*args)


def random_patterns(n_patterns, n_units, seed=0):
    return np.random.default_rng(seed).choice([-1.0, 1.0], (n_patterns, n_units))


def random_network(n, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    J = rng.normal(size=(n, n)) * scale
    J += J.T
    np.fill_diagonal(J, 0)
    return PairwiseParameters(J, rng.normal(size=n) * scale)


# Storage ---------------------------------------------------------------------------------------
# A rule is a function from patterns (rows, n_units) to J.


def rule_of(record):
    return lambda X: record.parameters(record.store(record.empty(X.shape[1]), X)).J


def assert_is(rule, oracle):
    X = random_patterns(5, 8)
    np.testing.assert_allclose(rule(X), oracle(X), atol=1e-10)


def assert_all_are_stable(rule):
    """Of K < N patterns, with their fields of at least one part in a thousand of the couplings' norm."""
    X = random_patterns(24, 40)
    J = rule(X)
    fields = aligned_fields(PairwiseParameters(J, np.zeros(40)), X)
    assert not J.diagonal().any()
    assert (fields > 1e-3 * np.linalg.norm(J, axis=1)).all()


def assert_has_the_largest_stability(rule):
    X = random_patterns(8, 12, seed=2)
    J = rule(X)
    reached = (X * (X @ J.T)).min(axis=0) / np.linalg.norm(J, axis=1)
    best = np.array([hopfield.largest_stability(X, i) for i in range(12)])
    np.testing.assert_allclose(reached, best, rtol=0.011)


def assert_one_by_one_is_at_once(rule: StorageRule):
    X = random_patterns(6, 12)
    memory = rule.empty(12)
    for xi in X:
        memory = rule.store(memory, xi[np.newaxis])
    J = rule.parameters(memory).J
    np.testing.assert_allclose(J, rule_of(rule)(X), atol=1e-10)


def storkey_with_own_terms(X):
    """h_ij summed over all k: the unit's own field and the other's are not left out."""
    n = X.shape[1]
    J = np.zeros((n, n))
    for xi in X:
        h = J @ xi
        J += (np.outer(xi, xi) - np.outer(xi, h) - np.outer(h, xi)) / n
        np.fill_diagonal(J, 0)
    return J


def hebb_with_a_diagonal(X):
    return X.T @ X / X.shape[1]


def projector_with_a_diagonal(X):
    return np.linalg.pinv(X) @ X


def inverse_of_the_wrong_side(X):
    """(X'X)^-1 for (XX')^-1."""
    J = np.linalg.pinv(X.T @ X)
    np.fill_diagonal(J, 0)
    return J


def perceptron_that_takes_one_from_each_product(X):
    """What the unit itself adds to the product of two patterns is xi_i xi_i, not one."""
    products, J = X @ X.T, []
    for targets in X.T:
        strengths = np.ones(len(X))
        signed = np.outer(targets, targets) * (products - 1)
        for _ in range(5000):
            strengths[np.argmin(signed @ strengths)] += 1
        J.append((strengths * targets) @ X)
    J = np.array(J)
    np.fill_diagonal(J, 0)
    return J


class ScaledByCount(StorageRule):
    """Hebb's rule over the count of patterns in each call, instead of N."""

    def get_params(self, deep=True):
        return {}

    def capacity(self, memory):
        return 0.0

    def start(self, memory: Memory):
        return Hebb().start(memory)

    def add(self, memory, patterns, weights):
        return (memory.rule_state[0] + patterns.T @ patterns / len(patterns),)

    def couplings(self, memory):
        return memory.rule_state[0].copy(), np.zeros(memory.n_units)


def test_storage_rules():
    assert_is(rule_of(Hebb()), hopfield.hebb)
    rejects(assert_is, hebb_with_a_diagonal, hopfield.hebb)
    rejects(assert_is, rule_of(Hebb(normalize=False)), hopfield.hebb)
    assert_is(rule_of(Storkey()), hopfield.storkey)
    rejects(assert_is, storkey_with_own_terms, hopfield.storkey)
    rejects(assert_is, lambda X: rule_of(Storkey())(X[::-1]), hopfield.storkey)
    assert_is(rule_of(PseudoInverse()), hopfield.pseudo_inverse)
    rejects(assert_is, projector_with_a_diagonal, hopfield.pseudo_inverse)
    rejects(assert_is, inverse_of_the_wrong_side, hopfield.pseudo_inverse)


def test_promises():
    for record in (PseudoInverse(), Perceptron(), Perceptron(symmetric=True)):
        assert_all_are_stable(rule_of(record))
    rejects(assert_all_are_stable, rule_of(Hebb()))
    rejects(assert_all_are_stable, projector_with_a_diagonal)
    rejects(assert_all_are_stable, inverse_of_the_wrong_side)
    rejects(assert_all_are_stable, lambda X: rule_of(PseudoInverse())(X[1:]))
    assert_has_the_largest_stability(rule_of(Perceptron()))
    rejects(assert_has_the_largest_stability, perceptron_that_takes_one_from_each_product)
    rejects(assert_has_the_largest_stability, rule_of(PseudoInverse()))


def test_memories():
    for record in (Hebb(), Storkey(), PseudoInverse()):
        assert_one_by_one_is_at_once(record)
    rejects(assert_one_by_one_is_at_once, ScaledByCount())


# Recall at temperature zero ----------------------------------------------------------------------
# A way to recall is a function of (params, states) to the states of every sweep and the cycles found.


def library(update):
    def run(params, s):
        ends = recall(SPINS, params, s, KEY, update=update, max_sweeps=50, trace=True)
        return ends.trajectory, ends.cycling

    return run


def sweeps(step):
    def run(params, s):
        path = [s]
        for _ in range(50):
            path.append(np.array([step(params, row) for row in path[-1]]))
            if (path[-1] == path[-2]).all():
                break
        return np.array(path), np.zeros(len(s), bool)

    return run


def all_at_once(params, s):
    return np.array(hopfield.synchronous(*params, s))


def stale_within_blocks(params, s, size=4):
    """The fields of a block are not kept up to date inside it."""
    s = s.copy()
    for start in range(0, len(s), size):
        s[start : start + size] = all_at_once(params, s)[start : start + size]
    return s


def bias_left_out(params, s):
    return np.array(hopfield.asynchronous(params.J, 0 * params.bias, s, range(len(s))))


def ties_go_up(params, s):
    s = s.copy()
    for i in range(len(s)):
        s[i] = 1.0 if hopfield.field(*params, s, i) >= 0 else -1.0
    return s


def assert_energy_falls(run):
    for seed in range(10):
        params = random_network(12, seed)
        path, _ = run(params, random_patterns(10, 12, seed))
        energies = np.array([SPINS.energy(params, s) for s in path])
        assert np.diff(energies, axis=0).max() <= 1e-10
        final = path[-1]
        assert (aligned_fields(params, final) >= -1e-12).all()


def assert_ties_keep_the_state(run):
    s = random_patterns(6, 5)
    path, _ = run(PairwiseParameters(np.zeros((5, 5)), np.zeros(5)), s)
    np.testing.assert_array_equal(path[-1], s)


def assert_finds_the_cycle(run):
    pair = PairwiseParameters(np.array([[0, 1.0], [1, 0]]), np.zeros(2))
    _, cycling = run(pair, np.array([[1.0, -1], [1, 1]]))
    np.testing.assert_array_equal(cycling, [True, False])


def test_recall():
    for update in ("async", "cyclic"):
        assert_energy_falls(library(update))
        assert_ties_keep_the_state(library(update))
    for wrong in (all_at_once, stale_within_blocks, bias_left_out):
        rejects(assert_energy_falls, sweeps(wrong))
    rejects(assert_energy_falls, library("sync"))
    rejects(assert_ties_keep_the_state, sweeps(ties_go_up))
    assert_finds_the_cycle(library("sync"))
    rejects(assert_finds_the_cycle, sweeps(all_at_once))


# The heat bath -----------------------------------------------------------------------------------


def heat_bath(temperature=1.5, update="async", alike=False):
    def run(params, s):
        if alike:
            one = recall(SPINS, params, s[:1], KEY, temperature=temperature, max_sweeps=1).states
            return np.repeat(one, len(s), axis=0)
        return recall(
            SPINS, params, s, KEY, update=update, temperature=temperature, max_sweeps=1
        ).states

    return run


def assert_has_the_heat_baths_law(run):
    params, s = random_network(4, seed=7, scale=0.7), np.array([1.0, -1, -1, 1])
    order = visits("async", 4, fold(fold(KEY, 0), 0))
    law = hopfield.heat_bath_transition(*params, s, order, 1 / 1.5)
    place = {state: k for k, state in enumerate(law)}
    drawn = [place[tuple(state)] for state in run(params, np.tile(s, (20_000, 1)))]
    counts = np.bincount(drawn, minlength=len(law))
    assert_same_distribution(counts, np.array(list(law.values())))


def test_heat_bath():
    assert_has_the_heat_baths_law(heat_bath())
    rejects(assert_has_the_heat_baths_law, heat_bath(3.0))  # sigmoid(beta f) for sigmoid(2 beta f)
    rejects(assert_has_the_heat_baths_law, heat_bath(update="sync"))
    rejects(assert_has_the_heat_baths_law, heat_bath(update="cyclic"))
    rejects(assert_has_the_heat_baths_law, heat_bath(alike=True))
    rejects(assert_has_the_heat_baths_law, lambda params, s: s)
