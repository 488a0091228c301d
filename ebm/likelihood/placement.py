"""Whether the distribution of a machine of real visible units lies where the data are: a check after learning.

Chains that never leave the cloud of data in which they started agree with the data, cloud by cloud, whatever the
distribution says of the clouds' weights. So the distribution itself is compared with the rows.

*Few hidden units* are enumerated. Let r be the distribution of the hidden states at the rows, averaged over these, and
q their distribution in the model. For every set A of hidden states

    r(A) log(r(A) / q(A)) + (1 - r(A)) log((1 - r(A)) / (1 - q(A)))  <=  KL(r || q)

is lost by the weights of the model's mixture components, in nats per row: one step of EM would gain at least this. The
sets compared are those on which r / q is above a threshold.

*More hidden units*: each product distribution bounds log Z from below (:mod:`ebm.likelihood.modes`), and so the
likelihood of rows from above. It is compared with that of independent normals with the moments of the data.
"""

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._flat import in_double
from ebm._random import Key
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.states import state_blocks
from ebm.likelihood.free_energy import free_energy
from ebm.likelihood.modes import block_bounds

MOST_ENUMERATED = 10
# Rows that are compared, and those from which the search for a bound starts.
MOST_ROWS, MOST_STARTS, STEPS = 256, 16, 10
FAR = 4.0  # as far from the mean as a row, times this, begins the search for what lies outside of the data
# A warning needs a share of the rows that is not small, where the distribution has a twentieth of that share, and a
# loss of a nat per row.
LEAST_SHARE, RATIO, LOSS = 0.05, 20.0, 1.0
# A normal distribution that lies one standard deviation off in each feature loses half a nat by each.
LOSS_PER_FEATURE = 0.5

CURE_FEW = (
    'Chains seldom go from one cloud of data to another: use gradient="exact", which needs none'
)
CURE = "Use a larger n_iter, a smaller learning_rate, or fewer hidden units"


class Split(NamedTuple):
    """A set of hidden states: the share of the rows and of the distribution that lies there, and the nats per row lost
    by it.
    """

    of_rows: float
    of_law: float
    loss: float


@singledispatch
def misplaced(model: Model, params: Any, rows: Any, marginals: tuple[Array, ...], key: Key) -> str:
    """Why the distribution is not where the data are, in words, or '': of machines with real visible and two-state
    hidden units.

    `rows` are :class:`ebm._batches.Rows` and `marginals` their means and variances.
    """
    return ""


@misplaced.register
def _(
    model: Bipartite,
    params: BipartiteParameters,
    rows: Any,
    marginals: tuple[Array, ...],
    key: Key,
) -> str:
    if not (model.visible.has_scale and marginals and len(model.hidden.states or ()) == 2):
        return ""
    with np.errstate(all="ignore"):
        params = in_double(params)
        v = rows.some(min(len(rows), MOST_ROWS), key).astype(np.float64)
        if model.shape(params)[1] <= MOST_ENUMERATED:
            return _split_message(worst_split(model, params, v))
        return _bound_message(*upper_bound(model, params, v, marginals), v.shape[1])


def worst_split(model: Bipartite, params: BipartiteParameters, v: Array) -> Split:
    """The split of the hidden states that costs the most, among those with enough of the rows `v`."""
    H = np.vstack([*state_blocks(model.hidden.states, params.W.shape[1])]).astype(np.float64)
    energies = model.hidden.energy(params.hidden, H)
    log_q = model.visible.log_normaliser(params.visible, model.visible_input(params, H)) - energies
    log_q = log_q - np.logaddexp.reduce(log_q)
    inputs = model.hidden_input(params, v)
    normaliser = model.hidden.log_normaliser(params.hidden, inputs)
    log_r = inputs @ H.T - energies - normaliser[:, np.newaxis]
    # The exponentials are the cost.
    r = np.exp(log_r.astype(np.float32)).mean(axis=0, dtype=np.float64)
    order = np.argsort(log_q - np.log(np.maximum(r, 1e-300)))
    tiny = np.finfo(float).tiny
    P = np.clip(np.cumsum(r[order]), tiny, 1)
    Q = np.clip(np.cumsum(np.exp(log_q[order])), tiny, 1)
    rest = 1 - P
    loss = P * np.log(P / Q) + np.where(rest > 0, rest * np.log(rest / np.maximum(1 - Q, tiny)), 0)
    loss[LEAST_SHARE > P] = 0
    worst = int(np.argmax(loss))
    return Split(float(P[worst]), float(Q[worst]), float(loss[worst]))


def upper_bound(
    model: Bipartite, params: BipartiteParameters, v: Array, marginals: tuple[Array, ...]
) -> tuple[float, float]:
    """The largest that the mean log-likelihood of the rows `v` can be, and that of independent normals.

    The variances of these are at least those of the visible units given the hidden ones.
    """
    mean = marginals[0]
    starts = np.vstack([v[:MOST_STARTS], mean + FAR * (v[:MOST_STARTS] - mean)])
    bounds = block_bounds(model, params, starts, STEPS)
    most = -free_energy(model, params, v).mean() - bounds.max()
    least = model.visible.scale(params.visible)
    variance = marginals[1] if least is None else np.maximum(marginals[1], least)
    squares = (v - mean) ** 2 / variance
    independent = -0.5 * (squares + np.log(2 * np.pi * variance)).sum(axis=1).mean()
    return float(most), float(independent)


def _split_message(split: Split) -> str:
    if not (split.loss > LOSS and split.of_rows > RATIO * split.of_law):
        return ""
    share = max(split.of_law, 1e-6)
    return (
        f"the distribution is not where the data are: {split.of_rows:.0%} of the rows lie where it has at most "
        f"{share:.1g} of its mass. {CURE_FEW}"
    )


def _bound_message(most: float, independent: float, n_visible: int) -> str:
    if not most < independent - LOSS_PER_FEATURE * n_visible:
        return ""
    return (
        f"the distribution is not where the data are: their mean log-likelihood is at most {most:.4g}, and that of "
        f"independent normals {independent:.4g}. {CURE}"
    )
