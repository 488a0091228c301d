"""Checks of deep Boltzmann machines, of the library's and of known-wrong ones."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from scipy.special import expit

from ebm._flat import leaves
from ebm._random import Key
from ebm.energies.base import DataSummary
from ebm.gradients import PersistentContrastiveDivergence
from ebm.gradients.base import Batch
from ebm.gradients.deep import BoundChain
from ebm.gradients.layered import BoundLayeredChains
from ebm.inference.deep_means import visible_means
from ebm.pretraining import part
from ebm.units import Gaussian
from tests.models.deep import BITS, bits, chain, random_params


def prepared(model, n_rows=9):
    """Parameters, rows and their weights."""
    params = random_params(model, scale=0.7)
    rng = np.random.default_rng(3)
    n_visible = sum(model.visible.sizes)
    own = tuple(params.layers[k] for k in model.shown)
    v = model.visible.sample(own, np.zeros((n_rows, n_visible)), Key(1, 1))
    weights = rng.random(n_rows)
    return params, v, weights / weights.sum()


def assert_same_steps(model, n_rows, n_chains, n_steps, batch_size, kind=BoundChain):
    """Two steps as those of layered models: gradients, states of chains, offsets, and numbers on the way."""
    params, v, weights = prepared(model, n_rows)
    record = PersistentContrastiveDivergence(n_chains=n_chains or 1)
    chains = record.start(model, params, v.mean(axis=0), n_rows, Key(2, 2))
    others = copy.deepcopy(chains)
    found, expected = copy.deepcopy(params), copy.deepcopy(params)
    compiled = kind(model, found, batch_size, n_chains, n_steps, 0.1)
    plain = BoundLayeredChains(model, expected, batch_size, n_chains, n_steps, 0.1)
    for step in range(2):
        batches = [Batch(v.copy(), weights.copy()) for _ in range(2)]
        _, chains, one = compiled(params, batches[0], chains, Key(step, 3))
        _, others, other = plain(params, batches[1], others, Key(step, 3))
        assert one.finite
        assert one.measured == pytest.approx(dict(other.measured))
        arrays = zip([*leaves(found), *chains[:3]], [*leaves(expected), *others[:3]], strict=True)
        for a, b in arrays:
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(compiled.fantasies(n_rows), plain.fantasies(n_rows), atol=1e-12)


def assert_parts_of_the_paper(part):
    """Salakhutdinov & Hinton (2009), section 3.1: the lowest part, one between, and the topmost one."""
    model = chain(4, 3, 3, 2)
    v, h = bits(4), bits(3)
    for k, (below, above, x, y) in enumerate([(1, 2, v, h), (1, 1, h, h), (2, 1, h, bits(2))]):
        machine = part(model, k)
        rng = np.random.default_rng(k)
        data = DataSummary(np.full(x.shape[1], 0.5), np.ones(x.shape[1]), 10)
        params = machine.initial(data, y.shape[1], Key(5, 6))
        for array in leaves(params):
            array[:] = rng.normal(size=array.shape)
        arrays = machine.arrays(params)
        W, b, c = (arrays[name] for name in ("weights", "intercept_visible", "intercept_hidden"))
        np.testing.assert_allclose(machine.hidden_mean(params, x), expit(above * x @ W + c))
        np.testing.assert_allclose(machine.visible_mean(params, y), expit(below * y @ W.T + b))


def assert_averages_of_two_parts(composed):
    """An inner layer receives the average of the inputs that the parts below and above give it."""
    model = chain(4, 3, 3, 2)
    rng = np.random.default_rng(1)
    steps, seen = [], []
    for k, sizes in enumerate([(4, 3), (3, 3), (3, 2)]):
        W, b, c = rng.normal(size=sizes), rng.normal(size=sizes[0]), rng.normal(size=sizes[1])
        machine = part(model, k)
        values = {"intercept_visible": b, "intercept_hidden": c}
        steps.append((machine, machine.of_arrays(W, lambda name, _, v=values: v[name])))
        seen.append((W, b, c))
    params = composed(model, steps)
    v, h1, h2, h3 = bits(4), bits(3), bits(3, seed=1), bits(2)
    (W1, b1, c1), (V2, b2, c2), (W3, b3, c3) = seen
    even, odd = model.colors(params, v, np.hstack([h1, h2, h3]))
    assert model.names == ("visible0", "hidden1", "hidden2", "hidden3")
    into = {
        "visible0": W1 @ h1.T + b1[:, np.newaxis],
        "hidden1": (2 * W1.T @ v.T + c1[:, np.newaxis] + V2 @ h2.T + b2[:, np.newaxis]) / 2,
        "hidden2": (V2.T @ h1.T + c2[:, np.newaxis] + 2 * W3 @ h3.T + b3[:, np.newaxis]) / 2,
        "hidden3": W3.T @ h2.T + c3[:, np.newaxis],
    }
    for k, name in enumerate(model.names):
        color, columns = model.places[k]
        means = model.mean(params, color, (odd, even)[color])[:, columns]
        np.testing.assert_allclose(means, expit(into[name].T), atol=1e-12)


def assert_one_pass(kind):
    """One pass up is the start of the mean field, one pass down that of the visible means."""
    model = kind([(Gaussian(), 4)], [(BITS, 3), (BITS, 2)])
    params = random_params(model)
    v, h = np.random.default_rng(0).normal(size=(5, 4)), bits(2, 5)
    (one, (W, b)), (two, (V, c)) = model.recognition(params)
    first = expit(v @ W + b)
    assert one == two == BITS
    means = [expit(2 * (v / np.exp(params.layers[0].log_variance)) @ params.weights[0] + b)]
    means.append(expit(means[0] @ params.weights[1] + c))
    np.testing.assert_allclose(first, means[0], atol=1e-12)
    np.testing.assert_allclose(expit(first @ V + c), means[1], atol=1e-12)
    (unit, (down, bias)), (middle, (W2, b2)) = model.generation(params)
    assert (unit, middle) == (Gaussian(), BITS)
    np.testing.assert_allclose(h @ W2 + b2, 2 * h @ params.weights[1].T + b)
    np.testing.assert_allclose(first @ down + bias, visible_means(model, params, {1: first}))
