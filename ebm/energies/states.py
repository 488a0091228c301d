"""All states of a layer with finitely many, for what is summed exactly."""

from collections.abc import Iterator

import numpy as np

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite, BipartiteParameters

MAX_ENUMERATED = 25
BLOCK = 2048


def enumerable_side(model: Bipartite, params: BipartiteParameters, limit: int) -> str:
    """Name of the smaller layer of two-state units; ValueError if none has at most `limit` units."""
    sides = [
        (size, name)
        for size, name, unit in zip(
            params.W.shape, ("visible", "hidden"), (model.visible, model.hidden), strict=True
        )
        if unit.states is not None and len(unit.states) == 2
    ]
    if not sides or min(sides)[0] > limit:
        smallest = f"the smallest has {min(sides)[0]}" if sides else "there is none"
        raise ValueError(
            f"Exact enumeration needs a layer of at most {limit} two-state units; {smallest}."
        )
    return min(sides)[1]


def state_blocks(states: tuple[float, ...] | None, n_units: int) -> Iterator[Array]:
    """All states (rows, n_units) of `n_units` two-state units, in double precision, in blocks of rows."""
    assert states is not None
    low, high = states
    places = np.arange(n_units)
    for start in range(0, 2**n_units, BLOCK):
        codes = np.arange(start, min(start + BLOCK, 2**n_units))
        yield np.where((codes[:, np.newaxis] >> places) & 1, high, low)
