"""Normal layers that are connected to each other as one layer of independent units: for log Z.

Let z be the states of some normal layers, with the precisions p, means b and weights W among them
(:mod:`ebm.energies.normal_sums`), and x the states of the others. With the principal axes P = R diag(d) R' of their
joint precision, the coordinates u = R'z of the states are independent given x:

    E(z, x) = sum_i d_i (u_i - m_i)^2 / 2 - u'R'(input of z from x) + [sum p b^2 - sum d m^2] / 2,    m = R'(p b) / d.

The axes are orthogonal, so that log Z is that of the layer u, of the variances 1 / d, but for the constant.
"""

from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._flat import in_double
from ebm.energies.edges import Edge
from ebm.energies.layer_graph import Layer
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.energies.normal_sums import check_normal, is_integral, precision
from ebm.units import Gaussian


class Decoupled(NamedTuple):
    """A model whose log Z is that of another plus `constant` times beta."""

    model: LayeredModel
    params: LayeredParameters
    constant: float


def decoupled(model: LayeredModel, params: LayeredParameters) -> Decoupled | None:
    """The model with its connected normal layers as one layer of independent units; None where there are none.

    Also None where all layers are normal, or the others would have no two colors. ValueError where Z is infinite.
    """
    normal = [k for k, layer in enumerate(model.layers) if layer.unit.is_normal]
    inner = [n for n, ends in enumerate(model.ends) if set(ends) <= set(normal)]
    some = sorted({k for n in inner for k in model.ends[n]})
    outer = [n for n, ends in enumerate(model.ends) if len(set(ends) & set(some)) == 1]
    others = {k for n in outer for k in model.ends[n]} - set(some)
    if not some or is_integral(model) or len({model.places[k].color for k in others}) > 1:
        return None
    model.check_energy()
    check_normal(model, params)
    params = in_double(params)
    values, R = np.linalg.eigh(precision(model, params, some))
    p = np.concatenate([np.exp(-params.layers[k].log_variance) for k in some])
    b = np.concatenate([params.layers[k].bias for k in some])
    m = R.T @ (p * b) / values
    constant = 0.5 * float((values * m**2).sum() - (p * b**2).sum())
    merged = Layer("normal", Gaussian(), len(values), visible=True)
    kept = [k for k in range(len(model.layers)) if k not in some]
    unit = Gaussian.parameters(m, -np.log(values))
    joined = _joined_weights(model, params, some, outer)
    edges = [Edge("normal", model.names[k]) for k in joined]
    weights = [(R.T @ (p[:, np.newaxis] * W)) / values[:, np.newaxis] for W in joined.values()]
    rest = [n for n in range(len(model.edges)) if n not in (*inner, *outer)]
    edges += [model.edges[n] for n in rest]
    weights += [params.weights[n] for n in rest]
    return Decoupled(
        LayeredModel([merged, *(model.layers[k] for k in kept)], edges),
        LayeredParameters(tuple(weights), (unit, *(params.layers[k] for k in kept))),
        constant,
    )


def _joined_weights(
    model: LayeredModel, params: LayeredParameters, some: list[int], outer: list[int]
) -> dict[int, Array]:
    """The weights (units of `some` layers, units) to each layer that the `outer` edges lead to, by its number."""
    ends = np.cumsum([0, *(model.layers[k].size for k in some)])
    places = {k: slice(a, b) for k, a, b in zip(some, ends[:-1], ends[1:], strict=True)}
    joined: dict[int, Any] = {}
    for n in outer:
        edge, (low, high) = model.edges[n], model.ends[n]
        W = edge.coupling.up(params.weights[n], np.eye(model.layers[low].size))
        inside, k = (low, high) if low in places else (high, low)
        W = W if inside == low else W.T
        joined.setdefault(k, np.zeros((ends[-1], model.layers[k].size)))[places[inside]] += (
            edge.multiplicity[0] * W
        )
    return joined
