"""Boltzmann machines made of given couplings, and chains that go on from given states."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from ebm import BernoulliRBM, BoltzmannMachine, Spin, Tempering, lattice
from tests.models.pairwise import NAMES, counts_of
from tests.oracles import pairwise
from tests.oracles.pairwise import BINARY, SPIN, random_pairwise
from tests.statistics import assert_same_distribution

each_unit = pytest.mark.parametrize("states", [BINARY, SPIN], ids=["bernoulli", "spin"])


def machine_of(oracle, dtype=np.float64):
    return BoltzmannMachine.from_couplings(
        oracle.J.astype(dtype),
        oracle.b,
        unit=NAMES[oracle.states],
        n_hidden=oracle.n_hidden,
    )


# What it is ---------------------------------------------------------------------------------------


@each_unit
@pytest.mark.parametrize("n_hidden", [0, 2])
def test_the_law_is_that_of_the_couplings(states, n_hidden):
    oracle = random_pairwise(6, states, n_hidden, seed=1, scale=2.0)
    machine = machine_of(oracle)
    assert machine.n_features_in_ == 6 - n_hidden
    log_z = machine.log_partition("exact").value
    np.testing.assert_allclose(log_z, pairwise.log_partition(oracle), rtol=1e-12)
    v = pairwise.all_states(oracle, oracle.n_visible)
    p = pairwise.visible_probabilities(oracle)
    np.testing.assert_allclose(machine.log_likelihood(v), np.log(p), rtol=1e-10)
    assert machine.transform(v).shape == (len(v), n_hidden or 6)
    assert machine.score_samples(v).shape == (len(v),)
    assert machine.impute(np.full((1, oracle.n_visible), np.nan)).shape == (1, oracle.n_visible)
    assert machine.anneal(2, n_steps=5).s.shape == (2, 6)
    names = machine.get_feature_names_out()
    assert len(names) == (n_hidden or 6)


@each_unit
@pytest.mark.parametrize("n_hidden", [0, 2])
def test_samples_follow_the_couplings(states, n_hidden):
    oracle = random_pairwise(5, states, n_hidden, seed=2)
    rows = machine_of(oracle).sample(20_000, n_steps=30, random_state=0)
    p = pairwise.visible_probabilities(oracle)
    assert_same_distribution(counts_of(oracle, rows), p, alpha=1e-6)


def test_annealed_importance_sampling_needs_no_data():
    machine = BoltzmannMachine.from_couplings(0.2 * lattice((3, 3)))
    found = machine.log_partition("ais", random_state=0)
    assert abs(found.value - 6.66974460) < 5 * found.standard_error < 0.5


def test_nothing_is_taken_but_copies():
    J, b = lattice(4), np.zeros(4)
    machine = BoltzmannMachine.from_couplings(J, b)
    J[0, 1], b[0] = 7, 7
    assert machine.couplings_[0, 1] == 1 and machine.intercept_[0] == 0
    machine.couplings_[0, 1] = 3
    assert J[0, 1] == 7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_of_the_couplings_is_kept(dtype):
    machine = BoltzmannMachine.from_couplings(lattice(4).astype(dtype), np.zeros(4))
    assert machine.sample(2, n_steps=2).dtype == dtype
    assert machine.intercept_.dtype == dtype


def test_spins_without_fields_are_the_default():
    machine = BoltzmannMachine.from_couplings([[0, 1], [1, 0]])
    assert set(np.unique(machine.sample(50, n_steps=2))) == {-1, 1}
    np.testing.assert_array_equal(machine.intercept_, [0, 0])
    records = BoltzmannMachine.from_couplings([[0, 1], [1, 0]], unit=Spin())
    np.testing.assert_allclose(
        records.log_likelihood([[1, 1]]), machine.log_likelihood([[1, 1]]), rtol=0
    )


@pytest.mark.parametrize("unit", ["bernoulli", "spin"])
def test_parameters_of_a_fitted_machine_have_its_distribution_or_ask_for_the_unit(unit):
    X = np.random.default_rng(0).integers(0, 2, (200, 2))
    X = X if unit == "bernoulli" else 2 * X - 1
    fitted = BoltzmannMachine(unit=unit, gradient="maximum_likelihood").fit(X)
    with pytest.raises(ValueError, match=r"unit='bernoulli' for 0 and 1.*unit='spin' for -1 and"):
        BoltzmannMachine.from_couplings(fitted.couplings_, fitted.intercept_)
    again = BoltzmannMachine.from_couplings(fitted.couplings_, fitted.intercept_, unit=unit)
    np.testing.assert_allclose(again.log_likelihood(X), fitted.log_likelihood(X), rtol=1e-12)


def test_learning_goes_on_from_the_couplings():
    oracle = random_pairwise(5, SPIN, seed=3)
    X = pairwise.all_states(oracle)
    settings = {"gradient": "exact", "learning_rate": 1e-3, "random_state": 0}
    machine = machine_of(oracle).set_params(**settings)
    machine.partial_fit(X)
    moved = np.abs(machine.couplings_ - oracle.J).max()
    assert 0 < moved < 1e-2
    again = machine_of(oracle).set_params(**settings, warm_start=True, n_iter=1, batch_size=len(X))
    again.fit(X)
    np.testing.assert_allclose(again.couplings_, machine.couplings_, rtol=1e-12)


def test_the_settings_can_be_cloned():
    machine = BoltzmannMachine.from_couplings(lattice(4), unit="bernoulli", n_hidden=1)
    assert clone(machine).get_params() == BoltzmannMachine(1, unit="bernoulli").get_params()
    assert not hasattr(clone(machine), "couplings_")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"J": np.ones((2, 3))}, r"J must have the shape \(2, 2\)"),
        ({"J": 1.0}, "J must have the shape"),
        ({"J": [[0, 1], [2, 0]]}, "J must be symmetric"),
        ({"J": np.eye(2)}, "J must be zero on the diagonal"),
        ({"J": [[0, np.nan], [np.nan, 0]]}, "J holds NaN or infinite"),
        ({"intercept": np.zeros(3)}, r"intercept must have the shape \(2,\).*Got \(3,\)"),
        ({"intercept": [0, np.inf]}, "intercept holds NaN or infinite"),
        ({"n_hidden": 2}, "n_hidden must be less than the number of units, 2"),
        ({"n_hidden": -1}, "n_hidden must be an integer of at least 0"),
        ({"n_hidden": 0.5}, "n_hidden must be an integer"),
        ({"unit": "gaussian"}, "'unit' parameter must be one of .*Got 'gaussian'"),
    ],
)
def test_impossible_machines_are_refused(arguments, words):
    arguments = {"J": [[0, 1], [1, 0]], **arguments}
    with pytest.raises(ValueError, match=words):
        BoltzmannMachine.from_couplings(**arguments)


# Chains that go on --------------------------------------------------------------------------------


@each_unit
@pytest.mark.parametrize("n_hidden", [0, 2])
def test_one_step_from_samples_of_the_law_leaves_the_law(states, n_hidden):
    oracle = random_pairwise(5, states, n_hidden, seed=4)
    oracle.J[5 - n_hidden :, 5 - n_hidden :] = 0  # hidden units are then drawn exactly
    v = pairwise.all_states(oracle, oracle.n_visible)
    p = pairwise.visible_probabilities(oracle)
    start = v[np.random.default_rng(0).choice(len(v), 20_000, p=p)]
    rows = machine_of(oracle).sample(20_000, n_steps=1, start=start, random_state=0)
    assert_same_distribution(counts_of(oracle, rows), p, alpha=1e-6)
    assert 0.05 < np.mean(rows != start) < 0.95


def test_chains_start_where_they_are_told():
    machine = BoltzmannMachine.from_couplings(5 * lattice((4, 4)))  # too cold to leave
    for state in (1.0, -1.0):
        rows = machine.sample(20, n_steps=3, start=np.full(16, state), random_state=0)
        np.testing.assert_array_equal(rows, state)
    both = np.repeat([[1.0], [-1.0]], 16, axis=1)
    np.testing.assert_array_equal(machine.sample(2, n_steps=3, start=both), both)
    tempered = Tempering(n_temperatures=3)
    assert machine.sample(2, n_steps=4, start=both, sampler=tempered).shape == (2, 16)


def test_hidden_units_follow_from_the_start():
    J = np.zeros((5, 5))
    J[:3, 3:] = J[3:, :3] = 10  # a chain on one side stays there only if the hidden units do
    machine = BoltzmannMachine.from_couplings(J, n_hidden=2)
    both = np.repeat([[1.0], [-1.0]], 3, axis=1)
    np.testing.assert_array_equal(machine.sample(2, n_steps=3, start=both), both)


def test_known_values_go_before_the_start():
    machine = BoltzmannMachine.from_couplings(5 * lattice(4))
    given = [-1.0, np.nan, np.nan, np.nan]
    rows = machine.sample(10, n_steps=5, start=np.ones(4), given=given, random_state=0)
    np.testing.assert_array_equal(rows[:, 0], -1)


def test_the_start_of_a_restricted_machine_is_visible():
    rbm = BernoulliRBM(n_components=2, n_iter=1, random_state=0).fit(np.eye(4))
    rbm.components_ = np.array([[40.0, 40, 0, 0], [0, 0, 40, 40]])
    rbm.intercept_visible_, rbm.intercept_hidden_ = np.full(4, -20.0), np.full(2, -40.0)
    v = np.array([[1.0, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]])
    np.testing.assert_array_equal(rbm.sample(4, n_steps=3, start=v), v)


def test_the_start_is_not_modified():
    start = np.ones((3, 4))
    BoltzmannMachine.from_couplings(lattice(4)).sample(3, n_steps=5, start=start, random_state=0)
    np.testing.assert_array_equal(start, 1)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (np.ones(3), "start must have 4 columns"),
        (np.ones((2, 4)), r"start must have the shape \(4,\) or \(3, 4\)"),
        ([1, 1, 1, np.nan], "start holds NaN; what is known"),
        ([1, 1, 1, 2], "start holds values between 1 and 2"),
    ],
)
def test_impossible_starts_are_refused(start, words):
    machine = BoltzmannMachine.from_couplings(lattice(4))
    with pytest.raises(ValueError, match=words):
        machine.sample(3, start=start)
