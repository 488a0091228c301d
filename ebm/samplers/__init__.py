"""HOW WE WALK: Markov kernels that leave p(x) = exp(-beta E(x)) / Z unchanged, one a file."""

from ebm.samplers.block_gibbs import Chains, block_gibbs, conditional_mean

__all__ = ["Chains", "block_gibbs", "conditional_mean"]
