"""ebm._arrays: what holds real numbers is let in as a plain array; all else is refused by name."""

from __future__ import annotations

import fractions

import numpy as np
import pytest
import scipy.sparse as sp

from ebm._arrays import LARGEST, as_numbers, check_magnitude, check_sparse

X = np.arange(12.0).reshape(4, 3)
FORMATS = ["csr", "csc", "bsr", "coo", "dia", "lil", "dok"]


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_a_sparse_matrix_is_read(name, kind):
    matrix = kind(X).asformat(name)
    np.testing.assert_array_equal(as_numbers(matrix, "given"), X)
    check_sparse(matrix.tocsr(), "given")


def test_empty_sparse_matrices_are_valid():
    for shape in ((0, 3), (3, 0), (4, 4)):
        for name in FORMATS:
            assert as_numbers(sp.csr_array(shape).asformat(name), "given").shape == shape


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_float_array_is_not_copied(dtype):
    x = X.astype(dtype)
    assert as_numbers(x, "given") is x


def test_other_numbers_become_double_precision():
    for x in (
        X.astype(np.float16),
        X.astype(np.int8),
        X > 5,
        X.astype(str),
        7,
        fractions.Fraction(1),
    ):
        numbers = as_numbers(x, "given")
        assert numbers.dtype == np.float64
        np.testing.assert_array_equal(numbers, np.asarray(x).astype(np.float64))


def test_masked_entries_are_nan():
    for dtype in (np.float32, np.float64, np.int64, object):
        masked = np.ma.masked_array(X.astype(dtype), X == 5)
        numbers = as_numbers(masked, "given")
        np.testing.assert_array_equal(numbers, np.where(X == 5, np.nan, X))
        assert numbers.dtype == (np.float32 if dtype is np.float32 else np.float64)


@pytest.mark.parametrize("dtype", LARGEST)
def test_the_largest_magnitude_has_squares_that_can_be_added_up(dtype):
    x = np.full(10**6, LARGEST[dtype], dtype)
    check_magnitude(x, "given")
    check_magnitude(-x, "given")
    assert np.isfinite(x @ x)
    assert np.isfinite(np.square(x).sum() * 10**6)
    said = f"given holds .*{dtype} magnitudes may be {LARGEST[dtype]:g}".replace("+", r"\+")
    for sign in (1, -1):
        with pytest.raises(
            ValueError,
            match=said,
        ):
            check_magnitude(sign * 1.1 * x.astype(np.float64), "given", dtype)


def test_nan_has_no_magnitude_and_infinity_is_named():
    check_magnitude(np.array([np.nan, 1.0]), "given")
    with pytest.raises(ValueError, match="given holds infinite values"):
        check_magnitude(np.array([np.nan, -np.inf]), "given")
