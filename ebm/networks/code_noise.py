"""Noise on the inputs of code units in training, which makes their outputs binary (Salakhutdinov & Hinton 2007).

    y = x + scale z,    z a normal deviate of the entry,    dL/dx = dL/dy

Where the noise is large, a logistic unit can only tell the decoder something by inputs that are larger still. Its
outputs go to zero and one, and as bits they lose little.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from ebm._checks import Array, check_real
from ebm.networks.corruption import GaussianNoise
from ebm.networks.layer import Context, Layer


@dataclass(frozen=True, repr=False)
class CodeNoise(Layer):
    """Normal deviates added in training, and only then.

    Parameters
    ----------
    scale : float >= 0, default=4.0
        Standard deviation.
    """

    keeps_output: ClassVar[bool] = (
        True  # without training it is the input, which a layer below may need
    )
    scale: float = 4.0

    def __post_init__(self) -> None:
        check_real(self.scale, "scale")

    def forward(self, params: Any, x: Array, context: Context) -> tuple[Array, Any]:
        """The input itself, or a noisy one."""
        if not context.training or context.key is None or self.scale == 0:
            return x, None
        noise = GaussianNoise(self.scale)
        return noise.corrupted(x, context.key, context.first_row), None

    def backward(self, params: Any, saved: Any, delta: Array, gradient: Any, below: bool) -> Array:
        """The derivatives as they are."""
        return delta
