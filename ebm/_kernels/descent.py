"""Steepest descent of pairwise models: the flip that lowers the energy most, again and again."""

from ebm._jit import jit


@jit
def steepest(lists, law, S, F):
    """Flip, in each row, the unit with the largest fall of the energy, until no flip lowers it; in place.

    Parameters
    ----------
    lists : tuple (starts, units, couplings)
        Neighbours (:mod:`ebm._kernels.sparse_sweeps`), of symmetric couplings.
    law : tuple (zero, low, high)
        Fields are equal within ``zero[i]``: one that equals none asks for no flip, the first of equal falls is taken.
    S, F : ndarray of shape (n_rows, n_units)
        States, each `low` or `high`, and their fields, biases included.
    """
    starts, units, couplings = lists
    zero, low, high = law
    T = type(zero[0])
    low, high = T(low), T(high)
    for row in range(S.shape[0]):
        s, f = S[row], F[row]
        best = _steepest_flip(s, f, zero, high)
        while best >= 0:
            change = low - high if s[best] == high else high - low
            s[best] = low if s[best] == high else high
            for e in range(starts[best], starts[best + 1]):
                f[units[e]] += couplings[e] * change
            best = _steepest_flip(s, f, zero, high)


@jit
def _steepest_flip(s, f, zero, high):
    """The unit whose field points most strongly away from its state, or -1."""
    best, most = -1, type(f[0])(0.0)
    for i in range(s.size):
        away = -f[i] if s[i] == high else f[i]
        if away > most + zero[i]:
            best, most = i, away
    return best


@jit
def states_of(codes, low, high, S):
    """Write the states with the numbers `codes`, the first unit being the lowest bit."""
    for row in range(codes.size):
        for i in range(S.shape[1]):
            S[row, i] = high if (codes[row] >> i) & 1 else low
