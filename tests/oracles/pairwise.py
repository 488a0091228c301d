"""Pairwise models by enumeration of every state: Boltzmann machines, Ising models, Hopfield networks.

Units of two states, joined in pairs by symmetric couplings J with a zero diagonal:

    E(s) = -s'Js / 2 - b's = -sum_{i<j} J_ij s_i s_j - sum_i b_i s_i,      p(s) = exp(-beta E(s)) / Z(beta).

The states are (0, 1) or (-1, +1). The last ``n_hidden`` units are hidden. A table over states has the order of
`all_states`: the first unit is the most significant bit, low before high. Everything is in nats.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from tests.oracles.rbm import log_sum_exp

BINARY = (0.0, 1.0)
SPIN = (-1.0, 1.0)


@dataclass(frozen=True)
class OraclePairwise:
    """The couplings J (n, n), the biases b (n,), the two states of every unit, how many of them are hidden."""

    J: np.ndarray
    b: np.ndarray
    states: tuple[float, float] = BINARY
    n_hidden: int = 0

    @property
    def n(self):
        return len(self.b)

    @property
    def n_visible(self):
        return self.n - self.n_hidden


def random_pairwise(n_units, states=BINARY, n_hidden=0, *, seed=0, scale=1.0, density=1.0):
    """Couplings ~ scale N(0, 1) / sqrt(n), each there with probability ``density``; biases ~ N(0, 1) / 2."""
    rng = np.random.default_rng(seed)
    J = np.zeros((n_units, n_units))
    for i in range(n_units):
        for j in range(i):
            there = rng.uniform() < density
            J[i, j] = J[j, i] = there * scale * rng.normal() / np.sqrt(n_units)
    return OraclePairwise(J, rng.normal(size=n_units) / 2, states, n_hidden)


# States --------------------------------------------------------------------------------------


def all_states(model, n_units=None):
    """Every state of the first ``n_units`` units (of all of them): (2**n, n)."""
    n_units = model.n if n_units is None else n_units
    return np.array(list(itertools.product(model.states, repeat=n_units)), float)


def state_index(model, rows):
    """The position of rows in `all_states`."""
    rows = np.asarray(rows, float)
    low, high = model.states
    if not np.isin(rows, model.states).all():
        raise ValueError(f"Only states of {low:g} and {high:g} have an index.")
    powers = 2 ** np.arange(rows.shape[-1])[::-1]
    return ((rows == high) @ powers).astype(int)


# Energy and law ------------------------------------------------------------------------------


def energy(model, s):
    """E(s) of one state of all units, pair by pair."""
    total = 0.0
    for i in range(model.n):
        total -= model.b[i] * s[i]
        for j in range(i):
            total -= model.J[i, j] * s[i] * s[j]
    return total


def field(model, s, i):
    """h_i = b_i + sum_j J_ij s_j, the coefficient of s_i in -E(s)."""
    total = model.b[i]
    for j in range(model.n):
        if j != i:
            total += model.J[i, j] * s[j]
    return total


def log_weights(model, beta=1.0):
    """-beta E of every state."""
    return np.array([-beta * energy(model, s) for s in all_states(model)])


def log_partition(model, beta=1.0):
    """log Z(beta) = log sum_s exp(-beta E(s))."""
    return log_sum_exp(log_weights(model, beta))


def probabilities(model, beta=1.0):
    """The table p(s) over all units."""
    return np.exp(log_weights(model, beta) - log_partition(model, beta))


def means(model, beta=1.0):
    """<s_i>: (n,)."""
    return probabilities(model, beta) @ all_states(model)


def correlations(model, beta=1.0):
    """<s_i s_j>: (n, n); not connected, so that the diagonal has the <s_i^2>."""
    total = np.zeros((model.n, model.n))
    for p, s in zip(probabilities(model, beta), all_states(model), strict=True):
        total += p * np.outer(s, s)
    return total


def mean_energy(model, beta=1.0):
    """<E>."""
    table = probabilities(model, beta)
    return sum(p * energy(model, s) for p, s in zip(table, all_states(model), strict=True))


def conditional(model, s, i, beta=1.0):
    """p(s_i = high | all other units of s), by the energies of the two states."""
    low, high = (np.array(s, float) for _ in range(2))
    low[i], high[i] = model.states
    return np.exp(-np.logaddexp(0.0, beta * (energy(model, high) - energy(model, low))))


def in_other_states(model):
    """The same law with the states renamed: 0, 1 into -1, +1 or back. The energies differ by a constant.

    With x = (s + 1) / 2, x_i x_j = (s_i s_j + s_i + s_j + 1) / 4.
    """
    J, b = np.zeros_like(model.J), np.zeros_like(model.b)
    to_spin = tuple(model.states) == BINARY
    for i in range(model.n):
        b[i] = model.b[i] / 2 if to_spin else 2 * model.b[i]
        for j in range(model.n):
            if i != j:
                J[i, j] = model.J[i, j] / 4 if to_spin else 4 * model.J[i, j]
                b[i] += model.J[i, j] / 4 if to_spin else -2 * model.J[i, j]
    return replace(model, J=J, b=b, states=SPIN if to_spin else BINARY)


# Hidden units --------------------------------------------------------------------------------


def log_weight_visible(model, v, beta=1.0):
    """log sum_h exp(-beta E(v, h))."""
    hidden = itertools.product(model.states, repeat=model.n_hidden)
    return log_sum_exp([-beta * energy(model, np.array([*v, *h])) for h in hidden])


def free_energy(model, v, beta=1.0):
    """F(v) = -(1 / beta) log sum_h exp(-beta E(v, h))."""
    return -log_weight_visible(model, v, beta) / beta


def visible_probabilities(model, beta=1.0):
    """The table p(v), the hidden units summed out."""
    return probabilities(model, beta).reshape(2**model.n_visible, -1).sum(axis=1)


def hidden_given_visible(model, v, beta=1.0):
    """The table p(h | v)."""
    start = 2**model.n_hidden * state_index(model, v) if model.n_visible else 0
    logs = log_weights(model, beta)[start : start + 2**model.n_hidden]
    return np.exp(logs - log_sum_exp(logs))


def hidden_means(model, v, beta=1.0):
    """E[h | v]: (n_hidden,)."""
    return hidden_given_visible(model, v, beta) @ all_states(model, model.n_hidden)


def log_likelihood(model, X, beta=1.0):
    """log p(v) of each row v of X."""
    log_z = log_partition(model, beta)
    return np.array([log_weight_visible(model, v, beta) - log_z for v in X])


# Gradients, by pairs: the derivative by J_ij moves J_ij and J_ji together ----------------------


def statistics(s):
    """-dE/dJ and -dE/db at s: s_i s_j off the diagonal, and s."""
    outer = np.outer(s, s)
    np.fill_diagonal(outer, 0.0)
    return outer, np.array(s, float)


def data_statistics(model, X, weights=None):
    """The mean over rows v and p(h | v) of `statistics`."""
    weights = np.full(len(X), 1 / len(X)) if weights is None else weights
    dJ, db = np.zeros_like(model.J), np.zeros_like(model.b)
    for weight, v in zip(weights, X, strict=True):
        hidden = all_states(model, model.n_hidden)
        for p, h in zip(hidden_given_visible(model, v), hidden, strict=True):
            outer, s = statistics(np.array([*v, *h]))
            dJ += weight * p * outer
            db += weight * p * s
    return dJ, db


def model_statistics(model, table=None):
    """The mean of `statistics` over a table of probabilities of all units, the model's own by default."""
    table = probabilities(model) if table is None else table
    dJ, db = np.zeros_like(model.J), np.zeros_like(model.b)
    for p, s in zip(table, all_states(model), strict=True):
        outer, s = statistics(s)
        dJ += p * outer
        db += p * s
    return dJ, db


def log_likelihood_gradient(model, X, weights=None):
    """(dJ, db) of the weighted mean log p(v), at beta = 1: data average minus model average."""
    data, own = data_statistics(model, X, weights), model_statistics(model)
    return data[0] - own[0], data[1] - own[1]


def contrastive_divergence_gradient(model, X, n_sweeps, weights=None, order=None):
    """What CD-k of the fully visible machine expects: the data average minus that after k sweeps from the data."""
    weights = np.full(len(X), 1 / len(X)) if weights is None else weights
    order = range(model.n) if order is None else order
    table = np.zeros(2**model.n)
    for weight, v in zip(weights, X, strict=True):
        table[state_index(model, v)] += weight
    for _ in range(n_sweeps):
        table = table @ heat_bath(model, order)
    data, after = data_statistics(model, X, weights), model_statistics(model, table)
    return data[0] - after[0], data[1] - after[1]


# Pseudo-likelihood ---------------------------------------------------------------------------


def pseudo_log_likelihood(model, X, beta=1.0):
    """sum_i log p(v_i | v_-i) of each row, from the table of p(v) by definition."""
    table = np.log(visible_probabilities(model, beta))
    low, high = model.states
    scores = np.zeros(len(X))
    for row, v in enumerate(X):
        for i in range(model.n_visible):
            flipped = np.array(v, float)
            flipped[i] = low + high - v[i]
            here, there = table[state_index(model, v)], table[state_index(model, flipped)]
            scores[row] += here - log_sum_exp([here, there])
    return scores


def mean_pseudo_log_likelihood(model, X, weights=None):
    """The weighted mean over rows, in plain loops over units; the fully visible machine only."""
    weights = np.full(len(X), 1 / len(X)) if weights is None else weights
    total = 0.0
    for weight, v in zip(weights, X, strict=True):
        for i in range(model.n):
            p = conditional(model, v, i)
            total += weight * np.log(p if v[i] == model.states[1] else 1 - p)
    return total


def pseudo_log_likelihood_gradient(model, X, weights=None):
    """(dJ, db) of `mean_pseudo_log_likelihood`: each unit's state minus its conditional mean, times its inputs."""
    weights = np.full(len(X), 1 / len(X)) if weights is None else weights
    low, high = model.states
    dJ, db = np.zeros_like(model.J), np.zeros_like(model.b)
    for weight, v in zip(weights, X, strict=True):
        for i in range(model.n):
            error = v[i] - (low + (high - low) * conditional(model, v, i))
            db[i] += weight * error
            for j in range(model.n):
                if j != i:  # J_ij and J_ji are one parameter
                    dJ[i, j] += weight * error * v[j]
                    dJ[j, i] += weight * error * v[j]
    return dJ, db


# Transition matrices T[x, y] = P(next state y | state x) ------------------------------------------


def heat_bath_site(model, i, beta=1.0, given=None):
    """Unit i drawn given all others; if ``given`` clamps it (a number where NaN is free), it takes that value."""
    states = all_states(model)
    T = np.zeros((len(states), len(states)))
    for x, s in enumerate(states):
        p = conditional(model, s, i, beta)
        if given is not None and not np.isnan(given[i]):
            p = float(given[i] == model.states[1])
        for value, share in zip(model.states, (1 - p, p), strict=True):
            after = s.copy()
            after[i] = value
            T[x, state_index(model, after)] += share
    return T


def heat_bath(model, order, beta=1.0, given=None):
    """One unit after the other in the given order, which may repeat units or leave some out."""
    T = np.eye(2**model.n)
    for i in order:
        T = T @ heat_bath_site(model, i, beta, given)
    return T


def random_order(model, beta=1.0, given=None):
    """One sweep in an order that is drawn anew, all permutations being equally likely."""
    orders = list(itertools.permutations(range(model.n)))
    return sum(heat_bath(model, order, beta, given) for order in orders) / len(orders)


def glauber(model, n_updates, beta=1.0, given=None):
    """Glauber's dynamics: ``n_updates`` times, a unit drawn with replacement from all of them."""
    sites = [heat_bath_site(model, i, beta, given) for i in range(model.n)]
    return np.linalg.matrix_power(sum(sites) / model.n, n_updates)


def synchronous(model, beta=1.0):
    """Little's dynamics: all units drawn at once, each given the old states of the others."""
    states = all_states(model)
    T = np.ones((len(states), len(states)))
    for x, s in enumerate(states):
        for y, after in enumerate(states):
            for i in range(model.n):
                p = conditional(model, s, i, beta)
                T[x, y] *= p if after[i] == model.states[1] else 1 - p
    return T


def given_law(model, given, beta=1.0):
    """The table p(s | the clamped units): zero where a state contradicts them."""
    given = np.asarray(given, float)
    table = probabilities(model, beta)
    for k, s in enumerate(all_states(model)):
        if np.any(np.abs(s - given) > 0):  # false for NaN
            table[k] = 0.0
    return table / table.sum()


def is_aligned(model, s):
    """Whether s is a fixed point at zero temperature: no unit has a field against it; sign(0) keeps the state.

    For states (0, 1) a unit is high for a positive field.
    """
    low, high = model.states
    for i in range(model.n):
        h = field(model, s, i)
        if (h > 0 and s[i] != high) or (h < 0 and s[i] != low):
            return False
    return True


def threshold(model, s, order):
    """The state after one sweep at zero temperature: each unit follows its field; at zero field it stays."""
    s = np.array(s, float)
    low, high = model.states
    for i in order:
        h = field(model, s, i)
        if h > 0:
            s[i] = high
        elif h < 0:
            s[i] = low
    return s
