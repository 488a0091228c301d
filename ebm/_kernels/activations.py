"""Activation functions y = f(x), and their derivatives as functions of the output y.

The way back needs only y, so that an activation overwrites its input. Each activation is a NamedTuple of settings and
three functions of one number: f(x), f'(x) and f''(x), the last two taken at y = f(x).

=========  ======================================  ========================  ========================
settings   f(x)                                    f' by y                   f'' by y
=========  ======================================  ========================  ========================
Logistic   1 / (1 + exp(-x))                       y (1 - y)                 y (1 - y) (1 - 2 y)
Tanh       tanh x                                  1 - y^2                   -2 y (1 - y^2)
ReLU       max(x, 0)                               1 where y > 0, else 0     0
LeakyReLU  x where x > 0, else a x                 1 where y > 0, else a     0
Softplus   log(1 + exp(x))                         1 - exp(-y)               (1 - exp(-y)) exp(-y)
ELU        x where x > 0, else a (exp(x) - 1)      1 where y > 0, else y + a  0 where y > 0, else y + a
=========  ======================================  ========================  ========================

Where f has a kink, at zero, f' is the derivative from the left. Comparisons are turned so that NaN stays NaN. As with
optimisers (:mod:`ebm._kernels.rules`) the compiler sees the one activation that a type of settings selects.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from ebm._jit import jit
from ebm._kernels.elementary import SATURATION, exp, expm1, sigmoid, softplus, tanh


class LogisticSettings(NamedTuple):
    """None."""


@jit(inline=True)
def _logistic(settings, x):
    return sigmoid(x)


@jit(inline=True)
def _logistic_slope(settings, y):
    return y * (type(y)(1) - y)


@jit(inline=True)
def _logistic_curvature(settings, y):
    T = type(y)
    return y * (T(1) - y) * (T(1) - T(2) * y)


class TanhSettings(NamedTuple):
    """None."""


@jit(inline=True)
def _tanh(settings, x):
    return tanh(x)


@jit(inline=True)
def _tanh_slope(settings, y):
    return type(y)(1) - y * y


@jit(inline=True)
def _tanh_curvature(settings, y):
    T = type(y)
    return T(-2) * y * (T(1) - y * y)


class ReLUSettings(NamedTuple):
    """None."""


@jit(inline=True)
def _relu(settings, x):
    T = type(x)
    return T(0) if x < T(0) else x


@jit(inline=True)
def _relu_slope(settings, y):
    T = type(y)
    return T(0) if y <= T(0) else T(1)


@jit(inline=True)
def _straight(settings, y):
    return type(y)(0)


class LeakyReLUSettings(NamedTuple):
    """The slope a >= 0 on the left."""

    slope: float


@jit(inline=True)
def _leaky(settings, x):
    T = type(x)
    return T(settings.slope) * x if x < T(0) else x


@jit(inline=True)
def _leaky_slope(settings, y):
    T = type(y)
    return T(settings.slope) if y <= T(0) else T(1)


class SoftplusSettings(NamedTuple):
    """None."""


@jit(inline=True)
def _softplus(settings, x):
    return softplus(x)


@jit(inline=True)
def _down_to_zero(y):
    T = type(y)
    return exp(-(T(SATURATION) if y > T(SATURATION) else y))


@jit(inline=True)
def _softplus_slope(settings, y):
    T = type(y)
    return -expm1(
        -(T(SATURATION) if y > T(SATURATION) else y)
    )  # 1 - exp(-y) would lose what is small


@jit(inline=True)
def _softplus_curvature(settings, y):
    return _softplus_slope(settings, y) * _down_to_zero(y)


class ELUSettings(NamedTuple):
    """The depth a >= 0: far on the left f is -a."""

    alpha: float


@jit(inline=True)
def _elu(settings, x):
    T = type(x)
    low = T(-SATURATION) if x < T(-SATURATION) else x
    low = T(0) if low > T(0) else low
    return x if x > T(0) else T(settings.alpha) * expm1(low)


@jit(inline=True)
def _elu_slope(settings, y):
    T = type(y)
    return T(1) if y > T(0) else y + T(settings.alpha)


@jit(inline=True)
def _elu_curvature(settings, y):
    T = type(y)
    return T(0) if y > T(0) else y + T(settings.alpha)


class Functions(NamedTuple):
    """An activation's f by x, f' by y and f'' by y."""

    value: Callable[..., Any]
    slope: Callable[..., Any]
    curvature: Callable[..., Any]


FUNCTIONS: dict[type, Functions] = {
    LogisticSettings: Functions(_logistic, _logistic_slope, _logistic_curvature),
    TanhSettings: Functions(_tanh, _tanh_slope, _tanh_curvature),
    ReLUSettings: Functions(_relu, _relu_slope, _straight),
    LeakyReLUSettings: Functions(_leaky, _leaky_slope, _straight),
    SoftplusSettings: Functions(_softplus, _softplus_slope, _softplus_curvature),
    ELUSettings: Functions(_elu, _elu_slope, _elu_curvature),
}


def value(settings, x):
    """f(x)."""
    return FUNCTIONS[type(settings)].value(settings, x)


def slope(settings, y):
    """The slope f' where f = y."""
    return FUNCTIONS[type(settings)].slope(settings, y)


def curvature(settings, y):
    """The curvature f'' where f = y."""
    return FUNCTIONS[type(settings)].curvature(settings, y)


# A loop with a call inside does not vectorise.
@overload(value, jit_options={"forceinline": True})
def _value(settings, x):
    function = FUNCTIONS[settings.instance_class].value
    return lambda settings, x: function(settings, x)


@overload(slope, jit_options={"forceinline": True})
def _slope(settings, y):
    function = FUNCTIONS[settings.instance_class].slope
    return lambda settings, y: function(settings, y)


@overload(curvature, jit_options={"forceinline": True})
def _curvature(settings, y):
    function = FUNCTIONS[settings.instance_class].curvature
    return lambda settings, y: function(settings, y)


@jit
def activate(settings, x):
    """Inputs `x` (rows, units) -> outputs, in place."""
    flat = x.reshape(-1)
    for i in range(flat.size):
        flat[i] = value(settings, flat[i])


@jit
def pull_back(settings, y, delta):
    """Derivatives `delta` by the outputs `y` -> those by the inputs, in place: delta f'."""
    flat, outputs = delta.reshape(-1), y.reshape(-1)
    for i in range(flat.size):
        flat[i] *= slope(settings, outputs[i])


@jit
def curvatures(settings, y, out):
    """Write f'' at the outputs `y` to `out`."""
    flat, outputs = out.reshape(-1), y.reshape(-1)
    for i in range(flat.size):
        flat[i] = curvature(settings, outputs[i])


# Slopes that are learned: f(x) = x where x > 0, else a_c x for unit c. Here the way back needs x.


@jit
def rectify(slopes, x, out):
    """Write the outputs for the inputs `x` (rows, units) and the `slopes` (units,) to `out`."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            one = x[r, c]
            out[r, c] = slopes[c] * one if one < 0 else one


@jit
def pull_back_rectified(slopes, x, delta, gradient):
    """Derivatives `delta` by the outputs -> those by the inputs `x`, in place; those by the slopes to `gradient`."""
    T = type(slopes[0])
    sums = np.zeros(slopes.size)
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            one, d = x[r, c], delta[r, c]
            sums[c] += np.float64(d * (T(0) if one > T(0) else one))
            delta[r, c] = d * (T(1) if one > T(0) else slopes[c])
    for c in range(slopes.size):
        gradient[c] = T(sums[c])
