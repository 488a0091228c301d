"""Trees of layers: pathways of hidden layers above groups of visible columns, and one topmost layer that they share.

    E = sum_l U_l(x_l) - sum_l s(x_l)' W_l s(x_parent(l))

Each pathway begins at visible columns, of one or several types, and leads through hidden layers, one above the other,
to the topmost layer. With one pathway this is a deep Boltzmann machine (:mod:`ebm.energies.deep`), with several a
machine of several modalities (Srivastava & Salakhutdinov 2012). A pathway without hidden layers, such as that of a
label, connects its columns to the topmost layer itself. A tree has no cycles, so its layers always have two colors
(:mod:`ebm.energies.layer_graph`). With pathways of unequal depths there are visible layers of both.

A *level* is a hidden layer, or the visible columns of one pathway. Levels are numbered pathway by pathway, from the
data up, and the topmost one is the last. The parameters are also one matrix for each level but the last, to the level
above, and one vector of biases for each level: see :class:`TreeArrays`.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._values import ROUNDING
from ebm.energies.edges import Edge
from ebm.energies.fixed_point import FixedPoint
from ebm.energies.layer_graph import EVEN, ODD, Layer
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.energies.side_by_side import SideBySide
from ebm.units import Unit

# The learning rate of several hidden layers in proportion to that of one, for two-state data.
FASTER = 3.0


class Pathway(NamedTuple):
    """Visible columns and the hidden layers above them, below the topmost layer of a tree.

    Attributes
    ----------
    groups : sequence of (Unit, int)
        Types of the visible units, and how many columns of each there are, in order.
    hidden : sequence of (Unit, int)
        Types and sizes of the hidden layers, from the data up; there may be none.
    """

    groups: Sequence[tuple[Unit, int]]
    hidden: Sequence[tuple[Unit, int]]


class TreeArrays(NamedTuple):
    """The parameters of a tree, level by level.

    Attributes
    ----------
    weights : list of ndarray of shape (n_units, n_units_above)
        From each level but the last to the one above; groups of visible columns are side by side.
    biases : list of ndarray of shape (n_units,)
        Of each level.
    others : list of dict of str to ndarray
        For each level, the parameters of its units besides the biases, by their names. Those of visible units of
        several types are only for the columns of the types that have such a parameter, in order.
    """

    weights: list[Array]
    biases: list[Array]
    others: list[dict[str, Array]]


class TreeModel(LayeredModel):
    """Pathways that share their topmost layer.

    Parameters
    ----------
    pathways : sequence of Pathway
        At least one.
    top : (Unit, int)
        Type and size of the topmost layer.
    fixed_point : FixedPoint or None, default=None
        How far the mean field is iterated in learning.

    Attributes
    ----------
    levels : tuple of tuple of int
        The numbers of the layers of each level.
    parents : tuple of int or None
        The number of the level above each level; None for the topmost one.

    Examples
    --------
    >>> from ebm.energies.trees import Pathway, TreeModel
    >>> from ebm.units import Bernoulli, Gaussian
    >>> image = Pathway([(Gaussian(), 4)], [(Bernoulli(), 3), (Bernoulli(), 2)])
    >>> words = Pathway([(Bernoulli(), 5)], [(Bernoulli(), 3)])
    >>> model = TreeModel([image, words], (Bernoulli(), 2))
    >>> model.names
    ('visible0', 'visible1', 'hidden1', 'hidden2', 'hidden3', 'hidden4')
    >>> model.levels, model.parents
    (((0,), (2,), (3,), (1,), (4,), (5,)), (1, 2, 5, 4, 5, None))
    """

    kind: ClassVar[str] = "trees of layers"

    def __init__(
        self,
        pathways: Sequence[Pathway],
        top: tuple[Unit, int],
        fixed_point: FixedPoint | None = None,
    ) -> None:
        groups = [group for pathway in pathways for group in pathway.groups]
        above = [layer for pathway in pathways for layer in pathway.hidden] + [top]
        layers = [Layer(f"visible{k}", *group, visible=True) for k, group in enumerate(groups)]
        layers += [Layer(f"hidden{k}", *layer) for k, layer in enumerate(above, 1)]
        self.levels, self.parents = _arranged(pathways)
        edges = [
            Edge(layers[k].name, layers[self.levels[parent][0]].name)
            for level, parent in zip(self.levels, self.parents, strict=True)
            if parent is not None
            for k in level
        ]
        super().__init__(layers, edges)
        self.fixed_point = fixed_point or FixedPoint()

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
        """Numbers of the hidden layers, pathway by pathway from the data up, the topmost one last."""
        return tuple(range(len(self.shown), len(self.layers)))

    @property
    def above_visible(self) -> list[int]:
        """Numbers of the hidden layers that are connected to visible ones."""
        above = {high for low, high in self.ends if self.layers[low].visible}
        return [k for k in self.hidden_layers if k in above]

    @property
    def groups(self) -> list[tuple[Unit, int]]:
        """Types of the visible units, and how many columns of each there are."""
        return [(self.layers[k].unit, self.layers[k].size) for k in self.shown]

    @property
    def hidden(self) -> list[tuple[Unit, int]]:
        """Types and sizes of the hidden layers, in this order."""
        return [(self.layers[k].unit, self.layers[k].size) for k in self.hidden_layers]

    @property
    def hidden_side(self) -> SideBySide:
        """The hidden units, layer by layer."""
        units, sizes = zip(*self.hidden, strict=True)
        return SideBySide(units, sizes)

    @property
    def level_sizes(self) -> list[int]:
        """How many units each level has."""
        return [sum(self.layers[k].size for k in level) for level in self.levels]

    def children(self, layer: int) -> list[int]:
        """Numbers of the levels below the hidden layer of this number."""
        return [i for i, parent in enumerate(self.parents) if parent == self.levels.index((layer,))]

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

    # Arrays by levels

    def arrays(self, params: LayeredParameters) -> TreeArrays:
        """New lists of the arrays; those of single layers are shared."""
        weights, number = [], 0
        for level in self.levels[:-1]:
            parts = params.weights[number : number + len(level)]
            weights.append(parts[0] if len(parts) == 1 else np.concatenate(parts))
            number += len(level)
        others: list[dict[str, Array]] = []
        for level in self.levels:
            named: dict[str, list[Array]] = {}
            for k in level:
                for field in self.layers[k].unit.fields[1:]:
                    named.setdefault(field, []).append(getattr(params.layers[k], field))
            others.append({field: np.concatenate(parts) for field, parts in named.items()})
        biases = [np.concatenate([params.layers[k].bias for k in level]) for level in self.levels]
        return TreeArrays(weights, biases, others)

    def of_arrays(self, arrays: TreeArrays) -> LayeredParameters:
        """The inverse of :meth:`arrays`; a missing parameter of a type of units is that of neutral ones.

        ValueError where an array has not the shape that the layers say, or units have no such parameter.
        """
        dtype, layer_params = arrays.weights[0].dtype, [None] * len(self.layers)
        for number, level in enumerate(self.levels):
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
        sizes = self.level_sizes
        wanted = [(n, sizes[p]) for n, p in zip(sizes, self.parents, strict=True) if p is not None]
        if [W.shape for W in weights] != wanted:
            raise ValueError(
                f"The layers of {sizes} units take weights of the shapes {wanted}. Got {[W.shape for W in weights]}."
            )
        found: list[Array] = []
        for W, level in zip(weights, self.levels, strict=False):
            ends = np.cumsum([self.layers[k].size for k in level])[:-1]
            found += [np.ascontiguousarray(part) for part in np.split(W, ends)]
        return tuple(found)


def _arranged(
    pathways: Sequence[Pathway],
) -> tuple[tuple[tuple[int, ...], ...], tuple[int | None, ...]]:
    """The layers of each level, and the level above each: visible layers come first, hidden ones then."""
    levels: list[tuple[int, ...]] = []
    parents: list[int | None] = []
    n_levels = sum(1 + len(pathway.hidden) for pathway in pathways)
    shown, hidden = 0, sum(len(pathway.groups) for pathway in pathways)
    for pathway in pathways:
        levels.append(tuple(range(shown, shown + len(pathway.groups))))
        shown += len(pathway.groups)
        levels += [(k,) for k in range(hidden, hidden + len(pathway.hidden))]
        hidden += len(pathway.hidden)
        parents += [*range(len(parents) + 1, len(levels)), n_levels]
    return (*levels, (hidden,)), (*parents, None)


def _split(values: Array, sizes: list[int], name: str) -> list[Array]:
    """Consecutive parts of these sizes, in new arrays."""
    if values.shape != (sum(sizes),):
        raise ValueError(f"{name} must have the shape ({sum(sizes)},). Got {values.shape}.")
    return [np.array(x) for x in np.split(values, np.cumsum(sizes)[:-1])]
