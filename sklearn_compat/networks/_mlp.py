"""How multi-layer perceptrons learn: settings, pre-training, `fit` and `partial_fit`."""

from collections.abc import Callable, Hashable
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ebm import training
from ebm._arrays import float_type
from ebm._checks import Array
from ebm._sparse import as_dtype, blocks, row_blocks
from ebm.gradients.base import no_chains
from ebm.networks.dense import Dense, DenseParameters
from ebm.networks.losses import Loss
from ebm.networks.network import Network, Parameters
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared._attributes import fitted_array, fitted_list
from ebm.sklearn_compat._shared._course import Watch
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._validation import (
    check_rows,
)
from ebm.sklearn_compat.networks._fitting import learn
from ebm.sklearn_compat.networks._mlp_settings import (
    RECORDS,
    SETTINGS,
)
from ebm.sklearn_compat.networks._shaping import prune


def has_epochs(estimator: Any) -> bool:
    """Whether training goes epoch by epoch; else AttributeError."""
    if isinstance(estimator.solver, str) and estimator.solver == "lbfgs":
        raise AttributeError("resume goes on after an epoch, of which solver='lbfgs' has none.")
    return True


def by_batches(estimator: Any) -> bool:
    """Whether there are updates that can be made one by one; else AttributeError."""
    if isinstance(estimator.solver, str) and estimator.solver == "lbfgs":
        raise AttributeError("partial_fit goes batch by batch, which solver='lbfgs' does not.")
    return True


# Targets (rows, outputs) of the labelled rows, and which rows these are (rows,).
Targets = tuple[Array, Array]


class BaseMLP(Estimator):
    """Multi-layer perceptrons (abstract)."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = SETTINGS
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = RECORDS
    _chain_names: ClassVar[tuple[str, ...]] = ()
    callbacks: Any
    verbose: Any
    history_: dict[str, Array]
    max_iter: int
    coefs_: list[Array]
    intercepts_: list[Array]
    layer_params_: list[Any]
    network_: Network

    hidden_layer_sizes: Any
    activation: Any
    pretraining: Any
    solver: Any
    alpha: float
    batch_size: Any
    learning_rate: Any
    learning_rate_init: float
    power_t: float
    shuffle: bool
    tol: float
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    init: Any
    dropout: Any
    batch_norm: bool
    t_: int
    best_loss_: float | None
    _layout: dict[str, tuple[Hashable, str]]
    regularization: Any
    growth: Any
    feature_importances_: Array
    _undone: list[float] | None  # None where all rows were minimised at once

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def loss_curve_(self) -> list[float]:
        """Loss of each epoch, NaN for one that was undone; of all rows with solver="lbfgs", that at the end."""
        if not hasattr(self, "_undone"):
            raise AttributeError(f"{type(self).__name__} has no loss_curve_ before fit.")
        if self._undone is None:
            return [self.loss_]
        return [*self.history_.get("loss", np.empty(0)).tolist(), *self._undone]

    # What is learned, by whom

    def _targets(self, X: Any, y: Any, first: bool, classes: Any, whole: bool) -> Targets:
        """Those of the rows of `X`, which are all data or a part."""
        raise NotImplementedError

    def _agreement(self, targets: Array, output: Array, weights: Array | None) -> float:
        """Score of finite outputs (accuracy or R^2)."""
        raise NotImplementedError

    def _validation_score(self, targets: Array, output: Array, weights: Array | None) -> float:
        """The same, NaN where it would not be finite."""
        if not np.isfinite(output).all():
            return float("nan")
        with np.errstate(over="ignore"):
            score = self._agreement(targets, output, weights)
        return score if np.isfinite(score) else float("nan")

    def _stratify(self, targets: Array) -> Any:
        """By what a split into training and validation rows is balanced; None: by nothing."""
        raise NotImplementedError

    def _loss(self) -> Loss:
        """The loss that the settings name."""
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
        """The parameters that the fitted attributes hold, whoever set them."""
        check_is_fitted(self, ("coefs_", "network_"))
        layers = self.network_.layers
        dense = [k for k, layer in enumerate(layers) if isinstance(layer, Dense)]
        params = fitted_list(self.layer_params_, "layer_params_", len(layers))
        coefs = fitted_list(self.coefs_, "coefs_", len(dense))
        intercepts = fitted_list(self.intercepts_, "intercepts_", len(dense))
        for k, pair in zip(dense, zip(coefs, intercepts, strict=True), strict=True):
            params[k] = DenseParameters(*pair)
        return tuple(self._fitted_layer(k, own) for k, own in enumerate(params))

    def _fitted_layer(self, k: int, own: Any) -> Any:
        """The parameters of layer `k`, checked."""
        layer = self.network_.layers[k]
        shapes, name = layer.shapes(self.network_.widths[k]), f"layer_params_[{k}]"
        names = [name] * len(shapes)
        if isinstance(layer, Dense):
            n = sum(isinstance(x, Dense) for x in self.network_.layers[:k])
            names = [f"coefs_[{n}]", f"intercepts_[{n}]"]
        values = fitted_list(own, name, len(shapes))
        arrays = [fitted_array(*x) for x in zip(values, names, shapes, strict=True)]
        return layer.parameters(*(np.ascontiguousarray(x, self._dtype()) for x in arrays))

    def _named(self, params: Parameters) -> dict[str, Any]:
        """Parameters by the names of their attributes."""
        pairs = zip(self.network_.layers, params, strict=True)
        dense = [own for layer, own in pairs if isinstance(layer, Dense)]
        weights = {"coefs_": [x.W for x in dense], "intercepts_": [x.bias for x in dense]}
        return {"layer_params_": list(params), **weights}

    def _dtype(self, params: Any = None) -> Any:
        return float_type(np.asarray(self.coefs_[0]))

    def _state(self, plan: training.Plan, first: bool) -> training.State:
        """A training state at the parameters that the fitted attributes hold, and unless `first`, all that is known."""
        state = training.begin(self._model(), self._params(), plan, no_chains(self._dtype()))
        return state if first else self._course.into(state, plan, self.history_)

    def _watch(self) -> Watch:
        return Watch(type(self).__name__, self.callbacks, self.verbose)

    def _outputs(self, X: Any, kind: str = "predict") -> Array:
        """Those of the method `kind` of the network."""
        params = self._params()
        return self._of_blocks(
            params, check_rows(self, X, reset=False), getattr(self._model(), kind)
        )

    def _of_blocks(self, params: Any, X: Any, function: Callable[[Any, Any], Array]) -> Array:
        """The same of rows that have been checked."""
        dtype = self._dtype()
        sparse = self.network_.takes_sparse
        of_rows = row_blocks(X) if sparse else (block for _, block in blocks(X))
        return np.concatenate([function(params, as_dtype(block, dtype)) for block in of_rows])

    # Fitting

    prune = prune

    resume = available_if(has_epochs)(learning.resume)

    def _resume(self, file: Any, X: Any, y: Any, sample_weight: Any) -> str:
        return learn(self, X, y, sample_weight, False, checkpoint=file)
