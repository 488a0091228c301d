"""ebm.energies.incomplete, ebm.samplers.expectation: sums over unknown units, and chains where there are too many."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ebm._random import stream
from ebm.energies import incomplete
from ebm.energies.belief_network import from_rbms
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.incomplete import gaps, patterns
from ebm.energies.incomplete_belief import BeliefGaps
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.samplers.expectation import (
    N_CHAINS,
    dispersed_starts,
    expectation,
    sampled_expectation,
)
from ebm.units import UNITS, Bernoulli, Spin
from tests.oracles import incomplete as oracle
from tests.oracles import pairwise
from tests.oracles.pairwise import BINARY, SPIN, random_pairwise

STATES = {"bernoulli": BINARY, "spin": SPIN}
PAIRS = list(itertools.product([*STATES, "gaussian"], repeat=2))
KEY = stream(0, "evaluation")
every_pair = pytest.mark.parametrize("pair", PAIRS, ids="-".join)
every_beta = pytest.mark.parametrize("beta", [1.0, 0.6])


def machine(pair, n_visible=4, n_hidden=3, seed=0):
    """The library's model and the oracle's layers."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(n_visible, n_hidden)) * (0.3 if pair == ("gaussian", "gaussian") else 1.0)
    owns, layers = [], []
    for name, n in zip(pair, W.shape, strict=True):
        bias, z = rng.normal(size=n), 0.3 * rng.normal(size=n)
        if name == "gaussian":
            owns.append(UNITS[name].parameters(bias, z))
            layers.append([("real", b, np.exp(x)) for b, x in zip(bias, z, strict=True)])
        else:
            owns.append(UNITS[name].parameters(bias))
            layers.append([("states", STATES[name], b) for b in bias])
    model = Bipartite(UNITS[pair[0]](), UNITS[pair[1]]())
    return model, BipartiteParameters(W, *owns), (W, *layers)


def expected(pair, layers, row, beta=1.0):
    if pair == ("gaussian", "gaussian"):
        return oracle.two_real_layers(*layers, row, beta)
    if pair[1] == "gaussian":
        return oracle.by_visible_states(*layers, row, beta)
    W, visible, hidden = layers
    scaled = [(u[0], u[1], u[2]) for u in visible]
    return oracle.by_hidden_states(W, scaled, hidden, row, beta)


def incomplete_rows(name, n_rows=12, n_visible=4, seed=1):
    """Rows with every kind of gap: none, some, everything; some gaps come more than once."""
    rng = np.random.default_rng(seed)
    shape = n_rows, n_visible
    rows = rng.normal(size=shape) if name == "gaussian" else rng.choice(STATES[name], size=shape)
    rows[rng.random(shape) < 0.5] = np.nan
    rows[0], rows[1] = np.nan, 1.0
    rows[-1] = np.where(np.isnan(rows[2]), np.nan, 1.0)
    return rows


def all_sums(model, params, rows, beta=1.0):
    """Log-weights and means of all rows, pattern by pattern."""
    logs, means = np.empty(len(rows)), np.empty(rows.shape)
    for unknown, which in patterns(rows):
        logs[which], means[which] = gaps(model, params, unknown, beta).sums(rows[which])
    return logs, means


# Exactly ----------------------------------------------------------------------------------------


@every_beta
@every_pair
def test_sums_over_the_unknown_units_of_two_layers(pair, beta):
    model, params, layers = machine(pair)
    rows = incomplete_rows(pair[0])
    logs, means = all_sums(model, params, rows, beta)
    wanted = [expected(pair, layers, row, beta) for row in rows]
    np.testing.assert_allclose(logs, [x[0] for x in wanted], rtol=0, atol=1e-11)
    np.testing.assert_allclose(means, [x[1] for x in wanted], rtol=0, atol=1e-11)


@every_pair
def test_both_ways_of_summing_agree(pair, monkeypatch):
    """By the hidden states and by those of the unknown units; in shares of rows."""
    model, params, layers = machine(pair)
    unknown = np.array([True, False, True, False])
    rows = incomplete_rows(pair[0])[[1, 1]]
    rows[1] = 0.5
    rows[:, unknown] = np.nan
    monkeypatch.setattr(incomplete, "ROWS", 1)
    ways = []
    if pair[1] != "gaussian":
        ways.append(incomplete.HiddenListed(model, params, unknown, 0.7))
    if pair[0] != "gaussian":
        ways.append(incomplete.VisibleListed(model, params, unknown, 0.7))
    for way in ways:
        found = way.sums(rows)
        wanted = [expected(pair, layers, row, 0.7) for row in rows]
        np.testing.assert_allclose(found.log_weights, [x[0] for x in wanted], rtol=0, atol=1e-11)
        np.testing.assert_allclose(found.means, [x[1] for x in wanted], rtol=0, atol=1e-11)


@every_beta
@pytest.mark.parametrize("n_hidden", [0, 2])
@pytest.mark.parametrize("states", [BINARY, SPIN])
def test_sums_over_the_unknown_units_of_a_pairwise_model(states, n_hidden, beta):
    slow = random_pairwise(6, states, n_hidden, seed=3, scale=2.0)
    model = Pairwise(Bernoulli() if states == BINARY else Spin(), n_hidden)
    rows = incomplete_rows("bernoulli" if states == BINARY else "spin", 10, slow.n_visible)
    logs, means = all_sums(model, PairwiseParameters(slow.J, slow.b), rows, beta)
    for row, log, mean in zip(rows, logs, means, strict=True):
        fits = pairwise.all_states(slow)
        known = np.r_[~np.isnan(row), np.zeros(n_hidden, bool)]
        fits = fits[(fits[:, known] == row[known[: len(row)]]).all(axis=1)]
        weights = np.array([-beta * pairwise.energy(slow, s) for s in fits])
        total = np.logaddexp.reduce(weights)
        assert log == pytest.approx(total, abs=1e-11)
        np.testing.assert_allclose(mean, np.exp(weights - total) @ fits[:, : len(row)], atol=1e-11)


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian", "spin"])
def test_sums_over_the_hidden_layers_of_a_belief_network(visible):
    parts = [
        machine(("bernoulli", "bernoulli"), *shape, seed=s)
        for s, shape in enumerate([(3, 2), (2, 3)])
    ]
    first = machine((visible, "bernoulli"), 4, 3, seed=5)
    model, params = from_rbms([x[:2] for x in (first, *parts)])
    rows = incomplete_rows(visible)
    logs, means = all_sums(model, params, rows)
    for row, log, mean in zip(rows, logs, means, strict=True):
        want, wanted = belief(model, params, first[2], row)
        assert log == pytest.approx(want, abs=1e-10)
        np.testing.assert_allclose(mean, wanted, rtol=0, atol=1e-10)
    assert isinstance(gaps(model, params, np.isnan(rows[2])), BeliefGaps)


def belief(model, params, layers, row):
    """State by state of both hidden layers below the topmost one, which is summed out."""
    W, visible, _ = layers
    top = params.top
    logs, means = [], []
    for x1 in itertools.product((0.0, 1.0), repeat=3):
        for x2 in itertools.product((0.0, 1.0), repeat=2):
            x1_, x2_ = np.array(x1), np.array(x2)
            top_log = top.visible.bias @ x2_
            top_log += np.log1p(np.exp(top.hidden.bias + x2_ @ top.W)).sum()
            inputs = params.down[1].params.bias + params.down[1].W @ x2_
            middle = x1_ @ inputs - np.log1p(np.exp(inputs)).sum()
            fields = W @ x1_
            found = [
                (factor[0] - oracle.factor(u, np.nan, f, 1.0)[0], factor[1])
                for u, x, f in zip(visible, row, fields, strict=True)
                for factor in [oracle.factor(u, x, f, 1.0)]
            ]
            logs.append(top_log + middle + sum(x[0] for x in found))
            means.append([x[1] for x in found])
    return oracle.averaged(logs, means)


def test_weights_of_completions_add_up():
    """p(v_K) is the sum of p(v) over all v that agree with v_K."""
    model, params, _ = machine(("spin", "bernoulli"))
    row = np.array([[1.0, np.nan, np.nan, -1.0]])
    whole = np.array([[1.0, *rest, -1.0] for rest in itertools.product(SPIN, repeat=2)])
    logs = [all_sums(model, params, v[np.newaxis])[0][0] for v in whole]
    assert all_sums(model, params, row)[0][0] == pytest.approx(np.logaddexp.reduce(logs), abs=1e-12)


def test_too_many_unknown_units_are_not_summed():
    model, params, _ = machine(("bernoulli", "bernoulli"), 30, 25)
    few, many = np.arange(30) < 20, np.arange(30) < 21
    assert gaps(model, params, few) is not None
    assert gaps(model, params, many) is None
    full = PairwiseParameters(random_pairwise(40, SPIN).J, np.zeros(40))
    assert gaps(Pairwise(Spin()), full, np.arange(40) < 20) is not None
    assert gaps(Pairwise(Spin()), full, np.arange(40) < 25) is None
    model, params, _ = machine(("gaussian", "gaussian"))
    with pytest.raises(ValueError, match="no distribution"):
        all_sums(model, params._replace(W=9 * params.W), np.full((1, 4), np.nan))


# Chains -------------------------------------------------------------------------------------------


def bistable(strength, n=30):
    """A magnet of `n` spins all joined to each other, a small field, one of them known to be up."""
    J = (strength / n) * (1 - np.eye(n))
    given = np.full((2, n), np.nan)
    given[:, 0] = 1.0
    return Pairwise(Spin()), PairwiseParameters(J, np.full(n, 0.01)), given


def magnet_mean(strength, n=30):
    """Mean of the unknown spins, by their sum."""
    from scipy.special import gammaln

    k = np.arange(n)
    m, J = 2 * k - (n - 1), strength / n
    logs = gammaln(n) - gammaln(k + 1) - gammaln(n - k) + J * (m**2 - (n - 1)) / 2 + (0.01 + J) * m
    weights = np.exp(logs - logs.max())
    return weights @ m / weights.sum() / (n - 1)


def run(model, params, given, n_steps=200):
    start = np.random.default_rng(0).choice(SPIN, size=given.shape)
    return sampled_expectation(model, params, given, start, KEY, n_steps)


@pytest.mark.needs_jit  # many chains
@pytest.mark.parametrize("strength", [0.5, 1.0, 1.5, 3.0])
def test_chains_agree_and_are_right_or_say_so(strength):
    """Hot, critical, cold, frozen: where two modes are not visited in their shares, that is said."""
    model, params, given = bistable(strength)
    found = run(model, params, given)
    off = np.abs(found.mean[:, 1:].mean(axis=1) - magnet_mean(strength))
    assert (off[found.agreed] < 0.12).all()
    assert found.agreed.any() == (strength < 2)
    assert (off < 5 * found.standard_error[:, 1:].mean(axis=1)).all()
    np.testing.assert_array_equal(found.mean[:, 0], 1.0)
    np.testing.assert_array_equal(found.standard_error[:, 0], 0.0)


@pytest.mark.needs_jit
def test_more_steps_are_the_cure():
    model, params, given = bistable(1.5)
    assert not run(model, params, given, 50).agreed.any()
    found = run(model, params, given, 4000)
    assert found.agreed.all()
    assert found.mean[:, 1:].mean() == pytest.approx(magnet_mean(1.5), abs=0.05)


@pytest.mark.needs_jit
@every_pair
def test_chains_of_two_layers_agree_with_the_sums(pair):
    model, params, layers = machine(pair)
    rows = incomplete_rows(pair[0])
    start = np.where(np.isnan(rows), 1.0, rows)
    found = sampled_expectation(model, params, rows, start, KEY, 400)
    wanted = np.array([expected(pair, layers, row)[1] for row in rows])
    unknown = np.isnan(rows)
    z = (found.mean - wanted)[unknown] / found.standard_error[unknown]
    assert found.agreed.mean() > 0.9
    # Student's t of seven degrees of freedom: beyond 10 with a probability of 2e-5; errors are conservative.
    assert np.abs(z).max() < 10
    assert 0.3 < np.sqrt((z**2).mean()) < 1.6


@pytest.mark.needs_jit
def test_starts_are_far_from_each_other():
    model, params, _ = machine(("bernoulli", "spin"))
    start = np.zeros((5, 4))
    for starts in (
        dispersed_starts(model, params, start, KEY),
        dispersed_starts(
            Pairwise(Bernoulli()), PairwiseParameters(np.ones((4, 4)), np.zeros(4)), start, KEY
        ),
    ):
        assert starts.shape == (N_CHAINS, 5, 4)
        assert np.isin(starts, BINARY).all()
        assert starts.mean(axis=0).min() > 0 and starts.mean(axis=0).max() < 1
    magnet = dispersed_starts(
        Pairwise(Spin()), PairwiseParameters(np.ones((4, 4)), np.zeros(4)), start + 1, KEY
    )
    np.testing.assert_array_equal(magnet.sum(axis=0), 0)


@pytest.mark.needs_jit
def test_rows_walk_in_blocks(monkeypatch):
    model, params, given = bistable(0.5, 8)
    monkeypatch.setattr("ebm.samplers.expectation.STATES", 1)
    found = run(model, params, given, 400)
    assert found.agreed.all()
    assert not np.array_equal(found.mean[0], found.mean[1])
    assert found.mean[:, 1:].mean() == pytest.approx(magnet_mean(0.5, 8), abs=0.1)


@pytest.mark.needs_jit
def test_what_takes_too_long_is_sampled_instead(monkeypatch):
    """The cheapest gaps are summed first."""
    model, params, layers = machine(("bernoulli", "bernoulli"))
    rows = np.array(
        [[np.nan, 1.0, 0.0, 1.0], [np.nan, np.nan, np.nan, np.nan], [0.0, 1.0, 0.0, 1.0]]
    )
    monkeypatch.setattr("ebm.samplers.expectation.MAX_WORK", 20.0)
    found = expectation(model, params, rows, np.ones(rows.shape), KEY, 200)
    assert not found.standard_error[[0, 2]].any() and (found.standard_error[1] > 0).all()
    wanted = expected(("bernoulli", "bernoulli"), layers, rows[0])[1]
    np.testing.assert_allclose(found.mean[0], wanted, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found.mean[2], rows[2])
