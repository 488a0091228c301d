"""The course of learning by batches: an estimator's words to the training loop, and its memory of it."""

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from ebm import training
from ebm._batches import Rows
from ebm._checks import Array, by_value, constant_columns_message
from ebm._flat import dtype_of
from ebm._gaps import rows_of
from ebm._series import Series
from ebm.energies.base import Model
from ebm.gradients import ChainState
from ebm.monitors import Callback, ProgressLine
from ebm.sklearn_compat._shared._validation import (
    check_callbacks,
    check_repetitions,
    draw_seed,
    warn_user,
)


class Mark:
    """The mark of one history, of which a deep copy has another one."""


# The lists behind the arrays of `history_`, for the first that goes on from a course: all others copy the arrays. By
# the number of the mark, with a reference to it that forgets them.
_SERIES: dict[int, tuple[weakref.ref["Mark"], dict[str, Series]]] = {}


def hold(mark: Mark, series: dict[str, Series]) -> None:
    """Keep the lists as long as there is the mark."""
    # No line of Python runs in this callback: an interrupt that Python hears within a callback is lost.
    forget = weakref.ref(mark, partial(_SERIES.pop, id(mark)))
    _SERIES[id(mark)] = forget, series


def held(mark: Mark) -> dict[str, Series]:
    """The lists of the mark, for the first who asks; empty for others."""
    known = _SERIES.get(id(mark))
    if known is None or known[0]() is not mark:
        return {}
    del _SERIES[id(mark)]
    return known[1]


class Standing(NamedTuple):
    """Learning so far, as the fitted attributes show it.

    Attributes
    ----------
    params : tuple
        Parameters of the model.
    chains : tuple of array
        Hidden states and the offsets of either layer, whoever set them; empty for models without chains.
    history : dict of ndarray
    """

    params: Any
    chains: tuple[Any, ...]
    history: dict[str, Array]


def nothing(X: Any, model: Model) -> list[Any]:
    """No callbacks that measure."""
    return []


class Watch(NamedTuple):
    """Who watches the loop.

    Attributes
    ----------
    title : str
        Of what is trained, in lines of progress and in warnings.
    callbacks : object
        The user's.
    verbose : bool
    scores : callable
        Rows X, or :class:`ebm._batches.Rows` where entries are missing, and model -> callbacks that measure what a
        verbose fit shows.
    """

    title: str
    callbacks: Any
    verbose: Any
    scores: Callable[[Any, Any], list[Any]] = nothing

    @contextmanager
    def watched(self, X: Any, model: Model) -> Iterator[list[Callback]]:
        """The user's callbacks, and with `verbose` those that measure and the line that shows it."""
        callbacks, line = check_callbacks(self.callbacks), ProgressLine(self.title)
        try:
            yield [*self.scores(X, model), *callbacks, line] if self.verbose else callbacks
        finally:
            line.close()

    def run(
        self,
        state: training.State,
        rows: Rows,
        plan: training.Plan,
        X: Any,
        n_epochs: int | str,
        first: Sequence[Callback] = (),
    ) -> str:
        """Run the loop, watched by the `first` callbacks, then by these."""
        with self.watched(rows if rows.has_gaps else X, state.model) as callbacks:
            return training.train(state, rows, plan, n_epochs, [*first, *callbacks])


class Lesson(NamedTuple):
    """All that an estimator says of how it learns.

    Attributes
    ----------
    plan : callable
        Seed -> :class:`ebm.training.Plan`.
    model : callable
        Rows and plan -> the model with which learning starts, or goes on.
    n_hidden : int
    n_epochs : int or "auto"
    random_state : object
    watch : Watch
    columns : ndarray of shape (n_features,) or None
        Names of the features.
    standing : Standing or None
        From where to go on; None to start anew.
    change : callable or None
        The model and its initial parameters -> those with which learning starts anew.
    """

    plan: Callable[[int], training.Plan]
    model: Callable[[Rows, training.Plan], Model]
    n_hidden: int
    n_epochs: int | str
    random_state: Any
    watch: Watch
    columns: Array | None
    standing: Standing | None
    change: Callable[[Any, Any], Any] | None = None

    def run(self, state: training.State, rows: Rows, plan: training.Plan, X: Any) -> str:
        """Run the loop for all epochs; what stopped it, or ''."""
        return self.watch.run(state, rows, plan, X, self.n_epochs)


def warn_constant(state: training.State, title: str, columns: Array | None) -> None:
    """Warn of columns without variance where learning starts with one for each."""
    if not state.model.has_scale:
        return
    constant = state.marginals[1] == 0
    layers = state.model.unit_layers(state.params)
    for name, some in state.model.data_columns.items():
        if name in layers and not layers[name][0].has_scale:
            constant[some] = False
    message = constant_columns_message(np.flatnonzero(constant), columns)
    if message:
        warn_user(f"{title}: {message}.", UserWarning)


class Learned(NamedTuple):
    """The end of an act of learning: `stopped` says why it came early, or is ''.

    Attributes
    ----------
    state : State
    attributes : dict
        Fitted attributes that only some gradients have.
    history : dict of ndarray
    course : Course
    stopped : str
    """

    state: training.State
    attributes: dict[str, Any]
    history: dict[str, Array]
    course: "Course"
    stopped: str


@dataclass(frozen=True, eq=False)
class Course:
    """The memory of learning beside the fitted attributes; none of it is ever changed in place.

    Attributes
    ----------
    seed : int or None
        Opens all random streams; None before the first of them.
    n_draws : int
        Number of the last draw of the fitted estimator, -1 before the first.
    n_steps : int or None
        Updates so far; None where parameters were not learned by batches.
    memory : tuple of ndarray
        The optimiser's, whose name is `optimizer`.
    gradient_state : tuple of ndarray
        Arrays of chains besides states and offsets, under the model and gradient that `own_of` stands for.
    bounds, origin, marginals
        As in :class:`ebm.training.State`; None and () where they are unknown.
    attributes : tuple of str
        Names of the fitted attributes that parameters, chains and the gradient have become.
    mark : Mark
        Of the history.
    """

    seed: int | None = None
    n_draws: int = -1
    n_steps: int | None = None
    memory: tuple[Array, ...] = ()
    optimizer: str = ""
    gradient_state: tuple[Array, ...] = ()
    gradient_state_of: Any = None
    bounds: Any = None
    origin: Array | None = None
    marginals: Any = ()
    attributes: tuple[str, ...] = ()
    mark: Mark = field(default_factory=Mark)

    # Learning

    def seed_for(self, lesson: Lesson) -> int:
        """The seed of a fit: another one where it starts anew."""
        known = lesson.standing is not None and self.seed is not None
        return int(self.seed) if known else draw_seed(lesson.random_state)  # type: ignore[arg-type]

    def fit_rows(self, lesson: Lesson, X: Any, weights: Array | None) -> Learned:
        """Train on the rows `X`, anew or from where the lesson stands."""
        rows = rows_of(X, weights, lesson.columns)
        known = lesson.standing is not None and self.seed is not None
        plan = lesson.plan(self.seed_for(lesson))
        state = self.state(lesson, rows, plan)
        if lesson.standing is None:
            warn_constant(state, lesson.watch.title, lesson.columns)
        stopped = lesson.run(state, rows, plan, X)
        return self._at_the_end(state, plan, rows, stopped, self.n_draws if known else -1)

    def resume_rows(
        self, lesson: Lesson, checkpoint: Any, X: Any, weights: Array | None
    ) -> Learned:
        """Go on from a file; with the model of the fitted attributes where the lesson stands at them."""
        check_repetitions(weights)
        rows = rows_of(X, weights, lesson.columns)
        fixed = isinstance(lesson.random_state, Integral)
        seed = draw_seed(lesson.random_state) if fixed else training.seed_of(checkpoint)
        plan = lesson.plan(seed)
        like, watching = self.state(lesson, rows, plan), check_callbacks(lesson.watch.callbacks)
        state = training.load(checkpoint, like, plan, rows, lesson.n_epochs, watching)
        stopped = lesson.run(state, rows, plan, X)
        return self._at_the_end(state, plan, rows, stopped, -1)

    def update_rows(self, lesson: Lesson, X: Any, weights: Array | None) -> Learned:
        """Make one update with all rows `X` as the batch."""
        plan = lesson.plan(draw_seed(lesson.random_state) if self.seed is None else self.seed)
        rows = rows_of(X, weights, lesson.columns)
        state = self.state(lesson, rows, plan)
        if lesson.standing is None and len(rows) > 1:  # of one row nothing is known to be constant
            warn_constant(state, lesson.watch.title, lesson.columns)
        stopped = training.single_update(state, X, weights, plan)
        return self.learned(state, plan, stopped, self.n_draws)

    def _at_the_end(
        self, state: training.State, plan: training.Plan, rows: Rows, stopped: str, n_draws: int
    ) -> Learned:
        """The end of an epoch or more: the law is compared with the data."""
        learned = self.learned(state, plan, stopped, n_draws)
        if stopped:
            return learned
        told = training.placement(state, rows, plan) or training.shortcomings(state, rows, plan)
        return learned._replace(stopped=told)

    def learned(
        self, state: training.State, plan: training.Plan, stopped: str, n_draws: int
    ) -> Learned:
        """The end of learning at the `state`."""
        gradient = plan.gradient
        attributes = {f"{name}_": x for name, x in gradient.attributes(state.chains).items()}
        series = {
            name: x if isinstance(x, Series) else Series(x) for name, x in state.history.items()
        }
        course = Course(
            seed=plan.seed,
            n_draws=n_draws,
            n_steps=state.n_steps,
            memory=state.memory,
            optimizer=type(plan.optimizer).__name__,
            gradient_state=state.chains.gradient_state,
            gradient_state_of=by_value((state.model, gradient)) if gradient.has_state else None,
            bounds=state.bounds,
            origin=state.origin,
            marginals=state.marginals,
            attributes=self.attributes,
        )
        hold(course.mark, series)
        history = {name: x.array for name, x in series.items()}
        return Learned(state, attributes, history, course, stopped)

    # States of training

    def state(self, lesson: Lesson, rows: Rows, plan: training.Plan) -> training.State:
        """The state before the first update, or that which the fitted attributes stand for, in new arrays."""
        model = lesson.model(rows, plan)
        if lesson.standing is None:
            return training.start(model, rows, lesson.n_hidden, plan, lesson.change)
        return self.resumed(model, lesson.standing, plan)

    def resumed(self, model: Model, standing: Standing, plan: training.Plan) -> training.State:
        """The state at given parameters and chains, with what is remembered of learning so far."""
        params = standing.params
        chains = self._chains(model, standing, plan) if standing.chains else None
        if self.origin is None:
            mean = None
        else:  # the weights may have been set in another precision
            mean = np.asarray(self.origin, dtype_of(params))
        state = training.resume(model, params, plan, chains=chains, mean=mean)
        if not np.isfinite(state.theta).all():
            raise ValueError(
                "The fitted parameters hold numbers so large that sums of them overflow in "
                f"{state.theta.dtype}: learning cannot go on from there. Set the attributes, such as components_, to "
                "smaller numbers, or fit again."
            )
        return self.into(state, plan, standing.history)

    def into(
        self, state: training.State, plan: training.Plan, history: dict[str, Array]
    ) -> training.State:
        """The `state` with what is remembered of learning so far, as far as that fits."""
        if self.n_steps is not None:  # else it is not the history of learning by batches
            state.n_steps, state.history = self.n_steps, self._history(history)
        memory = tuple(np.array(x) for x in self.memory)
        # What one rule remembers may mean something else to another, in arrays of the same shape.
        same = self.optimizer == type(plan.optimizer).__name__
        if same and [x.shape for x in memory] == [x.shape for x in state.memory]:
            state.memory = memory
        state.bounds = state.bounds if self.bounds is None else self.bounds
        state.marginals = self.marginals
        return state

    def _history(self, shown: dict[str, Array]) -> dict[str, list[float]]:
        """The history so far, to go on with: in place where nobody else may have, as in many calls of `partial_fit`."""
        series = held(self.mark)
        same = series.keys() == shown.keys()
        if same and all(x.is_of(shown[name]) for name, x in series.items()):
            return dict(series)
        return {name: list(x) for name, x in shown.items()}

    def _chains(self, model: Model, standing: Standing, plan: training.Plan) -> ChainState | None:
        """The chains that the fitted attributes hold, or None if they do not fit."""
        params, gradient = standing.params, plan.gradient
        wanted = [
            (gradient.n_chains_for(plan.batch_size), model.chain_width(params)),
            *((n,) for n in model.offset_widths(params)),
        ]
        # Offsets of no units are no attribute.
        held = [*standing.chains, *[np.zeros(0)] * (len(wanted) - len(standing.chains))]
        if [getattr(x, "shape", None) for x in held] != wanted:
            return None
        h, mu, lam = (np.array(x, dtype_of(params)) for x in held)
        if not all(bool(np.isfinite(x).all()) for x in (h, mu, lam)):
            return None
        if not gradient.has_state:
            return ChainState(h, mu, lam)
        chains = ChainState(h, mu, lam, tuple(np.array(x) for x in self.gradient_state))
        return chains if self.gradient_state_of == by_value((model, gradient)) else None
