"""Base of all estimators of the gradient: their signature, and centring.

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
from types import MappingProxyType
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np

from ebm._checks import Array, Settings
from ebm._random import Key
from ebm.energies.base import ChainState as ChainState
from ebm.energies.base import Model
from ebm.energies.base import check_memory as check_memory
from ebm.energies.base import no_chains as no_chains
from ebm.energies.bipartite import Bipartite
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


class Info(NamedTuple):
    """Further results of one estimate.

    `finite`: whether every number in it is. `measured`: numbers that came up on the way and that users may want to
    see, by name; the history has their means over the rows of an epoch. `where`: what ceased to be finite, if known.
    """

    finite: bool
    measured: Mapping[str, float] = MappingProxyType({})
    where: str = ""


class Ascent(NamedTuple):
    """Updates to make: of `theta` along `gradient`, of which `params` and `views` are the views, step by step.

    `settings` and `memory` belong to the optimizer. `limits` are clipping and penalties
    (:func:`ebm._kernels.ascent.step`). `rates` (batches,) are the learning rates. `first_step` is the number of the
    first update in the random stream.
    """

    params: Any
    views: Any
    theta: Array
    gradient: Array
    settings: tuple[Any, ...]
    memory: tuple[Array, ...]
    limits: tuple[float, float, float, float, int]
    rates: Array
    first_step: int


class BoundGradient(abc.ABC):
    """An estimator with its buffers, for one model and one largest batch (abstract).

    Attributes
    ----------
    takes_sparse : bool
        Whether batches may be :class:`~ebm._sparse.SparseRows`.
    takes_gaps : bool
        Whether entries of batches may be missing (NaN): the positive phase is then an exact average over these, too.
    """

    takes_sparse: bool = False
    takes_gaps: bool = False

    @abc.abstractmethod
    def rows(self, n_rows: int) -> Array:
        """The buffer (n_rows, n_visible) into which the next batch is best written: it saves a copy."""

    def ascend(
        self, task: "Ascent", batches: Batch, batch_size: int, chains: ChainState, key: Key
    ) -> int | None:
        """Make the updates of several consecutive batches in one go; the number made, or None if this cannot."""
        return None

    def told(self) -> list[tuple[Mapping[str, float], int]]:
        """The numbers that each batch of :meth:`ascend` measured since the last call, and the count of its rows."""
        return []

    @abc.abstractmethod
    def __call__(
        self, params: Any, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[Any, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood.

        The returned gradient is a view of a buffer that the next call overwrites; `chains` and the rows of a batch
        that stand in :meth:`rows` are consumed.
        """

    def infinite_part(self) -> str:
        """The part of the last gradient that is not finite, in words, where :meth:`__call__` did not check it for
        speed; else ''.
        """
        return ""


M = TypeVar("M", bound=Model)


class Gradient(Settings, abc.ABC, Generic[M]):
    """A choice of estimator, for models of the types `M` (abstract).

    Attributes
    ----------
    has_state : bool
        Whether its chain state has arrays of the estimator (``gradient_state``).
    divergence_hint : str
        Advice for a warning that learning by it has diverged.
    """

    has_state: ClassVar[bool] = False
    divergence_hint: ClassVar[str] = (
        "a smaller learning_rate, or data on a common scale (StandardScaler)"
    )
    centered: bool

    @abc.abstractmethod
    def n_chains_for(self, batch_size: int) -> int:
        """Count of persistent chains."""

    @property
    def models(self) -> tuple[type[Model], ...]:
        """Types of models that it is an estimator for."""
        return (Bipartite,)

    def supports(self, model: Model) -> str:
        """Why there is no such estimator for `model`, or ''."""
        if isinstance(model, self.models):
            return ""
        kinds = " and ".join(kind.kind for kind in self.models)
        return f"{type(self).__name__} is for {kinds}. Got {model!r}."

    def check_supports(self, model: Model) -> None:
        """ValueError, with the reason, where there is no such estimator for `model`."""
        reason = self.supports(model)
        if reason:
            raise ValueError(reason)

    @abc.abstractmethod
    def bind(self, model: M, gradient: Any, batch_size: int, n_chains: int) -> BoundGradient:
        """The estimator for `model`, writing to the arrays of `gradient`, for batches of at most `batch_size` rows.

        `n_chains` is the count of rows in the chain state that it will be called with.
        """

    def decay(self, weight_decay: float, n_rows: int) -> float:
        """Coefficient of half the squared weights in an update on `n_rows` rows, whose gradient is their mean."""
        return weight_decay

    def attributes(self, chains: ChainState) -> dict[str, Array]:
        """Results about the chains for users, by name: they become fitted attributes."""
        return {}

    def state_after(self, model: M, params: Any, chains: ChainState) -> tuple[Array, ...]:
        """Arrays like ``chains.gradient_state`` once learning that starts with `chains` has made an update."""
        return chains.gradient_state

    def invalid(self, model: M, chains: ChainState) -> str:
        """Say why `chains`, of the right shapes and finite, are none that learning comes to, or ''."""
        return invalid_states(model.chain_unit, chains.h) if chains.h.size else ""

    @property
    def slide(self) -> float:
        """Rate at which the offsets follow the data."""
        return SLIDING_FACTOR if self.centered else 0.0

    def start(self, model: M, params: Any, mean: Array, batch_size: int, key: Key) -> ChainState:
        """Chains to begin with; offsets at the means, or zero if not centred.

        `mean` (n_visible,) is the data's. ValueError if there is not enough memory for so many chains.
        """
        n_chains = self.n_chains_for(batch_size)
        return model.start_chains(params, mean, n_chains, self.centered, key)


def invalid_states(unit: Unit, x: Array) -> str:
    """Why `x` (rows, units) holds what are no states of the `unit`, or ''; means are none."""
    for part, states in unit.columns(x):
        reason = part.invalid(states)
        if reason:
            return reason
        if part.states is not None and not np.isin(states, part.states).all():
            return f"values of chains that are no states {part.states} of {part!r}"
    return ""


def registered(bind: Any) -> tuple[type[Model], ...]:
    """The types of models for which a function that chooses by them (:func:`functools.singledispatch`) has a way."""
    return tuple(kind for kind in bind.registry if kind is not object)
