"""ebm.networks: maxout, dropout, batch normalisation, against plain loops; slopes against differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ebm._random import Key
from ebm.networks.batch_norm import BatchNorm
from ebm.networks.dropout import Dropout
from ebm.networks.layer import Context, Nothing
from ebm.networks.maxout import Maxout
from tests.checks.networks import AFTER, TRAINING, assert_layer_slopes
from tests.oracles import networks

DTYPES = [np.float32, np.float64]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)
NOTHING = Nothing()
KEY = TRAINING.key


def rows(n_rows, n_units, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal((n_rows, n_units)).astype(dtype)


# Maxout --------------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("n_pieces", [1, 2, 3, 6])
def test_maxout_is_the_largest_of_consecutive_pieces(n_pieces, dtype):
    x = rows(5, 12, dtype)
    before = x.copy()
    layer = Maxout(n_pieces)
    y, winners = layer.forward(NOTHING, x, Context(free=True))
    assert y.dtype == dtype
    assert winners.dtype == np.uint8
    assert y.shape == (5, layer.width(12)) == (5, 12 // n_pieces)
    np.testing.assert_array_equal(y, networks.maxout(before, n_pieces))


@pytest.mark.parametrize("n_pieces", [1, 2, 3])
def test_maxout_slopes(n_pieces):
    assert_layer_slopes(Maxout(n_pieces), NOTHING, rows(4, 6))


@pytest.mark.parametrize("n_pieces", [2, 3])
@pytest.mark.parametrize("gap", [-1e-3, -2e-5, 2e-5, 1e-3])
def test_maxout_slopes_near_a_tie(n_pieces, gap):
    x = np.zeros((1, n_pieces))
    x[0, -1] = gap
    x[0, 1:-1] = -1
    assert_layer_slopes(Maxout(n_pieces), NOTHING, x)


@pytest.mark.parametrize("n_pieces", [2, 3])
def test_of_equal_pieces_the_first_wins(n_pieces):
    layer, x = Maxout(n_pieces), np.ones((1, 2 * n_pieces))
    _, winners = layer.forward(NOTHING, x, AFTER)
    below = layer.backward(NOTHING, winners, np.array([[2.0, 3.0]]), NOTHING, True)
    np.testing.assert_array_equal(np.flatnonzero(below), [0, n_pieces])
    np.testing.assert_array_equal(below[below != 0], [2.0, 3.0])


@every_dtype
@pytest.mark.parametrize("n_pieces", [2, 3])
def test_maxout_does_not_hide_what_diverged(n_pieces, dtype):
    for place in range(n_pieces):
        x = rows(1, n_pieces, dtype)
        x[0, place] = np.nan
        y, _ = Maxout(n_pieces).forward(NOTHING, x, AFTER)
        assert np.isnan(y[0, 0])


def test_maxout_of_very_many_pieces():
    layer = Maxout(300)
    x = -np.arange(600.0).reshape(1, 600)
    x[0, 299] = x[0, 400] = 1
    y, winners = layer.forward(NOTHING, x, AFTER)
    np.testing.assert_array_equal(y, [[1, 1]])
    np.testing.assert_array_equal(winners, [[299, 100]])
    below = layer.backward(NOTHING, winners, np.ones((1, 2)), NOTHING, True)
    np.testing.assert_array_equal(np.flatnonzero(below), [299, 400])


def test_maxout_needs_whole_groups():
    with pytest.raises(ValueError, match="needs a multiple of that many inputs"):
        Maxout(2).width(7)
    with pytest.raises(ValueError, match="n_pieces must be an integer"):
        Maxout(0)


# Dropout -------------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_dropout_draws_the_numbers_of_its_twin(rate, dtype):
    x = rows(6, 5, dtype)
    before = x.copy()
    y, _ = Dropout(rate).forward(NOTHING, x, TRAINING._replace(first_row=3))
    assert y.dtype == dtype
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(y, networks.dropout(before, rate, KEY, 3), rtol=2e-7)


def test_dropout_does_not_depend_on_how_rows_are_cut():
    x = rows(7, 5)
    layer = Dropout(0.4)
    whole, _ = layer.forward(NOTHING, x, TRAINING)
    parts = [
        layer.forward(NOTHING, x[i : i + 3], TRAINING._replace(first_row=i))[0] for i in (0, 3, 6)
    ]
    np.testing.assert_array_equal(np.vstack(parts), whole)
    # Wide enough that the words are drawn in several blocks.
    wide = np.ones((4, 3001))
    whole, _ = layer.forward(NOTHING, wide, TRAINING)
    last, _ = layer.forward(NOTHING, wide[3:], TRAINING._replace(first_row=3))
    np.testing.assert_array_equal(last, whole[3:])


def test_dropout_slopes():
    for context in (TRAINING, AFTER):
        assert_layer_slopes(Dropout(0.4), NOTHING, rows(4, 5), context)


def test_every_unit_falls_silent_at_the_rate_and_is_scaled_up():
    n_rows, n_units, rate = 150, 40, 0.3
    x = np.ones((n_rows, n_units))
    y, _ = Dropout(rate).forward(NOTHING, x, TRAINING)
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - rate)], rtol=1e-9)
    silent = y == 0
    assert stats.binomtest(int(silent.sum()), x.size, rate).pvalue > 1e-6
    # Jointly: the pairs of neighbours, in a row and in a column, are independent.
    for a, b in ((silent[:, :-1], silent[:, 1:]), (silent[:-1], silent[1:])):
        table = [[np.sum(a & b), np.sum(a & ~b)], [np.sum(~a & b), np.sum(~a & ~b)]]
        assert stats.chi2_contingency(table).pvalue > 1e-6
    other, _ = Dropout(rate).forward(NOTHING, x, TRAINING._replace(key=Key(7, 9)))
    assert (other != y).any()


@pytest.mark.parametrize(
    ("rate", "context"), [(0.5, AFTER), (0.5, AFTER._replace(key=KEY)), (0, TRAINING)]
)
def test_dropout_does_nothing_after_training(rate, context):
    x = rows(3, 4)
    before = x.copy()
    y, saved = Dropout(rate).forward(NOTHING, x, context._replace(free=True))
    assert y is x
    np.testing.assert_array_equal(y, before)
    delta = rows(3, 4, seed=1)
    np.testing.assert_array_equal(
        Dropout(rate).backward(NOTHING, saved, delta.copy(), NOTHING, True), delta
    )


def test_dropout_overwrites_a_free_input():
    x = rows(3, 4)
    y, _ = Dropout(0.5).forward(NOTHING, x, TRAINING._replace(free=True))
    assert y is x


@every_dtype
def test_dropout_does_not_hide_what_diverged(dtype):
    x = np.full((4, 5), np.nan, dtype)
    y, saved = Dropout(0.5).forward(NOTHING, x, TRAINING)
    assert np.isnan(y).all()
    assert np.isnan(Dropout(0.5).backward(NOTHING, saved, x, NOTHING, True)).all()


@pytest.mark.parametrize("rate", [1e-12, 1 - 1e-12])
def test_rates_near_the_ends(rate):
    y, _ = Dropout(rate).forward(NOTHING, np.ones((20, 50)), TRAINING)
    assert ((y > 0) == (rate < 0.5)).all()


@pytest.mark.parametrize("rate", [-0.1, 1.0, np.nan])
def test_dropout_rates_are_checked(rate):
    with pytest.raises(ValueError, match=r"rate must be a number in \[0.0, 1.0\)"):
        Dropout(rate)


# Batch normalisation -------------------------------------------------------------------------


def batch_norm_case(n_rows=6, dtype=np.float64, **settings):
    rng = np.random.default_rng(5)
    x = (rng.standard_normal((n_rows, 4)) * [1, 3, 0.2, 5] + [0, 2, -1, 10]).astype(dtype)
    own = BatchNorm.parameters(
        *(part.astype(dtype) for part in rng.standard_normal((3, 4))),
        rng.uniform(0.5, 2, 4).astype(dtype),
    )
    return BatchNorm(**settings), own, x


def copied(own):
    return type(own)(*(part.copy() for part in own))


@every_dtype
def test_batches_are_normalised_by_their_own_moments(dtype):
    layer, own, x = batch_norm_case(dtype=dtype, epsilon=1e-3)
    before, running = x.copy(), copied(own)
    y, _ = layer.forward(own, x, TRAINING._replace(free=True))
    np.testing.assert_array_equal(x, before)  # the way back needs it
    assert y.dtype == dtype
    mean, variance = networks.column_moments(before.astype(float))
    expected = networks.normalised(before, mean, variance, own.gamma, own.beta, 1e-3)
    np.testing.assert_allclose(y, expected, rtol=1e-5 if dtype == np.float32 else 1e-12)
    tolerance = 4 * np.finfo(dtype).eps
    moved = 0.9 * running.mean + 0.1 * mean
    np.testing.assert_allclose(own.mean, moved, rtol=tolerance, atol=tolerance)
    moved = 0.9 * running.variance + 0.1 * variance * 6 / 5
    np.testing.assert_allclose(own.variance, moved, rtol=tolerance)


def test_rows_are_normalised_by_the_running_moments_afterwards():
    layer, own, x = batch_norm_case(epsilon=1e-3)
    running = copied(own)
    y, _ = layer.forward(own, x, AFTER)
    expected = networks.normalised(x, own.mean, own.variance, own.gamma, own.beta, 1e-3)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    for part, same in zip(own, running, strict=True):
        np.testing.assert_array_equal(part, same)


@pytest.mark.parametrize("context", [TRAINING, AFTER])
@pytest.mark.parametrize("n_rows", [1, 2, 7])
def test_batch_norm_slopes(n_rows, context):
    layer, own, x = batch_norm_case(n_rows, epsilon=1e-2)
    assert_layer_slopes(layer, own, x, context, fixed=("mean", "variance"))


def test_a_single_row_has_no_variance():
    layer, own, x = batch_norm_case(1)
    running = copied(own)
    y, _ = layer.forward(own, x, TRAINING)
    np.testing.assert_allclose(y, own.beta[None, :], atol=1e-15)
    np.testing.assert_allclose(own.mean, 0.9 * running.mean + 0.1 * x[0], rtol=1e-14)
    np.testing.assert_array_equal(own.variance, running.variance)


def test_running_moments_become_those_of_the_data():
    layer = BatchNorm(momentum=0.0)
    own = layer.initial(3, KEY, np.float64)
    x = rows(50, 3, seed=6) * [1, 2, 3] + [5, 0, -5]
    layer.forward(own, x, TRAINING)
    np.testing.assert_allclose(own.mean, x.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(own.variance, x.var(axis=0, ddof=1), rtol=1e-13)


@every_dtype
def test_a_large_mean_does_not_cost_the_variance(dtype):
    # Squares minus squared means would have no digit left.
    x = (1e4 + rows(40, 3)).astype(dtype) if dtype == np.float32 else 1e9 + rows(40, 3)
    layer = BatchNorm(momentum=0.0, epsilon=1e-9)
    own = layer.initial(3, KEY, dtype)
    y, _ = layer.forward(own, x, TRAINING)
    mean, variance = networks.column_moments(x.astype(np.longdouble))
    np.testing.assert_allclose(own.variance, variance * 40 / 39, rtol=1e-6)
    ones, zeros = np.ones(3), np.zeros(3)
    expected = networks.normalised(x.astype(np.longdouble), mean, variance, ones, zeros, 1e-9)
    np.testing.assert_allclose(y, expected, atol=1e-5, rtol=0)
    # Constant columns have the variance zero, and not less.
    constant = np.full((7, 2), 0.1, dtype)
    own = layer.initial(2, KEY, dtype)
    y, _ = layer.forward(own, constant, TRAINING)
    assert (own.variance >= 0).all()
    np.testing.assert_allclose(y, 0, atol=1e-6)


@every_dtype
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_diverged_does_not_spoil_the_running_moments(bad, dtype):
    layer, own, x = batch_norm_case(dtype=dtype)
    x[2, 1] = bad
    running = copied(own)
    y, _ = layer.forward(own, x, TRAINING)
    assert np.isnan(y[:, 1]).any()
    for name in ("mean", "variance"):
        after = getattr(own, name)
        assert np.isfinite(after).all()
        assert after[1] == getattr(running, name)[1]
        assert (np.delete(after, 1) != np.delete(getattr(running, name), 1)).all()


def test_batch_norm_starts_as_the_identity():
    layer = BatchNorm(epsilon=1e-12)
    own = layer.initial(4, KEY, np.float32)
    assert {part.dtype for part in own} == {np.dtype(np.float32)}
    assert tuple(part.shape for part in own) == layer.shapes(4)
    assert len({id(part) for part in own}) == 4
    x = rows(3, 4, np.float32)
    y, _ = layer.forward(own, x, AFTER)
    np.testing.assert_allclose(y, x, rtol=1e-6)
    assert BatchNorm.weights == ()


def test_batch_norm_settings_are_checked():
    with pytest.raises(ValueError, match="momentum must be a number"):
        BatchNorm(momentum=1.0)
    with pytest.raises(ValueError, match="epsilon must be a number"):
        BatchNorm(epsilon=0.0)
