"""TableRBM: data frames in, data frames out; known distributions of the unknown cells."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import PowerTransformer

from ebm import Binomial, TableRBM

QUICK = {"n_components": 4, "n_iter": 3, "random_state": 0}
N = 60


def frame(n=N, seed=0):
    """One column of every dtype that is taken, without gaps."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    words = np.where(z > 0.3, "x", np.where(z < -0.5, "y", "w"))
    return pd.DataFrame(
        {
            "float": z,
            "float32": z.astype(np.float32) ** 3,
            "Float64": pd.array(np.round(z, 1), dtype="Float64"),
            "int": rng.poisson(np.exp(z)),
            "Int64": pd.array(rng.poisson(np.exp(z)), dtype="Int64"),
            "bool": z > 0,
            "boolean": pd.array(z > 0.5, dtype="boolean"),
            "object of booleans": (z > 0).astype(object),
            "object of words": words.astype(object),
            "object of numbers": rng.integers(0, 5, n).astype(object),
            "string": pd.array(words, dtype="string"),
            "category": pd.Categorical(words, categories=["never", "w", "x", "y"]),
            "numbers as categories": pd.Categorical(rng.integers(3, 6, n)),
            "ordered": pd.Categorical(words, categories=["y", "w", "never", "x"], ordered=True),
            "constant": "same",
        },
        index=pd.Index(np.arange(n) + 7, name="row"),
    )


def with_gaps(data, share=0.25, seed=1):
    """NA in some cells of the columns whose dtype can hold it; two rows and one column have only gaps."""
    mask = np.random.default_rng(seed).random(data.shape) < share
    mask[[3, 4]] = True
    mask[:, [data.columns.get_loc(name) for name in ("int", "bool")]] = False
    out = data.mask(pd.DataFrame(mask, data.index, data.columns)).astype(data.dtypes)
    return out.assign(empty=np.nan)


@pytest.fixture(scope="module")
def fitted():
    data = with_gaps(frame())
    return TableRBM(**QUICK).fit(data), data


def same_cells(a, b, where):
    """Whether the columns are equal in the cells of the mask."""
    return a[where].tolist() == b[where].tolist()


def test_kinds_of_the_columns(fitted):
    table, _ = fitted
    assert table.kinds_ == {
        **dict.fromkeys(("float", "float32", "Float64", "int", "Int64"), "real"),
        **dict.fromkeys(("bool", "boolean", "object of booleans"), "binary"),
        **dict.fromkeys(("object of words", "string", "category"), "categorical"),
        "object of numbers": "real",
        "numbers as categories": "categorical",
        "ordered": "ordinal",
        **dict.fromkeys(("constant", "empty"), "constant"),
    }
    assert list(table.kinds_) == [*frame().columns, "empty"]
    assert table.categories_["ordered"].tolist() == ["y", "w", "x"]
    assert table.categories_["numbers as categories"].tolist() == [3, 4, 5]


@pytest.mark.parametrize("n_draws", [None, 2])
def test_gaps_are_filled_and_nothing_else_changes(fitted, n_draws):
    table, data = fitted
    before = data.copy(deep=True)
    found = table.impute(data, n_draws=n_draws)
    pd.testing.assert_frame_equal(data, before)
    assert n_draws is None or len(found) == n_draws
    for filled in [found] if n_draws is None else found:
        assert filled.index.equals(data.index)
        assert filled.index.name == "row"
        assert (filled.dtypes == data.dtypes).all()
        assert filled["empty"].isna().all()
        assert not filled.drop(columns="empty").isna().any(axis=None)
        for name in data:
            known = data[name].notna().to_numpy()
            assert same_cells(filled[name], data[name], known)
            if table.kinds_[name] == "real":
                seen = data[name].dropna().astype(float)
                assert filled[name].astype(float).between(seen.min(), seen.max()).all()
                on_grid = np.isin(filled[name].astype(float), seen).all()
                assert on_grid or (n_draws is None and name not in ("int", "Int64"))
            elif name != "empty":
                assert set(filled[name]) <= set(data[name].dropna())


def test_the_same_call_gives_the_same_result_and_copies_differ(fitted):
    table, data = fitted
    pd.testing.assert_frame_equal(table.impute(data), table.impute(data))
    first, second = table.impute(data, n_draws=2)
    again, _ = table.impute(data, n_draws=2)
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(second)


def test_samples_are_rows_of_the_same_table(fitted):
    table, data = fitted
    drawn = table.sample(20, n_steps=10, random_state=0)
    known = data.drop(columns="empty")
    assert list(drawn) == list(known)
    assert (drawn.dtypes == known.dtypes).all()
    for name in known:
        assert set(drawn[name]) <= set(known[name].dropna())
    pd.testing.assert_frame_equal(drawn, table.sample(20, n_steps=10, random_state=0))
    assert not table.sample(20, n_steps=10).equals(table.sample(20, n_steps=10))


@pytest.mark.parametrize(
    "given",
    [
        {"string": "x", "int": 3},
        pd.Series({"int": 3, "string": "x"}),
        pd.DataFrame({"int": [3] * 5, "string": ["x"] * 5}),
    ],
    ids=["dict", "series", "frame"],
)
def test_given_cells_stay_as_they_are(fitted, given):
    table, _ = fitted
    drawn = table.sample(5, given=given, n_steps=5, random_state=0)
    assert drawn["string"].tolist() == ["x"] * 5
    assert drawn["int"].tolist() == [3] * 5
    assert drawn["float"].nunique() > 1


def test_given_levels_that_were_not_seen_are_told_and_drawn():
    X = np.array([[0.0, 1.0, 5.0], [1.0, 2.5, 5.0], [0.0, 3.5, 5.0], [1.0, 1.5, 5.0]])
    table = TableRBM(3, n_iter=2, random_state=0).fit(X)
    with pytest.warns(UserWarning, match="not seen in fit"):
        drawn = table.sample(4, given=np.array([["x", "1.5", "y"]], object), n_steps=5)
    assert set(drawn[:, 0]) <= {0.0, 1.0}
    assert (drawn[:, 1] == 1.5).all() and (drawn[:, 2] == 5).all()


def test_given_numbers_that_were_not_seen_stay_as_they_are(fitted):
    table, data = fitted
    value = float(data["float"].mean()) + 1e-7
    assert not (data["float"] == value).any()
    assert table.sample(3, given={"float": value}, n_steps=5)["float"].tolist() == [value] * 3


def test_features_have_names(fitted):
    table, data = fitted
    H = clone(table).set_output(transform="pandas").fit(data).transform(data)
    n_factors = table.machine_.n_factors
    assert list(H) == [f"tablerbm{k}" for k in range(4 + n_factors)]
    assert H.index.equals(data.index)
    np.testing.assert_array_equal(H, table.transform(data))
    binary = H.iloc[:, :4]
    assert ((binary > 0) & (binary < 1)).all(axis=None)


def test_likelihoods_of_rows_with_gaps(fitted):
    table, data = fitted
    data = data.copy()
    data.iloc[4] = data.iloc[3]  # nothing but the integer and the boolean is known
    rows = table.log_likelihood(data)
    assert rows.shape == (N,)
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(rows[3], rows[4])
    np.testing.assert_allclose(table.score(data), rows.mean())
    np.testing.assert_array_equal(table.score_samples(data), rows)
    log_z = rows + table.free_energy(data)
    np.testing.assert_allclose(log_z, log_z[0], rtol=0, atol=1e-8)


def test_a_fitted_table_can_be_stored(fitted):
    table, data = fitted
    again = pickle.loads(pickle.dumps(table))
    pd.testing.assert_frame_equal(again.impute(data), table.impute(data))


def test_the_kinds_are_printed_and_in_the_html(capsys):
    data = pd.DataFrame({"colour": ["red", "green", "blue"] * 4, "size": np.arange(12.0)})
    table = TableRBM(**QUICK | {"verbose": 1}).fit(data)
    assert "columns: {'colour': 'categorical', 'size': 'real'}" in capsys.readouterr().out
    html = table._repr_html_()
    assert all(word in html for word in ("categorical", "colour", "real", "size"))
    assert "categorical" not in TableRBM()._repr_html_()


# Known distributions --------------------------------------------------------------------------------

JOINT = np.array([[0.30, 0.05, 0.05], [0.05, 0.30, 0.05], [0.02, 0.03, 0.15]])


def dependent(n=4000, seed=0):
    """Two columns of three levels with the joint distribution of JOINT."""
    which = np.random.default_rng(seed).choice(9, n, p=JOINT.ravel())
    return pd.DataFrame(
        {"a": np.array(list("xyz"))[which // 3], "b": np.array(list("uvw"))[which % 3]}
    )


def test_probabilities_of_one_column_given_the_other_are_known():
    data = dependent()
    table = TableRBM(8, random_state=0).fit(data)
    rows = pd.DataFrame({"a": [None] * 3, "b": list("uvw")})
    p = table.column_proba(rows, "a")
    assert list(p) == list("xyz")
    exact = (JOINT / JOINT.sum(axis=0)).T
    np.testing.assert_allclose(p.to_numpy(), exact, rtol=0, atol=0.05)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    filled = table.impute(rows)
    assert filled["a"].tolist() == ["x", "y", "z"]
    alone = table.column_proba(pd.DataFrame({"a": [None], "b": [None]}, dtype=object), "a")
    np.testing.assert_allclose(alone.to_numpy()[0], JOINT.sum(axis=1), rtol=0, atol=0.05)


def test_draws_follow_the_joint_distribution():
    table = TableRBM(8, random_state=0).fit(dependent())
    drawn = table.sample(4000, n_steps=100, random_state=0)
    found = pd.crosstab(drawn["a"], drawn["b"], normalize=True).to_numpy()
    assert abs(found - JOINT).sum() / 2 < 0.06
    copies = table.impute(pd.DataFrame({"a": [None] * 2000, "b": ["u"] * 2000}), n_draws=1)[0]
    shares = copies["a"].value_counts(normalize=True)[list("xyz")]
    assert abs(shares.to_numpy() - JOINT[:, 0] / JOINT[:, 0].sum()).max() < 0.06


def test_means_of_a_normal_table_are_near_the_conditional_means():
    rng = np.random.default_rng(0)
    C = np.array([[1, 0.8, 0.5], [0.8, 1, 0.6], [0.5, 0.6, 1]])
    X = rng.multivariate_normal(np.zeros(3), C, 3000)
    scaled = pd.DataFrame(X * [1, 100, 0.01] + [5, 0, 1], columns=list("abc"))
    table = TableRBM(20, random_state=0).fit(scaled)
    holes = scaled.iloc[:300].assign(b=np.nan)
    found = table.impute(holes)["b"] / 100
    weights = np.linalg.solve(C[np.ix_([0, 2], [0, 2])], C[[0, 2], 1])
    exact = X[:300][:, [0, 2]] @ weights
    # The mean of the column misses by 0.82 and a draw from the conditional distribution by 0.57.
    assert np.sqrt(np.mean((found - exact) ** 2)) < 0.25


# Bad input --------------------------------------------------------------------------------------------


def small():
    return pd.DataFrame({"a": list("xyzx") * 3, "b": np.arange(12.0), "c": [True, False] * 6})


def test_new_levels_count_as_missing_with_a_warning():
    data = small()
    table = TableRBM(**QUICK).fit(data)
    new = data.head(2).assign(a=["q", "x"])
    with pytest.warns(UserWarning, match="Column 'a' holds 'q', not seen in fit"):
        found = table.transform(new)
    np.testing.assert_array_equal(found, table.transform(new.assign(a=[None, "x"])))
    with pytest.warns(UserWarning, match="'a' holds 'q'"):
        assert table.impute(new)["a"].tolist() == ["q", "x"]


def test_columns_in_another_order_or_missing_are_refused():
    data = small()
    table = TableRBM(**QUICK).fit(data)
    for wrong in (data[["b", "a", "c"]], data[["a", "b"]], data.assign(d=1)):
        with pytest.raises(ValueError, match=r"feature names should match"):
            table.impute(wrong)


REFUSED = {
    "dates": (lambda: small().assign(d=pd.Timestamp("2020-01-01")), {}, "'d' of X holds dates"),
    "dates as objects": (
        lambda: small().assign(d=pd.Series([pd.Timestamp("2020-01-01").date()] * 12)),
        {},
        "'d' of X holds dates or times .date.",
    ),
    "lists": (lambda: small().assign(d=[[1]] * 12), {}, "'d' of X holds values of the type list"),
    "complex numbers": (
        lambda: small().assign(d=1j),
        {},
        "'d' of X holds values of the type complex",
    ),
    "infinity": (lambda: small().assign(b=np.inf), {}, "'b' of X holds infinity"),
    "the same name twice": (
        lambda: pd.concat([small(), small()[["a"]]], axis=1),
        {},
        "more than one column 'a'",
    ),
    "10 000 categories": (
        lambda: pd.DataFrame({"id": [f"k{k}" for k in range(10_000)], "b": np.arange(10_000)}),
        {},
        "Column 'id' of X has 10000 different values, more than max_levels=200",
    ),
    "nothing to learn": (lambda: pd.DataFrame({"a": ["x"] * 4, "b": 1.0}), {}, "two different"),
    "gaps alone": (lambda: pd.DataFrame({"a": [np.nan] * 4}), {}, "two different values"),
    "no rows": (lambda: small().iloc[:0], {}, "0 rows"),
    "no columns": (lambda: small()[[]], {}, "0 columns"),
    "an unknown kind": (
        small,
        {"b": "reals"},
        "Column 'b' of X must be described as one of binary",
    ),
    "an unknown column": (small, {"z": "real"}, "columns describes 'z', which X does not have"),
    "words as reals": (small, {"a": "real"}, "Column 'a' of X holds 'x', which is no number"),
    "fractions as counts": (
        lambda: small().assign(b=np.arange(12) / 2),
        {"b": "poisson"},
        "Column 'b' .*no whole numbers",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_cannot_be_read_is_refused_with_the_name_of_the_column(case):
    make, columns, message = REFUSED[case]
    table = TableRBM(**QUICK, columns=columns)
    with pytest.raises(ValueError, match=message):
        table.fit(make())
    assert not hasattr(table, "machine_")


def test_kinds_that_are_given_replace_those_guessed():
    data = small().assign(n=[0, 1, 2, 3] * 3, id=[f"k{k}" for k in range(12)])
    columns = {"b": "ignore", "n": Binomial(5), "id": "ignore"}
    table = TableRBM(**QUICK, columns=columns).fit(data)
    assert table.kinds_ == {
        "a": "categorical",
        "b": "constant",
        "c": "binary",
        "n": "count",
        "id": "constant",
    }
    assert table.machine_.n_features_in_ == 5
    assert list(table.sample(3, random_state=0)) == ["a", "c", "n"]
    holes = data.assign(b=np.nan)
    assert table.impute(holes)["b"].isna().all()


def test_wide_groups_of_categories_are_taken_where_asked_for():
    levels = [f"k{k % 500}" for k in range(1000)]
    data = pd.DataFrame({"a": levels, "b": np.arange(1000) % 3})
    table = TableRBM(**QUICK, max_levels=500).fit(data)
    assert table.machine_.n_features_in_ == 501


def test_column_proba_is_for_levels():
    table = TableRBM(**QUICK).fit(small())
    for column in ("b", "z"):
        with pytest.raises(ValueError, match=r"column must be .* one of \['a', 'c'\]"):
            table.column_proba(small(), column)


def test_given_that_does_not_fit_is_refused():
    table = TableRBM(**QUICK).fit(small())
    for given, message in (
        ({"z": 1}, "given holds the column 'z'"),
        ({"a": ["x"] * 2}, "given must have 1 row or n_samples=3"),
        (3.0, "given must be a data frame"),
    ):
        with pytest.raises(ValueError, match=message):
            table.sample(3, given=given)


def test_before_fit():
    for call in ("impute", "transform", "log_likelihood"):
        with pytest.raises(NotFittedError):
            getattr(TableRBM(), call)(small())
    with pytest.raises(NotFittedError):
        TableRBM().sample()


# Arrays and settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arrays_of_numbers_stay_arrays(dtype):
    rng = np.random.default_rng(0)
    X = np.c_[rng.normal(size=(40, 2)), rng.integers(0, 2, 40)].astype(dtype)
    holes = np.where(rng.random(X.shape) < 0.2, np.nan, X).astype(dtype)
    table = TableRBM(**QUICK).fit(holes)
    assert table.kinds_ == {0: "real", 1: "real", 2: "binary"}
    filled = table.impute(holes)
    assert filled.dtype == dtype
    known = ~np.isnan(holes)
    assert (filled[known] == holes[known]).all()
    assert not np.isnan(filled).any()
    drawn = table.sample(3, given=[np.nan, np.nan, 1], random_state=0)
    assert drawn.shape == (3, 3)
    assert drawn.dtype == dtype
    assert (drawn[:, 2] == 1).all()


def test_arrays_of_objects_are_read_column_by_column():
    X = np.array(
        [["a", 1.5, True], ["b", None, False], [None, 2.5, True], ["c", 0.5, None]], object
    )
    table = TableRBM(**QUICK).fit(X)
    assert table.kinds_ == {0: "categorical", 1: "real", 2: "binary"}
    filled = table.impute(X)
    assert filled.dtype == object
    assert [x is not None for x in filled.ravel()] == [True] * 12
    np.testing.assert_array_equal(table.transform(X), table.transform(X.tolist()))


def test_weights_of_zero_leave_rows_out():
    data = small()
    weights = np.r_[np.ones(9), np.zeros(3)]
    found = TableRBM(**QUICK).fit(data.assign(b=np.arange(12) % 9), sample_weight=weights)
    kept = TableRBM(**QUICK).fit(data.iloc[:9].assign(b=np.arange(9)))
    assert found.machine_.components_.shape == kept.machine_.components_.shape


@pytest.mark.parametrize("transformer", ["quantile", "yeo-johnson", "standard", PowerTransformer()])
def test_transformations_by_name_and_of_scikit_learn(transformer):
    data = small().assign(d=np.random.default_rng(0).lognormal(size=12))
    table = TableRBM(**QUICK, transformer=transformer).fit(data)
    holes = data.assign(d=data["d"].where(np.arange(12) % 3 > 0))
    filled = table.impute(holes)["d"]
    assert filled.between(data["d"].min(), data["d"].max()).all()
    largest = data.nlargest(1, "d")
    far = pd.concat([largest, largest.assign(d=1e4)])
    energies = table.free_energy(far)
    assert energies[1] == energies[0] or transformer != "quantile"
    assert energies[1] > energies[0] or transformer == "quantile"
