"""From the states {0, 1} to {-1, +1} and back, and averages of data: what an inverse Ising problem is stated in.

With x = (s + 1) / 2, the energies of both spellings differ by a constant:

    -1/2 x'Jx - b'x = -1/2 s'(J/4)s - (b/2 + J1/4)'s - 1'J1/8 - 1'b/2,

where 1 is the vector of ones. So the law is the same with J/4 for J and b/2 + J1/4 for b.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm.energies.pairwise import PairwiseParameters
from ebm.energies.pairwise_sums import PairwiseMoments
from ebm.units import TwoState

# Numbers of data that are in double precision at a time: 8 MB.
BLOCK_NUMBERS = 1 << 20


def as_spins(params: PairwiseParameters) -> PairwiseParameters:
    """The parameters that give units {-1, +1} the law which `params` give units {0, 1}.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.energies.conversions import as_binary, as_spins
    >>> from ebm.energies.pairwise import PairwiseParameters
    >>> spins = as_spins(PairwiseParameters(np.array([[0.0, 4.0], [4.0, 0.0]]), np.zeros(2)))
    >>> spins.J.tolist(), spins.bias.tolist()
    ([[0.0, 1.0], [1.0, 0.0]], [1.0, 1.0])
    >>> as_binary(spins).bias.tolist()
    [0.0, 0.0]
    """
    J, bias = params
    return PairwiseParameters(J / 4, bias / 2 + J.sum(axis=1) / 4)


def as_binary(params: PairwiseParameters) -> PairwiseParameters:
    """The parameters that give units {0, 1} the law which `params` give units {-1, +1}."""
    J, bias = params
    return PairwiseParameters(4 * J, 2 * bias - 2 * J.sum(axis=1))


def from_spins(unit: TwoState, params: PairwiseParameters) -> PairwiseParameters:
    """Parameters of spins for the states that `unit` has."""
    return params if unit.states == (-1.0, 1.0) else as_binary(params)


def to_spins(unit: TwoState, params: PairwiseParameters) -> PairwiseParameters:
    """The reverse of :func:`from_spins`."""
    return params if unit.states == (-1.0, 1.0) else as_spins(params)


def moments_of_spins(unit: TwoState, moments: PairwiseMoments) -> PairwiseMoments:
    """Averages of s = (2 x - low - high) / (high - low), from those of the states x of `unit`."""
    low, high = unit.states or ()
    scale, shift = 2 / (high - low), (low + high) / (high - low)
    mean = scale * moments.mean - shift
    cross = scale * shift * moments.mean
    second = scale**2 * moments.correlations - cross - cross[:, np.newaxis] + shift**2
    return PairwiseMoments(mean, second)


def row_moments(X: Any, weights: Array | None = None) -> PairwiseMoments:
    """Averages <x> and <xx'> over the rows of `X` (rows, units), dense or CSR, in double precision.

    `weights` (rows,) say how often each row counts; once by default. Rows are taken in blocks, so that no copy of all
    of `X` is made.
    """
    n_rows, n_units = X.shape
    w = np.ones(n_rows) if weights is None else np.asarray(weights, np.float64)
    total, second = np.zeros(n_units), np.zeros((n_units, n_units))
    for start, block in double_blocks(X):
        weighted = w[start : start + len(block), np.newaxis] * block
        total += weighted.sum(axis=0)
        second += weighted.T @ block
    return PairwiseMoments(total / w.sum(), second / w.sum())


def double_blocks(X: Any) -> Iterator[tuple[int, Array]]:
    """Number of the first row, and the rows, of consecutive dense, C-contiguous blocks of `X` in double precision."""
    step = max(1, BLOCK_NUMBERS // max(1, X.shape[1]))
    for start in range(0, X.shape[0], step):
        block = X[start : start + step]
        dense = block.toarray() if hasattr(block, "toarray") else block
        yield start, np.ascontiguousarray(dense, np.float64)
