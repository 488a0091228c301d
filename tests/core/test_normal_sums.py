"""ebm.energies.normal_sums: integrals over connected layers of normal units, against those of the definition."""

from __future__ import annotations

import numpy as np
import pytest

from ebm.energies.bipartite import Bipartite
from ebm.energies.layer_sums import layered_free_energy
from ebm.energies.layers import LayeredParameters
from ebm.energies.normal_sums import is_integral, log_integrals
from ebm.likelihood import log_partition
from ebm.units import Gaussian
from tests.models.layers import NORMAL, both, two_layers
from tests.oracles import layers as oracles

BETAS = [0.5, 1.0, 2.0]
SCALE = 0.3  # of weights: the energies have minima


def all_normal(name):
    return name != "over bits"


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("name", [x for x in NORMAL if all_normal(x)])
def test_log_z_is_that_of_the_definition(name, beta):
    oracle, model, params = both(f"normal {name}", scale=SCALE)
    assert is_integral(model)
    for method in ("auto", "exact"):
        found = log_partition(model, params, method, beta=beta)
        assert found.method == "exact" and found.standard_error == 0
        assert found.value == pytest.approx(oracles.log_sum(oracle, beta=beta), abs=1e-10)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("name", NORMAL)
def test_free_energies_are_those_of_the_definition(name, beta):
    """Of rows that are known, whose hidden layers are connected to each other."""
    oracle, model, params = both(f"normal {name}", scale=SCALE)
    v = np.random.default_rng(1).integers(0, 2, (4, sum(model.visible.sizes))).astype(float)
    known = [oracles.visible_states(oracle, row) for row in v]
    expected = [-oracles.log_sum(oracle, x, beta) / beta for x in known]
    found = layered_free_energy(model, params, v, beta)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("beta", BETAS)
def test_bits_beside_normal_layers_are_enumerated(beta):
    """The normal layers by the principal axes of their precision."""
    oracle, model, params = both("normal over bits", scale=SCALE)
    assert not is_integral(model)
    found = log_partition(model, params, "exact", beta=beta)
    assert found.value == pytest.approx(oracles.log_sum(oracle, beta=beta), abs=1e-10)


def test_two_layers_have_the_log_z_of_the_fused_model():
    fused, params, model, same = two_layers(Gaussian(), Gaussian())
    params, same = params._replace(W=0.2 * params.W), same._replace(weights=(0.2 * params.W,))
    expected = log_partition(fused, params, "exact").value
    assert isinstance(fused, Bipartite)
    assert log_integrals(model, same)[0] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("method", ["auto", "exact", "ais"])
@pytest.mark.parametrize("name", NORMAL)
def test_energies_without_a_minimum_are_refused_by_name(name, method):
    """An estimate would be a finite number, of an integral that is infinite."""
    _, model, params = both(f"normal {name}", scale=SCALE)
    large = LayeredParameters(tuple(20 * W for W in params.weights), params.layers)
    if not all_normal(name) and method == "exact":
        return
    with pytest.raises(ValueError, match=r"Z does not exist.*'x1'.* no minimum"):
        log_partition(model, large, method)
