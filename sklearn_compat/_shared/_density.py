"""The law of a fitted machine, and what can be drawn from it: samples, and the completion of rows.

Functions whose first argument is `self` are methods: estimators that have a `_density` take them into their bodies.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ebm._arrays import check_squares
from ebm._batches import blocks
from ebm._checks import Array, as_rows, check_beta, check_integer
from ebm._flat import leaves
from ebm._memory import ask
from ebm._random import Key, Reserved, fold
from ebm._sparse import as_dtype, dense, is_thin, row_blocks
from ebm.energies.base import Model
from ebm.energies.path import base_of
from ebm.likelihood import diagnose
from ebm.samplers import Target, sampler_record
from ebm.samplers.expectation import N_DOUBLINGS, expectation
from ebm.sklearn_compat._shared._settings import all_or_nothing
from ebm.sklearn_compat._shared._validation import (
    EXTRAPOLATION,
    check_rows,
    warn_outside,
    warn_user,
)
from ebm.units import Unit

# Arrays that go with chains: states and inputs of all units, and the states that are returned.
STATES = 3


M = TypeVar("M", bound=Model)


@dataclass(frozen=True, eq=False)
class Density(Generic[M]):
    """The law of the fitted attributes of an estimator, which is that of a type of model.

    Attributes
    ----------
    model : object
        With `visible`, the type of the visible units.
    params : tuple
    dtype : dtype
        Of the parameters.
    starts : callable
        n_rows, key -> states in which chains start, of the units that they renew.
    states_at : callable
        Visible rows, key, beta -> such states that have these visible parts.
    n_beside : int
        Units that follow the visible ones in such a state.
    takes_sparse : bool
        Whether functions of rows take CSR ones.
    marginals : tuple of ndarray
        Mean and variance of the training data and their count, or () where they are unknown.
    columns : ndarray of int of shape (n_visible,) or None
        The columns of `X` in the order of the visible units, None where it is the same.
    n_labels : int
        Visible units, the last ones, that `X` has no columns for: those of a label, which is unknown in its rows.
    """

    model: M
    params: Any
    dtype: Any
    starts: Callable[[int, Key], Array]
    states_at: Callable[[Array, Key, float], Array] = lambda v, key, beta: v
    n_beside: int = 0
    takes_sparse: bool = False
    marginals: Any = ()
    columns: Array | None = None
    n_labels: int = 0

    @property
    def n_visible(self) -> int:
        """Count of the visible units that `X` has columns for."""
        return int(self.model.shape(self.params)[0]) - self.n_labels

    @property
    def label_columns(self) -> slice:
        """Where the label units stand in states of chains."""
        return slice(self.n_visible, self.n_visible + self.n_labels)

    def base(self) -> Any:
        """The marginals of the training data, to anneal from, or None when they are unknown."""
        known = self.marginals and len(self.marginals[0]) == self.n_visible + self.n_labels
        return base_of(self.model, self.params, *self.marginals) if known else None

    def check_squares(self) -> None:
        """Refuse parameters, set by hand, of which squares overflow: chains would come to no states."""
        for x in leaves(self.params):
            weights = "Fitted weights (such as components_ or couplings_)"
            check_squares(x, weights if x.ndim == 2 else "A fitted attribute")

    # Rows

    def seen(self, estimator: Any, X: Any, allow_nan: bool = False) -> Any:
        """Rows for the estimator, checked, with a warning where its units cannot have their values.

        Their columns are in the order of the visible units.
        """
        unit = self.model.visible
        if self.columns is None and not self.n_labels:
            return check_rows(estimator, X, reset=False, allow_nan=allow_nan, unit=unit)
        X = check_rows(estimator, X, reset=False, allow_nan=allow_nan)
        X = self._unlabelled(X if self.columns is None else X[:, self.columns])
        warn_outside(unit, X, slack=EXTRAPOLATION)
        return X

    def _unlabelled(self, X: Any) -> Any:
        """The rows, dense if there are labels, with NaN for these."""
        if not self.n_labels:
            return X
        rows = dense(X)
        return np.hstack([rows, np.full((len(rows), self.n_labels), np.nan, rows.dtype)])

    def back(self, v: Array) -> Array:
        """Rows of the visible units as rows of `X`: without labels, with their columns in its order."""
        v = v if not self.n_labels else np.ascontiguousarray(v[:, : -self.n_labels])
        if self.columns is None:
            return v
        out = np.empty_like(v)
        out[:, self.columns] = v
        return out

    def rows(self, estimator: Any, X: Any, allow_nan: bool = False) -> Any:
        """The same, of the dtype of the model: CSR where it takes them and that is faster."""
        X = self.seen(estimator, X, allow_nan)
        return as_dtype(X if self.takes_sparse and is_thin(X) else dense(X), self.dtype)

    def dense(self, estimator: Any, X: Any, allow_nan: bool = False) -> Array:
        """The same, dense."""
        return as_dtype(dense(self.seen(estimator, X, allow_nan)), self.dtype)

    def hidden_states(self, H: Any, n_hidden: int, unit: Unit, n_rows: int) -> Array:
        """Known states `H` of the hidden units, one for each of the rows."""
        h = as_dtype(as_rows(H, n_hidden, "H"), self.dtype, "H")
        if np.isnan(h).any():
            raise ValueError("H holds NaN: an energy is that of states that are known.")
        warn_outside(unit, h, "H", EXTRAPOLATION)
        if n_rows != len(h):
            raise ValueError(
                f"X and H must have the same number of rows. Got {n_rows} and {len(h)}."
            )
        return h

    def by_blocks(self, X: Any, function: Callable[[Any, Any], Array]) -> Array:
        """`function` of the parameters and rows, applied block by block to rows that were `seen`."""
        of_rows = row_blocks(X) if self.takes_sparse else (block for _, block in blocks(X))
        return np.concatenate([function(self.params, as_dtype(x, self.dtype)) for x in of_rows])

    # States of chains

    def first_states(self, n_rows: int, key: Key) -> Array:
        """States in which `n_rows` chains start; MemoryError if there is no memory for what goes with them."""
        ask(STATES * n_rows * sum(self.model.shape(self.params)) * np.dtype(self.dtype).itemsize)
        return self.starts(n_rows, key)

    def begun(self, start: Any, n_rows: int, key: Key, beta: float) -> Array:
        """States for chains to go on from: at the visible rows `start`, or independent units if that is None."""
        if start is None:
            return self.first_states(n_rows, key)
        return self.states_at(self.visible_rows(start, n_rows, "start"), key, beta)

    def clamped(self, given: Any, n_rows: int) -> Array | None:
        """The known values `given` in rows of all units that chains renew, NaN where there is nothing to say."""
        if given is None:
            return None
        rows = self.visible_rows(given, n_rows, "given", "; NaN marks the unknown features")
        return self.all_units(rows)

    def all_units(self, v: Array) -> Array:
        """Visible rows as rows of the units that chains renew: nothing is known of the others."""
        if not self.n_beside:
            return v
        return np.hstack([v, np.full((len(v), self.n_beside), np.nan, v.dtype)])

    def visible(self, x: Array) -> Array:
        """The visible part of such rows, with the columns in the order of `X`."""
        return self.back(x if not self.n_beside else np.ascontiguousarray(x[:, : -self.n_beside]))

    def visible_rows(self, x: Any, n_rows: int, argument: str, hint: str | None = None) -> Array:
        """One visible state per chain: (n_rows, n_features). NaN is allowed where the `hint` speaks of it."""
        rows = as_dtype(as_rows(x, self.n_visible, argument), self.dtype, argument)
        if len(rows) not in (1, n_rows):
            raise ValueError(
                f"{argument} must have the shape ({self.n_visible},) or ({n_rows}, {self.n_visible}). Got {rows.shape}."
            )
        gaps = np.isnan(rows).any()
        rows = self._unlabelled(rows if self.columns is None else rows[:, self.columns])
        reason = self.model.visible.impossible(rows)
        if not reason and hint is None and gaps:
            reason = "NaN; what is known and what is not is for given to say"
        if reason:
            raise ValueError(f"{argument} holds {reason}{hint or ''}.")
        return np.ascontiguousarray(np.broadcast_to(rows, (n_rows, rows.shape[1])))


# Methods


@all_or_nothing
def sample(
    self: Any,
    n_samples: int = 1,
    *,
    n_steps: int = 1000,
    given: Any = None,
    start: Any = None,
    beta: float = 1.0,
    sampler: Any = "gibbs",
    return_diagnostics: bool = False,
    random_state: Any = None,
) -> Any:
    """Draw visible states from the model with independent Markov chains, one per sample.

    Parameters
    ----------
    n_samples : int, default=1
        Count of samples, and of chains.
    n_steps : int, default=1000
        Steps per chain. The samples follow the model's law as far as that many steps forget their start.
    given : array-like of shape (n_features,) or (n_samples, n_features), default=None
        Condition: known values, which stay as they are bit for bit, and NaN where the model is to draw.
    start : array-like of shape (n_features,) or (n_samples, n_features), default=None
        Visible states from which the chains go on, samples of an earlier call for example; hidden units follow from
        them. If None, chains start from independent units.
    beta : float, default=1.0
        Inverse temperature of the law exp(-beta E) / Z(beta).
    sampler : {"gibbs", "tempering"} or record, default="gibbs"
        Gibbs sampling, or parallel tempering, ``Tempering(n_temperatures=20)`` for example, for laws whose
        modes are far apart.
    return_diagnostics : bool, default=False
        Whether to return what the free energies along the chains say of their convergence as well.
    random_state : int, RandomState instance or None, default=None
        None goes on in the model's own stream of draws, so that repeated calls differ.

    Returns
    -------
    V : ndarray of shape (n_samples, n_features)
        Samples, of the dtype of the model.
    diagnostics : Diagnostics
        Only with `return_diagnostics`: R-hat, effective sample sizes and autocorrelation time of the second half of
        the chains, swap rates and temperatures of replicas.

    Raises
    ------
    ValueError
        If a count is not a positive integer, `beta` not a positive number, or `given` or `start` of the wrong shape
        or with values that the visible units cannot have.
    """
    n_samples = check_integer(n_samples, "n_samples")
    n_steps = check_integer(n_steps, "n_steps")
    beta = check_beta(beta)
    walker, law = sampler_record(sampler), self._density()
    law.check_squares()
    clamped = law.clamped(given, n_samples)
    key = self._next_key(random_state)
    x = law.begun(start, n_samples, fold(key, 0), beta)
    target = Target(law.model, law.params, beta, clamped, law.base())
    draws = walker.draw(target, x, fold(key, 1), n_steps)
    return reported(law.visible(draws.v), draws, return_diagnostics)


def reported(v: Array, draws: Any, return_diagnostics: bool) -> Any:
    """The samples `v`, and where asked what the chains that they come from say of their convergence."""
    if not return_diagnostics:
        return v
    found = diagnose(draws.trace)
    return v, found._replace(swap_rates=draws.swap_rates, temperatures=draws.temperatures)


@all_or_nothing
def impute(self: Any, X: Any, *, n_steps: int = 200, return_std: bool = False) -> Any:
    """Fill in the unknown entries of `X` by their expectations given the known ones.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows with NaN where unknown.
    n_steps : int, default=200
        Gibbs steps of each of eight chains with the known entries clamped, of which the second half is averaged.
        It is doubled, twice at most, for rows whose chains do not agree. Rows that are exact need no chains.
    return_std : bool, default=False
        Whether to return standard errors as well.

    Returns
    -------
    X_complete : ndarray of shape (n_samples, n_features)
        `X` with NaN replaced; known entries are the same bit for bit. The same call gives the same result.
    standard_error : ndarray of shape (n_samples, n_features)
        Only with `return_std`: of the chains' average, zero where it is exact or known.

    Raises
    ------
    ValueError
        If `n_steps` is not a positive integer, or `X` holds infinite values.

    Warns
    -----
    ConvergenceWarning
        If the chains of some rows, which start far from each other, do not agree in the end.

    Notes
    -----
    A row is exact where at most 20 units of two states have to be summed for it. Of two layers, these are the hidden
    units or the unknown visible ones. Of a Boltzmann machine, they are the unknown and the hidden ones together; if its
    couplings are sparse, there may be more of them. Of a deep belief network, they are the hidden layers below the
    topmost one. Two Gaussian layers have a closed form. Rows with the same gaps are summed together. Where all of this
    would take more than half a minute, the most expensive gaps are sampled instead.
    """
    n_steps = check_integer(n_steps, "n_steps")
    law = self._density()
    law.check_squares()
    X = law.seen(self, X, allow_nan=True)
    rows = as_dtype(np.concatenate([block for _, block in blocks(X)]), law.dtype)
    clamped = law.all_units(rows)
    key = self._standing_key(Reserved.IMPUTATION.number)
    x = law.first_states(len(clamped), fold(key, 0))
    found = expectation(law.model, law.params, clamped, x, fold(key, 1), n_steps)
    _warn_of_chains(found.agreed, n_steps)
    n_units = law.n_visible + law.n_labels
    mean, error = (law.back(np.ascontiguousarray(x[:, :n_units])) for x in found[:2])
    return (mean, error) if return_std else mean


def _warn_of_chains(agreed: Array, n_steps: int) -> None:
    """One warning for all rows whose chains do not agree."""
    n_apart = int(np.count_nonzero(~agreed))
    if n_apart:
        longest = n_steps << N_DOUBLINGS
        warn_user(
            f"In {n_apart} of {len(agreed)} rows, chains from different starts do not agree on the unknown entries "
            f"after {longest} steps: they stay in different modes. impute(X, n_steps={10 * longest}) walks longer; "
            "return_std=True tells how far off the values may be.",
            ConvergenceWarning,
        )
