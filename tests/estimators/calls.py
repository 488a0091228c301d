"""Fitted machines of every public estimator, and calls of all their methods that take rows."""

from __future__ import annotations

import copy
import functools
import inspect
import warnings

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from ebm._arrays import MagnitudeError
from tests.estimators.every import EVERY
from tests.estimators.small import rows

X = rows("bernoulli")


# One of each public estimator, and a machine with hidden units.
NAMES = [name for name in EVERY if "," not in name] + [
    "BoltzmannMachine, pcd",
    "BoltzmannMachine, hidden",
]


# Methods whose first argument is not an array of rows.
OTHERS = {"fit_transform", "resume", "partial_fit", "fit", "fit_predict", "inverse_transform"}


def asks_for_y(estimator):
    return get_tags(estimator).target_tags.required


def is_memory(estimator):
    return "Hopfield" in type(estimator).__name__ or "Memory" in type(estimator).__name__


def quietly(function, *arguments, **named):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **named)


def fit(estimator, rows, method="fit", **named):
    """Learn from the rows, with classes where there have to be some."""
    if asks_for_y(estimator):
        named["y"] = np.arange(len(X)) % 2
    if method == "partial_fit" and "classes" in inspect.signature(estimator.partial_fit).parameters:
        named["classes"] = [0, 1]
    return getattr(estimator, method)(rows, **named)


@functools.cache
def learned(name):
    estimator = EVERY[name]()
    return quietly(fit, estimator, X[:2] if is_memory(estimator) else X)


def fresh(name):
    return copy.deepcopy(learned(name))


def readers(estimator):
    """Public methods that take rows."""
    names = [name for name in dir(type(estimator)) if not name.startswith("_")]
    functions = {name: getattr(estimator, name) for name in names if hasattr(estimator, name)}
    return [
        name
        for name, function in functions.items()
        if callable(function)
        and name not in OTHERS
        and next(iter(inspect.signature(function).parameters), "") in ("X", "v", "patterns")
    ]


def call(estimator, method, rows):
    """The method, with classes and hidden states where it asks for some."""
    takes = inspect.signature(getattr(estimator, method)).parameters
    named = {"y": np.arange(len(X)) % 2} if "y" in takes and asks_for_y(estimator) else {}
    if "H" in takes and getattr(estimator, "n_hidden", 1):
        named["H"] = np.ones((len(X), getattr(estimator, "n_hidden", 3)))
    return getattr(estimator, method)(rows, **named)


def every_call(name):
    """The calls that take rows: (name of the method, its function of rows). Refusals leave the estimator as it was."""
    new, old = EVERY[name](), fresh(name)
    yield "fit", lambda rows: fit(new, rows)
    if hasattr(new, "partial_fit"):
        yield "first partial_fit", lambda rows: fit(new, rows, "partial_fit")
        yield "partial_fit", lambda rows: fit(old, rows, "partial_fit")
    for method in readers(old):
        yield method, lambda rows, method=method: call(old, method, rows)


def refusal(function, *arguments, **named):
    """The message of the error; no warning of NumPy may come before it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises((ValueError, TypeError)) as caught:
            function(*arguments, **named)
    assert type(caught.value) in (ValueError, TypeError, NotFittedError, MagnitudeError)
    return str(caught.value)
