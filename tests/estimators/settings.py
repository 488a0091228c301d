"""Every public estimator with settings that make it quick."""

from __future__ import annotations

import inspect

import numpy as np
from sklearn.base import BaseEstimator

import ebm

X = np.unique(np.random.default_rng(0).integers(2, size=(12, 8)), axis=0).astype(float)


Y = X[:, -1].astype(int)


# What keeps an estimator small, whatever it is.
SMALL = {
    "n_components": 3,
    "n_iter": 2,
    "max_iter": 2,
    "layers": (3, 3),
    "modalities": [("left", [3], slice(0, 2)), ("right", [3, 2], slice(2, None))],
    "top": 2,
    "batch_size": 5,
    "hidden_layer_sizes": (3,),
    "random_state": 0,
    "estimator": ebm.TableRBM(n_components=3, n_iter=2, random_state=0),
}


# What keeps searches and recall short as well.
SHORT = SMALL | {
    "degree": 3,
    "n_iter_no_change": 2,
    "max_sweeps": 20,
    "max_steps": 20,
    "max_fun": 20,
    "features": 1,
    "epsilon": 0.5,
    "temperature": 0.5,
    "max_levels": 20,
    "contamination": 0.25,
}


PUBLIC = [getattr(ebm, name) for name in ebm.__all__]


CLASSES = [x for x in PUBLIC if inspect.isclass(x)]


ESTIMATORS = [x for x in CLASSES if issubclass(x, BaseEstimator) and hasattr(x, "fit")]


def small(kind, **settings):
    """An unfitted estimator that is quick."""
    names = inspect.signature(kind).parameters
    return kind(**{name: x for name, x in SHORT.items() if name in names}).set_params(**settings)
