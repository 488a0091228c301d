"""Assertions about samples that are wrong once in 1 / alpha times, and that can be failed.

Every assertion is a hypothesis test of level alpha: on samples that do come from the law it
names, it fails with probability alpha or less. With fixed seeds and alpha = 1e-6 it is never
seen to. The samples must be independent: take one from each of many chains, never many from
one chain.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from tests.oracles.rbm import state_index

MIN_EXPECTED = 10.0


def state_counts(x):
    """How often each state of {0, 1}^n occurs among the rows of x, in the order of all_states."""
    return np.bincount(state_index(x), minlength=2 ** x.shape[1])


def joint_counts(v, h):
    """How often each pair (v, h) occurs, shape (2**n_visible, 2**n_hidden)."""
    both = state_counts(np.hstack([v, h]))
    return both.reshape(2 ** v.shape[1], 2 ** h.shape[1])


def total_variation(p, q):
    """sum_x |p(x) - q(x)| / 2: the most by which two laws differ on any event."""
    return np.abs(np.ravel(p) - np.ravel(q)).sum() / 2


def total_variation_floor(probabilities, n_samples):
    """sum_x sqrt(p (1 - p) / n) / 2: a bound on the mean distance of n true samples to p."""
    p = np.ravel(probabilities)
    return np.sqrt(p * (1 - p) / n_samples).sum() / 2


def pool_rare_cells(counts, expected, min_expected=MIN_EXPECTED):
    """Merge cells, the most frequent first, into bins that expect enough counts each.

    Returns the counts and the expected counts of the bins, and the pair (count, expected) of
    what is left: the rarest cells, which together do not fill a bin.
    """
    bins, count, expectation = [], 0.0, 0.0
    for cell in np.argsort(-expected, kind="stable"):
        count += counts[cell]
        expectation += expected[cell]
        if expectation >= min_expected:
            bins.append((count, expectation))
            count, expectation = 0.0, 0.0
    binned_counts, binned_expected = np.array(bins).reshape(-1, 2).T
    return binned_counts, binned_expected, (count, expectation)


def g_test(counts, expected):
    """The p-value of G = 2 sum O log(O / E), with Williams' correction, against chi-square.

    Williams (1976): under the null, G divided by 1 + (sum_x 1 / p(x) - 1) / (6 n (k - 1)) has
    the mean k - 1 of its chi-square law up to terms in 1 / n^2.
    """
    n, k = counts.sum(), len(counts)
    p = expected / expected.sum()
    seen = counts > 0
    G = 2 * np.sum(counts[seen] * np.log(counts[seen] / (n * p[seen])))
    correction = 1 + (np.sum(1 / p) - 1) / (6 * n * (k - 1))
    return stats.chi2.sf(G / correction, df=k - 1)


def assert_same_distribution(counts, probabilities, alpha=1e-6):
    """Assert that the counts are those of independent draws from the probabilities.

    Impossible states must never occur. Then three tests, each at level alpha / 3:

    - the total variation stays under floor + sqrt(log(3 / alpha) / (2 n));
    - the G-test over bins of one or more states that expect ten counts or more;
    - the exact binomial test of how many samples fell in none of these bins.

    Notes
    -----
    One draw moves the total variation by 1 / n at most, so McDiarmid's inequality gives its limit
    for any law and any n, the mean being at most the floor. The limit is below 4 times the floor,
    the usual rule of thumb, whenever the floor exceeds 0.91 / sqrt(n), as it does for five equally
    likely states. For fewer states, or very unequal ones, that rule raises false alarms: 6e-5 on
    a fair coin. The number of samples outside the bins is binomial, and given that number the
    others are a multinomial: the last two tests together use the whole table.
    """
    counts, probabilities = np.asarray(counts), np.asarray(probabilities)
    assert counts.shape == probabilities.shape, "one count for each probability"
    counts, probabilities = counts.ravel().astype(float), probabilities.ravel()
    assert probabilities.min() >= 0 and abs(probabilities.sum() - 1) < 1e-9, "not a distribution"
    n = counts.sum()
    assert n > 0, "no samples"

    impossible = counts[probabilities == 0].sum()
    assert impossible == 0, f"{impossible:.0f} of {n:.0f} samples in states of probability 0"

    distance = total_variation(counts / n, probabilities)
    limit = total_variation_floor(probabilities, n) + np.sqrt(np.log(3 / alpha) / (2 * n))
    assert distance <= limit, f"total variation {distance:.3g} exceeds {limit:.3g}"

    binned, expected, (rest, rest_expected) = pool_rare_cells(counts, n * probabilities)
    n_possible = np.count_nonzero(probabilities)
    assert n_possible == 1 or len(binned) > 1 or rest_expected > 0, f"{n:.0f} samples are too few"
    if len(binned) > 1:
        p_value = g_test(binned, expected)
        assert p_value >= alpha / 3, f"G-test: p = {p_value:.3g} over {len(binned)} bins"
    p_value = stats.binomtest(int(rest), int(n), rest_expected / n).pvalue
    assert p_value >= alpha / 3, f"rare states: {rest:.0f} samples, {rest_expected:.3g} expected"


def assert_same_mean(samples, mean, variance=None, alpha=1e-6):
    """Assert that independent samples, one per row, have this mean in every component.

        z = (sample mean - mean) / sqrt(variance / n),    each at level alpha / (components)

    Give the variance of one sample where it is known: a z-test against the normal law. Else it
    is estimated, and the law is Student's t with n - 1 degrees of freedom. A component that has
    no variance must have its mean to the last few digits.
    """
    samples = np.asarray(samples, dtype=float)
    assert np.isfinite(samples).all(), "samples that are not finite"
    n, shape = len(samples), samples.shape[1:]
    null = stats.norm if variance is not None else stats.t(df=n - 1)
    variance = samples.var(axis=0, ddof=1) if variance is None else variance
    mean, variance = np.broadcast_to(mean, shape), np.broadcast_to(variance, shape)

    error = np.abs(samples.mean(axis=0) - mean)
    rounding = 1e-12 * (1 + np.abs(mean))
    allowed = null.isf(alpha / (2 * mean.size)) * np.sqrt(variance / n) + rounding
    worst = np.argmax(error - allowed)
    assert (error <= allowed).all(), (
        f"component {worst}: the mean is {error.ravel()[worst]:.3g} off, "
        f"{allowed.ravel()[worst]:.3g} allowed"
    )


def assert_increasing(values):
    """Assert that every value is strictly larger than the one before it."""
    steps = np.diff(values)
    assert len(steps) > 0, "nothing to compare"
    assert steps.min() > 0, f"a step of {steps.min():.3g}"
