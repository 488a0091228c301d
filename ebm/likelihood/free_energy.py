"""The free energy of visible states, the hidden units summed out: exp(-beta F(v)) = sum_h exp(-beta E(v, h))."""

from functools import singledispatch
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._random import Key
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters


@singledispatch
def free_energy(model: Model, params: Any, v: Array, beta: float = 1.0) -> Array:
    """F(v) per row: (rows, n_visible) -> (rows,) in double precision."""
    raise TypeError(f"There is no free energy of {model!r}: an energy registers its own.")


def effective_beta(beta: float, dtype: Any) -> float:
    """`beta`, or one at which free energies are those of no temperature to the last bit, and nothing overflows."""
    return min(beta, float(np.sqrt(np.finfo(dtype).max)))


@free_energy.register
def _(model: Bipartite, params: BipartiteParameters, v: Array, beta: float = 1.0) -> Array:
    return model.free_energy(params, v, beta)


@singledispatch
def estimated_free_energy(
    model: Model, params: Any, v: Array, key: Key, n_jobs: int | None = None
) -> tuple[Array, Array]:
    """F(v) per row and its standard error: exact where the hidden units can be summed out, else an estimate."""
    return free_energy(model, params, v), np.zeros(v.shape[0])
