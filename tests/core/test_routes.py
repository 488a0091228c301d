"""ebm.likelihood.routes, and what it is made of: mixtures, populations, and how two estimates become one."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key, fold
from ebm.energies.mixture_path import MixturePath
from ebm.likelihood import Evaluation, log_partition
from ebm.likelihood.ais import log_mean
from ebm.likelihood.routes import Estimate, coin_path, combined, counts_of
from ebm.samplers.annealing import anneal
from ebm.samplers.sequential import resampled, sequential, steady_temperatures
from ebm.units import OneHot
from tests.models import library_model, library_params, oracle_model
from tests.models.log_z import machine
from tests.models.pairwise import spelled
from tests.oracles import rbm
from tests.oracles.pairwise import BINARY, SPIN, random_pairwise
from tests.oracles.pairwise import log_partition as enumerated
from tests.statistics import assert_same_mean

pytestmark = (
    pytest.mark.needs_jit
)  # as plain Python too slow: thousands of sweeps of many particles

KEY = Key(31, 32)
every_state = pytest.mark.parametrize("states", [BINARY, SPIN], ids=["binary", "spin"])


def pairwise_path(states):
    oracle = random_pairwise(4, states, seed=2, scale=1.5)
    return coin_path(*spelled(oracle)), enumerated(oracle)


def bipartite_path():
    oracle = oracle_model(shape=(4, 3))
    return coin_path(library_model(oracle), library_params(oracle)), rbm.log_partition(oracle)


def paths():
    yield pairwise_path(BINARY)
    yield pairwise_path(SPIN)
    yield bipartite_path()


def mixture_of(path, n=4):
    fields = np.vstack([np.zeros(n), np.random.default_rng(0).normal(size=(2, n))])
    return MixturePath(path, fields, np.array([3, 2, 5]))


# Mixtures -----------------------------------------------------------------------------------


def test_the_mixture_starts_as_it_says():
    """Means of the starts: those of independent units in the fields of the row's law."""
    path, _ = pairwise_path(SPIN)
    mixture, n = mixture_of(path), 50_000
    x = mixture.start(n, KEY)
    labels = mixture.labels[np.arange(n) % 10]
    assert np.bincount(labels).tolist() == [3 * n // 10, 2 * n // 10, 5 * n // 10]
    fields = np.vstack([np.zeros(4), np.random.default_rng(0).normal(size=(2, 4))])
    for k, field in enumerate(fields):
        m = np.tanh(field)
        for i in range(4):
            assert_same_mean(x[labels == k, i], m[i], variance=1 - m[i] ** 2)
    np.testing.assert_array_equal(mixture.start(5, KEY, first_row=7), x[7:12])


@pytest.mark.needs_jit
def test_weights_from_a_mixture_are_unbiased():
    """At few temperatures, where anything that is not left unchanged shows."""
    for path, log_z in paths():
        mixture = mixture_of(path)
        for t in (np.linspace(0, 1, 4), np.array([0.0, 1.0])):
            log_w = anneal(mixture, t, 20_000, KEY).log_weights
            value, error, _ = log_mean(log_w)
            assert abs(mixture.log_z + value - log_z) < 5 * error < 0.3


@pytest.mark.needs_jit
def test_a_step_leaves_the_law_of_a_mixture_unchanged():
    """From draws weighted to the law half way, a step changes no weighted mean of the states."""
    for path, _ in paths():
        mixture, t = mixture_of(path), 0.5
        x = mixture.start(200_000, KEY)
        inputs = mixture.inputs(x)
        w = np.exp(mixture.gain(x, inputs, mixture.stage(0.0), mixture.stage(t)))
        y = mixture.move(x, inputs, [mixture.stage(t)], fold(KEY, 1))
        change = w[:, np.newaxis] * (np.hstack([y, y[:, :1] * y]) - np.hstack([x, x[:, :1] * x]))
        error = change.std(axis=0) / np.sqrt(len(x))
        assert np.all(np.abs(change.mean(axis=0)) <= 5 * error) and error.max() > 0


# Populations --------------------------------------------------------------------------------


@pytest.mark.needs_jit
def test_populations_estimate_without_bias():
    """Many populations of few particles, which are resampled at nearly every step."""
    for path, log_z in paths():
        found = sequential(path, np.linspace(0, 1, 6), 5000, 8, KEY)
        value, error, _ = log_mean(found.log_ratios)
        assert abs(path.log_z + value - log_z) < 5 * error < 0.2
        np.testing.assert_array_equal(
            sequential(path, np.linspace(0, 1, 6), 5000, 8, KEY, n_jobs=2).log_ratios,
            found.log_ratios,
        )


def test_resampling_keeps_particles_in_proportion_to_their_weights():
    log_w = np.log([[1.0, 1.0, 1.0, 1.0], [8.0, 4.0, 1e-9, 4.0], [1e-9, 1e-9, 1.0, 1e-9]])
    kept, left, gained = resampled(log_w, np.full(3, 0.5))
    assert kept[:4].tolist() == [0, 1, 2, 3] and kept[8:].tolist() == [10] * 4
    np.testing.assert_array_equal(left[:2], log_w[:2])  # these are even enough
    assert not left[2].any()
    np.testing.assert_allclose(gained, [0, 0, np.log(0.25)], atol=1e-8)
    kept, left, gained = resampled(log_w[:2], np.full(2, 0.5))
    assert kept is None and left is not None and not gained.any()


@pytest.mark.needs_jit
@every_state
def test_temperatures_are_steady_and_end_at_the_model(states):
    path, _ = pairwise_path(states)
    fine, coarse = (steady_temperatures(path, 200, KEY, 500, x) for x in (0.999, 0.9))
    for t in (fine, coarse):
        assert t[0] == 0 and t[-1] == 1 and np.all(np.diff(t) > 0)
    assert len(fine) > 2 * len(coarse)
    assert len(steady_temperatures(path, 200, KEY, 6, 0.9999)) <= 25


# Two estimates ------------------------------------------------------------------------------


def test_estimates_that_agree_are_averaged():
    value, error, doubt = combined(Estimate(10.0, 0.1, 16), Estimate(10.2, 0.2, 90))
    assert value == pytest.approx(10.04) and error == pytest.approx(np.sqrt(0.008)) and not doubt


def test_modes_win_where_populations_are_lower():
    lower, higher = Estimate(9.0, 0.1, 16), Estimate(10.0, 0.1, 90)
    assert combined(lower, higher) == (10.0, 0.1, "")
    assert "hangs on few" in combined(lower, higher._replace(size=3.0))[2]


def test_populations_win_with_a_doubt_where_they_are_higher():
    populations = Estimate(10.0, 0.1, 16)
    assert combined(populations, Estimate(9.6, 0.1, 90)) == (10.0, 0.1, "")
    value, error, doubt = combined(populations, Estimate(9.0, 0.1, 90))
    assert (value, error) == (10.0, 0.1)
    assert "10.00" in doubt and "9.00" in doubt and "AIS(n_temperatures=4000" in doubt


def test_an_estimate_of_few_particles_says_nothing_against_populations():
    populations, few = Estimate(10.0, 0.1, 16), Estimate(9.9, 0.01, 3.0)
    assert combined(populations, few) == combined(populations, few._replace(value=5.0))


def test_starts_follow_the_weight():
    even = counts_of(np.zeros(4))
    assert even.sum() == 100 and even.tolist() == [25, 25, 25, 25]
    skewed = counts_of(np.array([0.1, 0.9, 0.0, 0.0]))
    assert skewed.sum() == 100 and skewed[1] > 45 and skewed[2:].min() >= 12
    assert counts_of(np.array([np.nan] * 3)).sum() == 100


@pytest.mark.needs_jit
def test_the_result_is_the_same_on_any_number_of_threads():
    rng = np.random.default_rng(0)
    known = machine("", rng.normal(size=(20, 6)), np.zeros(20), np.zeros(6), 0.0, 0.0)
    first, second = (
        log_partition(known.model, known.params, "ais", evaluation=Evaluation(key=KEY, n_jobs=n))
        for n in (None, 2)
    )
    assert first == second and "coins" in first.base


def test_labels_start_in_a_group():
    """Tilted starts of one-hot units have one unit on in every group."""
    unit = OneHot((3,))
    model = library_model(oracle_model(shape=(5, 3)))
    own = unit.neutral(5, np.float64)
    params = library_params(oracle_model(shape=(5, 3)))._replace(visible=own)
    path = coin_path(type(model)(unit, model.hidden), params)
    x = MixturePath(path, np.ones((1, 5)), np.array([4])).start(40, KEY)
    assert (x[:, 2:].sum(axis=1) == 1).all()
    assert path.log_normaliser(np.zeros((1, 5)))[0] == pytest.approx(2 * np.log(2) + np.log(3))
