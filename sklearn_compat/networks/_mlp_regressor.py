"""Multi-layer perceptrons that predict numbers."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from ebm._checks import Array, resolve
from ebm.networks.given import given_layers
from ebm.networks.losses import Huber, Loss, Poisson, SquaredError
from ebm.sklearn_compat._shared._labels import check_numbers, known_rows
from ebm.sklearn_compat._shared._settings import RECORD, learns
from ebm.sklearn_compat._shared._validation import check_weights
from ebm.sklearn_compat.networks._fitting import learn
from ebm.sklearn_compat.networks._given import keep_given
from ebm.sklearn_compat.networks._mlp import BaseMLP, Targets, by_batches

LOSSES: dict[str, type[Loss]] = {
    "squared_error": SquaredError,
    "huber": Huber,
    "poisson": Poisson,
}


class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron that predicts numbers, with unsupervised pre-training if wanted.

    Parameters, attributes and methods are those of :class:`sklearn.neural_network.MLPRegressor`, and more.

    Read more in the :ref:`User Guide <mlp>`.

    Parameters
    ----------
    loss : {"squared_error", "huber", "poisson"} or record, default="squared_error"
        Half the squared error; Huber's, which grows linearly beyond a distance, ``Huber(delta=1.0)`` [1]_; or the
        Poisson deviance of counts, whose logarithm is what the network puts out.

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
    MLPClassifier : For classes.

    Notes
    -----
    Rows whose targets are all NaN are unlabelled: they train `pretraining`, and are left out after it. Without
    `pretraining`, NaN is refused.

    References
    ----------
    .. [1] Huber, P. J. "Robust estimation of a location parameter." Annals of Mathematical Statistics 35 (1964).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import MLPRegressor
    >>> X = np.linspace(-1, 1, 200)[:, np.newaxis]
    >>> mlp = MLPRegressor(hidden_layer_sizes=(20,), solver="lbfgs", max_iter=500, tol=1e-3, random_state=0)
    >>> bool(mlp.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.99)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions(set(LOSSES)), RECORD],
    }
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        **BaseMLP._resolvers,
        "loss": partial(resolve, known=LOSSES, base=Loss, argument="loss"),  # type: ignore[type-abstract]
    }

    def __init__(
        self,
        loss: Any = "squared_error",
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
        self.loss = loss
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
        cls, coefs: Any, intercepts: Any = None, *, layer_params: Any = None, **settings: Any
    ) -> Any:
        """The network that has given weights and biases, without data: whatever a fitted one can do, it can.

        Parameters
        ----------
        coefs : list of array-like of shape (n_in, n_out)
            Weights of each dense layer, from the inputs to the outputs. float32 is kept.
        intercepts : list of array-like of shape (n_out,), default=None
            Biases of each dense layer; zero if None.
        layer_params : list of tuple, default=None
            The fitted attribute `layer_params_`: needed where activations ("prelu") or `batch_norm` have parameters.
        **settings : object
            Parameters of the constructor; `activation`, `batch_norm` and `loss` are part of the function. The arrays
            set `hidden_layer_sizes`, and take the place of `pretraining`.

        Returns
        -------
        network : MLPRegressor
            The network, at the state of ``fit`` with ``max_iter=0``. The arrays are copied. Weights that were pruned
            are zero, and may grow again in later training.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or NaN or infinite entries, or there is a `pretraining`.

        Examples
        --------
        >>> from ebm import MLPRegressor
        >>> coefs = [[[1.0, -1.0]], [[1.0], [1.0]]]
        >>> MLPRegressor.from_parameters(coefs, activation="relu").predict([[-3.0], [2.0]])
        array([3., 2.])
        """
        network = cls(**settings)
        keep_given(network, given_layers(coefs, intercepts), layer_params)
        return network

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @learns
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> str:
        """Fit the network: pre-train it if so wanted, then descend the loss of the labelled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs, never modified.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers; NaN marks unlabelled rows, see Notes.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows; zero leaves it out.

        Returns
        -------
        self : object
            The fitted network.

        Raises
        ------
        ValueError
            If all rows are unlabelled, or targets are what the loss is not for.
            If the pre-training has another number of features, or hidden units whose means are no activation or not
            the one that is asked for.

        Warns
        -----
        ConvergenceWarning
            If the loss still fell in the last epoch, if training was interrupted, or if numbers grew beyond all bounds:
            then the weights are those from before the epoch in which they did.
        """
        return learn(self, X, y, sample_weight, False)

    @available_if(by_batches)
    @learns
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> str:
        """Train for one epoch on these rows, batch by batch, at the initial learning rate (or by "invscaling").

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers; NaN marks unlabelled rows, see Notes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : object
            The network after the epoch.
        """
        return learn(self, X, y, sample_weight, True)

    def _loss(self) -> Loss:
        return self._resolvers["loss"](self.loss)

    def _targets(self, X: Any, y: Any, first: bool, classes: Any, whole: bool) -> Targets:
        """Targets of the rows that have them, and which rows these are."""
        y = check_numbers(self, X, y, self.pretraining is not None)
        known = known_rows(y)
        targets = y.reshape(len(y), -1)[known]
        self._loss().check_targets(targets)
        if not first and targets.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y has {targets.shape[1]} columns, but before there were {self.n_outputs_}. Fit anew "
                "(warm_start=False) to change them."
            )
        return targets, known

    def _stratify(self, targets: Array) -> Any:
        return None

    def _agreement(self, targets: Array, output: Array, weights: Array | None) -> float:
        """R^2."""
        return float(r2_score(targets, output, sample_weight=weights))

    def predict(self, X: Any) -> Array:
        """Predictions for the rows of `X`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Numbers.
        """
        output = self._outputs(X)
        return output.reshape(-1) if output.shape[1] == 1 else output

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R^2, the share of the variance of the targets that is predicted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; of several outputs, the mean of their shares counts.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            At most 1; the mean of the targets has 0.
        """
        y, weights = check_numbers(self, X, y, False), check_weights(sample_weight, y)
        found = self.predict(X)
        if found.shape != y.shape:
            raise ValueError(f"y has the shape {y.shape}, but predictions have {found.shape}.")
        return float(r2_score(y, found, sample_weight=weights))
