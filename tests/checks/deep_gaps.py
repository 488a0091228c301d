"""Checks of chains of missing entries in deep machines, of the library's and of known-wrong ones.

`move` takes (model, params, origin, states, given, key) as :func:`ebm._gaps.swept` does.
"""

from __future__ import annotations

import itertools

import numpy as np

from ebm._gaps import RowsWithGaps, start_at_model, swept
from ebm._random import Key, fold
from tests.models.layers import both, rows_of
from tests.oracles import layers as oracles
from tests.statistics import assert_same_distribution

KEY = Key(5, 6)
N_CHAINS = 20_000


def torn_rows(oracle):
    v = rows_of(oracle, 4)
    v[0, 1] = v[1, 0] = v[1, 1] = v[3, -1] = np.nan
    return v


def even_and_missing(oracle, model, row):
    """Joint states of the missing entries and of the even hidden layers given a row, and their probabilities."""
    joint, p = oracles.joint_law(oracle)
    ends = np.cumsum([0, *(len(x.bias) for x in oracle.layers)])
    of_layer = [np.arange(a, b) for a, b in itertools.pairwise(ends)]
    seen = np.concatenate([of_layer[k] for k in model.shown])
    fits = (joint[:, seen] == row)[:, ~np.isnan(row)].all(axis=1)
    kept = [k for k in model.walked if k not in model.shown]
    columns = np.concatenate([seen[np.isnan(row)], *[of_layer[k] for k in kept]])
    states, which = np.unique(joint[fits][:, columns], axis=0, return_inverse=True)
    law = np.bincount(which.ravel(), p[fits])
    return states, law / law.sum()


def counts_of(states, found):
    number = {tuple(x): k for k, x in enumerate(states.tolist())}
    return np.bincount([number[tuple(x)] for x in found.tolist()], minlength=len(states))


def assert_chains_of_gaps(name, move=swept):
    """The even hidden layers are a part of the chain: missing entries and these, together, given what is known."""
    oracle, model, params = both(name, scale=1.5)
    row = torn_rows(oracle)[0]
    known, order = ~np.isnan(row), np.arange(N_CHAINS)
    states, law = even_and_missing(oracle, model, row)
    rows = RowsWithGaps(np.tile(row, (N_CHAINS, 1)))
    start_at_model(model, params, None, None, rows, KEY, n_sweeps=2)
    out = np.empty((N_CHAINS, len(row)))
    for visit in range(30):
        key = fold(KEY, visit + 1)
        rows.visit(order, 0, out, lambda v, given, k=key: move(model, params, None, v, given, k))
    np.testing.assert_array_equal(out[:, known], np.tile(row[known], (N_CHAINS, 1)))
    found = rows.missing.reshape(N_CHAINS, -1)
    np.testing.assert_array_equal(out[:, ~known], found[:, : np.count_nonzero(~known)])
    np.testing.assert_array_equal(rows.at(order), out)
    assert_same_distribution(counts_of(states, found), law)
    before = rows.missing.copy()
    rows.visit(order, 0, out, lambda v, given: move(model, params, None, v, given, KEY))
    assert (rows.missing != before).mean() > 0.1  # a chain that stands still passes all above
