"""ebm.DBNClassifier: the joint law of features and labels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from ebm import (
    DBN,
    RBM,
    TAP,
    BernoulliRBM,
    Categorical,
    DBNClassifier,
    FineTuning,
    GaussianRBM,
    Regularization,
)
from ebm.sklearn_compat.deep._layers import as_joint, layer_seed
from tests.oracles import one_hot, rbm
from tests.statistics import assert_same_distribution, state_counts

N_FEATURES = 4


def rows(n_rows=60, dtype=np.float64, seed=0):
    """Bits whose first half says the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n_rows)
    p = np.array([[0.9, 0.8, 0.1, 0.5], [0.1, 0.2, 0.9, 0.5], [0.5, 0.9, 0.9, 0.1]])[y]
    return (rng.random(p.shape) < p).astype(dtype), np.array(["a", "b", "c"])[y]


X, Y = rows()
CODES = np.searchsorted(["a", "b", "c"], Y)


def classifier(layers=(5, 3), **settings):
    settings = {"random_state": 0, **settings}
    return DBNClassifier([BernoulliRBM(n, n_iter=3) for n in layers], **settings)


def oracle(machine):
    """The oracle of a fitted machine."""
    parts = machine.components_.T, machine.intercept_visible_, machine.intercept_hidden_
    return rbm.OracleRBM(*(np.array(x, float) for x in parts))


def with_parameters(dbn, scale=1.0, seed=3):
    """The fitted network with random parameters: a law that is far from uniform, and joined to the labels above all."""
    rng = np.random.default_rng(seed)
    for machine in dbn.rbms_:
        machine.components_ = scale * rng.normal(size=machine.components_.shape)
    dbn.rbms_[-1].components_[:, -3:] *= 3
    for machine in dbn.rbms_:
        for name in ("intercept_visible_", "intercept_hidden_"):
            x = getattr(machine, name)
            setattr(machine, name, rng.normal(size=x.shape) / 2)
    return dbn


def logistic(x):
    return 1 / (1 + np.exp(-x))


def features(dbn, X):
    """Means of the layer below the top."""
    for machine in dbn.rbms_[:-1]:
        X = logistic(X @ machine.components_.T + machine.intercept_hidden_)
    return X


# Probabilities -------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [(3,), (4, 3), (3, 2, 3)])
def test_probabilities_are_the_enumerated_posterior(layers):
    dbn = with_parameters(classifier(layers).fit(X, Y))
    model = oracle(dbn.rbms_[-1])
    p = dbn.predict_proba(X[:8])
    expected = [
        one_hot.posterior(model, (3,), np.r_[x, np.zeros(3)], 0) for x in features(dbn, X[:8])
    ]
    np.testing.assert_allclose(p, expected, rtol=1e-12)
    np.testing.assert_allclose(dbn.predict_log_proba(X[:8]), np.log(expected), rtol=1e-10)
    np.testing.assert_array_equal(dbn.predict(X[:8]), dbn.classes_[np.argmax(expected, axis=1)])


def test_log_probabilities_do_not_underflow():
    dbn = with_parameters(classifier((3,)).fit(X, Y), scale=2000.0)
    logs = dbn.predict_log_proba(X)
    assert np.isfinite(logs).all() and logs.min() < -800
    assert dbn.predict_proba(X).min() == 0


@pytest.mark.parametrize("layers", [(3,), (4, 3)])
def test_topmost_features_are_averaged_over_the_classes(layers):
    dbn = with_parameters(classifier(layers).fit(X, Y))
    top, below = dbn.rbms_[-1], features(dbn, X[:6])
    p = dbn.predict_proba(X[:6])
    expected = 0
    for k, label in enumerate(np.eye(3)):
        v = np.hstack([below, np.tile(label, (6, 1))])
        means = logistic(v @ top.components_.T + top.intercept_hidden_)
        expected = expected + p[:, k : k + 1] * means
    np.testing.assert_allclose(dbn.transform(X[:6]), expected, rtol=1e-12)
    np.testing.assert_allclose(dbn.layer_means(X[:6])[-1], expected, rtol=1e-12)
    assert dbn.reconstruct(X[:6]).shape == (6, N_FEATURES)
    assert dbn.inverse_transform(expected).shape == (6, N_FEATURES)
    np.testing.assert_array_equal(
        dbn.get_feature_names_out(), [f"dbnclassifier{k}" for k in range(3)]
    )


# Samples -------------------------------------------------------------------------------------


def data_law(dbn, label=None):
    """The table p(v), or p(v | label), of the data: visible states of the joint machine, and one pass down."""
    top = oracle(dbn.rbms_[-1])
    n = len(top.b) - 3
    given = np.full(n + 3, np.nan)
    if label is not None:
        given[n:] = np.eye(3)[label]
    law = one_hot.joint_probabilities(top, (3,), given=given).sum(axis=1)
    law = law.reshape(2**n, 2**3).sum(axis=1)
    for machine in dbn.rbms_[-2::-1]:
        below = oracle(machine)
        table = [rbm.visible_given_hidden(below, h) for h in rbm.all_states(len(below.c))]
        law = law @ np.array(table)
    return law


@pytest.mark.parametrize("layers", [(3,), (4, 3)])
def test_samples_of_a_class_have_the_conditional_law(layers):
    dbn = with_parameters(classifier(layers).fit(X, Y), scale=0.7)
    for k, label in enumerate("abc"):
        counts = state_counts(dbn.sample(20_000, label=label, n_steps=60, random_state=k))
        assert_same_distribution(counts, data_law(dbn, k))
        with pytest.raises(AssertionError):  # a mistaken label is seen
            assert_same_distribution(counts, data_law(dbn, (k + 1) % 3))


@pytest.mark.parametrize("layers", [(3,), (4, 3)])
def test_samples_with_their_labels_have_the_joint_law(layers):
    dbn = with_parameters(classifier(layers).fit(X, Y), scale=0.7)
    v, y = dbn.sample(20_000, n_steps=60, return_labels=True, random_state=5)
    top = oracle(dbn.rbms_[-1])
    n = len(top.b) - 3
    table = one_hot.joint_probabilities(top, (3,)).sum(axis=1).reshape(2**n, 2**3)
    p = np.array([table[:, rbm.state_index(label)].sum() for label in np.eye(3, dtype=int)])
    law = np.concatenate([share * data_law(dbn, k) for k, share in enumerate(p)])
    codes = np.searchsorted(dbn.classes_, y)
    counts = np.concatenate([state_counts(v[codes == k]) for k in range(3)])
    assert_same_distribution(counts, law)


# The joint density ---------------------------------------------------------------------------

BITS = rbm.all_states(N_FEATURES)
SMALL = pytest.mark.parametrize("layers", [(3,), (4, 3), (3, 2, 3)])


def joint_law(dbn):
    """The table p(y, v): (classes, states)."""
    top = oracle(dbn.rbms_[-1])
    n = len(top.b) - 3
    table = one_hot.joint_probabilities(top, (3,)).sum(axis=1).reshape(2**n, 2**3)
    p = [table[:, rbm.state_index(label)].sum() for label in np.eye(3, dtype=int)]
    return np.array([share * data_law(dbn, k) for k, share in enumerate(p)])


@SMALL
def test_the_log_likelihood_is_that_of_the_enumerated_network(layers):
    dbn = with_parameters(classifier(layers).fit(X, Y), scale=0.7)
    law = joint_law(dbn)
    np.testing.assert_allclose(law.sum(), 1, rtol=1e-12)
    np.testing.assert_allclose(dbn.log_likelihood(BITS), np.log(law.sum(axis=0)), rtol=0, atol=1e-9)
    np.testing.assert_array_equal(dbn.score_samples(BITS), dbn.log_likelihood(BITS))
    for k, label in enumerate(dbn.classes_):
        values, errors = dbn.log_likelihood(BITS, [label] * len(BITS), return_std=True)
        np.testing.assert_allclose(values, np.log(law[k]), rtol=0, atol=1e-9)
        assert not errors.any()
    z = one_hot.log_partition(oracle(dbn.rbms_[-1]), (3,))
    assert dbn.log_partition().value == pytest.approx(z, abs=1e-10)


def enumerated_bound(dbn, labels):
    """E_Q[log p(v, h, y) - log Q(h | v)] of a network of two layers for all v, y being among the numbers `labels`."""
    below, top = (oracle(machine) for machine in dbn.rbms_)
    h = rbm.all_states(len(below.c))
    law = one_hot.joint_probabilities(top, (3,)).sum(axis=1).reshape(len(h), 8)
    places = [rbm.state_index(np.eye(3, dtype=int)[k]) for k in labels]
    log_p = np.log([rbm.visible_given_hidden(below, x) for x in h]).T + np.log(
        law[:, places].sum(axis=1)
    )
    p = logistic(BITS @ below.W + below.c)[:, np.newaxis]
    log_q = np.where(h == 1, np.log(p), np.log1p(-p)).sum(axis=2)
    return (np.exp(log_q) * (log_p - log_q)).sum(axis=1)


def test_of_many_hidden_units_it_is_a_bound_with_an_error():
    dbn = with_parameters(classifier((9, 3)).fit(X, Y), scale=0.3)
    law = joint_law(dbn)
    cases = ((None, range(3), law.sum(axis=0)), (["b"] * len(BITS), [1], law[1]))
    for y, labels, p in cases:
        bound = enumerated_bound(dbn, labels)
        assert (bound < np.log(p)).all()
        values, errors = dbn.log_likelihood(BITS, y, n_samples=300, return_std=True)
        # Sums of squares of 16 nearly normal deviates: the level is 1e-6 on either side.
        assert 0.8 < np.sum(((values - bound) / errors) ** 2) < 60
        again = dbn.log_likelihood(BITS[::-1], y, n_samples=300)[::-1]
        np.testing.assert_allclose(again, values, rtol=0, atol=1e-12)


@pytest.mark.parametrize("layers", [(3,), (4, 3)])
@pytest.mark.parametrize("label", [None, "b"])
def test_samples_given_some_features_have_the_conditional_law(layers, label):
    dbn = with_parameters(classifier(layers).fit(X, Y), scale=0.5)
    known = np.array([1.0, np.nan, 0.0, np.nan])
    v, y = dbn.sample(20_000, label, n_steps=40, given=known, return_labels=True, random_state=3)
    assert (v[:, [0, 2]] == [1, 0]).all()
    law = joint_law(dbn)
    law[[k for k in range(3) if label not in (None, dbn.classes_[k])]] = 0
    law[:, (BITS[:, 0] != 1) | (BITS[:, 2] != 0)] = 0
    counts = [state_counts(v[y == name]) for name in dbn.classes_]
    assert_same_distribution(np.concatenate(counts), law.ravel() / law.sum())


@SMALL
def test_unknown_features_are_filled_in_by_their_expectations(layers):
    dbn = with_parameters(classifier(layers).fit(X, Y), scale=0.7)
    law = joint_law(dbn).sum(axis=0)
    rows = np.array([[1.0, np.nan, 0.0, np.nan], [np.nan, 0.0, np.nan, 1.0], [1.0, 0, 0, 1]])
    filled, errors = dbn.impute(rows, return_std=True)
    for row, found in zip(rows, filled, strict=True):
        agree = ((row == BITS) | np.isnan(row)).all(axis=1)
        np.testing.assert_allclose(found, law[agree] @ BITS[agree] / law[agree].sum(), atol=1e-10)
    assert filled.shape == rows.shape and not errors.any()


@pytest.mark.parametrize("y", [["a"], ["d"] * 16, [0] * 16])
def test_labels_of_a_density_are_those_of_the_rows(y):
    dbn = classifier().fit(X, Y)
    with pytest.raises(ValueError, match=r"\by\b"):
        dbn.log_likelihood(BITS, y)


def test_labels_may_differ_from_sample_to_sample():
    dbn = classifier().fit(X, Y)
    wanted = np.array(["c", "a", "c", "b"])
    v, y = dbn.sample(4, label=wanted, n_steps=5, return_labels=True)
    np.testing.assert_array_equal(y, wanted)
    assert v.shape == (4, N_FEATURES) and set(np.unique(v)) <= {0, 1}


def test_samples_go_on_and_repeat():
    dbn = classifier().fit(X, Y)
    assert not np.array_equal(dbn.sample(30, n_steps=5), dbn.sample(30, n_steps=5))
    same = [dbn.sample(30, "b", n_steps=5, random_state=1) for _ in range(2)]
    np.testing.assert_array_equal(*same)


@pytest.mark.parametrize("label", ["d", ["a", "b"], [["a"]]])
def test_impossible_labels_of_samples_are_refused(label):
    dbn = classifier().fit(X, Y)
    with pytest.raises(ValueError, match="label must be"):
        dbn.sample(3, label=label)


# Learning ------------------------------------------------------------------------------------


def test_layers_learn_all_rows_and_the_joint_machine_those_with_labels():
    """Bit for bit what the machines make of them one by one."""
    y = np.where(np.arange(60) % 3 == 0, -1, CODES)
    dbn = classifier(propagate="mean", label_weights="joint").fit(X, y)
    first = BernoulliRBM(5, n_iter=3, random_state=layer_seed(0, 0)).fit(X)
    np.testing.assert_array_equal(dbn.rbms_[0].components_, first.components_)
    labelled = y != -1
    joint = np.hstack([first.transform(X[labelled]), np.eye(3)[y[labelled]]])
    columns = [("bernoulli", 5), (Categorical((3,)), 3)]
    top = RBM(3, visible=columns, n_iter=3, random_state=layer_seed(0, 1)).fit(joint)
    np.testing.assert_array_equal(dbn.rbms_[1].components_, top.components_)
    np.testing.assert_array_equal(dbn.classes_, [0, 1, 2])
    assert dbn.rbms_[1].free_energy(joint).shape == (40,)


def test_label_weights_are_those_that_predict_best():
    """They begin at those of joint learning, and all else is as there."""
    y = np.where(np.arange(60) % 3 == 0, -1, CODES)
    joint, dbn = classifier(label_weights="joint").fit(X, y), classifier().fit(X, y)
    for a, b in zip(dbn.rbms_, joint.rbms_, strict=True):
        n = a.components_.shape[1] - (3 if a is dbn.rbms_[-1] else 0)
        np.testing.assert_array_equal(a.components_[:, :n], b.components_[:, :n])
        np.testing.assert_array_equal(a.intercept_hidden_, b.intercept_hidden_)
    known = y != -1
    log_p = [
        np.log(m.predict_proba(X[known]))[np.arange(40), y[known]].mean() for m in (joint, dbn)
    ]
    assert log_p[1] > log_p[0] + 0.1
    p = dbn.predict_proba(X)
    dbn.partial_fit(X, y)
    assert not np.array_equal(dbn.predict_proba(X), p)


def test_two_classes_of_which_one_is_minus_one_are_classes():
    y = np.where(CODES == 0, -1, 1)
    np.testing.assert_array_equal(classifier().fit(X, y).classes_, [-1, 1])
    y = np.where(CODES == 0, -1, 7)
    with pytest.warns(UserWarning, match="y = -1 is taken for a class"):
        dbn = classifier().fit(X, y)
    np.testing.assert_array_equal(dbn.classes_, [-1, 7])


def test_weights_are_repetitions_also_of_labels():
    counts = np.random.default_rng(1).integers(0, 4, size=60)
    once = classifier().fit(X, Y, sample_weight=counts)
    repeated = classifier().fit(np.repeat(X, counts, axis=0), np.repeat(Y, counts))
    np.testing.assert_allclose(once.predict_proba(X), repeated.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize("layers", [(3,), (5, 3)])
def test_sparse_rows_are_the_dense_ones(layers):
    dense, csr = (classifier(layers).fit(Z, Y) for Z in (X, sparse.csr_matrix(X)))
    np.testing.assert_array_equal(dense.rbms_[-1].components_, csr.rbms_[-1].components_)
    np.testing.assert_array_equal(dense.predict_proba(X), csr.predict_proba(sparse.csr_matrix(X)))


@pytest.mark.parametrize("fine_tuning", [None, FineTuning(n_iter=2)])
def test_precision_goes_through(fine_tuning):
    X32, _ = rows(dtype=np.float32)
    dbn = classifier(fine_tuning=fine_tuning).fit(X32, Y)
    assert dbn.rbms_[-1].components_.dtype == np.float32
    assert dbn.transform(X32).dtype == dbn.sample(2, n_steps=2).dtype == np.float32
    assert dbn.predict_proba(X32).dtype == np.float64  # sums to one


@pytest.mark.parametrize("fine_tuning", [None, FineTuning(n_iter=2)])
def test_one_seed_one_result_and_copies_go_on_alike(fine_tuning):
    dbn = classifier(fine_tuning=fine_tuning).fit(X, Y)
    again, turned = clone(dbn).fit(X, Y), clone(dbn).fit(X[::-1], Y[::-1])
    np.testing.assert_array_equal(dbn.rbms_[-1].components_, again.rbms_[-1].components_)
    # Nor does the order of rows matter, but to the rounding of products.
    np.testing.assert_allclose(dbn.predict_proba(X), turned.predict_proba(X), rtol=1e-9)
    copy = pickle.loads(pickle.dumps(dbn))
    np.testing.assert_array_equal(copy.predict_proba(X), dbn.predict_proba(X))
    np.testing.assert_array_equal(copy.sample(3, n_steps=3), dbn.sample(3, n_steps=3))
    more = [d.set_params(warm_start=True).fit(X, Y) for d in (dbn, copy)]
    np.testing.assert_array_equal(more[0].predict_proba(X), more[1].predict_proba(X))


def test_warm_start_goes_on_with_the_same_classes():
    dbn = classifier(warm_start=True).fit(X, Y)
    first = dbn.rbms_[-1].components_.copy()
    dbn.fit(X, np.where(np.arange(60) % 2, Y.astype(object), -1))  # labels for some are enough
    assert not np.array_equal(first, dbn.rbms_[-1].components_)
    np.testing.assert_array_equal(dbn.classes_, ["a", "b", "c"])
    before = dbn.predict_proba(X)
    with pytest.raises(ValueError, match=r"the same classes as in .* `y` has \['b' 'c' 'd'\]"):
        dbn.fit(X, np.where(Y == "a", "d", Y))
    with pytest.raises(ValueError, match="Fit anew"):  # the joint machine is no layer to build on
        dbn.set_params(layers=[5, 3, 2]).fit(X, Y)
    dbn.set_params(layers=[5, 3])
    np.testing.assert_array_equal(dbn.predict_proba(X), before)


def test_layers_are_reached_by_name():
    joint = classifier(label_weights="joint")
    search = GridSearchCV(joint, {"layer2__n_iter": [0, 100]}, cv=2).fit(X, Y)
    assert search.best_params_ == {"layer2__n_iter": 100}
    with pytest.raises(ValueError, match=r"layer2.*which OneHot units cannot do"):
        classifier().set_params(layer2__gradient="pseudo_likelihood").fit(X, Y)


def test_learning_finds_the_classes():
    X, y = rows(400, seed=1)
    best = np.mean(bayes(X) == y)
    joint = BernoulliRBM(6, n_iter=100, batch_size=50, gradient="exact", optimizer="nesterov")
    dbn = DBNClassifier([joint], random_state=0).fit(X, y)
    assert dbn.score(X, y) > best - 0.02


def bayes(X):
    """The most probable classes under the law that the rows are drawn from."""
    p = np.array([[0.9, 0.8, 0.1, 0.5], [0.1, 0.2, 0.9, 0.5], [0.5, 0.9, 0.9, 0.1]])
    logs = X @ np.log(p).T + (1 - X) @ np.log(1 - p).T
    return np.array(["a", "b", "c"])[logs.argmax(axis=1)]


# Fine-tuning ---------------------------------------------------------------------------------


def test_fine_tuning_moves_all_layers_and_keeps_the_labels_apart():
    y = np.where(np.arange(60) % 4 == 0, -1, CODES)
    greedy, tuned = (
        classifier(fine_tuning=how).fit(X, y) for how in (None, FineTuning(n_iter=3, batch_size=7))
    )
    for name in ("recognition", "generative"):
        for a, b in zip(
            getattr(greedy, f"{name}_components_"),
            getattr(tuned, f"{name}_components_"),
            strict=True,
        ):
            assert a.shape == b.shape and np.abs(a - b).min() > 0
    assert sorted(tuned.histories_) == ["fine_tuning", "layer1", "layer2"]
    assert tuned.predict_proba(X).shape == (60, 3)
    np.testing.assert_allclose(tuned.predict_proba(X).sum(axis=1), 1, rtol=1e-12)


def test_fine_tuned_features_are_those_of_recognition():
    dbn = classifier(fine_tuning=FineTuning(n_iter=3)).fit(X, Y)
    below = logistic(X @ dbn.recognition_components_[0].T + dbn.recognition_intercepts_[0])
    model = oracle(dbn.rbms_[-1])
    expected = [one_hot.posterior(model, (3,), np.r_[x, np.zeros(3)], 0) for x in below[:5]]
    np.testing.assert_allclose(dbn.predict_proba(X[:5]), expected, rtol=1e-12)


def test_fine_tuning_of_a_joint_machine_alone():
    how = FineTuning(n_iter=100, learning_rate=0.1, batch_size=10, optimizer="momentum")
    dbn = classifier((4,), fine_tuning=how).fit(X, Y)
    assert len(dbn.history_["epoch"]) == 100
    assert dbn.score(X, Y) > classifier((4,), label_weights="joint").fit(X, Y).score(X, Y) + 0.2


def test_progress_is_shown_stage_by_stage(capsys):
    classifier(verbose=1, fine_tuning="up_down").fit(X, Y)
    shown = capsys.readouterr().out
    for stage in ("layer1", "layer2", "fine_tuning"):
        assert f"DBNClassifier {stage}" in shown


# Batches -------------------------------------------------------------------------------------


def test_batches_move_the_joint_machine_where_they_have_labels():
    dbn = classifier().partial_fit(X[:20], Y[:20], classes=list("cab"))
    np.testing.assert_array_equal(dbn.classes_, ["a", "b", "c"])
    bottom, top = (machine.components_.copy() for machine in dbn.rbms_)
    dbn.partial_fit(X[20:40], np.full(20, -1, object))
    assert not np.array_equal(dbn.rbms_[0].components_, bottom)
    np.testing.assert_array_equal(dbn.rbms_[1].components_, top)
    dbn.partial_fit(X[40:], Y[40:])
    assert not np.array_equal(dbn.rbms_[1].components_, top)


def test_minus_one_is_a_class_if_it_is_among_the_classes():
    y = np.where(CODES == 0, -1, CODES)
    dbn = classifier().partial_fit(X, y, classes=[-1, 1, 2])
    np.testing.assert_array_equal(dbn.classes_, [-1, 1, 2])
    np.testing.assert_array_equal(classifier().partial_fit(X, y, classes=[1, 2]).classes_, [1, 2])


def test_batches_are_refused_with_other_classes():
    with pytest.raises(ValueError, match="classes must be passed"):
        classifier().partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"classes \['c'\], which are not among"):
        classifier().partial_fit(X, Y, classes=["a", "b"])
    with pytest.raises(ValueError, match="no row is labelled"):
        classifier().partial_fit(X, np.full(60, -1), classes=[0, 1])
    dbn = classifier().partial_fit(X, Y, classes=["a", "b", "c"])
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        dbn.partial_fit(X, Y, classes=["a", "b"])


def test_batches_go_on_with_fine_tuning():
    dbn = classifier(fine_tuning=FineTuning(n_iter=1)).fit(X, Y)
    before = dbn.generative_components_[0].copy()
    dbn.partial_fit(X[:9], np.where(np.arange(9) < 3, -1, Y[:9].astype(object)))
    assert not np.array_equal(dbn.generative_components_[0], before)


# What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(60, -1), "no row is labelled"),
        (np.zeros(60), "one class"),
        (np.full(60, np.nan), "no row is labelled"),
        (np.linspace(0, 1, 60), "Unknown label type|continuous"),
        (np.eye(3)[CODES].astype(int), "one label per row"),
        (CODES[:-1], "same number of rows"),
        (None, "requires y"),
    ],
)
def test_impossible_labels_are_refused(y, message):
    dbn = classifier().fit(X, Y)
    before = dbn.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        dbn.fit(X, y)
    np.testing.assert_array_equal(dbn.predict_proba(X), before)


def test_labels_without_weight_are_refused():
    y, weights = np.where(CODES == 2, np.nan, CODES), np.where(CODES == 2, 1.0, 0.0)
    with pytest.raises(ValueError, match="zero for every labelled sample"):
        classifier().fit(X, y, sample_weight=weights)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "layers must hold"),
        ([4, 0], "positive numbers"),
        ([GaussianRBM(4)], "visible units of layer1, GaussianRBM, are Gaussian"),
        ([RBM(4, hidden="spin"), RBM(4, visible="spin")], "visible units of layer2, RBM, are Spin"),
        ([RBM(4, hidden="gaussian"), 4], "hidden units of layer1"),
    ],
)
def test_impossible_layers_are_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        DBNClassifier(layers).fit(X, Y)


def test_real_data_go_below_binary_layers():
    Z = X + np.random.default_rng(3).normal(size=X.shape) / 10
    lowest = GaussianRBM(8, n_iter=20)
    dbn = DBNClassifier([lowest, BernoulliRBM(4, n_iter=5)], fine_tuning="up_down", random_state=0)
    assert dbn.fit(Z, Y).predict_proba(Z).shape == (60, 3)
    assert np.isfinite(dbn.sample(3, "a", n_steps=5)).all()


def test_the_joint_machine_keeps_the_settings_of_the_one_given():
    given = BernoulliRBM(7, n_iter=9, gradient="cd", weight_decay=0.1, random_state=4)
    joint = as_joint(given, 5, 3, "layer1")
    assert joint.visible == [("bernoulli", 5), (Categorical((3,)), 3)]
    shared = set(given.get_params(deep=False))
    assert {name: joint.get_params(deep=False)[name] for name in shared} == given.get_params(
        deep=False
    )


@pytest.mark.parametrize("gradient", ["fpcd", "tempering", "exact", "cd", TAP(order=1)])
def test_the_joint_machine_learns_by_every_gradient_of_two_layers(gradient):
    joint = BernoulliRBM(4, gradient=gradient, n_iter=40, learning_rate=0.1)
    dbn = DBNClassifier([joint], label_weights="joint", random_state=0)
    assert dbn.fit(X, Y).score(X, Y) > dbn.set_params(layer1__n_iter=0).fit(X, Y).score(X, Y) + 0.1


@pytest.mark.parametrize(
    "regularization",
    [
        Regularization(sparsity_target=0.2),
        Regularization(dropout=0.3),
        Regularization(max_norm=0.5),
    ],
)
def test_regularization_reaches_the_joint_machine(regularization):
    joint = BernoulliRBM(4, regularization=regularization, n_iter=5)
    held = DBNClassifier([joint], label_weights="joint", random_state=0).fit(X, Y)
    free = classifier((4,)).set_params(layer1__n_iter=5).fit(X, Y)
    assert not np.array_equal(held.predict_proba(X), free.predict_proba(X))
    if regularization.max_norm is not None:  # of the weights from features and labels together
        norms = np.linalg.norm(held.rbms_[0].components_, axis=1)
        np.testing.assert_allclose(norms.max(), 0.5)


def test_nothing_is_known_before_fit():
    for call in ("predict", "predict_proba", "transform"):
        with pytest.raises(NotFittedError):
            getattr(classifier(), call)(X)
    with pytest.raises(NotFittedError):
        classifier().sample(2)


def test_an_interrupt_below_the_joint_machine_is_told():
    def stop(report):
        raise KeyboardInterrupt

    layers = [BernoulliRBM(5, callbacks=stop), BernoulliRBM(3, n_iter=3)]
    dbn = DBNClassifier(layers, warm_start=True, random_state=0)
    with pytest.warns(UserWarning, match="interrupted"):
        dbn.fit(X, Y)
    assert dbn.transform(X).shape == (60, 5)
    with pytest.raises(ValueError, match="has not learned yet"):
        dbn.predict(X)
    with pytest.raises(ValueError, match="has not learned yet"):
        dbn.sample(2)
    dbn.set_params(layer1__callbacks=None).fit(X, Y)
    assert dbn.predict(X).shape == (60,)


def test_without_labels_it_is_a_stack():
    """The layers below the top are those of a DBN of the same seed."""
    dbn = DBN([BernoulliRBM(5, n_iter=3), 2], random_state=0).fit(X)
    np.testing.assert_array_equal(
        dbn.rbms_[0].components_, classifier().fit(X, Y).rbms_[0].components_
    )
