"""Estimates of a fitted machine: log Z and likelihoods with error bars, samplers with diagnostics."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ebm import AIS, RAISE, BernoulliRBM, EarlyStopping, Tempering
from ebm.likelihood import Diagnostics, partition
from tests.estimators.machines import (
    N_FEATURES,
    NAMES,
    machine,
    oracle,
    rows,
    set_parameters,
    with_parameters,
)
from tests.models import oracle_model
from tests.oracles import rbm as slow
from tests.oracles import tempering
from tests.statistics import assert_same_distribution, state_counts

every_machine = pytest.mark.parametrize("name", NAMES)
both_precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64])
FEW = AIS(n_temperatures=300)


def strong_machine():
    """Of which two temperatures are far too few."""
    model = oracle_model(shape=(8, 8), seed=1, scale=3.0)
    return with_parameters(model), model


@every_machine
@both_precisions
def test_annealed_log_z_is_within_its_error_of_the_exact_one(name, dtype):
    rbm = machine(name).fit(rows(name, dtype=dtype))
    before = rbm.components_.copy()
    z, exact = rbm.log_partition(FEW), slow.log_partition(oracle(rbm))
    assert z.method == "ais" and 0 < z.standard_error < 0.1
    assert abs(z.value - exact) < stats.t(99).isf(5e-7) * z.standard_error + 1e-4
    assert z.interval[0] < z.value < z.interval[1] and abs(z.gap) < 0.5
    assert rbm.log_partition(FEW) == z == rbm.log_partition(FEW, n_jobs=2)
    np.testing.assert_array_equal(rbm.components_, before)


@every_machine
def test_auto_is_exact_in_small_machines(name):
    rbm = machine(name).fit(rows(name))
    assert rbm.log_partition() == rbm.log_partition("exact")
    exact = slow.log_partition(oracle(rbm))
    assert rbm.log_partition().value == pytest.approx(exact, abs=1e-9)


def test_auto_is_annealed_where_there_are_too_many_units(monkeypatch):
    monkeypatch.setattr(partition, "MAX_UNASKED", 2)
    rbm = machine("bernoulli").fit(rows("bernoulli"))
    z, exact = rbm.log_partition(), rbm.log_partition("exact")
    assert (z.method, exact.method) == ("ais", "exact")
    assert abs(z.value - exact.value) < 6 * z.standard_error
    assert rbm.log_partition("ais") == z


@pytest.mark.parametrize("beta", [0.5, 1.5])
def test_annealed_log_z_at_another_temperature(beta):
    rbm = machine("bernoulli").fit(rows("bernoulli"))
    z, exact = rbm.log_partition(FEW, beta=beta), slow.log_partition(oracle(rbm), beta)
    assert abs(z.value - exact) < stats.t(99).isf(5e-7) * z.standard_error + 1e-9


def test_sides_that_disagree_draw_one_warning_with_the_remedy():
    rbm, _ = strong_machine()
    hurried = AIS(n_temperatures=2)
    X = rows("bernoulli", 5, 8)
    for ask in (rbm.log_partition, lambda method: rbm.log_likelihood(X, method)):
        with pytest.warns(ConvergenceWarning, match=r"reverse.*more n_temperatures") as caught:
            ask(hurried)
        assert len(caught) == 1 and caught[0].filename == __file__
    for one_sided in ({"tolerance": 1e6}, {"reverse": False}):
        with pytest.warns(ConvergenceWarning, match="hangs on few of 100 particles"):
            rbm.log_partition(AIS(n_temperatures=2, **one_sided))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rbm.log_partition(AIS(n_temperatures=1000, tolerance=1.0))


@every_machine
def test_likelihoods_of_every_method(name):
    X = rows(name)
    rbm = machine(name).fit(X)
    exact = rbm.log_likelihood(X)
    np.testing.assert_allclose(exact, slow.log_likelihood(oracle(rbm), X), rtol=1e-9, atol=1e-9)
    found, error = rbm.log_likelihood(X, FEW, return_std=True)
    assert found.shape == error.shape == (60,) and np.ptp(error) == 0
    np.testing.assert_allclose(found - exact, (found - exact)[0], atol=1e-9)
    assert abs(found - exact).max() < 6 * error[0]
    raised, error = rbm.log_likelihood(X, RAISE(100, 10), return_std=True)
    assert np.ptp(error) > 0 and np.mean(raised - exact) < 6 * error.mean() / np.sqrt(60)
    assert np.abs(np.mean(raised - exact)) < 0.1
    np.testing.assert_array_equal(rbm.log_likelihood(X, "pseudo"), rbm.score_samples(X))
    _, none = rbm.log_likelihood(X, "exact", return_std=True)
    assert not none.any()


def test_sparse_rows_are_rows():
    X = rows("bernoulli")
    rbm = machine("bernoulli").fit(X)
    for method in ("exact", RAISE(10, 3)):
        dense, sparse = (rbm.log_likelihood(x, method) for x in (X, sp.csr_array(X)))
        np.testing.assert_array_equal(sparse, dense)


def test_machines_that_know_no_data_are_annealed_from_their_own_marginals():
    model = oracle_model(shape=(6, 4))
    rbm = with_parameters(model)
    rbm._course = replace(rbm._course, marginals=())
    z = rbm.log_partition(FEW)
    assert abs(z.value - slow.log_partition(model)) < 6 * z.standard_error


# Samples -----------------------------------------------------------------------------------------


@every_machine
@both_precisions
@pytest.mark.parametrize("sampler", ["gibbs", "tempering", Tempering(3, adapt=False)], ids=str)
def test_samplers_keep_shape_precision_and_what_is_given(name, dtype, sampler):
    X = rows(name, dtype=dtype)
    rbm = machine(name).fit(X)
    given = np.full((6, N_FEATURES), np.nan, dtype)
    given[:, 2] = X[:6, 2]
    V, found = rbm.sample(
        6, n_steps=9, sampler=sampler, given=given, return_diagnostics=True, random_state=0
    )
    assert V.shape == (6, N_FEATURES) and V.dtype == dtype and np.isfinite(V).all()
    assert V[:, 2].tobytes() == given[:, 2].tobytes()
    assert isinstance(found, Diagnostics)
    again = rbm.sample(6, n_steps=9, sampler=sampler, given=given, random_state=0)
    np.testing.assert_array_equal(V, again)
    assert (found.swap_rates is None) == (sampler == "gibbs")


@pytest.mark.needs_jit
@pytest.mark.parametrize("sampler", ["gibbs", "tempering"])
def test_samples_have_the_law_and_the_diagnostics_say_so(sampler):
    model = oracle_model(scale=0.7)
    rbm = with_parameters(model)
    V, found = rbm.sample(
        10_000, n_steps=100, sampler=sampler, return_diagnostics=True, random_state=0
    )
    assert_same_distribution(state_counts(V.astype(int)), slow.visible_probabilities(model))
    assert found.rhat < 1.01
    assert 1 <= found.autocorrelation_time < 10
    assert found.bulk_ess > 100_000 and found.tail_ess > 50_000
    if sampler == "tempering":
        assert found.swap_rates.min() > 0.8 and np.all(np.diff(found.temperatures) < 0)


@pytest.mark.needs_jit
def test_diagnostics_tell_chains_that_stay_where_they_began():
    """Two modes of different free energies: chains that began in the one and in the other never meet."""
    modes = tempering.two_modes(tilt=4.0)
    rbm = with_parameters(modes.model)
    V, found = rbm.sample(40, n_steps=400, return_diagnostics=True, random_state=0)
    share = (V.sum(axis=1) > 5).mean()
    assert 0 < share < 1, "chains in either mode"
    assert found.rhat > 1.1 and found.autocorrelation_time > 50
    V, found = rbm.sample(
        40, n_steps=400, sampler=Tempering(8), return_diagnostics=True, random_state=0
    )
    assert found.rhat < 1.1
    more = int((V.sum(axis=1) > 5).sum())
    assert stats.binomtest(more, 40, modes.more).pvalue > 1e-6


def test_one_step_is_too_few_for_a_diagnosis():
    rbm = machine("bernoulli").fit(rows("bernoulli"))
    for sampler in ("gibbs", "tempering"):
        V, found = rbm.sample(3, n_steps=1, sampler=sampler, return_diagnostics=True)
        assert V.shape == (3, N_FEATURES) and np.isnan(found.rhat)


# Learning ----------------------------------------------------------------------------------------


@every_machine
@pytest.mark.parametrize("gradient", ["fpcd", "tempering"])
def test_driven_chains_learn_go_on_and_survive_a_clone(name, gradient):
    X = rows(name)
    rbm = machine(name, gradient=gradient, warm_start=True).fit(X)
    assert np.isfinite(rbm.score(X))
    assert {x.dtype for x in rbm._course.gradient_state} <= {
        np.dtype(np.float64),
        np.dtype(np.int64),
    }
    twin = clone(rbm).fit(X)
    for one in (rbm, twin):
        one.fit(X).partial_fit(X[:7])
    np.testing.assert_array_equal(rbm.components_, twin.components_)
    rbm.set_params(gradient="pcd").fit(X)
    rbm.set_params(gradient=gradient).partial_fit(X)
    assert np.isfinite(rbm.components_).all()


@pytest.mark.needs_jit
def test_early_stopping_of_an_estimator_keeps_the_best():
    X = rows("bernoulli")
    train, held_out = X[:8], X[8:]
    stop = EarlyStopping(held_out, patience=5)
    settings = {"gradient": "exact", "learning_rate": 0.5, "n_iter": 300, "batch_size": 8}
    settings["schedule"] = "constant"
    rbm = machine("bernoulli", callbacks=stop, **settings).fit(train)
    scores = rbm.history_["held_out_pseudo_likelihood"]
    assert len(scores) < 300
    assert rbm.score(held_out) == pytest.approx(scores.max(), abs=1e-12)
    assert rbm.score(held_out) > machine("bernoulli", **settings).fit(train).score(held_out)


@both_precisions
@pytest.mark.parametrize("name", ["bernoulli", "gaussian"])
def test_early_stopping_takes_rows_of_either_precision(name, dtype):
    X = rows(name)
    stop = [
        EarlyStopping(X[:9].astype(dtype)),
        EarlyStopping(X[:9].astype(dtype), monitor="free_energy_gap", train=X[9:18]),
    ]
    rbm = machine(name, callbacks=stop).fit(X.astype(np.float32))
    assert {"held_out_pseudo_likelihood", "free_energy_gap"} <= set(rbm.history_)
    assert rbm.components_.dtype == np.float32


def test_parameters_set_by_hand_have_their_own_log_z():
    model = oracle_model(shape=(N_FEATURES, 3))
    rbm = set_parameters(BernoulliRBM(3, random_state=0).fit(rows("bernoulli")), model)
    z = rbm.log_partition(FEW)
    assert abs(z.value - slow.log_partition(model)) < 6 * z.standard_error


@pytest.mark.parametrize("shift", [10.0, 1000.0])
def test_two_gaussian_layers_learn_wherever_the_data_are(shift):
    X = rows("gaussian-gaussian")
    # One batch: the order of rows is that of their content, which the shift changes.
    settings = {"learning_rate": 0.01, "n_iter": 20, "random_state": 0, "batch_size": len(X)}
    here, there = (machine("gaussian-gaussian", **settings).fit(x) for x in (X, X + shift))
    there_too = there.log_likelihood(X + shift)
    np.testing.assert_allclose(there_too, here.log_likelihood(X), rtol=0, atol=1e-6 * shift)


def test_what_another_gradient_left_behind_goes():
    X = rows("bernoulli")
    rbm = machine("bernoulli", gradient="tempering").fit(X)
    assert rbm.swap_rates_.shape == (9,) and rbm.temperatures_.shape == (10,)
    rbm.set_params(gradient="cd").fit(X)
    assert not hasattr(rbm, "swap_rates_") and not hasattr(rbm, "temperatures_")


def test_estimates_that_are_not_finite_say_so():
    X = rows("bernoulli")
    rbm = machine("bernoulli").fit(X)
    rbm.components_ = np.full_like(rbm.components_, 1e308)
    with pytest.raises(ValueError, match="log Z is nan: energies times beta=1 overflow"):
        rbm.log_partition("ais")


def test_two_gaussian_layers_without_a_law_are_refused_by_every_method():
    X = rows("gaussian-gaussian")
    rbm = machine("gaussian-gaussian").fit(X)
    rbm.components_ = np.full_like(rbm.components_, 10.0)
    for method in ("exact", "ais", "raise"):
        with pytest.raises(ValueError, match="Z does not exist"):
            rbm.log_likelihood(X, method)


@pytest.mark.parametrize(
    ("rate", "kept", "n_seen"),
    [(3.0, "from before epoch 2, where they began to grow", 2), (20.0, "from before it", 0)],
)
def test_divergence_goes_back_to_an_epoch_before(rate, kept, n_seen):
    X = rows("gaussian")
    settings = {"learning_rate": rate, "schedule": "constant"}
    start = machine("gaussian", n_iter=0, **settings).fit(X).components_
    seen = [start]
    rbm = machine("gaussian", n_iter=50, **settings)
    rbm.set_params(callbacks=lambda report: seen.append(report.params.W.T.copy()))
    with pytest.warns(ConvergenceWarning, match=f"parameters {kept}, are|parameters {kept} are"):
        rbm.fit(X)
    assert len(seen) == 1 + n_seen
    np.testing.assert_array_equal(rbm.components_, seen[1 if "epoch 2" in kept else 0])


@pytest.mark.parametrize("name", NAMES)
def test_likelihoods_at_another_temperature_are_those_of_the_tempered_energy(name):
    rbm, X, beta = machine(name).fit(rows(name)), rows(name, 4), 0.7
    params = rbm._model().tempered(rbm._params(), beta)
    other = machine(name, n_iter=0).fit(rows(name))
    other.components_ = params.W.T
    other.intercept_visible_, other.intercept_hidden_ = params.visible.bias, params.hidden.bias
    for layer, own in (("visible", params.visible), ("hidden", params.hidden)):
        for field in own._fields[1:]:
            setattr(other, f"{field}_{layer}_", getattr(own, field))
    np.testing.assert_allclose(beta * rbm.free_energy(X, beta=beta), other.free_energy(X))
    np.testing.assert_allclose(rbm.score_samples(X, beta=beta), other.score_samples(X))
    np.testing.assert_allclose(
        rbm.log_likelihood(X, beta=beta), other.log_likelihood(X), rtol=1e-10
    )
    for call in (rbm.free_energy, rbm.score_samples, rbm.log_likelihood):
        with pytest.raises(ValueError, match="beta must be"):
            call(X, beta=-1.0)
