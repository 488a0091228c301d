"""The last step of a classifier of stacks: label weights that predict."""

from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._flat import dtype_of
from ebm._sparse import as_dtype, dense, row_blocks
from ebm.pretraining import Labels, conditional_labels
from ebm.sklearn_compat.rbm._layer import with_parameters


def learn_label_weights(self: Any, X: Any, weights: Array | None, labels: Labels) -> None:
    """Give the joint machine, if it has learned, the label weights that predict the known labels best."""
    model, params = self._network()
    if not model.n_labels:
        return
    known, dtype = labels.known, dtype_of(params)
    blocks = [as_dtype(block, dtype) for block in row_blocks(X[known])]
    x = np.concatenate([dense(model.features_above(params, block)) for block in blocks])
    weights = None if weights is None else weights[known]
    top = conditional_labels(model.top_model, params.top, x, labels.columns[known], weights)
    self.rbms_[-1] = with_parameters(self.rbms_[-1], top)
