"""Parameters that somebody gives, of a machine published elsewhere, as those of a model of two layers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ebm._arrays import Array, finite_numbers
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel


def given_parameters(
    model: Bipartite | ColumnModel, components: Any, values: Mapping[str, Any]
) -> Any:
    """Copies of given arrays, in the dtype of the weights.

    Parameters
    ----------
    model : Bipartite or ColumnModel
    components : array-like of shape (n_hidden, n_visible)
        The weights, transposed.
    values : mapping
        "intercept_visible", "intercept_hidden", and by names as "log_variance_visible" what else the units have.
        Instead of the logarithm, "variances" may hold the variances of the visible units. Missing or None: those of
        neutral units.

    Returns
    -------
    BipartiteParameters or LayeredParameters

    Raises
    ------
    ValueError
        If an array has the wrong shape, NaN or infinite entries, a variance is not positive, or the units have no such
        parameter.
    """
    weights = finite_numbers(components, "components")
    dtype = weights.dtype
    if weights.ndim != 2 or not weights.size:
        raise ValueError(
            f"components must have the shape (n_components, n_features). Got {weights.shape}."
        )
    W = np.array(weights.T, dtype, order="C")
    rest = {name: x for name, x in values.items() if x is not None}
    if "variances" in rest:
        rest["log_variance_visible"] = _logarithms(rest.pop("variances"))

    def read(name: str, neutral: Array) -> Array:
        return _vector(rest.pop(name, neutral), name, len(neutral), np.dtype(dtype))

    params = model.of_arrays(W, read)
    if rest:
        raise ValueError(f"Units {model.visible!r} and {model.hidden!r} have no {sorted(rest)}.")
    return params


def _vector(x: Any, name: str, n_units: int, dtype: Any) -> Array:
    vector = np.array(finite_numbers(x, name), dtype)
    if vector.shape != (n_units,):
        raise ValueError(
            f"{name} must have the shape ({n_units},), as components says. Got {vector.shape}."
        )
    return vector


def _logarithms(variances: Any) -> Array:
    values = finite_numbers(variances, "variances").astype(np.float64)
    if not (values > 0).all():
        raise ValueError("variances must be positive.")
    logarithms: Array = np.log(values)
    return logarithms
