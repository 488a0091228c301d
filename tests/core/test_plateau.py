"""ebm.monitors.Plateau: the rule by which scikit-learn's networks stop, or slow down."""

from __future__ import annotations

import numpy as np
import pytest

from ebm.monitors import Plateau, Report


def by_the_rule(values, tol, patience, rises, slowdown=None, rate=1.0, smallest=1e-6):
    """Epochs that are run (from 1), and after which the rate was lowered; worked out one epoch after the other.

    An epoch is a miss unless it passes the best before it by tol; after more misses in a row than the patience it is
    the end, or the rate is lowered as long as it is above the smallest, and the count begins anew.
    """
    best, misses, lowered = None, 0, []
    for epoch, value in enumerate(values, 1):
        value = value if rises else -value
        misses = misses + 1 if best is not None and value < best + tol else 0
        best = value if best is None else max(best, value)
        if misses > patience:
            if slowdown is None or rate <= smallest:
                return epoch, lowered
            rate, misses = rate * slowdown, 0
            lowered.append(epoch)
    return len(values), lowered


def watched(plateau, values, rate=1.0):
    """The same as the loop of training has it, and what is kept."""
    kept, lowered = {}, []
    for epoch, value in enumerate(values, 1):
        theta = np.full(2, float(epoch))
        report = Report(epoch, len(values), rate, 0.0, None, None, theta, kept, {"x": value})
        stop = plateau(report)
        theta += 100  # goes on changing
        if report.slowdowns:
            rate *= float(np.prod(report.slowdowns))
            lowered.append(epoch)
        if stop:
            return epoch, lowered, kept
    return len(values), lowered, kept


def courses():
    rng = np.random.default_rng(0)
    for k in range(40):
        fall = np.exp(-np.arange(60) / rng.uniform(3, 30)) + 0.02 * rng.normal(size=60)
        yield pytest.param(np.round(fall, 2) if k % 2 else fall, id=str(k))  # with ties and without


@pytest.mark.parametrize("course", list(courses()))
@pytest.mark.parametrize("rises", [False, True])
def test_ends_and_slowdowns_are_those_of_the_rule(course, rises):
    values = -course if rises else course
    for tol, patience in ((0.0, 0), (0.01, 1), (0.01, 3), (0.05, 2), (0.0, 10), (0.1, np.inf)):
        for slowdown in (None, 0.2):
            plateau = Plateau("x", rises=rises, tol=tol, patience=patience, slowdown=slowdown)
            rate = 1e-4
            end, lowered, kept = watched(plateau, values, rate)
            expected = by_the_rule(values, tol, patience, rises, slowdown, rate)
            assert (end, lowered) == expected
            assert plateau.stuck(kept) or end == len(values)
            assert plateau.best(kept) == min(-values[:end] if rises else values[:end])
            if rises:
                best = int(np.argmax(values[:end]))
                np.testing.assert_array_equal(kept["best_theta"], best + 1.0)
            else:
                assert "best_theta" not in kept


def test_the_best_of_equals_is_the_first():
    *_, kept = watched(Plateau("x", rises=True), [0.5, 0.9, 0.9, 0.2])
    np.testing.assert_array_equal(kept["best_theta"], 2.0)


def test_what_is_no_number_is_a_miss_and_never_the_best():
    values = [0.3, np.nan, np.nan, 0.4, np.nan, np.nan, np.nan]
    plateau = Plateau("x", rises=True, tol=0.0, patience=2)
    end, _, kept = watched(plateau, values)
    assert end == 7 and plateau.stuck(kept)
    assert plateau.best(kept) == -0.4
    np.testing.assert_array_equal(kept["best_theta"], 4.0)
    end, _, kept = watched(Plateau("x", tol=0.0, patience=1), [np.nan, np.nan, 1.0])
    assert end == 3 and not np.isnan(Plateau("x").best(kept))


def test_before_the_first_epoch_nothing_is_stuck():
    plateau = Plateau("x")
    assert not plateau.stuck({}) and plateau.best({}) == np.inf
