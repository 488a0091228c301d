"""Dropout: in training each unit is silenced with a given probability (Srivastava et al. 2014).

    y = m x / (1 - rate),    m = 1 with probability 1 - rate, else 0,    dL/dx = m delta / (1 - rate)

Those that stay are scaled up ("inverted" dropout), so that the mean of y is x, and after training the layer does
nothing. The mask is not kept: the way back draws the same numbers again from the same key.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ebm._checks import Array, check_real
from ebm._kernels import layers as kernels
from ebm._random import Key
from ebm.networks.layer import Context, Layer

WORDS = 1 << 32  # random words are as many


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """Units silenced at random while training, and only then.

    Parameters
    ----------
    rate : float in [0, 1), default=0.5
        Probability of silence.
    """

    keeps_output: ClassVar[bool] = (
        True  # without training it is the input, which a layer below may need
    )
    rate: float = 0.5

    def __post_init__(self) -> None:
        check_real(self.rate, "rate", 0.0, 1.0, open_high=True)

    def forward(self, params: Any, x: Array, context: Context) -> tuple[Array, Any]:
        """The input itself, or what is left of it; the way back needs the key and the number of the first row."""
        if not context.training or context.key is None or self.rate == 0:
            return x, None
        y = x if context.free else np.array(x, order="C")
        self._drop(y, context.key, context.first_row)
        return y, (context.key, context.first_row)

    def backward(self, params: Any, saved: Any, delta: Array, gradient: Any, below: bool) -> Array:
        """The derivatives by what was left."""
        if saved is not None and below:
            self._drop(delta, *saved)
        return delta

    def curvature(
        self, params: Any, saved: Any, h: Array, delta: Array | None, second: Any
    ) -> Array:
        """The same: after training nothing is dropped."""
        return h

    def _drop(self, x: Array, key: Key, first_row: int) -> None:
        threshold = min(round((1 - self.rate) * WORDS), WORDS - 1)
        threshold = max(threshold, 1)
        kernels.drop(x, threshold, WORDS / threshold, key.word0, key.word1, first_row)
