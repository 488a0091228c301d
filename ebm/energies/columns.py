"""Columns of several types on one layer of hidden units: a restricted Boltzmann machine of a table.

    E(v, h) = sum_l U_l(v_l) + U(h) - sum_l s(v_l)' W_l s(h)

Every group l of columns has units of its own type. The weights of all groups are one matrix W (n_visible, n_hidden),
whose rows are in the order of the groups. The model is seen as two layers, with the names of functions that
:mod:`ebm.energies.bipartite` has.

With unequal multiplicities (:mod:`ebm.energies.edges`) it is a machine that is trained to be the lowest or the topmost
part of a deep Boltzmann machine (:mod:`ebm.pretraining.doubled`): two conditional distributions without an energy.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ebm._checks import Array
from ebm._random import Key
from ebm._sparse import dense
from ebm.energies.base import Model
from ebm.energies.bipartite import (
    Bipartite,
    BipartiteParameters,
    Read,
    array_name,
)
from ebm.energies.edges import Edge
from ebm.energies.layer_graph import EVEN, ODD, Layer
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.energies.thresholds import Apart, largest_precision, measure, rows_apart, tells_apart
from ebm.units import Bernoulli, Categorical, Gaussian, OneHot, Unit


class ColumnModel(LayeredModel):
    """Visible layers of several types, side by side, and one hidden layer.

    Parameters
    ----------
    groups : sequence of (Unit, int)
        Types of the visible units, and how many columns of each there are, in order.
    hidden : Unit
        Type of the hidden units.
    n_hidden : int
        How many there are.
    multiplicity : tuple of two floats, or sequence of such tuples, default=(1, 1)
        How often the visible and the hidden units count what they receive: of all groups, or one for each group. The
        hidden units count all groups equally often.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm._random import stream
    >>> from ebm.energies.base import DataSummary
    >>> from ebm.energies.columns import ColumnModel
    >>> from ebm.units import Bernoulli, Gaussian
    >>> model = ColumnModel([(Bernoulli(), 2), (Gaussian(), 1)], Bernoulli(), 4)
    >>> data = DataSummary(np.array([0.5, 0.5, 20.0]), np.array([1, 1, 9.0]), 10)
    >>> params = model.initial(data, 4, stream(0, "init"))
    >>> model.hidden_mean(params, np.array([[0, 1, 23.0]])).shape
    (1, 4)
    """

    kind: ClassVar[str] = "models of columns"

    def __init__(
        self,
        groups: Sequence[tuple[Unit, int]],
        hidden: Unit,
        n_hidden: int,
        multiplicity: tuple[float, float] | Sequence[tuple[float, float]] = (1, 1),
        n_factors: int = 0,
    ) -> None:
        counts: Any = multiplicity
        if not isinstance(counts[0], tuple):
            counts = [counts] * len(groups)
        names = [f"visible{k}" for k in range(len(groups))]
        layers = [
            Layer(name, *group, visible=True) for name, group in zip(names, groups, strict=True)
        ]
        edges = [
            Edge(name, "hidden", multiplicity=count)
            for name, count in zip(names, counts, strict=True)
        ]
        above = [Layer("hidden", hidden, n_hidden)]
        if n_factors:
            above.append(Layer("factors", Gaussian(variance="unit"), n_factors))
            edges += [Edge(layer.name, "factors") for layer in layers if layer.unit.is_normal]
        super().__init__([*layers, *above], edges)

    @property
    def hidden(self) -> Unit:
        """The type of the hidden units."""
        return self.layers[len(self.shown)].unit

    @property
    def fused(self) -> Model:
        """Bits followed by categories as one layer on the hidden one, for compiled code; other columns as they are."""
        if not self._counts_once:
            return self
        units = [self.layers[k].unit for k in self.shown]
        n_bits = sum(isinstance(unit, Bernoulli) for unit in units)
        bits, groups = units[:n_bits], units[n_bits:]
        if not all(isinstance(unit, Bernoulli) for unit in bits):
            return self
        sizes = tuple(n for unit in groups if isinstance(unit, Categorical) for n in unit.sizes)
        if not all(isinstance(unit, Categorical) for unit in groups):
            return self
        return Bipartite(OneHot(sizes) if sizes else Bernoulli(), self.hidden)

    @property
    def _counts_once(self) -> bool:
        """Whether no layer counts what it receives more than once: the machine is no part of a deep one."""
        return all(count == 1 for edge in self.edges for count in edge.multiplicity)

    def hidden_mean(self, params: LayeredParameters, v: Array, beta: float = 1.0) -> Array:
        """E[h | v]: (rows, n_visible) -> (rows, n_hidden); `v` may be CSR rows."""
        return self.mean(params, ODD, dense(v), beta)

    def hidden_input(self, params: LayeredParameters, v: Array) -> Array:
        """Inputs of the hidden units; `v` may be CSR rows."""
        return self.inputs_from(params, ODD, dense(v))

    def hidden_parameters(self, params: LayeredParameters) -> Any:
        """The hidden units' own parameters, for functions of :attr:`hidden`."""
        return params.layers[len(self.shown)]

    def visible_mean(self, params: LayeredParameters, h: Array, beta: float = 1.0) -> Array:
        """E[v | h]: (rows, n_hidden) -> (rows, n_visible)."""
        return self.mean(params, EVEN, h, beta)

    def sample_hidden(
        self, params: LayeredParameters, v: Array, key: Key, beta: float = 1.0
    ) -> Array:
        """One draw from p(h | v) per row."""
        return self.sample(params, ODD, v, key, beta)

    def sample_visible(
        self, params: LayeredParameters, h: Array, key: Key, beta: float = 1.0
    ) -> Array:
        """One draw from p(v | h) per row."""
        return self.sample(params, EVEN, h, key, beta)

    def pairs(self, params: LayeredParameters) -> list[tuple[Bipartite, BipartiteParameters]]:
        """Each group of columns as the only one on the hidden layer; the arrays are shared."""
        hidden = self.hidden_parameters(params)
        return [
            (
                Bipartite(self.layers[k].unit, self.hidden),
                BipartiteParameters(W, layer_params, hidden),
            )
            for k, W, layer_params in zip(self.shown, params.weights, params.layers, strict=False)
        ]

    def hidden_at_rest(self, params: LayeredParameters) -> Array:
        """Means of the hidden units without input: (n_hidden,)."""
        own, nothing = self.layer_params(params, ODD), self.nothing(params, ODD)
        rest: Array = self.sides[ODD].mean(own, nothing)[0]
        return rest

    def visible_input(self, params: LayeredParameters, h: Array) -> Array:
        """W s(h): what the visible units receive."""
        return self.inputs_from(params, EVEN, h)

    def visible_parameters(self, params: LayeredParameters) -> Any:
        """The visible units' own parameters, for functions of :attr:`visible`."""
        return self.layer_params(params, EVEN)

    def free_energy(self, params: LayeredParameters, v: Array, beta: float = 1.0) -> Array:
        """F(v) per row: (rows, n_visible) -> (rows,) in double precision."""
        return self.color_free_energy(params, EVEN, v, beta)

    def recognition(self, params: LayeredParameters) -> tuple[Array, Array]:
        """New arrays W (n_visible, n_hidden), c (n_hidden,) with v'W + c the hidden units' inputs, biases included."""
        identity = np.eye(sum(self.visible.sizes), dtype=self.dtype(params))
        biases = [x.bias for x in self.layer_params(params, ODD)]
        return self.inputs_from(params, ODD, identity), np.concatenate(biases)

    # Start

    @property
    def starts_at_rows(self) -> bool:
        """Whether learning starts at rows of the data: see :meth:`with_examples`."""
        return bool(self._told_apart()) and self.hidden.states == (0.0, 1.0)

    def _told_apart(self) -> list[int]:
        """Layers by whose columns hidden units tell rows apart: all but those of counts without bounds."""
        return [k for k in self.shown if tells_apart(self.layers[k].unit)]

    def with_examples(self, params: LayeredParameters, examples: Array) -> LayeredParameters:
        """Hidden units that tell rows apart, as those of two layers do.

        See :meth:`ebm.energies.bipartite.Bipartite.with_examples`. Columns of counts without bounds keep small random
        weights. The hidden biases make up for the mean input from these columns, so that the thresholds stay at the
        rows. The weights are such that each layer, as often as it counts what it receives, receives that of two layers.
        """
        below = {k: self.edges[k].multiplicity[0] for k in self.shown}
        above = self.edges[0].multiplicity[1]
        layer_params, weights = list(params.layers), list(params.weights)
        columns = dict(zip(self.shown, self.visible.slices, strict=True))
        told = self._told_apart()
        examples = dense(examples)
        rows = {k: np.ascontiguousarray(examples[:, columns[k]]) for k in self.shown}
        apart = self._apart(params, rows, told)
        dtype, hidden_bias, at = self.dtype(params), apart.hidden_bias, 0
        for k in self.shown:
            unit = self.layers[k].unit
            if k not in told:
                received = unit.statistic(layer_params[k], rows[k]).mean(axis=0) @ weights[k]
                hidden_bias = hidden_bias - above * received
                continue
            share, some = below[k] / above, slice(at, at + self.layers[k].size)
            seen = apart._replace(U=share * apart.U, precision=share**2 * apart.precision)
            W, layer_params[k] = seen.below(unit, layer_params[k], some)
            weights[k], at = (W / below[k]).astype(dtype), some.stop
        hidden = self.hidden_parameters(params)._replace(bias=hidden_bias.astype(dtype))
        layer_params[len(self.shown)] = hidden
        return LayeredParameters(tuple(weights), tuple(layer_params))

    def _apart(self, params: LayeredParameters, rows: dict[int, Array], told: list[int]) -> Apart:
        """Hidden units that tell `rows` apart by the layers `told`, which are side by side in the result."""
        units = [measure(self.layers[k].unit, params.layers[k], rows[k]) for k in told]
        return rows_apart(
            np.concatenate([params.weights[k] for k in told]),
            np.hstack([rows[k] for k in told]),
            np.concatenate(units),
            np.concatenate([self._largest_precision(k, rows[k]) for k in told]),
        )

    def _largest_precision(self, k: int, rows: Array) -> Array:
        """See :func:`ebm.energies.thresholds.largest_precision`; there is no limit in a part of a deep machine.

        There it is the data, and not another hidden layer, that should decide the states of the lowest one.
        """
        limits = largest_precision(self.layers[k].unit, rows)
        return limits if self._counts_once else np.full_like(limits, np.inf)

    # Arrays by name

    def arrays(self, params: LayeredParameters) -> dict[str, Array]:
        """New arrays of all parameters by name: "weights" (n_visible, n_hidden), "intercept_visible" and so on.

        Parameters that only some units have, such as "log_variance_visible", are those of these units, in order.
        """
        found = {"weights": self._joined_weights(params)}
        for side, members in (("visible", self.shown), ("hidden", self.members[ODD])):
            for name in self._fields(members):
                parts = [getattr(params.layers[k], name) for k in members if self._has(k, name)]
                found[array_name(name, side)] = np.concatenate(parts)
        return found

    def _joined_weights(self, params: LayeredParameters) -> Array:
        """Of all edges, in one matrix."""
        W = np.zeros(self.shape(params), self.dtype(params))
        for (low, high), part in zip(self.ends, params.weights, strict=True):
            W[self.places[low].columns, self.places[high].columns] = part
        return W

    def _fields(self, members: Sequence[int]) -> list[str]:
        """Names of the own parameters that some of the layers have, each once."""
        return list(dict.fromkeys(f for k in members for f in self.layers[k].unit.fields))

    def _has(self, k: int, name: str) -> bool:
        return name in self.layers[k].unit.fields

    def of_arrays(self, W: Array, read: Read) -> LayeredParameters:
        """The inverse of :meth:`arrays`: parameters of the weights W and of what `read` gives for each other name."""
        sizes = sum(self.visible.sizes), sum(self.sides[ODD].sizes)
        if W.shape != sizes:
            raise ValueError(
                f"The columns and hidden units of the model take weights of the shape {sizes}. Got {W.shape}."
            )
        layer_params: list[Any] = [x.unit.neutral(x.size, W.dtype) for x in self.layers]
        for side, members in (("visible", self.shown), ("hidden", self.members[ODD])):
            for name in self._fields(members):
                some = [k for k in members if self._has(k, name)]
                neutral = np.concatenate([getattr(layer_params[k], name) for k in some])
                ends = np.cumsum([self.layers[k].size for k in some])[:-1]
                values = np.split(read(array_name(name, side), neutral), ends)
                for k, x in zip(some, values, strict=True):
                    layer_params[k] = layer_params[k]._replace(**{name: np.ascontiguousarray(x)})
        weights = [
            np.ascontiguousarray(W[self.places[low].columns, self.places[high].columns])
            for low, high in self.ends
        ]
        return LayeredParameters(tuple(weights), tuple(layer_params))
