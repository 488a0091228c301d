"""Small machines of every kind, the rows that they learn from, and methods called with all that they ask for."""

from __future__ import annotations

import inspect

import numpy as np

from ebm import (
    DBM,
    DBN,
    RBM,
    BernoulliRBM,
    BoltzmannMachine,
    DBMClassifier,
    DBNClassifier,
    DenseAssociativeClassifier,
    DenseAssociativeMemory,
    HopfieldNetwork,
    MultimodalDBM,
)
from ebm.units import OneHot

N = 4


STEPS = {"n_iter": 1, "random_state": 0}


SOLVERS = ["pcd", "cd", "exact", "maximum_likelihood", "pseudo_likelihood", "mean_field", "tap"]


MACHINES = {
    "BernoulliRBM": lambda _: BernoulliRBM(3, **STEPS),
    "RBM": lambda unit: RBM(3, visible=unit, hidden=unit, **STEPS),
    "RBM, labels": lambda _: RBM(3, visible=OneHot((2,)), **STEPS),
    "DBM": lambda unit: DBM([RBM(2, visible=unit, **STEPS), 1], **STEPS),
    "DBMClassifier": lambda unit: DBMClassifier([RBM(2, visible=unit, **STEPS), 1], **STEPS),
    "MultimodalDBM": lambda unit: MultimodalDBM(
        [
            ("left", [RBM(2, visible=unit, **STEPS)], slice(0, 2)),
            ("right", [RBM(2, visible=unit, **STEPS), 1], slice(2, 4)),
        ],
        2,
        **STEPS,
    ),
    "DBN": lambda unit: DBN([RBM(3, visible=unit, **STEPS), 2], random_state=0),
    "DBNClassifier": lambda unit: DBNClassifier([RBM(3, visible=unit, **STEPS), 2], random_state=0),
    "DenseAssociativeClassifier": lambda _: DenseAssociativeClassifier(3, **STEPS),
    "HopfieldNetwork": lambda _: HopfieldNetwork(random_state=0),
    "DenseAssociativeMemory": lambda _: DenseAssociativeMemory(random_state=0),
    "BoltzmannMachine, hidden": lambda unit: BoltzmannMachine(2, unit=unit, **STEPS),
} | {
    f"BoltzmannMachine, {solver}": lambda unit, solver=solver: BoltzmannMachine(
        unit=unit, gradient=solver, **STEPS
    )
    for solver in SOLVERS
}


# What takes rows of the visible units; `y` and `H` where there are some are made below.
ROWS = [
    *("partial_fit", "transform", "predict", "predict_proba", "energy", "free_energy", "impute"),
    *("log_likelihood", "score_samples", "score", "lower_bound", "layer_means", "reconstruct"),
    *("gibbs", "moments", "recall", "mean_field", "overlaps", "stability", "forget"),
]


def rows(unit, n=12):
    """Different rows, of which the last two features are two units of which one is on."""
    bits = (
        np.random.default_rng(0).permutation(2 ** (N - 1))[:n, np.newaxis] >> np.arange(N - 1) & 1
    )
    bits = np.c_[bits, 1 - bits[:, -1]].astype(float)
    bits = bits[bits.any(axis=1)]
    return bits if unit == "bernoulli" else 2 * bits - 1


def call(machine, method, X):
    """The method, with classes where it asks for some; memories learn patterns that they do not have."""
    takes = inspect.signature(getattr(machine, method)).parameters
    classes = np.arange(X.shape[0]) % 2
    arguments = {}
    if takes.get("y") is not None and hasattr(machine, "classes_"):
        arguments["y"] = classes
    if "H" in takes and getattr(machine, "n_hidden", 1):
        arguments["H"] = np.ones((X.shape[0], getattr(machine, "n_hidden", 3)))
    if "H" in takes and hasattr(machine, "mean_field"):
        n_hidden = sum(map(len, machine.intercepts_)) - machine.n_features_in_
        arguments["H"] = np.ones((X.shape[0], n_hidden))
    if method == "partial_fit" and type(machine).__name__ in (
        "HopfieldNetwork",
        "DenseAssociativeMemory",
    ):
        X = -X if X.min() < 0 else 1 - X
    return getattr(machine, method)(X, **arguments)
