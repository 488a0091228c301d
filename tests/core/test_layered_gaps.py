"""ebm.energies.layered_gaps: rows with unknown entries, against sums over all of these."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from ebm._random import Key
from ebm.energies.base import DataSummary
from ebm.energies.edges import Edge
from ebm.energies.incomplete import conditioned, gaps
from ebm.energies.layer_graph import Layer
from ebm.energies.layer_sums import layered_free_energy, layered_log_z
from ebm.energies.layers import LayeredModel
from ebm.likelihood import log_likelihood
from ebm.samplers.expectation import sampled_expectation
from ebm.units import Bernoulli
from tests.models.layers import GRAPHS, both, rows_of


def visible_states(model):
    """All states of the visible layers, which must be discrete but for real ones that are all known."""
    parts = []
    for k in model.shown:
        layer = model.layers[k]
        n = layer.size
        if layer.unit.states is None:
            parts.append([tuple(row) for row in np.eye(n)])
        else:
            parts.append(list(itertools.product(layer.unit.states, repeat=n)))
    return np.array([np.concatenate(x) for x in itertools.product(*parts)])


def gaps_of(model, v, seed):
    """Which entries of the first row are unknown: some discrete ones, groups as a whole."""
    rng, unknown, at = np.random.default_rng(seed), [], 0
    for k in model.shown:
        layer = model.layers[k]
        if layer.unit.has_scale:
            unknown.append(np.zeros(layer.size, bool))
        elif layer.unit.states is None:
            unknown.append(np.full(layer.size, rng.random() < 0.5))
        else:
            unknown.append(rng.random(layer.size) < 0.5)
        at += layer.size
    return np.concatenate(unknown)


@pytest.mark.parametrize("beta", [0.7, 1.0])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", GRAPHS)
def test_what_is_unknown_is_summed_out(name, seed, beta):
    oracle, model, params = both(name)
    v = rows_of(oracle, 3)
    real = np.concatenate(
        [np.full(model.layers[k].size, model.layers[k].unit.has_scale) for k in model.shown]
    )
    unknown = gaps_of(model, v, seed)
    every = visible_states(model)
    logs, means = [], []
    for row in v:
        states = np.unique(np.where(real, row, every), axis=0)
        states = states[(states[:, ~unknown] == row[~unknown]).all(axis=1)]
        log_p = -beta * layered_free_energy(model, params, states, beta)
        logs.append(np.logaddexp.reduce(log_p))
        means.append(np.exp(log_p - logs[-1]) @ states)
    found = gaps(model, params, unknown, beta).sums(np.where(unknown, np.nan, v))
    np.testing.assert_allclose(found.log_weights, logs, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.means, means, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", GRAPHS)
def test_a_row_leaves_a_machine_whose_log_z_is_its_free_energy(name, seed):
    oracle, model, params = both(name)
    v = rows_of(oracle, 1)
    unknown = gaps_of(model, v, seed)
    row = np.where(unknown, np.nan, v[0])
    rest = conditioned(model, params, row)
    expected = gaps(model, params, unknown).sums(row[np.newaxis]).log_weights[0]
    found = layered_log_z(rest.model, rest.params) + rest.log_constant
    assert found == pytest.approx(expected, rel=0, abs=1e-9)


def test_real_units_are_integrated_out():
    oracle, model, params = both("mixed")
    v = rows_of(oracle, 2)
    v[:, -1] = np.nan
    log_p, errors, _ = log_likelihood(model, params, v)
    grid = np.linspace(-12, 12, 4001)
    for row, found in zip(v, log_p, strict=True):
        rows = np.repeat(row[np.newaxis], len(grid), axis=0)
        rows[:, -1] = grid
        density = np.exp(-layered_free_energy(model, params, rows) - layered_log_z(model, params))
        assert found == pytest.approx(np.log(np.trapezoid(density, grid)), rel=0, abs=1e-8)
    assert not errors.any()


def test_gaps_that_take_too_long_have_no_exact_sums():

    layers = [Layer("v", Bernoulli(), 30, visible=True), Layer("h", Bernoulli(), 30)]
    model = LayeredModel(layers, [Edge("v", "h")])
    params = model.initial(DataSummary(np.zeros(30), np.ones(30), 10), 1, Key(0, 0))
    assert gaps(model, params, np.ones(30, bool)) is None
    assert gaps(model, params, np.arange(30) < 10) is not None


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", GRAPHS)
def test_expectations_by_chains_are_the_exact_ones(name):
    oracle, model, params = both(name, scale=0.5)
    v = rows_of(oracle, 3)
    unknown = gaps_of(model, v, 0)
    given = np.where(unknown, np.nan, v)
    rest = sum(model.chain.sizes) - v.shape[1]
    whole = np.hstack([given, np.full((3, rest), np.nan)])
    start = model.chain.sample(
        tuple(params.layers[k] for k in model.walked), np.zeros_like(whole), Key(1, 2)
    )
    found = sampled_expectation(model, params, whole, start, Key(3, 4), 2000)
    assert found.agreed.all()
    exact = gaps(model, params, unknown).sums(given).means
    mean, error = (x[:, : v.shape[1]] for x in (found.mean, found.standard_error))
    np.testing.assert_array_equal(mean[:, ~unknown], v[:, ~unknown])
    # Eight chains give a poor estimate of their spread: Student's law with seven degrees of freedom.
    assert (np.abs(mean - exact) <= stats.t(7).isf(1e-7) * error + 1e-12).all()
