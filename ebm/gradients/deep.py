"""Contrastive gradients of chains of layers in compiled code: deep Boltzmann machines and the parts they are made of.

A chain has one visible layer, and hidden layers of one type above it, each connected to the next one. Its gradients are
those of :mod:`ebm.gradients.layered` up to rounding. Chains whose hidden units have further parameters than biases, and
other models of layers, are left to that module.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._flat import leaves
from ebm._kernels import deep as kernels
from ebm._kernels.ascent import step as ascent_step
from ebm._random import Key, fold
from ebm.energies.edges import Dense
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.gradients.base import Ascent, Batch, BoundGradient, ChainState, Info
from ebm.gradients.contrastive import bind_contrastive
from ebm.gradients.layered import BoundLayeredChains
from ebm.gradients.moments import batch_weights


def is_chain(model: LayeredModel) -> bool:
    """Whether the compiled code knows the model: see the module docstring."""
    _, *above = model.layers
    return (
        model.shown == (0,)
        and list(model.ends) == [(k, k + 1) for k in range(len(above))]
        and all(edge.coupling == Dense() for edge in model.edges)
        and all(layer.unit == above[0].unit for layer in above)
        and len(above[0].unit.fields) == 1
    )


def table_of(model: LayeredModel, params: LayeredParameters) -> Array:
    """Where each layer stands in flat vectors, as :mod:`ebm._kernels.deep` has it."""
    sizes = np.array([layer.size for layer in model.layers])
    weights = [0, *np.cumsum([W.size for W in params.weights])]
    own = [sum(x.size for x in layer_params) for layer_params in params.layers]
    columns = {
        kernels.SIZE: sizes,
        kernels.BEFORE: np.cumsum(sizes) - sizes,
        kernels.START: [place.columns.start for place in model.places],
        kernels.WEIGHTS: weights,
        kernels.BIAS: weights[-1] + np.cumsum(own) - own,
    }
    return np.stack([columns[k] for k in range(len(columns))], axis=1).astype(np.int64)


class BoundChain(BoundGradient):
    """Both contrastive estimators of a chain of layers, with their buffers.

    `n_chains` None: the chains start at the data.
    """

    def __init__(
        self,
        model: LayeredModel,
        gradient: LayeredParameters,
        batch_size: int,
        n_chains: int | None,
        n_steps: int,
        slide: float,
    ) -> None:
        dtype, sizes = model.dtype(gradient), [layer.size for layer in model.layers]
        others = batch_size if n_chains is None else n_chains
        most, n_stacked = max(batch_size, others), batch_size + others + 2
        self._model, self._gradient = model, gradient
        self._batch_size, self._persistent = batch_size, n_chains is not None
        self._table = table_of(model, gradient)
        self._counts = np.array([edge.multiplicity for edge in model.edges], float)
        self._states = np.zeros(n_stacked * sum(sizes), dtype)
        self._omega = np.zeros(n_stacked, dtype)
        inputs, more = (np.zeros(most * sum(sizes), dtype) for _ in range(2))
        fixed, moved = np.zeros((batch_size, sizes[1]), dtype), np.zeros(most, dtype)
        self._rooms = self._states, inputs, more, fixed, self._omega, moved
        self._scratch = np.zeros((0 if self._persistent else batch_size, sum(sizes[1::2])), dtype)
        way = model.fixed_point
        self._fixed_point = way.n_sweeps, way.tol, way.damping
        self._settings = self._persistent, n_steps, dtype.type(slide), self._fixed_point
        # Room for parameters and a gradient that do not stand in one vector.
        self._flat, self._flat_gradient = model.pack(gradient), model.pack(gradient)
        self._told: list[tuple[Mapping[str, float], int]] = []

    def _rows_of(self, layer: int) -> Array:
        """The buffer of a layer."""
        start, size = self._table[layer, kernels.BEFORE], self._table[layer, kernels.SIZE]
        n = len(self._omega)
        return self._states[n * start : n * (start + size)].reshape(n, size)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._rows_of(0)[:n_rows]

    def _law(self, theta: Array, params: LayeredParameters) -> tuple[Any, ...]:
        """The model as compiled code takes it."""
        visible, hidden = self._model.layers[0].unit, self._model.layers[1].unit
        own = visible.compiled(params.layers[0]), hidden.compiled(params.layers[1])
        return theta, *own, self._table, self._counts

    def _chains(self, chains: ChainState) -> tuple[Array, Array, Array]:
        h = chains.h if self._persistent else self._scratch
        return h, chains.visible_offset, chains.hidden_offset

    def __call__(
        self, params: LayeredParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[LayeredParameters, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood (see :class:`~ebm.gradients.base.BoundGradient`)."""
        model, n_rows = self._model, len(batch.v)
        self._check(n_rows, chains)
        self._take(batch.v, batch_weights(batch, self._omega.dtype))
        self._flat[:] = model.pack(params)
        written = model.unpack(self._flat_gradient, *model.shape(params))
        finite, made, left = kernels.contrastive_gradient(
            self._law(self._flat, params),
            self._rooms,
            self._chains(chains),
            n_rows,
            self._settings,
            tuple(key),
            (self._flat_gradient, written.layers[0]),
        )
        for x, values in zip(leaves(self._gradient), leaves(written), strict=True):
            x[:] = values
        return self._gradient, chains, Info(finite, self._measured(made, left, n_rows))

    def _take(self, v: Array, weights: Any) -> None:
        """Put a batch and its weights where a step wants them."""
        self._omega[: len(v)] = weights
        if v.base is not self._states:
            self.rows(len(v))[:] = v

    def _measured(self, sweeps: float, left: float, n_rows: float) -> dict[str, float]:
        """Sweeps of the mean field and the share of rows for which it converged, where there is a mean field."""
        if len(self._model.edges) == 1:
            return {}
        return {"mean_field_sweeps": float(sweeps), "mean_field_converged": 1.0 - left / n_rows}

    def ascend(
        self, task: Ascent, batches: Batch, batch_size: int, chains: ChainState, key: Key
    ) -> int | None:
        """All updates, each in two calls of compiled code; between two updates the user can interrupt."""
        v, weights = batches
        self._check(min(batch_size, len(v)), chains)
        law, chains_of = self._law(task.theta, task.params), self._chains(chains)
        written = task.gradient, task.views.layers[0]
        for step, rate in enumerate(task.rates):
            some = slice(step * batch_size, (step + 1) * batch_size)
            rows = v[some]
            shares = 1.0 / len(rows) if weights is None else weights[some] / weights[some].sum()
            self._take(rows, shares)
            step_key = tuple(fold(key, task.first_step + step))
            finite, made, left = kernels.contrastive_gradient(
                law, self._rooms, chains_of, len(rows), self._settings, step_key, written
            )
            if not finite or not ascent_step(
                task.settings, task.theta, task.gradient, task.memory, rate, task.limits
            ):
                return step
            self._told.append((self._measured(made, left, len(rows)), len(rows)))
        return len(task.rates)

    def told(self) -> list[tuple[Mapping[str, float], int]]:
        """The numbers that each batch measured since the last call, and the count of its rows."""
        told, self._told = self._told, []
        return told

    def fantasies(self, n_rows: int) -> Array:
        """Statistics of the even states in which the last negative phase ended, as of two layers."""
        n_chains = len(self._omega) - self._batch_size - 2 if self._persistent else n_rows
        even = range(0, len(self._table), 2)
        return np.hstack([self._rows_of(k)[n_rows : n_rows + n_chains] for k in even])

    def _check(self, n_rows: int, chains: ChainState) -> None:
        """Compiled code would write beyond its buffers."""
        n_chains = len(chains.h) if self._persistent else n_rows
        if not 0 < n_rows <= self._batch_size or n_rows + n_chains + 2 > len(self._omega):
            raise ValueError(
                f"The batch has {n_rows} rows and there are {n_chains} chains; the estimator was bound for 1 to "
                f"{self._batch_size} rows and {len(self._omega) - self._batch_size - 2} chains."
            )


@bind_contrastive.register
def _(
    model: LayeredModel,
    gradient: LayeredParameters,
    batch_size: int,
    n_chains: int | None,
    n_steps: int,
    slide: float,
) -> BoundGradient:
    kind = BoundChain if is_chain(model) else BoundLayeredChains
    return kind(model, gradient, batch_size, n_chains, n_steps, slide)
