"""Draws of a layer that depend on the content of a row of data, and not on its place or on other rows.

A row's content, as a 64-bit number (:func:`ebm._batches.row_fingerprints`), opens a key of its own. So equal rows have
equal draws, and an estimate for a row is the same alone, in a batch, and in any order.
"""

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold
from ebm.units import Unit


def sample_by_content(
    unit: Unit, params: object, inputs: Array, identities: Array, key: Key, n_samples: int = 1
) -> Array:
    """Draws of a layer given its inputs (rows * n_samples, units), with `n_samples` consecutive rows for each row of
    data.

    Parameters
    ----------
    unit, params : Unit, and the layer's parameters
    inputs : ndarray of shape (rows * n_samples, units)
    identities : ndarray of shape (rows,), uint64
        Of the rows of data.
    key : Key
        Draw s of a row takes the numbers of row s of ``fold(key, identity)``.
    n_samples : int

    Returns
    -------
    ndarray of shape (rows * n_samples, units)
    """
    out = np.empty_like(inputs)
    for row, identity in enumerate(identities.tolist()):
        mine = slice(row * n_samples, (row + 1) * n_samples)
        out[mine] = unit.sample(params, inputs[mine], fold(key, identity))
    return out
