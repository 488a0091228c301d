"""Training of distributions by gradients: settings, and the methods `fit`, `resume` and `partial_fit`.

Functions whose first argument is `self` are methods: estimators have the public ones as class attributes. Such an
estimator defines how it learns (`_lesson`) and the names of its parameters (`_params`, `_named`).
"""

from collections.abc import Callable
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, TypeVar

from sklearn.utils._param_validation import StrOptions

from ebm import training
from ebm._arrays import has_gaps
from ebm._batches import Rows
from ebm._checks import Array
from ebm._files import readable
from ebm._flat import dtype_of
from ebm._sparse import as_dtype
from ebm.energies.base import Model
from ebm.gradients import GRADIENTS, Gradient, gradient_record
from ebm.likelihood import pseudo_log_likelihood, reconstruction_error
from ebm.monitors import Scorer
from ebm.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    optimizer_record,
    regularization_record,
    schedule_record,
)
from ebm.sklearn_compat._shared._course import Learned, Lesson, Standing, Watch
from ebm.sklearn_compat._shared._settings import RECORD, Number, learns
from ebm.sklearn_compat._shared._validation import (
    check_repetitions,
    check_rows,
    check_weights,
    check_whole_groups,
    column_names,
    warn_outside,
)

S = TypeVar("S", bound=Any)
# Number of rows for the pseudo-likelihood that `verbose` shows: enough for two digits.
SHOWN_ROWS = 500
# Settings of all estimators that train on batches, and of those that ascend a likelihood.
BATCH_SETTINGS: dict[str, list[Any]] = {
    "learning_rate": [Number(Real, 0, None, closed="neither")],
    "batch_size": [Number(Integral, 1, None, closed="left")],
    "n_iter": [Number(Integral, 0, None, closed="left"), StrOptions({"auto"})],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
    "optimizer": [StrOptions(set(OPTIMIZERS)), RECORD],
    "schedule": [StrOptions(set(SCHEDULES)), RECORD],
    "warm_start": ["boolean"],
    "callbacks": [list, tuple, callable, None],
}
ASCENT_SETTINGS: dict[str, list[Any]] = {
    **BATCH_SETTINGS,
    "learning_rate": [*BATCH_SETTINGS["learning_rate"], StrOptions({"auto"})],
    "gradient": [StrOptions(set(GRADIENTS)), RECORD],
    "weight_decay": [Number(Real, 0, None, closed="left")],
    "regularization": [RECORD, None],
}
BATCH_RECORDS: dict[str, Callable[[object], Any]] = {
    "optimizer": optimizer_record,
    "schedule": schedule_record,
}
ASCENT_RECORDS: dict[str, Callable[[object], Any]] = {
    **BATCH_RECORDS,
    "gradient": gradient_record,
    "regularization": regularization_record,
}


# Methods


@learns
def fit(self: S, X: Any, y: Any = None, sample_weight: Any = None) -> str:
    """Fit the model to `X` by stochastic ascent of the log-likelihood.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Training data. Missing entries are NaN, or None among objects. `X` is not modified; float32 or float64 in C
        order is not copied.
    y : None
        Ignored.
    sample_weight : array-like of shape (n_samples,), default=None
        A row of weight w counts as w equal rows. Zero leaves the row out.

    Returns
    -------
    self : object
        The fitted model.

    Raises
    ------
    ValueError
        If `X` has no rows, infinite entries, a column without a known entry, or a group of categories that is known in
        part. If weights are negative or all zero.

    Warns
    -----
    ConvergenceWarning
        If training was interrupted or diverged. The model then has the last parameters, or after a divergence those
        from before the epoch, and can be used. Also if the distribution of a machine with real visible units is far
        from the data: see :doc:`/learning`.
    UserWarning
        If columns of real visible units are constant: no variance can be learned from them.

    Notes
    -----
    Missing entries are latent: training ascends the likelihood of the known entries, and no row needs to be complete.
    The missing entries of each row are a Markov chain that is kept from one pass to the next. In each pass it moves by
    one Gibbs step given the known entries. The chains take the memory of one number for each missing entry. A row
    of weight w has one chain. With `warm_start` the chains of a new fit begin with 20 steps at the fitted model. Rows
    without a known entry carry no information, and are left out.
    """
    return fit_rows(self, X, sample_weight, self.warm_start and self._is_fitted())


@learns
def resume(self: S, checkpoint: Any, X: Any, y: Any = None, sample_weight: Any = None) -> str:
    """Continue an interrupted `fit` from the file of a :class:`ebm.Checkpoint`.

    The result is identical to that of an uninterrupted `fit`. The parameters of the estimator, `X`, and the weights
    must be those of the interrupted fit.

    Parameters
    ----------
    checkpoint : str or path
        The checkpoint file.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The training data.
    y : None
        Ignored.
    sample_weight : array-like of shape (n_samples,), default=None
        The weights of the rows.

    Returns
    -------
    self : object
        The fitted model.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or has another version of the format; if its settings or data differ; or if its
        content is invalid.
    OSError
        If the file cannot be read.

    Warns
    -----
    UserWarning
        If another version of the library wrote the file.
    """
    return self._resume(readable(checkpoint, "checkpoint"), X, y, sample_weight)


@learns
def partial_fit(self: S, X: Any, y: Any = None, sample_weight: Any = None) -> str:
    """Make one update of the parameters, with `X` as the batch.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        A batch of training data with any number of rows. The first batch also sets the initial visible biases, and
        is checked for constant columns unless it has a single row. Missing entries (NaN) of an RBM's rows get 20 Gibbs
        steps given the known entries in each call; `fit` keeps their chains from pass to pass, which is better.
    y : None
        Ignored.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows in the averages over the batch.

    Returns
    -------
    self : object
        The model after the update.
    """
    return update_rows(self, X, sample_weight)


# Training. Each function returns the reason for an early stop, or ''. Callers warn after storing the fitted attributes.


def fit_rows(self: Any, X: Any, sample_weight: Any, go_on: bool) -> str:
    """Train on all rows of `X`, from the beginning or from the fitted attributes."""
    X, weights = rows_to_learn(self, X, sample_weight, go_on)
    check_repetitions(weights)
    return keep(self, self._course.fit_rows(self._lesson(go_on), X, weights))


def resume_rows(self: Any, file: Any, X: Any, y: Any, sample_weight: Any) -> str:
    """Continue training from a checkpoint file, for estimators without labels."""
    X, weights = rows_to_learn(self, X, sample_weight, False)
    return keep(self, self._course.resume_rows(self._lesson(False), file, X, weights))


def update_rows(self: Any, X: Any, sample_weight: Any) -> str:
    """Make one update with `X` as the batch."""
    go_on = self._is_fitted()
    X, weights = rows_to_learn(self, X, sample_weight, go_on)
    return keep(self, self._course.update_rows(self._lesson(go_on), X, as_shares(weights)))


def as_shares(weights: Array | None) -> Array | None:
    """Weights relative to the largest: in a single update they are no repetitions."""
    return None if weights is None else weights / weights.max()


def rows_to_learn(self: Any, X: Any, sample_weight: Any, go_on: bool) -> tuple[Any, Array | None]:
    """Training rows, in the dtype of the fitted model if there is one, and their weights."""
    # C order, because rows are picked at random: in Fortran order each number would take a cache line of its own.
    X = check_rows(self, X, reset=not go_on, order="C", allow_nan=self._learns_from_gaps)
    unit = self._model().visible
    if has_gaps(X):
        check_whole_groups(unit, X)
    warn_outside(unit, X)
    if go_on:
        check_size(self)
        X = as_dtype(X, dtype_of(self._params()))
    return X, check_weights(sample_weight, X)


# From an estimator to the training loop, and back


def lesson(
    self: Any,
    go_on: bool,
    plan: Callable[[int], training.Plan],
    watch: Watch,
    model: Callable[[Rows, training.Plan], Model] | None = None,
) -> Lesson:
    """How the estimator learns, from the beginning or from its fitted attributes; `model` as in :class:`Lesson`."""
    return Lesson(
        plan,
        model or (lambda rows, plan: self._model()),
        count_hidden(self),
        self.n_iter if isinstance(self.n_iter, str) else int(self.n_iter),
        self.random_state,
        watch,
        column_names(self),
        standing(self) if go_on else None,
    )


def ascent_lesson(self: Any, go_on: bool) -> Lesson:
    """How a machine learns by ascent of the likelihood."""
    title = getattr(self, "_title", type(self).__name__)
    watch = Watch(title, self.callbacks, self.verbose, shown_scores)
    return lesson(self, go_on, lambda seed: ascent(self, seed), watch)


def ascent(self: Any, seed: int) -> training.Plan:
    """The training plan of a machine that ascends the likelihood."""
    return ascent_plan(self, self._resolvers["gradient"](self.gradient), seed)


def ascent_plan(self: Any, gradient: Gradient, seed: int) -> training.Plan:
    """The training plan of an estimator, or of settings, with the given gradient."""
    return training.Plan(
        gradient,
        optimizer_record(self.optimizer),
        schedule_record(self.schedule),
        self.learning_rate,
        self.weight_decay,
        self.batch_size,
        seed,
        regularization_record(self.regularization),
    )


def shown_scores(X: Any, model: Model) -> list[Any]:
    """The pseudo-likelihood of some rows, or for real-valued units the cheaper reconstruction error."""
    rows = X if isinstance(X, Rows) else Rows(X)  # what stands in gaps changes from epoch to epoch
    index = rows.counted[:: -(-len(rows.counted) // SHOWN_ROWS)]
    if model.visible.has_scale:
        error = lambda p: reconstruction_error(model, p, rows.at(index))  # noqa: E731
        return [Scorer("reconstruction_error", error)]
    log_p = lambda p: pseudo_log_likelihood(model, p, rows.at(index)).mean()  # noqa: E731
    return [Scorer("pseudo_likelihood", log_p)]


def count_hidden(self: Any) -> int:
    """The number of hidden units in the settings, factors included."""
    return int(getattr(self, self._hidden_name) + getattr(self, "n_factors", 0))


def check_size(self: Any) -> None:
    """ValueError if the number of hidden units in the settings has changed since the last fit."""
    n_hidden, wanted = self._model().shape(self._params())[1], count_hidden(self)
    if n_hidden != wanted:
        raise ValueError(
            f"{self._hidden_name} is {wanted}, but the fitted model has {n_hidden} hidden units. "
            "Fit anew (warm_start=False) to change it."
        )


def standing(self: Any) -> Standing:
    """The state of the last training, from the fitted attributes."""
    chains = tuple(getattr(self, name, None) for name in self._chain_names)
    history = {} if self._course.n_steps is None else self.history_
    return Standing(self._params(), chains, history)


def keep(self: Any, learned: Learned) -> str:
    """Store the result of training as fitted attributes. Returns the reason for an early stop, or ''."""
    state, self._course = learned.state, learned.course
    chains = dict(zip(self._chain_names, state.chains, strict=False))
    keep_attributes(self, learned.attributes | self._named(state.params) | chains)
    self.history_ = learned.history
    return learned.stopped


def keep_attributes(self: Any, attributes: dict[str, Any]) -> None:
    """Set fitted attributes, and delete all others of an earlier fit."""
    for name in self._course.attributes:
        if hasattr(self, name):
            delattr(self, name)
    for name, x in attributes.items():
        setattr(self, name, x)
    self._course = replace(self._course, attributes=tuple(attributes))
