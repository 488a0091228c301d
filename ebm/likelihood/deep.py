"""Log-likelihoods of deep Boltzmann machines, and their variational bounds.

With the mean-field distribution q(h) of the hidden layers given a row v,

    log p(v) >= -<E(v, h)>_q + S(q) - log Z,

where S is the entropy (Salakhutdinov & Hinton 2009, equation 6). The bound falls short of log p(v) by the
Kullback-Leibler divergence of q from p(h | v). It has no error but that of log Z, and of a mean field that has not
converged it is a bound all the same.

Few hidden units are summed out exactly: those of the layers of one color, the others given them. Entries of rows that
are unknown (NaN) are summed out with the hidden units, or are units of the mean field like these.

Reverse annealing (RAISE, :mod:`ebm.likelihood.ais`) needs no log Z: see :func:`raised`.
"""

from functools import partial

import numpy as np
from scipy.special import log_softmax, logsumexp

from ebm._checks import Array
from ebm._flat import in_double
from ebm._random import Key, fold, uniform
from ebm._sparse import blocks
from ebm.energies.incomplete import gaps, patterns
from ebm.energies.layer_graph import EVEN
from ebm.energies.layer_sums import cheaper_color, layer_sum
from ebm.energies.layers import LayeredParameters
from ebm.energies.normal_sums import is_integral, log_integrals
from ebm.energies.trees import TreeModel
from ebm.inference.deep_means import SWEEPS, TOLERANCE
from ebm.inference.layered_mean_field import incomplete_mean_field, layered_bound
from ebm.likelihood.ais import RAISE, raise_log_likelihood
from ebm.likelihood.partition import DEFAULT, Evaluation, annealing_path

# States of hidden layers that are summed for each row unasked.
MOST_STATES = 2.0**12
# Parts of the mean field's inputs, in equal shares, with which hidden states are drawn where their probability counts:
# one mean field is often narrower than the posterior distribution.
WIDER = (1.0, 0.5, 0.0)


def mean_field_bounds(model: TreeModel, params: LayeredParameters, v: Array) -> tuple[Array, Array]:
    """Lower bounds of -F(v), and whether the mean field has converged, for each row of `v` (rows, n_visible)."""
    params = in_double(params)
    values, converged = [], []
    for _, block in blocks(v):
        known = model.split(block.astype(np.float64))
        means = incomplete_mean_field(model, params, known, n_sweeps=SWEEPS, tol=TOLERANCE)
        values.append(layered_bound(model, params, known, means))
        converged.append(means.converged)
    return np.concatenate(values), np.concatenate(converged)


def sums_or_bounds(model: TreeModel, params: LayeredParameters, v: Array) -> tuple[Array, Array]:
    """-F(v) of each row where the hidden layers of one color have few states, else its lower bound.

    Arguments and results are those of :func:`mean_field_bounds`.
    """
    torn: Array = np.any(np.isnan(v), axis=1)
    if torn.any():
        return _of_torn_rows(model, params, v, torn)
    known = dict.fromkeys(model.shown)
    if is_integral(model, known):
        rows = model.split(v.astype(np.float64))
        return log_integrals(model, in_double(params), rows), np.ones(len(v), bool)
    try:
        cheaper_color(model, known, MOST_STATES)
    except ValueError:
        return mean_field_bounds(model, params, v)
    parts = [layer_sum(model, params, model.split(block)).log_sums() for _, block in blocks(v)]
    return np.concatenate(parts), np.ones(len(v), bool)


def _of_torn_rows(
    model: TreeModel, params: LayeredParameters, v: Array, torn: Array
) -> tuple[Array, Array]:
    """Sums or bounds for rows of which some, a mask (rows,), have unknown entries, kind by kind of gaps."""
    values, converged = np.empty(len(v)), np.ones(len(v), bool)
    if not torn.all():
        values[~torn], converged[~torn] = sums_or_bounds(model, params, v[~torn])
    n_units, left = sum(model.shape(params)), []
    rows = np.flatnonzero(torn)
    for unknown, some in patterns(v[rows]):
        prepared = gaps(model, params, unknown)
        if prepared is None or prepared.row_work > MOST_STATES * n_units:
            left.append(rows[some])
        else:
            values[rows[some]] = prepared.sums(v[rows[some]].astype(np.float64)).log_weights
    if left:
        index = np.concatenate(left)
        values[index], converged[index] = mean_field_bounds(model, params, v[index])
    return values, converged


def raised(
    model: TreeModel,
    params: LayeredParameters,
    v: Array,
    choice: RAISE,
    evaluation: Evaluation = DEFAULT,
) -> tuple[Array, Array]:
    """RAISE estimates of log p(v), and their standard errors, for each complete row of `v` (rows, n_visible).

    Particles begin at the row, and at states of the even hidden layers from their mean field q given the row. Odd
    layers are summed out. The average of p_ann(v, h_even) / q(h_even) is unbiased for the probability of v under the
    annealing as a model, whatever q is (Burda, Grosse & Salakhutdinov 2015).

    Raises
    ------
    ValueError
        If visible layers are of both colors, as with pathways of unequal depths, or entries are unknown.
    """
    if any(model.places[k].color != EVEN for k in model.shown):
        raise ValueError(
            "method='raise' sums out every second layer. Here visible layers are among these, for their pathways have "
            "unequal depths. Use method='ais'."
        )
    if np.isnan(v).any():
        raise ValueError(
            "method='raise' takes complete rows, and X holds NaN. method='auto' sums out what is unknown."
        )
    path, _ = annealing_path(model, params, evaluation)
    completion = partial(_with_even_layers, model, params)
    rows = v.astype(model.dtype(params))
    return raise_log_likelihood(path, choice, rows, evaluation.key, evaluation.n_jobs, completion)


def _with_even_layers(
    model: TreeModel, params: LayeredParameters, v: Array, key: Key
) -> tuple[Array, Array]:
    """Even states that hold the rows `v`, with hidden layers drawn from a mixture q, and log q of these.

    The mixture has equal shares of the mean field given the row, and of the distributions with parts of its inputs.
    """
    known = model.split(v)
    means = incomplete_mean_field(model, params, known, n_sweeps=SWEEPS, tol=TOLERANCE)
    numbers = (len(WIDER) * uniform(fold(key, len(model.layers)), len(v))).astype(int)
    chosen = np.array(WIDER, v.dtype)[numbers, np.newaxis]
    states, logs = dict(known), np.zeros((len(WIDER), len(v)))
    for k in model.members[EVEN]:
        if k in known:
            continue
        unit, own = model.layers[k].unit, params.layers[k]
        f = np.ascontiguousarray(means.inputs[EVEN][:, model.places[k].columns])
        x = states[k] = unit.sample(own, chosen * f, fold(key, k))
        pull = np.einsum("ij,ij->i", unit.statistic(own, x), f, dtype=np.float64)
        for log_q, share in zip(logs, WIDER, strict=True):
            log_q += share * pull - unit.energy(own, x)
            log_q -= unit.log_normaliser(own, f * f.dtype.type(share))
    log_q = logsumexp(logs, axis=0) - np.log(len(WIDER))
    return model.colored(EVEN, states, model.nothing(params, EVEN, len(v))), log_q


def label_posterior(
    model: TreeModel, params: LayeredParameters, v: Array, n_labels: int
) -> tuple[Array, Array, Array]:
    """p(y | x) and its logarithm, (rows, n_labels), and whether the mean fields of each row have converged.

    The label units are the last ones of the rows `v`, whose values do not count. As in :func:`sums_or_bounds`, p(x, y)
    is a sum over the hidden layers, or its lower bound with a mean field for each label.
    """
    logs, converged = np.empty((len(v), n_labels)), np.ones(len(v), bool)
    for k in range(n_labels):
        rows = v.copy()
        rows[:, -n_labels:] = np.eye(n_labels)[k]
        logs[:, k], settled = sums_or_bounds(model, params, rows)
        converged &= settled
    log_p: Array = log_softmax(logs, axis=1)
    return np.exp(log_p), log_p, converged
