"""The parameters of a model as one flat vector, and back.

Optimizers, penalties and checkpoints see one vector *theta*; everything else sees named arrays, which are views of it.
A *layout* ties the two together: it is the parameters' own NamedTuple or tuple, nested as deep as they are, with an
:class:`Extent` in the place of each array. The vector holds the weights first, in the order of the layout, and then all
other arrays, in the same order: penalties are for the first :func:`n_weights` entries.

A :class:`Shared` in the place of an array says that it is another one of the layout, as it is or transposed. The vector
holds such an array once.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

from ebm._checks import Array

T = TypeVar("T", bound=tuple[Any, ...])


class Extent(NamedTuple):
    """The place of one array in a layout: its shape, and whether its numbers are weights."""

    shape: tuple[int, ...]
    weight: bool = False


class Shared(NamedTuple):
    """The place of an array that is another one: its number in the layout, and whether it is that transposed."""

    number: int
    transposed: bool = False


PLACES = (Extent, Shared)


def unpack(layout: Any, vector: Array) -> Any:
    """The parameters of the `layout`, as views of the flat `vector`.

    ValueError if the vector is not as long as the layout.
    """
    places, total = _places(layout)
    if total != len(vector):
        raise ValueError(
            f"vector must have {total} entries, as many as the parameters. Got {len(vector)}."
        )
    arrays = [vector[a:b].reshape(shape) for a, b, shape in places]
    for k, place in enumerate(leaves(layout)):
        if type(place) is Shared:
            arrays[k] = arrays[place.number].T if place.transposed else arrays[place.number]
    filled = iter(arrays)
    return mapped(lambda _: next(filled), layout)


def pack(layout: Any, params: Any) -> Array:
    """A new flat vector with the values of `params`, whose arrays have the shapes of the `layout`.

    ValueError if they have not. Arrays that are shared count in the place that owns them.
    """
    extents, arrays = [*leaves(layout)], [*leaves(params)]
    shapes = [_shape(extents, place) for place in extents]
    if shapes != [x.shape for x in arrays]:
        raise ValueError(
            f"params must be arrays of the shapes {shapes}. Got {[x.shape for x in arrays]}."
        )
    own = [(place, x) for place, x in zip(extents, arrays, strict=True) if type(place) is Extent]
    return np.concatenate(
        [x.ravel() for weight in (True, False) for place, x in own if place.weight is weight]
    )


def _shape(places: list[Any], place: Any) -> tuple[int, ...]:
    """The shape of the array in a place of the layout."""
    if type(place) is Extent:
        return place.shape
    shape = _shape(places, places[place.number])
    return shape[::-1] if place.transposed else shape


def n_weights(layout: Any) -> int:
    """How many entries of the vector, the first ones, are weights."""
    own = (place for place in leaves(layout) if type(place) is Extent)
    return sum(prod(extent.shape) for extent in own if extent.weight)


def size(layout: Any) -> int:
    """Length of the vector."""
    return _places(layout)[1]


@lru_cache(maxsize=256)
def _places(layout: Any) -> tuple[tuple[tuple[int, int, tuple[int, ...]], ...], int]:
    """Where in the vector each array begins and ends, and its shape; the length of the vector.

    A shared array begins and ends at 0.
    """
    extents = [*leaves(layout)]
    places: list[tuple[int, int, tuple[int, ...]]] = [(0, 0, (0,))] * len(extents)
    first = 0
    for weight in (True, False):
        for k, extent in enumerate(extents):
            if type(extent) is Extent and extent.weight is weight:
                last = first + prod(extent.shape)
                places[k], first = (first, last, extent.shape), last
    return tuple(places), first


def dtype_of(params: Any) -> Any:
    """The dtype of parameters, which is that of each of their arrays."""
    return next(leaves(params)).dtype


def leaves(tree: Any) -> Iterator[Any]:
    """The arrays of parameters, or the extents of a layout, in order."""
    for part in tree:
        if isinstance(part, tuple) and type(part) not in PLACES:
            yield from leaves(part)
        else:
            yield part


def mapped(function: Callable[[Any], Any], tree: T) -> T:
    """The same tuples with `function` of each array or extent."""
    parts = [
        mapped(function, x) if isinstance(x, tuple) and type(x) not in PLACES else function(x)
        for x in tree
    ]
    make = getattr(tree, "_make", tuple)  # of a NamedTuple
    return cast(T, make(parts))


def in_double(params: T) -> T:
    """Copies of the parameters in double precision, C-contiguous unless they are sparse."""

    def double(x: Any) -> Any:
        dense = isinstance(x, np.ndarray)
        return x.astype(np.float64, order="C") if dense else x.astype(np.float64)

    return mapped(double, params)
