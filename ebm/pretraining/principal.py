"""Autoencoders that begin as principal components: the best linear code, while everything else is to be learned.

Orthonormal components V (columns, r) and the mean m of the rows x make the code z = V'(x - m), and with the squared
error the reconstruction m + V z. A hidden layer carries a number z exactly where its activation f has

    f(z) - f(-z) = c z,    c = 1 for the rectifier and for softplus, 1 + slope for leaky rectifiers:

two of its units have the inputs z and -z, and the layer above takes the difference of their outputs over c. So the
first 2 r units of a hidden layer, or r of one without an activation, carry r components. All other units have random
weights from below, and none to units that carry: training begins at the principal components, and gives these units
weights. Where rows or units are too few for all components of the code, the first ones are carried.

With other losses, and with missing entries, the outputs are the generalized linear model of the columns given the code.
Tied weights are for the squared error alone.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._random import Key, normal
from ebm._sparse import blocks, is_sparse
from ebm.networks.activations import Activation, Identity, LeakyReLU, PReLU, ReLU, Softplus
from ebm.networks.batch_norm import BatchNorm
from ebm.networks.column_losses import KnownEntries
from ebm.networks.dense import Dense, DenseParameters
from ebm.networks.inputs import InputsParameters
from ebm.networks.layer import Layer
from ebm.networks.losses import Loss, SquaredError
from ebm.networks.network import Network, Parameters
from ebm.optimizers.lbfgs import lbfgs

# Columns up to which the covariance matrix is made. Beyond, a subspace with some directions more is iterated.
LARGEST_COVARIANCE, MORE, N_PASSES = 2048, 10, 8
# Share of the largest variance below which a direction counts as none.
NEGLIGIBLE = 1e-10
# Of the linear model of the outputs: iterations, and the factor on half the squared weights, in rows.
N_ITERATIONS, PENALTY = 20, 1.0


class Carrier(NamedTuple):
    """How a layer carries numbers: by one unit each or by pairs of units, and the factor c on what comes out."""

    paired: bool
    factor: float

    def taken_in(self, below: Array) -> Array:
        """Weights into the units that carry, from those that make the numbers of what is `below`."""
        return np.hstack([below, -below]) if self.paired else below

    def given_out(self, n: int) -> Array:
        """Weights that make `n` numbers of the units that carry them."""
        one = np.eye(n)
        return np.vstack([one, -one]) / self.factor if self.paired else one


def carrier(function: Layer | None) -> Carrier | None:
    """How a layer with this activation carries numbers; None where it cannot."""
    match function:
        case Identity():
            return Carrier(False, 1.0)
        case ReLU() | Softplus():
            return Carrier(True, 1.0)
        case LeakyReLU(slope) | PReLU(slope) if slope > -1:
            return Carrier(True, 1.0 + slope)
    return None


def _dense(network: Network) -> list[int]:
    return [k for k, layer in enumerate(network.layers) if isinstance(layer, Dense)]


def _functions(network: Network) -> list[Layer | None]:
    """The activation above each dense layer but the last; None for what is none."""
    found: list[Layer | None] = []
    for a, b in pairwise(_dense(network)):
        between = network.layers[a + 1 : b]
        functions = [x for x in between if isinstance(x, Activation)]
        normalized = any(isinstance(x, BatchNorm) for x in between)
        found.append(None if normalized or not functions else functions[0])
    return found


def cannot_begin(network: Network, n_code: int) -> str:
    """Why an autoencoder with `n_code` layers of the encoder cannot begin as principal components, or ''."""
    functions = _functions(network)
    code = functions[sum(k < n_code for k in _dense(network)) - 1]
    if not isinstance(code, Identity):
        return "the code has an activation or batch_norm"
    if any(carrier(f) is None for f in functions):
        return "a hidden layer is neither linear nor a rectifier, or has batch_norm"
    if not _room(network):
        return "a hidden layer has too few units"
    if network.ties and not _is_squared(network.loss):
        return "the weights are tied, and the loss is not the squared error"
    if network.ties and any(isinstance(f, Softplus) for f in functions):
        return "the weights are tied, and softplus is not zero at zero"
    return ""


def _is_squared(loss: Loss) -> bool:
    return isinstance(loss.loss if isinstance(loss, KnownEntries) else loss, SquaredError)


class Components(NamedTuple):
    """Orthonormal directions V (columns, components), and the variances along them, the largest first."""

    V: Array
    variances: Array


def principal_components(X: Any, inputs: InputsParameters, weights: Array, n: int) -> Components:
    """The first components of the rows `X` (rows, columns), dense or CSR, as a network takes them in.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (rows, columns)
    inputs : InputsParameters
        The means of the columns, which stand for missing entries, and the factors on columns.
    weights : ndarray of shape (rows,)
    n : int
        Largest number of components. Directions without variance are left out.
    """
    d = X.shape[1]
    if d <= LARGEST_COVARIANCE:
        variances, V = np.linalg.eigh(_covariance_times(X, inputs, weights, np.eye(d)))
    else:
        Q = normal(Key(0, 0), (d, min(d, n + MORE)))
        for _ in range(N_PASSES):
            Q = np.linalg.qr(_covariance_times(X, inputs, weights, Q))[0]
        variances, U = np.linalg.eigh(Q.T @ _covariance_times(X, inputs, weights, Q))
        V = Q @ U
    there = variances > NEGLIGIBLE * max(variances[-1], np.finfo(float).tiny)
    variances, V = variances[there][::-1][:n], V[:, there][:, ::-1][:, :n]
    largest = V[np.argmax(abs(V), axis=0), np.arange(V.shape[1])]
    return Components(V * np.sign(largest), variances)


def _centered(X: Any, inputs: InputsParameters) -> Iterator[tuple[slice, Array]]:
    """Rows of consecutive blocks in double precision, scaled and centered; missing entries are zero."""
    for first, x in blocks(X):
        apart = (x.astype(np.float64) - inputs.fill) * inputs.factor
        yield slice(first, first + len(x)), np.where(np.isnan(apart), 0, apart)


def _covariance_times(X: Any, inputs: InputsParameters, weights: Array, Q: Array) -> Array:
    """The covariance matrix times Q (columns, directions); the matrix itself for the unit matrix."""
    whole = len(Q) == Q.shape[1]
    product = np.zeros_like(Q)
    for rows, x in _centered(X, inputs):
        shares = weights[rows, None] / weights.sum()
        product += (x * shares).T @ (x if whole else x @ Q)
    return product


def principal_start(
    network: Network, params: Parameters, X: Any, weights: Array | None = None
) -> Parameters:
    """Parameters with which an autoencoder begins as principal components of the rows.

    Parameters
    ----------
    network : Network
        Of which :func:`cannot_begin` finds nothing to say.
    params : tuple of NamedTuple
        From :func:`ebm.networks.autoencoder.start`: what the other units have.
    X : {ndarray, CSR matrix} of shape (rows, columns)
    weights : ndarray of shape (rows,), optional

    Returns
    -------
    params : tuple of NamedTuple
        With new arrays in the dense layers.
    """
    w = np.ones(X.shape[0]) if weights is None else np.asarray(weights, np.float64)
    *places, last = _dense(network)
    carriers = [c for c in map(carrier, _functions(network)) if c is not None]
    components = principal_components(X, params[0], w, _room(network))
    D, bias = decoder(network.loss, X, params[0], w, components, params[last].bias)
    found, below = list(params), components.V
    for k, c in zip(places, carriers, strict=True):
        found[k] = _carry(params[k], c.taken_in(below))
        below = c.given_out(len(D))
    first = found[places[0]]
    first.bias[:] = -(params[0].fill * params[0].factor) @ first.W
    found[last] = _carry(params[last], below @ D, alone=True)
    found[last].bias[:] = bias
    return network.tied(tuple(found))


def _room(network: Network) -> int:
    """How many numbers every hidden layer has the units to carry."""
    widths = [network.widths[k + 1] for k in _dense(network)[:-1]]
    carriers = map(carrier, _functions(network))
    return min(
        n // 2 if c is not None and c.paired else n for n, c in zip(widths, carriers, strict=True)
    )


def _carry(layer: DenseParameters, W: Array, alone: bool = False) -> DenseParameters:
    """New parameters with the weights `W` from and to the first units, and none from others to these.

    With `alone` no weight is left but these.
    """
    new = DenseParameters(layer.W.copy(), layer.bias.copy())
    new.W[:, : None if alone else W.shape[1]] = 0
    new.W[: len(W), : W.shape[1]] = W
    new.bias[: W.shape[1]] = 0
    return new


def decoder(
    loss: Loss, X: Any, inputs: InputsParameters, weights: Array, found: Components, bias: Array
) -> tuple[Array, Array]:
    """Weights (components, columns) and biases (columns,) from the code to the outputs.

    With the squared error and without missing entries these are the components and the means, else those of the
    generalized linear model of the columns given the code. Its weights by components of variance one have a small
    penalty, and its search begins at the prediction `bias` without weights.
    """
    values = X.data if is_sparse(X) else X
    if _is_squared(loss) and not np.isnan(values).any():
        return found.V.T, inputs.fill
    n, d = found.V.shape[1], X.shape[1]
    scales = np.sqrt(found.variances)
    shares, penalty = weights / weights.sum(), PENALTY / max(1.0, weights.sum())
    codes = [x @ found.V / scales for _, x in _centered(X, inputs)]

    def cost(theta: Array) -> tuple[float, Array]:
        D, b = theta[: n * d].reshape(n, d), theta[n * d :]
        value, slopes, slopes_b = 0.5 * penalty * float(np.vdot(D, D)), penalty * D, np.zeros(d)
        for z, (first, x) in zip(codes, blocks(X), strict=True):
            rows = slice(first, first + len(x))
            part, delta = loss.evaluate(z @ D + b, x.astype(np.float64), shares[rows])
            value += part
            slopes -= z.T @ delta
            slopes_b -= delta.sum(axis=0)
        return value, np.append(slopes.ravel(), slopes_b)

    begin = np.append(np.zeros(n * d), bias.astype(np.float64))
    with np.errstate(
        all="ignore"
    ):  # a step that is too long has an infinite cost, and is not taken
        theta, _, message = lbfgs(cost, begin, max_iter=N_ITERATIONS, tol=1e-4)
    if message.startswith("interrupted"):
        raise KeyboardInterrupt
    return theta[: n * d].reshape(n, d) / scales[:, None], theta[n * d :]
