"""ebm.energies.groups and pairwise_sums, ebm.likelihood.pairwise: exact sums against the oracles."""

from __future__ import annotations

import numpy as np
import pytest

from ebm.energies import groups
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import (
    pairwise_free_energy,
    pairwise_hidden_mean,
    pairwise_log_partition,
    pairwise_moments,
)
from ebm.likelihood.pairwise import (
    exact_pairwise_log_likelihood,
    exact_pairwise_log_partition,
    pairwise_pseudo_log_likelihood,
)
from ebm.units import Bernoulli, Spin
from tests.checks.pairwise import assert_exact_sums, assert_pairwise_free_energy
from tests.oracles import known_answers, lattices, pairwise
from tests.oracles.pairwise import BINARY, SPIN, OraclePairwise, random_pairwise

BETAS = [0.3, 1.0, 2.5]
STATES = [BINARY, SPIN]
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def spelled(oracle, dtype=np.float64):
    """The library's spelling."""
    unit = Bernoulli() if tuple(oracle.states) == BINARY else Spin()
    params = PairwiseParameters(oracle.J.astype(dtype), oracle.b.astype(dtype))
    return Pairwise(unit, oracle.n_hidden), params


def without_pairs(oracle, pairs):
    """The same machine, some pairs of units not joined."""
    J = oracle.J.copy()
    for i, j in pairs:
        J[i, j] = J[j, i] = 0.0
    return OraclePairwise(J, oracle.b, oracle.states, oracle.n_hidden)


def machines(states):
    """One of each kind: all pairs joined, few, none; hidden units joined, apart, both, none, nothing else."""
    full = random_pairwise(6, states, seed=1)
    apart = without_pairs(random_pairwise(6, states, 3, seed=2), [(3, 4), (3, 5), (4, 5)])
    return {
        "full": full,
        "sparse": random_pairwise(7, states, seed=3, density=0.4),
        "independent": OraclePairwise(0 * full.J, full.b, states),
        "strong": random_pairwise(5, states, 2, seed=4, scale=60.0),
        "hidden joined": random_pairwise(6, states, 3, seed=5),
        "hidden apart": apart,
        "hidden chain": without_pairs(random_pairwise(7, states, 3, seed=6), [(4, 6)]),
        "only hidden": random_pairwise(4, states, 4, seed=7),
        "one unit": random_pairwise(1, states, seed=8),
    }


KINDS = list(machines(SPIN))


def rows_of(oracle, n_rows, seed=0):
    rng = np.random.default_rng(seed)
    return rng.choice(oracle.states, size=(n_rows, oracle.n_visible))


@pytest.fixture(params=[1, 3])
def worthwhile(request, monkeypatch):
    """Single units that are joined to all others are summed out, too, or not."""
    monkeypatch.setattr(groups, "WORTHWHILE", request.param)


@pytest.fixture
def small_blocks(monkeypatch):
    """Prefixes, several blocks, several shares: what is done with many units, with few."""
    monkeypatch.setattr(groups, "SUFFIX", 2)
    monkeypatch.setattr(groups, "BLOCK_NUMBERS", 12)
    monkeypatch.setattr(groups, "HELD", 8)


# Sums over all units --------------------------------------------------------------------------


@pytest.mark.usefixtures("worthwhile")
@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("kind", KINDS)
def test_log_partition_and_moments(kind, states, beta):
    assert_exact_sums(library_sums, machines(states)[kind], beta)


@pytest.mark.usefixtures("small_blocks", "worthwhile")
@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("kind", KINDS)
def test_log_partition_and_moments_in_small_blocks(kind, states):
    assert_exact_sums(library_sums, machines(states)[kind], 0.7)


def library_sums(oracle, beta):
    model, params = spelled(oracle)
    log_z = pairwise_log_partition(model, params, beta=beta)
    return log_z, *pairwise_moments(model, params, beta=beta)


def test_covariances_are_connected():
    found = pairwise_moments(*spelled(random_pairwise(4, SPIN)))
    expected = found.correlations - np.outer(found.mean, found.mean)
    np.testing.assert_array_equal(found.covariance, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_of_either_precision_are_summed_in_double(dtype):
    oracle = random_pairwise(6, SPIN)
    rounded = OraclePairwise(*(x.astype(dtype).astype(float) for x in (oracle.J, oracle.b)), SPIN)
    model, params = spelled(oracle, dtype)
    copies = [x.copy() for x in params]
    value = pairwise_log_partition(model, params)
    assert value == pytest.approx(pairwise.log_partition(rounded), rel=1e-14)
    found = pairwise_moments(model, params)
    np.testing.assert_allclose(found.correlations, pairwise.correlations(rounded), **CLOSE)
    assert found.mean.dtype == np.float64
    for before, after in zip(copies, params, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("side", "beta", "log_z", "energy"), known_answers.ISING_TORI[:2])
def test_known_answers_of_the_tori(side, beta, log_z, energy):
    model, params = torus(side, side)
    assert pairwise_log_partition(model, params, beta=beta) == pytest.approx(log_z, abs=1e-8)
    exact = lattices.torus_log_partition(side, side, beta)
    assert pairwise_log_partition(model, params, beta=beta) == pytest.approx(exact, rel=1e-14)
    found = pairwise_moments(model, params, beta=beta)
    per_spin = -0.5 * np.sum(params.J * found.correlations) / side**2
    expected = lattices.torus_mean_energy(side, side, beta) / side**2
    assert per_spin == pytest.approx(expected, rel=1e-12)
    if energy is not None:
        assert per_spin == pytest.approx(energy, abs=5e-7)
    np.testing.assert_allclose(found.mean, 0, atol=1e-13)


def torus(*shape):
    J = lattices.torus_couplings(*shape)
    return Pairwise(Spin()), PairwiseParameters(J, np.zeros(len(J)))


@pytest.mark.needs_jit
@pytest.mark.parametrize("shape", [(4, 5), (5, 5), (6, 6)])
def test_lattices_with_more_states_than_could_be_visited_one_by_one(shape):
    """Every second site of an even torus is summed out in closed form."""
    model, params = torus(*shape)
    exact, energy = lattices.torus(*shape, 0.4406867935)
    value = pairwise_log_partition(model, params, beta=0.4406867935)
    assert value == pytest.approx(exact, rel=1e-13)
    if shape == (6, 6):
        found = pairwise_moments(model, params, beta=0.4406867935)
        assert -0.5 * np.sum(params.J * found.correlations) == pytest.approx(energy, rel=1e-12)


@pytest.mark.needs_jit
def test_twenty_units_by_the_recursion_over_one():
    """Z = Z given that the last unit is low plus Z given that it is high; and moments are slopes of log Z."""
    oracle = random_pairwise(20, SPIN, seed=9)
    model, params = spelled(oracle)
    whole = pairwise_log_partition(model, params)
    halves = []
    for state in SPIN:
        rest = PairwiseParameters(params.J[:19, :19], params.bias[:19] + state * params.J[:19, 19])
        halves.append(state * params.bias[19] + pairwise_log_partition(model, rest))
    assert whole == pytest.approx(np.logaddexp(*halves), rel=1e-14)
    found = pairwise_moments(model, params)
    assert found.mean[19] == pytest.approx(np.tanh((halves[1] - halves[0]) / 2), rel=1e-11)
    nudged = [params.J.copy() for _ in range(2)]
    for J, step in zip(nudged, (1e-5, -1e-5), strict=True):
        J[3, 17] += step
        J[17, 3] += step
    up, down = (pairwise_log_partition(model, params._replace(J=J)) for J in nudged)
    assert found.correlations[3, 17] == pytest.approx((up - down) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
@pytest.mark.usefixtures("small_blocks")
def test_threads_do_not_change_a_bit(n_jobs):
    model, params = spelled(random_pairwise(9, SPIN))
    value = pairwise_log_partition(model, params)
    assert pairwise_log_partition(model, params, n_jobs=n_jobs) == value
    oracle = machines(SPIN)["hidden joined"]
    model, params = spelled(oracle)
    X = rows_of(oracle, 5)
    free = pairwise_free_energy(model, params, X)
    np.testing.assert_array_equal(pairwise_free_energy(model, params, X, n_jobs=n_jobs), free)


def test_exact_results_are_records_without_error():
    model, params = spelled(random_pairwise(4, BINARY))
    found = exact_pairwise_log_partition(model, params, beta=0.5)
    assert found.value == pairwise_log_partition(model, params, beta=0.5)
    assert (found.standard_error, found.interval) == (0.0, (found.value, found.value))
    assert found.method == "exact"


def test_too_many_units_are_refused_with_their_number():
    oracle = random_pairwise(28, SPIN)
    model, params = spelled(oracle)
    with pytest.raises(ValueError, match=r"28 units .* 27 of them, .* at most 25"):
        pairwise_log_partition(model, params)
    with pytest.raises(ValueError, match="28 units"):
        pairwise_moments(model, params)
    hidden = Pairwise(Spin(), 25)
    for refused in (pairwise_free_energy, pairwise_hidden_mean):
        with pytest.raises(ValueError, match=r"25 hidden units .* 24 of them, .* at most 20"):
            refused(hidden, params, np.ones((1, 3)))


# The choice of what is enumerated ---------------------------------------------------------------


def test_independent_units_are_not_joined_and_no_more_fit():
    for seed in range(5):
        J = random_pairwise(12, SPIN, seed=seed, density=0.3).J
        chosen = groups.independent_units(J)
        assert not J[np.ix_(chosen, chosen)].any()
        assert np.all(J[np.ix_(~chosen, chosen)].any(axis=1))


def test_what_is_left_to_enumerate():
    assert groups.independent_units(random_pairwise(6, SPIN).J).sum() == 1
    assert groups.independent_units(np.zeros((4, 4))).all()
    assert groups.independent_units(np.zeros((0, 0))).shape == (0,)
    assert groups.independent_units(lattices.torus_couplings(4, 6)).sum() == 12
    bipartite = np.zeros((8, 8))
    bipartite[:3, 3:] = 1
    chosen = groups.independent_units(bipartite + bipartite.T)
    assert chosen.tolist() == 3 * [False] + 5 * [True]


# Hidden units -----------------------------------------------------------------------------------

WITH_HIDDEN = ["strong", "hidden joined", "hidden apart", "hidden chain", "only hidden"]


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("kind", KINDS)
def test_free_energy(kind, states, beta):
    assert_pairwise_free_energy(library_free_energy, machines(states)[kind], beta)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("kind", WITH_HIDDEN)
def test_free_energy_in_small_blocks(kind, states):
    assert_pairwise_free_energy(library_free_energy, machines(states)[kind], 0.7)


def library_free_energy(oracle, V, beta):
    return pairwise_free_energy(*spelled(oracle), V, beta=beta)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("kind", KINDS)
def test_likelihood(kind, states, beta):
    oracle = machines(states)[kind]
    X = pairwise.all_states(oracle, oracle.n_visible)
    found = exact_pairwise_log_likelihood(*spelled(oracle), X, beta=beta)
    expected = pairwise.log_likelihood(oracle, X, beta)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("kind", WITH_HIDDEN)
def test_hidden_means(kind, states):
    oracle = machines(states)[kind]
    model, params = spelled(oracle)
    X = rows_of(oracle, 4)
    for beta in BETAS:
        expected = [pairwise.hidden_means(oracle, v, beta) for v in X]
        found = pairwise_hidden_mean(model, params, X, beta=beta)
        np.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("kind", ["full", *WITH_HIDDEN])
def test_moments_with_clamped_rows(kind, states):
    check_clamped_moments(machines(states)[kind])


@pytest.mark.usefixtures("small_blocks", "worthwhile")
@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("kind", ["full", *WITH_HIDDEN])
def test_moments_with_clamped_rows_in_small_blocks(kind, states):
    check_clamped_moments(machines(states)[kind])


def check_clamped_moments(oracle):
    model, params = spelled(oracle)
    X, weights = rows_of(oracle, 5), np.array([1.0, 0.5, 2.0, 0.0, 3.0])
    found = pairwise_moments(model, params, v=X, weights=weights)
    dJ, db = pairwise.data_statistics(oracle, X, weights / weights.sum())
    np.testing.assert_allclose(found.mean, db, **CLOSE)
    squares = np.array(found.correlations.diagonal())
    np.testing.assert_allclose(found.correlations - np.diag(squares), dJ, **CLOSE)
    expected = db if tuple(oracle.states) == BINARY else np.ones(oracle.n)
    np.testing.assert_allclose(squares, expected, **CLOSE)
    equal = pairwise_moments(model, params, v=X)
    ones = pairwise_moments(model, params, v=X, weights=np.full(5, 7.0))
    np.testing.assert_allclose(equal.correlations, ones.correlations, **CLOSE)


def test_moments_differ_as_the_gradient_says():
    oracle = machines(BINARY)["hidden chain"]
    model, params = spelled(oracle)
    X = rows_of(oracle, 5)
    data, own = pairwise_moments(model, params, v=X), pairwise_moments(model, params)
    dJ, db = pairwise.log_likelihood_gradient(oracle, X)
    difference = data.correlations - own.correlations
    np.fill_diagonal(difference, 0)
    np.testing.assert_allclose(difference, dJ, **CLOSE)
    np.testing.assert_allclose(data.mean - own.mean, db, **CLOSE)


# Pseudo-likelihood ------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("strong", "only hidden")])
def test_pseudo_likelihood(kind, states, beta):
    oracle = machines(states)[kind]
    model, params = spelled(oracle)
    X = rows_of(oracle, 6)
    expected = pairwise.pseudo_log_likelihood(oracle, X, beta)
    found = pairwise_pseudo_log_likelihood(model, params, X, beta=beta)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("n_hidden", [0, 2])
def test_pseudo_likelihood_of_strong_couplings_does_not_overflow(n_hidden):
    oracle = random_pairwise(5, SPIN, n_hidden, scale=3000.0)
    model, params = spelled(oracle)
    X = rows_of(oracle, 6)
    expected = np.zeros(6)
    for row, v in enumerate(X):
        for i in range(oracle.n_visible):
            turned = v * np.where(np.arange(len(v)) == i, -1, 1)
            rise = pairwise.free_energy(oracle, turned) - pairwise.free_energy(oracle, v)
            expected[row] -= np.logaddexp(0, -rise)
    found = pairwise_pseudo_log_likelihood(model, params, X)
    np.testing.assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize("n_hidden", [0, 2])
@pytest.mark.parametrize("states", STATES)
def test_pseudo_likelihood_of_what_is_between_the_states_compares_with_the_mirror_image(
    states, n_hidden
):
    oracle = random_pairwise(5, states, n_hidden)
    model, params = spelled(oracle)
    v = np.random.default_rng(0).uniform(*states, size=oracle.n_visible)
    expected = 0.0
    for i in range(oracle.n_visible):
        turned = v.copy()
        turned[i] = sum(states) - v[i]
        rise = pairwise.free_energy(oracle, turned) - pairwise.free_energy(oracle, v)
        expected -= np.logaddexp(0, -rise)
    found = pairwise_pseudo_log_likelihood(model, params, v[np.newaxis])
    np.testing.assert_allclose(found, [expected], **CLOSE)


def test_rows_are_scored_one_by_one_and_left_alone(monkeypatch):
    oracle = machines(SPIN)["hidden joined"]
    model, params = spelled(oracle)
    X = rows_of(oracle, 7).astype(np.float32)
    X.flags.writeable = False
    for scored in (pairwise_free_energy, pairwise_pseudo_log_likelihood, pairwise_hidden_mean):
        together = scored(model, params, X)
        assert together.dtype == np.float64
        single = np.concatenate([scored(model, params, row[np.newaxis]) for row in X])
        np.testing.assert_allclose(together, single, rtol=1e-13)
    whole = pairwise_pseudo_log_likelihood(model, params, X)
    monkeypatch.setattr("ebm.likelihood.pairwise.BLOCK_NUMBERS", 12)
    np.testing.assert_allclose(pairwise_pseudo_log_likelihood(model, params, X), whole, rtol=1e-13)
    assert len(pairwise_free_energy(model, params, X[:0])) == 0
