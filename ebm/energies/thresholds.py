"""Hidden units of two states that start with a threshold at each of some rows of the data.

A hidden unit that is on for half of the rows, and off for the others, has something to learn from the first update on.
Small random weights leave it at the same mean for all rows, and learning takes thousands of updates to part them.

Visible units with a scale make up for what the hidden units add to their variance by a smaller variance of their own.
Those without one, bits and categories, cannot: many hidden units of such weights would leave hardly any of their
states undecided, at random. So their weights shrink until the hidden units move the input of a visible unit by a
standard deviation of `LARGEST_PULL` at most. Columns that hold means of states, such as reals in [0, 1], are not
limited. Their small variance takes large weights, and it is their features that are wanted, not their probability as
states. Real columns have no limit, either, but beside factors, which say by themselves how much may be added to their
precision (:mod:`ebm.energies.factored`).
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from ebm._checks import Array, varies
from ebm._sparse import is_sparse
from ebm.units import Unit

# Standard deviation over the data of the inputs of hidden units, by visible units with a scale and by those of two
# states.
SCALED_DEVIATION, BINARY_DEVIATION = 2.0, 1.5
# The largest standard deviation of the inputs of visible units without a scale, and how it is approached.
LARGEST_PULL, MOST_SHORTENINGS, SLACK = 2.0, 10, 0.05


class Apart(NamedTuple):
    """Hidden units with a threshold at each of some rows: see :meth:`Bipartite.with_examples`.

    Attributes
    ----------
    U : ndarray of shape (n_visible, n_hidden)
        Weights by which the states themselves are multiplied.
    hidden_bias : ndarray of shape (n_hidden,)
    hidden_mean : ndarray of shape (n_hidden,)
        Over the rows.
    precision : ndarray of shape (n_visible,)
        Inverse variances that the visible units need beside their own, for what the hidden units add.
    """

    U: Array
    hidden_bias: Array
    hidden_mean: Array
    precision: Array

    def below(self, unit: Unit, params: Any, some: slice = slice(None)) -> tuple[Array, Any]:
        """The weights of some visible units, of one type, and the parameters of these that make up for them."""
        params = unit.narrowed(params, self.precision[some])
        scale = unit.scale(params)
        W = (
            self.U[some]
            if scale is None
            else scale.astype(np.float64)[:, np.newaxis] * self.U[some]
        )
        b = params.bias - W @ self.hidden_mean
        return W, params._replace(bias=b.astype(params.bias.dtype))


def variances(rows: Any) -> Array:
    """The variance of each column of dense or CSR rows, and exactly zero for a constant one."""
    if is_sparse(rows):
        mean, count = np.asarray(rows.mean(axis=0), np.float64).ravel(), rows.shape[0]
        stored = np.bincount(rows.indices, minlength=len(mean))
        apart = (rows.data - mean[rows.indices]) ** 2
        squares = np.bincount(rows.indices, apart, len(mean))
        found: Array = (squares + (count - stored) * mean**2) / count
        return found
    found = (rows - rows[0]).var(axis=0, dtype=np.float64)
    return found


def tells_apart(unit: Unit) -> bool:
    """Whether rows are told apart by states of this type: counts without bounds make exponentials of exponentials."""
    return unit.has_scale or unit.bounded


def measure(unit: Unit, params: Any, rows: Any) -> Array:
    """In which units the states of one type are measured, so that inputs of hidden units deviate enough: (units,)."""
    scale, spread = unit.scale(params), variances(rows)
    if scale is None:
        return np.full(len(spread), np.sqrt(spread.mean()) / BINARY_DEVIATION)
    deviations = np.sqrt(np.maximum(scale, spread))  # given variances may be small
    return deviations / SCALED_DEVIATION


def holds_states(unit: Unit, rows: Any) -> Array:
    """Columns of dense or CSR rows all values of which are states of a unit without a scale: (units,) of bool.

    Others hold means of such states, such as columns of reals in [0, 1].
    """
    if unit.has_scale or unit.states is None:
        return np.full(rows.shape[1], not unit.has_scale)
    if is_sparse(rows):
        strange = ~np.isin(rows.data, unit.states)
        found: Array = np.bincount(rows.indices, strange, rows.shape[1]) == 0
        return found
    return np.asarray(np.isin(rows, unit.states).all(axis=0))


def largest_precision(unit: Unit, rows: Any) -> Array:
    """How much hidden units may add to the precision of each column: (units,), infinity where there is no limit."""
    return np.where(holds_states(unit, rows), LARGEST_PULL**2, np.inf)


def rows_apart(directions: Array, examples: Any, unit: Array, largest: Array) -> Apart:
    """Hidden units that tell rows apart, along `directions` (n_visible, n_hidden): :meth:`Bipartite.with_examples`.

    Inputs of the hidden units deviate by one over uncorrelated rows whose standard deviations are `unit` (n_visible,).
    They deviate less where the precision of a visible unit would grow by more than its `largest` (n_visible,).
    """
    examples = examples.astype(np.float64)
    mean = np.asarray(examples.mean(axis=0)).ravel()
    known = varies(mean, variances(examples), directions.dtype)
    for _ in range(MOST_SHORTENINGS):
        apart = _rows_apart(directions, examples, unit, known)
        excess = np.where(known, np.sqrt(np.maximum(apart.precision / largest, 1.0)), 1.0)
        if excess.max(initial=1.0) < 1 + SLACK:
            break
        unit = unit * excess
    return apart


def _rows_apart(directions: Array, examples: Any, unit: Array, known: Array) -> Apart:
    """With weights to the `known` visible units alone."""
    U, unit = np.zeros(directions.shape), unit[known, np.newaxis]
    U[known] = orthogonal(directions[known] / unit) / unit
    inputs = examples @ U
    thresholds = np.diag(inputs).copy()
    inputs -= thresholds
    h = expit(inputs)
    return Apart(U, -thresholds, h.mean(axis=0), U**2 @ (h * expit(-inputs)).mean(axis=0))


def orthogonal(columns: Array) -> Array:
    """Orthonormal columns that span what `columns` (n, m) do, n at a time: (n, m) in double precision."""
    n, m = columns.shape
    if not n:
        return np.zeros((n, m))
    blocks = [
        np.linalg.qr(columns[:, first : first + n].astype(np.float64)) for first in range(0, m, n)
    ]
    return np.hstack([Q * np.copysign(1.0, np.diag(R)) for Q, R in blocks])
