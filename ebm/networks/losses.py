"""Losses: how far the linear outputs z of a network are from the targets t.

The loss of a batch is the mean of its rows' losses, or their weighted mean; a row's is the sum over its outputs.

====================  ==========================================  ==================  ======================
record                loss of a row                               prediction a(z)     -dloss/dz
====================  ==========================================  ==================  ======================
CrossEntropy          -sum_c t_c log a_c                          softmax z           t - a (sum_c t_c = 1)
BinaryCrossEntropy    -sum_c [t_c log a_c + (1-t_c) log(1-a_c)]   1 / (1 + exp(-z))   t - a
SquaredError          sum_c (z_c - t_c)^2 / 2                     z                   t - a
Huber                 the same up to abs(z - t) = delta, then     z                   t - a, clipped to +-delta
                      delta (abs(z_c - t_c) - delta / 2)
Poisson               sum_c [a_c - t_c + t_c log(t_c / a_c)]      exp z               t - a
====================  ==========================================  ==================  ======================

Derivatives point uphill of L = -loss, as everywhere in this library. The first two are -log p(t | z) of a categorical
and of independent binary variables. SquaredError is that of a Gaussian variable of variance one except for a constant;
Poisson is half the deviance. The networks of scikit-learn follow the same derivatives. They give the same values,
except for the squared error of several outputs: theirs is the mean over the outputs, while its derivative is that of
the sum (:attr:`Loss.shown_per_output`).
"""

import abc
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit, logit, softmax

from ebm._checks import Array, Settings, check_real, resolve
from ebm._kernels import losses as kernels


class Loss(Settings, abc.ABC):
    """One loss (abstract). `z` (rows, outputs) is C-contiguous and overwritten.

    Attributes
    ----------
    shown_per_output : bool
        Whether scikit-learn divides the value that it shows, but not the derivatives, by the number of outputs.
    out_activation : str
        Name of the function from the linear outputs to the prediction.
    """

    shown_per_output: ClassVar[bool] = False
    out_activation: ClassVar[str] = "identity"

    def evaluate(
        self, z: Array, targets: Array, weights: Array | None = None
    ) -> tuple[float, Array]:
        """The weighted mean of the rows' losses, and minus its derivative by `z`.

        Parameters
        ----------
        z : ndarray of shape (rows, outputs)
            Linear outputs, overwritten.
        targets : ndarray of shape (rows, outputs)
        weights : ndarray of shape (rows,), optional
            They sum to one; equal if not given.

        Returns
        -------
        value : float
        delta : ndarray of shape (rows, outputs)
            In the place of `z`.

        Raises
        ------
        ValueError
            If the shapes disagree.
        """
        targets, weights = _like(z, targets, weights)
        return float(self._sum(z, targets, weights)), z

    def of_constant(self, targets: Array, weights: Array | None = None) -> float:
        """The weighted mean loss, as :meth:`evaluate` takes it, if the mean target is predicted for every row."""
        targets, weights = _like(np.zeros_like(targets), targets, weights)
        z = np.tile(self._linear(weights @ targets), (len(targets), 1))
        return self.evaluate(z, targets, weights)[0]

    def _linear(self, mean: Array) -> Array:
        """The linear outputs z of which `mean` is the prediction."""
        return mean

    @abc.abstractmethod
    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        """The weighted sum of the rows' losses; minus its derivative by z in the place of z."""

    def check_targets(self, targets: Array) -> None:
        """Refuse targets that this loss is not for; ValueError."""

    @abc.abstractmethod
    def output(self, z: Array) -> Array:
        """The prediction a(z), in the place of `z`."""

    def second(self, z: Array, targets: Array, weights: Array | None = None) -> Array:
        """The second derivatives of the weighted mean by each linear output, in the place of `z`.

        They are the diagonal of the Hessian by z, which of :class:`CrossEntropy` only is not all of it.
        """
        targets, weights = _like(z, targets, weights)
        h = self._bend(z, targets)
        h *= weights[:, None]
        return h

    @abc.abstractmethod
    def _bend(self, z: Array, targets: Array) -> Array:
        """The second derivatives of the rows' losses by their linear outputs, in the place of z."""


def _like(z: Array, targets: Array, weights: Array | None) -> tuple[Array, Array]:
    # Compiled loops do not look where an array ends.
    if targets.shape != z.shape or (weights is not None and weights.shape != z.shape[:1]):
        got = "" if weights is None else f" and weights of shape {weights.shape}"
        raise ValueError(
            f"targets must have the shape of the outputs, {z.shape}, and weights that of the rows. "
            f"Got targets of shape {targets.shape}{got}."
        )
    if weights is None:
        weights = np.full(len(z), 1 / max(1, len(z)), z.dtype)
    return np.ascontiguousarray(targets, z.dtype), np.ascontiguousarray(weights, z.dtype)


@dataclass(frozen=True, repr=False)
class CrossEntropy(Loss):
    """-log p of one class among several, p = softmax z; targets are one-hot, or probabilities.

    A row whose targets are all zero has no loss.
    """

    out_activation: ClassVar[str] = "softmax"

    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        return kernels.cross_entropy(z, targets, weights)  # type: ignore[no-any-return]

    def _linear(self, mean: Array) -> Array:
        z: Array = np.log(np.maximum(mean, np.finfo(mean.dtype).tiny))
        return z

    def output(self, z: Array) -> Array:
        """Probabilities of the classes."""
        z[:] = softmax(z, axis=1)
        return z

    def _bend(self, z: Array, targets: Array) -> Array:
        p = self.output(z)
        p *= (1 - p) * targets.sum(axis=1, keepdims=True)
        return p


@dataclass(frozen=True, repr=False)
class BinaryCrossEntropy(Loss):
    """-log p of several independent labels, each 0 or 1 (or a probability), p = 1 / (1 + exp(-z))."""

    out_activation: ClassVar[str] = "logistic"

    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        return kernels.binary_cross_entropy(z, targets, weights)  # type: ignore[no-any-return]

    def _linear(self, mean: Array) -> Array:
        least = np.finfo(mean.dtype).eps
        z: Array = logit(np.clip(mean, least, 1 - least))
        return z

    def output(self, z: Array) -> Array:
        """Probabilities of the labels."""
        return expit(z, out=z)  # not that of hidden units, which is cut off at exp(-60)

    def _bend(self, z: Array, targets: Array) -> Array:
        p = self.output(z)
        p *= 1 - p
        return p


@dataclass(frozen=True, repr=False)
class SquaredError(Loss):
    """Half the squared distance."""

    shown_per_output: ClassVar[bool] = True

    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        return kernels.squared_error(z, targets, weights)  # type: ignore[no-any-return]

    def output(self, z: Array) -> Array:
        """The linear outputs."""
        return z

    def _bend(self, z: Array, targets: Array) -> Array:
        z[:] = 1
        return z


@dataclass(frozen=True, repr=False)
class Huber(Loss):
    """Half the squared error where that is small, linear beyond: outliers pull with a bounded force (Huber 1964).

    Parameters
    ----------
    delta : float > 0, default=1.0
        Where the parabola goes over into straight lines.

    Examples
    --------
    >>> from ebm import Huber, MLPRegressor
    >>> mlp = MLPRegressor(loss=Huber(delta=0.5))
    """

    shown_per_output: ClassVar[bool] = True
    delta: float = 1.0

    def __post_init__(self) -> None:
        check_real(self.delta, "delta", open_low=True)

    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        return kernels.huber(z, targets, weights, float(self.delta))  # type: ignore[no-any-return]

    def output(self, z: Array) -> Array:
        """The linear outputs."""
        return z

    def _bend(self, z: Array, targets: Array) -> Array:
        z -= targets
        return np.less_equal(np.abs(z, out=z), self.delta, out=z)


@dataclass(frozen=True, repr=False)
class Poisson(Loss):
    """Half the deviance of counts t >= 0 with the means exp(z); infinite where exp would overflow."""

    out_activation: ClassVar[str] = "exp"

    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        limit = kernels.LIMIT_SINGLE if z.dtype == np.float32 else kernels.LIMIT_DOUBLE
        return kernels.poisson(z, targets, weights, limit)  # type: ignore[no-any-return]

    def _linear(self, mean: Array) -> Array:
        z: Array = np.log(np.maximum(mean, np.finfo(mean.dtype).tiny))
        return z

    def output(self, z: Array) -> Array:
        """The means."""
        with np.errstate(over="ignore"):
            return np.exp(z, out=z)

    def check_targets(self, targets: Array) -> None:
        """Counts are not negative."""
        if (targets < 0).any():
            raise ValueError(
                f"loss='poisson' is for targets y >= 0. Got {targets.min():g}. Use another loss."
            )

    def _bend(self, z: Array, targets: Array) -> Array:
        return self.output(z)


LOSSES: dict[str, type[Loss]] = {
    "cross_entropy": CrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "squared_error": SquaredError,
    "huber": Huber,
    "poisson": Poisson,
}


def loss_record(value: object) -> Loss:
    """The loss that a name or a record stands for."""
    return resolve(value, LOSSES, Loss, "loss")  # type: ignore[type-abstract]
