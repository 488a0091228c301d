"""ebm.networks.initializations: the laws of the first weights, against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ebm._random import Key, fold
from ebm.networks.initializations import (
    INITIALIZATIONS,
    Glorot,
    He,
    LeCun,
    Orthogonal,
    initialization_record,
)

KEY = Key(3, 4)
N_IN, N_OUT = 20, 100
# The bound of a uniform law, or the standard deviation of a normal one, as published.
BOUNDS = {
    "glorot": np.sqrt(6 / (N_IN + N_OUT)),
    "he": np.sqrt(6 / N_IN),
    "lecun": np.sqrt(3 / N_IN),
}
DEVIATIONS = {
    "glorot_normal": np.sqrt(2 / (N_IN + N_OUT)),
    "he_normal": np.sqrt(2 / N_IN),
    "lecun_normal": np.sqrt(1 / N_IN),
}


def drawn(name, n_in=N_IN, n_out=N_OUT, dtype=np.float64, gain=1.0, key=KEY):
    return initialization_record(name).draw(key, n_in, n_out, dtype, gain)


@pytest.mark.parametrize("gain", [1.0, np.sqrt(1 / 3)])
@pytest.mark.parametrize(("name", "bound"), BOUNDS.items())
def test_uniform_laws(name, bound, gain):
    W = drawn(name, gain=gain).ravel()
    assert np.abs(W).max() <= gain * bound
    law = stats.uniform(-gain * bound, 2 * gain * bound)
    assert stats.kstest(W, law.cdf).pvalue > 1e-6
    # The mean square is asymptotically normal: a variance off by a tenth is seen.
    squares = W**2 / (gain * bound) ** 2
    z = (squares.mean() - 1 / 3) / np.sqrt(4 / 45 / W.size)
    assert abs(z) < stats.norm.isf(5e-7)


@pytest.mark.parametrize("gain", [1.0, 0.5])
@pytest.mark.parametrize(("name", "deviation"), DEVIATIONS.items())
def test_normal_laws(name, deviation, gain):
    W = drawn(name, gain=gain).ravel() / (gain * deviation)
    assert stats.kstest(W, stats.norm.cdf).pvalue > 1e-6
    tail = stats.chi2(W.size)
    assert tail.isf(1 - 5e-7) < np.sum(W**2) < tail.isf(5e-7)


def test_the_logistic_bound_of_scikit_learn():
    W = drawn("glorot", 40, 30, gain=np.sqrt(1 / 3))
    bound = np.sqrt(2 / 70)
    assert 0.98 * bound < np.abs(W).max() <= bound


@pytest.mark.parametrize("gain", [1.0, 0.7])
@pytest.mark.parametrize(("n_in", "n_out"), [(5, 5), (7, 3), (3, 7), (1, 4), (4, 1), (1, 1)])
def test_orthogonal_weights_are(n_in, n_out, gain):
    W = drawn("orthogonal", n_in, n_out, gain=gain)
    assert W.shape == (n_in, n_out)
    products = W.T @ W if n_in >= n_out else W @ W.T
    np.testing.assert_allclose(products, gain**2 * np.eye(min(n_in, n_out)), atol=1e-14)


def test_orthogonal_weights_favour_no_direction():
    # The QR decomposition alone leaves signs to the library: a matrix of one number would always be one.
    keys = [fold(KEY, number) for number in range(200)]
    signs = np.array([drawn("orthogonal", 1, 1, key=key)[0, 0] for key in keys])
    assert set(signs) == {-1.0, 1.0}
    assert stats.binomtest(int((signs > 0).sum()), 200).pvalue > 1e-6
    # By Haar's law the square of every entry is beta(1/2, (n - 1)/2), and the trace has the mean 0 and the variance 1.
    W = np.array([drawn("orthogonal", 3, 3, key=key) for key in keys])
    for entries in W.reshape(200, 9).T:
        assert stats.kstest(entries**2, stats.beta(0.5, 1).cdf).pvalue > 1e-7
    traces = np.trace(W, axis1=1, axis2=2)
    assert abs(traces.mean()) < stats.norm.isf(5e-7) * np.sqrt(1 / 200)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_one_key_one_matrix(name, dtype):
    W = drawn(name, 7, 5, dtype)
    assert W.dtype == dtype
    assert W.flags.c_contiguous
    assert W.flags.writeable
    np.testing.assert_array_equal(W, drawn(name, 7, 5, dtype))
    np.testing.assert_allclose(W, drawn(name, 7, 5), rtol=1e-5, atol=1e-6)
    assert not np.isclose(W, drawn(name, 7, 5, dtype, key=fold(KEY, 1))).any()


def test_names_stand_for_records():
    expected = [Glorot(), Glorot(True), He(), He(True), LeCun(), LeCun(True), Orthogonal()]
    assert [initialization_record(name) for name in INITIALIZATIONS] == expected
    assert initialization_record(He(normal=True)) == He(normal=True)
    with pytest.raises(ValueError, match=r"'init' parameter must be one of .*'zeros'"):
        initialization_record("zeros")
