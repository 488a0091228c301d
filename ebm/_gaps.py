"""Rows of data with missing entries (NaN): latent variables of training, with one Markov chain kept for each row.

Let v_K be the known entries of a row and v_U the missing ones. The gradient of the likelihood of what is known,

    d log p(v_K) / d theta = E[-dE/dtheta | v_K] - E[-dE/dtheta],

differs from that of a complete row in the positive phase alone, which averages over v_U and h given v_K. The missing
entries of every row are the state of a chain that is kept from one visit of the row to the next. At each visit

    h ~ p(h | v_K, v_U),    v_U ~ p(v_U | h),

which leaves p(v_U, h | v_K) unchanged, and the estimators of the gradient see the complete row (v_K, v_U). While the
parameters move little from visit to visit, the chains follow that distribution (Younes 1989). Chains that start anew at
each visit would not: one step from the marginals is far from it.

Hidden layers may be connected to each other, as in deep Boltzmann machines. The states of every second hidden layer are
then a part of the chain, and are kept *beside* the missing entries.

The chains hold one number for each missing entry, and for each unit beside, in an order that depends on the content of
the rows alone. A row without any known entry has the likelihood one whatever the parameters are, so it is left out.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ebm._arrays import has_gaps
from ebm._batches import Draw, Draws, Move, Rows, blocks, row_fingerprints
from ebm._checks import Array, unknown_columns_message
from ebm._random import Key, fold
from ebm.energies.base import Model
from ebm.samplers.base import clamp, first_states, run_chain
from ebm.units import Unit

# Rows whose chains begin at a time.
BLOCK_ROWS = 1 << 10
# Sweeps of chains that begin at a model which has learned before.
FIRST_SWEEPS = 20

# The number of the first of some rows with gaps in the order of content, and what is known of them and of the units
# beside them (NaN elsewhere) -> their states.
Start = Callable[[int, Array], Array]


def rows_of(X: Any, weights: Array | None = None, names: Array | None = None) -> Rows:
    """Rows for training, whether entries are missing or not; `names` of the columns are for messages."""
    return RowsWithGaps(X, weights, names) if has_gaps(X) else Rows(X, weights)


class RowsWithGaps(Rows):
    """Rows of `X` (dense or CSR, not copied, never written) with NaN in the place of missing entries.

    Rows that are taken are complete: `missing` stands in the gaps. Means and variances are those of the known entries.

    Attributes
    ----------
    missing : ndarray of shape (missing entries and units beside,) or None
        States of the chains, row by row; None before :meth:`begin`.
    """

    has_gaps: ClassVar[bool] = True

    def __init__(self, X: Any, weights: Array | None = None, names: Array | None = None) -> None:
        n_rows = X.shape[0]
        counts = np.empty(n_rows, np.int64)
        for start, block in blocks(X):
            counts[start : start + len(block)] = np.isnan(block).sum(axis=1)
        kept = counts < X.shape[1]
        if not kept.all():
            weights = kept * (np.ones(n_rows) if weights is None else weights)
        super().__init__(X, weights)
        if not self._weights.any():
            raise ValueError("X has no known entry, but NaN alone, in all rows that count.")
        counts[self._weights == 0] = 0  # they are never taken
        self._names, self._counts = names, counts
        order = np.argsort(self._fingerprints(), kind="stable")
        self._sorted = order[counts[order] > 0]
        self._n_beside, self._first = 0, np.zeros(n_rows, np.int64)
        self._arrange(0)

    @property
    def is_thin(self) -> bool:
        """Completed rows are dense."""
        return False

    def _fingerprints(self) -> Array:
        """With one bit pattern for all NaN."""
        content = np.empty(self._X.shape[0], np.uint64)
        for start, block in blocks(self._X):
            one = np.where(np.isnan(block), np.nan, block)
            content[start : start + len(block)] = row_fingerprints(one)
        return content

    # Moments of the known entries

    def mean(self) -> Array:
        """Weighted mean of the known entries of each feature; ValueError where there are none."""
        total, known = np.zeros((2, self._X.shape[1]))
        for weights, there, x in self._known():
            total += weights @ x
            known += weights @ there
        if not known.all():
            raise ValueError(unknown_columns_message(np.flatnonzero(known == 0), self._names))
        mean: Array = total / known
        return mean

    def _deviations(self, mean: Array) -> tuple[Array, Array]:
        """As for complete rows, with the weights of the known entries of a feature for the total one."""
        sums, squares, known = np.zeros((3, self._X.shape[1]))
        for weights, there, x in self._known():
            apart = np.where(there, x - mean, 0)
            sums += weights @ apart
            squares += weights @ apart**2
            known += weights @ there
        share = self.total_weight / known
        return sums * share, squares * share

    def _known(self) -> Any:
        """Weights, masks of the known entries, and these with zeros elsewhere, of blocks of rows."""
        for start, block in blocks(self._X):
            there = ~np.isnan(block)
            weights = self._weights[start : start + len(block)]
            yield weights, there, np.where(there, block, 0).astype(np.float64)

    # Chains

    def begin(self, start: Start, n_beside: int = 0) -> None:
        """Begin the chains of all rows, with `n_beside` units beside each, at what `start` makes of them."""
        self._arrange(n_beside)
        self.missing = np.empty(int(self._counts.sum()), self.dtype)
        for first in range(0, len(self._sorted), BLOCK_ROWS):
            index = self._sorted[first : first + BLOCK_ROWS]
            given = self._wide(self._with_gaps(index))
            self.missing[self._places(index)] = start(first, given)[np.isnan(given)]

    def _arrange(self, n_beside: int) -> None:
        """Find the places of the states of all chains, with `n_beside` units beside each row with gaps."""
        self._counts[self._sorted] += n_beside - self._n_beside
        self._n_beside = n_beside
        in_order = self._counts[self._sorted]
        self._first[self._sorted] = np.cumsum(in_order) - in_order

    def _wide(self, rows: Array) -> Array:
        """The rows, and NaN for the units beside them."""
        if not self._n_beside:
            return rows
        return np.hstack([rows, np.full((len(rows), self._n_beside), np.nan, rows.dtype)])

    def _filled(self, rows: Array, index: Array) -> Array:
        """The `rows` with the states of their chains in the gaps, in new arrays; `index` are their numbers."""
        x = self._wide(rows).copy()
        x[np.isnan(x)] = self._states()[self._places(index)]
        return x[:, : self.n_columns]

    def invalid(self, missing: Array, unit: Unit) -> str:
        """Say why units of that type cannot have the states `missing` (missing entries,), or ''."""
        for first in range(0, len(self._sorted), BLOCK_ROWS):
            index = self._sorted[first : first + BLOCK_ROWS]
            v = self._wide(self._with_gaps(index))
            free = np.isnan(v)
            v[:] = np.nan
            v[free] = missing[self._places(index)]
            reason = unit.impossible(np.ascontiguousarray(v[:, : self.n_columns]))
            if reason:
                return reason
        return ""

    def used(self, with_gaps: bool) -> tuple[Array, Array | None]:
        """The rows that count, complete or `with_gaps`, and their weights, or None for equal ones."""
        index = self.counted
        weights = self._weights[index]
        rows = self._with_gaps(index) if with_gaps else self.at(index)
        return rows, None if (weights == weights[0]).all() else weights

    def completed(self) -> tuple[Array, Array]:
        """All rows with the states of the chains in their gaps, and the weights; zeros where a row does not count."""
        X = self._with_gaps(np.arange(len(self._counts)))
        X[self._sorted] = self._filled(X[self._sorted], self._sorted)
        return np.nan_to_num(X, copy=False, nan=0.0), self._weights

    def visit(
        self, order: Array, first: int, out: Array, move: Move, with_gaps: bool = False
    ) -> None:
        """Move the chains of the rows of an epoch's `order` from place `first` on; write the complete rows to `out`.

        `with_gaps` writes the rows as they are.
        """
        index = order[first : first + len(out)]
        self._take_torn(order, first, out)
        some = np.flatnonzero(self._counts[index])
        if not len(some):
            return
        given, places = self._wide(out[some]), self._places(index[some])
        free, x = np.isnan(given), given.copy()
        x[free] = self._states()[places]
        x = move(x, given)
        self._states()[places] = x[free]
        if not with_gaps:
            out[some] = x[:, : self.n_columns]

    def _take_torn(self, order: Array, first: int, out: Array) -> None:
        """Write the rows of an epoch's `order` from place `first` on, as they are."""
        super().gather(order[first : first + len(out)], out)

    def gather(self, index: Array, out: Array) -> None:
        """Write the complete rows `index` to `out` (len(index), columns)."""
        super().gather(index, out)
        some = np.flatnonzero(self._counts[index])
        if len(some):
            out[some] = self._filled(out[some], index[some])

    def _with_gaps(self, index: Array) -> Array:
        out = np.empty((len(index), self.n_columns), self.dtype)
        super().gather(index, out)
        return out

    def _states(self) -> Array:
        assert self.missing is not None, "the chains of rows with gaps begin before rows are taken"
        return self.missing

    def _places(self, index: Array) -> Array:
        """Where among the states of all chains those of the rows `index` stand, row by row."""
        counts = self._counts[index]
        ends = np.cumsum(counts)
        shift = np.repeat(self._first[index] - (ends - counts), counts)
        places: Array = np.arange(len(shift)) + shift
        return places


class RedrawnWithGaps(RowsWithGaps):
    """Rows with gaps whose known entries are random: every epoch sees another draw of them.

    Parameters and meaning are those of :class:`ebm._batches.Redrawn`; draws in the place of gaps are not used.
    """

    def __init__(self, X: Any, weights: Array | None, source: Any, draw: Draw) -> None:
        self._draws = Draws(source, draw)
        super().__init__(X, weights)

    def _fingerprints(self) -> Array:
        return super()._fingerprints() + self._draws.fingerprints()

    def epoch(self, key: Key) -> tuple[Array, Array | None]:
        """Row indices and weights of one epoch, of which :meth:`visit` then takes the draws."""
        self._draws.begin(key)
        return super().epoch(key)

    def _take_torn(self, order: Array, first: int, out: Array) -> None:
        super()._take_torn(order, first, out)
        drawn = self._draws.take(order, first, len(out))
        np.copyto(out, drawn, where=~np.isnan(out))


def start_at_model(
    model: Model,
    params: Any,
    origin: Array | None,
    activity: Array | None,
    rows: Any,
    key: Key,
    n_sweeps: int = FIRST_SWEEPS,
) -> None:
    """Begin the chains at states that the mean `activity` of the hidden units drives, and some sweeps on.

    `params` are those of the law of v - `origin`.
    """
    if not model.learns_from_gaps:
        raise ValueError(
            f"There is no learning from rows with missing entries (NaN) for {model!r}. Leave such rows out, or fill "
            "them in first, for example with sklearn.impute.SimpleImputer."
        )

    def start(first: int, given: Array) -> Array:
        once = fold(key, first)
        x = first_states(model, params, activity, len(given), fold(once, 0))
        x = clamp(x if origin is None else x + _beside(origin, x), given)
        return swept(model, params, origin, x, given, fold(once, 1), n_sweeps)

    with np.errstate(all="ignore"):
        rows.begin(start, model.n_hidden_walked)


def _beside(origin: Array, x: Array) -> Array:
    """The origin of the rows in states `x` (rows, units) of chains: zero of the units beside them."""
    return np.append(origin, np.zeros(x.shape[1] - len(origin), origin.dtype))


def swept(
    model: Model,
    params: Any,
    origin: Array | None,
    v: Array,
    given: Array,
    key: Key,
    n_sweeps: int = 1,
) -> Array:
    """The states `v` after sweeps of block Gibbs with the `given` entries clamped, bit for bit."""
    if not n_sweeps:
        return v
    if origin is None:
        return run_chain(model, params, v, key, n_sweeps, given=given)
    origin = _beside(origin, v)
    x = run_chain(model, params, v - origin, key, n_sweeps, given=given - origin)
    return clamp(x + origin, given)
