"""What a right implementation does, as functions of the implementation.

The tests of the core hand them the library, tests/mutants/test_rbm.py hands them implementations that
are known to be wrong and expects an AssertionError.
"""

from __future__ import annotations

import math

import numpy as np

from tests.models import flat
from tests.oracles import (
    annealing,
    optimizers,
    rbm,
    rbm_flips,
    rbm_gibbs,
    rbm_gradients,
    rbm_mean_field,
    tempering,
)
from tests.oracles.data import sample_states
from tests.statistics import (
    assert_same_distribution,
    assert_same_mean,
    joint_counts,
    state_counts,
)

# Samplers ------------------------------------------------------------------------------------
# A step takes the visible states of independent chains and returns (v, h): v drawn given h.


def assert_samples_the_transition_row(step, model, start, beta=1.0, given=None, n=40_000):
    """From one fixed state, (h, v') has the law p(h | v) p(v' | h)."""
    v, h = step(np.tile(start, (n, 1)))
    law = rbm.hidden_given_visible(model, start, beta)[:, np.newaxis]
    law = law * [
        rbm.visible_given_hidden(model, h_state, beta, given)
        for h_state in rbm.all_states(len(model.c))
    ]
    assert_same_distribution(joint_counts(v, h), law.T)


def assert_leaves_the_law_unchanged(step, model, beta=1.0, given=None, n=40_000):
    """From exact draws of v, the pair (v', h) follows p(v, h), given the clamped units if any."""
    law = rbm.joint_probabilities(model, beta)
    for index, v in enumerate(rbm.all_states(len(model.b))):
        if given is not None and np.any(np.abs(v - given) > 0):
            law[index] = 0
    law = law / law.sum()
    start = sample_states(law.sum(axis=1), n, np.random.default_rng(12345))
    v, h = step(start)
    assert_same_distribution(joint_counts(v, h), law)


# Annealing -----------------------------------------------------------------------------------


def assert_weights_are_unbiased(log_weights, table, ts, n=200_000):
    """E[w] = Z_1 / Z_0, where ``log_weights(n)`` are those of n independent particles from p_0.

    A z-test with the variance of w over all trajectories.
    """
    first, second = (annealing.forward_moment(table, ts, power) for power in (1, 2))
    ratio = annealing.joint(table, 1.0).sum() / annealing.joint(table, 0.0).sum()
    weights = np.exp(log_weights(n)) / ratio
    assert_same_mean(weights, 1.0, variance=(second - first**2) / ratio**2)


def assert_inverse_weights_are_unbiased(log_weights, table, ts, n=200_000):
    """E[1 / w] = Z_0 / Z_1, where ``log_weights(x)`` are those of particles back from the states x.

    They are started from exact draws of the model.
    """
    first, second = (annealing.reverse_moment(table, ts, power) for power in (1, 2))
    ratio = annealing.joint(table, 0.0).sum() / annealing.joint(table, 1.0).sum()
    start = sample_states(annealing.visible_law(table, 1.0), n, np.random.default_rng(54321))
    weights = np.exp(-log_weights(start)) / ratio
    assert_same_mean(weights, 1.0, variance=(second - first**2) / ratio**2)


# Tempering -----------------------------------------------------------------------------------
# A sweep takes the visible states (replicas, chains, units) of independent chains to new ones.


def replica_counts(x):
    """How often each state of all replicas together occurs among the chains."""
    return state_counts(np.concatenate(x, axis=1).astype(int))


def assert_sweeps_leave_the_product_law(sweep, table, ladder, n=40_000):
    """Of all replicas jointly, from exact draws."""
    rng = np.random.default_rng(777)
    laws = [annealing.visible_law(table, t) for t in ladder]
    x = sweep(np.array([sample_states(law, n, rng) for law in laws]))
    assert_same_distribution(replica_counts(x), tempering.product_visible_law(table, ladder))


def assert_sweeps_have_the_row(sweep, table, ladder, start, n_moves=1, firsts=(0,), n=40_000):
    """From the state numbers ``start``, one for each replica: block Gibbs steps, then exchanges.

    As many times as there are ``firsts``, which say from which replica on pairs exchange.
    """
    x = sweep(np.array([np.tile(table.V[k], (n, 1)) for k in start]))
    law = np.zeros(len(table.V) ** len(ladder))
    law[np.ravel_multi_index(start, [len(table.V)] * len(ladder))] = 1
    for first in firsts:
        for _ in range(n_moves):
            law = law @ tempering.gibbs_sweep(table, ladder)
        law = law @ tempering.swap_sweep(table, ladder, first)
    assert_same_distribution(replica_counts(x), law)


# Gradients -----------------------------------------------------------------------------------


def centred(plain, mu, lam):
    """The centred gradient that belongs to a plain one: db and dc are the differences of means."""
    dW = plain.W - np.outer(mu, plain.c) - np.outer(plain.b, lam)
    return rbm.OracleRBM(dW, plain.b - dW @ lam, plain.c - mu @ dW, plain.z, plain.zh)


def assert_exact_gradient(gradient, model, X, atol=1e-7):
    """The oracle's gradient, and the slope of the log-likelihood."""
    slope = rbm_gradients.finite_difference_gradient(model, X)
    np.testing.assert_allclose(flat(gradient), flat(slope), rtol=0, atol=atol)
    if model.z is None or model.zh is None:
        exact = rbm_gradients.log_likelihood_gradient(model, X)
        np.testing.assert_allclose(flat(gradient), flat(exact), rtol=0, atol=1e-10)


def assert_expects_contrastive_divergence(estimate, model, X, n_steps, *, chains=None, n=3000):
    """Independent plain estimates, ``estimate(i)`` for i < n, have the enumerated expectation."""
    expected = rbm_gradients.contrastive_divergence_gradient(model, X, n_steps, chains)
    samples = np.array([flat(estimate(i)) for i in range(n)])
    assert_same_mean(samples, flat(expected))


def assert_moves_on(update, model, start, n=4000):
    """Two persistent updates are two steps of the chain: h after them has the law h T T.

    ``update(i, h)`` makes one update of seed i from hidden states h and returns the new ones.
    """
    transition = rbm_gibbs.hidden_transition(model)
    h = np.tile(start, (n, 1))
    h = update(1, update(0, h))
    law = (transition @ transition)[rbm.state_index(start)]
    counts = np.bincount(rbm.state_index(h), minlength=len(law))
    assert_same_distribution(counts, law)


def assert_gradient_over_flips(gradient, model, X, weights, *, ratio, atol=1e-7):
    """The slope of the pseudo-likelihood, or of ratio matching; and the oracle's sum over flips."""
    objective = rbm_flips.ratio_matching if ratio else rbm_flips.pseudo_log_likelihood
    slope = rbm_gradients.finite_differences(lambda m: objective(m, X, weights), model)
    np.testing.assert_allclose(flat(gradient), flat(slope), rtol=0, atol=atol)
    exact = rbm_flips.gradient(model, X, weights, ratio)
    np.testing.assert_allclose(flat(gradient), flat(exact), rtol=0, atol=1e-11)


def assert_fast_weights(update, fast, atol=1e-12):
    """After an update they are decay fast + rate g, g being the gradient it found.

    ``update(fast, rate, decay)`` returns g and the new fast parameters.
    """
    for rate, decay in ((0.1, 0.95), (0.3, 0.5), (0.05, 0.0)):
        gradient, new = update(fast.copy(), rate, decay)
        np.testing.assert_allclose(new, decay * fast + rate * gradient, rtol=0, atol=atol)


def sparsity_penalty(model, X, weights, target, cost):
    """cost / 2 sum_j (sum_r weight_r E[h_j | v_r] - target)^2."""
    activity = weights @ [rbm.hidden_moments(model, v)[0] for v in X]
    return cost / 2 * np.sum((activity - target) ** 2)


def assert_sparsity_slope(gradient, model, X, weights=None, target=0.2, cost=0.7):
    """``gradient(X, weights)`` goes straight down the penalty."""
    w = np.full(len(X), 1 / len(X)) if weights is None else weights
    slope = rbm_gradients.finite_differences(
        lambda m: -sparsity_penalty(m, X, w, target, cost), model
    )
    np.testing.assert_allclose(flat(gradient(X, weights)), flat(slope), rtol=0, atol=1e-7)


# Fixed points --------------------------------------------------------------------------------


def assert_stationary(m_v, m_h, model, order, atol=1e-8):
    """The Gibbs free energy has no slope at the means."""
    both = np.concatenate([m_v, m_h])

    def gamma(means):
        return rbm_mean_field.gamma(model, means[: len(m_v)], means[len(m_v) :], order)

    for i, m in enumerate(both):
        binary = (model.z if i < len(m_v) else model.zh) is None
        step = 1e-4 * (m * (1 - m) if binary else 1)  # near 0 and 1 the entropy is steep
        nudge = step * np.eye(len(both))[i]
        assert abs(gamma(both + nudge) - gamma(both - nudge)) / (2 * step) < atol, i


def assert_correlations(correlations, model, m_v, m_h, order, atol=1e-8):
    """<v h'> is the slope of -Gamma by the weights at fixed means."""
    slope = rbm_mean_field.statistics_at(model, m_v, m_h, order).W
    np.testing.assert_allclose(correlations, slope, rtol=0, atol=atol)


# Optimisers ----------------------------------------------------------------------------------


def assert_momentum(step, momentum, *, nesterov, decay=0.1, n_decayed=2):
    """Three steps by hand at three learning rates: the rate enters when the gradient does, once.

    ``step(theta, gradient, rate, limits)`` returns the parameters after the step.
    """
    rng = np.random.default_rng(3)
    theta, velocity = rng.normal(size=5), np.zeros(5)
    for rate in (0.1, 0.02, 0.3):
        gradient = rng.normal(size=5)
        limits = (1.0, np.inf, 0.0, decay, n_decayed)
        moved = step(theta.copy(), gradient.copy(), rate, limits)
        uphill = gradient.copy()
        uphill[:n_decayed] -= decay * theta[:n_decayed]
        velocity = momentum * velocity + rate * uphill
        theta = theta + (momentum * velocity + rate * uphill if nesterov else velocity)
        np.testing.assert_allclose(moved, theta, rtol=0, atol=1e-14)


UNLIMITED = (1.0, np.inf, 0.0, 0.0, 0)
# Each kind of limit has an effect on some entries and none on others.
HELD = (0.8, 1.1, 0.02, 0.1, 60)


def assert_follows_its_box(step, name, limits=HELD, dtype=np.float64, n_steps=25, **settings):
    """The path of the papers' rule `name` (:mod:`tests.oracles.optimizers`), from entries of which some are zero.

    ``step(theta, gradient, rate, limits)`` returns the parameters after the step. Gradients change sign and scale,
    rates change from step to step.
    """
    rng = np.random.default_rng(8)
    theta = rng.normal(size=101).astype(dtype)
    theta[::10] = 0
    gradients = (rng.normal(size=(n_steps, 101)) * rng.uniform(0.1, 3, 101)).astype(dtype)
    rates = rng.uniform(0.001, 0.02, n_steps)
    box = optimizers.RULES[name]
    path = optimizers.run(
        box, theta.tolist(), gradients.tolist(), rates.tolist(), limits, **settings
    )
    for gradient, rate, expected in zip(gradients, rates, path, strict=True):
        theta = step(theta.copy(), gradient.copy(), rate, limits)
        assert theta.dtype == dtype
        # Each of the steps rounds a few times, at numbers of size 1.
        np.testing.assert_allclose(theta, expected, rtol=0, atol=4 * n_steps * np.finfo(dtype).eps)


def assert_first_step_is_one_rate_long(step):
    """Corrected for their start at zero, the means of one gradient are g and g^2."""
    gradient = np.array([3.0, -0.02, 1e-5, 400.0])
    moved = step(np.zeros(4), gradient.copy(), 0.25, UNLIMITED)
    by_hand = [0.25 * 3 / (3 + 1e-8), -0.25 * 0.02 / (0.02 + 1e-8), 0.25e-5 / 1.001e-5, 0.25]
    np.testing.assert_allclose(moved, by_hand, rtol=1e-9)


def assert_clips_what_the_data_say(step):
    """Plain ascent by hand: factor, limit, then l1 and l2, on the first three of four entries."""
    theta = np.array([2.0, -4.0, 0.0, 5.0])
    moved = step(theta.copy(), np.array([10.0, -1.0, -8.0, 3.0]), 0.1, (0.5, 2.0, 0.3, 0.25, 3))
    # 0.5 g = 5, -0.5, -4, 1.5; clipped 2, -0.5, -2, 1.5; less 0.3 sign and 0.25 theta: 1.2, 0.8, -2, 1.5.
    np.testing.assert_allclose(moved, [2.12, -3.92, -0.2, 5.15], rtol=1e-14)


# Networks ------------------------------------------------------------------------------------


def assert_diagonal_of_the_hessian(diagonal):
    """Of (v tanh(w x) - t)^2 / 2, summed over rows, by w and v: what ``diagonal(w, v, x, t)`` returns."""
    x, t, at, step = np.array([0.3, -1.1, 2.0]), np.array([4.0, 1.0, -3.0]), (0.7, -1.3), 1e-4

    def loss(w, v):
        return 0.5 * ((v * np.tanh(w * x) - t) ** 2).sum()

    for k, found in enumerate(diagonal(*at, x, t)):
        ahead, behind = (np.add(at, s * step * np.eye(2)[k]) for s in (1, -1))
        second = (loss(*ahead) - 2 * loss(*at) + loss(*behind)) / step**2
        np.testing.assert_allclose(found, second, rtol=1e-5)


def assert_stays_at_zero(trained, mask):
    """Weights that were removed are zero after ``trained()``, and the others have moved."""
    before, after = trained()
    assert not after[~mask].any()
    assert (after[mask] != before[mask]).all()


# Energies and elementary functions -----------------------------------------------------------


def assert_energy(energy, model, V, H):
    """E(v, h) of pairs of rows."""
    expected = [rbm.energy(model, v, h) for v, h in zip(V, H, strict=True)]
    np.testing.assert_allclose(energy(V, H), expected, rtol=1e-12, atol=1e-12)


def assert_free_energy(free_energy, model, V, beta=1.0):
    """F(v) = -log sum_h exp(-beta E) / beta of rows."""
    expected = [rbm.free_energy(model, v, beta) for v in V]
    np.testing.assert_allclose(free_energy(V), expected, rtol=1e-12, atol=1e-12)


def assert_softplus(softplus, dtype=np.float64):
    """log(1 + exp(x)) to a few units in the last place, from -30 to 10 000."""
    for x in np.concatenate([np.linspace(-30, 30, 601), [-1e4, 88.0, 710.0, 1e4]]).astype(dtype):
        exact = max(float(x), 0.0) + math.log1p(math.exp(-abs(float(x))))
        assert abs(float(softplus(x)) - exact) <= 8 * np.finfo(dtype).eps * exact + 1e-26, x
