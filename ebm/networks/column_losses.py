"""Losses of rows whose columns are of several types, or known in part.

The columns of a table stand side by side: l(z, t) = sum_k l_k(z_k, t_k) over consecutive parts of the columns, each
with a loss of its own. An entry that is missing (a target of NaN) has no loss, and no derivative.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, ClassVar

import numpy as np

from ebm._checks import Array, check_integer, shown
from ebm.networks.losses import CrossEntropy, Derived, Loss, loss_record
from ebm.units import TOTAL_TOLERANCE, Unit


@dataclass(frozen=True, repr=False)
class ColumnLosses(Loss):
    """The sum of losses of consecutive parts of the columns.

    A part with the loss "cross_entropy" is one group of columns of which one each is 1, as
    :class:`sklearn.preprocessing.OneHotEncoder` makes of a column of categories. Its prediction is a softmax.

    Parameters
    ----------
    parts : tuple of (loss, int), default=(("squared_error", 1),)
        The loss of each part, by its name or as a record, and the number of its columns.

    Raises
    ------
    ValueError
        If there is no part, a loss is unknown, or a number of columns is no positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm.networks.column_losses import ColumnLosses
    >>> loss = ColumnLosses((("squared_error", 1), ("cross_entropy", 2)))
    >>> loss.output(np.array([[3.0, 0.0, 0.0]]))
    array([[3. , 0.5, 0.5]])
    """

    out_activation: ClassVar[str] = "by_column"
    parts: Any = (("squared_error", 1),)

    def __post_init__(self) -> None:
        pairs = self.parts if isinstance(self.parts, list | tuple) else ()
        if not pairs or not all(isinstance(x, list | tuple) and len(x) == 2 for x in pairs):
            raise ValueError(
                f"parts must be pairs of a loss and a number of columns. Got {shown(self.parts)}."
            )
        for loss, n in pairs:
            loss_record(loss)
            check_integer(n, "parts")

    @property
    def n_columns(self) -> int:
        """Columns of all parts together."""
        return sum(int(n) for _, n in self.parts)

    def _pieces(self, *arrays: Array) -> Iterator[tuple[Loss, slice, list[Array]]]:
        """The loss of each part, its columns, and these of all `arrays` (rows, columns), in new arrays."""
        edges = accumulate((int(n) for _, n in self.parts), initial=0)
        for (loss, _), (a, b) in zip(self.parts, pairwise(edges), strict=True):
            yield loss_record(loss), slice(a, b), [x[..., a:b].copy() for x in arrays]

    def check_targets(self, targets: Array) -> None:
        """Each part is refused what its loss is not for; groups are probabilities."""
        if targets.shape[1] != self.n_columns:
            raise ValueError(
                f"loss: the parts of {self!r} have {self.n_columns} columns, but there are {targets.shape[1]}."
            )
        for loss, columns, (t,) in self._pieces(targets):
            loss.check_targets(t)
            if isinstance(loss, CrossEntropy) and _no_probabilities(t):
                raise ValueError(
                    f"loss='cross_entropy' of the columns {columns.start} to {columns.stop - 1} is for groups of which "
                    "one column is 1 and the others are 0, as sklearn.preprocessing.OneHotEncoder makes them."
                )

    def linear(self, mean: Array, least: float = 0.0) -> Array:
        """Those of each part."""
        return np.concatenate([loss.linear(part, least) for loss, _, (part,) in self._pieces(mean)])

    def counts(self, n_outputs: int) -> Array:
        """Those of each part."""
        return np.concatenate([loss_record(loss).counts(int(n)) for loss, n in self.parts])

    def of_rows(self, z: Array, targets: Array) -> Array:
        """Sums over the parts."""
        total = np.zeros(len(z))
        for loss, _, (part, t) in self._pieces(z, targets):
            total += loss.of_rows(part, t)
        return total

    def least(self, targets: Array) -> Array:
        """Sums over the parts."""
        total = np.zeros(len(targets))
        for loss, _, (t,) in self._pieces(targets):
            total += loss.least(t)
        return total

    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        total = 0.0
        for loss, columns, (part, t) in self._pieces(z, targets):
            total += loss._sum(part, t, weights)
            z[:, columns] = part
        return total

    def output(self, z: Array) -> Array:
        """The prediction of each part."""
        for loss, columns, (part,) in self._pieces(z):
            z[:, columns] = loss.output(part)
        return z

    def _bend(self, z: Array, targets: Array) -> Array:
        for loss, columns, (part, t) in self._pieces(z, targets):
            z[:, columns] = loss._bend(part, t)
        return z

    def absences(self, n_outputs: int) -> Array:
        """Those of each part."""
        return np.concatenate([loss_record(loss).absences(int(n)) for loss, n in self.parts])


def _no_probabilities(t: Array) -> bool:
    known = t[~np.isnan(t).any(axis=1)]
    return bool((known < 0).any() or (abs(known.sum(axis=1) - 1) > TOTAL_TOLERANCE).any())


def loss_of_units(unit: Unit, n_units: int) -> Loss:
    """The loss whose prediction is the mean of such units given their input; ValueError if there is none."""
    parts = [(loss_record(name), n) for name, n in unit.losses(n_units)]
    whole, grouped = parts[0][0], isinstance(parts[0][0], CrossEntropy)
    return ColumnLosses(tuple(parts)) if grouped or len(parts) > 1 else whole


@dataclass(frozen=True, repr=False)
class KnownEntries(Derived):
    """A loss of the known entries: those whose target is NaN count for nothing.

    Parameters
    ----------
    loss : Loss
    """

    def _without(self, z: Array, targets: Array) -> tuple[Array, Array, Array | None]:
        """Outputs, targets and the mask of what is missing: None, and the arrays themselves, where nothing is."""
        missing = np.isnan(targets)
        if not missing.any():
            return z, targets, None
        far = self.loss.absences(z.shape[1]).astype(z.dtype)
        zero = targets.dtype.type(0)
        return np.where(missing, far, z), np.where(missing, zero, targets), missing

    def _sum(self, z: Array, targets: Array, weights: Array) -> float:
        known, t, missing = self._without(z, targets)
        value = self.loss._sum(known, t, weights)
        if missing is not None:
            z[:] = np.where(missing, z.dtype.type(0), known)
        return value

    def of_rows(self, z: Array, targets: Array) -> Array:
        """Of the known entries."""
        known, t, _ = self._without(z, targets)
        return self.loss.of_rows(known, t)

    def least(self, targets: Array) -> Array:
        """Of the known entries."""
        return self.loss.least(np.where(np.isnan(targets), targets.dtype.type(0), targets))

    def _bend(self, z: Array, targets: Array) -> Array:
        known, t, missing = self._without(z, targets)
        h = self.loss._bend(known, t)
        z[:] = h if missing is None else np.where(missing, z.dtype.type(0), h)
        return z
