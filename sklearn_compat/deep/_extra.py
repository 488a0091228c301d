"""What the topmost machine of a stack sees beside the features of the layer below: labels, as indicators."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ebm._checks import Array


class Extra(NamedTuple):
    """Columns for the topmost machine.

    Attributes
    ----------
    columns : ndarray of shape (n_samples, n_extra)
        NaN in the rows that have none, which the topmost machine does not learn from.
    """

    columns: Array

    @property
    def known(self) -> Array:
        """Which rows have columns (n_samples,)."""
        has: Array = ~np.isnan(self.columns[:, 0])
        return has

    def beside(self, X: Any, weights: Array | None) -> tuple[Any, Array | None]:
        """The rows of `X` that have columns, followed by them, and the weights of these rows."""
        has = self.known
        weights = None if weights is None else weights[has]
        if weights is not None and len(weights) and not weights.any():
            raise ValueError("sample_weight is zero for every labelled sample.")
        return self._joined(X[has], self.columns[has]), weights

    def below(self, X: Any) -> Any:
        """All rows of `X`, followed by the columns."""
        return self._joined(X, self.columns)

    def _joined(self, X: Any, columns: Array) -> Any:
        columns = columns.astype(X.dtype, copy=False)
        if sparse.issparse(X):
            parts: Any = [X, sparse.csr_matrix(columns)]
            return sparse.hstack(parts, format="csr")
        return np.hstack([X, columns])
