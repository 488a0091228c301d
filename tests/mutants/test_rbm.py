"""The checks have teeth: each rejects the known-wrong implementations, and accepts a right one.

The mutants are mistakes that were really made, here or elsewhere; each is written beside the
right line it differs from.
"""

from __future__ import annotations

import numpy as np
import pytest

from ebm._random import Key, fold
from ebm.networks.activations import Tanh
from ebm.networks.dense import Dense, DenseParameters
from ebm.networks.losses import SquaredError
from ebm.networks.network import Network
from ebm.networks.pruning import second_derivatives
from ebm.optimizers import Momentum
from ebm.optimizers.base import UNLIMITED
from ebm.samplers import anneal, anneal_back, block_gibbs
from ebm.samplers import tempering as swaps
from ebm.units import Gaussian
from tests.checks import (
    assert_clips_what_the_data_say,
    assert_correlations,
    assert_diagonal_of_the_hessian,
    assert_energy,
    assert_exact_gradient,
    assert_expects_contrastive_divergence,
    assert_fast_weights,
    assert_first_step_is_one_rate_long,
    assert_follows_its_box,
    assert_free_energy,
    assert_gradient_over_flips,
    assert_inverse_weights_are_unbiased,
    assert_leaves_the_law_unchanged,
    assert_momentum,
    assert_moves_on,
    assert_samples_the_transition_row,
    assert_softplus,
    assert_sparsity_slope,
    assert_stationary,
    assert_stays_at_zero,
    assert_sweeps_have_the_row,
    assert_sweeps_leave_the_product_law,
    assert_weights_are_unbiased,
)
from tests.models import (
    flat,
    hidden_rows_for,
    library_model,
    library_params,
    library_path,
    oracle_model,
    path_of,
    rows_for,
    uneven,
)
from tests.oracles import annealing, rbm, rbm_flips, rbm_gradients
from tests.oracles.rbm import OracleRBM
from tests.statistics import assert_increasing, assert_same_mean

KEY = Key(5, 6)
MODEL = oracle_model()
LIBRARY, PARAMS = library_model(MODEL), library_params(MODEL)
START = np.array([1.0, 0.0, 1.0, 1.0])


def rejects(check, *args, **kwargs):
    with pytest.raises(AssertionError):
        check(*args, **kwargs)


# Samplers ------------------------------------------------------------------------------------


def right_step(v, key=KEY, n_steps=1):
    return block_gibbs(LIBRARY, PARAMS, v, key, n_steps)


def dropped_visible_bias(v):
    wrong = PARAMS._replace(visible=type(PARAMS.visible)(0 * PARAMS.visible.bias))
    return block_gibbs(LIBRARY, wrong, v, KEY, 1)


def dropped_hidden_bias(v):
    wrong = PARAMS._replace(hidden=type(PARAMS.hidden)(0 * PARAMS.hidden.bias))
    return block_gibbs(LIBRARY, wrong, v, KEY, 1)


def temperature_applied_once_more(v):
    return block_gibbs(LIBRARY, PARAMS, v, KEY, 1, beta=1.5)


def stale_h(v):
    """The h that is handed back is not the one that v was drawn from."""
    old = LIBRARY.sample_hidden(PARAMS, v, fold(KEY, 7))
    return block_gibbs(LIBRARY, PARAMS, v, KEY, 1).v, old


def synchronous_update(v):
    """Both layers renewed at once, each from the old state of the other."""
    h = LIBRARY.sample_hidden(PARAMS, v, fold(KEY, 1))
    new_v = LIBRARY.sample_visible(PARAMS, h, fold(KEY, 2))
    new_h = LIBRARY.sample_hidden(PARAMS, v, fold(KEY, 3))
    return new_v, new_h


def same_numbers_for_both_layers(v):
    """One key for h and for v: the uniforms that decide them are the same."""
    h = LIBRARY.sample_hidden(PARAMS, v, KEY)
    return LIBRARY.sample_visible(PARAMS, h, KEY), h


def same_numbers_for_all_chains(v):
    """A key without a row."""
    h = np.vstack([LIBRARY.sample_hidden(PARAMS, v[i : i + 1], KEY) for i in range(500)])
    return LIBRARY.sample_visible(PARAMS, h, fold(KEY, 1)), h


def means_instead_of_samples(v):
    """The threshold one half."""
    h = np.round(LIBRARY.hidden_mean(PARAMS, v))
    return LIBRARY.sample_visible(PARAMS, h, KEY), h


def never_moves(v):
    return v, LIBRARY.sample_hidden(PARAMS, v, KEY)


WRONG_STEPS = [
    dropped_visible_bias,
    dropped_hidden_bias,
    temperature_applied_once_more,
    stale_h,
    synchronous_update,
    same_numbers_for_both_layers,
    means_instead_of_samples,
]


@pytest.mark.needs_jit
@pytest.mark.parametrize("mutant", [*WRONG_STEPS, never_moves], ids=lambda f: f.__name__)
def test_transition_row_rejects(mutant):
    assert_samples_the_transition_row(right_step, MODEL, START)
    rejects(assert_samples_the_transition_row, mutant, MODEL, START)


def test_transition_row_rejects_chains_that_move_together():
    rejects(assert_samples_the_transition_row, same_numbers_for_all_chains, MODEL, START, n=500)


@pytest.mark.needs_jit
@pytest.mark.parametrize("mutant", WRONG_STEPS, ids=lambda f: f.__name__)
def test_stationarity_rejects(mutant):
    assert_leaves_the_law_unchanged(right_step, MODEL)
    rejects(assert_leaves_the_law_unchanged, mutant, MODEL)


@pytest.mark.needs_jit
def test_stationarity_alone_passes_a_kernel_that_never_moves():
    """Why the transition row is checked too."""
    assert_leaves_the_law_unchanged(never_moves, MODEL)


@pytest.mark.needs_jit
def test_visible_frequencies_alone_pass_a_stale_h():
    """Why the law is checked jointly."""
    n = 40_000
    law = rbm.hidden_given_visible(MODEL, START) @ [
        rbm.visible_given_hidden(MODEL, h) for h in rbm.all_states(3)
    ]
    for step in (stale_h, synchronous_update):
        v, _ = step(np.tile(START, (n, 1)))
        assert_same_mean(v, law @ rbm.all_states(4))


# Contrastive gradients -----------------------------------------------------------------------

X = rows_for(MODEL, 7)
H = hidden_rows_for(MODEL, 5)


def mean_statistics(v, h):
    """The mean over rows of the plain statistics of a binary model, in the oracle's spelling."""
    return OracleRBM(v.T @ h / len(v), v.mean(axis=0), h.mean(axis=0))


def phases(seed, n_steps=1, params=PARAMS):
    """Both averages of one CD-k estimate, by NumPy."""
    last = block_gibbs(LIBRARY, params, X, fold(KEY, seed), n_steps).v
    return (
        mean_statistics(X, LIBRARY.hidden_mean(PARAMS, X)),
        mean_statistics(last, LIBRARY.hidden_mean(PARAMS, last)),
    )


def persistent_phases(seed):
    last = LIBRARY.sample_visible(PARAMS, H, fold(KEY, seed))
    return (
        mean_statistics(X, LIBRARY.hidden_mean(PARAMS, X)),
        mean_statistics(last, LIBRARY.hidden_mean(PARAMS, last)),
    )


def difference(positive, negative, factor=1.0):
    return rbm_gradients.weighted_sum([1.0, -factor], [positive, negative])


def assert_expects_persistent_divergence(estimate, n=3000):
    law = np.mean([rbm.visible_given_hidden(MODEL, h) for h in H], axis=0)
    terms = [rbm_gradients.statistics_given_visible(MODEL, v) for v in rbm.all_states(4)]
    negative = rbm_gradients.weighted_sum(law, terms)
    positive = rbm_gradients.data_statistics(MODEL, X)
    samples = np.array([flat(estimate(i)) for i in range(n)])
    assert_same_mean(samples, flat(positive) - flat(negative))


@pytest.mark.needs_jit
def test_expectation_of_the_estimate_rejects_a_negative_phase_divided_by_the_data_count():
    """Five chains, divided by seven rows."""
    assert_expects_persistent_divergence(lambda i: difference(*persistent_phases(i)))
    rejects(
        assert_expects_persistent_divergence,
        lambda i: difference(*persistent_phases(i), len(H) / len(X)),
    )


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(
            lambda i: rbm_gradients.weighted_sum([7 / 8, -7 / 8], phases(i)),
            id="a ragged batch of seven divided by the batch size of eight",
        ),
        pytest.param(lambda i: difference(*phases(i, 2)), id="one step too many"),
        pytest.param(lambda i: difference(*phases(i)[::-1]), id="downhill"),
        pytest.param(
            lambda i: difference(*phases(i, params=PARAMS._replace(W=0.5 * PARAMS.W))),
            id="stale weights",
        ),
        pytest.param(
            lambda i: difference(
                phases(i)[0],
                mean_statistics(
                    block_gibbs(LIBRARY, PARAMS, X, fold(KEY, i), 1).v,
                    LIBRARY.hidden_mean(PARAMS, X),
                ),
            ),
            id="stale h",
        ),
    ],
)
def test_expectation_of_the_estimate_rejects(mutant):
    assert_expects_contrastive_divergence(lambda i: difference(*phases(i)), MODEL, X, 1)
    rejects(assert_expects_contrastive_divergence, mutant, MODEL, X, 1)


@pytest.mark.needs_jit
def test_two_updates_reject_a_chain_that_is_restarted():
    start = np.array([0.0, 1.0, 1.0])

    def right(seed, h):
        v = LIBRARY.sample_visible(PARAMS, h, fold(KEY, 2 * seed))
        return LIBRARY.sample_hidden(PARAMS, v, fold(KEY, 2 * seed + 1))

    def restarted(seed, h):
        return right(seed, np.tile(start, (len(h), 1)))

    assert_moves_on(right, MODEL, start)
    rejects(assert_moves_on, restarted, MODEL, start)


# Exact gradients -----------------------------------------------------------------------------


def test_finite_differences_reject_wrong_slopes():
    model = oracle_model("gaussian", "bernoulli", (2, 2))
    rows = rows_for(model, 4)
    gradient = rbm_gradients.log_likelihood_gradient(model, rows)
    assert_exact_gradient(gradient, model, rows)
    variance = np.exp(model.z)
    for wrong in (
        {"W": gradient.W * variance[:, np.newaxis]},  # x instead of s(x) = x / sigma^2
        {"b": gradient.b * np.sqrt(variance)},  # sigma for variance
        {"z": 2 * gradient.z},  # by log sigma instead of log sigma^2
        {"c": gradient.c + 1e-6},
    ):
        rejects(assert_exact_gradient, OracleRBM(**{**vars(gradient), **wrong}), model, rows)


# Gradients over flips --------------------------------------------------------------------------

WEIGHTS = np.arange(1, 8) / 28


def over_flips(share, sign=1.0):
    """Sum over rows and flips of share(q) times the difference of the statistics, by NumPy."""
    total = OracleRBM(0 * MODEL.W, 0 * MODEL.b, 0 * MODEL.c)
    at_v, F = LIBRARY.hidden_mean(PARAMS, X), LIBRARY.free_energy(PARAMS, X)
    for i in range(X.shape[1]):
        Y = X.copy()
        Y[:, i] = 1 - X[:, i]
        q = 1 / (1 + np.exp(LIBRARY.free_energy(PARAMS, Y) - F))
        w, at_y = WEIGHTS * share(q), LIBRARY.hidden_mean(PARAMS, Y)
        here, there = (OracleRBM((v.T * w) @ h, w @ v, w @ h) for v, h in ((X, at_v), (Y, at_y)))
        total = rbm_gradients.weighted_sum([1.0, sign, -sign], [total, here, there])
    return total


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param({"share": lambda q: 2 * q**2}, id="without the factor 1 - q"),
        pytest.param({"share": lambda q: 2 * q * (1 - q)}, id="q for its square"),
        pytest.param({"share": lambda q: q**2 * (1 - q)}, id="without the factor two"),
        pytest.param({"share": lambda q: 2 * q**2 * (1 - q), "sign": -1.0}, id="downhill"),
    ],
)
def test_slopes_of_ratio_matching_reject(mutant):
    right = over_flips(lambda q: 2 * q**2 * (1 - q))
    assert_gradient_over_flips(right, MODEL, X, WEIGHTS, ratio=True)
    rejects(assert_gradient_over_flips, over_flips(**mutant), MODEL, X, WEIGHTS, ratio=True)


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(lambda q: 1 - q, id="the row's own probability for the flip's"),
        pytest.param(lambda q: q * (1 - q), id="the slope of q, without the logarithm"),
    ],
)
def test_slopes_of_the_pseudo_likelihood_reject(mutant):
    assert_gradient_over_flips(over_flips(lambda q: q), MODEL, X, WEIGHTS, ratio=False)
    rejects(assert_gradient_over_flips, over_flips(mutant), MODEL, X, WEIGHTS, ratio=False)


def test_the_oracles_of_the_pseudo_likelihood_agree():
    """The table of p(v) by definition, and the logarithms of the flips' probabilities."""
    by_table = WEIGHTS @ rbm.pseudo_log_likelihood(MODEL, X)
    np.testing.assert_allclose(rbm_flips.pseudo_log_likelihood(MODEL, X, WEIGHTS), by_table)


# Annealing -----------------------------------------------------------------------------------

ROAD = path_of()
TABLE, PATH = annealing.tabulate(ROAD), library_path(ROAD)


def right_weights(ts, n):
    return anneal(PATH, ts, n, KEY).log_weights


def walked(ts, n, step):
    """Forward by the library's parts: ``step(log_weights, x, k, stages)`` returns the new states."""
    stages = [PATH.stage(t) for t in ts]
    x, log_weights = PATH.start(n, fold(KEY, 0)), np.zeros(n)
    for k in range(1, len(ts)):
        x = step(log_weights, x, k, stages)
    return log_weights


def move(x, k, stage):
    return PATH.move(x, PATH.inputs(x), [stage], fold(KEY, k))


def gain(x, first, last):
    return PATH.gain(x, PATH.inputs(x), first, last)


def weighed_then_moved(log_weights, x, k, stages):
    log_weights += gain(x, stages[k - 1], stages[k])
    return move(x, k, stages[k])


def moved_then_weighed(log_weights, x, k, stages):
    x = move(x, k, stages[k])
    log_weights += gain(x, stages[k - 1], stages[k])
    return x


def moved_at_the_temperature_before(log_weights, x, k, stages):
    log_weights += gain(x, stages[k - 1], stages[k])
    return move(x, k, stages[k - 1])


def off_by_one(log_weights, x, k, stages):
    """The last temperature is never reached."""
    if k < len(stages) - 1:
        return weighed_then_moved(log_weights, x, k, stages)
    return x


def wrong_sign(log_weights, x, k, stages):
    log_weights -= gain(x, stages[k - 1], stages[k])
    return move(x, k, stages[k])


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 3, 10])
@pytest.mark.parametrize(
    "mutant",
    [moved_then_weighed, moved_at_the_temperature_before, off_by_one, wrong_sign],
    ids=lambda f: f.__name__,
)
def test_expected_weights_reject(mutant, n_steps):
    """At 20 000 particles already."""
    ts = uneven(n_steps)
    for right in (right_weights, lambda ts, n: walked(ts, n, weighed_then_moved)):
        assert_weights_are_unbiased(lambda n: right(ts, n), TABLE, ts, n=20_000)  # noqa: B023
    if mutant is moved_at_the_temperature_before and n_steps == 1:
        return  # the one weight is taken before the one move
    rejects(assert_weights_are_unbiased, lambda n: walked(ts, n, mutant), TABLE, ts, n=20_000)


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 3, 10])
def test_expected_inverse_weights_reject_a_start_that_is_not_the_models(n_steps):
    """From draws of the base, and from the ends of a hasty way there."""
    ts = uneven(n_steps)

    def back(x):
        return anneal_back(PATH, ts, x, KEY).log_weights

    def from_the_base(x):
        return back(PATH.start(len(x), fold(KEY, 3)))

    def from_the_particles(x):
        return back(anneal(PATH, uneven(2), len(x), fold(KEY, 3)).x)

    def weighed_before_the_move(x):
        stages, log_weights = [PATH.stage(t) for t in ts], np.zeros(len(x))
        for k in range(len(ts) - 1, 0, -1):
            log_weights += gain(x, stages[k - 1], stages[k])
            x = move(x, k, stages[k])
        return log_weights

    assert_inverse_weights_are_unbiased(back, TABLE, ts, n=60_000)
    mutants = [from_the_base, from_the_particles]
    if n_steps > 1:  # else the one weight may as well be that of the draws themselves
        mutants.append(weighed_before_the_move)
    for mutant in mutants:
        rejects(assert_inverse_weights_are_unbiased, mutant, TABLE, ts, n=60_000)


# Tempering -----------------------------------------------------------------------------------

LADDER = (1.0, 0.6, 0.0)
STRONG = annealing.Path(path_of(shape=(2, 2)).base, oracle_model(shape=(2, 2), scale=3.0))


def sweeper(swap, with_inputs=True, n_sweeps=1):
    """A move of all replicas, then ``swap(log_ratio, u)`` says which pairs exchange."""
    path = library_path(STRONG)
    stages = [path.stage(t) for t in LADDER]

    def sweep(x):
        n = x.shape[1]
        flat_x = x.reshape(-1, x.shape[-1])
        inputs = path.inputs(flat_x)
        for s in range(n_sweeps):
            key = fold(KEY, s)
            flat_x = path.move(flat_x, inputs, stages, fold(key, 0))
            inputs = path.inputs(flat_x)
            u = np.random.default_rng(s).random((len(LADDER), n))
            for r in range(s % 2, len(LADDER) - 1, 2):
                a, b = (slice(k * n, (k + 1) * n) for k in (r, r + 1))
                ratio = path.gain(flat_x[a], inputs[a], stages[r], stages[r + 1])
                ratio += path.gain(flat_x[b], inputs[b], stages[r + 1], stages[r])
                yes = np.flatnonzero(swap(ratio, u[r]))
                for array in (flat_x, inputs) if with_inputs else (flat_x,):
                    array[a][yes], array[b][yes] = array[b][yes], array[a][yes].copy()
        return flat_x.reshape(x.shape)

    return sweep


def metropolis(ratio, u):
    return np.log(u) < ratio


def inverted(ratio, u):
    return np.log(u) < -ratio


def always(ratio, u):
    return np.ones(len(u), bool)


def downhill_alone(ratio, u):
    return ratio >= 0


def never(ratio, u):
    return np.zeros(len(u), bool)


def library_sweep(x):
    state = swaps.Replicas(x.reshape(-1, 2), np.array(LADDER), np.zeros(2), np.zeros(2))
    return swaps.temper(library_path(STRONG), state, KEY, 4).x.reshape(x.shape)


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    "swap", [inverted, always, downhill_alone], ids=lambda function: function.__name__
)
def test_the_product_law_rejects(swap):
    table = annealing.tabulate(STRONG)
    for right in (library_sweep, sweeper(metropolis, n_sweeps=4)):
        assert_sweeps_leave_the_product_law(right, table, LADDER)
    rejects(assert_sweeps_leave_the_product_law, sweeper(swap, n_sweeps=4), table, LADDER)


@pytest.mark.needs_jit
@pytest.mark.parametrize(
    ("swap", "with_inputs"),
    [
        pytest.param(inverted, True, id="acceptance with the wrong sign"),
        pytest.param(always, True, id="every exchange accepted"),
        pytest.param(downhill_alone, True, id="no exchange uphill"),
        pytest.param(never, True, id="no exchange at all"),
        pytest.param(metropolis, False, id="inputs that stay behind"),
    ],
)
def test_the_row_of_two_sweeps_rejects(swap, with_inputs):
    """The last two are passed by stationarity: the exchange has no effect on the next move."""
    table, start, firsts = annealing.tabulate(STRONG), (2, 0, 3), (0, 1)
    right, mutant = sweeper(metropolis, True, 2), sweeper(swap, with_inputs, 2)
    assert_sweeps_have_the_row(right, table, LADDER, start, firsts=firsts)
    rejects(assert_sweeps_have_the_row, mutant, table, LADDER, start, firsts=firsts)
    if swap is never or not with_inputs:
        assert_sweeps_leave_the_product_law(mutant, table, LADDER)


# Fast weights and sparsity ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(lambda fast, rate, decay, g: fast + rate * g, id="not decayed"),
        pytest.param(lambda fast, rate, decay, g: decay * (fast + rate * g), id="decayed after"),
        pytest.param(lambda fast, rate, decay, g: decay * fast - rate * g, id="downhill"),
        pytest.param(
            lambda fast, rate, decay, g: decay * fast + (1 - decay) * rate * g, id="averaged"
        ),
    ],
)
def test_fast_weights_by_hand_reject(rule):
    g = np.random.default_rng(0).normal(size=9)
    fast = np.random.default_rng(1).normal(size=9)
    assert_fast_weights(lambda f, rate, decay: (g, decay * f + rate * g), fast)
    rejects(assert_fast_weights, lambda f, rate, decay: (g, rule(f, rate, decay, g)), fast)


def sparsity(X, weights, summed=False, slope=True, sign=1.0):
    w = np.full(len(X), 1 / len(X)) if weights is None else weights
    w = w * len(X) if summed else w
    h = 1 / (1 + np.exp(-(X @ MODEL.W + MODEL.c)))
    down = sign * 0.7 * (0.2 - w @ h) * (h * (1 - h) if slope else 1.0) * w[:, np.newaxis]
    return OracleRBM(X.T @ down, 0 * MODEL.b, down.sum(axis=0))


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param({"summed": True}, id="summed over the batch"),
        pytest.param({"slope": False}, id="without the slope of the activity"),
        pytest.param({"sign": -1.0}, id="uphill"),
    ],
)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_slopes_of_sparsity_reject(mutant, weights):
    assert_sparsity_slope(sparsity, MODEL, X, weights)
    rejects(assert_sparsity_slope, lambda v, w: sparsity(v, w, **mutant), MODEL, X, weights)


# Fixed points --------------------------------------------------------------------------------


def second_order(sign=1.0, power=2, stale=False):
    """200 damped iterations of the TAP equations, by NumPy."""
    W, b, c = MODEL.W, MODEL.b, MODEL.c
    P = sign * W**power
    m_v, m_h = np.full(4, 0.5), np.full(3, 0.5)
    for _ in range(200):
        k2 = m_h * (1 - m_h)
        own = 0.5 if stale else m_v
        m_v = 0.5 * m_v + 0.5 / (1 + np.exp(-(b + W @ m_h - (own - 0.5) * (P @ k2))))
        k2 = m_v * (1 - m_v)
        own = 0.5 if stale else m_h
        m_h = 0.5 * m_h + 0.5 / (1 + np.exp(-(c + m_v @ W - (own - 0.5) * (k2 @ P))))
    return m_v, m_h


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param({"sign": -1.0}, id="Onsager's term with the wrong sign"),
        pytest.param({"power": 1}, id="W for its square"),
        pytest.param({"stale": True}, id="naive mean field"),
    ],
)
def test_stationarity_of_the_free_energy_rejects(mutant):
    assert_stationary(*second_order(), MODEL, 2)
    rejects(assert_stationary, *second_order(**mutant), MODEL, 2)


@pytest.mark.parametrize(
    ("sign", "power", "factor"),
    [
        pytest.param(-1, 1, 0.5, id="wrong sign"),
        pytest.param(1, 2, 0.5, id="the square of W for W"),
        pytest.param(1, 1, 1.0, id="third order without the half"),
        pytest.param(1, 1, 0.0, id="second order for third"),
    ],
)
def test_slopes_of_the_free_energy_reject(sign, power, factor):
    m_v, m_h = np.linspace(0.1, 0.8, 4), np.linspace(0.2, 0.7, 3)
    k_v, k_h = m_v * (1 - m_v), m_h * (1 - m_h)
    third = MODEL.W**2 * np.outer(k_v * (1 - 2 * m_v), k_h * (1 - 2 * m_h))

    def correlations(sign, power, factor):
        second = sign * MODEL.W**power * np.outer(k_v, k_h)
        return np.outer(m_v, m_h) + second + factor * third

    assert_correlations(correlations(1, 1, 0.5), MODEL, m_v, m_h, 3)
    rejects(assert_correlations, correlations(sign, power, factor), MODEL, m_v, m_h, 3)


# Optimisers ----------------------------------------------------------------------------------


def stepper(rule, momentum=0.9):
    """A step that remembers its velocity: ``rule(theta, u, g, rate, momentum)`` -> (theta, u)."""
    memory = [np.zeros(5)]

    def step(theta, gradient, rate, limits):
        gradient[: limits[4]] -= limits[3] * theta[: limits[4]]
        theta, memory[0] = rule(theta, memory[0], gradient, rate, momentum)
        return theta

    return step


def right_momentum(theta, u, g, rate, m):
    u = m * u + rate * g
    return theta + u, u


def rate_twice(theta, u, g, rate, m):
    u = m * u + rate * g
    return theta + rate * u, u


def rate_on_the_whole_velocity(theta, u, g, rate, m):
    """The rate of today applied to the gradients of yesterday."""
    u = m * u + g
    return theta + rate * u, u


def averaged_gradient(theta, u, g, rate, m):
    u = m * u + (1 - m) * rate * g
    return theta + u, u


def moved_before_the_velocity(theta, u, g, rate, m):
    return theta + u, m * u + rate * g


def nesterov(theta, u, g, rate, m):
    u = m * u + rate * g
    return theta + m * u + rate * g, u


@pytest.mark.parametrize(
    "mutant",
    [
        rate_twice,
        rate_on_the_whole_velocity,
        averaged_gradient,
        moved_before_the_velocity,
        nesterov,
    ],
    ids=lambda f: f.__name__,
)
def test_steps_by_hand_reject(mutant):
    assert_momentum(stepper(right_momentum), 0.9, nesterov=False)
    assert_momentum(stepper(nesterov), 0.9, nesterov=True)
    rejects(assert_momentum, stepper(mutant), 0.9, nesterov=False)


def test_steps_by_hand_reject_a_decay_of_the_biases():
    step = stepper(right_momentum)
    rejects(
        assert_momentum,
        lambda theta, g, rate, limits: step(theta, g, rate, (*limits[:4], len(theta))),
        0.9,
        nesterov=False,
    )


def right_limits(theta, g, limits):
    factor, limit, l1, l2, n = limits
    g = np.clip(factor * g, -limit, limit)
    g[:n] -= l1 * np.sign(theta[:n]) + l2 * theta[:n]
    return g


def clipped_after_the_penalty(theta, g, limits):
    factor, limit, l1, l2, n = limits
    g = factor * g
    g[:n] -= l1 * np.sign(theta[:n]) + l2 * theta[:n]
    return np.clip(g, -limit, limit)


def scaled_after_the_limit(theta, g, limits):
    factor, limit, *penalties = limits
    return right_limits(theta, np.clip(g, -limit, limit), (factor, np.inf, *penalties))


def penalties_uphill(theta, g, limits):
    return right_limits(theta, g, (*limits[:2], -limits[2], -limits[3], limits[4]))


def penalties_on_the_biases(theta, g, limits):
    return right_limits(theta, g, (*limits[:4], len(theta)))


def no_sign_at_zero(theta, g, limits):
    """The sign of zero taken as one: it pushes zeros away."""
    return right_limits(np.where(theta == 0, 1e-300, theta), g, limits)


@pytest.mark.parametrize(
    "mutant",
    [
        clipped_after_the_penalty,
        scaled_after_the_limit,
        penalties_uphill,
        penalties_on_the_biases,
        no_sign_at_zero,
    ],
    ids=lambda f: f.__name__,
)
def test_holds_by_hand_reject(mutant):
    def plain(limited):
        return lambda theta, g, rate, limits: theta + rate * limited(theta, g, limits)

    for check in (assert_clips_what_the_data_say, assert_sgd_follows_its_box):
        check(plain(right_limits))
        rejects(check, plain(mutant))


def assert_sgd_follows_its_box(step):
    assert_follows_its_box(step, "sgd")


class OwnAdam:
    """Adam and Nadam by NumPy; each mutant overrides the part that it gets wrong."""

    b1, b2, epsilon = 0.9, 0.999, 1e-8

    def __init__(self):
        self.t, self.m, self.n = 0, 0.0, 0.0

    def __call__(self, theta, gradient, rate, limits):
        g = right_limits(theta, gradient, limits)
        self.t += 1
        self.m = self.keep() * self.m + (1 - self.keep()) * g
        self.n = self.b2 * self.n + (1 - self.b2) * g**2
        return theta + rate * self.mean(g) / self.root()

    def keep(self):
        return self.b1

    def mean(self, g):
        return self.m / (1 - self.b1**self.t)

    def root(self):
        return np.sqrt(self.n / (1 - self.b2**self.t)) + self.epsilon


class WithoutBiasCorrection(OwnAdam):
    def mean(self, g):
        return self.m

    def root(self):
        return np.sqrt(self.n) + self.epsilon


class MeanNotCorrected(OwnAdam):
    def mean(self, g):
        return self.m


class ClockOneBehind(OwnAdam):
    """t counted after the correction is taken, from a first t of 1."""

    def root(self):
        return np.sqrt(self.n / (1 - self.b2 ** max(self.t - 1, 1))) + self.epsilon


class EpsilonUnderTheRoot(OwnAdam):
    def root(self):
        return np.sqrt(self.n / (1 - self.b2**self.t) + self.epsilon)


@pytest.mark.parametrize(
    "mutant",
    [WithoutBiasCorrection, MeanNotCorrected, ClockOneBehind, EpsilonUnderTheRoot],
    ids=lambda c: c.__name__,
)
def test_the_box_of_adam_rejects(mutant):
    assert_follows_its_box(OwnAdam(), "adam")
    rejects(assert_follows_its_box, mutant(), "adam")


@pytest.mark.parametrize("mutant", [WithoutBiasCorrection, MeanNotCorrected, EpsilonUnderTheRoot])
def test_the_first_step_by_hand_rejects(mutant):
    assert_first_step_is_one_rate_long(OwnAdam())
    rejects(assert_first_step_is_one_rate_long, mutant())


class OwnNadam(OwnAdam):
    def mu(self, t):
        return self.b1 * (1 - 0.5 * 0.96 ** (t / 250))

    def product(self, t):
        return np.prod([self.mu(i) for i in range(1, t + 1)])

    def keep(self):
        return self.mu(self.t)

    def mean(self, g):
        ahead = self.mu(self.t + 1) * self.m / (1 - self.product(self.t + 1))
        return ahead + (1 - self.mu(self.t)) * g / (1 - self.product(self.t))


class PlainMomentum(OwnNadam):
    """The schedule, and no look ahead."""

    def mean(self, g):
        return self.m / (1 - self.product(self.t))


class NoWarming(OwnNadam):
    def mu(self, t):
        return self.b1


class PowersForProducts(OwnNadam):
    def product(self, t):
        return self.mu(t) ** t


class MeanKeepsBeta(OwnNadam):
    def keep(self):
        return self.b1


@pytest.mark.parametrize(
    "mutant",
    [OwnAdam, PlainMomentum, NoWarming, PowersForProducts, MeanKeepsBeta],
    ids=lambda c: c.__name__,
)
def test_the_box_of_nadam_rejects(mutant):
    assert_follows_its_box(OwnNadam(), "nadam")
    rejects(assert_follows_its_box, mutant(), "nadam")


def square_root_of_squares(forget, fresh, inside):
    """AdaGrad and RMSProp by NumPy."""
    memory = [0.0]

    def step(theta, gradient, rate, limits):
        g = right_limits(theta, gradient, limits)
        memory[0] = forget * memory[0] + fresh * g**2
        root = np.sqrt(memory[0] + 1e-8) if inside else np.sqrt(memory[0]) + 1e-8
        return theta + rate * g / root

    return step


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        pytest.param("adagrad", (1, 1, False), (1, 1, True), id="epsilon under the root"),
        pytest.param("adagrad", (1, 1, False), (0.9, 1, False), id="a sum that forgets"),
        pytest.param("rmsprop", (0.9, 0.1, False), (0.9, 1, False), id="a mean that is a sum"),
        pytest.param("rmsprop", (0.9, 0.1, False), (0.1, 0.9, False), id="decay for its rest"),
    ],
)
def test_boxes_of_squares_reject(name, right, wrong):
    assert_follows_its_box(square_root_of_squares(*right), name)
    rejects(assert_follows_its_box, square_root_of_squares(*wrong), name)


def adadelta(wrong=""):
    s = x = 0.0

    def step(theta, gradient, rate, limits):
        nonlocal s, x
        g = right_limits(theta, gradient, limits)
        s = 0.95 * s + 0.05 * g**2
        delta = np.sqrt((x + 1e-6) / (s + 1e-6)) * g
        size = rate * delta if wrong == "rate in the memory" else delta
        if wrong == "squares of gradients":
            size = g
        x = 0.95 * x + 0.05 * size**2
        return theta + rate * delta

    return step


@pytest.mark.parametrize("mutant", ["rate in the memory", "squares of gradients"])
def test_the_box_of_adadelta_rejects(mutant):
    assert_follows_its_box(adadelta(), "adadelta")
    rejects(assert_follows_its_box, adadelta(mutant), "adadelta")


# Energies ------------------------------------------------------------------------------------

GAUSSIAN = oracle_model("gaussian", "bernoulli")
GAUSSIAN_LIBRARY, GAUSSIAN_PARAMS = library_model(GAUSSIAN), library_params(GAUSSIAN)


def gaussian_energy(v, h, power=1.0, sign=1.0, coupled=1.0):
    """sum (v - b)^2 / (2 s) - (v / s)' W h - c'h with s = sigma^(2 power)."""
    s = np.exp(power * GAUSSIAN.z)
    own = ((v - GAUSSIAN.b) ** 2 / (2 * s)).sum(axis=1) - h @ GAUSSIAN.c
    return own - sign * np.einsum("ri,ij,rj->r", v / s**coupled, GAUSSIAN.W, h)


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param({"power": 0.5}, id="sigma for variance"),
        pytest.param({"sign": -1.0}, id="wrong sign of the weights"),
        pytest.param({"coupled": 0.5}, id="v over sigma instead of sigma squared"),
    ],
)
def test_energies_reject(mutant):
    v, h = rows_for(GAUSSIAN, 5), hidden_rows_for(GAUSSIAN, 5)
    assert_energy(gaussian_energy, GAUSSIAN, v, h)
    rejects(assert_energy, lambda V, H: gaussian_energy(V, H, **mutant), GAUSSIAN, v, h)


@pytest.mark.parametrize("dropped", ["b", "c"])
def test_free_energies_reject_a_dropped_bias(dropped):
    parts = vars(MODEL) | {dropped: 0 * getattr(MODEL, dropped)}
    wrong = library_params(OracleRBM(**parts))
    assert_free_energy(lambda v: LIBRARY.free_energy(PARAMS, v), MODEL, X)
    rejects(assert_free_energy, lambda v: LIBRARY.free_energy(wrong, v), MODEL, X)


@pytest.mark.needs_jit
def test_moments_reject_sigma_for_variance():
    """Samples whose deviation is sigma^2."""
    n, own = 20_000, GAUSSIAN_PARAMS.visible
    second = np.exp(own.log_variance) + own.bias**2
    right = Gaussian().sample(own, np.zeros((n, 4)), KEY)
    wrong = Gaussian().sample(
        own._replace(log_variance=2 * own.log_variance), np.zeros((n, 4)), KEY
    )
    assert_same_mean(right**2, second)
    rejects(assert_same_mean, wrong**2, second)


# Networks --------------------------------------------------------------------------------------

CHAIN = Network(1, (Dense(1), Tanh(), Dense(1)), SquaredError())


def right_diagonal(w, v, x, t):
    none = np.zeros(1)
    params = (
        DenseParameters(np.full((1, 1), w), none),
        (),
        DenseParameters(np.full((1, 1), v), none),
    )
    x, t = x[:, np.newaxis], t[:, np.newaxis]
    found = second_derivatives(CHAIN, params, x, t, levenberg_marquardt=False)
    return [len(x) * found[k].W[0, 0] for k in (0, 2)]


def diagonal_by_hand(w, v, x, t, square=2, sign=1.0):
    """With h = 1 at the output, slope g = z - t: h_v = y^2, h_w = x^2 (v^2 f'^2 + v g f'')."""
    y = np.tanh(w * x)
    g, slope, bend = v * y - t, 1 - y**2, -2 * y * (1 - y**2)
    return (x**2 * (v**2 * slope**square + sign * v * g * bend)).sum(), (y**2).sum()


def bend_dropped(*at):
    return diagonal_by_hand(*at, sign=0.0)


def bend_with_the_sign_of_ascent(*at):
    return diagonal_by_hand(*at, sign=-1.0)


def slope_not_squared(*at):
    return diagonal_by_hand(*at, square=1)


@pytest.mark.parametrize("right", [right_diagonal, diagonal_by_hand], ids=lambda f: f.__name__)
def test_second_derivatives_are_accepted(right):
    assert_diagonal_of_the_hessian(right)


@pytest.mark.parametrize(
    "mutant",
    [bend_dropped, bend_with_the_sign_of_ascent, slope_not_squared],
    ids=lambda f: f.__name__,
)
def test_second_derivatives_reject(mutant):
    rejects(assert_diagonal_of_the_hessian, mutant)


@pytest.mark.parametrize("masked", [True, False])
def test_removed_weights_that_momentum_moves_are_rejected(masked):
    """A masked gradient is not enough: what was remembered of a weight moves it."""
    mask = np.array([[True, False], [False, True], [True, True]])

    def trained():
        W = np.where(mask, 1.0, 0.0)
        theta, memory = W.copy().ravel(), Momentum(0.9).start(W.ravel())
        memory[1][:] = 0.5
        Momentum(0.9).step(theta, 0.1 * mask.ravel(), memory, 0.1, UNLIMITED)
        after = DenseParameters(theta.reshape(W.shape), np.zeros(2))
        Dense(2, mask=mask if masked else None).project(after)
        return W, after.W

    if masked:
        assert_stays_at_zero(trained, mask)
    else:
        rejects(assert_stays_at_zero, trained, mask)


# Elementary functions --------------------------------------------------------------------------


def overflowing(x):
    with np.errstate(over="ignore"):
        return np.log(1 + np.exp(x))


def cancelling(x):
    """Right for large x, zero for very negative ones."""
    return np.maximum(x, 0) + np.log(1 + np.exp(-np.abs(x)))


@pytest.mark.parametrize("mutant", [overflowing, cancelling], ids=lambda f: f.__name__)
def test_softplus_rejects(mutant):
    assert_softplus(lambda x: np.logaddexp(0, x))
    rejects(assert_softplus, mutant)


def test_increasing_rejects_a_single_fall_and_a_plateau():
    assert_increasing([0, 1, 2, 3])
    rejects(assert_increasing, [0, 1, 2, 1.9, 3])
    rejects(assert_increasing, [0, 1, 1, 2])
