"""Annealing from a product law to an RBM, with expectations over all trajectories in matrices.

The path between a base without weights and the model mixes their joint energies,

    E_t(v, h) = (1 - t) E_0(v, h) + t E_1(v, h),    p_t = exp(-E_t) / Z_t,    0 <= t <= 1,

and F_t(v) = -log sum_h exp(-E_t(v, h)). T_t is one step of block Gibbs sampling at t: h given v,
then v given h. It is reversible, p_t(v) T_t(v, v') = p_t(v') T_t(v', v), so it is its own reverse.

*Annealed importance sampling* (Neal 2001) along 0 = t_0 < ... < t_K = 1 draws v_0 ~ p_0 and
v_k ~ T_{t_k}(v_{k-1}, .), each weight being taken before the move:

    log w = sum_k F_{t_{k-1}}(v_{k-1}) - F_{t_k}(v_{k-1}),        E[w] = Z_1 / Z_0.

Reversed, it starts with a draw of the model, v_{K-1} ~ p_1, and moves v_{k-1} ~ T_{t_k}(v_k, .)
down to k = 1; over these trajectories E[1 / w] = Z_0 / Z_1.

*RAISE* (Burda, Grosse & Salakhutdinov 2015) is about the law p_ann of the last state v_K, drawn
by T_{t_K} from v_{K-1}. Given v_K it moves down by v_{k-1} ~ T_{t_k}(v_k, .) and its estimate is

    r = exp(-F_1(v_K)) / Z_0  prod_k exp(F_{t_k}(v_{k-1}) - F_{t_{k-1}}(v_{k-1})),  E[r] = p_ann(v_K).

Everything exact is computed from tables of E_0 and E_1 (`tabulate`) over the states of a layer
of Bernoulli units, or over a grid for a layer of one Gaussian unit. First moments on a grid are
the integrals to rounding. Second moments may be infinite where a Gaussian unit is involved: trust
them when they stay the same on a wider grid.

References
----------
Neal (2001). Annealed importance sampling. Statistics and Computing 11.
Burda, Grosse & Salakhutdinov (2015). Accurate and conservative estimates of MRF log-likelihood
using reverse annealing. AISTATS.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tests.oracles import rbm
from tests.oracles.rbm import OracleRBM


@dataclass(frozen=True)
class Path:
    """From ``base``, which must have no weights, to ``model``, of the same units."""

    base: OracleRBM
    model: OracleRBM


def product_law(b, c, z=None, zh=None):
    """Independent units: an RBM of weights zero."""
    return OracleRBM(np.zeros((len(b), len(c))), b, c, z, zh)


# One inverse temperature ---------------------------------------------------------------------


def energy(path, v, h, t):
    """E_t(v, h), by definition."""
    return (1 - t) * rbm.energy(path.base, v, h) + t * rbm.energy(path.model, v, h)


def own_at(bias_0, z_0, bias_1, z_1, t):
    """What is half way of two own energies: bias, log-variance, scale of s(x), and a constant.

    Bernoulli energies are linear in the bias. Of two parabolas (1 - t) (x - a_0)^2 / (2 s_0) +
    t (x - a_1)^2 / (2 s_1) the precisions add up; a is their centre of mass, and what is left
    is a constant. s_1(x) = x / s_1 is (s / s_1) times the s(x) = x / s of the new variance.
    """
    if z_1 is None:
        return (1 - t) * bias_0 + t * bias_1, None, np.ones(len(bias_1)), 0.0
    q_0, q_1 = (1 - t) / np.exp(z_0), t / np.exp(z_1)
    bias = (q_0 * bias_0 + q_1 * bias_1) / (q_0 + q_1)
    rest = np.sum(q_0 * bias_0**2 + q_1 * bias_1**2 - (q_0 + q_1) * bias**2) / 2
    variance = 1 / (q_0 + q_1)
    return bias, np.log(variance), variance / np.exp(z_1), rest


def at(path, t):
    """E_t written as the energy of an RBM and a constant."""
    base, model = path.base, path.model
    b, z, scale_v, rest_v = own_at(base.b, base.z, model.b, model.z, t)
    c, zh, scale_h, rest_h = own_at(base.c, base.zh, model.c, model.zh, t)
    return OracleRBM(t * np.outer(scale_v, scale_h) * model.W, b, c, z, zh), rest_v + rest_h


def free_energy(path, v, t):
    """F_t(v) = -log sum_h exp(-E_t(v, h))."""
    model, rest = at(path, t)
    return rbm.free_energy(model, v) + rest


def log_partition(path, t):
    """log Z_t."""
    model, rest = at(path, t)
    return rbm.log_partition(model) - rest


# One trajectory ------------------------------------------------------------------------------


def log_weight(path, ts, trajectory):
    """log w of one trajectory v_0, ..., v_{K-1}: as many states as there are steps in ``ts``."""
    total = 0.0
    for v, (before, after) in zip(trajectory, pairwise(ts), strict=True):
        total += free_energy(path, v, before) - free_energy(path, v, after)
    return total


def raise_log_estimate(path, ts, trajectory):
    """log r of one trajectory v_0, ..., v_K, the last of which is the row in question."""
    end = -free_energy(path, trajectory[-1], ts[-1]) - log_partition(path, ts[0])
    return end - log_weight(path, ts, trajectory[:-1])


# All trajectories ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """E_0 and E_1 on all pairs of the points V and H, each of which stands for a ``cell``."""

    V: np.ndarray
    H: np.ndarray
    E_0: np.ndarray
    E_1: np.ndarray
    cell: float


def tabulate(path):
    """The table of a path. A layer must be Bernoulli, or one Gaussian unit."""
    V, dv = layer_points(path)
    H, dh = layer_points(Path(rbm.swapped(path.base), rbm.swapped(path.model)))
    E_0, E_1 = (
        np.array([[rbm.energy(one, v, h) for h in H] for v in V]) for one in (path.base, path.model)
    )
    return Table(V, H, E_0, E_1, dv * dh)


def layer_points(path):
    """The visible states, of volume 1, or a grid of half standard deviations and its spacing.

    The spacing is half the smaller deviation given h; the sum over such a grid is the integral
    to exp(-8 pi^2). Ten of the largest deviations around the outermost means hold all the rest.
    """
    if path.model.z is None:
        return rbm.all_states(len(path.model.b)), 1.0
    if len(path.model.b) > 1:
        raise ValueError("A grid has one Gaussian unit a layer.")
    step = np.sqrt(min(np.exp(path.base.z[0]), np.exp(path.model.z[0]))) / 2
    means, deviations = zip(
        *[marginal_moments(path, t) for t in np.linspace(0, 1, 11)], strict=True
    )
    reach = 10 * max(deviations)
    grid = np.arange(np.min(means) - reach, np.max(means) + reach, step)
    return grid[:, np.newaxis], step


def marginal_moments(path, t):
    """Means of the one Gaussian visible unit's components under p_t, and their deviation.

    The components are normal: one for each Bernoulli h, or one in all with a Gaussian h, of
    which the precision matrix [[p, -w], [-w, q]] has the inverse [[q, w], [w, p]] / (pq - w^2).
    """
    model, _ = at(path, t)
    variance = np.exp(model.z[0])
    if model.zh is None:
        H = rbm.all_states(len(model.c))
        return [rbm.visible_moments(model, h)[0][0] for h in H], np.sqrt(variance)
    p, q = 1 / variance, np.exp(-model.zh[0])
    w = p * q * model.W[0, 0]
    determinant = p * q - w**2
    mean = (q * p * model.b[0] + w * q * model.c[0]) / determinant
    return [mean], np.sqrt(q / determinant)


def joint(table, t):
    """exp(-E_t) of every cell: it sums to Z_t."""
    return np.exp(-((1 - t) * table.E_0 + t * table.E_1)) * table.cell


def visible_law(table, t):
    """p_t(v)."""
    J = joint(table, t)
    return J.sum(axis=1) / J.sum()


def hidden_given_visible(table, t):
    """p_t(h | v), a row for each v."""
    J = joint(table, t)
    return J / J.sum(axis=1, keepdims=True)


def visible_given_hidden(table, t):
    """p_t(v | h), a row for each h."""
    J = joint(table, t)
    return (J / J.sum(axis=0)).T


def transition(table, t):
    """T_t[v, v'] = sum_h p_t(h | v) p_t(v' | h)."""
    return hidden_given_visible(table, t) @ visible_given_hidden(table, t)


def ratio(table, before, after):
    """exp(F_before(v) - F_after(v)) of each v."""
    return joint(table, after).sum(axis=1) / joint(table, before).sum(axis=1)


def forward_moment(table, ts, power=1):
    """E[w^power] over all trajectories of annealed importance sampling."""
    law = visible_law(table, ts[0])
    for before, after in pairwise(ts):
        law = law * ratio(table, before, after) ** power
        law = law @ transition(table, after)
    return law.sum()


def reverse_moment(table, ts, power=1):
    """E[(1 / w)^power] over all reversed trajectories."""
    law = visible_law(table, ts[-1])
    for after, before in pairwise(ts[::-1]):
        law = law * ratio(table, after, before) ** power
        law = law @ transition(table, before)
    return law.sum()


def forward_mean_log(table, ts):
    """E[log w] over all trajectories: at most log E[w] = log Z_1 / Z_0."""
    law, total = visible_law(table, ts[0]), 0.0
    for before, after in pairwise(ts):
        total += law @ np.log(ratio(table, before, after))
        law = law @ transition(table, after)
    return total


def reverse_mean_log(table, ts):
    """E[log w] over all reversed trajectories: at least log Z_1 / Z_0."""
    law, total = visible_law(table, ts[-1]), 0.0
    for after, before in pairwise(ts[::-1]):
        total -= law @ np.log(ratio(table, after, before))
        law = law @ transition(table, before)
    return total


def annealed_law(table, ts):
    """p_ann, the law of the last state of v_0 ~ p_0, v_k ~ T_{t_k}(v_{k-1}, .), k = 1 ... K."""
    law = visible_law(table, ts[0])
    for t in ts[1:]:
        law = law @ transition(table, t)
    return law


def raise_moment(table, ts, power=1):
    """E[r^power | v_K] of each v_K, over all trajectories down from it.

    The expectation of what a trajectory has yet to gather is a function of its present state:
    from v_0, nothing; each step of the loop goes one state further up.
    """
    to_come = np.ones(len(table.V))
    for before, after in pairwise(ts):
        factor = ratio(table, after, before) ** power
        to_come = transition(table, after) @ (factor * to_come)
    start = joint(table, ts[-1]).sum(axis=1) / joint(table, ts[0]).sum()
    return start**power * to_come
