"""ebm.energies.pairwise_path: the law at every t, annealing and tempering along it, critical lattices."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key, fold
from ebm.energies.lattices import lattice
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.path import base_of, path_to
from ebm.likelihood import AIS, RAISE, log_likelihood, log_partition
from ebm.likelihood.ais import log_mean, temperatures
from ebm.samplers import Replicas, Target, Tempering, anneal, anneal_back, gibbs, temper
from ebm.units import Spin
from tests.checks.sweeps import assert_inverse_weights_are_unbiased, assert_weights_are_unbiased
from tests.core.pairwise_paths import library_path, model_and_base, uneven
from tests.models.pairwise import STATES, counts_of, draws_from, rows_of, spelled
from tests.oracles import draws, pairwise, pairwise_sweeps
from tests.oracles.pairwise import SPIN, OraclePairwise, random_pairwise
from tests.statistics import assert_same_distribution, assert_same_mean

KEY = Key(31, 32)
TS = [0.0, 0.3, 1.0]
BOTH = [np.float64, np.float32]
every_state = pytest.mark.parametrize("states", STATES, ids=["binary", "spin"])
every_t = pytest.mark.parametrize("t", TS)
every_length = pytest.mark.parametrize("n_steps", [1, 3, 10])


# What a path is made of ----------------------------------------------------------------------


@every_state
def test_log_z_at_the_start_is_that_of_independent_units(states):
    oracle, base = model_and_base(states)
    start = pairwise_sweeps.at(oracle, base, 0.0)
    assert library_path(oracle, base).log_z == pytest.approx(pairwise.log_partition(start))


@every_t
@every_state
def test_stages_are_the_models_on_the_way(states, t):
    oracle, base = model_and_base(states)
    stage, model = library_path(oracle, base).stage(t), pairwise_sweeps.at(oracle, base, t)
    assert stage.t == t
    np.testing.assert_allclose(stage.bias, model.b, rtol=1e-14)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("steps", [(0.0, 0.2), (0.3, 0.7), (0.0, 1.0), (0.8, 0.1)])
@every_state
def test_gain_is_the_fall_of_the_energy(states, steps, dtype):
    oracle, base = model_and_base(states, 6, 2)
    path, s = library_path(oracle, base, dtype), rows_of(oracle, 7)
    x = s.astype(dtype)
    gain = path.gain(x, path.inputs(x), *map(path.stage, steps))
    assert gain.dtype == np.float64
    first, last = (
        [pairwise.energy(pairwise_sweeps.at(oracle, base, t), row) for row in s] for t in steps
    )
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(gain, np.subtract(first, last), rtol=0, atol=tolerance)


@every_state
def test_energy_is_that_of_the_model(states):
    oracle, base = model_and_base(states)
    path, s = library_path(oracle, base), rows_of(oracle, 7)
    expected = [pairwise.energy(oracle, row) for row in s]
    np.testing.assert_allclose(path.energy(s, path.inputs(s)), expected, rtol=1e-12, atol=1e-12)


@every_state
def test_start_equals_its_twin_on_the_same_random_numbers(states):
    oracle, base = model_and_base(states, 5)
    path = library_path(oracle, base)
    s, (low, high) = path.start(9, KEY), states
    p = 1 / (1 + np.exp(-(high - low) * base))
    u = draws.uniforms(KEY, 9, 5)
    np.testing.assert_array_equal(s, np.where(u < p, high, low))
    np.testing.assert_array_equal(path.start(4, KEY, first_row=5), s[5:])


@every_state
def test_rows_move_at_the_stages_they_belong_to(states):
    """By a sweep in order, on the numbers of their places; entries that are given stay."""
    oracle, base = model_and_base(states, 5)
    path, s = library_path(oracle, base), rows_of(oracle, 6)
    given = np.full(s.shape, np.nan)
    given[:, 1], given[::2, 3] = s[:, 0], -0.0
    u, stages = draws.uniforms(KEY, 6, 5), [path.stage(t) for t in TS]
    for known in (None, given):
        new = path.move(s, path.inputs(s), stages, KEY, given=known)
        start = s if known is None else np.where(np.isnan(given), s, given)
        for row in range(6):
            model = pairwise_sweeps.at(oracle, base, TS[row // 2])
            own = None if known is None else given[row]
            args = (model, start[row], range(5), u[row], 1.0, own)
            np.testing.assert_array_equal(new[row], pairwise_sweeps.heat_bath_sweep(*args))
    assert new[~np.isnan(given)].tobytes() == given[~np.isnan(given)].tobytes()
    part = path.move(s[2:4], path.inputs(s[2:4]), stages[1:2], KEY, first_row=2, given=given[2:4])
    np.testing.assert_array_equal(part, new[2:4])


@every_state
def test_the_base_of_data_has_their_means_and_undecided_hidden_units(states):
    oracle = random_pairwise(6, states, 2)
    model, params = spelled(oracle)
    X = rows_of(oracle, 4000, 4)
    X[:, 0] = states[1]
    base = base_of(model, params, X.mean(axis=0), X.var(axis=0), float(len(X)))
    means = model.unit.mean(model.layer_params(base), np.zeros((1, 6)))[0]
    np.testing.assert_allclose(means[:4], X.mean(axis=0), atol=1e-3)
    np.testing.assert_array_equal(base[4:], 0)
    assert np.isfinite(base).all()


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", BOTH)
@every_state
def test_without_data_the_base_is_about_the_means_of_the_model(states, dtype):
    oracle = random_pairwise(5, states, seed=3)
    model, params = spelled(oracle, dtype)
    path = path_to(model, params)
    own = model.layer_params(path.stage(0.0).bias)
    means = model.unit.mean(own, np.zeros((1, 5), dtype))[0]
    assert means.dtype == dtype
    deviation = (states[1] - states[0]) / 2 / np.sqrt(256)
    np.testing.assert_allclose(means, pairwise.means(oracle), rtol=0, atol=5 * deviation)


# Annealing -----------------------------------------------------------------------------------


@every_length
@every_state
def test_particles_and_weights_equal_their_twins(states, n_steps):
    """A weight is the fall of the energy at the state before the move; backwards it is after it."""
    oracle, base = model_and_base(states)
    path, ts, u = library_path(oracle, base), uneven(n_steps), {}
    for k in range(n_steps + 1):
        u[k] = draws.uniforms(draws.fold(KEY, k), 3, 4)
    found = anneal(path, ts, 3, KEY)
    start = path.start(3, fold(KEY, 0))
    back = anneal_back(path, ts, start, KEY)
    stages = [pairwise_sweeps.at(oracle, base, t) for t in ts]

    def gain(s, k):
        return pairwise.energy(stages[k - 1], s) - pairwise.energy(stages[k], s)

    for c in range(3):
        s, log_weight = start[c], 0.0
        for k in range(1, n_steps + 1):
            log_weight += gain(s, k)
            s = pairwise_sweeps.heat_bath_sweep(stages[k], s, range(4), u[k][c])
        np.testing.assert_array_equal(found.x[c], s)
        assert found.log_weights[c] == pytest.approx(log_weight, abs=1e-12)
        s, log_weight = start[c], 0.0
        for draw, k in enumerate(range(n_steps, 0, -1), 1):
            s = pairwise_sweeps.heat_bath_sweep(stages[k], s, range(4), u[draw][c])
            log_weight += gain(s, k)
        np.testing.assert_array_equal(back.x[c], s)
        assert back.log_weights[c] == pytest.approx(log_weight, abs=1e-12)


@pytest.mark.needs_jit
@every_length
@every_state
def test_weights_are_unbiased_however_few_the_temperatures(states, n_steps):
    oracle, base = model_and_base(states)
    ts, path = uneven(n_steps), library_path(oracle, base)
    assert_weights_are_unbiased(
        lambda n: anneal(path, ts, n, KEY).log_weights, oracle, base, ts, n=100_000
    )


@pytest.mark.needs_jit
@every_length
@every_state
def test_inverse_weights_are_unbiased_from_draws_of_the_model(states, n_steps):
    oracle, base = model_and_base(states)
    ts, path = uneven(n_steps), library_path(oracle, base)
    assert_inverse_weights_are_unbiased(
        lambda s: anneal_back(path, ts, s, KEY).log_weights, oracle, base, ts, n=100_000
    )


@pytest.mark.needs_jit
@every_state
def test_particles_end_with_the_annealed_law_and_weighted_with_the_models(states):
    oracle, base = model_and_base(states)
    path, ts = library_path(oracle, base), uneven(3)
    s, log_weights = anneal(path, ts, 50_000, KEY)
    law = pairwise_sweeps.annealed(oracle, base, ts, 0)
    assert_same_distribution(counts_of(oracle, s), law)
    shares = np.exp(log_weights - np.log(pairwise_sweeps.ratio(oracle, base)))
    mean = pairwise.means(oracle)
    assert_same_mean(shares[:, np.newaxis] * (s - mean), 0.0)


@pytest.mark.needs_jit
@every_state
@pytest.mark.parametrize("seed", range(10))
def test_forward_and_reverse_estimates_of_ten_models_are_within_their_errors(states, seed):
    """At the level 1e-6 of Student's law, from a base that knows nothing; hidden units among all."""
    oracle = random_pairwise(10, states, seed % 3, seed=seed, scale=1 + seed / 3)
    exact = pairwise.log_partition(oracle)
    path, ts = library_path(oracle, np.zeros(10)), temperatures("sigmoid", 100)
    forward, error, _ = log_mean(anneal(path, ts, 200, KEY).log_weights)
    start = draws_from(oracle, pairwise.probabilities(oracle), 200)
    inverse, other, _ = log_mean(-anneal_back(path, ts, start, fold(KEY, 99)).log_weights)
    assert error < 0.2 and other < 0.2
    assert abs(path.log_z + forward - exact) < 5.1 * error
    assert abs(path.log_z - inverse - exact) < 5.1 * other


@pytest.mark.needs_jit
@every_state
def test_the_estimate_at_another_temperature(states):
    oracle = random_pairwise(8, states, seed=4, scale=2.0)
    model, params = spelled(oracle)
    for beta in (0.5, 1.7):
        found = log_partition(model, params, AIS(n_temperatures=200), beta=beta)
        exact = pairwise.log_partition(oracle, beta)
        assert abs(found.value - exact) < 5.1 * found.standard_error + 1e-9
        assert found.interval[0] < exact < found.interval[1]


@pytest.mark.needs_jit
def test_the_probability_of_rows_by_annealing_back_from_them():
    """With many temperatures the annealing is the model; only visible units can be started from."""
    oracle = random_pairwise(6, SPIN, seed=4)
    model, params = spelled(oracle)
    rows = rows_of(oracle, 5)
    choice = RAISE(n_temperatures=500, n_runs=400)
    found, errors, _ = log_likelihood(model, params, rows, choice)
    exact = pairwise.log_likelihood(oracle, rows)
    assert np.all(np.abs(found - exact) < 5.1 * errors + 0.01)
    with pytest.raises(ValueError, match="hidden units of this machine"):
        log_likelihood(Pairwise(Spin(), 2), params, rows[:, :4], "raise")


# Tempering -----------------------------------------------------------------------------------

LADDER = np.array([1.0, 0.5, 0.0])


def replica_sweeper(oracle, base, n_sweeps, first):
    """From states (chains, replicas * units) to states."""
    path, n = library_path(oracle, base), oracle.n

    def sweep(x):
        flat = np.vstack(np.split(x, len(LADDER), axis=1))
        state = Replicas(flat, LADDER, np.zeros(2), np.zeros(2), first)
        moved = temper(path, state, KEY, n_sweeps).x
        return np.hstack(np.split(moved, len(LADDER)))

    return sweep, n


@pytest.mark.needs_jit
@pytest.mark.parametrize("first", [0, 1])
@every_state
def test_tempering_keeps_the_product_law_of_the_replicas(states, first):
    oracle, base = model_and_base(states, 3)
    sweep, _ = replica_sweeper(oracle, base, 2, first)
    law = pairwise_sweeps.product_law(oracle, base, LADDER)
    x = sweep(draws_from(oracle, law, 60_000))
    assert_same_distribution(counts_of(oracle, x), law)


@pytest.mark.needs_jit
@pytest.mark.parametrize("first", [0, 1])
@every_state
def test_a_tempered_sweep_has_the_transition_row_of_all_replicas(states, first):
    oracle, base = model_and_base(states, 3)
    sweep, _ = replica_sweeper(oracle, base, 1, first)
    T = pairwise_sweeps.replica_sweep(oracle, base, LADDER, first)
    start = np.array(states)[[1, 1, 0, 1, 0, 0, 0, 1, 1]]
    law = T[pairwise.state_index(oracle, start)]
    assert_same_distribution(counts_of(oracle, sweep(np.tile(start, (60_000, 1)))), law)


def two_valleys(n_units=10, coupling=0.5, field=0.05):
    """All pairs like to be equal: two valleys, and between them n^2 coupling / 2 = 25 nats of energy."""
    J = np.full((n_units, n_units), coupling)
    np.fill_diagonal(J, 0)
    return OraclePairwise(J, np.full(n_units, field), SPIN)


@pytest.mark.needs_jit
def test_tempering_crosses_a_barrier_that_gibbs_sampling_does_not():
    oracle = two_valleys()
    energies = -pairwise.log_weights(oracle)
    magnetisation = pairwise.all_states(oracle).sum(axis=1)
    free = [-np.logaddexp.reduce(-energies[magnetisation == m]) for m in (-10, 0, 10)]
    assert free[1] - free[0] > 18 and free[1] - free[2] > 18
    model, params = spelled(oracle)
    start = np.ones((2000, 10))
    assert (gibbs(model, params, start, KEY, 300).sum(axis=1) > 0).all()
    drawn = Tempering(n_temperatures=8).draw(Target(model, params), start, KEY, 300)
    assert_same_distribution(counts_of(oracle, drawn.v), pairwise.probabilities(oracle))
    assert drawn.swap_rates.min() > 0.2


@pytest.mark.needs_jit
@every_state
def test_tempering_at_another_temperature_with_clamped_units(states):
    oracle, base = model_and_base(states)
    model, params = spelled(oracle)
    given = np.array([np.nan, states[1], np.nan, np.nan])
    target = Target(model, params, 0.6, np.tile(given, (20_000, 1)), base)
    drawn = Tempering(n_temperatures=3).draw(target, rows_of(oracle, 20_000), KEY, 30)
    law = pairwise.given_law(oracle, given, 0.6)
    assert_same_distribution(counts_of(oracle, drawn.v), law)


# Lattices ------------------------------------------------------------------------------------

CRITICAL = 0.4406867935


def torus(side, dtype=np.float64):
    return Pairwise(Spin()), PairwiseParameters(
        lattice((side, side)).astype(dtype), np.zeros(side**2, dtype)
    )


@pytest.mark.needs_jit
def test_critical_lattice_of_64_spins_by_annealed_importance_sampling():
    found = log_partition(*torus(8), AIS(n_temperatures=1000, n_runs=100), beta=CRITICAL)
    low, high = found.interval
    assert low < 60.14178079 < high
    assert abs(found.value - 60.14178079) < 5.1 * found.standard_error
    assert found.standard_error < 0.1


@pytest.mark.needs_jit
def test_energy_of_the_critical_lattice_by_sampling():
    """From all up and from independent spins in equal parts, for many times the 90 sweeps that it remembers."""
    model, params = torus(8, np.float32)
    start = np.ones((3000, 64), np.float32)
    start[1500:] = np.random.default_rng(1).choice(SPIN, (1500, 64))
    s = gibbs(model, params, start, KEY, 1000, beta=CRITICAL)
    assert_same_mean(model.energy(params, s) / 64, -1.491589)


@pytest.mark.parametrize("side", [3, 4])
def test_small_lattices_are_exact(side):
    known = {3: (0.2, 6.66974460), 4: (CRITICAL, 15.52191546)}
    beta, log_z = known[side]
    assert log_partition(*torus(side), beta=beta).value == pytest.approx(log_z, abs=5e-9)
