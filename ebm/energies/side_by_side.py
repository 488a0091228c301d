"""Layers of several unit types side by side, as one layer: all layers of one color, or the columns of a row of data.

No two of these layers are connected, so that all units are independent given their inputs, whatever their types. Every
function of a unit acts on the columns of each layer by itself. The own parameters are the tuple of those of the layers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ebm._checks import Array
from ebm._random import Key, Reserved, fold
from ebm._values import ROUNDING
from ebm.units import Unit


def layer_key(key: Key, number: int) -> Key:
    """The key from which layer `number` of several draws: that of all for the first, as if it were alone."""
    # The keys of the others are beyond the counters of the numbers that the first one draws.
    return key if number == 0 else fold(key, Reserved.LAYER_DRAWS.number + number)


@dataclass(frozen=True, repr=False)
class SideBySide(Unit):
    """Units of several types in one row, see the module docstring.

    Parameters
    ----------
    units : tuple of Unit
        Types of the layers.
    sizes : tuple of int
        How many units each of them has.
    """

    units: tuple[Unit, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def is_real(self) -> bool:  # type: ignore[override]
        """Whether some units have real states."""
        return any(unit.is_real for unit in self.units)

    @property
    def has_scale(self) -> bool:  # type: ignore[override]
        """Whether some units have a scale."""
        return any(unit.has_scale for unit in self.units)

    @property
    def pace(self) -> float:  # type: ignore[override]
        """The pace of the slowest units."""
        return min(unit.pace for unit in self.units)

    @property
    def bounded(self) -> bool:  # type: ignore[override]
        """Whether the states of all units lie within bounds."""
        return all(unit.bounded for unit in self.units)

    @property
    def slices(self) -> list[slice]:
        """Columns of each layer."""
        return [slice(a, b) for a, b in pairwise(accumulate(self.sizes, initial=0))]

    def _parts(self, params: Any, *arrays: Array) -> Iterator[tuple[Unit, Any, list[Array]]]:
        """Type, own parameters and contiguous columns of the `arrays` (..., units) of each layer."""
        for unit, part, some in zip(self.units, params, self.slices, strict=True):
            yield unit, part, [np.ascontiguousarray(x[..., some]) for x in arrays]

    def columns(self, x: Array) -> list[tuple[Unit, Array]]:
        """Each layer with its own; ValueError for rows of another width."""
        width = sum(self.sizes)
        if x.shape[-1] != width:
            raise ValueError(
                f"visible names {width} columns in all, in groups of {list(self.sizes)}. X has {x.shape[-1]} of them."
            )
        return [(unit, x[:, some]) for unit, some in zip(self.units, self.slices, strict=True)]

    def initial(self, mean: Array, variance: Array, count: float) -> tuple[Any, ...]:
        """Those of each layer."""
        return tuple(
            unit.initial(mean[some].copy(), variance[some].copy(), count)
            for unit, some in zip(self.units, self.slices, strict=True)
        )

    def neutral(self, n_units: int, dtype: Any) -> tuple[Any, ...]:
        """Those of each layer."""
        return tuple(unit.neutral(n, dtype) for unit, n in zip(self.units, self.sizes, strict=True))

    def losses(self, n_units: int) -> list[tuple[str, int]]:
        """Those of each layer."""
        parts = zip(self.units, self.sizes, strict=True)
        return [loss for unit, n in parts for loss in unit.losses(n)]

    def span(self, params: Any) -> tuple[Array, Array]:
        """Those of each layer, side by side."""
        parts = zip(self.units, params, self.sizes, strict=True)
        spans = [[np.broadcast_to(x, n) for x in unit.span(part)] for unit, part, n in parts]
        low, high = (np.concatenate(ends) for ends in zip(*spans, strict=True))
        return low, high

    def energy(self, params: Any, x: Array) -> Array:
        """The sum over the layers."""
        total = np.zeros(len(x))
        for unit, part, (states,) in self._parts(params, x):
            total += unit.energy(part, states)
        return total

    def energy_difference(self, first: Any, last: Any, x: Array) -> Array:
        """The sum over the layers."""
        total = np.zeros(len(x))
        for (unit, end, (states,)), begin in zip(self._parts(last, x), first, strict=True):
            total += unit.energy_difference(begin, end, states)
        return total

    def scale(self, params: Any) -> Array | None:
        """Ones for units without a scale; None if no layer has one."""
        if not self.has_scale:
            return None
        return self._filled(
            [unit.scale(x) for unit, x in zip(self.units, params, strict=True)], params
        )

    def _filled(self, factors: list[Array | None], params: Any) -> Array:
        """Factors of all units, ones in the place of None."""
        return np.concatenate(
            [np.ones_like(p.bias) if x is None else x for x, p in zip(factors, params, strict=True)]
        )

    def tempered(self, params: Any, beta: float) -> tuple[Any, Any]:
        """Own parameters, and a factor for each unit."""
        pairs = [unit.tempered(part, beta) for unit, part, _ in self._parts(params)]
        factors = [np.full(n, factor) for n, (_, factor) in zip(self.sizes, pairs, strict=True)]
        return tuple(part for part, _ in pairs), np.concatenate([np.ones(0), *factors])

    def between(self, first: Any, last: Any, t: float) -> tuple[Any, Array | None, float]:
        """Those of each layer; the constants add up."""
        found = [u.between(a, b, t) for u, a, b in zip(self.units, first, last, strict=True)]
        params, ratios = tuple(x[0] for x in found), [x[1] for x in found]
        ratio = None if all(x is None for x in ratios) else self._filled(ratios, params)
        return params, ratio, float(sum(x[2] for x in found))

    def invalid(self, x: Array, slack: float = ROUNDING) -> str:
        """The reason of the first layer that has one, and the columns of that layer."""
        return self._reason(x, lambda unit, states: unit.invalid(states, slack))

    def impossible(self, x: Array) -> str:
        """The reason of the first layer that has one, and the columns of that layer."""
        return self._reason(x, lambda unit, states: unit.impossible(states))

    def _reason(self, x: Array, judge: Any) -> str:
        for (unit, states), some in zip(self.columns(x), self.slices, strict=True):
            reason = judge(unit, states)
            if reason:
                return f"{reason} (in columns {some.start} to {some.stop - 1}, of {unit!r} units)"
        return ""

    def statistic(self, params: Any, x: Array) -> Array:
        """s(x), layer by layer."""
        return self._joined(x, lambda unit, part, states: unit.statistic(part, states), params)

    def mean(self, params: Any, inputs: Array, beta: float = 1.0) -> Array:
        """E[x | input], layer by layer."""
        return self._joined(inputs, lambda unit, part, f: unit.mean(part, f, beta), params)

    def sample(
        self, params: Any, inputs: Array, key: Key, beta: float = 1.0, first_row: int = 0
    ) -> Array:
        """Draws of each layer, from keys of its own (:func:`layer_key`)."""
        keys = iter([layer_key(key, number) for number in range(len(self.units))])
        return self._joined(
            inputs, lambda unit, part, f: unit.sample(part, f, next(keys), beta, first_row), params
        )

    def _joined(self, x: Array, function: Any, params: Any) -> Array:
        """The `function` of each layer's type, own parameters and columns, side by side."""
        if len(self.units) == 1:
            found: Array = function(self.units[0], params[0], x)
            return found
        out = np.empty(x.shape, x.dtype)
        for some, (unit, part, (columns,)) in zip(self.slices, self._parts(params, x), strict=True):
            out[:, some] = function(unit, part, columns)
        return out

    def log_normaliser(self, params: Any, inputs: Array, beta: float = 1.0) -> Array:
        """The sum over the layers."""
        total = np.zeros(len(inputs))
        for unit, part, (f,) in self._parts(params, inputs):
            total += unit.log_normaliser(part, f, beta)
        return total
