"""Settings of every estimator and record of the public API: numbers of any type, and when they are checked."""

from __future__ import annotations

import copy
import inspect
import warnings
from dataclasses import fields, is_dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real

import numpy as np
import pytest
from sklearn.base import clone

import ebm
from ebm._checks import Settings, check_integer, check_real
from ebm.sklearn_compat._shared._settings import Number
from tests.estimators.settings import CLASSES, ESTIMATORS, X, Y, small

INCREMENTAL = [x for x in ESTIMATORS if hasattr(x, "partial_fit")]
RECORDS = [x for x in CLASSES if issubclass(x, Settings) and is_dataclass(x)]
INTEGERS = (np.int8, np.uint8, np.int32, np.uint64)
REALS = (np.float16, np.float32, np.longdouble)


def learned(estimator, method="fit"):
    """The public attributes that there are after `method`, or the error, as text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        getattr(estimator, method)(X, Y)
    return public(estimator)


def public(estimator):
    others = ("history_", "rbms_", "network_", "pretraining_", "machine_", "estimator_")
    return {
        name: x for name, x in vars(estimator).items() if name.endswith("_") and name not in others
    }


def of_type(kind, constraint_type):
    """Settings of an estimator that take numbers of a type, with one such number."""
    defaults = small(kind).get_params(deep=False)
    for name, constraints in kind._parameter_constraints.items():
        value = defaults[name]
        for constraint in constraints:
            if isinstance(constraint, Number) and constraint.type is constraint_type:
                if not isinstance(value, Real):
                    value = 3 if constraint_type is Integral else 0.75
                yield name, value
                break


def cases(constraint_type, kinds=ESTIMATORS):
    return [
        pytest.param(kind, name, value, id=f"{kind.__name__}-{name}")
        for kind in kinds
        for name, value in of_type(kind, constraint_type)
    ]


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize(("kind", "name", "value"), cases(Integral))
def test_integers_of_numpy_are_those_of_python(kind, name, value):
    wanted = learned(small(kind, **{name: value}))
    for number in INTEGERS:
        given = number(value)
        estimator = small(kind, **{name: given})
        assert_same(learned(estimator), wanted)
        assert getattr(estimator, name) is given  # as scikit-learn wants it


@pytest.mark.parametrize(("kind", "name", "value"), cases(Real))
def test_reals_of_numpy_are_those_of_python(kind, name, value):
    for number in REALS:
        given = number(value)
        wanted = learned(small(kind, **{name: float(given)}))
        assert_same(learned(small(kind, **{name: given})), wanted)


BAD = {
    "negative": -3,
    "fraction": -0.5,
    "zero": 0,
    "nan": np.nan,
    "infinite": np.inf,
    "bool": True,
    "huge": 10**30,
    "list": [1, 2],
    "word": "unheard-of",
    "none": None,
    "object": object(),
    "array": np.array([1.0, np.nan]),
}


def refusal(estimator, method, *rows):
    """The error of a call, as text, or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = getattr(estimator, method)
            classes = {"classes": [0, 1]} if "classes" in inspect.signature(call).parameters else {}
            call(*rows, **classes)
    except (ValueError, TypeError) as error:
        return str(error)


@pytest.mark.parametrize("kind", INCREMENTAL, ids=lambda kind: kind.__name__)
def test_settings_changed_after_a_fit_are_checked_before_more_is_learned(kind):
    more = np.setdiff1d(np.arange(256), X @ 2 ** np.arange(8))[1:3]  # rows that are not stored yet
    rows = ((more[:, None] >> np.arange(8)) & 1).astype(float), [0, 1]
    first = small(kind)
    assert refusal(first, "partial_fit", X, Y) is None
    for name in first.get_params(deep=False):
        for value in BAD.values():
            estimator = copy.copy(first).set_params(**{name: value})
            before = dict(vars(estimator))
            found = refusal(estimator, "partial_fit", *rows)
            wanted = refusal(small(kind).set_params(**{name: value}), "partial_fit", *rows)
            assert wanted is None or found is not None, (name, value)
            if found is not None:
                assert name.removesuffix("s") in found, found
                assert vars(estimator).keys() == before.keys()
                assert all(x is before[key] for key, x in vars(estimator).items())


def record_cases(*types):
    """Fields of public records that are numbers or flags, with a value."""
    for kind in RECORDS:
        for field in fields(kind):
            declared = str(getattr(field.type, "__name__", field.type))
            name = declared.removesuffix(" | None")
            if name in types:
                yield pytest.param(kind, field.name, name, id=f"{kind.__name__}-{field.name}")


def made(kind, **settings):
    """A record with what else it cannot do without."""
    needed = {ebm.InverseScaling: {"n_rows": 10}, ebm.AIS: {"n_temperatures": 9}}
    needed[ebm.UpDown] = {"persistent": True} if "n_chains" in settings else {}
    return kind(**{**needed.get(kind, {}), **settings})


@pytest.mark.parametrize(("kind", "name", "declared"), [*record_cases("int", "float", "bool")])
def test_settings_of_records_are_those_of_python(kind, name, declared):
    default = getattr(made(kind), name)
    types = {"int": INTEGERS, "float": REALS, "bool": (np.bool_,)}[declared]
    for number in types:
        value = {"int": 2, "float": 0.5, "bool": not default}[declared]
        record = made(kind, **{name: number(value)})
        assert type(getattr(record, name)).__name__ == declared
        assert getattr(record, name) == value
        assert record == made(kind, **{name: value})
        assert clone(record, safe=False) == record
        assert getattr(record.set_params(**{name: number(value)}), name) == value


@pytest.mark.parametrize(("kind", "name", "declared"), [*record_cases("int", "float", "bool")])
def test_settings_of_records_are_refused_by_name(kind, name, declared):
    wrong = {"int": (True, 1.5, 10**30), "float": (True, 10**400, np.nan), "bool": (1, 0.5, "yes")}
    for value in (*wrong[declared], [1, 2], "unheard-of", object(), np.array([1, 0]), 1j):
        with pytest.raises(ValueError, match=name):
            made(kind, **{name: value})


@pytest.mark.parametrize("check", [check_integer, check_real])
def test_numbers_of_python_too(check):
    assert check(Fraction(4, 2) if check is check_real else 2, "x") == 2
    for value in (Decimal(2), "2", None, True, np.True_, np.array(2), 10**5000, [2]):
        with pytest.raises(ValueError, match=r"^x must be"):
            check(value, "x")


@pytest.mark.parametrize("number", INTEGERS)
def test_settings_of_fine_tuning_are_those_of_python(number):
    def tuned(n_iter, batch_size):
        settings = ebm.FineTuning(n_iter=n_iter, batch_size=batch_size)
        return learned(small(ebm.DBN, fine_tuning=settings))

    assert_same(tuned(number(2), number(5)), tuned(2, 5))
