"""ebm.gradients for pairwise models: expectations by enumeration, slopes by differences, what training keeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ebm import training
from ebm._batches import Rows
from ebm._random import Key, fold
from ebm.gradients import (
    Batch,
    ChainState,
    ContrastiveDivergence,
    Exact,
    PersistentContrastiveDivergence,
)
from ebm.optimizers import OPTIMIZERS, Regularization, optimizer_record, schedule_record
from tests.checks.sweeps import assert_expects, assert_is_the_slope, centred, pair_vector
from tests.models.pairwise import STATES, draws_from, rows_of, spelled
from tests.oracles import draws, pairwise, pairwise_sweeps
from tests.oracles.pairwise import BINARY, SPIN, random_pairwise

KEY = Key(51, 52)
WEIGHTS = np.array([1.0, 2.0, 3.0, 4.0, 5.0]) / 15
every_state = pytest.mark.parametrize("states", STATES, ids=["binary", "spin"])
KINDS = ["visible", "apart", "joined", "lattice"]
every_kind = pytest.mark.parametrize("kind", KINDS)
both = pytest.mark.parametrize("persistent", [False, True], ids=["cd", "pcd"])


def machine(kind, states):
    """An oracle and its mask: no hidden units, two that are not joined, two that are; not all pairs joined."""
    n_hidden = 0 if kind == "visible" else 2
    scale = 2.0 if states == SPIN else 4.0
    oracle = random_pairwise(5, states, n_hidden, seed=5, scale=scale)
    mask = np.ones((5, 5), bool)
    if kind == "apart":
        mask[3, 4] = mask[4, 3] = False
    if kind == "lattice":
        mask = np.zeros((5, 5), bool)
        for i in range(5):
            mask[i, (i + 1) % 5] = mask[(i + 1) % 5, i] = True
    np.fill_diagonal(mask, False)
    return replace(oracle, J=oracle.J * mask), mask


def estimator(oracle, record, mask=None, *, n_rows=5, n_chains=0, dtype=np.float64):
    """A function (X, weights, chains, mu, seed) -> (gradient, chains) with buffers that are used again."""
    model, params = spelled(oracle, dtype, mask)
    vector = np.zeros(oracle.n * (oracle.n + 1), dtype)
    gradient = model.unpack(vector, oracle.n_visible, oracle.n_hidden)
    bound = record.bind(model, gradient, n_rows, n_chains)

    def call(X, weights=None, chains=None, mu=None, seed=0):
        h = np.zeros((0, oracle.n), dtype) if chains is None else chains.astype(dtype)
        mu = np.zeros(oracle.n, dtype) if mu is None else mu.astype(dtype)
        state = ChainState(h, mu, np.zeros(0, dtype))
        batch = Batch(X.astype(dtype), weights)
        found, state, info = bound(params, batch, state, fold(KEY, seed))
        assert info.finite
        return tuple(x.copy() for x in found), state

    return call


def joined(gradient, mask):
    """The part of it that belongs to pairs that are joined."""
    return gradient[0] * mask, gradient[1]


def means_of(oracle, X):
    """Of the hidden units given rows: exact where they are independent, else of mean field."""
    return np.array([pairwise_sweeps.mean_field(oracle, v) for v in X])


# Exact ---------------------------------------------------------------------------------------


@every_state
@every_kind
def test_the_exact_gradient_is_the_slope_of_the_log_likelihood(kind, states):
    oracle, mask = machine(kind, states)
    X = rows_of(oracle, 5, oracle.n_visible)
    found, _ = estimator(oracle, Exact(centered=False), mask)(X, WEIGHTS)
    expected = joined(pairwise.log_likelihood_gradient(oracle, X, WEIGHTS), mask)
    np.testing.assert_allclose(pair_vector(found), pair_vector(expected), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found[0], found[0].T)
    if kind == "lattice":
        assert not found[0][~mask].any()
    else:
        whole = pairwise.log_likelihood_gradient(oracle, X, WEIGHTS)
        J = np.where(mask, found[0], whole[0])
        assert_is_the_slope((J, found[1]), oracle, X, WEIGHTS)


@every_state
@every_kind
def test_the_centred_gradient_is_that_of_the_parameters_with_offsets(kind, states):
    """And so, up to positive factors, as much uphill as the plain one."""
    oracle, mask = machine(kind, states)
    X = rows_of(oracle, 5, oracle.n_visible)
    mu = np.random.default_rng(4).uniform(*states, 5)
    plain, _ = estimator(oracle, Exact(centered=False), mask)(X, WEIGHTS, mu=mu)
    offsets = mu + 0.01 * (pairwise.data_statistics(oracle, X, WEIGHTS)[1] - mu)
    found, chains = estimator(oracle, Exact(), mask)(X, WEIGHTS, mu=mu)
    np.testing.assert_allclose(chains.visible_offset, offsets, rtol=0, atol=1e-13)
    without = joined(pairwise.log_likelihood_gradient(oracle, X, WEIGHTS), mask)
    for gradient, at in ((found, offsets), (plain, mu)):
        expected = centred(without, at, mask)
        np.testing.assert_allclose(pair_vector(gradient), pair_vector(expected), rtol=0, atol=1e-12)
        assert pair_vector(gradient) @ pair_vector(without) > 0


def test_at_the_law_of_the_data_the_exact_gradient_vanishes():
    oracle, mask = machine("visible", SPIN)
    X = pairwise.all_states(oracle)
    found, _ = estimator(oracle, Exact(), mask, n_rows=32)(X, pairwise.probabilities(oracle))
    np.testing.assert_allclose(pair_vector(found), 0, atol=1e-14)


# Contrastive divergence, persistent or not -----------------------------------------------------


@pytest.mark.needs_jit
@every_state
@pytest.mark.parametrize("n_steps", [1, 3])
@every_kind
def test_expectation_of_contrastive_divergence(kind, n_steps, states):
    """The rows have weights, in both phases."""
    oracle, mask = machine(kind, states)
    X = rows_of(oracle, 5, oracle.n_visible)
    call = estimator(oracle, ContrastiveDivergence(n_steps, centered=False), mask)
    means = means_of(oracle, X)
    args = (oracle, X, n_steps, WEIGHTS, means)
    expected = joined(pairwise_sweeps.contrastive_divergence_gradient(*args), mask)
    assert_expects(lambda i: call(X, WEIGHTS, seed=i)[0], expected, 1500)


@pytest.mark.needs_jit
@every_state
@every_kind
def test_equal_weights_are_none(kind, states):
    oracle, mask = machine(kind, states)
    X = rows_of(oracle, 5, oracle.n_visible)
    call = estimator(oracle, ContrastiveDivergence(), mask)
    for one, other in zip(call(X)[0], call(X, np.full(5, 0.2))[0], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-15)


@every_state
@every_kind
@both
def test_one_estimate_equals_its_twin_on_the_same_numbers(persistent, kind, states):
    """Positive phase by the oracle's means, negative phase by its sweeps; then centred by its matrix."""
    oracle, mask = machine(kind, states)
    X, h = rows_of(oracle, 5, oracle.n_visible), rows_of(oracle, 3)
    mu = np.random.default_rng(4).uniform(*states, 5)
    choice = PersistentContrastiveDivergence if persistent else ContrastiveDivergence
    call = estimator(oracle, choice(n_steps=2), mask, n_chains=3 if persistent else None)
    found, chains = call(X, WEIGHTS, h if persistent else None, mu, seed=7)
    key, data = draws.fold(KEY, 7), np.hstack([X, means_of(oracle, X)])
    s = h if persistent else np.hstack([X, first_hidden(oracle, data, key)])
    for step in range(2):
        u = draws.uniforms(draws.fold(key, step), len(s), 5)
        s = [
            pairwise_sweeps.heat_bath_sweep(oracle, row, range(5), numbers)
            for row, numbers in zip(s, u, strict=True)
        ]
    if persistent:
        np.testing.assert_array_equal(chains.h, s)
    offsets = mu + 0.01 * (WEIGHTS @ data - mu)
    # Mean field comes to rest at 1e-4 of the gap between the states, on average.
    tolerance = 1e-12 if kind not in ("joined", "lattice") else 2e-3
    np.testing.assert_allclose(chains.visible_offset, offsets, rtol=0, atol=tolerance)
    shares = np.full(3, 1 / 3) if persistent else WEIGHTS
    plain = [
        sum(w * x for w, x in zip(WEIGHTS, map(part, data), strict=True))
        - sum(w * x for w, x in zip(shares, map(part, s), strict=True))
        for part in (lambda x: pairwise.statistics(x)[0], lambda x: pairwise.statistics(x)[1])
    ]
    expected = centred(joined(plain, mask), chains.visible_offset, mask)
    np.testing.assert_allclose(pair_vector(found), pair_vector(expected), rtol=0, atol=tolerance)


def first_hidden(oracle, data, key):
    """Hidden states with these means."""
    (low, high), n = oracle.states, oracle.n_visible
    p = (data[:, n:] - low) / (high - low)
    u = draws.uniforms(draws.fold(key, 1 << 20), *p.shape)
    return np.where(u < p, high, low)


@pytest.mark.needs_jit
@every_state
@every_kind
def test_persistent_chains_that_follow_the_model_give_its_averages(kind, states):
    """Exact draws are exact draws after a sweep; chains and rows are each divided by their own count."""
    oracle, mask = machine(kind, states)
    X, n_chains, n = rows_of(oracle, 5, oracle.n_visible), 20, 1000
    model = pairwise.model_statistics(oracle)
    data = pairwise_sweeps.mean_field_statistics(oracle, X, WEIGHTS, means_of(oracle, X))
    record = PersistentContrastiveDivergence(1, n_chains, centered=False)
    call = estimator(oracle, record, mask, n_chains=n_chains)
    starts = draws_from(oracle, pairwise.probabilities(oracle), n * n_chains)
    starts = starts.reshape(n, n_chains, 5)
    expected = joined([a - b for a, b in zip(data, model, strict=True)], mask)
    assert_expects(lambda i: call(X, WEIGHTS, starts[i], seed=i)[0], expected, n)


@every_state
@both
def test_precision_goes_through_and_batches_may_be_short(persistent, states):
    oracle, mask = machine("joined", states)
    choice = PersistentContrastiveDivergence if persistent else ContrastiveDivergence
    args = (oracle, choice(), mask)
    n_chains, h = (3, rows_of(oracle, 3)) if persistent else (None, None)
    for dtype in (np.float32, np.float64):
        call = estimator(*args, n_rows=8, n_chains=n_chains, dtype=dtype)
        X = rows_of(oracle, 8, oracle.n_visible)
        call(X, chains=h)
        short, state = call(X[:2], chains=h, seed=1)
        fresh, _ = estimator(*args, n_rows=2, n_chains=n_chains, dtype=dtype)(
            X[:2], chains=h, seed=1
        )
        for one, other in zip(short, fresh, strict=True):
            assert one.dtype == state.h.dtype == state.visible_offset.dtype == dtype
            np.testing.assert_array_equal(one, other)


# Training ------------------------------------------------------------------------------------


def trained(oracle, X, record, mask=None, *, n_epochs=3, weights=None, **settings):
    """The state after some epochs."""
    model, _ = spelled(oracle, mask=mask)
    plan = training.Plan(
        record,
        optimizer_record(settings.pop("optimizer", "sgd")),
        schedule_record("constant"),
        settings.pop("rate", 0.05),
        settings.pop("weight_decay", 0.0),
        settings.pop("batch_size", 4),
        settings.pop("seed", 3),
        Regularization(**settings),
    )
    rows = Rows(X, weights)
    state = training.start(model, rows, oracle.n_hidden, plan)
    assert training.train(state, rows, plan, n_epochs) == ""
    return state


@every_state
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@both
def test_couplings_stay_symmetric_and_zero_where_there_are_none(persistent, optimizer, states):
    """Bit for bit, with penalties and limits, in ragged batches."""
    oracle, mask = machine("lattice", states)
    record = PersistentContrastiveDivergence(n_chains=6) if persistent else ContrastiveDivergence()
    held = {"weight_decay": 0.1, "l1": 0.01, "clip_norm": 1.0}
    X = rows_of(oracle, 9, oracle.n_visible)
    state = trained(oracle, X, record, mask, optimizer=optimizer, **held)
    J = state.params.J
    np.testing.assert_array_equal(J, J.T)
    assert not J[~mask].any()
    assert np.isfinite(J).all() and J[mask].all()


@pytest.mark.needs_jit
@pytest.mark.parametrize(("optimizer", "states"), [("sgd", BINARY), ("adam", SPIN)])
def test_exact_learning_of_a_visible_machine_reaches_the_moments_of_the_data(optimizer, states):
    oracle, mask = machine("lattice", states)
    oracle = replace(oracle, n_hidden=0, J=0.5 * oracle.J)
    X = draws_from(oracle, pairwise.probabilities(oracle), 500)
    settings = {"n_epochs": 800, "batch_size": 500, "optimizer": optimizer}
    rate = 0.03 if optimizer == "adam" else 1.0
    found = trained(oracle, X, Exact(), mask, rate=rate, **settings).params
    after = replace(oracle, J=found.J, b=found.bias)
    own, data = pairwise.model_statistics(after), pairwise.data_statistics(oracle, X)
    np.testing.assert_allclose(own[0][mask], data[0][mask], rtol=0, atol=1e-3)
    np.testing.assert_allclose(own[1], data[1], rtol=0, atol=1e-3)


@pytest.mark.needs_jit
@every_state
@both
def test_fair_coins_do_not_drift(persistent, states):
    """Batches of 10 and 50 chains: with a common divisor the biases would run off."""
    oracle = random_pairwise(4, states)
    X = pairwise.all_states(oracle)
    record = PersistentContrastiveDivergence(n_chains=50) if persistent else ContrastiveDivergence()
    settings = {"n_epochs": 200, "batch_size": 10, "rate": 0.02}
    found = trained(oracle, X, record, **settings).params
    as_spins = replace(oracle, J=found.J, b=found.bias)
    if states == BINARY:
        as_spins = pairwise.in_other_states(as_spins)
    assert np.abs(as_spins.b).max() < 0.2
    assert np.abs(as_spins.J).max() < 0.2


def test_hidden_units_without_couplings_still_start_different():
    oracle = random_pairwise(6, BINARY, 3)
    state = trained(oracle, rows_of(oracle, 8, 3), ContrastiveDivergence(), n_epochs=0)
    J = state.params.J
    assert not J[:3, :3].any() and not J.diagonal().any()
    np.testing.assert_array_equal(J, J.T)
    assert len(np.unique(np.abs(J[np.tril_indices(6, -1)]))) == 13  # twelve pairs, and zero
