"""ebm._checks: what is let in, and what is refused by name."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import ebm
from ebm._checks import Settings, as_rows, by_value, check_integer, check_real, fingerprint, resolve
from ebm.energies.pairwise import Pairwise
from ebm.optimizers import OPTIMIZERS, SGD, Momentum, Optimizer


@pytest.mark.parametrize("value", [1, 7, np.int64(3)])
def test_integers_pass(value):
    check_integer(value, "n")


@pytest.mark.parametrize("value", [0, -3, 1.0, True, None, "2", np.nan])
def test_other_things_are_no_counts(value):
    with pytest.raises(ValueError, match="n must be an integer of at least 1"):
        check_integer(value, "n")


@pytest.mark.parametrize("value", [0, 0.5, 1, np.float32(0.25), np.int8(1)])
def test_numbers_within_their_bounds_pass(value):
    check_real(value, "x", 0, 1)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, np.inf, True, None, "0.5"])
def test_numbers_out_of_their_bounds_are_refused(value):
    with pytest.raises(ValueError, match=r"x must be a number in \[0, 1\]"):
        check_real(value, "x", 0, 1)


def test_open_bounds_are_written_as_such():
    with pytest.raises(ValueError, match=r"x must be a number in \(0.0, inf\)"):
        check_real(0, "x", open_low=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_become_contiguous_floats(dtype):
    X = np.arange(6, dtype=dtype).reshape(2, 3)
    assert as_rows(X, 3, "X") is X or np.shares_memory(as_rows(X, 3, "X"), X)
    for form in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
        rows = as_rows(form, 3, "X")
        assert rows.flags.c_contiguous and rows.dtype == dtype
        np.testing.assert_array_equal(rows, X)


def test_other_numbers_become_double_precision():
    for X in ([[1, 2, 3]], [1, 2, 3], np.ones((1, 3), bool), np.ones((1, 3), np.float16)):
        rows = as_rows(X, 3, "X")
        assert rows.dtype == np.float64 and rows.shape == (1, 3)


def test_rows_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"X must have 4 columns. Got the shape \(1, 3\)"):
        as_rows([1, 2, 3], 4, "X")
    with pytest.raises(ValueError, match="X must have 3 columns"):
        as_rows(np.zeros((2, 2, 3)), 3, "X")


def test_names_and_records_are_resolved():
    record = Momentum(0.5)
    assert resolve(record, OPTIMIZERS, Optimizer, "optimizer") is record
    assert type(resolve("sgd", OPTIMIZERS, Optimizer, "optimizer")) is SGD
    for value in ("adagradient", None, SGD, 3):
        with pytest.raises(ValueError, match="'optimizer' parameter must be one of"):
            resolve(value, OPTIMIZERS, Optimizer, "optimizer")


def test_records_show_what_differs_from_the_default():
    assert repr(Momentum()) == "Momentum()"
    assert repr(Momentum(0.5)) == "Momentum(momentum=0.5)"
    record = Momentum()
    assert record.set_params(momentum=0.25) is record
    assert record.get_params() == {"momentum": 0.25} and record == Momentum(0.25)
    with pytest.raises(ValueError, match="momentum"):
        record.set_params(momentum=1.5)
    assert record.momentum == 0.25


# Settings compare by value ------------------------------------------------------------------------

LONG = np.linspace(0, 1, 2001)
BENT = LONG.copy()
BENT[1000] += 1e-12  # in the middle, which printed arrays leave out


def records(base=Settings):
    """Every type of settings that can be made without being told anything."""
    for kind in base.__subclasses__():
        yield from records(kind)
        try:
            yield kind(), kind()
        except TypeError:  # abstract, or with settings that have no default
            continue


@pytest.mark.parametrize(
    ("one", "other"), list(records()), ids=lambda record: type(record).__name__
)
def test_records_of_the_same_settings_are_equal(one, other):
    assert one is not other and one == other and hash(one) == hash(other)
    assert fingerprint(one) == fingerprint(other)
    assert one != Settings() and one != "another thing"


@pytest.mark.parametrize(
    ("same", "value"),
    [
        ([1, 1.0, np.int64(1), np.float32(1), np.array(1)], 2),
        ([[1, 2], (1, 2), np.array([1, 2]), np.array([1.0, 2.0], np.float32)], [2, 1]),
        ([LONG, LONG.copy(), list(LONG)], BENT),
        ([np.nan, np.float32(np.nan)], np.inf),
        ([-0.0, 0], 1e-300),
        ([np.eye(2), np.eye(2).T.copy()], np.eye(2).ravel()),
        ([["a", "b"], ("a", "b")], ("a", "c")),
        ([{"a": 1, "b": LONG}, {"b": LONG.copy(), "a": 1.0}], {"a": 1, "b": BENT}),
        ([[1, [2, 3]], (1, (2, 3))], [1, [2, 4]]),
        ([SGD(), SGD()], Momentum()),
        ([ebm.AIS(schedule=LONG), ebm.AIS(schedule=list(LONG))], ebm.AIS(schedule=BENT)),
        ([ebm.Gaussian(variance=[1, 2]), ebm.Gaussian(variance=np.array([1.0, 2]))], ebm.Gaussian(variance=[1, 3])),
        ([Pairwise(ebm.Spin(), mask=LONG > 0.5)] * 2, Pairwise(ebm.Spin(), mask=LONG > 0.4)),
    ],
)  # fmt: skip
def test_values_are_the_same_whatever_they_are_written_as(same, value):
    assert len({by_value(x) for x in same}) == 1 == len({fingerprint(x) for x in same})
    assert by_value(value) != by_value(same[0]) and fingerprint(value) != fingerprint(same[0])


def test_a_record_of_an_array_says_how_it_differs_from_the_default():
    assert repr(ebm.Gaussian(variance="learned")) == "Gaussian()"
    assert "variance=array" in repr(ebm.Gaussian(variance=np.ones(2)))


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("energies.completion", "energies.label_memory", ("Completion", "LabelMemory")),
        ("gradients.completion", "gradients.label_memory", ("LabelCompletion", "LabelCompletion")),
        ("samplers.cooling", "samplers.simulated_annealing", ("cool", "simulated_annealing")),
        ("samplers", "samplers", ("walk", "run_chain")),
    ],
)
def test_old_names_of_modules_warn_for_one_release(old, new, names):
    old, new = (importlib.import_module(f"ebm.{name}") for name in (old, new))
    with pytest.warns(FutureWarning, match=rf"{names[0]} is now {new.__name__}\.{names[1]}"):
        assert getattr(old, names[0]) is getattr(new, names[1])
    with pytest.raises(AttributeError, match="nothing"):
        getattr(old, "nothing")  # noqa: B009
