"""Columns of several types on one layer of hidden units and some factors: see :mod:`ebm.energies.factors`.

    E(v, h, f) = E(v, h) + f'f / 2 - sum_l s(v_l)' W_l f,

with a sum over the groups of Gaussian columns. Columns that nearly depend on each other linearly vary little around
what the others say. Binary hidden units alone leave each column a variance of its own, given which all columns are
independent, and hide such a dependence. Factors hold it, and leave the hidden units to what is not linear.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ebm._checks import Array
from ebm.energies.base import ChainState
from ebm.energies.columns import ColumnModel
from ebm.energies.factors import Factors, Spikes, count_factors, factor_analysis
from ebm.energies.layer_graph import EVEN
from ebm.energies.layers import LayeredParameters
from ebm.energies.thresholds import SCALED_DEVIATION, Apart, measure, rows_apart
from ebm.units import Bounds, Unit

# By how much hidden units at the start may add to the precision of the Gaussian columns, beside what these and the
# factors have by themselves. Learning beside factors takes small steps, and comes back late from a start far away.
MOST_ADDED = 1.0


class FactoredModel(ColumnModel):
    """Visible layers of several types, one hidden layer, and factors of the Gaussian columns.

    In the matrix of all weights the factors follow the hidden units, with zeros for columns that are not Gaussian.

    Parameters
    ----------
    groups, hidden, n_hidden
        As for :class:`ebm.energies.columns.ColumnModel`.
    n_factors : int
        Gaussian hidden units of variance one beside the others.

    Raises
    ------
    ValueError
        If no group is Gaussian, a Gaussian one has given variances, or there are more factors than Gaussian columns.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm._random import stream
    >>> from ebm.energies.base import DataSummary
    >>> from ebm.energies.factored import FactoredModel
    >>> from ebm.units import Bernoulli, Gaussian
    >>> model = FactoredModel([(Bernoulli(), 2), (Gaussian(), 3)], Bernoulli(), 4, n_factors=1)
    >>> data = DataSummary(np.array([0.5, 0.5, 20, 0, 0]), np.array([1, 1, 9.0, 1, 1]), 10)
    >>> params = model.initial(data, 4, stream(0, "init"))
    >>> model.arrays(params)["weights"].shape
    (5, 5)
    """

    steps_are_joint: ClassVar[bool] = True

    def __init__(
        self, groups: Sequence[tuple[Unit, int]], hidden: Unit, n_hidden: int, n_factors: int
    ) -> None:
        if not learns_variances(groups):
            raise ValueError(
                f"n_factors={n_factors} takes Gaussian columns, whose variances are learned. Got {list(groups)}."
            )
        n_real = count_real(groups)
        if n_factors > n_real:
            raise ValueError(
                f"n_factors={n_factors} are more than the {n_real} Gaussian columns, of which the factors are."
            )
        super().__init__(groups, hidden, n_hidden, n_factors=n_factors)

    @property
    def _real(self) -> list[int]:
        """The numbers of the layers that factors are connected to."""
        return [k for k in self.shown if self.layers[k].unit.is_normal]

    def factors(self, params: LayeredParameters) -> Factors:
        """The variances of the Gaussian columns and their weights of the factors, in double precision."""
        z = np.concatenate([params.layers[k].log_variance for k in self._real])
        W = np.concatenate(params.weights[len(self.shown) :])
        return Factors(np.exp(z.astype(np.float64)), W.astype(np.float64))

    def _joined(self, arrays: Sequence[Array]) -> Array:
        """Those of the layers of Gaussian columns, of arrays of all visible layers."""
        return np.concatenate([arrays[k] for k in self._real])

    def _parts(self, x: Array) -> list[Array]:
        """The rows of `x` that belong to each layer of Gaussian columns."""
        ends = np.cumsum([self.layers[k].size for k in self._real])[:-1]
        return np.split(x, ends)

    def with_factors(
        self, params: LayeredParameters, factors: Factors, mean: Array
    ) -> LayeredParameters:
        """Parameters with these, and factors that are zero on average where the Gaussian columns have their `mean`."""
        layers, weights, dtype = list(params.layers), list(params.weights), self.dtype(params)
        psi, W = (self._parts(x.astype(dtype)) for x in (np.log(factors.psi), factors.W))
        for number, (k, z, w) in enumerate(zip(self._real, psi, W, strict=True), len(self.shown)):
            layers[k], weights[number] = layers[k]._replace(log_variance=z), w
        layers[-1] = layers[-1]._replace(bias=(-mean @ factors.U).astype(dtype))
        return LayeredParameters(tuple(weights), tuple(layers))

    # Start

    @property
    def starts_at_covariance(self) -> bool:
        """Factors do."""
        return True

    def with_covariance(
        self, params: LayeredParameters, covariance: Array, count: float
    ) -> LayeredParameters:
        """Factors and variances of factor analysis, see :func:`ebm.energies.factors.factor_analysis`."""
        columns = self._joined_columns(np.arange(len(covariance)))
        S = covariance[np.ix_(columns, columns)]
        found = factor_analysis(S, count, self.layers[-1].size).factors()
        return self.with_factors(params, found, self._joined([x.bias for x in params.layers]))

    @property
    def _columns(self) -> list[slice]:
        """Columns of a row of each layer of Gaussian columns."""
        slices = dict(zip(self.shown, self.visible.slices, strict=True))
        return [slices[k] for k in self._real]

    def with_examples(self, params: LayeredParameters, examples: Array) -> LayeredParameters:
        """As without factors; the directions of the hidden units are made for columns that depend on each other.

        Beside hidden units, which add to the precision of the columns, the factors are weaker.
        """
        mean, before = self._joined([x.bias for x in params.layers]), self.factors(params)
        params = super().with_examples(params, examples)
        added = float(np.mean(before.psi / self.factors(params).psi)) - 1
        return self.with_factors(params, Spikes.of(before).beside(added), mean)

    def _apart(self, params: LayeredParameters, rows: dict[int, Array], told: list[int]) -> Apart:
        known = self.factors(params)
        root = Spikes.of(known).half_whitening()
        X = np.hstack([rows[k] for k in self._real]).astype(np.float64) @ root
        white = dict(zip(self._real, self._parts(X.T), strict=True))
        units = [
            np.full(len(white[k]), 1 / SCALED_DEVIATION)
            if k in white
            else measure(self.layers[k].unit, params.layers[k], rows[k])
            for k in told
        ]
        apart = rows_apart(
            np.concatenate([params.weights[k] for k in told]),
            np.hstack([white[k].T if k in white else rows[k] for k in told]),
            np.concatenate(units),
            np.concatenate([self._largest_precision(k, rows[k]) for k in told]),
        )
        sizes = [self.layers[k].size for k in told]
        real = np.repeat([k in white for k in told], sizes)
        U, precision = apart.U.copy(), apart.precision.copy()
        U[real] = root @ U[real]
        precision[real] = precision[real].mean() / known.psi
        return apart._replace(U=U, precision=precision)

    def _largest_precision(self, k: int, rows: Array) -> Array:
        """As without factors; of Gaussian columns after half-whitening."""
        if k in self._real:
            return np.full(rows.shape[1], MOST_ADDED)
        return super()._largest_precision(k, rows)

    # Learning

    def rescale(
        self,
        params: LayeredParameters,
        gradient: LayeredParameters,
        chains: ChainState,
        variance: Array | None = None,
        rate: float | None = None,
    ) -> None:
        """Steps of the means and of factor analysis, for centered states: see :mod:`ebm.energies.factors`."""
        real, n, before = self._real, len(self.shown), self.factors(params)
        by_W = np.concatenate(gradient.weights[n:]).astype(np.float64)
        # By log psi at fixed W and at fixed U differ.
        coupled = (before.W * by_W).sum(axis=1) + self._joined(
            [(W * g).sum(axis=1) for W, g in zip(params.weights, gradient.weights, strict=True)][:n]
        )
        slopes = coupled + np.concatenate([gradient.layers[k].log_variance for k in real])
        for k, x in zip(real, self._parts(coupled), strict=True):
            gradient.layers[k].log_variance[:] = -x
        super().rescale(params, gradient, chains, variance, rate)
        after = before
        if rate:
            spread = before.psi if variance is None else self._joined_columns(variance)
            after = before.moved(by_W, slopes, spread, rate)
        self._take_steps(params, gradient, chains, (before, after), rate or 1.0)

    def _joined_columns(self, x: Array) -> Array:
        """Of the Gaussian columns, of numbers (n_visible,) for each column."""
        return np.concatenate([x[some] for some in self._columns])

    def _take_steps(
        self,
        params: LayeredParameters,
        gradient: LayeredParameters,
        chains: ChainState,
        factors: tuple[Factors, Factors],
        rate: float,
    ) -> None:
        """The steps of the Gaussian columns, whose means are to move as `gradient` says, from factors to others."""
        before, after = factors
        n, mu, lam = (
            len(self.shown),
            self._joined_columns(chains.visible_offset),
            chains.hidden_offset,
        )
        of_hidden, of_factors = self.places[n].columns, self.places[n + 1].columns
        pulled = self.inputs(gradient, EVEN, lam[np.newaxis])[0]
        old, W = self._joined(gradient.weights), self._joined(params.weights)
        of_means = self._joined([x.bias for x in gradient.layers]) + self._joined_columns(pulled)
        grown = after.psi / before.psi
        of_W = (grown[:, np.newaxis] * (W + rate * old) - W) / rate
        of_f = (after.W - before.W) / rate
        of_b = before.of_means(of_means) - of_W @ lam[of_hidden] - of_f @ lam[of_factors]
        gradient.layers[n].bias[:] += mu @ (old - of_W)
        gradient.layers[n + 1].bias[:] = -mu @ of_f
        parts = map(self._parts, (of_W, of_f, of_b, np.log(grown) / rate))
        for number, (k, w, f, b, z) in enumerate(zip(self._real, *parts, strict=True), n):
            gradient.weights[k][:], gradient.weights[number][:] = w, f
            gradient.layers[k].bias[:], gradient.layers[k].log_variance[:] = b, z

    def project(self, params: LayeredParameters, bounds: Bounds) -> bool:
        """As for all models; the weights of the factors are kept where a distribution exists."""
        inside = super().project(params, bounds)
        W = self.factors(params).limited() if inside else None
        if W is not None:
            for old, new in zip(params.weights[len(self.shown) :], self._parts(W), strict=True):
                old[:] = new
        return inside


def learns_variances(groups: Sequence[tuple[Unit, int]]) -> bool:
    """Whether there are Gaussian columns, and the variances of all of them are learned."""
    learned = [unit.is_free("log_variance") for unit, _ in groups if unit.is_normal]
    return bool(learned) and all(learned)


def count_real(groups: Sequence[tuple[Unit, int]]) -> int:
    """How many Gaussian columns there are: the largest number of factors."""
    return sum(n for unit, n in groups if unit.is_normal)


def factors_of_rows(
    groups: Sequence[tuple[Unit, int]], rows: Array, weights: Array | None = None
) -> int:
    """How many factors the Gaussian columns of some rows (rows, n_visible) ask for, NaN where an entry is unknown.

    See :func:`ebm.energies.factors.count_factors`.
    """
    if not learns_variances(groups):
        return 0
    real = np.repeat([unit.is_normal for unit, _ in groups], [n for _, n in groups])
    X = rows[:, real]
    there = ~np.isnan(X)
    w = (np.ones(len(X)) if weights is None else weights)[:, np.newaxis]
    counts = there.T.astype(np.float64) @ (w * there)
    if X.shape[1] < 2 or not counts.min():
        return 0
    apart = np.where(there, X - (np.where(there, X, 0) * w).sum(axis=0) / counts.diagonal(), 0)
    return count_factors(apart.T @ (w * apart) / counts, float(counts.min()))
