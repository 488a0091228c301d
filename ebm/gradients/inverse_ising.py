"""Solving for a fully visible Boltzmann machine at once: the inverse Ising problem.

Without hidden units the likelihood of a pairwise model depends on the data only through their means and correlations,
and is concave. So there are ways to the couplings that take no steps along noisy gradients (Nguyen, Zecchina & Berg
2017): each is a record derived from :class:`Direct`.

They all work on spins s in {-1, +1}; units {0, 1} are renamed, x = (s + 1) / 2, and the couplings found are renamed
back (:mod:`ebm.energies.conversions`). Penalties are on the couplings between spins, so that the fitted distribution
does not depend on the names of the states.
"""

import abc
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ebm._arrays import float_type
from ebm._checks import Array, Settings, listed
from ebm.energies.conversions import double_blocks, from_spins
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.optimizers.lbfgs import Progress
from ebm.units import TwoState

# A value that is nearer than this to a state, by the distance of the two, is that state.
ROUNDING = 1e-12
NONE = np.zeros(0, np.intp)


class Solution(NamedTuple):
    """The solution that a solver found.

    Attributes
    ----------
    params : PairwiseParameters
    n_iter : int
        Iterations made; 0 for solutions in closed form.
    cost : float
        Minimum of the cost, at `params`: minus the log-likelihood or pseudo-log-likelihood per row of the units that
        change, plus the penalties. NaN where no cost was minimised.
    slope : float
        The largest slope of the cost that is left, in absolute value.
    message : str
        Text of a warning, such as that the solver has not converged, without a full stop; '' without a warning.
    still : ndarray of int
        Numbers of the units that never change, which have no couplings.
    """

    params: PairwiseParameters
    n_iter: int
    cost: float
    slope: float
    message: str
    still: Array = NONE

    def report(self, names: Array | None = None) -> str:
        """The message, and which units never change, by their `names` (n_units,); '' if all is well."""
        return "; ".join(filter(None, [still_message(self.still, names), self.message]))


Tell = Callable[[Progress], object]


class Direct(Settings, abc.ABC):
    """A choice of solver for fully visible machines (abstract): a subclass has the method `search`.

    Units that never change say nothing of couplings. They are left out: they have none, and the biases of independent
    units with half an observation of either state added. :attr:`Solution.still` has their numbers.
    """

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
            Not modified, and copied as a whole only where some units never change.
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
        w = check_problem(self, model, X, weights)
        states = kept_states(model.unit, X, w)
        if np.isnan(states).all():
            return self.search(model, X, w, start=start, tell=tell)
        return self._of_moving(states, (model, X, w), start, tell)

    def _of_moving(
        self,
        states: Array,
        problem: tuple[Pairwise, Any, Array],
        start: PairwiseParameters | None,
        tell: Tell | None,
    ) -> Solution:
        """The solution for the units that change; the others have the `states` (n_units,), which are NaN elsewhere."""
        model, X, w = problem
        moving = np.flatnonzero(np.isnan(states))
        still, both = np.flatnonzero(~np.isnan(states)), np.ix_(moving, moving)
        dtype = float_type(X)
        params = PairwiseParameters(
            np.zeros((len(states), len(states)), dtype),
            model.unit.initial(states.astype(dtype), np.ones_like(states), w.sum()).bias,
        )
        if not len(moving):
            return Solution(params, 0, np.nan, 0.0, "", still)
        if start is not None:  # what still units add to the fields is a bias
            fields = start.bias + start.J[:, still] @ states[still]
            start = PairwiseParameters(start.J[both], fields[moving])
        mask = None if model.mask is None else model.mask[both]
        found = self.search(replace(model, mask=mask), X[:, moving], w, start=start, tell=tell)
        params.J[both], params.bias[moving] = found.params
        return found._replace(params=params, still=still)

    @abc.abstractmethod
    def search(
        self,
        model: Pairwise,
        X: Any,
        weights: Array,
        *,
        start: PairwiseParameters | None,
        tell: Tell | None,
    ) -> Solution:
        """Solve for the rows of `X`, in which every unit changes; the `weights` are in double precision, and right."""


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


def kept_states(unit: TwoState, X: Any, weights: Array) -> Array:
    """The state (units,) that a unit has in all rows of `X` that count; NaN for units that change."""
    kept = np.ones((2, X.shape[1]), bool)
    states = np.array(unit.states)
    for start, block in double_blocks(X):
        rows = block[weights[start : start + len(block)] > 0]
        for known, state in zip(kept, states, strict=True):
            known &= (np.abs(rows - state) <= ROUNDING * np.ptp(states)).all(axis=0)
    return np.select([*kept], [*states], np.nan)


def still_message(units: Array, names: Array | None = None) -> str:
    """A sentence that the `units` (numbers) never change, without a full stop; '' if there are none."""
    if not len(units):
        return ""
    which = "unit that never changes" if len(units) == 1 else "units that never change"
    return (
        f"the data say nothing of the couplings of {len(units)} {which} ({listed(units, names)}): these couplings are "
        "zero. Leave such columns out"
    )


def check_fully_visible(name: str, model: Pairwise) -> None:
    """Refuse hidden units."""
    if model.n_hidden:
        raise ValueError(
            f"{name} finds the couplings of visible units; this machine has {model.n_hidden} hidden ones. "
            "Gradients such as 'pcd' can learn those."
        )


def joined_pairs(model: Pairwise, units: Array) -> tuple[Array, Array]:
    """Numbers i < j, among the `units` (mask), of the pairs that are connected."""
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
    dtype = float_type(X)
    J, bias = from_spins(model.unit, PairwiseParameters(J, bias))
    params = PairwiseParameters(J.astype(dtype), bias.astype(dtype))
    return Solution(params, *progress, message)
