"""Steepest descent: the plain loop's minima, basins and states."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from ebm._kernels.descent import states_of
from ebm._random import Key
from ebm.inference.minima import find_minima
from tests.models.pairwise import STATES, spelled
from tests.oracles.pairwise import random_pairwise


def descended(model, s):
    """Where the flip that lowers the energy most, the first of several, ends."""
    low, high = model.states
    while True:
        fields = s @ model.J + model.b
        falls = np.where(s == high, -fields, fields)
        if falls.max() <= 0:
            return tuple(s)
        best = int(falls.argmax())
        s = s.copy()
        s[best] = low if s[best] == high else high


@pytest.mark.parametrize("states", STATES, ids=["binary", "spin"])
def test_minima_and_basins_are_those_of_the_plain_loop(states):
    oracle = random_pairwise(6, states, seed=4, scale=3.0)
    found = find_minima(*spelled(oracle), Key(11, 12))
    ends = Counter(descended(oracle, np.array(s)) for s in product(states, repeat=6))
    assert found.is_complete
    assert dict(zip(map(tuple, found.states), found.counts, strict=True)) == ends


def test_states_have_their_numbers():
    s = np.empty((3, 4))
    states_of(np.array([0, 5, 8]), -1.0, 1.0, s)
    np.testing.assert_array_equal(s, [[-1, -1, -1, -1], [1, -1, 1, -1], [-1, -1, -1, 1]])
