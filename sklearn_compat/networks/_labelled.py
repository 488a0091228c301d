"""Rows with targets that networks learn from, and those of them that are held out to stop by.

The argument `self` is the estimator.
"""

from typing import Any, NamedTuple

import numpy as np

from ebm._batches import Rows
from ebm._checks import Array
from ebm._random import Reserved, fold, stream
from ebm.networks.neighborhoods import copies
from ebm.sklearn_compat.networks._mlp_settings import check_parts, put_aside

# Rows of which early_stopping="auto" holds some out, two at least.
FEWEST_TO_SPLIT, FEWEST_HELD_OUT = 5, 2


class Labelled(NamedTuple):
    """Rows with targets (rows, outputs), None where they are their own targets, and their weights (rows,) or None."""

    X: Any
    targets: Array | None
    weights: Array | None


def labelled_rows(
    X: Any, targets: Array | None, labelled: Array, weights: Array | None
) -> Labelled:
    """The rows that have targets, and these in the precision of the rows."""
    if not labelled.all():
        X, weights = X[labelled], None if weights is None else weights[labelled]
    if targets is None:
        return Labelled(X, None, weights)
    with np.errstate(over="ignore"):  # targets beyond single precision become infinite: an error
        return Labelled(X, targets.astype(X.dtype), weights)


def check_some(weights: Array | None) -> None:
    """Refuse rows of which none counts, as where only unlabelled ones have a weight."""
    if weights is not None and not weights.any():
        raise ValueError(
            "sample_weight is zero for all rows that are to be trained on, those with a target that are not put aside. "
            "At least one must be positive."
        )


def repeated(rows: Labelled, weights: Array) -> Labelled:
    """Rows of weight w as w equal rows, for losses to which a row and its copies are neighbors."""
    index, each = copies(weights)
    targets = None if rows.targets is None else rows.targets[index]
    return Labelled(rows.X[index], targets, each)


def holds_out(self: Any, rows: Labelled) -> bool:
    """Whether some of the rows are put aside to stop by."""
    if self.early_stopping == "auto":
        return len(Rows(rows.X, rows.weights)) >= FEWEST_TO_SPLIT
    return bool(self.early_stopping)


def split(self: Any, rows: Labelled) -> tuple[Labelled, Labelled]:
    """Rows to train on, and rows to stop by."""
    if self._reconstructs:
        return parted(self, rows)
    strata = None if rows.targets is None else self._stratify(rows.targets)
    parts = put_aside(rows.X.shape[0], self.validation_fraction, self._own_seed(), strata)
    kept, held_out = (Labelled(*(None if x is None else x[k] for x in rows)) for k in parts)
    return kept, held_out


def parted(self: Any, rows: Labelled) -> tuple[Labelled, Labelled]:
    """The same where rows are their own targets: whether they are repeated or weighted makes no difference."""
    key = fold(stream(self._own_seed(), "shuffle"), Reserved.HELD_OUT.number)
    known = Rows(rows.X, rows.weights)
    least = FEWEST_HELD_OUT / len(known) if self.early_stopping == "auto" else 0.0
    weights = known.parted(max(self.validation_fraction, least), key)
    check_parts(self.validation_fraction, *(float(np.ceil(w).sum()) for w in weights))
    kept, held_out = (
        Labelled(rows.X[w > 0], None, None if rows.weights is None else w[w > 0]) for w in weights
    )
    return kept, held_out
