"""Sparsity, dropout, and the limits on updates: against slopes, and against the machine that is left."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ebm import training
from ebm._batches import Rows
from ebm._random import Key, Reserved, fold, stream
from ebm.energies.bipartite import Bipartite
from ebm.gradients import Batch, ChainState, Exact, gradient_record
from ebm.gradients.regularized import add_sparsity, dropped_units
from ebm.optimizers import SGD, Constant, Regularization
from ebm.training import Plan
from ebm.units import Bernoulli, Gaussian
from tests.checks import assert_sparsity_slope, centred, sparsity_penalty
from tests.models import (
    flat,
    library_model,
    library_params,
    oracle_model,
    oracle_params,
    rows_for,
)
from tests.oracles import rbm, rbm_gradients

BINARY = Bipartite(Bernoulli(), Bernoulli())
MODEL = oracle_model()
VISIBLE = ["bernoulli", "gaussian"]
both_ways = pytest.mark.parametrize("centered", [False, True])


EXACT = Exact(centered=False)


def plan(gradient=EXACT, rate=1.0, batch=50, seed=0, **settings):
    regularization = Regularization(**settings)
    return Plan(gradient, SGD(), Constant(), rate, 0.0, batch, seed, regularization)


def updated(model, X, p, weights=None):
    """By how much one update at the rate one moves the parameters: the gradient it follows."""
    params = library_params(model)
    library = library_model(model)
    state = training.resume(library, params, p, mean=X.mean(axis=0))
    before = state.theta.copy()
    assert training.single_update(state, X, weights, p) == ""
    moved = library.unpack((state.theta - before) / p.learning_rate, *state.shape)
    return oracle_params(moved), state


# Sparsity --------------------------------------------------------------------------------------


def sparsity_of(model, X, weights, target=0.2, cost=0.7, *, mu=None, lam=None, dtype=np.float64):
    n, m = model.W.shape
    gradient = library_params(model, dtype)
    for x in (gradient.W, *gradient.visible, *gradient.hidden):
        x[:] = 0
    mu, lam = (np.zeros(k) if x is None else x for x, k in ((mu, n), (lam, m)))
    chains = ChainState(np.zeros((0, m), dtype), mu.astype(dtype), lam.astype(dtype))
    params, batch = library_params(model, dtype), Batch(X.astype(dtype), weights)
    add_sparsity(library_model(model), params, batch, chains, (target, cost), gradient)
    return oracle_params(gradient)


@pytest.mark.parametrize("weights", [None, np.array([1, 2, 3, 4, 5]) / 15])
@pytest.mark.parametrize("visible", VISIBLE)
def test_sparsity_is_the_slope_of_its_penalty(visible, weights):
    model = oracle_model(visible, "bernoulli")
    X = rows_for(model, 5)
    assert_sparsity_slope(lambda v, w: sparsity_of(model, v, w), model, X, weights)


@pytest.mark.parametrize("visible", VISIBLE)
def test_sparsity_in_centred_coordinates(visible):
    model = oracle_model(visible, "bernoulli")
    X, rng = rows_for(model, 5), np.random.default_rng(0)
    mu, lam = rng.uniform(size=4), rng.uniform(size=3)
    plain = sparsity_of(model, X, None)
    found = sparsity_of(model, X, None, mu=mu, lam=lam)
    np.testing.assert_allclose(flat(found), flat(centred(plain, mu, lam)), rtol=0, atol=1e-13)


@pytest.mark.parametrize("visible", VISIBLE)
def test_sparsity_in_single_precision(visible):
    model = oracle_model(visible, "bernoulli")
    X = rows_for(model, 5).astype(np.float32)
    single = sparsity_of(model, X, None, dtype=np.float32)
    np.testing.assert_allclose(flat(single), flat(sparsity_of(model, X, None)), atol=1e-6)


def test_sparsity_does_not_depend_on_the_size_of_the_batch():
    X = rows_for(MODEL, 5)
    once, thrice = (flat(sparsity_of(MODEL, np.tile(X, (n, 1)), None)) for n in (1, 3))
    np.testing.assert_allclose(thrice, once, rtol=1e-12)


@both_ways
def test_an_update_follows_the_likelihood_and_the_penalty(centered):
    X = rows_for(MODEL, 6)
    weights = np.arange(1.0, 7.0)
    p = plan(Exact(centered), sparsity_target=0.1, sparsity_cost=2.0)
    found, _ = updated(MODEL, X, p, weights)
    plain, state = updated(MODEL, X, plan(Exact(centered)), weights)
    mu, lam = state.chains.visible_offset, state.chains.hidden_offset
    slope = rbm_gradients.finite_differences(
        lambda m: -sparsity_penalty(m, X, weights / 21, 0.1, 2.0), MODEL
    )
    expected = flat(plain) + flat(centred(slope, mu, lam))
    np.testing.assert_allclose(flat(found), expected, rtol=0, atol=1e-7)


@pytest.mark.needs_jit
def test_sparse_learning_is_sparse():
    X = rows_for(MODEL, 40)
    for target in (0.05, 0.9):
        p = plan(Exact(), rate=0.5, batch=40, sparsity_target=target, sparsity_cost=50.0)
        rows = Rows(X)
        state = training.start(BINARY, rows, 3, p)
        training.train(state, rows, p, 300)
        activity = BINARY.hidden_mean(state.params, X).mean(axis=0)
        np.testing.assert_allclose(activity, target, atol=0.02)


# Dropout ---------------------------------------------------------------------------------------


def dropped_in(p, n_hidden=3, step=0):
    key = fold(stream(p.seed, "negative"), step)
    return dropped_units(n_hidden, p.regularization.dropout, fold(key, Reserved.DROPOUT.number))


@pytest.mark.parametrize("seed", range(12))
@both_ways
def test_an_update_is_that_of_the_machine_that_is_left(centered, seed):
    """What is dropped does not move, whatever drops; the rest follows its own exact gradient."""
    X = rows_for(MODEL, 6)
    p = plan(Exact(centered), seed=seed, dropout=0.5)
    out = dropped_in(p)
    found, state = updated(MODEL, X, p)
    assert not found.W[:, out].any() and not found.c[out].any()
    kept = np.flatnonzero(~out)
    if not len(kept):
        np.testing.assert_allclose(found.b, X.mean(axis=0) - 1 / (1 + np.exp(-MODEL.b)))
        return
    left = rbm.OracleRBM(MODEL.W[:, kept], MODEL.b, MODEL.c[kept])
    exact = rbm_gradients.log_likelihood_gradient(left, X)
    exact = centred(exact, state.chains.visible_offset, state.chains.hidden_offset[kept])
    np.testing.assert_allclose(found.W[:, kept], exact.W, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.b, exact.b, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.c[kept], exact.c, rtol=0, atol=1e-10)


def test_some_units_are_dropped_and_some_are_not():
    """What the test above rests on."""
    shares = [dropped_in(plan(seed=seed, dropout=0.5)).mean() for seed in range(12)]
    assert len(set(shares)) >= 3


@pytest.mark.needs_jit
@pytest.mark.parametrize("gradient", ["cd", "pcd", "fpcd", "tempering", "tap", "pseudo_likelihood"])
def test_whatever_the_estimator_what_is_dropped_does_not_move(gradient):
    X = rows_for(MODEL, 6)
    p = plan(gradient_record(gradient), batch=6, seed=2, dropout=0.5)
    out = dropped_in(p)
    assert 0 < out.sum() < 3
    found, state = updated(MODEL, X, p)
    assert not found.W[:, out].any() and not found.c[out].any()
    assert np.abs(found.W[:, ~out]).max() > 1e-4
    assert np.isfinite(state.theta).all()
    if gradient in ("pcd", "fpcd", "tempering"):
        assert not state.chains.h[:, out].any()


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_units_are_dropped_with_the_probability(probability):
    out = np.array([dropped_units(50, probability, Key(1, i)) for i in range(200)])
    assert stats.binomtest(int(out.sum()), out.size, probability).pvalue > 1e-6
    per_unit = stats.binom(200, probability).sf(out.sum(axis=0) - 1)
    assert per_unit.min() > 1e-8


def test_every_update_drops_anew():
    p = plan(seed=0, dropout=0.5)
    sets = {tuple(dropped_in(p, 10, step)) for step in range(20)}
    assert len(sets) > 15


@pytest.mark.parametrize("settings", [{"dropout": 0.5}, {"sparsity_target": 0.1}])
@pytest.mark.parametrize("visible", [Bernoulli(), Gaussian()], ids=repr)
def test_gaussian_hidden_units_are_refused(visible, settings):
    model = Bipartite(visible, Gaussian())
    with pytest.raises(ValueError, match=r"regularization: .*binary hidden units.*Got Gaussian"):
        training.start(model, Rows(rows_for(MODEL, 9)), 3, plan(Exact(), **settings))


# Limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [BINARY, Bipartite(Gaussian(), Bernoulli())], ids=["B", "G"])
def test_norms_are_limited_after_every_update(model):
    X = np.random.default_rng(0).normal(size=(30, 4))
    X = (X > 0).astype(float) if model is BINARY else X
    p = plan(Exact(), rate=0.5, batch=30, max_norm=0.3)
    state = training.start(model, Rows(X), 3, p)
    for _ in range(10):
        training.single_update(state, X, None, p)
        norms = np.linalg.norm(state.local.W, axis=0)
        assert norms.max() <= 0.3 * (1 + 1e-12)
    assert norms.max() > 0.29


def test_clipping_by_norm_and_by_value():
    X = np.ones((6, 4))
    free, _ = updated(MODEL, X, plan())
    norm = np.linalg.norm(flat(free))
    for limit in (0.1 * norm, 2 * norm):
        found, _ = updated(MODEL, X, plan(clip_norm=limit))
        expected = flat(free) * min(1, limit / norm)
        np.testing.assert_allclose(flat(found), expected, rtol=1e-10, atol=1e-14)
    largest = np.abs(flat(free)).max()
    found, _ = updated(MODEL, X, plan(clip_value=0.3 * largest))
    expected = np.clip(flat(free), -0.3 * largest, 0.3 * largest)
    np.testing.assert_allclose(flat(found), expected, rtol=1e-10, atol=1e-14)


def test_clipping_comes_before_the_penalty_on_weights():
    X = np.ones((6, 4))
    clipped, _ = updated(MODEL, X, plan(clip_value=1e-3))
    found, _ = updated(MODEL, X, plan(clip_value=1e-3, l1=0.5))
    np.testing.assert_allclose(found.W, clipped.W - 0.5 * np.sign(MODEL.W), rtol=1e-10)
    np.testing.assert_allclose(found.b, clipped.b, rtol=1e-10)
