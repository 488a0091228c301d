"""The exact gradient, by enumeration of all states of the smaller layer with finitely many.

For every state x of the enumerated layer the other layer is summed out in closed form, so the model's averages are
sums over 2^n states,

    <f>_model = sum_x p(x) E[f | x],    p(x) = exp(-F(x)) / sum_x' exp(-F(x')).

For models with one small layer: the cost doubles with each of its units.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._random import Key
from ebm.energies.bipartite import Bipartite, BipartiteParameters, in_double
from ebm.energies.states import MAX_ENUMERATED, enumerable_side, state_blocks
from ebm.gradients.base import Batch, BoundGradient, ChainState, Gradient, Info


@dataclass(frozen=True, repr=False)
class Exact(Gradient):
    """The exact gradient of the log-likelihood, by enumeration.

    Parameters
    ----------
    centered : bool, default=True
        Whether the gradient is centred.
    """

    centered: bool = True

    def n_chains_for(self, batch_size: int) -> int:
        """No chains."""
        return 0

    def bind(
        self, model: Bipartite, gradient: BipartiteParameters, batch_size: int, n_chains: int
    ) -> BoundGradient:
        """The estimator; refuses models without a small enough layer."""
        enumerable_side(model, gradient, MAX_ENUMERATED)
        return BoundExact(model, gradient, batch_size, self.slide)


class Moments(NamedTuple):
    """Averages of -dE/dtheta: s(v)s(h)', s(v), s(h), and of the layers' own parameters by field name."""

    vh: Array
    v: Array
    h: Array
    own_v: dict[str, Array]
    own_h: dict[str, Array]


class BoundExact(BoundGradient):
    """The exact estimator with its buffer."""

    def __init__(
        self, model: Bipartite, gradient: BipartiteParameters, batch_size: int, slide: float
    ) -> None:
        self._model, self._gradient, self._slide = model, gradient, slide
        self._V = np.zeros((batch_size, gradient.W.shape[0]), gradient.W.dtype)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._V[:n_rows]

    def __call__(
        self, params: BipartiteParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[BipartiteParameters, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood (see :class:`~ebm.gradients.base.BoundGradient`)."""
        weights = batch.weights
        if weights is None:
            weights = np.full(len(batch.v), 1.0 / len(batch.v))
        exact = in_double(params)
        data = data_moments(self._model, exact, batch.v.astype(np.float64), weights)
        chains.mu[:] += self._slide * (data.v - chains.mu)
        chains.lam[:] += self._slide * (data.h - chains.lam)
        finite = _difference(
            data, model_moments(self._model, exact), params, chains, self._gradient
        )
        return self._gradient, chains, Info(finite)


def data_moments(
    model: Bipartite, params: BipartiteParameters, v: Array, weights: Array
) -> Moments:
    """Averages over the rows of `v` with `weights` that sum to one; h is averaged given v."""
    inputs = model.hidden_input(params, v)
    s = model.visible.statistic(params.visible, v)
    h = model.hidden.statistic(params.hidden, model.hidden.mean(params.hidden, inputs))
    return Moments(
        (s.T * weights) @ h,
        weights @ s,
        weights @ h,
        {k: weights @ d for k, d in model.visible.own_derivatives(params.visible, v).items()},
        {k: weights @ d for k, d in model.hidden.mean_derivatives(params.hidden, inputs).items()},
    )


def model_moments(model: Bipartite, params: BipartiteParameters) -> Moments:
    """Exact averages under the model at beta = 1."""
    side = enumerable_side(model, params, MAX_ENUMERATED)
    if side == "hidden":
        other, swapped = model.swapped(params)
        m = model_moments_of_visible(other, swapped)
        return Moments(m.vh.T, m.h, m.v, m.own_h, m.own_v)
    return model_moments_of_visible(model, params)


def model_moments_of_visible(model: Bipartite, params: BipartiteParameters) -> Moments:
    """The same, enumerating the visible layer: moments of blocks of states, merged by their weights in Z."""
    total: Moments | None = None
    log_z = -np.inf
    for block in state_blocks(model.visible.states, params.W.shape[0]):
        log_weights = -model.free_energy(params, block)
        block_z = np.logaddexp.reduce(log_weights)
        m = data_moments(model, params, block, np.exp(log_weights - block_z))
        merged = np.logaddexp(log_z, block_z)
        total = (
            m if total is None else _mix(total, np.exp(log_z - merged), m, np.exp(block_z - merged))
        )
        log_z = merged
    assert total is not None
    return total


def _mix(a: Any, p: float, b: Any, q: float) -> Any:
    if isinstance(a, dict):
        return {k: p * a[k] + q * b[k] for k in a}
    if isinstance(a, Moments):
        return Moments(*(_mix(x, p, y, q) for x, y in zip(a, b, strict=True)))
    return p * a + q * b


def _difference(
    data: Moments,
    model: Moments,
    params: BipartiteParameters,
    chains: ChainState,
    gradient: BipartiteParameters,
) -> bool:
    """Write the centred difference of the phases to `gradient`; whether it is finite."""
    vh, dv, dh = data.vh - model.vh, data.v - model.v, data.h - model.h
    dW = vh - np.outer(chains.mu, dh) - np.outer(dv, chains.lam)
    gradient.W[:] = dW
    gradient.visible.bias[:] = dv - dW @ chains.lam
    gradient.hidden.bias[:] = dh - chains.mu @ dW
    coupling = params.W * vh
    for field, value in data.own_v.items():
        getattr(gradient.visible, field)[:] = value - model.own_v[field] - coupling.sum(axis=1)
    for field, value in data.own_h.items():
        getattr(gradient.hidden, field)[:] = value - model.own_h[field] - coupling.sum(axis=0)
    arrays = (gradient.W, *gradient.visible, *gradient.hidden)
    return all(bool(np.isfinite(x).all()) for x in arrays)
