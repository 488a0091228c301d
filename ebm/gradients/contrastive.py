"""Contrastive divergence, CD-k (Hinton 2002).

    1. positive phase:  v the batch, h ~ p(h | v)
    2. k times:         v ~ p(v | h), h ~ p(h | v)
    3. gradient:        < s(v) E[s(h) | v]' > over the batch, minus the same over the k-th v

The negative phase starts at the data and is k steps long, so the estimate is biased. Its expectation vanishes where k
steps do not change the data's mean statistics, and not where the likelihood is largest. Cheap and stable; for
likelihoods take persistent chains (:mod:`ebm.gradients.persistent`).
"""

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from ebm._checks import Array, check_integer
from ebm._kernels import contrastive as kernels
from ebm._kernels.ascent import step as ascent_step
from ebm._random import Key, fold
from ebm._sparse import SparseRows
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.gradients.base import (
    Ascent,
    Batch,
    BoundGradient,
    ChainState,
    Gradient,
    Info,
    registered,
)
from ebm.units import Linear

# What the kernels take: (params, walkers, chains), and (persistent, n_steps, slide, key, gradient).
Laws = tuple[Any, Any, Any]
Choice = tuple[bool, int, Any, Any, Any]
# Multiplications of one compiled call, about a second; between two of them the user can interrupt.
CALL_WORK = 1 << 31
# What it takes to draw the state of a unit, in multiplications.
DRAW_WORK = 50


@dataclass(frozen=True, repr=False)
class ContrastiveDivergence(Gradient[Model]):
    """Contrastive divergence: the negative phase is `n_steps` Gibbs steps from the data.

    Parameters
    ----------
    n_steps : int, default=1
        Gibbs steps of the negative phase (the k of CD-k).
    centered : bool, default=True
        Whether the gradient is centred.
    """

    n_steps: int = 1
    centered: bool = True

    def __post_init__(self) -> None:
        check_integer(self.n_steps, "n_steps")

    @property
    def models(self) -> tuple[type[Model], ...]:
        """Those registered with :func:`bind_contrastive`."""
        return registered(bind_contrastive)

    def n_chains_for(self, batch_size: int) -> int:
        """None persist."""
        return 0

    def bind(self, model: Model, gradient: Any, batch_size: int, n_chains: int) -> BoundGradient:
        """The estimator with its buffers."""
        return bind_contrastive(model, gradient, batch_size, None, self.n_steps, self.slide)


@singledispatch
def bind_contrastive(
    model: Model, gradient: Any, batch_size: int, n_chains: int | None, n_steps: int, slide: float
) -> BoundGradient:
    """The estimator for the type of the model; `n_chains` None: the chains start at the data."""
    raise TypeError(
        f"There is no contrastive divergence of {model!r}: an energy registers its own bind_contrastive."
    )


@bind_contrastive.register
def _(
    model: Bipartite,
    gradient: BipartiteParameters,
    batch_size: int,
    n_chains: int | None,
    n_steps: int,
    slide: float,
) -> BoundGradient:
    bound = BoundContrastive(model, gradient, batch_size, n_chains, n_steps, slide)
    bound.takes_sparse = isinstance(model.visible, Linear)
    return bound


def walk_on(
    walkers: tuple[Any, ...],
    h: Array,
    V: Array,
    H: Array,
    steps: tuple[int, int],
    renew: bool,
    key: tuple[int, int],
    weighted_gradient: tuple[Array, Any],
) -> None:
    """:func:`ebm._kernels.contrastive.run_chain` of (all, some of them in one call) `steps`."""
    n_steps, some = steps
    for first in range(0, n_steps, some):
        until = min(first + some, n_steps)
        kernels.run_chain(walkers, h, V, H, first, until, n_steps, renew, key, weighted_gradient)


class BoundContrastive(BoundGradient):
    """Both contrastive estimators: the chains start at the data (`n_chains` None) or where they last stood."""

    def __init__(
        self,
        model: Bipartite,
        gradient: BipartiteParameters,
        batch_size: int,
        n_chains: int | None,
        n_steps: int,
        slide: float,
    ) -> None:
        n_visible, n_hidden = gradient.W.shape
        dtype = gradient.W.dtype
        n_stacked = batch_size + (batch_size if n_chains is None else n_chains) + 2
        self._model, self._gradient = model, gradient
        self._batch_size = batch_size
        self._written = tuple(
            gradient
        )  # plain tuples cross into compiled code faster than named ones
        self._V = np.zeros((n_stacked, n_visible), dtype)
        self._omega = np.zeros(n_stacked, dtype)
        self._stacked = (self._V, np.zeros((n_stacked, n_hidden), dtype), self._omega)
        self._scratch = np.zeros((batch_size if n_chains is None else 0, n_hidden), dtype)
        self._persistent = n_chains is not None
        self._n_steps = n_steps
        self._slide = dtype.type(slide)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._V[:n_rows]

    def __call__(
        self, params: BipartiteParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[BipartiteParameters, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood (see :class:`~ebm.gradients.base.BoundGradient`)."""
        return self.estimate(params, params, batch, chains, key)

    def estimate(
        self,
        params: BipartiteParameters,
        walkers: BipartiteParameters,
        batch: Batch,
        chains: ChainState,
        key: Key,
    ) -> tuple[BipartiteParameters, ChainState, Info]:
        """The same, with chains that follow the distribution of the parameters `walkers`."""
        n_rows = len(batch.v)
        self._check(n_rows, chains)
        self._omega[:n_rows] = 1.0 / n_rows if batch.weights is None else batch.weights
        h = chains.h if self._persistent else self._scratch
        compiled = self._model.compiled(params)
        walks = compiled if walkers is params else self._model.compiled(walkers)
        laws = compiled, walks, (h, chains.visible_offset, chains.hidden_offset)
        choice = self._persistent, self._n_steps, self._slide, tuple(key), self._written
        if isinstance(batch.v, SparseRows):
            V, H, omega = self._stacked
            stacked = V[self._batch_size :], H, omega
            finite = self._sparse_step(laws, batch.v.arrays, stacked, choice)
        else:
            if batch.v.base is not self._V:
                self._V[:n_rows] = batch.v
            finite = self._step(laws, n_rows, choice)
        return self._gradient, chains, Info(finite)

    def _steps_per_call(self, n_chains: int) -> int:
        """How many steps of so many chains one compiled call makes at most."""
        n_visible, n_hidden = self._gradient.W.shape
        work = 2 * n_visible * n_hidden + DRAW_WORK * (n_visible + n_hidden)
        return max(1, CALL_WORK // (n_chains * int(work)))

    def _step(self, laws: Laws, n_rows: int, choice: Choice) -> bool:
        """One step on the rows that stand in the buffers; whether the gradient is finite."""
        persistent, n_steps, slide, key, gradient = choice
        some = self._steps_per_call(len(laws[2][0]) if persistent else n_rows)
        if n_steps <= some:
            finite: bool = kernels.contrastive_gradient(*laws, self._stacked, n_rows, *choice)
            return finite
        params, walkers, chains = laws
        total = kernels.begin(params, chains, self._stacked, n_rows, persistent, key, gradient)
        h, (V, H, omega) = chains[0][: total - n_rows], self._stacked
        v, means, weighted_gradient = (
            V[n_rows:total],
            H[n_rows:total],
            (omega[n_rows:total], gradient[2]),
        )
        walk_on(walkers, h, v, means, (n_steps, some), persistent, key, weighted_gradient)
        finite = kernels.end(params, chains, self._stacked, n_rows, total, slide, gradient)
        return finite

    def _sparse_step(self, laws: Laws, rows: Any, stacked: Any, choice: Choice) -> bool:
        """The same of CSR rows."""
        persistent, n_steps, slide, key, gradient = choice
        n_rows = len(rows[0]) - 1
        some = self._steps_per_call(len(laws[2][0]) if persistent else n_rows)
        if n_steps <= some:
            finite: bool = kernels.sparse_contrastive_gradient(*laws, rows, stacked, *choice)
            return finite
        params, walkers, chains = laws
        total = kernels.sparse_begin(params, chains, rows, stacked, persistent, key, gradient)
        h, (V, H, omega) = chains[0][: total - n_rows], stacked
        v, means, weighted_gradient = (
            V[: total - n_rows],
            H[n_rows:total],
            (omega[n_rows:total], gradient[2]),
        )
        walk_on(walkers, h, v, means, (n_steps, some), persistent, key, weighted_gradient)
        finite = kernels.sparse_end(params, chains, rows, stacked, total, slide, gradient)
        return finite

    def ascend(
        self, task: Ascent, batches: Batch, batch_size: int, chains: ChainState, key: Key
    ) -> int | None:
        """All updates in compiled code (:func:`ebm._kernels.contrastive.contrastive_ascent`), of dense rows."""
        if isinstance(batches.v, SparseRows):
            return None
        self._check(min(batch_size, len(batches.v)), chains)
        none = task.theta[:0]
        data = batches.v, none if batches.weights is None else batches.weights, batch_size
        chains_of = (
            chains.h if self._persistent else self._scratch,
            chains.visible_offset,
            chains.hidden_offset,
        )
        optimizer = task.settings, task.memory, task.limits
        n_steps = self._n_steps * len(task.rates)
        if n_steps > self._steps_per_call(len(chains.h) if self._persistent else batch_size):
            return self._ascend_step_by_step(task, data, chains_of, key, optimizer)
        made: int = kernels.contrastive_ascent(
            (self._model.compiled(task.params), self._written, task.theta, task.gradient),
            chains_of,
            self._stacked,
            data,
            (self._persistent, self._n_steps, self._slide),
            tuple(key),
            task.first_step,
            task.rates,
            optimizer,
        )
        return made

    def _ascend_step_by_step(
        self,
        task: Ascent,
        data: tuple[Any, ...],
        chains: tuple[Any, ...],
        key: Key,
        optimizer: tuple[Any, ...],
    ) -> int:
        """The same updates, bit for bit, in several compiled calls."""
        params, (rule, memory, limits) = self._model.compiled(task.params), optimizer
        for step, rate in enumerate(task.rates):
            n_rows = kernels.take_batch(data, step, self._stacked)
            step_key = tuple(fold(key, task.first_step + step))
            choice = self._persistent, self._n_steps, self._slide, step_key, self._written
            if not self._step((params, params, chains), n_rows, choice):
                return step
            if not ascent_step(rule, task.theta, task.gradient, memory, rate, limits):
                return step
        return len(task.rates)

    def fantasies(self, n_rows: int) -> Array:
        """Statistics of the visible states in which the last negative phase ended, after a batch of `n_rows` rows.

        (n_chains, n_visible), or as many rows as the batch where chains start at the data; valid until the next call.
        """
        n_chains = len(self._V) - self._batch_size - 2 if self._persistent else n_rows
        return self._V[n_rows : n_rows + n_chains]

    def _check(self, n_rows: int, chains: ChainState) -> None:
        """Compiled code would write beyond its buffers."""
        n_chains = len(chains.h) if self._persistent else n_rows
        if not 0 < n_rows <= self._batch_size or n_rows + n_chains + 2 > len(self._V):
            raise ValueError(
                f"The batch has {n_rows} rows and there are {n_chains} chains; the estimator was bound for 1 to "
                f"{self._batch_size} rows and {len(self._V) - self._batch_size - 2} chains."
            )
