"""Dilution: networks in which only some pairs of units are connected."""

import numpy as np

from ebm._checks import Array, check_real
from ebm._random import Key, uniform


def diluted(n_units: int, share: float, key: Key) -> Array:
    """A symmetric mask (n_units, n_units) of false diagonal: each pair is connected with the probability `share`."""
    share = check_real(share, "mask", 0.0, 1.0, open_low=True)
    upper = np.triu_indices(n_units, 1)
    mask = np.zeros((n_units, n_units), bool)
    mask[upper] = uniform(key, len(upper[0])) < share
    return mask | mask.T
