"""Rows of a belief network with unknown entries: exact sums over the hidden layers below the topmost one.

Given layer 1, the units of the data are independent, so that with x_K known

    p(x_K) Z = sum_{x_1, ..., x_{L-1}} p(x_K | x_1) p(x_1 | x_2) ... exp(-F(x_{L-1})),

and E[x_U | x_K] is the average of E[x_U | x_1] under the terms of this sum.
"""

import numpy as np

from ebm._checks import Array
from ebm._flat import in_double
from ebm.energies.belief_network import BeliefNetwork, BeliefParameters
from ebm.energies.incomplete import MAX_SUMMED, Average, Gaps, Marginal, filled, gaps, subset
from ebm.energies.states import state_blocks


class BeliefGaps(Gaps):
    """Of a network with two hidden layers or more, all labels being unknown."""

    def __init__(
        self, model: BeliefNetwork, params: BeliefParameters, unknown: Array, beta: float
    ) -> None:
        self._model, self._params, self._beta = model, in_double(params), beta
        self._unknown = unknown
        n_0, *self._sizes = model.shape(params)[:-1]
        self._data = unknown[:n_0]
        self.row_work = 2.0 ** sum(self._sizes)
        self.work = self.row_work * (len(unknown) + sum(self._sizes))

    def sums(self, rows: Array) -> Marginal:
        """One pass over the states of the hidden layers for all rows."""
        model, layer = self._model, self._params.down[0]
        known = np.ascontiguousarray(rows[:, : len(self._data)][:, ~self._data])
        (unit, layer_params), (unknown, free) = (
            subset(model.visible, layer.params, some) for some in (~self._data, self._data)
        )
        statistic = unit.statistic(layer_params, known)
        average = Average(len(rows), int(np.count_nonzero(self._unknown)))
        for block in state_blocks(model.units[1].states, sum(self._sizes)):
            states = np.split(block, np.cumsum(self._sizes)[:-1], axis=1)
            inputs = states[0] @ layer.W.T
            given = np.ascontiguousarray(inputs[:, ~self._data])
            weights = self._hidden(states) - unit.log_normaliser(layer_params, given)
            means = unknown.mean(free, np.ascontiguousarray(inputs[:, self._data]))
            average.add(statistic @ given.T + weights, self._with_labels(means, states[-1]))
        log_weights = average.log_sum - unit.energy(layer_params, known)
        return Marginal(log_weights, filled(rows, self._unknown, average.mean))

    def _hidden(self, states: list[Array]) -> Array:
        """Log p(x_1 | x_2) ... exp(-beta F(x_{L-1})) of each state."""
        total = self._model.log_top(self._params, states[-1], None, self._beta)
        for k in range(1, len(states)):
            total = total + self._model.log_down(self._params, k, states[k - 1], states[k])
        return total

    def _with_labels(self, means: Array, last: Array) -> Array:
        """The means of the data's units, followed by those of the labels given layer L - 1."""
        if not self._model.n_labels:
            return means
        table = self._model.label_table(self._params, last, self._beta)
        return self._model.beside(means, table.mean())


@gaps.register
def _(
    model: BeliefNetwork, params: BeliefParameters, unknown: Array, beta: float = 1.0
) -> Gaps | None:
    if not params.down:
        return gaps(model.top_model, params.top, unknown, beta)
    n_0, *sizes = model.shape(params)[:-1]
    states = {unit.states for unit in model.units[1:]}
    if sum(sizes) > MAX_SUMMED or len(states) > 1 or None in states or not unknown[n_0:].all():
        return None
    return BeliefGaps(model, params, unknown, beta)
