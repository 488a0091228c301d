"""A machine as a layer of a stack: what stacks and networks ask of one.

The argument `self` is the machine.
"""

import copy
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.layers import LayeredParameters
from ebm.pretraining import Layer, Machine, naming
from ebm.sklearn_compat._shared import _learning as learning
from ebm.sklearn_compat._shared._course import warn_constant
from ebm.sklearn_compat._shared._density import Density
from ebm.sklearn_compat._shared._validation import column_names
from ebm.units import Unit


def model_of(self: Any) -> Bipartite:
    """The units of the two layers, fitted or not."""
    model: Bipartite = self._model()
    return model


def as_pair(self: Any) -> tuple[Bipartite, BipartiteParameters]:
    """The model and the parameters that the fitted attributes hold."""
    return self._model(), self._params()


def density_of(self: Any) -> Density:
    """The distribution of the fitted attributes."""
    density: Density = self._density()
    return density


def recognition_of(self: Any) -> list[tuple[Unit, tuple[Array, Array]]]:
    """The hidden units of a machine, or of each layer of a stack, and the weights and biases of their inputs."""
    found: list[tuple[Unit, tuple[Array, Array]]] = self._recognition()
    return found


def generation_of(self: Any) -> list[tuple[Unit, tuple[Array, Array]]]:
    """The units below each hidden layer of a machine or stack, and the weights and biases of their inputs.

    The weights (units above, units below) multiply the states of all types of units.
    """
    if hasattr(self, "_generation"):
        found: list[tuple[Unit, tuple[Array, Array]]] = self._generation()
        return found
    if hasattr(self, "rbms_"):
        units = [model_of(rbm).visible for rbm in self.rbms_]
        downward = zip(self.generative_components_, self.generative_intercepts_, strict=True)
        return list(zip(units, downward, strict=True))
    model, params = as_pair(self)
    arrays, (unit, hidden) = model.arrays(params), model.unit_layers(params)["hidden"]
    W = unit.statistic(hidden, arrays["weights"])
    return [(model.visible, (np.ascontiguousarray(W.T), arrays["intercept_visible"]))]


def entitle(self: Any, title: str, columns: Array | None) -> None:
    """Give a machine the title under which its learning is shown, and the names of its features."""
    self._title = title
    name_columns(self, columns)


def name_columns(self: Any, columns: Array | None) -> None:
    """Give an estimator the names of the features that another has seen, for its messages."""
    if columns is not None:
        self._columns = columns


def to_go_on(self: Any, settings: Any) -> Any:
    """A copy to go on with, with the parameters and the title of an unfitted machine."""
    machine = copy.copy(self).set_params(**settings.get_params(deep=False))
    machine.__dict__["_title"] = vars(settings)["_title"]
    learning.check_size(machine)
    return machine


def with_parameters(self: Any, params: BipartiteParameters | LayeredParameters) -> Any:
    """A copy of the machine with other parameters."""
    machine = copy.copy(self)
    for name, x in self._named(params).items():
        setattr(machine, name, x)
    return machine


def learner(self: Any, name: str, go_on: bool) -> Machine:
    """The machine as the core trains it, from where it has come to if it is to `go_on`."""
    with naming(name):
        lesson, course, model = self._lesson(go_on), self._course, self._model()
        plan = lesson.plan(course.seed_for(lesson))
        state = course.resumed(model, lesson.standing, plan) if lesson.standing else None
    watched = lesson.watch.watched
    return Machine(name, model, plan, lesson.n_hidden, lesson.n_epochs, state, watched)


def keep(self: Any, machine: Machine, layer: Layer) -> str:
    """Turn the layer that the machine has become into fitted attributes; why it did not come to its end, or ''."""
    state, n_rows, message = layer
    if machine.state is None:
        self.n_features_in_ = state.shape[0]
        if n_rows > 1:  # of one row nothing is known to be constant
            warn_constant(state, self._title, column_names(self))
    course = self._course
    learning.keep(self, course.learned(state, machine.plan, message, course.n_draws))
    return f"{machine.name}, {type(self).__name__}: {message}" if message else ""
