"""Units that count: their energy has a base measure beside the bias, log x! or minus the logarithm of a binomial."""

import abc
from typing import Any

import numpy as np

from ebm._checks import Array, extent
from ebm._sparse import blocks, is_sparse
from ebm._values import ROUNDING
from ebm.units.base import Linear


class Counts(Linear):
    """Units with the own energy -log C(x) - b x over whole numbers x from zero on (abstract).

    The base measure C is part of the energy: at the inverse temperature beta the distribution is C(x)^beta exp(beta (b
    + f) x). Means, draws and log-normalisers have any beta. Between two distributions of one C there is a third of the
    same C, so that annealing and tempering are exact.
    """

    @abc.abstractmethod
    def log_choices(self, params: Any, x: Array) -> Array:
        """Log C(x): (rows, units) -> (rows, units)."""

    @property
    def largest(self) -> float:
        """The largest state."""
        return self.states[-1] if self.states else np.inf

    def energy(self, params: Any, x: Array) -> Array:
        """-b'x - sum log C(x)."""
        if is_sparse(x):
            return np.concatenate([self.energy(params, block) for _, block in blocks(x)])
        x = x.astype(np.float64)
        energy: Array = super().energy(params, x) - self.log_choices(params, x).sum(axis=1)
        return energy

    def tempered(self, params: Any, beta: float) -> tuple[Any, float]:
        """Refused where beta is not one: C(x)^beta is no base measure of the type."""
        if beta == 1:
            return params, 1.0
        raise ValueError(
            f"beta={beta:g}: at inverse temperatures other than 1 the distribution of {self!r} units is of another "
            f"type, to which there is no annealing. These methods take it: free_energy(X, beta={beta:g}), "
            f"log_partition('exact', beta={beta:g}), and sample(beta={beta:g}) by Gibbs sampling. The log-likelihood "
            "is -beta times the free energy minus log Z."
        )

    def invalid(self, x: Array, slack: float = ROUNDING) -> str:
        """Values outside of the states' range; those between are read as means."""
        least, most = extent(x)
        if least < -slack or most > self.largest + slack or np.isinf([least, most]).any():
            return f"values between {least:g} and {most:g}, but {self!r} units take {self.allowed}"
        return ""

    def impossible(self, x: Array) -> str:
        """Means as well: they are no counts."""
        known = x[~np.isnan(x)]
        reason = self.invalid(x)
        if reason or (known == np.floor(known)).all():
            return reason
        return f"values that are no whole numbers, which {self!r} units count in"

    @property
    @abc.abstractmethod
    def allowed(self) -> str:
        """The states, in words."""
