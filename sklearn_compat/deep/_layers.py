"""The layers of a stack as one parameter: machines or sizes, their names and seeds, and which may stand on which."""

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import _VisualBlock
from sklearn.utils.validation import check_array

from ebm._checks import Array, as_rows, sequence, shown
from ebm._random import Reserved, fold, stream
from ebm.energies.bipartite import Bipartite
from ebm.energies.side_by_side import SideBySide
from ebm.pretraining import naming
from ebm.sklearn_compat._shared._learning import count_hidden
from ebm.sklearn_compat._shared._validation import FLOATS
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.sklearn_compat.rbm._bernoulli_rbm import BernoulliRBM
from ebm.sklearn_compat.rbm._layer import model_of, to_go_on
from ebm.sklearn_compat.rbm._rbm import RBM
from ebm.units import Bernoulli, Categorical


def entries(layers: Any) -> list[tuple[str, Any]]:
    """Names and entries of `layers` as they were given; none where that is no list."""
    given = layers if isinstance(layers, list | tuple) else ()
    return [(layer_name(k), layer) for k, layer in enumerate(given)]


def sized(layer: Any) -> Any:
    """The entry, or the machine that a number of hidden units stands for."""
    return BernoulliRBM(int(layer)) if is_size(layer) else layer


def block_of(layers: Any, names: Sequence[str] | None = None) -> Any:
    """The HTML representation: one layer after the other, as in a Pipeline; with other `names` than their numbers."""
    named = entries(layers) if names is None else list(zip(names, layers, strict=True))
    machines = [sized(layer) for _, layer in named]
    details = [f"{name}: {type(x).__name__}" for (name, _), x in zip(named, machines, strict=True)]
    return _VisualBlock("serial", machines, names=details, name_details=[str(x) for x in machines])


def new_machines(
    layers: Any, seed: int, n_features: int, n_labels: int = 0, columns: bool = False
) -> list[BaseRBM]:
    """Unfitted machines for all layers, clones of those given, with seeds where they have none of their own.

    The last one has the units of `n_labels` classes beside its visible ones, if there are any. With `columns` the first
    may have visible units of several types. ValueError, with the name of the layer, for an entry that is no machine, or
    that cannot stand where it is.
    """
    if not layers:
        raise ValueError(
            "layers must hold RBM estimators or numbers of hidden units, at least one: layers=[256, 64], for "
            f"example. Got {layers!r}."
        )
    machines = []
    for k, (name, layer) in enumerate(entries(layers)):
        machine = as_machine(layer, name)
        with naming(name):
            machine._validate_params()
        if machine.random_state is None:
            machine.random_state = layer_seed(seed, k)
        machines.append(machine)
    check_joints(machines, columns)
    if not n_labels:
        return machines
    *lower, top = machines
    n_below = count_hidden(lower[-1]) if lower else n_features
    return [*lower, as_joint(top, n_below, n_labels, layer_name(len(lower)))]


def as_joint(machine: BaseRBM, n_below: int, n_classes: int, name: str) -> RBM:
    """The machine with a group of label units beside its `n_below` visible ones."""
    model = model_of(machine)
    if not isinstance(model.visible, Bernoulli):
        raise ValueError(
            f"layers: the visible units of {name}, {type(machine).__name__}, are {model.visible!r}, but the joint "
            f"machine sees binary features beside the label. Put a binary layer on top of binary hidden units: "
            f"layers=[..., {type(machine).__name__}(...), 256]."
        )
    names = RBM._get_param_names()
    settings = {name: x for name, x in machine.get_params(deep=False).items() if name in names}
    columns = [("bernoulli", n_below), (Categorical((n_classes,)), n_classes)]
    return RBM(**{**settings, "visible": columns, "hidden": model.hidden})


def known_machines(rbms: list[BaseRBM], machines: list[BaseRBM]) -> list[BaseRBM]:
    """Copies of the fitted machines `rbms` to go on from, with the parameters of the unfitted ones."""
    known = []
    for k, (fitted, fresh) in enumerate(zip(rbms, machines, strict=False)):
        before, after = model_of(fitted), model_of(fresh)
        if type(fitted) is not type(fresh) or not same_units(before, after):
            raise ValueError(
                f"{layer_name(k)} is {type(fresh).__name__} of {after.visible!r} and {after.hidden!r}, but the "
                f"layer to go on from is {type(fitted).__name__} of {before.visible!r} and {before.hidden!r}. Fit "
                "anew (warm_start=False) to change it."
            )
        with naming(layer_name(k)):
            known.append(to_go_on(fitted, fresh))
    return known


def check_turned(start: str, machines: list[BaseRBM], n_features: int) -> None:
    """Refuse machines that cannot begin with the layer below turned over, if they are to."""
    if start == "random":
        return
    sizes = [n_features, *(count_hidden(machine) for machine in machines)]
    for k, (below, machine) in enumerate(pairwise(machines)):
        visible, hidden = model_of(below).visible, model_of(machine).hidden
        if type(hidden) is not type(visible):
            raise ValueError(
                f"start={start!r} makes hidden units of {layer_name(k + 1)} from the visible units of the "
                f"layer below, but these are {visible!r} and those {hidden!r}. Set start='random'."
            )
        if sizes[k + 2] < sizes[k]:
            raise ValueError(
                f"start={start!r} takes {sizes[k]} hidden units in {layer_name(k + 1)}, as many as the layer "
                f"below has visible ones. Got {sizes[k + 2]}. Give it more, or set start='random'."
            )


def layer_name(k: int) -> str:
    """Name of entry `k` of the layers."""
    return f"layer{k + 1}"


def layer_seed(seed: int, k: int) -> int:
    """Seed of layer `k` in a stack with the integer `seed`; it does not depend on the other layers."""
    return fold(stream(seed, "init"), Reserved.LAYER_SEEDS.number + k).word0


def is_size(layer: Any) -> bool:
    """Whether this is a number of hidden units."""
    return isinstance(layer, Integral) and not isinstance(layer, bool | np.bool_)


def with_length(self: Any, layer: Any) -> Any:
    """A number of hidden units as a machine that learns as long as the estimator; anything else as it is."""
    if is_size(layer) and layer > 0:
        return BernoulliRBM(int(layer), n_iter=self.n_iter, batch_size=self.batch_size)
    return layer


def as_machine(layer: Any, name: str) -> BaseRBM:
    """The unfitted machine that an entry of `layers` stands for."""
    if is_size(layer) and layer > 0:
        return BernoulliRBM(int(layer))
    if isinstance(layer, BaseRBM):
        machine: BaseRBM = clone(layer)
        return machine
    if is_size(layer):
        raise ValueError(
            f"layers must hold positive numbers of hidden units. Got {layer} as {name}."
        )
    hint = ""
    if isinstance(layer, type) and issubclass(layer, BaseRBM):
        hint = f" Write {layer.__name__}()."
    elif type(layer).__name__ == "BernoulliRBM":
        hint = " Use ebm.BernoulliRBM, which has the same parameters."
    raise ValueError(
        "layers must hold RBM estimators (BernoulliRBM, GaussianRBM, RBM) or numbers of hidden units. "
        f"Got {layer!r} as {name}.{hint}"
    )


def check_joints(machines: list[BaseRBM], columns: bool = False) -> None:
    """ValueError where the hidden units of one machine are not what the visible ones of the next are.

    Only with `columns` may the first machine have visible units of several types.
    """
    for k, machine in enumerate([] if columns else machines[:1]):
        first = model_of(machine).visible
        if isinstance(first, SideBySide):
            raise ValueError(
                f"layers: {layer_name(k)}, {type(machine).__name__}, has columns of several types, {first!r}. Machines "
                "of a stack have one type of visible units: give it one, or use the machine by itself in a Pipeline."
            )
    for k, (lower, upper) in enumerate(pairwise(machines)):
        check_below(lower, layer_name(k), upper, layer_name(k + 1))


def check_below(lower: BaseRBM, below: str, upper: BaseRBM, above: str) -> None:
    """ValueError where the hidden units of the machine `below` are not what the visible ones of that `above` are."""
    hidden, visible = model_of(lower).hidden, model_of(upper).visible
    if type(hidden) is not type(visible):
        kind = type(hidden).__name__.lower()
        raise ValueError(
            f"layers: the hidden units of {below}, {type(lower).__name__}, are {hidden!r}, but {above}, "
            f"{type(upper).__name__}, has the visible units {visible!r}. They are the same units: give {above} "
            f"that type, RBM(..., visible={kind!r}), or {below} hidden units of the other."
        )


def same_units(one: Bipartite, other: Bipartite) -> bool:
    """Whether two models join units of the same types."""
    return type(one.visible) is type(other.visible) and type(one.hidden) is type(other.hidden)


def chosen_layers(features: Any, n_layers: int) -> list[int]:
    """Indices, from 0, of the layers that the parameter `features` names, from 1."""
    if isinstance(features, str):
        return list(range(n_layers)) if features == "all" else [n_layers - 1]
    numbers = [features] if is_size(features) else sequence(features, "features", "layers")
    if not numbers or not all(is_size(k) and 1 <= k <= n_layers for k in numbers):
        raise ValueError(
            f"features must be 'top', 'all', or name layers by numbers from 1 to {n_layers}. Got {features!r}."
        )
    return [int(k) - 1 for k in numbers]


def feature_rows(X: Any, n_columns: int, features: Any) -> Array:
    """`X` as rows of the means of the layers that the parameter `features` names: (n_samples, n_columns)."""
    argument = "X" if isinstance(features, str) else f"X, of the layers features={shown(features)},"
    return np.asarray(check_array(as_rows(X, n_columns, argument), input_name="X", dtype=FLOATS))
