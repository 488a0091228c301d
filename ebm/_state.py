"""The choices and the state of training: settings, parameters, chains, position in the random streams.

A :class:`Plan` holds the choices and does not change; a :class:`State` holds everything that does. Training can
therefore stop anywhere, be written to a file (:mod:`ebm._checkpoint`), and continue as if it had not stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ebm._batches import Rows
from ebm._checks import Array, check_integer, check_real, varies
from ebm._gaps import start_at_model
from ebm._random import Key, Reserved, fold, stream
from ebm.energies.base import DataSummary, Model
from ebm.gradients.base import ChainState, Gradient
from ebm.monitors import History
from ebm.optimizers.base import Optimizer
from ebm.optimizers.regularization import Regularization
from ebm.optimizers.schedules import Schedule
from ebm.units import Bounds

# A small table is given enough updates to learn from; a large one is passed over as often as by scikit-learn.
LEAST_UPDATES, LEAST_EPOCHS = 2000, 10
# So many rows, and how much faster many more of them are learned from.
MANY_ROWS, MOST_FASTER = 500.0, 3.0
# Learning rate of so many hidden units, the largest of few, and the number of features in units of the data's that does
# not limit it.
RATE, RATE_UNITS, LARGEST_RATE, RATE_FEATURES = 0.02, 256, 0.1, 16
# Rows that a model is shown before it learns: the standard error of a mean is then 0.04 standard deviations.
MOST_EXAMPLES = 500


class _Choices(NamedTuple):
    gradient: Gradient[Any]
    optimizer: Optimizer
    schedule: Schedule
    learning_rate: Any
    weight_decay: float
    batch_size: int
    seed: int
    regularization: Regularization = Regularization()


class Plan(_Choices):
    """How to train: the choices that do not change while training. Numbers become those of Python.

    The `learning_rate` "auto" stands for :func:`default_rate`. `seed` opens the random streams; `weight_decay` is the
    coefficient of the penalty on half the squared weights.
    """

    __slots__ = ()

    def __new__(cls, *choices: Any, **named: Any) -> "Plan":
        plan = super().__new__(cls, *choices, **named)
        rate = plan.learning_rate
        return plan._replace(
            learning_rate=rate
            if rate == "auto"
            else check_real(rate, "learning_rate", open_low=True),
            weight_decay=check_real(plan.weight_decay, "weight_decay"),
            batch_size=check_integer(plan.batch_size, "batch_size"),
        )


def count_epochs(asked: int | str, rows: Rows, plan: Plan) -> int:
    """Epochs of a fit: the number `asked`, or with "auto" at least ten, and enough for two thousand updates."""
    if not isinstance(asked, str):
        return asked
    n_batches = -(-len(rows) // plan.batch_size)
    return max(LEAST_EPOCHS, -(-LEAST_UPDATES // n_batches))


@dataclass
class State:
    """Everything that training changes or needs to continue: nothing else is stored between steps.

    Attributes
    ----------
    model : Model
    shape : tuple of int
        With which the model unpacks `theta`: (n_visible, n_hidden) of two layers.
    theta : ndarray of shape (parameters,)
        All parameters of the distribution of v - `origin`, in one vector.
    memory : tuple of ndarray
        The optimiser's.
    chains : ChainState
    bounds : dict of dict of pair of ndarray
        Lower and upper bounds by layer and name of the parameter.
    origin : ndarray of shape (n_visible,) or None
        Vector that is subtracted from the data, for visible units that have a scale. With v / sigma^2 in the energy, a
        mean far from zero would couple every variance to every hidden bias. The model family is closed under
        translation.
    n_steps : int
        Updates so far: the position in the random streams.
    history : dict of list
    marginals : tuple of ndarray
        Mean and variance (n_visible,) of the data that training began with, and the count of rows; empty if unknown.
    saved : dict of ndarray
        Values that monitors keep from epoch to epoch.
    first_step, epoch : int
        Updates before this fit began, and epochs of it that are done.
    slowdown : float
        Factor on the learning rate, besides that of the schedule, that monitors have set.
    finished : bool
        Whether a monitor has ended this fit.
    missing : ndarray or None
        States of the chains of missing entries of this fit (:mod:`ebm._gaps`).
    """

    model: Model
    shape: tuple[int, ...]
    theta: Array
    memory: tuple[Array, ...]
    chains: ChainState
    bounds: Bounds
    origin: Array | None
    n_steps: int = 0
    history: History = field(default_factory=dict)
    marginals: tuple[Array, ...] = ()
    saved: dict[str, Array] = field(default_factory=dict)
    first_step: int = 0
    epoch: int = 0
    finished: bool = False
    slowdown: float = 1.0
    missing: Array | None = None

    @property
    def local(self) -> Any:
        """Parameters of the distribution of v - `origin`: views of `theta`."""
        return self.model.unpack(self.theta, *self.shape)

    @property
    def fused(self) -> tuple[Model, Any]:
        """The model as which this one learns, and its parameters: views of `theta`."""
        model = self.model.fused
        return model, model.unpack(self.theta, *self.shape)

    @property
    def params(self) -> Any:
        """Parameters of the distribution of v."""
        return self.local if self.origin is None else self.model.translated(self.local, self.origin)


def default_rate(model: Model, params: Any) -> float:
    """A learning rate, which falls to zero over a fit, for the types and numbers of the units of a model.

    All hidden units move log p(v) at once, and all features move the input of a hidden unit, so that their numbers
    limit the rate. States that are farther apart move more slowly.
    """
    layers, seen = model.unit_layers(params), model.data_columns
    paces = [
        [unit.pace for name, (unit, _) in layers.items() if (name in seen) == is_seen]
        for is_seen in (True, False)
    ]
    n_hidden = sum(
        len(layer_params.bias) for name, (_, layer_params) in layers.items() if name not in seen
    )
    n_scaled = sum(
        len(layer_params.bias) for unit, layer_params in layers.values() if unit.has_scale
    )
    rate = min(LARGEST_RATE, RATE * np.sqrt(RATE_UNITS / max(n_hidden, 1)))
    few = min(1.0, np.sqrt(RATE_FEATURES / max(n_scaled, 1)))
    return float(rate * few * np.prod([min(some, default=1.0) for some in paces]))


def with_rate(plan: Plan, state: "State", rows: Rows | None = None) -> Plan:
    """The plan with a number for its learning rate, which also depends on the `rows` where all of them are known."""
    if plan.learning_rate != "auto":
        return plan
    rate = default_rate(state.model, state.local)
    if rows is not None:
        factor = state.model.rate_factor(spread(state.model, state.local, rows))
        if state.model.has_scale:
            # More rows determine a finer structure, and weights have farther to go.
            factor *= float(np.clip(np.sqrt(rows.total_weight / MANY_ROWS), 1.0, MOST_FASTER))
        rate = min(rate * factor, LARGEST_RATE)
    # Rows that are equal up to rounding have equal rates: a checkpoint goes on with either.
    return plan._replace(learning_rate=float(f"{rate:.9g}"))


def spread(model: Model, params: Any, rows: Rows) -> float:
    """The variance of two-state data in proportion to that of random states with the same means; 1 without such data.

    It is above 1 if some values are beyond both states.

    Rows that hold probabilities, such as columns of reals scaled to [0, 1], vary less than states of units do. A
    machine that learns their distribution as that of states ends with features that hardly vary.
    """
    layers, found, possible = model.unit_layers(params), 0.0, 0.0
    seen = [(layers[name][0].states or (), some) for name, some in model.data_columns.items()]
    if not any(len(states) == 2 for states, _ in seen):
        return 1.0
    mean = rows.mean()
    variance = rows.variance(mean)
    for states, some in seen:
        if len(states) == 2:
            found += float(variance[some].sum())
            possible += float(((mean[some] - states[0]) * (states[1] - mean[some])).sum())
    if found <= 0:
        return 1.0
    return found / possible if possible > 0 else np.inf


def start(
    model: Model,
    rows: Rows,
    n_hidden: int,
    plan: Plan,
    change: Callable[[Any, Any], Any] | None = None,
) -> State:
    """The state before the first update: visible units know the data's moments, weights are small and random.

    A model that ``starts_at_rows`` is also shown some, at least as many as it has hidden units. With `change`, learning
    starts at what that makes of the model and these parameters.
    """
    mean = rows.mean()
    variance = rows.variance(mean) if model.has_scale else np.ones_like(mean)
    variance[~varies(mean, variance, rows.dtype)] = 0
    key = stream(plan.seed, "init")
    data = DataSummary(mean.astype(rows.dtype), variance.astype(rows.dtype), rows.total_weight)
    params = model.initial(data, n_hidden, key)
    if rows.has_gaps:  # independent draws of about the marginals
        start_at_model(model, params, None, None, rows, _entries_key(plan, 0), n_sweeps=0)
    # Of one row alone, the first of a stream, nothing is known to be constant.
    bounds = _bounds(model, params, variance if len(rows) > 1 else np.ones_like(variance))
    if model.starts_at_covariance and change is None:
        params = model.with_covariance(params, *rows.covariance(mean))
    if model.starts_at_rows and change is None:
        count = max(n_hidden, min(len(rows), MOST_EXAMPLES))
        params = model.with_examples(params, rows.examples(count, fold(key, 2)))
    else:
        params = model.centered(params, data.mean)
    if change is not None:
        params = change(model, params)
    state = resume(model, params, plan, mean=data.mean)
    state.bounds = bounds  # in units of the data's variances
    if change is not None and model.n_hidden_walked:
        # Hidden layers in chains are where these parameters put them.
        take_up_chains(state, rows, plan, anew=True)
    if model.starts_at_rows or change is not None:
        state.chains = _at_rows(model, params, state.chains, rows, key)
    state.marginals = (mean, variance, np.array(rows.total_weight))
    state.missing = rows.missing
    return state


def take_up_chains(state: State, rows: Rows, plan: Plan, anew: bool = False) -> None:
    """Take up the chains of missing entries where there are some; `anew`, or if there are none yet, at the model."""
    if not rows.has_gaps:
        return
    if state.missing is None or anew:
        key, activity = _entries_key(plan, state.n_steps), state.chains.hidden_offset
        start_at_model(state.model, state.local, state.origin, activity, rows, key)
        state.missing = rows.missing
    rows.missing = state.missing


def _entries_key(plan: Plan, n_steps: int) -> Key:
    return fold(fold(stream(plan.seed, "init"), Reserved.FIRST_ENTRIES.number), n_steps)


def _bounds(model: Model, params: Any, variance: Array) -> Bounds:
    """Those of the model at `params`; what is learned of features without `variance` does not fall."""
    bounds: Bounds = model.bounds(params)
    layers = model.unit_layers(params)
    for layer, columns in model.data_columns.items():
        for name, (low, _) in bounds.get(layer, {}).items():
            np.copyto(low, getattr(layers[layer][1], name), where=variance[columns] == 0)
    return bounds


def _at_rows(model: Model, params: Any, chains: ChainState, rows: Rows, key: Key) -> ChainState:
    """The chains at rows of the data, where a model that knows something already is at home.

    Elsewhere they would teach it to forget that before they have come to where its distribution is.
    """
    if not len(chains.h):
        return chains
    examples = rows.examples(len(chains.h), fold(key, 3))
    return chains._replace(h=model.chains_at_rows(params, examples, fold(key, 4)))


def resume(
    model: Model,
    params: Any,
    plan: Plan,
    *,
    chains: ChainState | None = None,
    mean: Array | None = None,
) -> State:
    """A state at given parameters; without `chains` these start anew, around the visible units' `mean`."""
    if mean is None:
        mean = model.visible_at_rest(params)
    origin = model.origin(mean)
    if origin is not None:
        params, mean = model.translated(params, -origin), mean - origin
    if chains is None:
        key, fused = fold(stream(plan.seed, "init"), 1), model.fused
        spelled = model.respelled(params, fused)
        chains = plan.gradient.start(fused, spelled, mean, plan.batch_size, key)
    if not plan.gradient.centered:
        chains = chains._replace(
            visible_offset=0 * chains.visible_offset, hidden_offset=0 * chains.hidden_offset
        )
    return begin(model, params, plan, chains, origin)


def begin(
    model: Model, params: Any, plan: Plan, chains: ChainState, origin: Array | None = None
) -> State:
    """A state at given parameters, those of the distribution of v - `origin`, and chains."""
    _check_regularization(plan, model, params)
    theta = model.pack(params)
    memory = plan.optimizer.start(theta)
    return State(model, model.shape(params), theta, memory, chains, model.bounds(params), origin)


def continued(state: State, model: Model, params: Any, memory: tuple[Array, ...]) -> State:
    """A new state in which training goes on from `state` with another model; monitors begin anew."""
    return replace(
        state,
        model=model,
        shape=model.shape(params),
        theta=model.pack(params),
        memory=memory,
        bounds=model.bounds(params),
        history={name: list(x) for name, x in state.history.items()},
        saved={},
    )


def _check_regularization(plan: Plan, model: Model, params: Any) -> None:
    held = plan.regularization
    if held.needs_binary_units and not model.fused.has_binary_hidden:
        raise ValueError(
            "regularization: sparsity_target and dropout act on binary hidden units {0, 1} in a layer of their own. "
            f"Got {getattr(model, 'hidden', model)!r}."
        )
    if model.steps_are_joint and plan.optimizer.n_squares:
        raise ValueError(
            "optimizer: a machine with factors (n_factors) takes steps of all its parameters together, and rules that "
            "scale each of them by itself would leave the data. Use 'sgd', 'momentum' or 'nesterov', or n_factors=0. "
            f"Got {plan.optimizer!r}."
        )
    if held.max_norm is not None and not model.max_norm_matrices(params):
        raise ValueError(
            "regularization: max_norm limits the weights from one layer into each unit of another. Use weight_decay, "
            f"l1 or clip_norm. Got {model!r}."
        )
