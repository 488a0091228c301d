"""Free energies of rows of which some entries are unknown (NaN), these summed out.

    F(v_K) = -(1/beta) log sum_{v_U, h} exp(-beta E(v_K, v_U, h)),        log p(v_K) = -beta F(v_K) - log Z(beta),

the probability of what is known, whatever the rest may be. Exact as far as :mod:`ebm.energies.incomplete` sums; beyond
that the known entries turn the model into a smaller one of the same kind, whose log Z is estimated for each row.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._random import Key, Reserved, fold
from ebm._sparse import dense
from ebm.energies.base import Model
from ebm.energies.incomplete import conditioned, gaps, patterns
from ebm.likelihood.base import LogPartition

# Numbers that are evaluated for one row at most; a tenth of a minute.
MAX_WORK = 2.0**29


def incomplete_free_energy(
    model: Model,
    params: Any,
    v: Any,
    beta: float = 1.0,
    exact_log_z: Callable[[Any, Any, float], float | None] = lambda model, params, beta: None,
) -> Array:
    """F of the known values in each row of `v` (rows, n_visible), exactly: -> (rows,) in double precision.

    `exact_log_z` maps a model, its parameters and beta to log Z or None, for rows whose sums are not known otherwise.
    ValueError where the unknown units cannot be summed out.
    """
    rows = dense(v)
    values, left = _exact(model, params, rows, beta)
    for i in left.tolist():
        rest = conditioned(model, params, rows[i].astype(np.float64))
        log_z = exact_log_z(rest.model, rest.params, beta)
        values[i] = np.nan if log_z is None else -rest.log_constant - log_z / beta
    left = left[np.isnan(values[left])]
    if len(left):
        raise ValueError(
            f"The free energies of {len(left)} rows with unknown entries (NaN) take sums over more units than the 20 "
            "that are summed exactly. log_likelihood(X, return_std=True) estimates them, with an error."
        )
    return values


def estimated_incomplete_free_energy(
    model: Model, params: Any, v: Any, key: Key, log_z: Callable[[Any, Any, Key], LogPartition]
) -> tuple[Array, Array]:
    """The same at beta = 1, with the standard error of each row: zero where exact, else that of `log_z`.

    `log_z` maps a model, its parameters and a key to the log Z of the model.
    """
    rows = dense(v)
    values, left = _exact(model, params, rows, 1.0)
    errors = np.zeros(len(values))
    for i in left.tolist():
        rest = conditioned(model, params, rows[i].astype(np.float64))
        z = log_z(rest.model, rest.params, fold(fold(key, Reserved.INCOMPLETE_ROWS.number), i))
        values[i] = -(rest.log_constant + z.value)
        # Both ends of the interval and the reverse estimate count; of an estimate in doubt the error is unknown.
        known = max(z.standard_error, abs(np.nan_to_num(z.gap)), np.ptp(z.interval) / 4)
        errors[i] = np.inf if z.doubt else known
    return values, errors


def _exact(model: Model, params: Any, rows: Array, beta: float) -> tuple[Array, Array]:
    """F of each row as far as it is exact, and the numbers of the rows for which it is not."""
    values, left = np.full(len(rows), np.nan), [np.zeros(0, int)]
    for unknown, some in patterns(rows):
        prepared = gaps(model, params, unknown, beta)
        if prepared is None or prepared.work + prepared.row_work > MAX_WORK:
            left.append(some)
        else:
            values[some] = -prepared.sums(rows[some].astype(np.float64)).log_weights / beta
    return values, np.sort(np.concatenate(left))
