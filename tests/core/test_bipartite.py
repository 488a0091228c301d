"""ebm.energies: energies, free energies and conditionals of two joined layers."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._flat import in_double
from ebm._random import Key
from ebm.energies.base import DataSummary
from ebm.energies.bipartite import Bipartite
from ebm.energies.states import BLOCK, enumerable_side, state_blocks
from ebm.likelihood import log_partition
from ebm.units import Bernoulli, Gaussian
from tests.checks import assert_energy, assert_free_energy
from tests.models import (
    PAIRS,
    hidden_rows_for,
    library_model,
    library_params,
    oracle_model,
    oracle_params,
    rows_for,
    zero_params,
)
from tests.oracles import draws, known_answers, rbm

KEY = Key(9, 10)
BETAS = [0.3, 1.0, 2.5]


def both(pair, shape=(4, 3)):
    model = oracle_model(*pair, shape)
    return model, library_model(model), library_params(model)


# Energies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS)
def test_energy_is_the_oracles(pair):
    model, library, params = both(pair)
    v, h = rows_for(model, 6), hidden_rows_for(model, 6)
    assert_energy(lambda V, H: library.energy(params, V, H), model, v, h)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("pair", PAIRS)
def test_free_energy_sums_the_hidden_layer_out(pair, beta):
    model, library, params = both(pair)
    assert_free_energy(
        lambda V: library.free_energy(params, V, beta), model, rows_for(model, 6), beta
    )


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("pair", PAIRS)
def test_conditional_means_are_the_oracles(pair, beta):
    model, library, params = both(pair)
    v, h = rows_for(model, 6), hidden_rows_for(model, 6)
    up = [rbm.hidden_moments(model, row, beta)[0] for row in v]
    down = [rbm.visible_moments(model, row, beta)[0] for row in h]
    np.testing.assert_allclose(library.hidden_mean(params, v, beta), up, rtol=1e-12)
    np.testing.assert_allclose(library.visible_mean(params, h, beta), down, rtol=1e-12)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("pair", PAIRS)
def test_conditional_draws_are_the_oracles_on_the_same_random_numbers(pair, beta):
    model, library, params = both(pair)
    v, h = rows_for(model, 6), hidden_rows_for(model, 6)
    up = library.sample_hidden(params, v, KEY, beta)
    down = library.sample_visible(params, h, KEY, beta)
    np.testing.assert_allclose(up, draws.hidden(model, v, KEY, beta), rtol=0, atol=1e-12)
    np.testing.assert_allclose(down, draws.visible(model, h, KEY, beta), rtol=0, atol=1e-12)


@pytest.mark.parametrize("pair", PAIRS)
def test_single_precision_energies_are_the_rounded_ones(pair):
    model, library, params = both(pair)
    single = library_params(model, np.float32)
    v, h = rows_for(model, 6), hidden_rows_for(model, 6)
    v32, h32 = v.astype(np.float32), h.astype(np.float32)
    np.testing.assert_allclose(
        library.energy(single, v32, h32), library.energy(params, v, h), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        library.free_energy(single, v32), library.free_energy(params, v), rtol=1e-5, atol=1e-5
    )
    assert library.free_energy(single, v32).dtype == np.float64
    assert library.hidden_mean(single, v32).dtype == np.float32
    assert library.visible_mean(single, h32).dtype == np.float32


@pytest.mark.parametrize(("v", "h", "expected"), known_answers.GAUSSIAN_RBM_2_2_ENERGIES)
def test_known_energies(v, h, expected):
    model = known_answers.GAUSSIAN_RBM_2_2
    value = library_model(model).energy(library_params(model), v[np.newaxis], h[np.newaxis])
    assert value[0] == pytest.approx(expected, abs=1e-8)


# The same law in other words ---------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS)
def test_swapping_the_layers_transposes_the_weights(pair):
    model, library, params = both(pair)
    other, swapped = library.swapped(params)
    v, h = rows_for(model, 5), hidden_rows_for(model, 5)
    assert (other.visible, other.hidden) == (library.hidden, library.visible)
    np.testing.assert_allclose(
        other.energy(swapped, h, v), library.energy(params, v, h), rtol=1e-13, atol=1e-13
    )
    np.testing.assert_allclose(
        other.hidden_mean(swapped, h), library.visible_mean(params, h), rtol=1e-13
    )
    assert log_partition(other, swapped).value == pytest.approx(
        log_partition(library, params).value, rel=1e-13
    )


@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
def test_translation_gives_the_law_of_the_shifted_rows(hidden):
    model, library, params = both(("gaussian", hidden))
    shift = np.random.default_rng(3).normal(size=4)
    moved = library.translated(params, shift)
    v = rows_for(model, 6)

    def log_density(params, v):
        return -library.free_energy(params, v) - log_partition(library, params).value

    np.testing.assert_allclose(
        log_density(moved, v + shift), log_density(params, v), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(
        library.hidden_mean(moved, v + shift), library.hidden_mean(params, v), rtol=1e-12
    )
    back = library.translated(moved, -shift)
    np.testing.assert_allclose(library.pack(back), library.pack(params), atol=1e-13)
    assert moved.W is params.W


@pytest.mark.parametrize("pair", PAIRS)
def test_permuting_hidden_units_leaves_free_energies(pair):
    model, library, params = both(pair)
    order = np.array([2, 0, 1])
    hidden = type(params.hidden)(*(x[order] for x in params.hidden))
    permuted = params._replace(W=np.ascontiguousarray(params.W[:, order]), hidden=hidden)
    v = rows_for(model, 5)
    np.testing.assert_allclose(
        library.free_energy(permuted, v), library.free_energy(params, v), rtol=1e-13
    )


# One flat vector -----------------------------------------------------------------------------


@pytest.mark.parametrize("pair", PAIRS)
def test_unpacking_gives_views_and_packing_gives_a_copy(pair):
    _, library, params = both(pair)
    size = len(library.pack(params))
    vector = np.arange(size, dtype=float)
    views = library.unpack(vector, 4, 3)
    arrays = [views.W, *views.visible, *views.hidden]
    assert all(np.shares_memory(x, vector) and x.flags.c_contiguous for x in arrays)
    assert sum(x.size for x in arrays) == size
    packed = library.pack(views)
    np.testing.assert_array_equal(packed, vector)
    assert not np.shares_memory(packed, vector)
    np.testing.assert_array_equal(vector[:12].reshape(4, 3), views.W)
    views.visible.bias[0] = -1
    assert vector[12] == -1
    np.testing.assert_array_equal(
        library.pack(library.unpack(library.pack(params), 4, 3)), library.pack(params)
    )


def test_doubles_are_contiguous_copies_of_singles():
    model, library, _ = both(PAIRS[1])
    single = library_params(model, np.float32)
    double = in_double(library.swapped(single)[1])
    assert double.W.flags.c_contiguous
    for x, y in zip(oracle_double(double), oracle_double(library.swapped(single)[1]), strict=True):
        assert x.dtype == np.float64
        np.testing.assert_array_equal(x, y)


def oracle_double(params):
    return [x for x in vars(oracle_params(params)).values() if x is not None]


# The start -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pair", PAIRS)
def test_a_model_starts_near_independent_units_with_the_datas_moments(pair, dtype):
    _, library, _ = both(pair)
    mean, variance = np.array([0.2, 0.5, 0.7, 0.4], dtype), np.full(4, 0.25, dtype)
    params = library.initial(DataSummary(mean, variance, 1000.0), 3, KEY)
    assert {x.dtype for x in (params.W, *params.visible, *params.hidden)} == {np.dtype(dtype)}
    assert params.W.shape == (4, 3) and 0 < np.abs(params.W).max() < 0.5
    assert not any(x.any() for x in params.hidden)
    at_rest = library.visible_mean(params, np.zeros((1, 3), dtype))[0]
    np.testing.assert_allclose(at_rest, mean, atol=2e-3)


@pytest.mark.parametrize("pair", PAIRS)
def test_initial_weights_have_a_third_of_glorots_deviation_in_the_units_of_the_data(pair):
    _, library, _ = both(pair)
    params = library.initial(DataSummary(np.full(60, 0.5), np.full(60, 0.25), 1000.0), 40, KEY)
    scale = 1.0 if pair[0] == "bernoulli" else 0.5
    spread = params.W.std() / (scale * np.sqrt(2 / 100) / 3)
    assert abs(spread - 1) < 5 / np.sqrt(2 * 2400)


def test_initial_weights_of_gaussian_units_scale_with_the_data():
    """v has the law of data in metres, 1000 v that of data in millimetres: so have the weights."""
    library = Bipartite(Gaussian(), Bernoulli())
    mean, variance = np.zeros(4), np.array([1.0, 2.0, 3.0, 4.0])
    metres = library.initial(DataSummary(mean, variance, 100.0), 3, KEY)
    millimetres = library.initial(DataSummary(mean, 1e6 * variance, 100.0), 3, KEY)
    np.testing.assert_allclose(millimetres.W, 1000 * metres.W, rtol=1e-12)


# States --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_units", [1, 3, 12])
def test_state_blocks_hold_every_state_once(n_units):
    blocks = list(state_blocks((0.0, 1.0), n_units))
    assert all(len(block) <= BLOCK for block in blocks)
    index = rbm.state_index(np.concatenate(blocks))
    np.testing.assert_array_equal(np.sort(index), np.arange(2**n_units))


def test_the_smaller_two_state_layer_is_enumerated():
    types = {
        (Bernoulli(), Bernoulli()): {(3, 5): "visible", (5, 3): "hidden"},
        (Gaussian(), Bernoulli()): {(3, 5): "hidden"},
        (Bernoulli(), Gaussian()): {(5, 3): "visible"},
    }
    for (visible, hidden), answers in types.items():
        model = Bipartite(visible, hidden)
        for shape, side in answers.items():
            params = zero_params(model, *shape)
            assert enumerable_side(model, params, 5) == side
    with pytest.raises(ValueError, match="at most 4 two-state units; the smallest has 5"):
        enumerable_side(model, zero_params(model, 5, 3), 4)
    model = Bipartite(Gaussian(), Gaussian())
    with pytest.raises(ValueError, match="there is none"):
        enumerable_side(model, zero_params(model, 2, 2), 25)
