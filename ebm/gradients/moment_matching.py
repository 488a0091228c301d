"""The maximum of the likelihood of a fully visible machine, exactly, from means and correlations.

The mean log-likelihood of spins with the averages <s> and <ss'> is concave in the parameters theta = (J_ij, b_i),

    L = sum_{i<j} J_ij <s_i s_j> + sum_i b_i <s_i> - log Z - l2 sum_{i<j} J_ij^2 / 2,

and at its maximum the model has these averages. Newton's method finds it in a few steps: the second derivatives of
log Z are the model's covariances of products of up to four spins. All of these, and the energies of all states, are
sums of 2^n numbers with the signs s_A = prod_{i in A} s_i, that is, Walsh-Hadamard transforms

    y(A) = sum_s x(s) s_A,        E of all states from theta,        <s_A> from the probabilities,

and a transform is two products with Hadamard matrices: a step takes about 0.3 s for 20 spins.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import hadamard

from ebm._arrays import float_type
from ebm._checks import Array, check_integer, check_real
from ebm.energies.conversions import from_spins, moments_of_spins, row_moments, to_spins
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import PairwiseMoments
from ebm.gradients.inverse_ising import (
    Direct,
    Solution,
    Tell,
    check_fully_visible,
    joined_pairs,
    symmetric,
)
from ebm.optimizers.lbfgs import Progress

MAX_UNITS = 20
# Halvings of a step before it is taken for rounding.
MAX_HALVINGS = 40
# A rise of L that is this small, relative to it, may be rounding.
ROUNDING = 1e-13


@dataclass(frozen=True, repr=False)
class MaximumLikelihood(Direct):
    """The maximum of the likelihood of a fully visible machine of up to 20 units, exactly.

    Parameters
    ----------
    l2 : float, default=0.0
        Penalty on half the squares of the couplings between spins -1 and +1, which are a quarter of those between units
        {0, 1}.
    max_iter : int, default=100
        Largest number of Newton's steps.
    tol : float, default=1e-10
        The search ends where the model's means and correlations differ from the data's by no more.

    Notes
    -----
    The likelihood has no maximum if, for instance, two units that are connected are never both on in the data. Then
    some parameters go to infinity; where the search ended they are large, and the solution's message says so.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.energies.pairwise import Pairwise
    >>> from ebm.gradients import MaximumLikelihood
    >>> from ebm.units import Spin
    >>> X = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    >>> found = MaximumLikelihood().solve(Pairwise(Spin()), X, np.array([3.0, 3.0, 1.0, 1.0]))
    >>> float(np.tanh(found.params.J[0, 1]))  # the correlation is 1/2
    0.5
    """

    l2: float = 0.0
    max_iter: int = 100
    tol: float = 1e-10

    def __post_init__(self) -> None:
        check_real(self.l2, "l2", 0.0)
        check_integer(self.max_iter, "max_iter")
        check_real(self.tol, "tol", 0.0, open_low=True)

    def search(
        self,
        model: Pairwise,
        X: Any,
        weights: Array,
        *,
        start: PairwiseParameters | None,
        tell: Tell | None,
    ) -> Solution:
        """Newton's method from `start` (:meth:`Direct.solve`)."""
        moments = row_moments(X, weights)
        found = match_moments(model, *moments, settings=self, start=start, tell=tell)
        dtype = float_type(X)
        return found._replace(params=PairwiseParameters(*(x.astype(dtype) for x in found.params)))


DEFAULT = MaximumLikelihood()


def match_moments(
    model: Pairwise,
    mean: Array,
    correlations: Array,
    *,
    settings: MaximumLikelihood = DEFAULT,
    start: PairwiseParameters | None = None,
    tell: Tell | None = None,
) -> Solution:
    """The parameters at which the model has the given means and correlations.

    Parameters
    ----------
    model : Pairwise
        Without hidden units, of at most 20 units. Only the correlations of connected pairs are matched.
    mean : ndarray of shape (n_units,)
        <s>, of the states that the units have.
    correlations : ndarray of shape (n_units, n_units)
        <ss'>, from which the product of the means is not taken off. The diagonal is not read.
    settings : MaximumLikelihood
    start, tell : optional
        As for :meth:`Direct.solve`.

    Returns
    -------
    Solution
        In double precision.

    Raises
    ------
    ValueError
        When there are hidden units, too many units, or a mean or correlation is not that of any distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.energies.pairwise import Pairwise
    >>> from ebm.gradients import match_moments
    >>> from ebm.units import Spin
    >>> found = match_moments(Pairwise(Spin()), np.zeros(2), np.array([[1.0, 0.5], [0.5, 1.0]]))
    >>> float(np.tanh(found.params.J[0, 1]))
    0.5
    """
    check_fully_visible("match_moments", model)
    given = PairwiseMoments(np.asarray(mean, np.float64), np.asarray(correlations, np.float64))
    target = moments_of_spins(model.unit, given)
    family = Family(model, target.mean)
    _check_moments(target, family.pairs)
    first = None if start is None else to_spins(model.unit, start)
    wanted = np.append(target.correlations[family.pairs], target.mean)
    theta, progress, message = _newton(
        family, wanted, family.encode(target.mean, first), settings, tell
    )
    params = PairwiseParameters(
        symmetric(family.n, family.pairs, theta[: -family.n]), theta[-family.n :]
    )
    return Solution(from_spins(model.unit, params), *progress, message)


def _check_moments(target: PairwiseMoments, pairs: tuple[Array, Array]) -> None:
    """Refuse what is not that of any distribution: a pair would be in one of its four states less often than never."""
    i, j = pairs
    m, c = target.mean, target.correlations[i, j]
    least = np.abs(m).max(initial=0) - 1
    if len(c):
        fourfold = np.array([1 + a * m[i] + b * m[j] + a * b * c for a in (-1, 1) for b in (-1, 1)])
        least = max(least, -fourfold.min())
    if not least <= 1e-9:  # also for NaN
        raise ValueError(
            "mean and correlations belong to no distribution: some unit, or pair of units, would have a negative "
            "probability. correlations are the <s_i s_j> themselves, without subtracting the products of the means."
        )


class Family:
    """All spin models with the same connected pairs, as an exponential family: products of spins and their
    parameters.
    """

    def __init__(self, model: Pairwise, mean: Array) -> None:
        self.n = len(mean)
        if self.n > MAX_UNITS:
            raise ValueError(
                f"The exact maximum of the likelihood is for at most {MAX_UNITS} units; there are {self.n}. "
                "MaximumPseudoLikelihood has no such limit."
            )
        self.pairs = joined_pairs(model, np.ones(self.n, bool))
        bits = 1 << np.arange(self.n)
        # A set of spins is a number whose bits say which: pairs first, then single ones.
        self._sets = np.append(bits[self.pairs[0]] | bits[self.pairs[1]], bits)

    def encode(self, mean: Array, start: PairwiseParameters | None) -> Array:
        """The parameters of `start`, or of independent spins near the given means."""
        if start is None:
            return np.append(np.zeros(len(self.pairs[0])), np.arctanh(0.99 * mean))
        return np.append(start.J[self.pairs], start.bias).astype(np.float64)

    def law(self, theta: Array) -> tuple[float, Array]:
        """Log Z, and the probabilities of all states."""
        logs = np.zeros(2**self.n)
        logs[self._sets] = theta
        logs = walsh_hadamard(logs)
        top = logs.max()
        p = np.exp(logs - top)
        total = p.sum()
        return float(top + np.log(total)), p / total

    def moments(self, p: Array) -> tuple[Array, Array]:
        """Averages of the products, and their covariance matrix."""
        averages = walsh_hadamard(p)
        mean = averages[self._sets]
        # The product of the spins in two sets is that of those in one of them only.
        both = averages[self._sets[:, np.newaxis] ^ self._sets]
        return mean, both - np.outer(mean, mean)


def walsh_hadamard(x: Array) -> Array:
    """Y(A) = sum_s x(s) s_A for all sets A of n spins, from and to 2^n numbers; bit i of s is set where s_i = -1."""
    n = len(x).bit_length() - 1
    left, right = (hadamard(2**k, dtype=np.float64) for k in (n // 2, n - n // 2))
    out: Array = (left @ x.reshape(len(left), len(right)) @ right).ravel()
    return out


class Point(NamedTuple):
    """Parameters, the value of L there, and the model's distribution."""

    theta: Array
    value: float
    p: Array


def _newton(
    family: Family, wanted: Array, theta: Array, settings: MaximumLikelihood, tell: Tell | None
) -> tuple[Array, Progress, str]:
    penalty = np.append(np.full(len(wanted) - family.n, settings.l2), np.zeros(family.n))
    point = _point(family, wanted, penalty, theta)
    progress = Progress(0, -point.value, np.inf)
    try:
        for step in range(settings.max_iter + 1):
            mean, curvature = family.moments(point.p)
            slopes = wanted - mean - penalty * point.theta
            flat, direction = _direction(curvature + np.diag(penalty), slopes)
            progress = Progress(step, -point.value, float(np.abs(slopes).max()))
            if step and tell is not None:
                tell(progress)
            if progress.slope <= settings.tol:
                return point.theta, progress, _boundary() if flat <= 10 * settings.tol else ""
            if step == settings.max_iter:
                break
            after = _line_search(family, wanted, penalty, point, direction, slopes)
            if after is None:
                break
            point = after
    except KeyboardInterrupt:
        return point.theta, progress, "interrupted; the parameters of the last step are kept"
    message = (
        f"not converged: after {progress.n_iter} steps a slope of {progress.slope:.3g} is left"
    )
    message = f"{message}, above tol={settings.tol:g}"
    return point.theta, progress, f"{message}; {_boundary()}" if flat <= 1e-6 else message


def _boundary() -> str:
    return (
        "the means and correlations are, within tol, on the boundary of the possible values: only infinite "
        "parameters reach them, and the search ended before. l2 above zero keeps couplings finite, more data may"
    )


def _point(family: Family, wanted: Array, penalty: Array, theta: Array) -> Point:
    log_z, p = family.law(theta)
    return Point(theta, float(wanted @ theta - log_z - 0.5 * penalty @ theta**2), p)


def _direction(curvature: Array, slopes: Array) -> tuple[float, Array]:
    """The smallest curvature, and Newton's direction; along what is flat to rounding, no further than elsewhere."""
    values, vectors = np.linalg.eigh(curvature)
    safe = np.maximum(values, 1e-13 * values[-1])
    return float(values[0]), vectors @ (vectors.T @ slopes / safe)


def _line_search(
    family: Family, wanted: Array, penalty: Array, point: Point, direction: Array, slopes: Array
) -> Point | None:
    """The first of the steps 1, 1/2, 1/4, ... that rises by enough; None where rounding lets none rise."""
    gain, slack = float(direction @ slopes), ROUNDING * (1 + abs(point.value))
    length = min(1.0, 10.0 / float(np.abs(direction).max()))
    for _ in range(MAX_HALVINGS):
        after = _point(family, wanted, penalty, point.theta + length * direction)
        if after.value >= point.value + 1e-4 * length * gain - slack:
            return after
        length /= 2
    return None
