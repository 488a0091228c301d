"""A fitted stack of machines: what goes up through it, and what comes down."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from ebm._checks import Array, as_rows, sequence, shown
from ebm._sparse import as_dtype, row_blocks
from ebm.energies.belief_network import BeliefNetwork, BeliefParameters, Directed, from_rbms
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.pretraining import Step, layers_above
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._validation import EXTRAPOLATION, FLOATS, check_rows, warn_outside
from ebm.sklearn_compat.deep._layers import is_size
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.units import Bernoulli, Unit

Machine = tuple[Bipartite, BipartiteParameters]


class Stack(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """Layers of features, and the belief network that they are part of (abstract).

    The truth is in `rbms_`, and where fine-tuning has parted the two passes, for the layers below the top, in
    `_directed`: the parameters down and those up.
    """

    features: Any
    rbms_: list[BaseRBM]
    _directed: tuple[tuple[Directed, ...], tuple[Directed, ...]]

    # The parameters, as the core wants them

    def _network(self) -> tuple[BeliefNetwork, BeliefParameters]:
        """The belief network, in arrays of its own."""
        check_is_fitted(self, "rbms_")
        model, params = from_rbms(*self._parts())
        down, up = self._directed
        return model, params._replace(
            down=down + params.down[len(down) :], up=up + params.up[len(up) :]
        )

    def _parts(self) -> tuple[list[Machine], int, Unit | None]:
        """What :func:`from_rbms` takes: the machines; count and type of the top's units that nothing below knows of."""
        return [(rbm._model(), rbm._params()) for rbm in self._fitted_machines()], 0, None

    def _fitted_machines(self) -> list[BaseRBM]:
        """The fitted attribute `rbms_`, whoever set it."""
        check_is_fitted(self, "rbms_")
        rbms = self.rbms_
        if not isinstance(rbms, list) or not rbms or not all(isinstance(x, BaseRBM) for x in rbms):
            raise ValueError(
                f"rbms_ must be a list of fitted RBM estimators, one for each layer. Got {shown(rbms)}. "
                "Set one, or fit again."
            )
        return rbms

    def _steps_up(self) -> list[Step]:
        """One model for every step up, by recognition; its parameters are no copies."""
        steps: list[Step] = [(rbm._model(), rbm._params()) for rbm in self._fitted_machines()]
        for k, layer in enumerate(self._directed[1]):
            steps[k] = as_step(layer, steps[k][0].hidden)
        return steps

    @property
    def recognition_components_(self) -> list[Array]:
        """Weights of the way up, one ndarray of shape (n_units_above, n_units_below) per layer.

        They multiply the states themselves, whatever the units. Those of the topmost layer have no direction.
        """
        return [
            model.visible.statistic(params.visible, params.W.T)
            for model, params in self._steps_up()
        ]

    @property
    def recognition_intercepts_(self) -> list[Array]:
        """Biases of the hidden units on the way up, one ndarray of shape (n_units_above,) per layer."""
        return [params.hidden.bias.copy() for _, params in self._steps_up()]

    @property
    def generative_components_(self) -> list[Array]:
        """Weights of the way down, one ndarray of shape (n_units_above, n_units_below) per layer.

        They multiply the states themselves, whatever the units. Those of the topmost layer have no direction.
        """
        model, params = self._network()
        top = model.top_model.hidden.statistic(params.top.hidden, params.top.W)
        return [np.ascontiguousarray(W.T) for W in [*(layer.W for layer in params.down), top]]

    @property
    def generative_intercepts_(self) -> list[Array]:
        """Biases of the units below on the way down, one ndarray of shape (n_units_below,) per layer."""
        _, params = self._network()
        return [*(layer.own.bias for layer in params.down), params.top.visible.bias]

    # Up

    def _blocks(self, X: Any) -> Iterator[Any]:
        """Rows of `X`, checked, of the dtype of the model; CSR ones where most entries are zero."""
        steps = self._steps_up()
        dtype, unit = steps[0][1].W.dtype, self._parts()[0][0][0].visible
        for block in row_blocks(check_rows(self, X, reset=False, unit=unit)):
            yield as_dtype(block, dtype)

    def _chosen(self) -> list[int]:
        """Indices of the layers that `features` names."""
        return chosen_layers(self.features, len(self._fitted_machines()))

    @property
    def _n_features_out(self) -> int:
        return sum(len(self.rbms_[k].components_) for k in self._chosen())

    def transform(self, X: Any) -> Array:
        """Means of hidden units given `X`: of the topmost layer, or of the layers that `features` names.

        Each layer is given the means of the one below as if they were its states.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        H : ndarray of shape (n_samples, n_features_out)
            Features, of the dtype of the model; those of several layers side by side.
        """
        chosen, steps = self._chosen(), self._steps_up()[: max(self._chosen()) + 1]
        parts = []
        for block in self._blocks(X):
            means = [*layers_above(steps, block)]
            parts.append(np.hstack([means[k] for k in chosen]))
        return np.concatenate(parts)

    def layer_means(self, X: Any) -> list[Array]:
        """Means of the hidden units of every layer given `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        means : list of ndarray of shape (n_samples, n_units)
            One array per layer, from the lowest up.
        """
        steps = self._steps_up()
        parts = [[*layers_above(steps, block)] for block in self._blocks(X)]
        return [np.concatenate(layer) for layer in zip(*parts, strict=True)]

    # Down

    def inverse_transform(self, X: Any) -> Array:
        """Means of the data given features, by way of the means of the layers between.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            What :meth:`transform` returns; of several layers the topmost one is used.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Means of the data.
        """
        chosen = self._chosen()
        model, params = self._network()
        rows = check_array(as_rows(X, self._n_features_out, "X"), input_name="X", dtype=FLOATS)
        rows = as_dtype(rows, params.top.W.dtype)
        widths = [len(self.rbms_[k].components_) for k in chosen]
        place = chosen.index(max(chosen))
        first = sum(widths[:place])
        states = np.ascontiguousarray(rows[:, first : first + widths[place]])
        warn_outside(self.rbms_[max(chosen)]._model().hidden, states, slack=EXTRAPOLATION)
        return model.mean_down(params, states, max(chosen) + 1)

    def reconstruct(self, X: Any) -> Array:
        """Means of the data given the topmost means given `X`: one deterministic pass up and down.

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
        steps = self._steps_up()
        return np.concatenate(
            [
                model.mean_down(params, [*layers_above(steps, block)][-1], len(steps))
                for block in self._blocks(X)
            ]
        )


def as_step(layer: Directed, unit: Unit) -> Step:
    """Recognition as a model of two layers: binary units below, whatever they are, add their states as they stand."""
    below = Bernoulli()
    rest = below.neutral(len(layer.W), layer.W.dtype)
    return Bipartite(below, unit), BipartiteParameters(layer.W, rest, layer.own)


def chosen_layers(features: Any, n_layers: int) -> list[int]:
    """Indices, from 0, of the layers that the parameter `features` names, from 1."""
    if isinstance(features, str):
        return list(range(n_layers)) if features == "all" else [n_layers - 1]
    numbers = [features] if is_size(features) else sequence(features, "features", "layers")
    if not numbers or not all(is_size(k) and 1 <= k <= n_layers for k in numbers):
        raise ValueError(
            f"features must be 'top', 'all', or name layers by numbers from 1 to {n_layers}. Got {features!r}."
        )
    return [int(k) - 1 for k in numbers]
