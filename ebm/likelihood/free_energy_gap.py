"""The free-energy gap between held-out and training rows: a monitor of over-fitting without a partition function.

    gap = mean F(held-out) - mean F(training)

log Z cancels, so the gap is the difference of the mean log-likelihoods. It is about zero for a model that has learned
only what is general and grows when the model learns the training rows by heart (Hinton 2012, section 6). By itself it
says nothing of how good the model is.
"""

import numpy as np

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite, BipartiteParameters


def free_energy_gap(
    model: Bipartite, params: BipartiteParameters, train: Array, held_out: Array
) -> float:
    """Mean F of the rows `held_out` minus that of the rows `train` (rows, n_visible), in nats."""
    held_out, train = (np.asarray(v, params.W.dtype) for v in (held_out, train))
    seen = model.free_energy(params, train).mean()
    return float(model.free_energy(params, held_out).mean() - seen)
