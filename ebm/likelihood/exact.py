"""The partition function, exactly.

Either layer of a bipartite model can be summed out in closed form, so

    Z(beta) = sum over the states x of one layer of exp(-beta F(x)).

A layer of n two-state units has 2^n states. They are visited in the order of the reflected Gray code, in which
neighbours differ in one unit. From state to state the other layer's inputs change by one row of weights. A state costs
one pass over the other layer's units. When both layers are Gaussian, Z is a Gaussian integral.
"""

import math
from functools import singledispatch
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from ebm._checks import Array
from ebm._flat import in_double
from ebm._kernels.gray_code import gray_code_log_sum
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.states import MAX_ENUMERATED, enumerable_side
from ebm.likelihood.base import LogPartition

# States per task: enough to hide the overhead of a task, few enough for an interrupt to be heard. The tasks do not
# depend on the number of threads, so neither does the result.
TASK = 1 << 14


@singledispatch
def exact_log_partition(
    model: Model,
    params: Any,
    *,
    beta: float = 1.0,
    n_jobs: int | None = None,
) -> LogPartition:
    """Log Z(beta) by enumeration of the smaller two-state layer, or in closed form for two Gaussian layers.

    Parameters
    ----------
    model, params : Bipartite or Pairwise, and its parameters
    beta : float
        Inverse temperature.
    n_jobs : int, optional
        Threads, in joblib's sense; the value does not depend on it.

    Returns
    -------
    LogPartition
        With a standard error of zero.

    Raises
    ------
    ValueError
        When no two-state layer has at most 25 units, or when Z does not exist.
    """
    raise TypeError(f"There is no exact sum for {model!r}: an energy registers its own.")


@singledispatch
def check_law(model: Model, params: Any) -> None:
    """ValueError if Z does not exist, as far as that is known in a moment: particles would go to infinity."""


@check_law.register
def _(model: Bipartite, params: BipartiteParameters) -> None:
    model.check_finite(params)
    if model.is_normal:
        exact_log_partition(model, params)


@exact_log_partition.register
def _(
    model: Bipartite,
    params: BipartiteParameters,
    *,
    beta: float = 1.0,
    n_jobs: int | None = None,
) -> LogPartition:
    if model.is_normal:
        value = _gaussian_log_partition(params, beta)
    else:
        value = _enumerated_log_partition(model, params, beta, n_jobs)
    return LogPartition(value, 0.0, (value, value), "exact")


def _enumerated_log_partition(
    model: Bipartite, params: BipartiteParameters, beta: float, n_jobs: int | None
) -> float:
    if enumerable_side(model, params, MAX_ENUMERATED) == "hidden":
        model, params = model.swapped(params)
    n = params.W.shape[0]
    params = in_double(params)
    # Changes of -U and of the other layer's input by a flip of unit i, beside those of the all-low state.
    low, high = (np.full((1, n), x, params.W.dtype) for x in model.visible.states or ())
    gains = np.array([-_flip_cost(model, params, i) for i in range(n)])
    W = params.W
    steps = (model.visible.statistic(params.visible, high - low)[0] * W.T).T.copy()
    base = model.visible.statistic(params.visible, low)[0] @ W
    offset = -float(model.visible.energy(params.visible, low)[0])
    hidden = model.hidden.compiled(params.hidden)
    tasks = [(start, min(start + TASK, 2**n)) for start in range(0, 2**n, TASK)]
    logs = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(gray_code_log_sum)(steps, gains, base, hidden, float(beta), *task) for task in tasks
    )
    return beta * offset + float(np.logaddexp.reduce(logs))


def _flip_cost(model: Bipartite, params: BipartiteParameters, i: int) -> float:
    """U(unit i high, others low) - U(all low)."""
    low, high = model.visible.states or ()
    x = np.full((2, params.W.shape[0]), low)
    x[1, i] = high
    before, after = model.visible.energy(params.visible, x)
    return float(after - before)


def gaussian_precision(params: BipartiteParameters) -> Array:
    """Precision matrix (at beta = 1) of all units, v then h, of a model with two Gaussian layers."""
    p, q = (np.exp(-layer_params.log_variance.astype(np.float64)) for layer_params in params[1:])
    coupling = -(p[:, np.newaxis] * params.W * q)
    return np.block([[np.diag(p), coupling], [coupling.T, np.diag(q)]])


def _gaussian_log_partition(params: BipartiteParameters, beta: float) -> float:
    # E = (x - m)' P (x - m) / 2 - (x - m)' s - r with the biases m, the linear rest s of s(v)' W s(h) and r at m.
    precision = gaussian_precision(params)
    sign, log_det = np.linalg.slogdet(precision)
    if sign <= 0 or np.linalg.eigvalsh(precision)[0] <= 0:
        raise ValueError(
            "Z does not exist: the weights between the Gaussian layers are so large that the energy has no minimum."
        )
    n_visible = params.W.shape[0]
    m = np.concatenate([params.visible.bias, params.hidden.bias]).astype(np.float64)
    coupling = precision.copy()
    np.fill_diagonal(coupling, 0.0)
    slope = -coupling @ m
    rest = float(m[:n_visible] @ slope[:n_visible])
    shift = 0.5 * float(slope @ np.linalg.solve(precision, slope))
    volume = 0.5 * len(m) * math.log(2 * math.pi / beta) - 0.5 * float(log_det)
    return volume + beta * (rest + shift)
