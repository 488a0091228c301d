"""One small machine of each public estimator, by name."""

from __future__ import annotations

from ebm import (
    Autoencoder,
    GaussianRBM,
    MLPClassifier,
    MLPRegressor,
    ModernHopfieldNetwork,
    NCAEmbedding,
)
from tests.estimators.small import MACHINES

QUICK = {"max_iter": 2, "random_state": 0}


EVERY = {name: (lambda make=make: make("bernoulli")) for name, make in MACHINES.items()} | {
    "GaussianRBM": lambda: GaussianRBM(3, n_iter=1, random_state=0),
    "ModernHopfieldNetwork": lambda: ModernHopfieldNetwork(beta=20.0),
    "MLPClassifier": lambda: MLPClassifier(hidden_layer_sizes=(3,), **QUICK),
    "Autoencoder": lambda: Autoencoder(hidden_layer_sizes=(3,), **QUICK),
    "NCAEmbedding": lambda: NCAEmbedding(hidden_layer_sizes=(3,), **QUICK),
    "MLPRegressor": lambda: MLPRegressor(hidden_layer_sizes=(3,), **QUICK),
}
