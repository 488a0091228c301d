"""HOW GOOD IT IS: partition functions and likelihoods, exact where that can be, with an error bar elsewhere."""

from ebm.likelihood.ais import AIS, RAISE
from ebm.likelihood.base import LogPartition
from ebm.likelihood.free_energy_gap import free_energy_gap
from ebm.likelihood.partition import Evaluation, log_likelihood, log_partition
from ebm.likelihood.pseudo_likelihood import pseudo_log_likelihood
from ebm.likelihood.reconstruction import reconstruction_error

__all__ = [
    "AIS",
    "RAISE",
    "Evaluation",
    "LogPartition",
    "free_energy_gap",
    "log_likelihood",
    "log_partition",
    "pseudo_log_likelihood",
    "reconstruction_error",
]
