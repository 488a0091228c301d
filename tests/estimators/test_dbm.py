"""DBM: pre-training and joint training, inference, distribution, files and refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from ebm import (
    AIS,
    DBM,
    DBN,
    RAISE,
    RBM,
    Autoencoder,
    BernoulliRBM,
    Checkpoint,
    DBMClassifier,
    GaussianRBM,
    MLPClassifier,
    PersistentContrastiveDivergence,
    Regularization,
)
from ebm._kernels.deep import contrastive_gradient
from ebm.pretraining import part
from ebm.units import Binomial
from tests.estimators.small import rows
from tests.estimators.stacks import Interrupt
from tests.oracles import layers as oracles
from tests.oracles.layers import OracleLayer, OracleLayers

RNG = np.random.default_rng(0)
X = (RNG.random((40, 6)) < RNG.choice([0.2, 0.8], (40, 1))).astype(float)
FEW = {"n_iter": 2, "random_state": 0}


def same(one, other):
    pairs = zip([*one.coefs_, *one.intercepts_], [*other.coefs_, *other.intercepts_], strict=True)
    return all(np.array_equal(a, b) for a, b in pairs) and np.array_equal(
        one.h_samples_, other.h_samples_
    )


def oracle_of(dbm):
    layers = [OracleLayer("bernoulli", b, visible=k == 0) for k, b in enumerate(dbm.intercepts_)]
    edges = [(k, k + 1, W, 1.0) for k, W in enumerate(dbm.coefs_)]
    return OracleLayers(layers, edges)


# --- learning -------------------------------------------------------------------------------------------


def test_one_layer_is_a_restricted_machine_to_the_bit():
    rbm = BernoulliRBM(3, n_iter=3, random_state=0)
    dbm = DBM([rbm], n_iter=3, random_state=0).fit(X)
    rbm = clone(rbm).fit(X)
    np.testing.assert_array_equal(dbm.coefs_[0], rbm.components_.T)
    np.testing.assert_array_equal(dbm.intercepts_[0], rbm.intercept_visible_)
    np.testing.assert_array_equal(dbm.intercepts_[1], rbm.intercept_hidden_)
    np.testing.assert_array_equal(dbm.transform(X), rbm.transform(X))
    np.testing.assert_allclose(dbm.score_samples(X), rbm.log_likelihood(X), atol=1e-9)
    np.testing.assert_allclose(dbm.free_energy(X), rbm.free_energy(X), atol=1e-9)


def test_joint_training_begins_at_the_composed_parts():
    dbm = DBM([4, 3, 2], pretraining="greedy", n_iter=0, random_state=0)
    greedy = clone(dbm).set_params(layers=[BernoulliRBM(n, **FEW) for n in (4, 3, 2)]).fit(X)
    joint = greedy.histories_.pop("joint")
    assert joint == {}
    assert [len(greedy.histories_[f"layer{k}"]["epoch"]) for k in (1, 2, 3)] == [2, 2, 2]
    untrained = clone(dbm).set_params(pretraining=None).fit(X)
    assert not np.array_equal(greedy.coefs_[0], untrained.coefs_[0])
    assert list(untrained.histories_) == ["joint"]
    model = greedy._model()
    machines = [part(model, k) for k in range(3)]
    assert [getattr(m, "edges", (None,))[0] is None for m in machines] == [False, True, False]
    # Learning goes on from there, and its result is another one.
    later = clone(greedy).set_params(n_iter=3).fit(X)
    assert not np.array_equal(greedy.coefs_[0], later.coefs_[0])
    assert list(later.history_["epoch"]) == [1, 2, 3]
    assert later.history_["mean_field_sweeps"].min() >= 1
    assert (later.history_["mean_field_converged"] <= 1).all()


def test_two_copies_are_machines_of_binomial_units():
    """The lowest part of the doubled rows, to the bit; the topmost one changes with it, and is composed with it."""
    few = {"n_iter": 3, "random_state": 0}
    machines = [BernoulliRBM(4, **few), BernoulliRBM(6, **few)]
    dbm = DBM(machines, pretraining="two_copies", n_iter=0, random_state=0).fit(X)
    lowest = RBM(4, visible=Binomial(2), **few).fit(2 * X)
    np.testing.assert_array_equal(dbm.coefs_[0], lowest.components_.T)
    np.testing.assert_array_equal(dbm.intercepts_[0], lowest.intercept_visible_)
    # As many topmost units as columns: without learning it is the lowest one turned over.
    still = clone(dbm).set_params(layer2__n_iter=0).fit(X)
    np.testing.assert_array_equal(still.coefs_[1], lowest.components_)
    np.testing.assert_array_equal(still.intercepts_[1], lowest.intercept_hidden_)
    np.testing.assert_array_equal(still.intercepts_[2], lowest.intercept_visible_)
    assert not np.array_equal(dbm.coefs_[1], still.coefs_[1])
    assert sorted(dbm.histories_) == ["joint", "layer1", "layer2"]


@pytest.mark.parametrize("layers", [[4, 6], [4, 3], [4, 3, 2]])
def test_two_copies_learn_from_all_kinds_of_rows(layers):
    settings = {"pretraining": "two_copies", **FEW}
    dbm = DBM(layers, **settings).fit(X)
    assert same(dbm, DBM(layers, **settings).fit(X))
    assert same(dbm, DBM(layers, **settings).fit(sparse.csr_array(X)))
    assert DBM(layers, **settings).fit(X.astype(np.float32)).coefs_[0].dtype == np.float32
    torn = np.where(np.random.default_rng(1).random(X.shape) < 0.2, np.nan, X)
    before = torn.copy()
    found = DBM(layers, **settings).fit(torn)
    np.testing.assert_array_equal(torn, before)
    assert all(np.isfinite(W).all() for W in found.coefs_) and not same(found, dbm)
    weights = np.r_[np.zeros(10), np.ones(30)]
    one = DBM(layers, **settings).fit(X, sample_weight=weights)
    assert same(one, DBM(layers, **settings).fit(X[10:]))


def test_two_copies_refuse_other_units():
    with pytest.raises(ValueError, match="Use pretraining='greedy'"):
        DBM([GaussianRBM(4, n_iter=2), 3], pretraining="two_copies", **FEW).fit(X)
    with pytest.raises(ValueError, match="'pretraining' parameter of DBMClassifier"):
        DBMClassifier([4, 3], pretraining="two_copies").fit(X, X[:, 0])


def test_likelihoods_by_reverse_annealing_and_by_either_color():
    dbm = DBM([4, 3], n_iter=30, random_state=0).fit(X)
    exact = dbm.log_likelihood(X)
    found, errors = dbm.log_likelihood(X, RAISE(300, 100), return_std=True)
    assert (abs(found - exact) < 5 * errors + 0.05).all() and (errors > 0).all()
    by_name = dbm.log_likelihood(X[:3], "raise")
    np.testing.assert_array_equal(by_name, dbm.log_likelihood(X[:3], "raise"))
    np.testing.assert_array_equal(by_name, dbm.log_likelihood(X[:3], RAISE()))
    assert not np.array_equal(by_name, dbm.log_likelihood(X[:3], "raise", random_state=1))
    log_z = dbm.log_partition("exact").value
    for color in ("odd", "even"):
        z = dbm.log_partition(AIS(300, summed_out=color))
        assert abs(z.value - log_z) < 5 * z.standard_error
    with pytest.raises(ValueError, match="complete rows"):
        dbm.log_likelihood(np.full((1, 6), np.nan), "raise")
    with pytest.raises(ValueError, match="'method' parameter"):
        dbm.lower_bound(X, "raise")


def test_joint_training_raises_the_likelihood():
    greedy = DBM([4, 3], pretraining="greedy", n_iter=0, random_state=0)
    greedy.set_params(layers=[BernoulliRBM(4, n_iter=40), BernoulliRBM(3, n_iter=40)])
    before = greedy.fit(X).log_likelihood(X).mean()
    after = greedy.set_params(n_iter=150, learning_rate=0.05).fit(X).log_likelihood(X).mean()
    assert after > before + 0.02
    independent = (X.mean(0) * np.log(X.mean(0)) + (1 - X.mean(0)) * np.log(1 - X.mean(0))).sum()
    assert after > independent + 0.1


def test_a_mean_field_that_does_not_converge_is_told_once():
    strong = (
        [4 * np.ones((6, 4)), 4 * np.ones((4, 3))],
        [-12 * np.ones(6), -16 * np.ones(4), -8 * np.ones(3)],
    )
    few = {"n_iter": 2, "learning_rate": 1e-6, "warm_start": True, "random_state": 0}
    dbm = DBM.from_parameters(*strong, n_sweeps=1, **few)
    with pytest.warns(ConvergenceWarning, match=r"\d+% of the rows .* n_sweeps=1 sweeps") as told:
        dbm.fit(X)
    assert len(told) == 1
    assert dbm.history_["mean_field_converged"][-1] < 0.9
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dbm.set_params(n_sweeps=500).fit(X)
    assert dbm.history_["mean_field_converged"][-1] > 0.9


def test_damping_ends_at_the_same_means():
    plain, damped = (
        DBM([4, 3], n_sweeps=500, damping=x, learning_rate=0.1, random_state=0).partial_fit(X)
        for x in (0.0, 0.5)
    )
    assert not np.array_equal(plain.coefs_[0], damped.coefs_[0])
    for a, b in zip(plain.coefs_, damped.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match="damping"):
        DBM([4, 3], damping=1.0).fit(X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_begins_as_one_pass_of_the_mean_field(dtype):
    dbm = DBM([4, 3, 2], pretraining="greedy", n_iter=5, random_state=0).fit(X.astype(dtype))
    y = np.arange(len(X)) % 2
    mlp = MLPClassifier(pretraining=FrozenEstimator(dbm), max_iter=0, random_state=0)
    mlp.fit(X.astype(dtype), y)
    assert [len(b) for b in mlp.intercepts_] == [4, 3, 2, 1]
    assert mlp.coefs_[0].dtype == dtype
    h = X.astype(dtype)
    for k in (0, 1, 2):
        h = expit((2 if k < 2 else 1) * h @ dbm.coefs_[k] + dbm.intercepts_[k + 1])
        np.testing.assert_allclose(
            mlp.coefs_[k], (2 if k < 2 else 1) * dbm.coefs_[k], rtol=1e-6, atol=1e-7
        )
    top = list(mlp.network_.outputs(mlp.layer_params_, X.astype(dtype)))[5]
    np.testing.assert_allclose(top, h, atol=1e-5)
    endless = {"max_iter": 2, "n_iter_no_change": np.inf, "random_state": 0}
    whole = MLPClassifier(pretraining=DBM([4, 3], **FEW), **endless).fit(X, y)
    assert isinstance(whole.pretraining_, DBM)
    coder = Autoencoder(pretraining=DBM([4, 3], **FEW), **endless).fit(X)
    assert coder.transform(X).shape == (40, 3)


@pytest.mark.needs_jit
def test_other_data_and_layers_compile_nothing():
    DBM([4, 3], **FEW).fit(X)
    compiled = list(contrastive_gradient.signatures)
    DBM([3, 4, 2, 2], pretraining="greedy", **FEW).fit(X[:25, :5])
    assert compiled == contrastive_gradient.signatures
    assert compiled


def test_learning_goes_on():
    whole = DBM([4, 3], warm_start=True, **FEW).fit(X)
    before = [W.copy() for W in whole.coefs_]
    whole.fit(X)
    assert len(whole.history_["epoch"]) == 4
    assert not np.array_equal(before[0], whole.coefs_[0])
    assert whole.partial_fit(X) is whole
    with pytest.raises(ValueError, match="layers have \\[4, 2\\] hidden units"):
        whole.set_params(layers=[4, 2]).fit(X)


def test_partial_fit_begins_at_its_batch():
    dbm = DBM([4, 3], random_state=0).partial_fit(X[:10])
    assert dbm.transform(X).shape == (40, 7)
    assert list(dbm.histories_) == ["joint"]
    for _ in range(3):
        dbm.partial_fit(X[:7])
    assert np.isfinite(dbm.coefs_[0]).all()


def test_an_interrupted_fit_goes_on_from_its_file(tmp_path):
    file = tmp_path / "dbm.npz"
    settings = {"layers": [4, 3], "n_iter": 5, "random_state": 0}
    whole = DBM(**settings).fit(X)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        DBM(**settings, callbacks=[Checkpoint(file), Interrupt(4)]).fit(X)
    resumed = DBM(**settings).resume(file, X)
    assert same(resumed, whole)


@pytest.mark.parametrize("layer", [0, 1])
def test_an_interrupt_of_pre_training_leaves_a_whole_machine(layer):
    machines = [BernoulliRBM(n, **FEW) for n in (4, 3)]
    machines[layer].set_params(n_iter=5, callbacks=Interrupt(2))
    with pytest.warns(ConvergenceWarning, match=f"layer{layer + 1}: interrupted"):
        dbm = DBM(machines, pretraining="greedy", **FEW).fit(X)
    assert dbm.transform(X).shape == (40, 7)
    assert dbm.histories_["joint"] == {}


def test_kinds_of_rows():
    dense = DBM([4, 3], **FEW).fit(X)
    assert same(DBM([4, 3], **FEW).fit(sparse.csr_array(X)), dense)
    np.testing.assert_array_equal(dense.transform(sparse.csr_matrix(X)), dense.transform(X))
    single = DBM([4, 3], **FEW).fit(X.astype(np.float32))
    assert {x.dtype for x in [*single.coefs_, single.transform(X), single.sample()]} == {
        np.dtype(np.float32)
    }
    weights = np.ones(40)
    weights[30:] = 0
    weighted = DBM([4, 3], **FEW).fit(X, sample_weight=weights)
    assert same(weighted, DBM([4, 3], **FEW).fit(X[:30]))


def test_columns_of_several_types():
    table = np.c_[X[:, :3], RNG.normal(size=(40, 2)) * 5 + 20 * X[:, :1]]
    first = RBM(4, visible=[("bernoulli", 3), ("gaussian", 2)], n_iter=5)
    dbm = DBM([first, BernoulliRBM(3, n_iter=2)], n_iter=5, random_state=0).fit(table)
    assert [sorted(x) for x in dbm.layer_params_] == [["log_variance"], [], []]
    V = dbm.sample(5, n_steps=20)
    assert np.isin(V[:, :3], (0, 1)).all()
    assert dbm.reconstruct(table).shape == table.shape
    gap = table.copy()
    gap[0, 4] = np.nan
    assert np.isfinite(dbm.impute(gap)).all()


def test_nested_settings():
    dbm = DBM([4, 3]).set_params(layer2__n_iter=7, layer1=BernoulliRBM(5))
    assert dbm.layers[1].n_iter == 7
    assert dbm.layers[0].n_components == 5
    assert dbm.get_params()["layer1__n_components"] == 5


# --- inference and distribution -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    return DBM([4, 3], n_iter=20, random_state=0).fit(X)


def test_likelihoods_are_those_of_enumeration(fitted):
    oracle = oracle_of(fitted)
    log_z = fitted.log_partition()
    assert log_z.method == "exact"
    assert log_z.value == pytest.approx(oracles.log_sum(oracle), abs=1e-8)
    exact = [oracles.log_likelihood(oracle, row) for row in X[:5]]
    np.testing.assert_allclose(fitted.log_likelihood(X[:5]), exact, atol=1e-8)
    bound, error = fitted.lower_bound(X, return_std=True)
    assert (bound <= fitted.log_likelihood(X) + 1e-9).all()
    assert not error.any()
    assert fitted.score(X) == pytest.approx(bound.mean())
    assert fitted.lower_bound(X, "ais", return_std=True)[1].min() > 0
    states = {k + 1: oracles.unit_states(layer) for k, layer in enumerate(oracle.layers[1:])}
    h = [states[1][5], states[2][3]]
    expected = -oracles.log_integral(oracle, [tuple(X[0]), *h], 1.0)
    assert fitted.energy(X[:1], np.hstack(h)[np.newaxis])[0] == pytest.approx(expected, abs=1e-8)


def test_features_are_means_of_layers(fitted):
    means = fitted.mean_field(X)
    assert means.converged.all()
    np.testing.assert_array_equal(fitted.transform(X), np.hstack(means.layers))
    top = clone(fitted).set_params(features="top").fit(X)
    np.testing.assert_array_equal(top.transform(X), top.mean_field(X).layers[-1])
    assert top.get_feature_names_out().tolist() == ["dbm0", "dbm1", "dbm2"]
    assert top.inverse_transform(top.transform(X)).shape == X.shape
    np.testing.assert_allclose(
        fitted.inverse_transform(fitted.transform(X)), fitted.reconstruct(X), atol=1e-9
    )


def test_rows_that_are_no_features_of_the_chosen_layers_are_refused(fitted):
    chosen = clone(fitted).set_params(features=[1]).fit(X)
    with pytest.raises(ValueError, match=r"X, of the layers features=\[1\], must have \d columns"):
        chosen.inverse_transform(np.ones((2, 30)))


def test_means_that_have_not_converged_are_told(fitted):
    with pytest.warns(ConvergenceWarning, match="mean field of 40 of 40 rows has not converged"):
        found = fitted.mean_field(X, n_sweeps=1, tol=0)
    assert not found.converged.any()


def test_samples_keep_what_is_given(fitted):
    given = [1, np.nan, 0, np.nan, np.nan, np.nan]
    V = fitted.sample(30, n_steps=20, given=given, random_state=0)
    assert (V[:, 0] == 1).all()
    assert (V[:, 2] == 0).all()
    assert np.isin(V, (0, 1)).all()
    V, diagnostics = fitted.sample(10, n_steps=40, start=X[0], return_diagnostics=True)
    assert V.shape == (10, 6)
    assert np.isfinite(diagnostics.rhat)


def test_unknown_entries_have_their_conditional_means(fitted):
    gap = X[:1].copy()
    gap[0, 1] = np.nan
    filled, error = fitted.impute(gap, return_std=True)
    oracle = oracle_of(fitted)
    logs = []
    for x in (0.0, 1.0):
        row = X[0].copy()
        row[1] = x
        logs.append(oracles.log_sum(oracle, oracles.visible_states(oracle, row)))
    assert filled[0, 1] == pytest.approx(1 / (1 + np.exp(logs[0] - logs[1])), abs=1e-8)
    assert error[0, 1] == 0


# --- machines of given parameters -----------------------------------------------------------------------


def test_a_belief_network_becomes_a_machine():
    dbn = DBN([BernoulliRBM(4, **FEW), BernoulliRBM(3, **FEW)], random_state=0).fit(X)
    dbm = DBM.from_dbn(dbn, warm_start=True, n_iter=2, random_state=0)
    lower, upper = dbn.rbms_
    np.testing.assert_array_equal(dbm.coefs_[0], lower.components_.T / 2)
    np.testing.assert_array_equal(dbm.coefs_[1], upper.components_.T / 2)
    np.testing.assert_allclose(
        dbm.intercepts_[1], (lower.intercept_hidden_ + upper.intercept_visible_) / 2
    )
    assert np.isfinite(dbm.score(X))
    dbm.fit(X)
    assert len(dbm.history_["epoch"]) == 2


def test_given_parameters_are_those_of_the_machine(fitted):
    given = DBM.from_parameters(fitted.coefs_, fitted.intercepts_)
    np.testing.assert_array_equal(given.transform(X), fitted.transform(X))
    zeros = DBM.from_parameters([np.zeros((6, 2)), np.zeros((2, 3))])
    assert zeros.log_partition().value == pytest.approx(11 * np.log(2))
    assert zeros.layers == [2, 3]


# --- refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: DBM([]).fit(X), "layers must hold"),
        (lambda: DBM([4, "3"]).fit(X), "layer2"),
        (lambda: DBM([4, RBM(3, visible="spin")]).fit(X), "same units"),
        (lambda: DBM([4, 3], gradient="tap").fit(X), "TAP is for"),
        (lambda: DBM([4, 3], regularization=Regularization(dropout=0.5)).fit(X), "dropout"),
        (
            lambda: DBM([BernoulliRBM(4, gradient="exact"), 3], pretraining="greedy").fit(X),
            "layer1: .*multiplicity",
        ),
        (lambda: DBM.from_parameters([]), "coefs must be a list"),
        (lambda: DBM.from_parameters([np.ones((6, 2)), np.ones((3, 2))]), "coefs_"),
        (lambda: DBM.from_parameters([np.ones((6, 2))], [np.ones(6)]), "intercepts_"),
        (lambda: DBM.from_dbn(3), "dbn must"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, reason):
    with pytest.raises((ValueError, TypeError), match=reason):
        make()


def test_a_refused_fit_leaves_the_machine(fitted):
    before = [W.copy() for W in fitted.coefs_]
    with pytest.raises(ValueError, match="NaN"):
        fitted.fit(np.full((3, 6), np.nan))
    assert all(map(np.array_equal, before, fitted.coefs_))


def test_spins_and_other_chains():
    spins = rows("spin")
    chains = PersistentContrastiveDivergence(n_steps=2, n_chains=7)
    machines = [RBM(3, visible="spin", hidden="spin", **FEW), RBM(2, visible="spin", **FEW)]
    dbm = DBM(machines, gradient=chains, **FEW).fit(spins)
    assert dbm.h_samples_.shape == (7, 3)
    assert np.isin(dbm.sample(4, n_steps=5), (-1, 1)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dbm.transform(spins)


def bits_of_wine():
    X = load_wine().data
    return (np.median(X, axis=0) < X).astype(float)


def test_default_layers_learn_from_few_columns_of_bits_or_it_is_told():
    """Now and then many units over few columns come to hold each other, also after pre-training."""
    X, told = bits_of_wine(), 0
    share = X.mean(axis=0)
    independent = np.sum(share * np.log(share) + (1 - share) * np.log(1 - share))
    for seed in range(4):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            dbm = DBM(random_state=seed).fit(X)
        if caught:
            assert "hold each other" in str(caught[0].message)
            told += 1
        else:
            assert dbm.score(X[:50]) > independent + 1
    assert told <= 1


def test_layers_that_hold_each_other_are_told_and_the_advice_helps():
    X, settings = bits_of_wine(), {"random_state": 6, "pretraining": None}
    with pytest.warns(ConvergenceWarning, match="hold each other") as caught:
        dbm = DBM(**settings).fit(X)
    assert dbm.transform(X).std(axis=0).max() < 0.01
    assert 'pretraining="greedy", fewer hidden units or a smaller learning_rate' in str(
        caught[0].message
    )
    for advice in ({"pretraining": "greedy"}, {"layers": (64, 32)}, {"learning_rate": 0.005}):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert DBM(**settings | advice).fit(X).transform(X).std(axis=0).mean() > 0.03


def test_pretraining_is_chosen_by_the_columns():
    X, few = bits_of_wine(), {"n_iter": 2, "random_state": 0}
    parts = ["joint", "layer1", "layer2"]
    assert sorted(DBM([4, 3], **few).fit(X).histories_) == parts
    reals = [GaussianRBM(4, n_iter=2), 3]
    assert sorted(DBM(reals, **few).fit(X).histories_) == ["joint"]
    assert sorted(DBM(reals, pretraining="greedy", **few).fit(X).histories_) == parts
