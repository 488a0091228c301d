"""Where learning of rows starts: hidden units that tell them apart, and a law that lies where the rows do.

The second is so for up to about as many hidden units as features: more of them move the law, and learning mends it.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from ebm import training
from ebm._batches import Rows
from ebm._random import Key
from ebm.energies.base import DataSummary
from ebm.energies.bipartite import Bipartite
from ebm.energies.thresholds import LARGEST_PULL, orthogonal
from ebm.gradients import PersistentContrastiveDivergence
from ebm.optimizers import SGD
from ebm.optimizers.schedules import Constant
from ebm.samplers import block_gibbs
from ebm.training import Plan
from ebm.units import Bernoulli, Gaussian, OneHot, Spin
from tests.oracles import rbm

pytestmark = pytest.mark.needs_jit  # as plain Python too slow: machines of up to a thousand units

REAL = Bipartite(Gaussian(), Bernoulli())
BINARY = Bipartite(Bernoulli(), Bernoulli())
SIZES = [2, 5, 40, 1000]


def isotropic(rng, n, d):
    return rng.normal(size=(n, d))


def collinear(rng, n, d):
    """One factor, and noise of a twentieth of it."""
    return rng.normal(size=(n, 1)) + 0.05 * rng.normal(size=(n, d))


def clusters(rng, n, d):
    """Three far clouds, in columns of different units and means."""
    centers = 3 * rng.normal(size=(3, d))
    return (centers[rng.integers(0, 3, n)] + rng.normal(size=(n, d))) * np.geomspace(
        0.01, 50, d
    ) + 7


def whitened(rng, n, d):
    """Uncorrelated, but far from normal."""
    X = rng.laplace(size=(n, d))
    X -= X.mean(axis=0)
    values, vectors = np.linalg.eigh(X.T @ X / n)
    return X @ vectors / np.sqrt(np.maximum(values, 1e-2))


KINDS = [isotropic, collinear, clusters, whitened]


def started(X, n_hidden, model=REAL, seed=0):
    plan = Plan(PersistentContrastiveDivergence(), SGD(), Constant(), 0.05, 0.0, 100, seed)
    return training.start(model, Rows(X), n_hidden, plan)


def in_double(X, state):
    """W, b and sigma^2 in units of the data's deviations and from their mean, and c to match: in double precision."""
    mean, deviation = X.astype(float).mean(axis=0), X.astype(float).std(axis=0)
    params = state.params
    variance = np.exp(params.visible.log_variance.astype(float)) / deviation**2
    W = params.W / deviation[:, np.newaxis]
    b = (params.visible.bias - mean) / deviation
    c = state.local.hidden.bias.astype(float)  # of rows minus their mean
    return W, b, c, variance


@pytest.mark.parametrize("n_hidden", [2, 8])
@pytest.mark.parametrize("n_visible", [1, 2, 5, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_the_likelihood_at_the_start_is_about_that_of_independent_normals(
    kind, n_visible, n_hidden
):
    """Exactly, by the sum over all hidden states; a unit, whose input deviates by two, costs about a tenth of a nat."""
    X = kind(np.random.default_rng(0), 400, n_visible)
    W, b, c, variance = in_double(X, started(X, n_hidden))
    machine = rbm.OracleRBM(W, b, c, np.log(variance))
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    inputs = (Z / variance) @ W + c
    minus_energy = -((Z - b) ** 2 / (2 * variance)).sum(axis=1)
    log_weight = minus_energy + np.logaddexp(0, inputs).sum(axis=1)
    found = log_weight.mean() - rbm.log_partition_sum_out_visible(machine)
    independent = -0.5 * n_visible * np.log(2 * np.pi * np.e)
    # Collinear rows vary in one direction, for which a random direction stands badly.
    cost = 0.5 if kind is collinear else 0.2
    assert found > independent - cost * min(n_hidden, n_visible + 1)
    assert np.median(inputs.std(axis=0)) > 0.5


@pytest.mark.parametrize(
    ("n_visible", "n_hidden"), [(n, m) for n in SIZES for m in SIZES if m <= n]
)
@pytest.mark.parametrize(
    ("kind", "dtype"), list(zip(KINDS, [np.float32, np.float64] * 2, strict=True))
)
def test_the_law_at_the_start_has_one_mode_and_it_is_near_the_mean(
    kind, n_visible, n_hidden, dtype
):
    """With eigenvalues of the hidden units' couplings below 4, log p is concave; then its mode is found by Newton."""
    X = kind(np.random.default_rng(0), 300, n_visible).astype(dtype)
    W, b, c, variance = in_double(X, started(X, n_hidden))
    scaled = W / np.sqrt(variance)[:, np.newaxis]
    narrow = scaled.T @ scaled if n_hidden < n_visible else scaled @ scaled.T
    assert np.linalg.eigvalsh(narrow)[-1] < 4 * (1 + 1e-6)
    # Fixed-point steps, which rise; without concavity they would end elsewhere or not at all.
    v = np.zeros(n_visible)
    for _ in range(60):
        h = expit((v / variance) @ W + c)
        v += 0.5 * (b + W @ h - v)
    assert np.sqrt(np.mean(v**2)) < 0.5


@pytest.mark.parametrize(
    ("n_visible", "n_hidden"), [(2, 2), (40, 3), (40, 40), (400, 3), (400, 400)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_chains_at_the_start_stay_where_the_rows_are(kind, n_visible, n_hidden):
    X = kind(np.random.default_rng(1), 400, n_visible)
    state = started(X, n_hidden)
    assert np.isin(state.chains.h, (0, 1)).all()
    rows = X[:200].copy()
    v = block_gibbs(REAL, state.params, rows, Key(3, 4), 50).v
    Z = (v - X.mean(axis=0)) / X.std(axis=0)
    assert np.sqrt(np.mean(Z.mean(axis=0) ** 2)) < 0.4
    assert 0.6 < np.mean(Z**2) < 1.6


def test_hidden_units_are_undecided_at_rows_of_the_data():
    X = isotropic(np.random.default_rng(0), 50, 4)
    params = REAL.initial(DataSummary(X.mean(axis=0), X.var(axis=0), 50.0), 6, Key(1, 2))
    made = REAL.with_examples(params, X)
    odds = REAL.hidden_input(made, X[:6]) + made.hidden.bias
    np.testing.assert_allclose(np.diag(odds), 0, atol=1e-12)


@pytest.mark.parametrize("n", [100, 400, 900])
def test_inputs_deviate_by_two_in_any_number_of_uncorrelated_features(n):
    X = np.random.default_rng(0).normal(size=(2000, n)).astype(np.float32)
    ones = np.ones(n, np.float32)
    made = REAL.with_examples(REAL.initial(DataSummary(0 * ones, ones, 2000.0), 20, Key(1, 2)), X)
    np.testing.assert_allclose(REAL.hidden_input(made, X).std(axis=0), 2, rtol=0.1)
    assert REAL.pack(made).dtype == np.float32


@pytest.mark.parametrize("variance", ["unit", 0.01, 100.0])
def test_given_variances_stay(variance):
    X = isotropic(np.random.default_rng(0), 300, 3)
    model = Bipartite(Gaussian(variance), Bernoulli())
    params = started(X, 40, model).params
    given = 1.0 if variance == "unit" else variance
    np.testing.assert_allclose(np.exp(params.visible.log_variance), given, rtol=1e-12)


def pixels(rng, n, d):
    """Probabilities between 0 and 1, of which some are hardly ever different from zero."""
    return rng.random((n, d)) * (rng.random((n, d)) < np.geomspace(0.01, 1, d))


@pytest.mark.parametrize("low", [0.0, -1.0], ids=["bits", "spins"])
@pytest.mark.parametrize("n", [5, 60, 400])
def test_hidden_units_tell_binary_rows_apart(n, low):
    X = low + (1 - low) * pixels(np.random.default_rng(0), 2000, n)
    model = BINARY if low == 0 else Bipartite(Spin(), Bernoulli())
    params = started(X.astype(np.float32), 30, model).params
    inputs = model.hidden_input(params, X) + params.hidden.bias
    np.testing.assert_allclose(np.mean(inputs.std(axis=0)), 1.5, rtol=0.2)
    assert 0.3 < model.hidden_mean(params, X).mean() < 0.7
    # Rare units have no larger weights than frequent ones.
    size = np.abs(params.W).mean(axis=1)
    assert size.max() < 4 * np.median(size)


@pytest.mark.parametrize("n_hidden", [2, 20, 300])
@pytest.mark.parametrize("n", [2, 12, 300])
@pytest.mark.parametrize(
    "unit", [Bernoulli(), Spin(), OneHot((2,))], ids=["bits", "spins", "groups"]
)
def test_states_are_undecided_at_the_start_whatever_the_numbers_of_units(unit, n, n_hidden):
    """The hidden units of a row move the input of a visible unit by a limited amount, beside its bias."""
    rng = np.random.default_rng(0)
    X = (rng.random((600, n)) < 0.5) * 1.0
    if isinstance(unit, OneHot):
        X = np.hstack([X[:, :1], 1 - X[:, :1]])
        n = 2
    model = Bipartite(unit, Bernoulli())
    params = started(2 * X - 1 if isinstance(unit, Spin) else X, n_hidden, model).params
    q = model.hidden_mean(params, X)
    moved = np.sqrt(params.W**2 @ (q * (1 - q)).mean(axis=0))
    assert moved.max() < 1.1 * LARGEST_PULL
    assert np.abs(params.W).max() > 0.05


def test_columns_of_reals_are_no_states_and_keep_large_weights():
    X = np.random.default_rng(0).random((600, 3))
    X[:, 0] = X[:, 0] > 0.5
    params = started(X, 200, BINARY).params
    q = BINARY.hidden_mean(params, X)
    moved = np.sqrt(params.W**2 @ (q * (1 - q)).mean(axis=0))
    assert moved[0] < 1.1 * LARGEST_PULL < moved[1:].min()


def test_visible_units_make_up_for_the_means_of_the_hidden_ones():
    """Their mean input from the hidden units is taken off, so that their means stay near the data's."""
    X = (np.random.default_rng(0).random((2000, 6)) < np.linspace(0.1, 0.9, 6)).astype(float)
    params = started(X, 20, BINARY).params
    m = BINARY.hidden_mean(params, X).mean(axis=0)
    np.testing.assert_allclose(
        BINARY.visible_mean(params, m[np.newaxis])[0],
        X.mean(axis=0),
        atol=0.05,  # of 500 rows
    )


def test_features_without_variance_have_no_weights_and_variance_one():
    X = np.random.default_rng(0).normal(size=(300, 4))
    X[:, 1] = 0.7
    params = started(X, 9).params
    assert (params.W[1] == 0).all() and params.visible.log_variance[1] == 0
    np.testing.assert_allclose(params.visible.bias[1], 0.7, rtol=1e-12)
    assert (np.abs(params.W[[0, 2, 3]]).max(axis=0) > 0.1).all()


@pytest.mark.parametrize("m", [1, 3, 4, 11])
def test_orthogonal_columns_in_blocks_of_as_many_as_there_are_rows(m):
    columns = np.random.default_rng(0).normal(size=(4, m))
    made = orthogonal(columns)
    for first in range(0, m, 4):
        block = made[:, first : first + 4]
        np.testing.assert_allclose(block.T @ block, np.eye(block.shape[1]), atol=1e-12)
    np.testing.assert_allclose(
        made[:, 0], columns[:, 0] / np.linalg.norm(columns[:, 0]), atol=1e-12
    )
