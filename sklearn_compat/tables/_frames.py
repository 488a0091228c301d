"""From data frames and arrays to the cells of their columns, and back to the same container with the same dtypes.

pandas is imported only where a data frame is given.
"""

import datetime
from collections.abc import Callable, Mapping
from numbers import Integral, Number
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from ebm._checks import Array, shown
from ebm.tables import Cells, Encoding

# Types of objects that can be levels of a category.
WORDS = (str, bytes, bool, np.bool_, Number)
DATES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
NUMBERS_OF_DATES = (
    "Make numbers of it first, for example the days since a first date, or columns for the month and the weekday; or "
    "drop the column."
)


class Table(NamedTuple):
    """A data frame or an array, and the cells of its columns.

    Attributes
    ----------
    source : DataFrame or ndarray of shape (rows, columns)
    cells : list of Cells
    orders : list of ndarray or None
        Levels of the columns of ordered categories, in order.
    """

    source: Any
    cells: list[Cells]
    orders: list[Array | None]

    def rows(self, some: Array) -> "Table":
        """The rows of a mask."""
        source = self.source.loc[some] if is_frame(self.source) else self.source[some]
        return Table(
            source, [Cells(x.values[some], x.missing[some]) for x in self.cells], self.orders
        )


def is_frame(X: Any) -> bool:
    """Whether it is a data frame of pandas."""
    return hasattr(X, "iloc") and hasattr(X, "columns")


def has_gaps(X: Any) -> bool:
    """Whether some cells of rows are missing."""
    if is_frame(X):
        return bool(X.isna().any(axis=None))
    if hasattr(X, "indptr"):
        return False
    return any(cells.missing.any() for cells in table_of(as_container(X)).cells)


def read(estimator: Any, X: Any, *, reset: bool) -> Table:
    """The table `X`, with the columns that the estimator has seen unless `reset`."""
    X = as_container(X)
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return table_of(X)


def as_container(X: Any) -> Any:
    """A data frame of pandas, or an array of two dimensions with at least one row."""
    if not is_frame(X) and hasattr(X, "to_pandas"):
        X = X.to_pandas()
    if not is_frame(X):
        if not hasattr(X, "dtype"):
            X = of_sequence(X)
        return check_array(X, dtype=None, ensure_all_finite=False, input_name="X")
    names = list(X.columns)
    twice = [name for k, name in enumerate(names) if name in names[:k]]
    if twice:
        raise ValueError(
            f"X has more than one column {twice[0]!r}. Give every column a name of its own."
        )
    if not len(X) or not names:
        raise ValueError(f"X has {len(X)} rows and {len(names)} columns; at least one is needed.")
    return X


def of_sequence(X: Any) -> Any:
    """Rows that are no array: of numbers if all are, else of objects."""
    if not isinstance(X, list | tuple):
        return X
    rows = [list(row) if isinstance(row, list | tuple) else row for row in X]
    words = any(
        isinstance(x, str) or x is None for row in rows if isinstance(row, list) for x in row
    )
    try:
        return np.array(rows, dtype=object if words else None)
    except ValueError:
        raise ValueError(
            f"X must have rows of one length. Got {shown(X)}. Write None or NaN where a value is unknown."
        ) from None


def table_of(X: Any, argument: str = "X") -> Table:
    """The cells of a container, which is an argument of that name."""
    if is_frame(X):
        names = [f"Column {name!r} of {argument}" for name in X.columns]
        pairs = [of_series(X.iloc[:, k], name) for k, name in enumerate(names)]
    else:
        names = [f"Column {k} of {argument}" for k in range(X.shape[1])]
        pairs = [(of_array(X[:, k], name), None) for k, name in enumerate(names)]
    return Table(X, [cells for cells, _ in pairs], [order for _, order in pairs])


def of_series(series: Any, name: Any) -> tuple[Cells, Array | None]:
    """The cells of one column of a data frame, and the levels of ordered categories."""
    missing = series.isna().to_numpy(bool)
    dtype, kind = series.dtype, getattr(series.dtype, "kind", "O")
    if hasattr(dtype, "categories"):
        values = series.astype(object).to_numpy()
        cells = Cells(checked_levels(values, missing, name), missing)
        return cells, dtype.categories.astype(object).to_numpy() if dtype.ordered else None
    if kind in "iub":
        values = series.to_numpy(dtype={"b": bool, "i": np.int64, "u": np.uint64}[kind], na_value=0)
        return Cells(values, missing), None
    if kind == "f":
        return of_floats(series.to_numpy(dtype=np.float64, na_value=np.nan), name), None
    if kind in "mMc":
        refuse(name, dtype)
    return of_objects(series.astype(object).to_numpy(), missing, name), None


def of_array(values: Array, name: Any) -> Cells:
    """The cells of one column of an array."""
    if values.dtype.kind == "f":
        return of_floats(values.astype(np.float64), name)
    if values.dtype.kind in "iub":
        return Cells(values, np.zeros(len(values), bool))
    if values.dtype.kind in "mMc":
        refuse(name, values.dtype)
    values = values.astype(object)
    return of_objects(values, np.array([is_missing(x) for x in values]), name)


def is_missing(x: Any) -> bool:
    """Whether it is None, NaN, or NA or NaT of pandas."""
    if x is None or type(x).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(x, Number) and bool(x != x)


def of_floats(values: Array, name: Any) -> Cells:
    """Numbers, NaN where missing; ValueError for infinities."""
    if np.isinf(values).any():
        raise ValueError(
            f"{name} holds infinity. Write NaN where a value is unknown, or a large number."
        )
    return Cells(values, np.isnan(values))


def of_objects(values: Array, missing: Array, name: Any) -> Cells:
    """Objects as booleans or numbers if all of them are, else as they are."""
    known = checked_levels(values, missing, name)[~missing]
    types = {type(x) for x in known}
    if not types or any(issubclass(t, str | bytes) for t in types):
        return Cells(values, missing)
    if types <= {bool, np.bool_}:
        return Cells(np.where(missing, False, values).astype(bool), missing)
    if any(issubclass(t, bool | np.bool_) for t in types):
        return Cells(values, missing)
    whole = all(issubclass(t, Integral) for t in types)
    try:
        numbers = np.where(missing, 0, values).astype(np.int64 if whole else np.float64)
    except OverflowError:
        raise ValueError(
            f"{name} holds integers of more than 64 bits. Make words of them (str), or smaller numbers."
        ) from None
    if not whole:
        of_floats(numbers, name)
    return Cells(numbers, missing)


def checked_levels(values: Array, missing: Array, name: Any) -> Array:
    """The values; ValueError where some of the known ones are neither words nor numbers."""
    for x in values[~missing]:
        if isinstance(x, complex) or not isinstance(x, WORDS):
            refuse(name, type(x).__name__, dates=isinstance(x, DATES))
    return values


def refuse(name: Any, found: Any, dates: bool = False) -> None:
    """ValueError for a column of that type."""
    dates = dates or getattr(found, "kind", "") in ("m", "M")
    held = f"dates or times ({found})" if dates else f"values of the type {found}"
    cure = NUMBERS_OF_DATES if dates else "Make numbers or words of it first, or drop the column."
    raise ValueError(f"{name} holds {held}, which no unit stands for. {cure}")


# Back ---------------------------------------------------------------------------------------------


def form_of(X: Any) -> Any:
    """The container without its rows: names, dtypes and categories of the columns."""
    return X.iloc[:0] if is_frame(X) else X[:0]


def filled(table: Table, values: list[Array]) -> Any:
    """A copy of the table with `values` in its gaps, those that are known; all other cells are as they were."""
    if not is_frame(table.source):
        out = table.source.copy()
        for k, (cells, x) in enumerate(zip(table.cells, values, strict=True)):
            out[cells.missing, k] = x[cells.missing]
        return out
    out = table.source.copy()
    for k, (cells, x) in enumerate(zip(table.cells, values, strict=True)):
        gaps = cells.missing & np.array([y is not None for y in x.tolist()], bool)
        if gaps.any():
            series = out.iloc[:, k].copy()
            series[gaps] = of_dtype(x[gaps], series.dtype)
            out.isetitem(k, series)
    return out


def of_dtype(values: Array, dtype: Any) -> Any:
    """Values as a column of the `dtype` holds them."""
    import pandas as pd

    kind = getattr(dtype, "kind", "O")
    if hasattr(dtype, "categories"):
        return pd.Categorical(values, dtype=dtype)
    if kind in "iu" and values.dtype.kind == "f":
        values = np.rint(values).astype(np.int64)
    return pd.array(values.tolist(), dtype=dtype)


def made(form: Any, values: list[Array], encoding: Encoding) -> Any:
    """New rows in a container as `form`; columns of which nothing is known are left out."""
    if not is_frame(form):
        out = np.empty((len(values[0]), form.shape[1]), form.dtype)
        for k, x in enumerate(values):
            unknown = np.array([y is None for y in x.tolist()], bool)
            out[:, k] = np.where(unknown, np.nan, x) if form.dtype.kind == "f" else x
        return out
    import pandas as pd

    known = [k for k, column in enumerate(encoding.columns) if column.known]
    series = {k: pd.Series(of_dtype(values[k], form.dtypes.iloc[k])) for k in known}
    frame = pd.DataFrame(series)
    frame.columns = form.columns[known]
    return frame


def condition(form: Any, given: Any, n_rows: int) -> Table:
    """Known cells of new rows: a mapping, a row or a frame of some columns, or an array with NaN where unknown."""
    X: Any = frame_of(form, given) if is_frame(form) else array_of(form, given)
    if len(X) not in (1, n_rows):
        raise ValueError(f"given must have 1 row or n_samples={n_rows} rows. Got {len(X)}.")
    which = np.zeros(n_rows, int) if len(X) == 1 else np.arange(n_rows)
    return table_of(X.iloc[which] if is_frame(X) else X[which], "given")


def frame_of(form: Any, given: Any) -> Any:
    """`given` with all columns of the frame, those that it lacks being unknown."""
    import pandas as pd

    if isinstance(given, pd.Series):
        given = given.to_dict()
    if isinstance(given, Mapping):
        columns = {k: x if np.ndim(x) else [x] for k, x in given.items()}
        given = pd.DataFrame(columns)
    if not is_frame(given):
        raise ValueError(
            "given must be a data frame, or a dict of names of columns and their values. "
            f"Got {shown(given)}."
        )
    strange = [name for name in given.columns if name not in form.columns]
    if strange:
        raise ValueError(
            f"given holds the column {strange[0]!r}. The columns are {list(form.columns)}."
        )
    return given.reindex(columns=form.columns)


def array_of(form: Any, given: Any) -> Array:
    """`given` as rows of as many columns as the array has."""
    rows = np.atleast_2d(np.asarray(given, None if hasattr(given, "dtype") else object))
    if rows.ndim != 2 or rows.shape[1] != form.shape[1]:
        raise ValueError(
            f"given must have {form.shape[1]} columns, NaN where unknown. Got the shape {rows.shape}."
        )
    return rows


def named_columns(form: Any) -> list[Any]:
    """The names of the columns, or their numbers in an array."""
    return list(form.columns) if is_frame(form) else list(range(form.shape[1]))


def by_column(names: list[Any], k: int, call: Callable[[], Any]) -> Any:
    """The result of a call about column `k`, whose name goes into its errors."""
    try:
        return call()
    except ValueError as error:
        raise ValueError(f"Column {names[k]!r} of X {error}") from None
