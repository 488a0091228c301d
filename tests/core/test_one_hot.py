"""Units in groups of which exactly one is on, in machines: every law against the restricted Bernoulli machine."""

from __future__ import annotations

import numpy as np
import pytest

from ebm import training
from ebm._batches import Rows
from ebm._random import Key, fold, stream
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.path import BipartitePath, data_base
from ebm.gradients import (
    TAP,
    Batch,
    ChainState,
    ContrastiveDivergence,
    Exact,
    FastPersistentContrastiveDivergence,
    ParallelTempering,
    PersistentContrastiveDivergence,
    PseudoLikelihood,
)
from ebm.inference.mean_field import mean_field, mean_field_free_energy
from ebm.likelihood import log_partition, pseudo_log_likelihood
from ebm.optimizers import Constant, optimizer_record
from ebm.samplers import anneal, block_gibbs
from ebm.units import Bernoulli, OneHot, Spin
from tests.checks.one_hot import MODEL, SIZES, assert_group_means, assert_group_samples
from tests.oracles import draws, one_hot, rbm, rbm_gradients
from tests.oracles.data import sample_states
from tests.statistics import assert_same_distribution, assert_same_mean, joint_counts, state_counts

KEY = Key(21, 22)
BETAS = [0.3, 1.0, 2.5]
UNIT = OneHot(SIZES)
LIBRARY = Bipartite(UNIT, Bernoulli())
STATES = one_hot.possible_states(6, SIZES)


def library_params(model=MODEL, dtype=np.float64, unit=UNIT):
    layer_params = unit.neutral(len(model.b), dtype)
    layer_params.bias[:] = model.b
    hidden = Bernoulli().parameters(model.c.astype(dtype))
    return BipartiteParameters(model.W.astype(dtype), layer_params, hidden)


PARAMS = library_params()


def layer_params(n_units=6, dtype=np.float64, bias=0.0, unit=UNIT):
    neutral = unit.neutral(n_units, dtype)
    return neutral._replace(bias=(neutral.bias + bias).astype(dtype))


def rows(n_rows=6, seed=0):
    return STATES[np.random.default_rng(seed).integers(len(STATES), size=n_rows)]


def hidden_rows(n_rows=6, seed=1):
    return np.random.default_rng(seed).integers(0, 2, size=(n_rows, 3)).astype(float)


# The layer -----------------------------------------------------------------------------------


def test_means_are_those_of_the_restricted_law():
    assert_group_means(lambda fields: UNIT.mean(layer_params(), fields))


@pytest.mark.needs_jit
def test_samples_have_the_joint_law():
    assert_group_samples(lambda fields: UNIT.sample(layer_params(), fields, KEY))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_groups_do_not_overflow_and_nan_stays_in_its_group(dtype):
    f = np.array([[0, 1e30, 0, -1e30, 3e4, 0]], dtype)
    np.testing.assert_allclose(
        UNIT.mean(layer_params(dtype=dtype), f), [[0.5, 1, 0, 0, 1, 0]], atol=1e-20
    )
    assert UNIT.log_normaliser(layer_params(dtype=dtype), f)[0] == pytest.approx(1e30, rel=1e-6)
    f = np.array([[0, np.nan, 0, 0, 0, 0], [0, 0, 0, np.nan, 0, 0], [0, 0, 0, 0, 0, 0]], dtype)
    nan = np.isnan(UNIT.mean(layer_params(dtype=dtype), f))
    np.testing.assert_array_equal(nan, [[0, 1, 1, 1, 0, 0]] * 2 + [[0] * 6])
    assert np.isnan(UNIT.log_normaliser(layer_params(dtype=dtype), f)).tolist() == [
        True,
        True,
        False,
    ]


def test_a_group_of_two_is_one_binary_unit():
    """On with the difference of the two fields."""
    unit, f = OneHot((2,)), np.random.default_rng(3).normal(size=(5, 2))
    p = Bernoulli().mean(Bernoulli().parameters(np.zeros(1)), f[:, 1:] - f[:, :1])
    np.testing.assert_allclose(
        unit.mean(layer_params(2, unit=unit), f), np.c_[1 - p, p], rtol=1e-13
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layers_start_at_the_datas_means_and_finite(dtype):
    mean = np.array([0.3, 0.5, 0.5, 0.0, 0.25, 0.75], dtype)
    start = UNIT.initial(mean, mean, 1000.0)
    assert start.bias.dtype == dtype and np.isfinite(start.bias).all()
    rest = UNIT.mean(start, np.zeros((1, 6), dtype))[0]
    np.testing.assert_allclose(rest, mean, atol=1e-3)


def test_layers_say_what_they_cannot_be():
    assert UNIT.invalid(STATES) == ""
    assert UNIT.invalid(np.array([[0.5, 0.2, 0.3, 0.5, np.nan, np.nan]])) == ""
    assert "between 0 and 2" in UNIT.invalid(np.array([[2.0, 1, 0, 0, 1, 0]]))
    assert "columns 1 to 3 do not sum to one" in UNIT.invalid(np.array([[0.0, 1, 1, 0, 1, 0]]))
    assert "columns 4 to 5 do not sum to one" in UNIT.invalid(np.array([[0.0, 1, 0, 0, 0, 0]]))
    assert "NaN in some of the columns 4 to 5" in UNIT.invalid(
        np.array([[0.0, 1, 0, 0, 1, np.nan]])
    )


@pytest.mark.parametrize("sizes", [(), (1,), [3], (2, 0), (2.0,), 3])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="sizes must be"):
        OneHot(sizes)


def test_layers_with_too_few_units_are_refused():
    with pytest.raises(ValueError, match="more than the 4 of the layer"):
        UNIT.neutral(4, np.float64)


# The machine ---------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", BETAS)
def test_energies_and_conditionals_are_those_of_the_restricted_machine(beta):
    v, h = rows(), hidden_rows()
    energies = [rbm.energy(MODEL, *pair) for pair in zip(v, h, strict=True)]
    np.testing.assert_allclose(LIBRARY.energy(PARAMS, v, h), energies, rtol=1e-12)
    free = [rbm.free_energy(MODEL, row, beta) for row in v]
    np.testing.assert_allclose(LIBRARY.free_energy(PARAMS, v, beta), free, rtol=1e-12)
    down = [one_hot.visible_mean(MODEL, SIZES, row, beta) for row in h]
    np.testing.assert_allclose(LIBRARY.visible_mean(PARAMS, h, beta), down, rtol=1e-12)
    other, swapped = LIBRARY.swapped(PARAMS)
    sums = [one_hot.log_layer_sum(row @ MODEL.W.T, MODEL.b, SIZES, beta) for row in h]
    expected = -np.array(sums) / beta - h @ MODEL.c
    np.testing.assert_allclose(other.free_energy(swapped, h, beta), expected, rtol=1e-12)


@pytest.mark.parametrize("sizes", [(3, 2), (2, 3), (4,), (3, 3), (2, 2, 2)])
def test_draws_are_the_oracles_on_the_same_random_numbers(sizes):
    """Groups that begin in odd and in even columns, with units before them and without."""
    unit, h = OneHot(sizes), hidden_rows(20)
    model = Bipartite(unit, Bernoulli())
    v = model.sample_visible(library_params(unit=unit), h, KEY, 0.7)
    np.testing.assert_array_equal(v, one_hot.draw_visible(MODEL, sizes, h, KEY, 0.7))
    inputs = model.visible_input(library_params(unit=unit), h)
    part = unit.sample(library_params(unit=unit).visible, inputs[8:], KEY, 0.7, first_row=8)
    np.testing.assert_array_equal(part, v[8:])


def test_log_partition_sums_over_possible_states():
    expected = one_hot.log_partition(MODEL, SIZES)
    assert log_partition(LIBRARY, PARAMS, "exact").value == pytest.approx(expected, rel=1e-13)
    assert log_partition(LIBRARY, PARAMS).method == "exact"
    hot = log_partition(LIBRARY, PARAMS, beta=2.5).value
    assert hot == pytest.approx(one_hot.log_partition(MODEL, SIZES, 2.5), rel=1e-13)
    tempered = LIBRARY.tempered(PARAMS, 2.5)
    assert log_partition(LIBRARY, tempered).value == pytest.approx(hot, rel=1e-13)


def test_the_path_mixes_energies():
    """E_t = (1 - t) E_0 + t E_1, summed over h, up to the constants of the base."""
    mean = np.array([0.4, 0.2, 0.5, 0.3, 0.1, 0.9])
    base = data_base(LIBRARY, PARAMS, mean, mean, 50.0)
    path = BipartitePath(LIBRARY, PARAMS, base)
    first = rbm.OracleRBM(0 * MODEL.W, base[0].bias, base[1].bias)
    assert path.log_z == pytest.approx(one_hot.log_partition(first, SIZES), rel=1e-12)
    t = 0.3
    mixed = rbm.OracleRBM(
        t * MODEL.W, (1 - t) * first.b + t * MODEL.b, (1 - t) * first.c + t * MODEL.c
    )
    gain = path.gain(STATES, path.inputs(STATES), path.stage(0.0), path.stage(t))
    expected = [rbm.free_energy(first, v) - rbm.free_energy(mixed, v) for v in STATES]
    np.testing.assert_allclose(gain, expected, rtol=1e-12)


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 3])
def test_annealing_weights_are_unbiased(n_steps):
    mean = np.array([0.4, 0.2, 0.5, 0.3, 0.1, 0.9])
    path = BipartitePath(LIBRARY, PARAMS, data_base(LIBRARY, PARAMS, mean, mean, 50.0))
    ends = anneal(path, np.linspace(0, 1, n_steps + 1), 100_000, KEY)
    weights = np.exp(ends.log_weights + path.log_z - one_hot.log_partition(MODEL, SIZES))
    assert_same_mean(weights, 1.0)


@pytest.mark.needs_jit
@pytest.mark.parametrize("given", [None, [np.nan, 0, 1, 0, np.nan, np.nan]])
def test_gibbs_steps_have_the_row_and_leave_the_law_unchanged(given):
    n, clamped = 40_000, None if given is None else np.array(given)
    law = one_hot.joint_probabilities(MODEL, SIZES, given=clamped)
    start = np.array([1.0, 0, 1, 0, 1, 0])
    v, h = block_gibbs(LIBRARY, PARAMS, np.tile(start, (n, 1)), KEY, 1, given=clamped)
    row = []
    for p, state in zip(rbm.hidden_given_visible(MODEL, start), rbm.all_states(3), strict=True):
        table = one_hot.visible_given_hidden(MODEL, SIZES, state)
        if clamped is not None:
            table = table * (law.sum(axis=1) > 0)
        row.append(p * table / table.sum())
    assert_same_distribution(joint_counts(v, h), np.transpose(row))
    exact = sample_states(law.sum(axis=1), n, np.random.default_rng(5))
    v, h = block_gibbs(LIBRARY, PARAMS, exact, fold(KEY, 1), 1, given=clamped)
    assert_same_distribution(joint_counts(v, h), law)


@pytest.mark.parametrize("hidden", [Bernoulli(), Spin()], ids=repr)
def test_pseudo_likelihood_takes_a_group_as_one(hidden):
    params = library_params()
    if isinstance(hidden, Bernoulli):
        model, params = LIBRARY, params
    else:  # h = (1 + s) / 2
        model = Bipartite(UNIT, hidden)
        visible = params.visible._replace(bias=params.visible.bias + params.W.sum(axis=1) / 2)
        params_h = hidden.parameters(params.hidden.bias / 2)
        params = BipartiteParameters(params.W / 2, visible, params_h)
    expected = one_hot.pseudo_log_likelihood(MODEL, SIZES, STATES)
    np.testing.assert_allclose(pseudo_log_likelihood(model, params, STATES), expected, rtol=1e-10)
    if isinstance(hidden, Bernoulli):  # a machine of nothing but groups
        unit, sizes = OneHot((3, 3)), (3, 3)
        states = one_hot.possible_states(6, sizes)
        expected = one_hot.pseudo_log_likelihood(MODEL, sizes, states)
        found = pseudo_log_likelihood(Bipartite(unit, hidden), library_params(unit=unit), states)
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_pseudo_likelihood_is_averaged_over_probable_labels():
    sure = rows(1)
    other = sure.copy()
    other[:, 1:4] = np.roll(other[:, 1:4], 1, axis=1)
    unit = OneHot((3,))
    model, params = Bipartite(unit, Bernoulli()), library_params(unit=unit)
    # Of the last group alone: the Bernoulli units see the probabilities as inputs.
    columns = slice(3, 6)
    v = np.array([[1.0, 0, 1, 0, 0, 0]])
    scores = []
    for k in range(3):
        v[:, columns] = np.eye(3)[k]
        scores.append(np.log(one_hot.posterior(MODEL, (3,), v[0], 0)[k]))
    mixed = v.copy()
    mixed[:, columns] = [0.2, 0.3, 0.5]
    found = pseudo_log_likelihood(model, params, mixed)[0]
    flips = sum(
        -np.logaddexp(0, rbm.free_energy(MODEL, mixed[0]) - rbm.free_energy(MODEL, flipped))
        for flipped in (np.abs(mixed[0] - np.eye(6)[i]) for i in range(3))
    )
    assert found == pytest.approx(np.dot([0.2, 0.3, 0.5], scores) + flips, rel=1e-10)


def test_naive_mean_field_bounds_log_z():
    h = np.random.default_rng(2).random((8, 3))
    point = mean_field(LIBRARY, PARAMS, LIBRARY.visible_mean(PARAMS, h), h)
    assert point.converged.all() and UNIT.invalid(point.v) == ""
    gamma = mean_field_free_energy(LIBRARY, PARAMS, point)
    gap = gamma + one_hot.log_partition(MODEL, SIZES)
    assert (gap >= 0).all() and gap.min() < 1


# Gradients -----------------------------------------------------------------------------------


def no_chains():
    return ChainState(np.zeros((0, 3)), np.zeros(6), np.zeros(3))


def estimate(record, X, *, chains=None, params=PARAMS, model=LIBRARY, key=KEY):
    gradient = model.unpack(0 * model.pack(params), *params.W.shape)
    chains = no_chains() if chains is None else chains
    bound = record.bind(model, gradient, len(X), len(chains.h))
    gradient, chains, info = bound(params, Batch(X.copy(), None), chains, key)
    assert info.finite
    return gradient, chains


def assert_gradient(gradient, expected, atol=1e-12):
    for found, wanted in zip(
        (gradient.W, gradient.visible.bias, gradient.hidden.bias),
        (expected.W, expected.b, expected.c),
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)


@pytest.mark.parametrize("centered", [False, True])
def test_exact_gradient_is_the_slope_of_the_log_likelihood(centered):
    X = rows(5)
    gradient, _ = estimate(Exact(centered=False), X)
    slope = rbm_gradients.finite_differences(
        lambda nudged: one_hot.mean_log_likelihood(nudged, SIZES, X), MODEL
    )
    assert_gradient(gradient, slope, 1e-9)
    if centered:  # the same arrow, along other coordinates
        mu, lam = np.full(6, 0.3), np.full(3, 0.6)
        slid = ChainState(np.zeros((0, 3)), mu, lam)
        moved, after = estimate(Exact(), X, chains=slid)
        W = gradient.W - np.outer(after.visible_offset, gradient.hidden.bias)
        W -= np.outer(gradient.visible.bias, after.hidden_offset)
        np.testing.assert_allclose(moved.W, W, atol=1e-12)


@pytest.mark.parametrize("n_steps", [1, 2])
@pytest.mark.parametrize("persistent", [False, True])
def test_contrastive_gradients_are_the_oracles_on_the_same_random_numbers(persistent, n_steps):
    X, h = rows(5), hidden_rows(4)
    record = PersistentContrastiveDivergence if persistent else ContrastiveDivergence
    chains = ChainState(h.copy() if persistent else h[:0], np.zeros(6), np.zeros(3))
    gradient, chains = estimate(record(n_steps=n_steps, centered=False), X, chains=chains)
    state = h if persistent else draws.hidden(MODEL, X, draws.fold(KEY, 0))
    for step in range(n_steps):
        v = one_hot.draw_visible(MODEL, SIZES, state, draws.fold(KEY, 2 * step + 1))
        state = draws.hidden(MODEL, v, draws.fold(KEY, 2 * step + 2))
    terms = [rbm_gradients.statistics_given_visible(MODEL, row) for row in [*X, *v]]
    weights = [1 / len(X)] * len(X) + [-1 / len(v)] * len(v)
    assert_gradient(gradient, rbm_gradients.weighted_sum(weights, terms))
    if persistent:
        np.testing.assert_array_equal(chains.h, state)


@pytest.mark.parametrize(
    "record",
    [
        FastPersistentContrastiveDivergence(n_chains=4),
        pytest.param(ParallelTempering(n_chains=4), marks=pytest.mark.needs_jit),
    ],
    ids=repr,
)
def test_chains_of_their_own_keep_the_groups(record):
    chains = record.start(LIBRARY, PARAMS, rows(9).mean(axis=0), 5, KEY)
    for step in range(3):
        gradient, chains = estimate(record, rows(5, seed=step), chains=chains)
        assert np.isfinite(gradient.W).all()
    if isinstance(record, ParallelTempering):
        replicas = chains.gradient_state[0]
        assert UNIT.invalid(replicas.reshape(-1, 6)) == "" and set(np.unique(replicas)) == {0, 1}


def test_naive_mean_field_is_a_gradient_and_expansions_are_refused():
    estimate(TAP(order=1), rows(5))
    with pytest.raises(ValueError, match="these are OneHot and Bernoulli"):
        estimate(TAP(order=2), rows(5))
    with pytest.raises(ValueError, match="which OneHot units cannot do"):
        estimate(PseudoLikelihood(), rows(5))


# Training ------------------------------------------------------------------------------------


def plan(gradient, optimizer="sgd", **settings):
    choices = {"learning_rate": 0.1, "weight_decay": 1e-3, "batch_size": 8, "seed": 3, **settings}
    return training.Plan(gradient, optimizer_record(optimizer), Constant(), **choices)


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_training_moves_every_weight(optimizer):
    X = rows(20)
    way = plan(PersistentContrastiveDivergence(), optimizer)
    state = training.start(LIBRARY, Rows(X), 3, way)
    before = state.theta.copy()
    assert training.train(state, Rows(X), way, 3) == ""
    assert state.theta.size == 6 * 3 + 6 + 3
    assert np.abs(state.theta - before)[: LIBRARY.n_weights(state.params)].min() > 0


def test_a_stream_of_samples_repeats():
    h = hidden_rows(3)
    first, second = (LIBRARY.sample_visible(PARAMS, h, stream(seed, "negative")) for seed in (0, 0))
    np.testing.assert_array_equal(first, second)
    assert state_counts(first).sum() == 3
