"""Search among binary codes: the rows whose code differs from a given one in few bits (semantic hashing).

The Hamming distance of two codes is the number of bits in which they differ. There are two ways to the rows within a
radius r of a code (Salakhutdinov & Hinton 2009):

scan        the distance to every row: time grows with the number of rows
addresses   the code is an address, at which the rows with just this code are found. All codes within the radius are
            looked up, sum_(k <= r) C(bits, k) of them, whatever the number of rows

With codes of 30 bits the radii 2, 3 and 4 are 466, 4 526 and 31 931 addresses.
"""

from collections.abc import Iterator
from math import comb
from typing import Any, Literal, NamedTuple

import numpy as np

from ebm._arrays import as_array
from ebm._checks import Array, check_flag, check_integer, check_option, shown
from ebm._kernels import hamming as kernels

# Bits of a word, and most bits of a code whose addresses are the places of an array.
WORD, MOST_PLACES = 64, 22
# Rows that are scanned in the time in which one address is looked up, 1 ns a row and 50 ns an address; and addresses
# that take as long as beginning with them (``benchmarks/hamming_search.py``).
SCANNED_ROWS, BEGINNING = 50, 300
# Most addresses that are looked up for one code.
MOST_ADDRESSES = 1 << 22


class Within(NamedTuple):
    """Rows within a radius of each query.

    Attributes
    ----------
    distance : list of ndarray of shape (n_found,)
        Bits in which they differ, ascending.
    rows : list of ndarray of shape (n_found,)
        Numbers of the rows; equally near ones ascend.
    """

    distance: list[Array]
    rows: list[Array]


class HammingIndex:
    """Binary codes of rows, to find those that are near another code in Hamming distance.

    Distances are numbers of bits, and not shares of all bits as those of the metric "hamming" in scikit-learn.

    Parameters
    ----------
    codes : array-like of shape (n_rows, n_bits), or (n_rows, n_bytes) if packed
        Zeros and ones, as of :meth:`ebm.Autoencoder.bits`, one row at least.
    packed : bool, default=False
        Whether each byte of `codes`, of dtype uint8, holds eight bits, as of :func:`numpy.packbits`.

    Attributes
    ----------
    n_rows : int
        Number of codes.
    n_bits : int
        Bits of a code; of packed codes the bits of all their bytes.

    Raises
    ------
    ValueError
        If there is no code, if one holds other numbers than zeros and ones, or if packed ones are not of dtype uint8.

    See Also
    --------
    Autoencoder.bits : Codes of rows.

    References
    ----------
    .. [1] Salakhutdinov, R. & Hinton, G. "Semantic hashing." International Journal of Approximate Reasoning 50 (2009).

    Examples
    --------
    >>> from ebm import HammingIndex
    >>> index = HammingIndex([[0, 0, 1], [1, 1, 1], [0, 1, 1]])
    >>> distance, rows = index.kneighbors([[0, 0, 0]], 2)
    >>> distance.tolist(), rows.tolist()
    ([[1, 2]], [[0, 2]])
    >>> index.radius_neighbors([[0, 0, 0]], 1).rows
    [array([0])]
    """

    def __init__(self, codes: Any, *, packed: bool = False) -> None:
        self._packed = check_flag(packed, "packed")
        rows = _checked(codes, "codes", self._packed)
        if not rows.size:
            raise ValueError(
                f"codes must hold one code of one bit at least. Got the shape {rows.shape}."
            )
        self.n_rows, self.n_bits = len(rows), rows.shape[1] * (8 if self._packed else 1)
        self._words = _words(rows, self._packed)
        self._addresses: _Addresses | None = None

    def __repr__(self) -> str:
        """Counts of rows and bits."""
        return f"HammingIndex({self.n_rows} rows of {self.n_bits} bits)"

    def kneighbors(self, codes: Any, n_neighbors: int = 5) -> tuple[Array, Array]:
        """The rows nearest to each code, by a scan of all rows.

        Parameters
        ----------
        codes : array-like of shape (n_queries, n_bits), or (n_queries, n_bytes) if packed
            Codes in the form of those of the index.
        n_neighbors : int, default=5
            How many rows, at most that of the index.

        Returns
        -------
        distance : ndarray of int32, of shape (n_queries, n_neighbors)
            Bits in which they differ, ascending.
        index : ndarray of int32, of shape (n_queries, n_neighbors)
            Numbers of the rows. Of equally near ones, the first rows come first.

        Raises
        ------
        ValueError
            If the codes have another number of bits than those of the index, or `n_neighbors` is out of range.
        """
        queries = self._queries(codes)
        n = check_integer(n_neighbors, "n_neighbors", 1, self.n_rows)
        distance, index = np.empty((2, len(queries), n), np.int32)
        apart, places = np.empty(self.n_rows, np.int32), np.empty(self.n_bits + 2, np.int32)
        kernels.nearest(self._words, queries, apart, places, index, distance)
        return distance, index

    def radius_neighbors(
        self,
        codes: Any,
        radius: int = 2,
        *,
        algorithm: Literal["auto", "scan", "addresses"] = "auto",
    ) -> Within:
        """All rows that differ from a code in `radius` bits at most.

        Parameters
        ----------
        codes : array-like of shape (n_queries, n_bits), or (n_queries, n_bytes) if packed
            Codes in the form of those of the index.
        radius : int >= 0, default=2
            Largest number of bits.
        algorithm : {"auto", "scan", "addresses"}, default="auto"
            "scan" looks at all rows, "addresses" looks up all codes within the radius, which is for up to 64 bits.
            "auto" takes what is less work. The results are the same.

        Returns
        -------
        Within
            Distances and rows of each query, nearest first, and of equally near ones the first row.

        Raises
        ------
        ValueError
            If the codes have another number of bits than those of the index. If `radius` or `algorithm` is out of
            range. If there are more than 64 bits, or too many addresses, for "addresses".
        """
        queries = self._queries(codes)
        radius = min(check_integer(radius, "radius", 0), self.n_bits)
        check_option(algorithm, "algorithm", ("auto", "scan", "addresses"))
        if algorithm == "addresses":
            self._check_addresses(radius)
        elif algorithm == "auto":
            algorithm = "addresses" if self._looks_up(radius) else "scan"
        search = self._looked_up if algorithm == "addresses" else self._scanned
        pairs = list(search(queries, radius))
        return Within([d for d, _ in pairs], [rows for _, rows in pairs])

    def _looks_up(self, radius: int) -> bool:
        """Whether looking addresses up is less work than a scan."""
        n_addresses = BEGINNING + ball_size(self.n_bits, radius)
        return self.n_bits <= WORD and SCANNED_ROWS * n_addresses <= self.n_rows

    def _check_addresses(self, radius: int) -> None:
        """Refuse codes that are no addresses, and a radius with too many of them."""
        if self.n_bits > WORD:
            raise ValueError(
                f"algorithm='addresses' is for codes of up to {WORD} bits. Got {self.n_bits} bits: use 'scan'."
            )
        if ball_size(self.n_bits, radius) > MOST_ADDRESSES:
            raise ValueError(
                f"radius={radius} has {ball_size(self.n_bits, radius)} addresses of {self.n_bits} bits, more than "
                f"{MOST_ADDRESSES}. Use algorithm='scan', or a smaller radius."
            )

    def _queries(self, codes: Any) -> Array:
        rows = _checked(codes, "codes", self._packed)
        n_columns = self.n_bits // 8 if self._packed else self.n_bits
        if rows.shape[1] != n_columns:
            unit = "bytes" if self._packed else "bits"
            raise ValueError(
                f"codes must have {n_columns} {unit}, as those of the index. Got the shape {rows.shape}."
            )
        return _words(rows, self._packed)

    def _scanned(self, queries: Array, radius: int) -> Iterator[tuple[Array, Array]]:
        apart = np.empty(self.n_rows, np.int32)
        for query in queries:
            kernels.distances(self._words, query, apart)
            rows = np.flatnonzero(apart <= radius)
            yield _ordered(apart[rows], rows)

    def _looked_up(self, queries: Array, radius: int) -> Iterator[tuple[Array, Array]]:
        if self._addresses is None:
            self._addresses = _Addresses.of(self._words[:, 0], self.n_bits)
        masks = _masks(self.n_bits, radius)
        for query in queries[:, 0]:
            parts = [self._addresses.rows(query ^ x, size) for size, x in enumerate(masks)]
            yield _ordered(*(np.concatenate(x) for x in zip(*parts, strict=True)))


class _Addresses(NamedTuple):
    """Rows in the order of their codes: `order` (rows,), their `codes` (rows,), and where each code begins, or None."""

    order: Array
    codes: Array
    starts: Array | None

    @classmethod
    def of(cls, words: Array, n_bits: int) -> "_Addresses":
        """The addresses of codes of one word each."""
        order = np.argsort(words, kind="stable").astype(np.int32)
        codes = words[order]
        if n_bits > MOST_PLACES:
            return cls(order, codes, None)
        counts = np.bincount(codes.astype(np.int64), minlength=1 << n_bits)
        return cls(order, codes, np.r_[0, np.cumsum(counts)].astype(np.int32))

    def rows(self, addresses: Array, distance: int) -> tuple[Array, Array]:
        """The `distance` for each row with one of the `addresses`, and the rows."""
        if self.starts is None:
            first, last = (
                np.searchsorted(self.codes, addresses, side) for side in ("left", "right")
            )
        else:
            first, last = self.starts[addresses], self.starts[addresses + np.uint64(1)]
        some = np.flatnonzero(last > first)
        found = [self.order[a:b] for a, b in zip(first[some], last[some], strict=True)]
        rows = np.concatenate(found) if found else np.zeros(0, np.int32)
        return np.full(len(rows), distance, np.int32), rows


def ball_size(n_bits: int, radius: int) -> int:
    """How many codes of `n_bits` bits differ from one in `radius` bits at most, itself included."""
    return sum(comb(n_bits, k) for k in range(min(radius, n_bits) + 1))


def _masks(n_bits: int, radius: int) -> list[Array]:
    """Words with k of the lowest `n_bits` bits set, all of them, for each k up to `radius`."""
    masks = [np.zeros(1, np.uint64)]
    highest = np.full(1, -1)
    for _ in range(radius):
        # One more bit above all those that are set; masks come in the order of their highest bit.
        ends = np.searchsorted(highest, np.arange(n_bits))
        parts = [masks[-1][:end] | np.uint64(1 << bit) for bit, end in enumerate(ends.tolist())]
        masks.append(np.concatenate(parts))
        highest = np.repeat(np.arange(n_bits), ends)
    return masks


def _ordered(distance: Array, rows: Array) -> tuple[Array, Array]:
    """By distance, then by row."""
    order = np.lexsort((rows, distance))
    return distance[order], rows[order].astype(np.int64)


def _checked(codes: Any, argument: str, packed: bool) -> Array:
    """Codes as uint8 (rows, columns): zeros and ones, or bytes."""
    x = as_array(codes, argument)
    if x.ndim != 2:
        raise ValueError(f"{argument} must have one row for each code. Got the shape {x.shape}.")
    if packed:
        if x.dtype != np.uint8:
            raise ValueError(
                f"{argument} must be of dtype uint8 with packed=True. Got {x.dtype}: pack bits by numpy.packbits."
            )
        return x
    if x.dtype.kind not in "biuf" or not ((x == 0) | (x == 1)).all():
        raise ValueError(
            f"{argument} must hold zeros and ones. Got {shown(x)}: use the bits of a code, as of Autoencoder.bits."
        )
    return x.astype(np.uint8)


def _words(rows: Array, packed: bool) -> Array:
    """Bits in words of 64 (rows, words); those of a code that fits into one word are its lowest bits."""
    packed_rows = rows if packed else np.packbits(rows, axis=1)
    n_bits = rows.shape[1] * (8 if packed else 1)
    padded = np.zeros((len(rows), -(-packed_rows.shape[1] // 8) * 8), np.uint8)
    padded[:, : packed_rows.shape[1]] = packed_rows
    words = padded.view(">u8").astype(np.uint64)
    return words >> np.uint64(WORD - n_bits) if n_bits <= WORD else words
