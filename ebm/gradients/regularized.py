"""Regularisers that act on the hidden units' activity rather than on the parameters: sparsity and dropout.

*Sparsity* (Lee, Ekanadham & Ng 2008): with q_j the mean over the batch of E[h_j | v], the penalty

    (cost / 2) sum_j (q_j - target)^2

is lowered along its exact gradient, which for binary units acts through the slope of the activity,

    -d/dW_ij = cost (target - q_j) < s(v_i) E[h_j | v] (1 - E[h_j | v]) >_batch,

and for Gaussian visible units through their variances, which divide the statistic s(v).
It joins the gradient of the log-likelihood in the same, centred or plain, coordinates (:mod:`ebm.gradients.base`).

*Dropout* (Srivastava et al. 2014, section 8): an update is made to the machine that is left when a random part of the
hidden units is held off, in both phases. One set of units is drawn per update, for all rows of the batch, so that any
estimator of the gradient can be asked about the smaller machine.
"""

import numpy as np

from ebm._checks import Array
from ebm._random import Key, uniform
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.gradients.base import Batch, ChainState

# Bias of a unit that is held off: no input comes near it.
OFF = -1e6


def add_sparsity(
    model: Bipartite,
    params: BipartiteParameters,
    batch: Batch,
    chains: ChainState,
    settings: tuple[float, float],
    gradient: BipartiteParameters,
) -> None:
    """Add the descent of the sparsity penalty, `settings` = (target, cost), on `batch` to `gradient`, in place."""
    target, cost = settings
    n_rows = len(batch.v)
    weights = np.full(n_rows, 1 / n_rows) if batch.weights is None else batch.weights
    h = model.hidden_mean(params, batch.v)
    weights = weights.astype(h.dtype)
    pull = h.dtype.type(cost) * (h.dtype.type(target) - weights @ h)
    slope = h * (1 - h) * pull * weights[:, np.newaxis]
    s = model.visible.statistic(params.visible, batch.v)
    plain = s.T @ slope
    for own in gradient.visible[1:]:  # scales: they divide the statistic
        own[:] -= (params.W * plain).sum(axis=1)
    dW = plain - np.outer(chains.mu, slope.sum(axis=0))
    gradient.W[:] += dW
    gradient.visible.bias[:] -= dW @ chains.lam
    gradient.hidden.bias[:] += slope.sum(axis=0) - chains.mu @ dW


def dropped_units(n_hidden: int, probability: float, key: Key) -> Array:
    """Which hidden units (n_hidden,) are left out of an update: booleans, each true with the `probability`."""
    return uniform(key, n_hidden) < probability


def without(params: BipartiteParameters, dropped: Array) -> BipartiteParameters:
    """The machine with the `dropped` binary hidden units held off."""
    bias = np.where(dropped, params.hidden.bias.dtype.type(OFF), params.hidden.bias)
    return params._replace(hidden=params.hidden._replace(bias=bias))


def leave_alone(gradient: BipartiteParameters, dropped: Array, lam: Array) -> None:
    """Take the `dropped` units out of a gradient, in place; the visible biases' share in them goes back to these."""
    gradient.visible.bias[:] += gradient.W @ (lam * dropped)
    kept = (~dropped).astype(lam.dtype)
    gradient.W[:] *= kept
    gradient.hidden.bias[:] *= kept
