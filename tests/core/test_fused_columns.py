"""ebm.gradients.fused_columns: tables of bits and categories learn as two layers do, number for number."""

from __future__ import annotations

import numpy as np
import pytest

import ebm
from ebm import training
from ebm._batches import Rows
from ebm._random import Key
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.gradients import Batch, ContrastiveDivergence, PersistentContrastiveDivergence
from ebm.optimizers import Constant, optimizer_record
from ebm.units import Bernoulli, Categorical, Gaussian, OneHot, Spin

GROUPS = [(Bernoulli(), 3), (Categorical((3,)), 3), (Categorical((2, 2)), 4)]
MODEL = ColumnModel(GROUPS, Bernoulli(), 5)
FUSED = Bipartite(OneHot((3, 2, 2)), Bernoulli())


def table(n_rows=24, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    parts = [np.eye(n)[rng.integers(0, n, n_rows)] for n in (3, 2, 2)]
    return np.hstack([rng.integers(0, 2, (n_rows, 3)), *parts]).astype(dtype)


def plan(gradient, optimizer="momentum"):
    settings = {"learning_rate": 0.1, "weight_decay": 1e-3, "batch_size": 8, "seed": 3}
    return training.Plan(gradient, optimizer_record(optimizer), Constant(), **settings)


def test_bits_followed_by_categories_are_one_layer():
    assert MODEL.fused == FUSED
    bits = ColumnModel([(Bernoulli(), 2), (Bernoulli(), 3)], Gaussian(), 2)
    assert bits.fused == Bipartite(Bernoulli(), Gaussian())
    alone = ColumnModel([(Categorical((3,)), 3)], Bernoulli(), 2)
    assert alone.fused == Bipartite(OneHot((3,)), Bernoulli())


@pytest.mark.parametrize(
    "groups",
    [
        [(Categorical((3,)), 3), (Bernoulli(), 2)],
        [(Bernoulli(), 2), (Gaussian(), 2)],
        [(Bernoulli(), 2), (Categorical((3,)), 3), (Bernoulli(), 1)],
        [(Spin(), 2), (Categorical((3,)), 3)],
    ],
)
def test_other_columns_are_several_layers(groups):
    assert ColumnModel(groups, Bernoulli(), 2).fused is None


@pytest.mark.parametrize("record", [ContrastiveDivergence(2), PersistentContrastiveDivergence(2)])
def test_gradients_are_those_of_the_fused_layer(record):
    X, weights = table(), np.linspace(0.5, 1.5, 24) / 24
    found, expected = [], []
    for model, out in ((MODEL, found), (FUSED, expected)):
        state = training.start(MODEL, Rows(X), 5, plan(record))
        params = model.unpack(state.theta, 10, 5)
        gradient = model.unpack(np.zeros_like(state.theta), 10, 5)
        bound = record.bind(model, gradient, 24, len(state.chains.h))
        for step in range(2):
            batch = Batch(X.copy(), weights)
            filled, chains, info = bound(params, batch, state.chains, Key(step, 1))
            assert info.finite and filled is gradient
            out += [model.pack(filled), chains.h.copy(), chains.visible_offset.copy()]
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("record", [ContrastiveDivergence(), PersistentContrastiveDivergence()])
def test_training_is_that_of_the_fused_layer(record, dtype):
    X, how, thetas = table(dtype=dtype), plan(record), []
    for model in (MODEL, FUSED):
        state = training.start(model, Rows(X), 5, how)
        first = training.start(MODEL, Rows(X), 5, how)
        state.theta[:], state.chains = first.theta, first.chains
        before = state.theta.copy()
        assert training.train(state, Rows(X), how, 3) == ""
        thetas.append(state.theta)
        assert (state.theta != before).all()
    np.testing.assert_array_equal(*thetas)


def test_the_old_name_of_both_in_one_layer_warns():
    with pytest.warns(FutureWarning, match=r"OneHot is deprecated.*Categorical\(sizes\)"):
        assert ebm.OneHot is OneHot
    assert "OneHot" not in ebm.__all__
