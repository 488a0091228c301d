"""Counts x = 0, 1, 2, ... (Poisson) or x = 0, ..., n (binomial), with the unimodal distribution

    p(x) = w(x) / sum_y w(y),    w(x) = [C(x) exp(eta x)]^beta,    C(x) = 1 / x!  or  C(x) = (n choose x).

All sums begin at the mode and proceed in both directions, with ratios of neighboring terms, until terms are below
rounding (about ten standard deviations). Samples invert the distribution function in the same order. The probabilities
of the mode, its upper neighbor, its lower neighbor, and so on, are subtracted from a uniform number until it is
negative. At beta = 1 the sum has a closed form. `n` is the number of trials; -1 stands for C(x) = 1 / x!.

All computations are in double precision. Rates above 2^24, where single precision cannot represent all integers, count
as divergence: the sample is infinite.
"""

import math

import numpy as np

from ebm._jit import jit
from ebm._kernels.counter import threefry

LOG_LARGEST = 24 * math.log(2.0)
NEGLIGIBLE = 1e-18  # relative to the term of the mode
# For larger eta, sums are the first terms of Laplace's expansion: the next terms are below rounding.
LOG_MANY = 14.0


@jit
def uniform(key0, key1, counter):
    """The uniform number in (0, 1), of 53 bits, that belongs to the counter."""
    low, high = np.uint32(counter & 0xFFFFFFFF), np.uint32(counter >> 32)
    first, second = threefry(np.uint32(key0), np.uint32(key1), low, high)
    whole = np.float64(first >> np.uint32(5)) * 67108864.0 + np.float64(second >> np.uint32(6))
    return (whole + 0.5) * 2.0**-53


@jit
def _ratio(x, factor, beta, n):
    """w(x + 1) / w(x), with `factor` = exp(eta)."""
    rise = factor / (x + 1.0) if n < 0 else factor * (n - x) / (x + 1.0)
    return rise if beta == 1.0 else rise**beta


@jit
def _mode(factor, n):
    """The position of the largest term."""
    return np.floor(factor) if n < 0 else min(n, np.floor((n + 1.0) / (1.0 + 1.0 / factor)))


@jit
def _log_choices(x, n):
    """Log C(x)."""
    if n < 0:
        return -math.lgamma(x + 1.0)
    return math.lgamma(n + 1.0) - math.lgamma(x + 1.0) - math.lgamma(n - x + 1.0)


@jit
def sums(eta, beta, n):
    """The mode m, sum w(x) / w(m), and sum (x - m) w(x) / w(m)."""
    factor = math.exp(eta)
    m = _mode(factor, n)
    total, first = 1.0, 0.0
    x, term = m, 1.0
    while term > NEGLIGIBLE and x != n:
        term *= _ratio(x, factor, beta, n)
        x += 1.0
        total += term
        first += (x - m) * term
    x, term = m, 1.0
    while term > NEGLIGIBLE and x > 0.0:
        x -= 1.0
        term /= _ratio(x, factor, beta, n)
        total += term
        first += (x - m) * term
    return m, total, first


@jit
def log_normaliser(eta, beta, n):
    """Log sum_x w(x)."""
    if eta != eta:
        return eta
    if beta == 1.0:
        if n < 0:
            return math.exp(eta)
        return n * (max(eta, 0.0) + math.log1p(math.exp(-abs(eta))))
    if n < 0 and eta > LOG_MANY:
        rest = (1.0 - beta) * (eta + math.log(2.0 * math.pi)) - math.log(beta)
        rate = math.exp(eta)
        return beta * rate + 0.5 * rest + (beta * beta - 1.0) / (24.0 * beta * rate)
    if n >= 0 and abs(eta) > 700.0:
        return max(eta, 0.0) * beta * n
    m, total, _ = sums(eta, beta, n)
    return beta * (eta * m + _log_choices(m, n)) + math.log(total)


@jit
def mean(eta, beta, n):
    """sum_x x p(x)."""
    if eta != eta:
        return eta
    if beta == 1.0:
        return math.exp(eta) if n < 0 else n / (1.0 + math.exp(-eta))
    if n < 0 and eta > LOG_MANY:
        rate = math.exp(eta)
        return rate + 0.5 * (1.0 - beta) / beta - (beta * beta - 1.0) / (24.0 * beta**2 * rate)
    if n >= 0 and abs(eta) > 700.0:
        return n if eta > 0.0 else 0.0
    m, total, first = sums(eta, beta, n)
    return m + first / total


@jit
def draw(eta, beta, n, u):
    """The count that the number `u` in (0, 1) selects."""
    if not eta <= LOG_LARGEST and n < 0:
        return np.inf if eta == eta else eta
    if n >= 0 and not abs(eta) <= 700.0:
        return (n if eta > 0.0 else 0.0) if eta == eta else eta
    factor = math.exp(eta)
    if beta == 1.0:
        m = _mode(factor, n)
        total = math.exp(log_normaliser(eta, beta, n) - eta * m - _log_choices(m, n))
    else:
        m, total, _ = sums(eta, beta, n)
    left = u * total - 1.0
    high, low, above, below = m, m, 1.0, 1.0
    while left >= 0.0:
        above = above * _ratio(high, factor, beta, n) if high != n else 0.0
        high += above > 0.0
        left -= above
        if left < 0.0:
            return high
        below = below / _ratio(low - 1.0, factor, beta, n) if low > 0.0 else 0.0
        low -= below > 0.0
        left -= below
        if left < 0.0:
            return low
        if above < NEGLIGIBLE and below < NEGLIGIBLE:  # the rest of the total is a rounding error
            return m
    return m
