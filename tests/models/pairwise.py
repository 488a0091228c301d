"""Small pairwise models in both spellings, the library's and the oracles', and samples of their laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.units import Bernoulli, Spin
from tests.oracles import pairwise
from tests.oracles.pairwise import BINARY, SPIN

STATES = [BINARY, SPIN]
NAMES = {BINARY: "bernoulli", SPIN: "spin"}


def unit_of(oracle):
    """The library's type of the units."""
    return Bernoulli() if tuple(oracle.states) == BINARY else Spin()


def spelled(oracle, dtype=np.float64, mask=None):
    """Model and parameters in the library's spelling."""
    params = PairwiseParameters(oracle.J.astype(dtype), oracle.b.astype(dtype))
    return Pairwise(unit_of(oracle), oracle.n_hidden, mask), params


def with_parameters(oracle, params):
    """The oracle with the numbers of parameters in the library's spelling."""
    return replace(oracle, J=np.array(params[0], float), b=np.array(params[1], float))


def rows_of(oracle, n_rows, n_units=None, seed=0):
    """States drawn evenly: (n_rows, n_units), of all units by default."""
    rng = np.random.default_rng(seed)
    return rng.choice(oracle.states, size=(n_rows, oracle.n if n_units is None else n_units))


def draws_from(oracle, table, n_rows, seed=0):
    """Independent rows from a table of probabilities in the order of `all_states`."""
    n_units = len(table).bit_length() - 1
    rng = np.random.default_rng(seed)
    index = rng.choice(len(table), size=n_rows, p=table / table.sum())
    return pairwise.all_states(oracle, n_units)[index]


def counts_of(oracle, rows):
    """How often each state occurs among the rows."""
    index = pairwise.state_index(oracle, rows)
    return np.bincount(index, minlength=2 ** rows.shape[1])
