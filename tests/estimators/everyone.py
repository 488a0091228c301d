"""Every estimator that the library has, small, with data and all calls that its methods take: read from the library.

An estimator that is new joins by itself, and so does a method whose required arguments are rows, targets or patterns.
"""

from __future__ import annotations

import copy
import inspect
import warnings

import numpy as np
from sklearn.base import is_classifier
from threadpoolctl import threadpool_limits

import ebm
from tests.estimators.settings import ESTIMATORS, SMALL

# Settings that change which code runs.
ALSO = {
    "BoltzmannMachine": [{"n_hidden": 2}, {"gradient": "mean_field"}],
    "DBN": [{"fine_tuning": ebm.FineTuning(n_iter=2)}],
    "DBNClassifier": [{"fine_tuning": "up_down"}],
    "MLPClassifier": [{"early_stopping": True}],
    "MLPRegressor": [{"solver": "lbfgs"}],
    "HopfieldNetwork": [{"rule": "pseudo_inverse"}],
}
# Fewer steps than the default, so that a call takes milliseconds.
FEW = {
    "n_steps": 3,
    "n_samples": 4,
    "n_starts": 4,
    "n_dreams": 3,
    "n_runs": 5,
    "n_jobs": 1,
    "fraction": 0.3,
}
N_ROWS, N_FEATURES = 30, 6
RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, N_ROWS)
X = np.unique(RNG.integers(0, 2, (4 * N_ROWS, N_FEATURES)), axis=0)[1 : N_ROWS + 1].astype(float)
REAL = RNG.normal(size=(N_ROWS, N_FEATURES)) + 2 * Y[:, np.newaxis]
PATTERNS = np.array([[1, 1, 1, 0, 0, 0], [1, 0, 1, 0, 1, 0]], float)
NEW = np.array([[1, 1, 0, 0, 1, 1]], float)


def name_of(estimator):
    """With the settings that are not those of SMALL."""
    extra = [
        f"{k}={v if isinstance(v, str | int) else type(v).__name__}"
        for k, v in estimator.get_params(deep=False).items()
        if v != inspect.signature(type(estimator)).parameters[k].default and k not in SMALL
    ]
    return " ".join([type(estimator).__name__, *extra])


def everyone():
    """Unfitted estimators of every class."""
    found = []
    for kind in ESTIMATORS:
        known = inspect.signature(kind).parameters
        settings = {k: v for k, v in SMALL.items() if k in known}
        if kind is ebm.ModernHopfieldNetwork:
            settings["beta"] = 20.0
        found += [kind(**settings | also) for also in [{}, *ALSO.get(kind.__name__, [])]]
    return found


def is_memory(estimator):
    """Whether it stores rows rather than learns from them."""
    return hasattr(estimator, "recall")


def data_of(estimator):
    """Rows that it can have, and targets."""
    if is_memory(estimator):
        return PATTERNS, None
    real = "Gaussian" in type(estimator).__name__ or "MLP" in type(estimator).__name__
    return (REAL if real else X), Y


def quietly(call):
    """Its result, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def fitted(estimator):
    """A fitted copy."""
    return quietly(lambda: learn(copy.deepcopy(estimator), "fit"))


def learn(estimator, method):
    """`fit` or `partial_fit`, with the arguments that it wants."""
    rows, y = data_of(estimator)
    if is_memory(estimator) and method == "partial_fit":
        rows = NEW
    settings = {}
    if method == "partial_fit" and is_classifier(estimator):
        settings["classes"] = [0, 1]
    return getattr(estimator, method)(rows, y, **settings)


def calls(model):
    """By name, functions of a fitted estimator that call one of its methods each."""
    rows, y = data_of(model)
    known = {"X": rows, "v": rows, "y": y, "patterns": rows[:1], "column": 0, **FEW}
    found = {}
    for name, method in inspect.getmembers(model, inspect.ismethod):
        if name.startswith(("_", "set_", "get_", "from_")) or name == "resume":
            continue
        if name == "partial_fit" and getattr(model, "early_stopping", False):
            continue
        if name in ("fit", "partial_fit"):
            found[name] = lambda m, name=name: learn(m, name)
            continue
        given = {p: known[p] for p in inspect.signature(method).parameters if p in known}
        if name == "inverse_transform":
            given["X"] = model.transform(rows)
        if name == "energy" and hasattr(model, "components_"):
            given["H"] = np.ones((len(rows), len(model.components_)))
        elif name == "energy" and hasattr(model, "mean_field"):
            given["H"] = np.ones((len(rows), sum(map(len, model.intercepts_)) - rows.shape[1]))
        elif getattr(model, "n_hidden", 0):
            given["H"] = np.ones((len(rows), model.n_hidden))
        given = {k: v for k, v in given.items() if k in inspect.signature(method).parameters}
        found[name] = lambda m, name=name, given=given: getattr(m, name)(**given)
    return found


def same(a, b):
    """Whether two values are equal, to the bit, in all that they hold but times."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray) and a.dtype != object:
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a if k != "time")
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return same(a.tolist(), b.tolist())
    if hasattr(a, "__dict__") and not callable(a):
        return same(vars(a), vars(b))
    return a is b or bool(a == b) or (a != a and b != b)


def outcome(estimator):
    """The results of a fit and of one call of every method after the other; warnings are for the caller to silence.

    To silence them here would not do in threads, which share the filters.
    """
    with threadpool_limits(1):
        model = learn(copy.deepcopy(estimator), "fit")
        results = [call(model) for call in calls(model).values()]
    return [vars(x) if x is model else x for x in [model, *results]]
