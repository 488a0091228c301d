"""Associative memories: Hopfield networks, classical, dense and modern."""
