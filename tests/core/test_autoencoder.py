"""ebm.networks.autoencoder: derivatives of all pieces, tied and untied, plain twins, and where training ends."""

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import subspace_angles

from ebm._random import Key, fold
from ebm.gradients.back_propagation import MeanCost
from ebm.networks.activations import ACTIVATIONS, Logistic, PReLU, Softplus, Tanh
from ebm.networks.autoencoder import (
    Coder,
    autoencoder,
    codes,
    columns_of,
    completed,
    constant_loss,
    decoded,
    decoder_of,
    loss_for,
    reconstruction_losses,
    start,
)
from ebm.networks.column_losses import ColumnLosses, KnownEntries
from ebm.networks.contraction import Contraction, ContractionParameters
from ebm.networks.corruption import GaussianNoise, MaskingNoise, SaltAndPepper
from ebm.networks.dense import Dense
from ebm.networks.losses import LOSSES, SquaredError
from ebm.networks.maxout import Maxout
from ebm.networks.network import Network, Tie
from ebm.networks.sparse_activity import SparseActivity
from ebm.optimizers.lbfgs import lbfgs
from tests.checks.back_propagation import assert_network_slopes
from tests.oracles import networks as oracle

KEY = Key(3, 4)
N = 5
RNG = np.random.default_rng(0)
X = (RNG.random((9, N)) < 0.4).astype(float)
SHARES = np.array([1.0, 2, 0, 1, 3, 1, 2, 1, 1]) / 12
GAPS = X.copy()
GAPS[0, 1] = GAPS[4, 3] = GAPS[5, :] = np.nan


def deep(tied=True, activation="logistic", **settings):
    return Coder((4, 3), (4,), (activation, activation), (activation,), tied=tied, **settings)


def shallow(tied=True, activation="logistic", n_code=3, **settings):
    return Coder((n_code,), (), (activation,), (), tied=tied, **settings)


def network_of(coder, loss="binary_cross_entropy", n_in=N):
    record = loss if not isinstance(loss, str) else LOSSES[loss]()
    return autoencoder(n_in, coder, KnownEntries(record))


def theta_of(network, rows=X):
    theta = network.pack(start(network, KEY, np.float64, columns_of(rows)))
    return theta + 0.3 * np.random.default_rng(1).uniform(-1, 1, len(theta))


# Derivatives --------------------------------------------------------------------------------------

PIECES = {
    "plain": {},
    "masking": {"corruption": MaskingNoise(0.3)},
    "gaussian": {"corruption": GaussianNoise(0.4)},
    "salt and pepper": {"corruption": SaltAndPepper(0.3)},
    "sparsity": {"sparsity": SparseActivity(0.2, 0.7)},
    "contraction": {"contraction": 0.4},
    "dropout": {"dropout": (0.2, 0.3, 0.3, 0.3)},
    "batch norm": {"batch_norm": True},
    "code noise": {"code_noise": 2.0},
    "all": {
        "corruption": MaskingNoise(0.3),
        "sparsity": SparseActivity(0.2, 0.7),
        "contraction": 0.4,
        "dropout": (0.2, 0.3, 0.0, 0.3),
    },
}


@pytest.mark.needs_jit
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("piece", PIECES)
def test_slopes(piece, tied):
    rows = X if piece == "plain" else GAPS
    network, _ = network_of(deep(tied, **PIECES[piece]))
    assert_network_slopes(
        network, theta_of(network, rows), rows.copy(), rows, weights=SHARES, key=KEY
    )


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("loss", [*LOSSES, ColumnLosses((("squared_error", 2), ("poisson", 3)))])
def test_slopes_of_losses(loss, tied):
    network, _ = network_of(deep(tied, "tanh"), loss)
    assert_network_slopes(network, theta_of(network), X, X, weights=SHARES)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"prelu"}))
def test_slopes_of_the_contraction(activation, tied):
    coder = shallow(tied, activation, contraction=0.6)
    network, _ = network_of(coder, "squared_error")
    assert_network_slopes(network, theta_of(network), X + 0.1, X, weights=SHARES)


def test_code_noise_is_of_training_and_of_the_code_alone():
    network, n_code = network_of(deep(code_noise=3.0))
    plain, n_plain = network_of(deep())
    theta = theta_of(network)
    params, others = network.unpack(theta), plain.unpack(theta)
    np.testing.assert_array_equal(network.predict(params, X), plain.predict(others, X))
    below = codes(plain, n_plain - 1, others[: n_plain - 1], X)
    noisy = np.vectorize(oracle.logistic)(oracle.noisy(below, 3.0, fold(KEY, n_code - 2)))
    gradients = [np.empty_like(theta) for _ in range(2)]
    step = network.back_propagate(params, X, X, network.unpack(gradients[0]), key=KEY)
    z = decoder_of(plain, n_plain).linear(others[n_plain:], noisy)
    np.testing.assert_allclose(step.loss, plain.loss.of_rows(z, X).mean(), rtol=1e-12)


# Twins --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["logistic", "tanh", "softplus"])
def test_the_contraction_is_the_norm_of_the_derivatives(name):
    record = {"logistic": Logistic(), "tanh": Tanh(), "softplus": Softplus()}[name]
    W, bias = RNG.normal(size=(N, 3)), RNG.normal(size=3)
    x = RNG.normal(size=(9, N))
    y, _ = record.forward((), x @ W + bias, type("C", (), {"free": False}))
    cost = Contraction(N, record, 0.7).cost(ContractionParameters(W), y, SHARES, None)
    expected = 0.7 * oracle.contraction(x, W, bias, getattr(oracle, name), SHARES)
    np.testing.assert_allclose(cost.value, expected, rtol=1e-6)


@pytest.mark.parametrize("tied", [False, True])
def test_the_objective_is_the_twins(tied):
    coder = deep(tied, sparsity=SparseActivity(0.2, 0.7), contraction=0.4)
    network, n_code = network_of(coder)
    params = network.unpack(theta_of(network, GAPS))
    layers = [
        tuple(p) for p, layer in zip(params, network.layers, strict=True) if hasattr(p, "bias")
    ]
    if tied:
        np.testing.assert_array_equal(layers[2][0], layers[1][0].T)
        np.testing.assert_array_equal(layers[3][0], layers[0][0].T)
    rows = np.where(np.isnan(GAPS), params[0].fill, GAPS) * params[0].factor
    first = oracle.deep_autoencoder(rows, layers[:1], [oracle.logistic])
    code = oracle.deep_autoencoder(rows, layers[:2], [oracle.logistic] * 2)
    z = oracle.deep_autoencoder(rows, layers, [oracle.logistic] * 3)
    loss = oracle.loss_of_known(oracle.binary_cross_entropy, z, GAPS, SHARES)
    cost = oracle.sparse_activity(code, 0.2, 0.7, SHARES) + 0.4 * (
        oracle.contraction(rows, *layers[0], oracle.logistic, SHARES)
        + oracle.contraction(first, *layers[1], oracle.logistic, SHARES)
    )
    step = network.back_propagate(
        params, GAPS, GAPS, network.unpack(np.empty(network.n_parameters)), weights=SHARES
    )
    np.testing.assert_allclose(step.loss, loss, rtol=1e-12)
    np.testing.assert_allclose(step.cost, cost, rtol=1e-6)
    np.testing.assert_allclose(codes(network, n_code, params, GAPS), code, rtol=1e-12)
    np.testing.assert_allclose(
        decoded(network, n_code, params, np.array(code)), network.predict(params, GAPS), rtol=1e-12
    )
    losses = reconstruction_losses(network, params, GAPS)
    np.testing.assert_allclose(SHARES @ losses, loss, rtol=1e-12)
    assert losses[5] == 0  # a row without a known entry


def test_noise_is_of_the_inputs_only():
    network, _ = network_of(shallow(corruption=MaskingNoise(0.4)))
    plain, _ = network_of(shallow())
    theta = theta_of(network)
    results = []
    for model, x, key in ((network, X, KEY), (plain, None, None)):
        x = oracle.masked(X, 0.4, fold(KEY, 0)) if x is None else x
        gradient = np.empty_like(theta)
        step = model.back_propagate(
            model.unpack(theta), x, X, model.unpack(gradient), weights=SHARES, key=key
        )
        results.append((step.loss, gradient))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-13)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=0, atol=1e-13)


@pytest.mark.parametrize("noise", [MaskingNoise(0.0), GaussianNoise(0.0), SaltAndPepper(0.0)])
def test_no_noise_is_none_to_the_bit(noise):
    theta, gradients = None, []
    for corruption in (None, noise):
        network, _ = network_of(deep(corruption=corruption, dropout=(0.2, 0.3, 0.3, 0.3)))
        theta = theta_of(network) if theta is None else theta
        np.testing.assert_array_equal(theta_of(network), theta)
        gradients.append(np.empty_like(theta))
        network.back_propagate(network.unpack(theta), X, X, network.unpack(gradients[-1]), key=KEY)
    np.testing.assert_array_equal(*gradients)


def test_sparse_rows_have_the_same_gradient():
    network, _ = network_of(deep(corruption=MaskingNoise(0.3)))
    theta, found = theta_of(network), []
    for rows in (X, sparse.csr_array(X)):
        found.append(np.empty_like(theta))
        network.back_propagate(network.unpack(theta), rows, X, network.unpack(found[-1]), key=KEY)
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-14)


# Where it begins and ends ---------------------------------------------------------------------


@pytest.mark.parametrize("tied", [False, True])
def test_a_linear_autoencoder_ends_in_the_subspace_of_pca(tied):
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(60, 6)) @ np.diag([4.0, 3, 2, 0.7, 0.5, 0.3]) @ rng.normal(size=(6, 6))
    network, _ = network_of(shallow(tied, "identity"), SquaredError(), 6)
    cost = MeanCost(network, rows, None)
    found = lbfgs(
        cost,
        network.pack(start(network, KEY, np.float64, columns_of(rows))),
        tol=1e-11,
        max_iter=5000,
    )
    params = network.unpack(found.theta)
    centered = rows - rows.mean(axis=0)
    axes = np.linalg.svd(centered, full_matrices=False)[2][:3]
    for W in (params[1].W, params[-1].W.T):
        assert subspace_angles(W, axes.T).max() < 1e-4
    error = np.square(centered - centered @ axes.T @ axes).sum(axis=1).mean() / 2
    np.testing.assert_allclose(found.progress.cost, error, rtol=1e-6)


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "squared_error", "poisson"])
def test_training_begins_at_the_mean(loss):
    rows = {"poisson": RNG.poisson([0.2, 3, 40, 0.5, 9], (200, 5)).astype(float)}.get(loss, X)
    network, _ = network_of(shallow(False, "tanh"), loss)
    columns = columns_of(rows)
    params = start(network, KEY, np.float64, columns)
    np.testing.assert_allclose(
        network.predict([*params[:-1], params[-1]._replace(W=0 * params[-1].W)], rows)[0],
        rows.mean(axis=0),
        atol=0.06,
    )
    y = rows * params[0].factor @ params[1].W + params[1].bias
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-9)
    if loss == "poisson":
        assert params[0].factor.max() == 1
        np.testing.assert_allclose((rows * params[0].factor).std(axis=0).max(), 1)
    else:
        assert (params[0].factor == 1).all()


def test_moments_are_those_of_known_entries():
    weights = np.arange(1.0, 10.0)
    for rows in (GAPS, sparse.csr_array(GAPS)):
        found = columns_of(rows, weights)
        for k, column in enumerate(GAPS.T):
            there = ~np.isnan(column)
            mean = np.average(column[there], weights=weights[there])
            variance = np.average((column[there] - mean) ** 2, weights=weights[there])
            np.testing.assert_allclose([found.mean[k], found.variance[k]], [mean, variance])
    nothing = columns_of(np.full((3, 2), np.nan))
    assert not nothing.mean.any()
    assert not nothing.variance.any()


def test_the_loss_of_a_constant_is_that_of_the_means():
    network, _ = network_of(shallow(), "squared_error")
    found = constant_loss(network, X, columns_of(X), None)
    np.testing.assert_allclose(found, X.var(axis=0).sum() / 2)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([0, 1], "binary_cross_entropy"),
        ([0.05, 0.95], "binary_cross_entropy"),
        ([0.3, 0.5], "squared_error"),
        ([0.0, 3e-5], "squared_error"),
        ([0.0, 1 + 1e-12], "binary_cross_entropy"),
        ([0, 2], "squared_error"),
        ([0.0, 2.5], "squared_error"),
        ([-1, 2], "squared_error"),
        ([-1.0, 0.5], "squared_error"),
        ([np.nan, 1.0], "binary_cross_entropy"),
        ([np.nan, 7.0], "squared_error"),
    ],
)
def test_the_loss_follows_the_values(values, name):
    rows = np.array([values, values[::-1]], float)
    assert loss_for(rows) == loss_for(sparse.csr_array(rows)) == name


def test_missing_entries_are_completed():
    network, _ = network_of(deep())
    params = network.unpack(theta_of(network, GAPS))
    once, twice = (completed(network, params, GAPS, n) for n in (1, 2))
    missing = np.isnan(GAPS)
    np.testing.assert_array_equal(once[~missing], GAPS[~missing])
    np.testing.assert_array_equal(once[missing], network.predict(params, GAPS)[missing])
    np.testing.assert_array_equal(twice[missing], network.predict(params, once)[missing])


# Refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coder", "message"),
    [
        (Coder((4, 3), (2,), ("tanh",) * 2, ("tanh",), tied=True), "reverse order"),
        (shallow(activation=Maxout(2)), "maxout"),
        (shallow(activation="tanh", sparsity=SparseActivity()), "sparsity"),
        (shallow(activation=PReLU(), contraction=0.1), "contraction"),
        (shallow(False, activation=Maxout(2), contraction=0.1), "contraction"),
    ],
)
def test_choices_that_do_not_go_together_are_refused(coder, message):
    with pytest.raises(ValueError, match=message):
        network_of(coder)


def test_a_contraction_shares_the_weights_below():
    layers = (Dense(3), Logistic(), Contraction(N, Logistic()), Dense(N))
    network = Network(N, layers, SquaredError(), (Tie(2, 0),))
    params = network.unpack(network.pack(network.drawn(KEY, np.float64)))
    assert np.shares_memory(params[2].W, params[0].W)
    with pytest.raises(ValueError, match="ties"):
        Network(N, layers, SquaredError(), (Tie(2, 3),))
