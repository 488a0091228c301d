"""ebm.samplers.ancestral: free samples, and the transition row and stationary law of clamped ones."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key, fold, permutation
from ebm.samplers import Gibbs, Target, conditional_mean, run_chain, sample_rows
from ebm.samplers.ancestral import HIDDEN, ORDER, explain
from tests.checks.belief import (
    KNOWN,
    assert_leaves_the_posterior_unchanged,
    assert_samples_the_clamped_row,
)
from tests.models.belief import STACKS, data_for, random_stack, spelled
from tests.oracles import belief
from tests.statistics import assert_same_distribution, assert_same_mean

KEY = Key(31, 32)
N = 40_000


def stepper(oracle, known, beta, n_blocks):
    model, params = spelled(oracle)

    def step(now):
        given = np.tile(known, (len(now.states[0]), 1))
        return explain(model, params, now, given, KEY, beta=beta, n_blocks=n_blocks)

    return step


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_blocks", [1, 2])
@pytest.mark.parametrize("beta", [1.0, 0.5])
@pytest.mark.parametrize("name", KNOWN)
def test_a_clamped_step_samples_the_transition_row(name, beta, n_blocks):
    oracle, known = KNOWN[name]
    orders = [permutation(fold(fold(KEY, HIDDEN + k), ORDER), 2) for k in (1, 2)]
    blocks = [np.array_split(order, n_blocks) for order in orders]
    step = stepper(oracle, known, beta, n_blocks)
    assert_samples_the_clamped_row(step, oracle, known, blocks, beta)


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_blocks", [1, 2])
@pytest.mark.parametrize("beta", [1.0, 0.5])
@pytest.mark.parametrize("name", KNOWN)
def test_the_law_given_what_is_known_is_stationary(name, beta, n_blocks):
    oracle, known = KNOWN[name]
    step = stepper(oracle, known, beta, n_blocks)
    assert_leaves_the_posterior_unchanged(step, oracle, known, beta)


def visible_law(oracle, known, beta=1.0):
    """Rows (x_0, labels), each once, and their probabilities given the known ones."""
    rows = np.array([np.concatenate([x[0], e]) for x, e in belief.complete_states(oracle)])
    cells, which = np.unique(rows, axis=0, return_inverse=True)
    return cells, np.bincount(which.ravel(), belief.posterior(oracle, known, beta))


def assert_rows_follow(rows, cells, p):
    assert_same_distribution([(rows == cell).all(axis=1).sum() for cell in cells], p)


@pytest.mark.needs_jit
@pytest.mark.parametrize("known", [[np.nan] * 3, [np.nan, np.nan, 1.0], [np.nan, -1.0, np.nan]])
def test_chains_forget_their_start(known):
    """Free, free given an label unit, and clamped chains."""
    oracle = random_stack(("spin", "binary", "binary", "spin"), (2, 2, 2, 2), 1, seed=8, scale=0.5)
    model, params = spelled(oracle)
    start, given = -np.ones((N // 2, 3)), np.tile(known, (N // 2, 1))
    rows = sample_rows(model, params, start, KEY, 30, given=given)
    assert_rows_follow(rows, *visible_law(oracle, known))


@pytest.mark.needs_jit
def test_the_temperature_is_that_of_the_top():
    oracle = random_stack(("binary",) * 3, (2, 2, 2), seed=3)
    model, params = spelled(oracle)
    rows = sample_rows(model, params, np.zeros((N // 2, 2)), KEY, 20, beta=0.4)
    assert_rows_follow(rows, *visible_law(oracle, [np.nan] * 2, 0.4))


@pytest.mark.needs_jit
@pytest.mark.parametrize("known", [[np.nan] * 3, [1.0, np.nan, np.nan]])
def test_conditional_means_converge(known):
    oracle = random_stack(("spin", "binary", "binary", "spin"), (2, 2, 2, 2), 1, seed=8, scale=0.5)
    model, params = spelled(oracle)
    cells, p = visible_law(oracle, known)
    start, given = -np.ones((2000, 3)), np.tile(known, (2000, 1))
    means = conditional_mean(model, params, start, KEY, 60, given)
    assert_same_mean(means, p @ cells)
    again = conditional_mean(model, params, start, KEY, 60, given)
    np.testing.assert_array_equal(means, again)


# Rows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", STACKS)
def test_what_is_known_is_kept_bit_for_bit(name, dtype):
    oracle = random_stack(*STACKS[name], n_labels=1)
    model, params = spelled(oracle, dtype)
    start = data_for(oracle, 6).astype(dtype)
    given = np.where(np.arange(start.size).reshape(start.shape) % 4 == 1, start, np.nan)
    given = given.astype(dtype)
    known = ~np.isnan(given)
    before = start.copy()
    for rows in (
        run_chain(model, params, -start, KEY, 3, given=given),
        conditional_mean(model, params, -start, KEY, 3, given),
        sample_rows(model, params, -start, KEY, 3, given=given, mean=True)
        if params.down
        else given,
    ):
        assert rows.dtype == dtype and rows.shape == start.shape
        assert rows[known].tobytes() == given[known].tobytes()
    np.testing.assert_array_equal(start, before)


def test_a_chain_does_not_depend_on_what_others_are_given():
    model, params = spelled(random_stack(n_labels=1))
    start = data_for(random_stack(n_labels=1), 6)
    given = np.full(start.shape, np.nan)
    free = run_chain(model, params, start, KEY, 4)
    np.testing.assert_array_equal(run_chain(model, params, start, KEY, 4, given=given), free)
    given[1::2, 0] = 1.0
    mixed = run_chain(model, params, start, KEY, 4, given=given)
    np.testing.assert_array_equal(mixed[::2], free[::2])
    given[::2, 1] = 0.0
    all_known = run_chain(model, params, start, KEY, 4, given=given)
    np.testing.assert_array_equal(all_known[1::2], mixed[1::2])


def test_a_single_machine_walks_by_itself():
    oracle = random_stack(*STACKS["single"], n_labels=1)
    model, params = spelled(oracle)
    start, given = data_for(oracle, 5), np.tile([np.nan, 1.0, np.nan, np.nan], (5, 1))
    top = model.fused_top(params)
    for known in (None, given):
        expected = run_chain(*top, start, KEY, 3, given=known)
        np.testing.assert_array_equal(
            run_chain(model, params, start, KEY, 3, given=known), expected
        )
    expected = conditional_mean(*top, start, KEY, 3, given)
    means = conditional_mean(model, params, start, KEY, 3, given)
    np.testing.assert_array_equal(means, expected)


def test_samples_can_end_in_means():
    model, params = spelled(random_stack())
    start = data_for(random_stack(), 5)
    means = sample_rows(model, params, start, KEY, 3, mean=True)
    assert ((means > 0) & (means < 1)).all()
    draws = sample_rows(model, params, start, KEY, 3)
    assert np.isin(draws, (0, 1)).all()


def test_traces_are_energies_of_where_the_chains_are():
    oracle = random_stack(n_labels=1)
    model, params = spelled(oracle)
    start, given = data_for(oracle, 4), np.full((4, 4), np.nan)
    given[:2, 0] = 1.0
    draws = Gibbs().draw(Target(model, params, 1.0, given), start, KEY, 6)
    assert draws.trace.shape == (4, 3) and np.isfinite(draws.trace).all()
    trace = np.empty((4, 1))
    run_chain(model, params, start, KEY, 1, given=given, trace=trace)
    one = np.empty((4, 2))
    run_chain(model, params, start, KEY, 2, given=given, trace=one)
    np.testing.assert_array_equal(one[:, :1], trace)
