"""The up-down algorithm: contrastive wake-sleep for deep belief networks (Hinton, Osindero & Teh 2006, appendix B).

    wake    x_0 the batch, upwards by recognition:    x_{k+1} ~ q(. | x_k)       for k < L - 1
            generative weights learn to go back:      d log p(x_k | x_{k+1})
    top     a contrastive step of the bipartite model from the x_{L-1} that came up (CD-k), or from where its chains
            last stood (PCD-k)
    sleep   from the x_{L-1} in which that ended, downwards:  x_k ~ p(. | x_{k+1})
            recognition weights learn to go back:     d log q(x_{k+1} | x_k)

Both are the *delta rule*: with the mean m of a layer that is predicted from the state y of its neighbour,

    d log p(x | y) / dW = (s(x) - s(m)) y',        d log p(x | y) / db = s(x) - s(m).

The wake gradient is that of the variational bound (:mod:`ebm.likelihood.bounds`) by the generative parameters, but for
the top's negative phase. The sleep gradient is not the bound's by the recognition parameters, which would be that of
KL(Q || p); it lowers KL(p || Q) instead, over what the model dreams rather than over the data. So the bound need not
rise in every step. Dreams that begin where the contrastive step ended, near the data, keep the two gradients alike: the
reason for *contrastive* wake-sleep.

Rows of data may end with labels (:mod:`ebm.energies.belief_network`). Where these are NaN they are drawn from their
distribution given x_{L-1}: the wake phase of a row without a label.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ebm._checks import Array, check_integer
from ebm._flat import dtype_of, leaves
from ebm._kernels import units as kernels
from ebm._random import Key, fold
from ebm.energies.base import Model
from ebm.energies.belief_network import BeliefNetwork, BeliefParameters, Directed
from ebm.gradients.base import (
    Batch,
    BoundGradient,
    ChainState,
    Gradient,
    Info,
)
from ebm.gradients.contrastive import bind_contrastive
from ebm.gradients.moments import batch_weights
from ebm.units import Unit

# Numbers of the keys of one step: the top's, those of the ways up and down, that of unknown labels.
TOP, UP, DOWN, LABELS = range(4)


@dataclass(frozen=True, repr=False)
class UpDown(Gradient[BeliefNetwork]):
    """The up-down algorithm for deep belief networks.

    Parameters
    ----------
    n_steps : int, default=1
        Gibbs steps of the top's negative phase.
    persistent : bool, default=False
        Whether the top's chains go on where they last stopped, instead of starting at the states that came up.
    n_chains : int or None, default=None
        Count of persistent chains; None: as many as the batch size.
    centered : bool, default=True
        Whether the top's gradient is centred.

    Raises
    ------
    ValueError
        If a count is not a positive integer, or `n_chains` is given without `persistent`.

    References
    ----------
    .. [1] Hinton, G. E., Osindero, S. and Teh, Y. W. (2006). A fast learning algorithm for deep belief nets. Neural
       Computation 18, 1527-1554, section 5 and appendix B.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm._batches import Rows
    >>> from ebm._random import stream
    >>> from ebm.energies.bipartite import Bipartite
    >>> from ebm.energies.base import DataSummary
    >>> from ebm.energies.belief_network import from_rbms
    >>> from ebm.gradients.wake_sleep import UpDown
    >>> from ebm.optimizers import SGD, Constant
    >>> from ebm.training import Plan, resume, train
    >>> from ebm.units import Bernoulli
    >>> X, rbm = np.eye(4), Bipartite(Bernoulli(), Bernoulli())
    >>> data = DataSummary(X.mean(axis=0), X.var(axis=0), 4)
    >>> first = rbm.initial(data, 3, stream(0, "init"))
    >>> model, params = from_rbms([(rbm, first), (rbm, rbm.swapped(first)[1])])
    >>> plan = Plan(UpDown(), SGD(), Constant(), 0.1, 0.0, batch_size=2, seed=0)
    >>> state = resume(model, params, plan)
    >>> train(state, Rows(X), plan, n_epochs=3)
    ''
    >>> state.n_steps
    6
    """

    n_steps: int = 1
    persistent: bool = False
    n_chains: int | None = None
    centered: bool = True

    def __post_init__(self) -> None:
        check_integer(self.n_steps, "n_steps")
        if self.n_chains is not None:
            check_integer(self.n_chains, "n_chains")
            if not self.persistent:
                raise ValueError(
                    f"n_chains={self.n_chains} is a count of persistent chains. Set persistent=True, or leave it out."
                )

    @property
    def models(self) -> tuple[type[Model], ...]:
        """Only these."""
        return (BeliefNetwork,)

    def n_chains_for(self, batch_size: int) -> int:
        """None without `persistent`; `n_chains`, or one per row of a batch."""
        if not self.persistent:
            return 0
        return batch_size if self.n_chains is None else self.n_chains

    def bind(
        self, model: BeliefNetwork, gradient: Any, batch_size: int, n_chains: int
    ) -> BoundGradient:
        """The estimator with its buffers."""
        self.check_supports(model)
        return BoundUpDown(self, model, gradient, batch_size, n_chains)


class BoundUpDown(BoundGradient):
    """The estimator with its buffers. Labels may be missing in a batch: it draws them."""

    takes_gaps = True

    def __init__(
        self,
        choice: UpDown,
        model: BeliefNetwork,
        gradient: BeliefParameters,
        batch_size: int,
        n_chains: int,
    ) -> None:
        self._model, self._gradient = model, gradient
        kept = n_chains if choice.persistent else None
        chains = kept, choice.n_steps, choice.slide
        sizes, dtype = model.shape(gradient)[:-1], dtype_of(gradient)
        of_top = bind_contrastive if model.top_model.fused is model.top_model else BoundFused
        self._top: Any = of_top(model.top_model, gradient.top, batch_size, *chains)
        self._V = np.zeros((batch_size, sizes[0] + model.n_labels), dtype)
        most = max(batch_size, n_chains)
        # States of layers 0, ..., L - 1, first awake and then asleep, and what is predicted of them.
        self._states = [np.zeros((most, n), dtype) for n in sizes]
        self._predicted = [np.zeros((most, n), dtype) for n in sizes]

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._V[:n_rows]

    def __call__(
        self, params: BeliefParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[BeliefParameters, ChainState, Info]:
        """The gradient (see :class:`~ebm.gradients.base.BoundGradient`)."""
        weights = batch_weights(batch, dtype_of(params))
        states = self._wake(params, batch.v, weights, key)
        rows = self._top.rows(len(batch.v))
        n = states[-1].shape[1]
        rows[:, :n] = states[-1]
        if self._model.n_labels:
            rows[:, n:] = self._labels(params, batch.v, states[-1], key)
        _, chains, info = self._top(params.top, Batch(rows, batch.weights), chains, fold(key, TOP))
        self._sleep(params, self._dreams(params, len(batch.v)), key)
        where = self._not_finite(info.finite)
        return self._gradient, chains, Info(not where, where=where)

    def _wake(self, params: BeliefParameters, v: Array, weights: Array, key: Key) -> list[Array]:
        """Go up from the rows `v`, and write the generative gradients; states of layers 0, ..., L - 1."""
        x, key = self._model.split(v)[0], fold(key, UP)
        states = [x]
        for k, (layer, buffer) in enumerate(zip(params.up, self._states[1:], strict=True)):
            above = np.dot(x, layer.W, out=buffer[: len(v)])
            unit = self._model.units[k + 1]
            kernels.sample(unit.compiled(layer.params), above, 1.0, *fold(key, k), 0)
            states.append(x := above)
        for k, layer in enumerate(params.down):
            inputs = np.dot(states[k + 1], layer.W.T, out=self._predicted[k][: len(v)])
            gradient = self._gradient.down[k]
            misses = delta_rule(self._model.units[k], layer, inputs, states[k], weights, gradient)
            np.dot(misses.T, states[k + 1], out=gradient.W)
        return states

    def _labels(self, params: BeliefParameters, v: Array, x: Array, key: Key) -> Array:
        """The labels of the rows, drawn beside the states `x` of layer L - 1 where they are unknown."""
        labels = v[:, -self._model.n_labels :]
        unknown: Array = np.isnan(labels.sum(axis=1))
        if unknown.any():
            drawn = self._model.label_table(params, x).sample(fold(key, LABELS))
            labels = np.where(unknown[:, np.newaxis], drawn, labels)
        return labels

    def _dreams(self, params: BeliefParameters, n_rows: int) -> Array:
        """States of layer L - 1 at the end of the top's negative phase."""
        statistics, top = self._top.fantasies(n_rows), self._model.top_model
        x = self._states[-1][: len(statistics)]
        scale = top.visible.scale(top.visible_parameters(params.top))
        x[:] = statistics[:, : x.shape[1]]
        if scale is not None:
            x *= scale[: x.shape[1]]
        return x

    def _sleep(self, params: BeliefParameters, x: Array, key: Key) -> None:
        """Go down from the states `x` of layer L - 1, and write the recognition gradients."""
        states, key = [buffer[: len(x)] for buffer in self._states], fold(key, DOWN)
        weights = np.full(len(x), 1 / len(x), x.dtype)
        for k in reversed(range(len(params.down))):
            layer = params.down[k]
            np.dot(states[k + 1], layer.W.T, out=states[k])
            layer_params = self._model.units[k].compiled(layer.params)
            kernels.sample(layer_params, states[k], 1.0, *fold(key, k), 0)
        for k, layer in enumerate(params.up):
            inputs = np.dot(states[k], layer.W, out=self._predicted[k + 1][: len(x)])
            gradient, unit = self._gradient.up[k], self._model.units[k + 1]
            misses = delta_rule(unit, layer, inputs, states[k + 1], weights, gradient)
            np.dot(states[k].T, misses, out=gradient.W)

    def _not_finite(self, top_is_finite: bool) -> str:
        """The name of the first part of the gradient that is not finite, or ''."""
        for k, (down, up) in enumerate(zip(self._gradient.down, self._gradient.up, strict=True)):
            for what, layer in (("generative", down), ("recognition", up)):
                if not np.isfinite(sum(values.sum() for values in layer.params)):
                    return f"the {what} weights between layers {k} and {k + 1}"
        return "" if top_is_finite else "the weights of the two topmost layers"


class BoundFused(BoundGradient):
    """The contrastive estimator of the model as which another one learns, on copies of parameters and gradient."""

    def __init__(self, model: Model, gradient: Any, *settings: Any) -> None:
        self._gradient, shape = gradient, model.shape(gradient)
        flat = np.zeros((2, len(model.pack(gradient))), dtype_of(gradient))
        copies, found = ([*leaves(model.unpack(x, *shape))] for x in flat)
        self._copies, self._found = copies, [*zip(leaves(gradient), found, strict=True)]
        self._given: tuple[Any, list[tuple[Array, Array]]] = (None, [])
        self._params, into = (model.fused.unpack(x, *shape) for x in flat)
        self._inner: Any = bind_contrastive(model.fused, into, *settings)

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        rows: Array = self._inner.rows(n_rows)
        return rows

    def fantasies(self, n_rows: int) -> Array:
        """As the estimator says."""
        states: Array = self._inner.fantasies(n_rows)
        return states

    def __call__(
        self, params: Any, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[Any, ChainState, Info]:
        """The gradient (see :class:`~ebm.gradients.base.BoundGradient`)."""
        if params is not self._given[0]:
            self._given = params, [*zip(self._copies, leaves(params), strict=True)]
        copy(self._given[1])
        _, chains, info = self._inner(self._params, batch, chains, key)
        copy(self._found)
        return self._gradient, chains, info


def copy(pairs: list[tuple[Array, Array]]) -> None:
    """Write the second array of each pair to the first."""
    for x, values in pairs:
        x[:] = values


def delta_rule(
    unit: Unit, layer: Directed, inputs: Array, x: Array, weights: Array, gradient: Directed
) -> Array:
    """Write the gradient of sum_r weights_r log p(x_r | input_r) by a layer's own parameters.

    Returns ``weights_r (s(x_r) - s(m_r))``, the gradient by the inputs, in the place of the `inputs` (rows, units); the
    product with the neighbour's states, in either order, is that by the weights.
    """
    layer_params = layer.params
    scales = unit.parameter_derivatives(layer_params, x)  # of parameters other than the bias
    if scales:
        means, given = unit.mean_derivatives(layer_params, inputs), inputs.copy()
        for field, values in scales.items():
            getattr(gradient.params, field)[:] = weights @ (values - means[field])
    compiled = unit.compiled(layer_params)
    kernels.mean(compiled, inputs, 1.0)
    np.subtract(x, inputs, out=inputs)
    kernels.to_statistic(compiled, inputs)
    np.multiply(inputs, weights[:, np.newaxis], out=inputs)
    if scales:
        kernels.couple(compiled, np.einsum("ij,ij->j", inputs, given), gradient.params)
    inputs.sum(axis=0, out=gradient.params.bias)
    return inputs
