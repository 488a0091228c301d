"""ebm.storage: the rules against their papers' loops, what they promise, and what their memories keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm._random import Key, stream
from ebm.energies.pairwise import Pairwise
from ebm.storage import (
    RULES,
    Covariance,
    Hebb,
    Perceptron,
    PseudoInverse,
    Storkey,
    aligned_fields,
    diluted,
    dream,
    storage_rule,
    stored_badly,
    unlearn,
)
from ebm.storage.base import check_parameters
from ebm.storage.covariance import ACTIVITIES, CRITICAL_LOADS, critical_load
from ebm.storage.patterns import (
    by_majority,
    check_new,
    convention_of,
    from_spins,
    holds,
    in_fixed_order,
    nearest_convention,
    overlaps,
    to_spins,
)
from ebm.units import Bernoulli, Spin
from tests.oracles import hopfield, known_answers

KEY = Key(3, 4)
EVERY = [
    Hebb(),
    Hebb(normalize=False),
    Storkey(),
    PseudoInverse(),
    Covariance(activity=0.3),
    Covariance(),
    Perceptron(),
    Perceptron(algorithm="min_over"),
    Perceptron(symmetric=True),
]


def spins(n_patterns, n_units, seed=0, p=0.5):
    """Different random patterns."""
    rng = np.random.default_rng(seed)
    rows = np.where(rng.random((4 * n_patterns + 8, n_units)) < p, 1.0, -1.0)
    _, first = np.unique(rows, axis=0, return_index=True)
    rows = rows[np.sort(first)]
    assert len(rows) >= n_patterns
    return rows[:n_patterns]


def stored(rule, patterns, mask=None, weights=None):
    memory = rule.store(rule.empty(patterns.shape[1], mask), patterns, weights)
    return rule.parameters(memory)


# Against the loops -----------------------------------------------------------------------------


def test_hebb_is_the_sum_over_patterns():
    X, weights = spins(5, 7), np.array([1, 2.5, 0.5, 3, 1])
    for normalize in (True, False):
        J, b = stored(Hebb(normalize=normalize), X, weights=weights)
        np.testing.assert_allclose(J, hopfield.hebb(X, weights, normalize), rtol=1e-14)
        assert not b.any()


def test_known_energies():
    xi = 2.0 * known_answers.HOPFIELD_PATTERN - 1
    params = stored(Hebb(normalize=False), xi[np.newaxis])
    states = np.array([xi, -xi, -np.ones(7)])
    np.testing.assert_array_equal(
        Pairwise(Spin()).energy(params, states),
        [
            known_answers.HOPFIELD_ENERGY_PATTERN,
            known_answers.HOPFIELD_ENERGY_COMPLEMENT,
            known_answers.HOPFIELD_ENERGY_ZEROS,
        ],
    )


@pytest.mark.parametrize("masked", [False, True])
def test_storkey_is_the_papers_sum(masked):
    X = spins(6, 8)
    mask = diluted(8, 0.6, KEY) if masked else None
    J, _ = stored(Storkey(), X, mask)
    np.testing.assert_allclose(J, hopfield.storkey(X, mask), atol=1e-14)


def test_pseudo_inverse_is_the_papers_formula():
    X = spins(6, 9)
    np.testing.assert_allclose(stored(PseudoInverse(), X).J, hopfield.pseudo_inverse(X), atol=1e-12)


@pytest.mark.parametrize("threshold", [None, 0.35])
def test_covariance_is_that_of_bits(threshold):
    X = spins(6, 9, p=0.3)
    params = stored(Covariance(activity=0.3, threshold=threshold), X)
    J, b = hopfield.covariance((X + 1) / 2, 0.3, threshold)
    np.testing.assert_allclose(params.J, J, atol=1e-14)
    np.testing.assert_allclose(params.bias, b, atol=1e-14)


def test_covariance_takes_the_activity_of_the_patterns():
    X = spins(6, 9, p=0.3)
    rule = Covariance()
    known = Covariance(activity=float((X > 0).mean()))
    for one, other in zip(stored(rule, X), stored(known, X), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-14)


def test_covariance_at_half_activity_is_hebbs_rule():
    X = spins(5, 8)
    J, b = stored(Covariance(activity=0.5), X)
    np.testing.assert_allclose(J, stored(Hebb(), X).J, atol=1e-15)
    np.testing.assert_allclose(b, 0, atol=1e-15)


def test_a_constant_pattern_is_stored_by_thresholds_alone():
    for state in (-1.0, 1.0):
        X = np.full((1, 4), state)
        params = stored(Covariance(), X)
        assert not params.J.any()
        assert (aligned_fields(params, X) > 0).all()


def test_covariance_fields_at_a_pattern_are_the_pattern():
    X = spins(1, 2000, p=0.1)
    fields = aligned_fields(stored(Covariance(activity=0.1), X), X)
    assert np.abs(fields - 1).max() < 0.15


@pytest.mark.parametrize("index", range(len(ACTIVITIES)))
@pytest.mark.needs_jit
def test_critical_loads_solve_their_equations(index):
    a = ACTIVITIES[index]
    found = hopfield.covariance_critical_load(a, 0.5 - a)
    assert abs(found / CRITICAL_LOADS[index] - 1) < 0.01
    assert critical_load(a) == pytest.approx(CRITICAL_LOADS[index])


# Promises --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_patterns", [1, 20, 38, 39, 40])
def test_independent_patterns_are_fixed_points_of_the_projection(n_patterns):
    # From N - 1 on, units may be spanned by the patterns alone: their couplings are zero, not rounding errors.
    X = spins(n_patterns, 40)
    assert np.linalg.matrix_rank(X) == n_patterns
    for dtype in (np.float64, np.float32):
        rule = PseudoInverse()
        params = rule.parameters(rule.store(rule.empty(40), X), dtype)
        assert aligned_fields(params, X.astype(dtype)).min() >= (0 if n_patterns > 37 else 0.05)
        if n_patterns == 40:
            assert not params.J.any()


def test_dependent_patterns_add_nothing_to_the_projector():
    X = spins(5, 12)
    more = np.concatenate([X, -X[:2]])
    np.testing.assert_allclose(
        stored(PseudoInverse(), more).J, stored(PseudoInverse(), X).J, atol=1e-13
    )


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    ("algorithm", "load"), [("adatron", 0.5), ("adatron", 1.5), ("min_over", 1.2)]
)
def test_perceptron_stores_beyond_n_patterns(algorithm, load):
    X = spins(int(load * 100), 100, seed=1)
    params = stored(Perceptron(algorithm=algorithm), X)
    assert aligned_fields(params, X).min() > 0
    np.testing.assert_allclose(np.linalg.norm(params.J, axis=1), 1, rtol=1e-12)


def test_symmetric_perceptron_stores_beyond_n_patterns():
    X = spins(66, 60, seed=1)
    params = stored(Perceptron(symmetric=True), X)
    np.testing.assert_array_equal(params.J, params.J.T)
    assert aligned_fields(params, X).min() > 1 - 1e-8


@pytest.mark.parametrize(("algorithm", "tol"), [("min_over", 0.05), ("adatron", 1e-6)])
def test_perceptron_finds_the_largest_stability(algorithm, tol):
    X = spins(8, 12, seed=2)
    rule = Perceptron(tol=tol, algorithm=algorithm)
    reached = aligned_fields(stored(rule, X), X).min(axis=0)
    for i in range(12):
        best = hopfield.largest_stability(X, i)
        assert (1 - tol) * best - 1e-9 <= reached[i] <= best + 1e-9


def test_perceptron_stops_at_the_stability_asked_for():
    X = spins(20, 40, seed=3)
    best = aligned_fields(stored(Perceptron(), X), X).min()
    enough = aligned_fields(stored(Perceptron(kappa=0.5 * best), X), X).min()
    assert 0.5 * best <= enough < best
    J = stored(Perceptron(kappa=0.4, symmetric=True), X).J
    fields = X * (X @ J)
    assert (fields >= 0.4 * np.linalg.norm(J, axis=1) - 1e-8).all()


def test_perceptron_gives_up_on_contradictions():
    X = np.ones((2, 5))
    X[1, 0] = -1  # unit 0 has the same inputs and two targets
    params = stored(Perceptron(max_iter=50), X)
    assert np.isfinite(params.J).all()
    assert stored_badly(params, X, strict=True) > 0
    both = stored(Perceptron(symmetric=True, max_iter=50), X)
    assert stored_badly(both, X, strict=True) > 0
    alone = np.zeros((5, 5), bool)  # and on units without inputs
    assert not stored(Perceptron(), X, alone).J.any()


@pytest.mark.needs_jit
def test_stabilities_are_gardners():
    # The optimal stability at load alpha solves alpha E[(z + kappa)^2; z > -kappa] = 1.
    X = spins(180, 300, seed=6)
    kappa = np.median(aligned_fields(stored(Perceptron(tol=1e-3), X), X).min(axis=0))
    z = np.linspace(-kappa, 10, 100_001)
    weight = (z + kappa) ** 2 * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    assert abs(1 / np.trapezoid(weight, z) - 0.6) < 0.02


# Memories --------------------------------------------------------------------------------------


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("rule", EVERY, ids=repr)
def test_one_by_one_is_at_once(rule, masked):
    X = spins(7, 16, p=0.4)
    mask = diluted(16, 0.7, KEY) if masked else None
    memory = rule.empty(16, mask)
    for xi in X:
        memory = rule.store(memory, xi[np.newaxis])
    for one, other in zip(rule.parameters(memory), stored(rule, X, mask), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)
    np.testing.assert_array_equal(memory.patterns, X)


@pytest.mark.parametrize("rule", EVERY, ids=repr)
def test_masks_and_diagonals_are_kept(rule):
    mask = diluted(16, 0.5, KEY)
    J, b = stored(rule, spins(4, 16, p=0.4), mask)
    assert not J[~mask].any() and not J.diagonal().any()
    assert J[mask].any() and b.shape == (16,)
    if rule.is_symmetric:
        np.testing.assert_array_equal(J, J.T)


@pytest.mark.parametrize("rule", EVERY, ids=repr)
def test_forgetting_is_never_having_stored(rule):
    X = spins(6, 14, p=0.4)
    memory = rule.store(rule.empty(14), X)
    kept = rule.forget(memory, X[[1, 4]])
    rest = X[[0, 2, 3, 5]]
    np.testing.assert_array_equal(kept.patterns, rest)
    for one, other in zip(rule.parameters(kept), stored(rule, rest), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)
    again = rule.store(kept, X[[1]])
    np.testing.assert_array_equal(again.patterns[-1], X[1])
    np.testing.assert_array_equal(memory.patterns, X)  # a memory is not modified


@pytest.mark.parametrize("rule", [Hebb(), Covariance(), Covariance(0.3), Storkey()], ids=repr)
def test_a_weight_counts_repetitions(rule):
    X, weights = spins(4, 10, p=0.4), np.array([2, 0, 1, 3])
    repeated = np.repeat(X, weights, axis=0)
    memory = rule.store(rule.empty(10), X, weights)
    np.testing.assert_array_equal(memory.weights, [2, 1, 3])
    for one, other in zip(rule.parameters(memory), stored(rule, repeated), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-13)


@pytest.mark.parametrize("rule", [PseudoInverse(), Perceptron(), Perceptron(symmetric=True)])
def test_storing_twice_is_storing_once(rule):
    X = spins(4, 10)
    twice = rule.store(rule.store(rule.empty(10), X), X[1:3])
    np.testing.assert_allclose(rule.parameters(twice).J, stored(rule, X).J, atol=1e-12)
    np.testing.assert_array_equal(twice.weights, [1, 2, 2, 1])


def test_storing_leaves_the_old_memory_alone():
    for rule in EVERY:
        memory = rule.store(rule.empty(8), spins(2, 8))
        own = [x.copy() for x in memory.rule_state]
        rule.store(memory, spins(3, 8, seed=9))
        for before, after in zip(own, memory.rule_state, strict=True):
            np.testing.assert_array_equal(before, after)
        assert len(memory.patterns) == 2


@given(st.integers(0, 10_000), st.sampled_from([Hebb(), Storkey(), PseudoInverse()]))
def test_flipping_a_unit_in_all_patterns_flips_its_couplings(seed, rule):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    X = rng.choice([-1.0, 1.0], (int(rng.integers(1, 5)), n))
    gauge, order = rng.choice([-1.0, 1.0], n), rng.permutation(n)
    J = stored(rule, X).J
    turned = stored(rule, (X * gauge)[:, order]).J
    np.testing.assert_allclose(turned, (J * np.outer(gauge, gauge))[order][:, order], atol=1e-9)


@given(st.integers(0, 10_000))
def test_permuting_units_permutes_the_covariance_rule(seed):
    rng = np.random.default_rng(seed)
    X, order = rng.choice([-1.0, 1.0], (3, 6)), rng.permutation(6)
    (J, b), (K, c) = stored(Covariance(0.3), X), stored(Covariance(0.3), X[:, order])
    np.testing.assert_allclose(K, J[order][:, order], atol=1e-13)
    np.testing.assert_allclose(c, b[order], atol=1e-13)


@pytest.mark.parametrize("rule", EVERY, ids=repr)
def test_nothing_stored_is_no_couplings(rule):
    empty = rule.empty(5)
    memory = rule.store(empty, np.empty((0, 5)))
    J, bias = rule.parameters(memory)
    assert not J.any() and bias.shape == (5,)
    assert rule.strength(memory) == (1 if repr(rule) == "Hebb(normalize=False)" else 0.2)


# Capacity --------------------------------------------------------------------------------------


def test_capacities():
    full = Hebb().empty(1000)
    assert Hebb().capacity(full) == pytest.approx(138)
    assert Storkey().capacity(full) == pytest.approx(1000 / np.sqrt(2 * np.log(1000)))
    assert PseudoInverse().capacity(full) == 1000
    assert Perceptron().capacity(full) == 2000
    half = np.zeros((1000, 1000), bool)
    half[:500, :500] = half[500:, 500:] = True
    assert Hebb().capacity(Hebb().empty(1000, half)) == pytest.approx(69)
    sparse = [Covariance(a).capacity(Covariance(a).empty(1000)) for a in (0.5, 0.1, 0.9, 0.01)]
    np.testing.assert_allclose(sparse, [138, 335, 335, 2101], rtol=1e-3)
    assert Covariance().capacity(Covariance().empty(1000)) == pytest.approx(138)


@pytest.mark.needs_jit
def test_rules_hold_what_their_capacities_say_and_not_twice_that():
    n = 400
    for rule, within, beyond in (
        (Storkey(), 0.8, 2.0),
        (PseudoInverse(), 0.9, 1.1),
    ):
        capacity = rule.capacity(rule.empty(n))
        held, lost = spins(int(within * capacity), n), spins(int(beyond * capacity), n)
        assert stored_badly(stored(rule, held), held) <= 0.02 * len(held)
        assert stored_badly(stored(rule, lost), lost) > 0.5 * len(lost)


# Unlearning ------------------------------------------------------------------------------------


def test_dreams_are_fixed_points_and_are_weakened():
    X = spins(8, 40)
    params = stored(Hebb(), X)
    first = dream(Pairwise(Spin()), params, KEY, n_dreams=1, rate=1e-3)
    assert (aligned_fields(params, first.states) >= -1e-12).all()
    expected = params.J - 1e-3 * np.outer(first.states[0], first.states[0])
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(first.params.J, expected, atol=1e-15)
    more = dream(Pairwise(Spin()), params, KEY, n_dreams=3, rate=1e-3)
    np.testing.assert_array_equal(more.states[0], first.states[0])
    # Each dream is dreamt with what the ones before have left.
    memory = unlearn(Hebb().store(Hebb().empty(40), X), more.states, 1e-3)
    np.testing.assert_allclose(Hebb().parameters(memory).J, more.params.J, atol=1e-15)


def test_unlearning_keeps_the_mask_and_adds_up():
    X, mask = spins(4, 20), diluted(20, 0.5, KEY)
    params = stored(Hebb(), X, mask)
    after = dream(Pairwise(Spin(), mask=mask), params, KEY, n_dreams=5, rate=0.01)
    assert not after.params.J[~mask].any()
    rule, memory = Hebb(), Hebb().store(Hebb().empty(20, mask), X)
    twice = unlearn(unlearn(memory, after.states[:2], 0.01), after.states[2:], 0.01)
    np.testing.assert_allclose(rule.parameters(twice).J, after.params.J, atol=1e-15)
    # What is unlearned stays unlearned.
    kept = rule.forget(rule.store(twice, spins(1, 20, seed=5)), spins(1, 20, seed=5))
    np.testing.assert_allclose(rule.parameters(kept).J, after.params.J, atol=1e-14)
    for rule in (PseudoInverse(), Storkey()):
        memory = unlearn(rule.store(rule.empty(20), X), after.states, 0.01)
        rest = rule.forget(memory, X[:1])
        np.testing.assert_array_equal(rest.unlearned, memory.unlearned)


@pytest.mark.needs_jit
def test_unlearning_makes_more_patterns_stable():
    X = spins(22, 100, seed=4)
    params = stored(Hebb(), X)
    after = dream(Pairwise(Spin()), params, KEY, n_dreams=500, rate=0.01 / 100)
    before = (aligned_fields(params, X) < 0).sum()
    assert before > 20
    assert (aligned_fields(after.params, X) < 0).sum() < before / 2


# What is let in --------------------------------------------------------------------------------


def test_rules_by_name():
    assert {type(storage_rule(name)) for name in RULES} == set(RULES.values())
    with pytest.raises(ValueError, match="'rule' parameter must be one of"):
        storage_rule("hopfield")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Perceptron(kappa=-1.0), "kappa must be a number"),
        (lambda: Perceptron(symmetric="yes"), "symmetric must be True or False"),
        (lambda: Perceptron(tol=0.0), "tol must be a number"),
        (lambda: Perceptron(max_iter=0), "max_iter must be an integer"),
        (lambda: Perceptron(algorithm="svm"), "algorithm must be one of"),
        (lambda: Covariance(activity=1.0), "activity must be a number"),
        (lambda: Covariance(threshold=np.nan), "threshold must be a number"),
        (lambda: diluted(4, 0.0, KEY), "mask must be a number"),
        (lambda: stored(Hebb(), np.array([[1.0, 0.0]])), "must consist of the spins"),
        (lambda: Hebb().store(Hebb().empty(3), np.ones((1, 4))), "must have 3 columns"),
        (lambda: Hebb().store(Hebb().empty(3), np.ones((1, 3)), np.array([-1.0])), "weights must"),
        (lambda: stored(Storkey(), np.ones((1, 3)), weights=np.array([0.5])), "whole number"),
        (lambda: Hebb().forget(Hebb().empty(2), np.ones((1, 2))), "Row 0 .* not stored"),
        (lambda: Hebb().empty(3, np.triu(np.ones((3, 3)))), "mask must be symmetric"),
        (lambda: check_new(np.ones((2, 3)), np.empty((0, 3))), "row 1 equals row 0"),
        (lambda: check_new(np.ones((1, 3)), np.ones((2, 3))), "stored already, as pattern 1"),
    ],
)
def test_bad_input_is_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_dreams_are_for_spins():
    params = stored(Hebb(), spins(2, 5))
    with pytest.raises(ValueError, match="Unlearning is for Spin units"):
        dream(Pairwise(Bernoulli()), params, KEY, n_dreams=1, rate=0.1)
    for wrong in ({"n_dreams": 0, "rate": 0.1}, {"n_dreams": 1, "rate": -0.1}):
        with pytest.raises(ValueError, match=r"n_dreams must be|rate must be"):
            dream(Pairwise(Spin()), params, KEY, **wrong)


@pytest.mark.parametrize(
    ("J", "bias", "message"),
    [
        (np.zeros((2, 3)), np.zeros(3), "shape"),
        (np.diag([1.0, 0, 0]), np.zeros(3), "zero on the diagonal"),
        (np.full((3, 3), np.nan), np.zeros(3), "NaN or infinite"),
        (np.zeros((3, 3)), np.zeros(2), "intercept_ must be 3 finite"),
        (np.zeros((3, 3)), np.array([0, np.inf, 0]), "intercept_ holds NaN or inf"),
    ],
)
@pytest.mark.parametrize("symmetric", [True, False])
def test_couplings_are_checked(J, bias, message, symmetric):
    with pytest.raises(ValueError, match=message):
        check_parameters(J, bias, 3, symmetric=symmetric)


def test_only_symmetric_rules_ask_for_symmetry():
    J = np.array([[0, 1.0], [0, 0]])
    np.testing.assert_array_equal(check_parameters(J, np.zeros(2), 2, symmetric=False).J, J)
    with pytest.raises(ValueError, match="must be symmetric"):
        check_parameters(J, np.zeros(2), 2, symmetric=True)


def test_dilution_keeps_the_share():
    mask = diluted(100, 0.3, stream(0, "init"))
    np.testing.assert_array_equal(mask, mask.T)
    assert not mask.diagonal().any()
    n = 100 * 99 / 2
    assert abs(mask.sum() / 2 - 0.3 * n) < 5 * np.sqrt(n * 0.3 * 0.7)
    assert diluted(5, 1.0, KEY).sum() == 20


# Patterns --------------------------------------------------------------------------------------


def test_patterns_go_back_to_their_convention():
    s = spins(2, 5)
    np.testing.assert_array_equal(from_spins(s, "binary"), (s + 1) / 2)
    back = from_spins(s, "spin")
    np.testing.assert_array_equal(back, s)
    assert back is not s and by_majority(s) is s
    assert holds((s + 1) / 2, "binary") and not holds(s, "binary") and holds(s, "spin")


@pytest.mark.parametrize(
    ("x", "convention"),
    [
        ([0, 1], "binary"),
        ([-1, 1], "spin"),
        ([1, 1], "spin"),
        ([-1, -1], "spin"),
        ([0, np.nan], "binary"),
        ([-1, 0, 1], None),
        ([0, 0.5], None),
        ([0, 2], None),
    ],
)
def test_conventions_are_recognised(x, convention):
    assert convention_of(np.array(x, float)) == convention


def test_other_values_are_read_by_the_nearer_state():
    x = np.array([[0.2, 0.5, 0.9, np.nan]])
    assert nearest_convention(x) == "binary" and nearest_convention(3 * x) == "spin"
    np.testing.assert_array_equal(to_spins(x, "binary"), [[-1, 1, 1, np.nan]])
    np.testing.assert_array_equal(to_spins(x - 0.5, "spin"), [[-1, 1, 1, np.nan]])
    rows = np.array([[1, np.nan, -1], [np.nan, -1, 1], [1, -1, np.nan.real]])
    np.testing.assert_array_equal(by_majority(rows), [[1, -1, -1], [1, -1, 1], [1, -1, 1]])


def test_a_fixed_order_does_not_depend_on_the_old_one():
    X, weights = spins(6, 5), np.arange(6.0)
    turned = np.random.default_rng(0).permutation(6)
    one, other = in_fixed_order(X, weights), in_fixed_order(X[turned], weights[turned])
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    assert sorted(in_fixed_order(X, None)[1]) == [1] * 6


def test_overlaps_count_what_is_known():
    X = np.array([[1, 1, -1, -1], [1, -1, 1, -1.0]])
    probes = np.array([[1, 1, -1, 1], [1, np.nan, -1, np.nan]])
    np.testing.assert_array_equal(overlaps(probes, X), [[0.5, -0.5], [1, 0]])


@pytest.mark.parametrize("weight", [0.5, 1e9, 1e300])
def test_storkeys_rule_refuses_weights_that_it_cannot_walk(weight):
    rule = Storkey()
    with pytest.raises(ValueError, match="whole numbers up to"):
        rule.store(rule.empty(3), np.array([[1, -1, 1]]), np.array([weight]))
