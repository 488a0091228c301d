"""Layers and edges: any number of layers of units, connected two by two, and none of them connected to itself.

    E(x) = sum_l U_l(x_l) - sum_(l,m) s(x_l)' W_lm s(x_m),        p(x) = exp(-beta E(x)) / Z(beta),

with the own energies U and statistics s of :mod:`ebm.units`, and a sum over the edges (:mod:`ebm.energies.edges`). The
graph of the layers has *two colors*, even and odd: every edge joins an even layer to an odd one. Examples are
restricted Boltzmann machines (two layers), deep ones (a chain), and tables of mixed columns (several visible layers on
one hidden one). Machines for several modalities are chains that share their topmost layer.

Given all odd layers, the even ones are independent, and the reverse. So each color is drawn at once, and summed out in
closed form given the other:

    F(x_even) = U_even(x_even) - A_odd(inputs from x_even) / beta.

The even color is that of the first visible layer. The states of one color are one array, its layers side by side
(:mod:`ebm.energies.side_by_side`), the visible layers first. A *row* of data holds the visible layers, of either color,
side by side in the order in which they are given.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._flat import Extent
from ebm._random import Key, normal
from ebm._sparse import dense
from ebm.energies.base import (
    ChainState,
    DataSummary,
    Model,
    check_memory,
    in_scales,
    largest,
    log_steps,
    open_shares,
    small_weights,
    unit_extents,
)
from ebm.energies.bipartite import lacks_a_law, may_lack_a_law
from ebm.energies.fixed_point import FixedPoint
from ebm.energies.layer_graph import EVEN, ODD, Arrangement
from ebm.energies.side_by_side import layer_key
from ebm.units import Unit


class LayeredParameters(NamedTuple):
    """Parameters of a layered model, and, being of the same shape, gradients by them.

    Attributes
    ----------
    weights : tuple of ndarray
        Those of each edge, usually (n_lower, n_upper).
    layers : tuple of NamedTuple of ndarray
        The own parameters of each layer (:mod:`ebm.units`).
    """

    weights: tuple[Array, ...]
    layers: tuple[Any, ...]


class LayeredModel(Arrangement, Model):
    """Layers and the edges between them; all functions take the parameters and leave their arguments alone.

    Parameters
    ----------
    layers : sequence of Layer
        With different names; at least one is visible.
    edges : sequence of Edge
        Between layers of two colors, at most one for two layers.

    Attributes
    ----------
    sides : tuple of two SideBySide
        The units of the even and of the odd color, each as one layer.
    visible : SideBySide
        The units of a row of data.
    chain : SideBySide
        The units of a state from which chains continue: those of a row of data, then the even hidden layers.
    places : tuple of Place
        Where the states of each layer stand.
    fixed_point : FixedPoint
        How far the mean field of hidden layers that are connected is iterated in learning.

    Raises
    ------
    ValueError
        If the layers have no two colors, a name is unknown or used twice, or no layer is visible.

    Examples
    --------
    A deep Boltzmann machine:

    >>> import numpy as np
    >>> from ebm._random import stream
    >>> from ebm.energies.base import DataSummary
    >>> from ebm.energies.edges import Edge
    >>> from ebm.energies.layer_graph import Layer
    >>> from ebm.energies.layers import LayeredModel
    >>> from ebm.units import Bernoulli
    >>> layers = [
    ...     Layer("v", Bernoulli(), 4, visible=True),
    ...     Layer("h1", Bernoulli(), 3),
    ...     Layer("h2", Bernoulli(), 2),
    ... ]
    >>> dbm = LayeredModel(layers, [Edge("v", "h1"), Edge("h1", "h2")])
    >>> dbm.sides[0].sizes, dbm.sides[1].sizes
    ((4, 2), (3,))
    >>> data = DataSummary(np.full(4, 0.5), np.ones(4), 10)
    >>> params = dbm.initial(data, 5, stream(0, "init"))
    >>> [W.shape for W in params.weights]
    [(4, 3), (3, 2)]
    """

    kind: ClassVar[str] = "layered models"
    learns_from_gaps: ClassVar[bool] = True
    fixed_point: FixedPoint = FixedPoint()

    # Parameters and states

    def layout(self, *shape: int) -> LayeredParameters:
        """The weights of each edge, then the own parameters of each layer: the model knows all sizes."""
        weights: list[Any] = [Extent(extent, weight=True) for extent in self.weight_shapes]
        layer_params = [unit_extents(layer.unit, layer.size) for layer in self.layers]
        return LayeredParameters(tuple(weights), tuple(layer_params))

    def shape(self, params: LayeredParameters) -> tuple[int, ...]:
        """(n_visible, n_hidden)."""
        n_visible = sum(self.visible.sizes)
        return n_visible, sum(layer.size for layer in self.layers) - n_visible

    def unit_layers(self, params: LayeredParameters) -> dict[str, tuple[Unit, Any]]:
        """The unit type and the own parameters of each layer, by its name."""
        return {
            layer.name: (layer.unit, layer_params)
            for layer, layer_params in zip(self.layers, params.layers, strict=True)
        }

    def layer_params(self, params: LayeredParameters, color: int) -> tuple[Any, ...]:
        """The own parameters of the layers of one color."""
        return tuple(params.layers[k] for k in self.members[color])

    def dtype(self, params: LayeredParameters) -> Any:
        """Of all parameters."""
        return params.layers[0].bias.dtype

    def nothing(self, params: LayeredParameters, color: int, n_rows: int = 1) -> Array:
        """Zeros (rows, units) for one color: no input, or room for states."""
        return np.zeros((n_rows, sum(self.sides[color].sizes)), self.dtype(params))

    def walk_layers(self, params: LayeredParameters) -> list[tuple[Unit, Any]]:
        """Those of the states of chains: rows of data, then the even hidden layers."""
        return [(self.layers[k].unit, params.layers[k]) for k in self.walked]

    @property
    def n_hidden_walked(self) -> int:
        """The even hidden units."""
        return sum(self.chain.sizes) - sum(self.visible.sizes)

    def initial(self, data: DataSummary, n_hidden: int, key: Key) -> LayeredParameters:
        """Small random weights, neutral hidden units, visible units that know the data's moments.

        Each edge as between two layers, see :func:`ebm.energies.base.small_weights`.
        """
        for low, high in self.ends:
            if may_lack_a_law(self.layers[low].unit, self.layers[high].unit):
                raise ValueError(
                    f"The layers {self.names[low]!r} and {self.names[high]!r} have no law of both once weights are "
                    "learned: the sum over their states is infinite. Use units with bounds in one of the layers, such "
                    "as 'bernoulli'."
                )
        layer_params = [layer.unit.neutral(layer.size, data.mean.dtype) for layer in self.layers]
        for k, known in zip(self.shown, self.visible.initial(*data), strict=True):
            layer_params[k] = known
        weights = [
            self._first_weights(number, layer_params, key) for number in range(len(self.edges))
        ]
        return LayeredParameters(tuple(weights), tuple(layer_params))

    def _first_weights(self, number: int, layer_params: list[Any], key: Key) -> Array:
        low, high = self.ends[number]
        shape = self.weight_shapes[number]
        dtype = layer_params[low].bias.dtype
        W = normal(layer_key(key, number), (1, int(np.prod(shape))), dtype).reshape(shape)
        a, c = (self.layers[k].unit.scale(layer_params[k]) for k in (low, high))
        return small_weights(W, self.layers[low].size + self.layers[high].size, a, c)

    # Learning

    def visible_at_rest(self, params: LayeredParameters) -> Array:
        """Means of the visible units without input: (n_visible,)."""
        layer_params = tuple(params.layers[k] for k in self.shown)
        nothing = np.zeros((1, sum(self.visible.sizes)), self.dtype(params))
        return self.visible.mean(layer_params, nothing).reshape(-1)

    def origin(self, mean: Array) -> Array | None:
        """The `mean` of units with a scale, zero of the others; None if no visible unit has a scale."""
        if not self.has_scale:
            return None
        known = np.zeros_like(mean)
        for k, some in zip(self.shown, self.visible.slices, strict=True):
            if self.layers[k].unit.has_scale:
                known[some] = mean[some]
        return known

    def centered(self, params: LayeredParameters, mean: Array) -> LayeredParameters:
        """Hidden layers that have their own mean where visible units with a scale have their `mean`."""
        known = self.origin(mean)
        if known is None:
            return params
        layer_params = list(params.layers)
        for color in (EVEN, ODD):
            states = self.split(known[np.newaxis].astype(self.dtype(params)))
            x = self.colored(1 - color, states, self.nothing(params, 1 - color))
            pull = self.inputs_from(params, color, x)[0]
            for k in self.members[color]:
                if not self.layers[k].visible:
                    layer_params[k] = layer_params[k]._replace(
                        bias=layer_params[k].bias - pull[self.places[k].columns]
                    )
        return params._replace(layers=tuple(layer_params))

    def max_norm_matrices(self, params: LayeredParameters) -> tuple[Array, ...]:
        """The weights of each edge."""
        return tuple(W for W in params.weights if W.ndim == 2)

    def chain_width(self, params: LayeredParameters) -> int:
        """Numbers that a persistent chain is remembered by: the states of the odd layers."""
        return sum(self.sides[ODD].sizes)

    def offset_widths(self, params: LayeredParameters) -> tuple[int, int]:
        """Lengths of the offsets of the even and of the odd layers."""
        return sum(self.sides[EVEN].sizes), sum(self.sides[ODD].sizes)

    @property
    def chain_unit(self) -> Unit:
        """The odd layers, side by side."""
        return self.sides[ODD]

    @property
    def path_unit(self) -> Unit:
        """The even layers, side by side."""
        return self.sides[EVEN]

    def start_chains(
        self, params: LayeredParameters, mean: Array, n_chains: int, centered: bool, key: Key
    ) -> ChainState:
        """Chains that begin as draws from the odd layers' own distribution."""
        check_memory(n_chains, 1, self.offset_widths(params), self.dtype(params))
        nothing = self.nothing(params, ODD, n_chains)
        h = self.sides[ODD].sample(self.layer_params(params, ODD), nothing, key)
        known = self.split(mean[np.newaxis].astype(h.dtype))
        offsets = []
        for color in (EVEN, ODD):
            rest = self.sides[color].mean(
                self.layer_params(params, color), self.nothing(params, color)
            )
            s = self.statistic(params, color, self.colored(color, known, rest))[0]
            offsets.append(s if centered else 0 * s)
        return ChainState(h, *offsets)

    def chains_at_rows(self, params: LayeredParameters, rows: Array, key: Key) -> Array:
        """Odd states drawn given the rows, the even hidden layers being as they are without input."""
        rows = dense(rows)
        known, nothing = self.split(rows), self.nothing(params, EVEN, len(rows))
        rest = self.sides[EVEN].mean(self.layer_params(params, EVEN), nothing)
        odd = self.sample(params, ODD, self.colored(EVEN, known, rest), key)
        return self.colored(ODD, known, odd)

    def rescale(
        self,
        params: LayeredParameters,
        gradient: LayeredParameters,
        chains: ChainState,
        variance: Array | None = None,
        rate: float | None = None,
    ) -> None:
        """As for two layers: see :meth:`ebm.energies.bipartite.Bipartite.rescale`."""
        offsets = chains.visible_offset[np.newaxis], chains.hidden_offset[np.newaxis]
        moved = [self.inputs(gradient, color, offsets[1 - color])[0] for color in (EVEN, ODD)]
        scales = self._scales(params)
        shares = self._open_shares(params, scales, chains)
        logs = self._log_steps(params, gradient, shares, rate)
        factors = [
            None if a is None else a**2 / A
            for a, A in zip(scales, self._spreads(scales, variance), strict=True)
        ]
        for (low, high), W in zip(self.ends, gradient.weights, strict=True):
            W *= 1 if factors[low] is None else factors[low][:, np.newaxis]  # type: ignore[index]
            W *= 1 if factors[high] is None else factors[high]
        by_logs = [
            self.inputs(
                self._moved_weights(params, gradient, logs, shares, color),
                color,
                offsets[1 - color],
            )[0]
            for color in (EVEN, ODD)
        ]
        for layer_params, scale, (color, some) in zip(
            gradient.layers, scales, self.places, strict=True
        ):
            step = layer_params.bias + moved[color][some]
            layer_params.bias[:] = (step if scale is None else step * scale) - by_logs[color][some]
        for color in (EVEN, ODD):
            after = self._moved_weights(params, gradient, logs, shares, color)
            for W, new in zip(gradient.weights, after.weights, strict=True):
                W[:] = new

    def _open_shares(
        self, params: LayeredParameters, scales: list[Array | None], chains: ChainState
    ) -> list[Array]:
        """Of the units of each layer, see :func:`ebm.energies.base.open_shares`; ones with chains."""
        if len(chains.h):
            return [np.ones_like(x.bias) for x in params.layers]
        distances = [np.zeros_like(x.bias) for x in params.layers]
        for (low, high), W in zip(self.ends, params.weights, strict=True):
            a, c = scales[low], scales[high]
            distances[high] += 0 if a is None else (W**2 / a[:, np.newaxis]).sum(axis=0)
            distances[low] += 0 if c is None else (W**2 / c).sum(axis=1)
        layers = zip(self.layers, params.layers, distances, strict=True)
        return [open_shares(layer.unit, x, d) for layer, x, d in layers]

    def _log_steps(
        self,
        params: LayeredParameters,
        gradient: LayeredParameters,
        shares: list[Array],
        rate: float | None,
    ) -> list[Array]:
        """Of the weights of each layer, see :func:`ebm.energies.base.log_steps`."""
        slopes = [np.zeros_like(layer_params.bias) for layer_params in params.layers]
        for (low, high), W, step in zip(self.ends, params.weights, gradient.weights, strict=True):
            slopes[low] += (W * step * shares[high]).sum(axis=1)
            slopes[high] += (W * step * shares[low][:, np.newaxis]).sum(axis=0)
        layers = zip(self.layers, params.layers, gradient.layers, slopes, strict=True)
        return [
            log_steps(layer.unit, layer_params, g, s, rate) for layer, layer_params, g, s in layers
        ]

    def _moved_weights(
        self,
        params: LayeredParameters,
        gradient: LayeredParameters,
        logs: list[Array],
        shares: list[Array],
        color: int,
    ) -> LayeredParameters:
        """The steps of the weights with those that follow the scales of the layers of a color."""
        moved = []
        for (low, high), W, step in zip(self.ends, params.weights, gradient.weights, strict=True):
            if self.places[low].color == color:
                follows = logs[low][:, np.newaxis] * shares[high]
            else:
                follows = logs[high] * shares[low][:, np.newaxis]
            moved.append(step + W * follows)
        return gradient._replace(weights=tuple(moved))

    def _spreads(self, scales: list[Array | None], variance: Array | None) -> list[Array | None]:
        """The variances of each layer's units, at least their squared scales; None if they have none."""
        spreads = list(scales)
        for name, some in self.data_columns.items():
            k = self.names.index(name)
            if variance is not None and scales[k] is not None:
                spreads[k] = np.maximum(variance[some], scales[k])  # type: ignore[arg-type]
        return spreads

    def _scales(self, params: LayeredParameters) -> list[Array | None]:
        """The squared scales of each layer's units; None if these have none."""
        pairs = zip(self.layers, params.layers, strict=True)
        return [layer.unit.scale(layer_params) for layer, layer_params in pairs]

    def size(self, params: LayeredParameters, variance: Array | None) -> float:
        """Of the weights, and of the biases but those of hidden layers beside units with a scale."""
        scales = self._scales(params)
        seen = [self.names.index(name) for name in self.data_columns]
        if variance is None and any(scales[k] is not None for k in seen):  # the data are unknown
            return 0.0
        scales = self._spreads(scales, variance)
        sizes = [
            largest(in_scales(W, scales[low], scales[high]))
            for W, (low, high) in zip(params.weights, self.ends, strict=True)
        ]
        plain = all(x is None for x in scales)
        for layer, layer_params, scale in zip(self.layers, params.layers, scales, strict=True):
            if plain or layer.visible:
                sizes.append(
                    largest(
                        layer_params.bias if scale is None else layer_params.bias / np.sqrt(scale)
                    )
                )
        return max(sizes)

    # Inputs, energies, and one color summed out

    def inputs(
        self,
        params: LayeredParameters,
        color: int,
        s: Array,
        edges: Sequence[int] | None = None,
    ) -> Array:
        """The inputs of the layers of one color from the statistics `s` (rows, units) of the other.

        With `edges`, numbers of some of them, only what comes through these.
        """
        out = np.zeros((len(s), sum(self.sides[color].sizes)), s.dtype)
        reached = set()
        for number in range(len(self.edges)) if edges is None else edges:
            edge, (low, high), W = self.edges[number], self.ends[number], params.weights[number]
            a, b = edge.multiplicity
            upward = self.places[high].color == color
            to, source = (high, low) if upward else (low, high)
            part = s[:, self.places[source].columns]
            received = edge.coupling.up(W, part) if upward else edge.coupling.down(W, part)
            factor = b if upward else a
            if factor != 1:
                received *= factor
            columns = self.places[to].columns
            if to in reached:
                out[:, columns] += received
            else:
                out[:, columns] = received
            reached.add(to)
        return out

    def statistic(self, params: LayeredParameters, color: int, x: Array) -> Array:
        """s(x) of the layers of one color."""
        return self.sides[color].statistic(self.layer_params(params, color), x)

    def inputs_from(self, params: LayeredParameters, color: int, x: Array) -> Array:
        """The inputs of the layers of `color` from the states `x` of the other one."""
        return self.inputs(params, color, self.statistic(params, 1 - color, x))

    def check_energy(self) -> None:
        """ValueError if the two ends of some edge count what they receive differently."""
        for edge in self.edges:
            if edge.multiplicity[0] != edge.multiplicity[1]:
                raise ValueError(
                    f"The edge between {edge.lower!r} and {edge.upper!r} has the multiplicity {edge.multiplicity}: its "
                    "layers count what they receive from each other differently, and no energy has such conditional "
                    "distributions. So there is no joint distribution with samples, a likelihood, free energies or a "
                    "log Z. Use equal numbers for these. run_chain(...) alternates between the two conditional "
                    "distributions."
                )

    def check_finite(self, params: LayeredParameters) -> None:
        """ValueError where weights between two layers without bounds make Z infinite.

        See :meth:`ebm.energies.bipartite.Bipartite.check_finite`.
        """
        for (low, high), W in zip(self.ends, params.weights, strict=True):
            units = self.layers[low].unit, self.layers[high].unit
            if lacks_a_law(*units, W):
                raise ValueError(
                    f"Z does not exist: weights between the layers {self.names[low]!r} and {self.names[high]!r} make "
                    "the sum over all states infinite."
                )

    def energy(self, params: LayeredParameters, even: Array, odd: Array) -> Array:
        """E(x) per row: states of both colors -> (rows,) in double precision."""
        self.check_energy()
        layer_params = [self.layer_params(params, color) for color in (EVEN, ODD)]
        total = self.sides[EVEN].energy(layer_params[EVEN], even) + self.sides[ODD].energy(
            layer_params[ODD], odd
        )
        s = self.statistic(params, ODD, odd)
        joint = np.einsum("ij,ij->i", self.inputs_from(params, ODD, even), s, dtype=np.float64)
        energy: Array = total - joint
        return energy

    def color_free_energy(
        self, params: LayeredParameters, color: int, x: Array, beta: float = 1.0
    ) -> Array:
        """F of the states `x` of one color, the other one summed out: (rows, units) -> (rows,)."""
        self.check_energy()
        other = 1 - color
        layer_params = [self.layer_params(params, c) for c in (EVEN, ODD)]
        received = self.inputs_from(params, other, x)
        summed_out = self.sides[other].log_normaliser(layer_params[other], received, beta)
        energy: Array = self.sides[color].energy(layer_params[color], x) - summed_out / beta
        return energy

    def mean(self, params: LayeredParameters, color: int, x: Array, beta: float = 1.0) -> Array:
        """Means of the layers of one color given the states `x` of the other."""
        f = self.inputs_from(params, color, x)
        return self.sides[color].mean(self.layer_params(params, color), f, beta)

    def sample(
        self, params: LayeredParameters, color: int, x: Array, key: Key, beta: float = 1.0
    ) -> Array:
        """One draw per row of all layers of one color given the states `x` of the other."""
        f = self.inputs_from(params, color, x)
        return self.sides[color].sample(self.layer_params(params, color), f, key, beta)

    # Other parametrisations of the distribution

    def tempered(self, params: LayeredParameters, beta: float) -> LayeredParameters:
        """Parameters of the energy beta E."""
        pairs = [
            layer.unit.tempered(layer_params, beta)
            for layer, layer_params in zip(self.layers, params.layers, strict=True)
        ]
        weights = [
            W * W.dtype.type(beta / (pairs[low][1] * pairs[high][1]))
            for W, (low, high) in zip(params.weights, self.ends, strict=True)
        ]
        return LayeredParameters(tuple(weights), tuple(layer_params for layer_params, _ in pairs))

    def translated(self, params: LayeredParameters, shift: Array) -> LayeredParameters:
        """The distribution of v + `shift` (n_visible,), which is zero for units whose states cannot be shifted.

        The arrays of weights are shared.
        """
        layer_params = list(params.layers)
        moved = dict(enumerate(layer_params))
        for color in (EVEN, ODD):
            x = self.nothing(params, color)
            for k, part in self.split(shift[np.newaxis]).items():
                if self.places[k].color == color:
                    x[:, self.places[k].columns] = part
                    moved[k] = moved[k]._replace(bias=moved[k].bias + part[0])
            pulled = self.inputs_from(params, 1 - color, x)[0]
            for k in self.members[1 - color]:
                part = pulled[self.places[k].columns]
                moved[k] = moved[k]._replace(bias=moved[k].bias - part)
        return params._replace(layers=tuple(moved[k] for k in range(len(layer_params))))
