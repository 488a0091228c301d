"""ebm.inference.layered_mean_field: the bound never falls, is one, and is exact where units are independent."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

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


def test_damped_sweeps_never_lower_the_bound_and_end_at_a_fixed_point():
    """The bound is that of the means, whatever the inputs: <-E> + S of bits."""
    oracle, model, params = both("chain", scale=1.5)
    v = rows_of(oracle, 3)
    known, (W, V), (a, b, c) = model.split(v), params.weights, (x.bias for x in params.layers)
    bounds, ends = [], None
    for n_sweeps in (*range(1, 8), 3000):
        ends = layered_mean_field(model, params, known, n_sweeps=n_sweeps, tol=1e-13, damping=0.5)
        h, (_, top) = ends.statistics[1], model.places[2]
        g = ends.statistics[0][:, top]
        entropy = sum(-(x * np.log(x) + (1 - x) * np.log1p(-x)).sum(axis=1) for x in (h, g))
        inputs = v @ a + h @ b + g @ c + np.einsum("ri,ij,rj->r", v, W, h)
        bounds.append(inputs + np.einsum("ri,ij,rj->r", h, V, g) + entropy)
    assert (np.diff(bounds, axis=0) >= -1e-12).all()
    assert ends.converged.all()
    # Where the damped sweeps ended, an undamped one stays, and the bound is that of the inputs.
    again = layered_mean_field(model, params, known, even=ends.statistics[0], n_sweeps=1)
    for x, y in zip(again.statistics, ends.statistics, strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=1e-8)
    np.testing.assert_allclose(bounds[-1], layered_bound(model, params, known, again), atol=1e-8)


def test_the_start_is_outward_from_what_is_known():
    """One sweep of a chain v - h - g: the start of g is from h with doubled input, and h then receives from g."""
    _, model, params = both("chain", scale=1.5)
    rng = np.random.default_rng(0)
    v = rng.integers(0, 2, (4, model.layers[0].size)).astype(float)
    W = params.weights
    b = [own.bias for own in params.layers]
    means = [v]
    for k, weights in enumerate(W, 1):
        twice = 2 if k < len(W) else 1
        means.append(expit(twice * means[-1] @ weights + b[k]))
    found = layered_mean_field(model, params, model.split(v), n_sweeps=1, tol=0)
    below = v @ W[0] + means[2] @ W[1].T
    columns = model.places[1].columns
    np.testing.assert_allclose(found.inputs[1][:, columns], below, rtol=0, atol=1e-12)
    assert model.steps_from([0]) == {k: k for k in range(len(model.layers))}
    assert model.steps_from([1])[0] == 1


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
