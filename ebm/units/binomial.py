"""Units of the states 0, 1, ..., n: counts of n trials."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import gammaln

from ebm._checks import Array, check_integer
from ebm._kernels.binomial import BinomialLayer, BinomialParameters
from ebm._values import States
from ebm.units.counts import Counts


@dataclass(frozen=True, repr=False)
class Binomial(Counts):
    """Counts 0, ..., n of n trials, with the own energy -log (n choose x) - b x.

    Given the input f, of the binomial distribution of n trials with the probability sigmoid(b + f): the sum of n
    Bernoulli units with the same bias and the same weights (Teh & Hinton 2001). Data are counts. Values between whole
    numbers are read as means.

    Parameters
    ----------
    n : int, default=2
        Trials. Two are those of genotypes: copies of an allele.

    References
    ----------
    .. [1] Teh, Y. W. and Hinton, G. (2001). Rate-coded restricted Boltzmann machines for face recognition. Advances in
       Neural Information Processing Systems 13.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import RBM
    >>> from ebm.units import Binomial
    >>> X = np.array([[0, 3, 1], [2, 0, 0], [1, 4, 0], [3, 0, 1]])
    >>> rbm = RBM(2, visible=Binomial(4), learning_rate=0.01, n_iter=5, random_state=0).fit(X)
    >>> rbm.sample(5, random_state=0).shape
    (5, 3)
    """

    parameters: ClassVar[Any] = BinomialParameters
    n: int = 2

    def __post_init__(self) -> None:
        check_integer(self.n, "n")

    @property
    def pace(self) -> float:  # type: ignore[override]
        """The pace of sums of n bits."""
        return 1 / self.n**2

    @property
    def states(self) -> States | None:  # type: ignore[override]
        """0, 1, ..., n."""
        return tuple(float(x) for x in range(self.n + 1))

    @property
    def allowed(self) -> str:
        """The states, in words."""
        return f"counts 0 to {self.n}"

    def compiled(self, params: BinomialParameters) -> BinomialLayer:
        """The biases and the number of trials."""
        return BinomialLayer(params.bias, float(self.n))

    def log_choices(self, params: BinomialParameters, x: Array) -> Array:
        """Log (n choose x)."""
        logs: Array = gammaln(self.n + 1) - gammaln(x + 1) - gammaln(self.n - x + 1)
        return logs

    def initial(self, mean: Array, variance: Array, count: float) -> BinomialParameters:
        """Log-odds of the mean, with half an observation of either added to the trials (Jeffreys' prior)."""
        highs = np.clip(mean, 0, self.n) * count
        odds = np.log((highs + 0.5) / (self.n * count - highs + 0.5))
        return BinomialParameters(odds.astype(mean.dtype))

    def least_variance(self, params: BinomialParameters, mean: Array) -> Array:
        """The variance of one binomial distribution with the mean, which that of a mixture exceeds."""
        variance: Array = mean * (self.n - mean) / self.n
        return variance
