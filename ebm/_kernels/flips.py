"""Free-energy differences of all single flips of binary rows, for two layers of Bernoulli units.

With d = 1 - 2 v_i and a the hidden units' fields, bias included, the flip v_i -> 1 - v_i changes -F by

    d b_i + sum_j log(sigmoid(-a_j) + sigmoid(a_j) exp(d W_ij)),

and the mean of hidden unit j becomes the second term over the sum of both.
"""

import math

import numpy as np

from ebm._jit import jit
from ebm._kernels.elementary import exp
from ebm._kernels.products import four_products

# exp of a product of `run` factors exp(|W|) must not overflow: run * max|W| stays below this.
LOG_LARGEST = 600.0
# exp of a bias, times such a product, must not either; nor a product of at most LARGEST_PRODUCT and four numbers of
# at most LARGEST_FACTOR.
LARGEST_BIAS = 100.0
LARGEST_FACTOR, LARGEST_PRODUCT = 1e25, 1e200


def flip_tables(W, largest):
    """`growth` and `run` of the kernels below for weights of at most `largest` < LOG_LARGEST (not compiled).

    The rows of `growth` (2 visible + 4, hidden) are exp(W), exp(-W), and room for four more.
    """
    run = int(np.clip(LOG_LARGEST / max(largest, 1e-9), 1, 256))
    return np.exp(np.concatenate([W, -W, np.zeros_like(W, shape=(4, W.shape[1]))])), run


@jit
def both_sides(inputs, on, off):
    """sigmoid(a) and sigmoid(-a) of the fields a in `inputs`, each precise where it is small."""
    for j in range(inputs.size):
        t = exp(-min(abs(inputs[j]), 700.0))
        high = 1.0 / (1.0 + t)
        on[j] = high if inputs[j] > 0 else t * high
        off[j] = t * high if inputs[j] > 0 else high


@jit(inline=True)
def flip_row(d, W, growth, i, place):
    """Which row of `growth` holds exp(d W_i): for a true bit one that is there, else the one at `place` of its room."""
    n = W.shape[0]
    if d == 1.0:
        return i
    if d == -1.0:
        return n + i
    for j in range(W.shape[1]):
        growth[2 * n + place, j] = exp(d * W[i, j])
    return 2 * n + place


@jit
def flip_scores(v, inputs, W, bias, growth, run, out):
    """out[r] = sum_i log sigmoid(F(v_r with v_i -> 1 - v_i) - F(v_r)), in double precision.

    `inputs` (rows, hidden) are the hidden units' fields. With x_i = exp(F(v_r) - F(flip_i v_r)) the sum is that of
    -log(1 + x_i), and logarithms are taken of products: of `run` factors of x_i at a time, and of as many 1 + x_i as a
    number holds. A flip of a true bit costs one multiplication per weight, by a row of `growth`. Biases are at most
    :data:`LARGEST_BIAS` in size.
    """
    rows, n = v.shape
    m = inputs.shape[1]
    on, off = np.empty((rows, m)), np.empty((rows, m))
    found, product = np.empty(4), np.ones(rows)
    for r in range(rows):
        both_sides(inputs[r], on[r], off[r])
        out[r] = 0.0
    for i in range(0, n, 4):  # outside: the weights of a few units stay in the cache
        a, b, c, e = i, min(i + 1, n - 1), min(i + 2, n - 1), min(i + 3, n - 1)
        up, down = np.exp(bias[a : e + 1]), np.exp(-bias[a : e + 1])
        for r in range(rows):
            factors = (
                growth[flip_row(1.0 - 2.0 * v[r, a], W, growth, a, 0)],
                growth[flip_row(1.0 - 2.0 * v[r, b], W, growth, b, 1)],
                growth[flip_row(1.0 - 2.0 * v[r, c], W, growth, c, 2)],
                growth[flip_row(1.0 - 2.0 * v[r, e], W, growth, e, 3)],
            )
            if run >= m:
                four_products(off[r], on[r], factors, found)
                for k in range(up.size):
                    d = 1.0 - 2.0 * v[r, i + k]
                    found[k] *= up[k] if d == 1.0 else down[k] if d == -1.0 else up[k] ** d
                found[up.size :] = 0.0
                _count_in(found, r, product, out)
            else:
                _log_products(off[r], on[r], factors, run, found)
                for k in range(up.size):
                    gain = (1.0 - 2.0 * v[r, i + k]) * bias[i + k] + found[k]
                    # log sigmoid(-gain), without overflow
                    out[r] -= max(gain, 0.0) + math.log1p(math.exp(-abs(gain)))
    for r in range(rows):
        out[r] -= math.log(product[r])


@jit
def _log_products(p, q, rows, run, out):
    """Logarithms of :func:`four_products`, taken of `run` factors at a time."""
    a, b, c, d = rows
    part = np.empty(4)
    out[:] = 0.0
    for k in range(0, p.size, run):
        end = k + run
        some = (a[k:end], b[k:end], c[k:end], d[k:end])
        four_products(p[k:end], q[k:end], some, part)
        for i in range(4):
            out[i] += math.log(part[i])


@jit(inline=True)
def _count_in(x, r, product, out):
    """Take -log(1 + x) of four x into out[r], by way of product[r]."""
    a, b, c, d = x[0], x[1], x[2], x[3]
    if max(max(a, b), max(c, d)) > LARGEST_FACTOR:
        for k in range(4):
            out[r] -= math.log1p(x[k])
        return
    product[r] *= (1.0 + a) * (1.0 + b) * ((1.0 + c) * (1.0 + d))
    if product[r] > LARGEST_PRODUCT:
        out[r] -= math.log(product[r])
        product[r] = 1.0


@jit(reorder=True)
def flip_moments(v, inputs, W, bias, growth, run, ratio, weights, out):
    """The part of the flipped rows in the gradient of a sum over flips, in double precision.

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
    means = np.empty(m)
    for r in range(rows):
        both_sides(inputs[r], on[r], off[r])
    H[:] = 0.0
    turned[:] = 0.0
    for i in range(n):  # outside: the weights of one unit stay in the cache
        for r in range(rows):
            d = 1.0 - 2.0 * v[r, i]
            factors = growth[flip_row(d, W, growth, i, 0)]
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
