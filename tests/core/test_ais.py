"""ebm.likelihood.ais and partition: estimates of log Z and of log-likelihoods, with error bars that hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ebm._random import Key, fold
from ebm.energies import path as paths
from ebm.likelihood import AIS, RAISE, Evaluation, log_likelihood, log_partition
from ebm.likelihood import ais as module
from ebm.likelihood.ais import (
    ais_log_partition,
    half_width,
    log_mean,
    raise_log_likelihood,
    resampled,
    temperatures,
)
from ebm.samplers import Particles, anneal, anneal_back
from tests.models import (
    PAIRS,
    library_model,
    library_params,
    library_path,
    oracle_model,
    path_of,
    rows_for,
    uneven,
)
from tests.oracles import annealing, rbm, tempering
from tests.oracles.data import sample_states
from tests.statistics import assert_increasing

KEY = Key(31, 32)
LEVEL = 1e-6
every_pair = pytest.mark.parametrize("pair", PAIRS, ids="-".join)
ENOUGH = AIS(n_temperatures=300, n_runs=100)


def ours(model, dtype=np.float64):
    return library_model(model), library_params(model, dtype)


def estimate(model, choice=ENOUGH, *, dtype=np.float64, key=KEY, beta=1.0, n_jobs=None):
    """From the base that the library finds by itself."""
    evaluation = Evaluation(key=key, n_jobs=n_jobs)
    return log_partition(*ours(model, dtype), choice, beta=beta, evaluation=evaluation)


def exact_draws(model, n, seed=0):
    rng = np.random.default_rng(seed)
    if model.z is None:
        return sample_states(rbm.visible_probabilities(model), n, rng)
    if model.zh is None:
        h = sample_states(rbm.hidden_probabilities(model), n, rng)
        return model.b + h @ model.W.T + np.exp(model.z / 2) * rng.normal(size=(n, len(model.b)))
    p, q = np.exp(-model.z), np.exp(-model.zh)
    coupling = -np.outer(p, q) * model.W
    covariance = np.linalg.inv(np.block([[np.diag(p), coupling], [coupling.T, np.diag(q)]]))
    mean = covariance @ np.concatenate([p * model.b, q * model.c])
    return rng.multivariate_normal(mean, covariance, n)[:, : len(p)]


# Schedules -----------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", ["sigmoid", "linear"])
@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_schedules_increase_from_zero_to_one(schedule, n):
    t = temperatures(schedule, n)
    assert len(t) == n + 1 and t[0] == 0 and t[-1] == 1
    assert_increasing(t)
    np.testing.assert_allclose(t + t[::-1], 1, atol=1e-15)
    if schedule == "linear":
        np.testing.assert_allclose(np.diff(t), 1 / n)


def test_the_sigmoid_by_hand():
    """(s(4 (2 k / K - 1)) - s(-4)) / (s(4) - s(-4)) at a quarter of the way."""
    low, high, here = (1 / (1 + np.exp(-x)) for x in (-4.0, 4.0, -2.0))
    assert temperatures("sigmoid", 4)[1] == pytest.approx((here - low) / (high - low), rel=1e-14)


@pytest.mark.needs_jit
def test_given_temperatures_are_taken():
    model = oracle_model()
    given = estimate(model, AIS(schedule=np.arange(51) / 50))
    named = estimate(model, AIS(n_temperatures=50, schedule="linear"))
    assert given == named


# Means of weights ----------------------------------------------------------------------------


def test_log_means_errors_and_sizes_by_hand():
    w = np.array([[1.0, 2.0, 3.0, 6.0], [2.0, 2.0, 2.0, 2.0]])
    mean, error, size = log_mean(np.log(w) + 900)
    np.testing.assert_allclose(mean, np.log([3.0, 2.0]) + 900, rtol=1e-15)
    np.testing.assert_allclose(error, [w[0].std(ddof=1) / 2 / 3, 0], atol=1e-15)
    np.testing.assert_allclose(size, [144 / 50, 4], rtol=1e-12)
    assert half_width(2.0, 5) == pytest.approx(2 * stats.t(4).ppf(0.975))


@pytest.mark.needs_jit
def test_resampled_particles_are_where_the_weights_are():
    """Systematic: each particle as often as its share of the weight says, to one."""
    weights = np.array([1.0, 4.0, 0.0, 2.5, 0.5])
    chosen = resampled(Particles(np.arange(5.0)[:, np.newaxis], np.log(weights + 1e-300)), KEY)
    counts = np.bincount(chosen[:, 0].astype(int), minlength=5)
    assert np.all(np.abs(counts - 5 * weights / 8) < 1) and counts.sum() == 5


# Against enumeration -------------------------------------------------------------------------


@pytest.mark.needs_jit
@pytest.mark.parametrize("seed", range(10))
@every_pair
def test_estimates_are_within_their_own_errors_of_the_exact_log_z(pair, seed):
    """At the 1e-6 level of Student's law; the way back agrees."""
    model = oracle_model(*pair, seed=seed, scale=0.7)
    found, exact = estimate(model), rbm.log_partition(model)
    quantile = stats.t(99).isf(LEVEL / 2)
    assert found.effective_sample_size > 80
    assert abs(found.value - exact) < quantile * found.standard_error
    assert abs(found.gap) < 0.2
    assert found.method == "ais" and found.standard_error > 0
    low, high = found.interval
    assert low < min(found.value, found.reverse) <= max(found.value, found.reverse) < high


@pytest.mark.needs_jit
@pytest.mark.parametrize("seed", range(10))
@every_pair
def test_reverse_estimates_alone_are_within_their_errors(pair, seed):
    """From exact draws of the model, the error being that of the inverse weights."""
    model = oracle_model(*pair, seed=seed, scale=0.7)
    library, params = ours(model)
    path = paths.BipartitePath(library, params, paths.model_base(library, params))
    back = anneal_back(path, temperatures("linear", 300), exact_draws(model, 200), KEY)
    log_inverse, error, _ = log_mean(-back.log_weights)
    quantile = stats.t(199).isf(LEVEL / 2)
    assert abs(path.log_z - log_inverse - rbm.log_partition(model)) < quantile * error


@pytest.mark.needs_jit
@pytest.mark.parametrize("beta", [0.3, 2.0])
@every_pair
def test_estimates_at_other_temperatures(pair, beta):
    model = oracle_model(*pair, scale=0.5)
    found = estimate(model, beta=beta)
    exact = rbm.log_partition(model, beta)
    assert abs(found.value - exact) < stats.t(99).isf(LEVEL / 2) * found.standard_error


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_pair
def test_either_precision_will_do_and_parameters_stay(pair, dtype):
    model = oracle_model(*pair, scale=0.7)
    library, params = ours(model, dtype)
    before = library.pack(params)
    found = log_partition(library, params, ENOUGH, evaluation=Evaluation(key=KEY))
    np.testing.assert_array_equal(library.pack(params), before)
    exact = rbm.log_partition(model)
    assert abs(found.value - exact) < stats.t(99).isf(LEVEL / 2) * found.standard_error + 1e-4


@pytest.mark.needs_jit
def test_intervals_cover_the_truth_as_often_as_they_say():
    """3000 estimates from 20 particles each: a share of 95 %, by the binomial law."""
    path, n_estimates = path_of(scale=0.7), 3000
    log_weights = anneal(library_path(path), temperatures("linear", 100), 20 * n_estimates, KEY)[1]
    value, error, _ = log_mean(log_weights.reshape(n_estimates, 20))
    exact = rbm.log_partition(path.model) - rbm.log_partition(path.base)
    covered = np.abs(value - exact) < half_width(1.0, 20) * error
    p_value = stats.binomtest(int(covered.sum()), n_estimates, 0.95).pvalue
    assert p_value > LEVEL, covered.mean()


@pytest.mark.needs_jit
def test_intervals_of_estimates_cover_the_truth_over_seeds():
    """The same of the estimates as they are handed out; with a reverse one they are wider."""
    path = path_of(scale=0.7)
    exact, library = rbm.log_partition(path.model), library_path(path)
    covered, widened = [], []
    for seed in range(200):
        for reverse, results in ((False, covered), (True, widened)):
            choice = AIS(n_temperatures=40, n_runs=20, reverse=reverse)
            low, high = ais_log_partition(library, choice, fold(KEY, seed)).interval
            results.append(low < exact < high)
    assert stats.binomtest(sum(covered), 200, 0.95).pvalue > LEVEL, np.mean(covered)
    assert np.all(np.array(widened) >= covered)


@pytest.mark.needs_jit
def test_forward_estimates_are_low_and_reverse_ones_high_when_hurried():
    """In expectation, by Jensen's inequality: with five temperatures it shows."""
    path = path_of()
    exact, library = rbm.log_partition(path.model), library_path(path)
    choice = AIS(n_temperatures=5, n_runs=5)
    found = [ais_log_partition(library, choice, fold(KEY, seed)) for seed in range(1000)]
    forward = np.array([z.value - exact for z in found])
    reverse = np.array([z.reverse - exact for z in found])
    for values, sign in ((forward, -1), (reverse, 1)):
        t = sign * values.mean() / (values.std(ddof=1) / np.sqrt(len(values)))
        assert t > 3, values.mean()


@pytest.mark.needs_jit
def test_more_temperatures_are_taken_until_both_sides_agree():
    model = oracle_model(shape=(8, 8), seed=1, scale=2.0)
    hurried = estimate(model, AIS(n_temperatures=2, n_runs=50))
    assert abs(hurried.gap) > 0.1
    choice = AIS(n_runs=50, tolerance=0.05)
    found = estimate(model, choice)
    assert abs(found.gap) <= 0.05
    assert abs(found.value - rbm.log_partition(model)) < 5 * found.standard_error + 0.05


@pytest.mark.needs_jit
def test_the_doubling_ends(monkeypatch):
    monkeypatch.setattr(module, "FIRST_ATTEMPT", 2)
    monkeypatch.setattr(module, "FIRST_TEMPERATURES", 2)
    monkeypatch.setattr(module, "MOST_TEMPERATURES", 9)
    seen = []
    right = module._estimate

    def record(path, t, *rest):
        seen.append(len(t) - 1)
        return right(path, t, *rest)

    monkeypatch.setattr(module, "_estimate", record)
    estimate(oracle_model(), AIS(n_runs=4, tolerance=1e-12))
    assert seen == [2, 4, 8]
    seen.clear()
    estimate(oracle_model(), AIS(n_runs=4, n_temperatures=3, tolerance=1e-12))
    assert seen == [3]


@pytest.mark.needs_jit
@pytest.mark.parametrize(("fine", "steps"), [(10.0, [4]), (1e-9, [4, 16])])
def test_few_temperatures_are_enough_where_the_error_is_small(monkeypatch, fine, steps):
    """Where it is not, the next attempt has the full number, for twice as many would not do."""
    monkeypatch.setattr(module, "FIRST_ATTEMPT", 4)
    monkeypatch.setattr(module, "FIRST_TEMPERATURES", 16)
    monkeypatch.setattr(module, "FINE", fine)
    seen = []
    right = module._estimate

    def record(path, t, *rest):
        seen.append(len(t) - 1)
        return right(path, t, *rest)

    monkeypatch.setattr(module, "_estimate", record)
    found = estimate(oracle_model(scale=0.3), AIS(n_runs=100, tolerance=10.0))
    assert seen == steps
    assert found.standard_error <= fine or steps[-1] == 16


@pytest.mark.needs_jit
def test_samples_that_are_given_start_the_way_back():
    """From samples of both modes it is right; from those of one it is another."""
    modes = tempering.two_modes()
    library, params = ours(modes.model)
    path = paths.BipartitePath(library, params, paths.model_base(library, params))
    choice = AIS(n_temperatures=200, n_runs=50)
    zeros, ones = (np.full((50, 10), x) for x in (0.0, 1.0))
    both = ais_log_partition(path, choice, KEY, samples=np.vstack([zeros[:25], ones[:25]]))
    assert abs(both.reverse - rbm.log_partition(modes.model)) < 0.3
    again = ais_log_partition(path, choice, KEY, samples=zeros)
    assert again.value == both.value and again.reverse != both.reverse


# What does not matter --------------------------------------------------------------------------


@pytest.mark.needs_jit
@every_pair
def test_the_same_call_gives_the_same_bits_on_any_number_of_threads(pair):
    model = oracle_model(*pair)
    choice = AIS(n_temperatures=20, n_runs=300)
    first = estimate(model, choice)
    assert all(estimate(model, choice, n_jobs=n) == first for n in (None, 1, 2))
    assert estimate(model, choice, key=fold(KEY, 1)).value != first.value
    rows = rows_for(model, 70)
    for n_jobs in (1, 2):
        found = log_likelihood(*ours(model), rows, RAISE(20), Evaluation(key=KEY, n_jobs=n_jobs))
        expected = log_likelihood(*ours(model), rows, RAISE(20), Evaluation(key=KEY))
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.needs_jit
def test_without_a_reverse_estimate_the_forward_one_is_the_same():
    model = oracle_model()
    both = estimate(model, AIS(n_temperatures=20))
    one = estimate(model, AIS(n_temperatures=20, reverse=False))
    assert (one.value, one.standard_error) == (both.value, both.standard_error)
    assert np.isnan(one.reverse) and np.isnan(one.gap)


# Which method --------------------------------------------------------------------------------


@pytest.mark.needs_jit
def test_auto_is_exact_up_to_twenty_units_and_annealed_beyond(monkeypatch):
    monkeypatch.setattr(module, "FIRST_ATTEMPT", 20)
    monkeypatch.setattr(module, "FIRST_TEMPERATURES", 20)
    monkeypatch.setattr(module, "MOST_TEMPERATURES", 20)
    for n_hidden, method in ((3, "exact"), (21, "ais")):
        for n_visible in (21, 22):
            model = oracle_model(shape=(n_visible, n_hidden), scale=0.05)
            if method == "exact":
                assert log_partition(*ours(model)).method == method
            else:
                assert log_partition(*ours(model), evaluation=Evaluation(key=KEY)).method == method
    both = oracle_model("gaussian", "gaussian", (25, 25), scale=0.05)
    assert log_partition(*ours(both)).method == "exact"
    mixed = oracle_model("gaussian", "bernoulli", (3, 21), scale=0.05)
    assert log_partition(*ours(mixed)).method == "ais"


@pytest.mark.parametrize("method", ["exact", "auto"])
def test_exact_numbers_have_no_error(method):
    model = oracle_model()
    found = log_partition(*ours(model), method)
    assert found.value == pytest.approx(rbm.log_partition(model), abs=1e-12)
    assert found.standard_error == 0 and found.interval == (found.value, found.value)
    assert np.isnan(found.gap)


@pytest.mark.needs_jit
def test_likelihoods_share_the_error_of_log_z():
    model = oracle_model()
    rows = rows_for(model, 6)
    for method in (ENOUGH, "exact"):
        values, errors, z = log_likelihood(*ours(model), rows, method, Evaluation(key=KEY))
        exact = rbm.log_likelihood(model, rows)
        np.testing.assert_allclose(values - exact, rbm.log_partition(model) - z.value, atol=1e-11)
        assert np.all(errors == z.standard_error)
    values, errors, z = log_likelihood(*ours(model), rows, "pseudo")
    np.testing.assert_allclose(values, rbm.pseudo_log_likelihood(model, rows), rtol=1e-10)
    assert z is None and not errors.any()


# RAISE -----------------------------------------------------------------------------------------


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 3])
def test_raise_expects_the_annealed_law(n_steps):
    """The mean over independent estimates of p(v) is p_ann(v), for each of the sixteen v."""
    path, ts, n = path_of(), uneven(n_steps), 40_000
    table = annealing.tabulate(path)
    choice = RAISE(n_runs=n, schedule=ts)
    values, _ = raise_log_likelihood(library_path(path), choice, table.V, KEY)
    first, second = (annealing.raise_moment(table, ts, power) for power in (1, 2))
    relative = np.exp(values) / first
    z = (relative - 1) / (np.sqrt(second - first**2) / first / np.sqrt(n))
    assert np.abs(z).max() < stats.norm.isf(LEVEL / 32)
    np.testing.assert_allclose(first, annealing.annealed_law(table, ts), rtol=1e-10)


@pytest.mark.needs_jit
@pytest.mark.parametrize("seed", range(4))
@every_pair
def test_raise_against_enumeration(pair, seed):
    """Over draws v of the model, E[estimate of p_ann(v) / p(v)] = 1 for any annealing; a patient one has p_ann = p."""
    model = oracle_model(*pair, seed=seed, scale=0.7)
    library, params = ours(model)
    path = paths.BipartitePath(library, params, paths.model_base(library, params))
    rows = exact_draws(model, 100, seed)
    exact = rbm.log_likelihood(model, rows)
    found, errors = raise_log_likelihood(path, RAISE(200, 20), rows, KEY)
    ratio = np.exp(found - exact)
    quantile = stats.t(99).isf(LEVEL / 2)
    assert abs(ratio.mean() - 1) < quantile * ratio.std(ddof=1) / np.sqrt(100)
    assert np.mean(np.abs(found - exact) < 4 * errors + 0.05) > 0.95


@pytest.mark.needs_jit
@pytest.mark.parametrize("pair", PAIRS[:3], ids="-".join)
def test_raise_is_conservative_on_the_models_own_draws(pair):
    """E[log p_ann(v)] over v ~ p is at most E[log p(v)], the rest being KL(p, p_ann); Jensen adds to it."""
    path = path_of(pair, (4, 3), scale=1.5)
    rows = exact_draws(path.model, 1000)
    exact, library = rbm.log_likelihood(path.model, rows), library_path(path)
    hurried, patient = (
        raise_log_likelihood(library, RAISE(n, 5), rows, KEY)[0] - exact for n in (2, 200)
    )
    for excess in (hurried, patient):
        assert excess.mean() < stats.norm.isf(LEVEL) * excess.std(ddof=1) / np.sqrt(len(rows))
    assert hurried.mean() < patient.mean() - 0.2
    assert abs(patient.mean()) < 0.1


@pytest.mark.needs_jit
def test_rows_are_annealed_independently_of_their_number():
    """In blocks of which each has a key of its own."""
    model = oracle_model()
    rows = rows_for(model, 70)
    library, params = ours(model)
    evaluation = Evaluation(key=KEY)
    all_of_them = log_likelihood(library, params, rows, RAISE(4, 3), evaluation)[0]
    first = log_likelihood(library, params, rows[:64], RAISE(4, 3), evaluation)[0]
    np.testing.assert_allclose(all_of_them[:64], first, rtol=0, atol=1e-12)


# What is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_temperatures": 0}, "n_temperatures must be an integer of at least 1. Got 0"),
        ({"n_temperatures": 2.5}, "n_temperatures"),
        ({"n_runs": 0}, "n_runs must be an integer of at least 2. Got 0"),
        ({"n_runs": 1}, "n_runs must be an integer of at least 2. Got 1"),
        ({"schedule": "cosine"}, "'sigmoid', 'linear'.*Got 'cosine'"),
        ({"schedule": [0, 0.5, 0.5, 1]}, "increase strictly from 0 to 1.*smallest step 0"),
        ({"schedule": [0, 0.7, 0.5, 1]}, "increase strictly from 0 to 1"),
        ({"schedule": [0.1, 1]}, "increase strictly from 0 to 1. Got 2 values from 0.1"),
        ({"schedule": [0, 0.9]}, "increase strictly"),
        ({"schedule": [0, np.nan, 1]}, "increase strictly"),
        ({"schedule": [0]}, "array of temperatures"),
        ({"schedule": [[0, 1]]}, "array of temperatures"),
        ({"schedule": None}, "array of temperatures"),
        ({"schedule": 5}, "array of temperatures"),
    ],
)
@pytest.mark.parametrize("cls", [AIS, RAISE])
def test_settings_that_cannot_be_are_refused(cls, settings, words):
    with pytest.raises(ValueError, match=words):
        cls(**settings)


@pytest.mark.parametrize("tolerance", [0, -1, np.nan, np.inf, "small"])
def test_tolerances_are_positive(tolerance):
    with pytest.raises(ValueError, match="tolerance must be a number"):
        AIS(tolerance=tolerance)


def test_without_a_reverse_estimate_nobody_knows_when_to_stop():
    with pytest.raises(ValueError, match="reverse=True"):
        AIS(reverse=False)
    assert not AIS(reverse=False, schedule=[0, 1]).reverse


@pytest.mark.parametrize("method", ["guess", None, 3, RAISE()])
def test_unknown_methods_are_refused(method):
    with pytest.raises(ValueError, match=r"'method' parameter.*'ais', 'auto', 'exact'"):
        log_partition(*ours(oracle_model()), method)
