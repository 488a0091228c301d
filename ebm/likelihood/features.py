"""Whether the features of a machine differ from row to row: a check after learning."""

from functools import singledispatch
from typing import Any

import numpy as np

from ebm._random import Key
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters

# Rows that are looked at, and the standard deviation below which a linear model with the usual penalty hardly sees a
# feature between 0 and 1.
MOST_ROWS, LEAST_DEVIATION = 256, 0.02
# Of units that are mostly off, few vary at any place: nine in ten have to be flat.
SHARE = 0.9


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
