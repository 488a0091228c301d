"""Deep belief networks: stacks of restricted Boltzmann machines."""
