"""Neighborhood components: the loss of outputs in which rows of one class are to be neighbors.

Row i picks row j != i of the same batch as its neighbor with a probability that falls with the squared distance d_ij
of their outputs z_i and z_j,

    p_ij = exp(-d_ij) / sum_(k != i) exp(-d_ik),    p_i = sum_(j of the class of i) p_ij,

and its loss is 1 - p_i, the probability that a neighbor picked at random is of another class (Goldberger et al. 2005;
Salakhutdinov & Hinton 2007). With weights w_i that sum to one the loss of the batch is L = sum_i w_i (1 - p_i), and

    dL/dz_i = 2 sum_j (A_ij + A_ji) (z_i - z_j),    A_ij = w_i p_ij ([j is of the class of i] - p_i),

where A_ij is the derivative by d_ij.

All distances to a block of rows are held at once: memory for BLOCK_NUMBERS numbers, time for n^2 distances.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import softmax

from ebm._checks import Array
from ebm.networks.losses import Loss

# Distances that are held at a time.
BLOCK_NUMBERS = 1 << 20


@dataclass(frozen=True, repr=False)
class NeighborhoodComponents(Loss):
    """The probability that a neighbor is of another class; each column of the targets has the number of the class.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.networks.neighborhoods import NeighborhoodComponents
    >>> z = np.array([[0.0], [0.1], [9.0], [9.1]])
    >>> NeighborhoodComponents().of_rows(z, np.array([[0], [0], [1], [1]])).round(3)
    array([0., 0., 0., 0.])
    """

    joint: ClassVar[bool] = True

    def of_rows(self, z: Array, targets: Array) -> Array:
        """The loss of each row among these rows: 1 - p_i."""
        losses = [1 - (p * same).sum(axis=1) for _, p, same in _neighbors(z, targets)]
        return np.concatenate(losses) if losses else np.zeros(0)

    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        total, x = 0.0, z.astype(np.float64)
        delta = np.zeros_like(x)
        for rows, p, same in _neighbors(x, targets):
            near = (p * same).sum(axis=1)
            total += float(weights[rows] @ (1 - near))
            A = weights[rows, None] * p * (same - near[:, None])
            delta[rows] -= 2 * (A.sum(axis=1, keepdims=True) * x[rows] - A @ x)
            delta += 2 * (A.T @ x[rows] - A.sum(axis=0)[:, None] * x)
        z[:] = delta
        return total

    def output(self, z: Array) -> Array:
        """The outputs."""
        return z

    def _bend(self, z: Array, targets: Array) -> Array:
        raise ValueError("Neighborhood components have no second derivatives by single outputs.")


def _neighbors(z: Array, targets: Array) -> Iterator[tuple[slice, Array, Array]]:
    """Blocks of rows, their probabilities p_ij (block, rows), and which rows are of the same class."""
    x = z.astype(np.float64)
    label = targets[:, 0]
    step = max(1, BLOCK_NUMBERS // max(1, len(x)))
    for first in range(0, len(x), step):
        rows = slice(first, min(first + step, len(x)))
        near = -cdist(x[rows], x, "sqeuclidean")
        own = np.arange(rows.start, rows.stop)
        near[own - first, own] = -np.inf
        alone = len(x) == 1
        p = np.zeros_like(near) if alone else softmax(near, axis=1)
        yield rows, p, label[rows, None] == label


def constant_loss(labels: Array) -> float:
    """The mean loss where all rows have the same outputs: the share of pairs of rows of different classes."""
    counts = np.unique(labels, return_counts=True)[1]
    n = len(labels)
    return 1 - float(counts @ (counts - 1)) / max(1, n * (n - 1))


def numbered(labels: Array, n_outputs: int) -> Array:
    """Targets (rows, outputs) of these labels (rows,): numbers of the classes, in every column."""
    numbers = np.unique(labels, return_inverse=True)[1]
    return np.repeat(numbers[:, None].astype(np.float64), n_outputs, axis=1)


def mean_score(z: Array, targets: Array | None) -> float:
    """The mean probability of a neighbor of the same class; NaN where outputs are not finite."""
    if targets is None or not np.isfinite(z).all():
        return float("nan")
    return 1 - float(NeighborhoodComponents().of_rows(z, targets).mean())
