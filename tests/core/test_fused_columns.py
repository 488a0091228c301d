"""ColumnModel.fused: tables of bits and categories learn as two layers do, number for number."""

from __future__ import annotations

import numpy as np
import pytest

import ebm
from ebm import training
from ebm._batches import Rows
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.gradients import (
    TAP,
    ContrastiveDivergence,
    FastPersistentContrastiveDivergence,
    ParallelTempering,
    PersistentContrastiveDivergence,
)
from ebm.monitors import Checkpoint
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
    model = ColumnModel(groups, Bernoulli(), 2)
    assert model.fused is model


RECORDS = [
    ContrastiveDivergence(),
    PersistentContrastiveDivergence(),
    FastPersistentContrastiveDivergence(),
    ParallelTempering(n_temperatures=3),
    TAP(order=1),
    TAP(order=1, persistent=True),
]


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("record", RECORDS, ids=repr)
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


@pytest.mark.needs_jit
@pytest.mark.parametrize("record", RECORDS, ids=repr)
def test_training_goes_on_from_a_checkpoint(record, tmp_path):
    rows, how, file = Rows(table()), plan(record), tmp_path / "training"
    whole, broken = (training.start(MODEL, rows, 5, how) for _ in range(2))
    assert training.train(whole, rows, how, 4) == ""

    def stop(report):
        if report.epoch == 3:
            raise OSError("the power went out")

    with pytest.raises(OSError, match="power"):
        training.train(broken, rows, how, 4, [Checkpoint(file, every=2), stop])
    loaded = training.load(file, training.start(MODEL, rows, 5, how), how, rows, 4)
    assert loaded.epoch == 2 and loaded.model == MODEL
    assert training.train(loaded, rows, how, 4) == ""
    np.testing.assert_array_equal(loaded.theta, whole.theta)


def test_the_old_name_of_both_in_one_layer_warns():
    with pytest.warns(FutureWarning, match=r"OneHot is deprecated.*Categorical\(sizes\)"):
        assert ebm.OneHot is OneHot
    assert "OneHot" not in ebm.__all__
