"""Neural networks: deterministic layers, losses, back-propagation."""
