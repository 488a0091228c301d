"""What a fitted machine is made of: parameters, rows, random streams, as the core wants them."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ebm._arrays import check_exponents
from ebm._checks import Array
from ebm._random import Key, fold, stream
from ebm._sparse import as_dtype, blocks, dense, is_thin, row_blocks
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.path import base_of
from ebm.sklearn_compat._shared._attributes import FittedAttributes, fitted_array
from ebm.sklearn_compat._shared._validation import check_rows, draw_seed


class Fitted(FittedAttributes):
    """A fitted machine of any energy (abstract)."""

    random_state: Any
    verbose: Any
    _takes_sparse: ClassVar[bool] = False  # whether functions of rows take CSR ones

    def _model(self) -> Any:
        raise NotImplementedError

    def _params(self) -> Any:
        """The parameters that the fitted attributes hold, whoever set them."""
        raise NotImplementedError

    def _dtype(self, params: Any) -> Any:
        """Of the parameters."""
        return params[0].dtype

    def _seen(self, X: Any, allow_nan: bool = False) -> Any:
        """Rows for a fitted machine, checked, with a warning where its units cannot have their values."""
        return check_rows(self, X, reset=False, allow_nan=allow_nan, unit=self._model().visible)

    def _by_blocks(self, X: Any, function: Callable[[Any, Any], Array]) -> Array:
        """`function` of the parameters and rows, applied to `X` block by block; to CSR rows where it takes them."""
        params = self._params()
        return self._over(params, self._seen(X), function)

    def _over(self, params: Any, X: Any, function: Callable[[Any, Any], Array]) -> Array:
        """The same of rows that were checked."""
        dtype = self._dtype(params)
        of_rows = row_blocks(X) if self._takes_sparse else (block for _, block in blocks(X))
        return np.concatenate([function(params, as_dtype(block, dtype)) for block in of_rows])

    def _rows(self, X: Any, params: Any, allow_nan: bool = False) -> Any:
        """All rows of `X`, checked, of the dtype of the model: CSR where it takes them and that is faster."""
        X = self._seen(X, allow_nan)
        if self._takes_sparse and is_thin(X):
            return as_dtype(X, self._dtype(params))
        return as_dtype(dense(X), self._dtype(params))

    def _dense(self, X: Any, params: Any) -> Array:
        return as_dtype(dense(self._seen(X)), self._dtype(params))

    def _base(self, params: Any) -> Any:
        """The marginals of the training data, to anneal from, or None when they are unknown."""
        marginals = getattr(self, "_marginals", ())
        model = self._model()
        known = marginals and len(marginals[0]) == model.shape(params)[0]
        return base_of(model, params, *marginals) if known else None

    def _standing_key(self, number: int, random_state: Any = None) -> Key:
        """Key `number` of the model's own stream, or of that which `random_state` opens: the same in every call."""
        if not hasattr(self, "_seed"):
            self._seed = draw_seed(self.random_state)
        seed = self._seed if random_state is None else draw_seed(random_state)
        return fold(stream(seed, "evaluation"), number)

    def _next_key(self, random_state: Any) -> Key:
        """Key of the next draw: of the model's own stream, or the first of the one that `random_state` opens."""
        if random_state is not None:
            return fold(stream(draw_seed(random_state), "evaluation"), 0)
        if not hasattr(self, "_seed"):
            self._seed = draw_seed(self.random_state)
        self._n_draws = getattr(self, "_n_draws", -1) + 1
        return fold(stream(self._seed, "evaluation"), self._n_draws)


class FittedBipartite(Fitted):
    """The fitted attributes, read (abstract)."""

    components_: Any
    _takes_sparse: ClassVar[bool] = True

    def _model(self) -> Bipartite:
        raise NotImplementedError

    def _params(self) -> BipartiteParameters:
        """The parameters that the fitted attributes hold, whoever set them."""
        check_is_fitted(self, "components_")
        n_features = getattr(self, "n_features_in_", None)
        W = fitted_array(self.components_, "components_", (None, n_features)).T
        dtype = W.dtype
        model = self._model()
        layers = []
        for name, unit, n in (
            ("visible", model.visible, len(W)),
            ("hidden", model.hidden, len(W.T)),
        ):
            own = unit.neutral(n, dtype)
            bias = fitted_array(getattr(self, f"intercept_{name}_"), f"intercept_{name}_", (n,))
            values = [np.ascontiguousarray(bias, dtype)]
            for neutral, field in zip(own[1:], unit.fields[1:], strict=True):
                values.append(self._fitted_field(f"{field}_{name}_", neutral))
            layers.append(type(own)(*values))
        return BipartiteParameters(np.ascontiguousarray(W, dtype), *layers)

    def _fitted_field(self, name: str, neutral: Array) -> Array:
        """A parameter that not every type of unit has, of the dtype of `neutral`, which stands for one never set."""
        if not hasattr(self, name) and name not in getattr(self, "_optional", ()):
            return neutral
        given = fitted_array(getattr(self, name), name, neutral.shape)
        given = np.ascontiguousarray(given, neutral.dtype)
        if name.startswith("log_"):
            check_exponents(given, name)
        return given
