"""ebm._random and ebm._kernels: words, streams and the elementary functions."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ebm._kernels import counter, elementary
from ebm._random import STREAMS, Key, Reserved, choices, fold, normal, permutation, stream, words
from ebm.units import Bernoulli, Gaussian
from tests.checks import assert_softplus
from tests.oracles import draws
from tests.oracles.threefry import KNOWN_ANSWERS, threefry2x32
from tests.statistics import assert_same_distribution, assert_same_mean

ROOT = Path(__file__).parents[2]
KEY = Key(0x13198A2E, 0x03707344)
DTYPES = [np.float32, np.float64]

# The cipher ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "key", "answer"), [known[1:] for known in KNOWN_ANSWERS if known[0] == 20]
)
def test_threefry_gives_the_published_answers(count, key, answer):
    assert counter.fold(*key, *count) == answer


def test_threefry_equals_the_oracle_on_random_keys_and_counters():
    rng = np.random.default_rng(0)
    for key0, key1, low, high in rng.integers(0, 2**32, size=(200, 4)).tolist():
        assert counter.fold(key0, key1, low, high) == threefry2x32((low, high), (key0, key1))


@pytest.mark.parametrize("number", [0, 1, 2**32 - 1, 2**32, 2**63 + 5, 2**64 - 1])
def test_fold_takes_numbers_of_64_bits(number):
    key = fold(KEY, number)
    assert key == draws.fold(KEY, number)
    assert all(0 <= word < 2**32 for word in key)


def test_folds_of_folds_differ():
    keys = {tuple(fold(fold(KEY, i), j)) for i in range(20) for j in range(20)}
    assert len(keys) == 400


@pytest.mark.parametrize("first", [0, 7, 2**32 - 2, 2**40])
def test_filled_words_are_those_of_consecutive_counters(first):
    out = np.empty(8, np.uint32)
    counter.fill_words(out, *KEY, first)
    expected = [word for i in range(4) for word in draws.fold(KEY, first + i)]
    np.testing.assert_array_equal(out, expected)


def test_words_are_the_cipher_of_their_counters():
    counters = np.array([0, 1, 2**32, 2**64 - 1], np.uint64)
    expected = [low + (high << 32) for low, high in (draws.fold(KEY, int(i)) for i in counters)]
    np.testing.assert_array_equal(words(KEY, counters), np.array(expected, np.uint64))


def test_words_keep_the_shape_of_their_counters():
    counters = np.arange(12, dtype=np.uint64)
    flat = words(KEY, counters)
    np.testing.assert_array_equal(words(KEY, counters.reshape(3, 4)), flat.reshape(3, 4))
    np.testing.assert_array_equal(words(KEY, counters[::2]), flat[::2])


# Streams -------------------------------------------------------------------------------------


def test_named_streams_differ():
    keys = [stream(seed, name) for seed in (0, 1, 12345) for name in STREAMS]
    assert len(set(keys)) == len(keys)
    for a, b in combinations(keys, 2):
        assert a.word0 != b.word0 and a.word1 != b.word1


def test_a_stream_is_a_function_of_its_seed_and_name():
    assert stream(3, "shuffle") == stream(3, "shuffle")
    with pytest.raises(ValueError):
        stream(3, "no such stream")


@pytest.mark.needs_jit
def test_normal_deviates_are_normal():
    x = normal(KEY, (20_000, 3))
    assert stats.kstest(x.ravel(), "norm").pvalue > 1e-6
    products = np.einsum("ri,rj->rij", x, x).reshape(-1, 9)
    assert_same_mean(products, np.eye(3).ravel())


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_deviates_are_a_function_of_the_key(dtype):
    x = normal(KEY, (5, 3), dtype)
    assert x.shape == (5, 3) and x.dtype == dtype
    np.testing.assert_array_equal(x, normal(KEY, (5, 3), dtype))
    assert (x != normal(fold(KEY, 0), (5, 3), dtype)).all()


@pytest.mark.needs_jit
@pytest.mark.parametrize(("draw", "n_kinds"), [(permutation, 24), (choices, 256)])
def test_orders_and_choices_are_equally_likely(draw, n_kinds):
    n = 20_000
    drawn = [tuple(draw(fold(KEY, i), 4)) for i in range(n)]
    assert all(min(x) >= 0 and max(x) < 4 for x in drawn)
    assert draw is choices or all(sorted(x) == [0, 1, 2, 3] for x in drawn)
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert_same_distribution(
        np.pad(counts, (0, n_kinds - len(counts))), np.full(n_kinds, 1 / n_kinds)
    )


# Draws of units ------------------------------------------------------------------------------


def layer(unit, n_units, dtype=np.float64):
    rng = np.random.default_rng(n_units)
    fields = [rng.normal(size=n_units).astype(dtype) / 2 for _ in unit.fields]
    return unit.parameters(*fields)


@pytest.mark.parametrize("n_units", [1, 2, 5])
def test_bernoulli_draws_compare_the_word_with_the_probability(n_units):
    own = layer(Bernoulli(), n_units)
    inputs = np.random.default_rng(0).normal(size=(6, n_units))
    p = 1 / (1 + np.exp(-0.7 * (inputs + own.bias)))
    x = Bernoulli().sample(own, inputs, KEY, 0.7)
    np.testing.assert_array_equal(x, draws.uniforms(KEY, 6, n_units) < p)


@pytest.mark.parametrize("n_units", [1, 2, 5])
def test_gaussian_draws_are_box_and_mullers(n_units):
    own = layer(Gaussian(), n_units)
    inputs = np.random.default_rng(0).normal(size=(6, n_units))
    sd = np.exp(own.log_variance / 2) / np.sqrt(0.7)
    expected = inputs + own.bias + sd * draws.normals(KEY, 6, n_units)
    x = Gaussian().sample(own, inputs, KEY, 0.7)
    np.testing.assert_allclose(x, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_units", [1, 4, 7, pytest.param(4097, marks=pytest.mark.needs_jit)])
@pytest.mark.parametrize("unit", [Bernoulli(), Gaussian()], ids=repr)
def test_draws_do_not_depend_on_chunking(unit, n_units, dtype):
    own = layer(unit, n_units, dtype)
    inputs = np.random.default_rng(0).normal(size=(5, n_units)).astype(dtype)
    whole = unit.sample(own, inputs, KEY)
    parts = [unit.sample(own, inputs[:2], KEY), unit.sample(own, inputs[2:], KEY, first_row=2)]
    np.testing.assert_array_equal(whole, np.vstack(parts))


@pytest.mark.needs_jit
@pytest.mark.parametrize("unit", [Bernoulli(), Gaussian()], ids=repr)
def test_draws_of_many_rows_do_not_depend_on_chunking(unit):
    """More rows than are drawn ahead at a time."""
    own = layer(unit, 3)
    inputs = np.zeros((5000, 3))
    parts = [unit.sample(own, inputs[:1], KEY), unit.sample(own, inputs[1:], KEY, first_row=1)]
    np.testing.assert_array_equal(unit.sample(own, inputs, KEY), np.vstack(parts))


def test_rows_of_any_number_have_their_own_words():
    """Also where the counter passes 32 bits within a block of rows."""
    own = Bernoulli().parameters(np.zeros(8))
    first_row = 2**30 - 1
    x = Bernoulli().sample(own, np.zeros((3, 8)), KEY, first_row=first_row)
    table = (draws.words(KEY, 3, 8, first_row) + 0.5) / 2**32
    np.testing.assert_array_equal(x, table < 0.5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_certain_events_happen(dtype):
    own = Bernoulli().parameters(np.zeros(4, dtype))
    n = 1000
    inputs = np.tile(np.array([1e4, -1e4, np.inf, -np.inf], dtype), (n, 1))
    np.testing.assert_array_equal(Bernoulli().sample(own, inputs, KEY).sum(axis=0), [n, 0, n, 0])


# With and without the compiler ---------------------------------------------------------------


def dump():
    """Hexadecimal digests of everything that is drawn."""
    counters = np.arange(50, dtype=np.uint64) * np.uint64(2**59 + 3)
    filled = np.empty(64, np.uint32)
    counter.fill_words(filled, *KEY, 2**33 - 5)
    folded = np.array([fold(KEY, 3**i) for i in range(40)], np.int64)
    parts = [words(KEY, counters), filled, folded, normal(KEY, (5, 3))]
    rng = np.random.default_rng(0)
    for dtype in DTYPES:
        inputs = (3 * rng.normal(size=(40, 7))).astype(dtype)
        bits = Bernoulli().sample(layer(Bernoulli(), 7, dtype), inputs, KEY)
        parts.append(bits.astype(np.uint8))
    return [part.tobytes().hex() for part in parts]


@pytest.mark.needs_jit  # it runs the other way round as well
def test_the_compiler_changes_no_bit_of_a_draw():
    flipped = "0" if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0") else "1"
    script = "from tests.core.test_random import dump; print(*dump(), sep='\\n')"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": flipped, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == dump()


# Elementary functions ------------------------------------------------------------------------


def errors_in_ulp(function, reference, points, dtype):
    """Distances to the reference, computed in longer arithmetic, in units in the last place."""
    errors = []
    for x in np.asarray(points, dtype):
        exact = reference(np.longdouble(x))
        ulp = np.spacing(np.abs(dtype(exact)))
        errors.append(abs(np.longdouble(dtype(function(x))) - exact) / np.longdouble(ulp))
    return np.array(errors, float)


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_is_right_to_two_units_in_the_last_place(dtype):
    end = 87 if dtype == np.float32 else 700
    points = np.concatenate([np.linspace(-end, end, 501), np.linspace(-1, 1, 201)])
    assert errors_in_ulp(elementary.exp, np.exp, points, dtype).max() <= 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_expm1_is_right_to_two_units_in_the_last_place(dtype):
    end = 87 if dtype == np.float32 else 700
    small = 10.0 ** np.linspace(-30, 0, 61)
    points = np.concatenate([np.linspace(-end, end, 501), np.linspace(-2, 2, 401), small, -small])
    assert errors_in_ulp(elementary.expm1, np.expm1, points, dtype).max() <= 2
    assert elementary.expm1(dtype(0)) == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_tanh_is_right_to_three_units_in_the_last_place(dtype):
    small = 10.0 ** np.linspace(-30, 0, 61)
    points = np.concatenate([np.linspace(-40, 40, 501), np.linspace(-2, 2, 401), small, -small])
    assert errors_in_ulp(elementary.tanh, np.tanh, points, dtype).max() <= 3


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_is_right_to_three_units_in_the_last_place(dtype):
    points = np.concatenate(
        [2.0 ** np.linspace(-100, 100, 401), np.linspace(0.5, 2, 301), [1.0, 1 - 1e-6, 1 + 1e-6]]
    )
    assert errors_in_ulp(elementary.log, np.log, points, dtype).max() <= 3
    assert elementary.log(dtype(1)) == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_is_right_to_three_units_in_the_last_place(dtype):
    points = np.concatenate([np.linspace(-59.5, 60, 501), np.linspace(-2, 2, 201)])
    reference = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    assert errors_in_ulp(elementary.sigmoid, reference, points, dtype).max() <= 3


@pytest.mark.parametrize("dtype", DTYPES)
def test_softplus_is_right_to_a_few_units_in_the_last_place(dtype):
    assert_softplus(elementary.softplus, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cos_and_sin_lie_on_the_circle_at_twice_the_half_angle(dtype):
    eps = np.finfo(dtype).eps
    for half in np.linspace(-math.pi / 2, math.pi / 2, 401).astype(dtype):
        c, s = elementary.cos_sin(half)
        assert abs(c - math.cos(2 * float(half))) <= 4 * eps
        assert abs(s - math.sin(2 * float(half))) <= 4 * eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("x", [-1e4, 1e4, -np.inf, np.inf])
def test_nothing_overflows(x, dtype):
    p, s = elementary.sigmoid(dtype(x)), elementary.softplus(dtype(x))
    assert elementary.tanh(dtype(x)) == np.sign(x)
    assert p == (1 if x > 0 else pytest.approx(0, abs=1e-26)) and p >= 0
    assert s == (dtype(x) if x > 0 else pytest.approx(0, abs=1e-26))


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_stays_nan(dtype):
    functions = (elementary.exp, elementary.expm1, elementary.sigmoid, elementary.tanh)
    for function in (*functions, elementary.softplus):
        assert np.isnan(function(dtype(np.nan))), function


def test_reserved_numbers_differ_within_each_family_of_keys():
    # Aliases would be two purposes with one number; ranges that count up must not reach one another.
    assert len({member.value for member in Reserved}) == len(Reserved.__members__)
    for family_ in {member.value[0] for member in Reserved}:
        numbers = sorted(member.number for member in Reserved if member.value[0] == family_)
        assert numbers[0] >= 1 << 20
        assert np.all(np.diff(np.array(numbers, object)) >= 1 << 20)
