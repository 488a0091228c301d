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

from typing import Any, cast

import numpy as np

from ebm._checks import Array
from ebm._random import Key, Reserved, fold, uniform
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.gradients.base import Batch, BoundGradient, ChainState, Info
from ebm.optimizers.regularization import Regularization

# Bias of a unit that is held off: no input comes near it.
OFF = -1e6


def regularized(
    bound: BoundGradient, model: Model, gradient: Any, choice: Regularization
) -> BoundGradient:
    """The estimator `bound`, which writes to `gradient`, with the sparsity and dropout of the `choice`."""
    # Only of a Bipartite one can it be asked: has_binary_hidden.
    return BoundRegularized(bound, cast(Bipartite, model), gradient, choice)


class BoundRegularized(BoundGradient):
    """An estimator of the gradient, with the sparsity penalty's added, of the machine that dropout leaves."""

    def __init__(
        self,
        bound: BoundGradient,
        model: Bipartite,
        gradient: BipartiteParameters,
        choice: Regularization,
    ) -> None:
        self._bound, self._model, self._gradient, self._choice = bound, model, gradient, choice
        # The penalty of activity is for dense and complete rows.
        self.takes_sparse = bound.takes_sparse and choice.sparsity_target is None
        self.takes_gaps = bound.takes_gaps and choice.sparsity_target is None

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._bound.rows(n_rows)

    def __call__(
        self, params: BipartiteParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[BipartiteParameters, ChainState, Info]:
        """The gradient (see :class:`~ebm.gradients.base.BoundGradient`)."""
        choice, gradient, dropped = self._choice, self._gradient, None
        if choice.dropout:
            dropped = dropped_units(
                len(params.hidden.bias), choice.dropout, fold(key, Reserved.DROPOUT.number)
            )
            params = without(params, dropped)
        _, chains, info = self._bound(params, batch, chains, key)
        if choice.sparsity_target is not None:
            settings = (choice.sparsity_target, choice.sparsity_cost)
            add_sparsity(self._model, params, batch, chains, settings, gradient)
        if dropped is not None:
            leave_alone(gradient, dropped, chains.hidden_offset)
        return gradient, chains, info

    def infinite_part(self) -> str:
        """As the estimator says."""
        return self._bound.infinite_part()


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
    for values in gradient.visible[1:]:  # scales: they divide the statistic
        values[:] -= (params.W * plain).sum(axis=1)
    dW = plain - np.outer(chains.visible_offset, slope.sum(axis=0))
    gradient.W[:] += dW
    gradient.visible.bias[:] -= dW @ chains.hidden_offset
    gradient.hidden.bias[:] += slope.sum(axis=0) - chains.visible_offset @ dW


def dropped_units(n_hidden: int, probability: float, key: Key) -> Array:
    """Which hidden units (n_hidden,) are left out of an update: booleans, each true with the `probability`."""
    return uniform(key, n_hidden) < probability


def without(params: BipartiteParameters, dropped: Array) -> BipartiteParameters:
    """The machine with the `dropped` binary hidden units held off."""
    bias = np.where(dropped, params.hidden.bias.dtype.type(OFF), params.hidden.bias)
    return params._replace(hidden=params.hidden._replace(bias=bias))


def leave_alone(gradient: BipartiteParameters, dropped: Array, offset: Array) -> None:
    """Take the `dropped` units out of a gradient, in place; the visible biases' share in them goes back to these."""
    gradient.visible.bias[:] += gradient.W @ (offset * dropped)
    kept = (~dropped).astype(offset.dtype)
    gradient.W[:] *= kept
    gradient.hidden.bias[:] *= kept
