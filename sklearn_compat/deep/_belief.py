"""A fitted stack as a distribution: samples, log Z, and the variational bound on log p."""

from typing import Any

import numpy as np

from ebm._batches import row_fingerprints
from ebm._checks import Array, check_beta, check_integer
from ebm._random import Reserved, fold
from ebm.likelihood import LogPartition, check_finite, mean_ranked, overflowing, ranked
from ebm.likelihood.bounds import likelihood_or_bound, variational_bound
from ebm.samplers import Gibbs, Target, sampler_record
from ebm.sklearn_compat._shared import _density as density
from ebm.sklearn_compat._shared._likelihoods import known_log_z, told
from ebm.sklearn_compat._shared._settings import all_or_nothing
from ebm.sklearn_compat._shared._validation import warn_improbable
from ebm.sklearn_compat.rbm._layer import density_of

# Keys of one call of `sample`.
START, UP, WALK, DOWN = range(4)


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
    """Draw samples from the model: one Markov chain per sample in the two topmost layers, then one downward pass.

    Parameters
    ----------
    n_samples : int, default=1
        Number of samples, each from its own chain.
    n_steps : int, default=1000
        Steps per chain. Use enough steps for the chains to forget their initial states.
    given : array-like of shape (n_features,) or (n_samples, n_features), default=None
        Known values, which stay fixed, and NaN for values to sample. The chains then contain all layers. Recognition
        proposes states of the hidden layers. A Metropolis-Hastings step accepts them such that the conditional
        distribution is invariant.
    start : array-like of shape (n_features,) or (n_samples, n_features), default=None
        Data whose recognized hidden states are the initial states. With None chains start from independent units.
    beta : float, default=1.0
        Inverse temperature of the two topmost layers. The layers below are sampled at temperature one, given these.
    sampler : {"gibbs", "tempering"} or record, default="gibbs"
        Sampler of the topmost layers: Gibbs sampling or parallel tempering, for example
        ``Tempering(n_temperatures=20)``. `given` requires "gibbs".
    return_diagnostics : bool, default=False
        Whether to return diagnostics of the convergence of the chains, too.
    random_state : int, RandomState instance or None, default=None
        Seed. None continues the random stream of the model, so that repeated calls differ.

    Returns
    -------
    V : ndarray of shape (n_samples, n_features)
        Samples, in the dtype of the model.
    diagnostics : Diagnostics
        Only with `return_diagnostics`: R-hat, effective sample sizes and autocorrelation time of the energies in the
        second half of the chains, swap rates and temperatures of replicas.

    Raises
    ------
    ValueError
        If `n_samples` or `n_steps` is not a positive integer, or `beta` is not a positive number. If `given` or `start`
        has the wrong shape, or values that the visible units cannot have. If `given` is used with another sampler than
        Gibbs sampling.
    """
    n_samples = check_integer(n_samples, "n_samples")
    n_steps = check_integer(n_steps, "n_steps")
    beta = check_beta(beta)
    walker = sampler_record(sampler)
    law = self._density()
    model, params, clamped = law.model, law.params, law.clamped(given, n_samples)
    begun = None if start is None else law.visible_rows(start, n_samples, "start")
    key = self._next_key(random_state)
    if clamped is not None:
        check_gibbs(sampler)
        x = law.first_states(n_samples, fold(key, START)) if begun is None else begun
        draws = walker.draw(Target(model, params, beta, clamped), x, fold(key, WALK), n_steps)
        v = draws.v
    else:
        top = density_of(self.rbms_[-1])
        if begun is None:
            x = top.first_states(n_samples, fold(key, START))
        else:
            x = [begun, *model.sample_up(params, begun, fold(key, UP))][-1]
        target = Target(model.top_model, params.top, beta, None, top.base())
        draws = walker.draw(target, x, fold(key, WALK), n_steps)
        v = [*model.sample_down(params, draws.v, fold(key, DOWN)), draws.v][0]
    return density.reported(v, draws, return_diagnostics)


@all_or_nothing
def log_partition(
    self, method: Any = "auto", *, n_jobs: int | None = None, random_state: Any = None
) -> LogPartition:
    """Logarithm of the partition function Z of the two topmost layers; the layers below are normalized.

    Parameters
    ----------
    method : {"auto", "exact", "ais"} or AIS, default="auto"
        "exact" enumerates states of at most 25 two-state units of the smaller layer. "ais" is annealed importance
        sampling; a record, ``AIS(n_temperatures=10000, n_runs=200)``, gives it settings. "auto" is exact up to 20
        units.
    n_jobs : int, default=None
        Number of threads, as in joblib. The result does not depend on it, nor on earlier calls.
    random_state : int, RandomState instance or None, default=None
        Seed of the particles. None takes the seed of the model, so that repeated calls agree; the result is then
        cached until the parameters change.

    Returns
    -------
    log_partition : LogPartition
        `value` in nats, its `standard_error` and 95 % `interval`, and the `method`. An estimate also has the
        `effective_sample_size` of its weights, a `lower_bound` of log Z and the `base` of the annealing.

    Raises
    ------
    ValueError
        If `method` is unknown, or "exact" and there are too many units to be enumerated.

    Warns
    -----
    ConvergenceWarning
        If the estimate is unreliable. The message says why, and gives a remedy.
    """
    self._network()  # checks what users may have replaced
    top = self.rbms_[-1]
    return told(known_log_z(self, top, density_of(top), method, n_jobs, random_state))


@all_or_nothing
def lower_bound(
    self: Any,
    X: Any,
    method: Any = "auto",
    *,
    n_samples: int = 10,
    return_std: bool = False,
    n_jobs: int | None = None,
    random_state: Any = None,
) -> Any:
    """Variational lower bound on the log-likelihood log p(v) of each row.

    The bound is the mean of log p(v, h) - log Q(h | v) over hidden states h from recognition Q, with the topmost layer
    summed out. With one layer the bound is log p(v) itself.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.
    method : {"auto", "exact", "ais"} or AIS, default="auto"
        Method for log Z, see :meth:`log_partition`.
    n_samples : int, default=10
        Samples of the hidden states per row. If the hidden layers below the topmost one have at most 8 two-state units,
        all states are enumerated instead.
    return_std : bool, default=False
        Whether to return standard errors, too.
    n_jobs : int, default=None
        Number of threads, as in joblib. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the samples. None takes the seed of the model, so that repeated calls agree. Samples depend on the
        content of a row, not on its position.

    Returns
    -------
    bound : ndarray of shape (n_samples,)
        Bounds in nats, of log-densities for real-valued data. An overflow gives -inf, never NaN or +inf.
    standard_error : ndarray of shape (n_samples,)
        Only with `return_std`: the error of sampling (NaN for one sample) and of log Z. The error of log Z is the same
        for all rows, so it is also an error of their mean.
    """
    return bounded(self, X, None, method, n_samples, return_std, n_jobs, random_state)


def bounded(
    self: Any,
    X: Any,
    labels: Array | None,
    method: Any,
    n_samples: int,
    return_std: bool,
    n_jobs: int | None,
    random_state: Any,
    *,
    exact: bool = False,
) -> Any:
    """The bound for rows `X`, with the indicators `labels` appended unless None.

    With `exact` the result is the log-likelihood itself if exact sums are cheap.
    """
    n_samples = check_integer(n_samples, "n_samples")
    law = self._density()
    model, params = law.model, law.params
    check_finite(params, {})
    rows = law.dense(self, X)
    identities = row_fingerprints(rows)
    with overflowing():
        z = self.log_partition(method, n_jobs=n_jobs, random_state=random_state)
    key = self._standing_key(Reserved.BOUND.number, random_state)
    beside = model.beside(rows, labels)
    measure = likelihood_or_bound if exact else variational_bound
    with overflowing():
        values, errors = measure(model, params, beside, z.value, key, n_samples, "auto", identities)
    values = ranked(values)
    warn_improbable(model.visible, rows, values)
    return (values, np.hypot(errors, z.standard_error)) if return_std else values


def score_samples(self: Any, X: Any) -> Array:
    """Variational lower bound on the log-likelihood of each row, see :meth:`lower_bound`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.

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
        Data.
    y : None
        Ignored.

    Returns
    -------
    score : float
        Mean bound in nats per row; larger is better.
    """
    return mean_ranked(self.score_samples(X))


def check_gibbs(sampler: Any) -> None:
    """ValueError for a sampler that cannot condition on given data."""
    if not isinstance(sampler_record(sampler), Gibbs):
        raise ValueError(
            f"sampler={sampler!r} samples only the topmost layers, so it cannot condition on given. Use "
            "sampler='gibbs' with given."
        )
