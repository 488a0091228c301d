"""The restricted Boltzmann machine by enumeration of every state.

An RBM joins a layer of visible units v to a layer of hidden units h by weights W and has no
weights within a layer,

    E(v, h) = U(v; b, z) + U(h; c, zh) - s(v)' W s(h),        p(v, h) = exp(-beta E) / Z(beta).

What a unit x with bias a (and log-variance z) contributes depends on its type:

    Bernoulli, x in {0, 1}:     U(x) = -a x                          s(x) = x
    Gaussian, x real:           U(x) = (x - a)^2 / (2 exp(z))        s(x) = x / exp(z)

A table over the states of a layer always has the order of `all_states`: the first unit is the
most significant bit. Everything is in nats.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import integrate


@dataclass(frozen=True)
class OracleRBM:
    """The parameters of an RBM: weights, biases and, for Gaussian units, log-variances.

    Parameters
    ----------
    W : ndarray of shape (n_visible, n_hidden)
    b : ndarray of shape (n_visible,)
        Visible bias.
    c : ndarray of shape (n_hidden,)
        Hidden bias.
    z : ndarray of shape (n_visible,) or None
        Log-variance of Gaussian visible units; None means Bernoulli visible units.
    zh : ndarray of shape (n_hidden,) or None
        Log-variance of Gaussian hidden units; None means Bernoulli hidden units.
    """

    W: np.ndarray
    b: np.ndarray
    c: np.ndarray
    z: np.ndarray | None = None
    zh: np.ndarray | None = None


def swapped(model):
    """The same machine with visible and hidden exchanged: W becomes W'."""
    return OracleRBM(W=model.W.T, b=model.c, c=model.b, z=model.zh, zh=model.z)


# States --------------------------------------------------------------------------------------


def all_states(n_units):
    """Every vector of {0, 1}^n, the first unit being the most significant bit."""
    return np.array(list(itertools.product([0.0, 1.0], repeat=n_units)))


def state_index(rows):
    """The position of binary rows in `all_states`: sum_i x_i 2^(n-1-i)."""
    rows = np.asarray(rows)
    if not np.isin(rows, (0, 1)).all():
        raise ValueError("Only states of {0, 1} have an index.")
    powers = 2 ** np.arange(rows.shape[-1])[::-1]
    return (rows @ powers).astype(int)


def log_sum_exp(values):
    """log sum_k exp(x_k), with the largest term taken out so that nothing overflows."""
    values = np.asarray(values, dtype=float)
    largest = values.max()
    return largest + np.log(np.sum(np.exp(values - largest)))


# Energy --------------------------------------------------------------------------------------


def own_energy(x, bias, log_variance):
    """U(x), the energy of one layer on its own: -a'x, or sum (x - a)^2 / (2 sigma^2)."""
    if log_variance is None:
        return -np.sum(bias * x)
    return np.sum((x - bias) ** 2 / (2 * np.exp(log_variance)))


def interaction(x, log_variance):
    """s(x), what a layer shows to the other one: x, or x / sigma^2."""
    if log_variance is None:
        return np.asarray(x, dtype=float)
    return x / np.exp(log_variance)


def energy(model, v, h):
    """E(v, h) = U(v) + U(h) - s(v)' W s(h), of one visible and one hidden vector."""
    s_v, s_h = interaction(v, model.z), interaction(h, model.zh)
    own = own_energy(v, model.b, model.z) + own_energy(h, model.c, model.zh)
    return own - s_v @ model.W @ s_h


# Sums over one layer -------------------------------------------------------------------------


def log_layer_sum(field, bias, log_variance, beta=1.0):
    """log of the sum (or integral) over one layer x of exp(-beta (U(x) - field' s(x))).

    The units are independent once the field is given, so this is a sum over units of

        Bernoulli:  log(1 + exp(beta (a + field)))
        Gaussian:   log(2 pi sigma^2 / beta) / 2 + beta (a field + field^2 / 2) / sigma^2
    """
    if log_variance is None:
        return np.sum(np.logaddexp(0.0, beta * (bias + field)))
    variance = np.exp(log_variance)
    volume = np.log(2 * np.pi * variance / beta) / 2
    return np.sum(volume + beta * (bias * field + field**2 / 2) / variance)


def log_weight_visible(model, v, beta=1.0):
    """log sum_h exp(-beta E(v, h)): over every h if these are bits, else the Gaussian integral."""
    if model.zh is None:
        return log_sum_exp([-beta * energy(model, v, h) for h in all_states(len(model.c))])
    field = interaction(v, model.z) @ model.W
    own = own_energy(v, model.b, model.z)
    return -beta * own + log_layer_sum(field, model.c, model.zh, beta)


def log_weight_hidden(model, h, beta=1.0):
    """log sum_v exp(-beta E(v, h)), the mirror image of `log_weight_visible`."""
    return log_weight_visible(swapped(model), h, beta)


def free_energy(model, v, beta=1.0):
    """F(v) = -(1 / beta) log sum_h exp(-beta E(v, h)), so that p(v) = exp(-beta F(v)) / Z."""
    return -log_weight_visible(model, v, beta) / beta


def free_energy_hidden(model, h, beta=1.0):
    """F(h) = -(1 / beta) log sum_v exp(-beta E(v, h)), so that p(h) = exp(-beta F(h)) / Z."""
    return -log_weight_hidden(model, h, beta) / beta


# Conditionals --------------------------------------------------------------------------------


def hidden_given_visible(model, v, beta=1.0):
    """The table p(h | v) = exp(-beta E(v, h)) / sum_h' exp(-beta E(v, h')) over Bernoulli h."""
    if model.zh is not None:
        raise ValueError("Gaussian hidden units have no table of states.")
    logs = [-beta * energy(model, v, h) for h in all_states(len(model.c))]
    return np.exp(logs - log_sum_exp(logs))


def visible_given_hidden(model, h, beta=1.0, given=None):
    """The table p(v | h) over Bernoulli v, with some of the visible units possibly held fixed.

    ``given`` has one entry for each visible unit: NaN leaves the unit free, 0 or 1 clamps it.
    States that contradict it get probability 0 and the others share what remains,
    p(v | h, given) = p(v | h) / sum_v' p(v' | h) over the states v' that agree with it.
    """
    table = hidden_given_visible(swapped(model), h, beta)
    if given is None:
        return table
    given = np.asarray(given, dtype=float)
    for k, v in enumerate(all_states(len(model.b))):
        for i in range(len(v)):
            if not np.isnan(given[i]) and given[i] != v[i]:
                table[k] = 0.0
    return table / table.sum()


def hidden_moments(model, v, beta=1.0):
    """The mean and the variance of each hidden unit given v, as two vectors.

    Bernoulli: by enumeration of p(h | v). Gaussian: mean c + W' s(v) and variance
    sigma^2 / beta, from completing the square in E.
    """
    if model.zh is None:
        mean = hidden_given_visible(model, v, beta) @ all_states(len(model.c))
        return mean, mean * (1 - mean)
    return model.c + interaction(v, model.z) @ model.W, np.exp(model.zh) / beta


def visible_moments(model, h, beta=1.0):
    """The mean and the variance of each visible unit given h, as two vectors."""
    return hidden_moments(swapped(model), h, beta)


# Partition function --------------------------------------------------------------------------


def log_partition_enumerate(model, beta=1.0):
    """log Z = log sum_v sum_h exp(-beta E(v, h)), every pair of Bernoulli states visited."""
    if model.z is not None or model.zh is not None:
        raise ValueError("Only Bernoulli units can be enumerated.")
    h_states = all_states(len(model.c))
    v_states = all_states(len(model.b))
    return log_sum_exp([-beta * energy(model, v, h) for v in v_states for h in h_states])


def log_partition_sum_out_hidden(model, beta=1.0):
    """log Z as a sum over every Bernoulli v, the hidden layer summed out in closed form."""
    if model.z is not None:
        raise ValueError("Summing out h leaves a sum over v, which must be Bernoulli.")
    logs = []
    for v in all_states(len(model.b)):
        own = own_energy(v, model.b, model.z)
        logs.append(-beta * own + log_layer_sum(v @ model.W, model.c, model.zh, beta))
    return log_sum_exp(logs)


def log_partition_sum_out_visible(model, beta=1.0):
    """log Z as a sum over every Bernoulli h, the visible layer summed out in closed form."""
    return log_partition_sum_out_hidden(swapped(model), beta)


def log_partition_gaussian(model, beta=1.0):
    """log Z of Gaussian visible and Gaussian hidden units, by the determinant.

    With x = (v, h) the energy is a quadratic form, E = x' P x / 2 - q' x + k, hence

        log Z = (n / 2) log(2 pi / beta) - log det(P) / 2 + beta (q' P^-1 q / 2 - k).

    Z is finite only if P is positive definite, which strong weights can spoil.
    """
    precision_v, precision_h = np.exp(-model.z), np.exp(-model.zh)
    coupling = np.outer(precision_v, precision_h) * model.W
    P = np.block([[np.diag(precision_v), -coupling], [-coupling.T, np.diag(precision_h)]])
    if np.linalg.eigvalsh(P).min() <= 0:
        raise ValueError("The precision matrix is not positive definite: Z is infinite.")
    q = np.concatenate([precision_v * model.b, precision_h * model.c])
    k = np.sum(precision_v * model.b**2) / 2 + np.sum(precision_h * model.c**2) / 2
    log_volume = len(q) / 2 * np.log(2 * np.pi / beta) - np.linalg.slogdet(P)[1] / 2
    return log_volume + beta * (q @ np.linalg.solve(P, q) / 2 - k)


def log_partition_quadrature(model, beta=1.0):
    """log Z = log int sum_h exp(-beta E(v, h)) dv on a grid, for 1 or 2 Gaussian v.

    The density of v is a mixture of normals N(mean(h), sigma^2 / beta). Ten standard deviations
    around all of the means hold it, and on such functions the trapezoidal rule with two points
    to the standard deviation errs by exp(-8 pi^2): nothing.
    """
    if model.z is None or model.zh is not None or len(model.b) > 2:
        raise ValueError("Quadrature wants one or two Gaussian visible and Bernoulli hidden units.")
    means = np.array([visible_moments(model, h)[0] for h in all_states(len(model.c))])
    steps = np.sqrt(np.exp(model.z) / beta) / 2
    grids = []
    for i, step in enumerate(steps):
        grids.append(np.arange(means[:, i].min() - 20 * step, means[:, i].max() + 20 * step, step))
    logs = [log_weight_visible(model, np.array(v), beta) for v in itertools.product(*grids)]
    largest = max(logs)
    density = np.exp(np.array(logs) - largest).reshape([len(grid) for grid in grids])
    for step in reversed(steps):
        density = integrate.trapezoid(density, dx=step, axis=-1)
    return largest + np.log(density)


def log_partition(model, beta=1.0):
    """log Z by whichever exact sum the unit types allow; the cheapest line, not a new method."""
    if model.zh is None:
        return log_partition_sum_out_visible(model, beta)
    if model.z is None:
        return log_partition_sum_out_hidden(model, beta)
    return log_partition_gaussian(model, beta)


# Probabilities -------------------------------------------------------------------------------


def joint_probabilities(model, beta=1.0):
    """The table p(v, h) = exp(-beta E) / Z, shape (2**n_visible, 2**n_hidden)."""
    log_z = log_partition_enumerate(model, beta)
    v_states, h_states = all_states(len(model.b)), all_states(len(model.c))
    return np.array(
        [[np.exp(-beta * energy(model, v, h) - log_z) for h in h_states] for v in v_states]
    )


def log_visible_probabilities(model, beta=1.0):
    """The table log p(v) = log sum_h exp(-beta E(v, h)) - log Z over Bernoulli v."""
    logs = np.array([log_weight_visible(model, v, beta) for v in all_states(len(model.b))])
    return logs - log_partition(model, beta)


def visible_probabilities(model, beta=1.0):
    """The table p(v) over Bernoulli v, whatever the hidden units are."""
    return np.exp(log_visible_probabilities(model, beta))


def hidden_probabilities(model, beta=1.0):
    """The table p(h) over Bernoulli h, whatever the visible units are."""
    return visible_probabilities(swapped(model), beta)


# Likelihood ----------------------------------------------------------------------------------


def log_likelihood(model, X, beta=1.0):
    """log p(v) = log sum_h exp(-beta E(v, h)) - log Z of each row v of X."""
    log_z = log_partition(model, beta)
    return np.array([log_weight_visible(model, v, beta) - log_z for v in X])


def mean_log_likelihood(model, X, beta=1.0):
    """The mean over the rows of X of log p(v)."""
    return log_likelihood(model, X, beta).mean()


def pseudo_log_likelihood(model, X, beta=1.0):
    """sum_i log p(v_i | v_-i) of each binary row, from the table of p(v) by definition.

    p(v_i | v_-i) = p(v) / (p(v) + p(v with unit i flipped)).
    """
    log_p = log_visible_probabilities(model, beta)
    scores = np.zeros(len(X))
    for row, v in enumerate(X):
        for i in range(len(v)):
            flipped = v.copy()
            flipped[i] = 1 - v[i]
            here, there = log_p[state_index(v)], log_p[state_index(flipped)]
            scores[row] += here - log_sum_exp([here, there])
    return scores


def flip_score(model, X, beta=1.0):
    """sum_i log sigmoid(beta (F(v with v_i -> 1 - v_i) - F(v))) of each row of any reals.

    On binary rows this is the pseudo-log-likelihood. scikit-learn's ``score_samples`` draws one
    i per row and multiplies its term by the number of units: this sum is the mean of that.
    """
    scores = np.zeros(len(X))
    for row, v in enumerate(X):
        for i in range(len(v)):
            flipped = v.copy()
            flipped[i] = 1 - v[i]
            rise = beta * (free_energy(model, flipped, beta) - free_energy(model, v, beta))
            scores[row] += -np.logaddexp(0.0, -rise)
    return scores
