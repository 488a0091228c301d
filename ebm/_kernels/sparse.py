"""Products with rows in CSR form, one row of the dense factor at a time: as many operations as entries times columns.

`rows` are the three arrays (indptr, indices, data), the first two of int64.
"""

from ebm._jit import jit


@jit
def times(rows, W, out):
    """Out = X W: rows X (rows, n) times W (n, m)."""
    indptr, indices, data = rows
    out[:] = 0
    for r in range(out.shape[0]):
        for k in range(indptr[r], indptr[r + 1]):
            _add(data[k], W[indices[k]], out[r])


@jit
def add_transposed_times(rows, H, out):
    """Out += X'H: X (rows, n), H (rows, m), out (n, m)."""
    indptr, indices, data = rows
    for r in range(H.shape[0]):
        for k in range(indptr[r], indptr[r + 1]):
            _add(data[k], H[r], out[indices[k]])


@jit
def weighted_sum(rows, weights, out):
    """Out = X'w: weights w (rows,), out (n,)."""
    indptr, indices, data = rows
    out[:] = 0
    for r in range(weights.size):
        for k in range(indptr[r], indptr[r + 1]):
            out[indices[k]] += weights[r] * data[k]


@jit
def _add(factor, x, out):
    for j in range(x.size):
        out[j] += factor * x[j]
