"""Machines that complete rows, with rows of theirs, and gaps."""

from __future__ import annotations

import numpy as np

from ebm import DBN, RBM, BernoulliRBM, BoltzmannMachine, GaussianRBM
from ebm.units import OneHot
from tests.estimators.machines import rows

BITS, SPINS, REAL = rows("bernoulli"), 2 * rows("bernoulli") - 1, rows("gaussian")


CATEGORIES = np.hstack([np.eye(3)[np.arange(40) % 3], BITS[np.arange(40) % len(BITS), :2]])[:, ::-1]


MACHINES = {
    "bits": (BernoulliRBM(3, random_state=0), BITS),
    "spins": (RBM(3, visible="spin", hidden="spin", random_state=0), SPINS),
    "spins and bits": (RBM(3, visible="spin", random_state=0), SPINS),
    "bits and real units": (RBM(3, hidden="gaussian", random_state=0), BITS),
    "real": (GaussianRBM(3, random_state=0), REAL),
    "two real layers": (
        RBM(3, visible="gaussian", hidden="gaussian", learning_rate=0.01, random_state=0),
        REAL,
    ),
    "groups": (RBM(3, visible=OneHot((3,)), random_state=0), np.ascontiguousarray(CATEGORIES)),
    "pairs": (BoltzmannMachine(random_state=0), BITS),
    "pairs with hidden units": (BoltzmannMachine(2, random_state=0), BITS),
    "stack of one": (DBN([BernoulliRBM(3)], random_state=0), BITS),
    "stack": (DBN([BernoulliRBM(3), BernoulliRBM(2), BernoulliRBM(2)], random_state=0), BITS),
    "real stack": (DBN([GaussianRBM(3), BernoulliRBM(2)], random_state=0), REAL),
}


def holes(X, share=0.4):
    gaps = np.random.default_rng(0).random(X.shape) < share
    gaps[:, -3:] = gaps[:, -1:]  # a group is known as a whole or not at all
    return np.where(gaps, np.nan, X)
