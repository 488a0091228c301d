"""Energy differences of label units on top of learned memories, and their slopes: sums of powers over all memories.

With the inputs a_rk = xi_k'v_r - sum_b l_bk of the memories k when all labels b are off (-1), turning label b on (+1)
adds 2 l_bk, and

    gain_rb = sum_k [F(a_rk + 2 l_bk) - F(a_rk)],    F(x) = x^n, or zero for negative x if rectified.

Powers are built by squaring, for all memories at once: every step is a loop that vectorises.
"""

import numpy as np

from ebm._jit import jit


@jit
def _raise(x, exponent, rectified, out):
    """Out = x^exponent, a whole number >= 0; x is consumed."""
    T = type(x[0])
    for k in range(x.size):
        x[k] = max(x[k], T(0)) if rectified else x[k]
        out[k] = T(1)
    while exponent:
        if exponent & 1:
            for k in range(x.size):
                out[k] *= x[k]
        exponent >>= 1
        if exponent:
            for k in range(x.size):
                x[k] *= x[k]


@jit
def _shifted(a, labels, x):
    for k in range(x.size):
        x[k] = a[k] + 2 * labels[k]


@jit(reorder=True)
def _sum_of_differences(high, low):
    total = 0.0
    for k in range(high.size):
        total += high[k] - low[k]
    return total


@jit
def gains(a, labels, degree, rectified, out):
    """out[r, b] = gain_rb, for `a` (rows, n_memories) and `labels` (n_labels, n_memories)."""
    x, low, high = np.empty_like(a[0]), np.empty_like(a[0]), np.empty_like(a[0])
    for r in range(len(a)):
        x[:] = a[r]
        _raise(x, degree, rectified, low)
        for b in range(len(labels)):
            _shifted(a[r], labels[b], x)
            _raise(x, degree, rectified, high)
            out[r, b] = _sum_of_differences(high, low)


@jit
def _add(factor, high, low, to_input, to_label):
    for k in range(high.size):
        to_input[k] += factor * (high[k] - low[k])
        to_label[k] += 2 * factor * high[k]


@jit
def slopes(a, labels, degree, rectified, weights, to_inputs, to_labels):
    """Derivatives of sum_rb weights[r, b] gain_rb: by a_rk in `to_inputs`, by l_bk, where it is added, in `to_labels`.

    The second counts only the way over a + 2 l. `weights` are of the dtype of `a`.
    """
    T = type(a[0, 0])
    x, low, high = np.empty_like(a[0]), np.empty_like(a[0]), np.empty_like(a[0])
    to_labels[:] = 0
    to_inputs[:] = 0
    for r in range(len(a)):
        known = False
        for b in range(len(labels)):
            factor = T(degree) * weights[r, b]
            if factor == 0:  # of labels that are as they should be, most of them in the end
                continue
            if not known:
                x[:] = a[r]
                _raise(x, degree - 1, rectified, low)
                known = True
            _shifted(a[r], labels[b], x)
            _raise(x, degree - 1, rectified, high)
            _add(factor, high, low, to_inputs[r], to_labels[b])
