"""The deep Boltzmann machine of features and labels."""

from functools import partial
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array, check_integer, shown
from ebm._random import fold
from ebm.likelihood import check_finite, overflowing
from ebm.likelihood.deep import label_posterior, mean_field_bounds, sums_or_bounds
from ebm.samplers import Target, sampler_record
from ebm.sklearn_compat._shared import _labels as labels_
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._labels import announced, check_several, sorted_classes
from ebm.sklearn_compat._shared._settings import NamedList, all_or_nothing, learns, stores_arguments
from ebm.sklearn_compat.deep import _dbm_density as deep_density
from ebm.sklearn_compat.deep import _label_layer as label_layer
from ebm.sklearn_compat.deep._base_dbm import BaseDBM, set_arrays, weights_of
from ebm.sklearn_compat.deep._dbm import DBM, chain_of
from ebm.sklearn_compat.deep._dbm_learning import fit_deep, resume_deep, update_deep
from ebm.sklearn_compat.deep._layers import block_of, chosen_layers, sized
from ebm.sklearn_compat.deep._tree import Path, Tree
from ebm.units import Categorical


@complete_docstring
class DBMClassifier(ClassifierMixin, BaseDBM):
    """Deep Boltzmann machine of features and labels.

    Label units y, of which exactly one is on, are connected to the topmost hidden layer of a deep Boltzmann machine of
    the features x. The machine models their joint distribution,

        p(x, y, h) = exp(-E) / Z,    E = E_DBM(x, h_1, ..., h_L) + U(y) - y' W_y s(h_L),

    see :class:`DBM` for E_DBM. All connections have no direction, unlike those of :class:`DBNClassifier`: the hidden
    layers are inferred from the features below and the label above.

    The probabilities of the classes are those of the joint distribution, p(y | x) = p(x, y) / sum_y' p(x, y'). Z
    cancels. They are exact if the hidden layers of one color (every second layer) have at most 4096 states together,
    and for a single hidden layer. Otherwise p(x, y) is replaced by its lower bound: a mean field of the hidden layers
    for each class [1]_.

    Read more in the :ref:`User Guide <dbm_classifier>`.

    Parameters
    ----------
    layers : list or tuple of RBM estimators or int, default=(100, 100)
        The hidden layers, from the data up, as in :class:`DBM`. Label units are further units below the topmost one.
        Layers have the names ``layer1``, ``layer2`` and so on.

    pretraining : {"auto", "greedy"} or None, default="greedy"
        Whether the layers are trained one by one first, the topmost one on the features of the layer below and the
        labels. None begins joint training with hidden units that tell rows of the data apart. "auto" is "greedy" unless
        columns are reals.

    features : {"top", "all"} or int or list of int, default="top"
        Layers whose means `transform` returns, side by side: the topmost layer, all layers, or the given numbers, which
        start at 1. The label is an unknown unit of the mean field.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.

    coefs_ : list of ndarray of shape (n_units_below, n_units_above)
        Weights of each hidden layer from the layer below, and at last those of the topmost layer from the labels, of
        shape (n_classes, n_units_above).

    intercepts_ : list of ndarray of shape (n_units,)
        Biases of the visible units and of each hidden layer but the topmost one, then of the labels, and of the topmost
        layer.

    layer_params_ : list of dict of ndarray
        In the order of `intercepts_`, the parameters that the units have besides biases, such as ``{"log_variance":
        ...}`` of Gaussian units.

    See Also
    --------
    DBM : The machine without labels.
    DBNClassifier : The stack of machines whose lower layers are directed, with labels at its top.

    Notes
    -----
    Rows with y = -1 are unlabelled, as elsewhere in scikit-learn. Their labels are latent in learning, like missing
    entries of `X` (NaN). However, -1 is a normal class if there are fewer than two other classes, or if the `classes`
    of `partial_fit` contain it. NaN (or None among strings) also marks unlabelled rows; if `y` has such marks, -1 is a
    normal class.

    Learning ascends the joint likelihood, which is mostly that of the features. A classifier that learns p(y | x)
    alone, such as :class:`MLPClassifier` with ``pretraining=DBM(...)``, predicts better where labels are many.

    References
    ----------
    .. [1] Salakhutdinov, R. & Hinton, G. "Deep Boltzmann machines." AISTATS (2009).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ebm import DBMClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X = (X > 7).astype(float)
    >>> dbm = DBMClassifier([64, 32], n_iter=20, batch_size=50, random_state=0).fit(
    ...     X[:1200], y[:1200]
    ... )
    >>> dbm.score(X[1200:], y[1200:]) > 0.7
    True
    >>> dbm.sample(5, label=3, n_steps=100).shape
    (5, 64)
    """

    _layers_name = "layers"
    _lists: ClassVar[dict[str, NamedList]] = {"layers": NamedList("layer", sized)}
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DBM._parameter_constraints,
        "pretraining": [StrOptions({"auto", "greedy"}), None],
    }

    score = labels_.score
    predict_proba = label_layer.predict_proba
    predict_log_proba = label_layer.predict_log_proba
    predict = label_layer.predict

    @stores_arguments
    def __init__(
        self,
        layers: Any = (100, 100),
        *,
        pretraining: Any = "greedy",
        propagate: str = "sample",
        features: Any = "top",
        learning_rate: Any = "auto",
        batch_size: int = 10,
        n_iter: Any = "auto",
        verbose: int = 0,
        random_state: Any = None,
        gradient: Any = "pcd",
        n_sweeps: int = 100,
        damping: float = 0.0,
        optimizer: Any = "sgd",
        schedule: Any = "linear",
        weight_decay: float = 0.0,
        regularization: Any = None,
        warm_start: bool = False,
        callbacks: Any = None,
    ) -> None: ...

    def _sk_visual_block_(self) -> Any:
        return block_of(self.layers)

    # Learning

    @classmethod
    def from_parameters(
        cls,
        coefs: Any,
        intercepts: Any = None,
        layer_params: Any = None,
        *,
        classes: Any,
        **settings: Any,
    ) -> "DBMClassifier":
        """The machine that has given weights and biases, without data.

        Parameters
        ----------
        coefs : list of array-like of shape (n_units_below, n_units_above)
            Weights in the order of the fitted attribute `coefs_`: of each hidden layer, at last those of the labels.
        intercepts : list of array-like of shape (n_units,), default=None
            Biases in the order of the fitted attribute `intercepts_`; zero if None.
        layer_params : list of dict, default=None
            Further parameters of the units, as the fitted attribute `layer_params_`.
        classes : array-like of shape (n_classes,)
            The classes, sorted, in the order of the label units.
        **settings : object
            Parameters of the constructor. `layers` are needed if the units are not binary.

        Returns
        -------
        machine : DBMClassifier
            The model. The arrays are copied.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or NaN or infinite entries, or the units have no such parameter.

        Examples
        --------
        >>> from ebm import DBMClassifier
        >>> weights = [[[2.0], [0.0]], [[-1.0], [1.0]]]
        >>> dbm = DBMClassifier.from_parameters(weights, classes=["no", "yes"])
        >>> dbm.predict([[1, 0]])
        array(['yes'], dtype='<U3')
        """
        weights = weights_of(coefs)
        if len(weights) < 2:
            raise ValueError(
                "coefs must hold the weights of each hidden layer, and at last those of the labels: two arrays at "
                f"least. Got {len(weights)}."
            )
        settings.setdefault("layers", [W.shape[1] for W in weights[:-1]])
        machine = cls(**settings)
        known = sorted_classes(machine, classes)
        check_several(known)
        machine.classes_ = known
        machine.n_features_in_ = weights[0].shape[0]
        set_arrays(machine, weights, intercepts, layer_params)
        return machine

    @learns
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> str:
        """Train all layers together, after each of them by itself if `pretraining` says so.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. Missing entries are NaN, or None among objects. `X` is not modified.
        y : array-like of shape (n_samples,)
            Classes; -1 marks unlabelled rows, see Notes.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows. Zero leaves the row out.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If no row has a label and a weight, if there is a single class, or if `y` mixes strings and numbers. If
            `layers` is empty, has entries that are no machines, or machines whose units do not agree. With
            `warm_start`, if classes or layers have changed; the machine then stays unchanged.

        Warns
        -----
        UserWarning
            If the meaning of -1 in `y` is ambiguous, or a class has no weight.
        ConvergenceWarning
            If training was interrupted or diverged. The parameters learned so far can be used. If the mean field of
            more than a tenth of the rows did not converge in the last epoch.
        """
        known = self.classes_ if self.warm_start and self._is_fitted() else None
        read = partial(label_layer.indicators, self, y, known, whole=True)
        return fit_deep(self, X, sample_weight, read)

    @learns
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> str:
        """Make one update of all layers together, with `X` as the batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training data with any number of rows. The first batch also sets the initial parameters; there is
            no pre-training.
        y : array-like of shape (n_samples,)
            Classes; -1 marks unlabelled rows if it is not among the `classes`. At least one row of the first batch must
            have a label.
        classes : array-like of shape (n_classes,), default=None
            All classes that later batches may contain; required in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the averages over the batch.

        Returns
        -------
        self : object
            The model after the update.

        Raises
        ------
        ValueError
            If `classes` is missing in the first call or differs from the first call, or if `y` has another class.
        """
        known = announced(self, classes, not self._is_fitted())
        read = partial(label_layer.indicators, self, y, known, whole=False)
        return update_deep(self, X, sample_weight, read)

    def _resume(self, file: Any, X: Any, y: Any, sample_weight: Any) -> str:
        read = partial(label_layer.indicators, self, y, None, whole=True)
        return resume_deep(self, file, X, y, sample_weight, read)

    # The layers

    def _tree(self, seed: int) -> Tree:
        """Unfitted machines for all layers, and the label as a pathway without hidden layers."""
        tree = chain_of(self, seed)
        n_classes = len(self.classes_)
        if n_classes < 2:
            raise ValueError(
                f"classes_ must hold two classes at least. Got {shown(self.classes_)}. Set those of the fit, or fit "
                "again."
            )
        labels = Path([], [], Categorical((n_classes,)), n_classes)
        return Tree([*tree.paths, labels], tree.top_name, tree.top)

    def _order(self) -> Array | None:
        return None

    def _chosen(self) -> list[int]:
        """Indices of the layers that `features` names."""
        check_is_fitted(self, "coefs_")
        return chosen_layers(self.features, len(self._tree(0).machines))

    # Labels

    def _posterior(self, X: Any) -> tuple[Array, Array]:
        """p(y | x) and its logarithm: both (n_samples, n_classes)."""
        law = self._density()
        check_finite(law.params, {})
        rows = law.dense(self, X, allow_nan=True)
        with overflowing():
            p, log_p, converged = label_posterior(law.model, law.params, rows, law.n_labels)
        deep_density.warn_of_means(self, converged)
        return p.astype(law.dtype), log_p.astype(law.dtype)

    # Samples

    @all_or_nothing
    def sample(
        self,
        n_samples: int = 1,
        label: Any = None,
        *,
        n_steps: int = 1000,
        given: Any = None,
        sampler: Any = "gibbs",
        return_labels: bool = False,
        random_state: Any = None,
    ) -> Any:
        """Draw samples from the model with independent Markov chains, one per sample.

        Parameters
        ----------
        n_samples : int, default=1
            Number of samples, each from its own chain.
        label : class or array-like of shape (n_samples,), default=None
            Class of all samples, or of each sample. With None the model samples the classes, too.
        n_steps : int, default=1000
            Steps per chain. A given label is clamped.
        given : array-like of shape (n_features,) or (n_samples, n_features), default=None
            Known features, which stay fixed bit for bit, and NaN for features to sample.
        sampler : {"gibbs", "tempering"} or record, default="gibbs"
            Gibbs sampling, or parallel tempering. Tempering takes an odd number of hidden layers, so that features and
            labels have one color.
        return_labels : bool, default=False
            Whether to return the classes of the samples, too.
        random_state : int, RandomState instance or None, default=None
            Seed. None continues the random stream of the model, so that repeated calls differ.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Samples, in the dtype of the model.
        y : ndarray of shape (n_samples,)
            Classes of the samples; only with `return_labels`.

        Raises
        ------
        ValueError
            If `n_samples` or `n_steps` is not a positive integer. If `label` is neither one class nor one per sample.
            If `given` has the wrong shape, or values that the visible units cannot have.
        """
        n_samples = check_integer(n_samples, "n_samples")
        n_steps = check_integer(n_steps, "n_steps")
        walker, law = sampler_record(sampler), self._density()
        law.check_squares()
        clamped = law.clamped(given, n_samples)
        if label is not None:
            if clamped is None:
                nothing = law.visible_rows(np.full(law.n_visible, np.nan), n_samples, "given", "")
                clamped = law.all_units(nothing)
            clamped[:, law.label_columns] = label_layer.indicators_of(self, label, n_samples)
        key = self._next_key(random_state)
        x = law.first_states(n_samples, fold(key, 0))
        target = Target(law.model, law.params, 1.0, clamped, law.base())
        states = walker.draw(target, x, fold(key, 1), n_steps).v
        drawn = law.visible(states)
        if not return_labels:
            return drawn
        return drawn, self.classes_[np.argmax(states[:, law.label_columns], axis=1)]

    # Likelihood

    @all_or_nothing
    def log_likelihood(
        self,
        X: Any,
        y: Any = None,
        method: Any = "auto",
        *,
        return_std: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> Any:
        """Log-likelihood log p(x, y) of each row and its label, or log p(x), if it can be summed; else a lower bound.

        The hidden layers are summed out if those of one color (every second layer) have at most 4096 states together.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data; NaN where unknown.
        y : array-like of shape (n_samples,), default=None
            Classes of the rows. With None the classes are summed out.
        method : {"auto", "exact", "ais"} or AIS, default="auto"
            Method for log Z, see :meth:`log_partition`.
        return_std : bool, default=False
            Whether to return standard errors, too.
        n_jobs : int, default=None
            Number of threads, as in joblib. The result does not depend on it.
        random_state : int, RandomState instance or None, default=None
            Seed of the estimate of log Z. None takes the seed of the model, so that repeated calls agree.

        Returns
        -------
        log_likelihood : ndarray of shape (n_samples,)
            Values in nats; log-densities for real-valued data. An overflow gives -inf, never NaN or +inf.
        standard_error : ndarray of shape (n_samples,)
            Only with `return_std`: the error of log Z. It is the same for all rows, so it is also the error of their
            mean.

        Raises
        ------
        ValueError
            If `y` has not one class for each row, or one that is not among `classes_`; if `method` is unknown.
        """
        check_is_fitted(self, "coefs_")
        labels = label_layer.known_labels(self, X, y)
        return deep_density.measured(
            self, X, sums_or_bounds, method, return_std, n_jobs, random_state, labels
        )

    @all_or_nothing
    def lower_bound(
        self,
        X: Any,
        y: Any = None,
        method: Any = "auto",
        *,
        return_std: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> Any:
        """Variational lower bound on log p(x, y) of each row and its label, or on log p(x).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data; NaN where unknown.
        y : array-like of shape (n_samples,), default=None
            Classes of the rows. With None the label is a unit of the mean field.
        method : {"auto", "exact", "ais"} or AIS, default="auto"
            Method for log Z, see :meth:`log_partition`.
        return_std : bool, default=False
            Whether to return standard errors, too.
        n_jobs : int, default=None
            Number of threads, as in joblib. The result does not depend on it.
        random_state : int, RandomState instance or None, default=None
            Seed of the estimate of log Z. None takes the seed of the model, so that repeated calls agree.

        Returns
        -------
        bound : ndarray of shape (n_samples,)
            Bounds in nats. An overflow gives -inf, never NaN or +inf.
        standard_error : ndarray of shape (n_samples,)
            Only with `return_std`: the error of log Z.

        Raises
        ------
        ValueError
            If `y` has not one class for each row, or one that is not among `classes_`; if `method` is unknown.
        """
        check_is_fitted(self, "coefs_")
        labels = label_layer.known_labels(self, X, y)
        return deep_density.measured(
            self, X, mean_field_bounds, method, return_std, n_jobs, random_state, labels
        )

    def score_samples(self, X: Any) -> Array:
        """Log-likelihood log p(x) of each row (or its lower bound), with the class summed out: :meth:`log_likelihood`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data; NaN where unknown.

        Returns
        -------
        log_p : ndarray of shape (n_samples,)
            Values in nats. The same call gives the same result.
        """
        log_p: Array = self.log_likelihood(X)
        return log_p
