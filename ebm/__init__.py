"""Probabilistic energy-based models as scikit-learn estimators.

The front door: hands on the public names when they are first used, and defines nothing.
"""

import importlib
import warnings
from typing import Any

__version__ = "0.1.0.dev0"

_HOMES = {
    "BernoulliRBM": "ebm.sklearn_compat",
    "GaussianRBM": "ebm.sklearn_compat",
    "HopfieldNetwork": "ebm.sklearn_compat",
    "RBM": "ebm.sklearn_compat",
    "TableRBM": "ebm.sklearn_compat",
    "FreeEnergyOutlierDetector": "ebm.sklearn_compat",
    "MLPClassifier": "ebm.sklearn_compat",
    "MLPRegressor": "ebm.sklearn_compat",
    "Autoencoder": "ebm.sklearn_compat",
    "NCAEmbedding": "ebm.sklearn_compat",
    "DenseAssociativeMemory": "ebm.sklearn_compat",
    "DenseAssociativeClassifier": "ebm.sklearn_compat",
    "ModernHopfieldNetwork": "ebm.sklearn_compat",
    "DBNClassifier": "ebm.sklearn_compat",
    "BoltzmannMachine": "ebm.sklearn_compat",
    "DBM": "ebm.sklearn_compat",
    "DBMClassifier": "ebm.sklearn_compat",
    "MultimodalDBM": "ebm.sklearn_compat",
    "DBN": "ebm.sklearn_compat",
    "FineTuning": "ebm.sklearn_compat",
    "Bernoulli": "ebm.units",
    "Binomial": "ebm.units",
    "Categorical": "ebm.units",
    "Poisson": "ebm.units",
    "Spin": "ebm.units",
    "lattice": "ebm.energies.lattices",
    "Gaussian": "ebm.units",
    "ContrastiveDivergence": "ebm.gradients",
    "PersistentContrastiveDivergence": "ebm.gradients",
    "Exact": "ebm.gradients",
    "TAP": "ebm.gradients",
    "PseudoLikelihood": "ebm.gradients",
    "RatioMatching": "ebm.gradients",
    "FastPersistentContrastiveDivergence": "ebm.gradients",
    "ParallelTempering": "ebm.gradients",
    "UpDown": "ebm.gradients",
    "MaximumLikelihood": "ebm.gradients",
    "MaximumPseudoLikelihood": "ebm.gradients",
    "MeanFieldInversion": "ebm.gradients",
    "AIS": "ebm.likelihood",
    "RAISE": "ebm.likelihood",
    "Gibbs": "ebm.samplers",
    "Tempering": "ebm.samplers",
    "Hebb": "ebm.storage",
    "Storkey": "ebm.storage",
    "PseudoInverse": "ebm.storage",
    "Perceptron": "ebm.storage",
    "Covariance": "ebm.storage",
    "EarlyStopping": "ebm.monitors",
    "Checkpoint": "ebm.monitors",
    "SGD": "ebm.optimizers",
    "Momentum": "ebm.optimizers",
    "Nesterov": "ebm.optimizers",
    "AdaGrad": "ebm.optimizers",
    "RMSProp": "ebm.optimizers",
    "AdaDelta": "ebm.optimizers",
    "Adam": "ebm.optimizers",
    "Nadam": "ebm.optimizers",
    "NormalizedMomentum": "ebm.optimizers",
    "Growth": "ebm.networks.growth",
    "LeakyReLU": "ebm.networks.activations",
    "PReLU": "ebm.networks.activations",
    "ELU": "ebm.networks.activations",
    "Maxout": "ebm.networks.maxout",
    "Huber": "ebm.networks.losses",
    "ColumnLosses": "ebm.networks.column_losses",
    "SparseActivity": "ebm.networks.sparse_activity",
    "HammingIndex": "ebm.networks.hamming",
    "MaskingNoise": "ebm.networks.corruption",
    "GaussianNoise": "ebm.networks.corruption",
    "SaltAndPepper": "ebm.networks.corruption",
    "Constant": "ebm.optimizers",
    "Linear": "ebm.optimizers",
    "Exponential": "ebm.optimizers",
    "Inverse": "ebm.optimizers",
    "InverseScaling": "ebm.optimizers",
    "Regularization": "ebm.optimizers",
    "CouplingsDisplay": "ebm.displays",
    "FiltersDisplay": "ebm.displays",
    "PatternsDisplay": "ebm.displays",
    "SamplesDisplay": "ebm.displays",
    "TrainingCurveDisplay": "ebm.displays",
}

_DEPRECATED = {
    "OneHot": (
        "ebm.units",
        "OneHot is deprecated: it will be removed in the next release. Use Categorical(sizes) for the groups, and "
        "visible=[('bernoulli', n), (Categorical(sizes), sum(sizes))] for n binary columns in front of them.",
    )
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _DEPRECATED:
        home, advice = _DEPRECATED[name]
        warnings.warn(advice, FutureWarning, stacklevel=2)
        return getattr(importlib.import_module(home), name)
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ebm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
