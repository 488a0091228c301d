"""How a stack of machines learns, layer by layer: each on what the layer below makes of the data."""

import copy
from itertools import pairwise
from numbers import Integral
from typing import Any, ClassVar

from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions

from ebm._checks import Array
from ebm.energies.belief_network import Directed
from ebm.pretraining import Labels, Layer, Machine, Propagation, naming, pretrain, update_each
from ebm.sklearn_compat._shared._course import warn_constant
from ebm.sklearn_compat._shared._learning import check_size, count_hidden
from ebm.sklearn_compat._shared._learning import keep as keep_learned
from ebm.sklearn_compat._shared._settings import Number
from ebm.sklearn_compat._shared._validation import (
    check_repetitions,
    check_rows,
    check_weights,
    column_names,
    warn_outside,
    warn_user,
)
from ebm.sklearn_compat.deep._layers import NestedLayers, layer_name, same_units
from ebm.sklearn_compat.deep._stack import Stack, chosen_layers
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.training import INTERRUPTED

Ways = tuple[tuple[Directed, ...], tuple[Directed, ...]]
TIED: Ways = ((), ())


class Greedy(NestedLayers, Stack):
    """Stacks that learn from the lowest layer up (abstract)."""

    propagate: str
    start: str = "random"
    warm_start: bool
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "layers": [list, tuple],
        "propagate": [StrOptions({"mean", "sample"})],
        "features": [
            StrOptions({"top", "all"}),
            Number(Integral, 1, None, closed="left"),
            list,
            tuple,
        ],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
    }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        return tags

    def _check_data(self, X: Any, sample_weight: Any, go_on: bool) -> tuple[Any, Array | None]:
        """Rows to learn from and their weights."""
        X = check_rows(self, X, reset=not go_on, order="C")
        return X, check_weights(sample_weight, X)

    def _machines(self, seed: int) -> list[BaseRBM]:
        """Unfitted machines for all layers, and what is shown of their learning."""
        machines = self._new_machines(seed)
        chosen_layers(self.features, len(machines))
        for k, machine in enumerate(machines):
            machine._title = f"{type(self).__name__} {layer_name(k)}"
            machine.verbose = max(machine.verbose, self.verbose)
        machines[0]._columns = column_names(self)
        return machines

    # Layer by layer

    def _learn_layers(
        self,
        X: Any,
        weights: Array | None,
        seed: int,
        go_on: bool,
        labels: Labels | None = None,
    ) -> list[str]:
        """Train the layers and keep them; what did not come to its end is returned, to be told.

        Layers that there are already stay as they are if more have been added on top of them, else each goes on. After
        an interrupt the layers above the one in which it happened are those that there were, if any.
        """
        check_repetitions(weights)
        machines = self._machines(seed)
        self._check_start(machines, X.shape[1])
        known = self._known(machines) if go_on else []
        kept = len(known) if len(machines) > len(known) else 0
        below = self._steps_up() if kept else []
        learning = [*known[kept:], *machines[len(known) :]]
        if not kept:
            warn_outside(learning[0]._model().visible, seen_by_first(learning, X, labels))
        learners = [
            learner(rbm, layer_name(k), k < len(known)) for k, rbm in enumerate(learning, kept)
        ]
        found = pretrain(
            learners,
            X,
            weights,
            Propagation(self.propagate == "sample", seed),
            below=below,
            labels=labels,
            transposed=self.start == "transposed",
        )
        stopped = keep(learning, learners, found.layers)
        n_learned = kept + len(found.layers)
        if found.interrupted:
            stopped.append(f"{layer_name(n_learned)}: {INTERRUPTED}")
        self.rbms_ = [*known[:kept], *learning[: len(found.layers)], *known[n_learned:]]
        self._directed = self._directed if kept else TIED
        return stopped

    def _known(self, machines: list[BaseRBM]) -> list[BaseRBM]:
        """Copies of the machines to go on from, with the parameters of the unfitted ones."""
        known = []
        for k, (fitted, fresh) in enumerate(zip(self.rbms_, machines, strict=False)):
            before, after = fitted._model(), fresh._model()
            if type(fitted) is not type(fresh) or not same_units(before, after):
                raise ValueError(
                    f"{layer_name(k)} is {type(fresh).__name__} of {after.visible!r} and {after.hidden!r}, but the "
                    f"layer to go on from is {type(fitted).__name__} of {before.visible!r} and {before.hidden!r}. Fit "
                    "anew (warm_start=False) to change it."
                )
            machine = copy.copy(fitted).set_params(**fresh.get_params(deep=False))
            machine._title = fresh._title
            with naming(layer_name(k)):
                check_size(machine)
            known.append(machine)
        return known

    def _check_start(self, machines: list[BaseRBM], n_features: int) -> None:
        """Refuse machines that cannot begin with the layer below turned over, if they are to."""
        if self.start == "random":
            return
        sizes = [n_features, *(count_hidden(machine) for machine in machines)]
        for k, (below, machine) in enumerate(pairwise(machines)):
            visible, hidden = below._model().visible, machine._model().hidden
            if type(hidden) is not type(visible):
                raise ValueError(
                    f"start={self.start!r} makes hidden units of {layer_name(k + 1)} from the visible units of the "
                    f"layer below, but these are {visible!r} and those {hidden!r}. Set start='random'."
                )
            if sizes[k + 2] < sizes[k]:
                raise ValueError(
                    f"start={self.start!r} takes {sizes[k]} hidden units in {layer_name(k + 1)}, as many as the layer "
                    f"below has visible ones. Got {sizes[k + 2]}. Give it more, or set start='random'."
                )

    # One update of every layer

    def _update_layers(
        self,
        X: Any,
        weights: Array | None,
        seed: int,
        first: bool,
        labels: Labels | None = None,
    ) -> list[str]:
        """Make one update of every layer, from the lowest up, each seeing what the updated layer below makes of `X`."""
        machines = self._machines(seed)
        if not first and len(machines) != len(self.rbms_):
            raise ValueError(
                f"layers holds {len(machines)} layers, but the model to go on from has {len(self.rbms_)}. Call fit, "
                "with warm_start=True to keep what there is."
            )
        machines = machines if first else self._known(machines)
        warn_outside(machines[0]._model().visible, seen_by_first(machines, X, labels))
        learners = [learner(rbm, layer_name(k), not first) for k, rbm in enumerate(machines)]
        way = Propagation(self.propagate == "sample", seed, learners[0].n_steps)
        stopped = keep(machines, learners, update_each(learners, X, weights, way, labels))
        self.rbms_, self._directed = machines, TIED
        return stopped

    def _tell(self, stopped: list[str]) -> None:
        """Warn of stages that did not come to their end."""
        if stopped:
            warn_user(f"{type(self).__name__}: {'; '.join(stopped)}.", ConvergenceWarning)


def seen_by_first(machines: list[BaseRBM], X: Any, labels: Labels | None) -> Any:
    """The rows that the lowest machine sees: those with a label, and the labels, where it is also the last."""
    return X if labels is None or len(machines) > 1 else labels.beside(X, None)[0]


def learner(rbm: BaseRBM, name: str, go_on: bool) -> Machine:
    """The machine as the core trains it, from where it has come to if it is to `go_on`."""
    with naming(name):
        lesson, course, model = rbm._lesson(go_on), rbm._course, rbm._model()
        plan = lesson.plan(course.seed_for(lesson))
        state = course.resumed(model, lesson.standing, plan) if lesson.standing else None
    watched = lesson.watch.watched
    return Machine(name, model, plan, lesson.n_hidden, lesson.n_epochs, state, watched)


def keep(rbms: list[BaseRBM], learners: list[Machine], layers: list[Layer]) -> list[str]:
    """Turn what the machines have learned into their fitted attributes; what did not come to its end."""
    stopped = []
    for rbm, machine, (state, n_rows, message) in zip(rbms, learners, layers, strict=False):
        if machine.state is None:
            rbm.n_features_in_ = state.shape[0]
            if n_rows > 1:  # of one row nothing is known to be constant
                warn_constant(state, rbm._title, column_names(rbm))
        course = rbm._course
        keep_learned(rbm, course.learned(state, machine.plan, message, course.n_draws))
        stopped += [f"{machine.name}, {type(rbm).__name__}: {message}"] if message else []
    return stopped
