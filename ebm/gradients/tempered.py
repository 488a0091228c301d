"""Learning with parallel tempering (Desjardins et al. 2010; Cho, Raiko & Ilin 2010).

    1. positive phase:  v the batch, E[h | v]
    2. k moves of all replicas, from where they last stood, then exchanges (:mod:`ebm.samplers.tempering`)
    3. gradient:        < s(v) E[s(h) | v]' > over the batch, minus the same over the replicas at t = 1

The negative phase of :mod:`ebm.gradients.persistent`, with chains that get from mode to mode by way of an easy
distribution. It is the product of the units' marginals at the start of training, those of the data. It costs as many
times more as there are replicas. The ladder follows the model: it is adapted to equal swap rates every so many updates.
"""

from dataclasses import dataclass
from functools import singledispatch
from typing import Any, ClassVar

import numpy as np

from ebm._checks import Array, check_integer
from ebm._kernels import units as kernels
from ebm._kernels.contrastive import phase_difference
from ebm._random import Key, Reserved, fold
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.path import BipartitePath, model_base, path_to
from ebm.gradients.base import (
    Batch,
    BoundGradient,
    ChainState,
    Gradient,
    Info,
    check_memory,
    invalid_states,
    registered,
)
from ebm.samplers.tempering import Replicas, replicas, respaced, swap_rates, temper

# Updates between adaptations of the ladder.
ADAPT_EVERY = 100


@dataclass(frozen=True, repr=False)
class ParallelTempering(Gradient[Model]):
    """Parallel tempering: persistent chains with replicas at higher temperatures.

    Parameters
    ----------
    n_steps : int, default=1
        Gibbs steps of every replica per update.
    n_chains : int or None, default=None
        Count of chains at the model's own temperature; None: as many as the batch size.
    n_temperatures : int, default=10
        Replicas of each chain; at least 2.
    adapt : bool, default=True
        Whether the ladder of temperatures adapts to equal swap rates, or keeps equal steps.
    centered : bool, default=True
        Whether the gradient is centred.

    References
    ----------
    .. [1] Desjardins, G., Courville, A., Bengio, Y., Vincent, P. and Delalleau, O. (2010). Tempered Markov chain Monte
       Carlo for training of restricted Boltzmann machines. International Conference on Artificial Intelligence and
       Statistics.
    .. [2] Cho, K., Raiko, T. and Ilin, A. (2010). Parallel tempering is efficient for learning restricted Boltzmann
       machines. International Joint Conference on Neural Networks.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import BernoulliRBM, ParallelTempering
    >>> tempered = ParallelTempering(n_chains=20, n_temperatures=4)
    >>> rbm = BernoulliRBM(n_components=2, gradient=tempered, n_iter=2, random_state=0)
    >>> rbm.fit(np.eye(4)).h_samples_.shape
    (20, 2)
    """

    has_state: ClassVar[bool] = True
    n_steps: int = 1
    n_chains: int | None = None
    n_temperatures: int = 10
    adapt: bool = True
    centered: bool = True

    def __post_init__(self) -> None:
        check_integer(self.n_steps, "n_steps")
        if self.n_chains is not None:
            check_integer(self.n_chains, "n_chains")
        check_integer(self.n_temperatures, "n_temperatures", 2)

    def n_chains_for(self, batch_size: int) -> int:
        """`n_chains`, or one per row of a batch."""
        return batch_size if self.n_chains is None else self.n_chains

    @property
    def models(self) -> tuple[type[Model], ...]:
        """Those registered with :func:`bind_tempered`."""
        return registered(bind_tempered)

    def start(
        self, model: Model, params: Any, mean: Array, batch_size: int, key: Key
    ) -> ChainState:
        """Replicas that begin as draws from the easy distribution."""
        n_chains = self.n_chains_for(batch_size)
        check_memory(n_chains, self.n_temperatures, model.offset_widths(params), mean.dtype)
        chains = super().start(model, params, mean, batch_size, key)
        base = model_base(model, params)
        path = path_to(model, params, base)
        first = replicas(path, self.n_temperatures, n_chains, fold(key, 1))
        return chains._replace(gradient_state=to_arrays(first, swap_rates(first), base))

    def attributes(self, chains: ChainState) -> dict[str, Array]:
        """The ladder, and the swap rates of its last spell, or of the present one if it is the first."""
        x, ladder, acceptance, proposals, n_sweeps, *_, rates = chains.gradient_state
        state = Replicas(x, ladder, acceptance, proposals, int(n_sweeps[0]))
        known = swap_rates(state) if np.isnan(rates).all() else rates
        return {"temperatures": ladder, "swap_rates": known}

    def invalid(self, model: Model, chains: ChainState) -> str:
        """Say why chains, replicas or ladder are none that learning comes to, or ''."""
        x, ladder, acceptance, proposals, n_sweeps, *_ = chains.gradient_state
        reason = super().invalid(model, chains) or invalid_states(model.path_unit, x)
        if reason:
            return reason
        if ladder[0] != 1 or ladder[-1] != 0 or not (np.diff(ladder) < 0).all():
            return "a ladder of temperatures that does not fall from one to zero"
        if not ((acceptance >= 0) & (acceptance <= proposals)).all() or n_sweeps.min() < 0:
            return "invalid counts of exchanges of replicas"
        return ""

    def bind(self, model: Model, gradient: Any, batch_size: int, n_chains: int) -> BoundGradient:
        """The estimator with its buffers."""
        return bind_tempered(model, self, gradient, batch_size, n_chains)


@singledispatch
def bind_tempered(
    model: Model, choice: ParallelTempering, gradient: Any, batch_size: int, n_chains: int
) -> BoundGradient:
    """The estimator for the type of the model."""
    raise TypeError(f"There is no tempered gradient of {model!r}: an energy registers its own.")


def to_arrays(state: Replicas, rates: Array, base: Any) -> tuple[Array, ...]:
    """Replicas, their swap rates before the ladder last moved, and the easy distribution, as arrays of chains."""
    *arrays, n_sweeps = state
    return (
        *arrays,
        np.array([n_sweeps]),
        *(x for layer_params in base for x in layer_params),
        rates,
    )


def from_arrays(
    model: Model, params: Any, arrays: tuple[Array, ...]
) -> tuple[Replicas, Array, Any]:
    """The inverse of :func:`to_arrays`."""
    x, ladder, acceptance, proposals, n_sweeps, *base, rates = arrays
    left = iter(base)
    layers = model.unit_layers(params).values()
    layer_params = tuple(unit.parameters(*(next(left) for _ in unit.fields)) for unit, _ in layers)
    return Replicas(x, ladder, acceptance, proposals, int(n_sweeps[0])), rates, layer_params


class BoundTempered(BoundGradient):
    """The tempered estimator with its buffers: as :mod:`ebm._kernels.contrastive` stacks them."""

    def __init__(
        self,
        choice: ParallelTempering,
        model: Bipartite,
        gradient: BipartiteParameters,
        batch_size: int,
        n_chains: int,
    ) -> None:
        self._choice, self._model, self._gradient = choice, model, gradient
        n_stacked, dtype = batch_size + n_chains + 2, gradient.W.dtype
        self._V, self._H = (np.zeros((n_stacked, n), dtype) for n in gradient.W.shape)
        self._omega = np.zeros(n_stacked, dtype)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._V[:n_rows]

    def __call__(
        self, params: BipartiteParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[BipartiteParameters, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood (see :class:`~ebm.gradients.base.BoundGradient`)."""
        n_rows, n_chains = len(batch.v), len(chains.h)
        total = n_rows + n_chains
        state, rates, base = from_arrays(self._model, params, chains.gradient_state)
        path = BipartitePath(self._model, params, base)
        state = temper(path, state, key, 1, n_moves=self._choice.n_steps)
        if batch.v.base is not self._V:
            self._V[:n_rows] = batch.v
        self._V[n_rows:total] = state.x[:n_chains]
        self._omega[:n_rows] = 1.0 / n_rows if batch.weights is None else batch.weights
        self._omega[n_rows:total] = -1.0 / n_chains
        compiled = self._model.compiled(params)
        _, visible, hidden = compiled
        kernels.to_statistic(visible, self._V[:total])
        np.dot(self._V[:total], params.W, out=self._H[:total])
        h = self._model.hidden.sample(
            params.hidden, self._H[n_rows:total], fold(key, Reserved.REPLICA_HIDDEN.number)
        )
        at = hidden, self._H[:total], self._omega[:total], self._gradient.hidden
        kernels.expected_parameter_gradient(*at, True)
        kernels.mean(hidden, self._H[:total], 1.0)
        kernels.to_statistic(hidden, self._H[:total])
        stacked = (self._V, self._H, self._omega)
        slide = params.W.dtype.type(self._choice.slide)
        finite = phase_difference(
            compiled,
            chains.visible_offset,
            chains.hidden_offset,
            stacked,
            n_rows,
            total,
            slide,
            tuple(self._gradient),
        )
        carried = to_arrays(*adapted(state, rates, self._choice.adapt), base)
        return (
            self._gradient,
            ChainState(h, chains.visible_offset, chains.hidden_offset, carried),
            Info(finite),
        )


def adapted(state: Replicas, rates: Array, adapt: bool) -> tuple[Replicas, Array]:
    """Replicas on a ladder that is moved every so many updates, and the swap rates before it was last moved."""
    if adapt and state.n_sweeps % ADAPT_EVERY == 0:
        return respaced(state), swap_rates(state)
    return state, rates


@bind_tempered.register
def _(
    model: Bipartite,
    choice: ParallelTempering,
    gradient: BipartiteParameters,
    batch_size: int,
    n_chains: int,
) -> BoundGradient:
    return BoundTempered(choice, model, gradient, batch_size, n_chains)
