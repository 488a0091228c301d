"""Quadratic unconstrained binary optimisation (QUBO), the form in which annealers take their problems.

    E(x) = x'Qx + offset = sum_i Q_ii x_i + sum_{i<j} (Q_ij + Q_ji) x_i x_j + offset,      x_i in {0, 1},

for x_i^2 = x_i: the diagonal is linear. Only the sums of opposite entries count, so that Q may be a triangle, in which
each pair is written once, or symmetric. In the energy -1/2 x'Jx - b'x of a pairwise model of bits

    J = -(Q + Q') without its diagonal,      b_i = -Q_ii,

and there is no constant. Of a model of spins, s = 2x - 1, the energy is that of bits (:mod:`ebm.energies.conversions`)
plus the offset 1'b - 1'J1 / 2.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array, triu

from ebm._arrays import check_finite, check_squares, float_type, is_sparse
from ebm.energies.conversions import as_binary
from ebm.energies.couplings import unwrapped
from ebm.energies.pairwise import PairwiseParameters
from ebm.units import TwoState


class Qubo(NamedTuple):
    """A quadratic function of bits, x'Qx + offset.

    Attributes
    ----------
    Q : ndarray or csr_array of shape (n_units, n_units)
        Upper triangle: each pair once, linear coefficients on the diagonal.
    offset : float
        Constant that is added to the value of all states.
    """

    Q: Any
    offset: float


def from_qubo(Q: Any) -> PairwiseParameters:
    """The parameters with which the energy of bits is x'Qx.

    Parameters
    ----------
    Q : {array-like, sparse matrix} of shape (n_units, n_units) or mapping
        Or the entries that are not zero, as ``{(i, j): value}``.

    Returns
    -------
    PairwiseParameters

    Raises
    ------
    ValueError
        If `Q` is not square, or its entries are not finite numbers, or keys of a mapping are no pairs of indices.

    Examples
    --------
    >>> from ebm.energies.qubo import from_qubo
    >>> J, bias = from_qubo([[-1.0, 2.0], [0.0, -1.0]])
    >>> J.tolist(), bias.tolist()
    ([[0.0, -2.0], [-2.0, 0.0]], [1.0, 1.0])
    """
    given = _of_mapping(Q) if isinstance(Q, Mapping) else unwrapped(Q, "Q")
    if given.ndim != 2 or given.shape[0] != given.shape[1] or not given.shape[0]:
        raise ValueError(f"Q must have the shape (n_units, n_units). Got {given.shape}.")
    dtype = float_type(given)
    given = given.astype(dtype)
    check_finite(given, "Q")
    check_squares(given, "Q")
    J, bias = -(given + given.T), -given.diagonal()
    if is_sparse(J):
        J.setdiag(0)
        J.eliminate_zeros()
    else:
        np.fill_diagonal(J, 0)
    return PairwiseParameters(J + 0, bias + 0)  # no zeros with a sign


def to_qubo(unit: TwoState, params: PairwiseParameters) -> Qubo:
    """The function of bits that equals the energy of a pairwise model, for spins with x = (s + 1) / 2.

    Parameters
    ----------
    unit : TwoState
    params : PairwiseParameters

    Returns
    -------
    Qubo
    """
    offset = 0.0
    if unit.states == (-1.0, 1.0):
        offset = float(params.bias.sum(dtype=np.float64) - 0.5 * params.J.sum(dtype=np.float64))
        params = as_binary(params)
    J, bias = params
    if is_sparse(J):
        return Qubo(csr_array(-triu(J, 1) - diags_array(bias)), offset)
    return Qubo(0 - np.triu(J, 1) - np.diag(bias), offset)


def _of_mapping(entries: Mapping[Any, Any]) -> Any:
    """The sparse matrix of the `entries` {(i, j): value}."""
    for key in entries:
        pair = isinstance(key, tuple) and len(key) == 2
        if not pair or not all(isinstance(i, int | np.integer) and i >= 0 for i in key):
            raise ValueError(
                f"The keys of Q must be pairs of unit numbers from 0, as {{(0, 1): -1.0}}. Got {key!r}."
            )
    rows, columns = np.array(list(entries), dtype=np.intp).reshape(-1, 2).T
    n = 1 + max(rows.max(initial=-1), columns.max(initial=-1))
    values = np.array(list(entries.values()), dtype=np.float64)
    return csr_array(coo_array((values, (rows, columns)), shape=(n, n)))
