"""The training loop of label completion: batches x gradient x optimiser, as in :mod:`ebm.training`, with labels.

Memories start at rows of the training data, labels included, shrunk and with noise: a memory that starts nowhere near
the data has inputs below zero for all rows, and a rectified interaction then has no gradient for it. They are kept
within [-1, 1], where the states are (Krotov & Hopfield 2016, appendix A).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ebm._batches import Rows
from ebm._checks import Array
from ebm._random import fold, normal, stream
from ebm.energies.completion import Completion
from ebm.energies.memory import DenseParameters
from ebm.gradients.completion import completion_gradient
from ebm.optimizers.base import UNHELD, Optimizer
from ebm.optimizers.schedules import Schedule

# Size of the rows that memories start at, and of the noise: that of the paper's random start.
START = 0.3
# Rows that the scale is measured on.
SCALE_ROWS = 1000


class CompletionPlan(NamedTuple):
    """How to train: the choices that do not change while training; `power` is m, half the exponent of the error."""

    optimizer: Optimizer
    schedule: Schedule
    learning_rate: float
    batch_size: int
    power: int
    seed: int


@dataclass
class CompletionState:
    """What training changes: memories (n_memories, n_units), the optimiser's memory, and what was recorded."""

    memories: Array
    memory: tuple[Array, ...]
    n_steps: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)


class Labelled(NamedTuple):
    """Rows to learn from, and the number of the class of each (n_rows,)."""

    rows: Rows
    labels: Array


def start_completion(
    n_labels: int, data: Labelled, n_memories: int, plan: CompletionPlan
) -> CompletionState:
    """The state before the first update."""
    rows = data.rows
    key = stream(plan.seed, "init")
    index = np.resize(rows.epoch(fold(key, 0))[0], n_memories)
    n_visible = rows.n_columns
    memories = normal(fold(key, 1), (n_memories, n_visible + n_labels), rows.dtype)
    visible = np.empty((n_memories, n_visible), rows.dtype)
    rows.gather(index, visible)
    memories[:, :n_visible] += visible
    memories[:, n_visible:] += targets(data.labels[index], n_labels, rows.dtype)
    np.clip(START * memories, -1, 1, out=memories)
    return CompletionState(memories, plan.optimizer.start(memories.ravel()))


def unit_scale(state: CompletionState, data: Labelled, model: Completion) -> float:
    """The scale T at which the memories, as they are, make the row's largest gain one, on average over some rows.

    All inputs are as 1 / T, so all gains are as its n-th power: the gains at any scale tell. That of `model` is to be
    near enough for no overflow.
    """
    index = data.rows.epoch(fold(stream(0, "evaluation"), 0))[0][:SCALE_ROWS]
    v = gathered(data, index)[0].astype(np.float64)
    gains = model.gains(DenseParameters(state.memories.astype(np.float64)), v)
    largest = float(np.abs(gains).max(axis=1).mean())
    return model.scale * (largest ** (1 / model.degree) if largest > 0 else 1.0)


def typical_input(rows: Rows) -> float:
    """The mean squared norm of the rows, what a memory equal to a row receives from it."""
    mean = rows.mean()
    squared = float((rows.variance(mean) + mean**2).sum())
    return squared if squared > 0 else 1.0


def targets(labels: Array, n_labels: int, dtype: np.dtype) -> Array:
    """Label units (rows, n_labels): -1, and +1 for the class of the row."""
    out = np.full((len(labels), n_labels), -1, dtype)
    out[np.arange(len(labels)), labels] = 1
    return out


def train_completion(
    state: CompletionState,
    model: Completion,
    data: Labelled,
    plan: CompletionPlan,
    n_epochs: int,
    tell: Callable[[CompletionState, int], None],
) -> str:
    """Train for `n_epochs`, changing `state`; what went wrong, or '' if training ended as asked.

    After every epoch ``tell(state, epoch)`` is called. Where numbers are no longer finite, the memories are those from
    before the epoch.
    """
    begun = time.perf_counter()
    shuffle = fold(stream(plan.seed, "shuffle"), state.n_steps)
    try:
        for epoch in range(n_epochs):
            before = state.memories.copy()
            order, weights = data.rows.epoch(fold(shuffle, epoch))
            errors = []
            for first in range(0, len(order), plan.batch_size):
                part = slice(first, first + plan.batch_size)
                progress = epoch + first / len(order)
                rate = plan.learning_rate * plan.schedule.factor(progress, n_epochs)
                shares = None if weights is None else weights[part]
                batch = gathered(data, order[part])
                error = update_completion(state, model, batch, plan, rate, shares)
                if error is None:
                    state.memories[:] = before
                    return _diverged(epoch + 1, rate)
                errors.append(error)
            elapsed = time.perf_counter() - begun
            _record(
                state, {"learning_rate": rate, "time": elapsed, "error": float(np.mean(errors))}
            )
            tell(state, epoch + 1)
    except KeyboardInterrupt:
        return "interrupted; the memories of the last update are kept"
    return ""


def gathered(data: Labelled, index: Array) -> tuple[Array, Array]:
    """The rows `index` and their labels."""
    v = np.empty((len(index), data.rows.n_columns), data.rows.dtype)
    data.rows.gather(index, v)
    return v, data.labels[index]


def update_completion(
    state: CompletionState,
    model: Completion,
    batch: tuple[Array, Array],
    plan: CompletionPlan,
    rate: float,
    weights: Array | None = None,
) -> float | None:
    """One step; the error before it, or None, and nothing moved, when its gradient is not finite."""
    v, labels = batch
    memories = state.memories
    wanted = targets(labels, model.n_labels, memories.dtype)
    shares = None if weights is None else weights / weights.sum()
    with np.errstate(all="ignore"):  # what is not finite is told by the result
        gradient, error = completion_gradient(
            model, DenseParameters(memories), v, wanted, power=plan.power, weights=shares
        )
        if not np.isfinite(gradient.memories).all():
            return None
        moved = memories.ravel()  # a view
        if not plan.optimizer.step(moved, gradient.memories.ravel(), state.memory, rate, UNHELD):
            return None
    np.clip(memories, -1, 1, out=memories)
    state.n_steps += 1
    return error


def _record(state: CompletionState, numbers: dict[str, float]) -> None:
    done = len(state.history.get("epoch", ()))
    for name, value in {"epoch": done + 1, **numbers}.items():
        state.history.setdefault(name, []).append(value)


def _diverged(epoch: int, rate: float) -> str:
    return (
        f"training diverged in epoch {epoch} at learning rate {rate:g}: numbers grew beyond all bounds. The memories "
        "from before it are kept. Use a higher temperature, a lower degree, or a smaller learning_rate"
    )
