"""Schedules: the learning rate as a fraction of its initial value, over the epochs of one fit.

With t the epochs gone by (a fraction within an epoch counts) and T the epochs to go in all,

    Constant        1
    Linear          1 - (1 - final) t / T
    Exponential     rate^t
    Inverse         1 / (1 + rate t)
    InverseScaling  1 / (1 + seen + n_rows floor(t))^power
"""

import abc
from dataclasses import dataclass

import numpy as np

from ebm._checks import Settings, check_integer, check_real


class Schedule(Settings, abc.ABC):
    """A choice of schedule (abstract)."""

    @abc.abstractmethod
    def factor(self, epochs_done: float, n_epochs: int) -> float:
        """Learning rate after `epochs_done` of `n_epochs`, as a fraction of the initial one."""


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """The same rate throughout."""

    def factor(self, epochs_done: float, n_epochs: int) -> float:
        """1."""
        return 1.0


@dataclass(frozen=True, repr=False)
class Linear(Schedule):
    """A straight line from 1 down to `final`.

    Parameters
    ----------
    final : float in [0, 1], default=0.0
        Fraction that is reached at the end.
    """

    final: float = 0.0

    def __post_init__(self) -> None:
        check_real(self.final, "final", 0.0, 1.0)

    def factor(self, epochs_done: float, n_epochs: int) -> float:
        """1 - (1 - final) t / T."""
        return 1.0 - (1.0 - self.final) * epochs_done / n_epochs


@dataclass(frozen=True, repr=False)
class Exponential(Schedule):
    """A fixed fraction per epoch.

    Parameters
    ----------
    rate : float in (0, 1], default=0.95
        Factor of the learning rate per epoch.
    """

    rate: float = 0.95

    def __post_init__(self) -> None:
        check_real(self.rate, "rate", 0.0, 1.0, open_low=True)

    def factor(self, epochs_done: float, n_epochs: int) -> float:
        """rate^t."""
        return float(self.rate**epochs_done)


@dataclass(frozen=True, repr=False)
class Inverse(Schedule):
    """Proportional to 1 / (1 + rate t), whose sum diverges while its squares' sum does not (Robbins & Monro 1951).

    Parameters
    ----------
    rate : float >= 0, default=1.0
        Speed per epoch.
    """

    rate: float = 1.0

    def __post_init__(self) -> None:
        check_real(self.rate, "rate", 0.0)

    def factor(self, epochs_done: float, n_epochs: int) -> float:
        """1 / (1 + rate t)."""
        return 1.0 / (1.0 + float(self.rate) * float(epochs_done))


# The largest power of a count of rows: no rate overflows.
STEEPEST = 10.0


@dataclass(frozen=True, repr=False)
class InverseScaling(Schedule):
    """A power of the number of rows seen, changing after each epoch: the "invscaling" of scikit-learn.

    Parameters
    ----------
    n_rows : int
        Rows per epoch.
    power : float, default=0.5
        The power, with which the rate falls.
    seen : int, default=0
        Rows seen before this fit.

    Examples
    --------
    >>> from ebm import InverseScaling, MLPClassifier
    >>> mlp = MLPClassifier(learning_rate=InverseScaling(n_rows=1000, power=0.3))
    """

    n_rows: int
    power: float = 0.5
    seen: int = 0

    def __post_init__(self) -> None:
        check_integer(self.n_rows, "n_rows")
        check_real(self.power, "power", -STEEPEST, STEEPEST)
        check_integer(self.seen, "seen", 0)

    def factor(self, epochs_done: float, n_epochs: int) -> float:
        """1 / (1 + rows seen)^power."""
        return float((1.0 + self.seen + self.n_rows * np.floor(epochs_done)) ** -self.power)


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "linear": Linear,
    "exponential": Exponential,
    "inverse": Inverse,
}
