"""Rows of data of which most entries are zero: CSR matrices, and when it pays to leave them that.

Products with CSR rows, X W and X'H, take time in proportion to the entries that are stored (SciPy's products, and for
training :mod:`ebm._kernels.sparse`). Where more than a tenth of all entries are, dense rows are faster.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ebm._arrays import Array, check_magnitude

# Dense rows handled at a time where the whole of X must be passed over: about 2 MB of float64.
BLOCK_NUMBERS = 1 << 18
# Products with CSR rows cost as much as with the same rows dense where this share of the entries is not zero: one
# thread, 784 to 20000 features, 100 to 500 units, either precision (benchmarks/sparse_rows.py).
LARGEST_DENSITY = 0.1
# Rows of a sparse block: what is computed of them is dense, and hundreds of numbers each.
LARGEST_SPARSE_BLOCK = 1 << 10


@dataclass(frozen=True)
class SparseRows:
    """A batch of rows, most of whose features are zero: the three arrays of CSR, and dense targets beside them.

    Attributes
    ----------
    indptr, indices : ndarray of int64
    data : ndarray
    n_features : int
    targets : ndarray of shape (rows, n_targets)
    """

    indptr: Array
    indices: Array
    data: Array
    n_features: int
    targets: Array

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, rows: slice) -> "SparseRows":
        first, last, _ = rows.indices(len(self))
        indptr = self.indptr[first : last + 1]
        entries = slice(int(indptr[0]), int(indptr[-1]))
        return SparseRows(
            indptr - indptr[0],
            self.indices[entries],
            self.data[entries],
            self.n_features,
            self.targets[rows],
        )

    @property
    def arrays(self) -> tuple[Array, Array, Array]:
        """The arguments of the kernels: the bounds of the rows, the columns and the values of their entries."""
        return self.indptr, self.indices, self.data

    @property
    def matrix(self) -> Any:
        """The features as a CSR matrix, which shares the arrays."""
        arrays = (self.data, self.indices, self.indptr)
        return sparse.csr_array(arrays, shape=(len(self), self.n_features))


def blocks(X: Any) -> Iterator[tuple[int, Array]]:
    """Number of the first row, and the rows, of consecutive dense blocks of `X`; a float array is not copied."""
    step = max(1, BLOCK_NUMBERS // max(1, X.shape[1]))
    for start in range(0, X.shape[0], step):
        block = X[start : start + step]
        yield start, dense(block)


def row_blocks(X: Any) -> Iterator[Any]:
    """Consecutive blocks of the rows of `X`: CSR as they are where most entries are zero, else dense."""
    if not is_thin(X):
        yield from (block for _, block in blocks(X))
        return
    n_rows = X.shape[0]
    step = max(1, min(LARGEST_SPARSE_BLOCK, BLOCK_NUMBERS * n_rows // max(1, X.nnz)))
    for start in range(0, n_rows, step):
        yield X[start : start + step]


def is_thin(X: Any) -> bool:
    """Whether products with the CSR rows `X` cost less than with the same rows dense."""
    return is_sparse(X) and X.nnz <= LARGEST_DENSITY * X.shape[0] * X.shape[1]


def is_sparse(X: Any) -> bool:
    """Whether `X` is a CSR matrix."""
    return hasattr(X, "indptr")


def canonical(X: Any) -> Any:
    """`X`, of which CSR rows have their entries in order, at most one for each column; a copy where they had not."""
    if is_sparse(X) and not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def sparse_rows(X: Any, dtype: Any, targets: Array | None = None) -> SparseRows:
    """The CSR matrix `X` as a batch, with `targets` if there are any."""
    return SparseRows(  # arrays that kernels need no version of their own for
        np.require(X.indptr, np.int64, ["C", "W"]),
        np.require(X.indices, np.int64, ["C", "W"]),
        np.require(X.data, dtype, ["C", "W"]),
        X.shape[1],
        np.zeros((X.shape[0], 0), dtype) if targets is None else targets.astype(dtype, copy=False),
    )


def with_data(X: Any, data: Array) -> Any:
    """The CSR matrix `X` with other numbers in the places of its entries."""
    return sparse.csr_array((data, X.indices, X.indptr), shape=X.shape)


def scaled(X: Any, factors: Array) -> Any:
    """The CSR matrix `X` with each column times its number in `factors`."""
    return with_data(X, X.data * factors[X.indices])


def as_dtype(X: Any, dtype: Any, argument: str = "X") -> Any:
    """Rows of that dtype: CSR, or C-contiguous; the same object where they are already.

    Numbers that are too large for it are refused.
    """
    if X.dtype != dtype:
        check_magnitude(X, argument, dtype)
    if is_sparse(X):
        return X.astype(dtype, copy=False)
    return np.ascontiguousarray(X, dtype)


def dense(X: Any) -> Array:
    """`X` as a dense array; the same object if it is one."""
    rows: Array = X.toarray() if hasattr(X, "toarray") else X
    return rows
