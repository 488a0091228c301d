"""What the training loop makes of an estimator: settings, callbacks, and what becomes fitted attributes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions

from ebm import training
from ebm._batches import Rows
from ebm._checks import Array, by_value, told_constant
from ebm._random import Reserved, fold, stream
from ebm._series import Series
from ebm.gradients import ChainState
from ebm.likelihood.placement import misplaced
from ebm.monitors import Callback, ProgressLine
from ebm.optimizers import OPTIMIZERS, SCHEDULES, optimizer_record, schedule_record
from ebm.sklearn_compat._shared._fitted import Fitted
from ebm.sklearn_compat._shared._settings import RECORD, NestedSettings, Number
from ebm.sklearn_compat._shared._validation import (
    check_callbacks,
    check_repetitions,
    column_names,
    draw_seed,
    warn_user,
)

# The lists behind the arrays of `history_`: not an attribute, for no copy may go on in them.
_SERIES: WeakKeyDictionary[Any, dict[str, Series]] = WeakKeyDictionary()
# Attributes that say how learning by batches goes on, beside parameters and chains.
COURSE = ("_own", "_own_of", "_n_steps", "_memory", "_memory_of", "_bounds", "_origin")


class Trained(NestedSettings, Fitted, BaseEstimator):
    """Estimators that :mod:`ebm.training` moves (abstract).

    A subclass has the public methods. It says how it trains (:meth:`_plan`), how its parameters are named
    (:meth:`_params`, :meth:`_keep_params`), which attributes hold the states of its chains and the offsets of either
    layer, if it has any, and which setting says how many hidden units there are.
    """

    _chain_names: ClassVar[tuple[str, ...]] = ()
    _hidden_name: ClassVar[str]
    n_iter: int
    warm_start: bool
    callbacks: Any
    history_: Any
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Number(Real, 0, None, closed="neither")],
        "batch_size": [Number(Integral, 1, None, closed="left")],
        "n_iter": [Number(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "optimizer": [StrOptions(set(OPTIMIZERS)), RECORD],
        "schedule": [StrOptions(set(SCHEDULES)), RECORD],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, callable, None],
    }
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        "optimizer": optimizer_record,
        "schedule": schedule_record,
    }

    def _plan(self, seed: int) -> training.Plan:
        raise NotImplementedError

    def _is_fitted(self) -> bool:
        raise NotImplementedError

    def _keep_params(self, params: Any) -> None:
        """Turn parameters into fitted attributes."""
        raise NotImplementedError

    def _own_parameters(self, params: Any) -> dict[str, Array]:
        """Parameters that not every type of unit has, by the names of their attributes."""
        return {}

    def _model_for(self, rows: Rows, plan: training.Plan) -> Any:
        """The model with which learning of these rows starts."""
        return self._model()

    def _scores(self, X: Any, model: Any) -> list[Any]:
        """Callbacks that measure what a verbose fit shows, where the gradient does not measure it anyway."""
        return []

    # Training

    # What stopped it is returned, or '', to be told once all that was learned is kept.

    def _fit_rows(self, X: Any, weights: Array | None, go_on: bool) -> str:
        """Train on the rows `X`, from where training has come to if it is to `go_on`."""
        rows = Rows(X, weights)
        known = go_on and hasattr(self, "_seed")
        plan = self._plan(self._seed if known else draw_seed(self.random_state))
        state = self._resumed(plan) if go_on else self._started(rows, plan)
        if not go_on:
            self._warn_constant(state)
        n_draws = getattr(self, "_n_draws", -1) if known else -1
        stopped = self._train(state, rows, plan, X)
        self._n_draws = n_draws
        return stopped

    def _resume_rows(self, checkpoint: Any, X: Any, weights: Array | None, go_on: bool) -> str:
        """Go on from a file; with the model of the fitted attributes if training was to `go_on` from them."""
        check_repetitions(weights)
        rows = Rows(X, weights)
        fixed = isinstance(self.random_state, Integral)
        plan = self._plan(draw_seed(self.random_state) if fixed else training.seed_of(checkpoint))
        like = self._resumed(plan) if go_on else self._started(rows, plan)
        watching = check_callbacks(self.callbacks)
        state = training.load(checkpoint, like, plan, rows, self._n_epochs, watching)
        stopped = self._train(state, rows, plan, X)
        self._n_draws = -1
        return stopped

    def _update_rows(self, X: Any, weights: Array | None, first: bool) -> str:
        """Make one update with all rows `X` as the batch."""
        known = getattr(self, "_seed", None)
        plan = self._plan(draw_seed(self.random_state) if known is None else known)
        rows = Rows(X, weights)
        state = self._started(rows, plan) if first else self._resumed(plan)
        if first and len(rows) > 1:  # of one row nothing is known to be constant
            self._warn_constant(state)
        stopped = training.single_update(state, X, weights, plan)
        self._keep(state, plan)
        return stopped

    def _train(self, state: training.State, rows: Rows, plan: training.Plan, X: Any) -> str:
        """Run the loop and keep what it leaves; what is wrong with that, or ''."""
        stopped = self._run(state, rows, plan, X, self._n_epochs)
        self._keep(state, plan)
        key = fold(stream(plan.seed, "evaluation"), Reserved.PLACEMENT.number)
        return stopped or misplaced(state.model, state.params, rows, state.marginals, key)

    def _run(
        self,
        state: training.State,
        rows: Rows,
        plan: training.Plan,
        X: Any,
        n_epochs: int,
        first: Sequence[Callback] = (),
    ) -> str:
        """Run the loop, watched by callbacks: the `first`, then the user's."""
        with self._watched(X, state.model) as callbacks:
            return training.train(state, rows, plan, n_epochs, [*first, *callbacks])

    def _tell(self, stopped: str) -> None:
        """Warn of learning that did not come to its end."""
        if stopped:
            warn_user(f"{type(self).__name__}: {stopped}.", ConvergenceWarning)

    def _warn_constant(self, state: training.State) -> None:
        """Warn of columns without variance where learning starts with one for each."""
        if not state.model.visible.has_scale:
            return
        told = told_constant(np.flatnonzero(state.marginals[1] == 0), column_names(self))
        if told:
            warn_user(f"{getattr(self, '_title', type(self).__name__)}: {told}.", UserWarning)

    @contextmanager
    def _watched(self, X: Any, model: Any) -> Iterator[list[Callback]]:
        """The user's callbacks, and with `verbose` what measures and the line that shows it."""
        own = check_callbacks(self.callbacks)
        line = ProgressLine(getattr(self, "_title", type(self).__name__))
        try:
            yield [*self._scores(X, model), *own, line] if self.verbose else own
        finally:
            line.close()

    # The state of training

    @property
    def _n_epochs(self) -> int:
        return int(self.n_iter)

    def _count_hidden(self) -> int:
        return int(getattr(self, self._hidden_name))

    def _check_size(self) -> None:
        """Refuse to go on with another number of hidden units than there are."""
        n_hidden = self._model().shape(self._params())[1]
        wanted = self._count_hidden()
        if n_hidden != wanted:
            raise ValueError(
                f"{self._hidden_name} is {wanted}, but the model to go on from has {n_hidden} hidden units. "
                "Fit anew (warm_start=False) to change it."
            )

    def _started(self, rows: Rows, plan: training.Plan) -> training.State:
        """The training state before the first update."""
        model = self._model_for(rows, plan)
        return training.start(model, rows, self._count_hidden(), plan)

    def _resumed(self, plan: training.Plan) -> training.State:
        """The training state that the fitted attributes stand for, with what is remembered of learning so far."""
        state = self._state(plan)
        state.n_steps = getattr(self, "_n_steps", 0)
        if hasattr(self, "_n_steps"):  # else it is not the history of learning by batches
            state.history = self._history()
        memory = tuple(np.array(x) for x in getattr(self, "_memory", ()))
        # What one rule remembers may mean something else to another, in arrays of the same shape.
        same = getattr(self, "_memory_of", None) == type(plan.optimizer).__name__
        if same and [x.shape for x in memory] == [x.shape for x in state.memory]:
            state.memory = memory
        state.bounds = getattr(self, "_bounds", state.bounds)
        state.marginals = getattr(self, "_marginals", ())
        return state

    def _history(self) -> dict[str, list[float]]:
        """The history so far, to go on with: in place where nobody else may have, as in many calls of `partial_fit`."""
        series = _SERIES.get(self, {})
        same = series.keys() == self.history_.keys()
        if same and all(x.is_of(self.history_[name]) for name, x in series.items()):
            return dict(series)
        return {name: list(x) for name, x in self.history_.items()}

    def _state(self, plan: training.Plan) -> training.State:
        """A training state at the parameters and chains that the fitted attributes hold, in new arrays."""
        model, params = self._model(), self._params()
        chains = self._chains(model, params, plan) if self._chain_names else None
        mean = getattr(self, "_origin", None)
        if mean is not None:  # the weights may have been set in another precision
            mean = np.asarray(mean, params[0].dtype)
        return training.resume(model, params, plan, chains=chains, mean=mean)

    def _chains(self, model: Any, params: Any, plan: training.Plan) -> ChainState | None:
        """The chains that the fitted attributes hold, or None if they do not fit."""
        n_chains = plan.gradient.n_chains_for(plan.batch_size)
        held: list[Any] = [getattr(self, name, None) for name in self._chain_names]
        wanted = [
            (n_chains, model.chain_width(params)),
            *((n,) for n in model.offset_widths(params)),
        ]
        if any(getattr(x, "shape", None) != shape for x, shape in zip(held, wanted, strict=True)):
            return None
        h, mu, lam = (np.array(x, params[0].dtype) for x in held)
        chains = ChainState(h, mu, lam, tuple(np.array(x) for x in getattr(self, "_own", ())))
        fits = all(bool(np.isfinite(x).all()) for x in (h, mu, lam))
        if plan.gradient.has_own:
            fits = fits and getattr(self, "_own_of", None) == by_value((model, plan.gradient))
        else:
            chains = chains._replace(own=())
        return chains if fits else None

    # Fitted attributes

    def _set_optional(self, attributes: dict[str, Any]) -> None:
        """Set the attributes that not every machine has, and take away those of an earlier fit."""
        for name in getattr(self, "_optional", ()):
            if hasattr(self, name):
                delattr(self, name)
        for name, x in attributes.items():
            setattr(self, name, x)
        self._optional = list(attributes)

    def _keep(self, state: training.State, plan: training.Plan) -> None:
        """Turn the training state into fitted attributes."""
        self._keep_params(state.params)
        for name, x in zip(self._chain_names, state.chains, strict=False):
            setattr(self, name, x)
        self._own = state.chains.own
        self._own_of = by_value((state.model, plan.gradient)) if plan.gradient.has_own else None
        self._set_optional(
            {f"{name}_": x for name, x in plan.gradient.attributes(state.chains).items()}
            | self._own_parameters(state.params)
        )
        _SERIES[self] = series = {
            name: x if isinstance(x, Series) else Series(x) for name, x in state.history.items()
        }
        self.history_ = {name: x.array for name, x in series.items()}
        self._n_steps, self._memory, self._bounds = state.n_steps, state.memory, state.bounds
        self._memory_of = type(plan.optimizer).__name__
        self._seed = plan.seed
        self._origin, self._marginals = state.origin, state.marginals
