"""The only training loop: batches x gradient x optimiser x monitors.

    for every epoch:  shuffle the rows
        for every batch:  estimate the gradient, move the parameters uphill
        tell the monitors

The loop owns none of the arithmetic. It ends when the epochs are done, when a callback asks for it, when the user
interrupts it, or when it diverges. It has diverged if the gradient is no longer finite or parameters have left the
data's scale (:mod:`ebm._growth`). Then the state is that before the epoch (or the single update) in which the growth
began: the last finite parameters would be useless. Where already the first gradient of an epoch is not finite, the
parameters before it are what makes it so, and the epoch that led to them is undone, too.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ebm._batches import Rows
from ebm._checkpoint import load, save, save_all, seed_of
from ebm._checks import Array
from ebm._gaps import RowsWithGaps, rows_of, swept
from ebm._growth import Growth, copied, outgrown, size
from ebm._kernels.ascent import limit_columns
from ebm._random import Key, Reserved, fold, stream
from ebm._sparse import canonical, dense, is_thin, sparse_rows
from ebm._state import (
    Plan,
    State,
    begin,
    continued,
    count_epochs,
    resume,
    start,
    take_up_chains,
    with_rate,
)
from ebm.gradients.base import Ascent, Batch, Gradient
from ebm.gradients.regularized import regularized
from ebm.likelihood.features import flat_features
from ebm.likelihood.placement import improbable, misplaced, too_wide
from ebm.monitors import Callback, Report, notify
from ebm.optimizers.base import UpdateLimits

# Rows gathered at a time when batches are smaller: it saves calls, and an interrupt is heard between chunks.
CHUNK_ROWS = 320
# Updates after which features that hardly vary are a result of learning, and not its beginning.
LONG = 1000
INTERRUPTED = "interrupted; the parameters of the last update are kept"
ENDED = (
    "a callback had ended training after epoch {}, and nothing is learned beyond it. To learn more, call fit with "
    "warm_start=True, or partial_fit"
)

__all__ = [
    "Learner",
    "Plan",
    "State",
    "begin",
    "continued",
    "load",
    "placement",
    "resume",
    "save",
    "seed_of",
    "shortcomings",
    "single_update",
    "start",
    "take_up_chains",
    "train",
]


class Learner:
    """One update after another: the bound estimator, the optimiser, and what must stay where it was given."""

    def __init__(self, state: State, plan: Plan, batch_size: int) -> None:
        self._state, self._plan = state, plan
        model, self._params = state.fused
        self._model = model
        self._n_weights = model.n_weights(self._params)
        self._gradient = np.zeros_like(state.theta)
        self._views = views = model.unpack(self._gradient, *state.shape)
        plan.gradient.check_supports(model)
        bound = plan.gradient.bind(model, views, batch_size, len(state.chains.h))
        some = plan.regularization
        self._estimate = (
            regularized(bound, model, views, some) if some.needs_binary_units else bound
        )
        self._fixed = model.fixed(views)
        self._key = stream(plan.seed, "negative")
        self._moves = fold(stream(plan.seed, "positive"), Reserved.MISSING_ENTRIES.number)
        self._plain = not model.scaled(views)
        # What the visible units are measured from is taken from every entry.
        self.takes_sparse = self._estimate.takes_sparse and state.origin is None
        self.takes_gaps = self._estimate.takes_gaps
        self._measured: dict[str, list[tuple[float, int]]] = {}
        self.where = ""

    @property
    def dtype(self) -> Any:
        """Of the parameters, and so of the rows."""
        return self._state.theta.dtype

    def move(self, v: Array, given: Array) -> Array:
        """The rows `v` after one sweep of the entries that are not `given` (NaN there)."""
        state = self._state
        key = fold(self._moves, state.n_steps)
        with np.errstate(all="ignore"):
            return swept(self._model, self._params, state.origin, v, given, key)

    def run(self, v: Any, weights: Array | None, rates: Array) -> bool:
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

    def _run_compiled(self, v: Any, weights: Array | None, rates: Array) -> int | None:
        state, plan = self._state, self._plan
        settings = plan.optimizer.settings
        if settings is None or not plan.regularization.is_fused:
            return None
        task = Ascent(
            self._params,
            self._views,
            state.theta,
            self._gradient,
            settings,
            state.memory,
            self._update_limits(plan.batch_size),
            rates,
            state.n_steps,
        )
        batches = Batch(v, weights)
        made = self._estimate.ascend(task, batches, plan.batch_size, state.chains, self._key)
        for measured, n_rows in self._estimate.told():
            self._note(measured, n_rows)
        return made

    def _update_limits(self, n_rows: int) -> UpdateLimits:
        """Clipping and penalties of an update on so many rows."""
        plan = self._plan
        decay = plan.gradient.decay(plan.weight_decay, n_rows)
        return plan.regularization.update_limits(self._gradient, decay, self._n_weights)

    def _refuse(self) -> bool:
        """Leave chains that can go on."""
        *shared, gradient_state = self._state.chains
        for x in (*shared, *gradient_state):
            np.nan_to_num(x, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return False

    def update(self, v: Any, weights: Array | None, rate: float) -> bool:
        """One step on the rows `v`, which are consumed; False, and nothing moved, when its gradient is not finite."""
        with np.errstate(all="ignore"):  # the result shows values that are not finite
            return self._update(v, weights, rate)

    def _update(self, v: Any, weights: Array | None, rate: float) -> bool:
        state, plan = self._state, self._plan
        if state.origin is not None:
            v[:, : len(state.origin)] -= state.origin
        key = fold(self._key, state.n_steps)
        batch = Batch(v, None if weights is None else weights / weights.sum())
        if not self._estimated(batch, key):
            return self._refuse()
        if not self._plain:
            variance = state.marginals[1] if state.marginals else None
            self._model.rescale(self._params, self._views, state.chains, variance, rate)
        for values in self._fixed:
            values[:] = 0
        finite = plan.optimizer.step(
            state.theta, self._gradient, state.memory, rate, self._update_limits(len(v))
        )
        if not (self.settle() and finite):
            self.where = self._estimate.infinite_part()
            return self._refuse()
        state.n_steps += 1
        return True

    def settle(self) -> bool:
        """Bring parameters that have moved to within their bounds; False where some are not finite."""
        largest = self._plan.regularization.max_norm
        if largest is not None:
            for W in self._model.max_norm_matrices(self._params):
                limit_columns(W, largest)
        return self._model.project(self._params, self._state.bounds)

    def _estimated(self, batch: Batch, key: Key) -> bool:
        """Write the gradient; whether it is finite."""
        state = self._state
        _, state.chains, info = self._estimate(self._params, batch, state.chains, key)
        self._note(info.measured, len(batch.v))
        self.where = info.where
        return info.finite

    def _note(self, measured: Mapping[str, float], n_rows: int) -> None:
        """Keep what a batch of so many rows measured."""
        for name, x in measured.items():
            self._measured.setdefault(name, []).append((x, n_rows))

    def losses(self) -> list[float]:
        """Losses of the batches, where the estimate of the gradient measures any, since this was last asked."""
        return [loss for loss, _ in self._measured.get("loss", ())]

    def measured(self) -> dict[str, float]:
        """Means over the rows of what the estimates of the gradient measured, since this was last asked."""
        means = {}
        for name, pairs in self._measured.items():
            values, counts = zip(*pairs, strict=True)
            means[name] = float(np.average(values, weights=counts))
        self._measured.clear()
        return means


def placement(state: State, rows: Rows, plan: Plan) -> str:
    """Why the distribution that was learned is not where the `rows` are, in words, or ''."""
    key = fold(stream(plan.seed, "evaluation"), Reserved.PLACEMENT.number)
    return misplaced(state.model, state.params, rows, state.marginals, key)


def shortcomings(state: State, rows: Rows, plan: Plan) -> str:
    """Why the distribution is not that of the `rows`, or features hardly vary, or ''; of long training only."""
    if state.n_steps < LONG:
        return ""
    key = fold(stream(plan.seed, "evaluation"), Reserved.PLACEMENT.number)
    checks = (improbable, too_wide, flat_features)
    found = (check(state.model, state.params, rows, key) for check in checks)
    return next((message for message in found if message), "")


def single_update(state: State, v: Any, weights: Array | None, plan: Plan) -> str:
    """One update with all rows `v`, dense or CSR, as the batch; why it was not made, or ''.

    Chains of missing entries begin anew, at the model.
    """
    plan = with_rate(plan, state)
    before, size_before = copied(state), size(state)
    learner = Learner(state, plan, v.shape[0])
    # Of models that do not learn from gaps, an estimator that takes NaN takes unknown labels.
    by_estimator = learner.takes_gaps and not state.model.learns_from_gaps
    rows = rows_of(v, weights)
    if isinstance(rows, RowsWithGaps) and not by_estimator:
        take_up_chains(state, rows, plan, anew=True)
        v, weights = rows.used(learner.takes_gaps)
        state.missing = None
    batch: Any
    if learner.takes_sparse and is_thin(v):
        batch = sparse_rows(canonical(v), learner.dtype)
    else:
        batch = np.array(dense(v), learner.dtype, order="C")
    made = learner.update(batch, weights, plan.learning_rate)
    if made and not outgrown(state, size_before):
        return ""
    where = "the parameters" if made else learner.where
    theta, state.chains, _ = before  # offsets, too, have taken in the rows
    _go_back(state, theta)
    return _diverged("this update", plan.learning_rate, plan.gradient, where)


def _go_back(state: State, theta: Array) -> None:
    """Take the parameters `theta` again, and forget what the optimiser remembers of how they were left."""
    state.theta[:] = theta
    for x in state.memory:
        x[:] = 0


def train(
    state: State,
    rows: Rows,
    plan: Plan,
    n_epochs: int | str,
    callbacks: Sequence[Callback] = (),
) -> str:
    """Train for `n_epochs`, changing `state`; what went wrong, or '' if training ended as asked.

    "auto" stands for a number of epochs, see :func:`ebm._state.count_epochs`. A state that was loaded goes on after the
    epochs that it has behind it.
    """
    n_epochs, plan = count_epochs(n_epochs, rows, plan), with_rate(plan, state, rows)
    take_up_chains(state, rows, plan)
    learner = Learner(state, plan, min(plan.batch_size, len(rows)))
    spent = state.history["time"][-1] if state.epoch else 0.0
    begun = time.perf_counter() - spent
    if not state.epoch:
        state.first_step = state.n_steps
    shuffle = fold(stream(plan.seed, "shuffle"), state.first_step)
    before, growth = state.theta.copy(), Growth(state)
    reported: set[Path] = set()  # checkpoints that could not be written
    try:
        if state.finished:  # loaded: no epoch follows
            return ENDED.format(state.epoch)
        while state.epoch < n_epochs and not state.finished:
            earlier, before = before, state.theta.copy()
            growth.begin(state)
            epoch, steps = state.epoch, state.n_steps
            order, weights = rows.epoch(fold(shuffle, epoch))
            slowed = plan._replace(learning_rate=plan.learning_rate * state.slowdown)
            rate = _run_epoch(learner, rows, order, weights, slowed, (epoch, n_epochs))
            grew = growth.where(state, learner.losses())
            if rate is None or grew:
                where = learner.where if rate is None else grew
                rate = rate or slowed.learning_rate * plan.schedule.factor(epoch, n_epochs)
                at_once = epoch and state.n_steps == steps
                since = _before_growth(state, growth, (earlier, before), bool(at_once))
                return _diverged(f"epoch {epoch + 1}", rate, plan.gradient, where, since)
            state.epoch += 1
            elapsed = time.perf_counter() - begun
            report = _report(state, n_epochs, rate, elapsed)
            report.monitored.update(learner.measured())
            state.finished = notify(callbacks, report, state.history)
            state.slowdown *= float(np.prod(report.slowdowns))
            if report.checkpoints:
                save_all(report.checkpoints, state, (plan, rows, n_epochs), reported)
    except KeyboardInterrupt:
        if not (learner.settle() and np.isfinite(state.theta).all()):  # in the midst of an update
            _go_back(state, before)
        return INTERRUPTED
    finally:
        # The next fit is another.
        state.epoch, state.finished, state.slowdown, state.missing = 0, False, 1.0, None
    return ""


def _before_growth(state: State, growth: Growth, thetas: tuple[Array, Array], at_once: bool) -> str:
    """Go back to where the parameters had not begun to grow; from before what that is, in words.

    `thetas` are those with which the last and this epoch began. Where this one failed `at_once`, before any update, its
    first parameters are what makes the gradient infinite.
    """
    earlier, before = thetas
    if growth.epoch == state.epoch:
        _go_back(state, earlier if at_once else before)
        return f"epoch {state.epoch}, which led there," if at_once else "it"
    growth.go_back(state)
    _go_back(state, state.theta)
    led = growth.epoch + 1 == state.epoch and at_once
    return f"epoch {growth.epoch + 1}, " + (
        "which led there," if led else "where they began to grow,"
    )


def _report(state: State, n_epochs: int, rate: float, elapsed: float) -> Report:
    return Report(
        state.epoch, n_epochs, rate, elapsed, state.model, state.params, state.theta, state.saved
    )


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
    sparse = learner.takes_sparse and rows.is_thin
    buffer = np.empty((0 if sparse else min(chunk, n_rows), rows.n_columns), learner.dtype)
    last_rate = float(plan.learning_rate)
    for first in range(0, n_rows, chunk):
        n_here = min(chunk, n_rows - first)
        v: Any
        if sparse:
            v = rows.take_sparse(order, first, n_here, learner.dtype)
        else:
            v = buffer[:n_here]
            rows.visit(order, first, v, learner.move, learner.takes_gaps)
        done = (first + np.arange(0, n_here, size)) / n_rows
        factors = [plan.schedule.factor(epoch + part, n_epochs) for part in done]
        rates = plan.learning_rate * np.array(factors)
        last_rate, w = float(rates[-1]), None
        if weights is not None:
            # Averages within a batch are weighted; how much a batch counts among the others, the rate says.
            starts = np.arange(0, n_here, size)
            totals = np.add.reduceat(weights[first : first + chunk], starts)
            counts = np.diff(np.append(starts, n_here))
            w = (weights[first : first + chunk] / np.repeat(totals, counts)).astype(learner.dtype)
            rates *= totals / counts / weights.mean()
        with np.errstate(over="ignore"):  # a rate beyond single precision is an infinite one
            rates = rates.astype(learner.dtype)
        if not learner.run(v, w, rates):
            return None
    return last_rate


def _diverged(
    when: str, rate: float, gradient: Gradient[Any], where: str = "", since: str = "it"
) -> str:
    grew = f"{where} grew" if where else "numbers grew"
    return (
        f"training diverged in {when} at learning rate {rate:g}: {grew} beyond all bounds. The "
        f"parameters from before {since} are kept. Use {gradient.divergence_hint}"
    )
