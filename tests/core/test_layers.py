"""ebm.energies.layers, its edges and its exact sums, against all states one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ebm._random import stream
from ebm.energies.base import DataSummary
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.energies.edges import Dense, Edge, Masked
from ebm.energies.layer_graph import EVEN, ODD, Layer, two_colors
from ebm.energies.layer_sums import layer_sum, layered_free_energy, layered_log_z
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.likelihood import log_likelihood, log_partition, pseudo_log_likelihood
from ebm.units import Bernoulli, Gaussian, OneHot, Poisson, Spin
from tests.checks.layers import assert_energies, assert_sums
from tests.models.layers import GRAPHS, both, rows_of
from tests.oracles import layers as oracles
from tests.oracles.known_answers import DEEP_CHAINS, mixed_columns

V, H = Layer("v", Bernoulli(), 3, visible=True), Layer("h", Bernoulli(), 2)
TOP = Layer("top", Bernoulli(), 2)


def chain(kind, seed, sizes):
    unit, rng = {"bernoulli": Bernoulli(), "spin": Spin()}[kind], np.random.default_rng(seed)
    weights = tuple(rng.normal(0, 1, shape) for shape in itertools.pairwise(sizes))
    own = tuple(unit.parameters(rng.normal(0, 0.5, n)) for n in sizes)
    layers = [Layer(f"x{k}", unit, n, visible=k == 0) for k, n in enumerate(sizes)]
    edges = [Edge(a.name, b.name) for a, b in itertools.pairwise(layers)]
    return LayeredModel(layers, edges), LayeredParameters(weights, own)


# --- the graph ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRAPHS)
def test_every_edge_joins_two_colors_and_the_first_visible_layer_is_even(name):
    _, model, _ = both(name)
    for low, high in model.ends:
        assert {model.places[low].color, model.places[high].color} == {EVEN, ODD}
    assert model.places[model.shown[0]] == (EVEN, slice(0, model.layers[model.shown[0]].size))
    assert sorted(model.members[EVEN] + model.members[ODD]) == list(range(len(model.layers)))


@pytest.mark.parametrize(
    ("pairs", "cycle"),
    [
        ("ab bc ca", 3),
        ("ab bc cd de ea", 5),
        ("ab bc cd db", 3),  # a tail that is not part of it
        ("aa", 1),
    ],
)
def test_a_cycle_of_odd_length_is_named(pairs, cycle):
    pairs = [tuple(pair) for pair in pairs.split()]
    names = sorted({name for pair in pairs for name in pair})
    with pytest.raises(ValueError, match=f"no two colors.* cycle of {cycle}\\.") as told:
        two_colors(names, pairs)
    named = str(told.value).partition(" form")[0].split("edges ")[1].split(" - ")
    named = [name.strip("'") for name in named]
    assert len(named) == cycle + 1
    assert named[0] == named[-1]
    steps = list(itertools.pairwise(named))
    assert all(step in pairs or step[::-1] in pairs for step in steps)


@pytest.mark.parametrize(
    ("layers", "edges", "reason"),
    [
        ([V, V], [], "different names"),
        ([H, TOP], [Edge("h", "top")], "hold a visible one"),
        ([V, H], [Edge("v", "w")], "a layer 'w' that there is not"),
        ([V, H], [Edge("v", "h"), Edge("h", "v")], "join two layers once"),
        ([V, H, TOP], [Edge("v", "h"), Edge("h", "top"), Edge("v", "top")], "no two colors"),
        ([V, H], [Edge("v", "h", Masked(np.ones((2, 3), bool)))], r"have the shape \(3, 2\)"),
    ],
)
def test_graphs_that_are_none_are_refused(layers, edges, reason):
    with pytest.raises(ValueError, match=reason):
        LayeredModel(layers, edges)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Layer("v", Bernoulli(), 0), "size"),
        (lambda: Edge("a", "b", multiplicity=(1, 0)), "multiplicity"),
        (lambda: Edge("a", "b", multiplicity=2), "multiplicity must be two numbers"),
        (lambda: Masked(np.ones((2, 2))), "array of booleans"),
    ],
)
def test_layers_and_edges_that_are_none_are_refused(make, reason):
    with pytest.raises(ValueError, match=reason):
        make()


def test_models_are_equal_by_value():
    masks = [np.eye(3, 2, dtype=bool), np.ones((3, 2), bool)]
    a, b, c = (LayeredModel([V, H], [Edge("v", "h", Masked(m))]) for m in [masks[0], *masks])
    assert a == b
    assert hash(a) == hash(b)
    assert a != c
    assert a != LayeredModel([V, H], [Edge("v", "h", Dense())])


# --- energies and exact sums ----------------------------------------------------------------------


@pytest.mark.parametrize("case", DEEP_CHAINS)
def test_chains_have_their_known_answers(case):
    kind, seed, sizes, log_z, *answers = case
    model, params = chain(kind, seed, sizes)
    assert layered_log_z(model, params) == pytest.approx(log_z, rel=0, abs=1e-9)
    states = model.layers[0].unit.states
    for state, answer in zip(states, answers, strict=True):
        if answer is not None:
            v = np.full((1, sizes[0]), state)
            log_p = -layered_free_energy(model, params, v) - log_z
            np.testing.assert_allclose(log_p, answer, rtol=0, atol=1e-9)


@pytest.mark.parametrize("beta", [0.6, 1.0])
@pytest.mark.parametrize("name", GRAPHS)
def test_log_z_is_the_sum_over_all_states(name, beta):
    assert_sums(name, beta=beta)


@pytest.mark.parametrize("beta", [0.6, 1.0])
@pytest.mark.parametrize("name", GRAPHS)
def test_free_energies_of_rows_are_sums_over_the_hidden_layers(name, beta):
    oracle, model, params = both(name)
    v = rows_of(oracle)
    known = [oracles.visible_states(oracle, row) for row in v]
    expected = [-oracles.log_sum(oracle, x, beta) / beta for x in known]
    found = layered_free_energy(model, params, v, beta)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", GRAPHS)
def test_any_layers_may_be_known(name):
    oracle, model, params = both(name)
    for k, layer in enumerate(oracle.layers):
        if layer.kind == "gaussian":
            continue
        states = np.array(oracles.unit_states(layer))
        found = layer_sum(model, params, {k: states}).log_sums()
        expected = [oracles.log_sum(oracle, {k: tuple(x)}) for x in states]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("beta", [0.6, 1.0])
@pytest.mark.parametrize("name", GRAPHS)
def test_energies_are_those_of_the_definition(name, beta):
    assert_energies(name, beta=beta)


def test_blocks_and_threads_do_not_change_sums(monkeypatch):
    _, model, params = both("chain")
    whole = layered_log_z(model, params)
    monkeypatch.setattr("ebm.energies.layer_sums.BLOCK", 3)
    assert layered_log_z(model, params) == pytest.approx(whole, rel=0, abs=1e-12)
    assert layered_log_z(model, params, n_jobs=2) == layered_log_z(model, params)
    v = rows_of(both("chain")[0])
    rows = [layered_free_energy(model, params, row[np.newaxis])[0] for row in v]
    np.testing.assert_allclose(layered_free_energy(model, params, v), rows, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "units",
    [(Gaussian(), Bernoulli()), (Bernoulli(), Bernoulli())],
    ids=["infinitely many states", "too many"],
)
def test_sums_that_take_too_long_are_refused(units):
    layers = [Layer("v", units[0], 30, visible=True), Layer("h", units[1], 30)]
    model = LayeredModel(layers, [Edge("v", "h")])
    params = model.initial(DataSummary(np.zeros(30), np.ones(30), 10), 1, stream(0, "init"))
    with pytest.raises(ValueError, match=r"enumeration of all states .* 'v': .* and 'h': "):
        layered_log_z(model, params)


def test_unequal_multiplicities_have_no_energy_but_conditional_laws():
    model = LayeredModel([V, H], [Edge("v", "h", multiplicity=(1, 2))])
    params = model.initial(DataSummary(np.full(3, 0.5), np.ones(3), 10), 1, stream(0, "init"))
    W = params.weights[0]
    v, h = np.array([[1.0, 0, 1]]), np.array([[1.0, 0]])
    np.testing.assert_allclose(model.inputs_from(params, ODD, v), 2 * v @ W)
    np.testing.assert_allclose(model.inputs_from(params, EVEN, h), h @ W.T)
    for call in (
        lambda: model.energy(params, v, h),
        lambda: model.color_free_energy(params, EVEN, v),
        lambda: layered_free_energy(model, params, v),
        lambda: layered_log_z(model, params),
    ):
        with pytest.raises(ValueError, match=r"multiplicity \(1, 2\).*no energy"):
            call()


@pytest.mark.parametrize("beta", [0.5, 2.0])
@pytest.mark.parametrize("name", GRAPHS)
def test_a_tempered_model_has_the_energy_times_beta(name, beta):
    _, model, params = both(name)
    if name == "counts":
        with pytest.raises(ValueError, match=r"distribution of .* units is of another type"):
            model.tempered(params, beta)
        return
    hot = model.tempered(params, beta)
    expected = layered_log_z(model, params, beta)
    assert layered_log_z(model, hot) == pytest.approx(expected, rel=0, abs=1e-9)


def test_a_shift_of_real_layers_leaves_the_law():
    oracle, model, params = both("mixed")
    v, shift = rows_of(oracle), np.array([0, 0, 0, 0, 0, 1.5, -0.7])
    moved = model.translated(params, shift)
    before = layered_free_energy(model, params, v) + layered_log_z(model, params)
    after = layered_free_energy(model, moved, v + shift) + layered_log_z(model, moved)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-9)


# --- two layers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("visible", [Bernoulli(), Spin(), Gaussian(), OneHot((3,))])
def test_two_layers_start_as_the_fused_model_does(visible):
    mean, key = np.array([0.2, 0.3, 0.5]), stream(3, "init")
    layers = [Layer("v", visible, 3, visible=True), Layer("h", Bernoulli(), 2)]
    found = LayeredModel(layers, [Edge("v", "h")]).initial(DataSummary(mean, mean, 10), 2, key)
    fused = Bipartite(visible, Bernoulli()).initial(DataSummary(mean, mean, 10), 2, key)
    np.testing.assert_array_equal(found.weights[0], fused.W)
    for a, b in zip(found.layers, fused[1:], strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


# --- columns of several types ---------------------------------------------------------------------


def test_mixed_columns_have_their_known_answers():
    W, b, c, log_z, rows = mixed_columns()
    groups = [(Bernoulli(), 2), (OneHot((3,)), 3), (Poisson(), 1), (Gaussian(variance="unit"), 1)]
    model = ColumnModel(groups, Bernoulli(), 3)
    values = {"intercept_visible": b, "intercept_hidden": c}
    params = model.of_arrays(W, lambda name, neutral: values.get(name, neutral))
    assert layered_log_z(model, params) == pytest.approx(log_z, rel=0, abs=1e-9)
    for row, answer in rows:
        log_p = -layered_free_energy(model, params, np.array([row])) - log_z
        np.testing.assert_allclose(log_p, answer, rtol=0, atol=1e-9)
    v = np.array([row for row, _ in rows], float)
    unknown = v.copy()
    unknown[:, 5] = np.nan  # the count, summed out beyond all that occur
    found = log_likelihood(model, params, unknown)[0]
    for row, value in zip(v, found, strict=True):
        every = np.repeat(row[np.newaxis], 60, axis=0)
        every[:, 5] = np.arange(60)
        expected = np.logaddexp.reduce(log_likelihood(model, params, every)[0])
        assert value == pytest.approx(expected, rel=0, abs=1e-9)
    scores = pseudo_log_likelihood(model, params, v)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("units", [(Poisson(), Poisson()), (Poisson(), Gaussian())], ids=repr)
def test_layers_whose_sum_over_states_is_infinite_are_refused(units):
    layers = [Layer("v", units[0], 2, visible=True), Layer("h", units[1], 2)]
    model = LayeredModel(layers, [Edge("v", "h")])
    with pytest.raises(ValueError, match="no law of both"):
        model.initial(DataSummary(np.ones(2), np.ones(2), 5), 2, stream(0, "init"))
    own = tuple(unit.neutral(2, np.float64) for unit in units)
    params = LayeredParameters((np.ones((2, 2)),), own)
    with pytest.raises(ValueError, match="Z does not exist"):
        log_partition(model, params, "ais")
