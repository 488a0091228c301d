"""The base of all deep Boltzmann machines, whatever the tree of their layers: inference and the distribution."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ebm._arrays import check_exponents, check_squares, finite_numbers
from ebm._checks import Array, check_integer, check_real, sequence, shown
from ebm._flat import dtype_of
from ebm._random import Key
from ebm._sparse import as_dtype
from ebm.energies.layers import LayeredParameters
from ebm.energies.trees import TreeArrays, TreeModel
from ebm.inference.deep_means import SWEEPS, DeepMeans, deep_means, visible_means
from ebm.samplers.layered_gibbs import chains_at, independent_chains
from ebm.sklearn_compat._shared import _density as density
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared import _likelihoods as likelihoods
from ebm.sklearn_compat._shared._attributes import fitted_array, fitted_list
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._validation import EXTRAPOLATION, FLOATS, warn_outside
from ebm.sklearn_compat.deep import _dbm_density as deep_density
from ebm.sklearn_compat.deep._layers import feature_rows
from ebm.sklearn_compat.deep._stack import BaseStack
from ebm.sklearn_compat.deep._tree import Tree


class BaseDBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """Layers of units in a tree, trained together (abstract).

    Parameters
    ----------
    propagate : {"sample", "mean"}, default="sample"
        Training data of a layer in pre-training: samples of the hidden units below given the data, new in every epoch,
        or their means.

    learning_rate : float or "auto", default="auto"
        Step size of the joint updates, at the start of `schedule`. "auto" depends on the number of hidden units and on
        their types, as for :class:`BernoulliRBM`. For rows of bits or spins it is up to three times as large.

    batch_size : int, default=10
        Rows per joint update, and number of persistent chains.

    n_iter : int or "auto", default="auto"
        Passes of joint training over the data. "auto" makes at least 10 passes and at least 2000 updates.

    verbose : int, default=0
        Whether to show progress and the reconstruction error after each epoch.

    random_state : int, RandomState instance or None, default=None
        Seed. A layer without a seed gets one that is derived from this seed and the number of the layer. An int makes
        every result reproducible. See :term:`Glossary <random_state>`.

    gradient : {"pcd", "cd", "tempering", "exact"} or record, default="pcd"
        Estimator of the log-likelihood gradient in joint training, by name or with its own settings, such as
        ``PersistentContrastiveDivergence(n_steps=5, n_chains=100)``. "exact" is for small models. All are centered by
        default.

    n_sweeps : int, default=100
        Sweeps of the mean field for each batch of joint training at most. Rows whose means have converged get no more.

    damping : float, default=0.0
        Share of the old means that each update of the mean field in joint training keeps, in [0, 1).

    optimizer : {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "nadam"} or record, \
            default="sgd"
        Rule of the joint updates, for example ``Nesterov(momentum=0.95)``.

    schedule : {"constant", "linear", "exponential", "inverse"} or record, default="linear"
        How the learning rate changes over the epochs of joint training: "linear" lets it fall to zero.

    weight_decay : float, default=0.0
        Coefficient of the penalty on half the squared weights in joint training.

    regularization : Regularization or None, default=None
        Further penalties and limits in joint training: absolute weights, norms, gradient clipping. Sparse activity and
        dropout are for machines of two layers.

    warm_start : bool, default=False
        Whether `fit` continues joint training from the last solution (parameters, chains, velocity).

    callbacks : callable, list of callables or None, default=None
        Called after each epoch of joint training with a :class:`ebm.monitors.Report`. A callback may return a dict of
        numbers for `history_`, or True to end training. Examples are :class:`ebm.EarlyStopping` and
        :class:`ebm.Checkpoint`.

    Attributes
    ----------
    h_samples_ : ndarray of shape (n_chains, n_units)
        States of the odd layers in the persistent chains, side by side. Odd layers are an odd number of steps away from
        the first visible units: the first, third, ... hidden layers above these.

    offset_even_ : ndarray of shape (n_units,)
        Offsets in the centered gradient of the even layers, visible ones first.

    offset_odd_ : ndarray of shape (n_units,)
        Offsets of the odd layers, visible ones first.

    history_ : dict of ndarray
        One entry per epoch of joint training: "epoch", "learning_rate", "time" in seconds, "mean_field_sweeps" and
        "mean_field_converged" (means over the batches), and the numbers of the callbacks.

    histories_ : dict of dict of ndarray
        Histories by stage: of the layers that were pre-trained, by their names, and "joint".
    """

    coefs_: list[Any]
    intercepts_: list[Any]
    layer_params_: list[Any]
    _parts: dict[str, Any]
    _layers_name: ClassVar[str]
    _learns_from_gaps = True
    _chain_names: ClassVar[tuple[str, ...]] = ("h_samples_", "offset_even_", "offset_odd_")
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = learning.ASCENT_RECORDS
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **learning.ASCENT_SETTINGS,
        "propagate": BaseStack._parameter_constraints["propagate"],
        "pretraining": [StrOptions({"auto", "greedy", "two_copies"}), None],
        "n_sweeps": [Interval(Integral, 1, None, closed="left")],
        "damping": [Interval(Real, 0, 1, closed="left")],
    }

    resume = learning.resume
    impute = density.impute
    free_energy = likelihoods.free_energy
    log_partition = likelihoods.log_partition

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = True
        return tags

    def _tree(self, seed: int) -> Tree:
        """Unfitted machines for all layers: of the settings and of the data that were seen."""
        raise NotImplementedError

    def _order(self) -> Array | None:
        """The columns of `X` in the order of the visible units; None where it is the same."""
        raise NotImplementedError

    def _chosen(self) -> list[int]:
        """Indices of the hidden layers of which `transform` returns the means."""
        raise NotImplementedError

    @property
    def histories_(self) -> dict[str, dict[str, Array]]:
        """Histories by stage: of the machines that were pre-trained, by their names, and "joint"."""
        check_is_fitted(self, "coefs_")
        return dict(self._parts) | ({"joint": self.history_} if hasattr(self, "history_") else {})

    # Inference

    def mean_field(self, X: Any, *, n_sweeps: int = SWEEPS, tol: float = 1e-4) -> DeepMeans:
        """Means of all hidden layers given `X` in mean field, and whether the means have converged.

        Each sweep updates the odd and then the even hidden layers, given the means of their neighbors. No update lowers
        the bound on the log-likelihood, so that the means always converge, though slowly if weights are large.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states; NaN where unknown. Unknown entries are units of the mean field like the hidden ones.
        n_sweeps : int, default=300
            Largest number of sweeps.
        tol : float, default=1e-4
            A row has converged when a sweep changes no mean by more than this.

        Returns
        -------
        means : DeepMeans
            `layers`, a list of arrays of shape (n_samples, n_units), `converged` of shape (n_samples,), and the number
            of sweeps that were made, `n_sweeps`.

        Warns
        -----
        ConvergenceWarning
            If the means of some rows have not converged.
        """
        n_sweeps = check_integer(n_sweeps, "n_sweeps")
        tol = check_real(tol, "tol")
        law = self._density()
        law.check_squares()
        found = deep_means(law.model, law.params, law.seen(self, X, allow_nan=True), n_sweeps, tol)
        deep_density.warn_of_means(self, found.converged)
        return found

    def transform(self, X: Any) -> Array:
        """Means of the hidden units given `X` in mean field, for the layers of the setting `features`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states; NaN where unknown.

        Returns
        -------
        H : ndarray of shape (n_samples, n_features_out)
            Features, in the dtype of the model; several layers are side by side.

        Warns
        -----
        ConvergenceWarning
            If the means of some rows have not converged.
        """
        chosen = self._chosen()
        layers = self.mean_field(X).layers
        return np.hstack([layers[k] for k in chosen])

    def inverse_transform(self, X: Any) -> Array:
        """Means of the visible units given features, the other layers following in mean field.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)
            Features as from :meth:`transform`, states or means.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Means of the visible units.
        """
        chosen = self._chosen()
        law = self._density()
        law.check_squares()
        rows = as_dtype(feature_rows(X, self._n_features_out, self.features), law.dtype)
        known, at = {}, 0
        for k in chosen:
            number = law.model.hidden_layers[k]
            unit, n_units = law.model.hidden[k]
            states = np.ascontiguousarray(rows[:, at : at + n_units])
            warn_outside(unit, states, slack=EXTRAPOLATION)
            known[number], at = states, at + n_units
        return law.back(visible_means(law.model, law.params, known))

    def reconstruct(self, X: Any) -> Array:
        """Means of the visible units given the mean-field means, given `X`, of the hidden layers next to them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states; NaN where unknown.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Reconstructions.
        """
        law = self._density()
        means = dict(zip(law.model.hidden_layers, self.mean_field(X).layers, strict=True))
        known = {k: means[k] for k in law.model.above_visible}
        return law.back(visible_means(law.model, law.params, known))

    # From the fitted attributes to the core, and back

    @property
    def _n_features_out(self) -> int:
        hidden = self._model().hidden
        return sum(hidden[k][1] for k in self._chosen())

    def _is_fitted(self) -> bool:
        return hasattr(self, "coefs_")

    def _model(self) -> TreeModel:
        """The fitted model: units from the settings, sizes from the fitted attributes."""
        tree = self._tree(0)
        coefs = fitted_list(self.coefs_, "coefs_")
        model = tree.model()
        if len(coefs) != len(model.levels) - 1:
            raise ValueError(
                f"{self._layers_name} holds {len(tree.machines)} layers, but the fitted model has {len(coefs)} arrays "
                "of weights. Fit anew (warm_start=False) to change it."
            )
        widths = [
            fitted_array(W, f"coefs_[{k}]", (None, None)).shape[1] for k, W in enumerate(coefs)
        ]
        sizes = dict(zip(model.parents[:-1], widths, strict=True))
        hidden = [model.levels.index((k,)) for k in model.hidden_layers]
        return tree.model(sizes=[sizes[i] for i in hidden])

    def _params(self) -> LayeredParameters:
        """The parameters that the fitted attributes hold, whoever set them."""
        check_is_fitted(self, "coefs_")
        model = self._model()
        sizes = model.level_sizes
        ends = zip(sizes, [sizes[p] for p in model.parents if p is not None], strict=False)
        coefs = [
            fitted_array(W, f"coefs_[{k}]", shape)
            for k, (W, shape) in enumerate(zip(self.coefs_, ends, strict=True))
        ]
        dtype = coefs[0].dtype if coefs[0].dtype in FLOATS else np.dtype(np.float64)
        given = fitted_list(self.intercepts_, "intercepts_", len(sizes))
        biases = [fitted_array(b, f"intercepts_[{k}]", (sizes[k],)) for k, b in enumerate(given)]
        others = []
        for k, named in enumerate(fitted_list(self.layer_params_, "layer_params_", len(sizes))):
            if not isinstance(named, dict):
                raise ValueError(
                    f"layer_params_ must be a list of dict, one for each layer. Got {shown(named)} in it."
                )
            found = {x: fitted_array(named[x], f"layer_params_[{k}]", (None,)) for x in named}
            for name in (x for x in found if x.startswith("log_")):
                check_exponents(found[name], f"layer_params_[{k}]")
            others.append({x: np.ascontiguousarray(a, dtype) for x, a in found.items()})
        for k, b in enumerate(biases):
            check_squares(b, f"intercepts_[{k}]")
        arrays = TreeArrays(
            [np.ascontiguousarray(W, dtype) for W in coefs],
            [np.ascontiguousarray(b, dtype) for b in biases],
            others,
        )
        return model.of_arrays(arrays)

    def _named(self, params: LayeredParameters) -> dict[str, Any]:
        """Parameters by the names of their attributes."""
        tree = self._tree(0)
        sizes = [len(x.bias) for x in params.layers[-len(tree.machines) :]]
        return named(tree.model(sizes=sizes), params)

    def _density(self) -> density.Density[TreeModel]:
        params = self._params()
        model = self._model()

        def first_states(n_rows: int, key: Key) -> Array:
            return independent_chains(model, params, n_rows, key)

        def states_at(v: Array, key: Key, beta: float) -> Array:
            return chains_at(model, params, v, key, beta)

        return density.Density(
            model,
            params,
            dtype_of(params),
            first_states,
            states_at,
            n_beside=model.n_hidden_walked,
            marginals=self._course.marginals,
            columns=self._order(),
            n_labels=len(getattr(self, "classes_", ())),
        )


def named(model: TreeModel, params: LayeredParameters) -> dict[str, Any]:
    """Parameters by the names of the fitted attributes."""
    arrays = model.arrays(params)
    return {
        "coefs_": arrays.weights,
        "intercepts_": arrays.biases,
        "layer_params_": arrays.others,
    }


def weights_of(coefs: Any) -> list[Array]:
    """The given weights as matrices, one at least."""
    weights = [finite_numbers(W, "coefs") for W in sequence(coefs, "coefs", "arrays of weights")]
    if not weights or any(W.ndim != 2 or not W.size for W in weights):
        raise ValueError(
            "coefs must be a list of arrays of shape (n_units_below, n_units_above), at least one. "
            f"Got {shown(coefs)}."
        )
    return weights


def set_arrays(self: Any, weights: list[Array], intercepts: Any, layer_params: Any) -> None:
    """Give an estimator that has no data these parameters, in copies, with all checks."""
    self.coefs_ = [np.array(W, weights[0].dtype, order="C") for W in weights]
    model = self._model()
    sizes = model.level_sizes
    if intercepts is None:
        intercepts = [np.zeros(n) for n in sizes]
    self.intercepts_ = [
        np.array(finite_numbers(b, "intercepts"), weights[0].dtype)
        for b in sequence(intercepts, "intercepts", "arrays of biases")
    ]
    others: Any = [{} for _ in sizes]
    if layer_params is not None:
        others = sequence(layer_params, "layer_params", "dict")
    if len(others) != len(sizes) or not all(isinstance(named, dict) for named in others):
        raise ValueError(
            f"layer_params must be a list of {len(sizes)} dict, one for each layer. Got {shown(layer_params)}."
        )
    self.layer_params_ = list(others)
    params = self._params()
    self._parts = {}
    learning.keep_attributes(self, self._named(params))
    self._validate_params()
