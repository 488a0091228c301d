"""What layered models do, as functions of the implementation.

The tests of the core hand them the library, tests/mutants/test_layers.py hands them implementations that are known to
be wrong and expects an AssertionError. `spelled` turns the library's model into the implementation.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest

from ebm._random import Key
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layer_sums import (
    MAX_STATES,
    LayerSum,
    count_states,
    layered_free_energy,
    layered_log_z,
)
from ebm.energies.layers import LayeredParameters
from ebm.gradients.base import Batch, ChainState
from tests.models.layers import both, colors_of, rows_of
from tests.oracles import layers as oracles
from tests.statistics import assert_same_distribution

KEY = Key(3, 4)
N_CHAINS = 40_000
STEP = 1e-5


def library(model):
    return model


# Energies ------------------------------------------------------------------------------------


def assert_energies(name, spelled=library, beta=1.0):
    """Of states of all layers, and of one color, the other one being summed out."""
    oracle, model, params = both(name)
    model = spelled(model)
    rng = np.random.default_rng(1)
    states = [
        rng.normal(size=(1, len(x.bias)))
        if x.kind == "gaussian"
        else rng.permutation(oracles.unit_states(x))[-1:]
        for x in oracle.layers
    ]
    expected = -oracles.log_integral(oracle, [tuple(x[0]) for x in states], 1.0)
    colors = [
        model.colored(color, dict(enumerate(states)), model.nothing(params, color))
        for color in (EVEN, ODD)
    ]
    assert model.energy(params, *colors)[0] == pytest.approx(expected, rel=0, abs=1e-10)
    for color in (EVEN, ODD):
        known = {k: tuple(states[k][0]) for k in model.members[color]}
        free = model.color_free_energy(params, color, colors[color], beta)[0]
        expected = -oracles.log_sum(oracle, known, beta) / beta
        assert free == pytest.approx(expected, rel=0, abs=1e-9)


def assert_sums(name, spelled=library, beta=1.0):
    """Log Z is the sum over all states, whichever color is enumerated."""
    oracle, model, params = both(name)
    model, expected = spelled(model), oracles.log_sum(oracle, beta=beta)
    found = [layered_log_z(model, params, beta)]
    for color in (EVEN, ODD):
        if count_states(model, model.members[color]) < MAX_STATES:
            found.append(LayerSum(model, params, {}, color, beta).log_sums()[0])
    assert len(found) > 1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


# Chains --------------------------------------------------------------------------------------
# A step takes (model, params, even, key) and returns the states of both colors, the even ones drawn given the odd ones.


def counts_of(model, joint, even, odd):
    """How often each of the joint states occurs."""
    number = {
        (*a, *b): k
        for k, (a, b) in enumerate(
            zip(*map(np.ndarray.tolist, colors_of(model, joint)), strict=True)
        )
    }
    rows, counts = np.unique(np.hstack([even, odd]), axis=0, return_counts=True)
    out = np.zeros(len(joint))
    out[[number[tuple(row)] for row in rows.tolist()]] = counts
    return out


def assert_transition_row(step, name):
    """From one fixed state, the joint distribution of both colors after a step."""
    oracle, model, params = both(name)
    joint, p = oracles.joint_law(oracle)
    even, odd = colors_of(model, joint)
    start = even[np.argmin(p)]
    # p(odd | even), and then p(even' | odd): the joint law divided by its marginals.
    from_start = (even == start).all(axis=1)
    to_odd = {tuple(x): q for x, q in zip(odd[from_start].tolist(), p[from_start], strict=True)}
    marginal = {}
    for x, q in zip(odd.tolist(), p, strict=True):
        marginal[tuple(x)] = marginal.get(tuple(x), 0) + q
    total = sum(to_odd.values())
    row = [
        to_odd[tuple(x)] / total * q / marginal[tuple(x)]
        for x, q in zip(odd.tolist(), p, strict=True)
    ]
    found = step(model, params, np.tile(start, (N_CHAINS, 1)), KEY)
    assert_same_distribution(counts_of(model, joint, *found), row)


def assert_leaves_the_joint_law(step, name):
    """From draws of the model, both colors after a step."""
    oracle, model, params = both(name)
    joint, p = oracles.joint_law(oracle)
    rng = np.random.default_rng(0)
    even, _ = colors_of(model, joint[rng.choice(len(p), N_CHAINS, p=p)])
    found = step(model, params, even, KEY)
    assert_same_distribution(counts_of(model, joint, *found), p)


# Gradients -----------------------------------------------------------------------------------


def zeros_like(params):
    return LayeredParameters(
        tuple(np.zeros_like(W) for W in params.weights),
        tuple(type(own)(*map(np.zeros_like, own)) for own in params.layers),
    )


def arrays(params):
    return [*params.weights, *(x for own in params.layers for x in own)]


def free_arrays(model, params):
    """The arrays that are learned."""
    named = zip(model.layers, params.layers, strict=True)
    own = [
        x
        for layer, part in named
        for name, x in zip(layer.unit.fields, part, strict=True)
        if layer.unit.is_free(name)
    ]
    return [*params.weights, *own]


def directions(model, params, n=4):
    """Random directions in the space of the learned parameters."""
    rng = np.random.default_rng(0)
    for _ in range(n):
        step = zeros_like(params)
        for x in free_arrays(model, step):
            x[:] = rng.normal(size=x.shape)
        yield step


def moved(params, step, size):
    out = copy.deepcopy(params)
    for x, dx in zip(arrays(out), arrays(step), strict=True):
        x += size * dx
    return out


def slopes(function, model, params):
    """Central differences of a function of the parameters along random directions."""
    return [
        (function(moved(params, step, STEP)) - function(moved(params, step, -STEP))) / (2 * STEP)
        for step in directions(model, params)
    ]


def along(gradient, model, params):
    """The gradient's products with the same directions."""
    return [
        sum(
            float((x * y).sum())
            for x, y in zip(free_arrays(model, gradient), free_arrays(model, step), strict=True)
        )
        for step in directions(model, params)
    ]


def offsets_of(model, params, seed=None):
    """Chains without states; random offsets, or none."""
    rng = np.random.default_rng(seed)
    sizes = [sum(side.sizes) for side in model.sides]
    mu, lam = (rng.normal(size=n) if seed is not None else np.zeros(n) for n in sizes)
    return ChainState(np.zeros((0, sizes[ODD])), mu, lam)


def mean_log_likelihood(model, v):
    def function(params):
        free = layered_free_energy(model, params, v)
        return -free.mean() - layered_log_z(model, params)

    return function


def assert_exact_gradient(bound, name):
    """``bound(model, gradient)`` estimates the slope of the mean log-likelihood of some rows."""
    oracle, model, params = both(name)
    v = rows_of(oracle, 3)
    gradient = zeros_like(params)
    bound(model, gradient)(params, Batch(v), offsets_of(model, params), KEY)
    expected = slopes(mean_log_likelihood(model, v), model, params)
    np.testing.assert_allclose(along(gradient, model, params), expected, rtol=1e-6, atol=1e-7)
