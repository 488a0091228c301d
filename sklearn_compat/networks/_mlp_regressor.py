"""The multi-layer perceptron that predicts numbers."""

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
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared._docstrings import complete_docstring
from ebm.sklearn_compat._shared._labels import check_numbers, known_rows
from ebm.sklearn_compat._shared._settings import RECORD, learns, stores_arguments
from ebm.sklearn_compat._shared._validation import check_weights
from ebm.sklearn_compat.networks import _fitting as fitting
from ebm.sklearn_compat.networks._fitting import learn
from ebm.sklearn_compat.networks._given import keep_given
from ebm.sklearn_compat.networks._mlp import BaseMLP, Targets, by_batches, has_epochs
from ebm.sklearn_compat.networks._shaping import prune

LOSSES: dict[str, type[Loss]] = {
    "squared_error": SquaredError,
    "huber": Huber,
    "poisson": Poisson,
}


@complete_docstring
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron that predicts numbers, with optional unsupervised pre-training.

    All parameters, attributes and methods of :class:`sklearn.neural_network.MLPRegressor` are supported; the others are
    extensions.

    Read more in the :ref:`User Guide <mlp>`.

    Parameters
    ----------
    loss : {"squared_error", "huber", "poisson"} or record, default="squared_error"
        Half the squared error; the Huber loss, which is linear for errors beyond ``Huber(delta=1.0)`` [1]_; or the
        Poisson deviance of counts, for which the network predicts the logarithm of the mean.

    Attributes
    ----------
    feature_importances_ : ndarray of shape (n_features,)
        Saliencies of the inputs, which :meth:`prune` measures. Their sum is 1.

    See Also
    --------
    MLPClassifier : Network that predicts classes.

    Notes
    -----
    Rows whose targets are all NaN are unlabelled: only `pretraining` uses them. Without `pretraining`, NaN is an error.

    References
    ----------
    .. [1] Huber, P. J. "Robust estimation of a location parameter." Annals of Mathematical Statistics 35 (1964).

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import MLPRegressor
    >>> X = np.linspace(-1, 1, 200)[:, np.newaxis]
    >>> mlp = MLPRegressor(
    ...     hidden_layer_sizes=(20,), solver="lbfgs", max_iter=500, tol=1e-3, random_state=0
    ... )
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

    fit = fitting.fit
    prune = prune
    resume = available_if(has_epochs)(learning.resume)
    _resume = fitting.resume_learning
    _lay_out = fitting.lay_out
    _held_out_score = fitting.held_out_score
    _loss_of_constant = fitting.loss_of_constant

    @stores_arguments
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
        mean_field_inputs: bool = False,
        regularization: Any = None,
        callbacks: Any = None,
    ) -> None: ...

    @classmethod
    def from_parameters(
        cls, coefs: Any, intercepts: Any = None, *, layer_params: Any = None, **settings: Any
    ) -> Any:
        """A network with the given weights and biases, without data; it has all methods of a fitted network.

        Parameters
        ----------
        coefs : list of array-like of shape (n_in, n_out)
            Weights of each dense layer, from the inputs to the outputs. float32 stays float32.
        intercepts : list of array-like of shape (n_out,), default=None
            Biases of each dense layer; zero if None.
        layer_params : list of tuple, default=None
            The fitted attribute `layer_params_`; required if the activation is "prelu" or with `batch_norm`.
        **settings : object
            Parameters of the constructor; `activation`, `batch_norm` and `loss` change the predictions. The arrays set
            `hidden_layer_sizes` and replace `pretraining`.

        Returns
        -------
        network : MLPRegressor
            The network, in the same state as after ``fit`` with ``max_iter=0``, with copies of the arrays. Pruned
            weights are zero, but later training may change them.

        Raises
        ------
        ValueError
            If an array has the wrong shape, or NaN or infinite entries, or if `pretraining` is given.

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

    @available_if(by_batches)
    @learns
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> str:
        """Train for one epoch on these rows, with the initial learning rate or "invscaling".

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
        """Targets of the labelled rows, and the mask of the labelled rows."""
        y = check_numbers(self, X, y, self.pretraining is not None)
        known = known_rows(y)
        targets = y.reshape(len(y), -1)[known]
        self._loss().check_targets(targets)
        if not first and targets.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y has {targets.shape[1]} columns, but the network has {self.n_outputs_} outputs. Fit with "
                "warm_start=False to change their number."
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
        """R^2: the share of the variance of the targets that the predictions explain.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets. With several outputs, the score is the mean over the outputs.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            At most 1. A constant prediction, the mean of the targets, has the score 0.
        """
        y, weights = check_numbers(self, X, y, False), check_weights(sample_weight, y)
        found = self.predict(X)
        if found.shape != y.shape:
            raise ValueError(f"y has the shape {y.shape}, but predictions have {found.shape}.")
        return float(r2_score(y, found, sample_weight=weights))
