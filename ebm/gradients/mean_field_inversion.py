"""Couplings from the inverse of the covariance matrix: mean field, read backwards.

The Gibbs free energy of spins at given means m, expanded in the couplings (Plefka 1982),

    Gamma(m) = -S(m) - b'm - 1/2 sum_ij J_ij m_i m_j - 1/4 sum_ij J_ij^2 (1 - m_i^2) (1 - m_j^2) - ...,

has the inverse of the covariance matrix C for its second derivatives: for i and j not the same,

    (C^-1)_ij = -J_ij                        to order 1: naive mean field (Kappen & Rodriguez 1998)
    (C^-1)_ij = -J_ij - 2 m_i m_j J_ij^2     to order 2: Thouless, Anderson & Palmer (Tanaka 1998; Roudi et al. 2009)

Its first derivatives vanish, which gives the biases:

    b_i = atanh m_i - sum_j J_ij m_j                              to order 1,
          ... + m_i sum_j J_ij^2 (1 - m_j^2)                      to order 2.

With couplings of the size g, the errors are of order g^2 to order 1 and of order g^3 to order 2. (Where all means are
zero both are the same, and of order g^3.) Good for weak couplings and many units, and as a start for better methods.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebm._checks import Array, check_real, integer_of, shown
from ebm.energies.conversions import moments_of_spins, row_moments
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import PairwiseMoments
from ebm.gradients.inverse_ising import (
    Direct,
    Solution,
    Tell,
    finished,
)
from ebm.optimizers.lbfgs import Progress

ORDERS = (1, 2)
# The means of units that change are no nearer than this to a state.
STILL = 1e-12


@dataclass(frozen=True, repr=False)
class MeanFieldInversion(Direct):
    """The inverse Ising problem solved in mean field, by one inversion of the covariance matrix.

    Parameters
    ----------
    order : {1, 2}, default=2
        1: naive mean field. 2: the equations of Thouless, Anderson and Palmer.
    pseudocount : float, default=1.0
        Rows of fair and independent units that are added to the data. Without any, units that never change, units that
        are copies of each other, and fewer rows than units leave the covariance matrix without an inverse.

    Notes
    -----
    To order 2 the coupling of a pair solves a quadratic equation; of its two roots, this is the one that goes to zero
    with the covariance. Strong correlations of units far from balance leave it without a real root. Then the number at
    which the two sides of the equation come closest is taken, and the solution's message says for how many pairs.

    Pairs that are not in the mask are set to zero after the inversion. In units {0, 1} the same distribution is found.

    References
    ----------
    .. [1] Kappen, H. J. and Rodriguez, F. B. (1998). Efficient learning in Boltzmann machines using linear response
       theory. Neural Computation 10, 1137-1156.
    .. [2] Tanaka, T. (1998). Mean-field theory of Boltzmann machine learning. Physical Review E 58, 2302-2310.
    .. [3] Roudi, Y., Tyrcha, J. and Hertz, J. (2009). Ising model for neural data: model quality and approximate
       methods for extracting functional connectivity. Physical Review E 79, 051915.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.energies.pairwise import Pairwise
    >>> from ebm.gradients import MeanFieldInversion
    >>> from ebm.units import Spin
    >>> X = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    >>> bool(MeanFieldInversion().solve(Pairwise(Spin()), X).params.J[0, 1] > 0)
    True
    """

    order: int = 2
    pseudocount: float = 1.0

    def __post_init__(self) -> None:
        if integer_of(self.order) not in ORDERS:
            raise ValueError(f"order must be 1 or 2. Got {shown(self.order)} instead.")
        check_real(self.pseudocount, "pseudocount", 0.0)

    def search(
        self,
        model: Pairwise,
        X: Any,
        weights: Array,
        *,
        start: PairwiseParameters | None,
        tell: Tell | None,
    ) -> Solution:
        """In closed form: `start` and `tell` are ignored (:meth:`Direct.solve`)."""
        moments = moments_of_spins(model.unit, row_moments(X, weights))
        mean, covariance = _with_fair_rows(
            moments, self.pseudocount / (float(weights.sum()) + self.pseudocount)
        )
        J, n_missed = _couplings(mean, _inverse(covariance), self.order)
        model.joined(J)
        bias = np.arctanh(mean) - J @ mean
        if self.order == 2:
            bias += mean * (J**2 @ (1 - mean**2))
        return finished(model, J, bias, X, Progress(0, np.nan, 0.0), _message(n_missed))


def _with_fair_rows(moments: PairwiseMoments, share: float) -> tuple[Array, Array]:
    """Mean and covariance of spins, of which the given share is replaced by fair, independent ones."""
    mean, covariance = np.clip(moments.mean, STILL - 1, 1 - STILL), moments.covariance
    # Values between the states are read as means of two-state units, whose variance this is.
    variance = np.maximum(covariance.diagonal(), 1 - mean**2)
    np.fill_diagonal(covariance, variance)
    covariance = (1 - share) * (covariance + share * np.outer(mean, mean))
    return (1 - share) * mean, covariance + share * np.eye(len(mean))


def _inverse(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    if values[0] <= len(values) * np.finfo(np.float64).eps * values[-1]:
        raise ValueError(
            "The covariance matrix has no inverse: some units never change, follow from each other, or are more than "
            "there are rows. A pseudocount above zero helps."
        )
    inverse: Array = (vectors / values) @ vectors.T
    return (inverse + inverse.T) / 2


def _couplings(mean: Array, inverse: Array, order: int) -> tuple[Array, int]:
    """The couplings, and for how many pairs there is no solution."""
    J = -inverse
    n_missed = 0
    if order == 2:
        a = 2 * np.outer(mean, mean)  # a J^2 + J + inverse = 0
        root = 1 - 4 * a * inverse
        missed = root < 0
        np.fill_diagonal(missed, False)
        J = -2 * inverse / (1 + np.sqrt(np.maximum(root, 0)))
        J[missed] = -1 / (2 * a[missed])
        n_missed = int(np.count_nonzero(missed)) // 2
    np.fill_diagonal(J, 0)
    return J, n_missed


def _message(n_missed: int) -> str:
    if not n_missed:
        return ""
    return (
        f"the equations of order 2 have no real solution for {n_missed} pair{'s' * (n_missed > 1)} of units, whose "
        "couplings are the nearest to one: they are too strong for a mean field. MaximumPseudoLikelihood needs none"
    )
