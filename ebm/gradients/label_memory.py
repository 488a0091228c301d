"""The error of completed label units, and its gradient by the memories (Krotov & Hopfield 2016, section 4).

With the completed labels c (:mod:`ebm.energies.label_memory`) and targets t of -1 and +1, the error is

    C = mean over rows of sum_b (c_b - t_b)^(2m),

which for large m counts little but the labels that are on the wrong side. It is a sum over the units' own errors, not a
likelihood: what is learned is an energy whose descent completes rows rightly.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ebm._checks import Array, check_integer
from ebm._kernels import label_memory as kernels
from ebm._random import Key
from ebm.energies.base import Model
from ebm.energies.label_memory import LabelMemory
from ebm.energies.memory import DenseParameters
from ebm.gradients.base import Batch, BoundGradient, ChainState, Gradient, Info


@dataclass(frozen=True, repr=False)
class LabelCompletion(Gradient[LabelMemory]):
    """Minus the gradient of the error of completed labels, for training on rows of all units s = (v, t).

    The history has the error as "error".

    Parameters
    ----------
    power : int, default=1
        m, half the exponent of the error.

    Raises
    ------
    ValueError
        If `power` is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm._batches import Rows
    >>> from ebm.energies.label_memory import LabelMemory, with_labels
    >>> from ebm.gradients.label_memory import LabelCompletion
    >>> from ebm.optimizers import Constant, Momentum
    >>> from ebm.training import Plan, start, train
    >>> v = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> s = with_labels(v, np.array([0, 0, 1, 1]), 2)  # by the first entry
    >>> model, rows = LabelMemory(n_labels=2, degree=2, rectified=True, scale=1.0), Rows(s)
    >>> plan = Plan(LabelCompletion(), Momentum(), Constant(), 0.01, 0.0, batch_size=4, seed=0)
    >>> state = start(model, rows, n_hidden=6, plan=plan)
    >>> train(state, rows, plan, n_epochs=50)
    ''
    >>> model.accuracy(state.params, s)
    1.0
    """

    divergence_hint: ClassVar[str] = (
        "a higher temperature, a lower degree, or a smaller learning_rate"
    )
    centered = False  # there are no offsets
    power: int = 1

    def __post_init__(self) -> None:
        check_integer(self.power, "power")

    @property
    def models(self) -> tuple[type[Model], ...]:
        """Only these."""
        return (LabelMemory,)

    def n_chains_for(self, batch_size: int) -> int:
        """No chains."""
        return 0

    def bind(
        self, model: LabelMemory, gradient: DenseParameters, batch_size: int, n_chains: int
    ) -> BoundGradient:
        """The estimator; refuses models without label units."""
        self.check_supports(model)
        return BoundCompletion(model, gradient, batch_size, self.power)


class BoundCompletion(BoundGradient):
    """The estimator with its buffer."""

    def __init__(
        self, model: LabelMemory, gradient: DenseParameters, batch_size: int, power: int
    ) -> None:
        self._model, self._gradient, self._power = model, gradient, power
        memories = gradient.memories
        self._S = np.zeros((batch_size, memories.shape[1]), memories.dtype)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._S[:n_rows]

    def __call__(
        self, params: DenseParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[DenseParameters, ChainState, Info]:
        """-dC/dxi of the batch (see :class:`~ebm.gradients.base.BoundGradient`)."""
        v, targets = self._model.parts(batch.v)
        _, error = completion_gradient(
            self._model,
            params,
            v,
            targets,
            power=self._power,
            weights=batch.weights,
            out=self._gradient,
        )
        finite = bool(np.isfinite(self._gradient.memories).all())
        return self._gradient, chains, Info(finite, {"error": error})


def completion_error(
    model: LabelMemory,
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
    model: LabelMemory,
    params: DenseParameters,
    v: Array,
    targets: Array,
    *,
    power: int = 1,
    weights: Array | None = None,
    out: DenseParameters | None = None,
) -> tuple[DenseParameters, float]:
    """-dC/dxi, uphill as all gradients here, and C; the arguments are those of :func:`completion_error`.

    `out` is overwritten with the gradient, and returned.
    """
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
    gradient = np.empty_like(params.memories) if out is None else out.memories
    np.matmul(to_inputs.T, v, out=gradient[:, : -model.n_labels])
    gradient[:, -model.n_labels :] = to_labels.T - to_inputs.sum(axis=0)[:, np.newaxis]
    return DenseParameters(gradient), float(_mean((miss ** (2 * power)).sum(axis=1), weights))


def _mean(x: Array, weights: Array | None) -> Array:
    mean: Array = x.mean() if weights is None else weights @ x
    return mean
