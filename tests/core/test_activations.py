"""ebm.networks.activations: against plain formulas, slopes against differences, and the edges of the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from ebm._random import Key
from ebm.networks.activations import ACTIVATIONS, ELU, Identity, LeakyReLU, PReLU, activation_record
from ebm.networks.layer import Context, Nothing
from tests.checks.networks import assert_layer_slopes
from tests.oracles import networks

DTYPES = [np.float32, np.float64]
NOTHING = Nothing()
# Layer, and the oracle of one number.
POINTWISE = {
    "identity": (Identity(), networks.identity),
    "logistic": (activation_record("logistic"), networks.logistic),
    "tanh": (activation_record("tanh"), networks.tanh),
    "relu": (activation_record("relu"), networks.relu),
    "leaky_relu": (activation_record("leaky_relu"), networks.leaky_relu),
    "leaky_relu_03": (LeakyReLU(0.3), lambda x: networks.leaky_relu(x, 0.3)),
    "softplus": (activation_record("softplus"), networks.softplus),
    "elu": (activation_record("elu"), networks.elu),
    "elu_2": (ELU(2.0), lambda x: networks.elu(x, 2.0)),
}
pointwise = pytest.mark.parametrize(("layer", "oracle"), POINTWISE.values(), ids=POINTWISE)
STEP = 1e-5
NEAR = np.array([-1e-3, -2 * STEP, 2 * STEP, 1e-3])
POINTS = np.concatenate([np.linspace(-8, 8, 33) + 0.01, NEAR])


def forward(layer, x, free=False):
    return layer.forward(NOTHING, x, Context(free=free))


@pytest.mark.parametrize("dtype", DTYPES)
@pointwise
def test_values_are_those_of_the_formula(layer, oracle, dtype):
    x = np.concatenate([POINTS, np.linspace(-80, 80, 41), [0.0, -600.0, 600.0]]).astype(dtype)
    y, _ = forward(layer, x.reshape(-1, 3))
    expected = [oracle(float(one)) for one in x]
    assert y.dtype == dtype
    tiny = 1e-26  # where exp saturates
    np.testing.assert_allclose(y.ravel(), expected, rtol=4 * np.finfo(dtype).eps, atol=tiny)


@pytest.mark.parametrize(("name", "reference"), [("logistic", expit), ("tanh", np.tanh)])
def test_double_precision_is_that_of_scipy(name, reference):
    x = np.random.default_rng(0).standard_normal((40, 50)) * 5
    y, _ = forward(activation_record(name), x)
    np.testing.assert_allclose(y, reference(x), rtol=0, atol=5e-16)


@pointwise
def test_slopes_are_those_of_the_values(layer, oracle):
    assert_layer_slopes(layer, NOTHING, POINTS.reshape(1, -1), atol=1e-9)
    assert_layer_slopes(layer, NOTHING, np.random.default_rng(1).standard_normal((3, 4)))


@pointwise
def test_curvatures_are_those_of_the_slopes(layer, oracle):
    def slope(x):
        _, saved = forward(layer, np.array([[x]]))
        return layer.backward(NOTHING, saved, np.ones((1, 1)), NOTHING, True)[0, 0]

    expected = [(slope(x + STEP) - slope(x - STEP)) / (2 * STEP) for x in POINTS]
    _, saved = forward(layer, POINTS.reshape(1, -1))
    kept = saved.copy()
    np.testing.assert_allclose(layer.curvatures(NOTHING, saved)[0], expected, atol=1e-9)
    np.testing.assert_array_equal(saved, kept)


@pytest.mark.parametrize(
    ("layer", "slope"), [("relu", 0.0), ("leaky_relu", 0.01), (ELU(2.0), 2.0), (LeakyReLU(0), 0.0)]
)
def test_the_slope_at_a_kink_is_that_on_the_left(layer, slope):
    layer = activation_record(layer)
    for zero in (0.0, -0.0):
        _, saved = forward(layer, np.array([[zero]]))
        assert layer.backward(NOTHING, saved, np.ones((1, 1)), NOTHING, True) == slope


def test_softplus_keeps_small_slopes_in_single_precision():
    x = np.array([[-50.0, -20.0, -10.0]], np.float32)
    layer = activation_record("softplus")
    _, saved = forward(layer, x)
    slope = layer.backward(NOTHING, saved, np.ones_like(x), NOTHING, True)
    np.testing.assert_allclose(slope, expit(x.astype(float)), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pointwise
def test_only_a_free_input_is_overwritten(layer, oracle, dtype):
    x = np.random.default_rng(2).standard_normal((3, 5)).astype(dtype)
    before = x.copy()
    y, _ = forward(layer, x)
    np.testing.assert_array_equal(x, before)
    in_place, _ = forward(layer, x, free=True)
    assert in_place is x
    np.testing.assert_array_equal(in_place, y)


def test_columns_of_a_larger_array_are_accepted():
    table = np.random.default_rng(3).standard_normal((4, 6))
    before = table.copy()
    y, _ = forward(activation_record("tanh"), table[:, 1:4])
    np.testing.assert_allclose(y, np.tanh(table[:, 1:4]), rtol=1e-15)
    np.testing.assert_array_equal(table, before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_diverged_is_noticed(name, dtype):
    layer = activation_record(name)
    own = layer.initial(3, Key(0, 0), dtype)
    gradient = layer.initial(3, Key(0, 0), dtype)
    y, saved = layer.forward(own, np.array([[np.nan, 1, -1]], dtype), Context())
    np.testing.assert_array_equal(np.isnan(y), [[True, False, False]])
    delta = np.array([[1, np.nan, np.nan]], dtype)
    below = layer.backward(own, saved, delta, gradient, True)
    assert below.dtype == dtype
    assert np.isnan(below[0, 1:]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pointwise
def test_nothing_overflows(layer, oracle, dtype):
    y, saved = forward(layer, np.array([[-np.inf, -1e4, 1e4, np.inf]], dtype))
    slopes = layer.backward(NOTHING, saved, np.ones((1, 4), dtype), NOTHING, True)
    assert not np.isnan(y).any()
    assert (slopes >= 0).all() and (slopes <= 2).all()
    assert np.isfinite(layer.curvatures(NOTHING, saved)).all()
    expected = oracle(600.0)  # beyond, a bounded function is at its bound
    assert y[0, 2] == (expected if expected == 1 else 1e4)


# PReLU ---------------------------------------------------------------------------------------

SLOPES = np.array([0.25, 0.0, -0.5, 1.5])


def prelu_case(n_rows, dtype=np.float64):
    x = np.random.default_rng(4).standard_normal((n_rows, 4)).astype(dtype)
    return PReLU(), PReLU.parameters(SLOPES.astype(dtype)), x


@pytest.mark.parametrize("dtype", DTYPES)
def test_prelu_has_a_slope_for_each_unit(dtype):
    layer, own, x = prelu_case(6, dtype)
    before = x.copy()
    y, _ = layer.forward(own, x, Context(free=True))
    np.testing.assert_array_equal(x, before)  # the way back needs it
    assert y.dtype == dtype
    np.testing.assert_allclose(y, networks.prelu(before, SLOPES), rtol=1e-7)


def test_prelu_slopes():
    layer, own, x = prelu_case(6)
    assert_layer_slopes(layer, own, x)
    assert_layer_slopes(layer, own, np.tile(NEAR[:, None], (1, 4)))


def test_prelu_is_straight():
    layer, own, x = prelu_case(6)
    _, saved = layer.forward(own, x, Context())
    assert not layer.curvatures(own, saved).any()


def test_prelu_starts_with_equal_slopes():
    own = PReLU(0.1).initial(3, Key(0, 0), np.float32)
    np.testing.assert_array_equal(own.slope, np.full(3, 0.1, np.float32))
    assert own.slope.dtype == np.float32
    assert PReLU().shapes(3) == ((3,),)
    assert PReLU.weights == ()


def test_prelu_sums_over_many_rows_in_double_precision():
    n_rows = 20_000
    x = np.full((n_rows, 1), -0.1, np.float32)
    own, gradient = (PReLU.parameters(np.ones(1, np.float32)) for _ in range(2))
    PReLU().backward(own, x, np.ones_like(x), gradient, True)
    np.testing.assert_allclose(gradient.slope, [float(x[0, 0]) * n_rows], rtol=1e-7)


# Names ---------------------------------------------------------------------------------------


def test_names_stand_for_records():
    for name, kind in ACTIVATIONS.items():
        assert type(activation_record(name)) is kind
    assert activation_record(ELU(3.0)) == ELU(3.0)
    with pytest.raises(ValueError, match=r"'activation' parameter must be one of .*'swish'"):
        activation_record("swish")


@pytest.mark.parametrize(
    ("kind", "argument", "value"),
    [
        (LeakyReLU, "slope", -0.1),
        (LeakyReLU, "slope", 2),
        (ELU, "alpha", -1),
        (PReLU, "slope", np.nan),
    ],
)
def test_settings_are_checked(kind, argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be a number"):
        kind(value)


def test_the_logistic_gain_is_that_of_scikit_learn():
    assert activation_record("logistic").gain == pytest.approx(np.sqrt(2 / 6), rel=1e-15)
    assert {activation_record(name).gain for name in ACTIVATIONS if name != "logistic"} == {1.0}
