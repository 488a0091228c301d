"""WHAT is modelled: parameters, energies, inputs, free energies and sufficient statistics. No sampling, no learning."""
