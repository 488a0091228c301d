"""Counts at any temperature: sums over all of them, means, and draws at given numbers."""

import numpy as np
import pytest
from scipy import special

from ebm._kernels import binomial, categorical, counts, poisson
from ebm.units import Binomial, Categorical, Poisson


def weights(eta, beta, n):
    """Numbers, and the logarithms of their weights, as far as these are not negligible."""
    if n < 0:
        x = np.arange(int(np.exp(eta) + 60 * np.sqrt(np.exp(eta)) + 200))
        return x, beta * (eta * x - special.gammaln(x + 1))
    x = np.arange(n + 1)
    choices = special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)
    return x, beta * (eta * x + choices)


@pytest.mark.parametrize("beta", [1.0, 0.7, 2.5])
@pytest.mark.parametrize(("eta", "n"), [(-2.0, -1), (3.0, -1), (6.0, -1), (-1.5, 7), (2.0, 40)])
def test_sums_means_and_draws(eta, n, beta):
    x, logs = weights(eta, beta, n)
    total = special.logsumexp(logs)
    p = np.exp(logs - total)
    assert counts.log_normaliser(eta, beta, n) == pytest.approx(total, rel=1e-7)
    assert counts.mean(eta, beta, n) == pytest.approx(p @ x, rel=1e-7)
    us = (np.arange(400) + 0.5) / 400
    drawn = np.array([counts.draw(eta, beta, n, u) for u in us])
    below = np.mean(drawn[:, np.newaxis] <= x, axis=0)
    # Numbers take turns above and below the mode: each has its share of the even numbers u, within two of them.
    np.testing.assert_allclose(np.diff(below, prepend=0), p, atol=1.01 / 400 + 1e-12)
    assert drawn.mean() == pytest.approx(p @ x, abs=4 * np.sqrt(p @ x**2 - (p @ x) ** 2) / 20)


@pytest.mark.parametrize(("eta", "n", "mean"), [(800.0, 9, 9.0), (-800.0, 9, 0.0)])
def test_certain_counts(eta, n, mean):
    assert counts.mean(eta, 0.5, n) == counts.draw(eta, 0.5, n, 0.3) == mean
    assert counts.log_normaliser(eta, 0.5, n) == pytest.approx(max(eta, 0) * 0.5 * n)


def test_what_is_no_number_stays_none():
    for call in (counts.mean, counts.log_normaliser):
        assert np.isnan(call(np.nan, 1.0, -1))
    for n in (-1, 5):
        assert np.isnan(counts.draw(np.nan, 1.0, n, 0.5))
    assert counts.draw(1e4, 1.0, -1, 0.5) == np.inf


@pytest.mark.parametrize(
    ("kernel", "unit"),
    [(poisson, Poisson()), (binomial, Binomial(4)), (categorical, Categorical((3,)))],
    ids=["poisson", "binomial", "categorical"],
)
def test_means_and_draws_in_one_pass_are_those_of_two(kernel, unit):
    params = unit.compiled(unit.neutral(3, np.float64))
    x = np.random.default_rng(0).normal(size=(20, 3))
    means, drawn, both = x.copy(), x.copy(), np.empty_like(x)
    kernel.mean(params, means, 0.8)
    kernel.sample(params, drawn, 0.8, 5, 6, 7)
    kernel.mean_and_sample(params, x, both, 0.8, 5, 6, 7)
    np.testing.assert_array_equal(x, means)
    np.testing.assert_array_equal(both, drawn)
    assert both.min() >= 0
