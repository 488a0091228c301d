"""Lengths of fits and learning rates that are not given."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from ebm._batches import Rows
from ebm._random import stream
from ebm._state import count_epochs, default_rate, spread, with_rate
from ebm.energies.base import DataSummary
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.columns import ColumnModel
from ebm.gradients import PersistentContrastiveDivergence
from ebm.optimizers import SGD, Constant
from ebm.training import Plan
from ebm.units import Bernoulli, Binomial, Gaussian, Poisson, Spin


def plan(batch_size):
    return Plan(PersistentContrastiveDivergence(), SGD(), Constant(), 0.1, 0.0, batch_size, 0)


@pytest.mark.parametrize("batch_size", [1, 7, 100])
@pytest.mark.parametrize("n_rows", [1, 30, 1999, 40_000])
def test_small_tables_get_two_thousand_updates_and_large_ones_ten_passes(n_rows, batch_size):
    rows = Rows(np.zeros((n_rows, 1)))
    epochs = count_epochs("auto", rows, plan(batch_size))
    n_batches = -(-n_rows // batch_size)
    assert epochs >= 10 and epochs * n_batches >= 2000
    assert epochs == 10 or (epochs - 1) * n_batches < 2000
    assert count_epochs(3, rows, plan(batch_size)) == 3


def test_rows_that_stand_for_several_are_counted_as_such():
    rows = Rows(np.zeros((10, 1)), np.full(10, 100.0))
    assert count_epochs("auto", rows, plan(10)) == 20


def rate(visible, hidden=None, shape=(5, 256)):
    model = Bipartite(visible, hidden or Bernoulli())
    n_visible, n_hidden = shape
    own = (
        model.visible.neutral(n_visible, np.dtype(float)),
        model.hidden.neutral(n_hidden, np.dtype(float)),
    )
    return default_rate(model, BipartiteParameters(np.zeros(shape), *own))


def test_the_rate_falls_with_the_number_of_hidden_units_and_is_never_large():
    rates = [rate(Bernoulli(), shape=(5, n)) for n in (1, 10, 64, 256, 1024)]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.04, 0.02, 0.01])


def test_many_features_with_a_scale_of_their_own_move_more_slowly():
    np.testing.assert_allclose(
        [rate(Gaussian(), shape=(n, 256)) for n in (1, 16, 64)], [0.02, 0.02, 0.01]
    )
    assert rate(Bernoulli(), shape=(784, 256)) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("visible", "hidden", "factor"),
    [
        (Spin(), None, 1 / 4),
        (Spin(), Spin(), 1 / 16),
        (Binomial(3), None, 1 / 9),
        (Poisson(), None, 1 / 10),
    ],
)
def test_states_that_are_farther_apart_move_more_slowly(visible, hidden, factor):
    assert rate(visible, hidden) == pytest.approx(0.02 * factor)


@pytest.mark.parametrize("unit", [Gaussian(), Bernoulli()], ids=["reals", "bits"])
def test_many_rows_of_reals_are_learned_faster(unit):
    model = Bipartite(unit, Bernoulli())
    state = SimpleNamespace(model=model, local=model.initial(DATA, 256, stream(0, "init")))
    found = [
        with_rate(plan(10)._replace(learning_rate="auto"), state, Rows(BITS[:4], np.full(4, n / 4)))
        for n in (100, 500, 2000, 1e5)
    ]
    factors = [1, 1, 2, 3] if unit.has_scale else [1, 1, 1, 1]
    np.testing.assert_allclose([x.learning_rate for x in found], 0.02 * np.array(factors))


def spread_of(X, model):
    return spread(model, model.initial(DATA, 3, stream(0, "init")), Rows(X))


DATA = DataSummary(np.full(4, 0.5), np.ones(4), 100.0)
BITS = np.random.default_rng(0).integers(0, 2, (1000, 4)).astype(float)


@pytest.mark.parametrize("unit", [Bernoulli(), Spin()])
def test_states_spread_as_far_as_they_can_and_probabilities_less(unit):
    model, low = Bipartite(unit, Bernoulli()), unit.states[0]
    states = low + (1 - low) * BITS
    assert spread_of(states, model) == pytest.approx(1)
    nearer = states.mean(axis=0) + 0.3 * (states - states.mean(axis=0))
    assert spread_of(nearer, model) == pytest.approx(0.09)
    assert spread_of(sparse.csr_array(states), model) == pytest.approx(1)


def test_other_data_and_constant_ones_have_no_spread():
    assert spread_of(np.full((9, 4), 0.3), Bipartite(Bernoulli(), Bernoulli())) == 1
    assert spread_of(np.ones((9, 4)), Bipartite(Bernoulli(), Bernoulli())) == 1
    assert spread_of(3 * BITS, Bipartite(Gaussian(), Bernoulli())) == 1


def test_only_the_columns_of_two_states_count():
    model = ColumnModel([(Gaussian(), 2), (Bernoulli(), 2)], Bernoulli(), 3)
    X = np.hstack([7 * BITS[:, :2], 0.5 + 0.5 * (BITS[:, 2:] - BITS[:, 2:].mean(axis=0))])
    m = X[:, 2:].mean(axis=0)
    expected = X[:, 2:].var(axis=0).sum() / (m * (1 - m)).sum()
    assert spread_of(X, model) == pytest.approx(expected)
