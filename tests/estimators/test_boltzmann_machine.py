"""What a fitted Boltzmann machine does, held against enumeration."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from ebm import (
    AIS,
    PersistentContrastiveDivergence,
    Tempering,
    lattice,
)
from ebm.energies.summation import Limits
from tests.estimators.pairs import fitted, machine, rows, strong
from tests.models.pairwise import STATES, counts_of, draws_from, rows_of
from tests.oracles import pairwise
from tests.oracles.pairwise import BINARY, SPIN, OraclePairwise, random_pairwise
from tests.statistics import assert_same_distribution, assert_same_mean

every_state = pytest.mark.parametrize("states", STATES, ids=["binary", "spin"])
every_count = pytest.mark.parametrize("n_hidden", [0, 2])
both_precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64])


# Shapes and precision ----------------------------------------------------------------------------


@pytest.mark.parametrize("gradient", ["cd", "pcd", "exact"])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix])
@both_precisions
@every_count
@every_state
def test_everything_has_the_documented_shape_and_the_precision_of_the_data(
    states, n_hidden, dtype, container, gradient
):
    X = container(rows(states, dtype=dtype))
    found = machine(states, n_hidden, gradient=gradient).fit(X).partial_fit(X[:7])
    n, n_units = X.shape[0], 4 + n_hidden
    shapes = [
        (found.transform(X), (n, n_hidden or 4)),
        (found.impute(np.full((3, 4), np.nan), n_steps=2), (3, 4)),
        (found.sample(5, n_steps=2), (5, 4)),
        (found.sample(5, n_steps=4, sampler=Tempering(n_temperatures=2)), (5, 4)),
        (found.anneal(3, n_steps=2).s, (3, n_units)),
        (found.couplings_, (n_units, n_units)),
        (found.intercept_, (n_units,)),
        (found.offset_, (n_units,)),
        (found.chains_, (10 if gradient == "pcd" else 0, n_units)),
    ]
    for values, shape in shapes:
        assert values.shape == shape and values.dtype == dtype
        assert np.isfinite(values).all()
    H = np.full((n, n_hidden), states[1]) if n_hidden else None
    for values in (found.energy(X, H), found.free_energy(X), found.score_samples(X)):
        assert values.shape == (n,) and np.isfinite(values).all()
    assert found.log_likelihood(X).shape == (n,)
    assert found.score(X) == found.score_samples(X).mean()
    assert len(found.history_["epoch"]) == 3
    names = found.get_feature_names_out()
    assert len(names) == (n_hidden or 4) and names[0] == "boltzmannmachine0"


@every_count
@every_state
def test_csr_rows_give_what_dense_rows_give(states, n_hidden):
    X = rows(states)
    X[::3] = 0 if states == BINARY else -1
    dense, sparse = (
        machine(states, n_hidden).fit(X),
        machine(states, n_hidden).fit(sp.csr_matrix(X)),
    )
    np.testing.assert_array_equal(dense.couplings_, sparse.couplings_)
    np.testing.assert_array_equal(dense.chains_, sparse.chains_)
    for method in ("transform", "free_energy", "score_samples", "log_likelihood"):
        one, other = getattr(dense, method)(X), getattr(dense, method)(sp.csr_matrix(X))
        np.testing.assert_array_equal(one, other)
    moments = dense.moments(X), dense.moments(sp.csr_matrix(X))
    np.testing.assert_array_equal(moments[0].data_covariance, moments[1].data_covariance)


@every_count
@every_state
def test_fit_of_no_epochs_has_the_means_of_the_data_and_can_be_used(states, n_hidden):
    X = rows(states)
    found = machine(states, n_hidden, n_iter=0).fit(X)
    if not n_hidden:
        p = pairwise.means(OraclePairwise(found.couplings_, found.intercept_, states))
        np.testing.assert_allclose(p, X.mean(axis=0), atol=0.03)
    assert np.isfinite(found.score(X))


# Against enumeration -----------------------------------------------------------------------------


@every_count
@every_state
def test_energies_scores_and_likelihoods(states, n_hidden):
    oracle = strong(states, 5, n_hidden)
    found, s = fitted(oracle), rows_of(oracle, 7)
    v, h = s[:, : oracle.n_visible], s[:, oracle.n_visible :]
    energies = [pairwise.energy(oracle, row) for row in s]
    np.testing.assert_allclose(found.energy(v, h if n_hidden else None), energies, rtol=1e-12)
    free = [pairwise.free_energy(oracle, row) for row in v]
    np.testing.assert_allclose(found.free_energy(v), free, rtol=1e-12)
    scores = pairwise.pseudo_log_likelihood(oracle, v)
    np.testing.assert_allclose(found.score_samples(v), scores, rtol=1e-11)
    log_p, error = found.log_likelihood(v, return_std=True)
    np.testing.assert_allclose(log_p, pairwise.log_likelihood(oracle, v), rtol=1e-11)
    assert not error.any()
    np.testing.assert_allclose(found.log_likelihood(v, method="pseudo"), scores, rtol=1e-11)
    for beta in (0.5, 1.0, 2.0):
        z = found.log_partition(beta=beta)
        assert z.value == pytest.approx(pairwise.log_partition(oracle, beta), rel=1e-13)
        assert (z.method, z.standard_error) == ("exact", 0.0)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@every_count
@every_state
def test_features_are_conditional_means(states, n_hidden, beta):
    oracle = strong(states, 5, n_hidden)
    v, (low, high) = rows_of(oracle, 6, oracle.n_visible), states
    if n_hidden:
        expected = [pairwise.hidden_means(oracle, row, beta) for row in v]
    else:
        p = [[pairwise.conditional(oracle, row, i, beta) for i in range(5)] for row in v]
        expected = low + (high - low) * np.array(p)
    np.testing.assert_allclose(fitted(oracle).transform(v, beta), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("beta", [0.6, 1.0])
@pytest.mark.parametrize("sampler", ["gibbs", "tempering"])
@every_count
@every_state
def test_samples_have_the_joint_law(states, n_hidden, sampler, beta):
    """That of the visible units, the hidden ones summed out; also given one of them."""
    oracle = random_pairwise(5, states, n_hidden, seed=7, scale=1.5)
    found, n = fitted(oracle), 20_000
    settings = {"n_steps": 30, "beta": beta}
    if sampler == "tempering":
        settings["sampler"] = Tempering(n_temperatures=3)
    law = pairwise.visible_probabilities(oracle, beta)
    v = found.sample(n, **settings)
    assert_same_distribution(counts_of(oracle, v), law)
    given = np.full(oracle.n_visible, np.nan)
    given[1] = states[1]
    v = found.sample(n, given=given, **settings)
    whole = pairwise.given_law(oracle, np.r_[given, np.full(n_hidden, np.nan)], beta)
    assert_same_distribution(counts_of(oracle, v), whole.reshape(len(law), -1).sum(axis=1))


@every_count
@every_state
def test_unknown_entries_are_filled_in_with_their_expectations(states, n_hidden):
    oracle = random_pairwise(5, states, n_hidden, seed=7, scale=1.5)
    found, row = fitted(oracle), np.full(oracle.n_visible, np.nan)
    row[[0, 2]] = states
    X = np.tile(row, (2000, 1))
    filled = found.impute(X, n_steps=40)
    law = pairwise.given_law(oracle, np.r_[row, np.full(n_hidden, np.nan)])
    assert_same_mean(filled, (law @ pairwise.all_states(oracle))[: oracle.n_visible])
    assert filled[:, [0, 2]].tobytes() == X[:, [0, 2]].tobytes()
    np.testing.assert_array_equal(found.impute(X, n_steps=40), filled)


@every_count
def test_rows_without_unknown_entries_come_back_as_they_are(n_hidden):
    X = rows()
    found = machine(n_hidden=n_hidden).fit(X)
    np.testing.assert_array_equal(found.impute(X, n_steps=3), X)
    np.testing.assert_array_equal(found.sample(40, n_steps=3, given=X), X)
    kept = found.anneal(40, n_steps=3, given=X).s[:, :4]
    np.testing.assert_array_equal(np.unique(kept, axis=0), np.unique(X, axis=0))


def test_diagnostics_of_samples():
    found = fitted(random_pairwise(4, SPIN))
    v, told = found.sample(50, n_steps=60, return_diagnostics=True)
    assert v.shape == (50, 4) and 0.9 < told.rhat < 1.2
    tempered = Tempering(n_temperatures=3)
    _, told = found.sample(50, n_steps=60, sampler=tempered, return_diagnostics=True)
    assert told.swap_rates.shape == (2,) and told.temperatures[0] == 1


# Annealing ---------------------------------------------------------------------------------------


def spin_glass(n_units=12):
    """Sherrington-Kirkpatrick."""
    oracle = random_pairwise(n_units, SPIN, seed=11)
    return OraclePairwise(oracle.J, 0 * oracle.b, SPIN)


def test_annealing_finds_the_ground_state_and_ends_in_local_minima():
    oracle = spin_glass()
    found = fitted(oracle).anneal(20, n_steps=200)
    lowest = -pairwise.log_weights(oracle).max()
    assert found.energies[0] == pytest.approx(lowest, rel=1e-12)
    assert (np.diff(found.energies) >= 0).all()
    assert all(pairwise.is_aligned(oracle, s) for s in found.s)
    assert pairwise.energy(oracle, found.s[-1]) == pytest.approx(found.energies[-1])


def test_annealing_with_units_held_and_its_own_schedule():
    oracle = spin_glass(8)
    given = np.full(8, np.nan)
    given[:3] = 1, -1, 1
    found = fitted(oracle).anneal(10, betas=np.linspace(0.1, 4, 50), given=given)
    np.testing.assert_array_equal(found.s[:, :3], np.tile(given[:3], (10, 1)))
    states = pairwise.all_states(oracle)
    allowed = (states[:, :3] == given[:3]).all(axis=1)
    lowest = -pairwise.log_weights(oracle)[allowed].max()
    assert found.energies[0] == pytest.approx(lowest, rel=1e-12)


@pytest.mark.parametrize(
    "betas", [(-1.0, 2.0), (0.0, 1.0), [], 3.0, [[1.0, 2.0]], (0.1, np.nan), (0.1, np.inf)]
)
def test_impossible_schedules_are_refused(betas):
    with pytest.raises(ValueError, match="betas must be positive"):
        fitted(strong(SPIN)).anneal(betas=betas)


def test_couplings_that_are_symmetric_but_for_rounding_do_not_chase_each_other():
    """J_01 > 0 > J_10: unit 0 would follow unit 1, which would flee it, for ever."""
    found = fitted(OraclePairwise(np.zeros((4, 4)), np.zeros(4), SPIN))
    J = np.zeros((4, 4))
    J[2, 3] = J[3, 2] = 1.0
    J[0, 1], J[1, 0] = 4e-7, -4e-7
    found.couplings_ = J
    assert found.anneal(20, n_steps=5).energies[0] == -1.0


# Moments -----------------------------------------------------------------------------------------


@every_count
@every_state
def test_moments_of_the_model_beside_those_of_data(states, n_hidden):
    oracle = strong(states, 5, n_hidden)
    n, X = oracle.n_visible, rows(states, 30, oracle.n_visible)
    weights = np.arange(30) % 4
    told = fitted(oracle).moments(X, beta=0.7, sample_weight=weights)
    mean = pairwise.means(oracle, 0.7)
    covariance = pairwise.correlations(oracle, 0.7) - np.outer(mean, mean)
    np.testing.assert_allclose(told.mean, mean[:n], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(told.covariance, covariance[:n, :n], rtol=1e-12, atol=1e-13)
    assert not told.standard_error[0].any() and not told.standard_error[1].any()
    repeated = np.repeat(X, weights, axis=0)
    np.testing.assert_allclose(told.data_mean, repeated.mean(axis=0), atol=1e-14)
    np.testing.assert_allclose(told.data_covariance, np.cov(repeated.T, bias=True), atol=1e-14)
    assert fitted(oracle).moments().data_mean is None


@every_state
def test_estimated_moments_have_honest_errors(states, monkeypatch):
    """Of a ring of 30 units, whose moments are exact sums over 15 of them."""
    J = lattice(30) * (0.4 if states == SPIN else 1.0)
    oracle = OraclePairwise(J, np.linspace(-0.5, 0.5, 30), states)
    found = fitted(oracle)
    exact = found.moments()
    monkeypatch.setattr("ebm.likelihood.pairwise_moments.has_quick_moments", lambda params: False)
    told = found.moments(n_samples=4000, n_steps=50)
    z_mean = (told.mean - exact.mean) / told.standard_error[0]
    pairs = np.tril_indices(30)
    z_pair = ((told.covariance - exact.covariance) / told.standard_error[1])[pairs]
    for z in (z_mean, z_pair):
        assert np.abs(z).max() < 5.5
        assert 0.6 < z.std() < 1.5
    large = fitted(random_pairwise(30, states, seed=3, scale=0.3)).moments(n_samples=50, n_steps=5)
    assert large.standard_error[0].min() > 0


@pytest.mark.parametrize("weights", [[1.0, 2.0], -np.ones(6), np.zeros(6)])
def test_weights_of_moments_are_checked(weights):
    found = fitted(strong(SPIN))
    with pytest.raises(ValueError, match=r"[Ss]ample.weight"):
        found.moments(rows(SPIN, 6), sample_weight=weights)


# Likelihoods that have to be estimated -----------------------------------------------------------


@every_count
@every_state
def test_annealed_likelihoods_are_within_their_errors(states, n_hidden):
    oracle = strong(states, 6, n_hidden)
    found, v = fitted(oracle), rows_of(oracle, 5, oracle.n_visible)
    z = found.log_partition("ais")
    exact = pairwise.log_partition(oracle)
    assert z.method == "ais" and z.interval[0] < exact < z.interval[1]
    assert abs(z.value - exact) < 5 * z.standard_error
    log_p, errors = found.log_likelihood(v, AIS(n_temperatures=300), return_std=True)
    expected = pairwise.log_likelihood(oracle, v)
    assert np.all(np.abs(log_p - expected) < 5.1 * errors)
    assert np.ptp(errors) < 1e-12  # one log Z for all rows
    assert found.log_partition("ais") == z


@every_state
def test_hidden_units_that_cannot_be_summed_out_are_annealed(states, monkeypatch):
    """The limit is lowered, so that the sums are known."""
    oracle = strong(states, 7, 4)
    found, v = fitted(oracle), rows_of(oracle, 5, 3)
    exact, free = found.log_likelihood(v), found.free_energy(v)
    features = found.transform(v)
    monkeypatch.setattr("ebm.likelihood.pairwise.A_ROW", Limits(2, 1))
    log_p, errors = found.log_likelihood(v, return_std=True)
    assert (errors > 0).all() and (errors < 0.1).all()
    assert np.all(np.abs(log_p - exact) < 5.1 * errors)
    np.testing.assert_array_equal(found.log_likelihood(v), log_p)
    bound = found.score_samples(v)
    np.testing.assert_array_equal(found.score_samples(v), bound)
    expected = pairwise.pseudo_log_likelihood(oracle, v)
    assert 1e-6 < np.abs(bound - expected).max() < 0.5
    monkeypatch.setattr("ebm.inference.hidden_means.MAX_ENUMERATED_HIDDEN", 2)
    assert 1e-6 < np.abs(found.transform(v) - features).max() < 0.5
    np.testing.assert_array_equal(found.free_energy(v), free)


def test_more_than_twenty_joined_hidden_units(monkeypatch):
    oracle = random_pairwise(24, SPIN, 22, seed=5)
    found, v = fitted(oracle), rows_of(oracle, 2, 2)
    with pytest.raises(ValueError, match=r"22 hidden units .* at most 20"):
        found.free_energy(v)
    log_p, errors = found.log_likelihood(v, AIS(n_temperatures=200), return_std=True)
    assert np.isfinite(found.score_samples(v)).all()
    for module in ("ebm.energies.pairwise_sums", "ebm.likelihood.pairwise"):
        monkeypatch.setattr(f"{module}.A_ROW", Limits(22, 16))
    exact = found.log_likelihood(v, "exact")
    assert np.all(np.abs(log_p - exact) < 5.1 * errors) and errors.max() < 0.2


def test_annealing_from_rows_is_for_machines_without_hidden_units():
    oracle = strong(SPIN)
    v = rows_of(oracle, 4)
    log_p, errors = fitted(oracle).log_likelihood(v, "raise", return_std=True)
    assert np.all(np.abs(log_p - pairwise.log_likelihood(oracle, v)) < 5.1 * errors + 0.05)
    with pytest.raises(ValueError, match=r"raise.*hidden units.*ais"):
        fitted(strong(SPIN, 5, 2)).log_likelihood(v[:, :3], "raise")


def test_an_estimate_that_cannot_be_trusted_warns():
    oracle = OraclePairwise(3 * (1 - np.eye(24)), np.zeros(24), SPIN)
    with pytest.warns(ConvergenceWarning, match="n_temperatures"):
        fitted(oracle).log_partition(AIS(n_temperatures=3, n_runs=10))


# Learning ----------------------------------------------------------------------------------------


def test_hidden_units_learn_what_pairs_cannot_say():
    """The parity of three units: all means and correlations of pairs are those of fair coins."""
    X = np.tile([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], (5, 1))
    mask = np.zeros((7, 7), bool)
    mask[:3, 3:] = mask[3:, :3] = True
    settings = {"learning_rate": 0.05, "optimizer": "adam", "n_iter": 300, "gradient": "exact"}
    found = machine(SPIN, 4, mask=mask, batch_size=20, **settings).fit(X)
    assert found.log_likelihood(X).mean() > np.log(1 / 4) - 0.1
    pairs_only = machine(SPIN, gradient="maximum_likelihood").fit(X)
    assert pairs_only.log_likelihood(X).mean() == pytest.approx(np.log(1 / 8), abs=1e-6)


@pytest.mark.parametrize(
    "gradient", ["cd", PersistentContrastiveDivergence(n_steps=3, n_chains=200)], ids=["cd", "pcd"]
)
@every_state
def test_sampled_gradients_learn_the_law_of_the_data(states, gradient):
    """Two hidden units, joined to each other, as in the machine that the data come from."""
    oracle = random_pairwise(6, states, 2, seed=2, scale=2.5 if states == SPIN else 5.0)
    law = pairwise.visible_probabilities(oracle)
    X = draws_from(oracle, law, 3000)
    shares = counts_of(oracle, X) / len(X)
    best = shares[shares > 0] @ np.log(shares[shares > 0])
    rate = 0.03 if states == SPIN else 0.12  # couplings of bits are four times those of spins
    settings = {"learning_rate": rate, "schedule": "linear", "n_iter": 50, "batch_size": 50}
    found = machine(states, 2, gradient=gradient, **settings).fit(X)
    start = machine(states, 2, n_iter=0).fit(X)
    gaps = [best - m.log_likelihood(X).mean() for m in (start, found)]
    assert gaps[0] > 0.3 and gaps[1] < 0.02


@every_state
def test_couplings_are_found_again_on_a_lattice(states):
    mask = lattice((3, 3)) > 0
    J = mask * (0.3 if states == SPIN else 1.2)
    oracle = OraclePairwise(J, np.full(9, -0.1 if states == SPIN else -2.6), states)
    X = draws_from(oracle, pairwise.probabilities(oracle), 20_000)
    settings = {"learning_rate": 0.05, "optimizer": "adam", "schedule": "linear", "n_iter": 150}
    found = machine(states, mask=mask, gradient="exact", batch_size=20_000, **settings).fit(X)
    assert not found.couplings_[~mask].any()
    scale = 1.0 if states == SPIN else 4.0
    np.testing.assert_allclose(found.couplings_[mask], J[mask], atol=0.05 * scale)
    told = found.moments(X)
    np.testing.assert_allclose(told.mean, told.data_mean, atol=1e-3)
    near = np.abs(told.covariance - told.data_covariance)[mask]
    assert near.max() < 3e-3
