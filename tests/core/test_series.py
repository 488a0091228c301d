"""Numbers one after the other, and the arrays of them."""

from __future__ import annotations

import pickle

import numpy as np

from ebm._series import Series


def test_arrays_are_those_of_the_list_and_stay_as_they_were():
    for entries in (
        [1, 2, 3],
        [1, 0.5, np.nan],
        [np.float32(0.1), 2.0],
        list(range(100)),
        [True, 2],
    ):
        series, seen = Series(), []
        for k, entry in enumerate(entries, 1):
            series.append(entry)
            if k % 3 != 2:  # several at a time, too
                seen.append((k, series.array))
        for k, array in seen:
            wanted = np.asarray(entries[:k])
            assert array.dtype == wanted.dtype
            np.testing.assert_array_equal(array, wanted)
        assert series == entries and series.is_of(series.array)
        assert not series.is_of(np.asarray(entries))


def test_nothing_is_moved_but_for_room_that_doubles():
    series, rooms = Series([0]), set()
    for k in range(1000):
        series.append(k)
        rooms.add(id(series.array.base))
        assert not series.is_of(series.array[:-1])
    assert len(rooms) <= 8


def test_an_empty_one():
    assert Series().array.shape == (0,) and Series(()).array.dtype == np.float64
    assert pickle.loads(pickle.dumps(Series([1, 2.5]))) == [1, 2.5]
