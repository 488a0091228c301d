"""How a stack of machines learns, layer by layer: each on what the layer below makes of the data.

The argument `self` is the stack; acts of learning return what did not come to its end.
"""

from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._flat import dtype_of
from ebm._sparse import as_dtype, dense, row_blocks
from ebm.energies.belief_network import Directed
from ebm.pretraining import (
    Labels,
    Layer,
    Machine,
    Propagation,
    conditional_labels,
    pretrain,
    update_each,
)
from ebm.sklearn_compat._shared._validation import (
    check_repetitions,
    column_names,
    warn_outside,
)
from ebm.sklearn_compat.deep._layers import (
    check_turned,
    chosen_layers,
    known_machines,
    layer_name,
    new_machines,
)
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.sklearn_compat.rbm._layer import entitle, keep, learner, model_of, with_parameters
from ebm.training import INTERRUPTED

Ways = tuple[tuple[Directed, ...], tuple[Directed, ...]]
TIED: Ways = ((), ())


def machines_for(self: Any, X: Any, seed: int, labels: Labels | None) -> list[BaseRBM]:
    """Unfitted machines for all layers, and how their learning is shown."""
    n_labels = 0 if labels is None else labels.columns.shape[1]
    machines = new_machines(self.layers, seed, X.shape[1], n_labels)
    chosen_layers(self.features, len(machines))
    for k, machine in enumerate(machines):
        columns = None if k else column_names(self)
        entitle(machine, f"{type(self).__name__} {layer_name(k)}", columns)
        machine.verbose = max(machine.verbose, self.verbose)
    return machines


def learn_layers(
    self: Any, X: Any, weights: Array | None, seed: int, go_on: bool, labels: Labels | None
) -> list[str]:
    """Train the layers one after the other, and keep them.

    Layers that there are already stay as they are if more have been added on top of them, else each goes on. After
    an interrupt the layers above the one in which it happened are those that there were, if any.
    """
    check_repetitions(weights)
    machines = machines_for(self, X, seed, labels)
    start = getattr(self, "start", "random")
    check_turned(start, machines, X.shape[1])
    known = known_machines(self.rbms_, machines) if go_on else []
    kept = len(known) if len(machines) > len(known) else 0
    below = self._steps_up() if kept else []
    learning = [*known[kept:], *machines[len(known) :]]
    if not kept:
        warn_outside(model_of(learning[0]).visible, seen_by_first(learning, X, labels))
    learners = [learner(rbm, layer_name(k), k < len(known)) for k, rbm in enumerate(learning, kept)]
    found = pretrain(
        learners,
        X,
        weights,
        Propagation(self.propagate == "sample", seed),
        below=below,
        labels=labels,
        transposed=start == "transposed",
    )
    stopped = keep_all(learning, learners, found.layers)
    n_learned = kept + len(found.layers)
    if found.interrupted:
        stopped.append(f"{layer_name(n_learned)}: {INTERRUPTED}")
    self.rbms_ = [*known[:kept], *learning[: len(found.layers)], *known[n_learned:]]
    self._directed = self._directed if kept else TIED
    return stopped


def update_layers(
    self: Any, X: Any, weights: Array | None, seed: int, first: bool, labels: Labels | None
) -> list[str]:
    """Make one update of every layer, from the lowest up, each seeing what the updated layer below makes of `X`."""
    machines = machines_for(self, X, seed, labels)
    if not first and len(machines) != len(self.rbms_):
        raise ValueError(
            f"layers holds {len(machines)} layers, but the model to go on from has {len(self.rbms_)}. Call fit, "
            "with warm_start=True to keep what there is."
        )
    machines = machines if first else known_machines(self.rbms_, machines)
    warn_outside(model_of(machines[0]).visible, seen_by_first(machines, X, labels))
    learners = [learner(rbm, layer_name(k), not first) for k, rbm in enumerate(machines)]
    way = Propagation(self.propagate == "sample", seed, learners[0].n_steps)
    stopped = keep_all(machines, learners, update_each(learners, X, weights, way, labels))
    self.rbms_, self._directed = machines, TIED
    return stopped


def seen_by_first(machines: list[BaseRBM], X: Any, labels: Labels | None) -> Any:
    """The rows that the lowest machine sees: those with a label, and the labels, where it is also the last."""
    return X if labels is None or len(machines) > 1 else labels.beside(X, None)[0]


def keep_all(rbms: list[BaseRBM], learners: list[Machine], layers: list[Layer]) -> list[str]:
    """Turn the layers into fitted attributes of the machines; what did not come to its end."""
    messages = [keep(*each) for each in zip(rbms, learners, layers, strict=False)]
    return [message for message in messages if message]


def learn_label_weights(self: Any, X: Any, weights: Array | None, labels: Labels) -> None:
    """Give the joint machine, if it has learned, the label weights that predict the known labels best."""
    model, params = self._network()
    if not model.n_labels:
        return
    known, dtype = labels.known, dtype_of(params)
    blocks = [as_dtype(block, dtype) for block in row_blocks(X[known])]
    x = np.concatenate([dense(model.features_above(params, block)) for block in blocks])
    weights = None if weights is None else weights[known]
    top = conditional_labels(model.top_model, params.top, x, labels.columns[known], weights)
    self.rbms_[-1] = with_parameters(self.rbms_[-1], top)
