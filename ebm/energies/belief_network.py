"""A stack of layers x_0 (the data), x_1, ..., x_L: the deep belief network (Hinton, Osindero & Teh 2006).

The two topmost layers are connected by weights without direction, those below are predicted from the layer above them,

    p(x_0, ..., x_L) = p(x_0 | x_1) ... p(x_{L-2} | x_{L-1})  exp(-E(x_{L-1}, x_L)) / Z,

with the energy E of a bipartite model (:mod:`ebm.energies.bipartite`), its *top*. Every layer's units are independent
given the layer above: unit i of layer k has the input (W x_{k+1})_i. The distribution of the hidden layers given the
data has no closed form. A second set of parameters, going up, describes a distribution that is as simple to draw from,

    Q(x_1, ..., x_{L-1} | x_0) = q(x_1 | x_0) ... q(x_{L-1} | x_{L-2}),

where unit j of layer k + 1 has the input (W' x_k)_j: *recognition*, beside the *generative* distribution p. With x_L
summed out,

    log p(x_0, ..., x_{L-1}) = sum_k log p(x_k | x_{k+1}) - F(x_{L-1}) - log Z.

Directed weights multiply the states themselves, whatever the unit. A Gaussian unit's variance is then a parameter of
the distribution of its own layer alone. A bipartite model whose weights multiply the statistic x / sigma^2 gives them
divided by sigma^2 (:func:`from_rbms`). While the network learns, both ways have arrays of their own.

The top may have a second visible layer besides layer L - 1, the *labels*, of which nothing below knows. It is then a
model of columns (:mod:`ebm.energies.columns`), with the energy E(x_{L-1}, y, x_L). Rows of data are (x_0, y), which is
the model's distribution.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._flat import Extent, dtype_of
from ebm._random import Key, fold
from ebm.energies.base import (
    ChainState,
    DataSummary,
    Model,
    in_scales,
    largest,
    of_logarithms,
    unit_extents,
)
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.columns import ColumnModel
from ebm.energies.labels import LabelTable
from ebm.units import Bernoulli, Unit


class Directed(NamedTuple):
    """Parameters of the distribution of one layer given a neighbour.

    Attributes
    ----------
    W : ndarray of shape (n_below, n_above)
        Weights between the two, whichever of them is predicted.
    params : NamedTuple of ndarray
        The own parameters (:mod:`ebm.units`) of the layer that is predicted.
    """

    W: Array
    params: Any


class BeliefParameters(NamedTuple):
    """Parameters of a deep belief network, and, being of the same shape, gradients by them.

    Attributes
    ----------
    down : tuple of Directed
        Generative: ``down[k]`` predicts layer k from layer k + 1.
    top : BipartiteParameters or LayeredParameters
        Of the undirected model of the two topmost layers, and the labels.
    up : tuple of Directed
        Recognition: ``up[k]`` predicts layer k + 1 from layer k.
    """

    down: tuple[Directed, ...]
    top: Any
    up: tuple[Directed, ...]


@dataclass(frozen=True)
class BeliefNetwork(Model):
    """The choice of unit types, layer by layer; all functions take the parameters and leave their arguments alone.

    Parameters
    ----------
    units : tuple of Unit
        Types of the layers 0, ..., L - 1, data first.
    top_model : Bipartite or ColumnModel
        The model of the layers L - 1 and L, or of layer L - 1 and the labels, two groups of columns, and layer L.
    """

    kind: ClassVar[str] = "deep belief networks"
    units: tuple[Unit, ...]
    top_model: Bipartite | ColumnModel

    def __post_init__(self) -> None:
        top = self.top_model
        seen = top.visible.units if isinstance(top, ColumnModel) else (top.visible,)
        if not self.units or type(seen[0]) is not type(self.units[-1]) or len(seen) > 2:
            raise ValueError(
                "top_model must have visible units of the last type in units, and at most the labels as a second "
                f"group. Got units={self.units!r} and visible units {top.visible!r}."
            )

    @property
    def visible(self) -> Unit:
        """The data's type."""
        return self.units[0]

    @property
    def n_directed(self) -> int:
        """Count of layers that are predicted from above, L - 1."""
        return len(self.units) - 1

    @property
    def n_labels(self) -> int:
        """Count of label units."""
        top = self.top_model
        return sum(top.visible.sizes[1:]) if isinstance(top, ColumnModel) else 0

    # What training needs --------------------------------------------------------------------

    def shape(self, params: BeliefParameters) -> tuple[int, ...]:
        """(n_0, ..., n_L)."""
        below, n_top = self.top_model.shape(params.top)
        return (*(len(layer.W) for layer in params.down), below - self.n_labels, n_top)

    def layout(self, *shape: int) -> BeliefParameters:
        """The arrays of layers of the sizes (n_0, ..., n_L)."""

        def directed(unit: Unit, n_below: int, n_above: int, n_units: int) -> Directed:
            W: Any = Extent((n_below, n_above), weight=True)
            return Directed(W, unit_extents(unit, n_units))

        pairs = [*pairwise(shape[:-1])]
        return BeliefParameters(
            tuple(directed(unit, n, m, n) for unit, (n, m) in zip(self.units, pairs, strict=False)),
            self.top_model.layout(shape[-2] + self.n_labels, shape[-1]),
            tuple(
                directed(unit, n, m, m) for unit, (n, m) in zip(self.units[1:], pairs, strict=True)
            ),
        )

    def initial(self, data: DataSummary, n_hidden: int, key: Key) -> BeliefParameters:
        """Refused: learning starts from machines that were trained one on top of the other (:func:`from_rbms`)."""
        raise TypeError("A deep belief network does not start from data. Make it with from_rbms.")

    def max_norm_matrices(self, params: BeliefParameters) -> tuple[Array, ...]:
        """Matrices, views, whose columns are the weights into one unit."""
        down, top, up = params
        matrices = self.top_model.max_norm_matrices(top)
        return (*(x.W.T for x in down), *matrices, *(x.W for x in up))

    def chain_width(self, params: BeliefParameters) -> int:
        """Numbers that a persistent chain of the model is remembered by: the states of the topmost layer."""
        return self.top_model.chain_width(params.top)

    def offset_widths(self, params: BeliefParameters) -> tuple[int, int]:
        """Lengths of the offsets of the centered gradient, of the two topmost layers."""
        return self.top_model.offset_widths(params.top)

    @property
    def chain_unit(self) -> Unit:
        """The type of the topmost units."""
        return self.top_model.chain_unit

    def start_chains(
        self, params: BeliefParameters, mean: Array, n_chains: int, centered: bool, key: Key
    ) -> ChainState:
        """Those of the top, with offsets at what recognition makes of the data's `mean` (n_0,)."""
        top, x = self.top_model, mean[np.newaxis].astype(dtype_of(params))
        for k in range(self.n_directed):
            x = self.up_mean(params, k, x)
        below = top.visible_at_rest(params.top)
        below[: x.shape[1]] = x[0]
        return top.start_chains(params.top, below, n_chains, centered, key)

    def visible_at_rest(self, params: BeliefParameters) -> Array:
        """Means of the data's units without input: (n_0,)."""
        if not params.down:
            return self.top_model.visible_at_rest(params.top)[: self.shape(params)[0]]
        layer_params = params.down[0].params
        nothing = np.zeros((1, len(layer_params.bias)), layer_params.bias.dtype)
        rest: Array = self.visible.mean(layer_params, nothing)[0]
        return rest

    def translated(self, params: BeliefParameters, shift: Array) -> BeliefParameters:
        """The distribution of x_0 + `shift` (n_0,), for units whose states can be shifted; the arrays of W are
        shared.
        """
        if not params.down:
            shift = np.append(shift, np.zeros(self.n_labels, shift.dtype))
            return params._replace(top=self.top_model.translated(params.top, shift))
        (first, *down), (lowest, *up) = params.down, params.up
        moved = first.params._replace(bias=first.params.bias + shift)
        pulled = lowest.params._replace(bias=lowest.params.bias - shift @ lowest.W)
        return params._replace(
            down=(first._replace(params=moved), *down), up=(lowest._replace(params=pulled), *up)
        )

    def unit_layers(self, params: BeliefParameters) -> dict[str, tuple[Unit, Any]]:
        """The unit type and own parameters of every predicted layer, by the names under which bounds are kept."""
        named = self.top_model.unit_layers(params.top)
        for k, (down, up) in enumerate(zip(params.down, params.up, strict=True)):
            named[f"down{k}"] = (self.units[k], down.params)
            named[f"up{k}"] = (self.units[k + 1], up.params)
        return named

    def walk_layers(self, params: BeliefParameters) -> list[tuple[Unit, Any]]:
        """The data's units, and the labels."""
        below, *labels = self.top_model.walk_layers(params.top)
        return [(self.visible, params.down[0].params) if params.down else below, *labels]

    def rescale(
        self,
        params: BeliefParameters,
        gradient: BeliefParameters,
        chains: ChainState,
        variance: Array | None = None,
        rate: float | None = None,
    ) -> None:
        """Diagonally.

        A factor of a unit's state is measured in the inverse of its scale, a term of its mean in the scale. With the
        scales a_i and c_j of two neighboring layers, generative weights from j to i move a_i / c_j times as far, and
        recognition weights c_j / a_i times.
        """
        self.top_model.rescale(
            params.top, gradient.top, chains, None if params.down else variance, rate
        )
        for k, (down, up) in enumerate(zip(params.down, params.up, strict=True)):
            a, c = self.units[k].scale(down.params), self.units[k + 1].scale(up.params)
            to_down, to_up = gradient.down[k], gradient.up[k]
            for logarithms in (*to_down.params[1:], *to_up.params[1:]):
                of_logarithms(logarithms, rate)
            if a is not None:
                to_down.W[:] *= a[:, np.newaxis]
                to_down.params.bias[:] *= a
                to_up.W[:] /= a[:, np.newaxis]
            if c is not None:
                to_down.W[:] /= c
                to_up.W[:] *= c
                to_up.params.bias[:] *= c

    def size(self, params: BeliefParameters, variance: Array | None) -> float:
        """Of the weights, and of the biases of units without a scale, on either way."""
        top, (_, hidden) = self.top_model, self.top_model.unit_layers(params.top)["hidden"]
        below = top.visible.scale(top.visible_parameters(params.top))
        W = top.arrays(params.top)["weights"]
        arrays = [in_scales(W, below, top.hidden.scale(hidden))]
        arrays += [
            layer_params.bias
            for unit, layer_params in self.unit_layers(params).values()
            if not unit.has_scale
        ]
        for k, (down, up) in enumerate(zip(params.down, params.up, strict=True)):
            scales = self.units[k].scale(down.params), self.units[k + 1].scale(up.params)
            arrays += [in_scales(down.W, *scales), in_scales(up.W, *scales)]
        return max(map(largest, arrays))

    # Passes up and down ---------------------------------------------------------------------

    def split(self, rows: Array) -> tuple[Array, Array | None]:
        """Rows (x_0, labels) in their two parts; the second is None where the model has no labels."""
        n = rows.shape[1] - self.n_labels
        return rows[:, :n], rows[:, n:] if self.n_labels else None

    def beside(self, x: Array, labels: Array | None) -> Array:
        """Rows of `x` followed by the labels, if there are any: the inverse of :meth:`split`."""
        return x if labels is None else np.hstack([x, labels.astype(x.dtype, copy=False)])

    def means_up(self, params: BeliefParameters, x: Any) -> Iterator[Array]:
        """Means of layers 1, ..., L, each given the means of the one below as if they were states.

        `x` (rows, n_0), dense or CSR. The means of layer L are averaged over the labels, with the weights p(y | x).
        """
        for k in range(self.n_directed):
            yield (x := self.up_mean(params, k, x))
        if self.n_labels:
            yield self.label_table(params, x).hidden_mean()
        else:
            yield self.top_model.hidden_mean(params.top, x)

    def sample_up(
        self, params: BeliefParameters, x: Array, key: Key, first_row: int = 0
    ) -> list[Array]:
        """One draw of layers 1, ..., L - 1 from Q given each row of `x` (rows, n_0).

        Layer k + 1 draws from ``fold(key, k)``, row r the numbers of row ``first_row + r``.
        """
        states = []
        for k, (layer, unit) in enumerate(zip(params.up, self.units[1:], strict=True)):
            x = unit.sample(layer.params, x @ layer.W, fold(key, k), first_row=first_row)
            states.append(x)
        return states

    def mean_down(self, params: BeliefParameters, x: Array, layer: int) -> Array:
        """Means of the data given states or means `x` of the `layer`, by way of the means of those between."""
        for k in reversed(range(layer)):
            unit, layer_params, inputs = self._from_above(params, k, x)
            x = self._without_labels(unit.mean(layer_params, inputs), k)
        return x

    def sample_down(
        self,
        params: BeliefParameters,
        x: Array,
        key: Key,
        *,
        layer: int | None = None,
        mean: bool = False,
        first_row: int = 0,
    ) -> list[Array]:
        """One draw of the layers 0, ..., `layer` - 1 (in this order) given states `x` of the `layer`.

        Without `layer`, `x` are states of layer L - 1; with L they are the topmost one's. With `mean` the data are
        their mean given layer 1 instead of a draw. Layer k draws from ``fold(key, k)``, row r the numbers of row
        ``first_row + r``.
        """
        states: list[Array] = []
        for k in reversed(range(self.n_directed if layer is None else layer)):
            unit, layer_params, inputs = self._from_above(params, k, x)
            if mean and not k:
                x = unit.mean(layer_params, inputs)
            else:
                x = unit.sample(layer_params, inputs, fold(key, k), first_row=first_row)
            x = self._without_labels(x, k)
            states.append(x)
        return states[::-1]

    def up_mean(self, params: BeliefParameters, k: int, x: Array) -> Array:
        """Means of layer k + 1 given states `x` of layer `k`, by recognition."""
        return self.units[k + 1].mean(params.up[k].params, x @ params.up[k].W)

    def down_mean(self, params: BeliefParameters, k: int, x: Array) -> Array:
        """Means of layer `k` given states `x` of layer k + 1."""
        return self.units[k].mean(params.down[k].params, x @ params.down[k].W.T)

    def _from_above(self, params: BeliefParameters, k: int, x: Array) -> tuple[Unit, Any, Array]:
        """Unit type, own parameters and inputs of layer `k`, or of the top's visible one, from layer k + 1."""
        if k < self.n_directed:
            return self.units[k], params.down[k].params, x @ params.down[k].W.T
        top = self.top_model
        return top.visible, top.visible_parameters(params.top), top.visible_input(params.top, x)

    def _without_labels(self, x: Array, k: int) -> Array:
        return x if k < self.n_directed else np.ascontiguousarray(self.split(x)[0])

    def fused_top(self, params: BeliefParameters) -> tuple[Any, Any]:
        """The model as which the top learns (:attr:`ebm.energies.base.Model.fused`), and its parameters."""
        fused = self.top_model.fused
        return fused, self.top_model.respelled(params.top, fused)

    def steps(self, params: BeliefParameters) -> list[tuple[Bipartite | ColumnModel, Any]]:
        """The models and parameters of the steps of recognition, as of two layers, and of the top.

        Weights of recognition multiply the states themselves, as those of Bernoulli units do.
        """
        steps: list[tuple[Bipartite | ColumnModel, Any]] = []
        for unit, (W, layer_params) in zip(self.units[1:], params.up, strict=True):
            rest = Bernoulli().neutral(len(W), W.dtype)
            steps.append((Bipartite(Bernoulli(), unit), BipartiteParameters(W, rest, layer_params)))
        return [*steps, (self.top_model, params.top)]

    # Log-probabilities ----------------------------------------------------------------------

    def log_down(self, params: BeliefParameters, k: int, x: Array, above: Array) -> Array:
        """Log p(x_k | x_{k+1}) per row, in double precision: densities for Gaussian units."""
        layer = params.down[k]
        return log_conditional(self.units[k], layer.params, above @ layer.W.T, x)

    def log_up(self, params: BeliefParameters, k: int, below: Array, x: Array) -> Array:
        """Log q(x_{k+1} | x_k) per row, in double precision."""
        layer = params.up[k]
        return log_conditional(self.units[k + 1], layer.params, below @ layer.W, x)

    def log_top(
        self, params: BeliefParameters, x: Array, labels: Array | None = None, beta: float = 1.0
    ) -> Array:
        """-beta F of states `x` of layer L - 1 and the labels, per row: log p(x, labels) + log Z(beta).

        Labels that are None are summed out.
        """
        if self.n_labels and labels is None:
            return self.label_table(params, x, beta).log_sums
        return -beta * self.top_model.free_energy(params.top, self.beside(x, labels), beta)

    def log_joint(
        self,
        params: BeliefParameters,
        states: Sequence[Array],
        labels: Array | None = None,
        beta: float = 1.0,
    ) -> Array:
        """Log p(x_0, ..., x_{L-1}, labels) + log Z per row of the `states` of these layers; see :meth:`log_top`."""
        total = self.log_top(params, states[-1], labels, beta)
        for k, (x, above) in enumerate(pairwise(states)):
            total += self.log_down(params, k, x, above)
        return total

    def log_recognition(self, params: BeliefParameters, states: Sequence[Array]) -> Array:
        """Log Q(x_1, ..., x_{L-1} | x_0) per row of the `states` of layers 0, ..., L - 1."""
        total = np.zeros(len(states[0]))
        for k, (below, x) in enumerate(pairwise(states)):
            total += self.log_up(params, k, below, x)
        return total

    def labels_above(self, params: BeliefParameters, x: Any) -> LabelTable:
        """The labels beside the means of layer L - 1 that come up from data `x` (rows, n_0), dense or CSR."""
        return self.label_table(params, self.features_above(params, x))

    def features_above(self, params: BeliefParameters, x: Any) -> Any:
        """The means of layer L - 1 that come up from data `x` (rows, n_0), dense or CSR."""
        for k in range(self.n_directed):
            x = self.up_mean(params, k, x)
        return x

    def label_table(self, params: BeliefParameters, x: Any, beta: float = 1.0) -> LabelTable:
        """The labels beside states `x` of layer L - 1; ValueError where they have too many states."""
        assert isinstance(self.top_model, ColumnModel)
        return LabelTable(self.top_model, params.top, x, beta)


def log_conditional(unit: Unit, layer_params: Any, inputs: Array, x: Array) -> Array:
    """Log p(x | input) of a layer per row, in double precision: -U(x) + input's(x) - A(input)."""
    coupled = np.einsum("ij,ij->i", unit.statistic(layer_params, x), inputs, dtype=np.float64)
    log_p: Array = (
        coupled - unit.energy(layer_params, x) - unit.log_normaliser(layer_params, inputs)
    )
    return log_p


def from_rbms(
    rbms: Sequence[tuple[Any, Any]],
) -> tuple[BeliefNetwork, BeliefParameters]:
    """The deep belief network of machines that were trained one on top of the other, data first.

    Every machine but the last gives the distribution of its visible layer for the way down, and of its hidden layer for
    the way up. Their weights are *tied*, until training makes them differ. The last one becomes the top.

    Parameters
    ----------
    rbms : sequence of pairs (Bipartite, BipartiteParameters)
        The hidden layer of each is the visible one of the next. The last may be a pair (ColumnModel, LayeredParameters)
        with two groups of columns, of which the second are labels.

    Returns
    -------
    BeliefNetwork, BeliefParameters
        The arrays are those of the machines where they have the same numbers; training copies them.

    Raises
    ------
    ValueError
        If there is no machine, or if one's visible layer is not the hidden layer below it, in count or in type.

    References
    ----------
    .. [1] Hinton, G. E., Osindero, S. and Teh, Y. W. (2006). A fast learning algorithm for deep belief nets. Neural
       Computation 18, 1527-1554, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm._random import stream
    >>> from ebm.energies.base import DataSummary
    >>> from ebm.energies.bipartite import Bipartite
    >>> from ebm.energies.belief_network import from_rbms
    >>> from ebm.units import Bernoulli
    >>> rbm, half, key = Bipartite(Bernoulli(), Bernoulli()), np.full(4, 0.5), stream(0, "init")
    >>> first = rbm.initial(DataSummary(half, half, 1), 3, key)
    >>> model, params = from_rbms([(rbm, first), (rbm, rbm.swapped(first)[1])])
    >>> model.shape(params)
    (4, 3, 4)
    """
    if not rbms:
        raise ValueError("rbms must hold at least one machine. Got none.")
    for number, ((lower, below), upper) in enumerate(pairwise(rbms)):
        unit, width = _first_layer(*upper)
        if below.W.shape[1] != width or type(unit) is not type(lower.hidden):
            raise ValueError(
                f"rbms: machine {number} has {below.W.shape[1]} hidden units of the type {lower.hidden!r}, but machine "
                f"{number + 1} is of {width} visible units of the type {unit!r}. Train each on the hidden units of "
                "the one below."
            )
    *lower_ones, (top_model, top) = rbms
    data, _ = _first_layer(*rbms[0])
    model = BeliefNetwork((data, *(machine.hidden for machine, _ in lower_ones)), top_model)
    down, up = [], []
    for machine, (W, visible, hidden) in lower_ones:
        down.append(Directed(machine.hidden.statistic(hidden, W), visible))
        recognition = machine.visible.statistic(visible, W.T).T
        up.append(Directed(np.ascontiguousarray(recognition), hidden))
    return model, BeliefParameters(tuple(down), top, tuple(up))


def _first_layer(model: Bipartite | ColumnModel, params: Any) -> tuple[Unit, int]:
    """The type and the number of the units of the first visible layer."""
    unit, layer_params = model.walk_layers(params)[0]
    return unit, len(layer_params.bias)
