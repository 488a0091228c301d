"""Whether a machine of real visible units is wider than the data: a check after learning.

Let m_i(h) be the mean of visible unit i given the hidden units, and sigma_i^2 its variance. Where the distribution is
that of the rows,

    E[(v_i - m_i(h))^2] = sigma_i^2,        v a row, h a draw given v.

Learning begins with variances as large as those of the data, which become smaller as the hidden units learn to predict
the rows. A ratio of the two sides far below one shows that this has not come to its end.
"""

from functools import singledispatch
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._flat import in_double
from ebm._random import Key
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters

MOST_ROWS = 256
# The median over the features. On twelve tables, with 4 and with 256 hidden units, defaults end at 0.5 to 1; on two
# normals 15 standard deviations apart at 0.12 to 0.3, a nat or more below the likelihood that they could have.
LEAST_RATIO = 1 / 3


@singledispatch
def too_wide(model: Model, params: Any, rows: Any, key: Key) -> str:
    """Why the distribution is wider than the data, in words, or '': of machines with learned variances.

    `rows` are :class:`ebm._batches.Rows`.
    """
    return ""


@too_wide.register
def _(model: Bipartite, params: BipartiteParameters, rows: Any, key: Key) -> str:
    learned = model.visible.is_normal and model.visible.is_free("log_variance")
    if not learned or len(model.hidden.states or ()) != 2 or len(rows) < 2:
        return ""
    v = rows.some(min(len(rows), MOST_ROWS), key).astype(np.float64)
    ratio = float(np.median(residual_ratios(model, in_double(params), v)))
    if not ratio < LEAST_RATIO:
        return ""
    return (
        f"the distribution is wider than the data: given the hidden units, its variances are {1 / ratio:.2g} times "
        "those of the rows. Clouds of data that lie far apart are learned best by at most 10 hidden units with "
        'gradient="exact"'
    )


def residual_ratios(model: Bipartite, params: BipartiteParameters, v: Array) -> Array:
    """E[(v_i - m_i(h))^2] / sigma_i^2 over the rows `v`, all features: (n_visible,)."""
    mean = model.hidden_mean(params, v)
    (low, high), variance = model.hidden.states or (0, 1), model.visible.scale(params.visible)
    by_rows = ((v - model.visible_mean(params, mean)) ** 2).mean(axis=0)
    by_states = params.W**2 @ ((mean - low) * (high - mean)).mean(axis=0)
    ratios: Array = (by_rows + by_states) / variance
    return ratios
