"""Feed-forward networks: layers one after the other, a loss at the end, and back-propagation.

    x_0 = x,    x_k = layer_k(x_{k-1}),    L = -loss(x_n, targets)
    delta_n = dL/dx_n,    delta_{k-1} = (dx_k/dx_{k-1})' delta_k                          (Rumelhart et al. 1986)

On the way forward each layer leaves what it needs on the way back, and there it is let go of, layer by layer. A network
is a choice of layers; its parameters are a tuple with those of each layer, all of them views of one flat vector, whose
first part are the weights, for which penalties are.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import expit, log_softmax

from ebm import _flat
from ebm._checks import Array
from ebm._random import Key, fold
from ebm.energies.base import DataSummary, Model
from ebm.networks.layer import Context, Layer
from ebm.networks.losses import CrossEntropy, Loss
from ebm.units import Bounds, Unit

Parameters = tuple[Any, ...]


class Step(NamedTuple):
    """Loss of a batch; what ceased to be finite on the way, or ''."""

    loss: float
    where: str


@dataclass(frozen=True)
class Network(Model):
    """The choice of layers and loss for `n_in` inputs; all functions take the parameters and leave them alone.

    (What follows the batches rather than the gradient is the exception: see :mod:`ebm.networks.batch_norm`.)
    """

    kind: ClassVar[str] = "networks"
    n_in: int
    layers: tuple[Layer, ...]
    loss: Loss

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers of inputs of each layer, and of outputs of the last."""
        widths = [self.n_in]
        for layer in self.layers:
            widths.append(layer.width(widths[-1]))
        return tuple(widths)

    @property
    def takes_sparse(self) -> bool:
        """Whether the inputs may be CSR rows."""
        return bool(self.layers) and self.layers[0].takes_sparse

    # Parameters, and what training asks of a model

    @property
    def visible(self) -> Unit:
        """Refused: a network is a law of the targets given the inputs, whose law it does not know."""
        raise TypeError("A network has no visible units.")

    @property
    def has_scale(self) -> bool:
        """Inputs are taken as they are."""
        return False

    def initial(self, data: DataSummary, n_hidden: int, key: Key) -> Parameters:
        """Parameters with which training begins: of the data, only the dtype matters, and sizes are the layers'."""
        return self.drawn(key, data.mean.dtype)

    def drawn(self, key: Key, dtype: Any) -> Parameters:
        """Parameters with which training begins."""
        pairs = zip(self.layers, self.widths, strict=False)
        return tuple(
            layer.initial(n_in, fold(key, k), dtype) for k, (layer, n_in) in enumerate(pairs)
        )

    def layout(self, *shape: int) -> Parameters:
        """The arrays of each layer, whose sizes the network knows without the `shape`."""
        pairs = zip(self.layers, self.widths, strict=False)
        return tuple(
            layer.parameters(
                *(
                    _flat.Extent(extent, name in layer.weights)
                    for name, extent in zip(
                        layer.parameters._fields, layer.shapes(n_in), strict=True
                    )
                )
            )
            for layer, n_in in pairs
        )

    @property
    def n_parameters(self) -> int:
        """Length of the flat vector."""
        return _flat.size(self.layout())

    def shape(self, params: Parameters) -> tuple[int, ...]:
        """(inputs, outputs)."""
        return self.n_in, self.widths[-1]

    def weights(self, params: Parameters) -> list[Array]:
        """The arrays that penalties are for."""
        pairs = zip(self.layers, params, strict=True)
        return [getattr(own, name) for layer, own in pairs for name in layer.weights]

    def max_norm_matrices(self, params: Parameters) -> tuple[Array, ...]:
        """Matrices whose columns are the weights into one unit each."""
        pairs = zip(self.layers, params, strict=True)
        return tuple(W for layer, own in pairs for W in layer.max_norm_matrices(own))

    def project(self, params: Parameters, bounds: Bounds) -> bool:
        """Weights that there are not stay at zero."""
        for layer, own in zip(self.layers, params, strict=True):
            layer.project(own)
        return True

    # Forward

    def outputs(self, params: Parameters, x: Array) -> Iterator[Array]:
        """The output of each layer in turn, as it is after training, in an array of its own."""
        for layer, own in zip(self.layers, params, strict=True):
            x, _ = layer.forward(own, x, Context())
            yield x

    def linear(self, params: Parameters, x: Array) -> Array:
        """What the last layer hands to the loss, in a new array: (rows, n_in) -> (rows, outputs)."""
        free = False
        for layer, own in zip(self.layers, params, strict=True):
            y, _ = layer.forward(own, x, Context(free=free))
            free = free or y is not x  # nobody comes back; but the first input is the caller's
            x = y
        return x if free else x.copy()

    def predict(self, params: Parameters, x: Array) -> Array:
        """Predictions, the loss's output function included: (rows, n_in) -> (rows, outputs)."""
        return self.loss.output(self.linear(params, x))

    def probabilities(self, params: Parameters, x: Array) -> Array:
        """Predictions of a network that classifies; a single output is that of the second of two classes."""
        return self.loss.output(self._of_classes(params, x))

    def log_probabilities(self, params: Parameters, x: Array) -> Array:
        """Their logarithms, also where they are too small to be told from zero; zero where they round to one."""
        z = self._of_classes(params, x)
        if isinstance(self.loss, CrossEntropy):
            return log_softmax(z, axis=1)
        # Both have to rank several labels alike: where z > 0 the logarithm tells no more than the probability does.
        return np.where(z > 0, np.log(expit(np.abs(z))), -np.logaddexp(0, -z))

    def _of_classes(self, params: Parameters, x: Array) -> Array:
        z = self.linear(params, x)
        return np.hstack([-z, z]) if z.shape[1] == 1 else z

    def mean_loss(
        self, params: Parameters, x: Array, targets: Array, weights: Array | None = None
    ) -> float:
        """Loss of the rows after training; `weights` (rows,) sum to one."""
        return self.loss.evaluate(self.linear(params, x), targets, weights)[0]

    # Forward and back

    def back_propagate(
        self,
        params: Parameters,
        x: Array,
        targets: Array,
        gradient: Parameters,
        *,
        weights: Array | None = None,
        key: Key | None = None,
    ) -> Step:
        """Write dL/d(parameters) of the rows' mean to `gradient`.

        Parameters
        ----------
        params, gradient : tuple of NamedTuple
        x : ndarray of shape (rows, n_in)
        targets : ndarray of shape (rows, outputs)
        weights : ndarray of shape (rows,), optional
            They sum to one; equal if not given.
        key : Key, optional
            Of the random numbers of this step of training. Without it nothing is random, and what follows the batches
            in training stays.

        Returns
        -------
        Step
        """
        saved: list[Any] = []
        free, last = False, x
        for k, (layer, own) in enumerate(zip(self.layers, params, strict=True)):
            own_key = None if key is None else fold(key, k)
            last, kept = layer.forward(own, last, Context(key is not None, own_key, 0, free))
            saved.append(kept)
            free = not layer.keeps_output
        del kept  # or the last layer's were there to the end
        value, delta = self.loss.evaluate(last if free else last.copy(), targets, weights)
        del last
        if not np.isfinite(value):
            return Step(value, self._infinite_output(params, x))
        for k in range(len(self.layers) - 1, -1, -1):
            delta = self.layers[k].backward(params[k], saved.pop(), delta, gradient[k], k > 0)
            if not _finite(_small(gradient[k])):
                return Step(value, self._derivatives_by(k))
        return Step(value, "")

    def infinite_derivatives(self, gradient: Parameters) -> str:
        """The derivatives in `gradient` that are not finite, in words, or ''.

        :meth:`back_propagate` looks at the vectors only. Where an activation has brought infinite inputs back to
        finite outputs, matrices alone are affected.
        """
        for k in range(len(gradient) - 1, -1, -1):
            if not _finite(gradient[k]):
                return self._derivatives_by(k)
        return ""

    def _derivatives_by(self, k: int) -> str:
        return f"the derivatives by the parameters of {self.name_of(k)}"

    def name_of(self, k: int) -> str:
        """Layer `k` in words: its number among those with weights, and its type."""
        number = sum(bool(layer.weights) for layer in self.layers[: k + 1])
        kind = type(self.layers[k]).__name__
        return f"layer {number} ({kind} {self.widths[k]}-{self.widths[k + 1]})"

    def _infinite_output(self, params: Parameters, x: Array) -> str:
        for k, y in enumerate(self.outputs(params, x)):
            if not np.isfinite(y).all():
                return f"the outputs of {self.name_of(k)}"
        return "the loss"


def _small(own: Any) -> list[Array]:
    """The vectors among parameters: where a derivative is not finite, theirs hardly ever is."""
    return [x for x in own if x.ndim == 1]


def _finite(own: Iterable[Array]) -> bool:
    return all(np.isfinite(x).all() for x in own)
