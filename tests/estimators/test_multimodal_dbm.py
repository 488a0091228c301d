"""MultimodalDBM: modalities and their columns, learning with missing ones, inference, files and refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone

from ebm import DBM, RBM, BernoulliRBM, Categorical, Checkpoint, GaussianRBM, MultimodalDBM
from tests.estimators.stacks import Interrupt
from tests.oracles import layers as oracles
from tests.oracles.layers import OracleLayer, OracleLayers

RNG = np.random.default_rng(0)
KIND = RNG.integers(0, 2, (60, 1))
X = (RNG.random((60, 7)) < np.where(KIND, 0.85, 0.15)).astype(float)
TORN = X.copy()
TORN[:15, :4] = np.nan
TORN[15:30, 4:] = np.nan
TORN[30, 2] = TORN[31, 5] = np.nan
MODALITIES = [("image", [3, 2], slice(0, 4)), ("words", [3], slice(4, 7))]
FEW = {"n_iter": 2, "random_state": 0}


def machine(modalities=MODALITIES, top=2, **settings):
    return MultimodalDBM(modalities, top, **{**FEW, **settings})


def same(one, other):
    pairs = zip([*one.coefs_, *one.intercepts_], [*other.coefs_, *other.intercepts_], strict=True)
    return all(np.array_equal(a, b) for a, b in pairs) and np.array_equal(
        one.h_samples_, other.h_samples_
    )


def oracle_of(dbm):
    """Levels in order of the fitted attributes: v, h1, h2 of the image; v, h1 of the words; the top."""
    visible = [True, False, False, True, False, False]
    layers = [
        OracleLayer("bernoulli", b, visible=v)
        for b, v in zip(dbm.intercepts_, visible, strict=True)
    ]
    ends = [(0, 1), (1, 2), (2, 5), (3, 4), (4, 5)]
    edges = [(*pair, W, 1.0) for pair, W in zip(ends, dbm.coefs_, strict=True)]
    return OracleLayers(layers, edges)


@pytest.fixture(scope="module")
def fitted():
    return machine(n_iter=150, learning_rate=0.05).fit(X)


# --- learning -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [X, TORN], ids=["whole", "torn"])
@pytest.mark.parametrize("pretraining", ["greedy", "two_copies", None])
def test_all_layers_learn_and_their_histories_have_names(rows, pretraining):
    before = rows.copy()
    dbm = machine(pretraining=pretraining).fit(rows)
    np.testing.assert_array_equal(rows, before)
    assert [W.shape for W in dbm.coefs_] == [(4, 3), (3, 2), (2, 2), (3, 3), (3, 2)]
    assert [len(b) for b in dbm.intercepts_] == [4, 3, 2, 3, 3, 2]
    assert all(np.isfinite(W).all() for W in dbm.coefs_)
    names = ["image_layer1", "image_layer2", "words_layer1", "top"] if pretraining else []
    assert list(dbm.histories_) == [*names, "joint"]
    assert same(machine(pretraining=pretraining).fit(rows), dbm)
    assert not same(machine(pretraining=pretraining, random_state=1).fit(rows), dbm)


def test_one_modality_learns_as_a_deep_machine():
    one = machine([("all", [3], slice(None))], 2).fit(X)
    dbm = DBM([3, 2], pretraining="greedy", **FEW).fit(X)
    assert [W.shape for W in one.coefs_] == [W.shape for W in dbm.coefs_]
    # The seed of the topmost machine is another one; its model is the same.
    assert one._model() == dbm._model()


ORDER = np.array([5, 0, 6, 2, 1, 4, 3])


@pytest.mark.parametrize("rows", [X, TORN], ids=["whole", "torn"])
def test_columns_may_be_given_in_any_way_and_order(rows):
    plain = machine().fit(rows)
    shuffled = rows[:, ORDER]
    places = {k: i for i, k in enumerate(ORDER.tolist())}
    image, words = ([places[k] for k in some] for some in (range(4), range(4, 7)))
    names = [f"c{k}" for k in ORDER]
    ways = [
        (shuffled, image, words),
        (shuffled, np.array(image), [i - 7 for i in words]),
        (pd.DataFrame(shuffled, columns=names), [f"c{k}" for k in range(4)], ["c4", "c5", "c6"]),
        (rows, np.arange(7) < 4, (np.arange(7) >= 4).tolist()),
        (pd.DataFrame(rows, columns=[*"abcdefg"]), slice("a", "d"), slice("e", None)),
    ]
    for Z, some, others in ways:
        dbm = machine([("image", [3, 2], some), ("words", [3], others)]).fit(Z)
        assert same(dbm, plain)
        np.testing.assert_array_equal(dbm.transform(Z), plain.transform(rows))
        np.testing.assert_array_equal(dbm.score_samples(Z), plain.score_samples(rows))
        order = (
            ORDER
            if np.shape(Z)[1] == 7 and np.array_equal(np.array(Z), shuffled, True)
            else np.arange(7)
        )
        np.testing.assert_array_equal(dbm.impute(Z), plain.impute(rows)[:, order])
        np.testing.assert_array_equal(dbm.reconstruct(Z), plain.reconstruct(rows)[:, order])
        np.testing.assert_array_equal(
            dbm.sample(3, n_steps=5, given=rows[31][order], random_state=0),
            plain.sample(3, n_steps=5, given=rows[31], random_state=0)[:, order],
        )
        H = np.zeros((len(rows), 10))
        complete = dbm.impute(Z).round()
        if isinstance(Z, pd.DataFrame):
            complete = pd.DataFrame(complete, columns=Z.columns)
        np.testing.assert_array_equal(
            dbm.energy(complete, H), plain.energy(plain.impute(rows).round(), H)
        )


def test_forms_of_rows_and_dtypes():
    torn = machine().fit(TORN)
    objects = TORN.astype(object)
    objects[np.isnan(TORN)] = None
    for form in (objects, sparse.csr_array(TORN), np.asfortranarray(TORN)):
        assert same(machine().fit(form), torn)
    single = machine().fit(TORN.astype(np.float32))
    assert single.coefs_[0].dtype == single.transform(X.astype(np.float32)).dtype == np.float32


def test_weights_are_repetitions_and_rows_of_weight_zero_are_left_out():
    weights = np.r_[np.ones(50), np.zeros(10)]
    one, other = machine().fit(TORN[:50]), machine().fit(TORN, sample_weight=weights)
    for a, b in zip(one.coefs_, other.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_learning_goes_on_and_partial_fit_begins_at_its_batch(tmp_path):
    dbm = machine(warm_start=True).fit(TORN)
    once = dbm.coefs_[0].copy()
    dbm.fit(TORN)
    assert not np.array_equal(once, dbm.coefs_[0]) and list(dbm.history_["epoch"]) == [1, 2, 3, 4]
    dbm.partial_fit(TORN[:8])
    first = machine().partial_fit(TORN[:20])
    assert list(first.histories_) == ["joint"] and np.isfinite(first.coefs_[0]).all()


@pytest.mark.parametrize("rows", [X, TORN], ids=["whole", "torn"])
def test_an_interrupted_fit_goes_on_from_its_file(rows, tmp_path):
    whole = machine(n_iter=4).fit(rows)
    file = tmp_path / "file"

    def crash(report):
        if report.epoch == 3:
            raise OSError("the power went out")

    with pytest.raises(OSError, match="power"):
        machine(n_iter=4, callbacks=[Checkpoint(file), crash]).fit(rows)
    assert same(machine(n_iter=4).resume(file, rows), whole)


@pytest.mark.parametrize("name", ["image_layer1", "words_layer1", "top"])
def test_an_interrupt_of_pre_training_leaves_a_whole_machine(name):
    dbm = machine().set_params(**{f"{name}__callbacks": Interrupt(1), f"{name}__n_iter": 3})
    with pytest.warns(UserWarning, match=f"{name}: .*interrupted"):
        dbm.fit(X)
    assert all(np.isfinite(W).all() for W in dbm.coefs_)
    assert np.isfinite(dbm.score(X))


def test_nested_settings_reach_machines():
    dbm = machine()
    dbm.set_params(image_layer2__n_iter=7, top__learning_rate=0.5, words_layer1=BernoulliRBM(5))
    layers = {name: some for name, some, _ in dbm.modalities}
    assert layers["image"][0] == 3 and layers["image"][1].n_iter == 7
    assert layers["words"][0].n_components == 5 and dbm.top.learning_rate == 0.5
    assert MODALITIES[0][1] == [3, 2]  # the caller's list stays as it is
    assert clone(dbm).get_params()["image_layer2__n_iter"] == 7
    assert [W.shape[1] for W in dbm.fit(X).coefs_] == [3, 2, 2, 5, 2]


def test_modalities_have_units_of_their_own():
    rng = np.random.default_rng(0)
    Z = np.hstack([rng.normal(size=(40, 2)), X[:40, :2], np.eye(3)[np.arange(40) % 3]])
    tags = RBM(3, visible=[("bernoulli", 2), (Categorical((3,)), 3)])
    modalities = [("reals", [GaussianRBM(3)], slice(0, 2)), ("tags", [tags, 2], slice(2, None))]
    Z[:8, 2:] = np.nan
    Z[8:16, :2] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dbm = machine(modalities, learning_rate=0.01).fit(Z)
    assert list(dbm.layer_params_[0]) == ["log_variance"] and dbm.layer_params_[2] == {}
    drawn = dbm.sample(4, n_steps=5)
    assert (drawn[:, 4:].sum(axis=1) == 1).all() and np.isin(drawn[:, 2:], (0, 1)).all()
    complete = dbm.impute(Z, n_steps=20)
    np.testing.assert_allclose(complete[:8, 4:].sum(axis=1), 1)
    Z[0, 4] = 1
    with pytest.raises(ValueError, match="known as a whole or not at all"):
        machine(modalities).fit(Z)


def test_what_belongs_together_is_learned_from_rows_that_lack_modalities():
    """Two clusters; half of the rows lack one of two modalities."""
    rng = np.random.default_rng(1)
    kind = rng.integers(0, 2, (400, 1))
    Z = (rng.random((400, 8)) < np.where(kind, 0.9, 0.1)).astype(float)
    torn = Z.copy()
    torn[:100, :4] = np.nan
    torn[100:200, 4:] = np.nan
    parts = [("image", [BernoulliRBM(4, n_iter=60)], slice(0, 4)), ("words", [4], slice(4, 8))]
    dbm = machine(parts, BernoulliRBM(3, n_iter=100), n_iter=30, learning_rate=0.02).fit(torn)
    seen = np.full((2, 8), np.nan)
    seen[:, 4:] = [[0], [1]]
    low, high = dbm.impute(seen)[:, :4].mean(axis=1)
    assert low < 0.3 and high > 0.7
    assert np.abs(np.diff(dbm.transform(seen), axis=0)).max() > 0.3


# --- inference ------------------------------------------------------------------------------------------


def test_log_z_and_likelihoods_are_those_of_enumeration(fitted):
    oracle = oracle_of(fitted)
    z = fitted.log_partition()
    assert z.method == "exact" and z.value == pytest.approx(oracles.log_sum(oracle), abs=1e-9)
    expected = np.array([oracles.log_likelihood(oracle, row) for row in X[:4]])
    np.testing.assert_allclose(fitted.log_likelihood(X[:4]), expected, rtol=0, atol=1e-9)
    bound = fitted.lower_bound(X[:4])
    assert (bound <= expected + 1e-9).all()
    assert fitted.score(X[:4]) == pytest.approx(bound.mean())
    estimate, error = fitted.log_likelihood(X[:4], method="ais", return_std=True)
    assert (np.abs(estimate - expected) < 6 * error + 1e-6).all()


@pytest.mark.parametrize("known", [slice(0, 4), slice(4, 7)], ids=["image", "words"])
def test_a_missing_modality_has_its_exact_conditional_distribution(fitted, known):
    joint, p = oracles.joint_law(oracle_of(fitted))
    seen = np.hstack([joint[:, :4], joint[:, 9:12]])  # after h1, h2 of the image
    row = np.full(7, np.nan)
    row[known] = X[40][known]
    fits = (seen[:, known] == row[known]).all(axis=1)
    mean = p[fits] @ seen[fits] / p[fits].sum()
    imputed, error = fitted.impute(row[np.newaxis], return_std=True)
    assert not error.any()
    np.testing.assert_allclose(imputed[0], mean, rtol=0, atol=1e-9)
    marginal = np.log(p[fits].sum())
    assert fitted.log_likelihood(row[np.newaxis])[0] == pytest.approx(marginal, rel=0, abs=1e-9)
    assert fitted.lower_bound(row[np.newaxis])[0] <= marginal + 1e-9
    drawn = fitted.sample(4000, n_steps=60, given=row, random_state=0)
    np.testing.assert_array_equal(drawn[:, known], np.tile(row[known], (4000, 1)))
    deviation = np.sqrt(np.clip(mean * (1 - mean), 0, 1) / 4000)
    assert (np.abs(drawn.mean(axis=0) - mean) <= 5.5 * deviation + 1e-12).all()


def test_features_are_those_of_chosen_layers(fitted):
    everything = fitted.mean_field(TORN).layers
    assert [x.shape[1] for x in everything] == [3, 2, 3, 2]
    np.testing.assert_array_equal(fitted.transform(TORN), everything[3])
    several = {
        "all": [0, 1, 2, 3],
        ("words_layer1", "top"): [2, 3],
        "image_layer2": [1],
        3: [2],
        (4, "image_layer1"): [3, 0],
    }
    for features, chosen in several.items():
        some = clone(fitted).set_params(features=features)
        some.__dict__.update({k: v for k, v in vars(fitted).items() if k.endswith("_")})
        some._parts = {}
        found = some.transform(TORN)
        np.testing.assert_array_equal(found, np.hstack([everything[k] for k in chosen]))
        assert len(some.get_feature_names_out()) == found.shape[1]
        back = some.inverse_transform(found)
        assert back.shape == X.shape and ((back > 0) & (back < 1)).all()
    alone = np.vstack([fitted.transform(row[np.newaxis]) for row in TORN[:40]])
    np.testing.assert_allclose(alone, fitted.transform(TORN[:40]), rtol=0, atol=1e-9)


def test_reconstructions_follow_from_the_lowest_layers(fitted):
    h = fitted.mean_field(X).layers

    def expit(x):
        return 1 / (1 + np.exp(-x))

    image = expit(fitted.intercepts_[0] + h[0] @ fitted.coefs_[0].T)
    words = expit(fitted.intercepts_[3] + h[2] @ fitted.coefs_[3].T)
    np.testing.assert_allclose(fitted.reconstruct(X), np.hstack([image, words]), atol=1e-12)


def test_given_parameters_are_those_of_the_machine(fitted):
    made = MultimodalDBM.from_parameters(
        fitted.coefs_, fitted.intercepts_, fitted.layer_params_, modalities=MODALITIES
    )
    np.testing.assert_array_equal(made.transform(TORN), fitted.transform(TORN))
    np.testing.assert_allclose(made.score_samples(X), fitted.score_samples(X), atol=1e-12)
    assert made.top == 2 and made.n_features_in_ == 7
    with pytest.raises(ValueError, match=r"coefs must hold 5 arrays .*\[2, 1\] layers.*Got 4"):
        MultimodalDBM.from_parameters(fitted.coefs_[:4], modalities=MODALITIES)
    with pytest.raises(ValueError, match="coefs_"):
        MultimodalDBM.from_parameters(
            [np.ones((3, 3)), *fitted.coefs_[1:]], modalities=MODALITIES
        ).fit(X, 3)


# --- refusals -------------------------------------------------------------------------------------------

IMAGE, WORDS = MODALITIES


@pytest.mark.parametrize(
    ("modalities", "reason"),
    [
        ([IMAGE, ("words", [3], slice(3, 7))], r"column 3 belongs to 'image' and also to 'words'"),
        ([("image", [3], [0, 0, 1, 2, 3]), WORDS], r"column 0 belongs to 'image' twice"),
        ([IMAGE, ("words", [3], [4, 5])], r"leave out 1 of the 7 columns of X, such as 6"),
        ([IMAGE, ("words", [3], ["a", "b"])], r"column 'a', but the columns of X have no names"),
        ([IMAGE, ("words", [3], [4, 5, 7])], r"'words' has a column 7, but X has n_features=7"),
        ([IMAGE, ("words", [3], slice(7, 9))], r"'words' has no column: slice\(7, 9"),
        ([IMAGE, ("words", [3], 4.5)], r"columns of 'words' must be a slice.*Got 4.5"),
        (
            [IMAGE, ("words", [], slice(4, 7))],
            r"layers of 'words' must be a list.*at least. Got \[\]",
        ),
        ([IMAGE, ("words", 3, slice(4, 7))], r"layers of 'words' must be a list"),
        ([IMAGE, ("image", [3], slice(4, 7))], r"different names. Got 'image' more than once"),
        ([IMAGE, ("my words", [3], slice(4, 7))], r"without spaces.*Got 'my words'"),
        ([IMAGE, ("words", [3])], r"must hold tuples \(name, layers, columns\)"),
        ([], r"modalities must be a list of tuples.*Got \[\]"),
        ([IMAGE, ("words", [0], slice(4, 7))], r"modalities, 'words': .*layer1"),
        ([IMAGE, ("words", ["x"], slice(4, 7))], r"modalities, 'words': .*'x' as layer1"),
        (
            [IMAGE, ("words", [RBM(3, hidden="spin")], slice(4, 7))],
            r"hidden units of words_layer1.*Spin.*but top",
        ),
    ],
)
def test_modalities_that_cannot_be_are_refused(modalities, reason):
    dbm = machine(modalities)
    with pytest.raises(ValueError, match=reason):
        dbm.fit(X)
    assert not hasattr(dbm, "coefs_")


def test_names_of_columns_that_are_not_there_are_refused():
    frame = pd.DataFrame(X, columns=[*"abcdefg"])
    with pytest.raises(ValueError, match=r"'words' has a column 'z', which X has not.*'a'"):
        machine([("image", [3], [*"abcd"]), ("words", [3], ["e", "f", "g", "z"])]).fit(frame)
    lost = frame.copy()
    lost["b"] = np.nan
    with pytest.raises(ValueError, match=r"1 column has no known entry.*'b'"):
        machine().fit(lost)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"top": 0}, "top"),
        ({"top": "x"}, "top"),
        ({"features": ["nothing"]}, "features must be 'top', 'all', or name layers among .*'top'"),
        ({"features": "nothing"}, "features must be 'top', 'all', or name layers among"),
        ({"features": 5}, "features must be .* numbers from 1 to 4"),
        ({"features": []}, "features"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, reason):
    with pytest.raises(ValueError, match=reason):
        machine(**settings).fit(X).transform(X)


def test_other_layers_than_the_fitted_ones_are_refused(fitted):
    dbm = machine(warm_start=True).fit(X)
    with pytest.raises(ValueError, match="Fit anew"):
        dbm.set_params(modalities=[("image", [4, 2], slice(0, 4)), WORDS]).fit(X)
    with pytest.raises(ValueError, match="Fit anew"):
        dbm.set_params(modalities=[("image", [3], slice(0, 4)), WORDS]).fit(X)
