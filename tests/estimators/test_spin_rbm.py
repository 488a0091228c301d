"""RBMs with spins {-1, +1} are those with bits {0, 1} and other numbers: held against them and against enumeration.

With v = 2 x - 1 for spins and v = x for bits, both are v = scale x - shift, and the energy of the spins is that of bits
with W scaled on either side and biases that take in the shifts, plus a constant.
"""

from __future__ import annotations

import numpy as np
import pytest

from ebm import (
    RBM,
    FastPersistentContrastiveDivergence,
    ParallelTempering,
    Regularization,
    Tempering,
)
from ebm.gradients import TAP
from tests.oracles import rbm as slow
from tests.oracles.rbm import OracleRBM
from tests.statistics import assert_same_distribution, state_counts

PAIRS = [("spin", "spin"), ("spin", "bernoulli"), ("bernoulli", "spin")]
every_pair = pytest.mark.parametrize("pair", PAIRS, ids="-".join)
N, M = 4, 3


def parameters(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, M)) / 2, rng.normal(size=N) / 2, rng.normal(size=M) / 2


def machine(pair, **settings):
    settings = {
        "n_components": M,
        "n_iter": 3,
        "random_state": 0,
        "learning_rate": 0.02,
        **settings,
    }
    return RBM(visible=pair[0], hidden=pair[1], **settings)


def bits_of(unit, x):
    """States as bits."""
    return (x + 1) / 2 if unit == "spin" else x


def rows(unit, n_rows=60, dtype=np.float64):
    rng = np.random.default_rng(1)
    high = rng.random((n_rows, N)) < rng.choice([0.2, 0.8], (n_rows, 1))
    return np.where(high, 1.0, -1.0 if unit == "spin" else 0.0).astype(dtype)


def fitted(pair):
    """A machine with the parameters of `parameters`."""
    W, b, c = parameters()
    rbm = machine(pair, n_iter=0).fit(rows(pair[0]))
    rbm.components_, rbm.intercept_visible_, rbm.intercept_hidden_ = W.T.copy(), b, c
    return rbm


def with_bits(pair):
    """The oracle of the same law over bits, and the energy that it lacks: E_spins = E_bits + rest."""
    W, b, c = parameters()
    (a, r), (d, t) = ((2.0, 1.0) if unit == "spin" else (1.0, 0.0) for unit in pair)
    ones_v, ones_h = r * np.ones(N), t * np.ones(M)
    # (a x - r)' W (d y - t) = ad x'Wy - at x'W1 - rd 1'Wy + rt 1'W1
    model = OracleRBM(a * d * W, a * (b - W @ ones_h), d * (c - ones_v @ W))
    return model, b @ ones_v + c @ ones_h - ones_v @ W @ ones_h


# The same law ------------------------------------------------------------------------------------


@every_pair
def test_energies_likelihoods_and_features_are_those_of_bits(pair):
    rbm, (model, rest) = fitted(pair), with_bits(pair)
    X = rows(pair[0], 9)
    x = bits_of(pair[0], X)
    H = np.random.default_rng(2).choice([-1.0, 1.0] if pair[1] == "spin" else [0.0, 1.0], (9, M))
    y = bits_of(pair[1], H)
    energies = [slow.energy(model, v, h) + rest for v, h in zip(x, y, strict=True)]
    np.testing.assert_allclose(rbm.energy(X, H), energies, rtol=1e-11, atol=1e-12)
    free = [slow.free_energy(model, v) + rest for v in x]
    np.testing.assert_allclose(rbm.free_energy(X), free, rtol=1e-11, atol=1e-12)
    for beta in (0.5, 1.0, 2.0):
        log_z = slow.log_partition(model, beta) - beta * rest
        assert rbm.log_partition("exact", beta=beta).value == pytest.approx(log_z, rel=1e-12)
    p = np.log(slow.visible_probabilities(model))[slow.state_index(x)]
    np.testing.assert_allclose(rbm.log_likelihood(X), p, rtol=1e-11)
    means = np.array([slow.hidden_moments(model, v)[0] for v in x])
    expected = 2 * means - 1 if pair[1] == "spin" else means
    np.testing.assert_allclose(rbm.transform(X), expected, rtol=0, atol=1e-13)
    flipped = np.zeros(9)
    table = np.log(slow.visible_probabilities(model))
    for row, v in enumerate(x):
        for i in range(N):
            w = v.copy()
            w[i] = 1 - v[i]
            pair_of = table[[slow.state_index(v), slow.state_index(w)]]
            flipped[row] += pair_of[0] - np.logaddexp(*pair_of)
    np.testing.assert_allclose(rbm.score_samples(X), flipped, rtol=1e-10)
    z = rbm.log_partition("ais")
    assert abs(z.value - rbm.log_partition("exact").value) < 5 * z.standard_error
    found, errors = rbm.log_likelihood(X, "raise", return_std=True)
    assert np.all(np.abs(found - p) < 5.1 * errors + 0.05)


@pytest.mark.parametrize("sampler", ["gibbs", "tempering"])
@pytest.mark.parametrize("beta", [0.6, 1.0])
@every_pair
def test_samples_have_the_joint_law(pair, beta, sampler):
    rbm, (model, _) = fitted(pair), with_bits(pair)
    walker = Tempering(n_temperatures=3) if sampler == "tempering" else sampler
    V = rbm.sample(20_000, n_steps=30, beta=beta, sampler=walker)
    assert set(np.unique(V)) == {-1.0 if pair[0] == "spin" else 0.0, 1.0}
    law = slow.visible_probabilities(model, beta)
    assert_same_distribution(state_counts(bits_of(pair[0], V).astype(int)), law)


@every_pair
def test_samples_given_some_units_and_their_means(pair):
    rbm, (model, _) = fitted(pair), with_bits(pair)
    given = np.array([np.nan, 1.0, np.nan, np.nan])
    law = slow.visible_probabilities(model)
    states = slow.all_states(N)
    law = np.where(states[:, 1] == 1, law, 0) / law[states[:, 1] == 1].sum()
    V = rbm.sample(20_000, n_steps=30, given=given)
    assert_same_distribution(state_counts(bits_of(pair[0], V).astype(int)), law)
    filled = rbm.impute(np.tile(given, (500, 1)), n_steps=100).mean(axis=0)
    np.testing.assert_allclose(bits_of(pair[0], filled), law @ states, atol=0.02)
    np.testing.assert_array_equal(filled[1], 1.0)


@pytest.mark.parametrize(
    ("pair", "dtype"),
    [
        (("spin", "spin"), np.float32),
        (("gaussian", "spin"), np.float64),
        (("spin", "gaussian"), np.float64),
    ],
)
def test_everything_can_be_asked_in_either_precision(pair, dtype):
    X = rows(pair[0], dtype=dtype)
    if pair[0] == "gaussian":
        X = X + np.random.default_rng(3).normal(size=X.shape).astype(dtype)
    rbm = machine(pair).fit(X).partial_fit(X[:7])
    H = rbm.transform(X)
    for V in (
        rbm.inverse_transform(H),
        rbm.reconstruct(X),
        rbm.gibbs(X),
        rbm.sample(60, n_steps=2),
    ):
        assert V.shape == X.shape and V.dtype == dtype and np.isfinite(V).all()
        if pair[0] == "spin":
            assert np.abs(V).max() <= 1
    assert H.dtype == dtype and rbm.components_.dtype == dtype
    for values in (rbm.energy(X, H), rbm.free_energy(X), rbm.score_samples(X)):
        assert np.isfinite(values).all()
    z = rbm.log_partition()
    assert z.method == "exact" and np.isfinite(rbm.log_likelihood(X)).all()


# Learning ----------------------------------------------------------------------------------------

GRADIENTS = [
    "cd",
    "pcd",
    FastPersistentContrastiveDivergence(),
    ParallelTempering(n_temperatures=3),
    "exact",
    TAP(order=1),
    "pseudo_likelihood",
    "ratio_matching",
]


@pytest.mark.parametrize(
    ("pair", "gradient"),
    [
        *((PAIRS[0], gradient) for gradient in GRADIENTS),
        *((pair, gradient) for pair in PAIRS[1:] for gradient in ("pcd", "exact")),
    ],
    ids=repr,
)
def test_every_gradient_learns(pair, gradient):
    X = rows(pair[0], 100)
    # Weights of bits are twice those of spins, and their gradients half of it.
    rate = 0.01 if pair == PAIRS[0] else 0.05
    settings = {"gradient": gradient, "learning_rate": rate, "n_iter": 40, "schedule": "constant"}
    start, found = machine(pair, n_iter=0).fit(X), machine(pair, **settings).fit(X)
    assert found.log_likelihood(X).mean() > start.log_likelihood(X).mean() + 0.1


@pytest.mark.parametrize("gradient", ["pcd", "exact"])
def test_spins_explain_real_data(gradient):
    """Two clouds, three times their width apart."""
    rng = np.random.default_rng(3)
    X = 1.5 * rows("spin", 200)[:, :1] + rng.normal(size=(200, N))
    pair = ("gaussian", "spin")
    start = machine(pair, n_iter=0).fit(X)
    found = machine(pair, gradient=gradient, n_iter=60, learning_rate=0.01).fit(X)
    assert found.log_likelihood(X).mean() > start.log_likelihood(X).mean() + 0.2
    with pytest.raises(ValueError, match="flip visible units, which Gaussian units cannot do"):
        machine(pair, gradient="pseudo_likelihood").fit(X)


@every_pair
def test_the_mean_field_gradient_is_that_of_bits(pair):
    """Naive mean field does not know how states are named: its gradient follows the chain rule."""
    rbm, (model, _) = fitted(pair), with_bits(pair)
    bits = machine(("bernoulli", "bernoulli"), n_iter=0).fit(rows("bernoulli"))
    bits.components_, bits.intercept_visible_ = model.W.T.copy(), model.b.copy()
    bits.intercept_hidden_ = model.c.copy()
    X = rows(pair[0], 12)
    gradients = []
    for found, data in ((rbm, X), (bits, bits_of(pair[0], X))):
        found.set_params(gradient=TAP(order=1, centered=False), learning_rate=1.0)
        names = ("components_", "intercept_visible_", "intercept_hidden_")
        before = [getattr(found, name).copy() for name in names]
        found.partial_fit(data)
        gradients.append([getattr(found, name) - x for name, x in zip(names, before, strict=True)])
    (dW, db, dc), (own_W, own_b, own_c) = gradients[1], gradients[0]
    (a, r), (d, t) = ((2.0, 1.0) if unit == "spin" else (1.0, 0.0) for unit in pair)
    chained = a * d * dW - a * t * db - d * r * dc[:, np.newaxis]
    np.testing.assert_allclose(own_W, chained, rtol=0, atol=1e-13)
    np.testing.assert_allclose(own_b, a * db, rtol=0, atol=1e-13)
    np.testing.assert_allclose(own_c, d * dc, rtol=0, atol=1e-13)


@pytest.mark.parametrize("pair", PAIRS[:1], ids="-".join)
def test_what_only_bits_can_have_is_refused(pair):
    with pytest.raises(ValueError, match=r"(?i)tap|order"):
        machine(pair, gradient="tap").fit(rows(pair[0]))
    for held in (Regularization(dropout=0.5), Regularization(sparsity_target=0.1)):
        with pytest.raises(ValueError, match=r"dropout act on binary hidden units \{0, 1\}"):
            machine(pair, regularization=held).fit(rows(pair[0]))


@pytest.mark.parametrize("gradient", ["exact", "pseudo_likelihood", "ratio_matching"])
@every_pair
def test_gradients_are_slopes_of_what_they_learn(pair, gradient):
    """One update of rate one from given parameters is the gradient: here by central differences."""
    rbm, X = fitted(pair), rows(pair[0], 12)
    record = machine(pair, gradient=gradient)._resolvers["gradient"](gradient)
    record = type(record)(**{**record.get_params(), "centered": False})
    rbm.set_params(gradient=record, learning_rate=1.0)
    names = ("components_", "intercept_visible_", "intercept_hidden_")
    before = [getattr(rbm, name).copy() for name in names]

    def objective():
        if gradient == "exact":
            return rbm.log_likelihood(X).mean()
        if gradient == "pseudo_likelihood":
            return rbm.score(X)
        F, total = rbm.free_energy(X), 0.0
        for i in range(N):
            Y = X.copy()
            Y[:, i] = (0.0 if pair[0] == "spin" else 1.0) - X[:, i]
            total -= (1 / (1 + np.exp(rbm.free_energy(Y) - F)) ** 2).mean()
        return total

    slopes = []
    for name, values in zip(names, before, strict=True):
        slope = np.zeros(values.size)
        for k in range(values.size):
            sides = []
            for step in (1e-5, -1e-5):
                moved = values.copy()
                moved.flat[k] += step
                setattr(rbm, name, moved)
                sides.append(objective())
            slope[k] = (sides[0] - sides[1]) / 2e-5
        setattr(rbm, name, values)
        slopes.append(slope.reshape(values.shape))
    rbm.partial_fit(X)
    for name, values, slope in zip(names, before, slopes, strict=True):
        np.testing.assert_allclose(getattr(rbm, name) - values, slope, rtol=0, atol=1e-7)
