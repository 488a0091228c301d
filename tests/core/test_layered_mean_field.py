"""ebm.inference.layered_mean_field: the bound never falls, is one, and is exact where units are independent."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from ebm.energies.incomplete import gaps
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layer_sums import layer_sum, layered_free_energy, layered_log_z
from ebm.inference.layered_mean_field import (
    incomplete_mean_field,
    layered_bound,
    layered_mean_field,
)
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


def assert_fixed_point(model, params, known, means):
    """Every unknown unit has the mean that belongs to the statistics of its neighbors; known ones their states."""
    for color in (EVEN, ODD):
        inputs = model.inputs(params, color, means.statistics[1 - color])
        mean = model.sides[color].mean(model.layer_params(params, color), inputs)
        for k, x in known.items():
            place = model.places[k]
            if place.color == color:
                mean[:, place.columns] = np.where(np.isnan(x), mean[:, place.columns], x)
        s = model.statistic(params, color, mean)
        np.testing.assert_allclose(means.statistics[color], s, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", GRAPHS)
def test_means_are_a_fixed_point_whatever_the_colors_of_known_layers(name):
    oracle, model, params = both(name, scale=0.5)
    known = model.split(rows_of(oracle, 4))
    for layers in (known, dict([*known.items()][:1]), dict([*known.items()][-1:])):
        means = layered_mean_field(model, params, layers, n_sweeps=500, tol=1e-12)
        assert means.converged.all()
        assert_fixed_point(model, params, layers, means)


def torn(oracle, model, n_rows=6):
    """Rows with NaN for single units, for whole layers, and for all; groups are unknown as a whole."""
    v, rng, at = rows_of(oracle, n_rows), np.random.default_rng(1), 0
    for k in model.shown:
        layer = model.layers[k]
        groups = layer.unit.states is None and not layer.unit.has_scale
        free = rng.random((n_rows, 1 if groups else layer.size)) < 0.5
        v[:, at : at + layer.size][np.broadcast_to(free, (n_rows, layer.size))] = np.nan
        at += layer.size
    v[0, : model.layers[model.shown[0]].size] = np.nan
    v[1] = np.nan
    v[2] = rows_of(oracle, 3)[2]
    return v


@pytest.mark.parametrize("name", GRAPHS)
def test_single_unknown_units_are_units_of_the_mean_field(name):
    oracle, model, params = both(name, scale=0.5)
    v = torn(oracle, model)
    known = model.split(v)
    means = incomplete_mean_field(model, params, known, n_sweeps=500, tol=1e-12)
    assert means.converged.all()
    assert_fixed_point(model, params, known, means)
    bounds = layered_bound(model, params, known, means)
    for i, row in enumerate(v):
        alone = model.split(row[np.newaxis])
        one = incomplete_mean_field(model, params, alone, n_sweeps=500, tol=1e-12)
        for a, b in zip(means.statistics, one.statistics, strict=True):
            np.testing.assert_allclose(a[i], b[0], rtol=0, atol=1e-12)
        # The bound is one of the sum over all that the row leaves open, and near to it: the weights are small.
        exact = gaps(model, params, np.isnan(row)).sums(row[np.newaxis]).log_weights[0]
        assert exact - 1 < bounds[i] <= exact + 1e-10
    some = layered_bound(
        model, params, known, incomplete_mean_field(model, params, known, n_sweeps=1)
    )
    assert (some <= bounds + 1e-10).all() and (some < bounds).any()


def test_the_bound_of_known_units_alone_is_their_energy_by_enumeration():
    """Without weights, units are independent: the bound is exact, and that of an oracle."""
    oracle, model, params = both("modalities", scale=0.0)
    v = torn(oracle, model)
    known = model.split(v)
    means = incomplete_mean_field(model, params, known)
    found = layered_bound(model, params, known, means)
    for row, value in zip(v, found, strict=True):
        assert value == pytest.approx(log_sum_of_units(oracle, row), rel=0, abs=1e-9)


def log_sum_of_units(oracle, row):
    """Log of the sum of exp(-U) over the units that are NaN, one by one, real ones being integrated."""
    total, at = 0.0, 0
    for layer in oracle.layers:
        n = len(layer.bias)
        x = row[at : at + n] if layer.visible else np.full(n, np.nan)
        at += n if layer.visible else 0
        for i in range(n):
            if layer.kind == "gaussian":
                variance = np.exp(layer.z[i])
                total += (
                    np.log(2 * np.pi * variance) / 2
                    if np.isnan(x[i])
                    else -((x[i] - layer.bias[i]) ** 2) / (2 * variance)
                )
                continue
            states = {"bernoulli": (0, 1), "spin": (-1, 1)}[layer.kind]
            values = states if np.isnan(x[i]) else x[i : i + 1]
            total += np.logaddexp.reduce([layer.bias[i] * value for value in values])
    return total
