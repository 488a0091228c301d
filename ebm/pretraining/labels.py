"""Labels that the topmost machine of a stack sees beside the features of the layer below, as indicators."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ebm._checks import Array
from ebm._sparse import is_sparse


class Labels(NamedTuple):
    """Columns for the topmost machine.

    Attributes
    ----------
    columns : ndarray of shape (n_samples, n_labels)
        NaN in the rows without a label, which the topmost machine does not learn from.
    """

    columns: Array

    @property
    def known(self) -> Array:
        """Which rows have a label (n_samples,)."""
        has: Array = ~np.isnan(self.columns[:, 0])
        return has

    def beside(self, X: Any, weights: Array | None) -> tuple[Any, Array | None]:
        """The rows of `X` that have a label, followed by its indicators, and the weights of these rows."""
        has = self.known
        weights = None if weights is None else weights[has]
        if weights is not None and len(weights) and not weights.any():
            raise ValueError("sample_weight is zero for every labelled sample.")
        X, columns = X[has], self.columns[has].astype(X.dtype, copy=False)
        if is_sparse(X):
            return sparse.hstack([X, sparse.csr_matrix(columns)], format="csr"), weights
        return np.hstack([X, columns]), weights
