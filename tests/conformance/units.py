"""The units that conform, with parameters, fields and machines to look at them with: all from the registry."""

from __future__ import annotations

import numpy as np

from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.units import UNITS, Categorical, OneHot
from tests.oracles.enumeration import TABLES, Layer, Machine

SIZE = 3
ALL = [kind() for kind in UNITS.values()] + [Categorical((SIZE,)), OneHot((2,))]


def layer_params(unit, n=SIZE, seed=0, dtype=np.float64):
    """Parameters of a layer, the learned ones drawn at random."""
    rng = np.random.default_rng(seed)
    free = [name for name in unit.fields if unit.is_free(name)]
    drawn = {name: rng.normal(0, 0.4, n).astype(dtype) for name in free}
    return unit.neutral(n, dtype)._replace(**drawn)


def fields(n_rows=5, n=SIZE, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).normal(0, 0.6, (n_rows, n)).astype(dtype)


def layer(unit, params):
    """The oracle's layer of the same parameters."""
    arrays = {name: np.asarray(x, np.float64) for name, x in params._asdict().items()}
    return Layer(TABLES[type(unit).__name__](unit), arrays)


def states(unit, params, n_rows=6, seed=2):
    """States of a layer, drawn from the oracle's law without a field."""
    rng, table = np.random.default_rng(seed), layer(unit, params)
    n = len(params.bias)
    x = np.zeros((n_rows, n))
    for block in table.blocks():
        law = table.law(block, np.zeros(n))
        x[:, block.columns] = block.states[rng.choice(len(law), n_rows, p=law)]
    return x


def pair(visible, hidden, seed=3, spread=0.2):
    """A model of both, and its parameters: of two hidden units, or as many as their groups take."""
    shape = SIZE, SIZE if isinstance(hidden, Categorical) else 2
    W = np.random.default_rng(seed).normal(0, spread, shape)
    params = BipartiteParameters(
        W, layer_params(visible, shape[0], seed + 1), layer_params(hidden, shape[1], seed + 2)
    )
    return Bipartite(visible, hidden), params


def machine(model, params):
    """The oracle of a model."""
    return Machine(
        layer(model.visible, params.visible), layer(model.hidden, params.hidden), params.W
    )


def arrays(params):
    """All arrays of parameters or of a gradient, those that are learned and those that are not."""
    return [params.W, *params.visible, *params.hidden]


def nudged(params, number, index, step):
    """Parameters of which one entry of array `number` is moved by `step`."""
    copies = [np.array(x) for x in arrays(params)]
    copies[number][index] += step
    split = 1 + len(params.visible)
    return BipartiteParameters(
        copies[0], type(params.visible)(*copies[1:split]), type(params.hidden)(*copies[split:])
    )


def learned(model, params):
    """For each array of :func:`arrays`, whether it is learned."""
    layers = (model.visible, params.visible), (model.hidden, params.hidden)
    return [
        True,
        *(unit.is_free(name) for unit, layer_params in layers for name in layer_params._fields),
    ]


def slopes(function, model, params, step=1e-5):
    """Central differences of a function of the parameters, by every learned entry."""
    out = []
    for number, (x, free) in enumerate(zip(arrays(params), learned(model, params), strict=True)):
        d = np.zeros(x.shape)
        for index in np.ndindex(x.shape) if free else ():
            up, down = (function(nudged(params, number, index, side * step)) for side in (1, -1))
            d[index] = (up - down) / (2 * step)
        out.append(d)
    return out
