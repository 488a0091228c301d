"""A cost of the activation below it: the code is to change little when the input does (Rifai et al. 2011).

With y = f(xW + b) the derivatives of a layer are dy_j/dx_k = f'_j W_kj, and the cost is their squared Frobenius norm,

    C = strength sum_i w_i sum_j f'(y_ij)^2 n_j,        n_j = sum_k W_kj^2                (equation 3 for one layer),
    dC/dy_ij = 2 strength w_i n_j f''(y_ij),            dC/dW_kj = 2 strength W_kj sum_i w_i f'(y_ij)^2,

where w_i is the share of row i, and dx/dy = 1 / f' has cancelled a factor f'. For logistic units f' = y (1 - y). The
layer shares W with the dense layer (:class:`ebm.networks.network.Tie`), to whose derivative dC/dW is added.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array, check_integer, check_real
from ebm._random import Key
from ebm.networks.activations import Activation
from ebm.networks.layer import Context, Cost, Layer, Nothing


class ContractionParameters(NamedTuple):
    """The weights `W` (n_below, units) of the dense layer, which the layer shares."""

    W: Array


@dataclass(frozen=True, repr=False)
class Contraction(Layer):
    """The cost of a layer's derivatives by its inputs, on top of its activation.

    Parameters
    ----------
    n_below : int
        Inputs of the dense layer.
    activation : Activation
        Activation of the layer below, a function without parameters.
    strength : float >= 0, default=0.1
        Factor on the squared norm.

    Raises
    ------
    ValueError
        If the activation has parameters of its own, or is none of one unit.
    """

    parameters: ClassVar[Any] = ContractionParameters
    keeps_output: ClassVar[bool] = True  # the layer below needs it
    has_cost: ClassVar[bool] = True
    n_below: int
    activation: Layer
    strength: float = 0.1

    def __post_init__(self) -> None:
        check_integer(self.n_below, "n_below")
        check_real(self.strength, "strength")
        if not isinstance(self.activation, Activation) or self.activation.parameters is not Nothing:
            raise ValueError(
                "contraction is for activations of one unit without parameters, as 'logistic' or 'tanh'. Got "
                f"{self.activation!r}."
            )

    def shapes(self, n_in: int) -> tuple[tuple[int, ...], ...]:
        """Of the weights."""
        return ((self.n_below, n_in),)

    def initial(self, n_in: int, key: Key, dtype: Any) -> ContractionParameters:
        """Zeros, until the network puts the shared weights in their place."""
        return ContractionParameters(np.zeros((self.n_below, n_in), dtype))

    def forward(
        self, params: ContractionParameters, x: Array, context: Context
    ) -> tuple[Array, None]:
        """The input itself."""
        return x, None

    def backward(
        self,
        params: ContractionParameters,
        saved: None,
        delta: Array,
        gradient: ContractionParameters,
        below: bool,
    ) -> Array:
        """The derivatives themselves: the loss does not depend on W here."""
        gradient.W[:] = 0
        return delta

    def cost(
        self, params: ContractionParameters, y: Array, weights: Array, mean: Array | None
    ) -> Cost:
        """The weighted mean of the squared norms over the rows."""
        function: Any = self.activation
        slopes = function.backward(Nothing(), y, np.ones_like(y), Nothing(), True)
        shares = weights.astype(y.dtype)[:, np.newaxis]
        norms = np.square(params.W).sum(axis=0)
        squares = (shares * np.square(slopes)).sum(axis=0)
        value = self.strength * float(squares.astype(np.float64) @ norms)
        delta = function.curvatures(Nothing(), y)
        delta *= (-2 * self.strength * norms).astype(y.dtype) * shares
        by_weights = params.W * (-2 * self.strength * squares).astype(y.dtype)
        return Cost(value, delta, ContractionParameters(by_weights))
