"""Annealed importance sampling, forwards, backwards, and as a bound on log-likelihoods.

Carried from a product distribution with known Z_0 to the model (:mod:`ebm.samplers.annealing`), M particles have
weights w with E[w] = Z / Z_0 (Neal 2001; for restricted Boltzmann machines Salakhutdinov & Murray 2008). Hence

    forward    log Z ~ log Z_0 + log mean(w),                E[Z estimate] = Z, so that log Z is rarely overestimated
    reverse    log Z ~ log Z_0 - log mean(1 / w),            from samples of the model, rarely underestimated
    RAISE      log p(v) >~ -F(v) - log Z_0 + log mean(1/w),  backwards from the data v

The two estimates of Z enclose it; where they agree, both are right, unless the forward particles missed a mode and so
did the samples. The last one (Burda, Grosse & Salakhutdinov 2015) is an unbiased estimate of the probability of v under
another model: the annealing itself, from p_0 to the last step. Its logarithm is underestimated in expectation. The mean
over test data is therefore conservative for a model that is, in effect, sampled by annealing.

The standard error of a log mean is that of the mean divided by the mean (the delta method). It knows only of the
weights that were seen: read it beside the effective sample size (sum w)^2 / sum w^2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, stdtrit

from ebm._arrays import as_array
from ebm._checks import (
    LARGEST_SCHEDULE,
    Array,
    Settings,
    check_integer,
    check_option,
    check_real,
    shown,
)
from ebm._memory import check_room
from ebm._random import Key, Reserved, fold, uniform
from ebm.energies.path import Path
from ebm.likelihood.base import LogPartition
from ebm.samplers.annealing import Particles, anneal, anneal_back, settle

# Where the number is not given: the first attempt, and the number that is enough whatever the standard error. Fewer are
# if the error is at most this, in nats.
FIRST_ATTEMPT, FIRST_TEMPERATURES, FINE = 250, 1000, 0.15
MOST_TEMPERATURES = 16_000
SIGMOID_STEEPNESS = 4.0
# Least effective sample size, as a share of the particles. Below it, a mode that few of them reach may hold as much as
# all the others. The reverse estimate, which starts from the same particles, would not show this either.
LEAST_SHARE = 0.2
# Rows of data whose particles are annealed at a time.
RAISE_ROWS = 64


@dataclass(frozen=True, repr=False)
class AIS(Settings):
    """Annealed importance sampling from one base: how log Z is estimated.

    Parameters
    ----------
    n_temperatures : int or None, default=None
        Steps from the base to the model. None: 250, 500 or 1000, and then doubled, until the forward and the reverse
        estimate agree within `tolerance` and the effective sample size is a fifth of the runs; 16 000 at most. Less
        than 1000 are enough only if the standard error is at most 0.15 nats.
    n_runs : int, default=100
        Independent particles; at least 2.
    schedule : {"sigmoid", "linear"} or array-like, default="sigmoid"
        Values of t from 0 to 1: the logistic curve of Grosse, Maddison & Salakhutdinov (2013), slow at both ends; equal
        steps; or given values, strictly increasing from 0 to 1, which replace `n_temperatures`.
    tolerance : float, default=0.5
        Largest gap between the forward and the reverse estimate, in nats, that passes for agreement.
    reverse : bool, default=True
        Whether to make the reverse estimate, which is what uncovers an annealing that is too fast. The whole then costs
        three times as much: its particles first walk under the model.
    summed_out : {"odd", "even"}, default="odd"
        Which layers are summed out in closed form, while states of the others are annealed. "odd": the hidden layer, or
        every second hidden layer from the first one. "even": the visible layer, with every second hidden layer of a
        deep machine. Two estimates of one log Z that share no state. They should agree.

    Notes
    -----
    E[w] = Z / Z_0 for every count of temperatures, so that more of them lessen the variance of the weights, not a bias
    of their mean. The standard error is estimated from the weights that were drawn, and misses a heavy tail that was
    not. The gap between the two directions shows such a tail, where the base distribution reaches all modes.

    A mode that the base and the particles miss is in neither direction. So the result is also compared with a lower
    bound from the modes of the model, with a warning where it is below. ``method="ais"``, by name, starts from many
    modes and is the better choice unless settings are needed.

    The weights of Gaussian units may have an infinite variance, where the base is narrower than the model along some
    direction. The error bar then has no meaning; use more temperatures.

    References
    ----------
    .. [1] Neal, R. M. (2001). Annealed importance sampling. Statistics and Computing 11, 125-139.
    .. [2] Salakhutdinov, R. and Murray, I. (2008). On the quantitative analysis of deep belief networks. International
       Conference on Machine Learning.
    .. [3] Grosse, R., Maddison, C. J. and Salakhutdinov, R. (2013). Annealing between distributions by averaging
       moments. Advances in Neural Information Processing Systems 26.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import AIS, BernoulliRBM
    >>> X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0]])
    >>> rbm = BernoulliRBM(n_components=2, random_state=0).fit(X)
    >>> estimate = rbm.log_partition(AIS(n_temperatures=100))
    >>> low, high = estimate.interval
    >>> low < rbm.log_partition("exact").value < high
    True
    """

    n_temperatures: int | None = None
    n_runs: int = 100
    schedule: Any = "sigmoid"
    tolerance: float = 0.5
    reverse: bool = True
    summed_out: str = "odd"

    def __post_init__(self) -> None:
        check_option(self.summed_out, "summed_out", ("odd", "even"))
        if self.n_temperatures is not None:
            check_integer(self.n_temperatures, "n_temperatures", 1, LARGEST_SCHEDULE)
            if not isinstance(self.schedule, str):
                raise ValueError(
                    "n_temperatures must be None when schedule gives the temperatures."
                )
        elif not self.reverse and isinstance(self.schedule, str):
            raise ValueError(
                "n_temperatures=None takes reverse=True, to know when there are enough."
            )
        check_integer(self.n_runs, "n_runs", 2)
        check_real(self.tolerance, "tolerance", open_low=True)
        check_schedule(self.schedule)

    def agrees(self, result: LogPartition) -> bool:
        """Whether the forward and the reverse estimate differ by at most the tolerance."""
        return abs(result.gap) <= self.tolerance

    def spreads(self, result: LogPartition) -> bool:
        """Whether the weight is spread over enough particles for a valid standard error."""
        return result.effective_sample_size >= LEAST_SHARE * self.n_runs

    def suffices(self, result: LogPartition, n_temperatures: int) -> bool:
        """Whether no more temperatures than these are needed."""
        fine = n_temperatures >= FIRST_TEMPERATURES or result.standard_error <= FINE
        return fine and self.agrees(result) and self.spreads(result)

    def doubt(self, result: LogPartition, cure: str = "G") -> str:
        """Why the result should not be trusted, or ''; `cure` begins the advice, which ends "ive AIS more ..."."""
        if self.reverse and not self.agrees(result):
            return (
                f"The reverse estimate of log Z, {result.reverse:.2f}, differs from the forward one, "
                f"{result.value:.2f}, by {result.gap:.2f} nats, more than the tolerance {self.tolerance:g}. "
                f"{cure}ive AIS more n_temperatures."
            )
        if not self.spreads(result):
            return (
                f"The estimate of log Z, {result.value:.2f}, hangs on few of {self.n_runs} particles: the effective "
                f"sample size is {result.effective_sample_size:.1f}. Modes may be missing, and its standard error may "
                f"be too small. {cure}ive AIS more n_temperatures."
            )
        return ""


@dataclass(frozen=True, repr=False)
class RAISE(Settings):
    """Reverse annealing from the data: a conservative estimate of log-likelihoods under the annealed model.

    It is a lower bound, in expectation, of the log-probability that the annealing from base to model ends in a row. For
    models that fit their data this approaches the model's log p from below. It can exceed log p where the base fits the
    row better than the model does. The particles of a row depend on its place in the table.

    Parameters
    ----------
    n_temperatures : int, default=1000
        Steps from the model to the base: the more, the tighter.
    n_runs : int, default=10
        Particles per row; at least 2.
    schedule : {"sigmoid", "linear"} or array-like, default="sigmoid"
        As for :class:`AIS`.

    Notes
    -----
    The unbiased estimate is of the probability of a row under the annealing as a model: a draw from the base is carried
    to the last temperature. The mean over rows is therefore conservative for *that* model, which tends to p(v) as
    temperatures become more. For p(v) itself it is no bound: short annealing may be a better model of the data than a
    badly trained machine, and then the figure is too high.

    References
    ----------
    .. [1] Burda, Y., Grosse, R. B. and Salakhutdinov, R. (2015). Accurate and conservative estimates of MRF
       log-likelihood using reverse annealing. International Conference on Artificial Intelligence and Statistics.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import RAISE, BernoulliRBM
    >>> X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0]])
    >>> rbm = BernoulliRBM(n_components=2, random_state=0).fit(X)
    >>> p, error = rbm.log_likelihood(X, method=RAISE(n_temperatures=100), return_std=True)
    >>> bool(np.all(abs(p - rbm.log_likelihood(X)) < 5 * error + 0.05))
    True
    """

    n_temperatures: int = FIRST_TEMPERATURES
    n_runs: int = 10
    schedule: Any = "sigmoid"

    def __post_init__(self) -> None:
        check_integer(self.n_temperatures, "n_temperatures", 1, LARGEST_SCHEDULE)
        check_integer(self.n_runs, "n_runs", 2)
        check_schedule(self.schedule)


def check_schedule(schedule: Any) -> None:
    """Refuse anything but a known name or temperatures that increase from 0 to 1."""
    if isinstance(schedule, str) and schedule in ("sigmoid", "linear"):
        return
    t = as_array(schedule, "schedule")
    if t.ndim == 1 and t.size > 1 and t.dtype.kind in "iuf":
        if t[0] == 0 and t[-1] == 1 and np.all(np.diff(t) > 0):
            return
        raise ValueError(
            f"schedule must increase strictly from 0 to 1. Got {t.size} values from {t[0]} to {t[-1]}, "
            f"the smallest step {np.diff(t).min():g}."
        )
    raise ValueError(
        "schedule must be 'sigmoid', 'linear', or an array of temperatures that increases from 0 to 1. "
        f"Got {shown(schedule)} instead."
    )


def temperatures(schedule: Any, n_temperatures: int) -> Array:
    """The values of t, from 0 to 1: `n_temperatures` steps."""
    if not isinstance(schedule, str):
        return np.asarray(schedule, np.float64)
    t = np.arange(n_temperatures + 1) / n_temperatures
    if schedule == "sigmoid":
        low, high = expit([-SIGMOID_STEEPNESS, SIGMOID_STEEPNESS])
        t = (expit(SIGMOID_STEEPNESS * (2 * t - 1)) - low) / (high - low)
        t[0], t[-1] = 0.0, 1.0
    return t


def log_mean(log_weights: Array) -> tuple[Array, Array, Array]:
    """Log of the mean weight along the last axis, its standard error, and the effective sample size."""
    n = log_weights.shape[-1]
    top = log_weights.max(axis=-1, keepdims=True)
    w = np.exp(log_weights - top)
    mean = w.mean(axis=-1)
    error = w.std(axis=-1, ddof=1) / (mean * np.sqrt(n))
    return top[..., 0] + np.log(mean), error, w.sum(axis=-1) ** 2 / (w**2).sum(axis=-1)


def half_width(error: float, n: int) -> float:
    """Half the width of a 95 % confidence interval, by Student's distribution."""
    return float(stdtrit(n - 1, 0.975)) * error


def ais_log_partition(
    path: Path,
    choice: AIS,
    key: Key,
    *,
    samples: Array | None = None,
    n_jobs: int | None = None,
    tell: Callable[[str], object] | None = None,
) -> LogPartition:
    """Log Z of the end of `path`, with the settings `choice`; `tell` is called after every attempt.

    The reverse estimate starts from chains of the model with as many steps as there are temperatures. These start from
    `samples` (rows, units), approximate samples of the model, or without them from the resampled forward particles.
    """
    fixed = choice.n_temperatures is not None or not isinstance(choice.schedule, str)
    n = choice.n_temperatures or FIRST_ATTEMPT
    attempt = 0
    while True:
        t = temperatures(choice.schedule, n)
        with np.errstate(all="ignore"):  # the result shows values that are not finite
            result = _estimate(path, t, choice, fold(key, attempt), samples, n_jobs)
        if tell is not None:
            tell(
                f"AIS, {len(t) - 1} temperatures: log Z = {result.value:.2f} +- {result.standard_error:.2f}, "
                f"by the reverse {result.reverse:.2f}"
            )
        hopeless = not np.isfinite(result.gap) or 2 * n > MOST_TEMPERATURES
        if fixed or hopeless or choice.suffices(result, n):
            return result
        # The error falls with the root of the number: twice as many would not do.
        far = np.sqrt(2) * FINE < result.standard_error and n < FIRST_TEMPERATURES
        n, attempt = FIRST_TEMPERATURES if far else 2 * n, attempt + 1


def _estimate(
    path: Path, t: Array, choice: AIS, key: Key, samples: Array | None, n_jobs: int | None
) -> LogPartition:
    one = path.start(1, fold(key, 0))
    check_room(choice.n_runs * one.nbytes, f"n_runs={choice.n_runs} particles", "Use fewer.")
    particles = anneal(path, t, choice.n_runs, fold(key, 0), n_jobs)
    log_ratio, error, size = (float(x) for x in log_mean(particles.log_weights))
    value, width = path.log_z + log_ratio, half_width(error, choice.n_runs)
    if not choice.reverse:
        return LogPartition(value, error, (value - width, value + width), "ais", size)
    if samples is None:
        samples = resampled(particles, fold(key, 1))
    samples = np.resize(samples, particles.x.shape)
    samples = settle(path, samples, len(t) - 1, fold(key, 3), n_jobs)
    back = anneal_back(path, t, samples, fold(key, 2), n_jobs)
    log_inverse, other_error, _ = (float(x) for x in log_mean(-back.log_weights))
    reverse, other_width = path.log_z - log_inverse, half_width(other_error, len(samples))
    low, high = min(value - width, reverse - other_width), max(value + width, reverse + other_width)
    return LogPartition(value, error, (low, high), "ais", size, reverse)


def resampled(particles: Particles, key: Key) -> Array:
    """As many particles, drawn with probabilities proportional to their weights by systematic resampling."""
    x, log_weights = particles
    w = np.exp(log_weights - log_weights.max())
    places = (np.arange(len(x)) + uniform(key, 1)) / len(x)
    chosen = np.searchsorted(np.cumsum(w) / w.sum(), places)
    kept: Array = x[np.minimum(chosen, len(x) - 1)]
    return kept


# Rows (rows, n_visible) and a key -> states of the path, and log q of the units beside those of the rows: (rows,).
Completion = Callable[[Array, Key], tuple[Array, Array]]


def whole_states(v: Array, key: Key) -> tuple[Array, Array]:
    """The rows, where these are the states of the path."""
    return v, np.zeros(len(v))


def raise_log_likelihood(
    path: Path,
    choice: RAISE,
    v: Array,
    key: Key,
    n_jobs: int | None = None,
    completion: Completion = whole_states,
) -> tuple[Array, Array]:
    """RAISE estimate of log p(v), and its standard error, for each row of `v` (rows, n_visible).

    Where a path has further units x beside those of the rows, the `completion` draws them from any distribution q, for
    each particle. The estimate of p(v, x) over q(x) is then one of p(v), as unbiased as that of p(v, x).
    """
    t = temperatures(choice.schedule, choice.n_temperatures)
    values, errors = np.empty(len(v)), np.empty(len(v))
    for block, start in enumerate(range(0, len(v), RAISE_ROWS)):
        rows = slice(start, start + RAISE_ROWS)
        needed = 2 * len(v[rows]) * choice.n_runs * v[:1].nbytes
        check_room(needed, f"n_runs={choice.n_runs} particles for each row", "Use fewer.")
        here = fold(fold(key, Reserved.REVERSE_FROM_ROWS.number), block)
        x, log_q = completion(np.repeat(v[rows], choice.n_runs, axis=0), fold(here, 0))
        back = anneal_back(path, t, x, here, n_jobs)
        logs = -back.log_weights - path.energy(x, path.inputs(x)) - log_q
        log_ratio, errors[rows], _ = log_mean(logs.reshape(-1, choice.n_runs))
        values[rows] = log_ratio - path.log_z
    return values, errors
