"""Sweeps along lists of neighbours: the plain loops' twins, the dense sweeps' bits, the same law."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array, issparse

from ebm._kernels.sweeps import HEAT_BATH, MEAN, METROPOLIS, THRESHOLD, sweep
from ebm._random import Key
from ebm.energies import couplings
from ebm.energies.couplings import fastest, pays_sparse, visit
from ebm.energies.lattices import lattice
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_path import PairwisePath
from ebm.inference import recall
from ebm.inference.recall import UPDATES
from ebm.samplers import anneal, gibbs
from ebm.samplers.gibbs import VISITS, sweep_at
from ebm.samplers.simulated_annealing import simulated_annealing
from ebm.units import Bernoulli, Spin
from tests.checks.sweeps import (
    assert_equals_the_plain_loop,
    assert_has_the_row,
    assert_leaves_the_law,
)
from tests.models.pairwise import STATES, rows_of, spelled
from tests.oracles import draws, pairwise, pairwise_sweeps
from tests.oracles.pairwise import OraclePairwise, random_pairwise

KEY = Key(11, 12)
# One after the other up to eight chains, side by side from there; with clamped units always side by side.
CHAINS = [1, 8, 9]
every_state = pytest.mark.parametrize("states", STATES, ids=["binary", "spin"])
every_count = pytest.mark.parametrize("n_chains", CHAINS)


@pytest.fixture
def always_sparse(monkeypatch):
    monkeypatch.setattr(couplings, "FEWEST_UNITS", 1)
    monkeypatch.setattr(couplings, "LARGEST_SHARE", 1.0)


def sparse_pairwise(n_units, states, seed=0, symmetric=True):
    """About four neighbours a unit, some without any."""
    model, rng = random_pairwise(n_units, states, seed=seed, scale=2.0), np.random.default_rng(seed)
    joined = rng.random(model.J.shape) < 4 / n_units
    joined[0] = joined[:, 0] = False
    joined = joined & joined.T if symmetric else joined
    return OraclePairwise(np.where(joined, model.J * np.sqrt(n_units) / 2, 0), model.b, states)


def swept(
    model,
    rule,
    s,
    order,
    *,
    beta=1.0,
    free=None,
    first=0,
    dtype=np.float64,
    biases=None,
    form=csr_array,
):
    states, n = np.array(s.T, dtype, order="C"), len(model.b)
    biases = [model.b] if biases is None else biases
    law = np.full(1, beta, dtype), beta * np.array(biases, dtype), *model.states
    held = np.zeros((0, 0), bool) if free is None else np.ascontiguousarray(free.T)
    moved = np.zeros(len(s), dtype)
    visit(form(model.J.astype(dtype)), law, rule, states, order, held, (*KEY, first), moved)
    assert states.shape == (n, len(s))
    return states.T, moved


def uniforms(n_chains, n_visits, first=0):
    return (draws.words(KEY, n_chains, n_visits, first) + 0.5) / 2**32


def order_of(kind, n):
    rng = np.random.default_rng(n)
    return {
        "in order": np.arange(n),
        "shuffled": rng.permutation(n),
        "repeated": rng.integers(n, size=n + 7),
    }[kind]


# Exact twins ---------------------------------------------------------------------------------


@every_count
@every_state
@pytest.mark.parametrize("kind", ["in order", "shuffled", "repeated"])
@pytest.mark.parametrize("n_units", [1, 63, 130])
def test_heat_bath_equals_the_plain_loop_on_the_same_numbers(n_units, kind, states, n_chains):
    for symmetric, dtype in ((True, np.float64), (False, np.float32)):
        model, order = sparse_pairwise(n_units, states, 1, symmetric), order_of(kind, n_units)
        assert_equals_the_plain_loop(
            lambda s, visits, m=model, T=dtype: swept(m, HEAT_BATH, s, visits, beta=0.7, dtype=T)[
                0
            ],
            model,
            rows_of(model, n_chains),
            order,
            uniforms(n_chains, len(order)),
            beta=0.7,
        )


@pytest.mark.parametrize("form", [csr_array, np.array], ids=["lists", "rows"])
@every_count
@every_state
def test_metropolis_equals_the_plain_loop_on_the_same_numbers(states, n_chains, form):
    for dtype in (np.float64, np.float32):
        model, order = sparse_pairwise(70, states, 2), order_of("repeated", 70)
        s, u = rows_of(model, n_chains), uniforms(n_chains, len(order))
        new, _ = swept(model, METROPOLIS, s, order, beta=0.7, dtype=dtype, form=form)
        expected = [
            pairwise_sweeps.metropolis_sweep(model, row, order, numbers, 0.7)
            for row, numbers in zip(s, u, strict=True)
        ]
        np.testing.assert_array_equal(new, expected)


@every_count
@every_state
def test_threshold_and_means_equal_the_plain_loop(states, n_chains):
    model, order = sparse_pairwise(70, states), order_of("shuffled", 70)
    s = rows_of(model, n_chains)
    new, moved = swept(model, THRESHOLD, s, order)
    np.testing.assert_array_equal(new, [pairwise.threshold(model, row, order) for row in s])
    np.testing.assert_array_equal(moved, np.abs(new - s).sum(axis=1))
    m = np.random.default_rng(7).uniform(*states, size=s.shape)
    expected = [pairwise_sweeps.mean_field_sweep(model, row, order, 0.7) for row in m]
    new, _ = swept(model, MEAN, m, order, beta=0.7)
    np.testing.assert_allclose(new, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("zero", [0.1, 0.4])
@every_count
def test_a_field_within_rounding_of_zero_keeps_the_state(zero, n_chains):
    model = OraclePairwise(np.zeros((70, 70)), np.full(70, -0.2), (-1.0, 1.0))
    s = np.ones((n_chains, 70))
    biases = [model.b, np.full(70, zero)]
    new, _ = swept(model, THRESHOLD, s, np.arange(70), biases=biases)
    assert (new == (1 if zero > 0.2 else -1)).all()


@pytest.mark.parametrize("rule", [HEAT_BATH, THRESHOLD])
@every_count
def test_clamped_units_and_first_chains_are_those_of_the_dense_sweep(rule, n_chains):
    """Couplings are whole numbers: fields are the same in any order of the sum, and so is everything else."""
    J, rng = lattice((8, 9)), np.random.default_rng(3)
    model = OraclePairwise(J, np.zeros(72), (-1.0, 1.0))
    s, free = rows_of(model, n_chains), rng.random((n_chains, 72)) < 0.7
    law = np.full(1, 0.4), np.zeros((1, 72)), -1.0, 1.0
    states, moved = np.array(s.T, order="C"), np.zeros(n_chains)
    order, held = order_of("repeated", 72), np.ascontiguousarray(free.T)
    sweep(J, law, rule, states, order, held, (*KEY, 2**33), moved)
    found = swept(model, rule, s, order, beta=0.4, free=free, first=2**33)
    np.testing.assert_array_equal(found[0], states.T)
    np.testing.assert_array_equal(found[1], moved)


# The whole kind: what walks along lists of neighbours does what it does along rows ----------------


def glass(unit, dtype=np.float64):
    """A lattice of whole numbers with biases: every sum is exact."""
    rng = np.random.default_rng(5)
    J = np.triu(lattice((9, 10)) * rng.choice([-1.0, 1.0], (90, 90)))
    return Pairwise(unit), PairwiseParameters((J + J.T).astype(dtype), np.full(90, 0.5, dtype))


def walks(model, params):
    """Everything that sweeps."""
    low, high = model.unit.states
    s = np.random.default_rng(6).choice([low, high], (10, 90)).astype(params.J.dtype)
    given = np.where(np.random.default_rng(7).random(s.shape) < 0.2, s, np.nan)
    for rows in (s[:1], s):
        for visit_ in VISITS:
            for known in (None, given[: len(rows)]):
                trace = np.zeros((len(rows), 3))
                settings = {"beta": 0.6, "visit": visit_, "trace": trace, "given": known}
                yield gibbs(model, params, rows, KEY, 3, **settings)
                yield trace
        yield from simulated_annealing(model, params, rows, KEY, np.geomspace(0.1, 3, 7))
        path = PairwisePath(model, params, 0 * params.bias)
        yield from anneal(path, np.linspace(0, 1, 5), len(rows), KEY)
        for update in UPDATES:
            for temperature in (0.0, 0.7):
                settings = {"update": update, "temperature": temperature, "max_sweeps": 9}
                yield from recall(model, params, rows, KEY, **settings)[:5]
                yield recall(model, params, known, KEY, clamp=True, **settings).states


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("unit", [Bernoulli(), Spin()])
def test_every_walk_gives_the_same_bits_along_lists_and_along_rows(unit, dtype, monkeypatch):
    model, params = glass(unit, dtype)
    assert issparse(fastest(params.J))
    sparse = list(walks(model, params))
    kept = list(walks(model, params._replace(J=csr_array(params.J))))
    monkeypatch.setattr(couplings, "FEWEST_UNITS", 1000)
    assert not issparse(fastest(params.J))
    for a, b, c in zip(sparse, kept, walks(model, params), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(b, c)


# The law -------------------------------------------------------------------------------------


@pytest.mark.needs_jit
@every_state
@pytest.mark.parametrize("visit_", VISITS)
def test_one_sweep_has_the_row_and_leaves_the_law(states, visit_, always_sparse):
    from tests.core.sweeps import stepper, transition

    oracle = random_pairwise(4, states, seed=3, scale=3.0)
    assert issparse(fastest(spelled(oracle)[1].J))
    T = transition(oracle, visit_, key=KEY)
    step = stepper(oracle, visit=visit_, key=KEY)
    assert_has_the_row(step, oracle, pairwise.all_states(oracle)[5], T)
    assert_leaves_the_law(step, oracle, pairwise.probabilities(oracle))


@pytest.mark.needs_jit
@every_state
def test_metropolis_has_the_row_and_leaves_the_law(states, always_sparse):
    oracle = random_pairwise(4, states, seed=3, scale=3.0)
    model, params = spelled(oracle)
    T = pairwise_sweeps.metropolis(oracle, range(4), 0.8)

    def step(s):
        return sweep_at(model, params, s, np.array([0.8]), KEY, rule=METROPOLIS)

    assert_has_the_row(step, oracle, pairwise.all_states(oracle)[5], T)
    law = pairwise.probabilities(oracle, 0.8)
    np.testing.assert_allclose(law @ T, law, atol=1e-12)
    assert_leaves_the_law(step, oracle, law)


# The choice ----------------------------------------------------------------------------------


def test_lists_are_taken_where_few_pairs_are_joined():
    assert pays_sparse(64, 256) and not pays_sparse(63, 0) and not pays_sparse(100, 1000)
    J = lattice((8, 8))
    found = fastest(J)
    np.testing.assert_array_equal(found.toarray(), J)
    dense = J + 1e-9
    assert fastest(dense) is dense
    assert issparse(fastest(csr_array(J))) and not issparse(fastest(csr_array(dense)))
