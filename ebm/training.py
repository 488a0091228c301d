"""The only training loop: batches x gradient x optimiser x monitors.

    for every epoch:  shuffle the rows
        for every batch:  estimate the gradient, move the parameters uphill
        tell the monitors

The loop owns none of the arithmetic. It ends when the epochs are done, when a callback asks for it, when the user
interrupts it, or when the gradient is no longer finite; in every case the state holds the parameters of the last
update that was finite.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ebm._batches import Rows
from ebm._checks import Array
from ebm._random import fold, stream
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.gradients.base import Ascent, Batch, ChainState, Gradient
from ebm.monitors import Callback, History, Report, notify
from ebm.optimizers.base import Hold, Optimizer
from ebm.optimizers.schedules import Schedule

# Rows gathered at a time when batches are smaller: it saves calls, and an interrupt is heard between chunks.
CHUNK_ROWS = 320
# What an update may add to or take from the logarithm of a variance.
LARGEST_LOG_STEP = 0.1


Bounds = dict[str, dict[str, tuple[Array, Array]]]


class Plan(NamedTuple):
    """How to train: the choices that do not change while training.

    `seed` opens the random streams; `weight_decay` is the coefficient of the penalty on half the squared weights.
    """

    gradient: Gradient
    optimizer: Optimizer
    schedule: Schedule
    learning_rate: float
    weight_decay: float
    batch_size: int
    seed: int


@dataclass
class State:
    """What training changes, and what it needs to go on: nothing else is kept between steps.

    Attributes
    ----------
    model : Bipartite
    shape : tuple (n_visible, n_hidden)
    theta : ndarray of shape (parameters,)
        All parameters of the law of v - `origin`, in one vector.
    memory : tuple of ndarray
        The optimiser's.
    chains : ChainState
    bounds : dict of dict of pair of ndarray
        Lower and upper bounds by layer and name of the parameter.
    origin : ndarray of shape (n_visible,) or None
        What is subtracted from the data, for visible units that have a scale: with v / sigma^2 in the energy, a mean
        far from zero would couple every variance to every hidden bias. The model family is closed under translation.
    n_steps : int
        Updates so far: the position in the random streams.
    history : dict of list
    """

    model: Bipartite
    shape: tuple[int, int]
    theta: Array
    memory: tuple[Array, ...]
    chains: ChainState
    bounds: Bounds
    origin: Array | None
    n_steps: int = 0
    history: History = field(default_factory=dict)

    @property
    def local(self) -> BipartiteParameters:
        """Parameters of the law of v - `origin`: views of `theta`."""
        return self.model.unpack(self.theta, *self.shape)

    @property
    def params(self) -> BipartiteParameters:
        """Parameters of the law of v."""
        return self.local if self.origin is None else self.model.translated(self.local, self.origin)


def start(model: Bipartite, rows: Rows, n_hidden: int, plan: Plan) -> State:
    """The state before the first update: visible units know the data's moments, weights are small and random."""
    mean = rows.mean()
    variance = rows.variance(mean) if model.visible.has_scale else np.ones_like(mean)
    key = stream(plan.seed, "init")
    moments = (mean.astype(rows.dtype), variance.astype(rows.dtype), rows.total_weight)
    params = model.initial(*moments, n_hidden, key)
    if model.visible.has_scale and model.hidden.states is not None:
        params = model.with_prototypes(params, rows.some(n_hidden, fold(key, 2)))
    return resume(model, params, plan, mean=moments[0])


def resume(
    model: Bipartite,
    params: BipartiteParameters,
    plan: Plan,
    *,
    chains: ChainState | None = None,
    mean: Array | None = None,
) -> State:
    """A state at given parameters; without `chains` these start anew, around the visible units' `mean`."""
    if mean is None:
        mean = model.visible.mean(params.visible, np.zeros((1, len(params.W)), params.W.dtype))[0]
    origin = None
    if model.visible.has_scale:
        origin, params, mean = mean, model.translated(params, -mean), np.zeros_like(mean)
    if chains is None:
        key = fold(stream(plan.seed, "init"), 1)
        chains = plan.gradient.start(model, params, mean, plan.batch_size, key)
    bounds = {
        "visible": model.visible.bounds(params.visible),
        "hidden": model.hidden.bounds(params.hidden),
    }
    if not plan.gradient.centered:
        chains = chains._replace(mu=0 * chains.mu, lam=0 * chains.lam)
    theta = model.pack(params)
    shape = (params.W.shape[0], params.W.shape[1])
    return State(model, shape, theta, plan.optimizer.start(theta), chains, bounds, origin)


class Learner:
    """One update after another: the bound estimator, the optimiser, and what must stay where it was given."""

    def __init__(self, state: State, plan: Plan, batch_size: int) -> None:
        self._state, self._plan = state, plan
        self._params = state.local
        self._gradient = np.zeros_like(state.theta)
        self._views = views = state.model.unpack(self._gradient, *state.shape)
        self._estimate = plan.gradient.bind(state.model, views, batch_size, len(state.chains.h))
        self._frozen = frozen(state.model, views)
        self._ranges = ranges(state.bounds, self._params)
        self._key = stream(plan.seed, "negative")
        self._plain = not (state.model.visible.has_scale or state.model.hidden.has_scale)

    @property
    def dtype(self) -> Any:
        """Of the parameters, and so of the rows."""
        return self._state.theta.dtype

    def run(self, v: Array, weights: Array | None, rates: Array) -> bool:
        """One update per entry of `rates`, on consecutive batches of the rows `v`, which are consumed.

        False when a gradient was not finite; that update is not made.
        """
        made = self._run_compiled(v, weights, rates) if self._plain else None
        if made is not None:
            self._state.n_steps += made
            return made == len(rates) or self._refuse()
        size = self._plan.batch_size
        for step, rate in enumerate(rates):
            part = slice(step * size, (step + 1) * size)
            if not self.update(v[part], None if weights is None else weights[part], rate):
                return False
        return True

    def _run_compiled(self, v: Array, weights: Array | None, rates: Array) -> int | None:
        state, plan = self._state, self._plan
        settings = plan.optimizer.settings
        if settings is None:
            return None
        task = Ascent(
            self._params,
            self._views,
            state.theta,
            self._gradient,
            settings,
            state.memory,
            self._hold(),
            rates,
            state.n_steps,
        )
        batches = Batch(v, weights)
        return self._estimate.ascend(task, batches, plan.batch_size, state.chains, self._key)

    def _hold(self) -> Hold:
        """What holds the ascent back."""
        return (1.0, np.inf, 0.0, float(self._plan.weight_decay), self._params.W.size)

    def _refuse(self) -> bool:
        """Leave chains that can go on."""
        for x in self._state.chains:
            np.nan_to_num(x, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return False

    def update(self, v: Array, weights: Array | None, rate: float) -> bool:
        """One step on the rows `v`, which are consumed; False, and nothing moved, when its gradient is not finite."""
        state, plan = self._state, self._plan
        if state.origin is not None:
            v -= state.origin
        key = fold(self._key, state.n_steps)
        batch = Batch(v, None if weights is None else weights / weights.sum())
        _, state.chains, info = self._estimate(self._params, batch, state.chains, key)
        if not info.finite:
            return self._refuse()
        if not self._plain:
            rescale(state.model, self._params, self._views, state.chains)
            bound(self._views, LARGEST_LOG_STEP / rate)
        for held in self._frozen:
            held[:] = 0
        finite = plan.optimizer.step(state.theta, self._gradient, state.memory, rate, self._hold())
        for values, (low, high) in self._ranges:
            finite = finite and bool((values <= high).all())
            np.clip(values, low, high, out=values)
        if not finite:
            return self._refuse()
        state.n_steps += 1
        return True


def rescale(
    model: Bipartite,
    params: BipartiteParameters,
    gradient: BipartiteParameters,
    chains: ChainState,
) -> None:
    """Measure the gradient by weights and biases in the units' own scales, in place.

    With the scales a_i and c_j (:meth:`ebm.units.Unit.scale`), W_ij is moved a_i c_j and b_i is moved a_i times as far:
    a diagonal metric, under which learning commutes with a change of the data's units of measurement. It is the metric
    of the centred parameters, so what centring subtracts from the biases is subtracted anew.
    """
    a, c = model.visible.scale(params.visible), model.hidden.scale(params.hidden)
    b_step = gradient.visible.bias + gradient.W @ chains.lam
    c_step = gradient.hidden.bias + chains.mu @ gradient.W
    if a is not None:
        gradient.W[:] *= a[:, np.newaxis]
        b_step *= a
    if c is not None:
        gradient.W[:] *= c
        c_step *= c
    gradient.visible.bias[:] = b_step - gradient.W @ chains.lam
    gradient.hidden.bias[:] = c_step - chains.mu @ gradient.W


def bound(gradient: BipartiteParameters, largest: float) -> None:
    """Limit the gradient by log-scales (the parameters other than W and the biases) to `largest`, in place.

    It grows with the square of the largest deviation in the batch: one outlier would otherwise move a variance by
    orders of magnitude.
    """
    for own in (gradient.visible, gradient.hidden):
        for values in own[1:]:
            np.clip(values, -largest, largest, out=values)


def frozen(model: Bipartite, gradient: BipartiteParameters) -> list[Array]:
    """The parts of `gradient` that belong to given, not learned, parameters."""
    layers = ((model.visible, gradient.visible), (model.hidden, gradient.hidden))
    return [
        values
        for unit, own in layers
        for name, values in zip(unit.fields, own, strict=True)
        if not unit.is_free(name)
    ]


def ranges(bounds: Bounds, params: BipartiteParameters) -> list[tuple[Array, tuple[Array, Array]]]:
    """Pairs of a bounded parameter and its bounds."""
    return [
        (getattr(getattr(params, layer), name), range_)
        for layer, named in bounds.items()
        for name, range_ in named.items()
    ]


def single_update(state: State, v: Array, weights: Array | None, plan: Plan) -> str:
    """One update with all rows `v` as the batch; why it was not made, or ''."""
    batch = np.array(v, state.theta.dtype, order="C")
    finite = Learner(state, plan, len(v)).update(batch, weights, plan.learning_rate)
    return "" if finite else _diverged("this update", plan.learning_rate)


def train(
    state: State, rows: Rows, plan: Plan, n_epochs: int, callbacks: Sequence[Callback] = ()
) -> str:
    """Train for `n_epochs`, changing `state`; what went wrong, or '' if training ended as asked."""
    learner = Learner(state, plan, min(plan.batch_size, len(rows)))
    begun = time.perf_counter()
    shuffle = fold(stream(plan.seed, "shuffle"), state.n_steps)
    try:
        for epoch in range(n_epochs):
            order, weights = rows.epoch(fold(shuffle, epoch))
            rate = _run_epoch(learner, rows, order, weights, plan, (epoch, n_epochs))
            if rate is None:
                rate = plan.learning_rate * plan.schedule.factor(epoch, n_epochs)
                return _diverged(f"epoch {epoch + 1}", rate)
            report = Report(
                epoch + 1, n_epochs, rate, time.perf_counter() - begun, state.model, state.params
            )
            if notify(callbacks, report, state.history):
                break
    except KeyboardInterrupt:
        return "interrupted; the parameters of the last update are kept"
    return ""


def _run_epoch(
    learner: Learner,
    rows: Rows,
    order: Array,
    weights: Array | None,
    plan: Plan,
    epochs: tuple[int, int],
) -> float | None:
    """One pass over the rows; the last learning rate, or None when an update was not finite."""
    epoch, n_epochs = epochs
    size, n_rows = plan.batch_size, len(order)
    chunk = size * max(1, CHUNK_ROWS // size)
    buffer = np.empty((min(chunk, n_rows), rows.n_columns), learner.dtype)
    rates = np.empty(0)
    for first in range(0, n_rows, chunk):
        index = order[first : first + chunk]
        rows.gather(index, buffer[: len(index)])
        done = (first + np.arange(0, len(index), size)) / n_rows
        factors = [plan.schedule.factor(epoch + part, n_epochs) for part in done]
        rates = plan.learning_rate * np.array(factors)
        w = None
        if weights is not None:
            # Averages within a batch are weighted; how much a batch counts among the others, the rate says.
            starts = np.arange(0, len(index), size)
            totals = np.add.reduceat(weights[first : first + chunk], starts)
            counts = np.diff(np.append(starts, len(index)))
            w = (weights[first : first + chunk] / np.repeat(totals, counts)).astype(learner.dtype)
            rates *= totals / counts / weights.mean()
        if not learner.run(buffer[: len(index)], w, rates.astype(learner.dtype)):
            return None
    return float(rates[-1])


def _diverged(when: str, rate: float) -> str:
    return (
        f"training diverged in {when} at learning rate {rate:g}: numbers grew beyond all bounds. The last finite "
        "parameters are kept. Use a smaller learning_rate, or data on a common scale (StandardScaler)"
    )
