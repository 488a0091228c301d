"""ebm.likelihood.mean_field_gap: where the means of joined hidden units are off, `transform` says so."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning

from ebm import BoltzmannMachine
from ebm.energies.conversions import as_binary
from ebm.energies.pairwise import PairwiseParameters

N_VISIBLE, N_HIDDEN, ROWS = 5, 13, 6
STATES = {"spin": (-1.0, 1.0), "bernoulli": (0.0, 1.0)}


def joined(unit, scale, seed):
    """A machine whose hidden units are all joined, rows, and the exact means."""
    rng = np.random.default_rng(seed)
    n = N_VISIBLE + N_HIDDEN
    J = scale * rng.normal(size=(n, n))
    J[:N_VISIBLE] = 0.1 * rng.normal(size=(N_VISIBLE, n))
    J = np.triu(J, 1) + np.triu(J, 1).T
    params = PairwiseParameters(J, 0.1 * rng.normal(size=n))
    v = rng.choice([-1.0, 1.0], (ROWS, N_VISIBLE))
    if unit == "bernoulli":
        params, v = as_binary(params), (v + 1) / 2
    machine = BoltzmannMachine.from_parameters(*params, unit=unit, n_hidden=N_HIDDEN)
    return machine, v, enumerated(params, v, STATES[unit])


def enumerated(params, v, states):
    """E[h | v] from all states of the hidden units."""
    H = np.array(list(itertools.product(states, repeat=N_HIDDEN)))
    J, b = params.J[N_VISIBLE:, N_VISIBLE:], params.bias[N_VISIBLE:]
    own = 0.5 * np.einsum("si,ij,sj->s", H, J, H) + H @ b
    logs = own[:, np.newaxis] + H @ params.J[N_VISIBLE:, :N_VISIBLE] @ v.T
    return softmax(logs, axis=0).T @ H


def told(machine, v, beta=1.0):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        means = machine.transform(v, beta=beta)
    assert all(w.category is ConvergenceWarning for w in caught) and len(caught) <= 1
    return means, [str(w.message) for w in caught]


@pytest.mark.needs_jit
@pytest.mark.parametrize("unit", STATES)
@pytest.mark.parametrize("seed", range(4))
def test_means_that_are_off_are_told_and_the_cure_is_right(unit, seed):
    machine, v, exact = joined(unit, 0.6, seed)
    means, said = told(machine, v)
    gap = np.ptp(STATES[unit])
    assert np.abs(means - exact).max() > 0.3 * gap
    assert len(said) == 1 and "mean field is inaccurate" in said[0]
    gaps = np.full((ROWS, N_HIDDEN), np.nan)
    whole = BoltzmannMachine.from_parameters(machine.couplings_, machine.intercept_, unit=unit)
    found, error = whole.impute(np.hstack([v, gaps]), return_std=True)
    np.testing.assert_array_less(
        np.abs(found[:, N_VISIBLE:] - exact), 5 * error[:, N_VISIBLE:] + 1e-6
    )


@pytest.mark.needs_jit
@pytest.mark.parametrize("unit", STATES)
@pytest.mark.parametrize("seed", range(4))
def test_means_that_are_right_are_not(unit, seed):
    machine, v, exact = joined(unit, 0.05, seed)
    means, said = told(machine, v)
    assert np.abs(means - exact).max() < 0.05 * np.ptp(STATES[unit]) and not said
    assert not told(joined(unit, 0.6, seed)[0], v, beta=0.05)[1]  # hot enough


def test_chains_that_are_too_short_do_not_vouch_for_the_mean_field(monkeypatch):
    machine, v, _ = joined("spin", 3.0, 0)
    monkeypatch.setattr("ebm.likelihood.mean_field_gap.N_STEPS", 1)
    assert "in 1 of the 1 rows" in told(machine, v[:1])[1][0]


def test_exact_means_are_not_compared(monkeypatch):
    machine, v, exact = joined("spin", 0.6, 0)
    monkeypatch.setattr("ebm.inference.hidden_means.MAX_ENUMERATED_HIDDEN", N_HIDDEN)
    monkeypatch.setattr("ebm.likelihood.mean_field_gap.hidden_mean_gap", None)
    np.testing.assert_allclose(machine.transform(v), exact, rtol=1e-9)
