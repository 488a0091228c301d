"""Sequential sweeps over the units of pairwise models: many chains at once, one unit after the other.

A unit feels the field f_i = (J s)_i of the states as they are when its turn comes. Keeping all fields up to date would
cost a row of J for every unit that flips in every chain. Instead units are taken in blocks. The fields of a block are
one matrix product, and within the block only its own fields are kept up to date: BLAS does nearly all of a sweep. The
order of the visits, and so the distribution, is that of the plain loop. The products are NumPy's, called between the
compiled blocks: compiled code would bring the threads of another BLAS, and the two would wait for each other.

States are (units, chains): a unit's states in all chains lie side by side.
"""

import numpy as np

from ebm._jit import jit
from ebm._kernels.bernoulli import happens
from ebm._kernels.counter import threefry
from ebm._kernels.elementary import SATURATION, exp, sigmoid

# Rules by which a visited unit changes.
THRESHOLD, HEAT_BATH, MEAN, METROPOLIS = 0, 1, 2, 3
# Units at a time: small enough that the work within a block is small beside its matrix product.
BLOCK_UNITS = 64


def sweep(J, law, rule, S, order, free, draw, moved):
    """Visit the units `order` one after the other, in place.

    Parameters
    ----------
    J : ndarray of shape (n_units, n_units)
        Couplings; row i holds what acts on unit i. They need not be symmetric.
    law : tuple (gains, biases, low, high)
        The chains belong in equal shares to groups: in group g unit i has the input x = gains[g] f_i + biases[g, i].
    rule : int
        HEAT_BATH: its state is drawn, with the log-odds (high - low) x of `high`. METROPOLIS: it takes the other
        state, from s to s', with the probability min(1, exp((s' - s) x)). MEAN: it becomes the mean of these.
        THRESHOLD: it becomes `high` where x > 0, `low` where x < 0, and stays where x = 0. A further row of `biases`,
        below those of the groups, says up to which absolute value x counts as zero.
    S : ndarray of shape (n_units, n_chains)
        States.
    order : ndarray of int64
        Numbers of units; they may repeat.
    free : ndarray of bool, shape (n_units, n_chains) or (0, 0)
        Units that may change; all of them where empty. The rest keeps its value, but not the sign of a zero.
    draw : tuple (key0, key1, first_chain)
        The p-th visit of chain c draws word p of row ``first_chain + c`` of the key.
    moved : ndarray of shape (n_chains,)
        The changes of the states are added to it, in absolute value.
    """
    n_units, n_chains = S.shape
    size = max(1, min(BLOCK_UNITS, order.size))
    in_a_row = is_a_run(order)
    panel = np.empty((0 if in_a_row else size, n_units), J.dtype)
    fields, delta = np.empty((size, n_chains), J.dtype), np.empty(n_chains, J.dtype)
    words = np.empty((size + size % 2, n_chains), np.uint32)
    row_length = (order.size + 1) // 2
    for start in range(0, order.size, size):
        block = order[start : start + size]
        f, rows = fields[: block.size], panel[: block.size]
        if in_a_row:
            rows = J[block[0] : block[0] + block.size]
        else:
            np.take(J, block, axis=0, out=rows, mode="clip")
        np.dot(rows, S, out=f)
        if rule in (HEAT_BATH, METROPOLIS):
            _words(words, row_length, start // 2, draw)
        _visit(J, law, rule, S, block, free, (f, words, delta), moved)


@jit
def _visit(J, law, rule, S, block, free, buffers, moved):
    """Visit the units of one block, whose fields at the beginning are given; `buffers` are (fields, words, delta)."""
    f, words, delta = buffers
    for k in range(block.size):
        i = block[k]
        _turn(law, rule, i, f[k], S[i], words[k], delta)
        if free.size:
            _hold(free[i], delta)
        if _apply(delta, S[i], moved):
            for later in range(k + 1, block.size):
                _push(J[block[later], i], delta, f[later])


@jit
def is_a_run(order):
    """Whether every unit is followed by the next one: then no rows of J need be gathered."""
    leaps = 0
    for k in range(1, order.size):
        leaps += order[k] != order[k - 1] + 1
    return leaps == 0


@jit
def _words(words, row_length, first, draw):
    """Two visits share a counter; row r of the key's numbers has `row_length` of these."""
    key0, key1 = np.uint32(draw[0]), np.uint32(draw[1])
    for pair in range(words.shape[0] // 2):
        even, odd = words[2 * pair], words[2 * pair + 1]
        for c in range(even.size):
            counter = (draw[2] + c) * row_length + first + pair
            low, high = np.uint32(counter & 0xFFFFFFFF), np.uint32(counter >> 32)
            word0, word1 = threefry(key0, key1, low, high)
            even[c] = word0
            odd[c] = word1


@jit
def _turn(law, rule, i, f, s, words, delta):
    """The changes of unit i in all chains."""
    gains, biases, low, high = law
    share = s.size // gains.size
    for g in range(gains.size):
        span = slice(g * share, (g + 1) * share)
        gain, bias, old, change = gains[g], biases[g, i], s[span], delta[span]
        if rule == THRESHOLD:
            zero = type(bias)(0.0) if biases.shape[0] == gains.size else biases[gains.size, i]
            _threshold(gain, bias, f[span], old, low, high, zero, change)
        elif rule == MEAN:
            _mean(gain, bias, f[span], old, low, high, change)
        elif rule == METROPOLIS:
            _metropolis(gain, bias, f[span], old, low, high, words[span], change)
        else:
            _heat_bath(gain, bias, f[span], old, low, high, words[span], change)


@jit
def _heat_bath(gain, bias, f, s, low, high, words, delta):
    low, gap = type(bias)(low), type(bias)(high - low)
    gain, bias = gap * gain, gap * bias
    for c in range(f.size):
        p = sigmoid(gain * f[c] + bias)
        delta[c] = low + gap * happens(words[c], p) - s[c]


@jit(inline=True)
def flips(climb, word):
    """Whether a step that multiplies the probability by exp(climb) is made: 0 or 1."""
    T = type(climb)
    fall = T(0.0) if climb > T(0.0) else -climb
    return happens(word, exp(-(T(SATURATION) if fall > T(SATURATION) else fall)))


@jit
def _metropolis(gain, bias, f, s, low, high, words, delta):
    T = type(bias)
    both = T(low + high)
    for c in range(f.size):
        change = both - T(2.0) * s[c]
        delta[c] = change * flips(change * (gain * f[c] + bias), words[c])


@jit
def _mean(gain, bias, f, s, low, high, delta):
    low, gap = type(bias)(low), type(bias)(high - low)
    gain, bias = gap * gain, gap * bias
    for c in range(f.size):
        delta[c] = low + gap * sigmoid(gain * f[c] + bias) - s[c]


@jit
def _threshold(gain, bias, f, s, low, high, zero, delta):
    low, high = type(bias)(low), type(bias)(high)
    for c in range(f.size):
        x = gain * f[c] + bias
        target = high if x > zero else (low if x < -zero else s[c])
        delta[c] = target - s[c]


@jit
def _hold(free, delta):
    for c in range(delta.size):
        delta[c] = delta[c] if free[c] else type(delta[c])(0.0)


@jit
def _apply(delta, s, moved):
    """Whether anything moved."""
    for c in range(delta.size):
        s[c] += delta[c]
        moved[c] += abs(delta[c])
    changes = 0
    for c in range(delta.size):
        changes += delta[c] != 0
    return changes > 0


@jit
def _push(coupling, delta, f):
    if coupling != 0:
        for c in range(delta.size):
            f[c] += coupling * delta[c]


@jit
def descend(influence, law, S, F, order, free, flips):
    """Visit the units `order` at temperature zero, in place, with all fields kept up to date, flip by flip.

    Less work than :func:`sweep` where few units flip: a flip costs one row, a visit without one a comparison.

    Parameters
    ----------
    influence : ndarray of shape (n_units, n_units)
        Row i is what unit i does to the others: column i of the couplings, row i as well if they are symmetric.
    law : tuple (zero, low, high)
        A field above ``zero[i]`` makes unit i `high`, one below ``-zero[i]`` makes it `low`.
    S, F : ndarray of shape (n_chains, n_units)
        States, and the fields that belong to them, biases included.
    order : ndarray of int64
    free : ndarray of bool, shape (n_chains, n_units) or (0, 0)
        Units that may change; all of them where empty.
    flips : ndarray of int64, shape (n_chains,)
        How many units flip is added to it.
    """
    zero, low, high = law
    T = type(zero[0])
    low, high = T(low), T(high)
    for c in range(S.shape[0]):
        s, f = S[c], F[c]
        for k in range(order.size):
            i = order[k]
            target = high if f[i] > zero[i] else (low if f[i] < -zero[i] else s[i])
            if target != s[i] and (free.size == 0 or free[c, i]):
                _push(target - s[i], influence[i], f)
                s[i] = target
                flips[c] += 1
