"""HOW GOOD IT IS: partition functions and likelihoods, exact where that can be, pseudo-likelihoods, diagnostics."""

from ebm.likelihood.diagnostics import (
    Diagnostics,
    autocorrelation_time,
    diagnose,
    effective_sample_size,
    rhat,
)
from ebm.likelihood.exact import LogPartition, log_partition
from ebm.likelihood.pseudo_likelihood import pseudo_log_likelihood
from ebm.likelihood.reconstruction import reconstruction_error

__all__ = [
    "Diagnostics",
    "LogPartition",
    "autocorrelation_time",
    "diagnose",
    "effective_sample_size",
    "log_partition",
    "pseudo_log_likelihood",
    "reconstruction_error",
    "rhat",
]
