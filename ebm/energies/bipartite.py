"""Two layers, v and h, connected by weights: the restricted Boltzmann machines.

    E(v, h) = U(v) + U(h) - s(v)' W s(h),        p(v, h) = exp(-beta E(v, h)) / Z(beta),

with the own energies U and statistics s of :mod:`ebm.units`. Either layer can be summed out exactly, which leaves the
free energy of the other,

    F(v) = -(1/beta) log sum_h exp(-beta E(v, h)) = U(v) - A_h(W' s(v)) / beta.

The two layers play the same part: everything said of v holds of h for the swapped model (:meth:`Bipartite.swapped`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._flat import Extent
from ebm._random import Key, normal
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
from ebm.energies.thresholds import largest_precision, measure, rows_apart, tells_apart
from ebm.units import Unit

# The name of an array, and one of its shape and dtype that stands for it where it is missing -> the array.
Read = Callable[[str, Array], Array]


def array_name(field: str, layer: str) -> str:
    """The name of an own parameter of the layer among the arrays of a model."""
    return f"{'intercept' if field == 'bias' else field}_{layer}"


class BipartiteParameters(NamedTuple):
    """Parameters of a bipartite model, and, being of the same shape, gradients by them.

    Attributes
    ----------
    W : ndarray of shape (n_visible, n_hidden)
        Weights.
    visible, hidden : NamedTuple of ndarray
        The layers' own parameters (:mod:`ebm.units`); ``visible.bias`` is b, ``hidden.bias`` is c.
    """

    W: Array
    visible: Any
    hidden: Any


def may_lack_a_law(lower: Unit, upper: Unit) -> bool:
    """Whether both layers are without bounds, and one is of counts, whose own energies grow slower than squares."""
    units = lower, upper
    return not any(unit.bounded for unit in units) and any(unit.one_sided for unit in units)


def lacks_a_law(lower: Unit, upper: Unit, W: Array) -> bool:
    """Whether the weights W between such layers make the sum over all states infinite: of counts, positive ones."""
    if not may_lack_a_law(lower, upper):
        return False
    return bool((W > 0).any() if lower.one_sided and upper.one_sided else W.any())


@dataclass(frozen=True)
class Bipartite(Model):
    """The choice of the two unit types; all functions take the parameters and leave their arguments alone."""

    kind: ClassVar[str] = "restricted Boltzmann machines"
    learns_from_gaps: ClassVar[bool] = True
    visible: Unit
    hidden: Unit

    def layout(self, *shape: int) -> BipartiteParameters:
        """The weights (n_visible, n_hidden), then v's own parameters, then h's."""
        n_visible, n_hidden = shape
        return BipartiteParameters(
            Extent((n_visible, n_hidden), weight=True),  # type: ignore[arg-type]
            unit_extents(self.visible, n_visible),
            unit_extents(self.hidden, n_hidden),
        )

    def shape(self, params: BipartiteParameters) -> tuple[int, int]:
        """(n_visible, n_hidden)."""
        return params.W.shape[0], params.W.shape[1]

    def max_norm_matrices(self, params: BipartiteParameters) -> tuple[Array, ...]:
        """Matrices whose columns are the weights into one unit each."""
        return (params.W,)

    def chain_width(self, params: BipartiteParameters) -> int:
        """Numbers that a persistent chain of the model is remembered by: the hidden states."""
        return self.shape(params)[1]

    def offset_widths(self, params: BipartiteParameters) -> tuple[int, int]:
        """Lengths of the offsets of the centered gradient, of either layer."""
        return self.shape(params)

    @property
    def chain_unit(self) -> Unit:
        """The type of the units by whose states a persistent chain is remembered."""
        return self.hidden

    @property
    def starts_at_rows(self) -> bool:
        """Whether learning starts at rows of the data: see :meth:`with_examples`."""
        return tells_apart(self.visible) and self.hidden.states == (0.0, 1.0)

    def unit_layers(self, params: BipartiteParameters) -> dict[str, tuple[Unit, Any]]:
        """The unit type and the own parameters of each layer, by name."""
        return {
            "visible": (self.visible, params.visible),
            "hidden": (self.hidden, params.hidden),
        }

    def compiled(self, params: BipartiteParameters) -> tuple[Any, ...]:
        """The arguments of compiled functions in the place of `params`: (W, visible, hidden) with units' constants."""
        W, visible, hidden = params
        return W, self.visible.compiled(visible), self.hidden.compiled(hidden)

    def initial(self, data: DataSummary, n_hidden: int, key: Key) -> BipartiteParameters:
        """Small random weights, neutral hidden units, visible units that know the data's moments.

        See :func:`ebm.energies.base.small_weights`. ValueError for two types of units without a distribution of both
        (:meth:`check_finite`).
        """
        if may_lack_a_law(self.visible, self.hidden):
            raise ValueError(
                f"Visible units {self.visible!r} and hidden units {self.hidden!r} have no joint distribution once "
                "weights are learned: the sum over their states is infinite. Use units with bounds in one of the "
                "layers, such as 'bernoulli'."
            )
        visible = self.visible.initial(*data)
        hidden = self.hidden.neutral(n_hidden, data.mean.dtype)
        W = normal(key, (len(data.mean), n_hidden), data.mean.dtype)
        a, c = self.visible.scale(visible), self.hidden.scale(hidden)
        W = small_weights(W, sum(W.shape), a, c)
        return BipartiteParameters(W, visible, hidden)

    def check_finite(self, params: BipartiteParameters) -> None:
        """ValueError where Z is infinite, of layers of counts without bounds beside others without bounds.

        With s(h) the states of one layer, the log-partition function of the other one grows with the exponential of W
        s(h) for counts, and with its square for Gaussian units. The own energy of counts grows with x log x alone.
        """
        if lacks_a_law(self.visible, self.hidden, params.W):
            one_way = self.visible.one_sided and self.hidden.one_sided
            raise ValueError(
                f"Z does not exist: {'positive ' if one_way else ''}weights between visible units {self.visible!r} and "
                f"hidden units {self.hidden!r} make the sum over all states infinite."
            )

    def with_examples(self, params: BipartiteParameters, examples: Any) -> BipartiteParameters:
        """Binary hidden units that tell rows apart, and visible units that make up for what these add to their means.

        Hidden unit j has its threshold at row j of `examples` (rows, n_visible), of which there are at least n_hidden.
        U are the weights by which the states themselves are multiplied: W / sigma^2 beside units with a scale. Its
        columns keep their directions as far as they can be orthogonal, n_visible at a time. Their length lets the input
        of a hidden unit deviate by about two over the rows. Units with a scale are measured by the
        standard deviation of each, others by that of all together: those that are hardly ever on would otherwise weigh
        the most.

        With the means m_j and the variances q_j = m_j (1 - m_j) of the hidden units over the examples, the means of the
        visible units and, where these are learned, their variances become

            b = b_0 - W m,        1 / sigma_i^2 = 1 / variance_i + sum_j U_ij^2 q_j.

        So the slope of log p(v) vanishes at about the data's mean, and its curvature there has the diagonal of
        independent units of the data's variances. Features that are constant among the examples have no weights at
        first.
        """
        unit = measure(self.visible, params.visible, examples)
        apart = rows_apart(params.W, examples, unit, largest_precision(self.visible, examples))
        W, visible = apart.below(self.visible, params.visible)
        dtype = params.W.dtype
        hidden = params.hidden._replace(bias=apart.hidden_bias.astype(dtype))
        return BipartiteParameters(W.astype(dtype), visible, hidden)

    def centered(self, params: BipartiteParameters, mean: Array) -> BipartiteParameters:
        """Hidden units that have their own mean where the data have theirs, beside visible units with a scale."""
        if not self.has_scale:
            return params
        pull = self.hidden_input(params, mean[np.newaxis])[0]
        return params._replace(hidden=params.hidden._replace(bias=params.hidden.bias - pull))

    def start_chains(
        self, params: BipartiteParameters, mean: Array, n_chains: int, centered: bool, key: Key
    ) -> ChainState:
        """Chains that begin as draws from the hidden units' own distribution."""
        n_hidden, dtype = params.W.shape[1], params.W.dtype
        check_memory(n_chains, 1, params.W.shape, dtype)
        h = self.hidden.sample(params.hidden, np.zeros((n_chains, n_hidden), dtype), key)
        at_rest = self.hidden.mean(params.hidden, np.zeros((1, n_hidden), dtype))
        below = self.hidden.statistic(params.hidden, at_rest)[0]
        above = self.visible.statistic(params.visible, mean[np.newaxis].astype(dtype))[0]
        return ChainState(h, above, below) if centered else ChainState(h, 0 * above, 0 * below)

    def chains_at_rows(self, params: BipartiteParameters, rows: Array, key: Key) -> Array:
        """Hidden states drawn given the rows."""
        return self.sample_hidden(params, rows, key)

    @property
    def is_normal(self) -> bool:
        """Whether both layers are of normal units: then the joint distribution is a normal one, or there is none."""
        return self.visible.is_normal and self.hidden.is_normal

    @property
    def has_binary_hidden(self) -> bool:
        """Whether the hidden units have the states 0 and 1."""
        return self.hidden.states == (0.0, 1.0)

    def rescale(
        self,
        params: BipartiteParameters,
        gradient: BipartiteParameters,
        chains: ChainState,
        variance: Array | None = None,
        rate: float | None = None,
    ) -> None:
        """By U and the centered biases, see :meth:`ebm.energies.base.Model.rescale`.

        Let a_i and c_j be the squared scales of the units, and A_i and C_j their variances. U_ij = W_ij / (a_i c_j)
        moves by its gradient over A_i C_j, and so W_ij by a_i^2 c_j^2 / (A_i C_j) times its own. The centered biases
        move a_i and c_j times as far.

        A step of the logarithm of a_i, which U does not feel, moves W_ij in proportion. Without chains W_ij moves only
        by the open share of hidden unit j of that (:func:`ebm.energies.base.open_shares`), and one of c_j likewise.
        So clouds of data that lie far apart keep their means: noise in the scale would otherwise move these by many
        standard deviations. Persistent chains, however, go from cloud to cloud only while the scale is wide, and
        without them the clouds' weights are lost.
        """
        a, c = self.visible.scale(params.visible), self.hidden.scale(params.hidden)
        above, below = chains.hidden_offset, chains.visible_offset
        b_step = gradient.visible.bias + gradient.W @ above
        c_step = gradient.hidden.bias + below @ gradient.W
        of_a, of_c = (params.W, params.W) if len(chains.h) else self._followers(params, a, c)
        slopes = gradient.W * of_a, gradient.W * of_c
        b_log = log_steps(
            self.visible, params.visible, gradient.visible, slopes[0].sum(axis=1), rate
        )
        c_log = log_steps(self.hidden, params.hidden, gradient.hidden, slopes[1].sum(axis=0), rate)
        if a is not None:
            gradient.W[:] *= (a if variance is None else a**2 / np.maximum(variance, a))[
                :, np.newaxis
            ]
            b_step *= a
        if c is not None:
            gradient.W[:] *= c
            c_step *= c
        by_visible, by_hidden = of_a * b_log[:, np.newaxis], of_c * c_log
        gradient.visible.bias[:] = b_step - (gradient.W + by_visible) @ above
        gradient.hidden.bias[:] = c_step - below @ (gradient.W + by_hidden)
        gradient.W[:] += by_visible + by_hidden

    def _followers(
        self, params: BipartiteParameters, a: Array | None, c: Array | None
    ) -> tuple[Array, Array]:
        """The parts of W that move with the visible scales and with the hidden ones."""
        W = params.W
        of_a, of_c = W, W
        if a is not None:
            of_a = W * open_shares(
                self.hidden, params.hidden, (W**2 / a[:, np.newaxis]).sum(axis=0)
            )
        if c is not None:
            shares = open_shares(self.visible, params.visible, (W**2 / c).sum(axis=1))
            of_c = W * shares[:, np.newaxis]
        return of_a, of_c

    def size(self, params: BipartiteParameters, variance: Array | None) -> float:
        """Of all parameters, or beside units with a scale of the weights and the visible biases."""
        a, c = self.visible.scale(params.visible), self.hidden.scale(params.hidden)
        if a is None and c is None:
            return max(map(largest, (params.W, *params.visible, *params.hidden)))
        W, b = params.W, params.visible.bias
        if a is not None:
            if variance is None:  # the data are unknown
                return 0.0
            unit = np.sqrt(np.maximum(variance, a)).astype(W.dtype)
            W, b = W / unit[:, np.newaxis], b / unit
        return max(largest(in_scales(W, None, c)), largest(b))

    def hidden_at_rest(self, params: BipartiteParameters) -> Array:
        """Means of the hidden units without input: (n_hidden,)."""
        nothing = np.zeros((1, params.W.shape[1]), params.W.dtype)
        rest: Array = self.hidden.mean(params.hidden, nothing)[0]
        return rest

    def visible_parameters(self, params: BipartiteParameters) -> Any:
        """The visible units' own parameters, for functions of :attr:`visible`."""
        return params.visible

    def hidden_parameters(self, params: BipartiteParameters) -> Any:
        """The hidden units' own parameters, for functions of :attr:`hidden`."""
        return params.hidden

    def arrays(self, params: BipartiteParameters) -> dict[str, Array]:
        """All parameters by name: "weights" (n_visible, n_hidden), "intercept_visible", "log_variance_visible", ..."""
        named = {"weights": params.W}
        for layer, layer_params in (("visible", params.visible), ("hidden", params.hidden)):
            named |= {
                array_name(field, layer): getattr(layer_params, field)
                for field in layer_params._fields
            }
        return named

    def of_arrays(self, W: Array, read: Read) -> BipartiteParameters:
        """The inverse of :meth:`arrays`: parameters of the weights W and of what `read` gives for each other name."""
        layers = []
        for layer, unit, n in zip(
            ("visible", "hidden"), (self.visible, self.hidden), W.shape, strict=True
        ):
            neutral = unit.neutral(n, W.dtype)
            values = (
                read(array_name(field, layer), getattr(neutral, field)) for field in unit.fields
            )
            layers.append(type(neutral)(*values))
        return BipartiteParameters(W, *layers)

    def swapped(self, params: BipartiteParameters) -> "tuple[Bipartite, BipartiteParameters]":
        """The same model with v and h renamed into each other."""
        model = Bipartite(self.hidden, self.visible)
        return model, BipartiteParameters(params.W.T, params.hidden, params.visible)

    def above(self, params: BipartiteParameters, below: BipartiteParameters) -> BipartiteParameters:
        """`params` as a second layer on top of `below`, beginning with that turned over.

        The first hidden units are the visible units of `below`, whose hidden units are the first visible ones here. So
        the distribution of the states between the two layers is at first the same, and the bound of the two the
        likelihood of `below` (Hinton, Osindero & Teh 2006). All other weights stay random, at a tenth of their size:
        those of many units together would move the distribution.
        """
        n, m = below.W.T.shape
        W = 0.1 * params.W
        W[:n, :m] = below.W.T
        return BipartiteParameters(
            W, _lead(params.visible, below.hidden), _lead(params.hidden, below.visible)
        )

    def translated(self, params: BipartiteParameters, shift: Array) -> BipartiteParameters:
        """The distribution of v + `shift` (n_visible,), for units whose states can be shifted; the arrays of W are
        shared.
        """
        # Parameters that diverged are told elsewhere.
        with np.errstate(over="ignore", invalid="ignore"):
            pulled = self.hidden_input(params, shift[np.newaxis])[0]
            bias = params.hidden.bias - pulled
        visible = params.visible._replace(bias=params.visible.bias + shift)
        return params._replace(visible=visible, hidden=params.hidden._replace(bias=bias))

    def tempered(self, params: BipartiteParameters, beta: float) -> BipartiteParameters:
        """Parameters of the energy beta E; its distribution at temperature one is that of E at the inverse temperature
        beta.
        """
        visible, p = self.visible.tempered(params.visible, beta)
        hidden, q = self.hidden.tempered(params.hidden, beta)
        return BipartiteParameters(params.W * params.W.dtype.type(beta / (p * q)), visible, hidden)

    def energy(self, params: BipartiteParameters, v: Array, h: Array) -> Array:
        """E(v, h) per row: (rows, n_visible), (rows, n_hidden) -> (rows,)."""
        apart = self.visible.energy(params.visible, v) + self.hidden.energy(params.hidden, h)
        statistic = self.hidden.statistic(params.hidden, h)
        energy: Array = apart - np.einsum("ij,ij->i", self.hidden_input(params, v), statistic)
        return energy

    def hidden_input(self, params: BipartiteParameters, v: Array) -> Array:
        """W's(v): what the hidden units receive; `v` may be CSR rows."""
        inputs: Array = self.visible.statistic(params.visible, v) @ params.W
        return inputs

    def visible_input(self, params: BipartiteParameters, h: Array) -> Array:
        """W s(h): what the visible units receive."""
        inputs: Array = self.hidden.statistic(params.hidden, h) @ params.W.T
        return inputs

    def recognition(self, params: BipartiteParameters) -> tuple[Array, Array]:
        """New arrays W (n_visible, n_hidden), c (n_hidden,) with v'W + c the hidden units' inputs, biases included.

        W takes in what the statistic, which is linear in the states, makes of them.
        """
        ones = np.ones((1, len(params.W)), params.W.dtype)
        factor = self.visible.statistic(params.visible, ones)[0]
        return factor[:, np.newaxis] * params.W, params.hidden.bias.copy()

    def free_energy(self, params: BipartiteParameters, v: Array, beta: float = 1.0) -> Array:
        """F(v) per row: (rows, n_visible) -> (rows,) in double precision."""
        summed_out = self.hidden.log_normaliser(params.hidden, self.hidden_input(params, v), beta)
        return self.visible.energy(params.visible, v) - summed_out / beta

    def hidden_mean(self, params: BipartiteParameters, v: Array, beta: float = 1.0) -> Array:
        """E[h | v]: (rows, n_visible) -> (rows, n_hidden)."""
        return self.hidden.mean(params.hidden, self.hidden_input(params, v), beta)

    def visible_mean(self, params: BipartiteParameters, h: Array, beta: float = 1.0) -> Array:
        """E[v | h]: (rows, n_hidden) -> (rows, n_visible)."""
        return self.visible.mean(params.visible, self.visible_input(params, h), beta)

    def sample_hidden(
        self, params: BipartiteParameters, v: Array, key: Key, beta: float = 1.0
    ) -> Array:
        """One draw from p(h | v) per row."""
        return self.hidden.sample(params.hidden, self.hidden_input(params, v), key, beta)

    def sample_visible(
        self, params: BipartiteParameters, h: Array, key: Key, beta: float = 1.0
    ) -> Array:
        """One draw from p(v | h) per row."""
        return self.visible.sample(params.visible, self.visible_input(params, h), key, beta)


def _lead(layer_params: Any, first: Any) -> Any:
    """The own parameters `layer_params` of a layer whose first units have those of `first`."""
    return type(layer_params)(
        *(np.concatenate([a, b[len(a) :]]) for a, b in zip(first, layer_params, strict=True))
    )
