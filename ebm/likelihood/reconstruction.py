"""The reconstruction error: how far the visible means of one pass up and down are from the data. No likelihood."""

import numpy as np

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite, BipartiteParameters


def reconstruction_error(model: Bipartite, params: BipartiteParameters, v: Array) -> float:
    """Mean squared difference between `v` (rows, n_visible) and E[v | E[h | v]], over rows and units."""
    means = model.visible_mean(params, model.hidden_mean(params, v.astype(params.W.dtype)))
    return float(np.mean((means - v) ** 2))
