"""The free-energy gap between held-out and training rows: a monitor of over-fitting without a partition function.

    gap = mean F(held-out) - mean F(training)

log Z cancels, so the gap is the difference of the mean log-likelihoods. It is about zero while the model generalises,
and grows when it overfits (Hinton 2012, section 6). By itself it says nothing of how good the model is.
"""

from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._flat import dtype_of
from ebm.energies.base import Model
from ebm.likelihood.free_energy import free_energy


def free_energy_gap(model: Model, params: Any, train: Array, held_out: Array) -> float:
    """Mean F of the rows `held_out` minus that of the rows `train` (rows, n_visible), in nats."""
    held_out, train = (np.asarray(v, dtype_of(params)) for v in (held_out, train))
    seen = free_energy(model, params, train).mean()
    return float(free_energy(model, params, held_out).mean() - seen)
