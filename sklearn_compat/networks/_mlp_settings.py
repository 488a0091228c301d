"""The parameters of multi-layer perceptrons: their possible values, and the records of the core that they mean."""

from collections.abc import Callable, Hashable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils._param_validation import HasMethods, Options, StrOptions

from ebm import training
from ebm._arrays import as_array
from ebm._checks import Array, by_value, check_real, resolve, shown
from ebm.gradients.back_propagation import BackPropagation
from ebm.monitors import Plateau
from ebm.networks import feed_forward
from ebm.networks.growth import growth_record
from ebm.networks.initializations import INITIALIZATIONS, initialization_record
from ebm.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Adam,
    Constant,
    InverseScaling,
    Momentum,
    Nesterov,
    Optimizer,
    Regularization,
    Schedule,
    regularization_record,
)
from ebm.sklearn_compat._shared._settings import RECORD, ListWith, Number
from ebm.sklearn_compat._shared._validation import warn_user
from ebm.sklearn_compat.networks._pretraining import Start, activations_after, sizes_after

# Learning rate of "adaptive", each time that learning comes to a halt: as in scikit-learn.
ADAPTIVE = 0.2
# Settings that only perceptrons have.
OF_PERCEPTRONS = ("growth", "mean_field_inputs")
# Settings that the layers and the loss are made of.
LAYOUT = (
    *("hidden_layer_sizes", "activation", "dropout", "batch_norm", "loss"),
    *("decoder_layer_sizes", "tied", "corruption", "sparsity", "contraction", "code_noise"),
    *("supervision", "mean_field_inputs"),
)


def _solver_record(value: object) -> Optimizer:
    return resolve(value, OPTIMIZERS, Optimizer, "solver")  # type: ignore[type-abstract]


def _rate_record(value: object) -> Schedule:
    return resolve(value, SCHEDULES, Schedule, "learning_rate")  # type: ignore[type-abstract]


SETTINGS: dict[str, list[Any]] = {
    "growth": [RECORD, None],
    "hidden_layer_sizes": [
        "array-like",
        Number(Integral, 1, None, closed="left"),
        StrOptions({"auto"}),
    ],
    "activation": [StrOptions({"auto", *feed_forward.FUNCTIONS}), RECORD, list, tuple],
    "pretraining": [HasMethods(["fit", "get_params"]), ListWith(["fit", "get_params"]), None],
    "solver": [StrOptions({"lbfgs", *OPTIMIZERS}), RECORD],
    "alpha": [Number(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Number(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive", *SCHEDULES}), RECORD],
    "learning_rate_init": [Number(Real, 0, None, closed="neither")],
    "power_t": [Number(Real, 0, None, closed="left")],
    "max_iter": [Number(Integral, 0, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Number(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Number(Real, 0, 1, closed="left")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Number(Real, 0, 1, closed="left")],
    "beta_1": [Number(Real, 0, 1, closed="left")],
    "beta_2": [Number(Real, 0, 1, closed="left")],
    "epsilon": [Number(Real, 0, None, closed="neither")],
    "n_iter_no_change": [Number(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
    "max_fun": [Number(Integral, 1, None, closed="left")],
    "init": [StrOptions(set(INITIALIZATIONS)), RECORD],
    "dropout": [Number(Real, 0, 1, closed="left"), "array-like"],
    "batch_norm": ["boolean"],
    "mean_field_inputs": ["boolean"],
    "regularization": [RECORD, None],
    "callbacks": [list, tuple, callable, None],
}
RECORDS: dict[str, Callable[[object], Any]] = {
    "growth": growth_record,
    "solver": _solver_record,
    "learning_rate": _rate_record,
    "regularization": regularization_record,
    "init": initialization_record,
}


# The argument `self` is the estimator.


def asked_layout(self: Any) -> dict[str, tuple[Hashable, str]]:
    """The settings that the network is made of: their values, and as text."""
    asked = {name: getattr(self, name) for name in LAYOUT if hasattr(self, name)}
    return {name: (by_value(value), repr(value)) for name, value in asked.items()}


def check_layout(self: Any) -> None:
    """Refuse to go on with a network that was made of other settings than these, or by hand."""
    if not hasattr(self, "_layout"):
        raise ValueError(
            "coefs_ were set by hand, but there is no network yet. Lay it out by set_params(max_iter=0).fit(X, y) "
            "before setting coefs_ and intercepts_."
        )
    for name, value in asked_layout(self).items():
        made = self._layout.get(name, value)
        if value[0] != made[0]:
            raise ValueError(
                f"{name} is {value[1]}, but the network to go on from was made with {made[1]}. Fit anew "
                "(warm_start=False) to change it."
            )


def network_for(self: Any, start: Start, n_in: int, n_outputs: int) -> Any:
    """The network of the settings, from where the pre-training has come to."""
    sizes = sizes_after(start, self.hidden_layer_sizes)
    activations = activations_after(start, self.activation, len(sizes))
    hidden = feed_forward.Architecture(
        sizes, activations, dropouts_of(self, len(sizes)), self.batch_norm, self.init
    )
    return feed_forward.perceptron(n_in, hidden, n_outputs, self._loss())


def dropouts_of(self: Any, n_layers: int) -> tuple[float, ...]:
    """Of the inputs and of each hidden layer; one number is for the hidden layers."""
    if isinstance(self.dropout, Real):
        return (0.0, *[float(self.dropout)] * n_layers)
    given = as_array(self.dropout, "dropout")
    if given.ndim != 1 or given.dtype.kind not in "iuf":
        raise ValueError(
            f"dropout must be a number or a list of numbers. Got {shown(self.dropout)}."
        )
    shares = tuple(check_real(x, "dropout", 0.0, 1.0, open_high=True) for x in given.tolist())
    if len(shares) != n_layers + 1:
        raise ValueError(
            f"dropout has {len(shares)} entries: give one number, or {n_layers + 1}, for the inputs and each of "
            f"{n_layers} hidden layers."
        )
    return shares


def is_plain(self: Any) -> bool:
    """Whether the solver is stochastic descent by scikit-learn's own settings."""
    return isinstance(self.solver, str) and self.solver == "sgd"


def optimizer_of(self: Any) -> Optimizer:
    """The optimizer."""
    if self.solver == "adam":
        return Adam(self.beta_1, self.beta_2, self.epsilon, epsilon_hat=True)
    if not is_plain(self):
        return _solver_record(self.solver)
    if not self.momentum:
        return SGD()
    return Nesterov(self.momentum) if self.nesterovs_momentum else Momentum(self.momentum)


def schedule_of(self: Any, n_rows: int, incremental: bool) -> Schedule:
    """The course of the learning rate."""
    if self.learning_rate == "invscaling" and is_plain(self):
        return InverseScaling(n_rows, self.power_t, self.t_ if incremental else 0)
    if incremental or self.learning_rate in ("constant", "invscaling", "adaptive"):
        return Constant()
    return _rate_record(self.learning_rate)


def regularization_of(self: Any) -> Regularization:
    """Penalties and limits; ValueError for those that are for Boltzmann machines."""
    held = regularization_record(self.regularization)
    if held.dropout or held.sparsity_target is not None:
        raise ValueError(
            "regularization: dropout and sparsity_target are for Boltzmann machines. A network has the parameter "
            f"dropout. Got {held!r}."
        )
    return held


def plan_of(self: Any, seed: int, n_rows: int = 1, incremental: bool = False) -> training.Plan:
    """The plan of training on so many rows."""
    return training.Plan(
        BackPropagation(self.alpha, reconstructs=self._reconstructs),
        optimizer_of(self),
        schedule_of(self, n_rows, incremental),
        self.learning_rate_init,
        0.0,
        batch_size_of(self, n_rows),
        seed,
        regularization_of(self),
    )


def batch_size_of(self: Any, n_rows: int) -> int:
    """The size of a batch, at most that of the data."""
    if self.batch_size == "auto":
        return _automatic_batch(self._reconstructs, n_rows)
    if self.batch_size > n_rows:
        warn_user(
            f"batch_size={self.batch_size} is larger than the number of rows, {n_rows}, which is taken instead.",
            UserWarning,
        )
    return min(int(self.batch_size), n_rows)


def _automatic_batch(reconstructs: bool, n_rows: int) -> int:
    """As in scikit-learn, or for rows that are their own targets so that an epoch has 16 updates or more."""
    return min(100, max(8, n_rows // 16), n_rows) if reconstructs else min(200, n_rows)


def plateau_of(self: Any, by_score: bool) -> Plateau:
    """The callback that ends training where it no longer helps: the score of held-out rows, or the loss."""
    return Plateau(
        "validation_score" if by_score else "loss",
        rises=by_score,
        tol=self.tol,
        patience=self.n_iter_no_change,
        slowdown=ADAPTIVE if is_plain(self) and self.learning_rate == "adaptive" else None,
    )


def put_aside(n_rows: int, share: float, seed: int, strata: Array | None) -> tuple[Array, Array]:
    """Numbers of the rows that stay, and of a share of them that is put aside."""
    try:
        parts: list[Array] = train_test_split(
            np.arange(n_rows), random_state=seed, test_size=share, stratify=strata
        )
    except ValueError as error:  # a part is empty, or has not a row of each class
        cure = "Decrease" if share > 0.5 else "Increase"
        raise ValueError(
            f"validation_fraction={share} leaves too few rows on one side: {str(error).rstrip('.')}. {cure} "
            "validation_fraction, or train on more rows."
        ) from error
    kept, aside = parts
    check_parts(share, len(kept), len(aside))
    return kept, aside


def check_parts(share: float, n_kept: float, n_aside: float) -> None:
    """Refuse a share of rows that leaves nothing to train on, or not two rows to stop by."""
    if n_aside < 2:
        raise ValueError(
            f"The validation set is too small: validation_fraction={share} leaves {n_aside:g} rows to stop by. "
            "Increase validation_fraction, or train on more rows."
        )
    if not n_kept:
        raise ValueError(
            f"validation_fraction={share} leaves no rows to train on. Decrease validation_fraction, or train on more "
            "rows."
        )
