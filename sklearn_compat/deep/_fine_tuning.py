"""Fine-tuning: joint training of all layers of a stack after greedy training."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from ebm import training
from ebm._batches import Rows, dense
from ebm._checks import Array, by_value, resolve
from ebm._random import Reserved
from ebm._sparse import as_dtype
from ebm.energies.base import Model
from ebm.gradients import ChainState
from ebm.gradients.wake_sleep import UpDown
from ebm.likelihood import reconstruction_error
from ebm.monitors import Scorer
from ebm.optimizers import optimizer_record, regularization_record, schedule_record
from ebm.pretraining import Labels, completed, naming
from ebm.sklearn_compat._shared._course import Course, Watch
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._learning import BATCH_SETTINGS, SHOWN_ROWS, ascent_plan
from ebm.sklearn_compat._shared._settings import RECORD, Number, stores_arguments
from ebm.sklearn_compat._shared._validation import (
    check_callbacks,
    check_rows,
    check_weights,
    draw_seed,
)
from ebm.sklearn_compat.deep._greedy import learn_label_weights, learn_layers, update_layers
from ebm.sklearn_compat.deep._layers import layer_seed
from ebm.sklearn_compat.rbm._layer import with_parameters
from ebm.training import INTERRUPTED

METHODS = {"up_down": UpDown}
method_record = partial(resolve, known=METHODS, base=UpDown, argument="method")


class FineTuning(Estimator):
    """Settings of the joint training of a stack of machines after its layers were trained one by one.

    Parameters
    ----------
    method : {"up_down"} or UpDown, default="up_down"
        The up-down algorithm [1]_, by name or with settings: ``UpDown(n_steps=3)``.

    learning_rate : float, default=0.05
        Initial step size, which `schedule` changes.

    batch_size : int, default=100
        Rows per update.

    n_iter : int, default=10
        Passes over the training data.

    optimizer : {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "nadam"} or record, \
            default="sgd"
        Rule of the updates.

    schedule : {"constant", "linear", "exponential", "inverse"} or record, default="constant"
        How the learning rate changes over the epochs.

    weight_decay : float, default=0.0
        Coefficient of the penalty on half the squared weights.

    regularization : Regularization or None, default=None
        Further penalties and limits: `l1`, `max_norm`, `clip_norm` and `clip_value`.

    callbacks : callable, list of callables or None, default=None
        Called after each epoch with a :class:`ebm.monitors.Report`, whose model is a
        :class:`~ebm.energies.belief_network.BeliefNetwork`. A callback may return a dict of numbers for the history, or
        True to end training.

    See Also
    --------
    DBN : Has these settings as its parameter `fine_tuning`.

    References
    ----------
    .. [1] Hinton, G. E., Osindero, S. & Teh, Y. W. "A fast learning algorithm for deep belief nets." Neural Computation
       18, 1527-1554 (2006), section 5.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm import DBN, FineTuning
    >>> X = np.random.RandomState(0).randint(2, size=(20, 6))
    >>> dbn = DBN([4, 3], fine_tuning=FineTuning(n_iter=5), random_state=0).fit(X)
    >>> len(dbn.history_["epoch"])
    5
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **{
            name: BATCH_SETTINGS[name]
            for name in (
                "learning_rate",
                "batch_size",
                "n_iter",
                "optimizer",
                "schedule",
                "callbacks",
            )
        },
        "method": [StrOptions(set(METHODS)), RECORD],
        "weight_decay": [Number(Real, 0, None, closed="left")],
        "regularization": [RECORD, None],
    }
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {
        "method": method_record,
        "optimizer": optimizer_record,
        "schedule": schedule_record,
        "regularization": regularization_record,
    }

    @stores_arguments
    def __init__(
        self,
        method: Any = "up_down",
        *,
        learning_rate: float = 0.05,
        batch_size: int = 100,
        n_iter: int = 10,
        optimizer: Any = "sgd",
        schedule: Any = "constant",
        weight_decay: float = 0.0,
        regularization: Any = None,
        callbacks: Any = None,
    ) -> None: ...


def plan_of(self: FineTuning, seed: int) -> training.Plan:
    """The training plan of these settings."""
    self._validate_params()
    return ascent_plan(self, method_record(self.method), seed)


def fine_tuning_record(value: object) -> FineTuning:
    """The FineTuning of a name, a method, a FineTuning, or None."""
    if isinstance(value, FineTuning):
        return value
    if value is None or value == "up_down":
        return FineTuning()
    if isinstance(value, UpDown):
        return FineTuning(value)
    raise ValueError(
        "The 'fine_tuning' parameter must be 'up_down', an instance of FineTuning or UpDown, or None. "
        f"Got {value!r} instead."
    )


# Training of the stack. Each function returns the reasons for an early stop.


def is_tuned(self: Any) -> bool:
    """Whether the network has been fine-tuned."""
    return hasattr(self, "_tuning")


def settings_of(self: Any, go_on: bool) -> FineTuning | None:
    """The settings of fine-tuning, or None; ValueError if a fine-tuned network lacks them."""
    if self.fine_tuning is not None:
        with naming("fine_tuning"):
            settings = fine_tuning_record(self.fine_tuning)
            plan_of(settings, 0)
            check_callbacks(settings.callbacks)
        return settings
    if go_on and is_tuned(self) and len(self.layers) <= len(self.rbms_):
        raise ValueError(
            "fine_tuning is None, but the fitted network has been fine-tuned, so its layers cannot be trained one by "
            "one. Set fine_tuning, or fit anew (warm_start=False)."
        )
    return None


Read = Callable[[Any, Array | None], Labels]


def fit_stack(self: Any, X: Any, sample_weight: Any, read: Read | None = None) -> str:
    """Train the layers one by one, and then fine-tune. `read` returns the labels of the rows."""
    go_on = self.warm_start and hasattr(self, "rbms_")
    settings = settings_of(self, go_on)
    seed = self._own_seed() if go_on else draw_seed(self.random_state)
    X, weights = rows_to_learn(self, X, sample_weight, go_on)
    labels = None if read is None else read(X, weights)
    tuned, stopped = go_on and is_tuned(self), []
    for name in () if tuned else ("_tuning", "history_"):
        self.__dict__.pop(name, None)
    if not tuned or len(self.layers) > len(self.rbms_):
        stopped = learn_layers(self, X, weights, seed, go_on, labels)
    whole = not any(reason.endswith(INTERRUPTED) for reason in stopped)
    if settings is not None and whole:
        X, weights = completed(self._steps_up()[0], X, weights, seed)
        stopped += tune(self, settings, X, weights, seed, labels)
    elif labels is not None and whole and self.label_weights == "conditional":
        learn_label_weights(self, X, weights, labels)
    self._course = Course(seed)
    return "; ".join(stopped)


def update_stack(self: Any, X: Any, sample_weight: Any, read: Read | None = None) -> str:
    """One update of each layer, or one joint update of a fine-tuned network."""
    first = not hasattr(self, "rbms_")
    settings = settings_of(self, not first)
    seed = draw_seed(self.random_state) if first else self._own_seed()
    X, weights = rows_to_learn(self, X, sample_weight, not first)
    labels = None if read is None else read(X, weights)
    if settings is not None and not first and is_tuned(self):
        X, weights = completed(self._steps_up()[0], X, weights, seed)
        stopped = tune_once(self, settings, X, weights, seed, labels)
    else:
        stopped = update_layers(self, X, weights, seed, first, labels)
    if first:
        self._course = Course(seed)
    return "; ".join(stopped)


def rows_to_learn(self: Any, X: Any, sample_weight: Any, go_on: bool) -> tuple[Any, Array | None]:
    """Training rows and their weights."""
    X = check_rows(self, X, reset=not go_on, order="C", allow_nan=self._learns_from_gaps)
    return X, check_weights(sample_weight, X)


def tune(
    self: Any,
    settings: FineTuning,
    X: Any,
    weights: Array | None,
    seed: int,
    labels: Labels | None,
) -> list[str]:
    """Fine-tune the stack from its present parameters."""
    X = as_dtype(X, self.rbms_[-1].components_.dtype)
    rows = Rows(X, weights, None if labels is None else labels.columns.astype(X.dtype, copy=False))
    plan = plan_of(settings, layer_seed(seed, Reserved.FINE_TUNING.number))
    seen = X if labels is None else labels.beside(X, None)[0]
    watch = Watch(f"{type(self).__name__} fine_tuning", settings.callbacks, self.verbose, shown)
    with naming("fine_tuning"):
        state = tuning_state(self, plan, rows)
        stopped = watch.run(state, rows, plan, seen, settings.n_iter)
    keep_tuned(self, state, plan)
    return [f"fine_tuning: {stopped}"] if stopped else []


def tune_once(
    self: Any,
    settings: FineTuning,
    X: Any,
    weights: Array | None,
    seed: int,
    labels: Labels | None,
) -> list[str]:
    """One joint update of the stack with `X` as the batch."""
    X = as_dtype(X, self.rbms_[-1].components_.dtype)
    plan = plan_of(settings, layer_seed(seed, Reserved.FINE_TUNING.number))
    state = tuning_state(self, plan, Rows(X, weights))
    rows = dense(X) if labels is None else np.hstack([dense(X), labels.columns])
    stopped = training.single_update(state, rows, weights, plan)
    keep_tuned(self, state, plan)
    return [f"fine_tuning: {stopped}"] if stopped else []


def tuning_state(self: Any, plan: training.Plan, rows: Rows) -> training.State:
    """The state of training, in new arrays; it continues the last fine-tuning as far as the settings agree."""
    model, params = self._network()
    last, last_identity = getattr(self, "_tuning", (None, ("", "")))
    identity, mean = identity_of(model, plan), rows.mean().astype(rows.dtype)
    if last is None or identity[0] != last_identity[0]:
        return training.resume(model, params, plan, mean=mean)
    chains = None
    if identity == last_identity:
        h, visible_offset, hidden_offset, gradient_state = last.chains
        chains = ChainState(h.copy(), visible_offset.copy(), hidden_offset.copy(), gradient_state)
    mean = mean if last.origin is None else last.origin
    state = training.resume(model, params, plan, chains=chains, mean=mean)
    state.n_steps, state.bounds = last.n_steps, last.bounds
    state.history = {name: list(x) for name, x in last.history.items()}
    if identity == last_identity:
        state.memory = tuple(np.array(x) for x in last.memory)
    return state


def keep_tuned(self: Any, state: training.State, plan: training.Plan) -> None:
    """Store the result of fine-tuning as fitted attributes."""
    down, top, up = state.params
    self.rbms_ = [*self.rbms_[:-1], with_parameters(self.rbms_[-1], top)]
    self._directed = (down, up)
    self.history_ = {name: np.asarray(x) for name, x in state.history.items()}
    self._tuning = (replace(state, theta=np.empty(0)), identity_of(state.model, plan))


def shown(X: Any, model: Model) -> list[Scorer]:
    """The number that a verbose fit shows: the reconstruction error of some rows."""
    step = -(-X.shape[0] // SHOWN_ROWS)
    rows = dense(X[::step])
    return [Scorer("reconstruction_error", lambda p: reconstruction_error(model, p, rows))]


def identity_of(model: Model, plan: training.Plan) -> tuple[Hashable, Hashable]:
    """Bounds continue if the first part is the same; chains and velocities continue if both parts are."""
    return by_value(model), by_value((plan.gradient, plan.batch_size, plan.optimizer))
