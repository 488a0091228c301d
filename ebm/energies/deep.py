"""Deep Boltzmann machines: the visible units, and hidden layers h_1, ..., h_L one above the other.

    E(v, h_1, ..., h_L) = U(v) + sum_l U_l(h_l) - s(v)' W_1 s(h_1) - sum_l s(h_{l-1})' W_l s(h_l)

Each layer is connected to the one below and to the one above (Salakhutdinov & Hinton 2009). The visible units may be of
several types, in groups of columns that are all connected to h_1. Given the data, the hidden layers are not independent
of each other: neighbors receive input from each other. Their means are those of the mean field
(:mod:`ebm.inference.layered_mean_field`). With one hidden layer this is a restricted Boltzmann machine, and is trained
by the same compiled code.

The parameters are also one list of matrices and one list of vectors, layer by layer, from the data up: see
:class:`DeepArrays`.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._values import ROUNDING
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite
from ebm.energies.edges import Edge
from ebm.energies.fixed_point import FixedPoint
from ebm.energies.layer_graph import EVEN, ODD, Layer
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.energies.side_by_side import SideBySide
from ebm.units import Unit

# The learning rate of several hidden layers in proportion to that of one, for two-state data.
FASTER = 3.0


class DeepArrays(NamedTuple):
    """The parameters of a deep Boltzmann machine, layer by layer from the data up.

    Attributes
    ----------
    weights : list of ndarray of shape (n_units_below, n_units_above)
        One for each hidden layer; the groups of visible columns are side by side.
    biases : list of ndarray of shape (n_units,)
        Of the visible units and of each hidden layer.
    others : list of dict of str to ndarray
        For each of these layers, the parameters of its units besides the biases, by their names. Those of visible units
        of several types are only for the columns of the types that have such a parameter, in order.
    """

    weights: list[Array]
    biases: list[Array]
    others: list[dict[str, Array]]


class DeepModel(LayeredModel):
    """Visible columns of one or several types, and a chain of hidden layers.

    Parameters
    ----------
    groups : sequence of (Unit, int)
        Types of the visible units, and how many columns of each there are, in order.
    hidden : sequence of (Unit, int)
        Types and sizes of the hidden layers, from the data up; at least one.
    fixed_point : FixedPoint or None, default=None
        How far the mean field is iterated in learning.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm._random import stream
    >>> from ebm.energies.base import DataSummary
    >>> from ebm.energies.deep import DeepModel
    >>> from ebm.units import Bernoulli, Spin
    >>> model = DeepModel([(Bernoulli(), 4)], [(Bernoulli(), 3), (Spin(), 2)])
    >>> data = DataSummary(np.full(4, 0.5), np.ones(4), 10)
    >>> params = model.initial(data, 5, stream(0, "init"))
    >>> [W.shape for W in model.arrays(params).weights]
    [(4, 3), (3, 2)]
    """

    kind: ClassVar[str] = "deep Boltzmann machines"

    def __init__(
        self,
        groups: Sequence[tuple[Unit, int]],
        hidden: Sequence[tuple[Unit, int]],
        fixed_point: FixedPoint | None = None,
    ) -> None:
        shown = [Layer(f"visible{k}", *group, visible=True) for k, group in enumerate(groups)]
        above = [Layer(f"hidden{k}", *layer) for k, layer in enumerate(hidden, 1)]
        edges = [Edge(layer.name, above[0].name) for layer in shown]
        edges += [Edge(a.name, b.name) for a, b in pairwise(above)]
        super().__init__([*shown, *above], edges)
        self.fixed_point = fixed_point or FixedPoint()

    @property
    def fused(self) -> Model:
        """Two layers as the model that is compiled for them; deeper ones as they are."""
        if len(self.layers) > 2:
            return self
        return Bipartite(self.layers[0].unit, self.layers[1].unit)

    def rate_factor(self, spread: float) -> float:
        """The factor of any model; several hidden layers learn faster where the data are states of two-state units.

        Chains then move faster, too: at the rate of a restricted machine some fits end with states far from the data
        that the chains have never come to.
        """
        factor = super().rate_factor(spread)
        states = [self.layers[k].unit.states or () for k in self.shown]
        known = spread <= 1 + ROUNDING and all(len(some) == 2 for some in states)
        if len(self.hidden) == 1 or not known:
            return factor
        return factor * max(1.0, FASTER * spread**2)

    @property
    def hidden_layers(self) -> tuple[int, ...]:
        """Numbers of the hidden layers, from the data up."""
        return tuple(range(len(self.shown), len(self.layers)))

    @property
    def groups(self) -> list[tuple[Unit, int]]:
        """Types of the visible units, and how many columns of each there are."""
        return [(self.layers[k].unit, self.layers[k].size) for k in self.shown]

    @property
    def hidden(self) -> list[tuple[Unit, int]]:
        """Types and sizes of the hidden layers, from the data up."""
        return [(self.layers[k].unit, self.layers[k].size) for k in self.hidden_layers]

    @property
    def hidden_side(self) -> SideBySide:
        """The hidden units, layer by layer."""
        units, sizes = zip(*self.hidden, strict=True)
        return SideBySide(units, sizes)

    def colors(self, params: LayeredParameters, v: Array, h: Array) -> tuple[Array, Array]:
        """The states of both colors in rows of data `v` and rows of all hidden layers `h` (rows, units)."""
        some = zip(self.shown, self.visible.slices, strict=True)
        states = {k: np.ascontiguousarray(v[:, columns]) for k, columns in some}
        for k, columns in zip(self.hidden_layers, self.hidden_side.slices, strict=True):
            states[k] = np.ascontiguousarray(h[:, columns])
        even, odd = (
            self.colored(color, states, self.nothing(params, color, len(v)))
            for color in (EVEN, ODD)
        )
        return even, odd

    def recognition(self, params: LayeredParameters) -> list[tuple[Unit, tuple[Array, Array]]]:
        """Units of each hidden layer, and new weights and biases of their inputs in one pass upward.

        Each layer receives from the one below, twice as much if there is one above: the start of the mean field
        (:mod:`ebm.inference.layered_mean_field`). The weights take in what the statistics, which are linear in the
        states, make of these.
        """
        found, arrays = [], self.arrays(params)
        below = [(self.layers[k].unit, params.layers[k]) for k in self.shown]
        for (k, W), bias in zip(enumerate(arrays.weights, 1), arrays.biases[1:], strict=True):
            ones = [
                unit.statistic(own, np.ones((1, len(own.bias)), W.dtype)) for unit, own in below
            ]
            number = self.hidden_layers[k - 1]
            unit, twice = self.layers[number].unit, k < len(arrays.weights)
            factor = np.hstack(ones)[0] * W.dtype.type(2 if twice and unit.bounded else 1)
            found.append((unit, (factor[:, np.newaxis] * W, bias.copy())))
            below = [(unit, params.layers[number])]
        return found

    def generation(self, params: LayeredParameters) -> list[tuple[Unit, tuple[Array, Array]]]:
        """Units below each hidden layer, and weights (n_above, n_below) and biases of their inputs in one pass down.

        Each hidden layer receives from the one above twice, for it also has one below.
        """
        found, arrays = [], self.arrays(params)
        groups = self.groups
        units = [groups[0][0] if len(groups) == 1 else self.visible, *(x for x, _ in self.hidden)]
        for k, W in enumerate(arrays.weights):
            number = self.hidden_layers[k]
            sent = self.layers[number].unit.statistic(params.layers[number], W)
            factor = W.dtype.type(2 if k and units[k].bounded else 1)
            found.append((units[k], (np.ascontiguousarray(factor * sent.T), arrays.biases[k])))
        return found

    # Arrays by layers

    @property
    def _levels(self) -> list[tuple[int, ...]]:
        """Numbers of the layers of each level: the visible ones, and each hidden one."""
        return [self.shown, *((k,) for k in self.hidden_layers)]

    def arrays(self, params: LayeredParameters) -> DeepArrays:
        """New lists of the arrays; those of single layers are shared."""
        n_groups = len(self.shown)
        first = params.weights[:n_groups]
        weights = [first[0] if n_groups == 1 else np.concatenate(first), *params.weights[n_groups:]]
        others: list[dict[str, Array]] = []
        for level in self._levels:
            named: dict[str, list[Array]] = {}
            for k in level:
                for field in self.layers[k].unit.fields[1:]:
                    named.setdefault(field, []).append(getattr(params.layers[k], field))
            others.append({field: np.concatenate(parts) for field, parts in named.items()})
        biases = [np.concatenate([params.layers[k].bias for k in level]) for level in self._levels]
        return DeepArrays(weights, biases, others)

    def of_arrays(self, arrays: DeepArrays) -> LayeredParameters:
        """The inverse of :meth:`arrays`; a missing parameter of a type of units is that of neutral ones.

        ValueError where an array has not the shape that the layers say, or units have no such parameter.
        """
        dtype, layer_params = arrays.weights[0].dtype, [None] * len(self.layers)
        for number, level in enumerate(self._levels):
            rest = {"bias": arrays.biases[number], **arrays.others[number]}
            for field in dict.fromkeys(f for k in level for f in self.layers[k].unit.fields):
                some = [k for k in level if field in self.layers[k].unit.fields]
                sizes = [self.layers[k].size for k in some]
                values = rest.pop(field, None)
                parts = None if values is None else _split(values, sizes, f"{field} of {number}")
                for place, k in enumerate(some):
                    known = layer_params[k] or self.layers[k].unit.neutral(
                        self.layers[k].size, dtype
                    )
                    if parts is not None:
                        known = known._replace(**{field: parts[place].astype(dtype, copy=False)})
                    layer_params[k] = known
            if rest:
                raise ValueError(f"The units of layer {number} have no {sorted(rest)}.")
        return LayeredParameters(self._weights(arrays.weights), tuple(layer_params))

    def _weights(self, weights: Sequence[Array]) -> tuple[Array, ...]:
        """Those of each edge."""
        sizes = [sum(self.visible.sizes), *(n for _, n in self.hidden)]
        wanted = list(pairwise(sizes))
        if [W.shape for W in weights] != wanted:
            raise ValueError(
                f"The layers of {sizes} units take weights of the shapes {wanted}. Got {[W.shape for W in weights]}."
            )
        first = [np.ascontiguousarray(weights[0][some]) for some in self.visible.slices]
        return (*first, *(np.ascontiguousarray(W) for W in weights[1:]))


def _split(values: Array, sizes: list[int], name: str) -> list[Array]:
    """Consecutive parts of these sizes, in new arrays."""
    if values.shape != (sum(sizes),):
        raise ValueError(f"{name} must have the shape ({sum(sizes)},). Got {values.shape}.")
    return [np.array(x) for x in np.split(values, np.cumsum(sizes)[:-1])]
