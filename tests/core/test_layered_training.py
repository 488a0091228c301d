"""Training of layered models by the one loop: as the fused model of two layers, uphill, from files."""

from __future__ import annotations

import numpy as np
import pytest

from ebm import training
from ebm._batches import Rows
from ebm._checks import fingerprint
from ebm.energies.bipartite import Bipartite
from ebm.energies.edges import Edge
from ebm.energies.layer_graph import Layer
from ebm.energies.layers import LayeredModel
from ebm.gradients import (
    TAP,
    ContrastiveDivergence,
    Exact,
    FastPersistentContrastiveDivergence,
    ParallelTempering,
    PersistentContrastiveDivergence,
    PseudoLikelihood,
)
from ebm.likelihood import log_likelihood
from ebm.monitors import Checkpoint
from ebm.optimizers import SGD, Adam, Constant, Regularization
from ebm.units import Bernoulli, Gaussian, OneHot, Spin

GRADIENTS = [
    ContrastiveDivergence(n_steps=2),
    PersistentContrastiveDivergence(n_chains=7),
    ParallelTempering(n_temperatures=3, n_chains=7),
    Exact(),
]


def plan(gradient, rate=0.05, optimizer=SGD(), regularization=Regularization()):  # noqa: B008
    return training.Plan(
        gradient, optimizer, Constant(), rate, 0.01, 20, 3, regularization=regularization
    )


def table(n_rows=200, seed=0):
    """Two bits, one of three kinds and two numbers, which depend on a hidden coin."""
    rng = np.random.default_rng(seed)
    coin = rng.integers(0, 2, (n_rows, 1))
    bits = rng.random((n_rows, 2)) < 0.15 + 0.7 * coin
    kind = np.eye(3)[(2 * coin[:, 0] + (rng.random(n_rows) < 0.2)) % 3]
    return np.hstack([bits, kind, rng.normal(size=(n_rows, 2)) * [1, 30] + coin * [3, 100]])


def mixed():
    layers = [
        Layer("bits", Bernoulli(), 2, visible=True),
        Layer("kind", OneHot((3,)), 3, visible=True),
        Layer("numbers", Gaussian(), 2, visible=True),
        Layer("h", Bernoulli(), 3),
    ]
    return LayeredModel(layers, [Edge(x.name, "h") for x in layers[:-1]])


def deep():
    layers = [
        Layer("v", Bernoulli(), 5, visible=True),
        Layer("h1", Bernoulli(), 4),
        Layer("h2", Bernoulli(), 2),
    ]
    return LayeredModel(layers, [Edge("v", "h1"), Edge("h1", "h2")])


def trained(model, X, choices, n_epochs=3, callbacks=(), change=None):
    state = training.start(model, Rows(X), 3, choices, change)
    told = training.train(state, Rows(X), choices, n_epochs, callbacks)
    assert not told
    return state


@pytest.mark.needs_jit
@pytest.mark.parametrize("gradient", GRADIENTS, ids=repr)
@pytest.mark.parametrize("visible", [Bernoulli(), Spin()], ids=repr)
def test_two_layers_are_trained_as_the_fused_model_is(visible, gradient):
    low, high = visible.states
    X = np.where(np.random.default_rng(0).random((50, 4)) < 0.4, low, high)
    layers = [Layer("v", visible, 4, visible=True), Layer("h", Bernoulli(), 3)]
    states = [
        trained(model, X, plan(gradient), change=lambda _, params: params)  # no rows are shown
        for model in (Bipartite(visible, Bernoulli()), LayeredModel(layers, [Edge("v", "h")]))
    ]
    expected, found = states
    np.testing.assert_allclose(found.theta, expected.theta, rtol=0, atol=1e-9)
    for a, b in zip(found.chains[:3], expected.chains[:3], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)
    assert found.n_steps == expected.n_steps


@pytest.mark.needs_jit
@pytest.mark.parametrize("gradient", GRADIENTS, ids=repr)
@pytest.mark.parametrize("make", [mixed, deep])
def test_training_goes_uphill(make, gradient):
    model, X = make(), table()
    if make is deep:
        X = np.hstack([X[:, :2], X[:, 2:5]])
    choices = plan(gradient, 0.5 if make is deep else 0.02)
    before = training.start(model, Rows(X), 3, choices)
    after = trained(model, X, choices, 30)
    first, last = (log_likelihood(model, x.params, X)[0].mean() for x in (before, after))
    assert last > first + 0.1
    assert not model.sides[1].impossible(after.chains.h)


def test_training_does_not_depend_on_units_of_measurement():
    X = table()
    scale = np.array([1, 1, 1, 1, 1, 10, 0.001])
    shift = np.array([0, 0, 0, 0, 0, 100, -3])
    params = []
    for rows in (X, X * scale + shift):
        # Decay has the units of the weights, and the order of the rows depends on their contents.
        choices = plan(Exact())._replace(weight_decay=0.0, batch_size=200)
        params.append(trained(mixed(), rows, choices, 10).params)
    a, b = params
    np.testing.assert_allclose(b.weights[0], a.weights[0], rtol=0, atol=1e-8)
    np.testing.assert_allclose(b.layers[0].bias, a.layers[0].bias, rtol=0, atol=1e-8)
    numbers = a.layers[2].bias * scale[5:] + shift[5:]
    np.testing.assert_allclose(b.layers[2].bias, numbers, rtol=1e-8)


def test_a_constant_column_keeps_its_variance():
    X = table()
    X[:, -1] = 7
    state = trained(mixed(), X, plan(Exact()), 10)
    assert state.params.layers[2].log_variance[1] == 0
    assert np.isfinite(state.theta).all()


@pytest.mark.needs_jit
@pytest.mark.parametrize("gradient", GRADIENTS, ids=repr)
@pytest.mark.parametrize("make", [mixed, deep])
def test_training_goes_on_from_a_file(make, gradient, tmp_path):
    model, X = make(), table()
    X = X[:, :5] if make is deep else X
    choices = plan(gradient, 0.02, optimizer=Adam())
    whole = trained(model, X, choices, 4)
    file = tmp_path / "state.npz"

    def crash(report):
        if report.epoch == 4:
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        trained(model, X, choices, 4, [Checkpoint(file), crash])
    like = training.start(make(), Rows(X), 3, choices)
    state = training.load(file, like, choices, Rows(X), 4, [])
    assert state.epoch == 3
    assert not training.train(state, Rows(X), choices, 4)
    np.testing.assert_array_equal(state.theta, whole.theta)
    np.testing.assert_array_equal(state.chains.h, whole.chains.h)


def test_models_have_fingerprints_by_value():
    assert fingerprint(mixed()) == fingerprint(mixed())
    assert fingerprint(mixed()) != fingerprint(deep())


def test_weights_into_units_are_limited():
    limited = Regularization(max_norm=0.05)
    state = trained(mixed(), table(), plan(Exact(), 0.5, regularization=limited))
    for W in state.params.weights[:2]:
        assert np.linalg.norm(W, axis=0).max() <= 0.05 + 1e-12


@pytest.mark.parametrize(
    "gradient",
    [TAP(), PseudoLikelihood(), FastPersistentContrastiveDivergence()],
    ids=lambda x: type(x).__name__,
)
def test_gradients_of_other_models_are_refused(gradient):
    reason = gradient.supports(mixed())
    assert type(gradient).__name__ in reason
    assert "LayeredModel" in reason
