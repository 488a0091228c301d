"""The path from independent two-state units to a pairwise model: E_t = -(t/2) s'Js - [(1 - t) b_0 + t b]'s.

A step is a sequential sweep over all units. Nothing is summed out: the states are those of all units, hidden ones too.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array, hstack

from ebm._arrays import is_sparse
from ebm._checks import Array
from ebm._kernels.sweeps import HEAT_BATH
from ebm._random import Key, fold, stream
from ebm.energies.couplings import fastest, visit
from ebm.energies.pairwise import Pairwise, PairwiseParameters
from ebm.energies.path import PILOT_CHAINS, PILOT_STEPS, Path, Tilt, base_of, path_to, tilted


class PairwiseStage(NamedTuple):
    """A pairwise model part of the way: couplings t J, and these biases."""

    t: float
    bias: Array


class PairwisePath(Path):
    """The path to a pairwise model from independent units with the biases `base` (n_units,)."""

    def __init__(self, model: Pairwise, params: PairwiseParameters, base: Array) -> None:
        self._model, self._params = model, params._replace(J=fastest(params.J))
        self.unit = model.unit
        self._base = base.astype(params.bias.dtype)
        self._order = np.arange(len(base))
        nothing = np.zeros((1, len(base)), params.bias.dtype)
        layer_params = model.layer_params(self._base)
        self.log_z = float(model.unit.log_normaliser(layer_params, nothing)[0])

    def start(self, n_rows: int, key: Key, first_row: int = 0, tilt: Tilt | None = None) -> Array:
        """Independent draws of all units from the base."""
        fields = tilted((n_rows, len(self._base)), self._base.dtype, tilt)
        layer_params = self._model.layer_params(self._base)
        return self._model.unit.sample(layer_params, fields, key, first_row=first_row)

    def log_normaliser(self, fields: Array) -> Array:
        """A of the base."""
        return self._model.unit.log_normaliser(self._model.layer_params(self._base), fields)

    def inputs(self, x: Array) -> Array:
        """The fields J s."""
        return self._model.inputs(self._params, x)

    def stage(self, t: float) -> PairwiseStage:
        """The model at t."""
        share = self._base.dtype.type(t)
        return PairwiseStage(t, (1 - share) * self._base + share * self._params.bias)

    def gain(self, x: Array, inputs: Array, first: PairwiseStage, last: PairwiseStage) -> Array:
        """(t_last - t_first) (E_0 - E_1)(s)."""
        coupled = 0.5 * np.einsum("ij,ij->i", x, inputs, dtype=np.float64)
        gain: Array = (last.t - first.t) * (coupled + x @ (self._params.bias - self._base))
        return gain

    def move(
        self,
        x: Array,
        inputs: Array,
        stages: Sequence[PairwiseStage],
        key: Key,
        first_row: int = 0,
        given: Array | None = None,
        tilt: Tilt | None = None,
    ) -> Array:
        """One sweep over all units in order."""
        gains = np.array([s.t for s in stages], self._base.dtype)
        biases = np.stack([s.bias for s in stages])
        if tilt is not None:
            return self._tilted(x, (gains, biases), tilt, key, first_row)
        return swept(
            self._model, self._params.J, (gains, biases), x, self._order, key, first_row, given
        )

    def _tilted(
        self, x: Array, law: tuple[Array, Array], tilt: Tilt, key: Key, first_row: int
    ) -> Array:
        """A sweep with more units, never visited: that with a row's label is one, the others zero."""
        J, ghosts = self._params.J, (tilt.fields / law[0]).T.astype(x.dtype)
        parts: list[Any] = [J, csr_array(ghosts) if is_sparse(J) else ghosts]
        J = hstack(parts, format="csr") if is_sparse(J) else np.hstack(parts)
        labels = np.eye(len(tilt.fields), dtype=x.dtype)[tilt.labels]
        both = np.hstack([x, labels])
        moved = swept(self._model, J, law, both, self._order, key, first_row)
        return np.ascontiguousarray(moved[:, : x.shape[1]])

    def energy(self, x: Array, inputs: Array) -> Array:
        """E(s)."""
        coupled = 0.5 * np.einsum("ij,ij->i", x, inputs, dtype=np.float64)
        energy: Array = -coupled - x @ self._params.bias.astype(np.float64)
        return energy


def swept(
    model: Pairwise,
    J: Any,
    law: tuple[Array, Array],
    s: Array,
    order: Array,
    key: Key,
    first_row: int = 0,
    given: Array | None = None,
) -> Array:
    """The states `s` (rows, n_units), not modified, after one visit to each of the units `order`.

    `law` holds the gains (groups,) of the fields and the biases (groups, n_units) of the groups to which the rows
    belong in equal shares (:func:`ebm._kernels.sweeps.sweep`). `J` is as :func:`ebm.energies.couplings.fastest` gives
    it. Known (not NaN) entries of `given` (rows, n_units) stay.
    """
    dtype = law[0].dtype
    states = np.array(s.T, dtype, order="C")
    free = np.zeros((0, 0), bool)
    if given is not None:
        free = np.ascontiguousarray(np.isnan(given).T)
        np.copyto(states, given.T, where=~free)
    low, high = model.unit.states or ()
    moved = np.zeros(len(s), dtype)
    visit(J, (*law, low, high), HEAT_BATH, states, order, free, (*key, first_row), moved)
    out = np.ascontiguousarray(states.T)
    if given is not None:
        np.copyto(out, given, where=~np.isnan(given))  # with the signs of zeros
    return out


@path_to.register
def _(model: Pairwise, params: PairwiseParameters, base: Any = None) -> PairwisePath:
    return PairwisePath(model, params, _pilot_base(model, params) if base is None else base)


@base_of.register
def _(
    model: Pairwise, params: PairwiseParameters, mean: Array, variance: Array, count: float
) -> Array:
    bias = np.zeros_like(params.bias)
    bias[: len(mean)] = model.unit.initial(mean.astype(bias.dtype), variance, count).bias
    return bias


def _pilot_base(model: Pairwise, params: PairwiseParameters) -> Array:
    """Biases of independent units with the moments of short chains of the model, from undecided units."""
    key, n_rows = stream(0, "tempering"), PILOT_CHAINS
    undecided = model.layer_params(np.zeros_like(params.bias))
    nothing = np.zeros((n_rows, len(params.bias)), params.bias.dtype)
    s = model.unit.sample(undecided, nothing, fold(key, 0))
    law, J = (np.ones(1, params.J.dtype), params.bias[np.newaxis]), fastest(params.J)
    for step in range(PILOT_STEPS):
        s = swept(model, J, law, s, np.arange(len(s.T)), fold(key, step + 1))
    bias: Array = model.unit.initial(s.mean(axis=0), s.var(axis=0), n_rows).bias
    return bias
