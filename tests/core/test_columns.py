"""ebm.energies.columns: groups of columns on one hidden layer, as two layers where the groups are of one type."""

from __future__ import annotations

import numpy as np
import pytest

from ebm import training
from ebm._batches import Rows
from ebm._random import Key, stream
from ebm.energies.base import DataSummary
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.columns import ColumnModel
from ebm.energies.layer_graph import ODD
from ebm.energies.layers import LayeredParameters
from ebm.gradients import PersistentContrastiveDivergence
from ebm.likelihood import log_likelihood, pseudo_log_likelihood, reconstruction_error
from ebm.optimizers import Constant, optimizer_record
from ebm.units import Bernoulli, Categorical, Gaussian, Poisson, Spin
from tests.models.layers import both, rows_of

UNITS = [Bernoulli(), Spin(), Gaussian()]


def halves(unit, hidden=Bernoulli(), seed=0):  # noqa: B008
    """Two layers, and the same with the visible layer in two groups of one type."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(5, 3))
    own = [u.neutral(n, np.float64) for u, n in ((unit, 5), (hidden, 3))]
    own = [type(x)(*(rng.normal(size=len(a)) / 2 for a in x)) for x in own]
    parts = [type(own[0])(*(a[some] for a in own[0])) for some in (slice(2), slice(2, None))]
    params = LayeredParameters((W[:2].copy(), W[2:].copy()), (*parts, own[1]))
    fused = Bipartite(unit, hidden), BipartiteParameters(W, *own)
    return fused, (ColumnModel([(unit, 2), (unit, 3)], hidden, 3), params)


def states(unit, n_rows=6):
    rng = np.random.default_rng(1)
    if unit.states is None:
        return rng.normal(size=(n_rows, 5))
    return rng.choice(unit.states, (n_rows, 5))


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_groups_of_one_type_are_one_layer(unit):
    (fused, params), (model, same) = halves(unit)
    v, h = states(unit), np.random.default_rng(2).integers(0, 2, (6, 3)).astype(float)
    pairs = [
        (model.energy(same, v, h), fused.energy(params, v, h)),
        (model.free_energy(same, v, 0.7), fused.free_energy(params, v, 0.7)),
        (model.hidden_mean(same, v), fused.hidden_mean(params, v)),
        (model.visible_mean(same, h), fused.visible_mean(params, h)),
        (model.sample_hidden(same, v, Key(0, 1)), fused.sample_hidden(params, v, Key(0, 1))),
        (pseudo_log_likelihood(model, same, v), pseudo_log_likelihood(fused, params, v)),
        (reconstruction_error(model, same, v), reconstruction_error(fused, params, v)),
        (log_likelihood(model, same, v)[0], log_likelihood(fused, params, v)[0]),
        *zip(model.recognition(same), fused.recognition(params), strict=True),
    ]
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_probabilities_are_scored_as_for_one_layer():
    (fused, params), (model, same) = halves(Bernoulli())
    v = np.random.default_rng(0).random((6, 5))
    expected = pseudo_log_likelihood(fused, params, v)
    np.testing.assert_allclose(pseudo_log_likelihood(model, same, v), expected, rtol=0, atol=1e-10)


def test_pseudo_likelihoods_of_mixed_columns_are_conditional_probabilities():
    oracle, model, params = both("mixed")
    v = rows_of(oracle, 4)
    found = pseudo_log_likelihood(model, params, v)

    def conditional(row, columns, choices):
        rows = np.repeat(row[np.newaxis], len(choices), axis=0)
        rows[:, columns] = choices
        return log_likelihood(model, params, np.vstack([row, rows]))[0]

    grid = np.linspace(-15, 15, 6001)[:, np.newaxis]
    for row, value in zip(v, found, strict=True):
        total = 0.0
        for columns, choices, step in (
            ([0], [[0], [1]], 1),
            ([1], [[0], [1]], 1),
            ([2, 3, 4], np.eye(3), 1),
            ([5], grid, grid[1, 0] - grid[0, 0]),
            ([6], grid, grid[1, 0] - grid[0, 0]),
        ):
            here, *others = conditional(row, columns, np.asarray(choices, float))
            total += here - np.logaddexp.reduce(others) - np.log(step)
        assert value == pytest.approx(total, rel=0, abs=1e-8)


def test_models_without_pseudo_likelihoods_say_so():
    _, deep, params = both("chain")
    with pytest.raises(TypeError, match="hidden layers are connected"):
        pseudo_log_likelihood(deep, params, np.zeros((1, 3)))
    (_, _), (model, same) = halves(Gaussian(), Gaussian())
    with pytest.raises(TypeError, match="Gaussian visible units with Gaussian hidden units"):
        pseudo_log_likelihood(model, same, np.zeros((1, 5)))


def test_arrays_by_name_are_those_of_all_groups():
    groups = [(Bernoulli(), 2), (Gaussian(), 2), (Categorical((3,)), 3), (Gaussian(), 1)]
    model = ColumnModel(groups, Gaussian(), 4)
    data = DataSummary(np.full(8, 0.4), np.full(8, 2.0), 10)
    params = model.initial(data, 4, stream(0, "init"))
    named = model.arrays(params)
    assert named["weights"].shape == (8, 4)
    assert named["intercept_visible"].shape == (8,)
    np.testing.assert_allclose(named["log_variance_visible"], np.log(2.0) * np.ones(3))
    assert named["log_variance_hidden"].shape == (4,)
    again = model.of_arrays(named["weights"], lambda name, neutral: named[name])
    for a, b in zip(model.pack(params), model.pack(again), strict=True):
        assert a == b
    # A machine of which only the weights are known has neutral units.
    bare = model.of_arrays(named["weights"], lambda name, neutral: neutral)
    assert not bare.layers[0].bias.any()


# Where learning starts ---------------------------------------------------------------------


def table(n_rows=300, seed=0):
    """Two bits, two real columns around one of two centers, three categories, and one real column far away."""
    rng = np.random.default_rng(seed)
    place = rng.integers(0, 2, n_rows)[:, np.newaxis]
    near = 3 * place + rng.normal(size=(n_rows, 2))
    bits = (rng.random((n_rows, 2)) < 0.2 + 0.6 * place).astype(float)
    kinds = np.eye(3)[rng.integers(0, 3, n_rows)]
    return np.hstack([bits, near, kinds, 1000 + 50 * rng.normal(size=(n_rows, 1))])


GROUPS = [(Bernoulli(), 2), (Gaussian(), 2), (Categorical((3,)), 3), (Gaussian(), 1)]


def begun(model, X, n_hidden):
    data = DataSummary(X.mean(axis=0), X.var(axis=0), float(len(X)))
    return model.initial(data, n_hidden, stream(3, "init"))


@pytest.mark.parametrize("n_hidden", [2, 7])
def test_real_columns_in_two_groups_start_as_one_layer(n_hidden):
    X = np.random.default_rng(0).normal(size=(40, 5)) * [1, 2, 3, 4, 5]
    fused = Bipartite(Gaussian(), Bernoulli())
    model = ColumnModel([(Gaussian(), 2), (Gaussian(), 3)], Bernoulli(), n_hidden)
    params = begun(fused, X, n_hidden)
    W, parts = params.W, [slice(2), slice(2, None)]
    own = [type(params.visible)(*(a[some] for a in params.visible)) for some in parts]
    split = LayeredParameters(tuple(W[some] for some in parts), (*own, params.hidden))
    assert model.starts_at_rows
    found = model.arrays(model.with_examples(split, X))
    expected = fused.arrays(fused.with_examples(params, X))
    assert set(found) == set(expected)
    for name, x in expected.items():
        np.testing.assert_allclose(found[name], x, rtol=1e-12, err_msg=name)


def test_hidden_units_of_a_table_tell_its_rows_apart():
    """At its own row a unit is undecided; visible means stay where the data are."""
    X, n_hidden = table(), 4
    model = ColumnModel(GROUPS, Bernoulli(), n_hidden)
    params = begun(model, X, n_hidden)
    made = model.with_examples(params, X)
    odds = model.inputs_from(made, ODD, X) + made.layers[-1].bias
    assert (odds.std(axis=0) > 1).all() and (abs(np.diag(odds[:n_hidden])) < 1e-9).all()
    before = model.inputs_from(params, ODD, X) + params.layers[-1].bias
    assert before.std(axis=0).max() < 0.7
    v = model.visible_mean(made, model.hidden_mean(made, X))
    gap = (v.mean(axis=0) - X.mean(axis=0)) / X.std(axis=0)
    assert abs(gap).max() < 0.3


def test_counts_without_bounds_keep_small_weights():
    X, groups = np.hstack([table(), np.arange(300)[:, np.newaxis] % 7]), [*GROUPS, (Poisson(), 1)]
    model = ColumnModel(groups, Bernoulli(), 4)
    params = begun(model, X, 4)
    made = model.with_examples(params, X)
    np.testing.assert_array_equal(made.weights[4], params.weights[4])
    np.testing.assert_array_equal(made.layers[4].bias, params.layers[4].bias)
    odds = model.inputs_from(made, ODD, X) + made.layers[-1].bias
    assert (abs(np.diag(odds[:4])) < 3).all()


def test_tables_learn_from_their_rows_on():
    """Chains, too, begin at rows; a table of counts alone begins with small weights."""
    X = table().astype(np.float32)
    settings = {"learning_rate": 0.01, "weight_decay": 0.0, "batch_size": 30, "seed": 3}
    gradient = PersistentContrastiveDivergence(n_chains=60)
    plan = training.Plan(gradient, optimizer_record("sgd"), Constant(), **settings)
    model = ColumnModel(GROUPS, Bernoulli(), 4)
    state = training.start(model, Rows(X), 4, plan)
    h, mean = state.chains.h, X.mean(axis=0)
    v = model.visible_mean(state.params, h).mean(axis=0)
    assert np.isin(h, (0, 1)).all()
    assert (abs(v - mean) < 0.4 * X.std(axis=0)).all()
    assert ColumnModel(GROUPS[:1], Bernoulli(), 4).starts_at_rows
    assert not ColumnModel([(Poisson(), 2)], Bernoulli(), 4).starts_at_rows
    assert not ColumnModel(GROUPS, Spin(), 4).starts_at_rows
