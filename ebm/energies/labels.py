"""Labels beside other columns: all their states in a table, to be summed out or drawn from.

Of a machine with two groups of columns, with the states x and y, the distribution of y beside x is a table over the
states of y,

    p(y | x) = exp(-beta F(x, y)) / sum_y' exp(-beta F(x, y')),

of which every entry is exact (Larochelle & Bengio 2008). The inputs of the hidden units from x and from y add up, so
that the large product, that of x with the weights, is made once for all y.
"""

from collections.abc import Iterator

import numpy as np

from ebm._checks import Array
from ebm._flat import dtype_of
from ebm._random import Key, uniform
from ebm.energies.columns import ColumnModel
from ebm.energies.layer_sums import count_states, listed_states
from ebm.energies.layers import LayeredParameters

# More states than these are no table any more.
MAX_LISTED = 1 << 12


def label_states(model: ColumnModel) -> Array:
    """All states (states, n_labels) of the second group of columns; ValueError where these are too many."""
    label = model.layers[1]
    n_states = count_states(model, [1])
    if n_states > MAX_LISTED:
        raise ValueError(
            f"{label.size} label units of the type {label.unit!r} cannot be summed out: they have {n_states:.3g} "
            f"states, and a table has at most {MAX_LISTED}. Use a type of few states, such as Categorical."
        )
    return listed_states(label.unit, label.size, np.arange(int(n_states)))


class LabelTable:
    """The states of the labels beside each of some rows, with their weights.

    Parameters
    ----------
    model, params : ColumnModel, LayeredParameters
        With two groups of columns, the second of which are the labels.
    x : {ndarray, CSR array} of shape (rows, n)
        States of the first group.
    beta : float
        Inverse temperature.

    Attributes
    ----------
    states : ndarray of shape (states, n_labels)
    log_weights : ndarray of shape (rows, states)
        -beta F(x, y), in double precision.
    """

    def __init__(
        self, model: ColumnModel, params: LayeredParameters, x: Array, beta: float = 1.0
    ) -> None:
        (below, layer_params), (label, label_own) = model.pairs(params)
        self._hidden, self._own, self._beta = model.hidden, params.layers[-1], beta
        self.states = label_states(model).astype(dtype_of(params))
        self._shared = below.hidden_input(layer_params, x)
        self._added = label.hidden_input(label_own, self.states)
        logs = [self._hidden.log_normaliser(self._own, f, beta) for f in self._inputs()]
        energies = label.visible.energy(label_own.visible, self.states)
        of_rows = below.visible.energy(layer_params.visible, x)
        self.log_weights: Array = np.stack(logs, axis=1) - beta * (
            of_rows[:, np.newaxis] + energies
        )

    def _inputs(self) -> Iterator[Array]:
        """The inputs of the hidden units of all rows beside one state after the other."""
        return (self._shared + added for added in self._added)

    @property
    def log_sums(self) -> Array:
        """-beta F(x), the labels being summed out (rows,)."""
        total: Array = np.logaddexp.reduce(self.log_weights, axis=1)
        return total

    @property
    def log_p(self) -> Array:
        """The logarithms of p(y | x): (rows, states)."""
        return self.log_weights - self.log_sums[:, np.newaxis]

    @property
    def p(self) -> Array:
        """p(y | x): (rows, states)."""
        return np.exp(self.log_p)

    def mean(self) -> Array:
        """E[y | x]: (rows, n_labels), in double precision."""
        mean: Array = self.p @ self.states
        return mean

    def hidden_mean(self) -> Array:
        """E[h | x] = sum_y p(y | x) E[h | x, y]: (rows, n_hidden)."""
        p, total = self.p.astype(self.states.dtype), np.zeros_like(self._shared)
        for share, inputs in zip(p.T, self._inputs(), strict=True):
            total += share[:, np.newaxis] * self._hidden.mean(self._own, inputs, self._beta)
        return total

    def sample(self, key: Key) -> Array:
        """One draw of the labels for each row: (rows, n_labels)."""
        cumulative = np.cumsum(self.p, axis=1)
        places = uniform(key, len(cumulative)) * cumulative[:, -1]
        # Rounded up, the largest place is the whole.
        passed = (cumulative <= places[:, np.newaxis]).sum(axis=1)
        drawn: Array = self.states[np.minimum(passed, len(self.states) - 1)]
        return drawn
