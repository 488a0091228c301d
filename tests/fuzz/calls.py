"""The calls: every estimator, method, argument, setting and record of the public API with every value.

Estimators, methods, arguments, settings and records are found by inspection; a new one joins by itself. The tables here
only say which good value an argument of a name has, and what keeps an estimator small.
"""

import inspect
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor

import ebm
import ebm.sklearn_compat
from tests.estimators.settings import ESTIMATORS
from tests.estimators.settings import SMALL as QUICK
from tests.fuzz import values

PRELUDE = f"""
import os
import ebm
import numpy as np
import pandas as pd
import scipy.sparse as sp
from decimal import Decimal
from fractions import Fraction
from ebm import *
{values.HELPERS}
X = np.array([[i >> j & 1 for j in range(4)] for i in range(1, 13)], float)
y = np.array([0, 1] * 6)
""".strip()

# What keeps an estimator small, by the name of the setting.
SMALL = {name: repr(x) for name, x in QUICK.items()} | {
    "n_hidden": "3",
    "callbacks": "()",
    "n_starts": "3",
}
# Further machines of a kind, by their settings.
VARIANTS = {
    "RBM": [
        {"visible": "'gaussian'"},
        {"visible": "Categorical((2, 2))"},
        {"hidden": "'gaussian'"},
    ],
    "BoltzmannMachine": [{"n_hidden": "0", "unit": "'spin'"}],
    "DBN": [{"fine_tuning": "FineTuning(n_iter=1)"}],
    "HopfieldNetwork": [{"rule": "'storkey'", "temperature": "0.5"}],
    "MLPClassifier": [{"dropout": "0.5", "batch_norm": "True"}, {"solver": "'lbfgs'"}],
    "DenseAssociativeMemory": [{"interaction": "'exponential'"}],
    "ModernHopfieldNetwork": [{"variant": "'sparsemax'"}],
}
# A good value of each argument, by its name; an argument of a new name keeps its default.
GOOD = {
    "X": "X",
    "y": "y",
    "v": "X",
    "sample_weight": "np.ones(len(X))",
    "H": "np.ones((len(X), 3))",
    "inverse_transform.X": "np.ones((len(X), 3))",
    "patterns": "X",
    "given": "X[:2]",
    "start": "X[:2]",
    "betas": "np.linspace(0.1, 1, 3)",
    "n_samples": "2",
    "n_steps": "8",
    "n_starts": "3",
    "n_dreams": "2",
    "rate": "0.01",
    "beta": "1.0",
    "classes": "np.array([0, 1])",
    "label": "0",
    "fraction": "0.1",
    "column": "0",
    "max_rounds": "1",
    "tol": "0.01",
    "validation": "(X, y)",
    "n_jobs": "1",
    "random_state": "0",
    "input_features": "np.array(['a', 'b', 'c', 'd'], object)",
    "components": "np.ones((3, 4))",
    "DenseAssociativeClassifier.components": "np.ones((3, 6))",
    "intercept_hidden": "np.zeros(3)",
    "intercept_visible": "np.zeros(4)",
    "couplings": "np.ones((4, 4)) - np.eye(4)",
    "J": "np.ones((4, 4)) - np.eye(4)",
    "Q": "np.eye(4)",
    "intercept": "np.zeros(4)",
    "coefs": "[np.ones((4, 3)), np.ones((3, 1))]",
    "Autoencoder.coefs": "[np.ones((4, 3)), np.ones((3, 4))]",
    "Autoencoder.intercepts": "[np.zeros(3), np.zeros(4)]",
    "parts": "(('squared_error', 4),)",
    "intercepts": "[np.zeros(3), np.zeros(1)]",
    "rbms": "[BernoulliRBM.from_parameters(np.ones((3, 4)))]",
    "weights": "np.ones(12)",
    "scale": "1.0",
    "checkpoint": "file_of(est)",
    "path": "'made.npz'",
    "held_out": "X",
    "n_rows": "12",
    "sizes": "(2, 2)",
    "shape": "(2, 2)",
}
LABELS = ("y", "classes", "label")
# Methods of scikit-learn that the calls leave alone.
SKIPPED_METHODS = ("get_params", "get_metadata_routing", "set_output", "set_params")
# Attributes that scikit-learn sets and reads, and those that no method reads.
NOT_OURS = (
    *("n_features_in_", "feature_names_in_", "history_", "loss_curve_", "validation_scores_"),
    "pretraining_",
)
# Where the records of a kind are used, by the name of a class that they derive from.
PLACES = {
    "Gradient": ["BernoulliRBM.gradient", "BoltzmannMachine.gradient", "FineTuning.method"],
    "Direct": ["BoltzmannMachine.gradient"],
    "Optimizer": ["BernoulliRBM.optimizer", "MLPClassifier.solver"],
    "Schedule": ["BernoulliRBM.schedule", "MLPClassifier.learning_rate"],
    "Regularization": ["BernoulliRBM.regularization", "MLPClassifier.regularization"],
    "Unit": ["RBM.visible", "RBM.hidden", "BoltzmannMachine.unit"],
    "StorageRule": ["HopfieldNetwork.rule"],
    "Growth": ["MLPClassifier.growth"],
    "Corruption": ["Autoencoder.corruption"],
    "SparseActivity": ["Autoencoder.sparsity"],
    "ColumnLosses": ["Autoencoder.loss"],
    "Layer": ["MLPClassifier.activation"],
    "Loss": ["MLPRegressor.loss"],
    "Sampler": ["BernoulliRBM.sample.sampler", "BoltzmannMachine.sample.sampler"],
    "AIS": ["BernoulliRBM.log_partition.method", "DBN.log_partition.method"],
    "RAISE": ["BernoulliRBM.log_likelihood.method"],
    "EarlyStopping": ["BernoulliRBM.callbacks"],
    "Checkpoint": ["BernoulliRBM.callbacks"],
    "FineTuning": ["DBN.fine_tuning", "DBNClassifier.fine_tuning"],
}
# Methods that only read a fitted machine, before which settings and attributes are changed.
READERS = (
    *("predict", "predict_proba", "transform", "inverse_transform", "score", "score_samples"),
    *("log_partition", "log_likelihood", "lower_bound", "energy", "free_energy", "layer_means"),
    *("sample", "recall", "impute", "minima", "moments", "attention", "anneal", "gibbs"),
    *("reconstruct", "stability", "overlaps", "to_qubo"),
)


@dataclass(frozen=True)
class Call:
    """One call. `make` gives ``est``, `good` ``a``, `value` ``value``; then come `before` and `do`."""

    subject: str
    kind: str
    argument: str
    make: str
    good: str
    value: str
    do: str
    before: str = ""
    role: str = "odd"

    def body(self) -> str:
        """The call as a program, below the prelude."""
        lines = [f"est = {self.make}", f"a = {self.good}", f"value = {self.value}", self.before]
        return "\n".join([line for line in lines if line] + [f"result = {self.do}"])

    def script(self) -> str:
        """A stand-alone program that repeats the call."""
        return f"{PRELUDE}\n{self.body()}\nprint(result)"


def estimators() -> list[type]:
    """The public classes that can be fitted."""
    return list(ESTIMATORS)


def records() -> list[type]:
    """The public classes of settings that go into estimators."""
    public = [getattr(ebm, name) for name in ebm.__all__]
    return [c for c in public if isinstance(c, type) and not hasattr(c, "fit") and bases(c)]


def bases(record: type) -> list[str]:
    """The keys of PLACES that a class falls under: its own if there is one."""
    if record.__name__ in PLACES:
        return [record.__name__]
    return [c.__name__ for c in record.__mro__ if c.__name__ in PLACES]


@cache
def defaults(function: Any) -> dict[str, Any]:
    """Arguments of a function that go by name, and their defaults."""
    known = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {p.name: p.default for p in known if p.kind not in kinds and p.name != "self"}


def new(cls: type, **others: str) -> str:
    """Source of a small machine."""
    names = defaults(cls)
    settings = {k: v for k, v in SMALL.items() if k in names} | others
    return f"{cls.__name__}({', '.join(f'{k}={v}' for k, v in settings.items())})"


@cache
def target(cls: type) -> str:
    """Source of the labels that a machine learns from."""
    if is_classifier(cls()) or cls.__name__ == "NCAEmbedding":
        return "y"
    return "y * 0.5" if is_regressor(cls()) else "None"


def fitted(cls: type, made: str) -> str:
    """Source of the machine after a fit."""
    return f"{made}.fit(X[:6])" if target(cls) == "None" else f"{made}.fit(X, {target(cls)})"


def saved(cls: type, made: str) -> str:
    """Source of the machine after a fit that left a checkpoint."""
    return f"saved({made}, X)" if target(cls) == "None" else f"saved({made}, X, {target(cls)})"


@cache
def good(cls: type, method: str, argument: str, default: Any = inspect.Parameter.empty) -> str:
    """Source of a good value of an argument: from the tables, else its default."""
    if argument == "y":
        return "y" if target(cls) == "None" else target(cls)
    if method == "partial_fit" and target(cls) == "None" and argument in ("X", "sample_weight"):
        return "X[6:]" if argument == "X" else "np.ones(6)"  # a memory stores no pattern twice
    for name in (f"{cls.__name__}.{argument}", f"{method}.{argument}", argument):
        if name in GOOD:
            return GOOD[name]
    return "None" if default is inspect.Parameter.empty else source(default)


def source(value: Any) -> str:
    """Source of a default."""
    return repr(value) if not isinstance(value, float) or value == value else 'float("nan")'


def invocation(cls: type, name: str, argument: str = "", first: str = "est") -> str:
    """Source of a call of a method, good but for one argument, which is ``value``."""
    function = getattr(cls, name)
    given = {}
    for other, default in defaults(function).items():
        if other == argument:
            given[other] = "value"
        elif default is inspect.Parameter.empty or other in (
            "n_steps",
            "n_samples",
            "n_starts",
            "max_rounds",
        ):
            given[other] = good(cls, name, other, default)
        elif other == "y" and target(cls) != "None":
            given[other] = target(cls)
        elif other == "classes" or (other == "H" and "n_hidden" in defaults(cls)):
            given[other] = good(cls, name, other, default)
    return f"{first}.{name}({', '.join(f'{k}={v}' for k, v in given.items())})"


@cache
def methods(cls: type) -> list[str]:
    """Public methods of instances."""
    found = []
    for name in sorted(set(dir(cls))):
        static = inspect.getattr_static(cls, name)
        hidden = name.startswith("_") or name in SKIPPED_METHODS or name.endswith("_request")
        if (
            not hidden
            and not isinstance(static, property | classmethod)
            and callable(getattr(cls, name, None))
        ):
            found.append(name)
    return found


@cache
def makers(cls: type) -> list[str]:
    """Class methods that make a machine."""
    return [
        n
        for n in sorted(dir(cls))
        if n.startswith("from_") and isinstance(inspect.getattr_static(cls, n), classmethod)
    ]


def evaluate(text: str, **names: Any) -> Any:
    """The value of an expression below the prelude."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(text, {**namespace(), **names})


@cache
def namespace() -> dict[str, Any]:
    """The names that the prelude defines."""
    names: dict[str, Any] = {"est": None}
    exec(PRELUDE, names)
    return names


@cache
def choices(a: str, argument: str = "") -> list[tuple[str, str]]:
    """Sources of values for an argument whose good value has the source `a`, with their roles."""
    return choices_of(evaluate(a), argument)


def choices_of(number: Any, argument: str = "") -> list[tuple[str, str]]:
    """Sources of values in place of a good one, with their roles."""
    odd = list(values.SCALARS_ODD)
    same: list[str] = []
    if argument in LABELS:
        odd += values.LABELS
    if isinstance(number, np.ndarray):
        same, odd = list(values.ARRAYS_SAME), odd + values.ARRAYS_ODD
        if number.dtype.kind == "f" and np.isin(number, (0, 1)).all():
            same += values.BITS_SAME
    elif isinstance(number, bool):
        same = values.FLAGS_SAME
    elif isinstance(number, int):
        same = values.INTEGERS_SAME
    elif isinstance(number, float):
        same = values.REALS_SAME
    elif isinstance(number, str):
        same = values.STRINGS_SAME
    roles = [(v, "same") for v in same] + [(v, "odd") for v in odd]
    return roles + [(v, "long") for v in values.LONG]


# The kinds ------------------------------------------------------------------------------------------


def variants(cls: type) -> list[str]:
    """Sources of the machines of a class, not fitted."""
    others = VARIANTS.get(cls.__name__, [])
    return [new(cls), *(new(cls, **settings) for settings in others)]


def argument_calls(cls: type) -> Iterator[Call]:
    """Every argument of every method."""
    for made in variants(cls):
        for name in methods(cls):
            function = getattr(cls, name)
            states = [saved(cls, made) if name == "resume" else fitted(cls, made)]
            if name in ("fit", "partial_fit", "fit_transform"):
                states = [made, *states] if name == "partial_fit" else [made]
            for argument, default in defaults(function).items():
                a = good(cls, name, argument, default)
                do = invocation(cls, name, argument)
                for make in states:
                    for value, role in choices(a, argument):
                        yield Call(
                            cls.__name__, "argument", argument, make, a, value, do, role=role
                        )


def maker_calls(cls: type) -> Iterator[Call]:
    """Every argument of the class methods that make machines."""
    for name in makers(cls):
        for argument, default in defaults(getattr(cls, name)).items():
            a = good(cls, name, argument, default)
            do = invocation(cls, name, argument, first=cls.__name__)
            for value, role in choices(a, argument):
                yield Call(cls.__name__, "maker", argument, "None", a, value, do, role=role)


def setting_calls(cls: type) -> Iterator[Call]:
    """Every setting before a fit, and after it before the other methods."""
    for setting, default in defaults(cls).items():
        a = SMALL.get(setting, source(default))
        before = f"est.set_params({setting}=value)"
        readers = [name for name in methods(cls) if name in READERS]
        stages = [(new(cls), "fit")] + [
            (fitted(cls, new(cls)), n) for n in ("partial_fit", *readers) if n in methods(cls)
        ]
        if "resume" in methods(cls):
            stages.append((saved(cls, new(cls)), "resume"))
        for make, name in stages:
            do = invocation(cls, name)
            for value, role in choices(a, setting):
                yield Call(cls.__name__, "setting", setting, make, a, value, do, before, role)


def attribute_calls(cls: type) -> Iterator[Call]:
    """Every fitted attribute set by hand, or taken away, before every reader."""
    make = fitted(cls, new(cls))
    machine = evaluate(make)
    for attribute in attributes(machine):
        for name in ("partial_fit", *READERS):
            if name not in methods(cls):
                continue
            do = invocation(cls, name)
            a = f"est.{attribute}"
            for value, role in choices_of(getattr(machine, attribute)):
                if "broken(" not in value:
                    before = f"est.{attribute} = value"
                    yield Call(
                        cls.__name__, "attribute", attribute, make, a, value, do, before, role
                    )
            before = f"del est.{attribute}"
            yield Call(
                cls.__name__, "attribute", attribute, make, "None", "None", do, before, "odd"
            )


def order_calls(cls: type) -> Iterator[Call]:
    """Every method and property before a fit."""
    for name in methods(cls):
        if name not in ("fit", "partial_fit", "fit_transform"):
            yield Call(cls.__name__, "order", "", new(cls), "None", "None", invocation(cls, name))
    for name in dir(cls):
        if isinstance(inspect.getattr_static(cls, name), property) and not name.startswith("_"):
            yield Call(cls.__name__, "order", "", new(cls), "None", "None", f"est.{name}")


def record_calls(record: type) -> Iterator[Call]:
    """Every field of a record, made and used."""
    known = defaults(record)
    for field, default in known.items():
        a = (
            good(record, "", field, default)
            if default is inspect.Parameter.empty
            else source(default)
        )
        others = {
            other: GOOD.get(other, "None")
            for other, d in known.items()
            if d is inspect.Parameter.empty and other != field
        }
        arguments = ", ".join([f"{k}={v}" for k, v in others.items()] + [f"{field}=value"])
        made = f"{record.__name__}({arguments})"
        for place in {p for base in bases(record) for p in PLACES[base]}:
            owner, *path = place.split(".")
            yield from placed(record, field, a, made, getattr(ebm, owner), path)


def placed(
    record: type, field: str, a: str, made: str, cls: type, path: list[str]
) -> Iterator[Call]:
    """A record in its place: a setting of an estimator, or an argument of a method."""
    before = ""
    if len(path) == 2:
        make = fitted(cls, new(cls))
        do = invocation(cls, path[0], path[1]).replace("=value", f"={made}")
    elif hasattr(cls, "fit"):
        # Solvers that need no gradient steps are for machines without hidden units.
        plain = {"n_hidden": "0"} if "Direct" in bases(record) else {}
        make, do = new(cls, **plain), f"est.fit(X, {target(cls)})"
        before = f"est.set_params({path[0]}={made})"
    else:
        make, do = new(ebm.DBN), "est.fit(X)"
        before = f"est.set_params(fine_tuning=FineTuning({path[0]}={made}, n_iter=1))"
    for value, role in choices(a):
        yield Call(record.__name__, "record", field, make, a, value, do, before, role)


def function_calls() -> Iterator[Call]:
    """Public functions."""
    for name in ebm.__all__:
        function = getattr(ebm, name)
        if isinstance(function, type):
            continue
        for argument, default in defaults(function).items():
            a = GOOD.get(argument, source(default))
            do = (
                f"{name}({argument}=value)"
                if argument == "shape"
                else f"{name}((2, 2), {argument}=value)"
            )
            for value, role in choices(a):
                yield Call(name, "function", argument, "None", a, value, do, role=role)


def index_calls() -> Iterator[Call]:
    """The index of codes, which is made of arrays and has methods of its own."""
    for argument, a, do in (
        ("codes", "X", "HammingIndex(value).kneighbors(X, 1)"),
        ("packed", "False", "HammingIndex(X, packed=value).kneighbors(X, 2)"),
        ("codes", "X", "HammingIndex(X).kneighbors(value, 2)"),
        ("codes", "X", "HammingIndex(X).radius_neighbors(value, 1)"),
        ("n_neighbors", "2", "HammingIndex(X).kneighbors(X, value)"),
        ("radius", "1", "HammingIndex(X).radius_neighbors(X, value)"),
    ):
        for value, role in choices(a):
            yield Call("HammingIndex", "function", argument, "None", a, value, do, role=role)


def all_calls() -> list[Call]:
    """The whole, in a fixed order."""
    calls: list[Call] = []
    for cls in estimators():
        calls += argument_calls(cls)
        calls += maker_calls(cls)
        calls += setting_calls(cls)
        calls += attribute_calls(cls)
        calls += order_calls(cls)
    for record in records():
        calls += record_calls(record)
    calls += function_calls()
    calls += index_calls()
    return calls


def attributes(machine: Any) -> list[str]:
    """Public attributes that a fit has set."""
    names = vars(machine).keys() - set(NOT_OURS)
    return sorted(name for name in names if name.endswith("_") and not name.startswith("_"))
