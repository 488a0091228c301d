"""How an embedding by neighborhood components is laid out as the code of an autoencoder.

The argument `self` is the estimator.
"""

from typing import Any

from ebm._checks import Array
from ebm._random import stream
from ebm.networks.autoencoder import Coder, autoencoder, columns_of, start
from ebm.networks.neighborhoods import NeighborhoodCost, Scaled
from ebm.networks.network import Network
from ebm.sklearn_compat._shared._validation import column_names
from ebm.sklearn_compat.networks._autoencoder_settings import check_reach, chosen_loss, unrolled
from ebm.sklearn_compat.networks._mlp_settings import dropouts_of
from ebm.sklearn_compat.networks._pretraining import (
    Start,
    activations_after,
    pretrained,
    sizes_after,
)


def coder_of(self: Any, begun: Start, n_components: int) -> Coder:
    """The layers of the encoder, the embedding being the last of them, and their mirror image."""
    hidden = sizes_after(begun, self.hidden_layer_sizes)
    functions = activations_after(begun, self.activation, len(hidden))
    return Coder(
        (*hidden, n_components),
        hidden[::-1],
        (*functions, "identity"),
        functions[::-1],
        (*dropouts_of(self, len(hidden)), *[0.0] * (1 + len(hidden))),
        batch_norm=self.batch_norm,
        init=self.init,
        neighborhoods=NeighborhoodCost(float(self.supervision)),
    )


def lay_out(
    self: Any, X: Any, weights: Array | None, n_components: int
) -> tuple[Any, Network, Any]:
    """The fitted pre-training or None, the network with a decoder, and its parameters where the former has come to."""
    begun = pretrained(self.pretraining, X, weights, self._own_seed(), column_names(self))
    coder, loss = coder_of(self, begun, n_components), chosen_loss(self, begun, X)
    check_reach(loss, X)
    network, _ = autoencoder(X.shape[1], coder, Scaled(loss, 1 - float(self.supervision)))
    key, known = stream(self._own_seed(), "init"), unrolled(begun, coder)
    return begun.fitted, network, start(network, key, X.dtype, columns_of(X, weights), known)
