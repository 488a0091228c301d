"""Kinds of columns: guessed from the cells, or given.

=============  ====================================================================================
kind           column
=============  ====================================================================================
binary         two different values: booleans, words, whole numbers
categorical    words or unordered categories with more than two different values
ordinal        ordered categories: a Gaussian unit for the transformed number of the level
real           numbers, counts among them: a Gaussian unit for the transformed number
poisson        counts, where asked for: a Poisson unit. Overdispersed counts are better as "real"
binomial       counts up to the largest one seen, where asked for: a binomial unit
ignore         no unit, where asked for
=============  ====================================================================================

A column with one value, or none, has no unit either.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ebm._checks import Array, of_python, shown
from ebm.tables.columns import (
    Binary,
    Categories,
    Cells,
    Column,
    Constant,
    Count,
    Ordered,
    Real,
)
from ebm.tables.scores import Scale
from ebm.units import Bernoulli, Binomial, Categorical, Gaussian, Poisson, Unit

KINDS = ("binary", "categorical", "ordinal", "real", "poisson", "binomial", "ignore")
# Units by which a kind may be given, too.
OF_UNITS: dict[type[Unit], str] = {
    Bernoulli: "binary",
    Categorical: "categorical",
    Gaussian: "real",
    Poisson: "poisson",
    Binomial: "binomial",
}


def column_of(
    cells: Cells,
    kind: Any,
    order: Array | None,
    fitted_scale: Callable[[Array], Scale],
    max_levels: int,
) -> Column:
    """The description of a column.

    Parameters
    ----------
    cells : Cells
    kind : str, Unit or None
        One of :data:`KINDS` or a unit that stands for one; None to guess it.
    order : ndarray or None
        Levels of ordered categories, in order.
    fitted_scale : callable
        Numbers (rows, 1) -> their transformation.
    max_levels : int
        Largest number of levels of a categorical column.

    Raises
    ------
    ValueError
        If the cells are none of that kind. The message goes on after the name of the column.
    """
    known = cells.values[~cells.missing]
    numeric = known.dtype.kind in "iuf"
    levels = np.unique(known) if numeric else _sorted(known)
    given = _name(kind)
    if given == "ignore":
        return Constant(ignored=True)
    if len(levels) < 2:
        return Constant(of_python(levels[0]) if len(levels) else None)
    name = given or _guessed(levels, numeric, order)
    if name == "binary" and len(levels) > 2:
        raise ValueError(f"has {len(levels)} different values, which is no binary column.")
    if name == "binary":
        return Binary(levels)
    if name == "categorical":
        _check_levels(levels, max_levels)
        return Categories(levels)
    if name == "ordinal" and not numeric:
        return _ordered(levels, known, order, fitted_scale)
    return _number(name, kind, levels, known, fitted_scale)


def _name(kind: Any) -> str | None:
    """The kind that is given by its name or by a unit."""
    found = OF_UNITS.get(type(kind)) if isinstance(kind, Unit) else kind
    if found is not None and found not in KINDS:
        raise ValueError(f"must be described as one of {', '.join(KINDS)}. Got {shown(kind)}.")
    return found


def _sorted(known: Array) -> Array:
    """Different values in order, of several types those of one type after the other."""
    values = {of_python(x) for x in known}
    plain = sorted(values, key=lambda x: (type(x).__name__, x))
    levels = np.empty(len(plain), object)
    levels[:] = plain
    return levels.astype(bool) if known.dtype.kind == "b" else levels


def _guessed(levels: Array, numeric: bool, order: Array | None) -> str:
    whole = numeric and bool((levels == np.floor(levels)).all())
    if len(levels) == 2 and (whole or not numeric):
        return "binary"
    if numeric:
        return "real"
    return "categorical" if order is None else "ordinal"


def _check_levels(levels: Array, max_levels: int) -> None:
    if len(levels) > max_levels:
        raise ValueError(
            f"has {len(levels)} different values, more than max_levels={max_levels}, and each of them would be a unit. "
            "Leave the column out with columns={name: 'ignore'}, join rare levels, for example with "
            "sklearn.preprocessing.OneHotEncoder(max_categories=...), or set a larger max_levels."
        )


def _ordered(
    levels: Array, known: Array, order: Array | None, fitted_scale: Callable[[Array], Scale]
) -> Ordered:
    """Of the levels seen, in their order."""
    if order is None:
        raise ValueError(
            "holds words without an order. Make it ordered, for example with "
            "pandas.Categorical(column, categories=[...], ordered=True)."
        )
    seen = set(levels.tolist())
    levels = order[[of_python(x) in seen for x in order]]
    codes, _ = Binary(levels).codes(Cells(known, np.zeros(len(known), bool)))
    scale = fitted_scale(codes[:, np.newaxis])
    return Ordered(levels, Real(np.arange(len(levels), dtype=float), scale, whole=True))


def _number(
    name: str, kind: Any, levels: Array, known: Array, fitted_scale: Callable[[Array], Scale]
) -> Column:
    """Reals or counts."""
    if levels.dtype.kind not in "iufb":
        raise ValueError(f"holds {shown(levels[0])}, which is no number, and cannot be {name!r}.")
    values = levels.astype(np.float64)
    whole = known.dtype.kind in "iub"
    if name in ("poisson", "binomial"):
        largest = max(int(values[-1]), 1)
        default = Poisson() if name == "poisson" else Binomial(largest)
        count = Count(kind if isinstance(kind, Poisson | Binomial) else default, values, whole)
        count.encoded(Cells(values, np.zeros(len(values), bool)))
        return count
    return Real(values, fitted_scale(known[:, np.newaxis].astype(np.float64)), whole)
