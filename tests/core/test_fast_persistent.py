"""ebm.gradients: chains driven by fast weights, and chains with replicas, against enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key, fold
from ebm.gradients import (
    Batch,
    ChainState,
    FastPersistentContrastiveDivergence,
    ParallelTempering,
    PersistentContrastiveDivergence,
)
from ebm.gradients import tempered as module
from ebm.gradients.base import SLIDING_FACTOR
from tests.checks import assert_fast_weights, centred
from tests.models import (
    PAIRS,
    flat,
    hidden_rows_for,
    library_model,
    library_params,
    oracle_model,
    oracle_params,
    path_of,
    rows_for,
)
from tests.oracles import annealing, rbm, rbm_gradients, tempering
from tests.statistics import assert_same_mean

KEY = Key(51, 52)
FPCD, PT = FastPersistentContrastiveDivergence, ParallelTempering
both_ways = pytest.mark.parametrize("centered", [False, True])
WEIGHTS = np.array([1, 2, 3, 4, 5]) / 15


def offsets(model, centered):
    rng = np.random.default_rng(5)
    mu, lam = rng.uniform(size=len(model.b)), rng.uniform(size=len(model.c))
    return (mu, lam) if centered else (0 * mu, 0 * lam)


def slid(model, X, weights, centered):
    """The offsets after they have slid towards the data's means, before they are used."""
    mu, lam = offsets(model, centered)
    weights = np.full(len(X), 1 / len(X)) if weights is None else weights
    s_v = weights @ np.array([rbm.interaction(v, model.z) for v in X])
    h = [rbm.hidden_moments(model, v)[0] for v in X]
    s_h = weights @ np.array([rbm.interaction(row, model.zh) for row in h])
    rate = SLIDING_FACTOR if centered else 0
    return mu + rate * (s_v - mu), lam + rate * (s_h - lam)


def copied(chains):
    h, mu, lam, own = chains
    return ChainState(h.copy(), mu.copy(), lam.copy(), tuple(x.copy() for x in own))


def caller(record, model, X, chains, *, weights=None, dtype=np.float64, size=None):
    """Estimates from copies of the same chains: (gradient, chains), a function of the key."""
    params, gradient = library_params(model, dtype), library_params(model, dtype)
    bound = record.bind(library_model(model), gradient, size or len(X), len(chains.h))
    X = np.asarray(X, dtype)

    def call(key=KEY):
        found, after, info = bound(params, Batch(X.copy(), weights), copied(chains), key)
        assert info.finite
        return oracle_params(found), after

    return call


# Fast weights --------------------------------------------------------------------------------


def fast_chains(model, h, fast, centered=True, dtype=np.float64):
    mu, lam = offsets(model, centered)
    return ChainState(*(np.array(x, dtype) for x in (h, mu, lam)), (fast.astype(dtype),))


def fast_of(model, scale=0.3, seed=8):
    """Fast parameters: no fast variances."""
    other = oracle_model(shape=model.W.shape, seed=seed)
    z, zh = (None if x is None else 0 * x for x in (model.z, model.zh))
    return rbm.OracleRBM(scale * other.W, scale * other.b, scale * other.c, z, zh)


@both_ways
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_without_fast_weights_the_estimate_is_the_persistent_one(pair, centered):
    model = oracle_model(*pair)
    X, h = rows_for(model, 5), hidden_rows_for(model, 7)
    chains = fast_chains(model, h, np.zeros(flat(model).size), centered)
    found, after = caller(FPCD(2, 7, centered=centered), model, X, chains, weights=WEIGHTS)()
    plain = PersistentContrastiveDivergence(2, 7, centered)
    state = chains._replace(gradient_state=())
    expected, state = caller(plain, model, X, state, weights=WEIGHTS)()
    np.testing.assert_array_equal(flat(found), flat(expected))
    for a, b in zip(after[:3], state[:3], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_the_chains_follow_the_sum_of_slow_and_fast(pair):
    """Their states are those of persistent chains of that model; the data phase is the slow one's."""
    model = oracle_model(*pair)
    fast = fast_of(model)
    both = rbm_gradients.weighted_sum([1.0, 1.0], [model, fast])
    X, h = rows_for(model, 5), hidden_rows_for(model, 7)
    chains = fast_chains(model, h, flat(fast), False)
    found, after = caller(FPCD(2, 7, centered=False), model, X, chains)()
    plain = PersistentContrastiveDivergence(2, 7, centered=False)
    of_both, state = caller(plain, both, X, chains._replace(gradient_state=()))()
    np.testing.assert_allclose(after.h, state.h, rtol=0, atol=1e-12)
    positive, also = (rbm_gradients.data_statistics(m, X) for m in (model, both))
    if model.z is None and model.zh is None:
        expected = flat(positive) - (flat(also) - flat(of_both))
        np.testing.assert_allclose(flat(found), expected, rtol=0, atol=1e-12)


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 3])
@both_ways
def test_fast_persistent_divergence_has_the_enumerated_expectation(n_steps, centered):
    """Seven rows against five chains: each phase is divided by its own count."""
    model = oracle_model()
    fast, X, h = fast_of(model), rows_for(model, 7), hidden_rows_for(model, 5)
    record = FPCD(n_steps, 5, centered=centered)
    call = caller(record, model, X, fast_chains(model, h, flat(fast), centered))
    samples = np.array([flat(call(fold(KEY, i))[0]) for i in range(3000)])
    plain = rbm_gradients.fast_weights_gradient(model, fast, X, h, n_steps)
    assert_same_mean(samples, flat(centred(plain, *slid(model, X, None, centered))))


@pytest.mark.needs_jit
def test_weighted_rows_are_repeated_rows_in_expectation():
    model = oracle_model()
    fast, X, h = fast_of(model), rows_for(model, 4), hidden_rows_for(model, 5)
    counts = np.array([1, 4, 0, 2])
    chains = fast_chains(model, h, flat(fast), False)
    call = caller(FPCD(1, 5, centered=False), model, X, chains, weights=counts / counts.sum())
    samples = np.array([flat(call(fold(KEY, i))[0]) for i in range(3000)])
    repeated = np.repeat(X, counts, axis=0)
    assert_same_mean(samples, flat(rbm_gradients.fast_weights_gradient(model, fast, repeated, h)))


@both_ways
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fast_weights_decay_and_learn_as_by_hand(dtype, centered):
    model = oracle_model()
    X, h = rows_for(model, 5), hidden_rows_for(model, 7)

    def update(fast, rate, decay):
        chains = fast_chains(model, h, fast, centered, dtype)
        record = FPCD(1, 7, rate, decay, centered)
        found, after = caller(record, model, X, chains, dtype=dtype)()
        return flat(found), after.gradient_state[0]

    assert_fast_weights(update, flat(fast_of(model)), 1e-12 if dtype == np.float64 else 1e-6)


@pytest.mark.parametrize("pair", PAIRS[1:], ids="-".join)
def test_fast_weights_of_real_units_learn_in_their_units(pair):
    """As the slow ones are moved: by the rescaled gradient; variances are not fast."""
    model = oracle_model(*pair)
    X, h = rows_for(model, 5), hidden_rows_for(model, 7)
    fast = flat(fast_of(model))
    found, after = caller(FPCD(1, 7), model, X, fast_chains(model, h, fast))()
    library = library_model(model)
    step = library_params(found)
    library.rescale(library_params(model), step, after)
    for own in (*step.visible[1:], *step.hidden[1:]):
        own[:] = 0
    expected = 0.95 * fast + 0.1 * library.pack(step)
    np.testing.assert_allclose(after.gradient_state[0], expected, rtol=1e-11, atol=1e-13)
    again = library.unpack(after.gradient_state[0], 4, 3)
    assert not any(x.any() for x in (*again.visible[1:], *again.hidden[1:]))


def test_a_gradient_that_is_not_finite_leaves_the_fast_weights():
    model = oracle_model("gaussian", "bernoulli")
    params = library_params(model)
    params.W[0, 0] = np.nan
    chains = fast_chains(model, hidden_rows_for(model, 3), flat(fast_of(model)))
    before = chains.gradient_state[0].copy()
    bound = FPCD(1, 3).bind(library_model(model), library_params(model), 5, 3)
    with np.errstate(all="ignore"):
        _, after, info = bound(params, Batch(rows_for(model, 5)), chains, KEY)
    assert not info.finite
    np.testing.assert_array_equal(after.gradient_state[0], before)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fast_decay": 1.0}, "fast_decay must be below 1"),
        ({"fast_decay": -0.1}, "fast_decay must be a number"),
        ({"fast_learning_rate": 0}, "fast_learning_rate must be a number"),
        ({"fast_learning_rate": np.nan}, "fast_learning_rate must be a number"),
        ({"n_steps": 0}, "n_steps must be an integer"),
        ({"n_chains": 0}, "n_chains must be an integer"),
    ],
)
def test_settings_of_fast_weights_are_checked(settings, words):
    with pytest.raises(ValueError, match=words):
        FPCD(**settings)


# Replicas --------------------------------------------------------------------------------------

LADDER = (1.0, 0.6, 0.0)


def strong_path():
    path = path_of(shape=(2, 2))
    return annealing.Path(path.base, rbm.OracleRBM(3 * path.model.W, path.model.b, path.model.c))


def replica_chains(path, x, ladder, centered=True, dtype=np.float64, n_sweeps=0):
    """Chains whose replicas stand at x (replicas, chains, units)."""
    model, pairs = path.model, len(ladder) - 1
    mu, lam = offsets(model, centered)
    base = library_params(path.base, dtype)
    own = (
        np.array(x, dtype).reshape(-1, x.shape[-1]),
        np.array(ladder),
        np.zeros(pairs),
        np.zeros(pairs),
        np.array([n_sweeps]),
        *base.visible,
        *base.hidden,
        np.full(pairs, np.nan),
    )
    h = np.zeros((x.shape[1], len(model.c)), dtype)
    return ChainState(h, mu.astype(dtype), lam.astype(dtype), own)


def expected_by_tempering(path, ladder, X, start, n_steps=1, first=0):
    """From the state numbers ``start`` (chains, replicas): the data phase less that of replica 1."""
    table, law = annealing.tabulate(path), 0.0
    for states in start:
        here = np.zeros(len(table.V) ** len(ladder))
        here[np.ravel_multi_index(states, [len(table.V)] * len(ladder))] = 1
        for _ in range(n_steps):
            here = here @ tempering.gibbs_sweep(table, ladder)
        here = here @ tempering.swap_sweep(table, ladder, first)
        law = law + tempering.replica_law(here, len(ladder)) / len(start)
    terms = [rbm_gradients.statistics_given_visible(path.model, v) for v in table.V]
    negative = rbm_gradients.weighted_sum(law, terms)
    positive = rbm_gradients.data_statistics(path.model, X)
    return rbm_gradients.weighted_sum([1.0, -1.0], [positive, negative])


START = np.array([[2, 0, 3], [1, 1, 0], [0, 3, 2]])


@pytest.mark.needs_jit
@pytest.mark.parametrize(("n_steps", "first"), [(1, 0), (2, 1)])
@both_ways
def test_tempered_gradients_have_the_enumerated_expectation(n_steps, first, centered):
    """Five rows against three chains of three replicas each."""
    path = strong_path()
    X, table = rows_for(path.model, 5), annealing.tabulate(path)
    x = table.V[START].transpose(1, 0, 2)
    record = PT(n_steps, 3, 3, centered=centered)
    chains = replica_chains(path, x, LADDER, centered, n_sweeps=first)
    call = caller(record, path.model, X, chains)
    samples = np.array([flat(call(fold(KEY, i))[0]) for i in range(3000)])
    plain = expected_by_tempering(path, LADDER, X, START, n_steps, first)
    assert_same_mean(samples, flat(centred(plain, *slid(path.model, X, None, centered))))


def test_two_ways_to_the_expectation_agree():
    """From hidden states, as the oracle has it, averaged over those that a state v draws."""
    path = strong_path()
    X, ladder, start = rows_for(path.model, 5), (1.0, 0.4), np.array([[2, 0]])
    table, terms, weights = annealing.tabulate(path), [], []
    rows = [annealing.hidden_given_visible(table, t) for t in ladder]
    for i, p in enumerate(rows[0][2]):
        for j, q in enumerate(rows[1][0]):
            h = np.array([[table.H[i], table.H[j]]])
            terms.append(rbm_gradients.tempering_gradient(path, ladder, X, h))
            weights.append(p * q)
    mean = rbm_gradients.weighted_sum(weights, terms)
    expected = expected_by_tempering(path, ladder, X, start)
    np.testing.assert_allclose(flat(mean), flat(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
@both_ways
def test_tempered_phases_are_those_of_the_rows_and_of_the_replicas(pair, centered):
    """Whatever the units: the plain difference of data statistics over both, centred."""
    path = path_of(pair, (4, 3))
    X = rows_for(path.model, 5)
    x = np.array([rows_for(path.model, 6, seed=r) for r in range(3)])
    chains = replica_chains(path, x, LADDER, centered)
    call = caller(PT(1, 6, 3, centered=centered), path.model, X, chains, weights=WEIGHTS)
    found, after = call()
    assert after.gradient_state[4] == [1] and after.gradient_state[0].shape == (18, 4)
    rows = [*X, *after.gradient_state[0][:6]]
    terms = [rbm_gradients.statistics_given_visible(path.model, v) for v in rows]
    plain = rbm_gradients.weighted_sum([*WEIGHTS, *np.full(6, -1 / 6)], terms)
    mu, lam = slid(path.model, X, WEIGHTS, centered)
    np.testing.assert_allclose(flat(found), flat(centred(plain, mu, lam)), rtol=0, atol=1e-11)
    np.testing.assert_allclose(after.visible_offset, mu, rtol=1e-13)


@pytest.mark.parametrize("record", [FPCD(2, 6), PT(2, 6, 3)], ids=repr)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_single_precision_estimates_are_the_rounded_ones(record, pair):
    path = path_of(pair, (4, 3))
    X = rows_for(path.model, 5).astype(np.float32)
    x = np.array([rows_for(path.model, 6, seed=r) for r in range(3)]).astype(np.float32)
    found = []
    for dtype in (np.float32, np.float64):
        chains = replica_chains(path, x, LADDER, dtype=dtype)
        if isinstance(record, FPCD):
            chains = fast_chains(
                path.model, hidden_rows_for(path.model, 6), flat(fast_of(path.model)), dtype=dtype
            )
        gradient, after = caller(record, path.model, X, chains, dtype=dtype)()
        assert after.gradient_state[0].dtype == dtype
        found.append(flat(gradient))
    np.testing.assert_allclose(*found, rtol=1e-4, atol=2e-5)


def test_the_ladder_adapts_every_so_many_updates(monkeypatch):
    monkeypatch.setattr(module, "ADAPT_EVERY", 4)
    path = strong_path()
    X, table = rows_for(path.model, 5), annealing.tabulate(path)
    for adapt in (True, False):
        chains = replica_chains(path, table.V[START].transpose(1, 0, 2), LADDER)
        params, gradient = library_params(path.model), library_params(path.model)
        bound = PT(1, 3, 3, adapt).bind(library_model(path.model), gradient, 5, 3)
        for step in range(1, 5):
            _, chains, _ = bound(params, Batch(X), chains, fold(KEY, step))
            moved = chains.gradient_state[1][1] != 0.6
            assert moved == (adapt and step == 4)
            assert chains.gradient_state[4] == [step]
        assert chains.gradient_state[2].any() != adapt


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_what_the_estimators_start_with(pair, dtype):
    model = oracle_model(*pair)
    library, params = library_model(model), library_params(model, dtype)
    mean = rows_for(model, 9).mean(axis=0).astype(dtype)
    h, _, _, own = FPCD(n_chains=6).start(library, params, mean, 10, KEY)
    assert h.shape == (6, 3) and own[0].shape == flat(model).shape and not own[0].any()
    assert own[0].dtype == dtype
    h, _, _, own = PT(n_temperatures=4).start(library, params, mean, 10, KEY)
    assert h.shape == (10, 3) and own[0].shape == (40, 4) and own[0].dtype == dtype
    np.testing.assert_allclose(own[1], [1, 2 / 3, 1 / 3, 0], atol=1e-15)


@pytest.mark.parametrize("cls", [PersistentContrastiveDivergence, FPCD, PT])
@pytest.mark.parametrize(
    ("n_chains", "words"),
    [(10**12, r"n_chains=10+ .*GB"), (10**30, r"n_chains must be at most \d+\. Got 10+ ")],
)
def test_more_chains_than_memory_holds_are_refused_by_name(cls, n_chains, words):
    model = oracle_model()
    with pytest.raises(ValueError, match=words):
        cls(n_chains=n_chains).start(
            library_model(model), library_params(model), np.zeros(4), 10, KEY
        )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_temperatures": 0}, "n_temperatures must be an integer of at least 2. Got 0"),
        ({"n_temperatures": 1}, "n_temperatures must be an integer of at least 2. Got 1"),
        ({"n_steps": 0}, "n_steps must be an integer"),
        ({"n_chains": 0}, "n_chains must be an integer"),
    ],
)
def test_settings_of_tempering_are_checked(settings, words):
    with pytest.raises(ValueError, match=words):
        PT(**settings)
