"""The checks of layered models have teeth: they reject known-wrong implementations, and accept a right one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ebm._random import fold
from ebm.energies.edges import Edge, Masked
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layers import LayeredModel
from ebm.gradients.layered import BoundLayeredExact, PhaseSum
from ebm.samplers.layered_gibbs import Colors, layered_gibbs
from tests.checks.layers import (
    assert_energies,
    assert_exact_gradient,
    assert_leaves_the_joint_law,
    assert_sums,
    assert_transition_row,
)


def rejects(check, *args, **settings):
    with pytest.raises(AssertionError):
        check(*args, **settings)


# Energies ------------------------------------------------------------------------------------


class OneEnd(LayeredModel):
    """Only the upper layer of an edge counts what it receives as often as it should."""

    def inputs(self, params, color, s):
        out = super().inputs(params, color, s)
        for edge, (low, _) in zip(self.edges, self.ends, strict=True):
            if self.places[low].color == color:
                out[:, self.places[low].columns] /= edge.multiplicity[0]
        return out


class LastEdge(LayeredModel):
    """A layer with two neighbors receives from the last one alone."""

    def inputs(self, params, color, s):
        out = self.nothing(params, color, len(s))
        for edge, (low, high), W in zip(self.edges, self.ends, params.weights, strict=True):
            upward = self.places[high].color == color
            to, source = (high, low) if upward else (low, high)
            part = s[:, self.places[source].columns]
            received = edge.coupling.up(W, part) if upward else edge.coupling.down(W, part)
            out[:, self.places[to].columns] = edge.multiplicity[0] * received
        return out


class Cold(LayeredModel):
    """The color that is summed out is at temperature one, whatever beta is."""

    def color_free_energy(self, params, color, x, beta=1.0):
        return super().color_free_energy(params, color, x, 1.0)


class Undivided(LayeredModel):
    """The statistic of real units is the state itself."""

    def statistic(self, params, color, x):
        return x


@dataclass(frozen=True, repr=False)
class HalfMasked(Masked):
    """The mask holds on the way up alone."""

    def down(self, W, s):
        return s @ W.T


def half_masked(model):
    edges = [
        Edge(e.lower, e.upper, HalfMasked(e.coupling.mask), e.multiplicity)
        if isinstance(e.coupling, Masked)
        else e
        for e in model.edges
    ]
    return LayeredModel(model.layers, edges)


def spelled(kind):
    return lambda model: kind(model.layers, model.edges)


@pytest.mark.parametrize(
    ("wrong", "name", "beta"),
    [
        (spelled(OneEnd), "spins", 1.0),
        (spelled(LastEdge), "chain", 1.0),
        (spelled(Cold), "chain", 0.6),
        (spelled(Undivided), "mixed", 1.0),
        (half_masked, "cycle", 1.0),
    ],
    ids=["one end", "last edge", "cold", "undivided", "half masked"],
)
def test_energies_reject(wrong, name, beta):
    assert_energies(name, beta=beta)
    rejects(assert_energies, name, wrong, beta)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [(OneEnd, "spins"), (LastEdge, "chain")],
    ids=["one end", "last edge"],
)
def test_sums_reject(wrong, name):
    assert_sums(name)
    rejects(assert_sums, name, spelled(wrong))


# Chains --------------------------------------------------------------------------------------


def right(model, params, even, key):
    return layered_gibbs(model, params, even, key, 1)


def at_once(model, params, even, key):
    """Both colors are drawn given the old states of the other."""
    before = model.sample(params, ODD, even, fold(key, 9))
    odd = model.sample(params, ODD, even, fold(key, 0))
    return Colors(model.sample(params, EVEN, before, fold(key, 1)), odd)


def shared_numbers(model, params, even, key):
    """All layers of one color draw the same random numbers."""
    states = [even, model.nothing(params, ODD, len(even))]
    for color in (ODD, EVEN):
        f, out = model.inputs_from(params, color, states[1 - color]), states[color].copy()
        for k in model.members[color]:
            columns = model.places[k].columns
            received = np.ascontiguousarray(f[:, columns])
            out[:, columns] = model.layers[k].unit.sample(
                params.layers[k], received, fold(key, color)
            )
        states[color] = out
    return Colors(*states)


def one_layer_stays(model, params, even, key):
    """The last even layer keeps its states."""
    found = right(model, params, even, key)
    columns, new = model.places[model.members[EVEN][-1]].columns, found.even.copy()
    new[:, columns] = even[:, columns]
    return Colors(new, found.odd)


def same_numbers_in_both_halves(model, params, even, key):
    """The even layers draw the numbers that the odd ones had."""
    odd = model.sample(params, ODD, even, key)
    return Colors(model.sample(params, EVEN, odd, key), odd)


WRONG_STEPS = [at_once, shared_numbers, one_layer_stays, same_numbers_in_both_halves]


@pytest.mark.needs_jit
@pytest.mark.parametrize("wrong", WRONG_STEPS)
def test_transition_rows_reject(wrong):
    assert_transition_row(right, "spins")
    rejects(assert_transition_row, wrong, "spins")


@pytest.mark.needs_jit
@pytest.mark.parametrize("wrong", [at_once, shared_numbers])
def test_the_joint_law_rejects(wrong):
    assert_leaves_the_joint_law(right, "spins")
    rejects(assert_leaves_the_joint_law, wrong, "spins")


# Gradients -----------------------------------------------------------------------------------


class OnceOnly(PhaseSum):
    """An edge that counts twice learns as one that counts once."""

    def finish(self, params, offsets):
        finite = super().finish(params, offsets)
        for edge, W in zip(self._model.edges, self._total.weights, strict=True):
            W /= edge.multiplicity[0]
        return finite


class Uncoupled(PhaseSum):
    """Statistics are taken to have no parameters."""

    def _add_couplings(self, params):
        return


class OffCenter(PhaseSum):
    """The biases are corrected for other offsets than the chains have."""

    def finish(self, params, offsets):
        return super().finish(params, tuple(x + 1 for x in offsets))


def bound(kind):
    def make(model, gradient):
        made = BoundLayeredExact(model, gradient, 3, 0.0)
        made._sum = kind(model, made._total)
        return made

    return make


@pytest.mark.parametrize(
    ("wrong", "name"),
    [(OnceOnly, "spins"), (Uncoupled, "mixed"), (OffCenter, "mixed")],
)
def test_exact_gradients_reject(wrong, name):
    assert_exact_gradient(bound(PhaseSum), name)
    rejects(assert_exact_gradient, bound(wrong), name)
