"""ebm.energies.path: the law at every t is that of the mixed energies, and the step leaves it alone."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key
from ebm.energies.path import data_base, model_base
from ebm.units import Bernoulli, Gaussian
from tests.models import (
    PAIRS,
    flat,
    hidden_rows_for,
    library_model,
    library_params,
    library_path,
    oracle_model,
    oracle_params,
    path_of,
    rows_for,
)
from tests.oracles import annealing, draws, rbm
from tests.oracles.data import sample_states
from tests.statistics import assert_same_distribution, assert_same_mean, state_counts

KEY = Key(7, 8)
TS = [0.0, 0.3, 1.0]
SHAPE = (4, 3)
every_pair = pytest.mark.parametrize("pair", PAIRS, ids="-".join)
every_t = pytest.mark.parametrize("t", TS)


# Own laws ------------------------------------------------------------------------------------


def own_laws(unit, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [unit.parameters(*rng.normal(size=(len(unit.fields), 5)).astype(dtype)) for _ in "ab"]


@every_t
@pytest.mark.parametrize("unit", [Bernoulli(), Gaussian()], ids=repr)
def test_energies_between_two_laws_are_the_mixed_ones(unit, t):
    first, last = own_laws(unit)
    own, ratio, constant = unit.between(first, last, t)
    x = np.random.default_rng(1).normal(size=(6, 5))
    mixed = (1 - t) * unit.energy(first, x) + t * unit.energy(last, x)
    np.testing.assert_allclose(unit.energy(own, x) + constant, mixed, rtol=1e-13)
    scaled = unit.statistic(own, x) * (1.0 if ratio is None else ratio)
    np.testing.assert_allclose(scaled, unit.statistic(last, x), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", [Bernoulli(), Gaussian()], ids=repr)
def test_difference_of_two_energies(unit, dtype):
    first, last = own_laws(unit, dtype)
    x = np.random.default_rng(1).normal(size=(6, 5)).astype(dtype)
    difference = unit.energy_difference(first, last, x)
    assert difference.dtype == np.float64
    expected = unit.energy(last, x) - unit.energy(first, x)
    np.testing.assert_allclose(difference, expected, atol=20 * np.finfo(dtype).eps * 10)


@pytest.mark.parametrize("beta", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("unit", [Bernoulli(), Gaussian()], ids=repr)
def test_tempered_energies_are_multiplied(unit, beta):
    own, _ = own_laws(unit)
    tempered, factor = unit.tempered(own, beta)
    x = np.random.default_rng(1).normal(size=(6, 5))
    np.testing.assert_allclose(unit.energy(tempered, x), beta * unit.energy(own, x), rtol=1e-13)
    grown = factor * unit.statistic(own, x)
    np.testing.assert_allclose(unit.statistic(tempered, x), grown, rtol=1e-13)


@pytest.mark.parametrize("beta", [0.4, 1.0, 2.5])
@every_pair
def test_a_tempered_model_has_the_energy_times_beta(pair, beta):
    model = oracle_model(*pair)
    library = library_model(model)
    hot = oracle_params(library.tempered(library_params(model), beta))
    for v, h in zip(rows_for(model, 5), hidden_rows_for(model, 5), strict=True):
        expected = beta * rbm.energy(model, v, h)
        assert rbm.energy(hot, v, h) == pytest.approx(expected, rel=1e-12, abs=1e-12)
        assert rbm.free_energy(hot, v) == pytest.approx(beta * rbm.free_energy(model, v, beta))
    assert rbm.log_partition(hot) == pytest.approx(rbm.log_partition(model, beta), abs=1e-11)


@pytest.mark.parametrize("pair", PAIRS[:1] + PAIRS[2:3], ids="-".join)
def test_a_tempered_model_has_the_law_at_beta(pair):
    model = oracle_model(*pair, SHAPE)
    hot = oracle_params(library_model(model).tempered(library_params(model), 0.6))
    expected = rbm.visible_probabilities(model, 0.6)
    np.testing.assert_allclose(rbm.visible_probabilities(hot), expected, rtol=1e-12)


# The path ------------------------------------------------------------------------------------


@every_pair
def test_log_z_at_the_start_is_that_of_the_product_law(pair):
    path = path_of(pair, SHAPE)
    assert library_path(path).log_z == pytest.approx(rbm.log_partition(path.base), abs=1e-12)


@every_t
@every_pair
def test_stages_are_the_models_on_the_way(pair, t):
    """Own parameters, weights as factors of the inputs, and the constant of the hidden law."""
    path = path_of(pair, SHAPE)
    model, _ = annealing.at(path, t)
    stage = library_path(path).stage(t)
    own = oracle_params((path.model.W, stage.visible, stage.hidden))
    np.testing.assert_allclose(own.b, model.b, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(own.c, model.c, rtol=1e-12, atol=1e-14)
    # f_h = W's of the target, scaled: with s_t = s_1 / ratio on the other side.
    v = rows_for(path.model, 5)
    target = np.array([rbm.interaction(row, path.model.z) @ path.model.W for row in v])
    expected = np.array([rbm.interaction(row, model.z) @ model.W for row in v])
    np.testing.assert_allclose(target * stage.hidden_factors, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("steps", [(0.0, 0.2), (0.3, 0.7), (0.9, 1.0), (0.0, 1.0), (0.8, 0.1)])
@every_pair
def test_gain_is_the_fall_of_the_free_energy(pair, steps, dtype):
    path = path_of(pair, SHAPE)
    ours, v = library_path(path, dtype), rows_for(path.model, 7)
    x = v.astype(dtype)
    gain = ours.gain(x, ours.inputs(x), *map(ours.stage, steps))
    assert gain.dtype == np.float64
    first, last = ([annealing.free_energy(path, row, t) for row in v] for t in steps)
    tolerance = 1e-11 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(gain, np.subtract(first, last), rtol=tolerance, atol=tolerance)


@every_pair
def test_energy_is_the_free_energy_of_the_model(pair):
    path = path_of(pair, SHAPE)
    ours, v = library_path(path), rows_for(path.model, 7)
    expected = [rbm.free_energy(path.model, row) for row in v]
    np.testing.assert_allclose(ours.energy(v, ours.inputs(v)), expected, rtol=1e-12, atol=1e-12)


@every_pair
def test_start_equals_its_twin_on_the_same_random_numbers(pair):
    path = path_of(pair, SHAPE)
    v = library_path(path).start(9, KEY)
    expected = draws.visible(path.base, np.zeros((9, 3)), KEY)
    np.testing.assert_allclose(v, expected, rtol=0, atol=1e-10)
    later = library_path(path).start(4, KEY, first_row=5)
    np.testing.assert_array_equal(later, v[5:])


def moved(path, v, t, key=KEY):
    model, _ = annealing.at(path, t)
    return draws.visible(model, draws.hidden(model, v, draws.fold(key, 0)), draws.fold(key, 1))


@every_t
@every_pair
def test_move_equals_its_twin_on_the_same_random_numbers(pair, t):
    path = path_of(pair, SHAPE)
    ours, v = library_path(path), rows_for(path.model, 6)
    inputs = ours.inputs(v)
    before = inputs.copy()
    new = ours.move(v, inputs, [ours.stage(t)], KEY)
    np.testing.assert_allclose(new, moved(path, v, t), rtol=0, atol=1e-10)
    np.testing.assert_array_equal(inputs, before)
    part = ours.move(v[2:], inputs[2:], [ours.stage(t)], KEY, first_row=2)
    np.testing.assert_allclose(part, new[2:], rtol=0, atol=1e-12)


@every_pair
def test_rows_move_at_the_stages_they_belong_to(pair):
    path = path_of(pair, SHAPE)
    ours, v = library_path(path), rows_for(path.model, 6)
    new = ours.move(v, ours.inputs(v), [ours.stage(t) for t in TS], KEY)
    for r, t in enumerate(TS):
        rows = slice(2 * r, 2 * r + 2)
        np.testing.assert_allclose(new[rows], moved(path, v, t)[rows], rtol=0, atol=1e-10)


@every_pair
def test_clamped_entries_move_nowhere(pair):
    path = path_of(pair, SHAPE)
    ours, v = library_path(path), rows_for(path.model, 6)
    given = np.full(v.shape, np.nan)
    given[:, 1], given[::2, 3] = v[:, 0], -0.0
    new = ours.move(v, ours.inputs(v), [ours.stage(0.3)], KEY, given=given)
    known = ~np.isnan(given)
    assert new[known].tobytes() == given[known].tobytes()
    np.testing.assert_allclose(new[~known], moved(path, v, 0.3)[~known], rtol=0, atol=1e-10)


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_t
@pytest.mark.parametrize("pair", [PAIRS[0], PAIRS[2]], ids="-".join)
def test_a_move_has_the_enumerated_row_and_leaves_the_law(pair, t, dtype):
    path, n = path_of(pair), 40_000
    table, ours = annealing.tabulate(path), library_path(path, dtype)
    law, T = annealing.visible_law(table, t), annealing.transition(table, t)
    for start, expected in ((np.eye(len(law))[5], T[5]), (law, law)):
        x = sample_states(start, n, np.random.default_rng(6)).astype(dtype)
        new = ours.move(x, ours.inputs(x), [ours.stage(t)], KEY)
        assert new.dtype == dtype
        assert_same_distribution(state_counts(new.astype(int)), expected)


@pytest.mark.needs_jit
@every_t
def test_a_move_leaves_the_moments_of_two_gaussian_layers(t):
    """From exact draws of (v, h), means and second moments of v stay."""
    path, n = path_of(PAIRS[3]), 40_000
    (mean,), deviation = annealing.marginal_moments(path, t)
    v = mean + deviation * np.random.default_rng(2).normal(size=(n, 1))
    ours = library_path(path)
    new = ours.move(v, ours.inputs(v), [ours.stage(t)], KEY)
    assert_same_mean(new, [mean])
    assert_same_mean((new - mean) ** 2, [deviation**2])


# Bases ---------------------------------------------------------------------------------------


@pytest.mark.needs_jit
@every_pair
def test_the_base_of_data_has_their_moments(pair):
    model = oracle_model(*pair)
    library, params, X = library_model(model), library_params(model), rows_for(model, 5000)
    visible, hidden = data_base(library, params, X.mean(axis=0), X.var(axis=0), len(X))
    zero = np.zeros((1, 4))
    np.testing.assert_allclose(library.visible.mean(visible, zero)[0], X.mean(axis=0), atol=1e-3)
    if model.z is not None:
        np.testing.assert_allclose(np.exp(visible.log_variance), X.var(axis=0), rtol=1e-12)
    assert not hidden.bias.any()


def test_the_base_keeps_a_given_variance_where_the_data_have_none():
    model = oracle_model("gaussian", "bernoulli", (2, 2))
    library, params = library_model(model), library_params(model)
    library = type(library)(Gaussian(variance=[0.5, 2.0]), library.hidden)
    visible, _ = data_base(library, params, np.zeros(2), np.array([0.0, 3.0]), 10.0)
    expected = [np.exp(model.z[0]), 3.0]
    np.testing.assert_allclose(np.exp(visible.log_variance), expected, rtol=1e-12)


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_pair
def test_the_base_of_a_model_is_about_its_marginals_and_always_the_same(pair, dtype):
    model = oracle_model(*pair, scale=0.5)
    library, params = library_model(model), library_params(model, dtype)
    before = library.pack(params)
    visible, hidden = model_base(library, params)
    assert {x.dtype for x in (*visible, *hidden)} == {np.dtype(dtype)}
    for a, b in zip((*visible, *hidden), sum(model_base(library, params), ()), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(library.pack(params), before)
    if pair == PAIRS[0]:
        means = library.visible.mean(visible, np.zeros((1, 4), dtype))[0]
        expected = rbm.visible_probabilities(model) @ rbm.all_states(4)
        np.testing.assert_allclose(means, expected, atol=5 * 0.5 / np.sqrt(256))


@pytest.mark.needs_jit
def test_a_base_without_a_spread_of_its_own_is_still_the_path_of_the_oracle():
    """From the base that the library makes."""
    model = oracle_model("gaussian", "bernoulli")
    library, params = library_model(model), library_params(model)
    visible, hidden = model_base(library, params)
    base = annealing.product_law(visible.bias, hidden.bias, visible.log_variance)
    path = annealing.Path(base, model)
    ours, v = library_path(path), rows_for(model, 4)
    expected = [annealing.free_energy(path, row, 0.5) for row in v]
    gain = ours.gain(v, ours.inputs(v), ours.stage(0.5), ours.stage(1.0))
    np.testing.assert_allclose(ours.energy(v, ours.inputs(v)) + gain, expected, rtol=1e-12)
    assert np.isfinite(flat(base)).all()
