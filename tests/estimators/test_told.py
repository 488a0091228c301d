"""What is wrong with patterns, couplings and data is said, and what is said is the cure."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import Binarizer, normalize

import ebm
from ebm import (
    RBM,
    BernoulliRBM,
    BoltzmannMachine,
    DenseAssociativeMemory,
    GaussianRBM,
    HopfieldNetwork,
    ModernHopfieldNetwork,
)
from ebm.gradients import PAIRWISE_GRADIENTS, Direct
from ebm.units import UNITS

STATES = np.array(np.meshgrid(*[[0.0, 1.0]] * 3, indexing="ij")).reshape(3, -1).T
TWO_STATE_MEMORIES = [HopfieldNetwork(random_state=0), DenseAssociativeMemory(random_state=0)]
MEMORIES = [*TWO_STATE_MEMORIES, ModernHopfieldNetwork(beta=10.0)]
by_name = {"ids": lambda memory: type(memory).__name__}


@pytest.mark.parametrize("memory", TWO_STATE_MEMORIES, **by_name)
@pytest.mark.parametrize("values", [(0, 255), (1, 2), (-3, -1), (0, 0.4)])
def test_patterns_of_two_other_values_are_refused_with_the_cure(memory, values):
    low, high = values
    bits = np.random.default_rng(0).integers(0, 2, (3, 60))
    with pytest.raises(ValueError, match=f"the two values {low} and {high}") as raised:
        memory.fit(low + (high - low) * bits)
    threshold = float(str(raised.value).split("(X > ")[1].split(")")[0])
    cured = (low + (high - low) * bits > threshold).astype(float)
    np.testing.assert_array_equal(memory.fit(cured).patterns_, bits)


@pytest.mark.parametrize("memory", MEMORIES, **by_name)
def test_the_score_is_against_what_is_wanted(memory):
    rng = np.random.default_rng(0)
    patterns = rng.choice([-1.0, 1.0], (5, 100))
    probes = np.roll(patterns, 1, axis=0)  # rest in another pattern than is wanted
    memory.fit(patterns)
    found = memory.predict(probes)
    expected = np.mean(
        [
            f @ p / np.linalg.norm(f) / np.linalg.norm(p)
            for f, p in zip(found, patterns, strict=True)
        ]
    )
    np.testing.assert_allclose(memory.score(probes, patterns), expected, rtol=1e-6)
    assert memory.score(probes) > 0.99 > 0.5 > memory.score(probes, patterns)
    assert memory.score(probes, np.arange(5)) == memory.score(probes)
    with pytest.raises(
        ValueError, match=r"y must hold a wanted pattern .*\(5, 100\). Got \(4, 100\)"
    ):
        memory.score(probes, patterns[:4])


SOLVERS = [name for name, choice in PAIRWISE_GRADIENTS.items() if isinstance(choice(), Direct)]


@pytest.mark.parametrize("gradient", SOLVERS)
@pytest.mark.parametrize("unit", ["bernoulli", "spin"])
@pytest.mark.parametrize("state", [0, 1])
def test_units_that_never_change_have_no_couplings_and_are_named(gradient, unit, state):
    rng = np.random.default_rng(2)
    X = (rng.random((4000, 4)) < 0.2 + 0.3 * rng.integers(0, 2, (4000, 1))).astype(float)
    alive = BoltzmannMachine(unit=unit, gradient=gradient).fit(
        X[:, :2] if unit == "bernoulli" else 2 * X[:, :2] - 1
    )
    X[:, 2:] = state
    rows = X if unit == "bernoulli" else 2 * X - 1
    machine = BoltzmannMachine(unit=unit, gradient=gradient)
    with pytest.warns(ConvergenceWarning, match=r"2 units that never change \(2, 3\)") as seen:
        machine.fit(rows)
    assert len(seen) == 1
    assert not machine.couplings_[2:].any()
    np.testing.assert_allclose(machine.couplings_[:2, :2], alive.couplings_, rtol=1e-9)
    np.testing.assert_allclose(machine.intercept_[:2], alive.intercept_, rtol=1e-9)
    assert np.isfinite(machine.intercept_).all()
    assert (np.sign(machine.intercept_[2:]) == (1 if state else -1)).all()
    machine.fit(rows[:, :2])  # the cure, without a warning
    with pytest.warns(ConvergenceWarning, match=r"never change \('c', 'd'\)"):
        machine.fit(pd.DataFrame(rows, columns=list("abcd")))


@pytest.mark.parametrize("gradient", [g for g in PAIRWISE_GRADIENTS if g not in SOLVERS])
@pytest.mark.parametrize("n_hidden", [0, 2])
def test_steps_along_a_gradient_take_units_that_never_change(gradient, n_hidden):
    rng = np.random.default_rng(2)
    X = (rng.random((400, 5)) < 0.2 + 0.5 * rng.integers(0, 2, (400, 1))).astype(float)
    X[:, 1], X[:, 3] = 1, 0
    settings = dict(gradient=gradient, n_iter=100, random_state=0)
    machine = BoltzmannMachine(n_hidden, **settings).fit(X)  # without a warning
    assert np.abs(machine.couplings_[[1, 3]]).max() < 1
    assert np.abs(machine.intercept_[:5]).max() < 10
    alone = BoltzmannMachine(n_hidden, **settings).fit(X[:, ::2])
    assert machine.score(X) == pytest.approx(alone.score(X[:, ::2]), abs=0.05)


@pytest.mark.parametrize("machine", [BernoulliRBM, RBM], **{"ids": lambda x: x.__name__})
def test_two_state_units_above_hidden_ones_take_constant_columns(machine):
    rng = np.random.default_rng(2)
    X = (rng.random((400, 5)) < 0.2 + 0.5 * rng.integers(0, 2, (400, 1))).astype(float)
    X[:, 1], X[:, 3] = 1, 0
    settings = dict(n_components=2, n_iter=100, random_state=0)
    both = machine(**settings).fit(X)  # without a warning
    assert np.abs(both.components_[:, [1, 3]]).max() < 1
    alone = machine(**settings).fit(X[:, ::2])
    likelihood = [rbm.log_likelihood(rows).mean() for rbm, rows in ((both, X), (alone, X[:, ::2]))]
    assert likelihood[0] == pytest.approx(likelihood[1], abs=0.05)


def with_real_units():
    """Every estimator of the library that can have real visible units, with them: (name, estimator)."""
    layer = GaussianRBM(2, n_iter=2, learning_rate=0.01)
    for name, estimator in all_estimators():
        known = estimator().get_params(deep=False)
        quick = {"random_state": 0, "n_iter": 2, "n_components": 2, "learning_rate": 0.01}
        quick = {key: x for key, x in quick.items() if key in known}
        if name == "GaussianRBM":
            for variance in ("learned", "unit", 2.0):
                yield f"{name}-{variance}", estimator(variance=variance, **quick)
        elif "visible" in known:
            for hidden, kind in UNITS.items():
                if kind.one_sided:
                    continue  # no law beside real units
                choice = estimator(visible="gaussian", hidden=hidden, **quick)
                yield f"{name}-{hidden}", choice
        elif "modalities" in known:
            yield name, estimator([("all", [layer], slice(None))], 2, **quick)
        elif "layers" in known:
            yield name, estimator(layers=[layer, BernoulliRBM(2, n_iter=2)], **quick)
        elif "pretraining" in known:
            yield name, estimator(pretraining=layer, max_iter=2, tol=10.0, random_state=0)


def all_estimators():
    objects = {name: getattr(ebm, name) for name in ebm.__all__}
    return [
        (n, x) for n, x in objects.items() if isinstance(x, type) and issubclass(x, BaseEstimator)
    ]


WITH_REAL_UNITS = dict(with_real_units())
CONSTANTS = [3.0, 0.0, 1e6 * np.pi, -1e-3]


def told_of_constants(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(w.message) for w in caught if "constant" in str(w.message)]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, np.float64) for name in WITH_REAL_UNITS), ("GaussianRBM-learned", np.float32)],
)
def test_constant_columns_of_real_units_are_named_once(name, dtype):
    rng, estimator = np.random.default_rng(0), WITH_REAL_UNITS[name]
    X = rng.normal(size=(60, 7)).astype(dtype)
    y = (X[:, 0] > 0).astype(int)
    X[:, 3:] = CONSTANTS
    table = pd.DataFrame(X, columns=list("abcdefg"))
    for rows, names in ((table, "'d', 'e', 'f', 'g'"), (X, "3, 4, 5, 6")):
        said = told_of_constants(lambda rows=rows: clone(estimator).fit(rows, y))
        assert len(said) == 1
        assert f"4 columns are constant ({names})" in said[0]
        assert said[0].endswith("Leave such columns out.")
    assert not told_of_constants(lambda: clone(estimator).fit(X[:, :3], y))
    two = np.delete(X, [3, 4, 5], axis=1)
    two[:30, 3] = -2e-3
    assert not told_of_constants(lambda: clone(estimator).fit(two, y))


# A network fits its pre-training on the first batch alone, which may be a single row.
NETWORKS = ("MLPClassifier", "MLPRegressor", "Autoencoder", "NCAEmbedding")
STREAMS = [
    n for n in WITH_REAL_UNITS if hasattr(WITH_REAL_UNITS[n], "partial_fit") and n not in NETWORKS
]


@pytest.mark.parametrize("name", STREAMS)
def test_streams_are_told_of_constant_columns_once(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    X[:, 2] = 5.0
    y = np.arange(60) % 2

    def learn(first):
        fresh = clone(WITH_REAL_UNITS[name])
        known = {"classes": [0, 1]} if is_classifier(fresh) else {}
        for rows in (first, X[:20], X[20:40]):
            fresh.partial_fit(rows, y[: len(rows)], **known)

    said = told_of_constants(lambda: learn(X[40:]))
    assert (
        len(said) == 1
        and "1 column is constant (2), and no variance can be learned from it" in said[0]
    )
    assert not told_of_constants(lambda: learn(X[40:41]))  # one row has no variance


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]], ids=["triangle", "any place"])
def test_couplings_that_are_written_once_keep_their_strength(form, order):
    once = np.array([[0, 1.5, -2], [0, 0, 0.5], [0, 0, 0]])[np.ix_(order, order)]
    with pytest.raises(ValueError, match=r"Each pair is written once; J \+ J.T couples"):
        BoltzmannMachine.from_couplings(form(once))
    machine = BoltzmannMachine.from_couplings(form(once + once.T))
    spins = 2 * STATES - 1
    np.testing.assert_allclose(machine.energy(spins), -np.einsum("ri,ij,rj->r", spins, once, spins))


def test_a_diagonal_is_a_bias_of_bits_as_the_message_says():
    J = np.array([[0.5, 1, 0], [1, -2, 3], [0, 3, 1.0]])
    with pytest.raises(ValueError, match=r"add J.diagonal\(\) / 2 to the biases first"):
        BoltzmannMachine.from_couplings(J)
    biases = J.diagonal() / 2
    rest = J.copy()
    np.fill_diagonal(rest, 0)
    machine = BoltzmannMachine.from_couplings(rest, biases, unit="bernoulli")
    np.testing.assert_allclose(
        machine.energy(STATES), -np.einsum("ri,ij,rj->r", STATES, J, STATES) / 2
    )
    spins = 2 * STATES - 1
    gap = (
        BoltzmannMachine.from_couplings(rest).energy(spins)
        + np.einsum("ri,ij,rj->r", spins, J, spins) / 2
    )
    np.testing.assert_allclose(gap, gap[0])


@pytest.mark.parametrize("memory", TWO_STATE_MEMORIES, **by_name)
def test_patterns_that_are_read_as_one_are_counted_and_the_cure_keeps_them(memory):
    rng = np.random.default_rng(0)
    grey = np.where(rng.random((4, 60)) < 0.5, 0.0, 255.0) + rng.integers(-20, 21, (4, 60))
    X = np.clip(grey, 0, 255)
    with pytest.warns(UserWarning, match="read as -1 and.* So 3 patterns become equal") as seen:
        memory.fit(X)
    assert len(seen) == 1 and len(memory.patterns_) == 1
    threshold = float(str(seen[0].message).split("Binarizer(threshold=")[-1].split(")")[0])
    memory.fit(Binarizer(threshold=threshold).fit_transform(X))
    np.testing.assert_array_equal(memory.patterns_, X > 127.5)
    with pytest.warns(UserWarning, match="two states") as seen:
        memory.fit(X / 255)  # of which nothing is lost
    assert "become equal" not in str(seen[0].message)
    assert len(memory.patterns_) == 4


def alike(n_patterns=20, n_units=100):
    """Patterns that differ from one pattern in a tenth of the units."""
    rng = np.random.default_rng(3)
    turned = rng.random((n_patterns, n_units)) < 0.1
    return np.where(turned, -1.0, 1.0) * rng.choice([-1.0, 1.0], n_units)


def resting(memory):
    """Which patterns recall leaves where they are."""
    return (np.abs(memory.predict(memory.patterns_) - memory.patterns_) < 0.1).all(axis=1)


@pytest.mark.parametrize("store", ["fit", "partial_fit"])
@pytest.mark.parametrize("interaction", ["polynomial", "rectified"])
def test_dense_patterns_that_are_no_fixed_points_are_counted(interaction, store):
    memory = DenseAssociativeMemory(degree=2, interaction=interaction, random_state=0)
    with pytest.warns(UserWarning, match="patterns are not held") as seen:
        getattr(memory, store)(alike())
    assert len(seen) == 1
    message = str(seen[0].message)
    assert message.startswith(f"{(~resting(memory)).sum()} of 20 patterns are not held")
    assert 'Use a higher degree, or interaction="exponential"' in message
    assert resting(memory.set_params(degree=30).fit(alike())).all()
    assert resting(memory.set_params(interaction="exponential").fit(alike())).all()


@pytest.mark.parametrize("variant", ["softmax", "entmax", "sparsemax"])
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_modern_patterns_that_are_not_held_are_counted(variant, scale):
    X = scale * alike()
    memory = ModernHopfieldNetwork(beta=0.02 / scale**2, variant=variant)
    with pytest.warns(
        UserWarning, match="20 of 20 patterns are not held at beta=.* larger"
    ) as seen:
        memory.partial_fit(X)
    assert len(seen) == 1
    beta = float(str(seen[0].message).split("beta=")[-1].rstrip("."))
    memory.set_params(beta=beta).fit(X)
    assert resting(memory).all()


def test_modern_patterns_of_unequal_norms_need_one_norm():
    X = np.random.default_rng(0).normal(size=(10, 4))
    with pytest.warns(UserWarning, match=r"not held.*normalize\(X\) makes all norms 1") as seen:
        ModernHopfieldNetwork().fit(X)
    beta = float(str(seen[0].message).split("beta=")[-1].split(" ")[0])
    assert resting(ModernHopfieldNetwork(beta=beta).fit(normalize(X))).all()


def test_one_pass_of_attention_is_no_memory():
    X = np.random.default_rng(0).normal(size=(10, 4))
    ModernHopfieldNetwork(max_steps=1).fit(X)  # without a warning
    ModernHopfieldNetwork(beta=9.0).fit(np.repeat(np.eye(4), 2, axis=0))  # nor for equal patterns
