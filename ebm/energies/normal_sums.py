"""Integrals over layers of normal units that are connected to each other: no color of them can be enumerated.

With the precisions p and means b of the layers z that are integrated out, and the weights W between them,

    E(z, x) = z'Pz / 2 - g'z + E(0, x),    P = diag(p) - (p_l W_lm p_m)_lm,    g = p (b + input from x),

where x are the known layers. E(0, x) holds the sum of p b^2 / 2, since z = 0 is no minimum. If P is positive definite,

    log int exp(-beta E(z, x)) dz = beta [g'P^-1 g / 2 - E(0, x)] + (n log(2 pi / beta) - log det P) / 2,

and else the integral is infinite. The cost is that of the Cholesky factor of P.
"""

from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from ebm._checks import Array
from ebm._flat import in_double
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layers import LayeredModel, LayeredParameters


def is_integral(model: LayeredModel, known: Any = ()) -> bool:
    """Whether all layers that are not `known` are of normal units, and some of them are connected to each other."""
    unknown = [k for k in range(len(model.layers)) if k not in known]
    return all(model.layers[k].unit.is_normal for k in unknown) and len(_edges(model, unknown)) > 0


def _edges(model: LayeredModel, layers: list[int]) -> list[int]:
    """Numbers of the edges between two of the `layers`."""
    return [n for n, ends in enumerate(model.ends) if set(ends) <= set(layers)]


def precision(model: LayeredModel, params: LayeredParameters, layers: list[int]) -> Array:
    """The precisions P (units, units) of normal `layers`, in their order, at beta = 1."""
    ends = np.cumsum([0, *(model.layers[k].size for k in layers)])
    places = {k: slice(a, b) for k, a, b in zip(layers, ends[:-1], ends[1:], strict=True)}
    p = {k: np.exp(-params.layers[k].log_variance.astype(np.float64)) for k in layers}
    P = np.diag(np.concatenate([p[k] for k in layers]))
    for number in _edges(model, layers):
        edge, (low, high) = model.edges[number], model.ends[number]
        W = edge.coupling.up(params.weights[number].astype(np.float64), np.eye(len(p[low])))
        coupling = -edge.multiplicity[0] * p[low][:, np.newaxis] * W * p[high]
        P[places[low], places[high]], P[places[high], places[low]] = coupling, coupling.T
    return P


def precision_factor(model: LayeredModel, params: LayeredParameters, layers: list[int]) -> Array:
    """The lower Cholesky factor of :func:`precision`.

    ValueError where they are not positive definite, so that Z is infinite.
    """
    try:
        factor: Array = np.linalg.cholesky(precision(model, params, layers))
    except np.linalg.LinAlgError:
        names = " and ".join(repr(model.names[k]) for k in layers)
        raise ValueError(
            f"Z does not exist: the weights between the Gaussian layers {names} are so large that the energy has no "
            "minimum."
        ) from None
    return factor


def check_normal(model: LayeredModel, params: LayeredParameters) -> None:
    """ValueError where weights between layers of normal units make Z infinite, whatever the other layers are."""
    layers = [k for k, layer in enumerate(model.layers) if layer.unit.is_normal]
    if _edges(model, layers):
        precision_factor(model, params, layers)


def log_integrals(
    model: LayeredModel,
    params: LayeredParameters,
    known: dict[int, Array] | None = None,
    beta: float = 1.0,
) -> Array:
    """Logarithms of the integrals over all layers but the `known` ones, for each of their rows, or one without any."""
    model.check_energy()
    params = in_double(params)
    known = {k: x.astype(np.float64) for k, x in (known or {}).items()}
    layers = [k for color in (EVEN, ODD) for k in model.members[color] if k not in known]
    n_rows = max([1, *map(len, known.values())])
    x = [model.colored(c, known, model.nothing(params, c, n_rows)) for c in (EVEN, ODD)]
    received = [model.inputs_from(params, c, x[1 - c]) for c in (EVEN, ODD)]
    pull = np.hstack(
        [
            np.exp(-params.layers[k].log_variance)
            * (params.layers[k].bias + received[model.places[k].color][:, model.places[k].columns])
            for k in layers
        ]
    )
    factor = precision_factor(model, params, layers)
    log_det = 2 * np.log(np.diag(factor)).sum()
    squares = (solve_triangular(factor, pull.T, lower=True) ** 2).sum(axis=0)
    volume = 0.5 * (len(factor) * np.log(2 * np.pi / beta) - log_det)
    logs: Array = beta * (0.5 * squares - model.energy(params, *x)) + volume
    return logs
