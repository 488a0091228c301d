"""ebm.pretraining.copies: parts with two copies of the outer layers, their composition, and the bound that it keeps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.special import expit, logsumexp

from ebm import training
from ebm._batches import Rows
from ebm._random import Key
from ebm.energies.base import DataSummary
from ebm.energies.deep import DeepModel
from ebm.energies.layer_sums import layered_log_z
from ebm.energies.trees import Pathway, TreeModel
from ebm.gradients import Exact
from ebm.likelihood.deep import sums_or_bounds
from ebm.optimizers import SGD, Constant
from ebm.pretraining import (
    Machine,
    Propagation,
    begins_as,
    composed,
    copied_part,
    part,
    pretrain,
    turns_over,
    twice,
)
from ebm.units import Bernoulli, Binomial, Categorical, Gaussian, Spin
from tests.models.deep import BITS, bits, chain

KEY = Key(5, 6)
SIZES = (3, 4, 3)


def states(n):
    return np.array(list(product((0.0, 1.0), repeat=n)))


def random_parts(seed, model=None):
    """The machines of a chain of two hidden layers with random weights and biases."""
    model, rng = model or chain(*SIZES), np.random.default_rng(seed)
    sizes, steps, seen = model.level_sizes, [], []
    for k in (0, 1):
        n, m = sizes[k : k + 2]
        W, b, c = rng.normal(size=(n, m)), rng.normal(size=n), rng.normal(size=m)
        machine = copied_part(model, k)
        values = {"intercept_visible": b, "intercept_hidden": c}
        steps.append((machine, machine.of_arrays(W, lambda name, _, v=values: v[name])))
        seen.append((W, b, c))
    return model, steps, seen


def log_prior(W, outer, inner, x):
    """Log of the distribution of inner states `x`, of which two explicit copies of the outer layer are summed out.

    `W` (outer units, inner units).
    """
    y = states(len(outer))
    logs = []
    for row in x:
        terms = [
            row @ inner + (one + other) @ outer + (one + other) @ W @ row
            for one, other in product(y, y)
        ]
        logs.append(logsumexp(terms))
    return np.array(logs) - logsumexp(logs)


def deep_prior(seen):
    """Log p(h_1) of the composed machine, over all states of its three layers."""
    (W, b, c), (V, a, d) = seen
    logs = []
    for h in states(len(a)):
        terms = [
            v @ b + v @ W @ h + (a + c) @ h / 2 + h @ V @ u + u @ d
            for v, u in product(states(len(b)), states(len(d)))
        ]
        logs.append(logsumexp(terms))
    return np.array(logs) - logsumexp(logs)


def recognized(seen, v):
    """Q(h_1 | v) given that both copies are v: (rows, states)."""
    (W, _, c), _ = seen
    p = expit(2 * v @ W + c)[:, None, :]
    return np.prod(np.where(states(len(c)) == 1, p, 1 - p), axis=2)


def test_a_machine_of_two_explicit_copies_is_that_of_binomial_units():
    _, steps, seen = random_parts(0)
    (W, b, c), (V, a, d) = seen
    h = states(4)
    lowest, topmost = (step[0] for step in steps)
    assert lowest.visible == topmost.hidden == Binomial(2)
    model, params = lowest.swapped(steps[0][1])
    free = -model.free_energy(params, h)
    np.testing.assert_allclose(free - logsumexp(free), log_prior(W, b, c, h), atol=1e-12)
    free = -topmost.free_energy(steps[1][1], h)
    np.testing.assert_allclose(free - logsumexp(free), log_prior(V.T, d, a, h), atol=1e-12)


def test_both_copies_are_held_at_the_row():
    _, steps, seen = random_parts(1)
    W, b, c = seen[0]
    model, params = steps[0]
    v = states(3)
    np.testing.assert_allclose(model.hidden_mean(params, twice(v)), expit(2 * v @ W + c))
    # p(both copies are v), from all states of two copies and of h_1.
    joint = np.array(
        [
            [logsumexp([(x + y) @ b + (x + y) @ W @ h + c @ h for h in states(4)]) for y in v]
            for x in v
        ]
    )
    expected = np.diag(joint) - logsumexp(joint)
    free = -model.free_energy(params, np.array(list(product((0.0, 1.0, 2.0), repeat=3))))
    found = -model.free_energy(params, twice(v)) - logsumexp(free)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_composed_machine_replaces_half_of_the_prior(seed):
    model, steps, seen = random_parts(seed)
    (W, b, c), (V, a, d) = seen
    P, R = log_prior(W, b, c, states(4)), log_prior(V.T, d, a, states(4))
    half = (P + R) / 2
    expected = half - logsumexp(half)
    np.testing.assert_allclose(deep_prior(seen), expected, atol=1e-12)
    # The library's machine has the law of v that this prior and p(v | h_1) make.
    v = states(3)
    p = expit(states(4) @ W.T + b)[None]
    given = np.where(v[:, None, :] == 1, np.log(p), np.log(1 - p)).sum(axis=2)
    params = composed(model, steps)
    found = sums_or_bounds(model, params, v)[0] - layered_log_z(model, params)
    np.testing.assert_allclose(found, logsumexp(given + expected, axis=1), atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_other_compositions_have_another_prior(seed):
    """Sums of biases, or halved weights as of a belief network, are not half of both priors."""
    _, _, ((W, b, c), (V, a, d)) = random_parts(seed)
    half = (log_prior(W, b, c, states(4)) + log_prior(V.T, d, a, states(4))) / 2
    right = half - logsumexp(half)
    for wrong in (
        [(W, b, 2 * c), (V, 2 * a, d)],
        [(W / 2, b, c), (V / 2, a, d)],
        [(W, 2 * b, c), (V, a, d)],
    ):
        assert abs(deep_prior(wrong) - right).max() > 0.05


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_rises_by_at_least_half_of_what_the_topmost_part_knows_better(seed):
    _, _, seen = random_parts(seed)
    (W, b, c), (V, a, d) = seen
    Q = recognized(seen, bits(3, 10, seed)).mean(axis=0)
    P, R = log_prior(W, b, c, states(4)), log_prior(V.T, d, a, states(4))
    rise = Q @ (deep_prior(seen) - P)
    known = Q @ (R - P) / 2
    assert rise >= known - 1e-12
    assert rise - known == pytest.approx(-logsumexp((P + R) / 2), abs=1e-12)


def test_the_lowest_part_turned_over_has_the_prior_of_the_lowest_part():
    model, steps, seen = random_parts(2)
    (_, below), (top, above) = steps
    assert turns_over(model)
    turned = top.above(above, below)
    W, b, c = seen[0]
    np.testing.assert_array_equal(turned.W, W.T)
    deep = composed(model, [steps[0], (top, turned)])
    np.testing.assert_allclose(deep.layers[1].bias, c)
    P = log_prior(W, b, c, states(4))
    np.testing.assert_allclose(deep_prior([seen[0], (W.T, c, b)]), P, atol=1e-12)


def test_a_topmost_part_that_learned_from_there_does_not_lower_the_bound():
    """The bound of the composed machine, by enumeration, with exact gradients on few rows."""
    model, X = chain(3, 4, 3), bits(3, 12, seed=4)
    X[:, 2] = X[:, 0]
    plan = training.Plan(Exact(), SGD(), Constant(), 0.05, 0.0, 12, 3)
    machines = [
        Machine(f"layer{k}", copied_part(model, k), plan, n, 200) for k, n in ((0, 4), (1, 3))
    ]
    way = Propagation(draws=False, seed=0)
    # With means in the place of draws the topmost part learns from the expected states.
    for n_epochs in (0, 200):
        machines[1] = Machine("layer2", copied_part(model, 1), plan, 3, n_epochs)
        layers = pretrain(machines, twice(X), None, way, transposed=True).layers
        seen = []
        for layer in layers:
            arrays = layer.state.model.arrays(layer.state.params)
            names = ("weights", "intercept_visible", "intercept_hidden")
            seen.append(tuple(arrays[name] for name in names))
        (W, b, c), _ = seen
        Q = recognized(seen, X).mean(axis=0)
        rise = Q @ (deep_prior(seen) - log_prior(W, b, c, states(4)))
        if n_epochs == 0:
            assert rise == pytest.approx(0, abs=1e-12)
    assert rise > 1e-4


def test_the_topmost_part_begins_with_the_inputs_of_ordinary_machines():
    model, X = chain(6, 5, 4), bits(5, 200)
    plan = training.Plan(Exact(), SGD(), Constant(), 0.05, 0.0, 12, 3)
    machine = Machine("top", copied_part(model, 1), plan, 4, 0, begins_as=begins_as(model, 1))
    (layer,) = pretrain([machine], X, None, Propagation(draws=False, seed=0)).layers
    first = training.start(part(model, 1), Rows(X), 4, plan)
    (new, params), old = layer.step, first.params
    np.testing.assert_allclose(new.hidden_mean(params, X), 2 * first.model.hidden_mean(old, X))
    h = bits(4)
    np.testing.assert_allclose(
        new.visible_mean(params, 2 * h), first.model.visible_mean(old, h), atol=1e-12
    )
    assert begins_as(model, 0) is None


def test_parts_between_two_others_are_ordinary_machines():
    model = chain(4, 3, 3, 2)
    assert copied_part(model, 1) == part(model, 1)
    assert (copied_part(model, 0).visible, copied_part(model, 2).hidden) == (
        Binomial(2),
        Binomial(2),
    )
    assert not turns_over(model) and not turns_over(chain(4, 3, 3))
    counts = DeepModel([(Binomial(3), 2)], [(BITS, 3), (BITS, 2)])
    assert copied_part(counts, 0).visible == Binomial(6)
    machine = copied_part(counts, 0)
    params = machine.initial(DataSummary(np.ones(2), np.ones(2), 10), 3, KEY)
    top = copied_part(counts, 1)
    above = top.initial(DataSummary(np.full(3, 0.5), np.ones(3), 10), 2, KEY)
    deep = composed(counts, [(machine, params), (top, above)])
    assert [type(x) for x in deep.layers] == [x.unit.parameters for x in counts.layers]


def test_several_pathways_share_the_topmost_copies():
    tree = TreeModel(
        [Pathway([(BITS, 3)], [(BITS, 2)]), Pathway([(BITS, 2)], [(BITS, 2)])], (BITS, 2)
    )
    top = copied_part(tree, 2)
    assert [layer.unit for layer in top.layers] == [Bernoulli(), Bernoulli(), Binomial(2)]
    assert not turns_over(tree)


@pytest.mark.parametrize("unit", [Spin(), Gaussian(), Categorical((3,))])
def test_units_without_a_sum_are_refused(unit):
    with pytest.raises(ValueError, match="Two copies of a layer are for bits"):
        copied_part(DeepModel([(unit, 3)], [(BITS, 2), (BITS, 2)]), 0)
    with pytest.raises(ValueError, match="Two copies"):
        copied_part(DeepModel([(BITS, 3)], [(BITS, 2), (unit, 3)]), 1)


def test_columns_of_the_topmost_part_are_refused():
    label = Pathway([(Categorical((3,)), 3)], [])
    with pytest.raises(ValueError, match="below the topmost one"):
        copied_part(TreeModel([Pathway([(BITS, 3)], [(BITS, 2)]), label], (BITS, 2)), 1)
