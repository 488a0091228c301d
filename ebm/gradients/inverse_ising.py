"""Solving for a fully visible Boltzmann machine at once: the inverse Ising problem.

Without hidden units the likelihood of a pairwise model depends on the data only through their means and correlations,
and is concave. So there are ways to the couplings that take no steps along noisy gradients (Nguyen, Zecchina & Berg
2017): each is a record derived from :class:`Direct`.

They all work on spins s in {-1, +1}; units {0, 1} are renamed, x = (s + 1) / 2, and the couplings found are renamed
back (:mod:`ebm.energies.conversions`). What is penalised are couplings between spins. So the law found does not depend
on what the states are called.
"""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array, Record
from ebm.energies.conversions import from_spins
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.optimizers.lbfgs import Progress


class Solution(NamedTuple):
    """What a solver found.

    Attributes
    ----------
    params : PairwiseParameters
    n_iter : int
        Iterations made; 0 for solutions in closed form.
    cost : float
        What was minimised, at `params`: minus the log-likelihood or pseudo-log-likelihood per row, plus the penalties.
        NaN where nothing was.
    slope : float
        The largest slope of the cost that is left, in absolute value.
    message : str
        What the user has to be told, such as that the solver has not converged, without a full stop; '' when all is
        well.
    """

    params: PairwiseParameters
    n_iter: int
    cost: float
    slope: float
    message: str


Tell = Callable[[Progress], object]


class Direct(Record, abc.ABC):
    """A choice of solver for fully visible machines (abstract)."""

    @abc.abstractmethod
    def solve(
        self,
        model: Pairwise,
        X: Any,
        weights: Array | None = None,
        *,
        start: PairwiseParameters | None = None,
        tell: Tell | None = None,
    ) -> Solution:
        """Find the parameters of `model` for the rows of `X`.

        Parameters
        ----------
        model : Pairwise
            Without hidden units. Pairs that are not in its mask stay at zero.
        X : ndarray or CSR matrix of shape (rows, n_units)
            Not modified, and never copied as a whole.
        weights : ndarray of shape (rows,), optional
            How often each row counts; once by default.
        start : PairwiseParameters, optional
            Where an iteration begins; independent units by default.
        tell : callable, optional
            Is called with a :class:`~ebm.optimizers.lbfgs.Progress` after every iteration. A KeyboardInterrupt, here or
            elsewhere, ends the search with what has been found.

        Returns
        -------
        Solution
            In the precision of `X`.

        Raises
        ------
        ValueError
            When the machine has hidden units, or there are no rows to learn from.
        """


def check_problem(solver: object, model: Pairwise, X: Any, weights: Array | None) -> Array:
    """The weights in double precision; ValueError where there is no such problem."""
    check_fully_visible(type(solver).__name__, model)
    w = np.ones(X.shape[0]) if weights is None else np.asarray(weights, np.float64)
    if w.shape != (X.shape[0],) or not np.all(np.isfinite(w)) or (w < 0).any():
        raise ValueError(
            f"weights must be finite and not negative, one for each of the {X.shape[0]} rows. Got {w!r}."
        )
    if not w.sum() > 0:
        raise ValueError("There are no rows to learn from: their weights add up to zero.")
    return w


def check_fully_visible(name: str, model: Pairwise) -> None:
    """Refuse hidden units."""
    if model.n_hidden:
        raise ValueError(
            f"{name} finds the couplings of visible units; this machine has {model.n_hidden} hidden ones. "
            "Gradients such as 'pcd' can learn those."
        )


def joined_pairs(model: Pairwise, units: Array) -> tuple[Array, Array]:
    """Numbers i < j, among the `units` (mask), of the pairs that are joined."""
    allowed = np.outer(units, units)
    if model.mask is not None:
        allowed &= model.mask
    i, j = np.nonzero(np.triu(allowed, 1))
    return i, j


def symmetric(n_units: int, pairs: tuple[Array, Array], values: Array) -> Array:
    """The couplings with `values` at `pairs`."""
    J = np.zeros((n_units, n_units))
    J[pairs] = values
    J[pairs[::-1]] = values
    return J


def finished(
    model: Pairwise, J: Array, bias: Array, X: Any, progress: Progress, message: str
) -> Solution:
    """The solution, from parameters of spins; in the precision of `X`."""
    dtype = X.dtype if X.dtype in (np.float32, np.float64) else np.float64
    J, bias = from_spins(model.unit, PairwiseParameters(J, bias))
    params = PairwiseParameters(J.astype(dtype), bias.astype(dtype))
    return Solution(params, *progress, message)
