"""Layers that are groups throughout: their sizes are settings of the unit, their parameters the biases alone."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.incomplete import gaps
from ebm.units import Bernoulli, Binomial, Categorical
from tests.models import oracle_model
from tests.oracles import one_hot, rbm

KEY = Key(5, 23)
SIZES = (2, 4)
UNIT = Categorical(SIZES)
MODEL = oracle_model(shape=(6, 3))
LIBRARY = Bipartite(UNIT, Bernoulli())


def params():
    return BipartiteParameters(
        MODEL.W, UNIT.parameters(MODEL.b.copy()), Bernoulli().parameters(MODEL.c.copy())
    )


@pytest.mark.parametrize("unit", [UNIT, Binomial(3)], ids=repr)
def test_constants_of_a_unit_are_no_parameters(unit):
    """Neither learned nor packed: the vector of a machine has a weight for each pair of units and a bias for each."""
    model = Bipartite(unit, unit)
    machine = BipartiteParameters(np.ones((6, 6)), *(unit.neutral(6, np.float64),) * 2)
    assert model.pack(machine).size == 6 * 6 + 6 + 6
    assert unit.fields == ("bias",)


def test_means_and_sums_are_the_oracles():
    h = rbm.all_states(3).astype(float)
    expected = [one_hot.visible_mean(MODEL, SIZES, row, 0.7) for row in h]
    np.testing.assert_allclose(LIBRARY.visible_mean(params(), h, 0.7), expected, rtol=1e-12)
    other, swapped = LIBRARY.swapped(params())
    sums = [one_hot.log_layer_sum(row @ MODEL.W.T, MODEL.b, SIZES) for row in h]
    np.testing.assert_allclose(other.free_energy(swapped, h), -np.array(sums) - h @ MODEL.c)


@pytest.mark.parametrize("sizes", [SIZES, (6,), (3, 3), (2, 2, 2)])
def test_draws_are_the_oracles_on_the_same_random_numbers(sizes):
    h = np.random.default_rng(1).integers(0, 2, size=(20, 3)).astype(float)
    model = Bipartite(Categorical(sizes), Bernoulli())
    expected = one_hot.draw_visible(MODEL, sizes, h, KEY)
    np.testing.assert_array_equal(model.sample_visible(params(), h, KEY), expected)


def test_an_unknown_group_is_summed_out():
    """And the units of the group that is known are a layer of its own."""
    prepared = gaps(LIBRARY, params(), np.array([False, False, True, True, True, True]))
    v = np.array([[0.0, 1.0, np.nan, np.nan, np.nan, np.nan]])
    found = prepared.sums(v)
    posterior = one_hot.posterior(MODEL, SIZES, np.array([0.0, 1, 0, 0, 0, 0]), 1)
    np.testing.assert_allclose(found.means[0, 2:], posterior, rtol=1e-12)
    states = np.hstack([np.tile([0.0, 1.0], (4, 1)), np.eye(4)])
    logs = [rbm.log_weight_visible(MODEL, x) for x in states]
    assert found.log_weights[0] == pytest.approx(rbm.log_sum_exp(logs), rel=1e-12)


def test_a_group_that_is_known_in_part_is_refused():
    with pytest.raises(ValueError, match=r"NaN in some of the columns 2 to 5.*or all of them NaN"):
        gaps(LIBRARY, params(), np.array([False, False, True, True, True, False]))


@pytest.mark.parametrize("n_units", [5, 7])
def test_layers_of_another_size_are_refused_with_the_cure(n_units):
    pattern = rf"are 6 units, but the layer has {n_units}.*visible=\[\('bernoulli', 3\)"
    with pytest.raises(ValueError, match=pattern):
        UNIT.neutral(n_units, np.float64)
    with pytest.raises(ValueError, match=pattern):
        UNIT.invalid(np.zeros((1, n_units)))
