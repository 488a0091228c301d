"""ebm.likelihood.bounds: below the exact log-likelihood, equal where recognition is right, honest errors."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key, fold
from ebm.energies.base import DataSummary
from ebm.energies.belief_network import from_rbms
from ebm.energies.bipartite import Bipartite
from ebm.likelihood import (
    bounds,
    exact_log_likelihood,
    log_likelihood,
    log_partition,
    variational_bound,
)
from ebm.units import Bernoulli, Gaussian
from tests.models import PAIRS, library_model, library_params, oracle_model, rows_for
from tests.models.belief import STACKS, data_for, random_stack, spelled
from tests.oracles import belief
from tests.statistics import assert_same_mean

KEY = Key(5, 1)


def log_z_of(model, params):
    return log_partition(model.top_model, params.top, "exact").value


def exactly(model, params, v):
    """The exact bound and the exact log-likelihood."""
    log_z = log_z_of(model, params)
    bound, errors = variational_bound(model, params, v, log_z, KEY, method="exact")
    assert (errors == 0).all()
    return bound, exact_log_likelihood(model, params, v, log_z)


@pytest.mark.parametrize("name", STACKS)
def test_bound_and_log_likelihood_equal_plain_sums(name):
    oracle = random_stack(*STACKS[name], seed=2)
    v = data_for(oracle, 3)
    bound, log_p = exactly(*spelled(oracle), v)
    for r in range(3):
        assert bound[r] == pytest.approx(belief.bound(oracle, v[r]), abs=1e-10)
        assert log_p[r] == pytest.approx(belief.log_likelihood(oracle, v[r]), abs=1e-10)


@pytest.mark.parametrize("given", [True, False])
def test_labels_stand_beside_the_data_or_are_summed_out(given):
    oracle = random_stack(*STACKS["binary"], n_labels=2, seed=2)
    v = data_for(oracle, 3)
    labels = v[:, 3:] if given else [None] * 3
    bound, log_p = exactly(*spelled(oracle), v if given else v[:, :3])
    for r in range(3):
        assert bound[r] == pytest.approx(belief.bound(oracle, v[r, :3], labels[r]), abs=1e-10)
        expected = belief.log_likelihood(oracle, v[r, :3], labels[r])
        assert log_p[r] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("name", ["binary", "spin", "gaussian"])
def test_no_stack_has_a_bound_above_its_log_likelihood(name):
    """And of stacks whose recognition has nothing to do with them none comes near it."""
    for seed in range(40):
        oracle = random_stack(*STACKS[name], seed=seed, scale=0.3 + seed / 15)
        bound, log_p = exactly(*spelled(oracle), data_for(oracle, 4, seed))
        assert (bound < log_p - 1e-4).all()


@pytest.mark.parametrize("pair", [PAIRS[0], PAIRS[1]])
def test_of_a_machine_on_its_transposed_copy_the_bound_is_the_log_likelihood(pair):
    """Both are those of the lower machine: the upper one has the same law of the hidden units."""
    for seed in range(5):
        lower = oracle_model(*pair, (4, 3) if pair == PAIRS[0] else (2, 3), seed=seed)
        machine, own = library_model(lower), library_params(lower)
        model, params = from_rbms([(machine, own), machine.swapped(own)])
        v = rows_for(lower, 6, seed=seed)
        bound, log_p = exactly(model, params, v)
        expected = log_likelihood(machine, own, v, "exact")[0]
        np.testing.assert_allclose(bound, expected, rtol=0, atol=1e-10)
        np.testing.assert_allclose(log_p, expected, rtol=0, atol=1e-10)


def test_a_third_turned_copy_keeps_the_equality():
    lower = oracle_model(shape=(4, 3), seed=1)
    machine, own = library_model(lower), library_params(lower)
    model, params = from_rbms([(machine, own), machine.swapped(own), (machine, own)])
    v = rows_for(lower, 6)
    bound, _ = exactly(model, params, v)
    expected = log_likelihood(machine, own, v, "exact")[0]
    np.testing.assert_allclose(bound, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("n_hidden", [4, 6])
def test_a_larger_layer_that_begins_with_the_one_below_turned_over_keeps_the_equality(n_hidden):
    """Units that are added without weights change the law of none of the others, whatever their biases."""
    lower = oracle_model(shape=(4, 3), seed=2)
    machine, own = library_model(lower), library_params(lower)
    upper = machine.initial(DataSummary(np.full(3, 0.5), np.ones(3), 1.0), n_hidden, KEY)
    upper.W[:, 4:] = 0
    upper.hidden.bias[:] = np.arange(n_hidden)
    turned = machine.above(upper, own)
    assert turned.W.shape == (3, n_hidden)
    bound, log_p = exactly(*from_rbms([(machine, own), (machine, turned)]), rows_for(lower, 6))
    expected = log_likelihood(machine, own, rows_for(lower, 6), "exact")[0]
    np.testing.assert_allclose(bound, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(log_p, expected, rtol=0, atol=1e-10)


# Estimates -----------------------------------------------------------------------------------------


@pytest.mark.needs_jit
def test_estimates_have_the_bounds_mean_and_tell_their_error():
    oracle = random_stack(seed=2)
    model, params = spelled(oracle)
    v = data_for(oracle, 1)
    mean, variance, _ = belief.log_weight_moments(oracle, v[0])
    rows = np.repeat(v, 20_000, axis=0)
    values, errors = variational_bound(model, params, rows, log_z_of(model, params), KEY, 5)
    assert_same_mean(values, mean, variance=variance / 5)
    assert_same_mean(errors**2, variance / 5)


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_samples", [1, 4])
def test_mean_weights_are_the_likelihood_without_bias(n_samples):
    """Whatever the count of draws: so the logarithm of their mean is a bound in expectation."""
    oracle = random_stack(seed=2)
    model, params = spelled(oracle)
    v = data_for(oracle, 1)
    rows, log_z = np.repeat(v, 20_000, axis=0), log_z_of(model, params)
    values, _ = variational_bound(model, params, rows, log_z, KEY, n_samples, "importance")
    likelihood = np.exp(belief.log_likelihood(oracle, v[0]))
    assert belief.log_weight_moments(oracle, v[0])[2] == pytest.approx(likelihood)
    assert_same_mean(np.exp(values) / likelihood, 1.0)


@pytest.mark.needs_jit
def test_more_weights_bring_the_bound_nearer():
    oracle = random_stack(seed=2)
    model, params = spelled(oracle)
    rows, log_z = np.repeat(data_for(oracle, 1), 5_000, axis=0), log_z_of(model, params)
    means, errors = [], []
    for n_samples in (1, 4, 16):
        values, _ = variational_bound(model, params, rows, log_z, KEY, n_samples, "importance")
        means.append(values.mean())
        errors.append(values.std() / np.sqrt(len(rows)))
    exact = exact_log_likelihood(model, params, rows[:1], log_z)[0]
    assert np.all(np.diff([*means, exact]) > 5 * np.hypot(errors, [*errors[1:], 0]))


def test_one_draw_is_the_variational_bound_without_an_error():
    oracle = random_stack()
    model, params = spelled(oracle)
    v, log_z = data_for(oracle, 4), log_z_of(model, params)
    plain, errors = variational_bound(model, params, v, log_z, KEY, 1)
    weighted, _ = variational_bound(model, params, v, log_z, KEY, 1, "importance")
    np.testing.assert_array_equal(plain, weighted)
    assert np.isnan(errors).all()


def test_draws_have_the_numbers_of_their_row():
    oracle = random_stack()
    model, params = spelled(oracle)
    v, log_z = data_for(oracle, 5), log_z_of(model, params)
    values, errors = variational_bound(model, params, v, log_z, KEY, 3)
    log_w = np.empty((5, 3))
    for s in range(3):
        states = [v, *model.sample_up(params, v, fold(KEY, s))]
        for r in range(5):
            row = [x[r] for x in states]
            log_w[r, s] = belief.log_joint(oracle, row) - belief.log_recognition(oracle, row)
    np.testing.assert_allclose(values, log_w.mean(axis=1) - log_z, rtol=0, atol=1e-12)
    np.testing.assert_allclose(errors, log_w.std(axis=1, ddof=1) / np.sqrt(3), rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["elbo", "importance"])
def test_estimates_do_not_depend_on_chunks(monkeypatch, method):
    model, params = spelled(random_stack(n_labels=1))
    v, log_z = data_for(random_stack(n_labels=1), 10), log_z_of(model, params)
    whole = variational_bound(model, params, v, log_z, KEY, 3, method)
    monkeypatch.setattr(bounds, "BLOCK_ROWS", 3)
    parts = variational_bound(model, params, v, log_z, KEY, 3, method)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-12)


def test_a_single_machine_has_nothing_to_draw():
    oracle = random_stack(*STACKS["single"])
    model, params = spelled(oracle)
    v, log_z = data_for(oracle, 4), log_z_of(model, params)
    values, errors = variational_bound(model, params, v, log_z, KEY)
    exact = log_likelihood(model.top_model, params.top, v, "exact")[0]
    np.testing.assert_allclose(values, exact, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(errors, 0)


@pytest.mark.parametrize("name", ["binary", "gaussian"])
def test_single_precision_is_near_double(name):
    oracle = random_stack(*STACKS[name])
    v = data_for(oracle, 6).astype(np.float32)
    results = []
    for dtype in (np.float32, np.float64):
        model, params = spelled(oracle, dtype)
        log_z = log_z_of(model, params)
        results.append(variational_bound(model, params, v, log_z, KEY, method="exact")[0])
    assert results[0].dtype == np.float64
    np.testing.assert_allclose(*results, rtol=0, atol=1e-5)


# Bad input -----------------------------------------------------------------------------------------


def test_what_cannot_be_bounded_is_refused():
    oracle = random_stack(n_labels=2)
    model, params = spelled(oracle)
    v = data_for(oracle, 2)
    with pytest.raises(ValueError, match="method must be one of"):
        variational_bound(model, params, v, 0.0, KEY, method="tight")
    with pytest.raises(ValueError, match="n_samples"):
        variational_bound(model, params, v, 0.0, KEY, 0)
    with pytest.raises(ValueError, match="v must have 3 columns, or 2 more"):
        variational_bound(model, params, v[:, :4], 0.0, KEY)


@pytest.mark.parametrize(("unit", "n"), [(Gaussian(), 2), (Bernoulli(), 21)])
def test_layers_without_a_list_of_states_are_not_enumerated(unit, n):
    lower, upper = Bipartite(Bernoulli(), unit), Bipartite(unit, Bernoulli())
    below = lower.unpack(np.zeros(2 * n + 2 + n * len(unit.fields)), 2, n)
    above = upper.unpack(np.zeros(2 * n + 2 + n * len(unit.fields)), n, 2)
    model, params = from_rbms([(lower, below), (upper, above)])
    with pytest.raises(ValueError, match="Use method='elbo'"):
        variational_bound(model, params, np.zeros((1, 2)), 0.0, KEY, method="exact")
