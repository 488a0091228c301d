"""Gaussian units given all others: the integral over one of them, against a fine grid over all of its range."""

import numpy as np
import pytest
from scipy.special import expit

from ebm._kernels import mixtures
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.likelihood import pseudo_likelihood, pseudo_log_likelihood
from ebm.units import Bernoulli, Gaussian, Spin

pytestmark = pytest.mark.needs_jit  # as plain Python too slow: quadrature over many rows


def integrals_on_a_grid(y, fields, w, tilt):
    """Log of the integral, with logarithms all along, on points 0.05 standard deviations apart."""
    low = tilt + np.minimum(w, 0).sum() - 12
    high = tilt + np.maximum(w, 0).sum() + 12
    u = np.arange(low, high, 0.05)
    found = []
    for at, field in zip(y, fields, strict=True):
        logs = -(u**2) / 2 + tilt * (u - at)
        for f, step in zip(field, w, strict=True):
            moved = f + step * (u - at)
            logs += np.logaddexp(0, moved) - np.logaddexp(0, f)
        found.append(np.logaddexp.reduce(logs) + np.log(0.05))
    return np.array(found)


@pytest.mark.parametrize("tilt", [0.0, -3.5])
@pytest.mark.parametrize("size", [1e-3, 0.2, 1.0, 5.0])
@pytest.mark.parametrize("m", [1, 7, 300])
def test_integrals(m, size, tilt):
    """Few and many hidden units; means that hardly differ, that overlap, that are far from each other."""
    rng = np.random.default_rng(m)
    y, w = rng.normal(0, 1 + size, 9), rng.normal(0, size / np.sqrt(m), m)
    y[-2:] = [-25.0, 30.0]
    fields = rng.normal(0, 3, (9, m)) + np.outer(y, w)
    assert mixtures.within_tables(y, w, tilt).all()
    found = np.empty(9)
    mixtures.log_integrals(y, expit(fields), expit(-fields), w, tilt, found)
    expected = integrals_on_a_grid(y, fields, w, tilt)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("n_far", [0, 1, 3])
def test_points_around_the_middle_and_all_points(n_far):
    """A row of one mode takes few points, one whose mass may lie far apart takes all: both sum to the same."""
    rng = np.random.default_rng(n_far)
    w = np.append(rng.normal(0, 0.1, 37), 12.0 * np.ones(n_far))
    y, fields = rng.normal(0, 2, 40), rng.normal(0, 1, (40, w.size))
    found, again = np.empty(40), np.empty(40)
    mixtures.log_integrals(y, expit(fields), expit(-fields), w, 0.0, found)
    np.testing.assert_allclose(found, integrals_on_a_grid(y, fields, w, 0.0), atol=1e-9)
    for r in range(40):  # nor does it matter which rows stand beside it
        one = slice(r, r + 1)
        mixtures.log_integrals(y[one], expit(fields[one]), expit(-fields[one]), w, 0.0, again[one])
    np.testing.assert_allclose(again, found, atol=2e-10)


@pytest.mark.parametrize("hidden", [Bernoulli(), Spin()], ids=["bits", "spins"])
@pytest.mark.parametrize("size", [0.1, 0.5])
def test_near_and_far_rows_are_scored_alike(hidden, size, monkeypatch):
    model, rng = Bipartite(Gaussian(), hidden), np.random.default_rng(2)
    params = BipartiteParameters(
        rng.normal(0, size, (5, 40)),
        model.visible.neutral(5, np.dtype(float))._replace(
            bias=rng.normal(size=5), log_variance=rng.normal(0, 0.4, 5)
        ),
        model.hidden.neutral(40, np.dtype(float))._replace(bias=rng.normal(size=40)),
    )
    v = rng.normal(0, 2, (600, 5))  # more than a block
    v[0] = 1e4  # no table holds this
    fast = pseudo_log_likelihood(model, params, v)
    monkeypatch.setattr(
        pseudo_likelihood, "within_tables", lambda y, w, tilt: np.zeros(len(y), bool)
    )
    few = [0, 1, 2, 599]
    np.testing.assert_allclose(fast[few], pseudo_log_likelihood(model, params, v[few]), rtol=1e-9)


def test_what_is_not_finite_is_told():
    model = Bipartite(Gaussian(), Bernoulli())
    own = model.visible.neutral(2, np.dtype(float))
    W = np.array([[np.nan, 1.0], [0.0, 1.0]])
    params = BipartiteParameters(W, own, model.hidden.neutral(2, np.dtype(float)))
    with np.errstate(all="ignore"):
        assert np.isnan(pseudo_log_likelihood(model, params, np.ones((1, 2)))).all()
