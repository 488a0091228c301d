"""Back-propagation: the exact gradient of a network's mean log-likelihood of the targets given the inputs.

A loss that is -log p(targets | x) makes of a network a model of that conditional law, and what training does is what it
does elsewhere: a step uphill of the log-likelihood of each batch. The gradient needs no chains.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebm._checks import Array, check_real
from ebm._random import Key
from ebm.gradients.base import Batch, BoundGradient, ChainState, Gradient, Info
from ebm.networks.network import Network, Parameters
from ebm.optimizers.lbfgs import Cost

# Numbers of the inputs that are passed through the network at a time where the gradient is that of all rows.
BLOCK_NUMBERS = 1 << 20


@dataclass(frozen=True, repr=False)
class BackPropagation(Gradient):
    """Back-propagation of the mean loss over the batch plus ``alpha / (2 rows) sum W^2``.

    Parameters
    ----------
    alpha : float >= 0, default=0.0
        Coefficient of the penalty on half the squared weights, which is divided by the rows of the batch as in
        scikit-learn's networks: it counts once per batch, however many rows that has.
    """

    remedy = "a smaller learning rate, clip_norm, or data on a common scale (StandardScaler)"
    centered = False  # there are no offsets
    alpha: float = 0.0

    def __post_init__(self) -> None:
        check_real(self.alpha, "alpha")

    def n_chains_for(self, batch_size: int) -> int:
        """No chains."""
        return 0

    def decay(self, weight_decay: float, n_rows: int) -> float:
        """The share of a row."""
        return (weight_decay + self.alpha) / n_rows

    def bind(self, model: Any, gradient: Any, batch_size: int, n_chains: int) -> BoundGradient:
        """The estimator for a network."""
        if not isinstance(model, Network):
            raise ValueError(f"BackPropagation is for networks. Got {model!r}.")
        return BoundBackPropagation(model, gradient, self.alpha)


def no_chains(dtype: Any) -> ChainState:
    """Nothing is carried from step to step."""
    nothing = np.zeros(0, dtype)
    return ChainState(nothing.reshape(0, 0), nothing, nothing)


class BoundBackPropagation(BoundGradient):
    """The estimator: a row of data is that of the inputs followed by its targets."""

    def __init__(self, model: Network, gradient: Parameters, alpha: float) -> None:
        self._model, self._gradient, self._alpha = model, gradient, alpha
        self._n_columns = sum(model.shape(gradient))

    def rows(self, n_rows: int) -> Array:
        """Any array will do."""
        return np.empty((n_rows, self._n_columns), self._model.weights(self._gradient)[0].dtype)

    def __call__(
        self, params: Parameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[Parameters, ChainState, Info]:
        """The gradient (see :class:`~ebm.gradients.base.BoundGradient`), and the loss, penalty included."""
        model, v = self._model, batch.v
        x, targets = v[:, : model.n_in], v[:, model.n_in :]
        loss, where = model.back_propagate(
            params, x, targets, self._gradient, weights=batch.weights, key=key
        )
        if model.loss.shown_per_output:
            loss /= model.widths[-1]
        if self._alpha:
            squares = sum(float(np.vdot(w, w)) for w in model.weights(params))
            loss += 0.5 * self._alpha / len(v) * squares
        return self._gradient, chains, Info(not where, {"loss": loss}, where)

    def infinite_part(self) -> str:
        """The layer by whose parameters a derivative is not finite."""
        return self._model.infinite_derivatives(self._gradient)


def mean_cost(
    model: Network,
    X: Any,
    targets: Array,
    weights: Array | None = None,
    alpha: float = 0.0,
) -> Cost:
    """The mean loss of all rows plus ``alpha / (2 rows) sum W^2``, and its gradient, as a function of the flat vector.

    `X` (rows, n_in), dense or CSR, and `targets` (rows, outputs) are passed through block by block; with `weights`
    (rows,) the loss is the weighted mean and the rows are the sum of the weights.
    """
    dtype = X.dtype
    w = np.ones(X.shape[0]) if weights is None else np.asarray(weights, np.float64)
    total, step = w.sum(), max(1, BLOCK_NUMBERS // max(1, model.n_in))

    def cost(theta: Array) -> tuple[float, Array]:
        flat = theta.astype(dtype)
        params, slopes = model.unpack(flat), np.zeros(len(theta))
        part = np.zeros_like(flat)
        gradient, value = model.unpack(part), 0.0
        for first in range(0, len(w), step):
            rows = slice(first, first + step)
            x, share = X[rows], w[rows].sum()
            if not share:
                continue
            x = x.toarray() if hasattr(x, "toarray") else x
            own = (w[rows] / share).astype(dtype)
            loss, _ = model.back_propagate(params, x, targets[rows], gradient, weights=own)
            value += share / total * loss
            slopes -= share / total * part
        decayed = slice(0, model.n_weights(params))
        slopes[decayed] += alpha / total * theta[decayed]
        return value + 0.5 * alpha / total * float(theta[decayed] @ theta[decayed]), slopes

    return cost
