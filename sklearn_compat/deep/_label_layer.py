"""The label layer of deep classifiers: indicators of classes, predictions from p(y | x), samples of a class.

Functions whose first argument is `self` are methods: the estimators have `classes_`, and `_posterior`.
"""

from typing import Any

import numpy as np

from ebm._arrays import as_array
from ebm._checks import Array, is_among, shown
from ebm.pretraining import Labels
from ebm.sklearn_compat._shared._labels import (
    check_same,
    check_several,
    one_hot,
    read_labels,
    warn_weightless,
)


def indicators(
    self: Any, y: Any, known: Array | None, X: Any, weights: Array | None, *, whole: bool
) -> Labels:
    """Indicators of the classes, NaN in unlabelled rows; sets `classes_`, to those of `y` if none are known."""
    some = whole or not (hasattr(self, "rbms_") or hasattr(self, "coefs_"))
    labels = read_labels(self, X, y, known, useful=True, several=False, some=some)
    if known is None:
        known = np.unique(labels.y)
        check_several(known)
    elif whole:
        check_same(labels.y, known)
    chosen = one_hot(labels.y, known)
    if whole:
        warn_weightless(labels.y, None if weights is None else weights[labels.labelled])
    self.classes_ = known
    columns = np.full((len(labels.labelled), len(known)), np.nan, X.dtype)
    columns[labels.labelled] = chosen
    return Labels(columns)


def predict_proba(self: Any, X: Any) -> Array:
    """Probabilities of the classes, p(y | x), of rows of `X`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.

    Returns
    -------
    p : ndarray of shape (n_samples, n_classes)
        Probabilities, in the order of `classes_`.
    """
    p: Array = self._posterior(X)[0]
    return p


def predict_log_proba(self: Any, X: Any) -> Array:
    """Logarithms of the probabilities of the classes, which are finite even if probabilities round to zero.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.

    Returns
    -------
    log_p : ndarray of shape (n_samples, n_classes)
        Log-probabilities, in the order of `classes_`.
    """
    log_p: Array = self._posterior(X)[1]
    return log_p


def predict(self: Any, X: Any) -> Array:
    """Most probable classes of the rows of `X`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        Classes.
    """
    best = self._posterior(X)[1].argmax(axis=1)
    return np.asarray(self.classes_[best])


def indicators_of(self: Any, label: Any, n_samples: int) -> Array:
    """Indicators of the class of all samples, or of each sample: (1 or n_samples, n_classes)."""
    labels = as_array(label, "label")
    if labels.ndim > 1 or labels.size not in (1, n_samples):
        raise ValueError(
            f"label must be one class, or one for each of {n_samples} samples. Got the shape {labels.shape}."
        )
    if not all(is_among(x, self.classes_.tolist()) for x in labels.ravel().tolist()):
        raise ValueError(
            f"label must be among the classes {self.classes_.tolist()}. Got {shown(label)}."
        )
    found: Array = one_hot(np.atleast_1d(labels), self.classes_)
    return found


def known_labels(self: Any, X: Any, y: Any) -> Array | None:
    """Indicators of the classes `y` of all rows, which must be known; None without `y`."""
    if y is None:
        return None
    known = read_labels(self, X, y, self.classes_, useful=True, several=False)
    if not known.labelled.all():
        raise ValueError(
            f"y has {np.count_nonzero(~known.labelled)} rows without a label. Leave them out here, or pass "
            "y=None: the classes are then summed out in all rows."
        )
    found: Array = one_hot(known.y, self.classes_)
    return found
