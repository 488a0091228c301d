"""One model in the words of another: states {0, 1} and {-1, +1}, Gaussian machines; and averages of data.

With x = (s + 1) / 2, the energies of both spellings differ by a constant:

    -1/2 x'Jx - b'x = -1/2 s'(J/4)s - (b/2 + J1/4)'s - 1'J1/8 - 1'b/2,

where 1 is the vector of ones. So the distribution is the same with J/4 for J and b/2 + J1/4 for b.

A layer of Gaussian units can be integrated out. With the variances S on its diagonal and G = W'S^-1 W,

    log int exp(-beta E(v, h)) dv = sum_i log(2 pi sigma_i^2 / beta) / 2 + beta (c'h + b'S^-1 W h + h'G h / 2),

which is a pairwise model of the hidden units, coupled by G without its diagonal. Since two states have h_j^2 = (low +
high) h_j - low high, the diagonal adds to the biases and to the constant.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._flat import in_double
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import PairwiseMoments
from ebm.units import Gaussian, TwoState

# Numbers of data that are in double precision at a time: 8 MB.
BLOCK_NUMBERS = 1 << 20


def as_spins(params: PairwiseParameters) -> PairwiseParameters:
    """The parameters that give units {-1, +1} the distribution which `params` give units {0, 1}.

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
    """The parameters that give units {0, 1} the distribution which `params` give units {-1, +1}."""
    J, bias = params
    return PairwiseParameters(4 * J, 2 * bias - 2 * J.sum(axis=1))


def from_spins(unit: TwoState, params: PairwiseParameters) -> PairwiseParameters:
    """Parameters of spins for the states that `unit` has."""
    return params if unit.states == (-1.0, 1.0) else as_binary(params)


def to_spins(unit: TwoState, params: PairwiseParameters) -> PairwiseParameters:
    """The reverse of :func:`from_spins`."""
    return params if unit.states == (-1.0, 1.0) else as_spins(params)


class HiddenMachine(NamedTuple):
    """The distribution of the hidden units of a machine whose visible units were integrated out.

    Attributes
    ----------
    model : Pairwise
        Of the hidden units, none of which is hidden in it.
    params : PairwiseParameters
        In double precision.
    log_constant : float
        Log Z(beta) of the machine is log Z(beta) of `model` plus this number, at the beta that was asked for.
    """

    model: Pairwise
    params: PairwiseParameters
    log_constant: float


def hidden_machine(
    model: Bipartite, params: BipartiteParameters, beta: float = 1.0
) -> HiddenMachine:
    """The pairwise machine of the hidden units of a model with Gaussian visible and two-state hidden units.

    Parameters
    ----------
    model, params : Bipartite, BipartiteParameters
    beta : float
        Inverse temperature; the constant depends on it, `model` and `params` do not.

    Returns
    -------
    HiddenMachine

    Raises
    ------
    ValueError
        If the visible units are not Gaussian, or the hidden ones have not two states.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.energies.bipartite import Bipartite, BipartiteParameters
    >>> from ebm.energies.conversions import hidden_machine
    >>> from ebm.units import Bernoulli, Gaussian
    >>> model = Bipartite(Gaussian(), Bernoulli())
    >>> visible = Gaussian.parameters(np.zeros(2), np.zeros(2))
    >>> W = np.array([[1.0, 2.0], [0.0, 1.0]])
    >>> machine = hidden_machine(
    ...     model, BipartiteParameters(W, visible, Bernoulli.parameters(np.zeros(2)))
    ... )
    >>> machine.params.J.tolist(), machine.params.bias.tolist()
    ([[0.0, 2.0], [2.0, 0.0]], [0.5, 2.5])
    """
    unit = model.hidden
    if not isinstance(model.visible, Gaussian) or not isinstance(unit, TwoState):
        raise ValueError(
            f"A pairwise machine of the hidden units takes Gaussian visible units and hidden units of two states. Got "
            f"{model.visible!r} and {unit!r}."
        )
    W, visible, hidden = in_double(params)
    scaled = W * np.exp(-visible.log_variance)[:, np.newaxis]
    J = scaled.T @ W
    squares, (low, high) = J.diagonal().copy(), unit.states or ()
    J = (J + J.T) / 2
    np.fill_diagonal(J, 0)
    bias = hidden.bias + visible.bias @ scaled + 0.5 * (low + high) * squares
    volume = 0.5 * float(np.sum(np.log(2 * np.pi / beta) + visible.log_variance))
    constant = volume - 0.5 * beta * low * high * float(squares.sum())
    return HiddenMachine(Pairwise(unit), PairwiseParameters(J, bias), constant)


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
