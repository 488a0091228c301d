"""What all estimators have that are feed-forward networks: parameters, rows, training, as the core wants them."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ebm import training
from ebm._arrays import MagnitudeError, float_type
from ebm._checks import Array
from ebm._sparse import as_dtype, blocks, row_blocks
from ebm.gradients.base import no_chains
from ebm.networks.dense import Dense, DenseParameters
from ebm.networks.network import Network, Parameters
from ebm.sklearn_compat._shared._attributes import fitted_array, fitted_list
from ebm.sklearn_compat._shared._course import Watch
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._validation import check_rows

# scikit-learn's words for data of which nothing can be learned, for those who look for them.
TOO_LARGE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
    "preprocessed."
)


def rows_to_learn(estimator: Any, X: Any, first: bool) -> Any:
    """The rows `X` of a fit, checked."""
    try:
        return check_rows(estimator, X, reset=first, order="C")
    except MagnitudeError as error:
        raise ValueError(f"{error} In scikit-learn's words: {TOO_LARGE}") from None


class BaseNetwork(Estimator):
    """Feed-forward networks (abstract)."""

    _chain_names: ClassVar[tuple[str, ...]] = ()
    callbacks: Any
    verbose: Any
    history_: dict[str, Array]
    max_iter: int
    coefs_: list[Array]
    intercepts_: list[Array]
    layer_params_: list[Any]
    network_: Network

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
