"""A fitted deep Boltzmann machine as a distribution: log-likelihoods and their bounds."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ebm._checks import Array
from ebm.likelihood import RAISE, check_finite, mean_ranked, overflowing, ranked
from ebm.likelihood.deep import mean_field_bounds, raised, sums_or_bounds
from ebm.sklearn_compat._shared._likelihoods import evaluation_of, known_log_z, trusted
from ebm.sklearn_compat._shared._settings import all_or_nothing
from ebm.sklearn_compat._shared._validation import warn_improbable, warn_user

Measure = Callable[[Any, Any, Array], tuple[Array, Array]]


@all_or_nothing
def log_likelihood(
    self: Any,
    X: Any,
    method: Any = "auto",
    *,
    return_std: bool = False,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> Any:
    """Log-likelihood log p(v) of each row if the hidden layers can be summed out; else its lower bound.

    The hidden layers are summed out if those of one color (every second layer) have at most 4096 states together, for
    example 12 binary units. Unknown entries are summed out with them, and count in these states. Otherwise the result
    is that of :meth:`lower_bound`. "raise" is reverse annealing from each row, a conservative estimate that needs no
    log Z, see :class:`ebm.RAISE`. In expectation it is a lower bound on the log-probability of the row under the
    annealing as a model, which tends to log p(v) as temperatures become more. It needs visible layers of one color,
    which is so for pathways of equal depths.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Visible states; NaN where unknown. The result is then for log p of the known entries.
    method : {"auto", "exact", "ais", "raise"} or AIS or RAISE, default="auto"
        Method for log Z, see :meth:`log_partition`, or reverse annealing from complete rows.
    return_std : bool, default=False
        Whether to return standard errors, too.
    n_jobs : int, default=None
        Number of threads, as in joblib. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the estimate. None takes the seed of the model, so that repeated calls agree.

    Returns
    -------
    log_likelihood : ndarray of shape (n_samples,)
        Values in nats; log-densities for real-valued units. An overflow gives -inf, never NaN or +inf.
    standard_error : ndarray of shape (n_samples,)
        Only with `return_std`: the error of log Z. It is the same for all rows, so it is also the error of their mean.
        Errors of "raise" are those of each row, and independent.
    """
    if isinstance(method, RAISE) or (isinstance(method, str) and method == "raise"):
        choice = RAISE() if isinstance(method, str) else method
        values, errors = annealed_back(self, X, choice, n_jobs, random_state)
        return (values, errors) if return_std else values
    return measured(self, X, sums_or_bounds, method, return_std, n_jobs, random_state)


@all_or_nothing
def lower_bound(
    self: Any,
    X: Any,
    method: Any = "auto",
    *,
    return_std: bool = False,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> Any:
    """Variational lower bound on the log-likelihood log p(v) of each row.

    The bound is -E[E(v, h)] + S - log Z. The expectation is that of the mean-field distribution of the hidden layers,
    and S is the entropy of this distribution. With one hidden layer the bound is log p(v) itself.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Visible states; NaN where unknown. The result is then for log p of the known entries.
    method : {"auto", "exact", "ais"} or AIS, default="auto"
        Method for log Z, see :meth:`log_partition`.
    return_std : bool, default=False
        Whether to return standard errors, too.
    n_jobs : int, default=None
        Number of threads, as in joblib. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the estimate of log Z. None takes the seed of the model, so that repeated calls agree.

    Returns
    -------
    bound : ndarray of shape (n_samples,)
        Bounds in nats, of log-densities for real-valued units. An overflow gives -inf, never NaN or +inf.
    standard_error : ndarray of shape (n_samples,)
        Only with `return_std`: the error of log Z. It is the same for all rows, so it is also the error of their mean.

    Warns
    -----
    ConvergenceWarning
        If the mean field of some rows has not converged. The result is a lower bound all the same.
    """
    return measured(self, X, mean_field_bounds, method, return_std, n_jobs, random_state)


def measured(
    self: Any,
    X: Any,
    measure: Measure,
    method: Any,
    return_std: bool,
    n_jobs: int | None,
    random_state: Any,
    labels: Array | None = None,
) -> Any:
    """The sums or bounds of `measure` for the rows `X`, less log Z, and their errors if asked for.

    The rows have these `labels` (rows, n_labels) if there are any, else unknown ones.
    """
    law = self._density()
    check_finite(law.params, {})
    rows = law.dense(self, X, allow_nan=True)
    if labels is not None:
        rows[:, -law.n_labels :] = labels
    with overflowing():
        z = known_log_z(self, self, law, method, n_jobs, random_state)
        values, converged = measure(law.model, law.params, rows)
        values = ranked(values - z.value)
    trusted(z)
    warn_improbable(law.model.visible, rows, values)
    warn_of_means(self, converged)
    errors = np.full(len(values), z.standard_error)
    return (values, errors) if return_std else values


def annealed_back(
    self: Any, X: Any, choice: RAISE, n_jobs: int | None, random_state: Any
) -> tuple[Array, Array]:
    """Conservative estimates of log p(v) of the rows `X` by reverse annealing, and their errors."""
    law = self._density()
    check_finite(law.params, {})
    rows = law.dense(self, X, allow_nan=True)
    evaluation = evaluation_of(self, law, n_jobs, random_state)
    with overflowing():
        values, errors = raised(law.model, law.params, rows, choice, evaluation)
    values = ranked(values)
    warn_improbable(law.model.visible, rows, values)
    return values, errors


def score_samples(self: Any, X: Any) -> Array:
    """Variational lower bound on the log-likelihood of each row, see :meth:`lower_bound`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Visible states; NaN where unknown.

    Returns
    -------
    bound : ndarray of shape (n_samples,)
        Bounds in nats. The same call gives the same result.
    """
    bound: Array = self.lower_bound(X)
    return bound


def score(self: Any, X: Any, y: Any = None) -> float:
    """Mean of the lower bounds on the log-likelihoods of the rows of `X` (see :meth:`lower_bound`).

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Visible states; NaN where unknown.
    y : None
        Ignored.

    Returns
    -------
    score : float
        Mean bound in nats per row; larger is better.
    """
    return mean_ranked(self.score_samples(X))


def energy(self: Any, X: Any, H: Any) -> Array:
    """Energy E(v, h_1, ..., h_L) of states of all layers.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Visible states.
    H : array-like of shape (n_samples, n_hidden)
        States of all hidden layers, side by side, from the lowest up.

    Returns
    -------
    energy : ndarray of shape (n_samples,)
        Energies in nats.
    """
    law = self._density()
    law.check_squares()
    model, v = law.model, law.dense(self, X)
    sizes = [n for _, n in model.hidden]
    h = law.hidden_states(H, sum(sizes), model.hidden_side, len(v))
    energies: Array = model.energy(law.params, *model.colors(law.params, v, h))
    return energies


def warn_of_means(self: Any, converged: Array) -> None:
    """One warning for all rows whose mean field has not converged."""
    n_apart = int(np.count_nonzero(~converged))
    if n_apart:
        warn_user(
            f"{type(self).__name__}: the mean field of {n_apart} of {len(converged)} rows has not converged. "
            "mean_field(X, n_sweeps=...) makes more sweeps; smaller weights (weight_decay) converge sooner.",
            ConvergenceWarning,
        )
