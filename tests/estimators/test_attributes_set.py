"""Fitted attributes that are checked when they are set: other forms of the same are taken, all else is refused."""

import copy

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from ebm import DBNClassifier
from ebm.sklearn_compat._shared._attributes import KINDS
from tests.fuzz.calls import estimators, evaluate, fitted, invocation, methods, new

ALL = {cls.__name__: cls for cls in estimators()}
WRONG = [
    "x",
    object(),
    1j,
    {"a": 1},
    print,
    np.array("x"),
    np.full((2, 2), "x"),
    pd.NA,
    sp.eye_array(2) * 1j,
    float("inf"),
]


@pytest.fixture(scope="module")
def machines():
    return {name: evaluate(fitted(cls, new(cls))) for name, cls in ALL.items()}


def checked(machine):
    return [name for name in vars(machine) if name in KINDS]


@pytest.mark.parametrize("name", ALL)
def test_anything_else_is_refused_by_name_and_nothing_changes(machines, name):
    for attribute in checked(machines[name]):
        machine = copy.deepcopy(machines[name])
        before = getattr(machine, attribute)
        for value in [*WRONG, None]:
            with pytest.raises((ValueError, TypeError), match=attribute):
                setattr(machine, attribute, value)
            assert getattr(machine, attribute) is before


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("name", ALL)
def test_containers_of_numbers_become_plain_arrays(machines, name):
    """Matrices, masked arrays and rows of one length: no method meets another kind of array than that of a fit."""
    for attribute in checked(machines[name]):
        value = getattr(machines[name], attribute)
        if not (isinstance(value, np.ndarray) and value.dtype.kind in "biuf"):
            continue
        forms = [np.ma.array(value, mask=np.zeros(value.shape, bool)), value.astype(object)]
        for form in [*forms, *([np.matrix(value)] if value.ndim == 2 else [])]:
            machine = copy.deepcopy(machines[name])
            setattr(machine, attribute, form)
            assert type(getattr(machine, attribute)) is np.ndarray
            np.testing.assert_array_equal(getattr(machine, attribute), value)
        with pytest.raises(ValueError, match=f"{attribute} must be"):
            setattr(machine, attribute, ((1, 2), (3,)))


@pytest.mark.parametrize("name", ALL)
def test_squares_of_biases_that_overflow_are_refused_by_name(machines, name):
    """No training leaves them. With huge weights, which some do, every score is minus infinity."""
    for attribute in {"intercept_", "intercept_visible_"} & set(vars(machines[name])):
        machine = copy.deepcopy(machines[name])
        setattr(machine, attribute, np.full(getattr(machine, attribute).shape, 1e200))
        for method in {"transform", "free_energy", "predict", "energy"} & set(methods(ALL[name])):
            with pytest.raises(ValueError, match=f"{attribute} holds"):
                evaluate(invocation(ALL[name], method), est=copy.deepcopy(machine))


LEARN = ("fit", "fit_transform")
OF_CLASSES = [name for name, cls in ALL.items() if hasattr(cls, "predict_proba")]


@pytest.mark.parametrize(
    "wrong", [[1, 0], [0, 0], [0, 1j], [0, [1]], [object()], [0, "a"], ["b", "a"]]
)
@pytest.mark.parametrize("name", OF_CLASSES)
def test_classes_are_sorted_words_or_numbers(machines, name, wrong):
    machine, classes = copy.deepcopy(machines[name]), np.empty(len(wrong), object)
    classes[:] = wrong
    with pytest.raises(ValueError, match="classes_ must be an array of the classes, sorted"):
        machine.classes_ = classes


@pytest.mark.parametrize(
    "method", sorted(set(methods(DBNClassifier)) - {*LEARN, "get_feature_names_out"})
)
def test_classes_are_as_many_as_the_label_units(machines, method):
    for classes in ([0], [0, 1, 2]):
        machine = copy.deepcopy(machines["DBNClassifier"])
        machine.classes_ = np.array(classes)
        call = invocation(DBNClassifier, method)
        with pytest.raises(ValueError, match="classes_ must have 2 entries"):
            evaluate(call, est=machine)


@pytest.mark.parametrize("value", [1e200, -1.7e308])
@pytest.mark.parametrize("name", [name for name in ALL if hasattr(ALL[name], "gibbs")])
def test_squares_of_weights_that_overflow_are_refused_but_by_scores(machines, name, value):
    for method in sorted(
        {"transform", "inverse_transform", "reconstruct", "energy", "sample", "gibbs", "impute"}
    ):
        machine = copy.deepcopy(machines[name])
        machine.components_ = np.full(machine.components_.shape, value)
        with pytest.raises(ValueError, match="squares overflow"):
            evaluate(invocation(ALL[name], method), est=machine)


@pytest.mark.parametrize("name", ALL)
def test_the_same_in_another_form_gives_the_same(machines, name):
    forms = {np.ndarray: np.ndarray.tolist, list: tuple, tuple: list, int: np.int16}
    for attribute in checked(machines[name]):
        machine = copy.deepcopy(machines[name])
        value = getattr(machine, attribute)
        setattr(machine, attribute, forms.get(type(value), lambda x: x)(value))
        assert type(getattr(machine, attribute)) is type(value)
        for method in {"transform", "predict"} & set(methods(ALL[name])):
            call = invocation(ALL[name], method)
            expected = evaluate(call, est=copy.deepcopy(machines[name]))
            np.testing.assert_array_equal(evaluate(call, est=machine), expected)
