"""Whether the distribution of a machine lies where the data are: checks after learning.

Chains that never leave the cloud of data in which they started agree with the data, cloud by cloud, whatever the
distribution says of the clouds' weights. So the distribution itself is compared with the rows.

*Few hidden units* are enumerated. Let r be the distribution of the hidden states at the rows, averaged over these, and
q their distribution in the model. For every set A of hidden states

    r(A) log(r(A) / q(A)) + (1 - r(A)) log((1 - r(A)) / (1 - q(A)))  <=  KL(r || q)

is lost by the weights of the model's mixture components, in nats per row: one step of EM would gain at least this. The
sets compared are those on which r / q is above a threshold.

*More hidden units*: each product distribution bounds log Z from below (:mod:`ebm.likelihood.modes`), and so the
likelihood of rows from above. It is compared with that of independent normals with the moments of the data.

*Width.* Let m_i(h) be the mean of visible unit i given the hidden units, and sigma_i^2 its variance. Where the
distribution is that of the rows,

    E[(v_i - m_i(h))^2] = sigma_i^2,        v a row, h a draw given v.

Learning begins with variances as large as those of the data, which become smaller as the hidden units learn to predict
the rows. A ratio of the two sides far below one shows that this has not come to its end.

*States*: many hidden units determine few columns of two states, so that chains stay where they began. One state of the
columns may then have nearly all of the mass. The likelihood of the rows, exact for few columns and bounded from above
for more, is compared with that of independent units.
"""

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from scipy.special import xlogy

from ebm._checks import Array
from ebm._flat import in_double
from ebm._random import Key
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.states import state_blocks
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
# The median over the features. On twelve tables, with 4 and with 256 hidden units, defaults end at 0.5 to 1; on two
# normals 15 standard deviations apart at 0.12 to 0.3, a nat or more below the likelihood that they could have.
LEAST_RATIO = 1 / 3

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
    most = -model.free_energy(params, v).mean() - bounds.max()
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


@singledispatch
def improbable(model: Model, params: Any, rows: Any, key: Key) -> str:
    """Why the rows are less probable than as independent units, in words, or '': of two layers of two states each.

    `rows` are :class:`ebm._batches.Rows`. Rows that are no states, but probabilities, are not judged.
    """
    return ""


@improbable.register
def _(model: Bipartite, params: BipartiteParameters, rows: Any, key: Key) -> str:
    states = model.visible.states or ()
    if not (len(states) == len(model.hidden.states or ()) == 2):
        return ""
    v = rows.some(min(len(rows), MOST_ROWS), key).astype(np.float64)
    if not np.isin(v, states).all():
        return ""
    with np.errstate(all="ignore"):
        params = in_double(params)
        log_z = least_log_z(model, params, v)
        most = float(-model.free_energy(params, v).mean() - log_z)
    share = (v.mean(axis=0) - states[0]) / (states[1] - states[0])
    independent = float((xlogy(share, share) + xlogy(1 - share, 1 - share)).sum())
    if not most < independent - LOSS:
        return ""
    few = v.shape[1] <= MOST_ENUMERATED
    exact = ', or gradient="exact"' if few else ""
    return (
        f"the distribution is not where the data are: their mean log-likelihood is {'' if few else 'at most '}"
        f"{most:.4g}, and that of independent units {independent:.4g}. Use fewer hidden units{exact}"
    )


def least_log_z(model: Bipartite, params: BipartiteParameters, v: Array) -> float:
    """Log Z, exact for few visible units, or the largest of its lower bounds that begin at rows `v`."""
    if v.shape[1] > MOST_ENUMERATED:
        return float(block_bounds(model, params, v[:MOST_STARTS], STEPS).max())
    V = np.vstack([*state_blocks(model.visible.states, v.shape[1])]).astype(np.float64)
    return float(np.logaddexp.reduce(-model.free_energy(params, V)))


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
    params = in_double(params)
    # A few rows far away make variances large that the other rows cannot show.
    shown = model.visible.scale(params.visible) <= v.var(axis=0)
    if not shown.any():
        return ""
    ratio = float(np.median(residual_ratios(model, params, v)[shown]))
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
