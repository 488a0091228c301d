"""ebm.gradients: the exact gradient, and contrastive estimates of it."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key, fold
from ebm.energies import states
from ebm.energies.bipartite import Bipartite
from ebm.gradients import (
    GRADIENTS,
    Batch,
    ChainState,
    ContrastiveDivergence,
    Exact,
    PersistentContrastiveDivergence,
    gradient_record,
)
from ebm.gradients.base import SLIDING_FACTOR
from ebm.units import Gaussian
from tests.checks import (
    assert_exact_gradient,
    assert_expects_contrastive_divergence,
    assert_moves_on,
    centred,
)
from tests.models import (
    PAIRS,
    flat,
    hidden_rows_for,
    library_model,
    library_params,
    oracle_model,
    oracle_params,
    rows_for,
    zero_params,
)
from tests.oracles import draws, rbm, rbm_gibbs, rbm_gradients
from tests.statistics import assert_same_mean

KEY = Key(11, 22)
DTYPES = [np.float64, np.float32]


def no_chains(model, dtype=np.float64, mu=0.0, lam=0.0):
    n, m = model.W.shape
    return ChainState(
        np.zeros((0, m), dtype), np.full(n, mu, dtype) + 0, np.full(m, lam, dtype) + 0
    )


def offsets(model, seed=5):
    rng = np.random.default_rng(seed)
    return rng.uniform(size=len(model.b)), rng.uniform(size=len(model.c))


def estimate(record, model, X, key=KEY, *, weights=None, chains=None, dtype=np.float64, size=None):
    """One estimate by a fresh estimator: the gradient in the oracle's spelling, and the chains."""
    X = np.asarray(X, dtype)
    chains = no_chains(model, dtype) if chains is None else chains
    params = library_params(model, dtype)
    gradient = library_params(model, dtype)
    bound = record.bind(library_model(model), gradient, size or len(X), len(chains.h))
    gradient, chains, info = bound(params, Batch(X, weights), chains, key)
    assert info.finite
    return oracle_params(gradient), chains


def reused(record, model, X, *, weights=None, h=None, mu=None, lam=None):
    """A function of a seed: the estimates of one estimator, its state put back before each call."""
    params, gradient = library_params(model), library_params(model)
    start = no_chains(model)
    start = ChainState(
        start.h if h is None else h,
        start.visible_offset if mu is None else mu,
        start.hidden_offset if lam is None else lam,
    )
    bound = record.bind(library_model(model), gradient, len(X), len(start.h))

    def call(seed):
        chains = ChainState(*(x.copy() for x in start[:3]))
        bound(params, Batch(X, weights), chains, fold(KEY, seed))
        return oracle_params(gradient)

    return call


def slid(offset, mean):
    return offset + SLIDING_FACTOR * (mean - offset)


def mean_statistics(model, X, weights):
    """The data's means of s(v) and of E[s(h) | v]."""
    s_v = np.array([rbm.interaction(v, model.z) for v in X])
    s_h = np.array([rbm.interaction(rbm.hidden_moments(model, v)[0], model.zh) for v in X])
    return weights @ s_v, weights @ s_h


def contrastive_twin(model, X, key, n_steps, *, weights=None, h=None):
    """The plain estimate on the same random numbers, and the chains' new hidden states."""
    persistent = h is not None
    if not persistent:
        h = draws.hidden(model, X, draws.fold(key, 0))
    for step in range(n_steps):
        v = draws.visible(model, h, draws.fold(key, 2 * step + 1))
        if persistent or step < n_steps - 1:
            h = draws.hidden(model, v, draws.fold(key, 2 * step + 2))
    w = np.full(len(X), 1 / len(X)) if weights is None else weights
    u = np.full(len(v), 1 / len(v)) if persistent else w
    rows = [rbm_gradients.statistics_given_visible(model, row) for row in [*X, *v]]
    return rbm_gradients.weighted_sum([*w, *-u], rows), h


# Exact ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 2), (2, 3)])
@pytest.mark.parametrize("pair", PAIRS[:3])
def test_exact_is_the_slope_of_the_log_likelihood(pair, shape):
    model = oracle_model(*pair, shape)
    X = rows_for(model, 5)
    gradient, _ = estimate(Exact(centered=False), model, X)
    assert_exact_gradient(gradient, model, X)


@pytest.mark.needs_jit
def test_exact_merges_blocks_of_states():
    model = oracle_model(shape=(12, 13), scale=0.3)
    X = rows_for(model, 3)
    gradient, _ = estimate(Exact(centered=False), model, X)
    v = rbm.all_states(12)
    fields = v @ model.W + model.c
    log_p = v @ model.b + np.logaddexp(0, fields).sum(axis=1)
    p = np.exp(log_p - rbm.log_sum_exp(log_p))
    h, h_data = 1 / (1 + np.exp(-fields)), 1 / (1 + np.exp(-(X @ model.W + model.c)))
    expected = X.T @ h_data / len(X) - (v * p[:, np.newaxis]).T @ h
    np.testing.assert_allclose(gradient.W, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
def test_exact_gradient_vanishes_at_the_models_own_law(hidden):
    model = oracle_model("bernoulli", hidden, (2, 3))
    every_v = rbm.all_states(2)
    gradient, _ = estimate(
        Exact(centered=False), model, every_v, weights=rbm.visible_probabilities(model)
    )
    np.testing.assert_allclose(flat(gradient), 0, atol=1e-13)


@pytest.mark.parametrize("block", [1, 3, 8])
@pytest.mark.parametrize("pair", PAIRS[:3])
def test_exact_does_not_depend_on_the_size_of_the_blocks(pair, block, monkeypatch):
    model = oracle_model(*pair, (3, 3))
    X = rows_for(model, 4)
    whole, _ = estimate(Exact(), model, X)
    monkeypatch.setattr(states, "BLOCK", block)
    parts, _ = estimate(Exact(), model, X)
    np.testing.assert_allclose(flat(parts), flat(whole), rtol=0, atol=1e-13)


def test_exact_in_single_precision_is_the_rounded_gradient():
    model = oracle_model("gaussian", "bernoulli")
    X = rows_for(model, 6).astype(np.float32)
    single, _ = estimate(Exact(), model, X, dtype=np.float32)
    double, _ = estimate(Exact(), model, X.astype(np.float64))
    np.testing.assert_allclose(flat(single), flat(double), rtol=3e-6, atol=3e-6)


def test_exact_centred_gradient_is_melchiors():
    model = oracle_model()
    X = rows_for(model, 6)
    mu, lam = offsets(model)
    gradient, chains = estimate(
        Exact(), model, X, chains=ChainState(np.zeros((0, 3)), mu.copy(), lam.copy())
    )
    expected = rbm_gradients.centred_gradient(model, X, chains.visible_offset, chains.hidden_offset)
    np.testing.assert_allclose(flat(gradient), flat(expected), rtol=0, atol=1e-12)
    mean_v, mean_h = mean_statistics(model, X, np.full(6, 1 / 6))
    np.testing.assert_allclose(chains.visible_offset, slid(mu, mean_v), rtol=1e-14)
    np.testing.assert_allclose(chains.hidden_offset, slid(lam, mean_h), rtol=1e-14)


@pytest.mark.parametrize("pair", PAIRS[:3])
def test_exact_weights_are_duplicates(pair):
    model = oracle_model(*pair)
    X, counts = rows_for(model, 4), np.array([1, 3, 0, 2])
    weighted, _ = estimate(Exact(), model, X, weights=counts / counts.sum())
    repeated, _ = estimate(Exact(), model, np.repeat(X, counts, axis=0))
    np.testing.assert_allclose(flat(weighted), flat(repeated), rtol=0, atol=1e-14)


def test_exact_refuses_what_cannot_be_enumerated():
    model = Bipartite(Gaussian(), Gaussian())
    gradient = zero_params(model, 3, 3)
    with pytest.raises(ValueError, match="two-state"):
        Exact().bind(model, gradient, 5, 0)
    model = library_model(oracle_model())
    with pytest.raises(ValueError, match="at most 25"):
        Exact().bind(model, zero_params(model, 26, 26), 5, 0)


# Contrastive divergence, on the same random numbers -------------------------------------------


@pytest.mark.parametrize("n_steps", [1, 3])
@pytest.mark.parametrize("pair", PAIRS)
def test_contrastive_divergence_equals_its_twin(pair, n_steps):
    model = oracle_model(*pair)
    X = rows_for(model, 5)
    gradient, _ = estimate(ContrastiveDivergence(n_steps, centered=False), model, X)
    expected, _ = contrastive_twin(model, X, KEY, n_steps)
    np.testing.assert_allclose(flat(gradient), flat(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_steps", [1, 3])
@pytest.mark.parametrize("pair", PAIRS)
def test_persistent_divergence_equals_its_twin(pair, n_steps):
    model = oracle_model(*pair)
    X, h = rows_for(model, 5), hidden_rows_for(model, 7)
    record = PersistentContrastiveDivergence(n_steps, 7, centered=False)
    chains = no_chains(model)._replace(h=h.copy())
    gradient, chains = estimate(record, model, X, chains=chains)
    expected, expected_h = contrastive_twin(model, X, KEY, n_steps, h=h)
    np.testing.assert_allclose(flat(gradient), flat(expected), rtol=0, atol=1e-12)
    np.testing.assert_allclose(chains.h, expected_h, rtol=0, atol=1e-12)


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("pair", PAIRS)
def test_centring_carries_the_plain_estimate_to_other_offsets(pair, persistent):
    """And the offsets slide towards the means of the data phase before they are used."""
    model = oracle_model(*pair)
    X, h = rows_for(model, 5), hidden_rows_for(model, 7)
    weights = np.array([1, 2, 3, 4, 5]) / 15
    mu, lam = offsets(model)
    record = PersistentContrastiveDivergence(2, 7) if persistent else ContrastiveDivergence(2)
    state = ChainState(h.copy() if persistent else np.zeros((0, 3)), mu.copy(), lam.copy())
    gradient, chains = estimate(record, model, X, weights=weights, chains=state)
    plain, _ = contrastive_twin(model, X, KEY, 2, weights=weights, h=h if persistent else None)
    mean_v, mean_h = mean_statistics(model, X, weights)
    np.testing.assert_allclose(chains.visible_offset, slid(mu, mean_v), rtol=1e-13)
    np.testing.assert_allclose(chains.hidden_offset, slid(lam, mean_h), rtol=1e-13)
    expected = centred(plain, slid(mu, mean_v), slid(lam, mean_h))
    np.testing.assert_allclose(flat(gradient), flat(expected), rtol=0, atol=1e-12)


def test_plain_gradients_leave_the_offsets_where_they_are():
    model = oracle_model()
    for record in (ContrastiveDivergence(centered=False), Exact(centered=False)):
        _, chains = estimate(record, model, rows_for(model, 5))
        assert not chains.visible_offset.any() and not chains.hidden_offset.any()


@pytest.mark.needs_jit
def test_offsets_converge_to_the_datas_means():
    model = oracle_model()
    X = rows_for(model, 5)
    bound = ContrastiveDivergence().bind(library_model(model), library_params(model), 5, 0)
    params, chains = library_params(model), no_chains(model)
    for step in range(2000):
        _, chains, _ = bound(params, Batch(X), chains, fold(KEY, step))
    mean_v, mean_h = mean_statistics(model, X, np.full(5, 1 / 5))
    np.testing.assert_allclose(chains.visible_offset, mean_v, atol=1e-7)
    np.testing.assert_allclose(chains.hidden_offset, mean_h, atol=1e-7)


@pytest.mark.parametrize("pair", PAIRS)
def test_single_precision_estimates_are_the_rounded_ones(pair):
    model = oracle_model(*pair)
    X = rows_for(model, 5).astype(np.float32)
    single, _ = estimate(ContrastiveDivergence(2), model, X, dtype=np.float32)
    double, _ = estimate(ContrastiveDivergence(2), model, X.astype(np.float64))
    np.testing.assert_allclose(flat(single), flat(double), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_rows", [1, 3, 5])
def test_a_short_batch_is_divided_by_its_own_count(n_rows):
    model = oracle_model("gaussian", "bernoulli")
    X, h = rows_for(model, n_rows), hidden_rows_for(model, 4)
    for record, state in (
        (ContrastiveDivergence(centered=False), None),
        (PersistentContrastiveDivergence(1, 4, centered=False), h),
    ):
        chains = no_chains(model) if state is None else no_chains(model)._replace(h=h.copy())
        gradient, _ = estimate(record, model, X, chains=chains, size=5)
        expected, _ = contrastive_twin(model, X, KEY, 1, h=state)
        np.testing.assert_allclose(flat(gradient), flat(expected), rtol=0, atol=1e-12)


def test_what_the_last_batch_left_in_the_buffers_is_not_seen():
    model = oracle_model()
    params, X = library_params(model), rows_for(model, 5)
    bound = ContrastiveDivergence().bind(library_model(model), library_params(model), 5, 0)
    bound(params, Batch(X), no_chains(model, mu=0.3, lam=0.7), KEY)
    gradient, _, _ = bound(params, Batch(X[:2]), no_chains(model), fold(KEY, 1))
    fresh, _ = estimate(ContrastiveDivergence(), model, X[:2], fold(KEY, 1))
    np.testing.assert_array_equal(flat(oracle_params(gradient)), flat(fresh))


def test_rows_written_to_the_buffer_count_as_rows_handed_over():
    model = oracle_model()
    X = rows_for(model, 3)
    for record in (ContrastiveDivergence(), Exact()):
        bound = record.bind(library_model(model), library_params(model), 5, 0)
        rows = bound.rows(3)
        rows[:] = X
        gradient, _, _ = bound(library_params(model), Batch(rows), no_chains(model), KEY)
        expected, _ = estimate(record, model, X)
        np.testing.assert_array_equal(flat(oracle_params(gradient)), flat(expected))


@pytest.mark.parametrize(
    "record", [ContrastiveDivergence(2), PersistentContrastiveDivergence(2, 4), Exact()], ids=repr
)
def test_the_callers_rows_are_left_alone(record):
    model = oracle_model("gaussian", "bernoulli")
    X = rows_for(model, 4)
    before = X.copy()
    X.flags.writeable = False
    chains = no_chains(model)._replace(h=np.zeros((record.n_chains_for(4), 3)))
    estimate(record, model, X, chains=chains)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize(("n_rows", "n_chains"), [(6, 4), (5, 5), (0, 4)])
def test_more_rows_or_chains_than_were_bound_are_refused(n_rows, n_chains):
    model = oracle_model()
    record = PersistentContrastiveDivergence(1, 4)
    bound = record.bind(library_model(model), library_params(model), 5, 4)
    chains = no_chains(model)._replace(h=np.zeros((n_chains, 3)))
    with pytest.raises(ValueError, match="bound for 1 to 5 rows and 4 chains"):
        bound(library_params(model), Batch(np.zeros((n_rows, 4))), chains, KEY)


@pytest.mark.parametrize(
    "record", [ContrastiveDivergence(), PersistentContrastiveDivergence(n_chains=3), Exact()]
)
@pytest.mark.parametrize("field", ["W", "visible", "hidden"])
def test_a_gradient_that_is_not_finite_is_reported(record, field):
    model = oracle_model("gaussian", "bernoulli")
    params = library_params(model)
    target = params.W if field == "W" else getattr(params, field).bias
    target.flat[0] = np.nan
    chains = no_chains(model)._replace(h=np.zeros((record.n_chains_for(5), 3)))
    bound = record.bind(library_model(model), library_params(model), 5, len(chains.h))
    with np.errstate(all="ignore"):
        assert not bound(params, Batch(rows_for(model, 5)), chains, KEY)[2].finite


@pytest.mark.parametrize(
    "record", [ContrastiveDivergence(), PersistentContrastiveDivergence(n_chains=3), Exact()]
)
def test_a_gradient_by_the_variances_alone_that_is_not_finite_is_reported(record):
    """The square of 1e200 overflows, while the gradients by weights and biases are finite."""
    model = oracle_model("gaussian", "bernoulli")
    X = rows_for(model, 5)
    X[0, 0] = 1e200
    chains = no_chains(model)._replace(h=np.zeros((record.n_chains_for(5), 3)))
    bound = record.bind(library_model(model), library_params(model), 5, len(chains.h))
    with np.errstate(all="ignore"):
        gradient, _, info = bound(library_params(model), Batch(X), chains, KEY)
    assert not np.isfinite(gradient.visible.log_variance[0])
    assert not info.finite


# Expectations --------------------------------------------------------------------------------


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 3])
def test_contrastive_divergence_has_the_enumerated_expectation(n_steps):
    model = oracle_model()
    X = rows_for(model, 6)
    plain = reused(ContrastiveDivergence(n_steps, centered=False), model, X)
    assert_expects_contrastive_divergence(plain, model, X, n_steps)


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 3])
def test_persistent_divergence_has_the_enumerated_expectation(n_steps):
    """Seven rows against five chains: each phase is divided by its own count."""
    model = oracle_model()
    X, h = rows_for(model, 7), hidden_rows_for(model, 5)
    record = PersistentContrastiveDivergence(n_steps, 5, centered=False)
    call = reused(record, model, X, h=h)
    samples = np.array([flat(call(i)) for i in range(3000)])
    law = np.mean([rbm.visible_given_hidden(model, row) for row in h], axis=0)
    transition = rbm_gibbs.visible_transition(model)
    for _ in range(n_steps - 1):
        law = law @ transition
    terms = [rbm_gradients.statistics_given_visible(model, v) for v in rbm.all_states(4)]
    negative = rbm_gradients.weighted_sum(law, terms)
    positive = rbm_gradients.data_statistics(model, X)
    assert_same_mean(samples, flat(positive) - flat(negative))


@pytest.mark.needs_jit
def test_centred_contrastive_divergence_has_the_centred_expectation():
    model = oracle_model()
    X = rows_for(model, 6)
    mu, lam = offsets(model)
    call = reused(ContrastiveDivergence(), model, X, mu=mu, lam=lam)
    samples = np.array([flat(call(i)) for i in range(3000)])
    mean_v, mean_h = mean_statistics(model, X, np.full(6, 1 / 6))
    plain = rbm_gradients.contrastive_divergence_gradient(model, X, 1)
    assert_same_mean(samples, flat(centred(plain, slid(mu, mean_v), slid(lam, mean_h))))


@pytest.mark.needs_jit
def test_weights_are_duplicates_in_expectation():
    model = oracle_model()
    X, counts = rows_for(model, 4), np.array([1, 4, 0, 2])
    weights = counts / counts.sum()
    call = reused(ContrastiveDivergence(centered=False), model, X, weights=weights)
    repeated = np.repeat(X, counts, axis=0)
    assert_expects_contrastive_divergence(call, model, repeated, 1)


@pytest.mark.needs_jit
def test_persistent_chains_go_on_where_they_stopped():
    model = oracle_model()
    start = np.array([0.0, 1.0, 1.0])
    record = PersistentContrastiveDivergence(1, 4000)
    bound = record.bind(library_model(model), library_params(model), 2, 4000)
    X, params = rows_for(model, 2), library_params(model)

    def update(seed, h):
        chains = no_chains(model)._replace(h=h)
        return bound(params, Batch(X), chains, fold(KEY, seed))[1].h

    assert_moves_on(update, model, start)


# Choices -------------------------------------------------------------------------------------


def test_names_stand_for_records():
    for name, cls in GRADIENTS.items():
        assert isinstance(gradient_record(name), cls)
    record = ContrastiveDivergence(n_steps=4)
    assert gradient_record(record) is record
    with pytest.raises(ValueError, match="gradient"):
        gradient_record("no such thing")


@pytest.mark.parametrize("n_steps", [0, -1, 1.5, True, "1"])
def test_a_count_of_steps_is_a_positive_integer(n_steps):
    for cls in (ContrastiveDivergence, PersistentContrastiveDivergence):
        with pytest.raises(ValueError, match="n_steps"):
            cls(n_steps=n_steps)


def test_a_count_of_chains_is_a_positive_integer_or_the_batch_size():
    assert PersistentContrastiveDivergence().n_chains_for(13) == 13
    assert PersistentContrastiveDivergence(n_chains=5).n_chains_for(13) == 5
    assert ContrastiveDivergence().n_chains_for(13) == Exact().n_chains_for(13) == 0
    with pytest.raises(ValueError, match="n_chains"):
        PersistentContrastiveDivergence(n_chains=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pair", PAIRS)
def test_offsets_start_at_the_means(pair, dtype):
    model = oracle_model(*pair)
    params = library_params(model, dtype)
    mean = rows_for(model, 9).mean(axis=0).astype(dtype)
    record = PersistentContrastiveDivergence(n_chains=6)
    chains = record.start(library_model(model), params, mean, 10, KEY)
    assert chains.h.shape == (6, 3)
    assert {x.dtype for x in chains[:3]} == {np.dtype(dtype)}
    np.testing.assert_allclose(chains.visible_offset, rbm.interaction(mean, model.z), rtol=1e-6)
    at_rest = 1 / (1 + np.exp(-model.c)) if model.zh is None else model.c * np.exp(-model.zh)
    np.testing.assert_allclose(chains.hidden_offset, at_rest, rtol=1e-5)
    plain = PersistentContrastiveDivergence(n_chains=6, centered=False)
    chains = plain.start(library_model(model), params, mean, 10, KEY)
    assert not chains.visible_offset.any() and not chains.hidden_offset.any()
