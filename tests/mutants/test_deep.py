"""The checks of deep Boltzmann machines have teeth: they reject known-wrong implementations."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._gaps import swept
from ebm._kernels import deep as kernels
from ebm._random import Key, fold
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.energies.deep import DeepModel
from ebm.energies.fixed_point import FixedPoint
from ebm.gradients.deep import BoundChain
from ebm.pretraining import composed, halved, part
from ebm.samplers.layered_gibbs import independent_chains
from tests.checks.deep import (
    assert_averages_of_two_parts,
    assert_one_pass,
    assert_parts_of_the_paper,
    assert_same_steps,
)
from tests.checks.deep_gaps import assert_chains_of_gaps
from tests.models.deep import BITS


def rejects(check, *args, **settings):
    with pytest.raises(AssertionError):
        check(*args, **settings)


# Parts and their composition -----------------------------------------------------------------


def once(model, k):
    """No part counts twice."""
    return Bipartite(BITS, BITS)


def upside_down(model, k):
    """The lowest and the topmost part have each other's factors."""
    right = part(model, k)
    if isinstance(right, Bipartite):
        return right
    lower, upper = right.edges[0].multiplicity
    visible, hidden = right.layers
    return ColumnModel([(visible.unit, visible.size)], hidden.unit, hidden.size, (upper, lower))


@pytest.mark.parametrize("mutant", [once, upside_down])
def test_wrong_parts(mutant):
    rejects(assert_parts_of_the_paper, mutant)


def unhalved(model, steps):
    """The part between two others keeps the doubled weights that it has learned."""
    params = composed(model, steps)
    params.weights[1][:] *= 2
    return params


def summed(model, steps):
    """Biases of inner layers are sums of two estimates."""
    params = composed(model, steps)
    for own in params.layers[1:-1]:
        own.bias[:] *= 2
    return params


@pytest.mark.parametrize("mutant", [unhalved, summed, halved])
def test_wrong_compositions(mutant):
    rejects(assert_averages_of_two_parts, mutant)


# A network that begins as one pass -----------------------------------------------------------


class Plain(DeepModel):
    """A pass up with the weights as they are."""

    def recognition(self, params):
        (unit, (W, b)), top = super().recognition(params)
        return [(unit, (W / 2, b)), top]


class TopToo(DeepModel):
    """The topmost layer receives twice as well."""

    def recognition(self, params):
        first, (unit, (W, b)) = super().recognition(params)
        return [first, (unit, (2 * W, b))]


class DownOnce(DeepModel):
    """A pass down with the weights as they are."""

    def generation(self, params):
        first, (unit, (W, b)) = super().generation(params)
        return [first, (unit, (W / 2, b))]


@pytest.mark.parametrize("mutant", [Plain, TopToo, DownOnce])
def test_wrong_passes(mutant):
    rejects(assert_one_pass, mutant)


# Compiled gradients --------------------------------------------------------------------------


class CountsOnce(BoundChain):
    """Layers of parts count once what they receive."""

    def __init__(self, *args):
        super().__init__(*args)
        self._counts[:] = 1


class Unweighted(BoundChain):
    """Rows have equal weights."""

    def _take(self, v, weights):
        super()._take(v, 1 / len(v))


class FirstColumns(BoundChain):
    """Every layer finds its states and offsets in the first columns of its color."""

    def __init__(self, *args):
        super().__init__(*args)
        self._table[:, kernels.START] = 0


class OneKey(BoundChain):
    """The draws of all steps are the same."""

    def __call__(self, params, batch, chains, key):
        return super().__call__(params, batch, chains, Key(0, 3))


class FewSweeps(BoundChain):
    """The mean field has two sweeps whatever the settings."""

    def __init__(self, *args):
        super().__init__(*args)
        *others, way = self._settings
        self._settings = (*others, (2, *way[1:]))


THREE = DeepModel([(BITS, 6)], [(BITS, 5), (BITS, 4), (BITS, 3)], FixedPoint(4, 1e-3))


@pytest.mark.parametrize("mutant", [CountsOnce, Unweighted, FirstColumns, OneKey, FewSweeps])
def test_wrong_gradients(mutant):
    model = (
        part(DeepModel([(BITS, 6)], [(BITS, 5), (BITS, 4)]), 0) if mutant is CountsOnce else THREE
    )
    assert_same_steps(model, 9, 4, 2, 9)
    rejects(assert_same_steps, model, 9, 4, 2, 9, kind=mutant)


def forgets_the_layers_above(model, params, origin, v, given, key):
    """The hidden layers beside the missing entries begin anew at every visit."""
    n = len(given[0]) - model.n_hidden_walked
    fresh = independent_chains(model, params, len(v), fold(key, 9))
    return swept(model, params, origin, np.hstack([v[:, :n], fresh[:, n:]]), given, key)


@pytest.mark.needs_jit
def test_chains_without_the_layers_above_are_found():
    with pytest.raises(AssertionError):
        assert_chains_of_gaps("chain", forgets_the_layers_above)
