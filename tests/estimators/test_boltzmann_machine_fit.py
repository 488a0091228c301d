"""How a Boltzmann machine is fitted, gone on with, copied, tuned; and what it refuses."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from ebm import (
    BernoulliRBM,
    BoltzmannMachine,
    Checkpoint,
    EarlyStopping,
    ParallelTempering,
    PersistentContrastiveDivergence,
    Regularization,
    lattice,
)
from ebm.gradients import ContrastiveDivergence
from tests.estimators.pairs import fitted, machine, rows, strong
from tests.models.pairwise import STATES
from tests.oracles.pairwise import BINARY, SPIN

every_state = pytest.mark.parametrize("states", STATES, ids=["binary", "spin"])
every_count = pytest.mark.parametrize("n_hidden", [0, 2])
every_gradient = pytest.mark.parametrize("gradient", ["cd", "pcd", "exact"])
DIRECT = ["maximum_likelihood", "pseudo_likelihood", "mean_field", "tap"]
NAMES = ("couplings_", "intercept_", "chains_", "offset_")


def assert_same_state(one, other):
    for name in NAMES:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


# One fit after another ---------------------------------------------------------------------------


@every_gradient
@every_count
@every_state
def test_one_seed_one_result(states, n_hidden, gradient):
    X = rows(states)
    before = X.copy()
    X.flags.writeable = False
    one, other = (machine(states, n_hidden, gradient=gradient).fit(X) for _ in range(2))
    assert_same_state(one, other)
    assert_same_state(one.fit(X), other)
    np.testing.assert_array_equal(one.sample(5, n_steps=3), other.sample(5, n_steps=3))
    np.testing.assert_array_equal(X, before)
    shuffled = machine(states, n_hidden, gradient=gradient).fit(X[::-1])
    np.testing.assert_array_equal(shuffled.couplings_, one.couplings_)
    third = machine(states, n_hidden, gradient=gradient, random_state=1).fit(X)
    assert (third.couplings_ != one.couplings_).any()


@every_gradient
@every_count
def test_updates_one_at_a_time(n_hidden, gradient):
    """Batches of any size; each leaves the machine in a state of its own."""
    X = rows()
    found = machine(n_hidden=n_hidden, gradient=gradient)
    assert found.partial_fit(X[:1]) is found
    seen = [found.couplings_.copy()]
    for batch in (X[:33], X[33:], X[:7]):
        found.partial_fit(batch)
        seen.append(found.couplings_.copy())
        np.testing.assert_array_equal(found.couplings_, found.couplings_.T)
    assert all((a != b).any() for a, b in pairwise(seen))
    weights = np.arange(40.0)
    one, other = pickle.loads(pickle.dumps(found)), pickle.loads(pickle.dumps(found))
    one.partial_fit(X, sample_weight=weights)
    other.partial_fit(X, sample_weight=7 * weights)
    np.testing.assert_allclose(one.couplings_, other.couplings_, rtol=0, atol=1e-15)


@every_gradient
@every_count
def test_a_warm_start_goes_on(n_hidden, gradient):
    X = rows()
    found = machine(n_hidden=n_hidden, gradient=gradient, warm_start=True).fit(X)
    kept = pickle.loads(pickle.dumps(found))
    assert_same_state(found.set_params(n_iter=0).fit(X), kept)
    found.set_params(n_iter=2, learning_rate=1e-6).fit(X)
    assert 0 < np.abs(found.couplings_ - kept.couplings_).max() < 1e-4
    cold = clone(kept).set_params(warm_start=False).fit(X)  # from the start
    assert_same_state(cold, machine(n_hidden=n_hidden, gradient=gradient).fit(X))
    with pytest.raises(ValueError, match=r"n_hidden is 5, but .* Fit anew"):
        found.set_params(n_hidden=5, mask=None).fit(X)


class Interrupt:
    """What happens when a user presses a key in the third epoch."""

    def __call__(self, report):
        if report.epoch == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("gradient", ["cd", "pcd"])
@every_count
@every_state
def test_an_interrupted_fit_goes_on_to_the_same_bits(
    states, n_hidden, gradient, optimizer, tmp_path
):
    X = rows(states, 33)
    settings = {"gradient": gradient, "optimizer": optimizer, "n_iter": 6}
    whole = machine(states, n_hidden, **settings).fit(X)
    saved = Checkpoint(tmp_path / "fit.npz")
    half = machine(states, n_hidden, callbacks=[saved, Interrupt()], **settings)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        half.fit(X)
    assert (half.couplings_ != whole.couplings_).any()
    again = machine(states, n_hidden, **settings).resume(tmp_path / "fit.npz", X)
    assert_same_state(again, whole)
    assert list(again.history_["epoch"]) == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(again.sample(4, n_steps=2), whole.sample(4, n_steps=2))
    with pytest.raises(ValueError):
        machine(states, n_hidden + 1, **settings).resume(tmp_path / "fit.npz", X)


@every_count
def test_checkpoints_of_another_mask_are_refused(n_hidden, tmp_path):
    X, n = rows(), 4 + n_hidden
    machine(n_hidden=n_hidden, callbacks=Checkpoint(tmp_path / "fit.npz")).fit(X)
    other = machine(n_hidden=n_hidden, mask=lattice(n) > 0)
    with pytest.raises(ValueError, match="mask"):
        other.resume(tmp_path / "fit.npz", X)


def test_callbacks_and_early_stopping():
    X = rows()
    seen = []
    found = machine(n_iter=5, callbacks=lambda report: seen.append(report.params.J.copy())).fit(X)
    assert len(seen) == 5
    np.testing.assert_array_equal(seen[-1], found.couplings_)
    stopper = EarlyStopping(X[:10], patience=1)
    found = machine(n_hidden=1, n_iter=60, learning_rate=0.5, callbacks=stopper).fit(X[10:])
    assert len(found.history_["epoch"]) < 60


# Weights, masks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("gradient", ["cd", "pcd", "exact", *DIRECT])
@every_state
def test_whole_weights_are_repetitions(states, gradient):
    X = rows(states, 300)
    weights = np.arange(300) % 3
    settings = {"gradient": gradient, "batch_size": 7}
    weighted = machine(states, **settings).fit(X, sample_weight=weights)
    repeated = machine(states, **settings).fit(np.repeat(X, weights, axis=0))
    np.testing.assert_array_equal(weighted.couplings_, weighted.couplings_.T)
    np.testing.assert_allclose(weighted.couplings_, repeated.couplings_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(weighted.intercept_, repeated.intercept_, rtol=0, atol=1e-10)


@pytest.mark.parametrize("gradient", ["cd", "pcd", "exact"])
@every_count
@every_state
def test_couplings_outside_the_mask_stay_zero(states, n_hidden, gradient):
    mask = lattice(4 + n_hidden) > 0
    held = Regularization(l1=1e-3, clip_norm=5.0)
    settings = {"weight_decay": 1e-3, "regularization": held, "optimizer": "momentum"}
    X = rows(states)
    for given in (mask, mask.tolist(), mask.astype(float)):
        found = machine(states, n_hidden, mask=given, gradient=gradient, **settings).fit(X)
        found.partial_fit(X[:7])
        J = found.couplings_
        assert not J[~mask].any() and J[mask].all()
        np.testing.assert_array_equal(J, J.T)


# scikit-learn ------------------------------------------------------------------------------------


def test_settings_of_records_are_searched():
    X = rows()
    grid = {"gradient__n_steps": [1, 3], "n_hidden": [0, 2]}
    search = GridSearchCV(machine(gradient="pcd"), grid, cv=2).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    best = search.best_estimator_
    assert search.score(X) == best.score(X) == best.score_samples(X).mean()
    assert isinstance(best.gradient, PersistentContrastiveDivergence)


def test_copies_have_the_settings_and_pickles_the_state():
    mask = lattice(6) > 0
    found = machine(n_hidden=2, mask=mask, gradient=ContrastiveDivergence(3)).fit(rows())
    copy = clone(found)
    assert copy.get_params()["gradient"] == ContrastiveDivergence(3)
    np.testing.assert_array_equal(copy.mask, mask)
    assert not hasattr(copy, "couplings_")
    again = pickle.loads(pickle.dumps(found))
    assert_same_state(again, found)
    assert_same_state(again.partial_fit(rows()), found.partial_fit(rows()))
    np.testing.assert_array_equal(again.sample(3, n_steps=2), found.sample(3, n_steps=2))
    assert "ContrastiveDivergence(n_steps=3)" in repr(found)


def test_features_go_into_a_classifier():
    X = rows(n_rows=60)
    y = (X.mean(axis=1) > 0).astype(int)
    model = make_pipeline(machine(n_hidden=3, n_iter=20), LogisticRegression()).fit(X, y)
    assert model.score(X, y) > 0.8
    frame = machine(n_hidden=2).set_output(transform="pandas").fit_transform(X)
    assert list(frame.columns) == ["boltzmannmachine0", "boltzmannmachine1"]


def test_draws_go_on_and_seeds_start_anew():
    found = machine().fit(rows())
    first, second = found.sample(20, n_steps=2), found.sample(20, n_steps=2)
    assert (first != second).any()
    seeded = [found.sample(20, n_steps=2, random_state=5) for _ in range(2)]
    np.testing.assert_array_equal(*seeded)
    found.fit(rows())
    np.testing.assert_array_equal(found.sample(20, n_steps=2), first)


# What is refused -----------------------------------------------------------------------------------


@every_count
@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones((3, 3)), r"mask must hold .* \(3, 3\)"),
        (np.full((6, 6), 0.5), "mask must hold true and false"),
        (np.full((6, 6), np.nan), "mask must hold true and false"),
        (np.triu(np.ones((6, 6))), r"mask must be symmetric.*mask \| mask.T"),
        (np.ones(6), "mask must hold"),
    ],
)
def test_impossible_masks_are_refused(n_hidden, mask, words):
    if n_hidden == 0 and mask.shape == (6, 6):
        mask = mask[:4, :4]
    for fit in ("fit", "partial_fit"):
        found = machine(n_hidden=n_hidden, mask=mask)
        with pytest.raises(ValueError, match=words):
            getattr(found, fit)(rows())
        assert not hasattr(found, "couplings_")


@pytest.mark.parametrize(
    ("couplings", "words"),
    [
        (np.ones((3, 3)) - np.eye(3), r"couplings_ must have the shape \(4, 4\). Got \(3, 3\)"),
        (np.triu(np.ones((4, 4)), 1), "couplings_ must be symmetric"),
        (np.ones((4, 4)), "couplings_ must be zero on the diagonal"),
        (np.full((4, 4), np.nan), "couplings_ holds NaN"),
        (np.full((4, 4), np.inf), "couplings_ holds NaN or inf"),
    ],
)
def test_couplings_set_by_the_user_are_checked(couplings, words):
    found = fitted(strong(SPIN))
    found.couplings_ = couplings
    for call in (found.sample, found.log_partition, lambda: found.score(rows()), found.moments):
        with pytest.raises(ValueError, match=words):
            call()


@pytest.mark.parametrize(
    ("intercept", "words"),
    [
        (np.zeros(3), r"intercept_ must have the shape \(4,\)"),
        (np.array([0, 1, np.nan, 0]), "intercept_ holds NaN"),
        (np.array([0, 1, np.inf, 0]), "intercept_ holds NaN or inf"),
    ],
)
def test_intercepts_set_by_the_user_are_checked(intercept, words):
    found = fitted(strong(SPIN))
    with pytest.raises(ValueError, match="intercept_ must have one dimension"):
        found.intercept_ = np.zeros((4, 1))
    found.intercept_ = intercept
    for call in (found.sample, found.log_partition, found.anneal):
        with pytest.raises(ValueError, match=words):
            call()


@pytest.mark.parametrize("beta", [-1.0, 0.0, np.nan, np.inf, "hot"])
def test_impossible_temperatures_are_refused(beta):
    found = fitted(strong(SPIN))
    calls = [
        lambda: found.sample(beta=beta),
        lambda: found.log_partition(beta=beta),
        lambda: found.transform(rows(), beta),
        lambda: found.moments(beta=beta),
    ]
    for call in calls:
        with pytest.raises((ValueError, TypeError), match="beta"):
            call()


@every_state
def test_hidden_states_are_asked_for(states):
    found, X = fitted(strong(states, 5, 2)), rows(states, 6, 3)
    with pytest.raises(
        ValueError, match=r"H must hold the states of the 2 hidden units.*free_energy"
    ):
        found.energy(X)
    with pytest.raises(ValueError, match="H must have 2 columns"):
        found.energy(X, np.ones((6, 3)))
    with pytest.raises(ValueError, match="same number of rows"):
        found.energy(X, np.ones((5, 2)))
    alone = fitted(strong(states))
    with pytest.raises(ValueError, match="no hidden units"):
        alone.energy(rows(states, 6), np.ones((6, 2)))


@pytest.mark.parametrize("gradient", DIRECT)
def test_direct_solutions_are_for_machines_without_hidden_units(gradient):
    with pytest.raises(ValueError, match=r"hidden"):
        machine(n_hidden=2, gradient=gradient).fit(rows())
    assert not hasattr(machine(gradient=gradient), "partial_fit")
    assert hasattr(machine(), "partial_fit")


@pytest.mark.parametrize(
    "gradient",
    ["fpcd", "tempering", "ratio_matching", ParallelTempering(), BernoulliRBM(), None, 3],
)
def test_gradients_for_other_machines_are_refused_with_the_list(gradient):
    for fit in ("fit", "partial_fit"):
        with pytest.raises((ValueError, AttributeError), match=r"gradient|partial_fit"):
            getattr(machine(gradient=gradient), fit)(rows())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_hidden": -1}, "n_hidden"),
        ({"n_hidden": 1.5}, "n_hidden"),
        ({"unit": "gaussian"}, r"unit.*'bernoulli'.*'spin'|unit.*'spin'.*'bernoulli'"),
        ({"unit": None}, "unit"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"n_iter": -1}, "n_iter"),
        ({"regularization": Regularization(max_norm=1.0)}, "max_norm.*weight_decay"),
        ({"regularization": Regularization(dropout=0.5)}, "dropout"),
        ({"regularization": Regularization(sparsity_target=0.1)}, "sparsity_target"),
        ({"n_hidden": 30, "gradient": "exact"}, "enumerat"),
    ],
)
def test_settings_out_of_range_are_named(settings, words):
    with pytest.raises(ValueError, match=words):
        BoltzmannMachine(**{"n_iter": 1, **settings}).fit(rows(BINARY))


@every_count
def test_unknown_entries_are_refused_but_by_impute(n_hidden):
    X = rows()
    found = machine(n_hidden=n_hidden).fit(X)
    X[3, 1] = np.nan
    for method in ("fit", "partial_fit", "transform", "score", "score_samples"):
        with pytest.raises(ValueError, match=r"NaN[\s\S]*impute"):
            getattr(found, method)(X)
    with pytest.raises(ValueError, match=r"NaN[\s\S]*impute"):
        found.moments(X)
    assert np.isfinite(found.impute(X, n_steps=2)).all()
    for method in ("free_energy", "log_likelihood"):  # of the known entries
        assert np.isfinite(getattr(found, method)(X)).all()
    with pytest.raises(ValueError, match=r"3 features, but .* expecting 4"):
        found.transform(rows(n_features=3))


@every_state
def test_data_of_other_states_draw_a_warning(states):
    other = SPIN if states == BINARY else BINARY
    X = rows(other)
    words = {BINARY: r"X holds the values -1 and \+1.*0 and 1", SPIN: r"X holds the values 0 and 1"}
    with pytest.warns(UserWarning, match=words[states]):
        machine(states).fit(X)
    with pytest.warns(UserWarning, match=r"X holds values between .* 2, "):
        machine(states).fit(2 * np.abs(X))
    machine(states).fit(0.5 + rows(states) / 4)  # means are fine


def test_what_is_given_must_fit():
    found = fitted(strong(SPIN))
    for given, words in [
        (np.zeros(3), "given must have 4 columns"),
        (np.zeros((2, 4)), r"given must have the shape"),
        (np.full(4, 2.0), "given holds"),
    ]:
        for call in (found.sample, found.anneal):
            with pytest.raises(ValueError, match=words):
                call(5, n_steps=2, given=given)
    for name in ("n_samples", "n_steps"):
        for call in (found.sample, found.anneal):
            with pytest.raises(ValueError, match=name):
                call(**{name: 0})


def test_an_unfitted_machine_says_so():
    found = machine()
    for call in (found.sample, found.anneal, found.moments, found.log_partition):
        with pytest.raises(NotFittedError):
            call()
    for call in (found.transform, found.energy, found.score, found.impute):
        with pytest.raises(NotFittedError):
            call(rows())


def test_divergence_keeps_the_last_good_parameters():
    found = machine(SPIN, n_hidden=2, learning_rate=1e308, n_iter=3)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        found.fit(rows())
    assert np.isfinite(found.couplings_).all() and np.isfinite(found.score(rows()))


def bits_of_four_units():
    J = np.array([[0, 1.5, 0, 0], [1.5, 0, -1.0, 0], [0, -1.0, 0, 2.0], [0, 0, 2.0, 0]])
    return BoltzmannMachine.from_couplings(J, unit="bernoulli").sample(2000, random_state=0)


def test_the_default_finds_what_the_concave_problem_gives():
    X = bits_of_four_units()
    found = BoltzmannMachine().fit(X)
    best = BoltzmannMachine(gradient="maximum_likelihood").fit(X).couplings_
    assert (found.couplings_ * best).sum() / (best**2).sum() > 0.98
    same = BoltzmannMachine(gradient="pseudo_likelihood").fit(X).couplings_
    np.testing.assert_array_equal(found.couplings_, same)


@pytest.mark.parametrize(
    "given",
    [{"n_iter": 11}, {"learning_rate": 0.1}, {"callbacks": print}, {"optimizer": "adam"}],
    ids=repr,
)
def test_settings_that_only_chains_use_are_never_ignored_in_silence(given, capsys):
    X = bits_of_four_units()
    found = BoltzmannMachine(random_state=0, **given).fit(X)
    chains = BoltzmannMachine(random_state=0, gradient="pcd", **given).fit(X)
    np.testing.assert_array_equal(found.couplings_, chains.couplings_)
    assert len(found.chains_)


def test_hidden_units_and_streams_learn_from_chains_by_default():
    X = bits_of_four_units()
    hidden = BoltzmannMachine(2, random_state=0).fit(X)
    same = BoltzmannMachine(2, gradient="pcd", random_state=0).fit(X)
    np.testing.assert_array_equal(hidden.couplings_, same.couplings_)
    streamed = BoltzmannMachine(random_state=0).fit(X).partial_fit(X[:100])
    assert len(streamed.chains_) and np.isfinite(streamed.couplings_).all()
