"""The exact gradient, by enumeration of all states of the smaller layer with finitely many.

For every state x of the enumerated layer the other layer is summed out in closed form, so the model's averages are
sums over 2^n states,

    <f>_model = sum_x p(x) E[f | x],    p(x) = exp(-F(x)) / sum_x' exp(-F(x')).

Where entries of rows are missing, the data's averages are such sums for each row, given its known entries; rows of a
batch with the same gaps are summed together.

For models with one small layer: the cost doubles with each of its units. Of a pairwise model all units are enumerated,
but for those that can be summed out (:mod:`ebm.energies.pairwise_sums`); its hidden units also given each row.
"""

from dataclasses import dataclass
from functools import cached_property, singledispatch
from typing import Any

import numpy as np

from ebm._arrays import has_gaps
from ebm._checks import Array
from ebm._flat import in_double
from ebm._kernels.symmetry import symmetrise
from ebm._random import Key
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.edges import Edge
from ebm.energies.layer_graph import Layer
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import pairwise_moments
from ebm.energies.states import MAX_ENUMERATED, enumerable_side, state_blocks
from ebm.gradients.base import Batch, BoundGradient, ChainState, Gradient, Info, registered
from ebm.gradients.moments import (
    Moments,
    batch_weights,
    data_moments,
    mix,
    slide_offsets,
    write_difference,
)


@dataclass(frozen=True, repr=False)
class Exact(Gradient[Model]):
    """The exact gradient of the log-likelihood, by enumeration.

    Parameters
    ----------
    centered : bool, default=True
        Whether the gradient is centred.
    """

    centered: bool = True

    @property
    def models(self) -> tuple[type[Model], ...]:
        """Those registered with :func:`bind_exact`."""
        return registered(bind_exact)

    def n_chains_for(self, batch_size: int) -> int:
        """No chains."""
        return 0

    def bind(self, model: Model, gradient: Any, batch_size: int, n_chains: int) -> BoundGradient:
        """The estimator; refuses models without a small enough layer, or with too many units that are connected."""
        return bind_exact(model, gradient, batch_size, self.slide)


@singledispatch
def bind_exact(model: Model, gradient: Any, batch_size: int, slide: float) -> BoundGradient:
    """The estimator for the type of the model."""
    raise TypeError(
        f"There is no exact gradient of {model!r}: an energy registers its own bind_exact."
    )


class BoundExact(BoundGradient):
    """The exact estimator with its buffer; rows with gaps go to that of the same two layers as a layered model."""

    takes_gaps = True

    def __init__(
        self, model: Bipartite, gradient: BipartiteParameters, batch_size: int, slide: float
    ) -> None:
        self._model, self._gradient, self._slide = model, gradient, slide
        self._V = np.zeros((batch_size, gradient.W.shape[0]), gradient.W.dtype)

    @cached_property
    def _layered(self) -> BoundGradient:
        layers = [
            Layer(name, unit, size, visible=name == "visible")
            for name, unit, size in zip(
                ("visible", "hidden"),
                (self._model.visible, self._model.hidden),
                self._gradient.W.shape,
                strict=True,
            )
        ]
        model = LayeredModel(layers, [Edge("visible", "hidden")])
        return bind_exact(model, as_layers(self._gradient), len(self._V), self._slide)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._V[:n_rows]

    def __call__(
        self, params: BipartiteParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[BipartiteParameters, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood (see :class:`~ebm.gradients.base.BoundGradient`)."""
        if has_gaps(batch.v):
            _, chains, info = self._layered(as_layers(params), batch, chains, key)
            return self._gradient, chains, info
        weights = batch_weights(batch, np.float64)
        exact = in_double(params)
        data = data_moments(self._model, exact, batch.v.astype(np.float64), weights)
        slide_offsets(chains, data, self._slide)
        model = model_moments(self._model, exact)
        finite = write_difference(data, model, params, chains, self._gradient)
        return self._gradient, chains, Info(finite)


def as_layers(params: BipartiteParameters) -> LayeredParameters:
    """The same arrays as parameters of a layered model."""
    return LayeredParameters((params.W,), (params.visible, params.hidden))


class BoundExactPairwise(BoundGradient):
    """The exact estimator of a pairwise model."""

    def __init__(
        self, model: Pairwise, gradient: PairwiseParameters, batch_size: int, slide: float
    ) -> None:
        self._model, self._gradient, self._slide = model, gradient, slide
        self._V = np.zeros((batch_size, model.shape(gradient)[0]), gradient.J.dtype)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._V[:n_rows]

    def __call__(
        self, params: PairwiseParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[PairwiseParameters, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood (see :class:`~ebm.gradients.base.BoundGradient`)."""
        weights, mu = batch_weights(batch, np.float64), chains.visible_offset
        data = pairwise_moments(self._model, params, v=batch.v, weights=weights)
        model = pairwise_moments(self._model, params)
        mu += self._slide * (data.mean - mu)
        dJ, db = data.correlations - model.correlations, data.mean - model.mean
        dJ -= np.outer(mu, db) + np.outer(db, mu)
        symmetrise(dJ)  # products of matrices are but for rounding
        self._gradient.J[:] = self._model.joined(dJ)
        self._gradient.bias[:] = db - dJ @ mu
        finite = all(bool(np.isfinite(x).all()) for x in self._gradient)
        return self._gradient, chains, Info(finite)


def model_moments(model: Bipartite, params: BipartiteParameters) -> Moments:
    """Exact averages under the model at beta = 1."""
    side = enumerable_side(model, params, MAX_ENUMERATED)
    if side == "hidden":
        other, swapped = model.swapped(params)
        m = model_moments_of_visible(other, swapped)
        return Moments(m.vh.T, m.h, m.v, m.params_h, m.params_v)
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
        shares = np.exp(log_z - merged), np.exp(block_z - merged)
        total = m if total is None else mix(total, shares[0], m, shares[1])
        log_z = merged
    assert total is not None
    return total


@bind_exact.register
def _(
    model: Bipartite, gradient: BipartiteParameters, batch_size: int, slide: float
) -> BoundGradient:
    enumerable_side(model, gradient, MAX_ENUMERATED)
    return BoundExact(model, gradient, batch_size, slide)


@bind_exact.register
def _(
    model: Pairwise, gradient: PairwiseParameters, batch_size: int, slide: float
) -> BoundGradient:
    return BoundExactPairwise(model, gradient, batch_size, slide)
