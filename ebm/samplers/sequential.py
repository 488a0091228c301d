"""Sequential Monte Carlo along a path: annealed particles that are resampled as their weights spread.

Particles are weighted and moved as in :mod:`ebm.samplers.annealing`. Where the effective sample size of a population
falls below half of its particles, these are resampled in proportion to their weights. The mean weight is a factor of
the population's estimate of Z_1 / Z_0. The product of the factors is unbiased (Del Moral, Doucet & Jasra 2006), and the
populations are independent, so the spread of their estimates gives a valid standard error. The temperatures are fixed
beforehand, by particles that are discarded.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed

from ebm._checks import Array
from ebm._random import Key, fold, uniform
from ebm.energies.path import Path

# Conditional effective sample size from one temperature to the next, of the particles.
STEADY = 0.95
BISECTIONS = 12
RESAMPLE_BELOW = 0.5
# Particles per task, about: whole populations.
TASK_ROWS = 256


class Populations(NamedTuple):
    """Independent populations at the end of the path.

    Attributes
    ----------
    x : ndarray of shape (populations * particles, units)
        States, those of a population side by side.
    log_weights : ndarray of shape (populations, particles)
        Since the last resampling.
    log_ratios : ndarray of shape (populations,)
        Estimates of log Z_1 / Z_0.
    """

    x: Array
    log_weights: Array
    log_ratios: Array


def steady_temperatures(
    path: Path, n_particles: int, key: Key, most: int, steady: float = STEADY
) -> Array:
    """Temperatures from 0 to 1 between which the particles' conditional effective sample size is `steady`.

    At most `most` steps, the rest of the way being cut into equal ones when these are used up.
    """
    x, t, step = path.start(n_particles, fold(key, 0)), [0.0], 1e-3
    log_w = np.zeros((1, n_particles))
    while t[-1] < 1 and len(t) <= most:
        inputs, stage = path.inputs(x), path.stage(t[-1])
        step = _steady_step(path, x, inputs, log_w[0], (t[-1], step), steady)
        step = max(step, (1 - t[-1]) / (most + 1 - len(t)) / 4)
        t.append(1.0 if t[-1] + step > 1 - 1e-9 else t[-1] + step)
        last = path.stage(t[-1])
        log_w += path.gain(x, inputs, stage, last)
        offset = uniform(fold(key, 2 * len(t) + 1), 1)
        kept, log_w, _ = resampled(log_w, offset)
        if kept is not None:
            x, inputs = x[kept], inputs[kept]
        x = path.move(x, inputs, [last], fold(key, 2 * len(t)))
    t[-1] = 1.0
    return np.array(t)


def _steady_step(
    path: Path, x: Array, inputs: Array, log_w: Array, last: tuple[float, float], steady: float
) -> float:
    """By bisection on the logarithm of the step, about the `last` (t, step)."""
    t, step = last
    here, w = path.stage(t), np.exp(log_w - log_w.max())
    low, high = step / 16, min(16 * step, 1 - t)
    for _ in range(BISECTIONS):
        middle = np.sqrt(low * high)
        gain = path.gain(x, inputs, here, path.stage(t + middle))
        u = np.exp(gain - gain.max())
        conditional = (w @ u) ** 2 / (w.sum() * (w @ u**2))
        low, high = (middle, high) if conditional > steady else (low, middle)
    return float(low)


def sequential(
    path: Path,
    temperatures: Array,
    n_populations: int,
    n_particles: int,
    key: Key,
    n_jobs: int | None = None,
) -> Populations:
    """Carry populations of particles from p_0 to p_1 by the given `temperatures` (K + 1,).

    Move k draws from ``fold(key, 2 k)``, the resampling after it from ``fold(key, 2 k + 1)``. No result depends on the
    count of threads, `n_jobs`.
    """
    step = max(1, TASK_ROWS // n_particles)
    parts = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_some)(
            path, temperatures, (first, min(first + step, n_populations)), n_particles, key
        )
        for first in range(0, n_populations, step)
    )
    return Populations(*(np.concatenate(x) for x in zip(*parts, strict=True)))


def _some(
    path: Path, temperatures: Array, numbers: tuple[int, int], n_particles: int, key: Key
) -> Populations:
    """The populations of these `numbers`, from and below."""
    first, n_populations = numbers[0] * n_particles, numbers[1] - numbers[0]
    x = path.start(n_populations * n_particles, fold(key, 0), first)
    log_w = np.zeros((n_populations, n_particles))
    log_ratios = np.zeros(n_populations)
    for k, (before, stage) in enumerate(pairwise(map(path.stage, temperatures)), 1):
        inputs = path.inputs(x)
        log_w += path.gain(x, inputs, before, stage).reshape(log_w.shape)
        offsets = uniform(fold(key, 2 * k + 1), numbers[1])[numbers[0] :]
        kept, log_w, gained = resampled(log_w, offsets)
        log_ratios += gained
        if kept is not None:
            x, inputs = x[kept], inputs[kept]
        x = path.move(x, inputs, [stage], fold(key, 2 * k), first)
    return Populations(x, log_w, log_ratios + _log_mean(log_w))


def _log_mean(log_w: Array) -> Array:
    mean: Array = np.logaddexp.reduce(log_w, axis=1) - np.log(log_w.shape[1])
    return mean


def resampled(log_w: Array, offsets: Array) -> tuple[Array | None, Array, Array]:
    """Systematic resampling of the populations that need it, by their `offsets` in [0, 1).

    Returns the numbers of the particles that are kept (None for all), their weights, and the logarithms of the mean
    weights that were taken out (populations,).
    """
    n_populations, n = log_w.shape
    w = np.exp(log_w - log_w.max(axis=1, keepdims=True))
    uneven = w.sum(axis=1) ** 2 < RESAMPLE_BELOW * n * (w**2).sum(axis=1)
    if not uneven.any():
        return None, log_w, np.zeros(n_populations)
    rows = np.arange(n_populations * n).reshape(n_populations, n)
    for p in np.flatnonzero(uneven):
        places = (np.arange(n) + offsets[p]) / n * w[p].sum()
        rows[p] = rows[p, np.minimum(np.searchsorted(np.cumsum(w[p]), places), n - 1)]
    gained = np.where(uneven, _log_mean(log_w), 0.0)
    return rows.ravel(), np.where(uneven[:, np.newaxis], 0.0, log_w), gained
