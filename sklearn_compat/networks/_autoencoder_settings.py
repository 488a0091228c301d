"""How an autoencoder is laid out: sizes, activations and loss, from settings, data and pre-training.

The argument `self` is the estimator.
"""

from typing import Any

import numpy as np

from ebm._checks import Array, shown
from ebm._random import stream
from ebm._sparse import blocks
from ebm.networks.autoencoder import Coder, autoencoder, columns_of, loss_for, start
from ebm.networks.column_losses import KnownEntries, loss_of_units
from ebm.networks.corruption import corruption_record
from ebm.networks.losses import Loss, loss_record
from ebm.networks.network import Network
from ebm.pretraining import cannot_begin, principal_start
from ebm.sklearn_compat._shared._validation import column_names, warn_user
from ebm.sklearn_compat.networks._mlp_settings import dropouts_of, regularization_of
from ebm.sklearn_compat.networks._pretraining import (
    NOWHERE,
    Start,
    activations_after,
    decoder_layers,
    is_coder,
    pretrained,
    sizes_after,
)
from ebm.sklearn_compat.rbm._layer import generation_of

# Units of the layer below the code, and most units of the code, where nobody says how many.
WIDE, LARGEST_CODE = 100, 32
# Names of the start at principal components: where it is possible, and in any case.
PRINCIPAL = ("auto", "pca")


# Sizes and activations ----------------------------------------------------------------------------


def sizes_of(self: Any, start: Start, n_in: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Units of the layers of the encoder and of those of the decoder."""
    automatic = isinstance(self.hidden_layer_sizes, str) and not start.layers
    encoder = (
        (WIDE, max(1, min(LARGEST_CODE, n_in // 2)))
        if automatic
        else sizes_after(start, self.hidden_layer_sizes)
    )
    if not encoder:
        raise ValueError("hidden_layer_sizes must have one entry at least, the units of the code.")
    mirrored = encoder[-2::-1]
    if self.decoder_layer_sizes is None:
        return encoder, mirrored
    empty = isinstance(self.decoder_layer_sizes, list | tuple) and not self.decoder_layer_sizes
    try:
        decoder = () if empty else sizes_after(NOWHERE, self.decoder_layer_sizes)
    except ValueError as error:
        message = str(error).replace("hidden_layer_sizes", "decoder_layer_sizes")
        raise ValueError(message) from None
    if start.layers and decoder != mirrored:
        raise ValueError(
            f"decoder_layer_sizes={shown(list(decoder))} does not agree with the pretraining, whose layers the decoder "
            f"has in reverse order: {list(mirrored)}. Use None."
        )
    return encoder, decoder


def coder_of(self: Any, start: Start, n_in: int) -> Coder:
    """The layers of both halves."""
    encoder, decoder = sizes_of(self, start, n_in)
    named = isinstance(self.activation, str) and self.activation == "auto"
    above = activations_after(start, self.activation, len(encoder))
    if named and not start.layers:
        linear = self.sparsity is None and not self.code_noise
        above = (*above[:-1], "identity" if linear else "logistic")
    mirrored = above[-2::-1]
    below = mirrored
    if len(decoder) != len(mirrored):
        below = ("relu" if named else above[0],) * len(decoder)
    return Coder(
        encoder,
        decoder,
        above,
        below,
        dropouts_of(self, len(encoder) + len(decoder)),
        self.tied,
        self.batch_norm,
        "glorot" if _is_principal(self.init) else self.init,
        None if self.corruption is None else corruption_record(self.corruption),
        self.sparsity,
        float(self.contraction),
        float(self.code_noise),
    )


def warn_copying(self: Any, coder: Coder, n_in: int) -> None:
    """Warn of a code that is wide enough to hold a copy of the inputs, where nothing prevents that."""
    held = regularization_of(self)
    bounds = (coder.corruption, coder.sparsity, coder.contraction, coder.code_noise, *coder.dropout)
    bounded = any(bounds)
    if coder.encoder[-1] <= n_in or bounded or held.l1 or held.max_norm:
        return
    warn_user(
        f"The code has {coder.encoder[-1]} units for {n_in} columns, so the network can learn to copy its inputs. Use "
        "corruption, sparsity, contraction or dropout, or a smaller code in hidden_layer_sizes.",
        UserWarning,
    )


# Losses -------------------------------------------------------------------------------------------


def chosen_loss(self: Any, start: Start, X: Any) -> Loss:
    """The loss of the known entries: the one given, that of the pre-trained units, or by the values of `X`."""
    automatic = isinstance(self.loss, str) and self.loss == "auto"
    if not start.layers:
        return KnownEntries(loss_record(loss_for(X) if automatic else self.loss))
    known, source = loss_before(start, X.shape[1])
    if automatic:
        return KnownEntries(known)
    given = loss_record(self.loss)
    if given.out_activation != known.out_activation:
        raise ValueError(
            f"loss={given!r} does not agree with the pretraining, which has {source}. Use loss='auto', or another "
            "pretraining."
        )
    return KnownEntries(given)


def loss_before(start: Start, n_in: int) -> tuple[Loss, str]:
    """The loss of the pre-training, and words about where it comes from."""
    first = start.fitted[0] if isinstance(start.fitted, list) else start.fitted
    if is_coder(first):
        loss: Loss = first.network_.loss.loss
        return loss, f"the loss {loss!r}"
    unit = generation_of(first)[0][0]
    return loss_of_units(unit, n_in), f"the visible units {unit!r}"


def check_reach(loss: Loss, X: Any) -> None:
    """Refuse rows with values that the prediction cannot have."""
    for _, block in blocks(X):
        loss.check_targets(block)


# Both together ------------------------------------------------------------------------------------


def unrolled(start: Start, coder: Coder) -> list[Any]:
    """Weights and biases of the dense layers, from the inputs to the outputs; None where they are random."""
    if not start.layers:
        return []
    down = downward(start)
    if coder.tied and any(
        not np.array_equal(W, V.T) for (W, _), (V, _) in zip(start.layers, down, strict=True)
    ):
        raise ValueError(
            "tied=True does not agree with the pretraining, which goes up by other weights than down. Use tied=False."
        )
    random = [None] * (2 * (len(coder.encoder) - len(start.layers)))
    return [*start.layers, *random, *reversed(down)]


def downward(start: Start) -> list[tuple[Array, Array]]:
    """Weights and biases from each pre-trained layer to the one below, that of the inputs first."""
    parts = start.fitted if isinstance(start.fitted, list) else [start.fitted]
    if not is_coder(parts[0]):
        return [(W, bias) for _, (W, bias) in generation_of(start.fitted)]
    down = [pair for part in parts for pair in decoder_layers(part)]
    pairs = zip(start.layers, down, strict=False)
    if len(down) != len(start.layers) or any(W.shape != V.T.shape for (W, _), (V, _) in pairs):
        raise ValueError(
            "The decoder of the pretraining does not mirror its encoder. Leave decoder_layer_sizes None there."
        )
    return down


def network_from(self: Any, coder: Coder, loss: Loss, n_in: int) -> tuple[Network, int]:
    """The network, and the number of layers of its encoder; a code that can copy is remarked on."""
    network, n_code = autoencoder(n_in, coder, loss)
    warn_copying(self, coder, n_in)
    return network, n_code


def lay_out(self: Any, X: Any, weights: Array | None, n_outputs: int) -> tuple[Any, Network, Any]:
    """The fitted pre-training or None, the network, and its parameters where the pre-training has come to."""
    begun = pretrained(self.pretraining, X, weights, self._own_seed(), column_names(self))
    coder, loss = coder_of(self, begun, X.shape[1]), chosen_loss(self, begun, X)
    check_reach(loss, X)
    network, self._n_code = network_from(self, coder, loss, X.shape[1])
    key, known = stream(self._own_seed(), "init"), unrolled(begun, coder)
    params = start(network, key, X.dtype, columns_of(X, weights), known)
    if begins_as_components(self, begun, network):
        params = principal_start(network, params, X, weights)
    return begun.fitted, network, params


def _is_principal(init: object) -> bool:
    return isinstance(init, str) and init in PRINCIPAL


def begins_as_components(self: Any, begun: Start, network: Network) -> bool:
    """Whether training begins at the principal components; ValueError where it is to and cannot."""
    if not _is_principal(self.init):
        return False
    reason = "there is pretraining" if begun.layers else cannot_begin(network, self._n_code)
    if reason and self.init == "pca":
        raise ValueError(f"init='pca' is not possible: {reason}. Use init='auto' or 'glorot'.")
    return not reason
