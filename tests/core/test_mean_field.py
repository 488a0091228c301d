"""ebm.inference and ebm.gradients.mean_field: fixed points, and learning from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ebm import RBM, BernoulliRBM
from ebm._random import Key
from ebm.energies.bipartite import Bipartite
from ebm.gradients import TAP, Batch, ChainState, gradient_record
from ebm.gradients.base import SLIDING_FACTOR
from ebm.inference import (
    mean_field,
    mean_field_free_energy,
    tap,
    tap_correlations,
    tap_free_energy,
)
from ebm.likelihood import log_partition
from ebm.units import Bernoulli
from tests.checks import assert_correlations, assert_stationary, centred
from tests.models import (
    PAIRS,
    flat,
    library_model,
    library_params,
    oracle_model,
    oracle_params,
    rows_for,
    zero_params,
)
from tests.oracles import rbm, rbm_gradients, rbm_mean_field

KEY = Key(11, 22)
ORDERS = [1, 2, 3]
BINARY = Bipartite(Bernoulli(), Bernoulli())


def means_for(model, n_runs, seed=0):
    """Means that the units can have."""
    rng = np.random.default_rng(seed)
    shapes = (n_runs, len(model.b)), (n_runs, len(model.c))
    return [
        rng.uniform(size=shape) if z is None else rng.normal(size=shape)
        for shape, z in zip(shapes, (model.z, model.zh), strict=True)
    ]


def settled(model, order=None, **how):
    """The fixed point from the middle, found with all precision there is."""
    how = {"tol": 1e-14, "damping": 0.2, **how}
    library, params = library_model(model), library_params(model)
    v, h = np.full((1, len(model.b)), 0.5), np.full((1, len(model.c)), 0.5)
    if order is None:
        return mean_field(library, params, v, h, **how)
    return tap(library, params, v, h, order=order, **how)


# Naive mean field ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n_iter", "damping"), [(1, 0.0), (1, 0.3), (4, 0.5)])
@pytest.mark.parametrize("pair", PAIRS)
def test_mean_field_iterates_as_its_twin(pair, n_iter, damping, dtype):
    model = oracle_model(*pair)
    v, h = (m.astype(dtype) for m in means_for(model, 3))
    library, params = library_model(model), library_params(model, dtype)
    point = mean_field(library, params, v, h, n_iter=n_iter, damping=damping, tol=0)
    assert point.n_iter == n_iter and not point.converged.any()
    assert point.v.dtype == point.h.dtype == dtype
    for run in range(3):
        expected = rbm_mean_field.iterate(model, v[run], h[run], n_iter, damping)
        tolerance = {"rtol": 0, "atol": 1e-12 if dtype == np.float64 else 2e-5}
        np.testing.assert_allclose(point.v[run], expected[0], **tolerance)
        np.testing.assert_allclose(point.h[run], expected[1], **tolerance)


@pytest.mark.parametrize("pair", PAIRS)
def test_mean_field_converges_to_where_its_free_energy_is_stationary(pair):
    model = oracle_model(*pair, scale=0.5)
    point = settled(model)
    assert point.converged.all() and point.n_iter < 1000
    assert_stationary(point.v[0], point.h[0], model, 1)


@pytest.mark.parametrize("pair", PAIRS)
def test_free_energy_of_mean_field_is_its_twin_and_bounds_that_of_the_model(pair):
    model = oracle_model(*pair, scale=0.5)
    point = settled(model)
    (value,) = mean_field_free_energy(library_model(model), library_params(model), point)
    assert value == pytest.approx(rbm_mean_field.gamma(model, point.v[0], point.h[0]), abs=1e-12)
    assert value > -rbm.log_partition(model) + 1e-3
    apart = replace(model, W=0 * model.W)
    point = settled(apart)
    (value,) = mean_field_free_energy(library_model(apart), library_params(apart), point)
    assert value == pytest.approx(-rbm.log_partition(apart), abs=1e-12)


def test_mean_field_of_two_gaussian_layers_is_their_mean():
    """And Gamma misses the correlations alone: half the log-determinants' difference."""
    model = oracle_model("gaussian", "gaussian")
    point = settled(model)
    p, q = np.exp(-model.z), np.exp(-model.zh)
    coupling = np.outer(p, q) * model.W
    P = np.block([[np.diag(p), -coupling], [-coupling.T, np.diag(q)]])
    mean = np.linalg.solve(P, np.concatenate([p * model.b, q * model.c]))
    np.testing.assert_allclose(np.concatenate([point.v[0], point.h[0]]), mean, rtol=0, atol=1e-12)
    (value,) = mean_field_free_energy(library_model(model), library_params(model), point)
    gap = (np.log(np.concatenate([p, q])).sum() - np.linalg.slogdet(P)[1]) / 2
    assert value + rbm.log_partition(model) == pytest.approx(gap, abs=1e-12)


def test_a_run_that_diverges_says_so():
    """Two Gaussian layers without a law: the means grow beyond all numbers, and nothing warns."""
    model = oracle_model("gaussian", "gaussian")
    library, params = library_model(model), library_params(model)
    v, h = means_for(model, 2)
    point = mean_field(library, params._replace(W=20 * params.W), v, h, n_iter=3000)
    assert point.n_iter == 3000 and not point.converged.any()


def test_runs_do_not_know_each_other_and_the_start_is_left_alone():
    model = oracle_model()
    library, params = library_model(model), library_params(model)
    v, h = means_for(model, 4)
    before = v.copy(), h.copy()
    for settle in (mean_field, tap):
        together = settle(library, params, v, h, n_iter=5)
        alone = settle(library, params, v[2:3], h[2:3], n_iter=5)
        np.testing.assert_allclose(together.v[2:3], alone.v, rtol=1e-14)
        np.testing.assert_allclose(together.h[2:3], alone.h, rtol=1e-14)
    np.testing.assert_array_equal(before[0], v)
    np.testing.assert_array_equal(before[1], h)


@pytest.mark.parametrize("settle", [mean_field, tap])
def test_iterations_end_when_all_runs_have_converged(settle):
    model = oracle_model(scale=0.3)
    library, params = library_model(model), library_params(model)
    v, h = means_for(model, 3)
    point = settle(library, params, v, h, tol=1e-10)
    assert point.converged.all() and 1 < point.n_iter < 1000
    again = settle(library, params, point.v, point.h, tol=1e-9)
    assert again.converged.all() and again.n_iter == 1
    short = settle(library, params, v, h, tol=1e-10, n_iter=point.n_iter - 1)
    assert not short.converged.all()


# Extended mean field -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n_iter", "damping"), [(1, 0.0), (1, 0.3), (4, 0.5)])
@pytest.mark.parametrize("order", ORDERS)
def test_tap_iterates_as_its_twin(order, n_iter, damping, dtype):
    model = oracle_model()
    v, h = (m.astype(dtype) for m in means_for(model, 3))
    params = library_params(model, dtype)
    point = tap(BINARY, params, v, h, order=order, n_iter=n_iter, damping=damping, tol=0)
    assert point.v.dtype == point.h.dtype == dtype
    for run in range(3):
        expected = rbm_mean_field.iterate(model, v[run], h[run], n_iter, damping, order)
        tolerance = {"rtol": 0, "atol": 1e-12 if dtype == np.float64 else 2e-6}
        np.testing.assert_allclose(point.v[run], expected[0], **tolerance)
        np.testing.assert_allclose(point.h[run], expected[1], **tolerance)


@pytest.mark.parametrize("shape", [(4, 3), (1, 5), (6, 1)])
@pytest.mark.parametrize("order", ORDERS)
def test_tap_converges_to_where_its_free_energy_is_stationary(order, shape):
    model = oracle_model(shape=shape)
    point = settled(model, order, damping=0.5)
    assert point.converged.all()
    assert_stationary(point.v[0], point.h[0], model, order)


@pytest.mark.parametrize("order", ORDERS)
def test_free_energy_of_tap_is_its_twin(order):
    model = oracle_model()
    v, h = means_for(model, 3)
    v[0, :2], h[0, :2] = (0, 1), (1, 0)
    found = tap_free_energy(library_params(model), v, h, order)
    expected = [rbm_mean_field.gamma(model, *m, order) for m in zip(v, h, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_correlations_are_the_slope_of_the_free_energy(order):
    model = oracle_model()
    v, h = means_for(model, 2)
    params = library_params(model)
    for run in range(2):
        alone = tap_correlations(params, v[run : run + 1], h[run : run + 1], order, np.ones(1))
        assert_correlations(alone, model, v[run], h[run], order)
    parts = [rbm_mean_field.statistics_at(model, *m, order).W for m in zip(v, h, strict=True)]
    both = tap_correlations(params, v, h, order, np.array([0.2, 0.8]))
    np.testing.assert_allclose(both, 0.2 * parts[0] + 0.8 * parts[1], rtol=0, atol=1e-8)


def log_partition_errors(order, scales):
    """Estimate minus truth of log Z, and its leading term: what the next order would add."""
    errors, leading = [], []
    for scale in scales:
        base = oracle_model(shape=(5, 4))
        model = replace(base, W=scale * base.W, b=2 * base.b + 1, c=2 * base.c + 1)
        params, point = library_params(model), settled(model, order)
        estimate = -tap_free_energy(params, point.v, point.h, order)[0]
        errors.append(estimate - log_partition(BINARY, params).value)
        k_v, k_h = (m * (1 - m) for m in (point.v[0], point.h[0]))
        if order == 2:
            k_v, k_h = k_v * (1 - 2 * point.v[0]), k_h * (1 - 2 * point.h[0])
        power = order + 1
        leading.append(-k_v @ model.W**power @ k_h / (2 if order == 1 else 6))
    return np.array(errors), np.array(leading)


@pytest.mark.parametrize("order", ORDERS)
def test_estimate_of_log_z_errs_by_the_first_order_left_out(order):
    """Halving the weights divides the error by 4, 8 and 16."""
    scales = 0.08 / 2 ** np.arange(4)
    errors, leading = log_partition_errors(order, scales)
    slopes = np.log2(np.abs(errors[:-1] / errors[1:]))
    assert abs(slopes[-1] - (order + 1)) < 0.05
    assert abs(slopes[-1] - (order + 1)) < abs(slopes[0] - (order + 1))
    if order < 3:
        np.testing.assert_allclose(errors[-1], leading[-1], rtol=0.02)


@pytest.mark.parametrize("order", ORDERS)
def test_means_stay_probabilities_where_weights_are_huge(order):
    model = oracle_model(scale=300.0)
    v, h = means_for(model, 5)
    for dtype in (np.float64, np.float32):
        params = library_params(model, dtype)
        point = tap(BINARY, params, v.astype(dtype), h.astype(dtype), order=order, n_iter=50)
        assert min(point.v.min(), point.h.min()) >= 0
        assert max(point.v.max(), point.h.max()) <= 1
        assert np.isfinite(tap_free_energy(params, point.v, point.h, order)).all()


def test_the_expansion_refuses_other_units_and_orders():
    model = oracle_model("gaussian", "bernoulli")
    start = [np.zeros((1, 4)), np.zeros((1, 3))]
    with pytest.raises(ValueError, match="Gaussian and Bernoulli"):
        tap(library_model(model), library_params(model), *start)
    with pytest.raises(ValueError, match=r"order must be 1, 2 or 3. Got 4"):
        tap(BINARY, library_params(oracle_model()), *start, order=4)


# The gradient --------------------------------------------------------------------------------


def estimate(record, model, X, *, weights=None, chains=None, dtype=np.float64):
    """One estimate by a fresh estimator: the gradient in the oracle's spelling, and the chains."""
    n, m = model.W.shape
    if chains is None:
        chains = ChainState(np.zeros((0, m), dtype), np.zeros(n, dtype), np.zeros(m, dtype))
    params, gradient = library_params(model, dtype), library_params(model, dtype)
    bound = record.bind(library_model(model), gradient, len(X), len(chains.h))
    gradient, chains, info = bound(params, Batch(X.astype(dtype), weights), chains, KEY)
    assert info.finite
    return oracle_params(gradient), chains


def chains_at(model, v, h):
    return ChainState(h.copy(), np.zeros(len(model.b)), np.zeros(len(model.c)), (v.copy(),))


ORDERS_AND_PAIRS = [(order, PAIRS[0]) for order in ORDERS] + [(1, pair) for pair in PAIRS[1:]]


@pytest.mark.parametrize(("order", "pair"), ORDERS_AND_PAIRS)
def test_at_the_fixed_point_it_is_the_slope_of_the_estimated_likelihood(order, pair):
    """The total derivative, the fixed point moving along, by which Gamma is stationary."""
    model = oracle_model(*pair, scale=0.5)
    X = rows_for(model, 5)
    point = settled(model, order if pair == PAIRS[0] else None)
    record = TAP(order, 1, 0.0, persistent=True, centered=False)
    gradient, _ = estimate(record, model, X, chains=chains_at(model, point.v, point.h))
    slope = rbm_gradients.finite_differences(
        lambda m: rbm_mean_field.estimated_log_likelihood(m, X, order), model
    )
    np.testing.assert_allclose(flat(gradient), flat(slope), rtol=0, atol=1e-7)


def twin(model, X, weights, runs, run_weights, n_iter, damping, order):
    """The plain gradient from magnetisations `runs`, and where these end."""
    ends = [rbm_mean_field.iterate(model, *run, n_iter, damping, order) for run in runs]
    negative = rbm_gradients.weighted_sum(
        run_weights, [rbm_mean_field.statistics_at(model, *end, order) for end in ends]
    )
    data = [rbm_gradients.statistics_given_visible(model, v) for v in X]
    positive = rbm_gradients.weighted_sum(weights, data)
    return rbm_gradients.weighted_sum([1.0, -1.0], [positive, negative]), ends


@pytest.mark.parametrize("order", ORDERS)
def test_two_updates_of_persistent_magnetisations_are_their_twins(order):
    """Seven rows with weights against three sets of magnetisations."""
    model = oracle_model()
    X, v_h = rows_for(model, 7), means_for(model, 3)
    weights = np.arange(1, 8) / 28
    record = TAP(order, 2, 0.3, n_chains=3, persistent=True, centered=False)
    runs, chains = list(zip(*v_h, strict=True)), chains_at(model, *v_h)
    for _ in range(2):
        gradient, chains = estimate(record, model, X, weights=weights, chains=chains)
        expected, runs = twin(model, X, weights, runs, [1 / 3] * 3, 2, 0.3, order)
        np.testing.assert_allclose(flat(gradient), flat(expected), rtol=0, atol=1e-8)
        np.testing.assert_allclose(
            chains.gradient_state[0], [run[0] for run in runs], rtol=0, atol=1e-12
        )
        np.testing.assert_allclose(chains.h, [run[1] for run in runs], rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_magnetisations_that_start_at_the_rows_are_their_twins(order):
    model = oracle_model()
    X = rows_for(model, 5)
    weights = np.arange(1, 6) / 15
    runs = [(v, rbm.hidden_moments(model, v)[0]) for v in X]
    record = TAP(order, n_iter=3, damping=0.4, persistent=False, centered=False)
    gradient, chains = estimate(record, model, X, weights=weights)
    expected, _ = twin(model, X, weights, runs, weights, 3, 0.4, order)
    np.testing.assert_allclose(flat(gradient), flat(expected), rtol=0, atol=1e-8)
    assert chains.h.shape == (0, 3) and chains.gradient_state == ()


@pytest.mark.parametrize("pair", PAIRS)
def test_hidden_magnetisations_alone_bring_the_visible_ones(pair):
    """As where chains of another estimator, or of an earlier fit, are gone on with."""
    model = oracle_model(*pair)
    _, h = means_for(model, 3)
    chains = chains_at(model, np.zeros((3, 4)), h)
    v = np.array([rbm.visible_moments(model, row)[0] for row in h])
    X, record = rows_for(model, 4), TAP(1, n_chains=3, persistent=True, centered=False)
    found, _ = estimate(record, model, X, chains=chains._replace(gradient_state=()))
    expected, _ = estimate(record, model, X, chains=chains._replace(gradient_state=(v,)))
    np.testing.assert_allclose(flat(found), flat(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("order", "pair"), ORDERS_AND_PAIRS)
def test_centring_carries_the_gradient_to_other_offsets(order, pair):
    model = oracle_model(*pair)
    X, (v, h) = rows_for(model, 5), means_for(model, 3)
    rng = np.random.default_rng(5)
    mu, lam = rng.uniform(size=4), rng.uniform(size=3)
    plain, _ = estimate(
        TAP(order, persistent=True, centered=False), model, X, chains=chains_at(model, v, h)
    )
    state = ChainState(h.copy(), mu.copy(), lam.copy(), (v.copy(),))
    gradient, chains = estimate(TAP(order, persistent=True), model, X, chains=state)
    mean_v = np.mean([rbm.interaction(x, model.z) for x in X], axis=0)
    mean_h = np.mean(
        [rbm.interaction(rbm.hidden_moments(model, x)[0], model.zh) for x in X], axis=0
    )
    mu, lam = mu + SLIDING_FACTOR * (mean_v - mu), lam + SLIDING_FACTOR * (mean_h - lam)
    np.testing.assert_allclose(chains.visible_offset, mu, rtol=1e-13)
    np.testing.assert_allclose(chains.hidden_offset, lam, rtol=1e-13)
    np.testing.assert_allclose(flat(gradient), flat(centred(plain, mu, lam)), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("order", "pair"), ORDERS_AND_PAIRS)
def test_single_precision_stays_and_rounds(order, pair):
    model = oracle_model(*pair)
    X, (v, h) = rows_for(model, 5), means_for(model, 3)
    double, _ = estimate(TAP(order, persistent=True), model, X, chains=chains_at(model, v, h))
    state = chains_at(model, v, h)
    state = ChainState(*(x.astype(np.float32) for x in state[:3]), (v.astype(np.float32),))
    single, chains = estimate(TAP(order, persistent=True), model, X, chains=state, dtype=np.float32)
    assert {x.dtype for x in (*chains[:3], *chains.gradient_state)} == {np.dtype(np.float32)}
    np.testing.assert_allclose(flat(single), flat(double), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("field", ["W", "visible", "hidden"])
def test_what_is_not_finite_is_reported_and_not_kept(field, persistent):
    model = oracle_model()
    params, (v, h) = library_params(model), means_for(model, 3)
    target = params.W if field == "W" else getattr(params, field).bias
    target.flat[0] = np.nan
    chains = chains_at(model, v, h)
    bound = TAP(persistent=persistent).bind(BINARY, library_params(model), 5, 3)
    _, chains, info = bound(params, Batch(rows_for(model, 5)), chains, KEY)
    assert not info.finite
    assert np.isfinite(chains.h).all() and np.isfinite(chains.gradient_state[0]).all()


def test_rows_written_to_the_buffer_count_as_rows_handed_over():
    model = oracle_model()
    X, (v, h) = rows_for(model, 3), means_for(model, 2)
    bound = TAP(persistent=True).bind(BINARY, library_params(model), 5, 2)
    rows = bound.rows(3)
    rows[:] = X
    gradient, _, _ = bound(library_params(model), Batch(rows), chains_at(model, v, h), KEY)
    expected, _ = estimate(TAP(persistent=True), model, X, chains=chains_at(model, v, h))
    np.testing.assert_array_equal(flat(oracle_params(gradient)), flat(expected))


# Choices -------------------------------------------------------------------------------------


def test_names_and_counts():
    assert gradient_record("tap") == TAP(order=2, n_iter=3, damping=0.5)
    assert TAP(persistent=True).n_chains_for(13) == 13
    assert TAP(n_chains=5, persistent=True).n_chains_for(13) == 5
    assert TAP(n_chains=5, persistent=False).n_chains_for(13) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        *({"order": value} for value in (0, 4, 1.5, "2", True)),
        *({"n_iter": value} for value in (0, 2.5, None)),
        *({"damping": value} for value in (-0.1, 1, 1.0, 2, "0.5", np.nan)),
        *({"n_chains": value} for value in (0, -1, 1.5)),
    ],
    ids=str,
)
def test_wrong_settings_are_named(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        TAP(**wrong)


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("pair", PAIRS[1:])
def test_higher_orders_are_for_bernoulli_units(pair, order):
    model = library_model(oracle_model(*pair))
    with pytest.raises(ValueError, match=r"two layers of Bernoulli units.*order=1"):
        TAP(order).bind(model, zero_params(model, 4, 3), 5, 5)
    visible, hidden = pair
    X = rows_for(oracle_model(*pair), 10)
    with pytest.raises(ValueError, match="order=1"):
        RBM(3, visible=visible, hidden=hidden, gradient=TAP(order)).fit(X)


# Learning ------------------------------------------------------------------------------------


def stripes(n_rows, seed=0):
    """Six bits: three copies of one and three of its complement, a tenth of them flipped."""
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.integers(0, 2, (n_rows, 1)), 6, axis=1)
    X[:, 3:] = 1 - X[:, 3:]
    return np.where(rng.random(X.shape) < 0.1, 1 - X, X).astype(float)


@pytest.mark.needs_jit
@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("order", ORDERS)
def test_training_raises_the_exact_likelihood(order, persistent):
    X = stripes(200)
    rbm = BernoulliRBM(
        3, gradient=TAP(order, persistent=persistent), n_iter=0, random_state=0, batch_size=20
    )
    before = rbm.fit(X).log_likelihood(X).mean()
    after = rbm.set_params(n_iter=40).fit(X).log_likelihood(X).mean()
    assert after > before + 0.3


def test_naive_mean_field_learns_real_data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) + 2 * rng.integers(0, 2, (200, 1))
    record = TAP(order=1, persistent=False)
    rbm = RBM(2, visible="gaussian", gradient=record, n_iter=0, random_state=0, learning_rate=0.02)
    before = rbm.fit(X).log_likelihood(X).mean()
    after = rbm.set_params(n_iter=40).fit(X).log_likelihood(X).mean()
    assert after > before + 0.1


def test_fit_keeps_the_magnetisations():
    X = stripes(60)
    rbm = BernoulliRBM(3, gradient=TAP(persistent=True), n_iter=3, random_state=0).fit(X)
    assert rbm.h_samples_.shape == (10, 3)
    assert ((rbm.h_samples_ > 0) & (rbm.h_samples_ < 1)).all()
    again = BernoulliRBM(**rbm.get_params(deep=False)).fit(X)
    np.testing.assert_array_equal(rbm.components_, again.components_)
