"""Contrastive gradients of tables of bits and categories, in compiled code.

Bits followed by groups of categories are one layer for compiled code (:class:`ebm.units.OneHot`). The arrays of both
models (:attr:`ebm.energies.columns.ColumnModel.fused`) stand in the same order in the flat vector. So the estimator of
two layers takes views of that vector, and is as fast as for two layers of one type each.
"""

from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._flat import leaves
from ebm._random import Key
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.energies.layers import LayeredParameters
from ebm.gradients.base import Ascent, Batch, BoundGradient, ChainState, Info
from ebm.gradients.contrastive import bind_contrastive
from ebm.gradients.layered import BoundLayeredChains


@bind_contrastive.register
def _(
    model: ColumnModel,
    gradient: LayeredParameters,
    batch_size: int,
    n_chains: int | None,
    n_steps: int,
    slide: float,
) -> BoundGradient:
    settings = batch_size, n_chains, n_steps, slide
    if model.fused is None:
        return BoundLayeredChains(model, gradient, *settings)
    return BoundColumns(model, model.fused, gradient, settings)


class BoundColumns(BoundGradient):
    """The estimator of the fused model, between the two spellings of parameters and gradients."""

    def __init__(
        self,
        model: ColumnModel,
        fused: Bipartite,
        gradient: LayeredParameters,
        settings: tuple[Any, ...],
    ) -> None:
        self._model, self._fused, self._gradient = model, fused, gradient
        self._settings, self._shape = settings, model.shape(gradient)
        self._flat = np.zeros_like(model.pack(gradient))
        self._views = model.unpack(self._flat, *self._shape)
        self._inner = self._bound(self._flat)
        self._ascending: tuple[Array, BoundGradient] = (self._flat, self._inner)

    def _bound(self, flat: Array) -> BoundGradient:
        """The estimator that writes to the vector `flat`."""
        gradient = self._fused.unpack(flat, *self._shape)
        return bind_contrastive(self._fused, gradient, *self._settings)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._inner.rows(n_rows)

    def __call__(
        self, params: LayeredParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[LayeredParameters, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood (see :class:`~ebm.gradients.base.BoundGradient`)."""
        fused = self._fused.unpack(self._model.pack(params), *self._shape)
        _, chains, info = self._inner(fused, batch, chains, key)
        for x, found in zip(leaves(self._gradient), leaves(self._views), strict=True):
            x[:] = found
        return self._gradient, chains, info

    def ascend(
        self, task: Ascent, batches: Batch, batch_size: int, chains: ChainState, key: Key
    ) -> int | None:
        """All updates in compiled code, on views of the same vectors."""
        if self._ascending[0] is not task.gradient:
            self._ascending = task.gradient, self._bound(task.gradient)
        params, views = (self._fused.unpack(x, *self._shape) for x in (task.theta, task.gradient))
        fused = task._replace(params=params, views=views)
        return self._ascending[1].ascend(fused, batches, batch_size, chains, key)
