"""ebm._batches: the rows of an epoch, whatever order or form they are stored in."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import sparse

from ebm._batches import Redrawn, Rows, blocks, dense
from ebm._random import Key, fold, uniform
from tests.statistics import assert_same_distribution

KEY = Key(7, 8)


def reals(n_rows=50, n_columns=3, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_columns)).astype(dtype)


def bits(n_rows=50, n_columns=3, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n_rows, n_columns)).astype(np.float64)


def sequence(X, weights=None, key=KEY):
    """The rows of one epoch as training sees them, and their weights."""
    rows = Rows(X, weights)
    index, w = rows.epoch(key)
    out = np.empty((len(index), X.shape[1]), X.dtype)
    rows.gather(index, out)
    return out, w


def moments(X, weights=None):
    rows = Rows(X, weights)
    mean = rows.mean()
    return mean, rows.variance(mean)


@pytest.mark.parametrize("make", [reals, bits])
def test_every_row_comes_once_per_epoch(make):
    rows = Rows(make())
    for epoch in range(3):
        index, weights = rows.epoch(fold(KEY, epoch))
        assert weights is None
        np.testing.assert_array_equal(np.sort(index), np.arange(50))
    assert len(rows) == 50 and rows.n_columns == 3


@pytest.mark.parametrize("make", [reals, bits])
def test_epochs_and_keys_differ_in_order(make):
    X = make()
    first, second = (Rows(X).epoch(fold(KEY, epoch))[0] for epoch in range(2))
    assert (first != second).any()


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_rows", [3, 4])
def test_all_orders_are_equally_likely(n_rows):
    rows = Rows(reals(n_rows))
    orders = list(permutations(range(n_rows)))
    counts = np.zeros(len(orders))
    for epoch in range(4000):
        counts[orders.index(tuple(rows.epoch(fold(KEY, epoch))[0].tolist()))] += 1
    assert_same_distribution(counts, np.full(len(orders), 1 / len(orders)))


@pytest.mark.parametrize("make", [reals, bits])
def test_order_does_not_depend_on_how_the_rows_are_stored(make):
    X = make()
    shuffled = X[np.random.default_rng(1).permutation(len(X))]
    np.testing.assert_array_equal(sequence(X)[0], sequence(shuffled)[0])


def test_order_is_that_of_single_precision():
    X = reals(dtype=np.float32)
    np.testing.assert_array_equal(sequence(X)[0], sequence(X.astype(np.float64))[0])


def test_negative_zero_is_zero():
    X = bits()
    np.testing.assert_array_equal(sequence(X)[0], sequence(np.where(X == 0, -0.0, X))[0])


def test_some_rows_are_all_different_as_long_as_there_are_enough():
    X = reals(8)
    rows = Rows(X)
    assert len(np.unique(rows.some(8, KEY), axis=0)) == 8
    few, many = rows.some(5, KEY), rows.some(20, KEY)
    assert len(np.unique(few, axis=0)) == 5 and few.dtype == X.dtype
    np.testing.assert_array_equal(np.unique(many[:16], axis=0), np.unique(X, axis=0))
    np.testing.assert_array_equal(many[:8], many[8:16])
    np.testing.assert_array_equal(Rows(sparse.csr_array(X)).some(5, KEY), few)


# Weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [reals, bits])
def test_whole_weights_are_repetitions(make):
    X, counts = make(), np.random.default_rng(2).integers(0, 4, 50)
    weighted, w = sequence(X, counts.astype(float))
    assert w is None
    np.testing.assert_array_equal(weighted, sequence(np.repeat(X, counts, axis=0))[0])


def test_equal_rows_may_share_one_weight():
    X = bits()
    unique, counts = np.unique(X, axis=0, return_counts=True)
    np.testing.assert_array_equal(sequence(unique, counts.astype(float))[0], sequence(X)[0])


def test_the_last_copy_carries_the_fraction():
    X, weights = reals(6), np.array([0.25, 1.0, 2.5, 0.0, 3.0, 1.75])
    index, w = Rows(X, weights).epoch(KEY)
    np.testing.assert_array_equal(np.bincount(index, minlength=6), np.ceil(weights))
    np.testing.assert_allclose(np.bincount(index, w, minlength=6), weights, rtol=1e-15)
    for row, weight in enumerate(weights):
        copies = np.sort(w[index == row])[::-1]
        assert (copies[:-1] == 1).all() and (copies > 0).all() and (copies <= 1).all()
        assert copies.sum() == weight


def test_rows_of_weight_zero_do_not_come():
    X = reals(6)
    np.testing.assert_array_equal(
        sequence(X, np.array([1.0, 0, 1, 0, 1, 1]))[0], sequence(X[[0, 2, 4, 5]])[0]
    )


def test_weights_of_one_are_no_weights():
    X = reals()
    out, w = sequence(X, np.ones(50))
    assert w is None
    np.testing.assert_array_equal(out, sequence(X)[0])


# Forms of X ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csr_array])
def test_sparse_rows_are_dense_rows(form, dtype):
    X = (bits(60, 5) * reals(60, 5)).astype(dtype)
    expected, _ = sequence(X)
    rows = Rows(form(X))
    index, _ = rows.epoch(KEY)
    out = np.full((60, 5), 7, dtype)
    rows.gather(index, out)
    np.testing.assert_array_equal(out, expected)
    assert rows.n_columns == 5 and rows.dtype == dtype
    for a, b in zip(moments(form(X)), moments(X), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("form", ["F", "read-only", "memmap", "strided", "big-endian"])
def test_any_memory_layout_gives_the_same_rows_and_stays_as_it_is(form, tmp_path):
    plain = reals()
    X = plain
    if form == "F":
        X = np.asfortranarray(plain)
    elif form == "read-only":
        X = plain.copy()
        X.flags.writeable = False
    elif form == "memmap":
        plain.tofile(tmp_path / "X")
        X = np.memmap(tmp_path / "X", np.float64, "r", shape=plain.shape)
    elif form == "strided":
        X = np.repeat(np.repeat(plain, 2, axis=0), 2, axis=1)[::2, ::2]
    elif form == "big-endian":
        X = plain.astype(">f8")
    out, _ = sequence(X)
    np.testing.assert_array_equal(out, sequence(plain)[0])
    np.testing.assert_array_equal(X, plain)
    for a, b in zip(moments(X), moments(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_blocks_share_the_memory_of_a_dense_array():
    X = reals()
    for start, block in blocks(X):
        assert np.shares_memory(block, X)
        np.testing.assert_array_equal(block, X[start : start + len(block)])
    assert dense(X) is X


@pytest.mark.parametrize("n_columns", [1, 100_000, 300_000])
def test_blocks_are_consecutive_and_complete(n_columns):
    X = np.broadcast_to(np.arange(7.0)[:, np.newaxis], (7, n_columns))
    parts = list(blocks(X))
    np.testing.assert_array_equal(np.concatenate([b[:, 0] for _, b in parts]), np.arange(7))
    assert [start for start, _ in parts] == [int(b[0, 0]) for _, b in parts]


# Moments -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_are_numpys(dtype, weighted):
    X = reals(70, 4, dtype) + dtype(3)
    weights = np.random.default_rng(1).uniform(0, 3, 70) if weighted else None
    mean, variance = moments(X, weights)
    assert mean.dtype == variance.dtype == np.float64
    expected = np.average(X.astype(np.float64), axis=0, weights=weights)
    np.testing.assert_allclose(mean, expected, rtol=1e3 * np.finfo(dtype).eps)
    spread = np.average((X - expected) ** 2, axis=0, weights=weights)
    np.testing.assert_allclose(variance, spread, rtol=1e-6)
    total = 70 if weights is None else weights.sum()
    assert Rows(X, weights).total_weight == pytest.approx(total)


def test_moments_survive_a_large_mean():
    X = 1e8 + reals()
    np.testing.assert_allclose(moments(X)[1], X.var(axis=0), rtol=1e-12)


@pytest.mark.needs_jit
def test_moments_over_several_blocks_are_those_of_the_whole():
    X = reals(9, 100_000)
    mean, variance = moments(X)
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=0, atol=1e-14)
    np.testing.assert_allclose(variance, X.var(axis=0), rtol=1e-12)


def coins(chances, key, first):
    """States of units that are on by the given chances."""
    n_rows, n_columns = chances.shape
    numbers = uniform(key, (first + n_rows) * n_columns).reshape(-1, n_columns)
    return (numbers[first:] < chances).astype(chances.dtype)


def redrawn(chances, weights=None, labels=None):
    once = coins(chances, KEY, 0)
    return Redrawn(once if labels is None else np.hstack([once, labels]), weights, chances, coins)


def shown(rows, epoch=0, chunk=50):
    """All rows of an epoch, taken so many at a time, and which they are."""
    index, _ = rows.epoch(fold(KEY, epoch))
    out = np.empty((len(index), rows.n_columns), rows.dtype)
    for first in range(0, len(index), chunk):
        rows.take(index, first, out[first : first + chunk])
    return out, index


def test_rows_are_taken_in_the_order_of_the_epoch():
    X = reals()
    out, index = shown(Rows(X), chunk=7)
    np.testing.assert_array_equal(out, X[index])


def test_every_epoch_sees_other_draws_and_the_same_ones_again():
    chances = np.random.default_rng(0).random((50, 3))
    rows = redrawn(chances)
    first, second = (shown(rows, epoch) for epoch in range(2))
    sorted_draws = [out[np.argsort(index)] for out, index in (first, second)]
    assert (sorted_draws[0] != sorted_draws[1]).any()
    np.testing.assert_array_equal(shown(rows, 0)[0], first[0])
    np.testing.assert_array_equal(shown(rows, 0, chunk=7)[0], first[0])


@pytest.mark.needs_jit  # minutes without the compiler, for what other tests cover as well
def test_draws_have_the_law_of_their_rows():
    chances = np.repeat(np.random.default_rng(0).random((4, 3)), 50, axis=0)
    rows, n_epochs, mean = redrawn(chances), 200, np.zeros((200, 3))
    for epoch in range(n_epochs):
        out, index = shown(rows, epoch)
        mean[index] += out / n_epochs
    mean = mean.reshape(4, 50, 3).mean(axis=1)
    spread = np.sqrt(chances[::50] * (1 - chances[::50]) / (50 * n_epochs))
    assert (abs(mean - chances[::50]) < 5 * spread).all()


def test_draws_depend_on_what_they_are_drawn_from_and_not_on_where_it_stands():
    chances = np.random.default_rng(0).random((50, 3))
    order = np.random.default_rng(1).permutation(50)
    X, out = bits(), []
    for mine in (slice(None), order):  # what is drawn once stands beside the same row in both
        rows = Redrawn(X[mine], None, chances[mine], coins)
        out.append(shown(rows)[0])
    np.testing.assert_array_equal(*out)
    counts = np.arange(50) % 3
    repeated = Redrawn(np.repeat(X, counts, 0), None, np.repeat(chances, counts, 0), coins)
    np.testing.assert_array_equal(shown(Redrawn(X, counts, chances, coins))[0], shown(repeated)[0])


def test_columns_that_are_not_drawn_stand():
    chances, labels = np.random.default_rng(0).random((50, 3)), reals(50, 2)
    out, index = shown(redrawn(chances, labels=labels))
    np.testing.assert_array_equal(out[:, 3:], labels[index])
    assert set(np.unique(out[:, :3])) == {0, 1}


def test_what_is_drawn_once_serves_means_and_prototypes():
    chances = np.random.default_rng(0).random((50, 3))
    rows, once = redrawn(chances), Rows(coins(chances, KEY, 0))
    np.testing.assert_array_equal(rows.mean(), once.mean())
    some = rows.some(50, KEY)
    np.testing.assert_array_equal(np.sort(some, axis=0), np.sort(once.some(50, KEY), axis=0))


def test_sparse_rows_are_drawn_from_as_dense_ones():
    chances = np.random.default_rng(0).random((50, 3)) * bits()
    X = bits(seed=1)
    dense_rows = Redrawn(X, None, chances, coins)
    np.testing.assert_array_equal(
        shown(Redrawn(X, None, sparse.csr_array(chances), coins))[0], shown(dense_rows)[0]
    )


@pytest.mark.parametrize("make", [reals, bits])
def test_parts_do_not_depend_on_how_rows_are_stored_or_repeated(make):
    X, whole = make(), np.random.default_rng(1).integers(0, 4, 50).astype(float)
    kept, aside = Rows(X, whole).parted(0.3, KEY)
    np.testing.assert_array_equal(kept + aside, whole)
    assert aside.sum() == np.ceil(0.3 * whole.sum())
    assert (np.floor(aside) == aside).all()
    many = np.repeat(X, whole.astype(int), axis=0)[::-1]
    alone = [w.astype(bool) for w in Rows(many).parted(0.3, KEY)]
    for w, chosen in zip((kept, aside), alone, strict=True):
        mine, theirs = (
            np.sort(part, axis=0) for part in (np.repeat(X, w.astype(int), 0), many[chosen])
        )
        np.testing.assert_array_equal(mine, theirs)
    assert (Rows(X).parted(0.3, fold(KEY, 1))[0] != Rows(X).parted(0.3, KEY)[0]).any()


@pytest.mark.parametrize("weight", [0.7, 2.5, 1e-310])
def test_parts_of_fractions_are_of_either_side(weight):
    kept, aside = Rows(reals(), np.full(50, weight)).parted(0.4, KEY)
    np.testing.assert_allclose(kept + aside, weight, rtol=1e-12)
    assert kept.min() >= 0 and aside.min() >= 0
    assert np.ceil(aside).sum() == np.ceil(0.4 * 50 * np.ceil(weight))
