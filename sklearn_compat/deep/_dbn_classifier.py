"""Deep belief networks of features and labels."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ebm._checks import Array, check_integer, shown
from ebm._random import fold
from ebm.energies.bipartite import Bipartite
from ebm.energies.extra_units import Beside, extra_probabilities
from ebm.pretraining import Labels, Step, layers_above
from ebm.samplers.ancestral import sample_rows
from ebm.sklearn_compat._shared import _labels as labels_
from ebm.sklearn_compat._shared._labels import (
    announced,
    check_known,
    check_same,
    check_several,
    read_labels,
    warn_weightless,
)
from ebm.sklearn_compat._shared._settings import all_or_nothing, settings_checked
from ebm.sklearn_compat._shared._validation import draw_seed, unharmed
from ebm.sklearn_compat.deep._fine_tuning import FineTuned
from ebm.sklearn_compat.deep._given_stack import GivenJointStack
from ebm.sklearn_compat.deep._layers import layer_name
from ebm.sklearn_compat.deep._stack import Machine
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.sklearn_compat.rbm._rbm import RBM
from ebm.units import Bernoulli, OneHot, Unit

# Keys of one call of `sample`.
START, DOWN, WALK = range(3)


class DBNClassifier(GivenJointStack, ClassifierMixin, FineTuned):
    """Deep belief network of features and labels.

    A stack of restricted Boltzmann machines, each trained on the hidden units of the one below. The topmost one sees
    the label beside them, as a group of units y of which exactly one is on, and models the joint density [1]_

        p(x, y) = sum_h exp(-E(x, y, h)) / Z,    so that    p(y | x) = exp(-F(x, y)) / sum_y' exp(-F(x, y')),

    with x the features of the layer below and F the free energy: exact, though Z is not known. As a density it can also
    be run the other way, and shows what a class looks like (:meth:`sample`).

    Read more in the :ref:`User Guide <dbn_classifier>`.

    Parameters
    ----------
    layers : list or tuple of RBM estimators or int, default=(100, 100)
        Numbers of hidden units, or machines with settings, from the data up; a number n stands for
        ``BernoulliRBM(n)``. The last one is the joint machine; its visible units must be binary, and its gradient one
        that follows chains (not "pseudo_likelihood", and "tap" to first order only). One layer alone is a joint machine
        on the data. Entries are reached as ``layer1``, ``layer2__learning_rate`` and so on.

    propagate : {"sample", "mean"}, default="sample"
        What a layer learns from: states of the hidden units below, drawn anew for every epoch, or their means.

    features : {"top", "all"}, int or list of int, default="top"
        Layers whose means are the features that `transform` returns, side by side: the topmost one, all, or those of
        the given numbers, from 1. Of the topmost layer, the mean over the classes, each by its probability.

    fine_tuning : {"up_down"} or FineTuning or UpDown or None, default=None
        Training of all layers together after the last one has learned, by the up-down algorithm [1]_, with the labels
        clamped; with settings, ``FineTuning(n_iter=50, learning_rate=0.01)``.

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

    history_ : dict of ndarray
        What was recorded while fine-tuning, one entry per epoch. Defined only after it.

    histories_ : dict of dict of ndarray
        What was recorded, by stage: "layer1", "layer2", ..., and "fine_tuning".

    recognition_components_, recognition_intercepts_ : list of ndarray
        Weights and biases of the way up, layer by layer; see :class:`DBN`.

    generative_components_, generative_intercepts_ : list of ndarray
        Weights and biases of the way down.

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
    of the joint machine and by `score`; in fine-tuning, the model draws their labels. That is so where there are at
    least two other classes; else -1 is a class like any other. In `partial_fit` it is so unless -1 is among the
    `classes`. NaN (None beside words) marks unlabelled rows, too, and then -1 is always a class.

    :meth:`predict_proba` is exact given the features of the layer below the top, which are means, passed up once.

    References
    ----------
    .. [1] Hinton, G. E., Osindero, S. & Teh, Y. W. "A fast learning algorithm for deep belief nets." Neural Computation
       18(7), 1527-1554 (2006).
    .. [2] Larochelle, H. & Bengio, Y. "Classification using discriminative restricted Boltzmann machines." ICML (2008).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ebm import BernoulliRBM, DBNClassifier, PersistentContrastiveDivergence
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X / 16
    >>> several = PersistentContrastiveDivergence(n_steps=5)
    >>> settings = {"batch_size": 50, "n_iter": 30, "optimizer": "momentum", "schedule": "linear"}
    >>> joint = BernoulliRBM(100, gradient=several, **settings)
    >>> dbn = DBNClassifier([joint], random_state=0).fit(X[:1200], y[:1200])
    >>> dbn.score(X[1200:], y[1200:]) > 0.85
    True
    >>> dbn.sample(5, label=3, n_steps=100).shape
    (5, 64)
    """

    score = labels_.score

    def __init__(
        self,
        layers: Any = (100, 100),
        *,
        propagate: str = "sample",
        features: Any = "top",
        fine_tuning: Any = None,
        verbose: int = 0,
        random_state: Any = None,
        warm_start: bool = False,
    ) -> None:
        self.layers = layers
        self.propagate = propagate
        self.features = features
        self.fine_tuning = fine_tuning
        self.verbose = verbose
        self.random_state = random_state
        self.warm_start = warm_start

    # Learning

    @settings_checked
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "DBNClassifier":
        """Fit the layers from the lowest up, the topmost with the labels, and then, where asked, the whole.

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
            If no row has a label (and a weight), there is one class only, or words and numbers are mixed; if `layers`
            is empty, holds what is no machine, or machines whose units do not fit; with `warm_start`, if classes or
            layers are others than before. What was learned before is then kept.

        Warns
        -----
        UserWarning
            If -1 may have been meant otherwise than it is taken, or a class has no weight.
        ConvergenceWarning
            If a layer, or fine-tuning, stopped because of an interrupt, or because numbers grew beyond all bounds. What
            was learned is kept; an interrupt ends `fit`, and layers above the one in which it came are missing, until
            `fit` with `warm_start` appends them.
        """
        with unharmed(self):
            go_on = self.warm_start and hasattr(self, "rbms_")
            settings = self._settings_checked(go_on)
            seed = self._own_seed() if go_on else draw_seed(self.random_state)
            X, weights = self._check_data(X, sample_weight, go_on)
            labels = self._indicators(X, y, self.classes_ if go_on else None, weights, True)
            stopped = self._fit_stages(settings, X, weights, seed, go_on, labels)
        self._tell(stopped)
        return self

    @settings_checked
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> "DBNClassifier":
        """Make one update of every layer, from the lowest up, or, once fine-tuned, of the whole; `X` is the batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training data; any number of rows. The first one also sets the initial biases.
        y : array-like of shape (n_samples,)
            Classes; -1 marks unlabelled rows if it is not among the `classes`. At least one row of the first batch must
            have a label.
        classes : array-like of shape (n_classes,), default=None
            All classes that will come up; needed in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the batch's averages.

        Returns
        -------
        self : object
            The model after the update.

        Raises
        ------
        ValueError
            If there are no `classes` in the first call, or others than before, or `y` has a class that is not among
            them; the layers stay as they are.
        """
        first = not hasattr(self, "rbms_")
        with unharmed(self):
            known = announced(self, classes, first)
            settings = self._settings_checked(not first)
            seed = draw_seed(self.random_state) if first else self._own_seed()
            X, weights = self._check_data(X, sample_weight, not first)
            labels = self._indicators(X, y, known, weights, False)
            stopped = self._update_stages(settings, X, weights, seed, first, labels)
        self._tell(stopped)
        return self

    def _indicators(self, X: Any, y: Any, known: Array | None, weights: Any, whole: bool) -> Labels:
        """Indicators of the classes, NaN in rows without a label; keeps the classes, new ones if none are known."""
        some = whole or not hasattr(self, "rbms_")
        labels = read_labels(self, X, y, known, useful=True, several=False, some=some)
        if known is None:
            known = np.unique(labels.y)
            check_several(known)
        elif whole:
            check_same(labels.y, known)
        check_known(labels.y, known)
        if whole:
            warn_weightless(labels.y, None if weights is None else weights[labels.labelled])
        self.classes_ = known
        columns = np.full((len(labels.labelled), len(known)), np.nan, X.dtype)
        columns[labels.labelled] = np.eye(len(known))[np.searchsorted(known, labels.y)]
        return Labels(columns)

    # The network

    def _new_machines(self, seed: int) -> list[BaseRBM]:
        """The last one is the joint machine."""
        *lower, top = super()._new_machines(seed)
        return [*lower, as_joint(top, len(self.classes_), layer_name(len(lower)))]

    def _has_joint(self) -> bool:
        """Whether the joint machine has learned: an interrupt may have come before."""
        return isinstance(self._fitted_machines()[-1]._model().visible, OneHot)

    def _parts(self) -> tuple[list[Machine], int, Unit | None]:
        parts, n_extra, joined = super()._parts()
        if not self._has_joint():
            return parts, n_extra, joined
        model, params = parts[-1]
        parts[-1] = Bipartite(Bernoulli(), model.hidden), params
        return parts, len(self.classes_), model.visible

    def _steps_up(self) -> list[Step]:
        steps = super()._steps_up()
        if self._has_joint():
            *lower, (_, params) = steps
            steps = [*lower, (Beside(self.rbms_[-1]._model(), len(self.classes_)), params)]
        return steps

    def _check_joint(self) -> None:
        check_is_fitted(self, "rbms_")
        if not self._has_joint():
            raise ValueError(
                "The joint machine of features and labels has not learned yet, for fit was interrupted before. Go on "
                "by set_params(warm_start=True).fit(X, y)."
            )
        n_labels = self.rbms_[-1]._model().visible.n_grouped
        if len(self.classes_) != n_labels:
            raise ValueError(
                f"classes_ must have {n_labels} entries, as many as the joint machine has label units. "
                f"Got {shown(self.classes_)}. Set one that fits, or fit again."
            )

    # Labels

    def _posterior(self, X: Any) -> tuple[Array, Array]:
        """p(y | x) and its logarithm: both (n_samples, n_classes)."""
        self._check_joint()
        states = np.eye(len(self.classes_))
        model, params = self.rbms_[-1]._model(), self.rbms_[-1]._params()
        lower = self._steps_up()[:-1]
        parts = [
            extra_probabilities(model, params, [block, *layers_above(lower, block)][-1], states)
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

    @all_or_nothing
    def sample(
        self,
        n_samples: int = 1,
        label: Any = None,
        *,
        n_steps: int = 1000,
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
        n_samples = check_integer(n_samples, "n_samples")
        n_steps = check_integer(n_steps, "n_steps")
        self._check_joint()
        model, params = self._network()
        given = self._clamped(label, n_samples, params.top.W.dtype)
        key, top = self._next_key(random_state), self.rbms_[-1]
        x, labels = model.split(top._density().first_states(n_samples, fold(key, START)))
        x = [*model.sample_down(params, x, fold(key, DOWN)), x][0]
        rows = model.top_rows(x, labels)
        rows = sample_rows(model, params, rows, fold(key, WALK), n_steps, given=given)
        x, labels = model.split(rows)
        x = np.ascontiguousarray(x)
        return (x, self.classes_[np.argmax(labels, axis=-1)]) if return_labels else x  # type: ignore[arg-type]

    def _clamped(self, label: Any, n_samples: int, dtype: Any) -> Array | None:
        """Rows of which the labels alone are known, as indicators."""
        if label is None:
            return None
        labels = np.asarray(label)
        if labels.ndim > 1 or labels.size not in (1, n_samples):
            raise ValueError(
                f"label must be one class, or one for each of {n_samples} samples. Got the shape {labels.shape}."
            )
        if not np.isin(labels, self.classes_).all():
            raise ValueError(
                f"label must be among the classes {self.classes_.tolist()}. Got {label!r}."
            )
        n_classes = len(self.classes_)
        given = np.full((n_samples, self.n_features_in_ + n_classes), np.nan, dtype)
        given[:, -n_classes:] = np.eye(n_classes)[np.searchsorted(self.classes_, labels)]
        return given


def as_joint(machine: BaseRBM, n_classes: int, name: str) -> RBM:
    """The machine with a group of label units beside its visible ones."""
    model = machine._model()
    if not isinstance(model.visible, Bernoulli):
        raise ValueError(
            f"layers: the visible units of {name}, {type(machine).__name__}, are {model.visible!r}, but the joint "
            f"machine sees binary features beside the label. Put a binary layer on top of binary hidden units: "
            f"layers=[..., {type(machine).__name__}(...), 256]."
        )
    names = RBM._get_param_names()
    settings = {name: x for name, x in machine.get_params(deep=False).items() if name in names}
    return RBM(**{**settings, "visible": OneHot((n_classes,)), "hidden": model.hidden})
