"""A fitted stack as a distribution: samples, completion of rows, and the variational bound on log p."""

from typing import Any

import numpy as np

from ebm._batches import row_fingerprints
from ebm._checks import Array, by_value, check_beta, check_integer
from ebm._random import Reserved, fold
from ebm.likelihood import LogPartition, check_finite, mean_ranked, overflowing, ranked
from ebm.likelihood.bounds import likelihood_or_bound, variational_bound
from ebm.pretraining import joined
from ebm.samplers import Gibbs, Target, sampler_record
from ebm.sklearn_compat._shared import _density as density
from ebm.sklearn_compat._shared._likelihoods import trusted
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
    """Draw data from the model: Markov chains in the two topmost layers, one per sample, then one pass down.

    Parameters
    ----------
    n_samples : int, default=1
        Count of samples, and of chains.
    n_steps : int, default=1000
        Steps per chain. The samples follow the model's law as far as that many steps forget their start.
    given : array-like of shape (n_features,) or (n_samples, n_features), default=None
        Condition: known values, which stay as they are bit for bit, and NaN where the model is to draw. The chains
        are then those of all layers: proposals by recognition, accepted such that the conditional law is left
        unchanged.
    start : array-like of shape (n_features,) or (n_samples, n_features), default=None
        Data from which the chains go on, by way of recognition. If None, they start from independent units.
    beta : float, default=1.0
        Inverse temperature of the two topmost layers; those below follow their laws given them.
    sampler : {"gibbs", "tempering"} or record, default="gibbs"
        How the topmost layers are walked in: Gibbs sampling, or parallel tempering, for example
        ``Tempering(n_temperatures=20)``. With `given` there is only "gibbs".
    return_diagnostics : bool, default=False
        Whether to return what the energies along the chains say of their convergence as well.
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
        If a count is not a positive integer, `beta` not a positive number, `given` or `start` of the wrong shape or
        with values that the data's units cannot have, or `given` is to be walked in by another sampler than Gibbs
        sampling.
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
    """Logarithm of the partition function Z of the two topmost layers; the other layers need none.

    Parameters
    ----------
    method : {"auto", "exact", "ais"} or AIS, default="auto"
        "exact" enumerates states of at most 25 two-state units of the smaller layer. "ais" is annealed importance
        sampling; a record, ``AIS(n_temperatures=10000, n_runs=200)``, gives it settings. "auto" is exact up to 20
        units.
    n_jobs : int, default=None
        Threads, in joblib's sense. The result does not depend on it, nor on earlier calls.
    random_state : int, RandomState instance or None, default=None
        Seed of the particles. None: the model's own, so that the same question has the same answer, which is
        remembered until the parameters change.

    Returns
    -------
    log_partition : LogPartition
        `value` in nats, its `standard_error` and 95 % `interval`, the `method`, and of an estimate also the
        `effective_sample_size` of its weights, a `lower_bound` and the `base` of the annealing.

    Raises
    ------
    ValueError
        If `method` is unknown, or "exact" and there are too many units to be enumerated.

    Warns
    -----
    ConvergenceWarning
        If the estimate should not be trusted; the warning says why, and what to do.
    """
    params = self._network()[1].top
    top = self.rbms_[-1]
    if random_state is not None:
        return top.log_partition(method, n_jobs=n_jobs, random_state=random_state)
    question = by_value((method, [params.W, *params.visible, *params.hidden]))
    if getattr(self, "_known_z", ("", None))[0] != question:
        self._known_z = (question, top.log_partition(method, n_jobs=n_jobs))
        return self._known_z[1]
    return trusted(self._known_z[1])


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

    It is the mean of log p(v, h) - log Q(h | v) over hidden states h from recognition Q, the topmost layer being
    summed out. With one layer it is log p(v) itself.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.
    method : {"auto", "exact", "ais"} or AIS, default="auto"
        How log Z is found, see :meth:`log_partition`.
    n_samples : int, default=10
        Draws of the hidden states per row. Where the layers below the topmost one have 8 two-state units at most,
        all states are visited instead.
    return_std : bool, default=False
        Whether to return standard errors as well.
    n_jobs : int, default=None
        Threads, in joblib's sense; the result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws. None: the model's own, so that the same question has the same answer. The draws for a row
        depend on its content, not on its place.

    Returns
    -------
    bound : ndarray of shape (n_samples,)
        In nats; of densities for real-valued data. -inf where numbers overflow, never NaN or +inf.
    standard_error : ndarray of shape (n_samples,)
        Only with `return_std`: of the draws (NaN for one), and of log Z, which is shared by all rows, so that their
        mean has it as well.
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
    """The bound for rows `X`, followed by indicators of `labels` if there are any.

    With `exact` it is the log-likelihood itself where that takes a moment.
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
    beside = rows if labels is None else joined(rows, labels)
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
        In nats. The same call gives the same result.
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
        In nats per row; larger is better.
    """
    return mean_ranked(self.score_samples(X))


def check_gibbs(sampler: Any) -> None:
    """ValueError for a sampler that cannot hold data where they were given."""
    if not isinstance(sampler_record(sampler), Gibbs):
        raise ValueError(
            f"sampler={sampler!r} walks in the topmost layers, which is not where given data are. Use sampler='gibbs' "
            "with given."
        )
