"""Free-energy differences of all single flips of binary rows, for two layers of Bernoulli units.

With d = 1 - 2 v_i and a the hidden units' fields, bias included, the flip v_i -> 1 - v_i changes -F by

    d b_i + sum_j log(sigmoid(-a_j) + sigmoid(a_j) exp(d W_ij)),

and the mean of hidden unit j becomes the second term over the sum of both.
"""

import math

import numpy as np

from ebm._jit import jit
from ebm._kernels.elementary import exp

# exp of a product of `run` factors exp(|W|) must not overflow: run * max|W| stays below this.
LOG_LARGEST = 600.0
# exp of a bias, times such a product, must not either; nor a product of two numbers of at most LARGEST_FACTOR, beside
# which one is nothing.
LARGEST_BIAS = 100.0
LARGEST_FACTOR = 1e100


def flip_tables(W, largest):
    """`growth` and `run` of the kernels below for weights of at most `largest` < LOG_LARGEST (not compiled)."""
    run = int(np.clip(LOG_LARGEST / max(largest, 1e-9), 1, 256))
    return np.exp(np.stack([W, -W])), run


@jit
def both_sides(inputs, on, off):
    """sigmoid(a) and sigmoid(-a) of the fields a in `inputs`, each precise where it is small."""
    for j in range(inputs.size):
        t = exp(-min(abs(inputs[j]), 700.0))
        high = 1.0 / (1.0 + t)
        on[j] = high if inputs[j] > 0 else t * high
        off[j] = t * high if inputs[j] > 0 else high


@jit(inline=True)
def flip_factors(d, W, growth, i, steps):
    """exp(d W_i): looked up in `growth`, exp(W) and exp(-W), for a true bit, else computed in `steps`."""
    if d == 1.0:
        return growth[0, i]
    if d == -1.0:
        return growth[1, i]
    for j in range(steps.size):
        steps[j] = exp(d * W[i, j])
    return steps


@jit
def flip_scores(v, inputs, W, bias, growth, run, out):
    """out[r] = sum_i log sigmoid(F(v_r with v_i -> 1 - v_i) - F(v_r)), in double precision.

    `inputs` (rows, hidden) are the hidden units' fields. With x_i = exp(F(v_r) - F(flip_i v_r)) the sum is that of
    -log(1 + x_i), and logarithms are taken of products: of `run` factors of x_i at a time, and of as many 1 + x_i as a
    number holds. `growth` (2, visible, hidden) holds exp(W) and exp(-W), so that a flip of a true bit costs one
    multiplication per weight. Biases are at most :data:`LARGEST_BIAS` in size.
    """
    rows, n = v.shape
    m = inputs.shape[1]
    on, off = np.empty((rows, m)), np.empty((rows, m))
    steps, product = np.empty(m), np.ones(rows)
    for r in range(rows):
        both_sides(inputs[r], on[r], off[r])
        out[r] = 0.0
    for i in range(n):  # outside: the weights of one unit stay in the cache
        up, down = math.exp(bias[i]), math.exp(-bias[i])
        for r in range(rows):
            d = 1.0 - 2.0 * v[r, i]
            factors = flip_factors(d, W, growth, i, steps)
            x = up if d == 1.0 else down if d == -1.0 else math.exp(d * bias[i])
            if run >= m:
                x *= _flip_product(off[r], on[r], factors)
                _count_in(x, r, product, out)
            else:
                gain = math.log(x)
                for k in range(0, m, run):
                    end = min(k + run, m)
                    gain += math.log(_flip_product(off[r, k:end], on[r, k:end], factors[k:end]))
                # log sigmoid(-gain), without overflow
                out[r] -= max(gain, 0.0) + math.log1p(math.exp(-abs(gain)))
    for r in range(rows):
        out[r] -= math.log(product[r])


@jit(reorder=True, fuse=True)
def _flip_product(p, q, g):
    product = 1.0
    for j in range(p.size):
        product *= p[j] + q[j] * g[j]
    return product


@jit(inline=True)
def _count_in(x, r, product, out):
    """Take -log(1 + x) into out[r], by way of product[r]."""
    if x > LARGEST_FACTOR:
        out[r] -= math.log(x)
    else:
        product[r] *= 1.0 + x
        if product[r] > LARGEST_FACTOR:
            out[r] -= math.log(product[r])
            product[r] = 1.0


@jit(reorder=True)
def flip_moments(v, inputs, W, bias, growth, run, ratio, weights, out):
    """What the flipped rows add to the gradient of a sum over flips, in double precision.

    With q = sigmoid(F(v_r) - F(flip_i v_r)), the probability of the flip, each flip counts ``weights[r]`` times q, or
    times 2 q^2 (1 - q) with `ratio`. The other arguments are those of :func:`flip_scores`.

    Parameters
    ----------
    out : tuple (shares, H, turned)
        To be filled: the shares of the flips (rows, visible); sum_i share_ri E[h | flip_i v_r] (rows, hidden); and
        sum_r share_ri d_ri E[h | flip_i v_r] (visible, hidden).
    """
    shares, H, turned = out
    rows, n = v.shape
    m = inputs.shape[1]
    on, off = np.empty((rows, m)), np.empty((rows, m))
    means, steps = np.empty(m), np.empty(m)
    for r in range(rows):
        both_sides(inputs[r], on[r], off[r])
    H[:] = 0.0
    turned[:] = 0.0
    for i in range(n):  # outside: the weights of one unit stay in the cache
        for r in range(rows):
            d = 1.0 - 2.0 * v[r, i]
            factors = flip_factors(d, W, growth, i, steps)
            gain = d * bias[i]
            for start in range(0, m, run):
                product = 1.0
                p, q = off[r, start : start + run], on[r, start : start + run]
                g, mean = factors[start : start + run], means[start : start + run]
                # Two loops: the order of a product must not depend on whether arrays that are written to overlap.
                for j in range(p.size):
                    product *= p[j] + q[j] * g[j]
                for j in range(p.size):
                    raised = q[j] * g[j]
                    mean[j] = raised / (p[j] + raised)
                gain += math.log(product)
            probability = flip_probability(gain)
            share = weights[r] * probability
            if ratio:
                share *= 2.0 * probability * flip_probability(-gain)
            shares[r, i] = share
            add_to_both(means, share, H[r], d * share, turned[i])


@jit(inline=True)
def flip_probability(gain):
    """sigmoid(gain), without overflow."""
    t = math.exp(-abs(gain))
    return 1.0 / (1.0 + t) if gain > 0 else t / (1.0 + t)


@jit
def add_to_both(x, p, a, q, b):
    """A += p x and b += q x."""
    for j in range(x.size):
        a[j] += p * x[j]
        b[j] += q * x[j]
