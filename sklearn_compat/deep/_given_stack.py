"""Stacks of given machines: what `from_parameters` does with them. The argument `self` is the stack."""

import copy
from typing import Any

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ebm._checks import sequence
from ebm.sklearn_compat._shared._course import Course
from ebm.sklearn_compat._shared._validation import draw_seed
from ebm.sklearn_compat.deep._greedy import TIED
from ebm.sklearn_compat.deep._layers import check_joints, layer_name
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.sklearn_compat.rbm._layer import as_pair, model_of
from ebm.units import Bernoulli, Categorical


def given_machines(rbms: Any, argument: str = "rbms") -> list[BaseRBM]:
    """The fitted machines of a list; ValueError or NotFittedError where they are none."""
    machines = sequence(rbms, argument, "fitted RBM estimators")
    if not machines or not all(isinstance(rbm, BaseRBM) for rbm in machines):
        raise ValueError(f"{argument} must hold fitted RBM estimators, at least one. Got {rbms!r}.")
    for rbm in machines:
        check_is_fitted(rbm, "components_")
    return machines


def take_machines(self: Any, machines: list[BaseRBM], n_labels: int) -> None:
    """Become the stack of copies of the machines, the topmost of which sees the labels besides."""
    sizes = [model.shape(params) for model, params in map(as_pair, machines)]
    wanted = [n_hidden for _, n_hidden in sizes[:-1]]
    got = [n_visible for n_visible, _ in sizes[1:]]
    if n_labels and got:
        wanted[-1] += n_labels
    for k, (below, above) in enumerate(zip(wanted, got, strict=True)):
        if below != above:
            raise ValueError(
                f"rbms: {layer_name(k + 1)} has {above} visible units, but the layer below and the classes make "
                f"{below}."
            )
    self.rbms_, self._directed = [copy.deepcopy(rbm) for rbm in machines], TIED
    self._course = Course(draw_seed(self.random_state))
    self.n_features_in_ = sizes[0][0] - (0 if len(machines) > 1 else n_labels)


def check_joint_machine(machines: list[BaseRBM], n_classes: int) -> None:
    """ValueError where the topmost machine does not see the labels of so many classes beside the layer below."""
    check_joints(machines[:-1])
    below = [model_of(rbm).hidden for rbm in machines[-2:-1]]
    if not all(isinstance(unit, Bernoulli) for unit in below):
        raise ValueError(
            f"rbms: the machine below the topmost one must have binary hidden units. Got {below[0]!r}."
        )
    unit = model_of(machines[-1]).visible
    if getattr(unit, "units", ()) != (Bernoulli(), Categorical((n_classes,))):
        raise ValueError(
            f"rbms: the topmost machine must have visible=[('bernoulli', n), (Categorical(({n_classes},)), "
            f"{n_classes})], the label units beside n binary ones. Got {unit!r}."
        )


def as_layer(joint: BaseRBM) -> Any:
    """The machine that becomes the joint one where label units are put beside its visible ones."""
    return clone(joint).set_params(visible="bernoulli")
