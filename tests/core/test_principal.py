"""ebm.pretraining.principal: autoencoders that begin as principal components, against the singular values."""

import numpy as np
import pytest
from scipy import sparse

from ebm._random import Key
from ebm.networks.autoencoder import Coder, autoencoder, codes, columns_of, start
from ebm.networks.column_losses import ColumnLosses, KnownEntries
from ebm.networks.dense import Dense
from ebm.networks.losses import LOSSES
from ebm.networks.network import Network
from ebm.pretraining import cannot_begin, principal, principal_start
from ebm.pretraining.principal import principal_components

KEY = Key(3, 4)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3)) @ RNG.normal(size=(3, 7)) + 0.1 * RNG.normal(size=(50, 7)) + 2
WEIGHTS = RNG.integers(0, 4, 50).astype(float)


def network_of(encoder, activations, decoder=None, loss="squared_error", tied=False):
    record = LOSSES[loss]() if isinstance(loss, str) else loss
    decoder = encoder[-2::-1] if decoder is None else decoder
    below = activations[-2::-1] if len(decoder) == len(encoder) - 1 else ("relu",) * len(decoder)
    coder = Coder(encoder, decoder, activations, below, tied=tied)
    return autoencoder(X.shape[1], coder, KnownEntries(record))


def begun(network, rows, weights=None, dtype=np.float64):
    params = start(network, KEY, dtype, columns_of(rows, weights))
    return principal_start(network, params, rows, weights)


def components(rows, weights=None):
    weights = np.ones(len(rows)) if weights is None else weights
    mean = np.average(rows, axis=0, weights=weights)
    return mean, np.linalg.svd((rows - mean) * np.sqrt(weights)[:, None])[2]


@pytest.mark.parametrize(
    ("encoder", "activations", "decoder", "tied"),
    [
        ((2,), ("identity",), None, False),
        ((2,), ("identity",), None, True),
        ((9, 2), ("relu", "identity"), None, False),
        ((9, 2), ("relu", "identity"), None, True),
        ((4, 2), ("relu", "identity"), (), False),
        ((9, 6, 2), ("relu", "softplus", "identity"), None, False),
        ((9, 6, 2), ("leaky_relu", "prelu", "identity"), None, True),
        ((9, 3, 2), ("leaky_relu", "identity", "identity"), (5, 8, 4), False),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_the_start_is_the_components(encoder, activations, decoder, tied, kind):
    network, n_code = network_of(encoder, activations, decoder, tied=tied)
    n = encoder[-1]
    params = begun(network, kind(X), WEIGHTS)
    mean, axes = components(X, WEIGHTS)
    z = (X - mean) @ axes[:n].T
    np.testing.assert_allclose(abs(codes(network, n_code, params, X)[:, :n]), abs(z), atol=1e-11)
    np.testing.assert_allclose(network.predict(params, X), mean + z @ axes[:n], atol=1e-11)


def test_other_units_learn_from_the_first_step_on():
    network, _ = network_of((9, 2), ("relu", "identity"))
    params = begun(network, X)
    gradient = network.unpack(np.empty(network.n_parameters))
    network.back_propagate(params, X, X, gradient)
    dense = [
        g for g, layer in zip(gradient, network.layers, strict=True) if isinstance(layer, Dense)
    ]
    assert (abs(dense[1].W[4:]).max(axis=1) > 0).all()
    assert (abs(dense[3].W[4:]).max(axis=1) > 0).all()


@pytest.mark.parametrize(("width", "n"), [(5, 2), (4, 2), (3, 1), (2, 1)])
def test_as_many_components_are_carried_as_there_are_units_for(width, n):
    network, _ = network_of((width, 3), ("relu", "identity"))
    mean, axes = components(X)
    expected = mean + (X - mean) @ axes[:n].T @ axes[:n]
    np.testing.assert_allclose(network.predict(begun(network, X), X), expected, atol=1e-11)


def test_rows_on_a_line_have_one_component():
    rows = np.outer(np.arange(5.0), X[0])
    network, _ = network_of((9, 3), ("relu", "identity"))
    np.testing.assert_allclose(network.predict(begun(network, rows), rows), rows, atol=1e-11)
    same = np.tile(X[:1], (4, 1))
    np.testing.assert_allclose(network.predict(begun(network, same), same), same, atol=1e-11)


def test_many_columns_have_the_same_components(monkeypatch):
    inputs = network_of((2,), ("identity",))[0].layers[0].initial(7, KEY, np.float64)
    inputs.fill[:] = X.mean(axis=0)
    weights = np.ones(len(X))
    exact = principal_components(X, inputs, weights, 3)
    monkeypatch.setattr(principal, "LARGEST_COVARIANCE", 6)
    monkeypatch.setattr(principal, "MORE", 1)
    found = principal_components(X, inputs, weights, 3)
    np.testing.assert_allclose(found.V, exact.V, atol=1e-8)
    np.testing.assert_allclose(found.variances, exact.variances, rtol=1e-10)


GAPS = X.copy()
GAPS[RNG.random(X.shape) < 0.15] = np.nan


@pytest.mark.parametrize(
    ("loss", "rows"),
    [
        ("squared_error", GAPS),
        ("huber", X),
        ("binary_cross_entropy", 1 / (1 + np.exp(2 - X))),
        ("binary_cross_entropy", (X > 2).astype(float)),
        ("poisson", np.floor(np.exp(np.clip(X, 0, 5)))),
        (ColumnLosses((("huber", 3), ("squared_error", 4))), GAPS),
    ],
)
def test_outputs_are_a_generalized_linear_model_of_the_code(loss, rows):
    network, n_code = network_of((9, 2), ("relu", "identity"), loss=loss)
    params = begun(network, rows)
    z = codes(network, n_code, params, rows)
    linear = Network(2, (Dense(7),), network.loss)
    gradient = linear.unpack(np.empty(linear.n_parameters))
    given = linear.unpack(np.zeros(linear.n_parameters))
    last = params[-1]
    given[0].W[:], given[0].bias[:] = last.W[[0, 1]], last.bias
    np.testing.assert_allclose(linear.linear(given, z), network.linear(params, rows), atol=1e-9)
    step = linear.back_propagate(given, z, rows, gradient)
    variances = z.var(axis=0)[:, None]
    penalty = principal.PENALTY / len(rows)
    slopes = gradient[0].W - penalty * variances * given[0].W
    assert abs(slopes / np.sqrt(variances)).max() < 0.02
    assert abs(gradient[0].bias).max() < 0.02
    constant = network.unpack(np.zeros(network.n_parameters))
    constant[-1].bias[:] = network.loss.linear(columns_of(rows).mean, 1e-3)
    assert step.loss < 0.85 * network.mean_loss(constant, rows, rows)


def test_what_cannot_begin_says_why():
    assert "activation" in cannot_begin(*network_of((9, 4), ("relu", "relu")))
    assert "rectifier" in cannot_begin(*network_of((9, 4), ("elu", "identity")))
    assert "rectifier" in cannot_begin(*network_of((9, 4), ("maxout", "identity")))
    assert "few" in cannot_begin(*network_of((1, 1), ("relu", "identity")))
    assert cannot_begin(*network_of((9, 4), ("relu", "identity"))) == ""


def test_single_precision_stays():
    network, _ = network_of((9, 2), ("relu", "identity"))
    params = begun(network, X.astype(np.float32), dtype=np.float32)
    assert {x.dtype for p in params for x in p} == {np.dtype(np.float32)}
