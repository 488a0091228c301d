"""From which law log Z is annealed: the data's marginals, or the model's own; and the advice of what is in doubt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from ebm import RBM, BernoulliRBM, BoltzmannMachine, lattice
from ebm.energies.conversions import as_binary
from ebm.energies.pairwise import PairwiseParameters
from ebm.likelihood import AIS
from ebm.likelihood.base import WIDENED
from ebm.likelihood.bases import CHAINS, DATA

ENOUGH = AIS(n_temperatures=300)


def trained(visible, n_features=40):
    """A machine that has learned rows in which most units are off."""
    rng = np.random.default_rng(0)
    X = (rng.random((300, n_features)) < rng.choice([0.05, 0.3], (300, 1))).astype(float)
    rbm = RBM(8, visible=visible, n_iter=10, learning_rate=0.01, random_state=0)
    return rbm.fit(X if visible == "bernoulli" else 2 * X - 1)


def set_by_hand(visible, n_features=200, scale=0.3):
    """A machine of data in which nearly all units are off, with parameters whose law has nearly all of them on."""
    rng, high = np.random.default_rng(1), visible == "bernoulli"
    X = (rng.random((300, n_features)) < 0.003).astype(float)
    rbm = RBM(12, visible=visible, n_iter=2, random_state=0).fit(X if high else 2 * X - 1)
    rbm.components_ = scale * rng.normal(size=(12, n_features)) / (1 if high else 2)
    rbm.intercept_visible_ = np.full(n_features, 3.0 if high else 1.5)
    rbm.intercept_hidden_ = np.zeros(12)
    return rbm


def chain_set_by_hand(unit, n=60):
    """Spins, or bits, along a line, all of them down in the data and mostly up in the law."""
    rng, J = np.random.default_rng(0), np.asarray(lattice((n,), periodic=False), float)
    given = PairwiseParameters(J, np.ones(n))
    X = np.where(rng.random((300, n)) < 0.003, 1.0, -1.0)
    if unit == "bernoulli":
        X, given = (X + 1) / 2, as_binary(given)
    machine = BoltzmannMachine(unit=unit, n_iter=2, random_state=0).fit(X)
    machine.couplings_, machine.intercept_ = given
    return machine


def assert_right(found, exact):
    low, high = (found.value + WIDENED * (x - found.value) for x in found.interval)
    assert low - 1e-3 <= exact <= high + 1e-3
    assert abs(found.value - exact) < 0.5 and not found.doubt


CASES = [(trained, DATA), (set_by_hand, CHAINS), (chain_set_by_hand, CHAINS)]


@pytest.mark.needs_jit
@pytest.mark.parametrize("unit", ["bernoulli", "spin"])
@pytest.mark.parametrize(("make", "base"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_the_nearer_law_is_annealed_from_and_named(make, base, unit):
    machine = make(unit)
    found = machine.log_partition(ENOUGH)
    assert found.base == base
    assert_right(found, machine.log_partition("exact").value)


@pytest.mark.needs_jit
@pytest.mark.parametrize("unit", ["bernoulli", "spin"])
@pytest.mark.parametrize("make", [set_by_hand, chain_set_by_hand])
def test_the_marginals_of_other_data_are_no_base(make, unit, monkeypatch):
    """From them the same annealing is in doubt: the choice between the two laws is what makes it right."""
    monkeypatch.setattr("ebm.likelihood.bases.MARGIN", np.inf)
    with pytest.warns(ConvergenceWarning, match="more n_temperatures"):
        found = make(unit).log_partition(ENOUGH)
    assert found.base == DATA


# Advice ------------------------------------------------------------------------------------------


def strong(seed, scale=2.0):
    weights = scale * np.random.default_rng(seed).normal(size=(10, 40))
    return BernoulliRBM.from_parameters(weights, random_state=0)


def one_sided():
    """A magnet below the critical point, fitted to rows of which nearly all are up."""
    X = np.ones((50, 16))
    X[:5] = -1
    machine = BoltzmannMachine(unit="spin", n_iter=1, random_state=0).fit(X)
    machine.couplings_, machine.intercept_ = 1.0 * lattice((4, 4)), np.zeros(16)
    return machine


DOUBTS = {
    "the two directions": (strong(1), AIS(n_temperatures=5), "differs from the forward"),
    "few particles": (strong(0), AIS(n_temperatures=20), "hangs on few"),
    "without the way back": (strong(0), AIS(n_temperatures=20, reverse=False), "hangs on few"),
    "missed modes": (one_sided(), AIS(n_temperatures=300), "missed modes"),
}
CURES = {
    "Use method='ais'": lambda choice: "ais",
    "more n_temperatures": lambda choice: replace(choice, n_temperatures=2000),
    "more n_runs": lambda choice: replace(choice, n_runs=2000),
}


@pytest.mark.needs_jit
@pytest.mark.parametrize("case", DOUBTS)
def test_what_a_doubt_advises_ends_it(case):
    machine, choice, words = DOUBTS[case]
    with pytest.warns(ConvergenceWarning, match=words) as seen:
        machine.log_partition(choice)
    doubt = str(seen[0].message)
    advised = [cure for name, cure in CURES.items() if name in doubt]
    assert advised
    exact = machine.log_partition("exact").value
    for cure in advised:
        assert_right(machine.log_partition(cure(choice)), exact)
