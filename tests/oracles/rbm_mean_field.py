"""Mean fields of an RBM, naive and extended, in plain loops over pairs of units.

The Gibbs free energy at means m, expanded in the weights, with the coefficients as Gabrie, Tramel
& Krzakala (2015) print them:

    Gamma = <U> - S - sum_ij [ W_ij s(m_i) s(m_j)
                               + W_ij^2 / 2 (m_i - m_i^2) (m_j - m_j^2)
                               + 2 W_ij^3 / 3 (m_i - m_i^2) (1/2 - m_i) (m_j - m_j^2) (1/2 - m_j) ]

<U> and the entropy S are those of independent units of the means m. The second and third order are
for two Bernoulli layers; the first is the naive mean field, for all.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tests.oracles import rbm, rbm_gradients


def own_free_energy(m, bias, log_variance):
    """<U> - S of one unit of mean m."""
    if log_variance is None:
        entropy = -sum(p * math.log(p) for p in (m, 1 - m) if p > 0)
        return -bias * m - entropy
    variance = math.exp(log_variance)
    spread = ((m - bias) ** 2 + variance) / (2 * variance)
    return spread - math.log(2 * math.pi * math.e * variance) / 2


def gamma(model, m_v, m_h, order=1):
    """The Gibbs free energy at the means, to some order in the weights."""
    total = 0.0
    for i, m in enumerate(m_v):
        total += own_free_energy(m, model.b[i], None if model.z is None else model.z[i])
    for j, m in enumerate(m_h):
        total += own_free_energy(m, model.c[j], None if model.zh is None else model.zh[j])
    s_v, s_h = rbm.interaction(m_v, model.z), rbm.interaction(m_h, model.zh)
    for i, x in enumerate(m_v):
        for j, y in enumerate(m_h):
            w = model.W[i, j]
            total -= w * s_v[i] * s_h[j]
            if order >= 2:
                total -= w**2 / 2 * (x - x**2) * (y - y**2)
            if order >= 3:
                total -= 2 * w**3 / 3 * (x - x**2) * (0.5 - x) * (y - y**2) * (0.5 - y)
    return total


def hidden_update(model, m_v, m_h, order=1):
    """What m_h is iterated towards: E[h | m_v] plus the reaction of the visible units."""
    s_v = rbm.interaction(m_v, model.z)
    new = np.zeros(len(m_h))
    for j, y in enumerate(m_h):
        field = 0.0
        for i, x in enumerate(m_v):
            w = model.W[i, j]
            field += w * s_v[i]
            if order >= 2:
                field -= w**2 * (y - 0.5) * (x - x**2)
            if order >= 3:
                field += 2 * w**3 * (y**2 - y + 1 / 6) * (x - x**2) * (0.5 - x)
        if model.zh is None:
            new[j] = 1 / (1 + math.exp(-(model.c[j] + field)))
        else:
            new[j] = model.c[j] + field
    return new


def iterate(model, m_v, m_h, n_iter, damping, order=1):
    """m_v[t+1] from m_v[t] and m_h[t], then m_h[t+1] from m_h[t] and m_v[t+1], both damped."""
    for _ in range(n_iter):
        m_v = damping * m_v + (1 - damping) * hidden_update(rbm.swapped(model), m_h, m_v, order)
        m_h = damping * m_h + (1 - damping) * hidden_update(model, m_v, m_h, order)
    return m_v, m_h


def settled(model, order=1):
    """The fixed point that the means of the uncoupled units lead to; of weak weights the only one."""
    m_v, m_h = iterate(replace(model, W=0 * model.W), 0 * model.b, 0 * model.c, 1, 0.0)
    return iterate(model, m_v, m_h, 200, 0.2, order)


def negative_log_partition(model, order=1):
    """The estimate of -log Z: Gamma at the fixed point."""
    return gamma(model, *settled(model, order), order)


def statistics_at(model, m_v, m_h, order=1, step=1e-5):
    """-dGamma/dtheta at fixed means, by central differences: the negative phase."""
    return rbm_gradients.finite_differences(lambda q: -gamma(q, m_v, m_h, order), model, step)


def data_term(model, X, weights):
    """The weighted mean of -F(v)."""
    return sum(w * rbm.log_weight_visible(model, v) for w, v in zip(weights, X, strict=True))


def estimated_log_likelihood(model, X, order=1):
    """The mean of -F(v) + Gamma at the fixed point."""
    return data_term(model, X, np.full(len(X), 1 / len(X))) + negative_log_partition(model, order)
