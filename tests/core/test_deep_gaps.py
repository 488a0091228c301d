"""Deep machines learn from rows with missing entries: the exact gradient, the law of the chains, and their averages."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from ebm._gaps import RowsWithGaps, start_at_model, swept
from ebm._random import Key, fold
from ebm.energies.incomplete import gaps, patterns
from ebm.energies.layer_sums import layered_log_z
from ebm.gradients.base import Batch
from ebm.gradients.layered import BoundLayeredExact
from ebm.samplers.base import first_states
from ebm.units import Gaussian
from tests.checks.deep_gaps import assert_chains_of_gaps, torn_rows
from tests.checks.layers import along, offsets_of, slopes, zeros_like
from tests.models.layers import both
from tests.oracles import layers as oracles
from tests.statistics import assert_same_mean

KEY = Key(5, 6)
DEEP = ["chain", "unequal depths"]


@pytest.mark.parametrize("name", [*DEEP, "modalities"])
def test_the_exact_gradient_is_the_slope_of_the_likelihood_of_what_is_known(name):
    oracle, model, params = both(name)
    v = torn_rows(oracle)

    def function(theta):
        total = 0.0
        for unknown, some in patterns(v):
            total += gaps(model, theta, unknown).sums(v[some]).log_weights.sum()
        return total / len(v) - layered_log_z(model, theta)

    gradient = zeros_like(params)
    BoundLayeredExact(model, gradient, 4, 0.0)(params, Batch(v), offsets_of(model, params), KEY)
    expected = slopes(function, model, params)
    np.testing.assert_allclose(along(gradient, model, params), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", DEEP)
def test_what_the_gradient_climbs_is_the_sum_of_an_oracle(name):
    """One bias and one weight, by differences of sums over all states."""
    oracle, model, params = both(name)
    row = torn_rows(oracle)[:1]
    gradient = zeros_like(params)
    BoundLayeredExact(model, gradient, 1, 0.0)(params, Batch(row), offsets_of(model, params), KEY)

    def log_p():
        at, open_layers = 0, []
        for k, layer in enumerate(oracle.layers):
            if layer.visible:
                part = row[0, at : at + len(layer.bias)]
                at += len(layer.bias)
                states = [(0.0, 1.0) if np.isnan(x) else (x,) for x in part]
                open_layers.append((k, np.array(np.meshgrid(*states)).reshape(len(part), -1).T))
        (first, states), *rest = open_layers
        others = {k: tuple(x[0]) for k, x in rest}
        logs = [oracles.log_sum(oracle, {first: tuple(x), **others}) for x in states]
        return np.logaddexp.reduce(logs) - oracles.log_sum(oracle)

    step = 1e-5
    bias, W = oracle.layers[0].bias, oracle.edges[0][2]
    for x, found in ((bias, gradient.layers[0].bias), (W, gradient.weights[0])):
        place = (1,) if x.ndim == 1 else (1, 0)
        values = []
        for sign in (1, -1):
            x[place] += sign * step
            values.append(log_p())
            x[place] -= sign * step
        assert found[place] == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-7)


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", DEEP)
def test_chains_kept_from_visit_to_visit_follow_the_joint_law_of_what_is_missing(name):
    assert_chains_of_gaps(name)


def test_first_states_are_states_of_layers_of_either_color():
    _, model, params = both("unequal depths")
    x = first_states(model, params, None, 500, KEY)
    assert x.shape == (500, sum(model.chain.sizes))
    for k, part in model.split(x).items():
        assert np.isin(part, model.layers[k].unit.states).all()
        assert (part.std(axis=0) > 0).all()


@pytest.mark.needs_jit
def test_the_origin_of_real_rows_is_not_that_of_the_layers_beside():
    """Rows measured from an origin: the same chains as without, at the machine of the translated rows."""
    oracle, model, params = both("modalities")
    assert any(isinstance(model.layers[k].unit, Gaussian) for k in model.shown)
    v = torn_rows(oracle)
    mean = np.array([0.5, 0.5, 3.0])
    origin = model.origin(mean)
    shifted = model.translated(params, -origin)
    n_beside = model.n_hidden_walked
    rng = np.random.default_rng(0)
    x = np.hstack([np.nan_to_num(v), rng.integers(0, 2, (4, n_beside)) * 2.0 - 1])
    given = np.hstack([v, np.full((4, n_beside), np.nan)])
    plain = swept(model, params, None, x, given, KEY, 3)
    moved = swept(model, shifted, origin, x, given, KEY, 3)
    np.testing.assert_allclose(moved, plain, rtol=0, atol=1e-9)


@pytest.mark.needs_jit
def test_averages_of_completed_rows_estimate_the_exact_gradient():
    """Of two hidden layers that are not connected to each other, whose mean field is exact."""
    oracle, model, params = both("labels")
    v = torn_rows(oracle)
    v[3, -3:] = np.nan  # a label as a whole
    exact, estimate = zeros_like(params), zeros_like(params)
    nothing = offsets_of(model, params)
    BoundLayeredExact(model, exact, 4, 0.0)(params, Batch(v), nothing, KEY)
    rows = RowsWithGaps(v)
    start_at_model(model, params, None, None, rows, KEY)
    bound = BoundLayeredExact(model, estimate, 4, 0.0)
    order, out, found = np.arange(4), np.empty(v.shape), []
    for visit in range(2000):
        key = fold(KEY, visit + 1)
        rows.visit(
            order, 0, out, lambda x, given, k=key: swept(model, params, None, x, given, k, 4)
        )
        bound(params, Batch(out), nothing, KEY)
        found.append(copy.deepcopy(estimate.weights[0]).ravel())
    assert_same_mean(np.array(found), exact.weights[0].ravel())
