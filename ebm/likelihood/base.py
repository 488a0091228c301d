"""What an estimate of log Z says of itself."""

import math
from typing import NamedTuple


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
        What gave it: "exact" or "ais".
    effective_sample_size : float
        Of the importance weights: as many equal weights would have the same variance. NaN when exact.
    reverse : float
        The estimate of annealing backwards from samples of the model, NaN where none was made. The forward estimate is
        rarely too large and the reverse one rarely too small, so that the two enclose log Z.
    """

    value: float
    standard_error: float
    interval: tuple[float, float]
    method: str
    effective_sample_size: float = math.nan
    reverse: float = math.nan

    @property
    def gap(self) -> float:
        """By how much the reverse estimate exceeds the forward one; NaN where there is none."""
        return self.reverse - self.value
