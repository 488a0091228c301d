"""ebm.likelihood.modes: a bound that log Z is never below, and that knows the modes of models that have several."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.lattices import lattice
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.likelihood import LogPartition, log_partition
from ebm.likelihood.modes import Laws, lower_bound, mixture_bound, modes
from ebm.units import Bernoulli, Gaussian, OneHot, Spin
from tests.models import PAIRS, library_model, library_params, oracle_model
from tests.models.log_z import UNITS, far_modes, machine
from tests.oracles import partition, rbm

pytestmark = pytest.mark.needs_jit  # as plain Python too slow: ascents from hundreds of starts

PRECISIONS = [np.float64, np.float32]
ROUNDED = {np.float64: 1e-9, np.float32: 1e-4}


def glass(n, scale, seed):
    rng = np.random.default_rng(seed)
    J = np.triu(rng.normal(size=(n, n)), 1) * scale / np.sqrt(n)
    return J + J.T, rng.normal(size=n) / 2


# Never above --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("scale", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("low", [0.0, -1.0])
def test_the_bound_of_pairs_is_a_bound(low, scale, dtype):
    for seed in range(4):
        J, b = (x.astype(dtype) for x in glass(9, scale, seed))
        params, log_z = PairwiseParameters(J, b), partition.enumerated(J, b, low)
        bound = lower_bound(Pairwise(UNITS[low]), params)
        # The best product law alone is this near, for models as small as these.
        assert log_z - 2 * scale - ROUNDED[dtype] < bound < log_z + ROUNDED[dtype]


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("scale", [0.0, 0.7, 3.0])
@pytest.mark.parametrize("pair", PAIRS[:3], ids="-".join)
def test_the_bound_of_two_layers_is_a_bound(pair, scale, dtype):
    for seed in range(4):
        oracle = oracle_model(*pair, (5, 4), seed=seed, scale=scale)
        bound = lower_bound(library_model(oracle), library_params(oracle, dtype))
        assert bound < rbm.log_partition(oracle) + ROUNDED[dtype]


@pytest.mark.parametrize("hidden_low", [0.0, -1.0])
@pytest.mark.parametrize("low", [0.0, -1.0])
def test_the_bound_of_spins_and_bits_is_a_bound(low, hidden_low):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        W, b, c = 2 * rng.normal(size=(6, 4)), rng.normal(size=6), rng.normal(size=4)
        known = machine("", W, b, c, low, hidden_low)
        assert known.log_z - 3 < lower_bound(known.model, known.params) < known.log_z + 1e-9


def test_the_bound_with_a_group_of_labels_is_a_bound():
    for seed in range(4):
        rng = np.random.default_rng(seed)
        W, b, c = 2 * rng.normal(size=(7, 4)), rng.normal(size=7), rng.normal(size=4)
        unit = OneHot((3,))
        own = unit.neutral(7, np.float64)._replace(bias=b)
        model, params = (
            Bipartite(unit, Bernoulli()),
            BipartiteParameters(W, own, Bernoulli.parameters(c)),
        )
        log_z = partition.two_layers(W, b, c, groups=(3,))
        assert log_z - 3 < lower_bound(model, params) < log_z + 1e-9


def test_any_weights_of_the_mixture_bound_the_log_of_a_sum():
    """Two product laws over two spins, enumerated: the bound is below, and exact where they do not overlap."""
    for overlap, exact in ((0.0, True), (0.3, False)):
        laws = Laws((np.zeros((2, 1)),), np.log([3.0, 1.0]), np.array([[1, overlap], [overlap, 1]]))
        bound, w = mixture_bound(laws)
        by_hand = sum(
            p * (np.log(z) - np.log(p + overlap * q))
            for p, q, z in ((w[0], w[1], 3.0), (w[1], w[0], 1.0))
        )
        assert w.sum() == pytest.approx(1) and bound == pytest.approx(by_hand)
        assert np.log(3) < bound < np.log(4) + 1e-12
        assert (bound == pytest.approx(np.log(4))) == exact


# Near ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [0.6, 0.8, 1.2])
def test_both_sides_of_a_magnet_are_found(beta):
    params = PairwiseParameters(beta * lattice((8, 8)), np.zeros(64))
    missing = partition.kaufman(8, 8, beta) - lower_bound(Pairwise(Spin()), params)
    assert 0 < missing < 0.15  # one side alone misses log 2 = 0.69 more


def test_far_modes_are_found():
    """Within a nat and a half, the fluctuations about each mode; a mode without which log Z is another."""
    for known in islice(far_modes(), 10):
        assert 0 < known.log_z - lower_bound(known.model, known.params) + 1e-9 < 1.5, known.family


def test_a_gaussian_machine_with_all_its_units_on():
    """Its mass is far from the visible biases, where a hundred hidden units are on together."""
    W, c = np.full((3, 100), 0.5), np.full(100, -5.0)
    model = Bipartite(Gaussian(), Bernoulli())
    own = Gaussian.parameters(np.zeros(3), np.zeros(3)), Bernoulli.parameters(c)
    all_on = 1.5 * np.log(2 * np.pi) - 500 + 0.5 * 3 * 50.0**2
    assert lower_bound(model, BipartiteParameters(W, *own)) > all_on - 1e-6


def test_rows_are_starts():
    """A needle that no other start is near is found from its own row."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random(30) < 0.5, 1.0, -1.0)
    J = np.outer(x, x) * 0.5
    np.fill_diagonal(J, 0)
    found = modes(Pairwise(Spin()), PairwiseParameters(J, np.zeros(30)), x[np.newaxis])
    states = np.tanh(found.inputs[0])
    assert (np.abs(states @ x) > 29).sum() == 2


def test_the_same_bound_every_time():
    params = PairwiseParameters(*glass(12, 2.0, 0))
    bounds = {lower_bound(Pairwise(Spin()), params) for _ in range(2)}
    assert len(bounds) == 1


# Results beside a bound ---------------------------------------------------------------------


def result(value, width, **settings):
    return LogPartition(value, width / 2, (value - width, value + width), "ais", **settings)


def test_an_estimate_above_the_bound_stays():
    found = result(3.0, 0.1).at_least(2.9)
    assert found == result(3.0, 0.1, lower_bound=2.9)


def test_an_estimate_that_the_bound_is_near_is_raised():
    found = result(3.0, 0.1).at_least(3.05)
    assert found.value == found.lower_bound == 3.05 and found.interval == (3.05, 3.15)
    assert found.standard_error == 0.05 and not found.doubt


def test_an_estimate_far_below_the_bound_is_doubted():
    found = result(3.0, 0.1).at_least(4.0, "Do this.")
    assert found.value == 4.0 and found.interval == (4.0, np.inf)
    assert found.standard_error == np.inf
    assert "3.00, is below 4.00" in found.doubt and found.doubt.endswith("Do this.")


def test_numbers_that_are_none_stay():
    assert np.isnan(result(np.nan, 0.1).at_least(3.0).value)
    assert result(1.0, 0.1).at_least(np.nan).value == 1.0


def test_independent_units_are_no_reason_for_doubt():
    """Their bound is exact, but for rounding."""
    for dtype in PRECISIONS:
        params = PairwiseParameters(np.zeros((30, 30), dtype), np.linspace(-3, 3, 30).astype(dtype))
        found = log_partition(Pairwise(Spin()), params, "ais")
        expected = np.logaddexp(params.bias, -params.bias).sum()
        assert found.lower_bound == pytest.approx(expected, abs=1e-4)
        assert found.value == pytest.approx(expected, abs=0.05) and not found.doubt
