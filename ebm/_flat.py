"""The parameters of a model as one flat vector, and back.

Optimizers, penalties and checkpoints see one vector *theta*; everything else sees named arrays, which are views of it.
A *layout* ties the two together: it is the parameters' own NamedTuple or tuple, nested as deep as they are, with an
:class:`Extent` in the place of each array. The vector holds the weights first, in the order of the layout, and then all
other arrays, in the same order: penalties are for the first :func:`n_weights` entries.
"""

from collections.abc import Iterator
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
    extents = [*leaves(layout)]
    views, first = [vector] * len(extents), 0
    for weight in (True, False):
        for place, (shape, is_weight) in enumerate(extents):
            if is_weight is weight:
                last = first + prod(shape)
                views[place], first = vector[first:last].reshape(shape), last
    if first != len(vector):
        raise ValueError(
            f"vector must have {first} entries, as many as the parameters. Got {len(vector)}."
        )
    return _filled(layout, iter(views))


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
    return sum(prod(extent.shape) for extent in leaves(layout))


def leaves(tree: Any) -> Iterator[Any]:
    """The arrays of parameters, or the extents of a layout, in order."""
    for part in tree:
        if isinstance(part, tuple) and type(part) is not Extent:
            yield from leaves(part)
        else:
            yield part


def _filled(layout: Any, arrays: Iterator[Array]) -> Any:
    """The layout with arrays in the places of its extents."""
    if type(layout) is Extent:
        return next(arrays)
    parts = [_filled(part, arrays) for part in layout]
    return type(layout)(*parts) if hasattr(layout, "_fields") else tuple(parts)
