"""ebm.units: the law of one unit given its input."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from ebm._random import Key
from ebm.units import UNITS, Bernoulli, Gaussian, OneHot, Spin
from tests.oracles import one_hot, rbm
from tests.statistics import assert_same_distribution, assert_same_mean, state_counts

KEY = Key(1, 2)
BETAS = [0.3, 1.0, 2.5]
DTYPES = [np.float32, np.float64]
ALL = [Bernoulli(), Spin(), Gaussian(), OneHot((2,))]


def layer(unit, n_units=3, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    free = [name for name in unit.fields if unit.is_free(name)]
    return unit.neutral(n_units, dtype)._replace(
        **{name: rng.normal(size=n_units).astype(dtype) for name in free}
    )


def inputs(n_rows=4, n_units=3, dtype=np.float64, seed=1):
    return np.random.default_rng(seed).normal(size=(n_rows, n_units)).astype(dtype)


def log_variance(params):
    return getattr(params, "log_variance", None)


def log_weight(unit, params, x, f, beta):
    """-beta [U(x) - s(x)' f] of one state, by the formulas of the table."""
    own_energy = rbm.own_energy(x, params.bias, log_variance(params))
    return -beta * (own_energy - rbm.interaction(x, log_variance(params)) @ f)


# Energy, statistic, mean, log-normaliser -------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unit", ALL, ids=repr)
def test_energy_and_statistic_are_the_tables(unit, dtype):
    params, x = layer(unit, dtype=dtype), inputs(dtype=dtype)
    energies = unit.energy(params, x)
    assert energies.dtype == np.float64
    statistics = unit.statistic(params, x)
    assert statistics.dtype == dtype
    for row, energy, statistic in zip(x, energies, statistics, strict=True):
        assert energy == pytest.approx(
            rbm.own_energy(row.astype(float), params.bias, log_variance(params)), rel=1e-6
        )
        np.testing.assert_allclose(
            statistic, rbm.interaction(row, log_variance(params)), rtol=10 * np.finfo(dtype).eps
        )


FINITE = [Bernoulli(), Spin(), OneHot((2,))]


def states_of(unit):
    """All states of three units, in the order of rbm.all_states."""
    if isinstance(unit, OneHot):
        return one_hot.possible_states(3, unit.sizes)
    low, high = unit.states
    return low + (high - low) * rbm.all_states(3)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("unit", FINITE, ids=repr)
def test_normaliser_of_finite_states_is_the_sum_over_states(unit, beta):
    params, f = layer(unit), inputs()
    expected = [
        rbm.log_sum_exp([log_weight(unit, params, x, row, beta) for x in states_of(unit)])
        for row in f
    ]
    np.testing.assert_allclose(unit.log_normaliser(params, f, beta), expected, rtol=1e-14)


@pytest.mark.parametrize("beta", BETAS)
def test_gaussian_normaliser_is_the_integral_without_the_constant_of_the_energy(beta):
    params, f = layer(Gaussian(), 1), inputs(3, 1)
    sd = np.exp(params.log_variance[0] / 2) / np.sqrt(beta)
    for row, value in zip(f, Gaussian().log_normaliser(params, f, beta), strict=True):
        centre = params.bias[0] + row[0]
        integral, _ = integrate.quad(
            lambda x, row=row: np.exp(log_weight(Gaussian(), params, np.array([x]), row, beta)),
            centre - 12 * sd,
            centre + 12 * sd,
            epsabs=0,
            epsrel=1e-12,
        )
        assert value == pytest.approx(np.log(integral), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("unit", ALL, ids=repr)
def test_mean_of_the_statistic_is_the_slope_of_the_normaliser(unit, beta):
    params, f, step = layer(unit), inputs(), 1e-5
    mean = unit.statistic(params, unit.mean(params, f, beta))
    for i in range(3):
        nudge = step * np.eye(3)[i]
        above, below = (unit.log_normaliser(params, f + sign * nudge, beta) for sign in (1, -1))
        slope = (above - below) / (2 * step)
        np.testing.assert_allclose(beta * mean[:, i], slope, rtol=0, atol=1e-8)


@pytest.mark.parametrize("beta", BETAS)
def test_bernoulli_mean_is_the_sigmoid(beta):
    params, f = layer(Bernoulli()), inputs()
    expected = 1 / (1 + np.exp(-beta * (f + params.bias)))
    np.testing.assert_allclose(Bernoulli().mean(params, f, beta), expected, rtol=1e-14)


@pytest.mark.parametrize("beta", BETAS)
def test_spin_mean_is_the_hyperbolic_tangent(beta):
    params, f = layer(Spin()), inputs()
    expected = np.tanh(beta * (f + params.bias))
    np.testing.assert_allclose(Spin().mean(params, f, beta), expected, rtol=1e-13, atol=1e-15)


def test_gaussian_mean_does_not_depend_on_beta():
    params, f = layer(Gaussian()), inputs()
    for beta in BETAS:
        np.testing.assert_array_equal(Gaussian().mean(params, f, beta), f + params.bias)


@pytest.mark.parametrize("n_units", [1, 99, 100, 101, 350])
def test_normaliser_of_many_units_is_the_sum_of_theirs(n_units):
    for dtype in DTYPES:
        params, f = layer(Bernoulli(), n_units, dtype), 5 * inputs(2, n_units, dtype)
        expected = np.logaddexp(0, f.astype(float) + params.bias).sum(axis=1)
        value = Bernoulli().log_normaliser(params, f)
        np.testing.assert_allclose(value, expected, rtol=20 * np.finfo(dtype).eps)
        # A spin with half the field is a Bernoulli unit, but for the constant f / 2.
        spins = Spin().log_normaliser(Spin().parameters(params.bias / 2), f / 2)
        shifted = expected - (f.astype(float) + params.bias).sum(axis=1) / 2
        np.testing.assert_allclose(spins, shifted, rtol=100 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_normaliser_does_not_overflow(dtype):
    params = Bernoulli().parameters(np.zeros(200, dtype))
    for f, expected in ((1e4, 200 * 1e4), (-1e4, 0.0), (0.0, 200 * np.log(2))):
        value = Bernoulli().log_normaliser(params, np.full((1, 200), f, dtype))
        assert value[0] == pytest.approx(expected, rel=1e-6, abs=1e-30)
        spins = Spin().log_normaliser(Spin().parameters(params.bias), np.full((1, 200), f, dtype))
        assert spins[0] == pytest.approx(200 * (abs(f) or np.log(2)), rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unit", ALL, ids=repr)
def test_nan_is_not_hidden(unit, dtype):
    params = layer(unit, dtype=dtype)
    f = np.array([[np.nan, 0, 0], [0, 0, 0]], dtype)
    assert np.isnan(unit.mean(params, f)).tolist() == np.isnan(f).tolist()
    assert np.isnan(unit.log_normaliser(params, f)).tolist() == [True, False]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unit", ALL, ids=repr)
def test_precision_goes_through_and_arguments_are_left_alone(unit, dtype):
    params, f = layer(unit, dtype=dtype), inputs(dtype=dtype)
    before = f.copy()
    f.flags.writeable = False
    for out in (
        unit.mean(params, f, 0.5),
        unit.sample(params, f, KEY, 0.5),
        unit.statistic(params, f),
    ):
        assert out.dtype == dtype and out.shape == f.shape and out.flags.c_contiguous
    unit.log_normaliser(params, f, 0.5)
    unit.energy(params, f)
    np.testing.assert_array_equal(f, before)


@pytest.mark.parametrize("unit", ALL, ids=repr)
def test_memory_layout_of_the_inputs_does_not_matter(unit):
    params, f = layer(unit), inputs()
    fortran, strided = np.asfortranarray(f), np.repeat(f, 2, axis=1)[:, ::2]
    for other in (fortran, strided):
        np.testing.assert_array_equal(unit.mean(params, other), unit.mean(params, f))
        np.testing.assert_array_equal(unit.sample(params, other, KEY), unit.sample(params, f, KEY))
        np.testing.assert_array_equal(
            unit.log_normaliser(params, other), unit.log_normaliser(params, f)
        )


# Samples -------------------------------------------------------------------------------------


@pytest.mark.needs_jit
@pytest.mark.parametrize("unit", FINITE, ids=repr)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("beta", BETAS)
def test_samples_of_finite_states_have_the_joint_law(beta, dtype, unit):
    n = 40_000
    params, f = layer(unit, dtype=dtype), inputs(1, dtype=dtype)
    x = unit.sample(params, np.tile(f, (n, 1)), KEY, beta)
    states = states_of(unit)
    assert set(np.unique(x)) == set(np.unique(states))
    logs = [log_weight(unit, params, state, f[0], beta) for state in states]
    law = np.zeros(8)
    law[rbm.state_index(states > 0)] = np.exp(logs - rbm.log_sum_exp(logs))
    assert_same_distribution(state_counts(x > 0), law)


@pytest.mark.needs_jit
def test_neighbouring_rows_of_bernoulli_samples_are_independent():
    x = Bernoulli().sample(Bernoulli().parameters(np.zeros(3)), np.zeros((40_000, 3)), KEY)
    assert_same_distribution(state_counts(x.reshape(-1, 6)), np.full(64, 1 / 64))


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("beta", BETAS)
def test_gaussian_samples_are_independent_normals(beta, dtype):
    """Four units: two pairs that each share a counter."""
    n = 40_000
    params, f = layer(Gaussian(), 4, dtype), inputs(1, 4, dtype)
    x = Gaussian().sample(params, np.tile(f, (n, 1)), KEY, beta).astype(float)
    standard = (x - params.bias - f) / (np.exp(params.log_variance / 2) / np.sqrt(beta))
    for column in standard.T:
        assert stats.kstest(column, "norm").pvalue > 1e-6
    products = np.einsum("ri,rj->rij", standard, standard).reshape(n, -1)
    assert_same_mean(np.hstack([standard, products]), np.r_[np.zeros(4), np.eye(4).ravel()])
    squares = standard**2
    pairs = np.column_stack([squares[:, 0] * squares[:, 1], squares[:, 1] * squares[:, 2]])
    assert_same_mean(pairs, 1.0)


@pytest.mark.needs_jit
@pytest.mark.parametrize("dtype", DTYPES)
def test_gaussian_tails_are_there_and_finite(dtype):
    params = Gaussian().parameters(np.zeros(100, dtype), np.zeros(100, dtype))
    x = Gaussian().sample(params, np.zeros((10_000, 100), dtype), KEY)
    assert np.isfinite(x).all()
    beyond = np.array([np.sum(np.abs(x) > k) for k in (3, 4)])
    expected = x.size * 2 * stats.norm.sf([3, 4])
    assert (np.abs(beyond - expected) < 6 * np.sqrt(expected)).all()


# Initial parameters --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_bernoulli_units_start_at_the_datas_means_and_finite(dtype):
    mean = np.array([0.0, 1.0, 0.3, 0.5], dtype)
    params = Bernoulli().initial(mean, mean, 1000.0)
    assert params.bias.dtype == dtype and np.isfinite(params.bias).all()
    at_rest = Bernoulli().mean(params, np.zeros((1, 4), dtype))[0]
    np.testing.assert_allclose(at_rest, mean, atol=1e-3)
    np.testing.assert_allclose(at_rest, (1000 * mean + 0.5) / 1001, rtol=1e-4)
    assert params.bias[3] == 0


def test_spins_start_at_the_datas_means():
    mean = np.array([-1.0, 1.0, 0.3, 0.0])
    params = Spin().initial(mean, mean, 1000.0)
    np.testing.assert_allclose(np.tanh(params.bias), 1000 * mean / 1001, rtol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gaussian_units_start_at_the_datas_moments(dtype):
    mean, variance = np.array([1.0, -2.0, 5.0], dtype), np.array([0.5, 4.0, 0.0], dtype)
    params = Gaussian().initial(mean, variance, 100.0)
    assert params.bias.dtype == params.log_variance.dtype == dtype
    np.testing.assert_array_equal(params.bias, mean)
    np.testing.assert_allclose(np.exp(params.log_variance), [0.5, 4.0, 1.0], rtol=1e-6)
    assert not np.shares_memory(params.bias, mean)


def test_what_rounding_leaves_of_a_constant_is_no_variance():
    params = Gaussian().initial(np.array([1e6]), np.array([1e-22]), 100.0)
    assert params.log_variance == 0


@pytest.mark.parametrize(
    ("variance", "expected"),
    [("unit", [1, 1]), (2.0, [2, 2]), ([0.5, 3.0], [0.5, 3.0]), (np.array([1.0, 4.0]), [1, 4])],
)
def test_given_variances_are_taken_and_not_learned(variance, expected):
    unit = Gaussian(variance)
    assert unit.is_free("bias") and not unit.is_free("log_variance")
    for params in (
        unit.initial(np.zeros(2), np.full(2, 9.0), 10.0),
        unit.neutral(2, np.dtype(np.float64)),
    ):
        np.testing.assert_allclose(unit.scale(params), expected, rtol=1e-15)
    assert unit.bounds(params) == {}


def test_learned_variances_have_a_floor():
    unit = Gaussian(floor=0.01)
    assert unit.is_free("log_variance")
    params = unit.parameters(np.zeros(2), np.log([2.0, 4.0]))
    low, high = unit.bounds(params)["log_variance"]
    np.testing.assert_allclose(np.exp(low), [0.02, 0.04], rtol=1e-14)
    np.testing.assert_allclose(np.exp(high), [200, 400], rtol=1e-14)
    assert Bernoulli().bounds(layer(Bernoulli())) == {}


@pytest.mark.parametrize("unit", ALL, ids=repr)
def test_neutral_units_are_all_zero(unit):
    params = unit.neutral(3, np.dtype(np.float32))
    assert type(params) is unit.parameters
    for name, values in zip(unit.fields, params, strict=True):
        assert values.dtype == np.float32
        assert not (values.any() and unit.is_free(name))


def test_only_units_with_a_scale_have_one():
    for unit in ALL:
        assert (unit.scale(layer(unit)) is not None) == unit.has_scale
    assert not Bernoulli().has_scale and Gaussian().has_scale


# Derivatives ---------------------------------------------------------------------------------


def test_own_derivatives_are_slopes_of_minus_the_energy():
    unit, params, x, step = Gaussian(), layer(Gaussian()), inputs(), 1e-6
    slope = unit.parameter_derivatives(params, x)["log_variance"]
    for i in range(3):
        nudge = step * np.eye(3)[i]
        above, below = (
            unit.energy(params._replace(log_variance=params.log_variance + sign * nudge), x)
            for sign in (1, -1)
        )
        np.testing.assert_allclose(slope[:, i], -(above - below) / (2 * step), atol=1e-8)
    assert Bernoulli().parameter_derivatives(layer(Bernoulli()), x) == {}


def test_mean_derivatives_are_the_expectations():
    """Gauss-Hermite quadrature with two nodes is exact for a square."""
    unit, params, f = Gaussian(), layer(Gaussian()), inputs()
    sd = np.exp(params.log_variance / 2)
    nodes = [params.bias + f + sign * sd for sign in (1, -1)]
    expected = np.mean(
        [unit.parameter_derivatives(params, x)["log_variance"] for x in nodes], axis=0
    )
    actual = unit.mean_derivatives(params, f)["log_variance"]
    np.testing.assert_allclose(actual, expected, rtol=1e-13)
    assert Bernoulli().mean_derivatives(layer(Bernoulli()), f) == {}


# What is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("variance", ["free", 0.0, -1.0, [1.0, -2.0], np.nan, np.inf, [[1.0]]])
def test_impossible_variances_are_refused(variance):
    with pytest.raises(ValueError, match="variance must be"):
        Gaussian(variance)


@pytest.mark.parametrize("floor", [0.0, -0.1, 1.5, "low", np.nan])
def test_impossible_floors_are_refused(floor):
    with pytest.raises(ValueError, match="floor"):
        Gaussian(floor=floor)


def test_as_many_variances_as_units():
    with pytest.raises(ValueError, match="2 entries, but the layer has 3"):
        Gaussian([1.0, 2.0]).neutral(3, np.dtype(np.float64))


def test_units_say_what_they_cannot_be():
    nan = np.nan
    assert Bernoulli().invalid(np.array([[0, 1, 0.5, nan]])) == ""
    assert "between 0 and 2" in Bernoulli().invalid(np.array([[0, 2, nan]]))
    assert "between -1 and 0" in Bernoulli().invalid(np.array([[-1.0, 0.0]]))
    assert Spin().invalid(np.array([[-1, 1, 0.5, nan]])) == ""
    assert "between -2 and 0" in Spin().invalid(np.array([[-2.0, 0.0]]))
    assert Gaussian().invalid(np.array([[-1e30, nan]])) == ""
    assert "infinite" in Gaussian().invalid(np.array([[np.inf, 0.0]]))


def test_units_are_records_with_names():
    assert {name: type(unit()) for name, unit in UNITS.items()} == UNITS
    unit = Gaussian(variance="unit", floor=0.1)
    assert unit.get_params() == {"variance": "unit", "floor": 0.1}
    assert repr(unit) == "Gaussian(variance='unit', floor=0.1)"
    assert repr(Gaussian()) == "Gaussian()"
    assert unit.set_params(floor=0.2).floor == 0.2
    with pytest.raises(ValueError, match="floor"):
        unit.set_params(floor=2)
    with pytest.raises(ValueError, match="Invalid parameter 'mean'"):
        unit.set_params(mean=0)
