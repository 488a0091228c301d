"""How multi-layer perceptrons learn: rows with targets, `fit`, `partial_fit` and `resume`, by batches or all at once.

The argument `self` is the estimator.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import Any, cast

import numpy as np

from ebm import training
from ebm._arrays import MagnitudeError
from ebm._batches import Rows
from ebm._checks import Array
from ebm._random import stream
from ebm._sparse import as_dtype
from ebm.descent import (
    HeldOut,
    Limits,
    Search,
    Stages,
    fit_network,
    minimize_network,
    network_of,
)
from ebm.gradients.back_propagation import MeanCost
from ebm.monitors import Callback, Plateau, Report, Scorer
from ebm.networks import feed_forward
from ebm.networks.growth import Growth, growth_record, hidden_sizes
from ebm.networks.network import Network, Parameters
from ebm.optimizers import Regularization
from ebm.optimizers.lbfgs import Progress
from ebm.sklearn_compat._shared._course import Course
from ebm.sklearn_compat._shared._labels import warn_weightless
from ebm.sklearn_compat._shared._learning import keep, keep_attributes
from ebm.sklearn_compat._shared._settings import learns
from ebm.sklearn_compat._shared._validation import (
    check_callbacks,
    check_repetitions,
    check_rows,
    check_weights,
    column_names,
    draw_seed,
)
from ebm.sklearn_compat.networks._labelled import (
    Labelled,
    check_some,
    holds_out,
    labelled_rows,
    repeated,
    split,
)
from ebm.sklearn_compat.networks._mlp_settings import (
    asked_layout,
    check_layout,
    dropouts_of,
    network_for,
    plan_of,
    plateau_of,
    regularization_of,
)
from ebm.sklearn_compat.networks._pretraining import augmented, pretrained

# scikit-learn's words for data of which nothing can be learned, for those who look for them.
TOO_LARGE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
    "preprocessed."
)


def rows_to_learn(self: Any, X: Any, first: bool) -> Any:
    """The rows `X` of a fit, checked."""
    try:
        allow_nan = self._learns_from_gaps
        return check_rows(self, X, reset=first, order="C", allow_nan=allow_nan)
    except MagnitudeError as error:
        raise ValueError(f"{error} In scikit-learn's words: {TOO_LARGE}") from None


# Of the loss of a constant prediction: a network above it has learned nothing, if it had so many epochs.
LEARNED, FEWEST_EPOCHS = 0.99, 10
# Likewise: a first epoch above it was thrown by steps that are too large.
THROWN = 1.5


def learn(
    self: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    incremental: bool,
    classes: Any = None,
    checkpoint: Any = None,
) -> str:
    """`fit`, or with `incremental` one more epoch, or the rest of a fit; what went wrong, or ''."""
    if incremental and self.early_stopping and self.early_stopping != "auto":
        raise ValueError(
            "partial_fit does not support early_stopping=True, for there are no rows to stop by. Go on after "
            "set_params(early_stopping=False)."
        )
    go_on = checkpoint is None and (incremental or self.warm_start)
    first = not (go_on and self._is_fitted())
    if not first:
        check_layout(self)
    growth = None if incremental or self.growth is None else growth_record(self.growth)
    if growth is not None and checkpoint is not None:
        raise ValueError("A fit with growth cannot be resumed: its network changed on the way.")
    X, targets, labelled, weights = checked(
        self, X, y, sample_weight, first, classes, not incremental
    )
    if first or self._course.seed is None:
        self._course = replace(self._course, seed=new_seed(self, checkpoint))
    if first:
        begin(self, X, weights, X.shape[1] if targets is None else targets.shape[1])
    rows = labelled_rows(self._taken_in(X), targets, labelled, weights)
    classes = None if incremental or rows.targets is None else self._stratify(rows.targets)
    if classes is not None and rows.targets is not None:
        # Unlabelled rows may be among them, and are no class.
        warn_weightless(classes, rows.weights, ~np.isnan(rows.targets[:, 0]))
    return descend(self, rows, growth, first, incremental, checkpoint)


def new_seed(self: Any, checkpoint: Any) -> int:
    """The seed of a fit; of one that is resumed, that of the checkpoint where the settings have none."""
    if checkpoint is None or isinstance(self.random_state, Integral):
        return draw_seed(self.random_state)
    return training.seed_of(checkpoint)


def checked(
    self: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    first: bool,
    classes: Any = None,
    whole: bool = False,
) -> tuple[Any, Array | None, Array, Array | None]:
    """Rows, the targets of those that are labelled, which these are, and the rows' weights."""
    X = rows_to_learn(self, X, first)
    if not first:
        X = as_dtype(X, self._dtype())
    targets, labelled = self._targets(X, y, first, classes, whole)
    weights = check_weights(sample_weight, X)
    check_repetitions(weights)
    return X, targets, labelled, weights


def rows_with_targets(self: Any, X: Any, y: Any, sample_weight: Any) -> Labelled:
    """The rows that have targets, for a fitted network."""
    X, targets, labelled, weights = checked(self, X, y, sample_weight, False)
    return labelled_rows(self._taken_in(X), targets, labelled, weights)


def begin(self: Any, X: Any, weights: Array | None, n_outputs: int) -> None:
    """Lay out the network, and start it where the pre-training, on all rows, has come to."""
    self.pretraining_, self.network_, params = self._lay_out(X, weights, n_outputs)
    self.n_outputs_ = n_outputs
    keep_attributes(self, self._named(params))
    begin_course(self)


def begin_course(self: Any) -> None:
    """The attributes of a network that has parameters and has not trained yet."""
    self.out_activation_ = self.network_.loss.out_activation
    self.n_layers_ = len(self.coefs_) + 1
    self._layout = asked_layout(self)
    self.history_, self._course = {}, Course(self._own_seed(), n_steps=0)
    for name in ("feature_importances_", "_undone"):
        self.__dict__.pop(name, None)
    self.t_ = 0


def descend(
    self: Any,
    labelled: Labelled,
    growth: Growth | None,
    first: bool = False,
    incremental: bool = False,
    checkpoint: Any = None,
) -> str:
    """Back-propagation, by batches or of all rows."""
    if self.solver == "lbfgs":
        return descend_all(self, labelled, growth, first)
    held_out = None
    if not incremental and holds_out(self, labelled):
        labelled, held_out = split(self, labelled)
    X, targets, weights = labelled
    check_some(weights)
    rows = Rows(X, weights, targets, self.shuffle)
    plan = plan_of(self, self._own_seed(), len(rows), incremental)
    state = self._state(plan, first)
    plateau = plateau_of(self, held_out is not None)
    if checkpoint is not None:
        known = [plateau, *check_callbacks(self.callbacks)]
        state = training.load(checkpoint, state, plan, rows, self._n_epochs, known)
    if not incremental and checkpoint is None:  # optimisers of another fit begin anew
        state.memory = plan.optimizer.start(state.theta)
        state.saved.clear()
    scores = [] if held_out is None else [partial(self._held_out_score, rows=held_out)]
    may_stay = self._reconstructs and not plan.regularization.max_norm
    if scores and may_stay and checkpoint is None:  # the start may be the best
        plateau.begin(state.saved, scores[0](state.params), state.theta)
    start = plateau.best(state.saved)
    watching: list[Callback] = [partial(follow, self)]
    watching += [Scorer("validation_score", score) for score in scores]
    watching += [] if incremental else [plateau]
    watching += [] if growth is None else [size_of]

    n_epochs = 1 if incremental else self._n_epochs
    stages = None if growth is None else Stages(growth, plateau, self._own_seed())
    with self._watch().watched(X, state.model) as callbacks:
        state, stopped = fit_network(state, rows, plan, n_epochs, [*watching, *callbacks], stages)
    self.network_ = network_of(state)
    n_done = len(state.history.get("loss", ())) - len(self.history_.get("loss", ()))
    diverged = bool(stopped) and not stopped.endswith(training.INTERRUPTED)
    if scores and "best_theta" in state.saved:
        restore_best(self, state, plateau, scores if diverged else [])
    keep(self, self._course.learned(state, plan, stopped, -1))
    tell_course(self, n_done, len(rows), diverged, None if held_out is None else -start)
    if diverged:
        self.loss_ = loss_kept(self, labelled, first)
        if self.best_loss_ is not None:
            self.best_loss_ = min(self.best_loss_, self.loss_)
    if stopped or incremental:
        return stopped
    if not plateau.stuck(state.saved):
        return unfinished(self, n_done) or ("" if still_falls(self) else unlearned(self, labelled))
    return unlearned(self, labelled)


def still_falls(self: Any) -> bool:
    """Whether the loss fell over the second half of the epochs."""
    losses = self.history_.get("loss", ())
    return bool(len(losses) and losses[-1] < LEARNED * losses[len(losses) // 2])


def unlearned(self: Any, rows: Labelled) -> str:
    """The message about a loss that is hardly below that of a constant prediction, or ''."""
    if self.n_iter_ < FEWEST_EPOCHS:
        return ""
    constant = self._loss_of_constant(rows)
    if self.loss_ < LEARNED * constant or np.isclose(constant, 0):
        return ""
    predicted = f"the mean of {'X' if rows.targets is None else 'y'}"
    if self.network_.is_joint:
        predicted = "equal outputs for all rows"
    rate = "smaller" if self.loss_curve_[0] > THROWN * constant else "larger"
    return (
        f"The network predicts no better than a constant: its loss is {self.loss_:.4g}, and that of {predicted} "
        f"{constant:.4g}. Scale the columns of X (StandardScaler), or use a {rate} learning_rate_init, a "
        "smaller alpha or a smaller tol"
    )


def unfinished(self: Any, n_done: int) -> str:
    """The message about a loss that still fell in the last epoch, or ''."""
    if n_done < self.max_iter or not self.max_iter or np.isinf(self.n_iter_no_change):
        return ""
    return (
        f"Not converged after max_iter={self.max_iter} epochs. Increase max_iter, or set n_iter_no_change=np.inf "
        "to silence this"
    )


def restore_best(
    self: Any, state: training.State, plateau: Plateau, scores: Sequence[Callable[[Any], float]]
) -> None:
    """The weights of the best score, unless those from before a divergence, to be scored yet, are better."""
    best = -plateau.best(state.saved)
    if any(score(state.params) >= best for score in scores):
        return
    state.theta[:] = state.saved["best_theta"]


def loss_kept(self: Any, rows: Labelled, first: bool) -> float:
    """Loss at the weights that were kept.

    Where it is beyond all bounds before anything was learned, no weights are worth keeping: ValueError.
    """
    cost = MeanCost(self.network_, *rows, self.alpha)
    value, _ = cost(self.network_.pack(self._params()))
    if np.isfinite(value) or not first:
        if self.network_.loss.shown_per_output:
            data, _ = MeanCost(self.network_, *rows)(self.network_.pack(self._params()))
            value -= data * (1 - 1 / self.n_outputs_)
        return float(value)
    largest = [
        float(abs(x).max()) for x in (rows.X, rows.X if rows.targets is None else rows.targets)
    ]
    raise ValueError(
        f"{TOO_LARGE} With the initial weights already, {cost.where} grew beyond all bounds: inputs reach "
        f"{largest[0]:.3g}, targets {largest[1]:.3g}. Scale them, for example with "
        "sklearn.preprocessing.MaxAbsScaler."
    )


def tell_course(
    self: Any, n_done: int, n_rows: int, diverged: bool, start: float | None = None
) -> None:
    """Attributes that say how training went, by scikit-learn's names; an epoch that was undone has NaN.

    `start` is the score of held-out rows with which training began, if it is a candidate for the best, and None where
    no rows were held out.
    """
    self._undone = undone = [np.nan] if diverged else []
    losses = self.history_.get("loss", np.empty(0))
    self.n_iter_, self.t_ = n_done + len(undone), self.t_ + n_done * n_rows
    self.loss_ = float(losses[-1]) if len(losses) else np.inf
    self.validation_scores_ = self.best_validation_score_ = self.best_loss_ = None
    if start is not None:
        scores = self.history_.get("validation_score", np.empty(0))
        earlier = len(scores) - n_done
        held = (np.arange(len(scores)) >= earlier) | ~np.isnan(scores)  # fits without have none
        self.validation_scores_ = scores[held].tolist() + undone
        finite = [score for score in [start, *self.validation_scores_] if np.isfinite(score)]
        self.best_validation_score_ = max(finite, default=None)
    else:
        self.best_loss_ = float(np.fmin.reduce(losses, initial=np.inf))


def held_out_score(self: Any, params: Any, rows: Labelled) -> float:
    """The score of held-out rows with targets."""
    output = self._of_blocks(params, rows.X, self.network_.predict)
    return float(self._validation_score(rows.targets, output, rows.weights))


def loss_of_constant(self: Any, rows: Labelled) -> float:
    """The loss, as it is shown, if the mean target is predicted for every row."""
    loss, weights = self.network_.loss, rows.weights
    shares = None if weights is None else weights / weights.sum()
    constant = loss.of_constant(rows.targets, shares)
    return float(constant / self.n_outputs_ if loss.shown_per_output else constant)


def lay_out(self: Any, X: Any, weights: Array | None, n_outputs: int) -> tuple[Any, Network, Any]:
    """The fitted pre-training, on all rows, the network, and its parameters where the pre-training has come to."""
    start, n_in = (
        pretrained(self.pretraining, X, weights, self._own_seed(), column_names(self)),
        X.shape[1],
    )
    if self.mean_field_inputs:
        start = augmented(start)
        n_in = len(start.layers[0][0])
    network = network_for(self, start, n_in, n_outputs)
    key = stream(self._own_seed(), "init")
    return start.fitted, network, feed_forward.start(network, key, X.dtype, start.layers)


@learns
def fit(self: Any, X: Any, y: Any, sample_weight: Any = None) -> str:
    """Pre-train the network if `pretraining` is given, then minimize the loss of the labelled rows.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Inputs. `X` is not modified.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets: classes or indicators of several labels for a classifier, numbers for a regressor. Notes of the
        class say which values mark unlabelled rows.
    sample_weight : array-like of shape (n_samples,), default=None
        A row of weight w counts as w equal rows. Zero leaves the row out.

    Returns
    -------
    self : object
        The fitted network.

    Raises
    ------
    ValueError
        If all rows are unlabelled, targets are missing without `pretraining`, or the loss is not defined for them.
        If the labels of a classifier mix strings and numbers, or its classes have changed with `warm_start`. If
        the loss is not finite with the initial weights. If `pretraining` has another number of features, or units
        that do not agree with `activation`.

    Warns
    -----
    UserWarning
        If the meaning of -1 in the labels of a classifier is ambiguous, or a class has no weight.
    ConvergenceWarning
        If the loss still fell in the last epoch, or training was interrupted or diverged. After a divergence the
        weights are those from before that epoch.
    """
    return learn(self, X, y, sample_weight, False)


def resume_learning(self: Any, file: Any, X: Any, y: Any, sample_weight: Any) -> str:
    """Continue training from a checkpoint file."""
    return learn(self, X, y, sample_weight, False, checkpoint=file)


def descend_all(self: Any, rows: Labelled, growth: Growth | None, first: bool) -> str:
    """L-BFGS on the mean loss of all rows but those that are held out, if any."""
    held = one_function_of(self)
    search, held_out, message = Search(self.network_, self._params()), None, ""
    if self._reconstructs and holds_out(self, rows):
        rows, aside = split(self, rows)
        score = partial(self._held_out_score, rows=aside)
        held_out = HeldOut(search, score, self.tol, self.n_iter_no_change)
    check_some(rows.weights)
    if self.network_.is_joint and rows.weights is not None:
        rows = repeated(rows, rows.weights)
    if self.max_iter:
        limits = Limits(
            self.alpha, held.l1, self.max_iter, self.max_fun, self.tol, self.n_iter_no_change
        )
        search, message = minimize_network(
            search.network,
            search.params,
            rows,
            limits,
            growth=growth,
            seed=self._own_seed(),
            tell=partial(tell_progress, self) if self.verbose else None,
            held_out=held_out,
        )
    take(self, search.network, search.params)
    if np.isnan(search.cost):
        loss_kept(self, rows, first)
    self.n_iter_, self.loss_ = search.n_iter, search.cost
    self.best_loss_, self._undone = None if held_out else self.loss_, None
    self.t_ = self.n_iter_ * rows.X.shape[0]
    self.validation_scores_ = held_out.scores if held_out else None
    best = held_out.best if held_out else None
    self.best_validation_score_ = None if best is None or np.isnan(best) else best
    return message or unlearned(self, rows)


def one_function_of(self: Any) -> Regularization:
    """Penalties on weights; settings that L-BFGS has no place for are refused."""
    held = regularization_of(self)
    noisy = any(getattr(self, name, None) for name in ("corruption", "code_noise"))
    if any(dropouts_of(self, len(self.coefs_) - 1)) or self.batch_norm or noisy:
        raise ValueError(
            "solver='lbfgs' minimises one function of all rows; dropout, batch_norm, corruption and code_noise change "
            "it from batch to batch. Use another solver."
        )
    if (held.max_norm, held.clip_norm, held.clip_value) != (None, None, None):
        raise ValueError(
            "solver='lbfgs' makes no steps that could be held back: of regularization it takes l1 only. Got "
            f"{held!r}. Use another solver."
        )
    return held


def tell_progress(self: Any, progress: Progress) -> None:
    """Print one line for an iteration."""
    print(f"[{type(self).__name__}] Iteration {progress.n_iter}, loss = {progress.cost:.6g}")


def follow(self: Any, report: Report) -> None:
    """Callback that keeps the network that is trained, which may grow: it is scored after every epoch."""
    self.network_ = cast(Network, report.model)


def take(self: Any, network: Network, params: Parameters) -> None:
    """Another network for the one there is."""
    self.network_ = network
    keep_attributes(self, self._named(params))


def size_of(report: Report) -> dict[str, float]:
    """Callback that records the number of hidden units."""
    return {"hidden_units": float(sum(hidden_sizes(cast(Network, report.model))))}
