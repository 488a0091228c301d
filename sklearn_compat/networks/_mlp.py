"""The base class of the multi-layer perceptrons: settings, fitted attributes, outputs."""

from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ebm import training
from ebm._arrays import float_type
from ebm._checks import Array, check_flag
from ebm._sparse import as_dtype, blocks, row_blocks
from ebm.gradients.base import no_chains
from ebm.networks.autoencoder import check_tied
from ebm.networks.dense import Dense, DenseParameters
from ebm.networks.losses import Loss
from ebm.networks.network import Network, Parameters
from ebm.sklearn_compat._shared._attributes import fitted_array, fitted_list
from ebm.sklearn_compat._shared._course import Watch
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._settings import NamedList, stores_arguments
from ebm.sklearn_compat._shared._validation import check_rows
from ebm.sklearn_compat.deep._augmented import check_augments, with_means
from ebm.sklearn_compat.networks._mlp_settings import (
    RECORDS,
    SETTINGS,
)


def has_epochs(estimator: Any) -> bool:
    """Whether training consists of epochs; else AttributeError."""
    if isinstance(estimator.solver, str) and estimator.solver == "lbfgs":
        raise AttributeError("resume continues after an epoch, but solver='lbfgs' has no epochs.")
    return True


def as_it_is(entry: Any) -> Any:
    """The entry of a list that has no other form."""
    return entry


def by_batches(estimator: Any) -> bool:
    """Whether training consists of batches; else AttributeError."""
    if isinstance(estimator.solver, str) and estimator.solver == "lbfgs":
        raise AttributeError("partial_fit trains on batches, but solver='lbfgs' has no batches.")
    return True


# Targets (rows, outputs) of the labelled rows, or None for the rows themselves, and their mask (rows,).
Targets = tuple[Array | None, Array]


class BaseMLP(Estimator):
    """Multi-layer perceptrons (abstract), with the settings and fitted attributes of both estimators.

    Parameters
    ----------
    hidden_layer_sizes : int, array-like of shape (n_hidden_layers,) or "auto", default="auto"
        Units of each hidden layer. "auto" takes the layers of the pre-training, or (100,) without pre-training. Given
        sizes must begin with the layers of the pre-training; further layers get random initial weights.

    activation : {"auto", "identity", "logistic", "tanh", "relu", "leaky_relu", "prelu", "softplus", "elu", \
            "maxout"}, record or list of these, default="auto"
        Activation of all hidden layers, or a list with one for each. Use a record for settings, as in
        ``Maxout(n_pieces=3)``. "auto" is the mean of the pre-trained units, or "relu" without pre-training.

    pretraining : estimator, list of Autoencoder or None, default=None
        A restricted Boltzmann machine, a :class:`DBN`, a :class:`DBM` or an :class:`Autoencoder`, whose weights
        initialize the first layers. Layers of a DBM with another one above begin with twice their weights. An unfitted
        estimator is cloned and fitted on all rows, including unlabelled rows. A fitted estimator in a
        :class:`~sklearn.frozen.FrozenEstimator` is used without fitting. Of a list of autoencoders each learns from the
        codes of the one before, as in a stacked denoising autoencoder.

    solver : {"adam", "sgd", "lbfgs", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "nadam"} or record, \
            default="adam"
        "sgd" uses `momentum`; "adam" uses `beta_1`, `beta_2` and `epsilon`; "lbfgs" uses all rows in each iteration.
        Use a record for settings of the others, as in ``RMSProp(decay=0.95)``.

    alpha : float, default=0.0001
        Coefficient of the penalty on half the squared weights. As in scikit-learn, it is divided by the number of rows
        in the batch.

    batch_size : int or "auto", default="auto"
        Rows per update; "auto" is ``min(200, n_samples)``.

    learning_rate : {"constant", "invscaling", "adaptive", "linear", "exponential", "inverse"} or record, \
            default="constant"
        How the learning rate changes. "invscaling" divides it by the number of rows seen to the power `power_t`;
        "adaptive" divides it by five whenever the loss stops improving. These two need ``solver="sgd"``. The others are
        the schedules of :mod:`ebm.optimizers`, for all solvers except "lbfgs".

    learning_rate_init : float, default=0.001
        Initial step size.

    power_t : float, default=0.5
        Exponent of "invscaling".

    max_iter : int, default=200
        Maximum number of epochs, or of iterations of "lbfgs". With 0 the network keeps its initial weights.

    shuffle : bool, default=True
        Whether every epoch takes the rows in a random order. The order depends on the rows, not on how they are sorted.

    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, the order of rows, dropout and the split of `early_stopping`, and of a
        `pretraining` without a seed.

    tol : float, default=1e-4
        An epoch is an improvement if the loss or score improves by more than `tol`. "lbfgs" ends when the largest
        derivative has been at most `tol` for more than `n_iter_no_change` iterations in a row; a single iteration may
        be at a saddle point.

    verbose : int, default=0
        Whether to show progress and the loss after each epoch: a bar on a terminal, lines elsewhere.

    warm_start : bool, default=False
        Whether `fit` continues from the last weights. The optimizer and the learning rate start anew.

    momentum : float in [0, 1), default=0.9
        Momentum of "sgd".

    nesterovs_momentum : bool, default=True
        Whether "sgd" uses Nesterov's momentum.

    early_stopping : bool, default=False
        Whether to hold out validation rows, stop when their score no longer improves, and restore the best weights.
        "lbfgs" holds out none, as in scikit-learn.

    validation_fraction : float in [0, 1), default=0.1
        Share of the labelled rows that `early_stopping` holds out.

    beta_1, beta_2 : float in [0, 1), default=0.9, 0.999
        Decay rates of the means of "adam".

    epsilon : float, default=1e-8
        Small number in the divisor of "adam" that prevents a division by zero.

    n_iter_no_change : int or inf, default=10
        Training ends after more than this number of epochs in a row without improvement. With ``numpy.inf`` it ends
        after `max_iter` epochs, without a ConvergenceWarning.

    max_fun : int, default=15000
        Maximum number of loss evaluations of "lbfgs".

    init : {"glorot", "glorot_normal", "he", "he_normal", "lecun", "lecun_normal", "orthogonal"} or record, \
            default="glorot"
        Distribution of the initial weights. Initial biases are zero.

    dropout : float or array-like of shape (n_hidden_layers + 1,), default=0.0
        Share of the hidden units that each training step sets to zero at random; the other units are scaled up to keep
        the mean. A list has the shares of the inputs and of each hidden layer.

    batch_norm : bool, default=False
        Whether the inputs of the hidden activations are normalized over the batch.

    growth : Growth or None, default=None
        Adds units to hidden layers, as in ``Growth(n_new=10)``, whenever the loss (or the score of `early_stopping`)
        no longer improves. A growth step that brings too little is undone and ends `fit`. With None the network does
        not grow.

    mean_field_inputs : bool, default=False
        Whether the network takes in the columns of X and, beside them, the means of the second hidden layer of the
        :class:`DBM` of `pretraining`, given the row in mean field. These means stay those of the machine. The first
        hidden layer begins as the mean field of the machine, and no weights are doubled for it.

    regularization : Regularization or None, default=None
        Penalty on absolute weights, limits on the norms of weights, and gradient clipping, as in
        ``Regularization(l1=1e-5, max_norm=3.0)``. "lbfgs" takes only `l1`.

    callbacks : callable, list of callables or None, default=None
        Called after each epoch with a :class:`ebm.monitors.Report` ("lbfgs" has no epochs). A callback may return a
        dict of numbers for `history_`, or True to end training.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each dense layer.

    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each dense layer.

    layer_params_ : list of tuple
        Parameters of all layers of `network_`, including the slopes of "prelu" and the parameters of `batch_norm`.

    network_ : ebm.networks.network.Network
        The layers and the loss.

    pretraining_ : estimator, list of estimators or None
        The fitted pre-training.

    loss_ : float
        Loss of the last epoch, including the penalty of `alpha`; after a divergence the loss of the restored weights.

    best_loss_ : float or None
        The lowest loss; None with `early_stopping`.

    validation_scores_, best_validation_score_ : list of float, float, or None
        Scores of the validation rows after each epoch, and the best one; None without `early_stopping`.

    history_ : dict of ndarray
        One entry per epoch: "epoch", "learning_rate", "time" in seconds, "loss", and the numbers that callbacks return.

    loss_curve_ : list of float
        Loss of each epoch: the mean over its batches during training. An epoch that was undone has NaN.

    t_ : int
        Number of rows seen in training.

    n_iter_ : int
        Number of epochs, or iterations, of the last fit.

    n_layers_ : int
        Number of layers of units, including inputs and outputs.

    n_outputs_ : int
        Number of outputs.

    out_activation_ : str
        Activation of the outputs.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = SETTINGS
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = RECORDS
    _chain_names: ClassVar[tuple[str, ...]] = ()
    _lists: ClassVar[dict[str, NamedList]] = {"pretraining": NamedList("pretraining", as_it_is)}
    _reconstructs: ClassVar[bool] = False  # whether the rows are their own targets
    growth: Any = None
    mean_field_inputs: bool = False
    pretraining_: Any
    history_: dict[str, Array]
    coefs_: list[Array]
    intercepts_: list[Array]
    layer_params_: list[Any]
    network_: Network
    t_: int
    best_loss_: float | None
    _layout: dict[str, tuple[Hashable, str]]
    feature_importances_: Array
    _undone: list[float] | None  # losses of undone epochs; None with solver="lbfgs"

    @stores_arguments
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
        mean_field_inputs: bool = False,
        regularization: Any = None,
        callbacks: Any = None,
    ) -> None: ...

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def loss_curve_(self) -> list[float]:
        """Loss of each epoch, NaN for an epoch that was undone; with solver="lbfgs" only the final loss."""
        if not hasattr(self, "_undone"):
            raise AttributeError(f"{type(self).__name__} has no loss_curve_ before fit.")
        if self._undone is None:
            return [self.loss_]
        return [*self.history_.get("loss", np.empty(0)).tolist(), *self._undone]

    # Targets and scores

    def _targets(self, X: Any, y: Any, first: bool, classes: Any, whole: bool) -> Targets:
        """Targets of the rows of `X`, which are the `whole` data or a batch."""
        raise NotImplementedError

    def _agreement(self, targets: Array, output: Array, weights: Array | None) -> float:
        """Score of finite outputs (accuracy or R^2)."""
        raise NotImplementedError

    def _validation_score(self, targets: Array, output: Array, weights: Array | None) -> float:
        """Score of outputs, NaN if it is not finite."""
        if not np.isfinite(output).all():
            return float("nan")
        with np.errstate(over="ignore"):
            score = self._agreement(targets, output, weights)
        return score if np.isfinite(score) else float("nan")

    def _stratify(self, targets: Array) -> Any:
        """Classes that a split into training and validation rows balances, or None."""
        raise NotImplementedError

    def _loss(self) -> Loss:
        """The loss of these settings."""
        raise NotImplementedError

    def _lay_out(
        self, X: Any, weights: Array | None, n_outputs: int
    ) -> tuple[Any, Network, Parameters]:
        """The fitted pre-training or None, the network, and its parameters."""
        raise NotImplementedError

    def _held_out_score(self, params: Any, rows: Any) -> float:
        """The score of held-out rows; it is to rise."""
        raise NotImplementedError

    def _loss_of_constant(self, rows: Any) -> float:
        """The loss, as it is shown, of a prediction that is the same for all rows."""
        raise NotImplementedError

    # From the fitted attributes to the core, and back

    @property
    def _n_epochs(self) -> int:
        return int(self.max_iter)

    def _model(self) -> Network:
        return self.network_

    def _is_fitted(self) -> bool:
        return hasattr(self, "coefs_")

    def _params(self) -> Parameters:
        """The fitted attributes as parameters, checked: users may have replaced them."""
        check_is_fitted(self, ("coefs_", "network_"))
        layers = self.network_.layers
        dense = [k for k, layer in enumerate(layers) if isinstance(layer, Dense)]
        params = fitted_list(self.layer_params_, "layer_params_", len(layers))
        coefs = fitted_list(self.coefs_, "coefs_", len(dense))
        intercepts = fitted_list(self.intercepts_, "intercepts_", len(dense))
        for k, pair in zip(dense, zip(coefs, intercepts, strict=True), strict=True):
            params[k] = DenseParameters(*pair)
        found = tuple(self._fitted_layer(k, x) for k, x in enumerate(params))
        if self.network_.ties:
            check_tied(self.network_, [found[k] for k in dense])
        return self.network_.tied(found)

    def _fitted_layer(self, k: int, layer_params: Any) -> Any:
        """The parameters of layer `k`, checked."""
        layer = self.network_.layers[k]
        shapes, name = layer.shapes(self.network_.widths[k]), f"layer_params_[{k}]"
        names = [name] * len(shapes)
        if isinstance(layer, Dense):
            n = sum(isinstance(x, Dense) for x in self.network_.layers[:k])
            names = [f"coefs_[{n}]", f"intercepts_[{n}]"]
        values = fitted_list(layer_params, name, len(shapes))
        arrays = [fitted_array(*x) for x in zip(values, names, shapes, strict=True)]
        return layer.parameters(*(np.ascontiguousarray(x, self._dtype()) for x in arrays))

    def _named(self, params: Parameters) -> dict[str, Any]:
        """Parameters by the names of their attributes."""
        pairs = zip(self.network_.layers, params, strict=True)
        dense = [layer_params for layer, layer_params in pairs if isinstance(layer, Dense)]
        weights = {"coefs_": [x.W for x in dense], "intercepts_": [x.bias for x in dense]}
        return {"layer_params_": list(params), **weights}

    def _dtype(self, params: Any = None) -> Any:
        return float_type(np.asarray(self.coefs_[0]))

    def _state(self, plan: training.Plan, first: bool) -> training.State:
        """A training state with the fitted parameters and, unless `first`, the state of the last training."""
        state = training.begin(self._model(), self._params(), plan, no_chains(self._dtype()))
        return state if first else self._course.into(state, plan, self.history_)

    def _watch(self) -> Watch:
        return Watch(type(self).__name__, self.callbacks, self.verbose)

    def _outputs(self, X: Any, kind: str = "predict") -> Array:
        """Outputs of the method `kind` of the network."""
        params = self._params()
        rows = self._taken_in(check_rows(self, X, reset=False))
        if rows.shape[1] != len(self.coefs_[0]):
            raise ValueError(
                f"mean_field_inputs is {self.mean_field_inputs}, but the network was fitted with {len(self.coefs_[0])} "
                f"inputs, of {self.n_features_in_} features. Fit anew to change it."
            )
        return self._of_blocks(params, rows, getattr(self._model(), kind))

    def _taken_in(self, X: Any) -> Any:
        """The rows as the network takes them in: with means of its machine beside them if it has these as inputs."""
        if not check_flag(self.mean_field_inputs, "mean_field_inputs"):
            return X
        check_augments(self.pretraining_)
        return with_means(self.pretraining_, X)

    def _of_blocks(self, params: Any, X: Any, function: Callable[[Any, Any], Array]) -> Array:
        """`function` of the parameters and checked rows, block by block."""
        dtype = self._dtype()
        sparse = self.network_.takes_sparse
        of_rows = row_blocks(X) if sparse else (block for _, block in blocks(X))
        return np.concatenate([function(params, as_dtype(block, dtype)) for block in of_rows])
