"""Deep belief networks of features and labels."""

from functools import partial
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array, check_integer
from ebm._random import fold
from ebm.energies.bipartite import Bipartite
from ebm.energies.extra_units import Beside, extra_probabilities
from ebm.samplers import walk
from ebm.sklearn_compat._base import BaseRBM
from ebm.sklearn_compat._greedy import Greedy
from ebm.sklearn_compat._labels import UNLABELLED, check_labels, labelled_rows
from ebm.sklearn_compat._layers import layer_name
from ebm.sklearn_compat._rbm import RBM
from ebm.sklearn_compat._stack import Step, means_up
from ebm.sklearn_compat._validation import draw_seed, unharmed
from ebm.units import Bernoulli, OneHot, Unit


class DBNClassifier(ClassifierMixin, Greedy):
    """Deep belief network of features and labels.

    A stack of restricted Boltzmann machines, each trained on the hidden units of the one below. The topmost one sees the
    label beside them, as a group of units y of which exactly one is on, and models the joint density [1]_

        p(x, y) = sum_h exp(-E(x, y, h)) / Z,    so that    p(y | x) = exp(-F(x, y)) / sum_y' exp(-F(x, y')),

    with x the features of the layer below and F the free energy: exact, though Z is not known. As a density it can also
    be run the other way, and shows what a class looks like (:meth:`sample`).

    Read more in the :ref:`User Guide <dbn_classifier>`.

    Parameters
    ----------
    layers : list or tuple of int or RBM estimators, default=(500, 500, 2000)
        Numbers of hidden units, or machines with settings, from the data up; a number n stands for
        ``BernoulliRBM(n)``. The last one is the joint machine; its visible units must be binary, and its gradient one
        that follows chains (not "pseudo_likelihood", and "tap" to first order only). One layer alone is a joint machine
        on the data. Entries are reached as ``layer1``, ``layer2__learning_rate`` and so on.

    propagate : {"mean", "sample"}, default="mean"
        What a layer learns from: the means of the hidden units below, or states drawn once.

    features : {"top", "all"}, int or list of int, default="top"
        Which layers `transform` returns: the topmost, all side by side, or those with these numbers, from 1.

    verbose : int, default=0
        Whether to show progress of every layer.

    random_state : int, RandomState instance or None, default=None
        Seed of the layers that have none of their own. See :term:`Glossary <random_state>`.

    warm_start : bool, default=False
        Whether `fit` goes on from the last solution, with the same classes.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.

    rbms_ : list of RBM estimators
        The fitted machines. The last ``n_classes`` visible units of the last one are the label.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature names that are all strings.

    See Also
    --------
    DBN : Without labels.
    MLPClassifier : Trained to discriminate, with a stack as its start.

    Notes
    -----
    Rows with y = -1 are unlabelled, as elsewhere in scikit-learn: they train the layers below the top, and are left out
    of the joint machine. That is so where there are at least two other classes; else -1 is a class like any other. In
    `partial_fit` it is so unless -1 is among the `classes`.

    :meth:`predict_proba` is exact given the features of the layer below the top, which are means, passed up once.

    References
    ----------
    .. [1] Hinton, G. E., Osindero, S. & Teh, Y. W. "A fast learning algorithm for deep belief nets." Neural Computation
       18(7), 1527-1554 (2006).
    .. [2] Larochelle, H. & Bengio, Y. "Classification using discriminative restricted Boltzmann machines." ICML (2008).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ebm import BernoulliRBM, DBNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X / 16
    >>> joint = BernoulliRBM(200, learning_rate=0.05, n_iter=20)
    >>> dbn = DBNClassifier([BernoulliRBM(100, n_iter=5), joint], random_state=0)
    >>> dbn.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:]) > 0.8
    True
    >>> dbn.sample(5, label=3, n_steps=100).shape
    (5, 64)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {**Greedy._parameter_constraints}

    def __init__(
        self,
        layers: Any = (500, 500, 2000),
        *,
        propagate: str = "mean",
        features: Any = "top",
        verbose: int = 0,
        random_state: Any = None,
        warm_start: bool = False,
    ) -> None:
        self.layers = layers
        self.propagate = propagate
        self.features = features
        self.verbose = verbose
        self.random_state = random_state
        self.warm_start = warm_start

    # Learning

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "DBNClassifier":
        """Train the layers one after the other, the topmost with the labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, never modified.
        y : array-like of shape (n_samples,)
            Classes; -1 marks unlabelled rows, see Notes.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows; zero leaves it out.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If no row has a label (and a weight), or there is one class only, or `layers` hold what is no machine or
            cannot stand where it is, or with `warm_start` classes or layers are others than before; what was learned
            before is then kept.

        Warns
        -----
        ConvergenceWarning
            If a layer stopped because of an interrupt, or because numbers grew beyond all bounds.
        """
        with unharmed(self):
            go_on = self.warm_start and hasattr(self, "rbms_")
            X, weights = self._check_data(X, sample_weight, go_on)
            known = self.classes_ if go_on else None
            for_top = self._beside_labels(X, y, known)
            if not go_on:
                self._seed = draw_seed(self.random_state)
            stopped = self._learn_layers(X, weights, self._seed, go_on, for_top)
        self._tell(stopped)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> "DBNClassifier":
        """Make one update of every layer, from the lowest up, with all of `X` as the batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training data.
        y : array-like of shape (n_samples,)
            Classes; -1 marks unlabelled rows if it is not among the `classes`.
        classes : array-like of shape (n_classes,), default=None
            All classes that will come up; needed in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the batch's means.

        Returns
        -------
        self : object
            The model after the updates.

        Raises
        ------
        ValueError
            If there are no `classes` in the first call, or others than before, or `y` has a class that is not among
            them; the layers stay as they are.
        """
        first = not hasattr(self, "rbms_")
        with unharmed(self):
            if first and classes is None:
                raise ValueError("classes must be passed to the first call of partial_fit.")
            X, weights = self._check_data(X, sample_weight, not first)
            known = self.classes_ if classes is None else np.unique(classes)
            for_top = self._beside_labels(X, y, known)
            if first:
                self._seed = draw_seed(self.random_state)
            stopped = self._update_layers(X, weights, self._seed, first, for_top)
        self._tell(stopped)
        return self

    def _beside_labels(self, X: Any, y: Any, known: Array | None) -> Any:
        """What makes of the features below the top the rows of the joint machine; sets the classes."""
        y = check_labels(self, X, y)
        labelled = self._labelled(y, known)
        check_classification_targets(y[labelled])
        classes = np.unique(y[labelled]) if known is None else known
        if len(classes) < 2:
            raise ValueError(
                f"y has the one class {classes.tolist()}: there must be two at least to tell apart."
            )
        if hasattr(self, "rbms_") and known is not None and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"classes must be those of the first call, {self.classes_.tolist()}. Got {known.tolist()}."
            )
        unknown = np.setdiff1d(y[labelled], classes)
        if len(unknown):
            raise ValueError(
                f"y has the classes {unknown.tolist()}, which are not among {classes.tolist()}."
            )
        self.classes_ = classes
        labels = np.searchsorted(classes, y[labelled])
        return partial(joint_rows, labelled=labelled, labels=labels, n_classes=len(classes))

    def _labelled(self, y: Array, known: Array | None) -> Array:
        """Which rows have a label."""
        if y.ndim > 1:
            raise ValueError(f"y must have one label per row. Got the shape {y.shape}.")
        if known is None:
            # The usual names of two classes need no remark, and a third one says what -1 is for.
            return labelled_rows(y, not np.array_equal(np.unique(y), [UNLABELLED, 1]))
        return np.ones(len(y), bool) if UNLABELLED in known else np.asarray(y != UNLABELLED)

    # The network

    def _new_machines(self, seed: int) -> list[BaseRBM]:
        """The last one is the joint machine."""
        *lower, top = super()._new_machines(seed)
        return [*lower, as_joint(top, len(self.classes_), layer_name(len(lower)))]

    def _parts(self) -> tuple[list[Step], int, Unit | None]:
        parts, _, _ = super()._parts()
        model, params = parts[-1]
        parts[-1] = Bipartite(Bernoulli(), model.hidden), params
        return parts, len(self.classes_), model.visible

    def _steps_up(self) -> list[Step]:
        *lower, (model, params) = super()._steps_up()
        return [*lower, (Beside(model, len(self.classes_)), params)]

    # Labels

    @property
    def _n_classes(self) -> int:
        check_is_fitted(self, "rbms_")
        return len(self.classes_)

    def _posterior(self, X: Any) -> tuple[Array, Array]:
        """p(y | x) and its logarithm: both (n_samples, n_classes)."""
        states = np.eye(self._n_classes)
        model, params = self.rbms_[-1]._model(), self.rbms_[-1]._params()
        lower = self._steps_up()[:-1]
        parts = [
            extra_probabilities(model, params, [block, *means_up(lower, block)][-1], states)
            for block in self._blocks(X)
        ]
        p, logs = zip(*parts, strict=True)
        return np.concatenate(p), np.concatenate(logs)

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, p(y | x), of rows of `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return self._posterior(X)[0]

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities of the classes, also of those that round to zero.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return self._posterior(X)[1]

    def predict(self, X: Any) -> Array:
        """Most probable classes of the rows of `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Classes.
        """
        best = self._posterior(X)[1].argmax(axis=1)
        return np.asarray(self.classes_[best])

    # Samples

    def sample(
        self,
        n_samples: int = 1,
        label: Any = None,
        *,
        n_steps: int = 1000,
        mean: bool = False,
        return_labels: bool = False,
        random_state: Any = None,
    ) -> Any:
        """Draw data from the model: Gibbs sampling in the joint machine, then one pass down.

        Parameters
        ----------
        n_samples : int, default=1
            Count of samples, and of independent chains.
        label : class or array-like of shape (n_samples,), default=None
            Class of all samples, or of each; None: drawn by the model, too.
        n_steps : int, default=1000
            Gibbs steps per chain, the label being clamped if there is one.
        mean : bool, default=False
            Whether to return the means of the data given the layer above instead of draws.
        return_labels : bool, default=False
            Whether to return the samples' classes as well.
        random_state : int, RandomState instance or None, default=None
            None goes on in the model's own stream of draws, so that repeated calls differ.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            Samples, of the dtype of the model.
        y : ndarray of shape (n_samples,)
            Their classes; only with `return_labels`.

        Raises
        ------
        ValueError
            If a count is not a positive integer, or `label` is no class or not one per sample.
        """
        check_integer(n_samples, "n_samples")
        check_integer(n_steps, "n_steps")
        model, params = self._network()
        given = self._clamped(label, n_samples, params.top.W)
        key = self._next_key(random_state)
        start = self.rbms_[-1]._start(params.top, n_samples, fold(key, 0))
        top = model.top_model
        v = walk(top, params.top, start, fold(key, 1), n_steps, given=given)
        states, labels = model.split(v)
        found = np.asarray(self.classes_[np.argmax(labels, axis=1)])
        rows = self._come_down(v, states, mean)
        return (rows, found) if return_labels else rows

    def _clamped(self, label: Any, n_samples: int, W: Array) -> Array | None:
        """Top's visible states of which the labels alone are known."""
        if label is None:
            return None
        labels = np.asarray(label)
        if labels.ndim > 1 or labels.size not in (1, n_samples):
            raise ValueError(
                f"label must be one class, or one for each of {n_samples} samples. Got the shape {labels.shape}."
            )
        known = np.isin(labels, self.classes_)
        if not known.all():
            raise ValueError(
                f"label must be among the classes {self.classes_.tolist()}. Got {label!r}."
            )
        given = np.full((n_samples, len(W)), np.nan, W.dtype)
        given[:, -self._n_classes :] = np.eye(self._n_classes)[
            np.searchsorted(self.classes_, labels)
        ]
        return given


def as_joint(machine: BaseRBM, n_classes: int, name: str) -> RBM:
    """The machine with a group of label units beside its visible ones."""
    model = machine._model()
    if not isinstance(model.visible, Bernoulli):
        raise ValueError(
            f"layers: the visible units of {name}, {type(machine).__name__}, are {model.visible!r}, but the joint machine "
            "sees binary features beside the label. Put a binary layer on top: layers=[..., "
            f"{machine.__class__.__name__}(...), 256]."
        )
    settings = {name: getattr(machine, name) for name in RBM._get_param_names() if hasattr(machine, name)}
    return RBM(**{**settings, "visible": OneHot((n_classes,)), "hidden": model.hidden})


def joint_rows(
    X: Any, weights: Array | None, *, labelled: Array, labels: Array, n_classes: int
) -> tuple[Any, Array | None]:
    """The labelled rows with their labels as indicators at the end, and their weights."""
    indicators = np.eye(n_classes, dtype=X.dtype)[labels]
    if weights is not None:
        weights = weights[labelled]
        if not weights.any():
            raise ValueError("sample_weight is zero for every labelled sample.")
    join = partial(sparse.hstack, format="csr") if sparse.issparse(X) else np.hstack
    return join([X[labelled], indicators]), weights
