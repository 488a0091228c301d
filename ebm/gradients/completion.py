"""The error of completed label units, and its gradient by the memories (Krotov & Hopfield 2016, section 4).

With the completed labels c (:mod:`ebm.energies.completion`) and targets t of -1 and +1, the error is

    C = mean over rows of sum_b (c_b - t_b)^(2m),

which for large m counts little but the labels that are on the wrong side. It is a sum over the units' own errors, not a
likelihood: what is learned is an energy whose descent completes rows rightly.
"""

import numpy as np

from ebm._checks import Array
from ebm._kernels import completion as kernels
from ebm.energies.completion import Completion
from ebm.energies.memory import DenseParameters


def completion_error(
    model: Completion,
    params: DenseParameters,
    v: Array,
    targets: Array,
    *,
    power: int = 1,
    weights: Array | None = None,
) -> float:
    """C of the rows `v` (rows, n_visible) with the `targets` (rows, n_labels); `weights` (rows,) sum to one."""
    miss = np.tanh(model.gains(params, v)) - targets
    return float(_mean((miss ** (2 * power)).sum(axis=1), weights))


def completion_gradient(
    model: Completion,
    params: DenseParameters,
    v: Array,
    targets: Array,
    *,
    power: int = 1,
    weights: Array | None = None,
) -> tuple[DenseParameters, float]:
    """-dC/dxi, uphill as all gradients here, and C; the arguments are those of :func:`completion_error`."""
    dtype = params.memories.dtype
    visible, labels = model.split(params)
    a = model.inputs(visible, labels, v)
    gains = np.empty((len(v), model.n_labels))
    kernels.gains(a, labels, model.degree, model.rectified, gains)
    c = np.tanh(gains)
    miss = c - targets
    shares = np.full(len(v), 1 / len(v)) if weights is None else weights
    # -dC/dgain, over the scale T, which the derivatives of the inputs have.
    slope = 2 * power * miss ** (2 * power - 1) * (1 - c) * (1 + c)
    downhill = -slope * shares[:, np.newaxis] / model.scale
    to_inputs, to_labels = np.empty_like(a), np.empty_like(labels)
    kernels.slopes(
        a, labels, model.degree, model.rectified, downhill.astype(dtype), to_inputs, to_labels
    )
    gradient = np.empty_like(params.memories)
    np.matmul(to_inputs.T, v, out=gradient[:, : -model.n_labels])
    gradient[:, -model.n_labels :] = to_labels.T - to_inputs.sum(axis=0)[:, np.newaxis]
    return DenseParameters(gradient), float(_mean((miss ** (2 * power)).sum(axis=1), weights))


def _mean(x: Array, weights: Array | None) -> Array:
    mean: Array = x.mean() if weights is None else weights @ x
    return mean
