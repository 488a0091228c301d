"""Paths of energies from an exactly known distribution to the model, for annealing and tempering.

    E_t = (1 - t) E_0 + t E_1,        p_t(x) = exp(-E_t(x)) / Z_t,        0 <= t <= 1,

the geometric path. An algorithm that follows a path needs four things: independent draws at t = 0, log Z_0, a step that
leaves p_t unchanged, and the free energy F_t as a function of t. F_t is that of the units which are not summed out. A
new energy brings its own :class:`Path`, and annealed importance sampling and parallel tempering come with it.
"""

import abc
from collections.abc import Sequence
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from ebm._checks import Array
from ebm._kernels import units as kernels
from ebm._kernels.annealing import scale
from ebm._random import Key, fold, stream
from ebm.energies.base import Model
from ebm.energies.bipartite import Bipartite, BipartiteParameters
from ebm.units import Unit

PILOT_CHAINS, PILOT_STEPS = 256, 32


class Tilt(NamedTuple):
    """Further fields on the units of each row: `fields` (distributions, units), of which row r has number
    ``labels[r]``.
    """

    labels: Array
    fields: Array


class Path(abc.ABC):
    """A path of energies over states x (rows, units), with the other units summed out (abstract).

    Functions that take states also take their `inputs`, the product with the weights, which does not depend on t.
    """

    log_z: float  # at t = 0
    unit: Unit  # of the states

    @abc.abstractmethod
    def start(self, n_rows: int, key: Key, first_row: int = 0, tilt: Tilt | None = None) -> Array:
        """Independent draws of x from p_0, or with a `tilt` from p_0(x) exp(f'x) with the fields f of the row."""

    @abc.abstractmethod
    def log_normaliser(self, fields: Array) -> Array:
        """Log sum_x of p_0's units with further `fields` (distributions, units): (distributions,); its summed-out units
        apart.
        """

    @abc.abstractmethod
    def inputs(self, x: Array) -> Array:
        """The inputs of the summed-out units, given `x`."""

    @abc.abstractmethod
    def stage(self, t: float) -> Any:
        """The parameters at t that the methods below need."""

    @abc.abstractmethod
    def gain(self, x: Array, inputs: Array, first: Any, last: Any) -> Array:
        """F_first(x) - F_last(x), for two stages: (rows,) in double precision."""

    @abc.abstractmethod
    def move(
        self,
        x: Array,
        inputs: Array,
        stages: Sequence[Any],
        key: Key,
        first_row: int = 0,
        given: Array | None = None,
        tilt: Tilt | None = None,
    ) -> Array:
        """New states after `x`, by a step that leaves p_t unchanged; equal shares of the rows belong to the `stages`.

        Known (not NaN) entries of `given` are clamped. With a `tilt` (and one stage) the step leaves p_t(x) exp(f'x)
        unchanged, with the fields f of the row.
        """

    def turned(self) -> "Path":
        """The path of the same distributions over the units that are summed out here; ValueError if there is none."""
        raise ValueError(
            "summed_out='even' is for models of layers, of which either color can be summed out."
        )

    @abc.abstractmethod
    def energy(self, x: Array, inputs: Array) -> Array:
        """F_1(x), the free energy under the model: (rows,) in double precision."""


@singledispatch
def path_to(model: Model, params: Any, base: Any = None) -> Path:
    """The path to a model from a distribution without couplings between its units.

    `base` are the own parameters of the units there (:func:`base_of`); None: those of :func:`model_base`.
    """
    raise TypeError(f"There is no path to {model!r}: an energy registers its own with path_to.")


@singledispatch
def base_of(model: Model, params: Any, mean: Array, variance: Array, count: float) -> Any:
    """The product distribution with the moments of `count` rows of data, as far as units of the type can have them.

    Hidden units are undecided. To be given to :func:`path_to`.
    """
    raise TypeError(
        f"There is no path to {model!r}: an energy registers its own base with base_of."
    )


def tilted(shape: tuple[int, int], dtype: Any, tilt: Tilt | None) -> Array:
    """The further fields (rows, units), zero without a `tilt`."""
    if tilt is None:
        return np.zeros(shape, dtype)
    fields: Array = tilt.fields[tilt.labels].astype(dtype)
    return fields


class Stage(NamedTuple):
    """A bipartite model part of the way: own parameters for compiled functions, factors of the inputs, and the constant
    of the hidden distribution.
    """

    t: float
    visible: Any
    hidden: Any
    visible_factors: Array
    hidden_factors: Array
    constant: float


class BipartitePath(Path):
    """The path from a product distribution to a bipartite model, over the visible units; the hidden ones are summed
    out.

    `base` is the pair of the layers' own parameters at t = 0, where there are no weights
    (:func:`data_base`, :func:`model_base`).
    """

    def __init__(
        self, model: Bipartite, params: BipartiteParameters, base: tuple[Any, Any]
    ) -> None:
        self._model, self._params, self._base = model, params, base
        self.unit = model.visible
        # Products of about a hundred rows with a transposed view take a sixth longer than with a copy.
        self._Wt = np.ascontiguousarray(params.W.T)
        nothing = [np.zeros((1, n), params.W.dtype) for n in params.W.shape]
        self.log_z = float(
            model.visible.log_normaliser(base[0], nothing[0])[0]
            + model.hidden.log_normaliser(base[1], nothing[1])[0]
        )

    def start(self, n_rows: int, key: Key, first_row: int = 0, tilt: Tilt | None = None) -> Array:
        """Independent draws of v from the base."""
        fields = tilted((n_rows, len(self._params.W)), self._params.W.dtype, tilt)
        return self._model.visible.sample(self._base[0], fields, key, first_row=first_row)

    def turned(self) -> "BipartitePath":
        """The path over the hidden units."""
        model, params = self._model.swapped(self._params)
        params = params._replace(W=np.ascontiguousarray(params.W))
        return BipartitePath(model, params, self._base[::-1])

    def log_normaliser(self, fields: Array) -> Array:
        """A_v of the base."""
        return self._model.visible.log_normaliser(self._base[0], fields)

    def inputs(self, x: Array) -> Array:
        """W's(v)."""
        return self._model.hidden_input(self._params, x)

    def stage(self, t: float) -> Stage:
        """The model at t: weights t W in the statistics of the target."""
        dtype = self._params.W.dtype
        visible, p, _ = self._model.visible.between(self._base[0], self._params.visible, t)
        hidden, q, constant = self._model.hidden.between(self._base[1], self._params.hidden, t)
        ones = [np.ones(n, dtype) for n in self._params.W.shape]
        p, q = (one if x is None else x for one, x in zip(ones, (p, q), strict=True))
        visible, hidden = (
            type(layer_params)(*(x.astype(dtype) for x in layer_params))
            for layer_params in (visible, hidden)
        )
        share = dtype.type(t)
        v, h = self._model.visible.compiled(visible), self._model.hidden.compiled(hidden)
        return Stage(t, v, h, share * p, share * q, constant)

    def gain(self, x: Array, inputs: Array, first: Stage, last: Stage) -> Array:
        """(t_last - t_first) (U_0 - U_1)(v) + A_last - A_first."""
        layer_params = self._model.visible.energy_difference(self._base[0], self._params.visible, x)
        summed_out = self._log_normaliser(inputs, last) - self._log_normaliser(inputs, first)
        gain: Array = summed_out - (last.t - first.t) * layer_params
        return gain

    def _log_normaliser(self, inputs: Array, stage: Stage) -> Array:
        scaled = np.empty_like(inputs)
        scale(inputs, stage.hidden_factors, scaled)
        out = np.full(len(inputs), -stage.constant)
        kernels.log_normaliser(stage.hidden, scaled, 1.0, out)
        return out

    def move(
        self,
        x: Array,
        inputs: Array,
        stages: Sequence[Stage],
        key: Key,
        first_row: int = 0,
        given: Array | None = None,
        tilt: Tilt | None = None,
    ) -> Array:
        """One step of block Gibbs sampling."""
        h = np.empty_like(inputs)
        self._sample(inputs, h, [(s.hidden, s.hidden_factors) for s in stages], (key, 0), first_row)
        kernels.to_statistic(self._model.hidden.compiled(self._params.hidden), h)
        f: Array = h @ self._Wt
        v = f  # in place
        if tilt is not None:
            v += (tilt.fields / stages[0].visible_factors)[tilt.labels]
        laws = [(s.visible, s.visible_factors) for s in stages]
        self._sample(f, v, laws, (key, 1), first_row)
        if given is not None:
            np.copyto(v, given, where=~np.isnan(given))
        return v

    def _sample(
        self, inputs: Array, out: Array, laws: list[Any], number: tuple[Key, int], first_row: int
    ) -> None:
        """Draw units with the given inputs; the n-th share of the rows follows the n-th of `laws`."""
        share = len(inputs) // len(laws)
        k0, k1 = fold(*number)
        for r, (layer_params, factors) in enumerate(laws):
            rows = slice(r * share, (r + 1) * share)
            scale(inputs[rows], factors, out[rows])
            kernels.sample(layer_params, out[rows], 1.0, k0, k1, first_row + r * share)

    def energy(self, x: Array, inputs: Array) -> Array:
        """U(v) - A(W's(v))."""
        params = self._params
        summed_out = self._model.hidden.log_normaliser(params.hidden, inputs)
        energy: Array = self._model.visible.energy(params.visible, x) - summed_out
        return energy


@path_to.register
def _(model: Bipartite, params: BipartiteParameters, base: Any = None) -> BipartitePath:
    return BipartitePath(model, params, model_base(model, params) if base is None else base)


@base_of.register
def data_base(
    model: Bipartite, params: BipartiteParameters, mean: Array, variance: Array, count: float
) -> tuple[Any, Any]:
    """The product distribution with the moments of `count` rows of data, as far as units of the type can have them."""
    dtype = params.W.dtype
    visible = model.visible.initial(mean.astype(dtype), variance.astype(dtype), count)
    if model.visible.has_scale and not model.visible.is_free("log_variance"):
        known = np.where(variance > 0, variance, np.exp(params.visible.log_variance))
        visible = visible._replace(log_variance=np.log(known).astype(dtype))
    return visible, _undecided(params.hidden)


@singledispatch
def model_base(model: Model, params: Any) -> Any:
    """The product distribution with the moments of short Gibbs chains of the model, for models of which no data are
    known.

    Chains that start from independent undecided units end up in all modes that are easy to reach, so that the
    distribution is as broad as these. A naive mean field would settle in one of them.
    """
    raise TypeError(f"There is no path to {model!r}: an energy registers its own base.")


@model_base.register
def _(model: Bipartite, params: BipartiteParameters) -> tuple[Any, Any]:
    key, n_rows = stream(0, "tempering"), PILOT_CHAINS
    nothing = np.zeros((n_rows, len(params.W)), params.W.dtype)
    v = model.visible.sample(_undecided(params.visible), nothing, fold(key, 0))
    for step in range(PILOT_STEPS):
        h = model.sample_hidden(params, v, fold(key, 2 * step + 1))
        v = model.sample_visible(params, h, fold(key, 2 * step + 2))
    return data_base(model, params, v.mean(axis=0), v.var(axis=0), n_rows)


def _undecided(layer_params: Any) -> Any:
    return layer_params._replace(bias=np.zeros_like(layer_params.bias))
