"""Estimates of log Z with their errors, and the valid results of a likelihood."""

import math
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array

# By how much rounding alone may put an estimate below the bound: in nats, and in units of log Z.
BOUND_TOLERANCE, ROUNDING = 1e-3, 1e-6
# From a 95 % interval to one of 99.9 %, by Student's distribution with fifteen degrees of freedom.
WIDENED = 1.91


class LogPartition(NamedTuple):
    """The logarithm of a partition function, in nats, with its uncertainty.

    Attributes
    ----------
    value : float
        The estimate, or the exact number.
    standard_error : float
        Of `value`; zero when exact.
    interval : tuple of two floats
        95 % confidence interval by the weights; where a `reverse` estimate was made, it spans the intervals of both,
        and is conservative.
    method : str
        The method of the estimate: "exact" or "ais".
    effective_sample_size : float
        Of the importance weights: as many equal weights would have the same variance. NaN when exact.
    reverse : float
        The estimate of annealing backwards from samples of the model, NaN where none was made. The forward estimate is
        rarely too large and the reverse one rarely too small, so that the two enclose log Z.
    lower_bound : float
        A number that log Z is not below, from the modes of the model (:mod:`ebm.likelihood.modes`); NaN when exact.
    base : str
        The distribution from which the particles were annealed, in words; empty when exact.
    doubt : str
        Why the estimate should not be trusted, and the cure; empty when nothing speaks against it.
    """

    value: float
    standard_error: float
    interval: tuple[float, float]
    method: str
    effective_sample_size: float = math.nan
    reverse: float = math.nan
    lower_bound: float = math.nan
    base: str = ""
    doubt: str = ""

    @property
    def gap(self) -> float:
        """By how much the reverse estimate exceeds the forward one; NaN where there is none."""
        return self.reverse - self.value

    def plus(self, constant: float) -> "LogPartition":
        """The estimate of log Z + `constant`."""
        low, high = self.interval
        return self._replace(
            value=self.value + constant,
            interval=(low + constant, high + constant),
            reverse=self.reverse + constant,
            lower_bound=self.lower_bound + constant,
        )

    def at_least(self, bound: float, cure: str = "") -> "LogPartition":
        """The estimate beside a lower `bound` of log Z, to which it is raised where it is smaller.

        If the bound is beyond the 99.9 % interval, modes are missing: the error is then unknown, and said to be
        infinite. The doubt of the result names the `cure`.
        """
        if not self.value < bound:
            return self._replace(lower_bound=bound)
        width, missing = self.interval[1] - self.value, bound - self.value
        raised = self._replace(value=bound, lower_bound=bound, interval=(bound, bound + width))
        if missing <= WIDENED * width + BOUND_TOLERANCE + ROUNDING * abs(bound):
            return raised
        doubt = (
            f"The estimate of log Z, {self.value:.2f}, is below {bound:.2f}, which log Z cannot be: the particles "
            f"missed modes of the model. The value is this lower bound instead, and its error is unknown. {cure}"
        )
        return raised._replace(
            standard_error=math.inf, interval=(bound, math.inf), doubt=doubt.rstrip()
        )


def overflowing() -> Any:
    """A context in which numbers may overflow without a warning; :func:`ranked` handles the result."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def ranked(values: Array) -> Array:
    """Log-likelihoods `values`, with -inf where numbers overflowed on the way (+inf or NaN).

    A machine whose parameters are beyond all bounds is then never better than one that can be evaluated.
    """
    return np.where(np.isfinite(values), values, -np.inf)


def mean_ranked(values: Array) -> float:
    """The mean of log-likelihoods, of which some may be -inf."""
    with overflowing():
        return float(np.mean(values))


def check_finite(params: Any, named: dict[str, Any]) -> None:
    """ValueError for parameters, NamedTuples in NamedTuples, with NaN or infinite entries; `named` are attributes."""
    if _finite(params):
        return
    guilty = [name for name, x in named.items() if isinstance(x, np.ndarray) and not _finite(x)]
    what = " and ".join(guilty) or "parameters of a layer"
    raise ValueError(
        f"There is no likelihood, for {what} hold NaN or infinite values. Set finite ones, or fit anew."
    )


def _finite(x: Any) -> bool:
    if isinstance(x, tuple | list):
        return all(_finite(part) for part in x)
    if hasattr(x, "indptr"):  # CSR
        return _finite(x.data)
    return not hasattr(x, "dtype") or x.dtype.kind != "f" or bool(np.isfinite(x).all())
