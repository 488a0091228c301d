"""Autoencoders: networks whose targets are their inputs, with a code in the middle.

    y = f(x),   z = g(y),    L = -loss(z, x) - costs of the code                        (Hinton & Salakhutdinov 2006)

The encoder f is :class:`~ebm.networks.inputs.Inputs`, and for every size Dense, BatchNorm if wanted, the activation,
the costs of the code, and Dropout if wanted. The decoder g has the same without costs, and a last Dense to the columns.
With tied weights the matrices of the decoder are those of the encoder, transposed, in reverse order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold
from ebm._sparse import blocks, dense, is_sparse
from ebm._values import ROUNDING
from ebm.networks.activations import Activation, Logistic, PReLU
from ebm.networks.batch_norm import BatchNorm
from ebm.networks.code_noise import CodeNoise
from ebm.networks.contraction import Contraction
from ebm.networks.corruption import Corruption
from ebm.networks.dense import Dense
from ebm.networks.dropout import Dropout
from ebm.networks.feed_forward import function_record, with_layers
from ebm.networks.initializations import Glorot, initialization_record
from ebm.networks.inputs import Inputs
from ebm.networks.layer import Layer
from ebm.networks.losses import Loss
from ebm.networks.maxout import Maxout
from ebm.networks.neighborhoods import NeighborhoodCost
from ebm.networks.network import Network, Parameters, Tie
from ebm.networks.sparse_activity import SparseActivity

# Least variance, in proportion to that of bits, of values that are compared as probabilities: images of digits have 0.5
# or more of it, scaled columns of measurements 0.1 to 0.3.
LIKE_BITS = 0.4


@dataclass(frozen=True)
class Coder:
    """The choice of an encoder and a decoder.

    Attributes
    ----------
    encoder, decoder : tuple of int
        Units of each hidden layer, the code being the last of the encoder.
    encoder_activations, decoder_activations : tuple of str or Layer
        Of these layers.
    dropout : tuple of float
        Shares of the inputs, and of the units of each layer of both, that are dropped in training.
    tied : bool
        Whether the decoder has the matrices of the encoder.
    batch_norm : bool
        Whether the inputs of the activations are normalized over the batch.
    init : str or Initialization
        Distribution of the first weights.
    corruption : Corruption or None
        Of the inputs in training.
    sparsity : SparseActivity or None
        Cost of the activity of the code.
    contraction : float
        Factor on the cost of the derivatives of each layer of the encoder.
    code_noise : float
        Standard deviation of the noise on the inputs of the code units in training.
    neighborhoods : NeighborhoodCost or None
        Cost of a code in which rows of one class are not neighbors.
    """

    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    encoder_activations: tuple[Any, ...]
    decoder_activations: tuple[Any, ...]
    dropout: tuple[float, ...] = ()
    tied: bool = False
    batch_norm: bool = False
    init: Any = "glorot"
    corruption: Corruption | None = None
    sparsity: SparseActivity | None = None
    contraction: float = 0.0
    code_noise: float = 0.0
    neighborhoods: NeighborhoodCost | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of all hidden layers."""
        return (*self.encoder, *self.decoder)

    @property
    def functions(self) -> tuple[Layer, ...]:
        """Of all hidden layers."""
        return tuple(map(function_record, (*self.encoder_activations, *self.decoder_activations)))


class _Built(NamedTuple):
    """Layers, the numbers of the dense ones, and ties, of a network that is put together."""

    layers: list[Layer]
    dense: list[int]
    ties: list[Tie]


def autoencoder(n_in: int, coder: Coder, loss: Loss) -> tuple[Network, int]:
    """The network, and how many of its layers are the encoder.

    Raises
    ------
    ValueError
        If weights are tied and the layers of the decoder are not those of the encoder in reverse order, or if a cost
        is not for the activation.
    """
    _check(coder)
    built = _Built([Inputs(coder.corruption)], [], [])
    shares = iter(coder.dropout or (0.0,) * (len(coder.sizes) + 1))
    _append_dropout(built, next(shares))
    n_code, width = 0, n_in
    for k, (size, function) in enumerate(zip(coder.sizes, coder.functions, strict=True)):
        noise = coder.code_noise if k == len(coder.encoder) - 1 else 0.0
        gain = _append(built, coder, size, function, noise)
        if k < len(coder.encoder):
            _append_costs(built, coder, width, function, k == len(coder.encoder) - 1)
            n_code = len(built.layers)
        _append_dropout(built, next(shares))
        width = size
    last = Dense(n_in, coder.init, gain)
    built.dense.append(len(built.layers))
    built.layers.append(last)
    if coder.tied:
        n = len(coder.encoder)
        pairs = zip(built.dense[n:], reversed(built.dense[:n]), strict=True)
        built.ties.extend(Tie(layer, of, transposed=True) for layer, of in pairs)
    return Network(n_in, tuple(built.layers), loss, tuple(built.ties)), n_code


def _check(coder: Coder) -> None:
    mirrored = coder.encoder[-2::-1]
    if coder.tied and coder.decoder != mirrored:
        raise ValueError(
            f"tied=True needs a decoder with the layers {mirrored}, those of the encoder in reverse order. Got "
            f"{coder.decoder}."
        )
    if coder.tied and any(isinstance(x, Maxout) for x in coder.functions):
        raise ValueError("tied=True is not for 'maxout', whose units have several weights each.")
    names = [type(x).__name__ for x in coder.functions[: len(coder.encoder)]]
    if coder.sparsity is not None and names[-1] != "Logistic":
        raise ValueError(
            "sparsity is for a code between 0 and 1. Use activation='logistic' for the last layer of the encoder. Got "
            f"{names[-1]}."
        )


def _append(built: _Built, coder: Coder, size: int, function: Layer, noise: float = 0.0) -> float:
    """Append a dense layer with its activation; the gain of its weights."""
    law = initialization_record(coder.init)
    scales = isinstance(function, Activation) and isinstance(law, Glorot)
    gain = function.gain if scales else 1.0  # type: ignore[attr-defined]
    pieces = function.n_pieces if isinstance(function, Maxout) else 1
    built.dense.append(len(built.layers))
    built.layers.append(Dense(size * pieces, coder.init, gain))
    built.layers.extend([BatchNorm()] if coder.batch_norm else [])
    built.layers.extend([CodeNoise(noise)] if noise else [])
    built.layers.append(function)
    return gain


def _append_costs(
    built: _Built, coder: Coder, n_below: int, function: Layer, is_code: bool
) -> None:
    """Append the costs of a layer of the encoder."""
    if coder.contraction:
        built.ties.append(Tie(len(built.layers), built.dense[-1]))
        built.layers.append(Contraction(n_below, function, coder.contraction))
    if is_code:
        costs = (coder.sparsity, coder.neighborhoods)
        built.layers.extend(cost for cost in costs if cost is not None)


def _append_dropout(built: _Built, share: float) -> None:
    built.layers.extend([Dropout(share)] if share else [])


# Where training begins ------------------------------------------------------------------------


class Columns(NamedTuple):
    """Mean and variance (columns,) of the known entries of each column, and the weight of all rows."""

    mean: Array
    variance: Array
    total: float


def columns_of(X: Any, weights: Array | None = None) -> Columns:
    """Moments of the known entries of `X` (rows, columns), dense or CSR, in double precision.

    A column without a known entry has the mean zero and the variance zero.
    """
    w = np.ones(X.shape[0]) if weights is None else np.asarray(weights, np.float64)
    whole = float(w.sum())
    w = w / max(whole, np.finfo(float).tiny)
    total, sums, squares = np.zeros((3, X.shape[1]))
    for shares, x in _blocks(X, w):
        known = ~np.isnan(x)
        filled = np.where(known, x, 0).astype(np.float64)
        total += shares @ known
        sums += shares @ filled
        squares += shares @ filled**2
    total = np.maximum(total, np.finfo(float).tiny)
    mean = sums / total
    return Columns(mean, np.maximum(squares / total - mean**2, 0), whole)


def _blocks(X: Any, weights: Array) -> Iterator[tuple[Array, Array]]:
    """Weights of the rows of consecutive dense blocks, and the rows."""
    for first, x in blocks(X):
        yield weights[first : first + len(x)], x


def start(
    network: Network,
    key: Key,
    dtype: Any,
    columns: Columns,
    known: Sequence[tuple[Array, Array]] = (),
) -> Parameters:
    """Parameters with which training begins: those of the `known` dense layers, or random ones.

    Random networks begin where the prediction is the mean of each column, and the first hidden layer has inputs of mean
    zero. Columns of counts are divided by their standard deviations, as far as these are above one.
    """
    drawn = network.drawn(fold(key, 0), dtype)
    inputs = network.layers[0].initial(network.n_in, key, dtype)
    inputs.fill[:] = columns.mean
    if known:
        return with_layers(network, (inputs, *drawn[1:]), known)
    counts = network.loss.counts(network.n_in)
    inputs.factor[counts] = 1 / np.maximum(np.sqrt(columns.variance[counts]), 1)
    first = next(k for k in count() if isinstance(network.layers[k], Dense))
    drawn[first].bias[:] = -(columns.mean * inputs.factor) @ drawn[first].W
    drawn[-1].bias[:] = network.loss.linear(columns.mean.astype(dtype), 0.5 / (columns.total + 1))
    return network.tied((inputs, *drawn[1:]))


def neutral_params(network: Network, dtype: Any) -> list[Any]:
    """Parameters of layers that change nothing, and of costs; () of the others."""
    pairs = zip(network.layers, network.widths, strict=False)
    return [
        layer.initial(n_in, Key(0, 0), dtype) if isinstance(layer, Inputs | Contraction) else ()
        for layer, n_in in pairs
    ]


def check_tied(network: Network, layers: Sequence[Any]) -> None:
    """Refuse weights of dense layers that are to be shared and differ; ValueError."""
    dense_layers = [k for k, layer in enumerate(network.layers) if isinstance(layer, Dense)]
    weights = dict(zip(dense_layers, layers, strict=True))
    for layer, of, _, _ in network.ties:
        if layer in weights and not np.array_equal(weights[layer].W, weights[of].W.T):
            k, j = dense_layers.index(layer), dense_layers.index(of)
            raise ValueError(
                f"tied=True: the weights {k} of the decoder must be those of layer {j} of the encoder, transposed. Set "
                "both, or use tied=False."
            )


def loss_for(X: Any) -> str:
    """Name of the loss for the known entries of `X`, dense or CSR, by their values.

    "binary_cross_entropy" for bits and for values in [0, 1], up to rounding, that vary at least :data:`LIKE_BITS` times
    as much as bits of the same means. Other values in that range are real numbers that happen to be small, such as
    scaled columns. They have "squared_error", as counts have: whether counts are to be compared on the scale of their
    logarithms, their values do not say.
    """
    values = X.data if is_sparse(X) else X
    least, most = (f(values, initial=0.0, where=~np.isnan(values)) for f in (np.min, np.max))
    inside = least >= -ROUNDING and most <= 1 + ROUNDING
    return "binary_cross_entropy" if inside and _vary_as_bits(X) else "squared_error"


def _vary_as_bits(X: Any) -> bool:
    """Whether the variances of the columns are a large share of those of bits, m (1 - m), over all columns."""
    count, total, squares = np.zeros((3, X.shape[1]))
    for _, block in blocks(X):
        known = ~np.isnan(block)
        x = np.where(known, block, 0).astype(np.float64)
        count, total, squares = (
            count + known.sum(axis=0),
            total + x.sum(axis=0),
            squares + (x**2).sum(axis=0),
        )
    mean, square = (some / np.maximum(count, 1) for some in (total, squares))
    return bool((square - mean**2).sum() >= LIKE_BITS * (mean * (1 - mean)).sum())


def encoder_layers(
    network: Network, n_code: int, params: Parameters
) -> list[tuple[Layer, tuple[Array, Array]]]:
    """The activation of each layer of an encoder, and its weights and biases, for rows that are not scaled.

    Raises
    ------
    ValueError
        If a layer has more parameters than weights and biases.
    """
    layers = list(zip(network.layers[:n_code], params[:n_code], strict=True))
    dense_params = [p for layer, p in layers if isinstance(layer, Dense)]
    without = Dense | Inputs | Dropout | CodeNoise
    others = [x for x, _ in layers if not isinstance(x, without) and not x.has_cost]
    if any(isinstance(x, BatchNorm | PReLU | Maxout) for x in others):
        kinds = [type(x).__name__ for x in others]
        raise ValueError(
            f"Layers with more parameters than weights and biases cannot be handed on. Got {kinds}."
        )
    factor = params[0].factor
    weights = [p.W if k else p.W * factor[:, None] for k, p in enumerate(dense_params)]
    pairs = [(W, p.bias) for W, p in zip(weights, dense_params, strict=True)]
    return list(zip(others, pairs, strict=True))


def decoder_layers(network: Network, n_code: int, params: Parameters) -> list[tuple[Array, Array]]:
    """Weights and biases of the dense layers of a decoder, that of the outputs first."""
    found = [
        (p.W, p.bias)
        for layer, p in zip(network.layers[n_code:], params[n_code:], strict=True)
        if isinstance(layer, Dense)
    ]
    return found[::-1]


# Up, down, and what is lost on the way ------------------------------------------------------------


def encoder_of(network: Network, n_code: int) -> Network:
    """The first `n_code` layers, as a network of their own for ``params[:n_code]``."""
    return Network(network.n_in, network.layers[:n_code], network.loss)


def decoder_of(network: Network, n_code: int) -> Network:
    """The other layers, as a network of their own for ``params[n_code:]``."""
    return Network(network.widths[n_code], network.layers[n_code:], network.loss)


def codes(network: Network, n_code: int, params: Parameters, x: Any) -> Array:
    """The codes (rows, units) of rows `x` (rows, columns), of which missing entries (NaN) are filled in."""
    return encoder_of(network, n_code).linear(params[:n_code], x)


def decoded(network: Network, n_code: int, params: Parameters, y: Array) -> Array:
    """The predictions (rows, columns) of codes `y` (rows, units)."""
    return decoder_of(network, n_code).predict(params[n_code:], y)


def bits(network: Network, n_code: int, params: Parameters, x: Any) -> Array:
    """The codes of rows as zeros and ones in uint8: whether logistic ones are above a half, and others above zero."""
    functions = [layer for layer in network.layers[:n_code] if isinstance(layer, Activation)]
    threshold = 0.5 if functions and isinstance(functions[-1], Logistic) else 0.0
    return (codes(network, n_code, params, x) > threshold).astype(np.uint8)


def reconstruction_losses(network: Network, params: Parameters, x: Any) -> Array:
    """The loss of the known entries of each row (rows,), in double precision, beyond that of a perfect prediction.

    With the cross-entropy of probabilities that are neither zero nor one, also a perfect prediction has a loss.
    """
    targets = dense(x)
    return network.loss.of_rows(network.linear(params, x), targets) - network.loss.least(targets)


def completed(network: Network, params: Parameters, x: Array, n_steps: int) -> Array:
    """The rows `x` with predictions in the place of missing entries (NaN), in a new array.

    The first prediction sees the means of the columns there, and each further one the prediction before.
    """
    missing = np.isnan(x)
    filled = x
    for _ in range(n_steps):
        filled = np.where(missing, network.predict(params, filled), x)
    return filled


def constant_loss(network: Network, X: Any, columns: Columns, weights: Array | None) -> float:
    """The weighted mean loss of the rows, if the mean of each column is predicted for every row."""
    w = np.ones(X.shape[0]) if weights is None else weights
    z = network.loss.linear(columns.mean.astype(X.dtype))
    total = sum(
        float(shares @ network.loss.of_rows(np.tile(z, (len(x), 1)), x))
        for shares, x in _blocks(X, w)
    )
    return total / float(w.sum())
