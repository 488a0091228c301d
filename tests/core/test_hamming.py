"""ebm.networks.hamming: every search against a comparison of all pairs, bit by bit."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from ebm import HammingIndex
from ebm.networks.hamming import ball_size

RNG = np.random.default_rng(0)


def by_hand(codes, queries):
    """Distances (queries, rows)."""
    return np.array(
        [[sum(a != b for a, b in zip(q, c, strict=True)) for c in codes] for q in queries]
    )


def of(n_bits, n_rows=60, n_queries=5, spread=0.5):
    """Codes that are near each other, with some equal ones."""
    codes = (RNG.random((n_rows, n_bits)) < spread).astype(np.uint8)
    codes[n_rows // 2 :] = codes[: n_rows - n_rows // 2]
    codes[n_rows // 2 + 5 :, 0] ^= 1
    return codes, (RNG.random((n_queries, n_bits)) < spread).astype(np.uint8)


@pytest.mark.parametrize("n_bits", [1, 7, 8, 22, 23, 63, 64, 65, 130])
@pytest.mark.parametrize("packed", [False, True])
def test_neighbors_are_those_of_all_pairs(n_bits, packed):
    codes, queries = of(n_bits, spread=0.1)
    apart = by_hand(codes, queries)
    order = np.argsort(apart, axis=1, kind="stable")
    given = [np.packbits(x, axis=1) if packed else x for x in (codes, queries)]
    index = HammingIndex(given[0], packed=packed)
    assert index.n_bits == (8 * given[0].shape[1] if packed else n_bits)
    for n in (1, 7, 60):
        distance, rows = index.kneighbors(given[1], n)
        np.testing.assert_array_equal(rows, order[:, :n])
        np.testing.assert_array_equal(distance, np.take_along_axis(apart, order[:, :n], axis=1))


@pytest.mark.parametrize("n_bits", [1, 7, 20, 23, 64])
@pytest.mark.parametrize("algorithm", ["scan", "addresses", "auto"])
def test_rows_within_a_radius_are_those_of_all_pairs(n_bits, algorithm):
    codes, queries = of(n_bits, spread=0.02)
    apart = by_hand(codes, queries)
    for radius in (0, 1, 2):
        found = HammingIndex(codes).radius_neighbors(queries, radius, algorithm=algorithm)
        for q, (distance, rows) in enumerate(zip(*found, strict=True)):
            inside = np.flatnonzero(apart[q] <= radius)
            expected = inside[np.argsort(apart[q][inside], kind="stable")]
            np.testing.assert_array_equal(rows, expected)
            np.testing.assert_array_equal(distance, apart[q][expected])
    assert any(len(rows) for rows in found.rows)


def test_a_radius_beyond_all_bits_has_all_rows():
    codes, queries = of(9)
    for algorithm in ("scan", "addresses"):
        found = HammingIndex(codes).radius_neighbors(queries, 100, algorithm=algorithm)
        assert [len(rows) for rows in found.rows] == [60] * 5


def test_many_rows_of_short_codes_are_looked_up():
    codes = (RNG.random((20_000, 12)) < 0.5).astype(np.uint8)
    index = HammingIndex(codes)
    found = index.radius_neighbors(codes[:3], 2)
    assert index._addresses is not None
    scanned = index.radius_neighbors(codes[:3], 2, algorithm="scan")
    for a, b in zip(found.rows + found.distance, scanned.rows + scanned.distance, strict=True):
        np.testing.assert_array_equal(a, b)
    few = HammingIndex(codes[:50])
    few.radius_neighbors(codes[:3], 2)
    assert few._addresses is None


def test_distances_are_those_of_scikit_learn_in_bits():
    codes, queries = of(40)
    theirs, _ = NearestNeighbors(n_neighbors=4, metric="hamming").fit(codes).kneighbors(queries)
    ours, _ = HammingIndex(codes).kneighbors(queries, 4)
    np.testing.assert_allclose(ours / 40, theirs)


def test_the_ball_is_counted():
    assert [ball_size(30, r) for r in (0, 2, 3, 4)] == [1, 466, 4526, 31931]
    assert ball_size(3, 9) == 8


def test_codes_are_left_alone_and_may_be_lists_floats_and_flags():
    codes, queries = of(10)
    before = codes.copy()
    expected = HammingIndex(codes).kneighbors(queries, 3)
    for given in (
        codes.tolist(),
        codes.astype(float),
        codes.astype(bool),
        np.asfortranarray(codes),
    ):
        for a, b in zip(HammingIndex(given).kneighbors(queries, 3), expected, strict=True):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(codes, before)
    none = HammingIndex(codes).kneighbors(codes[:0], 3)
    assert none[0].shape == (0, 3)
    assert HammingIndex(codes).radius_neighbors(codes[:0], 1).rows == []
    assert repr(HammingIndex(codes)) == "HammingIndex(60 rows of 10 bits)"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: HammingIndex([[0, 2]]), "codes must hold zeros and ones"),
        (lambda: HammingIndex([[0.0, np.nan]]), "codes must hold zeros and ones"),
        (lambda: HammingIndex([["a"]]), "codes"),
        (lambda: HammingIndex([0, 1]), "codes must have one row"),
        (lambda: HammingIndex(np.zeros((0, 3))), "one code"),
        (lambda: HammingIndex([[0, 1]], packed=True), "uint8"),
        (lambda: HammingIndex([[0, 1]], packed=1.5), "packed"),
        (lambda: HammingIndex([[0, 1]]).kneighbors([[0]]), "codes must have 2 bits"),
        (lambda: HammingIndex([[0, 1]]).kneighbors([[0, 1]], 2), "n_neighbors"),
        (lambda: HammingIndex([[0, 1]]).radius_neighbors([[0, 1]], -1), "radius"),
        (lambda: HammingIndex([[0, 1]]).radius_neighbors([[0, 1]], 1.5), "radius"),
        (
            lambda: HammingIndex([[0, 1]]).radius_neighbors([[0, 1]], algorithm="tree"),
            "algorithm",
        ),
        (
            lambda: HammingIndex(np.zeros((2, 65))).radius_neighbors(
                np.zeros((1, 65)), algorithm="addresses"
            ),
            "64 bits",
        ),
        (
            lambda: HammingIndex(np.zeros((2, 64))).radius_neighbors(
                np.zeros((1, 64)), 9, algorithm="addresses"
            ),
            "radius=9",
        ),
    ],
)
def test_refusals_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
