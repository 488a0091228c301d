"""Naive mean field (Peterson & Anderson 1987): the best distribution without correlations, by its means m.

Among the products q(v) q(h) the one nearest to p(v, h) minimises the variational free energy

    Gamma(m_v, m_h) = <E>_q - S(q) >= -log Z,

and its means are those of units that receive the other layer's means instead of its states,

    m_v = E[v | m_h],    m_h = E[h | m_v].

The two are iterated in turn, the second with the new m_v, each *damped*: m <- d m + (1 - d) E[. | .]. There may be
several fixed points; the start decides between them. Two Gaussian layers have one, the exact mean.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite, BipartiteParameters


class FixedPoint(NamedTuple):
    """Where independent runs ended.

    Attributes
    ----------
    v, h : ndarray of shape (runs, n_visible) and (runs, n_hidden)
        Means.
    converged : ndarray of bool of shape (runs,)
        Whether no mean was further than the tolerance from what it was iterated towards.
    n_iter : int
        Iterations made.
    """

    v: Array
    h: Array
    converged: Array
    n_iter: int


def mean_field(
    model: Bipartite,
    params: BipartiteParameters,
    v: Array,
    h: Array,
    *,
    n_iter: int = 1000,
    damping: float = 0.5,
    tol: float = 1e-6,
) -> FixedPoint:
    """Fixed points of m_v = E[v | m_h], m_h = E[h | m_v], for any two unit types.

    Parameters
    ----------
    model, params : Bipartite, BipartiteParameters
    v, h : ndarray of shape (runs, n_visible) and (runs, n_hidden)
        Means to start at, one run a row; not modified. Without damping, `v` does not matter.
    n_iter : int
        Iterations at most.
    damping : float
        Share of the old means in the new ones, in [0, 1).
    tol : float
        Largest distance of a mean from its update at which a run counts as converged.

    Returns
    -------
    FixedPoint
        A run whose means overflow (two Gaussian layers without a distribution) has not converged.
    """
    return settle(
        lambda v, h: model.visible_mean(params, h),
        lambda v, h: model.hidden_mean(params, v),
        (v, h),
        n_iter=n_iter,
        damping=damping,
        tol=tol,
    )


def mean_field_free_energy(
    model: Bipartite, params: BipartiteParameters, point: FixedPoint
) -> Array:
    """Gamma at fixed points of the naive mean field, an upper bound of -log Z: -> (runs,) in double precision.

    With <U> - S = f's(m) - A(f) for units with the input f, and at the fixed point f_v = W s(m_h), f_h = W's(m_v),

        Gamma = s(m_v)' W s(m_h) - A_v(W s(m_h)) - A_h(W's(m_v)).
    """
    to_h, to_v = model.hidden_input(params, point.v), model.visible_input(params, point.h)
    s_h = model.hidden.statistic(params.hidden, point.h)
    pairs = np.einsum("ij,ij->i", to_h, s_h, dtype=np.float64)
    energy: Array = pairs - model.visible.log_normaliser(params.visible, to_v)
    return energy - model.hidden.log_normaliser(params.hidden, to_h)


Update = Callable[[Array, Array], Array]


def settle(
    visible: Update,
    hidden: Update,
    start: tuple[Array, Array],
    *,
    n_iter: int,
    damping: float,
    tol: float,
) -> FixedPoint:
    """Iterate ``v <- visible(v, h)``, then ``h <- hidden(v, h)``, damped, until all runs have converged."""
    v, h = start
    converged = np.zeros(len(h), bool)
    made = 0
    with np.errstate(over="ignore", invalid="ignore"):  # then not converged
        while made < n_iter and not (made and converged.all()):
            new = visible(v, h)
            change = largest(new - v)
            v = damping * v + (1 - damping) * new
            new = hidden(v, h)
            converged = np.maximum(change, largest(new - h)) <= tol
            h = damping * h + (1 - damping) * new
            made += 1
    return FixedPoint(v, h, converged, made)


def largest(x: Array) -> Array:
    """Largest absolute value of each row."""
    out: Array = np.abs(x).max(axis=1)
    return out
