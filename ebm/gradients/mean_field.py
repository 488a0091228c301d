"""Mean-field learning: deterministic, the negative phase from fixed points (Gabrie, Tramel & Krzakala 2015).

    1. positive phase:  v the batch, E[h | v]
    2. n_iter times, from where the magnetisations last stood:  m_v from m_h, m_h from m_v  (:mod:`ebm.inference.tap`)
    3. gradient:        < v E[h | v]' > over the batch, minus < m_v m_h' + W k2(v) k2(h)' + ... > over the fixed points

The gradient is not that of the log-likelihood but of the estimate <-F(v)>_data + Gamma(m). Gamma is expanded in the
weights: to first order (naive mean field: Welling & Hinton 2002), to second (TAP) or to third. It is good while the
weights are weak. Gamma of order 1 is above -log Z: naive mean field climbs an upper bound of the likelihood, which the
likelihood need not follow. Nothing is drawn at random but where persistent magnetisations begin.

Every set of magnetisations goes to a fixed point of its own, and all count the same, though the distribution's modes
may not. Sets that start at the rows of the batch are spread over the modes as the data are. Persistent ones meet while
the weights are small and there is only one fixed point; nothing random ever parts them again, so that later they stand
in one mode together.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ebm._checks import Array, check_integer, check_real
from ebm._random import Key
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.gradients.base import Batch, BoundGradient, ChainState, Gradient, Info
from ebm.gradients.moments import (
    Moments,
    batch_weights,
    data_moments,
    parameter_moments,
    slide_offsets,
    write_difference,
)
from ebm.inference.mean_field import FixedPoint, mean_field
from ebm.inference.tap import check_expansion, tap, tap_correlations


@dataclass(frozen=True, repr=False)
class TAP(Gradient[Bipartite]):
    """Extended mean field: the negative phase is a fixed point, to some order in the weights.

    Parameters
    ----------
    order : {1, 2, 3}, default=2
        1: naive mean field, for all units. 2: with Onsager's reaction term (TAP); 3: one term more; both for two
        layers of Bernoulli units.
    n_iter : int, default=3
        Iterations per update.
    damping : float, default=0.5
        Share of the old magnetisations in the new ones, in [0, 1).
    n_chains : int or None, default=None
        Count of persistent magnetisations; None: as many as the batch size.
    persistent : bool, default=False
        Whether magnetisations go on where they last stopped, as published. Otherwise one set per row starts at the
        row, which is the better choice for data of several clusters (see the module).
    centered : bool, default=True
        Whether the gradient is centred.
    """

    has_state: ClassVar[bool] = True
    order: int = 2
    n_iter: int = 3
    damping: float = 0.5
    n_chains: int | None = None
    persistent: bool = False
    centered: bool = True

    def __post_init__(self) -> None:
        check_integer(self.order, "order")
        if self.order > 3:
            raise ValueError(f"order must be 1, 2 or 3. Got {self.order!r} instead.")
        check_integer(self.n_iter, "n_iter")
        check_real(self.damping, "damping", 0.0, 1.0)
        if self.damping == 1:
            raise ValueError(
                "damping must be below 1: with 1 the means never change. Got 1 instead."
            )
        if self.n_chains is not None:
            check_integer(self.n_chains, "n_chains")

    def n_chains_for(self, batch_size: int) -> int:
        """`n_chains`, or one per row of a batch; none if they do not persist."""
        if not self.persistent:
            return 0
        return batch_size if self.n_chains is None else self.n_chains

    def state_after(
        self, model: Bipartite, params: BipartiteParameters, chains: ChainState
    ) -> tuple[Array, ...]:
        """The magnetisations of the visible units, if they persist."""
        return (model.visible_mean(params, chains.h),) if self.persistent else ()

    def invalid(self, model: Bipartite, chains: ChainState) -> str:
        """Magnetisations are means, which no state need be."""
        layers = zip(
            (model.hidden, model.visible), (chains.h, *chains.gradient_state), strict=False
        )
        return next(filter(None, (unit.invalid(x) for unit, x in layers if x.size)), "")

    def bind(
        self, model: Bipartite, gradient: BipartiteParameters, batch_size: int, n_chains: int
    ) -> BoundGradient:
        """The estimator; from order 2 on it refuses other units than Bernoulli."""
        if self.order > 1:
            check_expansion(model, self.order)
        return BoundTAP(model, gradient, batch_size, self)


class BoundTAP(BoundGradient):
    """The mean-field estimator with its buffer."""

    def __init__(
        self, model: Bipartite, gradient: BipartiteParameters, batch_size: int, choice: TAP
    ) -> None:
        self._model, self._gradient, self._choice = model, gradient, choice
        self._V = np.zeros((batch_size, gradient.W.shape[0]), gradient.W.dtype)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._V[:n_rows]

    def __call__(
        self, params: BipartiteParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[BipartiteParameters, ChainState, Info]:
        """Gradient of the estimated log-likelihood (see :class:`~ebm.gradients.base.BoundGradient`)."""
        weights = batch_weights(batch, params.W.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            data = data_moments(self._model, params, batch.v, weights)
            slide_offsets(chains, data, self._choice.slide)
            point = self._settled(params, *self._start(params, batch, chains))
            if self._choice.persistent:
                weights = np.full(len(point.h), 1.0 / len(point.h), params.W.dtype)
            model = fixed_point_moments(self._model, params, point, self._choice.order, weights)
            finite = write_difference(data, model, params, chains, self._gradient)
        if self._choice.persistent and finite:
            chains = chains._replace(h=point.h, gradient_state=(point.v,))
        return self._gradient, chains, Info(finite)

    def _start(
        self, params: BipartiteParameters, batch: Batch, chains: ChainState
    ) -> tuple[Array, Array]:
        """Magnetisations of both layers: the data's, or the last ones, of which those of v may not be known yet."""
        if not self._choice.persistent:
            return batch.v, self._model.hidden_mean(params, batch.v)
        state = chains.gradient_state
        v = state[0] if state else self._model.visible_mean(params, chains.h)
        return v, chains.h

    def _settled(self, params: BipartiteParameters, v: Array, h: Array) -> FixedPoint:
        n_iter, damping, order = self._choice.n_iter, self._choice.damping, self._choice.order
        if order == 1:
            return mean_field(self._model, params, v, h, n_iter=n_iter, damping=damping, tol=0)
        return tap(self._model, params, v, h, order=order, n_iter=n_iter, damping=damping, tol=0)


def fixed_point_moments(
    model: Bipartite, params: BipartiteParameters, point: FixedPoint, order: int, weights: Array
) -> Moments:
    """Averages of -dE/dtheta as the expansion estimates them, over the runs with `weights` that sum to one."""
    s_v = model.visible.statistic(params.visible, point.v)
    s_h = model.hidden.statistic(params.hidden, point.h)
    of_v = of_h = {}
    if model.visible.fields[1:]:
        of_v = model.visible.mean_derivatives(params.visible, model.visible_input(params, point.h))
    if model.hidden.fields[1:]:
        of_h = model.hidden.mean_derivatives(params.hidden, model.hidden_input(params, point.v))
    correlations = tap_correlations(params, s_v, s_h, order, weights)
    coupling = params.W * correlations
    return Moments(
        correlations,
        weights @ s_v,
        weights @ s_h,
        parameter_moments(model.visible, params.visible, of_v, weights, coupling.sum(axis=1)),
        parameter_moments(model.hidden, params.hidden, of_h, weights, coupling.sum(axis=0)),
    )
