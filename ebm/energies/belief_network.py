"""A stack of layers x_0 (the data), x_1, ..., x_L: the deep belief network (Hinton, Osindero & Teh 2006).

The two topmost layers are connected by weights without direction, those below are predicted from the layer above them,

    p(x_0, ..., x_L) = p(x_0 | x_1) ... p(x_{L-2} | x_{L-1})  exp(-E(x_{L-1}, x_L)) / Z,

with the energy E of a bipartite model (:mod:`ebm.energies.bipartite`), its *top*. Every layer's units are independent
given the layer above: unit i of layer k has the input (W x_{k+1})_i. The distribution of the hidden layers given the
data has no closed form. A second set of parameters, going up, describes a distribution that is as simple to draw from,

    Q(x_1, ..., x_{L-1} | x_0) = q(x_1 | x_0) ... q(x_{L-1} | x_{L-2}),

where unit j of layer k + 1 has the input (W' x_k)_j: *recognition*, beside the *generative* distribution p. With x_L
summed out,

    log p(x_0, ..., x_{L-1}) = sum_k log p(x_k | x_{k+1}) - F(x_{L-1}) - log Z.

Directed weights multiply the states themselves, whatever the unit. A Gaussian unit's variance is then a parameter of
the distribution of its own layer alone. Generative and recognition parameters share no array. A bipartite model whose
weights multiply the statistic x / sigma^2 gives them divided by sigma^2 (:func:`from_rbms`).

The top's visible layer may be wider than layer L - 1, by *extra* units at the end (labels) that nothing below knows of.
Rows of data then are (x_0, extra), which is what the model is a distribution of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._flat import Extent
from ebm._random import Key, fold
from ebm.energies.base import (
    ChainState,
    DataSummary,
    Model,
    in_scales,
    largest,
    of_logarithms,
    unit_extents,
)
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.extra_units import extra_log_weights, extra_states, sample_extra
from ebm.units import Unit


class Directed(NamedTuple):
    """Parameters of the distribution of one layer given a neighbour.

    Attributes
    ----------
    W : ndarray of shape (n_below, n_above)
        Weights between the two, whichever of them is predicted.
    own : NamedTuple of ndarray
        The own parameters (:mod:`ebm.units`) of the layer that is predicted.
    """

    W: Array
    own: Any


class BeliefParameters(NamedTuple):
    """Parameters of a deep belief network, and, being of the same shape, gradients by them.

    Attributes
    ----------
    down : tuple of Directed
        Generative: ``down[k]`` predicts layer k from layer k + 1.
    top : BipartiteParameters
        Of the undirected model of the two topmost layers.
    up : tuple of Directed
        Recognition: ``up[k]`` predicts layer k + 1 from layer k.
    """

    down: tuple[Directed, ...]
    top: BipartiteParameters
    up: tuple[Directed, ...]


@dataclass(frozen=True)
class BeliefNetwork(Model):
    """The choice of unit types, layer by layer; all functions take the parameters and leave their arguments alone.

    Parameters
    ----------
    units : tuple of Unit
        One type per layer, data first; at least two.
    n_extra : int, default=0
        Count of units that the top's visible layer has beyond those of the layer below it.
    joined : Unit or None, default=None
        The type of the top's visible layer, these units included; None: that of the layer without them.
    """

    kind: ClassVar[str] = "deep belief networks"
    units: tuple[Unit, ...]
    n_extra: int = 0
    joined: Unit | None = None

    def __post_init__(self) -> None:
        if len(self.units) < 2:
            raise ValueError(
                f"units must be two layers or more. Got {len(self.units)}: add the types of the hidden layers."
            )

    @property
    def visible(self) -> Unit:
        """The data's type."""
        return self.units[0]

    @property
    def n_directed(self) -> int:
        """Count of layers that are predicted from above, L - 1."""
        return len(self.units) - 2

    @property
    def top_model(self) -> Bipartite:
        """The model of the two topmost layers."""
        return Bipartite(self.units[-2] if self.joined is None else self.joined, self.units[-1])

    # What training needs --------------------------------------------------------------------

    def shape(self, params: BeliefParameters) -> tuple[int, ...]:
        """(n_0, ..., n_L)."""
        below, n_top = params.top.W.shape
        return (*(len(layer.W) for layer in params.down), below - self.n_extra, n_top)

    def layout(self, *shape: int) -> BeliefParameters:
        """The arrays of layers of the sizes (n_0, ..., n_L)."""

        def directed(unit: Unit, n_below: int, n_above: int, n_units: int) -> Directed:
            W: Any = Extent((n_below, n_above), weight=True)
            return Directed(W, unit_extents(unit, n_units))

        pairs = [*pairwise(shape[:-1])]
        return BeliefParameters(
            tuple(directed(unit, n, m, n) for unit, (n, m) in zip(self.units, pairs, strict=False)),
            self.top_model.layout(shape[-2] + self.n_extra, shape[-1]),
            tuple(
                directed(unit, n, m, m) for unit, (n, m) in zip(self.units[1:], pairs, strict=False)
            ),
        )

    def initial(self, data: DataSummary, n_hidden: int, key: Key) -> BeliefParameters:
        """Refused: learning starts from machines that were trained one on top of the other (:func:`from_rbms`)."""
        raise TypeError("A deep belief network does not start from data. Make it with from_rbms.")

    def max_norm_matrices(self, params: BeliefParameters) -> tuple[Array, ...]:
        """Matrices, views, whose columns are the weights into one unit."""
        down, top, up = params
        return (*(x.W.T for x in down), top.W, *(x.W for x in up))

    def chain_width(self, params: BeliefParameters) -> int:
        """Numbers that a persistent chain of the model is remembered by: the states of the topmost layer."""
        return int(params.top.W.shape[1])

    def offset_widths(self, params: BeliefParameters) -> tuple[int, int]:
        """Lengths of the offsets of the centered gradient, of the two topmost layers."""
        return self.top_model.offset_widths(params.top)

    @property
    def chain_unit(self) -> Unit:
        """The type of the topmost units."""
        return self.units[-1]

    def start_chains(
        self, params: BeliefParameters, mean: Array, n_chains: int, centered: bool, key: Key
    ) -> ChainState:
        """Those of the top, with offsets at what recognition makes of the data's `mean` (n_0,)."""
        top, x = self.top_model, mean[np.newaxis].astype(params.top.W.dtype)
        for k in range(self.n_directed):
            x = self.up_mean(params, k, x)
        below = top.visible_at_rest(params.top)
        below[: x.shape[1]] = x[0]
        return top.start_chains(params.top, below, n_chains, centered, key)

    def visible_at_rest(self, params: BeliefParameters) -> Array:
        """Means of the data's units without input: (n_0,)."""
        own = params.down[0].own if params.down else params.top.visible
        unit = self.visible if params.down else self.top_model.visible
        nothing = np.zeros((1, len(own.bias)), params.top.W.dtype)
        rest: Array = unit.mean(own, nothing)[0, : self.shape(params)[0]]
        return rest

    def translated(self, params: BeliefParameters, shift: Array) -> BeliefParameters:
        """The distribution of x_0 + `shift` (n_0,), for units whose states can be shifted; the arrays of W are
        shared.
        """
        if not params.down:
            shift = np.append(shift, np.zeros(self.n_extra, shift.dtype))
            return params._replace(top=self.top_model.translated(params.top, shift))
        (first, *down), (lowest, *up) = params.down, params.up
        moved = first.own._replace(bias=first.own.bias + shift)
        pulled = lowest.own._replace(bias=lowest.own.bias - shift @ lowest.W)
        return params._replace(
            down=(first._replace(own=moved), *down), up=(lowest._replace(own=pulled), *up)
        )

    def unit_layers(self, params: BeliefParameters) -> dict[str, tuple[Unit, Any]]:
        """The unit type and own parameters of every predicted layer, by the names under which bounds are kept."""
        top = self.top_model
        named = {"visible": (top.visible, params.top.visible)}
        named["hidden"] = (top.hidden, params.top.hidden)
        for k, (down, up) in enumerate(zip(params.down, params.up, strict=True)):
            named[f"down{k}"] = (self.units[k], down.own)
            named[f"up{k}"] = (self.units[k + 1], up.own)
        return named

    def walk_layers(self, params: BeliefParameters) -> list[tuple[Unit, Any]]:
        """The data's units, and the top's extra ones beside them."""
        top = self.top_model.visible
        if not params.down:
            return [(top, params.top.visible)]
        layers = [(self.visible, params.down[0].own)]
        if self.n_extra:
            extra = (x[-self.n_extra :] for x in params.top.visible)
            layers.append((top, type(params.top.visible)(*extra)))
        return layers

    def rescale(
        self,
        params: BeliefParameters,
        gradient: BeliefParameters,
        chains: ChainState,
        variance: Array | None = None,
        rate: float | None = None,
    ) -> None:
        """Diagonally.

        A factor of a unit's state is measured in the inverse of its scale, a term of its mean in the scale. With the
        scales a_i and c_j of two neighboring layers, generative weights from j to i move a_i / c_j times as far, and
        recognition weights c_j / a_i times.
        """
        self.top_model.rescale(
            params.top, gradient.top, chains, None if params.down else variance, rate
        )
        for k, (down, up) in enumerate(zip(params.down, params.up, strict=True)):
            a, c = self.units[k].scale(down.own), self.units[k + 1].scale(up.own)
            to_down, to_up = gradient.down[k], gradient.up[k]
            for logarithms in (*to_down.own[1:], *to_up.own[1:]):
                of_logarithms(logarithms, rate)
            if a is not None:
                to_down.W[:] *= a[:, np.newaxis]
                to_down.own.bias[:] *= a
                to_up.W[:] /= a[:, np.newaxis]
            if c is not None:
                to_down.W[:] /= c
                to_up.W[:] *= c
                to_up.own.bias[:] *= c

    def size(self, params: BeliefParameters, variance: Array | None) -> float:
        """Of the weights, and of the biases of units without a scale, on either way."""
        top = self.top_model
        arrays = [own.bias for unit, own in self.unit_layers(params).values() if not unit.has_scale]
        arrays.append(
            in_scales(
                params.top.W,
                top.visible.scale(params.top.visible),
                top.hidden.scale(params.top.hidden),
            )
        )
        for k, (down, up) in enumerate(zip(params.down, params.up, strict=True)):
            scales = self.units[k].scale(down.own), self.units[k + 1].scale(up.own)
            arrays += [in_scales(down.W, *scales), in_scales(up.W, *scales)]
        return max(map(largest, arrays))

    # Passes up and down ---------------------------------------------------------------------

    def split(self, rows: Array) -> tuple[Array, Array | None]:
        """Rows (x_0, extra) in their two parts; the second is None where there are no extra units."""
        n = rows.shape[1] - self.n_extra
        return rows[:, :n], rows[:, n:] if self.n_extra else None

    def top_rows(self, x: Array, extra: Array | None) -> Array:
        """Rows of the top's visible layer: layer L - 1 and the extra states; zeros where `extra` is None."""
        if not self.n_extra:
            return x
        if extra is None:
            extra = np.zeros((len(x), self.n_extra), x.dtype)
        return np.hstack([x, extra.astype(x.dtype, copy=False)])

    def means_up(
        self, params: BeliefParameters, x: Array, extra: Array | None = None
    ) -> list[Array]:
        """Means of layers 1, ..., L, each given the means of the one below as if they were states.

        `x` (rows, n_0); `extra` (rows, n_extra), without which the topmost layer has no input from these units.
        """
        means = []
        for k in range(self.n_directed):
            means.append(x := self.up_mean(params, k, x))
        means.append(self.top_model.hidden_mean(params.top, self.top_rows(x, extra)))
        return means

    def sample_up(
        self, params: BeliefParameters, x: Array, key: Key, first_row: int = 0
    ) -> list[Array]:
        """One draw of layers 1, ..., L - 1 from Q given each row of `x` (rows, n_0).

        Layer k + 1 draws from ``fold(key, k)``, row r the numbers of row ``first_row + r``.
        """
        states = []
        for k, (layer, unit) in enumerate(zip(params.up, self.units[1:], strict=False)):
            x = unit.sample(layer.own, x @ layer.W, fold(key, k), first_row=first_row)
            states.append(x)
        return states

    def mean_down(self, params: BeliefParameters, x: Array, layer: int) -> Array:
        """Means of the data given states or means `x` of the `layer`, by way of the means of those between."""
        for k in reversed(range(layer)):
            unit, own, inputs = self._from_above(params, k, x)
            x = self._without_extra(unit.mean(own, inputs), k)
        return x

    def sample_down(
        self,
        params: BeliefParameters,
        x: Array,
        key: Key,
        *,
        layer: int | None = None,
        mean: bool = False,
        first_row: int = 0,
    ) -> list[Array]:
        """One draw of the layers 0, ..., `layer` - 1 (in this order) given states `x` of the `layer`.

        Without `layer`, `x` are states of layer L - 1; with L they are the topmost one's. With `mean` the data are
        their mean given layer 1 instead of a draw. Layer k draws from ``fold(key, k)``, row r the numbers of row
        ``first_row + r``.
        """
        states: list[Array] = []
        for k in reversed(range(self.n_directed if layer is None else layer)):
            unit, own, inputs = self._from_above(params, k, x)
            if mean and not k:
                x = unit.mean(own, inputs)
            else:
                x = unit.sample(own, inputs, fold(key, k), first_row=first_row)
            x = self._without_extra(x, k)
            states.append(x)
        return states[::-1]

    def up_mean(self, params: BeliefParameters, k: int, x: Array) -> Array:
        """Means of layer k + 1 given states `x` of layer `k`, by recognition."""
        return self.units[k + 1].mean(params.up[k].own, x @ params.up[k].W)

    def down_mean(self, params: BeliefParameters, k: int, x: Array) -> Array:
        """Means of layer `k` given states `x` of layer k + 1."""
        return self.units[k].mean(params.down[k].own, x @ params.down[k].W.T)

    def _from_above(self, params: BeliefParameters, k: int, x: Array) -> tuple[Unit, Any, Array]:
        """Unit type, own parameters and inputs of layer `k`, or of the top's visible one, from layer k + 1."""
        if k < self.n_directed:
            return self.units[k], params.down[k].own, x @ params.down[k].W.T
        top = self.top_model
        return top.visible, params.top.visible, top.visible_input(params.top, x)

    def _without_extra(self, x: Array, k: int) -> Array:
        return x if k < self.n_directed else np.ascontiguousarray(self.split(x)[0])

    # Log-probabilities ----------------------------------------------------------------------

    def log_down(self, params: BeliefParameters, k: int, x: Array, above: Array) -> Array:
        """Log p(x_k | x_{k+1}) per row, in double precision: densities for Gaussian units."""
        layer = params.down[k]
        return log_conditional(self.units[k], layer.own, above @ layer.W.T, x)

    def log_up(self, params: BeliefParameters, k: int, below: Array, x: Array) -> Array:
        """Log q(x_{k+1} | x_k) per row, in double precision."""
        layer = params.up[k]
        return log_conditional(self.units[k + 1], layer.own, below @ layer.W, x)

    def log_top(
        self, params: BeliefParameters, x: Array, extra: Array | None = None, beta: float = 1.0
    ) -> Array:
        """-beta F of states `x` of layer L - 1 and of the extra ones, per row: log p(x, extra) + log Z(beta).

        Without `extra`, extra units are summed out.
        """
        if self.n_extra and extra is None:
            total: Array = np.logaddexp.reduce(self.extra_log_weights(params, x, beta), axis=1)
            return total
        return -beta * self.top_model.free_energy(params.top, self.top_rows(x, extra), beta)

    def log_joint(
        self,
        params: BeliefParameters,
        states: Sequence[Array],
        extra: Array | None = None,
        beta: float = 1.0,
    ) -> Array:
        """Log p(x_0, ..., x_{L-1}, extra) + log Z per row of the `states` of these layers; see :meth:`log_top`."""
        total = self.log_top(params, states[-1], extra, beta)
        for k, (x, above) in enumerate(pairwise(states)):
            total += self.log_down(params, k, x, above)
        return total

    def log_recognition(self, params: BeliefParameters, states: Sequence[Array]) -> Array:
        """Log Q(x_1, ..., x_{L-1} | x_0) per row of the `states` of layers 0, ..., L - 1."""
        total = np.zeros(len(states[0]))
        for k, (below, x) in enumerate(pairwise(states)):
            total += self.log_up(params, k, below, x)
        return total

    def extra_states(self) -> Array:
        """All states of the extra units: (states, n_extra); see :func:`ebm.energies.extra_units.extra_states`."""
        return extra_states(self.top_model.visible, self.n_extra)

    def extra_log_weights(self, params: BeliefParameters, x: Array, beta: float = 1.0) -> Array:
        """Log of the weight of each of the :meth:`extra_states` beside states `x` of layer L - 1: (rows, states).

        exp of it is proportional to p(extra | x).
        """
        return extra_log_weights(self.top_model, params.top, x, self.extra_states(), beta)

    def sample_extra(
        self, params: BeliefParameters, x: Array, key: Key, beta: float = 1.0
    ) -> Array:
        """One draw of the extra units given each row `x` of layer L - 1."""
        log_weights = self.extra_log_weights(params, x, beta)
        return sample_extra(self.extra_states(), log_weights, key).astype(x.dtype)


class _Reader:
    """Consecutive views of a vector."""

    def __init__(self, vector: Array) -> None:
        self._vector, self._place = vector, 0

    def matrix(self, rows: int, columns: int) -> Array:
        first = self._place
        self._place += rows * columns
        return self._vector[first : self._place].reshape(rows, columns)

    def own(self, unit: Unit, n_units: int) -> Any:
        return unit.parameters(*self.matrix(len(unit.fields), n_units))


def log_conditional(unit: Unit, own: Any, inputs: Array, x: Array) -> Array:
    """Log p(x | input) of a layer per row, in double precision: -U(x) + input's(x) - A(input)."""
    coupled = np.einsum("ij,ij->i", unit.statistic(own, x), inputs, dtype=np.float64)
    log_p: Array = coupled - unit.energy(own, x) - unit.log_normaliser(own, inputs)
    return log_p


def from_rbms(
    rbms: Sequence[tuple[Bipartite, BipartiteParameters]],
    n_extra: int = 0,
    joined: Unit | None = None,
) -> tuple[BeliefNetwork, BeliefParameters]:
    """The deep belief network of machines that were trained one on top of the other, data first.

    Every machine but the last gives the distribution of its visible layer for the way down, and of its hidden layer for
    the way up. Their weights are copies of its own: *tied*, until training makes them differ. The last one becomes the
    top.

    Parameters
    ----------
    rbms : sequence of pairs (Bipartite, BipartiteParameters)
        The hidden layer of each is the visible one of the next.
    n_extra : int, default=0
        Units that the last machine's visible layer has at its end, beyond the hidden ones of the machine below.
    joined : Unit, default=None
        Not None if the visible type of the last machine is not that of the layer below, extra units being of another.

    Returns
    -------
    BeliefNetwork, BeliefParameters
        With arrays of their own.

    Raises
    ------
    ValueError
        If there is no machine, or if one's visible layer is not the hidden layer below it, in count or in type.

    References
    ----------
    .. [1] Hinton, G. E., Osindero, S. and Teh, Y. W. (2006). A fast learning algorithm for deep belief nets. Neural
       Computation 18, 1527-1554, section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from ebm._random import stream
    >>> from ebm.energies.base import DataSummary
    >>> from ebm.energies.bipartite import Bipartite
    >>> from ebm.energies.belief_network import from_rbms
    >>> from ebm.units import Bernoulli
    >>> rbm, half, key = Bipartite(Bernoulli(), Bernoulli()), np.full(4, 0.5), stream(0, "init")
    >>> first = rbm.initial(DataSummary(half, half, 1), 3, key)
    >>> model, params = from_rbms([(rbm, first), (rbm, rbm.swapped(first)[1])])
    >>> model.shape(params)
    (4, 3, 4)
    """
    if not rbms:
        raise ValueError("rbms must hold at least one machine. Got none.")
    for number, ((lower, below), (upper, above)) in enumerate(pairwise(rbms)):
        last = number == len(rbms) - 2
        wanted, width = below.W.shape[1] + (n_extra if last else 0), above.W.shape[0]
        unit = lower.hidden if last and joined is not None else upper.visible
        if wanted != width or type(unit) is not type(lower.hidden):
            raise ValueError(
                f"rbms: machine {number} has {below.W.shape[1]} hidden units of the type {lower.hidden!r}, but machine "
                f"{number + 1} is of {width} visible units of the type {upper.visible!r}. Train each on the hidden "
                "units of the one below."
            )
    *lower_ones, (_, top) = rbms
    model = BeliefNetwork(
        (rbms[0][0].visible, *(machine.hidden for machine, _ in rbms)), n_extra, joined
    )
    down, up = [], []
    for machine, (W, visible, hidden) in lower_ones:
        down.append(Directed(machine.hidden.statistic(hidden, W), visible))
        up.append(Directed(machine.visible.statistic(visible, W.T).T, hidden))
    params = BeliefParameters(tuple(down), top, tuple(up))
    return model, model.unpack(model.pack(params), *model.shape(params))
