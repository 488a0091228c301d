"""Whether the features of a machine differ from row to row: a check after learning."""

from functools import singledispatch
from typing import Any

import numpy as np

from ebm._random import Key
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.layers import LayeredParameters
from ebm.energies.trees import TreeModel
from ebm.inference.layered_mean_field import incomplete_mean_field

# Rows that are looked at, and the standard deviation below which a linear model with the usual penalty hardly sees a
# feature between 0 and 1.
MOST_ROWS, LEAST_DEVIATION = 256, 0.02
# Of units that are mostly off, few vary at any place: nine in ten have to be flat.
SHARE = 0.9
# Hidden layers that determine each other, whatever the data are, deviate by less.
LEAST_OF_LAYERS = 0.005


@singledispatch
def flat_features(model: Model, params: Any, rows: Any, key: Key) -> str:
    """Why features serve a linear model badly, in words, or '': of machines with one layer of hidden units {0, 1}.

    `rows` are :class:`ebm._batches.Rows`.
    """
    return ""


@flat_features.register
def _(model: Bipartite, params: BipartiteParameters, rows: Any, key: Key) -> str:
    if not model.has_binary_hidden or len(rows) < 2:
        return ""
    some = rows.examples(min(len(rows), MOST_ROWS), key)
    deviation = float(np.quantile(np.std(model.hidden_mean(params, some), axis=0), SHARE))
    if not deviation < LEAST_DEVIATION:
        return ""
    return (
        f"the features hardly vary: their standard deviation over the rows is below {deviation:.2g} in nine of "
        "ten. Put a StandardScaler between them and a linear model"
    ) + (
        "" if model.has_scale else ". For columns of reals, use GaussianRBM after a StandardScaler"
    )


@flat_features.register
def _(model: TreeModel, params: LayeredParameters, rows: Any, key: Key) -> str:
    """Of all hidden layers in mean field: layers that hold each other in one state know nothing of the data."""
    binary = all(model.layers[k].unit.states == (0.0, 1.0) for k in model.hidden_layers)
    if not binary or len(rows) < 2:
        return ""
    some = model.split(rows.examples(min(len(rows), MOST_ROWS), key))
    means = incomplete_mean_field(model, params, some)
    places = [model.places[k] for k in model.hidden_layers]
    features = np.hstack([means.statistics[color][:, columns] for color, columns in places])
    if not np.quantile(np.std(features, axis=0), SHARE) < LEAST_OF_LAYERS:
        return ""
    return (
        "the hidden layers are in the same state for all rows: they hold each other there. Use "
        'pretraining="greedy", fewer hidden units or a smaller learning_rate'
    )
