"""The reconstruction error: how far the visible means of one pass up and down are from the data. No likelihood."""

from functools import singledispatch
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._flat import dtype_of
from ebm.energies.base import Model
from ebm.energies.belief_network import BeliefNetwork, BeliefParameters
from ebm.energies.bipartite import Bipartite, BipartiteParameters


@singledispatch
def reconstruction_error(model: Model, params: Any, v: Array) -> float:
    """Mean squared difference between `v` (rows, n_visible) and E[v | E[h | v]], over rows and units."""
    raise TypeError(f"There is no pass up and down of {model!r}: an energy registers its own.")


@reconstruction_error.register
def _(model: Bipartite, params: BipartiteParameters, v: Array) -> float:
    means = model.visible_mean(params, model.hidden_mean(params, v.astype(params.W.dtype)))
    return float(np.mean((means - v) ** 2))


@reconstruction_error.register
def _(model: BeliefNetwork, params: BeliefParameters, v: Array) -> float:
    """By way of the means of all layers; of the data alone, without the labels."""
    x, _ = model.split(v.astype(dtype_of(params)))
    *_, highest = model.means_up(params, np.ascontiguousarray(x))
    means = model.mean_down(params, highest, model.n_directed + 1)
    return float(np.mean((means - x) ** 2))
