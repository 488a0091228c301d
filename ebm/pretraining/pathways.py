"""Greedy pre-training of a tree of layers (:mod:`ebm.energies.trees`): pathway by pathway, and then the topmost layer.

The machines of each pathway learn one on top of the other from the columns of the pathway, as those of a stack
(:mod:`ebm.pretraining.greedy`). The topmost machine learns from the features that all pathways make of a row, side by
side. A row may know nothing of a pathway (NaN in all of its columns). The pathway learns nothing from such a row, and
its features are missing entries for the topmost machine, which learns from gaps (:mod:`ebm._gaps`). Rows that are known
in part are completed by a draw of the lowest machine. Columns without hidden layers, such as labels, are features
themselves.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ebm._arrays import has_gaps
from ebm._batches import Redrawn, Rows
from ebm._checks import Array
from ebm._gaps import RedrawnWithGaps, rows_of
from ebm._random import Key, Reserved, fold, stream
from ebm._sparse import dense
from ebm.pretraining.greedy import Layer, Machine, completed, learned, naming, pretrain
from ebm.pretraining.upward import Propagation, Step, top_draws
from ebm.training import INTERRUPTED


class Branch(NamedTuple):
    """One pathway: its columns in the rows, and the machines above them, from the data up.

    Attributes
    ----------
    columns : slice
    machines : sequence of Machine
        There may be none.
    """

    columns: slice
    machines: Sequence[Machine]


class Features(NamedTuple):
    """The topmost features of one pathway.

    Attributes
    ----------
    rows : ndarray of shape (rows, n_features)
        NaN where a row knows nothing of the pathway.
    source : ndarray of shape (rows, n_columns)
        The complete rows that they are made of; any values where a row knows nothing of the pathway.
    steps : list of Step
    """

    rows: Array
    source: Array
    steps: list[Step]


def pretrain_whole(
    machines: Sequence[Machine],
    X: Any,
    weights: Array | None,
    propagation: Propagation,
    transposed: bool = False,
) -> tuple[list[Layer], bool]:
    """All machines as layers, and whether an interrupt came: those after it have their initial weights."""
    found = pretrain(machines, X, weights, propagation, transposed=transposed)
    layers, interrupted = found.layers, found.interrupted or found.layers[-1].message == INTERRUPTED
    if len(layers) < len(machines):
        rest = [replace(x, n_epochs=0) for x in machines[len(layers) :]]
        below = [layer.step for layer in layers]
        layers = [*layers, *pretrain(rest, X, weights, propagation, below=below).layers]
    return layers, interrupted


def pretrain_tree(
    branches: Sequence[Branch],
    top: Machine,
    X: Any,
    weights: Array | None,
    propagation: Propagation,
    transposed: bool = False,
) -> tuple[list[Layer], bool]:
    """Train the machines of all pathways, and then the topmost one.

    Parameters
    ----------
    branches : sequence of Branch
    top : Machine
        Its visible units are the topmost units of the pathways, side by side.
    X : {ndarray, CSR array} of shape (rows, n)
        NaN where entries are missing.
    weights : ndarray of shape (rows,) or None
    propagation : Propagation
        The draws of each pathway have a seed of their own.
    transposed : bool
        Whether machines above the lowest begin as the one below turned over, where there is one pathway.

    Returns
    -------
    layers : list of Layer
        Pathway by pathway, the topmost one last.
    interrupted : bool
        Whether an interrupt ended the training: the layers after it have their initial weights.

    Raises
    ------
    ValueError
        With the name of the machine.
    """
    if len(branches) == 1:
        return pretrain_whole([*branches[0].machines, top], X, weights, propagation, transposed)
    layers: list[Layer] = []
    features: list[Features] = []
    interrupted = False
    for number, (columns, machines) in enumerate(branches):
        way = propagation._replace(seed=_seed(propagation.seed, number))
        part = X[:, columns]
        here: list[Layer] = []
        if machines:
            some = [replace(x, n_epochs=0) for x in machines] if interrupted else machines
            here, stopped = pretrain_whole(some, part, weights, way)
            interrupted |= stopped
        layers += here
        features.append(_features([layer.step for layer in here], part, way))
    top = replace(top, n_epochs=0) if interrupted else top
    rows = _joint_rows(features, weights, propagation.draws)
    with naming(top.name):
        last = learned(top, rows, np.hstack([x.rows for x in features]))
    return [*layers, last], interrupted or last.message == INTERRUPTED


def _seed(seed: int, number: int) -> int:
    """Of the draws of one pathway."""
    if number == 0:
        return seed
    return fold(stream(seed, "init"), Reserved.PATHWAY_SEEDS.number + number).word0


def _features(steps: list[Step], X: Any, propagation: Propagation) -> Features:
    """One draw of the topmost layer of a pathway, or its means, given the columns `X` of the pathway."""
    X = dense(X)
    unknown = np.isnan(X).all(axis=1)
    if not steps:
        return Features(np.array(X), np.nan_to_num(X, nan=0.0), [])
    if has_gaps(X):
        X = completed(steps[0], X, None, propagation.seed)[0]
    rows = X
    for k, step in enumerate(steps):
        rows = propagation.above(step, k, rows)
    rows[unknown] = np.nan
    return Features(rows, X, steps)


def _joint_rows(features: list[Features], weights: Array | None, draws: bool) -> Rows:
    """The rows of the topmost machine, drawn anew for every epoch."""
    rows = np.hstack([x.rows for x in features])
    if not draws:
        return rows_of(rows, weights)
    ends = np.cumsum([x.source.shape[1] for x in features])
    places = [slice(b - x.source.shape[1], b) for b, x in zip(ends, features, strict=True)]
    steps = [x.steps for x in features]
    source = np.hstack([x.source for x in features])
    kind = RedrawnWithGaps if has_gaps(rows) else Redrawn
    return kind(rows, weights, source, partial(_redrawn, places, steps))


def _redrawn(
    places: list[slice], steps: list[list[Step]], x: Array, key: Key, first_row: int
) -> Array:
    """One draw of the features of all pathways from dense rows `x`, side by side."""
    parts = []
    for number, (columns, above) in enumerate(zip(places, steps, strict=True)):
        part = x[:, columns]
        if above:
            part = top_draws(above, part, fold(key, number), first_row)
        parts.append(part)
    return np.hstack(parts)
