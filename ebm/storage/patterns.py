"""Patterns of two states: {0, 1} or {-1, +1} are recognised, turned into spins, and compared.

Everything is stored and recalled as spins s in {-1, +1}; bits are x = (1 + s) / 2.
"""

import numpy as np

from ebm._checks import Array

CONVENTIONS = ("binary", "spin")
LOW = {"binary": 0.0, "spin": -1.0}


def convention_of(x: Array) -> str | None:
    """Which two states the entries of `x` have: "binary", "spin", or None for other values. NaN is no state.

    Ones alone may be either; they are taken for spins.
    """
    known = x[~np.isnan(x)]
    if not (np.abs(known) <= 1).all() or (known != np.rint(known)).any():
        return None
    has_zero, has_minus = (known == 0).any(), (known == -1).any()
    if has_zero and has_minus:
        return None
    return "binary" if has_zero else "spin"


def nearest_convention(x: Array) -> str:
    """In which convention other values are read: bits when all lie within [0, 1], else spins."""
    return "binary" if ((x >= 0) & (x <= 1) | np.isnan(x)).all() else "spin"


def holds(x: Array, convention: str) -> bool:
    """Whether `x` consists of the two states, and NaN."""
    return bool(((x == LOW[convention]) | (x == 1) | np.isnan(x)).all())


def to_spins(x: Array, convention: str) -> Array:
    """Bits or spins -> spins, other values by the nearer state, the higher at a tie; NaN stays NaN. A new array."""
    middle = (LOW[convention] + 1) / 2
    spins: Array = np.where(x >= middle, x.dtype.type(1), x.dtype.type(-1))
    spins[np.isnan(x)] = np.nan
    return spins


def n_merged(x: Array, convention: str) -> int:
    """How many different rows are lost when :func:`to_spins`, and then the majority, reads them as others are read."""
    read = by_majority(to_spins(x, convention))
    return len({row.tobytes() for row in x + 0.0}) - len(set(_codes(read)))


def by_majority(spins: Array) -> Array:
    """Patterns with each unknown bit (NaN) in the state that most of its known ones have; `spins` if all are known."""
    unknown = np.isnan(spins)
    if not unknown.any():
        return spins
    most = np.where(np.nansum(spins, axis=0) >= 0, spins.dtype.type(1), spins.dtype.type(-1))
    return np.where(unknown, most, spins)


def from_spins(s: Array, convention: str) -> Array:
    """Spins -> bits or spins, in a new array."""
    return (s + 1) / 2 if convention == "binary" else s.copy()


def as_patterns(patterns: Array, n_units: int) -> Array:
    """Complete patterns of spins (rows, n_units) in double precision, or a ValueError."""
    rows = np.asarray(patterns, np.float64)
    if rows.ndim != 2 or rows.shape[1] != n_units:
        raise ValueError(f"patterns must have {n_units} columns. Got the shape {rows.shape}.")
    if not (np.abs(rows) == 1).all():
        raise ValueError(
            "patterns must consist of the spins -1 and +1; 2 x - 1 makes them of bits."
        )
    return rows


def find(patterns: Array, among: Array) -> Array:
    """For each row of spins, the number of the equal row `among`, or -1."""
    number = {row: i for i, row in enumerate(_codes(among))}
    return np.array([number.get(row, -1) for row in _codes(patterns)], dtype=np.int64)


def first_equals(patterns: Array) -> Array:
    """For each row of spins, the number of the first row that equals it."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(row, i) for i, row in enumerate(_codes(patterns))], np.int64)


def collapse(patterns: Array, weights: Array) -> tuple[Array, Array]:
    """The different rows, in the order of their first appearance, and the sums of their weights."""
    kept, place = np.unique(first_equals(patterns), return_inverse=True)
    return patterns[kept], np.bincount(place, weights, minlength=len(kept))


def in_fixed_order(patterns: Array, weights: Array | None) -> tuple[Array, Array]:
    """Rows and weights (ones for None) in an order that depends on what they are, and not on where they stand."""
    order = np.array(sorted(range(len(patterns)), key=_codes(patterns).__getitem__), np.int64)
    return patterns[order], np.ones(len(patterns)) if weights is None else weights[order]


def overlaps(s: Array, patterns: Array) -> Array:
    """Overlaps xi's / N of states with patterns, over the units that are known: (rows, n_patterns), in [-1, 1]."""
    known = ~np.isnan(s)
    sums = np.where(known, s, 0).astype(np.float64) @ patterns.T
    m: Array = sums / np.maximum(known.sum(axis=1, keepdims=True), 1)
    return m


def check_new(patterns: Array, stored: Array) -> None:
    """ValueError if a pattern of spins comes twice, or is stored already."""
    first = first_equals(patterns)
    twice = first < np.arange(len(first))
    if twice.any():
        row = int(np.argmax(twice))
        raise ValueError(
            f"X holds duplicate patterns: row {row} equals row {first[row]}. Leave them out (numpy.unique(X, axis=0)); "
            "a HopfieldNetwork takes a sample_weight to say how strongly to store a pattern."
        )
    places = find(patterns, stored)
    if (places >= 0).any():
        row = int(np.argmax(places >= 0))
        raise ValueError(
            f"X holds duplicate patterns: row {row} is stored already, as pattern {places[row]}. Leave it out."
        )


def _codes(patterns: Array) -> list[bytes]:
    return [row.tobytes() for row in np.packbits(patterns > 0, axis=1)]
