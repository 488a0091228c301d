"""Gradients: estimators of the log-likelihood gradient, one a file, all with one signature.

A record (:class:`~ebm.gradients.base.Gradient`) holds the choice; bound to a model it is a function

    (params, batch, chains, key) -> (gradient, chains, info).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ebm._checks import resolve
from ebm.gradients import deep as deep  # registers layered models with bind_contrastive
from ebm.gradients import layered as layered  # registers layered models with the others
from ebm.gradients import sweeps as sweeps  # registers pairwise models with bind_contrastive
from ebm.gradients.base import Batch, ChainState, Gradient, Info
from ebm.gradients.contrastive import ContrastiveDivergence
from ebm.gradients.exact import Exact
from ebm.gradients.fast_persistent import FastPersistentContrastiveDivergence
from ebm.gradients.inverse_ising import Direct, Solution
from ebm.gradients.maximum_pseudo_likelihood import MaximumPseudoLikelihood
from ebm.gradients.mean_field import TAP
from ebm.gradients.mean_field_inversion import MeanFieldInversion
from ebm.gradients.moment_matching import MaximumLikelihood, match_moments
from ebm.gradients.persistent import PersistentContrastiveDivergence
from ebm.gradients.pseudo_likelihood import PseudoLikelihood, RatioMatching
from ebm.gradients.tempered import ParallelTempering
from ebm.gradients.wake_sleep import UpDown

GRADIENTS: dict[str, type[Gradient[Any]]] = {
    "cd": ContrastiveDivergence,
    "pcd": PersistentContrastiveDivergence,
    "fpcd": FastPersistentContrastiveDivergence,
    "tempering": ParallelTempering,
    "exact": Exact,
    "tap": TAP,
    "pseudo_likelihood": PseudoLikelihood,
    "ratio_matching": RatioMatching,
}

# Ways for pairwise models: estimators that know them, and solvers for machines without hidden units.
PAIRWISE_GRADIENTS: dict[str, Callable[[], Gradient[Any] | Direct]] = {
    "cd": ContrastiveDivergence,
    "pcd": PersistentContrastiveDivergence,
    "exact": Exact,
    "maximum_likelihood": MaximumLikelihood,
    "pseudo_likelihood": MaximumPseudoLikelihood,
    "mean_field": partial(MeanFieldInversion, order=1),
    "tap": MeanFieldInversion,
}

__all__ = [
    "GRADIENTS",
    "PAIRWISE_GRADIENTS",
    "TAP",
    "Batch",
    "ChainState",
    "ContrastiveDivergence",
    "Direct",
    "Exact",
    "FastPersistentContrastiveDivergence",
    "Gradient",
    "Info",
    "MaximumLikelihood",
    "MaximumPseudoLikelihood",
    "MeanFieldInversion",
    "ParallelTempering",
    "PersistentContrastiveDivergence",
    "PseudoLikelihood",
    "RatioMatching",
    "Solution",
    "UpDown",
    "gradient_record",
    "match_moments",
    "pairwise_gradient_record",
]


def gradient_record(value: object) -> Gradient[Any]:
    """The gradient estimator that a name or a record stands for."""
    return resolve(value, GRADIENTS, Gradient, "gradient")  # type: ignore[type-abstract]


def pairwise_gradient_record(value: object) -> Gradient[Any] | Direct:
    """The way to learn the couplings of a pairwise model that a name or a record stands for."""
    if isinstance(value, str) and value in PAIRWISE_GRADIENTS:
        return PAIRWISE_GRADIENTS[value]()
    known = (Exact, ContrastiveDivergence, PersistentContrastiveDivergence, Direct)
    if isinstance(value, known):
        return value
    raise ValueError(
        f"The 'gradient' parameter of a Boltzmann machine must be one of {sorted(PAIRWISE_GRADIENTS)} or a record of "
        f"one of these. Got {value!r} instead."
    )
