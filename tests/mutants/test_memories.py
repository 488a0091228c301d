"""The checks of associative memories have teeth: they reject known-wrong implementations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from ebm.energies.label_memory import LabelMemory
from ebm.energies.memory import DenseMemory, DenseParameters, check_memories
from ebm.gradients.label_memory import completion_gradient
from tests.checks.memories import (
    assert_completion_gradient,
    assert_flip_differences,
    assert_modern_energy,
    assert_modern_update,
    assert_recall,
)


def rejects(check, *args, **kwargs):
    with pytest.raises(AssertionError):
        check(*args, **kwargs)


# Dense memories -------------------------------------------------------------------------------


def terms(x, degree=3, rectified=False):
    return (np.maximum(x, 0) if rectified else x) ** degree


def numpy_differences(memories, s, step=2, rectified=False, doubled=1.0):
    """Of degree 3, by the overlaps after each flip."""
    n = s.shape[1]
    x = (s @ memories.T)[:, :, np.newaxis] / n
    turned = x - step * memories[np.newaxis] * s[:, np.newaxis] / n
    change = terms(x, rectified=rectified) - terms(turned, rectified=rectified)
    return doubled * n * change.sum(axis=1)


@pytest.mark.parametrize(
    "mutant", [{"step": 1}, {"rectified": True}, {"doubled": 2.0}], ids=lambda m: next(iter(m))
)
def test_flip_differences_reject(mutant):
    assert_flip_differences(numpy_differences, "polynomial", 3, rtol=1e-6)
    rejects(
        assert_flip_differences,
        lambda memories, s: numpy_differences(memories, s, **mutant),
        "polynomial",
        3,
        rtol=1e-6,
    )


LOTS = np.ones(6, int)


def numpy_recall(memories, s, n_sweeps, free, wrong=""):
    """Degree 3, whole numbers, one unit at a time."""
    s = s.copy()
    for _ in range(n_sweeps):
        before = s.copy()
        for i in range(s.shape[1]):
            seen = before if wrong == "synchronous" else s
            y = seen @ memories.T - seen[:, i : i + 1] * memories[:, i]
            if wrong == "with itself":
                y = seen @ memories.T
            field = (terms(y + memories[:, i]) - terms(y - memories[:, i])).sum(axis=1)
            kept = np.where(s[:, i] == 0, LOTS[i], s[:, i])
            if wrong == "ties go up":
                kept = np.ones_like(kept)
            new = np.where(field > 0, 1, np.where(field < 0, -1, kept))
            if free is not None and wrong != "nothing is held":
                new = np.where(free[:, i], new, s[:, i])
            s[:, i] = new
    return s, LOTS


@pytest.mark.parametrize("wrong", ["synchronous", "with itself", "ties go up", "nothing is held"])
def test_recall_rejects(wrong):
    assert_recall(numpy_recall, "polynomial", 3)
    rejects(assert_recall, lambda *given: numpy_recall(*given, wrong=wrong), "polynomial", 3)


def test_recall_rejects_rounding_that_breaks_ties():
    """Degree 400 in plain double precision: far terms vanish, and near ones do not cancel."""

    def recall(memories, s, n_sweeps, free):
        def rounded(y):
            return np.exp(400 * np.log(np.maximum(np.abs(y) / 6, 1e-3))) * (y != 0)

        s = s.copy()
        for _ in range(n_sweeps):
            for i in range(s.shape[1]):
                y = s @ memories.T - s[:, i : i + 1] * memories[:, i]
                field = (rounded(y + memories[:, i]) - rounded(y - memories[:, i])).sum(axis=1)
                kept = np.where(s[:, i] == 0, LOTS[i], s[:, i])
                new = np.where(field > 0, 1, np.where(field < 0, -1, kept))
                s[:, i] = new if free is None else np.where(free[:, i], new, s[:, i])
        return s, LOTS

    rejects(assert_recall, recall, "polynomial", 400)


# Modern Hopfield networks ---------------------------------------------------------------------


def numpy_update(patterns, weights, beta, q, prior=1.0, temperature=1.0):
    return softmax(temperature * beta * q @ patterns.T + prior * np.log(weights), axis=1) @ patterns


def numpy_energy(patterns, weights, beta, q, inverse=1.0, size=0.5, count=1.0):
    lse = logsumexp(beta * q @ patterns.T + np.log(weights), axis=1)
    constants = count * np.log(weights.sum()) / beta + size * (patterns**2).sum(axis=1).max()
    return -lse / beta**inverse + 0.5 * (q**2).sum(axis=1) + constants


@pytest.mark.parametrize("mutant", [{"prior": 0.0}, {"temperature": 0.5}])
def test_updates_reject(mutant):
    assert_modern_update(numpy_update, "softmax")
    rejects(assert_modern_update, lambda *x: numpy_update(*x, **mutant), "softmax")
    rejects(assert_modern_update, numpy_update, "sparsemax")


@pytest.mark.parametrize("mutant", [{"inverse": 0.0}, {"size": 1.0}, {"count": 0.0}])
def test_modern_energies_reject(mutant):
    assert_modern_energy(numpy_energy, "softmax")
    rejects(assert_modern_energy, lambda *x: numpy_energy(*x, **mutant), "softmax")
    rejects(assert_modern_energy, numpy_energy, "entmax")


# Completed labels -----------------------------------------------------------------------------

SETTINGS = {"degree": 3, "rectified": True, "power": 2}


def right_gradient(memories, v, t, weights):
    model = LabelMemory(3, 3, True, 1.5)
    return completion_gradient(model, DenseParameters(memories), v, t, power=2, weights=weights)[
        0
    ].memories


def uphill(*given):
    return -right_gradient(*given)


def half_exponent(memories, v, t, weights):
    """m for 2m."""
    return right_gradient(memories, v, t, weights) / 2


def unweighted(memories, v, t, weights):
    return right_gradient(memories, v, t, np.full(len(v), 1 / len(v)))


def labels_left_out(memories, v, t, weights):
    gradient = right_gradient(memories, v, t, weights)
    gradient[:, -3:] = 0
    return gradient


def labels_once(memories, v, t, weights):
    """Without the way on which all labels, being off, act on the inputs."""
    gradient = right_gradient(memories, v, t, weights)
    constant = np.ones((len(v), 1))
    with_one = right_gradient(
        np.concatenate([np.zeros((len(memories), 1)), memories], axis=1),
        np.concatenate([constant, v], axis=1),
        t,
        weights,
    )
    gradient[:, -3:] += with_one[:, :1]  # the sum of the inputs' slopes
    return gradient


@pytest.mark.parametrize(
    "mutant",
    [uphill, half_exponent, unweighted, labels_left_out, labels_once],
    ids=lambda f: f.__name__,
)
def test_completion_gradients_reject(mutant):
    assert_completion_gradient(right_gradient, **SETTINGS)
    rejects(assert_completion_gradient, mutant, **SETTINGS)


def test_the_library_is_what_the_mutants_are_mutants_of():
    memories = np.random.default_rng(0).choice([-1, 1], (4, 6))
    s = np.random.default_rng(1).choice([-1, 1], (3, 6))
    found = DenseMemory("polynomial", 3).flip_differences(
        DenseParameters(check_memories(memories)), s
    )
    np.testing.assert_allclose(found, numpy_differences(memories, s), atol=1e-12)
