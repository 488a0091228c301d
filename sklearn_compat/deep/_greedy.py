"""How a stack of machines learns, layer by layer: each on what the layer below makes of the data."""

import copy
from functools import partial
from itertools import pairwise
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import StrOptions

from ebm._batches import Redrawn
from ebm._checks import Array
from ebm._random import fold, stream
from ebm._sparse import as_dtype, row_blocks
from ebm.energies.belief_network import Directed
from ebm.energies.bipartite import Bipartite
from ebm.sklearn_compat._shared._settings import NestedSettings, Number
from ebm.sklearn_compat._shared._trained import ALONE, Place
from ebm.sklearn_compat._shared._validation import (
    check_repetitions,
    check_rows,
    check_weights,
    column_names,
    warn_user,
)
from ebm.sklearn_compat.deep._extra import Extra
from ebm.sklearn_compat.deep._layers import NestedLayers, layer_name, naming, same_units
from ebm.sklearn_compat.deep._stack import (
    Stack,
    Step,
    chosen_layers,
    draws_up,
    means_up,
    states_up,
)
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.training import INTERRUPTED

# Numbers of the stream "positive" from which the states that go up are drawn.
PROPAGATION = 1 << 42

Ways = tuple[tuple[Directed, ...], tuple[Directed, ...]]
TIED: Ways = ((), ())


class Greedy(NestedLayers, NestedSettings, Stack, BaseEstimator):
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
        extra: Extra | None = None,
    ) -> list[str]:
        """Train the layers and keep them; what did not come to its end is returned, to be told.

        The topmost layer sees the columns of `extra` beside what the others make of `X`.

        Layers that there are already stay as they are if more have been added on top of them, else each goes on. After
        an interrupt the layers above the one in which it happened are those that there were, if any.
        """
        check_repetitions(weights)
        machines = self._machines(seed)
        self._check_start(machines, X.shape[1])
        known = self._known(machines) if go_on else []
        kept = len(known) if len(machines) > len(known) else 0
        steps = self._steps_up() if kept else []
        rbms, stopped, data = known[:kept], [], X
        try:
            for k, step in enumerate(steps):
                X = self._climb(step, X, seed, k)
            for k in range(kept, len(machines)):
                if extra is not None and k + 1 == len(machines):
                    X, weights = extra.beside(X, weights)
                    data = data[extra.known]
                rbm = known[k] if k < len(known) else machines[k]
                with naming(layer_name(k)):
                    said = rbm._fit(X, weights, k < len(known), self._place(data, steps))
                rbms.append(rbm)
                stopped += [f"{layer_name(k)}, {type(rbm).__name__}: {said}"] if said else []
                if said == INTERRUPTED:
                    break
                if k + 1 < len(machines):
                    steps.append((rbm._model(), rbm._params()))
                    X = self._climb(steps[-1], X, seed, k)
        except KeyboardInterrupt:  # between two layers
            if not rbms:
                raise
            stopped.append(f"{layer_name(len(rbms))}: {INTERRUPTED}")
        self.rbms_ = rbms + known[len(rbms) :]
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
                machine._check_size()
            known.append(machine)
        return known

    def _check_start(self, machines: list[BaseRBM], n_features: int) -> None:
        """Refuse machines that cannot begin with the layer below turned over, if they are to."""
        if self.start == "random":
            return
        sizes = [n_features, *(machine._count_hidden() for machine in machines)]
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

    def _place(self, data: Any, steps: list[Step]) -> Place:
        """The place of a machine on top of the `steps` that lead up from the `data`.

        States are drawn anew for every epoch. A machine with many hidden units otherwise learns the one draw by heart.
        """
        place = ALONE
        if not steps:
            return place
        if self.propagate == "sample":
            draw = partial(draws_up, tuple(steps))
            place = place._replace(rows_of=partial(Redrawn, source=data, draw=draw))
        if self.start == "transposed":
            place = place._replace(change=partial(Bipartite.above, below=steps[-1][1]))
        return place

    def _climb(self, step: Step, X: Any, seed: int, k: int, turn: int = 0) -> Array:
        """What layer `k` makes of rows of the layer below: their means, or one draw of states for each `turn`."""
        key = fold(fold(stream(seed, "positive"), PROPAGATION + k), turn)
        dtype = step[1].W.dtype
        parts = []
        for block in row_blocks(X):
            rows = as_dtype(block, dtype)
            mean = self.propagate == "mean"
            parts.append(means_up([step], rows)[0] if mean else states_up(step, rows, key))
        return np.concatenate(parts)

    # One update of every layer

    def _update_layers(
        self,
        X: Any,
        weights: Array | None,
        seed: int,
        first: bool,
        extra: Extra | None = None,
    ) -> list[str]:
        """Make one update of every layer, from the lowest up, each seeing what the updated layer below makes of `X`."""
        machines = self._machines(seed)
        if not first and len(machines) != len(self.rbms_):
            raise ValueError(
                f"layers holds {len(machines)} layers, but the model to go on from has {len(self.rbms_)}. Call fit, "
                "with warm_start=True to keep what there is."
            )
        machines = machines if first else self._known(machines)
        stopped, turn = [], getattr(machines[0], "_n_steps", 0)
        for k, rbm in enumerate(machines):
            if extra is not None and k + 1 == len(machines):
                X, weights = extra.beside(X, weights)
                if not X.shape[0] and not first:
                    break
            with naming(layer_name(k)):
                said = rbm._update(X, weights)
            stopped += [f"{layer_name(k)}, {type(rbm).__name__}: {said}"] if said else []
            if k + 1 < len(machines):
                X = self._climb((rbm._model(), rbm._params()), X, seed, k, turn)
        self.rbms_, self._directed = machines, TIED
        return stopped

    def _tell(self, stopped: list[str]) -> None:
        """Warn of stages that did not come to their end."""
        if stopped:
            warn_user(f"{type(self).__name__}: {'; '.join(stopped)}.", ConvergenceWarning)
