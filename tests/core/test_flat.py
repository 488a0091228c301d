"""ebm._flat: parameters as one vector, weights first, for any nesting of named and plain tuples."""

from typing import NamedTuple

import numpy as np
import pytest

from ebm import _flat
from ebm._flat import Extent


class Own(NamedTuple):
    bias: object
    slope: object


class Parameters(NamedTuple):
    first: object
    W: object
    rest: tuple


LAYOUT = Parameters(
    Own(Extent((2,)), Extent((3, 1))),
    Extent((2, 3), weight=True),
    (Own(Extent((0,)), Extent((1, 2), weight=True)), ()),
)


def test_weights_come_first_and_all_else_in_order():
    params = _flat.unpack(LAYOUT, np.arange(13.0))
    np.testing.assert_array_equal(params.W, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(params.rest[0].slope, [[6, 7]])
    np.testing.assert_array_equal(params.first.bias, [8, 9])
    np.testing.assert_array_equal(params.first.slope, [[10], [11], [12]])
    assert params.rest[0].bias.shape == (0,) and params.rest[1] == ()
    assert type(params) is Parameters and type(params.first) is Own
    assert _flat.n_weights(LAYOUT) == 8 and _flat.size(LAYOUT) == 13


def test_arrays_are_views():
    vector = np.zeros(13, np.float32)
    _flat.unpack(LAYOUT, vector).first.bias[:] = 5
    assert vector.tolist() == [0.0] * 8 + [5.0, 5.0] + [0.0] * 3


def test_packing_is_the_inverse_and_copies():
    vector = np.arange(13.0, dtype=np.float32)
    params = _flat.unpack(LAYOUT, vector)
    # An array in another order of memory has the same entries.
    packed = _flat.pack(LAYOUT, params._replace(W=np.asfortranarray(params.W)))
    np.testing.assert_array_equal(packed, vector)
    assert packed.dtype == np.float32 and not np.shares_memory(packed, vector)


@pytest.mark.parametrize("length", [12, 14])
def test_a_vector_of_another_length_is_refused(length):
    with pytest.raises(ValueError, match=f"vector must have 13 entries.*Got {length}"):
        _flat.unpack(LAYOUT, np.zeros(length))


def test_arrays_of_other_shapes_are_refused():
    params = _flat.unpack(LAYOUT, np.zeros(13))
    with pytest.raises(ValueError, match="params must be arrays of the shapes"):
        _flat.pack(LAYOUT, params._replace(W=params.W.T))
