"""Factors of Gaussian columns: their law, log Z, start and steps of learning, held against plain sums and integrals."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from ebm._batches import Rows
from ebm._gaps import rows_of
from ebm._random import stream
from ebm._state import Plan, start
from ebm.energies.base import DataSummary
from ebm.energies.columns import ColumnModel
from ebm.energies.edges import Edge
from ebm.energies.factored import FactoredModel, factors_of_rows
from ebm.energies.factors import (
    LARGEST_SPIKE,
    Factors,
    Spikes,
    count_factors,
    factor_analysis,
    of_loadings,
)
from ebm.energies.layer_graph import Layer
from ebm.energies.layers import LayeredModel
from ebm.energies.principal_axes import decoupled
from ebm.gradients import PersistentContrastiveDivergence
from ebm.likelihood import AIS, free_energy, log_likelihood, log_partition
from ebm.likelihood.incomplete import incomplete_free_energy
from ebm.likelihood.partition import exact_log_z
from ebm.optimizers import SGD, Constant
from ebm.samplers import run_chain
from ebm.units import Bernoulli, Categorical, Gaussian

GROUPS = [(Bernoulli(), 2), (Gaussian(), 2), (Categorical((3,)), 3), (Gaussian(), 1)]


def machine(seed=0, n_hidden=3, n_factors=2, groups=GROUPS):
    """A machine with parameters of some size, in double precision, and its law in plain NumPy."""
    rng = np.random.default_rng(seed)
    model = FactoredModel(groups, Bernoulli(), n_hidden, n_factors)
    n = sum(size for _, size in groups)
    params = model.initial(DataSummary(np.zeros(n), np.ones(n), 10.0), n_hidden, stream(0, "init"))
    layers = [type(p)(*(0.5 * rng.standard_normal(x.shape) for x in p)) for p in params.layers[:-1]]
    layers.append(params.layers[-1]._replace(bias=rng.standard_normal(n_factors)))
    weights = [0.4 * rng.standard_normal(W.shape) for W in params.weights]
    return model, type(params)(tuple(weights), tuple(layers))


def joint(model, params):
    """For every state of bits, categories and hidden units: its log-weight, and the normal law of (reals, factors)."""
    arrays = model.arrays(params)
    W, z = arrays["weights"], arrays["log_variance_visible"]
    b, c = arrays["intercept_visible"], arrays["intercept_hidden"]
    real, other = np.array([2, 3, 7]), np.array([0, 1, 4, 5, 6])
    h_, f_ = slice(0, 3), slice(3, None)
    p = np.exp(-z)
    U = p[:, np.newaxis] * W[real]
    P = np.block([[np.diag(p), -U[:, f_]], [-U[:, f_].T, np.eye(U[:, f_].shape[1])]])
    found = []
    for bits in np.ndindex(2, 2):
        for k in range(3):
            x = np.array([*bits, *np.eye(3)[k]])
            for h in np.ndindex(2, 2, 2):
                g = np.concatenate([p * b[real] + U[:, h_] @ h, c[f_]])
                mean = np.linalg.solve(P, g)
                log = x @ b[other] + np.dot(h, c[h_]) + x @ W[other][:, h_] @ h
                log += 0.5 * g @ mean - 0.5 * (p * b[real] ** 2).sum() - 0.5 * (c[f_] ** 2).sum()
                log += 0.5 * len(g) * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(P)[1]
                found.append((x, np.array(h), log, mean, np.linalg.inv(P)))
    return found


def test_log_z_is_the_sum_of_normal_integrals():
    model, params = machine()
    exact = logsumexp([log for _, _, log, _, _ in joint(model, params)])
    z = log_partition(model, params)
    assert z.method == "exact"
    assert z.value == pytest.approx(exact, abs=1e-10)


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_log_z_at_other_temperatures(beta):
    model, params = machine(1)
    hot = log_partition(model, params, beta=beta).value
    spread = model.tempered(params, beta)
    assert hot == pytest.approx(log_partition(model, spread).value, abs=1e-9)


@pytest.mark.needs_jit
def test_annealing_agrees_with_the_sum():
    model, params = machine(2)
    exact = log_partition(model, params).value
    z = log_partition(model, params, AIS(n_temperatures=500, n_runs=200))
    assert abs(z.value - exact) < 4 * z.standard_error + 0.02


def test_the_density_of_a_row_is_that_of_the_mixture():
    model, params = machine(3)
    states = joint(model, params)
    log_z = logsumexp([log for _, _, log, _, _ in states])
    row = np.array([1, 0, 0.3, -0.2, 0, 0, 1, 0.7])
    reals = row[[2, 3, 7]]
    plain = logsumexp(
        [
            log - log_z + multivariate_normal(mean[:3], cov[:3, :3]).logpdf(reals)
            for x, _, log, mean, cov in states
            if (x == row[[0, 1, 4, 5, 6]]).all()
        ]
    )
    found = log_likelihood(model, params, row[np.newaxis])[0]
    assert found[0] == pytest.approx(plain, abs=1e-10)


@pytest.mark.parametrize("unknown", [[2], [2, 7], [0, 3], [2, 3, 7], [0, 1], [4, 5, 6, 2]])
def test_rows_with_gaps_have_the_density_of_what_is_known(unknown):
    model, params = machine(4)
    states = joint(model, params)
    log_z = logsumexp([log for _, _, log, _, _ in states])
    row = np.array([1, 0, 0.3, -0.2, 0, 0, 1, 0.7])
    row[unknown] = np.nan
    known = ~np.isnan(row[[2, 3, 7]])
    others = row[[0, 1, 4, 5, 6]]
    at = np.flatnonzero(known)
    plain = logsumexp(
        [
            log
            - log_z
            + (
                multivariate_normal(mean[at], cov[np.ix_(at, at)]).logpdf(row[[2, 3, 7]][at])
                if len(at)
                else 0.0
            )
            for x, _, log, mean, cov in states
            if (np.isnan(others) | (x == others)).all()
        ]
    )
    found, errors, _ = log_likelihood(model, params, row[np.newaxis])
    assert errors[0] == 0
    assert found[0] == pytest.approx(plain, abs=1e-9)
    free = incomplete_free_energy(model, params, row[np.newaxis], exact_log_z=exact_log_z)
    assert -free[0] - log_z == pytest.approx(plain, abs=1e-9)


def test_free_energies_of_rows_with_gaps_at_other_temperatures():
    model, params = machine(4)
    row = np.array([[1, 0, 0.3, np.nan, 0, 0, 1, np.nan]])
    hot = model.tempered(params, 0.7)
    found = incomplete_free_energy(model, params, row, 0.7, exact_log_z)
    plain = incomplete_free_energy(model, hot, row, 1.0, exact_log_z)
    assert 0.7 * found[0] == pytest.approx(plain[0], abs=1e-9)


@pytest.mark.needs_jit
def test_chains_have_the_law_of_the_mixture():
    model, params = machine(5)
    states = joint(model, params)
    logs = np.array([log for _, _, log, _, _ in states])
    p = np.exp(logs - logsumexp(logs))
    means = np.array([mean[:3] for _, _, _, mean, _ in states])
    mean = p @ means
    second = sum(
        w * (cov[:3, :3] + np.outer(m, m))
        for w, m, (_, _, _, _, cov) in zip(p, means, states, strict=True)
    )
    v = np.zeros((20_000, 8))
    v[:, 4] = 1
    key = stream(0, "evaluation")
    v = run_chain(model, params, v, key, 60)[:, [2, 3, 7]]
    error = v.std(axis=0) / np.sqrt(len(v))
    assert (np.abs(v.mean(axis=0) - mean) < 4.5 * error).all()
    products = v[:, :, np.newaxis] * v[:, np.newaxis]
    error = products.std(axis=0) / np.sqrt(len(v))
    assert (np.abs(products.mean(axis=0) - second) < 4.5 * error).all()


def test_normal_layers_in_a_chain_are_taken_apart():
    rng = np.random.default_rng(0)
    layers = [
        Layer("x", Gaussian(), 3, visible=True),
        Layer("f", Gaussian(variance="unit"), 2),
        Layer("h", Bernoulli(), 3),
        Layer("v", Bernoulli(), 2, visible=True),
    ]
    model = LayeredModel(layers, [Edge("x", "f"), Edge("x", "h"), Edge("v", "h")])
    params = model.initial(DataSummary(np.zeros(5), np.ones(5), 10.0), 5, stream(0, "init"))
    params = params._replace(
        weights=tuple(0.3 * rng.standard_normal(W.shape) for W in params.weights)
    )
    apart = decoupled(model, params)
    assert [layer.name for layer in apart.model.layers] == ["normal", "h", "v"]
    rows = rng.standard_normal((4000, 5)) * [2, 2, 2, 0, 0] + [0, 0, 0, 1, 0]
    # By importance sampling of the reals, the bits being enumerated.
    total = []
    for bits in np.ndindex(2, 2):
        rows[:, 3:] = bits
        total.append(-free_energy(model, params, rows))
    logs = logsumexp(total, axis=0) - multivariate_normal(np.zeros(3), 4 * np.eye(3)).logpdf(
        rows[:, :3]
    )
    estimate = logsumexp(logs) - np.log(len(logs))
    error = np.exp(logs - logs.max()).std() / np.exp(logs - logs.max()).mean() / np.sqrt(len(logs))
    assert abs(log_partition(model, params).value - estimate) < 5 * error


def test_weights_that_leave_no_law_are_refused():
    model, params = machine(6)
    params.weights[-1][:] = 10
    with pytest.raises(ValueError, match="Z does not exist"):
        log_partition(model, params)


# Factor analysis


def covariance(factors):
    """Of the columns alone."""
    U = factors.U
    return np.linalg.inv(np.diag(1 / factors.psi) - U @ U.T)


def test_loadings_and_weights_are_one_law():
    rng = np.random.default_rng(0)
    psi, L = rng.uniform(0.5, 2, 6), 0.7 * rng.standard_normal((6, 2))
    found = of_loadings(psi, L)
    assert covariance(found) == pytest.approx(np.diag(psi) + L @ L.T, abs=1e-12)
    back, root = found.loadings()
    assert back @ back.T == pytest.approx(L @ L.T, abs=1e-12)
    G = np.eye(2) + L.T @ (L / psi[:, np.newaxis])
    assert root @ root == pytest.approx(np.linalg.inv(G), abs=1e-12)


def test_spikes_are_the_law_of_the_factors():
    rng = np.random.default_rng(1)
    factors = of_loadings(rng.uniform(0.5, 2, 5), 0.6 * rng.standard_normal((5, 2)))
    spikes = Spikes.of(factors)
    assert covariance(spikes.factors()) == pytest.approx(covariance(factors), abs=1e-12)
    root = spikes.half_whitening()
    C = covariance(factors) / np.sqrt(np.outer(factors.psi, factors.psi))
    values, vectors = np.linalg.eigh(C)
    quarter = (vectors * values**-0.25) @ vectors.T
    assert root == pytest.approx(quarter / np.sqrt(factors.psi)[:, np.newaxis], abs=1e-12)


def test_factors_beside_hidden_units_leave_the_covariance_as_it_is():
    rng = np.random.default_rng(2)
    spikes = Spikes.of(of_loadings(rng.uniform(0.5, 2, 5), 0.6 * rng.standard_normal((5, 2))))
    beside, p = spikes.beside(3.0), 3.0
    scale = np.sqrt(spikes.psi)
    C = np.eye(5) + (spikes.V * (spikes.values - 1)) @ spikes.V.T
    values, vectors = np.linalg.eigh(C)
    added = (vectors * values**-0.5) @ vectors.T * p
    total = np.linalg.inv(covariance(beside)) - added / np.outer(scale, scale)
    assert np.linalg.inv(total) == pytest.approx(C * np.outer(scale, scale), abs=1e-10)


def test_factor_analysis_finds_the_covariance_of_factors():
    L = np.zeros((12, 2))
    L[:6, 0], L[6:, 1] = 1, -1
    S = np.diag(np.full(12, 0.2)) + L @ L.T
    found = covariance(factor_analysis(S, 1e9, 2).factors())
    assert np.abs(found - S).max() < 0.15
    assert count_factors(S, 1e9) == 2
    assert count_factors(np.eye(12), 100) == 0
    assert count_factors(np.diag([1.0, 0, 2]), 100) == 0


def test_constant_columns_have_no_factors():
    S = np.ones((4, 4))
    S[2] = S[:, 2] = 0
    S += np.diag([0.1, 0.1, 0, 0.1])
    found = factor_analysis(S, 1e6, 1).factors()
    assert found.psi[2] == 1
    assert not found.W[2].any()


def test_spikes_are_limited():
    far = of_loadings(np.ones(3), 100 * np.ones((3, 1)))
    assert Spikes.of(far).values == pytest.approx([LARGEST_SPIKE])
    over = Factors(np.ones(3), np.full((3, 1), 0.6))
    assert Spikes.of(over._replace(W=over.limited())).values == pytest.approx([LARGEST_SPIKE])
    assert far.limited() is None


def test_a_small_step_of_learning_is_one_of_the_em_algorithm():
    """Of exact second moments: EM for factor analysis in its textbook form, to first order."""
    rng = np.random.default_rng(4)
    psi, L = rng.uniform(0.5, 2, 5), 0.6 * rng.standard_normal((5, 2))
    A = rng.standard_normal((5, 5))
    sigma, t = np.diag(psi) + L @ L.T, 1e-5
    S = sigma + t * (A @ A.T)
    beta = L.T @ np.linalg.inv(sigma)
    second = np.eye(2) - beta @ L + beta @ S @ beta.T
    L_em = S @ beta.T @ np.linalg.inv(second)
    psi_em = np.diag(S - L_em @ beta @ S)
    factors, D = of_loadings(psi, L), S - sigma
    gradient = D @ factors.U / psi[:, np.newaxis]
    slopes = np.diag(D) / (2 * psi)
    moved = factors.moved(gradient, slopes, np.diag(sigma), 1.0)
    found, _ = moved.loadings()
    assert found @ found.T - L @ L.T == pytest.approx(L_em @ L_em.T - L @ L.T, abs=20 * t**2)
    assert 2 * (np.log(moved.psi) - np.log(psi)) == pytest.approx(
        np.log(psi_em) - np.log(psi), abs=50 * t**2
    )


def test_covariances_of_known_pairs():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((50, 4))
    X[rng.random(X.shape) < 0.3] = np.nan
    w = rng.integers(0, 3, 50).astype(float)
    rows = rows_of(X, w)
    mean = rows.mean()
    found, count = rows.covariance(mean)
    for i in range(4):
        for j in range(4):
            some = ~np.isnan(X[:, i] + X[:, j])
            plain = (w * (X[:, i] - mean[i]) * (X[:, j] - mean[j]))[some].sum() / w[some].sum()
            assert found[i, j] == pytest.approx(plain)
    assert count <= w.sum()
    assert Rows(np.ones((3, 4))).covariance(np.ones(4))[1] == 3


# Start and learning


def collinear(n_rows=400, seed=0):
    """Five columns of two factors, and a bit that a small difference of two columns decides."""
    rng = np.random.default_rng(seed)
    f = rng.standard_normal((n_rows, 2))
    L = np.array([[1, 1, 1, 0.2, 0.5], [0.2, 0.5, -0.5, 1, 1]])
    X = f @ L + 0.2 * rng.standard_normal((n_rows, 5))
    bit = (X[:, 0] - X[:, 0].mean() > 0).astype(float)
    return np.column_stack([bit, X])


def begun(X, n_factors=2, n_hidden=20):
    groups = [(Bernoulli(), 1), (Gaussian(), 5)]
    if n_factors:
        model = FactoredModel(groups, Bernoulli(), n_hidden, n_factors)
    else:
        model = ColumnModel(groups, Bernoulli(), n_hidden)
    plan = Plan(PersistentContrastiveDivergence(), SGD(), Constant(), "auto", 0.0, 50, 0)
    return start(model, rows_of(X, None), n_hidden, plan)


def ratios_of_variances(X, state):
    """Of the law of the reals, along the principal axes of the rows, to those of the rows."""
    v = np.tile(X[:200] - state.origin, (20, 1))
    v = run_chain(state.model, state.local, v, stream(1, "evaluation"), 60)[:, 1:]
    directions = np.linalg.eigh(np.cov(X[:, 1:].T))[1]
    return (v @ directions).var(axis=0) / (X[:, 1:] @ directions).var(axis=0)


@pytest.mark.needs_jit
def test_learning_starts_at_about_the_covariance_of_the_rows():
    X = collinear()
    with_factors, without = (ratios_of_variances(X, begun(X, n)) for n in (2, 0))
    assert np.abs(np.log(with_factors)).max() < np.log(6)
    assert without.max() > 15


def test_how_many_factors_columns_ask_for():
    X = collinear()
    groups = [(Bernoulli(), 1), (Gaussian(), 5)]
    assert factors_of_rows(groups, X) == 2
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    assert factors_of_rows(groups, X) == 2
    alone = np.random.default_rng(1).standard_normal((200, 6))
    alone[:, 0] = alone[:, 0] > 0
    assert factors_of_rows(groups, alone) == 0
    assert factors_of_rows([(Bernoulli(), 1)], X[:, :1]) == 0
    given = [(Bernoulli(), 1), (Gaussian(variance="unit"), 5)]
    assert factors_of_rows(given, collinear()) == 0


def test_factors_need_gaussian_columns():
    with pytest.raises(ValueError, match="n_factors=1 takes Gaussian columns"):
        FactoredModel([(Bernoulli(), 2)], Bernoulli(), 3, 1)
    with pytest.raises(ValueError, match="n_factors=3 are more than the 2 Gaussian columns"):
        FactoredModel([(Gaussian(), 2)], Bernoulli(), 3, 3)


def test_parameters_by_name_go_there_and_back():
    model, params = machine(7)
    arrays = model.arrays(params)
    back = model.of_arrays(arrays["weights"], lambda name, neutral: arrays[name])
    for a, b in zip(params.weights, back.weights, strict=True):
        assert np.array_equal(a, b)
    for p, q in zip(params.layers, back.layers, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(p, q, strict=True))
    assert not arrays["weights"][[0, 1, 4, 5, 6], 3:].any()
