"""Sums over all states of a layer of two-state units, in the order of the reflected Gray code."""

import numpy as np

from ebm._jit import jit
from ebm._kernels import units


@jit
def gray_code_log_sum(steps, gains, base, params, beta, start, stop):
    """Log sum over states number [start, stop) of exp(beta gain + A(input)).

    State number t has unit i high where bit i of the Gray code t ^ (t >> 1) is set. It gains the sum of ``gains[i]``,
    and its input to the other layer is `base` (others,) plus the sum of ``steps[i]`` over these i; `params` are that
    layer's parameters. All in double precision.
    """
    n, n_other = steps.shape
    code = start ^ (start >> 1)
    gain = 0.0
    inputs = base.copy().reshape(1, n_other)
    for i in range(n):
        if (code >> i) & 1:
            gain += gains[i]
            for k in range(n_other):
                inputs[0, k] += steps[i, k]
    log_weight = np.empty(1)
    top, total = -np.inf, 0.0
    for t in range(start, stop):
        log_weight[0] = beta * gain
        units.log_normaliser(params, inputs, beta, log_weight)
        if log_weight[0] > top:
            total = total * np.exp(top - log_weight[0]) + 1.0
            top = log_weight[0]
        else:
            total += np.exp(log_weight[0] - top)
        flip = 0  # the unit in which state t + 1 differs: the number of trailing zeros of t + 1
        while flip < n and not ((t + 1) >> flip) & 1:
            flip += 1
        if flip < n:
            sign = -1.0 if (code >> flip) & 1 else 1.0
            code ^= 1 << flip
            gain += sign * gains[flip]
            for k in range(n_other):
                inputs[0, k] += sign * steps[flip, k]
    return top + np.log(total)
