"""Optimizers: updates of a flat parameter vector, with clipping and penalties, and schedules of the learning rate."""

from ebm._checks import resolve
from ebm.optimizers.adaptive import AdaDelta, AdaGrad, Adam, Nadam, RMSProp
from ebm.optimizers.base import Optimizer, UpdateLimits
from ebm.optimizers.normalized import NormalizedMomentum
from ebm.optimizers.regularization import Regularization
from ebm.optimizers.schedules import (
    SCHEDULES,
    Constant,
    Exponential,
    Inverse,
    InverseScaling,
    Linear,
    Schedule,
)
from ebm.optimizers.sgd import SGD, Momentum, Nesterov

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "adadelta": AdaDelta,
    "adam": Adam,
    "nadam": Nadam,
}

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "Constant",
    "Exponential",
    "Inverse",
    "InverseScaling",
    "Linear",
    "Momentum",
    "Nadam",
    "Nesterov",
    "NormalizedMomentum",
    "Optimizer",
    "RMSProp",
    "Regularization",
    "Schedule",
    "UpdateLimits",
    "optimizer_record",
    "regularization_record",
    "schedule_record",
]


def optimizer_record(value: object) -> Optimizer:
    """The optimiser that a name or a record stands for."""
    return resolve(value, OPTIMIZERS, Optimizer, "optimizer")  # type: ignore[type-abstract]


def schedule_record(value: object) -> Schedule:
    """The schedule that a name or a record stands for."""
    return resolve(value, SCHEDULES, Schedule, "schedule")  # type: ignore[type-abstract]


def regularization_record(value: object) -> Regularization:
    """The regularisation that a record stands for; None stands for none."""
    if value is None:
        return Regularization()
    return resolve(value, {}, Regularization, "regularization")
