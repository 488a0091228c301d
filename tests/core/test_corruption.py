"""ebm.networks.corruption and ebm.networks.inputs: noise that is keyed, and the first layer of autoencoders."""

import numpy as np
import pytest
from scipy import sparse

from ebm._random import Key
from ebm.networks.corruption import (
    CORRUPTIONS,
    GaussianNoise,
    MaskingNoise,
    SaltAndPepper,
    corruption_record,
)
from ebm.networks.inputs import Inputs, InputsParameters
from ebm.networks.layer import Context
from tests.checks.networks import assert_layer_slopes
from tests.oracles import networks as oracle

KEY = Key(5, 6)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 5)) + 3
NOISES = [MaskingNoise(0.4), GaussianNoise(0.7), SaltAndPepper(0.4, -1.0, 2.0)]
TWINS = [
    lambda x: oracle.masked(x, 0.4, KEY),
    lambda x: oracle.noisy(x, 0.7, KEY),
    lambda x: oracle.peppered(x, 0.4, KEY, -1.0, 2.0),
]
every_noise = pytest.mark.parametrize("noise", NOISES, ids=lambda x: type(x).__name__)


@pytest.mark.parametrize("n_columns", [1, 4, 5])
@pytest.mark.parametrize(
    "pair", [*zip(NOISES, TWINS, strict=True)], ids=["mask", "normal", "pepper"]
)
def test_noise_is_that_of_the_twin(pair, n_columns):
    noise, twin = pair
    x = X[:, :n_columns].copy()
    np.testing.assert_allclose(noise.corrupted(x, KEY), twin(x), rtol=1e-6, atol=1e-6)


@every_noise
def test_noise_depends_on_key_row_and_column_only(noise):
    x, before = X.copy(), X.copy()
    whole = noise.corrupted(x, KEY)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(noise.corrupted(x[2:], KEY, 2), whole[2:])
    assert (noise.corrupted(x, Key(5, 7)) != whole).any()
    assert noise.corrupted(x.astype(np.float32), KEY).dtype == np.float32


@every_noise
def test_sparse_rows_get_the_same_noise(noise):
    thin = np.where(RNG.random((6, 5)) < 0.5, X, 0)
    found = noise.corrupted(sparse.csr_array(thin), KEY)
    assert sparse.issparse(found) == isinstance(noise, MaskingNoise)
    rows = found.toarray() if sparse.issparse(found) else found
    np.testing.assert_array_equal(rows, noise.corrupted(thin, KEY))


@pytest.mark.needs_jit
def test_rates_are_kept():
    x = np.full((200, 300), 5.0)
    shares = [
        (MaskingNoise(0.25).corrupted(x, KEY) == 0).mean(),
        (SaltAndPepper(0.5, 0.0, 1.0).corrupted(x, KEY) == 0).mean(),
        (SaltAndPepper(0.5, 0.0, 1.0).corrupted(x, KEY) == 1).mean(),
    ]
    spread = 5 * np.sqrt(0.25 * 0.75 / x.size)  # five standard deviations
    np.testing.assert_allclose(shares, 0.25, rtol=0, atol=spread)
    normal = GaussianNoise(2.0).corrupted(x, KEY) - 5
    np.testing.assert_allclose(normal.std(), 2, rtol=0, atol=5 * 2 / np.sqrt(2 * x.size))
    np.testing.assert_allclose(normal.mean(), 0, rtol=0, atol=5 * 2 / np.sqrt(x.size))


def test_extreme_rates():
    assert not MaskingNoise(1.0).corrupted(X, KEY).any()
    assert set(np.unique(SaltAndPepper(1.0).corrupted(X, KEY))) == {0.0, 1.0}
    for noise in (MaskingNoise(0.0), GaussianNoise(0.0), SaltAndPepper(0.0)):
        assert not noise.is_active


@pytest.mark.parametrize(
    "settings",
    [
        (MaskingNoise, {"rate": 1.5}),
        (MaskingNoise, {"rate": -0.1}),
        (GaussianNoise, {"scale": -1.0}),
        (SaltAndPepper, {"rate": 2.0}),
        (SaltAndPepper, {"low": 1.0, "high": 0.0}),
    ],
)
def test_noise_out_of_range_is_refused(settings):
    kind, wrong = settings
    with pytest.raises(ValueError, match=r"rate|scale|high"):
        kind(**wrong)


def test_names():
    assert {corruption_record(name) for name in CORRUPTIONS} == {x() for x in CORRUPTIONS.values()}
    with pytest.raises(ValueError, match="corruption"):
        corruption_record("blur")


# The first layer ------------------------------------------------------------------------------


def params():
    return InputsParameters(np.arange(5.0), np.array([1.0, 2.0, 1.0, 0.5, 1.0]))


def test_missing_entries_are_filled_in_and_columns_scaled():
    gaps = X.copy()
    gaps[0, 1] = gaps[3, 4] = np.nan
    before = gaps.copy()
    filled = np.where(np.isnan(gaps), np.arange(5.0), gaps)
    for rows in (gaps, sparse.csr_array(gaps)):
        y, _ = Inputs().forward(params(), rows, Context())
        y = y.toarray() if sparse.issparse(y) else y
        np.testing.assert_array_equal(y, filled * params().factor)
    np.testing.assert_array_equal(gaps, before)


def test_nothing_to_do_is_nothing_done():
    plain = Inputs().initial(5, KEY, np.float64)
    assert Inputs().forward(plain, X, Context(True, KEY))[0] is X
    assert Inputs(MaskingNoise(0.0)).forward(plain, X, Context(True, KEY))[0] is X
    assert Inputs(MaskingNoise(0.9)).forward(plain, X, Context())[0] is X


@pytest.mark.parametrize("noise", [None, GaussianNoise(0.5)])
def test_slopes(noise):
    assert_layer_slopes(Inputs(noise), params(), X, Context(True, KEY), fixed=("fill", "factor"))


@every_noise
def test_noise_comes_before_the_scale(noise):
    y, _ = Inputs(noise).forward(params(), X, Context(True, KEY))
    np.testing.assert_array_equal(y, noise.corrupted(X, KEY) * params().factor)
