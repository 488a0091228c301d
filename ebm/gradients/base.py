"""What all estimators of the gradient share: their signature, and centring.

With the energy E(v, h; theta), the gradient of the mean log-likelihood of the data is a difference of two averages,

    d log p / d theta = < -dE/dtheta >_data - < -dE/dtheta >_model,

the *positive* and the *negative* phase. The first is exact given the batch; estimators differ in how they approach the
second. Each phase is divided by its own count.

*Centred* gradients (Montavon & Mueller 2012; Melchior, Fischer & Wiskott 2016) are the gradients of the same model
written with offsets, E = -(s(v) - mu)' W (s(h) - lambda) - ..., expressed in the parameters of the plain energy:

    dW = <(s(v) - mu)(s(h) - lambda)'>_data - <(s(v) - mu)(s(h) - lambda)'>_model
    db = <s(v)>_data - <s(v)>_model - dW lambda
    dc = <s(h)>_data - <s(h)>_model - dW' mu

They remove the interplay between weights and biases, which makes learning invariant to flipped bits. The offsets are
running means of the data phase; mu = lambda = 0 gives the plain gradient.
"""

import abc
from collections.abc import Mapping
from functools import singledispatch
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array, Record
from ebm._random import Key
from ebm._values import consists_of
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.units import Unit

# How fast the offsets follow the batch means: the published sliding factor (Melchior et al. 2016, section 5).
SLIDING_FACTOR = 0.01


class Batch(NamedTuple):
    """Rows of data: `v` (rows, n_visible) and their `weights` (rows,), which sum to one, or None for equal ones.

    To an estimator that :attr:`takes <BoundGradient.takes_sparse>` them, the rows may come as
    :class:`~ebm._sparse.SparseRows`.
    """

    v: Any
    weights: Array | None = None


class ChainState(NamedTuple):
    """What an estimator carries from step to step.

    `h` (n_chains, n_hidden) are the chains' hidden samples (no rows without persistent chains); `mu` (n_visible,) and
    `lam` (n_hidden,) the offsets of the centred gradient; `own` what one kind of estimator alone has. In a pairwise
    model `h` are the states and `mu` the offsets of all units, and `lam` is empty.
    """

    h: Array
    mu: Array
    lam: Array
    own: tuple[Array, ...] = ()


def no_chains(dtype: Any) -> ChainState:
    """Nothing is carried from step to step."""
    nothing = np.zeros(0, dtype)
    return ChainState(nothing.reshape(0, 0), nothing, nothing)


class Info(NamedTuple):
    """What is known of one estimate.

    `finite`: whether every number in it is. `measured`: numbers that came up on the way and that users may want to
    see, by name; the history has their means over the rows of an epoch. `where`: what ceased to be finite, if known.
    """

    finite: bool
    measured: Mapping[str, float] = MappingProxyType({})
    where: str = ""


class Ascent(NamedTuple):
    """Updates to make: of `theta` along `gradient`, of which `params` and `views` are the views, step by step.

    `settings` and `memory` are the optimiser's, `hold` is what holds it back (:func:`ebm._kernels.ascent.step`);
    `rates` (batches,) are the learning rates; `first_step` is the number of the first update in the random stream.
    """

    params: BipartiteParameters
    views: BipartiteParameters
    theta: Array
    gradient: Array
    settings: tuple[Any, ...]
    memory: tuple[Array, ...]
    hold: tuple[float, float, float, float, int]
    rates: Array
    first_step: int


class BoundGradient(abc.ABC):
    """An estimator with its buffers, for one model and one largest batch (abstract).

    Attributes
    ----------
    takes_sparse : bool
        Whether batches may be :class:`~ebm._sparse.SparseRows`.
    """

    takes_sparse: bool = False

    @abc.abstractmethod
    def rows(self, n_rows: int) -> Array:
        """The buffer (n_rows, n_visible) into which the next batch is best written: it saves a copy."""

    def ascend(
        self, task: "Ascent", batches: Batch, batch_size: int, chains: ChainState, key: Key
    ) -> int | None:
        """Make the updates of several consecutive batches in one go; the number made, or None if this cannot."""
        return None

    @abc.abstractmethod
    def __call__(
        self, params: Any, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[Any, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood.

        The returned gradient is a view of a buffer that the next call overwrites; `chains` and the rows of a batch
        that stand in :meth:`rows` are consumed.
        """

    def infinite_part(self) -> str:
        """What of the last gradient is not finite, in words, where that was too dear to ask in :meth:`__call__`; ''."""
        return ""


class Gradient(Record, abc.ABC):
    """A choice of estimator (abstract).

    Attributes
    ----------
    has_own : bool
        Whether its chain state has arrays of its own.
    remedy : str
        What to change where learning by it diverges.
    """

    has_own: ClassVar[bool] = False
    remedy: ClassVar[str] = "a smaller learning_rate, or data on a common scale (StandardScaler)"
    centered: bool

    @abc.abstractmethod
    def n_chains_for(self, batch_size: int) -> int:
        """Count of persistent chains."""

    @abc.abstractmethod
    def bind(self, model: Any, gradient: Any, batch_size: int, n_chains: int) -> BoundGradient:
        """The estimator for `model`, writing to the arrays of `gradient`, for batches of at most `batch_size` rows.

        `n_chains` is the count of rows in the chain state that it will be called with.
        """

    def decay(self, weight_decay: float, n_rows: int) -> float:
        """Coefficient of half the squared weights in an update on `n_rows` rows, whose gradient is their mean."""
        return weight_decay

    def attributes(self, chains: ChainState) -> dict[str, Array]:
        """What users may want to know of the chains, by name: becomes fitted attributes."""
        return {}

    def own_after(self, model: Any, params: Any, chains: ChainState) -> tuple[Array, ...]:
        """Arrays like those that ``chains.own`` has once learning that starts with `chains` has made an update."""
        return chains.own

    def invalid(self, model: Any, chains: ChainState) -> str:
        """Say why `chains`, of the right shapes and finite, are none that learning comes to, or ''."""
        return invalid_states(model.chain_unit, chains.h) if chains.h.size else ""

    @property
    def slide(self) -> float:
        """Rate at which the offsets follow the data."""
        return SLIDING_FACTOR if self.centered else 0.0

    def start(self, model: Any, params: Any, mean: Array, batch_size: int, key: Key) -> ChainState:
        """Chains to begin with; offsets at the means, or zero if not centred.

        `mean` (n_visible,) is the data's. ValueError where memory does not hold so many chains.
        """
        return start_chains(model, params, mean, self.n_chains_for(batch_size), self.centered, key)


def invalid_states(unit: Unit, x: Array) -> str:
    """Why `x` (rows, units) holds what are no states of the `unit`, or ''; means are none."""
    reason = unit.invalid(x)
    if reason or unit.states is None or consists_of(x, unit.states):
        return reason
    return f"values of chains that are no states {unit.states} of {unit!r}"


@singledispatch
def start_chains(
    model: Any, params: Any, mean: Array, n_chains: int, centered: bool, key: Key
) -> ChainState:
    """What :meth:`Gradient.start` returns, for one type of model."""
    raise TypeError(f"There are no chains of {model!r}: an energy registers its own start_chains.")


@start_chains.register
def _(
    model: Bipartite,
    params: BipartiteParameters,
    mean: Array,
    n_chains: int,
    centered: bool,
    key: Key,
) -> ChainState:
    """Chains that begin as draws from the hidden units' own law."""
    n_hidden = params.W.shape[1]
    check_memory(n_chains, 1, params.W.shape, params.W.dtype)
    zero = np.zeros((n_chains, n_hidden), params.W.dtype)
    h = model.hidden.sample(params.hidden, zero, key)
    lam = model.hidden.statistic(
        params.hidden, model.hidden.mean(params.hidden, np.zeros((1, n_hidden), zero.dtype))
    )[0]
    mu = model.visible.statistic(params.visible, mean[np.newaxis].astype(zero.dtype))[0]
    return ChainState(h, mu, lam) if centered else ChainState(h, 0 * mu, 0 * lam)


def check_memory(n_chains: int, n_temperatures: int, shape: tuple[int, ...], dtype: Any) -> None:
    """Refuse chains of states and buffers of the `shape` (n_visible, n_hidden) for which there is no memory."""
    needed = n_chains * (n_temperatures * sum(shape) + sum(shape)) * np.dtype(dtype).itemsize
    try:
        np.empty(needed, np.uint8)
    except (MemoryError, OverflowError, ValueError):
        replicas = f" at {n_temperatures} temperatures" if n_temperatures > 1 else ""
        raise ValueError(
            f"n_chains={n_chains} chains{replicas} take {needed / 1e9:.3g} GB, more than there is memory. Use fewer; "
            "without n_chains there are as many as the batch size."
        ) from None


@singledispatch
def rescale(model: Any, params: Any, gradient: Any, chains: ChainState) -> None:
    """Measure the gradient by weights and biases in the units' own scales, in place."""
    raise TypeError(f"There are no scales of {model!r}: an energy registers its own rescale.")


@rescale.register
def _(
    model: Bipartite,
    params: BipartiteParameters,
    gradient: BipartiteParameters,
    chains: ChainState,
) -> None:
    """Diagonally.

    With the scales a_i and c_j (:meth:`ebm.units.Unit.scale`), W_ij is moved a_i c_j and b_i is moved a_i times as far:
    a diagonal metric, under which learning commutes with a change of the data's units of measurement. It is the metric
    of the centred parameters, so what centring subtracts from the biases is subtracted anew.
    """
    a, c = model.visible.scale(params.visible), model.hidden.scale(params.hidden)
    b_step = gradient.visible.bias + gradient.W @ chains.lam
    c_step = gradient.hidden.bias + chains.mu @ gradient.W
    if a is not None:
        gradient.W[:] *= a[:, np.newaxis]
        b_step *= a
    if c is not None:
        gradient.W[:] *= c
        c_step *= c
    gradient.visible.bias[:] = b_step - gradient.W @ chains.lam
    gradient.hidden.bias[:] = c_step - chains.mu @ gradient.W
