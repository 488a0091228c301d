"""ebm.optimizers.lbfgs: minima of quadratics, which have closed forms, with and without kinks."""

from __future__ import annotations

import numpy as np
import pytest

from ebm.optimizers.lbfgs import lbfgs


def quadratic(seed=0, n=8):
    """(x - c)'A(x - c) / 2 with its gradient, the matrix A and the minimum c."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n))
    A, c = root @ root.T / n + np.eye(n) / 2, rng.normal(size=n)
    return lambda x: (0.5 * (x - c) @ A @ (x - c), A @ (x - c)), A, c


def smallest_slope(cost, curvature):
    """Below it no step lowers a cost by more than its rounding: a slope g promises g^2 / (2 curvature)."""
    return np.sqrt(2 * curvature * np.finfo(float).eps * cost)


def test_the_minimum_of_a_quadratic():
    cost, _, c = quadratic()
    start = np.zeros(8)
    found = lbfgs(cost, start, tol=1e-10)
    np.testing.assert_allclose(found.theta, c, atol=1e-9)
    assert found.message == ""
    assert found.progress.slope <= 1e-10
    assert found.progress.cost == pytest.approx(cost(found.theta)[0], abs=1e-18)
    assert not start.any()


def test_absolute_values_shrink_and_stop_at_zero():
    """Where A is diagonal, the minimum is c, less l1 / A_kk, or zero."""
    a, c = np.array([1.0, 2.0, 4.0, 1.0]), np.array([1.0, -1.0, 0.1, 0.2])
    l1 = np.array([0.3, 0.4, 0.8])

    def cost(x):
        return 0.5 * a @ (x - c) ** 2, a * (x - c)

    minimum = np.array([0.7, -0.8, 0.0, 0.2])
    tol = smallest_slope(cost(minimum)[0] + l1 @ np.abs(minimum[:3]), a.max())
    for start in (np.zeros(4), np.array([-1.0, 1.0, 1.0, -1.0])):
        found = lbfgs(cost, start, l1=l1, tol=tol)
        np.testing.assert_allclose(found.theta, minimum, rtol=0, atol=tol / a.min())
        assert found.progress.slope <= tol
        assert found.theta[2] == 0
        assert found.message == ""
        expected = cost(found.theta)[0] + l1 @ np.abs(found.theta[:3])
        assert found.progress.cost == pytest.approx(expected, rel=1e-12)


def test_conditions_at_a_kink():
    cost, A, _ = quadratic(seed=1)
    l1 = np.full(6, 0.8)
    tol = smallest_slope(cost(np.zeros(8))[0], np.linalg.eigvalsh(A).max())
    found = lbfgs(cost, np.zeros(8), l1=l1, tol=tol)
    assert found.message == ""
    x, slopes = found.theta, cost(found.theta)[1]
    at_zero = x[:6] == 0
    assert 0 < at_zero.sum() < 6
    assert np.abs(slopes[:6][at_zero]).max() < 0.8
    kinks = -0.8 * np.sign(x[:6][~at_zero])
    np.testing.assert_allclose(slopes[:6][~at_zero], kinks, rtol=0, atol=tol)
    np.testing.assert_allclose(slopes[6:], 0, rtol=0, atol=tol)


def test_progress_is_that_of_the_iterations():
    cost, _, _ = quadratic(seed=2)
    told = []
    found = lbfgs(cost, np.zeros(8), tell=told.append)
    assert [p.n_iter for p in told] == list(range(1, len(told) + 1))
    assert told[-1] == found.progress
    assert np.diff([p.cost for p in told]).max() < 0


def test_a_search_ends_where_it_is_told_to():
    seen = []

    def stop(theta):
        seen.append(theta.copy())
        return len(seen) == 3

    cost = quadratic()[0]
    for l1 in (None, np.full(8, 0.1)):
        seen.clear()
        found = lbfgs(cost, np.zeros(8), l1=l1, stop=stop, tol=1e-12)
        assert found.progress.n_iter == len(seen) == 3
        assert not found.message
        np.testing.assert_array_equal(found.theta, seen[-1])


def test_a_start_at_the_minimum():
    cost, _, c = quadratic()
    found = lbfgs(cost, c.copy())
    assert found.progress == (0, 0.0, 0.0)
    assert found.message == ""
    np.testing.assert_array_equal(found.theta, c)


def test_ends_before_the_minimum_are_told():
    cost, _, _ = quadratic()
    few = lbfgs(cost, np.zeros(8), max_iter=2)
    assert few.progress.n_iter == 2
    assert few.message.startswith("Not converged after max_iter=2 iterations")

    def shifted(x):
        value, slopes = cost(x)
        return value + 1e6, slopes

    rough = lbfgs(shifted, np.zeros(8), tol=1e-14)  # a cost of 1e6 hides differences of 1e-10
    assert "precision of the numbers" in rough.message
    assert rough.progress.slope < 1e-3


@pytest.mark.parametrize("l1", [None, np.full(3, 0.1)])
def test_an_interrupt_leaves_the_last_iteration(l1):
    cost, _, _ = quadratic()
    told = []

    def interrupt(progress):
        told.append(progress)
        if progress.n_iter == 3:
            raise KeyboardInterrupt

    found = lbfgs(cost, np.zeros(8), l1=l1, tell=interrupt)
    assert found.message.startswith("interrupted")
    assert found.progress == told[-1]
    penalty = 0 if l1 is None else l1 @ np.abs(found.theta[:3])
    assert found.progress.cost == pytest.approx(cost(found.theta)[0] + penalty, rel=1e-12)


def test_an_interrupt_within_the_first_evaluation_leaves_the_start():
    def cost(x):
        raise KeyboardInterrupt

    found = lbfgs(cost, np.ones(3))
    assert found.message.startswith("interrupted")
    assert found.theta.tolist() == [1, 1, 1]
    assert np.isnan(found.progress.cost)


def test_a_kink_of_the_cost_itself_is_told_unless_it_is_expected():
    def cost(theta):
        return float(np.abs(theta).sum()), np.where(theta >= 0, 1.0, -1.0)

    start = np.array([0.3, -0.7])
    told, expected = (lbfgs(cost, start, kinks=kinks) for kinks in (False, True))
    assert "no lower cost was found" in told.message
    assert expected.message == ""
    np.testing.assert_array_equal(told.theta, expected.theta)


@pytest.mark.parametrize("l1", [None, np.zeros(1)])
def test_from_what_is_no_number_the_search_comes_nowhere(l1):
    start = np.array([1.0, -2.0])
    found = lbfgs(lambda theta: (np.nan, np.full(2, np.nan)), start, l1=l1)
    np.testing.assert_array_equal(found.theta, start)
    assert found.message


def saddle(x):
    """A cost that falls along x_1 only far from x_1 = 0: (x_0^2 + x_1^4 / 2 - 1e-4 x_1^2) / 2."""
    a, b = x
    return 0.5 * (a**2 + 0.5 * b**4 - 1e-4 * b**2), np.array([a, b**3 - 1e-4 * b])


def test_patience_leaves_a_saddle():
    start = np.array([1.0, 1e-4])
    at_once, patient = (lbfgs(saddle, start, tol=1e-6, patience=n) for n in (0, 10))
    assert at_once.message == patient.message == ""
    assert abs(at_once.theta[1]) < 1e-3  # where the cost falls from
    np.testing.assert_allclose(np.abs(patient.theta[1]), 1e-2, rtol=1e-3)
    assert patient.progress.slope <= 1e-6


def test_rest_lasts_for_more_iterations_than_patience():
    told = []
    lbfgs(saddle, np.array([1.0, 0.3]), tol=1e-3, patience=4, tell=told.append)
    calm = [p.slope <= 1e-3 for p in told]
    assert calm[-5:] == [True] * 5
    assert not any(all(calm[k : k + 5]) for k in range(len(calm) - 5))


def test_a_limit_before_the_rest_is_told():
    cost, _, _ = quadratic()
    found = lbfgs(cost, np.zeros(8), tol=1e-2, patience=10, max_fun=9)
    assert found.progress.slope <= 1e-2
    assert found.message.startswith("Not converged after max_fun=9 evaluations")
    assert found.message.endswith("Increase max_fun or tol")
    endless = lbfgs(cost, np.zeros(8), tol=1e-2, patience=np.inf, max_iter=9)
    assert endless.progress.n_iter == 9 and endless.message == ""
