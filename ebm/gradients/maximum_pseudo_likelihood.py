"""Couplings from the pseudo-likelihood: every unit regressed on all others, with symmetric couplings.

Given all others, a spin s_i with the field f_i = b_i + sum_j J_ij s_j has the distribution 1 / (1 + exp(-2 s_i f_i)): a
logistic regression. The mean pseudo-log-likelihood of the data (Besag 1975), less penalties on the couplings,

    - sum_rows weight sum_i log(1 + exp(-2 s_i f_i)) - sum_{i<j} [l1 abs(J_ij) + l2 J_ij^2 / 2],

is concave, needs no partition function, and with J_ij = J_ji all regressions are one problem (Aurell & Ekeberg 2012).
For data of the model's family its maximum converges to the true couplings, with an error like the inverse square root
of the number of rows. With l1 the graph is found (Ravikumar, Wainwright & Lafferty 2010).

    per evaluation, over blocks of rows:    f = (s - m) J + b    one product
                                            g = d/df             one pass over rows x units
                                            dJ = (s - m)'g       one product; plus its transpose

The search is that of L-BFGS (:mod:`ebm.optimizers.lbfgs`). Its variables are J_ij sd_i sd_j and the fields at the mean
m of the data, times sd_i. The curvature is then about the same for all of them, whatever the states are called and
however rarely units change. The weights add up to one, so that l1 and l2 do not depend on the number of rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from ebm._checks import Array, check_integer, check_real, listed
from ebm._kernels.conditionals import flip_losses
from ebm.energies.conversions import double_blocks, to_spins
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.gradients.inverse_ising import (
    Direct,
    Solution,
    Tell,
    finished,
    joined_pairs,
    symmetric,
)
from ebm.optimizers.lbfgs import lbfgs
from ebm.units import TwoState

# Where a search has passed when its slopes first were as small as this is remembered.
LEVELS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
# A curvature this small is taken for none, whatever the tolerance. In 300 spin glasses of 5 to 16 spins, at beta = 0.5
# to 3 and with 30 to 100 000 rows, those without a finite maximum had at most 8e-7 at the default tolerance and the
# others at least 9e-5.
FLAT = 1e-6


@dataclass(frozen=True, repr=False)
class MaximumPseudoLikelihood(Direct):
    """The maximum of the pseudo-likelihood of a fully visible machine, a concave problem.

    Parameters
    ----------
    l1 : float, default=0.0
        Penalty on the absolute values of the couplings between spins -1 and +1, which are a quarter of those between
        units {0, 1}. Makes many of them exactly zero. Biases are not penalised.
    l2 : float, default=0.0
        Penalty on half the squares of the same.
    max_iter : int, default=500
        Largest number of iterations.
    tol : float, default=1e-6
        The search ends where no slope is larger. Slopes are by J_ij sd_i sd_j and by the field at the mean times sd_i,
        with the standard deviations sd of spins.

    Notes
    -----
    Units whose values, which may be means, are all nearer to the same state have no finite best bias. They are taken to
    be independent of all others, with half a row of either state added; the solution's message names them. Where the
    others predict a unit without error, on some rows at least, the best couplings are infinite unless there is a
    penalty. The couplings found are then large, and the message of the solution names such units.

    Rows that are equal are counted, not repeated, if all hold nothing but the two states: the cost is that of the
    different rows. Values between the states are compared with their mirror images, as by ``score_samples``.

    References
    ----------
    .. [1] Besag, J. (1975). Statistical analysis of non-lattice data. The Statistician 24, 179-195.
    .. [2] Ravikumar, P., Wainwright, M. J. and Lafferty, J. D. (2010). High-dimensional Ising model selection using
       l1-regularized logistic regression. Annals of Statistics 38, 1287-1319.
    .. [3] Aurell, E. and Ekeberg, M. (2012). Inverse Ising inference using all the data. Physical Review Letters 108,
       090201.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.energies.pairwise import Pairwise
    >>> from ebm.gradients import MaximumPseudoLikelihood
    >>> from ebm.units import Bernoulli
    >>> X = np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> often = np.array([4.0, 4.0, 1.0, 1.0])  # the odds of being equal are 4
    >>> found = MaximumPseudoLikelihood().solve(Pairwise(Bernoulli()), X, often)
    >>> float(found.params.J[0, 1] / np.log(4))
    2.000000
    """

    l1: float = 0.0
    l2: float = 0.0
    max_iter: int = 500
    tol: float = 1e-6

    def __post_init__(self) -> None:
        check_real(self.l1, "l1", 0.0)
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
        """Search from `start` (:meth:`Direct.solve`)."""
        problem = Problem(self, model, SpinRows(model.unit, X, weights))
        l1 = self.l1 * problem.scale[: problem.n_pairs] if self.l1 else None
        found = lbfgs(
            problem.cost,
            problem.encode(model.unit, start),
            l1=l1,
            max_iter=self.max_iter,
            tol=self.tol,
            tell=tell,
        )
        J, bias = problem.decode(found.theta)
        message = found.message or problem.message(found.theta)
        text = "; ".join(filter(None, [message, problem.one_sided_message()]))
        return finished(model, J, bias, X, found.progress, text)


class SpinRows:
    """The data as spins, handed out in blocks; equal rows once, where that is possible.

    Attributes
    ----------
    mean, deviation : ndarray of shape (units,)
        Of the spins; the deviation is one for units that have been on one side only.
    changing : ndarray of bool, shape (units,)
        Units that have been on either side.
    bias_alone : ndarray of shape (units,)
        Biases of independent spins, with half a row of either state added: finite for all units.
    """

    def __init__(self, unit: TwoState, X: Any, weights: Array) -> None:
        low, high = unit.states or ()
        self._scale, self._shift = 2 / (high - low), (high + low) / (high - low)
        self._X, counts = distinct_rows(X, weights, low, high)
        self._weights = counts / counts.sum()
        self.mean, squares = np.zeros(X.shape[1]), np.zeros(X.shape[1])
        ups, downs = np.zeros((2, X.shape[1]), bool)
        for s, w in self.blocks():
            self.mean += w @ s
            squares += w @ s**2
            ups |= (s[w > 0] > 0).any(axis=0)
            downs |= (s[w > 0] < 0).any(axis=0)
        self.changing = ups & downs
        variance = np.where(self.changing, squares - self.mean**2, 1.0)
        self.deviation = np.sqrt(variance)
        alone = unit.initial((self.mean + self._shift) / self._scale, variance, weights.sum())
        self.bias_alone = alone.bias / self._scale

    def blocks(self) -> Iterator[tuple[Array, Array]]:
        """Spins (rows, units) in double precision, and the weights of the rows, which add up to one over all blocks."""
        for start, block in double_blocks(self._X):
            yield self._scale * block - self._shift, self._weights[start : start + len(block)]


def distinct_rows(X: Any, weights: Array, low: float, high: float) -> tuple[Any, Array]:
    """The different rows of `X` and the sums of their weights; `X` itself where that is no use, or not two-valued."""
    codes = []
    for _, block in double_blocks(X):
        bits = block == high
        if not np.all(bits | (block == low)):
            return X, weights
        codes.append(np.packbits(bits, axis=1))
    packed = np.concatenate(codes)
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    if 2 * len(first) > len(keys):
        return X, weights
    bits = np.unpackbits(packed[first], axis=1, count=X.shape[1])
    return np.where(bits, high, low), np.bincount(number, weights)


class Problem:
    """The cost as a function of one vector: couplings of the connected pairs of units that change, then their
    biases.
    """

    def __init__(self, settings: MaximumPseudoLikelihood, model: Pairwise, rows: SpinRows) -> None:
        self.settings, self.rows = settings, rows
        self.n_units = len(rows.mean)
        self.pairs = joined_pairs(model, rows.changing)
        sd = rows.deviation
        self.scale = np.append(1 / (sd[self.pairs[0]] * sd[self.pairs[1]]), 1 / sd[rows.changing])
        self.n_pairs = len(self.pairs[0])
        self._passed: list[Array | None] = [None for level in LEVELS if level > 3 * settings.tol]

    def encode(self, unit: TwoState, start: PairwiseParameters | None) -> Array:
        """The vector to begin with."""
        rows = self.rows
        if start is None:
            J, bias = np.zeros((self.n_units, self.n_units)), rows.bias_alone
        else:
            given = to_spins(unit, PairwiseParameters(*(x.astype(np.float64) for x in start)))
            J = symmetric(self.n_units, self.pairs, given.J[self.pairs])
            bias = given.bias + J @ rows.mean
        theta: Array = np.append(J[self.pairs], bias[rows.changing]) / self.scale
        return theta

    def fields(self, theta: Array) -> tuple[Array, Array]:
        """The couplings, and the fields at the mean of the data."""
        values = theta * self.scale
        at_mean = self.rows.bias_alone.copy()
        at_mean[self.rows.changing] = values[self.n_pairs :]
        return symmetric(self.n_units, self.pairs, values[: self.n_pairs]), at_mean

    def decode(self, theta: Array) -> tuple[Array, Array]:
        """Couplings and biases of spins."""
        J, at_mean = self.fields(theta)
        return J, at_mean - J @ self.rows.mean

    def cost(self, theta: Array) -> tuple[float, Array]:
        """The cost without the penalty l1, and its slopes."""
        J, at_mean = self.fields(theta)
        loss, dJ, d_bias = 0.0, np.zeros(J.shape), np.zeros(self.n_units)
        for s, w in self.rows.blocks():
            centred = s - self.rows.mean
            f = centred @ J
            f += at_mean
            loss += flip_losses(s, f, w)  # f are slopes now
            dJ += centred.T @ f
            d_bias += f.sum(axis=0)
        slopes: Array = np.append((dJ + dJ.T)[self.pairs], d_bias[self.rows.changing])
        values = J[self.pairs]
        loss += 0.5 * self.settings.l2 * float(values @ values)
        slopes[: self.n_pairs] += self.settings.l2 * values
        slopes *= self.scale
        largest = np.abs(slopes).max(initial=0)
        for k, passed in enumerate(self._passed):
            if passed is None and largest <= LEVELS[k]:
                self._passed[k] = theta.copy()
        return loss, slopes

    def one_sided_message(self) -> str:
        """Names units that have been on one side only: their values are means, and all nearer to the same state."""
        units = np.flatnonzero(~self.rows.changing)
        if not len(units):
            return ""
        return (
            f"the values of {len(units)} unit{'s' * (len(units) > 1)} ({listed(units)}) are all nearer to the same "
            "state: such units have no couplings here. MeanFieldInversion and MaximumLikelihood take values between "
            "the states as means"
        )

    def message(self, theta: Array) -> str:
        """Names units whose fields have no finite best values, when no penalty holds the couplings back.

        Along parameters that go to infinity the cost becomes flat: its slopes and curvatures fall together, like exp(-2
        f). The curvature is therefore measured along the steps that were made after the slopes were small. It is about
        the tolerance or less there, while it does not change at a finite maximum.
        """
        ways = [theta - passed for passed in self._passed if passed is not None]
        ways = [way / np.linalg.norm(way) for way in ways if way.any()]
        if self.settings.l1 or self.settings.l2 or not ways:
            return ""
        curvatures, reach = self._along(theta, ways)
        flattest = int(np.argmin(curvatures))
        if curvatures[flattest] > max(5 * self.settings.tol, FLAT):
            return ""
        units = np.flatnonzero(reach[flattest] > 0.2 * reach[flattest].max())
        some = ", ".join(map(str, units[:5])) + (", ..." if len(units) > 5 else "")
        return (
            f"on some rows the others predict units {some} ({len(units)} in all) without error: the best couplings are "
            "infinite, and these are where the search ended. l2 above zero makes them finite"
        )

    def _along(self, theta: Array, ways: list[Array]) -> tuple[Array, Array]:
        """Curvatures of the cost at `theta` along unit vectors, and how far these move the fields of units at most."""
        J, at_mean = self.fields(theta)
        origin = self.fields(0 * theta)[1]
        steps = [self.fields(way) for way in ways]
        curvatures, reach = np.zeros(len(ways)), np.zeros((len(ways), self.n_units))
        for s, w in self.rows.blocks():
            centred = s - self.rows.mean
            gain = 2 * s * (centred @ J + at_mean)
            curvature = 4 * s**2 * expit(gain) * expit(-gain)
            for k, (J_step, mean_step) in enumerate(steps):
                change = centred @ J_step + (mean_step - origin)
                curvatures[k] += w @ (curvature * change**2).sum(axis=1)
                np.maximum(reach[k], np.abs(change).max(axis=0), out=reach[k])
        return curvatures, reach
