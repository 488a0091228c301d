"""ebm.samplers.block_gibbs: the same numbers, the transition row, the stationary law."""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key, fold
from ebm.samplers import block_gibbs, conditional_mean
from ebm.samplers.block_gibbs import clamp
from tests.checks import assert_leaves_the_law_unchanged, assert_samples_the_transition_row
from tests.models import PAIRS, library_model, library_params, oracle_model, rows_for
from tests.oracles import draws, rbm
from tests.oracles.data import sample_states
from tests.statistics import assert_same_distribution, assert_same_mean, joint_counts

KEY = Key(3, 4)
BETAS = [0.4, 1.0, 2.0]
GIVEN = np.array([np.nan, 1.0, np.nan, 0.0])


def stepper(model, n_steps=1, *, beta=1.0, given=None, dtype=np.float64, key=KEY):
    library, params = library_model(model), library_params(model, dtype)

    def step(v):
        rows = None if given is None else np.broadcast_to(given, v.shape).astype(dtype)
        return block_gibbs(library, params, v.astype(dtype), key, n_steps, beta=beta, given=rows)

    return step


def twin(model, v, key, n_steps, beta=1.0, given=None):
    known = np.zeros(v.shape, bool) if given is None else ~np.isnan(given)
    v = np.where(known, given, v) if given is not None else v
    for step in range(n_steps):
        h = draws.hidden(model, v, draws.fold(key, 2 * step), beta)
        v = draws.visible(model, h, draws.fold(key, 2 * step + 1), beta)
        v = np.where(known, given, v) if given is not None else v
    return v, h


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("pair", PAIRS)
def test_walk_equals_its_twin_on_the_same_random_numbers(pair, beta):
    model = oracle_model(*pair)
    start = rows_for(model, 6)
    v, h = stepper(model, 3, beta=beta)(start)
    expected_v, expected_h = twin(model, start, KEY, 3, beta)
    np.testing.assert_allclose(v, expected_v, rtol=0, atol=1e-10)
    np.testing.assert_allclose(h, expected_h, rtol=0, atol=1e-10)


@pytest.mark.parametrize("pair", PAIRS)
def test_clamped_walk_equals_its_twin(pair):
    model = oracle_model(*pair)
    start = rows_for(model, 6)
    given = np.tile(GIVEN, (6, 1))
    v, h = stepper(model, 2, given=given)(start)
    expected_v, expected_h = twin(model, start, KEY, 2, given=given)
    np.testing.assert_allclose(v, expected_v, rtol=0, atol=1e-10)
    np.testing.assert_allclose(h, expected_h, rtol=0, atol=1e-10)


def test_the_start_is_not_modified():
    model = oracle_model()
    start = rows_for(model, 5)
    before = start.copy()
    start.flags.writeable = False
    stepper(model, 2)(start)
    np.testing.assert_array_equal(start, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pair", PAIRS)
def test_precision_goes_through(pair, dtype):
    model = oracle_model(*pair)
    given = np.tile(GIVEN, (5, 1))
    for known in (None, given):
        chains = stepper(model, 2, given=known, dtype=dtype)(rows_for(model, 5))
        assert chains.v.dtype == chains.h.dtype == dtype


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("beta", BETAS)
def test_one_step_samples_the_transition_row(beta, dtype):
    model = oracle_model()
    step = stepper(model, beta=beta, dtype=dtype)
    assert_samples_the_transition_row(step, model, np.array([1.0, 0.0, 1.0, 1.0]), beta)


@pytest.mark.needs_jit
def test_one_step_from_grey_values_samples_the_transition_row():
    model = oracle_model()
    assert_samples_the_transition_row(stepper(model), model, np.array([0.2, 0.9, 0.5, 0.0]))


@pytest.mark.needs_jit
def test_one_clamped_step_samples_the_clamped_transition_row():
    model = oracle_model()
    start = np.array([1.0, 1.0, 0.0, 0.0])
    step = stepper(model, given=GIVEN)
    assert_samples_the_transition_row(step, model, start, given=GIVEN)


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize("beta", BETAS)
def test_the_joint_law_is_stationary(beta, n_steps):
    model = oracle_model()
    assert_leaves_the_law_unchanged(stepper(model, n_steps, beta=beta), model, beta)


@pytest.mark.needs_jit
def test_the_conditional_law_is_stationary_under_clamping():
    model = oracle_model()
    assert_leaves_the_law_unchanged(stepper(model, 3, given=GIVEN), model, given=GIVEN)


@pytest.mark.needs_jit
def test_the_walk_forgets_its_start():
    model = oracle_model(scale=0.5)
    start = np.zeros(4)
    v, h = stepper(model, 60)(np.tile(start, (40_000, 1)))
    assert_same_distribution(joint_counts(v, h), rbm.joint_probabilities(model))


@pytest.mark.needs_jit
@pytest.mark.parametrize("beta", BETAS)
def test_gaussian_visible_units_keep_their_moments(beta):
    """From exact draws (h, then v given h) one step leaves means and second moments of v."""
    model = oracle_model("gaussian", "bernoulli", (3, 2))
    law = rbm.hidden_probabilities(model, beta)
    rng = np.random.default_rng(8)
    h = sample_states(law, 40_000, rng)
    sd = np.exp(model.z / 2) / np.sqrt(beta)
    v = model.b + h @ model.W.T + sd * rng.normal(size=(40_000, 3))
    new = stepper(model, 1, beta=beta)(v)
    means = model.b + rbm.all_states(2) @ model.W.T
    mean = law @ means
    second = np.einsum("k,ki,kj->ij", law, means, means) + np.diag(sd**2)
    products = np.einsum("ri,rj->rij", new.v, new.v).reshape(-1, 9)
    assert_same_mean(np.hstack([new.v, products]), np.concatenate([mean, second.ravel()]))


# Clamping ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clamped_units_keep_their_values_bit_for_bit(dtype):
    model = oracle_model("gaussian", "bernoulli")
    given = np.full((6, 4), np.nan, dtype)
    given[:, 1] = np.pi
    given[::2, 3] = -0.0
    known = ~np.isnan(given)
    v = stepper(model, 3, given=given, dtype=dtype)(rows_for(model, 6)).v
    assert v[known].tobytes() == given[known].tobytes()
    assert not np.isnan(v).any()


def test_clamping_everything_returns_what_was_given():
    model = oracle_model()
    given = rows_for(model, 5)
    np.testing.assert_array_equal(stepper(model, 2, given=given)(1 - given).v, given)


def test_clamping_nothing_is_no_clamping():
    model = oracle_model()
    start = rows_for(model, 5)
    free = stepper(model, 2, given=np.full((5, 4), np.nan))(start)
    for a, b in zip(free, stepper(model, 2)(start), strict=True):
        np.testing.assert_array_equal(a, b)


def test_clamp_without_conditions_is_the_identity():
    v = np.zeros((2, 3))
    assert clamp(v, None) is v


# Conditional means ---------------------------------------------------------------------------


def exact_conditional(model, given):
    states, p = rbm.all_states(len(model.b)), rbm.visible_probabilities(model)
    agrees = np.all(np.isnan(given) | (states == given), axis=1)
    p = np.where(agrees, p, 0) / p[agrees].sum()
    return p, p @ states


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 2, 7])
def test_conditional_mean_is_unbiased_from_conditional_draws(n_steps):
    model = oracle_model()
    p, mean = exact_conditional(model, GIVEN)
    start = sample_states(p, 20_000, np.random.default_rng(2))
    estimate = conditional_mean(
        library_model(model),
        library_params(model),
        start,
        KEY,
        n_steps,
        np.broadcast_to(GIVEN, start.shape),
    )
    assert_same_mean(estimate, mean)


@pytest.mark.needs_jit
def test_conditional_mean_converges_from_anywhere():
    model = oracle_model(scale=0.5)
    _, mean = exact_conditional(model, GIVEN)
    start = np.zeros((2000, 4))
    given = np.broadcast_to(GIVEN, start.shape)
    args = (library_model(model), library_params(model), start, KEY, 100, given)
    assert_same_mean(conditional_mean(*args), mean)


def test_conditional_mean_keeps_what_is_known_bit_for_bit():
    model = oracle_model("gaussian", "bernoulli")
    given = np.tile([np.nan, 0.1, -0.0, np.nan], (4, 1))
    library, params = library_model(model), library_params(model)
    filled = conditional_mean(library, params, rows_for(model, 4), KEY, 5, given)
    assert filled[:, 1:3].tobytes() == given[:, 1:3].copy().tobytes()
    assert np.isfinite(filled).all()


def test_conditional_mean_of_one_step_is_the_mean_given_h():
    model = oracle_model()
    start = rows_for(model, 4)
    given = np.full((4, 4), np.nan)
    library, params = library_model(model), library_params(model)
    estimate = conditional_mean(library, params, start, KEY, 1, given)
    h = draws.hidden(model, start, fold(fold(KEY, 1), 0))
    expected = [rbm.visible_moments(model, row)[0] for row in h]
    np.testing.assert_allclose(estimate, expected, rtol=0, atol=1e-14)
