"""Units of the states 0, 1, 2, ...: counts without an upper limit."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import gammaln

from ebm._checks import Array
from ebm._kernels.poisson import PoissonParameters
from ebm.units.counts import Counts

MOST_STATES = 10_000
# Beyond the largest rate by so many standard deviations and events lies less than 1e-18 of a Poisson distribution.
DEVIATIONS, EVENTS = 12.0, 40.0


@dataclass(frozen=True, repr=False)
class Poisson(Counts):
    """Counts 0, 1, 2, ... with the own energy log x! - b x: given the input f, of the Poisson distribution with rate
    exp(b + f).

    The input multiplies the rate, so that weights are small and learning rates, too: about 0.1 divided by the mean
    count. Next to another layer without upper limit a distribution exists only where no weight is positive (Poisson
    units) or where all are zero (Gaussian units). Learning refuses such pairs. Data are counts. Values between whole
    numbers are read as means. Rates above 2^24 are taken for divergence.

    References
    ----------
    .. [1] Welling, M., Rosen-Zvi, M. and Hinton, G. (2004). Exponential family harmoniums with an application to
       information retrieval. Advances in Neural Information Processing Systems 17.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import RBM
    >>> X = np.array([[0, 3, 1], [2, 0, 0], [1, 4, 0], [3, 0, 1]])
    >>> rbm = RBM(2, visible="poisson", learning_rate=0.01, n_iter=5, random_state=0).fit(X)
    >>> rbm.sample(5, random_state=0).shape
    (5, 3)
    """

    parameters: ClassVar[Any] = PoissonParameters
    bounded: ClassVar[bool] = False
    one_sided: ClassVar[bool] = True
    pace: ClassVar[float] = 0.1  # the variance of a count grows without bounds

    @property
    def allowed(self) -> str:
        """The states, in words."""
        return "counts 0, 1, 2, ..."

    def log_choices(self, params: PoissonParameters, x: Array) -> Array:
        """-log x!."""
        logs: Array = -gammaln(x + 1)
        return logs

    def losses(self, n_units: int) -> list[tuple[str, int]]:
        """One for all units."""
        return [("poisson", n_units)]

    def initial(self, mean: Array, variance: Array, count: float) -> PoissonParameters:
        """Logarithm of the mean, with half an event added to the observations (Jeffreys' prior): always finite."""
        bias = np.log(np.maximum(mean, 0) + 0.5 / count)
        return PoissonParameters(bias.astype(mean.dtype))

    def nodes(
        self, params: PoissonParameters, low: Array, high: Array
    ) -> list[tuple[Array, Array]]:
        """Counts up to one beyond which the rest is negligible for the largest input, and with it for all others."""
        rates = np.exp(params.bias.astype(np.float64) + high)
        tops = rates + DEVIATIONS * np.sqrt(rates) + EVENTS
        if not tops.max() <= MOST_STATES:
            raise ValueError(
                f"The pseudo-likelihood sums over all counts that are possible: up to {tops.max():.3g}, and "
                f"at most {MOST_STATES} are summed. Use log_likelihood instead."
            )
        counts = [np.arange(np.floor(top) + 1) for top in tops]
        return [(states, np.zeros(len(states))) for states in counts]

    def least_variance(self, params: PoissonParameters, mean: Array) -> Array:
        """The mean: the variance of one Poisson distribution, which that of a mixture exceeds."""
        return mean

    def span(self, params: PoissonParameters) -> tuple[Array, Array]:
        """Zero, and three standard deviations and three events above the rate without input."""
        rate = np.exp(np.minimum(params.bias, 12.0))
        return np.zeros_like(rate), np.ceil(rate + 3 * np.sqrt(rate) + 3)
