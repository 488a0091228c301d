"""Annealing of deep machines: log Z by either color, and reverse annealing from rows, against enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logsumexp

from ebm._random import Key
from ebm.energies.bipartite import Bipartite
from ebm.energies.deep import DeepModel
from ebm.energies.layer_graph import ODD
from ebm.energies.layer_sums import layered_log_z
from ebm.energies.layered_path import LayeredPath, is_two_layers
from ebm.energies.path import BipartitePath, base_of, path_to
from ebm.energies.trees import Pathway, TreeModel
from ebm.likelihood import AIS, RAISE, log_partition
from ebm.likelihood.ais import temperatures
from ebm.likelihood.deep import raised, sums_or_bounds
from ebm.likelihood.partition import Evaluation
from ebm.samplers.annealing import anneal
from ebm.units import Gaussian, OneHot, Spin
from tests.models.deep import BITS, bits, chain, random_params

KEY = Key(5, 6)
LEVEL = 1e-6

MODELS = {
    "bits": chain(4, 3, 2),
    "three": chain(3, 3, 2, 2),
    "spins": chain(4, 3, 3, unit=Spin()),
    "reals": DeepModel([(Gaussian(), 3)], [(BITS, 3), (Spin(), 2)]),
    "tree": TreeModel(
        [Pathway([(BITS, 3)], [(BITS, 2), (BITS, 2)]), Pathway([(BITS, 2)], [(BITS, 2)])], (BITS, 2)
    ),
}


def case(name):
    model = MODELS[name]
    params = random_params(model, scale=0.7)
    n = sum(model.visible.sizes)
    mean = np.full(n, 0.3)
    # Real units that are wider than in the model: weights of a narrow base would have no variance.
    return model, params, base_of(model, params, mean, np.full(n, 6.0), 20)


# --- log Z by either color ------------------------------------------------------------------------------


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 3, 10])
@pytest.mark.parametrize("name", MODELS)
def test_weights_are_unbiased_whichever_color_is_summed_out(name, n_steps):
    model, params, base = case(name)
    path = path_to(model, params, base)
    expected = layered_log_z(model, params)
    t, n = temperatures("linear", n_steps), 40_000
    for k, side in enumerate((path, path.turned())):
        logs = anneal(side, t, n, Key(k, n_steps)).log_weights + side.log_z - expected
        w = np.exp(logs)
        assert abs(w.mean() - 1) < stats.norm.isf(LEVEL / 2) * w.std(ddof=1) / np.sqrt(n)


@pytest.mark.parametrize("name", MODELS)
def test_a_path_that_is_turned_twice_is_the_path(name):
    model, params, base = case(name)
    path = path_to(model, params, base)
    turned = path.turned()
    assert turned.start(5, KEY).shape == (5, sum(model.sides[ODD].sizes))
    assert turned.log_z == pytest.approx(path.log_z, rel=0, abs=1e-12)
    x = path.start(5, KEY)
    again = turned.turned()
    np.testing.assert_array_equal(again.start(5, KEY), x)
    np.testing.assert_array_equal(again.energy(x, again.inputs(x)), path.energy(x, path.inputs(x)))


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", MODELS)
def test_both_routes_agree_with_the_exact_log_z(name):
    model, params, base = case(name)
    exact = layered_log_z(model, params)
    found = {
        color: log_partition(
            model, params, AIS(500, summed_out=color), evaluation=Evaluation(base=base, key=KEY)
        )
        for color in ("odd", "even")
    }
    for z in found.values():
        assert abs(z.value - exact) < 5 * z.standard_error + 1e-3
        assert abs(z.gap) < 0.5
    assert found["odd"].value != found["even"].value


@pytest.mark.needs_jit
def test_a_restricted_machine_has_both_routes():
    model = Bipartite(BITS, Spin())
    rng = np.random.default_rng(0)
    arrays = {"intercept_visible": rng.normal(size=4), "intercept_hidden": rng.normal(size=3)}
    params = model.of_arrays(rng.normal(size=(4, 3)), lambda name, _: arrays[name])
    exact = log_partition(model, params, "exact").value
    for color in ("odd", "even"):
        z = log_partition(model, params, AIS(300, summed_out=color))
        assert abs(z.value - exact) < 5 * z.standard_error + 1e-3


def test_unknown_colors_are_refused():
    with pytest.raises(ValueError, match="summed_out must be one of 'even', 'odd'"):
        AIS(summed_out="visible")


@pytest.mark.parametrize("name", ["bits", "three", "spins", "mixed"])
def test_layers_of_one_type_are_annealed_as_two_layers(name):
    """Of the same distributions at every t: of units with the states -1 and 1 beside 0 and 1 by color, too."""
    model = MODELS.get(name) or DeepModel([(BITS, 3)], [(Spin(), 2), (BITS, 2)])
    params = random_params(model)
    base = base_of(model, params, np.full(model.layers[0].size, 0.3), np.ones(3), 20)
    plain, fused = LayeredPath(model, params, base), path_to(model, params, base)
    assert isinstance(fused, BipartitePath)
    for one, two in ((plain, fused), (plain.turned(), fused.turned())):
        x = two.start(8, KEY)
        assert one.log_z == pytest.approx(two.log_z, rel=0, abs=1e-9)
        (a, f), (b, g) = ((path, path.inputs(x)) for path in (one, two))
        np.testing.assert_allclose(g, f, atol=1e-12)
        np.testing.assert_allclose(b.energy(x, g), a.energy(x, f), atol=1e-9)
        for t, u in ((0.0, 0.4), (0.4, 1.0)):
            gains = [path.gain(x, h, path.stage(t), path.stage(u)) for path, h in ((a, f), (b, g))]
            np.testing.assert_allclose(gains[0], gains[1], atol=1e-9)


def test_other_machines_are_annealed_layer_by_layer():
    sparse = chain(20, 2, 2, 20)
    groups = DeepModel([(OneHot((2, 2)), 4)], [(BITS, 3), (OneHot((3,)), 3)])
    for model in (MODELS["reals"], sparse, groups):
        assert not is_two_layers(model)
    assert is_two_layers(MODELS["three"])


@pytest.mark.needs_jit
@pytest.mark.parametrize("seed", range(8))
def test_the_default_annealing_has_an_error_that_holds(seed):
    rng = np.random.default_rng(seed)
    model = chain(*(int(x) for x in rng.integers((8, 8, 4), (40, 13, 20))))
    params = random_params(model, seed, scale=rng.choice([0.2, 0.5, 1.0]))
    z = log_partition(model, params, AIS(), evaluation=Evaluation(key=Key(seed, 3)))
    assert not z.doubt and z.standard_error <= 0.15
    assert abs(z.value - layered_log_z(model, params)) < 4 * z.standard_error


# --- reverse annealing from rows ------------------------------------------------------------------------


def states(n):
    return np.array(list(product((0.0, 1.0), repeat=n)))


def annealed_law(params, base, t):
    """The law of the last state (v, h_2) of annealing through 3-2-2 bits, by transition matrices: (32,)."""
    (W, V), (b, c, d) = params.weights, (own.bias for own in params.layers)
    b0, c0, d0 = (own.bias for own in base)
    x, h = states(5), states(2)
    U = np.vstack([W, V.T])
    start = np.concatenate([b0, d0])
    p = np.prod(np.where(x == 1, expit(start), expit(-start)), axis=1)
    for s in t[1:]:
        up = expit(s * (x @ U) + (1 - s) * c0 + s * c)
        down = expit(s * (h @ U.T) + (1 - s) * start + s * np.concatenate([b, d]))
        of_h = np.prod(np.where(h[None] == 1, up[:, None], 1 - up[:, None]), axis=2)
        of_x = np.prod(np.where(x[None] == 1, down[:, None], 1 - down[:, None]), axis=2)
        p = p @ of_h @ of_x
    return p


@pytest.mark.needs_jit
@pytest.mark.parametrize("n_steps", [1, 3, 10])
def test_raise_expects_the_annealed_law(n_steps):
    """The mean over independent estimates of p(v) is p_ann(v), for each of the eight rows; logs fall below."""
    model = chain(3, 2, 2)
    params = random_params(model, scale=1.5)
    v = states(3)
    base = base_of(model, params, np.full(3, 0.4), np.ones(3), 20)
    t, n = temperatures("linear", n_steps), 20_000
    expected = annealed_law(params, base, t).reshape(8, 4).sum(axis=1)
    evaluation = Evaluation(base=base, key=KEY)
    values, errors = raised(model, params, v, RAISE(n_runs=n, schedule=t), evaluation)
    z = (np.exp(values) / expected - 1) / errors
    assert np.abs(z).max() < stats.norm.isf(LEVEL / 32)
    few = [
        raised(model, params, v, RAISE(n_runs=2, schedule=t), Evaluation(base=base, key=Key(k, 1)))[
            0
        ]
        for k in range(400)
    ]
    excess = np.array(few) - np.log(expected)
    assert (excess.mean(axis=0) < 5 * excess.std(axis=0) / np.sqrt(len(few))).all()
    assert excess.mean() < -0.005  # by Jensen's inequality


@pytest.mark.needs_jit
@pytest.mark.parametrize("name", ["bits", "three", "spins", "reals"])
def test_patient_raise_is_the_log_likelihood(name):
    model, params, base = case(name)
    own = tuple(params.layers[k] for k in model.shown)
    v = model.visible.sample(own, np.zeros((6, sum(model.visible.sizes))), KEY)
    exact = sums_or_bounds(model, params, v)[0] - layered_log_z(model, params)
    evaluation = Evaluation(base=base, key=KEY)
    found, errors = raised(model, params, v, RAISE(1000, 200), evaluation)
    np.testing.assert_array_less(abs(found - exact), 5 * errors + 0.05)


@pytest.mark.needs_jit
def test_raise_is_conservative_on_the_models_own_draws():
    """E[log p_ann(v)] over v ~ p is at most E[log p(v)]: the rest is a divergence, and the log of a mean."""
    model = chain(4, 3, 3)
    params = random_params(model, scale=2.5)
    v = states(4)
    exact = sums_or_bounds(model, params, v)[0]
    exact -= logsumexp(exact)
    p = np.exp(exact)
    base = base_of(model, params, p @ v, np.ones(4), 50)
    means = []
    for n in (3, 300):
        runs = [
            raised(model, params, v, RAISE(n, 5), Evaluation(base=base, key=Key(k, n)))[0]
            for k in range(40)
        ]
        excess = (np.array(runs) - exact) @ p
        assert excess.mean() < stats.norm.isf(LEVEL) * excess.std(ddof=1) / np.sqrt(40)
        means.append(excess.mean())
    assert means[0] < means[1] - 0.1
    assert abs(means[1]) < 0.05


def test_raise_refuses_gaps_and_visible_layers_of_both_colors():
    model = MODELS["bits"]
    with pytest.raises(ValueError, match="complete rows"):
        raised(model, random_params(model), np.full((1, 4), np.nan), RAISE(2, 2))
    tree = MODELS["tree"]
    with pytest.raises(ValueError, match="unequal depths"):
        raised(tree, random_params(tree), bits(5, 2), RAISE(2, 2))


def test_rows_do_not_depend_on_those_after_them():
    model = MODELS["bits"]
    params, rows = random_params(model), bits(4, 70)
    whole = raised(model, params, rows, RAISE(4, 3))[0]
    first = raised(model, params, rows[:64], RAISE(4, 3))[0]
    np.testing.assert_allclose(whole[:64], first, rtol=0, atol=1e-12)
