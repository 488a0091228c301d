"""The data as training sees it: rows with weights, walked in a fresh random order every epoch.

A row of weight w stands for w equal rows: it comes up ceil(w) times per epoch, the last time with the fraction that
is left. The order of an epoch is that of random priorities, each a function of the seed, the epoch, the row's content
(in single precision) and the number of the copy. So fitting depends on which rows there are, and not on the order in
which they are stored, nor on whether equal rows are repeated or weighted.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_array, hstack

from ebm._checks import Array
from ebm._kernels.fingerprints import fingerprints, sparse_fingerprints
from ebm._random import Key, Reserved, fold, words
from ebm._sparse import SparseRows, canonical, is_thin, sparse_rows, with_data
from ebm._sparse import blocks as blocks
from ebm._sparse import dense as dense

# Odd multiplier that sets targets off from features.
TARGETS = np.uint64(0xA54FF53A5F1D36F1)
# The same for what rows are drawn from, and the number of the keys of these draws within an epoch's key.
SOURCE = np.uint64(0x510E527FADE682D1)

# States of rows, and what is known of them (NaN elsewhere) -> states after a step of the model's own chain.
Move = Callable[[Array, Array], Array]


class Rows:
    """Rows of `X` (dense or CSR, not copied, never written) with `weights` (rows,), or None for equal ones.

    With `targets` (rows, n_targets), of the dtype of X, every row is that of X followed by its targets. With `shuffle`
    false an epoch takes the rows in the order in which they are stored.

    Attributes
    ----------
    missing : ndarray or None
        Values that stand in the place of missing entries, of rows that have some (:class:`ebm._gaps.RowsWithGaps`).
    """

    has_gaps: ClassVar[bool] = False
    missing: Array | None = None

    def __init__(
        self,
        X: Any,
        weights: Array | None = None,
        targets: Array | None = None,
        shuffle: bool = True,
    ) -> None:
        self._X, self._targets, self._shuffle = canonical(X), targets, shuffle
        self._weights = np.ones(X.shape[0]) if weights is None else np.asarray(weights, np.float64)
        self._weighted = weights is not None and not np.array_equal(
            self._weights, np.floor(self._weights)
        )

    @cached_property
    def _copies(self) -> tuple[Array, Array]:
        """Row index and 64-bit identity of each copy of each row, for those who walk them."""
        counts = np.ceil(self._weights).astype(np.int64)
        index = np.repeat(np.arange(len(counts)), counts)
        content = self._fingerprints()[index]
        if not self._shuffle:  # the order is part of what they are
            return index, content * np.arange(1, 2 * len(index), 2, dtype=np.uint64)
        order = np.argsort(content, kind="stable")
        ranked = content[order]
        first = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        number = np.arange(len(ranked)) - np.repeat(first, np.diff(np.r_[first, len(ranked)]))
        return index[order], ranked + number.astype(np.uint64) * np.uint64(0xBB67AE8584CAA73B)

    def _fingerprints(self) -> Array:
        content = row_fingerprints(self._X)
        if self._targets is not None:
            content += row_fingerprints(self._targets) * TARGETS
        return content

    def __len__(self) -> int:
        return len(self._copies[0])

    @property
    def counted(self) -> Array:
        """Numbers of the rows of X with a weight above zero."""
        return np.flatnonzero(self._weights)

    @property
    def is_thin(self) -> bool:
        """Whether the features are sparse enough for :meth:`take_sparse`."""
        return is_thin(self._X)

    @property
    def dtype(self) -> Any:
        """Of X."""
        return self._X.dtype

    @property
    def n_columns(self) -> int:
        """Count of features, and targets if there are any."""
        own: int = self._X.shape[1]
        return own if self._targets is None else own + self._targets.shape[1]

    @property
    def fingerprint(self) -> str:
        """Hexadecimal digest of the rows and their weights, in whatever order."""
        with np.errstate(over="ignore"):
            total = self._copies[1].sum(dtype=np.uint64)
        return f"{int(total):016x}-{self.total_weight!r}"

    def epoch(self, key: Key) -> tuple[Array, Array | None]:
        """Row indices of one epoch in random order, and their weights, or None when all are one."""
        index, identity = self._copies
        order = index[np.argsort(words(key, identity))] if self._shuffle else index
        if not self._weighted:
            return order, None
        # The last copy of a row carries the fraction; which of its places in the order that is does not matter.
        last = np.zeros(len(order), bool)
        last[np.unique(order, return_index=True)[1]] = True
        fraction = self._weights[order] - (np.ceil(self._weights[order]) - 1)
        return order, np.where(last, fraction, 1.0)

    def distinct(self) -> tuple[Array, Array]:
        """Index of one row of each content, in an order that depends on nothing else, and their total weights."""
        content = self._fingerprints()
        order = np.argsort(content, kind="stable")
        order = order[self._weights[order] > 0]
        first = np.flatnonzero(np.r_[True, np.diff(content[order]) != 0])
        return order[first], np.add.reduceat(self._weights[order], first)

    def parted(self, share: float, key: Key) -> tuple[Array, Array]:
        """Weights (rows,) of what stays and of what is put aside: a random share of all copies of rows."""
        index, identity = self._copies
        n_aside = int(np.ceil(share * len(index)))
        aside = np.argsort(words(key, identity), kind="stable")[:n_aside]
        counts = np.bincount(index, minlength=len(self._weights))
        moved = np.bincount(index[aside], minlength=len(counts)).astype(np.float64)
        # A last copy that is a fraction goes where most copies of its row do.
        kept = np.where(2 * moved <= counts, self._weights, counts) - moved
        return kept, self._weights - kept

    def some(self, count: int, key: Key) -> Array:
        """Random rows (count, columns), all different as long as there are enough."""
        order, _ = self.epoch(key)
        return self.at(np.resize(order, count))

    def covariance(self, mean: Array) -> tuple[Array, float]:
        """Covariances (n, n) of the features over the rows in which both are known, and the least of these counts."""
        n = self._X.shape[1]
        products, counts = np.zeros((2, n, n))
        for start, block in blocks(self._X):
            apart, w = block - mean[:n], self._weights[start : start + len(block), np.newaxis]
            there = ~np.isnan(apart)
            x = np.where(there, apart, 0).astype(np.float64)
            products += x.T @ (w * x)
            counts += there.T @ (w * there)
        return products / np.maximum(counts, 1), float(counts.min())

    def examples(self, count: int, key: Key) -> Any:
        """The same rows, as a CSR array where the data are sparse."""
        if not self.is_thin:
            return self.some(count, key)
        order, _ = self.epoch(key)
        index = np.resize(order, count)
        if self._targets is None:
            return self._X[index]
        return hstack([self._X[index], csr_array(self._targets[index])], "csr")

    def take(self, order: Array, first: int, out: Array) -> None:
        """Write the rows of an epoch's `order` from place `first` on to `out` (rows, columns)."""
        self.gather(order[first : first + len(out)], out)

    def visit(
        self, order: Array, first: int, out: Array, move: Move, with_gaps: bool = False
    ) -> None:
        """As :meth:`take`, where an update follows; missing entries are moved first, where there are some.

        `with_gaps` leaves NaN in the place of the missing entries.
        """
        self.take(order, first, out)

    def take_sparse(self, order: Array, first: int, count: int, dtype: Any) -> SparseRows:
        """The same rows of CSR data, `count` of them, as they are stored."""
        index = order[first : first + count]
        targets = None if self._targets is None else self._targets[index]
        return sparse_rows(self._X[index], dtype, targets)

    def gather(self, index: Array, out: Array) -> None:
        """Write the rows `index` to `out` (len(index), columns)."""
        n_columns = self._X.shape[1]
        if self._targets is not None:
            np.take(self._targets, index, axis=0, out=out[:, n_columns:], mode="clip")
            out = out[:, :n_columns]
        if not hasattr(self._X, "toarray"):
            np.take(self._X, index, axis=0, out=out, mode="clip")
        elif out.flags.c_contiguous:
            self._X[index].toarray(out=out)
        else:
            out[:] = self._X[index].toarray()

    def at(self, index: Array) -> Array:
        """The rows `index`, dense: (len(index), columns)."""
        out = np.empty((len(index), self.n_columns), self.dtype)
        self.gather(index, out)
        return out

    @property
    def total_weight(self) -> float:
        """Sum of the weights."""
        return float(self._weights.sum())

    def mean(self) -> Array:
        """Weighted mean of each feature, in double precision."""
        if self.is_thin:
            mean: Array = (self._X.T @ self._weights) / self.total_weight
            return mean
        total = np.zeros(self._X.shape[1])
        for start, block in blocks(self._X):
            total += self._weights[start : start + len(block)].astype(block.dtype) @ block
        return total / self.total_weight

    def variance(self, mean: Array) -> Array:
        """Weighted variance of each feature around its `mean`, in double precision.

        The mean is known up to rounding, which grows with the count of rows; the variance is corrected for that.
        """
        apart, squares = self._sparse_deviations(mean) if self.is_thin else self._deviations(mean)
        variance: Array = squares / self.total_weight - (apart / self.total_weight) ** 2
        np.maximum(variance, 0, out=variance)
        return variance

    def _deviations(self, mean: Array) -> tuple[Array, Array]:
        """Weighted sums of the deviations from the `mean`, and of their squares."""
        sums, squares = np.zeros((2, self._X.shape[1]))
        for start, block in blocks(self._X):
            weights, apart = self._weights[start : start + len(block)], block - mean
            sums += weights @ apart
            squares += weights @ apart**2
        return sums, squares

    def _sparse_deviations(self, mean: Array) -> tuple[Array, Array]:
        """The same over the entries, and the deviation of a zero for all that are none."""
        X = self._X.astype(np.float64)
        absent = self.total_weight - with_data(X, np.ones(len(X.data))).T @ self._weights
        apart = X.data - mean[X.indices]
        sums = with_data(X, apart).T @ self._weights - absent * mean
        squares = with_data(X, apart**2).T @ self._weights + absent * mean**2
        return sums, squares


# Rows of data, a key and the place of the first of them in the epoch -> draws (rows, features).
Draw = Callable[[Array, Key, int], Array]


class Draws:
    """Draws from the rows of a source, other ones in every epoch.

    Parameters
    ----------
    source : {ndarray, sparse matrix} of shape (rows, n)
    draw : callable
        As of :class:`Redrawn`.
    """

    def __init__(self, source: Any, draw: Draw) -> None:
        self._source, self._draw = Rows(source), draw
        self._key = Key(0, 0)

    def fingerprints(self) -> Array:
        """The share of the source in the fingerprints of the rows."""
        return SOURCE * self._source._fingerprints()

    def begin(self, key: Key) -> None:
        """Begin an epoch."""
        self._key = fold(key, Reserved.DRAWN_ROWS.number)

    def take(self, order: Array, first: int, count: int) -> Array:
        """The draws of `count` rows of an epoch's `order` from place `first` on."""
        from_which = np.empty((count, self._source.n_columns), self._source.dtype)
        self._source.take(order, first, from_which)
        return self._draw(from_which, self._key, first)


class Redrawn(Rows):
    """Rows of which the leading columns are random: every epoch sees another draw of them.

    A model that is shown the same draws in every epoch overfits: it learns these draws and not their distribution.

    Parameters
    ----------
    X, weights : as of :class:`Rows`
        One draw, for all but the epochs; columns that `draw` does not give stand.
    source : {ndarray, sparse matrix} of shape (rows, n)
        The data that the rows are drawn from. It also decides which rows are equal.
    draw : callable
        Rows of `source`, a key and the place of the first in the epoch -> draws: the same rows at the same places, the
        same draws.
    """

    def __init__(self, X: Any, weights: Array | None, source: Any, draw: Draw) -> None:
        self._draws = Draws(source, draw)
        super().__init__(X, weights)

    @property
    def is_thin(self) -> bool:
        """Draws are dense."""
        return False

    def _fingerprints(self) -> Array:
        return super()._fingerprints() + self._draws.fingerprints()

    def epoch(self, key: Key) -> tuple[Array, Array | None]:
        """Row indices and weights of one epoch, of which :meth:`take` then gives the draws."""
        self._draws.begin(key)
        return super().epoch(key)

    def take(self, order: Array, first: int, out: Array) -> None:
        """Draw the rows of an epoch's `order` from place `first` on."""
        super().take(order, first, out)
        drawn = self._draws.take(order, first, len(out))
        out[:, : drawn.shape[1]] = drawn


def row_fingerprints(X: Any) -> Array:
    """A 64-bit number for the content of each row of `X` (dense or CSR), in single precision: (rows,), uint64."""
    content = np.empty(X.shape[0], np.uint64)
    if is_thin(X):
        rows = sparse_rows(canonical(X), X.dtype)
        with np.errstate(over="ignore"):
            single = np.require(rows.data, np.float32, ["C", "W"])
        sparse_fingerprints(rows.indptr, rows.indices, single.view(np.uint32), content)
        return content
    for start, block in blocks(X):
        with np.errstate(over="ignore"):
            single = np.require(block, np.float32, ["C", "W"])
        fingerprints(single.view(np.uint32), content[start : start + len(block)])
    return content
