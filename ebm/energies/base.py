"""The contract of a model, on which training, samplers and estimators rely.

A *model* is a choice (unit types, which of them are joined, masks) without numbers of its own: a frozen record. Its
numbers are its *parameters* ``params``, a NamedTuple of arrays that may hold further ones; the gradient by them has the
same type. All methods take the parameters and leave them alone, :meth:`Model.project` and those that write to a
gradient excepted.

*Arrays and vector.* :meth:`Model.layout` says which arrays there are for layers of given sizes, and which of them are
weights. From it follow :meth:`~Model.pack`, :meth:`~Model.unpack` and :meth:`~Model.n_weights` (:mod:`ebm._flat`).
:meth:`Model.shape` is the inverse of the sizes: ``model.layout(*model.shape(params))`` describes `params`.

*Layers.* :meth:`Model.unit_layers` names the layers of units, each with its unit type and own parameters
(:mod:`ebm.units`). From it follow the bounds of parameters, which of them are given rather than learned, and which have
a scale. Where a model starts from data, ``"visible"`` names the layer that they are states of.

*Rows and origin.* A row of data holds the states of the visible units. If their states are measured in a unit of the
data's (:attr:`Model.has_scale`), learning is of the law of v - origin, and :meth:`Model.translated` takes parameters
from one origin to another.

*Start.* :meth:`Model.initial` makes parameters from a :class:`DataSummary`. A model that :attr:`~Model.starts_at_rows`
is then shown rows (:meth:`~Model.with_examples`), any other is centered (:meth:`~Model.centered`).

*Chains.* A persistent chain is remembered by the states of one layer, :meth:`~Model.chain_width` numbers of the type
:attr:`~Model.chain_unit`. :class:`ChainState` holds the chains and the offsets of the centered gradient. The defaults
are those of a model without chains.

A new model is derived from :class:`Model` and brings the abstract methods. Operations that depend on an algorithm as
well as on the model (paths, Gibbs steps, exact sums) are no methods. The model registers its own with functions that
choose by the type of the model; the page on the architecture lists them.
"""

import abc
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from ebm import _flat
from ebm._checks import Array
from ebm._memory import check_room
from ebm._random import Key
from ebm.units import Bounds, Unit, confined

# By which an update may multiply or divide a scale.
LARGEST_FACTOR = 20.0


class DataSummary(NamedTuple):
    """Moments of the data that a model starts from.

    Attributes
    ----------
    mean, variance : ndarray of shape (n_columns,)
        Their dtype becomes that of the parameters.
    n_rows : float
        Number of rows behind them, or their total weight.
    """

    mean: Array
    variance: Array
    n_rows: float


class ChainState(NamedTuple):
    """The state of an estimator of the gradient from step to step.

    `h` (n_chains, n_hidden) are the chains' hidden samples (no rows without persistent chains); `visible_offset`
    (n_visible,) and `hidden_offset` (n_hidden,) those of the centered gradient; `gradient_state` the arrays that one
    kind of estimator alone has. In a pairwise model `h` are the states, `visible_offset` the offsets of all units, and
    `hidden_offset` is empty.
    """

    h: Array
    visible_offset: Array
    hidden_offset: Array
    gradient_state: tuple[Array, ...] = ()


def no_chains(dtype: Any) -> ChainState:
    """Nothing is carried from step to step."""
    nothing = np.zeros(0, dtype)
    return ChainState(nothing.reshape(0, 0), nothing, nothing)


def check_memory(n_chains: int, n_temperatures: int, shape: tuple[int, ...], dtype: Any) -> None:
    """Refuse chains of states and buffers of the `shape` (n_visible, n_hidden) for which there is no memory."""
    needed = n_chains * (n_temperatures * sum(shape) + sum(shape)) * np.dtype(dtype).itemsize
    replicas = f" at n_temperatures={n_temperatures}" if n_temperatures > 1 else ""
    cure = "Use fewer; without n_chains there are as many as the batch size."
    check_room(needed, f"n_chains={n_chains} chains{replicas}", cure)


class Model(abc.ABC):
    """A probabilistic model as training and estimators see it (abstract): see the module docstring.

    Attributes
    ----------
    kind : str
        Such models in words, in the plural, for messages.
    learns_from_gaps : bool
        Whether rows to learn from may have missing entries: :func:`ebm.samplers.base.first_states` starts them, and
        states of chains begin with rows of data.
    steps_are_joint : bool
        Whether :meth:`rescale` makes steps that belong together, of which an optimiser may change the length alone.
    visible : Unit
        The type of the visible units.
    """

    kind: ClassVar[str]
    steps_are_joint: ClassVar[bool] = False
    learns_from_gaps: ClassVar[bool] = False

    if TYPE_CHECKING:  # a field or a property, as the model has it

        @property
        def visible(self) -> Unit:
            """The type of the visible units."""

    # Arrays and vector

    @abc.abstractmethod
    def layout(self, *shape: int) -> Any:
        """The parameters' NamedTuple with an :class:`ebm._flat.Extent` for each array, for layers of the `shape`."""

    @abc.abstractmethod
    def shape(self, params: Any) -> tuple[int, ...]:
        """The arguments of :meth:`layout`: (n_visible, n_hidden) of two layers."""

    def pack(self, params: Any) -> Array:
        """A new flat vector with the values of `params`, the weights first."""
        return _flat.pack(self.layout(*self.shape(params)), params)

    def unpack(self, vector: Array, *shape: int) -> Any:
        """Views of one flat vector of all parameters; `shape` as of :meth:`shape`."""
        return _flat.unpack(self.layout(*shape), vector)

    def n_weights(self, params: Any) -> int:
        """How many numbers, the first of the flat vector, are weights: penalties are for them."""
        return _flat.n_weights(self.layout(*self.shape(params)))

    def rate_factor(self, spread: float) -> float:
        """Factor on the default learning rate for the `spread` of two-state data.

        This is their variance in proportion to that of random states with the same means; 1 for other data. It is above
        1 where values are beyond both states.
        """
        return float(np.sqrt(min(spread, 1.0)))

    def max_norm_matrices(self, params: Any) -> tuple[Array, ...]:
        """Matrices, views, whose columns are the weights into one unit each: `max_norm` limits these."""
        return ()

    @property
    def fused(self) -> "Model":
        """The model as which this one learns in compiled code: the same distribution, of arrays that stand in the flat
        vector in the same places.
        """
        return self

    def respelled(self, params: Any, other: "Model") -> Any:
        """`params` for a model like :attr:`fused`, in new arrays unless it is this one."""
        return params if other is self else other.unpack(self.pack(params), *self.shape(params))

    # Layers

    @property
    def has_scale(self) -> bool:
        """Whether visible units are measured in a unit of the data's: learning is then of v - origin."""
        return self.visible.has_scale

    def unit_layers(self, params: Any) -> dict[str, tuple[Unit, Any]]:
        """The unit type and the own parameters, views, of each layer, by name; of a gradient, those by them."""
        return {}

    def bounds(self, params: Any) -> Bounds:
        """Smallest and largest values of parameters that have them, by layer and name."""
        return {
            name: unit.bounds(layer_params)
            for name, (unit, layer_params) in self.unit_layers(params).items()
        }

    def project(self, params: Any, bounds: Bounds) -> bool:
        """Bring what an update moved back within its `bounds`, in place; False if it has diverged.

        It has where it passes an upper bound (:meth:`ebm.units.Unit.bounds`).
        """
        return confined(self.unit_layers(params), bounds)

    # Rows and origin

    @property
    def data_columns(self) -> dict[str, slice]:
        """Where in a row of data the layers of visible units stand, by the names of :meth:`unit_layers`."""
        return {"visible": slice(None)}

    def origin(self, mean: Array) -> Array | None:
        """The origin from which units with a scale are measured while learning, the `mean` of the data; or None."""
        return mean if self.has_scale else None

    def visible_at_rest(self, params: Any) -> Array:
        """Means of the visible units without input: (n_visible,)."""
        unit, layer_params = self.unit_layers(params)["visible"]
        return unit.mean(
            layer_params, np.zeros((1, len(layer_params.bias)), layer_params.bias.dtype)
        ).reshape(-1)

    def translated(self, params: Any, shift: Array) -> Any:
        """The law of v + `shift` (n_visible,), for units whose states can be shifted; weights may be shared."""
        raise TypeError(f"The states of {self!r} cannot be shifted.")

    def walk_layers(self, params: Any) -> list[tuple[Unit, Any]]:
        """Unit types and own parameters of the units whose states samplers walk through, side by side."""
        return [self.unit_layers(params)["visible"]]

    @property
    def n_hidden_walked(self) -> int:
        """How many of these, the last ones, are hidden units, which rows of data lack."""
        return 0

    def tempered(self, params: Any, beta: float) -> Any:
        """Parameters of the energy beta E; its law at temperature one is that of E at the inverse temperature."""
        raise TypeError(f"{self!r} has no temperature.")

    def check_energy(self) -> None:
        """ValueError where the conditional distributions of the model belong to no energy: here they do."""
        return

    # Start

    @abc.abstractmethod
    def initial(self, data: DataSummary, n_hidden: int, key: Key) -> Any:
        """Parameters, in new arrays, with which learning begins: those of units that know the data's moments."""

    @property
    def starts_at_rows(self) -> bool:
        """Whether learning starts at rows of the data, see :meth:`with_examples`, or at independent units."""
        return False

    @property
    def starts_at_covariance(self) -> bool:
        """Whether learning starts at the covariance of the data, see :meth:`with_covariance`."""
        return False

    def with_covariance(self, params: Any, covariance: Array, count: float) -> Any:
        """Parameters that know the covariance (n_visible, n_visible) of data, found in `count` rows."""
        return params

    def with_examples(self, params: Any, examples: Array) -> Any:
        """`params` that know the rows `examples` (rows, n_visible), of which there are at least n_hidden."""
        return params

    def centered(self, params: Any, mean: Array) -> Any:
        """`params` whose hidden units have their own mean where the data have their `mean`, if they have a scale."""
        return params

    # Chains

    def chain_width(self, params: Any) -> int:
        """Numbers that a persistent chain is remembered by."""
        return 0

    def offset_widths(self, params: Any) -> tuple[int, int]:
        """Lengths of the two offsets of the centered gradient."""
        return 0, 0

    @property
    def chain_unit(self) -> Unit:
        """The type of the units by whose states a persistent chain is remembered."""
        return self.visible

    @property
    def path_unit(self) -> Unit:
        """The type of the units that are moved along a path (:mod:`ebm.energies.path`), the others being summed out."""
        return self.visible

    def start_chains(
        self, params: Any, mean: Array, n_chains: int, centered: bool, key: Key
    ) -> ChainState:
        """Chains to begin with, independent draws; offsets at the means, or zero if not `centered`.

        `mean` (n_visible,) is the data's. ValueError where memory does not hold so many chains.
        """
        return no_chains(mean.dtype)

    def chains_at_rows(self, params: Any, rows: Array, key: Key) -> Array:
        """States of chains, one drawn given each of the `rows` (rows, n_visible): (rows, width of a chain)."""
        raise TypeError(f"{self!r} has no chains that start at rows.")

    # Learning

    @property
    def has_binary_hidden(self) -> bool:
        """Whether there is one layer of hidden units {0, 1}: sparsity and dropout act on such."""
        return False

    def scaled(self, params: Any) -> bool:
        """Whether some units have a scale, in which the gradient is measured."""
        return any(unit.has_scale for unit, _ in self.unit_layers(params).values())

    def rescale(
        self,
        params: Any,
        gradient: Any,
        chains: ChainState,
        variance: Array | None = None,
        rate: float | None = None,
    ) -> None:
        """Turn the gradient into the step of other parameters, measured in the units' own scales, in place.

        These are U = W / (a c), with the squared scales a and c of the units that an edge joins, in place of the
        weights W, and the centered biases in place of the biases. So learning commutes with a change of the data's
        units of measurement, and a variance is learned at the same inputs of the hidden units.

        `variance` (n_visible,) is the data's; None: the scales stand for it. `rate` is the learning rate by which the
        step will be multiplied, see :func:`of_logarithms`; None: scales stay.
        """
        raise TypeError(
            f"There are no scales of {self!r}: a model with units that have one brings its rescale."
        )

    def fixed(self, gradient: Any) -> list[Array]:
        """The parts of `gradient` that belong to parameters which are given, not learned."""
        return [
            values
            for unit, layer_params in self.unit_layers(gradient).values()
            for name, values in zip(unit.fields, layer_params, strict=True)
            if not unit.is_free(name)
        ]

    def size(self, params: Any, variance: Array | None) -> float:
        """Largest parameter in units of the data, whose `variance` may be unknown; 0 without a measure.

        `params` are those of the law of v - origin (:mod:`ebm._growth`).
        """
        return 0.0


def unit_extents(unit: Unit, n_units: int) -> Any:
    """The layout of the own parameters of a layer."""
    return unit.parameters._make([_flat.Extent((n_units,))] * len(unit.fields))


def in_scales(W: Array, a: Array | None, c: Array | None) -> Array:
    """Weights in the squared scales of the units that they join, where these have one."""
    if a is not None:
        W = W / np.sqrt(a)[:, np.newaxis]
    return W if c is None else W / np.sqrt(c)


def of_logarithms(gradient: Array, rate: float | None) -> None:
    """Turn the gradient g by the logarithms of scales into sign(g) log(1 + rate |g|) / rate, in place; 0 without rate.

    So a scale itself grows by the factor 1 + rate g, at most :data:`LARGEST_FACTOR`. The gradient by the logarithm of a
    variance grows with the square of the deviations. Where few rows are far from the mean, steps in proportion to it
    would overshoot by orders of magnitude, and small ones would hardly count these rows.
    """
    if rate is None:
        gradient[:] = 0
    else:
        factors = 1 + np.minimum(rate * np.abs(gradient), LARGEST_FACTOR - 1)
        gradient[:] = np.copysign(np.log(factors), gradient) / rate


def log_steps(
    unit: Unit, layer_params: Any, gradient: Any, slopes: Array, rate: float | None
) -> Array:
    """The step of log W (units,) that keeps W / a where it is while parameters of the squared scales a move.

    `slopes` (units,) are the sums of W times its gradient, and times the part of that step which is made. They are
    added to the gradients by these parameters, of which steps are made (:func:`of_logarithms`).
    """
    total = np.zeros_like(slopes)
    for name, slope in unit.statistic_slopes(layer_params).items():
        if unit.is_free(name):
            step = getattr(gradient, name)
            step -= slope * slopes
            of_logarithms(step, rate)
            total -= slope * step
    return total


def open_shares(unit: Unit, layer_params: Any, distances: Array) -> Array:
    """The share of each unit's variance that is left given the states of layers with a scale: (units,).

    `distances` (units,) are the sums of W_ij^2 / a_i over these states, whose squared scales are a_i. A normal unit of
    the variance q of its statistic has 1 / (1 + q W' a^-1 W); other units count as if they were normal ones of their
    largest variance. The share is one where the states overlap for all values of the unit, and nearly zero where each
    of its values has a cloud of states of its own.
    """
    scale, (low, high) = unit.scale(layer_params), unit.span(layer_params)
    largest_variance = ((high - low) / 2) ** 2 if scale is None else 1 / scale
    shares: Array = 1 / (1 + largest_variance * distances)
    return shares.astype(distances.dtype)


def small_weights(W: Array, n_units: int, a: Array | None, c: Array | None) -> Array:
    """Weights to begin with between two layers of `n_units` together, made of standard normal deviates W, in place.

    They get the standard deviation sqrt(2 / n_units) / 3, about the customary 0.01 for 784-500. The input
    of every unit then varies by less than a half, whatever the size, and small models leave the saddle at W = 0 sooner.
    Units with a scale measure their weights in it; `a` and `c` are the squared scales of either layer.
    """
    W *= np.sqrt(2 / n_units) / 3
    W *= 1 if a is None else np.sqrt(a)[:, np.newaxis]
    W *= 1 if c is None else np.sqrt(c)
    return W


def largest(x: Array) -> float:
    """The largest absolute value; 0 of nothing."""
    return max(float(x.max()), -float(x.min())) if x.size else 0.0
