"""Networks and stacks of arrays that were trained elsewhere: `from_parameters`."""

from dataclasses import replace
from typing import Any

import numpy as np

from ebm._checks import Array, check_flag
from ebm.networks.given import given_layers, sizes_of, with_given
from ebm.sklearn_compat._shared._labels import new_binarizer, sorted_classes
from ebm.sklearn_compat._shared._learning import keep_attributes
from ebm.sklearn_compat._shared._validation import draw_seed
from ebm.sklearn_compat.networks._pretraining import NOWHERE


class GivenNetwork:
    """Networks of given weights (abstract; in front of BaseMLP)."""

    @classmethod
    def from_parameters(
        cls, coefs: Any, intercepts: Any = None, *, layer_params: Any = None, **settings: Any
    ) -> Any:
        """The network that has given weights and biases, without data: whatever a fitted one can do, it can.

        Parameters
        ----------
        coefs : list of array-like of shape (n_in, n_out)
            Weights of each dense layer, from the inputs to the outputs. float32 is kept.
        intercepts : list of array-like of shape (n_out,), default=None
            Biases of each dense layer; zero if None.
        layer_params : list of tuple, default=None
            The fitted attribute `layer_params_`: needed where activations ("prelu") or `batch_norm` have parameters.
        **settings : object
            Parameters of the constructor; `activation`, `batch_norm` and `loss` are part of the function. The arrays
            set `hidden_layer_sizes`, and take the place of `pretraining`.

        Returns
        -------
        network : MLPRegressor
            The network, at the state of ``fit`` with ``max_iter=0``. The arrays are copied. Weights that were pruned
            are zero, and may grow again in later training.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or NaN or infinite entries, or there is a `pretraining`.

        Examples
        --------
        >>> from ebm import MLPRegressor
        >>> coefs = [[[1.0, -1.0]], [[1.0], [1.0]]]
        >>> MLPRegressor.from_parameters(coefs, activation="relu").predict([[-3.0], [2.0]])
        array([3., 2.])
        """
        network: Any = cls(**settings)
        network._keep_given(given_layers(coefs, intercepts), layer_params)
        return network

    def _keep_given(self: Any, layers: Any, layer_params: Any) -> None:
        """Become the network of these dense layers."""
        if self.pretraining is not None:
            raise ValueError(
                "The given weights take the place of pretraining: leave it None, and name the activation."
            )
        self._validate_params()
        self.set_params(hidden_layer_sizes=sizes_of(layers))
        n_in, n_out = len(layers[0].W), len(layers[-1].bias)
        self.network_ = self._network(NOWHERE, n_in, n_out)
        keep_attributes(self, self._named(with_given(self.network_, layers, layer_params)))
        self.n_features_in_, self.n_outputs_, self.pretraining_ = n_in, n_out, None
        self._course = replace(self._course, seed=draw_seed(self.random_state))
        self._begin_course()
        self._tell_course(0, 0, False)


class GivenClassifier(GivenNetwork):
    """Networks of given weights that classify (abstract; in front of BaseMLP)."""

    @classmethod
    def from_parameters(
        cls,
        coefs: Any,
        intercepts: Any = None,
        classes: Any = None,
        *,
        multilabel: bool = False,
        layer_params: Any = None,
        **settings: Any,
    ) -> Any:
        """The network that has given weights and biases, without data: whatever a fitted one can do, it can.

        Parameters
        ----------
        coefs : list of array-like of shape (n_in, n_out)
            Weights of each dense layer, from the inputs to the outputs. float32 is kept.
        intercepts : list of array-like of shape (n_out,), default=None
            Biases of each dense layer; zero if None.
        classes : array-like of shape (n_classes,), default=None
            The classes, sorted. Two of them have one output, that of the second. If None, their numbers from 0.
        multilabel : bool, default=False
            Whether a row may have several labels, with an output each; `classes` are then the numbers of the outputs.
        layer_params : list of tuple, default=None
            The fitted attribute `layer_params_`: needed where activations ("prelu") or `batch_norm` have parameters.
        **settings : object
            Parameters of the constructor; `activation` and `batch_norm` are part of the function. The arrays set
            `hidden_layer_sizes`, and take the place of `pretraining`.

        Returns
        -------
        network : MLPClassifier
            The network, at the state of ``fit`` with ``max_iter=0``. The arrays are copied. Weights that were pruned
            are zero, and may grow again in later training.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or NaN or infinite entries, classes are not sorted or not as many as the
            outputs say, or there is a `pretraining`.

        Examples
        --------
        >>> from ebm import MLPClassifier
        >>> mlp = MLPClassifier.from_parameters([[[1.0]], [[2.0]]], [[0.0], [-1.0]], ["no", "yes"])
        >>> mlp.predict([[0.0], [1.0]])
        array(['no', 'yes'], dtype='<U3')
        """
        network: Any = cls(**settings)
        layers = given_layers(coefs, intercepts)
        n_outputs = len(layers[-1].bias)
        if check_flag(multilabel, "multilabel"):
            network._label_binarizer = new_binarizer(_indicators_of(n_outputs), None)
        else:
            known = sorted_classes(
                network, range(max(2, n_outputs)) if classes is None else classes
            )
            network._label_binarizer = new_binarizer(known, known)
        network.classes_ = network._label_binarizer.classes_
        n_wanted = len(network.classes_) if multilabel or len(network.classes_) > 2 else 1
        if n_wanted != n_outputs:
            raise ValueError(
                f"{len(network.classes_)} classes need {n_wanted} outputs, but the last of coefs has {n_outputs} "
                "columns."
            )
        network._keep_given(layers, layer_params)
        return network


def _indicators_of(n_outputs: int) -> Array:
    if n_outputs < 2:
        raise ValueError("multilabel needs two outputs at least, but the last of coefs has one.")
    return np.eye(n_outputs, dtype=int)
