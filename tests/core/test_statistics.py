"""The statistical assertions accept true samples and reject a near miss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.statistics import (
    assert_increasing,
    assert_same_distribution,
    assert_same_mean,
    g_test,
    joint_counts,
    pool_rare_cells,
    state_counts,
    total_variation,
    total_variation_floor,
)

pytestmark = pytest.mark.once  # nothing of the library runs here

N_SAMPLES = 20_000
PROBABILITIES = np.random.default_rng(0).dirichlet(np.full(32, 0.5))


@pytest.fixture
def rng():
    return np.random.default_rng(20)


# Counting ------------------------------------------------------------------------------------


def test_state_counts_puts_the_first_unit_first():
    x = np.array([[0, 0], [0, 1], [0, 1], [1, 0]])
    assert state_counts(x).tolist() == [1, 2, 1, 0]


def test_joint_counts_has_a_row_for_each_visible_state():
    v = np.array([[0.0], [1.0], [1.0]])
    h = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    assert joint_counts(v, h).tolist() == [[0, 1, 0, 0], [0, 0, 0, 2]]


@pytest.mark.parametrize("value", [0.5, -1, 2, np.nan])
def test_counting_rejects_what_is_not_a_bit(value):
    with pytest.raises(ValueError, match="index"):
        state_counts(np.array([[0, value]]))


# Distance ------------------------------------------------------------------------------------


def test_total_variation_of_equal_and_of_disjoint_laws():
    assert total_variation([0.5, 0.5], [0.5, 0.5]) == 0
    assert total_variation([1, 0], [0, 1]) == 1
    assert total_variation([[0.5, 0.5]], [[0.25, 0.75]]) == 0.25


def test_total_variation_floor_bounds_the_mean_distance(rng):
    n = 1000
    draws = rng.multinomial(n, PROBABILITIES, size=500)
    distances = [total_variation(counts / n, PROBABILITIES) for counts in draws]
    floor = total_variation_floor(PROBABILITIES, n)
    assert 0.7 * floor < np.mean(distances) < floor


# Same distribution ---------------------------------------------------------------------------


def test_same_distribution_accepts_true_samples(rng):
    for _ in range(200):
        assert_same_distribution(rng.multinomial(N_SAMPLES, PROBABILITIES), PROBABILITIES)


def test_same_distribution_accepts_tables_of_any_shape(rng):
    counts = rng.multinomial(N_SAMPLES, PROBABILITIES)
    assert_same_distribution(counts.reshape(4, 8), PROBABILITIES.reshape(4, 8))
    with pytest.raises(AssertionError, match="one count"):
        assert_same_distribution(counts, PROBABILITIES.reshape(4, 8))


def test_same_distribution_rejects_a_near_miss(rng):
    tilted = PROBABILITIES * np.exp(0.2 * (np.arange(32) % 2))
    counts = rng.multinomial(N_SAMPLES, tilted / tilted.sum())
    with pytest.raises(AssertionError, match=r"G-test|total variation"):
        assert_same_distribution(counts, PROBABILITIES)


def test_same_distribution_rejects_two_states_exchanged(rng):
    counts = rng.multinomial(N_SAMPLES, PROBABILITIES)
    order = np.argsort(PROBABILITIES)
    counts[order[[20, 22]]] = counts[order[[22, 20]]]
    with pytest.raises(AssertionError, match="G-test"):
        assert_same_distribution(counts, PROBABILITIES)


def test_same_distribution_judges_the_joint_table():
    """Dependent units with the right marginals: only the joint table gives them away."""
    v = np.tile([[0], [1]], (500, 1))
    assert_same_distribution(state_counts(v), [0.5, 0.5])
    with pytest.raises(AssertionError, match="total variation"):
        assert_same_distribution(joint_counts(v, v), np.full((2, 2), 0.25))


def test_total_variation_sees_what_the_bins_hide():
    """States that expect nine samples share a bin two by two, where they could trade theirs."""
    probabilities = np.full(40, 1 / 40)
    assert_same_distribution(np.tile([9 - 5, 9 + 5], 20), probabilities)
    with pytest.raises(AssertionError, match="total variation"):
        assert_same_distribution(np.tile([9 - 6, 9 + 6], 20), probabilities)


def test_same_distribution_rejects_a_single_impossible_sample():
    with pytest.raises(AssertionError, match="probability 0"):
        assert_same_distribution([500, 500, 1], [0.5, 0.5, 0.0])


def test_same_distribution_rejects_too_many_rare_samples():
    """States that expect a thousandth of a sample each are pooled, not forgotten."""
    probabilities = np.array([0.499] * 2 + [1e-5] * 200)
    counts = np.array([4980] * 2 + [0] * 200)
    counts[[5, 9, 50]] = 7
    assert_same_distribution(counts, probabilities)
    counts[100:120] = 2
    with pytest.raises(AssertionError, match="G-test"):
        assert_same_distribution(counts, probabilities)
    probabilities = np.array([0.5 - 5e-7] * 2 + [1e-8] * 100)
    with pytest.raises(AssertionError, match="rare states"):
        assert_same_distribution([5000] * 2 + [1] * 5 + [0] * 95, probabilities)


def test_same_distribution_judges_one_common_and_one_rare_state():
    probabilities = np.array([0.999, 0.001])
    assert_same_distribution([999, 1], probabilities)
    with pytest.raises(AssertionError, match="rare states"):
        assert_same_distribution([987, 13], probabilities)


def test_same_distribution_needs_enough_samples():
    with pytest.raises(AssertionError, match="too few"):
        assert_same_distribution([7, 8], [0.5, 0.5])
    with pytest.raises(AssertionError, match="no samples"):
        assert_same_distribution([0, 0], [0.5, 0.5])


def test_same_distribution_accepts_a_certain_outcome():
    assert_same_distribution([100, 0], [1.0, 0.0])


@pytest.mark.parametrize("probabilities", [[0.6, 0.6], [1.5, -0.5]])
def test_same_distribution_rejects_what_is_no_distribution(probabilities):
    with pytest.raises(AssertionError, match="not a distribution"):
        assert_same_distribution([50, 50], probabilities)


@pytest.mark.parametrize("n_samples", [300, 3000])
def test_g_test_has_the_level_that_it_says(rng, n_samples):
    """Of 20 000 true samples, 1 % of the p-values are under 1 %: no more and hardly fewer."""
    alpha, n_repeats = 0.01, 20_000
    draws = rng.multinomial(n_samples, PROBABILITIES, size=n_repeats)
    pooled = [pool_rare_cells(counts, n_samples * PROBABILITIES) for counts in draws]
    alarms = sum(g_test(counts, expected) < alpha for counts, expected, _ in pooled)
    low, high = stats.binom(n_repeats, alpha).interval(1 - 1e-6)
    assert low <= alarms <= high


def test_pooling_loses_no_sample_and_leaves_the_rarest_cells():
    expected = np.array([0.1, 50.0, 3.0, 8.0, 4.0, 0.0, 20.0])
    counts = np.array([1.0, 40.0, 2.0, 9.0, 6.0, 0.0, 25.0])
    binned_counts, binned_expected, rest = pool_rare_cells(counts, expected)
    assert binned_counts.tolist() == [40, 25, 15]
    assert binned_expected.tolist() == [50, 20, 12]
    assert rest == (3, 3.1)


# Same mean -----------------------------------------------------------------------------------


def test_same_mean_accepts_true_samples(rng):
    mean, variance = np.array([0.0, 5.0, -3.0]), np.array([1.0, 4.0, 0.25])
    for _ in range(200):
        samples = rng.normal(mean, np.sqrt(variance), size=(500, 3))
        assert_same_mean(samples, mean)
        assert_same_mean(samples, mean, variance)


def test_same_mean_rejects_a_near_miss_in_one_component(rng):
    samples = rng.normal(size=(10_000, 3))
    wrong = [0.0, 0.07, 0.0]  # seven standard errors
    with pytest.raises(AssertionError, match="component 1"):
        assert_same_mean(samples, wrong)
    with pytest.raises(AssertionError, match="component 1"):
        assert_same_mean(samples, wrong, variance=1.0)


def test_same_mean_estimates_the_variance_of_the_population():
    """0 and 2 have mean 1 +- 1, and one in two of Student's t with 1 degree is beyond 1."""
    assert_same_mean([0.0, 2.0], 0.01, alpha=0.5)
    with pytest.raises(AssertionError, match="component 0"):
        assert_same_mean([0.0, 2.0], -0.01, alpha=0.5)


def test_same_mean_takes_scalars_and_tables(rng):
    assert_same_mean(rng.normal(size=1000), 0.0)
    assert_same_mean(rng.normal(size=(1000, 2, 3)), np.zeros((2, 3)), variance=1.0)
    with pytest.raises(AssertionError, match="component 0"):
        assert_same_mean(rng.normal(size=1000), 0.5)


def test_same_mean_holds_a_constant_to_its_value():
    clamped = np.full((50, 1), 0.3)
    assert_same_mean(clamped, 0.3)
    with pytest.raises(AssertionError, match="component 0"):
        assert_same_mean(clamped, 0.3 + 1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_same_mean_rejects_what_is_not_finite(rng, value):
    samples = rng.normal(size=(100, 2))
    samples[3, 1] = value
    with pytest.raises(AssertionError, match="finite"):
        assert_same_mean(samples, 0.0)


@pytest.mark.parametrize("known", [False, True])
def test_same_mean_has_the_level_that_it_says(rng, known):
    """1 % of 4 000 true samples of 20 rows and 3 components raise an alarm."""
    alpha, n_repeats, alarms = 0.01, 4000, 0
    for _ in range(n_repeats):
        try:
            assert_same_mean(rng.normal(size=(20, 3)), 0.0, 1.0 if known else None, alpha)
        except AssertionError:
            alarms += 1
    low, high = stats.binom(n_repeats, alpha).interval(1 - 1e-6)
    assert low <= alarms <= high


# Increasing ----------------------------------------------------------------------------------


def test_increasing_accepts_only_a_strict_rise():
    assert_increasing([1.0, 1.1, 5.0])
    for values in ([1.0, 1.0], [0.0, 2.0, 1.9, 10.0], [0.0, np.nan, 1.0], [1.0]):
        with pytest.raises(AssertionError):
            assert_increasing(values)
