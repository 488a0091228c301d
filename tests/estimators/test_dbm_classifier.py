"""DBMClassifier: the joint distribution of features and labels, its predictions, samples, and rows without labels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from ebm import RBM, BernoulliRBM, Checkpoint, DBMClassifier, GaussianRBM
from ebm.likelihood import deep as likelihood
from tests.oracles import layers as oracles
from tests.oracles.layers import OracleLayer, OracleLayers

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 3, 60)
CENTERS = np.array(
    [[0.9, 0.9, 0.1, 0.1, 0.5], [0.1, 0.9, 0.9, 0.1, 0.5], [0.1, 0.1, 0.9, 0.9, 0.5]]
)
X = (RNG.random((60, 5)) < CENTERS[Y]).astype(float)
WORDS = np.array(["ant", "bee", "cat"])
FEW = {"n_iter": 2, "random_state": 0}


def machine(layers=(3, 2), **settings):
    return DBMClassifier(layers, **{**FEW, **settings})


def same(one, other):
    pairs = zip([*one.coefs_, *one.intercepts_], [*other.coefs_, *other.intercepts_], strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def fitted():
    return machine(n_iter=100, learning_rate=0.05).fit(X, WORDS[Y])


def oracle_of(dbm):
    """Levels: x, h1, labels, h2."""
    kinds = ["bernoulli", "bernoulli", "one_hot", "bernoulli"]
    layers = [
        OracleLayer(kind, b, visible=k in (0, 2))
        for k, (kind, b) in enumerate(zip(kinds, dbm.intercepts_, strict=True))
    ]
    ends = [(0, 1), (1, 3), (2, 3)]
    edges = [(*pair, W, 1.0) for pair, W in zip(ends, dbm.coefs_, strict=True)]
    return OracleLayers(layers, edges)


def joint_logs(dbm, rows):
    """Log p(x, y) but for log Z: (rows, classes), by enumeration."""
    oracle = oracle_of(dbm)
    return np.array(
        [[oracles.log_sum(oracle, {0: tuple(x), 2: tuple(e)}) for e in np.eye(3)] for x in rows]
    )


def test_predictions_are_those_of_enumeration(fitted):
    logs = joint_logs(fitted, X[:8])
    p = np.exp(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))
    np.testing.assert_allclose(fitted.predict_proba(X[:8]), p, rtol=0, atol=1e-10)
    np.testing.assert_allclose(fitted.predict_log_proba(X[:8]), np.log(p), rtol=0, atol=1e-9)
    np.testing.assert_array_equal(fitted.predict(X[:8]), WORDS[p.argmax(axis=1)])
    assert fitted.score(X, WORDS[Y]) > 0.6
    log_z = oracles.log_sum(oracle_of(fitted))
    assert fitted.log_partition().value == pytest.approx(log_z, abs=1e-9)
    of_labels = fitted.log_likelihood(X[:8], WORDS[Y[:8]])
    np.testing.assert_allclose(of_labels, logs[np.arange(8), Y[:8]] - log_z, atol=1e-9)
    marginal = np.logaddexp.reduce(logs, axis=1) - log_z
    np.testing.assert_allclose(fitted.log_likelihood(X[:8]), marginal, atol=1e-9)
    np.testing.assert_allclose(-fitted.free_energy(X[:8]) - log_z, marginal, atol=1e-9)
    for y, exact in ((None, marginal), (WORDS[Y[:8]], of_labels)):
        assert (fitted.lower_bound(X[:8], y) <= exact + 1e-9).all()


def test_unknown_features_are_summed_out(fitted):
    row = np.where(np.arange(5) < 2, np.nan, X[:1])
    both = np.array([np.r_[a, b, X[0, 2:]] for a in (0, 1) for b in (0, 1)])
    logs = np.logaddexp.reduce(joint_logs(fitted, both), axis=0)
    p = np.exp(logs - np.logaddexp.reduce(logs))
    np.testing.assert_allclose(fitted.predict_proba(row)[0], p, rtol=0, atol=1e-9)


def test_large_machines_have_the_ratios_of_bounds(fitted, monkeypatch):
    exact = fitted.predict_proba(X)
    monkeypatch.setattr(likelihood, "MOST_STATES", 0.5)
    bounded = fitted.predict_proba(X)
    logs = np.stack([fitted.lower_bound(X, np.full(60, word)) for word in WORDS], axis=1)
    p = np.exp(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))
    np.testing.assert_allclose(bounded, p, rtol=0, atol=1e-9)
    assert 0 < np.abs(bounded - exact).max() < 0.3


def test_one_layer_is_exact_whatever_its_size():
    dbm = machine([40], n_iter=5).fit(X, Y)
    (W, U), (b, d, c) = dbm.coefs_, dbm.intercepts_
    logs = d + np.logaddexp(0, (X @ W + c)[:, np.newaxis] + U).sum(axis=2)
    p = np.exp(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))
    np.testing.assert_allclose(dbm.predict_proba(X), p, rtol=0, atol=1e-10)
    assert len(b) == 5


@pytest.mark.parametrize("pretraining", ["greedy", None])
@pytest.mark.parametrize("layers", [[3], [3, 2], [3, 2, 2]])
def test_layers_learn_with_labels_at_the_top(layers, pretraining):
    dbm = machine(layers, pretraining=pretraining).fit(X, Y)
    sizes = [5, *layers]
    shapes = [*itertools.pairwise(sizes), (3, layers[-1])]
    assert [W.shape for W in dbm.coefs_] == shapes
    assert same(machine(layers, pretraining=pretraining).fit(X, Y), dbm)
    assert dbm.transform(X).shape == (60, layers[-1])
    assert dbm.impute(np.where(X > 2, 0, np.nan)).shape == dbm.reconstruct(X).shape == X.shape


def test_labels_are_latent_where_they_are_unknown():
    """Few labels on one of two clusters each: the rows without any tell the clusters apart."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 400)
    Z = (rng.random((400, 8)) < np.where(y, 0.85, 0.15)[:, np.newaxis]).astype(float)
    marked = np.where(np.arange(400) < 12, y, np.nan)
    dbm = machine([4], n_iter=40, learning_rate=0.05).fit(Z, marked)
    assert list(dbm.classes_) == [0, 1]
    assert dbm.score(Z[12:], y[12:]) > 0.9
    # Rows without labels count in the features.
    assert (
        dbm.score_samples(Z).mean()
        > machine([4], n_iter=0).fit(Z, marked).score_samples(Z).mean() + 0.3
    )
    strings = np.where(np.isnan(marked), None, np.where(y, "yes", "no")).astype(object)
    words = machine([4], n_iter=40, learning_rate=0.05).fit(Z, strings)
    np.testing.assert_array_equal(words.coefs_[0], dbm.coefs_[0])


def test_samples_of_a_class_follow_its_distribution(fitted):
    joint, p = oracles.joint_law(oracle_of(fitted))
    for k, word in enumerate(WORDS):
        fits = joint[:, 8 + k] == 1
        mean = p[fits] @ joint[fits, :5] / p[fits].sum()
        drawn = fitted.sample(3000, label=word, n_steps=40, random_state=0)
        error = np.abs(drawn.mean(axis=0) - mean)
        assert (error <= 5.5 * np.sqrt(mean * (1 - mean) / 3000)).all()
    x, y = fitted.sample(3000, n_steps=40, return_labels=True, random_state=0)
    shares = np.array([p[joint[:, 8 + k] == 1].sum() for k in range(3)])
    error = np.abs((y[:, np.newaxis] == WORDS).mean(axis=0) - shares)
    assert (error <= 5.5 * np.sqrt(shares * (1 - shares) / 3000)).all() and x.shape == (3000, 5)
    given = np.r_[1.0, 0.0, np.nan, np.nan, np.nan]
    some = fitted.sample(4, label=WORDS[[0, 1, 2, 0]], given=given, n_steps=3)
    np.testing.assert_array_equal(some[:, :2], [[1, 0]] * 4)
    with pytest.raises(ValueError, match=r"have both colors.*Use Gibbs sampling"):
        fitted.sample(2, n_steps=2, sampler="tempering")
    three = machine([3, 2, 2]).fit(X, Y)
    assert three.sample(2, n_steps=2, sampler="tempering").shape == (2, 5)


def test_learning_goes_on_and_files_resume(tmp_path):
    dbm = machine(warm_start=True).fit(X, Y)
    once = dbm.coefs_[0].copy()
    dbm.fit(X, Y)
    assert not np.array_equal(once, dbm.coefs_[0])
    dbm.partial_fit(X[:6], Y[:6])
    first = machine().partial_fit(X[:20], Y[:20], classes=[0, 1, 2, 3])
    assert first.predict_proba(X).shape == (60, 4)
    first.partial_fit(X[:3], [-1, -1, -1])
    with pytest.raises(ValueError, match="classes"):
        machine().partial_fit(X, Y)
    file = tmp_path / "file"

    def crash(report):
        if report.epoch == 3:
            raise OSError("the power went out")

    torn, y = np.where(RNG.random(X.shape) < 0.2, np.nan, X), np.where(np.arange(60) % 3, Y, -1)
    whole = machine(n_iter=4).fit(torn, y)
    with pytest.raises(OSError, match="power"):
        machine(n_iter=4, callbacks=[Checkpoint(file), crash]).fit(torn, y)
    assert same(machine(n_iter=4).resume(file, torn, y), whole)


def test_kinds_of_rows_and_units():
    plain = machine().fit(X, Y)
    assert same(machine().fit(sparse.csr_array(X), Y), plain)
    assert (
        machine().fit(X.astype(np.float32), Y).predict_proba(X.astype(np.float32)).dtype
        == np.float32
    )
    reals = RNG.normal(size=(40, 3)) + Y[:40, np.newaxis]
    dbm = machine([GaussianRBM(3), 2], learning_rate=0.01).fit(reals, Y[:40])
    assert "log_variance" in dbm.layer_params_[0] and dbm.sample(2, label=1, n_steps=3).shape == (
        2,
        3,
    )
    columns = RBM(3, visible=[("bernoulli", 2), ("gaussian", 1)])
    mixed = machine([columns, 2], learning_rate=0.01).fit(np.c_[X[:40, :2], reals[:, :1]], Y[:40])
    assert mixed.predict(np.c_[X[:4, :2], reals[:4, :1]]).shape == (4,)


def test_given_parameters_are_those_of_the_machine(fitted):
    made = DBMClassifier.from_parameters(
        fitted.coefs_, fitted.intercepts_, fitted.layer_params_, classes=WORDS
    )
    np.testing.assert_array_equal(made.predict_proba(X), fitted.predict_proba(X))
    assert made.layers == [3, 2]
    with pytest.raises(ValueError, match=r"two arrays at least. Got 1"):
        DBMClassifier.from_parameters(fitted.coefs_[:1], classes=WORDS)
    with pytest.raises(ValueError, match="coefs_"):
        DBMClassifier.from_parameters(fitted.coefs_, classes=WORDS[:2])


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: machine().fit(X, np.zeros(60)), "class"),
        (lambda: machine().fit(X, np.full(60, -1)), "label|class"),
        (lambda: machine([]).fit(X, Y), "layers"),
        (lambda: machine([3, GaussianRBM(2)]).fit(X, Y), "hidden units of layer1"),
        (lambda: machine(warm_start=True).fit(X, Y).fit(X, Y % 2), "classes"),
        (
            lambda: machine(warm_start=True).fit(X, Y).set_params(layers=[4, 2]).fit(X, Y),
            "Fit anew",
        ),
        (lambda: machine().fit(X, Y).sample(2, label=7), "label must be among the classes"),
        (lambda: machine().fit(X, Y).sample(2, label=[0, 1, 2]), "label must be one class"),
        (lambda: machine().fit(X, Y).log_likelihood(X, np.full(60, 5)), "5"),
        (lambda: machine().fit(X, Y).sample(2, given=np.full((2, 8), np.nan)), "given"),
    ],
)
def test_what_cannot_be_is_refused(make, reason):
    with pytest.raises(ValueError, match=reason):
        make()


def test_layers_are_settings():
    dbm = machine([BernoulliRBM(3), 2]).set_params(layer1__n_iter=3, layer2=4)
    assert [W.shape for W in clone(dbm).fit(X, Y).coefs_] == [(5, 3), (3, 4), (3, 4)]
