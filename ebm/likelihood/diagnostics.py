"""Diagnostics of Markov chains: have they forgotten where they started, and how much do their draws know?

One number x is followed, such as an energy, along M chains of N draws each: ``draws`` (n_chains, n_draws). Every chain
is split into halves, so that a drift counts as a difference between chains. With the within-chain variance W, the
mean over halves of their sample variances, and the variance B / N between the halves' means,

    var+ = (N - 1) / N W + B / N,      R-hat = sqrt(var+ / W),
    rho_t = 1 - (W - mean over halves of the autocovariance at lag t) / var+,
    ESS = M N / tau,                   tau = 1 + 2 sum_{t > 0} rho_t

(M and N those of the halves; Vehtari et al. 2021, sections 3.1 and 3.2). *Rank-normalised* draws

    z = Phi^-1((rank - 3/8) / (S + 1/4)),      S = M N, ties sharing their mean rank,

have moments whatever the distribution of x, and do not change when x is replaced by an increasing function of it
(section 4.1).

Undetermined results are NaN and no error, since a diagnosis is often made during a long run. An array that is not of
the shape (n_chains, n_draws) is an error. All results are undetermined when a draw is not finite, when there are fewer
than four draws per chain, and when all draws are equal. Sample sizes need ten draws per chain: halves of five have the
first lags to sum. One chain is compared with itself, half with half: a chain that never left its mode looks converged,
so run several.
"""

from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.special import ndtri

from ebm._checks import Array

Kind = Literal["bulk", "tail", "mean"]

MIN_DRAWS = 4  # halves of two have a variance
MIN_DRAWS_ESS = 10
TAILS = (0.05, 0.95)


class Diagnostics(NamedTuple):
    """Convergence diagnostics of chains.

    Attributes
    ----------
    rhat : float
        :func:`rhat`; below 1.01 when the chains agree.
    bulk_ess, tail_ess : float
        :func:`effective_sample_size`; 400 or more for the other numbers to be trusted.
    autocorrelation_time : float
        :func:`autocorrelation_time`, in draws.
    swap_rates : ndarray of shape (n_temperatures - 1,), optional
        Mean probability of exchange of neighbouring replicas.
    temperatures : ndarray of shape (n_temperatures,), optional
        Where the replicas stand.
    """

    rhat: float
    bulk_ess: float
    tail_ess: float
    autocorrelation_time: float
    swap_rates: Array | None = None
    temperatures: Array | None = None


def diagnose(draws: Array) -> Diagnostics:
    """All diagnostics of `draws` (n_chains, n_draws).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.likelihood import diagnose
    >>> draws = np.random.default_rng(0).normal(size=(4, 1000))
    >>> diagnose(draws).rhat < 1.01
    True
    >>> diagnose(draws + np.arange(4)[:, np.newaxis]).rhat > 1.1  # chains that disagree
    True
    """
    return Diagnostics(
        rhat(draws),
        effective_sample_size(draws, "bulk"),
        effective_sample_size(draws, "tail"),
        autocorrelation_time(draws),
    )


def rhat(draws: Array) -> float:
    """Rank-normalised split R-hat: the larger of the bulk and the folded one.

    The first is R-hat of the rank-normalised draws and sees chains of different location; the second that of the
    rank-normalised distances abs(x - median) and sees chains of different spread.

    Parameters
    ----------
    draws : ndarray of shape (n_chains, n_draws)
        At least four draws each. Of an odd number, the middle one is left out.

    Returns
    -------
    float
        About 1 when the chains agree; infinite when each stands still at a place of its own; NaN when undetermined
        (see the module). Where the folded draws are all equal, as those of a fair coin, the bulk one alone counts.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), sections 3.1, 4.1 and 4.2.
    """
    draws = _checked(draws)
    if not _determined(draws, MIN_DRAWS):
        return np.nan
    halves = _split(draws)
    folded = np.abs(halves - np.median(halves))
    return float(np.fmax(_rhat(_rank_normalised(halves)), _rhat(_rank_normalised(folded))))


def effective_sample_size(draws: Array, kind: Kind = "bulk") -> float:
    """Count of independent draws that would know as much as the chains' draws do.

    Parameters
    ----------
    draws : ndarray of shape (n_chains, n_draws)
        At least ten draws each.
    kind : {"bulk", "tail", "mean"}, default="bulk"
        "bulk": of the rank-normalised draws, for means and medians; defined for every distribution. "tail": the smaller
        one of the indicators x <= q for the 5 % and the 95 % quantile q, for intervals. A constant indicator (no draw
        lies beyond q) does not count. "mean": of the draws themselves, for the standard error sd(x) / sqrt(ESS) of
        their mean, where x has a variance.

    Returns
    -------
    float
        NaN when undetermined (see the module). About one per chain when each stands still at a place of its own.

    Notes
    -----
    The sum over lags ends by Geyer's (1992) initial monotone sequence. For a reversible chain sums of two neighbouring
    rho are positive and decreasing. So the first that is not positive ends the sum, and each is at most the one before
    it. Of the pair that ends it the even lag counts once, where positive. Antithetic chains exceed the number S of
    their draws; they are held below S log10 S. The autocovariances are those divided by N at every lag. All this is as
    in the authors' own programs, and agrees with them to the last digits.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), sections 3.2, 4.1 and 4.3.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be 'bulk', 'tail' or 'mean'. Got {kind!r} instead.")
    draws = _checked(draws)
    if not _determined(draws, MIN_DRAWS_ESS):
        return np.nan
    if kind == "tail":
        sizes = [_ess(_split((draws <= q).astype(np.float64))) for q in np.quantile(draws, TAILS)]
        return float(np.fmin.reduce(sizes))
    halves = _split(draws)
    return _ess(_rank_normalised(halves) if kind == "bulk" else halves)


def autocorrelation_time(draws: Array) -> float:
    """Integrated autocorrelation time tau = 1 + 2 sum_t rho_t, in draws: S / ESS with the effective size of the mean.

    It takes tau draws of a chain to know as much of E[x] as one independent draw. Sokal's automatic window would
    estimate the same sum chain by chain, around each chain's own mean. It would miss chains that disagree because tau
    exceeds their length.

    Parameters
    ----------
    draws : ndarray of shape (n_chains, n_draws)
        At least ten draws each.

    Returns
    -------
    float
        NaN when undetermined (see the module). An estimate that is not short beside n_draws is a lower bound at best.
    """
    return np.size(draws) / effective_sample_size(draws, "mean")


def _checked(draws: Array) -> Array:
    draws = np.asarray(draws, dtype=np.float64)
    if draws.ndim != 2 or not len(draws):
        raise ValueError(
            f"draws must be an array of shape (n_chains, n_draws). Got the shape {draws.shape} instead."
        )
    return draws


def _determined(draws: Array, min_draws: int) -> bool:
    """Whether there are enough draws, all finite and not all equal."""
    return draws.shape[1] >= min_draws and bool(np.isfinite(draws).all()) and _varies(draws)


def _varies(x: Array) -> bool:
    return bool(x.max() > x.min())


def _split(draws: Array) -> Array:
    """First and last halves as chains of their own: (2 n_chains, n_draws // 2)."""
    n = draws.shape[1] // 2
    return np.concatenate([draws[:, :n], draws[:, -n:]])


def _rank_normalised(x: Array) -> Array:
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    z: Array = ndtri((ranks - 0.375) / (x.size + 0.25))[place.reshape(x.shape)]
    return z


def _variances(x: Array) -> tuple[float, float]:
    """W, and var+."""
    n = x.shape[1]
    # The variance of equal numbers is zero, whatever rounding makes of their mean.
    within = np.where(np.ptp(x, axis=1) > 0, x.var(axis=1, ddof=1), 0.0).mean()
    between = x.mean(axis=1).var(ddof=1)
    return float(within), float(within * (n - 1) / n + between)


def _rhat(x: Array) -> float:
    if not _varies(x):
        return np.nan
    within, total = _variances(x)
    return np.inf if within == 0 else float(np.sqrt(total / within))


def _ess(x: Array) -> float:
    if not _varies(x):
        return np.nan
    n = x.shape[1]
    within, total = _variances(x)
    rho = 1 - (within - _mean_autocovariance(x)) / total
    rho[0] = 1
    # The last lags rest on too few products to be looked at.
    n_pairs = 1 + (n - 3) // 2
    pairs = rho[0 : 2 * n_pairs : 2] + rho[1 : 2 * n_pairs : 2]
    ended = pairs < 0
    end = int(np.argmax(ended)) if ended.any() else n_pairs - 1
    tau = -1 + 2 * np.minimum.accumulate(pairs[:end]).sum() + max(rho[2 * end], 0)
    return float(x.size / max(tau, 1 / np.log10(x.size)))


def _mean_autocovariance(x: Array) -> Array:
    """Autocovariance at each lag, divided by N, averaged over chains (Wiener-Khinchin, padded against wrapping)."""
    n = x.shape[1]
    centred = x - x.mean(axis=1, keepdims=True)
    size = 1 << (2 * n - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    mean: Array = np.fft.irfft(power.mean(axis=0), size)[:n] / n
    return mean
