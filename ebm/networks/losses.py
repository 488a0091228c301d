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
from scipy.special import entr, expit, log_softmax, logit, softmax, xlogy

from ebm._checks import Array, Settings, check_real, resolve
from ebm._kernels import losses as kernels
from ebm._values import ROUNDING

# A linear output at which probabilities and rates are zero to rounding.
FAR = -1e4


class Loss(Settings, abc.ABC):
    """One loss (abstract). `z` (rows, outputs) is C-contiguous and overwritten.

    Attributes
    ----------
    shown_per_output : bool
        Whether scikit-learn divides the value that it shows, but not the derivatives, by the number of outputs.
    out_activation : str
        Name of the function from the linear outputs to the prediction.
    absent : float
        See :meth:`absences`.
    joint : bool
        Whether the loss of a row depends on the other rows of its batch.
    """

    joint: ClassVar[bool] = False
    shown_per_output: ClassVar[bool] = False
    out_activation: ClassVar[str] = "identity"
    absent: ClassVar[float] = 0.0

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
        z = np.tile(self.linear(weights @ targets), (len(targets), 1))
        return self.evaluate(z, targets, weights)[0]

    def linear(self, mean: Array, least: float = 0.0) -> Array:
        """The linear outputs z of which `mean` (outputs,) is the prediction.

        A mean that is nearer than `least` to the end of the range of predictions counts as that far from it.
        """
        return mean

    def counts(self, n_outputs: int) -> Array:
        """Which targets (n_outputs,) are counts, whose scale is their own."""
        return np.zeros(n_outputs, bool)

    def absences(self, n_outputs: int) -> Array:
        """Linear outputs (n_outputs,) that cost nothing where the target is zero."""
        return np.full(n_outputs, self.absent)

    @abc.abstractmethod
    def of_rows(self, z: Array, targets: Array) -> Array:
        """The loss of each row (rows,), in double precision, from the linear outputs `z`, which are left alone."""

    def least(self, targets: Array) -> Array:
        """The losses of rows (rows,) that are predicted as they are: the entropy of targets that are probabilities."""
        return np.zeros(len(targets))

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


@dataclass(frozen=True, repr=False)
class Derived(Loss):
    """A loss that is made of another one, whose predictions and targets it shares (abstract).

    Parameters
    ----------
    loss : Loss
    """

    loss: Loss

    @property
    def out_activation(self) -> str:  # type: ignore[override]
        """The same as of the loss."""
        return self.loss.out_activation

    def linear(self, mean: Array, least: float = 0.0) -> Array:
        """Those of the loss."""
        return self.loss.linear(mean, least)

    def counts(self, n_outputs: int) -> Array:
        """Those of the loss."""
        return self.loss.counts(n_outputs)

    def absences(self, n_outputs: int) -> Array:
        """Those of the loss."""
        return self.loss.absences(n_outputs)

    def check_targets(self, targets: Array) -> None:
        """Targets that the loss is not for are refused."""
        self.loss.check_targets(targets)

    def output(self, z: Array) -> Array:
        """The prediction of the loss."""
        return self.loss.output(z)


def _double(losses: Array) -> Array:
    """The sums over the outputs, in double precision."""
    total: Array = losses.sum(axis=1, dtype=np.float64)
    return total


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

    def of_rows(self, z: Array, targets: Array) -> Array:
        """-sum_c t_c log a_c."""
        losses: Array = -_double(targets * log_softmax(z.astype(np.float64), axis=1))
        return losses

    def least(self, targets: Array) -> Array:
        """The entropy of the classes."""
        return _double(entr(targets.astype(np.float64)))

    def linear(self, mean: Array, least: float = 0.0) -> Array:
        """Logarithms."""
        z: Array = np.log(np.maximum(mean, max(least, np.finfo(mean.dtype).tiny)))
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
    absent: ClassVar[float] = FAR

    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        return kernels.binary_cross_entropy(z, targets, weights)  # type: ignore[no-any-return]

    def of_rows(self, z: Array, targets: Array) -> Array:
        """sum_c [log(1 + exp(z_c)) - t_c z_c]."""
        z = z.astype(np.float64)
        return _double(np.logaddexp(0, z) - targets * z)

    def least(self, targets: Array) -> Array:
        """The entropy of the labels."""
        t = np.clip(
            targets.astype(np.float64), 0, 1
        )  # scaling may leave values that are outside by rounding
        return _double(entr(t) + entr(1 - t))

    def linear(self, mean: Array, least: float = 0.0) -> Array:
        """Log-odds."""
        least = max(least, np.finfo(mean.dtype).eps)
        z: Array = logit(np.clip(mean, least, 1 - least))
        return z

    def check_targets(self, targets: Array) -> None:
        """Labels, or their probabilities, are between zero and one."""
        if (targets < -ROUNDING).any() or (targets > 1 + ROUNDING).any():
            raise ValueError(
                "loss='binary_cross_entropy' is for y, or the X that is reproduced, in [0, 1]. Got values between "
                f"{np.nanmin(targets):.9g} and {np.nanmax(targets):.9g}. Scale them, for example with "
                "sklearn.preprocessing.MinMaxScaler(clip=True), or use another loss."
            )

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

    def of_rows(self, z: Array, targets: Array) -> Array:
        """Half the squared distances."""
        return _double(np.square(z.astype(np.float64) - targets) / 2)

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

    def of_rows(self, z: Array, targets: Array) -> Array:
        """Parabolas up to delta, straight lines beyond."""
        apart = np.abs(z.astype(np.float64) - targets)
        clipped = np.minimum(apart, self.delta)
        return _double(clipped * (apart - clipped / 2))

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
    absent: ClassVar[float] = FAR

    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        limit = kernels.LIMIT_SINGLE if z.dtype == np.float32 else kernels.LIMIT_DOUBLE
        return kernels.poisson(z, targets, weights, limit)  # type: ignore[no-any-return]

    def of_rows(self, z: Array, targets: Array) -> Array:
        """sum_c [exp(z_c) - t_c - t_c z_c + t_c log t_c]."""
        z, t = z.astype(np.float64), targets.astype(np.float64)
        with np.errstate(over="ignore"):
            return _double(np.exp(z) - t - t * z + xlogy(t, t))

    def linear(self, mean: Array, least: float = 0.0) -> Array:
        """Logarithms."""
        z: Array = np.log(np.maximum(mean, max(least, np.finfo(mean.dtype).tiny)))
        return z

    def output(self, z: Array) -> Array:
        """The means."""
        with np.errstate(over="ignore"):
            return np.exp(z, out=z)

    def counts(self, n_outputs: int) -> Array:
        """All of them."""
        return np.ones(n_outputs, bool)

    def check_targets(self, targets: Array) -> None:
        """Counts are not negative."""
        if (targets < 0).any():
            raise ValueError(
                "loss='poisson' is for y, or the X that is reproduced, of at least 0. Got "
                f"{np.nanmin(targets):g}. Use another loss."
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
