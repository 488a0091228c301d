"""Networks of arrays that were trained elsewhere: what `from_parameters` does. The argument `self` is the network."""

from dataclasses import replace
from typing import Any

import numpy as np

from ebm._checks import Array, check_flag
from ebm.networks.autoencoder import check_tied, neutral_params
from ebm.networks.column_losses import KnownEntries
from ebm.networks.given import sizes_of, with_given
from ebm.networks.losses import loss_record
from ebm.sklearn_compat._shared._labels import new_binarizer, sorted_classes
from ebm.sklearn_compat._shared._learning import keep_attributes
from ebm.sklearn_compat._shared._validation import draw_seed
from ebm.sklearn_compat.networks._autoencoder_settings import coder_of, network_from
from ebm.sklearn_compat.networks._fitting import begin_course, tell_course
from ebm.sklearn_compat.networks._mlp_settings import network_for
from ebm.sklearn_compat.networks._pretraining import NOWHERE


def keep_given(self: Any, layers: Any, layer_params: Any) -> None:
    """Become the network of these dense layers."""
    if self.pretraining is not None:
        raise ValueError(
            "The given weights take the place of pretraining: leave it None, and name the activation."
        )
    if self.mean_field_inputs:
        raise ValueError(
            "mean_field_inputs=True takes a deep Boltzmann machine as pretraining. Given weights have none: set "
            "mean_field_inputs=False."
        )
    self._validate_params()
    self.set_params(hidden_layer_sizes=sizes_of(layers))
    n_in, n_out = len(layers[0].W), len(layers[-1].bias)
    self.network_ = network_for(self, NOWHERE, n_in, n_out)
    _keep_layers(self, layers, layer_params, n_in, n_out)


def _keep_layers(self: Any, layers: Any, layer_params: Any, n_in: int, n_out: int) -> None:
    """Keep the parameters of the network that is laid out."""
    keep_attributes(self, self._named(with_given(self.network_, layers, layer_params)))
    self.n_features_in_, self.n_outputs_, self.pretraining_ = n_in, n_out, None
    self._course = replace(self._course, seed=draw_seed(self.random_state))
    begin_course(self)
    tell_course(self, 0, 0, False)


def keep_coder(self: Any, layers: Any, layer_params: Any) -> None:
    """Become the autoencoder of these dense layers."""
    if self.pretraining is not None:
        raise ValueError(
            "The given weights take the place of pretraining: leave it None, and name the activation."
        )
    hidden = sizes_of(layers)
    n_in, n_out = len(layers[0].W), len(layers[-1].bias)
    if not hidden or n_in != n_out:
        raise ValueError(
            "coefs must hold the weights of two layers at least, and the last must have as many outputs as the first "
            f"has inputs. Got {n_in} inputs, {n_out} outputs and {len(layers)} layers."
        )
    self._validate_params()
    named = isinstance(self.hidden_layer_sizes, str)
    n_encoder = (len(hidden) + 1) // 2 if named else np.size(self.hidden_layer_sizes)
    self.set_params(hidden_layer_sizes=hidden[:n_encoder], decoder_layer_sizes=hidden[n_encoder:])
    automatic = isinstance(self.loss, str) and self.loss == "auto"
    self.set_params(**({"loss": "squared_error"} if automatic else {}))
    coder = coder_of(self, NOWHERE, n_in)
    self.network_, self._n_code = network_from(
        self, coder, KnownEntries(loss_record(self.loss)), n_in
    )
    check_tied(self.network_, layers)
    others = (
        neutral_params(self.network_, layers[0].W.dtype) if layer_params is None else layer_params
    )
    _keep_layers(self, layers, others, n_in, n_out)


def keep_classes(self: Any, n_outputs: int, classes: Any, multilabel: bool) -> None:
    """Keep the classes of a network with so many outputs: those given, or their numbers."""
    if check_flag(multilabel, "multilabel"):
        self._label_binarizer = new_binarizer(_indicators_of(n_outputs), None)
    else:
        known = sorted_classes(self, range(max(2, n_outputs)) if classes is None else classes)
        self._label_binarizer = new_binarizer(known, known)
    self.classes_ = self._label_binarizer.classes_
    n_wanted = len(self.classes_) if multilabel or len(self.classes_) > 2 else 1
    if n_wanted != n_outputs:
        raise ValueError(
            f"{len(self.classes_)} classes need {n_wanted} outputs, but the last of coefs has {n_outputs} "
            "columns."
        )


def _indicators_of(n_outputs: int) -> Array:
    if n_outputs < 2:
        raise ValueError("multilabel needs two outputs at least, but the last of coefs has one.")
    return np.eye(n_outputs, dtype=int)
