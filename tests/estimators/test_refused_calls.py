"""A call that is refused leaves everything where it was: attributes, and the stream of random numbers."""

from __future__ import annotations

import copy
import inspect
import warnings

import numpy as np
import pytest

from tests.estimators.test_settings import ESTIMATORS, X, Y, small

# What no argument of any method takes.
WRONG = (object(), "unheard-of", -1, 1.5, np.nan, [[np.inf]], np.zeros((3, 3, 3)), 1j)
# Arguments that take nearly everything.
FREE = ("y", "random_state", "n_jobs", "ax", "self", "args", "kwargs", "params", "deep")
SKIPPED = ("get_", "set_", "from_", "fit", "resume", "to_")


def fitted(kind, random_state=0):
    estimator = small(kind, **({"gradient": "pcd"} if hasattr(kind, "anneal") else {}))
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, Y)


def methods(kind):
    """Public methods and their arguments, with something that they take for what they cannot do without."""
    for name, function in inspect.getmembers(kind, callable):
        if name.startswith(("_", *SKIPPED)):
            continue
        arguments = inspect.signature(function).parameters
        needed = [x.name for x in arguments.values() if x.default is x.empty and x.name != "self"]
        takes = {"X": X, "v": X, "y": Y, "fraction": 0.1}
        if set(needed) <= takes.keys():
            yield name, arguments, {argument: takes[argument] for argument in needed}


def call(estimator, name, arguments):
    """Whether the call was refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            getattr(estimator, name)(**arguments)
    except (ValueError, TypeError):
        return True
    return False


def draws(estimator):
    """What the estimator draws next, where it draws at all."""
    if hasattr(estimator, "sample"):
        return estimator.sample(3, n_steps=2)
    return estimator.predict(X)


@pytest.mark.parametrize("kind", ESTIMATORS, ids=lambda kind: kind.__name__)
def test_a_refused_call_changes_nothing(kind):
    estimator, wanted = fitted(kind), draws(fitted(kind))
    before = dict(vars(estimator))
    n_refused = 0
    for name, arguments, needed in methods(kind):
        for argument in arguments.keys() - set(FREE):
            for value in WRONG:
                tried = copy.copy(estimator)
                if call(tried, name, {**needed, argument: value}):
                    n_refused += 1
                    assert vars(tried).keys() == before.keys(), (name, argument, value)
                    same = all(x is before[key] for key, x in vars(tried).items())
                    assert same, (name, argument, value)
    assert n_refused > 10
    np.testing.assert_array_equal(draws(estimator), wanted)


@pytest.mark.parametrize("kind", [x for x in ESTIMATORS if hasattr(x, "sample")])
def test_generators_that_are_handed_in_do_not_move_either(kind):
    estimator, generator = fitted(kind), np.random.RandomState(0)
    flag = "return_labels" if kind.__name__ == "DBNClassifier" else "return_diagnostics"
    assert call(estimator, "sample", {"random_state": generator, flag: "yes"})
    wrong = {"label": 7} if flag == "return_labels" else {"start": [np.nan] * 8}
    assert call(estimator, "sample", {"random_state": generator, **wrong})
    np.testing.assert_array_equal(generator.get_state()[1], np.random.RandomState(0).get_state()[1])
    anew = fitted(kind, random_state=np.random.RandomState(1))
    state = anew.random_state.get_state()
    assert call(anew, "fit", {"X": X, "y": Y, "sample_weight": np.full(len(X), 1e9)})
    assert anew.random_state.get_state()[2] == state[2]
