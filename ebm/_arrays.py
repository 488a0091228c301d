"""The gate for arrays: what holds numbers leaves it as a plain array of real numbers, or is refused.

Complex numbers, dates, words and rows of several lengths are no real numbers. Masked entries become NaN. The indices of
a sparse matrix are checked, for compiled code reads memory by them. Numbers of which sums of squares would overflow are
refused with the largest magnitude that is allowed.
"""

import reprlib
from typing import Any

import numpy as np
from scipy.sparse import issparse

Array = np.ndarray[Any, Any]
# Sums of the squares of a million million such numbers are finite in either precision.
LARGEST = {np.dtype(np.float32): 1e13, np.dtype(np.float64): 1e148}
# Kinds of NumPy's types that are no real numbers, and how they become some.
UNREAL = {
    "c": "Complex data not supported: {0} holds complex numbers ({1}). Pass {0}.real, or real and imaginary parts as "
    "columns of their own.",
    "M": "{0} holds dates ({1}), which are no numbers. Subtract a first date, and divide by numpy.timedelta64(1, 'D').",
    "m": "{0} holds durations ({1}), which are no numbers. Divide them by a unit, such as numpy.timedelta64(1, 's').",
}

# Cures by what NumPy says of what is no array of numbers.
CURES = {
    "inhomogeneous": "Make all rows of one length",
    "string to float": "Make numbers of words first, for example with sklearn.preprocessing.OneHotEncoder",
}


class MagnitudeError(ValueError):
    """Numbers are finite, and too large for the squares and sums that they go into."""


def extent(x: Array) -> tuple[float, float]:
    """Smallest and largest entry of `x`, NaN apart; (0, 0) of nothing. Allocates nothing."""
    if not x.size:
        return 0.0, 0.0
    low, high = x.min(), x.max()
    if np.isnan(low):  # slower, and rarely needed
        low, high = np.fmin.reduce(x, axis=None), np.fmax.reduce(x, axis=None)
    return float(low), float(high)


def stored(x: Any) -> Array:
    """The entries of `x`; of a sparse matrix in an array format those that are stored."""
    entries: Array = x.data if is_sparse(x) else x
    return entries


def has_gaps(x: Any) -> bool:
    """Whether there is a NaN in an array or a sparse matrix."""
    entries = stored(x)
    # The minimum is NaN where an entry is, and takes no memory.
    return bool(entries.size and np.isnan(entries.min()))


def float_type(x: Any) -> np.dtype[Any]:
    """The dtype that parameters of the array `x` have: its own if it is float32 or float64, else float64."""
    return x.dtype if x.dtype in LARGEST else np.dtype(np.float64)


def as_numbers(x: Any, argument: str) -> Array:
    """`x`, of any container and shape, as an array of float32 or float64; a float array is not copied.

    Raises
    ------
    ValueError, TypeError
        If it holds anything but real numbers, rows of several lengths, or a sparse matrix with invalid indices.
    """
    x = screened(x, argument)
    try:
        array = x.toarray() if is_sparse(x) else np.asarray(x)
    except (TypeError, ValueError) as error:
        raise not_numbers(argument, x, error) from None
    _refuse_kind(array.dtype, argument)
    if array.dtype in LARGEST:
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise not_numbers(argument, x, error) from None


def as_array(x: Any, argument: str) -> Array:
    """`x` as an array of whatever type; ValueError for rows of several lengths."""
    try:
        return np.asarray(x)
    except (TypeError, ValueError) as error:
        raise not_numbers(argument, x, error) from None


def finite_numbers(x: Any, argument: str) -> Array:
    """The same, refused where entries are NaN or infinite."""
    array = as_numbers(x, argument)
    check_finite(array, argument)
    return array


def check_finite(x: Any, argument: str) -> None:
    """Refuse NaN and infinity: in one fast pass where there are none, and squares do not overflow."""
    flat = stored(x).ravel(order="K")
    if not _has_squares(flat) and not np.isfinite(flat).all():
        raise ValueError(f"{argument} holds NaN or infinite values. Finite ones are needed.")


def check_squares(x: Any, argument: str) -> None:
    """Refuse NaN, infinity, and finite numbers so large that sums of their squares overflow: energies would, too."""
    flat = stored(x).ravel(order="K")
    if not _has_squares(flat):
        check_finite(flat, argument)
        low, high = extent(flat)
        raise ValueError(
            f"{argument} holds {low if -low > high else high:.6g}, of which squares overflow. Set smaller numbers, or "
            "fit again."
        )


def _has_squares(flat: Array) -> bool:
    """Whether the sum of the squares is finite, with room for many such sums."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.dot(flat, flat) <= LARGEST.get(flat.dtype, 1e148) ** 2)


def not_numbers(argument: str, x: Any, error: Exception) -> Exception:
    """The error to raise for `x` that cannot become an array of numbers, where NumPy raised the `error`."""
    message = str(error).split("\n")[0].rstrip(".")
    if "complex" in message.lower():
        return ValueError(UNREAL["c"].format(argument, "complex128"))
    cure = next(
        (cure for words, cure in CURES.items() if words in message), "Leave out what is none"
    )
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(
        f"{argument} must be an array of numbers. Got {reprlib.repr(x)}: {message}. {cure}."
    )


def is_sparse(x: Any) -> bool:
    """Whether `x` is a sparse matrix of SciPy, in any format."""
    return bool(issparse(x))


def screened(x: Any, argument: str) -> Any:
    """`x`, a sparse matrix in a format of arrays, masked entries as NaN; refused where it holds no real numbers."""
    if is_sparse(x):
        x = x.tocoo() if x.format == "dok" else x.tocsr() if x.format == "lil" else x
        check_sparse(x, argument)
    dtypes = getattr(x, "dtypes", None)  # of the columns of a data frame
    for dtype in [getattr(x, "dtype", None)] if dtypes is None else np.array(dtypes, object).flat:
        _refuse_kind(dtype, argument)
    return np.ma.filled(_with_room(x), np.nan) if np.ma.is_masked(x) else x


def _with_room(x: Any) -> Any:
    """The masked array `x` in a type that has a NaN."""
    if x.dtype.kind == "f":
        return x
    return x.astype(np.float64 if x.dtype.kind in "biu" else object)


def _refuse_kind(dtype: Any, argument: str) -> None:
    reason = UNREAL.get(getattr(dtype, "kind", ""))
    if reason:
        raise ValueError(reason.format(argument, dtype))


def check_magnitude(x: Any, argument: str, dtype: Any = None) -> None:
    """Refuse finite numbers of which sums of squares overflow in the precision of `x`, or of `dtype`."""
    largest = LARGEST[np.dtype(dtype or x.dtype).newbyteorder("=")]
    low, high = extent(stored(x))
    if np.isinf([low, high]).any():
        raise ValueError(f"{argument} holds infinite values. Leave such rows out.")
    if max(-low, high) > largest:
        worst = low if -low > high else high
        raise MagnitudeError(
            f"{argument} holds {worst:.6g}, but in {np.dtype(dtype or x.dtype)} magnitudes may be {largest:g} at most: "
            "squares of larger numbers overflow. Scale it first, for example with "
            "sklearn.preprocessing.StandardScaler, or MaxAbsScaler for sparse rows."
        )


def check_exponents(x: Array, argument: str) -> None:
    """Refuse logarithms of numbers of which squares overflow in the precision of `x`, or those of their inverses."""
    largest = float(np.log(np.finfo(x.dtype).max)) / 2
    low, high = extent(x)
    if max(-low, high) > largest:
        worst = low if -low > high else high
        raise ValueError(
            f"{argument} holds {worst:.6g}, but logarithms in {x.dtype} may be between {-largest:.3g} and "
            f"{largest:.3g}: exp of others overflows. Set smaller ones, or fit again."
        )


def check_sparse(x: Any, argument: str) -> None:
    """Refuse a sparse matrix whose arrays do not fit each other, or its shape: compiled code would read elsewhere."""
    fault = _fault(x)
    if fault:
        raise ValueError(
            f"{argument} is no valid sparse matrix: {fault}. Make it anew of its rows, columns and values, for "
            "example with scipy.sparse.coo_array((values, (rows, columns)), shape)."
        )


def _fault(x: Any) -> str:
    """The fault in the arrays of a sparse matrix, or ''."""
    if x.dtype.hasobject:
        return f"its values are of the type {x.dtype}, and not numbers"
    if x.format == "dia":
        fits = np.ndim(x.data) == 2 and np.shape(x.offsets) == (len(x.data),)
        return "" if fits else "its data and offsets have different lengths"
    if x.format == "coo":
        coords = getattr(x, "coords", None) or (x.row, x.col)
        if any(np.shape(along) != np.shape(x.data) for along in coords):
            return "its coordinates and its data have different lengths"
        faults = [_outside(along, size) for along, size in zip(coords, x.shape, strict=True)]
        return next(filter(None, faults), "")
    block = x.blocksize if x.format == "bsr" else (1, 1)
    n_rows, n_columns = x.shape[0] // block[0], x.shape[-1] // block[1]
    if x.format == "csc":
        n_rows, n_columns = n_columns, n_rows
    return _fault_of_rows(x.indptr, x.indices, len(x.data), (n_rows, n_columns))


def _fault_of_rows(indptr: Array, indices: Array, n_data: int, shape: tuple[int, int]) -> str:
    """The fault in rows that are stored one after the other, or ''."""
    if indptr.shape != (shape[0] + 1,):
        return f"indptr must have {shape[0] + 1} entries. Got the shape {indptr.shape}"
    if indices.shape != (n_data,):
        return f"there are {n_data} values, but indices has the shape {indices.shape}"
    if indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any() or indptr[-1] > n_data:
        return f"indptr must rise from 0 to at most the number of values, {n_data}"
    return _outside(indices, shape[1])


def _outside(indices: Array, size: int) -> str:
    if not len(indices):
        return ""
    low, high = indices.min(), indices.max()
    if low < 0 or high >= size:
        return f"indices must be between 0 and {size - 1}. Got {low if low < 0 else high}"
    return ""
