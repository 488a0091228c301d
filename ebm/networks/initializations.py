"""Laws of the first weights of a layer, chosen so that signals keep their scale on their way through many layers.

=================  =======================================================  ========================
name               standard deviation of W (n_in, n_out), for gain 1        for
=================  =======================================================  ========================
"glorot"           sqrt(2 / (n_in + n_out)), uniform                        tanh, logistic
"glorot_normal"    the same, normal                                         tanh, logistic
"he"               sqrt(2 / n_in), uniform                                  rectifiers
"he_normal"        the same, normal                                         rectifiers
"lecun"            sqrt(1 / n_in), uniform                                  tanh, standardised inputs
"lecun_normal"     the same, normal                                         tanh, standardised inputs
"orthogonal"       W'W = 1 or W W' = 1, whichever is smaller, random        deep networks
=================  =======================================================  ========================

A uniform distribution reaches to +-sqrt(3) standard deviations: "glorot" to sqrt(6 / (n_in + n_out)). The sources are
Glorot & Bengio 2010 (equation 16), He et al. 2015 (equation 10), LeCun et al. 1998 (section 4.6) and Saxe et al. 2014.
Biases begin at zero.
"""

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ebm._checks import Array, Settings, resolve
from ebm._random import Key, normal, uniform


class Initialization(Settings, abc.ABC):
    """One distribution of the first weights (abstract)."""

    @abc.abstractmethod
    def draw(self, key: Key, n_in: int, n_out: int, dtype: Any, gain: float = 1.0) -> Array:
        """New weights (n_in, n_out); `gain` is a factor on them."""


class Scaled(Initialization):
    """Independent weights of mean zero (abstract): uniform, or by the field ``normal`` normal."""

    normal: bool

    @abc.abstractmethod
    def variance(self, n_in: int, n_out: int) -> float:
        """Variance of a weight."""

    def draw(self, key: Key, n_in: int, n_out: int, dtype: Any, gain: float = 1.0) -> Array:
        """Uniform or normal weights."""
        scale = gain * math.sqrt(self.variance(n_in, n_out))
        if self.normal:
            W = normal(key, (n_in, n_out), dtype)
            W *= scale
            return W
        U = uniform(key, n_in * n_out)
        U -= 0.5
        U *= 2 * math.sqrt(3) * scale
        return U.reshape(n_in, n_out).astype(dtype, copy=False)


@dataclass(frozen=True, repr=False)
class Glorot(Scaled):
    """Variance 2 / (n_in + n_out): a compromise between the way forward and the way back.

    Parameters
    ----------
    normal : bool, default=False
        Whether the distribution is normal rather than uniform.
    """

    normal: bool = False

    def variance(self, n_in: int, n_out: int) -> float:
        """2 / (n_in + n_out)."""
        return 2 / (n_in + n_out)


@dataclass(frozen=True, repr=False)
class He(Scaled):
    """Variance 2 / n_in: rectifiers let half the signal's power through.

    Parameters
    ----------
    normal : bool, default=False
        Whether the distribution is normal rather than uniform.
    """

    normal: bool = False

    def variance(self, n_in: int, n_out: int) -> float:
        """2 / n_in."""
        return 2 / n_in


@dataclass(frozen=True, repr=False)
class LeCun(Scaled):
    """Variance 1 / n_in: sums of inputs of variance one have variance one.

    Parameters
    ----------
    normal : bool, default=False
        Whether the distribution is normal rather than uniform.
    """

    normal: bool = False

    def variance(self, n_in: int, n_out: int) -> float:
        """1 / n_in."""
        return 1 / n_in


@dataclass(frozen=True, repr=False)
class Orthogonal(Initialization):
    """Orthonormal columns, or rows where those are fewer; all such matrices are equally likely (Haar's
    distribution).
    """

    def draw(self, key: Key, n_in: int, n_out: int, dtype: Any, gain: float = 1.0) -> Array:
        """Of normal deviates the QR decomposition whose R has a positive diagonal, which makes it unique."""
        long, short = max(n_in, n_out), min(n_in, n_out)
        Q, R = np.linalg.qr(normal(key, (long, short)))
        Q *= gain * np.copysign(1.0, np.diag(R))
        return np.ascontiguousarray(Q if n_in >= n_out else Q.T, dtype)


INITIALIZATIONS: dict[str, Callable[[], Initialization]] = {
    "glorot": Glorot,
    "glorot_normal": partial(Glorot, normal=True),
    "he": He,
    "he_normal": partial(He, normal=True),
    "lecun": LeCun,
    "lecun_normal": partial(LeCun, normal=True),
    "orthogonal": Orthogonal,
}


def initialization_record(value: object) -> Initialization:
    """The initialisation that a name or a record stands for."""
    return resolve(value, INITIALIZATIONS, Initialization, "init")  # type: ignore[type-abstract]
