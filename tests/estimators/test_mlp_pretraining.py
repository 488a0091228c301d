"""Perceptrons that start from a machine which has seen all rows, the unlabelled ones included."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import StandardScaler

from ebm import DBN, RBM, BernoulliRBM, GaussianRBM, MLPClassifier, MLPRegressor
from ebm.networks.activations import Logistic, PReLU

RNG = np.random.default_rng(0)
N = 40
REALS = RNG.normal(size=(N, 5)) @ RNG.normal(size=(5, 5)) + 3
BITS = (RNG.random((N, 6)) < 0.4).astype(float)
SPINS = 2 * BITS - 1
Y = RNG.integers(0, 3, N)
UNLABELLED = np.where(np.arange(N) < 25, -1, Y)
ENDLESS = {"n_iter_no_change": np.inf}
FEW = {"n_components": 4, "n_iter": 3, "random_state": 0}

MACHINES = {
    "binary": (BernoulliRBM(**FEW), BITS, "logistic"),
    "gaussian": (GaussianRBM(**FEW, learning_rate=0.02), REALS, "logistic"),
    "gaussian to spins": (
        RBM(visible="gaussian", hidden="spin", learning_rate=0.02, **FEW),
        REALS,
        "tanh",
    ),
    "spins": (RBM(visible="spin", hidden="spin", **FEW), SPINS, "tanh"),
    "to reals": (RBM(hidden="gaussian", learning_rate=0.01, **FEW), BITS, "identity"),
}
every_machine = pytest.mark.parametrize("name", MACHINES)
ignore_labels = pytest.mark.filterwarnings("ignore:.*rows have y = -1:UserWarning")


def started(pretraining, X, y=Y, **settings):
    """A network as it is before back-propagation."""
    settings = {"max_iter": 0, "random_state": 0, **settings}
    return MLPClassifier(pretraining=pretraining, **settings).fit(X, y)


def hidden(mlp, X, n_layers=1):
    """Values of the first hidden layers of a network."""
    outputs = list(mlp.network_.outputs(mlp.layer_params_, X))
    return outputs[2 * n_layers - 1]


# What a network starts from ------------------------------------------------------------------


@every_machine
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_first_hidden_layer_is_the_mean_of_the_hidden_units(name, dtype):
    machine, X, activation = MACHINES[name]
    X, rng = X.astype(dtype), np.random.default_rng(1)
    fitted = clone(machine).set_params(n_iter=0).fit(X)  # then parameters far from where they begin
    fitted.components_ = rng.normal(size=(4, X.shape[1])).astype(dtype)
    fitted.intercept_hidden_ = rng.normal(size=4).astype(dtype)
    if hasattr(fitted, "log_variance_visible_"):
        fitted.log_variance_visible_ = rng.normal(size=X.shape[1]).astype(dtype)
    mlp = started(FrozenEstimator(fitted), X)
    assert type(mlp.network_.layers[1]).__name__.lower() == activation
    assert mlp.coefs_[0].dtype == dtype
    means = fitted._model().hidden_mean(fitted._params(), X)
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(hidden(mlp, X), means, atol=tolerance)
    assert np.ptp(means, axis=0).min() > 0.01, "means that differ between rows"
    if name != "to reals":
        np.testing.assert_allclose(hidden(mlp, X), fitted.transform(X), atol=tolerance)


@pytest.mark.parametrize("name", ["binary", "gaussian"])
def test_a_machine_is_cloned_and_never_modified(name):
    machine, X, _ = MACHINES[name]
    machine = clone(machine)
    mlp = started(machine, X, max_iter=3, **ENDLESS)
    assert not hasattr(machine, "components_")
    assert mlp.pretraining is machine and mlp.pretraining_ is not machine
    alone = clone(machine).fit(X)
    np.testing.assert_array_equal(mlp.pretraining_.components_, alone.components_)
    # Fine-tuning is not the machine's.
    assert (mlp.coefs_[0] != alone._recognition()[0][1][0]).any()
    np.testing.assert_array_equal(mlp.pretraining_.transform(X), alone.transform(X))


def test_a_frozen_machine_is_taken_as_it_is():
    fitted = GaussianRBM(**FEW).fit(REALS[:10])
    before = fitted.components_.copy()
    mlp = started(FrozenEstimator(fitted), REALS, max_iter=5, learning_rate_init=0.1, **ENDLESS)
    assert mlp.pretraining_ is fitted
    np.testing.assert_array_equal(fitted.components_, before)
    start = started(FrozenEstimator(fitted), REALS)
    np.testing.assert_allclose(hidden(start, REALS), fitted.transform(REALS), atol=1e-12)
    assert not np.shares_memory(start.coefs_[0], fitted.components_)


def test_a_fitted_machine_that_is_not_frozen_is_fitted_anew():
    fitted = GaussianRBM(**FEW).fit(REALS[:10])
    before = fitted.components_.copy()
    mlp = started(fitted, REALS)
    np.testing.assert_array_equal(fitted.components_, before)
    assert (mlp.pretraining_.components_ != before).any()


def test_without_a_seed_of_its_own_a_machine_follows_that_of_the_network():
    machine = GaussianRBM(4, n_iter=1)
    first, again, other = (started(machine, REALS, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.coefs_[0], again.coefs_[0])
    assert (first.coefs_[0] != other.coefs_[0]).any()


def test_layers_after_the_machine_start_at_random():
    machine = GaussianRBM(**FEW)
    mlp = started(
        machine, REALS, hidden_layer_sizes=(4, 7, 3), activation=["auto", PReLU(), "tanh"]
    )
    assert [W.shape for W in mlp.coefs_] == [(5, 4), (4, 7), (7, 3), (3, 3)]
    kinds = [type(layer).__name__ for layer in mlp.network_.layers[1::2]]
    assert kinds == ["Logistic", "PReLU", "Tanh"]
    np.testing.assert_allclose(hidden(mlp, REALS), mlp.pretraining_.transform(REALS), atol=1e-12)
    same = started(machine, REALS, hidden_layer_sizes=(4, 6))
    assert [type(layer).__name__ for layer in same.network_.layers[1::2]] == ["Logistic"] * 2


def test_dropout_and_batch_normalisation_go_with_it():
    mlp = started(GaussianRBM(**FEW), REALS, dropout=0.5, batch_norm=True, max_iter=3, **ENDLESS)
    assert np.isfinite(mlp.predict_proba(REALS)).all()
    kinds = [type(layer).__name__ for layer in mlp.network_.layers]
    assert kinds == ["Dense", "BatchNorm", "Logistic", "Dropout", "Dense"]


def test_a_stack_gives_all_its_layers():
    dbn = DBN([GaussianRBM(**FEW), BernoulliRBM(3, n_iter=2)], random_state=0)
    mlp = started(dbn, REALS, UNLABELLED)
    assert [W.shape for W in mlp.coefs_] == [(5, 4), (4, 3), (3, 3)]
    assert not hasattr(dbn, "components_") and mlp.pretraining_ is not dbn
    np.testing.assert_allclose(hidden(mlp, REALS, 2), mlp.pretraining_.transform(REALS), atol=1e-12)
    longer = started(FrozenEstimator(mlp.pretraining_), REALS, hidden_layer_sizes=[4, 3, 6])
    assert longer.coefs_[2].shape == (3, 6)
    np.testing.assert_array_equal(longer.coefs_[1], mlp.coefs_[1])
    again = started(clone(dbn).set_params(layers=(2,)), BITS)
    assert [W.shape for W in again.coefs_] == [(6, 2), (2, 3)]
    with pytest.raises(ValueError, match=r"activation='relu' .* layer 2 .* Bernoulli .*'logistic'"):
        started(dbn, REALS, activation=["logistic", "relu"])
    with pytest.raises(ValueError, match=r"hidden_layer_sizes=\(4,\) must begin with .* \(4, 3\)"):
        started(dbn, REALS, hidden_layer_sizes=4)


def test_a_record_that_is_the_activation_of_the_units_will_do():
    by_name, by_record = (
        started(GaussianRBM(**FEW), REALS, activation=a) for a in ("logistic", Logistic())
    )
    np.testing.assert_array_equal(by_name.predict_proba(REALS), by_record.predict_proba(REALS))


def test_sparse_rows_are_pre_trained_on():
    dense = started(BernoulliRBM(**FEW), BITS, max_iter=2, **ENDLESS)
    thin = started(BernoulliRBM(**FEW), sp.csr_matrix(BITS), max_iter=2, **ENDLESS)
    np.testing.assert_allclose(dense.coefs_[0], thin.coefs_[0], atol=1e-12)


# Rows without labels -------------------------------------------------------------------------


def test_unlabelled_rows_train_the_machine_and_nothing_else():
    mlp = started(GaussianRBM(**FEW), REALS, UNLABELLED, max_iter=4, **ENDLESS)
    assert mlp.classes_.tolist() == [0, 1, 2]
    assert mlp.t_ == 4 * 15
    machine = GaussianRBM(**FEW).fit(REALS)
    np.testing.assert_array_equal(mlp.pretraining_.components_, machine.components_)
    labelled = started(FrozenEstimator(machine), REALS[25:], UNLABELLED[25:], max_iter=4, **ENDLESS)
    for mine, other in zip(mlp.coefs_, labelled.coefs_, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert mlp.loss_curve_ == labelled.loss_curve_


def test_weights_of_unlabelled_rows_reach_the_machine():
    weights = RNG.integers(0, 3, N)
    mlp = MLPClassifier(pretraining=GaussianRBM(**FEW), max_iter=2, random_state=0, **ENDLESS)
    mlp.fit(REALS, UNLABELLED, sample_weight=weights)
    machine = GaussianRBM(**FEW).fit(REALS, sample_weight=weights)
    np.testing.assert_array_equal(mlp.pretraining_.components_, machine.components_)
    assert mlp.t_ == 2 * weights[25:].sum()


def test_a_row_of_several_labels_is_unlabelled_where_all_are():
    labels = RNG.integers(0, 2, (N, 3))
    labels[:25] = -1
    mlp = started(GaussianRBM(**FEW), REALS, labels, max_iter=2, **ENDLESS)
    assert mlp.t_ == 2 * 15 and mlp.n_outputs_ == 3
    assert set(np.unique(mlp.predict(REALS))) <= {0, 1}


def test_minus_one_is_a_class_where_there_is_one_other():
    y = np.where(Y > 0, 1, -1)
    plain = MLPClassifier(3, max_iter=1, **ENDLESS).fit(REALS, y)  # without a word
    assert plain.classes_.tolist() == [-1, 1]
    mlp = started(GaussianRBM(**FEW), REALS, y)  # the usual names of two classes
    assert mlp.classes_.tolist() == [-1, 1]


@pytest.mark.parametrize("classes", [[0, 1, 2], [0.0, 1.0, 2.0], [5, 7, 9]])
def test_minus_one_marks_rows_of_every_kind_of_number(classes):
    y = np.asarray(classes)[Y]
    y[:25] = -1
    mlp = started(GaussianRBM(**FEW), REALS, y)
    assert mlp.classes_.tolist() == classes
    with pytest.warns(UserWarning, match="25 rows have y = -1, which marks unlabelled"):
        MLPClassifier(3, max_iter=1, **ENDLESS).fit(REALS, y)


@ignore_labels
def test_known_classes_say_what_minus_one_is():
    """A part in which one class comes up, or none is labelled but a few."""
    mlp = MLPClassifier(3, random_state=0)
    mlp.partial_fit(REALS[:4], [2, 2, -1, -1], classes=[0, 1, 2])
    assert mlp.classes_.tolist() == [0, 1, 2] and mlp.t_ == 2
    assert mlp.partial_fit(REALS[:3], [-1, -1, 0]).t_ == 3
    warm = MLPClassifier(3, max_iter=1, warm_start=True, **ENDLESS).fit(REALS, Y)
    assert warm.fit(REALS[20:], UNLABELLED[20:]).t_ == N + 15
    with pytest.raises(ValueError, match="same classes as in the previous call to fit"):
        warm.fit(REALS[:4], [2, 2, -1, -1])
    named = MLPClassifier(3).partial_fit(REALS[:3], [-1, 0, 1], classes=[-1, 0, 1])
    assert named.classes_.tolist() == [-1, 0, 1] and named.t_ == 3
    with pytest.raises(ValueError, match="no row is labelled"):
        mlp.partial_fit(REALS[:3], [-1, -1, -1])


def test_one_labelled_class_beside_minus_one_makes_two():
    y = np.where(np.arange(N) < 25, -1, 4)
    with pytest.warns(UserWarning, match="taken for a class"):
        assert started(GaussianRBM(**FEW), REALS, y).classes_.tolist() == [-1, 4]
    assert started(GaussianRBM(**FEW), REALS, np.full(N, 4)).classes_.tolist() == [4]
    with pytest.raises(ValueError, match="no row is labelled"):
        started(GaussianRBM(**FEW), REALS, np.full(N, -1))


# Searches ------------------------------------------------------------------------------------


def test_settings_of_the_machine_are_reached_by_name():
    grid = {"pretraining__n_components": [2, 3], "learning_rate_init": [0.01, 0.1]}
    mlp = MLPClassifier(pretraining=GaussianRBM(**FEW), max_iter=2, random_state=0, **ENDLESS)
    search = GridSearchCV(mlp, grid, cv=2).fit(REALS, Y)
    sizes = search.best_params_["pretraining__n_components"]
    assert search.best_estimator_.coefs_[0].shape == (5, sizes)
    assert mlp.pretraining.n_components == 4
    frozen = MLPClassifier(
        pretraining=FrozenEstimator(GaussianRBM(**FEW).fit(REALS)), max_iter=1, **ENDLESS
    )
    assert clone(frozen).pretraining.estimator is frozen.pretraining.estimator
    assert len(cross_val_score(frozen, REALS, Y, cv=2)) == 2


# What cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"activation": "relu"},
            r"activation='relu' does not agree .* layer 1 .* Bernoulli units.*'logistic'",
        ),
        (
            {"activation": PReLU()},
            r"activation=PReLU\(\) does not agree .* Bernoulli .* 'logistic'",
        ),
        ({"activation": ["tanh"]}, r"activation='tanh' .* Bernoulli units, .* 'logistic'"),
        ({"hidden_layer_sizes": 5}, r"hidden_layer_sizes=\(5,\) must begin with .* \(4,\)"),
        ({"hidden_layer_sizes": (5, 4)}, r"hidden_layer_sizes=\(5, 4\) must begin with .* \(4,\)"),
        ({"hidden_layer_sizes": ()}, r"hidden_layer_sizes=\(\) must begin with .* \(4,\)"),
        (
            {"pretraining": StandardScaler()},
            "must be None, or a restricted Boltzmann machine, a DBN, a DBM or an Autoencoder",
        ),
        ({"pretraining": LogisticRegression()}, "must be None, or a restricted Boltzmann machine"),
        (
            {"pretraining": FrozenEstimator(StandardScaler())},
            "must be None, or a restricted Boltzmann",
        ),
        ({"pretraining": FrozenEstimator(GaussianRBM())}, "not fitted"),
        ({"pretraining": "rbm"}, "pretraining.*'fit' and 'get_params'|pretraining.*get_params"),
        (
            {"pretraining": FrozenEstimator(GaussianRBM(**FEW).fit(REALS[:, :3]))},
            "fitted on 3 features, but X has 5",
        ),
    ],
)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_what_does_not_go_together_is_named(kind, settings, words):
    mlp = kind(**{"pretraining": GaussianRBM(**FEW), "max_iter": 1, **settings})
    with pytest.raises(ValueError, match=words):
        mlp.fit(REALS, Y)
    assert not hasattr(mlp, "coefs_")


def test_a_unit_that_is_no_activation_is_named(monkeypatch):
    from ebm.units import Bernoulli

    monkeypatch.setattr(Bernoulli, "activation", None)
    with pytest.raises(ValueError, match=r"mean of Bernoulli\(\) is no activation; those of"):
        started(GaussianRBM(**FEW), REALS)


def test_what_the_machine_has_to_tell_is_told():
    with pytest.warns(UserWarning, match="X holds values between"):
        started(BernoulliRBM(**FEW), REALS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        started(GaussianRBM(**FEW), REALS)


@pytest.mark.needs_jit
def test_few_labels_profit_from_all_rows():
    """Eight prototypes of 40 bits, blurred, two to a class; two labelled rows of each."""
    rng = np.random.default_rng(5)
    prototypes = rng.random((8, 40)) < 0.5
    kind = rng.permutation(np.arange(1500) % 8)
    kind[:16] = np.arange(16) % 8
    X = (prototypes[kind] ^ (rng.random((1500, 40)) < 0.2)).astype(float)
    y = kind % 4
    labelled = y.copy()
    labelled[16:] = -1
    rbm = BernoulliRBM(20, n_iter=15, learning_rate=0.05, random_state=0)
    settings = {"learning_rate_init": 0.01, "max_iter": 200, "random_state": 0, **ENDLESS}
    with_all = MLPClassifier(pretraining=rbm, **settings).fit(X, labelled).score(X[16:], y[16:])
    with_few = MLPClassifier(20, "logistic", **settings).fit(X[:16], y[:16]).score(X[16:], y[16:])
    assert with_all > with_few + 0.04
