"""Diagnostics of Markov chains by the sums they are defined by, one draw at a time.

``draws`` is a list of chains, each a list of as many numbers. Only chains that vary, of enough
finite draws, are meant: what the others are answered is no matter of arithmetic.

References
----------
Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021). Rank-normalization, folding, and
localization: an improved R-hat for assessing convergence of MCMC. Bayesian Analysis 16(2).
"""

from __future__ import annotations

import math
from statistics import NormalDist, fmean, median, variance


def split(draws):
    """The first and the last half of each chain; an odd one loses its middle draw."""
    n = len(draws[0]) // 2
    return [list(chain[:n]) for chain in draws] + [list(chain[len(chain) - n :]) for chain in draws]


def rank_normalised(draws):
    """Phi^-1((rank - 3/8) / (S + 1/4)), equal draws sharing the mean of their ranks."""
    everything = sorted(x for chain in draws for x in chain)
    score = {}
    for x in set(everything):
        ranks = [k + 1 for k, y in enumerate(everything) if y == x]
        score[x] = NormalDist().inv_cdf((fmean(ranks) - 3 / 8) / (len(everything) + 1 / 4))
    return [[score[x] for x in chain] for chain in draws]


def quantile(values, probability):
    """Linear between the order statistics, the smallest being the 0- and the largest the 1-quantile."""
    values = sorted(values)
    place = probability * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])


def folded(draws):
    """|x - median|."""
    middle = median([x for chain in draws for x in chain])
    return [[abs(x - middle) for x in chain] for chain in draws]


def pooled_variance(draws):
    """W, the mean variance within the chains, and var+ = (N - 1) / N W + B / N."""
    n = len(draws[0])
    within = fmean(variance(chain) for chain in draws)
    return within, (n - 1) / n * within + variance([fmean(chain) for chain in draws])


def plain_rhat(draws):
    """sqrt(var+ / W)."""
    within, total = pooled_variance(draws)
    return math.sqrt(total / within)


def rhat(draws):
    """The larger one of R-hat of the rank-normalised draws and of the folded ones."""
    halves = split(draws)
    bulk = plain_rhat(rank_normalised(halves))
    return max(bulk, plain_rhat(rank_normalised(folded(halves))))


def autocovariance(chain, lag):
    """sum_n (x_n - mean) (x_n+lag - mean) / N."""
    mean = fmean(chain)
    return math.fsum(
        (chain[n] - mean) * (chain[n + lag] - mean) for n in range(len(chain) - lag)
    ) / len(chain)


def correlation(draws, lag):
    """rho_t = 1 - (W - mean autocovariance at lag t) / var+; rho_0 = 1."""
    if lag == 0:
        return 1.0
    within, total = pooled_variance(draws)
    return 1 - (within - fmean(autocovariance(chain, lag) for chain in draws)) / total


def plain_ess(draws):
    """S / tau with tau = -1 + 2 (sum of Geyer's initial monotone sequence of pairs of lags).

    The first pair with a negative sum ends the sequence and leaves its even lag, if positive, to
    be counted once. Lags N - 2 and beyond are not looked at; the last pair before them ends the
    sequence in any case.
    """
    n, total = len(draws[0]), len(draws) * len(draws[0])
    tau, last = -1.0, math.inf
    lag = 0
    while True:
        even, odd = correlation(draws, lag), correlation(draws, lag + 1)
        if even + odd < 0 or lag + 3 >= n - 1 + n % 2:
            tau += max(even, 0.0)
            break
        last = min(last, even + odd)
        tau += 2 * last
        lag += 2
    return total / max(tau, 1 / math.log10(total))


def effective_sample_size(draws, kind):
    """Of the rank-normalised draws, of the two indicators of a tail, or of the draws themselves."""
    if kind == "bulk":
        return plain_ess(rank_normalised(split(draws)))
    if kind == "mean":
        return plain_ess(split(draws))
    everything = [x for chain in draws for x in chain]
    sizes = []
    for probability in (0.05, 0.95):
        q = quantile(everything, probability)
        sizes.append(plain_ess(split([[float(x <= q) for x in chain] for chain in draws])))
    return min(sizes)
