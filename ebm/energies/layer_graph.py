"""The graph of layers: which there are, and its two colors.

Every edge joins layers of different colors, which is possible where no cycle has an odd length. Layers of one color are
independent of each other given those of the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ebm._checks import Array, Settings, by_value, check_integer
from ebm.energies.edges import Edge
from ebm.energies.side_by_side import SideBySide
from ebm.units import Unit

EVEN, ODD = 0, 1


@dataclass(frozen=True, repr=False)
class Layer(Settings):
    """Units of one type that are not connected to each other.

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
    """A color, 0 or 1, for each of the names, so that no pair has one color; the first of what is connected has 0.

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
    """The message about two connected layers of one color, to which these trails lead from a common root."""
    shared = max(k for k in range(min(len(first), len(second))) if first[k] == second[k])
    cycle = [*first[shared:], *reversed(second[shared + 1 :]), first[shared]]
    return (
        f"The layers have no two colors: the edges {' - '.join(map(repr, cycle))} form a cycle of "
        f"{len(cycle) - 1}. Layers must be connected so that every cycle has an even number of edges."
    )


@dataclass(init=False, repr=False, eq=False)
class Arrangement:
    """Layers and edges, and where the states of the layers stand in arrays (abstract).

    The parameters and attributes are those of :class:`ebm.energies.layers.LayeredModel`.
    """

    layers: tuple[Layer, ...]
    edges: tuple[Edge, ...]

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
        self.visible: SideBySide = self._side_by_side(self.shown)
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
                "edges must join two layers once. A Masked coupling says which units are connected."
            )

    def _side_by_side(self, members: Sequence[int]) -> SideBySide:
        some = [self.layers[k] for k in members]
        return SideBySide(tuple(x.unit for x in some), tuple(x.size for x in some))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and by_value(self) == by_value(other)

    def __hash__(self) -> int:
        return hash(by_value(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(layers={list(self.layers)!r}, edges={list(self.edges)!r})"

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
        """The states from which chains continue (rows, units), in the states of both colors."""
        states, places = (even, odd), [self.places[k] for k in self.walked]
        return np.hstack([states[color][:, columns] for color, columns in places])

    def steps_from(self, known: Iterable[int]) -> dict[int, int]:
        """How many edges each layer is away from the nearest of the `known` ones, if any leads there."""
        steps = dict.fromkeys(known, 0)
        queue = list(steps)
        for k in queue:
            for j in (sum(ends) - k for ends in self.ends if k in ends):
                if j not in steps:
                    steps[j] = steps[k] + 1
                    queue.append(j)
        return steps

    @property
    def data_columns(self) -> dict[str, slice]:
        """Where in a row of data each visible layer stands."""
        return {self.names[k]: x for k, x in zip(self.shown, self.visible.slices, strict=True)}
