"""Sequential sweeps where most units are not coupled: the field of a unit is a sum over its neighbours.

The order of the visits, the random words and so the distribution are those of :mod:`ebm._kernels.sweeps`. Fields are
summed in another order: the states are the same unless the last bit of a field decides. Many sweeps are one call: one
sweep of one chain takes less time than the call.

Neighbours are a tuple (starts, units, couplings): on unit i act ``units[e]`` with ``couplings[e]``, for e from
``starts[i]`` up to ``starts[i + 1]``. Zero couplings and units in no one's list cost nothing.
"""

import numpy as np

from ebm._jit import jit
from ebm._kernels.bernoulli import happens
from ebm._kernels.counter import fill_words
from ebm._kernels.elementary import sigmoid
from ebm._kernels.sweeps import (
    HEAT_BATH,
    MEAN,
    METROPOLIS,
    _apply,
    _hold,
    _turn,
    _words,
    flips,
)

# Up to so many chains are walked one after the other; from there on, side by side.
FEW_CHAINS = 8
# Of a flip that falls by more, no 32-bit word makes one: the exponential is not worth its time.
NEVER = 23.0
# Visits whose random words are drawn at a time.
BLOCK_VISITS = 64


@jit
def count_nonzero(J, limit):
    """How many entries of `J` are not zero; more than `limit` where there are more."""
    total = 0
    for i in range(J.shape[0]):
        row, count = J[i], 0
        for j in range(row.size):
            count += row[j] != 0
        total += count
        if total > limit:
            break
    return total


@jit
def neighbours(J, starts, units, couplings):
    """Write the lists of all units of a dense matrix."""
    e = 0
    for i in range(J.shape[0]):
        row = J[i]
        for j in range(row.size):
            if row[j] != 0:
                units[e] = j
                couplings[e] = row[j]
                e += 1
        starts[i + 1] = e


@jit
def sparse_sweeps(lists, law, rule, S, visits, free, draw, moved, energies):
    """Visit units, sweep after sweep, in place.

    Parameters
    ----------
    lists : tuple (starts, units, couplings)
    law : tuple (gains, biases, low, high)
        Of shapes (n_sweeps, groups) and (n_sweeps, groups, n_units), or with a single sweep that stands for all; else
        as in :func:`ebm._kernels.sweeps.sweep`.
    rule, S, free
        As there.
    visits : ndarray of int64, shape (n_sweeps, n_visits) or (1, n_visits)
        Orders; one order stands for all.
    draw : tuple (keys, first_chain)
        The keys (n_sweeps, 2) of the sweeps.
    moved : ndarray of shape (n_chains,)
        The changes of the states are added to it, in absolute value.
    energies : tuple (bias, out)
        The energies -s'(J s / 2 + bias) after each sweep are written to out (n_sweeps, n_chains), unless it is empty.
    """
    gains, biases, low, high = law
    keys, first = draw
    bias, out = energies
    few = S.shape[1] <= FEW_CHAINS and gains.shape[1] == 1 and rule != MEAN and free.size == 0
    chains = np.ascontiguousarray(S.T) if few else S
    for t in range(keys.shape[0]):
        order = visits[min(t, visits.shape[0] - 1)]
        now = min(t, gains.shape[0] - 1)
        which = (gains[now], biases[now], low, high)
        words = (keys[t, 0], keys[t, 1], first)
        if few:
            _one_by_one(lists, which, rule, chains, order, words, moved)
        else:
            _side_by_side(lists, which, rule, S, order, free, words, moved)
        if out.size and few:
            for c in range(chains.shape[0]):
                out[t, c] = _energy(lists, bias, chains[c])
        elif out.size:
            _energies(lists, bias, S, out[t])
    if few:
        S[:] = chains.T


@jit
def _field(lists, i, s):
    starts, units, couplings = lists
    f = type(s[0])(0.0)
    for e in range(starts[i], starts[i + 1]):
        f += couplings[e] * s[units[e]]
    return f


@jit
def _one_by_one(lists, law, rule, chains, order, draw, moved):
    """One sweep of each of the `chains` (n_chains, n_units)."""
    gains, biases, low, high = law
    T = type(gains[0])
    low, gap, both, gain = T(low), T(high - low), T(low + high), gains[0]
    words, row_length = np.empty(BLOCK_VISITS, np.uint32), (order.size + 1) // 2
    for c in range(chains.shape[0]):
        s, total = chains[c], T(0.0)
        for start in range(0, order.size, BLOCK_VISITS):
            block = order[start : start + BLOCK_VISITS]
            if rule in (HEAT_BATH, METROPOLIS):
                first = (draw[2] + c) * row_length + start // 2
                fill_words(words, draw[0], draw[1], first)
            for k in range(block.size):
                i = block[k]
                f = _field(lists, i, s)
                if rule == METROPOLIS:
                    change = both - T(2.0) * s[i]
                    climb = change * (gain * f + biases[0, i])
                    change *= flips(climb, words[k]) if climb > T(-NEVER) else T(0.0)
                elif rule == HEAT_BATH:
                    p = sigmoid(gap * gain * f + gap * biases[0, i])
                    change = low + gap * happens(words[k], p) - s[i]
                else:
                    x = gain * f + biases[0, i]
                    zero = biases[1, i] if biases.shape[0] > 1 else T(0.0)
                    target = low + gap if x > zero else (low if x < -zero else s[i])
                    change = target - s[i]
                s[i] += change
                total += abs(change)
        moved[c] += total


@jit
def _side_by_side(lists, law, rule, S, order, free, draw, moved):
    """One sweep of all chains of `S` (n_units, n_chains)."""
    n_chains, row_length = S.shape[1], (order.size + 1) // 2
    f, delta = np.empty(n_chains, S.dtype), np.empty(n_chains, S.dtype)
    words = np.empty((BLOCK_VISITS, n_chains), np.uint32)
    for start in range(0, order.size, BLOCK_VISITS):
        block = order[start : start + BLOCK_VISITS]
        if rule in (HEAT_BATH, METROPOLIS):
            _words(words[: block.size + block.size % 2], row_length, start // 2, draw)
        for k in range(block.size):
            i = block[k]
            _fields(lists, i, S, f)
            _turn(law, rule, i, f, S[i], words[k], delta)
            if free.size:
                _hold(free[i], delta)
            _apply(delta, S[i], moved)


@jit
def _fields(lists, i, S, f):
    starts, units, couplings = lists
    f[:] = type(f[0])(0.0)
    for e in range(starts[i], starts[i + 1]):
        _add(couplings[e], S[units[e]], f)


@jit
def _add(coupling, s, f):
    for c in range(f.size):
        f[c] += coupling * s[c]


@jit
def _energy(lists, bias, s):
    total = 0.0
    for i in range(s.size):
        if lists[0][i] < lists[0][i + 1] or bias[i] != 0:
            total -= s[i] * (0.5 * np.float64(_field(lists, i, s)) + bias[i])
    return total


@jit
def _energies(lists, bias, S, out):
    f = np.empty(S.shape[1], S.dtype)
    out[:] = 0.0
    for i in range(S.shape[0]):
        _fields(lists, i, S, f)
        s = S[i]
        for c in range(f.size):
            out[c] -= s[c] * (0.5 * np.float64(f[c]) + bias[i])


@jit
def sparse_descend(lists, law, S, F, order, free, flips):
    """:func:`ebm._kernels.sweeps.descend`, where a flip changes the fields of few units.

    On ``units[e]`` unit i acts with ``couplings[e]``: the lists hold the columns of the couplings.
    """
    starts, units, couplings = lists
    zero, low, high = law
    T = type(zero[0])
    low, high = T(low), T(high)
    for c in range(S.shape[0]):
        s, f = S[c], F[c]
        for k in range(order.size):
            i = order[k]
            target = high if f[i] > zero[i] else (low if f[i] < -zero[i] else s[i])
            if target != s[i] and (free.size == 0 or free[c, i]):
                change = target - s[i]
                for e in range(starts[i], starts[i + 1]):
                    f[units[e]] += couplings[e] * change
                s[i] = target
                flips[c] += 1
