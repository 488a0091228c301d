"""Layers and edges: any number of layers of units, joined two by two, with none of them joined to itself.

    E(x) = sum_l U_l(x_l) - sum_(l,m) s(x_l)' W_lm s(x_m),        p(x) = exp(-beta E(x)) / Z(beta),

with the own energies U and statistics s of :mod:`ebm.units`, and a sum over the edges (:mod:`ebm.energies.edges`). The
graph of the layers has *two colors*, even and odd: every edge joins an even layer to an odd one. Restricted Boltzmann
machines (two layers), deep ones (a chain), tables of mixed columns (several visible layers on one hidden one) and
machines for several modalities (chains that share their topmost layer) are of this kind.

Given all odd layers, the even ones are independent, and the reverse. So each color is drawn at once, and summed out in
closed form given the other:

    F(x_even) = U_even(x_even) - A_odd(inputs from x_even) / beta.

The even color is that of the first visible layer. The states of one color are one array, its layers side by side
(:mod:`ebm.energies.side_by_side`), the visible layers first. A *row* of data holds the visible layers, of either color,
side by side in the order in which they are given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array, Record, check_integer
from ebm._flat import Extent
from ebm._random import Key, normal
from ebm.energies.base import DataSummary, Model, unit_extents
from ebm.energies.edges import Edge
from ebm.energies.side_by_side import SideBySide, layer_key
from ebm.units import Unit

EVEN, ODD = 0, 1


class LayeredParameters(NamedTuple):
    """Parameters of a layered model, and, being of the same shape, gradients by them.

    Attributes
    ----------
    weights : tuple of ndarray
        Those of each edge, usually (n_lower, n_upper).
    own : tuple of NamedTuple of ndarray
        The own parameters of each layer (:mod:`ebm.units`).
    """

    weights: tuple[Array, ...]
    own: tuple[Any, ...]


@dataclass(frozen=True, repr=False)
class Layer(Record):
    """Units of one type that are not joined to each other.

    Parameters
    ----------
    name : str
    unit : Unit
        Their type.
    size : int
        How many there are.
    visible : bool, default=False
        Whether rows of data hold their states.
    """

    name: str
    unit: Unit
    size: int
    visible: bool = False

    def __post_init__(self) -> None:
        check_integer(self.size, "size", 1)


class Place(NamedTuple):
    """Where the states of a layer stand: its color, and its columns in the states of that color."""

    color: int
    columns: slice


def two_colors(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, int]:
    """A color, 0 or 1, for each of the names, so that no pair has one color; the first of what is joined has 0.

    ValueError, with the names along a cycle of odd length, where there are no such colors.
    """
    joined: dict[str, list[str]] = {name: [] for name in names}
    for a, b in pairs:
        joined[a].append(b)
        joined[b].append(a)
    color: dict[str, int] = {}
    trails: dict[str, list[str]] = {}
    for root in names:
        if root in color:
            continue
        color[root], trails[root], queue = 0, [root], [root]
        for a in queue:
            for b in joined[a]:
                if b not in color:
                    color[b], trails[b] = 1 - color[a], [*trails[a], b]
                    queue.append(b)
                elif color[b] == color[a]:
                    raise ValueError(_odd_cycle(trails[a], trails[b]))
    return color


def _odd_cycle(first: list[str], second: list[str]) -> str:
    """The message about two joined layers of one color, to which these trails lead from a common root."""
    shared = max(k for k in range(min(len(first), len(second))) if first[k] == second[k])
    cycle = [*first[shared:], *reversed(second[shared + 1 :]), first[shared]]
    return (
        f"The layers have no two colors: the edges {' - '.join(map(repr, cycle))} form a cycle of "
        f"{len(cycle) - 1}. Layers must be joined so that every cycle has an even number of edges."
    )


class LayeredModel(Model):
    """Layers and the edges between them; all functions take the parameters and leave their arguments alone.

    Parameters
    ----------
    layers : sequence of Layer
        With different names; at least one is visible.
    edges : sequence of Edge
        Between layers of two colors, at most one for two layers.

    Attributes
    ----------
    sides : tuple of two SideBySide
        The units of the even and of the odd color, each as one layer.
    visible : SideBySide
        The units of a row of data.
    chain : SideBySide
        The units of a state from which a walk goes on: those of a row of data, then the even hidden layers.
    places : tuple of Place
        Where the states of each layer stand.

    Raises
    ------
    ValueError
        If the layers have no two colors, a name is unknown or used twice, or no layer is visible.

    Examples
    --------
    A deep Boltzmann machine:

    >>> import numpy as np
    >>> from ebm._random import stream
    >>> from ebm.energies.base import DataSummary
    >>> from ebm.energies.edges import Edge
    >>> from ebm.energies.layers import Layer, LayeredModel
    >>> from ebm.units import Bernoulli
    >>> layers = [
    ...     Layer("v", Bernoulli(), 4, visible=True),
    ...     Layer("h1", Bernoulli(), 3),
    ...     Layer("h2", Bernoulli(), 2),
    ... ]
    >>> dbm = LayeredModel(layers, [Edge("v", "h1"), Edge("h1", "h2")])
    >>> dbm.sides[0].sizes, dbm.sides[1].sizes
    ((4, 2), (3,))
    >>> data = DataSummary(np.full(4, 0.5), np.ones(4), 10)
    >>> params = dbm.initial(data, 5, stream(0, "init"))
    >>> [W.shape for W in params.weights]
    [(4, 3), (3, 2)]
    """

    kind: ClassVar[str] = "layered models"
    visible: SideBySide

    def __init__(self, layers: Sequence[Layer], edges: Sequence[Edge]) -> None:
        self.layers, self.edges = tuple(layers), tuple(edges)
        self.names = tuple(layer.name for layer in self.layers)
        self._check_names()
        first = [x.name for x in self.layers if x.visible]
        first += [x.name for x in self.layers if not x.visible]
        color = two_colors(first, [(edge.lower, edge.upper) for edge in self.edges])
        number = {name: k for k, name in enumerate(self.names)}
        self.ends = tuple((number[edge.lower], number[edge.upper]) for edge in self.edges)
        self.members = tuple(
            tuple(number[name] for name in first if color[name] == c) for c in (EVEN, ODD)
        )
        self.sides = tuple(self._side_by_side(members) for members in self.members)
        places: dict[int, Place] = {}
        for c, (side, members) in enumerate(zip(self.sides, self.members, strict=True)):
            places |= {k: Place(c, some) for k, some in zip(members, side.slices, strict=True)}
        self.places = tuple(places[k] for k in range(len(self.layers)))
        self.shown = tuple(k for k, layer in enumerate(self.layers) if layer.visible)
        self.visible = self._side_by_side(self.shown)
        hidden = [k for k in self.members[EVEN] if not self.layers[k].visible]
        self.walked = (*self.shown, *hidden)
        self.chain = self._side_by_side(self.walked)
        self.weight_shapes = tuple(
            edge.coupling.shape(self.layers[low].size, self.layers[high].size)
            for edge, (low, high) in zip(self.edges, self.ends, strict=True)
        )

    def _check_names(self) -> None:
        known = set(self.names)
        if len(known) < len(self.names):
            raise ValueError(f"layers must have different names. Got {list(self.names)}.")
        if not any(layer.visible for layer in self.layers):
            raise ValueError(
                f"layers must hold a visible one: Layer(..., visible=True). Got {list(self.names)}."
            )
        for edge in self.edges:
            for name in {edge.lower, edge.upper} - known:
                raise ValueError(
                    f"edges name a layer {name!r} that there is not. The layers are {list(self.names)}."
                )
        pairs = [frozenset((edge.lower, edge.upper)) for edge in self.edges]
        if len(set(pairs)) < len(pairs):
            raise ValueError(
                "edges must join two layers once. A Masked coupling says which units are joined."
            )

    def _side_by_side(self, members: Sequence[int]) -> SideBySide:
        some = [self.layers[k] for k in members]
        return SideBySide(tuple(x.unit for x in some), tuple(x.size for x in some))

    def __eq__(self, other: object) -> bool:
        same = type(self) is type(other)
        return same and (self.layers, self.edges) == (other.layers, other.edges)  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((self.layers, self.edges))

    def __repr__(self) -> str:
        return f"LayeredModel(layers={list(self.layers)!r}, edges={list(self.edges)!r})"

    # Parameters and states

    def layout(self, *shape: int) -> LayeredParameters:
        """The weights of each edge, then the own parameters of each layer: the model knows all sizes."""
        weights: list[Any] = [Extent(extent, weight=True) for extent in self.weight_shapes]
        own = [unit_extents(layer.unit, layer.size) for layer in self.layers]
        return LayeredParameters(tuple(weights), tuple(own))

    def shape(self, params: LayeredParameters) -> tuple[int, ...]:
        """(n_visible, n_hidden)."""
        n_visible = sum(self.visible.sizes)
        return n_visible, sum(layer.size for layer in self.layers) - n_visible

    def unit_layers(self, params: LayeredParameters) -> dict[str, tuple[Unit, Any]]:
        """The unit type and the own parameters of each layer, by its name."""
        return {
            layer.name: (layer.unit, own)
            for layer, own in zip(self.layers, params.own, strict=True)
        }

    def own(self, params: LayeredParameters, color: int) -> tuple[Any, ...]:
        """The own parameters of the layers of one color."""
        return tuple(params.own[k] for k in self.members[color])

    def dtype(self, params: LayeredParameters) -> Any:
        """Of all parameters."""
        return params.own[0].bias.dtype

    def nothing(self, params: LayeredParameters, color: int, n_rows: int = 1) -> Array:
        """Zeros (rows, units) for one color: no input, or room for states."""
        return np.zeros((n_rows, sum(self.sides[color].sizes)), self.dtype(params))

    def walk_layers(self, params: LayeredParameters) -> list[tuple[Unit, Any]]:
        """Those of the states of chains: rows of data, then the even hidden layers."""
        return [(self.layers[k].unit, params.own[k]) for k in self.walked]

    def initial(self, data: DataSummary, n_hidden: int, key: Key) -> LayeredParameters:
        """Small random weights, neutral hidden units, visible units that know the data's moments.

        As for two layers, see :meth:`ebm.energies.bipartite.Bipartite.initial`: an edge has weights of the standard
        deviation sqrt(2 / (n_lower + n_upper)) / 3, in the scales of units that have one.
        """
        own = [layer.unit.neutral(layer.size, data.mean.dtype) for layer in self.layers]
        for k, known in zip(self.shown, self.visible.initial(*data), strict=True):
            own[k] = known
        weights = [self._first_weights(number, own, key) for number in range(len(self.edges))]
        return LayeredParameters(tuple(weights), tuple(own))

    def _first_weights(self, number: int, own: list[Any], key: Key) -> Array:
        low, high = self.ends[number]
        n, m = self.layers[low].size, self.layers[high].size
        shape = self.weight_shapes[number]
        dtype = own[low].bias.dtype
        W = normal(layer_key(key, number), (1, int(np.prod(shape))), dtype).reshape(shape)
        W *= np.sqrt(2 / (n + m)) / 3
        a, c = (self.layers[k].unit.scale(own[k]) for k in (low, high))
        W *= 1 if a is None else np.sqrt(a)[:, np.newaxis]
        W *= 1 if c is None else np.sqrt(c)
        return W

    def split(self, x: Array) -> dict[int, Array]:
        """The states of each layer, by its number, in rows of data or in states of chains (rows, units)."""
        whole = x.shape[1] == sum(self.chain.sizes)
        members, side = (self.walked, self.chain) if whole else (self.shown, self.visible)
        return {
            k: np.ascontiguousarray(x[:, some])
            for k, some in zip(members, side.slices, strict=True)
        }

    def colored(self, color: int, states: dict[int, Array], like: Array) -> Array:
        """The `states` of layers, by their numbers, in those of one color `like` (rows, units), the others."""
        out = like.copy()
        for k, x in states.items():
            if self.places[k].color == color:
                out[:, self.places[k].columns] = x
        return out

    def chain_states(self, even: Array, odd: Array) -> Array:
        """The states from which a walk goes on (rows, units), in the states of both colors."""
        states, places = (even, odd), [self.places[k] for k in self.walked]
        return np.hstack([states[color][:, columns] for color, columns in places])

    # Inputs, energies, and one color summed out

    def inputs(self, params: LayeredParameters, color: int, s: Array) -> Array:
        """What the layers of one color receive from the statistics `s` (rows, units) of the other."""
        out = np.zeros((len(s), sum(self.sides[color].sizes)), s.dtype)
        reached = set()
        for edge, (low, high), W in zip(self.edges, self.ends, params.weights, strict=True):
            a, b = edge.multiplicity
            upward = self.places[high].color == color
            to, source = (high, low) if upward else (low, high)
            part = s[:, self.places[source].columns]
            received = edge.coupling.up(W, part) if upward else edge.coupling.down(W, part)
            factor = b if upward else a
            if factor != 1:
                received *= factor
            columns = self.places[to].columns
            if to in reached:
                out[:, columns] += received
            else:
                out[:, columns] = received
            reached.add(to)
        return out

    def statistic(self, params: LayeredParameters, color: int, x: Array) -> Array:
        """s(x) of the layers of one color."""
        return self.sides[color].statistic(self.own(params, color), x)

    def inputs_from(self, params: LayeredParameters, color: int, x: Array) -> Array:
        """What the layers of `color` receive from the states `x` of the other one."""
        return self.inputs(params, color, self.statistic(params, 1 - color, x))

    def check_energy(self) -> None:
        """ValueError if the two ends of some edge count what they receive differently."""
        for edge in self.edges:
            if edge.multiplicity[0] != edge.multiplicity[1]:
                raise ValueError(
                    f"The edge between {edge.lower!r} and {edge.upper!r} has the multiplicity {edge.multiplicity}: its "
                    "layers count what they receive from each other differently, and no energy has such conditional "
                    "laws. There is no likelihood, no free energy and no log Z; equal numbers have all of them."
                )

    def energy(self, params: LayeredParameters, even: Array, odd: Array) -> Array:
        """E(x) per row: states of both colors -> (rows,) in double precision."""
        self.check_energy()
        own = [self.own(params, color) for color in (EVEN, ODD)]
        total = self.sides[EVEN].energy(own[EVEN], even) + self.sides[ODD].energy(own[ODD], odd)
        s = self.statistic(params, ODD, odd)
        joint = np.einsum("ij,ij->i", self.inputs_from(params, ODD, even), s, dtype=np.float64)
        energy: Array = total - joint
        return energy

    def color_free_energy(
        self, params: LayeredParameters, color: int, x: Array, beta: float = 1.0
    ) -> Array:
        """F of the states `x` of one color, the other one summed out: (rows, units) -> (rows,)."""
        self.check_energy()
        other = 1 - color
        own = [self.own(params, c) for c in (EVEN, ODD)]
        received = self.inputs_from(params, other, x)
        summed_out = self.sides[other].log_normaliser(own[other], received, beta)
        energy: Array = self.sides[color].energy(own[color], x) - summed_out / beta
        return energy

    def mean(self, params: LayeredParameters, color: int, x: Array, beta: float = 1.0) -> Array:
        """Means of the layers of one color given the states `x` of the other."""
        f = self.inputs_from(params, color, x)
        return self.sides[color].mean(self.own(params, color), f, beta)

    def sample(
        self, params: LayeredParameters, color: int, x: Array, key: Key, beta: float = 1.0
    ) -> Array:
        """One draw per row of all layers of one color given the states `x` of the other."""
        f = self.inputs_from(params, color, x)
        return self.sides[color].sample(self.own(params, color), f, key, beta)

    # Other parametrisations of the law

    def tempered(self, params: LayeredParameters, beta: float) -> LayeredParameters:
        """Parameters of the energy beta E."""
        pairs = [
            layer.unit.tempered(own, beta)
            for layer, own in zip(self.layers, params.own, strict=True)
        ]
        weights = [
            W * W.dtype.type(beta / (pairs[low][1] * pairs[high][1]))
            for W, (low, high) in zip(params.weights, self.ends, strict=True)
        ]
        return LayeredParameters(tuple(weights), tuple(own for own, _ in pairs))

    def translated(self, params: LayeredParameters, shift: Array) -> LayeredParameters:
        """The law of v + `shift` (n_visible,), which is zero for units whose states cannot be shifted.

        The arrays of weights are shared.
        """
        own = list(params.own)
        moved = dict(enumerate(own))
        for color in (EVEN, ODD):
            x = self.nothing(params, color)
            for k, part in self.split(shift[np.newaxis]).items():
                if self.places[k].color == color:
                    x[:, self.places[k].columns] = part
                    moved[k] = moved[k]._replace(bias=moved[k].bias + part[0])
            pulled = self.inputs_from(params, 1 - color, x)[0]
            for k in self.members[1 - color]:
                part = pulled[self.places[k].columns]
                moved[k] = moved[k]._replace(bias=moved[k].bias - part)
        return params._replace(own=tuple(moved[k] for k in range(len(own))))


def in_double(params: LayeredParameters) -> LayeredParameters:
    """The same parameters in double precision, C-contiguous."""
    weights = [np.ascontiguousarray(W, np.float64) for W in params.weights]
    own = [type(x)(*(a.astype(np.float64) for a in x)) for x in params.own]
    return LayeredParameters(tuple(weights), tuple(own))
