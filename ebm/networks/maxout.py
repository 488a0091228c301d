"""Maxout: each unit is the largest of several linear pieces (Goodfellow et al. 2013).

    y_j = max_k x_{jk},    dL/dx_{jk} = delta_j where k won, else 0

The pieces of a unit are consecutive inputs, so that a unit more is columns more at the end of the weights below.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebm._checks import Array, check_integer
from ebm._kernels import layers as kernels
from ebm.networks.layer import Context, Layer


@dataclass(frozen=True, repr=False)
class Maxout(Layer):
    """The largest of every `n_pieces` consecutive inputs.

    Parameters
    ----------
    n_pieces : int, default=2
        Inputs of each output.

    Examples
    --------
    >>> from ebm import MLPClassifier, Maxout
    >>> mlp = MLPClassifier(hidden_layer_sizes=(50,), activation=Maxout(n_pieces=3))
    """

    n_pieces: int = 2

    def __post_init__(self) -> None:
        check_integer(self.n_pieces, "n_pieces")

    def width(self, n_in: int) -> int:
        """`n_in` divided by the pieces."""
        if n_in % self.n_pieces:
            raise ValueError(
                f"Maxout with n_pieces={self.n_pieces} needs a multiple of that many inputs. "
                f"Got {n_in}: give the layer below n_pieces times the units."
            )
        return n_in // self.n_pieces

    def forward(self, params: Any, x: Array, context: Context) -> tuple[Array, Array]:
        """A new array; the way back needs the numbers of the pieces that won."""
        y = np.empty((len(x), self.width(x.shape[1])), x.dtype)
        winners = np.empty(y.shape, np.min_scalar_type(self.n_pieces - 1))
        kernels.largest(np.ascontiguousarray(x), y, winners)
        return y, winners

    def backward(
        self, params: Any, saved: Array, delta: Array, gradient: Any, below: bool
    ) -> Array:
        """The derivatives in the winners' places."""
        if not below:
            return delta
        out = np.empty((len(delta), delta.shape[1] * self.n_pieces), delta.dtype)
        kernels.to_winners(delta, saved, out)
        return out

    def curvature(
        self, params: Any, saved: Array, h: Array, delta: Array | None, second: Any
    ) -> Array:
        """As the derivatives: the piece that won is the output."""
        return self.backward(params, saved, h, second, True)
