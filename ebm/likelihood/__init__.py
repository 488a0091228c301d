"""Measures of a model: partition functions and likelihoods, exact or with an error bar, and diagnostics of chains."""

from ebm.likelihood import layered as layered
from ebm.likelihood.ais import AIS, RAISE
from ebm.likelihood.base import LogPartition, check_finite, mean_ranked, overflowing, ranked
from ebm.likelihood.bounds import exact_log_likelihood, variational_bound
from ebm.likelihood.diagnostics import (
    Diagnostics,
    autocorrelation_time,
    diagnose,
    effective_sample_size,
    rhat,
)
from ebm.likelihood.free_energy import effective_beta, free_energy
from ebm.likelihood.free_energy_gap import free_energy_gap
from ebm.likelihood.pairwise import (
    exact_pairwise_log_likelihood,
    exact_pairwise_log_partition,
    pairwise_pseudo_log_likelihood,
)
from ebm.likelihood.partition import Evaluation, log_likelihood, log_partition
from ebm.likelihood.pseudo_likelihood import pseudo_log_likelihood
from ebm.likelihood.reconstruction import reconstruction_error

__all__ = [
    "AIS",
    "RAISE",
    "Diagnostics",
    "Evaluation",
    "LogPartition",
    "autocorrelation_time",
    "check_finite",
    "diagnose",
    "effective_beta",
    "effective_sample_size",
    "exact_log_likelihood",
    "exact_pairwise_log_likelihood",
    "exact_pairwise_log_partition",
    "free_energy",
    "free_energy_gap",
    "log_likelihood",
    "log_partition",
    "mean_ranked",
    "overflowing",
    "pairwise_pseudo_log_likelihood",
    "pseudo_log_likelihood",
    "ranked",
    "reconstruction_error",
    "rhat",
    "variational_bound",
]
