"""Perceptrons that are pruned and that grow: what goes stays away, what was learned stays, bad moves are undone."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV, train_test_split

from ebm import BernoulliRBM, Growth, MLPClassifier, MLPRegressor, Momentum

PLAIN = {"random_state": 0, "n_iter_no_change": np.inf, "warm_start": True}


def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, random_state=0)


def rings(n_rows=400, seed=3):
    """Two rings, one within the other: a line around the inner one takes three units at least."""
    rng = np.random.default_rng(seed)
    angle, inner = rng.uniform(0, 2 * np.pi, n_rows), np.arange(n_rows) % 2
    radius = np.where(inner, 1.0, 2.0) + 0.1 * rng.normal(size=n_rows)
    return radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]), inner


def small(kind=MLPClassifier, **settings):
    """A fitted network on 8 features, of which three tell the target."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 8))
    y = X[:, 0] - X[:, 3] + 0.5 * X[:, 5]
    y = (y > 0).astype(int) if kind is MLPClassifier else y
    mlp = kind(**{"hidden_layer_sizes": (9, 7), "max_iter": 5, **PLAIN, **settings})
    return mlp.fit(X, y), X, y


def fitted_bits(mlp):
    """All that is fitted, as bytes."""
    return {k: pickle.dumps(v) for k, v in vars(mlp).items() if k.endswith("_") or k[0] == "_"}


def zeros(mlp):
    return [w == 0 for w in mlp.coefs_]


# Pruning -------------------------------------------------------------------------------------------------


@pytest.mark.needs_jit
def test_half_of_an_oversized_network_is_not_missed_on_digits():
    X, X_test, y, y_test = digits()
    mlp = MLPClassifier((100,), max_iter=40, learning_rate_init=3e-3, **PLAIN).fit(X, y)
    before, n_weights = mlp.score(X_test, y_test), sum(w.size for w in mlp.coefs_)
    assert before > 0.95
    mlp.prune(0.5, X, y).set_params(max_iter=15).fit(X, y)
    assert sum(np.count_nonzero(w) for w in mlp.coefs_) == n_weights - n_weights // 2
    assert mlp.score(X_test, y_test) >= before - 0.01
    border = mlp.prune(0, X, y).feature_importances_[X.std(axis=0) == 0]
    assert len(border) and not border.any(), "pixels that never change have no weight in this"


SOLVERS = ["adam", "sgd", Momentum(0.9), "rmsprop", "lbfgs"]


@pytest.mark.filterwarnings("ignore:.*Not converged after max_iter=5 iterations")
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_what_was_removed_stays_at_zero(kind, solver):
    mlp, X, y = small(kind, solver=solver, learning_rate_init=0.01)
    assert mlp.prune(0.5, X, y) is mlp
    removed, before = zeros(mlp), [w.copy() for w in mlp.coefs_]
    assert sum(z.sum() for z in removed) == sum(z.size for z in removed) // 2
    if solver != "lbfgs":
        mlp.partial_fit(X, y)  # the optimiser still remembers the weights
    mlp.fit(X, y)
    for gone, was, now in zip(removed, before, mlp.coefs_, strict=True):
        assert not now[gone].any()
        assert (now[~gone] != was[~gone]).mean() > 0.9, "nothing was learned"
    again = clone(mlp).fit(X, y)
    assert not any(z.any() for z in zeros(again)), "a new fit begins with all weights"


def test_masks_survive_being_stored():
    mlp, X, y = small()
    mlp.prune(0.5, X, y)
    removed = zeros(mlp)
    other = pickle.loads(pickle.dumps(mlp)).partial_fit(X, y)
    mlp.partial_fit(X, y)
    for gone, a, b in zip(removed, mlp.coefs_, other.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not a[gone].any()


def test_importances_are_those_of_the_inputs_that_matter():
    mlp, X, y = small(MLPRegressor, max_iter=200, learning_rate_init=0.01)
    with pytest.raises(AttributeError):
        mlp.feature_importances_  # noqa: B018
    before = [w.copy() for w in mlp.coefs_]
    shares = mlp.prune(0, X, y).feature_importances_
    assert shares.shape == (8,) and shares.sum() == pytest.approx(1)
    assert set(np.argsort(shares)[-3:]) == {0, 3, 5}
    for a, b in zip(before, mlp.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert SelectFromModel(mlp, prefit=True, max_features=3).transform(X).shape == (150, 3)
    assert not hasattr(mlp.set_params(warm_start=False).fit(X, y), "feature_importances_")


def test_rows_in_every_form_give_the_same():
    mlp, X, y = small()
    X[np.abs(X) < 0.5] = 0
    counts = np.random.default_rng(1).integers(0, 3, len(X))
    bits = pickle.dumps(mlp)
    coefs = [
        pickle.loads(bits).prune(0.4, rows, labels, weights).coefs_
        for rows, labels, weights in [
            (np.repeat(X, counts, 0), np.repeat(y, counts), None),
            (X, y, counts),
            (sparse.csr_array(X), y, counts),
        ]
    ]
    for one, *others in zip(*coefs, strict=True):
        for other in others:
            np.testing.assert_array_equal(one, other)


def test_per_layer_and_full_second_derivatives():
    mlp, X, y = small(activation="tanh")
    bits = pickle.dumps(mlp)
    mlp.prune(0.5, X, y, per_layer=True)
    assert [int(z.sum()) for z in zeros(mlp)] == [w.size // 2 for w in mlp.coefs_]
    full = pickle.loads(bits).prune(0.5, X, y, levenberg_marquardt=False)
    plain = pickle.loads(bits).prune(0.5, X, y)
    assert any((a != b).any() for a, b in zip(zeros(full), zeros(plain), strict=True))


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_norm": True, "activation": "prelu", "dropout": 0.2},
        {"pretraining": BernoulliRBM(n_components=6, n_iter=2, random_state=0)},
    ],
    ids=["batch_norm", "pretraining"],
)
@pytest.mark.filterwarnings("ignore:X holds values between:UserWarning")
def test_networks_of_all_kinds_are_pruned(settings):
    if "pretraining" in settings:
        settings = {**settings, "hidden_layer_sizes": "auto"}
    mlp, X, y = small(**settings)
    mlp.prune(0.5, X, y).fit(X, y)
    assert sum(z.sum() for z in zeros(mlp)) == sum(w.size for w in mlp.coefs_) // 2


def test_single_precision_stays_single():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)).astype(np.float32)
    mlp = MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, **PLAIN).fit(X, X[:, 0])
    mlp.prune(0.5, X.astype(float), X[:, 0]).partial_fit(X, X[:, 0])
    assert all(w.dtype == np.float32 for w in mlp.coefs_)


def test_unlabelled_rows_are_left_out():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(120, 6))
    y = (3 * X[:, 0]).astype(int)
    unlabelled = np.where(np.arange(120) < 60, y, -1)
    rbm = BernoulliRBM(n_components=5, n_iter=1, random_state=0)
    mlp = MLPClassifier(pretraining=rbm, max_iter=3, **PLAIN).fit(X, unlabelled)
    bits = pickle.dumps(mlp)
    mlp.prune(0.5, X, unlabelled)
    other = pickle.loads(bits).prune(0.5, X[:60], y[:60])
    for a, b in zip(mlp.coefs_, other.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_rounds_go_on_while_they_are_harmless():
    mlp, X, y = small(MLPRegressor, solver="lbfgs", alpha=1e-3, tol=1e-3, max_iter=300)
    before = mlp.score(X, y)
    mlp.prune(0.3, X, y, max_rounds=6, tol=0.01)
    left = sum(np.count_nonzero(w) for w in mlp.coefs_)
    assert left == pytest.approx(0.7**6 * 142, abs=6)
    assert mlp.score(X, y) >= before - 0.01
    assert mlp.feature_importances_[[0, 3, 5]].sum() > 0.99


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_round_that_hurts_is_undone_bit_for_bit(solver):
    mlp, X, y = small(solver=solver, learning_rate_init=0.01, max_iter=20, tol=1e-2)
    mlp.prune(0, X, y)
    before = fitted_bits(mlp)
    worse = mlp.score(X, y)
    mlp.prune(1.0, X, y, max_rounds=3, tol=0.05)  # without weights there are only biases
    assert fitted_bits(mlp) == before
    assert mlp.score(X, y) == worse


def test_the_score_is_that_of_the_validation_rows():
    mlp, X, y = small()
    bits = pickle.dumps(mlp)
    held_out = (X, 1 - y)  # the worse the network, the better
    mlp.prune(1.0, X, y, max_rounds=1, tol=0, validation=held_out)
    assert not any(w.any() for w in mlp.coefs_)
    kept = pickle.loads(bits).prune(1.0, X, y, max_rounds=1, tol=0)
    assert all(w.all() for w in kept.coefs_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_rounds_tell_of_training_that_did_not_end():
    mlp, X, y = small(n_iter_no_change=2, tol=0.0, max_iter=30, learning_rate_init=1e-4)
    with pytest.warns(ConvergenceWarning, match="Not converged after max_iter=30 epochs"):
        mlp.prune(0.1, X, y, max_rounds=1, tol=1.0)


def test_bad_arguments_are_refused_and_lose_nothing():
    mlp, X, y = small()
    before = fitted_bits(mlp)
    for arguments, message in [
        ({"fraction": 1.5}, "fraction must be a number in"),
        ({"max_rounds": 0}, "max_rounds must be an integer of at least 1"),
        ({"max_rounds": 1, "tol": -1.0}, "tol must be a number in"),
        ({"max_rounds": 1, "validation": X}, "validation must be a pair"),
        ({"X": X[:, :3]}, "X has 3 features"),
        ({"y": np.full(len(y), 7)}, "which are not among \\[0, 1\\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            mlp.prune(**{"fraction": 0.5, "X": X, "y": y, **arguments})
        assert fitted_bits(mlp) == before
    with pytest.raises(NotFittedError):
        MLPClassifier().prune(0.5, X, y)


# Growth --------------------------------------------------------------------------------------------------

ON_RINGS = {
    "hidden_layer_sizes": (2,),
    "activation": "tanh",
    "learning_rate_init": 0.02,
    "batch_size": 50,
    "n_iter_no_change": 8,
    "tol": 1e-3,
    "max_iter": 600,
    "random_state": 0,
}


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    "settings",
    [{}, {"solver": "lbfgs"}, {"batch_norm": True}, {"early_stopping": True}],
    ids=str,
)
def test_two_units_grow_to_what_the_task_takes(settings):
    X, y = rings()
    X_test, y_test = rings(seed=4)
    alone = MLPClassifier(**{**ON_RINGS, **settings}).fit(X, y)
    growth = Growth(n_new=2, max_units=10, tol=0.02)
    mlp = MLPClassifier(**{**ON_RINGS, **settings}, growth=growth).fit(X, y)
    assert alone.score(X_test, y_test) < 0.9
    assert mlp.score(X_test, y_test) > 0.97
    (n_units,) = {len(mlp.intercepts_[0]), mlp.coefs_[0].shape[1], len(mlp.coefs_[1])}
    assert 4 <= n_units <= 10
    assert mlp.n_iter_ < 600


def test_the_history_tells_the_sizes_and_goes_on():
    X, y = rings()
    mlp = MLPClassifier(**ON_RINGS, growth=Growth(n_new=2, max_units=6, tol=0.0)).fit(X, y)
    sizes = mlp.history_["hidden_units"]
    assert set(np.unique(sizes)) <= {2, 4, 6} and (np.diff(sizes) >= 0).all() and sizes[-1] > 2
    assert len(mlp.loss_curve_) == len(sizes) == mlp.n_iter_
    first = int((sizes == 2).sum())
    alone = MLPClassifier(**ON_RINGS).fit(X, y)
    assert mlp.loss_curve_[:first] == alone.loss_curve_, "up to the first growth nothing differs"


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_growth_that_brings_too_little_is_undone_bit_for_bit(solver):
    X, y = rings()
    settings = {**ON_RINGS, "solver": solver}
    alone = MLPClassifier(**settings).fit(X, y)
    mlp = MLPClassifier(**settings, growth=Growth(n_new=2, tol=10.0)).fit(X, y)
    for a, b in zip(
        [*alone.coefs_, *alone.intercepts_], [*mlp.coefs_, *mlp.intercepts_], strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert mlp.loss_curve_ == alone.loss_curve_
    assert mlp.network_.widths == alone.network_.widths
    for a, b in zip(
        mlp._course.memory if solver == "adam" else (), alone._course.memory, strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_all_layers_or_one():
    X, y = rings(100)
    settings = {**ON_RINGS, "hidden_layer_sizes": (2, 3), "max_iter": 60, "tol": 0.05}
    free = {"n_new": 2, "tol": 0.0}
    both = MLPClassifier(**settings, growth=Growth(max_units=4, **free)).fit(X, y)
    last = MLPClassifier(**settings, growth=Growth(max_units=5, layer=-1, **free)).fit(X, y)
    assert [len(b) for b in both.intercepts_] == [4, 4, 1]
    assert [len(b) for b in last.intercepts_] == [2, 5, 1]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_goes_on_from_pretraining_and_in_later_fits():
    X, y = rings(100)
    X = (X - X.min()) / (X.max() - X.min())
    rbm = BernoulliRBM(n_components=3, n_iter=2, random_state=0)
    settings = {**ON_RINGS, "hidden_layer_sizes": "auto", "activation": "auto", "tol": 0.05}
    mlp = MLPClassifier(
        **{**settings, "max_iter": 12, "warm_start": True, "pretraining": rbm},
        growth=Growth(n_new=1, tol=0.0),
    )
    first = len(mlp.fit(X, y).intercepts_[0])
    mlp.set_params(max_iter=40).fit(X, y)
    assert 3 <= first < len(mlp.intercepts_[0])
    width = len(mlp.intercepts_[0])
    mlp.partial_fit(X, y)
    assert len(mlp.intercepts_[0]) == width, "partial_fit does not grow"


def test_pruned_networks_grow_around_what_is_gone():
    X, y = rings(100)
    settings = {**ON_RINGS, "hidden_layer_sizes": (6,), "max_iter": 40, "tol": 0.05}
    mlp = MLPClassifier(**settings, warm_start=True).fit(X, y).prune(0.5, X, y)
    removed = zeros(mlp)
    mlp.set_params(growth=Growth(n_new=2, max_units=8, tol=0.0)).fit(X, y)
    assert mlp.coefs_[0].shape == (2, 8)
    assert not mlp.coefs_[0][:, :6][removed[0]].any()
    assert not mlp.coefs_[1][:6][removed[1]].any()
    assert mlp.coefs_[0][:, 6:].all() and mlp.coefs_[1][6:].all()


def test_one_seed_one_result():
    X, y = rings(100)
    settings = {**ON_RINGS, "max_iter": 60, "tol": 0.05, "growth": Growth(2, 6, tol=0.0)}
    one, same = (MLPClassifier(**settings).fit(X, y) for _ in range(2))
    assert len(one.intercepts_[0]) == 6
    for a, b in zip(one.coefs_, same.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:MLPClassifier. The network predicts no better than a constant")
def test_settings_of_growth_are_parameters():
    mlp = MLPRegressor(growth=Growth(3))
    assert clone(mlp).get_params()["growth__n_new"] == 3
    assert MLPRegressor().set_params(growth__n_new=4).growth == Growth(4)
    X, y = rings(60)
    search = GridSearchCV(
        MLPClassifier(**{**ON_RINGS, "batch_size": 20, "tol": 0.5}, growth=Growth(tol=0.0)),
        {"growth__max_units": [2, 3]},
        cv=2,
    )
    assert {len(search.fit(X, y).best_estimator_.intercepts_[0])} <= {2, 3}


def test_what_cannot_grow_is_refused_before_training():
    X, y = rings(60)
    for growth, message in [
        (Growth(layer=1), "of which there are 1. Got layer=1"),
        (Momentum(), "growth must be a Growth"),
        ("fast", "'growth' parameter of MLPClassifier must be"),
    ]:
        for solver in ("adam", "lbfgs"):
            mlp = MLPClassifier(**{**ON_RINGS, "solver": solver}, growth=growth)
            with pytest.raises(ValueError, match=message):
                mlp.fit(X, y)
            assert not hasattr(mlp, "coefs_")


def test_iterations_of_lbfgs_are_those_of_all_stages():
    X, y = rings()
    settings = {**ON_RINGS, "solver": "lbfgs"}
    alone = MLPClassifier(**settings).fit(X, y)
    limited = {**settings, "max_iter": alone.n_iter_ + 2}
    with pytest.warns(ConvergenceWarning, match=rf"undone.* max_iter={alone.n_iter_ + 2} "):
        mlp = MLPClassifier(**limited, growth=Growth(tol=1.0)).fit(X, y)
    assert mlp.n_iter_ == alone.n_iter_
    with pytest.warns(ConvergenceWarning, match=rf": Not.* max_iter={alone.n_iter_ + 2} "):
        mlp = MLPClassifier(**limited, growth=Growth(tol=0.0)).fit(X, y)
    assert mlp.n_iter_ == alone.n_iter_ + 2
