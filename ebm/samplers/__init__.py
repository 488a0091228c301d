"""Samplers: Markov kernels that leave p(x) = exp(-beta E(x)) / Z unchanged, one a file."""

from ebm._checks import renamed, resolve
from ebm.samplers.ancestral import sample_rows
from ebm.samplers.annealing import Particles, anneal, anneal_back
from ebm.samplers.base import Draws, Sampler, Target, conditional_mean, run_chain
from ebm.samplers.block_gibbs import Chains, block_gibbs
from ebm.samplers.by_content import sample_by_content
from ebm.samplers.chains import Gibbs
from ebm.samplers.gibbs import gibbs
from ebm.samplers.layered_gibbs import layered_gibbs
from ebm.samplers.tempering import Replicas, Tempering, temper

SAMPLERS: dict[str, type[Sampler]] = {"gibbs": Gibbs, "tempering": Tempering}

__all__ = [
    "SAMPLERS",
    "Chains",
    "Draws",
    "Gibbs",
    "Particles",
    "Replicas",
    "Sampler",
    "Target",
    "Tempering",
    "anneal",
    "anneal_back",
    "block_gibbs",
    "conditional_mean",
    "gibbs",
    "layered_gibbs",
    "run_chain",
    "sample_by_content",
    "sample_rows",
    "sampler_record",
    "temper",
]


def sampler_record(value: object) -> Sampler:
    """The sampler that a name or a record stands for."""
    return resolve(value, SAMPLERS, Sampler, "sampler")  # type: ignore[type-abstract]


__getattr__ = renamed(__name__, __name__, {"walk": "run_chain"})
