"""The multi-layer perceptron that predicts classes."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if

from ebm._checks import Array
from ebm.networks.given import given_layers
from ebm.networks.losses import BinaryCrossEntropy, CrossEntropy, Loss
from ebm.sklearn_compat._shared import _labels as labels_
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._labels import (
    announced,
    check_same,
    indicators,
    new_binarizer,
    read_labels,
)
from ebm.sklearn_compat._shared._settings import learns
from ebm.sklearn_compat.networks import _fitting as fitting
from ebm.sklearn_compat.networks._fitting import learn
from ebm.sklearn_compat.networks._given import keep_classes, keep_given
from ebm.sklearn_compat.networks._mlp import BaseMLP, Targets, by_batches, has_epochs
from ebm.sklearn_compat.networks._shaping import prune


@complete_docstring
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron that predicts classes, with optional unsupervised pre-training.

    Training maximizes the mean log-probability of the labels,

        log p(y | x),   p(y | x) = softmax(output of the last layer).

    With several labels per row, each label has its own probability, logistic(output). If labels are scarce, initialize
    the hidden layers with a restricted Boltzmann machine or a deep belief network that was fitted on all rows [1]_.

    All parameters, attributes and methods of :class:`sklearn.neural_network.MLPClassifier` are supported; the others
    are extensions.

    Read more in the :ref:`User Guide <mlp>`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.

    feature_importances_ : ndarray of shape (n_features,)
        Saliencies of the inputs, which :meth:`prune` measures. Their sum is 1.

    See Also
    --------
    MLPRegressor : For real-valued targets.
    DBN : Pre-training by a stack of restricted Boltzmann machines.
    DBNClassifier : Joint density of features and labels.

    Notes
    -----
    Rows with y = -1 are unlabelled, as elsewhere in scikit-learn: only `pretraining` uses them, and `score` leaves them
    out. However, -1 is a normal class if there are fewer than two other classes, or if the `classes` of `partial_fit`
    contain it. With `pretraining`, NaN (or None among strings) also marks unlabelled rows; if `y` has such marks, -1 is
    a normal class. With a single class, every prediction is that class, as in scikit-learn.

    References
    ----------
    .. [1] Hinton, G. E. & Salakhutdinov, R. R. "Reducing the dimensionality of data with neural networks." Science 313
       (2006).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ebm import BernoulliRBM, MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X, labels = X / 16, y.copy()
    >>> labels[200:] = -1
    >>> rbm = BernoulliRBM(n_components=128, n_iter=10, learning_rate=0.05)
    >>> mlp = MLPClassifier(pretraining=rbm, learning_rate_init=0.01, random_state=0).fit(X, labels)
    >>> bool(mlp.score(X[200:], y[200:]) > 0.75)
    True
    """

    classes_: Array

    score = labels_.score
    fit = fitting.fit
    prune = prune
    resume = available_if(has_epochs)(learning.resume)
    _resume = fitting.resume_learning
    _lay_out = fitting.lay_out
    _held_out_score = fitting.held_out_score
    _loss_of_constant = fitting.loss_of_constant

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
        """A network with the given weights and biases, without data; it has all methods of a fitted network.

        Parameters
        ----------
        coefs : list of array-like of shape (n_in, n_out)
            Weights of each dense layer, from the inputs to the outputs. float32 stays float32.
        intercepts : list of array-like of shape (n_out,), default=None
            Biases of each dense layer; zero if None.
        classes : array-like of shape (n_classes,), default=None
            The classes, sorted. Two classes have one output, for the second class. None means 0, 1, 2, ...
        multilabel : bool, default=False
            Whether a row may have several labels, with one output for each; the classes are then the numbers of the
            outputs.
        layer_params : list of tuple, default=None
            The fitted attribute `layer_params_`; required if the activation is "prelu" or with `batch_norm`.
        **settings : object
            Parameters of the constructor; `activation` and `batch_norm` change the predictions. The arrays set
            `hidden_layer_sizes` and replace `pretraining`.

        Returns
        -------
        network : MLPClassifier
            The network, in the same state as after ``fit`` with ``max_iter=0``, with copies of the arrays. Pruned
            weights are zero, but later training may change them.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or NaN or infinite entries; if classes are not sorted, or their number
            does not agree with the outputs; or if `pretraining` is given.

        Examples
        --------
        >>> from ebm import MLPClassifier
        >>> mlp = MLPClassifier.from_parameters([[[1.0]], [[2.0]]], [[0.0], [-1.0]], ["no", "yes"])
        >>> mlp.predict([[0.0], [1.0]])
        array(['no', 'yes'], dtype='<U3')
        """
        network = cls(**settings)
        layers = given_layers(coefs, intercepts)
        keep_classes(network, len(layers[-1].bias), classes, multilabel)
        keep_given(network, layers, layer_params)
        return network

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @available_if(by_batches)
    @learns
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> str:
        """Train for one epoch on these rows, with the initial learning rate or "invscaling".

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes, or indicators of several labels; -1 marks unlabelled rows, see Notes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        classes : array-like of shape (n_classes,), default=None
            All classes that later calls may contain; required in the first call.

        Returns
        -------
        self : object
            The network after the epoch.
        """
        classes = announced(self, classes, not hasattr(self, "classes_"))
        return learn(self, X, y, sample_weight, True, classes)

    def _loss(self) -> Loss:
        one_of_many = self._label_binarizer.y_type_ == "multiclass"
        return CrossEntropy() if one_of_many else BinaryCrossEntropy()

    def _targets(self, X: Any, y: Any, first: bool, classes: Any, whole: bool) -> Targets:
        """Indicators of the classes of the labelled rows, and the mask of the labelled rows."""
        known = classes if first else self.classes_
        labels = read_labels(self, X, y, known, useful=self.pretraining is not None, several=True)
        if first:
            self._label_binarizer = new_binarizer(labels.y, classes)
            self.classes_ = self._label_binarizer.classes_
        elif whole:
            check_same(labels.y, self.classes_)
        return indicators(self._label_binarizer, labels.y), labels.labelled

    def _stratify(self, targets: Array) -> Any:
        """The classes, unless there are several labels."""
        multilabel = self._label_binarizer.y_type_.startswith("multilabel")
        return None if multilabel else self._label_binarizer.inverse_transform(targets)

    def _agreement(self, targets: Array, output: Array, weights: Array | None) -> float:
        """Accuracy."""
        y, found = (self._label_binarizer.inverse_transform(x) for x in (targets, output))
        return float(accuracy_score(y, found, sample_weight=weights))

    def predict(self, X: Any) -> Array:
        """The most probable class of each row of `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Classes, or indicators of several labels.
        """
        output = self._outputs(X)
        return np.asarray(self._label_binarizer.inverse_transform(output))

    def predict_proba(self, X: Any) -> Array:
        """Probabilities p(y | x) of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`. With several labels per row, the probability of each label.
        """
        p = self._outputs(X, "probabilities")
        return p if len(self.classes_) > 1 else np.ones_like(p[:, :1])

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities p(y | x) of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            Log-probabilities in the order of `classes_`.
        """
        log_p = self._outputs(X, "log_probabilities")
        return log_p if len(self.classes_) > 1 else np.zeros_like(log_p[:, :1])
