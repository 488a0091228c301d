"""Rows of which some visible units are unknown (NaN): what is left when these are summed out, exactly.

With the known units K and the unknown ones U, and the hidden units h,

    F(v_K) = -(1/beta) log sum_{v_U, h} exp(-beta E(v_K, v_U, h)),        p(v_K) = exp(-beta F(v_K)) / Z(beta),

sums standing for integrals where units are real. The same sum gives E[v_U | v_K]. Which units are visited one state
after the other, and which are summed out in closed form given these, depends on the model:

- two layers: the hidden units, the unknown visible ones being independent given them; or the unknown visible ones; or
  none, if both layers are Gaussian;
- pairwise models: as :mod:`ebm.energies.summation` finds it cheapest;
- belief networks: the hidden layers below the topmost one.

Rows with the same gaps share what does not depend on the known values.
"""

import abc
from collections.abc import Iterator
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._flat import in_double
from ebm.energies import pairwise_sums
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.couplings import dense_couplings
from ebm.energies.pairwise import Pairwise, PairwiseParameters, in_dense
from ebm.energies.states import state_blocks
from ebm.energies.summation import A_ROW, can_sum, summation
from ebm.units import Gaussian, Unit

# Units whose states are visited one after the other.
MAX_SUMMED = 20
# Unknown units up to which it is found out whether their couplings are sparse enough, for every pattern of gaps.
MOST_EXAMINED = 1000
# Rows that are handled at a time.
ROWS = 256


class Marginal(NamedTuple):
    """Quantities of rows of data after all unknown units have been summed out.

    Attributes
    ----------
    log_weights : ndarray of shape (rows,)
        -beta F(v_K).
    means : ndarray of shape (rows, n_visible)
        The known values, and E[v_U | v_K] of the others.
    """

    log_weights: Array
    means: Array


class Gaps(abc.ABC):
    """Rows with the same unknown units, prepared for exact sums (abstract).

    Attributes
    ----------
    work : float
        Numbers that are evaluated for all rows together; those for each row are `row_work`.
    """

    work: float = 0.0
    row_work: float = 0.0

    @abc.abstractmethod
    def sums(self, rows: Array) -> Marginal:
        """Of `rows` (rows, n_visible), in double precision, with NaN where the unknown units are."""


@singledispatch
def gaps(model: Model, params: Any, unknown: Array, beta: float = 1.0) -> Gaps | None:
    """Exact sums over the `unknown` units, a mask (n_visible,), and the hidden ones; None where they take too long."""
    raise TypeError(f"There are no exact sums of incomplete rows for {model!r}.")


def patterns(rows: Array) -> Iterator[tuple[Array, Array]]:
    """Mask of the unknown units (n_visible,), and numbers of the rows, of all rows with the same gaps."""
    masks, which = np.unique(np.isnan(rows), axis=0, return_inverse=True)
    order = np.argsort(which.reshape(-1), kind="stable")
    ends = np.searchsorted(which.reshape(-1)[order], np.arange(1, len(masks)))
    return zip(masks, np.split(order, ends), strict=True)


class Average:
    """Running log of a sum of weights, and the mean of values under these weights, for some rows."""

    def __init__(self, n_rows: int, n_units: int) -> None:
        self._top = np.full(n_rows, -np.inf)
        self._total = np.zeros(n_rows)
        self._sum = np.zeros((n_rows, n_units))

    def add(self, log_weights: Array, values: Array) -> None:
        """States with `log_weights` (rows, states) and `values` (states, units)."""
        top = np.maximum(self._top, log_weights.max(axis=1))
        old = np.exp(self._top - top)
        weights = np.exp(log_weights - top[:, np.newaxis])
        self._total = old * self._total + weights.sum(axis=1)
        self._sum = old[:, np.newaxis] * self._sum + weights @ values
        self._top = top

    @property
    def log_sum(self) -> Array:
        """(rows,)."""
        value: Array = self._top + np.log(self._total)
        return value

    @property
    def mean(self) -> Array:
        """(rows, units)."""
        mean: Array = self._sum / self._total[:, np.newaxis]
        return mean


def filled(rows: Array, unknown: Array, means: Array) -> Array:
    """The rows with `means` (rows, unknown) in the gaps."""
    out = rows.copy()
    out[:, unknown] = means
    return out


def subset(unit: Unit, layer_params: Any, units: Array) -> tuple[Unit, Any]:
    """The type and the own parameters of some of the units of a layer, a mask (units,)."""
    some = unit.restricted(units)
    return some, some.parameters(*(x[units] for x in layer_params))


# Pairwise models ------------------------------------------------------------------------------------------


class PairwiseGaps(Gaps):
    """Of a pairwise model: hidden units are unknown, too."""

    def __init__(
        self, model: Pairwise, params: PairwiseParameters, unknown: Array, beta: float
    ) -> None:
        params = in_double(in_dense(params))
        n = len(unknown)
        free = np.append(unknown, np.ones(len(params.bias) - n, bool))
        self._unknown, self._beta, self._n_visible = unknown, beta, n
        J = params.J
        self._between = J[np.ix_(np.flatnonzero(~unknown), free)]
        self._bias = params.bias[free]
        known = np.flatnonzero(~unknown)
        self._known = PairwiseParameters(J[np.ix_(known, known)], params.bias[known])
        self._sums = summation(model.unit, J[np.ix_(free, free)], beta, A_ROW, "unknown units")
        self.row_work = self._sums.work

    def sums(self, rows: Array) -> Marginal:
        """One sum over the unknown and the hidden units for each row."""
        known = rows[:, ~self._unknown]
        fields = known @ self._between + self._bias
        apart = -self._beta * pairwise_sums.visible_energy(self._known, known)
        log_sums, means = self._sums.both(fields)
        n_unknown = int(np.count_nonzero(self._unknown))
        return Marginal(apart + log_sums, filled(rows, self._unknown, means[:, :n_unknown]))


@gaps.register
def _(
    model: Pairwise, params: PairwiseParameters, unknown: Array, beta: float = 1.0
) -> Gaps | None:
    free = np.append(unknown, np.ones(len(params.bias) - len(unknown), bool))
    if np.count_nonzero(free) > MOST_EXAMINED:
        return None
    if not can_sum(dense_couplings(params.J)[np.ix_(free, free)], A_ROW):
        return None
    return PairwiseGaps(model, params, unknown, beta)


# Two layers -----------------------------------------------------------------------------------------------


class BipartiteGaps(Gaps):
    """Of two layers (abstract); what the known units give the hidden ones, and what they weigh themselves."""

    def __init__(
        self, model: Bipartite, params: BipartiteParameters, unknown: Array, beta: float
    ) -> None:
        self._model, self._params, self._beta = model, in_double(params), beta
        self._unknown = unknown
        W, visible, _ = self._params
        self._W_known, self._W = W[~unknown], np.ascontiguousarray(W[unknown])
        self._held = subset(model.visible, visible, ~unknown)
        self._unit, self._own = subset(model.visible, visible, unknown)

    def _known(self, rows: Array) -> tuple[Array, Array]:
        """-beta U(v_K) (rows,), and the input of the hidden units (rows, n_hidden)."""
        known = np.ascontiguousarray(rows[:, ~self._unknown])
        unit, layer_params = self._held
        inputs = unit.statistic(layer_params, known) @ self._W_known
        return -self._beta * unit.energy(layer_params, known), inputs

    def sums(self, rows: Array) -> Marginal:
        """Some rows at a time."""
        parts = [self._some(rows[i : i + ROWS]) for i in range(0, len(rows), ROWS)]
        log_weights, means = zip(*parts, strict=True)
        return Marginal(
            np.concatenate(log_weights), filled(rows, self._unknown, np.concatenate(means))
        )

    @abc.abstractmethod
    def _some(self, rows: Array) -> tuple[Array, Array]:
        """-beta F (rows,) and the means of the unknown units (rows, unknown)."""


class HiddenListed(BipartiteGaps):
    """By the states of the hidden units: the unknown visible ones are independent given them."""

    def __init__(
        self, model: Bipartite, params: BipartiteParameters, unknown: Array, beta: float
    ) -> None:
        super().__init__(model, params, unknown, beta)
        n = params.W.shape[1]
        self.work = 2.0**n * np.count_nonzero(unknown) if n <= MAX_SUMMED else np.inf
        self.row_work = 2.0**n if n <= MAX_SUMMED else np.inf

    def _some(self, rows: Array) -> tuple[Array, Array]:
        beta, unit, hidden = self._beta, self._unit, self._params.hidden
        apart, inputs = self._known(rows)
        average = Average(len(rows), len(self._W))
        for h in state_blocks(self._model.hidden.states, self._W.shape[1]):
            s = self._model.hidden.statistic(hidden, h)
            pulls = np.ascontiguousarray(s @ self._W.T)
            weights = unit.log_normaliser(self._own, pulls, beta)
            weights -= beta * self._model.hidden.energy(hidden, h)
            average.add(beta * inputs @ s.T + weights, unit.mean(self._own, pulls, beta))
        return apart + average.log_sum, average.mean


class VisibleListed(BipartiteGaps):
    """By the states of the unknown visible units: the hidden ones are independent given the visible ones."""

    def __init__(
        self, model: Bipartite, params: BipartiteParameters, unknown: Array, beta: float
    ) -> None:
        super().__init__(model, params, unknown, beta)
        n = int(np.count_nonzero(unknown))
        self.row_work = 2.0**n * params.W.shape[1] if n <= MAX_SUMMED else np.inf

    def _some(self, rows: Array) -> tuple[Array, Array]:
        beta, model, hidden = self._beta, self._model, self._params.hidden
        apart, inputs = self._known(rows)
        average = Average(len(rows), len(self._W))
        for v in state_blocks(model.visible.states or (0.0, 1.0), len(self._W)):
            pulls = self._unit.statistic(self._own, v) @ self._W
            alone = -beta * self._unit.energy(self._own, v)
            logs = [model.hidden.log_normaliser(hidden, pulls + x, beta) for x in inputs]
            average.add(np.array(logs) + alone, v)
        return apart + average.log_sum, average.mean


class BothGaussian(BipartiteGaps):
    """Of two Gaussian layers: with the precisions p and q on their diagonals, z = (v_U, h) has the energy

    z'Pz / 2 - g'z + const,    P = (p_U, -p_U W q; ., q),    g = (p_U b_U, q (c + W_K' p_K v_K)).
    """

    def _some(self, rows: Array) -> tuple[Array, Array]:
        apart, inputs = self._known(rows)
        c, (b, z) = self._params.hidden, self._own
        p, q = np.exp(-z), np.exp(-c.log_variance)
        coupling = -(p[:, np.newaxis] * self._W * q)
        P = np.block([[np.diag(p), coupling], [coupling.T, np.diag(q)]])
        pull = np.hstack([np.tile(p * b, (len(rows), 1)), q * (c.bias + inputs)])
        sign, log_det = np.linalg.slogdet(P)
        if sign <= 0 or np.linalg.eigvalsh(P)[0] <= 0:
            raise ValueError(
                "The unknown units have no distribution: the weights between the Gaussian layers are so large that "
                "the energy has no minimum."
            )
        means = np.linalg.solve(P, pull.T).T
        squares = 0.5 * (np.sum(p * b**2) + np.sum(q * c.bias**2))
        value = self._beta * (0.5 * np.einsum("ij,ij->i", pull, means) - squares)
        volume = 0.5 * (len(P) * np.log(2 * np.pi / self._beta) - log_det)
        return apart + value + volume, means[:, : len(p)]


def is_listable(unit: Unit) -> bool:
    """Whether all states of a layer can be visited: its units have two."""
    return unit.states is not None and len(unit.states) == 2


@gaps.register
def _(
    model: Bipartite, params: BipartiteParameters, unknown: Array, beta: float = 1.0
) -> Gaps | None:
    if model.is_normal:
        return BothGaussian(model, params, unknown, beta)
    ways: list[Gaps] = []
    if is_listable(model.hidden):
        ways.append(HiddenListed(model, params, unknown, beta))
    if is_listable(model.visible) or not unknown.any():
        ways.append(VisibleListed(model, params, unknown, beta))
    best = min(ways, key=lambda way: way.work + way.row_work, default=None)
    return best if best is not None and best.work + best.row_work < np.inf else None


# A row's own machine ----------------------------------------------------------------------------------------


class Conditioned(NamedTuple):
    """The machine of the unknown units of one row: -F(v_K) is the log Z of `model` with `params` plus
    `log_constant`.
    """

    model: Model
    params: Any
    log_constant: float


@singledispatch
def conditioned(model: Model, params: Any, row: Array) -> Conditioned:
    """The machine that remains when the known entries of `row` (n_visible,) are held, at beta = 1.

    ValueError for units of which some alone are no layer of the same type.
    """
    raise TypeError(f"There is no conditioned machine of {model!r}.")


@conditioned.register
def _(model: Pairwise, params: PairwiseParameters, row: Array) -> Conditioned:
    J, bias = in_double(in_dense(params))
    free = np.append(np.isnan(row), np.ones(len(bias) - len(row), bool))
    known = row[~np.isnan(row)]
    held_params = PairwiseParameters(J[np.ix_(~free, ~free)], bias[~free])
    energy = pairwise_sums.visible_energy(held_params, known[np.newaxis])[0]
    rest = PairwiseParameters(
        np.ascontiguousarray(J[np.ix_(free, free)]), bias[free] + known @ J[np.ix_(~free, free)]
    )
    return Conditioned(Pairwise(model.unit), rest, -float(energy))


@conditioned.register
def _(model: Bipartite, params: BipartiteParameters, row: Array) -> Conditioned:
    visible, hidden = model.visible, model.hidden
    if not is_listable(hidden) or not (is_listable(visible) or isinstance(visible, Gaussian)):
        raise ValueError(
            f"Rows with unknown entries take sums over too many units of the types {visible!r} and {hidden!r}. "
            "Fill them in by impute(X), or leave such rows out."
        )
    W, visible_params, c = in_double(params)
    unknown, known = np.isnan(row), row[np.newaxis, ~np.isnan(row)]
    unit, held = subset(visible, visible_params, ~unknown)
    inputs = unit.statistic(held, known) @ W[~unknown]
    free, left = subset(visible, visible_params, unknown)
    free = Gaussian() if isinstance(visible, Gaussian) else free
    shifted = c._replace(bias=c.bias + inputs[0])
    rest = BipartiteParameters(np.ascontiguousarray(W[unknown]), left, shifted)
    return Conditioned(Bipartite(free, hidden), rest, -float(unit.energy(held, known)[0]))
