"""What can be had of memories with label units: classes of rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ebm._batches import blocks
from ebm._checks import Array
from ebm.energies.completion import Completion
from ebm.energies.memory import DenseParameters
from ebm.sklearn_compat._validation import FLOATS


class LabelCompleting(ClassifierMixin):
    """The completion of labels by the fitted attributes (abstract)."""

    components_: Any
    classes_: Any
    range_: Any
    scale_: float
    degree: int

    def _model(self) -> Completion:
        return Completion(len(self.classes_), self.degree, True, self.scale_)

    def _params(self) -> DenseParameters:
        """The memories that the fitted attribute holds, whoever set it."""
        check_is_fitted(self, "components_")
        return DenseParameters(np.ascontiguousarray(self.components_))

    def predict(self, X: Any) -> Array:
        """Classes of the label units that gain most by turning on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Classes.
        """
        check_is_fitted(self, "components_")
        best = self._by_blocks(X, self._model().gains).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: Any) -> Array:
        """Shares of the classes in the law exp(-2E) of the states with exactly one label on.

        They rank the classes as the label units do; being trained by an error and not by the likelihood, they are no
        calibrated probabilities: see :class:`sklearn.calibration.CalibratedClassifierCV`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        shares : ndarray of shape (n_samples, n_classes)
            Non-negative, with the sum one; classes in the order of `classes_`.
        """
        check_is_fitted(self, "components_")
        return self._by_blocks(X, self._model().shares)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of the rows whose class is found.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Their classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            The accuracy, between 0 and 1.
        """
        return super().score(X, y, sample_weight)

    def _by_blocks(self, X: Any, function: Callable[[Any, Array], Array]) -> Array:
        """`function` of the parameters and visible units, applied to `X` block by block."""
        params = self._params()
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        dtype = params.memories.dtype
        parts = [
            function(params, np.ascontiguousarray(self._visible(block), dtype))
            for _, block in blocks(X)
        ]
        return np.concatenate(parts)

    def _visible(self, X: Array) -> Array:
        """`X` with the range mapped to [-1, 1]."""
        low, high = self.range_
        if (low, high) == (-1.0, 1.0):
            return X
        number = X.dtype.type
        return (X - number(low)) * number(2 / (high - low)) - number(1)
