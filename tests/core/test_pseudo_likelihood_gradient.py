"""ebm.gradients.pseudo_likelihood: the exact gradients of two objectives without log Z."""

from __future__ import annotations

import numpy as np
import pytest

from ebm import RBM, BernoulliRBM, GaussianRBM
from ebm._kernels import flips
from ebm._random import Key
from ebm.gradients import (
    GRADIENTS,
    Batch,
    ChainState,
    PseudoLikelihood,
    RatioMatching,
    gradient_record,
)
from ebm.gradients import pseudo_likelihood as module
from ebm.gradients.base import SLIDING_FACTOR
from ebm.likelihood import pseudo_log_likelihood
from tests.checks import assert_gradient_over_flips, centred
from tests.models import (
    flat,
    library_model,
    library_params,
    oracle_model,
    oracle_params,
    rows_for,
    zero_params,
)
from tests.oracles import rbm, rbm_flips, rbm_gradients

KEY = Key(11, 22)
RECORDS = [PseudoLikelihood, RatioMatching]
HIDDEN = ["bernoulli", "gaussian"]
SHAPES = [(4, 3), (1, 1), (5, 1), (1, 4), (3, 3)]
each_record = pytest.mark.parametrize("record", RECORDS)


def is_ratio(record):
    return record is RatioMatching


def estimate(record, model, X, *, weights=None, mu=0.0, lam=0.0, dtype=np.float64, centered=False):
    """One estimate by a fresh estimator: the gradient in the oracle's spelling, and the chains."""
    n, m = model.W.shape
    chains = ChainState(
        np.zeros((0, m), dtype), np.full(n, mu, dtype) + 0, np.full(m, lam, dtype) + 0
    )
    bound = record(centered=centered).bind(
        library_model(model), library_params(model, dtype), len(X), 0
    )
    params = library_params(model, dtype)
    gradient, chains, info = bound(params, Batch(np.asarray(X, dtype), weights), chains, KEY)
    assert info.finite
    return oracle_params(gradient), chains


def mixed_rows(model, n_rows, seed=0):
    """Bits, and after the first three rows some values in between."""
    X = rows_for(model, n_rows, seed=seed)
    between = np.random.default_rng(seed + 1).uniform(size=X.shape)
    X[3:, ::2] = between[3:, ::2]
    return X


def weights_for(n_rows, seed=0):
    w = np.random.default_rng(seed + 2).uniform(size=n_rows)
    return w / w.sum()


# The derivative ------------------------------------------------------------------------------


@each_record
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [3, 4])
def test_it_is_the_slope_of_its_objective(record, hidden, shape, seed):
    """Ten models for either kind of hidden units: with weights, and values in between."""
    model = oracle_model("bernoulli", hidden, shape, seed=seed)
    X, weights = mixed_rows(model, 6, seed), weights_for(6, seed)
    gradient, _ = estimate(record, model, X, weights=weights)
    assert_gradient_over_flips(gradient, model, X, weights, ratio=is_ratio(record))


@pytest.mark.parametrize("hidden", HIDDEN)
def test_it_is_the_slope_of_the_librarys_score(hidden):
    model = oracle_model("bernoulli", hidden)
    X = mixed_rows(model, 6)
    gradient, _ = estimate(PseudoLikelihood, model, X)

    def score(nudged):
        library, params = library_model(nudged), library_params(nudged)
        return pseudo_log_likelihood(library, params, X).mean()

    slope = rbm_gradients.finite_differences(score, model)
    np.testing.assert_allclose(flat(gradient), flat(slope), rtol=0, atol=1e-7)


def test_it_vanishes_in_expectation_at_the_models_own_law():
    """Consistency: over all rows, each weighted by its probability."""
    model = oracle_model()
    X, weights = rbm.all_states(4), rbm.visible_probabilities(model)
    for record in RECORDS:
        gradient, _ = estimate(record, model, X, weights=weights)
        np.testing.assert_allclose(flat(gradient), 0, rtol=0, atol=1e-14)


@each_record
@pytest.mark.parametrize("hidden", HIDDEN)
def test_single_precision_is_the_rounded_gradient(record, hidden):
    model = oracle_model("bernoulli", hidden)
    parts = vars(model).items()
    model = rbm.OracleRBM(**{k: None if x is None else x.astype(np.float32) for k, x in parts})
    X = mixed_rows(model, 6).astype(np.float32)
    single, chains = estimate(record, model, X, dtype=np.float32)
    double, _ = estimate(record, model, X.astype(np.float64))
    assert {x.dtype for x in chains[:3]} == {np.dtype(np.float32)}
    np.testing.assert_allclose(flat(single), flat(double), rtol=2e-7, atol=1e-9)


# The two ways --------------------------------------------------------------------------------


@each_record
@pytest.mark.parametrize("scale", [0.3, 1.0, 30.0])
@pytest.mark.parametrize("shape", [(4, 3), (7, 300), (12, 1)])
def test_the_fast_way_is_the_general_one(record, shape, scale, monkeypatch):
    """Hidden layers longer than a run of factors; fields and weights that saturate."""
    model = oracle_model(shape=shape, scale=scale)
    X, weights = mixed_rows(model, 6), weights_for(6)
    fast, _ = estimate(record, model, X, weights=weights)
    monkeypatch.setattr(module, "LOG_LARGEST", 0.0)
    general, _ = estimate(record, model, X, weights=weights)
    np.testing.assert_allclose(flat(fast), flat(general), rtol=0, atol=1e-10)


@each_record
@pytest.mark.parametrize("case", ["rows outside [0, 1]", "weights beyond exp"])
def test_what_exponentials_cannot_hold_takes_the_general_way(record, case, monkeypatch):
    model = oracle_model()
    X, weights = mixed_rows(model, 5), np.full(5, 0.2)
    if case == "weights beyond exp":
        model = oracle_model(scale=1000.0)
        X = X.round()
    else:
        X[1] = [-1.5, 2.5, 0.0, 1.0]

    def refuse(*args):
        raise AssertionError("the fast way was taken")

    monkeypatch.setattr(module, "flip_moments", refuse)
    gradient, _ = estimate(record, model, X)
    expected = rbm_flips.gradient(model, X, weights, is_ratio(record))
    np.testing.assert_allclose(flat(gradient), flat(expected), rtol=0, atol=1e-11)


@pytest.mark.needs_jit
@each_record
def test_large_weights_overflow_nothing(record):
    """|W| up to 590: products of the factors stay below the largest number."""
    model = oracle_model(shape=(4, 40), seed=1)
    model = rbm.OracleRBM(model.W * 590 / np.abs(model.W).max(), model.b, model.c)
    gradient, _ = estimate(record, model, mixed_rows(model, 5))
    assert np.isfinite(flat(gradient)).all()


def test_the_tables_leave_room_for_a_run_of_factors():
    for largest in (1e-12, 0.1, 3.0, 599.0):
        W = np.array([[largest, -largest]])
        growth, run = flips.flip_tables(W, largest)
        np.testing.assert_allclose(growth[:-4], np.exp(np.concatenate([W, -W])))
        assert 1 <= run <= 256 and run * largest <= flips.LOG_LARGEST


# Centring, batches ---------------------------------------------------------------------------


@each_record
@pytest.mark.parametrize("hidden", HIDDEN)
def test_centring_carries_the_gradient_to_other_offsets(record, hidden):
    model = oracle_model("bernoulli", hidden)
    X, weights = mixed_rows(model, 6), weights_for(6)
    rng = np.random.default_rng(5)
    mu, lam = rng.uniform(size=4), rng.uniform(size=3)
    plain, chains = estimate(record, model, X, weights=weights)
    assert not chains.visible_offset.any() and not chains.hidden_offset.any()
    gradient, chains = estimate(record, model, X, weights=weights, mu=mu, lam=lam, centered=True)
    s_h = np.array([rbm.interaction(rbm.hidden_moments(model, v)[0], model.zh) for v in X])
    mu = mu + SLIDING_FACTOR * (weights @ X - mu)
    lam = lam + SLIDING_FACTOR * (weights @ s_h - lam)
    np.testing.assert_allclose(chains.visible_offset, mu, rtol=1e-13)
    np.testing.assert_allclose(chains.hidden_offset, lam, rtol=1e-13)
    np.testing.assert_allclose(flat(gradient), flat(centred(plain, mu, lam)), rtol=0, atol=1e-12)


@each_record
@pytest.mark.parametrize("hidden", HIDDEN)
def test_weights_are_duplicates(record, hidden):
    model = oracle_model("bernoulli", hidden)
    X, counts = mixed_rows(model, 4), np.array([1, 3, 0, 2])
    weighted, _ = estimate(record, model, X, weights=counts / counts.sum())
    repeated, _ = estimate(record, model, np.repeat(X, counts, axis=0))
    np.testing.assert_allclose(flat(weighted), flat(repeated), rtol=0, atol=1e-14)


@each_record
def test_the_callers_rows_are_left_alone_and_the_buffer_counts_as_rows(record):
    model = oracle_model()
    X = mixed_rows(model, 4)
    before = X.copy()
    X.flags.writeable = False
    expected, _ = estimate(record, model, X)
    np.testing.assert_array_equal(X, before)
    bound = record(centered=False).bind(library_model(model), library_params(model), 9, 0)
    rows = bound.rows(4)
    rows[:] = X
    chains = ChainState(np.zeros((0, 3)), np.zeros(4), np.zeros(3))
    gradient, _, _ = bound(library_params(model), Batch(rows), chains, KEY)
    np.testing.assert_array_equal(flat(oracle_params(gradient)), flat(expected))


@each_record
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("field", ["W", "visible", "hidden", "batch"])
def test_a_gradient_that_is_not_finite_is_reported(record, hidden, field):
    model = oracle_model("bernoulli", hidden)
    params, X = library_params(model), rows_for(model, 5)
    target = {"W": params.W, "batch": X}.get(field)
    target = getattr(params, field).bias if target is None else target
    target.flat[0] = np.nan
    bound = record().bind(library_model(model), library_params(model), 5, 0)
    chains = ChainState(np.zeros((0, 3)), np.zeros(4), np.zeros(3))
    assert not bound(params, Batch(X), chains, KEY)[2].finite


# Choices -------------------------------------------------------------------------------------


def test_names_stand_for_records_without_chains():
    assert GRADIENTS["pseudo_likelihood"] is PseudoLikelihood
    assert gradient_record("ratio_matching") == RatioMatching()
    assert PseudoLikelihood().n_chains_for(13) == RatioMatching().n_chains_for(13) == 0


@each_record
def test_gaussian_visible_units_are_refused_with_a_remedy(record):
    model = oracle_model("gaussian", "bernoulli")
    with pytest.raises(ValueError, match=r"Gaussian units cannot.*'pcd' or 'cd'"):
        record().bind(library_model(model), zero_params(library_model(model), 4, 3), 5, 0)
    with pytest.raises(ValueError, match="'pcd' or 'cd'"):
        GaussianRBM(2, gradient=record()).fit(rows_for(model, 10))


# Learning ------------------------------------------------------------------------------------


@pytest.mark.needs_jit
@pytest.mark.parametrize("gradient", ["pseudo_likelihood", "ratio_matching"])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_training_raises_the_exact_likelihood(gradient, hidden):
    rng = np.random.default_rng(0)
    X = np.repeat(rng.integers(0, 2, (200, 1)), 6, axis=1)
    X[:, 3:] = 1 - X[:, 3:]
    X = np.where(rng.random(X.shape) < 0.1, 1 - X, X).astype(float)
    rbm = RBM(3, hidden=hidden, gradient=gradient, n_iter=0, random_state=0, learning_rate=0.05)
    before = rbm.fit(X).log_likelihood(X).mean()
    scored = rbm.score(X)
    after = rbm.set_params(n_iter=15).fit(X).log_likelihood(X).mean()
    assert after > before + 0.3
    assert rbm.score(X) > scored + 0.3
    again = RBM(**rbm.get_params()).fit(X)
    np.testing.assert_array_equal(rbm.components_, again.components_)


def test_full_batches_climb_the_pseudo_likelihood_step_by_step():
    model = oracle_model()
    X = rows_for(model, 30)
    rbm = BernoulliRBM(
        3, gradient=PseudoLikelihood(), learning_rate=0.1, n_iter=1, batch_size=30, random_state=0
    ).set_params(warm_start=True)
    scores = [rbm.fit(X).score(X) for _ in range(30)]
    assert np.diff(scores).min() > 0
