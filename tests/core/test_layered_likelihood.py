"""ebm.likelihood of layered models: exact values, estimates beside them, and the bound that the modes make."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key, stream
from ebm.energies.base import DataSummary
from ebm.energies.edges import Edge
from ebm.energies.layer_graph import Layer
from ebm.energies.layers import LayeredModel
from ebm.likelihood import AIS, log_likelihood, log_partition
from ebm.likelihood.modes import lower_bound
from ebm.samplers import Gibbs, Target, Tempering, run_chain
from ebm.units import Bernoulli
from tests.models.layers import GRAPHS, both, rows_of
from tests.oracles import layers as oracles


@pytest.mark.parametrize("name", GRAPHS)
def test_log_likelihoods_are_those_of_the_definition(name):
    oracle, model, params = both(name)
    v = rows_of(oracle, 3)
    expected = [oracles.log_likelihood(oracle, row) for row in v]
    for method in ("auto", "exact"):
        found, errors, z = log_likelihood(model, params, v, method)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)
        assert not errors.any()
        assert z.method == "exact"


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", GRAPHS)
def test_estimates_of_log_z_enclose_it(name):
    _, model, params = both(name)
    exact = log_partition(model, params, "exact").value
    found = log_partition(model, params, AIS(n_temperatures=200, n_runs=200))
    assert found.method == "ais"
    assert abs(found.value - exact) < 6 * found.standard_error + 0.01
    assert not found.doubt


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", GRAPHS)
def test_the_modes_bound_log_z(name):
    oracle, model, params = both(name, scale=1.5)
    exact = log_partition(model, params, "exact").value
    bound = lower_bound(model, params)
    assert exact - 1.5 < bound <= exact + 1e-9
    assert lower_bound(model, params, rows_of(oracle)) <= exact + 1e-9


@pytest.mark.needs_jit
def test_large_models_are_estimated_unasked():
    layers = [Layer("v", Bernoulli(), 40, visible=True), Layer("h", Bernoulli(), 30)]
    model = LayeredModel(layers, [Edge("v", "h")])
    params = model.initial(DataSummary(np.full(40, 0.5), np.ones(40), 10), 1, stream(0, "init"))
    assert log_partition(model, params).method == "ais"


def test_replicas_of_visible_layers_of_both_colors_are_refused():
    """They exchange the states of one color: those of the others would stay behind."""
    oracle, model, params = both("labels")
    x = rows_of(oracle, 4)
    with pytest.raises(ValueError, match=r"visible layers of the model have both colors.*Gibbs"):
        Tempering(n_temperatures=3).draw(Target(model, params), x, Key(0, 1), 8)
    assert Gibbs().draw(Target(model, params), x, Key(0, 1), 8).v.shape == x.shape


@pytest.mark.parametrize("sampler", [Gibbs(), Tempering(n_temperatures=3)], ids=repr)
def test_conditionals_of_no_energy_have_no_samples(sampler):
    """The chain of the two conditional distributions can be walked; it is no sampler of a distribution."""
    layers = [Layer("v", Bernoulli(), 3, visible=True), Layer("h", Bernoulli(), 2)]
    model = LayeredModel(layers, [Edge("v", "h", multiplicity=(1, 2))])
    params = model.initial(DataSummary(np.full(3, 0.5), np.ones(3), 10), 1, stream(0, "init"))
    x = np.zeros((4, 3))
    with pytest.raises(
        ValueError, match=r"multiplicity \(1, 2\).*no joint distribution with samples"
    ):
        sampler.draw(Target(model, params), x, Key(0, 1), 8)
    assert run_chain(model, params, x, Key(0, 1), 8).shape == x.shape


@pytest.mark.needs_jit
@pytest.mark.parametrize("sampler", [Gibbs(), Tempering(n_temperatures=3)], ids=repr)
@pytest.mark.parametrize("name", ["mixed", "chain"])
def test_samplers_draw_from_layered_models(name, sampler):
    oracle, model, params = both(name)
    x = np.hstack([rows_of(oracle, 6), np.zeros((6, sum(model.chain.sizes[len(model.shown) :])))])
    draws = sampler.draw(Target(model, params), x, Key(0, 1), 12)
    assert draws.v.shape == x.shape
    assert not model.chain.impossible(draws.v)
    assert np.isfinite(draws.trace).all()
