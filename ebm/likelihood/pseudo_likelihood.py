"""The pseudo-log-likelihood (Besag 1975): how well each visible unit is predicted by all the others,

    sum_i log p(v_i | v without v_i),

without a partition function, without randomness, with the hidden units summed out. It is largest, in expectation, at
the data's law, as the likelihood is.

Bernoulli units that hold a probability instead of a state are scored by log sigmoid(F(v with 1 - v_i) - F(v)), the
expectation of what scikit-learn's ``BernoulliRBM.score_samples`` draws one sample of.
"""

import numpy as np

from ebm._checks import Array
from ebm._kernels.flips import flip_scores
from ebm.energies.bipartite import Bipartite, BipartiteParameters, in_double
from ebm.likelihood.exact import gaussian_precision
from ebm.units import Bernoulli, Gaussian

# exp of a product of RUN factors exp(|W|) must not overflow: RUN * max|W| stays below this.
LOG_LARGEST = 600.0
# A sum over points 0.75 standard deviations apart is the integral of a Gaussian to 2 exp(-2 pi^2 / 0.75^2) = 1e-15 of
# its value (Poisson's summation formula); nine standard deviations around the outermost means hold all but 1e-18.
SPACING, REACH = 0.75, 9.0
BLOCK_NUMBERS = 1 << 20
POINTS = 32  # of the grid at a time


def pseudo_log_likelihood(model: Bipartite, params: BipartiteParameters, v: Array) -> Array:
    """Pseudo-log-likelihood of each row of `v` (rows, n_visible), in nats: -> (rows,) in double precision.

    Exact for every pair of unit types; deterministic. Costs one free energy of the whole model per visible unit.
    """
    params = in_double(params)
    v = v.astype(np.float64)
    if isinstance(model.visible, Gaussian):
        if isinstance(model.hidden, Gaussian):
            return _gaussian_pair(params, v)
        return _gaussian_visible(model, params, v)
    largest = np.abs(params.W).max()
    out = np.empty(len(v))
    # The fast way multiplies exponentials, which has bounds; all that is outside takes the general one.
    fast = np.abs(1 - 2 * v).max(axis=1) <= 1
    fast &= isinstance(model.hidden, Bernoulli) and largest < LOG_LARGEST
    if fast.any():
        out[fast] = _bernoulli_pair(params, v[fast], largest)
    out[~fast] = _two_state_visible(model, params, v[~fast])
    return out


def _bernoulli_pair(params: BipartiteParameters, v: Array, largest: float) -> Array:
    out = np.empty(len(v))
    growth = np.exp(np.stack([params.W, -params.W]))
    run = int(np.clip(LOG_LARGEST / max(largest, 1e-9), 1, 256))
    inputs = v @ params.W + params.hidden.bias
    flip_scores(v, inputs, params.W, params.visible.bias, growth, run, out)
    return out


def _two_state_visible(model: Bipartite, params: BipartiteParameters, v: Array) -> Array:
    low, high = model.visible.states or ()
    before = model.free_energy(params, v)
    out = np.zeros(len(v))
    for i in range(v.shape[1]):
        flipped = v.copy()
        flipped[:, i] = low + high - v[:, i]
        out -= np.logaddexp(0, before - model.free_energy(params, flipped))
    return out


def _gaussian_visible(model: Bipartite, params: BipartiteParameters, v: Array) -> Array:
    """Two-state hidden units: v_i given the others is a mixture of Gaussians of one variance, integrated on a grid."""
    low, high = model.hidden.states or ()
    inputs = model.hidden_input(params, v)
    at_v = model.hidden.log_normaliser(params.hidden, inputs)
    out = np.zeros(len(v))
    for i, (b, z) in enumerate(zip(*params.visible, strict=True)):
        w, sd = params.W[i], np.exp(z / 2)
        first = b + np.minimum(low * w, high * w).sum() - REACH * sd
        last = b + np.maximum(low * w, high * w).sum() + REACH * sd
        integral = np.full(len(v), -np.inf)
        step = max(1, BLOCK_NUMBERS // (POINTS * len(w)))
        for k in range(0, int((last - first) / (SPACING * sd)) + 1, POINTS):
            x = first + SPACING * sd * np.arange(k, k + POINTS)
            for r in range(0, len(v), step):
                change = (x - v[r : r + step, i, np.newaxis]) / sd**2
                moved = inputs[r : r + step, np.newaxis] + change[:, :, np.newaxis] * w
                a = model.hidden.log_normaliser(params.hidden, moved.reshape(-1, len(w)))
                log_weights = a.reshape(-1, POINTS) - 0.5 * ((x - b) / sd) ** 2
                part = np.logaddexp.reduce(log_weights, axis=1)
                integral[r : r + step] = np.logaddexp(integral[r : r + step], part)
        out += at_v - 0.5 * ((v[:, i] - b) / sd) ** 2 - integral - np.log(SPACING * sd)
    return out


def _gaussian_pair(params: BipartiteParameters, v: Array) -> Array:
    """Two Gaussian layers: v is Gaussian, with the Schur complement P of the joint precision."""
    n = v.shape[1]
    joint = gaussian_precision(params)
    cross, inner = joint[:n, n:], joint[n:, n:]
    P = joint[:n, :n] - cross @ np.linalg.solve(inner, cross.T)
    # The mean solves P (mean - b) = C c + C q^-1 C' b with C = -cross: the pull of the hidden units at v = b.
    pull = -cross @ (params.hidden.bias - np.linalg.solve(inner, cross.T @ params.visible.bias))
    mean = params.visible.bias + np.linalg.solve(P, pull)
    residual = (v - mean) @ P
    d = np.diag(P)
    out: Array = 0.5 * np.sum(np.log(d / (2 * np.pi)) - residual**2 / d, axis=1)
    return out
