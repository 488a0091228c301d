"""Energies: the parameters, inputs, free energies and sufficient statistics of the models. No sampling, no learning."""

# These register their energies with the functions of ebm.energies.path and ebm.energies.incomplete: whoever imports a
# part has all of them.
from ebm.energies import incomplete_belief as incomplete_belief
from ebm.energies import layered_gaps as layered_gaps
from ebm.energies import layered_path as layered_path
from ebm.energies import pairwise_path as pairwise_path
from ebm.energies import path as path
