"""Small models in both spellings, the library's and the oracles', and the way from one to the other."""

from __future__ import annotations

import numpy as np

from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.path import BipartitePath
from ebm.units import Bernoulli, Gaussian
from tests.oracles import annealing
from tests.oracles.rbm import OracleRBM

PAIRS = [
    ("bernoulli", "bernoulli"),
    ("gaussian", "bernoulli"),
    ("bernoulli", "gaussian"),
    ("gaussian", "gaussian"),
]

# Of paths that can be tabulated.
SHAPES = {
    ("bernoulli", "bernoulli"): (4, 3),
    ("gaussian", "bernoulli"): (1, 3),
    ("bernoulli", "gaussian"): (3, 1),
    ("gaussian", "gaussian"): (1, 1),
}


def oracle_model(visible="bernoulli", hidden="bernoulli", shape=(4, 3), *, seed=3, scale=1.0):
    """W ~ scale N(0, 1), biases ~ N(0, 1) / 2, log-variances ~ N(0, 1) / 4.

    The seed is one whose 4-3 machine mixes slowly: one Gibbs step more or less changes the law
    of h by 0.3 in total variation and CD by 0.17, which tests of moderate size can see.
    With two Gaussian layers the weights are a fifth of that, which keeps the precision positive.
    """
    rng = np.random.default_rng(seed)
    n, m = shape
    W, b, c = scale * rng.normal(size=shape), rng.normal(size=n) / 2, rng.normal(size=m) / 2
    z, zh = rng.normal(size=n) / 4, rng.normal(size=m) / 4
    gaussian_visible, gaussian_hidden = visible == "gaussian", hidden == "gaussian"
    if gaussian_visible and gaussian_hidden:
        W = W / 5
    return OracleRBM(W, b, c, z if gaussian_visible else None, zh if gaussian_hidden else None)


def library_model(oracle):
    """The unit types of an oracle's model; variances are learned."""
    visible, hidden = (Bernoulli() if z is None else Gaussian() for z in (oracle.z, oracle.zh))
    return Bipartite(visible, hidden)


def library_params(oracle, dtype=np.float64):
    """The parameters of an oracle's model, as views of one new vector."""
    model = library_model(oracle)
    own = [(oracle.b, oracle.z), (oracle.c, oracle.zh)]
    parts = [x for layer in own for x in layer if x is not None]
    vector = np.concatenate([oracle.W.ravel(), *parts]).astype(dtype)
    return model.unpack(vector, *oracle.W.shape)


def oracle_params(params: BipartiteParameters):
    """The oracle's spelling of parameters, or of a gradient: copies in double precision."""
    W, visible, hidden = params
    z, zh = (getattr(own, "log_variance", None) for own in (visible, hidden))
    parts = (W, visible.bias, hidden.bias, z, zh)
    return OracleRBM(*(None if x is None else np.array(x, np.float64) for x in parts))


def flat(oracle):
    """All numbers of an oracle's model or gradient in one vector, in the library's order."""
    parts = (oracle.W.ravel(), oracle.b, oracle.z, oracle.c, oracle.zh)
    return np.concatenate([x for x in parts if x is not None])


def rows_for(oracle, n_rows, *, seed=0):
    """Rows that the visible units can be: bits, or reals."""
    rng = np.random.default_rng(seed)
    shape = (n_rows, len(oracle.b))
    if oracle.z is None:
        return rng.integers(0, 2, size=shape).astype(np.float64)
    return rng.normal(size=shape)


def hidden_rows_for(oracle, n_rows, *, seed=0):
    """Rows that the hidden units can be."""
    swapped = OracleRBM(oracle.W.T, oracle.c, oracle.b, oracle.zh, oracle.z)
    return rows_for(swapped, n_rows, seed=seed + 1000)


def zero_params(model, n_visible, n_hidden):
    """Independent units about which nothing is known."""
    layers = model.visible.neutral(n_visible, float), model.hidden.neutral(n_hidden, float)
    return BipartiteParameters(np.zeros((n_visible, n_hidden)), *layers)


# Paths ---------------------------------------------------------------------------------------


def path_of(pair=PAIRS[0], shape=None, seed=3, scale=1.0):
    """To a random model, from a base with parameters of its own, in the oracle's spelling."""
    model = oracle_model(*pair, SHAPES[pair] if shape is None else shape, seed=seed, scale=scale)
    other = oracle_model(*pair, model.W.shape, seed=seed + 100)
    return annealing.Path(annealing.product_law(other.b, other.c, other.z, other.zh), model)


def library_path(path, dtype=np.float64):
    """The library's spelling of an oracle's path."""
    params, base = library_params(path.model, dtype), library_params(path.base, dtype)
    return BipartitePath(library_model(path.model), params, (base.visible, base.hidden))


def uneven(n_steps):
    """0 = t_0 < ... < t_K = 1, not equally spaced."""
    return np.linspace(0, 1, n_steps + 1) ** 1.5
