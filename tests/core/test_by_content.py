"""ebm.samplers.by_content, and the bounds whose draws are made by it."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._batches import row_fingerprints
from ebm._random import Key, fold
from ebm.likelihood import reconstruction_error
from ebm.likelihood.bounds import variational_bound
from ebm.samplers import sample_by_content
from ebm.units import Bernoulli, Gaussian, Spin
from tests.models.belief import STACKS, random_stack, spelled
from tests.oracles import belief
from tests.oracles.rbm import all_states
from tests.statistics import assert_same_mean

KEY = Key(3, 4)


@pytest.mark.parametrize("unit", [Bernoulli(), Spin(), Gaussian()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_draws_by_its_identity_alone(unit, dtype):
    rng = np.random.default_rng(0)
    own = unit.neutral(3, np.dtype(dtype))
    inputs = rng.normal(size=(10, 3)).astype(dtype)
    identities = np.array([7, 2**63 + 5, 0, 7, 11], np.uint64)
    drawn = sample_by_content(unit, own, inputs, identities, KEY, 2)
    assert drawn.dtype == dtype
    for row, identity in enumerate(identities):
        mine = slice(2 * row, 2 * row + 2)
        alone = unit.sample(own, inputs[mine], fold(KEY, int(identity)))
        assert np.array_equal(drawn[mine], alone)
    first = sample_by_content(unit, own, inputs[::2], identities, KEY)
    assert np.array_equal(first, drawn[::2])


def test_equal_rows_have_equal_identities_however_they_are_stored():
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    identities = row_fingerprints(x)
    assert len(set(identities)) == 4
    assert np.array_equal(row_fingerprints(x[::-1].astype(np.float64)), identities[::-1])


@pytest.mark.needs_jit
def test_draws_of_different_rows_are_independent():
    own, n = Bernoulli().neutral(2, np.dtype(np.float64)), 20_000
    identities = row_fingerprints(np.arange(2.0 * n).reshape(n, 2))
    drawn = sample_by_content(Bernoulli(), own, np.zeros((n, 2)), identities, KEY)
    pairs = drawn[:-1, :1] * drawn[1:]  # neighbours
    assert_same_mean(drawn, np.full(2, 0.5), variance=0.25)
    assert_same_mean(pairs[::2], np.full(2, 0.25), variance=3 / 16)


@pytest.mark.parametrize("n_labels", [0, 2])
def test_bounds_of_rows_do_not_depend_on_their_place(n_labels):
    kinds, sizes = STACKS["binary"]
    oracle = random_stack(kinds, sizes, n_labels=n_labels, seed=1)
    model, params = spelled(oracle)
    v = all_states(sizes[0] + n_labels)

    def bound(rows):
        same = row_fingerprints(rows)
        return variational_bound(model, params, rows, 0.0, KEY, 3, identities=same)[0]

    values = bound(v)
    np.testing.assert_allclose(bound(v[::-1]), values[::-1], rtol=0, atol=1e-12)
    np.testing.assert_allclose(bound(v[2:3]), values[2:3], rtol=0, atol=1e-12)


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_labels", [0, 2])
def test_draws_by_content_estimate_the_bound_without_bias(n_labels):
    kinds, sizes = STACKS["binary"]
    oracle = random_stack(kinds, sizes, n_labels=n_labels, seed=1)
    v, n = all_states(sizes[0] + n_labels), sizes[0]
    exact = [belief.bound(oracle, x[:n], x[n:] if n_labels else None) for x in v]
    settings = {"n_samples": 5, "identities": row_fingerprints(v)}
    found = (*spelled(oracle), v, belief.log_partition(oracle))
    estimates = [variational_bound(*found, fold(KEY, k), **settings)[0] for k in range(200)]
    assert_same_mean(estimates, np.array(exact))


def test_a_small_network_is_visited_unasked():
    oracle = random_stack(seed=1)
    model, params = spelled(oracle)
    v = all_states(3)
    values, errors = variational_bound(model, params, v, 0.0, KEY, 2, method="auto")
    exact, _ = variational_bound(model, params, v, 0.0, KEY, 2, method="exact")
    assert np.array_equal(values, exact)
    assert not errors.any()
    oracle = random_stack(("binary",) * 3, (3, 9, 2), seed=1)
    values, errors = variational_bound(*spelled(oracle), v, 0.0, KEY, 2, method="auto")
    assert errors.any()


@pytest.mark.parametrize("name", [*STACKS])
def test_reconstruction_errors_of_stacks(name):
    oracle = random_stack(*STACKS[name], seed=2)
    model, params = spelled(oracle)
    v = np.random.default_rng(0).integers(0, 2, (5, STACKS[name][1][0])).astype(float)
    *_, highest = model.means_up(params, v)
    down = model.mean_down(params, highest, len(STACKS[name][1]) - 1)
    by_hand = sum((a - b) ** 2 for a, b in zip(down.flat, v.flat, strict=True)) / v.size
    assert reconstruction_error(model, params, v) == pytest.approx(by_hand, rel=1e-12)
    with pytest.raises(TypeError, match="There is no pass up and down of 3"):
        reconstruction_error(3, params, v)
