"""A stack of machines as one parameter: nested names for its layers, and what may stand on what."""

from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import _VisualBlock

from ebm._random import fold, stream
from ebm.energies.bipartite import Bipartite
from ebm.energies.side_by_side import SideBySide
from ebm.pretraining import naming
from ebm.sklearn_compat.rbm._base import BaseRBM
from ebm.sklearn_compat.rbm._bernoulli_rbm import BernoulliRBM

# Seeds of layers are numbers of the stream "init" beyond those that a machine takes.
LAYER_SEEDS = 1 << 42


class NestedLayers:
    """The parameter `layers`, a list of machines or sizes, with the names ``layer1``, ``layer2``, ... for its entries.

    As in a Pipeline, ``layer2=RBM(32)`` replaces an entry and ``layer2__learning_rate=0.01`` reaches into it, which
    turns a size into its machine (abstract; in front of BaseEstimator).
    """

    layers: Any

    def _named_layers(self) -> list[tuple[str, Any]]:
        """Names and entries of `layers` as they were given; none where that is no list."""
        given = self.layers if isinstance(self.layers, list | tuple) else ()
        return [(layer_name(k), layer) for k, layer in enumerate(given)]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include those of the layers, as ``layer1``, ``layer1__learning_rate`` and so on.

        Returns
        -------
        params : dict
            Names and values.
        """
        params: dict[str, Any] = super().get_params(deep=deep)  # type: ignore[misc]
        for name, layer in self._named_layers() if deep else ():
            params[name] = layer
            if hasattr(layer, "get_params") and not isinstance(layer, type):
                params |= {f"{name}__{key}": x for key, x in layer.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Any:
        """Set parameters by name; ``layer1=`` replaces a layer, ``layer1__learning_rate=`` reaches into it.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : object
            The estimator.
        """
        if "layers" in params:
            self.layers = params.pop("layers")
        entered = {name.partition("__")[0] for name in params if "__" in name}
        changed = {}
        for k, (name, layer) in enumerate(self._named_layers()):
            fresh = params.pop(name, layer)
            if name in entered and is_size(fresh):
                fresh = BernoulliRBM(int(fresh))
            if fresh is not layer:
                changed[k] = fresh
        if changed:  # in a list of their own: that of the caller stays as it is
            layers = [changed.get(k, layer) for k, layer in enumerate(self.layers)]
            self.layers = type(self.layers)(layers)
        return super().set_params(**params)  # type: ignore[misc]

    def _sk_visual_block_(self) -> Any:
        """What the HTML representation shows: one layer after the other, as in a Pipeline."""
        names, layers = (
            zip(*self._named_layers(), strict=True) if self._named_layers() else ((), ())
        )
        machines = [BernoulliRBM(int(x)) if is_size(x) else x for x in layers]
        details = [f"{name}: {type(x).__name__}" for name, x in zip(names, machines, strict=True)]
        return _VisualBlock(
            "serial", machines, names=details, name_details=[str(x) for x in machines]
        )

    def _new_machines(self, seed: int) -> list[BaseRBM]:
        """Unfitted machines for all layers, clones of what was given, with seeds where they have none of their own.

        ValueError, with the name of the layer, for what is no machine, or one that cannot stand where it is.
        """
        if not self.layers:
            raise ValueError(
                "layers must hold RBM estimators or numbers of hidden units, at least one: layers=[256, 64], for "
                f"example. Got {self.layers!r}."
            )
        machines = []
        for k, (name, layer) in enumerate(self._named_layers()):
            machine = as_machine(layer, name)
            with naming(name):
                machine._validate_params()
            if machine.random_state is None:
                machine.random_state = layer_seed(seed, k)
            machines.append(machine)
        check_joints(machines)
        return machines


def layer_name(k: int) -> str:
    """Name of entry `k` of the layers."""
    return f"layer{k + 1}"


def layer_seed(seed: int, k: int) -> int:
    """Seed of layer `k` in a stack with the integer `seed`; it does not depend on the other layers."""
    return fold(stream(seed, "init"), LAYER_SEEDS + k).word0


def is_size(layer: Any) -> bool:
    """Whether this is a number of hidden units."""
    return isinstance(layer, Integral) and not isinstance(layer, bool | np.bool_)


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


def check_joints(machines: list[BaseRBM]) -> None:
    """ValueError where the hidden units of one machine are not what the visible ones of the next are."""
    first = machines[0]._model().visible
    if isinstance(first, SideBySide):
        raise ValueError(
            f"layers: {layer_name(0)}, {type(machines[0]).__name__}, has columns of several types, {first!r}. Machines "
            "of a stack have one type of visible units: give it one, or use the machine by itself in a Pipeline."
        )
    for k, (lower, upper) in enumerate(pairwise(machines)):
        hidden, visible = lower._model().hidden, upper._model().visible
        if type(hidden) is not type(visible):
            below, above = layer_name(k), layer_name(k + 1)
            kind = type(hidden).__name__.lower()
            raise ValueError(
                f"layers: the hidden units of {below}, {type(lower).__name__}, are {hidden!r}, but {above}, "
                f"{type(upper).__name__}, has the visible units {visible!r}. They are the same units: give {above} "
                f"that type, RBM(..., visible={kind!r}), or {below} hidden units of the other."
            )


def same_units(one: Bipartite, other: Bipartite) -> bool:
    """Whether two models join units of the same types."""
    return type(one.visible) is type(other.visible) and type(one.hidden) is type(other.hidden)
