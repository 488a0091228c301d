"""Activations: layers that pass each unit's input through one function, y = f(x).

The formulas, and the derivatives as functions of y, stand in :mod:`ebm._kernels.activations`. All but :class:`PReLU`
overwrite their input where they may, and need only y to come back.
"""

import abc
import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array, check_real, resolve
from ebm._kernels import activations as kernels
from ebm._random import Key
from ebm.networks.layer import Context, Layer


class Activation(Layer):
    """One type of activation (abstract).

    Attributes
    ----------
    gain : float
        Factor on the standard deviation of the first weights below, after Glorot: see :class:`Logistic`.
    """

    gain: ClassVar[float] = 1.0

    @abc.abstractmethod
    def curvatures(self, params: Any, saved: Any) -> Array:
        """The curvatures f'' (rows, units), in a new array, from what :meth:`forward` left for the way back."""

    def curvature(
        self, params: Any, saved: Any, h: Array, delta: Array | None, second: Any
    ) -> Array:
        """By the inputs h f'^2 - delta f'': two ways back through the activation multiply by f'^2."""
        for _ in range(2):
            h = self.backward(params, saved, h, second, True)
        if delta is not None:
            h -= delta * self.curvatures(params, saved)
        return h


class Pointwise(Activation):
    """An activation without parameters, whose derivatives are functions of its output (abstract)."""

    keeps_output: ClassVar[bool] = True

    @property
    @abc.abstractmethod
    def settings(self) -> Any:
        """The NamedTuple by which the compiled loops know the activation."""

    def forward(self, params: Any, x: Array, context: Context) -> tuple[Array, Array]:
        """y; the way back needs it."""
        y = x if context.free else np.array(x, order="C")
        kernels.activate(self.settings, y)
        return y, y

    def backward(
        self, params: Any, saved: Array, delta: Array, gradient: Any, below: bool
    ) -> Array:
        """Delta f', in place."""
        if below:
            kernels.pull_back(self.settings, saved, delta)
        return delta

    def curvatures(self, params: Any, saved: Array) -> Array:
        """The curvatures at the outputs."""
        out = np.empty_like(saved)
        kernels.curvatures(self.settings, saved, out)
        return out


@dataclass(frozen=True, repr=False)
class Identity(Activation):
    """No activation: y = x, the very array."""

    keeps_output: ClassVar[bool] = True  # it may be what a layer below needs

    def forward(self, params: Any, x: Array, context: Context) -> tuple[Array, Array]:
        """The input."""
        return x, x

    def backward(self, params: Any, saved: Any, delta: Array, gradient: Any, below: bool) -> Array:
        """The derivatives as they are."""
        return delta

    def curvatures(self, params: Any, saved: Array) -> Array:
        """Zeros."""
        return np.zeros_like(saved)


@dataclass(frozen=True, repr=False)
class Logistic(Pointwise):
    """The logistic function, y = 1 / (1 + exp(-x)).

    Its slope is a quarter at most, and :attr:`gain` makes of Glorot's bound sqrt(6 / (n_in + n_out)) the bound
    sqrt(2 / (n_in + n_out)) that scikit-learn has for it.
    """

    gain: ClassVar[float] = math.sqrt(1 / 3)

    @property
    def settings(self) -> kernels.LogisticSettings:
        """No settings."""
        return kernels.LogisticSettings()


@dataclass(frozen=True, repr=False)
class Tanh(Pointwise):
    """The hyperbolic tangent."""

    @property
    def settings(self) -> kernels.TanhSettings:
        """No settings."""
        return kernels.TanhSettings()


@dataclass(frozen=True, repr=False)
class ReLU(Pointwise):
    """The rectified linear unit, y = max(x, 0), with slope 0 at 0."""

    @property
    def settings(self) -> kernels.ReLUSettings:
        """No settings."""
        return kernels.ReLUSettings()


@dataclass(frozen=True, repr=False)
class LeakyReLU(Pointwise):
    """The leaky rectifier, y = x where x > 0, else slope x.

    Parameters
    ----------
    slope : float in [0, 1], default=0.01
        Slope on the left.

    Examples
    --------
    >>> from ebm import LeakyReLU, MLPClassifier
    >>> mlp = MLPClassifier(activation=LeakyReLU(slope=0.1))
    """

    slope: float = 0.01

    def __post_init__(self) -> None:
        check_real(self.slope, "slope", 0.0, 1.0)

    @property
    def settings(self) -> kernels.LeakyReLUSettings:
        """The slope."""
        return kernels.LeakyReLUSettings(float(self.slope))


@dataclass(frozen=True, repr=False)
class Softplus(Pointwise):
    """y = log(1 + exp(x)), a smooth rectifier."""

    @property
    def settings(self) -> kernels.SoftplusSettings:
        """No settings."""
        return kernels.SoftplusSettings()


@dataclass(frozen=True, repr=False)
class ELU(Pointwise):
    """The exponential linear unit, y = x where x > 0, else alpha (exp(x) - 1) (Clevert et al. 2016).

    Parameters
    ----------
    alpha : float >= 0, default=1.0
        The output goes down to -alpha.

    Examples
    --------
    >>> from ebm import ELU, MLPClassifier
    >>> mlp = MLPClassifier(activation=ELU(alpha=0.5))
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_real(self.alpha, "alpha")

    @property
    def settings(self) -> kernels.ELUSettings:
        """The depth."""
        return kernels.ELUSettings(float(self.alpha))


class PReLUParameters(NamedTuple):
    """Slopes (units,) on the left."""

    slope: Array


@dataclass(frozen=True, repr=False)
class PReLU(Activation):
    """The parametric rectifier, y = x where x > 0, else a x with a learned slope a of each unit (He et al. 2015).

    No penalty is for the slopes: it would draw them to the plain rectifier.

    Parameters
    ----------
    slope : float, default=0.25
        The slopes with which training begins.

    Examples
    --------
    >>> from ebm import MLPClassifier, PReLU
    >>> mlp = MLPClassifier(hidden_layer_sizes=(50, 20), activation=[PReLU(slope=0.1), "tanh"])
    """

    parameters: ClassVar[Any] = PReLUParameters
    slope: float = 0.25

    def __post_init__(self) -> None:
        check_real(self.slope, "slope", -np.inf)

    def shapes(self, n_in: int) -> tuple[tuple[int, ...], ...]:
        """Of the slopes."""
        return ((n_in,),)

    def initial(self, n_in: int, key: Key, dtype: Any) -> PReLUParameters:
        """Equal slopes."""
        return PReLUParameters(np.full(n_in, self.slope, dtype))

    def forward(self, params: PReLUParameters, x: Array, context: Context) -> tuple[Array, Array]:
        """A new array; a learned slope may be zero or negative, so that the way back needs x."""
        y = np.empty_like(x, order="C")
        kernels.rectify(params.slope, x, y)
        return y, x

    def backward(
        self,
        params: PReLUParameters,
        saved: Array,
        delta: Array,
        gradient: PReLUParameters,
        below: bool,
    ) -> Array:
        """Delta f', in place, and the sums of delta x over the rows where x < 0."""
        kernels.pull_back_rectified(params.slope, saved, delta, gradient.slope)
        return delta

    def curvatures(self, params: PReLUParameters, saved: Array) -> Array:
        """Zeros."""
        return np.zeros_like(saved)

    def curvature(
        self,
        params: PReLUParameters,
        saved: Array,
        h: Array,
        delta: Array | None,
        second: PReLUParameters,
    ) -> Array:
        """By the inputs h f'^2; by the slopes the sums of h x^2 over the rows where x < 0."""
        left = np.minimum(saved, 0)
        by_slope = np.einsum("rc,rc,rc->c", h, left, left)
        h = super().curvature(params, saved, h, delta, second)
        second.slope[:] = by_slope
        return h


ACTIVATIONS: dict[str, type[Activation]] = {
    "identity": Identity,
    "logistic": Logistic,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "prelu": PReLU,
    "softplus": Softplus,
    "elu": ELU,
}


def activation_record(value: object) -> Activation:
    """The activation that a name or a record stands for."""
    return resolve(value, ACTIVATIONS, Activation, "activation")  # type: ignore[type-abstract]
