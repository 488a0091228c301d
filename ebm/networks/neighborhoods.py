"""Neighborhood components: the loss of outputs in which rows of one class are to be neighbors.

Row i picks row j != i of the same batch as its neighbor with a probability that falls with the squared distance d_ij
of their outputs z_i and z_j,

    p_ij = exp(-d_ij) / sum_(k != i) exp(-d_ik),    p_i = sum_(j of the class of i) p_ij,

and its loss is 1 - p_i, the probability that a neighbor picked at random is of another class (Goldberger et al. 2005;
Salakhutdinov & Hinton 2007). With weights w_i that sum to one the loss of the batch is L = sum_i w_i (1 - p_i), and

    dL/dz_i = 2 sum_j (A_ij + A_ji) (z_i - z_j),    A_ij = w_i p_ij ([j is of the class of i] - p_i),

where A_ij is the derivative by d_ij. A row of weight w is picked w times as often, p_ij ~ w_j exp(-d_ij).

As the cost of an autoencoder's code (:class:`NeighborhoodCost`), the loss is mixed with that of the reconstructions,
to which rows without a label contribute, too. This is the regularized NCA of Salakhutdinov & Hinton (2007):

    L = share sum_(labelled i) w_i (1 - p_i) + (1 - share) sum_i w_i l(x_i, reconstruction of x_i).

All distances to a block of rows are held at once: memory for BLOCK_NUMBERS numbers, time for n^2 distances.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import softmax

from ebm._checks import Array, check_real
from ebm.networks.layer import Context, Cost, Layer
from ebm.networks.losses import Derived, Loss
from ebm.networks.network import Network

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

    def of_rows(self, z: Array, targets: Array, weights: Array | None = None) -> Array:
        """The loss of each row among these rows, with `weights` (rows,): 1 - p_i."""
        losses = [1 - (p * same).sum(axis=1) for _, p, same in _neighbors(z, targets, weights)]
        return np.concatenate(losses) if losses else np.zeros(0)

    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        total, x = 0.0, z.astype(np.float64)
        delta = np.zeros_like(x)
        for rows, p, same in _neighbors(x, targets, weights):
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


def _neighbors(
    z: Array, targets: Array, weights: Array | None = None
) -> Iterator[tuple[slice, Array, Array]]:
    """Blocks of rows, their probabilities p_ij (block, rows), and which rows are of the same class."""
    x = z.astype(np.float64)
    label = targets[:, 0]
    unequal = weights is not None and bool(len(weights)) and (weights != weights[0]).any()
    step = max(1, BLOCK_NUMBERS // max(1, len(x)))
    for first in range(0, len(x), step):
        rows = slice(first, min(first + step, len(x)))
        near = -cdist(x[rows], x, "sqeuclidean")
        if unequal:
            with np.errstate(divide="ignore"):  # rows without weight are nobody's neighbors
                near += np.log(np.asarray(weights, np.float64))
        own = np.arange(rows.start, rows.stop)
        near[own - first, own] = -np.inf
        alone = np.isneginf(near.max(axis=1))
        near[alone] = 0
        p = softmax(near, axis=1)
        p[alone] = 0
        yield rows, p, label[rows, None] == label


@dataclass(frozen=True, repr=False)
class NeighborhoodCost(Layer):
    """The neighborhood components of outputs as a cost of theirs: rows of one class are to be neighbors.

    Rows whose label is NaN have no such cost, and are nobody's neighbors.

    Parameters
    ----------
    share : float in [0, 1], default=0.5
        Factor on the cost.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.networks.neighborhoods import NeighborhoodCost
    >>> y, labels = np.array([[0.0], [0.1], [9.0]]), np.array([[0.0], [1.0], [np.nan]])
    >>> NeighborhoodCost(share=0.5).labelled_cost(y, labels, np.full(3, 1 / 3)).value.__round__(3)
    0.333
    """

    keeps_output: ClassVar[bool] = True  # the layer below may need it
    has_cost: ClassVar[bool] = True
    takes_labels: ClassVar[bool] = True
    share: float = 0.5

    def __post_init__(self) -> None:
        check_real(self.share, "share", 0.0, 1.0)

    def forward(self, params: Any, x: Array, context: Context) -> tuple[Array, None]:
        """The input itself."""
        return x, None

    def backward(self, params: Any, saved: None, delta: Array, gradient: Any, below: bool) -> Array:
        """The derivatives themselves."""
        return delta

    def labelled_cost(self, y: Array, labels: Array, weights: Array) -> Cost:
        """The weighted sum over the labelled rows, whose weights sum to their share of all rows."""
        known = ~np.isnan(labels[:, 0])
        value, delta = NeighborhoodComponents().evaluate(
            np.ascontiguousarray(y[known]), labels[known], weights[known]
        )
        whole = np.zeros_like(y)
        whole[known] = y.dtype.type(self.share) * delta
        return Cost(self.share * value, whole)


@dataclass(frozen=True, repr=False)
class Scaled(Derived):
    """A loss times a number.

    Parameters
    ----------
    loss : Loss
    factor : float >= 0
    """

    factor: float

    def __post_init__(self) -> None:
        check_real(self.factor, "factor")

    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        value = self.loss._sum(z, targets, weights)
        z *= z.dtype.type(self.factor)
        return self.factor * value

    def of_rows(self, z: Array, targets: Array) -> Array:
        """The multiple."""
        return self.factor * self.loss.of_rows(z, targets)

    def least(self, targets: Array) -> Array:
        """The multiple."""
        return self.factor * self.loss.least(targets)

    def _bend(self, z: Array, targets: Array) -> Array:
        bend = self.loss._bend(z, targets)
        bend *= bend.dtype.type(self.factor)
        return bend


def length_of_embedding(network: Network) -> int:
    """How many layers make the embedding: those up to the one with its cost, or all where there is no decoder."""
    costs = [k for k, layer in enumerate(network.layers) if layer.takes_labels]
    return costs[0] + 1 if costs else len(network.layers)


def constant_loss(labels: Array, weights: Array | None = None) -> float:
    """The mean loss where all rows have the same outputs: the share of pairs of rows of different classes."""
    index, repetitions = copies(np.ones(len(labels)) if weights is None else weights)
    same_outputs = np.zeros((len(index), 1))
    if (repetitions == 1).all():
        counts = np.unique(labels[index], return_counts=True)[1]
        n = len(index)
        return 1 - float(counts @ (counts - 1)) / max(1, n * (n - 1))
    losses = NeighborhoodComponents().of_rows(same_outputs, labels[index, None], repetitions)
    return float(np.average(losses, weights=repetitions))


def copies(weights: Array) -> tuple[Array, Array]:
    """Rows of these weights (rows,) as so many rows: numbers of the rows, and the weight of each copy.

    A row of weight w comes ceil(w) times, the last time with the fraction that is left. Copies are neighbors of each
    other, as equal rows are.
    """
    counts = np.ceil(weights).astype(np.int64)
    index = np.repeat(np.arange(len(counts)), counts)
    each = np.ones(len(index))
    there = counts > 0
    each[np.cumsum(counts)[there] - 1] = (weights - (counts - 1))[there]
    return index, each


def numbered(labels: Array, n_outputs: int) -> Array:
    """Targets (rows, outputs) of these labels (rows,): numbers of the classes, in every column."""
    numbers = np.unique(labels, return_inverse=True)[1]
    return np.repeat(numbers[:, None].astype(np.float64), n_outputs, axis=1)


def mean_score(z: Array, targets: Array | None, weights: Array | None = None) -> float:
    """The mean probability of a neighbor of the same class; NaN where outputs are not finite.

    Rows whose label is NaN are left out.
    """
    if targets is None or not np.isfinite(z).all():
        return float("nan")
    known = np.flatnonzero(~np.isnan(targets[:, 0]))
    if weights is None:
        return 1 - float(NeighborhoodComponents().of_rows(z[known], targets[known]).mean())
    index, each = copies(weights[known])
    losses = NeighborhoodComponents().of_rows(z[known[index]], targets[known[index]], each)
    return 1 - float(np.average(losses, weights=each))
