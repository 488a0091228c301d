"""Deep Boltzmann machines: the visible units, and hidden layers h_1, ..., h_L one above the other.

    E(v, h_1, ..., h_L) = U(v) + sum_l U_l(h_l) - s(v)' W_1 s(h_1) - sum_l s(h_{l-1})' W_l s(h_l)

Each layer is connected to the one below and to the one above (Salakhutdinov & Hinton 2009). The visible units may be of
several types, in groups of columns that are all connected to h_1. Given the data, the hidden layers are not independent
of each other: neighbors receive input from each other. Their means are those of the mean field
(:mod:`ebm.inference.layered_mean_field`). With one hidden layer this is a restricted Boltzmann machine, and is trained
by the same compiled code.

It is the tree of one pathway (:mod:`ebm.energies.trees`). The parameters are also one list of matrices and one list of
vectors, layer by layer, from the data up.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ebm._checks import Array
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite
from ebm.energies.fixed_point import FixedPoint
from ebm.energies.layers import LayeredParameters
from ebm.energies.trees import Pathway, TreeModel
from ebm.units import Unit


class DeepModel(TreeModel):
    """Visible columns of one or several types, and a chain of hidden layers.

    Parameters
    ----------
    groups : sequence of (Unit, int)
        Types of the visible units, and how many columns of each there are, in order.
    hidden : sequence of (Unit, int)
        Types and sizes of the hidden layers, from the data up; at least one.
    fixed_point : FixedPoint or None, default=None
        How far the mean field is iterated in learning.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm._random import stream
    >>> from ebm.energies.base import DataSummary
    >>> from ebm.energies.deep import DeepModel
    >>> from ebm.units import Bernoulli, Spin
    >>> model = DeepModel([(Bernoulli(), 4)], [(Bernoulli(), 3), (Spin(), 2)])
    >>> data = DataSummary(np.full(4, 0.5), np.ones(4), 10)
    >>> params = model.initial(data, 5, stream(0, "init"))
    >>> [W.shape for W in model.arrays(params).weights]
    [(4, 3), (3, 2)]
    """

    kind: ClassVar[str] = "deep Boltzmann machines"

    def __init__(
        self,
        groups: Sequence[tuple[Unit, int]],
        hidden: Sequence[tuple[Unit, int]],
        fixed_point: FixedPoint | None = None,
    ) -> None:
        *lower, top = hidden
        super().__init__([Pathway(groups, lower)], top, fixed_point)

    @property
    def fused(self) -> Model:
        """Two layers as the model that is compiled for them; deeper ones as they are."""
        if len(self.layers) > 2:
            return self
        return Bipartite(self.layers[0].unit, self.layers[1].unit)

    def recognition(self, params: LayeredParameters) -> list[tuple[Unit, tuple[Array, Array]]]:
        """Units of each hidden layer, and new weights and biases of their inputs in one pass upward.

        Each layer receives from the one below, twice as much if there is one above: the start of the mean field
        (:mod:`ebm.inference.layered_mean_field`). The weights take in what the statistics, which are linear in the
        states, make of these.
        """
        found, arrays = [], self.arrays(params)
        below = [(self.layers[k].unit, params.layers[k]) for k in self.shown]
        for (k, W), bias in zip(enumerate(arrays.weights, 1), arrays.biases[1:], strict=True):
            ones = [
                unit.statistic(own, np.ones((1, len(own.bias)), W.dtype)) for unit, own in below
            ]
            number = self.hidden_layers[k - 1]
            unit, twice = self.layers[number].unit, k < len(arrays.weights)
            factor = np.hstack(ones)[0] * W.dtype.type(2 if twice and unit.bounded else 1)
            found.append((unit, (factor[:, np.newaxis] * W, bias.copy())))
            below = [(unit, params.layers[number])]
        return found

    def augmented_recognition(
        self, params: LayeredParameters
    ) -> list[tuple[Unit, tuple[Array, Array]]]:
        """:meth:`recognition`, but the first layer receives from the data *and* the second hidden layer.

        Its weights are those of both, one above the other: (n_visible + n_hidden_2, n_hidden_1). Nothing counts twice,
        so that it has its means in mean field if the second layer has them (Salakhutdinov & Hinton 2009, section 3.3).
        """
        first, *others = self.recognition(params)
        unit, (_, bias) = first
        sides = [
            *zip(self.shown, params.weights[: len(self.shown)], strict=True),
            (self.hidden_layers[1], params.weights[len(self.shown)].T),
        ]
        parts = []
        for k, W in sides:
            ones = np.ones((1, len(W)), W.dtype)
            factor = self.layers[k].unit.statistic(params.layers[k], ones)[0]
            parts.append(factor[:, np.newaxis] * W)
        return [(unit, (np.concatenate(parts), bias)), *others]

    def generation(self, params: LayeredParameters) -> list[tuple[Unit, tuple[Array, Array]]]:
        """Units below each hidden layer, and weights (n_above, n_below) and biases of their inputs in one pass down.

        Each hidden layer receives from the one above twice, for it also has one below.
        """
        found, arrays = [], self.arrays(params)
        groups = self.groups
        units = [groups[0][0] if len(groups) == 1 else self.visible, *(x for x, _ in self.hidden)]
        for k, W in enumerate(arrays.weights):
            number = self.hidden_layers[k]
            sent = self.layers[number].unit.statistic(params.layers[number], W)
            factor = W.dtype.type(2 if k and units[k].bounded else 1)
            found.append((units[k], (np.ascontiguousarray(factor * sent.T), arrays.biases[k])))
        return found
