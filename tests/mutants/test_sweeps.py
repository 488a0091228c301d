"""The checks of sweeps, paths and gradients of pairwise models reject the known-wrong, and accept a right one."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key, fold
from ebm.samplers import gibbs
from tests.checks.sweeps import (
    assert_energy,
    assert_equals_the_plain_loop,
    assert_expects,
    assert_has_the_row,
    assert_inverse_weights_are_unbiased,
    assert_is_the_slope,
    assert_leaves_the_law,
    assert_weights_are_unbiased,
    centred,
)
from tests.core.pairwise_paths import library_path, model_and_base, uneven
from tests.models.pairwise import rows_of, spelled
from tests.oracles import draws, pairwise, pairwise_sweeps
from tests.oracles.pairwise import BINARY, SPIN, OraclePairwise, random_pairwise

KEY = Key(71, 72)
MODEL = random_pairwise(4, SPIN, seed=3, scale=3.0)
LIBRARY, PARAMS = spelled(MODEL)
START = np.array([1.0, -1.0, 1.0, 1.0])
ROW = pairwise.heat_bath(MODEL, range(4))
LAW = pairwise.probabilities(MODEL)


def rejects(check, *args, **kwargs):
    with pytest.raises(AssertionError):
        check(*args, **kwargs)


# Sweeps --------------------------------------------------------------------------------------


def swept(s, *, gap=2.0, bias=1.0, beta=1.0, fields="now", held=(), turned=1.0, same=False):
    """One sweep of the four spins by NumPy, all chains at once; the arguments say what goes wrong."""
    s, old = s.copy(), s.copy()
    u = draw(1 if same else len(s))
    for i in range(4):
        if i in held:
            continue
        seen = {"now": s, "old": old, "block": np.where(np.arange(4) % 2 == i % 2, old, s)}
        x = turned * seen[fields] @ MODEL.J[i] + bias * MODEL.b[i]
        s[:, i] = np.where(u[:, i] < 1 / (1 + np.exp(-beta * gap * x)), 1.0, -1.0)
    return s


def draw(n_rows, seed=0):
    return np.random.default_rng(seed).random((n_rows, 4))


def right(s):
    return gibbs(LIBRARY, PARAMS, s, KEY, 1)


WRONG_SWEEPS = [
    pytest.param({"fields": "old"}, id="all units at once, from the old states"),
    pytest.param({"fields": "block"}, id="fields of a block not kept up to date"),
    pytest.param({"bias": 0.0}, id="dropped bias"),
    pytest.param({"gap": 1.0}, id="the gap of two between spins forgotten"),
    pytest.param({"gap": 4.0}, id="the gap counted twice"),
    pytest.param({"turned": 0.5}, id="half of the couplings"),
    pytest.param({"turned": -1.0}, id="the sign of the couplings"),
    pytest.param({"beta": 1.2}, id="another temperature"),
    pytest.param({"same": True}, id="the same numbers for all chains"),
]


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    "mutant", [*WRONG_SWEEPS, pytest.param({"held": [2]}, id="a unit left out")]
)
def test_the_transition_row_rejects(mutant):
    if "held" in mutant:  # once is enough
        for step in (right, swept):
            assert_has_the_row(step, MODEL, START, ROW)
    rejects(assert_has_the_row, lambda s: swept(s, **mutant), MODEL, START, ROW)


@pytest.mark.needs_jit
@pytest.mark.parametrize("mutant", WRONG_SWEEPS)
def test_the_joint_law_rejects(mutant):
    if "same" in mutant:  # once is enough
        for step in (right, swept):
            assert_leaves_the_law(step, MODEL, LAW)
    rejects(assert_leaves_the_law, lambda s: swept(s, **mutant), MODEL, LAW)


@pytest.mark.needs_jit
def test_stationarity_alone_passes_a_sweep_that_leaves_a_unit_out():
    """Why the transition row is checked too."""
    assert_leaves_the_law(lambda s: swept(s, held=[2]), MODEL, LAW)


@pytest.mark.needs_jit
def test_the_transition_row_rejects_the_units_the_other_way_round():
    rejects(assert_has_the_row, right, MODEL, START, pairwise.heat_bath(MODEL, range(4)[::-1]))
    assert_leaves_the_law(right, MODEL, LAW)


def loop(model, s, order, u, *, stale=0, off=0, low=None, edge=None):
    """Chain by chain, visit by visit."""
    s = s.copy()
    states = (model.states[0] if low is None else low, model.states[1])
    for row in range(len(s)):
        before = s[row].copy()
        for visit, i in enumerate(order):
            seen = s[row].copy()
            if stale and visit % stale and order[visit - 1] != i:
                seen[order[visit - 1]] = before[order[visit - 1]]  # the last change is not known
            if edge and visit % edge == 0:
                before = s[row].copy()
            x = pairwise.field(model, seen, i)
            p = 1 / (1 + np.exp(-(states[1] - states[0]) * x))
            s[row, i] = states[int(u[row, (visit + off) % u.shape[1]] < p)]
    return s


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param({"stale": 64, "edge": 64}, id="a change that the block does not see"),
        pytest.param({"off": 1}, id="the number of the next visit"),
        pytest.param({"low": 0.0}, id="bits for spins"),
    ],
)
def test_the_plain_loop_rejects(mutant):
    """The first is seen only where the couplings of neighbours in the order decide something."""
    model = random_pairwise(70, SPIN, seed=1, scale=5.0)
    s, order, u = rows_of(model, 3), np.arange(70), draws.uniforms(KEY, 3, 70)
    assert_equals_the_plain_loop(lambda s, o: loop(model, s, o, u), model, s, order, u)
    rejects(
        assert_equals_the_plain_loop,
        lambda s, o: loop(model, s, o, u, **mutant),
        model,
        s,
        order,
        u,
    )


# Energies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("states", [BINARY, SPIN])
@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param((1.0, 1.0), id="every pair counted twice"),
        pytest.param((0.5, 0.0), id="dropped bias"),
        pytest.param((-0.5, 1.0), id="the sign of the couplings"),
        pytest.param((0.5, 0.5), id="half of the bias"),
    ],
)
def test_energies_reject(mutant, states):
    model = random_pairwise(5, states)

    def energy(s, half=0.5, bias=1.0):
        return -half * np.einsum("ri,ij,rj->r", s, model.J, s) - bias * s @ model.b

    rows = rows_of(model, 6)
    assert_energy(energy, model, rows)
    rejects(assert_energy, lambda s: energy(s, *mutant), model, rows)


# Annealing -----------------------------------------------------------------------------------

PATH_MODEL, BASE = model_and_base(SPIN)
TS = uneven(3)


def forward(n, when="before", moves=range(4), off=0.0):
    """Weights of annealing by the steps of the library's path."""
    path = library_path(PATH_MODEL, BASE)
    s, total = path.start(n, fold(KEY, 0)), np.zeros(n)
    stages = [path.stage(t) for t in TS]
    for k in range(1, len(TS)):
        here = s
        s = path.move(s, path.inputs(s), [stages[k - (when == "behind")]], fold(KEY, k))
        weighed = s if when == "after" else here
        total += path.gain(weighed, path.inputs(weighed), stages[k - 1], stages[k])
    return total + off


def backward(s, when="after"):
    path, total = library_path(PATH_MODEL, BASE), np.zeros(len(s))
    stages = [path.stage(t) for t in TS]
    for step, k in enumerate(range(len(TS) - 1, 0, -1), 1):
        here = s
        s = path.move(s, path.inputs(s), [stages[k - (when == "behind")]], fold(KEY, step))
        weighed = here if when == "before" else s
        total += path.gain(weighed, path.inputs(weighed), stages[k - 1], stages[k])
    return total


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param({"when": "after"}, id="weights taken after the move"),
        pytest.param({"when": "behind"}, id="moves one temperature behind"),
        pytest.param({"off": 0.1}, id="a tenth of a nat"),
    ],
)
def test_forward_weights_reject(mutant):
    if "off" in mutant:  # once is enough
        assert_weights_are_unbiased(forward, PATH_MODEL, BASE, TS, 100_000)
    wrong = lambda n: forward(n, **mutant)  # noqa: E731
    rejects(assert_weights_are_unbiased, wrong, PATH_MODEL, BASE, TS, 100_000)


@pytest.mark.needs_jit
@pytest.mark.parametrize("when", ["before", "behind"])
def test_inverse_weights_reject(when):
    if when == "before":  # once is enough
        assert_inverse_weights_are_unbiased(backward, PATH_MODEL, BASE, TS, 100_000)
    wrong = lambda s: backward(s, when)  # noqa: E731
    rejects(assert_inverse_weights_are_unbiased, wrong, PATH_MODEL, BASE, TS, 100_000)


# Gradients -----------------------------------------------------------------------------------

JOINED = random_pairwise(5, SPIN, 2, seed=5, scale=2.0)
X = rows_of(JOINED, 5, 3)
WEIGHTS = np.arange(1, 6) / 15


# With the means that hidden units had at other parameters.
STALE = pairwise.data_statistics(OraclePairwise(0.5 * JOINED.J, JOINED.b, SPIN, 2), X, WEIGHTS)


def test_slopes_reject():
    right = pairwise.log_likelihood_gradient(JOINED, X, WEIGHTS)
    assert_is_the_slope(right, JOINED, X, WEIGHTS)
    old = STALE
    model = pairwise.model_statistics(JOINED)
    mu = np.full(5, 0.3)
    uncorrected = right[0] - np.outer(mu, right[1]) - np.outer(right[1], mu), right[1]
    for wrong in (
        (2 * right[0], right[1]),  # every pair counted twice
        (right[0], 2 * right[1]),
        (-right[0], -right[1]),
        (old[0] - model[0], old[1] - model[1]),  # means of hidden units that are not renewed
        pairwise.log_likelihood_gradient(JOINED, X),  # without the weights
        uncorrected,  # centred couplings, and the biases of the plain gradient
        centred(right, mu),  # uphill, and no slope
    ):
        rejects(assert_is_the_slope, wrong, JOINED, X, WEIGHTS)


MEANS = np.array([pairwise.hidden_means(JOINED, v) for v in X])
DATA = pairwise.data_statistics(JOINED, X, WEIGHTS)


def contrastive(seed, *, n_sweeps=1, shares=WEIGHTS, data=DATA, hidden=None):
    """One estimate of CD for the machine with two hidden units, by the library's sweeps."""
    model, params = spelled(JOINED)
    if hidden is None:
        drawn = np.random.default_rng(seed).random(MEANS.shape) < (MEANS + 1) / 2
        hidden = np.where(drawn, 1.0, -1.0)
    s = gibbs(model, params, np.hstack([X, hidden]), fold(KEY, seed), n_sweeps)
    after = (s.T * shares) @ s
    np.fill_diagonal(after, 0)
    return data[0] - after, data[1] - shares @ s


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param({"n_sweeps": 2}, id="one sweep too many"),
        pytest.param(
            {"shares": np.full(5, 1 / 5)}, id="chains that forget the weights of the data"
        ),
        pytest.param({"shares": WEIGHTS * 5 / 8}, id="divided by the batch size, not by its rows"),
        pytest.param({"data": STALE}, id="means of hidden units not renewed"),
        pytest.param(
            {"hidden": np.ones((5, 2))}, id="hidden states that do not belong to the data"
        ),
    ],
)
def test_expectations_of_contrastive_divergence_reject(mutant):
    """The right one starts hidden states independently, given their means, as the library does."""
    table = pairwise_sweeps.data_table(JOINED, X, WEIGHTS, MEANS)
    after = pairwise.model_statistics(JOINED, table @ pairwise.heat_bath(JOINED, range(5)))
    expected = DATA[0] - after[0], DATA[1] - after[1]
    if "n_sweeps" in mutant:  # once is enough
        assert_expects(contrastive, expected, 1000)
    rejects(assert_expects, lambda i: contrastive(i, **mutant), expected, 1000)
