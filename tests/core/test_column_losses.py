"""ebm.networks.column_losses: parts of columns with their own losses, and entries that are missing."""

import numpy as np
import pytest
from sklearn.base import clone

from ebm.networks.column_losses import ColumnLosses, KnownEntries
from ebm.networks.losses import LOSSES, Huber, loss_record
from tests.checks.networks import assert_loss
from tests.oracles import networks as oracle

RNG = np.random.default_rng(0)
ORACLES = {name: getattr(oracle, name) for name in LOSSES}
PARTS = (("squared_error", 2), ("cross_entropy", 3), ("binary_cross_entropy", 1), ("poisson", 2))
WEIGHTS = np.array([0.1, 0.0, 0.3, 0.4, 0.2])
Z = RNG.normal(size=(5, 8))
T = np.hstack(
    [
        RNG.normal(size=(5, 2)),
        np.eye(3)[[0, 1, 2, 1, 0]],
        np.array([[0.0], [1], [1], [0], [0.3]]),
        RNG.poisson(2.0, (5, 2)),
    ]
)


def by_parts(z, t):
    total, first = 0.0, 0
    for name, n in PARTS:
        total += ORACLES[name](z[first : first + n], t[first : first + n])
        first += n
    return total


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_parts_add_up(weights):
    assert_loss(ColumnLosses(PARTS).evaluate, by_parts, Z, T, weights)


def test_predictions_are_those_of_the_parts():
    loss, first = ColumnLosses(PARTS), 0
    found, linear = loss.output(Z.copy()), loss.linear(T.mean(axis=0), 1e-3)
    bends = loss.second(Z.copy(), T)
    for name, n in PARTS:
        part, record = slice(first, first + n), loss_record(name)
        np.testing.assert_array_equal(found[:, part], record.output(Z[:, part].copy()))
        np.testing.assert_array_equal(linear[part], record.linear(T[:, part].mean(axis=0), 1e-3))
        np.testing.assert_array_equal(bends[:, part], record.second(Z[:, part].copy(), T[:, part]))
        first += n
    np.testing.assert_array_equal(loss.counts(8), [0, 0, 0, 0, 0, 0, 1, 1])


@pytest.mark.parametrize("loss", [*map(loss_record, LOSSES), Huber(0.4)], ids=repr)
def test_losses_of_rows_have_the_weighted_mean(loss):
    t = np.abs(T[:, 3:6]) if repr(loss) != "CrossEntropy()" else T[:, 2:5]
    z = 2 * Z[:, :3]
    value, _ = loss.evaluate(z.copy(), t, WEIGHTS)
    np.testing.assert_allclose(WEIGHTS @ loss.of_rows(z, t), value, rtol=1e-13)


def test_losses_of_rows_of_parts():
    expected = [by_parts(z, t) for z, t in zip(Z, T, strict=True)]
    np.testing.assert_allclose(ColumnLosses(PARTS).of_rows(Z, T), expected, rtol=1e-13)


# Missing entries ----------------------------------------------------------------------------------


def gaps(t):
    t = t.copy()
    t[0, 0] = t[1, 2] = t[3, :] = np.nan
    return t


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"cross_entropy"}))
def test_missing_entries_have_no_loss_and_no_slope(name, weights):
    z, t = Z[:, :4].copy(), gaps(np.abs(np.clip(T[:, [2, 3, 5, 4]], 0, 1)))
    loss, twin = KnownEntries(loss_record(name)), ORACLES[name]
    value, delta = loss.evaluate(z.copy(), t, weights)
    np.testing.assert_allclose(value, oracle.loss_of_known(twin, z, t, weights), rtol=1e-13)
    slopes = oracle.slopes(lambda x: oracle.loss_of_known(twin, x, t, weights), z)
    np.testing.assert_allclose(delta, -slopes, rtol=0, atol=1e-8)
    assert not delta[np.isnan(t)].any()
    share = np.full(5, 0.2) if weights is None else weights
    np.testing.assert_allclose(share @ loss.of_rows(z, t), value, rtol=1e-12)
    far = np.where(np.isnan(t), 30.0, z)  # the output there counts for nothing
    np.testing.assert_array_equal(loss.of_rows(far, t), loss.of_rows(z, t))


def test_a_group_that_is_missing_has_no_loss():
    loss, t = KnownEntries(ColumnLosses((("cross_entropy", 3), ("squared_error", 1)))), T[:, 2:6]
    t = t.copy()
    t[0, :3] = np.nan
    value, delta = loss.evaluate(Z[:, :4].copy(), t)
    whole = [
        (oracle.cross_entropy(z[:3], x[:3]) if k else 0.0) + oracle.squared_error(z[3:], x[3:])
        for k, (z, x) in enumerate(zip(Z[:, :4], t, strict=True))
    ]
    np.testing.assert_allclose(value, np.mean(whole), rtol=1e-13)
    assert not delta[0, :3].any()


@pytest.mark.parametrize("name", LOSSES)
def test_where_nothing_is_missing_nothing_changes(name):
    t = np.abs(T[:, 2:5])
    for dtype in (np.float32, np.float64):
        pairs = [
            loss.evaluate(Z[:, :3].astype(dtype).copy(), t.astype(dtype))
            for loss in (loss_record(name), KnownEntries(loss_record(name)))
        ]
        assert pairs[0][0] == pairs[1][0]
        np.testing.assert_array_equal(pairs[0][1], pairs[1][1])
        assert pairs[1][1].dtype == dtype


# Refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts",
    [(), "poisson", (("poisson",),), (("poisson", 0),), (("lines", 3),), (("poisson", 1.5),)],
)
def test_parts_that_are_none_are_refused(parts):
    with pytest.raises(ValueError, match=r"parts|loss"):
        ColumnLosses(parts)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [(2, 1.0, "cross_entropy"), (5, 2.0, "binary"), (6, -1.0, "poisson")],
)
def test_targets_that_a_part_is_not_for_are_refused(column, value, message):
    wrong = T.copy()
    ColumnLosses(PARTS).check_targets(gaps(wrong))
    wrong[1, column] = value
    with pytest.raises(ValueError, match=message):
        KnownEntries(ColumnLosses(PARTS)).check_targets(wrong)
    with pytest.raises(ValueError, match="8 columns"):
        ColumnLosses(PARTS).check_targets(T[:, :4])


def test_a_record_like_others():
    loss = ColumnLosses(PARTS)
    assert clone(loss) == loss
    assert loss != ColumnLosses(PARTS[:2])
    assert loss.n_columns == 8


def test_the_least_loss_is_that_of_the_parts_and_of_known_entries():
    t = np.array([[0.2, 0.5, 0.5], [np.nan, 0.0, 1.0], [0.0, np.nan, 0.3]])
    parts = ColumnLosses((("binary_cross_entropy", 1), ("cross_entropy", 2)))
    h = -0.2 * np.log(0.2) - 0.8 * np.log(0.8) + np.log(2)
    found = KnownEntries(parts).least(t)
    np.testing.assert_allclose(found, [h, 0, -0.3 * np.log(0.3)], rtol=1e-12)
