"""Small deep belief networks in both spellings, the library's and the oracles'."""

from __future__ import annotations

import numpy as np

from ebm.energies.belief_network import BeliefNetwork, BeliefParameters, Directed
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.columns import ColumnModel
from ebm.energies.layers import LayeredParameters
from ebm.units import Bernoulli, Gaussian, Spin
from tests.oracles.belief import Arrow, Layer, OracleBelief

UNITS = {"binary": Bernoulli(), "spin": Spin(), "gaussian": Gaussian()}
KINDS = {Bernoulli: "binary", Spin: "spin", Gaussian: "gaussian"}

# Layer types and sizes of stacks of which every state can be visited, the data summed out or not.
STACKS = {
    "binary": (("binary",) * 4, (3, 2, 2, 2)),
    "spin": (("spin", "binary", "spin"), (3, 3, 2)),
    "gaussian": (("gaussian", "spin", "binary", "binary"), (2, 2, 3, 2)),
    "single": (("binary", "binary"), (3, 2)),
}


def random_stack(
    kinds=STACKS["binary"][0], sizes=STACKS["binary"][1], n_labels=0, seed=0, scale=1.0
):
    """Weights ~ scale N(0, 1), biases ~ N(0, 1) / 2, log-variances ~ N(0, 1) / 4; nothing is tied."""
    rng = np.random.default_rng(seed)

    def layer(k, n):
        z = rng.normal(size=n) / 4 if kinds[k] == "gaussian" else None
        return Layer(kinds[k], rng.normal(size=n) / 2, z)

    def arrow(k, predicted):
        return Arrow(scale * rng.normal(size=sizes[k : k + 2]), layer(predicted, sizes[predicted]))

    pairs = range(len(sizes) - 2)
    below, top = sizes[-2] + n_labels, len(sizes) - 1
    return OracleBelief(
        scale * rng.normal(size=(below, sizes[-1])),
        layer(top - 1, below),
        layer(top, sizes[-1]),
        tuple(arrow(k, k) for k in pairs),
        tuple(arrow(k, k + 1) for k in pairs),
        n_labels,
    )


def spelled(oracle, dtype=np.float64):
    """Model and parameters in the library's spelling, the latter views of one vector."""

    def own(layer):
        unit = UNITS[layer.kind]
        return unit.parameters(layer.bias, *([] if layer.z is None else [layer.z]))

    def directed(arrows):
        return tuple(Directed(arrow.W, own(arrow.layer)) for arrow in arrows)

    data = oracle.down[0].layer if oracle.down else oracle.visible
    layers = [data, *(arrow.layer for arrow in oracle.up)]
    unit, hidden, W = UNITS[oracle.visible.kind], UNITS[oracle.hidden.kind], oracle.W
    visible, n = own(oracle.visible), len(W) - oracle.n_labels
    if oracle.n_labels:
        groups = [(unit, n), (unit, oracle.n_labels)]
        top_model = ColumnModel(groups, hidden, W.shape[1])
        parts = [type(visible)(*(x[some] for x in visible)) for some in (slice(n), slice(n, None))]
        top = LayeredParameters((W[:n], W[n:]), (*parts, own(oracle.hidden)))
    else:
        top_model = Bipartite(unit, hidden)
        top = BipartiteParameters(W, visible, own(oracle.hidden))
    model = BeliefNetwork(tuple(UNITS[layer.kind] for layer in layers), top_model)
    params = BeliefParameters(directed(oracle.down), top, directed(oracle.up))
    return model, model.unpack(model.pack(params).astype(dtype), *model.shape(params))


def oracle_of(model, params):
    """The oracle's spelling of parameters, or of a gradient: copies in double precision."""

    def layer(unit, own):
        values = [np.array(x, np.float64) for x in own]
        return Layer(KINDS[type(unit)], *values)

    def arrows(directed, units):
        return tuple(
            Arrow(np.array(x.W, np.float64), layer(unit, x.params))
            for x, unit in zip(directed, units, strict=False)
        )

    down, top, up = params
    arrays = model.top_model.arrays(top)
    seen, *_, hidden = model.top_model.unit_layers(top).values()
    visible = [arrays[f"{name}_visible"] for name in ("intercept", "log_variance")[: len(seen[1])]]
    return OracleBelief(
        np.array(arrays["weights"], np.float64),
        layer(seen[0], visible),
        layer(*hidden),
        arrows(down, model.units),
        arrows(up, model.units[1:]),
        model.n_labels,
    )


def data_for(oracle, n_rows, seed=0, *, with_labels=True):
    """Rows (x_0, labels) that the units can be."""
    rng = np.random.default_rng(seed)
    data = oracle.down[0].layer if oracle.down else oracle.visible
    n = len(data.bias) if oracle.down else len(data.bias) - oracle.n_labels

    def states(kind, width):
        if kind == "gaussian":
            return rng.normal(size=(n_rows, width))
        bits = rng.integers(0, 2, size=(n_rows, width)).astype(float)
        return 2 * bits - 1 if kind == "spin" else bits

    rows = states(data.kind, n)
    return np.hstack([rows, states(oracle.visible.kind, oracle.n_labels)]) if with_labels else rows


def finite_differences(function, model, params, step=1e-5):
    """The slope of a function of the oracle's spelling by every entry of the packed vector."""
    theta = model.pack(params)
    slope = np.empty(len(theta))
    for i in range(len(theta)):
        sides = []
        for sign in (1, -1):
            nudged = theta.copy()
            nudged[i] += sign * step
            sides.append(function(oracle_of(model, model.unpack(nudged, *model.shape(params)))))
        slope[i] = (sides[0] - sides[1]) / (2 * step)
    return model.unpack(slope, *model.shape(params))
