"""Greedy pre-training of a deep Boltzmann machine: the parts count twice what they will receive from two sides.

A hidden layer of a deep Boltzmann machine receives input from below and from above. A machine that is trained on two
neighboring layers alone has only one of the two. So it counts twice what a layer receives, where that layer will have
another neighbor later (Salakhutdinov & Hinton 2009, section 3.1). With the weights W between the layers x and y,

    x receives a W s(y),      y receives b W's(x),      (a, b) = (1, 2) of the lowest part,
                                                                 (2, 2) of those between,
                                                                 (2, 1) of the topmost part,

and (1, 1) if there is only one part. The visible and the topmost layer have one neighbor each. The data of each part
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
from ebm.energies.deep import DeepModel
from ebm.energies.layers import LayeredParameters
from ebm.pretraining.upward import Step


def multiplicity(k: int, n_parts: int) -> tuple[int, int]:
    """How often the lower and the upper layer of part `k` (from 0) count what they receive."""
    return (1 if k == 0 else 2, 1 if k == n_parts - 1 else 2)


def part(model: DeepModel, k: int) -> Bipartite | ColumnModel:
    """The machine of two layers that is trained to be part `k` (from 0) of the deep machine."""
    counts = multiplicity(k, len(model.hidden))
    hidden, n_hidden = model.hidden[k]
    groups = model.groups if k == 0 else [model.hidden[k - 1]]
    if counts[0] == counts[1] and len(groups) == 1:
        return Bipartite(groups[0][0], hidden)
    return ColumnModel(groups, hidden, n_hidden, counts)


def composed(model: DeepModel, steps: Sequence[Step]) -> LayeredParameters:
    """Parameters of the deep machine made of those of its parts.

    Parameters
    ----------
    model : DeepModel
    steps : sequence of (Bipartite or ColumnModel, parameters)
        One for each hidden layer, from the data up, such as :func:`part` makes.

    Returns
    -------
    LayeredParameters
        In new arrays.
    """
    # Ordinary machines between two others have learned 2 W.
    inner = [multiplicity(k, len(steps)) == (2, 2) for k in range(len(steps))]
    return _joined(model, steps, [0.5 if x else 1.0 for x in inner])


def halved(model: DeepModel, steps: Sequence[Step]) -> LayeredParameters:
    """Parameters of the deep machine made of ordinary machines of two layers, such as those of a belief network.

    A machine that does not count twice estimates the whole input of a hidden layer by W's. Half of its weights
    make up for the second neighbor. The weights of the lowest and the topmost machine are halved as well. This weakens
    the input of the visible units and of the topmost layer, to be made up for by joint training.
    Arguments and result are those of :func:`composed`.
    """
    return _joined(model, steps, [0.5 if len(steps) > 1 else 1.0] * len(steps))


def _joined(model: DeepModel, steps: Sequence[Step], factors: Sequence[float]) -> LayeredParameters:
    """The weights of all machines times the `factors`, and the averages of what two of them say of a layer."""
    n_groups = len(model.shown)
    layer_params: list[Any] = [None] * len(model.layers)
    weights: list[Array] = []
    for k, (machine, params) in enumerate(steps):
        *lower, upper = (x for _, x in machine.unit_layers(params).values())
        W = machine.arrays(params)["weights"]
        W = W * W.dtype.type(factors[k])
        if k == 0:
            weights += [np.ascontiguousarray(W[some]) for some in model.visible.slices]
            layer_params[:n_groups] = lower
        else:
            weights.append(W)
            place = n_groups + k - 1
            layer_params[place] = _average(layer_params[place], lower[0])
        layer_params[n_groups + k] = upper
    copies = (type(x)(*(np.array(a) for a in x)) for x in layer_params)
    return LayeredParameters(tuple(weights), tuple(copies))


def _average(one: Any, other: Any) -> Any:
    """Of the parameters of a layer."""
    return type(one)(*((a + b) / 2 for a, b in zip(one, other, strict=True)))
