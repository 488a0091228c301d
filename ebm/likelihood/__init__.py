"""HOW GOOD IT IS: partition functions and likelihoods, exact where that can be, and pseudo-likelihoods."""

from ebm.likelihood.exact import LogPartition, log_partition
from ebm.likelihood.pseudo_likelihood import pseudo_log_likelihood
from ebm.likelihood.reconstruction import reconstruction_error

__all__ = ["LogPartition", "log_partition", "pseudo_log_likelihood", "reconstruction_error"]
