"""How good a fitted machine is: free energies, pseudo-likelihood, log Z, likelihoods.

These are methods: estimators that have a `_density` take them into their bodies.
"""

from dataclasses import replace
from typing import Any

from numpy import isfinite
from sklearn.exceptions import ConvergenceWarning

from ebm._checks import SMALLEST_BETA, Array, check_beta, check_jobs, check_real
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
from ebm.likelihood.incomplete import has_gaps, incomplete_free_energy
from ebm.sklearn_compat._shared._density import Density
from ebm.sklearn_compat._shared._settings import all_or_nothing
from ebm.sklearn_compat._shared._validation import warn_improbable, warn_user


def free_energy(self: Any, X: Any, beta: float = 1.0) -> Array:
    """Free energy F(v) = -(1/beta) log sum_h exp(-beta E(v, h)).

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Visible states, NaN where unknown: the sum is then over the unknown entries, too.
    beta : float, default=1.0
        Inverse temperature.

    Returns
    -------
    free_energy : ndarray of shape (n_samples,)
        Free energies in nats; -beta F(v) is log p(v) up to the constant log Z(beta).

    Raises
    ------
    ValueError
        If the hidden units or the unknown entries are too many for exact sums; :meth:`log_likelihood` estimates
        them.
    """
    beta = check_real(beta, "beta", SMALLEST_BETA)
    law = self._density()

    def of_rows(params: Any, v: Any) -> Array:
        exact = incomplete_free_energy if has_gaps(v) else complete_free_energy
        return exact(law.model, params, v, effective_beta(beta, law.dtype))

    return law.by_blocks(law.seen(self, X, allow_nan=True), of_rows)


def score_samples(self: Any, X: Any, beta: float = 1.0) -> Array:
    """Pseudo-log-likelihood of each row: the sum of log p(v_i | the other visible units) over the features.

    Deterministic: no feature is picked at random, all are summed.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Visible states.
    beta : float, default=1.0
        Inverse temperature.

    Returns
    -------
    pseudo_log_likelihood : ndarray of shape (n_samples,)
        In nats; -inf where numbers overflow, never NaN or +inf.

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
        In nats per row; larger is better. -inf where numbers overflow, so that no search prefers such a machine.
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
        "exact" enumerates states of at most 25 two-state units, of two layers the smaller one; for two Gaussian
        layers Z is known in closed form. Units of a Boltzmann machine whose couplings are sparse are summed out one
        after the other, as long as no table of more than 24 units is needed. "ais" combines two estimates, from
        fair coins and from the modes of the model. A record, ``AIS(n_temperatures=10000, n_runs=200)``, is annealed
        importance sampling from one base: the marginals of the training data, or of short chains if these are
        nearer to the model. "auto" is exact up to 20 units, or tables of 20.
    beta : float, default=1.0
        Inverse temperature.
    n_jobs : int, default=None
        Threads, in joblib's sense. The result does not depend on it, nor on earlier calls.
    random_state : int, RandomState instance or None, default=None
        Seed of the particles. None: the model's own, so that the same question has the same answer.

    Returns
    -------
    log_partition : LogPartition
        `value` in nats, its `standard_error` and 95 % `interval`, the `method`, and of an estimate also the
        `effective_sample_size` of its weights, a `lower_bound` that log Z is not below, the `base` of the
        annealing, and with a record the `reverse` estimate.

    Raises
    ------
    ValueError
        If `method` is unknown, or "exact" and there are too many units to be enumerated. If energies overflow.

    Warns
    -----
    ConvergenceWarning
        If the estimate should not be trusted: it is below the lower bound, the two estimates or directions
        disagree, or few particles carry the weight. The warning says which, and what to do.
    """
    beta = check_beta(beta)
    law = self._density()
    evaluation = evaluation_of(self, law, n_jobs, random_state)
    z = log_z(law.model, law.params, method, beta=beta, evaluation=evaluation)
    if not isfinite(z.value):
        raise ValueError(
            f"log Z is {z.value}: energies times beta={beta:g} overflow. Use a smaller beta, set smaller parameters, "
            "or fit again."
        )
    return trusted(z)


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
        Visible states, NaN where unknown: the result is then log p of the known entries, the others summed out.
        That is exact for as many of them as :meth:`impute` sums exactly; elsewhere it is estimated row by row, and
        `return_std` returns the error.
    method : {"auto", "exact", "ais", "raise", "pseudo"} or AIS or RAISE, default="auto"
        The first three: with log Z of :meth:`log_partition`. "raise": by annealing back from each row, a
        conservative estimate that needs no log Z. "pseudo": the pseudo-log-likelihood of :meth:`score_samples`.
    beta : float, default=1.0
        Inverse temperature.
    return_std : bool, default=False
        Whether to return standard errors as well.
    n_jobs : int, default=None
        Threads, in joblib's sense; the result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the particles. None: the model's own, so that the same question has the same answer.

    Returns
    -------
    log_likelihood : ndarray of shape (n_samples,)
        In nats; densities for real-valued units. -inf where numbers overflow, never NaN or +inf.
    standard_error : ndarray of shape (n_samples,)
        Only with `return_std`. That of log Z is shared by all rows, so that their mean has it as well; those of
        "raise" are independent.

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
    warn_improbable(law.model.visible, rows, values[isfinite(errors)])
    if z is not None:
        trusted(z)
    return (values, errors) if return_std else values


def evaluation_of(self: Any, law: Density, n_jobs: int | None, random_state: Any) -> Evaluation:
    """How log Z is to be estimated."""
    key, name = self._standing_key(Reserved.ANNEALING.number, random_state), type(self).__name__
    tell = (lambda line: print(f"[{name}] {line}")) if self.verbose else None
    return Evaluation(marginals=law.base(), key=key, n_jobs=check_jobs(n_jobs), tell=tell)


def tempered(law: Density, beta: float) -> Any:
    """Parameters whose law at temperature one is that of the density at the inverse temperature `beta`."""
    return law.params if beta == 1 else law.model.tempered(law.params, beta)


def trusted(z: LogPartition) -> LogPartition:
    """Warn of an estimate that should not be trusted."""
    if z.doubt:
        warn_user(z.doubt, ConvergenceWarning)
    return z
