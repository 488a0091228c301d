"""One layer of a feed-forward network: a function of its input and of its own parameters, and the way back through it.

A layer is a choice (a frozen record), and its parameters are a NamedTuple of arrays; the gradient by them has the same
type. The forward pass of a layer returns its output and the arrays for the backward pass. The backward pass turns the
derivative delta = dL/dy by its output into that by its input, dL/dx, and writes dL/d(parameters). All derivatives here
point uphill of what is maximised, L = -loss, as everywhere in this library.

To add a layer: a file beside :mod:`ebm.networks.dense` with a class derived from :class:`Layer`. Nothing else changes;
what a network of such layers can be trained by, saved as and made into is the same.
"""

import abc
from typing import Any, ClassVar, NamedTuple

from ebm._checks import Array, Settings
from ebm._random import Key


class Nothing(NamedTuple):
    """The parameters of a layer that has none."""


class Context(NamedTuple):
    """How a layer is passed through.

    Attributes
    ----------
    training : bool
        Whether this is a step of training: what is random or follows the batch then is so.
    key : Key or None
        Of the layer's random numbers in this step.
    first_row : int
        Number of the batch's first row in the stream of random numbers.
    free : bool
        Whether the layer may overwrite its input.
    """

    training: bool = False
    key: Key | None = None
    first_row: int = 0
    free: bool = False


class Cost(NamedTuple):
    """The cost of a layer beside the loss.

    Attributes
    ----------
    value : float
    delta : ndarray of shape (rows, width) or None
        Minus its derivative by the outputs; None: zero.
    params : NamedTuple of ndarray or None
        Minus its derivative by the layer's own parameters, in arrays of their shapes; None: zero.
    """

    value: float
    delta: Array | None = None
    params: Any = None


class Layer(Settings, abc.ABC):
    """One type of layer (abstract).

    Attributes
    ----------
    parameters : type
        NamedTuple of the parameter arrays.
    weights : tuple of str
        The parameters that penalties are for.
    keeps_output : bool
        Whether the way back needs the array that the way forward returned: then the next layer must leave it alone.
    takes_sparse : bool
        Whether the inputs may be CSR rows; the way back is then not asked for dL/dx.
    has_cost : bool
        Whether training minimises :meth:`cost` beside the loss.
    takes_labels : bool
        Whether that cost is :meth:`labelled_cost`, for which each row of data brings labels.
    """

    parameters: ClassVar[Any] = Nothing
    weights: ClassVar[tuple[str, ...]] = ()
    keeps_output: ClassVar[bool] = False
    takes_sparse: ClassVar[bool] = False
    has_cost: ClassVar[bool] = False
    takes_labels: ClassVar[bool] = False

    def width(self, n_in: int) -> int:
        """Count of outputs for `n_in` inputs."""
        return n_in

    def shapes(self, n_in: int) -> tuple[tuple[int, ...], ...]:
        """Shapes of the parameter arrays for `n_in` inputs."""
        return ()

    def initial(self, n_in: int, key: Key, dtype: Any) -> Any:
        """Parameters, in new arrays, with which training begins."""
        return self.parameters()

    @property
    def mask(self) -> Array | None:
        """Which weights there are: bool, like the one array that :attr:`weights` names; None where all are."""
        return None

    def masked(self, mask: Array) -> "Layer":
        """The layer with these weights only; the others are zero, and stay so in training."""
        raise ValueError(f"{self!r} cannot do without some of its weights.")

    def widened(self, more_in: int, more_out: int) -> "Layer":
        """The layer for so many more inputs, and with more outputs of its own if it says how many it has.

        The old ones are the first among the new: each parameter array is the leading corner of the larger one.
        """
        return self

    def project(self, params: Any) -> None:
        """Set to zero the weights that there are not, in place."""

    def max_norm_matrices(self, params: Any) -> tuple[Array, ...]:
        """Matrices among the parameters whose columns are the weights into one unit each."""
        return ()

    @abc.abstractmethod
    def forward(self, params: Any, x: Array, context: Context) -> tuple[Array, Any]:
        """The output (rows, width) for the input `x` (rows, n_in), and what :meth:`backward` needs."""

    @abc.abstractmethod
    def backward(self, params: Any, saved: Any, delta: Array, gradient: Any, below: bool) -> Array:
        """dL/dx (rows, n_in), from `delta` = dL/dy (rows, width), which is consumed.

        The gradient by the parameters is written to the arrays of `gradient`. Without `below`, dL/dx is not wanted and
        what is returned has no meaning.
        """

    def cost(self, params: Any, y: Array, weights: Array, mean: Array | None) -> Cost:
        """The cost of outputs `y` (rows, width), of which no array is changed.

        `weights` (rows,) sum to one. Where the rows are a part of those that the cost is of, `mean` (width,) is the
        weighted mean of the outputs over all of them. The costs of the parts, weighted by their shares, are then to add
        up to that of the whole, and so are the derivatives.
        """
        raise NotImplementedError(f"{self!r} has no cost.")

    def labelled_cost(self, y: Array, labels: Array, weights: Array) -> Cost:
        """The cost of outputs `y` (rows, width) of rows with these labels (rows, width); no array is changed.

        `weights` (rows,) sum to one. The rows are all those that the cost is of.
        """
        raise NotImplementedError(f"{self!r} has no cost that depends on labels.")

    def curvature(
        self, params: Any, saved: Any, h: Array, delta: Array | None, second: Any
    ) -> Array:
        """d^2 loss / dx^2 (rows, n_in), from `h` = d^2 loss / dy^2 (rows, width), which is consumed.

        As if the matrix of second derivatives by y were diagonal (see :mod:`ebm.networks.pruning`); those by the
        parameters, on the diagonal, are written to the arrays of `second`. `delta` = dL/dy is left alone; without it
        second derivatives of the layer's own function count as zero. The layer is in the state after training.
        """
        raise ValueError(
            f"{self!r} has no way back for second derivatives, which pruning asks for: its method curvature."
        )
