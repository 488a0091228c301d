"""The dense layer: every output is a weighted sum of all inputs.

y = x W + b,        dL/dW = x' delta,   dL/db = sum over rows of delta,   dL/dx = delta W'.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array, check_integer
from ebm._random import Key
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
    """

    parameters: ClassVar[Any] = DenseParameters
    weights: ClassVar[tuple[str, ...]] = ("W",)
    n_out: int
    init: str | Initialization = "glorot"
    gain: float = 1.0

    def __post_init__(self) -> None:
        check_integer(self.n_out, "n_out")

    def width(self, n_in: int) -> int:
        """`n_out`."""
        return self.n_out

    def shapes(self, n_in: int) -> tuple[tuple[int, ...], ...]:
        """Of the weights and the biases."""
        return (n_in, self.n_out), (self.n_out,)

    def initial(self, n_in: int, key: Key, dtype: Any) -> DenseParameters:
        """Weights by `init`, biases zero."""
        law = initialization_record(self.init)
        W = law.draw(key, n_in, self.n_out, dtype, self.gain)
        return DenseParameters(W, np.zeros(self.n_out, dtype))

    def columns(self, own: DenseParameters) -> tuple[Array, ...]:
        """W."""
        return (own.W,)

    def forward(self, own: DenseParameters, x: Array, context: Context) -> tuple[Array, Array]:
        """y; the way back needs x."""
        y = x @ own.W
        y += own.bias
        return y, x

    def backward(
        self,
        own: DenseParameters,
        saved: Array,
        delta: Array,
        gradient: DenseParameters,
        below: bool,
    ) -> Array:
        """One product for the weights, and one for the input if that is wanted."""
        np.dot(saved.T, delta, out=gradient.W)
        np.sum(delta, axis=0, out=gradient.bias)
        return delta @ own.W.T if below else delta
