"""What all estimators have that are feed-forward networks: parameters, rows, training, as the core wants them."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ebm import training
from ebm._checks import Array
from ebm._sparse import as_dtype, blocks, row_blocks
from ebm.gradients.base import no_chains
from ebm.networks.dense import Dense, DenseParameters
from ebm.networks.network import Network, Parameters
from ebm.sklearn_compat._trained import Trained
from ebm.sklearn_compat._validation import check_rows


class BaseNetwork(Trained):
    """Feed-forward networks (abstract)."""

    _hidden_name: ClassVar[str] = "hidden_layer_sizes"
    max_iter: int
    coefs_: list[Array]
    intercepts_: list[Array]
    layer_params_: list[Any]
    network_: Network

    @property
    def _n_epochs(self) -> int:
        return self.max_iter

    def _model(self) -> Network:
        return self.network_

    def _is_fitted(self) -> bool:
        return hasattr(self, "coefs_")

    def _params(self) -> Parameters:
        """The parameters that the fitted attributes hold, whoever set them."""
        check_is_fitted(self, ("coefs_", "network_"))
        dtype, params = self._dtype(), list(self.layer_params_)
        dense = [k for k, layer in enumerate(self.network_.layers) if isinstance(layer, Dense)]
        pairs = zip(self.coefs_, self.intercepts_, strict=True)
        for k, pair in zip(dense, pairs, strict=True):
            params[k] = DenseParameters(*pair)
        params = [type(own)(*(np.ascontiguousarray(x, dtype) for x in own)) for own in params]
        for k in dense:
            self._check_shape(k, params[k])
        return tuple(params)

    def _check_shape(self, k: int, own: DenseParameters) -> None:
        expected = self.network_.layers[k].shapes(self.network_.widths[k])
        if (own.W.shape, own.bias.shape) != expected:
            raise ValueError(
                f"coefs_ and intercepts_ must have the shapes {expected[0]} and {expected[1]} in "
                f"{self.network_.name_of(k)}. Got {own.W.shape} and {own.bias.shape}."
            )

    def _keep_params(self, params: Parameters) -> None:
        """Turn parameters into fitted attributes."""
        pairs = zip(self.network_.layers, params, strict=True)
        dense = [own for layer, own in pairs if isinstance(layer, Dense)]
        self.layer_params_ = list(params)
        self.coefs_, self.intercepts_ = [x.W for x in dense], [x.bias for x in dense]

    def _dtype(self, params: Any = None) -> Any:
        dtype = np.asarray(self.coefs_[0]).dtype
        return dtype if dtype in (np.float32, np.float64) else np.dtype(np.float64)

    def _state(self, plan: training.Plan) -> training.State:
        """A training state at the parameters that the fitted attributes hold."""
        return training.begin(self._model(), self._params(), plan, no_chains(self._dtype()))

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
