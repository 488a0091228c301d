"""The parameters of a model as one flat vector, and back.

Optimizers, penalties and checkpoints see one vector *theta*; everything else sees named arrays, which are views of it.
A *layout* ties the two together: it is the parameters' own NamedTuple or tuple, nested as deep as they are, with an
:class:`Extent` in the place of each array. The vector holds the weights first, in the order of the layout, and then all
other arrays, in the same order: penalties are for the first :func:`n_weights` entries.
"""

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array


class Extent(NamedTuple):
    """The place of one array in a layout: its shape, and whether its numbers are weights."""

    shape: tuple[int, ...]
    weight: bool = False


def unpack(layout: Any, vector: Array) -> Any:
    """The parameters of the `layout`, as views of the flat `vector`.

    ValueError if the vector is not as long as the layout.
    """
    places, total = _places(layout)
    if total != len(vector):
        raise ValueError(
            f"vector must have {total} entries, as many as the parameters. Got {len(vector)}."
        )
    return _filled(layout, iter([vector[a:b].reshape(shape) for a, b, shape in places]))


def pack(layout: Any, params: Any) -> Array:
    """A new flat vector with the values of `params`, whose arrays have the shapes of the `layout`.

    ValueError if they have not.
    """
    extents, arrays = [*leaves(layout)], [*leaves(params)]
    if [extent.shape for extent in extents] != [x.shape for x in arrays]:
        raise ValueError(
            f"params must be arrays of the shapes {[extent.shape for extent in extents]}. "
            f"Got {[x.shape for x in arrays]}."
        )
    pairs = [*zip(extents, arrays, strict=True)]
    return np.concatenate(
        [x.ravel() for weight in (True, False) for extent, x in pairs if extent.weight is weight]
    )


def n_weights(layout: Any) -> int:
    """How many entries of the vector, the first ones, are weights."""
    return sum(prod(extent.shape) for extent in leaves(layout) if extent.weight)


def size(layout: Any) -> int:
    """Length of the vector."""
    return _places(layout)[1]


@lru_cache(maxsize=256)
def _places(layout: Any) -> tuple[tuple[tuple[int, int, tuple[int, ...]], ...], int]:
    """Where in the vector each array begins and ends, and its shape; the length of the vector."""
    extents = [*leaves(layout)]
    places, first = [(0, 0, extent.shape) for extent in extents], 0
    for weight in (True, False):
        for k, extent in enumerate(extents):
            if extent.weight is weight:
                last = first + prod(extent.shape)
                places[k], first = (first, last, extent.shape), last
    return tuple(places), first


def leaves(tree: Any) -> Iterator[Any]:
    """The arrays of parameters, or the extents of a layout, in order."""
    for part in tree:
        if isinstance(part, tuple) and type(part) is not Extent:
            yield from leaves(part)
        else:
            yield part


def _filled(layout: Any, arrays: Iterator[Array]) -> Any:
    """The layout with arrays in the places of its extents."""
    parts = [next(arrays) if type(x) is Extent else _filled(x, arrays) for x in layout]
    make = getattr(layout, "_make", tuple)  # a NamedTuple's own
    return make(parts)
