"""How a machine learns: settings, `fit`, `resume`, `partial_fit`, and what becomes fitted attributes."""

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from ebm import training
from ebm._batches import Rows, blocks, dense
from ebm._checks import Array
from ebm.gradients import GRADIENTS, ChainState, gradient_record
from ebm.likelihood import pseudo_log_likelihood, reconstruction_error
from ebm.monitors import ProgressLine, Scorer
from ebm.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    optimizer_record,
    regularization_record,
    schedule_record,
)
from ebm.sklearn_compat._fitted import Fitted
from ebm.sklearn_compat._settings import NestedSettings
from ebm.sklearn_compat._validation import (
    check_repetitions,
    check_rows,
    check_weights,
    draw_seed,
    unharmed,
    warn_outside,
    warn_user,
)

# Rows whose pseudo-likelihood is shown after each epoch: enough for two digits.
SHOWN_ROWS = 500
RECORD = HasMethods(["get_params", "set_params"])
# Attributes that say how learning by batches goes on, beside parameters and chains.
COURSE = ("_own", "_own_of", "_n_steps", "_memory", "_memory_of", "_bounds", "_origin")


class Learning(NestedSettings, Fitted, BaseEstimator):
    """Estimators that learn by gradients, batch by batch (abstract).

    A subclass says how its parameters are named (:meth:`_params`, :meth:`_keep_params`), which attributes hold the
    states of its chains and the offsets of either layer, and which setting says how many hidden units there are.
    """

    _chain_names: ClassVar[tuple[str, str, str]]
    _hidden_name: ClassVar[str]
    warm_start: bool
    callbacks: Any
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_iter": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "gradient": [StrOptions(set(GRADIENTS)), RECORD],
        "optimizer": [StrOptions(set(OPTIMIZERS)), RECORD],
        "schedule": [StrOptions(set(SCHEDULES)), RECORD],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "regularization": [RECORD, None],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, callable, None],
    }
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        "gradient": gradient_record,
        "optimizer": optimizer_record,
        "schedule": schedule_record,
        "regularization": regularization_record,
    }

    # Settings

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _plan(self, seed: int) -> training.Plan:
        return training.Plan(
            self._resolvers["gradient"](self.gradient),
            optimizer_record(self.optimizer),
            schedule_record(self.schedule),
            self.learning_rate,
            self.weight_decay,
            self.batch_size,
            seed,
            regularization_record(self.regularization),
        )

    # Learning

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "Learning":
        """Fit the model to `X` by stochastic ascent of the log-likelihood.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, never modified; float32 or float64 in C order is not copied either.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows; zero leaves it out.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If `X` has no rows, or NaN or infinite entries (see `impute`), or weights that are negative or all zero.

        Warns
        -----
        ConvergenceWarning
            If training stopped because of an interrupt, or because numbers grew beyond all bounds; the model keeps the
            last parameters, or in the second case those from before the epoch, and can be used.
        """
        with unharmed(self):
            stopped = self._fit(X, sample_weight)
        self._tell(stopped)
        return self

    def _fit(self, X: Any, sample_weight: Any) -> str:
        go_on = self.warm_start and self._is_fitted()
        X = self._check_data(X, go_on)
        weights = check_weights(sample_weight, X)
        check_repetitions(weights)
        rows = Rows(X, weights)
        model = self._model()
        warn_outside(model.visible, X)
        known = go_on and hasattr(self, "_seed")
        plan = self._plan(self._seed if known else draw_seed(self.random_state))
        state = self._resumed(plan) if go_on else training.start(model, rows, self._n_hidden, plan)
        n_draws = getattr(self, "_n_draws", -1) if known else -1
        stopped = self._train(state, rows, plan, X)
        self._n_draws = n_draws
        return stopped

    @_fit_context(prefer_skip_nested_validation=True)
    def resume(
        self, checkpoint: Any, X: Any, y: Any = None, sample_weight: Any = None
    ) -> "Learning":
        """Go on with a `fit` that did not come to its end, from the file of a :class:`ebm.Checkpoint`.

        The result is that of the uninterrupted `fit`, bit for bit. The estimator must have the parameters, and `X` and
        the weights be those, of the interrupted fit.

        Parameters
        ----------
        checkpoint : str or path
            The file.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training data.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            The weights.

        Returns
        -------
        self : object
            The fitted model.

        Raises
        ------
        ValueError
            If the file is no checkpoint, of another version of its format, or of other settings or data.
        """
        with unharmed(self):
            X = self._check_data(X, False)
            rows = Rows(X, check_weights(sample_weight, X))
            fixed = isinstance(self.random_state, Integral)
            seed = draw_seed(self.random_state) if fixed else training.seed_of(checkpoint)
            plan, shape = self._plan(seed), (X.shape[1], self._n_hidden)
            state = training.load(checkpoint, self._model(), shape, plan, rows, self.n_iter)
            stopped = self._train(state, rows, plan, X)
            self._n_draws = -1
        self._tell(stopped)
        return self

    def _train(self, state: training.State, rows: Rows, plan: training.Plan, X: Any) -> str:
        """Run the loop and keep what it leaves; why it did not come to its end, or ''."""
        callbacks, line = self._callbacks(X, state.model)
        try:
            stopped = training.train(state, rows, plan, self.n_iter, callbacks)
        finally:
            line.close()
        self._keep(state, plan)
        return stopped

    def _tell(self, stopped: str) -> None:
        """Warn of learning that did not come to its end, once what it has learned is kept."""
        if stopped:
            warn_user(f"{type(self).__name__}: {stopped}.", ConvergenceWarning)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "Learning":
        """Make one update of the parameters, with all of `X` as the batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A batch of training data; any number of rows. The first one also sets the initial visible biases.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the batch's averages.

        Returns
        -------
        self : object
            The model after the update.
        """
        with unharmed(self):
            stopped = self._update(X, sample_weight)
        self._tell(stopped)
        return self

    def _update(self, X: Any, sample_weight: Any) -> str:
        first = not self._is_fitted()
        X = self._check_data(X, not first)
        weights = check_weights(sample_weight, X)
        if weights is not None:
            weights = weights / weights.max()  # shares of one batch, not repetitions
        model = self._model()
        warn_outside(model.visible, X)
        known = getattr(self, "_seed", None)
        plan = self._plan(draw_seed(self.random_state) if known is None else known)
        if first:
            state = training.start(model, Rows(X, weights), self._n_hidden, plan)
        else:
            state = self._resumed(plan)
        stopped = training.single_update(state, dense(X), weights, plan)
        self._keep(state, plan)
        return stopped

    def _callbacks(self, X: Any, model: Any) -> tuple[list[Any], ProgressLine]:
        """The user's callbacks, and with `verbose` the pseudo-likelihood of some rows and the line that shows it."""
        given = self.callbacks
        own = [] if given is None else [given] if callable(given) else list(given)
        for callback in own:
            if not callable(callback):
                raise ValueError(f"callbacks must hold callables. Got {callback!r} instead.")
        line = ProgressLine(type(self).__name__)
        if not self.verbose:
            return own, line
        step = -(-X.shape[0] // SHOWN_ROWS)
        shown = np.concatenate([block for _, block in blocks(X[::step])])
        if (
            model.visible.has_scale
        ):  # the pseudo-likelihood of real-valued units takes an integral per entry
            score = Scorer("reconstruction_error", lambda p: reconstruction_error(model, p, shown))
        else:
            score = Scorer(
                "pseudo_likelihood", lambda p: pseudo_log_likelihood(model, p, shown).mean()
            )
        return [score, *own, line], line

    def _check_data(self, X: Any, go_on: bool) -> Any:
        """Rows to learn from, of the dtype of the model if there is one already."""
        # Rows are picked at random: from columns stored one after the other that takes a cache line per number.
        X = check_rows(self, X, reset=not go_on, order="C")
        if not go_on:
            return X
        params = self._params()
        n_hidden = self._model().shape(params)[1]
        if n_hidden != self._n_hidden:
            raise ValueError(
                f"{self._hidden_name} is {self._n_hidden}, but the model to go on from has {n_hidden} hidden units. "
                "Fit anew (warm_start=False) to change it."
            )
        return X.astype(params[0].dtype, copy=False)

    def _resumed(self, plan: training.Plan) -> training.State:
        """The training state that the fitted attributes stand for, in new arrays."""
        model, params = self._model(), self._params()
        n_chains = plan.gradient.n_chains_for(plan.batch_size)
        h, mu, lam = (
            np.array(getattr(self, name, None), params[0].dtype) for name in self._chain_names
        )
        chains = ChainState(h, mu, lam, tuple(np.array(x) for x in getattr(self, "_own", ())))
        fits = h.shape == (n_chains, model.chain_width(params))
        if plan.gradient.has_own:
            fits = fits and getattr(self, "_own_of", None) == repr((model, plan.gradient))
        else:
            chains = chains._replace(own=())
        state = training.resume(
            model,
            params,
            plan,
            chains=chains if fits else None,
            mean=getattr(self, "_origin", None),
        )
        state.n_steps = getattr(self, "_n_steps", 0)
        if hasattr(self, "_n_steps"):  # else it is not the history of learning by batches
            state.history = {name: list(x) for name, x in self.history_.items()}
        memory = tuple(np.array(x) for x in getattr(self, "_memory", ()))
        # What one rule remembers may mean something else to another, in arrays of the same shape.
        same = getattr(self, "_memory_of", None) == type(plan.optimizer).__name__
        if same and [x.shape for x in memory] == [x.shape for x in state.memory]:
            state.memory = memory
        state.bounds = getattr(self, "_bounds", state.bounds)
        state.marginals = getattr(self, "_marginals", ())
        return state

    @property
    def _n_hidden(self) -> int:
        return int(getattr(self, self._hidden_name))

    def _is_fitted(self) -> bool:
        raise NotImplementedError

    def _keep_params(self, params: Any) -> None:
        """Turn parameters into fitted attributes."""
        raise NotImplementedError

    def _own_parameters(self, params: Any) -> dict[str, Array]:
        """Parameters that not every type of unit has, by the names of their attributes."""
        return {}

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
        self._own, self._own_of = state.chains.own, repr((state.model, plan.gradient))
        self._set_optional(
            {f"{name}_": x for name, x in plan.gradient.attributes(state.chains).items()}
            | self._own_parameters(state.params)
        )
        self.history_ = {name: np.asarray(x) for name, x in state.history.items()}
        self._n_steps, self._memory, self._bounds = state.n_steps, state.memory, state.bounds
        self._memory_of = type(plan.optimizer).__name__
        self._seed = plan.seed
        self._origin, self._marginals = state.origin, state.marginals
