"""ebm.energies.conversions: the pairwise machine of a Gaussian machine's hidden units."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate

from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.conversions import hidden_machine
from ebm.energies.pairwise_sums import pairwise_log_partition
from ebm.units import Bernoulli, Gaussian, Spin

STATES = {"bernoulli": (0.0, 1.0), "spin": (-1.0, 1.0)}
UNITS = {"bernoulli": Bernoulli, "spin": Spin}


def machine(hidden, n_visible, n_hidden, seed=0):
    rng = np.random.default_rng(seed)
    visible = Gaussian.parameters(rng.normal(size=n_visible), rng.normal(size=n_visible))
    W, c = rng.normal(size=(n_visible, n_hidden)), rng.normal(size=n_hidden)
    model = Bipartite(Gaussian(), UNITS[hidden]())
    return model, BipartiteParameters(W, visible, UNITS[hidden].parameters(c))


def log_weight(params, v, h, beta):
    """-beta E(v, h), from the definition."""
    W, (b, z), (c,) = params
    variance = np.exp(z)
    energy = np.sum((v - b) ** 2 / (2 * variance)) - (v / variance) @ W @ h - c @ h
    return -beta * energy


def log_integral(params, h, beta):
    """log of the integral over two visible units of exp(-beta E(v, h)), by quadrature around its peak."""
    W, (b, z), _ = params
    peak, sd = b + W @ h, np.exp(z / 2) / np.sqrt(beta)
    top = log_weight(params, peak, h, beta)
    total, _ = integrate.dblquad(
        lambda y, x: np.exp(log_weight(params, np.array([x, y]), h, beta) - top),
        *(peak[0] + np.array([-9, 9]) * sd[0]),
        *(peak[1] + np.array([-9, 9]) * sd[1]),
    )
    return top + np.log(total)


@pytest.mark.needs_jit
@pytest.mark.parametrize("beta", [0.4, 1.0])
@pytest.mark.parametrize("hidden", ["bernoulli", "spin"])
def test_hidden_states_have_the_weights_of_the_integral_over_the_visible_units(hidden, beta):
    model, params = machine(hidden, 2, 3)
    found = hidden_machine(model, params, beta)
    states = np.array(list(itertools.product(STATES[hidden], repeat=3)))
    weights = -beta * found.model.energy(found.params, states) + found.log_constant
    expected = [log_integral(params, h, beta) for h in states]
    np.testing.assert_allclose(weights, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("beta", [0.4, 1.0])
@pytest.mark.parametrize("hidden", ["bernoulli", "spin"])
@pytest.mark.parametrize("shape", [(1, 1), (7, 4), (2, 9)])
def test_log_z_is_that_of_the_hidden_units_and_the_constant(hidden, shape, beta):
    model, params = machine(hidden, *shape, seed=1)
    found = hidden_machine(model, params, beta)
    value = pairwise_log_partition(found.model, found.params, beta=beta) + found.log_constant
    assert value == pytest.approx(oracle_log_z(params, STATES[hidden], beta), rel=1e-12)


def oracle_log_z(params, states, beta):
    """Each state of the hidden units is a normal density of the visible ones, up to its volume."""
    W, (b, z), _ = params
    logs = []
    for h in itertools.product(states, repeat=W.shape[1]):
        peak = b + W @ np.array(h)
        volume = 0.5 * np.sum(np.log(2 * np.pi / beta) + z)
        logs.append(volume + log_weight(params, peak, np.array(h), beta))
    return np.logaddexp.reduce(logs)


def test_couplings_are_symmetric_to_the_last_bit_and_in_double_precision():
    model, params = machine("bernoulli", 30, 6)
    single = BipartiteParameters(
        params.W.astype(np.float32),
        *(type(x)(*(a.astype(np.float32) for a in x)) for x in params[1:]),
    )
    found = hidden_machine(model, single)
    np.testing.assert_array_equal(found.params.J, found.params.J.T)
    assert found.params.J.dtype == found.params.bias.dtype == np.float64
    assert not found.params.J.diagonal().any()


@pytest.mark.parametrize("pair", [(Bernoulli(), Bernoulli()), (Gaussian(), Gaussian())])
def test_other_layers_are_refused(pair):
    model = Bipartite(*pair)
    params = BipartiteParameters(np.zeros((2, 2)), *(x.neutral(2, np.float64) for x in pair))
    with pytest.raises(ValueError, match="Gaussian visible units and hidden units of two states"):
        hidden_machine(model, params)
