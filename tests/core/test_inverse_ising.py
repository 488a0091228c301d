"""The direct solvers of the inverse Ising problem, and the conversions they use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize

from ebm._kernels.conditionals import flip_losses
from ebm.energies import conversions
from ebm.energies.conversions import as_binary, as_spins, moments_of_spins, row_moments
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.pairwise_sums import PairwiseMoments, pairwise_moments
from ebm.gradients import (
    MaximumLikelihood,
    MaximumPseudoLikelihood,
    MeanFieldInversion,
    match_moments,
)
from ebm.gradients.inverse_ising import symmetric
from ebm.gradients.maximum_pseudo_likelihood import Problem, SpinRows, distinct_rows
from ebm.gradients.moment_matching import walsh_hadamard
from ebm.likelihood.pairwise import pairwise_pseudo_log_likelihood
from ebm.units import Bernoulli, Spin
from tests.checks.pairwise import (
    assert_inversion_errors,
    assert_moments_are_matched,
    assert_pseudo_likelihood,
)
from tests.oracles import pairwise
from tests.oracles.pairwise import BINARY, SPIN, OraclePairwise, random_pairwise

STATES = [BINARY, SPIN]
SOLVERS = [MeanFieldInversion(), MaximumPseudoLikelihood(), MaximumLikelihood()]


def machine(states, mask=None, n_hidden=0):
    return Pairwise(Bernoulli() if tuple(states) == BINARY else Spin(), n_hidden, mask)


def model_rows(oracle):
    """All states and their probabilities: a data set that is exactly the model's law."""
    return pairwise.all_states(oracle), pairwise.probabilities(oracle)


def some_rows(n_rows, n_units, states, seed=0):
    return np.random.default_rng(seed).choice(states, size=(n_rows, n_units))


def spin_glass(n_units, scale=1.0, seed=1, fields=0.3):
    oracle = random_pairwise(n_units, SPIN, seed=seed, scale=scale)
    return replace(oracle, b=fields * oracle.b)


def law(solution, states):
    return pairwise.probabilities(OraclePairwise(*solution.params, states))


def error(solution, oracle):
    J, bias = solution.params
    return max(np.abs(J - oracle.J).max(), np.abs(bias - oracle.b).max())


def assert_same_params(one, two, atol):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


# Conversions ----------------------------------------------------------------------------------


def test_renaming_keeps_the_law_and_comes_back():
    bits = random_pairwise(4, BINARY)
    spins = as_spins(PairwiseParameters(bits.J, bits.b))
    expected = pairwise.in_other_states(bits)
    assert_same_params(spins, (expected.J, expected.b), 1e-15)
    assert_same_params(as_binary(spins), (bits.J, bits.b), 1e-15)
    other = OraclePairwise(*spins, SPIN)
    np.testing.assert_allclose(
        pairwise.probabilities(other), pairwise.probabilities(bits), rtol=1e-13
    )
    shift = bits.J.sum() / 8 + bits.b.sum() / 2
    log_z = pairwise.log_partition(other) + shift
    assert pairwise.log_partition(bits) == pytest.approx(log_z, rel=1e-13)


def test_moments_are_renamed():
    bits = random_pairwise(4, BINARY)
    spins = pairwise.in_other_states(bits)
    given = PairwiseMoments(pairwise.means(bits), pairwise.correlations(bits))
    found = moments_of_spins(Bernoulli(), given)
    np.testing.assert_allclose(found.mean, pairwise.means(spins), atol=1e-14)
    np.testing.assert_allclose(found.correlations, pairwise.correlations(spins), atol=1e-14)
    np.testing.assert_array_equal(moments_of_spins(Spin(), found).mean, found.mean)


@pytest.mark.parametrize("as_matrix", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_moments_of_rows(as_matrix, monkeypatch):
    X, w = some_rows(9, 3, BINARY), np.arange(9.0)
    plain = row_moments(as_matrix(X))
    np.testing.assert_allclose(plain.mean, X.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(plain.correlations, X.T @ X / 9, rtol=1e-14)
    monkeypatch.setattr(conversions, "BLOCK_NUMBERS", 6)
    repeated = np.repeat(X, w.astype(int), axis=0)
    found = row_moments(as_matrix(X.astype(np.float32)), w)
    np.testing.assert_allclose(found.mean, repeated.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(found.correlations, repeated.T @ repeated / w.sum(), rtol=1e-14)
    assert found.mean.dtype == np.float64


# Pseudo-likelihood: the cost ------------------------------------------------------------------


def problem_of(X, weights, states, mask=None, **settings):
    model = machine(states, mask)
    return Problem(
        MaximumPseudoLikelihood(**settings), model, SpinRows(model.unit, X, np.asarray(weights))
    )


def test_losses_and_their_slopes():
    rng = np.random.default_rng(0)
    s = rng.choice([-1.0, 1.0], size=(5, 130))
    s[:, 0] = rng.normal(size=5)
    f, w = 3 * rng.normal(size=s.shape), rng.uniform(size=5)
    f[0, :3] = [300.0, -300.0, 0.0]
    slopes = f.copy()
    total = flip_losses(s, slopes, w)
    gain = -2 * s * f
    assert total == pytest.approx(np.sum(w[:, np.newaxis] * np.logaddexp(0, gain)), rel=1e-13)
    expected = -2 * w[:, np.newaxis] * s * np.exp(-np.logaddexp(0, -gain))
    np.testing.assert_allclose(slopes, expected, rtol=1e-12, atol=1e-25)


def library_score(oracle, X, weights):
    """The pseudo-likelihood of spins and its slopes by J and b, from those by what the search moves."""
    problem = problem_of(X, weights, SPIN)
    params = PairwiseParameters(oracle.J, oracle.b)
    cost, slopes = problem.cost(problem.encode(Spin(), params))
    of_pairs, at_mean = np.split(-slopes / problem.scale, [problem.n_pairs])
    # The search moves J_ij at fixed b + J m; at fixed b, the field at the mean moves along.
    dJ = symmetric(oracle.n, problem.pairs, of_pairs)
    dJ += np.outer(at_mean, problem.rows.mean) + np.outer(problem.rows.mean, at_mean)
    np.fill_diagonal(dJ, 0)
    return -cost, dJ, at_mean


def test_the_score_of_spins_and_its_slopes():
    oracle = random_pairwise(4, SPIN)
    rng = np.random.default_rng(0)
    assert_pseudo_likelihood(
        library_score, oracle, some_rows(8, 4, SPIN), rng.uniform(1, 2, size=8)
    )


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_cost_is_the_oracles_and_its_gradient_the_slope(states, l2):
    X, w = some_rows(12, 4, states), np.random.default_rng(1).uniform(0.5, 2, size=12)
    mask = np.ones((4, 4), bool)
    mask[0, 3] = mask[3, 0] = False
    problem = problem_of(X, w, states, mask, l2=l2)
    theta = np.random.default_rng(2).normal(size=5 + 4)
    J, bias = problem.decode(theta)
    assert J[0, 3] == 0
    S = (2 * X - sum(states)) / (states[1] - states[0])
    score = pairwise.mean_pseudo_log_likelihood(OraclePairwise(J, bias, SPIN), S, w / w.sum())
    cost, gradient = problem.cost(theta)
    assert cost == pytest.approx(l2 * np.sum(J**2) / 4 - score, rel=1e-13)
    slope = [
        (problem.cost(theta + step)[0] - problem.cost(theta - step)[0]) / 2e-5
        for step in 1e-5 * np.eye(9)
    ]
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-7)
    again = problem.encode(Spin(), PairwiseParameters(J, bias))
    np.testing.assert_allclose(again, theta, rtol=0, atol=1e-13)


@pytest.mark.parametrize("states", STATES)
def test_cost_is_minus_the_score_also_of_other_numbers(states):
    """What is between the states, or outside, is judged as score_samples does."""
    X = np.random.default_rng(0).normal(size=(20, 3))
    w = np.random.default_rng(1).uniform(size=20)
    solution = MaximumPseudoLikelihood(l2=0.1).solve(machine(states), X, w)
    scores = pairwise_pseudo_log_likelihood(machine(states), solution.params, X)
    J = as_spins(solution.params).J if tuple(states) == BINARY else solution.params.J
    expected = 0.1 * np.sum(J**2) / 4 - w @ scores / w.sum()
    assert solution.cost == pytest.approx(expected, rel=1e-12)
    assert solution.message == ""


def test_blocks_do_not_matter(monkeypatch):
    X, w = some_rows(30, 5, SPIN), np.arange(1.0, 31.0)
    whole = MaximumPseudoLikelihood(l2=0.01).solve(machine(SPIN), X, w)
    monkeypatch.setattr(conversions, "BLOCK_NUMBERS", 20)
    parts = MaximumPseudoLikelihood(l2=0.01).solve(machine(SPIN), X, w)
    assert_same_params(whole.params, parts.params, 1e-9)


# Pseudo-likelihood: the maximum ---------------------------------------------------------------


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_the_maximum_is_where_scipy_finds_it_on_the_oracle(states, l2):
    X = some_rows(40, 4, states, seed=3)
    pairs = np.triu_indices(4, 1)

    def cost(theta):
        J = np.zeros((4, 4))
        J[pairs] = theta[:6]
        spins = OraclePairwise(J + J.T, theta[6:], SPIN)
        S = (2 * X - sum(states)) / (states[1] - states[0])
        slopes = pairwise.pseudo_log_likelihood_gradient(spins, S)
        gradient = np.append(l2 * theta[:6] - slopes[0][pairs], -slopes[1])
        value = l2 * theta[:6] @ theta[:6] / 2
        return value - pairwise.mean_pseudo_log_likelihood(spins, S), gradient

    best = minimize(cost, np.zeros(10), jac=True, method="BFGS", options={"gtol": 1e-9})
    found = MaximumPseudoLikelihood(l2=l2, tol=1e-8).solve(machine(states), X)
    spins = as_spins(found.params) if tuple(states) == BINARY else found.params
    np.testing.assert_allclose(spins.J[pairs], best.x[:6], rtol=0, atol=1e-6)
    np.testing.assert_allclose(spins.bias, best.x[6:], rtol=0, atol=1e-6)
    assert found.cost == pytest.approx(best.fun, rel=1e-12)
    assert (found.message, found.slope <= 1e-8) == ("", True)


@pytest.mark.parametrize("states", STATES)
def test_the_models_own_law_gives_its_parameters(states):
    oracle = random_pairwise(5, states, seed=2)
    found = MaximumPseudoLikelihood(tol=1e-7).solve(machine(states), *model_rows(oracle))
    assert error(found, oracle) < 1e-5
    assert found.message == ""


@pytest.mark.parametrize("settings", [{}, {"l2": 0.2}, {"l1": 0.05}, {"l1": 0.02, "l2": 0.1}])
def test_the_law_does_not_depend_on_the_names_of_the_states(settings):
    bits = some_rows(60, 5, BINARY, seed=5)
    solver = MaximumPseudoLikelihood(tol=1e-8, **settings)
    one, two = solver.solve(machine(BINARY), bits), solver.solve(machine(SPIN), 2 * bits - 1)
    np.testing.assert_allclose(law(one, BINARY), law(two, SPIN), rtol=0, atol=1e-9)
    # Nor on which of them is called the higher one.
    turned = solver.solve(machine(SPIN), 1 - 2 * bits)
    np.testing.assert_allclose(law(two, SPIN), law(turned, SPIN)[::-1], rtol=0, atol=1e-9)


@pytest.mark.needs_jit
def test_the_error_falls_as_the_inverse_square_root_of_the_sample_size():
    """Independent draws from the enumerated law of ten spins, as counts of all states."""
    oracle = spin_glass(10)
    X, table = model_rows(oracle)
    sizes, errors = np.array([1e3, 1e4, 1e5]), []
    for n in sizes:
        squares = []
        for seed in range(5):
            counts = np.random.default_rng(seed).multinomial(int(n), table)
            found = MaximumPseudoLikelihood().solve(machine(SPIN), X, counts)
            assert found.message == ""
            squares.append(np.mean((found.params.J - oracle.J) ** 2))
        errors.append(np.sqrt(np.mean(squares)))
    slope = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert -0.6 < slope < -0.4
    assert errors[-1] < 0.01


def test_pairs_that_are_not_joined_stay_apart():
    X = some_rows(50, 5, SPIN)
    mask = np.zeros((5, 5), bool)
    mask[0, 1] = mask[1, 0] = mask[2, 3] = mask[3, 2] = True
    for solver in (*SOLVERS, MaximumPseudoLikelihood(l1=1e-3)):
        J = solver.solve(machine(SPIN, mask), X).params.J
        assert np.array_equal(J != 0, mask)
        assert np.array_equal(J, J.T)


def test_a_mask_cuts_the_problem_into_its_parts():
    X = some_rows(50, 4, SPIN)
    mask = np.kron(np.eye(2), np.ones((2, 2))).astype(bool) & ~np.eye(4, dtype=bool)
    whole = MaximumPseudoLikelihood(tol=1e-9).solve(machine(SPIN, mask), X).params
    part = MaximumPseudoLikelihood(tol=1e-9).solve(machine(SPIN), X[:, 2:]).params
    assert_same_params((whole.J[2:, 2:], whole.bias[2:]), part, 1e-6)


@pytest.mark.needs_jit
def test_l1_finds_a_diluted_graph():
    """The slope by a pair that is not there has a standard deviation of up to 2 / sqrt(20 000): l1 is four of them."""
    l1 = 0.06
    oracle = random_pairwise(10, SPIN, seed=4, density=0.25)
    oracle = replace(oracle, J=0.4 * np.sign(oracle.J))
    X, table = model_rows(oracle)
    counts = np.random.default_rng(0).multinomial(20_000, table)
    solver = MaximumPseudoLikelihood(l1=l1, tol=1e-7)
    found = solver.solve(machine(SPIN), X, counts)
    assert found.message == ""
    np.testing.assert_array_equal(np.sign(found.params.J), np.sign(oracle.J))
    plain = MaximumPseudoLikelihood().solve(machine(SPIN), X, counts)
    assert np.count_nonzero(plain.params.J) == 90
    # At the maximum the slope without the penalty is l1 towards zero, and at most l1 where a coupling is zero.
    problem = problem_of(X, counts, SPIN, l1=l1)
    theta = problem.encode(Spin(), found.params)
    slopes = (problem.cost(theta)[1] / problem.scale)[: problem.n_pairs]
    J = found.params.J[problem.pairs]
    np.testing.assert_allclose(slopes[J != 0], -l1 * np.sign(J[J != 0]), rtol=0, atol=1e-6)
    assert np.abs(slopes[J == 0]).max() < l1


# What stands for what -------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
@pytest.mark.parametrize("states", STATES)
def test_weights_stand_for_repetitions(solver, states):
    X, w = some_rows(24, 4, states), np.random.default_rng(0).integers(0, 4, size=24)
    weighted = solver.solve(machine(states), X, w)
    order = np.random.default_rng(1).permutation(w.sum())
    repeated = solver.solve(machine(states), np.repeat(X, w, axis=0)[order])
    assert_same_params(weighted.params, repeated.params, 1e-5)
    assert weighted.cost == pytest.approx(repeated.cost, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("solver", [*SOLVERS, MaximumPseudoLikelihood(l1=0.01)], ids=repr)
@pytest.mark.parametrize("as_matrix", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_layout_and_precision_of_the_data(solver, as_matrix, dtype):
    X = some_rows(30, 4, BINARY)
    given = as_matrix(X.astype(dtype))
    if isinstance(given, np.ndarray):
        given.flags.writeable = False
    found = solver.solve(machine(BINARY), given)
    expected = solver.solve(machine(BINARY), X)
    assert found.params.J.dtype == found.params.bias.dtype
    assert found.params.J.dtype == (np.float32 if dtype == np.float32 else np.float64)
    assert_same_params(found.params, expected.params, 1e-5)
    np.testing.assert_array_equal(found.params.J, found.params.J.T)
    assert not found.params.J.diagonal().any()


def test_equal_rows_are_counted():
    X = np.array([[1.0, 0, 1], [0, 0, 0], [1, 0, 1], [1, 0, 1], [0, 0, 0]])
    rows, counts = distinct_rows(X, np.array([1.0, 2.0, 3.0, 0.5, 0.0]), 0.0, 1.0)
    assert rows.tolist() == [[0, 0, 0], [1, 0, 1]]
    assert counts.tolist() == [2.0, 4.5]
    for other in (X[:3], X / 2):  # too few are equal; not two-valued
        weights = np.ones(len(other))
        assert distinct_rows(other, weights, 0.0, 1.0) == (other, weights)


# What has no finite maximum -------------------------------------------------------------------


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    "solver",
    [*SOLVERS, *(MaximumPseudoLikelihood(**held) for held in ({"l2": 0.1}, {"l1": 0.01}))],
    ids=repr,
)
def test_a_unit_that_never_changes_is_set_aside(solver, form, side, states):
    X, w = some_rows(50, 4, states), np.ones(50)
    X[1:, 1], w[0] = states[side], 0  # where it changes does not count
    mask = ~np.eye(4, dtype=bool)
    mask[0, 3] = mask[3, 0] = False
    start = PairwiseParameters(0.1 * mask, np.full(4, 0.2))
    found = solver.solve(machine(states, mask=mask), form(X), w, start=start)
    assert found.message == ""
    assert found.still.tolist() == [1]
    assert "1 unit that never changes (1)" in found.report()
    assert "1 unit that never changes ('b')" in found.report(np.array(list("abcd")))
    assert not found.params.J[1].any()
    odds = found.params.bias[1] * (states[1] - states[0])
    assert odds == pytest.approx((2 * side - 1) * np.log(49.5 / 0.5), rel=1e-12)
    rest = [0, 2, 3]
    model = machine(states, mask=mask[np.ix_(rest, rest)])
    others = solver.solve(model, X[:, rest], w)
    kept = (found.params.J[np.ix_(rest, rest)], found.params.bias[rest])
    assert_same_params(kept, others.params, 1e-5)
    assert others.report() == "" and not len(others.still)


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_all_units_may_be_constant(solver):
    found = solver.solve(machine(BINARY), np.zeros((10, 30)))
    assert (found.n_iter, found.message, len(found.still)) == (0, "", 30)
    assert "30 units that never change (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...)" in found.report()
    np.testing.assert_allclose(found.params.bias, -np.log(10.5 / 0.5))


def test_means_that_stay_near_one_state_are_taken_as_such_or_told():
    grey = np.random.default_rng(0).uniform(0.05, 0.45, (60, 3))
    grey[:, 2] = 0.3
    told = MaximumPseudoLikelihood().solve(machine(BINARY), grey).report()
    assert "3 units (0, 1, 2) are all nearer to the same state" in told
    for cure in (MeanFieldInversion(), MaximumLikelihood()):
        found = cure.solve(machine(BINARY), grey)
        assert found.report() == "" and found.params.J[0, 1] != 0


@pytest.mark.parametrize("states", STATES)
def test_copies_are_told_and_a_penalty_holds_them(states):
    X = some_rows(50, 4, states)
    X[:, 3] = X[:, 0]
    found = MaximumPseudoLikelihood().solve(machine(states), X)
    assert "the others predict units 0, 3 (2 in all) without error" in found.message
    assert np.isfinite(found.params.J).all()
    assert "l2 above zero" in found.message
    for settings in ({"l2": 1e-3}, {"l1": 1e-3}):
        held = MaximumPseudoLikelihood(**settings).solve(machine(states), X)
        assert held.message == ""
        assert 0 < held.params.J[0, 3] < found.params.J[0, 3]


def test_states_that_are_missing_are_told():
    """No unit follows from the others on all rows, and still there is no maximum: two of eight states never occur."""
    X = np.array([[1.0, 1, 1], [1, 1, -1], [-1, -1, -1], [-1, -1, 1], [1, -1, -1], [-1, 1, 1]])
    found = MaximumPseudoLikelihood().solve(machine(SPIN), X)
    assert "units 0, 1, 2 (3 in all) without error" in found.message
    tighter = MaximumPseudoLikelihood(tol=1e-8).solve(machine(SPIN), X)
    assert np.abs(tighter.params.J).max() > np.abs(found.params.J).max() + 1
    assert "boundary" in MaximumLikelihood().solve(machine(SPIN), X).message
    both = np.vstack([X, [[1, -1, 1], [-1, 1, -1]]])
    assert MaximumPseudoLikelihood().solve(machine(SPIN), both).message == ""


def test_rows_that_happen_to_be_predicted_well_are_no_cause_for_alarm():
    oracle = OraclePairwise(np.array([[0, 2.0], [2.0, 0]]), np.array([0.5, -0.2]), SPIN)
    found = MaximumPseudoLikelihood().solve(machine(SPIN), *model_rows(oracle))
    assert found.message == ""
    assert error(found, oracle) < 1e-3


# On the way -----------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [MaximumPseudoLikelihood(), MaximumLikelihood()], ids=repr)
def test_progress_is_told_and_an_interrupt_keeps_what_there_is(solver):
    X, told = some_rows(40, 5, SPIN), []
    whole = solver.solve(machine(SPIN), X, tell=told.append)
    assert [p.n_iter for p in told] == list(range(1, whole.n_iter + 1))
    assert whole.n_iter >= 3
    assert np.diff([p.cost for p in told]).max() <= 1e-12
    assert told[-1][1:] == (whole.cost, whole.slope)

    def interrupt(progress):
        if progress.n_iter == 2:
            raise KeyboardInterrupt

    found = solver.solve(machine(SPIN), X, tell=interrupt)
    assert found.message.startswith("interrupted")
    assert (found.n_iter, found.cost, found.slope) == told[1]
    assert found.params.J.any()


def test_an_interrupt_before_the_first_iteration_leaves_the_start():
    X = some_rows(40, 5, SPIN)
    start = PairwiseParameters(0.1 * (1 - np.eye(5)), np.full(5, 0.2))

    class Rows:
        shape, dtype, n_reads = X.shape, X.dtype, 0

        def __getitem__(self, key):
            self.n_reads += 1
            if (
                self.n_reads > 3
            ):  # for units that never change, equal rows, the moments; then the search
                raise KeyboardInterrupt
            return X[key]

    found = MaximumPseudoLikelihood().solve(machine(SPIN), Rows(), start=start)
    assert found.message.startswith("interrupted")
    assert_same_params(found.params, start, 1e-15)


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("solver", [MaximumPseudoLikelihood(), MaximumLikelihood()], ids=repr)
def test_a_search_goes_on_from_where_it_ended(solver, states):
    X = some_rows(40, 5, states)
    found = solver.solve(machine(states), X)
    again = solver.solve(machine(states), X, start=found.params)
    assert again.n_iter <= 1
    assert_same_params(again.params, found.params, 1e-6)


@pytest.mark.parametrize(
    "solver", [MaximumPseudoLikelihood(max_iter=2), MaximumLikelihood(max_iter=2)], ids=repr
)
def test_what_has_not_converged_says_so(solver):
    X = some_rows(40, 5, SPIN)
    found = solver.solve(machine(SPIN), X)
    assert found.n_iter == 2
    assert found.message.lower().startswith("not converged")
    assert f"{found.slope:.3g}" in found.message


def test_a_tolerance_beyond_the_precision_of_numbers():
    found = MaximumPseudoLikelihood(tol=1e-15).solve(machine(SPIN), some_rows(40, 5, SPIN))
    assert "precision of the numbers" in found.message
    assert found.slope < 1e-6


# Mean field -----------------------------------------------------------------------------------


def mean_field_errors(order, scale, fields):
    """Of couplings and of biases, from the exact law of eight weakly coupled spins."""
    oracle = spin_glass(8, scale, seed=3, fields=fields)
    found = MeanFieldInversion(order, pseudocount=0.0).solve(machine(SPIN), *model_rows(oracle))
    assert found.message == ""
    J, bias = found.params
    return np.array([np.abs(J - oracle.J).max(), np.abs(bias - oracle.b).max()])


@pytest.mark.parametrize(("order", "power"), [(1, 2), (2, 3)])
@pytest.mark.parametrize("states", STATES)
def test_mean_field_errors_shrink_with_the_power_that_was_left_out(order, power, states):
    solver = MeanFieldInversion(order, pseudocount=0.0)
    assert_inversion_errors(lambda X, w: solver.solve(machine(states), X, w).params, power, states)


def test_without_fields_the_orders_are_the_same():
    for order in (1, 2):
        small, large = (mean_field_errors(order, g, 0.0)[0] for g in (0.02, 0.04))
        assert np.log2(large / small) == pytest.approx(3, abs=0.1)
    assert mean_field_errors(1, 0.1, 0.0)[0] == pytest.approx(mean_field_errors(2, 0.1, 0.0)[0])


@pytest.mark.parametrize("scale", [0.02, 0.05, 0.1, 0.2])
def test_order_two_is_better_at_weak_coupling(scale):
    assert np.all(mean_field_errors(2, scale, 2.0) < mean_field_errors(1, scale, 2.0) / 3)


def test_mean_field_equations_hold():
    """(C^-1)_ij = -J - 2 m m J^2; tanh of the fields, with Onsager's term, are the means."""
    X = some_rows(200, 4, SPIN)
    X[:, 1] = np.where(X[:, 0] + X[:, 1] + X[:, 2] > 0, 1, -1)
    m = 200 / 201 * X.mean(axis=0)
    C = (X.T @ X + np.eye(4)) / 201
    np.fill_diagonal(C, 1)
    inverse = np.linalg.inv(C - np.outer(m, m))
    off = ~np.eye(4, dtype=bool)
    for order in (1, 2):
        J, bias = MeanFieldInversion(order).solve(machine(SPIN), X).params
        right = -J - (order - 1) * 2 * np.outer(m, m) * J**2
        np.testing.assert_allclose(right[off], inverse[off], rtol=1e-10)
        fields = bias + J @ m - (order - 1) * m * (J**2 @ (1 - m**2))
        np.testing.assert_allclose(np.tanh(fields), m, rtol=1e-10)


def test_a_pair_without_a_real_solution_is_told():
    """Two units that are mostly on, and never both off: the equation's two sides come closest at -1 / (4 m m)."""
    X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]])
    w = np.array([60.0, 20.0, 20.0])
    found = MeanFieldInversion(pseudocount=0.0).solve(machine(SPIN), X, w)
    m = w @ X / 100
    assert "no real solution for 1 pair of units" in found.message
    inverse = np.linalg.inv((X.T * w / 100) @ X - np.outer(m, m))
    assert 8 * m[0] * m[1] * inverse[0, 1] > 1
    assert found.params.J[0, 1] == pytest.approx(-1 / (4 * m[0] * m[1]), rel=1e-12)
    grid = np.linspace(-5, 5, 10_001)
    sides = np.abs(2 * m[0] * m[1] * grid**2 + grid + inverse[0, 1])
    assert grid[np.argmin(sides)] == pytest.approx(found.params.J[0, 1], abs=1e-3)
    assert MeanFieldInversion(1, 0.0).solve(machine(SPIN), X, w).message == ""


@pytest.mark.parametrize("n_rows", [3, 30])
def test_a_pseudocount_gives_every_covariance_an_inverse(n_rows):
    X = some_rows(n_rows, 6, BINARY)
    X[:, 1], X[:, 2] = 1, X[:, 0]
    for order in (1, 2):
        with pytest.raises(ValueError, match="no inverse"):
            MeanFieldInversion(order, pseudocount=0.0).solve(machine(BINARY), X)
        found = MeanFieldInversion(order).solve(machine(BINARY), X)
        assert all(np.isfinite(x).all() for x in found.params)
        assert found.params.J[0, 2] > 0


def test_pseudocounts_are_rows_of_fair_units():
    X = some_rows(40, 3, SPIN)
    fair = pairwise.all_states(OraclePairwise(np.zeros((3, 3)), np.zeros(3), SPIN))
    both, w = np.vstack([X, fair]), np.append(np.ones(40), np.full(8, 2.5 / 8))
    expected = MeanFieldInversion(pseudocount=0.0).solve(machine(SPIN), both, w).params
    found = MeanFieldInversion(pseudocount=2.5).solve(machine(SPIN), X).params
    assert_same_params(found, expected, 1e-12)


def test_mean_field_takes_means_and_does_not_fall_over_other_numbers():
    grey = np.random.default_rng(0).uniform(size=(30, 4))
    found = MeanFieldInversion(pseudocount=0.0).solve(machine(BINARY), grey)
    drawn = (np.random.default_rng(1).uniform(size=(4000, 30, 4)) < grey).reshape(-1, 4)
    expected = MeanFieldInversion(pseudocount=0.0).solve(machine(BINARY), drawn.astype(float))
    assert_same_params(found.params, expected.params, 0.1)
    wild = MeanFieldInversion().solve(
        machine(BINARY), 100 * np.random.default_rng(0).normal(size=(9, 4))
    )
    assert all(np.isfinite(x).all() for x in wild.params)


# Exact likelihood -----------------------------------------------------------------------------


@pytest.mark.parametrize("states", STATES)
def test_couplings_of_ten_spins_from_exact_moments(states):
    """The Sherrington-Kirkpatrick model, to far below 1e-6."""
    oracle = spin_glass(10, seed=6)
    if tuple(states) == BINARY:
        oracle = pairwise.in_other_states(oracle)
    found = []

    def solve(mean, correlations):
        found.append(match_moments(machine(states), mean, correlations))
        return found[0].params

    assert_moments_are_matched(solve, oracle)
    assert error(found[0], oracle) < 1e-9
    assert (found[0].message, found[0].slope <= 1e-10, found[0].n_iter < 20) == ("", True, True)


@pytest.mark.parametrize("states", STATES)
@pytest.mark.parametrize("l2", [0.0, 0.2])
def test_the_likelihood_has_no_slope_left(states, l2):
    X, w = some_rows(60, 4, states), np.random.default_rng(0).uniform(size=60)
    found = MaximumLikelihood(l2=l2).solve(machine(states), X, w)
    spins = as_spins(found.params) if tuple(states) == BINARY else found.params
    S = (2 * X - sum(states)) / (states[1] - states[0])
    oracle = OraclePairwise(*spins, SPIN)
    dJ, db = pairwise.log_likelihood_gradient(oracle, S, w / w.sum())
    np.testing.assert_allclose(dJ, l2 * spins.J, rtol=0, atol=1e-10)
    np.testing.assert_allclose(db, 0, atol=1e-10)
    score = w @ pairwise.log_likelihood(oracle, S) / w.sum()
    assert found.cost == pytest.approx(l2 * np.sum(spins.J**2) / 4 - score, rel=1e-12)


def test_only_joined_pairs_are_matched():
    X = some_rows(60, 5, SPIN)
    mask = np.zeros((5, 5), bool)
    for i, j in ((0, 1), (1, 2), (2, 3)):
        mask[i, j] = mask[j, i] = True
    data = row_moments(X)
    found = match_moments(machine(SPIN, mask), *data)
    own = pairwise_moments(machine(SPIN), found.params)
    np.testing.assert_allclose(own.mean, data.mean, atol=1e-10)
    np.testing.assert_allclose(own.correlations[mask], data.correlations[mask], atol=1e-10)
    assert not found.params.J[~mask].any()


def test_products_of_spins_by_transforms():
    x = np.random.default_rng(0).normal(size=32)
    expected = np.zeros(32)
    for A in range(32):
        for s in range(32):
            expected[A] += x[s] * (-1) ** bin(A & s).count("1")
    np.testing.assert_allclose(walsh_hadamard(x), expected, rtol=1e-12)
    assert walsh_hadamard(np.array([3.0, 1.0])).tolist() == [4.0, 2.0]


@pytest.mark.parametrize("scale", [3.0, 6.0])
def test_strong_couplings_are_found_without_overshooting(scale):
    oracle = spin_glass(6, scale, seed=2)
    mean, correlations = pairwise.means(oracle), pairwise.correlations(oracle)
    found = match_moments(machine(SPIN), mean, correlations)
    model = pairwise_moments(machine(SPIN), found.params)
    np.testing.assert_allclose(model.correlations, correlations, rtol=0, atol=1e-10)


def test_moments_on_the_boundary_are_told_and_a_penalty_holds_couplings():
    X = np.array([[1.0, 1, 1], [1, -1, 1], [-1, 1, 1], [1, -1, -1], [-1, 1, -1]])
    for data in (X, X * [1, -1, 1]):  # units 0 and 1 are never both off, or only together on
        found = MaximumLikelihood().solve(machine(SPIN), data)
        assert "boundary" in found.message
        assert all(np.isfinite(x).all() for x in found.params)
    held = MaximumLikelihood(l2=1e-3).solve(machine(SPIN), X)
    assert held.message == ""
    assert np.abs(held.params.J).max() < 10
    always_on = match_moments(machine(SPIN), np.array([1.0, 0.0]), np.array([[1.0, 0], [0, 1.0]]))
    assert "boundary" in always_on.message


def test_moments_of_no_law():
    ones = np.ones((3, 3))
    for mean, corr in (
        (np.array([0, 0, 1.1]), 0 * ones),
        (np.zeros(3), 1.2 * ones),
        (np.array([0.9, 0.9, 0.0]), -0.5 * ones),
        (np.array([0.0, 0.0, np.nan]), 0 * ones),
    ):
        with pytest.raises(ValueError, match="belong to no distribution"):
            match_moments(machine(SPIN), mean, corr)
    # Each pair of them could be, but not all three at once.
    frustrated = match_moments(machine(SPIN), np.zeros(3), -0.5 * ones)
    assert "boundary" in frustrated.message


# What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_bad_problems(solver):
    X = some_rows(10, 3, SPIN)
    with pytest.raises(ValueError, match=r"has 1 hidden ones\. .*'pcd'"):
        solver.solve(machine(SPIN, n_hidden=1), X)
    for weights in (np.ones(9), -np.ones(10), np.full(10, np.nan)):
        with pytest.raises(ValueError, match="weights must be finite and not negative"):
            solver.solve(machine(SPIN), X, weights)
    with pytest.raises(ValueError, match="no rows to learn from"):
        solver.solve(machine(SPIN), X, np.zeros(10))
    with pytest.raises(ValueError, match="no rows to learn from"):
        solver.solve(machine(SPIN), X[:0])


def test_too_many_units_for_the_exact_likelihood():
    with pytest.raises(ValueError, match="at most 20 units; there are 21"):
        MaximumLikelihood().solve(machine(SPIN), some_rows(50, 21, SPIN))


@pytest.mark.parametrize(
    ("record", "setting", "value"),
    [
        (MeanFieldInversion, "order", 3),
        (MeanFieldInversion, "pseudocount", -1.0),
        (MaximumPseudoLikelihood, "l1", -1.0),
        (MaximumPseudoLikelihood, "l2", np.inf),
        (MaximumPseudoLikelihood, "max_iter", 0),
        (MaximumPseudoLikelihood, "tol", 0.0),
        (MaximumLikelihood, "l2", "a"),
        (MaximumLikelihood, "max_iter", 1.5),
        (MaximumLikelihood, "tol", -1e-3),
    ],
)
def test_bad_settings(record, setting, value):
    with pytest.raises(ValueError, match=setting):
        record(**{setting: value})
