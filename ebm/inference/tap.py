"""The extended mean field of two Bernoulli layers, to third order in the weights (Gabrie, Tramel & Krzakala 2015).

The Gibbs free energy at given means m, expanded in the weights (Plefka 1982; Georges & Yedidia 1991), is

    Gamma(m) = -S(m) - b'm_v - c'm_h - sum_ij [W_ij m_i m_j + W_ij^2 k2_i k2_j / 2 + W_ij^3 k3_i k3_j / 6],

with the entropy S of independent units and their second and third cumulants, k2 = m (1 - m), k3 = k2 (1 - 2 m). A
third-order term over triples of units needs a triangle of weights; between two layers there is none. To order 1 this is
the naive mean field, to order 2 the equations of Thouless, Anderson & Palmer (TAP). Its minimum estimates -log Z, with
an error of the order of the first term left out, and is no bound from order 2 on. There Gamma is stationary,

    m_i = sigmoid(b_i + sum_j [W_ij m_j + W_ij^2 (1/2 - m_i) k2_j + W_ij^3 (1/6 - k2_i) k3_j])

and the same for m_j with the layers exchanged. The second term is Onsager's: a unit's own mean comes back from those
it acts on. Iterated with these time indices, each half damped,

    m_v[t+1] from m_v[t], m_h[t],    m_h[t+1] from m_h[t], m_v[t+1].

By the stationarity, -dGamma/dW_ij at fixed m is the derivative of the estimate of log Z, and so the estimate of

    <v_i h_j> = m_i m_j + W_ij k2_i k2_j + W_ij^2 k3_i k3_j / 2.
"""

import numpy as np
from scipy.special import xlogy

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.inference.mean_field import FixedPoint, settle
from ebm.units import Bernoulli

ORDERS = (1, 2, 3)


def tap(
    model: Bipartite,
    params: BipartiteParameters,
    v: Array,
    h: Array,
    *,
    order: int = 2,
    n_iter: int = 1000,
    damping: float = 0.5,
    tol: float = 1e-6,
) -> FixedPoint:
    """Stationary points of the Gibbs free energy expanded to `order`, for two Bernoulli layers.

    Parameters
    ----------
    model, params : Bipartite, BipartiteParameters
    v, h : ndarray of shape (runs, n_visible) and (runs, n_hidden)
        Means to start at, one run a row; not modified.
    order : {1, 2, 3}
        Highest power of the weights in the free energy: naive mean field, TAP, third order.
    n_iter, damping, tol : int, float, float
        As for :func:`~ebm.inference.mean_field.mean_field`.

    Returns
    -------
    FixedPoint
        The means stay in [0, 1]. Where weights are large (the glassy phase) the iteration may not converge.

    Raises
    ------
    ValueError
        For other units, or another order.
    """
    check_expansion(model, order)
    powers = weight_powers(params.W, order)
    turned = [power.T for power in powers]
    return settle(
        lambda v, h: model.visible.mean(params.visible, field(powers, v, h)),
        lambda v, h: model.hidden.mean(params.hidden, field(turned, h, v)),
        (v, h),
        n_iter=n_iter,
        damping=damping,
        tol=tol,
    )


def tap_free_energy(params: BipartiteParameters, v: Array, h: Array, order: int = 2) -> Array:
    """Gamma at the means `v` and `h`, which at a fixed point estimates -log Z: -> (runs,) in double precision."""
    v, h = v.astype(np.float64), h.astype(np.float64)
    b, c = params.visible.bias.astype(np.float64), params.hidden.bias.astype(np.float64)
    powers = weight_powers(params.W.astype(np.float64), order)
    terms = zip((1, 2, 6), powers, cumulants(v), cumulants(h), strict=False)
    pairs = sum(np.einsum("ij,ij->i", x @ power, y) / n for n, power, x, y in terms)
    entropy = -sum((xlogy(m, m) + xlogy(1 - m, 1 - m)).sum(axis=1) for m in (v, h))
    energy: Array = -entropy - v @ b - h @ c - pairs
    return energy


def tap_correlations(
    params: BipartiteParameters, v: Array, h: Array, order: int, weights: Array
) -> Array:
    """<v h'> = -dGamma/dW at the means `v` and `h`, summed over the runs with `weights`: -> (n_visible, n_hidden)."""
    total: Array = (v.T * weights) @ h
    k_v, k_h = cumulants(v), cumulants(h)
    if order > 1:
        total += params.W * ((k_v[1].T * weights) @ k_h[1])
    if order > 2:
        total += params.W**2 / 2 * ((k_v[2].T * weights) @ k_h[2])
    return total


def check_expansion(model: Bipartite, order: int) -> None:
    """Refuse what the expansion is not for."""
    if order not in ORDERS:
        raise ValueError(f"order must be 1, 2 or 3. Got {order!r} instead.")
    if not (isinstance(model.visible, Bernoulli) and isinstance(model.hidden, Bernoulli)):
        units = f"{type(model.visible).__name__} and {type(model.hidden).__name__}"
        raise ValueError(
            f"The extended mean field expands two layers of Bernoulli units; these are {units}. "
            "Naive mean field (order=1 of the gradient 'tap') is for all units."
        )


def weight_powers(W: Array, order: int) -> list[Array]:
    """W, W^2, W^3, entry by entry, as many as the order."""
    return [W, W * W, W * W * W][:order] if order > 2 else [W, W * W][:order]


def cumulants(m: Array) -> tuple[Array, Array, Array]:
    """First three cumulants of Bernoulli units with the means `m`."""
    k2 = m * (1 - m)
    return m, k2, k2 * (1 - 2 * m)


def field(powers: list[Array], x: Array, y: Array) -> Array:
    """Inputs of units of means `x` from those of means `y`, without bias: the x-derivative of Gamma's pair terms."""
    _, k2, k3 = cumulants(y)
    total: Array = y @ powers[0].T
    if len(powers) > 1:
        total += (0.5 - x) * (k2 @ powers[1].T)
    if len(powers) > 2:
        total += (1 / 6 - x * (1 - x)) * (k3 @ powers[2].T)
    return total
