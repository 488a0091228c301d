"""ebm._checked: a check is made once for an object and its content, and again for any other."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from scipy.sparse import csr_array

from ebm._checked import _CHECKED, fingerprint, once

pytestmark = pytest.mark.needs_jit  # as plain Python too slow: fingerprints of large arrays

SHAPES = [(1, 1), (3, 5), (64, 64), (97, 131)]
DTYPES = [np.float64, np.float32, np.int8, bool]


class Counter:
    """A check that counts its calls and returns what it is told to."""

    def __init__(self, result=None):
        self.calls, self.result = 0, result

    def __call__(self, given, *settings):
        self.calls += 1
        return given if self.result is None else self.result


def matrix(shape=(97, 131), dtype=np.float64):
    return (np.random.default_rng(0).normal(size=shape) * 3).astype(dtype)


@pytest.mark.parametrize("make", [matrix, lambda: csr_array(matrix()), lambda: matrix().T])
def test_the_same_content_is_checked_once(make):
    given, check = make(), Counter()
    for _ in range(3):
        assert once(check, given, "name", 3) is given
    assert check.calls == 1
    once(check, given, "name", 4)
    once(check, make(), "name", 3)
    assert check.calls == 3


def test_the_result_is_kept_where_it_is_another():
    given, check = matrix(), Counter(np.ones(3))
    assert once(check, given) is check.result and once(check, given) is check.result
    assert check.calls == 1


@pytest.mark.parametrize("make", [list, lambda x: x[::2], lambda x: x.astype(object)])
def test_of_other_things_nothing_is_remembered(make):
    given, check = make(matrix()), Counter()
    once(check, given)
    once(check, given)
    assert check.calls == 2


def test_a_refused_array_is_refused_again():
    def refuse(given):
        raise ValueError("no")

    given = matrix()
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            once(refuse, given)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_any_changed_entry_changes_the_fingerprint(shape, dtype):
    x, rng = matrix(shape, dtype), np.random.default_rng(1)
    before, seen = fingerprint(x), set()
    for flat in rng.choice(x.size, min(x.size, 200), replace=False):
        place = np.unravel_index(flat, shape)
        old = x[place]
        x[place] = not old if dtype is bool else old + 1
        seen.add(fingerprint(x))
        x[place] = old
    assert before not in seen and len(seen) == min(x.size, 200)
    assert fingerprint(x) == before == fingerprint(x.copy())


def test_pairs_of_edits_do_not_cancel():
    """Signs, which are the topmost bits, and entries that change places, at every distance."""
    x = np.ones((64, 64))
    x.flat[:] = np.random.default_rng(2).choice([-1.0, 1.0], x.size)
    before = fingerprint(x)
    for distance in range(1, x.size):
        flipped, swapped = x.copy(), x.copy()
        flipped.flat[[0, distance]] *= -1
        swapped.flat[[0, distance]] = x.flat[[distance, 0]]
        assert fingerprint(flipped) != before
        assert (fingerprint(swapped) != before) == (x.flat[0] != x.flat[distance])


def test_an_edit_in_place_is_checked_again():
    for given, part in ((matrix(), lambda x: x), (csr_array(matrix()), lambda x: x.data)):
        check = Counter()
        once(check, given)
        part(given).flat[7] += 1
        once(check, given)
        assert check.calls == 2


def test_an_array_that_is_read_only_and_owns_its_numbers_is_not_read():
    x = matrix()
    written = fingerprint(x)
    x.setflags(write=False)
    assert fingerprint(x) != written and len(fingerprint(x)) < len(written)
    assert len(fingerprint(x[:])) == len(written)  # its owner may be written to


def test_nothing_is_kept_alive():
    given, check = matrix(), Counter(np.ones(3))
    gc.collect()
    before = len(_CHECKED)
    once(check, given)
    assert len(_CHECKED) == before + 1
    gone = weakref.ref(given)
    del given
    gc.collect()
    assert gone() is None and len(_CHECKED) == before
