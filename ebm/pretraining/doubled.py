"""Greedy pre-training of a deep Boltzmann machine: the parts count twice what they will receive from two sides.

A hidden layer of a deep Boltzmann machine receives input from below and from above. A machine that is trained on two
neighboring layers alone has only one of the two. So it counts twice what a layer receives, where that layer will have
another neighbor later (Salakhutdinov & Hinton 2009, section 3.1). With the weights W between the layers x and y,

    x receives a W s(y),      y receives b W's(x),      (a, b) = (1, 2) of the lowest part,
                                                                 (2, 2) of those between,
                                                                 (2, 1) of the topmost part,

and (1, 1) if there is only one part. The visible and the topmost layer have one neighbor each. Where several pathways
share the topmost layer (:mod:`ebm.energies.trees`), the topmost part has all of their last layers below it, and b = 1;
a is 2 for hidden ones and 1 for visible columns. The data of each part
are the hidden units of the part below, given that it counts twice. A part with (2, 2) is an ordinary machine of the
weights 2 W, which are halved in the end.

*Composition.* Each part estimates, from one side alone, the whole input of a layer. Their average is

    (2 W_l's(h_{l-1}) + c_l  +  2 W_{l+1} s(h_{l+1}) + b_{l+1}) / 2
        = W_l's(h_{l-1}) + W_{l+1} s(h_{l+1}) + (c_l + b_{l+1}) / 2,

with the hidden biases c_l of part l and the visible biases b_{l+1} of the part above. So the composed machine has the
weights W of all parts, and the average of the two estimates of the parameters of each inner layer.

The pass itself is that of :mod:`ebm.pretraining.greedy`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm.energies.bipartite import Bipartite
from ebm.energies.columns import ColumnModel
from ebm.energies.layers import LayeredParameters
from ebm.energies.trees import TreeModel
from ebm.pretraining.upward import Step


def multiplicities(model: TreeModel, k: int) -> list[tuple[int, int]]:
    """How often the lower layers and the upper one of part `k` (from 0) count what they receive: for each group."""
    layer = model.hidden_layers[k]
    above = 1 if layer == model.hidden_layers[-1] else 2
    levels = [model.levels[i] for i in model.children(layer)]
    return [(1 if j in model.shown else 2, above) for level in levels for j in level]


def part(model: TreeModel, k: int) -> Bipartite | ColumnModel:
    """The machine of two layers that is trained to be part `k` (from 0) of the deep machine.

    It joins hidden layer `k` to all layers below it.
    """
    counts = multiplicities(model, k)
    hidden, n_hidden = model.hidden[k]
    below = [j for i in model.children(model.hidden_layers[k]) for j in model.levels[i]]
    groups = [(model.layers[j].unit, model.layers[j].size) for j in below]
    if len(groups) == 1 and counts[0][0] == counts[0][1]:
        return Bipartite(groups[0][0], hidden)
    return ColumnModel(groups, hidden, n_hidden, counts)


def composed(model: TreeModel, steps: Sequence[Step]) -> LayeredParameters:
    """Parameters of the deep machine made of those of its parts.

    Parameters
    ----------
    model : TreeModel
    steps : sequence of (Bipartite or ColumnModel, parameters)
        One for each hidden layer, in their order, such as :func:`part` or
        :func:`ebm.pretraining.copies.copied_part` makes.

    Returns
    -------
    LayeredParameters
        In new arrays.
    """
    # Ordinary machines between two others have learned 2 W.
    inner = [multiplicities(model, k) == [(2, 2)] for k in range(len(steps))]
    return _joined(model, steps, [0.5 if x else 1.0 for x in inner])


def halved(model: TreeModel, steps: Sequence[Step]) -> LayeredParameters:
    """Parameters of the deep machine made of ordinary machines of two layers, such as those of a belief network.

    A machine that does not count twice estimates the whole input of a hidden layer by W's. Half of its weights
    make up for the second neighbor. The weights of the lowest and the topmost machine are halved as well. This weakens
    the input of the visible units and of the topmost layer, to be made up for by joint training.
    Arguments and result are those of :func:`composed`.
    """
    return _joined(model, steps, [0.5 if len(steps) > 1 else 1.0] * len(steps))


def _joined(model: TreeModel, steps: Sequence[Step], factors: Sequence[float]) -> LayeredParameters:
    """The weights of all machines times the `factors`, and the averages of what two of them say of a layer."""
    layer_params: dict[int, Any] = {}
    weights: dict[str, Array] = {}
    for layer, (machine, params), factor in zip(model.hidden_layers, steps, factors, strict=True):
        *lower, upper = (x for _, x in machine.unit_layers(params).values())
        W = machine.arrays(params)["weights"]
        W = W * W.dtype.type(factor)
        below, at = [j for i in model.children(layer) for j in model.levels[i]], 0
        for j, known in zip(below, lower, strict=True):
            some = slice(at, at + model.layers[j].size)
            weights[model.names[j]], at = np.ascontiguousarray(W[some]), some.stop
            layer_params[j] = _average(layer_params[j], known) if j in layer_params else known
        layer_params[layer] = upper
    copies = (
        model.layers[j].unit.parameters(*(np.array(a) for a in x))
        for j, x in sorted(layer_params.items())
    )
    return LayeredParameters(tuple(weights[edge.lower] for edge in model.edges), tuple(copies))


def _average(one: Any, other: Any) -> Any:
    """Of the parameters of a layer."""
    return type(one)(*((a + b) / 2 for a, b in zip(one, other, strict=True)))
