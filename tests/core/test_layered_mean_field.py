"""ebm.inference.layered_mean_field: the bound never falls, is one, and is exact where units are independent."""

from __future__ import annotations

import numpy as np
import pytest

from ebm.energies.layer_sums import layer_sum, layered_free_energy, layered_log_z
from ebm.inference.layered_mean_field import layered_bound, layered_mean_field
from tests.models.layers import GRAPHS, both, rows_of

INDEPENDENT = ["two", "mixed", "labels", "counts"]  # hidden layers, of each other given the rows


@pytest.mark.parametrize("beta", [0.6, 1.0])
@pytest.mark.parametrize("name", GRAPHS)
def test_the_bound_of_rows_never_falls_and_stays_below(name, beta):
    oracle, model, params = both(name, scale=1.5)
    known = model.split(rows_of(oracle))
    exact = layer_sum(model, params, known, beta).log_sums()
    bounds = []
    for n_sweeps in range(1, 8):
        means = layered_mean_field(model, params, known, beta=beta, n_sweeps=n_sweeps, tol=0)
        bounds.append(layered_bound(model, params, known, means, beta))
    assert (np.diff(bounds, axis=0) >= -1e-12).all()
    assert (exact >= bounds[-1] - 1e-12).all()
    if name in INDEPENDENT:
        assert means.converged.all()
        np.testing.assert_allclose(bounds[0], exact, rtol=0, atol=1e-10)
    else:
        assert bounds[-1].max() > bounds[0].max()  # something was there to improve


@pytest.mark.parametrize("name", GRAPHS)
def test_with_nothing_known_the_bound_is_one_of_log_z(name):
    _, model, params = both(name)
    rng = np.random.default_rng(0)
    start = rng.normal(size=(4, sum(model.sides[0].sizes)))
    bounds = []
    for n_sweeps in (1, 2, 30):
        means = layered_mean_field(
            model, params, {}, even=start, n_rows=4, n_sweeps=n_sweeps, tol=0
        )
        bounds.append(layered_bound(model, params, {}, means))
    assert (np.diff(bounds, axis=0) >= -1e-12).all()
    log_z = layered_log_z(model, params)
    assert log_z - 5 < bounds[-1].max() <= log_z


def test_rows_stop_by_themselves():
    oracle, model, params = both("chain", scale=1.5)
    v = rows_of(oracle, 6)
    together = layered_mean_field(model, params, model.split(v), n_sweeps=200, tol=1e-3)
    assert together.converged.all()
    for k, row in enumerate(v):
        alone = layered_mean_field(
            model, params, model.split(row[np.newaxis]), n_sweeps=200, tol=1e-3
        )
        for a, b in zip(alone.statistics, together.statistics, strict=True):
            np.testing.assert_allclose(a[0], b[k], rtol=0, atol=1e-12)


def test_means_of_independent_layers_are_the_exact_ones():
    oracle, model, params = both("two")
    v = rows_of(oracle)
    means = layered_mean_field(model, params, model.split(v))
    W, (b, c) = params.weights[0], (own.bias for own in params.layers)
    expected = 1 / (1 + np.exp(-(v @ W + c)))
    np.testing.assert_allclose(means.statistics[1], expected, rtol=0, atol=1e-12)
    assert means.n_sweeps == 1
    assert layered_free_energy(model, params, v).shape == (len(v),)
    assert b.shape == (4,)
