"""The free energy of visible states, the hidden units summed out: exp(-beta F(v)) = sum_h exp(-beta E(v, h))."""

from functools import singledispatch
from typing import Any

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite, BipartiteParameters


@singledispatch
def free_energy(model: Any, params: Any, v: Array, beta: float = 1.0) -> Array:
    """F(v) per row: (rows, n_visible) -> (rows,) in double precision."""
    raise TypeError(f"There is no free energy of {model!r}: an energy registers its own.")


@free_energy.register
def _(model: Bipartite, params: BipartiteParameters, v: Array, beta: float = 1.0) -> Array:
    return model.free_energy(params, v, beta)
