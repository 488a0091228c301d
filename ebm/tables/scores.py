"""Monotone maps of the values of a column to real numbers that Gaussian units can stand for.

Normal scores (van der Waerden): a value that stands at the positions a+1, ..., b of n sorted rows becomes

    z = Phi^-1((a + b) / (2 n)),

with the distribution function Phi of the standard normal distribution. Ties share the middle of their positions. The
map is linear between the values seen and constant beyond them. The smallest of n different values becomes
Phi^-1(1 / (2 n)). :class:`sklearn.preprocessing.QuantileTransformer` maps it to -5.2 for every n instead, an outlier
that inflates the variance of a Gaussian unit.
"""

from typing import Protocol

import numpy as np
from scipy.special import ndtri

from ebm._checks import Array


class Scale(Protocol):
    """A monotone map of one column, as the transformers of scikit-learn spell it: arrays have the shape (rows, 1)."""

    def transform(self, x: Array) -> Array:
        """Values of the column -> real numbers."""
        ...

    def inverse_transform(self, x: Array) -> Array:
        """The inverse of :meth:`transform`."""
        ...


class NormalScores:
    """The map of a column to its normal scores, see the module docstring.

    Attributes
    ----------
    values : ndarray of shape (n_values,)
        Different values seen, in order.
    scores : ndarray of shape (n_values,)
        Their normal scores.
    edges : ndarray of shape (n_values - 1,)
        Scores between them: a standard normal deviate is between two edges as often as the rows have the value.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.tables import NormalScores
    >>> scores = NormalScores().fit(np.array([[0.0], [0.0], [1.0], [7.0]]))
    >>> scores.transform(np.array([[0.0], [7.0], [9.0]])).round(2)
    array([[-0.67],
           [ 1.15],
           [ 1.15]])
    """

    def fit(self, x: Array, sample_weight: Array | None = None) -> "NormalScores":
        """Learn the map from the values `x` (rows, 1), none of them NaN; a row of weight w counts as w rows."""
        self.values, which = np.unique(x, return_inverse=True)
        counts = np.bincount(which.ravel(), sample_weight)
        ends = np.cumsum(counts)
        self.scores = ndtri((ends - counts / 2) / ends[-1])
        self.edges = ndtri(ends[:-1] / ends[-1])
        return self

    def transform(self, x: Array) -> Array:
        """Values -> scores; NaN stays NaN."""
        scores: Array = np.interp(x, self.values, self.scores)
        return scores

    def inverse_transform(self, x: Array) -> Array:
        """Scores -> values between the smallest and the largest one seen."""
        values: Array = np.interp(x, self.scores, self.values)
        return values


def repeated(x: Array, weights: Array | None) -> Array:
    """The values `x` (rows, 1) in order, each as often as its weight (rows,), rounded up to a whole number, says.

    In order, so that the sums of a transformer are the same to the last bit for weights and for rows that are repeated.
    """
    order = np.argsort(x[:, 0], kind="stable")
    counts = np.ones(len(x), int) if weights is None else np.ceil(weights).astype(int)
    return np.repeat(x[order], counts[order], axis=0)


def edges_between(scale: Scale, values: Array) -> Array:
    """Where in the image of the map one of the different `values`, in order, gives way to the next one.

    For normal scores these are the quantiles of the normal distribution, so that draws have the frequencies of the
    rows. For other maps they are midpoints.
    """
    if isinstance(scale, NormalScores):
        edges: Array = scale.edges
        return edges
    images = scale.transform(values[:, np.newaxis])[:, 0]
    middle: Array = (images[1:] + images[:-1]) / 2
    return middle
