"""Sweeps over the units of pairwise models in plain loops, and what annealing along a path expects.

A sweep visits units one after the other; the p-th visit is decided by the p-th number of the row of uniform deviates
that it is given. The path from independent units with the biases ``base`` to a model is

    E_t(s) = -t s'Js / 2 - [(1 - t) base + t b]'s,      0 <= t <= 1.

Expectations of annealing are products of transition matrices, over all states in the order of `all_states`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from tests.oracles.pairwise import (
    all_states,
    energy,
    field,
    heat_bath,
    hidden_given_visible,
    log_partition,
    log_weights,
    model_statistics,
    probabilities,
    state_index,
)

# One sweep -----------------------------------------------------------------------------------


def heat_bath_sweep(model, s, order, u, beta=1.0, given=None):
    """Unit after unit takes the state high where its number is below its probability."""
    s = np.array(s, float)
    low, high = model.states
    for visit, i in enumerate(order):
        if given is not None and not np.isnan(given[i]):
            continue
        log_odds = beta * (high - low) * field(model, s, i)
        s[i] = high if u[visit] < 1 / (1 + np.exp(-log_odds)) else low
    return s


def metropolis_sweep(model, s, order, u, beta=1.0):
    """Unit after unit takes its other state where its number is below exp(-beta times the rise of the energy)."""
    s = np.array(s, float)
    for visit, i in enumerate(order):
        other = s.copy()
        other[i] = sum(model.states) - s[i]
        if u[visit] < np.exp(-beta * max(0.0, energy(model, other) - energy(model, s))):
            s = other
    return s


def metropolis(model, order, beta=1.0):
    """Transition matrix of one sweep, flip by flip."""
    states = all_states(model)
    T = np.eye(len(states))
    for i in order:
        visit = np.zeros(T.shape)
        for number, s in enumerate(states):
            other = s.copy()
            other[i] = sum(model.states) - s[i]
            rise = energy(model, other) - energy(model, s)
            accept = min(1.0, np.exp(-beta * rise))
            visit[number, state_index(model, other)] += accept
            visit[number, number] += 1 - accept
        T = T @ visit
    return T


def mean_field_sweep(model, m, order, beta=1.0):
    """Unit after unit takes its mean in the field of the means of the others."""
    m = np.array(m, float)
    low, high = model.states
    for i in order:
        p = 1 / (1 + np.exp(-beta * (high - low) * field(model, m, i)))
        m[i] = (1 - p) * low + p * high
    return m


def variational_free_energy(model, m, beta=1.0):
    """<E> - S / beta of independent units with these means; without self-couplings <E> is E at the means."""
    low, high = model.states
    entropy = 0.0
    for mean in m:
        p = (mean - low) / (high - low)
        for share in (p, 1 - p):
            if share > 0:
                entropy -= share * np.log(share)
    return energy(model, m) - entropy / beta


def mean_field(model, v, n_sweeps=10_000):
    """Means of the hidden units given v, from those without couplings among themselves."""
    hidden = range(model.n_visible, model.n)
    apart = model.J.copy()
    apart[model.n_visible :, model.n_visible :] = 0
    start = np.array([*v, *np.zeros(model.n_hidden)])
    s = mean_field_sweep(replace(model, J=apart), start, hidden)
    for _ in range(n_sweeps):
        new = mean_field_sweep(model, s, hidden)
        if np.abs(new - s).max(initial=0) < 1e-15:
            break
        s = new
    return s[model.n_visible :]


# The path ------------------------------------------------------------------------------------


def at(model, base, t):
    """The model at t."""
    return replace(model, J=t * model.J, b=(1 - t) * base + t * model.b)


def gains(model, base, ts):
    """E_{t_{k-1}} - E_{t_k} of every state, for every step k of ``ts``."""
    energies = [-log_weights(at(model, base, t)) for t in ts]
    return [before - after for before, after in pairwise(energies)]


def ratio(model, base):
    """Z_1 / Z_0."""
    return np.exp(log_partition(model) - log_partition(at(model, base, 0.0)))


def annealed(model, base, ts, power=1):
    """The table of E[w^power, x_K = s] over trajectories from p_0, weights taken before moves."""
    table = probabilities(at(model, base, 0.0))
    for gain, t in zip(gains(model, base, ts), ts[1:], strict=True):
        table = (table * np.exp(power * gain)) @ heat_bath(at(model, base, t), range(model.n))
    return table


def annealed_back(model, base, ts, power=1):
    """The table of E[w^-power, x_0 = s] over trajectories that start with draws of the model, moves before weights."""
    table = probabilities(model)
    for gain, t in zip(reversed(gains(model, base, ts)), ts[:0:-1], strict=True):
        table = (table @ heat_bath(at(model, base, t), range(model.n))) * np.exp(-power * gain)
    return table


# Replicas ------------------------------------------------------------------------------------


def replica_sweep(model, base, ladder, first):
    """Transition matrix over the states of all replicas: a sweep of each, then exchanges of the pairs from ``first``.

    The first replica is the most significant part of a number of a joint state.
    """
    T = np.ones((1, 1))
    for t in ladder:
        T = np.kron(T, heat_bath(at(model, base, t), range(model.n)))
    states, energies = all_states(model), [-log_weights(at(model, base, t)) for t in ladder]
    shape = [len(states)] * len(ladder)
    for r in range(first, len(ladder) - 1, 2):
        exchange = np.zeros(T.shape)
        for number in range(len(T)):
            x = list(np.unravel_index(number, shape))
            y = x.copy()
            y[r], y[r + 1] = x[r + 1], x[r]
            rise = sum(energies[k][y[k]] - energies[k][x[k]] for k in (r, r + 1))
            accept = min(1.0, np.exp(-rise))
            exchange[number, np.ravel_multi_index(y, shape)] += accept
            exchange[number, number] += 1 - accept
        T = T @ exchange
    return T


def product_law(model, base, ladder):
    """The table over the states of all replicas."""
    law = np.ones(1)
    for t in ladder:
        law = np.kron(law, probabilities(at(model, base, t)))
    return law


# Contrastive divergence ----------------------------------------------------------------------


def data_table(model, X, weights, means=None):
    """The law over all units of a row and hidden states drawn given it.

    Exactly, or, with ``means`` (rows, n_hidden), independently with these means.
    """
    table = np.zeros((2**model.n_visible, 2**model.n_hidden))
    hidden, (low, high) = all_states(model, model.n_hidden), model.states
    for row, (weight, v) in enumerate(zip(weights, X, strict=True)):
        law = hidden_given_visible(model, v)
        if means is not None:
            p = (means[row] - low) / (high - low)
            law = np.array([np.prod(np.where(h == high, p, 1 - p)) for h in hidden])
        table[state_index(model, v)] += weight * law
    return table.ravel()


def mean_field_statistics(model, X, weights, means):
    """The data average of the statistics, hidden units being independent with these means."""
    return model_statistics(model, data_table(model, X, weights, means))


def contrastive_divergence_gradient(model, X, n_sweeps, weights, means=None):
    """What CD-k expects: the data average, less that after k sweeps over all units from the data."""
    table = data_table(model, X, weights, means)
    data = model_statistics(model, table)
    for _ in range(n_sweeps):
        table = table @ heat_bath(model, range(model.n))
    after = model_statistics(model, table)
    return data[0] - after[0], data[1] - after[1]
