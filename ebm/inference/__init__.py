"""Fixed points: mean field, recall and retrieval, one kind a file."""

from ebm.inference.mean_field import FixedPoint, mean_field, mean_field_free_energy
from ebm.inference.minima import Minima, find_minima
from ebm.inference.recall import Recall, recall
from ebm.inference.retrieval import Retrieval, settle_spins, settle_vectors
from ebm.inference.tap import tap, tap_correlations, tap_free_energy

__all__ = [
    "FixedPoint",
    "Minima",
    "Recall",
    "Retrieval",
    "find_minima",
    "mean_field",
    "mean_field_free_energy",
    "recall",
    "settle_spins",
    "settle_vectors",
    "tap",
    "tap_correlations",
    "tap_free_energy",
]
