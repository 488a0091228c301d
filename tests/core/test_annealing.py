"""ebm.samplers.annealing: one trajectory number by number, and what weights expect, by enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key
from ebm.samplers import anneal, anneal_back
from ebm.samplers import annealing as module
from tests.checks import assert_inverse_weights_are_unbiased, assert_weights_are_unbiased
from tests.models import PAIRS, library_path, path_of, rows_for, uneven
from tests.oracles import annealing, draws
from tests.statistics import assert_same_distribution, assert_same_mean, state_counts

KEY = Key(9, 10)
every_pair = pytest.mark.parametrize("pair", PAIRS, ids="-".join)
every_length = pytest.mark.parametrize("n_steps", [1, 3, 10])


def moved(path, v, t, key):
    model, _ = annealing.at(path, t)
    return draws.visible(model, draws.hidden(model, v, draws.fold(key, 0)), draws.fold(key, 1))


def forward_twin(path, ts, n, key):
    """The states x_0, ..., x_K of each particle on the same random numbers."""
    nothing = np.zeros((n, len(path.base.c)))
    states = [draws.visible(path.base, nothing, draws.fold(key, 0))]
    for k, t in enumerate(ts[1:], 1):
        states.append(moved(path, states[-1], t, draws.fold(key, k)))
    return np.array(states)


def backward_twin(path, ts, x, key):
    """The states x_K, ..., x_0, in the order of t."""
    states = [x]
    for k, t in enumerate(ts[:0:-1], 1):
        states.append(moved(path, states[-1], t, draws.fold(key, k)))
    return np.array(states[::-1])


def weights_of(path, ts, states):
    """Of the trajectories x_0, ..., x_{K-1} by the oracle's sum."""
    return [annealing.log_weight(path, ts, states[:-1, c]) for c in range(states.shape[1])]


@every_length
@every_pair
def test_particles_equal_their_twins_on_the_same_random_numbers(pair, n_steps):
    path, ts = path_of(pair, (4, 3)), uneven(n_steps)
    particles = anneal(library_path(path), ts, 3, KEY)
    states = forward_twin(path, ts, 3, KEY)
    np.testing.assert_allclose(particles.x, states[-1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        particles.log_weights, weights_of(path, ts, states), rtol=1e-10, atol=1e-10
    )


@every_length
@every_pair
def test_particles_on_the_way_back_equal_their_twins(pair, n_steps):
    path, ts = path_of(pair, (4, 3)), uneven(n_steps)
    x = rows_for(path.model, 3)
    before = x.copy()
    x.flags.writeable = False
    particles = anneal_back(library_path(path), ts, x, KEY)
    states = backward_twin(path, ts, x, KEY)
    np.testing.assert_allclose(particles.x, states[0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        particles.log_weights, weights_of(path, ts, states), rtol=1e-10, atol=1e-10
    )
    np.testing.assert_array_equal(x, before)


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_pair
def test_tasks_and_threads_change_no_bit(pair, dtype, monkeypatch):
    path, ts = path_of(pair, (4, 3)), uneven(5)
    ours = library_path(path, dtype)
    whole = anneal(ours, ts, 300, KEY)
    assert whole.x.dtype == dtype and whole.log_weights.dtype == np.float64
    back = anneal_back(ours, ts, whole.x, KEY)
    for n_jobs in (1, 2):
        for one, other in (
            (whole, anneal(ours, ts, 300, KEY, n_jobs)),
            (back, anneal_back(ours, ts, whole.x, KEY, n_jobs)),
        ):
            np.testing.assert_array_equal(one.x, other.x)
            np.testing.assert_array_equal(one.log_weights, other.log_weights)
    monkeypatch.setattr(module, "TASK_ROWS", 77)
    parts = anneal(ours, ts, 300, KEY)
    rounding = 1e-10 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(parts.log_weights, whole.log_weights, rtol=0, atol=rounding)


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_length
def test_weights_are_unbiased_however_few_the_temperatures(n_steps, dtype):
    path, ts = path_of(), uneven(n_steps)
    ours = library_path(path, dtype)
    assert_weights_are_unbiased(
        lambda n: anneal(ours, ts, n, KEY).log_weights, annealing.tabulate(path), ts
    )


@pytest.mark.needs_jit
@every_length
def test_inverse_weights_are_unbiased_from_draws_of_the_model(n_steps):
    path, ts = path_of(), uneven(n_steps)
    ours = library_path(path)
    assert_inverse_weights_are_unbiased(
        lambda x: anneal_back(ours, ts, x, KEY).log_weights, annealing.tabulate(path), ts
    )


@pytest.mark.needs_jit
@pytest.mark.parametrize("pair", PAIRS[1:], ids="-".join)
def test_mean_log_weights_of_real_units_are_those_of_the_grid(pair):
    path, ts = path_of(pair), uneven(3)
    log_weights = anneal(library_path(path), ts, 100_000, KEY).log_weights
    assert_same_mean(log_weights, annealing.forward_mean_log(annealing.tabulate(path), ts))


@pytest.mark.needs_jit
def test_particles_end_with_the_annealed_law_and_weighted_with_the_models():
    path, ts, n = path_of(), uneven(3), 100_000
    table = annealing.tabulate(path)
    x, log_weights = anneal(library_path(path), ts, n, KEY)
    assert_same_distribution(state_counts(x.astype(int)), annealing.annealed_law(table, ts))
    ratio = annealing.joint(table, 1.0).sum() / annealing.joint(table, 0.0).sum()
    shares = (np.exp(log_weights) / ratio)[:, np.newaxis] * x
    assert_same_mean(shares, annealing.visible_law(table, 1.0) @ table.V)
