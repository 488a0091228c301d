"""The dense layer: every output is a weighted sum of all inputs.

y = x W + b,        dL/dW = x' delta,   dL/db = sum over rows of delta,   dL/dx = delta W'.

With a mask some inputs do not reach some outputs. Those weights are zero, their gradient is, and whatever an optimiser
remembers of them, training leaves them there.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple
from zlib import crc32

import numpy as np

from ebm._checks import Array, check_integer
from ebm._random import Key
from ebm._sparse import is_sparse
from ebm.networks.initializations import Initialization, initialization_record
from ebm.networks.layer import Context, Layer


class DenseParameters(NamedTuple):
    """Weights `W` (n_in, n_out) and biases `bias` (n_out,)."""

    W: Array
    bias: Array


@dataclass(frozen=True, repr=False)
class Dense(Layer):
    """Weighted sums of all inputs.

    Parameters
    ----------
    n_out : int
        Count of outputs.
    init : str or Initialization, default="glorot"
        Law of the first weights.
    gain : float, default=1.0
        Factor on their standard deviation.
    mask : ndarray of bool, shape (n_in, n_out), optional
        Weights that there are; all of them if not given.
    """

    parameters: ClassVar[Any] = DenseParameters
    weights: ClassVar[tuple[str, ...]] = ("W",)
    takes_sparse: ClassVar[bool] = True
    n_out: int
    init: str | Initialization = "glorot"
    gain: float = 1.0
    mask: Array | None = None

    def __post_init__(self) -> None:
        check_integer(self.n_out, "n_out")
        mask = self.mask
        if mask is not None and (mask.dtype != bool or mask.shape[1:] != (self.n_out,)):
            raise ValueError(
                f"mask must hold truth values for {self.n_out} outputs. Got {mask.dtype}, {mask.shape}."
            )

    def __repr__(self) -> str:
        # Names the mask by a checksum: what was saved of one network is not gone on with in another.
        if self.mask is None:
            return super().__repr__()
        name = hex(crc32(np.packbits(self.mask).tobytes()))
        return f"{replace(self, mask=None)!r} with mask {name}"

    def width(self, n_in: int) -> int:
        """`n_out`."""
        return self.n_out

    def shapes(self, n_in: int) -> tuple[tuple[int, ...], ...]:
        """Of the weights and the biases."""
        return (n_in, self.n_out), (self.n_out,)

    def initial(self, n_in: int, key: Key, dtype: Any) -> DenseParameters:
        """Weights by `init`, biases zero."""
        law = initialization_record(self.init)
        params = DenseParameters(
            law.draw(key, n_in, self.n_out, dtype, self.gain), np.zeros(self.n_out, dtype)
        )
        self.project(params)
        return params

    def masked(self, mask: Array) -> "Dense":
        """The layer with the weights (n_in, n_out) that `mask` tells."""
        return replace(self, mask=mask)

    def widened(self, more_in: int, more_out: int) -> "Dense":
        """Rows and columns more; those weights are there."""
        mask = self.mask
        if mask is not None:
            mask = np.pad(mask, ((0, more_in), (0, more_out)), constant_values=True)
        return replace(self, n_out=self.n_out + more_out, mask=mask)

    def project(self, params: DenseParameters) -> None:
        """The weights that the mask leaves out."""
        if self.mask is not None:
            np.multiply(params.W, self.mask, out=params.W)

    def max_norm_matrices(self, params: DenseParameters) -> tuple[Array, ...]:
        """W."""
        return (params.W,)

    def forward(self, params: DenseParameters, x: Array, context: Context) -> tuple[Array, Array]:
        """y; the way back needs x."""
        y = x @ params.W
        y += params.bias
        return y, x

    def backward(
        self,
        params: DenseParameters,
        saved: Array,
        delta: Array,
        gradient: DenseParameters,
        below: bool,
    ) -> Array:
        """One product for the weights, and one for the input if that is wanted."""
        if is_sparse(saved):
            gradient.W[:] = saved.T @ delta
        else:
            np.dot(saved.T, delta, out=gradient.W)
        self.project(gradient)
        np.sum(delta, axis=0, out=gradient.bias)
        return delta @ params.W.T if below else delta

    def curvature(
        self,
        params: DenseParameters,
        saved: Array,
        h: Array,
        delta: Array | None,
        second: DenseParameters,
    ) -> Array:
        """By the inputs h (W^2)'; by the weights (x^2)' h."""
        np.dot((saved * saved).T, h, out=second.W)
        self.project(second)
        np.sum(h, axis=0, out=second.bias)
        below: Array = h @ (params.W * params.W).T
        return below
