"""ebm.likelihood.diagnostics: R-hat, effective sample sizes, the autocorrelation time."""

from __future__ import annotations

import numpy as np
import pytest

from ebm.likelihood import autocorrelation_time, diagnose, effective_sample_size, rhat
from tests.oracles import diagnostics as oracle

KINDS = ["bulk", "tail", "mean"]


def independent(n_chains=4, n_draws=1000, seed=0):
    return np.random.default_rng(seed).normal(size=(n_chains, n_draws))


def autoregressive(phi, n_chains, n_draws, seed=0):
    """x_n = phi x_n-1 + noise, from its stationary law: rho_t = phi^t."""
    noise = independent(n_chains, n_draws, seed)
    x = noise.copy()
    x[:, 0] /= np.sqrt(1 - phi**2)
    for n in range(1, n_draws):
        x[:, n] += phi * x[:, n - 1]
    return x


def column(*values):
    return np.array(values, float)[:, np.newaxis]


def sizes(draws):
    return [effective_sample_size(draws, kind) for kind in KINDS]


CASES = {
    "independent": independent(4, 101),
    "sticky": autoregressive(0.9, 3, 120),
    "antithetic": autoregressive(-0.6, 4, 80),
    "heavy tails": np.random.default_rng(1).standard_cauchy(size=(4, 90)),
    "ties": np.round(autoregressive(0.5, 2, 100)),
    "shifted": independent(4, 60) + column(0, 1, 2, 3),
    "scaled": independent(4, 60) * column(1, 1, 1, 9),
    "one chain": autoregressive(0.5, 1, 100),
    "drift": independent(2, 60) + np.linspace(0, 4, 60),
    "never decorrelated": np.arange(12.0) + column(0, 20),
    "never decorrelated, odd halves": np.arange(14.0) + column(0, 20),
    "ten draws": independent(2, 10, seed=4),
    "eleven draws": independent(2, 11, seed=5),
}


@pytest.mark.parametrize("draws", CASES.values(), ids=CASES)
def test_the_loops_say_the_same(draws):
    chains = draws.tolist()
    assert rhat(draws) == pytest.approx(oracle.rhat(chains), rel=1e-12)
    expected = [oracle.effective_sample_size(chains, kind) for kind in KINDS]
    np.testing.assert_allclose(sizes(draws), expected, rtol=1e-12)


def test_four_draws_are_enough_for_rhat():
    draws = independent(3, 4)
    assert rhat(draws) == pytest.approx(oracle.rhat(draws.tolist()), rel=1e-12)
    assert np.isnan(rhat(draws[:, :3]))


# Known answers -------------------------------------------------------------------------------

# Numbers that ArviZ 0.23.4 (rhat "rank", ess "bulk", "tail" and "mean") gave for sin(n^2) and what
# is made of it below.
SINES = np.sin(np.arange(400.0) ** 2).reshape(4, 100)
KNOWN_ANSWERS = {
    "as it is": (SINES, (1.00497523442, 442.315110835, 411.054690458, 446.35033591)),
    "cubed": (SINES**3, (1.00549532572, 442.315110835, 411.054690458, 432.58974337)),
    "running sums": (
        np.cumsum(SINES, axis=1),
        (1.4408782061, 8.77482826285, 11.7364988347, 6.79497237321),
    ),
    "one chain higher": (
        SINES + 0.5 * (np.arange(4) == 3)[:, np.newaxis],
        (1.09180161404, 32.7596309218, 295.389799889, 45.1961880047),
    ),
    "one chain wider": (
        SINES * (1 + (np.arange(4) == 3)[:, np.newaxis]),
        (1.11725435712, 525.204030553, 214.202142021, 533.583973632),
    ),
}


@pytest.mark.parametrize(("draws", "expected"), KNOWN_ANSWERS.values(), ids=KNOWN_ANSWERS)
def test_known_answers(draws, expected):
    np.testing.assert_allclose([rhat(draws), *sizes(draws)], expected, rtol=1e-10)


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.9])
def test_autocorrelation_time_of_an_autoregression(phi):
    """tau = (1 + phi) / (1 - phi).

    Its relative standard error is sqrt(2 (2 w + 1) / draws) when the sum ends at lag w (Madras &
    Sokal 1988); where rho_t = phi^t is lost in the noise of 1 / sqrt(draws), Geyer's does.
    """
    n_chains, n_draws = 4, 20_000
    draws = autoregressive(phi, n_chains, n_draws)
    tau = (1 + phi) / (1 - phi)
    window = 1 + np.log(n_chains * n_draws) / 2 / -np.log(abs(phi)) if phi else 1
    error = np.sqrt(2 * (2 * window + 1) / draws.size)
    assert autocorrelation_time(draws) == pytest.approx(tau, rel=4 * error)
    # Normal draws are their own normal scores.
    assert effective_sample_size(draws) == pytest.approx(draws.size / tau, rel=4 * error)


def test_the_mean_of_an_autoregression_errs_as_its_effective_size_says():
    """(mean / standard error)^2 over 500 sets of chains is chi-square with 500 degrees: 500 +- 32."""
    total = 0.0
    for seed in range(500):
        draws = autoregressive(0.8, 4, 500, seed)
        total += draws.mean() ** 2 * effective_sample_size(draws, "mean") / draws.var()
    assert 500 - 5 * 32 < total < 500 + 5 * 32


# What they see -------------------------------------------------------------------------------


def test_chains_that_agree():
    found = diagnose(independent())
    assert abs(found.rhat - 1) < 0.01
    assert found.swap_rates is None
    assert found.temperatures is None
    np.testing.assert_allclose(found[1:4], [4000, 4000, 1], rtol=0.15)


def test_shifted_chains_disagree():
    draws = independent() + column(0, 0, 0, 2)
    assert rhat(draws) > 1.1
    assert effective_sample_size(draws) < 40
    assert autocorrelation_time(draws) > 100


def test_only_folding_sees_chains_of_different_scale():
    draws = independent() * column(1, 1, 1, 5)
    halves = oracle.split(draws.tolist())
    assert oracle.plain_rhat(oracle.rank_normalised(halves)) < 1.01
    assert rhat(draws) > 1.1


def test_splitting_sees_a_drift_that_all_chains_share():
    draws = independent() + np.linspace(0, 3, 1000)
    assert oracle.plain_rhat(oracle.rank_normalised(draws.tolist())) < 1.01
    assert rhat(draws) > 1.1


def test_one_chain_is_compared_with_itself():
    assert rhat(independent(1)) < 1.01
    assert rhat(independent(1) + np.linspace(0, 3, 1000)) > 1.1


def test_heavy_tails():
    """Cauchy draws have no variance; a chain shifted by 3 is hidden from the plain R-hat."""
    draws = np.random.default_rng(0).standard_cauchy(size=(4, 1000))
    assert rhat(draws) < 1.01
    assert effective_sample_size(draws) == pytest.approx(4000, rel=0.15)
    shifted = draws + column(0, 0, 0, 3)
    assert oracle.plain_rhat(oracle.split(shifted.tolist())) < 1.01
    assert rhat(shifted) > 1.1


def test_ranks_do_not_change_under_an_increasing_function():
    """The 5 % and 95 % quantiles of 321 draws are the 17th and the 305th, not between two of them."""
    draws = autoregressive(0.7, 3, 107)
    bulk, tail, mean = sizes(draws)
    changed = sizes(np.exp(3 * draws))
    assert changed[:2] == [bulk, tail]
    assert changed[2] != pytest.approx(mean, rel=0.01)


def test_sticky_tails_are_seen_in_the_tail():
    """What is beyond the 5 % and 95 % quantiles comes in runs, what is between in no order."""
    rng = np.random.default_rng(0)
    draws = rng.uniform(size=(4, 2000))
    for start in range(0, 2000, 500):
        draws[:, start : start + 30] = 2 + rng.uniform(size=(4, 30))
    bulk, tail, _ = sizes(draws)
    assert tail < bulk / 2


# What they cannot tell -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "draws",
    [
        pytest.param(np.full((4, 100), 0.1), id="all equal"),
        pytest.param(np.where(np.arange(100) == 7, np.nan, independent(4, 100)), id="NaN"),
        pytest.param(np.where(np.arange(100) == 7, np.inf, independent(4, 100)), id="infinite"),
        pytest.param(independent(4, 3), id="three draws"),
        pytest.param(independent(4, 0), id="no draws"),
    ],
)
def test_what_is_undetermined_is_nan(draws):
    assert np.isnan(diagnose(draws)[:4]).all()


def test_nine_draws_have_no_sample_size():
    assert np.isnan(sizes(independent(4, 9))).all()
    assert not np.isnan(sizes(independent(4, 10))).any()


@pytest.mark.parametrize("places", [(0.0, 1.0), (0.1, 0.7, 0.7, 1e9)])
def test_chains_that_stand_still_apart(places):
    """R-hat is infinite; every chain counts as about one draw."""
    draws = np.tile(column(*places), (1, 1000))
    assert rhat(draws) == np.inf
    for kind in ("bulk", "mean"):
        assert 0 < effective_sample_size(draws, kind) < 1.1 * len(places)


def test_one_chain_that_stands_still():
    draws = independent()
    draws[0] = draws[0, 0]
    assert 1.1 < rhat(draws) < np.inf


def test_a_fair_coin_cannot_be_folded():
    """All draws are one half from the median; the indicator of x <= 1 is constant."""
    draws = np.tile([0.0, 1.0, 1.0, 0.0], (4, 50))
    assert 0.99 < rhat(draws) < 1.01
    bulk, tail, _ = sizes(draws)
    assert tail == pytest.approx(bulk, rel=1e-12)


def test_single_precision_integers_and_lists_are_welcome():
    draws = np.round(10 * independent(2, 50))
    for same in (draws.astype(np.float32), draws.astype(int), draws.tolist()):
        assert diagnose(same) == diagnose(draws)


def test_draws_are_left_alone():
    draws = independent()
    draws.flags.writeable = False
    diagnose(draws)


@pytest.mark.parametrize("shape", [(), (100,), (0, 100), (2, 3, 100)])
def test_other_shapes_are_refused(shape):
    for function in (rhat, effective_sample_size, autocorrelation_time, diagnose):
        with pytest.raises(ValueError, match="of shape"):
            function(np.zeros(shape))


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="kind must be 'bulk', 'tail' or 'mean'"):
        effective_sample_size(independent(), "quantile")
