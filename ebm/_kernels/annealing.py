"""Inputs of the units of an annealed model: those of the model, scaled."""

from ebm._jit import jit


@jit
def scale(x, factors, out):
    """out[r, c] = factors[c] x[r, c]."""
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            out[r, c] = factors[c] * x[r, c]
