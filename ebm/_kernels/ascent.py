"""Updates of a flat parameter vector, in one pass and in place. Gradients point uphill.

The gradient g of an entry theta is limited before the optimiser's rule (:mod:`ebm._kernels.rules`) sees it:

    g <- clip(factor g, -limit, limit) - l1 sign(theta) - l2 theta

with the penalties for the first `n_weights` entries only. An entry that a step would make infinite stays where it is,
what is remembered of it is forgotten, and the update is reported as not finite.
"""

import numpy as np
from numba.extending import overload

from ebm._jit import jit
from ebm._kernels.rules import numbers, rule

# The memory of an entry without a gradient decays towards zero, through the subnormal numbers, which are slow (and
# where rounding stops the decay). Smaller numbers are set to zero: their root is negligible beside any epsilon.
TINY = 1e-30


@jit
def step(settings, theta, gradient, memory, rate, limits):
    """One update; whether it is finite.

    Parameters
    ----------
    settings : NamedTuple
        The optimiser's (:mod:`ebm._kernels.rules`).
    theta, gradient : ndarray of shape (parameters,)
    memory : tuple of ndarray
        The clock (:data:`ebm._kernels.rules.CLOCK_SIZE`,), then what is remembered: arrays like `theta`.
    rate : float
        Learning rate, in the precision of `theta`.
    limits : tuple (factor, limit, l1, l2, n_weights)
        Clipping and penalties, see the module docstring; a limit of infinity means none.
    """
    T = type(rate)
    factor, limit, l1, l2, n_weights = limits
    shared = numbers(settings, memory[0], rate)
    pull = (T(factor), T(limit), T(l1), T(l2))
    free = (T(factor), T(limit), T(0), T(0))
    finite = True
    for first, last, held in ((0, n_weights, pull), (n_weights, theta.size, free)):
        params = _part(memory, first, last)
        finite &= _sweep(settings, shared, theta[first:last], gradient[first:last], params, held)
    return finite


@jit
def _sweep(settings, shared, theta, gradient, memory, pull):
    """Update all entries; whether all moves were finite."""
    all_finite = True
    for i in range(theta.size):
        g = _limited(gradient[i], theta[i], pull)
        move, new = rule(settings, shared, g, _load(memory, i))
        moved = theta[i] + move
        finite = (abs(moved) < np.inf) & _finite(new)
        theta[i] = moved if finite else theta[i]
        _store(memory, i, new, finite)
        all_finite &= finite
    return all_finite


@jit(inline=True)
def _limited(g, theta, pull):
    # Both conditions are the same for all entries: the compiler makes a loop for each case, and most cost nothing.
    factor, limit, l1, l2 = pull
    none = type(g)(0)
    g = factor * g
    if limit < np.inf:
        g = limit if g > limit else g
        g = -limit if g < -limit else g
    if l1 > none:
        g -= np.copysign(l1, theta) if theta != none else none
    return g - l2 * theta


# The memory of a rule: no, one or two arrays.


def _part(memory, first, last):
    return tuple(x[first:last] for x in memory[1:])


def _load(memory, i):
    return tuple(x[i] for x in memory)


def _finite(values):
    return all(abs(x) < np.inf for x in values)


def _store(memory, i, values, kept):
    for x, value in zip(memory, values, strict=True):
        x[i] = value if kept & (abs(value) > TINY) else 0


@overload(_part, jit_options={"forceinline": True})
def _part_compiled(memory, first, last):
    return (
        lambda memory, first, last: (),
        lambda memory, first, last: (memory[1][first:last],),
        lambda memory, first, last: (memory[1][first:last], memory[2][first:last]),
    )[len(memory) - 1]


@overload(_load, jit_options={"forceinline": True})
def _load_compiled(memory, i):
    return (
        lambda memory, i: (),
        lambda memory, i: (memory[0][i],),
        lambda memory, i: (memory[0][i], memory[1][i]),
    )[len(memory)]


@overload(_finite, jit_options={"forceinline": True})
def _finite_compiled(values):
    return (
        lambda values: True,
        lambda values: abs(values[0]) < np.inf,
        lambda values: (abs(values[0]) < np.inf) & (abs(values[1]) < np.inf),
    )[len(values)]


@overload(_store, jit_options={"forceinline": True})
def _store_compiled(memory, i, values, kept):
    def one(memory, i, values, kept):
        none, tiny = type(values[0])(0), type(values[0])(TINY)
        memory[0][i] = values[0] if kept & (abs(values[0]) > tiny) else none

    def two(memory, i, values, kept):
        none, tiny = type(values[0])(0), type(values[0])(TINY)
        memory[0][i] = values[0] if kept & (abs(values[0]) > tiny) else none
        memory[1][i] = values[1] if kept & (abs(values[1]) > tiny) else none

    return (lambda memory, i, values, kept: None, one, two)[len(values)]


@jit(reorder=True)
def _sum_of_squares(x):
    total = 0.0
    for i in range(x.size):
        wide = np.float64(x[i])
        total += wide * wide
    return total


@jit
def clip_factor(gradient, largest_norm):
    """The factor that brings the Euclidean norm of the gradient down to `largest_norm`, or 1 if it is not larger."""
    norm = np.sqrt(_sum_of_squares(gradient))
    return largest_norm / norm if norm > largest_norm else 1.0


@jit
def limit_columns(W, largest):
    """Scale columns of `W` (n_visible, n_hidden) whose Euclidean norm exceeds `largest` down to it, in place."""
    # Row by row both times: the rows are what is contiguous.
    squares = np.zeros(W.shape[1])
    for i in range(W.shape[0]):
        for j in range(W.shape[1]):
            wide = np.float64(W[i, j])
            squares[j] += wide * wide
    beyond = False
    factor = np.empty(W.shape[1], W.dtype)
    for j in range(W.shape[1]):
        norm = np.sqrt(squares[j])
        factor[j] = largest / norm if norm > largest else 1.0
        beyond |= norm > largest
    if beyond:
        for i in range(W.shape[0]):
            for j in range(W.shape[1]):
                W[i, j] *= factor[j]
