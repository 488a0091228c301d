"""A cost of the layer below it: units are to be active in a given share of the rows (Lee et al. 2008, Ng 2011).

With r_j the mean output of unit j over the rows, between 0 and 1, and the target rho,

    C = strength sum_j KL(rho || r_j) = strength sum_j [rho log(rho / r_j) + (1 - rho) log((1 - rho) / (1 - r_j))],
    dC/dy_ij = w_i strength [(1 - rho) / (1 - r_j) - rho / r_j],

where w_i is the share of row i among the rows. Outputs pass unchanged.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ebm._checks import Array, check_real
from ebm.networks.layer import Context, Cost, Layer


@dataclass(frozen=True, repr=False)
class SparseActivity(Layer):
    """The cost of units that are not active as often as wanted, on top of a layer with outputs between 0 and 1.

    Parameters
    ----------
    target : float in (0, 1), default=0.05
        Mean output that each unit is to have over the rows of a batch, or over all rows where training is by all.
    strength : float >= 0, default=0.1
        Factor on the divergence.

    References
    ----------
    .. [1] Lee, H., Ekanadham, C. and Ng, A. Y. "Sparse deep belief net model for visual area V2." NIPS (2008).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.networks.sparse_activity import SparseActivity
    >>> y, share = np.array([[0.2, 0.9], [0.2, 0.7]]), np.array([0.5, 0.5])
    >>> SparseActivity(target=0.2, strength=1.0).cost((), y, share, None).delta.round(2)
    array([[ 0.  , -1.88],
           [ 0.  , -1.88]])
    """

    keeps_output: ClassVar[bool] = True  # the layer below may need it
    has_cost: ClassVar[bool] = True
    target: float = 0.05
    strength: float = 0.1

    def __post_init__(self) -> None:
        check_real(self.target, "target", 0.0, 1.0, open_low=True, open_high=True)
        check_real(self.strength, "strength")

    def forward(self, params: Any, x: Array, context: Context) -> tuple[Array, None]:
        """The input itself."""
        return x, None

    def backward(self, params: Any, saved: None, delta: Array, gradient: Any, below: bool) -> Array:
        """The derivatives themselves."""
        return delta

    def cost(self, params: Any, y: Array, weights: Array, mean: Array | None) -> Cost:
        """The divergence; infinite or NaN where a mean is not between 0 and 1."""
        rho, strength = self.target, self.strength
        with np.errstate(all="ignore"):  # the result shows values that are not finite
            r = (weights @ y if mean is None else mean).astype(np.float64)
            value = rho * np.log(rho / r) + (1 - rho) * np.log((1 - rho) / (1 - r))
            slope = strength * (rho / r - (1 - rho) / (1 - r))
            delta = weights[:, np.newaxis] * slope.astype(y.dtype)
        return Cost(float(strength * value.sum()), delta)
