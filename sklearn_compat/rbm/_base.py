"""Restricted Boltzmann machines: two layers of units, whatever their types."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from ebm._arrays import check_exponents, check_squares, finite_numbers
from ebm._checks import Array, as_rows
from ebm._flat import dtype_of
from ebm._random import Key
from ebm._sparse import as_dtype
from ebm.energies.bipartite import Bipartite
from ebm.energies.given import given_parameters
from ebm.samplers import run_chain
from ebm.samplers.block_gibbs import first_visible
from ebm.sklearn_compat._shared import _density as density
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared import _likelihoods as likelihoods
from ebm.sklearn_compat._shared._attributes import fitted_array
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._settings import Number, all_or_nothing
from ebm.sklearn_compat._shared._validation import EXTRAPOLATION, FLOATS, warn_outside
from ebm.units import Unit


class BaseRBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """Restricted Boltzmann machines of any two unit types (abstract)."""

    n_components: int
    components_: Any
    _hidden_name: ClassVar[str] = "n_components"
    _chain_names: ClassVar[tuple[str, ...]] = ("h_samples_", "offset_visible_", "offset_hidden_")
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Number(Integral, 1, None, closed="left")],
        **learning.ASCENT_SETTINGS,
    }
    _resolvers = learning.ASCENT_RECORDS

    fit = learning.fit
    resume = learning.resume
    partial_fit = learning.partial_fit
    _resume = learning.resume_rows
    _lesson = learning.ascent_lesson
    sample = density.sample
    impute = density.impute
    free_energy = likelihoods.free_energy
    score_samples = likelihoods.score_samples
    score = likelihoods.score
    log_partition = likelihoods.log_partition
    log_likelihood = likelihoods.log_likelihood

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        return tags

    @classmethod
    def from_parameters(
        cls,
        components: Any,
        intercept_hidden: Any = None,
        intercept_visible: Any = None,
        **others: Any,
    ) -> "BaseRBM":
        """The machine that has given weights and biases, without data: whatever a fitted one can do, it can.

        Parameters
        ----------
        components : array-like of shape (n_components, n_features)
            Weights. float32 is kept.
        intercept_hidden : array-like of shape (n_components,), default=None
            Biases of the hidden units; zero if None.
        intercept_visible : array-like of shape (n_features,), default=None
            Biases of the visible units; zero if None.
        **others : object
            Parameters that only some units have, by the names of their attributes: ``log_variance_visible`` or, instead
            of it, ``variances`` of Gaussian visible units, ``log_variance_hidden`` of hidden ones. And settings of the
            constructor.

        Returns
        -------
        machine : object
            The model. The arrays are copied.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or NaN or infinite entries, or the units have no such parameter.

        Notes
        -----
        Without training data, chains start from independent units driven by the hidden biases, and annealing from
        the means of short chains of the model.

        Examples
        --------
        >>> from ebm import BernoulliRBM
        >>> rbm = BernoulliRBM.from_parameters([[2.0, 2.0, 0.0]], [-1.0], random_state=0)
        >>> rbm.transform([[1, 0, 1]]).round(3)
        array([[0.731]])
        """
        settings = {name: others.pop(name) for name in cls._get_param_names() if name in others}
        machine = cls(**settings)
        values = {
            "intercept_hidden": intercept_hidden,
            "intercept_visible": intercept_visible,
            **others,
        }
        components = finite_numbers(components, "components")
        if components.ndim == 2:
            machine.set_params(n_components=len(components) or 1)
        params = given_parameters(machine._model(), components, values)
        machine.n_features_in_ = machine._model().shape(params)[0]
        learning.keep_attributes(machine, machine._named(params))
        return machine

    # Energies and features

    def energy(self, X: Any, H: Any) -> Array:
        """Energy E(v, h) of pairs of visible and hidden states.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.
        H : array-like of shape (n_samples, n_components)
            Hidden states.

        Returns
        -------
        energy : ndarray of shape (n_samples,)
            Energies in nats.
        """
        law = self._density()
        law.check_squares()
        v = law.rows(self, X)
        n_hidden = law.model.shape(law.params)[1]
        h = law.hidden_states(H, n_hidden, law.model.hidden, v.shape[0])
        energies: Array = law.model.energy(law.params, v, h)
        return energies

    def transform(self, X: Any) -> Array:
        """Means of the hidden units given `X`: for binary units, the probabilities P(h = 1 | v = X).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.

        Returns
        -------
        H : ndarray of shape (n_samples, n_components)
            Features, of the dtype of the model.
        """
        law = self._density()
        law.check_squares()
        return law.by_blocks(law.seen(self, X), law.model.hidden_mean)

    def inverse_transform(self, X: Any) -> Array:
        """Means of the visible units given hidden ones, E[v | h = X].

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Hidden states or means.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Visible means.
        """
        law = self._density()
        law.check_squares()
        h = as_rows(X, law.model.shape(law.params)[1], "X")
        h = as_dtype(check_array(h, input_name="X", dtype=FLOATS), law.dtype)
        warn_outside(law.model.hidden, h, slack=EXTRAPOLATION)
        means: Array = law.model.visible_mean(law.params, h)
        return means

    def reconstruct(self, X: Any) -> Array:
        """Visible means given the hidden means given `X`: one deterministic pass up and down.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Reconstructions.
        """
        return self.inverse_transform(self.transform(X))

    @all_or_nothing
    def gibbs(self, v: Any) -> Array:
        """One step of block Gibbs sampling: h given `v`, then new visible states given h.

        Parameters
        ----------
        v : {array-like, sparse matrix} of shape (n_samples, n_features)
            Visible states to start from.

        Returns
        -------
        v_new : ndarray of shape (n_samples, n_features)
            Visible states after the step; repeated calls draw anew.
        """
        law = self._density()
        law.check_squares()
        rows = law.dense(self, v)
        return run_chain(law.model, law.params, rows, self._next_key(None), 1)

    # From the fitted attributes to the core, and back

    def _model(self) -> Any:
        raise NotImplementedError

    def _density(self) -> density.Density:
        model, params = self._model(), self._params()

        def first_states(n_rows: int, key: Key) -> Array:
            activity = getattr(self, "offset_hidden_", None)
            return first_visible(model, params, activity, n_rows, key)

        return density.Density(
            model,
            params,
            dtype_of(params),
            first_states,
            takes_sparse=isinstance(model, Bipartite),
            marginals=self._course.marginals,
        )

    def _is_fitted(self) -> bool:
        return hasattr(self, "components_")

    def _params(self) -> Any:
        """The parameters that the fitted attributes hold, whoever set them."""
        check_is_fitted(self, "components_")
        n_features = getattr(self, "n_features_in_", None)
        W = fitted_array(self.components_, "components_", (None, n_features)).T
        return self._model().of_arrays(np.ascontiguousarray(W), self._fitted_field)

    def _fitted_field(self, field: str, neutral: Array) -> Array:
        """A fitted attribute, of the dtype of `neutral`, which stands for one that not every unit has, if never set."""
        name = f"{field}_"
        optional = not field.startswith("intercept")
        if optional and not hasattr(self, name) and name not in self._course.attributes:
            return neutral
        given = fitted_array(getattr(self, name), name, neutral.shape)
        if not optional:
            check_squares(given, name)
        given = np.ascontiguousarray(given, neutral.dtype)
        if name.startswith("log_"):
            check_exponents(given, name)
        return given

    def _named(self, params: Any) -> dict[str, Any]:
        """Parameters by the names of their attributes; some types of units have more than biases."""
        arrays = self._model().arrays(params)
        W = arrays.pop("weights")
        named = {f"{name}_": x for name, x in arrays.items()}
        return {"components_": W.T, "_n_features_out": W.shape[1]} | named

    def _recognition(self) -> list[tuple[Unit, tuple[Array, Array]]]:
        """The hidden units, and the weights and biases that make their inputs of the visible states."""
        model = self._model()
        return [(model.hidden, model.recognition(self._params()))]
