"""The path from a distribution of independent units to a layered model, over the layers of one color.

See :mod:`ebm.energies.path` for what a path is, and for what it is used. With the own energies between those of the
base and of the model, and the weights growing in proportion, a step is one of block Gibbs sampling. The path over the
even layers and the one over the odd layers have the same distributions of all layers together at every t. Their states,
and so the weights of annealing, differ. This makes two estimates of one log Z.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._random import Key, fold, stream
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.energies.edges import Dense
from ebm.energies.layer_graph import EVEN, ODD
from ebm.energies.layers import LayeredModel, LayeredParameters
from ebm.energies.path import (
    PILOT_CHAINS,
    PILOT_STEPS,
    BipartitePath,
    Path,
    Tilt,
    base_of,
    model_base,
    path_to,
    tilted,
)
from ebm.units import Groups

Base = tuple[Any, ...]
# Share of the weights between both colors that are there, from which on one matrix of all is faster.
FILLED = 2 / 3


class LayeredStage(NamedTuple):
    """A layered model part of the way: own parameters, factors of the inputs and constants, by color."""

    t: float
    layer_params: tuple[tuple[Any, ...], tuple[Any, ...]]
    factors: tuple[Array, Array]
    constants: tuple[float, float]


class LayeredPath(Path):
    """The path from a product distribution to a layered model.

    `base` are the own parameters of each layer at t = 0, where there are no weights. The states are those of the layers
    of the `color`; the others are summed out.
    """

    def __init__(
        self, model: LayeredModel, params: LayeredParameters, base: Base, color: int = EVEN
    ) -> None:
        model.check_energy()
        self._model, self._params, self._layers = model, params, base
        self._color, self._summed = color, 1 - color
        start = LayeredParameters(params.weights, base)
        self._base = tuple(model.layer_params(start, color) for color in (EVEN, ODD))
        self._own = tuple(model.layer_params(params, color) for color in (EVEN, ODD))
        self.unit = model.sides[color]
        self.log_z = float(
            sum(
                side.log_normaliser(layer_params, model.nothing(params, color))[0]
                for color, (side, layer_params) in enumerate(
                    zip(model.sides, self._base, strict=True)
                )
            )
        )

    def start(self, n_rows: int, key: Key, first_row: int = 0, tilt: Tilt | None = None) -> Array:
        """Independent draws of the layers of the color from the base."""
        shape = self._model.nothing(self._params, self._color, n_rows).shape
        fields = tilted(shape, self._model.dtype(self._params), tilt)
        return self.unit.sample(self._base[self._color], fields, key, first_row=first_row)

    def log_normaliser(self, fields: Array) -> Array:
        """A of the layers of the color in the base."""
        return self.unit.log_normaliser(self._base[self._color], fields)

    def inputs(self, x: Array) -> Array:
        """The inputs of the layers that are summed out."""
        return self._model.inputs_from(self._params, self._summed, x)

    def turned(self) -> "LayeredPath":
        """The path over the layers of the other color."""
        return LayeredPath(self._model, self._params, self._layers, self._summed)

    def stage(self, t: float) -> LayeredStage:
        """The model at t: t times the weights, in the statistics of the target."""
        dtype = self._model.dtype(self._params)
        layer_params, factors, constants = [], [], []
        for side, first, last in zip(self._model.sides, self._base, self._own, strict=True):
            between, ratio, constant = side.between(first, last, t)
            constants.append(constant)
            ones = np.ones(sum(side.sizes), dtype)
            layer_params.append(tuple(type(x)(*(a.astype(dtype) for a in x)) for x in between))
            factors.append(dtype.type(t) * (ones if ratio is None else ratio.astype(dtype)))
        return LayeredStage(
            t,
            (layer_params[0], layer_params[1]),
            (factors[0], factors[1]),
            (constants[0], constants[1]),
        )

    def gain(self, x: Array, inputs: Array, first: LayeredStage, last: LayeredStage) -> Array:
        """(t_last - t_first) (U_0 - U_1)(x) + A_last - A_first."""
        first_own, last_own = self._base[self._color], self._own[self._color]
        layer_params = self.unit.energy_difference(first_own, last_own, x)
        summed_out = self._log_normaliser(inputs, last) - self._log_normaliser(inputs, first)
        gain: Array = summed_out - (last.t - first.t) * layer_params
        return gain

    def _log_normaliser(self, inputs: Array, stage: LayeredStage) -> Array:
        k = self._summed
        side, layer_params = self._model.sides[k], stage.layer_params[k]
        return side.log_normaliser(layer_params, inputs * stage.factors[k]) - stage.constants[k]

    def move(
        self,
        x: Array,
        inputs: Array,
        stages: Sequence[LayeredStage],
        key: Key,
        first_row: int = 0,
        given: Array | None = None,
        tilt: Tilt | None = None,
    ) -> Array:
        """One step of block Gibbs sampling."""
        color = self._color
        others = self._sample(self._summed, inputs, stages, fold(key, 0), first_row)
        f = self._model.inputs_from(self._params, color, others)
        if tilt is not None:
            f += (tilt.fields / stages[0].factors[color])[tilt.labels]
        new = self._sample(color, f, stages, fold(key, 1), first_row)
        if given is not None:
            np.copyto(new, given, where=~np.isnan(given))
        return new

    def _sample(
        self, color: int, inputs: Array, stages: Sequence[LayeredStage], key: Key, first_row: int
    ) -> Array:
        """Units of one color with the given inputs; the n-th share of the rows follows the n-th stage."""
        share, side = len(inputs) // len(stages), self._model.sides[color]
        out = np.empty_like(inputs)
        for r, stage in enumerate(stages):
            rows = slice(r * share, (r + 1) * share)
            f = inputs[rows] * stage.factors[color]
            out[rows] = side.sample(
                stage.layer_params[color], f, key, first_row=first_row + r * share
            )
        return out

    def energy(self, x: Array, inputs: Array) -> Array:
        """F of the states."""
        summed_out = self._model.sides[self._summed].log_normaliser(self._own[self._summed], inputs)
        energy: Array = self.unit.energy(self._own[self._color], x) - summed_out
        return energy


@path_to.register
def _(model: LayeredModel, params: LayeredParameters, base: Any = None) -> Path:
    """In compiled code, as two layers, where each color is of one type of units."""
    base = model_base(model, params) if base is None else base
    if not is_two_layers(model):
        return LayeredPath(model, params, base)
    first = two_layers(model, params._replace(layers=base))
    two = two_layers(model, params)
    units = (model.layers[model.members[color][0]].unit for color in (EVEN, ODD))
    return BipartitePath(Bipartite(*units), two, (first.visible, first.hidden))


def is_two_layers(model: LayeredModel) -> bool:
    """Whether all layers of a color are one layer of units: of one type, with weights between most of both colors."""
    model.check_energy()
    kinds = [{model.layers[k].unit for k in model.members[color]} for color in (EVEN, ODD)]
    if any(len(kind) != 1 for kind in kinds) or any(
        edge.coupling != Dense() or edge.multiplicity != (1, 1) for edge in model.edges
    ):
        return False
    if any(isinstance(unit, Groups) for kind in kinds for unit in kind):
        return False  # where groups begin and end, is said for each layer by itself
    n_even, n_odd = (sum(side.sizes) for side in model.sides)
    return sum(prod(shape) for shape in model.weight_shapes) >= FILLED * n_even * n_odd


def two_layers(model: LayeredModel, params: LayeredParameters) -> BipartiteParameters:
    """Parameters of the even layers as the visible one and of the odd layers as the hidden one, in new arrays."""
    W = np.zeros([sum(side.sizes) for side in model.sides], model.dtype(params))
    for ends, part in zip(model.ends, params.weights, strict=True):
        low, high = (model.places[k] for k in ends)
        if low.color == EVEN:
            W[low.columns, high.columns] = part
        else:
            W[high.columns, low.columns] = part.T
    own = []
    for color in (EVEN, ODD):
        some = model.layer_params(params, color)
        own.append(type(some[0])(*map(np.concatenate, zip(*some, strict=True))))
    return BipartiteParameters(W, *own)


@base_of.register
def _(
    model: LayeredModel, params: LayeredParameters, mean: Array, variance: Array, count: float
) -> Base:
    moments = {
        k: (m[0], v[0])
        for (k, m), v in zip(
            model.split(mean[np.newaxis]).items(),
            model.split(variance[np.newaxis]).values(),
            strict=True,
        )
    }
    return _with_moments(model, params, moments, count)


def _with_moments(
    model: LayeredModel,
    params: LayeredParameters,
    moments: dict[int, tuple[Array, Array]],
    count: float,
) -> Base:
    """The product distribution in which layers have these means and variances, as far as units can; the others are
    undecided.
    """
    layer_params = [x._replace(bias=np.zeros_like(x.bias)) for x in params.layers]
    dtype = model.dtype(params)
    for k, (mean, variance) in moments.items():
        unit = model.layers[k].unit
        layer_params[k] = unit.initial(mean.astype(dtype), variance.astype(dtype), count)
        if unit.has_scale and not unit.is_free("log_variance"):
            known = np.where(variance > 0, variance, np.exp(params.layers[k].log_variance))
            layer_params[k] = layer_params[k]._replace(log_variance=np.log(known).astype(dtype))
    return tuple(layer_params)


@model_base.register
def _(model: LayeredModel, params: LayeredParameters) -> Base:
    """Of the even layers; the odd ones are undecided."""
    key, n_rows = stream(0, "tempering"), PILOT_CHAINS
    undecided = _with_moments(model, params, {}, n_rows)
    nothing = model.nothing(params, EVEN, n_rows)
    first = model.layer_params(params._replace(layers=undecided), EVEN)
    even = model.sides[EVEN].sample(first, nothing, fold(key, 0))
    for step in range(PILOT_STEPS):
        odd = model.sample(params, ODD, even, fold(key, 2 * step + 1))
        even = model.sample(params, EVEN, odd, fold(key, 2 * step + 2))
    moments = {
        k: (x.mean(axis=0), x.var(axis=0))
        for k in model.members[EVEN]
        for x in [even[:, model.places[k].columns]]
    }
    return _with_moments(model, params, moments, n_rows)
