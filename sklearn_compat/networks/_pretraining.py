"""Initial layers of a network from a restricted Boltzmann machine or an autoencoder, or from a stack of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array, shown
from ebm._random import Reserved, fold, stream
from ebm.networks.activations import Logistic
from ebm.networks.feed_forward import activation_of, function_record
from ebm.sklearn_compat._shared._validation import draw_seed
from ebm.sklearn_compat.deep._augmented import augmented_layers, check_augments
from ebm.sklearn_compat.rbm._layer import name_columns, recognition_of


class Start(NamedTuple):
    """Pre-trained layers.

    Attributes
    ----------
    fitted : estimator, list of estimators, or None
        The fitted pre-training.
    layers : list of tuple
        Weights (n_in, n_out) and biases (n_out,) of each layer.
    functions : list of str or Layer
        The activation of each layer: that of the encoder, or the mean of the hidden units.
    trained_with : list of str
        Units or activation of each layer in words, for messages.
    """

    fitted: Any
    layers: list[tuple[Array, Array]]
    functions: list[Any]
    trained_with: list[str]


NOWHERE = Start(None, [], [], [])


def pretrained(
    pretraining: Any, X: Any, sample_weight: Any, seed: int, columns: Array | None = None
) -> Start:
    """Layers of a clone of `pretraining` that is fitted on `X` with these `columns`, or of `pretraining` if frozen.

    Of a list of autoencoders each learns from the codes of the one before. Its automatic loss is the one whose
    prediction is logistic, as the codes are, if they are.
    """
    if pretraining is None:
        return NOWHERE
    if not isinstance(pretraining, list | tuple):
        return layers_of(fitted_on(pretraining, X, sample_weight, seed, columns))
    if not all(is_coder(x) for x in pretraining):
        raise ValueError(
            f"A list as pretraining must hold autoencoders. Got {shown(list(pretraining))}."
        )
    parts: list[Start] = []
    for k, coder in enumerate(pretraining):
        named = columns if k == 0 else None
        if k and isinstance(parts[-1].functions[-1], Logistic) and has_automatic_loss(coder):
            coder = clone(coder).set_params(loss="binary_cross_entropy")
        parts.append(layers_of(fitted_on(coder, X, sample_weight, _seed_of(seed, k), named)))
        if k < len(pretraining) - 1:
            X = parts[-1].fitted.transform(X)
    return Start(
        [part.fitted for part in parts],
        [x for part in parts for x in part.layers],
        [x for part in parts for x in part.functions],
        [x for part in parts for x in part.trained_with],
    )


def has_automatic_loss(coder: Any) -> bool:
    """Whether it is to be fitted, and its loss follows its rows."""
    loss = getattr(coder, "loss", None)  # a frozen one has none of its own
    return isinstance(loss, str) and loss == "auto"


def _seed_of(seed: int, k: int) -> int:
    """Of autoencoder `k` of a list; the first has the network's own."""
    return fold(stream(seed, "init"), Reserved.LAYER_SEEDS.number + k).word0 if k else seed


def fitted_on(
    pretraining: Any, X: Any, sample_weight: Any, seed: int, columns: Array | None
) -> Any:
    """A clone of an estimator that is fitted on these rows, or the one that is frozen."""
    if isinstance(pretraining, FrozenEstimator):
        fitted = pretraining.estimator
        _check_stack(fitted)
        check_is_fitted(fitted)
    else:
        _check_stack(pretraining)
        fitted = clone(pretraining)
        if getattr(fitted, "random_state", 0) is None:
            fitted.set_params(random_state=draw_seed(seed))
        name_columns(fitted, columns)
        fitted.fit(X, sample_weight=sample_weight)
    if fitted.n_features_in_ != X.shape[1]:
        raise ValueError(
            f"pretraining was fitted on {fitted.n_features_in_} features, but X has {X.shape[1]}. Use the same "
            "features, or an unfitted estimator."
        )
    return fitted


def layers_of(fitted: Any) -> Start:
    """The layers of a fitted machine, stack or autoencoder."""
    if hasattr(fitted, "_recognition"):
        return _start_of(fitted, recognition_of(fitted))
    functions, layers = zip(*encoder_layers(fitted), strict=True)
    kinds = [f"the activation {type(f).__name__}" for f in functions]
    return Start(fitted, list(layers), list(functions), kinds)


def augmented(start: Start) -> Start:
    """The pre-trained layers where the means of the second hidden layer are inputs, too; ValueError without one."""
    check_augments(start.fitted)
    return _start_of(start.fitted, augmented_layers(start.fitted))


def _start_of(fitted: Any, recognition: list[tuple[Any, tuple[Array, Array]]]) -> Start:
    units, layers = zip(*recognition, strict=True)
    kinds = [f"{type(unit).__name__} units" for unit in units]
    return Start(fitted, list(layers), [activation_of(unit) for unit in units], kinds)


def encoder_layers(self: Any) -> list[tuple[Any, tuple[Array, Array]]]:
    """The activations of the layers of a fitted encoder, and their weights and biases."""
    found: list[tuple[Any, tuple[Array, Array]]] = self._encoder_layers()
    return found


def decoder_layers(self: Any) -> list[tuple[Array, Array]]:
    """Weights and biases of the dense layers of a fitted decoder, that of the outputs first."""
    found: list[tuple[Array, Array]] = self._decoder_layers()
    return found


def is_coder(pretraining: Any) -> bool:
    """Whether an estimator, frozen or not, is an autoencoder."""
    frozen = isinstance(pretraining, FrozenEstimator)
    return hasattr(pretraining.estimator if frozen else pretraining, "_encoder_layers")


def _check_stack(pretraining: Any) -> None:
    if not hasattr(pretraining, "_recognition") and not is_coder(pretraining):
        raise ValueError(
            "pretraining must be None, or a restricted Boltzmann machine, a DBN, a DBM or an Autoencoder that is "
            f"unfitted or in a FrozenEstimator, or a list of Autoencoders. Got {pretraining!r} instead."
        )


def sizes_after(start: Start, sizes: Any) -> tuple[int, ...]:
    """Units of the hidden layers: "auto" is the sizes of the pre-trained layers, or (100,) without pre-training."""
    trained = tuple(len(bias) for _, bias in start.layers)
    if isinstance(sizes, str):
        return trained or (100,)
    sizes = tuple(np.atleast_1d(sizes)) if isinstance(sizes, np.ndarray) else sizes
    sizes = tuple(sizes) if hasattr(sizes, "__iter__") else (sizes,)
    if any(isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1 for n in sizes):
        raise ValueError(f"hidden_layer_sizes must be positive integers. Got {shown(list(sizes))}.")
    sizes = tuple(int(n) for n in sizes)
    if sizes[: len(trained)] != trained:
        raise ValueError(
            f"hidden_layer_sizes={sizes} must begin with the layers of the pretraining, {trained}. Use 'auto', or "
            "append layers to these."
        )
    return sizes


def activations_after(start: Start, activation: Any, n_layers: int) -> tuple[Any, ...]:
    """One activation for each hidden layer: "auto" is that of the pre-trained layer, or "relu" without any."""
    known = start.functions
    given: Sequence[Any]
    given = activation if isinstance(activation, list | tuple) else [activation] * n_layers
    if len(given) != n_layers:
        raise ValueError(
            f"activation has {len(given)} entries for {n_layers} hidden layers. Give one entry for each layer, or a "
            "single activation."
        )
    rest = known[-1] if known else "relu"
    chosen = []
    for k, name in enumerate(given):
        trained = known[k] if k < len(known) else rest
        if k < len(known) and name != "auto" and function_record(name) != function_record(trained):
            raise ValueError(
                f"activation={name!r} does not agree with the pretraining: layer {k + 1} was trained with "
                f"{start.trained_with[k]}, and has the activation {trained!r}. Use activation='auto', or other layers "
                "in the pretraining."
            )
        chosen.append(trained if name == "auto" else name)
    return tuple(chosen)
