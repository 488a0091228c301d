"""Likelihoods of fitted models: free energies, pseudo-likelihood, log Z, log-likelihood.

These functions are methods: estimators with a `_density` have them as class attributes.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ebm._arrays import has_gaps
from ebm._checks import SMALLEST_BETA, Array, by_value, check_beta, check_jobs, check_real
from ebm._flat import leaves
from ebm._random import Reserved
from ebm.likelihood import (
    Evaluation,
    LogPartition,
    effective_beta,
    mean_ranked,
    overflowing,
    pseudo_log_likelihood,
    ranked,
)
from ebm.likelihood import free_energy as complete_free_energy
from ebm.likelihood import log_likelihood as log_p
from ebm.likelihood import log_partition as log_z
from ebm.likelihood.incomplete import incomplete_free_energy
from ebm.likelihood.partition import exact_log_z
from ebm.sklearn_compat._shared._density import Density
from ebm.sklearn_compat._shared._settings import all_or_nothing
from ebm.sklearn_compat._shared._validation import warn_improbable, warn_user


def free_energy(self: Any, X: Any, beta: float = 1.0) -> Array:
    """Free energy F(v) = -(1/beta) log sum_h exp(-beta E(v, h)).

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Visible states. NaN marks unknown entries, which are summed out like hidden units.
    beta : float, default=1.0
        Inverse temperature.

    Returns
    -------
    free_energy : ndarray of shape (n_samples,)
        Free energies in nats. log p(v) = -beta F(v) - log Z(beta).

    Raises
    ------
    ValueError
        If there are too many hidden units or unknown entries for exact sums. :meth:`log_likelihood` has estimates. If
        parameters are so large that energies overflow.
    """
    beta = check_real(beta, "beta", SMALLEST_BETA)
    law = self._density()

    def of_rows(params: Any, v: Any) -> Array:
        b = effective_beta(beta, law.dtype)
        if has_gaps(v):
            return incomplete_free_energy(law.model, params, v, b, exact_log_z)
        return complete_free_energy(law.model, params, v, b)

    with overflowing():
        energies = law.by_blocks(law.seen(self, X, allow_nan=True), of_rows)
    if not np.isfinite(energies).all():
        law.check_squares()
    return energies


def score_samples(self: Any, X: Any, beta: float = 1.0) -> Array:
    """Pseudo-log-likelihood of each row: the sum of log p(v_i | the other visible units) over all features.

    The result is deterministic, unlike that of scikit-learn, which samples one feature per row.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Visible states.
    beta : float, default=1.0
        Inverse temperature.

    Returns
    -------
    pseudo_log_likelihood : ndarray of shape (n_samples,)
        Values in nats; -inf after an overflow, never NaN or +inf.

    Raises
    ------
    ValueError
        If parameters are NaN or infinite.
    """
    beta = check_beta(beta)
    law = self._density()
    rows = law.rows(self, X)
    with overflowing():
        params = tempered(law, beta)
        values = ranked(pseudo_log_likelihood(law.model, params, rows))
    warn_improbable(law.model.visible, rows, values)
    return values


def score(self: Any, X: Any, y: Any = None) -> float:
    """Mean pseudo-log-likelihood of the rows of `X` (see :meth:`score_samples`).

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Visible states.
    y : None
        Ignored.

    Returns
    -------
    score : float
        Score in nats per row; larger is better. An overflow gives -inf, so that a grid search rejects the model.
    """
    return mean_ranked(self.score_samples(X))


@all_or_nothing
def log_partition(
    self: Any,
    method: Any = "auto",
    *,
    beta: float = 1.0,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> LogPartition:
    """Logarithm of the partition function Z(beta).

    Parameters
    ----------
    method : {"auto", "exact", "ais"} or AIS, default="auto"
        "exact" enumerates the states of at most 25 two-state units, for two layers those of the smaller layer. Two
        Gaussian layers have a closed form. Sparse Boltzmann machines are summed out unit by unit, with tables of at
        most 24 units. "ais" combines two estimates: annealed importance sampling from independent fair units, and
        from the modes of the model. A record, ``AIS(n_temperatures=10000, n_runs=200)``, uses a single base: the
        marginals of the training data, or those of short chains if these are nearer to the model. "auto" is "exact"
        up to 20 units, or tables of 20 units, and "ais" beyond.
    beta : float, default=1.0
        Inverse temperature.
    n_jobs : int, default=None
        Number of threads, as in joblib. The result does not depend on it, nor on earlier calls.
    random_state : int, RandomState instance or None, default=None
        Seed of the particles. None takes the seed of the model, so that repeated calls agree.

    Returns
    -------
    log_partition : LogPartition
        `value` in nats, its `standard_error` and 95 % `interval`, and the `method`. An estimate also has the
        `effective_sample_size` of its weights, a `lower_bound` of log Z, the `base` of the annealing, and with a
        record the `reverse` estimate.

    Raises
    ------
    ValueError
        If `method` is unknown, or is "exact" with too many units. If energies overflow.

    Warns
    -----
    ConvergenceWarning
        If the estimate is unreliable: it is below the lower bound, the two estimates or directions disagree, or few
        particles have most of the weight. The message says which, and gives a remedy.
    """
    beta = check_beta(beta)
    law = self._density()
    evaluation = evaluation_of(self, law, n_jobs, random_state)
    return told(log_z(law.model, law.params, method, beta=beta, evaluation=evaluation), beta)


@all_or_nothing
def log_likelihood(
    self: Any,
    X: Any,
    method: Any = "auto",
    *,
    beta: float = 1.0,
    return_std: bool = False,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> Any:
    """Log-likelihood log p(v) = -beta F(v) - log Z(beta) of each row.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Visible states, NaN where unknown. The result is then log p of the known entries, with the unknown entries
        summed out. It is exact for as many unknown entries as in :meth:`impute`; beyond, it is estimated row by
        row, and `return_std` returns the error.
    method : {"auto", "exact", "ais", "raise", "pseudo"} or AIS or RAISE, default="auto"
        "auto", "exact" and "ais" are methods of :meth:`log_partition` for log Z. "raise" is reverse annealing from
        each row, a conservative estimate that needs no log Z. "pseudo" is the pseudo-log-likelihood of
        :meth:`score_samples`.
    beta : float, default=1.0
        Inverse temperature.
    return_std : bool, default=False
        Whether to return standard errors, too.
    n_jobs : int, default=None
        Number of threads, as in joblib. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the particles. None takes the seed of the model, so that repeated calls agree.

    Returns
    -------
    log_likelihood : ndarray of shape (n_samples,)
        Values in nats; log-densities for real-valued units. An overflow gives -inf, never NaN or +inf.
    standard_error : ndarray of shape (n_samples,)
        Only with `return_std`. The error of log Z is the same for all rows, so it is also the error of their mean;
        the errors of "raise" are independent.

    Raises
    ------
    ValueError
        If parameters are NaN or infinite, or `method` is unknown.
    """
    beta = check_beta(beta)
    law = self._density()
    with overflowing():
        law = replace(law, params=tempered(law, beta))
    rows = law.rows(self, X, allow_nan=True)
    evaluation = evaluation_of(self, law, n_jobs, random_state)
    with overflowing():
        values, errors, z = log_p(law.model, law.params, rows, method, evaluation)
    values = ranked(values)
    sure = np.isfinite(errors)
    known = values[sure]
    warn_improbable(law.model.visible, rows, known)
    values[sure] = known
    if z is not None:
        trusted(z)
    return (values, errors) if return_std else values


def evaluation_of(self: Any, law: Density, n_jobs: int | None, random_state: Any) -> Evaluation:
    """The settings of the estimation of log Z."""
    key, name = self._standing_key(Reserved.ANNEALING.number, random_state), type(self).__name__
    tell = (lambda line: print(f"[{name}] {line}")) if self.verbose else None
    return Evaluation(marginals=law.base(), key=key, n_jobs=check_jobs(n_jobs), tell=tell)


def known_log_z(
    self: Any, machine: Any, law: Density, method: Any, n_jobs: int | None, random_state: Any
) -> LogPartition:
    """Log Z of the `machine`, from the last call for `self` if that asked the same of the same parameters."""
    evaluation = evaluation_of(machine, law, n_jobs, random_state)
    if random_state is not None:
        return log_z(law.model, law.params, method, evaluation=evaluation)
    question = by_value((method, [*leaves(law.params)]))
    if getattr(self, "_known_z", ("", None))[0] != question:
        self._known_z = question, log_z(law.model, law.params, method, evaluation=evaluation)
    found: LogPartition = self._known_z[1]
    return found


def tempered(law: Density, beta: float) -> Any:
    """Parameters whose distribution at beta = 1 is that of `law` at the inverse temperature `beta`."""
    return law.params if beta == 1 else law.model.tempered(law.params, beta)


def told(z: LogPartition, beta: float = 1.0) -> LogPartition:
    """The estimate, with a warning if it is unreliable; ValueError if it is no number."""
    if not np.isfinite(z.value):
        raise ValueError(
            f"log Z is {z.value}: energies times beta={beta:g} overflow. Use a smaller beta, set smaller parameters, "
            "or fit again."
        )
    return trusted(z)


def trusted(z: LogPartition) -> LogPartition:
    """Warn if an estimate is unreliable."""
    if z.doubt:
        warn_user(z.doubt, ConvergenceWarning)
    return z
