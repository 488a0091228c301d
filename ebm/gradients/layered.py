"""Gradients of layered models: each phase as a distribution of all layers, and their centered difference, layer by
layer.

In either phase the layers are in *states* (of data, of chains, of an enumeration) or follow their *distribution* given
their inputs. Two connected layers never follow their distributions at once, except in mean field, where they are
independent. So the averages of -dE/dtheta are those of

    a s_l s_m'  by the weights of an edge of multiplicity (a, a),    s_l  by the biases,

and of -dU/dtheta by the other own parameters theta of a layer. The positive phase is exact where the hidden layers are
independent given the data. Otherwise it is that of :mod:`ebm.inference.layered_mean_field`, and the gradient is that of
a lower bound of the likelihood. Estimators differ in the negative phase only, as for two layers.

The centered gradient has an offset for each layer, the running mean of its statistics in the positive phase
(:mod:`ebm.gradients.base`): an edge learns from s - offset at both ends, and

    db_l = <s_l>_data - <s_l>_model - sum_m a dW_lm offset_m.

Where an edge has unequal multiplicities there is no likelihood. The factor of dW is then the smaller one (see
:mod:`ebm.energies.edges`), and each bias is corrected by the factor at its own end.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from ebm._arrays import has_gaps
from ebm._checks import Array
from ebm._flat import in_double, leaves
from ebm._random import Key, Reserved, fold
from ebm.energies.incomplete import patterns
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layer_sums import Block, LayerSum, by_rows, layer_sum
from ebm.energies.layered_gaps import Parted, parted
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.energies.path import path_to
from ebm.gradients.base import Batch, BoundGradient, ChainState, Info
from ebm.gradients.exact import bind_exact
from ebm.gradients.moments import batch_weights
from ebm.gradients.tempered import (
    ParallelTempering,
    adapted,
    bind_tempered,
    from_arrays,
    to_arrays,
)
from ebm.inference.layered_mean_field import layered_mean_field
from ebm.samplers.tempering import temper

# Terms of the exact positive phase for each row of a batch.
MAX_STATES_OF_A_ROW = 2.0**20
# Kinds of gaps whose parts of the model are kept.
MOST_KINDS = 1000


class Phase(NamedTuple):
    """A distribution of all layers for each of some rows.

    Attributes
    ----------
    statistics : tuple of two ndarrays of shape (rows, units)
        Means of the statistics of each color.
    states : dict of int to ndarray of shape (rows, units)
        The states of the layers that are in states, by their numbers.
    inputs : tuple of two ndarrays of shape (rows, units), or None
        The inputs of the other layers, by colors.
    measured : mapping of str to float
        Sweeps of the mean field, and the share of the rows for which it converged, where there was one.
    """

    statistics: tuple[Array, Array]
    states: dict[int, Array]
    inputs: tuple[Array | None, Array | None]
    measured: Mapping[str, float] = MappingProxyType({})


def positive_phase(model: LayeredModel, params: LayeredParameters, v: Array) -> Phase:
    """The data rows `v`, and the hidden layers given them: exactly where these have one color, else in mean field."""
    known = model.split(v)
    way = model.fixed_point
    means = layered_mean_field(
        model, params, known, n_sweeps=way.n_sweeps, tol=way.tol, damping=way.damping
    )
    measured = {
        "mean_field_sweeps": float(means.n_sweeps),
        "mean_field_converged": float(means.converged.mean()),
    }
    independent = means.n_sweeps < 2 and means.converged.all()
    return Phase(means.statistics, known, means.inputs, {} if independent else measured)


def chain_phase(
    model: LayeredModel, params: LayeredParameters, even: Array, inputs: Array
) -> Phase:
    """States of the even layers, and the distribution of the odd ones that receive `inputs` from them."""
    mean = model.sides[ODD].mean(model.layer_params(params, ODD), inputs)
    states = {k: even[:, model.places[k].columns] for k in model.members[EVEN]}
    s = model.statistic(params, EVEN, even), model.statistic(params, ODD, mean)
    return Phase(s, states, (None, inputs))


def block_phase(terms: LayerSum, block: Block) -> Phase:
    """Terms of an exact sum: states of the enumerated color and of what is known, and the distribution of the rest."""
    model, color = terms.model, terms.color
    states = {k: x[block.rows] for k, x in terms.known.items()}
    states |= {k: block.x[:, model.places[k].columns] for k in model.members[color]}
    x = terms.completed(block)
    even, odd = (model.statistic(terms.params, c, x[c]) for c in (EVEN, ODD))
    received = (None, block.inputs) if color == EVEN else (block.inputs, None)
    return Phase((even, odd), states, received)


class PhaseSum:
    """Weighted sums of -dE/dtheta, positive for the data and negative for the model, written to arrays of parameters.

    Parameters
    ----------
    model : LayeredModel
    total : LayeredParameters
        Where the sums are written.
    """

    def __init__(self, model: LayeredModel, total: LayeredParameters) -> None:
        self._model, self._total = model, total
        self._room = tuple(np.empty_like(W) for W in total.weights)
        self.begin()

    def begin(self) -> None:
        """Forget all phases."""
        self.means = [self._model.nothing(self._total, color)[0] for color in (EVEN, ODD)]
        for layer_params in self._total.layers:
            for x in layer_params:
                x[:] = 0
        self._empty = True

    def add(self, params: LayeredParameters, phase: Phase, weights: Array) -> None:
        """The terms of one phase, with the signed `weights` (rows,)."""
        even, odd = phase.statistics
        self._add_products(even, odd * weights[:, np.newaxis])
        for color, s in enumerate(phase.statistics):
            self.means[color] += weights @ s
        model = self._model
        for k, (layer, layer_params, total) in enumerate(
            zip(model.layers, params.layers, self._total.layers, strict=True)
        ):
            if len(layer.unit.fields) == 1:
                continue
            if k in phase.states:
                derivatives = layer.unit.parameter_derivatives(layer_params, phase.states[k])
            else:
                color, columns = model.places[k]
                received = phase.inputs[color]
                assert received is not None
                derivatives = layer.unit.mean_derivatives(layer_params, received[:, columns])
            for field, values in derivatives.items():
                getattr(total, field)[:] += weights @ values

    def add_parts(self, some: "PhaseSum", whole: Parted) -> None:
        """The sums of a model whose layers are parts of those of this one."""
        model, total, found = self._model, self._total, some._total
        for W in total.weights if self._empty else ():
            W[:] = 0
        self._empty = False
        for W, (number, *ends) in zip(found.weights, whole.edges, strict=True):
            total.weights[number][np.ix_(*ends)] += W
        for j, (k, mask) in enumerate(whole.parts):
            (color, columns), (side, part) = model.places[k], some._model.places[j]
            self.means[color][columns][mask] += some.means[side][part]
            for x, more in zip(total.layers[k], found.layers[j], strict=True):
                x[mask] += more

    def _add_products(self, even: Array, odd: Array) -> None:
        """Even' odd, by edges."""
        model, sides = self._model, (even, odd)
        for number, (edge, ends) in enumerate(zip(model.edges, model.ends, strict=True)):
            lower, upper = (sides[model.places[k].color][:, model.places[k].columns] for k in ends)
            out = self._total.weights[number] if self._empty else self._room[number]
            edge.coupling.products(lower, upper, out)
            if not self._empty:
                self._total.weights[number][:] += out
        self._empty = False

    def finish(self, params: LayeredParameters, offsets: tuple[Array, Array]) -> bool:
        """Turn the sums into the centered gradient; whether it is finite."""
        self._add_couplings(params)
        mu, lam = offsets
        dv, dh = self.means
        self._add_products(np.stack([-mu, -dv]), np.stack([dh, lam]))
        model, total = self._model, self._total
        for edge, W in zip(model.edges, total.weights, strict=True):
            factor = min(edge.multiplicity)
            if factor != 1:
                W *= factor
        biases = [
            mean - model.inputs(total, color, offset[np.newaxis])[0]
            for color, mean, offset in zip((EVEN, ODD), self.means, (lam, mu), strict=True)
        ]
        for layer_params, (color, columns) in zip(total.layers, model.places, strict=True):
            layer_params.bias[:] = biases[color][columns]
        return all(
            bool(np.isfinite(x).all()) for layer_params in total.layers for x in layer_params
        )

    def _add_couplings(self, params: LayeredParameters) -> None:
        """The part of statistics that have a parameter (:meth:`ebm.units.Unit.statistic_slopes`)."""
        model, total = self._model, self._total
        for edge, ends, W, pairs in zip(
            model.edges, model.ends, params.weights, total.weights, strict=True
        ):
            for axis, (k, factor) in enumerate(zip(ends, edge.multiplicity, strict=True)):
                unit, layer_params = model.layers[k].unit, total.layers[k]
                for field, slope in unit.statistic_slopes(params.layers[k]).items():
                    if unit.is_free(field):
                        coupling = factor * (W * pairs).sum(axis=1 - axis)
                        getattr(layer_params, field)[:] += slope * coupling


class BoundLayered(BoundGradient):
    """An estimator for layered models with its buffers (abstract)."""

    def __init__(
        self, model: LayeredModel, gradient: LayeredParameters, batch_size: int, slide: float
    ) -> None:
        self._model, self._gradient, self._slide = model, gradient, slide
        self._sum = PhaseSum(model, gradient)
        self._V = np.zeros((batch_size, sum(model.visible.sizes)), model.dtype(gradient))

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._V[:n_rows]

    def __call__(
        self, params: LayeredParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[LayeredParameters, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood (see :class:`~ebm.gradients.base.BoundGradient`)."""
        weights = batch_weights(batch, self._model.dtype(params))
        data = positive_phase(self._model, params, batch.v)
        negative, shares, chains = self._negative(params, data, weights, chains, key)
        self._sum.begin()
        self._sum.add(params, data, weights)
        _slide(chains, self._sum.means, self._slide)
        self._sum.add(params, negative, -shares)
        finite = self._sum.finish(params, (chains.visible_offset, chains.hidden_offset))
        return self._gradient, chains, Info(finite, data.measured)

    def _negative(
        self,
        params: LayeredParameters,
        data: Phase,
        weights: Array,
        chains: ChainState,
        key: Key,
    ) -> tuple[Phase, Array, ChainState]:
        """The negative phase, the weights of its rows, and the chains as they are then."""
        raise NotImplementedError


def _slide(chains: ChainState, means: list[Array], rate: float) -> None:
    """Move the offsets, in place, by `rate` of the way towards the means of the data phase."""
    offsets = chains.visible_offset, chains.hidden_offset
    for offset, mean in zip(offsets, means, strict=True):
        offset[:] += rate * (mean - offset)


class BoundLayeredChains(BoundLayered):
    """Both contrastive estimators: the chains start at the data, or where they last stood.

    The draws have the numbers that they have in :mod:`ebm._kernels.contrastive`.
    """

    def __init__(
        self,
        model: LayeredModel,
        gradient: LayeredParameters,
        batch_size: int,
        n_chains: int | None,
        n_steps: int,
        slide: float,
    ) -> None:
        super().__init__(model, gradient, batch_size, slide)
        self._persistent, self._n_steps = n_chains is not None, n_steps

    def _negative(
        self,
        params: LayeredParameters,
        data: Phase,
        weights: Array,
        chains: ChainState,
        key: Key,
    ) -> tuple[Phase, Array, ChainState]:
        model = self._model
        odd = chains.h if self._persistent else self._at_data(params, data, fold(key, 0))
        for step in range(self._n_steps):
            even = model.sample(params, EVEN, odd, fold(key, 2 * step + 1))
            inputs = model.inputs_from(params, ODD, even)
            if self._persistent or step < self._n_steps - 1:
                layer_params = model.layer_params(params, ODD)
                odd = model.sides[ODD].sample(layer_params, inputs, fold(key, 2 * step + 2))
        phase = chain_phase(model, params, even, inputs)
        self._last = phase.statistics[EVEN]
        if not self._persistent:
            return phase, weights, chains
        shares = np.full(len(odd), 1.0 / len(odd), weights.dtype)
        return phase, shares, chains._replace(h=odd)

    def fantasies(self, n_rows: int) -> Array:
        """Statistics of the even states in which the last negative phase ended, as of two layers."""
        return self._last

    def _at_data(self, params: LayeredParameters, data: Phase, key: Key) -> Array:
        """States of the odd layers, drawn from the positive phase."""
        inputs = data.inputs[ODD]
        assert inputs is not None
        drawn = self._model.sides[ODD].sample(self._model.layer_params(params, ODD), inputs, key)
        return self._model.colored(ODD, data.states, drawn)


class BoundLayeredExact(BoundGradient):
    """The exact estimator: both phases by enumeration."""

    takes_gaps = True

    def __init__(
        self, model: LayeredModel, gradient: LayeredParameters, batch_size: int, slide: float
    ) -> None:
        layer_sum(model, gradient)  # refuses what cannot be summed
        self._kinds: dict[bytes, Parted] = {}
        self._model, self._gradient, self._slide = model, gradient, slide
        self._total = in_double(gradient)
        self._sum = PhaseSum(model, self._total)
        self._V = np.zeros((batch_size, sum(model.visible.sizes)), model.dtype(gradient))

    def rows(self, n_rows: int) -> Array:
        """Where the next batch is best written."""
        return self._V[:n_rows]

    def __call__(
        self, params: LayeredParameters, batch: Batch, chains: ChainState, key: Key
    ) -> tuple[LayeredParameters, ChainState, Info]:
        """Gradient of the batch's mean log-likelihood (see :class:`~ebm.gradients.base.BoundGradient`)."""
        weights = batch_weights(batch, np.float64)
        self._sum.begin()
        if has_gaps(batch.v):
            for unknown, some in patterns(batch.v):
                self._add_parted(params, batch.v[some], unknown, weights[some])
        else:
            known = self._model.split(batch.v)
            terms = layer_sum(self._model, params, known, most=MAX_STATES_OF_A_ROW)
            add_terms(self._sum, terms, weights)
        _slide(chains, self._sum.means, self._slide)
        add_terms(self._sum, layer_sum(self._model, params), -np.ones(1))
        finite = self._sum.finish(in_double(params), (chains.visible_offset, chains.hidden_offset))
        for x, values in zip(leaves(self._gradient), leaves(self._total), strict=True):
            x[:] = values
        return self._gradient, chains, Info(finite)

    def _add_parted(
        self, params: LayeredParameters, v: Array, unknown: Array, weights: Array
    ) -> None:
        """Rows with the same `unknown` entries, a mask (n_visible,): these are layers of hidden units for the sums."""
        whole = self._parted_at(in_double(params), unknown)
        known = {k: v[:, columns] for k, columns in whole.known.items()}
        terms = layer_sum(whole.model, whole.params, known, most=MAX_STATES_OF_A_ROW)
        some = PhaseSum(whole.model, in_double(whole.params))
        add_terms(some, terms, weights)
        self._sum.add_parts(some, whole)

    def _parted_at(self, params: LayeredParameters, unknown: Array) -> Parted:
        """The model and its parameters, parted; what does not depend on these is kept for each kind of gaps."""
        kind = unknown.tobytes()
        if kind in self._kinds:
            return self._kinds[kind].at(self._model, params)
        if len(self._kinds) == MOST_KINDS:
            self._kinds.clear()
        self._kinds[kind] = whole = parted(self._model, params, unknown)
        return whole


def add_terms(total: PhaseSum, terms: LayerSum, weights: Array) -> None:
    """Add all terms, each row with its weight, to the `total`."""
    blocks = terms.blocks()
    if len(terms.starts()) == 1:  # the usual one, made once
        block = terms.block(0)
        logs, blocks = by_rows(block, block.log_weights, np.logaddexp)[1], iter([block])
    else:
        logs = terms.log_sums()
    for block in blocks:
        shares = weights[block.rows] * np.exp(block.log_weights - logs[block.rows])
        total.add(terms.params, block_phase(terms, block), shares)


class BoundLayeredTempered(BoundLayered):
    """The tempered estimator: the negative phase is that of the replicas at t = 1."""

    def __init__(
        self,
        choice: ParallelTempering,
        model: LayeredModel,
        gradient: LayeredParameters,
        batch_size: int,
    ) -> None:
        super().__init__(model, gradient, batch_size, choice.slide)
        model.check_energy()
        self._choice = choice

    def _negative(
        self,
        params: LayeredParameters,
        data: Phase,
        weights: Array,
        chains: ChainState,
        key: Key,
    ) -> tuple[Phase, Array, ChainState]:
        model, n_chains = self._model, len(chains.h)
        state, rates, base = from_arrays(model, params, chains.gradient_state)
        path = path_to(model, params, base)
        state = temper(path, state, key, 1, n_moves=self._choice.n_steps)
        even = state.x[:n_chains]
        inputs = path.inputs(even)
        odd = model.sides[ODD].sample(
            model.layer_params(params, ODD), inputs, fold(key, Reserved.REPLICA_HIDDEN.number)
        )
        gradient_state = to_arrays(*adapted(state, rates, self._choice.adapt), base)
        shares = np.full(n_chains, 1.0 / n_chains, weights.dtype)
        phase = chain_phase(model, params, even, inputs)
        return phase, shares, chains._replace(h=odd, gradient_state=gradient_state)


@bind_exact.register
def _(
    model: LayeredModel, gradient: LayeredParameters, batch_size: int, slide: float
) -> BoundGradient:
    return BoundLayeredExact(model, gradient, batch_size, slide)


@bind_tempered.register
def _(
    model: LayeredModel,
    choice: ParallelTempering,
    gradient: LayeredParameters,
    batch_size: int,
    n_chains: int,
) -> BoundGradient:
    return BoundLayeredTempered(choice, model, gradient, batch_size)
