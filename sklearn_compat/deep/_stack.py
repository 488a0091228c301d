"""The base class of stacks of machines: settings, features, and the belief network of the stack."""

from collections.abc import Callable, Iterable
from itertools import islice
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from ebm._arrays import has_gaps
from ebm._checks import Array, shown
from ebm._flat import dtype_of
from ebm._random import Key, fold
from ebm._sparse import as_dtype, row_blocks
from ebm.energies.belief_network import BeliefNetwork, BeliefParameters, Directed, from_rbms
from ebm.pretraining import Step
from ebm.sklearn_compat._shared import _density as density
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._settings import RECORD, NamedList, Number
from ebm.sklearn_compat._shared._validation import EXTRAPOLATION, check_rows, warn_outside
from ebm.sklearn_compat.deep._fine_tuning import fine_tuning_record, is_tuned
from ebm.sklearn_compat.deep._layers import block_of, chosen_layers, feature_rows, sized
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.sklearn_compat.rbm._layer import as_pair, density_of, model_of


class BaseStack(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """Stack of machines as a belief network (abstract).

    After fine-tuning, `_directed` has the generative and the recognition parameters of the layers below the top.

    Parameters
    ----------
    propagate : {"sample", "mean"}, default="sample"
        Training data of a layer: samples of the hidden units below given the data, new in every epoch, or their means.
        Theory guarantees a better bound with each layer for samples only. The spread of means shrinks from layer to
        layer.

    features : {"top", "all"} or int or list of int, default="top"
        Layers whose means `transform` returns, side by side: the topmost layer, all layers, or the given numbers, which
        start at 1.

    fine_tuning : {"up_down"} or FineTuning or UpDown or None, default=None
        Joint training of all layers after greedy training, by the up-down algorithm [1]_. Use a record for settings,
        ``FineTuning(n_iter=50, learning_rate=0.01)``, also reached as ``fine_tuning__n_iter``. Fine-tuning separates
        the parameters of recognition (upward) from those of generation (downward).

    verbose : int, default=0
        Whether to show the progress of all layers; a layer may also have its own `verbose`.

    random_state : int, RandomState instance or None, default=None
        Seed of the network. A layer without a seed gets one that is derived from this seed and the number of the layer.
        An int makes every result reproducible. See :term:`Glossary <random_state>`.

    warm_start : bool, default=False
        Whether `fit` continues from the last solution. If layers were appended to `layers`, only the new layers are
        trained. After fine-tuning, only fine-tuning continues.

    Attributes
    ----------
    rbms_ : list of RBM estimators
        The fitted machines, from the data up. Fine-tuning changes only the topmost machine. After an interrupt the list
        ends with the interrupted layer.

    recognition_components_ : list of ndarray of shape (n_units_above, n_units_below)
        Upward weights, layer by layer, which multiply the states of the units. Before fine-tuning they are the weights
        of `rbms_`. The topmost weights have no direction and are in both lists.

    recognition_intercepts_ : list of ndarray of shape (n_units_above,)
        Biases of the hidden units in upward passes.

    generative_components_ : list of ndarray of shape (n_units_above, n_units_below)
        Downward weights.

    generative_intercepts_ : list of ndarray of shape (n_units_below,)
        Biases of the units below in downward passes.

    history_ : dict of ndarray
        History of fine-tuning, one entry per epoch. Defined only after fine-tuning.

    histories_ : dict of dict of ndarray
        Histories by stage: "layer1", "layer2", ..., and "fine_tuning".
    """

    layers: Any
    features: Any
    propagate: str
    fine_tuning: Any
    warm_start: bool
    rbms_: list[BaseRBM]
    _directed: tuple[tuple[Directed, ...], tuple[Directed, ...]]
    _lists: ClassVar[dict[str, NamedList]] = {"layers": NamedList("layer", sized)}
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {"fine_tuning": fine_tuning_record}
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "layers": [list, tuple],
        "propagate": [StrOptions({"mean", "sample"})],
        "features": [
            StrOptions({"top", "all"}),
            Number(Integral, 1, None, closed="left"),
            list,
            tuple,
        ],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "fine_tuning": [StrOptions({"up_down"}), RECORD, None],
    }

    impute = density.impute

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self._learns_from_gaps
        return tags

    def _sk_visual_block_(self) -> Any:
        return block_of(self.layers)

    # Parameters of the core

    def _n_labels(self) -> int:
        """Number of label units of the topmost machine; 0 without labels."""
        raise NotImplementedError

    def _network(self) -> tuple[BeliefNetwork, BeliefParameters]:
        """The belief network of the stack; arrays are those of the machines.

        After an interrupt it may have no labels, because the machine that sees them is missing.
        """
        network, tied = from_rbms([as_pair(rbm) for rbm in self._fitted_machines()])
        if network.n_labels not in (0, self._n_labels()):
            raise ValueError(
                f"classes_ must have {network.n_labels} entries, as many as the joint machine has label units. "
                f"Got {self._n_labels()}. Set one that fits, or fit again."
            )
        down, up = self._directed
        return network, tied._replace(
            down=down + tied.down[len(down) :], up=up + tied.up[len(up) :]
        )

    def _density(self) -> density.Density[BeliefNetwork]:
        model, params = self._network()
        top = density_of(self.rbms_[-1])

        def first_states(n_rows: int, key: Key) -> Array:
            """Samples of the layers below, given the initial states of the topmost machine."""
            x, labels = model.split(top.first_states(n_rows, fold(key, 0)))
            x = [*model.sample_down(params, x, fold(key, 1)), x][0]
            return model.beside(x, labels)

        dtype = dtype_of(params)
        return density.Density(model, params, dtype, first_states, n_beside=model.n_labels)

    def _fitted_machines(self) -> list[BaseRBM]:
        """The fitted attribute `rbms_`, checked: users may have replaced it."""
        check_is_fitted(self, "rbms_")
        rbms = self.rbms_
        if not isinstance(rbms, list) or not rbms or not all(isinstance(x, BaseRBM) for x in rbms):
            raise ValueError(
                f"rbms_ must be a list of fitted RBM estimators, one for each layer. Got {shown(rbms)}. "
                "Set one, or fit again."
            )
        return rbms

    def _steps_up(self) -> list[Step]:
        """The model and parameters of each upward step."""
        model, params = self._network()
        return model.steps(params)

    @property
    def histories_(self) -> dict[str, dict[str, Array]]:
        """Histories by stage: "layer1", "layer2", ..., and "fine_tuning"."""
        found = {f"layer{k}": rbm.history_ for k, rbm in enumerate(self._fitted_machines(), 1)}
        return found | ({"fine_tuning": self.history_} if is_tuned(self) else {})

    @property
    def recognition_components_(self) -> list[Array]:
        """Upward weights, one ndarray of shape (n_units_above, n_units_below) per layer.

        The weights multiply the states of all types of units. The topmost weights have no direction.
        """
        return [model.recognition(params)[0].T for model, params in self._steps_up()]

    @property
    def recognition_intercepts_(self) -> list[Array]:
        """Biases of the hidden units in upward passes, one ndarray of shape (n_units_above,) per layer."""
        return [model.recognition(params)[1] for model, params in self._steps_up()]

    @property
    def generative_components_(self) -> list[Array]:
        """Downward weights, one ndarray of shape (n_units_above, n_units_below) per layer.

        The weights multiply the states of all types of units. The topmost weights have no direction.
        """
        model, params = self._network()
        unit, hidden_params = model.top_model.unit_layers(params.top)["hidden"]
        top = unit.statistic(hidden_params, model.top_model.arrays(params.top)["weights"])
        return [np.ascontiguousarray(W.T) for W in [*(layer.W for layer in params.down), top]]

    @property
    def generative_intercepts_(self) -> list[Array]:
        """Biases of the units below in downward passes, one ndarray of shape (n_units_below,) per layer."""
        model, params = self._network()
        top = model.top_model.arrays(params.top)["intercept_visible"]
        return [*(layer.params.bias for layer in params.down), top]

    # Up

    def _by_blocks(self, X: Any, function: Callable[[Any, Any, Any], Iterable[Array]]) -> Any:
        """The arrays that `function` makes of the network, its parameters and rows, applied block by block.

        Missing entries (NaN), where they are taken, are filled by `impute` before.
        """
        model, params = self._network()
        gaps = self._learns_from_gaps
        rows = check_rows(self, X, reset=False, allow_nan=gaps, unit=model.visible)
        rows, dtype = self.impute(rows) if has_gaps(rows) else rows, dtype_of(params)
        parts = [function(model, params, as_dtype(block, dtype)) for block in row_blocks(rows)]
        return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]

    def _chosen(self) -> list[int]:
        """Indices of the layers that `features` names."""
        return chosen_layers(self.features, len(self._fitted_machines()))

    @property
    def _n_features_out(self) -> int:
        return sum(len(self.rbms_[k].components_) for k in self._chosen())

    def transform(self, X: Any) -> Array:
        """Means of hidden units given `X`, for the topmost layer or the layers of the setting `features`.

        Each layer gets the means of the layer below as if they were states.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data. A stack that learns from missing entries (NaN) fills them by `impute` before.

        Returns
        -------
        H : ndarray of shape (n_samples, n_features_out)
            Features, in the dtype of the model; several layers are side by side.
        """
        chosen = self._chosen()
        means = self._by_blocks(
            X, lambda model, params, x: islice(model.means_up(params, x), max(chosen) + 1)
        )
        return np.hstack([means[k] for k in chosen])

    def layer_means(self, X: Any) -> list[Array]:
        """Means of the hidden units of all layers given `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        means : list of ndarray of shape (n_samples, n_units)
            One array per layer, from the lowest up.
        """
        means: list[Array] = self._by_blocks(X, BeliefNetwork.means_up)
        return means

    # Down

    def inverse_transform(self, X: Any) -> Array:
        """Means of the data given features: one downward pass of means.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            Features as from :meth:`transform`. Of several layers, only the topmost one is used.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Means of the data.
        """
        chosen = self._chosen()
        model, params = self._network()
        rows = as_dtype(feature_rows(X, self._n_features_out, self.features), dtype_of(params))
        widths = [len(self.rbms_[k].components_) for k in chosen]
        place = chosen.index(max(chosen))
        first = sum(widths[:place])
        states = np.ascontiguousarray(rows[:, first : first + widths[place]])
        warn_outside(model_of(self.rbms_[max(chosen)]).hidden, states, slack=EXTRAPOLATION)
        return model.mean_down(params, states, max(chosen) + 1)

    def reconstruct(self, X: Any) -> Array:
        """Reconstructions of `X`: one deterministic pass of means, upward and then downward.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Reconstructions.
        """
        model, params = self._network()
        return model.mean_down(params, self.layer_means(X)[-1], model.n_directed + 1)
