"""Multi-layer perceptrons that classify."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if

from ebm._checks import Array
from ebm.networks.given import given_layers
from ebm.networks.losses import BinaryCrossEntropy, CrossEntropy, Loss
from ebm.sklearn_compat._shared import _labels as labels_
from ebm.sklearn_compat._shared._labels import (
    announced,
    check_same,
    indicators,
    new_binarizer,
    read_labels,
)
from ebm.sklearn_compat._shared._settings import learns
from ebm.sklearn_compat.networks._fitting import learn
from ebm.sklearn_compat.networks._given import keep_classes, keep_given
from ebm.sklearn_compat.networks._mlp import BaseMLP, Targets, by_batches


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron that classifies, with unsupervised pre-training if wanted.

    The network maximises the mean log-probability of the labels,

        log p(y | x),   p(y | x) = softmax(output of the last layer),

    or of several labels at once, each by itself, p = logistic(output). Where labels are scarce, its hidden layers can
    start from a restricted Boltzmann machine or a deep belief network that has seen all rows [1]_.

    Parameters, attributes and methods are those of :class:`sklearn.neural_network.MLPClassifier`, and more.

    Read more in the :ref:`User Guide <mlp>`.

    Parameters
    ----------
    hidden_layer_sizes : int, array-like of shape (n_hidden_layers,) or "auto", default="auto"
        Units of each hidden layer. "auto": those of the pre-training, or (100,). With pre-training the given sizes
        begin with its layers; what follows starts at random.

    activation : {"auto", "identity", "logistic", "tanh", "relu", "leaky_relu", "prelu", "softplus", "elu", \
            "maxout"}, record or list of these, default="auto"
        Of all hidden layers, or of each; records have settings, as in ``Maxout(n_pieces=3)``. "auto": the means of
        the units of the pre-training, or "relu".

    pretraining : estimator or None, default=None
        A restricted Boltzmann machine or a :class:`DBN`, whose layers the network starts from. An unfitted one is
        cloned and fitted on all rows, the unlabelled ones included; one in a
        :class:`~sklearn.frozen.FrozenEstimator` is taken as it is.

    solver : {"adam", "sgd", "lbfgs", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "nadam"} or record, \
            default="adam"
        "sgd" is with `momentum`; "adam" with `beta_1`, `beta_2`, `epsilon`; "lbfgs" works on all rows at once. Any
        other has settings as a record, as in ``RMSProp(decay=0.95)``.

    alpha : float, default=0.0001
        Coefficient of the penalty on half the squared weights. It is divided by the rows of the batch, as scikit-learn
        does.

    batch_size : int or "auto", default="auto"
        Rows per update; "auto" is ``min(200, n_samples)``.

    learning_rate : {"constant", "invscaling", "adaptive", "linear", "exponential", "inverse"} or record, \
            default="constant"
        Course of the learning rate. "invscaling", the inverse of the number of rows seen to the power `power_t`, and
        "adaptive", divided by five whenever training comes to a halt, act with ``solver="sgd"`` only; the others are
        the schedules of :mod:`ebm.optimizers` and act with every solver but "lbfgs".

    learning_rate_init : float, default=0.001
        Step size at the start.

    power_t : float, default=0.5
        Power of "invscaling".

    max_iter : int, default=200
        Most epochs, for "lbfgs" iterations. None at all, 0, leaves the network as it starts.

    shuffle : bool, default=True
        Whether every epoch takes the rows in a random order: one that depends on which rows there are, not on how they
        are stored.

    random_state : int, RandomState instance or None, default=None
        Seed of the first weights, the order of rows, dropout, the split of `early_stopping`, and the pre-training if
        that has none of its own.

    tol : float, default=1e-4
        An epoch improves by more than this, or counts as none. For "lbfgs": training ends once the largest slope has
        stayed within it for more than `n_iter_no_change` iterations in a row; one alone may be that of a saddle.

    verbose : int, default=0
        Whether to show progress and the loss after each epoch: a bar on a terminal, lines elsewhere.

    warm_start : bool, default=False
        Whether `fit` goes on from the last weights instead of starting anew. The optimiser and the course of the
        learning rate begin anew.

    momentum : float in [0, 1), default=0.9
        Momentum of "sgd".

    nesterovs_momentum : bool, default=True
        Whether that is Nesterov's.

    early_stopping : bool, default=False
        Whether to put rows aside, stop when the score on them no longer improves, and keep the best weights.

    validation_fraction : float in [0, 1), default=0.1
        Share of the labelled rows that are put aside.

    beta_1, beta_2 : float in [0, 1), default=0.9, 0.999
        Decay of the means of "adam".

    epsilon : float, default=1e-8
        What keeps the divisor of "adam" from zero.

    n_iter_no_change : int or inf, default=10
        Training ends after more epochs than this without improvement; with ``numpy.inf`` after `max_iter`, and since
        this is what was asked for, without the warning that scikit-learn gives then.

    max_fun : int, default=15000
        Most evaluations of "lbfgs".

    init : {"glorot", "glorot_normal", "he", "he_normal", "lecun", "lecun_normal", "orthogonal"} or record, \
            default="glorot"
        Law of the first weights; biases start at zero.

    dropout : float or array-like of shape (n_hidden_layers + 1,), default=0.0
        Share of the hidden units that are left out at random in each step of training, the others being enlarged to
        make up for it; or shares of the inputs and of each hidden layer.

    batch_norm : bool, default=False
        Whether the inputs of the hidden activations are normalised over the batch.

    growth : Growth or None, default=None
        Units to be added to hidden layers, ``Growth(n_new=10)``, whenever `fit` would end because the loss (or the
        score of `early_stopping`) no longer improves; until that brings too little, which is undone. None: none.

    regularization : Regularization or None, default=None
        Absolute weights, norms of each unit's weights, clipped gradients: ``Regularization(l1=1e-5, max_norm=3.0)``.
        With "lbfgs" only the first.

    callbacks : callable, list of callables or None, default=None
        Called after each epoch (of which "lbfgs" has none) with a :class:`ebm.monitors.Report`; may return a dict of
        numbers for `history_`, or True to end training.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.

    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each dense layer.

    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each dense layer.

    layer_params_ : list of tuple
        The parameters of all layers of `network_`: slopes of "prelu" and what `batch_norm` has, too.

    network_ : ebm.networks.network.Network
        The layers and the loss.

    feature_importances_ : ndarray of shape (n_features,)
        Saliencies of the inputs, which :meth:`prune` measures. They sum to one.

    pretraining_ : estimator or None
        The fitted pre-training.

    loss_ : float
        Loss of the last epoch, with the penalty of `alpha`; after a divergence that of the weights kept.

    best_loss_ : float or None
        The lowest; None with `early_stopping`.

    loss_curve_ : list of float
        Of each epoch: means over its batches as they were met; NaN for one that was undone.

    validation_scores_, best_validation_score_ : list of float, float, or None
        With `early_stopping`.

    history_ : dict of ndarray
        Of each epoch: "epoch", "learning_rate", "time" in seconds, "loss", and the numbers of callbacks.

    t_ : int
        Rows seen in training.

    n_iter_ : int
        Epochs, or iterations, of the last fit.

    n_layers_ : int
        Layers of units, inputs and outputs included.

    n_outputs_ : int
        Number of outputs.

    out_activation_ : str
        Function of the outputs.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature names that are all strings.

    See Also
    --------
    MLPRegressor : For real-valued targets.
    DBN : Pre-training by a stack of restricted Boltzmann machines.
    DBNClassifier : Joint density of features and labels.

    Notes
    -----
    Rows with y = -1 are unlabelled, as elsewhere in scikit-learn: they train `pretraining`, and are left out after it
    and by `score`. That is so where there are at least two other classes; else -1 is a class like any other, as it is
    among the `classes` of `partial_fit`. With `pretraining`, NaN (None beside words) marks unlabelled rows, too, and
    then -1 is always a class. With one class only, every row is of it, as in scikit-learn.

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

    def __init__(
        self,
        hidden_layer_sizes: Any = "auto",
        activation: Any = "auto",
        *,
        pretraining: Any = None,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: int = 0,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        init: Any = "glorot",
        dropout: Any = 0.0,
        batch_norm: bool = False,
        growth: Any = None,
        regularization: Any = None,
        callbacks: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.pretraining = pretraining
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.init = init
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.growth = growth
        self.regularization = regularization
        self.callbacks = callbacks

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
        network = cls(**settings)
        layers = given_layers(coefs, intercepts)
        keep_classes(network, len(layers[-1].bias), classes, multilabel)
        keep_given(network, layers, layer_params)
        return network

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @learns
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> str:
        """Fit the network: pre-train it if so wanted, then descend the loss of the labelled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs, never modified.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes, or indicators of several labels; -1 marks unlabelled rows, see Notes.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows; zero leaves it out.

        Returns
        -------
        self : object
            The fitted network.

        Raises
        ------
        ValueError
            If all rows are unlabelled, labels are missing without `pretraining`, or words and numbers are mixed; with
            `warm_start`, if the classes are not those of before; if the loss is not finite with the first weights.
            If the pre-training has another number of features, or hidden units whose means are no activation or not
            the one that is asked for.

        Warns
        -----
        UserWarning
            If -1 may have been meant otherwise than it is taken, or a class has no weight.
        ConvergenceWarning
            If the loss still fell in the last epoch, if training was interrupted, or if numbers grew beyond all bounds:
            then the weights are those from before the epoch in which they did.
        """
        return learn(self, X, y, sample_weight, False)

    @available_if(by_batches)
    @learns
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> str:
        """Train for one epoch on these rows, batch by batch, at the initial learning rate (or by "invscaling").

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes, or indicators of several labels; -1 marks unlabelled rows, see Notes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        classes : array-like of shape (n_classes,), default=None
            All classes that will come up; needed in the first call.

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
        """Indicators of the classes of the labelled rows, and which rows these are."""
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
        """Classes of the rows of `X`: the most probable ones.

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
            In the order of `classes_`; of several labels, that of each.
        """
        p = self._outputs(X, "probabilities")
        return p if len(self.classes_) > 1 else np.ones_like(p[:, :1])

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        log_p = self._outputs(X, "log_probabilities")
        return log_p if len(self.classes_) > 1 else np.zeros_like(log_p[:, :1])
