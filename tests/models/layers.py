"""Layered models in both spellings, the library's and the oracle's: trees and cycles of layers of every unit type."""

from __future__ import annotations

import numpy as np

from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.edges import Dense, Edge, Masked
from ebm.energies.layer_graph import EVEN, ODD, Layer
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.units import Bernoulli, Binomial, Gaussian, OneHot, Poisson, Spin
from tests.oracles.layers import OracleLayer, OracleLayers

# Layers (kind, size, visible), and edges (lower, upper, masked, factor).
GRAPHS = {
    "two": ([("bernoulli", 4, True), ("bernoulli", 3, False)], [(0, 1)]),
    "chain": (
        [("bernoulli", 3, True), ("bernoulli", 3, False), ("bernoulli", 2, False)],
        [(0, 1), (1, 2)],
    ),
    "spins": (
        [("spin", 2, True), ("bernoulli", 2, False), ("spin", 2, False), ("one_hot", 3, False)],
        [(0, 1, True), (1, 2, False, 2.0), (2, 3)],
    ),
    "mixed": (
        [
            ("bernoulli", 2, True),
            ("one_hot", 3, True),
            ("gaussian", 2, True),
            ("bernoulli", 3, False),
        ],
        [(0, 3), (1, 3), (2, 3, True)],
    ),
    "labels": (  # visible layers of either color
        [("bernoulli", 3, True), ("one_hot", 3, True), ("bernoulli", 2, False)],
        [(0, 1), (0, 2)],
    ),
    "modalities": (
        [
            ("bernoulli", 2, True),
            ("bernoulli", 2, False),
            ("bernoulli", 2, False),
            ("spin", 2, False),
            ("gaussian", 1, True),
        ],
        [(0, 1), (1, 2), (2, 3), (4, 3)],
    ),
    "unequal depths": (  # a visible layer of the other color than the first, beside hidden layers of both
        [
            ("bernoulli", 2, True),
            ("bernoulli", 2, True),
            ("bernoulli", 2, False),
            ("bernoulli", 2, False),
            ("spin", 2, False),
            ("bernoulli", 2, False),
        ],
        [(0, 2), (2, 3), (3, 5), (1, 4), (4, 5)],
    ),
    "counts": (
        [("bernoulli", 2, True), ("poisson", 1, False), ("binomial", 2, False)],
        [(0, 1), (0, 2)],
    ),
    "cycle": (
        [
            ("bernoulli", 2, True),
            ("bernoulli", 2, False),
            ("spin", 2, False),
            ("gaussian", 1, False),
        ],
        [(0, 1, True), (1, 2), (2, 3), (3, 0)],
    ),
}
# Normal units connected to each other: sums over neither color end.
NORMAL = {
    "pair": ([("gaussian", 3, True), ("gaussian", 2, False)], [(0, 1)]),
    "chain": (
        [("gaussian", 2, True), ("gaussian", 2, False), ("gaussian", 2, False)],
        [(0, 1, True), (1, 2, False, 1.5)],
    ),
    "over bits": (
        [("bernoulli", 2, True), ("gaussian", 2, False), ("gaussian", 2, False)],
        [(0, 1), (1, 2)],
    ),
}
# Of two layers.
PAIRS = [
    (Bernoulli(), Bernoulli()),
    (Gaussian(), Bernoulli()),
    (Spin(), Gaussian()),
    (OneHot((2,)), Spin()),
]
DISCRETE = ["two", "chain", "spins", "labels"]


def unit_of(layer):
    """The library's unit of the oracle's layer."""
    if layer.kind == "one_hot":
        return OneHot((len(layer.bias),))
    units = {"bernoulli": Bernoulli(), "spin": Spin(), "gaussian": Gaussian(), "poisson": Poisson()}
    return Binomial(layer.trials) if layer.kind == "binomial" else units[layer.kind]


def oracle_layers(name, seed=3, scale=0.8):
    """W ~ scale N(0, 1), biases ~ N(0, 1) / 2, log-variances ~ N(0, 1) / 4."""
    layers, edges = (GRAPHS | {f"normal {k}": x for k, x in NORMAL.items()})[name]
    rng = np.random.default_rng(seed)
    made = [
        OracleLayer(
            kind,
            rng.normal(size=n) / 2,
            rng.normal(size=n) / 4 if kind == "gaussian" else None,
            v,
            trials=2 if kind == "binomial" else 1,
        )
        for kind, n, v in layers
    ]
    joined = []
    for low, high, *rest in edges:
        masked, factor = (*rest, *(False, 1.0)[len(rest) :])
        W = scale * rng.normal(size=(layers[low][1], layers[high][1]))
        if masked:
            W[0, 0] = W[-1, -1] = 0
        joined.append((low, high, W, factor))
    return OracleLayers(made, joined)


def library_layers(oracle):
    """The same in the library's spelling; weights of zero are masked."""
    layers = [
        Layer(f"x{k}", unit_of(x), len(x.bias), x.visible) for k, x in enumerate(oracle.layers)
    ]
    edges = [
        Edge(f"x{low}", f"x{high}", Dense() if (W != 0).all() else Masked(W != 0), (a, a))
        for low, high, W, a in oracle.edges
    ]
    return LayeredModel(layers, edges)


def library_parameters(oracle, model, dtype=np.float64):
    """The parameters of the oracle's model; entries of weights that are absent hold what must not matter."""
    own = []
    for layer, x in zip(model.layers, oracle.layers, strict=True):
        start = layer.unit.neutral(layer.size, dtype)._replace(bias=x.bias.astype(dtype))
        own.append(start if x.z is None else start._replace(log_variance=x.z.astype(dtype)))
    weights = [np.where(W != 0, W, 7).astype(dtype) for _, _, W, _ in oracle.edges]
    return LayeredParameters(tuple(weights), tuple(own))


def both(name, seed=3, scale=0.8):
    """An oracle's model, the library's, and the parameters of that."""
    oracle = oracle_layers(name, seed, scale)
    model = library_layers(oracle)
    return oracle, model, library_parameters(oracle, model)


def rows_of(oracle, n_rows=5, seed=0):
    """Rows of data: random states of the visible layers."""
    rng = np.random.default_rng(seed)
    parts = []
    for layer in oracle.layers:
        n = len(layer.bias)
        states = {
            "bernoulli": lambda n=n: rng.integers(0, 2, (n_rows, n)).astype(float),
            "spin": lambda n=n: 2.0 * rng.integers(0, 2, (n_rows, n)) - 1,
            "one_hot": lambda n=n: np.eye(n)[rng.integers(0, n, n_rows)],
            "gaussian": lambda n=n: rng.normal(size=(n_rows, n)),
        }
        if layer.visible:
            parts.append(states[layer.kind]())
    return np.hstack(parts)


def two_layers(visible, hidden, seed=0):
    """A bipartite model and the same as a layered one, with parameters."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(4, 3))
    own = [u.neutral(n, np.float64) for u, n in ((visible, 4), (hidden, 3))]
    own = [x._replace(bias=rng.normal(size=len(x.bias))) for x in own]
    layers = [Layer("v", visible, 4, visible=True), Layer("h", hidden, 3)]
    layered = LayeredModel(layers, [Edge("v", "h")])
    fused = Bipartite(visible, hidden)
    return fused, BipartiteParameters(W, *own), layered, LayeredParameters((W,), tuple(own))


def colors_of(model, joint):
    """Columns of each color in joint states (rows, units), the layers side by side as they are given."""
    ends = np.cumsum([0, *(layer.size for layer in model.layers)])
    return [
        np.hstack([joint[:, ends[k] : ends[k + 1]] for k in model.members[color]])
        for color in (EVEN, ODD)
    ]
