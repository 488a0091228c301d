"""Training of a whole stack at once, after its layers have learned one by one: settings, and where they apply."""

import copy
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
from ebm._sparse import as_dtype
from ebm.gradients import ChainState
from ebm.gradients.wake_sleep import UpDown
from ebm.likelihood import reconstruction_error
from ebm.monitors import ProgressLine, Scorer
from ebm.optimizers import optimizer_record, regularization_record, schedule_record
from ebm.pretraining import Labels, joined, naming
from ebm.sklearn_compat._shared._course import Course
from ebm.sklearn_compat._shared._estimator import Estimator
from ebm.sklearn_compat._shared._learning import BATCH_SETTINGS, SHOWN_ROWS
from ebm.sklearn_compat._shared._settings import RECORD, Number
from ebm.sklearn_compat._shared._validation import check_callbacks
from ebm.sklearn_compat.deep._greedy import Greedy
from ebm.sklearn_compat.deep._layers import layer_seed
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.training import INTERRUPTED

METHODS = {"up_down": UpDown}
method_record = partial(resolve, known=METHODS, base=UpDown, argument="method")
# What the seed of this stage is derived by, beside those of the layers.
STAGE = 1 << 20


class FineTuning(Estimator):
    """How a stack of machines is trained as a whole, after its layers have learned one by one.

    Parameters
    ----------
    method : {"up_down"} or UpDown, default="up_down"
        The up-down algorithm [1]_, by name or with its own settings: ``UpDown(n_steps=3)``.

    learning_rate : float, default=0.05
        Step size of the updates, at the start of `schedule`.

    batch_size : int, default=100
        Rows per update.

    n_iter : int, default=10
        Passes over the training data.

    optimizer : {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "nadam"} or record, \
            default="sgd"
        What is done with the gradient.

    schedule : {"constant", "linear", "exponential", "inverse"} or record, default="constant"
        Course of the learning rate over the epochs.

    weight_decay : float, default=0.0
        Coefficient of the penalty on half the squared weights.

    regularization : Regularization or None, default=None
        Further penalties and limits: l1, max_norm, clip_norm, clip_value.

    callbacks : callable, list of callables or None, default=None
        Called after each epoch with a :class:`ebm.monitors.Report`, whose model is a
        :class:`~ebm.energies.belief_network.BeliefNetwork`; may return a dict of numbers for the history, or True to
        end training.

    See Also
    --------
    DBN : Takes it as `fine_tuning`.

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
    ) -> None:
        self.method = method
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.optimizer = optimizer
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.regularization = regularization
        self.callbacks = callbacks

    def _plan(self, seed: int) -> training.Plan:
        self._validate_params()
        return training.Plan(
            method_record(self.method),
            optimizer_record(self.optimizer),
            schedule_record(self.schedule),
            self.learning_rate,
            self.weight_decay,
            self.batch_size,
            seed,
            regularization_record(self.regularization),
        )


def fine_tuning_record(value: object) -> FineTuning:
    """The settings that a name, a method, settings themselves, or None stand for."""
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


class FineTuned(Greedy):
    """Stacks that are trained as a whole after their layers (abstract)."""

    fine_tuning: Any
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Greedy._parameter_constraints,
        "fine_tuning": [StrOptions({"up_down"}), RECORD, None],
    }
    _resolvers: ClassVar[dict[str, Callable[[object], Any]]] = {"fine_tuning": fine_tuning_record}

    @property
    def _is_tuned(self) -> bool:
        """Whether the two passes have parted in all layers below the top."""
        return hasattr(self, "_tuning")

    @property
    def histories_(self) -> dict[str, dict[str, Array]]:
        """What was recorded, by stage: "layer1", "layer2", ..., and "fine_tuning"."""
        found = {f"layer{k}": rbm.history_ for k, rbm in enumerate(self._fitted_machines(), 1)}
        return found | ({"fine_tuning": self.history_} if self._is_tuned else {})

    def _settings_checked(self, go_on: bool) -> FineTuning | None:
        """How to fine-tune, or None; ValueError where that is not possible."""
        if self.fine_tuning is not None:
            with naming("fine_tuning"):
                settings = fine_tuning_record(self.fine_tuning)
                settings._plan(0)
                check_callbacks(settings.callbacks)
            return settings
        if go_on and self._is_tuned and len(self.layers) <= len(self.rbms_):
            raise ValueError(
                "fine_tuning is None, but the network to go on from has been fine-tuned: its layers are machines no "
                "more. Set it, or fit anew (warm_start=False)."
            )
        return None

    def _forget_tuning(self) -> None:
        for name in ("_tuning", "history_"):
            if hasattr(self, name):
                delattr(self, name)

    def _fit_stages(
        self,
        settings: FineTuning | None,
        X: Any,
        weights: Array | None,
        seed: int,
        go_on: bool,
        labels: Labels | None = None,
    ) -> list[str]:
        """Train the layers one after the other, and then the whole; what did not come to its end."""
        tuned = go_on and self._is_tuned
        if not tuned:
            self._forget_tuning()
        stopped = []
        if not tuned or len(self.layers) > len(self.rbms_):
            stopped = self._learn_layers(X, weights, seed, go_on, labels)
        if settings is not None and not any(said.endswith(INTERRUPTED) for said in stopped):
            stopped += self._tune(settings, X, weights, seed, labels)
        self._course = Course(seed)
        return stopped

    def _update_stages(
        self,
        settings: FineTuning | None,
        X: Any,
        weights: Array | None,
        seed: int,
        first: bool,
        labels: Labels | None = None,
    ) -> list[str]:
        """One update of every layer, or of the whole once that has begun."""
        if settings is not None and not first and self._is_tuned:
            stopped = self._tune_once(settings, X, weights, seed, labels)
        else:
            stopped = self._update_layers(X, weights, seed, first, labels)
        if first:
            self._course = Course(seed)
        return stopped

    def _tune(
        self,
        settings: FineTuning,
        X: Any,
        weights: Array | None,
        seed: int,
        labels: Labels | None,
    ) -> list[str]:
        """Train the whole stack, from where it is."""
        X = as_dtype(X, self.rbms_[-1].components_.dtype)
        rows = Rows(
            X, weights, None if labels is None else labels.columns.astype(X.dtype, copy=False)
        )
        plan = settings._plan(layer_seed(seed, STAGE))
        with naming("fine_tuning"):
            state = self._tuning_state(plan, rows)
            callbacks = check_callbacks(settings.callbacks)
            line = ProgressLine(f"{type(self).__name__} fine_tuning")
            if self.verbose:
                seen = X if labels is None else labels.beside(X, None)[0]
                callbacks = [*shown(state.model, seen), *callbacks, line]
            try:
                stopped = training.train(state, rows, plan, int(settings.n_iter), callbacks)
            finally:
                line.close()
        self._keep_tuned(state, plan)
        return [f"fine_tuning: {stopped}"] if stopped else []

    def _tune_once(
        self,
        settings: FineTuning,
        X: Any,
        weights: Array | None,
        seed: int,
        labels: Labels | None,
    ) -> list[str]:
        """One update of the whole stack with all rows as the batch."""
        X = as_dtype(X, self.rbms_[-1].components_.dtype)
        plan = settings._plan(layer_seed(seed, STAGE))
        state = self._tuning_state(plan, Rows(X, weights))
        rows = dense(X) if labels is None else joined(dense(X), labels.columns)
        stopped = training.single_update(state, rows, weights, plan)
        self._keep_tuned(state, plan)
        return [f"fine_tuning: {stopped}"] if stopped else []

    def _tuning_state(self, plan: training.Plan, rows: Rows) -> training.State:
        """The state of training, in new arrays; what the last fine-tuning left of it goes on."""
        model, params = self._network()
        last, of = getattr(self, "_tuning", (None, ("", "")))
        said, mean = said_of(model, plan), rows.mean().astype(rows.dtype)
        if last is None or said[0] != of[0]:
            return training.resume(model, params, plan, mean=mean)
        chains = None
        if said == of:
            h, mu, lam, own = last.chains
            chains = ChainState(h.copy(), mu.copy(), lam.copy(), own)
        mean = mean if last.origin is None else last.origin
        state = training.resume(model, params, plan, chains=chains, mean=mean)
        state.n_steps, state.bounds = last.n_steps, last.bounds
        state.history = {name: list(x) for name, x in last.history.items()}
        if said == of:
            state.memory = tuple(np.array(x) for x in last.memory)
        return state

    def _keep_tuned(self, state: training.State, plan: training.Plan) -> None:
        """Turn what was learned into fitted attributes."""
        down, top, up = state.params
        self.rbms_ = [*self.rbms_[:-1], with_parameters(self.rbms_[-1], top)]
        self._directed = (down, up)
        self.history_ = {name: np.asarray(x) for name, x in state.history.items()}
        self._tuning = (replace(state, theta=np.empty(0)), said_of(state.model, plan))


def shown(model: Any, X: Any) -> list[Scorer]:
    """What a verbose fit shows: the reconstruction error of some rows."""
    step = -(-X.shape[0] // SHOWN_ROWS)
    rows = dense(X[::step])
    return [Scorer("reconstruction_error", lambda p: reconstruction_error(model, p, rows))]


def said_of(model: Any, plan: training.Plan) -> tuple[Hashable, Hashable]:
    """What must be the same for bounds, and all for chains and velocities, to keep their meaning."""
    return by_value(model), by_value((plan.gradient, plan.batch_size, plan.optimizer))


def with_parameters(rbm: BaseRBM, params: Any) -> BaseRBM:
    """A copy of the machine that has the parameters."""
    machine = copy.copy(rbm)
    for name, x in machine._named(params).items():
        setattr(machine, name, x)
    return machine
