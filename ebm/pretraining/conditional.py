"""Label weights for prediction: the last step of a classifier that has learned features and labels as one distribution.

The joint likelihood is mostly that of the features. How well the labels are predicted hardly counts in it, and on
tables the weights of the labels stay too small. So these weights U (n_classes, n_hidden) and the biases d of the labels
are learned once more, by the conditional likelihood, while all other parameters stay:

    minimise  -sum_r log p(y_r | x_r) + penalty / 2 sum U^2,      p(y | x) ~ exp(d_y + sum_j log Z_j(f_j + U_yj)).

f is what the hidden units receive from the features x, and Z_j the normaliser of hidden unit j. With small U this is
logistic regression on the means of the hidden units. The conditional distribution is exact (Larochelle & Bengio 2008).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_softmax

from ebm._batches import blocks
from ebm._checks import Array
from ebm.energies.columns import ColumnModel
from ebm.energies.layers import LayeredParameters
from ebm.optimizers.lbfgs import lbfgs
from ebm.units import Unit

# The penalty was chosen on tables that are not among those of the results.
PENALTY, TOLERANCE = 0.1, 1e-4
# Iterations: as many as numbers of hidden units that rows and classes make fit into a budget, within limits.
BUDGET, FEWEST, MOST = 2e9, 10, 200


@dataclass(frozen=True, eq=False)
class Conditional:
    """The cost above, as a function of U and d in one vector.

    Attributes
    ----------
    hidden : Unit
    layer_params : NamedTuple
        Parameters of the hidden units.
    inputs : ndarray of shape (rows, n_hidden)
        The part of the hidden units' inputs that comes from the features.
    labels : ndarray of shape (rows, n_classes)
        Indicators of the classes.
    weights : ndarray of shape (rows,)
    """

    hidden: Unit
    layer_params: Any
    inputs: Array
    labels: Array
    weights: Array

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """The cost, and its slopes."""
        U, d = self.split(theta)
        cost, slopes = 0.5 * PENALTY * float(np.sum(U**2)), np.zeros_like(theta)
        by_U, by_d = self.split(slopes)
        by_U += PENALTY * U
        for start, f in blocks(self.inputs):
            some = slice(start, start + len(f))
            logits, means = self._logits(U, d, f)
            log_p = log_softmax(logits, axis=1)
            labels, weights = self.labels[some], self.weights[some]
            cost -= float(weights @ np.sum(labels * log_p, axis=1))
            apart = (np.exp(log_p) - labels) * weights[:, np.newaxis]
            by_d += apart.sum(axis=0)
            for k, mean in enumerate(means):
                by_U[k] += apart[:, k] @ mean
        return cost, slopes

    def _logits(self, U: Array, d: Array, f: Array) -> tuple[Array, list[Array]]:
        """Log p(y | x) but for a constant (rows, n_classes), and the means of the hidden units beside each class."""
        beside = [f + u.astype(f.dtype) for u in U]
        logs = [self.hidden.log_normaliser(self.layer_params, x) for x in beside]
        return np.stack(logs, axis=1) + d, [self.hidden.mean(self.layer_params, x) for x in beside]

    def split(self, theta: Array) -> tuple[Array, Array]:
        """U and d, views."""
        n_classes = self.labels.shape[1]
        return theta[:-n_classes].reshape(n_classes, -1), theta[-n_classes:]


def conditional_labels(
    model: ColumnModel,
    params: LayeredParameters,
    x: Any,
    labels: Array,
    weights: Array | None = None,
) -> LayeredParameters:
    """Parameters with the label weights and biases that predict the labels best.

    Parameters
    ----------
    model, params : ColumnModel, LayeredParameters
        With two groups of columns, the second of which is one categorical label.
    x : {ndarray, CSR array} of shape (rows, n)
        Features, the first group.
    labels : ndarray of shape (rows, n_classes)
        Indicators of the classes.
    weights : ndarray of shape (rows,), optional
        A row of weight w counts as w equal rows.

    Returns
    -------
    LayeredParameters
        All other arrays are those given.
    """
    (below, layer_params), (_, label_own) = model.pairs(params)
    inputs = below.hidden_input(layer_params, x)
    labels = labels.astype(np.float64)
    weights = np.ones(len(labels)) if weights is None else weights.astype(np.float64)
    cost = Conditional(model.hidden, params.layers[-1], inputs, labels, weights)
    begin = np.concatenate([label_own.W.ravel(), label_own.visible.bias]).astype(np.float64)
    n_numbers = max(inputs.size * labels.shape[1], 1)
    n_iter = int(np.clip(BUDGET / n_numbers, FEWEST, MOST))
    tolerance = TOLERANCE * max(float(weights.sum()), 1.0)
    U, d = cost.split(lbfgs(cost, begin, max_iter=n_iter, tol=tolerance).theta)
    dtype = label_own.W.dtype
    params_y = label_own.visible._replace(bias=d.astype(dtype))
    return params._replace(
        weights=(params.weights[0], U.astype(dtype)),
        layers=(params.layers[0], params_y, params.layers[-1]),
    )
