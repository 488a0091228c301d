"""A fitted deep Boltzmann machine as the start of a network that also takes in means of its second hidden layer.

The argument `self` is the machine.
"""

from typing import Any

import numpy as np
from scipy import sparse

from ebm._checks import Array
from ebm._flat import dtype_of
from ebm._sparse import is_sparse
from ebm.inference.deep_means import deep_means
from ebm.sklearn_compat.deep._dbm_density import warn_of_means
from ebm.units import Unit


def check_augments(self: Any) -> None:
    """Refuse what is no deep Boltzmann machine of two hidden layers at least."""
    if not hasattr(self, "_augmented_recognition") or len(self.coefs_) < 2:
        raise ValueError(
            "mean_field_inputs=True takes pretraining=DBM(...) with two hidden layers at least, whose second one gives "
            f"the inputs. Got {self!r}. Set mean_field_inputs=False."
        )


def augmented_layers(self: Any) -> list[tuple[Unit, tuple[Array, Array]]]:
    """Units of each hidden layer, and weights and biases: the first has those of the second hidden layer, too."""
    found: list[tuple[Unit, tuple[Array, Array]]] = self._augmented_recognition()
    return found


def with_means(self: Any, X: Any) -> Any:
    """The rows `X`, checked, and beside them the means of the second hidden layer: (rows, columns + units).

    Dense or CSR as `X` is, and in its dtype. The means of a row do not depend on the other rows.
    """
    params = self._params()
    found = deep_means(self._model(), params, X if is_sparse(X) else X.astype(dtype_of(params)))
    warn_of_means(self, found.converged)
    means = found.layers[1].astype(X.dtype)
    if is_sparse(X):
        return sparse.hstack([X, sparse.csr_array(means)], format="csr")
    return np.hstack([X, means])
