"""Minima of smooth costs, with a penalty on absolute values if wanted, by L-BFGS (Liu & Nocedal 1989) through SciPy.

A penalty sum_k l1_k abs(theta_k) has kinks where minima lie. With theta = up - down, both parts not negative, it is
linear, sum_k l1_k (up_k + down_k), and the bounds hold entries at exactly zero: L-BFGS-B (Byrd, Lu, Nocedal & Zhu
1995).

A small slope alone is no sign of a minimum where a cost has saddles, as that of a network has. Near a saddle the search
slows down, and leaves it within a few iterations. With a `patience` it ends only where slopes stay small.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, OptimizeResult, minimize

from ebm._checks import Array

# Steps from which the curvature is known. The longer the memory, the fewer the steps where curvatures differ much: a
# spin glass of 16 spins at beta = 3 takes 1140 with ten and 277 with a hundred.
MEMORY = (10, 100)
MEMORY_NUMBERS = 1 << 22

Cost = Callable[[Array], tuple[float, Array]]


class Progress(NamedTuple):
    """Where a search stands: the number of iterations, the cost, and its largest slope, in absolute value."""

    n_iter: int
    cost: float
    slope: float


class Minimum(NamedTuple):
    """The end of a search, its progress, and the text of a warning: '' if the slope is small enough."""

    theta: Array
    progress: Progress
    message: str


def lbfgs(
    cost: Cost,
    theta: Array,
    *,
    l1: Array | None = None,
    max_iter: int = 500,
    max_fun: int | None = None,
    tol: float = 1e-6,
    patience: float = 0,
    tell: Callable[[Progress], object] | None = None,
    kinks: bool = False,
    stop: Callable[[Array], bool] | None = None,
) -> Minimum:
    """Minimise ``cost(theta)[0] + sum_k l1_k |theta_k|``.

    Parameters
    ----------
    cost : callable
        From a vector to the smooth part of the cost and its gradient.
    theta : ndarray of shape (n,)
        Where to begin.
    l1 : ndarray of shape (m,), optional
        Penalties on the absolute values of the first m entries.
    max_iter : int
    max_fun : int, optional
        Evaluations of the cost after which the search ends, 100 for each iteration if not given.
    tol : float
        The search ends where no slope exceeds it.
    patience : int or inf
        Iterations in a row, after the first such, in which none may exceed it either, before the search ends.
    tell : callable, optional
        Is called after every iteration. A KeyboardInterrupt, here or in `cost`, ends the search where it is.
    kinks : bool
        Whether the cost has kinks of its own. At one of these a slope remains, and that no lower cost is found is
        not told.
    stop : callable, optional
        Is called with the vector after every iteration, after `tell`. The search ends there where it returns True.

    Returns
    -------
    Minimum
    """
    search = Search(cost, theta, l1, tell, Calm(tol, patience), stop)
    options: Any = {
        "maxcor": min(max(MEMORY_NUMBERS // max(1, len(search.x)), MEMORY[0]), MEMORY[1]),
        "maxiter": max_iter,
        "maxfun": 100 * max_iter if max_fun is None else max_fun,
        "gtol": 0 if patience else tol,
        "ftol": 0,
    }
    try:
        found = minimize(
            search.cost,
            search.x,
            jac=True,
            method="L-BFGS-B",
            bounds=search.bounds,
            callback=search.step,
            options=options,
        )
    except KeyboardInterrupt:
        return search.ended("interrupted; the parameters of the last iteration are kept")
    limit = f"max_iter={max_iter} iterations"
    if search.progress.n_iter < max_iter:
        limit = f"max_fun={max_fun} evaluations" if max_fun and found.nfev >= max_fun else ""
    return search.ended(search.complaint(limit, kinks))


class Calm(NamedTuple):
    """When a search has come to rest: after more than `patience` iterations in a row without a slope above `tol`."""

    tol: float
    patience: float


class Search:
    """A search for the vector itself, or for its positive and negative parts; knows its last iteration."""

    def __init__(
        self,
        cost: Cost,
        theta: Array,
        l1: Array | None,
        tell: Callable[[Progress], object] | None,
        calm: Calm,
        stop: Callable[[Array], bool] | None = None,
    ) -> None:
        self._cost, self._tell, self._l1 = cost, tell, l1
        self._calm, self._n_calm = calm, 0
        self._stop, self._stopped = stop, False
        self._k = k = 0 if l1 is None else len(l1)
        self.x = np.concatenate([np.maximum(theta[:k], 0), np.maximum(-theta[:k], 0), theta[k:]])
        self.bounds = None
        if l1 is not None:
            self.bounds = Bounds(np.where(np.arange(len(self.x)) < 2 * k, 0.0, -np.inf), np.inf)
        self._n_iter, self._begun = 0, False
        self._latest = self._reached = self.x, np.nan, np.full(len(self.x), np.nan)

    def _whole(self, x: Array) -> Array:
        return np.append(x[: self._k] - x[self._k : 2 * self._k], x[2 * self._k :])

    def cost(self, x: Array) -> tuple[float, Array]:
        """The cost with the penalty, and its gradient, by the vector or by its parts."""
        value, slopes = self._cost(self._whole(x))
        if self._l1 is not None:
            k, l1 = self._k, self._l1
            value += float(l1 @ (x[:k] + x[k : 2 * k]))
            slopes = np.concatenate([l1 + slopes[:k], l1 - slopes[:k], slopes[k:]])
        self._latest = x.copy(), value, slopes
        if not self._begun:
            self._reached, self._begun = self._latest, True
        return value, slopes

    def step(self, intermediate_result: OptimizeResult) -> None:
        """An iteration is over, and has gone to where the cost was evaluated last, unless that is not finite."""
        self._n_iter += 1
        if np.isfinite(self._latest[1]):
            self._reached = self._latest
        progress = self.progress
        if self._tell is not None:
            self._tell(progress)
        self._stopped = self._stop is not None and self._stop(self._whole(self._reached[0]))
        self._n_calm = self._n_calm + 1 if progress.slope <= self._calm.tol else 0
        if self._stopped or self._n_calm > self._calm.patience:
            raise StopIteration  # SciPy ends the search here

    @property
    def progress(self) -> Progress:
        """Where the search stands; what a bound holds has no slope."""
        x, value, slopes = self._reached
        held = (np.arange(len(x)) < 2 * self._k) & (x <= 0) & (slopes > 0)
        slope = np.abs(np.where(held, 0, slopes)).max(initial=0)
        if (
            self._l1 is not None
        ):  # at the minimum one part of each entry is zero, on the way there both may be positive
            value -= 2 * float(self._l1 @ np.minimum(x[: self._k], x[self._k : 2 * self._k]))
        return Progress(self._n_iter, float(value), float(slope))

    def complaint(self, limit: str, kinks: bool) -> str:
        """Why the search ended too early, at a `limit` or where no lower cost was found; '' if it did not."""
        tol, patience = self._calm
        slope = self.progress.slope
        at_rest = self._n_calm > patience or np.isinf(patience) or not limit
        if self._stopped or (slope <= tol and at_rest):
            return ""
        if limit:
            name = limit.split("=")[0]
            few = (
                f"above tol={tol:g}" if slope > tol else f"within tol={tol:g} for too short a time"
            )
            return f"Not converged after {limit}: the largest slope is {slope:.3g}, {few}. Increase {name} or tol"
        if kinks:
            return ""
        return (
            f"ended at a slope of {slope:.3g}, above tol={tol:g}: no lower cost was found in the precision of the "
            "numbers"
        )

    def ended(self, message: str) -> Minimum:
        """The search, with a `message`."""
        return Minimum(self._whole(self._reached[0]), self.progress, message)
