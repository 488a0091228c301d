"""A law that is not where the data are is told at the end of `fit`; on ordinary data nothing is told."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import minmax_scale, scale

from ebm import DBN, RBM, BernoulliRBM, GaussianRBM
from ebm._flat import in_double
from ebm.likelihood.placement import residual_ratios, upper_bound, worst_split


def clouds(deviations, n_features, seed=0):
    """Two normals that lie so many of their standard deviations apart in each feature."""
    rng = np.random.default_rng(seed)
    side = rng.integers(0, 2, (2000, 1)) - 0.5
    return 0.03 * (deviations * side + rng.normal(size=(2000, n_features)))


def said_by(machine, X):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        machine.fit(X)
    assert all(w.category is ConvergenceWarning for w in caught)
    return [str(w.message) for w in caught]


def lost(machine, X):
    """Nats by which the law's weights of its components are worse than the rows', by loops over all hidden states."""
    W, variance = machine.components_.astype(float), machine.variances_.astype(float)
    b, c = machine.intercept_visible_.astype(float), machine.intercept_hidden_.astype(float)
    log_weight, log_joint = [], []
    for h in itertools.product([0.0, 1.0], repeat=len(W)):
        m = b + h @ W
        log_weight.append(h @ c + 0.5 * np.sum((m**2 - b**2) / variance))
        log_joint.append(log_weight[-1] - 0.5 * np.sum((X - m) ** 2 / variance, axis=1))
    log_q = np.array(log_weight) - logsumexp(log_weight)
    r = np.exp(np.array(log_joint) - logsumexp(log_joint, axis=0)).mean(axis=1)
    return np.sum(r[r > 0] * (np.log(r[r > 0]) - log_q[r > 0]))


@pytest.mark.parametrize("n_hidden", [2, 4, 8])
@pytest.mark.parametrize(("deviations", "n_features"), [(15, 2), (10, 3), (25, 3)])
def test_weights_of_far_clouds_are_right_and_widths_told(deviations, n_features, n_hidden):
    X = clouds(deviations, n_features)
    best = -n_features * (0.5 * np.log(2 * np.pi * 0.03**2) + 0.5) - np.log(2)
    for seed in range(2):
        machine = GaussianRBM(n_hidden, random_state=seed)
        said = said_by(machine, X)
        assert lost(machine, X) < 2.0
        # Variances that are three times too large, which is not told, lose log(3) / 2 by each feature.
        assert machine.log_likelihood(X).mean() > best - 0.55 * n_features - 0.5 or (
            "wider than the data" in said[0]
        )


@pytest.mark.parametrize(("n_hidden", "least"), [(1, 3.2), (4, 3.0), (10, 2.8)])
def test_the_advice_helps(n_hidden, least):
    """The rows have 3.48 nats; persistent chains end at 2.4."""
    X = clouds(15, 2)
    machine = GaussianRBM(n_hidden, gradient="exact", n_iter=50, random_state=0)
    assert said_by(machine, X) == []
    assert machine.log_likelihood(X).mean() > least


def test_residuals_of_the_distribution_itself_have_its_variances():
    rng = np.random.default_rng(0)
    machine = GaussianRBM.from_parameters(
        rng.normal(size=(3, 4)),
        np.zeros(3),
        rng.normal(size=4),
        log_variance_visible=np.full(4, -0.5),
    ).set_params(random_state=0)
    ratios = residual_ratios(
        machine._model(), in_double(machine._params()), machine.sample(20_000, n_steps=50)
    )
    np.testing.assert_allclose(ratios, 1, atol=0.05)


# Learning does not start at rows where hidden units are spins, and chains stay in the cloud in which they began.
SPINS = RBM(
    8,
    visible="gaussian",
    hidden="spin",
    learning_rate=0.1,
    batch_size=10,
    n_iter=50,
    schedule="constant",
    random_state=0,
)


@pytest.mark.parametrize(
    "machine",
    [
        SPINS,
        DBN([SPINS, RBM(3, visible="spin")], random_state=0),
    ],
    ids=["spins", "stack"],
)
def test_a_distribution_elsewhere_is_told(machine):
    assert any(
        "the distribution is not where the data are" in x for x in said_by(machine, clouds(15, 2))
    )


def test_the_split_is_a_lower_bound_of_what_is_lost():
    for seed in range(4):
        X = clouds(6, 2, seed)[:200]
        machine = GaussianRBM(3, random_state=seed)
        said_by(machine, X)
        with np.errstate(all="ignore"):
            split = worst_split(machine._model(), in_double(machine._params()), X)
        assert 0 <= split.loss <= lost(machine, X) + 1e-6
        assert 0.05 <= split.of_rows <= 1 + 1e-9


@pytest.mark.parametrize("n_hidden", [2, 12])
def test_the_bound_is_not_below_the_likelihood(n_hidden):
    for X in (scale(datasets.load_iris().data), clouds(15, 2)[:300]):
        machine = GaussianRBM(n_hidden, random_state=1)
        said_by(machine, X)
        moments = (X.mean(axis=0), X.var(axis=0))
        most, independent = upper_bound(machine._model(), in_double(machine._params()), X, moments)
        assert most >= machine.log_likelihood(X).mean() - 1e-9
        expected = -0.5 * np.log(2 * np.pi * np.e * X.var(axis=0)).sum()
        np.testing.assert_allclose(independent, expected, rtol=0.05, atol=0.05)


DIGITS = datasets.load_digits().data
ORDINARY = {
    "iris": scale(datasets.load_iris().data),
    "wine": scale(datasets.load_wine().data),
    "wine in its units": datasets.load_wine().data,
    "breast cancer": scale(datasets.load_breast_cancer().data),
    "diabetes": scale(datasets.load_diabetes().data),
    "digits": scale(DIGITS[:, DIGITS.any(axis=0)]),
    "laplace": np.random.default_rng(0).laplace(size=(2000, 2)),
    "lognormal": np.random.default_rng(0).lognormal(size=(1000, 4)),
    "blobs": datasets.make_blobs(500, 5, random_state=0)[0],
    "moons": datasets.make_moons(500, noise=0.1, random_state=0)[0],
    "wide": np.random.default_rng(0).normal(size=(100, 500)),
}


@pytest.mark.parametrize("n_hidden", [3, 10, 64])
@pytest.mark.parametrize("X", ORDINARY.values(), ids=ORDINARY)
def test_nothing_is_told_of_ordinary_data(X, n_hidden):
    assert said_by(GaussianRBM(n_hidden, random_state=0), X) == []


def test_given_variances_are_no_reason():
    """The law of variance one is wider than such rows, as was asked."""
    X = clouds(3, 2)
    assert said_by(GaussianRBM(16, variance="unit", n_iter=2, random_state=0), X) == []


def by_medians(X):
    return (np.median(X, axis=0) < X).astype(float)


BIT_TABLES = {
    "iris": by_medians(datasets.load_iris().data),
    "wine": by_medians(datasets.load_wine().data),
    "independent": np.random.default_rng(0).integers(0, 2, (300, 12)).astype(float),
}


def above_independent_units(machine, X):
    """Nats by which the rows are more probable than as independent units with the same means."""
    share = (X > 0).mean(axis=0)
    independent = np.sum(share * np.log(share) + (1 - share) * np.log(1 - share))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # estimates with few temperatures are enough here
        return machine.log_likelihood(X).mean() - independent


@pytest.mark.parametrize("states", ["bits", "spins"])
@pytest.mark.parametrize("X", BIT_TABLES.values(), ids=BIT_TABLES)
def test_rows_of_two_states_are_probable_or_it_is_told_and_the_advice_helps(X, states):
    """At this rate, which never falls, the chains of few columns stay where they began."""
    settings = {} if states == "bits" else {"visible": "spin"}
    X = X if states == "bits" else 2 * X - 1
    machine = RBM(learning_rate=1.0, schedule="constant", random_state=0, **settings)
    said = said_by(machine, X)
    if not said:
        assert above_independent_units(machine, X) > -1.5
        return
    assert "their mean log-likelihood is" in said[0] and "fewer hidden units" in said[0]
    advised = [RBM(8, random_state=0, **settings)]
    if 'gradient="exact"' in said[0]:
        advised.append(RBM(gradient="exact", random_state=0, **settings))
    for machine in advised:
        assert not said_by(machine, X)


@pytest.mark.parametrize("n_hidden", [4, 64, 256])
@pytest.mark.parametrize("states", ["bits", "spins"])
@pytest.mark.parametrize(("name", "gain"), [("iris", 0.5), ("wine", 1.5), ("independent", -0.1)])
def test_defaults_learn_rows_of_two_states_with_any_number_of_hidden_units(
    name, gain, states, n_hidden
):
    """A start with weights for few hidden units would leave hardly any state of few columns undecided."""
    X, settings = BIT_TABLES[name], {} if states == "bits" else {"visible": "spin"}
    X = X if states == "bits" else 2 * X - 1
    machine = RBM(n_hidden, random_state=0, **settings)
    assert not said_by(machine, X)
    assert above_independent_units(machine, X) > gain


def test_probabilities_are_not_judged_as_states():
    X = datasets.load_iris().data
    assert not said_by(BernoulliRBM(random_state=0), minmax_scale(X))
