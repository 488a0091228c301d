"""Feed-forward networks: layers one after the other, a loss at the end, and back-propagation.

    x_0 = x,    x_k = layer_k(x_{k-1}),    L = -loss(x_n, targets)
    delta_n = dL/dx_n,    delta_{k-1} = (dx_k/dx_{k-1})' delta_k                          (Rumelhart et al. 1986)

A layer may cost something beside the loss: L = -loss - sum_k C_k(x_k, parameters of k), and then dC_k/dx_k is taken
from delta_k on the way back. Layers may share arrays (:class:`Tie`); derivatives by these are the sum of the layers'.

On the way forward each layer leaves what it needs on the way back, and there it is let go of, layer by layer. A network
is a choice of layers. Its parameters are a tuple with those of each layer, all of them views of one flat vector. The
first part of this vector are the weights, to which penalties apply.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import expit, log_softmax

from ebm import _flat
from ebm._checks import Array
from ebm._random import Key, fold
from ebm.energies.base import DataSummary, Model
from ebm.networks.layer import Context, Cost, Layer
from ebm.networks.losses import CrossEntropy, Loss
from ebm.units import Bounds, Unit

Parameters = tuple[Any, ...]


class Tie(NamedTuple):
    """An array that two layers share: both have the parameter `name`.

    Attributes
    ----------
    layer, of : int
        Numbers of the layer that uses the array, and of the one that it is an array of.
    transposed : bool
        Whether it is used transposed.
    name : str
    """

    layer: int
    of: int
    transposed: bool = False
    name: str = "W"


class Step(NamedTuple):
    """Loss of a batch; what ceased to be finite on the way, or ''; what the layers cost beside the loss."""

    loss: float
    where: str
    cost: float = 0.0


@dataclass(frozen=True)
class Network(Model):
    """The choice of layers and loss for `n_in` inputs; all functions take the parameters and leave them alone.

    (What follows the batches rather than the gradient is the exception: see :mod:`ebm.networks.batch_norm`.)

    Parameters
    ----------
    n_in : int
    layers : tuple of Layer
    loss : Loss
    ties : tuple of Tie
        Arrays that layers share. The flat vector holds each once, and its gradient is the sum of both layers'.
    """

    kind: ClassVar[str] = "networks"
    n_in: int
    layers: tuple[Layer, ...]
    loss: Loss
    ties: tuple[Tie, ...] = ()

    def __post_init__(self) -> None:
        owners, users = {(x.of, x.name) for x in self.ties}, {(x.layer, x.name) for x in self.ties}
        if len(users) < len(self.ties) or owners & users:
            raise ValueError(
                "ties must each be of another array, and none of an array that is tied itself. Got "
                f"{self.ties}."
            )
        for tie in self.ties:
            self._check_tie(tie)

    def _check_tie(self, tie: Tie) -> None:
        shapes = []
        for k in (tie.layer, tie.of):
            fields = self.layers[k].parameters._fields if 0 <= k < len(self.layers) else ()
            if tie.name not in fields:
                raise ValueError(
                    f"ties: layer {k} of {len(self.layers)} has no parameter {tie.name!r}. Got {tie}."
                )
            shapes.append(self.layers[k].shapes(self.widths[k])[fields.index(tie.name)])
        wanted = shapes[1][::-1] if tie.transposed else shapes[1]
        if shapes[0] != wanted:
            raise ValueError(
                f"ties: layer {tie.layer} has {tie.name} of the shape {shapes[0]}, but that of layer {tie.of} is "
                f"{wanted}{' transposed' if tie.transposed else ''}. Got {tie}."
            )

    def check_untied(self, purpose: str) -> None:
        """Refuse a network whose layers share arrays; ValueError."""
        if self.ties:
            raise ValueError(
                f"{purpose} is for networks whose layers share no arrays. Got {self.ties}. Build the network without "
                "ties."
            )

    @property
    def has_costs(self) -> bool:
        """Whether some layers have a cost beside the loss."""
        return any(layer.has_cost for layer in self.layers)

    @property
    def n_labels(self) -> int:
        """Labels of each row, for a layer whose cost depends on them: the width of that layer, or zero."""
        widths = zip(self.layers, self.widths[1:], strict=True)
        return max((n for layer, n in widths if layer.takes_labels), default=0)

    @property
    def is_joint(self) -> bool:
        """Whether what a row costs depends on the other rows of its batch."""
        return self.loss.joint or self.n_labels > 0

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
        """Refused: a network is a distribution of the targets given the inputs, whose distribution it does not know."""
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
        return self.tied(
            tuple(layer.initial(n_in, fold(key, k), dtype) for k, (layer, n_in) in enumerate(pairs))
        )

    def tied(self, params: Parameters) -> Parameters:
        """`params` with views of the owner's array wherever one is shared."""
        found = list(params)
        for layer, of, transposed, name in self.ties:
            array = getattr(params[of], name)
            found[layer] = found[layer]._replace(**{name: array.T if transposed else array})
        return tuple(found)

    def layout(self, *shape: int) -> Parameters:
        """The arrays of each layer, whose sizes the network knows without the `shape`."""
        extents: list[Any] = []
        for layer, n_in in zip(self.layers, self.widths, strict=False):
            pairs = zip(layer.parameters._fields, layer.shapes(n_in), strict=True)
            layer_params = (_flat.Extent(extent, name in layer.weights) for name, extent in pairs)
            extents.append(layer.parameters(*layer_params))
        numbers = self._numbers() if self.ties else {}
        for layer_, of, transposed, name in self.ties:
            place = _flat.Shared(numbers[of, name], transposed)
            extents[layer_] = extents[layer_]._replace(**{name: place})
        return tuple(extents)

    def _numbers(self) -> dict[tuple[int, str], int]:
        """Numbers of all arrays in the layout, by layer and name."""
        named = [(k, x) for k, layer in enumerate(self.layers) for x in layer.parameters._fields]
        return {place: number for number, place in enumerate(named)}

    @property
    def n_parameters(self) -> int:
        """Length of the flat vector."""
        return _flat.size(self.layout())

    def shape(self, params: Parameters) -> tuple[int, ...]:
        """(inputs, outputs)."""
        return self.n_in, self.widths[-1]

    def weights(self, params: Parameters) -> list[Array]:
        """The arrays that penalties are for, each once."""
        shared = {(tie.layer, tie.name) for tie in self.ties}
        return [
            getattr(layer_params, name)
            for k, (layer, layer_params) in enumerate(zip(self.layers, params, strict=True))
            for name in layer.weights
            if (k, name) not in shared
        ]

    def max_norm_matrices(self, params: Parameters) -> tuple[Array, ...]:
        """Matrices whose columns are the weights into one unit each; of a shared one, those of its owner."""
        users = {tie.layer for tie in self.ties}
        pairs = enumerate(zip(self.layers, params, strict=True))
        return tuple(
            W
            for k, (layer, layer_params) in pairs
            if k not in users
            for W in layer.max_norm_matrices(layer_params)
        )

    def project(self, params: Parameters, bounds: Bounds) -> bool:
        """Weights that there are not stay at zero."""
        for layer, layer_params in zip(self.layers, params, strict=True):
            layer.project(layer_params)
        return True

    # Forward

    def outputs(self, params: Parameters, x: Array) -> Iterator[Array]:
        """The output of each layer in turn, as it is after training, in an array of its own."""
        for layer, layer_params in zip(self.layers, params, strict=True):
            x, _ = layer.forward(layer_params, x, Context())
            yield x

    def linear(self, params: Parameters, x: Array) -> Array:
        """The linear outputs, which enter the loss, in a new array: (rows, n_in) -> (rows, outputs)."""
        free = False
        for layer, layer_params in zip(self.layers, params, strict=True):
            y, _ = layer.forward(layer_params, x, Context(free=free))
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
        means: Mapping[int, Array] | None = None,
        labels: Array | None = None,
    ) -> Step:
        """Write dL/d(parameters) of the rows' mean, and of what layers cost, to `gradient`.

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
        means : dict of ndarray of shape (width,), optional
            Mean outputs of layers that have a cost, by their numbers, over all rows that it is of. Without them these
            are the rows given.
        labels : ndarray of shape (rows, n_labels), optional
            For layers whose cost depends on them, where there are any.

        Returns
        -------
        Step
        """
        saved: list[Any] = []
        outputs: dict[int, Array] = {}
        free, last = False, x
        for k, (layer, layer_params) in enumerate(zip(self.layers, params, strict=True)):
            own_key = None if key is None else fold(key, k)
            last, kept = layer.forward(
                layer_params, last, Context(key is not None, own_key, 0, free)
            )
            saved.append(kept)
            if layer.has_cost:
                outputs[k] = last
            free = not (layer.keeps_output or layer.has_cost)
        del kept  # or the last layer's were there to the end
        value, delta = self.loss.evaluate(last if free else last.copy(), targets, weights)
        del last
        if not np.isfinite(value):
            return Step(value, self._infinite_output(params, x))
        total, apart = 0.0, self._apart(gradient)
        for k in range(len(self.layers) - 1, -1, -1):
            layer, cost = self.layers[k], Cost(0.0)
            if layer.has_cost:
                cost = _cost(
                    layer,
                    params[k],
                    outputs.pop(k),
                    _shares(delta, weights),
                    (means or {}).get(k),
                    labels,
                )
                total += cost.value
                if not np.isfinite(cost.value):
                    return Step(value, f"the cost of {self.name_of(k)}", total)
                _add(cost.delta, delta)
            delta = layer.backward(params[k], saved.pop(), delta, apart[k], k > 0)
            _add(cost.params, apart[k])
            if not _finite(_small(apart[k])):
                return Step(value, self._derivatives_by(k), total)
        self._join(apart, gradient)
        return Step(value, "", total)

    def _apart(self, gradient: Parameters) -> Parameters:
        """The gradient with new arrays where a layer uses another's: each layer writes its own part of it."""
        found = list(gradient)
        for layer, _, _, name in self.ties:
            array = getattr(gradient[layer], name)
            found[layer] = found[layer]._replace(**{name: np.empty(array.shape, array.dtype)})
        return tuple(found)

    def _join(self, apart: Parameters, gradient: Parameters) -> None:
        """Add the parts of shared arrays up, in the arrays of `gradient`."""
        for layer, _, _, name in self.ties:
            array = getattr(gradient[layer], name)  # a view of the owner's
            array += getattr(apart[layer], name)

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


def _cost(
    layer: Layer, params: Any, y: Array, weights: Array, mean: Array | None, labels: Array | None
) -> Cost:
    """The cost of a layer with the outputs `y`."""
    if not layer.takes_labels:
        return layer.cost(params, y, weights, mean)
    if labels is None:
        raise ValueError(f"labels: the cost of {layer!r} depends on labels of the rows. Got none.")
    return layer.labelled_cost(y, labels, weights)


def _shares(rows: Array, weights: Array | None) -> Array:
    return np.full(len(rows), 1 / max(1, len(rows)), rows.dtype) if weights is None else weights


def _add(part: Any, total: Any) -> None:
    """Add an array, or all arrays of a NamedTuple, to another in place; nothing if it is None."""
    if isinstance(part, np.ndarray):
        total += part
    elif part is not None:
        for x, whole in zip(part, total, strict=True):
            _add(x, whole)


def _small(layer_params: Any) -> list[Array]:
    """The vectors among parameters: where a derivative is not finite, theirs hardly ever is."""
    return [x for x in layer_params if x.ndim == 1]


def _finite(layer_params: Iterable[Array]) -> bool:
    return all(np.isfinite(x).all() for x in layer_params)
