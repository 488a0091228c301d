"""A stack of machines learns greedily (Hinton, Osindero & Teh 2006).

    for every machine, from the lowest up:  it learns from X
        X = means, or drawn states, of its hidden units given X

So every machine learns the distribution of the hidden units of the one below, averaged over the data. Where states go
up, they are drawn anew for every epoch: a machine with many hidden units otherwise learns the one draw by heart. The
last machine may see labels beside the features. In rows with missing entries (NaN) the lowest machine learns what it
can of them (:mod:`ebm._gaps`); the layers above see each row once completed by a draw.

:func:`pretrain` takes the machines to their ends one after the other, :func:`update_each` makes one update of each.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ebm._arrays import has_gaps
from ebm._batches import Redrawn, Rows
from ebm._checks import Array
from ebm._flat import dtype_of
from ebm._gaps import RowsWithGaps, rows_of, start_at_model
from ebm._random import Reserved, fold, stream
from ebm._sparse import as_dtype
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.monitors import Callback
from ebm.pretraining.labels import Labels
from ebm.pretraining.upward import Propagation, Step, top_draws
from ebm.training import INTERRUPTED, Plan, State, placement, single_update, start, train

Callbacks = AbstractContextManager[Sequence[Callback]]


@dataclass(frozen=True)
class Machine:
    """A machine that is to become a layer of a stack.

    Attributes
    ----------
    name : str
        Stands in front of what its training raises.
    model : Bipartite or ColumnModel
    plan : Plan
    n_hidden : int
    n_epochs : int or "auto"
    state : State or None
        Where training goes on; None: it begins at the rows.
    begins_as : ColumnModel or None
        Another model with parameters of the same names and shapes, with whose start training begins.
    watched : callable
        Rows (dense or CSR, or :class:`ebm._batches.Rows` where entries are missing) and the model -> a context with the
        callbacks of the training on them.
    """

    name: str
    model: Bipartite | ColumnModel
    plan: Plan
    n_hidden: int
    n_epochs: int | str
    state: State | None = None
    watched: Callable[[Any, Any], Callbacks] = lambda X, model: nullcontext(())
    begins_as: ColumnModel | None = None

    @property
    def n_steps(self) -> int:
        """Updates that the machine has behind it."""
        return 0 if self.state is None else self.state.n_steps


class Layer(NamedTuple):
    """The result of one machine.

    Attributes
    ----------
    state : State
    n_rows : int
        Count of the rows that it learned from.
    message : str
        Why it did not come to its end, or ''.
    """

    state: State
    n_rows: int
    message: str

    @property
    def step(self) -> Step:
        """The step up that the layer has become."""
        return self.state.model, self.state.params


class Pretrained(NamedTuple):
    """The layers that have learned, and whether an interrupt came before the next of them began."""

    layers: list[Layer]
    interrupted: bool = False


def pretrain(
    machines: Sequence[Machine],
    X: Any,
    weights: Array | None,
    propagation: Propagation,
    *,
    below: Sequence[Step] = (),
    labels: Labels | None = None,
    transposed: bool = False,
) -> Pretrained:
    """Train machines one after the other, each on the features that the layers below make of the rows `X`.

    Parameters
    ----------
    machines : sequence of Machine
        From the lowest up. Their states are changed.
    X : {ndarray, CSR array} of shape (rows, n)
    weights : ndarray of shape (rows,) or None
    propagation : Propagation
    below : sequence of Step
        Layers between the data and the lowest machine, which have learned.
    labels : Labels, optional
        Columns that the last machine sees beside the features; it learns from the rows that have some.
    transposed : bool
        Whether machines that begin, and are not the lowest, do so at the layer below turned over.

    Returns
    -------
    Pretrained
        An interrupt ends it: in the training of a layer, which is then the last one, or between two.

    Raises
    ------
    ValueError
        With the name of the machine.
    KeyboardInterrupt
        If there is nothing to keep.
    """
    steps, layers, source = list(below), [], X
    if below and has_gaps(X):
        X, weights = completed(below[0], X, weights, propagation.seed)
        source = X
    try:
        for k, step in enumerate(below):
            X = propagation.above(step, k, X)
        for machine in machines:
            last = machine is machines[-1]
            if labels is not None and last:
                X, weights = labels.beside(X, weights)
                source = source[labels.known]
            with naming(machine.name):
                X = X if machine.state is None else as_dtype(X, machine.state.theta.dtype)
                rows = _rows(X, weights, source, steps if propagation.draws else [])
                layer = learned(machine, rows, X, steps[-1:] if transposed else [])
            layers.append(layer)
            if layer.message == INTERRUPTED:
                break
            if isinstance(rows, RowsWithGaps):
                X, weights = rows.completed()
                source = X
            if not last:
                steps.append(layer.step)
                X = propagation.above(layer.step, len(steps) - 1, X)
    except KeyboardInterrupt:
        if not (layers or below):
            raise
        return Pretrained(layers, interrupted=True)
    return Pretrained(layers)


def _rows(X: Any, weights: Array | None, source: Any, steps: list[Step]) -> Rows:
    """The rows as training sees them: `X`, drawn anew from the `source` for every epoch if there are `steps`."""
    if not steps:
        return rows_of(X, weights)
    return Redrawn(X, weights, source, partial(top_draws, tuple(steps)))


def completed(step: Step, X: Any, weights: Array | None, seed: int) -> tuple[Any, Array | None]:
    """Rows `X` with draws of the bottom `step` in the place of missing entries, and their weights.

    Rows without any known entry get the weight zero. Complete rows are returned as they are.
    """
    if not has_gaps(X):
        return X, weights
    model, params = step
    rows = RowsWithGaps(as_dtype(X, dtype_of(params)), weights)
    key = fold(stream(seed, "init"), Reserved.FIRST_ENTRIES.number)
    start_at_model(model, params, None, None, rows, key)
    return rows.completed()


def learned(machine: Machine, rows: Rows, X: Any, below: Sequence[Step] = ()) -> Layer:
    """Train a machine to its end; it begins at the last step of `below` turned over, if there is one."""
    plan, state = machine.plan, machine.state
    if state is None:
        change = None
        if below:
            change = partial(_turned, below=below[-1][1])
        elif machine.begins_as is not None:
            first = start(machine.begins_as, rows, machine.n_hidden, plan)
            change = partial(_taken_over, arrays=machine.begins_as.arrays(first.params))
        state = start(machine.model, rows, machine.n_hidden, plan, change)
    with machine.watched(rows if rows.has_gaps else X, state.model) as callbacks:
        stopped = train(state, rows, plan, machine.n_epochs, callbacks)
    return Layer(state, len(rows), stopped or placement(state, rows, plan))


def _turned(model: Bipartite, params: Any, below: Any) -> Any:
    return model.above(params, below)


def _taken_over(model: Bipartite | ColumnModel, _: Any, arrays: dict[str, Array]) -> Any:
    return model.of_arrays(arrays["weights"], lambda name, neutral: arrays[name])


def update_each(
    machines: Sequence[Machine],
    X: Any,
    weights: Array | None,
    propagation: Propagation,
    labels: Labels | None = None,
) -> list[Layer]:
    """One update of every machine with the batch `X`, from the lowest up: what the updated one below makes of it.

    The parameters are those of :func:`pretrain`. Where no row of the batch has a label, a last machine that has learned
    before gets no update.
    """
    layers: list[Layer] = []
    for k, machine in enumerate(machines):
        last = machine is machines[-1]
        if labels is not None and last:
            X, weights = labels.beside(X, weights)
            if not X.shape[0] and machine.state is not None:
                break
        shares = None if weights is None else weights / weights.max()  # of one batch
        with naming(machine.name):
            rows, state = rows_of(X, shares), machine.state
            if state is None:
                state = start(machine.model, rows, machine.n_hidden, machine.plan)
            layers.append(Layer(state, len(rows), single_update(state, X, shares, machine.plan)))
        if not last:
            X, weights = completed(layers[-1].step, X, weights, propagation.seed)
            X = propagation.above(layers[-1].step, k, X)
    return layers


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Raise a ValueError again with the name of the layer or stage in front."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
