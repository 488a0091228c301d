"""WHAT IS COMPUTED LAYER BY LAYER: deterministic layers, losses, back-propagation."""
