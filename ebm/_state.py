"""What training starts from and what it leaves behind: choices, parameters, chains, position in the random streams.

A :class:`Plan` holds the choices and does not change; a :class:`State` holds everything that does, so that training can
stop anywhere, be written to a file (:func:`save`), and go on as if it had not stopped (:func:`load`).
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ebm._archive import read, write
from ebm._batches import Rows
from ebm._checks import Array, check_integer, check_real, fingerprint, varies
from ebm._random import Key, fold, stream
from ebm.energies.bipartite import Bipartite
from ebm.gradients.base import ChainState, Gradient
from ebm.monitors import History
from ebm.optimizers.base import Optimizer
from ebm.optimizers.regularization import Regularization
from ebm.optimizers.schedules import Schedule
from ebm.units import Bounds

# Rows that a model is shown before it learns: the standard error of a mean is then 0.04 standard deviations.
MOST_EXAMPLES = 500


class _Choices(NamedTuple):
    gradient: Gradient
    optimizer: Optimizer
    schedule: Schedule
    learning_rate: float
    weight_decay: float
    batch_size: int
    seed: int
    regularization: Regularization = Regularization()


class Plan(_Choices):
    """How to train: the choices that do not change while training. Numbers become those of Python.

    `seed` opens the random streams; `weight_decay` is the coefficient of the penalty on half the squared weights.
    """

    __slots__ = ()

    def __new__(cls, *choices: Any, **named: Any) -> "Plan":
        plan = super().__new__(cls, *choices, **named)
        return plan._replace(
            learning_rate=check_real(plan.learning_rate, "learning_rate", open_low=True),
            weight_decay=check_real(plan.weight_decay, "weight_decay"),
            batch_size=check_integer(plan.batch_size, "batch_size"),
        )


@dataclass
class State:
    """What training changes, and what it needs to go on: nothing else is kept between steps.

    Attributes
    ----------
    model : Bipartite or Pairwise or Completion or Network
    shape : tuple of int
        With which the model unpacks `theta`: (n_visible, n_hidden) of two layers.
    theta : ndarray of shape (parameters,)
        All parameters of the law of v - `origin`, in one vector.
    memory : tuple of ndarray
        The optimiser's.
    chains : ChainState
    bounds : dict of dict of pair of ndarray
        Lower and upper bounds by layer and name of the parameter.
    origin : ndarray of shape (n_visible,) or None
        What is subtracted from the data, for visible units that have a scale: with v / sigma^2 in the energy, a mean
        far from zero would couple every variance to every hidden bias. The model family is closed under translation.
    n_steps : int
        Updates so far: the position in the random streams.
    history : dict of list
    marginals : tuple of ndarray
        Mean and variance (n_visible,) of the data that training began with, and the count of rows; empty if unknown.
    kept : dict of ndarray
        What monitors keep from epoch to epoch.
    first_step, epoch : int
        Updates before this fit began, and epochs of it that are done.
    slowdown : float
        Factor on the learning rate, besides that of the schedule, that monitors have set.
    finished : bool
        Whether a monitor has ended this fit.
    """

    model: Any
    shape: tuple[int, ...]
    theta: Array
    memory: tuple[Array, ...]
    chains: ChainState
    bounds: Bounds
    origin: Array | None
    n_steps: int = 0
    history: History = field(default_factory=dict)
    marginals: tuple[Array, ...] = ()
    kept: dict[str, Array] = field(default_factory=dict)
    first_step: int = 0
    epoch: int = 0
    finished: bool = False
    slowdown: float = 1.0

    @property
    def local(self) -> Any:
        """Parameters of the law of v - `origin`: views of `theta`."""
        return self.model.unpack(self.theta, *self.shape)

    @property
    def params(self) -> Any:
        """Parameters of the law of v."""
        return self.local if self.origin is None else self.model.translated(self.local, self.origin)


def start(
    model: Any,
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
    variance = rows.variance(mean) if model.visible.has_scale else np.ones_like(mean)
    variance[~varies(mean, variance, rows.dtype)] = 0
    key = stream(plan.seed, "init")
    moments = (mean.astype(rows.dtype), variance.astype(rows.dtype), rows.total_weight)
    params = model.initial(*moments, n_hidden, key)
    # Of one row alone, the first of a stream, nothing is known to be constant.
    bounds = _bounds(model, params, variance if len(rows) > 1 else np.ones_like(variance))
    if model.starts_at_rows:
        count = max(n_hidden, min(len(rows), MOST_EXAMPLES))
        params = model.with_examples(params, rows.some(count, fold(key, 2)))
    elif (
        model.visible.has_scale
    ):  # hidden units that have their own mean where the data have theirs
        pull = model.hidden_input(params, moments[0][np.newaxis])[0]
        params = params._replace(hidden=params.hidden._replace(bias=params.hidden.bias - pull))
    if change is not None:
        params = change(model, params)
    state = resume(model, params, plan, mean=moments[0])
    state.bounds = bounds  # in units of the data's variances
    if model.starts_at_rows or change is not None:
        state.chains = _at_rows(model, params, state.chains, rows, key)
    state.marginals = (mean, variance, np.array(rows.total_weight))
    return state


def _bounds(model: Any, params: Any, variance: Array) -> Bounds:
    """Those of the model at `params`; what is learned of features without `variance` does not fall."""
    bounds: Bounds = model.bounds(params)
    for name, (low, _) in bounds.get("visible", {}).items():
        np.copyto(low, getattr(params.visible, name), where=variance == 0)
    return bounds


def _at_rows(model: Any, params: Any, chains: ChainState, rows: Rows, key: Key) -> ChainState:
    """The chains at rows of the data, where a model that knows something already is at home.

    Elsewhere they would teach it to forget that before they have come to where its law is.
    """
    if not len(chains.h):
        return chains
    inputs = model.hidden_input(params, rows.some(len(chains.h), fold(key, 3)))
    return chains._replace(h=model.hidden.sample(params.hidden, inputs, fold(key, 4)))


def resume(
    model: Any,
    params: Any,
    plan: Plan,
    *,
    chains: ChainState | None = None,
    mean: Array | None = None,
) -> State:
    """A state at given parameters; without `chains` these start anew, around the visible units' `mean`."""
    if mean is None:
        mean = model.visible_at_rest(params)
    origin = None
    if model.visible.has_scale:
        origin, params, mean = mean, model.translated(params, -mean), np.zeros_like(mean)
    if chains is None:
        key = fold(stream(plan.seed, "init"), 1)
        chains = plan.gradient.start(model, params, mean, plan.batch_size, key)
    if not plan.gradient.centered:
        chains = chains._replace(mu=0 * chains.mu, lam=0 * chains.lam)
    return begin(model, params, plan, chains, origin)


def begin(
    model: Any, params: Any, plan: Plan, chains: ChainState, origin: Array | None = None
) -> State:
    """A state at given parameters, those of the law of v - `origin`, and chains."""
    _check_regularization(plan, model, params)
    theta = model.pack(params)
    memory = plan.optimizer.start(theta)
    return State(model, model.shape(params), theta, memory, chains, model.bounds(params), origin)


def continued(state: State, model: Any, params: Any, memory: tuple[Array, ...]) -> State:
    """A new state in which training goes on from `state` with another model; monitors begin anew."""
    return replace(
        state,
        model=model,
        shape=model.shape(params),
        theta=model.pack(params),
        memory=memory,
        bounds=model.bounds(params),
        history={name: list(x) for name, x in state.history.items()},
        kept={},
    )


def _check_regularization(plan: Plan, model: Any, params: Any) -> None:
    held, layered = plan.regularization, isinstance(model, Bipartite)
    if held.needs_binary_units and (not layered or model.hidden.states != (0.0, 1.0)):
        raise ValueError(
            "regularization: sparsity_target and dropout act on binary hidden units {0, 1} in a layer of their own. "
            f"Got {getattr(model, 'hidden', model)!r}."
        )
    if held.max_norm is not None and not model.columns(params):
        raise ValueError(
            "regularization: max_norm limits the weights from one layer into each unit of another. Use weight_decay, "
            f"l1 or clip_norm. Got {model!r}."
        )


def save(path: str | os.PathLike[str], state: State, plan: Plan, rows: Rows, n_epochs: int) -> None:
    """Write a checkpoint of `state` to `path`: from it training goes on to the same bits (see :func:`load`)."""
    write(
        path, {**_settings(state.model, plan, rows, n_epochs), **_progress(state)}, _arrays(state)
    )


def load(
    path: str | os.PathLike[str],
    model: Any,
    shape: tuple[int, ...],
    plan: Plan,
    rows: Rows,
    n_epochs: int,
) -> State:
    """The state that was saved to `path`.

    Raises
    ------
    ValueError
        If the file is no checkpoint, of another version, or of training with other settings or rows than these.
    """
    header, arrays = read(path)
    wanted = {"shape": list(shape), **_settings(model, plan, rows, n_epochs)}
    written, identities = header.get("identities", {}), wanted["identities"]
    for name, value in wanted.items():
        same = (
            written.get(name) == identities[name]
            if name in identities
            else header.get(name) == value
        )
        if name != "identities" and not same:
            raise ValueError(
                f"checkpoint {Path(path).name!r} was written with {name}={header.get(name)}, but this is {value}. "
                "Go on with the same settings and rows."
            )
    return _from_arrays(model, header, arrays)


def seed_of(path: str | os.PathLike[str]) -> int:
    """The seed of the training that was saved to `path`."""
    return int(read(path)[0]["seed"])


def _settings(model: Any, plan: Plan, rows: Rows, n_epochs: int) -> dict[str, Any]:
    """What has to be the same for training to go on bit for bit; choices by their values, and as text to be read."""
    rows_of = {
        "dtype": str(np.dtype(rows.dtype)),
        "rows": rows.fingerprint,  # before the model, which may be measured on them
    }
    choices = {"model": model, "n_iter": n_epochs, **plan._asdict()}
    return {
        **rows_of,
        **{name: repr(value) for name, value in choices.items()},
        "identities": {name: fingerprint(value) for name, value in choices.items()},
    }


def _progress(state: State) -> dict[str, Any]:
    return {
        "shape": list(state.shape),
        "n_steps": state.n_steps,
        "first_step": state.first_step,
        "epoch": state.epoch,
        "finished": state.finished,
        "slowdown": state.slowdown,
    }


def _arrays(state: State) -> dict[str, Array]:
    h, mu, lam, own = state.chains
    arrays = {"theta": state.theta, "h": h, "mu": mu, "lam": lam}
    arrays |= {f"memory.{i}": x for i, x in enumerate(state.memory)}
    arrays |= {f"own.{i}": x for i, x in enumerate(own)}
    arrays |= {f"history.{name}": _numbers(x) for name, x in state.history.items()}
    arrays |= {f"marginals.{i}": x for i, x in enumerate(state.marginals)}
    arrays |= {f"kept.{name}": x for name, x in state.kept.items()}
    for layer, named in state.bounds.items():
        for name, (low, high) in named.items():
            arrays |= {f"low.{layer}.{name}": low, f"high.{layer}.{name}": high}
    return arrays if state.origin is None else {**arrays, "origin": state.origin}


def _numbers(values: list[float]) -> Array:
    """Whole numbers as such, for they are counts; everything else in double precision."""
    x = np.asarray(values)
    return x if x.dtype.kind == "i" else x.astype(np.float64)


def _from_arrays(model: Any, header: dict[str, Any], arrays: dict[str, Array]) -> State:
    def group(prefix: str) -> dict[str, Array]:
        start = prefix + "."
        return {k.removeprefix(start): x for k, x in arrays.items() if k.startswith(start)}

    bounds: Bounds = {}
    high = group("high")
    for name, low in group("low").items():
        layer, field_name = name.split(".")
        bounds.setdefault(layer, {})[field_name] = (low, high[name])
    return State(
        model,
        tuple(header["shape"]),
        arrays["theta"],
        tuple(group("memory").values()),
        ChainState(arrays["h"], arrays["mu"], arrays["lam"], tuple(group("own").values())),
        bounds,
        arrays.get("origin"),
        header["n_steps"],
        {name: x.tolist() for name, x in group("history").items()},
        tuple(group("marginals").values()),
        group("kept"),
        header["first_step"],
        header["epoch"],
        header["finished"],
        header["slowdown"],
    )
