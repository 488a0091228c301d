"""exp, expm1, log, sigmoid, tanh and softplus as straight-line arithmetic: loops over them fill the widest registers.

The C library's functions are called one number at a time and keep a whole loop from vectorising (four times slower
on 100 x 784 conditionals). Here each function is a range reduction by powers of two, whose exponent bits are written
directly. A truncated series follows, with exactly known coefficients and long enough for the precision. Errors against
:mod:`math` stay within a few units in the last place (tested).
"""

import math

import numpy as np
from numba import types
from numba.extending import overload

from ebm._jit import jit

LOG2_E = 1.0 / math.log(2.0)
# ln 2 in two parts: the first has few enough bits that k * LN2_HIGH is exact for every exponent k that can occur
# in either precision; the second holds the rest.
LN2_HIGH = 355.0 / 512.0
LN2_LOW = -2.121944400546905827679e-4
# Beyond this the sigmoid is within 8.8e-27 of 0 or 1. Closer to the smallest normal float32, 1.2e-38, products of
# probabilities would be subnormal numbers, with which processors are slow.
SATURATION = 60.0
SQRT_HALF = math.sqrt(0.5)

# Coefficients of the series, highest power first.
EXP_SERIES = tuple(1.0 / math.factorial(n) for n in range(13, -1, -1))
EXP_SERIES_SINGLE = EXP_SERIES[-8:]
ATANH_EVEN = tuple(2.0 / (2 * n + 1) for n in range(16, -1, -2))
ATANH_ODD = tuple(2.0 / (2 * n + 1) for n in range(15, -1, -2))
COS_SERIES = tuple((-1.0) ** n / math.factorial(2 * n) for n in range(11, -1, -1))
SIN_SERIES = tuple((-1.0) ** n / math.factorial(2 * n + 1) for n in range(10, -1, -1))


def power_of_two(k):
    """2**k for a whole number k held in a float (the compiled version writes the exponent bits)."""
    return type(k)(2.0) ** k


def split(x):
    """(m, e) with x = m * 2**e and m in [0.5, 1), for positive normal x."""
    m, e = np.frexp(x)
    return type(x)(m), type(x)(e)


def exp_series(x):
    """As much of the series of exp as the precision of x can use: the next term is below 5e-9, or 5e-18."""
    return EXP_SERIES_SINGLE if isinstance(x, np.float32) else EXP_SERIES


@overload(exp_series, inline="always")
def _exp_series(x):
    if x == types.float32:
        return lambda x: EXP_SERIES_SINGLE
    return lambda x: EXP_SERIES


@overload(power_of_two, inline="always")
def _power_of_two(k):
    if k == types.float32:
        return lambda k: np.int32((np.int32(k) + 127) << 23).view(np.float32)
    return lambda k: np.int64((np.int64(k) + 1023) << 52).view(np.float64)


@overload(split, inline="always")
def _split(x):
    if x == types.float32:

        def single(x):
            bits = np.float32(x).view(np.int32)
            mantissa = np.int32((bits & 0x7FFFFF) | (126 << 23)).view(np.float32)
            return mantissa, np.float32(np.int32(bits >> 23) - 126)

        return single

    def double(x):
        bits = np.float64(x).view(np.int64)
        mantissa = np.int64((bits & 0xFFFFFFFFFFFFF) | (1022 << 52)).view(np.float64)
        return mantissa, np.float64((bits >> 52) - 1022)

    return double


@jit(inline=True, fuse=True)
def _horner(coefficients, x):
    T = type(x)
    value = T(0.0)
    for coefficient in coefficients:  # a compile-time constant: the loop is unrolled
        value = value * x + T(coefficient)
    return value


@jit(inline=True, fuse=True)
def exp(x):
    """e**x for |x| <= 87 (single precision) or 700 (double); the caller clips."""
    T = type(x)
    k = np.floor(x * T(LOG2_E) + T(0.5))
    r = (x - k * T(LN2_HIGH)) - k * T(LN2_LOW)
    return _horner(exp_series(r), r) * power_of_two(k)  # |r| <= ln(2) / 2


@jit(inline=True, fuse=True)
def expm1(x):
    """e**x - 1, also where that is near zero, for |x| <= 87 (single precision) or 700 (double); the caller clips."""
    T = type(x)
    k = np.floor(x * T(LOG2_E) + T(0.5))
    r = (x - k * T(LN2_HIGH)) - k * T(LN2_LOW)
    scale = power_of_two(k)
    series = r * _horner(exp_series(r)[:-1], r)  # e**r - 1
    return series * scale + (scale - T(1.0))


@jit(inline=True, fuse=True)
def _twice_atanh(s):
    # |s| <= 1/3: the first term left out is below 1e-17. Two sums, because loops of over sixteen terms stay loops.
    q = s * s
    return s * (_horner(ATANH_EVEN, q * q) + q * _horner(ATANH_ODD, q * q))


@jit(inline=True, fuse=True)
def log(x):
    """Natural logarithm of a positive normal number."""
    T = type(x)
    m, e = split(x)
    low = T(m < T(SQRT_HALF))
    m = m + low * m
    e = e - low
    # m lies in [sqrt(1/2), sqrt(2)), and log m = 2 atanh((m - 1) / (m + 1)).
    series = _twice_atanh((m - T(1.0)) / (m + T(1.0)))
    return e * T(LN2_HIGH) + (e * T(LN2_LOW) + series)


@jit(inline=True)
def sigmoid(x):
    """1 / (1 + exp(-x)), saturating at 8.8e-27; NaN stays NaN."""
    T = type(x)
    z = T(SATURATION) if x > T(SATURATION) else x
    z = T(-SATURATION) if z < T(-SATURATION) else z
    return T(1.0) / (T(1.0) + exp(-z))


@jit(inline=True)
def tanh(x):
    """Hyperbolic tangent, saturating at one; NaN stays NaN."""
    T = type(x)
    a = abs(x)
    t = expm1(T(-2.0) * (T(0.5 * SATURATION) if a > T(0.5 * SATURATION) else a))
    y = -t / (T(2.0) + t)
    return -y if x < T(0.0) else y


@jit(inline=True)
def softplus(x):
    """log(1 + exp(x)) without overflow; NaN stays NaN."""
    T = type(x)
    a = abs(x)
    a = T(SATURATION) if a > T(SATURATION) else a
    t = exp(-a)
    positive_part = x if x > T(0.0) else T(0.0)
    return positive_part + _twice_atanh(t / (T(2.0) + t))  # log(1 + t) = 2 atanh(t / (2 + t))


@jit(inline=True)
def cos_sin(half_angle):
    """Cos and sin of twice an angle in [-pi/2, pi/2]; the half angle keeps the series short."""
    T = type(half_angle)
    q = half_angle * half_angle
    c = _horner(COS_SERIES, q)
    s = half_angle * _horner(SIN_SERIES, q)
    return c * c - s * s, T(2.0) * s * c
