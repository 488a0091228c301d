"""Restricted Boltzmann machines: two layers of units, whatever their types."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from ebm._arrays import check_exponents, check_squares, finite_numbers, has_gaps
from ebm._checks import Array, as_rows
from ebm._flat import dtype_of
from ebm._random import Key
from ebm._sparse import as_dtype
from ebm.energies.bipartite import Bipartite
from ebm.energies.given import given_parameters
from ebm.samplers import run_chain
from ebm.samplers.base import first_states
from ebm.sklearn_compat._shared import _density as density
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared import _likelihoods as likelihoods
from ebm.sklearn_compat._shared._attributes import fitted_array
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._settings import Number, all_or_nothing
from ebm.sklearn_compat._shared._validation import EXTRAPOLATION, FLOATS, warn_outside
from ebm.units import Unit


class BaseRBM(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """Restricted Boltzmann machines of any two unit types (abstract).

    Parameters
    ----------
    n_components : int, default=256
        Number of hidden units.

    learning_rate : float or "auto", default="auto"
        Step size of the updates, at the start of `schedule`. "auto" depends on the number of hidden units, because all
        of them change the distribution at once: 0.02 for 256 units, and 0.1 for 10 or fewer. It is smaller for more
        than 16 real-valued features, and for spins and counts, whose states are farther apart. With real-valued
        features it is larger for more than 500 rows. Such features are measured in their standard deviations.

    batch_size : int, default=10
        Rows per update, and number of persistent chains.

    n_iter : int or "auto", default="auto"
        Passes over the training data. "auto" makes at least 10 passes and at least 2000 updates, so that small tables
        are learned as well as large ones.

    verbose : int, default=0
        Whether to show progress and the pseudo-likelihood after each epoch: a bar on a terminal, lines elsewhere.

    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, order of rows and Gibbs sampling. An int makes every result reproducible.
        See :term:`Glossary <random_state>`.

    gradient : {"pcd", "cd", "fpcd", "tempering", "exact", "tap", "pseudo_likelihood", "ratio_matching"} or record, \
            default="pcd"
        Estimator of the log-likelihood gradient, by name or with its own settings. Examples are
        ``PersistentContrastiveDivergence(n_steps=5, n_chains=100)``, ``ContrastiveDivergence(n_steps=10)`` and
        ``ParallelTempering(n_temperatures=20)``. "exact" is for small models. "tap" beyond first order is for binary
        units in both layers; "pseudo_likelihood" and "ratio_matching" are for binary visible units. All are centered
        by default; :doc:`/learning` compares them.

    optimizer : {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "nadam"} or record, \
            default="sgd"
        Rule of the updates, for example ``Nesterov(momentum=0.95)``.

    schedule : {"constant", "linear", "exponential", "inverse"} or record, default="linear"
        How the learning rate changes over the epochs of `fit`: "linear" lets it fall to zero. Another example is
        ``Exponential(rate=0.9)``.

    weight_decay : float, default=0.0
        Coefficient of the penalty on half the squared weights.

    regularization : Regularization or None, default=None
        Further penalties and limits: absolute weights, norms, gradient clipping, sparse activity, dropout. An example
        is ``Regularization(l1=1e-4, sparsity_target=0.1)``.

    warm_start : bool, default=False
        Whether `fit` continues from the last solution (parameters, chains, velocity).

    callbacks : callable, list of callables or None, default=None
        Called after each epoch with a :class:`ebm.monitors.Report`. A callback may return a dict of numbers for
        `history_`, or True to end training. Examples are :class:`ebm.EarlyStopping` and :class:`ebm.Checkpoint`.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Weights.

    intercept_hidden_ : ndarray of shape (n_components,)
        Biases of the hidden units.

    intercept_visible_ : ndarray of shape (n_features,)
        Biases of the visible units, for real units their means when all hidden units are off.

    h_samples_ : ndarray of shape (n_chains, n_components)
        Hidden states of the persistent chains, for "tap" hidden means; no rows for gradients without chains.

    offset_visible_ : ndarray of shape (n_features,)
        Offsets of the visible units in the centered gradient.

    offset_hidden_ : ndarray of shape (n_components,)
        Offsets of the hidden units in the centered gradient.

    history_ : dict of ndarray
        One entry per epoch: "epoch", "learning_rate", "time" in seconds, and the numbers of the callbacks, NaN where
        there was none. ``pandas.DataFrame(rbm.history_)`` makes a table of it.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature names that are all strings.
    """

    n_components: int
    components_: Any
    _hidden_name: ClassVar[str] = "n_components"
    _chain_names: ClassVar[tuple[str, ...]] = ("h_samples_", "offset_visible_", "offset_hidden_")
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Number(Integral, 1, None, closed="left")],
        **learning.ASCENT_SETTINGS,
    }
    _resolvers = learning.ASCENT_RECORDS
    _learns_from_gaps = True

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
        tags.input_tags.allow_nan = True
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
            factors = getattr(machine, "n_factors", 0)
            machine.set_params(n_components=max(len(components) - factors, 1))
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
        rows = law.seen(self, X, allow_nan=True)
        return law.by_blocks(self.impute(rows) if has_gaps(rows) else rows, law.model.hidden_mean)

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

        def starts(n_rows: int, key: Key) -> Array:
            activity = getattr(self, "offset_hidden_", None)
            return first_states(model, params, activity, n_rows, key)

        return density.Density(
            model,
            params,
            dtype_of(params),
            starts,
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
