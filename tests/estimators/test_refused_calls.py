"""A call that is refused leaves everything where it was: attributes, and the stream of random numbers."""

from __future__ import annotations

import copy
import inspect
import warnings

import numpy as np
import pytest

from tests.estimators.settings import ESTIMATORS, X, Y, small

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
    """Why the call was refused, or ''."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            getattr(estimator, name)(**arguments)
    except (ValueError, TypeError) as error:
        return str(error)
    return ""


def draws(estimator):
    """The next draw of the estimator, where it draws at all."""
    if hasattr(estimator, "sample"):
        return estimator.sample(3, n_steps=2)
    return estimator.predict(X) if hasattr(estimator, "predict") else estimator.transform(X)


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
    flag = (
        "return_labels"
        if kind.__name__ in ("DBMClassifier", "DBNClassifier")
        else "return_diagnostics"
    )
    assert call(estimator, "sample", {"random_state": generator, flag: "yes"})
    wrong = {"label": 7} if flag == "return_labels" else {"start": [np.nan] * 8}
    assert call(estimator, "sample", {"random_state": generator, **wrong})
    np.testing.assert_array_equal(generator.get_state()[1], np.random.RandomState(0).get_state()[1])
    anew = fitted(kind, random_state=np.random.RandomState(1))
    state = anew.random_state.get_state()
    assert call(anew, "fit", {"X": X, "y": Y, "sample_weight": np.full(len(X), 1e9)})
    assert anew.random_state.get_state()[2] == state[2]


@pytest.mark.parametrize("kind", ESTIMATORS, ids=lambda kind: kind.__name__)
def test_settings_changed_after_a_fit_are_named_where_they_are_read(kind):
    estimator, few, calls = fitted(kind), {"n_steps": 2, "n_samples": 2}, []
    for method, arguments, needed in methods(kind):
        chosen = needed | {key: x for key, x in few.items() if key in arguments}
        if method != "prune" and not call(copy.copy(estimator), method, chosen):
            calls.append((method, chosen))
    for name in estimator.get_params(deep=False):
        for value in (-3, "unheard-of", object(), np.array([1.0, np.nan])):
            for method, chosen in calls:
                tried = copy.copy(estimator)
                setattr(tried, name, value)
                refusal = call(tried, method, chosen)
                assert not refusal or name.removesuffix("s") in refusal, (method, value)
