"""What holds for all layers, and for all losses; known-wrong ones fail it (tests/mutants/test_networks.py)."""

from __future__ import annotations

import numpy as np

from ebm._random import Key
from ebm.networks.layer import Context
from tests.oracles import networks

TRAINING = Context(training=True, key=Key(7, 8))
AFTER = Context()


def assert_layer_slopes(layer, own, x, context=TRAINING, fixed=(), atol=1e-8):
    """The way back gives the slopes of sum(upper * y) by the inputs and all parameters, for random `upper`.

    Parameters named in `fixed` are none of those that are learned: their slopes are to be zero.
    """
    y, saved = layer.forward(own, x.copy(), context)
    upper = np.random.default_rng(0).standard_normal(y.shape)
    gradient = type(own)(*(np.full_like(part, 7.0) for part in own))  # has to be overwritten
    below = layer.backward(own, saved, upper.copy(), gradient, True)

    def objective(x, own):
        return float(np.sum(upper * layer.forward(own, x.copy(), context)[0]))

    expected = networks.slopes(lambda nudged: objective(nudged, own), x)
    np.testing.assert_allclose(below, expected, atol=atol, rtol=0)
    for name, got in zip(gradient._fields, gradient, strict=True):
        if name in fixed:
            assert not got.any(), f"{name} has no slope"
            continue
        by = lambda nudged, name=name: objective(x, own._replace(**{name: nudged}))  # noqa: E731
        expected = networks.slopes(by, getattr(own, name))
        np.testing.assert_allclose(got, expected, atol=atol, rtol=0, err_msg=name)


def assert_loss(evaluate, oracle, Z, T, weights=None, atol=1e-8):
    """The value is that of the oracle's rows, and delta minus the slopes of that."""
    value, delta = evaluate(Z.copy(), T, weights)
    np.testing.assert_allclose(value, networks.mean_loss(oracle, Z, T, weights), rtol=1e-13)
    slopes = networks.slopes(lambda nudged: networks.mean_loss(oracle, nudged, T, weights), Z)
    np.testing.assert_allclose(delta, -slopes, atol=atol, rtol=0)
