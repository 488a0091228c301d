"""ebm.networks.losses: values row by row, derivatives against differences, scikit-learn's own, and overflow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.neural_network._base import LOSS_FUNCTIONS

from ebm.networks.losses import LOSSES, Huber, Loss, loss_record
from tests.checks.networks import assert_loss
from tests.oracles import networks

DTYPES = [np.float32, np.float64]
ORACLES = {
    "cross_entropy": networks.cross_entropy,
    "binary_cross_entropy": networks.binary_cross_entropy,
    "squared_error": networks.squared_error,
    "huber": networks.huber,
    "poisson": networks.poisson,
}
RECORDS = [*LOSSES, Huber(0.3)]
every_loss = pytest.mark.parametrize("loss", RECORDS, ids=str)
named = pytest.mark.parametrize("name", LOSSES)
weighted = pytest.mark.parametrize("weights", [None, np.array([0.1, 0.0, 0.3, 0.4, 0.2])])


def oracle_of(loss):
    if isinstance(loss, Huber):
        return lambda z, t: networks.huber(z, t, loss.delta)
    return ORACLES[loss]


def case(loss, n_rows=5, n_outputs=3, seed=0, soft=False):
    """Linear outputs, and targets of the kind that the loss is for."""
    rng = np.random.default_rng(seed)
    Z = 2 * rng.standard_normal((n_rows, n_outputs))
    if loss == "cross_entropy":
        T = rng.dirichlet(np.ones(n_outputs), n_rows)
        return Z, T if soft else np.eye(n_outputs)[T.argmax(axis=1)]
    if loss == "binary_cross_entropy":
        T = rng.random(Z.shape)
        return Z, T if soft else (T < 0.5).astype(float)
    if loss == "poisson":
        return Z, rng.poisson(1.5, Z.shape).astype(float)
    return Z, rng.standard_normal(Z.shape)


@weighted
@every_loss
def test_values_and_slopes(loss, weights):
    Z, T = case(loss)
    assert_loss(loss_record(loss).evaluate, oracle_of(loss), Z, T, weights)


@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy"])
def test_targets_may_be_probabilities(name):
    Z, T = case(name, soft=True)
    assert_loss(loss_record(name).evaluate, ORACLES[name], Z, T)


@pytest.mark.parametrize("n_outputs", [1, 2, 513, 1030])
def test_wide_rows(n_outputs):
    # Logarithms are taken of the products of 512 factors.
    Z, T = case("binary_cross_entropy", 2, n_outputs)
    value, _ = loss_record("binary_cross_entropy").evaluate(Z.copy(), T)
    expected = networks.mean_loss(networks.binary_cross_entropy, Z, T)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    far = np.full((1, n_outputs), 1e-3)
    value, _ = loss_record("binary_cross_entropy").evaluate(far.copy(), 0 * far)
    np.testing.assert_allclose(value, n_outputs * networks.softplus(1e-3), rtol=1e-13)


@pytest.mark.parametrize("side", [-1, 1])
def test_huber_slopes_near_the_kink(side):
    loss = Huber(0.5)
    Z = np.zeros((1, 4))
    T = side * (0.5 + np.array([[-1e-3, -2e-5, 2e-5, 1e-3]]))
    assert_loss(loss.evaluate, oracle_of(loss), Z, T, atol=1e-9)


def test_huber_is_half_the_square_or_straight():
    Z, T = case("huber")
    near, _ = Huber(100.0).evaluate(Z.copy(), T)
    assert near == pytest.approx(loss_record("squared_error").evaluate(Z.copy(), T)[0], rel=1e-14)
    far, _ = Huber(1e-6).evaluate(Z.copy(), T)
    assert far == pytest.approx(1e-6 * np.abs(Z - T).sum(axis=1).mean(), rel=1e-5)


@every_loss
@weighted
def test_second_derivatives(loss, weights):
    record = loss_record(loss)
    Z, T = case(loss)
    step, expected = 1e-5, np.zeros(Z.shape)
    for c in range(Z.shape[1]):
        ends = [Z.copy(), Z.copy()]
        ends[0][:, c] += step
        ends[1][:, c] -= step
        up, down = (-record.evaluate(end, T, weights)[1][:, c] for end in ends)
        expected[:, c] = (up - down) / (2 * step)
    np.testing.assert_allclose(record.second(Z, T, weights), expected, atol=1e-9, rtol=0)


# scikit-learn --------------------------------------------------------------------------------

THEIRS = {
    "cross_entropy": "log_loss",
    "binary_cross_entropy": "binary_log_loss",
    "squared_error": "squared_error",
    "poisson": "poisson",
}


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("name", THEIRS)
def test_values_and_predictions_are_those_of_scikit_learn(name, n_outputs):
    if name == "cross_entropy" and n_outputs == 1:
        return  # theirs adds a column for the other class
    loss = loss_record(name)
    Z, T = case(name, 50, n_outputs)
    weights = np.random.default_rng(1).random(50)
    for theirs, ours in ((None, None), (weights, weights / weights.sum())):
        prediction = loss.output(Z.copy())
        shown = LOSS_FUNCTIONS[THEIRS[name]](T, prediction, theirs)
        value, delta = loss.evaluate(Z.copy(), T, ours)
        value /= n_outputs if loss.shown_per_output else 1
        np.testing.assert_allclose(value, shown, rtol=1e-13)
        row_weights = 1 / 50 if ours is None else ours[:, None]
        np.testing.assert_allclose(delta, (T - prediction) * row_weights, atol=1e-15)


# Numbers and arrays --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@every_loss
def test_precision_stays(loss, dtype):
    record = loss_record(loss)
    Z, T = case(loss)
    exact, slopes = record.evaluate(Z.astype(dtype).astype(float), T.astype(dtype).astype(float))
    z = Z.astype(dtype)
    value, delta = record.evaluate(z, T, np.full(5, 0.2))  # weights and targets in double precision
    assert delta is z
    assert delta.dtype == dtype
    assert isinstance(value, float)
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(value, exact, rtol=tolerance)
    np.testing.assert_allclose(delta, slopes, rtol=0, atol=tolerance * np.abs(slopes).max())
    for other in (record.output(Z.astype(dtype)), record.second(Z.astype(dtype), T)):
        assert other.dtype == dtype


@pytest.mark.needs_jit
@named
def test_many_rows_are_summed_in_double_precision(name):
    n_rows = 20_000
    Z, T = (np.tile(x, (n_rows, 1)).astype(np.float32) for x in case(name, 1, 1, seed=3))
    one, _ = loss_record(name).evaluate(Z[:1].astype(float), T[:1])
    many, _ = loss_record(name).evaluate(Z, T)
    # A weight of 1 / 20 000 is rounded once; a sum in single precision would be off by 1e-5.
    np.testing.assert_allclose(many, one, rtol=3e-7)


@named
def test_only_the_outputs_are_overwritten(name):
    Z, T = case(name)
    table = np.hstack([Z, T])  # as a batch is: the targets are columns of a wider array
    targets, weights = table[:, 3:], np.full(5, 0.2)
    before = table.copy()
    value, delta = loss_record(name).evaluate(Z.copy(), targets, weights)
    np.testing.assert_array_equal(table, before)
    np.testing.assert_array_equal(weights, np.full(5, 0.2))
    again, same = loss_record(name).evaluate(Z.copy(), T)
    assert value == pytest.approx(again, rel=1e-14)
    np.testing.assert_allclose(delta, same, rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@named
def test_far_outputs_do_not_overflow(name, dtype):
    far = 80.0 if name == "poisson" else 1e4
    Z = np.array([[-far, far, 0.0], [far, -far, 0.0]], dtype)
    T = np.array([[0, 1, 0], [0, 1, 0]], dtype)
    value, delta = loss_record(name).evaluate(Z.copy(), T)
    assert np.isfinite(value)
    assert np.isfinite(delta).all()
    expected = {"cross_entropy": far, "binary_cross_entropy": far + 0.5 * np.log(4)}
    if name in expected:
        assert value == pytest.approx(expected[name], rel=1e-7)
        np.testing.assert_allclose(np.abs(delta).max(), 0.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@named
def test_what_diverged_is_noticed(name, bad, dtype):
    if name == "poisson" and bad == -np.inf:
        return  # the mean zero
    for place in range(3):
        for hit in range(3):
            Z = np.zeros((2, 3), dtype)
            Z[1, place] = bad
            T = np.zeros((2, 3), dtype)
            T[:, hit] = 1
            value, _ = loss_record(name).evaluate(Z, T)
            assert not np.isfinite(value), (place, hit)


def test_poisson_is_infinite_where_the_mean_is():
    for dtype, limit in ((np.float32, 87), (np.float64, 700)):
        for beyond, finite in ((limit - 0.5, True), (limit + 0.5, False)):
            z = np.full((1, 1), beyond, dtype)
            value, delta = loss_record("poisson").evaluate(z, np.ones((1, 1)))
            assert np.isfinite(value) == np.isfinite(delta).all() == finite


def test_rows_without_targets_have_no_cross_entropy():
    Z, T = case("cross_entropy")
    T[2:] = 0
    weights = np.array([0.5, 0.5, 1.0, 1.0, 1.0])
    value, delta = loss_record("cross_entropy").evaluate(Z.copy(), T, weights)
    two, _ = loss_record("cross_entropy").evaluate(Z[:2].copy(), T[:2])
    assert value == pytest.approx(two, rel=1e-14)
    assert not delta[2:].any()


@named
def test_no_rows_no_loss(name):
    nothing = np.zeros((0, 3))
    assert loss_record(name).evaluate(nothing, nothing)[0] == 0


@pytest.mark.parametrize("method", ["evaluate", "second"])
def test_shapes_are_checked(method):
    function = getattr(loss_record("squared_error"), method)
    with pytest.raises(ValueError, match=r"targets must have the shape of the outputs, \(2, 3\)"):
        function(np.zeros((2, 3)), np.zeros((2, 1)))
    with pytest.raises(ValueError, match=r"weights of shape \(3,\)"):
        function(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(3))


def test_names_stand_for_records():
    assert set(ORACLES) == set(LOSSES)
    for name, kind in LOSSES.items():
        assert type(loss_record(name)) is kind
        assert isinstance(loss_record(name), Loss)
    assert loss_record(Huber(2.0)) == Huber(2.0)
    with pytest.raises(ValueError, match="'loss' parameter must be one of"):
        loss_record("hinge")
    with pytest.raises(ValueError, match="delta must be a number"):
        Huber(0.0)


def test_counts_are_not_negative():
    loss_record("poisson").check_targets(np.array([[0.0, 2.5]]))
    with pytest.raises(ValueError, match="poisson"):
        loss_record("poisson").check_targets(np.array([[0.0, -1.0]]))
    loss_record("squared_error").check_targets(np.array([[-1.0]]))


TARGETS = {
    "cross_entropy": np.eye(3)[np.arange(20) ** 2 % 3],
    "binary_cross_entropy": (np.arange(40).reshape(20, 2) % [3, 5] == 0).astype(float),
    "squared_error": np.linspace(-1, 5, 40).reshape(20, 2) ** 2,
    "poisson": np.arange(40.0).reshape(20, 2) % 7,
}


@pytest.mark.parametrize("with_weights", [False, True])
@pytest.mark.parametrize("name", TARGETS)
def test_no_constant_prediction_has_a_smaller_loss_than_the_mean(name, with_weights):
    loss, targets = loss_record(name), TARGETS[name]
    weights = np.arange(1.0, 21) / 210 if with_weights else None

    def of(z):
        return loss.evaluate(np.tile(z, (20, 1)), targets, weights)[0]

    least = minimize(of, np.zeros(targets.shape[1])).fun
    np.testing.assert_allclose(loss.of_constant(targets, weights), least, rtol=1e-6)


def test_one_class_alone_costs_nothing():
    assert abs(loss_record("cross_entropy").of_constant(np.eye(3)[[1, 1]])) < 1e-12
    assert abs(loss_record("binary_cross_entropy").of_constant(np.eye(3)[[1, 1]])) < 1e-12


@pytest.mark.parametrize("name", LOSSES)
def test_no_prediction_is_better_than_the_target(name):
    rng = np.random.default_rng(0)
    t = rng.dirichlet(np.ones(3), 6)
    t[0] = [0, 1, 0]
    t[1] = 0
    loss = loss_record(name)
    least = loss.least(t)
    np.testing.assert_allclose(loss.of_rows(loss.linear(t), t), least, atol=1e-9)
    assert (loss.of_rows(loss.linear(t) + rng.normal(size=t.shape), t) >= least - 1e-12).all()
    assert least[0] == least[1] == 0
