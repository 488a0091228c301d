"""HOW WE LEARN: estimators of the log-likelihood gradient, one a file, all with one signature.

A record (:class:`~ebm.gradients.base.Gradient`) holds the choice; bound to a model it is a function

    (params, batch, chains, key) -> (gradient, chains, info).
"""

from ebm._checks import resolve
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

GRADIENTS: dict[str, type[Gradient]] = {
    "cd": ContrastiveDivergence,
    "pcd": PersistentContrastiveDivergence,
    "fpcd": FastPersistentContrastiveDivergence,
    "tempering": ParallelTempering,
    "exact": Exact,
    "tap": TAP,
    "pseudo_likelihood": PseudoLikelihood,
    "ratio_matching": RatioMatching,
}

__all__ = [
    "GRADIENTS",
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
    "gradient_record",
    "match_moments",
]


def gradient_record(value: object) -> Gradient:
    """The gradient estimator that a name or a record stands for."""
    return resolve(value, GRADIENTS, Gradient, "gradient")  # type: ignore[type-abstract]
