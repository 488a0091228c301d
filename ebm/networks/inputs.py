"""The first layer of an autoencoder: missing entries filled in, entries corrupted in training, columns scaled.

    y_c = factor_c corrupted(x_c),    x_c = fill_c where the entry is missing (NaN)

Nothing here is learned: both vectors come from the data before training, and their derivatives are zero.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._random import Key
from ebm._sparse import is_sparse, scaled, with_data
from ebm.networks.corruption import Corruption
from ebm.networks.layer import Context, Layer


class InputsParameters(NamedTuple):
    """Values `fill` in the place of missing entries, and factors `factor` (n_in,)."""

    fill: Array
    factor: Array


@dataclass(frozen=True, repr=False)
class Inputs(Layer):
    """Rows of data as a network takes them in.

    Parameters
    ----------
    corruption : Corruption, optional
        Applied in training, in the units of the data.
    """

    parameters: ClassVar[Any] = InputsParameters
    keeps_output: ClassVar[bool] = True  # it may be the caller's array
    takes_sparse: ClassVar[bool] = True
    corruption: Corruption | None = None

    def shapes(self, n_in: int) -> tuple[tuple[int, ...], ...]:
        """One number of each kind for a column."""
        return (n_in,), (n_in,)

    def initial(self, n_in: int, key: Key, dtype: Any) -> InputsParameters:
        """Zeros fill in, and columns keep their scale."""
        return InputsParameters(np.zeros(n_in, dtype), np.ones(n_in, dtype))

    def forward(self, params: InputsParameters, x: Any, context: Context) -> tuple[Any, Array]:
        """The rows themselves where nothing changes, else new ones; CSR rows stay CSR where the noise is a mask."""
        x = _filled(x, params.fill)
        noise = self.corruption
        if noise is not None and noise.is_active and context.training and context.key is not None:
            x = noise.corrupted(x, context.key, context.first_row)
        if (params.factor != 1).any():
            x = scaled(x, params.factor) if is_sparse(x) else x * params.factor
        return x, params.factor

    def backward(
        self,
        params: InputsParameters,
        saved: Array,
        delta: Array,
        gradient: InputsParameters,
        below: bool,
    ) -> Array:
        """The derivatives by entries that are neither missing nor replaced."""
        gradient.fill[:] = 0
        gradient.factor[:] = 0
        return delta * saved if below else delta


def _filled(x: Any, fill: Array) -> Any:
    """The rows with no entry missing; the same object where none was."""
    values = x.data if is_sparse(x) else x
    missing = np.isnan(values)
    if not missing.any():
        return x
    if is_sparse(x):
        return with_data(x, np.where(missing, fill[x.indices], x.data))
    return np.where(missing, fill, x)
