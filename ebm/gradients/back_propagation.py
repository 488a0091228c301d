"""Back-propagation: the exact gradient of a network's mean log-likelihood of the targets given the inputs.

With the loss -log p(targets | x) a network is a model of that conditional distribution. Training is as elsewhere: a
step uphill of the log-likelihood of each batch. The gradient needs no chains.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ebm._checks import Array, check_flag, check_real
from ebm._random import Key
from ebm._sparse import SparseRows, dense, is_thin
from ebm.energies.base import Model
from ebm.gradients.base import Batch, BoundGradient, ChainState, Gradient, Info
from ebm.networks.network import Network, Parameters

# Numbers of the inputs that are passed through the network at a time where the gradient is that of all rows.
BLOCK_NUMBERS = 1 << 20


@dataclass(frozen=True, repr=False)
class BackPropagation(Gradient[Network]):
    """Back-propagation of the mean loss over the batch plus ``alpha / (2 rows) sum W^2``.

    Parameters
    ----------
    alpha : float >= 0, default=0.0
        Coefficient of the penalty on half the squared weights. It is divided by the number of rows of the batch, as in
        scikit-learn's networks: the penalty counts once per batch, however large the batch is.
    reconstructs : bool, default=False
        Whether the targets are the rows themselves, which then have no other. A first layer that changes its inputs in
        training, as :class:`~ebm.networks.dropout.Dropout`, corrupts the inputs and not the targets. A network with a
        layer whose cost depends on labels always reconstructs: what follows the inputs in a row are these labels.
    """

    divergence_hint = (
        "a smaller learning rate, clip_norm, or data on a common scale (StandardScaler)"
    )
    centered = False  # there are no offsets
    alpha: float = 0.0
    reconstructs: bool = False

    def __post_init__(self) -> None:
        check_real(self.alpha, "alpha")
        check_flag(self.reconstructs, "reconstructs")

    @property
    def models(self) -> tuple[type[Model], ...]:
        """Only these."""
        return (Network,)

    def n_chains_for(self, batch_size: int) -> int:
        """No chains."""
        return 0

    def decay(self, weight_decay: float, n_rows: int) -> float:
        """The share of a row."""
        return (weight_decay + self.alpha) / n_rows

    def bind(self, model: Network, gradient: Any, batch_size: int, n_chains: int) -> BoundGradient:
        """The estimator for a network."""
        self.check_supports(model)
        reconstructs = self.reconstructs or model.n_labels > 0
        return BoundBackPropagation(model, gradient, self.alpha, reconstructs)


class BoundBackPropagation(BoundGradient):
    """The estimator: a row of data is that of the inputs followed by its targets, or both at once."""

    def __init__(
        self, model: Network, gradient: Parameters, alpha: float, reconstructs: bool = False
    ) -> None:
        self._model, self._gradient, self._alpha = model, gradient, alpha
        n_in, n_out = model.shape(gradient)
        if reconstructs and n_in != n_out:
            raise ValueError(
                f"A network that reconstructs its inputs has as many outputs. Got {n_in} inputs and {n_out} outputs."
            )
        self._reconstructs = reconstructs
        self._n_columns = n_in + (model.n_labels if reconstructs else n_out)
        self.takes_sparse = model.takes_sparse

    def rows(self, n_rows: int) -> Array:
        """Any array will do."""
        return np.empty((n_rows, self._n_columns), self._model.weights(self._gradient)[0].dtype)

    def __call__(
        self, params: Parameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[Parameters, ChainState, Info]:
        """The gradient (see :class:`~ebm.gradients.base.BoundGradient`), and the loss, penalty included."""
        model, v = self._model, batch.v
        x, others = _parts(v, model.n_in)
        targets, labels = (dense(x), others) if self._reconstructs else (others, None)
        loss, where, cost = model.back_propagate(
            params, x, targets, self._gradient, weights=batch.weights, key=key, labels=labels
        )
        if model.loss.shown_per_output:
            loss /= model.widths[-1]
        loss += cost
        if self._alpha:
            squares = sum(float(np.vdot(w, w)) for w in model.weights(params))
            loss += 0.5 * self._alpha / len(v) * squares
        return self._gradient, chains, Info(not where, {"loss": loss}, where)

    def infinite_part(self) -> str:
        """The layer by whose parameters a derivative is not finite."""
        return self._model.infinite_derivatives(self._gradient)


def _parts(v: Any, n_in: int) -> tuple[Any, Array]:
    """Inputs and targets of the rows of a batch."""
    if isinstance(v, SparseRows):
        return v.matrix, v.targets
    return v[:, :n_in], v[:, n_in:]


class MeanCost:
    """The mean loss of all rows plus ``alpha / (2 rows) sum W^2``, and its gradient, as a function of the flat vector.

    `X` (rows, n_in), dense or CSR, and `targets` (rows, outputs) are passed through block by block; without targets
    these are the rows themselves. So they are where a cost of the network depends on labels, which `targets` then are.
    With `weights` (rows,) the loss is the weighted mean and the rows are the sum of the weights. The costs of layers
    are those of all rows, whatever the blocks. Where the loss or its gradient is not finite, both are NaN, and
    :attr:`where` says what ceased to be finite.
    """

    def __init__(
        self,
        model: Network,
        X: Any,
        targets: Array | None,
        weights: Array | None = None,
        alpha: float = 0.0,
    ) -> None:
        self._model, self._X, self._alpha = model, X, alpha
        self._targets: Array | None = None if model.n_labels else targets
        self._labels: Array | None = targets if model.n_labels else None
        self._is_thin = model.takes_sparse and is_thin(X)
        self._w = np.ones(X.shape[0]) if weights is None else np.asarray(weights, np.float64)
        self._total = self._w.sum()
        self.where = ""

    @property
    def diverged(self) -> str:
        """A sentence on what ceased to be finite."""
        return f"{self.where} grew beyond all bounds. Use data on a common scale (StandardScaler)"

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """The value, and the slopes (parameters,)."""
        with np.errstate(all="ignore"):  # the result shows values that are not finite
            value, slopes = self._of_rows(theta.astype(self._X.dtype))
            decayed = slice(0, self._n_weights)
            slopes[decayed] += self._alpha / self._total * theta[decayed]
            value += 0.5 * self._alpha / self._total * float(theta[decayed] @ theta[decayed])
        if self.where or not np.isfinite(value):
            self.where = self.where or "the loss"
            return np.nan, np.full(len(theta), np.nan)
        return value, slopes

    def _of_rows(self, flat: Array) -> tuple[float, Array]:
        model, part = self._model, np.zeros_like(flat)
        params, gradient = model.unpack(flat), model.unpack(part)
        self._n_weights, self.where = model.n_weights(params), ""
        value, slopes, blocks = 0.0, np.zeros(len(flat)), [*self._blocks()]
        means = self._means(params, blocks) if model.has_costs and len(blocks) > 1 else None
        for rows, share, row_weights in blocks:
            x = self._rows(rows)
            targets = dense(x) if self._targets is None else self._targets[rows]
            labels = None if self._labels is None else self._labels[rows]
            shares = row_weights.astype(flat.dtype)
            loss, where, cost = model.back_propagate(
                params, x, targets, gradient, weights=shares, means=means, labels=labels
            )
            self.where = self.where or where or model.infinite_derivatives(gradient)
            value += share * (loss + cost)
            slopes -= share * part
        return value, slopes

    def _rows(self, rows: slice) -> Any:
        return self._X[rows] if self._is_thin else dense(self._X[rows])

    def _means(
        self, params: Parameters, blocks: list[tuple[slice, float, Array]]
    ) -> dict[int, Array]:
        """Mean outputs, over all rows, of the layers that have a cost."""
        means: dict[int, Array] = {}
        for rows, share, row_weights in blocks:
            for k, y in enumerate(self._model.outputs(params, self._rows(rows))):
                if self._model.layers[k].has_cost:
                    means[k] = means.get(k, 0.0) + share * (row_weights @ y)
        return means

    def _blocks(self) -> Iterator[tuple[slice, float, Array]]:
        """Consecutive rows, their share of all weight, and the weights within that."""
        numbers = self._X.nnz // len(self._w) if self._is_thin else self._model.n_in
        step = max(1, BLOCK_NUMBERS // max(1, *self._model.widths[1:], numbers))
        step = len(self._w) if self._model.is_joint else step
        for first in range(0, len(self._w), step):
            rows = slice(first, first + step)
            total = self._w[rows].sum()
            if total:
                yield rows, float(total / self._total), self._w[rows] / total
