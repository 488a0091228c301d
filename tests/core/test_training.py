"""ebm.training: what the loop does, and what it leaves when it ends early."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ebm import training
from ebm._batches import Rows
from ebm._random import Key
from ebm.energies.base import DataSummary
from ebm.energies.bipartite import Bipartite
from ebm.gradients import ContrastiveDivergence, Exact, PersistentContrastiveDivergence
from ebm.gradients.contrastive import BoundContrastive
from ebm.likelihood import log_partition
from ebm.optimizers import (
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    Constant,
    Linear,
    Momentum,
    Nadam,
    Nesterov,
    Optimizer,
    RMSProp,
)
from ebm.training import Plan
from ebm.units import Bernoulli, Gaussian
from tests.oracles.data import bars_and_stripes
from tests.oracles.known_answers import BARS_AND_STRIPES_BEST
from tests.statistics import assert_increasing

CD, PCD = ContrastiveDivergence(), PersistentContrastiveDivergence()
BINARY = Bipartite(Bernoulli(), Bernoulli())
REAL = Bipartite(Gaussian(), Bernoulli())


def plan(gradient=PCD, optimizer=None, schedule=None, rate=0.05, decay=0.0, batch=5, seed=0):
    return Plan(gradient, optimizer or SGD(), schedule or Constant(), rate, decay, batch, seed)


def bits(n_rows=23, n_columns=4, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n_rows, n_columns)).astype(np.float64)


def reals(n_rows=30, n_columns=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, n_columns)) @ rng.normal(size=(n_columns, n_columns))


def trained(model, X, p, n_epochs=3, *, n_hidden=3, weights=None, callbacks=(), state=None):
    rows = Rows(X, weights)
    state = state or training.start(model, rows, n_hidden, p)
    reason = training.train(state, rows, p, n_epochs, callbacks)
    return state, reason


def mean_log_likelihood(state, X):
    F = state.model.free_energy(state.params, X)
    return np.mean(-F) - log_partition(state.model, state.params).value


def everything(state):
    return [state.theta, *state.memory, *state.chains[:3], *state.chains.gradient_state]


def assert_same_state(a, b, **tolerance):
    for x, y in zip(everything(a), everything(b), strict=True):
        np.testing.assert_allclose(x, y, **{"rtol": 0, "atol": 0, **tolerance})


# One update ----------------------------------------------------------------------------------


# Where a gradient is zero but for rounding, a small epsilon would make much of the rounding.
OPTIMISERS = [cls(epsilon=1e-3) for cls in (AdaGrad, RMSProp, AdaDelta, Adam, Nadam)]
OPTIMISERS += [SGD(), Momentum(0.5), Nesterov(0.5)]


@pytest.mark.parametrize("optimizer", OPTIMISERS, ids=repr)
@pytest.mark.parametrize("gradient", [CD, PCD, PersistentContrastiveDivergence(2, 9)], ids=repr)
def test_compiled_updates_are_the_python_loops(gradient, optimizer, monkeypatch):
    """Also with weights, decay, a schedule, a short last batch and several chunks of rows."""
    X = bits(37)
    weights = np.random.default_rng(1).uniform(0.5, 2.5, 37)
    p = plan(gradient, optimizer, Linear(), 0.1, 0.01, 4)
    monkeypatch.setattr(training, "CHUNK_ROWS", 12)
    compiled, _ = trained(BINARY, X, p, weights=weights)
    monkeypatch.setattr(BoundContrastive, "ascend", lambda *args: None)
    plain, _ = trained(BINARY, X, p, weights=weights)
    assert compiled.n_steps == plain.n_steps > 27
    assert_same_state(compiled, plain, atol=1e-12)


@pytest.mark.parametrize("model", [BINARY, REAL], ids=["binary", "real"])
def test_the_size_of_the_chunks_does_not_matter(model, monkeypatch):
    X = bits(37) if model is BINARY else reals(37)
    whole, _ = trained(model, X, plan())
    for rows in (1, 7, 15):
        monkeypatch.setattr(training, "CHUNK_ROWS", rows)
        parts, _ = trained(model, X, plan())
        assert_same_state(whole, parts)


@pytest.mark.parametrize("model", [BINARY, REAL], ids=["binary", "real"])
def test_one_update_is_an_epoch_of_one_batch(model):
    """Up to the order in which the rows are added up."""
    X = bits(6) if model is BINARY else reals(6)
    p = plan(batch=6)
    state = training.start(model, Rows(X), 3, p)
    epoch, _ = trained(model, X, p, 1)
    assert training.single_update(state, X, None, p) == ""
    assert state.n_steps == epoch.n_steps == 1
    assert_same_state(state, epoch, atol=1e-13)


@pytest.mark.parametrize("model", [BINARY, REAL], ids=["binary", "real"])
def test_weights_of_one_update_are_averaged(model):
    X = bits(4) if model is BINARY else reals(4)
    counts = np.array([1.0, 3.0, 0.0, 2.0])
    p = plan(batch=6)
    states = [training.start(model, Rows(X), 3, p) for _ in range(2)]
    training.single_update(states[0], X, counts, p)
    training.single_update(states[1], np.repeat(X, counts.astype(int), axis=0), None, p)
    assert_same_state(*states, atol=1e-13)


@pytest.mark.parametrize("gradient", [CD, PCD, Exact()], ids=repr)
@pytest.mark.parametrize("model", [BINARY, REAL], ids=["binary", "real"])
def test_whole_weights_train_as_repetitions(model, gradient):
    X = bits(9) if model is BINARY else reals(9)
    counts = np.random.default_rng(3).integers(0, 4, 9)
    weighted, _ = trained(model, X, plan(gradient), weights=counts.astype(float))
    repeated, _ = trained(model, np.repeat(X, counts, axis=0), plan(gradient))
    assert_same_state(weighted, repeated, atol=1e-11)


@pytest.mark.parametrize("model", [BINARY, REAL], ids=["binary", "real"])
def test_the_order_in_which_rows_are_stored_does_not_matter(model):
    X = bits() if model is BINARY else reals()
    there, _ = trained(model, X, plan())
    back, _ = trained(model, X[::-1], plan())
    assert_same_state(there, back, atol=1e-11)


@pytest.mark.parametrize("model", [BINARY, REAL], ids=["binary", "real"])
def test_the_same_seed_trains_the_same_and_another_does_not(model):
    X = bits() if model is BINARY else reals()
    first, _ = trained(model, X, plan())
    assert_same_state(first, trained(model, X, plan())[0])
    other, _ = trained(model, X, plan(seed=1))
    assert (first.theta != other.theta).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("model", [BINARY, REAL], ids=["binary", "real"])
def test_precision_goes_through_and_the_data_stay_as_they_are(model, dtype):
    X = (bits() if model is BINARY else reals()).astype(dtype)
    before = X.copy()
    X.flags.writeable = False
    state, _ = trained(model, X, plan(optimizer=Momentum()))
    assert {x.dtype for x in everything(state)} == {np.dtype(dtype)}
    assert {x.dtype for x in (state.params.W, *state.params.visible)} == {np.dtype(dtype)}
    np.testing.assert_array_equal(X, before)


# Learning ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model", [BINARY, REAL, Bipartite(Bernoulli(), Gaussian())], ids=["BB", "GB", "BG"]
)
@pytest.mark.parametrize("centered", [False, True])
def test_small_steps_along_the_exact_gradient_climb_the_likelihood(model, centered):
    X = reals(12) if model is REAL else bits(12)
    values = []

    def record(report):
        F = model.free_energy(report.params, X)
        values.append(np.mean(-F) - log_partition(model, report.params).value)

    trained(model, X, plan(Exact(centered), rate=0.02, batch=12), 30, callbacks=[record])
    assert_increasing(values)


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    "gradient", [PersistentContrastiveDivergence(5, 200), Exact()], ids=["pcd", "exact"]
)
def test_bars_and_stripes_are_learned_and_their_ceiling_is_never_passed(gradient):
    X = bars_and_stripes(2)
    totals = []

    def record(report):
        F = BINARY.free_energy(report.params, X)
        totals.append(np.sum(-F) - len(X) * log_partition(BINARY, report.params).value)

    p = plan(gradient, schedule=Linear(), rate=0.5, batch=8)
    trained(BINARY, X, p, 4000, n_hidden=8, callbacks=[record])
    assert max(totals) <= BARS_AND_STRIPES_BEST[2]
    assert totals[-1] > BARS_AND_STRIPES_BEST[2] - 0.5 > totals[0]


@pytest.mark.needs_jit
@pytest.mark.parametrize("gradient", [CD, PCD, PersistentContrastiveDivergence(1, 100)], ids=repr)
def test_biases_of_fair_coins_stay_small_when_batches_are_ragged(gradient):
    """Eight rows, batches of up to sixteen: a negative phase divided by sixteen runs away."""
    X = np.repeat([[0.0, 1.0], [1.0, 0.0]], 4, axis=0)
    choices = plan(gradient, schedule=Linear(), rate=0.1, batch=16)
    state, _ = trained(BINARY, X, choices, 500, n_hidden=2)
    states = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    p = np.exp(-BINARY.free_energy(state.params, states))
    np.testing.assert_allclose(p @ states / p.sum(), X.mean(axis=0), atol=0.15)


@pytest.mark.needs_jit
def test_exact_learning_recovers_the_datas_means():
    X = bits(8)
    state, _ = trained(BINARY, X, plan(Exact(), Momentum(), rate=0.2, batch=16), 2000)
    states = ((np.arange(16)[:, np.newaxis] >> np.arange(4)) & 1).astype(float)
    p = np.exp(-BINARY.free_energy(state.params, states))
    np.testing.assert_allclose(p @ states / p.sum(), X.mean(axis=0), atol=1e-3)


# Units of measurement --------------------------------------------------------------------------


def in_metres(params, scale):
    """W, b and sigma of scaled rows, in the units of the plain ones."""
    variance = np.exp(params.visible.log_variance) / scale**2
    return [params.W / scale, params.visible.bias / scale, variance, params.hidden.bias]


@pytest.mark.parametrize("gradient", [PCD, Exact()], ids=repr)
@pytest.mark.parametrize("scale", [2.0**-12, 2.0**10])
def test_learning_commutes_with_a_change_of_units(gradient, scale):
    """One batch an epoch, since the order of the rows is a function of their content."""
    X = reals()
    p = plan(gradient, Momentum(0.5), rate=0.02, batch=30)
    first = training.start(REAL, Rows(X), 3, p)
    params = first.params
    other = params._replace(
        W=params.W * scale,
        visible=type(params.visible)(
            params.visible.bias * scale, params.visible.log_variance + 2 * np.log(scale)
        ),
    )
    chains = type(first.chains)(
        first.chains.h, first.chains.visible_offset / scale, first.chains.hidden_offset
    )
    second = training.resume(
        REAL, other, p, chains=type(chains)(*map(np.copy, chains)), mean=X.mean(axis=0) * scale
    )
    trained(REAL, X, p, 20, state=first)
    mean, variance, count = first.marginals
    second.marginals = scale * mean, scale**2 * variance, count
    trained(REAL, scale * X, p, 20, state=second)
    for a, b in zip(in_metres(first.params, 1), in_metres(second.params, scale), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("scale", [2.0**-12, 2.0**10])
def test_the_start_commutes_with_a_change_of_units(scale):
    X = reals()
    made = []
    for x in (
        X,
        scale * X,
    ):  # the same rows in the same order, which depends on their content in training
        first = REAL.initial(DataSummary(x.mean(axis=0), x.var(axis=0), len(x)), 7, Key(1, 2))
        made.append(REAL.with_examples(first, x))
    for a, b in zip(in_metres(made[0], 1), in_metres(made[1], scale), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_learning_commutes_with_a_translation():
    X, shift = reals(), np.array([100.0, -30.0, 7.0])
    p = plan(rate=0.02, batch=30)
    first = training.start(REAL, Rows(X), 3, p)
    moved = REAL.translated(first.params, shift)
    chains = type(first.chains)(*map(np.copy, first.chains))
    second = training.resume(REAL, moved, p, chains=chains, mean=X.mean(axis=0) + shift)
    trained(REAL, X, p, 20, state=first)
    mean, variance, count = first.marginals
    second.marginals = mean + shift, variance, count
    trained(REAL, X + shift, p, 20, state=second)
    expected = REAL.translated(first.params, shift)
    np.testing.assert_allclose(REAL.pack(second.params), REAL.pack(expected), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("variance", ["unit", 2.0, [0.5, 1.0, 4.0]])
def test_given_variances_stay_as_given(variance):
    model = Bipartite(Gaussian(variance), Bernoulli())
    state, _ = trained(model, reals(), plan(optimizer=Momentum()), 5)
    expected = np.broadcast_to(1.0 if variance == "unit" else variance, 3)
    np.testing.assert_array_equal(state.params.visible.log_variance, np.log(expected))


@pytest.mark.needs_jit
def test_learned_variances_move_but_not_below_their_floor():
    """Three columns that are one: they can be predicted without error."""
    X = np.random.default_rng(0).integers(0, 2, (40, 1)) * np.array([[1.0, 1.0, 1.0]])
    model = Bipartite(Gaussian(floor=0.3), Bernoulli())
    state, reason = trained(model, X, plan(Exact(), Momentum(), rate=0.05, batch=40), 1000)
    assert reason == ""
    fraction = np.exp(state.params.visible.log_variance) / X.var(axis=0)
    np.testing.assert_allclose(fraction, 0.3, rtol=1e-6)


def test_weight_decay_shrinks_the_weights_alone():
    X = bits()
    free, _ = trained(BINARY, X, plan(Exact()), 40)
    held, _ = trained(BINARY, X, plan(Exact(), decay=2.0), 40)
    assert np.abs(held.params.W).max() < 0.5 * np.abs(free.params.W).max()
    assert np.abs(held.params.visible.bias).max() > 0


# How it ends ---------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [BINARY, REAL], ids=["binary", "real"])
def test_an_interrupt_keeps_the_parameters_of_the_last_update(model):
    X = bits() if model is BINARY else reals()

    def interrupt(report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    state, reason = trained(model, X, plan(), 5, callbacks=[interrupt])
    assert "interrupted" in reason
    finished, _ = trained(model, X, plan(), 2)
    assert_same_state(state, finished)
    assert state.n_steps == finished.n_steps


def test_other_errors_of_a_callback_are_the_callers():
    def fail(report):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        trained(BINARY, bits(), plan(), callbacks=[fail])


def test_a_callback_ends_training_with_true():
    seen = []

    def stop(report):
        seen.append(report.epoch)
        return report.epoch == 2

    state, reason = trained(BINARY, bits(), plan(), 5, callbacks=[stop])
    assert seen == [1, 2] and reason == ""
    assert state.history["epoch"] == [1, 2]


def test_numbers_of_a_callback_join_the_history():
    def numbers(report):
        return {"ten": 10.0 * report.epoch}

    def reader(report):
        assert report.monitored["ten"] == 10 * report.epoch

    p = plan(schedule=Linear())
    state, reason = trained(BINARY, bits(), p, 4, callbacks=[numbers, reader])
    assert reason == ""
    assert state.history["epoch"] == [1, 2, 3, 4]
    assert state.history["ten"] == [10, 20, 30, 40]
    assert len(state.history["time"]) == 4
    assert_increasing(-np.array(state.history["learning_rate"]))
    first = 0.05 * (1 - 20 / 23 / 4)  # before the last of five batches of the first epoch
    assert state.history["learning_rate"][0] == pytest.approx(first)


def test_training_goes_on_where_it_stopped():
    state, _ = trained(BINARY, bits(), plan(), 2)
    trained(BINARY, bits(), plan(), 3, state=state)
    assert state.n_steps == 25
    assert state.history["epoch"] == [1, 2, 3, 4, 5]


def test_chains_begin_around_the_units_own_means_where_the_datas_are_not_known():
    params = training.start(REAL, Rows(reals()), 3, plan()).params
    state = training.resume(REAL, params, plan())
    np.testing.assert_array_equal(state.origin, params.visible.bias)
    np.testing.assert_allclose(REAL.pack(state.params), REAL.pack(params), rtol=0, atol=1e-13)
    assert state.chains.h.shape == (5, 3) and not state.chains.visible_offset.any()


@pytest.mark.parametrize("gradient", [PCD, CD])
def test_learning_may_start_at_other_parameters_and_its_chains_then_at_rows(gradient):
    """With such weights the hidden units say surely which of the visible ones are on."""
    X = np.eye(4)[[0, 2]].repeat(5, axis=0)

    def change(model, params):
        assert model is BINARY
        hidden = params.hidden._replace(bias=np.full(4, -50.0))
        return params._replace(W=100 * np.eye(4), hidden=hidden)

    state = training.start(BINARY, Rows(X), 4, plan(gradient, batch=6), change)
    np.testing.assert_array_equal(state.params.W, 100 * np.eye(4))
    assert len(state.chains.h) == (6 if gradient is PCD else 0)
    assert {tuple(h) for h in state.chains.h} <= {tuple(x) for x in X}
    if gradient is PCD:
        assert len({tuple(h) for h in state.chains.h}) == 2


def test_no_epochs_leave_the_start():
    X = bits()
    state, reason = trained(BINARY, X, plan(), 0)
    assert reason == "" and state.n_steps == 0 and state.history == {}
    assert_same_state(state, training.start(BINARY, Rows(X), 3, plan()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [1e3, 1e30, 1e37])
@pytest.mark.parametrize("gradient", [CD, PCD, Exact()], ids=repr)
def test_divergence_keeps_finite_parameters_and_chains(gradient, rate, dtype):
    with np.errstate(all="ignore"):
        state, _ = trained(REAL, reals().astype(dtype), plan(gradient, rate=rate), 5)
        params = REAL.pack(state.params)
    for values in [*everything(state), params]:
        assert np.isfinite(values).all()


@pytest.mark.parametrize("rate", [1e30, 1e37, 3e38])
def test_divergence_of_binary_units_keeps_finite_parameters(rate):
    with np.errstate(all="ignore"):
        state, _ = trained(BINARY, bits().astype(np.float32), plan(rate=rate), 5)
    for values in everything(state):
        assert np.isfinite(values).all()


@pytest.mark.parametrize("gradient", [CD, PCD, Exact()], ids=repr)
def test_divergence_is_told_once_and_not_by_warnings_of_numpy(gradient):
    state, reason = trained(REAL, reals(), plan(gradient, rate=1e3), 5)
    assert ("diverged" in reason and "learning rate" in reason) == (state.n_steps < 30)


@pytest.mark.parametrize("model", [BINARY, REAL], ids=["binary", "real"])
def test_updates_before_one_that_is_not_finite_are_kept(model):
    X = bits(25) if model is BINARY else reals(25)
    p = plan(batch=5)
    state = training.start(model, Rows(X), 3, p)
    X[4, 1] = np.nan
    with np.errstate(all="ignore"):
        _, reason = trained(model, X, p, 3, state=state)
    assert "diverged in epoch 1" in reason
    assert 0 <= state.n_steps < 5
    for values in everything(state):
        assert np.isfinite(values).all()


@dataclass(frozen=True, repr=False)
class SignAscent(Optimizer):
    """An optimiser that no compiled loop knows."""

    settings = None

    def start(self, theta):
        return ()

    def step(self, theta, gradient, memory, rate, limits):
        theta += rate * np.sign(gradient)
        return True


def test_an_optimiser_that_compiled_loops_do_not_know_can_be_used():
    X = bits()
    p = plan(Exact(centered=False), SignAscent(), rate=1e-3, batch=23)
    start = training.start(BINARY, Rows(X), 3, p)
    state, reason = trained(BINARY, X, p, 1)
    assert reason == ""
    np.testing.assert_allclose(np.abs(state.theta - start.theta), 1e-3, rtol=1e-9)
    trained(BINARY, X, plan(CD, SignAscent(), rate=1e-3), 1, state=state)
    assert state.n_steps == 6


def test_data_that_are_not_finite_move_nothing():
    X = reals()
    p = plan(batch=30)
    state = training.start(REAL, Rows(X), 3, p)
    before = state.theta.copy()
    X[3, 1] = np.inf
    reason = training.single_update(state, X, None, p)
    assert "diverged in this update" in reason
    np.testing.assert_array_equal(state.theta, before)
    assert state.n_steps == 0
