"""Annealing: particles carried along a path of energies, with weights that correct for a finite number of steps.

Forward (Neal 2001), from t_0 = 0 to t_K = 1, with T_t a step that leaves p_t unchanged:

    x_0 ~ p_0;   for k = 1 ... K:   log w += F_{t_{k-1}}(x_{k-1}) - F_{t_k}(x_{k-1}),   x_k ~ T_{t_k}(. | x_{k-1})

so that E[w] = Z_1 / Z_0 for every K, and the particles weighted by w follow p_1. Each weight is taken *before* the move
to the new temperature. Backward, from given states x_K, in the reverse order:

    for k = K ... 1:   x_{k-1} ~ T_{t_k}(. | x_k),   log w += F_{t_{k-1}}(x_{k-1}) - F_{t_k}(x_{k-1})

which has E[1 / w] = Z_0 / Z_1 when x_K ~ p_1: it is the reverse of an annealing whose steps are those of T_t reversed,
which leave p_t unchanged as T_t does. (Block Gibbs sampling is its own reverse once the other layer is summed out;
that of a sequential sweep goes through the units the other way round.)
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed

from ebm._checks import Array
from ebm._random import Key, fold
from ebm.energies.path import Path

# Particles per task. The tasks do not depend on the number of threads, so neither does the result.
TASK_ROWS = 100


class Particles(NamedTuple):
    """States (particles, units) and the logarithms of their weights (particles,)."""

    x: Array
    log_weights: Array


def anneal(
    path: Path, temperatures: Array, n_particles: int, key: Key, n_jobs: int | None = None
) -> Particles:
    """Carry `n_particles` independent particles from p_0 to p_1.

    Parameters
    ----------
    path : Path
    temperatures : ndarray of shape (K + 1,)
        Increasing from 0 to 1: the values of t.
    n_particles : int
    key : Key
        The start draws from ``fold(key, 0)``, move k from ``fold(key, k)``.
    n_jobs : int, optional
        Threads, in joblib's sense; the result does not depend on it.

    Returns
    -------
    Particles
        At t = 1.
    """
    walk = partial(_forward, path, temperatures, key)
    return _by_tasks(walk, n_particles, n_jobs)


def anneal_back(
    path: Path, temperatures: Array, x: Array, key: Key, n_jobs: int | None = None
) -> Particles:
    """Carry particles from the states `x` (particles, units) at t = 1, which are not modified, back to p_0.

    The weights are those of the forward direction: see the module docstring.
    """
    return _by_tasks(partial(_backward, path, temperatures, key, x), len(x), n_jobs)


def settle(path: Path, x: Array, n_steps: int, key: Key, n_jobs: int | None = None) -> Array:
    """The states `x` (rows, units), which are not modified, after `n_steps` at t = 1."""
    walk = partial(_settle, path, n_steps, key, x)
    return _by_tasks(walk, len(x), n_jobs).x


def _by_tasks(walk: Callable[[slice], Particles], count: int, n_jobs: int | None) -> Particles:
    """`walk` for slices of the `count` particles, put together again."""
    slices = (slice(s, min(s + TASK_ROWS, count)) for s in range(0, count, TASK_ROWS))
    parts = Parallel(n_jobs=n_jobs, prefer="threads")(delayed(walk)(rows) for rows in slices)
    return Particles(*(np.concatenate(x) for x in zip(*parts, strict=True)))


def _forward(path: Path, temperatures: Array, key: Key, rows: slice) -> Particles:
    x = path.start(rows.stop - rows.start, fold(key, 0), rows.start)
    log_weights = np.zeros(len(x))
    stages = pairwise(map(path.stage, temperatures))
    for k, (last, stage) in enumerate(stages, 1):
        inputs = path.inputs(x)
        log_weights += path.gain(x, inputs, last, stage)
        x = path.move(x, inputs, [stage], fold(key, k), rows.start)
    return Particles(x, log_weights)


def _backward(path: Path, temperatures: Array, key: Key, x: Array, rows: slice) -> Particles:
    x = x[rows]
    log_weights = np.zeros(len(x))
    inputs = path.inputs(x)
    stages = pairwise(map(path.stage, temperatures[::-1]))
    for k, (stage, last) in enumerate(stages, 1):
        x = path.move(x, inputs, [stage], fold(key, k), rows.start)
        inputs = path.inputs(x)
        log_weights += path.gain(x, inputs, last, stage)
    return Particles(x, log_weights)


def _settle(path: Path, n_steps: int, key: Key, x: Array, rows: slice) -> Particles:
    x, model = x[rows], path.stage(1.0)
    for step in range(n_steps):
        x = path.move(x, path.inputs(x), [model], fold(key, step), rows.start)
    return Particles(x, np.zeros(len(x)))
