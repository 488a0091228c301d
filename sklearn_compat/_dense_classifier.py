"""The dense associative memory that learns to complete labels."""

from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ebm._batches import Rows, blocks
from ebm._checks import Array, resolve
from ebm.completion_training import (
    CompletionPlan,
    CompletionState,
    Labelled,
    start_completion,
    train_completion,
    typical_input,
    unit_scale,
    update_completion,
)
from ebm.energies.completion import Completion
from ebm.energies.memory import DenseParameters
from ebm.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    NormalizedMomentum,
    Optimizer,
    schedule_record,
)
from ebm.sklearn_compat._settings import NestedSettings
from ebm.sklearn_compat._validation import (
    FLOATS,
    check_repetitions,
    check_weights,
    draw_seed,
    warn_user,
)

RULES: dict[str, type[Optimizer]] = {"normalized": NormalizedMomentum, **OPTIMIZERS}
RECORD = HasMethods(["get_params", "set_params"])
# What scaling to a range may leave beyond it.
ROUNDING = 1e-6


class DenseAssociativeClassifier(NestedSettings, ClassifierMixin, BaseEstimator):
    """Classifier that completes rows by their labels, with learned memories.

        E(v, t) = -sum_k F((w_k'v + l_k't) / T),    F(x) = max(x, 0)^n,

    over visible units v, the row scaled to [-1, 1], and one label unit t_b in {-1, +1} for each class. All labels start
    off; label b becomes c_b = tanh(E(v, -1) - E(v, b on)), and the row's class is that of the largest. The memories
    (w_k, l_k) descend the error sum_b (c_b - t_b)^(2m) [1]_. At low degree they become features that many rows share,
    at high degree prototypes of single classes.

    Read more in the :ref:`User Guide <memories>`.

    Parameters
    ----------
    n_components : int, default=100
        Number of memories.

    degree : int, default=10
        n, at least 2.

    temperature : float, default=1.5
        T, in units of that at which the memories, where they start, turn labels by about one. A label that is
        turned all the way to the wrong side has no gradient; at higher temperatures memories grow before they turn any.

    error_power : int, default=2
        m. With 1 all errors count by their squares; large ones mind labels on the wrong side, and few others.

    learning_rate : float, default=0.04
        Step size at the start of `schedule`; with "normalized" the largest change of an entry of a memory in an update.

    batch_size : int, default=50
        Rows per update.

    n_iter : int, default=50
        Passes over the training data.

    optimizer : {"normalized", "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "nadam"} or \
            record, default="normalized"
        What is done with the gradient. "normalized" is momentum whose step has one length for every memory, for example
        ``NormalizedMomentum(momentum=0.9)``. Adaptive rules want smaller learning rates, about 0.01.

    schedule : {"constant", "linear", "exponential", "inverse"} or record, default="linear"
        Course of the learning rate over the epochs of `fit`.

    verbose : int, default=0
        Whether to show the error after each epoch.

    random_state : int, RandomState instance or None, default=None
        Seed of the initial memories and of the order of rows. See :term:`Glossary <random_state>`.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features + n_classes)
        Memories, within [-1, 1]: the visible parts, then the label units.

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    range_ : tuple of float
        What is mapped to -1 and to +1: (0, 1) if the training data lie within, else (-1, 1) if they do, else their
        extremes.

    scale_ : float
        T.

    history_ : dict of ndarray
        One entry per epoch: "epoch", "learning_rate", "time" in seconds, and "error", the mean over the epoch.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature names that are all strings.

    See Also
    --------
    DenseAssociativeMemory : Stores patterns as they are.

    Notes
    -----
    What differs from the paper: memories start at training rows, shrunk to 0.3 and with noise, for a memory without
    positive input from any row has no gradient; and T is measured by the data.

    References
    ----------
    .. [1] Krotov, D. & Hopfield, J. J. "Dense associative memory for pattern recognition." NIPS 29 (2016).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from ebm import DenseAssociativeClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> memory = DenseAssociativeClassifier(n_iter=10, random_state=0).fit(X[:1200] / 16, y[:1200])
    >>> memory.score(X[1200:] / 16, y[1200:]) > 0.9
    True
    """

    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        "optimizer": partial(resolve, known=RULES, base=Optimizer, argument="optimizer"),  # type: ignore[type-abstract]
        "schedule": schedule_record,
    }
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "degree": [Interval(Integral, 2, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "error_power": [Interval(Integral, 1, 50, closed="both")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_iter": [Interval(Integral, 0, None, closed="left")],
        "optimizer": [StrOptions(set(RULES)), RECORD],
        "schedule": [StrOptions(set(SCHEDULES)), RECORD],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int = 100,
        *,
        degree: int = 10,
        temperature: float = 1.5,
        error_power: int = 2,
        learning_rate: float = 0.04,
        batch_size: int = 50,
        n_iter: int = 50,
        optimizer: Any = "normalized",
        schedule: Any = "linear",
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.degree = degree
        self.temperature = temperature
        self.error_power = error_power
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.optimizer = optimizer
        self.schedule = schedule
        self.verbose = verbose
        self.random_state = random_state

    # Learning

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "DenseAssociativeClassifier":
        """Learn memories that complete the rows of `X` by their classes `y`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data, within [0, 1] or [-1, 1].
        y : array-like of shape (n_samples,)
            Classes.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts as w equal rows; zero leaves it out.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If `X` has no rows, or NaN or infinite entries, or `y` is not of classes.

        Warns
        -----
        UserWarning
            If `X` lies outside [-1, 1]: it is then scaled as a whole, by its extremes.
        ConvergenceWarning
            If training stopped because of an interrupt, or because numbers grew beyond all bounds.
        """
        X, y = validate_data(self, X, y, dtype=FLOATS, order="C")
        check_classification_targets(y)
        weights = check_weights(sample_weight, X)
        check_repetitions(weights)
        self.classes_, labels = np.unique(y, return_inverse=True)
        plan = self._plan(draw_seed(self.random_state), X.shape[1] + len(self.classes_))
        state, data = self._started(X, labels, weights, plan)
        stopped = train_completion(
            state, self._model(), data, plan, self.n_iter, self._tell if self.verbose else _silent
        )
        self._keep(state, plan)
        if stopped:
            warn_user(f"{type(self).__name__}: {stopped}.", ConvergenceWarning)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> "DenseAssociativeClassifier":
        """Make one update of the memories, with all of `X` as the batch, at the rate `learning_rate`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            A batch of training data. The first one also sets the memories' start, the range and the scale.
        y : array-like of shape (n_samples,)
            Classes.
        classes : array-like of shape (n_classes,), default=None
            All classes that will come up; needed in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the batch's mean error.

        Returns
        -------
        self : object
            The classifier after the update.

        Raises
        ------
        ValueError
            If there are no `classes` in the first call, or others than before, or `y` has a class that is not among
            them; the memories stay as they are.
        """
        first = not hasattr(self, "components_")
        X, y = validate_data(self, X, y, dtype=FLOATS, order="C", reset=first)
        check_classification_targets(y)
        weights = check_weights(sample_weight, X)
        known = self._known_classes(classes, first)
        if not np.isin(y, known).all():
            raise ValueError(f"y has classes that are not among {known.tolist()}.")
        self.classes_ = known
        labels = np.searchsorted(known, y)
        n_units = X.shape[1] + len(known)
        plan = self._plan(draw_seed(self.random_state) if first else self._seed, n_units)
        if first:
            state, _ = self._started(X, labels, weights, plan)
        else:
            state = self._resumed(plan)
        batch = (self._visible(X).astype(state.memories.dtype, copy=False), labels)
        error = update_completion(state, self._model(), batch, plan, plan.learning_rate, weights)
        self._keep(state, plan)
        if error is None:
            warn_user(
                f"{type(self).__name__}: this update was not made, for its gradient is not finite.",
                ConvergenceWarning,
            )
        return self

    def _known_classes(self, classes: Any, first: bool) -> Array:
        if first and classes is None:
            raise ValueError("classes must be passed to the first call of partial_fit.")
        if first:
            return np.unique(classes)
        if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes must be those of the first call, {self.classes_.tolist()}. Got {classes!r}."
            )
        return self.classes_

    def _plan(self, seed: int, n_units: int) -> CompletionPlan:
        rule = self._resolvers["optimizer"](self.optimizer)
        if isinstance(rule, NormalizedMomentum) and rule.group_size is None:
            rule = NormalizedMomentum(rule.momentum, n_units)
        return CompletionPlan(
            rule,
            schedule_record(self.schedule),
            self.learning_rate,
            self.batch_size,
            self.error_power,
            seed,
        )

    def _started(
        self, X: Array, labels: Array, weights: Array | None, plan: CompletionPlan
    ) -> tuple[CompletionState, Labelled]:
        self.range_ = _extremes(X)
        data = Labelled(Rows(self._visible(X), weights), labels)
        state = start_completion(len(self.classes_), data, self.n_components, plan)
        self.scale_ = typical_input(data.rows)
        self.scale_ = self.temperature * unit_scale(state, data, self._model())
        return state, data

    def _resumed(self, plan: CompletionPlan) -> CompletionState:
        memories = np.array(self.components_, order="C")
        memory = tuple(np.array(x) for x in self._memory)
        if self._memory_of != type(plan.optimizer).__name__:
            memory = plan.optimizer.start(memories.ravel())
        history = {name: list(x) for name, x in self.history_.items()}
        return CompletionState(memories, memory, self._n_steps, history)

    def _keep(self, state: CompletionState, plan: CompletionPlan) -> None:
        self.components_ = state.memories
        self.history_ = {name: np.asarray(x) for name, x in state.history.items()}
        self._memory, self._memory_of = state.memory, type(plan.optimizer).__name__
        self._n_steps, self._seed = state.n_steps, plan.seed

    def _tell(self, state: CompletionState, epoch: int) -> None:
        error = state.history["error"][-1]
        print(f"[{type(self).__name__}] Iteration {epoch}, error = {error:.4g}")

    # Completing

    def predict(self, X: Any) -> Array:
        """Classes of the label units that gain most by turning on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Classes.
        """
        best = self._by_blocks(X, self._model_gains).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: Any) -> Array:
        """Shares of the classes in the law exp(-2E) of the states with exactly one label on.

        They rank the classes as the label units do; being trained by an error and not by the likelihood, they are no
        calibrated probabilities: see :class:`sklearn.calibration.CalibratedClassifierCV`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        shares : ndarray of shape (n_samples, n_classes)
            Non-negative, with the sum one; classes in the order of `classes_`.
        """
        return self._by_blocks(X, self._model_shares)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of the rows whose class is found.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Their classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            The accuracy, between 0 and 1.
        """
        return super().score(X, y, sample_weight)

    def _model_gains(self, params: DenseParameters, v: Array) -> Array:
        return self._model().gains(params, v)

    def _model_shares(self, params: DenseParameters, v: Array) -> Array:
        return self._model().shares(params, v)

    def _by_blocks(self, X: Any, function: Any) -> Array:
        check_is_fitted(self, "components_")
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        params = DenseParameters(np.ascontiguousarray(self.components_))
        dtype = params.memories.dtype
        parts = [
            function(params, np.ascontiguousarray(self._visible(block), dtype))
            for _, block in blocks(X)
        ]
        return np.concatenate(parts)

    def _model(self) -> Completion:
        return Completion(len(self.classes_), self.degree, True, self.scale_)

    def _visible(self, X: Array) -> Array:
        """`X` with the range mapped to [-1, 1]."""
        low, high = self.range_
        if (low, high) == (-1.0, 1.0):
            return X
        number = X.dtype.type
        return (X - number(low)) * number(2 / (high - low)) - number(1)


def _silent(state: CompletionState, epoch: int) -> None:
    """Show nothing."""


def _extremes(X: Array) -> tuple[float, float]:
    """The range in which the data lie: [0, 1], [-1, 1], or with a warning their own."""
    low, high = float(X.min()), float(X.max())
    if low >= -1 - ROUNDING and high <= 1 + ROUNDING:
        return (0.0, 1.0) if low >= -ROUNDING else (-1.0, 1.0)
    warn_user(
        f"X holds values between {low:g} and {high:g}, which are mapped to [-1, 1] as a whole. Scale it first, for "
        "example with sklearn.preprocessing.MinMaxScaler.",
        UserWarning,
    )
    return low, high if high > low else low + 1
