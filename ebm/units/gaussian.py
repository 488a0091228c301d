"""Units of real states, with a variance each."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ebm._arrays import as_numbers
from ebm._checks import Array, check_real, extent, shown, varies
from ebm._kernels.gaussian import GaussianParameters
from ebm._sparse import blocks, is_sparse
from ebm._values import ROUNDING
from ebm.units.base import Unit

# The smallest and the largest variance that may be given: squares over or times them are finite.
VARIANCES = (1e-100, 1e100)


@dataclass(frozen=True, repr=False)
class Gaussian(Unit):
    """Real units: x | f ~ N(b + f, sigma^2 / beta), parametrised by z = log sigma^2.

    Parameters
    ----------
    variance : {"learned", "unit"} or array-like of shape (units,) or float, default="learned"
        "learned": starts at the data's variances and follows the gradient. "unit": one, fixed. Numbers: given, fixed.
    floor : float, default=1e-3
        Smallest learned variance, as a fraction of the variance that learning starts from. Where a feature can be
        predicted without error the likelihood has no maximum: its variance would go to zero. A variance that grows by
        the inverse of it is taken for divergence.
    """

    parameters: ClassVar[Any] = GaussianParameters
    is_real: ClassVar[bool] = True
    has_scale: ClassVar[bool] = True
    bounded: ClassVar[bool] = False
    activation: ClassVar[str | None] = "identity"
    is_normal: ClassVar[bool] = True
    variance: Any = "learned"
    floor: float = 1e-3

    def __post_init__(self) -> None:
        check_real(self.floor, "floor", 0.0, 1.0, open_low=True)
        word = isinstance(self.variance, str)
        if word and self.variance in ("learned", "unit"):
            return
        given = np.zeros(1) if word else as_numbers(self.variance, "variance")
        low, high = VARIANCES
        if given.ndim > 1 or not np.all((given >= low) & (given <= high)):
            raise ValueError(
                f"variance must be 'learned', 'unit', or positive numbers between {low:g} and {high:g}, one per unit "
                f"or one for all. Got {shown(self.variance)} instead."
            )

    def is_free(self, field: str) -> bool:
        """The log-variance is learned only where asked."""
        return field != "log_variance" or (
            isinstance(self.variance, str) and self.variance == "learned"
        )

    def losses(self, n_units: int) -> list[tuple[str, int]]:
        """One for all units."""
        return [("squared_error", n_units)]

    def initial(self, mean: Array, variance: Array, count: float) -> GaussianParameters:
        """The mean itself, and the variance where it is learned (one for constant features)."""
        z = self.neutral(len(mean), mean.dtype).log_variance
        if self.is_free("log_variance"):
            known = varies(mean, variance, mean.dtype)
            z = np.log(np.where(known, variance, 1)).astype(mean.dtype)
        return GaussianParameters(mean.copy(), z)

    def neutral(self, n_units: int, dtype: Any) -> GaussianParameters:
        """Mean zero; variance one, or as given."""
        z = np.zeros(n_units, dtype)
        if not isinstance(self.variance, str):
            given = np.asarray(self.variance, dtype=np.float64)
            if given.ndim == 1 and len(given) != n_units:
                raise ValueError(
                    f"variance has {len(given)} entries, but the layer has {n_units} units."
                )
            z[:] = np.log(given)
        return GaussianParameters(np.zeros(n_units, dtype), z)

    def restricted(self, units: Array) -> "Gaussian":
        """Given variances are those of the units."""
        given = isinstance(self.variance, str) or np.ndim(self.variance) == 0
        return self if given else replace(self, variance=np.asarray(self.variance)[units])

    def energy(self, params: GaussianParameters, x: Array) -> Array:
        """Sum (x - b)^2 / (2 sigma^2)."""
        if is_sparse(x):  # no zero of x is one here: the sum is over all units anyway
            return np.concatenate([self.energy(params, block) for _, block in blocks(x)])
        precision = np.exp(-params.log_variance.astype(np.float64))
        energy: Array = 0.5 * (x.astype(np.float64) - params.bias) ** 2 @ precision
        return energy

    def tempered(self, params: GaussianParameters, beta: float) -> tuple[GaussianParameters, float]:
        """The variance is divided by beta, and so x / sigma^2 grows by the factor beta."""
        z = params.log_variance - np.log(params.log_variance.dtype.type(beta))
        return GaussianParameters(params.bias, z), beta

    def between(
        self, first: GaussianParameters, last: GaussianParameters, t: float
    ) -> tuple[GaussianParameters, Array, float]:
        """Precisions, and means times precisions, are mixed."""
        p = (1 - t) * np.exp(-first.log_variance.astype(np.float64))
        q = t * np.exp(-last.log_variance.astype(np.float64))
        b = (p * first.bias + q * last.bias) / (p + q)
        squares = p * first.bias.astype(np.float64) ** 2 + q * last.bias.astype(np.float64) ** 2
        constant = 0.5 * float(np.sum(squares - (p + q) * b**2))
        dtype = last.bias.dtype
        ratio = np.exp(-last.log_variance) / (p + q)
        params = GaussianParameters(b.astype(dtype), -np.log(p + q).astype(dtype))
        return params, ratio.astype(dtype), constant

    def scale(self, params: GaussianParameters) -> Array:
        """sigma^2, the inverse Fisher information of the mean."""
        variance: Array = np.exp(params.log_variance)
        return variance

    def narrowed(self, params: GaussianParameters, precision: Array) -> GaussianParameters:
        """1 / sigma^2 + precision, of variances that are learned."""
        if not self.is_free("log_variance"):
            return params
        z = params.log_variance - np.log1p(
            precision * np.exp(params.log_variance.astype(np.float64))
        )
        return params._replace(log_variance=z.astype(params.log_variance.dtype))

    def parameter_derivatives(self, params: GaussianParameters, x: Array) -> dict[str, Array]:
        """By z: (x - b)^2 / (2 sigma^2)."""
        return {"log_variance": (x - params.bias) ** 2 / (2 * np.exp(params.log_variance))}

    def mean_derivatives(self, params: GaussianParameters, inputs: Array) -> dict[str, Array]:
        """By z: (f^2 + sigma^2) / (2 sigma^2)."""
        return {"log_variance": inputs**2 / (2 * np.exp(params.log_variance)) + 0.5}

    def span(self, params: GaussianParameters) -> tuple[float, float]:
        """Two standard deviations on either side."""
        return -2.0, 2.0

    def least_variance(self, params: GaussianParameters, mean: Array) -> Array:
        """The variance given the input."""
        return self.scale(params)

    def statistic_slopes(self, params: GaussianParameters) -> dict[str, Array]:
        """By z: -1, of x exp(-z)."""
        return {"log_variance": -np.ones_like(params.log_variance)}

    def bounds(self, params: GaussianParameters) -> dict[str, tuple[Array, Array]]:
        """The floor on a learned variance, and its inverse as the ceiling."""
        if not self.is_free("log_variance"):
            return {}
        z, span = params.log_variance, params.log_variance.dtype.type(np.log(self.floor))
        return {"log_variance": (z + span, z - span)}

    def invalid(self, x: Array, slack: float = ROUNDING) -> str:
        """Infinities."""
        return "infinite values" if np.isinf(extent(x)).any() else ""
