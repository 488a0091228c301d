"""Couplings in whatever container they come, and the form in which they are fastest.

A matrix most of whose entries are zero is worth less work: a sweep in proportion to the pairs that are connected, where
a dense one takes N^2. A machine keeps a sparse matrix sparse, and a dense one dense. The sweeps check their matrix once
per call, and use lists of neighbours where that is faster (:func:`fastest`). Products with states are the same
expression for both; functions that need dense couplings ask for them (:func:`dense`).
"""

import sys
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ebm._arrays import Array, as_numbers, is_sparse, screened
from ebm._kernels.sparse_sweeps import count_nonzero, neighbours, sparse_sweeps
from ebm._kernels.sweeps import sweep
from ebm._kernels.symmetry import absolute_sums

# Lists of neighbours pay from that many units, and up to this share of entries that are not zero.
FEWEST_UNITS, LARGEST_SHARE = 64, 1 / 12
LARGEST_DENSE = 4 << 30  # bytes
NO_ENERGIES = np.zeros((0, 0))


def unwrapped(J: Any, argument: str, weight: str | None = "weight") -> Any:
    """The matrix in `J`: an array, or a CSR array where `J` is sparse or a graph of networkx.

    Entries of a graph are the attributes `weight` of its edges, or one.

    Raises
    ------
    ValueError
        If the rows of a data frame have the names of the columns in another order.
    """
    networkx = sys.modules.get("networkx")
    if networkx is not None and isinstance(J, networkx.Graph):
        J = networkx.to_scipy_sparse_array(J, weight=weight)
    if is_sparse(J):
        return csr_array(screened(J, argument))
    if hasattr(J, "columns") and hasattr(J, "index"):
        rows, columns = list(J.index), list(J.columns)
        if rows != columns and sorted(map(str, rows)) == sorted(map(str, columns)):
            raise ValueError(
                f"{argument} has the same names on its rows and columns, in different orders. "
                f"{argument}.loc[{argument}.columns] puts the rows in the order of the columns."
            )
    return as_numbers(J, argument)


def count_units(J: Any) -> int:
    """How many rows `J`, of whatever container, has."""
    shape = np.shape(J)
    return int(shape[0]) if shape else 1


def dense_couplings(J: Any) -> Array:
    """`J` as an array; a sparse matrix is written out.

    Raises
    ------
    ValueError
        If a sparse matrix would take more than 4 GB.
    """
    if not is_sparse(J):
        array: Array = J
        return array
    size = J.dtype.itemsize * J.shape[0] * J.shape[1]
    if size > LARGEST_DENSE:
        raise ValueError(
            f"This needs the couplings as a dense matrix, and {J.shape[0]} x {J.shape[1]} of them take "
            f"{size / 1e9:.0f} GB. With sparse couplings of that size there are sample, anneal, minima, energy and "
            "the pseudo-likelihood."
        )
    return np.ascontiguousarray(J.toarray())


def pays_sparse(n_units: int, n_entries: int) -> bool:
    """Whether lists of neighbours are faster for so many entries other than zero."""
    return n_units >= FEWEST_UNITS and n_entries <= LARGEST_SHARE * n_units**2


def fastest(J: Any) -> Any:
    """`J` as sweeps are fastest with it: a CSR array where that pays, an array elsewhere."""
    n = J.shape[0]
    if is_sparse(J):
        return J if pays_sparse(n, J.nnz) else dense_couplings(J)
    limit = int(LARGEST_SHARE * n**2)
    if n < FEWEST_UNITS or (n_entries := count_nonzero(J, limit)) > limit:
        return J
    starts, units = np.zeros(n + 1, np.int64), np.empty(n_entries, np.int32)
    couplings = np.empty(n_entries, J.dtype)
    neighbours(J, starts, units, couplings)
    return csr_array((couplings, units, starts), J.shape)


def neighbour_lists(J: Any) -> tuple[Array, Array, Array]:
    """The rows of a CSR array as the kernels take them: (starts, units, couplings)."""
    return J.indptr.astype(np.int64), J.indices.astype(np.int32), J.data


def every_neighbour(J: Any) -> tuple[Array, Array, Array]:
    """:func:`neighbour_lists` of a matrix in either form, also where the lists are long."""
    return neighbour_lists(J if is_sparse(J) else csr_array(J))


def visit(
    J: Any,
    law: tuple[Array, Array, float, float],
    rule: int,
    S: Array,
    order: Array,
    free: Array,
    draw: tuple[int, int, int],
    moved: Array,
) -> None:
    """One sweep, in place, with couplings as :func:`fastest` gives them: :func:`ebm._kernels.sweeps.sweep`."""
    if not is_sparse(J):
        sweep(J, law, rule, S, order, free, draw, moved)
        return
    gains, biases, low, high = law
    laws = gains[np.newaxis], biases[np.newaxis], low, high
    keys = np.array([draw[:2]], np.int64), draw[2]
    nothing = np.zeros(0, J.dtype), NO_ENERGIES
    lists = neighbour_lists(J)
    sparse_sweeps(lists, laws, rule, S, order[np.newaxis], free, keys, moved, nothing)


def largest_sums(J: Any) -> Array:
    """Sums of the absolute values of each row: what a unit can feel at most of states of size one."""
    if is_sparse(J):
        return np.asarray(abs(J).sum(axis=1)).astype(J.dtype)
    sums: Array = absolute_sums(J)
    return sums
