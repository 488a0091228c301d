"""Stacks of machines: parameters, features, and the belief network that they are."""

from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_array, check_is_fitted

from ebm._checks import Array, as_rows, shown
from ebm._random import Key, fold
from ebm._sparse import as_dtype, row_blocks
from ebm.energies.belief_network import BeliefNetwork, BeliefParameters, Directed, from_rbms
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.extra_units import Beside
from ebm.pretraining import Step, layers_above
from ebm.sklearn_compat._shared import _density as density
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._settings import RECORD, NamedList, Number
from ebm.sklearn_compat._shared._validation import EXTRAPOLATION, FLOATS, check_rows, warn_outside
from ebm.sklearn_compat.deep._fine_tuning import fine_tuning_record, is_tuned
from ebm.sklearn_compat.deep._layers import block_of, chosen_layers, sized
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.sklearn_compat.rbm._layer import as_pair, density_of, model_of
from ebm.units import Bernoulli, OneHot, Unit


class BaseStack(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """Machines one on top of the other, and the belief network that they are (abstract).

    The fitted attribute `rbms_` holds them. Where fine-tuning has parted the two passes, `_directed` holds the
    parameters of the layers below the top: those down and those up.
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
        return tags

    def _sk_visual_block_(self) -> Any:
        return block_of(self.layers)

    # The parameters, as the core wants them

    def _n_labels(self) -> int:
        """Count of classes that the topmost machine sees beside the features, 0 for none."""
        raise NotImplementedError

    def _has_joint(self) -> bool:
        """Whether there are labels, and the machine that sees them has learned: an interrupt may have come before."""
        top = self._fitted_machines()[-1]
        return self._n_labels() > 0 and isinstance(model_of(top).visible, OneHot)

    def _network(self) -> tuple[BeliefNetwork, BeliefParameters]:
        """The belief network, in arrays of its own."""
        pairs, n_labels, joined = [as_pair(rbm) for rbm in self._fitted_machines()], 0, None
        if self._has_joint():
            model, params = pairs[-1]
            pairs[-1] = Bipartite(Bernoulli(), model.hidden), params
            n_labels, joined = self._n_labels(), model.visible
        network, tied = from_rbms(pairs, n_labels, joined)
        down, up = self._directed
        return network, tied._replace(
            down=down + tied.down[len(down) :], up=up + tied.up[len(up) :]
        )

    def _density(self) -> density.Density:
        model, params = self._network()
        top = density_of(self.rbms_[-1])

        def first_states(n_rows: int, key: Key) -> Array:
            """What comes down from the state in which the topmost machine starts its own chains."""
            x, labels = model.split(top.first_states(n_rows, fold(key, 0)))
            x = [*model.sample_down(params, x, fold(key, 1)), x][0]
            return model.top_rows(x, labels)

        dtype = params.top.W.dtype
        return density.Density(model, params, dtype, first_states, n_beside=model.n_extra)

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
        """One model for every step up, by recognition; its parameters are no copies. Labels are averaged over."""
        steps: list[Step] = [as_pair(rbm) for rbm in self._fitted_machines()]
        for k, layer in enumerate(self._directed[1]):
            steps[k] = as_step(layer, steps[k][0].hidden)
        if self._has_joint():
            model, params = steps[-1]
            steps[-1] = Beside(model, self._n_labels()), params
        return steps

    @property
    def histories_(self) -> dict[str, dict[str, Array]]:
        """What was recorded, by stage: "layer1", "layer2", ..., and "fine_tuning"."""
        found = {f"layer{k}": rbm.history_ for k, rbm in enumerate(self._fitted_machines(), 1)}
        return found | ({"fine_tuning": self.history_} if is_tuned(self) else {})

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
        machines, dtype = self._fitted_machines(), steps[0][1].W.dtype
        alone = len(machines) == 1 and self._has_joint()
        unit = Bernoulli() if alone else model_of(machines[0]).visible
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
        named = isinstance(self.features, str)
        argument = "X" if named else f"X, of the layers features={shown(self.features)},"
        rows = check_array(as_rows(X, self._n_features_out, argument), input_name="X", dtype=FLOATS)
        rows = as_dtype(rows, params.top.W.dtype)
        widths = [len(self.rbms_[k].components_) for k in chosen]
        place = chosen.index(max(chosen))
        first = sum(widths[:place])
        states = np.ascontiguousarray(rows[:, first : first + widths[place]])
        warn_outside(model_of(self.rbms_[max(chosen)]).hidden, states, slack=EXTRAPOLATION)
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
