"""HopfieldNetwork: conventions, memory, recall and messages."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from ebm import Covariance, Hebb, HopfieldNetwork, Perceptron
from tests.oracles import hopfield, known_answers

RULES = ["hebb", "storkey", "pseudo_inverse", "perceptron", "covariance"]
OTHER_VALUES = "ignore:X holds values other than two states:UserWarning"


def bits(n_patterns=4, n_units=60, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n_patterns, n_units)).astype(float)


def noisy(X, share=0.1, seed=1):
    flip = np.random.default_rng(seed).random(X.shape) < share
    return np.where(flip, 1 - X, X)


def network(rule="hebb", **settings):
    return HopfieldNetwork(rule, **{"random_state": 0, **settings})


# Recall ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("update", ["async", "cyclic", "glauber", "sync"])
@pytest.mark.parametrize("rule", RULES)
def test_patterns_come_back_from_noise_and_from_halves(rule, update):
    X = bits()
    net = network(rule, update=update).fit(X)
    np.testing.assert_array_equal(net.predict(noisy(X)), X)
    halves = X.copy()
    halves[:, ::2] = np.nan
    np.testing.assert_array_equal(net.transform(halves), X)
    assert net.score(noisy(X)) == 1
    assert (net.stability() > 0).all()


def test_known_energies():
    xi = known_answers.HOPFIELD_PATTERN
    net = network(Hebb(normalize=False)).fit([xi])
    states = np.array([xi, 1 - xi, np.zeros(7)])
    energies = (
        known_answers.HOPFIELD_ENERGY_PATTERN,
        known_answers.HOPFIELD_ENERGY_COMPLEMENT,
        known_answers.HOPFIELD_ENERGY_ZEROS,
    )
    np.testing.assert_array_equal(net.energy(states), energies)


def test_bits_and_spins_are_the_same_network():
    X = bits()
    one, other = network().fit(X), network().fit(2 * X - 1)
    assert (one.states_, other.states_) == ("binary", "spin")
    np.testing.assert_array_equal(one.couplings_, other.couplings_)
    np.testing.assert_array_equal(one.patterns_, X)
    np.testing.assert_array_equal(other.patterns_, 2 * X - 1)
    probes = noisy(X, 0.4)
    np.testing.assert_array_equal(2 * one.predict(probes) - 1, other.predict(2 * probes - 1))
    np.testing.assert_array_equal(one.energy(probes), other.energy(2 * probes - 1))
    np.testing.assert_array_equal(one.overlaps(probes), other.overlaps(2 * probes - 1))
    np.testing.assert_array_equal(one.stability(probes), other.stability(2 * probes - 1))
    path = one.recall(probes).trajectory
    np.testing.assert_array_equal(2 * path - 1, other.recall(2 * probes - 1).trajectory)
    assert set(np.unique(path)) == {0, 1}


def test_bits_have_that_energy_up_to_a_constant():
    X = bits(2, 6)
    net = network("covariance").fit(X)
    states = bits(9, 6, seed=3)
    J, b = 4 * net.couplings_, 2 * net.intercept_ - 2 * net.couplings_.sum(axis=1)
    of_bits = [hopfield.energy(J, b, x) for x in states]
    np.testing.assert_allclose(np.ptp(net.energy(states) - of_bits), 0, atol=1e-12)


def test_the_trajectory_leads_from_the_probe_to_the_end():
    X = bits(6, 40)
    net = network().fit(X)
    probes = noisy(X, 0.35)
    ends = net.recall(probes)
    np.testing.assert_array_equal(ends.trajectory[0], probes)
    np.testing.assert_array_equal(ends.trajectory[-1], ends.states)
    np.testing.assert_array_equal(ends.states, net.predict(probes))
    np.testing.assert_allclose(ends.trajectory_energies[-1], net.energy(ends.states), rtol=1e-14)
    assert (np.diff(ends.trajectory_energies, axis=0) <= 1e-12).all()
    assert len(ends.trajectory) == ends.n_sweeps.max() + 1 > 1
    assert ends.converged.all()
    short = net.recall(probes, trajectory=False)
    assert short.trajectory is None and short.trajectory_energies is None


def test_known_bits_can_be_held():
    X = bits(12, 40)
    with pytest.warns(UserWarning, match="not held with rule Hebb"):
        net = network().fit(X)
    probes = noisy(X, 0.3)
    probes[:, 20:] = np.nan
    held = net.recall(probes, clamp=True).states
    np.testing.assert_array_equal(held[:, :20], probes[:, :20])
    assert (net.recall(probes).states[:, :20] != probes[:, :20]).any()


def test_oscillation_is_said():
    X = [[1.0, -1.0]]
    net = network(update="sync").fit(X)
    assert net.recall([[1.0, 1.0]]).cycling.all()
    with pytest.warns(ConvergenceWarning, match="1 of 1 probes ended in a cycle of two states"):
        net.predict([[1.0, 1.0]])
    settled = network().fit(X)
    assert settled.recall([[1.0, 1.0]]).converged.all()


def test_running_out_of_sweeps_is_said():
    X = bits(8, 60)
    net = network("pseudo_inverse", max_sweeps=1).fit(X)
    with pytest.warns(ConvergenceWarning, match="reached no fixed point in max_sweeps=1 sweeps"):
        net.predict(bits(20, 60, seed=9))


def test_temperature_walks_and_repeats_itself():
    X = bits(2, 50)
    net = network(temperature=2.0, max_sweeps=20).fit(X)
    one = net.predict(X)
    np.testing.assert_array_equal(one, net.transform(X))
    assert (one != X).any()
    assert (net.recall(X, random_state=5).states != one).any()
    assert len(net.recall(X).trajectory) == 21
    cold = network(temperature=1e-3).fit(X)
    np.testing.assert_array_equal(cold.predict(noisy(X)), X)


def test_thresholds_move_the_biases():
    X = bits()
    plain = network().fit(X)
    moved = network(thresholds=0.25).fit(X)
    np.testing.assert_array_equal(moved.intercept_, plain.intercept_ - 0.25)
    per_unit = np.linspace(-1, 1, 60)
    np.testing.assert_array_equal(network(thresholds=per_unit).fit(X).intercept_, -per_unit)
    high = network(thresholds=100.0).fit(X)
    assert not high.predict(X).any()
    with pytest.raises(ValueError, match="thresholds must be one finite number or 60"):
        network(thresholds=[1.0, 2.0]).fit(X)


# Memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [*RULES, Covariance(activity=0.4), Perceptron(symmetric=True)])
def test_one_by_one_is_at_once(rule):
    X = bits(5, 40)
    net = network(rule)
    for row in X:
        assert net.partial_fit(row[np.newaxis]) is net
    at_once = network(rule).fit(X)
    np.testing.assert_allclose(net.couplings_, at_once.couplings_, atol=1e-10)
    np.testing.assert_allclose(net.intercept_, at_once.intercept_, atol=1e-10)
    np.testing.assert_array_equal(net.patterns_, X)


@pytest.mark.parametrize("rule", RULES)
def test_forgetting(rule):
    X = bits(5, 40)
    net = network(rule).fit(X).forget(X[[1, 3]])
    rest = network(rule).fit(X[[0, 2, 4]])
    np.testing.assert_allclose(net.couplings_, rest.couplings_, atol=1e-10)
    np.testing.assert_array_equal(net.patterns_, rest.patterns_)
    net.forget(X[[0, 2, 4]])
    assert net.patterns_.shape == (0, 40) and np.abs(net.couplings_).max() < 1e-12
    with pytest.raises(ValueError, match="no stored pattern"):
        net.score(X)


def test_fit_forgets_everything():
    X, other = bits(), bits(3, 60, seed=7)
    net = network().fit(X).unlearn(5).fit(other)
    np.testing.assert_array_equal(net.couplings_, network().fit(other).couplings_)
    assert not hasattr(net, "dreams_")


def test_unlearning():
    X = bits(6, 50)
    net = network().fit(X)
    before = net.couplings_
    assert net.unlearn(30, rate=0.02) is net
    assert net.dreams_.shape == (30, 50) and set(np.unique(net.dreams_)) == {0, 1}
    s = 2 * net.dreams_ - 1
    expected = before - 0.02 / 50 * (s.T @ s)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(net.couplings_, expected, atol=1e-12)
    np.testing.assert_array_equal(network().fit(X).unlearn(30, 0.02).couplings_, net.couplings_)
    first = net.dreams_
    assert (net.unlearn(30, rate=0.02).dreams_ != first).any()  # another night, other dreams
    with pytest.raises(ValueError, match="n_dreams must be"):
        net.unlearn(0)
    with pytest.raises(ValueError, match="rate must be"):
        net.unlearn(1, -1.0)


@pytest.mark.parametrize("rule", RULES)
def test_dilution(rule):
    X = bits(2, 40)
    net = network(rule, mask=0.5).fit(X[:1]).partial_fit(X[1:]).unlearn(3)
    mask = net.mask_
    assert 0.4 < mask.mean() < 0.6 and (mask == mask.T).all() and not mask.diagonal().any()
    assert not net.couplings_[~mask].any()
    given = network(rule, mask=mask).fit(X).unlearn(3)
    np.testing.assert_allclose(given.couplings_, net.couplings_, atol=1e-10)
    assert network(rule).fit(X).mask_ is None
    for wrong in (mask[:5], np.triu(np.ones((40, 40))), 1.5, 0.0, "half"):
        with pytest.raises(ValueError, match="mask"):
            network(rule, mask=wrong).fit(X)


def test_weights_are_strengths():
    X = bits(3, 30)
    weighted = network().fit(X, sample_weight=[1, 0, 2.5])
    np.testing.assert_array_equal(weighted.patterns_, X[[0, 2]])
    expected = hopfield.hebb(2 * X[[0, 2]] - 1, [1, 2.5])
    np.testing.assert_allclose(weighted.couplings_, expected, atol=1e-14)
    more = network().fit(X[:1]).partial_fit(X[2:], sample_weight=[2.5])
    np.testing.assert_allclose(more.couplings_, expected, atol=1e-14)
    with pytest.raises(ValueError, match="whole number"):
        network("storkey").fit(X, sample_weight=[1, 1, 0.5])


def test_another_rule_from_now_on():
    X = bits(5, 40)
    net = network().fit(X[:3]).set_params(rule="pseudo_inverse").partial_fit(X[3:])
    np.testing.assert_allclose(
        net.couplings_, network("pseudo_inverse").fit(X).couplings_, atol=1e-12
    )


# What is let in --------------------------------------------------------------------------------


def test_a_failed_call_loses_nothing():
    X = bits()
    net = network().fit(X)
    state = pickle.dumps(vars(net))
    new = bits(2, 60, seed=5)
    wrong = [
        (ValueError, "holds -1", lambda: net.partial_fit(2 * new - 1)),
        (ValueError, "duplicate", lambda: net.partial_fit(np.concatenate([new, X[:1]]))),
        (ValueError, "NaN", lambda: net.partial_fit(np.where(new == 1, np.nan, new))),
        (ValueError, "features", lambda: net.partial_fit(new[:, :50])),
        (ValueError, "inf", lambda: net.partial_fit(np.where(new == 1, np.inf, new))),
        (ValueError, "negative|Negative", lambda: net.partial_fit(new, sample_weight=[1, -1])),
        (ValueError, "duplicate", lambda: net.fit(np.ones((2, 5)))),
        (ValueError, "not stored", lambda: net.forget(np.concatenate([X[:1], new]))),
        (ValueError, "n_dreams", lambda: net.unlearn(-1)),
    ]
    for error, message, call in wrong:
        with pytest.raises(error, match=message):
            call()
        assert pickle.dumps(vars(net)) == state, message


@pytest.mark.parametrize(
    ("X", "settings", "message"),
    [
        ([[1, 0, 1], [1, 0, 1]], {}, "row 1 equals row 0"),
        ([[1, 0, 1], [0, 0, 0]], {}, "Row 1 of X is all zeros"),
        ([[1, 0, np.nan]], {}, "patterns must be complete"),
        ([[1, 0, np.nan]], {"states": "binary"}, "patterns must be complete"),
        ([[np.nan] * 3], {}, "nothing but NaN"),
        ([[1, 0, 0.5]], {"states": "binary"}, "other than 0 and 1"),
        ([[1, 0, 1]], {"states": "spin"}, r"other than -1 and \+1"),
        ([[1, -1, 1]], {"states": "binary"}, "other than 0 and 1"),
        ([[1, 0, 1]], {"rule": "hopfield"}, "'rule' parameter"),
        ([[1, 0, 1]], {"temperature": -1.0}, "'temperature' parameter"),
        ([[1, 0, 1]], {"update": "parallel"}, "'update' parameter"),
        ([[1, 0, 1]], {"max_sweeps": 0}, "'max_sweeps' parameter"),
    ],
)
def test_bad_patterns_are_refused(X, settings, message):
    with pytest.raises(ValueError, match=message):
        network(**settings).fit(X)


def test_bad_probes_are_refused():
    X = bits()
    net = network().fit(X)
    with pytest.raises(ValueError, match="expecting 60 features"):
        net.predict(X[:, :50])
    with pytest.raises(ValueError, match=r"holds -1 and \+1, but the patterns consist of 0 and 1"):
        net.predict(2 * X - 1)
    with pytest.raises(ValueError, match="infinity"):
        net.predict(np.where(X == 1, np.inf, X))
    with pytest.raises(ValueError, match="nothing but NaN"):
        net.predict(np.full((1, 60), np.nan))
    for method in (net.energy, net.stability):
        with pytest.raises(ValueError, match="NaN"):
            method(np.where(X == 1, np.nan, X))
    with pytest.raises(ValueError, match="other than 0 and 1"):
        network(states="binary").fit(X).predict(X / 2)
    with pytest.raises(NotFittedError):
        network().predict(X)


def test_other_values_are_read_with_one_warning():
    X = bits()
    shades = 0.1 + 0.7 * X
    for method in (network().fit, network().fit(X).predict, network().fit(X).energy):
        with pytest.warns(UserWarning, match="read as 0 and 1") as caught:
            method(shades)
        assert len(caught) == 1
        assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"read as -1 and \+1"):
        net = network().fit(shades - 0.5)
    np.testing.assert_array_equal(net.patterns_, 2 * X - 1)


@pytest.mark.filterwarnings(OTHER_VALUES)
def test_rows_that_had_to_be_read_are_weighed_together():
    X = np.array([[0.9, 0.1, 0.2], [0.8, 0.3, 0.1], [0.1, 0.6, 0.6]])
    net = network().fit(X)
    np.testing.assert_array_equal(net.patterns_, [[1, 0, 0], [0, 1, 1]])
    expected = network().fit([[1, 0, 0], [0, 1, 1]], sample_weight=[2, 1])
    np.testing.assert_array_equal(net.couplings_, expected.couplings_)
    unknown = np.array([[0.9, np.nan, 0.2], [0.8, 0.3, 0.1], [0.1, 0.2, 0.6]])
    read = network("storkey").fit(unknown)
    np.testing.assert_array_equal(np.unique(read.patterns_, axis=0), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(read.couplings_, network("storkey").fit(unknown[::-1]).couplings_)


@pytest.mark.parametrize(
    ("rule", "n_patterns", "law"),
    [
        ("hebb", 25, r"0\.138 N"),
        ("storkey", 40, r"N / sqrt\(2 log N\)"),
        ("pseudo_inverse", 60, r"\(N\)"),
        ("perceptron", 130, "2 N"),
        ("covariance", 25, "activity"),
    ],
)
def test_too_many_patterns_draw_a_warning_that_names_the_capacity(rule, n_patterns, law):
    settings = {"rule__max_iter": 20} if rule == "perceptron" else {}
    with pytest.warns(UserWarning, match=rf"{n_patterns} patterns are more than .*{law}"):
        network(rule).set_params(**settings).fit(bits(n_patterns, 50))


def test_few_patterns_in_few_units_draw_none():
    network().fit([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]])  # 0.138 N is less than one
    network("perceptron").fit(bits(50, 50))


def test_unlearned_patterns_of_the_perceptron_are_said():
    X = np.ones((2, 6))
    X[1, 0] = -1
    with pytest.warns(ConvergenceWarning, match="no couplings that make all patterns stable"):
        network("perceptron").fit(X)


def test_couplings_can_be_replaced():
    net = network().fit([[1, -1, 1]])
    net.couplings_ = np.zeros((3, 3))
    net.intercept_ = np.array([1.0, 1, -1])
    np.testing.assert_array_equal(net.predict([[-1, -1, 1]]), [[1, 1, -1]])
    for J, message in [
        (np.triu(np.ones((3, 3)), 1), "symmetric"),
        (np.ones((2, 2)), "shape"),
        (np.eye(3), "diagonal"),
    ]:
        net.couplings_ = J
        with pytest.raises(ValueError, match=f"couplings_ must .*{message}"):
            net.predict([[1, -1, 1]])
    learned = network("perceptron").fit([[1, -1, 1]])
    learned.couplings_ = np.triu(np.ones((3, 3)), 1)
    np.testing.assert_array_equal(learned.predict([[1.0, -1, 1]]), [[1, 1, 1]])


# As an estimator -------------------------------------------------------------------------------


def test_single_precision_goes_through():
    X = bits().astype(np.float32)
    for rule in RULES:
        net = network(rule).fit(X)
        assert net.couplings_.dtype == net.intercept_.dtype == net.patterns_.dtype == np.float32
        out = net.predict(noisy(X))
        assert out.dtype == np.float32
        np.testing.assert_array_equal(out, X)


def test_input_is_not_modified_and_not_kept():
    X = bits()
    before = X.copy()
    net = network().fit(X)
    probes = noisy(X)
    probes[:, :5] = np.nan
    kept = probes.copy()
    net.recall(probes)
    np.testing.assert_array_equal(probes, kept)
    np.testing.assert_array_equal(X, before)
    X[:] = 0
    np.testing.assert_array_equal(net.patterns_, before)
    with pytest.raises(ValueError, match="duplicate"):
        net.partial_fit(before[:1])


def test_copies_and_pickles():
    X = bits()
    net = network("storkey", mask=0.8).fit(X).unlearn(4)
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict(noisy(X)), net.predict(noisy(X)))
    new = bits(1, 60, seed=8)
    np.testing.assert_array_equal(
        again.partial_fit(new).couplings_, net.partial_fit(new).couplings_
    )
    assert repr(clone(net)) == repr(net)
    with pytest.raises(NotFittedError):
        clone(net).predict(X)


def test_one_seed_one_result():
    X = bits(4, 60)
    probes = bits(30, 60, seed=4)
    settings = {"temperature": 0.5, "mask": 0.7, "random_state": 3}
    one, other = (network(**settings).fit(X).predict(probes) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    settings["random_state"] = 4
    assert (network(**settings).fit(X).predict(probes) != one).any()


def test_names_and_frames():
    X = pd.DataFrame(bits(3, 4, seed=2), columns=list("abcd"))
    net = network("pseudo_inverse").set_output(transform="pandas").fit(X)
    out = net.transform(X)
    assert list(out.columns) == list("abcd") == list(net.get_feature_names_out())
    pd.testing.assert_frame_equal(out, X)


def test_settings_reach_into_rules_by_name():
    net = network("perceptron").set_params(rule__kappa=0.5)
    assert net.rule == Perceptron(kappa=0.5)
    X = bits(6, 30)
    search = GridSearchCV(
        network("hebb"), {"rule": ["hebb", "pseudo_inverse", Perceptron(symmetric=True)]}, cv=2
    )
    assert search.fit(X).best_params_["rule"] is not None


def test_denoising_before_a_classifier():
    X = bits(2, 100)
    rows = np.repeat(X, 40, axis=0)
    y = np.repeat([0, 1], 40)
    damaged = noisy(rows, 0.35)
    net = network().fit(X)
    model = make_pipeline(net, LogisticRegression())
    # The pipeline fits its steps anew: the network stores the patterns, the classifier learns what they recall.
    model[-1].fit(net.transform(rows), y)
    assert model.score(damaged, y) == 1


def test_verbose_says_what_is_stored(capsys):
    network(verbose=1).fit(bits())
    assert "4 patterns of 60 units stored by Hebb" in capsys.readouterr().out
    network().fit(bits())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("thresholds", [np.nan, np.inf, [0.0, np.nan, 0.0, 0.0, 0.0, 0.0]])
def test_thresholds_that_are_no_numbers_are_refused_at_once(thresholds):
    network = HopfieldNetwork(thresholds=thresholds)
    with pytest.raises(
        ValueError, match=r"thresholds.* must be (one finite number or 6|a float in the range)"
    ):
        network.fit([[1, -1, 1, 1, -1, 1]])


def test_few_patterns_that_are_too_much_alike_draw_a_warning():
    rng = np.random.default_rng(0)
    alike = np.where(rng.random((6, 100)) < 0.1, -1.0, 1.0)
    with pytest.warns(UserWarning, match="Hebb cannot store these similar patterns"):
        HopfieldNetwork().fit(alike)
    HopfieldNetwork("pseudo_inverse").fit(alike)
    HopfieldNetwork().fit(rng.choice([-1.0, 1.0], (6, 100)))
