"""Free-energy differences of all single flips of binary rows, for two layers of Bernoulli units."""

import math

import numpy as np

from ebm._jit import jit
from ebm._kernels.elementary import exp


@jit(reorder=True)
def flip_scores(v, inputs, W, bias, growth, run, out):
    """out[r] = sum_i log sigmoid(F(v_r with v_i -> 1 - v_i) - F(v_r)), in double precision.

    With d = 1 - 2 v_i and a the hidden units' fields `inputs` (rows, hidden), bias included, the flip changes -F by

        d b_i + sum_j log(sigmoid(-a_j) + sigmoid(a_j) exp(d W_ij)),

    whose logarithms are taken of products of `run` factors at a time. `growth` (2, visible, hidden) holds exp(W) and
    exp(-W), so that a flip of a true bit costs one multiplication per weight.
    """
    rows, n = v.shape
    m = inputs.shape[1]
    off, on, steps = np.empty(m), np.empty(m), np.empty(m)
    for r in range(rows):
        for j in range(m):
            t = exp(-min(abs(inputs[r, j]), 700.0))
            high = 1.0 / (1.0 + t)
            on[j] = high if inputs[r, j] > 0 else t * high
            off[j] = t * high if inputs[r, j] > 0 else high
        out[r] = 0.0
        for i in range(n):
            d = 1.0 - 2.0 * v[r, i]
            if d == 1.0:
                factors = growth[0, i]
            elif d == -1.0:
                factors = growth[1, i]
            else:
                factors = steps
                for j in range(m):
                    steps[j] = exp(d * W[i, j])
            gain = d * bias[i]
            for start in range(0, m, run):
                product = 1.0
                p, q = off[start : start + run], on[start : start + run]
                g = factors[start : start + run]
                for j in range(p.size):  # counted from zero: else this loop does not vectorise
                    product *= p[j] + q[j] * g[j]
                gain += math.log(product)
            # log sigmoid(-gain), without overflow
            out[r] -= max(gain, 0.0) + math.log1p(math.exp(-abs(gain)))
