"""What holds for back-propagation, and for an epoch of it; tests/mutants/test_back_propagation.py has what fails it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tests.oracles import perceptron

STEP = 1e-5


def slopes(function, theta, step=STEP):
    """Central differences of a function of a flat vector, one entry at a time."""
    out = np.zeros(len(theta))
    for i in range(len(theta)):
        ends = []
        for sign in (1, -1):
            nudged = theta.copy()
            nudged[i] += sign * step
            ends.append(function(nudged))
        out[i] = (ends[0] - ends[1]) / (2 * step)
    return out


def assert_network_slopes(network, theta, x, targets, *, weights=None, key=None, atol=1e-6):
    """The whole gradient of a network, by every entry of the flat vector, is that of minus the loss and costs.

    Running moments, and what stands for missing inputs and scales them, are fields of the parameters, and no optimiser
    moves them: their gradient is zero.
    """

    def loss(vector):
        vector = vector.copy()  # running moments follow the batch
        params, unused = network.unpack(vector), network.unpack(np.empty_like(vector))
        step = network.back_propagate(params, x, targets, unused, weights=weights, key=key)
        assert not step.where
        return step.loss + step.cost

    gradient = np.full(len(theta), 7.0)  # all of it has to be written
    before = x.copy(), targets.copy()
    params = network.unpack(theta.copy())
    network.back_propagate(params, x, targets, network.unpack(gradient), weights=weights, key=key)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(targets, before[1])
    expected = -slopes(loss, theta)
    for own in network.unpack(expected):
        for moment in set(own._fields) & {"mean", "variance", "fill", "factor"}:
            getattr(own, moment)[:] = 0
    np.testing.assert_allclose(gradient, expected, atol=atol, rtol=0)


def small_problem(n_outputs=3):
    """Seven rows, in batches of three with one left over, and a 4-3-2-`n_outputs` network: far from all symmetry."""
    rng = np.random.default_rng(0)
    sizes = [4, 3, 2, n_outputs]
    coefs = [rng.normal(size=pair) for pair in pairwise(sizes)]
    intercepts = [0.5 * rng.normal(size=n) for n in sizes[1:]]
    labels = np.arange(7) % n_outputs
    return rng.normal(size=(7, 4)), np.eye(n_outputs)[labels], coefs, intercepts


def assert_epochs_of_momentum(epoch, nesterov=False, atol=1e-12):
    """``epoch(coefs, intercepts, X, T)`` -> (coefs, intercepts, loss), twice, is the textbook's with momentum 0.9.

    The network of :func:`small_problem` with logistic units and cross-entropy; batches of three, the rate 0.3,
    alpha = 0.2.
    """
    X, T, *ours = small_problem()
    theirs, descent = ours, perceptron.Descent(3, 0.3, 0.9, nesterov)
    for _ in range(2):
        *ours, loss = epoch(*ours, X, T)
        *theirs, shown = descent.epoch(
            *theirs, X, T, activation="logistic", loss="cross_entropy", alpha=0.2
        )
        np.testing.assert_allclose(loss, shown, atol=atol, rtol=0)
        for mine, right in zip([*ours[0], *ours[1]], [*theirs[0], *theirs[1]], strict=True):
            np.testing.assert_allclose(mine, right, atol=atol, rtol=0)


def assert_neighborhood_cost(labelled_cost, share=0.3):
    """``labelled_cost(y, labels, weights)`` is `share` times the cost of labelled rows, with its derivatives.

    Labelled rows are neighbors of each other, as often as their weights say. The sum of their weights is their share of
    all rows.
    """
    rng = np.random.default_rng(2)
    y, weights = rng.normal(size=(9, 2)), np.arange(1.0, 10) / 45
    labels = np.array([0, 1, np.nan, 0, 1, 0, np.nan, 1, 0])

    def expected(flat):
        z, total = flat.reshape(9, 2), 0.0
        known = np.flatnonzero(~np.isnan(labels))
        for i in known:
            near = {j: weights[j] * np.exp(-np.sum((z[i] - z[j]) ** 2)) for j in known if j != i}
            same = sum(x for j, x in near.items() if labels[j] == labels[i])
            total += share * weights[i] * (1 - same / sum(near.values()))
        return total

    cost = labelled_cost(y, np.stack([labels, labels], axis=1), weights)
    np.testing.assert_allclose(cost.value, expected(y.ravel()), rtol=1e-12)
    np.testing.assert_allclose(cost.delta.ravel(), -slopes(expected, y.ravel()), atol=1e-9)
    assert cost.params is None
