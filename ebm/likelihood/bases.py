"""From which product distribution to anneal: the marginals of the training data, or those of short chains of the model.

A trained model is near its data. A model whose parameters were set by hand, or not trained at all, need not be near the
data. Annealing from the data's marginals then ends far below log Z. A short trial of both bases decides: the expected
weight is the same, so that the weights vary less for the base with the higher estimate.
"""

from typing import Any

import numpy as np

from ebm._random import Key, Reserved, fold
from ebm.energies.base import Model
from ebm.energies.path import Path, path_to
from ebm.likelihood.ais import log_mean, temperatures
from ebm.samplers.annealing import anneal

TRIAL_TEMPERATURES, TRIAL_RUNS = 50, 50
# In nats and standard errors, by which the trial from short chains has to be higher.
MARGIN, SIGMAS = 1.0, 3.0
DATA, CHAINS = "the marginals of the training data", "the marginals of short chains"


def better_path(model: Model, params: Any, marginals: Any, key: Key) -> tuple[Path, str]:
    """The path to the model from the distribution with the `marginals` of data or from that of short chains, and which
    it is.
    """
    chains = path_to(model, params)
    if marginals is None:
        return chains, CHAINS
    data = path_to(model, params, marginals)
    (low, low_error), (high, high_error) = (
        _trial(path, fold(key, Reserved.BASE_TRIALS.number)) for path in (data, chains)
    )
    if high - low > MARGIN + SIGMAS * np.hypot(low_error, high_error):
        return chains, CHAINS
    return data, DATA


def _trial(path: Path, key: Key) -> tuple[float, float]:
    """Log Z by a short annealing, and its standard error."""
    particles = anneal(path, temperatures("sigmoid", TRIAL_TEMPERATURES), TRIAL_RUNS, key)
    value, error, _ = log_mean(particles.log_weights)
    return path.log_z + float(value), float(error)
