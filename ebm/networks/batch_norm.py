"""Batch normalisation: each unit's inputs are brought to a learned mean and scale (Ioffe & Szegedy 2015).

    z = (x - m) / sqrt(v + epsilon),    y = gamma z + beta

In training m and v are the mean and the variance (divided by the rows) of the batch, and so functions of x:

    dL/dx = gamma / sqrt(v + epsilon) (delta - mean(delta) - z mean(delta z)),

with means over the rows. Afterwards they are running moments, which each batch moves by the share 1 - momentum towards
its own (the variance divided by the rows less one). These are fields of the layer's parameters, so that they are saved
and restored with them. The gradient by them is zero, so that no optimiser changes them.

A single row has no variance: it is mapped to beta, and moves the running mean only.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array, check_real
from ebm._kernels import layers as kernels
from ebm._random import Key
from ebm.networks.layer import Context, Layer


class BatchNormParameters(NamedTuple):
    """Scales `gamma`, means `beta`, and the running `mean` and `variance` of the inputs (units,)."""

    gamma: Array
    beta: Array
    mean: Array
    variance: Array


class Normalised(NamedTuple):
    """Arrays for the backward pass: the inputs, the moments they were normalised by, and whether these are their
    own.
    """

    x: Array
    mean: Array
    scale: Array
    of_batch: bool


@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    """Inputs of every unit brought to a learned mean and scale.

    Parameters
    ----------
    momentum : float in [0, 1), default=0.9
        Share of the running moments that a batch leaves as it is.
    epsilon : float > 0, default=1e-5
        Added to the variances.
    """

    parameters: ClassVar[Any] = BatchNormParameters
    momentum: float = 0.9
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        check_real(self.momentum, "momentum", 0.0, 1.0, open_high=True)
        check_real(self.epsilon, "epsilon", open_low=True)

    def shapes(self, n_in: int) -> tuple[tuple[int, ...], ...]:
        """One number of each kind for a unit."""
        return ((n_in,),) * 4

    def initial(self, n_in: int, key: Key, dtype: Any) -> BatchNormParameters:
        """The identity, but for epsilon."""
        ones, zeros = np.ones(n_in, dtype), np.zeros(n_in, dtype)
        return BatchNormParameters(ones, zeros, zeros.copy(), ones.copy())

    def forward(
        self, params: BatchNormParameters, x: Array, context: Context
    ) -> tuple[Array, Normalised]:
        """A new array. In training the running moments follow the batch."""
        x = np.ascontiguousarray(x)
        mean, variance = np.array(params.mean, float), np.array(params.variance, float)
        if context.training:
            kernels.moments(x, mean, variance)
            self._follow(params, mean, variance, len(x))
        scale = 1 / np.sqrt(variance + self.epsilon)
        y = np.empty_like(x)
        kernels.normalise(x, mean, scale, params, y)
        return y, Normalised(x, mean, scale, context.training)

    def _follow(self, params: BatchNormParameters, mean: Array, variance: Array, rows: int) -> None:
        fresh = 1 - self.momentum
        kernels.follow(params.mean, mean, fresh)
        if rows > 1:
            kernels.follow(params.variance, variance * (rows / (rows - 1)), fresh)

    def backward(
        self,
        params: BatchNormParameters,
        saved: Normalised,
        delta: Array,
        gradient: BatchNormParameters,
        below: bool,
    ) -> Array:
        """Through the batch's moments, in place."""
        x, mean, scale, of_batch = saved
        kernels.normalise_back(x, mean, scale, params, delta, gradient, of_batch)
        gradient.mean[:] = 0
        gradient.variance[:] = 0
        return delta

    def curvature(
        self,
        params: BatchNormParameters,
        saved: Normalised,
        h: Array,
        delta: Array | None,
        second: BatchNormParameters,
    ) -> Array:
        """By the inputs h gamma^2 / (v + epsilon): with the running moments the layer is linear."""
        z = ((saved.x - saved.mean) * saved.scale).astype(h.dtype)
        np.sum(h, axis=0, out=second.beta)
        second.gamma[:] = np.einsum("rc,rc,rc->c", h, z, z)
        second.mean[:] = 0
        second.variance[:] = 0
        h *= ((params.gamma * saved.scale) ** 2).astype(h.dtype)
        return h
