"""Retrieval: the state of an associative memory runs downhill until it rests in the well of a pattern.

Dense associative memories go one unit at a time: every unit takes the state of lower energy given all others, and keeps
its own if both have the same. No visit raises the energy, and one that changes a spin lowers it by more than rounding
can feign, so that the state comes to rest. Modern Hopfield networks go all units at once, by the update that never
raises the energy.
"""

from typing import NamedTuple

import numpy as np

from ebm._checks import Array, check_integer, check_real
from ebm._kernels import memories as kernels
from ebm._random import Key, fold, uniform
from ebm.energies.memory import (
    DenseMemory,
    DenseParameters,
    ModernMemory,
    ModernParameters,
    cosine,
)
from ebm.inference.recall import Recall, visits

VISITS = ("async", "cyclic")
# Patterns are equal whose squared distance is this share of the largest squared norm, which may be rounding.
EQUAL = 1e-12
# One over the share that all other patterns together are to have, at most, in the update of a pattern that is held.
OTHERS = 100


class Retrieval(NamedTuple):
    """Where states of a modern Hopfield network come to rest.

    Attributes
    ----------
    states : ndarray of shape (rows, n_units)
        Final states.
    energies : ndarray of shape (rows,)
        E of them.
    n_steps : ndarray of int, shape (rows,)
        Updates until the last that moved the state: zero for a fixed point.
    converged : ndarray of bool, shape (rows,)
        Whether the final state is a fixed point, within the tolerance.
    trajectory : ndarray of shape (n_steps.max() + 2, rows, n_units) or None
        States at the start and after each update; those that are at rest stay as they are.
    trajectory_energies : ndarray of shape (n_steps.max() + 2, rows) or None
        E of these.
    """

    states: Array
    energies: Array
    n_steps: Array
    converged: Array
    trajectory: Array | None = None
    trajectory_energies: Array | None = None


def settle_spins(
    model: DenseMemory,
    params: DenseParameters,
    s: Array,
    key: Key,
    *,
    update: str = "async",
    max_sweeps: int = 100,
    free: Array | None = None,
    trace: bool = False,
) -> Recall:
    """Asynchronous dynamics of a dense associative memory at temperature zero.

    Parameters
    ----------
    model, params : DenseMemory, DenseParameters
        Memories of the entries -1, 0 and +1.
    s : ndarray of shape (rows, n_units)
        Spins -1 and +1 to start at, 0 where unknown: an unknown unit has no part in the overlaps until it is visited.
        If both its states then have one energy, a lot decides, which is the same for all rows.
    key : Key
        Of the lots and of the order of visits, one order for all rows: what becomes of a row does not depend on others.
    update : {"async", "cyclic"}
        The units of a sweep in a fresh random order, or one after the other.
    max_sweeps : int
        Sweeps at most.
    free : ndarray of bool, shape (rows, n_units), or None
        Units that may change; all of them if None.
    trace : bool
        Whether to keep the states after each sweep.

    Returns
    -------
    Recall
        States as int8. A row is at rest after a sweep in which nothing changed.
    """
    max_sweeps = check_integer(max_sweeps, "max_sweeps")
    if update not in VISITS:
        raise ValueError(f"update must be one of {VISITS}. Got {update!r}.")
    S = np.array(s, np.int8, order="C")
    n_memories, n_units = params.memories.shape
    steps, columns = model.steps(n_units, n_memories), np.ascontiguousarray(params.memories.T)
    lots = np.where(uniform(fold(key, 0), n_units) < 0.5, -1, 1).astype(np.int8)
    may_change = np.ones(S.shape, bool) if free is None else np.ascontiguousarray(free, bool)
    overlaps = model.overlaps(params, S).astype(np.int32)
    made = np.zeros(len(S), np.int64)
    energies, path = [model.energy_of_overlaps(overlaps, n_units)], [S.copy()]
    rows = np.arange(len(S))
    for number in range(1, max_sweeps + 1):
        flips = np.zeros(len(S), np.int64)
        order = visits(update, n_units, fold(key, number))
        kernels.sweep(rows, order, S, overlaps, columns, steps, may_change, lots, flips)
        rows = rows[flips[rows] > 0]
        if not rows.size:
            break
        made[rows] = number
        energies.append(energies[-1].copy())
        energies[-1][rows] = model.energy_of_overlaps(overlaps[rows], n_units)
        if trace:
            path.append(S.copy())
    at_rest = ~np.isin(np.arange(len(S)), rows)
    cycling = np.zeros(len(S), bool)  # one unit at a time goes nowhere twice
    traced = (np.array(path), np.array(energies)) if trace else (None, None)
    return Recall(S, energies[-1], made, at_rest, cycling, *traced)


def settle_vectors(
    model: ModernMemory,
    params: ModernParameters,
    q: Array,
    *,
    max_steps: int = 100,
    tol: float = 1e-6,
    known: Array | None = None,
    trace: bool = False,
) -> Retrieval:
    """Repeated updates of a modern Hopfield network.

    Parameters
    ----------
    model, params : ModernMemory, ModernParameters
    q : ndarray of shape (rows, n_units)
        States to start at; not modified.
    max_steps : int
        Updates at most.
    tol : float
        A row is at rest when the update moves no unit further than this times the largest absolute entry of a pattern.
    known : ndarray of bool, shape (rows, n_units), or None
        Units that keep their states; the energy falls in the others.
    trace : bool
        Whether to keep the states after each update.

    Returns
    -------
    Retrieval
    """
    max_steps = check_integer(max_steps, "max_steps")
    tol = check_real(tol, "tol")
    states = np.array(q, order="C")
    limit = tol * np.abs(params.patterns).max()
    made = np.zeros(len(states), np.int64)
    energies, path, rows = [model.energy(params, states)], [states.copy()], np.arange(len(states))
    for number in range(1, max_steps + 1):
        old = states[rows]
        new = model.update(params, old)
        if known is not None:
            new = np.where(known[rows], old, new)
        states[rows] = new
        energies.append(energies[-1].copy())
        energies[-1][rows] = model.energy(params, new)
        if trace:
            path.append(states.copy())
        rows = rows[np.abs(new - old).max(axis=1) > limit]
        made[rows] = number
        if not rows.size:
            break
    at_rest = ~np.isin(np.arange(len(states)), rows)
    traced = (np.array(path), np.array(energies)) if trace else (None, None)
    return Retrieval(states, energies[-1], made, at_rest, *traced)


class NotHeld(NamedTuple):
    """Patterns that are not held, and what holds them.

    Attributes
    ----------
    n_failed : int
        How many.
    beta : float
        A larger inverse temperature, infinite where none is large enough.
    normalize : bool
        Whether patterns of larger norm draw others away, so that all need one norm for that.
    """

    n_failed: int
    beta: float
    normalize: bool


def not_held(
    model: ModernMemory, params: ModernParameters, some: Array, max_steps: int, tol: float
) -> NotHeld:
    """Which of `some` patterns (their indices) are not held.

    A pattern is held where retrieval from it ends nearer to it than half-way to the nearest other pattern.
    """
    patterns = params.patterns.astype(np.float64)
    wide, own = ModernParameters(patterns, params.weights), patterns[some]
    ends = settle_vectors(model, wide, own, max_steps=max_steps, tol=tol).states
    sizes, products = np.einsum("ij,ij->i", patterns, patterns), own @ patterns.T
    squares = np.maximum(sizes[some, np.newaxis] + sizes - 2 * products, 0)
    others = squares > EQUAL * sizes.max()
    nearest = np.where(others, squares, np.inf).min(axis=1)
    failed = 4 * ((ends - own) ** 2).sum(axis=1) >= nearest
    if not failed.any():
        return NotHeld(0, model.beta, False)
    gap = _gap(sizes[some], products, others)
    normalize = gap <= 0
    if normalize:
        gap = _gap(np.ones(len(some)), cosine(own, patterns), others)
    crowd = np.log(OTHERS * params.weights.sum()) - np.log(params.weights.min())
    beta = float(crowd / gap) if gap > 0 else np.inf
    return NotHeld(int(failed.sum()), beta, bool(normalize))


def _gap(own: Array, products: Array, others: Array) -> float:
    """By how much the inner product of a pattern with itself exceeds those with others, at least."""
    return float((own - np.where(others, products, -np.inf).max(axis=1)).min())
