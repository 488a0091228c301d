"""ebm.tables: cells become states of units and come back; chains average what is unknown."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, rankdata
from sklearn.preprocessing import PowerTransformer, StandardScaler

from ebm import tables
from ebm._random import stream
from ebm.energies.columns import ColumnModel
from ebm.energies.layers import LayeredParameters
from ebm.tables import Cells, Encoding, NormalScores, along_chains, column_of
from ebm.units import Bernoulli, Binomial, Categorical, Gaussian, Poisson

NAN = np.nan


def cells(values, dtype=None):
    """Cells of a column; None and NaN are missing."""
    values = np.array(values, dtype) if dtype else np.array(values)
    if dtype is not object and values.dtype.kind in "iufb":
        return Cells(values, np.isnan(values.astype(float)))
    return Cells(values, np.array([x is None or x != x for x in values]))


def column(values, kind=None, order=None, dtype=None, max_levels=50, scale=NormalScores):
    given = cells(values, dtype)
    return column_of(given, kind, order, lambda x: scale().fit(x), max_levels), given


# Transformations --------------------------------------------------------------------------------


def test_normal_scores_are_normal_quantiles_of_middle_ranks():
    x = np.random.default_rng(0).integers(0, 6, 50).astype(float)
    scores = NormalScores().fit(x[:, np.newaxis])
    expected = norm.ppf((rankdata(x) - 0.5) / len(x))
    np.testing.assert_allclose(scores.transform(x), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(scores.inverse_transform(scores.transform(x)), x, atol=1e-12)


def test_weights_of_rows_are_repetitions():
    x, weights = np.array([3.0, 1.0, 3.0, 8.0, 2.0])[:, np.newaxis], np.array([1, 2, 3, 1, 4])
    weighted = NormalScores().fit(x, weights)
    repeated = NormalScores().fit(np.repeat(x, weights, axis=0))
    for name in ("values", "scores", "edges"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name))
    shuffled = np.repeat(x, weights, axis=0)[::-1]
    assert tables.repeated(x, weights).tolist() == tables.repeated(shuffled, None).tolist()


def test_normal_deviates_become_values_as_often_as_they_were_seen():
    x = np.repeat([0.0, 1.0, 7.0], [60, 30, 10])
    drawn, _ = column(x)
    z = np.random.default_rng(0).normal(size=(40_000, 1))
    values, counts = np.unique(drawn.drawn(z), return_counts=True)
    np.testing.assert_array_equal(values, [0, 1, 7])
    error = np.sqrt(np.array([0.6 * 0.4, 0.3 * 0.7, 0.1 * 0.9]) / len(z))
    assert (abs(counts / len(z) - [0.6, 0.3, 0.1]) < 5 * error).all()


@pytest.mark.parametrize("scale", [NormalScores, PowerTransformer, StandardScaler])
def test_a_mean_is_taken_after_the_inverse_transformation(scale):
    x = np.random.default_rng(0).lognormal(size=400)
    real, _ = column(x, scale=scale)
    mean, variance = 0.4, 0.25
    z = norm.ppf((np.arange(20_000) + 0.5) / 20_000) * np.sqrt(variance) + mean
    low, high = (real.scale.transform(np.array([[end]]))[0, 0] for end in (x.min(), x.max()))
    values = real.scale.inverse_transform(np.clip(z, low, high)[:, np.newaxis])
    found = real.numbers(np.array([[mean]]), np.array([variance]))
    # Normal scores are linear between values, which a quadrature with 7 nodes takes for smooth.
    np.testing.assert_allclose(found, values.mean(), rtol=0.03 if scale is NormalScores else 1e-3)


# Kinds --------------------------------------------------------------------------------------------

GUESSED = {
    "booleans": ([True, False, True], None, "binary"),
    "two words": (["a", "b", None], object, "binary"),
    "two whole numbers": ([1, 2, 2], None, "binary"),
    "zeros and ones as floats": ([0.0, 1.0, NAN], None, "binary"),
    "two fractions": ([0.25, 1.0, NAN], None, "real"),
    "words": (["a", "b", "c"], object, "categorical"),
    "words and numbers": (["a", 1, 2], object, "categorical"),
    "whole numbers": ([3, 1, 2], None, "real"),
    "reals": ([0.5, 1.5, NAN, -1], None, "real"),
    "one value": ([2.0, 2.0, NAN], None, "constant"),
    "one word": (["a", None], object, "constant"),
    "nothing": ([NAN, NAN], None, "constant"),
    "nothing of any type": ([None, None], object, "constant"),
}


@pytest.mark.parametrize("case", GUESSED)
def test_kinds_are_guessed_from_the_cells(case):
    values, dtype, kind = GUESSED[case]
    assert column(values, dtype=dtype)[0].kind == kind


@pytest.mark.parametrize("case", [case for case in GUESSED if GUESSED[case][2] != "constant"])
def test_known_cells_come_back_from_their_states(case):
    values, dtype, _ = GUESSED[case]
    described, given = column(values, dtype=dtype)
    states, unseen = described.encoded(given)
    assert not unseen
    np.testing.assert_array_equal(np.isnan(states).all(axis=1), given.missing)
    np.testing.assert_array_equal(np.isnan(states).any(axis=1), given.missing)
    back = described.drawn(states[~given.missing])
    assert back.tolist() == given.values[~given.missing].tolist()
    numbers = described.numbers(states[~given.missing], np.zeros(described.width))
    decided = described.decided(numbers)
    if described.kind == "real":
        np.testing.assert_allclose(decided, given.values[~given.missing])
    else:
        assert decided.tolist() == back.tolist()


def test_ordered_levels_are_numbers_in_their_order():
    order = np.array(["low", "middle", "high", "never seen"], object)
    described, given = column(["high", "low", None, "middle"], order=order, dtype=object)
    assert described.kind == "ordinal"
    assert described.levels.tolist() == ["low", "middle", "high"]
    states = described.encoded(given).states[:, 0]
    assert states[1] < states[3] < states[0]
    assert np.isnan(states[2])
    back = described.drawn(states[[0, 1, 3], np.newaxis])
    assert back.tolist() == ["high", "low", "middle"]
    assert described.decided(np.array([[0.9], [1.6]])).tolist() == ["middle", "high"]


@pytest.mark.parametrize(
    ("kind", "unit"),
    [
        ("poisson", Poisson()),
        ("binomial", Binomial(4)),
        (Binomial(7), Binomial(7)),
        (Poisson(), Poisson()),
        ("real", Gaussian()),
        (Gaussian(), Gaussian()),
        ("categorical", Categorical((4,))),
    ],
    ids=repr,
)
def test_a_kind_is_given_by_its_name_or_by_a_unit(kind, unit):
    described, given = column([0, 4, 2, 1], kind)
    assert described.unit == unit
    back = described.drawn(described.encoded(given).states)
    assert back.tolist() == [0, 4, 2, 1]


def test_draws_and_means_stay_in_the_range_and_on_the_grid_of_the_values_seen():
    z = 3 * np.random.default_rng(0).normal(size=(500, 1))
    for kind in ("real", "binomial", "poisson"):
        described, _ = column([1, 2, 4, 8, 8], kind)
        states = z if kind == "real" else np.floor(abs(z) * 3)
        drawn = described.drawn(states)
        assert set(drawn) <= ({1, 2, 4, 8} if kind == "real" else set(range(1, 9)))
        decided = described.decided(described.numbers(states, np.ones(1)))
        assert set(decided) <= (set(drawn) | {1, 2, 4, 8})


REFUSED = {
    "more than two": ([1, 2, 3], "binary", None, "has 3 different values, which is no binary"),
    "an unknown kind": ([1, 2, 3], "reel", None, "must be described as one of binary, .* 'reel'"),
    "words as numbers": (["a", "b", "c"], "real", object, "holds 'a', which is no number"),
    "words without order": (["a", "b", "c"], "ordinal", object, "words without an order"),
    "negative counts": ([-1, 2, 3], "poisson", None, "it holds .*-1"),
    "fractions as counts": ([0.5, 2, 3], "poisson", None, "no whole numbers"),
    "more than n counts": ([0, 9, 3], Binomial(4), None, "it holds"),
    "many levels": (list(range(60)), "categorical", None, "60 different .* max_levels=50"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_cells_that_are_none_of_the_kind_are_refused(case):
    values, kind, dtype, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        column(values, kind, dtype=dtype)


def test_values_not_seen_before_are_unknown_and_listed():
    for values, new, dtype in (
        (["a", "b", "c"], ["c", "x", "x"], object),
        (["a", "b"], ["b", "y", None], object),
        (["a", "a"], ["a", "y", None], object),
    ):
        described, _ = column(values, dtype=dtype)
        states, unseen = described.encoded(cells(new, object))
        assert unseen == [new[1]]
        if described.width:
            assert np.isnan(states).any(axis=1).tolist() == [False, True, True]


# A whole table -----------------------------------------------------------------------------------

TABLE = [
    ([0.5, 1.5, NAN, -1, 3], None, None),
    (["a", "b", "c", None, "a"], None, object),
    ([True, False, True, True, False], None, bool),
    ([7, 7, 7, 7, 7], None, None),
    ([0, 3, 2, 1, 0], "binomial", None),
    (["x", "y", "z", "w", None], None, object),
    ([0, 5, 2, 1, 0], "poisson", None),
    ([0, 9, 2, 1, 0], None, None),
    (["u", "v", "v", "v", "u"], None, object),
]


def test_a_table_is_sorted_by_the_types_of_its_units():
    made = [column(values, kind, dtype=dtype) for values, kind, dtype in TABLE]
    encoding = Encoding([described for described, _ in made])
    assert encoding.groups == [
        (Bernoulli(), 2),
        (Categorical((3, 4)), 7),
        (Gaussian(), 2),
        (Poisson(), 1),
        (Binomial(3), 1),
    ]
    assert encoding.width == 13
    rows, unseen = encoding.encoded([given for _, given in made])
    assert not unseen
    assert encoding.encoded(
        [cells(["new"] * 5, object) if k in (1, 5) else given for k, (_, given) in enumerate(made)]
    )[1] == {1: ["new"], 5: ["new"]}
    assert rows[1].tolist()[:9] == [0, 1, 0, 1, 0, 0, 0, 1, 0]
    complete = np.nan_to_num(rows)
    numbers = encoding.numbers(complete, np.zeros(13))
    for found in (encoding.drawn(complete), encoding.decided(numbers)):
        for (_, given), values in zip(made, found, strict=True):
            known = ~given.missing
            if given.values.dtype.kind == "f":
                np.testing.assert_allclose(values[known], given.values[known])
            else:
                assert values[known].tolist() == given.values[known].tolist()


# Chains ---------------------------------------------------------------------------------------------


@pytest.mark.needs_jit
def test_chains_average_a_function_of_the_units_given_the_known_ones():
    rng = np.random.default_rng(0)
    model = ColumnModel([(Bernoulli(), 3), (Categorical((3,)), 3)], Bernoulli(), 2)
    own = [u.neutral(n, np.float64) for u, n in ((Bernoulli(), 3), (Categorical((3,)), 3))]
    hidden = Bernoulli().neutral(2, np.float64)
    params = LayeredParameters(tuple(rng.normal(size=(2, 3, 2))), (*own, hidden))
    bits = np.indices((2, 2, 2)).reshape(3, -1).T
    states = np.array([[*b, *c] for b in bits for c in np.eye(3)], float)
    given = np.array([[1, NAN, NAN, NAN, NAN, NAN], [NAN, 0, NAN, 0, 1, 0]])
    found = along_chains(
        model, params, given, stream(0, "evaluation"), lambda v, means: v[:, :2] * v[:, 1:3], 4000
    )
    means = along_chains(
        model, params, given, stream(0, "evaluation"), lambda v, means: means[:, :2], 4000
    )
    for row, average, mean in zip(given, found, means, strict=True):
        held = (np.isnan(row) | (states == row)).all(axis=1)
        some = states[held]
        weights = np.exp(-model.free_energy(params, some))
        weights /= weights.sum()
        # 4000 independent chains with a variance of at most 1/4 each
        exact = weights @ (some[:, :2] * some[:, 1:3])
        assert (abs(average - exact) < 5 * 0.5 / np.sqrt(4000)).all()
        free = np.isnan(row[:2])
        assert (abs(mean - weights @ some[:, :2])[free] < 5 * 0.5 / np.sqrt(4000)).all()


def test_blocks_of_rows_are_bounded(monkeypatch):
    sizes = []
    model = ColumnModel([(Bernoulli(), 3)], Bernoulli(), 2)
    params = model.of_arrays(np.zeros((3, 2)), lambda name, neutral: neutral)
    monkeypatch.setattr("ebm.tables.completion.STATES", 5 * 12 * 4)

    def note(v, means):
        sizes.append(len(v))
        return v

    given = np.full((10, 3), NAN)
    assert along_chains(model, params, given, stream(0, "evaluation"), note).shape == (10, 3)
    assert set(sizes) == {4 * 12, 2 * 12}
