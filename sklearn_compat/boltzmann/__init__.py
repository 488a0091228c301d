"""Boltzmann machines: units of which any two may be connected."""
